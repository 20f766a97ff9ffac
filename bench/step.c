/* Training steps, timed: see step.h. */
#include <sys/resource.h>
#include "step.h"

size_t bench_memory_limit;

typedef struct {
    const ni_kernels *kernels;
    float *values, *gradients, *momentum;
    size_t n;
    uint32_t pieces;
    bool first;
} sgd_step;

static void sgd_piece(void *user, uint32_t piece, uint32_t lane) {
    sgd_step *s = user;
    (void)lane;
    s->kernels->sgd(s->values, s->gradients, s->momentum, 0.01, 0.9, 5e-4, true, s->first, 1,
                    (int64_t)(s->n * piece / s->pieces), (int64_t)(s->n * (piece + 1) / s->pieces));
}

static char *plan_text(nas_context *context, const ni_program *program, nas_sink **sink) {
    size_t length;
    check(context, nas_sink_memory(sink, context));
    check(context, ni_program_describe(program, *sink));
    return strdup(nas_sink_data(*sink, &length));
}

/* The kind of a step, from the plan's line "  12 node 34 (conv 'label', shape) as conv_masked <-
 * ...".
 */
static void kind_of(const char *line, char *kind, size_t capacity) {
    const char *end = line + strcspn(line, "\n"), *as = strstr(line, ") as "),
               *open = strchr(line, '(');
    const char *from = as && as < end ? as + 5 : open && open < end ? open + 1 : line;
    size_t n = strcspn(from, " ,;\n");
    if (n >= capacity) n = capacity - 1;
    memcpy(kind, from, n);
    kind[n] = 0;
}

static void print_profile(const char *plan, const double *seconds, uint32_t n, int runs) {
    enum { KINDS = 64 };
    char kinds[KINDS][40];
    double sums[KINDS] = {0}, all = 0;
    int count = 0;
    const char *line = strchr(plan, '\n') + 1;
    for (uint32_t i = 0; i < n && line && *line; i++) {
        char kind[40];
        int k = 0, length = (int)strcspn(line, "\n");
        printf("%8.3f ms %.*s\n", 1e3 * seconds[i] / runs, length, line);
        kind_of(line, kind, sizeof kind);
        while (k < count && strcmp(kinds[k], kind) != 0)
            k++;
        if (k == count && count < KINDS) strcpy(kinds[count++], kind);
        if (k < KINDS) sums[k] += seconds[i];
        all += seconds[i];
        line += length + 1;
    }
    for (int k = 0; k < count; k++)
        printf("%8.3f ms %5.1f %%  %s\n", 1e3 * sums[k] / runs, 100 * sums[k] / all, kinds[k]);
    printf("%8.3f ms in all\n", 1e3 * all / runs);
}

nas_context *bench_context(const char *threads, const char *isa) {
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    nas_context *context;
    options.threads = (uint32_t)atoi(threads);
    for (int32_t i = NAS_ISA_GENERIC; i <= NAS_ISA_NEON; i++)
        if (strcmp(isa, nas_isa_name(i)) == 0) options.isa = i;
    if (nas_context_create(&context, &options) >= 0) return context;
    fprintf(stderr, "bench: no context for %s threads and the instruction set %s\n", threads, isa);
    exit(1);
}

void bench_steps(nas_context *context, const ni_net *net, int64_t batch) {
    ni_vars *vars;
    ni_step_graph graph;
    check(context, ni_vars_create(&vars, context));
    check(context, ni_training_graph(&graph, context, vars, net, batch, 0));
    ni_shape shape = ni_shape4(batch, net->height, net->width, net->channels);
    void **results = calloc(graph.n_outputs, sizeof *results);
    if (!results) exit(1);
    const ni_plan_options plan = {.memory_limit = bench_memory_limit};
    ni_program *program;
    check(context, ni_program_create(&program, graph.graph, graph.outputs, graph.n_outputs, &plan));

    size_t size = ni_vars_size(vars), pixels = (size_t)ni_shape_count(shape);
    float *values = ni_alloc_aligned(context, size * 4),
          *grads = ni_alloc_aligned(context, size * 4);
    float *momentum = ni_alloc_aligned(context, size * 4);
    float *x = ni_alloc_aligned(context, pixels * 4);
    int32_t *y = ni_alloc(context, (size_t)batch * 4);
    if (!values || !grads || !momentum || !x || !y) exit(1);
    memset(grads, 0, size * 4);
    memset(momentum, 0, size * 4);
    ni_vars_initialise(vars, values, NI_F32, 1);
    nas_random random;
    ni_random_init(&random, 1, 0, "bench");
    ni_random_fill_normal(&random, x, pixels, 0, 1);
    for (int64_t i = 0; i < batch; i++)
        y[i] = (int32_t)(i % net->classes);
    ni_kernels kernels;
    ni_kernels_get(&kernels, NI_F32, nas_context_isa(context));

    printf("ready isa=%s threads=%u params=%lld macs=%lld bytes=%zu\n",
           nas_isa_name(nas_context_isa(context)), nas_context_threads(context),
           (long long)ni_vars_parameters(vars), (long long)ni_graph_macs(graph.graph, graph.logits),
           ni_program_bytes(program));
    fflush(stdout);
    float value = 0;
    const void *inputs[2];
    inputs[graph.image_input] = x;
    inputs[graph.label_input] = y;
    results[0] = &value;
    sgd_step step = {&kernels, values, grads, momentum, size, 8, true};
    nas_sink *sink = NULL;
    char *text = plan_text(context, program, &sink);
    double *seconds = calloc(ni_program_steps(program) + 1u, sizeof *seconds);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        int count = 0;
        bool profile = sscanf(line, "profile %d", &count) == 1;
        if (strncmp(line, "plan", 4) == 0) {
            fputs(text, stdout);
        } else if (strncmp(line, "memory", 6) == 0) {
            struct rusage use;
            getrusage(RUSAGE_SELF, &use);
            printf("%lld\n", (long long)use.ru_maxrss * 1024);
        } else if (!profile && sscanf(line, "run %d", &count) != 1) {
            break;
        }
        for (int i = 0; i < count; i++) {
            double start = ni_clock();
            const ni_run run = {.inputs = inputs,
                                .values = values,
                                .gradients = grads,
                                .outputs = results,
                                .random_key = {1, 1},
                                .update_state = true,
                                .seconds = profile ? seconds : NULL};
            check(context, ni_program_run(program, &run));
            ni_parallel(context, step.pieces, sgd_piece, &step);
            step.first = false;
            printf("%.6f%c", ni_clock() - start, i + 1 < count ? ' ' : '\n');
        }
        if (profile) {
            print_profile(text, seconds, ni_program_steps(program), count);
            memset(seconds, 0, ni_program_steps(program) * sizeof *seconds);
        }
        fflush(stdout);
    }
    fprintf(stderr, "loss %f\n", (double)value);
    free(seconds);
    free(text);
    nas_sink_free(sink);
    ni_program_free(program);
    ni_step_graph_free(&graph);
    ni_vars_free(vars);
    ni_free(context, values);
    ni_free(context, grads);
    ni_free(context, momentum);
    ni_free(context, x);
    ni_free(context, y);
    free(results);
}

void bench_logits(nas_context *context, const ni_net *net, int64_t batch) {
    ni_vars *vars;
    ni_predictor *predictor;
    nas_graph *graph;
    ni_node x, y;
    uint32_t number;
    const ni_shape shape = ni_shape4(batch, net->height, net->width, net->channels);
    const size_t pixels = (size_t)ni_shape_count(shape);
    check(context, ni_vars_create(&vars, context));
    check(context, ni_graph_create(&graph, context, vars, NI_F32, NI_EVAL));
    check(context, ni_input(graph, shape, &number, &x));
    check(context, net->build(net->user, graph, x, &y));
    float *values = ni_alloc_aligned(context, ni_vars_size(vars) * sizeof(float));
    float *images = ni_alloc_aligned(context, pixels * sizeof(float));
    float *logits = ni_alloc_aligned(context, (size_t)(batch * net->classes) * sizeof(float));
    if (!values || !images || !logits) exit(1);
    ni_vars_initialise(vars, values, NI_F32, 1);
    nas_random random;
    ni_random_init(&random, 1, 0, "bench");
    ni_random_fill_normal(&random, images, pixels, 0, 1);
    check(context, ni_predictor_create(&predictor, context, net, vars, values));
    for (int i = 0; i < 5; i++)
        check(context, ni_predictor_run(predictor, images, batch, logits));

    /* the plan, and its own times, of a second program: the predictor's is its own */
    const ni_output output = {y, NI_NONE};
    const ni_plan_options options = {.frozen = 1};
    ni_program *program;
    nas_sink *sink = NULL;
    check(context, ni_program_create(&program, graph, &output, 1, &options));
    char *text = plan_text(context, program, &sink), line[64];
    double *seconds = calloc(ni_program_steps(program) + 1u, sizeof *seconds);
    printf("ready isa=%s threads=%u params=%lld macs=%lld\n",
           nas_isa_name(nas_context_isa(context)), nas_context_threads(context),
           (long long)ni_vars_parameters(vars), (long long)ni_graph_macs(graph, y));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        int count = 0;
        bool profile = sscanf(line, "profile %d", &count) == 1;
        if (strncmp(line, "plan", 4) == 0)
            fputs(text, stdout);
        else if (!profile && sscanf(line, "run %d", &count) != 1)
            break;
        for (int i = 0; i < count; i++) {
            const void *inputs[] = {images};
            void *outputs[] = {logits};
            const ni_run run = {
                .inputs = inputs, .values = values, .outputs = outputs, .seconds = seconds};
            double start = ni_clock();
            if (profile)
                check(context, ni_program_run(program, &run));
            else
                check(context, ni_predictor_run(predictor, images, batch, logits));
            printf("%.7f%c", ni_clock() - start, i + 1 < count ? ' ' : '\n');
        }
        if (profile) {
            print_profile(text, seconds, ni_program_steps(program), count);
            memset(seconds, 0, ni_program_steps(program) * sizeof *seconds);
        }
        fflush(stdout);
    }
    free(seconds);
    free(text);
    nas_sink_free(sink);
    ni_program_free(program);
    ni_graph_free(graph);
    ni_predictor_free(predictor);
    ni_vars_free(vars);
    ni_free(context, values);
    ni_free(context, images);
    ni_free(context, logits);
}
