/* All kernels but the convolutions, of every table, against float64: values, ranges, results that
 * take the place of an input, and that nothing outside the tensors is touched. */
#include "kernel_test.h"

static const double NEAR = 1e-6;

typedef struct {
    const ni_kernels *k, *d; /* tested, float64 */
    results *r;
    numbers from;
    bool at_end;
} site;

static tensor some(site *s, int64_t n) {
    return tensor_new(n, &s->from, s->at_end);
}
static tensor none(site *s, int64_t n) {
    tensor t = tensor_new(n, NULL, s->at_end);
    for (int64_t i = 0; i < n; i++) /* what nobody writes must stay */
        t.f[i] = 77, t.d[i] = 77, t.abs[i] = 77;
    return t;
}
static tensor copy_of(site *s, const tensor *x) {
    tensor t = tensor_new(x->n, NULL, s->at_end);
    memcpy(t.f, x->f, (size_t)x->n * sizeof(float));
    memcpy(t.d, x->d, (size_t)x->n * sizeof(double));
    return t;
}
/* Absolute or relative to 1, whichever is more: for results of a few operations on -1 .. 1. */
static void check(site *s, const char *what, const tensor *t, double tolerance) {
    for (int64_t i = 0; i < t->n; i++)
        if (!(fabs(t->f[i] - t->d[i]) <= tolerance * (1 + fabs(t->d[i])))) {
            wrong(s->r, what, i, t->f[i], t->d[i]);
            return;
        }
}
static void drop(tensor *t) {
    tensor_free(t);
}

/* ---- pooling
 * ---------------------------------------------------------------------------------------- */

static void pools(site *s, ni_pool p) {
    p.oh = (p.h + 2 * p.ph - p.kh) / p.sh + 1, p.ow = (p.w + 2 * p.pw - p.kw) / p.sw + 1;
    const int64_t rows = (int64_t)p.n * p.oh, n_in = (int64_t)p.n * p.h * p.w * p.c;
    const int64_t n_out = rows * p.ow * p.c, first = rows > 2 ? 1 : 0;
    tensor x = some(s, n_in), g = some(s, n_in), dy = some(s, n_out);
    for (int64_t i = 0; i < n_in; i++) /* equal ones, of which the first counts */
        x.d[i] = x.f[i] = (float)(floor(x.d[i] * 4) / 4);
    tensor y = none(s, n_out), dx = none(s, n_in);
    s->k->max_pool(&p, x.f, y.f, first, rows), s->d->max_pool(&p, x.d, y.d, first, rows);
    check(s, "max pool", &y, 0);
    s->k->max_pool_gradient(&p, x.f, dy.f, dx.f, p.n > 1, p.n);
    s->d->max_pool_gradient(&p, x.d, dy.d, dx.d, p.n > 1, p.n);
    check(s, "max pool gradient", &dx, NEAR);
    s->k->max_pool_pick(&p, x.f, g.f, y.f, first, rows);
    s->d->max_pool_pick(&p, x.d, g.d, y.d, first, rows);
    check(s, "max pool pick", &y, 0);
    s->k->avg_pool(&p, g.f, y.f, first, rows), s->d->avg_pool(&p, g.d, y.d, first, rows);
    check(s, "average pool", &y, NEAR);
    s->k->avg_pool_gradient(&p, dy.f, dx.f, p.n > 1, p.n);
    s->d->avg_pool_gradient(&p, dy.d, dx.d, p.n > 1, p.n);
    check(s, "average pool gradient", &dx, NEAR);
    x.f[0] = (float)NAN, x.d[0] = NAN; /* a NaN is larger than any number */
    s->k->max_pool(&p, x.f, y.f, 0, 1);
    if (p.ph == 0 && p.pw == 0 && !isnan(y.f[0])) wrong(s->r, "max pool of NaN", 0, y.f[0], NAN);
    s->k->max_pool_gradient(&p, x.f, dy.f, dx.f, 0, 1);
    s->d->max_pool_gradient(&p, x.d, dy.d, dx.d, 0, 1);
    check(s, "max pool gradient with NaN", &dx, NEAR);
    drop(&x), drop(&g), drop(&dy), drop(&y), drop(&dx);
}

/* ---- resizing
 * --------------------------------------------------------------------------------------- */

static void resizes(site *s, ni_resize size) {
    const int64_t rows = (int64_t)size.n * size.oh,
                  n_in = (int64_t)size.n * size.h * size.w * size.c;
    const int64_t n_out = rows * size.ow * size.c, first = rows > 2 ? 1 : 0;
    tensor x = some(s, n_in), dy = some(s, n_out), y = none(s, n_out), dx = none(s, n_in);
    for (size.linear = 0; size.linear < 2; size.linear++) {
        s->k->resize(&size, x.f, y.f, first, rows), s->d->resize(&size, x.d, y.d, first, rows);
        check(s, "resize", &y, NEAR);
        s->k->resize_gradient(&size, dy.f, dx.f, size.n > 1, size.n);
        s->d->resize_gradient(&size, dy.d, dx.d, size.n > 1, size.n);
        check(s, "resize gradient", &dx, 16 * NEAR);
    }
    drop(&x), drop(&dy), drop(&y), drop(&dx);
}

/* ---- batch norm and sums for each channel
 * ------------------------------------------------------------ */

static void check_sums(site *s, const char *what, const tensor *got, double size) {
    for (int64_t i = 0; i < got->n; i++)
        if (!(fabs(got->f[i] - got->d[i]) <= NEAR * size)) {
            wrong(s->r, what, i, got->f[i], got->d[i]);
            return;
        }
}

static void norms(site *s, int64_t rows, int64_t c) {
    enum { MANY = 6 };
    const int64_t n = rows * c, r0 = rows > 4 ? 2 : 0, r1 = rows > 4 ? rows - 1 : rows;
    const double count = (double)(r1 - r0);
    tensor x = some(s, n), dy = some(s, n), a = some(s, c), b = some(s, c), k = some(s, c);
    tensor mean = none(s, c), m2 = none(s, c), y = none(s, n), sum = none(s, c), sum_x = none(s, c);
    for (int64_t i = 0; i < n; i++) /* a mean that is large beside the deviations */
        x.f[i] = (float)(x.d[i] + 8), x.d[i] = x.f[i];
    s->k->bn_moments(x.f, c, r0, r1, mean.f, m2.f), s->d->bn_moments(x.d, c, r0, r1, mean.d, m2.d);
    check(s, "mean", &mean, NEAR);
    check_sums(s, "squared deviations", &m2, 8 * count);
    for (int relu = 0; relu < 2; relu++) {
        s->k->scale_shift(x.f, a.f, b.f, y.f, c, r0, r1, relu);
        s->d->scale_shift(x.d, a.d, b.d, y.d, c, r0, r1, relu);
        check(s, "scale and shift", &y, NEAR);
    }
    for (int64_t i = 0; i < c; i++)
        mean.d[i] = mean.f[i];
    s->k->bn_gradient_sums(x.f, dy.f, mean.f, c, r0, r1, sum.f, sum_x.f);
    s->d->bn_gradient_sums(x.d, dy.d, mean.d, c, r0, r1, sum.d, sum_x.d);
    check_sums(s, "sum of gradients", &sum, count);
    check_sums(s, "sum of gradients times x", &sum_x, 8 * count);
    s->k->bn_gradient(x.f, dy.f, a.f, b.f, k.f, y.f, c, r0, r1);
    s->d->bn_gradient(x.d, dy.d, a.d, b.d, k.d, y.d, c, r0, r1);
    check(s, "gradient", &y, 8 * NEAR);
    for (int with = 0; with < 2; with++) {
        s->k->channel_sum(x.f, with ? dy.f : NULL, c, r0, r1, sum.f);
        s->d->channel_sum(x.d, with ? dy.d : NULL, c, r0, r1, sum.d);
        check_sums(s, "channel sum", &sum, 9 * count);
    }
    /* in the place of x */
    tensor place = copy_of(s, &x);
    s->k->scale_shift(place.f, a.f, b.f, place.f, c, r0, r1, true);
    s->d->scale_shift(place.d, a.d, b.d, place.d, c, r0, r1, true);
    check(s, "scale and shift in place", &place, NEAR);
    s->k->bn_gradient(place.f, dy.f, a.f, b.f, k.f, place.f, c, r0, r1);
    s->d->bn_gradient(place.d, dy.d, a.d, b.d, k.d, place.d, c, r0, r1);
    check(s, "gradient in place", &place, 8 * NEAR);
    /* several at once; the second one as it is */
    tensor in[MANY], by[MANY], shift[MANY], sums[MANY];
    const void *x_f[MANY], *x_d[MANY], *by_f[MANY], *by_d[MANY], *shift_f[MANY], *shift_d[MANY];
    void *sums_f[MANY], *sums_d[MANY];
    for (int i = 0; i < MANY; i++) {
        in[i] = some(s, n), by[i] = some(s, c), shift[i] = some(s, c), sums[i] = none(s, c);
        x_f[i] = in[i].f, x_d[i] = in[i].d, by_f[i] = by[i].f, by_d[i] = by[i].d;
        shift_f[i] = shift[i].f, shift_d[i] = shift[i].d, sums_f[i] = sums[i].f,
        sums_d[i] = sums[i].d;
    }
    by_f[1] = by_d[1] = shift_f[1] = shift_d[1] = NULL;
    for (uint32_t many = 1; many <= MANY; many++) {
        float *to_f = many == 4 ? in[0].f : y.f; /* also in the place of an input */
        double *to_d = many == 4 ? in[0].d : y.d;
        s->k->scale_shift_sum(x_f, by_f, shift_f, many, to_f, c, r0, r1, many % 2);
        s->d->scale_shift_sum(x_d, by_d, shift_d, many, to_d, c, r0, r1, many % 2);
        check(s, "sum of scaled and shifted", many == 4 ? &in[0] : &y, 4 * NEAR);
    }
    by_f[1] = by[1].f, by_d[1] = by[1].d;
    s->k->bn_gradient_sums_many(x_f, dy.f, by_f, MANY, c, r0, r1, sum.f, sums_f);
    s->d->bn_gradient_sums_many(x_d, dy.d, by_d, MANY, c, r0, r1, sum.d, sums_d);
    check_sums(s, "sum of gradients of many", &sum, count);
    for (int i = 0; i < MANY; i++) {
        check_sums(s, "sums of gradients times x of many", &sums[i], 4 * count);
        drop(&in[i]), drop(&by[i]), drop(&shift[i]), drop(&sums[i]);
    }
    drop(&x), drop(&dy), drop(&a), drop(&b), drop(&k), drop(&mean), drop(&m2), drop(&y), drop(&sum);
    drop(&sum_x), drop(&place);
}

/* ---- rows
 * ---------------------------------------------------------------------------------------------- */

static void matrix_rows(site *s, int64_t rows, int64_t c) {
    const int64_t n = rows * c, r0 = rows > 4 ? 2 : 0, r1 = rows > 4 ? rows - 1 : rows;
    tensor x = some(s, n), z = some(s, n), y = none(s, n), f = some(s, rows), sum = none(s, rows);
    for (int with = 0; with < 2; with++) {
        s->k->row_sum(x.f, with ? z.f : NULL, c, r0, r1, sum.f);
        s->d->row_sum(x.d, with ? z.d : NULL, c, r0, r1, sum.d);
        check_sums(s, "row sum", &sum, (double)c);
        s->k->softmax(x.f, y.f, c, r0, r1, with), s->d->softmax(x.d, y.d, c, r0, r1, with);
        check(s, "softmax", &y, 2 * NEAR);
    }
    s->k->row_scale(x.f, f.f, y.f, c, r0, r1), s->d->row_scale(x.d, f.d, y.d, c, r0, r1);
    check(s, "row scale", &y, NEAR);
    for (int far = 0; far < 2; far++) { /* a mean that is large beside the deviations */
        tensor from = copy_of(s, &x), place = copy_of(s, &z), to = none(s, n);
        for (int64_t i = 0; i < n; i++)
            from.f[i] = (float)(x.d[i] + 8 * far), from.d[i] = from.f[i];
        const double near = (far ? 64 : 8) * NEAR;
        s->k->layer_norm(from.f, to.f, 1e-3, c, r0, r1);
        s->d->layer_norm(from.d, to.d, 1e-3, c, r0, r1);
        check(s, "layer norm", &to, near);
        s->k->layer_norm_gradient(from.f, z.f, to.f, 1e-3, c, r0, r1);
        s->d->layer_norm_gradient(from.d, z.d, to.d, 1e-3, c, r0, r1);
        check(s, "layer norm gradient", &to, 4 * near);
        s->k->layer_norm_gradient(from.f, place.f, place.f, 1e-3, c, r0, r1);
        s->d->layer_norm_gradient(from.d, place.d, place.d, 1e-3, c, r0, r1);
        check(s, "layer norm gradient in place", &place, 4 * near);
        s->k->layer_norm(from.f, from.f, 1e-3, c, r0, r1);
        s->d->layer_norm(from.d, from.d, 1e-3, c, r0, r1);
        check(s, "layer norm in place", &from, near);
        drop(&from), drop(&place), drop(&to);
    }
    guarded memory = guarded_alloc((size_t)rows * sizeof(int32_t), s->at_end);
    int32_t *labels = memory.data;
    for (int64_t i = 0; i < rows; i++)
        labels[i] = i % 5 == 4 ? -1 : (int32_t)(i * 7 % c);
    for (int smooth = 0; smooth < 2; smooth++) {
        s->k->cross_entropy(x.f, labels, 0.1 * smooth, sum.f, c, r0, r1);
        s->d->cross_entropy(x.d, labels, 0.1 * smooth, sum.d, c, r0, r1);
        check(s, "cross-entropy", &sum, 4 * NEAR);
    }
    /* transposed, repeated */
    const ni_shape across = ni_shape4(1, 1, c, rows), again = ni_shape4(3, 1, rows, c);
    const int64_t turned[4] = {0, 0, 1, c}, same[4] = {0, 0, c, 1};
    tensor three = none(s, 3 * n);
    s->k->gather(x.f, turned, y.f, across, c > 1, c),
        s->d->gather(x.d, turned, y.d, across, c > 1, c);
    check(s, "gather", &y, NEAR);
    s->k->gather(x.f, same, three.f, again, 1, 3 * rows);
    s->d->gather(x.d, same, three.d, again, 1, 3 * rows);
    check(s, "gather repeated", &three, 0);
    guarded_free(&memory);
    drop(&x), drop(&z), drop(&y), drop(&f), drop(&sum), drop(&three);
}

/* ---- elements
 * ------------------------------------------------------------------------------------------ */

static void elements(site *s, int64_t n) {
    enum { MANY = 10 };
    const int64_t i0 = n > 2 ? 1 : 0, i1 = n > 8 ? n - 2 : n;
    tensor in[MANY], y = none(s, n);
    const void *x_f[MANY], *x_d[MANY];
    for (int i = 0; i < MANY; i++)
        in[i] = some(s, n), x_f[i] = in[i].f, x_d[i] = in[i].d;
    for (uint32_t many = 1; many <= MANY; many += many < 4 ? 1 : 3) {
        s->k->add(x_f, many, y.f, i0, i1), s->d->add(x_d, many, y.d, i0, i1);
        check(s, "add", &y, NEAR);
    }
    s->k->mul(x_f[0], x_f[1], y.f, i0, i1), s->d->mul(x_d[0], x_d[1], y.d, i0, i1);
    check(s, "mul", &y, NEAR);
    static const double limits[][2] = {{0, INFINITY}, {0, 0.5}, {-0.25, 0.25}};
    for (size_t i = 0; i < NI_COUNT(limits); i++) {
        s->k->relu(x_f[0], y.f, limits[i][0], limits[i][1], i0, i1);
        s->d->relu(x_d[0], y.d, limits[i][0], limits[i][1], i0, i1);
        check(s, "relu", &y, 0);
        s->k->relu_gradient(x_f[0], x_f[1], y.f, limits[i][0], limits[i][1], i0, i1);
        s->d->relu_gradient(x_d[0], x_d[1], y.d, limits[i][0], limits[i][1], i0, i1);
        check(s, "relu gradient", &y, 0);
    }
    for (int with = 0; with < 2; with++) {
        s->k->axpby(0.75, x_f[0], -0.3, with ? x_f[1] : NULL, y.f, i0, i1);
        s->d->axpby(0.75, x_d[0], -0.3, with ? x_d[1] : NULL, y.d, i0, i1);
        check(s, "axpby", &y, NEAR);
    }
    tensor positive = copy_of(s, &in[2]);
    for (int64_t i = 0; i < n; i++)
        positive.f[i] = (float)(fabs(positive.d[i]) + 0.25), positive.d[i] = positive.f[i];
    for (int kind = NI_EXP; kind <= NI_HARD_SWISH_SLOPE; kind++) {
        const bool any = kind == NI_EXP || kind >= NI_SQUARE;
        const tensor *x = any ? &in[0] : &positive;
        s->k->unary(kind, x->f, y.f, i0, i1), s->d->unary(kind, x->d, y.d, i0, i1);
        check(s, "unary", &y, 2 * NEAR);
    }
    for (int64_t i = 0; i < n; i++) /* beyond both bends */
        positive.f[i] = (float)(5 * in[0].d[i]), positive.d[i] = positive.f[i];
    for (int kind = NI_HARD_SWISH; kind <= NI_HARD_SWISH_SLOPE; kind++) {
        s->k->unary(kind, positive.f, y.f, i0, i1), s->d->unary(kind, positive.d, y.d, i0, i1);
        check(s, "hard swish", &y, 2 * NEAR);
        positive.f[i0] = (float)NAN;
        s->k->unary(kind, positive.f, y.f, i0, i1);
        if (!isnan(y.f[i0])) wrong(s->r, "hard swish of NaN", i0, y.f[i0], NAN);
        y.f[i0] = 0, y.d[i0] = 0, positive.f[i0] = 1, positive.d[i0] = 1;
    }
    /* a NaN stays one; results in the place of an input */
    tensor place = copy_of(s, &in[0]);
    place.f[i0] = (float)NAN;
    s->k->relu(place.f, place.f, 0, 6, i0, i1);
    if (!isnan(place.f[i0])) wrong(s->r, "relu of NaN", i0, place.f[i0], NAN);
    place.f[i0] = in[0].f[i0];
    memcpy(place.f, in[0].f, (size_t)n * sizeof(float));
    s->k->mul(place.f, place.f, place.f, i0, i1), s->d->mul(place.d, place.d, place.d, i0, i1);
    check(s, "mul in place", &place, NEAR);
    s->k->add((const void *[]){x_f[1], place.f, x_f[2]}, 3, place.f, i0, i1);
    s->d->add((const void *[]){x_d[1], place.d, x_d[2]}, 3, place.d, i0, i1);
    check(s, "add in place", &place, NEAR);
    for (int i = 0; i < MANY; i++)
        drop(&in[i]);
    drop(&y), drop(&positive), drop(&place);
}

static void optimizers(site *s, int64_t n) {
    const int64_t i0 = n > 2 ? 1 : 0, i1 = n > 8 ? n - 2 : n;
    tensor g = some(s, n);
    for (int how = 0; how < 4; how++) {
        tensor w = some(s, n), buffer = some(s, n);
        const double momentum = how ? 0.9 : 0;
        for (int step = 0; step < 3; step++) {
            const bool nesterov = how & 1, first = how == 3 && step == 0;
            s->k->sgd(w.f, g.f, buffer.f, 0.1, momentum, 5e-4, nesterov, first, 0.5, i0, i1);
            s->d->sgd(w.d, g.d, buffer.d, 0.1, momentum, 5e-4, nesterov, first, 0.5, i0, i1);
        }
        check(s, "sgd", &w, NEAR);
        check(s, "momentum", &buffer, NEAR);
        drop(&w), drop(&buffer);
    }
    for (int decoupled = 0; decoupled < 2; decoupled++) {
        tensor w = some(s, n), m = tensor_new(n, NULL, s->at_end),
               v = tensor_new(n, NULL, s->at_end);
        for (int64_t step = 1; step < 4; step++) {
            s->k->adam(w.f, g.f, m.f, v.f, 1e-3, 0.9, 0.999, 1e-8, 1e-2, decoupled, step, 2, i0,
                       i1);
            s->d->adam(w.d, g.d, m.d, v.d, 1e-3, 0.9, 0.999, 1e-8, 1e-2, decoupled, step, 2, i0,
                       i1);
        }
        check(s, "adam", &w, 4 * NEAR);
        check(s, "adam m", &m, NEAR);
        check(s, "adam v", &v, NEAR);
        drop(&w), drop(&m), drop(&v);
    }
    drop(&g);
}

static void products(site *s, int64_t m, int64_t n, int64_t k) {
    for (int turned = 0; turned < 4; turned++) {
        const bool ta = turned & 1, tb = turned & 2;
        const int64_t lda = (ta ? m : k) + 2, ldb = (tb ? k : n) + 1, ldc = n + 3;
        tensor a = some(s, (ta ? k : m) * lda - 2), b = some(s, (tb ? n : k) * ldb - 1);
        tensor c = some(s, m * ldc - 3);
        const double beta = turned % 2 ? 1 : 0;
        s->k->gemm(ta, tb, m, n, k, 0.5, a.f, lda, b.f, ldb, beta, c.f, ldc);
        s->d->gemm(ta, tb, m, n, k, 0.5, a.d, lda, b.d, ldb, beta, c.d, ldc);
        check_sums(s, "gemm", &c, (double)k);
        drop(&a), drop(&b), drop(&c);
    }
}

#define BOTH(call)                                                                                 \
    for (int end = 0; end < 2; end++) {                                                            \
        s.at_end = end;                                                                            \
        call;                                                                                      \
    }

static void test(const ni_kernels *k, results *r) {
    ni_kernels reference;
    ni_kernels_get(&reference, NI_F64, NAS_ISA_GENERIC);
    site s = {.k = k, .d = &reference, .r = r, .from = {29}};
#define CASE(what, call)                                                                           \
    snprintf(r->where, sizeof r->where, "%s:", what);                                              \
    begin(r);                                                                                      \
    BOTH(call)                                                                                     \
    end(r, k->name, what);
#define POOL(n, h, w, c, kh, kw, sh, sw, ph, pw)                                                   \
    CASE("pool " #n " " #h "x" #w "x" #c " " #kh "x" #kw "/" #sh "," #sw " padding " #ph "," #pw,  \
         pools(&s, (ni_pool){n, h, w, c, 0, 0, kh, kw, sh, sw, ph, pw}))
#define RESIZE(n, h, w, c, oh, ow)                                                                 \
    CASE("resize " #n " " #h "x" #w "x" #c " to " #oh "x" #ow,                                     \
         resizes(&s, (ni_resize){n, h, w, c, oh, ow, 0}))
#define ROWS(rows, c)                                                                              \
    CASE("batch norm " #rows "x" #c, norms(&s, rows, c))                                           \
    CASE("rows " #rows "x" #c, matrix_rows(&s, rows, c))
#define COUNT(n)                                                                                   \
    CASE("elements " #n, elements(&s, n))                                                          \
    CASE("optimizers " #n, optimizers(&s, n))
#define GEMM(m, n, k) CASE("gemm " #m " " #n " " #k, products(&s, m, n, k))
#include "kernel_shapes.inc"
}

int main(void) {
    return test_tables(test);
}
