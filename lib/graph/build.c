/* Building a graph: one function for each thing that can be computed. Most make one node; what is
 * made of several (batch norm, softmax of images, dropout, sums over scattered dimensions) is
 * composed here. */
#include <inttypes.h>
#include <math.h>
#include "internal.h"

static nas_status plain(nas_graph *g, ni_op op, const ni_node *in, uint32_t n, ni_node *out) {
    return ni_node_add(g, op, NULL, NULL, in, n, out);
}

/* Of a node that may not be there. */
static const char *node_text(const nas_graph *g, ni_node x, char *buffer) {
    return x < g->nodes.n ? ni_node_text(g, x, buffer) : "no node";
}

static ni_attr no_attr(void) {
    ni_attr attr;
    memset(&attr, 0, sizeof attr);
    return attr;
}

/* ---- linear algebra, pooling ---------------------------------------------------------------- */

nas_status ni_conv2d(nas_graph *g, ni_node x, ni_node weights, const ni_conv *conv, ni_node *out) {
    ni_attr attr = no_attr();
    ni_node in[] = {x, weights};
    attr.conv = *conv;
    if (attr.conv.groups == 0) attr.conv.groups = 1;
    return ni_node_add(g, NI_OP_CONV, &attr, NULL, in, 2, out);
}

nas_status ni_matmul(nas_graph *g, ni_node a, ni_node b, bool ta, bool tb, ni_node *out) {
    ni_attr attr = no_attr();
    ni_node in[] = {a, b};
    attr.transposed.a = ta;
    attr.transposed.b = tb;
    return ni_node_add(g, NI_OP_MATMUL, &attr, NULL, in, 2, out);
}

nas_status ni_max_pool(nas_graph *g, ni_node x, const ni_pool *pool, ni_node *out) {
    ni_attr attr = no_attr();
    attr.pool = *pool;
    return ni_node_add(g, NI_OP_MAX_POOL, &attr, NULL, &x, 1, out);
}

nas_status ni_avg_pool(nas_graph *g, ni_node x, const ni_pool *pool, ni_node *out) {
    ni_attr attr = no_attr();
    attr.pool = *pool;
    return ni_node_add(g, NI_OP_AVG_POOL, &attr, NULL, &x, 1, out);
}

/* ---- elementwise ---------------------------------------------------------------------------- */

nas_status ni_add(nas_graph *g, const ni_node *x, uint32_t n, ni_node *out) {
    if (n == 1 && x[0] < g->nodes.n) {
        *out = x[0];
        return NAS_OK;
    }
    return plain(g, NI_OP_ADD, x, n, out);
}

nas_status ni_mul(nas_graph *g, ni_node a, ni_node b, ni_node *out) {
    ni_node in[] = {a, b};
    return plain(g, NI_OP_MUL, in, 2, out);
}

nas_status ni_scale(nas_graph *g, ni_node x, double a, double b, ni_node *out) {
    ni_attr attr = no_attr();
    attr.scale.a = a;
    attr.scale.b = b;
    return ni_node_add(g, NI_OP_SCALE, &attr, NULL, &x, 1, out);
}

nas_status ni_mul_scalar(nas_graph *g, ni_node x, ni_node s, ni_node *out) {
    ni_node in[] = {x, s};
    return plain(g, NI_OP_MUL_SCALAR, in, 2, out);
}

nas_status ni_affine(nas_graph *g, ni_node x, ni_node scale, ni_node shift, ni_node *out) {
    ni_node in[] = {x, scale, shift};
    return plain(g, NI_OP_AFFINE, in, 3, out);
}

nas_status ni_add_channel(nas_graph *g, ni_node x, ni_node v, ni_node *out) {
    return ni_affine(g, x, NI_NONE, v, out);
}

nas_status ni_mul_channel(nas_graph *g, ni_node x, ni_node v, ni_node *out) {
    return ni_affine(g, x, v, NI_NONE, out);
}

nas_status ni_mul_row(nas_graph *g, ni_node x, ni_node r, ni_node *out) {
    ni_node in[] = {x, r};
    return plain(g, NI_OP_MUL_ROW, in, 2, out);
}

nas_status ni_mul_image(nas_graph *g, ni_node x, ni_node s, ni_node *out) {
    ni_node in[] = {x, s};
    return plain(g, NI_OP_MUL_IMAGE, in, 2, out);
}

nas_status ni_relu(nas_graph *g, ni_node x, double high, ni_node *out) {
    ni_attr attr = no_attr();
    attr.clamp.high = high;
    return ni_node_add(g, NI_OP_RELU, &attr, NULL, &x, 1, out);
}

nas_status ni_unary(nas_graph *g, ni_node x, ni_unary_kind kind, ni_node *out) {
    ni_attr attr = no_attr();
    attr.number = (uint64_t)kind;
    return ni_node_add(g, NI_OP_UNARY, &attr, NULL, &x, 1, out);
}

/* ---- reductions ----------------------------------------------------------------------------- */

/* A node sums over neighbouring dimensions; others are done in turn, from the last. */
nas_status ni_sum_to(nas_graph *g, ni_node x, ni_node y, ni_shape shape, ni_node *out) {
    ni_node in[] = {x, y};
    ni_shape to;
    if (x >= g->nodes.n) return plain(g, NI_OP_SUM, in, 1, out);
    to = ni_at(g, x)->shape;
    if (y == NI_NONE && ni_shape_equal(to, shape)) {
        *out = x;
        return NAS_OK;
    }
    int last = 3, first;
    while (last > 0 && to.d[last] == shape.d[last])
        last--;
    for (first = last; first >= 0 && (to.d[first] != shape.d[first] || to.d[first] == 1); first--)
        to.d[first] = shape.d[first];
    NI_TRY(ni_node_add(g, NI_OP_SUM, NULL, &to, in, y == NI_NONE ? 1 : 2, out));
    return ni_shape_equal(to, shape) ? NAS_OK : ni_sum_to(g, *out, NI_NONE, shape, out);
}

/* The shape that x keeps in the dimensions of a mask; 1 elsewhere. */
static ni_shape kept(const nas_graph *g, ni_node x, unsigned mask) {
    ni_shape shape = ni_shape4(1, 1, 1, 1);
    for (unsigned i = 0; x < g->nodes.n && i < 4; i++)
        if (mask >> i & 1) shape.d[i] = ni_at(g, x)->shape.d[i];
    return shape;
}

nas_status ni_sum_channel(nas_graph *g, ni_node x, ni_node *out) {
    return ni_sum_to(g, x, NI_NONE, kept(g, x, 8), out);
}

nas_status ni_sum_row(nas_graph *g, ni_node x, ni_node *out) {
    return ni_sum_to(g, x, NI_NONE, kept(g, x, 1), out);
}

nas_status ni_sum_all(nas_graph *g, ni_node x, ni_node *out) {
    return ni_sum_to(g, x, NI_NONE, kept(g, x, 0), out);
}

nas_status ni_broadcast(nas_graph *g, ni_node x, ni_shape shape, ni_node *out) {
    if (x < g->nodes.n && ni_shape_equal(ni_at(g, x)->shape, shape)) {
        *out = x;
        return NAS_OK;
    }
    return ni_node_add(g, NI_OP_BROADCAST, NULL, &shape, &x, 1, out);
}

/* ---- shape ---------------------------------------------------------------------------------- */

nas_status ni_concat(nas_graph *g, const ni_node *x, uint32_t n, int dimension, ni_node *out) {
    ni_attr attr = no_attr();
    attr.slice.dimension = dimension & 3;
    if (n == 1 && x[0] < g->nodes.n) {
        *out = x[0];
        return NAS_OK;
    }
    return ni_node_add(g, NI_OP_CONCAT, &attr, NULL, x, n, out);
}

nas_status ni_slice(nas_graph *g, ni_node x, int dimension, int64_t from, int64_t to, int64_t step,
                    ni_node *out) {
    ni_attr attr = no_attr();
    attr.slice.dimension = dimension & 3;
    attr.slice.from = from;
    attr.slice.step = step;
    attr.slice.size = to; /* the shape check puts the dimension's size here */
    if (x < g->nodes.n && from == 0 && step == 1 && to == ni_at(g, x)->shape.d[dimension & 3]) {
        *out = x;
        return NAS_OK;
    }
    return ni_node_add(g, NI_OP_SLICE, &attr, NULL, &x, 1, out);
}

nas_status ni_pad(nas_graph *g, ni_node x, int dimension, int64_t from, int64_t step, int64_t size,
                  ni_node *out) {
    ni_attr attr = no_attr();
    attr.slice.dimension = dimension & 3;
    attr.slice.from = from;
    attr.slice.step = step;
    attr.slice.size = size;
    return ni_node_add(g, NI_OP_PAD, &attr, NULL, &x, 1, out);
}

nas_status ni_reshape(nas_graph *g, ni_node x, ni_shape shape, ni_node *out) {
    if (x < g->nodes.n && ni_shape_equal(ni_at(g, x)->shape, shape)) {
        *out = x;
        return NAS_OK;
    }
    return ni_node_add(g, NI_OP_RESHAPE, NULL, &shape, &x, 1, out);
}

nas_status ni_stop_gradient(nas_graph *g, ni_node x, ni_node *out) {
    return plain(g, NI_OP_STOP, &x, 1, out);
}

/* ---- networks' own -------------------------------------------------------------------------- */

/* Running statistics: a scale and a shift for each channel, from the variables. */
static nas_status running_norm(nas_graph *g, ni_node x, ni_node scale, ni_node offset, ni_node mean,
                               ni_node var, double epsilon, ni_node *out) {
    ni_node a, k, sum[2];
    NI_TRY(ni_scale(g, var, 1, epsilon, &a));
    NI_TRY(ni_unary(g, a, NI_RSQRT, &a));
    if (scale != NI_NONE) NI_TRY(ni_mul(g, scale, a, &a));
    NI_TRY(ni_mul(g, mean, a, &k));
    NI_TRY(ni_scale(g, k, -1, 0, &k));
    if (offset != NI_NONE) {
        sum[0] = offset;
        sum[1] = k;
        NI_TRY(ni_add(g, sum, 2, &k));
    }
    return ni_affine(g, x, a, k, out);
}

nas_status ni_batch_norm(nas_graph *g, ni_node x, ni_node scale, ni_node offset,
                         ni_node running_mean, ni_node running_var, double epsilon, double momentum,
                         ni_node *out) {
    bool tracked = running_mean != NI_NONE && running_var != NI_NONE;
    ni_attr attr = no_attr();
    ni_node stats;
    if (!(epsilon >= 0) || !(momentum >= 0 && momentum <= 1)) {
        char e[NI_NUMBER_TEXT], m[NI_NUMBER_TEXT];
        return ni_fail(
            g->context, NAS_E_INVALID,
            "batch norm of %s: epsilon %s and momentum %s must be at least 0, momentum at most 1",
            node_text(g, x, (char[NI_NODE_TEXT]){0}), ni_f64_text(e, epsilon),
            ni_f64_text(m, momentum));
    }
    if (g->mode == NI_EVAL && tracked)
        return running_norm(g, x, scale, offset, running_mean, running_var, epsilon, out);
    NI_TRY(plain(g, NI_OP_BN_STATS, &x, 1, &stats));
    attr.bn.epsilon = epsilon;
    ni_node in[] = {x, stats, scale, offset};
    NI_TRY(ni_node_add(g, NI_OP_BN_NORMALIZE, &attr, NULL, in, 4, out));
    if (!tracked) return NAS_OK;

    const ni_node running[] = {running_mean, running_var};
    for (int i = 0; i < 2; i++)
        if (running[i] >= g->nodes.n || ni_at(g, running[i])->op != NI_OP_VARIABLE ||
            ni_at(g, running[i])->shape.d[3] != ni_at(g, x)->shape.d[3])
            return ni_fail(
                g->context, NAS_E_SHAPE,
                "batch norm of node %u: running statistics must be variables, one number "
                "for each channel",
                (unsigned)x);
    ni_shape shape = ni_at(g, x)->shape;
    ni_bn_update update = {stats, (uint32_t)ni_at(g, running_mean)->attr.number,
                           (uint32_t)ni_at(g, running_var)->attr.number, momentum,
                           ni_shape_count(shape) / shape.d[3]};
    return NI_PUSH(g->context, &g->updates, update);
}

nas_status ni_layer_norm(nas_graph *g, ni_node x, double epsilon, ni_node *out) {
    ni_attr attr = no_attr();
    if (!(epsilon >= 0) || !isfinite(epsilon)) {
        char e[NI_NUMBER_TEXT];
        return ni_fail(g->context, NAS_E_INVALID,
                       "layer norm of %s: epsilon is %s and must be a number of at least 0",
                       node_text(g, x, (char[NI_NODE_TEXT]){0}), ni_f64_text(e, epsilon));
    }
    attr.bn.epsilon = epsilon;
    return ni_node_add(g, NI_OP_LAYER_NORM, &attr, NULL, &x, 1, out);
}

nas_status ni_resize_images(nas_graph *g, ni_node x, int64_t height, int64_t width, bool linear,
                            ni_node *out) {
    ni_attr attr = no_attr();
    if (height < 1 || width < 1 || height > INT32_MAX || width > INT32_MAX)
        return ni_fail(g->context, NAS_E_INVALID,
                       "resize of %s: %" PRId64 "x%" PRId64 " must each be 1 to 2147483647",
                       node_text(g, x, (char[NI_NODE_TEXT]){0}), height, width);
    if (x < g->nodes.n && ni_at(g, x)->shape.d[1] == height && ni_at(g, x)->shape.d[2] == width) {
        *out = x;
        return NAS_OK;
    }
    attr.resize.oh = (int32_t)height;
    attr.resize.ow = (int32_t)width;
    attr.resize.linear = linear;
    return ni_node_add(g, NI_OP_RESIZE, &attr, NULL, &x, 1, out);
}

nas_status ni_embed(nas_graph *g, ni_node indices, ni_node table, ni_node *out) {
    ni_node in[] = {indices, table};
    return plain(g, NI_OP_EMBED, in, 2, out);
}

nas_status ni_mean_squared_error(nas_graph *g, ni_node a, ni_node b, ni_node *out) {
    ni_node terms[] = {a, NI_NONE}, apart;
    NI_TRY(ni_scale(g, b, -1, 0, &terms[1]));
    NI_TRY(ni_add(g, terms, 2, &apart));
    NI_TRY(ni_sum_to(g, apart, apart, ni_shape4(1, 1, 1, 1), out));
    return ni_scale(g, *out, 1 / (double)ni_shape_count(ni_at(g, a)->shape), 0, out);
}

static nas_status by_rows(nas_graph *g, ni_op op, ni_node x, ni_node *out) {
    if (x >= g->nodes.n) return plain(g, op, &x, 1, out);
    ni_shape shape = ni_at(g, x)->shape;
    ni_shape rows = ni_shape4(shape.d[0] * shape.d[1] * shape.d[2], 1, 1, shape.d[3]);
    NI_TRY(ni_reshape(g, x, rows, &x));
    NI_TRY(plain(g, op, &x, 1, &x));
    return ni_reshape(g, x, shape, out);
}

nas_status ni_softmax(nas_graph *g, ni_node x, ni_node *out) {
    return by_rows(g, NI_OP_SOFTMAX, x, out);
}

nas_status ni_log_softmax(nas_graph *g, ni_node x, ni_node *out) {
    return by_rows(g, NI_OP_LOG_SOFTMAX, x, out);
}

nas_status ni_cross_entropy(nas_graph *g, ni_node logits, ni_node labels, double smoothing,
                            ni_node *out) {
    ni_attr attr = no_attr();
    ni_node in[] = {logits, labels};
    if (!(smoothing >= 0 && smoothing <= 1)) {
        char s[NI_NUMBER_TEXT];
        return ni_fail(g->context, NAS_E_INVALID, "label smoothing is %s and must be 0 to 1",
                       ni_f64_text(s, smoothing));
    }
    attr.labels.smoothing = smoothing;
    return ni_node_add(g, NI_OP_CROSS_ENTROPY, &attr, NULL, in, 2, out);
}

nas_status ni_correct(nas_graph *g, ni_node logits, ni_node labels, ni_node *out) {
    ni_node in[] = {logits, labels};
    return plain(g, NI_OP_CORRECT, in, 2, out);
}

static nas_status check_drop(nas_graph *g, const char *what, ni_node x, double drop) {
    char d[NI_NUMBER_TEXT], text[NI_NODE_TEXT];
    bool named = x < g->nodes.n;
    if (drop >= 0 && drop < 1) return NAS_OK;
    return ni_fail(g->context, NAS_E_INVALID, "%s%s%s drops %s: it must be at least 0, below 1",
                   what, named ? " of " : "", named ? ni_node_text(g, x, text) : "",
                   ni_f64_text(d, drop));
}

static nas_status drop_out(nas_graph *g, ni_node x, double drop, bool per_image, bool scheduled,
                           ni_node *out) {
    ni_attr attr = no_attr();
    ni_node mask;
    NI_TRY(check_drop(g, "dropout", x, drop));
    if ((g->mode == NI_EVAL || drop == 0) && x < g->nodes.n) {
        *out = x;
        return NAS_OK;
    }
    ni_shape shape = kept(g, x, per_image ? 1 : 15);
    attr.dropout.drop = drop;
    attr.dropout.ordinal = g->dropouts;
    attr.dropout.scheduled = scheduled;
    NI_TRY(ni_node_add(g, NI_OP_DROPOUT_MASK, &attr, &shape, NULL, 0, &mask));
    g->dropouts++;
    return per_image ? ni_mul_row(g, x, mask, out) : ni_mul(g, x, mask, out);
}

nas_status ni_dropout(nas_graph *g, ni_node x, double drop, bool per_image, ni_node *out) {
    return drop_out(g, x, drop, per_image, false, out);
}

nas_status ni_graph_drop_path(nas_graph *g, double drop) {
    NI_TRY(check_drop(g, "drop-path", NI_NONE, drop));
    g->drop_path = drop;
    return NAS_OK;
}

nas_status ni_drop_path(nas_graph *g, ni_node x, ni_node *out) {
    return drop_out(g, x, g->drop_path, true, true, out);
}
