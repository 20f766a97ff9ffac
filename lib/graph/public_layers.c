/* More of the public builders (op.h): activations, layer norm, squeeze and excitation, resizing,
 * embeddings. */
#include <inttypes.h>
#include "internal.h"

nas_status nas_graph_tanh(nas_graph *g, nas_node in, nas_node *out) {
    NI_TRY(ni_builder_enter(g, in));
    return ni_unary(g, in, NI_TANH, out);
}

static nas_status build_hard_sigmoid(nas_graph *g, nas_node in, nas_node *out) {
    ni_node node;
    NI_TRY(ni_builder_enter(g, in));
    NI_TRY(ni_scale(g, in, 1, 3, &node));
    NI_TRY(ni_relu(g, node, 6, &node));
    return ni_scale(g, node, 1.0 / 6, 0, out);
}

nas_status nas_graph_hard_sigmoid(nas_graph *g, nas_node in, nas_node *out) {
    ni_mark mark = ni_graph_mark(g);
    nas_status status = build_hard_sigmoid(g, in, out);
    if (status < 0) ni_graph_undo(g, mark);
    return status;
}

nas_status nas_graph_hard_swish(nas_graph *g, nas_node in, nas_node *out) {
    NI_TRY(ni_builder_enter(g, in));
    return ni_unary(g, in, NI_HARD_SWISH, out);
}

nas_status nas_graph_softmax(nas_graph *g, nas_node in, nas_node *out) {
    NI_TRY(ni_builder_enter(g, in));
    return ni_softmax(g, in, out);
}

nas_status nas_graph_log_softmax(nas_graph *g, nas_node in, nas_node *out) {
    NI_TRY(ni_builder_enter(g, in));
    return ni_log_softmax(g, in, out);
}

static nas_status build_layer_norm(nas_graph *g, const char *name, nas_node in, int32_t affine,
                                   double epsilon, nas_node *out) {
    ni_node node, scale, offset;
    NI_TRY(ni_builder_enter(g, in));
    NI_TRY(ni_layer_norm(g, in, epsilon, &node));
    ni_builder_label(g, name, node);
    if (affine) {
        int64_t channels = ni_at(g, in)->shape.d[3];
        ni_var weight = ni_builder_vector(channels, NI_PARAMETER, NI_INIT_ONES, 0);
        ni_var bias = ni_builder_vector(channels, NI_PARAMETER, NI_INIT_ZEROS, 0);
        NI_TRY(ni_builder_variable(g, name, ".weight", &weight, &scale));
        NI_TRY(ni_builder_variable(g, name, ".bias", &bias, &offset));
        NI_TRY(ni_affine(g, node, scale, offset, &node));
    }
    *out = node;
    return NAS_OK;
}

nas_status nas_graph_layer_norm(nas_graph *g, const char *name, nas_node in, int32_t affine,
                                double epsilon, nas_node *out) {
    ni_mark mark = ni_graph_mark(g);
    nas_status status = build_layer_norm(g, name, in, affine, epsilon, out);
    if (status < 0) ni_graph_undo(g, mark);
    return status;
}

/* A 1x1 convolution with a bias, "name" "part". */
static nas_status dense(nas_graph *g, const char *name, const char *part, nas_node in,
                        int64_t filters, nas_node *out) {
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    ni_text text;
    o.filters = filters;
    o.kernel_h = o.kernel_w = 1;
    o.bias = 1;
    ni_text_init(&text, g->context);
    ni_text_add(&text, name);
    ni_text_add(&text, part);
    nas_status status = text.status;
    if (status >= 0) status = nas_graph_conv(g, ni_text_get(&text), in, &o, out);
    ni_text_free(&text);
    return status;
}

static nas_status build_squeeze_excite(nas_graph *g, const char *name, nas_node in, int64_t hidden,
                                       int32_t hard, nas_node *out) {
    ni_node gate;
    NI_TRY(ni_builder_enter(g, in));
    int64_t channels = ni_at(g, in)->shape.d[3];
    if (hidden < 1 || hidden > 1 << 20)
        return ni_fail(g->context, NAS_E_INVALID,
                       "squeeze_excite '%s%s': hidden is %" PRId64 " and must be 1 to 1048576",
                       g->scope, name, hidden);
    NI_TRY(nas_graph_global_pool(g, in, &gate));
    NI_TRY(dense(g, name, ".fc1", gate, hidden, &gate));
    NI_TRY(nas_graph_relu(g, gate, &gate));
    NI_TRY(dense(g, name, ".fc2", gate, channels, &gate));
    NI_TRY((hard ? nas_graph_hard_sigmoid : nas_graph_sigmoid)(g, gate, &gate));
    NI_TRY(ni_mul_image(g, in, gate, out));
    ni_builder_label(g, name, *out);
    return NAS_OK;
}

nas_status nas_graph_squeeze_excite(nas_graph *g, const char *name, nas_node in, int64_t hidden,
                                    int32_t hard, nas_node *out) {
    ni_mark mark = ni_graph_mark(g);
    nas_status status = build_squeeze_excite(g, name, in, hidden, hard, out);
    if (status < 0) ni_graph_undo(g, mark);
    return status;
}

nas_status nas_graph_resize(nas_graph *g, nas_node in, int64_t height, int64_t width,
                            int32_t linear, nas_node *out) {
    NI_TRY(ni_builder_enter(g, in));
    return ni_resize_images(g, in, height, width, linear != 0, out);
}

static nas_status build_embedding(nas_graph *g, const char *name, nas_node in, int64_t entries,
                                  int64_t features, nas_node *out) {
    /* float32 counts no further */
    const int64_t most = (int64_t)1 << 24;
    ni_node table, node;
    NI_TRY(ni_builder_enter(g, in));
    if (entries < 1 || entries > most || features < 1 || features > INT32_MAX)
        return ni_fail(g->context, NAS_E_INVALID,
                       "embedding '%s%s': %" PRId64 " entries must be 1 to %" PRId64 ", %" PRId64
                       " features 1 to 2147483647",
                       g->scope, name, entries, most, features);
    ni_var var = {.shape = ni_shape4(entries, 1, 1, features),
                  .kind = NI_PARAMETER,
                  .init = NI_INIT_NORMAL,
                  .init_a = 1,
                  .layout = NI_FILE_EMBEDDING};
    NI_TRY(ni_builder_variable(g, name, ".weight", &var, &table));
    NI_TRY(ni_embed(g, in, table, &node));
    ni_builder_label(g, name, node);
    *out = node;
    return NAS_OK;
}

nas_status nas_graph_embedding(nas_graph *g, const char *name, nas_node in, int64_t entries,
                               int64_t features, nas_node *out) {
    ni_mark mark = ni_graph_mark(g);
    nas_status status = build_embedding(g, name, in, entries, features, out);
    if (status < 0) ni_graph_undo(g, mark);
    return status;
}

static nas_status build_mean_squared_error(nas_graph *g, nas_node a, nas_node b, nas_node *out) {
    NI_TRY(ni_builder_enter(g, a));
    NI_TRY(ni_builder_enter(g, b));
    return ni_mean_squared_error(g, a, b, out);
}

nas_status nas_graph_mean_squared_error(nas_graph *g, nas_node a, nas_node b, nas_node *out) {
    ni_mark mark = ni_graph_mark(g);
    nas_status status = build_mean_squared_error(g, a, b, out);
    if (status < 0) ni_graph_undo(g, mark);
    return status;
}
