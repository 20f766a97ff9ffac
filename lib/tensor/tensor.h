/* lib/tensor: shapes, and the kernels that do the arithmetic.
 *
 * Every tensor has four dimensions, innermost last, dense:
 *   images       N, H, W, C
 *   matrices     rows, 1, 1, columns
 *   vectors      1, 1, 1, C           (bias, scale, batch-norm statistics: 2, 1, 1, C)
 *   conv weights KH, KW, CI / groups, CO
 *   linear       CI, 1, 1, CO         (transposed to PyTorch's O, I only in files)
 * Elements are float32, or float64 in the build of a graph that checks gradients.
 *
 * Kernels are plain functions over ranges: they know nothing of graphs or threads, allocate
 * nothing and cannot fail; pointers are aligned to the element, no more is promised. Whoever calls
 * them cuts the work in pieces (whose number comes from the shape) and gives scratch memory. One
 * table for each element type and instruction set; a faster table starts as a copy of the generic
 * one and replaces what it does better.
 */
#ifndef NI_TENSOR_H
#define NI_TENSOR_H
#include "../core/core.h"

enum { NI_F32 = 0, NI_F64 = 1 };
static inline size_t ni_dtype_size(uint32_t dtype) { return dtype == NI_F64 ? 8 : 4; }

typedef struct {
    int64_t d[4];
} ni_shape;
static inline ni_shape ni_shape4(int64_t a, int64_t b, int64_t c, int64_t d)
{
    ni_shape s = {{a, b, c, d}};
    return s;
}
static inline int64_t ni_shape_count(ni_shape s) { return s.d[0] * s.d[1] * s.d[2] * s.d[3]; }
static inline bool ni_shape_equal(ni_shape a, ni_shape b)
{
    return a.d[0] == b.d[0] && a.d[1] == b.d[1] && a.d[2] == b.d[2] && a.d[3] == b.d[3];
}

/* A convolution of any kind. Padding is given for the top and left; bottom and right follow from
 * the output's size. */
typedef struct {
    int32_t n, h, w, ci;       /* input */
    int32_t oh, ow, co;        /* output */
    int32_t kh, kw, sh, sw;    /* kernel, stride */
    int32_t ph, pw, dh, dw;    /* padding (top, left), dilation */
    int32_t groups;            /* divides ci and co; groups = ci = co is depthwise */
} ni_conv;

/* Flags that fold a neighbour into a convolution: its pass over memory is then not made. A relu, here
 * and everywhere, is 0 for what is less than 0 and leaves a NaN a NaN: divergence must show. */
enum {
    NI_CONV_RELU_IN = 1,   /* x is read as max(x, 0): forward and weight gradient */
    NI_CONV_MASK_OUT = 2,  /* input gradient is multiplied by (mask > 0), mask shaped as x */
    NI_CONV_ADD_OUT = 4,   /* result is added to what the output holds */
};

/* What else a convolution may do on its way (the fused slots of the table). All pointers are of the
 * table's element type; NULL: not. Padding stays 0, whatever is done to the tensor it surrounds. */
typedef struct {
    /* x is read as x * scale[ci] + shift[ci], then max(., 0) with NI_CONV_RELU_IN: the batch norm
     * before it needs no pass of its own. Forward and weight gradient. */
    const void *scale, *shift;
    /* dy is read as dy * a[co] + y[.., co] * b[co] + k[co]: bn_gradient of the batch norm behind it,
     * whose input y is this convolution's output. Input and weight gradient. */
    const void *a, *b, *k, *y;
    /* The mask of NI_CONV_MASK_OUT is read as mask * mask_scale[ci] + mask_shift[ci]: it is then the
     * input of the batch norm whose output was rectified. Input gradient. */
    const void *mask_scale, *mask_shift;
    /* Beside those: what was read is at most clamp (after the ReLU); only where the mask is below
     * mask_clamp does it let through. 0: no such bound. */
    double clamp, mask_clamp;
    /* mean[co] and m2[co] (as bn_moments) of the rows of y that the call makes. Forward. */
    void *mean, *m2;
} ni_conv_fused;

typedef struct {
    int32_t n, h, w, c, oh, ow;
    int32_t kh, kw, sh, sw, ph, pw;
} ni_pool; /* average pooling divides by the number of cells inside the image (padding not counted) */

typedef enum {
    NI_EXP, NI_LOG, NI_SQRT, NI_RSQRT, NI_RECIPROCAL, NI_SQUARE, NI_ABS, NI_SIGN, NI_SIGMOID, NI_TANH,
    NI_HARD_SWISH,      /* x min(max(x + 3, 0), 6) / 6 */
    NI_HARD_SWISH_SLOPE /* its derivative: 0 below -3, x / 3 + 1/2, 1 above 3 */
} ni_unary_kind;

/* Images n, h, w, c made as large as oh, ow. linear 0: the nearest, element floor(o h / oh). 1: between
 * the two nearest of each dimension, whose pixels' middles are at (o + 1/2) h / oh - 1/2, never outside
 * the image (PyTorch's interpolate, align_corners = False; ONNX's half_pixel). */
typedef struct {
    int32_t n, h, w, c, oh, ow, linear;
} ni_resize;

/* C[m,n] = alpha * op(A) op(B) + beta * C, row-major, leading dimensions in elements. */
typedef void (*ni_gemm)(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha,
                        const void *a, int64_t lda, const void *b, int64_t ldb, double beta,
                        void *c, int64_t ldc);

typedef struct ni_kernels {
    const char *name; /* "f32-avx2" */
    int32_t isa;
    uint32_t dtype;

    /* ---- convolution. Pointers are of the table's element type. ----
     * Packed weights: the layout is the table's own; pack once for each call, then share.
     * what: 0 forward, 1 input gradient. */
    size_t (*conv_packed_bytes)(const ni_conv *c, int what);
    void (*conv_pack)(const ni_conv *c, int what, const void *weights, void *packed);
    /* scratch for one lane. what: 0 forward, 1 input gradient, 2 weight gradient; 4 more for the
     * fused ones (never less than for the plain ones) */
    size_t (*conv_scratch_bytes)(const ni_conv *c, int what);
    /* Output rows r0 <= r < r1 of the n * oh rows of y. */
    void (*conv_forward)(const ni_conv *c, uint32_t flags, const void *x, const void *packed, void *y,
                         int64_t r0, int64_t r1, void *scratch);
    /* Input rows r0 <= r < r1 of the n * h rows of dx. mask: NULL without NI_CONV_MASK_OUT. */
    void (*conv_input_gradient)(const ni_conv *c, uint32_t flags, const void *dy, const void *packed,
                                void *dx, const void *mask, int64_t r0, int64_t r1, void *scratch);
    /* dw (whole weight shape) = the sum over images n0 <= n < n1; replaces what dw holds. */
    void (*conv_weight_gradient)(const ni_conv *c, uint32_t flags, const void *x, const void *dy,
                                 void *dw, int64_t n0, int64_t n1, void *scratch);
    /* The same with what `fused` says besides (what is NULL in it is not done). Packed weights are
     * those of the plain ones. */
    void (*conv_forward_fused)(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                               const void *x, const void *packed, void *y, int64_t r0, int64_t r1,
                               void *scratch);
    void (*conv_input_gradient_fused)(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                                      const void *dy, const void *packed, void *dx, const void *mask,
                                      int64_t r0, int64_t r1, void *scratch);
    void (*conv_weight_gradient_fused)(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                                       const void *x, const void *dy, void *dw, int64_t n0,
                                       int64_t n1, void *scratch);

    ni_gemm gemm;

    /* ---- pooling: rows as in convolution ---- */
    void (*max_pool)(const ni_pool *p, const void *x, void *y, int64_t r0, int64_t r1);
    /* dx for images n0..n1: dy goes to the first maximum of its window in x (rows, then columns),
     * as PyTorch does; NaN counts as larger. */
    void (*max_pool_gradient)(const ni_pool *p, const void *x, const void *dy, void *dx, int64_t n0,
                              int64_t n1);
    /* y[window] = g[where x is largest in the window]: the transpose of max_pool_gradient. */
    void (*max_pool_pick)(const ni_pool *p, const void *x, const void *g, void *y, int64_t r0,
                          int64_t r1);
    void (*avg_pool)(const ni_pool *p, const void *x, void *y, int64_t r0, int64_t r1);
    void (*avg_pool_gradient)(const ni_pool *p, const void *dy, void *dx, int64_t n0, int64_t n1);

    /* ---- resizing: output rows r0 <= r < r1 of n * oh; its transpose, images n0 <= n < n1 ---- */
    void (*resize)(const ni_resize *s, const void *x, void *y, int64_t r0, int64_t r1);
    void (*resize_gradient)(const ni_resize *s, const void *dy, void *dx, int64_t n0, int64_t n1);

    /* ---- batch norm over rows r0..r1 of [rows, c] ---- */
    /* mean[c] and m2[c] (sum of squared deviations) of these rows */
    void (*bn_moments)(const void *x, int64_t c, int64_t r0, int64_t r1, void *mean, void *m2);
    /* y = x * scale[c] + shift[c]; relu: then max(., 0) */
    void (*scale_shift)(const void *x, const void *scale, const void *shift, void *y, int64_t c,
                        int64_t r0, int64_t r1, bool relu);
    /* sums of dy and of dy * (x - mean[c]) over these rows */
    void (*bn_gradient_sums)(const void *x, const void *dy, const void *mean, int64_t c, int64_t r0,
                             int64_t r1, void *sum_dy, void *sum_dy_x);
    /* dx = dy * a[c] + x * b[c] + k[c] */
    void (*bn_gradient)(const void *x, const void *dy, const void *a, const void *b, const void *k,
                        void *dx, int64_t c, int64_t r0, int64_t r1);
    /* Several batch norms whose outputs are added (a node of a cell), in one pass:
     * y = the sum over i < n of x[i] * scale[i][c] + shift[i][c], then max(., 0) if relu. scale[i]
     * NULL: x[i] as it is. y may be one of x. */
    void (*scale_shift_sum)(const void *const *x, const void *const *scale,
                            const void *const *shift, uint32_t n, void *y, int64_t c, int64_t r0,
                            int64_t r1, bool relu);
    /* bn_gradient_sums of the same: sum_dy once, sum_dy_x[i] for each. */
    void (*bn_gradient_sums_many)(const void *const *x, const void *dy, const void *const *mean,
                                  uint32_t n, int64_t c, int64_t r0, int64_t r1, void *sum_dy,
                                  void *const *sum_dy_x);

    /* ---- elementwise, elements i0 <= i < i1. y may be one of the inputs (here, in scale_shift and
     * bn_gradient above, in row_scale and softmax below): an element is read before it is written,
     * and nothing else is. ---- */
    void (*add)(const void *const *x, uint32_t n_inputs, void *y, int64_t i0, int64_t i1);
    void (*mul)(const void *a, const void *b, void *y, int64_t i0, int64_t i1);
    void (*relu)(const void *x, void *y, double low, double high, int64_t i0, int64_t i1);
    /* y = g where low < x < high, else 0 */
    void (*relu_gradient)(const void *x, const void *g, void *y, double low, double high, int64_t i0,
                          int64_t i1);
    /* y = a x + b z; z NULL: y = a x + b */
    void (*axpby)(double a, const void *x, double b, const void *z, void *y, int64_t i0, int64_t i1);
    void (*unary)(int kind, const void *x, void *y, int64_t i0, int64_t i1); /* NI_EXP .. */
    /* sum over rows r0..r1 of x (and of x * y when y is given) for each channel */
    void (*channel_sum)(const void *x, const void *y, int64_t c, int64_t r0, int64_t r1, void *sum);

    /* ---- rows r0 <= r < r1 of [rows, c] ---- */
    void (*row_sum)(const void *x, const void *y, int64_t c, int64_t r0, int64_t r1, void *sum);
    void (*row_scale)(const void *x, const void *factor, void *y, int64_t c, int64_t r0, int64_t r1);
    void (*softmax)(const void *x, void *y, int64_t c, int64_t r0, int64_t r1, bool logarithm);
    /* y = (x - the row's mean) / sqrt(the row's variance, biased, + epsilon) */
    void (*layer_norm)(const void *x, void *y, double epsilon, int64_t c, int64_t r0, int64_t r1);
    /* dx of it, given x and dy. dx may be dy. */
    void (*layer_norm_gradient)(const void *x, const void *dy, void *dx, double epsilon, int64_t c,
                                int64_t r0, int64_t r1);
    /* loss[r]: cross-entropy with label smoothing; 0 where the label is -1. */
    void (*cross_entropy)(const void *x, const int32_t *labels, double smoothing, void *loss,
                          int64_t c, int64_t r0, int64_t r1);
    /* y of `shape`, element [i,j,k,l] = x[i*s0 + j*s1 + k*s2 + l*s3]: rows r0 <= r < r1 of its first
     * three dimensions. Stride 0 repeats. */
    void (*gather)(const void *x, const int64_t strides[4], void *y, ni_shape shape, int64_t r0,
                   int64_t r1);

    /* ---- optimizers, elements i0 <= i < i1: PyTorch's formulas ---- */
    void (*sgd)(void *w, const void *g, void *momentum_buffer, double lr, double momentum,
                double weight_decay, bool nesterov, bool first, double gradient_scale, int64_t i0,
                int64_t i1);
    void (*adam)(void *w, const void *g, void *m, void *v, double lr, double beta1, double beta2,
                 double epsilon, double weight_decay, bool decoupled, int64_t step,
                 double gradient_scale, int64_t i0, int64_t i1);
} ni_kernels;

/* Fills a table (the caller's own: there is no global one) for an element type and instruction set
 * (NAS_ISA_*, not BEST); generic where a faster one was not built. float64 is always generic. */
void ni_kernels_get(ni_kernels *table, uint32_t dtype, int32_t isa);

/* Makers, each in its own file under kernels/: the generic ones fill everything, the others replace
 * in an f32 table what they do better. Order: generic, BLIS's gemm (not for NAS_ISA_GENERIC, whose
 * results are the same on every machine), the instruction set's own. */
void ni_kernels_blis(ni_kernels *table);
void ni_kernels_generic_f32(ni_kernels *table);
void ni_kernels_generic_f64(ni_kernels *table);
void ni_kernels_avx2(ni_kernels *table);
void ni_kernels_avx512(ni_kernels *table);
void ni_kernels_neon(ni_kernels *table);
ni_gemm ni_gemm_f32(void); /* BLIS's; the generic one where there is none */

/* ---- the other way to make a convolution: by matrix products (conv_gemm.c, choose.c) ----------- */

/* Has it that way at all? what: 0 forward, 1 input gradient, 2 weight gradient. */
static inline bool ni_conv_fits_gemm(const ni_conv *c, int what)
{
    return c->groups == 1 && (what != 1 || (c->sh == 1 && c->sw == 1));
}
/* Replaces a table's convolutions by matrix products, where they fit. false: the table has no such
 * kernels (generic, float64, a build without BLIS), and stays as it was. */
bool ni_kernels_by_gemm(ni_kernels *table);

/* The fixed model (choose.c). what: as above. */
typedef enum { NI_OWN, NI_BLIS } ni_way;
ni_way ni_choose_conv(const ni_conv *c, int what, int32_t isa);
ni_way ni_choose_matmul(int32_t isa);

#endif
