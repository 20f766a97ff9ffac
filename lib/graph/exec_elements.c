/* Execution of what goes element by element, row by row, or only moves memory. */
#include <math.h>
#include "program.h"

enum { ELEMENTS_A_PIECE = 1 << 15 };

void ni_scratch_none(const ni_program *p, ni_step *s) {
    (void)p;
    s->units = s->pieces = 1;
}

void ni_scratch_elements(const ni_program *p, ni_step *s) {
    (void)p;
    s->units = ni_shape_count(s->shape);
    s->pieces = ni_pieces(s->units, 1, ELEMENTS_A_PIECE);
}

static int64_t rows_of(const ni_step *s) {
    return ni_shape_count(s->shape) / s->shape.d[3];
}

void ni_scratch_rows(const ni_program *p, ni_step *s) {
    (void)p;
    s->units = rows_of(s);
    s->pieces = ni_pieces(s->units, s->shape.d[3], ELEMENTS_A_PIECE);
}

/* ---- elements ------------------------------------------------------------------------------- */

void ni_range_elements(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    const ni_kernels *k = &l->p->kernels;
    const ni_attr *attr = &s->attr;
    const void *a = ni_arg(l, s, 0), *b = ni_arg(l, s, 1);
    void *y = ni_out(l, s);
    (void)part;
    switch (s->op) {
    case NI_OP_MUL:
        k->mul(a, b, y, u0, u1);
        break;
    case NI_OP_SCALE:
        k->axpby(attr->scale.a, a, attr->scale.b, NULL, y, u0, u1);
        break;
    case NI_OP_MUL_SCALAR:
        k->axpby(ni_get(l->p, b, 0), a, 0, NULL, y, u0, u1);
        break;
    case NI_OP_RELU:
        k->relu(a, y, attr->clamp.low, attr->clamp.high, u0, u1);
        break;
    case NI_OP_RELU_DX:
        k->relu_gradient(a, b, y, attr->clamp.low, attr->clamp.high, u0, u1);
        break;
    default:
        k->unary((int)attr->number, a, y, u0, u1);
        break;
    }
}

/* A lane's scratch: where its inputs are. */
void ni_scratch_add(const ni_program *p, ni_step *s) {
    ni_scratch_elements(p, s);
    s->lane_bytes = s->n_in * sizeof(void *);
}

void ni_range_add(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    const void **in = (const void **)(void *)l->scratch;
    (void)part;
    for (uint32_t i = 0; i < s->n_in; i++)
        in[i] = ni_arg(l, s, i);
    l->p->kernels.add(in, s->n_in, ni_out(l, s), u0, u1);
}

/* ---- channels and rows ---------------------------------------------------------------------- */

/* Scratch: a vector of ones or zeros for what is absent. */
void ni_scratch_affine(const ni_program *p, ni_step *s) {
    ni_scratch_rows(p, s);
    s->shared_bytes = ni_aligned((size_t)s->shape.d[3] * p->element);
}

void ni_prepare_affine(ni_program *p, const ni_step *s) {
    double absent = ni_whole(p, s, 1) ? 0 : 1;
    for (int64_t i = 0; i < s->shape.d[3]; i++)
        ni_set(p, ni_shared(p, s), i, absent);
}

void ni_range_affine(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    const void *scale = ni_arg(l, s, 1), *shift = ni_arg(l, s, 2), *absent = ni_shared(l->p, s);
    void *y = ni_out(l, s);
    bool relu = (s->flags & NI_STEP_RELU) != 0;
    int64_t c = s->shape.d[3];
    (void)part;
    l->p->kernels.scale_shift(ni_arg(l, s, 0), scale ? scale : absent, shift ? shift : absent, y, c,
                              u0, u1, relu);
    if (relu && s->attr.bn.high < INFINITY)
        l->p->kernels.relu(y, y, 0, s->attr.bn.high, u0 * c, u1 * c);
}

void ni_scratch_mul_row(const ni_program *p, ni_step *s) {
    (void)p;
    s->units = s->shape.d[0];
    s->pieces = ni_pieces(s->units, ni_shape_count(s->shape) / s->units, ELEMENTS_A_PIECE);
}

void ni_range_mul_row(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    (void)part;
    l->p->kernels.row_scale(ni_arg(l, s, 0), ni_arg(l, s, 1), ni_out(l, s),
                            ni_shape_count(s->shape) / s->shape.d[0], u0, u1);
}

void ni_range_softmax(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    (void)part;
    l->p->kernels.softmax(ni_arg(l, s, 0), ni_out(l, s), s->shape.d[3], u0, u1,
                          s->op == NI_OP_LOG_SOFTMAX);
}

/* ---- sums ----------------------------------------------------------------------------------- */

/* outer x mid x inner, over mid. Many outer ones: each is a unit. One: mid is cut, and the parts'
 * sums are added in order. */
void ni_scratch_sum(const ni_program *p, ni_step *s) {
    int64_t outer = s->attr.sum.outer, mid = s->attr.sum.mid, inner = s->attr.sum.inner;
    s->units = outer > 1 ? outer : mid;
    s->pieces = ni_pieces(s->units, outer > 1 ? mid * inner : inner, ELEMENTS_A_PIECE);
    if (outer == 1) s->part_bytes = (size_t)inner * p->element;
}

void ni_range_sum(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    ni_program *p = l->p;
    const ni_kernels *k = &p->kernels;
    int64_t outer = s->attr.sum.outer, mid = s->attr.sum.mid, inner = s->attr.sum.inner;
    const void *x = ni_arg(l, s, 0), *z = ni_arg(l, s, 1);
    void *y = ni_out(l, s);
    if (outer == 1) {
        if (s->parts > 1) y = ni_part(p, s, part);
        if (inner > 1) {
            k->channel_sum(x, z, inner, u0, u1, y);
        } else {
            x = ni_element(p, x, u0);
            k->row_sum(x, z ? ni_element(p, z, u0) : NULL, u1 - u0, 0, 1, y);
        }
    } else if (inner == 1) {
        k->row_sum(x, z, mid, u0, u1, y);
    } else {
        for (int64_t i = u0; i < u1; i++)
            k->channel_sum(ni_element(p, x, i * mid * inner),
                           z ? ni_element(p, z, i * mid * inner) : NULL, inner, 0, mid,
                           ni_element(p, y, i * inner));
    }
}

void ni_finish_sum(ni_program *p, const ni_step *s) {
    if (s->attr.sum.outer == 1 && s->parts > 1)
        p->kernels.channel_sum(ni_part(p, s, 0), NULL, s->attr.sum.inner, 0, s->parts,
                               ni_whole_out(p, s));
}

/* ---- memory --------------------------------------------------------------------------------- */

void ni_range_broadcast(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    const int64_t *d = ni_arg_step(l->p, s, 0)->shape.d;
    int64_t strides[4], stride = 1;
    (void)part;
    for (int i = 3; i >= 0; i--) {
        strides[i] = d[i] == 1 ? 0 : stride;
        stride *= d[i];
    }
    l->p->kernels.gather(ni_arg(l, s, 0), strides, ni_out(l, s), s->shape, u0, u1);
}

/* Elements before a dimension and after it. */
static int64_t outside(ni_shape shape, int64_t dimension) {
    int64_t n = 1;
    for (int64_t i = 0; i < dimension; i++)
        n *= shape.d[i];
    return n;
}
static int64_t inside(ni_shape shape, int64_t dimension) {
    int64_t n = 1;
    for (int64_t i = dimension + 1; i < 4; i++)
        n *= shape.d[i];
    return n;
}

/* Units: what lies outside the dimension. */
void ni_scratch_outer(const ni_program *p, ni_step *s) {
    (void)p;
    s->units = outside(s->shape, s->attr.slice.dimension);
    s->pieces = ni_pieces(s->units, ni_shape_count(s->shape) / s->units, ELEMENTS_A_PIECE);
}

typedef struct {
    int64_t outer, step; /* bytes from one outer unit, and from one run, to the next */
} runs;

/* n runs of `bytes` for the outer units u0 <= u < u1. */
static void copy_runs(char *to, runs there, const char *from, runs here, int64_t u0, int64_t u1,
                      int64_t n, int64_t bytes) {
    if (there.step == bytes && here.step == bytes) { /* they follow each other */
        bytes *= n;
        n = 1;
    }
    for (int64_t u = u0; u < u1; u++)
        for (int64_t i = 0; i < n; i++)
            memcpy(to + u * there.outer + i * there.step, from + u * here.outer + i * here.step,
                   (size_t)bytes);
}

void ni_range_concat(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    int64_t along = s->attr.slice.dimension;
    int64_t run = inside(s->shape, along) * (int64_t)l->p->element;
    char *to = ni_out(l, s);
    (void)part;
    for (uint32_t i = 0; i < s->n_in; i++) {
        int64_t n = ni_arg_step(l->p, s, i)->shape.d[along];
        copy_runs(to, (runs){s->shape.d[along] * run, run}, ni_arg(l, s, i), (runs){n * run, run},
                  u0, u1, n, run);
        to += n * run;
    }
}

void ni_range_slice(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    int64_t along = s->attr.slice.dimension, n = s->shape.d[along];
    int64_t run = inside(s->shape, along) * (int64_t)l->p->element;
    (void)part;
    copy_runs(ni_out(l, s), (runs){n * run, run},
              (const char *)ni_arg(l, s, 0) + s->attr.slice.from * run,
              (runs){s->attr.slice.size * run, s->attr.slice.step * run}, u0, u1, n, run);
}

void ni_range_pad(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    int64_t along = s->attr.slice.dimension, n = ni_arg_step(l->p, s, 0)->shape.d[along];
    int64_t run = inside(s->shape, along) * (int64_t)l->p->element;
    int64_t whole = s->attr.slice.size * run;
    char *to = ni_out(l, s);
    (void)part;
    memset(to + u0 * whole, 0, (size_t)((u1 - u0) * whole));
    copy_runs(to + s->attr.slice.from * run, (runs){whole, s->attr.slice.step * run},
              ni_arg(l, s, 0), (runs){n * run, run}, u0, u1, n, run);
}

/* ---- dropout -------------------------------------------------------------------------------- */

/* Drawn by position: block i/4 of the mask's own stream. */
void ni_range_dropout_mask(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1,
                           uint32_t part) {
    void *y = ni_out(l, s);
    uint64_t identity[3] = {l->p->run->random_key[0], l->p->run->random_key[1],
                            s->attr.dropout.ordinal};
    uint64_t key = ni_hash(identity, sizeof identity);
    const uint32_t halves[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    double drop = s->attr.dropout.drop * (s->attr.dropout.scheduled ? l->p->run->drop_scale : 1);
    uint64_t limit = (uint64_t)(drop * 4294967296.0);
    double kept = 1 / (1 - drop);
    uint32_t words[4] = {0};
    (void)part;
    for (int64_t i = u0; i < u1; i++) {
        if (i == u0 || i % 4 == 0) {
            uint64_t block = (uint64_t)i / 4;
            const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, 0};
            ni_philox(counter, halves, words);
        }
        ni_set(l->p, y, i, words[i % 4] < limit ? 0 : kept);
    }
}
