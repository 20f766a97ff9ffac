/* Means with intervals, and tests. Random numbers come from streams of fixed seeds: the same runs
 * give the same text. */
#include <math.h>
#include <stdlib.h>
#include "compare.h"

enum { RESAMPLES = 2000, FLIPS = 9999 };

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

nas_status compare_mean_of(compare_mean *out, nas_context *context, const compare_runs *r,
                           const double *values, size_t entry, size_t point) {
    size_t n = r->plan->seeds;
    double *means = malloc((RESAMPLES + n) * sizeof *means), *x = means + RESAMPLES, sum = 0;
    nas_random *random;
    if (!means) return NAS_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        sum += x[i] = compare_at(r, values, entry, i, point);
    nas_status status = nas_random_create(&random, context, 1, point, "compare.bootstrap");
    for (int i = 0; status >= 0 && i < RESAMPLES; i++) {
        means[i] = 0;
        for (size_t j = 0; j < n; j++)
            means[i] += x[nas_random_below(random, n)] / (double)n;
    }
    if (status >= 0) {
        nas_random_free(random);
        qsort(means, RESAMPLES, sizeof *means, by_size);
        out->mean = sum / (double)n;
        out->low = isnan(out->mean) ? NAN : means[RESAMPLES / 40];
        out->high = isnan(out->mean) ? NAN : means[RESAMPLES - 1 - RESAMPLES / 40];
    }
    free(means);
    return status;
}

nas_status compare_paired(double *difference, double *p, nas_context *context,
                          const compare_runs *r, size_t entry, size_t other, size_t point) {
    size_t n = r->plan->seeds, beyond = 0;
    double *d = malloc(n * sizeof *d), sum = 0;
    nas_random *random;
    if (!d) return NAS_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        sum += d[i] =
            compare_at(r, r->test, entry, i, point) - compare_at(r, r->test, other, i, point);
    nas_status status = nas_random_create(&random, context, 2, point, "compare.paired");
    for (int i = 0; status >= 0 && i < FLIPS; i++) {
        double flipped = 0;
        uint64_t bits = 0;
        for (size_t j = 0; j < n; j++) {
            if (j % 64 == 0) bits = nas_random_u64(random);
            flipped += bits >> (j % 64) & 1 ? d[j] : -d[j];
        }
        /* sums of the same numbers in one order: what is equal differs in the last bits at most */
        beyond += fabs(flipped) >= fabs(sum) * (1 - 1e-12);
    }
    if (status >= 0) nas_random_free(random);
    *difference = sum / (double)n;
    *p = isnan(sum) ? NAN : (double)(beyond + 1) / (FLIPS + 1);
    free(d);
    return status;
}

void compare_holm(double *p, size_t n) {
    double floor_of = 0;
    bool done[256] = {false};
    for (size_t step = 0; step < n && n <= 256; step++) {
        size_t least = n;
        for (size_t i = 0; i < n; i++)
            if (!done[i] && !isnan(p[i]) && (least == n || p[i] < p[least])) least = i;
        if (least == n) return;
        double raised = p[least] * (double)(n - step);
        if (raised > 1) raised = 1;
        if (raised < floor_of) raised = floor_of;
        floor_of = p[least] = raised;
        done[least] = true;
    }
}
