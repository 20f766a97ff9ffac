/* The gradient of batch norm on batch statistics. The pair statistics + normalisation is one unit:
 * its gradient with respect to x goes in one pass (bn_dx) after one that sums (bn_dsums), both of
 * which have gradients here in turn, made of sums and of scales for each channel.
 *
 * With r = 1 / sqrt(var + epsilon), X = (x - mean) r and M elements a channel:
 *     stats   = mean, var                      y  = scale X + offset
 *     dsums   = S0 = sum dy, S1 = sum dy X     dx = scale r (dy - S0 / M - X S1 / M)
 * The gradients of dsums and dx below take x, the statistics and the sums for independent inputs:
 * what hangs together between them is the business of the rules of stats and dsums. */
#include "internal.h"

typedef struct {
    ni_node mean, var, r; /* vectors */
    double count;         /* M */
    ni_shape vector;
} norm;

static norm norm_of(ni_vjp *v, ni_node x, ni_node stats) {
    norm n = {NI_NONE, NI_NONE, NI_NONE, 1, {{1, 1, 1, 1}}};
    ni_shape shape = ni_at(v->g, x)->shape;
    n.count = (double)(ni_shape_count(shape) / shape.d[3]);
    n.vector = ni_shape4(1, 1, 1, shape.d[3]);
    n.mean = ni_v_slice(v, stats, 0, 0, 1, 1);
    n.var = ni_v_slice(v, stats, 0, 1, 2, 1);
    return n;
}

static ni_node inverse_deviation(ni_vjp *v, const norm *n) {
    return ni_v_unary(v, ni_v_scale(v, n->var, 1, v->node->attr.bn.epsilon), NI_RSQRT);
}

static ni_node stack(ni_vjp *v, ni_node a, ni_node b) {
    ni_node in[] = {a, b}, out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    nas_status status = ni_concat(v->g, in, 2, 0, &out);
    if (status < 0) v->status = status;
    return out;
}

static ni_node negative(ni_vjp *v, ni_node x) {
    return ni_v_scale(v, x, -1, 0);
}
static ni_node mul3(ni_vjp *v, ni_node a, ni_node b, ni_node c) {
    return ni_v_mul(v, ni_v_mul(v, a, b), c);
}

static ni_attr with_epsilon(double epsilon) {
    ni_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.bn.epsilon = epsilon;
    return attr;
}

static ni_node dsums_of(ni_vjp *v, double epsilon, ni_node x, ni_node stats, ni_node dy) {
    ni_attr attr = with_epsilon(epsilon);
    ni_node in[] = {x, stats, dy}, out = NI_NONE;
    if (v->status < 0) return NI_NONE;
    nas_status status = ni_node_add(v->g, NI_OP_BN_DSUMS, &attr, NULL, in, 3, &out);
    if (status < 0) v->status = status;
    return out;
}
static ni_node dsums(ni_vjp *v, ni_node x, ni_node stats, ni_node dy) {
    return dsums_of(v, v->node->attr.bn.epsilon, x, stats, dy);
}

/* A normalised tensor times a number w, y = scale X + offset as above: dw = sum over the channels
 * of scale S1 + offset S0, so that neither the normalised tensor nor a pass over it is needed. */
ni_node ni_v_weight_of_norm(ni_vjp *v, ni_node normalised) {
    const ni_node_data at = *ni_at(v->g, normalised); /* a copy: the graph grows */
    ni_node in[4], sum = NI_NONE;
    for (int i = 0; i < 4; i++)
        in[i] = ni_in(v->g, normalised, (uint32_t)i);
    ni_node sums = dsums_of(v, at.attr.bn.epsilon, in[0], in[1], v->dy);
    ni_node s0 = ni_v_slice(v, sums, 0, 0, 1, 1), s1 = ni_v_slice(v, sums, 0, 1, 2, 1);
    sum = in[2] == NI_NONE ? s1 : ni_v_mul(v, in[2], s1);
    if (in[3] != NI_NONE) sum = ni_v_add(v, sum, ni_v_mul(v, in[3], s0));
    return ni_v_sum(v, sum, NI_NONE, ni_shape4(1, 1, 1, 1));
}

/* The sums of dy. Of w times another gradient whose sums there are already: w times those. */
static ni_node sums_of_gradient(ni_vjp *v, ni_node x, ni_node stats) {
    const ni_node_data *dy = ni_at(v->g, v->dy);
    if (dy->op == NI_OP_MUL_SCALAR) {
        ni_node w = ni_in(v->g, v->dy, 1), in[] = {x, stats, ni_in(v->g, v->dy, 0)}, known;
        const ni_attr attr = with_epsilon(v->node->attr.bn.epsilon);
        const ni_shape shape = ni_shape4(2, 1, 1, v->node->shape.d[3]);
        if (ni_node_known(v->g, NI_OP_BN_DSUMS, &attr, shape, in, 3, &known))
            return ni_v_times(v, known, w);
    }
    return dsums(v, x, stats, v->dy);
}

/* mean and var of x: gm / M + 2 / M gv (x - mean) */
void ni_vjp_bn_stats(ni_vjp *v) {
    norm n = norm_of(v, v->in[0], v->y);
    ni_node gm = ni_v_slice(v, v->dy, 0, 0, 1, 1), gv = ni_v_slice(v, v->dy, 0, 1, 2, 1);
    ni_node scale = ni_v_scale(v, gv, 2 / n.count, 0);
    ni_node shift =
        ni_v_add(v, ni_v_scale(v, gm, 1 / n.count, 0), negative(v, ni_v_mul(v, scale, n.mean)));
    v->dx[0] = ni_v_affine(v, v->in[0], scale, shift);
}

void ni_vjp_bn_normalize(ni_vjp *v) {
    ni_node x = v->in[0], stats = v->in[1], gamma = v->in[2];
    const ni_node_data *source = ni_at(v->g, stats);
    bool unit = source->op == NI_OP_BN_STATS && ni_in(v->g, stats, 0) == x && !v->target[stats];
    ni_node sums = sums_of_gradient(v, x, stats);
    ni_node s0 = ni_v_slice(v, sums, 0, 0, 1, 1), s1 = ni_v_slice(v, sums, 0, 1, 2, 1);
    if (v->need[2]) v->dx[2] = s1;
    if (v->need[3]) v->dx[3] = s0;
    if (unit && v->need[0]) {
        ni_attr attr = with_epsilon(v->node->attr.bn.epsilon);
        ni_node in[] = {x, stats, gamma, v->dy, sums};
        if (v->status < 0) return;
        nas_status status = ni_node_add(v->g, NI_OP_BN_DX, &attr, NULL, in, 5, &v->dx[0]);
        if (status < 0) v->status = status;
        return;
    }
    norm n = norm_of(v, x, stats);
    ni_node a;
    n.r = inverse_deviation(v, &n);
    a = ni_v_mul(v, gamma, n.r);
    if (v->need[0]) v->dx[0] = ni_v_affine(v, v->dy, a, NI_NONE);
    if (v->need[1])
        v->dx[1] =
            stack(v, negative(v, ni_v_mul(v, a, s0)), ni_v_scale(v, mul3(v, a, n.r, s1), -0.5, 0));
}

/* S0 = sum dy, S1 = r sum dy (x - mean), given h0 and h1 */
void ni_vjp_bn_dsums(ni_vjp *v) {
    ni_node x = v->in[0], dy = v->in[2];
    norm n = norm_of(v, x, v->in[1]);
    ni_node h0 = ni_v_slice(v, v->dy, 0, 0, 1, 1), h1 = ni_v_slice(v, v->dy, 0, 1, 2, 1), b;
    n.r = inverse_deviation(v, &n);
    b = ni_v_mul(v, h1, n.r);
    if (v->need[0]) v->dx[0] = ni_v_affine(v, dy, b, NI_NONE);
    if (v->need[1]) {
        ni_node s0 = ni_v_slice(v, v->y, 0, 0, 1, 1), s1 = ni_v_slice(v, v->y, 0, 1, 2, 1);
        ni_node r2 = ni_v_unary(v, n.r, NI_SQUARE);
        v->dx[1] =
            stack(v, negative(v, ni_v_mul(v, b, s0)), ni_v_scale(v, mul3(v, h1, r2, s1), -0.5, 0));
    }
    if (v->need[2])
        v->dx[2] = ni_v_affine(v, x, b, ni_v_add(v, h0, negative(v, ni_v_mul(v, b, n.mean))));
}

/* a (dy - S0 / M - X S1 / M) with a = scale r, given h. H0 = sum h, H1 = sum h X, D = sum h dy. */
void ni_vjp_bn_dx(ni_vjp *v) {
    ni_node x = v->in[0], stats = v->in[1], gamma = v->in[2], dy = v->in[3], h = v->dy;
    norm n = norm_of(v, x, stats);
    double m = 1 / n.count;
    ni_node sums = dsums(v, x, stats, h);
    ni_node s0 = ni_v_slice(v, v->in[4], 0, 0, 1, 1), s1 = ni_v_slice(v, v->in[4], 0, 1, 2, 1);
    ni_node h0 = ni_v_slice(v, sums, 0, 0, 1, 1), h1 = ni_v_slice(v, sums, 0, 1, 2, 1);
    ni_node a, s1h1, d = NI_NONE;
    n.r = inverse_deviation(v, &n);
    a = ni_v_mul(v, gamma, n.r);
    s1h1 = ni_v_scale(v, ni_v_mul(v, s1, h1), m, 0);
    if (v->need[1] || v->need[2]) /* D - S0 H0 / M */
        d = ni_v_add(v, ni_v_sum(v, h, dy, n.vector), ni_v_scale(v, ni_v_mul(v, s0, h0), -m, 0));
    if (v->need[0])
        v->dx[0] = ni_v_affine(v, h, ni_v_scale(v, mul3(v, a, n.r, s1), -m, 0), NI_NONE);
    if (v->need[1]) {
        ni_node by_mean = ni_v_scale(v, ni_v_mul(v, mul3(v, a, n.r, s1), h0), m, 0);
        ni_node by_var = ni_v_add(v, ni_v_scale(v, d, -0.5, 0), s1h1);
        v->dx[1] = stack(v, by_mean, ni_v_mul(v, mul3(v, a, n.r, n.r), by_var));
    }
    if (v->need[2]) v->dx[2] = ni_v_mul(v, n.r, ni_v_add(v, d, negative(v, s1h1)));
    if (v->need[3]) v->dx[3] = ni_v_affine(v, h, a, NI_NONE);
    if (v->need[4])
        v->dx[4] = stack(v, ni_v_scale(v, ni_v_mul(v, a, h0), -m, 0),
                         ni_v_scale(v, ni_v_mul(v, a, h1), -m, 0));
}
