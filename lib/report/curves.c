/* Learning curves: of the best trials, and of the final training. */
#include <math.h>
#include <stdio.h>
#include "parts.h"

enum { POINTS = 200, CURVE_NAMES = 16, FINAL_POINTS = 2000 };

typedef struct {
    double *xy;
    size_t n;
    char name[40];
} line;

/* A line of at most so many points: the nearest in even steps, the ends stay. */
static void draw_line(const ni_chart *c, const line *l, uint32_t index) {
    size_t steps = l->n > POINTS ? POINTS : l->n;
    ni_text_f(c->to, "<path class=\"curve c%lu\" d=\"", (unsigned long)index);
    for (size_t k = 0; k < steps; k++) {
        size_t i = steps == 1 ? 0 : k * (l->n - 1) / (steps - 1);
        ni_text_add(c->to, k ? "L" : "M");
        ni_chart_at(c->to, ni_chart_x(c, l->xy[2 * i]));
        ni_text_add_char(c->to, ' ');
        ni_chart_at(c->to, ni_chart_y(c, l->xy[2 * i + 1]));
    }
    ni_text_add(c->to, "\"/>");
    for (size_t i = 0; l->n <= 12 && i < l->n; i++) {
        ni_text_f(c->to, "<circle class=\"mark c%lu\" r=\"2.6\" cx=\"", (unsigned long)index);
        ni_chart_at(c->to, ni_chart_x(c, l->xy[2 * i]));
        ni_text_add(c->to, "\" cy=\"");
        ni_chart_at(c->to, ni_chart_y(c, l->xy[2 * i + 1]));
        ni_text_add(c->to, "\"/>");
    }
}

static void draw(ni_text *to, const char *title, const char *name, const char *x_label,
                 const line *lines, uint32_t n) {
    ni_axis x = {
        .low = INFINITY, .high = -INFINITY, .whole = true, .kind = NI_SAY_SHORT, .label = x_label};
    ni_axis y = {.low = INFINITY, .high = -INFINITY, .label = name};
    ni_chart c;
    for (uint32_t k = 0; k < n; k++)
        for (size_t i = 0; i < lines[k].n; i++) {
            x.whole = x.whole && lines[k].xy[2 * i] == nearbyint(lines[k].xy[2 * i]);
            x.low = fmin(x.low, lines[k].xy[2 * i]);
            x.high = fmax(x.high, lines[k].xy[2 * i]);
            y.low = fmin(y.low, lines[k].xy[2 * i + 1]);
            y.high = fmax(y.high, lines[k].xy[2 * i + 1]);
        }
    size_t length = strlen(name);
    bool percent =
        length >= 8 && !strcmp(name + length - 8, "accuracy") && y.low >= 0 && y.high <= 1;
    y.kind = percent ? NI_SAY_PERCENT : NI_SAY_PLAIN;
    ni_axis_fit(&x);
    ni_axis_fit(&y);
    if (percent && y.high > 1) y.high = 1;
    ni_text_add(to, "<figure>");
    ni_chart_begin(&c, to, &x, &y, title, "Learning curves; each line is one training.");
    for (uint32_t k = n; k-- > 0;)
        draw_line(&c, &lines[k], k);
    ni_chart_end(&c);
    ni_text_add(to, "<figcaption><b>");
    ni_say_xml(to, title, 100);
    ni_text_add(to, "</b> ");
    for (uint32_t k = 0; n > 1 && k < n; k++) {
        ni_text_f(to,
                  "<span class=\"key\"><svg class=\"swatch\" viewBox=\"0 0 26 8\" "
                  "aria-hidden=\"true\"><path class=\"curve c%lu\" d=\"M1 4H25\"/></svg>%s</span> ",
                  (unsigned long)k, lines[k].name);
    }
    ni_text_add(to, "</figcaption></figure>\n");
}

static nas_status load(const ni_report *r, uint64_t trial, const char *name, line *out) {
    size_t n = 0;
    const char *have;
    bool there = false;
    for (uint32_t i = 0; nas_store_curve_at(r->store, trial, i, &have) >= 0 && have; i++)
        if (!strcmp(have, name)) there = true;
    out->n = 0;
    if (!there || nas_store_curve(r->store, trial, name, NULL, NULL, 0, &n) < 0 || n < 2)
        return NAS_OK;
    double *x = ni_calloc(r->context, n, 4 * sizeof *x), *y = x + n, *xy = y + n;
    if (!x) return NAS_E_MEMORY;
    nas_status status = nas_store_curve(r->store, trial, name, x, y, n, &n);
    for (size_t i = 0; status >= 0 && i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) continue;
        xy[2 * out->n] = x[i];
        xy[2 * out->n++ + 1] = y[i];
    }
    if (status >= 0 && out->n >= 2) {
        out->xy = ni_memdup(r->context, xy, 2 * out->n * sizeof *xy);
        if (!out->xy) status = NAS_E_MEMORY;
    } else {
        out->n = 0;
    }
    ni_free(r->context, x);
    snprintf(out->name, sizeof out->name, "trial %llu", (unsigned long long)trial + 1);
    return status;
}

/* Names of the curves that the best trials have, those of the report's metric first. */
static uint32_t names_of(const ni_report *r, const char **names) {
    uint32_t n = 0;
    for (size_t b = 0; b < r->best.n; b++) {
        const char *have;
        for (uint32_t i = 0; n < CURVE_NAMES &&
                             nas_store_curve_at(r->store, r->best.items[b], i, &have) >= 0 && have;
             i++) {
            uint32_t k = 0;
            while (k < n && strcmp(names[k], have) != 0)
                k++;
            if (k == n) names[n++] = have;
        }
    }
    for (uint32_t k = 1; k < n; k++)
        if (!strcmp(names[k], r->metric)) {
            const char *first = names[k];
            memmove(names + 1, names, k * sizeof *names);
            names[0] = first;
        }
    return n;
}

static nas_status one_kind(const ni_report *r, ni_text *to, const char *name, uint32_t *drawn) {
    line lines[NI_REPORT_LINES];
    uint32_t n = 0;
    char title[100];
    nas_status status = NAS_OK;
    for (size_t b = 0; status >= 0 && b < r->best.n && n < NI_REPORT_LINES; b++) {
        lines[n] = (line){NULL, 0, ""};
        status = load(r, r->best.items[b], name, &lines[n]);
        n += lines[n].n >= 2;
    }
    if (status >= 0 && n) {
        snprintf(title, sizeof title, "%.60s of the best trials.", name);
        draw(to, title, name, "epoch", lines, n);
        ++*drawn;
    }
    for (uint32_t k = 0; k < n; k++)
        ni_free(r->context, lines[k].xy);
    return status;
}

nas_status ni_report_curve_plots(const ni_report *r, ni_text *to, uint32_t *drawn) {
    const char *names[CURVE_NAMES];
    uint32_t n = names_of(r, names);
    *drawn = 0;
    double *xy = ni_calloc(r->context, FINAL_POINTS, 2 * sizeof *xy);
    if (!xy) return NAS_E_MEMORY;
    line final = {xy, ni_report_final_curve(r, xy, FINAL_POINTS), "final"};
    if (final.n >= 2) {
        draw(to, "Training loss of the final training.", "training loss", "epoch", &final, 1);
        ++*drawn;
    }
    ni_free(r->context, xy);
    for (uint32_t k = 0, kinds = 0; k < n && kinds < NI_REPORT_CURVES; k++) {
        uint32_t had = *drawn;
        NI_TRY(one_kind(r, to, names[k], drawn));
        kinds += *drawn > had;
    }
    return to->status;
}
