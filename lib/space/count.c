/* Counting, enumerating and drawing, exactly. A decision depends on at most one alternative of one
 * earlier choice, so that decisions are a forest: how many assignments a tree has is the sum over
 * the root's alternatives of the product of the trees that hang on each. */
#include <math.h>
#include "internal.h"

/* Numbers of any length, base 10^9, lowest digits first; saturates (never, for what a file may ask
 * for: 4096 decisions of 2^32 values need fewer than 40,000 digits). */
enum { BIG_DIGITS = 4600 };
typedef struct {
    uint32_t n, digit[BIG_DIGITS];
} big;

static void big_set(big *b, uint64_t value) {
    b->n = 0;
    do {
        b->digit[b->n++] = (uint32_t)(value % 1000000000u);
        value /= 1000000000u;
    } while (value);
}

static void big_add(big *a, const big *b) {
    uint64_t carry = 0;
    for (uint32_t i = 0; i < b->n || i < a->n || carry; i++) {
        if (i >= BIG_DIGITS) return;
        carry += (i < a->n ? a->digit[i] : 0u) + (uint64_t)(i < b->n ? b->digit[i] : 0u);
        a->digit[i] = (uint32_t)(carry % 1000000000u);
        carry /= 1000000000u;
        if (i >= a->n) a->n = i + 1;
    }
}

static void big_multiply(big *a, const big *b, big *out) {
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < a->n; i++) {
        uint64_t carry = 0;
        for (uint32_t j = 0; j < b->n || carry; j++) {
            if (i + j >= BIG_DIGITS) break;
            uint64_t value =
                out->digit[i + j] + carry + (j < b->n ? (uint64_t)a->digit[i] * b->digit[j] : 0u);
            out->digit[i + j] = (uint32_t)(value % 1000000000u);
            carry = value / 1000000000u;
        }
    }
    out->n = a->n + b->n < BIG_DIGITS ? a->n + b->n : BIG_DIGITS;
    while (out->n > 1 && out->digit[out->n - 1] == 0)
        out->n--;
}

uint64_t ni_decision_choices(const ni_decision *d) {
    return d->about.kind == NAS_DECISION_REAL ? 1 : d->about.n_alternatives;
}

bool ni_condition_met(const nas_space *space, const nas_value *values, uint32_t d) {
    const nas_decision *about = &space->decisions.items[d].about;
    while (about->condition >= 0) {
        if (values[about->condition].integer != about->condition_alternative) return false;
        about = &space->decisions.items[about->condition].about;
    }
    return true;
}

static uint64_t multiply(uint64_t a, uint64_t b) {
    uint64_t product;
    return ni_mul_u64(a, b, &product) ? product : UINT64_MAX;
}

/* Product over what hangs on alternative k of d. */
static uint64_t hanging(const nas_space *s, uint32_t d, int64_t k) {
    uint64_t product = 1;
    for (uint32_t c = d + 1; c < s->decisions.items[d].dependents_end; c++) {
        const nas_decision *about = &s->decisions.items[c].about;
        if (about->condition == (int32_t)d && about->condition_alternative == k)
            product = multiply(product, s->subtree[c]);
    }
    return product;
}

double ni_space_hanging(const nas_space *s, uint32_t d, int64_t k) {
    double product = 1;
    for (uint32_t c = d + 1; c < s->decisions.items[d].dependents_end; c++) {
        const nas_decision *about = &s->decisions.items[c].about;
        if (about->condition == (int32_t)d && about->condition_alternative == k)
            product *= (double)s->subtree[c];
    }
    return product;
}

static bool has_dependents(const nas_space *s, uint32_t d) {
    return s->decisions.items[d].has_dependents;
}

nas_status ni_space_count_subtrees(nas_space *s) {
    s->subtree = ni_calloc(s->context, s->decisions.n, sizeof *s->subtree);
    if (!s->subtree) return NAS_E_MEMORY;
    s->count = 1;
    for (size_t c = 0; c < s->decisions.n; c++) {
        int32_t on = s->decisions.items[c].about.condition;
        if (on < 0) continue;
        s->decisions.items[on].has_dependents = true;
        s->decisions.items[on].dependents_end = (uint32_t)c + 1;
    }
    for (uint32_t d = (uint32_t)s->decisions.n; d-- > 0;) {
        const ni_decision *decision = &s->decisions.items[d];
        uint64_t sum = 0;
        if (!has_dependents(s, d)) {
            sum = ni_decision_choices(decision);
        } else {
            for (uint32_t k = 0; k < decision->about.n_alternatives; k++) {
                uint64_t part = hanging(s, d, k);
                sum = part > UINT64_MAX - sum ? UINT64_MAX : sum + part;
            }
        }
        s->subtree[d] = sum;
        if (decision->about.condition < 0) s->count = multiply(s->count, sum);
    }
    return NAS_OK;
}

/* The exact count of d's tree. scratch: two more. */
static nas_status big_subtree(const nas_space *s, uint32_t d, big *out) {
    const ni_decision *decision = &s->decisions.items[d];
    if (s->subtree[d] != UINT64_MAX) {
        big_set(out, s->subtree[d]);
        return NAS_OK;
    }
    big *work = ni_alloc(s->context, 3 * sizeof *work);
    if (!work) return NAS_E_MEMORY;
    nas_status status = NAS_OK;
    big_set(out, 0);
    for (uint32_t k = 0; status >= 0 && k < decision->about.n_alternatives; k++) {
        big_set(&work[0], 1);
        for (uint32_t c = d + 1; status >= 0 && c < decision->dependents_end; c++) {
            const nas_decision *about = &s->decisions.items[c].about;
            if (about->condition != (int32_t)d || about->condition_alternative != (int32_t)k)
                continue;
            status = big_subtree(s, c, &work[1]);
            big_multiply(&work[0], &work[1], &work[2]);
            work[0] = work[2];
        }
        big_add(out, &work[0]);
    }
    ni_free(s->context, work);
    return status;
}

static nas_status count_digits(const nas_space *s, char *digits, size_t capacity) {
    big *work = ni_alloc(s->context, 3 * sizeof *work);
    if (!work) return NAS_E_MEMORY;
    nas_status status = NAS_OK;
    big_set(&work[0], 1);
    for (uint32_t d = 0; status >= 0 && d < s->decisions.n; d++) {
        if (s->decisions.items[d].about.condition >= 0) continue;
        status = big_subtree(s, d, &work[1]);
        big_multiply(&work[0], &work[1], &work[2]);
        work[0] = work[2];
    }
    ni_text text;
    ni_text_init(&text, s->context);
    for (uint32_t i = work[0].n; i-- > 0;)
        ni_text_f(&text, i + 1 == work[0].n ? "%u" : "%09u", work[0].digit[i]);
    if (status >= 0) status = text.status;
    if (status >= 0)
        status = ni_copy_text(s->context, ni_text_get(&text), text.n, digits, capacity, NULL);
    ni_text_free(&text);
    ni_free(s->context, work);
    return status;
}

nas_status nas_space_count(const nas_space *space, uint64_t *count, char *digits, size_t capacity) {
    NI_TRY(ni_enter(space->context));
    NI_TRY(ni_space_finished(space));
    if (digits) NI_TRY(count_digits(space, digits, capacity));
    *count = space->count;
    if (space->count == UINT64_MAX)
        return ni_fail(space->context, NAS_E_LIMIT,
                       "%sspace '%s' has 2^64-1 architectures or more, too many for a number of 64 "
                       "bits: ask for the digits",
                       space->place, space->name);
    return NAS_OK;
}

/* ---- enumeration: mixed radix over the forest
 * ---------------------------------------------------- */

static void assign(const nas_space *s, uint32_t d, uint64_t index, nas_value *values) {
    const ni_decision *decision = &s->decisions.items[d];
    const nas_decision *a = &decision->about;
    if (a->kind == NAS_DECISION_REAL) {
        values[d].real = a->log_scale ? exp((log(a->real_low) + log(a->real_high)) / 2)
                                      : (a->real_low + a->real_high) / 2;
        return;
    }
    if (!has_dependents(s, d)) {
        values[d].integer =
            a->kind == NAS_DECISION_INTEGER ? a->low + (int64_t)index * a->step : (int64_t)index;
        return;
    }
    uint32_t k = 0;
    for (;; k++) {
        uint64_t part = hanging(s, d, k);
        if (index < part || k + 1 == a->n_alternatives) break;
        index -= part;
    }
    values[d].integer = k;
    for (uint32_t c = d + 1; c < s->decisions.items[d].dependents_end; c++) {
        const nas_decision *about = &s->decisions.items[c].about;
        if (about->condition != (int32_t)d || about->condition_alternative != (int32_t)k) continue;
        assign(s, c, index % s->subtree[c], values);
        index /= s->subtree[c];
    }
}

void ni_space_assignment(const nas_space *s, uint64_t index, nas_value *values) {
    memset(values, 0, s->decisions.n * sizeof *values);
    for (uint32_t d = (uint32_t)s->decisions.n; d-- > 0;) {
        if (s->decisions.items[d].about.condition >= 0) continue;
        assign(s, d, index % s->subtree[d], values);
        index /= s->subtree[d];
    }
}

/* ---- drawing
 * ----------------------------------------------------------------------------------------- */

/* One that nothing hangs on, and not real: most are. */
static inline bool is_plain(const ni_decision *decision) {
    return decision->about.kind != NAS_DECISION_REAL && !decision->has_dependents;
}
static inline void draw_plain(const ni_decision *decision, nas_random *random, nas_value *value) {
    const nas_decision *a = &decision->about;
    int64_t k = (int64_t)ni_random_below_by(random, a->n_alternatives, decision->reciprocal);
    value->integer = a->kind == NAS_DECISION_INTEGER ? a->low + k * a->step : k;
}

static void draw_own(const nas_space *s, nas_random *random, uint32_t d, nas_value *value) {
    const nas_decision *a = &s->decisions.items[d].about;
    if (a->kind == NAS_DECISION_REAL) {
        double u = nas_random_uniform(random);
        value->real = a->log_scale
                          ? exp(log(a->real_low) + u * (log(a->real_high) - log(a->real_low)))
                          : a->real_low + u * (a->real_high - a->real_low);
        if (value->real < a->real_low) value->real = a->real_low;
        if (value->real > a->real_high) value->real = a->real_high;
        return;
    }
    if (!has_dependents(s, d)) {
        draw_plain(&s->decisions.items[d], random, value);
        return;
    }
    if (s->subtree[d] != UINT64_MAX) {
        uint64_t r = nas_random_below(random, s->subtree[d]);
        uint32_t k = 0;
        for (; k + 1 < a->n_alternatives; k++) {
            uint64_t part = hanging(s, d, k);
            if (r < part) break;
            r -= part;
        }
        value->integer = k;
        return;
    }
    /* Past 2^64: by the logarithms of what hangs on each alternative. */
    double most = 0, sum = 0, u;
    for (int pass = 0; pass < 3; pass++) {
        double limit = pass == 2 ? nas_random_uniform(random) * sum : 0;
        for (uint32_t k = 0; k < a->n_alternatives; k++) {
            double logarithm = 0;
            for (uint32_t c = d + 1; c < s->decisions.items[d].dependents_end; c++) {
                const nas_decision *about = &s->decisions.items[c].about;
                if (about->condition == (int32_t)d && about->condition_alternative == (int32_t)k)
                    logarithm += log((double)s->subtree[c]);
            }
            u = pass == 0 ? 0 : exp(logarithm - most);
            if (pass == 0 && logarithm > most) most = logarithm;
            if (pass == 1) sum += u;
            if (pass == 2) {
                value->integer = k;
                if (limit < u) return;
                limit -= u;
            }
        }
    }
}

void ni_space_draw_dependents(const nas_space *s, nas_random *random, uint32_t d,
                              nas_value *values) {
    if (!has_dependents(s, d)) return;
    for (uint32_t c = d + 1; c < s->decisions.items[d].dependents_end; c++) {
        const nas_decision *about = &s->decisions.items[c].about;
        if (about->condition == (int32_t)d &&
            about->condition_alternative == (int32_t)values[d].integer)
            ni_space_draw_subtree(s, random, c, values);
    }
}

void ni_space_draw_subtree(const nas_space *s, nas_random *random, uint32_t d, nas_value *values) {
    if (is_plain(&s->decisions.items[d])) {
        draw_plain(&s->decisions.items[d], random, &values[d]);
        return;
    }
    draw_own(s, random, d, &values[d]);
    ni_space_draw_dependents(s, random, d, values);
}

void ni_space_draw(const nas_space *s, nas_random *random, nas_value *values) {
    if (s->plain) {
        for (uint32_t d = 0; d < s->decisions.n; d++) {
            const ni_plain *plain = &s->plain[d];
            int64_t k = (int64_t)ni_random_below_by(random, plain->n, plain->reciprocal);
            values[d] = (nas_value){plain->low + k * plain->step, 0};
        }
        return;
    }
    memset(values, 0, s->decisions.n * sizeof *values);
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        const ni_decision *decision = &s->decisions.items[d];
        if (decision->about.condition >= 0) continue;
        if (is_plain(decision))
            draw_plain(decision, random, &values[d]);
        else
            ni_space_draw_subtree(s, random, d, values);
    }
}
