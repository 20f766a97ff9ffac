/* Layout of a drawn graph in rows, in the manner of Sugiyama, Tagawa and Toda (IEEE Trans. SMC
 * 11(2), 1981): rows by longest way, orders by barycentres and exchanges, places by weighted least
 * squares in each row. An edge's operation is a vertex of its own, so that labels never cover one
 * another. */
#include "parts.h"

enum { VERTICES_MOST = 20000, SWEEPS = 16, PLACINGS = 60 };
#define ROW    43.0
#define LETTER 7.0 /* width of one of a fixed-width font of 11.5 px, with a little to spare */
#define GAP    12.0
#define NODE   24.0
#define LABEL  22.0
#define PORT   11.0
#define MARGIN 10.0
#define DUMMY  4.0

typedef enum { VERTEX_NODE, VERTEX_OPERATION, VERTEX_DUMMY } vertex_kind;
typedef struct {
    vertex_kind kind;
    uint32_t row, place; /* place: in its row, from 0 */
    double x, width, key;
} vertex;
typedef struct {
    uint32_t up, down;
    double weight;
} link;
typedef struct {
    nas_context *context;
    const ni_draw_graph *graph;
    ni_arena *arena;
    uint32_t n, n_links, rows;
    vertex *v;
    link *links;
    uint32_t *chain;      /* vertices of edge e between its nodes: first[e] .. first[e+1]-1 */
    uint32_t *first, *at; /* at: of those, which is the operation */
    uint32_t *above, *above_first, *below, *below_first; /* neighbours */
    uint32_t *order, *row_first, *best;
} work;

/* ---- what is alive -----------------------------------------------------------------------------
 */

void ni_draw_lives(const ni_draw_graph *g, bool *nodes, bool *edges) {
    /* Edges go upwards in number, so that one pass each way is enough; edges may come unsorted. */
    for (uint32_t v = 0; v < g->n_nodes; v++)
        nodes[v] = v < g->n_inputs;
    for (uint32_t v = 0; v < g->n_nodes; v++)
        for (uint32_t e = 0; nodes[v] && e < g->n_edges; e++)
            if (g->edges[e].from == v) nodes[g->edges[e].to] = true;
    for (uint32_t e = 0; e < g->n_edges; e++)
        edges[e] = nodes[g->edges[e].from];
    /* Backwards: what does not reach an output falls out. */
    for (uint32_t v = g->n_nodes; v-- > 0;) {
        bool leads = v + g->n_outputs >= g->n_nodes;
        for (uint32_t e = 0; !leads && e < g->n_edges; e++)
            leads = g->edges[e].from == v && edges[e] && nodes[g->edges[e].to];
        nodes[v] = nodes[v] && leads;
    }
    for (uint32_t e = 0; e < g->n_edges; e++)
        edges[e] = edges[e] && nodes[g->edges[e].from] && nodes[g->edges[e].to];
}

/* ---- rows --------------------------------------------------------------------------------------
 */

static double text_width(const char *text) {
    double width = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if ((*at & 0xc0) != 0x80) width += *at >= 0xe2 ? 2 * LETTER : LETTER;
    return width;
}

/* Longest way from the inputs; what hangs in the air comes just before what it feeds. */
static void depths(const ni_draw_graph *g, uint32_t *depth) {
    uint32_t outputs = g->n_nodes - g->n_outputs, deepest = 0;
    for (uint32_t v = 0; v < g->n_nodes; v++)
        depth[v] = 0;
    for (uint32_t v = 0; v < g->n_nodes; v++)
        for (uint32_t e = 0; e < g->n_edges; e++)
            if (g->edges[e].to == v && depth[g->edges[e].from] + 1 > depth[v])
                depth[v] = depth[g->edges[e].from] + 1;
    for (uint32_t v = outputs; v-- > g->n_inputs;) {
        uint32_t in = 0, before = UINT32_MAX;
        for (uint32_t e = 0; e < g->n_edges; e++) {
            in += g->edges[e].to == v;
            if (g->edges[e].from == v && depth[g->edges[e].to] < before)
                before = depth[g->edges[e].to];
        }
        if (in) continue;
        depth[v] = before == UINT32_MAX ? 1 : before ? before - 1 : 0;
    }
    for (uint32_t v = 0; v < outputs; v++)
        if (depth[v] > deepest) deepest = depth[v];
    for (uint32_t v = outputs; v < g->n_nodes; v++)
        if (v >= g->n_inputs && depth[v] < deepest + 1) depth[v] = deepest + 1;
}

static nas_status make_vertices(work *w) {
    const ni_draw_graph *g = w->graph;
    uint32_t *depth = ni_arena_alloc(w->arena, (g->n_nodes + 1) * sizeof *depth);
    uint64_t total = g->n_nodes, links = 0, most_depth = 0;
    if (!depth) return NAS_E_MEMORY;
    depths(g, depth);
    for (uint32_t v = 0; v < g->n_nodes; v++)
        if (depth[v] > most_depth) most_depth = depth[v];
    for (uint32_t e = 0; e < g->n_edges; e++) {
        uint64_t span = 2 * (uint64_t)(depth[g->edges[e].to] - depth[g->edges[e].from]);
        total += span - 1;
        links += span;
    }
    if (total > VERTICES_MOST)
        return ni_fail(w->context, NAS_E_LIMIT,
                       "'%s' is too large to be laid out; its DOT form can be drawn by graphviz",
                       g->title);
    w->rows = (uint32_t)(2 * most_depth + 1);
    w->v = ni_arena_alloc(w->arena, (total + 1) * sizeof *w->v);
    w->links = ni_arena_alloc(w->arena, (links + 1) * sizeof *w->links);
    w->chain = ni_arena_alloc(w->arena, (total + 1) * sizeof *w->chain);
    w->first = ni_arena_alloc(w->arena, (g->n_edges + 1) * sizeof *w->first);
    w->at = ni_arena_alloc(w->arena, (g->n_edges + 1) * sizeof *w->at);
    double *filled = ni_arena_alloc(w->arena, w->rows * sizeof *filled);
    bool *done = ni_arena_alloc(w->arena, g->n_edges + 1);
    if (!w->v || !w->links || !w->chain || !w->first || !w->at || !filled || !done)
        return NAS_E_MEMORY;
    for (uint32_t v = 0; v < g->n_nodes; v++)
        w->v[w->n++] = (vertex){
            .kind = VERTEX_NODE, .row = 2 * depth[v], .width = text_width(g->node_labels[v]) + 20};
    for (uint32_t e = 0; e < g->n_edges; e++)
        w->first[e + 1] = w->first[e] + 2 * (depth[g->edges[e].to] - depth[g->edges[e].from]) - 1;
    /* Short edges choose first in which row their operation stands: where there is most room. */
    for (uint32_t span = 1; span <= most_depth; span++)
        for (uint32_t e = 0; e < g->n_edges; e++) {
            uint32_t low = 2 * depth[g->edges[e].from] + 1, high = 2 * depth[g->edges[e].to] - 1;
            if ((high - low) / 2 + 1 != span) continue;
            uint32_t row = low;
            for (uint32_t r = low; r <= high; r += 2)
                if (filled[r] < filled[row]) row = r;
            filled[row] += text_width(g->edges[e].label) + 14 + GAP;
            w->at[e] = w->first[e] + (row - low);
        }
    for (uint32_t e = 0; e < g->n_edges; e++) {
        uint32_t from = g->edges[e].from, row = 2 * depth[from];
        for (uint32_t c = w->first[e]; c < w->first[e + 1]; c++) {
            bool operation = c == w->at[e];
            uint32_t made = w->n++;
            w->v[made] = (vertex){.kind = operation ? VERTEX_OPERATION : VERTEX_DUMMY,
                                  .row = ++row,
                                  .width = operation ? text_width(g->edges[e].label) + 14 : DUMMY};
            w->chain[c] = made;
            w->links[w->n_links++] = (link){from, made, c == w->first[e] ? 1 : 6};
            from = made;
        }
        w->links[w->n_links++] = (link){from, g->edges[e].to, 1};
    }
    /* Lines must find room at the nodes that they meet. */
    for (uint32_t v = 0; v < g->n_nodes; v++) {
        uint32_t in = 0, out = 0;
        for (uint32_t e = 0; e < g->n_edges; e++) {
            in += g->edges[e].to == v;
            out += g->edges[e].from == v;
        }
        double needed = PORT * ((in > out ? in : out) + 1);
        if (w->v[v].width < needed) w->v[v].width = needed;
    }
    return NAS_OK;
}

/* ---- neighbours, orders ------------------------------------------------------------------------
 */

static nas_status make_neighbours(work *w) {
    w->above = ni_arena_alloc(w->arena, (w->n_links + 1) * sizeof *w->above);
    w->below = ni_arena_alloc(w->arena, (w->n_links + 1) * sizeof *w->below);
    w->above_first = ni_arena_alloc(w->arena, (w->n + 2) * sizeof *w->above_first);
    w->below_first = ni_arena_alloc(w->arena, (w->n + 2) * sizeof *w->below_first);
    w->order = ni_arena_alloc(w->arena, (w->n + 1) * sizeof *w->order);
    w->best = ni_arena_alloc(w->arena, (w->n + 1) * sizeof *w->best);
    w->row_first = ni_arena_alloc(w->arena, (w->rows + 2) * sizeof *w->row_first);
    if (!w->above || !w->below || !w->above_first || !w->below_first || !w->order || !w->best ||
        !w->row_first)
        return NAS_E_MEMORY;
    /* Counting sort: counts two places on, then sums, then filling moves each first to its own. */
    for (uint32_t i = 0; i < w->n_links; i++) {
        w->below_first[w->links[i].up + 1]++;
        w->above_first[w->links[i].down + 1]++;
    }
    for (uint32_t v = 0; v < w->n; v++) {
        w->below_first[v + 1] += w->below_first[v];
        w->above_first[v + 1] += w->above_first[v];
    }
    for (uint32_t i = w->n_links; i-- > 0;) {
        w->below[--w->below_first[w->links[i].up + 1]] = i;
        w->above[--w->above_first[w->links[i].down + 1]] = i;
    }
    /* Now first[v+1] is where v begins: shift back. */
    for (uint32_t v = 0; v < w->n; v++) {
        w->below_first[v] = w->below_first[v + 1];
        w->above_first[v] = w->above_first[v + 1];
    }
    w->below_first[w->n] = w->above_first[w->n] = w->n_links;
    for (uint32_t v = 0; v < w->n; v++)
        w->row_first[w->v[v].row + 1]++;
    for (uint32_t r = 0; r < w->rows; r++)
        w->row_first[r + 1] += w->row_first[r];
    for (uint32_t r = 0, filled = 0; r < w->rows; r++)
        for (uint32_t v = 0; v < w->n; v++)
            if (w->v[v].row == r) {
                w->v[v].place = filled - w->row_first[r];
                w->order[filled++] = v;
            }
    return NAS_OK;
}

static uint32_t other_end(const work *w, uint32_t v, const uint32_t *list, uint32_t i) {
    const link *l = &w->links[list[i]];
    return l->up == v ? l->down : l->up;
}

/* Crossings between the lines of a (on the left) and of b (on the right). */
static uint64_t crossings_of(const work *w, uint32_t a, uint32_t b, const uint32_t *list,
                             const uint32_t *first) {
    uint64_t n = 0;
    for (uint32_t i = first[a]; i < first[a + 1]; i++)
        for (uint32_t j = first[b]; j < first[b + 1]; j++)
            n += w->v[other_end(w, a, list, i)].place > w->v[other_end(w, b, list, j)].place;
    return n;
}

static uint64_t crossings(const work *w) {
    uint64_t n = 0;
    for (uint32_t r = 0; r + 1 < w->rows; r++)
        for (uint32_t i = w->row_first[r]; i < w->row_first[r + 1]; i++)
            for (uint32_t j = i + 1; j < w->row_first[r + 1]; j++)
                n += crossings_of(w, w->order[i], w->order[j], w->below, w->below_first);
    return n;
}

static void renumber(work *w, uint32_t row) {
    for (uint32_t i = w->row_first[row]; i < w->row_first[row + 1]; i++)
        w->v[w->order[i]].place = i - w->row_first[row];
}

static void sort_row(work *w, uint32_t row, const uint32_t *list, const uint32_t *first) {
    uint32_t *order = w->order + w->row_first[row];
    uint32_t n = w->row_first[row + 1] - w->row_first[row];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = order[i], links = first[v + 1] - first[v];
        double sum = 0;
        for (uint32_t k = first[v]; k < first[v + 1]; k++)
            sum += w->v[other_end(w, v, list, k)].place;
        w->v[v].key = links ? sum / links : i;
    }
    for (uint32_t i = 1; i < n; i++) { /* stable */
        uint32_t v = order[i], j = i;
        for (; j > 0 && w->v[order[j - 1]].key > w->v[v].key; j--)
            order[j] = order[j - 1];
        order[j] = v;
    }
    renumber(w, row);
}

static void exchange(work *w) {
    for (uint32_t r = 0; r < w->rows; r++)
        for (uint32_t i = w->row_first[r]; i + 1 < w->row_first[r + 1]; i++) {
            uint32_t a = w->order[i], b = w->order[i + 1];
            uint64_t now = crossings_of(w, a, b, w->above, w->above_first) +
                           crossings_of(w, a, b, w->below, w->below_first);
            uint64_t then = crossings_of(w, b, a, w->above, w->above_first) +
                            crossings_of(w, b, a, w->below, w->below_first);
            if (then >= now) continue;
            w->order[i] = b;
            w->order[i + 1] = a;
            renumber(w, r);
        }
}

static void order_rows(work *w) {
    uint64_t least = crossings(w);
    memcpy(w->best, w->order, w->n * sizeof *w->best);
    for (uint32_t sweep = 0; sweep < SWEEPS && least > 0; sweep++) {
        for (uint32_t k = 1; k < w->rows; k++) {
            if (sweep % 2)
                sort_row(w, w->rows - 1 - k, w->below, w->below_first);
            else
                sort_row(w, k, w->above, w->above_first);
        }
        exchange(w);
        uint64_t now = crossings(w);
        if (now >= least) continue;
        least = now;
        memcpy(w->best, w->order, w->n * sizeof *w->best);
    }
    memcpy(w->order, w->best, w->n * sizeof *w->best);
    for (uint32_t r = 0; r < w->rows; r++)
        renumber(w, r);
}

/* ---- places ------------------------------------------------------------------------------------
 */

static double apart(const vertex *a, const vertex *b) {
    return (a->width + b->width) / 2 + GAP;
}

typedef struct {
    double sum, weight;
    uint32_t n;
} block;

/* One more wish; those that would be out of order are pooled. */
static void add_block(block *blocks, uint32_t *used, double sum, double weight) {
    block *last = &blocks[(*used)++];
    *last = (block){sum, weight, 1};
    for (; last > blocks && last[-1].sum * last->weight > last->sum * last[-1].weight; last--) {
        last[-1].sum += last->sum;
        last[-1].weight += last->weight;
        last[-1].n += last->n;
        (*used)--;
    }
}

static void take_blocks(work *w, uint32_t from, const block *blocks, uint32_t used) {
    for (uint32_t b = 0, i = from; b < used; b++)
        for (uint32_t k = 0; k < blocks[b].n; k++, i++) {
            vertex *v = &w->v[w->order[i]];
            v->x = blocks[b].sum / blocks[b].weight + v->key;
        }
}

/* Each vertex of the row to the weighted mean of its neighbours, as near as the others let it: with
 * the least distances taken off this is isotonic regression, solved by pooling. */
static void place_row(work *w, uint32_t row, block *blocks) {
    uint32_t from = w->row_first[row], n = w->row_first[row + 1] - from, used = 0;
    double offset = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = w->order[from + i];
        vertex *v = &w->v[id];
        double sum = 0, weight = 0;
        if (i) offset += apart(&w->v[w->order[from + i - 1]], v);
        for (uint32_t k = w->above_first[id]; k < w->above_first[id + 1]; k++) {
            const link *l = &w->links[w->above[k]];
            sum += l->weight * w->v[l->up].x;
            weight += l->weight;
        }
        for (uint32_t k = w->below_first[id]; k < w->below_first[id + 1]; k++) {
            const link *l = &w->links[w->below[k]];
            sum += l->weight * w->v[l->down].x;
            weight += l->weight;
        }
        if (weight == 0) {
            weight = 0.1;
            sum = weight * v->x;
        }
        v->key = offset;
        add_block(blocks, &used, sum - weight * offset, weight);
    }
    take_blocks(w, from, blocks, used);
}

/* Least squares makes slanted lines of long edges. Each vertex of an edge that comes from another
 * one of it goes straight below it where there is room; the others stay. */
static void straighten_row(work *w, uint32_t row, block *blocks) {
    uint32_t from = w->row_first[row], n = w->row_first[row + 1] - from, used = 0;
    double offset = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = w->order[from + i];
        vertex *v = &w->v[id];
        double wanted = v->x, weight = v->kind == VERTEX_DUMMY ? 1 : 4;
        if (i) offset += apart(&w->v[w->order[from + i - 1]], v);
        if (v->kind != VERTEX_NODE) {
            const vertex *up = &w->v[w->links[w->above[w->above_first[id]]].up];
            if (up->kind != VERTEX_NODE) {
                wanted = up->x;
                weight = 8;
            }
        }
        v->key = offset;
        add_block(blocks, &used, weight * (wanted - offset), weight);
    }
    take_blocks(w, from, blocks, used);
}

static nas_status place(work *w) {
    block *blocks = ni_arena_alloc(w->arena, (w->n + 1) * sizeof *blocks);
    if (!blocks) return NAS_E_MEMORY;
    for (uint32_t r = 0; r < w->rows; r++) {
        double x = 0, all = 0;
        for (uint32_t i = w->row_first[r]; i < w->row_first[r + 1]; i++) {
            vertex *v = &w->v[w->order[i]];
            if (i > w->row_first[r]) x += apart(&w->v[w->order[i - 1]], v);
            v->x = all = x;
        }
        for (uint32_t i = w->row_first[r]; i < w->row_first[r + 1]; i++)
            w->v[w->order[i]].x -= all / 2;
    }
    for (uint32_t k = 0; k < PLACINGS; k++)
        for (uint32_t r = 0; r < w->rows; r++)
            place_row(w, k % 2 ? w->rows - 1 - r : r, blocks);
    for (uint32_t r = 1; r < w->rows; r++)
        straighten_row(w, r, blocks);
    return NAS_OK;
}

/* ---- the answer --------------------------------------------------------------------------------
 */

/* Where a line meets node v: lines side by side in the order of where they come from. */
static double port(const work *w, uint32_t v, uint32_t via, const uint32_t *list,
                   const uint32_t *first) {
    uint32_t before = 0, n = first[v + 1] - first[v];
    const vertex *me = &w->v[via];
    for (uint32_t i = first[v]; i < first[v + 1]; i++) {
        uint32_t id = other_end(w, v, list, i);
        const vertex *o = &w->v[id];
        before += o->x < me->x || (o->x == me->x && id < via);
    }
    return w->v[v].x + PORT * (before - (n - 1) / 2.0);
}

static void answer(const work *w, ni_layout *out) {
    const ni_draw_graph *g = w->graph;
    double low = 0, high = 0;
    for (uint32_t v = 0; v < w->n; v++) {
        double half = w->v[v].width / 2;
        if (v == 0 || w->v[v].x - half < low) low = w->v[v].x - half;
        if (v == 0 || w->v[v].x + half > high) high = w->v[v].x + half;
    }
    out->width = high - low + 2 * MARGIN;
    out->height = (w->rows - 1) * ROW + NODE + 2 * MARGIN;
    double left = MARGIN - low, top = MARGIN + NODE / 2;
    for (uint32_t v = 0; v < g->n_nodes; v++)
        out->nodes[v] = (ni_box){w->v[v].x + left, w->v[v].row * ROW + top, w->v[v].width, NODE};
    for (uint32_t e = 0, n = 0; e < g->n_edges; e++) {
        uint32_t from = g->edges[e].from, to = g->edges[e].to;
        uint32_t chain = w->first[e], end = w->first[e + 1];
        const vertex *o = &w->v[w->chain[w->at[e]]];
        out->operations[e] = (ni_box){o->x + left, o->row * ROW + top, o->width, LABEL};
        out->first[e] = n;
        out->points[2 * n] = port(w, from, w->chain[chain], w->below, w->below_first) + left;
        out->points[2 * n++ + 1] = w->v[from].row * ROW + top + NODE / 2;
        out->at[e] = n + (w->at[e] - chain);
        for (; chain < end; chain++) {
            const vertex *v = &w->v[w->chain[chain]];
            out->points[2 * n] = v->x + left;
            out->points[2 * n++ + 1] = v->row * ROW + top;
        }
        out->points[2 * n] = port(w, to, w->chain[end - 1], w->above, w->above_first) + left;
        out->points[2 * n++ + 1] = w->v[to].row * ROW + top - NODE / 2;
        out->first[e + 1] = n;
    }
    ni_draw_lives(g, out->node_lives, out->edge_lives);
}

static nas_status check(nas_context *context, const ni_draw_graph *g) {
    bool good = g->n_inputs <= g->n_nodes && g->n_outputs <= g->n_nodes && g->n_nodes > 0;
    for (uint32_t e = 0; good && e < g->n_edges; e++)
        good = g->edges[e].from < g->edges[e].to && g->edges[e].to < g->n_nodes &&
               g->edges[e].to >= g->n_inputs;
    return good ? NAS_OK
                : ni_fail(context, NAS_E_INTERNAL,
                          "the graph '%s' has an edge that goes back, or to an input", g->title);
}

nas_status ni_layout_make(ni_layout *out, nas_context *context, const ni_draw_graph *graph) {
    work w = {.context = context, .graph = graph};
    ni_layout made;
    nas_status status;
    memset(&made, 0, sizeof made);
    NI_TRY(check(context, graph));
    NI_TRY(ni_arena_create(&w.arena, context));
    NI_GOTO(end, make_vertices(&w));
    NI_GOTO(end, make_neighbours(&w));
    order_rows(&w);
    NI_GOTO(end, place(&w));
    status = NAS_E_MEMORY;
    made.nodes = ni_calloc(context, graph->n_nodes, sizeof *made.nodes);
    made.operations = ni_calloc(context, graph->n_edges + 1, sizeof *made.operations);
    made.node_lives = ni_calloc(context, graph->n_nodes, sizeof *made.node_lives);
    made.edge_lives = ni_calloc(context, graph->n_edges + 1, sizeof *made.edge_lives);
    made.first = ni_calloc(context, graph->n_edges + 1, sizeof *made.first);
    made.at = ni_calloc(context, graph->n_edges + 1, sizeof *made.at);
    made.points =
        ni_calloc(context, 2 * ((size_t)w.n + 2 * (size_t)graph->n_edges) + 1, sizeof *made.points);
    if (!made.nodes || !made.operations || !made.node_lives || !made.edge_lives || !made.first ||
        !made.at || !made.points)
        goto end;
    answer(&w, &made);
    *out = made;
    status = NAS_OK;
end:
    ni_arena_free(w.arena);
    if (status < 0) ni_layout_free(context, &made);
    return status;
}

void ni_layout_free(nas_context *context, ni_layout *layout) {
    ni_free(context, layout->nodes);
    ni_free(context, layout->operations);
    ni_free(context, layout->node_lives);
    ni_free(context, layout->edge_lives);
    ni_free(context, layout->first);
    ni_free(context, layout->at);
    ni_free(context, layout->points);
    memset(layout, 0, sizeof *layout);
}
