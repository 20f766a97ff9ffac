/* Kernel densities of mixed vectors, and proposals from them.
 *
 * Falkner et al., "BOHB: robust and efficient hyperparameter optimization at scale", ICML 2018,
 * section 3.2, with the density of its code: the product kernel of statsmodels' KDEMultivariate,
 * Gaussian for what is continuous and Aitchison and Aitken's ("Multivariate binary discrimination
 * by the kernel method", Biometrika 1976) for categories, bandwidths by the normal reference rule
 * 1.06 s n^(-1/(4+d)), s the population's deviation, of the codes where they are categories.
 *
 * As there, a category's mass is spread over the levels that the rows have, not over those that the
 * space has. Where the rows have one level alone, any other gets an infinite density; where codes
 * are spread so wide that the bandwidth passes 1, the density may be negative. Proposals are ranked
 * with floors of 1e-32 for that reason, and by the rules below where a ratio is not finite. */
#include "bands.h"
#include <math.h>

nas_status ni_density_create(ni_density *out, nas_context *context, const double *rows, uint32_t n,
                             uint32_t d, const uint32_t *levels, double min_bandwidth) {
    memset(out, 0, sizeof *out);
    out->context = context;
    out->n = n;
    out->d = d;
    out->rows = rows;
    out->levels = levels;
    out->bandwidths = ni_calloc(context, d, sizeof *out->bandwidths);
    out->distinct = ni_calloc(context, d, sizeof *out->distinct);
    if (out->bandwidths == NULL || out->distinct == NULL) {
        ni_density_free(out);
        return NAS_E_MEMORY;
    }
    double narrower = pow(n, -1.0 / (4 + d));
    for (uint32_t j = 0; j < d; j++) {
        double mean = 0, square = 0;
        for (uint32_t i = 0; i < n; i++)
            mean += rows[(size_t)i * d + j];
        mean /= n;
        for (uint32_t i = 0; i < n; i++) {
            double off = rows[(size_t)i * d + j] - mean;
            square += off * off;
        }
        for (uint32_t c = 0; c < levels[j]; c++)
            for (uint32_t i = 0; i < n; i++)
                if (rows[(size_t)i * d + j] == c) {
                    out->distinct[j]++;
                    break;
                }
        double h = 1.06 * sqrt(square / n) * narrower;
        out->bandwidths[j] = h < min_bandwidth ? min_bandwidth : h;
    }
    return NAS_OK;
}

void ni_density_free(ni_density *density) {
    if (density->context == NULL) return;
    ni_free(density->context, density->bandwidths);
    ni_free(density->context, density->distinct);
    density->bandwidths = NULL;
    density->distinct = NULL;
}

double ni_density_pdf(const ni_density *density, const double *x) {
    double sum = 0, widths = 1;
    for (uint32_t j = 0; j < density->d; j++)
        if (density->levels[j] == 0) widths *= density->bandwidths[j];
    for (uint32_t i = 0; i < density->n; i++) {
        const double *row = density->rows + (size_t)i * density->d;
        double kernel = 1;
        for (uint32_t j = 0; j < density->d; j++) {
            double h = density->bandwidths[j], off = row[j] - x[j];
            if (density->levels[j] == 0)
                kernel *= 0.3989422804014327 /* 1 / sqrt(2 pi) */ * exp(-(off * off) / (2 * h * h));
            else
                kernel *= off == 0 ? 1 - h : h / ((double)density->distinct[j] - 1);
        }
        sum += kernel / widths;
    }
    return sum / density->n;
}

/* ---- what is missing
 * ----------------------------------------------------------------------------- */

/* As in HpBandSter: the first missing entry is looked up in the rows that have it; one of them,
 * drawn at random, fills all that is missing, and what it misses too is looked up in turn. */
void ni_density_impute(double *rows, double *whole, uint32_t n, uint32_t d, const uint32_t *levels,
                       nas_random *stream) {
    memcpy(whole, rows, (size_t)n * d * sizeof *rows);
    for (uint32_t i = 0; i < n; i++) {
        double *row = rows + (size_t)i * d;
        for (uint32_t j = 0; j < d; j++) {
            uint32_t have = 0, at = 0;
            if (!isnan(row[j])) continue;
            for (uint32_t k = 0; k < n; k++)
                have += isnan(whole[(size_t)k * d + j]) ? 0 : 1;
            if (have == 0) {
                row[j] = levels[j] ? (double)nas_random_below(stream, levels[j])
                                   : nas_random_uniform(stream);
                continue;
            }
            uint32_t pick = (uint32_t)nas_random_below(stream, have);
            while (isnan(whole[(size_t)at * d + j]) || pick-- > 0)
                at++;
            for (uint32_t m = j; m < d; m++)
                if (isnan(row[m])) row[m] = whole[(size_t)at * d + m];
        }
    }
}

/* ---- proposals
 * ------------------------------------------------------------------------------------- */

/* Normal around `mean`, which is in 0 .. 1, cut to 0 .. 1. By rejection, from the normal or, where
 * that is wide, from the uniform: either accepts more than a third. */
static double draw_cut(nas_random *stream, double mean, double deviation) {
    for (;;) {
        if (deviation < 1) {
            double x = mean + deviation * nas_random_normal(stream);
            if (x >= 0 && x <= 1) return x;
        } else {
            double x = nas_random_uniform(stream), z = (x - mean) / deviation;
            if (nas_random_uniform(stream) < exp(-0.5 * z * z)) return x;
        }
    }
}

nas_status ni_density_propose(const ni_density_search *search, nas_random *stream, double *draw,
                              double *best, bool *found) {
    const ni_density *good = search->good;
    double least = INFINITY;
    *found = false;
    for (uint32_t s = 0; s < search->samples; s++) {
        const double *row = good->rows + (size_t)nas_random_below(stream, good->n) * good->d;
        for (uint32_t j = 0; j < good->d; j++) {
            double h = good->bandwidths[j];
            if (h < search->min_bandwidth) h = search->min_bandwidth;
            if (good->levels[j] == 0)
                draw[j] = draw_cut(stream, row[j], search->factor * h);
            else if (nas_random_uniform(stream) < 1 - h)
                draw[j] = row[j];
            else
                draw[j] = (double)nas_random_below(stream, good->levels[j]);
        }
        double g = ni_density_pdf(good, draw), b = ni_density_pdf(search->bad, draw);
        /* The floors: of the bad one they hold where it is not a number, of the good one not. */
        double ratio = (b > 1e-32 ? b : 1e-32) / (g < 1e-32 ? 1e-32 : g);
        bool at_once = !isfinite(ratio) && isfinite(g);
        if (!at_once && !(isfinite(ratio) && ratio < least)) continue;
        if (search->accept) {
            nas_status status = search->accept(search->user, draw);
            if (status == NAS_E_INFEASIBLE) continue;
            if (status < 0) return status;
        }
        memcpy(best, draw, good->d * sizeof *best);
        *found = true;
        least = ratio;
        if (at_once) break;
    }
    return NAS_OK;
}
