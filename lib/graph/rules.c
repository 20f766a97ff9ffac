/* The gradient of each operation, written as nodes of the same list of operations, so that it has
 * a gradient too. Batch norm's are in rules_bn.c, those of some layers in rules_layers.c. */
#include "internal.h"

/* ---- small steps ---------------------------------------------------------------------------- */

/* The node that a builder gave, by its address: it is read after the builder has run. */
static ni_node keep(ni_vjp *v, nas_status status, const ni_node *node) {
    if (status >= 0) return *node;
    if (v->status >= 0) v->status = status;
    return NI_NONE;
}

ni_node ni_v_mul(ni_vjp *v, ni_node a, ni_node b) {
    ni_node out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    if (a == NI_NONE || b == NI_NONE) return a == NI_NONE ? b : a;
    return keep(v, ni_mul(v->g, a, b, &out), &out);
}

ni_node ni_v_add(ni_vjp *v, ni_node a, ni_node b) {
    ni_node in[] = {a, b}, out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    if (a == NI_NONE || b == NI_NONE) return a == NI_NONE ? b : a;
    return keep(v, ni_add(v->g, in, 2, &out), &out);
}

ni_node ni_v_scale(ni_vjp *v, ni_node x, double a, double b) {
    ni_node out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    return keep(v, ni_scale(v->g, x, a, b, &out), &out);
}

ni_node ni_v_unary(ni_vjp *v, ni_node x, ni_unary_kind kind) {
    ni_node out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    return keep(v, ni_unary(v->g, x, kind, &out), &out);
}

ni_node ni_v_affine(ni_vjp *v, ni_node x, ni_node scale, ni_node shift) {
    ni_node out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    if (scale == NI_NONE && shift == NI_NONE) return x;
    return keep(v, ni_affine(v->g, x, scale, shift, &out), &out);
}

ni_node ni_v_sum(ni_vjp *v, ni_node x, ni_node y, ni_shape shape) {
    ni_node out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    return keep(v, ni_sum_to(v->g, x, y, shape, &out), &out);
}

ni_node ni_v_slice(ni_vjp *v, ni_node x, int dimension, int64_t from, int64_t to, int64_t step) {
    ni_node out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    return keep(v, ni_slice(v->g, x, dimension, from, to, step, &out), &out);
}

ni_node ni_v_pair(ni_vjp *v, ni_op op, ni_node a, ni_node b) {
    ni_node in[] = {a, b}, out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    return keep(v, ni_node_add(v->g, op, &v->node->attr, NULL, in, b == NI_NONE ? 1 : 2, &out),
                &out);
}

static ni_node multiply(ni_vjp *v, ni_node a, ni_node b, bool ta, bool tb) {
    ni_node out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    return keep(v, ni_matmul(v->g, a, b, ta, tb, &out), &out);
}

ni_node ni_v_repeat(ni_vjp *v, ni_node x, ni_shape shape) {
    ni_node out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    return keep(v, ni_broadcast(v->g, x, shape, &out), &out);
}

/* x times h, which is repeated to x's shape without being written out where that can be. */
ni_node ni_v_times(ni_vjp *v, ni_node x, ni_node h) {
    ni_node out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    ni_shape big = ni_at(v->g, x)->shape, small = ni_at(v->g, h)->shape;
    if (ni_shape_equal(big, small)) return ni_v_mul(v, x, h);
    if (ni_shape_count(small) == 1) return keep(v, ni_mul_scalar(v->g, x, h, &out), &out);
    if (ni_shape_equal(small, ni_shape4(1, 1, 1, big.d[3]))) return ni_v_affine(v, x, h, NI_NONE);
    if (ni_shape_equal(small, ni_shape4(big.d[0], 1, 1, 1)))
        return keep(v, ni_mul_row(v->g, x, h, &out), &out);
    if (ni_shape_equal(small, ni_shape4(big.d[0], 1, 1, big.d[3])))
        return keep(v, ni_mul_image(v->g, x, h, &out), &out);
    return ni_v_mul(v, x, ni_v_repeat(v, h, big));
}

/* ---- linear algebra ------------------------------------------------------------------------- */

/* The three are each other's: all are one trilinear form in x, w and dy. */
void ni_vjp_conv(ni_vjp *v) {
    if (v->need[0]) v->dx[0] = ni_v_pair(v, NI_OP_CONV_DX, v->dy, v->in[1]);
    if (v->need[1]) v->dx[1] = ni_v_pair(v, NI_OP_CONV_DW, v->in[0], v->dy);
}

void ni_vjp_conv_dx(ni_vjp *v) {
    if (v->need[0]) v->dx[0] = ni_v_pair(v, NI_OP_CONV, v->dy, v->in[1]);
    if (v->need[1]) v->dx[1] = ni_v_pair(v, NI_OP_CONV_DW, v->dy, v->in[0]);
}

void ni_vjp_conv_dw(ni_vjp *v) {
    if (v->need[0]) v->dx[0] = ni_v_pair(v, NI_OP_CONV_DX, v->in[1], v->dy);
    if (v->need[1]) v->dx[1] = ni_v_pair(v, NI_OP_CONV, v->in[0], v->dy);
}

void ni_vjp_matmul(ni_vjp *v) {
    bool ta = v->node->attr.transposed.a != 0, tb = v->node->attr.transposed.b != 0;
    if (v->need[0])
        v->dx[0] =
            ta ? multiply(v, v->in[1], v->dy, tb, true) : multiply(v, v->dy, v->in[1], false, !tb);
    if (v->need[1])
        v->dx[1] =
            tb ? multiply(v, v->dy, v->in[0], true, ta) : multiply(v, v->in[0], v->dy, !ta, false);
}

/* ---- pooling -------------------------------------------------------------------------------- */

void ni_vjp_max_pool(ni_vjp *v) {
    v->dx[0] = ni_v_pair(v, NI_OP_MAX_POOL_DX, v->in[0], v->dy);
}

/* Where the maximum is does not move with x, almost everywhere: linear in the second input alone.
 * Of max_pool_gradient the gradient is max_pool_pick, and the other way round. */
void ni_vjp_max_pool_dx(ni_vjp *v) {
    ni_op op = v->node->op == NI_OP_MAX_POOL_DX ? NI_OP_MAX_POOL_PICK : NI_OP_MAX_POOL_DX;
    if (v->need[1]) v->dx[1] = ni_v_pair(v, op, v->in[0], v->dy);
}

void ni_vjp_avg_pool(ni_vjp *v) {
    v->dx[0] = ni_v_pair(v, NI_OP_AVG_POOL_DX, v->dy, NI_NONE);
}

void ni_vjp_avg_pool_dx(ni_vjp *v) {
    v->dx[0] = ni_v_pair(v, NI_OP_AVG_POOL, v->dy, NI_NONE);
}

/* ---- elementwise ---------------------------------------------------------------------------- */

void ni_vjp_add(ni_vjp *v) {
    for (uint32_t i = 0; i < v->node->n_in; i++)
        v->dx[i] = v->dy;
}

void ni_vjp_mul(ni_vjp *v) {
    for (uint32_t i = 0; i < 2; i++)
        if (v->need[i]) v->dx[i] = ni_v_mul(v, v->dy, v->in[1 - i]);
}

void ni_vjp_scale(ni_vjp *v) {
    v->dx[0] = v->node->attr.scale.a == 1 ? v->dy : ni_v_scale(v, v->dy, v->node->attr.scale.a, 0);
}

void ni_vjp_mul_scalar(ni_vjp *v) {
    if (v->need[0]) v->dx[0] = ni_v_times(v, v->dy, v->in[1]);
    if (!v->need[1]) return;
    v->dx[1] = ni_at(v->g, v->in[0])->op == NI_OP_BN_NORMALIZE
                   ? ni_v_weight_of_norm(v, v->in[0])
                   : ni_v_sum(v, v->dy, v->in[0], ni_shape4(1, 1, 1, 1));
}

void ni_vjp_affine(ni_vjp *v) {
    ni_shape vector = ni_shape4(1, 1, 1, v->node->shape.d[3]);
    if (v->need[0]) v->dx[0] = ni_v_affine(v, v->dy, v->in[1], NI_NONE);
    if (v->need[1]) v->dx[1] = ni_v_sum(v, v->dy, v->in[0], vector);
    if (v->need[2]) v->dx[2] = ni_v_sum(v, v->dy, NI_NONE, vector);
}

void ni_vjp_mul_row(ni_vjp *v) {
    if (v->need[0]) v->dx[0] = ni_v_times(v, v->dy, v->in[1]);
    if (v->need[1])
        v->dx[1] = ni_v_sum(v, v->dy, v->in[0], ni_shape4(v->node->shape.d[0], 1, 1, 1));
}

void ni_vjp_relu(ni_vjp *v) {
    v->dx[0] = ni_v_pair(v, NI_OP_RELU_DX, v->in[0], v->dy);
}

/* Its second derivative is zero almost everywhere, as PyTorch has it. */
void ni_vjp_relu_dx(ni_vjp *v) {
    if (v->need[1]) v->dx[1] = ni_v_pair(v, NI_OP_RELU_DX, v->in[0], v->dy);
}

void ni_vjp_unary(ni_vjp *v) {
    ni_node x = v->in[0], y = v->y, d = NI_NONE;
    switch ((ni_unary_kind)v->node->attr.number) {
    case NI_EXP:
        d = y;
        break;
    case NI_LOG:
        d = ni_v_unary(v, x, NI_RECIPROCAL);
        break;
    case NI_SQRT:
        d = ni_v_scale(v, ni_v_unary(v, y, NI_RECIPROCAL), 0.5, 0);
        break;
    case NI_RSQRT:
        d = ni_v_scale(v, ni_v_mul(v, y, ni_v_unary(v, y, NI_SQUARE)), -0.5, 0);
        break;
    case NI_RECIPROCAL:
        d = ni_v_scale(v, ni_v_unary(v, y, NI_SQUARE), -1, 0);
        break;
    case NI_SQUARE:
        d = ni_v_scale(v, x, 2, 0);
        break;
    case NI_ABS:
        d = ni_v_unary(v, x, NI_SIGN);
        break;
    case NI_SIGN:
        return; /* zero */
    case NI_SIGMOID:
        d = ni_v_mul(v, y, ni_v_scale(v, y, -1, 1));
        break;
    case NI_TANH:
        d = ni_v_scale(v, ni_v_unary(v, y, NI_SQUARE), -1, 1);
        break;
    case NI_HARD_SWISH:
        d = ni_v_unary(v, x, NI_HARD_SWISH_SLOPE);
        break;
    case NI_HARD_SWISH_SLOPE: { /* a third between the bends */
        ni_attr attr;
        ni_node in[] = {x, v->dy};
        memset(&attr, 0, sizeof attr);
        attr.clamp.low = -3;
        attr.clamp.high = 3;
        if (v->status < 0) return;
        keep(v, ni_node_add(v->g, NI_OP_RELU_DX, &attr, NULL, in, 2, &d), &d);
        v->dx[0] = ni_v_scale(v, d, 1.0 / 3, 0);
        return;
    }
    }
    v->dx[0] = ni_v_mul(v, v->dy, d);
}

/* ---- reductions and shape ------------------------------------------------------------------- */

void ni_vjp_sum(ni_vjp *v) {
    if (v->node->n_in == 1) {
        v->dx[0] = ni_v_repeat(v, v->dy, ni_at(v->g, v->in[0])->shape);
        return;
    }
    for (uint32_t i = 0; i < 2; i++)
        if (v->need[i]) v->dx[i] = ni_v_times(v, v->in[1 - i], v->dy);
}

void ni_vjp_broadcast(ni_vjp *v) {
    v->dx[0] = ni_v_sum(v, v->dy, NI_NONE, ni_at(v->g, v->in[0])->shape);
}

void ni_vjp_concat(ni_vjp *v) {
    int dimension = (int)v->node->attr.slice.dimension;
    int64_t from = 0;
    for (uint32_t i = 0; i < v->node->n_in; i++) {
        int64_t to = from + ni_at(v->g, v->in[i])->shape.d[dimension];
        if (v->need[i]) v->dx[i] = ni_v_slice(v, v->dy, dimension, from, to, 1);
        from = to;
    }
}

void ni_vjp_slice(ni_vjp *v) {
    const ni_attr *a = &v->node->attr;
    ni_node out = NI_NONE;
    v->dx[0] = keep(v,
                    ni_pad(v->g, v->dy, (int)a->slice.dimension, a->slice.from, a->slice.step,
                           a->slice.size, &out),
                    &out);
}

void ni_vjp_pad(ni_vjp *v) {
    const ni_attr *a = &v->node->attr;
    int dimension = (int)a->slice.dimension;
    int64_t n = ni_at(v->g, v->in[0])->shape.d[dimension];
    v->dx[0] = ni_v_slice(v, v->dy, dimension, a->slice.from,
                          a->slice.from + (n - 1) * a->slice.step + 1, a->slice.step);
}

ni_node ni_v_reshape(ni_vjp *v, ni_node x, ni_shape shape) {
    ni_node out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    return keep(v, ni_reshape(v->g, x, shape, &out), &out);
}

void ni_vjp_reshape(ni_vjp *v) {
    v->dx[0] = ni_v_reshape(v, v->dy, ni_at(v->g, v->in[0])->shape);
}

/* ---- softmax and its loss ------------------------------------------------------------------- */

/* y (dy - sum(y dy)) */
void ni_vjp_softmax(ni_vjp *v) {
    ni_node sums = ni_v_sum(v, v->dy, v->y, ni_shape4(v->node->shape.d[0], 1, 1, 1));
    if (v->status < 0) return;
    ni_node taken = ni_v_scale(v, ni_v_times(v, v->y, sums), -1, 0);
    v->dx[0] = ni_v_add(v, ni_v_mul(v, v->dy, v->y), taken);
}

/* dy - softmax(x) sum(dy) */
void ni_vjp_log_softmax(ni_vjp *v) {
    ni_node sums = ni_v_sum(v, v->dy, NI_NONE, ni_shape4(v->node->shape.d[0], 1, 1, 1));
    ni_node p = ni_v_pair(v, NI_OP_SOFTMAX, v->in[0], NI_NONE);
    if (v->status < 0) return;
    v->dx[0] = ni_v_add(v, v->dy, ni_v_scale(v, ni_v_times(v, p, sums), -1, 0));
}

/* (softmax - target) / count, for the rows that count */
void ni_vjp_cross_entropy(ni_vjp *v) {
    ni_attr attr;
    ni_node p, target, counted, labels = v->in[1];
    memset(&attr, 0, sizeof attr);
    keep(v, ni_node_add(v->g, NI_OP_SOFTMAX, &attr, NULL, v->in, 1, &p), &p);
    keep(v, ni_node_add(v->g, NI_OP_COUNTED, &attr, NULL, &labels, 1, &counted), &counted);
    attr.labels.smoothing = v->node->attr.labels.smoothing;
    attr.labels.classes = ni_at(v->g, v->in[0])->shape.d[3];
    keep(v, ni_node_add(v->g, NI_OP_TARGET, &attr, NULL, &labels, 1, &target), &target);
    if (v->status < 0) return;
    ni_node d = ni_v_add(v, p, ni_v_scale(v, target, -1, 0));
    d = ni_v_times(v, d, counted);
    if (v->status < 0) return;
    v->dx[0] = ni_is_constant(v->g, v->dy, 1) ? d : ni_v_times(v, d, v->dy);
}
