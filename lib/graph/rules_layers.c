/* Gradients of gates, layer norm, resizing and embeddings. All but layer norm are linear in what
 * they are differentiated by, and each other's gradients. */
#include "internal.h"

void ni_vjp_mul_image(ni_vjp *v) {
    if (v->need[0]) v->dx[0] = ni_v_times(v, v->dy, v->in[1]);
    if (v->need[1]) v->dx[1] = ni_v_sum(v, v->dy, v->in[0], ni_at(v->g, v->in[1])->shape);
}

void ni_vjp_layer_norm(ni_vjp *v) {
    v->dx[0] = ni_v_pair(v, NI_OP_LAYER_NORM_DX, v->in[0], v->dy);
}

/* Mean over the channels of x, or of x y: [rows,1,1,1]. */
static ni_node mean_of(ni_vjp *v, ni_node x, ni_node y) {
    if (v->status < 0) return NI_NONE;
    ni_shape shape = ni_at(v->g, x)->shape;
    return ni_v_scale(v, ni_v_sum(v, x, y, ni_shape4(shape.d[0], 1, 1, 1)), 1 / (double)shape.d[3],
                      0);
}

/* 1 / sqrt(var + epsilon) of each row. */
static ni_node inverse_deviation(ni_vjp *v, ni_node x) {
    if (v->status < 0) return NI_NONE;
    ni_shape shape = ni_at(v->g, x)->shape;
    ni_node mean = ni_v_scale(v, mean_of(v, x, NI_NONE), -1, 0);
    ni_node apart = ni_v_add(v, x, ni_v_repeat(v, mean, shape));
    ni_node var = mean_of(v, apart, apart);
    return ni_v_unary(v, ni_v_scale(v, var, 1, v->node->attr.bn.epsilon), NI_RSQRT);
}

/* With X the normalised x, r its inverse deviation, D(g) = r (g - mean(g) - X mean(g X)), y =
 * D(dy), and h what comes from above: by dy:  D(h), for D is symmetric by x:   -r^2 X (mean(h dy) -
 * mean(dy) mean(h) - mean(dy X) mean(h X)) -r (mean(h X) D(dy) + mean(dy X) D(h)) */
void ni_vjp_layer_norm_dx(ni_vjp *v) {
    ni_shape shape = v->node->shape;
    ni_shape rows = ni_shape4(shape.d[0] * shape.d[1] * shape.d[2], 1, 1, shape.d[3]);
    ni_node of_h = ni_v_pair(v, NI_OP_LAYER_NORM_DX, v->in[0], v->dy);
    if (v->need[1]) v->dx[1] = of_h;
    if (!v->need[0]) return;
    ni_node x = ni_v_reshape(v, v->in[0], rows), dy = ni_v_reshape(v, v->in[1], rows);
    ni_node h = ni_v_reshape(v, v->dy, rows), y = ni_v_reshape(v, v->y, rows);
    ni_node normal = ni_v_reshape(v, ni_v_pair(v, NI_OP_LAYER_NORM, v->in[0], NI_NONE), rows);
    ni_node r = inverse_deviation(v, x);
    ni_node dy_mean = mean_of(v, dy, NI_NONE), dy_along = mean_of(v, dy, normal);
    ni_node h_mean = mean_of(v, h, NI_NONE), h_along = mean_of(v, h, normal);
    ni_node taken = ni_v_add(v, ni_v_mul(v, dy_mean, h_mean), ni_v_mul(v, dy_along, h_along));
    ni_node left = ni_v_add(v, ni_v_scale(v, mean_of(v, h, dy), -1, 0), taken);
    if (v->status < 0) return;
    ni_node first = ni_v_times(v, normal, ni_v_mul(v, left, ni_v_unary(v, r, NI_SQUARE)));
    ni_node back = ni_v_scale(v, r, -1, 0);
    if (v->status < 0) return;
    ni_node second = ni_v_times(v, y, ni_v_mul(v, back, h_along));
    ni_node third = ni_v_times(v, ni_v_reshape(v, of_h, rows), ni_v_mul(v, back, dy_along));
    v->dx[0] = ni_v_reshape(v, ni_v_add(v, ni_v_add(v, first, second), third), shape);
}

void ni_vjp_resize(ni_vjp *v) {
    ni_op op = v->node->op == NI_OP_RESIZE ? NI_OP_RESIZE_DX : NI_OP_RESIZE;
    v->dx[0] = ni_v_pair(v, op, v->dy, NI_NONE);
}

void ni_vjp_embed(ni_vjp *v) {
    ni_attr attr;
    ni_node in[] = {v->in[0], v->dy};
    if (!v->need[1]) return;
    memset(&attr, 0, sizeof attr);
    attr.number = (uint64_t)ni_at(v->g, v->in[1])->shape.d[0];
    nas_status status = ni_node_add(v->g, NI_OP_EMBED_DX, &attr, NULL, in, 2, &v->dx[1]);
    if (status < 0) v->status = status;
}

void ni_vjp_embed_dx(ni_vjp *v) {
    ni_node in[] = {v->in[0], v->dy};
    if (!v->need[1]) return;
    nas_status status = ni_node_add(v->g, NI_OP_EMBED, NULL, NULL, in, 2, &v->dx[1]);
    if (status < 0) v->status = status;
}
