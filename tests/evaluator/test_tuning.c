/* Which way convolutions go: the fixed model, which is a function of shape and instruction set
 * alone; and tables that were measured: what they change, their text, their hash in a store. */
#include "search/fixture.h"
#include "evaluator/evaluator.h"
#include "graph/tuning.h"
#include "ni_config.h"

static const char text[] =
    "space: tuned\n"
    "parameters: {channels: 8}\n"
    "network: {image: {height: 8, width: 8, channels: 1, classes: 2}, stem: {channels: $channels}, "
    "stages: 2, cells: 1}\n"
    "cell: {nodes: 3, operations: [skip_connect, nor_conv_1x1, nor_conv_3x3]}\n";

static nas_space *open_space(nas_context *context) {
    nas_space *space;
    MUST(context, nas_space_parse(&space, context, text, sizeof text - 1, "tuned", NULL, 0));
    return space;
}

static nas_dataset *open_data(nas_context *context) {
    enum { N = 60, TEST = 20, PIXELS = 64 };
    static uint8_t pixels[N + TEST][PIXELS];
    static int32_t labels[N + TEST];
    for (int i = 0; i < N + TEST; i++) {
        labels[i] = i % 2;
        for (int p = 0; p < PIXELS; p++)
            pixels[i][p] = (uint8_t)((p / 32 == i % 2 ? 180 : 20) + (i * 7 + p * 11) % 60);
    }
    nas_dataset_arrays a = {.struct_size = sizeof a,
                            .n_train = N,
                            .n_test = TEST,
                            .height = 8,
                            .width = 8,
                            .channels = 1,
                            .classes = 2,
                            .train_bytes = pixels[0],
                            .train_labels = labels,
                            .test_bytes = pixels[N],
                            .test_labels = labels + N};
    nas_dataset_options o = NAS_DATASET_OPTIONS_INIT;
    nas_dataset *data;
    o.validation = 20;
    MUST(context, nas_dataset_from_arrays(&data, context, &a, &o));
    return data;
}

/* A machine, or a build, without a second way. */
static bool one_way(nas_context *context) {
    return !NI_WITH_BLIS || nas_context_isa(context) == NAS_ISA_GENERIC;
}
#define NEEDS_TWO_WAYS(context)                                                                    \
    do {                                                                                           \
        if (one_way(context)) {                                                                    \
            print_message("skipped: convolutions go one way alone here\n");                        \
            nas_context_free(context);                                                             \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/* A table of all that the network's training and measuring has, each choice as the model's or the
 * other way: no measuring, so that tests know what is in it. */
static nas_tuning *make_table(const nas_arch *arch, bool other_way) {
    nas_context *context = ni_space_context(nas_arch_space(arch));
    nas_tuning *tuning;
    ni_arch_net build;
    ni_net net;
    ni_vars *vars;
    const ni_plan_options plan = {.plan_only = 1, .isa = NAS_ISA_BEST};
    MUST(context, ni_tuning_create(&tuning, context));
    MUST(context, ni_arch_network(&net, &build, arch, 0));
    MUST(context, ni_vars_create(&vars, context));
    for (int training = 0; training < 2; training++) {
        ni_step_graph step = {0};
        ni_program *program;
        MUST(context, training ? ni_training_graph(&step, context, vars, &net, 16, 0)
                               : ni_measuring_graph(&step, context, vars, &net, 16));
        MUST(context, ni_program_create(&program, step.graph, step.outputs, step.n_outputs, &plan));
        MUST(context, ni_program_tune(program, tuning));
        ni_program_free(program);
        ni_step_graph_free(&step);
    }
    ni_vars_free(vars);
    for (size_t i = 0; other_way && i < tuning->entries.n; i++) {
        ni_way *way = &tuning->entries.items[i].way;
        *way = *way == NI_OWN ? NI_BLIS : NI_OWN;
    }
    return tuning;
}

static char *text_of(nas_context *context, const nas_tuning *tuning) {
    nas_sink *sink;
    size_t n;
    MUST(context, nas_sink_memory(&sink, context));
    MUST(context, nas_tuning_write(tuning, sink));
    const char *data = nas_sink_data(sink, &n);
    char *copy = malloc(n + 1);
    assert_non_null(copy);
    memcpy(copy, data, n + 1);
    nas_sink_free(sink);
    return copy;
}

static const char arch_text[] = "1<-0=nor_conv_3x3 2<-0=nor_conv_1x1 2<-1=nor_conv_3x3";

typedef struct {
    nas_context *context;
    nas_space *space;
    nas_arch *arch;
} rig;
static bool open_rig(rig *r, uint32_t threads) {
    nas_context_options o = NAS_CONTEXT_OPTIONS_INIT;
    memset(r, 0, sizeof *r);
    o.threads = threads;
    assert_int_equal(nas_context_create(&r->context, &o), NAS_OK);
    if (one_way(r->context)) return false;
    r->space = open_space(r->context);
    MUST(r->context, nas_arch_parse(&r->arch, r->space, arch_text));
    return true;
}
static void close_rig(rig *r) {
    nas_arch_free(r->arch);
    nas_space_free(r->space);
    nas_context_free(r->context);
}
#define OPEN(r, threads)                                                                           \
    do {                                                                                           \
        if (!open_rig(r, threads)) NEEDS_TWO_WAYS((r)->context);                                   \
    } while (0)

/* ---- the model ---------------------------------------------------------------------------------
 */

static void test_model(void **state) {
    static const int32_t sets[] = {NAS_ISA_GENERIC, NAS_ISA_AVX2, NAS_ISA_AVX512, NAS_ISA_NEON};
    static const struct {
        int32_t image, ci, co, k, stride, groups;
        ni_way weights; /* by AVX2, where there is BLIS */
    } shapes[] = {
        {32, 16, 16, 3, 1, 1, NI_OWN},    {8, 64, 64, 3, 1, 1, NI_OWN},
        {8, 64, 64, 1, 1, 1, NI_OWN},     {8, 256, 256, 1, 1, 1, NI_OWN},
        {8, 512, 512, 1, 1, 1, NI_BLIS},  {8, 256, 512, 1, 2, 1, NI_BLIS},
        {4, 512, 512, 3, 1, 1, NI_BLIS},  {8, 256, 256, 3, 1, 1, NI_OWN},
        {8, 512, 512, 3, 1, 512, NI_OWN}, {8, 1024, 1024, 3, 1, 2, NI_OWN},
    };
    (void)state;
    for (size_t i = 0; i < NI_COUNT(shapes); i++) {
        const int32_t image = shapes[i].image, k = shapes[i].k, pad = (k - 1) / 2,
                      out = (image + 2 * pad - k) / shapes[i].stride + 1;
        ni_conv c = {64,
                     image,
                     image,
                     shapes[i].ci,
                     out,
                     out,
                     shapes[i].co,
                     k,
                     k,
                     shapes[i].stride,
                     shapes[i].stride,
                     pad,
                     pad,
                     1,
                     1,
                     shapes[i].groups};
        for (size_t s = 0; s < NI_COUNT(sets); s++)
            for (int what = 0; what < 3; what++) {
                const ni_way way = ni_choose_conv(&c, what, sets[s]);
                const bool blis = NI_WITH_BLIS && sets[s] == NAS_ISA_AVX2 && what == 2 &&
                                  shapes[i].weights == NI_BLIS;
                assert_int_equal(way, blis ? NI_BLIS : NI_OWN);
                /* whatever the batch */
                for (c.n = 1; c.n <= 512; c.n *= 8)
                    assert_int_equal(ni_choose_conv(&c, what, sets[s]), way);
                c.n = 64;
                assert_int_equal(ni_tuning_way(NULL, &c, what, sets[s]), way);
            }
    }
    assert_int_equal(ni_choose_matmul(NAS_ISA_GENERIC), NI_OWN);
    assert_int_equal(ni_choose_matmul(NAS_ISA_AVX2), NI_WITH_BLIS ? NI_BLIS : NI_OWN);
}

/* ---- what a table changes ----------------------------------------------------------------------
 */

static uint32_t by_blis(nas_context *context, const nas_arch *arch, const nas_tuning *tuning,
                        uint32_t *convolutions) {
    nas_plan_options o = NAS_PLAN_OPTIONS_INIT;
    nas_sink *sink;
    size_t n;
    uint32_t found = 0;
    o.tuning = tuning;
    *convolutions = 0;
    MUST(context, nas_sink_memory(&sink, context));
    MUST(context, nas_arch_plan(arch, &o, NULL, sink));
    char *copy = strdup(nas_sink_data(sink, &n));
    assert_non_null(copy);
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
        if (strstr(line, "(matmul") || !strstr(line, " macs")) continue;
        ++*convolutions;
        found += strstr(line, ", by BLIS") != NULL;
    }
    free(copy);
    nas_sink_free(sink);
    return found;
}

static void test_plan(void **state) {
    rig r;
    uint32_t all, blis;
    (void)state;
    OPEN(&r, 1);
    nas_tuning *same = make_table(r.arch, false), *other = make_table(r.arch, true);
    assert_int_equal(by_blis(r.context, r.arch, NULL, &all), 0);
    assert_true(all >= 8);
    assert_int_equal(by_blis(r.context, r.arch, same, &all), 0);
    /* all but the input gradient of a strided one, which has one way */
    const uint32_t there = by_blis(r.context, r.arch, other, &all);
    assert_true(there >= 8 && there < all);
    assert_true(nas_tuning_count(other, &blis) == blis && blis > 0);
    assert_true(nas_tuning_count(same, &blis) > 0 && blis == 0);
    assert_true(nas_tuning_hash(same) != nas_tuning_hash(other));
    /* shapes that it has not go by the model */
    nas_tuning *none;
    MUST(r.context, ni_tuning_create(&none, r.context));
    assert_int_equal(by_blis(r.context, r.arch, none, &all), 0);
    nas_tuning_free(none), nas_tuning_free(same), nas_tuning_free(other);
    close_rig(&r);
}

/* One epoch; the weights. The caller frees them. */
static float *train(uint32_t threads, int table, size_t *n, double *loss) {
    rig r;
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    nas_metrics metrics = {.struct_size = sizeof metrics};
    nas_tensor_info info;
    nas_model *model;
    assert_true(open_rig(&r, threads));
    nas_dataset *data = open_data(r.context);
    nas_tuning *tuning = table < 0 ? NULL : make_table(r.arch, table == 1);
    o.epochs = 1;
    o.batch = 10;
    o.learning_rate = 0.01;
    o.tuning = tuning;
    MUST(r.context, nas_model_create(&model, r.arch, 3));
    MUST(r.context, nas_model_train(model, data, &o, NULL, NULL));
    MUST(r.context, nas_model_evaluate(model, data, NAS_SPLIT_TEST, &metrics));
    *loss = metrics.loss;
    *n = 0;
    float *all = NULL;
    for (uint32_t i = 0; nas_model_tensor(model, i, &info) == NAS_OK; i++) {
        size_t count = 1;
        for (uint32_t d = 0; d < info.dimensions; d++)
            count *= (size_t)info.shape[d];
        all = realloc(all, (*n + count) * sizeof *all);
        assert_non_null(all);
        MUST(r.context, nas_model_read_tensor(model, info.name, all + *n, count));
        *n += count;
    }
    nas_model_free(model);
    nas_tuning_free(tuning);
    nas_dataset_free(data);
    close_rig(&r);
    return all;
}

static void test_training(void **state) {
    static const uint32_t threads[] = {2, 3, 8};
    rig r;
    size_t n, m;
    double loss[2];
    (void)state;
    OPEN(&r, 1);
    close_rig(&r);
    float *model = train(1, -1, &n, &loss[0]), *same = train(1, 0, &m, &loss[1]);
    assert_true(n == m && memcmp(model, same, n * sizeof *model) == 0);
    float *other = train(1, 1, &m, &loss[1]);
    double far = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        far += ((double)other[i] - (double)model[i]) * ((double)other[i] - (double)model[i]);
        size += (double)model[i] * (double)model[i];
    }
    assert_true(far > 0); /* it went the other way */
    if (sqrt(far / size) > 1e-4 || fabs(loss[0] - loss[1]) > 1e-3)
        fail_msg("the other way's weights are %g off, losses %g and %g", sqrt(far / size), loss[0],
                 loss[1]);
    for (size_t t = 0; t < NI_COUNT(threads); t++) {
        double also;
        float *again = train(threads[t], 1, &m, &also);
        if (memcmp(again, other, n * sizeof *other) != 0 ||
            memcmp(&also, &loss[1], sizeof also) != 0)
            fail_msg("other bits by %u threads", threads[t]);
        free(again);
    }
    free(model), free(same), free(other);
}

/* ---- measured, written, read -------------------------------------------------------------------
 */

static nas_status parse(nas_context *context, const char *table, size_t n) {
    nas_tuning *tuning = NULL;
    nas_status status = nas_tuning_parse(&tuning, context, table, n, "some.txt");
    if (status < 0) assert_null(tuning);
    nas_tuning_free(tuning);
    return status;
}

static void test_measured(void **state) {
    rig r;
    uint32_t blis, again_blis;
    (void)state;
    OPEN(&r, 1);
    nas_tuning *tuning, *again, *listed = make_table(r.arch, false);
    const nas_arch *archs[] = {r.arch, r.arch};
    MUST(r.context, nas_tuning_measure(&tuning, r.context, archs, 2));
    assert_int_equal(nas_tuning_count(tuning, &blis), nas_tuning_count(listed, &again_blis));
    for (size_t i = 0; i < tuning->entries.n; i++) {
        const ni_tuning_entry *e = &tuning->entries.items[i];
        assert_true(e->seconds[NI_OWN] > 0 && e->seconds[NI_BLIS] > 0);
        assert_memory_equal(&e->key, &listed->entries.items[i].key, sizeof e->key);
    }
    char *first = text_of(r.context, tuning), *second;
    MUST(r.context, nas_tuning_parse(&again, r.context, first, strlen(first), "some.txt"));
    assert_true(nas_tuning_hash(again) == nas_tuning_hash(tuning));
    second = text_of(r.context, again);
    assert_string_equal(first, second);
    assert_int_equal(by_blis(r.context, r.arch, again, &again_blis),
                     by_blis(r.context, r.arch, tuning, &again_blis));
    /* as a file */
    char folder[256], path[300];
    folder_begin(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/table", folder);
    FAILS(r.context, NAS_E_NOT_FOUND, path, nas_tuning_load(&again, r.context, path));
    nas_tuning_free(again);
    MUST(r.context, ni_file_write(r.context, path, first, strlen(first)));
    MUST(r.context, nas_tuning_load(&again, r.context, path));
    assert_true(nas_tuning_hash(again) == nas_tuning_hash(tuning));
    MUST(r.context, ni_file_write(r.context, path, first, strlen(first) / 2));
    nas_tuning *none = NULL;
    FAILS(r.context, NAS_E_CORRUPT, "/table: the table was cut off after line",
          nas_tuning_load(&none, r.context, path));
    folder_end(folder);
    FAILS(r.context, NAS_E_INVALID, "at least one", nas_tuning_measure(&none, r.context, NULL, 0));
    archs[1] = NULL;
    FAILS(r.context, NAS_E_INVALID, "architecture 1 is NULL",
          nas_tuning_measure(&none, r.context, archs, 2));
    assert_null(none);
    nas_tuning_free(tuning), nas_tuning_free(again), nas_tuning_free(listed);
    free(first), free(second);
    close_rig(&r);
}

/* The text with the first `from` in it replaced. */
static char *with(const char *table, const char *from, const char *to) {
    const char *at = strstr(table, from);
    assert_non_null(at);
    char *out = malloc(strlen(table) + strlen(to) + 1);
    assert_non_null(out);
    memcpy(out, table, (size_t)(at - table));
    strcpy(out + (at - table), to);
    strcat(out, at + strlen(from));
    return out;
}

static void expect(nas_context *context, char *table, nas_status status, const char *words) {
    FAILS(context, status, words, parse(context, table, strlen(table)));
    assert_null(strchr(nas_context_error(context), '\n'));
    free(table);
}

static void test_broken(void **state) {
    rig r;
    (void)state;
    OPEN(&r, 1);
    nas_context *c = r.context;
    nas_tuning *tuning = make_table(r.arch, true);
    char *good = text_of(c, tuning), words[80];
    const size_t n = strlen(good);
    assert_int_equal(parse(c, good, n), NAS_OK);
    for (size_t cut = 0; cut < n; cut++) {
        nas_status status = parse(c, good, cut);
        if (status != NAS_E_CORRUPT && status != NAS_E_SYNTAX)
            fail_msg("%d of %d bytes: %s", (int)cut, (int)n, nas_status_name(status));
        assert_non_null(strstr(nas_context_error(c), "some.txt:"));
    }
    /* any byte another one: refused, or a time that no choice rests on, or a blank between */
    for (size_t at = 0; at < n; at++) {
        const char was = good[at];
        nas_tuning *read = NULL;
        good[at] = (char)(was ^ 0x11);
        nas_status status = nas_tuning_parse(&read, c, good, n, "some.txt");
        if (status >= 0) assert_true(nas_tuning_hash(read) == nas_tuning_hash(tuning));
        nas_tuning_free(read);
        good[at] = was;
    }
    expect(c, with(good, "libnas-tuning 1", "libnas-tuning 2"), NAS_E_VERSION,
           "some.txt: a tuning table of version 2; this library reads 1");
    expect(c, with(good, "libnas-tuning", "<html>"), NAS_E_SYNTAX, "not a tuning table");
    expect(c, with(good, nas_isa_name(nas_context_isa(c)), "vax"), NAS_E_UNSUPPORTED,
           "the table was measured for vax and this context computes by");
    expect(c, with(good, "isa ", "asi "), NAS_E_SYNTAX, "some.txt:2: ");
    expect(c, with(good, " blis ", " own "), NAS_E_CORRUPT, "its hash is not");
    expect(c, with(good, " blis ", " mkl "), NAS_E_SYNTAX, "some.txt:3: not a pass");
    expect(c, with(good, "\nforward ", "\nbackward "), NAS_E_SYNTAX, "some.txt:3: not a pass");
    expect(c, with(good, "\nforward ", "\nforward 0 "), NAS_E_SYNTAX, "some.txt:3: not a pass");
    expect(c, with(good, "\nforward 4", "\nforward -4"), NAS_E_SYNTAX, "some.txt:3: not a pass");
    expect(c, with(good, "\nforward 4", "\nforward 99999999999999999999"), NAS_E_SYNTAX,
           "some.txt:3: not a pass");
    expect(c, with(good, "\nhash ", "\nhash 0"), NAS_E_CORRUPT, "its hash is not");
    char *line = strdup(strchr(strchr(good, '\n') + 1, '\n') + 1);
    *(strchr(line, '\n') + 1) = 0;
    char *twice = malloc(2 * strlen(line) + 1);
    strcpy(twice, line), strcat(twice, line);
    expect(c, with(good, line, twice), NAS_E_SYNTAX, "some.txt:4: that convolution was there");
    char *longer = malloc(n + strlen(line) + 1);
    strcpy(longer, good), strcat(longer, line);
    snprintf(words, sizeof words, "nothing comes behind the hash");
    expect(c, longer, NAS_E_SYNTAX, words);
    free(line), free(twice), free(good);
    /* of another context */
    rig s;
    nas_plan_options o = NAS_PLAN_OPTIONS_INIT;
    nas_train_options t = NAS_TRAIN_OPTIONS_INIT;
    nas_evaluator *evaluator = NULL;
    assert_true(open_rig(&s, 1));
    o.tuning = t.tuning = tuning;
    FAILS(s.context, NAS_E_INVALID, "belongs to another context",
          nas_arch_plan(s.arch, &o, NULL, NULL));
    FAILS(s.context, NAS_E_INVALID, "belongs to another context",
          nas_evaluator_train(&evaluator, s.context, &t));
    close_rig(&s);
    nas_tuning_free(tuning);
    close_rig(&r);
}

/* Where there is one way there is nothing to measure. */
static void test_one_way(void **state) {
    nas_context_options o = NAS_CONTEXT_OPTIONS_INIT;
    nas_context *context;
    nas_tuning *tuning = NULL;
    nas_arch *arch;
    (void)state;
    o.isa = NAS_ISA_GENERIC;
    o.threads = 1;
    assert_int_equal(nas_context_create(&context, &o), NAS_OK);
    nas_space *space = open_space(context);
    MUST(context, nas_arch_parse(&arch, space, arch_text));
    const nas_arch *archs[] = {arch};
    FAILS(context, NAS_E_UNSUPPORTED, "one way alone",
          nas_tuning_measure(&tuning, context, archs, 1));
    FAILS(context, NAS_E_UNSUPPORTED, "one way alone",
          nas_tuning_parse(&tuning, context, "", 0, NULL));
    assert_null(tuning);
    nas_arch_free(arch);
    nas_space_free(space);
    nas_context_free(context);
}

/* ---- allocations that fail ---------------------------------------------------------------------
 */

/* All of it but the measuring of many shapes, which takes time: one of them is listed. */
static nas_status use(nas_context *context, const char *table) {
    nas_space *space = NULL;
    nas_arch *arch = NULL;
    nas_tuning *tuning = NULL, *measured = NULL;
    nas_sink *sink = NULL;
    nas_plan_options o = NAS_PLAN_OPTIONS_INIT;
    const ni_conv small = {1, 4, 4, 8, 4, 4, 8, 1, 1, 1, 1, 0, 0, 1, 1, 1};
    nas_status status = nas_space_parse(&space, context, text, sizeof text - 1, "tuned", NULL, 0);
    if (status >= 0) status = nas_arch_parse(&arch, space, arch_text);
    if (status >= 0) status = nas_tuning_parse(&tuning, context, table, strlen(table), "t");
    if (status >= 0) status = nas_sink_memory(&sink, context);
    if (status >= 0) status = nas_tuning_write(tuning, sink);
    o.tuning = tuning;
    if (status >= 0) status = nas_arch_plan(arch, &o, NULL, sink);
    if (status >= 0) status = ni_tuning_create(&measured, context);
    if (status >= 0) status = ni_tuning_add(measured, &small, 0);
    if (status >= 0) status = ni_tuning_time(measured);
    nas_sink_free(sink);
    nas_tuning_free(measured);
    nas_tuning_free(tuning);
    nas_arch_free(arch);
    nas_space_free(space);
    return status;
}

static void test_memory(void **state) {
    rig r;
    (void)state;
    OPEN(&r, 1);
    nas_tuning *tuning = make_table(r.arch, true);
    char *table = text_of(r.context, tuning);
    long long failing = 0;
    bool done = false;
    for (long long at = 1; !done; at++) {
        test_allocator heap = TEST_ALLOCATOR_INIT;
        nas_context *context = make_context(&heap, 1);
        heap.fail_at = heap.calls + at;
        nas_status status = use(context, table);
        done = heap.failed == 0;
        if (done)
            MUST(context, status);
        else if (status == NAS_E_MEMORY)
            failing++;
        else if (status < 0) /* or it was done without */
            fail_msg("allocation %lld: %s", at, nas_status_name(status));
        heap.fail_at = 0;
        nas_context_free(context);
        assert_int_equal(heap.bytes, 0);
        assert_false(heap.wrong_size);
    }
    assert_true(failing > 50);
    free(table);
    nas_tuning_free(tuning);
    close_rig(&r);
}

/* ---- a search that trains by a table -----------------------------------------------------------
 */

static nas_status search(rig *r, nas_dataset *data, nas_store *store, const nas_tuning *tuning,
                         uint64_t trials) {
    nas_train_options train = NAS_TRAIN_OPTIONS_INIT;
    nas_search_options o;
    nas_controller *controller = NULL;
    nas_evaluator *evaluator = NULL;
    nas_search *search = NULL;
    train.epochs = 1;
    train.batch = 10;
    train.tuning = tuning;
    nas_status status = nas_controller_random(&controller, r->space, NULL);
    if (status >= 0) status = nas_evaluator_train(&evaluator, r->context, &train);
    nas_named_evaluator named = {"train", evaluator};
    nas_search_options_init(&o);
    o.space = r->space;
    o.controller = controller;
    o.evaluators = &named;
    o.n_evaluators = 1;
    o.data = data;
    o.store = store;
    o.max_trials = trials;
    if (status >= 0) status = nas_search_create(&search, r->context, &o);
    if (status >= 0) status = nas_search_run(search, NULL);
    nas_search_free(search);
    nas_evaluator_free(evaluator);
    nas_controller_free(controller);
    return status;
}

static void test_store(void **state) {
    rig r;
    const char *fact;
    char digits[32];
    (void)state;
    OPEN(&r, 2);
    nas_dataset *data = open_data(r.context);
    nas_tuning *same = make_table(r.arch, false), *other = make_table(r.arch, true), *again;
    nas_store *store, *plain;
    MUST(r.context, nas_store_open(&store, r.context, NULL, NULL));
    MUST(r.context, nas_store_open(&plain, r.context, NULL, NULL));
    MUST(r.context, search(&r, data, store, other, 2));
    MUST(r.context, search(&r, data, plain, NULL, 2));
    MUST(r.context, nas_store_fact(store, "tuning", &fact));
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)nas_tuning_hash(other));
    assert_string_equal(fact, digits);
    assert_int_equal(nas_store_fact(plain, "tuning", &fact), NAS_E_NOT_FOUND);
    FAILS(r.context, NAS_E_STATE, "trained with tuning table", search(&r, data, store, same, 3));
    assert_non_null(strstr(nas_context_error(r.context), digits));
    FAILS(r.context, NAS_E_STATE, "this one would with no tuning table",
          search(&r, data, store, NULL, 3));
    FAILS(r.context, NAS_E_STATE, "trained with no tuning table", search(&r, data, plain, same, 3));
    /* the same choices, read from a text */
    char *table = text_of(r.context, other);
    MUST(r.context, nas_tuning_parse(&again, r.context, table, strlen(table), NULL));
    MUST(r.context, search(&r, data, store, again, 3));
    MUST(r.context, search(&r, data, plain, NULL, 3));
    free(table);
    nas_store_free(store), nas_store_free(plain);
    nas_tuning_free(same), nas_tuning_free(other), nas_tuning_free(again);
    nas_dataset_free(data);
    close_rig(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),    cmocka_unit_test(test_plan),
        cmocka_unit_test(test_training), cmocka_unit_test(test_measured),
        cmocka_unit_test(test_broken),   cmocka_unit_test(test_one_way),
        cmocka_unit_test(test_memory),   cmocka_unit_test(test_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
