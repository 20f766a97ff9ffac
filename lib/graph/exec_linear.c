/* Execution of convolutions, matrix products and pooling. */
#include "program.h"

typedef struct {
    ni_program *p;
    const ni_step *s;
    int64_t units;
    const void *packed;
    void *shared;
    void *y;
} job;

static void *lane_scratch(const ni_program *p, uint32_t lane) {
    return p->scratch + p->shared_bytes + (size_t)lane * p->lane_bytes;
}

static const ni_conv *conv_of(const ni_step *s) {
    return &s->attr.conv;
}

/* ---- convolution ---------------------------------------------------------------------------- */

enum { MACS_A_PIECE = 1 << 19, IMAGE_GROUPS = 16 };

static int64_t macs(const ni_conv *c) {
    return (int64_t)c->n * c->oh * c->ow * c->co * c->kh * c->kw * (c->ci / c->groups);
}

void ni_scratch_conv(const ni_program *p, ni_step *s) {
    const ni_conv *c = conv_of(s);
    int what = s->op == NI_OP_CONV ? 0 : 1;
    int64_t rows = (int64_t)c->n * (what == 0 ? c->oh : c->h);
    s->pieces = ni_pieces(rows, macs(c) / rows + 1, MACS_A_PIECE);
    s->shared_bytes = p->kernels.conv_packed_bytes(c, what);
    s->lane_bytes = p->kernels.conv_scratch_bytes(c, what);
}

static void conv_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_step *s = j->s;
    int64_t r0, r1;
    ni_piece_range(j->units, s->pieces, piece, &r0, &r1);
    j->p->kernels.conv_forward(conv_of(s), s->flags, ni_arg(j->p, s, 0), j->packed, ni_out(j->p, s),
                               r0, r1, lane_scratch(j->p, lane));
}

static void conv_dx_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_step *s = j->s;
    int64_t r0, r1;
    ni_piece_range(j->units, s->pieces, piece, &r0, &r1);
    j->p->kernels.conv_input_gradient(conv_of(s), s->flags, ni_arg(j->p, s, 0), j->packed,
                                      ni_out(j->p, s), ni_arg(j->p, s, 2), r0, r1,
                                      lane_scratch(j->p, lane));
}

void ni_run_conv(ni_program *p, const ni_step *s) {
    const ni_conv *c = conv_of(s);
    job j = {p, s, (int64_t)c->n * c->oh, p->scratch, NULL, NULL};
    p->kernels.conv_pack(c, 0, ni_arg(p, s, 1), p->scratch);
    ni_parallel(p->context, s->pieces, conv_piece, &j);
}

void ni_run_conv_dx(ni_program *p, const ni_step *s) {
    const ni_conv *c = conv_of(s);
    job j = {p, s, (int64_t)c->n * c->h, p->scratch, NULL, NULL};
    p->kernels.conv_pack(c, 1, ni_arg(p, s, 1), p->scratch);
    ni_parallel(p->context, s->pieces, conv_dx_piece, &j);
}

/* Each group of images has its own sum; the groups are then added in order. */
void ni_scratch_conv_dw(const ni_program *p, ni_step *s) {
    const ni_conv *c = conv_of(s);
    s->pieces = ni_pieces(c->n, macs(c) / c->n + 1, MACS_A_PIECE);
    if (s->pieces > IMAGE_GROUPS) s->pieces = IMAGE_GROUPS;
    s->shared_bytes = s->pieces > 1 ? s->pieces * ni_aligned(s->bytes) : 0;
    s->lane_bytes = p->kernels.conv_scratch_bytes(c, 2);
}

static void conv_dw_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_step *s = j->s;
    int64_t n0, n1;
    char *to = s->pieces > 1 ? (char *)j->shared + piece * ni_aligned(s->bytes) : ni_out(j->p, s);
    ni_piece_range(conv_of(s)->n, s->pieces, piece, &n0, &n1);
    j->p->kernels.conv_weight_gradient(conv_of(s), s->flags, ni_arg(j->p, s, 0), ni_arg(j->p, s, 1),
                                       to, n0, n1, lane_scratch(j->p, lane));
}

static void conv_dw_add(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const void *parts[IMAGE_GROUPS];
    int64_t i0, i1;
    (void)lane;
    for (uint32_t i = 0; i < j->s->pieces; i++)
        parts[i] = (char *)j->shared + i * ni_aligned(j->s->bytes);
    ni_piece_range(j->units, ni_pieces(j->units, j->s->pieces, 1 << 16), piece, &i0, &i1);
    j->p->kernels.add(parts, j->s->pieces, ni_out(j->p, j->s), i0, i1);
}

void ni_run_conv_dw(ni_program *p, const ni_step *s) {
    job j = {p, s, ni_shape_count(s->shape), NULL, p->scratch, NULL};
    ni_parallel(p->context, s->pieces, conv_dw_piece, &j);
    if (s->pieces > 1)
        ni_parallel(p->context, ni_pieces(j.units, s->pieces, 1 << 16), conv_dw_add, &j);
}

/* ---- matrix product ------------------------------------------------------------------------- */

static int64_t inner_of(const ni_program *p, const ni_step *s) {
    return ni_arg_step(p, s, 0)->shape.d[s->attr.transposed.a ? 0 : 3];
}

void ni_scratch_matmul(const ni_program *p, ni_step *s) {
    s->pieces = ni_pieces(s->shape.d[0], s->shape.d[3] * inner_of(p, s), MACS_A_PIECE);
}

static void matmul_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_program *p = j->p;
    const ni_step *s = j->s;
    int64_t m0, m1, n = s->shape.d[3];
    bool ta = s->attr.transposed.a != 0, tb = s->attr.transposed.b != 0;
    int64_t lda = ni_arg_step(p, s, 0)->shape.d[3], ldb = ni_arg_step(p, s, 1)->shape.d[3];
    (void)lane;
    ni_piece_range(s->shape.d[0], s->pieces, piece, &m0, &m1);
    p->kernels.gemm(ta, tb, m1 - m0, n, inner_of(p, s), 1,
                    ni_element(p, ni_arg(p, s, 0), ta ? m0 : m0 * lda), lda, ni_arg(p, s, 1), ldb,
                    0, ni_element(p, ni_out(p, s), m0 * n), n);
}

void ni_run_matmul(ni_program *p, const ni_step *s) {
    job j = {p, s, 0, NULL, NULL, NULL};
    ni_parallel(p->context, s->pieces, matmul_piece, &j);
}

/* ---- pooling -------------------------------------------------------------------------------- */

/* Gradients go by images, since windows overlap; the others by rows of the output. */
static int64_t pool_units(const ni_step *s) {
    const ni_pool *pool = &s->attr.pool;
    bool images = s->op == NI_OP_MAX_POOL_DX || s->op == NI_OP_AVG_POOL_DX;
    return images ? pool->n : (int64_t)pool->n * pool->oh;
}

void ni_scratch_pool(const ni_program *p, ni_step *s) {
    const ni_pool *pool = &s->attr.pool;
    int64_t work = (int64_t)pool->n * pool->oh * pool->ow * pool->c * pool->kh * pool->kw;
    (void)p;
    s->pieces = ni_pieces(pool_units(s), work / pool_units(s) + 1, 1 << 17);
}

static void pool_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_kernels *k = &j->p->kernels;
    const ni_step *s = j->s;
    const ni_pool *pool = &s->attr.pool;
    const void *a = ni_arg(j->p, s, 0), *b = ni_arg(j->p, s, 1);
    void *y = ni_out(j->p, s);
    int64_t u0, u1;
    (void)lane;
    ni_piece_range(pool_units(s), s->pieces, piece, &u0, &u1);
    switch (s->op) {
    case NI_OP_MAX_POOL:
        k->max_pool(pool, a, y, u0, u1);
        break;
    case NI_OP_MAX_POOL_DX:
        k->max_pool_gradient(pool, a, b, y, u0, u1);
        break;
    case NI_OP_MAX_POOL_PICK:
        k->max_pool_pick(pool, a, b, y, u0, u1);
        break;
    case NI_OP_AVG_POOL:
        k->avg_pool(pool, a, y, u0, u1);
        break;
    default:
        k->avg_pool_gradient(pool, a, y, u0, u1);
        break;
    }
}

void ni_run_pool(ni_program *p, const ni_step *s) {
    job j = {p, s, 0, NULL, NULL, NULL};
    ni_parallel(p->context, s->pieces, pool_piece, &j);
}
