/* What a report says of a store: one pass over the trials, then what is best of them. */
#include <math.h>
#include <stdio.h>
#include "parts.h"

/* ---- facts
 * --------------------------------------------------------------------------------------- */

const char *ni_report_fact(const ni_report *r, const char *key) {
    const char *value = ni_store_find_fact(r->store, key);
    return value && *value ? value : NULL;
}

bool ni_report_line(const char **lines, char *line, size_t capacity) {
    size_t n = strcspn(*lines, "\n"), taken = n < capacity ? n : capacity - 1;
    if (**lines == 0) return false;
    memcpy(line, *lines, taken);
    line[taken] = 0;
    *lines += n + ((*lines)[n] == '\n');
    return true;
}

bool ni_report_number(const ni_report *r, const char *key, double *out) {
    const char *text = ni_report_fact(r, key);
    return text && ni_parse_f64(text, strlen(text), out) && isfinite(*out);
}

const char *ni_report_setting(uint32_t index, const char **name) {
    static const struct {
        const char *key, *name;
    } all[] = {{"space_name", "space"},
               {"controller", "controller"},
               {"evaluators", "evaluator"},
               {"objectives", "objective"},
               {"data", "data"},
               {"seed", "seed"},
               {"window", "window"},
               {"order", "order"},
               {"reuse", "reuse of results"},
               {"max_trials", "most trials"},
               {"max_evaluations", "most evaluations"},
               {"max_epochs", "most epochs"},
               {"max_seconds", "most seconds"},
               {"trial_seconds", "most seconds a trial"},
               {"target", "target score"},
               {"libnas", "libnas"},
               {"isa", "instruction set"}};
    if (index >= NI_COUNT(all)) return NULL;
    *name = all[index].name;
    return all[index].key;
}

const char *ni_report_reason(int32_t reason) {
    static const char *const texts[NI_REPORT_REASONS] = {
        "no reason given",   "diverged",   "out of memory",   "out of time",
        "evaluation failed", "constraint", "worker vanished", "other"};
    return texts[reason >= 0 && reason < NI_REPORT_REASONS ? reason : NAS_REASON_OTHER];
}

const char *ni_report_state(int32_t state) {
    static const char *const texts[] = {"complete", "stopped early", "infeasible", "cached"};
    return state >= 0 && state < (int32_t)NI_COUNT(texts) ? texts[state] : "unknown";
}

void ni_report_title(const ni_report *r, ni_text *to) {
    const char *space = ni_report_fact(r, "space_name"), *by = ni_report_fact(r, "controller");
    const char *given = r->options.title ? r->options.title : ni_report_fact(r, "report.title");
    if (given) {
        ni_text_add(to, given);
        return;
    }
    ni_text_f(to, "Search of %s%s%s", space ? space : "an unnamed space", by ? " by " : "",
              by ? by : "");
}

/* "epoch loss seconds" a line. */
size_t ni_report_final_curve(const ni_report *r, double *xy, size_t capacity) {
    const char *at = ni_report_fact(r, "final.curve");
    size_t n = 0;
    while (at && *at && n < capacity) {
        const char *end = strchr(at, '\n');
        size_t line = end ? (size_t)(end - at) : strlen(at), a = 0, b, c;
        while (a < line && at[a] != ' ')
            a++;
        b = a < line ? a + 1 : a;
        for (c = b; c < line && at[c] != ' ';)
            c++;
        if (ni_parse_f64(at, a, &xy[2 * n]) && ni_parse_f64(at + b, c - b, &xy[2 * n + 1]) &&
            isfinite(xy[2 * n]) && isfinite(xy[2 * n + 1]))
            n++;
        at += line + (end != NULL);
    }
    return n;
}

/* ---- trials
 * -------------------------------------------------------------------------------------- */

double ni_report_metric(const ni_report *r, uint64_t trial, const char *name) {
    const char *have;
    double value;
    for (uint32_t i = 0; nas_store_metric_at(r->store, trial, i, &have, &value) >= 0 && have; i++)
        if (!strcmp(have, name)) return value;
    return NAN;
}

bool ni_report_row(const ni_report *r, ni_text *to, uint64_t trial, ni_trial_row *out) {
    if (!ni_store_row(r->store, trial, out)) return false;
    nas_status status = ni_store_texts(r->store, out);
    if (status >= 0) return true;
    to->status = status;
    out->arch = out->note = "";
    return true;
}

double ni_report_value(const ni_report *r, uint64_t trial) {
    ni_trial_row row;
    if (!ni_store_row(r->store, trial, &row) || row.state == NAS_STATE_INFEASIBLE) return NAN;
    double value = r->is_score ? row.score : ni_report_metric(r, trial, r->metric);
    return isfinite(value) ? value : NAN;
}

nas_status ni_report_costs(const ni_report *r, uint64_t trial, double *params, double *macs) {
    ni_trial_row row;
    *params = ni_report_metric(r, trial, "params");
    *macs = ni_report_metric(r, trial, "macs");
    if ((isfinite(*params) && isfinite(*macs)) || !r->space || !nas_space_has_network(r->space) ||
        !ni_store_row(r->store, trial, &row) || !row.has_arch)
        return NAS_OK;
    NI_TRY(ni_store_texts(r->store, &row));
    nas_arch *arch;
    nas_arch_cost cost = {.struct_size = sizeof cost};
    nas_status status = nas_arch_parse(&arch, r->space, row.arch);
    if (status >= 0) {
        status = nas_arch_costs(arch, &cost);
        if (status >= 0 && !isfinite(*params)) *params = (double)cost.params;
        if (status >= 0 && !isfinite(*macs)) *macs = (double)cost.macs;
        nas_arch_free(arch);
    }
    return status == NAS_E_MEMORY ? status : NAS_OK; /* without costs, as graphs are left out */
}

nas_status ni_report_graphs(const ni_report *r, uint64_t trial, ni_draw_graph **out, uint32_t *n) {
    ni_trial_row row;
    nas_arch *arch;
    *out = NULL;
    *n = 0;
    if (!r->space || !ni_store_row(r->store, trial, &row) || !row.has_arch) return NAS_OK;
    NI_TRY(ni_store_texts(r->store, &row));
    nas_status status = nas_arch_parse(&arch, r->space, row.arch);
    if (status == NAS_E_MEMORY) return status;
    if (status < 0) return NAS_OK; /* a space that has changed, or an operation that is not there */
    status = ni_arch_graphs(arch, out, n);
    nas_arch_free(arch);
    return status;
}

/* ---- what the report is about
 * ---------------------------------------------------------------------- */

/* From "maximise accuracy weight 1; minimise ...": the metric when there is one alone. */
static void find_metric(ni_report *r) {
    const char *text = ni_report_fact(r, "objectives");
    snprintf(r->metric, sizeof r->metric, "score");
    r->is_score = true;
    if (!text || strstr(text, "; m") || strstr(text, " exponent ")) return;
    bool minimise = !strncmp(text, "minimise ", 9);
    if (!minimise && strncmp(text, "maximise ", 9) != 0) return;
    const char *end = strstr(text + 9, " weight ");
    size_t n = end ? (size_t)(end - text - 9) : 0;
    if (n == 0 || n >= sizeof r->metric) return;
    memcpy(r->metric, text + 9, n);
    r->metric[n] = 0;
    r->is_score = false;
    r->minimise = minimise;
}

static nas_status find_space(ni_report *r) {
    const char *text = ni_report_fact(r, "space");
    r->space = r->options.space;
    if (r->space) return NAS_OK;
    if (!text) {
        snprintf(r->problem, sizeof r->problem, "the store does not hold the space's text");
        return NAS_OK;
    }
    nas_status status = nas_space_parse(&r->made, r->context, text, strlen(text),
                                        "the space in the store", NULL, 0);
    if (status == NAS_E_MEMORY) return status;
    if (status < 0) snprintf(r->problem, sizeof r->problem, "%s", nas_context_error(r->context));
    r->space = r->made;
    return NAS_OK;
}

typedef struct {
    ni_map *networks;
    NI_ARRAY(ni_key) ranked; /* key: minus the score */
    double best;
    bool has_best, costs;
} pass;

static nas_status look_at(ni_report *r, pass *p, uint64_t trial) {
    ni_trial_row row;
    double value = ni_report_value(r, trial), params = NAN, macs = NAN;
    if (!ni_store_row(r->store, trial, &row)) return NAS_OK;
    r->complete += row.state == NAS_STATE_COMPLETE;
    r->stopped += row.state == NAS_STATE_STOPPED;
    r->cached += row.state == NAS_STATE_CACHED;
    if (row.state == NAS_STATE_INFEASIBLE) {
        uint32_t reason = row.reason >= 0 && row.reason < NI_REPORT_REASONS ? (uint32_t)row.reason
                                                                            : NAS_REASON_OTHER;
        r->infeasible++;
        if (r->reasons[reason]++ == 0) r->example[reason] = trial;
    }
    if (isfinite(row.seconds) && row.seconds > 0) r->seconds += row.seconds;
    if (row.generation > r->generations) r->generations = row.generation;
    if (row.has_note) r->has_notes = true;
    if (row.has_arch) NI_TRY(ni_map_put(p->networks, row.network_hash, 1));
    if (row.state == NAS_STATE_INFEASIBLE || !isfinite(row.score)) return NAS_OK;
    r->scored++;
    NI_TRY(NI_PUSH(r->context, &p->ranked, ((ni_key){-row.score, 0, trial})));
    if (!isfinite(value)) return NAS_OK;
    if (!p->has_best || row.score > p->best) {
        p->has_best = true;
        p->best = row.score;
        NI_TRY(NI_PUSH(r->context, &r->steps, ((ni_key){value, 0, trial})));
    }
    if (p->costs)
        NI_TRY(ni_report_costs(r, trial, &params, &macs));
    else
        params = ni_report_metric(r, trial, "params");
    r->has_params = r->has_params || (isfinite(params) && params >= 0);
    return NI_PUSH(r->context, &r->points, ((ni_key){value, params, trial}));
}

/* Of equals in both, the first trial. */
static nas_status find_front(ni_report *r) {
    double sign = r->minimise ? 1 : -1, best = INFINITY;
    NI_ARRAY(ni_key) sorted = {0};
    nas_status status = NAS_OK;
    for (size_t i = 0; status >= 0 && i < r->points.n; i++) {
        const ni_key *k = &r->points.items[i];
        if (isfinite(k->other))
            status = NI_PUSH(r->context, &sorted, ((ni_key){k->other, sign * k->key, k->trial}));
    }
    if (status >= 0) ni_sort_keys(sorted.items, sorted.n);
    for (size_t i = 0; status >= 0 && i < sorted.n; i++) {
        const ni_key *k = &sorted.items[i];
        if (k->other >= best) continue;
        best = k->other;
        status = NI_PUSH(r->context, &r->front, ((ni_key){sign * k->other, k->key, k->trial}));
    }
    NI_ARRAY_FREE(r->context, &sorted);
    return status;
}

/* The best networks, each once; the table's rows. */
static nas_status rank(ni_report *r, pass *p) {
    ni_map *drawn = NULL;
    uint64_t had;
    nas_status status = ni_map_create(&drawn, r->context);
    ni_sort_keys(p->ranked.items, p->ranked.n);
    for (size_t i = 0; status >= 0 && i < p->ranked.n && r->best.n < r->options.best; i++) {
        ni_trial_row row;
        if (!ni_store_row(r->store, p->ranked.items[i].trial, &row) ||
            (row.has_arch && ni_map_get(drawn, row.network_hash, &had)))
            continue;
        status = ni_map_put(drawn, row.network_hash, 1);
        if (status >= 0) status = NI_PUSH(r->context, &r->best, row.number);
    }
    ni_map_free(drawn);
    if (status < 0) return status;
    if (r->trials <= NI_REPORT_ALL) {
        for (uint64_t t = 0; t < r->trials; t++)
            NI_TRY(NI_PUSH(r->context, &r->listed, ((ni_key){0, 0, t})));
        return NAS_OK;
    }
    for (size_t i = 0; i < p->ranked.n && i < NI_REPORT_BEST; i++)
        NI_TRY(NI_PUSH(r->context, &r->listed, p->ranked.items[i]));
    return NAS_OK;
}

static nas_status gather(ni_report *r, pass *p) {
    NI_TRY(nas_store_trials(r->store, &r->trials));
    NI_TRY(find_space(r));
    find_metric(r);
    p->costs = r->trials <= NI_REPORT_COSTED;
    NI_TRY(ni_map_create(&p->networks, r->context));
    for (uint64_t t = 0; t < r->trials; t++)
        NI_TRY(look_at(r, p, t));
    r->distinct = ni_map_count(p->networks);
    /* An accuracy in percent: by its name and by every value. */
    size_t name = strlen(r->metric);
    bool percent = name >= 8 && !strcmp(r->metric + name - 8, "accuracy");
    for (size_t i = 0; percent && i < r->points.n; i++)
        percent = r->points.items[i].key >= 0 && r->points.items[i].key <= 1;
    r->kind = percent ? NI_SAY_PERCENT : NI_SAY_PLAIN;
    NI_TRY(find_front(r));
    return rank(r, p);
}

nas_status ni_report_gather(ni_report *out, nas_store *store, const nas_report_options *given) {
    nas_context *context = ni_store_context(store);
    nas_report_options options = NAS_REPORT_OPTIONS_INIT;
    pass p = {0};
    memset(out, 0, sizeof *out);
    NI_TRY(ni_enter(context));
    NI_TRY(
        ni_options(context, &options, sizeof options, sizeof options, given, "nas_report_options"));
    if (options.flags != 0)
        return ni_fail(context, NAS_E_INVALID, "flags of the report is %u, must be 0",
                       options.flags);
    if (options.best > 100)
        return ni_fail(context, NAS_E_INVALID, "best is %u, must be 0 .. 100", options.best);
    out->context = context;
    out->store = store;
    out->options = options;
    nas_status status = gather(out, &p);
    ni_map_free(p.networks);
    NI_ARRAY_FREE(context, &p.ranked);
    if (status < 0) ni_report_free(out);
    return status;
}

void ni_report_free(ni_report *r) {
    nas_context *context = r->context;
    NI_ARRAY_FREE(context, &r->points);
    NI_ARRAY_FREE(context, &r->steps);
    NI_ARRAY_FREE(context, &r->listed);
    NI_ARRAY_FREE(context, &r->best);
    NI_ARRAY_FREE(context, &r->front);
    nas_space_free(r->made);
    memset(r, 0, sizeof *r);
}

void nas_report_options_init(nas_report_options *options) {
    *options = (nas_report_options)NAS_REPORT_OPTIONS_INIT;
}
