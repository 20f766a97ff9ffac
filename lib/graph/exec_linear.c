/* Execution of convolutions, matrix products and pooling. */
#include "program.h"

static const ni_conv *conv_of(const ni_step *s) {
    return &s->attr.conv;
}

/* ---- convolution ---------------------------------------------------------------------------- */

enum { MACS_A_PIECE = 1 << 19, IMAGE_GROUPS = 16 };
/* Rows: a piece is some microseconds, which is what handing it over costs many times. Depthwise
 * convolutions take longer for each product. */
enum { ROW_MACS_A_PIECE = 1 << 18, DEPTHWISE_MACS_A_PIECE = 1 << 16 };

/* Units: rows of the output. */
void ni_scratch_conv(const ni_program *p, ni_step *s) {
    const ni_conv *c = conv_of(s);
    int what = s->op == NI_OP_CONV ? 0 : 1;
    s->units = (int64_t)c->n * (what == 0 ? c->oh : c->h);
    s->pieces = ni_pieces(s->units, ni_conv_macs(c) / s->units + 1,
                          c->groups > 1 ? DEPTHWISE_MACS_A_PIECE : ROW_MACS_A_PIECE);
    s->shared_bytes = ni_aligned(ni_conv_kernels(p, s)->conv_packed_bytes(c, what));
    s->lane_bytes = ni_conv_kernels(p, s)->conv_scratch_bytes(c, what + 4);
}

void ni_prepare_conv(ni_program *p, const ni_step *s) {
    ni_conv_kernels(p, s)->conv_pack(conv_of(s), s->op == NI_OP_CONV ? 0 : 1, ni_whole(p, s, 1),
                                     ni_shared(p, s));
}

/* Its input, read through bn_vectors. */
static ni_conv_fused through(const ni_lane *l, const ni_step *s, const void *vectors) {
    ni_conv_fused fused = {
        .scale = vectors, .shift = ni_element(l->p, vectors, conv_of(s)->ci), .clamp = s->clamp};
    return fused;
}

void ni_range_conv(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    const void *vectors = ni_arg(l, s, 2);
    (void)part;
    if (vectors) {
        ni_conv_fused fused = through(l, s, vectors);
        ni_conv_kernels(l->p, s)->conv_forward_fused(conv_of(s), s->flags, &fused, ni_arg(l, s, 0),
                                                     ni_shared(l->p, s), ni_out(l, s), u0, u1,
                                                     l->scratch);
        return;
    }
    ni_conv_kernels(l->p, s)->conv_forward(conv_of(s), s->flags, ni_arg(l, s, 0),
                                           ni_shared(l->p, s), ni_out(l, s), u0, u1, l->scratch);
}

void ni_range_conv_dx(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    const void *vectors = ni_arg(l, s, 4);
    (void)part;
    if (vectors) {
        ni_conv_fused fused = {.mask_scale = vectors,
                               .mask_shift = ni_element(l->p, vectors, conv_of(s)->ci),
                               .mask_clamp = s->clamp};
        ni_conv_kernels(l->p, s)->conv_input_gradient_fused(
            conv_of(s), s->flags, &fused, ni_arg(l, s, 0), ni_shared(l->p, s), ni_out(l, s),
            ni_arg(l, s, 2), u0, u1, l->scratch);
        return;
    }
    ni_conv_kernels(l->p, s)->conv_input_gradient(conv_of(s), s->flags, ni_arg(l, s, 0),
                                                  ni_shared(l->p, s), ni_out(l, s), ni_arg(l, s, 2),
                                                  u0, u1, l->scratch);
}

/* Units: images. Each part is a sum of its own; they are then added in order. A part that more and
 * more images are added to has them computed beside it first. */
void ni_scratch_conv_dw(const ni_program *p, ni_step *s) {
    const ni_conv *c = conv_of(s);
    s->units = c->n;
    s->pieces = ni_pieces(c->n, ni_conv_macs(c) / c->n + 1, MACS_A_PIECE);
    if (s->pieces > IMAGE_GROUPS) s->pieces = IMAGE_GROUPS;
    s->part_bytes = ni_aligned(s->bytes);
    s->lane_bytes = ni_aligned(s->bytes) + ni_conv_kernels(p, s)->conv_scratch_bytes(c, 2 + 4);
}

static void *dw_part(const ni_program *p, const ni_step *s, uint32_t part) {
    return s->parts > 1 ? ni_part(p, s, part) : ni_whole_out(p, s);
}

void ni_range_conv_dw(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    void *to = dw_part(l->p, s, part), *now = l->more ? l->scratch : to;
    char *scratch = l->scratch + ni_aligned(s->bytes);
    const void *x = ni_arg(l, s, 0), *dy = ni_arg(l, s, 1), *vectors = ni_arg(l, s, 2);
    if (vectors) {
        ni_conv_fused fused = through(l, s, vectors);
        ni_conv_kernels(l->p, s)->conv_weight_gradient_fused(conv_of(s), s->flags, &fused, x, dy,
                                                             now, u0, u1, scratch);
    } else {
        ni_conv_kernels(l->p, s)->conv_weight_gradient(conv_of(s), s->flags, x, dy, now, u0, u1,
                                                       scratch);
    }
    if (l->more) {
        const void *both[2] = {to, now};
        l->p->kernels.add(both, 2, to, 0, ni_shape_count(s->shape));
    }
}

void ni_finish_conv_dw(ni_program *p, const ni_step *s) {
    const void *parts[NI_PIECES_MOST];
    if (s->parts < 2) return;
    for (uint32_t i = 0; i < s->parts; i++)
        parts[i] = ni_part(p, s, i);
    p->kernels.add(parts, s->parts, ni_whole_out(p, s), 0, ni_shape_count(s->shape));
}

/* ---- matrix product ------------------------------------------------------------------------- */

static int64_t inner_of(const ni_program *p, const ni_step *s) {
    return ni_arg_step(p, s, 0)->shape.d[s->attr.transposed.a ? 0 : 3];
}

void ni_scratch_matmul(const ni_program *p, ni_step *s) {
    s->units = s->shape.d[0];
    s->pieces = ni_pieces(s->units, s->shape.d[3] * inner_of(p, s), MACS_A_PIECE);
}

void ni_range_matmul(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    const ni_program *p = l->p;
    int64_t n = s->shape.d[3];
    bool ta = s->attr.transposed.a != 0, tb = s->attr.transposed.b != 0;
    int64_t lda = ni_arg_step(p, s, 0)->shape.d[3], ldb = ni_arg_step(p, s, 1)->shape.d[3];
    (void)part;
    p->kernels.gemm(ta, tb, u1 - u0, n, inner_of(p, s), 1,
                    ni_element(p, ni_arg(l, s, 0), ta ? u0 : u0 * lda), lda, ni_arg(l, s, 1), ldb,
                    0, ni_element(p, ni_out(l, s), u0 * n), n);
}

/* ---- pooling -------------------------------------------------------------------------------- */

/* Units: gradients go by images, since windows overlap; the others by rows of the output. */
void ni_scratch_pool(const ni_program *p, ni_step *s) {
    const ni_pool *pool = &s->attr.pool;
    bool images = s->op == NI_OP_MAX_POOL_DX || s->op == NI_OP_AVG_POOL_DX;
    int64_t work = (int64_t)pool->n * pool->oh * pool->ow * pool->c * pool->kh * pool->kw;
    (void)p;
    s->units = images ? pool->n : (int64_t)pool->n * pool->oh;
    s->pieces = ni_pieces(s->units, work / s->units + 1, 1 << 17);
}

void ni_range_pool(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    const ni_kernels *k = &l->p->kernels;
    const ni_pool *pool = &s->attr.pool;
    const void *a = ni_arg(l, s, 0), *b = ni_arg(l, s, 1);
    void *y = ni_out(l, s);
    (void)part;
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
