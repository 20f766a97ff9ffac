/* What shape each operation's output has, and which inputs it refuses. */
#include <inttypes.h>
#include "internal.h"

static ni_shape shape_at(const nas_graph *g, ni_node node) {
    return ni_at(g, node)->shape;
}

/* "conv: node 3 (...) and node 4 (...): <why>" */
nas_status ni_misfit(nas_graph *g, const ni_node_data *node, ni_node a, ni_node b,
                     const char *why) {
    char text[NI_NODE_TEXT], other[NI_NODE_TEXT];
    const char *name = ni_ops[node->op].name;
    if (b == NI_NONE)
        return ni_fail(g->context, NAS_E_SHAPE, "%s of %s: %s", name, ni_node_text(g, a, text),
                       why);
    return ni_fail(g->context, NAS_E_SHAPE, "%s of %s and %s: %s", name, ni_node_text(g, a, text),
                   ni_node_text(g, b, other), why);
}

static ni_shape conv_x(const ni_conv *c) {
    return ni_shape4(c->n, c->h, c->w, c->ci);
}
static ni_shape conv_y(const ni_conv *c) {
    return ni_shape4(c->n, c->oh, c->ow, c->co);
}
static ni_shape conv_w(const ni_conv *c) {
    return ni_shape4(c->kh, c->kw, c->ci / c->groups, c->co);
}

/* Output size of one dimension: as given, else by equal padding on both sides; 0: there is none. */
static int64_t window_output(int64_t in, int64_t kernel, int64_t stride, int64_t pad,
                             int64_t dilation, int64_t given) {
    int64_t reach = (kernel - 1) * dilation + 1, room = in + 2 * pad - reach;
    if (kernel < 1 || stride < 1 || pad < 0 || dilation < 1 || pad >= reach) return 0;
    if (given > 0) return (given - 1) * stride - pad < in ? given : 0;
    return room < 0 ? 0 : room / stride + 1;
}

nas_status ni_shape_of_conv(nas_graph *g, ni_node_data *node, const ni_node *in) {
    ni_conv *c = &node->attr.conv;
    ni_shape x = shape_at(g, in[0]), w = shape_at(g, in[1]);
    c->n = (int32_t)x.d[0];
    c->h = (int32_t)x.d[1];
    c->w = (int32_t)x.d[2];
    c->ci = (int32_t)x.d[3];
    c->kh = (int32_t)w.d[0];
    c->kw = (int32_t)w.d[1];
    c->co = (int32_t)w.d[3];
    if (c->groups < 1 || c->ci % c->groups || c->co % c->groups) {
        return ni_fail(g->context, NAS_E_SHAPE,
                       "%s of %s: %" PRId32 " groups must divide %" PRId32 " input and %" PRId32
                       " output channels",
                       ni_ops[node->op].name, ni_node_text(g, in[0], (char[NI_NODE_TEXT]){0}),
                       c->groups, c->ci, c->co);
    }
    if (w.d[2] != c->ci / c->groups)
        return ni_misfit(g, node, in[0], in[1],
                         "the weights' third dimension must be input channels / groups");
    c->oh = (int32_t)window_output(c->h, c->kh, c->sh, c->ph, c->dh, c->oh);
    c->ow = (int32_t)window_output(c->w, c->kw, c->sw, c->pw, c->dw, c->ow);
    if (c->oh < 1 || c->ow < 1)
        return ni_misfit(
            g, node, in[0], in[1],
            "the kernel with its stride, padding and dilation has no place in the image");
    node->shape = conv_y(c);
    return NAS_OK;
}

nas_status ni_shape_of_conv_dx(nas_graph *g, ni_node_data *node, const ni_node *in) {
    const ni_conv *c = &node->attr.conv;
    if (!ni_shape_equal(shape_at(g, in[0]), conv_y(c)) ||
        !ni_shape_equal(shape_at(g, in[1]), conv_w(c)))
        return ni_misfit(g, node, in[0], in[1],
                         "they are not the output and weights of one convolution");
    node->shape = conv_x(c);
    return NAS_OK;
}

nas_status ni_shape_of_conv_dw(nas_graph *g, ni_node_data *node, const ni_node *in) {
    const ni_conv *c = &node->attr.conv;
    if (!ni_shape_equal(shape_at(g, in[0]), conv_x(c)) ||
        !ni_shape_equal(shape_at(g, in[1]), conv_y(c)))
        return ni_misfit(g, node, in[0], in[1],
                         "they are not the input and output of one convolution");
    node->shape = conv_w(c);
    return NAS_OK;
}

nas_status ni_shape_of_matmul(nas_graph *g, ni_node_data *node, const ni_node *in) {
    ni_shape a = shape_at(g, in[0]), b = shape_at(g, in[1]);
    bool ta = node->attr.transposed.a != 0, tb = node->attr.transposed.b != 0;
    if (a.d[1] != 1 || a.d[2] != 1 || b.d[1] != 1 || b.d[2] != 1)
        return ni_misfit(
            g, node, in[0], in[1],
            "both must be matrices (rows x 1 x 1 x columns); pool or reshape images first");
    if (a.d[ta ? 0 : 3] != b.d[tb ? 3 : 0])
        return ni_misfit(g, node, in[0], in[1], "the inner dimensions differ");
    node->shape = ni_shape4(a.d[ta ? 3 : 0], 1, 1, b.d[tb ? 0 : 3]);
    return NAS_OK;
}

nas_status ni_shape_of_pool(nas_graph *g, ni_node_data *node, const ni_node *in) {
    ni_pool *p = &node->attr.pool;
    ni_shape x = shape_at(g, in[0]);
    p->n = (int32_t)x.d[0];
    p->h = (int32_t)x.d[1];
    p->w = (int32_t)x.d[2];
    p->c = (int32_t)x.d[3];
    if (p->kh == 0 && p->kw == 0) {
        p->kh = p->h;
        p->kw = p->w;
        p->sh = p->sw = 1;
        p->ph = p->pw = 0;
    }
    p->oh = (int32_t)window_output(p->h, p->kh, p->sh, p->ph, 1, p->oh);
    p->ow = (int32_t)window_output(p->w, p->kw, p->sw, p->pw, 1, p->ow);
    if (p->oh < 1 || p->ow < 1)
        return ni_misfit(g, node, in[0], NI_NONE,
                         "the window with its stride and padding has no place in the image");
    node->shape = ni_shape4(p->n, p->oh, p->ow, p->c);
    return NAS_OK;
}

static ni_shape pool_x(const ni_pool *p) {
    return ni_shape4(p->n, p->h, p->w, p->c);
}
static ni_shape pool_y(const ni_pool *p) {
    return ni_shape4(p->n, p->oh, p->ow, p->c);
}

nas_status ni_shape_of_pool_dx(nas_graph *g, ni_node_data *node, const ni_node *in) {
    const ni_pool *p = &node->attr.pool;
    bool max = node->op == NI_OP_MAX_POOL_DX;
    if (!ni_shape_equal(shape_at(g, in[max]), pool_y(p)) ||
        (max && !ni_shape_equal(shape_at(g, in[0]), pool_x(p))))
        return ni_misfit(g, node, in[0], max ? in[1] : NI_NONE, "not of the shape of that pooling");
    node->shape = pool_x(p);
    return NAS_OK;
}

nas_status ni_shape_of_pool_pick(nas_graph *g, ni_node_data *node, const ni_node *in) {
    const ni_pool *p = &node->attr.pool;
    if (!ni_shape_equal(shape_at(g, in[0]), pool_x(p)) ||
        !ni_shape_equal(shape_at(g, in[1]), pool_x(p)))
        return ni_misfit(g, node, in[0], in[1], "not of the shape of that pooling");
    node->shape = pool_y(p);
    return NAS_OK;
}

nas_status ni_shape_of_same(nas_graph *g, ni_node_data *node, const ni_node *in) {
    node->shape = shape_at(g, in[0]);
    for (uint32_t i = 1; i < node->n_in; i++)
        if (!ni_shape_equal(shape_at(g, in[i]), node->shape))
            return ni_misfit(g, node, in[0], in[i], "the shapes must be equal");
    return NAS_OK;
}

nas_status ni_shape_of_mul_scalar(nas_graph *g, ni_node_data *node, const ni_node *in) {
    if (!ni_shape_equal(shape_at(g, in[1]), ni_shape4(1, 1, 1, 1)))
        return ni_misfit(g, node, in[0], in[1], "the second must be one number");
    node->shape = shape_at(g, in[0]);
    return NAS_OK;
}

static bool is_vector(const nas_graph *g, ni_node node, int64_t channels) {
    return node == NI_NONE || ni_shape_equal(shape_at(g, node), ni_shape4(1, 1, 1, channels));
}

nas_status ni_shape_of_affine(nas_graph *g, ni_node_data *node, const ni_node *in) {
    node->shape = shape_at(g, in[0]);
    for (int i = 1; i < 3; i++)
        if (!is_vector(g, in[i], node->shape.d[3]))
            return ni_misfit(g, node, in[0], in[i],
                             "the second must be a vector, one for each channel");
    return NAS_OK;
}

nas_status ni_shape_of_mul_row(nas_graph *g, ni_node_data *node, const ni_node *in) {
    node->shape = shape_at(g, in[0]);
    if (!ni_shape_equal(shape_at(g, in[1]), ni_shape4(node->shape.d[0], 1, 1, 1)))
        return ni_misfit(g, node, in[0], in[1], "the second must have one number for each image");
    return NAS_OK;
}

/* The shape comes with the node. The reduced dimensions must be neighbours (those of size 1 count
 * as either): then the tensor is outer x mid x inner, and mid goes. */
nas_status ni_shape_of_sum(nas_graph *g, ni_node_data *node, const ni_node *in) {
    ni_shape x = shape_at(g, in[0]);
    int first = 4, last = -1;
    if (node->n_in == 2 && !ni_shape_equal(x, shape_at(g, in[1])))
        return ni_misfit(g, node, in[0], in[1], "the shapes must be equal");
    for (int i = 0; i < 4; i++) {
        if (node->shape.d[i] == x.d[i]) continue;
        if (node->shape.d[i] != 1)
            return ni_misfit(g, node, in[0], NI_NONE, "each dimension must stay or become 1");
        if (first > i) first = i;
        last = i;
    }
    node->attr.sum.outer = node->attr.sum.mid = node->attr.sum.inner = 1;
    for (int i = 0; i < 4; i++) {
        if (i < first)
            node->attr.sum.outer *= x.d[i];
        else if (i > last)
            node->attr.sum.inner *= x.d[i];
        else if (node->shape.d[i] == 1)
            node->attr.sum.mid *= x.d[i];
        else
            return ni_misfit(g, node, in[0], NI_NONE, "the dimensions summed must be neighbours");
    }
    return NAS_OK;
}

nas_status ni_shape_of_broadcast(nas_graph *g, ni_node_data *node, const ni_node *in) {
    ni_shape x = shape_at(g, in[0]);
    for (int i = 0; i < 4; i++)
        if (x.d[i] != 1 && x.d[i] != node->shape.d[i])
            return ni_misfit(g, node, in[0], NI_NONE, "only dimensions of size 1 can be repeated");
    return NAS_OK;
}

nas_status ni_shape_of_concat(nas_graph *g, ni_node_data *node, const ni_node *in) {
    int64_t along = node->attr.slice.dimension;
    node->shape = shape_at(g, in[0]);
    for (uint32_t i = 1; i < node->n_in; i++) {
        ni_shape x = shape_at(g, in[i]);
        for (int64_t d = 0; d < 4; d++)
            if (d != along && x.d[d] != node->shape.d[d])
                return ni_misfit(g, node, in[0], in[i],
                                 "all dimensions but the one that is joined must be equal");
        node->shape.d[along] += x.d[along];
    }
    return NAS_OK;
}

nas_status ni_shape_of_slice(nas_graph *g, ni_node_data *node, const ni_node *in) {
    int64_t along = node->attr.slice.dimension, from = node->attr.slice.from;
    int64_t to = node->attr.slice.size, step = node->attr.slice.step;
    node->shape = shape_at(g, in[0]);
    if (from < 0 || step < 1 || to <= from || to > node->shape.d[along])
        return ni_fail(g->context, NAS_E_SHAPE,
                       "slice of %s: %" PRId64 " to %" PRId64 " by %" PRId64
                       " is not within dimension %" PRId64,
                       ni_node_text(g, in[0], (char[NI_NODE_TEXT]){0}), from, to, step, along);
    node->attr.slice.size = node->shape.d[along];
    node->shape.d[along] = (to - from + step - 1) / step;
    return NAS_OK;
}

nas_status ni_shape_of_pad(nas_graph *g, ni_node_data *node, const ni_node *in) {
    int64_t along = node->attr.slice.dimension, from = node->attr.slice.from;
    int64_t step = node->attr.slice.step, size = node->attr.slice.size;
    node->shape = shape_at(g, in[0]);
    if (from < 0 || step < 1 || size < 1 || (node->shape.d[along] - 1) * step + from >= size)
        return ni_misfit(g, node, in[0], NI_NONE, "it does not fit into the padded size");
    node->shape.d[along] = size;
    return NAS_OK;
}

nas_status ni_shape_of_reshape(nas_graph *g, ni_node_data *node, const ni_node *in) {
    NI_TRY(ni_shape_fits(g, "reshape", node->shape));
    if (ni_shape_count(node->shape) != ni_shape_count(shape_at(g, in[0])))
        return ni_misfit(g, node, in[0], NI_NONE, "the number of elements must stay");
    return NAS_OK;
}

/* ---- batch norm ----------------------------------------------------------------------------- */

static bool is_stats(const nas_graph *g, ni_node node, int64_t channels) {
    return ni_shape_equal(shape_at(g, node), ni_shape4(2, 1, 1, channels));
}

nas_status ni_shape_of_bn_stats(nas_graph *g, ni_node_data *node, const ni_node *in) {
    node->shape = ni_shape4(2, 1, 1, shape_at(g, in[0]).d[3]);
    return NAS_OK;
}

nas_status ni_shape_of_bn_normalize(nas_graph *g, ni_node_data *node, const ni_node *in) {
    node->shape = shape_at(g, in[0]);
    for (int i = 1; i < 4; i++)
        if (i == 1 ? !is_stats(g, in[i], node->shape.d[3]) : !is_vector(g, in[i], node->shape.d[3]))
            return ni_misfit(g, node, in[0], in[i],
                             "the second must have one number for each channel");
    return NAS_OK;
}

nas_status ni_shape_of_bn_dsums(nas_graph *g, ni_node_data *node, const ni_node *in) {
    ni_shape x = shape_at(g, in[0]);
    if (!is_stats(g, in[1], x.d[3]) || !ni_shape_equal(x, shape_at(g, in[2])))
        return ni_misfit(g, node, in[0], in[2], "not of one batch norm");
    node->shape = ni_shape4(2, 1, 1, x.d[3]);
    return NAS_OK;
}

nas_status ni_shape_of_bn_dx(nas_graph *g, ni_node_data *node, const ni_node *in) {
    ni_shape x = shape_at(g, in[0]);
    if (!is_stats(g, in[1], x.d[3]) || !is_vector(g, in[2], x.d[3]) ||
        !ni_shape_equal(x, shape_at(g, in[3])) || !is_stats(g, in[4], x.d[3]))
        return ni_misfit(g, node, in[0], in[3], "not of one batch norm");
    node->shape = x;
    return NAS_OK;
}

/* ---- rows and losses ------------------------------------------------------------------------ */

nas_status ni_shape_of_rows(nas_graph *g, ni_node_data *node, const ni_node *in) {
    node->shape = shape_at(g, in[0]);
    if (node->shape.d[1] != 1 || node->shape.d[2] != 1)
        return ni_misfit(g, node, in[0], NI_NONE, "it must be a matrix (rows x 1 x 1 x classes)");
    return NAS_OK;
}

nas_status ni_shape_of_loss(nas_graph *g, ni_node_data *node, const ni_node *in) {
    ni_shape x = shape_at(g, in[0]);
    if (x.d[1] != 1 || x.d[2] != 1)
        return ni_misfit(g, node, in[0], NI_NONE,
                         "logits must be a matrix (images x 1 x 1 x classes)");
    if (x.d[0] != shape_at(g, in[1]).d[0])
        return ni_misfit(g, node, in[0], in[1], "there must be one label for each row of logits");
    node->shape = ni_shape4(1, 1, 1, 1);
    return NAS_OK;
}

nas_status ni_shape_of_target(nas_graph *g, ni_node_data *node, const ni_node *in) {
    int64_t classes = node->op == NI_OP_TARGET ? node->attr.labels.classes : 1;
    node->shape = ni_shape4(shape_at(g, in[0]).d[0], 1, 1, classes);
    return NAS_OK;
}

/* ---- layers --------------------------------------------------------------------------------- */

nas_status ni_shape_of_mul_image(nas_graph *g, ni_node_data *node, const ni_node *in) {
    ni_shape x = node->shape = shape_at(g, in[0]);
    if (!ni_shape_equal(shape_at(g, in[1]), ni_shape4(x.d[0], 1, 1, x.d[3])))
        return ni_misfit(g, node, in[0], in[1],
                         "the second must have one number for each image and channel");
    return NAS_OK;
}

nas_status ni_shape_of_resize(nas_graph *g, ni_node_data *node, const ni_node *in) {
    ni_resize *r = &node->attr.resize;
    ni_shape x = shape_at(g, in[0]);
    bool gradient = node->op == NI_OP_RESIZE_DX;
    if (gradient && !ni_shape_equal(x, ni_shape4(r->n, r->oh, r->ow, r->c)))
        return ni_misfit(g, node, in[0], NI_NONE, "not of the shape of that resizing");
    if (!gradient) {
        r->n = (int32_t)x.d[0];
        r->h = (int32_t)x.d[1];
        r->w = (int32_t)x.d[2];
        r->c = (int32_t)x.d[3];
    }
    node->shape =
        gradient ? ni_shape4(r->n, r->h, r->w, r->c) : ni_shape4(r->n, r->oh, r->ow, r->c);
    return NAS_OK;
}

/* The table's gradient comes with its number of rows. */
nas_status ni_shape_of_embed(nas_graph *g, ni_node_data *node, const ni_node *in) {
    ni_shape indices = shape_at(g, in[0]), other = shape_at(g, in[1]);
    if (indices.d[3] != 1)
        return ni_misfit(g, node, in[0], NI_NONE, "indices must have one channel");
    if (node->op == NI_OP_EMBED) {
        if (other.d[1] != 1 || other.d[2] != 1)
            return ni_misfit(g, node, in[0], in[1],
                             "the table must be a matrix (rows x 1 x 1 x features)");
        node->shape = ni_shape4(indices.d[0], indices.d[1], indices.d[2], other.d[3]);
        return NAS_OK;
    }
    for (int i = 0; i < 3; i++)
        if (indices.d[i] != other.d[i])
            return ni_misfit(g, node, in[0], in[1], "there must be one row for each index");
    node->shape = ni_shape4((int64_t)node->attr.number, 1, 1, other.d[3]);
    return NAS_OK;
}
