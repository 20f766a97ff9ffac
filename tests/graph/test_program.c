/* Programs: the same bits for any number of threads, fused or not the same result, no allocation
 * once made, running statistics, labels, memory. */
#include "support.h"
#include "libnas/io.h"

enum { BATCH = 19, SIZE = 44, CLASSES = 7 };

static nas_status separable(nas_graph *g, const char *name, ni_node x, int32_t kernel,
                            int32_t dilation, ni_node *out) {
    char text[64];
    nas_conv_options conv = NAS_CONV_OPTIONS_INIT;
    nas_shape shape;
    NI_TRY(nas_graph_shape(g, x, &shape));
    conv.filters = shape.c;
    conv.kernel_h = conv.kernel_w = kernel;
    conv.dilation_h = conv.dilation_w = dilation;
    conv.groups = 0;
    snprintf(text, sizeof text, "%s.depthwise", name);
    NI_TRY(nas_graph_relu(g, x, &x));
    NI_TRY(nas_graph_conv(g, text, x, &conv, &x));
    conv = (nas_conv_options)NAS_CONV_OPTIONS_INIT;
    conv.filters = shape.c;
    conv.kernel_h = conv.kernel_w = 1;
    snprintf(text, sizeof text, "%s.pointwise", name);
    NI_TRY(nas_graph_conv(g, text, x, &conv, &x));
    snprintf(text, sizeof text, "%s.norm", name);
    return nas_graph_batch_norm(g, text, x, 0, 1, 1e-5, 0.1, out);
}

/* As an edge of a DARTS cell: several operations, each times its weight. */
static nas_status mixed(nas_graph *g, const char *name, ni_var_kind kind, ni_node x, ni_node *out) {
    ni_node weights, weight, terms[5] = {x, x, x, x, x};
    char text[3][64];
    for (int i = 0; i < 3; i++)
        snprintf(text[i], sizeof text[i], "%s.%d", name, i);
    ni_var alpha = {.name = name,
                    .shape = ni_shape4(1, 1, 1, 5),
                    .kind = kind,
                    .init = NI_INIT_NORMAL,
                    .init_a = 1};
    NI_TRY(ni_variable(g, &alpha, &weights));
    NI_TRY(ni_softmax(g, weights, &weights));
    NI_TRY(separable(g, text[0], x, 3, 1, &terms[0]));
    NI_TRY(separable(g, text[1], terms[0], 5, 1, &terms[0]));
    NI_TRY(separable(g, text[2], x, 3, 2, &terms[1]));
    NI_TRY(nas_graph_max_pool(g, x, 3, 1, -1, &terms[2]));
    snprintf(text[0], sizeof text[0], "%s.pool", name);
    NI_TRY(nas_graph_batch_norm(g, text[0], terms[2], 1, 1, 1e-5, 0.1, &terms[2]));
    NI_TRY(nas_graph_zero(g, x, 1, &terms[3]));
    for (int i = 0; i < 5; i++) {
        NI_TRY(ni_slice(g, weights, 3, i, i + 1, 1, &weight));
        NI_TRY(ni_mul_scalar(g, terms[i], weight, &terms[i]));
    }
    return ni_add(g, terms, 5, out);
}

/* A small network with what networks have: shared relus, branches, strides, depthwise, pools,
 * `none`, dropout, concat. */
static nas_status network(nas_graph *g, ni_node x, ni_node *logits) {
    nas_conv_options conv = NAS_CONV_OPTIONS_INIT;
    ni_node a, b, c, d, e;
    conv.filters = 8;
    NI_TRY(nas_graph_conv(g, "stem", x, &conv, &a));
    NI_TRY(nas_graph_batch_norm(g, "stem_bn", a, 1, 1, 1e-5, 0.1, &a));
    /* a cell: relu-conv-bn twice from one input, a skip, a pool, a zero */
    NI_TRY(nas_graph_relu(g, a, &b));
    NI_TRY(nas_graph_conv(g, "conv1", b, &conv, &c));
    NI_TRY(nas_graph_batch_norm(g, "bn1", c, 1, 1, 1e-5, 0.1, &c));
    conv.kernel_h = conv.kernel_w = 1;
    NI_TRY(nas_graph_conv(g, "conv2", b, &conv, &d));
    NI_TRY(nas_graph_batch_norm(g, "bn2", d, 0, 1, 1e-5, 0.1, &d));
    NI_TRY(nas_graph_avg_pool(g, a, 3, 1, -1, &e));
    ni_node zero, parts[] = {c, d, a, e, 0};
    NI_TRY(nas_graph_zero(g, a, 1, &zero));
    parts[4] = zero;
    NI_TRY(nas_graph_add(g, parts, 5, &a));
    NI_TRY(mixed(g, "mixed", NI_PARAMETER, a, &b)); /* with the gradient of the weights */
    NI_TRY(mixed(g, "frozen", NI_STATE, b, &a));    /* without */
    /* conv-bn-relu, conv-bn-relu6 depthwise with stride, 1x1 */
    conv.filters = 12;
    NI_TRY(nas_graph_conv(g, "expand", a, &conv, &b));
    NI_TRY(nas_graph_batch_norm(g, "bn3", b, 1, 1, 1e-5, 0.1, &b));
    NI_TRY(nas_graph_relu(g, b, &b));
    conv.kernel_h = conv.kernel_w = 3;
    conv.stride_h = conv.stride_w = 2;
    conv.groups = 0;
    NI_TRY(nas_graph_conv(g, "depthwise", b, &conv, &b));
    NI_TRY(nas_graph_batch_norm(g, "bn4", b, 1, 1, 1e-5, 0.1, &b));
    NI_TRY(nas_graph_relu6(g, b, &b));
    NI_TRY(nas_graph_max_pool(g, a, 3, 2, -1, &c));
    ni_node joined[] = {b, c};
    NI_TRY(nas_graph_concat(g, joined, 2, &a));
    NI_TRY(nas_graph_global_pool(g, a, &a));
    NI_TRY(nas_graph_dropout(g, a, 0.2, &a));
    return nas_graph_linear(g, "fc", a, CLASSES, 1, logits);
}

typedef struct {
    nas_context *context;
    ni_vars *vars;
    nas_graph *g;
    ni_program *program;
    uint32_t dtype;
    size_t size;
    void *values, *gradients, *images;
    int32_t labels[BATCH];
    double loss[1], right[1], logits[BATCH * CLASSES]; /* of the element type */
} trainer;

static float first_float(const void *numbers) {
    float value;
    memcpy(&value, numbers, sizeof value);
    return value;
}

/* Numbers of the element type from one stream. */
static void fill(void *to, uint32_t dtype, size_t n, uint64_t stream) {
    nas_random random;
    ni_random_init(&random, 5, stream, "program test");
    for (size_t i = 0; i < n; i++) {
        double v = nas_random_normal(&random);
        if (dtype == NI_F64)
            ((double *)to)[i] = v;
        else
            ((float *)to)[i] = (float)v;
    }
}

static void trainer_start(trainer *t, uint32_t threads, uint32_t dtype, ni_mode mode,
                          const ni_plan_options *options) {
    ni_node x, labels, logits, loss, right, variables[128], gradients[128];
    ni_output outputs[128];
    uint32_t n = 0;
    memset(t, 0, sizeof *t);
    t->dtype = dtype;
    t->context = new_context(threads);
    OK(ni_vars_create(&t->vars, t->context));
    OK(ni_graph_create(&t->g, t->context, t->vars, dtype, mode));
    OK(ni_input(t->g, ni_shape4(BATCH, SIZE, SIZE, 3), NULL, &x));
    OK(ni_input_labels(t->g, BATCH, NULL, &labels));
    OK(network(t->g, x, &logits));
    OK(ni_cross_entropy(t->g, logits, labels, 0.1, &loss));
    OK(ni_correct(t->g, logits, labels, &right));
    outputs[n++] = (ni_output){loss, NI_NONE};
    outputs[n++] = (ni_output){right, NI_NONE};
    outputs[n++] = (ni_output){logits, NI_NONE};
    if (mode == NI_TRAIN) {
        uint32_t count = ni_vars_count(t->vars);
        for (uint32_t i = 0; i < count; i++)
            OK(ni_variable(t->g, ni_vars_get(t->vars, i), &variables[i]));
        OK(ni_graph_gradients(t->g, loss, NI_NONE, variables, count, gradients));
        for (uint32_t i = 0; i < count; i++)
            if (ni_vars_get(t->vars, i)->kind == NI_PARAMETER)
                outputs[n++] = (ni_output){gradients[i], i};
    }
    OK(ni_program_create(&t->program, t->g, outputs, n, options));
    t->size = ni_vars_size(t->vars);
    t->values = calloc(t->size, 8);
    t->gradients = calloc(t->size, 8);
    t->images = calloc((size_t)BATCH * SIZE * SIZE * 3, 8);
    ni_vars_initialise(t->vars, t->values, dtype, 11);
    fill(t->images, dtype, (size_t)BATCH * SIZE * SIZE * 3, 1);
    for (int i = 0; i < BATCH; i++)
        t->labels[i] = i * 3 % CLASSES;
    t->labels[2] = -1;
}

static nas_status trainer_run(trainer *t, uint64_t step) {
    const void *inputs[] = {t->images, t->labels};
    void *outputs[] = {t->loss, t->right, t->logits};
    ni_run run = {inputs, t->values, t->gradients, outputs, {3, step}, true, NULL, 0};
    return ni_program_run(t->program, &run);
}

static void trainer_stop(trainer *t) {
    ni_program_free(t->program);
    ni_graph_free(t->g);
    ni_vars_free(t->vars);
    nas_context_free(t->context);
    free(t->values);
    free(t->gradients);
    free(t->images);
}

/* A plain step downhill, so that several runs are not all alike. */
static void descend(trainer *t) {
    for (size_t i = 0; i < t->size; i++) {
        if (t->dtype == NI_F64)
            ((double *)t->values)[i] -= 0.05 * ((double *)t->gradients)[i];
        else
            ((float *)t->values)[i] -= 0.05f * ((float *)t->gradients)[i];
    }
}

static void test_threads(void **state) {
    static const uint32_t threads[] = {1, 2, 3, 8};
    trainer first;
    (void)state;
    for (size_t i = 0; i < NI_COUNT(threads); i++) {
        trainer t;
        trainer_start(&t, threads[i], NI_F32, NI_TRAIN, NULL);
        for (uint64_t step = 0; step < 3; step++) {
            OK(trainer_run(&t, step));
            descend(&t);
        }
        assert_true(isfinite(first_float(t.loss)));
        if (i == 0) {
            first = t;
            continue;
        }
        assert_memory_equal(t.loss, first.loss, 4);
        assert_memory_equal(t.logits, first.logits, sizeof t.logits);
        assert_memory_equal(t.values, first.values, t.size * 4);
        assert_memory_equal(t.gradients, first.gradients, t.size * 4);
        trainer_stop(&t);
    }
    trainer_stop(&first);
}

static void compare(trainer *a, trainer *b, double tolerance) {
    double worst = 0;
    for (size_t i = 0; i < a->size; i++) {
        double x =
            a->dtype == NI_F64 ? ((double *)a->gradients)[i] : (double)((float *)a->gradients)[i];
        double y =
            b->dtype == NI_F64 ? ((double *)b->gradients)[i] : (double)((float *)b->gradients)[i];
        double apart = fabs(x - y) / (1 + fabs(x));
        if (!(apart <= worst)) worst = apart;
    }
    if (!(worst <= tolerance)) fail_msg("gradients differ by %g", worst);
}

static void test_fusion(void **state) {
    const ni_plan_options plain = {.no_fusion = 1, .isa = NAS_ISA_BEST};
    trainer a, b, single;
    (void)state;
    trainer_start(&a, 1, NI_F64, NI_TRAIN, NULL);
    trainer_start(&b, 1, NI_F64, NI_TRAIN, &plain);
    trainer_start(&single, 1, NI_F32, NI_TRAIN, NULL);
    OK(trainer_run(&a, 0));
    OK(trainer_run(&b, 0));
    OK(trainer_run(&single, 0));
    assert_true(fabs(a.loss[0] - b.loss[0]) < 1e-12);
    assert_true(a.right[0] == b.right[0]);
    compare(&a, &b, 1e-12);
    compare(&single, &a, 1e-4);
    assert_true(ni_program_peak_activations(a.program) < ni_program_peak_activations(b.program));
    trainer_stop(&a);
    trainer_stop(&b);
    trainer_stop(&single);
}

/* The less memory, the more is made again: what comes out is the same to rounding, and what is
 * taken stays below the limit. */
enum { LEAST_PERCENT = 55 };
static void test_again(void **state) {
    trainer kept;
    size_t last;
    (void)state;
    trainer_start(&kept, 2, NI_F64, NI_TRAIN, NULL);
    OK(trainer_run(&kept, 0));
    last = ni_program_bytes(kept.program);
    for (size_t percent = 95; percent >= LEAST_PERCENT; percent -= 5) {
        ni_plan_options less = {.isa = NAS_ISA_BEST};
        trainer t;
        less.memory_limit = ni_program_bytes(kept.program) / 100 * percent;
        trainer_start(&t, 2, NI_F64, NI_TRAIN, &less);
        OK(trainer_run(&t, 0));
        assert_true(ni_program_bytes(t.program) <= less.memory_limit);
        assert_true(ni_program_bytes(t.program) <= last);
        last = ni_program_bytes(t.program);
        assert_true(fabs(t.loss[0] - kept.loss[0]) < 1e-12);
        compare(&t, &kept, 1e-12);
        trainer_stop(&t);
    }
    trainer_stop(&kept);
}

/* What a program says of itself names the fusions that this network allows. */
static nas_status collect(void *user, const void *bytes, size_t n) {
    ni_text_add_n(user, bytes, n);
    return NAS_OK;
}

static void test_describe(void **state) {
    static const char *const wanted[] = {"of relu",
                                         "masked",
                                         "with relu",
                                         "added",
                                         "in place",
                                         "stem_bn",
                                         "conv_weight_gradient",
                                         "norm_sum",
                                         "bn_vectors",
                                         "lane"};
    trainer t;
    ni_text text;
    nas_sink *sink;
    (void)state;
    trainer_start(&t, 1, NI_F32, NI_TRAIN, NULL);
    ni_text_init(&text, t.context);
    OK(nas_sink_create(&sink, t.context, collect, &text));
    OK(ni_program_describe(t.program, sink));
    nas_sink_free(sink);
    for (size_t i = 0; i < NI_COUNT(wanted); i++)
        if (!strstr(ni_text_get(&text), wanted[i]))
            fail_msg("'%s' is not in the plan:\n%s", wanted[i], ni_text_get(&text));
    /* Norms of a mixed operation are scales and shifts of its sum alone, the gradient of the
     * weights is wanted or not. */
    int norms = 0;
    for (const char *line = ni_text_get(&text); line; line = strchr(line + 1, '\n')) {
        const char *end = line + 1 + strcspn(line + 1, "\n");
        const char *norm = strstr(line, "bn_normalize 'mixed"),
                   *frozen = strstr(line, "bn_normalize 'frozen"),
                   *vectors = strstr(line, ") as bn_vectors");
        if (!(norm && norm < end) && !(frozen && frozen < end)) continue;
        norms++;
        if (!vectors || vectors > end) fail_msg("a norm by itself: %.*s", (int)(end - line), line);
    }
    assert_int_equal(norms, 6);
    ni_text_free(&text);
    trainer_stop(&t);
}

static void test_steady_state(void **state) {
    nas_memory_use before = {sizeof before, 0, 0, 0, 0}, after = before;
    trainer t;
    (void)state;
    trainer_start(&t, 2, NI_F32, NI_TRAIN, NULL);
    OK(trainer_run(&t, 0)); /* threads start here */
    OK(nas_context_memory(t.context, &before));
    for (uint64_t step = 1; step < 5; step++)
        OK(trainer_run(&t, step));
    OK(nas_context_memory(t.context, &after));
    assert_int_equal(before.allocations, after.allocations);
    trainer_stop(&t);
}

/* Running statistics: PyTorch's rule from the batch's own, and not touched unless asked. */
static void test_running_statistics(void **state) {
    enum { N = 6, C = 2 };
    nas_context *context = new_context(1);
    ni_vars *vars;
    nas_graph *g;
    ni_node x, y;
    ni_program *program;
    double in[N * C], out[N * C], *values;
    const void *inputs[] = {in};
    void *outputs[] = {out};
    uint32_t mean, var;
    (void)state;
    OK(ni_vars_create(&vars, context));
    OK(ni_graph_create(&g, context, vars, NI_F64, NI_TRAIN));
    OK(ni_input(g, ni_shape4(3, 2, 1, C), NULL, &x));
    OK(nas_graph_batch_norm(g, "bn", x, 0, 1, 1e-5, 0.3, &y));
    const ni_output output = {y, NI_NONE};
    OK(ni_program_create(&program, g, &output, 1, NULL));
    values = calloc(ni_vars_size(vars), sizeof *values);
    ni_vars_initialise(vars, values, NI_F64, 1);
    assert_true(ni_vars_find(vars, "bn.running_mean", &mean));
    assert_true(ni_vars_find(vars, "bn.running_var", &var));
    double *m = values + ni_vars_get(vars, mean)->offset,
           *v = values + ni_vars_get(vars, var)->offset;
    fill(in, NI_F64, N * C, 9);
    ni_run run = {inputs, values, NULL, outputs, {0, 0}, false, NULL, 0};
    OK(ni_program_run(program, &run));
    assert_true(m[0] == 0 && v[0] == 1);
    run.update_state = true;
    OK(ni_program_run(program, &run));
    for (int c = 0; c < C; c++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < N; i++)
            sum += in[i * C + c] / N;
        for (int i = 0; i < N; i++)
            squares += (in[i * C + c] - sum) * (in[i * C + c] - sum);
        assert_true(fabs(m[c] - 0.3 * sum) < 1e-14);
        assert_true(fabs(v[c] - (0.7 + 0.3 * squares / (N - 1))) < 1e-14);
    }
    ni_program_free(program);
    ni_graph_free(g);
    ni_vars_free(vars);
    nas_context_free(context);
    free(values);
}

/* A program for evaluation reads them, and gives each image the same whatever is beside it. */
static void test_evaluation(void **state) {
    trainer t, again;
    (void)state;
    trainer_start(&t, 2, NI_F32, NI_EVAL, NULL);
    trainer_start(&again, 2, NI_F32, NI_EVAL, NULL);
    OK(trainer_run(&t, 0));
    size_t image = (size_t)SIZE * SIZE * 3 * sizeof(float);
    memset((char *)again.images + image, 0, image); /* the second image becomes another */
    OK(trainer_run(&again, 1));
    const float *a = (float *)t.logits, *b = (float *)again.logits;
    assert_memory_equal(a, b, CLASSES * sizeof *a);
    assert_true(memcmp(a + CLASSES, b + CLASSES, CLASSES * sizeof *a) != 0);
    assert_memory_equal(a + 2 * CLASSES, b + 2 * CLASSES, (BATCH - 2) * CLASSES * sizeof *a);
    trainer_stop(&t);
    trainer_stop(&again);
}

/* Results go where each run says, and nowhere else: computed there, copied there, or not asked for.
 */
static void test_outputs(void **state) {
    enum { N = 2 * 6 * 6 * 3 };
    nas_context *context = new_context(1);
    ni_vars *vars;
    nas_graph *g;
    ni_program *program;
    ni_node x, y, z;
    float images[N], a[4][N + 2], b[4][N + 2], wanted[N];
    (void)state;
    OK(ni_vars_create(&vars, context));
    OK(ni_graph_create(&g, context, vars, NI_F32, NI_EVAL));
    OK(ni_input(g, ni_shape4(2, 6, 6, 3), NULL, &x));
    OK(nas_graph_avg_pool(g, x, 3, 1, -1, &y)); /* alone in its memory; asked for twice */
    OK(nas_graph_relu(g, y, &z));               /* reads the first one after it */
    const ni_output outputs[] = {{y, NI_NONE}, {z, NI_NONE}, {y, NI_NONE}, {x, NI_NONE}};
    OK(ni_program_create(&program, g, outputs, 4, NULL));
    fill(images, NI_F32, N, 9);
    const void *inputs[] = {images};
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < N + 2; i++)
            a[k][i] = b[k][i] = 7;
    void *first[] = {a[0] + 1, a[1] + 1, a[2] + 1, a[3] + 1};
    void *second[] = {NULL, b[1] + 1, b[2] + 1, NULL};
    ni_run run = {.inputs = inputs, .outputs = first};
    OK(ni_program_run(program, &run));
    memcpy(wanted, a[1] + 1, sizeof wanted);
    memset(a[1] + 1, 0, sizeof wanted);
    run.outputs = second;
    OK(ni_program_run(program, &run));
    assert_memory_equal(b[1] + 1, wanted, sizeof wanted);
    for (int i = 0; i < N; i++) {
        assert_true(a[1][1 + i] == 0 && b[0][1 + i] == 7 && b[3][1 + i] == 7);
        assert_true(wanted[i] == (a[0][1 + i] > 0 ? a[0][1 + i] : 0));
    }
    assert_memory_equal(a[2], a[0], sizeof a[0]);
    assert_memory_equal(b[2] + 1, a[0] + 1, sizeof wanted);
    assert_memory_equal(a[3] + 1, images, sizeof images);
    for (int k = 0; k < 4; k++)
        assert_true(a[k][0] == 7 && a[k][N + 1] == 7 && b[k][0] == 7 && b[k][N + 1] == 7);
    run.outputs = NULL;
    OK(ni_program_run(program, &run));
    assert_memory_equal(b[1] + 1, wanted, sizeof wanted);
    ni_program_free(program);
    ni_graph_free(g);
    ni_vars_free(vars);
    nas_context_free(context);
}

static void test_labels(void **state) {
    trainer t;
    (void)state;
    trainer_start(&t, 1, NI_F32, NI_TRAIN, NULL);
    t.labels[4] = CLASSES;
    expect_error(t.context, trainer_run(&t, 0), NAS_E_INVALID, "label 4 is 7 and must be -1 to 6");
    t.labels[4] = -2;
    expect_error(t.context, trainer_run(&t, 0), NAS_E_INVALID, "label 4 is -2");
    for (int i = 0; i < BATCH; i++)
        t.labels[i] = -1;
    OK(trainer_run(&t, 0));
    assert_true(first_float(t.loss) == 0);
    for (size_t i = 0; i < t.size; i++)
        assert_true(((float *)t.gradients)[i] == 0);
    trainer_stop(&t);
}

static void test_memory_limit(void **state) {
    ni_plan_options options = {.isa = NAS_ISA_BEST, .memory_limit = 100000};
    nas_context *context = new_context(1);
    ni_vars *vars;
    nas_graph *g;
    ni_node x, logits, more;
    ni_program *program = NULL;
    (void)state;
    OK(ni_vars_create(&vars, context));
    OK(ni_graph_create(&g, context, vars, NI_F32, NI_TRAIN));
    OK(ni_input(g, ni_shape4(BATCH, SIZE, SIZE, 3), NULL, &x));
    OK(network(g, x, &logits));
    const ni_output output = {logits, NI_NONE};
    expect_error(context, ni_program_create(&program, g, &output, 1, &options), NAS_E_LIMIT,
                 "the limit is 100000");
    assert_null(program);
    OK(ni_relu(g, logits, 3, &more)); /* refused: the graph is not frozen */
    options.memory_limit = 100000000;
    OK(ni_program_create(&program, g, &output, 1, &options));
    assert_true(ni_program_bytes(program) < options.memory_limit);
    expect_error(context, ni_relu(g, logits, 2, &more), NAS_E_STATE, "is frozen");
    ni_program_free(program);
    ni_graph_free(g);
    ni_vars_free(vars);
    nas_context_free(context);
}

/* Dropout: the same for the same key, another for another; the kept are scaled. */
static void test_dropout(void **state) {
    nas_context *context = new_context(2);
    ni_vars *vars;
    nas_graph *g;
    ni_node x, y, z;
    ni_program *program;
    enum { N = 100000 };
    float *in = calloc(N, sizeof *in), *out = calloc(N, sizeof *out),
          *again = calloc(N, sizeof *again);
    const void *inputs[] = {in};
    void *outputs[] = {out, again};
    ni_run run = {inputs, NULL, NULL, outputs, {1, 2}, false, NULL, 0};
    (void)state;
    OK(ni_vars_create(&vars, context));
    OK(ni_graph_create(&g, context, vars, NI_F32, NI_TRAIN));
    OK(ni_input(g, ni_shape4(10, 100, 100, 1), NULL, &x));
    OK(ni_dropout(g, x, 0.25, false, &y));
    OK(ni_dropout(g, x, 0.25, true, &z));
    const ni_output wanted[] = {{y, NI_NONE}, {z, NI_NONE}};
    OK(ni_program_create(&program, g, wanted, 2, NULL));
    for (int i = 0; i < N; i++)
        in[i] = 1;
    OK(ni_program_run(program, &run));
    int kept = 0;
    for (int i = 0; i < N; i++) {
        assert_true(out[i] == 0 || fabsf(out[i] - 4.0f / 3) < 1e-6f);
        assert_true(again[i] == again[i / 10000 * 10000]); /* an image is dropped whole */
        kept += out[i] != 0;
    }
    assert_true(abs(kept - 75000) < 1000);
    memcpy(again, out, N * sizeof *out);
    outputs[1] = NULL;
    OK(ni_program_run(program, &run));
    assert_memory_equal(again, out, N * sizeof *out);
    run.random_key[1] = 3;
    OK(ni_program_run(program, &run));
    assert_true(memcmp(again, out, N * sizeof *out) != 0);
    ni_program_free(program);
    ni_graph_free(g);
    ni_vars_free(vars);
    nas_context_free(context);
    free(in);
    free(out);
    free(again);
}

/* ---- every allocation fails in turn ------------------------------------------------------- */

typedef struct {
    int64_t until_failure; /* allocations that still work */
    int64_t held;
} failing;

static void *failing_allocate(void *user, size_t bytes) {
    failing *f = user;
    if (f->until_failure-- <= 0) return NULL;
    void *block = malloc(bytes);
    f->held += block != NULL;
    return block;
}

static void *failing_reallocate(void *user, void *old, size_t old_bytes, size_t bytes) {
    failing *f = user;
    (void)old_bytes;
    if (f->until_failure-- <= 0) return NULL;
    void *block = realloc(old, bytes);
    f->held += block && !old;
    return block;
}

static void failing_release(void *user, void *old, size_t old_bytes) {
    failing *f = user;
    (void)old_bytes;
    f->held -= old != NULL;
    free(old);
}

static nas_status whole_life(nas_context *context) {
    ni_vars *vars = NULL;
    nas_graph *g = NULL;
    ni_program *program = NULL;
    ni_node x, labels, logits, loss, variables[64], gradients[64];
    ni_output outputs[64];
    uint32_t n = 0;
    nas_status status;
    NI_GOTO(done, ni_vars_create(&vars, context));
    NI_GOTO(done, ni_graph_create(&g, context, vars, NI_F32, NI_TRAIN));
    NI_GOTO(done, ni_input(g, ni_shape4(2, 8, 8, 3), NULL, &x));
    NI_GOTO(done, ni_input_labels(g, 2, NULL, &labels));
    NI_GOTO(done, ni_graph_scope(g, "net."));
    NI_GOTO(done, network(g, x, &logits));
    NI_GOTO(done, ni_cross_entropy(g, logits, labels, 0.1, &loss));
    for (; n < ni_vars_count(vars); n++)
        NI_GOTO(done, ni_variable(g, ni_vars_get(vars, n), &variables[n]));
    NI_GOTO(done, ni_graph_gradients(g, loss, NI_NONE, variables, n, gradients));
    for (uint32_t i = 0; i < n; i++)
        outputs[i] = (ni_output){gradients[i], i};
    NI_GOTO(done, ni_program_create(&program, g, outputs, n, NULL));
done:
    ni_program_free(program);
    ni_graph_free(g);
    ni_vars_free(vars);
    return status;
}

static void test_allocation_failures(void **state) {
    failing f = {0, 0};
    const nas_allocator allocator = {sizeof allocator, 0, &f, failing_allocate, failing_reallocate,
                                     failing_release};
    nas_status status = NAS_E_MEMORY;
    int64_t tried = 0;
    (void)state;
    for (; status != NAS_OK; tried++) {
        nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
        nas_context *context;
        options.threads = 1;
        options.allocator = &allocator;
        f.until_failure = INT32_MAX;
        OK(nas_context_create(&context, &options));
        f.until_failure = tried;
        status = whole_life(context);
        if (status != NAS_OK && status != NAS_E_MEMORY)
            fail_msg("allocation %d: %s", (int)tried, nas_context_error(context));
        f.until_failure = INT32_MAX;
        nas_context_free(context);
        assert_int_equal(f.held, 0);
    }
    assert_true(tried > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_fusion),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_steady_state),
        cmocka_unit_test(test_running_statistics),
        cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
