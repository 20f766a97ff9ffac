/* What the library does to the process that it is in: nothing. It prints nothing, leaves no thread,
 * has no state beside its contexts, is the same in every locale, refuses to work in a child of
 * fork, and runs plug-ins that were compiled against its first release. */
#include "plugin.h"
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- a small search with everything in it
 * ---------------------------------------------------------- */

typedef struct {
    nas_context *context;
    nas_space *space;
    nas_dataset *data;
    nas_controller *controller;
    nas_evaluator *evaluator;
    nas_search *search;
} whole;

static nas_context *context_of(uint32_t threads) {
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    nas_context *context = NULL;
    options.threads = threads;
    assert_int_equal(nas_context_create(&context, &options), NAS_OK);
    return context;
}

static void begin(whole *w, uint32_t threads, uint64_t seed) {
    static const char *const small[] = {"height=8", "width=8", "classes=2", "least_macs=0"};
    static const char *const quick[] = {"epochs=1", "batch=16", "learning_rate=0.025"};
    static const char *const few[] = {"population=3", "sample=2"};
    static uint8_t pixels[96 * 64];
    static int32_t labels[96];
    nas_dataset_arrays arrays = {.struct_size = sizeof arrays,
                                 .n_train = 96,
                                 .height = 8,
                                 .width = 8,
                                 .channels = 1,
                                 .classes = 2,
                                 .train_bytes = pixels,
                                 .train_labels = labels};
    for (int i = 0; i < 96; i++) {
        labels[i] = i % 2;
        for (int p = 0; p < 64; p++)
            pixels[i * 64 + p] = (uint8_t)((p / 32 == i % 2) * 150 + (i * 7 + p * 13) % 50);
    }
    memset(w, 0, sizeof *w);
    w->context = context_of(threads);
    MUST(w->context, nas_space_preset(&w->space, w->context, "quick", small, 4));
    MUST(w->context, nas_dataset_from_arrays(&w->data, w->context, &arrays, NULL));
    MUST(w->context, nas_controller_named(&w->controller, w->space, "evolution", few, 2));
    MUST(w->context, nas_evaluator_named(&w->evaluator, w->context, "train", quick, 3));
    nas_named_evaluator named = {"train", w->evaluator};
    nas_search_options options;
    nas_search_options_init(&options);
    options.space = w->space;
    options.controller = w->controller;
    options.evaluators = &named;
    options.n_evaluators = 1;
    options.data = w->data;
    options.window = 2;
    options.workers = threads;
    options.max_trials = 4;
    options.seed = seed;
    MUST(w->context, nas_search_create(&w->search, w->context, &options));
}

/* Its dump, to be freed. */
static char *run(whole *w) {
    nas_sink *sink = NULL;
    size_t n;
    MUST(w->context, nas_search_run(w->search, NULL));
    MUST(w->context, nas_sink_memory(&sink, w->context));
    MUST(w->context, nas_store_dump(nas_search_store(w->search), sink));
    const char *text = nas_sink_data(sink, &n);
    char *copy = malloc(n + 1);
    memcpy(copy, text, n + 1);
    nas_sink_free(sink);
    assert_true(n > 500);
    return copy;
}

static void end(whole *w) {
    nas_search_free(w->search);
    nas_evaluator_free(w->evaluator);
    nas_controller_free(w->controller);
    nas_dataset_free(w->data);
    nas_space_free(w->space);
    nas_context_free(w->context);
}

/* ---- threads
 * ---------------------------------------------------------------------------------------- */

static int threads_now(void) {
    int n = 0;
    DIR *folder = opendir("/proc/self/task");
    if (folder == NULL) return -1;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(folder);
    return n;
}

static void no_thread_is_left(void **state) {
    (void)state;
    int before = threads_now();
    if (before < 0) {
        print_message("there is no /proc/self/task here\n");
        skip();
    }
    whole w;
    begin(&w, 3, 1);
    MUST(w.context, nas_search_step(w.search));  /* in this thread: the kernels use the context's */
    assert_int_equal(threads_now(), before + 2); /* which wait for more */
    free(run(&w));
    end(&w);
    /* A joined thread may be listed for a moment yet. */
    for (int i = 0; i < 1000 && threads_now() > before; i++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    assert_int_equal(threads_now(), before);
}

/* ---- contexts
 * ----------------------------------------------------------------------------------------- */

static nas_status nothing(void *self, nas_graph *graph, const nas_op_site *at, const nas_node *in,
                          uint32_t n, nas_node *out) {
    (void)self, (void)at, (void)n;
    return nas_graph_relu(graph, in[0], out);
}

static void two_contexts_share_nothing(void **state) {
    (void)state;
    nas_context *a = context_of(1), *b = context_of(2);
    nas_memory_use before = NAS_MEMORY_USE_INIT, after = NAS_MEMORY_USE_INIT;
    nas_op_ops op = {.struct_size = sizeof op};
    nas_space *space = NULL;
    assert_int_equal(nas_context_memory(b, &before), NAS_OK);

    assert_int_equal(nas_space_preset(&space, a, "no such", NULL, 0), NAS_E_NOT_FOUND);
    assert_int_equal(nas_context_error_status(a), NAS_E_NOT_FOUND);
    assert_string_equal(nas_context_error(b), "");
    assert_int_equal(nas_context_error_status(b), NAS_OK);

    /* An operation of one is none of the other's. */
    op.build = nothing;
    MUST(a, nas_op_register(a, "mine", &op, NULL));
    nas_space *letters = plugin_space(a, 2, 2);
    assert_int_equal(nas_context_memory(b, &after), NAS_OK);
    assert_int_equal(after.bytes_now, before.bytes_now);
    assert_int_equal(after.allocations, before.allocations);
    MUST(b, nas_op_register(b, "mine", &op, NULL));
    assert_int_equal(nas_op_register(b, "mine", &op, NULL), NAS_E_EXISTS);
    assert_string_not_equal(nas_context_error(a), nas_context_error(b));

    /* Parts of two do not go together, and the sentence says so. */
    nas_controller *controller = NULL;
    nas_search *search = NULL;
    nas_search_options options;
    MUST(a, nas_controller_random(&controller, letters, NULL));
    nas_search_options_init(&options);
    options.space = letters;
    options.controller = controller;
    assert_int_equal(nas_search_create(&search, b, &options), NAS_E_INVALID);
    assert_non_null(strstr(nas_context_error(b), "another context"));
    nas_controller_free(controller);
    nas_space_free(letters);
    nas_context_free(a);
    /* The end of one is not the other's. */
    letters = plugin_space(b, 2, 2);
    nas_space_free(letters);
    nas_context_free(b);
}

typedef struct {
    whole w;
    char *dump;
} alone;

static void *run_alone(void *user) {
    alone *a = user;
    a->dump = run(&a->w);
    return NULL;
}

static void searches_of_two_contexts_at_once(void **state) {
    (void)state;
    alone both[2], one;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        begin(&both[i].w, 2, (uint64_t)i + 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_alone, &both[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 2; i++) {
        begin(&one.w, 1, (uint64_t)i + 1);
        one.dump = run(&one.w);
        assert_string_equal(one.dump, both[i].dump);
        free(one.dump);
        end(&one.w);
        free(both[i].dump);
        end(&both[i].w);
    }
}

/* ---- printing
 * --------------------------------------------------------------------------------------- */

static int in_silence(const char *path) {
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || dup2(file, 1) < 0 || dup2(file, 2) < 0) return 3;
    close(file);
    whole w;
    nas_space *space = NULL;
    nas_model *model = NULL;
    nas_store *store = NULL;
    begin(&w, 2, 1);
    free(run(&w));
    /* What goes wrong is not printed either. */
    if (nas_space_parse(&space, w.context, "a\n\tb: [", 7, "x.yaml", NULL, 0) >= 0) return 4;
    if (nas_model_load(&model, w.context, "/nowhere/model") >= 0) return 5;
    if (nas_store_open(&store, w.context, "/nowhere/store", NULL) >= 0) return 6;
    end(&w);
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    nas_context *context = NULL;
    options.threads = UINT32_MAX;
    if (nas_context_create(&context, &options) >= 0) return 7;
    fflush(NULL);
    struct stat what;
    if (fstat(1, &what) != 0) return 8;
    return what.st_size == 0 ? 0 : 9;
}

static void nothing_is_printed(void **state) {
    (void)state;
    char folder[] = "/tmp/libnas-silence-XXXXXX", path[64];
    int answer;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/said", folder);
    fflush(NULL);
    pid_t child = fork(); /* so that this program's own descriptors stay */
    assert_true(child >= 0);
    if (child == 0) _exit(in_silence(path));
    assert_int_equal(waitpid(child, &answer, 0), child);
    if (!WIFEXITED(answer) || WEXITSTATUS(answer) != 0) {
        char line[300];
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof line, file))
            print_message("said: %s", line);
        if (file) fclose(file);
    }
    remove(path);
    rmdir(folder);
    assert_true(WIFEXITED(answer));
    assert_int_equal(WEXITSTATUS(answer), 0);
}

/* ---- locales, signals, the environment
 * --------------------------------------------------------------- */

static int comma_locale(char *folder) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    char command[300];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (setlocale(LC_ALL, names[i]) && *localeconv()->decimal_point == ',') return 1;
    /* None is installed: one is made, of nothing but a comma. */
    snprintf(command, sizeof command, "%s/comma", folder);
    FILE *file = fopen(command, "w");
    if (file == NULL) return 0;
    fputs("LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\ngrouping 3;3\nEND LC_NUMERIC\n",
          file);
    fclose(file);
    snprintf(command, sizeof command, "localedef -c -i %s/comma %s/comma_XX >/dev/null 2>&1",
             folder, folder);
    (void)!system(command); /* it warns of all that the locale lacks */
    setenv("LOCPATH", folder, 1);
    return setlocale(LC_NUMERIC, "comma_XX") && *localeconv()->decimal_point == ',';
}

static void the_locale_changes_nothing(void **state) {
    (void)state;
    char folder[] = "/tmp/libnas-locale-XXXXXX", command[100], sentence[2][300];
    char *dumps[2];
    whole w;
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < 2; i++) {
        if (i == 1 && !comma_locale(folder)) {
            free(dumps[0]);
            setlocale(LC_ALL, "C");
            snprintf(command, sizeof command, "rm -rf %s", folder);
            (void)!system(command);
            print_message(
                "no locale with a decimal comma, and no localedef to make one: skipped\n");
            skip();
        }
        static const char text[] = "space: x\n"
                                   "decisions:\n"
                                   "  - {name: rate, real: [0.001, 0.5], log: true}\n"
                                   "constraints: [rate <= 0.25]\n";
        nas_space *space = NULL;
        nas_arch *arch = NULL;
        begin(&w, 2, 1);
        dumps[i] = run(&w);
        MUST(w.context, nas_space_parse(&space, w.context, text, sizeof text - 1, "x", NULL, 0));
        MUST(w.context, nas_arch_parse(&arch, space, "rate=0.375"));
        assert_string_equal(nas_arch_text(arch), "rate=0.375");
        assert_int_equal(nas_arch_check(arch), NAS_E_INFEASIBLE);
        snprintf(sentence[i], sizeof sentence[i], "%s", nas_context_error(w.context));
        nas_arch_free(arch);
        nas_space_free(space);
        end(&w);
        if (i == 1) assert_int_equal(*localeconv()->decimal_point, ','); /* and it is left alone */
    }
    setlocale(LC_ALL, "C");
    snprintf(command, sizeof command, "rm -rf %s", folder);
    (void)!system(command);
    assert_string_equal(dumps[0], dumps[1]);
    assert_string_equal(sentence[0], sentence[1]);
    free(dumps[0]);
    free(dumps[1]);
}

static void signals_are_left_alone(void **state) {
    (void)state;
    struct sigaction before[65], after;
    sigset_t mask_before, mask_after;
    whole w;
    memset(before, 0, sizeof before);
    for (int i = 1; i < 65; i++)
        sigaction(i, NULL, &before[i]);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask_before), 0);
    begin(&w, 2, 1);
    free(run(&w));
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask_after), 0);
    for (int i = 1; i < 65; i++) {
        memset(&after, 0, sizeof after);
        if (sigaction(i, NULL, &after) != 0) continue;
        assert_ptr_equal((void *)(uintptr_t)after.sa_handler,
                         (void *)(uintptr_t)before[i].sa_handler);
        assert_int_equal(sigismember(&mask_after, i), sigismember(&mask_before, i));
    }
    end(&w);
}

/* ---- fork
 * -------------------------------------------------------------------------------------------- */

static int in_the_child(whole *w) {
    nas_space *space = NULL;
    nas_store *store = NULL;
    nas_controller *controller = NULL;
    nas_model *model = NULL;
    nas_random *random = NULL;
    const nas_proposal *asked = NULL;
    const char *const none[] = {NULL};
    if (nas_space_preset(&space, w->context, "quick", none, 0) != NAS_E_FORKED) return 1;
    if (nas_store_open(&store, w->context, NULL, NULL) != NAS_E_FORKED) return 2;
    if (nas_controller_random(&controller, w->space, NULL) != NAS_E_FORKED) return 3;
    if (nas_model_load(&model, w->context, "x") != NAS_E_FORKED) return 4;
    if (nas_random_create(&random, w->context, 1, 1, "") != NAS_E_FORKED) return 5;
    if (nas_search_ask(w->search, &asked) != NAS_E_FORKED) return 6;
    if (nas_search_run(w->search, NULL) != NAS_E_FORKED) return 7;
    if (nas_search_step(w->search) != NAS_E_FORKED) return 8;
    if (!strstr(nas_context_error(w->context), "fork")) return 9;
    /* A context of its own works. */
    whole own;
    begin(&own, 2, 1);
    free(run(&own));
    end(&own);
    return 0;
}

static void a_forked_child_is_refused(void **state) {
    (void)state;
    whole w;
    int answer;
    begin(&w, 2, 1);
    MUST(w.context, nas_search_step(w.search)); /* its threads run */
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(in_the_child(&w));
    assert_int_equal(waitpid(child, &answer, 0), child);
    assert_true(WIFEXITED(answer));
    assert_int_equal(WEXITSTATUS(answer), 0);
    free(run(&w)); /* nothing happened to the parent's */
    end(&w);
}

/* ---- plug-ins
 * ------------------------------------------------------------------------------------------ */

static const char *plugin_path;

static void a_plugin_of_the_first_release_runs(void **state) {
    (void)state;
    char sentence[1024] = "";
    void *loaded = dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL);
    if (loaded == NULL) fail_msg("%s", dlerror());
    int (*entry)(char *, size_t) = NULL;
    *(void **)(void *)&entry = dlsym(loaded, "plugin_first");
    assert_non_null(entry);
    if (entry(sentence, sizeof sentence) != 0) fail_msg("%s", sentence);
    dlclose(loaded);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_thread_is_left),
        cmocka_unit_test(two_contexts_share_nothing),
        cmocka_unit_test(searches_of_two_contexts_at_once),
        cmocka_unit_test(nothing_is_printed),
        cmocka_unit_test(the_locale_changes_nothing),
        cmocka_unit_test(signals_are_left_alone),
        cmocka_unit_test(a_forked_child_is_refused),
        cmocka_unit_test(a_plugin_of_the_first_release_runs),
    };
    if (argc != 2) return 2;
    plugin_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
