/* What the files of the vector kernels share. They are compiled once for each instruction set, with
 * its own flags and name NI_SIMD_SET, so that all names here differ between sets. */
#ifndef NI_SIMD_H
#define NI_SIMD_H
#include <math.h>
#include "tensor/tensor.h"
#include "vector.h"

#define NI_SIMD_JOIN2(name, set) ni_##name##_##set
#define NI_SIMD_JOIN(name, set)  NI_SIMD_JOIN2(name, set)
#define NI_SIMD(name)            NI_SIMD_JOIN(name, NI_SIMD_SET)
#define NI_SIMD_TEXT2(set)       #set
#define NI_SIMD_TEXT(set)        NI_SIMD_TEXT2(set)

static inline int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static inline int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}
/* Of what fits 32 bits, as sizes of images do: a third of the time of a division of 64. */
static inline int64_t short_quotient(int64_t a, int64_t b) {
    return (int64_t)((uint32_t)a / (uint32_t)b);
}
static inline int64_t short_rest(int64_t a, int64_t b) {
    return (int64_t)((uint32_t)a % (uint32_t)b);
}
/* Part i of n parts of `total` that differ by one at most, the longer ones first. */
static inline int64_t part_start(int64_t total, int64_t n, int64_t i) {
    return total / n * i + least(i, total % n);
}

/* Makes the call for each column of channels k .. k + n - 1; n is a constant in all but the last.
 */
#define COLUMNS(c, call)                                                                           \
    do {                                                                                           \
        int64_t k = 0;                                                                             \
        for (; k + V_WIDTH <= (c); k += V_WIDTH) {                                                 \
            enum { n = V_WIDTH };                                                                  \
            call;                                                                                  \
        }                                                                                          \
        if (k < (c)) {                                                                             \
            const int64_t n = (c)-k;                                                               \
            call;                                                                                  \
        }                                                                                          \
    } while (0)

/* ---- tiles (conv_tile.c) -----------------------------------------------------------------------
 *
 * The innermost loops of the dense convolutions. A tile is some pixels of one output row times some
 * vectors of output channels, all in registers; it runs over the segments, each a run of k
 * neighbouring input elements (at every pixel) and their weights. An output element is summed in
 * the order of the segments whatever the tile's size, so its bits do not depend on how work is cut.
 *
 * A direct tile multiplies as it stands. A Winograd tile makes two neighbouring pixels from one set
 * of products, F(2,3) of Winograd, "Arithmetic Complexity of Computations" (1980), along the row:
 * two thirds of the multiplications of three taps. The input comes transformed, in four planes
 *   d1 + d2, d2 - d1, d0 - d2, d3 - d1      for input pixels d0 .. d3 of an output pair,
 * and so do the weights, in the same order
 *   (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g0, g2.
 * Products of the first two planes give sum and difference; the others are added to these. */
typedef struct {
    const float *x; /* at the row's first output pixel (pair) */
    const float *w; /* [k][vectors * V_WIDTH]; Winograd: four of these */
    int64_t k;
} ni_segment;

typedef struct {
    const ni_segment *segments;
    int64_t n_segments;
    int64_t x_stride; /* elements between the inputs of neighbouring pixels (pairs) */
    int64_t plane;    /* Winograd: elements between planes */
    int64_t y_stride; /* elements between output pixels */
    int64_t lanes;    /* elements of the last vector that are there */
    bool add;
    /* The mask is read as mask * scale + shift, and lets through below high; or NULL. */
    const float *mask_scale, *mask_shift;
    float mask_high;
} ni_tile_job;

/* outputs: pixels that are there (Winograd: of the pairs' 2). mask: as y, or NULL. */
typedef void (*ni_tile)(const ni_tile_job *job, int64_t x_offset, float *y, const float *mask,
                        int64_t outputs);

enum { TILE_VECTORS = 4, TILE_PIXELS = 16 };
/* clang-format off */
/* The sizes that fit the registers: sums, one set of weights and one input, with no spilling. */
#define EACH_4(X, v)  X(1, v) X(2, v) X(3, v) X(4, v)
#define EACH_6(X, v)  EACH_4(X, v) X(5, v) X(6, v)
#define EACH_8(X, v)  EACH_6(X, v) X(7, v) X(8, v)
#define EACH_12(X, v) EACH_8(X, v) X(9, v) X(10, v) X(11, v) X(12, v)
#define EACH_16(X, v) EACH_12(X, v) X(13, v) X(14, v) X(15, v) X(16, v)
#define EACH_2(X, v)  X(1, v) X(2, v)
#if defined(__AVX2__) && !defined(__AVX512F__)
#define DIRECT_1(X)   EACH_12(X, 1)
#define DIRECT_2(X)   EACH_6(X, 2)
#define DIRECT_3(X)   EACH_4(X, 3)
#define DIRECT_4(X)   EACH_2(X, 4)
#define WINOGRAD_1(X) DIRECT_1(X)
#define WINOGRAD_2(X) DIRECT_2(X)
#define WINOGRAD_3(X) DIRECT_3(X)
#define WINOGRAD_4(X) DIRECT_4(X)
#else
#define DIRECT_1(X)   EACH_16(X, 1)
#define DIRECT_2(X)   EACH_12(X, 2)
#define DIRECT_3(X)   EACH_8(X, 3)
#define DIRECT_4(X)   EACH_6(X, 4)
#define WINOGRAD_1(X) EACH_8(X, 1)
#define WINOGRAD_2(X) EACH_6(X, 2)
#define WINOGRAD_3(X) EACH_4(X, 3)
#define WINOGRAD_4(X)
#endif
/* clang-format on */

/* Most pixels (pairs) of a tile of 1 .. TILE_VECTORS vectors; 0: no such tile. */
extern const int8_t NI_SIMD(direct_pixels)[TILE_VECTORS];
extern const int8_t NI_SIMD(winograd_pairs)[TILE_VECTORS];
extern const ni_tile NI_SIMD(direct_tiles)[TILE_VECTORS][TILE_PIXELS];
extern const ni_tile NI_SIMD(winograd_tiles)[TILE_VECTORS][TILE_PIXELS];
/* The mask of a fused convolution, from channel k on. */
static inline void ni_tile_mask(ni_tile_job *job, const ni_conv_fused *fused, int64_t k) {
    if (!fused || !fused->mask_scale) return;
    job->mask_scale = (const float *)fused->mask_scale + k;
    job->mask_shift = (const float *)fused->mask_shift + k;
    job->mask_high = fused->mask_clamp > 0 ? (float)fused->mask_clamp : INFINITY;
}
/* v where 0 < m < high, else 0 (and where m is NaN) */
V_INLINE vector v_inside(vector m, vector high, vector v) {
    return v_keep(v_both(v_less(v_zero(), m), v_less(m, high)), v);
}
/* Whether sums are stored as they are; else they go to a buffer [pixels][vectors * V_WIDTH], and
 * from there by finish_tile. */
static inline bool ni_tile_is_plain(const ni_tile_job *job, const float *mask) {
    return !mask && !job->add && job->lanes == V_WIDTH;
}
void NI_SIMD(finish_tile)(const ni_tile_job *job, const float *sums, int64_t pixels,
                          int64_t vectors, float *y, const float *mask);
/* Vectors of the longest block when so many vectors of output channels and so many columns are cut
 * into tiles of at most pixels[vectors - 1] columns. */
int64_t NI_SIMD(choose_vectors)(int64_t vectors, int64_t columns, const int8_t *pixels,
                                bool winograd);
/* Whether rows of `out` output pixels go by Winograd tiles. */
static inline bool ni_winograd_fits(const ni_conv *c, int64_t out) {
    return c->kw == 3 && c->sw == 1 && c->dw == 1 && out >= 2 && out != 3 && c->ci >= 8 &&
           c->co >= 8;
}

/* ---- rows (conv_rows.c) ------------------------------------------------------------------------
 *
 * Convolutions read their input a row at a time into a buffer near the processor: with the zeros
 * around the image, so that borders are no special case, and with whatever else is to be done to it
 * (ReLU, a batch norm's normalisation, a batch norm's gradient, Winograd's transform). */
typedef struct {
    const float *x;
    int64_t h, w, c; /* a row is w * c elements */
    const float *scale, *shift,
        *other_scale;   /* NULL, or [c]: x * scale + other * other_scale + shift */
    const float *other; /* as x, or NULL */
    bool relu;
    float high; /* with scale and relu: no more than that */
} ni_row_source;

static inline ni_row_source ni_row_source_x(const ni_conv *c, uint32_t flags, const void *x,
                                            const ni_conv_fused *fused) {
    ni_row_source s = {.x = x, .h = c->h, .w = c->w, .c = c->ci, .high = INFINITY};
    s.relu = (flags & NI_CONV_RELU_IN) != 0;
    if (fused) s.scale = fused->scale, s.shift = fused->shift;
    if (fused && fused->clamp > 0) s.high = (float)fused->clamp;
    return s;
}
static inline ni_row_source ni_row_source_dy(const ni_conv *c, const void *dy,
                                             const ni_conv_fused *fused) {
    ni_row_source s = {.x = dy, .h = c->oh, .w = c->ow, .c = c->co, .high = INFINITY};
    if (fused && fused->a)
        s.scale = fused->a, s.other_scale = fused->b, s.shift = fused->k, s.other = fused->y;
    return s;
}
static inline bool ni_row_source_plain(const ni_row_source *s) {
    return !s->scale && !s->relu;
}

/* Pixels left <= p < left + pixels of row `row` (of all images'), 0 outside the image; left may be
 * negative. */
void NI_SIMD(read_row)(const ni_row_source *s, int64_t row, int64_t left, int64_t pixels,
                       float *to);
/* The same row transformed for Winograd tiles: four planes of `pairs` pixels each, `plane` elements
 * apart, made from 2 * pairs + 2 pixels. */
void NI_SIMD(read_row_winograd)(const ni_row_source *s, int64_t row, int64_t left, int64_t pairs,
                                int64_t plane, float *to);
/* The transform of what a Winograd tile gives: sum and difference of the pixels of each pair, in
 * two planes. */
void NI_SIMD(winograd_output)(const float *z, int64_t pairs, int64_t c, int64_t plane, float *to);

/* ---- scratch -----------------------------------------------------------------------------------
 */

/* Cuts pieces off a scratch buffer, each on a cache line of its own. The same code with at = 0
 * counts what is needed. */
typedef struct {
    uintptr_t at;
} ni_scratch;
static inline ni_scratch ni_scratch_of(void *memory) {
    ni_scratch s = {((uintptr_t)memory + 63) & ~(uintptr_t)63};
    return s;
}
static inline void *ni_scratch_take(ni_scratch *s, int64_t n, size_t size) {
    void *piece = (void *)s->at; /* NOLINT: an address when there is one */
    s->at += ((size_t)n * size + 63) & ~(size_t)63;
    return piece;
}
static inline size_t ni_scratch_size(const ni_scratch *s) {
    return (size_t)s->at + 64;
}
/* Rows that follow each other in a buffer: a whole number of cache lines, an odd one, so that equal
 * columns of some rows do not fall into one set of the cache. Elements. */
static inline int64_t ni_row_pitch(int64_t elements) {
    return (((elements + 15) / 16) | 1) * 16;
}

/* ---- convolutions -------------------------------------------------------------------------------
 */

/* conv_weights.c: groups = 1 */
size_t NI_SIMD(weights_scratch_bytes)(const ni_conv *c);
void NI_SIMD(weights_gradient)(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                               const float *x, const float *dy, float *dw, int64_t n0, int64_t n1,
                               void *scratch);
/* conv_depthwise_weights.c: groups = ci = co */
size_t NI_SIMD(depthwise_scratch_bytes)(const ni_conv *c);
void NI_SIMD(depthwise_gradient)(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                                 const float *x, const float *dy, float *dw, int64_t n0, int64_t n1,
                                 void *scratch);

/* ---- the other kernels
 * --------------------------------------------------------------------------- */

/* norm.c: joins mean and squared deviations of `rows` rows of [rows, c] to those of `before` rows.
 */
void NI_SIMD(add_moments)(const float *x, int64_t c, int64_t rows, int64_t before, float *mean,
                          float *m2);
void NI_SIMD(norm_kernels)(ni_kernels *table);
void NI_SIMD(elementwise_kernels)(ni_kernels *table);
void NI_SIMD(pool_kernels)(ni_kernels *table);
void NI_SIMD(layer_norm_kernels)(ni_kernels *table);
/* table.c: all of them; conv_gemm.c: convolutions by matrix products. */
void NI_SIMD(kernels)(ni_kernels *table);
void NI_SIMD(gemm_convolutions)(ni_kernels *table);

#endif
