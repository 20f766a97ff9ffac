/* Networks of cells with operations on edges, stacked in stages: the template of NAS-Bench-201 and
 * of the quick space. This file: the template's options, its own text, its costs. */
#include <inttypes.h>
#include "internal.h"

int64_t ni_amount_value(const ni_amount *amount, const nas_value *values) {
    return amount->decision < 0 ? amount->value : values[amount->decision].integer;
}

static const ni_cells *cells_of(const nas_arch *arch) {
    return (const ni_cells *)(const void *)arch->space->template;
}

static void destroy(nas_context *context, ni_template *self) {
    ni_cells *c = (ni_cells *)(void *)self;
    if (c->lock) ni_mutex_free(c->lock);
    NI_ARRAY_FREE(context, &c->memo);
    ni_free(context, c->meaning);
    ni_free(context, c->alternative_hash);
    ni_free(context, c);
}

/* ---- |op~0|+|op~0|op~1|+|op~0|op~1|op~2| --------------------------------------------------------
 */

static void own_text(const nas_space *s, const nas_value *values, ni_text *to) {
    const ni_cells *c = (const ni_cells *)(const void *)s->template;
    for (uint32_t e = 0; e < c->o.n_edges; e++) {
        if (e && c->o.edge_to[e] != c->o.edge_to[e - 1]) ni_text_add(to, "+");
        if (e == 0 || c->o.edge_to[e] != c->o.edge_to[e - 1]) ni_text_add(to, "|");
        uint32_t d = c->base.first_decision + e;
        ni_text_add(to, s->decisions.items[d].alternatives[values[d].integer]);
        ni_text_f(to, "~%" PRIu32 "|", c->o.edge_from[e]);
    }
}

static nas_status own_parse(const nas_space *s, const char *text, nas_value *values, size_t *used) {
    const ni_cells *c = (const ni_cells *)(const void *)s->template;
    const char *at = text;
    if (*at != '|') return NAS_E_NOT_FOUND;
    for (uint32_t e = 0; e < c->o.n_edges; e++) {
        bool new_node = e == 0 || c->o.edge_to[e] != c->o.edge_to[e - 1];
        if (e && new_node && *at++ != '+')
            return ni_fail(
                s->context, NAS_E_SYNTAX,
                "architecture: character %zu must be '+' before the edges of node %" PRIu32,
                (size_t)(at - text), c->o.edge_to[e]);
        if (new_node && *at++ != '|')
            return ni_fail(s->context, NAS_E_SYNTAX, "architecture: character %zu must be '|'",
                           (size_t)(at - text));
        size_t n = strcspn(at, "~|+ ");
        uint32_t d = c->base.first_decision + e;
        if (!ni_value_parse(&s->decisions.items[d], at, n, &values[d])) {
            char wrong[NI_NAME_MOST + 1];
            size_t m = n < NI_NAME_MOST ? n : NI_NAME_MOST;
            memcpy(wrong, at, m);
            wrong[m] = 0;
            const char *near =
                ni_nearest(wrong, (const char *const *)s->decisions.items[d].alternatives,
                           s->decisions.items[d].about.n_alternatives);
            return ni_fail(s->context, NAS_E_SYNTAX,
                           "architecture: character %zu: '%s' is not an operation of edge %s%s%s%s",
                           (size_t)(at - text) + 1, wrong, s->decisions.items[d].name,
                           near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        at += n;
        if (*at != '~' || at[1] != (char)('0' + c->o.edge_from[e]) || at[2] != '|')
            return ni_fail(
                s->context, NAS_E_SYNTAX,
                "architecture: character %zu: the edge %s must be written %s~%" PRIu32 "|",
                (size_t)(at - text) + 1, s->decisions.items[d].name,
                s->decisions.items[d].alternatives[values[d].integer], c->o.edge_from[e]);
        at += 3;
    }
    if (*at && *at != ' ')
        return ni_fail(s->context, NAS_E_SYNTAX,
                       "architecture: character %zu: '%.20s' stands after the cell",
                       (size_t)(at - text) + 1, at);
    *used = (size_t)(at - text);
    return NAS_OK;
}

/* ---- costs: from graphs of one piece each, built once and remembered
 * -------------------------------- */

typedef enum { PIECE_OPERATION, PIECE_STEM, PIECE_REDUCTION, PIECE_HEAD } piece_kind;
typedef struct {
    piece_kind kind;
    uint32_t alternative;
    int64_t h, w, c, filters;
    int32_t kernel, stride;
} piece;

nas_status ni_cells_piece(const ni_cells *c, nas_graph *g, int kind, uint32_t alternative,
                          const char *scope, int64_t filters, int32_t kernel, int32_t stride,
                          nas_node in, nas_node *out);

/* What a graph of one piece holds. Elementwise nodes work in place: they cost no memory. */
static nas_status measure(nas_graph *g, ni_vars *vars, ni_node in, ni_node out,
                          ni_site_cost *cost) {
    nas_context *context = ni_graph_context(g);
    uint32_t n = ni_graph_nodes(g);
    int64_t *depth = ni_calloc(context, n, sizeof *depth);
    if (!depth) return NAS_E_MEMORY;
    ni_shape shape = ni_node_shape(g, out);
    int64_t own = ni_shape_count(shape) * 4, largest = 0;
    bool last_seen = false;
    for (uint32_t i = n; i-- > 0;) {
        const char *op = ni_node_op_name(g, i);
        bool keeps = strcmp(op, "conv") == 0 || strcmp(op, "matmul") == 0 ||
                     strcmp(op, "max_pool") == 0 || strcmp(op, "avg_pool") == 0 ||
                     strcmp(op, "concat") == 0;
        if (!keeps || i == in) continue;
        int64_t bytes = ni_shape_count(ni_node_shape(g, i)) * 4;
        if (!last_seen && bytes == own) {
            last_seen = true; /* the output itself */
            continue;
        }
        if (bytes > largest) largest = bytes;
    }
    for (uint32_t i = 0; i < n; i++) {
        const ni_node *inputs;
        uint32_t n_inputs = ni_node_inputs(g, i, &inputs);
        const char *op = ni_node_op_name(g, i);
        for (uint32_t k = 0; k < n_inputs; k++)
            if (inputs[k] != NI_NONE && depth[inputs[k]] > depth[i]) depth[i] = depth[inputs[k]];
        depth[i] += strcmp(op, "conv") == 0 || strcmp(op, "matmul") == 0;
    }
    cost->params = ni_vars_parameters(vars);
    cost->macs = ni_graph_macs(g, out);
    cost->activation = largest;
    cost->depth = depth[out];
    cost->out = shape;
    ni_free(context, depth);
    return cost->macs < 0 ? NAS_E_MEMORY : NAS_OK;
}

static nas_status piece_measure(const ni_cells *c, const piece *p, ni_site_cost *cost) {
    nas_context *context = c->space->context;
    ni_vars *vars = NULL;
    nas_graph *g = NULL;
    uint32_t number;
    ni_node in, out;
    nas_status status = ni_vars_create(&vars, context);
    if (status >= 0) status = ni_graph_create(&g, context, vars, NI_F32, NI_EVAL);
    if (status >= 0) status = ni_input(g, ni_shape4(1, p->h, p->w, p->c), &number, &in);
    if (status >= 0)
        status = ni_cells_piece(c, g, (int)p->kind, p->alternative, "", p->filters, p->kernel,
                                p->stride, in, &out);
    if (status >= 0) status = measure(g, vars, in, out, cost);
    if (g) ni_graph_free(g);
    if (vars) ni_vars_free(vars);
    return status;
}

static nas_status piece_cost(ni_cells *c, const piece *p, ni_site_cost *cost) {
    const uint64_t words[] = {(uint64_t)p->kind,   p->alternative,     (uint64_t)p->h,
                              (uint64_t)p->w,      (uint64_t)p->c,     (uint64_t)p->filters,
                              (uint64_t)p->kernel, (uint64_t)p->stride};
    uint64_t key = ni_hash(words, sizeof words);
    bool found = false;
    ni_mutex_lock(c->lock);
    for (size_t i = 0; !found && i < c->memo.n; i++) {
        if (c->memo.items[i].key != key) continue;
        *cost = c->memo.items[i].cost;
        found = true;
    }
    ni_mutex_unlock(c->lock);
    if (found) return NAS_OK;
    NI_TRY(piece_measure(c, p, cost));
    ni_mutex_lock(c->lock);
    struct ni_site_memo memo = {key, *cost};
    nas_status status = NI_PUSH(c->space->context, &c->memo, memo);
    ni_mutex_unlock(c->lock);
    return status;
}

typedef struct {
    int64_t params, macs, peak, depth;
} totals;

/* One cell: its costs, and the peak of what lives at once. A node's value lives until its last edge
 * has been computed; while an edge is computed there are, besides, the sum that it is added to, its
 * output and its largest intermediate. */
static nas_status cell_cost(ni_cells *c, const nas_arch *arch, int64_t h, int64_t w,
                            int64_t filters, totals *t) {
    int64_t tensor = h * w * filters * 4, depth[NI_CELL_NODES_MOST] = {0};
    uint32_t last_use[NI_CELL_NODES_MOST];
    for (uint32_t v = 0; v < c->o.n_nodes; v++)
        last_use[v] = v + 1 == c->o.n_nodes ? c->o.n_edges : 0;
    const nas_value *values = arch->values + c->base.first_decision;
    for (uint32_t e = 0; e < c->o.n_edges; e++)
        if (c->meaning[values[e].integer] != NI_MEANS_NOTHING) last_use[c->o.edge_from[e]] = e + 1;
    for (uint32_t e = 0; e < c->o.n_edges; e++) {
        uint32_t from = c->o.edge_from[e], to = c->o.edge_to[e];
        piece p = {PIECE_OPERATION, (uint32_t)values[e].integer, h, w, filters, filters, 0, 1};
        ni_site_cost cost = {0};
        NI_TRY(piece_cost(c, &p, &cost));
        t->params += cost.params;
        t->macs += cost.macs;
        if (c->meaning[values[e].integer] == NI_MEANS_NOTHING) continue;
        if (depth[from] + cost.depth > depth[to]) depth[to] = depth[from] + cost.depth;
        int64_t live = tensor + tensor + cost.activation; /* the sum, this output, inside it */
        for (uint32_t v = 0; v < to; v++)
            if (last_use[v] > e) live += tensor;
        if (live > t->peak) t->peak = live;
    }
    t->depth += depth[c->o.n_nodes - 1];
    return NAS_OK;
}

static nas_status add_piece(ni_cells *c, const piece *p, totals *t, ni_site_cost *cost) {
    NI_TRY(piece_cost(c, p, cost));
    int64_t in = p->h * p->w * p->c * 4, out = ni_shape_count(cost->out) * 4;
    t->params += cost->params;
    t->macs += cost->macs;
    t->depth += cost->depth;
    if (in + out + cost->activation > t->peak) t->peak = in + out + cost->activation;
    return NAS_OK;
}

static nas_status costs(const nas_arch *arch, nas_arch_cost *out, bool *connected) {
    ni_cells *c = (ni_cells *)(uintptr_t)cells_of(arch);
    const nas_value *values = arch->values;
    totals t = {0, 0, 0, 0};
    ni_site_cost cost;
    int64_t filters = ni_amount_value(&c->o.channels, values);
    piece stem = {PIECE_STEM,
                  0,
                  c->base.height,
                  c->base.width,
                  c->base.channels,
                  filters,
                  (int32_t)ni_amount_value(&c->o.stem_kernel, values),
                  (int32_t)ni_amount_value(&c->o.stem_stride, values)};
    NI_TRY(add_piece(c, &stem, &t, &cost));
    int64_t stages = ni_amount_value(&c->o.stages, values);
    int64_t cells = ni_amount_value(&c->o.cells, values);
    for (int64_t stage = 0; stage < stages; stage++) {
        if (stage) {
            piece reduction = {PIECE_REDUCTION,
                               0,
                               cost.out.d[1],
                               cost.out.d[2],
                               filters,
                               filters * c->o.widen,
                               0,
                               2};
            NI_TRY(add_piece(c, &reduction, &t, &cost));
            filters *= c->o.widen;
        }
        for (int64_t i = 0; i < cells; i++)
            NI_TRY(cell_cost(c, arch, cost.out.d[1], cost.out.d[2], filters, &t));
    }
    piece head = {PIECE_HEAD, 0, cost.out.d[1], cost.out.d[2], filters, 0, 0, 1};
    NI_TRY(add_piece(c, &head, &t, &cost));
    out->params = t.params;
    out->macs = t.macs;
    out->published_flops = c->o.published ? t.macs + c->base.classes : -1;
    out->activation_bytes = t.peak;
    out->weight_bytes = t.params * 4;
    out->depth = t.depth;
    *connected = ni_cells_connected(arch);
    return NAS_OK;
}

/* ---- the template
 * --------------------------------------------------------------------------------------- */

static const ni_template_ops named_ops = {
    destroy, ni_cells_build, costs, ni_cells_hash, ni_cells_connected, ni_cells_graphs, NULL, NULL};
static const ni_template_ops published_ops = {destroy,       ni_cells_build,     costs,
                                              ni_cells_hash, ni_cells_connected, ni_cells_graphs,
                                              own_text,      own_parse};

nas_status ni_cells_create(ni_template **out, const nas_space *space,
                           const ni_cells_options *options, uint32_t first_decision, int64_t height,
                           int64_t width, int64_t channels, int64_t classes) {
    nas_context *context = space->context;
    ni_cells *c = ni_calloc(context, 1, sizeof *c);
    if (!c) return NAS_E_MEMORY;
    c->base.ops = options->own_text ? &published_ops : &named_ops;
    c->base.height = height;
    c->base.width = width;
    c->base.channels = channels;
    c->base.classes = classes;
    c->base.first_decision = first_decision;
    c->base.n_decisions = options->n_edges;
    c->space = space;
    c->o = *options;
    const ni_decision *first = &space->decisions.items[first_decision];
    c->n_alternatives = first->about.n_alternatives;
    c->meaning = ni_calloc(context, c->n_alternatives, sizeof *c->meaning);
    c->alternative_hash = ni_calloc(context, c->n_alternatives, sizeof *c->alternative_hash);
    nas_status status = c->meaning && c->alternative_hash ? NAS_OK : NAS_E_MEMORY;
    if (status >= 0) status = ni_mutex_create(&c->lock, context);
    for (uint32_t k = 0; status >= 0 && k < c->n_alternatives; k++) {
        const char *name = first->alternatives[k];
        c->meaning[k] = strcmp(name, "none") == 0           ? NI_MEANS_NOTHING
                        : strcmp(name, "skip_connect") == 0 ? NI_MEANS_IDENTITY
                                                            : NI_MEANS_OPERATION;
        c->alternative_hash[k] = ni_hash_text(name);
    }
    if (status < 0) {
        destroy(context, &c->base);
        return status;
    }
    *out = &c->base;
    return NAS_OK;
}
