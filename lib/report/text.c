/* The report as plain text, 80 columns. */
#include <math.h>
#include <stdio.h>
#include "parts.h"

enum { COLUMNS = 80, STEPS_MOST = 20, FRONT_MOST = 20 };

static void line(ni_text *to, char c, size_t n) {
    while (n-- > 0)
        ni_text_add_char(to, c);
    ni_text_add_char(to, '\n');
}

static void heading(ni_text *to, const char *text) {
    ni_text_f(to, "\n%s\n", text);
    line(to, '-', strlen(text));
}

/* A part's failure is the whole's. */
static void part_free(ni_text *to, ni_text *part) {
    if (part->status < 0 && to->status >= 0) to->status = part->status;
    ni_text_free(part);
}

/* A stranger's text, broken into lines: at spaces where there are any, `|` and `,` included. */
static void wrapped(ni_text *to, const char *text, size_t indent, size_t most) {
    ni_text flat;
    ni_text_init(&flat, to->context);
    ni_say_line(&flat, text, most);
    const char *at = ni_text_get(&flat);
    while (*at) {
        size_t n = 0, bytes = 0, good = 0;
        for (; at[bytes] && n < COLUMNS - indent; n++) {
            bytes++;
            while (((unsigned char)at[bytes] & 0xc0) == 0x80)
                bytes++;
            if (at[bytes] == ' ' || at[bytes - 1] == ' ' || at[bytes - 1] == '|' || !at[bytes])
                good = bytes;
        }
        if (good == 0 || !at[bytes]) good = bytes;
        for (size_t i = 0; i < indent; i++)
            ni_text_add_char(to, ' ');
        ni_text_add_n(to, at, good);
        ni_text_add_char(to, '\n');
        at += good;
        while (*at == ' ')
            at++;
    }
    part_free(to, &flat);
}

/* A number in a column of its own, to the right. */
static void column(ni_text *to, size_t width, double value, ni_say_kind kind) {
    ni_text cell;
    ni_text_init(&cell, to->context);
    ni_say(&cell, value, kind);
    for (size_t n = cell.n; n < width; n++)
        ni_text_add_char(to, ' ');
    ni_text_add(to, ni_text_get(&cell));
    part_free(to, &cell);
}

static void fact(ni_text *to, const char *name) {
    ni_text_f(to, "%-26s", name);
}

static void fact_number(ni_text *to, const char *name, double value, ni_say_kind kind) {
    fact(to, name);
    ni_say(to, value, kind);
    ni_text_add_char(to, '\n');
}

static void head(const ni_report *r, ni_text *to) {
    ni_text title;
    double started;
    ni_text_init(&title, r->context);
    ni_report_title(r, &title);
    wrapped(to, ni_text_get(&title), 0, 200);
    part_free(to, &title);
    line(to, '=', COLUMNS);
    if (ni_report_number(r, "started", &started)) {
        fact(to, "started");
        ni_say_date(to, started);
        ni_text_add_char(to, '\n');
    }
    const char *ended = ni_report_fact(r, "ended");
    if (ended) {
        fact(to, "ended");
        ni_say_line(to, ended, 50);
        ni_text_add_char(to, '\n');
    }
}

static void summary(const ni_report *r, ni_text *to) {
    double value, params = NAN, macs = NAN;
    char name[100];
    if (ni_report_number(r, "final.test_accuracy", &value))
        fact_number(to, "test accuracy (final)", value, NI_SAY_PERCENT);
    if (r->best.n) {
        if (ni_report_costs(r, r->best.items[0], &params, &macs) < 0) to->status = NAS_E_MEMORY;
        snprintf(name, sizeof name, "best %.19s", r->metric);
        ni_text clean;
        ni_text_init(&clean, to->context);
        ni_say_line(&clean, name, 24);
        fact(to, ni_text_get(&clean));
        part_free(to, &clean);
        ni_say(to, ni_report_value(r, r->best.items[0]), r->kind);
        ni_text_f(to, " (trial %llu)\n", (unsigned long long)r->best.items[0] + 1);
    }
    if (isfinite(params)) fact_number(to, "parameters", params, NI_SAY_COUNT);
    if (isfinite(macs)) fact_number(to, "multiply-accumulates", macs, NI_SAY_COUNT);
    fact_number(to, "trials", (double)r->trials, NI_SAY_COUNT);
    fact_number(to, "distinct networks", (double)r->distinct, NI_SAY_COUNT);
    fact_number(to, "longest line of parents", (double)r->generations, NI_SAY_COUNT);
    fact_number(to, "infeasible", (double)r->infeasible, NI_SAY_COUNT);
    if (r->cached) fact_number(to, "taken from cache", (double)r->cached, NI_SAY_COUNT);
    bool whole = ni_report_number(r, "seconds", &value);
    fact(to, whole ? "time of the search" : "time of the trials");
    ni_say_duration(to, whole ? value : r->seconds);
    ni_text_add_char(to, '\n');
    if (ni_report_number(r, "final.seconds", &value)) {
        fact(to, "final training");
        ni_say_duration(to, value);
        if (ni_report_number(r, "final.epochs", &value)) {
            ni_text_add(to, ", ");
            ni_say(to, value, NI_SAY_PLAIN);
            ni_text_add(to, value == 1 ? " epoch" : " epochs");
        }
        ni_text_add_char(to, '\n');
    }
    if (r->trials && !r->scored) ni_text_add(to, "\nNo trial has a score yet.\n");
}

static void steps(const ni_report *r, ni_text *to) {
    size_t n = r->steps.n, shown = n < STEPS_MOST ? n : STEPS_MOST;
    if (n == 0) return;
    heading(to, "Best so far");
    for (size_t k = 0; k < shown; k++) {
        const ni_key *s = &r->steps.items[shown == 1 ? 0 : k * (n - 1) / (shown - 1)];
        ni_text_f(to, "  trial %8llu  ", (unsigned long long)s->trial + 1);
        column(to, 12, s->key, r->kind);
        ni_text_add_char(to, '\n');
    }
    if (shown < n) ni_text_f(to, "  (%zu of %zu improvements)\n", shown, n);
}

static void front(const ni_report *r, ni_text *to) {
    size_t n = r->front.n, shown = n < FRONT_MOST ? n : FRONT_MOST;
    if (n < 2) return;
    heading(to, "Pareto front: parameters and quality");
    for (size_t k = 0; k < shown; k++) {
        const ni_key *f = &r->front.items[shown == 1 ? 0 : k * (n - 1) / (shown - 1)];
        column(to, 14, f->other, NI_SAY_COUNT);
        ni_text_add(to, "  ");
        column(to, 12, f->key, r->kind);
        ni_text_f(to, "  trial %llu\n", (unsigned long long)f->trial + 1);
    }
    if (shown < n) ni_text_f(to, "  (%zu of %zu)\n", shown, n);
}

static nas_status best(const ni_report *r, ni_text *to) {
    nas_status status = NAS_OK;
    if (r->best.n == 0) return NAS_OK;
    heading(to, "The best networks");
    for (size_t i = 0; status >= 0 && i < r->best.n; i++) {
        uint64_t trial = r->best.items[i];
        ni_trial_row row;
        ni_draw_graph *graphs;
        uint32_t n;
        double params, macs;
        ni_text_f(to, "%zu. trial %llu: ", i + 1, (unsigned long long)trial + 1);
        ni_say(to, ni_report_value(r, trial), r->kind);
        if (ni_report_costs(r, trial, &params, &macs) < 0) to->status = NAS_E_MEMORY;
        if (isfinite(params)) {
            ni_text_add(to, ", ");
            ni_say(to, params, NI_SAY_COUNT);
            ni_text_add(to, " parameters");
        }
        ni_text_add_char(to, '\n');
        if (ni_report_row(r, to, trial, &row)) wrapped(to, row.arch, 3, 600);
        status = ni_report_graphs(r, trial, &graphs, &n);
        for (uint32_t g = 0; status >= 0 && g < n && g < 8; g++)
            status = ni_draw_text(to, r->context, &graphs[g]);
        ni_draw_free(r->context, graphs, n);
    }
    return status;
}

static void infeasible(const ni_report *r, ni_text *to) {
    if (r->infeasible == 0) return;
    heading(to, "Infeasible trials");
    for (int32_t k = 0; k < NI_REPORT_REASONS; k++) {
        if (r->reasons[k] == 0) continue;
        ni_trial_row row;
        column(to, 8, (double)r->reasons[k], NI_SAY_COUNT);
        ni_text_f(to, "  %s, first in trial %llu\n", ni_report_reason(k),
                  (unsigned long long)r->example[k] + 1);
        if (ni_store_row(r->store, r->example[k], &row) && row.sentence[0])
            wrapped(to, row.sentence, 10, 200);
    }
}

static nas_status final_curve(const ni_report *r, ni_text *to) {
    enum { MOST = 2000, SHOWN = 20 };
    double *xy = ni_calloc(r->context, MOST, 2 * sizeof *xy);
    if (!xy) return NAS_E_MEMORY;
    size_t n = ni_report_final_curve(r, xy, MOST), shown = n < SHOWN ? n : SHOWN;
    if (n >= 2) heading(to, "Final training: epoch and training loss");
    for (size_t k = 0; n >= 2 && k < shown; k++) {
        size_t i = k * (n - 1) / (shown - 1);
        column(to, 10, xy[2 * i], NI_SAY_PLAIN);
        ni_text_add(to, "  ");
        column(to, 10, xy[2 * i + 1], NI_SAY_PLAIN);
        ni_text_add_char(to, '\n');
    }
    ni_free(r->context, xy);
    return NAS_OK;
}

static void settings(const ni_report *r, ni_text *to) {
    const char *key, *name;
    heading(to, "Settings");
    for (uint32_t i = 0; (key = ni_report_setting(i, &name)); i++) {
        const char *value = ni_report_fact(r, key);
        if (!value || (!strncmp(key, "max_", 4) && !strcmp(value, "0"))) continue;
        if (!strcmp(key, "trial_seconds") && !strcmp(value, "0")) continue;
        if (!strcmp(key, "target") && !strcmp(value, "nan")) continue;
        if (ni_characters(value) <= COLUMNS - 26) {
            fact(to, name);
            ni_say_line(to, value, COLUMNS);
            ni_text_add_char(to, '\n');
        } else {
            ni_text_f(to, "%s\n", name);
            wrapped(to, value, 4, 1000);
        }
    }
}

static nas_status trials(const ni_report *r, ni_text *to, nas_sink *sink) {
    if (r->listed.n == 0) return NAS_OK;
    heading(to, r->listed.n == r->trials ? "Trials" : "The best trials");
    ni_text_add(to, "   trial         value    parameters      time  state\n");
    for (size_t i = 0; i < r->listed.n; i++) {
        ni_trial_row row;
        double params, macs;
        if (!ni_report_row(r, to, r->listed.items[i].trial, &row)) continue;
        if (ni_report_costs(r, row.number, &params, &macs) < 0) to->status = NAS_E_MEMORY;
        ni_text_f(to, "%8llu  ", (unsigned long long)row.number + 1);
        column(to, 12, ni_report_value(r, row.number), r->kind);
        ni_text_add(to, "  ");
        column(to, 12, params, NI_SAY_COUNT);
        char seconds[NI_NUMBER_TEXT];
        ni_text_f(to, "%8s s  %s", ni_fixed_text(seconds, row.seconds, 1),
                  ni_report_state(row.state));
        if (row.state == NAS_STATE_INFEASIBLE) ni_text_f(to, ": %s", ni_report_reason(row.reason));
        ni_text_add_char(to, '\n');
        wrapped(to, row.arch, 10, 160);
        if (row.note[0]) wrapped(to, row.note, 10, 160);
        nas_status status = ni_say_flush(to, sink);
        if (status != NAS_OK) return status;
    }
    if (r->listed.n < r->trials)
        ni_text_f(to, "%llu others are left out; nas list shows all.\n",
                  (unsigned long long)(r->trials - r->listed.n));
    return NAS_OK;
}

static void ranks(const ni_report *r, ni_text *to) {
    char line[400];
    const char *at = ni_report_fact(r, "ranks");
    if (!at) return;
    heading(to, "How far ranks hold");
    while (ni_report_line(&at, line, sizeof line))
        wrapped(to, line, 0, sizeof line);
}

static nas_status write(const ni_report *r, ni_text *to, nas_sink *sink) {
    nas_status status;
    head(r, to);
    summary(r, to);
    steps(r, to);
    front(r, to);
    ranks(r, to);
    NI_TRY(best(r, to));
    NI_TRY(final_curve(r, to));
    infeasible(r, to);
    settings(r, to);
    if ((status = ni_say_flush(to, sink)) != NAS_OK) return status;
    if ((status = trials(r, to, sink)) != NAS_OK) return status;
    return ni_say_flush(to, sink);
}

nas_status nas_report_text(nas_store *store, const nas_report_options *options, nas_sink *sink) {
    ni_report r;
    ni_text to;
    if (!store) return NAS_E_INVALID;
    if (!sink)
        return ni_fail(ni_store_context(store), NAS_E_INVALID, "nas_report_text: the sink is NULL");
    NI_TRY(ni_report_gather(&r, store, options));
    ni_text_init(&to, r.context);
    nas_status status = write(&r, &to, sink);
    ni_text_free(&to);
    ni_report_free(&r);
    return status;
}
