/* Convolutions of one group as matrix products, which BLIS makes: the other way beside the tiles of
 * conv_dense.c and conv_weights.c. choose.c says which of the two a shape goes.
 *
 * The inputs that an output pixel is made from are laid side by side, a row of a matrix for each
 * pixel (Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document
 * Processing", 2006); some rows of the image at a time, so that the matrix stays near the
 * processor. Where a pixel is made from one pixel (1x1) the tensor is that matrix. The input
 * gradient is the same from dy, the kernel turned around, at stride 1; the weight gradient is the
 * matrix, transposed, times dy. Whatever is to be done to what is read is done on the way. */
#include "simd.h"

enum { MATRIX_ELEMENTS = 1 << 16 }; /* of a matrix, beside packed blocks in a cache of 512 KiB */

typedef struct {
    const ni_conv *c;
    bool gradient;                  /* dx from dy; else y from x, and what dw is made from */
    bool pointwise;                 /* the source's pixels are the matrix's rows */
    int64_t h, w, channels;         /* source */
    int64_t out_h, out_w, out_c;    /* whose pixels are the matrix's rows */
    int64_t sh, sw, ph, pw, pixels; /* pixels: of a source row with what surrounds it */
    int64_t columns;
    int64_t rows; /* of the image, made at a time */
} matrix_plan;

static matrix_plan make_plan(const ni_conv *c, bool gradient) {
    matrix_plan p = {.c = c, .gradient = gradient};
    p.h = gradient ? c->oh : c->h, p.w = gradient ? c->ow : c->w;
    p.channels = gradient ? c->co : c->ci;
    p.out_h = gradient ? c->h : c->oh, p.out_w = gradient ? c->w : c->ow;
    p.out_c = gradient ? c->ci : c->co;
    p.sh = gradient ? 1 : c->sh, p.sw = gradient ? 1 : c->sw;
    p.ph = gradient ? (c->kh - 1) * (int64_t)c->dh - c->ph : c->ph;
    p.pw = gradient ? (c->kw - 1) * (int64_t)c->dw - c->pw : c->pw;
    p.pixels = (p.out_w - 1) * p.sw + (c->kw - 1) * (int64_t)c->dw + 1;
    p.columns = (int64_t)c->kh * c->kw * p.channels;
    p.pointwise = c->kh == 1 && c->kw == 1 && p.sh == 1 && p.sw == 1 && p.ph == 0 && p.pw == 0 &&
                  p.h == p.out_h && p.w == p.out_w;
    p.rows = most(MATRIX_ELEMENTS / (p.out_w * p.columns), 1);
    p.rows = least(p.rows, c->n * p.out_h);
    return p;
}

typedef struct {
    float *matrix, *line; /* rows of the matrix; a source row with its surroundings */
    float
        *other; /* forward: not used; input gradient: before the mask; weights: dy as it is read */
} workspace;

static workspace take(const matrix_plan *p, int64_t other, ni_scratch *s) {
    workspace w;
    w.matrix = ni_scratch_take(s, p->rows * p->out_w * p->columns, sizeof(float));
    w.line = ni_scratch_take(s, p->pointwise ? 0 : p->pixels * p->channels, sizeof(float));
    w.other = ni_scratch_take(s, p->rows * p->out_w * other, sizeof(float));
    return w;
}

/* Rows of the matrix from kernel row ky, `line` being the source row that they see; NULL: none. */
static void spread(const matrix_plan *p, const float *line, int64_t ky, float *to) {
    const int64_t taps = p->c->kw, k = p->channels, step = p->c->dw * k;
    to += ky * taps * k;
    for (int64_t x = 0; x < p->out_w; x++, to += p->columns) {
        const float *from = line ? line + x * p->sw * k : NULL;
        if (!line)
            memset(to, 0, (size_t)(taps * k) * sizeof(float));
        else if (p->c->dw == 1)
            memcpy(to, from, (size_t)(taps * k) * sizeof(float));
        else
            for (int64_t i = 0; i < taps; i++)
                memcpy(to + i * k, from + i * step, (size_t)k * sizeof(float));
    }
}

/* The matrix of rows from <= r < to. */
static const float *make_matrix(const matrix_plan *p, const workspace *w, const ni_row_source *s,
                                int64_t from, int64_t to) {
    if (p->pointwise && ni_row_source_plain(s)) return s->x + from * p->w * p->channels;
    if (p->pointwise) {
        ni_row_source all = *s;
        all.w = to * p->w;
        NI_SIMD(read_row)(&all, 0, from * p->w, (to - from) * p->w, w->matrix);
        return w->matrix;
    }
    for (int64_t r = from; r < to; r++) {
        const int64_t image = r / p->out_h, top = r % p->out_h * p->sh - p->ph;
        for (int64_t ky = 0; ky < p->c->kh; ky++) {
            const int64_t row = top + ky * p->c->dh;
            const bool inside = row >= 0 && row < p->h;
            if (inside) NI_SIMD(read_row)(s, image * p->h + row, -p->pw, p->pixels, w->line);
            spread(p, inside ? w->line : NULL, ky, w->matrix + (r - from) * p->out_w * p->columns);
        }
    }
    return w->matrix;
}

/* ---- the slots of the table ---------------------------------------------------------------- */

static ni_kernels own(void) {
    ni_kernels table;
    ni_kernels_generic_f32(&table);
    NI_SIMD(kernels)(&table);
    return table;
}

static size_t packed_bytes(const ni_conv *c, int what) {
    if (!ni_conv_fits_gemm(c, what)) return own().conv_packed_bytes(c, what);
    return (size_t)((int64_t)c->kh * c->kw * c->ci * c->co) * sizeof(float);
}

/* Forward: as they are. Gradient: taps turned around, [taps][output channels][input channels]. */
static void pack(const ni_conv *c, int what, const void *weights, void *packed) {
    const int64_t taps = (int64_t)c->kh * c->kw, ci = c->ci, co = c->co;
    const float *w = weights;
    float *to = packed;
    if (!ni_conv_fits_gemm(c, what)) {
        own().conv_pack(c, what, weights, packed);
    } else if (what == 0) {
        memcpy(to, w, (size_t)(taps * ci * co) * sizeof(float));
    } else {
        for (int64_t t = 0; t < taps; t++)
            for (int64_t i = 0; i < ci; i++)
                for (int64_t o = 0; o < co; o++)
                    to[((taps - 1 - t) * co + o) * ci + i] = w[(t * ci + i) * co + o];
    }
}

static size_t scratch_bytes(const ni_conv *c, int what) {
    const int pass = what & 3;
    if (!ni_conv_fits_gemm(c, pass)) return own().conv_scratch_bytes(c, what);
    const matrix_plan p = make_plan(c, pass == 1);
    ni_scratch s = {0};
    take(&p, pass == 0 ? 0 : p.out_c, &s);
    return ni_scratch_size(&s);
}

static void forward_fused(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                          const void *x, const void *packed, void *y, int64_t r0, int64_t r1,
                          void *scratch) {
    if (!ni_conv_fits_gemm(c, 0)) {
        own().conv_forward_fused(c, flags, fused, x, packed, y, r0, r1, scratch);
        return;
    }
    const matrix_plan p = make_plan(c, false);
    const ni_row_source source = ni_row_source_x(c, flags, x, fused);
    const ni_gemm gemm = ni_gemm_f32();
    ni_scratch s = ni_scratch_of(scratch);
    const workspace w = take(&p, 0, &s);
    for (int64_t from = r0, to; from < r1; from = to) {
        to = least(from + p.rows, r1);
        float *out = (float *)y + from * p.out_w * p.out_c;
        const int64_t pixels = (to - from) * p.out_w;
        gemm(false, false, pixels, p.out_c, p.columns, 1, make_matrix(&p, &w, &source, from, to),
             p.columns, packed, p.out_c, flags & NI_CONV_ADD_OUT ? 1 : 0, out, p.out_c);
        if (fused && fused->mean) NI_SIMD(add_moments)
        (out, p.out_c, pixels, (from - r0) * p.out_w, fused->mean, fused->m2);
    }
}

V_INLINE void mask_vector(const float *sums, const ni_tile_job *mask, const float *by, bool add,
                          float *y, int64_t k, int64_t n) {
    vector m = v_load_part(by + k, n);
    if (mask->mask_scale)
        m = v_fma(m, v_load_part(mask->mask_scale + k, n), v_load_part(mask->mask_shift + k, n));
    vector v = v_load_part(sums + k, n);
    if (mask->mask_scale)
        v = v_inside(m, v_set(mask->mask_high), v);
    else
        v = v_keep(v_less(v_zero(), m), v);
    if (add) v = v_load_part(y + k, n) + v;
    v_store_part(y + k, v, n);
}

static void input_gradient_fused(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                                 const void *dy, const void *packed, void *dx, const void *mask,
                                 int64_t r0, int64_t r1, void *scratch) {
    if (!ni_conv_fits_gemm(c, 1)) {
        own().conv_input_gradient_fused(c, flags, fused, dy, packed, dx, mask, r0, r1, scratch);
        return;
    }
    const matrix_plan p = make_plan(c, true);
    const ni_row_source source = ni_row_source_dy(c, dy, fused);
    const bool add = (flags & NI_CONV_ADD_OUT) != 0, masked = (flags & NI_CONV_MASK_OUT) != 0;
    const ni_gemm gemm = ni_gemm_f32();
    ni_scratch s = ni_scratch_of(scratch);
    const workspace w = take(&p, p.out_c, &s);
    ni_tile_job job = {.add = add};
    ni_tile_mask(&job, fused, 0);
    for (int64_t from = r0, to; from < r1; from = to) {
        to = least(from + p.rows, r1);
        const int64_t at = from * p.out_w * p.out_c, pixels = (to - from) * p.out_w;
        float *out = (float *)dx + at, *sums = masked ? w.other : out;
        gemm(false, false, pixels, p.out_c, p.columns, 1, make_matrix(&p, &w, &source, from, to),
             p.columns, packed, p.out_c, add && !masked ? 1 : 0, sums, p.out_c);
        for (int64_t i = 0; masked && i < pixels * p.out_c; i += p.out_c)
            COLUMNS(p.out_c,
                    mask_vector(sums + i, &job, (const float *)mask + at + i, add, out + i, k, n));
    }
}

static void weight_gradient_fused(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                                  const void *x, const void *dy, void *dw, int64_t n0, int64_t n1,
                                  void *scratch) {
    if (!ni_conv_fits_gemm(c, 2)) {
        own().conv_weight_gradient_fused(c, flags, fused, x, dy, dw, n0, n1, scratch);
        return;
    }
    const matrix_plan p = make_plan(c, false);
    const ni_row_source source = ni_row_source_x(c, flags, x, fused);
    ni_row_source right = ni_row_source_dy(c, dy, fused);
    const ni_gemm gemm = ni_gemm_f32();
    ni_scratch s = ni_scratch_of(scratch);
    const workspace w = take(&p, p.out_c, &s);
    memset(dw, 0, (size_t)(p.columns * p.out_c) * sizeof(float));
    for (int64_t from = n0 * p.out_h, to; from < n1 * p.out_h; from = to) {
        to = least(from + p.rows, n1 * p.out_h);
        const int64_t pixels = (to - from) * p.out_w;
        const float *matrix = make_matrix(&p, &w, &source, from, to);
        const float *by = right.x + from * p.out_w * p.out_c;
        if (!ni_row_source_plain(&right)) {
            right.w = to * p.out_w;
            NI_SIMD(read_row)(&right, 0, from * p.out_w, pixels, w.other);
            by = w.other;
        }
        gemm(true, false, p.columns, p.out_c, pixels, 1, matrix, p.columns, by, p.out_c, 1, dw,
             p.out_c);
    }
}

static void forward(const ni_conv *c, uint32_t flags, const void *x, const void *packed, void *y,
                    int64_t r0, int64_t r1, void *scratch) {
    forward_fused(c, flags, NULL, x, packed, y, r0, r1, scratch);
}

static void input_gradient(const ni_conv *c, uint32_t flags, const void *dy, const void *packed,
                           void *dx, const void *mask, int64_t r0, int64_t r1, void *scratch) {
    input_gradient_fused(c, flags, NULL, dy, packed, dx, mask, r0, r1, scratch);
}

static void weight_gradient(const ni_conv *c, uint32_t flags, const void *x, const void *dy,
                            void *dw, int64_t n0, int64_t n1, void *scratch) {
    weight_gradient_fused(c, flags, NULL, x, dy, dw, n0, n1, scratch);
}

void NI_SIMD(gemm_convolutions)(ni_kernels *table) {
    table->conv_packed_bytes = packed_bytes;
    table->conv_pack = pack;
    table->conv_scratch_bytes = scratch_bytes;
    table->conv_forward = forward;
    table->conv_input_gradient = input_gradient;
    table->conv_weight_gradient = weight_gradient;
    table->conv_forward_fused = forward_fused;
    table->conv_input_gradient_fused = input_gradient_fused;
    table->conv_weight_gradient_fused = weight_gradient_fused;
}
