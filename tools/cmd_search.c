/* nas search, nas resume: a search as its file says, then the longer training of the best. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <popt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "nas.h"

typedef struct {
    nas_context *context;
    tool_settings settings;
    char *folder;
    bool quiet, terminal;
    nas_space *space;
    nas_dataset *data;
    nas_controller *controller;
    nas_evaluator *evaluator;
    nas_store *store;
    nas_search *search;
    uint64_t budget;
    double started, best;
    char best_text[16];
} job;

/* What the signal handler needs, and nothing else. */
static nas_search *volatile running;
static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    (void)number;
    if (interrupted) _exit(130);
    interrupted = 1;
    nas_search *search = running;
    if (search) nas_search_stop(search);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void line(job *j, bool stays, const char *text) {
    if (j->quiet) return;
    if (j->terminal)
        printf("\r\033[K%s%s", text, stays ? "\n" : "");
    else if (stays)
        printf("%s\n", text);
    fflush(stdout);
}

static void left(job *j, uint64_t done, char *buffer, size_t capacity) {
    double spent = now() - j->started;
    if (done == 0 || j->budget == 0 || done >= j->budget) {
        buffer[0] = 0;
        return;
    }
    double rest = spent / (double)done * (double)(j->budget - done);
    snprintf(buffer, capacity, ", %.0f s left", rest);
}

static nas_status on_trial(void *user, nas_search *search, const nas_trial *trial,
                           const nas_result *result) {
    job *j = user;
    char text[400], rest[40], score[16] = "infeasible";
    double accuracy;
    if (nas_result_metric(result, "accuracy", &accuracy) == NAS_OK)
        tool_number(100 * accuracy, 2, score, sizeof score);
    if (trial->score > j->best) {
        j->best = trial->score;
        snprintf(j->best_text, sizeof j->best_text, "%s", score);
    }
    uint64_t done = nas_search_trials(search);
    left(j, done, rest, sizeof rest);
    snprintf(text, sizeof text, "trial %3" PRIu64 "/%" PRIu64 "  %s %%  best %s %%%s  %.200s",
             trial->number + 1, j->budget, score, j->best_text, rest, trial->arch);
    line(j, true, text);
    return NAS_OK;
}

static nas_status on_epoch(void *user, nas_search *search, const nas_proposal *proposal,
                           double done, double total, const char *metric, double value) {
    job *j = user;
    char text[200], rest[40];
    (void)metric, (void)value;
    if (!j->terminal) return NAS_OK;
    left(j, nas_search_trials(search), rest, sizeof rest);
    snprintf(text, sizeof text, "trial %3" PRIu64 "  epoch %.1f of %.1f  best %s %%%s",
             nas_proposal_trial(proposal) + 1, done, total, j->best_text, rest);
    line(j, false, text);
    return NAS_OK;
}

static const char *get(const job *j, const char *section, const char *key, const char *otherwise) {
    const char *value = tool_settings_get(&j->settings, section, key);
    return value ? value : otherwise;
}

/* A number of the settings; a bad one is told. */
static bool number(const job *j, const char *section, const char *key, double otherwise,
                   double *out) {
    const char *text = tool_settings_get(&j->settings, section, key);
    char *end;
    *out = otherwise;
    if (!text) return true;
    *out = strtod(text, &end);
    if (end != text && *end == 0 && isfinite(*out) && *out >= 0) return true;
    tool_usage("%s.%s: '%s' is not a number that it can have", section, key, text);
    return false;
}

static char *beside(const job *j, const char *name) {
    char *path = malloc(strlen(j->folder) + strlen(name) + 2);
    if (path) sprintf(path, "%s/%s", j->folder, name);
    return path;
}

static int parts(job *j) {
    size_t n;
    char **list = tool_settings_list(&j->settings, "parameters", "", &n);
    nas_status status = nas_space_open(&j->space, j->context, get(j, "", "space", "quick"),
                                       (const char *const *)list, n);
    tool_list_free(list, n);
    if (status < 0) return tool_failed(j->context);

    nas_dataset_options d = NAS_DATASET_OPTIONS_INIT;
    list = tool_settings_list(&j->settings, "data", "name", &n);
    for (size_t i = 0; status >= 0 && i < n; i++)
        status = nas_dataset_options_set(j->context, &d, list[i]);
    tool_list_free(list, n);
    if (status >= 0)
        status =
            nas_dataset_open(&j->data, j->context, get(j, "data", "name", "fashion-mnist"), &d);
    if (status < 0) return tool_failed(j->context);

    list = tool_settings_list(&j->settings, "controller", "name", &n);
    status =
        nas_controller_named(&j->controller, j->space, get(j, "controller", "name", "evolution"),
                             (const char *const *)list, n);
    tool_list_free(list, n);
    if (status < 0) return tool_failed(j->context);

    list = tool_settings_list(&j->settings, "evaluator", "name", &n);
    status = nas_evaluator_named(&j->evaluator, j->context, get(j, "evaluator", "name", "train"),
                                 (const char *const *)list, n);
    tool_list_free(list, n);
    return status < 0 ? tool_failed(j->context) : 0;
}

static int search(job *j) {
    double seed, window, workers, trials, evaluations, epochs, seconds, trial_seconds;
    if (!number(j, "", "seed", 0, &seed) || !number(j, "", "window", 1, &window) ||
        !number(j, "", "workers", 0, &workers) || !number(j, "budget", "trials", 0, &trials) ||
        !number(j, "budget", "evaluations", 0, &evaluations) ||
        !number(j, "budget", "epochs", 0, &epochs) ||
        !number(j, "budget", "seconds", 0, &seconds) ||
        !number(j, "budget", "trial_seconds", 0, &trial_seconds))
        return EXIT_USAGE;
    char *path = beside(j, "search.nas"), *text = tool_settings_text(&j->settings);
    nas_status status =
        path && text ? nas_store_open(&j->store, j->context, path, NULL) : NAS_E_MEMORY;
    free(path);
    if (status < 0) {
        free(text);
        return tool_failed(j->context);
    }
    nas_named_evaluator named = {"train", j->evaluator};
    nas_objective objective;
    memset(&objective, 0, sizeof objective);
    objective.metric = get(j, "objective", "metric", "accuracy");
    objective.minimise = strcmp(get(j, "objective", "minimise", "false"), "true") == 0;
    objective.weight = 1;
    nas_search_hooks hooks;
    memset(&hooks, 0, sizeof hooks);
    hooks.struct_size = sizeof hooks;
    hooks.user = j;
    hooks.trial_ended = on_trial;
    hooks.epoch_ended = on_epoch;
    nas_search_options o;
    nas_search_options_init(&o);
    o.space = j->space;
    o.controller = j->controller;
    o.evaluators = &named;
    o.n_evaluators = 1;
    o.objectives = &objective;
    o.n_objectives = 1;
    o.data = j->data;
    o.store = j->store;
    o.hooks = &hooks;
    o.seed = (uint64_t)seed;
    o.window = (uint32_t)window;
    o.workers = (uint32_t)workers;
    o.max_trials = (uint64_t)trials;
    o.max_evaluations = (uint64_t)evaluations;
    o.max_epochs = epochs;
    o.max_seconds = seconds;
    o.trial_seconds = trial_seconds;
    o.settings = text;
    j->budget = o.max_trials;
    j->best = -INFINITY;
    j->started = now();
    snprintf(j->best_text, sizeof j->best_text, "-");
    status = nas_search_create(&j->search, j->context, &o);
    free(text);
    if (status < 0) return tool_failed(j->context);
    int32_t ended = NAS_ENDED_NOT;
    running = j->search;
    status = interrupted ? NAS_OK : nas_search_run(j->search, &ended);
    running = NULL;
    if (status < 0) return tool_failed(j->context);
    nas_search_progress p;
    memset(&p, 0, sizeof p);
    p.struct_size = sizeof p;
    if (nas_search_state(j->search, &p) >= 0 && !j->quiet)
        printf("search: %" PRIu64 " trials, %" PRIu64
               " distinct networks, longest line of parents %" PRIu64 ", %.1f s (%s)\n",
               p.trials, p.distinct, p.generations, now() - j->started, nas_ended_text(ended));
    if (interrupted) {
        fprintf(stderr, "nas: interrupted; go on with: nas resume %s/search.nas\n", j->folder);
        return EXIT_FAILED;
    }
    return 0;
}

static nas_status on_final_epoch(void *user, const nas_train_progress *p) {
    job *j = user;
    char text[160];
    snprintf(text, sizeof text, "final training: epoch %.0f/%.0f  loss %.4f  %.1f s", p->epoch,
             p->epochs, p->train_loss, p->seconds);
    line(j, true, text);
    return interrupted ? NAS_STOP : NAS_OK;
}

static int finish(job *j) {
    nas_trial best;
    nas_arch *arch = NULL;
    nas_model *model = NULL;
    nas_metrics test = {.struct_size = sizeof test};
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    memset(&best, 0, sizeof best);
    best.struct_size = sizeof best;
    nas_status status = nas_search_best(j->search, &best);
    if (status >= 0) status = nas_arch_parse(&arch, j->space, best.arch);
    if (status < 0) return tool_failed(j->context);
    if (!j->quiet)
        printf("best of the search: trial %" PRIu64 "  %s\n", best.number + 1, best.arch);
    size_t n;
    char **list = tool_settings_list(&j->settings, "final", "", &n);
    double seed;
    o.use_validation = 1;
    o.validate = 0;
    if (!number(j, "", "seed", 0, &seed)) seed = 0;
    o.seed = (uint64_t)seed;
    for (size_t i = 0; status >= 0 && i < n; i++)
        status = nas_train_options_set(j->context, &o, list[i]);
    tool_list_free(list, n);
    double start = now();
    if (status >= 0) status = nas_model_create(&model, arch, o.seed);
    if (status >= 0) status = nas_model_train(model, j->data, &o, on_final_epoch, j);
    double spent = now() - start;
    nas_dataset_info info = {.struct_size = sizeof info};
    if (status >= 0) status = nas_dataset_describe(j->data, &info);
    if (status >= 0 && info.n_test)
        status = nas_model_evaluate(model, j->data, NAS_SPLIT_TEST, &test);
    char *weights = beside(j, "best.safetensors"), *text = beside(j, "best.arch");
    if (status >= 0 && weights) status = nas_model_save(model, weights);
    if (status >= 0 && text) {
        nas_sink *sink;
        status = nas_sink_file(&sink, j->context, text);
        if (status >= 0) {
            status = nas_sink_text(sink, best.arch);
            if (status >= 0) status = nas_sink_text(sink, "\n");
            if (status >= 0) status = nas_sink_close(sink);
            nas_sink_free(sink);
        }
    }
    nas_arch_cost cost = {.struct_size = sizeof cost};
    if (status >= 0) status = nas_arch_costs(arch, &cost);
    if (status >= 0) {
        char value[32];
        tool_number(test.accuracy, 6, value, sizeof value);
        if (info.n_test) status = nas_store_set_fact(j->store, "final.test_accuracy", value);
    }
    if (status >= 0) {
        printf("final training: %.1f s; ", spent);
        if (info.n_test)
            printf("test accuracy %.2f %% on %" PRId64 " images that the search never saw; ",
                   100 * test.accuracy, test.n);
        printf("%" PRId64 " parameters, %" PRId64 " multiply-accumulates an image\n\n", cost.params,
               cost.macs);
        printf("%s/search.nas         every trial; try  nas list %s/search.nas\n", j->folder,
               j->folder);
        printf("%s   the trained weights, for PyTorch too\n", weights);
        printf("%s          the architecture; try  nas arch info %s \"$(cat %s)\"\n", text,
               get(j, "", "space", "quick"), text);
    }
    free(weights);
    free(text);
    nas_model_free(model);
    nas_arch_free(arch);
    return status < 0 ? tool_failed(j->context) : 0;
}

static int run(job *j) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    double threads;
    if (!number(j, "", "threads", 0, &threads)) return EXIT_USAGE;
    j->terminal = isatty(STDOUT_FILENO) && !j->quiet;
    j->context = tool_context((unsigned)threads);
    if (!j->context) return EXIT_FAILED;
    int code = parts(j);
    if (!code) code = search(j);
    if (!code) code = finish(j);
    nas_search_free(j->search);
    nas_store_free(j->store);
    nas_evaluator_free(j->evaluator);
    nas_controller_free(j->controller);
    nas_dataset_free(j->data);
    nas_space_free(j->space);
    nas_context_free(j->context);
    return code;
}

static void job_free(job *j) {
    tool_settings_free(&j->settings);
    free(j->folder);
}

int cmd_search(int argc, const char **argv) {
    char *folder = NULL, *set = NULL;
    int quiet = 0, resume = 0, code = 0, got;
    struct poptOption options[] = {
        {"output", 'o', POPT_ARG_STRING, &folder, 0, "folder for the store and the weights", "DIR"},
        {"set", 's', POPT_ARG_STRING, &set, 's', "one setting, over the file's",
         "SECTION.KEY=VALUE"},
        {"resume", 0, POPT_ARG_NONE, &resume, 0, "go on where an earlier run stopped", NULL},
        {"quiet", 'q', POPT_ARG_NONE, &quiet, 0, "only the result", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    job j;
    memset(&j, 0, sizeof j);
    tool_settings over;
    memset(&over, 0, sizeof over);
    poptContext popt = poptGetContext("nas search", argc, argv, options, 0);
    poptSetOtherOptionHelp(popt, "[OPTION ...] FILE.yaml");
    while (!code && (got = poptGetNextOpt(popt)) >= 0) {
        if (got == 's') code = tool_settings_set(&over, set);
        free(set);
        set = NULL;
    }
    const char *file = NULL;
    if (!code && got < -1) code = tool_usage("%s: %s", poptBadOption(popt, 0), poptStrerror(got));
    if (!code && (!(file = poptGetArg(popt)) || poptPeekArg(popt)))
        code = tool_usage("search takes one file; nas search --help says more");
    if (!code) code = tool_settings_read(&j.settings, file);
    for (size_t i = 0; !code && i < over.n; i++)
        if (!tool_settings_put(&j.settings, over.items[i].section, over.items[i].key,
                               over.items[i].value))
            code = EXIT_FAILED;
    tool_settings_free(&over);
    j.quiet = quiet;
    j.folder = folder ? folder : strdup("nas-out");
    if (!code && mkdir(j.folder, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "nas: the folder %s cannot be made: %s\n", j.folder, strerror(errno));
        code = EXIT_FAILED;
    }
    if (!code && !resume) {
        char *path = beside(&j, "search.nas");
        if (path && access(path, F_OK) == 0) {
            fprintf(stderr,
                    "nas: %s holds a search already: add --resume to go on with it, or name "
                    "another folder by -o\n",
                    path);
            code = EXIT_FAILED;
        }
        free(path);
    }
    if (!code) code = run(&j);
    job_free(&j);
    poptFreeContext(popt);
    return code;
}

int cmd_resume(int argc, const char **argv) {
    if (argc != 2 || argv[1][0] == '-')
        return argc == 2 && strcmp(argv[1], "--help") == 0
                   ? (puts("usage: nas resume STORE"), EXIT_GOOD)
                   : tool_usage("resume takes one store; example: nas resume nas-out/search.nas");
    job j;
    memset(&j, 0, sizeof j);
    nas_context *context = tool_context(1);
    nas_store *store = NULL;
    const char *text;
    int code = EXIT_FAILED;
    nas_store_options o = NAS_STORE_OPTIONS_INIT;
    o.read_only = 1;
    o.create = 0;
    if (!context) return code;
    if (nas_store_open(&store, context, argv[1], &o) < 0 ||
        nas_store_fact(store, "settings", &text) < 0)
        tool_failed(context);
    else
        code = tool_settings_parse(&j.settings, text);
    nas_store_free(store);
    nas_context_free(context);
    const char *slash = strrchr(argv[1], '/');
    size_t n = slash ? (size_t)(slash - argv[1]) : 1;
    j.folder = malloc(n + 2);
    if (j.folder) {
        memcpy(j.folder, slash ? argv[1] : ".", n);
        j.folder[n] = 0;
        if (slash == argv[1]) strcpy(j.folder, "/");
    }
    if (!code) code = j.folder ? run(&j) : EXIT_FAILED;
    job_free(&j);
    return code;
}
