/* container.c: the map from 64 bits to 64 bits, hashes, and the nearest known name. */
#include <xxhash.h>
#include "core.h"

/* ---- hashes --------------------------------------------------------------------------------- */

uint64_t ni_hash(const void *bytes, size_t n) {
    return XXH3_64bits(bytes, n);
}

uint64_t ni_hash_seeded(const void *bytes, size_t n, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes, n, seed);
}

uint64_t ni_hash_text(const char *text) {
    return XXH3_64bits(text, strlen(text));
}

ni_hash128 ni_hash_128(const void *bytes, size_t n) {
    XXH128_hash_t hash = XXH3_128bits(bytes, n);
    return (ni_hash128){.low = hash.low64, .high = hash.high64};
}

/* ---- map ------------------------------------------------------------------------------------ */

typedef struct {
    uint64_t key, value; /* key 0: a free place; what belongs to the key 0 itself is kept apart */
} entry;

struct ni_map {
    nas_context *context;
    entry *entries;
    size_t capacity; /* a power of two, or 0 */
    size_t n;        /* in entries */
    uint64_t zero;   /* the value of key 0 */
    bool has_zero;
};

nas_status ni_map_create(ni_map **out, nas_context *context) {
    ni_map *map = ni_calloc(context, 1, sizeof *map);
    if (!map) return NAS_E_MEMORY;
    map->context = context;
    *out = map;
    return NAS_OK;
}

void ni_map_free(ni_map *map) {
    if (!map) return;
    ni_free(map->context, map->entries);
    ni_free(map->context, map);
}

/* Finaliser of SplitMix64 (Steele et al. 2014): neighbouring keys are spread. */
static size_t home(uint64_t key, size_t capacity) {
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9u;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebu;
    return (size_t)(key ^ (key >> 31)) & (capacity - 1);
}

/* The key's entry, or the free one where it would go. There is always a free one. */
static entry *seek(entry *entries, size_t capacity, uint64_t key) {
    size_t i = home(key, capacity);
    while (entries[i].key && entries[i].key != key)
        i = (i + 1) & (capacity - 1);
    return &entries[i];
}

nas_status ni_map_put(ni_map *map, uint64_t key, uint64_t value) {
    if (key == 0) {
        map->has_zero = true;
        map->zero = value;
        return NAS_OK;
    }
    if ((map->n + 1) * 4 > map->capacity * 3) {
        size_t capacity = map->capacity ? map->capacity * 2 : 16;
        entry *entries = ni_calloc(map->context, capacity, sizeof *entries);
        if (!entries) return NAS_E_MEMORY;
        for (size_t i = 0; i < map->capacity; i++)
            if (map->entries[i].key)
                *seek(entries, capacity, map->entries[i].key) = map->entries[i];
        ni_free(map->context, map->entries);
        map->entries = entries;
        map->capacity = capacity;
    }
    entry *at = seek(map->entries, map->capacity, key);
    if (!at->key) map->n++;
    *at = (entry){key, value};
    return NAS_OK;
}

bool ni_map_get(const ni_map *map, uint64_t key, uint64_t *value) {
    if (key == 0) {
        if (map->has_zero && value) *value = map->zero;
        return map->has_zero;
    }
    if (!map->capacity) return false;
    const entry *at = seek(map->entries, map->capacity, key);
    if (at->key && value) *value = at->value;
    return at->key != 0;
}

bool ni_map_remove(ni_map *map, uint64_t key) {
    if (key == 0) {
        bool had = map->has_zero;
        map->has_zero = false;
        return had;
    }
    if (!map->capacity) return false;
    entry *gap = seek(map->entries, map->capacity, key);
    if (!gap->key) return false;
    /* Later entries of the run move up, so that no search stops at the gap too early. */
    size_t mask = map->capacity - 1, hole = (size_t)(gap - map->entries), i = hole;
    for (;;) {
        i = (i + 1) & mask;
        if (!map->entries[i].key) break;
        size_t wanted = home(map->entries[i].key, map->capacity);
        if (((i - wanted) & mask) >= ((i - hole) & mask)) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole] = (entry){0};
    map->n--;
    return true;
}

size_t ni_map_count(const ni_map *map) {
    return map->n + map->has_zero;
}

size_t ni_map_bytes(const ni_map *map) {
    return sizeof *map + map->capacity * sizeof *map->entries;
}

/* ---- nearest name --------------------------------------------------------------------------- */

#define NAME_LONGEST 48

/* Case and the choice of dash are not what a person gets wrong. */
static char fold(char c) {
    if (c >= 'A' && c <= 'Z') return (char)(c - 'A' + 'a');
    return c == '_' ? '-' : c;
}

/* Optimal string alignment: insertions, deletions, changes, swaps of neighbours. */
static size_t distance(const char *a, size_t na, const char *b, size_t nb) {
    size_t rows[3][NAME_LONGEST + 1];
    size_t *older = rows[0], *old = rows[1], *now = rows[2];
    for (size_t j = 0; j <= nb; j++)
        old[j] = older[j] = j;
    for (size_t i = 1; i <= na; i++) {
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t cost = fold(a[i - 1]) != fold(b[j - 1]);
            size_t best = old[j - 1] + cost;
            if (old[j] + 1 < best) best = old[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                fold(a[i - 2]) == fold(b[j - 1]) && older[j - 2] + 1 < best)
                best = older[j - 2] + 1;
            now[j] = best;
        }
        size_t *spare = older;
        older = old;
        old = now;
        now = spare;
    }
    return old[nb];
}

const char *ni_nearest(const char *wrong, const char *const *known, size_t n) {
    size_t length = strlen(wrong);
    if (!length || length > NAME_LONGEST) return NULL;
    /* One slip in three letters is a slip; more is another word. */
    size_t limit = (length + 1) / 3, best = limit + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(known[i]);
        if (!other || other > NAME_LONGEST) continue;
        size_t d = distance(wrong, length, known[i], other);
        /* A word cut short ("aug") counts as the worst that is still near. */
        if (d > limit && length >= 3 && other > length &&
            distance(wrong, length, known[i], length) == 0)
            d = limit;
        if (d < best) {
            best = d;
            nearest = known[i];
        }
    }
    return nearest;
}
