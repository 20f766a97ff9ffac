/* A recorded trial in as few bytes as it needs: a search of millions keeps all of them in memory.
 *
 * A row is a run of bytes: flags that say what is there, and then that. What is as it mostly is
 * (one turn, asked when all before it were told; complete; the score is the first metric) takes a
 * flag; whole numbers are seven bits a byte; texts are words (words.c); the names of the metrics
 * are one word for all of them together; an architecture of the search's space is its packed
 * decisions, and its text is made when it is asked for; in a note, the number of the parent is left
 * out, so that notes repeat.
 *
 * Rows lie one after the other in pages, whose bytes never move: a reader needs no lock once it has
 * the row's place. */
#include "parts.h"
#include <math.h>

enum {
    ARCH_PACKED = 1,
    NETWORK = 2,
    REUSE = 4,
    TURNS = 8, /* not one turn, or not asked in order */
    PARENT = 16,
    GENERATION = 32,
    SECONDS = 64,
    NOTE = 128,
    NOTE_PARENT = 256, /* its mark stands for the parent's number */
    METRICS = 512,
    SCORE = 1024, /* it is not the first metric */
    EPOCHS = 2048,
    EVALUATOR = 4096,
    REUSE_PLAIN = 8192, /* the key is what network and evaluator alone make of it */
    /* Rare ones: a third byte of flags. */
    FROM = 1 << 14,
    SENTENCE = 1 << 15,
    CURVES = 1 << 16,
    GRADIENT = 1 << 17,
    ARCH_WORD = 1 << 18,
    ARCH_HASH = 1 << 19,
    STATE = 1 << 20 /* not complete and evaluated */
};
enum { FIXED_MOST = 256, UNIT = 4 };
#define MARK '\1' /* no note of a proposal has it */

/* ---- bytes
 * ------------------------------------------------------------------------------------------------
 */

static unsigned char *put_u64(unsigned char *to, uint64_t value) {
    for (; value >= 128; value >>= 7)
        *to++ = (unsigned char)(value | 128);
    *to++ = (unsigned char)value;
    return to;
}
static unsigned char *put_8(unsigned char *to, const void *value) {
    memcpy(to, value, 8);
    return to + 8;
}
static uint64_t get_u64(const unsigned char **at) {
    uint64_t value = 0;
    unsigned shift = 0;
    do
        value |= (uint64_t)(**at & 127) << shift, shift += 7;
    while (*(*at)++ & 128);
    return value;
}
static void get_8(const unsigned char **at, void *value) {
    memcpy(value, *at, 8);
    *at += 8;
}
/* Differences of either sign, small ones in few bytes. */
static uint64_t fold(uint64_t a, uint64_t b) {
    uint64_t d = a - b;
    return d >> 63 ? ~(d << 1) : d << 1;
}
static uint64_t unfold(uint64_t f, uint64_t b) {
    return b + (f & 1 ? ~(f >> 1) : f >> 1);
}
/* Whole numbers as such. */
static unsigned char *put_f64(unsigned char *to, double value) {
    if (value >= 0 && value < 0x1p40 && value == (double)(uint64_t)value && !signbit(value))
        return put_u64(to, (uint64_t)value << 1);
    *to++ = 1;
    return put_8(to, &value);
}
static double get_f64(const unsigned char **at) {
    double value;
    if (**at != 1) return (double)(get_u64(at) >> 1);
    ++*at;
    get_8(at, &value);
    return value;
}

/* Whole nanoseconds, which is what clocks give, as such. */
static unsigned char *put_seconds(unsigned char *to, double value) {
    double whole = nearbyint(value * 1e9);
    if (whole >= 0 && whole < 0x1p62 && whole / 1e9 == value)
        return put_u64(to, (uint64_t)whole << 1);
    *to++ = 1;
    return put_8(to, &value);
}
static double get_seconds(const unsigned char **at) {
    double value;
    if (**at != 1) return (double)(get_u64(at) >> 1) / 1e9;
    ++*at;
    get_8(at, &value);
    return value;
}

/* ---- notes
 * ------------------------------------------------------------------------------------------------
 */

/* The number of a parent as people count. */
static size_t number_text(char digits[24], uint64_t trial) {
    char turned[24];
    size_t n = 0;
    uint64_t value = trial + 1;
    do
        turned[n++] = (char)('0' + value % 10);
    while (value /= 10);
    for (size_t i = 0; i < n; i++)
        digits[i] = turned[n - 1 - i];
    digits[n] = 0;
    return n;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The note with the mark in the place of the parent's number; false: the number is not in it, or
 * the mark is. A number is a run of digits without a 0 before it. */
static bool mark_parent(const char *note, uint64_t parent, char *out, size_t capacity) {
    enum { DIGITS_MOST = 19 };
    const size_t length = strlen(note);
    if (length >= capacity || memchr(note, MARK, length)) return false;
    for (size_t at = 0, end; at < length; at = end) {
        uint64_t value = 0;
        for (end = at; is_digit(note[end]) && end - at < DIGITS_MOST; end++)
            value = 10 * value + (uint64_t)(note[end] - '0');
        if (end == at) {
            end = at + 1;
            continue;
        }
        bool whole = !is_digit(note[end]);
        while (is_digit(note[end]))
            end++;
        if (!whole || value != parent + 1 || note[at] == '0') continue;
        memcpy(out, note, at);
        out[at] = MARK;
        memcpy(out + at + 1, note + end, length - end + 1);
        return true;
    }
    return false;
}

nas_status ni_row_note(const ni_rows *rows, const ni_row *row, ni_text *to) {
    const char *note = ni_word_text(&rows->words, row->note_word);
    const char *mark = row->note_parent ? strchr(note, MARK) : NULL;
    char digits[24];
    if (mark == NULL) {
        ni_text_add(to, note);
        return to->status;
    }
    ni_text_add_n(to, note, (size_t)(mark - note));
    ni_text_add_n(to, digits, number_text(digits, row->row.parent));
    ni_text_add(to, mark + 1);
    return to->status;
}

/* ---- life
 * -------------------------------------------------------------------------------------------------
 */

nas_status ni_rows_init(ni_rows *rows, nas_context *context) {
    memset(rows, 0, sizeof *rows);
    rows->context = context;
    return ni_words_init(&rows->words, context);
}

void ni_rows_free(ni_rows *rows) {
    if (rows->context == NULL) return;
    for (size_t i = 0; i < rows->pages.n; i++)
        ni_free(rows->context, rows->pages.items[i].bytes);
    NI_ARRAY_FREE(rows->context, &rows->pages);
    for (size_t i = 0; i < rows->headings.n; i++)
        ni_free(rows->context, rows->headings.items[i].names);
    NI_ARRAY_FREE(rows->context, &rows->headings);
    NI_ARRAY_FREE(rows->context, &rows->at);
    ni_map_free(rows->heading_of);
    ni_words_free(&rows->words);
    if (rows->space) ni_space_release(rows->space);
    memset(rows, 0, sizeof *rows);
}

/* ---- the names of the metrics
 * ----------------------------------------------------------------------------- */

static bool same_names(const ni_rows *rows, const ni_heading *heading, const nas_result *result,
                       uint32_t n) {
    if (heading->n != n) return false;
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(ni_word_text(&rows->words, heading->names[i]),
                   nas_result_metric_at(result, i, NULL)) != 0)
            return false;
    return true;
}

static nas_status find_heading(ni_rows *rows, const nas_result *result, uint32_t n, uint32_t *out) {
    uint64_t key = n, at;
    if (rows->headings.n > 0 &&
        same_names(rows, &rows->headings.items[rows->last_heading], result, n))
        return *out = rows->last_heading, NAS_OK;
    if (rows->heading_of == NULL) NI_TRY(ni_map_create(&rows->heading_of, rows->context));
    for (uint32_t i = 0; i < n; i++) {
        const char *name = nas_result_metric_at(result, i, NULL);
        key = ni_hash_seeded(name, strlen(name), key);
    }
    if (!ni_map_get(rows->heading_of, key, &at) ||
        !same_names(rows, &rows->headings.items[at], result, n)) {
        ni_heading heading = {ni_calloc(rows->context, n, sizeof *heading.names), n};
        nas_status status = heading.names ? NAS_OK : NAS_E_MEMORY;
        for (uint32_t i = 0; status >= 0 && i < n; i++)
            status =
                ni_word(&rows->words, nas_result_metric_at(result, i, NULL), &heading.names[i]);
        if (status >= 0) status = ni_map_put(rows->heading_of, key, rows->headings.n);
        if (status >= 0) status = NI_PUSH(rows->context, &rows->headings, heading);
        if (status < 0) {
            (void)ni_map_remove(rows->heading_of, key);
            ni_free(rows->context, heading.names);
            return status;
        }
        at = rows->headings.n - 1;
    }
    *out = rows->last_heading = (uint32_t)at;
    return NAS_OK;
}

/* ---- writing
 * ---------------------------------------------------------------------------------------------- */

/* Room for `bytes` more in the last page, or in a new one. */
static nas_status make_page(ni_rows *rows, size_t bytes) {
    ni_page *last = rows->pages.n ? &rows->pages.items[rows->pages.n - 1] : NULL;
    if (last && last->used < NI_PAGE && last->size - last->used >= bytes) return NAS_OK;
    ni_page page = {NULL, 0, rows->pages.n ? NI_PAGE : NI_PAGE / 16};
    if (page.size < bytes) page.size = bytes;
    if (rows->pages.n >= UINT32_MAX / (NI_PAGE / UNIT) - 1)
        return ni_fail(rows->context, NAS_E_LIMIT, "the store's trials take more than 16 GiB");
    page.bytes = ni_alloc(rows->context, page.size);
    if (page.bytes == NULL) return NAS_E_MEMORY;
    nas_status status = NI_PUSH(rows->context, &rows->pages, page);
    if (status < 0) ni_free(rows->context, page.bytes);
    return status;
}

static nas_status count_bytes(nas_context *context, const nas_result *result, uint32_t *n_metrics,
                              size_t *bytes) {
    size_t n_gradient;
    const char *name;
    (void)nas_result_gradient(result, &n_gradient);
    while (nas_result_metric_at(result, *n_metrics, NULL))
        ++*n_metrics;
    *bytes = FIXED_MOST + 8 * (size_t)*n_metrics + 8 * n_gradient;
    for (uint32_t i = 0; (name = nas_result_curve_at(result, i)); i++)
        if (!ni_add_size(*bytes, 16 + 16 * (size_t)nas_result_points(result, name), bytes))
            return ni_fail_memory(context, SIZE_MAX);
    return NAS_OK;
}

static nas_status put_curves(ni_rows *rows, const nas_result *result, unsigned char **to) {
    const char *name;
    uint32_t n = 0, word;
    while (nas_result_curve_at(result, n))
        n++;
    *to = put_u64(*to, n);
    for (uint32_t i = 0; i < n; i++) {
        name = nas_result_curve_at(result, i);
        uint32_t points = nas_result_points(result, name);
        NI_TRY(ni_word(&rows->words, name, &word));
        *to = put_u64(*to, word);
        *to = put_u64(*to, points);
        for (uint32_t p = 0; p < points; p++) {
            double xy[2] = {0, 0};
            (void)nas_result_point(result, name, p, &xy[0], &xy[1]);
            *to = put_8(*to, &xy[0]);
            *to = put_8(*to, &xy[1]);
        }
    }
    return NAS_OK;
}

typedef struct {
    uint32_t flags, arch, note, sentence, evaluator, heading, n_metrics;
    uint64_t arch_hash;
    size_t packed;
} ni_plan;

static nas_status plan_texts(ni_rows *rows, const ni_trial_row *r, ni_plan *plan) {
    char marked[512];
    const char *note = r->note;
    if (r->design && rows->space == NULL) {
        rows->space = nas_arch_space(r->design);
        ni_space_hold(rows->space);
    }
    if (r->design && nas_arch_space(r->design) == rows->space) {
        plan->packed = ni_arch_packed(r->design);
        plan->flags |= ARCH_PACKED;
    } else {
        const char *text = r->design ? nas_arch_text(r->design) : r->arch;
        plan->arch_hash = r->design ? nas_arch_hash(r->design) : r->arch_hash;
        NI_TRY(ni_word(&rows->words, text, &plan->arch));
        if (plan->arch) plan->flags |= ARCH_WORD;
        if (plan->arch_hash) plan->flags |= ARCH_HASH;
    }
    if (note && note[0] && r->parent != NAS_TRIAL_NONE &&
        mark_parent(note, r->parent, marked, sizeof marked)) {
        plan->flags |= NOTE_PARENT;
        note = marked;
    }
    NI_TRY(ni_word(&rows->words, note, &plan->note));
    NI_TRY(ni_word(&rows->words, r->sentence, &plan->sentence));
    NI_TRY(ni_word(&rows->words, r->evaluator, &plan->evaluator));
    if (plan->note) plan->flags |= NOTE;
    if (plan->sentence) plan->flags |= SENTENCE;
    if (plan->evaluator) plan->flags |= EVALUATOR;
    return NAS_OK;
}

static void plan_numbers(const ni_trial_row *r, const nas_result *result, ni_plan *plan) {
    size_t n_gradient;
    double first;
    const uint64_t none = NAS_TRIAL_NONE;
    bool has_first = nas_result_metric_at(result, 0, &first) != NULL;
    (void)nas_result_gradient(result, &n_gradient);
    if (r->network_hash) plan->flags |= NETWORK;
    if (r->reuse_key && r->reuse_key == ni_reuse_key(r->network_hash, 0, r->evaluator, 0))
        plan->flags |= REUSE_PLAIN;
    else if (r->reuse_key)
        plan->flags |= REUSE;
    if (r->first_turn != r->number || r->turns != 1 || r->seen != r->number ||
        r->arrival != r->number)
        plan->flags |= TURNS;
    if (r->parent != none) plan->flags |= PARENT;
    if (r->from != none) plan->flags |= FROM;
    if (r->generation) plan->flags |= GENERATION;
    if (r->seconds != 0) plan->flags |= SECONDS;
    if (r->epochs != 0 || r->total_epochs != 0) plan->flags |= EPOCHS;
    if (r->state != 0 || r->reason != 0 || r->evaluated != 1) plan->flags |= STATE;
    if (!has_first || memcmp(&first, &r->score, sizeof first) != 0) plan->flags |= SCORE;
    if (has_first) plan->flags |= METRICS;
    if (nas_result_curve_at(result, 0)) plan->flags |= CURVES;
    if (n_gradient) plan->flags |= GRADIENT;
}

nas_status ni_rows_put(ni_rows *rows, const ni_trial_row *r, const nas_result *result,
                       uint32_t *place) {
    ni_plan plan = {0};
    size_t bytes, n_gradient;
    double value;
    NI_TRY(count_bytes(rows->context, result, &plan.n_metrics, &bytes));
    NI_TRY(plan_texts(rows, r, &plan));
    plan_numbers(r, result, &plan);
    if (plan.n_metrics) NI_TRY(find_heading(rows, result, plan.n_metrics, &plan.heading));
    NI_TRY(make_page(rows, bytes + plan.packed));
    ni_page *page = &rows->pages.items[rows->pages.n - 1];
    unsigned char *to = page->bytes + page->used;
    uint32_t flags = plan.flags;
    to = put_u64(to, flags);
    if (flags & NETWORK) to = put_8(to, &r->network_hash);
    if (flags & REUSE) to = put_8(to, &r->reuse_key);
    if (flags & TURNS) {
        to = put_u64(to, fold(r->first_turn, r->number));
        to = put_u64(to, r->turns);
        to = put_u64(to, fold(r->seen, r->number));
        to = put_u64(to, fold(r->arrival, r->number));
    }
    if (flags & PARENT) to = put_u64(to, fold(r->number, r->parent));
    if (flags & FROM) to = put_u64(to, fold(r->number, r->from));
    if (flags & GENERATION) to = put_u64(to, r->generation);
    if (flags & STATE) {
        *to++ = (unsigned char)r->state;
        *to++ = (unsigned char)r->reason;
        *to++ = (unsigned char)(r->evaluated != 0);
    }
    if (flags & SECONDS) to = put_seconds(to, r->seconds);
    if (flags & EPOCHS) {
        to = put_f64(to, r->epochs);
        to = put_f64(to, r->total_epochs);
    }
    if (flags & NOTE) to = put_u64(to, plan.note);
    if (flags & EVALUATOR) to = put_u64(to, plan.evaluator);
    if (flags & SENTENCE) to = put_u64(to, plan.sentence);
    if (flags & ARCH_PACKED) {
        to = put_u64(to, plan.packed);
        ni_arch_pack(r->design, to);
        to += plan.packed;
    }
    if (flags & ARCH_WORD) to = put_u64(to, plan.arch);
    if (flags & ARCH_HASH) to = put_8(to, &plan.arch_hash);
    if (flags & SCORE) to = put_8(to, &r->score);
    if (flags & METRICS) {
        to = put_u64(to, plan.heading);
        for (uint32_t i = 0; i < plan.n_metrics; i++) {
            (void)nas_result_metric_at(result, i, &value);
            to = put_8(to, &value);
        }
    }
    if (flags & GRADIENT) {
        const double *gradient = nas_result_gradient(result, &n_gradient);
        to = put_u64(to, n_gradient);
        memcpy(to, gradient, n_gradient * sizeof *gradient);
        to += n_gradient * sizeof *gradient;
    }
    if (flags & CURVES) NI_TRY(put_curves(rows, result, &to));
    *place = (uint32_t)((rows->pages.n - 1) * (NI_PAGE / UNIT) + page->used / UNIT + 1);
    page->used = ((size_t)(to - page->bytes) + UNIT - 1) / UNIT * UNIT;
    return NAS_OK;
}

ni_rows_mark ni_rows_now(const ni_rows *rows) {
    size_t n = rows->pages.n;
    return (ni_rows_mark){n, n ? rows->pages.items[n - 1].used : 0};
}

void ni_rows_back(ni_rows *rows, ni_rows_mark mark) {
    while (rows->pages.n > mark.pages)
        ni_free(rows->context, rows->pages.items[--rows->pages.n].bytes);
    if (mark.pages) rows->pages.items[mark.pages - 1].used = mark.used;
}

/* ---- reading
 * ---------------------------------------------------------------------------------------------- */

const unsigned char *ni_rows_place(const ni_rows *rows, uint64_t number) {
    uint32_t place = number < rows->at.n ? rows->at.items[number] : 0;
    if (place == 0) return NULL;
    place--;
    return rows->pages.items[place / (NI_PAGE / UNIT)].bytes +
           (size_t)(place % (NI_PAGE / UNIT)) * UNIT;
}

void ni_rows_read(const ni_rows *rows, uint64_t number, const unsigned char *at, ni_row *out) {
    uint64_t flags = get_u64(&at);
    ni_trial_row *r = &out->row;
    memset(out, 0, sizeof *out);
    r->number = r->first_turn = r->seen = r->arrival = number;
    r->turns = 1;
    r->parent = r->from = NAS_TRIAL_NONE;
    r->evaluated = 1;
    r->sentence = r->evaluator = "";
    if (flags & NETWORK) get_8(&at, &r->network_hash);
    if (flags & REUSE) get_8(&at, &r->reuse_key);
    if (flags & TURNS) {
        r->first_turn = unfold(get_u64(&at), number);
        r->turns = get_u64(&at);
        r->seen = unfold(get_u64(&at), number);
        r->arrival = unfold(get_u64(&at), number);
    }
    if (flags & PARENT) r->parent = number - unfold(get_u64(&at), 0);
    if (flags & FROM) r->from = number - unfold(get_u64(&at), 0);
    if (flags & GENERATION) r->generation = get_u64(&at);
    if (flags & STATE) {
        r->state = at[0];
        r->reason = at[1];
        r->evaluated = at[2];
        at += 3;
    }
    if (flags & SECONDS) r->seconds = get_seconds(&at);
    if (flags & EPOCHS) {
        r->epochs = get_f64(&at);
        r->total_epochs = get_f64(&at);
    }
    if (flags & NOTE) out->note_word = (uint32_t)get_u64(&at);
    out->note_parent = (flags & NOTE_PARENT) != 0;
    if (flags & EVALUATOR) r->evaluator = ni_word_text(&rows->words, (uint32_t)get_u64(&at));
    if (flags & REUSE_PLAIN) r->reuse_key = ni_reuse_key(r->network_hash, 0, r->evaluator, 0);
    if (flags & SENTENCE) r->sentence = ni_word_text(&rows->words, (uint32_t)get_u64(&at));
    if (flags & ARCH_PACKED) {
        out->n_packed = (size_t)get_u64(&at);
        out->packed = at;
        at += out->n_packed;
    }
    if (flags & ARCH_WORD) out->arch_word = (uint32_t)get_u64(&at);
    if (flags & ARCH_HASH) get_8(&at, &r->arch_hash);
    if (flags & SCORE) get_8(&at, &r->score);
    if (flags & METRICS) {
        out->heading = &rows->headings.items[get_u64(&at)];
        out->metrics = at;
        if (!(flags & SCORE)) memcpy(&r->score, at, sizeof r->score);
        at += 8 * (size_t)out->heading->n;
    }
    if (flags & GRADIENT) {
        out->n_gradient = (size_t)get_u64(&at);
        out->gradient = at;
        at += 8 * out->n_gradient;
    }
    if (flags & CURVES) {
        out->n_curves = (uint32_t)get_u64(&at);
        out->curves = at;
    }
    r->has_arch = (flags & (ARCH_PACKED | ARCH_WORD)) != 0;
    r->has_note = (flags & NOTE) != 0;
}

void ni_rows_hashes(const ni_rows *rows, const unsigned char *at, uint64_t *network,
                    uint64_t *reuse) {
    const unsigned char *from = at;
    uint64_t flags = get_u64(&at);
    if (flags & NETWORK) get_8(&at, network);
    if (reuse == NULL) return;
    if (flags & REUSE) get_8(&at, reuse);
    if (!(flags & REUSE_PLAIN)) return;
    if (flags & EVALUATOR) { /* its name comes later in the row */
        ni_row row;
        ni_rows_read(rows, 0, from, &row);
        *reuse = row.row.reuse_key;
    } else {
        *reuse = ni_reuse_key(*network, 0, "", 0);
    }
}

const char *ni_row_metric(const ni_rows *rows, const ni_row *row, uint32_t index, double *value) {
    if (row->heading == NULL || index >= row->heading->n) return NULL;
    if (value) memcpy(value, row->metrics + 8 * (size_t)index, sizeof *value);
    return ni_word_text(&rows->words, row->heading->names[index]);
}

const char *ni_row_curve(const ni_rows *rows, const ni_row *row, uint32_t index, size_t *n,
                         const unsigned char **xy) {
    const unsigned char *at = row->curves;
    const char *name = NULL;
    if (index >= row->n_curves) return NULL;
    for (uint32_t i = 0; i <= index; i++) {
        name = ni_word_text(&rows->words, (uint32_t)get_u64(&at));
        *n = (size_t)get_u64(&at);
        *xy = at;
        at += 16 * *n;
    }
    return name;
}
