/* The public builders (op.h): layers with their variables, over the internal ones. */
#include <inttypes.h>
#include <math.h>
#include "internal.h"

void nas_conv_options_init(nas_conv_options *options) {
    const nas_conv_options init = NAS_CONV_OPTIONS_INIT;
    *options = init;
}

nas_status ni_builder_enter(const nas_graph *g, nas_node in) {
    NI_TRY(ni_enter(g->context));
    if (in < g->nodes.n) return NAS_OK;
    return ni_fail(g->context, NAS_E_INVALID, "the graph has no node %" PRIu32, in);
}

static nas_status enter_all(const nas_graph *g, const nas_node *in, uint32_t n, const char *name) {
    NI_TRY(ni_enter(g->context));
    if (n == 0) return ni_fail(g->context, NAS_E_INVALID, "%s needs at least one input", name);
    for (uint32_t i = 0; i < n; i++)
        NI_TRY(ni_builder_enter(g, in[i]));
    return NAS_OK;
}

/* "scope" "name" "tail": the name of a variable. */
nas_status ni_builder_variable(nas_graph *g, const char *name, const char *tail, ni_var *var,
                               ni_node *out) {
    ni_text text;
    nas_status status;
    ni_text_init(&text, g->context);
    ni_text_add(&text, g->scope);
    ni_text_add(&text, name);
    ni_text_add(&text, tail);
    status = text.status;
    if (status >= 0) {
        var->name = ni_text_get(&text);
        status = ni_variable(g, var, out);
    }
    ni_text_free(&text);
    return status;
}

void ni_builder_label(nas_graph *g, const char *name, ni_node node) {
    ni_text text;
    ni_text_init(&text, g->context);
    ni_text_add(&text, g->scope);
    ni_text_add(&text, name);
    if (text.status >= 0) ni_node_label(g, node, ni_text_get(&text));
    ni_text_free(&text);
}

ni_var ni_builder_vector(int64_t channels, ni_var_kind kind, ni_init init, int64_t fan_in) {
    ni_var var = {NULL, {{1, 1, 1, channels}}, kind, init, 0, fan_in, NI_FILE_AS_IS, false, 0};
    return var;
}

nas_status ni_builder_bias(nas_graph *g, const char *name, int64_t channels, int64_t fan_in,
                           ni_node *out) {
    ni_var var = ni_builder_vector(channels, NI_PARAMETER, NI_INIT_KAIMING_UNIFORM, fan_in);
    ni_node bias;
    NI_TRY(ni_builder_variable(g, name, ".bias", &var, &bias));
    return ni_add_channel(g, *out, bias, out);
}

/* Everything an int32 of a public struct may say, within what the kernels can count. */
static nas_status conv_ranges(nas_graph *g, const char *name, const nas_conv_options *o) {
    const struct {
        const char *what;
        int64_t value, least, most;
    } all[] = {
        {"filters", o->filters, 1, 1 << 20},
        {"kernel_h", o->kernel_h, 1, 1024},
        {"kernel_w", o->kernel_w, 1, 1024},
        {"stride_h", o->stride_h, 1, 1024},
        {"stride_w", o->stride_w, 1, 1024},
        {"dilation_h", o->dilation_h, 1, 1024},
        {"dilation_w", o->dilation_w, 1, 1024},
        {"pad_h", o->pad_h, -1, 1 << 20},
        {"pad_w", o->pad_w, -1, 1 << 20},
        {"groups", o->groups, 0, 1 << 20},
        {"bias", o->bias, 0, 1},
    };
    for (size_t i = 0; i < NI_COUNT(all); i++)
        if (all[i].value < all[i].least || all[i].value > all[i].most)
            return ni_fail(g->context, NAS_E_INVALID,
                           "conv '%s%s': %s is %" PRId64 " and must be %" PRId64 " to %" PRId64,
                           g->scope, name, all[i].what, all[i].value, all[i].least, all[i].most);
    return NAS_OK;
}

static nas_status build_conv(nas_graph *g, const char *name, nas_node in,
                             const nas_conv_options *options, nas_node *out) {
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    ni_node weights, node;
    NI_TRY(ni_builder_enter(g, in));
    NI_TRY(ni_options(g->context, &o, sizeof o, sizeof o, options, "nas_conv_options"));
    int64_t channels = ni_at(g, in)->shape.d[3];
    if (o.filters == 0) o.filters = channels;
    NI_TRY(conv_ranges(g, name, &o));
    int64_t groups = o.groups == 0 ? channels : o.groups;
    if (channels % groups || o.filters % groups)
        return ni_fail(g->context, NAS_E_SHAPE,
                       "conv '%s%s': %" PRId64 " groups must divide %" PRId64 " input and %" PRId64
                       " output channels",
                       g->scope, name, groups, channels, o.filters);
    int64_t fan_in = channels / groups * o.kernel_h * o.kernel_w;
    ni_var var = {NULL,
                  {{o.kernel_h, o.kernel_w, channels / groups, o.filters}},
                  NI_PARAMETER,
                  NI_INIT_KAIMING_UNIFORM,
                  0,
                  fan_in,
                  NI_FILE_CONV,
                  true,
                  0};
    ni_conv conv;
    memset(&conv, 0, sizeof conv);
    conv.sh = o.stride_h;
    conv.sw = o.stride_w;
    conv.dh = o.dilation_h;
    conv.dw = o.dilation_w;
    conv.ph = o.pad_h >= 0 ? o.pad_h : (o.kernel_h - 1) * o.dilation_h / 2;
    conv.pw = o.pad_w >= 0 ? o.pad_w : (o.kernel_w - 1) * o.dilation_w / 2;
    conv.groups = (int32_t)groups;
    NI_TRY(ni_builder_variable(g, name, ".weight", &var, &weights));
    NI_TRY(ni_conv2d(g, in, weights, &conv, &node));
    ni_builder_label(g, name, node);
    if (o.bias) NI_TRY(ni_builder_bias(g, name, o.filters, fan_in, &node));
    *out = node;
    return NAS_OK;
}

nas_status nas_graph_conv(nas_graph *g, const char *name, nas_node in,
                          const nas_conv_options *options, nas_node *out) {
    ni_mark mark = ni_graph_mark(g);
    nas_status status = build_conv(g, name, in, options, out);
    if (status < 0) ni_graph_undo(g, mark);
    return status;
}

static nas_status build_batch_norm(nas_graph *g, const char *name, nas_node in, int32_t affine,
                                   int32_t tracked, double epsilon, double momentum,
                                   nas_node *out) {
    ni_node scale = NI_NONE, offset = NI_NONE, mean = NI_NONE, var = NI_NONE, node;
    NI_TRY(ni_builder_enter(g, in));
    int64_t channels = ni_at(g, in)->shape.d[3];
    if (affine) {
        ni_var weight = ni_builder_vector(channels, NI_PARAMETER, NI_INIT_ONES, 0);
        ni_var bias = ni_builder_vector(channels, NI_PARAMETER, NI_INIT_ZEROS, 0);
        NI_TRY(ni_builder_variable(g, name, ".weight", &weight, &scale));
        NI_TRY(ni_builder_variable(g, name, ".bias", &bias, &offset));
    }
    if (tracked) {
        ni_var running_mean = ni_builder_vector(channels, NI_STATE, NI_INIT_ZEROS, 0);
        ni_var running_var = ni_builder_vector(channels, NI_STATE, NI_INIT_ONES, 0);
        NI_TRY(ni_builder_variable(g, name, ".running_mean", &running_mean, &mean));
        NI_TRY(ni_builder_variable(g, name, ".running_var", &running_var, &var));
    }
    NI_TRY(ni_batch_norm(g, in, scale, offset, mean, var, epsilon, momentum, &node));
    ni_builder_label(g, name, node);
    *out = node;
    return NAS_OK;
}

nas_status nas_graph_batch_norm(nas_graph *g, const char *name, nas_node in, int32_t affine,
                                int32_t tracked, double epsilon, double momentum, nas_node *out) {
    ni_mark mark = ni_graph_mark(g);
    nas_status status = build_batch_norm(g, name, in, affine, tracked, epsilon, momentum, out);
    if (status < 0) ni_graph_undo(g, mark);
    return status;
}

static nas_status build_linear(nas_graph *g, const char *name, nas_node in, int64_t features,
                               int32_t bias, nas_node *out) {
    char text[NI_NODE_TEXT];
    ni_node weights, node;
    NI_TRY(ni_builder_enter(g, in));
    ni_shape x = ni_at(g, in)->shape;
    if (features < 1 || features > INT32_MAX)
        return ni_fail(g->context, NAS_E_INVALID,
                       "linear '%s%s': features is %" PRId64 " and must be at least 1", g->scope,
                       name, features);
    if (x.d[1] != 1 || x.d[2] != 1)
        return ni_fail(
            g->context, NAS_E_SHAPE,
            "linear '%s%s' of %s: it takes images x 1 x 1 x channels; use global_pool first",
            g->scope, name, ni_node_text(g, in, text));
    ni_var var = {NULL,
                  {{x.d[3], 1, 1, features}},
                  NI_PARAMETER,
                  NI_INIT_KAIMING_UNIFORM,
                  0,
                  x.d[3],
                  NI_FILE_LINEAR,
                  true,
                  0};
    NI_TRY(ni_builder_variable(g, name, ".weight", &var, &weights));
    NI_TRY(ni_matmul(g, in, weights, false, false, &node));
    ni_builder_label(g, name, node);
    if (bias) NI_TRY(ni_builder_bias(g, name, features, x.d[3], &node));
    *out = node;
    return NAS_OK;
}

nas_status nas_graph_linear(nas_graph *g, const char *name, nas_node in, int64_t features,
                            int32_t bias, nas_node *out) {
    ni_mark mark = ni_graph_mark(g);
    nas_status status = build_linear(g, name, in, features, bias, out);
    if (status < 0) ni_graph_undo(g, mark);
    return status;
}

nas_status nas_graph_relu(nas_graph *g, nas_node in, nas_node *out) {
    NI_TRY(ni_builder_enter(g, in));
    return ni_relu(g, in, INFINITY, out);
}

nas_status nas_graph_relu6(nas_graph *g, nas_node in, nas_node *out) {
    NI_TRY(ni_builder_enter(g, in));
    return ni_relu(g, in, 6, out);
}

static nas_status pool(nas_graph *g, const char *name, nas_node in, int32_t kernel, int32_t stride,
                       int32_t pad, ni_pool *p) {
    NI_TRY(ni_builder_enter(g, in));
    if (kernel < 1 || kernel > 1024 || stride < 1 || stride > 1024 || pad < -1 ||
        (int64_t)pad * 2 > kernel)
        return ni_fail(g->context, NAS_E_INVALID,
                       "%s of %s: kernel %" PRId32 " and stride %" PRId32
                       " must be 1 to 1024, padding %" PRId32 " at most half the kernel",
                       name, ni_node_text(g, in, (char[NI_NODE_TEXT]){0}), kernel, stride, pad);
    memset(p, 0, sizeof *p);
    p->kh = p->kw = kernel;
    p->sh = p->sw = stride;
    p->ph = p->pw = pad >= 0 ? pad : (kernel - 1) / 2;
    return NAS_OK;
}

nas_status nas_graph_max_pool(nas_graph *g, nas_node in, int32_t kernel, int32_t stride,
                              int32_t pad, nas_node *out) {
    ni_pool p;
    NI_TRY(pool(g, "max_pool", in, kernel, stride, pad, &p));
    return ni_max_pool(g, in, &p, out);
}

nas_status nas_graph_avg_pool(nas_graph *g, nas_node in, int32_t kernel, int32_t stride,
                              int32_t pad, nas_node *out) {
    ni_pool p;
    NI_TRY(pool(g, "avg_pool", in, kernel, stride, pad, &p));
    return ni_avg_pool(g, in, &p, out);
}

nas_status nas_graph_global_pool(nas_graph *g, nas_node in, nas_node *out) {
    ni_pool whole;
    memset(&whole, 0, sizeof whole);
    NI_TRY(ni_builder_enter(g, in));
    return ni_avg_pool(g, in, &whole, out);
}

nas_status nas_graph_add(nas_graph *g, const nas_node *in, uint32_t n, nas_node *out) {
    NI_TRY(enter_all(g, in, n, "add"));
    return ni_add(g, in, n, out);
}

nas_status nas_graph_mul(nas_graph *g, nas_node a, nas_node b, nas_node *out) {
    NI_TRY(ni_builder_enter(g, a));
    NI_TRY(ni_builder_enter(g, b));
    ni_shape x = ni_at(g, a)->shape, by = ni_at(g, b)->shape;
    if (!ni_shape_equal(x, by)) {
        if (ni_shape_count(by) == 1) return ni_mul_scalar(g, a, b, out);
        if (ni_shape_equal(by, ni_shape4(1, 1, 1, x.d[3]))) return ni_mul_channel(g, a, b, out);
        if (ni_shape_equal(by, ni_shape4(x.d[0], 1, 1, 1))) return ni_mul_row(g, a, b, out);
        if (ni_shape_equal(by, ni_shape4(x.d[0], 1, 1, x.d[3]))) return ni_mul_image(g, a, b, out);
    }
    return ni_mul(g, a, b, out);
}

nas_status nas_graph_scale(nas_graph *g, nas_node in, double factor, nas_node *out) {
    NI_TRY(ni_builder_enter(g, in));
    if (!isfinite(factor)) {
        char text[NI_NUMBER_TEXT], node[NI_NODE_TEXT];
        return ni_fail(g->context, NAS_E_INVALID, "scale of %s: factor %s must be a finite number",
                       ni_node_text(g, in, node), ni_f64_text(text, factor));
    }
    return ni_scale(g, in, factor, 0, out);
}

nas_status nas_graph_sigmoid(nas_graph *g, nas_node in, nas_node *out) {
    NI_TRY(ni_builder_enter(g, in));
    return ni_unary(g, in, NI_SIGMOID, out);
}

nas_status nas_graph_concat(nas_graph *g, const nas_node *in, uint32_t n, nas_node *out) {
    NI_TRY(enter_all(g, in, n, "concat"));
    return ni_concat(g, in, n, 3, out);
}

nas_status nas_graph_zero(nas_graph *g, nas_node in, int32_t stride, nas_node *out) {
    NI_TRY(ni_builder_enter(g, in));
    ni_shape shape = ni_at(g, in)->shape;
    if (stride < 1)
        return ni_fail(g->context, NAS_E_INVALID,
                       "zero of %s: stride %" PRId32 " must be at least 1",
                       ni_node_text(g, in, (char[NI_NODE_TEXT]){0}), stride);
    if (ni_at(g, in)->op == NI_OP_LABELS)
        return ni_fail(g->context, NAS_E_SHAPE, "zero of %s: labels go to losses only",
                       ni_node_text(g, in, (char[NI_NODE_TEXT]){0}));
    for (int i = 1; i < 3; i++)
        shape.d[i] = (shape.d[i] - 1) / stride + 1;
    return ni_constant(g, shape, 0, out);
}

nas_status nas_graph_dropout(nas_graph *g, nas_node in, double drop, nas_node *out) {
    NI_TRY(ni_builder_enter(g, in));
    ni_mark mark = ni_graph_mark(g);
    nas_status status = ni_dropout(g, in, drop, false, out);
    if (status < 0) ni_graph_undo(g, mark);
    return status;
}

nas_status nas_graph_shape(const nas_graph *g, nas_node in, nas_shape *out) {
    NI_TRY(ni_builder_enter(g, in));
    ni_shape shape = ni_at(g, in)->shape;
    out->n = shape.d[0];
    out->h = shape.d[1];
    out->w = shape.d[2];
    out->c = shape.d[3];
    return NAS_OK;
}
