/* One training step of a small network of inverted residuals (as MobileNetV2's, Sandler et al.,
 * CVPR 2018), 3 x 32 x 32: ten blocks of expansion 3, 16 to 96 channels.
 *
 *   bench-mobile THREADS ISA BATCH [logits]    then "run N", "profile N", "plan" on standard input,
 *                                              as bench-step; logits: of BATCH images, no training
 */
#include "step.h"

static nas_status conv_norm(nas_graph *g, const char *name, ni_node *x, int kernel, int stride,
                            int64_t filters, bool depthwise, bool act) {
    char text[64];
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    o.kernel_h = o.kernel_w = kernel;
    o.stride_h = o.stride_w = stride;
    o.filters = filters;
    o.groups = depthwise ? 0 : 1;
    snprintf(text, sizeof text, "%s.conv", name);
    NI_TRY(nas_graph_conv(g, text, *x, &o, x));
    snprintf(text, sizeof text, "%s.bn", name);
    NI_TRY(nas_graph_batch_norm(g, text, *x, 1, 1, 1e-5, 0.1, x));
    return act ? nas_graph_relu6(g, *x, x) : NAS_OK;
}

static nas_status block(nas_graph *g, int number, ni_node *x, int kernel, int stride,
                        int64_t filters) {
    char text[64];
    nas_shape shape;
    ni_node in[2] = {*x, *x};
    NI_TRY(nas_graph_shape(g, *x, &shape));
    snprintf(text, sizeof text, "blocks.%d.expand", number);
    NI_TRY(conv_norm(g, text, x, 1, 1, 3 * shape.c, false, true));
    snprintf(text, sizeof text, "blocks.%d.depthwise", number);
    NI_TRY(conv_norm(g, text, x, kernel, stride, 3 * shape.c, true, true));
    snprintf(text, sizeof text, "blocks.%d.project", number);
    NI_TRY(conv_norm(g, text, x, 1, 1, filters, false, false));
    if (stride != 1 || filters != shape.c) return NAS_OK;
    in[1] = *x;
    return nas_graph_add(g, in, 2, x);
}

static nas_status build(void *user, nas_graph *g, ni_node x, ni_node *logits) {
    static const struct {
        int blocks, kernel, stride;
        int64_t filters;
    } stages[] = {{2, 3, 1, 24}, {3, 5, 2, 32}, {3, 3, 2, 64}, {2, 5, 1, 96}};
    int number = 0;
    (void)user;
    NI_TRY(conv_norm(g, "stem", &x, 3, 1, 16, false, true));
    for (size_t s = 0; s < NI_COUNT(stages); s++)
        for (int i = 0; i < stages[s].blocks; i++)
            NI_TRY(block(g, number++, &x, stages[s].kernel, i ? 1 : stages[s].stride,
                         stages[s].filters));
    NI_TRY(conv_norm(g, "head", &x, 1, 1, 256, false, true));
    NI_TRY(nas_graph_global_pool(g, x, &x));
    return nas_graph_linear(g, "classifier", x, 10, 1, logits);
}

int main(int argc, char **argv) {
    const ni_net net = {NULL, build, 32, 32, 3, 10};
    nas_context *context = bench_context(argc > 1 ? argv[1] : "1", argc > 2 ? argv[2] : "best");
    const int batch = argc > 3 ? atoi(argv[3]) : 64;
    if (argc > 4 && strcmp(argv[4], "logits") == 0)
        bench_logits(context, &net, batch);
    else
        bench_steps(context, &net, batch);
    nas_context_free(context);
    return 0;
}
