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
    ni_free(context, c->meaning);
    ni_free(context, c->alternative_hash);
    ni_template_free(context, self);
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
        const char from[] = {'~', (char)('0' + c->o.edge_from[e]), '|'};
        ni_text_add_n(to, from, sizeof from);
    }
}

static size_t own_text_most(const nas_space *s) {
    const ni_cells *c = (const ni_cells *)(const void *)s->template;
    size_t most = 0;
    for (uint32_t e = 0; e < c->o.n_edges; e++)
        most += ni_longest_alternative(s, c->base.first_decision + e) + 5;
    return most;
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

/* ---- costs: the sum of parts, each built once and remembered ------------------------------------
 */

typedef struct {
    int64_t params, macs, peak, depth;
} totals;

/* One cell: its costs, and the peak of what lives at once. A node's value lives until its last edge
 * has been computed; while an edge is computed there are, besides, the sum that it is added to, its
 * output and its largest intermediate. */
static nas_status cell_cost(const ni_cells *c, const nas_arch *arch, int64_t h, int64_t w,
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
        ni_piece p = {
            NI_CELLS_OPERATION, (uint64_t)values[e].integer, h, w, filters, filters, 0, 1};
        ni_site_cost cost = {0};
        NI_TRY(ni_piece_cost(&c->base, &p, &cost));
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

static nas_status add_piece(const ni_cells *c, const ni_piece *p, totals *t, ni_site_cost *cost) {
    NI_TRY(ni_piece_cost(&c->base, p, cost));
    int64_t in = p->h * p->w * p->c * 4, out = ni_shape_count(cost->out) * 4;
    t->params += cost->params;
    t->macs += cost->macs;
    t->depth += cost->depth;
    if (in + out + cost->activation > t->peak) t->peak = in + out + cost->activation;
    return NAS_OK;
}

/* Everything but the cells, and for each stage the place of its cells: *t and sites. */
typedef struct {
    int64_t h, w, filters;
} stage_site;
static nas_status frame(const ni_cells *c, const nas_value *values, totals *t, stage_site *sites) {
    ni_site_cost cost;
    int64_t filters = ni_amount_value(&c->o.channels, values);
    int64_t stages = ni_amount_value(&c->o.stages, values);
    ni_piece stem = {NI_CELLS_STEM,
                     0,
                     c->base.height,
                     c->base.width,
                     c->base.channels,
                     filters,
                     ni_amount_value(&c->o.stem_kernel, values),
                     ni_amount_value(&c->o.stem_stride, values)};
    NI_TRY(add_piece(c, &stem, t, &cost));
    for (int64_t stage = 0; stage < stages; stage++) {
        if (stage) {
            ni_piece reduction = {NI_CELLS_REDUCTION,
                                  0,
                                  cost.out.d[1],
                                  cost.out.d[2],
                                  filters,
                                  filters * c->o.widen,
                                  0,
                                  2};
            NI_TRY(add_piece(c, &reduction, t, &cost));
            filters *= c->o.widen;
        }
        sites[stage] = (stage_site){cost.out.d[1], cost.out.d[2], filters};
    }
    ni_piece head = {NI_CELLS_HEAD, 0, cost.out.d[1], cost.out.d[2], filters, 0, 0, 1};
    return add_piece(c, &head, t, &cost);
}

static nas_status costs(const nas_arch *arch, nas_arch_cost *out) {
    const ni_cells *c = cells_of(arch);
    totals t = {0, 0, 0, 0};
    stage_site sites[8];
    int64_t stages = ni_amount_value(&c->o.stages, arch->values);
    int64_t cells = ni_amount_value(&c->o.cells, arch->values);
    NI_TRY(frame(c, arch->values, &t, sites));
    for (int64_t stage = 0; stage < stages; stage++)
        for (int64_t i = 0; i < cells; i++)
            NI_TRY(cell_cost(c, arch, sites[stage].h, sites[stage].w, sites[stage].filters, &t));
    out->params = t.params;
    out->macs = t.macs;
    out->published_flops = c->o.published ? t.macs + c->base.classes : -1;
    out->activation_bytes = t.peak;
    out->weight_bytes = t.params * 4;
    out->depth = t.depth;
    return NAS_OK;
}

static void structure(const nas_arch *arch, double *all) {
    all[NI_COST_CONNECTED] = ni_cells_connected(arch);
}

/* ---- decision by decision: the state is which nodes depend on the input -------------------------
 */

static nas_status walk_start(const nas_space *s, uint64_t *state, ni_walk_cost *cost) {
    const ni_cells *c = (const ni_cells *)(const void *)s->template;
    totals t = {0, 0, 0, 0};
    stage_site sites[8];
    const ni_amount *all[] = {&c->o.channels, &c->o.cells, &c->o.stages, &c->o.stem_kernel,
                              &c->o.stem_stride};
    for (size_t i = 0; i < NI_COUNT(all); i++)
        if (all[i]->decision >= 0) return NAS_E_UNSUPPORTED; /* costs depend on other decisions */
    NI_TRY(frame(c, NULL, &t, sites));
    *state = 1;
    cost->params = t.params;
    cost->macs = t.macs;
    return NAS_OK;
}

static nas_status walk_step(const nas_space *s, uint32_t decision, uint64_t state, uint32_t value,
                            uint64_t *next, bool *allowed, ni_walk_cost *cost) {
    const ni_cells *c = (const ni_cells *)(const void *)s->template;
    uint32_t e = decision - c->base.first_decision;
    int64_t h = 0, w = 0, filters = c->o.channels.value;
    *allowed = true;
    *next = state;
    if (c->meaning[value] != NI_MEANS_NOTHING && state >> c->o.edge_from[e] & 1)
        *next |= UINT64_C(1) << c->o.edge_to[e];
    for (int64_t stage = 0; stage < c->o.stages.value; stage++) {
        ni_site_cost site;
        ni_piece p = {NI_CELLS_STEM,    0,       c->base.height,         c->base.width,
                      c->base.channels, filters, c->o.stem_kernel.value, c->o.stem_stride.value};
        if (stage) p = (ni_piece){NI_CELLS_REDUCTION, 0, h, w, filters, filters * c->o.widen, 0, 2};
        NI_TRY(ni_piece_cost(&c->base, &p, &site));
        h = site.out.d[1];
        w = site.out.d[2];
        filters = p.filters;
        p = (ni_piece){NI_CELLS_OPERATION, value, h, w, filters, filters, 0, 1};
        NI_TRY(ni_piece_cost(&c->base, &p, &site));
        cost->params += site.params * c->o.cells.value;
        cost->macs += site.macs * c->o.cells.value;
    }
    return NAS_OK;
}

static nas_status walk_end(const nas_space *s, uint64_t state, bool *connected,
                           ni_walk_cost *cost) {
    const ni_cells *c = (const ni_cells *)(const void *)s->template;
    (void)cost;
    *connected = state >> (c->o.n_nodes - 1) & 1;
    return NAS_OK;
}

static const ni_walk_ops walk = {walk_start, walk_step, walk_end, false};

/* ---- a mutation of the authors' own
 * -------------------------------------------------------------- */

/* NAS-Bench-201 (R_EA.py): a node is drawn, then one of its incoming edges, then another operation:
 * edges of nodes with few of them are changed more often. */
static nas_status mutate(const nas_space *s, const char *rule, nas_random *random,
                         nas_value *values) {
    const ni_cells *c = (const ni_cells *)(const void *)s->template;
    if (strcmp(rule, "nas-bench-201") != 0) return NAS_E_NOT_FOUND;
    if (c->n_alternatives < 2)
        return ni_fail(s->context, NAS_E_INFEASIBLE, "edges have one operation alone");
    for (;;) {
        uint32_t node = 1 + (uint32_t)nas_random_below(random, c->o.n_nodes - 1u), n = 0;
        for (uint32_t e = 0; e < c->o.n_edges; e++)
            n += c->o.edge_to[e] == node;
        if (n == 0) continue; /* a node without edges, in a file of one's own */
        uint32_t pick = (uint32_t)nas_random_below(random, n), e = 0;
        while (c->o.edge_to[e] != node || pick-- > 0)
            e++;
        nas_value *value = &values[c->base.first_decision + e];
        int64_t other = (int64_t)nas_random_below(random, c->n_alternatives - 1u);
        value->integer = other < value->integer ? other : other + 1;
        return NAS_OK;
    }
}

/* ---- paths
 * --------------------------------------------------------------------------------------- */

/* From node v on: `number` is that of the operations so far among those of their length, which
 * begin at `first` and are `size`. */
static void walk_paths(const ni_cells *c, const nas_value *edges, uint32_t v, uint64_t number,
                       uint64_t first, uint64_t size, uint8_t *set) {
    for (uint32_t e = 0; e < c->o.n_edges; e++) {
        uint64_t k = (uint64_t)edges[e].integer;
        if (c->o.edge_from[e] != v || c->meaning[k] == NI_MEANS_NOTHING) continue;
        uint64_t longer = number * c->n_alternatives + k;
        if (c->o.edge_to[e] + 1 == c->o.n_nodes)
            set[first + longer] = 1;
        else
            walk_paths(c, edges, c->o.edge_to[e], longer, first + size, size * c->n_alternatives,
                       set);
    }
}

static nas_status paths(const nas_arch *arch, uint8_t *set, uint64_t *most) {
    const ni_cells *c = cells_of(arch);
    uint64_t size = c->n_alternatives;
    *most = 0;
    for (uint32_t k = 1; k < c->o.n_nodes; k++, size *= c->n_alternatives) {
        *most += size;
        if (*most > NI_PATHS_MOST) return NAS_E_LIMIT;
    }
    if (set) walk_paths(c, arch->values + c->base.first_decision, 0, 0, 0, c->n_alternatives, set);
    return NAS_OK;
}

/* ---- the template -------------------------------------------------------------------------------
 */

static const ni_template_ops named_ops = {
    .destroy = destroy,
    .build = ni_cells_build,
    .costs = costs,
    .network_hash = ni_cells_hash,
    .structure = structure,
    .graphs = ni_cells_graphs,
    .piece = ni_cells_piece,
    .walk = &walk,
    .drops_paths = true,
    .paths = paths,
    .mutate = mutate,
};
static const ni_template_ops published_ops = {
    .destroy = destroy,
    .build = ni_cells_build,
    .costs = costs,
    .network_hash = ni_cells_hash,
    .structure = structure,
    .graphs = ni_cells_graphs,
    .text = own_text,
    .text_most = own_text_most,
    .parse = own_parse,
    .piece = ni_cells_piece,
    .walk = &walk,
    .drops_paths = true,
    .paths = paths,
    .mutate = mutate,
    .published_hash = ni_cells_published_hash,
};

nas_status ni_cells_create(ni_template **out, const nas_space *space,
                           const ni_cells_options *options, uint32_t first_decision, int64_t height,
                           int64_t width, int64_t channels, int64_t classes) {
    nas_context *context = space->context;
    ni_template *base;
    NI_TRY(ni_template_create(&base, space, options->own_text ? &published_ops : &named_ops,
                              "cells", sizeof(ni_cells)));
    ni_cells *c = (ni_cells *)(void *)base;
    base->height = height;
    base->width = width;
    base->channels = channels;
    base->classes = classes;
    base->first_decision = first_decision;
    base->n_decisions = options->n_edges;
    base->bn_epsilon = options->bn_epsilon;
    base->bn_momentum = options->bn_momentum;
    base->identity = options->identity;
    if (options->published) base->published_extra = classes;
    c->o = *options;
    c->fixed_amounts = options->channels.decision < 0 && options->cells.decision < 0 &&
                       options->stages.decision < 0 && options->stem_kernel.decision < 0 &&
                       options->stem_stride.decision < 0;
    if (c->fixed_amounts) c->amounts = ni_cells_amounts(options, NULL);
    const ni_decision *first = &space->decisions.items[first_decision];
    c->n_alternatives = first->about.n_alternatives;
    c->meaning = ni_calloc(context, c->n_alternatives, sizeof *c->meaning);
    c->alternative_hash = ni_calloc(context, c->n_alternatives, sizeof *c->alternative_hash);
    if (!c->meaning || !c->alternative_hash) {
        destroy(context, base);
        return NAS_E_MEMORY;
    }
    for (uint32_t k = 0; k < c->n_alternatives; k++) {
        const char *name = first->alternatives[k];
        c->meaning[k] = strcmp(name, "none") == 0           ? NI_MEANS_NOTHING
                        : strcmp(name, "skip_connect") == 0 ? NI_MEANS_IDENTITY
                                                            : NI_MEANS_OPERATION;
        c->alternative_hash[k] = ni_hash_text(name);
    }
    *out = base;
    return NAS_OK;
}
