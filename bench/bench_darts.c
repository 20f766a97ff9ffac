/* One weight step of the DARTS supernet (Liu et al., ICLR 2019): every edge of every cell computes
 * all eight operations and adds them, each times its weight. As the authors' code has it: C = 16, 8
 * layers, batch 64, 3 x 32 x 32; batch norms without scale and offset but in the stem.
 *
 *   bench-darts THREADS ISA BATCH CHANNELS LAYERS [MIB [weights]]
 *                         then "run N", "profile N", "plan" on standard input, as bench-step
 *   (MIB: a limit of memory, met by making results again; 0: none. weights: with the gradient of
 * the operations' weights)
 */
#include "step.h"

typedef struct {
    nas_context *context;
    nas_graph *graph;
    ni_node alpha[2]; /* softmax of [14, 8], as rows: normal, reduction */
    bool weights;     /* their gradient too */
} net;

static ni_node relu(net *t, ni_node x) {
    check(t->context, nas_graph_relu(t->graph, x, &x));
    return x;
}

static ni_node conv(net *t, const char *name, ni_node x, int kernel, int stride, int dilation,
                    int64_t filters, bool depthwise) {
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    o.kernel_h = o.kernel_w = kernel;
    o.stride_h = o.stride_w = stride;
    o.dilation_h = o.dilation_w = dilation;
    o.filters = filters;
    o.groups = depthwise ? 0 : 1;
    check(t->context, nas_graph_conv(t->graph, name, x, &o, &x));
    return x;
}

static ni_node norm(net *t, const char *name, ni_node x, bool affine) {
    check(t->context, nas_graph_batch_norm(t->graph, name, x, affine, 1, 1e-5, 0.1, &x));
    return x;
}

static ni_node separable(net *t, int number, ni_node x, int kernel, int stride, int dilation,
                         int64_t c) {
    char name[3][16];
    for (int i = 0; i < 3; i++)
        snprintf(name[i], sizeof name[i], "op.%d", 4 * number + i + 1);
    x = conv(t, name[0], relu(t, x), kernel, stride, dilation, c, true);
    return norm(t, name[2], conv(t, name[1], x, 1, 1, 1, c, false), false);
}

static ni_node reduce(net *t, ni_node x, int64_t c) {
    ni_node halves[2];
    nas_shape shape;
    x = relu(t, x);
    check(t->context, nas_graph_shape(t->graph, x, &shape));
    halves[0] = conv(t, "conv_1", x, 1, 2, 1, c / 2, false);
    check(t->context, ni_slice(t->graph, x, 1, 1, shape.h, 1, &x));
    check(t->context, ni_slice(t->graph, x, 2, 1, shape.w, 1, &x));
    halves[1] = conv(t, "conv_2", x, 1, 2, 1, c - c / 2, false);
    check(t->context, nas_graph_concat(t->graph, halves, 2, &x));
    return norm(t, "bn", x, false);
}

static ni_node operation(net *t, int which, ni_node x, int stride, int64_t c) {
    switch (which) {
    case 0:
        check(t->context, nas_graph_zero(t->graph, x, stride, &x));
        return x;
    case 1:
        check(t->context, nas_graph_max_pool(t->graph, x, 3, stride, -1, &x));
        return norm(t, "1", x, false);
    case 2:
        check(t->context, nas_graph_avg_pool(t->graph, x, 3, stride, -1, &x));
        return norm(t, "1", x, false);
    case 3:
        return stride == 1 ? x : reduce(t, x, c);
    case 4:
    case 5:
        x = separable(t, 0, x, which == 4 ? 3 : 5, stride, 1, c);
        return separable(t, 1, x, which == 4 ? 3 : 5, 1, 1, c);
    default:
        return separable(t, 0, x, which == 6 ? 3 : 5, stride, 2, c);
    }
}

static ni_node mixed(net *t, int layer, int edge, ni_node x, int stride, int64_t c, int reduction) {
    ni_node terms[8], weights, weight;
    char text[64];
    check(t->context, ni_slice(t->graph, t->alpha[reduction], 0, edge, edge + 1, 1, &weights));
    for (int i = 0; i < 8; i++) {
        snprintf(text, sizeof text, "cells.%d._ops.%d._ops.%d.", layer, edge, i);
        check(t->context, ni_graph_scope(t->graph, text));
        terms[i] = operation(t, i, x, stride, c);
        check(t->context, ni_slice(t->graph, weights, 3, i, i + 1, 1, &weight));
        check(t->context, ni_mul_scalar(t->graph, terms[i], weight, &terms[i]));
    }
    check(t->context, ni_add(t->graph, terms, 8, &x));
    return x;
}

static ni_node network(net *t, ni_node x, int64_t c, int layers) {
    char text[64];
    for (int i = 0; i < 2; i++) {
        ni_var alpha = {.name = i ? "alphas_reduce" : "alphas_normal",
                        .shape = ni_shape4(14, 1, 1, 8),
                        .kind = t->weights ? NI_PARAMETER : NI_STATE,
                        .init = NI_INIT_NORMAL,
                        .init_a = 1e-3,
                        .fan_in = 1};
        check(t->context, ni_graph_scope(t->graph, ""));
        check(t->context, ni_variable(t->graph, &alpha, &t->alpha[i]));
        check(t->context, ni_softmax(t->graph, t->alpha[i], &t->alpha[i]));
    }
    check(t->context, ni_graph_scope(t->graph, "stem."));
    ni_node s0 = norm(t, "1", conv(t, "0", x, 3, 1, 1, 3 * c, false), true), s1 = s0;
    bool was_reduction = false;
    for (int layer = 0; layer < layers; layer++) {
        bool reduction = layer == layers / 3 || layer == 2 * layers / 3;
        if (reduction) c *= 2;
        ni_node nodes[6], terms[6];
        snprintf(text, sizeof text, "cells.%d.preprocess0.", layer);
        check(t->context, ni_graph_scope(t->graph, text));
        nodes[0] = was_reduction
                       ? reduce(t, s0, c)
                       : norm(t, "op.2", conv(t, "op.1", relu(t, s0), 1, 1, 1, c, false), false);
        snprintf(text, sizeof text, "cells.%d.preprocess1.", layer);
        check(t->context, ni_graph_scope(t->graph, text));
        nodes[1] = norm(t, "op.2", conv(t, "op.1", relu(t, s1), 1, 1, 1, c, false), false);
        for (int i = 0, edge = 0; i < 4; i++) {
            for (int j = 0; j < i + 2; j++, edge++)
                terms[j] =
                    mixed(t, layer, edge, nodes[j], reduction && j < 2 ? 2 : 1, c, reduction);
            check(t->context, ni_add(t->graph, terms, (uint32_t)i + 2, &nodes[2 + i]));
        }
        s0 = s1;
        check(t->context, nas_graph_concat(t->graph, nodes + 2, 4, &s1));
        was_reduction = reduction;
    }
    check(t->context, ni_graph_scope(t->graph, ""));
    check(t->context, nas_graph_global_pool(t->graph, s1, &x));
    check(t->context, nas_graph_linear(t->graph, "classifier", x, 10, 1, &x));
    return x;
}

static nas_status build(void *user, nas_graph *graph, ni_node images, ni_node *logits) {
    const int64_t *size = user;
    net t = {ni_graph_context(graph), graph, {0}, size[2] != 0};
    *logits = network(&t, images, size[0], (int)size[1]);
    return NAS_OK;
}

int main(int argc, char **argv) {
    int64_t size[3] = {argc > 4 ? atoi(argv[4]) : 16, argc > 5 ? atoi(argv[5]) : 8, argc > 7};
    const ni_net darts = {size, build, 32, 32, 3, 10};
    nas_context *context = bench_context(argc > 1 ? argv[1] : "1", argc > 2 ? argv[2] : "best");
    if (argc > 6) bench_memory_limit = (size_t)atoi(argv[6]) << 20;
    bench_steps(context, &darts, argc > 3 ? atoi(argv[3]) : 64);
    nas_context_free(context);
    return 0;
}
