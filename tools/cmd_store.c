/* nas dump, nas list: what is in a store. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "nas.h"

char *tool_store_path(const char *given) {
    struct stat about;
    if (stat(given, &about) == 0 && S_ISDIR(about.st_mode)) return tool_join(given, "search.nas");
    return tool_copy(given);
}

int tool_store_read(nas_store **out, nas_context *context, const char *path) {
    nas_store_options o = NAS_STORE_OPTIONS_INIT;
    o.read_only = 1;
    o.create = 0;
    return nas_store_open(out, context, path, &o) < 0 ? tool_failed(context) : 0;
}

/* One store, read, and its text. */
static int with_store(const tool_request *r, void *user,
                      int (*write)(void *user, nas_context *context, nas_store *store,
                                   const tool_request *r, FILE *to)) {
    nas_store *store = NULL;
    tool_output out;
    char *path = tool_store_path(r->words[0]);
    nas_context *context = tool_context(1);
    int code = !path     ? tool_memory()
               : context ? tool_store_read(&store, context, path)
                         : EXIT_FAILED;
    if (!code) code = tool_output_open(&out, r->output);
    if (!code) code = tool_output_close(&out, context, write(user, context, store, r, out.to));
    nas_store_free(store);
    nas_context_free(context);
    free(path);
    return code;
}

/* ---- nas dump
 * -------------------------------------------------------------------------------------------------------
 */

static nas_status to_file(void *user, const void *bytes, size_t n) {
    return fwrite(bytes, 1, n, user) == n ? NAS_OK : NAS_E_IO;
}

static int dump(void *user, nas_context *context, nas_store *store, const tool_request *r,
                FILE *to) {
    nas_sink *sink = NULL;
    (void)user, (void)r;
    nas_status status = nas_sink_create(&sink, context, to_file, to);
    if (status >= 0) status = nas_store_dump(store, sink);
    if (status >= 0) status = nas_sink_close(sink);
    nas_sink_free(sink);
    if (status == NAS_E_IO) return tool_error("standard output cannot be written");
    return status < 0 ? tool_failed(context) : 0;
}

static int take_dump(void *user, int option, const char *text) {
    (void)user, (void)option, (void)text; /* --canonical: what a dump is */
    return 0;
}

int cmd_dump(int argc, const char **argv) {
    static const struct poptOption options[] = {{"canonical", 0, POPT_ARG_NONE, NULL, 1,
                                                 "what must be equal; the only form there is",
                                                 NULL},
                                                POPT_TABLEEND};
    static const tool_command about = {"dump",
                                       "STORE",
                                       "What must be equal between equal runs, as text, one fact "
                                       "or trial a line: no times, no hosts,\n"
                                       "no thread counts. Compare two with cmp or diff.",
                                       "file instead of standard output",
                                       TAKES_OUTPUT,
                                       1,
                                       1,
                                       options,
                                       take_dump};
    tool_request r;
    int code;
    if (!tool_read(&r, &about, NULL, argc, argv, &code)) return code;
    code = with_store(&r, NULL, dump);
    tool_request_free(&r);
    return code;
}

/* ---- nas list
 * -------------------------------------------------------------------------------------------------------
 */

enum { BEST = 1, SORT };
static const char *const keys[] = {"trial", "score", "accuracy", "params", "macs", "seconds", NULL};

typedef struct {
    const char *sort; /* of keys; NULL: not given */
    uint64_t best;    /* 0: all */
} wish;

typedef struct {
    nas_trial t;
    double accuracy, params, macs, key;
} row;

static int take_list(void *user, int option, const char *text) {
    wish *w = user;
    if (option == BEST) {
        int code = tool_option_whole("--best", text, UINT64_MAX, &w->best);
        return !code && w->best == 0 ? tool_usage("--best: at least 1") : code;
    }
    for (size_t i = 0; keys[i]; i++)
        if (strcmp(keys[i], text) == 0) w->sort = keys[i];
    if (w->sort && strcmp(w->sort, text) == 0) return 0;
    const char *near = tool_nearest(text, keys);
    if (near) return tool_usage("--sort: there is no '%s'; did you mean '%s'?", text, near);
    return tool_usage(
        "--sort: there is no '%s'; there are: trial score accuracy params macs seconds", text);
}

static double number_of(nas_store *store, uint64_t trial, const char *metric) {
    double value;
    return nas_store_metric(store, trial, metric, &value) >= 0 ? value : NAN;
}

/* By key; what has none comes last; of equals the earlier first. */
static int by_key(const void *a, const void *b) {
    const row *x = a, *y = b;
    bool no_x = isnan(x->key), no_y = isnan(y->key);
    if (no_x != no_y) return no_x ? 1 : -1;
    if (!no_x && x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->t.number < y->t.number ? -1 : 1;
}

static double key_of(const row *r, const char *sort) {
    if (strcmp(sort, "trial") == 0) return (double)r->t.number;
    if (strcmp(sort, "score") == 0) return -r->t.score; /* best first */
    if (strcmp(sort, "accuracy") == 0) return -r->accuracy;
    if (strcmp(sort, "params") == 0) return r->params;
    if (strcmp(sort, "macs") == 0) return r->macs;
    return r->t.seconds;
}

static void sort_by(row *rows, uint64_t n, const char *key) {
    for (uint64_t i = 0; i < n; i++)
        rows[i].key = key_of(&rows[i], key);
    qsort(rows, (size_t)n, sizeof *rows, by_key);
}

static void list_json(nas_store *store, const row *r, bool best, FILE *to) {
    static const char *const states[] = {"complete", "stopped", "infeasible", "cached"};
    const char *name;
    double value;
    fprintf(to,
            "{\"trial\": %" PRIu64 ", \"best\": %s, \"state\": \"%s\", \"score\": ", r->t.number,
            best ? "true" : "false",
            r->t.state >= 0 && r->t.state < 4 ? states[r->t.state] : "unknown");
    tool_json_number(to, r->t.score);
    fputs(", \"arch\": ", to);
    tool_json(to, r->t.arch);
    fputs(", \"parent\": ", to);
    if (r->t.parent == NAS_TRIAL_NONE)
        fputs("null", to);
    else
        fprintf(to, "%" PRIu64, r->t.parent);
    fprintf(to, ", \"generation\": %" PRIu64 ", \"seconds\": ", r->t.generation);
    tool_json_number(to, r->t.seconds);
    if (*r->t.sentence) {
        fputs(", \"reason\": ", to);
        tool_json(to, r->t.sentence);
    }
    fputs(", \"metrics\": {", to);
    for (uint32_t i = 0; nas_store_metric_at(store, r->t.number, i, &name, &value) >= 0 && name;
         i++) {
        if (i) fputs(", ", to);
        tool_json(to, name);
        fputs(": ", to);
        tool_json_number(to, value);
    }
    fputs("}}", to);
}

static void list_text(const row *r, bool best, FILE *to) {
    fprintf(to, "%c%5" PRIu64 "  ", best ? '*' : ' ', r->t.number + 1); /* people count from 1 */
    if (isfinite(r->accuracy))
        fprintf(to, "%6.2f %%", 100 * r->accuracy);
    else if (isfinite(r->t.score))
        fprintf(to, "%8.4g", r->t.score);
    else
        fprintf(to, "%8s", "-");
    if (isfinite(r->params))
        fprintf(to, "  %9.0f", r->params);
    else
        fprintf(to, "  %9s", "-");
    fprintf(to, "  %6.1f s  %s%s%s\n", r->t.seconds, r->t.arch, *r->t.sentence ? "  : " : "",
            r->t.sentence);
}

static int list(void *user, nas_context *context, nas_store *store, const tool_request *r,
                FILE *to) {
    const wish *w = user;
    const char *sort = w->sort ? w->sort : w->best ? "score" : "trial";
    uint64_t n = 0, best = 0;
    bool any = false;
    double most = -INFINITY;
    nas_status status = nas_store_trials(store, &n);
    row *rows = n < SIZE_MAX / sizeof *rows ? calloc((size_t)n + 1, sizeof *rows) : NULL;
    if (!rows) return tool_memory();
    for (uint64_t i = 0; status >= 0 && i < n; i++) {
        rows[i].t.struct_size = sizeof rows[i].t;
        status = nas_store_trial(store, i, &rows[i].t);
        if (status < 0) break;
        rows[i].accuracy = number_of(store, i, "accuracy");
        rows[i].params = number_of(store, i, "params");
        rows[i].macs = number_of(store, i, "macs");
        if (isfinite(rows[i].t.score) && rows[i].t.score > most) {
            most = rows[i].t.score;
            best = i;
            any = true;
        }
    }
    if (status >= 0) {
        if (w->best) {
            sort_by(rows, n, "score");
            if (w->best < n) n = w->best;
        }
        sort_by(rows, n, sort);
        if (!r->json) fputs(" trial  accuracy     params      time  architecture\n", to);
        for (uint64_t i = 0; i < n; i++) {
            bool is_best = any && rows[i].t.number == best;
            if (r->json) {
                fputs(i ? ",\n " : "[", to);
                list_json(store, &rows[i], is_best, to);
            } else {
                list_text(&rows[i], is_best, to);
            }
        }
        if (r->json) fputs(n ? "]\n" : "[]\n", to);
    }
    free(rows);
    return status < 0 ? tool_failed(context) : 0;
}

int cmd_list(int argc, const char **argv) {
    static const struct poptOption options[] = {
        {"best", 'b', POPT_ARG_STRING, NULL, BEST, "only the N best, best first", "N"},
        {"sort", 0, POPT_ARG_STRING, NULL, SORT,
         "trial (default), score, accuracy, params, macs, seconds", "KEY"},
        POPT_TABLEEND};
    static const tool_command about = {"list",
                                       "STORE",
                                       "The trials of a store; a star marks the best. STORE is its "
                                       "file, or the folder that holds it.",
                                       "file instead of standard output",
                                       TAKES_OUTPUT | TAKES_JSON,
                                       1,
                                       1,
                                       options,
                                       take_list};
    wish w = {NULL, 0};
    tool_request r;
    int code;
    if (!tool_read(&r, &about, &w, argc, argv, &code)) return code;
    code = with_store(&r, &w, list);
    tool_request_free(&r);
    return code;
}
