/* The parts that the settings of a search name: space, data, controller, evaluator, budgets. All of
 * them are checked before anything is trained or written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "nas.h"

int tool_space(nas_space **out, nas_context *context, const char *what, char *const *parameters,
               size_t n) {
    nas_status status = nas_space_open(out, context, what, (const char *const *)parameters, n);
    return status < 0 ? tool_failed(context) : 0;
}

int tool_train_options(nas_train_options *out, nas_context *context, char *const *settings,
                       size_t n) {
    nas_status status = NAS_OK;
    nas_evaluator *tried = NULL;
    for (size_t i = 0; status >= 0 && i < n; i++)
        status = nas_train_options_set(context, out, settings[i]);
    if (status >= 0) status = nas_evaluator_train(&tried, context, out); /* are they in range? */
    nas_evaluator_free(tried);
    return status < 0 ? tool_failed(context) : 0;
}

int tool_tuning(nas_tuning **out, nas_context *context, const char *path) {
    *out = NULL;
    return path && *path && nas_tuning_load(out, context, path) < 0 ? tool_failed(context) : 0;
}

static int open_space(tool_parts *p, const tool_settings *s, const char *space_text) {
    if (space_text) {
        nas_status status = nas_space_parse(&p->space, p->context, space_text, strlen(space_text),
                                            "the store's space", NULL, 0);
        return status < 0 ? tool_failed(p->context) : 0;
    }
    size_t n;
    char **list = tool_settings_list(s, "parameters", "", &n);
    int code = list ? tool_space(&p->space, p->context, tool_settings_get(s, "", "space", "quick"),
                                 list, n)
                    : tool_memory();
    tool_list_free(list, n);
    return code;
}

static int open_data(tool_parts *p, const tool_settings *s) {
    size_t n;
    nas_dataset_options o = NAS_DATASET_OPTIONS_INIT;
    char **list = tool_settings_list(s, "data", "name", &n);
    nas_status status = NAS_OK;
    if (!list) return tool_memory();
    for (size_t i = 0; status >= 0 && i < n; i++)
        status = nas_dataset_options_set(p->context, &o, list[i]);
    tool_list_free(list, n);
    if (status >= 0)
        status = nas_dataset_open(&p->data, p->context,
                                  tool_settings_get(s, "data", "name", "fashion-mnist"), &o);
    return status < 0 ? tool_failed(p->context) : 0;
}

/* What an earlier search found, told to the controller: "warm_start: FILE.nas" beside its name. */
static nas_status warm_start(tool_parts *p, const char *path) {
    nas_store_options options = NAS_STORE_OPTIONS_INIT;
    nas_store *store = NULL;
    options.read_only = 1;
    options.create = 0;
    nas_status status = nas_store_open(&store, p->context, path, &options);
    if (status >= 0) status = nas_controller_warm_start(p->controller, p->space, store, NULL);
    nas_store_free(store);
    return status;
}

static int open_controller(tool_parts *p, const tool_settings *s) {
    size_t n;
    char **list = tool_settings_list(s, "controller", "name", &n);
    if (!list) return tool_memory();
    for (size_t i = 0; i < n; i++) /* that one is the loop's, not the controller's */
        if (!strncmp(list[i], "warm_start=", 11)) {
            free(list[i]);
            list[i--] = list[--n];
            list[n] = NULL;
        }
    nas_status status = nas_controller_named(
        &p->controller, p->space, tool_settings_get(s, "controller", "name", "evolution"),
        (const char *const *)list, n);
    tool_list_free(list, n);
    const char *earlier = tool_settings_get(s, "controller", "warm_start", "");
    if (status >= 0 && earlier[0]) status = warm_start(p, earlier);
    return status < 0 ? tool_failed(p->context) : 0;
}

static int open_evaluator(tool_parts *p, const tool_settings *s) {
    size_t n;
    char **list = tool_settings_list(s, "evaluator", "name", &n);
    if (!list) return tool_memory();
    const char *name = tool_settings_get(s, "evaluator", "name", "train");
    nas_status status = NAS_OK;
    int code = 0;
    if (strcmp(name, "train") == 0) {
        p->trial.tuning = p->tuning;
        code = tool_train_options(&p->trial, p->context, list, n);
        if (!code) status = nas_evaluator_train(&p->evaluator, p->context, &p->trial);
    } else {
        status = nas_evaluator_named(&p->evaluator, p->context, name, (const char *const *)list, n);
    }
    if (status < 0) code = tool_failed(p->context);
    tool_list_free(list, n);
    return code;
}

static int final_options(tool_parts *p, const tool_settings *s) {
    size_t n;
    char **list = tool_settings_list(s, "final", "", &n);
    if (!list) return tool_memory();
    p->final.use_validation = 1;
    p->final.validate = 0;
    p->final.tuning = p->tuning;
    int code = tool_settings_whole(s, "", "seed", UINT64_MAX, 0, &p->final.seed);
    if (!code) code = tool_train_options(&p->final, p->context, list, n);
    tool_list_free(list, n);
    return code;
}

static bool has_section(const tool_settings *s, const char *section) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->items[i].section, section) == 0) return true;
    return false;
}

int tool_parts_open(tool_parts *p, nas_context *context, const tool_settings *s,
                    const char *space_text) {
    nas_search_options o;
    memset(p, 0, sizeof *p);
    p->context = context;
    nas_train_options_init(&p->trial);
    nas_train_options_init(&p->final);
    /* what is quick to check first */
    int code = tool_parts_options(p, s, &o);
    if (!code) code = tool_tuning(&p->tuning, context, tool_settings_get(s, "", "tuning", NULL));
    if (!code) code = final_options(p, s);
    if (!code) code = open_evaluator(p, s);
    if (!code) code = open_space(p, s, space_text);
    if (!code) code = open_controller(p, s);
    /* A table's networks were trained by others: there is nothing to train, unless it is asked for.
     */
    p->trains = strcmp(tool_settings_get(s, "evaluator", "name", "train"), "table") != 0 ||
                has_section(s, "data") || has_section(s, "final");
    if (!code && p->trains) code = open_data(p, s);
    if (code) tool_parts_free(p);
    return code;
}

void tool_parts_free(tool_parts *p) {
    nas_evaluator_free(p->evaluator);
    nas_tuning_free(p->tuning);
    nas_controller_free(p->controller);
    nas_dataset_free(p->data);
    nas_space_free(p->space);
    free(p->objective_names);
    memset(p, 0, sizeof *p);
}

/* The next of "a,b,c", blanks around it left out; false: there is none. */
static bool next_of(const char **list, const char **text, size_t *n) {
    const char *at = *list;
    if (at == NULL) return false;
    *n = strcspn(at, ",");
    *list = at[*n] ? at + *n + 1 : NULL;
    for (; *n && *at == ' '; at++)
        --*n;
    while (*n && at[*n - 1] == ' ')
        --*n;
    *text = at;
    return true;
}

/* "objective.KEY": one number for each metric, in their order. */
static int objective_numbers(tool_parts *p, const tool_settings *s, const char *key,
                             double *(*member)(nas_objective *)) {
    const char *list = tool_settings_get(s, "objective", key, NULL), *whole = list, *text;
    uint32_t i = 0;
    size_t n;
    while (next_of(&list, &text, &n)) {
        char number[64], *end = NULL;
        snprintf(number, sizeof number, "%.*s", (int)(n < 63 ? n : 63), text);
        double value = n ? strtod(number, &end) : 0;
        if (n == 0 || *end || !isfinite(value))
            return tool_usage("objective.%s: '%s' is not a number", key, number);
        if (i == p->n_objectives)
            return tool_usage("objective.%s: '%s' has more numbers than there are metrics, %u", key,
                              whole, p->n_objectives);
        *member(&p->objectives[i++]) = value;
    }
    if (whole && i < p->n_objectives)
        return tool_usage("objective.%s: '%s' has %u numbers for %u metrics", key, whole, i,
                          p->n_objectives);
    return 0;
}
static double *weight_of(nas_objective *o) {
    return &o->weight;
}
static double *limit_of(nas_objective *o) {
    return &o->limit;
}
static double *exponent_of(nas_objective *o) {
    return &o->exponent;
}

/* objective.minimise: true or false for all, or the names of those that are to be small. */
static int objective_minimise(tool_parts *p, const tool_settings *s) {
    const char *list = tool_settings_get(s, "objective", "minimise", "false"), *text;
    bool all = strcmp(list, "true") == 0;
    size_t n;
    for (uint32_t i = 0; i < p->n_objectives; i++)
        p->objectives[i].minimise = all;
    if (all || strcmp(list, "false") == 0) return 0;
    while (next_of(&list, &text, &n)) {
        uint32_t i = 0;
        while (i < p->n_objectives && (strlen(p->objectives[i].metric) != n ||
                                       memcmp(p->objectives[i].metric, text, n) != 0))
            i++;
        if (i == p->n_objectives)
            return tool_usage(
                "objective.minimise: '%.*s' is neither true nor false, and no metric of "
                "the objective",
                (int)(n < 63 ? n : 63), text);
        p->objectives[i].minimise = 1;
    }
    return 0;
}

/* objective.metric: one name, or several. */
static int objectives(tool_parts *p, const tool_settings *s) {
    const char *list = tool_settings_get(s, "objective", "metric", "accuracy"), *text;
    size_t n;
    free(p->objective_names);
    p->n_objectives = 0;
    p->objective_names = calloc(1, strlen(list) + 1);
    if (!p->objective_names) return tool_memory();
    for (char *to = p->objective_names; next_of(&list, &text, &n); to += n + 1) {
        if (p->n_objectives == TOOL_OBJECTIVES)
            return tool_usage("objective.metric names more than %d metrics", TOOL_OBJECTIVES);
        if (n == 0 || n > 63)
            return tool_usage("objective.metric: a metric's name has 1 to 63 characters");
        memcpy(to, text, n);
        for (uint32_t i = 0; i < p->n_objectives; i++)
            if (strcmp(p->objectives[i].metric, to) == 0)
                return tool_usage("objective.metric names '%s' twice", to);
        p->objectives[p->n_objectives++] = (nas_objective){.metric = to, .weight = 1};
    }
    int code = objective_minimise(p, s);
    if (!code) code = objective_numbers(p, s, "weight", weight_of);
    if (!code) code = objective_numbers(p, s, "limit", limit_of);
    if (!code) code = objective_numbers(p, s, "exponent", exponent_of);
    return code;
}

int tool_parts_options(tool_parts *p, const tool_settings *s, nas_search_options *o) {
    uint64_t window, workers;
    nas_search_options_init(o);
    int code = objectives(p, s);
    if (!code) code = tool_settings_whole(s, "", "seed", UINT64_MAX, 0, &o->seed);
    if (!code) code = tool_settings_whole(s, "", "window", 65536, 1, &window);
    if (!code) code = tool_settings_whole(s, "", "workers", 4096, 0, &workers);
    if (!code) code = tool_settings_whole(s, "budget", "trials", UINT64_MAX, 0, &o->max_trials);
    if (!code)
        code = tool_settings_whole(s, "budget", "evaluations", UINT64_MAX, 0, &o->max_evaluations);
    if (!code) code = tool_settings_real(s, "budget", "epochs", 0, 0, &o->max_epochs);
    if (!code) code = tool_settings_real(s, "budget", "seconds", 0, 0, &o->max_seconds);
    if (!code) code = tool_settings_real(s, "budget", "trial_seconds", 0, 0, &o->trial_seconds);
    if (!code) code = tool_settings_real(s, "budget", "target", -INFINITY, NAN, &o->target);
    if (code) return code;
    p->named.name = "train";
    p->named.evaluator = p->evaluator;
    o->space = p->space;
    o->controller = p->controller;
    o->evaluators = &p->named;
    o->n_evaluators = 1;
    o->objectives = p->objectives;
    o->n_objectives = p->n_objectives;
    o->data = p->data;
    o->window = (uint32_t)window;
    o->workers = (uint32_t)workers;
    return 0;
}
