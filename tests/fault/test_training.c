/* Every allocation of one whole small search that trains fails in turn, once or from then on: real
 * networks trained by the built-in evaluator under evolution, a store in a file, stopped half-way
 * and resumed; then the best trained, measured, saved and loaded. Each time a clean status and a
 * sentence, nothing leaked, and a store that a process with memory goes on with to the end.
 *
 * And trials that fail by themselves: they diverge, are larger than the memory they may have, take
 * too long. They are infeasible with a reason, and the search goes on. */
#include "search/fixture.h"

enum { TRIALS = 3, HALF = 1 };
static const char text[] =
    "space: tiny\n"
    "parameters: {channels: 2}\n"
    "network: {image: {height: 4, width: 4, channels: 1, classes: 2}, stem: {channels: $channels}, "
    "stages: 1, cells: 1}\n"
    "cell: {nodes: 2, operations: [skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3]}\n";

typedef struct {
    nas_context *context;
    nas_space *space;
    nas_dataset *data;
    nas_controller *controller;
    nas_evaluator *evaluator;
    nas_store *store;
    nas_search *search;
    nas_named_evaluator named;
    nas_search_options options;
} parts;

/* Two classes told apart by the half that is bright. */
static nas_status make_data(nas_context *context, nas_dataset **out) {
    enum { N = 20, TEST = 4 };
    uint8_t pixels[N + TEST][16];
    int32_t labels[N + TEST];
    for (int i = 0; i < N + TEST; i++) {
        labels[i] = i % 2;
        for (int p = 0; p < 16; p++)
            pixels[i][p] = (uint8_t)((p / 8 == i % 2 ? 200 : 20) + (i * 7 + p * 11) % 40);
    }
    nas_dataset_arrays a;
    nas_dataset_options o = NAS_DATASET_OPTIONS_INIT;
    memset(&a, 0, sizeof a);
    a.struct_size = sizeof a;
    a.n_train = N;
    a.n_test = TEST;
    a.height = a.width = 4;
    a.channels = 1;
    a.classes = 2;
    a.train_bytes = pixels[0];
    a.train_labels = labels;
    a.test_bytes = pixels[N];
    a.test_labels = labels + N;
    o.validation = 4;
    return nas_dataset_from_arrays(out, context, &a, &o);
}

static nas_status begin(parts *p, const char *path, test_allocator *heap, uint64_t limit,
                        const char *const *space, size_t n_space, const char *const *settings,
                        size_t n_settings) {
    static const char *const evolution[] = {"population=2", "sample=2"};
    nas_context_options o = NAS_CONTEXT_OPTIONS_INIT;
    nas_allocator table;
    memset(p, 0, sizeof *p);
    if (heap) {
        table = test_allocator_table(heap);
        o.allocator = &table;
    }
    o.threads = 1;
    o.memory_limit = limit;
    nas_status status = nas_context_create(&p->context, &o);
    if (status >= 0)
        status =
            nas_space_parse(&p->space, p->context, text, sizeof text - 1, "tiny", space, n_space);
    if (status >= 0) status = make_data(p->context, &p->data);
    if (status >= 0)
        status = nas_controller_named(&p->controller, p->space, "evolution", evolution, 2);
    if (status >= 0)
        status = nas_evaluator_named(&p->evaluator, p->context, "train", settings, n_settings);
    if (status >= 0) status = nas_store_open(&p->store, p->context, path, NULL);
    nas_search_options_init(&p->options);
    p->named = (nas_named_evaluator){"train", p->evaluator};
    p->options.space = p->space;
    p->options.controller = p->controller;
    p->options.evaluators = &p->named;
    p->options.n_evaluators = 1;
    p->options.data = p->data;
    p->options.store = p->store;
    p->options.max_trials = TRIALS;
    p->options.checkpoint_seconds = 0;
    return status;
}

static void end(parts *p) {
    nas_search_free(p->search);
    nas_store_free(p->store);
    nas_evaluator_free(p->evaluator);
    nas_controller_free(p->controller);
    nas_dataset_free(p->data);
    nas_space_free(p->space);
    nas_context_free(p->context);
    memset(p, 0, sizeof *p);
}

static const char *const brief[] = {"epochs=2", "batch=8", "ema=0.5", "dropout=0.1", "clip=1"};

/* The best trained for longer, measured, saved, and loaded again. */
static nas_status keep_best(parts *p, const char *weights) {
    nas_trial best = {.struct_size = sizeof best};
    nas_metrics metrics = {.struct_size = sizeof metrics};
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    nas_arch *arch = NULL;
    nas_model *model = NULL, *again = NULL;
    o.epochs = 1;
    o.batch = 8;
    o.use_validation = 1;
    o.validate = 0;
    nas_status status = nas_search_best(p->search, &best);
    if (status == NAS_E_NOT_FOUND) return NAS_OK; /* each trial ran out of memory */
    if (status >= 0) status = nas_arch_parse(&arch, p->space, best.arch);
    if (status >= 0) status = nas_model_create(&model, arch, 1);
    if (status >= 0) status = nas_model_train(model, p->data, &o, NULL, NULL);
    if (status >= 0) status = nas_model_evaluate(model, p->data, NAS_SPLIT_TEST, &metrics);
    if (status >= 0) status = nas_model_save(model, weights);
    if (status >= 0) status = nas_model_load(&again, p->context, weights);
    nas_model_free(again);
    nas_model_free(model);
    nas_arch_free(arch);
    return status;
}

/* From begin to end, in two processes as it were; *dump when it came to its end. */
static nas_status whole(const char *folder, test_allocator *heap, char *sentence, size_t size,
                        char **dump) {
    char path[300], weights[300];
    parts p;
    nas_sink *sink = NULL;
    size_t n;
    nas_status status = NAS_OK;
    snprintf(path, sizeof path, "%s/s.nas", folder);
    snprintf(weights, sizeof weights, "%s/best.safetensors", folder);
    for (int run = 0; status >= 0 && run < 2; run++) {
        status = begin(&p, path, heap, 0, NULL, 0, brief, 5);
        if (status >= 0) status = nas_search_create(&p.search, p.context, &p.options);
        if (run == 0)
            for (int i = 0; status >= 0 && i < HALF; i++)
                status = nas_search_step(p.search);
        else if (status >= 0)
            status = nas_search_run(p.search, NULL);
        if (run == 1 && status >= 0) status = keep_best(&p, weights);
        if (run == 1 && status >= 0) status = nas_sink_memory(&sink, p.context);
        if (run == 1 && status >= 0) status = nas_store_dump(p.store, sink);
        if (run == 1 && status >= 0) *dump = strdup(nas_sink_data(sink, &n));
        snprintf(sentence, size, "%s", p.context ? nas_context_error(p.context) : "no context");
        nas_sink_free(sink);
        end(&p);
    }
    return status;
}

static void remove_all(const char *folder) {
    static const char *const names[] = {"s.nas", "s.nas-wal", "s.nas-shm", "s.nas-lock",
                                        "best.safetensors"};
    char name[400];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        remove(name);
    }
}

/* Nothing but the store and the weights lies there. */
static void only_whole_files(const char *folder, long long at) {
    char command[400];
    snprintf(command, sizeof command, "test -z \"$(ls '%s' | grep part)\"", folder);
    if (system(command) != 0) fail_msg("allocation %lld: a file was left behind", at);
}

static void sweep(const char *folder, bool forever, const char *straight) {
    char sentence[400];
    int refused = 0, absorbed = 0, resumed = 0;
    /* what fails for good begins as what fails once: a fifth of them */
    for (long long at = 1, runs = 0;; at += forever ? 5 : 1, runs++) {
        test_allocator heap = TEST_ALLOCATOR_INIT;
        char *dump = NULL;
        heap.fail_at = at;
        heap.forever = forever;
        remove_all(folder);
        nas_status status = whole(folder, &heap, sentence, sizeof sentence, &dump);
        int failed = heap.failed;
        if (heap.bytes || heap.wrong_size)
            fail_msg("allocation %lld: %lld bytes leaked", at, (long long)heap.bytes);
        if (status < 0) {
            refused++;
            assert_null(dump);
            if (status != NAS_E_MEMORY || !strstr(sentence, "memory"))
                if (strcmp(sentence, "no context"))
                    fail_msg("allocation %lld: %s: %s", at, nas_status_name(status), sentence);
        } else if (failed) {
            absorbed++; /* a trial that ran out of memory is a result */
        }
        free(dump);
        dump = NULL;
        if (runs % 16 == 1) only_whole_files(folder, at);
        if (status < 0 && runs % 8 == 1) { /* a process with memory goes on with what is there */
            if (whole(folder, NULL, sentence, sizeof sentence, &dump) < 0)
                fail_msg("allocation %lld: not resumed: %s", at, sentence);
            if (!strstr(dump, "memory") && strcmp(dump, straight))
                fail_msg("allocation %lld:\n%s\nwas\n%s", at, dump, straight);
            resumed++;
            free(dump);
        }
        if (!failed) break;
    }
    print_message("%s: %d allocations failed cleanly, %d were a trial's own; %d stores resumed\n",
                  forever ? "from there on" : "once", refused, absorbed, resumed);
    assert_true(refused > 300 && (forever || absorbed > 100));
}

static void test_sweep(void **state) {
    char folder[256], sentence[400], *straight = NULL;
    (void)state;
    folder_begin(folder, sizeof folder);
    assert_int_equal(whole(folder, NULL, sentence, sizeof sentence, &straight), NAS_OK);
    for (int forever = 0; forever < 2; forever++)
        sweep(folder, forever, straight);
    free(straight);
    folder_end(folder);
}

/* ---- trials that fail by themselves --------------------------------------------------------- */

/* Runs to its end: how many of the trials are infeasible for that reason, each with these words,
 * and how many are whole. */
static void run_all(parts *p, uint64_t trials, int32_t reason, const char *words, int *failed,
                    int *good) {
    int32_t ended;
    p->options.max_trials = trials;
    MUST(p->context, nas_search_create(&p->search, p->context, &p->options));
    MUST(p->context, nas_search_run(p->search, &ended));
    assert_int_equal(ended, NAS_ENDED_TRIALS);
    assert_int_equal(nas_search_trials(p->search), trials);
    *failed = *good = 0;
    for (uint64_t i = 0; i < trials; i++) {
        nas_trial trial = {.struct_size = sizeof trial};
        MUST(p->context, nas_search_trial(p->search, i, &trial));
        if (trial.state == NAS_STATE_COMPLETE) {
            ++*good;
            continue;
        }
        assert_int_equal(trial.state, NAS_STATE_INFEASIBLE);
        assert_int_equal(trial.reason, reason);
        if (!strstr(trial.sentence, words)) fail_msg("\"%s\" lacks %s", trial.sentence, words);
        ++*failed;
    }
}

static void test_diverging(void **state) {
    (void)state;
    static const char *const settings[] = {"epochs=20", "batch=8", "learning_rate=1e6"};
    parts p;
    int failed, good;
    assert_int_equal(begin(&p, NULL, NULL, 0, NULL, 0, settings, 3), NAS_OK);
    p.options.window = p.options.workers = 2;
    run_all(&p, 6, NAS_REASON_DIVERGED, "a smaller learning rate may help", &failed, &good);
    assert_true(failed > 0);
    end(&p);
}

static void test_out_of_time(void **state) {
    (void)state;
    parts p;
    int failed, good;
    nas_trial best = {.struct_size = sizeof best};
    assert_int_equal(begin(&p, NULL, NULL, 0, NULL, 0, brief, 5), NAS_OK);
    p.options.trial_seconds = 1e-6;
    run_all(&p, 4, NAS_REASON_TIME, "longer than", &failed, &good);
    assert_int_equal(failed, 4);
    FAILS(p.context, NAS_E_NOT_FOUND, "", nas_search_best(p.search, &best));
    end(&p);
}

/* The context may hold so much that the small networks train and the large ones do not. */
static void test_memory_limit(void **state) {
    (void)state;
    static const char *const wide[] = {"channels=48"};
    parts p;
    int failed = 0, good = 0;
    nas_memory_use use = NAS_MEMORY_USE_INIT;
    assert_int_equal(begin(&p, NULL, NULL, 0, wide, 1, brief, 5), NAS_OK);
    run_all(&p, 8, NAS_REASON_NONE, "", &failed, &good);
    assert_int_equal(good, 8);
    nas_context_memory(p.context, &use);
    uint64_t peak = use.bytes_peak, limit = peak;
    end(&p);
    while (!failed && limit > peak / 4) {
        limit -= peak / 32;
        nas_status status = begin(&p, NULL, NULL, limit, wide, 1, brief, 5);
        assert_int_equal(status, NAS_OK);
        run_all(&p, 8, NAS_REASON_MEMORY, "memory", &failed, &good);
        nas_context_memory(p.context, &use);
        assert_true(use.bytes_peak <= limit);
        end(&p);
    }
    print_message("%d of 8 trials need more than %llu of %llu bytes; %d were trained\n", failed,
                  (unsigned long long)limit, (unsigned long long)peak, good);
    assert_true(failed > 0 && good > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diverging),
        cmocka_unit_test(test_out_of_time),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
