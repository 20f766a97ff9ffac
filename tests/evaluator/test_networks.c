/* Every kind of network that a space can describe, and a mixed supernet: the same bits for any
 * number of threads over a training epoch, no allocation once the first step was made, fused plans
 * that agree with plain ones, and memory that is what the plan said. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "evaluator/evaluator.h"

#define OK(expression)                                                                             \
    do {                                                                                           \
        nas_status ok_status_ = (expression);                                                      \
        if (ok_status_ != NAS_OK) fail_msg("%s: %s", #expression, nas_status_name(ok_status_));    \
    } while (0)

enum { SETTINGS = 6, BATCHES = 4 };

typedef struct {
    const char *preset; /* NULL: the supernet below */
    const char *settings[SETTINGS];
} kind;
static const kind kinds[] = {
    {"nas-bench-101", {"channels=8", "modules=1", "height=16", "width=16"}},
    {"nas-bench-201", {"channels=4", "cells=1", "height=16", "width=16"}},
    {"nas-bench-macro", {"channels=8", "last=32", "height=16", "width=16"}},
    {"darts", {"channels=4", "cells=4", "auxiliary=1", "height=24", "width=24"}},
    {"nasnet", {"channels=4", "cells=4", "height=16", "width=16"}},
    {"amoebanet", {"channels=4", "cells=4", "height=16", "width=16"}},
    {"pnas", {"channels=4", "cells=3", "height=16", "width=16"}},
    {"enas-macro", {"channels=4", "layers=6", "height=16", "width=16"}},
    {"enas-micro", {"channels=4", "cells=5", "height=16", "width=16"}},
    {"proxyless", {"channels=8", "last=32", "height=32", "width=32", "classes=10"}},
    {"zoph-chain", {"layers=4", "height=12", "width=12"}},
    {"mlp", {NULL}},
    {"tiny", {"height=16", "width=16"}},
    {"quick", {"height=16", "width=16", "least_macs=1", "most_macs=1e9"}},
    {NULL, {NULL}},
};

/* ---- a supernet: edges of weighted operations, drop-path, a gate, layer norm, resizing ---------
 */

static nas_status separable(nas_graph *g, const char *name, ni_node x, int32_t kernel,
                            int32_t dilation, ni_node *out) {
    char text[64];
    nas_conv_options conv = NAS_CONV_OPTIONS_INIT;
    conv.kernel_h = conv.kernel_w = kernel;
    conv.dilation_h = conv.dilation_w = dilation;
    conv.groups = 0;
    NI_TRY(nas_graph_relu(g, x, &x));
    snprintf(text, sizeof text, "%s.depthwise", name);
    NI_TRY(nas_graph_conv(g, text, x, &conv, &x));
    conv = (nas_conv_options)NAS_CONV_OPTIONS_INIT;
    conv.kernel_h = conv.kernel_w = 1;
    snprintf(text, sizeof text, "%s.pointwise", name);
    NI_TRY(nas_graph_conv(g, text, x, &conv, &x));
    snprintf(text, sizeof text, "%s.norm", name);
    return nas_graph_batch_norm(g, text, x, 0, 1, 1e-5, 0.1, out);
}

static nas_status edge(nas_graph *g, int number, ni_node x, ni_node *out) {
    char name[32], text[64];
    ni_node weights, weight, terms[6] = {x, x, x, x, x, x};
    snprintf(name, sizeof name, "edge%d", number);
    ni_var alpha = {.name = name,
                    .shape = ni_shape4(1, 1, 1, 6),
                    .kind = NI_PARAMETER,
                    .init = NI_INIT_NORMAL,
                    .init_a = 1};
    NI_TRY(ni_variable(g, &alpha, &weights));
    NI_TRY(nas_graph_softmax(g, weights, &weights));
    snprintf(text, sizeof text, "%s.sep", name);
    NI_TRY(separable(g, text, x, 3, 1, &terms[0]));
    snprintf(text, sizeof text, "%s.dil", name);
    NI_TRY(separable(g, text, x, 5, 2, &terms[1]));
    NI_TRY(ni_dropout(g, terms[1], 0.2, true, &terms[1])); /* drop-path: an image's whole path */
    NI_TRY(nas_graph_max_pool(g, x, 3, 1, -1, &terms[2]));
    snprintf(text, sizeof text, "%s.pool", name);
    NI_TRY(nas_graph_batch_norm(g, text, terms[2], 0, 1, 1e-5, 0.1, &terms[2]));
    NI_TRY(nas_graph_avg_pool(g, x, 3, 1, -1, &terms[3]));
    NI_TRY(nas_graph_zero(g, x, 1, &terms[4]));
    for (int i = 0; i < 6; i++) {
        NI_TRY(ni_slice(g, weights, 3, i, i + 1, 1, &weight));
        NI_TRY(nas_graph_mul(g, terms[i], weight, &terms[i]));
    }
    return nas_graph_add(g, terms, 6, out);
}

static nas_status supernet(void *user, nas_graph *g, ni_node images, ni_node *logits) {
    nas_conv_options conv = NAS_CONV_OPTIONS_INIT;
    ni_node x, nodes[4], terms[3];
    nas_shape shape;
    (void)user;
    conv.filters = 8;
    NI_TRY(nas_graph_conv(g, "stem", images, &conv, &x));
    NI_TRY(nas_graph_batch_norm(g, "stem_norm", x, 1, 1, 1e-5, 0.1, &nodes[0]));
    NI_TRY(nas_graph_shape(g, nodes[0], &shape));
    for (int to = 1, number = 0; to < 4; to++) {
        for (int from = 0; from < to; from++)
            NI_TRY(edge(g, number++, nodes[from], &terms[from]));
        NI_TRY(nas_graph_add(g, terms, (uint32_t)to, &nodes[to]));
    }
    NI_TRY(nas_graph_factorized_reduce(g, "reduce", nodes[3], 8, 1, 1, 1e-5, 0.1, &x));
    NI_TRY(nas_graph_hard_swish(g, x, &x));
    NI_TRY(nas_graph_squeeze_excite(g, "se", x, 4, 1, &x));
    NI_TRY(nas_graph_layer_norm(g, "ln", x, 1, 1e-5, &x));
    NI_TRY(nas_graph_resize(g, x, shape.h, shape.w, 1, &x));
    ni_node joined[2] = {x, nodes[3]};
    NI_TRY(nas_graph_concat(g, joined, 2, &x));
    NI_TRY(nas_graph_global_pool(g, x, &x));
    return nas_graph_linear(g, "fc", x, 10, 1, logits);
}

/* ---- one network ----------------------------------------------------------------------------- */

typedef struct {
    nas_context *context;
    nas_space *space;
    nas_arch *arch;
    ni_arch_net build;
    ni_net net;
} network;

static void open_network(network *n, const kind *k, uint32_t threads, uint64_t number) {
    nas_context_options o = NAS_CONTEXT_OPTIONS_INIT;
    nas_random random;
    size_t settings = 0;
    memset(n, 0, sizeof *n);
    o.threads = threads;
    OK(nas_context_create(&n->context, &o));
    if (!k->preset) {
        n->net = (ni_net){NULL, supernet, 16, 16, 3, 10};
        return;
    }
    while (settings < SETTINGS && k->settings[settings])
        settings++;
    if (nas_space_preset(&n->space, n->context, k->preset, k->settings, settings) != NAS_OK)
        fail_msg("%s: %s", k->preset, nas_context_error(n->context));
    ni_random_init(&random, 3, number, k->preset);
    OK(nas_space_sample(n->space, &random, &n->arch));
    OK(ni_arch_network(&n->net, &n->build, n->arch, 0.1));
    if (strcmp(k->preset, "nas-bench-201") == 0 || strcmp(k->preset, "darts") == 0)
        n->build.drop_path = 0.2;
}

static void close_network(network *n) {
    nas_arch_free(n->arch);
    nas_space_free(n->space);
    nas_context_free(n->context);
}

static const char *name_of(const kind *k) {
    return k->preset ? k->preset : "supernet";
}

/* ---- a training epoch --------------------------------------------------------------------------
 */

typedef struct {
    float *images;
    int32_t *labels;
    int64_t batch, pixels;
} epoch_data;

static nas_status next(void *user, uint64_t epoch, int64_t index, const float **images,
                       const int32_t **labels, int64_t *fill) {
    const epoch_data *d = user;
    (void)epoch;
    *images = d->images + index * d->batch * d->pixels;
    *labels = d->labels + index * d->batch;
    *fill = index + 1 < BATCHES ? d->batch : d->batch - 3; /* the last one is not full */
    return NAS_OK;
}

static epoch_data make_data(const ni_net *net, int64_t batch) {
    epoch_data d = {NULL, NULL, batch, net->height * net->width * net->channels};
    nas_random random;
    int64_t n = BATCHES * batch;
    d.images = calloc((size_t)(n * d.pixels), sizeof *d.images);
    d.labels = calloc((size_t)n, sizeof *d.labels);
    ni_random_init(&random, 1, 1, "networks");
    ni_random_fill_normal(&random, d.images, (size_t)(n * d.pixels), 0, 1);
    for (int64_t i = 0; i < n; i++)
        d.labels[i] = i < n - 3 ? (int32_t)(i * 7 % net->classes) : -1;
    return d;
}

static uint64_t allocations(const nas_context *context) {
    nas_memory_use use = NAS_MEMORY_USE_INIT;
    OK(nas_context_memory(context, &use));
    return use.allocations;
}

typedef struct {
    size_t n;
    float *values;
    double loss, correct;
    nas_metrics measured;
} result;

/* Trains an epoch, then measures; no allocation after the first step, and after the first
 * measuring. */
static result train(const kind *k, uint32_t threads) {
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    result r = {.measured = {.struct_size = sizeof r.measured}};
    network n;
    ni_trainer *trainer;
    int64_t images = 0;
    open_network(&n, k, threads, 1);
    o.batch = 20;
    o.seed = 5;
    o.clip = 1;
    o.ema = 0.9;
    o.label_smoothing = 0.1;
    o.learning_rate = 0.05;
    o.optimizer = k - kinds == 1 ? NAS_OPTIMIZER_ADAM : NAS_OPTIMIZER_SGD;
    if (ni_trainer_create(&trainer, n.context, &n.net, &o) != NAS_OK)
        fail_msg("%s: %s", name_of(k), nas_context_error(n.context));
    epoch_data d = make_data(&n.net, o.batch);
    const ni_batches data = {&d, BATCHES, o.batch, next};
    OK(ni_trainer_run(trainer, &data, 0, 0, 1, 0, BATCHES, &r.loss, &r.correct, &images, NULL,
                      NULL));
    uint64_t before = allocations(n.context);
    if (ni_trainer_run(trainer, &data, 0, 1, BATCHES, 1, BATCHES, &r.loss, &r.correct, &images,
                       NULL, NULL) != NAS_OK)
        fail_msg("%s: %s", name_of(k), nas_context_error(n.context));
    if (allocations(n.context) != before)
        fail_msg("%s: %d allocations in %d steps", name_of(k),
                 (int)(allocations(n.context) - before), BATCHES - 1);
    OK(ni_trainer_measure(trainer, &data, &r.measured));
    before = allocations(n.context);
    OK(ni_trainer_measure(trainer, &data, &r.measured));
    assert_int_equal(allocations(n.context), before);
    r.n = ni_vars_size(ni_trainer_vars(trainer));
    r.values = calloc(2 * r.n, sizeof *r.values);
    memcpy(r.values, ni_trainer_values(trainer), r.n * sizeof *r.values);
    memcpy(r.values + r.n, ni_trainer_result(trainer), r.n * sizeof *r.values);
    ni_trainer_free(trainer);
    close_network(&n);
    free(d.images);
    free(d.labels);
    return r;
}

static void test_threads(void **state) {
    static const uint32_t threads[] = {1, 2, 3, 8};
    (void)state;
    for (size_t i = 0; i < NI_COUNT(kinds); i++) {
        result first = train(&kinds[i], threads[0]);
        assert_true(isfinite(first.loss) && isfinite(first.measured.loss));
        for (size_t t = 1; t < NI_COUNT(threads); t++) {
            result other = train(&kinds[i], threads[t]);
            if (other.n != first.n ||
                memcmp(other.values, first.values, 2 * first.n * sizeof *first.values) != 0 ||
                memcmp(&other.loss, &first.loss, sizeof first.loss) != 0 ||
                memcmp(&other.measured.loss, &first.measured.loss, sizeof(double)) != 0 ||
                other.correct != first.correct)
                fail_msg("%s: %d threads give other bits than one", name_of(&kinds[i]),
                         (int)threads[t]);
            free(other.values);
        }
        free(first.values);
    }
}

/* ---- fused and plain ---------------------------------------------------------------------------
 */

typedef struct {
    double loss, length; /* of the gradient */
    double *gradients;
    size_t n;
} gradient;

/* Loss and gradients of one batch, in float64 or float32. */
static gradient differentiate(const kind *k, uint64_t number, uint32_t dtype, uint32_t no_fusion) {
    enum { BATCH = 9 };
    const ni_plan_options plan = {.no_fusion = no_fusion, .isa = NAS_ISA_BEST};
    gradient r = {0, 0, NULL, 0};
    network n;
    ni_vars *vars;
    nas_graph *g;
    ni_program *program;
    ni_node images, labels, logits, loss;
    double weight;
    open_network(&n, k, 2, number);
    ni_shape shape = ni_shape4(BATCH, n.net.height, n.net.width, n.net.channels);
    OK(ni_vars_create(&vars, n.context));
    OK(ni_graph_create(&g, n.context, vars, dtype, NI_TRAIN));
    OK(ni_input(g, shape, NULL, &images));
    OK(ni_input_labels(g, BATCH, NULL, &labels));
    if (n.net.build(n.net.user, g, images, &logits) != NAS_OK)
        fail_msg("%s: %s", name_of(k), nas_context_error(n.context));
    OK(ni_cross_entropy(g, logits, labels, 0.1, &loss));
    ni_node auxiliary = ni_graph_auxiliary_get(g, &weight);
    if (auxiliary != NI_NONE) {
        ni_node terms[2] = {loss, NI_NONE};
        OK(ni_cross_entropy(g, auxiliary, labels, 0.1, &terms[1]));
        OK(ni_scale(g, terms[1], weight, 0, &terms[1]));
        OK(ni_add(g, terms, 2, &loss));
    }
    uint32_t count = ni_vars_count(vars), m = 0;
    ni_node *variables = calloc(2 * (size_t)count, sizeof *variables);
    ni_output *outputs = calloc((size_t)count + 1, sizeof *outputs);
    outputs[0] = (ni_output){loss, NI_NONE};
    for (uint32_t slot = 0; slot < count; slot++) {
        const ni_var var = *ni_vars_get(vars, slot);
        if (var.kind != NI_PARAMETER) continue;
        OK(ni_variable(g, &var, &variables[m]));
        outputs[1 + m++].slot = slot;
    }
    OK(ni_graph_gradients(g, loss, NI_NONE, variables, m, variables + count));
    for (uint32_t i = 0; i < m; i++)
        outputs[1 + i].node = variables[count + i];
    OK(ni_program_create(&program, g, outputs, m + 1, &plan));

    size_t size = ni_vars_size(vars), pixels = (size_t)ni_shape_count(shape);
    void *values = calloc(size, 8), *gradients = calloc(size, 8), *x = calloc(pixels, 8);
    int32_t y[BATCH];
    double value[1];
    nas_random random;
    ni_vars_initialise(vars, values, dtype, 7);
    ni_random_init(&random, 2, number, "pixels");
    for (size_t i = 0; i < pixels; i++) {
        float pixel = (float)nas_random_normal(&random);
        if (dtype == NI_F64)
            ((double *)x)[i] = (double)pixel;
        else
            ((float *)x)[i] = pixel;
    }
    for (int i = 0; i < BATCH; i++)
        y[i] = (int32_t)(i % n.net.classes);
    const void *inputs[] = {x, y};
    void *results[] = {value};
    const ni_run run = {inputs, values, gradients, results, {1, 2}, true, NULL, 0.5};
    OK(ni_program_run(program, &run));
    float single;
    memcpy(&single, value, sizeof single);
    r.loss = dtype == NI_F64 ? value[0] : (double)single;
    r.n = size;
    r.gradients = calloc(size, sizeof *r.gradients);
    for (size_t i = 0; i < size; i++) {
        r.gradients[i] =
            dtype == NI_F64 ? ((double *)gradients)[i] : (double)((float *)gradients)[i];
        r.length += r.gradients[i] * r.gradients[i];
    }
    r.length = sqrt(r.length);
    ni_program_free(program);
    ni_graph_free(g);
    ni_vars_free(vars);
    close_network(&n);
    free(variables);
    free(outputs);
    free(values);
    free(gradients);
    free(x);
    return r;
}

static double apart(const gradient *a, const gradient *b) {
    double sum = 0;
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        sum += pow(a->gradients[i] - b->gradients[i], 2);
    return sqrt(sum) / b->length;
}

/* In float64, where no rounding turns a rectifier's input over, both are equal to rounding; in
 * float32 fused plans (of vector kernels) keep the loss, and the gradient but for such turns. */
static void test_fusion(void **state) {
    enum { EACH = 3 };
    double worst = 0, worst_loss = 0, worst_single = 0;
    (void)state;
    for (size_t i = 0; i < NI_COUNT(kinds); i++)
        for (uint64_t number = 1; number <= (kinds[i].preset ? EACH : 1); number++) {
            gradient plain = differentiate(&kinds[i], number, NI_F64, 1);
            gradient fused = differentiate(&kinds[i], number, NI_F64, 0);
            gradient single = differentiate(&kinds[i], number, NI_F32, 0);
            double off = apart(&fused, &plain), loss = fabs(single.loss - plain.loss);
            double off_single = apart(&single, &plain);
            if (!(off <= 1e-9) || !(fabs(fused.loss - plain.loss) <= 1e-11 * (1 + plain.loss)))
                fail_msg("%s, network %d: fused and plain are %g apart, losses %.15g and %.15g",
                         name_of(&kinds[i]), (int)number, off, fused.loss, plain.loss);
            if (!(loss <= 2e-5 * (1 + plain.loss)) || !(off_single <= 2e-2))
                fail_msg("%s, network %d: float32 is %g apart, losses %.9g and %.9g",
                         name_of(&kinds[i]), (int)number, off_single, single.loss, plain.loss);
            worst = fmax(worst, off);
            worst_loss = fmax(worst_loss, loss);
            worst_single = fmax(worst_single, off_single);
            free(plain.gradients);
            free(fused.gradients);
            free(single.gradients);
        }
    print_message(
        "fused against plain: gradients %.1e apart; float32 against float64: losses %.1e, "
        "gradients %.1e\n",
        worst, worst_loss, worst_single);
}

/* ---- memory: what a plan says before, and what is held then
 * -------------------------------------- */

static uint64_t held(const nas_context *context, bool peak) {
    nas_memory_use use = NAS_MEMORY_USE_INIT;
    OK(nas_context_memory(context, &use));
    return peak ? use.bytes_peak : use.bytes_now;
}

static void expect_bytes(const char *name, uint64_t said, uint64_t real) {
    double off = ((double)real - (double)said) / (double)said;
    print_message("%s: said %.2f MB, was %.2f MB (%+.1f %%)\n", name, (double)said * 1e-6,
                  (double)real * 1e-6, 100 * off);
    if (!(fabs(off) <= 0.05)) fail_msg("%s: not within 5 %%", name);
}

static nas_dataset *noise(nas_context *context, const ni_net *net) {
    enum { TRAIN = 150, TEST = 10 };
    nas_dataset_arrays a = {.struct_size = sizeof a,
                            .n_train = TRAIN,
                            .n_test = TEST,
                            .height = net->height,
                            .width = net->width,
                            .channels = net->channels,
                            .classes = net->classes};
    nas_dataset_options o = NAS_DATASET_OPTIONS_INIT;
    size_t pixels = (size_t)(net->height * net->width * net->channels);
    uint8_t *bytes = calloc(TRAIN + TEST, pixels);
    int32_t *labels = calloc(TRAIN + TEST, sizeof *labels);
    nas_dataset *data;
    for (size_t i = 0; i < (TRAIN + TEST) * pixels; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int i = 0; i < TRAIN + TEST; i++)
        labels[i] = (int32_t)(i % net->classes);
    a.train_bytes = bytes;
    a.test_bytes = bytes + TRAIN * pixels;
    a.train_labels = labels;
    a.test_labels = labels + TRAIN;
    o.validation = 20;
    OK(nas_dataset_from_arrays(&data, context, &a, &o));
    free(bytes);
    free(labels);
    return data;
}

/* The whole of nas_model_train, in so many bytes of tensors; gives what a step was said to need. */
static uint64_t train_model(const kind *k, uint32_t batch, uint64_t limit, nas_status wanted) {
    nas_plan_options plan = NAS_PLAN_OPTIONS_INIT;
    nas_plan_info info = NAS_PLAN_INFO_INIT;
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    network n;
    nas_model *model;
    open_network(&n, k, 2, 1);
    nas_dataset *data = noise(n.context, &n.net);
    o.batch = plan.batch = batch;
    o.memory_limit = plan.memory_limit = limit;
    o.epochs = 1;
    OK(nas_model_create(&model, n.arch, 1));
    uint64_t before = held(n.context, false);
    nas_status status = nas_arch_plan(n.arch, &plan, &info, NULL);
    assert_int_equal(status, wanted);
    status = nas_model_train(model, data, &o, NULL, NULL);
    assert_int_equal(status, wanted);
    if (status == NAS_OK)
        expect_bytes(name_of(k), info.peak_bytes, held(n.context, true) - before);
    else
        assert_non_null(strstr(nas_context_error(n.context), "the limit is"));
    nas_model_free(model);
    nas_dataset_free(data);
    close_network(&n);
    return info.tensor_bytes + info.scratch_bytes;
}

static void test_memory(void **state) {
    static const kind some[] = {
        {"nas-bench-201", {"channels=8", "cells=2"}},
        {"darts", {"channels=8", "cells=3", "height=24", "width=24"}},
        {"nas-bench-macro", {"channels=16", "last=64"}},
        {NULL, {NULL}},
    };
    (void)state;
    uint64_t step = train_model(&some[0], 48, 0, NAS_OK);
    uint64_t less = train_model(&some[0], 48, step / 100 * 70, NAS_OK);
    assert_true(less <= step / 100 * 70);
    train_model(&some[0], 48, 10000, NAS_E_LIMIT);
    train_model(&some[1], 32, 0, NAS_OK);
    train_model(&some[2], 32, 0, NAS_OK);

    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    network n;
    ni_trainer *trainer;
    uint64_t said;
    o.batch = 48;
    open_network(&n, &some[3], 2, 1);
    uint64_t before = held(n.context, false);
    OK(ni_training_bytes(n.context, &n.net, o.batch, &o, false, NULL, &said));
    OK(ni_trainer_create(&trainer, n.context, &n.net, &o));
    /* it has no loader, which would hold four batches */
    said -= 4 * o.batch * (uint64_t)(n.net.height * n.net.width * n.net.channels) * sizeof(float);
    expect_bytes("supernet", said, held(n.context, true) - before);
    ni_trainer_free(trainer);
    close_network(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_fusion),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
