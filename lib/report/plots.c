/* The two pictures of all trials: best so far, and cost against quality with its Pareto front. */
#include <math.h>
#include "parts.h"

#define APART 8.0                   /* marks of the front that are nearer than this are left out */
enum { CIRCLES = 300, FRONT = 80 }; /* with a hint each; more dots are one path without */

/* The range of the values: without far outliers on the bad side (Tukey's fence), which would press
 * all the others into a line; *beyond counts them. */
static nas_status value_range(const ni_report *r, ni_axis *axis, uint64_t *beyond) {
    size_t n = r->points.n;
    ni_key *sorted = ni_alloc(r->context, (n + 1) * sizeof *sorted);
    if (!sorted) return NAS_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        sorted[i] = (ni_key){r->points.items[i].key, 0, i};
    ni_sort_keys(sorted, n);
    axis->low = sorted[0].key;
    axis->high = sorted[n - 1].key;
    *beyond = 0;
    if (n >= 8) {
        double first = sorted[n / 4].key, third = sorted[n - 1 - n / 4].key;
        double reach = 2.5 * (third - first);
        if (!r->minimise && reach > 0 && axis->low < first - reach) axis->low = first - reach;
        if (r->minimise && reach > 0 && axis->high > third + reach) axis->high = third + reach;
        for (size_t i = 0; i < n; i++)
            *beyond += sorted[i].key < axis->low || sorted[i].key > axis->high;
    }
    double bound_low = axis->low, bound_high = axis->high;
    ni_axis_fit(axis);
    /* Nothing is above 100 % or below 0 %. */
    if (r->kind == NI_SAY_PERCENT && axis->high > 1 && bound_high < 1) axis->high = 1;
    if (r->kind == NI_SAY_PERCENT && axis->low < 0 && bound_low >= 0) axis->low = 0;
    ni_free(r->context, sorted);
    return NAS_OK;
}

static void dot(const ni_report *r, ni_text *to, const char *class, double radius, double x,
                double y, const ni_key *k) {
    ni_text_f(to, "<circle class=\"%s\" cx=\"", class);
    ni_chart_at(to, x);
    ni_text_add(to, "\" cy=\"");
    ni_chart_at(to, y);
    ni_text_add(to, "\" r=\"");
    ni_chart_at(to, radius);
    ni_text_f(to, "\"><title>trial %llu: ", (unsigned long long)k->trial + 1);
    ni_say(to, k->key, r->kind);
    if (isfinite(k->other)) {
        ni_text_add(to, ", ");
        ni_say(to, k->other, NI_SAY_COUNT);
        ni_text_add(to, " parameters");
    }
    ni_text_add(to, "</title></circle>");
}

/* All points as dots: circles with hints while they are few, else one thinned path. */
static nas_status dots(const ni_report *r, const ni_chart *c, bool by_cost) {
    ni_thin thin;
    NI_TRY(ni_thin_begin(&thin, r->context, c));
    bool few = r->points.n <= CIRCLES, begun = false;
    for (size_t i = 0; i < r->points.n; i++) {
        const ni_key *k = &r->points.items[i];
        double at = by_cost ? k->other : (double)k->trial + 1;
        if (!isfinite(at) || (c->x.logarithmic && at <= 0)) continue;
        double x = ni_chart_x(c, at), y = ni_chart_y(c, k->key);
        if (few) {
            dot(r, c->to, "dot", 2.5, x, y, k);
            continue;
        }
        if (!ni_thin_take(&thin, c, x, y)) continue;
        ni_text_add(c->to, begun                ? "M"
                           : r->points.n > 2000 ? "<path class=\"dots many\" d=\"M"
                                                : "<path class=\"dots\" d=\"M");
        begun = true;
        ni_chart_at(c->to, x);
        ni_text_add_char(c->to, ' ');
        ni_chart_at(c->to, y);
        ni_text_add(c->to, "h0");
    }
    ni_text_add(c->to, begun ? "\"/>\n" : "\n");
    ni_free(r->context, thin.taken);
    return NAS_OK;
}

static void step_to(ni_text *to, double x, double y) {
    ni_text_add_char(to, 'H');
    ni_chart_at(to, x);
    ni_text_add_char(to, 'V');
    ni_chart_at(to, y);
}

static void begin_path(ni_text *to, const char *class, double x, double y) {
    ni_text_f(to, "<path class=\"%s\" d=\"M", class);
    ni_chart_at(to, x);
    ni_text_add_char(to, ' ');
    ni_chart_at(to, y);
}

static void beyond_note(const ni_report *r, ni_text *to, uint64_t beyond) {
    if (beyond)
        ni_text_f(to, " %llu far %s %s drawn at the edge.", (unsigned long long)beyond,
                  r->minimise ? "above" : "below", beyond == 1 ? "is" : "are");
}

nas_status ni_report_best_plot(const ni_report *r, ni_text *to) {
    ni_axis y = {.kind = r->kind, .label = r->metric};
    ni_axis x = {
        .low = 1, .high = (double)r->trials, .whole = true, .kind = NI_SAY_SHORT, .label = "trial"};
    ni_chart c;
    uint64_t beyond;
    if (r->points.n == 0) return NAS_OK;
    NI_TRY(value_range(r, &y, &beyond));
    ni_axis_fit(&x);
    if (x.low < 0) x.low = 0;
    ni_text_add(to, "<figure>");
    ni_chart_begin(&c, to, &x, &y, "Best so far",
                   "Each trial's value as a dot, and the best so far as a line, over the trials in "
                   "order.");
    NI_TRY(dots(r, &c, false));
    const ni_key *step = r->steps.items;
    double last = ni_chart_x(&c, (double)r->trials);
    begin_path(to, "best", ni_chart_x(&c, (double)step->trial + 1), ni_chart_y(&c, step->key));
    double column = -1;
    for (size_t i = 1; i < r->steps.n; i++) {
        double at = ni_chart_x(&c, (double)step[i].trial + 1);
        bool next_same =
            i + 1 < r->steps.n && ni_chart_x(&c, (double)step[i + 1].trial + 1) - column < 1;
        if (next_same && at - column < 1) continue; /* less than a dot of the screen apart */
        step_to(to, at, ni_chart_y(&c, step[i].key));
        column = at;
    }
    ni_text_add_char(to, 'H');
    ni_chart_at(to, last);
    ni_text_add(to, "\"/>");
    const ni_key *top = &step[r->steps.n - 1];
    dot(r, to, "top", 4, ni_chart_x(&c, (double)top->trial + 1), ni_chart_y(&c, top->key),
        &(ni_key){top->key, NAN, top->trial});
    ni_chart_end(&c);
    ni_text_add(to, "<figcaption><b>Best so far.</b> ");
    ni_say(to, top->key, r->kind);
    ni_text_f(to, " in trial %llu", (unsigned long long)top->trial + 1);
    if (r->steps.n > 1)
        ni_text_f(to, ", after %llu improvement%s", (unsigned long long)r->steps.n - 1,
                  r->steps.n == 2 ? "" : "s");
    ni_text_add_char(to, '.');
    beyond_note(r, to, beyond);
    ni_text_add(to, "</figcaption></figure>\n");
    return to->status;
}

nas_status ni_report_cost_plot(const ni_report *r, ni_text *to) {
    ni_axis y = {.kind = r->kind, .label = r->metric};
    ni_axis x = {.low = INFINITY,
                 .high = -INFINITY,
                 .logarithmic = true,
                 .kind = NI_SAY_SHORT,
                 .label = "parameters"};
    ni_chart c;
    uint64_t beyond;
    if (!r->has_params) return NAS_OK;
    for (size_t i = 0; i < r->points.n; i++) {
        double params = r->points.items[i].other;
        if (params < x.low) x.low = params;
        if (params > x.high) x.high = params;
    }
    NI_TRY(value_range(r, &y, &beyond));
    ni_axis_fit(&x);
    if (x.logarithmic) x.label = "parameters (logarithmic)";
    if (!x.logarithmic && x.low < 0) x.low = 0;
    ni_text_add(to, "<figure>");
    ni_chart_begin(
        &c, to, &x, &y, "Quality against parameters",
        "Each trial as a dot by its number of parameters and its value; the Pareto front, "
        "of which no other is both smaller and better, as a line.");
    NI_TRY(dots(r, &c, true));
    size_t n = r->front.n, stride = n > FRONT ? n / FRONT + 1 : 1;
    const ni_key *f = r->front.items;
    begin_path(to, "front", ni_chart_x(&c, f->other), ni_chart_y(&c, f->key));
    for (size_t i = 1; i < n; i++)
        if (i % stride == 0 || i + 1 == n)
            step_to(to, ni_chart_x(&c, f[i].other), ni_chart_y(&c, f[i].key));
    ni_text_add(to, "\"/>");
    double last_x = -INFINITY, last_y = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        double at = ni_chart_x(&c, f[i].other), up = ni_chart_y(&c, f[i].key);
        if (i + 1 < n && fabs(at - last_x) < APART && fabs(up - last_y) < APART) continue;
        dot(r, to, "top", 3.5, last_x = at, last_y = up, &f[i]);
    }
    ni_chart_end(&c);
    ni_text_add(to, "<figcaption><b>Quality against parameters.</b> ");
    if (n == 1) {
        ni_text_add(to, "One network is both the smallest and the best.");
    } else {
        ni_text_add(to, "The line is the Pareto front: of these ");
        ni_say(to, (double)n, NI_SAY_COUNT);
        ni_text_add(to, " networks none is both smaller and better than another.");
    }
    beyond_note(r, to, beyond);
    ni_text_add(to, "</figcaption></figure>\n");
    return to->status;
}
