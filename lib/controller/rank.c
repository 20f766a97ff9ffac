/* Rank correlation (Spearman, "The proof and measurement of association between two things", 1904)
 * and what a controller keeps to tell how far the ranks of one rung hold at the next. */
#include "bands.h"
#include <math.h>

/* Mean ranks, twice, so that they are whole: rank of i = 1 + less + (equal - 1) / 2. Sorted by
 * heap: no memory beside the order. */
static void sift(uint32_t *order, const double *of, size_t from, size_t n) {
    for (size_t child; (child = 2 * from + 1) < n; from = child) {
        if (child + 1 < n && of[order[child]] < of[order[child + 1]]) child++;
        if (of[order[from]] >= of[order[child]]) return;
        uint32_t t = order[from];
        order[from] = order[child];
        order[child] = t;
    }
}

static void ranks(const double *of, size_t n, uint32_t *order, double *out) {
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n / 2; i-- > 0;)
        sift(order, of, i, n);
    for (size_t end = n; end-- > 1;) {
        uint32_t t = order[0];
        order[0] = order[end];
        order[end] = t;
        sift(order, of, 0, end);
    }
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && of[order[to]] == of[order[from]];)
            to++;
        for (size_t i = from; i < to; i++)
            out[order[i]] = (double)(from + to - 1); /* twice the mean of from .. to-1 */
    }
}

nas_status ni_spearman(nas_context *context, const double *a, const double *b, size_t n,
                       double *out) {
    *out = NAN;
    if (n < 2) return NAS_OK;
    if (n > UINT32_MAX) return ni_fail(context, NAS_E_LIMIT, "too many ranks");
    uint32_t *order = ni_calloc(context, n, sizeof *order);
    double *ra = ni_calloc(context, 2 * n, sizeof *ra), *rb = ra ? ra + n : NULL;
    nas_status status = order && ra ? NAS_OK : NAS_E_MEMORY;
    if (status >= 0) {
        double mean = (double)(n - 1), ab = 0, aa = 0, bb = 0; /* of twice the ranks from 0 */
        ranks(a, n, order, ra);
        ranks(b, n, order, rb);
        for (size_t i = 0; i < n; i++) {
            ab += (ra[i] - mean) * (rb[i] - mean);
            aa += (ra[i] - mean) * (ra[i] - mean);
            bb += (rb[i] - mean) * (rb[i] - mean);
        }
        if (aa > 0 && bb > 0) *out = ab / sqrt(aa * bb);
    }
    ni_free(context, order);
    ni_free(context, ra);
    return status;
}

/* ---- pairs of scores at adjacent rungs
 * ---------------------------------------------------------- */

nas_status ni_rung_pairs_add(ni_rung_pairs *to, double low, double high, double before,
                             double after) {
    ni_rung_pair pair = {low, high, before, after};
    return NI_PUSH(to->context, &to->pairs, pair);
}

nas_status ni_rung_pairs_save(const ni_rung_pairs *pairs, nas_writer *to) {
    NI_TRY(nas_write_u64(to, pairs->pairs.n));
    for (size_t i = 0; i < pairs->pairs.n; i++) {
        const ni_rung_pair *p = &pairs->pairs.items[i];
        NI_TRY(nas_write_f64(to, p->low));
        NI_TRY(nas_write_f64(to, p->high));
        NI_TRY(nas_write_f64(to, p->before));
        NI_TRY(nas_write_f64(to, p->after));
    }
    return NAS_OK;
}

nas_status ni_rung_pairs_load(ni_rung_pairs *pairs, nas_reader *from) {
    uint64_t n;
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        ni_rung_pair p;
        NI_TRY(nas_read_f64(from, &p.low));
        NI_TRY(nas_read_f64(from, &p.high));
        NI_TRY(nas_read_f64(from, &p.before));
        NI_TRY(nas_read_f64(from, &p.after));
        NI_TRY(NI_PUSH(pairs->context, &pairs->pairs, p));
    }
    return NAS_OK;
}

nas_status ni_rung_pairs_describe(const ni_rung_pairs *pairs, ni_text *to) {
    nas_context *context = pairs->context;
    size_t n = pairs->pairs.n;
    double *before = ni_calloc(context, 2 * n + 1, sizeof *before), last = 0;
    if (before == NULL) return NAS_E_MEMORY;
    double *after = before + n;
    nas_status status = NAS_OK;
    while (status >= 0) {
        const ni_rung_pair *next = NULL; /* the lowest rung that was not told of yet */
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            const ni_rung_pair *p = &pairs->pairs.items[i];
            if (p->low > last && (next == NULL || p->low < next->low)) next = p;
        }
        if (next == NULL) break;
        for (size_t i = 0; i < n; i++)
            if (pairs->pairs.items[i].low == next->low) {
                before[m] = pairs->pairs.items[i].before;
                after[m++] = pairs->pairs.items[i].after;
            }
        double rho;
        status = ni_spearman(context, before, after, m, &rho);
        ni_text_f64(to, round(next->low * 1000) / 1000);
        ni_text_add(to, " to ");
        ni_text_f64(to, round(next->high * 1000) / 1000);
        ni_text_add(to, " epochs: rank correlation ");
        if (isnan(rho))
            ni_text_add(to, "not known");
        else
            ni_text_fixed(to, rho, 3);
        ni_text_f(to, " over %zu promoted\n", m);
        last = next->low;
    }
    ni_free(context, before);
    return status;
}

void ni_rung_pairs_free(ni_rung_pairs *pairs) {
    if (pairs->context) NI_ARRAY_FREE(pairs->context, &pairs->pairs);
}
