/* The innermost loops of the dense convolutions: see simd.h. */
#include "simd.h"

/* Inputs of pixel p: every third has a pointer of its own, the others are one or two strides away.
 * Fits the addressing of all instruction sets and leaves registers free. */
enum { POINTERS = (TILE_PIXELS + 2) / 3 };

void NI_SIMD(finish_tile)(const ni_tile_job *job, const float *sums, int64_t pixels,
                          int64_t vectors, float *y, const float *mask) {
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t j = 0; j < vectors; j++) {
            const int64_t n = j == vectors - 1 ? job->lanes : V_WIDTH, c = j * V_WIDTH;
            const int64_t at = p * job->y_stride + c;
            vector v = v_load(sums + (p * vectors + j) * V_WIDTH);
            if (mask) {
                vector m = v_load_part(mask + at, n);
                if (job->mask_scale)
                    m = v_fma(m, v_load_part(job->mask_scale + c, n),
                              v_load_part(job->mask_shift + c, n));
                v = v_positive(m, v);
            }
            if (job->add) v = v + v_load_part(y + at, n);
            v_store_part(y + at, v, n);
        }
}

V_INLINE void direct_tile(const int pixels, const int vectors, const ni_tile_job *job,
                          int64_t x_offset, float *y, const float *mask) {
    const int64_t step = job->x_stride, width = vectors * V_WIDTH;
    vector sum[TILE_PIXELS][TILE_VECTORS];
    V_UNROLL
    for (int p = 0; p < pixels; p++)
        V_UNROLL
    for (int j = 0; j < vectors; j++)
        sum[p][j] = v_zero();
    for (int64_t s = 0; s < job->n_segments; s++) {
        const float *w = job->segments[s].w, *end = w + job->segments[s].k * width;
        const float *x[POINTERS];
        V_UNROLL
        for (int g = 0; g < (pixels + 2) / 3; g++)
            x[g] = job->segments[s].x + x_offset + 3 * g * step;
        for (; w < end; w += width) {
            vector b[TILE_VECTORS];
            V_UNROLL
            for (int j = 0; j < vectors; j++)
                b[j] = v_load(w + j * V_WIDTH);
            V_UNROLL
            for (int p = 0; p < pixels; p++) {
                vector a = v_set(x[p / 3][p % 3 * step]);
                V_UNROLL
                for (int j = 0; j < vectors; j++)
                    sum[p][j] = v_fma(a, b[j], sum[p][j]);
            }
            V_UNROLL
            for (int g = 0; g < (pixels + 2) / 3; g++)
                x[g]++;
        }
    }
    float sums[TILE_PIXELS * TILE_VECTORS * V_WIDTH] __attribute__((aligned(64)));
    const bool plain = ni_tile_is_plain(job, mask);
    const int64_t stride = plain ? job->y_stride : width;
    float *to = plain ? y : sums;
    V_UNROLL
    for (int p = 0; p < pixels; p++)
        V_UNROLL
    for (int j = 0; j < vectors; j++)
        v_store(to + p * stride + j * V_WIDTH, sum[p][j]);
    if (!plain) NI_SIMD(finish_tile)(job, sums, pixels, vectors, y, mask);
}

V_INLINE void winograd_tile(const int pairs, const int vectors, const ni_tile_job *job,
                            int64_t x_offset, float *y, const float *mask, int64_t outputs) {
    const int64_t step = job->x_stride, plane = job->plane, width = vectors * V_WIDTH;
    vector even[TILE_PIXELS][TILE_VECTORS], odd[TILE_PIXELS][TILE_VECTORS];
    V_UNROLL
    for (int p = 0; p < pairs; p++)
        V_UNROLL
    for (int j = 0; j < vectors; j++)
        even[p][j] = odd[p][j] = v_zero();
    for (int64_t half = 0; half < 2; half++) {
        for (int64_t s = 0; s < job->n_segments; s++) {
            const int64_t k = job->segments[s].k;
            const float *w = job->segments[s].w + half * 2 * k * width, *end = w + 2 * k * width;
            const float *x[POINTERS];
            V_UNROLL
            for (int g = 0; g < (pairs + 2) / 3; g++)
                x[g] = job->segments[s].x + x_offset + half * 2 * plane + 3 * g * step;
            for (; w < end; w += 2 * width) {
                vector b[TILE_VECTORS];
                V_UNROLL
                for (int j = 0; j < vectors; j++)
                    b[j] = v_load(w + j * V_WIDTH);
                V_UNROLL
                for (int p = 0; p < pairs; p++) {
                    vector a = v_set(x[p / 3][p % 3 * step]);
                    V_UNROLL
                    for (int j = 0; j < vectors; j++)
                        even[p][j] = v_fma(a, b[j], even[p][j]);
                }
                V_UNROLL
                for (int j = 0; j < vectors; j++)
                    b[j] = v_load(w + width + j * V_WIDTH);
                V_UNROLL
                for (int p = 0; p < pairs; p++) {
                    vector a = v_set((x[p / 3] + plane)[p % 3 * step]);
                    V_UNROLL
                    for (int j = 0; j < vectors; j++)
                        odd[p][j] = v_fma(a, b[j], odd[p][j]);
                }
                V_UNROLL
                for (int g = 0; g < (pairs + 2) / 3; g++)
                    x[g]++;
            }
        }
        if (half) break;
        V_UNROLL
        for (int p = 0; p < pairs; p++)
            V_UNROLL
        for (int j = 0; j < vectors; j++) {
            vector sum = even[p][j] + odd[p][j];
            odd[p][j] = even[p][j] - odd[p][j];
            even[p][j] = sum;
        }
    }
    float sums[TILE_PIXELS * TILE_VECTORS * V_WIDTH] __attribute__((aligned(64)));
    const bool plain = ni_tile_is_plain(job, mask) && outputs == 2 * pairs;
    const int64_t stride = plain ? job->y_stride : width;
    float *to = plain ? y : sums;
    V_UNROLL
    for (int p = 0; p < pairs; p++)
        V_UNROLL
    for (int j = 0; j < vectors; j++) {
        v_store(to + 2 * p * stride + j * V_WIDTH, even[p][j]);
        v_store(to + (2 * p + 1) * stride + j * V_WIDTH, odd[p][j]);
    }
    if (!plain) NI_SIMD(finish_tile)(job, sums, outputs, vectors, y, mask);
}

#if defined(__AVX2__) && !defined(__AVX512F__)
const int8_t NI_SIMD(direct_pixels)[TILE_VECTORS] = {12, 6, 4, 2};
const int8_t NI_SIMD(winograd_pairs)[TILE_VECTORS] = {6, 3, 2, 0};
#else
const int8_t NI_SIMD(direct_pixels)[TILE_VECTORS] = {16, 12, 8, 6};
const int8_t NI_SIMD(winograd_pairs)[TILE_VECTORS] = {8, 6, 4, 0};
#endif

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
WINOGRAD_1(WINOGRAD) WINOGRAD_2(WINOGRAD) WINOGRAD_3(WINOGRAD)

const ni_tile NI_SIMD(direct_tiles)[TILE_VECTORS][TILE_PIXELS] = {
    {DIRECT_1(DIRECT_NAME)}, {DIRECT_2(DIRECT_NAME)}, {DIRECT_3(DIRECT_NAME)}, {DIRECT_4(DIRECT_NAME)}};
const ni_tile NI_SIMD(winograd_tiles)[TILE_VECTORS][TILE_PIXELS] = {
    {WINOGRAD_1(WINOGRAD_NAME)}, {WINOGRAD_2(WINOGRAD_NAME)}, {WINOGRAD_3(WINOGRAD_NAME)}};
/* clang-format on */

/* What a set of tiles costs in half cycles for each input channel: products, loads and the latency
 * of too few sums bound it. A fixed model, so that the choice depends on the shape alone. */
static int64_t tiles_cost(int64_t columns, int64_t most_columns, int64_t vectors, bool winograd) {
    const int64_t n = ceil_div(columns, most_columns), sets = winograd ? 2 : 1;
    int64_t cost = 0;
    for (int64_t long_one = 0; long_one < 2; long_one++) {
        const int64_t size = columns / n + long_one;
        const int64_t count = long_one ? columns % n : n - columns % n;
        const int64_t products = 20 * sets * size * vectors, loads = 22 * sets * (size + vectors);
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
        if (cost <= least_cost) least_cost = cost, best = v;
    }
    return best;
}
