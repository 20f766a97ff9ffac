/* What the files of lib/report share. */
#ifndef NI_REPORT_PARTS_H
#define NI_REPORT_PARTS_H
#include "report.h"

/* ---- numbers and texts for people (say.c)
 * -------------------------------------------------------- */

typedef enum {
    NI_SAY_PLAIN,   /* four significant digits */
    NI_SAY_PERCENT, /* 0.9213: 92.13 % */
    NI_SAY_COUNT,   /* 1288506: 1,288,506 */
    NI_SAY_SHORT    /* 1288506: 1.289 M */
} ni_say_kind;
/* Not a number: "-". */
void ni_say(ni_text *to, double value, ni_say_kind kind);
/* The same with as many digits as tell values apart that are `step` apart. */
void ni_say_step(ni_text *to, double value, double step, double largest, ni_say_kind kind);
void ni_say_duration(ni_text *to, double seconds);  /* "2 min 5 s" */
void ni_say_date(ni_text *to, double unix_seconds); /* "2026-03-01 12:30 UTC"; "" if it is none */
/* A stranger's text, cut after `most` characters (then with "..."): escaped for XML; or as one line
 * for a terminal, in which control characters are '?'. */
void ni_say_xml(ni_text *to, const char *text, size_t most);
void ni_say_line(ni_text *to, const char *text, size_t most);
size_t ni_characters(const char *text); /* UTF-8 */
/* Hands the text to the sink and empties it. NAS_OK, or what ends the writing. */
nas_status ni_say_flush(ni_text *text, nas_sink *to);

/* ---- sorting without the C library's memory
 * ------------------------------------------------------- */
typedef struct {
    double key, other;
    uint64_t trial;
} ni_key;
/* By key, then other, then trial: a total order, so that equal runs give equal reports. */
void ni_sort_keys(ni_key *keys, size_t n);

/* ---- drawings (layout.c, draw.c)
 * ----------------------------------------------------------------- */

typedef struct {
    double x, y, width, height; /* of the middle */
} ni_box;
/* A graph laid out in rows from top to bottom: nodes in even rows, operations in odd ones. */
typedef struct {
    ni_box *nodes, *operations;    /* n_nodes, n_edges */
    bool *node_lives, *edge_lives; /* false: not on a way from an input to an output */
    /* Where edge e goes: points first[e] .. first[e+1]-1, x and y in turn; the operation stands at
     * point `at[e]`, where the line is interrupted. */
    uint32_t *first, *at;
    double *points;
    double width, height;
} ni_layout;
nas_status ni_layout_make(ni_layout *out, nas_context *context, const ni_draw_graph *graph);
void ni_layout_free(nas_context *context, ni_layout *layout);
/* What lies on a way from an input to an output. */
void ni_draw_lives(const ni_draw_graph *graph, bool *nodes, bool *edges);

extern const char ni_draw_style[]; /* CSS of the drawings; colours are in ni_draw_colours */
extern const char ni_draw_light[], ni_draw_dark[];
/* One <svg>; `name` is its title, escaped here. */
nas_status ni_draw_svg(ni_text *to, const ni_draw_graph *graph, const char *name);
nas_status ni_draw_text(ni_text *to, nas_context *context, const ni_draw_graph *graph);

/* ---- charts (chart.c)
 * ------------------------------------------------------------------------------ */

typedef struct {
    double low, high;
    bool logarithmic, whole; /* whole: ticks at whole numbers alone */
    ni_say_kind kind;
    const char *label; /* escaped here */
} ni_axis;
typedef struct {
    ni_text *to;
    ni_axis x, y;
    double left, right, top, bottom; /* of the plot, in the picture's units */
} ni_chart;
/* Widens an axis a little beyond its data and chooses its scale. */
void ni_axis_fit(ni_axis *axis);
uint32_t ni_axis_ticks(const ni_axis *axis, uint32_t most, double *out, double *step);
void ni_chart_begin(ni_chart *chart, ni_text *to, const ni_axis *x, const ni_axis *y,
                    const char *title, const char *about);
double ni_chart_x(const ni_chart *chart, double value);
double ni_chart_y(const ni_chart *chart, double value); /* held inside the plot */
void ni_chart_end(ni_chart *chart);
/* A coordinate, one digit after the point. */
void ni_chart_at(ni_text *to, double value);
/* Dots that are thinned: at most one for each small square. Freed by ni_free. */
typedef struct {
    uint8_t *taken;
    uint32_t columns, rows;
} ni_thin;
nas_status ni_thin_begin(ni_thin *thin, nas_context *context, const ni_chart *chart);
bool ni_thin_take(ni_thin *thin, const ni_chart *chart, double x,
                  double y); /* false: one is there */

/* ---- what a report says (gather.c)
 * ------------------------------------------------------------------ */

enum {
    NI_REPORT_ALL = 300,     /* so many trials are all listed; of more the best */
    NI_REPORT_BEST = 100,    /* listed then */
    NI_REPORT_CURVES = 3,    /* kinds of learning curves that are drawn */
    NI_REPORT_LINES = 6,     /* learning curves in one picture */
    NI_REPORT_REASONS = 8,   /* NAS_REASON_* */
    NI_REPORT_COSTED = 20000 /* so many trials are costed by their space where the evaluator gave
                                no costs */
};
typedef struct {
    nas_context *context;
    nas_store *store;
    nas_report_options options;
    const nas_space *space; /* NULL: none could be made; problem says why */
    nas_space *made;
    char problem[300];
    char metric[64]; /* of the first objective; "score" when there are several, or none is known */
    bool is_score, minimise;
    ni_say_kind kind;
    uint64_t trials, scored, complete, stopped, cached, infeasible, distinct, generations;
    uint64_t reasons[NI_REPORT_REASONS], example[NI_REPORT_REASONS]; /* first trial of each */
    double seconds;                                                  /* sum over trials */
    NI_ARRAY(ni_key) points; /* each with a value: key: value, other: params or NAN; by trial */
    NI_ARRAY(ni_key) steps;  /* where the best became better: key: its value */
    NI_ARRAY(ni_key) listed; /* the table's rows in order */
    NI_ARRAY(uint64_t) best; /* distinct networks, the best first */
    NI_ARRAY(ni_key) front;  /* not dominated in (params, value), by params */
    bool has_params, has_notes;
} ni_report;
nas_status ni_report_gather(ni_report *out, nas_store *store, const nas_report_options *options);
void ni_report_free(ni_report *report);
/* A fact of the store, or NULL. */
const char *ni_report_fact(const ni_report *report, const char *key);
/* The next of a fact's lines, cut to fit; false: there is none. */
bool ni_report_line(const char **lines, char *line, size_t capacity);
bool ni_report_number(const ni_report *report, const char *key, double *out);
/* A trial's metric, NAN when it has none; value: what the report is about. */
double ni_report_metric(const ni_report *report, uint64_t trial, const char *name);
double ni_report_value(const ni_report *report, uint64_t trial);
/* A trial with its texts; false: there is none. Without memory for the texts to->status says so. */
bool ni_report_row(const ni_report *report, ni_text *to, uint64_t trial, ni_trial_row *out);
/* Parameters and multiply-accumulates by the evaluator, or else by the space; NAN. */
nas_status ni_report_costs(const ni_report *report, uint64_t trial, double *params, double *macs);
/* Drawable graphs of a trial's architecture: *n 0 when there are none. */
nas_status ni_report_graphs(const ni_report *report, uint64_t trial, ni_draw_graph **out,
                            uint32_t *n);
void ni_report_title(const ni_report *report, ni_text *to); /* not escaped */
const char *ni_report_reason(int32_t reason);
const char *ni_report_state(int32_t state);
/* The final training's curve: up to capacity points (epoch, loss); 0: there is none. */
size_t ni_report_final_curve(const ni_report *report, double *xy, size_t capacity);
/* Facts that are listed under "Settings": key, what people call it; NULL past the last. */
const char *ni_report_setting(uint32_t index, const char **name);

/* Best so far and cost against quality (plots.c), learning curves (curves.c), the page's style. */
nas_status ni_report_best_plot(const ni_report *report, ni_text *to);
nas_status ni_report_cost_plot(const ni_report *report, ni_text *to);
nas_status ni_report_curve_plots(const ni_report *report, ni_text *to, uint32_t *drawn);
extern const char ni_page_style[], ni_chart_style[];

#endif
