/* The innermost loops of the dense convolutions: see simd.h. */
#include "simd.h"

/* Inputs of pixel p: every third has a pointer of its own, the others are one or two strides away.
 * Fits the addressing of all instruction sets and leaves registers free. */
enum { POINTERS = (TILE_PIXELS + 2) / 3 };

/* Few registers: a Winograd tile keeps one set of sums, and the other waits in memory. */
#if defined(__AVX2__) && !defined(__AVX512F__)
enum { FEW_REGISTERS = 1 };
const int8_t NI_SIMD(direct_pixels)[TILE_VECTORS] = {12, 6, 4, 2};
const int8_t NI_SIMD(winograd_pairs)[TILE_VECTORS] = {12, 6, 4, 2};
#else
enum { FEW_REGISTERS = 0 };
const int8_t NI_SIMD(direct_pixels)[TILE_VECTORS] = {16, 12, 8, 6};
const int8_t NI_SIMD(winograd_pairs)[TILE_VECTORS] = {8, 6, 4, 0};
#endif

/* ---- what is not stored as it stands
 * -------------------------------------------------------------- */

V_INLINE void finish_part(const ni_tile_job *job, vector v, int64_t channel, float *y,
                          const float *mask, const bool scaled, const bool add, int64_t n) {
    if (mask) {
        vector m = v_load_part(mask, n);
        if (scaled) {
            m = v_fma(m, v_load_part(job->mask_scale + channel, n),
                      v_load_part(job->mask_shift + channel, n));
            v = v_inside(m, v_set(job->mask_high), v);
        } else {
            v = v_positive(m, v);
        }
    }
    if (add) v = v + v_load_part(y, n);
    v_store_part(y, v, n);
}

V_INLINE void finish(const ni_tile_job *job, const float *sums, int64_t pixels, int64_t vectors,
                     float *y, const float *mask, const bool scaled, const bool add) {
    const int64_t whole = job->lanes == V_WIDTH ? vectors : vectors - 1;
    for (int64_t p = 0; p < pixels; p++, y += job->y_stride) {
        int64_t at = 0;
        for (int64_t j = 0; j < whole; j++, at += V_WIDTH, sums += V_WIDTH)
            finish_part(job, v_load(sums), at, y + at, mask ? mask + at : NULL, scaled, add,
                        V_WIDTH);
        if (whole < vectors) {
            finish_part(job, v_load(sums), at, y + at, mask ? mask + at : NULL, scaled, add,
                        job->lanes);
            sums += V_WIDTH;
        }
        if (mask) mask += job->y_stride;
    }
}

void NI_SIMD(finish_tile)(const ni_tile_job *job, const float *sums, int64_t pixels,
                          int64_t vectors, float *y, const float *mask) {
    if (!mask)
        finish(job, sums, pixels, vectors, y, NULL, false, job->add);
    else if (job->mask_scale)
        finish(job, sums, pixels, vectors, y, mask, true, job->add);
    else if (job->add)
        finish(job, sums, pixels, vectors, y, mask, false, true);
    else
        finish(job, sums, pixels, vectors, y, mask, false, false);
}

/* ---- direct
 * --------------------------------------------------------------------------------------- */

V_INLINE void clear(const int pixels, const int vectors, vector sum[][TILE_VECTORS]) {
    V_EACH (p, pixels) {
        V_EACH (j, vectors)
            sum[p][j] = v_zero();
    }
}

/* sum += x w over k inputs */
V_INLINE void multiply(const int pixels, const int vectors, const float *from, int64_t step,
                       const float *w, int64_t k, vector sum[][TILE_VECTORS]) {
    const float *end = w + k * vectors * V_WIDTH, *x[POINTERS];
    V_EACH (g, (pixels + 2) / 3)
        x[g] = from + 3 * g * step;
    for (; w < end; w += vectors * V_WIDTH) {
        vector b[TILE_VECTORS];
        V_EACH (j, vectors)
            b[j] = v_load(w + j * V_WIDTH);
        V_EACH (p, pixels) {
            const vector a = v_set(x[p / 3][p % 3 * step]);
            V_EACH (j, vectors)
                sum[p][j] = v_fma(a, b[j], sum[p][j]);
        }
        V_EACH (g, (pixels + 2) / 3)
            x[g]++;
    }
}

V_INLINE void put(const int pixels, const int vectors, vector sum[][TILE_VECTORS], float *to,
                  int64_t stride) {
    V_EACH (p, pixels) {
        V_EACH (j, vectors)
            v_store(to + p * stride + j * V_WIDTH, sum[p][j]);
    }
}

V_INLINE void direct_tile(const int pixels, const int vectors, const ni_tile_job *job,
                          int64_t x_offset, float *y, const float *mask) {
    vector sum[TILE_PIXELS][TILE_VECTORS];
    clear(pixels, vectors, sum);
    for (int64_t s = 0; s < job->n_segments; s++)
        multiply(pixels, vectors, job->segments[s].x + x_offset, job->x_stride, job->segments[s].w,
                 job->segments[s].k, sum);
    if (ni_tile_is_plain(job, mask)) {
        put(pixels, vectors, sum, y, job->y_stride);
        return;
    }
    float sums[TILE_PIXELS * TILE_VECTORS * V_WIDTH] __attribute__((aligned(64)));
    put(pixels, vectors, sum, sums, vectors * V_WIDTH);
    NI_SIMD(finish_tile)(job, sums, pixels, vectors, y, mask);
}

/* ---- Winograd
 * ------------------------------------------------------------------------------------- */

/* Two sets of sums at once: even and odd pixels, or what they are made from. */
V_INLINE void multiply_two(const int pairs, const int vectors, const ni_tile_job *job,
                           int64_t x_offset, int64_t first, vector even[][TILE_VECTORS],
                           vector odd[][TILE_VECTORS]) {
    const int64_t step = job->x_stride, plane = job->plane, width = vectors * V_WIDTH;
    for (int64_t s = 0; s < job->n_segments; s++) {
        const int64_t k = job->segments[s].k;
        const float *w = job->segments[s].w + first * k * width, *v = w + k * width, *end = v;
        const float *x[POINTERS];
        V_EACH (g, (pairs + 2) / 3)
            x[g] = job->segments[s].x + x_offset + first * plane + 3 * g * step;
        for (; w < end; w += width, v += width) {
            vector b[TILE_VECTORS];
            V_EACH (j, vectors)
                b[j] = v_load(w + j * V_WIDTH);
            V_EACH (p, pairs) {
                const vector a = v_set(x[p / 3][p % 3 * step]);
                V_EACH (j, vectors)
                    even[p][j] = v_fma(a, b[j], even[p][j]);
            }
            V_EACH (j, vectors)
                b[j] = v_load(v + j * V_WIDTH);
            V_EACH (p, pairs) {
                const vector a = v_set((x[p / 3] + plane)[p % 3 * step]);
                V_EACH (j, vectors)
                    odd[p][j] = v_fma(a, b[j], odd[p][j]);
            }
            V_EACH (g, (pairs + 2) / 3)
                x[g]++;
        }
    }
}

V_INLINE void multiply_one(const int pairs, const int vectors, const ni_tile_job *job,
                           int64_t x_offset, int64_t plane, vector sum[][TILE_VECTORS]) {
    for (int64_t s = 0; s < job->n_segments; s++) {
        const int64_t k = job->segments[s].k;
        multiply(pairs, vectors, job->segments[s].x + x_offset + plane * job->plane, job->x_stride,
                 job->segments[s].w + plane * k * vectors * V_WIDTH, k, sum);
    }
}

V_INLINE void winograd_tile(const int pairs, const int vectors, const ni_tile_job *job,
                            int64_t x_offset, float *y, const float *mask, int64_t outputs) {
    vector even[TILE_PIXELS][TILE_VECTORS], odd[TILE_PIXELS][TILE_VECTORS];
    float sums[2 * TILE_PIXELS * TILE_VECTORS * V_WIDTH] __attribute__((aligned(64)));
    const bool plain = ni_tile_is_plain(job, mask) && outputs == 2 * pairs;
    const int64_t stride = plain ? job->y_stride : vectors * V_WIDTH;
    float *to = plain ? y : sums;
    clear(pairs, vectors, even);
    clear(pairs, vectors, odd);
    if (FEW_REGISTERS) {
        float wait[TILE_PIXELS * TILE_VECTORS * V_WIDTH] __attribute__((aligned(64)));
        multiply_one(pairs, vectors, job, x_offset, 0, even);
        put(pairs, vectors, even, wait, vectors * V_WIDTH);
        multiply_one(pairs, vectors, job, x_offset, 1, odd);
        V_EACH (p, pairs) {
            V_EACH (j, vectors) {
                float *at = wait + (p * vectors + j) * V_WIDTH;
                even[p][j] = v_load(at) + odd[p][j];
                v_store(at, v_load(at) - odd[p][j]);
            }
        }
        multiply_one(pairs, vectors, job, x_offset, 2, even);
        put(pairs, vectors, even, to, 2 * stride);
        V_EACH (p, pairs) {
            V_EACH (j, vectors)
                odd[p][j] = v_load(wait + (p * vectors + j) * V_WIDTH);
        }
        multiply_one(pairs, vectors, job, x_offset, 3, odd);
    } else {
        multiply_two(pairs, vectors, job, x_offset, 0, even, odd);
        V_EACH (p, pairs) {
            V_EACH (j, vectors) {
                const vector sum = even[p][j] + odd[p][j];
                odd[p][j] = even[p][j] - odd[p][j];
                even[p][j] = sum;
            }
        }
        multiply_two(pairs, vectors, job, x_offset, 2, even, odd);
        put(pairs, vectors, even, to, 2 * stride);
    }
    put(pairs, vectors, odd, to + stride, 2 * stride);
    if (!plain) NI_SIMD(finish_tile)(job, sums, outputs, vectors, y, mask);
}

/* ---- all sizes
 * ------------------------------------------------------------------------------------ */

#define DIRECT(p, v)                                                                               \
    static void direct_##p##_##v(const ni_tile_job *job, int64_t x_offset, float *y,               \
                                 const float *mask, int64_t outputs) {                             \
        (void)outputs;                                                                             \
        direct_tile(p, v, job, x_offset, y, mask);                                                 \
    }
#define WINOGRAD(p, v)                                                                             \
    static void winograd_##p##_##v(const ni_tile_job *job, int64_t x_offset, float *y,             \
                                   const float *mask, int64_t outputs) {                           \
        winograd_tile(p, v, job, x_offset, y, mask, outputs);                                      \
    }
#define DIRECT_NAME(p, v)   direct_##p##_##v,
#define WINOGRAD_NAME(p, v) winograd_##p##_##v,

/* clang-format off */
DIRECT_1(DIRECT) DIRECT_2(DIRECT) DIRECT_3(DIRECT) DIRECT_4(DIRECT)
WINOGRAD_1(WINOGRAD) WINOGRAD_2(WINOGRAD) WINOGRAD_3(WINOGRAD) WINOGRAD_4(WINOGRAD)

const ni_tile NI_SIMD(direct_tiles)[TILE_VECTORS][TILE_PIXELS] = {
    {DIRECT_1(DIRECT_NAME)}, {DIRECT_2(DIRECT_NAME)}, {DIRECT_3(DIRECT_NAME)}, {DIRECT_4(DIRECT_NAME)}};
const ni_tile NI_SIMD(winograd_tiles)[TILE_VECTORS][TILE_PIXELS] = {
    {WINOGRAD_1(WINOGRAD_NAME)}, {WINOGRAD_2(WINOGRAD_NAME)}, {WINOGRAD_3(WINOGRAD_NAME)},
    {WINOGRAD_4(WINOGRAD_NAME) NULL}};
/* clang-format on */

/* What a set of tiles costs for each input channel, in twentieths of a product: products, loads,
 * and the latency of too few sums bound it. A fixed model, so that the choice depends on the shape
 * alone. */
static int64_t tiles_cost(int64_t columns, int64_t most_columns, int64_t vectors, bool winograd) {
    const int64_t n = ceil_div(columns, most_columns), sets = winograd && !FEW_REGISTERS ? 2 : 1;
    int64_t cost = 0;
    for (int64_t longer = 0; longer < 2; longer++) {
        const int64_t size = columns / n + longer;
        const int64_t count = longer ? columns % n : n - columns % n;
        const int64_t products = 20 * sets * size * vectors;
        const int64_t loads = sets * (22 * size + 30 * vectors); /* weights come from farther */
        cost += count * most(most(products, loads), 172);
    }
    return cost;
}

int64_t NI_SIMD(choose_vectors)(int64_t vectors, int64_t columns, const int8_t *pixels,
                                bool winograd) {
    int64_t best = 0, least_cost = INT64_MAX;
    for (int64_t v = 1; v <= least(vectors, TILE_VECTORS); v++) {
        if (!pixels[v - 1]) break;
        const int64_t blocks = ceil_div(vectors, v), longer = vectors % blocks;
        const int64_t size = vectors / blocks;
        int64_t cost = (blocks - longer) * tiles_cost(columns, pixels[size - 1], size, winograd);
        if (longer) cost += longer * tiles_cost(columns, pixels[size], size + 1, winograd);
        if (cost < least_cost) least_cost = cost, best = v;
    }
    return best;
}
