/* Drawings of architectures: SVG by our own layout, DOT for graphviz, plain text. */
#include "parts.h"

/* ---- SVG ---------------------------------------------------------------------------------------
 */

/* Colours by kind of operation, light and dark; text on them is the page's own ink. */
const char ni_draw_light[] =
    "--paper:#ffffff;--ink:#1b2330;--faint:#667085;--line:#7b8698;"
    "--conv:#dde9fc;--conv-edge:#3b6fc4;--sep:#d6f1f0;--sep-edge:#20807c;"
    "--pool:#e2f2dc;--pool-edge:#4a8635;--skip:#f3f4f6;--skip-edge:#8a93a3;"
    "--other:#efe4fa;--other-edge:#8150b0;";
const char ni_draw_dark[] = "--paper:#12161d;--ink:#e6eaf0;--faint:#9aa5b5;--line:#8792a3;"
                            "--conv:#1d3358;--conv-edge:#7da8ee;--sep:#123f3e;--sep-edge:#5cc3bd;"
                            "--pool:#23401b;--pool-edge:#8fcb76;--skip:#232a34;--skip-edge:#7d8796;"
                            "--other:#3a2652;--other-edge:#c29bea;";

const char ni_draw_style[] =
    ".nd{color:var(--ink);font:11.5px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans "
    "Mono','Liberation Mono',monospace}"
    ".nd text{fill:currentColor;text-anchor:middle}"
    ".nd path{fill:none;stroke:var(--line);stroke-width:1.5}"
    ".nd .tip{fill:var(--line);stroke:none}"
    ".nd .node{fill:var(--ink);stroke:none}.nd .nodetext{fill:var(--paper);font-weight:600}"
    ".nd .op{stroke-width:1.2}"
    ".nd .conv{fill:var(--conv);stroke:var(--conv-edge)}"
    ".nd .sep{fill:var(--sep);stroke:var(--sep-edge)}"
    ".nd .pool{fill:var(--pool);stroke:var(--pool-edge)}"
    ".nd .skip{fill:var(--skip);stroke:var(--skip-edge)}"
    ".nd .other{fill:var(--other);stroke:var(--other-edge)}"
    ".nd .dead path,.nd .dead .op{stroke-dasharray:3 3}"
    ".nd .dead .op{fill:none;stroke:var(--line)}.nd .dead text{fill:var(--faint)}"
    ".nd .dead .node{fill:none;stroke:var(--line);stroke-dasharray:3 3}";

/* Colours help to compare cells; the kinds are told by the usual words in names. */
static const char *operation_class(const ni_draw_edge *edge) {
    if (edge->identity) return "skip";
    if (strstr(edge->label, "pool")) return "pool";
    if (strstr(edge->label, "sep") || strstr(edge->label, "dws") || strstr(edge->label, "dil") ||
        strstr(edge->label, "mbconv"))
        return "sep";
    return strstr(edge->label, "conv") ? "conv" : "other";
}

static void number(ni_text *to, const char *before, double value) {
    ni_text_add(to, before);
    ni_chart_at(to, value);
}

static void point(ni_text *to, const char *before, double x, double y) {
    number(to, before, x);
    number(to, " ", y);
}

/* From one point to the next, leaving and arriving straight down. */
static void bend(ni_text *to, const double *a, const double *b) {
    if (a[0] - b[0] < 0.05 && b[0] - a[0] < 0.05) {
        point(to, "L", b[0], b[1]);
        return;
    }
    double middle = (a[1] + b[1]) / 2;
    point(to, "C", a[0], middle);
    point(to, " ", b[0], middle);
    point(to, " ", b[0], b[1]);
}

#define STRAIGHT 12.0 /* beside a node or an operation a line goes straight so far up and down */

static void draw_edge(ni_text *to, const ni_draw_graph *g, const ni_layout *l, uint32_t e) {
    const ni_box *o = &l->operations[e];
    ni_text_add(to, l->edge_lives[e] ? "<g>" : "<g class=\"dead\">");
    ni_text_add(to, "<path d=\"");
    double from[2] = {0, 0};
    for (uint32_t p = l->first[e]; p < l->first[e + 1]; p++) {
        double x = l->points[2 * p], y = l->points[2 * p + 1];
        double reach = p == l->at[e] ? o->height / 2 : STRAIGHT;
        if (p == l->first[e]) {
            from[0] = x;
            from[1] = y;
            point(to, "M", x, y);
        } else if (p + 1 == l->first[e + 1]) {
            double end[2] = {x, y - 5};
            bend(to, from, end);
        } else {
            double above[2] = {x, y - reach};
            bend(to, from, above);
            from[0] = x;
            from[1] = y + reach;
            point(to, p == l->at[e] ? "M" : "L", from[0], from[1]);
        }
    }
    uint32_t last = l->first[e + 1] - 1;
    point(to, "\"/><path class=\"tip\" d=\"M", l->points[2 * last], l->points[2 * last + 1]);
    ni_text_add(to, "l-4 -7h8z\"/>");
    ni_text_f(to, "<rect class=\"op %s\"", operation_class(&g->edges[e]));
    number(to, " x=\"", o->x - o->width / 2);
    number(to, "\" y=\"", o->y - o->height / 2);
    number(to, "\" width=\"", o->width);
    number(to, "\" height=\"", o->height);
    number(to, "\" rx=\"5\"/><text x=\"", o->x);
    number(to, "\" y=\"", o->y + 4);
    ni_text_add(to, "\">");
    ni_say_xml(to, g->edges[e].label, 64);
    ni_text_add(to, "</text></g>");
}

static void draw_node(ni_text *to, const ni_draw_graph *g, const ni_layout *l, uint32_t v) {
    const ni_box *b = &l->nodes[v];
    bool outside = v < g->n_inputs || v + g->n_outputs >= g->n_nodes;
    bool lives = l->node_lives[v] || outside;
    ni_text_add(to, lives ? "<g>" : "<g class=\"dead\">");
    number(to, "<rect class=\"node\" x=\"", b->x - b->width / 2);
    number(to, "\" y=\"", b->y - b->height / 2);
    number(to, "\" width=\"", b->width);
    number(to, "\" height=\"", b->height);
    number(to, "\" rx=\"12\"/><text class=\"nodetext\" x=\"", b->x);
    number(to, "\" y=\"", b->y + 4);
    ni_text_add(to, "\">");
    ni_say_xml(to, g->node_labels[v], 24);
    ni_text_add(to, "</text></g>");
}

static void draw_body(ni_text *to, const ni_draw_graph *g, const ni_layout *l) {
    for (uint32_t e = 0; e < g->n_edges; e++)
        draw_edge(to, g, l, e);
    for (uint32_t v = 0; v < g->n_nodes; v++)
        draw_node(to, g, l, v);
}

/* What a drawing says to those who do not see it. */
static void describe(ni_text *to, const ni_draw_graph *g, const ni_layout *l) {
    ni_text_f(to, "A graph of %lu nodes. ", (unsigned long)g->n_nodes);
    for (uint32_t e = 0; e < g->n_edges && e < 40; e++) {
        ni_say_xml(to, g->node_labels[g->edges[e].from], 24);
        ni_text_add(to, " to ");
        ni_say_xml(to, g->node_labels[g->edges[e].to], 24);
        ni_text_add(to, ": ");
        ni_say_xml(to, g->edges[e].label, 64);
        ni_text_add(to, l->edge_lives[e] ? ". " : " (leads nowhere). ");
    }
    if (g->n_edges > 40) ni_text_f(to, "And %lu more.", (unsigned long)g->n_edges - 40);
}

nas_status ni_draw_svg(ni_text *to, const ni_draw_graph *graph, const char *name) {
    ni_layout l;
    NI_TRY(ni_layout_make(&l, to->context, graph));
    number(to, "<svg class=\"nd\" role=\"img\" viewBox=\"0 0 ", l.width);
    number(to, " ", l.height);
    number(to, "\" width=\"", l.width);
    number(to, "\" height=\"", l.height);
    ni_text_add(to, "\"><title>");
    ni_say_xml(to, name, 200);
    ni_text_add(to, "</title><desc>");
    describe(to, graph, &l);
    ni_text_add(to, "</desc>");
    draw_body(to, graph, &l);
    ni_text_add(to, "</svg>\n");
    ni_layout_free(to->context, &l);
    return to->status;
}

#define HEAD 26.0 /* of each graph's title in a picture of its own */

/* A picture of its own: graphs one below the other, each under its title. */
static nas_status whole_svg(ni_text *to, const nas_arch *arch, const ni_draw_graph *graphs,
                            uint32_t n) {
    double width = 0, height = 0;
    nas_status status = NAS_OK;
    ni_layout *all = ni_calloc(to->context, n, sizeof *all);
    if (!all) return NAS_E_MEMORY;
    for (uint32_t i = 0; status >= 0 && i < n; i++) {
        status = ni_layout_make(&all[i], to->context, &graphs[i]);
        double title = 7.2 * (double)ni_characters(graphs[i].title) + 24;
        if (status >= 0 && all[i].width > width) width = all[i].width;
        if (title > width) width = title;
        height += all[i].height + HEAD;
    }
    if (status < 0) goto end;
    number(to, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"nd\" role=\"img\" viewBox=\"0 0 ",
           width);
    number(to, " ", height);
    number(to, "\" width=\"", width);
    number(to, "\" height=\"", height);
    ni_text_add(to, "\"><title>");
    ni_say_xml(to, nas_arch_text(arch), 400);
    ni_text_add(to, "</title>\n<desc>");
    for (uint32_t i = 0; i < n; i++)
        describe(to, &graphs[i], &all[i]);
    ni_text_add(to, "</desc>\n<style>svg{color-scheme:light dark;");
    ni_text_add(to, ni_draw_light);
    ni_text_add(to, "}@media(prefers-color-scheme:dark){svg{");
    ni_text_add(to, ni_draw_dark);
    ni_text_add(to, "}}");
    ni_text_add(to, ni_draw_style);
    ni_text_add(to, ".nd .title{font-weight:600}</style>\n"
                    "<rect width=\"100%\" height=\"100%\" fill=\"var(--paper)\"/>\n");
    double y = 0;
    for (uint32_t i = 0; i < n; i++) {
        number(to, "<text class=\"title\" x=\"", width / 2);
        number(to, "\" y=\"", y + 19);
        ni_text_add(to, "\">");
        ni_say_xml(to, graphs[i].title, 64);
        point(to, "</text>\n<g transform=\"translate(", (width - all[i].width) / 2, y + HEAD);
        ni_text_add(to, ")\">");
        draw_body(to, &graphs[i], &all[i]);
        ni_text_add(to, "</g>\n");
        y += all[i].height + HEAD;
    }
    ni_text_add(to, "</svg>\n");
    status = to->status;
end:
    for (uint32_t i = 0; i < n; i++)
        ni_layout_free(to->context, &all[i]);
    ni_free(to->context, all);
    return status;
}

/* ---- DOT ---------------------------------------------------------------------------------------
 */

static void dot_string(ni_text *to, const char *text) {
    ni_text_add_char(to, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') ni_text_add_char(to, '\\');
        ni_text_add_char(to, (unsigned char)*text < 32 || *text == 127 ? ' ' : *text);
    }
    ni_text_add_char(to, '"');
}

static nas_status lives(nas_context *context, const ni_draw_graph *g, bool **nodes, bool **edges) {
    *nodes = ni_calloc(context, (size_t)g->n_nodes + g->n_edges + 1, sizeof **nodes);
    if (!*nodes) return NAS_E_MEMORY;
    *edges = *nodes + g->n_nodes;
    ni_draw_lives(g, *nodes, *edges);
    return NAS_OK;
}

static nas_status dot_graph(ni_text *to, const ni_draw_graph *g, uint32_t index) {
    static const char dead[] = ", style=dashed, color=gray, fontcolor=gray";
    bool *nodes, *edges;
    NI_TRY(lives(to->context, g, &nodes, &edges));
    ni_text_f(to, "  subgraph cluster_%lu {\n    label=", (unsigned long)index);
    dot_string(to, g->title);
    ni_text_add(to, ";\n");
    for (uint32_t v = 0; v < g->n_nodes; v++) {
        bool outside = v < g->n_inputs || v + g->n_outputs >= g->n_nodes;
        ni_text_f(to, "    n%lu_%lu [label=", (unsigned long)index, (unsigned long)v);
        dot_string(to, g->node_labels[v]);
        ni_text_f(to, "%s];\n", nodes[v] || outside ? "" : dead);
    }
    for (uint32_t e = 0; e < g->n_edges; e++) {
        ni_text_f(to, "    n%lu_%lu -> n%lu_%lu [label=", (unsigned long)index,
                  (unsigned long)g->edges[e].from, (unsigned long)index,
                  (unsigned long)g->edges[e].to);
        dot_string(to, g->edges[e].label);
        ni_text_f(to, "%s];\n", edges[e] ? "" : dead);
    }
    ni_text_add(to, "  }\n");
    ni_free(to->context, nodes);
    return to->status;
}

/* ---- text --------------------------------------------------------------------------------------
 */

nas_status ni_draw_text(ni_text *to, nas_context *context, const ni_draw_graph *g) {
    bool *nodes, *edges;
    size_t widest = 0;
    NI_TRY(lives(context, g, &nodes, &edges));
    for (uint32_t v = 0; v < g->n_nodes; v++) {
        size_t n = ni_characters(g->node_labels[v]);
        if (n > widest) widest = n;
    }
    ni_say_line(to, g->title, 64);
    ni_text_add_char(to, '\n');
    for (uint32_t v = g->n_inputs; v < g->n_nodes; v++) {
        bool any = false;
        for (uint32_t e = 0; e <= g->n_edges; e++) {
            if (e < g->n_edges ? g->edges[e].to != v : any) continue;
            ni_text_add(to, "  ");
            if (!any) ni_say_line(to, g->node_labels[v], 24);
            size_t used = any ? 0 : ni_characters(g->node_labels[v]);
            for (; used < widest; used++)
                ni_text_add_char(to, ' ');
            ni_text_add(to, any ? "  + " : "  = ");
            any = true;
            if (e == g->n_edges) {
                ni_text_add(to, "0 (nothing comes here)\n");
                break;
            }
            ni_say_line(to, g->edges[e].label, 64);
            ni_text_add_char(to, '(');
            ni_say_line(to, g->node_labels[g->edges[e].from], 24);
            ni_text_add(to, edges[e] ? ")\n" : ")  (leads nowhere)\n");
        }
    }
    ni_free(context, nodes);
    return to->status;
}

/* ---- the public call ---------------------------------------------------------------------------
 */

nas_status nas_arch_draw(const nas_arch *arch, int32_t format, nas_sink *sink) {
    if (!arch) return NAS_E_INVALID;
    const nas_space *space = nas_arch_space(arch);
    nas_context *context = ni_space_context(space);
    ni_draw_graph *graphs = NULL;
    uint32_t n = 0;
    ni_text to;
    NI_TRY(ni_enter(context));
    if (!sink) return ni_fail(context, NAS_E_INVALID, "nas_arch_draw: the sink is NULL");
    if (format < NAS_DRAW_SVG || format > NAS_DRAW_TEXT)
        return ni_fail(context, NAS_E_INVALID, "format is %d, must be one of NAS_DRAW_*",
                       (int)format);
    NI_TRY(ni_arch_graphs(arch, &graphs, &n));
    if (n == 0)
        return ni_fail(context, NAS_E_UNSUPPORTED,
                       "space '%s' has no network template: there is no graph to draw",
                       nas_space_name(space));
    nas_status status = NAS_OK;
    ni_text_init(&to, context);
    if (format == NAS_DRAW_SVG) {
        status = whole_svg(&to, arch, graphs, n);
    } else if (format == NAS_DRAW_DOT) {
        ni_text_add(&to, "digraph architecture {\n  // ");
        ni_say_line(&to, nas_arch_text(arch), 400);
        ni_text_add(&to, "\n  node [shape=box, style=rounded];\n");
        for (uint32_t i = 0; status >= 0 && i < n; i++)
            status = dot_graph(&to, &graphs[i], i);
        ni_text_add(&to, "}\n");
    } else {
        ni_say_line(&to, nas_arch_text(arch), 400);
        ni_text_add(&to, "\n");
        for (uint32_t i = 0; status >= 0 && i < n; i++)
            status = ni_draw_text(&to, context, &graphs[i]);
    }
    if (status >= 0) status = ni_say_flush(&to, sink);
    ni_text_free(&to);
    ni_draw_free(context, graphs, n);
    return status;
}
