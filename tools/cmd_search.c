/* nas search, nas resume: a search as its settings say, then the longer training of the best. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "nas.h"

typedef struct {
    tool_settings settings;
    char *folder, *path; /* of the store */
    bool json, resume, from_store;
    tool_lines lines;
    nas_context *context;
    tool_parts parts;
    nas_store *store;
    nas_search *search;
    nas_search_options options;
    tool_progress *progress;
} job;

/* ---- the search
 * --------------------------------------------------------------------------------------------------------
 */

static int interrupted(job *j) {
    tool_lines_clear(&j->lines);
    return tool_error("interrupted; go on with: nas resume %s", j->path);
}

static int open_search(job *j, const nas_search_hooks *hooks) {
    const char *was;
    char *text = tool_settings_text(&j->settings);
    if (!text) return tool_memory();
    j->options.store = j->store;
    j->options.hooks = hooks;
    j->options.settings = text;
    nas_status status = nas_search_create(&j->search, j->context, &j->options);
    /* budgets may have grown: a resume without options goes on with the newest */
    if (status >= 0 && nas_store_fact(j->store, "settings", &was) >= 0 && strcmp(was, text) != 0)
        status = nas_store_set_fact(j->store, "settings", text);
    free(text);
    return status < 0 ? tool_failed(j->context) : 0;
}

/* How far the ranks of short trainings hold in longer ones: the lines of the controller's
 * description that say so, where it is one that promotes. */
static nas_status say_ranks(const job *j) {
    nas_sink *sink;
    size_t n;
    nas_status status = nas_sink_memory(&sink, j->context);
    if (status < 0) return status;
    status = nas_controller_describe(j->parts.controller, sink);
    const char *line = status < 0 ? NULL : nas_sink_data(sink, &n);
    for (const char *end; line && (end = strchr(line, '\n')); line = end + 1) {
        const char *about = strstr(line, "rank correlation");
        if (about && about < end) printf("%.*s\n", (int)(end - line), line);
    }
    nas_sink_free(sink);
    return status;
}

static int search(job *j) {
    nas_search_hooks hooks;
    int code = tool_parts_options(&j->parts, &j->settings, &j->options);
    if (code) return code;
    j->progress = tool_progress_create(&j->parts, &j->options, &j->lines);
    if (!j->progress) return tool_memory();
    tool_progress_hooks(j->progress, &hooks);
    if ((code = open_search(j, &hooks))) return code;
    if (tool_progress_begin(j->progress, j->search) < 0) return tool_failed(j->context);
    int32_t ended = NAS_ENDED_NOT;
    tool_signals(j->search);
    nas_status status = nas_search_run(j->search, &ended);
    tool_signals(NULL);
    tool_lines_clear(&j->lines);
    if (status < 0) return tool_failed(j->context);
    nas_search_progress p = {.struct_size = sizeof p};
    if (nas_search_state(j->search, &p) >= 0 && !j->lines.quiet) {
        char text[32];
        tool_duration(p.seconds, text, sizeof text);
        printf("search: %" PRIu64 " trials, %" PRIu64
               " distinct networks, longest line of parents %" PRIu64 ", %s (%s)\n",
               p.trials, p.distinct, p.generations, text, nas_ended_text(ended));
        if (say_ranks(j) < 0) return tool_failed(j->context);
        fflush(stdout);
    }
    return tool_interrupted ? interrupted(j) : 0;
}

/* ---- the best
 * -----------------------------------------------------------------------------------------------------------
 */

/* What tells one final training from another. */
static char *identity(const job *j, const nas_arch *arch) {
    nas_dataset_info data = {.struct_size = sizeof data};
    size_t n, all = 0;
    char **list = tool_settings_list(&j->settings, "final", "", &n), *text = NULL;
    FILE *to = list ? open_memstream(&text, &all) : NULL;
    if (to && nas_dataset_describe(j->parts.data, &data) >= 0) {
        fprintf(to, "arch=%s\nspace=%016" PRIx64 "\ndata=%016" PRIx64 "\nseed=%" PRIu64 "\n",
                nas_arch_text(arch), nas_space_hash(j->parts.space), data.hash,
                j->parts.final.seed);
        for (size_t i = 0; i < n; i++)
            fprintf(to, "%s\n", list[i]);
    }
    tool_list_free(list, n);
    if (to && fclose(to) != 0) {
        free(text);
        text = NULL;
    }
    return text;
}

static nas_status write_text(nas_context *context, const char *path, const char *text) {
    nas_sink *sink;
    nas_status status = nas_sink_file(&sink, context, path);
    if (status < 0) return status;
    status = nas_sink_text(sink, text);
    if (status >= 0) status = nas_sink_text(sink, "\n");
    if (status >= 0) status = nas_sink_close(sink);
    nas_sink_free(sink);
    return status;
}

/* trained NULL: nothing was. */
static void say_json(const job *j, const nas_trial *best, const tool_trained *trained,
                     const char *weights, const char *arch) {
    nas_search_progress p = {.struct_size = sizeof p};
    (void)nas_search_state(j->search, &p);
    fputs("{\"store\": ", stdout);
    tool_json(stdout, j->path);
    printf(", \"trials\": %" PRIu64 ", \"distinct\": %" PRIu64 ", \"seconds\": ", p.trials,
           p.distinct);
    tool_json_number(stdout, p.seconds);
    fputs(", \"ended\": ", stdout);
    tool_json(stdout, nas_ended_text(nas_search_ended(j->search)));
    printf(", \"best\": {\"trial\": %" PRIu64 ", \"score\": ", best->number);
    tool_json_number(stdout, best->score);
    fputs(", \"arch\": ", stdout);
    tool_json(stdout, best->arch);
    fputs(", \"file\": ", stdout);
    tool_json(stdout, arch);
    if (trained == NULL) {
        puts("}, \"final\": null}");
        return;
    }
    fputs("}, \"final\": {", stdout);
    tool_trained_json(stdout, trained, weights);
    puts("}}");
}

/* The last lines: what each file is, and what to try next. */
static void say_files(const job *j, const char *weights, const char *arch, const char *page) {
    const char *space = tool_settings_get(&j->settings, "", "space", "quick");
    int width = (int)strlen(j->parts.trains ? weights : arch);
    if (width < (int)strlen(page)) width = (int)strlen(page);
    printf("\n%-*s  every trial; try:  nas list --best 5 %s\n", width, j->path, j->path);
    printf("%-*s  a page about it, for a browser\n", width, page);
    if (j->parts.trains) printf("%-*s  the trained weights, for PyTorch too\n", width, weights);
    printf("%-*s  the best architecture; try:  nas arch info %s \"$(cat %s)\"", width, arch, space,
           arch);
    for (size_t i = 0; i < j->settings.n; i++)
        if (strcmp(j->settings.items[i].section, "parameters") == 0)
            printf(" -p %s=%s", j->settings.items[i].key, j->settings.items[i].value);
    printf("\n\nThe same search again, compared turn by turn:  nas replay %s\n", j->path);
}

static int leave(job *j, const nas_trial *best, const nas_arch *arch, const char *what,
                 const char *weights, const char *file) {
    tool_trained trained;
    bool trains = j->parts.trains;
    if (trains) {
        tool_training t = {j->context,       arch,     j->parts.data, &j->parts.final, weights,
                           "final training", j->store, what,          &j->lines};
        int code = tool_train(&t, &trained);
        if (code) return code;
        if (trained.interrupted) return interrupted(j);
    }
    if (write_text(j->context, file, best->arch) < 0) return tool_failed(j->context);
    char *page = tool_join(j->folder, "report.html");
    int code = !page                                                      ? tool_memory()
               : tool_report(j->context, j->store, NULL, false, page) < 0 ? tool_failed(j->context)
                                                                          : 0;
    if (!code && j->json) {
        say_json(j, best, trains ? &trained : NULL, weights, file);
    } else if (!code) {
        if (trains) {
            printf("final training%s: ", trained.was_there ? " (done before)" : "");
            tool_trained_say(&trained);
        }
        if (!j->lines.quiet) say_files(j, weights, file, page);
    }
    free(page);
    return code;
}

/* The best one's hyper-parameters are those of its longer training too, but for what `final` names.
 */
static int take_hyper(job *j, const nas_arch *arch) {
    for (uint32_t d = 0; d < nas_space_decisions(j->parts.space); d++) {
        nas_decision about = {.struct_size = sizeof about};
        nas_value value;
        char text[160];
        if (nas_space_decision(j->parts.space, d, &about) < 0) return tool_failed(j->context);
        if (about.role != NAS_ROLE_HYPERPARAMETER || !nas_arch_active(arch, d) ||
            strcmp(about.name, "epochs") == 0 ||
            tool_settings_get(&j->settings, "final", about.name, NULL))
            continue;
        if (nas_arch_value(arch, d, &value) < 0) return tool_failed(j->context);
        if (about.kind == NAS_DECISION_REAL)
            snprintf(text, sizeof text, "%s=%.17g", about.name, value.real);
        else if (about.kind == NAS_DECISION_INTEGER)
            snprintf(text, sizeof text, "%s=%" PRId64, about.name, value.integer);
        else
            snprintf(text, sizeof text, "%s=%s", about.name, about.alternatives[value.integer]);
        nas_status status = nas_train_options_set(j->context, &j->parts.final, text);
        if (status < 0 && status != NAS_E_NOT_FOUND) /* another evaluator's may be unknown here */
            return tool_failed(j->context);
    }
    return 0;
}

static int finish(job *j) {
    nas_trial best = {.struct_size = sizeof best};
    nas_arch *arch = NULL;
    if (nas_search_best(j->search, &best) < 0 ||
        nas_arch_parse(&arch, j->parts.space, best.arch) < 0)
        return tool_failed(j->context);
    if (!j->lines.quiet)
        printf("best of the search: trial %" PRIu64 "  %s\n", best.number + 1, best.arch);
    fflush(stdout);
    char *weights = tool_join(j->folder, "best.safetensors"),
         *file = tool_join(j->folder, "best.arch"),
         *what = j->parts.trains ? identity(j, arch) : NULL;
    int code = j->parts.trains ? take_hyper(j, arch) : 0;
    if (!code)
        code = weights && file && (what || !j->parts.trains)
                   ? leave(j, &best, arch, what, weights, file)
                   : tool_memory();
    free(weights);
    free(file);
    free(what);
    nas_arch_free(arch);
    return code;
}

/* ---- both commands
 * ------------------------------------------------------------------------------------------------------
 */

static int open_folder(job *j) {
    struct stat about;
    if (mkdir(j->folder, 0777) != 0 && errno != EEXIST)
        return tool_error("the folder %s cannot be made: %s", j->folder, strerror(errno));
    if (stat(j->folder, &about) != 0 || !S_ISDIR(about.st_mode))
        return tool_error("%s is there and is not a folder; name another by -o", j->folder);
    if (!j->resume && access(j->path, F_OK) == 0)
        return tool_error("%s holds a search already: add --resume to go on with it, or name "
                          "another folder by -o",
                          j->path);
    return nas_store_open(&j->store, j->context, j->path, NULL) < 0 ? tool_failed(j->context) : 0;
}

/* The settings and the space of the store that is gone on with. */
static int from_store(job *j, char **space) {
    nas_context *context = tool_context(1);
    nas_store *store = NULL;
    const char *text;
    tool_settings read;
    memset(&read, 0, sizeof read);
    int code = context ? tool_store_read(&store, context, j->path) : EXIT_FAILED;
    if (!code && (nas_store_fact(store, "settings", &text) < 0 || !*text))
        code = tool_error("%s: no search of this program is in it", j->path);
    if (!code) code = tool_settings_parse(&read, text);
    if (!code) code = tool_settings_over(&read, &j->settings);
    bool same = !tool_settings_get(&j->settings, "", "space", NULL);
    for (size_t i = 0; i < j->settings.n; i++)
        same = same && strcmp(j->settings.items[i].section, "parameters") != 0;
    /* as the store has it: a space file may have changed since, or be elsewhere */
    if (!code && same && nas_store_fact(store, "space", &text) >= 0 && !(*space = tool_copy(text)))
        code = tool_memory();
    if (code) {
        tool_settings_free(&read);
    } else {
        tool_settings_free(&j->settings);
        j->settings = read;
    }
    nas_store_free(store);
    nas_context_free(context);
    return code;
}

static int run(job *j) {
    uint64_t threads;
    char *space = NULL;
    tool_signals(NULL);
    int code = j->from_store ? from_store(j, &space) : 0;
    if (!code) code = tool_settings_whole(&j->settings, "", "threads", 4096, 0, &threads);
    if (!code && !(j->context = tool_context((unsigned)threads))) code = EXIT_FAILED;
    if (!code) code = tool_parts_open(&j->parts, j->context, &j->settings, space);
    if (!code) code = open_folder(j);
    if (!code) code = search(j);
    if (!code) code = finish(j);
    nas_search_free(j->search);
    nas_store_free(j->store);
    tool_parts_free(&j->parts);
    nas_context_free(j->context);
    tool_progress_free(j->progress);
    free(space);
    return code;
}

static void job_free(job *j) {
    tool_settings_free(&j->settings);
    free(j->folder);
    free(j->path);
}

/* Options that stand for settings. */
static const struct {
    const char *option, *setting, *argument, *about;
} conventional[] = {
    {"space", "space", "SPACE", "a preset, or a space file"},
    {"data", "data.name", "NAME", "a name, or a folder"},
    {"controller", "controller.name", "NAME", "what proposes"},
    {"seed", "seed", "N", "of all that is drawn"},
    {"trials", "budget.trials", "N", "budget.trials"},
    {"seconds", "budget.seconds", "N", "budget.seconds: a safety stop of the search"},
    {"epochs", "evaluator.epochs", "N", "evaluator.epochs: of each trial"},
    {"final-epochs", "final.epochs", "N", "final.epochs: of the training of the best"},
    {"window", "window", "N", "proposals in flight"},
    {"workers", "workers", "N", "threads that evaluate; 0: as many as fit"},
    {"threads", "threads", "N", "of the library; 0: as many as processors"},
    {"tuning", "tuning", "FILE", "a table of nas tune, for all trainings"},
};
enum { CONVENTIONALS = sizeof conventional / sizeof *conventional, SET = 100, RESUME };

static void fill_options(struct poptOption rows[CONVENTIONALS + 3], bool with_resume) {
    const struct poptOption set = {"set",
                                   's',
                                   POPT_ARG_STRING,
                                   NULL,
                                   SET,
                                   "one setting, over the file's",
                                   "SECTION.KEY=VALUE"},
                            resume = {"resume", 0,      POPT_ARG_NONE,
                                      NULL,     RESUME, "go on where an earlier run stopped",
                                      NULL};
    memset(rows, 0, (CONVENTIONALS + 3) * sizeof *rows);
    *rows++ = set;
    for (int i = 0; i < CONVENTIONALS; i++)
        *rows++ = (struct poptOption){
            conventional[i].option,  0, POPT_ARG_STRING, NULL, 1 + i, conventional[i].about,
            conventional[i].argument};
    if (with_resume) *rows = resume;
}

static int take(void *user, int option, const char *text) {
    job *j = user;
    if (option == RESUME) {
        j->resume = true;
        return 0;
    }
    if (option == SET) return tool_settings_set(&j->settings, text);
    const char *name = conventional[option - 1].setting, *dot = strchr(name, '.');
    char section[32] = "";
    if (dot) snprintf(section, sizeof section, "%.*s", (int)(dot - name), name);
    return tool_settings_put(&j->settings, section, dot ? dot + 1 : name, text) ? 0 : tool_memory();
}

static int start(job *j, tool_request *r) {
    int code = 0;
    char setting[256];
    for (size_t i = 0; !code && i < r->n_parameters; i++) {
        snprintf(setting, sizeof setting, "parameters.%s", r->parameters[i]);
        code = tool_settings_set(&j->settings, setting);
    }
    j->json = r->json;
    tool_lines_begin(&j->lines, r->quiet || r->json);
    return code ? code : run(j);
}

int cmd_search(int argc, const char **argv) {
    struct poptOption options[CONVENTIONALS + 3];
    fill_options(options, true);
    const tool_command about = {
        "search",
        "[FILE.yaml]",
        "Searches a space as the file says (docs/search-file.md), then trains the best network "
        "for\n"
        "longer and measures it on the test images. Each setting of the file is an option too:\n"
        "--set budget.trials=8. Ctrl-C ends it cleanly; --resume goes on.",
        "folder for the store and the weights; nas-out",
        TAKES_OUTPUT | TAKES_JSON | TAKES_QUIET | TAKES_PARAM,
        0,
        1,
        options,
        take};
    job j;
    tool_request r;
    int code;
    memset(&j, 0, sizeof j);
    if (tool_read(&r, &about, &j, argc, argv, &code)) {
        tool_settings read;
        memset(&read, 0, sizeof read);
        j.folder = tool_copy(r.output ? r.output : "nas-out");
        j.path = j.folder ? tool_join(j.folder, "search.nas") : NULL;
        j.from_store = r.n_words == 0 && j.resume;
        if (!j.path)
            code = tool_memory();
        else if (r.n_words == 0 && !j.resume && j.settings.n == 0 && r.n_parameters == 0)
            code = tool_usage("search takes a search file, or settings as options; nas search "
                              "--help says more");
        else if (r.n_words)
            code = tool_settings_read(&read, r.words[0]);
        if (!code) code = tool_settings_over(&read, &j.settings);
        if (!code && r.n_words) {
            tool_settings_free(&j.settings);
            j.settings = read;
            memset(&read, 0, sizeof read);
        }
        tool_settings_free(&read);
        if (!code) code = start(&j, &r);
        tool_request_free(&r);
    }
    job_free(&j);
    return code;
}

int cmd_resume(int argc, const char **argv) {
    struct poptOption options[CONVENTIONALS + 3];
    fill_options(options, false);
    const tool_command about = {"resume",
                                "STORE",
                                "Goes on with a search after Ctrl-C, kill -9 or a power cut, with "
                                "the final training too, to\n"
                                "the same bits as if it had never stopped. STORE is its file, or "
                                "the folder that holds it.\n"
                                "Budgets may grow: nas resume nas-out --trials=60",
                                NULL,
                                TAKES_JSON | TAKES_QUIET | TAKES_PARAM,
                                1,
                                1,
                                options,
                                take};
    job j;
    tool_request r;
    int code;
    memset(&j, 0, sizeof j);
    if (tool_read(&r, &about, &j, argc, argv, &code)) {
        j.resume = j.from_store = true;
        j.path = tool_store_path(r.words[0]);
        const char *slash = j.path ? strrchr(j.path, '/') : NULL;
        if (j.path) j.folder = tool_copy(slash ? j.path : ".");
        if (j.folder && slash) j.folder[slash == j.path ? 1 : slash - j.path] = 0;
        code = j.folder ? start(&j, &r) : tool_memory();
        tool_request_free(&r);
    }
    job_free(&j);
    return code;
}
