/* Batch norm's passes, and sums for each channel, over rows of [rows, c].
 *
 * Rows go in chunks that fit the nearest cache, channels in columns of a vector inside a chunk.
 * Sums start afresh in each chunk and are then added, so that long sums lose little. */
#include "simd.h"

enum { CHUNK = 4096 }; /* elements */
static int64_t chunk_rows(int64_t c) {
    return most(CHUNK / c, 8);
}

/* ---- moments ------------------------------------------------------------------------------------
 */

/* Mean and squared deviations of a chunk, in two passes over what is now near, joined to those of
 * `before` rows: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
 * sample variances" (1979). */
V_INLINE void moments_column(const float *x, int64_t c, int64_t rows, int64_t before, float *mean,
                             float *m2, int64_t n) {
    vector a = v_zero(), b = v_zero(), d = v_zero(), e = v_zero();
    const float *end = x + rows * c, *p = x;
    for (; p + 3 * c < end; p += 4 * c) {
        a = a + v_load_part(p, n), b = b + v_load_part(p + c, n);
        d = d + v_load_part(p + 2 * c, n), e = e + v_load_part(p + 3 * c, n);
    }
    for (; p < end; p += c)
        a = a + v_load_part(p, n);
    const vector here = ((a + b) + (d + e)) * v_set(1 / (float)rows);
    a = b = d = e = v_zero();
    for (p = x; p + 3 * c < end; p += 4 * c) {
        const vector s = v_load_part(p, n) - here, t = v_load_part(p + c, n) - here;
        const vector u = v_load_part(p + 2 * c, n) - here, v = v_load_part(p + 3 * c, n) - here;
        a = v_fma(s, s, a), b = v_fma(t, t, b), d = v_fma(u, u, d), e = v_fma(v, v, e);
    }
    for (; p < end; p += c) {
        const vector s = v_load_part(p, n) - here;
        a = v_fma(s, s, a);
    }
    const vector squares = (a + b) + (d + e);
    if (before == 0) {
        v_store_part(mean, here, n);
        v_store_part(m2, squares, n);
        return;
    }
    const float part = (float)rows / (float)(before + rows);
    const vector old = v_load_part(mean, n), apart = here - old;
    v_store_part(mean, v_fma(apart, v_set(part), old), n);
    v_store_part(
        m2, v_fma(apart * apart, v_set(part * (float)before), v_load_part(m2, n)) + squares, n);
}

void NI_SIMD(add_moments)(const float *x, int64_t c, int64_t rows, int64_t before, float *mean,
                          float *m2) {
    const int64_t step = chunk_rows(c);
    for (int64_t r = 0; r < rows; r += step) {
        const int64_t count = least(rows - r, step);
        const float *at = x + r * c;
        COLUMNS(c, moments_column(at + k, c, count, before + r, mean + k, m2 + k, n));
    }
}

static void bn_moments(const void *x, int64_t c, int64_t r0, int64_t r1, void *mean, void *m2) {
    NI_SIMD(add_moments)((const float *)x + r0 * c, c, r1 - r0, 0, mean, m2);
}

/* ---- sums ---------------------------------------------------------------------------------------
 */

/* sum += x, or x * y */
V_INLINE void sum_column(const float *x, const float *y, int64_t c, int64_t rows, float *sum,
                         int64_t n) {
    vector a = v_zero(), b = v_zero();
    int64_t i = 0;
    const int64_t end = rows * c;
    if (y) {
        for (; i + c < end; i += 2 * c) {
            a = v_fma(v_load_part(x + i, n), v_load_part(y + i, n), a);
            b = v_fma(v_load_part(x + i + c, n), v_load_part(y + i + c, n), b);
        }
        for (; i < end; i += c)
            a = v_fma(v_load_part(x + i, n), v_load_part(y + i, n), a);
    } else {
        for (; i + c < end; i += 2 * c)
            a = a + v_load_part(x + i, n), b = b + v_load_part(x + i + c, n);
        for (; i < end; i += c)
            a = a + v_load_part(x + i, n);
    }
    v_store_part(sum, v_load_part(sum, n) + (a + b), n);
}

static void channel_sum(const void *x_, const void *y_, int64_t c, int64_t r0, int64_t r1,
                        void *sum_) {
    float *sum = sum_;
    const int64_t step = chunk_rows(c);
    memset(sum, 0, (size_t)c * sizeof(float));
    for (int64_t r = r0; r < r1; r += step) {
        const int64_t rows = least(r1 - r, step);
        const float *x = (const float *)x_ + r * c, *y = y_ ? (const float *)y_ + r * c : NULL;
        COLUMNS(c, sum_column(x + k, y ? y + k : NULL, c, rows, sum + k, n));
    }
}

/* sum_dy += dy (if wanted), sum_dy_x += dy * (x - mean) */
V_INLINE void gradient_column(const float *x, const float *dy, const float *mean_, int64_t c,
                              int64_t rows, float *sum_dy, float *sum_dy_x, int64_t n) {
    const vector mean = v_load_part(mean_, n);
    vector a = v_zero(), b = v_zero(), d = v_zero(), e = v_zero();
    int64_t i = 0;
    const int64_t end = rows * c;
    for (; i + c < end; i += 2 * c) {
        const vector g = v_load_part(dy + i, n), h = v_load_part(dy + i + c, n);
        a = a + g, b = b + h;
        d = v_fma(g, v_load_part(x + i, n) - mean, d);
        e = v_fma(h, v_load_part(x + i + c, n) - mean, e);
    }
    for (; i < end; i += c) {
        const vector g = v_load_part(dy + i, n);
        a = a + g;
        d = v_fma(g, v_load_part(x + i, n) - mean, d);
    }
    if (sum_dy) v_store_part(sum_dy, v_load_part(sum_dy, n) + (a + b), n);
    v_store_part(sum_dy_x, v_load_part(sum_dy_x, n) + (d + e), n);
}

static void bn_gradient_sums_many(const void *const *x_, const void *dy_, const void *const *mean_,
                                  uint32_t count, int64_t c, int64_t r0, int64_t r1, void *sum_dy_,
                                  void *const *sum_dy_x_) {
    const int64_t step = chunk_rows(c);
    memset(sum_dy_, 0, (size_t)c * sizeof(float));
    for (uint32_t i = 0; i < count; i++)
        memset(sum_dy_x_[i], 0, (size_t)c * sizeof(float));
    for (int64_t r = r0; r < r1; r += step) {
        const int64_t rows = least(r1 - r, step);
        const float *dy = (const float *)dy_ + r * c;
        for (uint32_t i = 0; i < count; i++) {
            const float *x = (const float *)x_[i] + r * c, *mean = mean_[i];
            float *sum_dy = i == 0 ? sum_dy_ : NULL, *sum_dy_x = sum_dy_x_[i];
            COLUMNS(c, gradient_column(x + k, dy + k, mean + k, c, rows, sum_dy ? sum_dy + k : NULL,
                                       sum_dy_x + k, n));
        }
    }
}

static void bn_gradient_sums(const void *x, const void *dy, const void *mean, int64_t c, int64_t r0,
                             int64_t r1, void *sum_dy, void *sum_dy_x) {
    bn_gradient_sums_many(&x, dy, &mean, 1, c, r0, r1, sum_dy, &sum_dy_x);
}

/* ---- maps ---------------------------------------------------------------------------------------
 *
 * Row after row, all channels of each: the order of memory, which the processor fetches ahead.
 * Scales come from the nearest cache. */

/* dx = dy * a + x * b + k */
static void bn_gradient(const void *x_, const void *dy_, const void *a_, const void *b_,
                        const void *k_, void *dx_, int64_t c, int64_t r0, int64_t r1) {
    const float *a = a_, *b = b_, *shift = k_, *x = x_, *dy = dy_;
    float *dx = dx_;
    for (int64_t at = r0 * c; at < r1 * c; at += c)
        COLUMNS(c, v_store_part(dx + at + k,
                                v_fma(v_load_part(dy + at + k, n), v_load_part(a + k, n),
                                      v_fma(v_load_part(x + at + k, n), v_load_part(b + k, n),
                                            v_load_part(shift + k, n))),
                                n));
}

static void scale_shift(const void *x_, const void *scale_, const void *shift_, void *y_, int64_t c,
                        int64_t r0, int64_t r1, bool relu) {
    const float *x = x_, *scale = scale_, *shift = shift_;
    float *y = y_;
    for (int64_t at = r0 * c; at < r1 * c; at += c)
        COLUMNS(c, {
            const vector v = v_fma(v_load_part(x + at + k, n), v_load_part(scale + k, n),
                                   v_load_part(shift + k, n));
            v_store_part(y + at + k, relu ? v_relu(v) : v, n);
        });
}

/* y = the sum of x[j] * scale[j] + shift[j], of some channels. */
enum { SUM_WIDTH = 256, SUM_TERMS = 4, SUM_NEAR = 4096 };
typedef struct {
    const void *const *x, *const *scale;
    uint32_t terms;
    int64_t c, first, width; /* channels of a row; those of this call */
    int64_t at, end;         /* elements to the first row, and behind the last */
    bool relu;
    float shift[SUM_WIDTH]; /* of all terms together */
    float one[SUM_WIDTH];
} sum_job;

/* From `from` on, or from the shifts, to y; the number of terms is a constant. */
V_INLINE void sum_some(const sum_job *job, uint32_t j0, const uint32_t terms, int64_t at,
                       int64_t end, const float *from, float *y, const bool relu) {
    const float *x[SUM_TERMS], *scale[SUM_TERMS];
    for (uint32_t j = 0; j < terms; j++) {
        const float *by = job->scale[j0 + j];
        x[j] = (const float *)job->x[j0 + j] + job->first + at;
        scale[j] = by ? by + job->first : job->one;
    }
    for (int64_t i = 0; i < end - at; i += job->c)
        COLUMNS(job->width, {
            vector v = v_load_part(from ? from + i + k : job->shift + k, n);
            for (uint32_t j = 0; j < terms; j++)
                v = v_fma(v_load_part(x[j] + i + k, n), v_load_part(scale[j] + k, n), v);
            v_store_part(y + i + k, relu ? v_relu(v) : v, n);
        });
}

static void sum_terms(const sum_job *job, uint32_t j0, uint32_t terms, int64_t at, int64_t end,
                      const float *from, float *y, bool relu) {
    if (terms == 1)
        sum_some(job, j0, 1, at, end, from, y, relu);
    else if (terms == 2)
        sum_some(job, j0, 2, at, end, from, y, relu);
    else if (terms == 3)
        sum_some(job, j0, 3, at, end, from, y, relu);
    else
        sum_some(job, j0, SUM_TERMS, at, end, from, y, relu);
}

/* Few terms at a time: the processor follows only so many streams of memory. What is summed waits
 * near it, for y may be one of the terms. */
static void sum_rows(const sum_job *job, float *y) {
    float near[SUM_NEAR] __attribute__((aligned(64)));
    const int64_t rows = most((SUM_NEAR - job->width) / job->c, 0) + 1;
    for (int64_t at = job->at, end; at < job->end; at = end) {
        end = least(at + rows * job->c, job->end);
        const float *from = NULL;
        for (uint32_t j = 0; j < job->terms; j += SUM_TERMS) {
            const uint32_t n = job->terms - j < SUM_TERMS ? job->terms - j : SUM_TERMS;
            const bool last = j + n == job->terms;
            sum_terms(job, j, n, at, end, from, last ? y + at : near, last && job->relu);
            from = near;
        }
    }
}

static void scale_shift_sum(const void *const *x, const void *const *scale,
                            const void *const *shift, uint32_t terms, void *y_, int64_t c,
                            int64_t r0, int64_t r1, bool relu) {
    sum_job job = {x, scale, terms, c, 0, 0, r0 * c, r1 * c, relu, {0}, {0}};
    for (int64_t k = 0; k < SUM_WIDTH; k++)
        job.one[k] = 1;
    for (; job.first < c; job.first += SUM_WIDTH) {
        float *y = (float *)y_ + job.first;
        job.width = least(c - job.first, SUM_WIDTH);
        memset(job.shift, 0, sizeof job.shift);
        for (uint32_t j = 0; j < terms; j++)
            for (int64_t k = 0; scale[j] && k < job.width; k++)
                job.shift[k] += ((const float *)shift[j])[job.first + k];
        sum_rows(&job, y);
    }
}

void NI_SIMD(norm_kernels)(ni_kernels *table) {
    table->bn_moments = bn_moments;
    table->scale_shift = scale_shift;
    table->bn_gradient_sums = bn_gradient_sums;
    table->bn_gradient = bn_gradient;
    table->scale_shift_sum = scale_shift_sum;
    table->bn_gradient_sums_many = bn_gradient_sums_many;
    table->channel_sum = channel_sum;
}
