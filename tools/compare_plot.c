/* The picture of nas compare: test value against what was spent, a line and a band for each
 * controller, the table's optimum as a dashed line. */
#include <math.h>
#include "compare.h"

enum { WIDTH = 860, HEIGHT = 480, LEFT = 70, RIGHT = 250, TOP = 20, BOTTOM = 50 };
/* Okabe and Ito's colours, which most eyes tell apart; then they come again, dashed. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#000000", "#7f7f00"};
enum { COLOURS = sizeof colours / sizeof *colours };

typedef struct {
    double x_low, x_high, y_low, y_high;
} frame;

static double at_x(const frame *f, double x) {
    return LEFT + (WIDTH - LEFT - RIGHT) * log(x / f->x_low) / log(f->x_high / f->x_low);
}
static double at_y(const frame *f, double y) {
    double t = (y - f->y_low) / (f->y_high - f->y_low);
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * t;
}

static void escaped(FILE *to, const char *text) {
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '&')
            fputs("&amp;", to);
        else
            fputc((unsigned char)*text < 0x20 ? ' ' : *text, to);
    }
}

/* 1, 2 or 5 times a power of ten, so that about five fit. */
static double step_of(double range) {
    double power = pow(10, floor(log10(range / 5))), m = range / 5 / power;
    return power * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
}

static void axes(FILE *to, const frame *f, const compare_runs *r) {
    double step = step_of(f->y_high - f->y_low);
    int digits = step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0;
    fputs("<g stroke='#dddddd'>\n", to);
    for (double y = ceil(f->y_low / step) * step; y <= f->y_high; y += step)
        fprintf(to, "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f'/>\n", LEFT, WIDTH - RIGHT,
                at_y(f, y), at_y(f, y));
    fputs("</g>\n", to);
    for (double y = ceil(f->y_low / step) * step; y <= f->y_high; y += step)
        fprintf(to, "<text x='%d' y='%.1f' text-anchor='end'>%.*f</text>\n", LEFT - 6,
                at_y(f, y) + 4, digits, y);
    for (size_t i = 0; i < r->plan->n_budgets; i++)
        fprintf(to,
                "<line x1='%.1f' x2='%.1f' y1='%d' y2='%d' stroke='#dddddd'/>\n"
                "<text x='%.1f' y='%d' text-anchor='middle'>%.6g</text>\n",
                at_x(f, r->plan->budgets[i]), at_x(f, r->plan->budgets[i]), TOP, HEIGHT - BOTTOM,
                at_x(f, r->plan->budgets[i]), HEIGHT - BOTTOM + 18, r->plan->budgets[i]);
    fprintf(to, "<text x='%d' y='%d' text-anchor='middle'>%s</text>\n", (WIDTH - RIGHT + LEFT) / 2,
            HEIGHT - 10, compare_units[r->plan->unit]);
    fprintf(to,
            "<text transform='translate(16 %d) rotate(-90)' text-anchor='middle'>test value of the "
            "best by validation</text>\n",
            (HEIGHT - BOTTOM + TOP) / 2);
}

static void one_line(FILE *to, const frame *f, const compare_runs *r, const compare_mean *m,
                     size_t entry) {
    const char *colour = colours[entry % COLOURS];
    fprintf(to, "<path fill='%s' fill-opacity='0.15' d='", colour);
    char command = 'M';
    for (size_t i = 0; i < r->n_points; i++, command = 'L')
        fprintf(to, "%c%.1f %.1f", command, at_x(f, r->points[i]),
                at_y(f, isnan(m[i].high) ? f->y_low : m[i].high));
    for (size_t i = r->n_points; i > 0; i--)
        fprintf(to, "L%.1f %.1f", at_x(f, r->points[i - 1]),
                at_y(f, isnan(m[i - 1].low) ? f->y_low : m[i - 1].low));
    fprintf(to, "Z'/>\n<polyline fill='none' stroke='%s' stroke-width='2'%s points='", colour,
            entry >= COLOURS ? " stroke-dasharray='6 3'" : "");
    for (size_t i = 0; i < r->n_points; i++)
        fprintf(to, "%.1f,%.1f ", at_x(f, r->points[i]),
                at_y(f, isnan(m[i].mean) ? f->y_low : m[i].mean));
    fputs("'/>\n", to);
    int y = TOP + 34 + 20 * (int)entry;
    fprintf(to,
            "<line x1='%d' x2='%d' y1='%d' y2='%d' stroke='%s' stroke-width='2'/>\n<text x='%d' "
            "y='%d'>",
            WIDTH - RIGHT + 12, WIDTH - RIGHT + 36, y, y, colour, WIDTH - RIGHT + 42, y + 4);
    escaped(to, r->plan->entries[entry].label);
    fputs("</text>\n", to);
}

void compare_plot(FILE *to, const compare_runs *r, const compare_mean *means) {
    size_t n = r->plan->n_entries;
    double optimum = isnan(r->table.test_of_best) ? r->table.best_accuracy : r->table.test_of_best;
    frame f = {r->points[0], r->points[r->n_points - 1], INFINITY, optimum};
    /* From the lowest mean at a tenth of the largest budget: what comes before would flatten all.
     */
    for (size_t e = 0; e < n; e++)
        for (size_t i = 0; i < r->n_points; i++) {
            const compare_mean *m = &means[e * r->n_points + i];
            if (m->high > f.y_high) f.y_high = m->high;
            if (r->points[i] * 10 >= f.x_high && m->low < f.y_low) f.y_low = m->low;
        }
    if (!(f.y_low < f.y_high)) f.y_low = f.y_high - 1;
    f.y_low -= 0.05 * (f.y_high - f.y_low);
    f.y_high += 0.03 * (f.y_high - f.y_low);
    if (!(f.x_low < f.x_high)) f.x_low = f.x_high / 10;
    fprintf(to,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d' "
            "font-family='sans-serif' font-size='13'>\n<rect width='100%%' height='100%%' "
            "fill='white'/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    axes(to, &f, r);
    fprintf(to,
            "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='#555555' stroke-dasharray='4 4'/>\n"
            "<line x1='%d' x2='%d' y1='%d' y2='%d' stroke='#555555' stroke-dasharray='4 4'/>\n"
            "<text x='%d' y='%d'>the table's optimum, %.6g</text>\n",
            LEFT, WIDTH - RIGHT, at_y(&f, optimum), at_y(&f, optimum), WIDTH - RIGHT + 12,
            WIDTH - RIGHT + 36, TOP + 14, TOP + 14, WIDTH - RIGHT + 42, TOP + 18, optimum);
    for (size_t e = 0; e < n; e++)
        one_line(to, &f, r, means + e * r->n_points, e);
    fputs("</svg>\n", to);
}
