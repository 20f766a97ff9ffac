/* One training step of a NAS-Bench-201 network: forward, cross-entropy, backward, SGD with Nesterov
 * momentum. Reads lines from standard input, so that a script can alternate it with another
 * program in one run: "run N" trains N steps and answers with the seconds of each.
 *
 *   bench-step THREADS [ISA] [BATCH] [OP0 .. OP5]     (operations of the edges 1<-0, 2<-0, 2<-1, ...)
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "graph/graph.h"

static const char *edge_ops[6] = {"nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3",
                                  "skip_connect", "nor_conv_3x3", "nor_conv_3x3"};

static void check(nas_context *context, nas_status status)
{
    if (status >= 0) return;
    fprintf(stderr, "bench-step: %s\n", nas_context_error(context));
    exit(1);
}

typedef struct {
    nas_context *context;
    nas_graph *graph;
} net;

static nas_node conv_bn(net *t, nas_node x, int kernel, int stride, int64_t filters, bool relu)
{
    nas_conv_options options = NAS_CONV_OPTIONS_INIT;
    options.kernel_h = options.kernel_w = kernel;
    options.stride_h = options.stride_w = stride;
    options.filters = filters;
    if (relu) check(t->context, nas_graph_relu(t->graph, x, &x));
    check(t->context, nas_graph_conv(t->graph, "1", x, &options, &x));
    check(t->context, nas_graph_batch_norm(t->graph, "2", x, 1, 1, 1e-5, 0.1, &x));
    return x;
}

static void scope(net *t, const char *kind, int a, int b)
{
    char text[64];
    snprintf(text, sizeof text, "%s.%d.%d.", kind, a, b);
    check(t->context, ni_graph_scope(t->graph, text));
}

static nas_node cell(net *t, nas_node x, int number, int64_t c)
{
    nas_node nodes[4] = {x};
    int edge = 0;
    for (int to = 1; to < 4; to++) {
        nas_node in[3];
        uint32_t n = 0;
        for (int from = 0; from < to; from++, edge++) {
            const char *op = edge_ops[edge];
            scope(t, "cells", number, edge);
            if (strcmp(op, "nor_conv_3x3") == 0)
                in[n++] = conv_bn(t, nodes[from], 3, 1, c, true);
            else if (strcmp(op, "nor_conv_1x1") == 0)
                in[n++] = conv_bn(t, nodes[from], 1, 1, c, true);
            else if (strcmp(op, "skip_connect") == 0)
                in[n++] = nodes[from];
            else if (strcmp(op, "avg_pool_3x3") == 0)
                check(t->context, nas_graph_avg_pool(t->graph, nodes[from], 3, 1, -1, &in[n++]));
        }
        if (n == 0)
            check(t->context, nas_graph_zero(t->graph, nodes[0], 1, &nodes[to]));
        else if (n == 1)
            nodes[to] = in[0];
        else
            check(t->context, nas_graph_add(t->graph, in, n, &nodes[to]));
    }
    return nodes[3];
}

static nas_node reduction(net *t, nas_node x, int number, int64_t c)
{
    scope(t, "residual", number, 0);
    nas_node a = conv_bn(t, x, 3, 2, c, true);
    scope(t, "residual", number, 1);
    a = conv_bn(t, a, 3, 1, c, true);
    scope(t, "residual", number, 2);
    nas_node s;
    check(t->context, nas_graph_avg_pool(t->graph, x, 2, 2, 0, &s));
    nas_conv_options options = NAS_CONV_OPTIONS_INIT;
    options.kernel_h = options.kernel_w = 1;
    options.filters = c;
    check(t->context, nas_graph_conv(t->graph, "1", s, &options, &s));
    nas_node both[2] = {s, a};
    check(t->context, nas_graph_add(t->graph, both, 2, &a));
    return a;
}

static nas_node network(net *t, nas_node x)
{
    int number = 0;
    int64_t c = 16;
    scope(t, "stem", 0, 0);
    x = conv_bn(t, x, 3, 1, c, false);
    for (int stage = 0; stage < 3; stage++) {
        if (stage > 0) x = reduction(t, x, number++, c *= 2);
        for (int i = 0; i < 5; i++) x = cell(t, x, number++, c);
    }
    scope(t, "lastact", 0, 0);
    check(t->context, nas_graph_batch_norm(t->graph, "0", x, 1, 1, 1e-5, 0.1, &x));
    check(t->context, nas_graph_relu(t->graph, x, &x));
    check(t->context, nas_graph_global_pool(t->graph, x, &x));
    check(t->context, nas_graph_linear(t->graph, "classifier", x, 10, 1, &x));
    return x;
}

typedef struct {
    const ni_kernels *kernels;
    float *values, *gradients, *momentum;
    size_t n;
    uint32_t pieces;
    bool first;
} sgd_step;

static void sgd_piece(void *user, uint32_t piece, uint32_t lane)
{
    sgd_step *s = user;
    (void)lane;
    s->kernels->sgd(s->values, s->gradients, s->momentum, 0.01, 0.9, 5e-4, true, s->first, 1,
                    (int64_t)(s->n * piece / s->pieces), (int64_t)(s->n * (piece + 1) / s->pieces));
}

int main(int argc, char **argv)
{
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    options.threads = argc > 1 ? (uint32_t)atoi(argv[1]) : 2;
    for (int32_t isa = NAS_ISA_GENERIC; argc > 2 && isa <= NAS_ISA_NEON; isa++)
        if (strcmp(argv[2], nas_isa_name(isa)) == 0) options.isa = isa;
    int64_t batch = argc > 3 ? atoi(argv[3]) : 64;
    for (int i = 0; i < 6 && argc >= 10; i++) edge_ops[i] = argv[4 + i];
    net t = {0};
    if (nas_context_create(&t.context, &options) < 0) return 1;
    ni_vars *vars;
    check(t.context, ni_vars_create(&vars, t.context));
    check(t.context, ni_graph_create(&t.graph, t.context, vars, NI_F32, NI_TRAIN));
    ni_node images, labels, loss, gradients[1024];
    uint32_t image_input, label_input;
    check(t.context, ni_input(t.graph, ni_shape4(batch, 32, 32, 3), &image_input, &images));
    check(t.context, ni_input_labels(t.graph, batch, &label_input, &labels));
    nas_node logits = network(&t, images);
    check(t.context, ni_cross_entropy(t.graph, logits, labels, 0, &loss));
    ni_node parameters[1024];
    ni_output outputs[1025] = {{loss, NI_NONE}};
    uint32_t n = 0;
    for (uint32_t slot = 0; slot < ni_vars_count(vars); slot++) {
        const ni_var *var = ni_vars_get(vars, slot);
        if (var->kind != NI_PARAMETER) continue;
        check(t.context, ni_variable(t.graph, var, &parameters[n]));
        outputs[1 + n++].slot = slot;
    }
    check(t.context, ni_graph_gradients(t.graph, loss, NI_NONE, parameters, n, gradients));
    for (uint32_t i = 0; i < n; i++) outputs[1 + i].node = gradients[i];
    ni_plan_options plan = {0};
    ni_program *program;
    check(t.context, ni_program_create(&program, t.graph, outputs, n + 1, &plan));
    if (argc > 10 && strcmp(argv[10], "plan") == 0) {
        nas_sink *sink;
        check(t.context, nas_sink_memory(&sink, t.context));
        check(t.context, ni_program_describe(program, sink));
        size_t length;
        fputs(nas_sink_data(sink, &length), stdout);
    }

    size_t size = ni_vars_size(vars);
    float *values = ni_alloc_aligned(t.context, size * 4), *grads = ni_alloc_aligned(t.context, size * 4);
    float *momentum = ni_alloc_aligned(t.context, size * 4);
    float *x = ni_alloc_aligned(t.context, (size_t)batch * 3072 * 4);
    int32_t *y = ni_alloc(t.context, (size_t)batch * 4);
    memset(grads, 0, size * 4);
    memset(momentum, 0, size * 4);
    ni_vars_initialise(vars, values, NI_F32, 1);
    nas_random random;
    ni_random_init(&random, 1, 0, "bench");
    ni_random_fill_normal(&random, x, (size_t)batch * 3072, 0, 1);
    for (int64_t i = 0; i < batch; i++) y[i] = (int32_t)(i % 10);
    ni_kernels kernels;
    ni_kernels_get(&kernels, NI_F32, nas_context_isa(t.context));

    printf("ready isa=%s threads=%u params=%lld macs=%lld bytes=%zu\n",
           nas_isa_name(nas_context_isa(t.context)), nas_context_threads(t.context),
           (long long)ni_vars_parameters(vars), (long long)ni_graph_macs(t.graph, logits),
           ni_program_bytes(program));
    fflush(stdout);
    float value = 0;
    const void *inputs[2];
    inputs[image_input] = x;
    inputs[label_input] = y;
    void *results[1025] = {&value};
    sgd_step step = {&kernels, values, grads, momentum, size, 8, true};
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        int count = 0;
        if (sscanf(line, "run %d", &count) != 1) break;
        for (int i = 0; i < count; i++) {
            double start = ni_clock();
            ni_run run = {inputs, values, grads, results, {1, 1}, true};
            check(t.context, ni_program_run(program, &run));
            ni_parallel(t.context, step.pieces, sgd_piece, &step);
            step.first = false;
            printf("%.6f%c", ni_clock() - start, i + 1 < count ? ' ' : '\n');
        }
        fflush(stdout);
    }
    fprintf(stderr, "loss %f\n", (double)value);
    ni_program_free(program);
    ni_graph_free(t.graph);
    ni_vars_free(vars);
    ni_free(t.context, values);
    ni_free(t.context, grads);
    ni_free(t.context, momentum);
    ni_free(t.context, x);
    ni_free(t.context, y);
    nas_context_free(t.context);
    return 0;
}
