/* Which recorded trial has a hash: open addressing over the rows themselves, which hold the hashes.
 * A place takes five bytes: the trial, and eight bits of its hash, by which nearly all others are
 * passed over without a look at their rows. */
#include "parts.h"

/* Finaliser of SplitMix64 (Steele et al. 2014). */
static uint64_t mix(uint64_t key) {
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9u;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebu;
    return key ^ (key >> 31);
}

static uint8_t tag_of(uint64_t mixed) {
    uint8_t tag = (uint8_t)(mixed >> 56);
    return tag ? tag : 1; /* 0: free */
}

static uint64_t hash_of(const ni_rows *rows, uint64_t trial, ni_hash_kind kind) {
    uint64_t network = 0, reuse = 0;
    const unsigned char *at = ni_rows_place(rows, trial);
    if (at) ni_rows_hashes(rows, at, &network, kind == NI_BY_REUSE ? &reuse : NULL);
    return kind == NI_BY_REUSE ? reuse : network;
}

static size_t seek(const ni_index *index, const ni_rows *rows, ni_hash_kind kind, uint64_t hash) {
    uint64_t mixed = mix(hash);
    uint8_t tag = tag_of(mixed);
    size_t mask = index->capacity - 1, i = (size_t)mixed & mask;
    while (index->tags[i] &&
           (index->tags[i] != tag || hash_of(rows, index->trials[i], kind) != hash))
        i = (i + 1) & mask;
    return i;
}

bool ni_index_find(const ni_index *index, const ni_rows *rows, ni_hash_kind kind, uint64_t hash,
                   uint64_t *trial) {
    if (index->capacity == 0) return false;
    size_t i = seek(index, rows, kind, hash);
    if (index->tags[i] && trial) *trial = index->trials[i];
    return index->tags[i] != 0;
}

static nas_status grow(ni_index *index, const ni_rows *rows, ni_hash_kind kind) {
    size_t capacity = index->capacity ? 2 * index->capacity : 64;
    uint32_t *trials = ni_alloc(rows->context, capacity * (sizeof *trials + 1));
    if (trials == NULL) return NAS_E_MEMORY;
    uint8_t *tags = (uint8_t *)(trials + capacity);
    memset(tags, 0, capacity);
    for (size_t old = 0; old < index->capacity; old++) {
        if (index->tags[old] == 0) continue;
        uint64_t mixed = mix(hash_of(rows, index->trials[old], kind));
        size_t i = (size_t)mixed & (capacity - 1);
        while (tags[i])
            i = (i + 1) & (capacity - 1);
        tags[i] = tag_of(mixed);
        trials[i] = index->trials[old];
    }
    ni_free(rows->context, index->trials);
    index->trials = trials;
    index->tags = tags;
    index->capacity = capacity;
    return NAS_OK;
}

nas_status ni_index_add(ni_index *index, const ni_rows *rows, ni_hash_kind kind, uint64_t trial) {
    if (trial >= UINT32_MAX)
        return ni_fail(rows->context, NAS_E_LIMIT, "the store indexes 2^32 trials");
    if ((index->n + 1) * 4 > index->capacity * 3) NI_TRY(grow(index, rows, kind));
    uint64_t hash = hash_of(rows, trial, kind);
    size_t i = seek(index, rows, kind, hash);
    if (index->tags[i]) return NAS_OK; /* an earlier one has it */
    index->tags[i] = tag_of(mix(hash));
    index->trials[i] = (uint32_t)trial;
    index->n++;
    return NAS_OK;
}
