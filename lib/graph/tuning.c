/* A table of which way convolutions go (libnas/tuning.h): made, read, written. Measuring them is
 * tuning_time.c's.
 *
 * Its text: "libnas-tuning 1", "isa NAME", a line for each choice (the pass, 14 numbers of the
 * shape, the way, the microseconds that own kernels and BLIS took), and "hash" with 16 digits, by
 * which a file that was cut off or changed is told. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "ni_config.h"
#include "tuning.h"

enum { VERSION = 1, LARGEST_FILE = 16 << 20 };

static const char *const passes[] = {"forward", "input", "weights"};
static const char *const ways[] = {"own", "blis"};

nas_status ni_tuning_create(nas_tuning **out, nas_context *context) {
    if (!NI_WITH_BLIS || nas_context_isa(context) == NAS_ISA_GENERIC)
        return ni_fail(context, NAS_E_UNSUPPORTED,
                       "tuning: convolutions go one way alone %s, so there is nothing to choose",
                       NI_WITH_BLIS ? "by the generic instruction set"
                                    : "in a build of libnas without BLIS");
    nas_tuning *t = ni_calloc(context, 1, sizeof *t);
    if (!t) return NAS_E_MEMORY;
    t->context = context;
    t->isa = nas_context_isa(context);
    ni_context_hold(context);
    *out = t;
    return NAS_OK;
}

void nas_tuning_free(nas_tuning *t) {
    if (!t) return;
    nas_context *context = t->context;
    NI_ARRAY_FREE(context, &t->entries);
    ni_free(context, t);
    ni_context_release(context);
}

nas_context *ni_tuning_context(const nas_tuning *t) {
    return t->context;
}

/* ---- entries ------------------------------------------------------------------------------- */

/* All of a convolution but its batch. */
static ni_tuning_key key_of(const ni_conv *c, int what) {
    return (ni_tuning_key){{what, c->h, c->w, c->ci, c->oh, c->ow, c->co, c->kh, c->kw, c->sh,
                            c->sw, c->ph, c->pw, c->dh, c->dw}};
}

static int compare(const ni_tuning_key *a, const ni_tuning_key *b) {
    for (size_t i = 0; i < NI_COUNT(a->n); i++)
        if (a->n[i] != b->n[i]) return a->n[i] < b->n[i] ? -1 : 1;
    return 0;
}

/* Where the key is, or would be. */
static size_t place(const nas_tuning *t, const ni_tuning_key *key, bool *there) {
    size_t low = 0, high = t->entries.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&t->entries.items[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *there = low < t->entries.n && compare(&t->entries.items[low].key, key) == 0;
    return low;
}

/* *fresh: it was not there. */
static nas_status add(nas_tuning *t, const ni_tuning_entry *entry, bool *fresh) {
    bool there;
    size_t at = place(t, &entry->key, &there);
    *fresh = !there;
    if (there) return NAS_OK;
    NI_TRY(NI_PUSH(t->context, &t->entries, *entry));
    memmove(&t->entries.items[at + 1], &t->entries.items[at],
            (t->entries.n - 1 - at) * sizeof *entry);
    t->entries.items[at] = *entry;
    return NAS_OK;
}

nas_status ni_tuning_add(nas_tuning *t, const ni_conv *c, int what) {
    const ni_tuning_entry entry = {.key = key_of(c, what), .way = ni_choose_conv(c, what, t->isa)};
    bool fresh;
    return ni_conv_fits_gemm(c, what) ? add(t, &entry, &fresh) : NAS_OK;
}

void ni_tuning_conv(const ni_tuning_entry *entry, ni_conv *c, int *what) {
    const int32_t *n = entry->key.n;
    *c = (ni_conv){1,    n[1], n[2],  n[3],  n[4],  n[5],  n[6],  n[7],
                   n[8], n[9], n[10], n[11], n[12], n[13], n[14], 1};
    *what = n[0];
}

ni_way ni_tuning_way(const nas_tuning *t, const ni_conv *c, int what, int32_t isa) {
    if (t && t->isa == isa && ni_conv_fits_gemm(c, what)) {
        const ni_tuning_key key = key_of(c, what);
        bool there;
        size_t at = place(t, &key, &there);
        if (there) return t->entries.items[at].way;
    }
    return ni_choose_conv(c, what, isa);
}

/* Of the instruction set and of each key with its way: 32-bit words, little end first. */
uint64_t nas_tuning_hash(const nas_tuning *t) {
    uint64_t hash = ni_hash_text(nas_isa_name(t->isa));
    for (size_t i = 0; i < t->entries.n; i++) {
        uint8_t bytes[4 * (NI_TUNING_NUMBERS + 1)];
        for (size_t k = 0; k <= NI_TUNING_NUMBERS; k++) {
            const uint32_t word = k < NI_TUNING_NUMBERS ? (uint32_t)t->entries.items[i].key.n[k]
                                                        : (uint32_t)t->entries.items[i].way;
            for (size_t b = 0; b < 4; b++)
                bytes[4 * k + b] = (uint8_t)(word >> 8 * b);
        }
        hash = ni_hash_seeded(bytes, sizeof bytes, hash);
    }
    return hash;
}

uint32_t nas_tuning_count(const nas_tuning *t, uint32_t *blis) {
    uint32_t n = 0;
    for (size_t i = 0; i < t->entries.n; i++)
        n += t->entries.items[i].way == NI_BLIS;
    if (blis) *blis = n;
    return (uint32_t)t->entries.n;
}

/* ---- as text ------------------------------------------------------------------------------- */

nas_status nas_tuning_write(const nas_tuning *t, nas_sink *to) {
    NI_TRY(ni_enter(t->context));
    NI_TRY(ni_sink_f(to, "libnas-tuning %d\nisa %s\n", VERSION, nas_isa_name(t->isa)));
    for (size_t i = 0; i < t->entries.n; i++) {
        const ni_tuning_entry *e = &t->entries.items[i];
        char own[NI_NUMBER_TEXT], blis[NI_NUMBER_TEXT];
        NI_TRY(ni_sink_f(to, "%s", passes[e->key.n[0]]));
        for (size_t k = 1; k < NI_TUNING_NUMBERS; k++)
            NI_TRY(ni_sink_f(to, " %" PRId32, e->key.n[k]));
        NI_TRY(ni_sink_f(to, " %s %s %s\n", ways[e->way],
                         ni_fixed_text(own, 1e6 * e->seconds[NI_OWN], 2),
                         ni_fixed_text(blis, 1e6 * e->seconds[NI_BLIS], 2)));
    }
    return ni_sink_f(to, "hash %016" PRIx64 "\n", nas_tuning_hash(t));
}

/* Words of a line. */
typedef struct {
    const char *at, *end;
} words;

static bool next_word(words *w, const char **word, size_t *n) {
    while (w->at < w->end && *w->at == ' ')
        w->at++;
    *word = w->at;
    while (w->at < w->end && *w->at != ' ')
        w->at++;
    *n = (size_t)(w->at - *word);
    return *n > 0;
}

static bool is_word(const char *word, size_t n, const char *text) {
    return strlen(text) == n && memcmp(word, text, n) == 0;
}

static bool one_of(const char *word, size_t n, const char *const *names, int count, int *which) {
    for (*which = 0; *which < count; ++*which)
        if (is_word(word, n, names[*which])) return true;
    return false;
}

/* What no graph has, no table has. */
static bool is_possible(const ni_tuning_entry *e) {
    enum { MOST = 1 << 20 };
    for (size_t k = 1; k < NI_TUNING_NUMBERS; k++) {
        const bool padding = k == 11 || k == 12;
        if (e->key.n[k] < (padding ? 0 : 1) || e->key.n[k] > MOST) return false;
    }
    ni_conv c;
    int what;
    ni_tuning_conv(e, &c, &what);
    return ni_conv_fits_gemm(&c, what);
}

static bool read_entry(words *w, ni_tuning_entry *e) {
    const char *word;
    size_t n;
    int which;
    if (!next_word(w, &word, &n) || !one_of(word, n, passes, NI_COUNT(passes), &which))
        return false;
    e->key.n[0] = which;
    for (size_t k = 1; k < NI_TUNING_NUMBERS; k++) {
        int64_t number;
        if (!next_word(w, &word, &n) || !ni_parse_i64(word, n, &number) || number < 0 ||
            number > INT32_MAX)
            return false;
        e->key.n[k] = (int32_t)number;
    }
    if (!next_word(w, &word, &n) || !one_of(word, n, ways, NI_COUNT(ways), &which)) return false;
    e->way = (ni_way)which;
    for (size_t i = 0; i < NI_COUNT(e->seconds); i++) {
        double micros;
        if (!next_word(w, &word, &n) || !ni_parse_f64(word, n, &micros) || !(micros >= 0) ||
            !(micros < 1e15))
            return false;
        e->seconds[i] = micros * 1e-6;
    }
    return !next_word(w, &word, &n) && is_possible(e);
}

typedef struct {
    nas_tuning *t;
    const char *name;
    uint64_t line;
    bool ended;
} reading;

static nas_status syntax(const reading *r, const char *what) {
    return ni_fail(r->t->context, NAS_E_SYNTAX, "%.200s:%" PRIu64 ": %s", r->name, r->line, what);
}

static nas_status read_version(const reading *r, words w) {
    const char *word;
    size_t n;
    uint64_t version;
    if (!next_word(&w, &word, &n) || !is_word(word, n, "libnas-tuning") ||
        !next_word(&w, &word, &n) || !ni_parse_u64(word, n, &version))
        return syntax(r, "not a tuning table: it begins with 'libnas-tuning' and a version");
    if (version != VERSION)
        return ni_fail(r->t->context, NAS_E_VERSION,
                       "%.200s: a tuning table of version %" PRIu64
                       "; this library reads %d: measure it again",
                       r->name, version, VERSION);
    return NAS_OK;
}

static nas_status read_isa(const reading *r, words w) {
    const char *word, *here = nas_isa_name(r->t->isa);
    size_t n;
    if (!next_word(&w, &word, &n) || !is_word(word, n, "isa") || !next_word(&w, &word, &n))
        return syntax(r, "here is to stand 'isa' and the instruction set");
    if (is_word(word, n, here)) return NAS_OK;
    return ni_fail(r->t->context, NAS_E_UNSUPPORTED,
                   "%.200s: the table was measured for %.*s and this context computes by %s: "
                   "measure one for it",
                   r->name, (int)(n < 40 ? n : 40), word, here);
}

static nas_status read_hash(reading *r, words w) {
    const char *word;
    char digits[17];
    size_t n;
    snprintf(digits, sizeof digits, "%016" PRIx64, nas_tuning_hash(r->t));
    if (next_word(&w, &word, &n) && next_word(&w, &word, &n) && is_word(word, n, digits)) {
        r->ended = true;
        return NAS_OK;
    }
    return ni_fail(r->t->context, NAS_E_CORRUPT,
                   "%.200s: the table was changed since it was measured: its hash is not %s: "
                   "measure it again",
                   r->name, digits);
}

static nas_status read_line(reading *r, words w) {
    const char *word;
    size_t n;
    words first = w;
    r->line++;
    if (r->line == 1) return read_version(r, w);
    if (r->line == 2) return read_isa(r, w);
    if (r->ended) return syntax(r, "nothing comes behind the hash");
    if (next_word(&first, &word, &n) && is_word(word, n, "hash")) return read_hash(r, w);
    ni_tuning_entry entry = {.way = NI_OWN};
    bool fresh;
    if (!read_entry(&w, &entry))
        return syntax(r, "not a pass, 14 numbers of a convolution, 'own' or 'blis', and two times");
    NI_TRY(add(r->t, &entry, &fresh));
    return fresh ? NAS_OK : syntax(r, "that convolution was there already");
}

nas_status nas_tuning_parse(nas_tuning **out, nas_context *context, const char *text, size_t n,
                            const char *name) {
    NI_TRY(ni_enter(context));
    if (!out || (!text && n))
        return ni_fail(context, NAS_E_INVALID, "nas_tuning_parse: out and text must be given");
    reading r = {.name = name ? name : "tuning table"};
    NI_TRY(ni_tuning_create(&r.t, context));
    nas_status status = NAS_OK;
    size_t from = 0;
    for (; status >= 0 && from < n;) {
        const char *end = memchr(text + from, '\n', n - from);
        if (!end) break; /* every line ends: this one was cut off */
        status = read_line(&r, (words){text + from, end});
        from = (size_t)(end - text) + 1;
    }
    if (status >= 0 && r.line == 0) {
        r.line = 1;
        status = read_version(&r, (words){text, text + n});
    }
    if (status >= 0 && (!r.ended || from < n))
        status = ni_fail(context, NAS_E_CORRUPT,
                         "%.200s: the table was cut off after line %" PRIu64 ": measure it again",
                         r.name, r.line);
    if (status < 0)
        nas_tuning_free(r.t);
    else
        *out = r.t;
    return status;
}

nas_status nas_tuning_load(nas_tuning **out, nas_context *context, const char *path) {
    void *text;
    size_t n;
    NI_TRY(ni_enter(context));
    if (!out || !path || !*path)
        return ni_fail(context, NAS_E_INVALID, "nas_tuning_load: out and path must be given");
    NI_TRY(ni_file_read(context, path, LARGEST_FILE, &text, &n));
    nas_status status = nas_tuning_parse(out, context, text, n, path);
    ni_free(context, text);
    return status;
}
