/* Elementwise kernels, rows' sums and scales, optimizers: one vector after the other. Formulas are
 * the generic kernels'; sums of products are rounded once. */
#include <math.h>
#include "simd.h"

/* The statement for elements i .. i + n - 1, for vectors of i0 .. i1; n is a constant in all but
 * the last. */
#define VECTORS(statement)                                                                         \
    do {                                                                                           \
        int64_t i = i0;                                                                            \
        for (; i + V_WIDTH <= i1; i += V_WIDTH) {                                                  \
            enum { n = V_WIDTH };                                                                  \
            statement;                                                                             \
        }                                                                                          \
        if (i < i1) {                                                                              \
            const int64_t n = i1 - i;                                                              \
            statement;                                                                             \
        }                                                                                          \
    } while (0)
#define LOAD(p)     v_load_part((p) + i, n)
#define STORE(p, v) v_store_part((p) + i, v, n)

/* ---- sums, products, limits
 * ----------------------------------------------------------------------- */

/* Inputs in their order; `near` of them have their address in a register. */
V_INLINE void add_vector(const void *const *x, const uint32_t near, uint32_t inputs, float *y,
                         int64_t i, int64_t n) {
    vector sum = LOAD((const float *)x[0]);
    for (uint32_t j = 1; j < near; j++)
        sum = sum + LOAD((const float *)x[j]);
    for (uint32_t j = near; j < inputs; j++)
        sum = sum + LOAD((const float *)x[j]);
    STORE(y, sum);
}

static void add(const void *const *x, uint32_t inputs, void *y, int64_t i0, int64_t i1) {
    if (inputs == 2) {
        const void *two[2] = {x[0], x[1]};
        VECTORS(add_vector(two, 2, 2, y, i, n));
    } else if (inputs == 3) {
        const void *three[3] = {x[0], x[1], x[2]};
        VECTORS(add_vector(three, 3, 3, y, i, n));
    } else {
        VECTORS(add_vector(x, 1, inputs, y, i, n));
    }
}

static void mul(const void *a_, const void *b_, void *y_, int64_t i0, int64_t i1) {
    const float *a = a_, *b = b_;
    float *y = y_;
    VECTORS(STORE(y, LOAD(a) * LOAD(b)));
}

static void relu(const void *x_, void *y_, double low_, double high_, int64_t i0, int64_t i1) {
    const float *x = x_;
    float *y = y_;
    const vector low = v_set((float)low_), high = v_set((float)high_);
    VECTORS(STORE(y, v_min(high, v_max(low, LOAD(x)))));
}

static void relu_gradient(const void *x_, const void *g_, void *y_, double low_, double high_,
                          int64_t i0, int64_t i1) {
    const float *x = x_, *g = g_;
    float *y = y_;
    const vector low = v_set((float)low_), high = v_set((float)high_);
    VECTORS(STORE(y, v_keep(v_both(v_less(low, LOAD(x)), v_less(LOAD(x), high)), LOAD(g))));
}

static void axpby(double a_, const void *x_, double b_, const void *z_, void *y_, int64_t i0,
                  int64_t i1) {
    const float *x = x_, *z = z_;
    float *y = y_;
    const vector a = v_set((float)a_), b = v_set((float)b_);
    if (z)
        VECTORS(STORE(y, v_fma(a, LOAD(x), b * LOAD(z))));
    else
        VECTORS(STORE(y, v_fma(a, LOAD(x), b)));
}

/* ---- functions that are one instruction or two; the others are the C library's
 * ------------------- */

V_INLINE vector hard_swish(vector x) {
    const vector open = v_min(v_set(6), v_max(v_zero(), x + v_set(3)));
    return x * open * v_set(1.0f / 6);
}

V_INLINE vector hard_swish_slope(vector x) {
    const vector between = v_fma(x, v_set(1.0f / 3), v_set(0.5f));
    const vector low = v_select(v_less(x, v_set(-3)), v_zero(), between);
    return v_select(v_less(v_set(3), x), v_set(1), low);
}

static void unary(int kind, const void *x_, void *y_, int64_t i0, int64_t i1) {
    const float *x = x_;
    float *y = y_;
    const vector one = v_set(1);
    ni_kernels generic;
    switch (kind) {
    case NI_SQRT:
        VECTORS(STORE(y, v_sqrt(LOAD(x))));
        break;
    case NI_RSQRT:
        VECTORS(STORE(y, one / v_sqrt(LOAD(x))));
        break;
    case NI_RECIPROCAL:
        VECTORS(STORE(y, one / LOAD(x)));
        break;
    case NI_SQUARE:
        VECTORS(STORE(y, LOAD(x) * LOAD(x)));
        break;
    case NI_HARD_SWISH:
        VECTORS(STORE(y, hard_swish(LOAD(x))));
        break;
    case NI_HARD_SWISH_SLOPE:
        VECTORS(STORE(y, hard_swish_slope(LOAD(x))));
        break;
    default:
        ni_kernels_generic_f32(&generic);
        generic.unary(kind, x, y, i0, i1);
    }
}

/* ---- rows
 * ------------------------------------------------------------------------------------------ */

static float sum_lanes(vector v) {
    float part[V_WIDTH];
    v_store(part, v);
    for (int width = V_WIDTH / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            part[i] += part[i + width];
    return part[0];
}

static void row_sum(const void *x_, const void *y_, int64_t c, int64_t r0, int64_t r1, void *sum_) {
    enum { BLOCK = 64 * V_WIDTH };
    float *sum = sum_;
    for (int64_t r = r0; r < r1; r++) {
        const float *x = (const float *)x_ + r * c, *y = y_ ? (const float *)y_ + r * c : NULL;
        vector total = v_zero();
        for (int64_t i0 = 0, i1; i0 < c; i0 = i1) {
            vector part = v_zero();
            i1 = least(i0 + BLOCK, c);
            if (y)
                VECTORS(part = v_fma(LOAD(x), LOAD(y), part));
            else
                VECTORS(part = part + LOAD(x));
            total = total + part;
        }
        sum[r] = sum_lanes(total);
    }
}

static void row_scale(const void *x_, const void *factor, void *y_, int64_t c, int64_t r0,
                      int64_t r1) {
    const float *x = x_;
    float *y = y_;
    for (int64_t r = r0; r < r1; r++) {
        const vector by = v_set(((const float *)factor)[r]);
        const int64_t i0 = r * c, i1 = i0 + c;
        VECTORS(STORE(y, LOAD(x) * by));
    }
}

/* ---- optimizers
 * ------------------------------------------------------------------------------------ */

typedef struct {
    vector back, momentum, decay, scale;
} sgd_settings;

V_INLINE void sgd_vector(const sgd_settings *s, float *w, const float *g, float *buffer,
                         const bool with_momentum, const bool nesterov, const bool first, int64_t i,
                         int64_t n) {
    const vector old = LOAD(w);
    vector d = v_fma(LOAD(g), s->scale, s->decay * old);
    if (with_momentum) {
        const vector b = first ? d : v_fma(s->momentum, LOAD(buffer), d);
        STORE(buffer, b);
        d = nesterov ? v_fma(s->momentum, b, d) : b;
    }
    STORE(w, v_fma(s->back, d, old));
}

static void sgd(void *w, const void *g, void *buffer, double lr, double momentum,
                double weight_decay, bool nesterov, bool first, double gradient_scale, int64_t i0,
                int64_t i1) {
    const sgd_settings s = {v_set((float)-lr), v_set((float)momentum), v_set((float)weight_decay),
                            v_set((float)gradient_scale)};
    if (momentum == 0)
        VECTORS(sgd_vector(&s, w, g, buffer, false, false, false, i, n));
    else if (nesterov && !first)
        VECTORS(sgd_vector(&s, w, g, buffer, true, true, false, i, n));
    else
        VECTORS(sgd_vector(&s, w, g, buffer, true, nesterov, first, i, n));
}

typedef struct {
    vector scale, decay, shrink, b1, b2, c2, tiny, back, root;
} adam_settings;

V_INLINE void adam_vector(const adam_settings *s, float *w, const float *g, float *m, float *v,
                          int64_t i, int64_t n) {
    const vector old = LOAD(w), d = v_fma(LOAD(g), s->scale, s->decay * old), before = LOAD(m);
    const vector mean = v_fma(d - before, s->b1, before);
    const vector square = v_fma(s->c2 * d, d, LOAD(v) * s->b2);
    STORE(m, mean);
    STORE(v, square);
    STORE(w, v_fma(s->back, mean / v_fma(v_sqrt(square), s->root, s->tiny), old * s->shrink));
}

static void adam(void *w, const void *g, void *m, void *v, double lr, double beta1, double beta2,
                 double epsilon, double weight_decay, bool decoupled, int64_t step,
                 double gradient_scale, int64_t i0, int64_t i1) {
    const adam_settings s = {
        .scale = v_set((float)gradient_scale),
        .decay = v_set((float)(decoupled ? 0 : weight_decay)),
        .shrink = v_set((float)(decoupled ? 1 - lr * weight_decay : 1)),
        .b1 = v_set((float)(1 - beta1)),
        .b2 = v_set((float)beta2),
        .c2 = v_set((float)(1 - beta2)),
        .tiny = v_set((float)epsilon),
        .back = v_set((float)(-lr / (1 - pow(beta1, (double)step)))),
        .root = v_set((float)(1 / sqrt(1 - pow(beta2, (double)step)))),
    };
    VECTORS(adam_vector(&s, w, g, m, v, i, n));
}

void NI_SIMD(elementwise_kernels)(ni_kernels *table) {
    table->add = add;
    table->mul = mul;
    table->relu = relu;
    table->relu_gradient = relu_gradient;
    table->axpby = axpby;
    table->unary = unary;
    table->row_sum = row_sum;
    table->row_scale = row_scale;
    table->sgd = sgd;
    table->adam = adam;
}
