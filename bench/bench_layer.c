/* One separable layer, forward and backward: ReLU, depthwise convolution, pointwise convolution,
 * batch norm without scale and offset; 16 channels, 32 x 32, gradients of the input and of both
 * weights.
 *
 *   bench-layer THREADS ISA BATCH KERNEL DILATION     then "run N" on standard input: N seconds
 */
#include <sys/resource.h>
#include "step.h"

enum { CHANNELS = 16, SIZE = 32 };

int main(int argc, char **argv) {
    if (argc < 6) {
        fprintf(stderr, "usage: bench-layer THREADS ISA BATCH KERNEL DILATION\n");
        return 2;
    }
    nas_context *context = bench_context(argv[1], argv[2]);
    int64_t batch = atoi(argv[3]);
    ni_shape shape = ni_shape4(batch, SIZE, SIZE, CHANNELS);
    size_t n = (size_t)ni_shape_count(shape);
    ni_vars *vars;
    nas_graph *g;
    ni_node input, seed, x, gradients[3], to[3];
    uint32_t input_number, seed_number, slots[2];
    nas_conv_options depthwise = NAS_CONV_OPTIONS_INIT, pointwise = NAS_CONV_OPTIONS_INIT;
    check(context, ni_vars_create(&vars, context));
    check(context, ni_graph_create(&g, context, vars, NI_F32, NI_TRAIN));
    check(context, ni_input(g, shape, &input_number, &input));
    check(context, ni_input(g, shape, &seed_number, &seed));
    depthwise.filters = pointwise.filters = CHANNELS;
    depthwise.kernel_h = depthwise.kernel_w = atoi(argv[4]);
    depthwise.dilation_h = depthwise.dilation_w = atoi(argv[5]);
    depthwise.groups = 0;
    pointwise.kernel_h = pointwise.kernel_w = 1;
    check(context, nas_graph_relu(g, input, &x));
    check(context, nas_graph_conv(g, "depthwise", x, &depthwise, &x));
    check(context, nas_graph_conv(g, "pointwise", x, &pointwise, &x));
    check(context, nas_graph_batch_norm(g, "norm", x, 0, 1, 1e-5, 0.1, &x));
    to[0] = input;
    for (int i = 0; i < 2; i++) {
        const ni_var var = *ni_vars_get(vars, (slots[i] = (uint32_t)i));
        check(context, ni_variable(g, &var, &to[1 + i]));
    }
    check(context, ni_graph_gradients(g, x, seed, to, 3, gradients));
    ni_output outputs[4] = {
        {x, NI_NONE}, {gradients[0], NI_NONE}, {gradients[1], slots[0]}, {gradients[2], slots[1]}};
    ni_program *program;
    check(context, ni_program_create(&program, g, outputs, 4, NULL));
    size_t size = ni_vars_size(vars);
    float *values = ni_alloc_aligned(context, size * 4),
          *grads = ni_alloc_aligned(context, size * 4);
    float *data[4];
    nas_random random;
    ni_random_init(&random, 1, 0, "bench");
    for (int i = 0; i < 4; i++) {
        data[i] = ni_alloc_aligned(context, n * 4);
        if (!data[i] || !values || !grads) exit(1);
        ni_random_fill_normal(&random, data[i], n, 0, 1);
    }
    ni_vars_initialise(vars, values, NI_F32, 1);
    const void *inputs[2];
    inputs[input_number] = data[0];
    inputs[seed_number] = data[1];
    void *results[2] = {data[2], data[3]};
    printf("ready isa=%s threads=%u macs=%lld\n", nas_isa_name(nas_context_isa(context)),
           nas_context_threads(context), (long long)ni_graph_macs(g, x));
    fflush(stdout);
    char line[64];
    int count;
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "memory", 6) == 0) {
            struct rusage use;
            getrusage(RUSAGE_SELF, &use);
            printf("%lld\n", (long long)use.ru_maxrss * 1024);
        } else if (sscanf(line, "run %d", &count) != 1) {
            break;
        } else {
            for (int i = 0; i < count; i++) {
                double start = ni_clock();
                const ni_run run = {.inputs = inputs,
                                    .values = values,
                                    .gradients = grads,
                                    .outputs = results,
                                    .random_key = {1, 1},
                                    .update_state = true};
                check(context, ni_program_run(program, &run));
                printf("%.6f%c", ni_clock() - start, i + 1 < count ? ' ' : '\n');
            }
        }
        fflush(stdout);
    }
    ni_program_free(program);
    ni_graph_free(g);
    ni_vars_free(vars);
    for (int i = 0; i < 4; i++)
        ni_free(context, data[i]);
    ni_free(context, values);
    ni_free(context, grads);
    nas_context_free(context);
    return 0;
}
