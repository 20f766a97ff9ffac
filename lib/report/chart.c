/* Axes and the frame of a chart. Pictures are 400 units wide, so that on a phone they are about as
 * large as they are drawn, and on a screen two stand side by side. */
#include <math.h>
#include "parts.h"

#define WIDTH  400.0
#define HEIGHT 262.0
#define SQUARE 3.5 /* of thinned dots */

static double nice_step(double range, uint32_t most) {
    double raw = range / (most ? most : 1), unit = pow(10, floor(log10(raw)));
    double m = raw / unit;
    return (m <= 1.0000001 ? 1 : m <= 2.0000001 ? 2 : m <= 5.0000001 ? 5 : 10) * unit;
}

void ni_axis_fit(ni_axis *a) {
    a->logarithmic = a->logarithmic && a->low > 0 && a->high / a->low > 15;
    if (a->logarithmic) {
        double room = pow(a->high / a->low, 0.04);
        a->low /= room;
        a->high *= room;
        return;
    }
    double range = a->high - a->low;
    if (!(range > 1e-12 * fabs(a->high))) {
        double room = a->whole || a->high == 0 ? 1 : fabs(a->high) * 0.05;
        a->low -= room;
        a->high += room;
        return;
    }
    a->low -= range * 0.05;
    a->high += range * 0.05;
}

static uint32_t log_ticks(const ni_axis *a, uint32_t most, double *out) {
    static const double within[] = {1, 2, 5};
    double decades = log10(a->high / a->low);
    uint32_t n = 0, each = decades * 3 + 1 <= most ? 3 : 1;
    int stride = each == 1 ? (int)ceil(decades / most) : 1;
    if (stride < 1) stride = 1;
    for (int d = (int)floor(log10(a->low)); d <= (int)floor(log10(a->high)); d++)
        for (uint32_t k = 0; k < each && n < most; k++) {
            double v = within[k] * pow(10, d);
            if (v >= a->low && v <= a->high && (each == 3 || d % stride == 0)) out[n++] = v;
        }
    return n;
}

uint32_t ni_axis_ticks(const ni_axis *a, uint32_t most, double *out, double *step) {
    uint32_t n = 0;
    if (a->logarithmic) {
        n = log_ticks(a, most, out);
        *step = 0;
        return n;
    }
    *step = nice_step(a->high - a->low, most);
    if (a->whole && *step < 1) *step = 1;
    for (double k = ceil(a->low / *step - 1e-9); n < most + 1 && k * *step <= a->high * (1 + 1e-12);
         k++)
        out[n++] = k == 0 ? 0 : k * *step;
    return n;
}

void ni_chart_at(ni_text *to, double value) {
    double tenths = nearbyint(value * 10);
    if (fabs(tenths) >= 1e9) tenths = 0;
    int64_t t = (int64_t)tenths;
    if (t < 0) ni_text_add_char(to, '-');
    if (t < 0) t = -t;
    ni_text_u64(to, (uint64_t)(t / 10));
    if (t % 10) ni_text_f(to, ".%d", (int)(t % 10));
}

static double part(const ni_axis *a, double value) {
    return a->logarithmic ? log(value / a->low) / log(a->high / a->low)
                          : (value - a->low) / (a->high - a->low);
}

double ni_chart_x(const ni_chart *c, double value) {
    return c->left + part(&c->x, value) * (c->right - c->left);
}

double ni_chart_y(const ni_chart *c, double value) {
    double y = c->bottom - part(&c->y, value) * (c->bottom - c->top);
    return y < c->top ? c->top : y > c->bottom ? c->bottom : y;
}

static void tick_text(ni_text *to, const ni_axis *a, double value, double step) {
    if (a->logarithmic && a->kind == NI_SAY_PLAIN)
        ni_say(to, value, a->kind);
    else
        ni_say_step(to, value, step > 0 ? step : value, a->logarithmic ? value : a->high,
                    a->kind == NI_SAY_SHORT || a->kind == NI_SAY_COUNT ? NI_SAY_SHORT : a->kind);
}

void ni_chart_begin(ni_chart *c, ni_text *to, const ni_axis *x, const ni_axis *y, const char *title,
                    const char *about) {
    double ticks[16], step;
    *c = (ni_chart){to, *x, *y, 56, WIDTH - 12, 26, HEIGHT - 40};
    ni_text_f(to, "<svg class=\"chart\" role=\"img\" viewBox=\"0 0 %d %d\"><title>", (int)WIDTH,
              (int)HEIGHT);
    ni_say_xml(to, title, 200);
    ni_text_add(to, "</title><desc>");
    ni_say_xml(to, about, 600);
    ni_text_add(to, "</desc>");
    uint32_t n = ni_axis_ticks(y, 8, ticks, &step);
    for (uint32_t i = 0; i < n; i++) {
        double at = ni_chart_y(c, ticks[i]);
        ni_text_add(to, "<path class=\"grid\" d=\"M");
        ni_chart_at(to, c->left);
        ni_text_add_char(to, ' ');
        ni_chart_at(to, at);
        ni_text_add_char(to, 'H');
        ni_chart_at(to, c->right);
        ni_text_add(to, "\"/><text class=\"ty\" x=\"");
        ni_chart_at(to, c->left - 6);
        ni_text_add(to, "\" y=\"");
        ni_chart_at(to, at + 4);
        ni_text_add(to, "\">");
        tick_text(to, y, ticks[i], step);
        ni_text_add(to, "</text>");
    }
    n = ni_axis_ticks(x, 7, ticks, &step);
    ni_text_add(to, "<path class=\"axis\" d=\"M");
    ni_chart_at(to, c->left);
    ni_text_add_char(to, ' ');
    ni_chart_at(to, c->bottom);
    ni_text_add_char(to, 'H');
    ni_chart_at(to, c->right);
    for (uint32_t i = 0; i < n; i++) {
        ni_text_add_char(to, 'M');
        ni_chart_at(to, ni_chart_x(c, ticks[i]));
        ni_text_add_char(to, ' ');
        ni_chart_at(to, c->bottom);
        ni_text_add(to, "v5");
    }
    ni_text_add(to, "\"/>");
    for (uint32_t i = 0; i < n; i++) {
        ni_text_add(to, "<text class=\"tx\" x=\"");
        ni_chart_at(to, ni_chart_x(c, ticks[i]));
        ni_text_add(to, "\" y=\"");
        ni_chart_at(to, c->bottom + 17);
        ni_text_add(to, "\">");
        tick_text(to, x, ticks[i], step);
        ni_text_add(to, "</text>");
    }
    ni_text_add(to, "<text class=\"label\" x=\"2\" y=\"12\">");
    ni_say_xml(to, y->label, 50);
    ni_text_add(to, "</text><text class=\"label lx\" x=\"");
    ni_chart_at(to, c->right);
    ni_text_add(to, "\" y=\"");
    ni_chart_at(to, c->bottom + 34);
    ni_text_add(to, "\">");
    ni_say_xml(to, x->label, 50);
    ni_text_add(to, "</text>\n");
}

void ni_chart_end(ni_chart *c) {
    ni_text_add(c->to, "</svg>\n");
}

nas_status ni_thin_begin(ni_thin *thin, nas_context *context, const ni_chart *c) {
    thin->columns = (uint32_t)((c->right - c->left) / SQUARE) + 1;
    thin->rows = (uint32_t)((c->bottom - c->top) / SQUARE) + 1;
    thin->taken = ni_calloc(context, thin->columns, thin->rows);
    return thin->taken ? NAS_OK : NAS_E_MEMORY;
}

bool ni_thin_take(ni_thin *thin, const ni_chart *c, double x, double y) {
    double column = (x - c->left) / SQUARE, row = (y - c->top) / SQUARE;
    uint32_t i = column > 0 ? (uint32_t)column : 0, j = row > 0 ? (uint32_t)row : 0;
    if (i >= thin->columns) i = thin->columns - 1;
    if (j >= thin->rows) j = thin->rows - 1;
    uint8_t *at = &thin->taken[(size_t)j * thin->columns + i];
    bool fresh = !*at;
    *at = 1;
    return fresh;
}
