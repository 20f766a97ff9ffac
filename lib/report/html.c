/* The report as one page: no scripts, nothing from elsewhere, well-formed as XML too. */
#include <math.h>
#include "parts.h"

enum { ARCH_MOST = 160, TEXT_MOST = 200, SETTINGS_MOST = 20000, FRONT_MOST = 12 };

static const char page_light[] =
    "--page:#f4f6f9;--edge:#dde3ea;--accent:#2457c5;--dot:#8793a8;--won:#e9f0fd;--c0:#2457c5;"
    "--c1:#c2410c;--c2:#15803d;--c3:#a21caf;--c4:#0f766e;--c5:#92400e;";
static const char page_dark[] =
    "--page:#0b0e13;--edge:#2a323e;--accent:#86adff;--dot:#6b778a;--won:#182540;--c0:#86adff;"
    "--c1:#f59e6b;--c2:#6fcf8e;--c3:#e29bf0;--c4:#5cd0c8;--c5:#e3c06b;";

static void begin(const ni_report *r, ni_text *to) {
    ni_text title;
    ni_text_init(&title, r->context);
    ni_report_title(r, &title);
    ni_text_add(to, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                    "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>");
    ni_say_xml(to, ni_text_get(&title), TEXT_MOST);
    ni_text_add(to, "</title>\n<style>:root{color-scheme:light dark;");
    ni_text_add(to, ni_draw_light);
    ni_text_add(to, page_light);
    ni_text_add(to, "}\n@media(prefers-color-scheme:dark){:root{");
    ni_text_add(to, ni_draw_dark);
    ni_text_add(to, page_dark);
    ni_text_add(to, "}}\n");
    ni_text_add(to, ni_page_style);
    ni_text_add(to, "\n");
    ni_text_add(to, ni_chart_style);
    ni_text_add(to, "\n");
    ni_text_add(to, ni_draw_style);
    ni_text_add(to, "</style></head>\n<body><header><h1>");
    ni_say_xml(to, ni_text_get(&title), TEXT_MOST);
    ni_text_add(to, "</h1>\n<p class=\"faint\">");
    const char *ended = ni_report_fact(r, "ended"), *version = ni_report_fact(r, "libnas"),
               *isa = ni_report_fact(r, "isa");
    double started;
    if (ni_report_number(r, "started", &started)) {
        ni_text_add(to, "Started ");
        ni_say_date(to, started);
        ni_text_add(to, ". ");
    }
    if (ended) {
        ni_text_add(to, strcmp(ended, "not ended") ? "Ended: " : "");
        ni_say_xml(to, strcmp(ended, "not ended") ? ended : "Not ended yet", 60);
        ni_text_add(to, ". ");
    }
    if (version) {
        ni_text_add(to, "libnas ");
        ni_say_xml(to, version, 40);
        if (isa) ni_text_add(to, ", ");
        if (isa) ni_say_xml(to, isa, 40);
        ni_text_add(to, ".");
    }
    ni_text_add(to, "</p></header>\n<main>\n");
    if (title.status < 0 && to->status >= 0) to->status = title.status;
    ni_text_free(&title);
}

/* ---- the summary
 * --------------------------------------------------------------------------------- */

static void tile(ni_text *to, const char *name, const char *detail, bool main) {
    ni_text_f(to, "<div%s><dt>", main ? " class=\"main\"" : "");
    ni_say_xml(to, name, 64);
    ni_text_add(to, detail);
    ni_text_add(to, "</dt><dd>");
}

static void tile_number(ni_text *to, const char *name, double value, ni_say_kind kind) {
    tile(to, name, "", false);
    ni_say(to, value, kind);
    ni_text_add(to, "</dd></div>\n");
}

static void summary(const ni_report *r, ni_text *to) {
    double value, params = NAN, macs = NAN;
    ni_text_add(to, "<dl class=\"tiles\">\n");
    if (ni_report_number(r, "final.test_accuracy", &value)) {
        tile(to, "test accuracy", ", trained longer", true);
        ni_say(to, value, NI_SAY_PERCENT);
        ni_text_add(to, "</dd></div>\n");
    }
    if (r->scored > 0 && r->best.n > 0) {
        if (ni_report_costs(r, r->best.items[0], &params, &macs) < 0) to->status = NAS_E_MEMORY;
        tile(to, r->metric, r->is_score ? ", best" : ", best of the search", true);
        ni_say(to, ni_report_value(r, r->best.items[0]), r->kind);
        ni_text_add(to, "</dd></div>\n");
    }
    if (ni_report_number(r, "final.params", &value)) params = value;
    if (isfinite(params)) tile_number(to, "parameters", params, NI_SAY_COUNT);
    if (isfinite(macs)) tile_number(to, "multiply-accumulates", macs, NI_SAY_SHORT);
    tile_number(to, "trials", (double)r->trials, NI_SAY_COUNT);
    tile_number(to, "distinct networks", (double)r->distinct, NI_SAY_COUNT);
    tile_number(to, "longest line of parents", (double)r->generations, NI_SAY_COUNT);
    tile_number(to, "infeasible", (double)r->infeasible, NI_SAY_COUNT);
    if (r->cached) tile_number(to, "taken from cache", (double)r->cached, NI_SAY_COUNT);
    bool whole = ni_report_number(r, "seconds", &value);
    tile(to, whole ? "time of the search" : "time of the trials", "", false);
    ni_say_duration(to, whole ? value : r->seconds);
    ni_text_add(to, "</dd></div>\n");
    if (ni_report_number(r, "final.seconds", &value)) {
        double epochs;
        bool known = ni_report_number(r, "final.epochs", &epochs);
        ni_text_add(to, "<div><dt>final training");
        if (known) {
            ni_text_add(to, ", ");
            ni_say(to, epochs, NI_SAY_PLAIN);
            ni_text_add(to, epochs == 1 ? " epoch" : " epochs");
        }
        ni_text_add(to, "</dt><dd>");
        ni_say_duration(to, value);
        ni_text_add(to, "</dd></div>\n");
    }
    ni_text_add(to, "</dl>\n");
    if (r->trials == 0)
        ni_text_add(to, "<p>There is no trial in this store yet.</p>\n");
    else if (r->scored == 0)
        ni_text_add(to, "<p>No trial has a score: there is nothing to compare yet.</p>\n");
}

static void infeasible(const ni_report *r, ni_text *to) {
    if (r->infeasible == 0) return;
    ni_text_add(to,
                "<h2>Infeasible trials</h2>\n<div class=\"wide\"><table><thead><tr><th>reason"
                "</th><th class=\"n\">trials</th><th>the first of them</th></tr></thead><tbody>");
    for (int32_t k = 0; k < NI_REPORT_REASONS; k++) {
        if (r->reasons[k] == 0) continue;
        ni_trial_row row;
        ni_text_f(to, "<tr><td>%s</td><td class=\"n\">", ni_report_reason(k));
        ni_say(to, (double)r->reasons[k], NI_SAY_COUNT);
        ni_text_f(to, "</td><td>trial %llu", (unsigned long long)r->example[k] + 1);
        if (ni_store_row(r->store, r->example[k], &row) && row.sentence[0]) {
            ni_text_add(to, ": ");
            ni_say_xml(to, row.sentence, TEXT_MOST);
        }
        ni_text_add(to, "</td></tr>\n");
    }
    ni_text_add(to, "</tbody></table></div>\n");
}

/* ---- the best
 * ------------------------------------------------------------------------------------ */

static void card_head(const ni_report *r, ni_text *to, size_t rank, uint64_t trial) {
    double params, macs;
    ni_trial_row row;
    ni_text_f(to, "<article class=\"card\"><h3>%zu. trial %llu: ", rank + 1,
              (unsigned long long)trial + 1);
    ni_say(to, ni_report_value(r, trial), r->kind);
    ni_text_add(to, "</h3><p class=\"faint\">");
    if (ni_report_costs(r, trial, &params, &macs) < 0) to->status = NAS_E_MEMORY;
    if (isfinite(params)) {
        ni_say(to, params, NI_SAY_COUNT);
        ni_text_add(to, " parameters");
    }
    if (isfinite(macs)) {
        ni_text_add(to, ", ");
        ni_say(to, macs, NI_SAY_SHORT);
        ni_text_add(to, " MACs");
    }
    if (ni_store_row(r->store, trial, &row) && row.parent != NAS_TRIAL_NONE)
        ni_text_f(to, "%sfrom trial %llu", isfinite(params) || isfinite(macs) ? ", " : "",
                  (unsigned long long)row.parent + 1);
    ni_text_add(to, "</p>");
}

static nas_status card(const ni_report *r, ni_text *to, size_t rank) {
    uint64_t trial = r->best.items[rank];
    ni_trial_row row;
    ni_draw_graph *graphs;
    uint32_t n;
    NI_TRY(ni_report_graphs(r, trial, &graphs, &n));
    card_head(r, to, rank, trial);
    nas_status status = NAS_OK;
    for (uint32_t i = 0; status >= 0 && i < n && i < 8; i++) {
        if (n > 1) {
            ni_text_add(to, "<p>");
            ni_say_xml(to, graphs[i].title, 64);
            ni_text_add(to, "</p>");
        }
        status = ni_draw_svg(to, &graphs[i], graphs[i].title);
        if (status == NAS_E_LIMIT) status = NAS_OK; /* too large: the text must do */
    }
    ni_draw_free(r->context, graphs, n);
    ni_text_add(to, "<code>");
    if (ni_report_row(r, to, trial, &row))
        ni_say_xml(to, row.arch[0] ? row.arch : "a relaxed network", 600);
    ni_text_add(to, "</code></article>\n");
    return status;
}

static nas_status best(const ni_report *r, ni_text *to, nas_sink *sink) {
    if (r->best.n == 0) return NAS_OK;
    ni_text_add(to,
                r->best.n == 1 ? "<h2>The best network</h2>\n" : "<h2>The best networks</h2>\n");
    if (r->problem[0]) {
        ni_text_add(to, "<p class=\"faint\">Not drawn: ");
        ni_say_xml(to, r->problem, TEXT_MOST);
        ni_text_add(to, "</p>\n");
    } else if (nas_space_has_network(r->space)) {
        ni_text_add(to,
                    "<p class=\"legend\"><i class=\"conv\"></i>convolution <i class=\"sep\"></i>"
                    "separable or dilated <i class=\"pool\"></i>pooling <i class=\"skip\"></i>"
                    "identity <i class=\"other\"></i>other <i class=\"dead\"></i>leads nowhere."
                    " Equal networks are shown once.</p>\n");
    }
    ni_text_add(to, "<div class=\"cells\">\n");
    for (size_t i = 0; i < r->best.n; i++) {
        NI_TRY(card(r, to, i));
        nas_status status = ni_say_flush(to, sink);
        if (status != NAS_OK) return status;
    }
    ni_text_add(to, "</div>\n");
    return NAS_OK;
}

static void front(const ni_report *r, ni_text *to) {
    if (r->front.n < 2) return;
    size_t shown = r->front.n < FRONT_MOST ? r->front.n : FRONT_MOST;
    ni_text_add(to, "<details><summary>The Pareto front as a table</summary>\n<div class=\"wide\">"
                    "<table><thead><tr><th class=\"n\">parameters</th><th class=\"n\">");
    ni_say_xml(to, r->metric, 64);
    ni_text_add(to, "</th><th class=\"n\">trial</th><th>architecture</th></tr></thead><tbody>\n");
    for (size_t k = 0; k < shown; k++) {
        const ni_key *f = &r->front.items[shown == 1 ? 0 : k * (r->front.n - 1) / (shown - 1)];
        ni_trial_row row;
        ni_text_add(to, "<tr><td class=\"n\">");
        ni_say(to, f->other, NI_SAY_COUNT);
        ni_text_add(to, "</td><td class=\"n\">");
        ni_say(to, f->key, r->kind);
        ni_text_f(to, "</td><td class=\"n\">%llu</td><td class=\"arch\"><code>",
                  (unsigned long long)f->trial + 1);
        if (ni_report_row(r, to, f->trial, &row)) ni_say_xml(to, row.arch, ARCH_MOST);
        ni_text_add(to, "</code></td></tr>\n");
    }
    ni_text_add(to, "</tbody></table></div>\n");
    if (shown < r->front.n)
        ni_text_f(to, "<p class=\"faint\">%zu of the front's %zu networks, evenly chosen.</p>\n",
                  shown, r->front.n);
    ni_text_add(to, "</details>\n");
}

/* ---- settings, trials
 * ---------------------------------------------------------------------------- */

static void settings(const ni_report *r, ni_text *to) {
    const char *key, *name, *text;
    ni_text_add(to, "<h2>Settings</h2>\n<div class=\"wide\"><table class=\"facts\"><tbody>\n");
    for (uint32_t i = 0; (key = ni_report_setting(i, &name)); i++) {
        const char *value = ni_report_fact(r, key);
        if (!value ||
            ((!strncmp(key, "max_", 4) || !strcmp(key, "trial_seconds")) && !strcmp(value, "0")))
            continue;
        if (!strcmp(key, "target") && !strcmp(value, "nan")) continue;
        ni_text_f(to, "<tr><th>%s</th><td>", name);
        ni_say_xml(to, value, 1000);
        ni_text_add(to, "</td></tr>\n");
    }
    ni_text_add(to, "</tbody></table></div>\n");
    if ((text = ni_report_fact(r, "settings"))) {
        ni_text_add(to,
                    "<details><summary>The search as it was given</summary><pre class=\"card\">");
        ni_say_xml(to, text, SETTINGS_MOST);
        ni_text_add(to, "</pre></details>\n");
    }
    if ((text = ni_report_fact(r, "space"))) {
        ni_text_add(to, "<details><summary>The space</summary><pre class=\"card\">");
        ni_say_xml(to, text, SETTINGS_MOST);
        ni_text_add(to, "</pre></details>\n");
    }
}

static void trial_row(const ni_report *r, ni_text *to, const ni_trial_row *row) {
    double params, macs;
    bool won = r->best.n && r->best.items[0] == row->number;
    ni_text_f(to, "<tr%s><td class=\"n\">%llu</td><td class=\"n\">", won ? " class=\"won\"" : "",
              (unsigned long long)row->number + 1);
    ni_say(to, ni_report_value(r, row->number), r->kind);
    if (ni_report_costs(r, row->number, &params, &macs) < 0) to->status = NAS_E_MEMORY;
    ni_text_add(to, "</td><td class=\"n\">");
    ni_say(to, params, NI_SAY_COUNT);
    ni_text_add(to, "</td><td class=\"n\">");
    ni_say(to, macs, NI_SAY_SHORT);
    ni_text_add(to, "</td><td class=\"n\">");
    ni_say_duration(to, row->seconds);
    ni_text_add(to, "</td><td class=\"n\">");
    if (row->parent == NAS_TRIAL_NONE)
        ni_text_add(to, "-");
    else
        ni_text_u64(to, row->parent + 1);
    ni_text_f(to, "</td><td class=\"state\">%s", ni_report_state(row->state));
    if (row->state == NAS_STATE_INFEASIBLE) ni_text_f(to, ": %s", ni_report_reason(row->reason));
    ni_text_add(to, "</td><td class=\"arch\"><code>");
    ni_say_xml(to, row->arch[0] ? row->arch : "(relaxed)", ARCH_MOST);
    ni_text_add(to, "</code>");
    if (row->sentence[0]) {
        ni_text_add(to, "<br/>");
        ni_say_xml(to, row->sentence, TEXT_MOST);
    }
    ni_text_add(to, "</td>");
    if (r->has_notes) {
        ni_text_add(to, "<td class=\"note\">");
        ni_say_xml(to, row->note, TEXT_MOST);
        ni_text_add(to, "</td>");
    }
    ni_text_add(to, "</tr>\n");
}

static nas_status trials(const ni_report *r, ni_text *to, nas_sink *sink) {
    nas_status status = NAS_OK;
    if (r->listed.n == 0) return NAS_OK;
    bool all = r->listed.n == r->trials;
    ni_text_add(to, "<h2>Trials</h2>\n");
    if (!all) {
        ni_text_f(to, "<p>The best %zu, the best first; ", r->listed.n);
        ni_say(to, (double)(r->trials - r->listed.n), NI_SAY_COUNT);
        ni_text_add(to,
                    " others are left out (the command <code>nas list</code> shows all).</p>\n");
    }
    ni_text_add(to,
                "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Trials\"><table>"
                "<thead><tr><th class=\"n\">trial</th><th class=\"n\">");
    ni_say_xml(to, r->metric, 64);
    ni_text_add(to, "</th><th class=\"n\">parameters</th><th class=\"n\">MACs</th>"
                    "<th class=\"n\">time</th><th class=\"n\">parent</th><th>state</th>"
                    "<th>architecture</th>");
    ni_text_add(to,
                r->has_notes ? "<th>note</th></tr></thead><tbody>\n" : "</tr></thead><tbody>\n");
    for (size_t i = 0; i < r->listed.n; i++) {
        ni_trial_row row;
        if (ni_report_row(r, to, r->listed.items[i].trial, &row)) trial_row(r, to, &row);
        status = ni_say_flush(to, sink);
        if (status != NAS_OK) return status;
    }
    ni_text_add(to, "</tbody></table></div>\n");
    return status;
}

/* ---- the whole
 * ----------------------------------------------------------------------------------- */

static void ranks(const ni_report *r, ni_text *to) {
    char line[400];
    const char *at = ni_report_fact(r, "ranks");
    if (!at) return;
    ni_text_add(
        to, "<h2>How far ranks hold</h2>\n<p class=\"faint\">Spearman's rank correlation: 1 where "
            "the order of one side is that of the other, 0 where it says nothing.</p>\n<ul>\n");
    while (ni_report_line(&at, line, sizeof line)) {
        ni_text_add(to, "<li>");
        ni_say_xml(to, line, TEXT_MOST);
        ni_text_add(to, "</li>\n");
    }
    ni_text_add(to, "</ul>\n");
}

static nas_status pictures(const ni_report *r, ni_text *to) {
    uint32_t curves;
    if (r->points.n) {
        ni_text_add(to, "<h2>The search</h2>\n<div class=\"grid\">\n");
        NI_TRY(ni_report_best_plot(r, to));
        NI_TRY(ni_report_cost_plot(r, to));
        ni_text_add(to, "</div>\n");
        if (!r->has_params)
            ni_text_add(to, "<p class=\"faint\">No trial says how many parameters its network has, "
                            "so there is no picture of cost.</p>\n");
        front(r, to);
    }
    ni_text part;
    ni_text_init(&part, r->context);
    nas_status status = ni_report_curve_plots(r, &part, &curves);
    if (status >= 0 && curves) {
        ni_text_add(to, "<h2>Learning curves</h2>\n<div class=\"grid\">\n");
        ni_text_add(to, ni_text_get(&part));
        ni_text_add(to, "</div>\n");
    }
    ni_text_free(&part);
    return status;
}

static nas_status write(const ni_report *r, ni_text *to, nas_sink *sink) {
    nas_status status;
    begin(r, to);
    summary(r, to);
    if ((status = ni_say_flush(to, sink)) != NAS_OK) return status;
    NI_TRY(pictures(r, to));
    ranks(r, to);
    if ((status = ni_say_flush(to, sink)) != NAS_OK) return status;
    if ((status = best(r, to, sink)) != NAS_OK) return status;
    infeasible(r, to);
    settings(r, to);
    if ((status = ni_say_flush(to, sink)) != NAS_OK) return status;
    if ((status = trials(r, to, sink)) != NAS_OK) return status;
    ni_text_add(to, "</main></body></html>\n");
    return ni_say_flush(to, sink);
}

nas_status nas_report_html(nas_store *store, const nas_report_options *options, nas_sink *sink) {
    ni_report r;
    ni_text to;
    if (!store) return NAS_E_INVALID;
    if (!sink)
        return ni_fail(ni_store_context(store), NAS_E_INVALID, "nas_report_html: the sink is NULL");
    NI_TRY(ni_report_gather(&r, store, options));
    ni_text_init(&to, r.context);
    nas_status status = write(&r, &to, sink);
    ni_text_free(&to);
    ni_report_free(&r);
    return status;
}
