/* Convolutions of every table against float64: values, flags, cuts of the rows, and that nothing
 * outside the tensors is touched. */
#include "kernel_test.h"

/* Rounding: a few units in the last place of what the terms add up to; Winograd's transforms take
 * some more. */
static const double TOLERANCE = 1e-6;

static ni_conv shape(int32_t n, int32_t h, int32_t w, int32_t ci, int32_t co, int32_t kh,
                     int32_t kw, int32_t sh, int32_t sw, int32_t ph, int32_t pw, int32_t dh,
                     int32_t dw, int32_t groups) {
    ni_conv c = {n, h, w, ci, 0, 0, co, kh, kw, sh, sw, ph, pw, dh, dw, groups};
    c.oh = (h + 2 * ph - (kh - 1) * dh - 1) / sh + 1;
    c.ow = (w + 2 * pw - (kw - 1) * dw - 1) / sw + 1;
    return c;
}

typedef struct {
    const ni_kernels *k;
    ni_kernels reference;
    results *r;
    ni_conv c;
    bool at_end;
    numbers from;
    tensor x, w, y, dx, old_y, old_dx;
} site;

static int64_t x_count(const ni_conv *c) {
    return (int64_t)c->n * c->h * c->w * c->ci;
}
static int64_t y_count(const ni_conv *c) {
    return (int64_t)c->n * c->oh * c->ow * c->co;
}
static int64_t w_count(const ni_conv *c) {
    return (int64_t)c->kh * c->kw * (c->ci / c->groups) * c->co;
}

/* Packs and gives scratch as a caller would, between guards. */
typedef struct {
    guarded packed, scratch;
} buffers;
static buffers prepare(const ni_kernels *k, const ni_conv *c, int what, const void *w,
                       bool at_end) {
    buffers b;
    size_t packed = what < 2 ? k->conv_packed_bytes(c, what) : 0;
    b.packed = guarded_alloc(packed, at_end);
    b.scratch = guarded_alloc(k->conv_scratch_bytes(c, what), at_end);
    if (what < 2) k->conv_pack(c, what, w, b.packed.data);
    return b;
}
static void release(buffers *b) {
    guarded_free(&b->packed);
    guarded_free(&b->scratch);
}

/* The definition, element by element, for the reference itself. */
static double naive_forward(const ni_conv *c, const double *x, const double *w, int64_t at) {
    const int64_t o = at % c->co, ox = at / c->co % c->ow, oy = at / c->co / c->ow % c->oh;
    const int64_t n = at / c->co / c->ow / c->oh, cig = c->ci / c->groups;
    const int64_t first = o / (c->co / c->groups) * cig;
    double sum = 0;
    for (int64_t ky = 0; ky < c->kh; ky++)
        for (int64_t kx = 0; kx < c->kw; kx++) {
            const int64_t y = oy * c->sh - c->ph + ky * c->dh, z = ox * c->sw - c->pw + kx * c->dw;
            if (y < 0 || y >= c->h || z < 0 || z >= c->w) continue;
            for (int64_t i = 0; i < cig; i++)
                sum += x[((n * c->h + y) * c->w + z) * c->ci + first + i] *
                       w[((ky * c->kw + kx) * cig + i) * c->co + o];
        }
    return sum;
}

static void forward(site *s, uint32_t flags) {
    const ni_conv *c = &s->c;
    const int64_t n = y_count(c), rows = (int64_t)c->n * c->oh;
    buffers b = prepare(s->k, c, 0, s->w.f, s->at_end);
    buffers exact = prepare(&s->reference, c, 0, s->w.d, true);
    buffers scale = prepare(&s->reference, c, 0, s->w.abs, true);
    tensor got = tensor_new(n, NULL, s->at_end), cut = tensor_new(n, NULL, s->at_end);
    memcpy(got.f, s->old_y.f, (size_t)n * sizeof(float));
    memcpy(cut.f, s->old_y.f, (size_t)n * sizeof(float));
    memcpy(got.d, s->old_y.d, (size_t)n * sizeof(double));
    memcpy(got.abs, s->old_y.abs, (size_t)n * sizeof(double));
    s->k->conv_forward(c, flags, s->x.f, b.packed.data, got.f, 0, rows, b.scratch.data);
    s->reference.conv_forward(c, flags, s->x.d, exact.packed.data, got.d, 0, rows,
                              exact.scratch.data);
    s->reference.conv_forward(c, flags & NI_CONV_ADD_OUT, s->x.abs, scale.packed.data, got.abs, 0,
                              rows, scale.scratch.data);
    check_near(s->r, "forward", got.f, got.d, got.abs, n, TOLERANCE);
    if (!flags)
        for (int64_t i = 0; i < n; i += 1 + n / 97)
            if (fabs(naive_forward(c, s->x.d, s->w.d, i) - got.d[i]) > 1e-12 * got.abs[i])
                wrong(s->r, "reference", i, got.d[i], naive_forward(c, s->x.d, s->w.d, i));
    for (int64_t r = 0, next; r < rows; r = next) {
        next = r + 1 + r % 5 < rows ? r + 1 + r % 5 : rows;
        s->k->conv_forward(c, flags, s->x.f, b.packed.data, cut.f, r, next, b.scratch.data);
    }
    check_same(s->r, "forward in pieces", cut.f, got.f, n);
    release(&b), release(&exact), release(&scale);
    tensor_free(&got), tensor_free(&cut);
}

static void input_gradient(site *s, uint32_t flags) {
    const ni_conv *c = &s->c;
    const int64_t n = x_count(c), rows = (int64_t)c->n * c->h;
    buffers b = prepare(s->k, c, 1, s->w.f, s->at_end);
    buffers exact = prepare(&s->reference, c, 1, s->w.d, true);
    buffers scale = prepare(&s->reference, c, 1, s->w.abs, true);
    tensor got = tensor_new(n, NULL, s->at_end), cut = tensor_new(n, NULL, s->at_end);
    const void *mask = flags & NI_CONV_MASK_OUT ? s->x.f : NULL;
    memcpy(got.f, s->old_dx.f, (size_t)n * sizeof(float));
    memcpy(cut.f, s->old_dx.f, (size_t)n * sizeof(float));
    memcpy(got.d, s->old_dx.d, (size_t)n * sizeof(double));
    memcpy(got.abs, s->old_dx.abs, (size_t)n * sizeof(double));
    s->k->conv_input_gradient(c, flags, s->y.f, b.packed.data, got.f, mask, 0, rows,
                              b.scratch.data);
    s->reference.conv_input_gradient(c, flags, s->y.d, exact.packed.data, got.d,
                                     mask ? s->x.d : NULL, 0, rows, exact.scratch.data);
    s->reference.conv_input_gradient(c, flags & NI_CONV_ADD_OUT, s->y.abs, scale.packed.data,
                                     got.abs, NULL, 0, rows, scale.scratch.data);
    check_near(s->r, "input gradient", got.f, got.d, got.abs, n, TOLERANCE);
    for (int64_t r = 0, next; r < rows; r = next) {
        next = r + 1 + r % 4 < rows ? r + 1 + r % 4 : rows;
        s->k->conv_input_gradient(c, flags, s->y.f, b.packed.data, cut.f, mask, r, next,
                                  b.scratch.data);
    }
    check_same(s->r, "input gradient in pieces", cut.f, got.f, n);
    release(&b), release(&exact), release(&scale);
    tensor_free(&got), tensor_free(&cut);
}

static void weight_gradient(site *s, uint32_t flags, int64_t n0) {
    const ni_conv *c = &s->c;
    const int64_t n = w_count(c);
    buffers b = prepare(s->k, c, 2, NULL, s->at_end);
    buffers exact = prepare(&s->reference, c, 2, NULL, true);
    tensor got = tensor_new(n, NULL, s->at_end);
    memset(got.f, 255, (size_t)n * sizeof(float)); /* is replaced */
    s->k->conv_weight_gradient(c, flags, s->x.f, s->y.f, got.f, n0, c->n, b.scratch.data);
    s->reference.conv_weight_gradient(c, flags, s->x.d, s->y.d, got.d, n0, c->n,
                                      exact.scratch.data);
    s->reference.conv_weight_gradient(c, 0, s->x.abs, s->y.abs, got.abs, n0, c->n,
                                      exact.scratch.data);
    check_near(s->r, "weight gradient", got.f, got.d, got.abs, n, TOLERANCE);
    release(&b), release(&exact);
    tensor_free(&got);
}

/* ---- fused: what is read is first made by hand
 * ---------------------------------------------------- */

/* A tensor and the vectors that it is read through, per channel; `read` is the result. */
typedef struct {
    tensor by, shift, other_by, read;
} reading;

static reading make_reading(site *s, const tensor *x, const tensor *other, int64_t c, bool relu) {
    reading r = {.by = tensor_new(c, &s->from, s->at_end),
                 .shift = tensor_new(c, &s->from, s->at_end)};
    r.other_by = tensor_new(c, &s->from, s->at_end);
    r.read = tensor_new(x->n, NULL, s->at_end);
    for (int64_t i = 0; i < x->n; i++) {
        const double more = other ? other->d[i] * r.other_by.d[i % c] : 0;
        const double v = x->d[i] * r.by.d[i % c] + r.shift.d[i % c] + more;
        r.read.d[i] = relu && v < 0 ? 0 : v;
        r.read.abs[i] = fabs(x->d[i] * r.by.d[i % c]) + r.shift.abs[i % c] + fabs(more);
    }
    return r;
}
static void free_reading(reading *r) {
    tensor_free(&r->by), tensor_free(&r->shift), tensor_free(&r->other_by), tensor_free(&r->read);
}

static buffers prepare_fused(const site *s, int what) {
    buffers b = prepare(s->k, &s->c, what, s->w.f, s->at_end);
    guarded_free(&b.scratch);
    b.scratch = guarded_alloc(s->k->conv_scratch_bytes(&s->c, what + 4), s->at_end);
    return b;
}

static void check_moments(site *s, const float *y, const float *mean, const float *m2) {
    const int64_t c = s->c.co, rows = y_count(&s->c) / c;
    for (int64_t k = 0; k < c; k++) {
        double sum = 0, size = 0, squares = 0;
        for (int64_t r = 0; r < rows; r++)
            sum += y[r * c + k], size += fabs((double)y[r * c + k]);
        for (int64_t r = 0; r < rows; r++)
            squares += (y[r * c + k] - sum / (double)rows) * (y[r * c + k] - sum / (double)rows);
        if (!(fabs(mean[k] - sum / (double)rows) <= 1e-6 * size / (double)rows))
            wrong(s->r, "mean", k, mean[k], sum / (double)rows);
        if (!(fabs(m2[k] - squares) <= 1e-5 * squares + 1e-12 * size * size))
            wrong(s->r, "squared deviations", k, m2[k], squares);
    }
}

static void fused_forward(site *s, uint32_t flags) {
    const ni_conv *c = &s->c;
    const int64_t n = y_count(c), rows = (int64_t)c->n * c->oh;
    reading x = make_reading(s, &s->x, NULL, c->ci, flags & NI_CONV_RELU_IN);
    buffers b = prepare_fused(s, 0), exact = prepare(&s->reference, c, 0, s->w.d, true);
    buffers scale = prepare(&s->reference, c, 0, s->w.abs, true);
    tensor got = tensor_new(n, NULL, s->at_end), mean = tensor_new(c->co, NULL, s->at_end);
    tensor m2 = tensor_new(c->co, NULL, s->at_end), y = tensor_new(n, NULL, s->at_end);
    const ni_conv_fused fused = {.scale = x.by.f, .shift = x.shift.f, .mean = mean.f, .m2 = m2.f};
    const ni_conv_fused moments = {.mean = mean.f, .m2 = m2.f};
    s->k->conv_forward_fused(c, flags, &fused, s->x.f, b.packed.data, got.f, 0, rows,
                             b.scratch.data);
    s->reference.conv_forward(c, 0, x.read.d, exact.packed.data, got.d, 0, rows,
                              exact.scratch.data);
    s->reference.conv_forward(c, 0, x.read.abs, scale.packed.data, got.abs, 0, rows,
                              scale.scratch.data);
    check_near(s->r, "fused forward", got.f, got.d, got.abs, n, TOLERANCE);
    check_moments(s, got.f, mean.f, m2.f);
    s->k->conv_forward_fused(c, flags, &moments, s->x.f, b.packed.data, got.f, 0, rows,
                             b.scratch.data);
    s->k->conv_forward(c, flags, s->x.f, b.packed.data, y.f, 0, rows, b.scratch.data);
    check_same(s->r, "forward with moments", got.f, y.f, n);
    check_moments(s, got.f, mean.f, m2.f);
    release(&b), release(&exact), release(&scale), free_reading(&x);
    tensor_free(&got), tensor_free(&mean), tensor_free(&m2), tensor_free(&y);
}

static void fused_input_gradient(site *s, bool mask_scaled) {
    const ni_conv *c = &s->c;
    const int64_t n = x_count(c), rows = (int64_t)c->n * c->h;
    reading dy = make_reading(s, &s->y, &s->old_y, c->co, false);
    reading mask = make_reading(s, &s->x, NULL, c->ci, false);
    buffers b = prepare_fused(s, 1), exact = prepare(&s->reference, c, 1, s->w.d, true);
    buffers scale = prepare(&s->reference, c, 1, s->w.abs, true);
    tensor got = tensor_new(n, NULL, s->at_end);
    const ni_conv_fused fused = {.a = dy.by.f,
                                 .b = dy.other_by.f,
                                 .k = dy.shift.f,
                                 .y = s->old_y.f,
                                 .mask_scale = mask_scaled ? mask.by.f : NULL,
                                 .mask_shift = mask_scaled ? mask.shift.f : NULL};
    const double *positive = mask_scaled ? mask.read.d : s->x.d;
    s->k->conv_input_gradient_fused(c, NI_CONV_MASK_OUT, &fused, s->y.f, b.packed.data, got.f,
                                    s->x.f, 0, rows, b.scratch.data);
    s->reference.conv_input_gradient(c, 0, dy.read.d, exact.packed.data, got.d, NULL, 0, rows,
                                     exact.scratch.data);
    s->reference.conv_input_gradient(c, 0, dy.read.abs, scale.packed.data, got.abs, NULL, 0, rows,
                                     scale.scratch.data);
    for (int64_t i = 0; i < n; i++) {
        if (positive[i] <= 0) got.d[i] = 0;
        if (fabs(positive[i]) < 1e-6) got.d[i] = got.f[i]; /* its sign is rounding */
    }
    check_near(s->r, "fused input gradient", got.f, got.d, got.abs, n, TOLERANCE);
    release(&b), release(&exact), release(&scale), free_reading(&dy), free_reading(&mask);
    tensor_free(&got);
}

static void fused_weight_gradient(site *s, uint32_t flags) {
    const ni_conv *c = &s->c;
    const int64_t n = w_count(c);
    reading x = make_reading(s, &s->x, NULL, c->ci, flags & NI_CONV_RELU_IN);
    reading dy = make_reading(s, &s->y, &s->old_y, c->co, false);
    buffers b = prepare_fused(s, 2), exact = prepare(&s->reference, c, 2, NULL, true);
    tensor got = tensor_new(n, NULL, s->at_end);
    const ni_conv_fused fused = {.scale = x.by.f,
                                 .shift = x.shift.f,
                                 .a = dy.by.f,
                                 .b = dy.other_by.f,
                                 .k = dy.shift.f,
                                 .y = s->old_y.f};
    s->k->conv_weight_gradient_fused(c, flags, &fused, s->x.f, s->y.f, got.f, 0, c->n,
                                     b.scratch.data);
    s->reference.conv_weight_gradient(c, 0, x.read.d, dy.read.d, got.d, 0, c->n,
                                      exact.scratch.data);
    s->reference.conv_weight_gradient(c, 0, x.read.abs, dy.read.abs, got.abs, 0, c->n,
                                      exact.scratch.data);
    check_near(s->r, "fused weight gradient", got.f, got.d, got.abs, n, TOLERANCE);
    release(&b), release(&exact), free_reading(&x), free_reading(&dy);
    tensor_free(&got);
}

/* <dy, conv(x, w)> must be the same number by all three ways: ties the references together. */
static void check_reference(site *s) {
    const ni_conv *c = &s->c;
    const int64_t rows = (int64_t)c->n * c->oh, in_rows = (int64_t)c->n * c->h;
    buffers f = prepare(&s->reference, c, 0, s->w.d, true),
            g = prepare(&s->reference, c, 1, s->w.d, true);
    buffers w = prepare(&s->reference, c, 2, NULL, true);
    double *y = calloc((size_t)y_count(c), sizeof *y), *dx = calloc((size_t)x_count(c), sizeof *dx);
    double *dw = calloc((size_t)w_count(c), sizeof *dw), sums[3] = {0}, size = 0;
    if (!y || !dx || !dw) exit(1);
    s->reference.conv_forward(c, 0, s->x.d, f.packed.data, y, 0, rows, f.scratch.data);
    s->reference.conv_input_gradient(c, 0, s->y.d, g.packed.data, dx, NULL, 0, in_rows,
                                     g.scratch.data);
    s->reference.conv_weight_gradient(c, 0, s->x.d, s->y.d, dw, 0, c->n, w.scratch.data);
    for (int64_t i = 0; i < y_count(c); i++)
        sums[0] += y[i] * s->y.d[i], size += fabs(y[i]);
    for (int64_t i = 0; i < x_count(c); i++)
        sums[1] += dx[i] * s->x.d[i];
    for (int64_t i = 0; i < w_count(c); i++)
        sums[2] += dw[i] * s->w.d[i];
    for (int i = 1; i < 3; i++)
        if (fabs(sums[i] - sums[0]) > 1e-11 * (size + 1))
            wrong(s->r, "reference sum", i, sums[i], sums[0]);
    release(&f), release(&g), release(&w);
    free(y), free(dx), free(dw);
}

static void test_shape(const ni_kernels *k, results *r, ni_conv c) {
    site s = {.k = k, .r = r, .c = c, .from = {17}};
    snprintf(
        r->where, sizeof r->where,
        "%dx%dx%dx%d -> %d, kernel %dx%d, stride %d,%d, padding %d,%d, dilation %d,%d, groups %d:",
        c.n, c.h, c.w, c.ci, c.co, c.kh, c.kw, c.sh, c.sw, c.ph, c.pw, c.dh, c.dw, c.groups);
    ni_kernels_get(&s.reference, NI_F64, NAS_ISA_GENERIC);
    for (int end = 0; end < 2; end++) {
        s.at_end = end;
        s.x = tensor_new(x_count(&c), &s.from, s.at_end),
        s.w = tensor_new(w_count(&c), &s.from, s.at_end);
        s.y = tensor_new(y_count(&c), &s.from, s.at_end);
        s.old_y = tensor_new(y_count(&c), &s.from, s.at_end);
        s.old_dx = tensor_new(x_count(&c), &s.from, s.at_end);
        if (k->isa == NAS_ISA_GENERIC && end) check_reference(&s);
        for (uint32_t flags = 0; flags < 4; flags++) {
            const uint32_t add = flags & 2 ? NI_CONV_ADD_OUT : 0;
            if (end == 0 && flags && flags < 3) continue;
            forward(&s, (flags & 1 ? NI_CONV_RELU_IN : 0) | add);
            input_gradient(&s, (flags & 1 ? NI_CONV_MASK_OUT : 0) | add);
        }
        weight_gradient(&s, 0, 0);
        weight_gradient(&s, NI_CONV_RELU_IN, c.n > 1);
        fused_forward(&s, end ? NI_CONV_RELU_IN : 0);
        fused_input_gradient(&s, end);
        fused_weight_gradient(&s, end ? NI_CONV_RELU_IN : 0);
        tensor_free(&s.x), tensor_free(&s.w), tensor_free(&s.y);
        tensor_free(&s.old_y), tensor_free(&s.old_dx);
    }
}

/* A NaN is not lost in the ReLU on the way in: training that diverged must show. */
static void test_nan(const ni_kernels *k, results *r) {
    const ni_conv c = shape(1, 4, 4, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1);
    numbers from = {3};
    tensor x = tensor_new(x_count(&c), &from, true), w = tensor_new(w_count(&c), &from, true);
    tensor y = tensor_new(y_count(&c), NULL, true);
    buffers b = prepare(k, &c, 0, w.f, true);
    x.f[5] = (float)NAN; /* pixel 0, 0: four output pixels see it */
    k->conv_forward(&c, NI_CONV_RELU_IN, x.f, b.packed.data, y.f, 0, 4, b.scratch.data);
    for (int64_t i = 0; i < y.n; i++) {
        const bool sees = i / 16 % 4 < 2 && i / 64 < 2;
        if (sees && !isnan(y.f[i])) wrong(r, "NaN", i, y.f[i], NAN);
        if (i / 16 % 4 > 2 && isnan(y.f[i])) wrong(r, "no NaN", i, y.f[i], 0);
    }
    release(&b), tensor_free(&x), tensor_free(&w), tensor_free(&y);
}

static void test_all(const ni_kernels *k, results *r, bool dense) {
    begin(r);
    test_nan(k, r);
    end(r, k->name, "NaN through ReLU");
#define SHAPE(...)                                                                                 \
    if (!dense || shape(__VA_ARGS__).groups == 1) {                                                \
        begin(r);                                                                                  \
        test_shape(k, r, shape(__VA_ARGS__));                                                      \
        end(r, k->name, "convolution " #__VA_ARGS__);                                              \
    }
#include "conv_shapes.inc"
#undef SHAPE
}

/* Each table, and then its convolutions by matrix products. */
static void test(const ni_kernels *k, results *r) {
    ni_kernels other = *k;
    char name[40];
    test_all(k, r, false);
    if (!ni_kernels_by_gemm(&other)) return;
    snprintf(name, sizeof name, "%s by gemm", k->name);
    other.name = name;
    test_all(&other, r, true);
}

int main(void) {
    return test_tables(test);
}
