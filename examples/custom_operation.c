/* An operation of one's own: a convolution with a gate for each pixel is registered under a name,
 * a space in YAML names it, and a network that uses it is costed and trained a little.
 *
 *   cc custom_operation.c $(pkg-config --cflags --libs libnas) -o custom_operation */
#include <stdio.h>
#include <string.h>
#include <libnas/libnas.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        nas_status status_ = (call);                                                               \
        if (status_ < 0) return status_;                                                           \
    } while (0)

/* relu-conv-bn, then each value weighed by a gate between 0 and 1. */
static nas_status build(void *self, nas_graph *graph, const nas_op_site *at, const nas_node *in,
                        uint32_t n, nas_node *out) {
    nas_conv_options conv = NAS_CONV_OPTIONS_INIT;
    nas_node x, gate;
    (void)self, (void)n;
    conv.filters = at->channels;
    TRY(nas_graph_relu(graph, in[0], &x));
    TRY(nas_graph_conv(graph, "conv", x, &conv, &x));
    TRY(nas_graph_batch_norm(graph, "bn", x, at->affine, at->track, at->bn_epsilon, at->bn_momentum,
                             &x));
    /* the gate: a 1x1 convolution, one factor for each pixel and channel */
    conv.kernel_h = conv.kernel_w = 1;
    conv.bias = 1;
    TRY(nas_graph_conv(graph, "gate", x, &conv, &gate));
    TRY(nas_graph_sigmoid(graph, gate, &gate));
    return nas_graph_mul(graph, x, gate, out);
}

static const char space_text[] = "space: gated\n"
                                 "network: {image: {height: 8, width: 8, channels: 1, classes: 2}, "
                                 "stem: {channels: 8}, stages: 2}\n"
                                 "cell: {nodes: 3, operations: [none, skip_connect, gated_conv]}\n";

int main(void) {
    nas_op_ops ops = {sizeof ops, 0, NULL, build, NULL};
    nas_context *context = NULL;
    nas_space *space = NULL;
    nas_arch *arch = NULL;
    nas_model *model = NULL;
    nas_dataset *data = NULL;
    nas_arch_cost cost = {.struct_size = sizeof cost};
    nas_metrics after = {.struct_size = sizeof after};
    uint8_t pixels[128 * 64];
    int32_t labels[128];
    for (int i = 0; i < 128; i++) { /* bright above, bright below */
        labels[i] = i % 2;
        for (int p = 0; p < 64; p++)
            pixels[i * 64 + p] = (uint8_t)((p / 32 == i % 2) * 150 + (i * 7 + p * 13) % 50);
    }
    nas_dataset_arrays arrays;
    memset(&arrays, 0, sizeof arrays);
    arrays.struct_size = sizeof arrays;
    arrays.n_train = 128;
    arrays.height = arrays.width = 8;
    arrays.channels = 1;
    arrays.classes = 2;
    arrays.train_bytes = pixels;
    arrays.train_labels = labels;
    nas_train_options train = NAS_TRAIN_OPTIONS_INIT;
    train.epochs = 3;
    train.batch = 16;
    train.learning_rate = 0.05;

    nas_status status = nas_context_create(&context, NULL);
    if (status < 0) return 1;
    status = nas_op_register(context, "gated_conv", &ops, NULL);
    if (status >= 0)
        status =
            nas_space_parse(&space, context, space_text, sizeof space_text - 1, "example", NULL, 0);
    if (status >= 0)
        status = nas_arch_parse(&arch, space, "1<-0=gated_conv 2<-0=skip_connect 2<-1=gated_conv");
    if (status >= 0) status = nas_arch_costs(arch, &cost);
    if (status >= 0) status = nas_dataset_from_arrays(&data, context, &arrays, NULL);
    if (status >= 0) status = nas_model_create(&model, arch, 1);
    if (status >= 0) status = nas_model_train(model, data, &train, NULL, NULL);
    if (status >= 0) status = nas_model_evaluate(model, data, NAS_SPLIT_VALIDATION, &after);
    if (status >= 0)
        printf("%lld parameters, %lld multiply-accumulates, accuracy %.2f\n",
               (long long)cost.params, (long long)cost.macs, after.accuracy);
    else
        fprintf(stderr, "%s\n", nas_context_error(context));
    nas_model_free(model);
    nas_arch_free(arch);
    nas_dataset_free(data);
    nas_space_free(space);
    nas_context_free(context);
    return status < 0 || after.accuracy < 0.9;
}
