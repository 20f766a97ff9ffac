/* Execution of what goes element by element, row by row, or only moves memory. */
#include <math.h>
#include "program.h"

typedef struct {
    ni_program *p;
    const ni_step *s;
    const void *scale, *shift;
} job;

enum { ELEMENTS_A_PIECE = 1 << 15 };

void ni_scratch_none(const ni_program *p, ni_step *s) {
    (void)p;
    s->pieces = 1;
}

void ni_scratch_elements(const ni_program *p, ni_step *s) {
    (void)p;
    s->pieces = ni_pieces(ni_shape_count(s->shape), 1, ELEMENTS_A_PIECE);
}

static int64_t rows_of(const ni_step *s) {
    return ni_shape_count(s->shape) / s->shape.d[3];
}

void ni_scratch_rows(const ni_program *p, ni_step *s) {
    (void)p;
    s->pieces = ni_pieces(rows_of(s), s->shape.d[3], ELEMENTS_A_PIECE);
}

/* ---- elements ------------------------------------------------------------------------------- */

static void elements_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_kernels *k = &j->p->kernels;
    const ni_step *s = j->s;
    const ni_attr *attr = &s->attr;
    const void *a = ni_arg(j->p, s, 0), *b = ni_arg(j->p, s, 1);
    void *y = ni_out(j->p, s);
    int64_t i0, i1;
    (void)lane;
    ni_piece_range(ni_shape_count(s->shape), s->pieces, piece, &i0, &i1);
    switch (s->op) {
    case NI_OP_ADD:
        k->add(s->pointers, s->n_in, y, i0, i1);
        break;
    case NI_OP_MUL:
        k->mul(a, b, y, i0, i1);
        break;
    case NI_OP_SCALE:
        k->axpby(attr->scale.a, a, attr->scale.b, NULL, y, i0, i1);
        break;
    case NI_OP_MUL_SCALAR:
        k->axpby(ni_get(j->p, b, 0), a, 0, NULL, y, i0, i1);
        break;
    case NI_OP_RELU:
        k->relu(a, y, attr->clamp.low, attr->clamp.high, i0, i1);
        break;
    case NI_OP_RELU_DX:
        k->relu_gradient(a, b, y, attr->clamp.low, attr->clamp.high, i0, i1);
        break;
    default:
        k->unary((int)attr->number, a, y, i0, i1);
        break;
    }
}

void ni_run_elements(ni_program *p, const ni_step *s) {
    job j = {p, s, NULL, NULL};
    ni_parallel(p->context, s->pieces, elements_piece, &j);
}

void ni_run_add(ni_program *p, const ni_step *s) {
    for (uint32_t i = 0; i < s->n_in; i++)
        s->pointers[i] = ni_arg(p, s, i);
    ni_run_elements(p, s);
}

/* ---- channels and rows ---------------------------------------------------------------------- */

/* Scratch: a vector of ones or zeros for what is absent. */
void ni_scratch_affine(const ni_program *p, ni_step *s) {
    ni_scratch_rows(p, s);
    s->shared_bytes = (size_t)s->shape.d[3] * p->element;
}

static void affine_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_step *s = j->s;
    void *y = ni_out(j->p, s);
    bool relu = (s->flags & NI_STEP_RELU) != 0;
    int64_t r0, r1, c = s->shape.d[3];
    (void)lane;
    ni_piece_range(rows_of(s), s->pieces, piece, &r0, &r1);
    j->p->kernels.scale_shift(ni_arg(j->p, s, 0), j->scale, j->shift, y, c, r0, r1, relu);
    if (relu && s->attr.bn.high < INFINITY)
        j->p->kernels.relu(y, y, 0, s->attr.bn.high, r0 * c, r1 * c);
}

void ni_run_affine(ni_program *p, const ni_step *s) {
    job j = {p, s, ni_arg(p, s, 1), ni_arg(p, s, 2)};
    if (!j.scale || !j.shift) {
        for (int64_t i = 0; i < s->shape.d[3]; i++)
            ni_set(p, p->scratch, i, j.scale ? 0 : 1);
        if (j.scale)
            j.shift = p->scratch;
        else
            j.scale = p->scratch;
    }
    ni_parallel(p->context, s->pieces, affine_piece, &j);
}

void ni_scratch_mul_row(const ni_program *p, ni_step *s) {
    (void)p;
    s->pieces =
        ni_pieces(s->shape.d[0], ni_shape_count(s->shape) / s->shape.d[0], ELEMENTS_A_PIECE);
}

static void mul_row_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_step *s = j->s;
    int64_t r0, r1;
    (void)lane;
    ni_piece_range(s->shape.d[0], s->pieces, piece, &r0, &r1);
    j->p->kernels.row_scale(ni_arg(j->p, s, 0), ni_arg(j->p, s, 1), ni_out(j->p, s),
                            ni_shape_count(s->shape) / s->shape.d[0], r0, r1);
}

void ni_run_mul_row(ni_program *p, const ni_step *s) {
    job j = {p, s, NULL, NULL};
    ni_parallel(p->context, s->pieces, mul_row_piece, &j);
}

static void softmax_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    int64_t r0, r1;
    (void)lane;
    ni_piece_range(rows_of(j->s), j->s->pieces, piece, &r0, &r1);
    j->p->kernels.softmax(ni_arg(j->p, j->s, 0), ni_out(j->p, j->s), j->s->shape.d[3], r0, r1,
                          j->s->op == NI_OP_LOG_SOFTMAX);
}

void ni_run_softmax(ni_program *p, const ni_step *s) {
    job j = {p, s, NULL, NULL};
    ni_parallel(p->context, s->pieces, softmax_piece, &j);
}

/* ---- sums ----------------------------------------------------------------------------------- */

/* outer x mid x inner, over mid. Many outer ones: each is a unit. One: mid is cut, and the pieces'
 * sums are added in order. */
void ni_scratch_sum(const ni_program *p, ni_step *s) {
    int64_t outer = s->attr.sum.outer, mid = s->attr.sum.mid, inner = s->attr.sum.inner;
    s->pieces = outer > 1 ? ni_pieces(outer, mid * inner, ELEMENTS_A_PIECE)
                          : ni_pieces(mid, inner, ELEMENTS_A_PIECE);
    s->shared_bytes = outer == 1 ? s->pieces * (size_t)inner * p->element : 0;
}

static void sum_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_program *p = j->p;
    const ni_kernels *k = &p->kernels;
    const ni_step *s = j->s;
    int64_t outer = s->attr.sum.outer, mid = s->attr.sum.mid, inner = s->attr.sum.inner, from, to;
    const void *x = ni_arg(p, s, 0), *z = ni_arg(p, s, 1);
    char *y = ni_out(p, s);
    (void)lane;
    ni_piece_range(outer > 1 ? outer : mid, s->pieces, piece, &from, &to);
    if (outer == 1) {
        char *part = s->pieces > 1 ? ni_element(p, p->scratch, piece * inner) : y;
        if (inner > 1) {
            k->channel_sum(x, z, inner, from, to, part);
        } else {
            x = ni_element(p, x, from);
            k->row_sum(x, z ? ni_element(p, z, from) : NULL, to - from, 0, 1, part);
        }
    } else if (inner == 1) {
        k->row_sum(x, z, mid, from, to, y);
    } else {
        for (int64_t i = from; i < to; i++)
            k->channel_sum(ni_element(p, x, i * mid * inner),
                           z ? ni_element(p, z, i * mid * inner) : NULL, inner, 0, mid,
                           ni_element(p, y, i * inner));
    }
}

void ni_run_sum(ni_program *p, const ni_step *s) {
    job j = {p, s, NULL, NULL};
    ni_parallel(p->context, s->pieces, sum_piece, &j);
    if (s->attr.sum.outer == 1 && s->pieces > 1)
        p->kernels.channel_sum(p->scratch, NULL, s->attr.sum.inner, 0, s->pieces, ni_out(p, s));
}

/* ---- memory --------------------------------------------------------------------------------- */

static void broadcast_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_step *s = j->s;
    const int64_t *d = ni_arg_step(j->p, s, 0)->shape.d;
    int64_t strides[4], stride = 1, r0, r1;
    (void)lane;
    for (int i = 3; i >= 0; i--) {
        strides[i] = d[i] == 1 ? 0 : stride;
        stride *= d[i];
    }
    ni_piece_range(rows_of(s), s->pieces, piece, &r0, &r1);
    j->p->kernels.gather(ni_arg(j->p, s, 0), strides, ni_out(j->p, s), s->shape, r0, r1);
}

void ni_run_broadcast(ni_program *p, const ni_step *s) {
    job j = {p, s, NULL, NULL};
    ni_parallel(p->context, s->pieces, broadcast_piece, &j);
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

/* n runs of `bytes`, from every `step`-th place to every `to_step`-th, for each of `outer`. */
static void copy_runs(char *to, int64_t to_outer, int64_t to_step, const char *from,
                      int64_t from_outer, int64_t step, int64_t outer, int64_t n, int64_t bytes) {
    if (to_step == bytes && step == bytes) { /* they follow each other */
        bytes *= n;
        n = 1;
    }
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < n; i++)
            memcpy(to + o * to_outer + i * to_step, from + o * from_outer + i * step,
                   (size_t)bytes);
}

void ni_run_concat(ni_program *p, const ni_step *s) {
    int64_t along = s->attr.slice.dimension, outer = outside(s->shape, along);
    int64_t run = inside(s->shape, along) * (int64_t)p->element;
    char *to = ni_out(p, s);
    for (uint32_t i = 0; i < s->n_in; i++) {
        int64_t n = ni_arg_step(p, s, i)->shape.d[along];
        copy_runs(to, s->shape.d[along] * run, run, ni_arg(p, s, i), n * run, run, outer, n, run);
        to += n * run;
    }
}

void ni_run_slice(ni_program *p, const ni_step *s) {
    int64_t along = s->attr.slice.dimension, n = s->shape.d[along];
    int64_t run = inside(s->shape, along) * (int64_t)p->element;
    copy_runs(ni_out(p, s), n * run, run, (const char *)ni_arg(p, s, 0) + s->attr.slice.from * run,
              s->attr.slice.size * run, s->attr.slice.step * run, outside(s->shape, along), n, run);
}

void ni_run_pad(ni_program *p, const ni_step *s) {
    int64_t along = s->attr.slice.dimension, n = ni_arg_step(p, s, 0)->shape.d[along];
    int64_t run = inside(s->shape, along) * (int64_t)p->element;
    char *to = ni_out(p, s);
    memset(to, 0, s->bytes);
    copy_runs(to + s->attr.slice.from * run, s->attr.slice.size * run, s->attr.slice.step * run,
              ni_arg(p, s, 0), n * run, run, outside(s->shape, along), n, run);
}

/* ---- dropout -------------------------------------------------------------------------------- */

/* Drawn by position: block i/4 of the mask's own stream. */
static void mask_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_step *s = j->s;
    void *y = ni_out(j->p, s);
    uint64_t identity[3] = {j->p->run->random_key[0], j->p->run->random_key[1],
                            s->attr.dropout.ordinal};
    uint64_t key = ni_hash(identity, sizeof identity);
    const uint32_t halves[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    uint64_t limit = (uint64_t)(s->attr.dropout.drop * 4294967296.0);
    double kept = 1 / (1 - s->attr.dropout.drop);
    uint32_t words[4] = {0};
    int64_t i0, i1;
    (void)lane;
    ni_piece_range(ni_shape_count(s->shape), s->pieces, piece, &i0, &i1);
    for (int64_t i = i0; i < i1; i++) {
        if (i == i0 || i % 4 == 0) {
            uint64_t block = (uint64_t)i / 4;
            const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, 0};
            ni_philox(counter, halves, words);
        }
        ni_set(j->p, y, i, words[i % 4] < limit ? 0 : kept);
    }
}

void ni_run_dropout_mask(ni_program *p, const ni_step *s) {
    job j = {p, s, NULL, NULL};
    ni_parallel(p->context, s->pieces, mask_piece, &j);
}
