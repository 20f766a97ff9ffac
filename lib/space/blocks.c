/* Cells of blocks: decisions, canonical form, mutation of AmoebaNet, drawings, reading from YAML.
 */
#include <inttypes.h>
#include <math.h>
#include "blocks.h"

static void destroy(nas_context *context, ni_template *self) {
    blocks_template *t = (blocks_template *)(void *)self;
    ni_free(context, t->operation_hash);
    ni_free(context, t->meaning);
    ni_free(context, t->operation_text);
    ni_template_free(context, self);
}

const char *ni_blocks_operation(const nas_space *s, uint32_t operation) {
    return s->decisions.items[blocks_of(s)->decisions[0][0].op[0]].alternatives[operation];
}

/* ---- decisions as cells ------------------------------------------------------------------------
 */

/* The k-th pair of different states: (0,1), (0,2), (1,2), (0,3), ... */
static void pair_of(uint32_t k, uint32_t in[2]) {
    uint32_t b = 1;
    while (k >= b)
        k -= b++;
    in[0] = k;
    in[1] = b;
}
static uint32_t pair_number(const uint32_t in[2]) {
    return in[1] * (in[1] - 1) / 2 + in[0];
}

void ni_blocks_outputs(const blocks_template *t, cell *c) {
    bool used[BLOCK_STATES_MOST] = {false};
    c->n_outputs = 0;
    for (uint32_t i = 0; t->unused && i < c->n; i++)
        used[c->blocks[i].in[0]] = used[c->blocks[i].in[1]] = true;
    for (uint32_t v = 2; v < c->n + 2; v++)
        if (!used[v]) c->outputs[c->n_outputs++] = v;
}

void ni_blocks_cell(const nas_space *s, const nas_value *values, uint32_t kind, cell *out) {
    const blocks_template *t = blocks_of(s);
    out->n = 0;
    for (uint32_t i = 0; i < t->most; i++) {
        const block_decisions *d = &t->decisions[kind][i];
        block *b = &out->blocks[i];
        if (d->exists >= 0 && values[d->exists].integer == 0) break;
        if (t->pairs) pair_of((uint32_t)values[d->in[0]].integer, b->in);
        for (int k = 0; k < 2; k++) {
            if (!t->pairs) b->in[k] = (uint32_t)values[d->in[k]].integer;
            b->op[k] = (uint32_t)values[d->op[k]].integer;
        }
        b->joined = d->join >= 0 && values[d->join].integer == 1;
        out->n++;
    }
    ni_blocks_outputs(t, out);
}

void ni_blocks_set(const nas_space *s, nas_value *values, uint32_t kind, const cell *from) {
    const blocks_template *t = blocks_of(s);
    for (uint32_t i = 0; i < t->most; i++) {
        const block_decisions *d = &t->decisions[kind][i];
        block b = from->blocks[i];
        if (d->exists >= 0) values[d->exists].integer = i < from->n;
        if (i >= from->n) continue;
        if (t->pairs && b.in[0] > b.in[1]) {
            b.in[0] = from->blocks[i].in[1];
            b.in[1] = from->blocks[i].in[0];
            b.op[0] = from->blocks[i].op[1];
            b.op[1] = from->blocks[i].op[0];
        }
        if (t->pairs) values[d->in[0]].integer = pair_number(b.in);
        for (int k = 0; k < 2; k++) {
            if (!t->pairs) values[d->in[k]].integer = b.in[k];
            values[d->op[k]].integer = b.op[k];
        }
        if (d->join >= 0) values[d->join].integer = b.joined;
    }
}

/* ---- canonical form
 * ------------------------------------------------------------------------------
 *
 * The meaning of a state is a sum of terms: outputs of operations (each with weights of its own, so
 * each a node of the graph), or the cell's inputs. An identity adds the terms of its source, and
 * nothing adds none; sums and joins have no order. What is left is hashed as a graph. */

enum { TERMS_MOST = 48 }; /* past it an identity is an operation like others */
typedef struct {
    uint32_t n;
    uint8_t term[TERMS_MOST];
} meaning;

/* The node added last takes the edges that follow. */
static uint32_t node(ni_dag *dag, uint64_t label) {
    dag->label[dag->n] = label;
    return dag->n++;
}
static void edge(ni_dag *dag, uint32_t from) {
    dag->from[dag->n_edges] = (uint8_t)from;
    dag->to[dag->n_edges++] = (uint8_t)(dag->n - 1);
}

/* Nodes that stand for sums of two terms and more, each with its edges. */
typedef struct {
    uint32_t n, node[BLOCK_STATES_MOST], edge[BLOCK_STATES_MOST], terms[BLOCK_STATES_MOST];
} sum_list;

/* A node that stands for the sum: the term itself where there is one, the node of an equal sum
 * where there is one already. A cell has no more sums than states. */
static uint32_t sum_node(ni_dag *dag, sum_list *sums, uint64_t label, const meaning *m) {
    if (m->n == 1) return m->term[0];
    for (uint32_t i = 0; i < sums->n; i++)
        if (sums->terms[i] == m->n && memcmp(&dag->from[sums->edge[i]], m->term, m->n) == 0)
            return sums->node[i];
    uint32_t v = node(dag, label), i = sums->n++;
    sums->node[i] = v;
    sums->edge[i] = dag->n_edges;
    sums->terms[i] = m->n;
    for (uint32_t k = 0; k < m->n; k++)
        edge(dag, m->term[k]);
    return v;
}

static void add_terms(meaning *to, const uint8_t *terms, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = to->n++;
        for (; at > 0 && to->term[at - 1] > terms[i]; at--)
            to->term[at] = to->term[at - 1];
        to->term[at] = terms[i];
    }
}

/* Returns the node of the cell's output. */
static uint32_t add_cell(const nas_space *s, ni_dag *dag, uint32_t kind, const cell *c) {
    const blocks_template *t = blocks_of(s);
    meaning states[BLOCK_STATES_MOST];
    uint64_t base = (uint64_t)(kind + 1) << 32;
    uint32_t empty = 0;
    sum_list sums;
    sums.n = 0;
    bool strided = t->n_kinds == 1 || kind == 1; /* identities on the inputs change the size */
    for (uint32_t v = 0; v < 2; v++) {
        states[v].n = 1;
        states[v].term[0] = (uint8_t)node(dag, base + 1 + v);
    }
    for (uint32_t i = 0; i < c->n; i++) {
        const block *b = &c->blocks[i];
        meaning *m = &states[i + 2];
        m->n = 0;
        for (int k = 0; k < 2; k++) {
            const meaning *source = &states[b->in[k]];
            ni_meaning what = t->meaning[b->op[k]];
            uint8_t term;
            if (what == NI_MEANS_NOTHING || source->n == 0) continue;
            bool identity = what == NI_MEANS_IDENTITY && !(strided && b->in[k] < 2);
            if (identity && !b->joined && m->n + source->n < TERMS_MOST) {
                add_terms(m, source->term, source->n);
                continue;
            }
            term = (uint8_t)sum_node(dag, &sums, base + 3, source);
            if (!identity || !b->joined) {
                uint32_t in = term;
                term = (uint8_t)node(dag, t->operation_hash[b->op[k]] + base);
                edge(dag, in);
            }
            add_terms(m, &term, 1);
        }
        if (b->joined) {
            uint32_t joined = node(dag, base + 4);
            for (uint32_t k = 0; k < m->n; k++)
                edge(dag, m->term[k]);
            m->n = 1;
            m->term[0] = (uint8_t)joined;
        }
    }
    uint32_t outputs[BLOCK_STATES_MOST];
    for (uint32_t i = 0; i < c->n_outputs; i++) {
        const meaning *m = &states[c->outputs[i]];
        if (m->n == 0 && !empty) empty = node(dag, base + 6);
        outputs[i] = m->n ? sum_node(dag, &sums, base + 3, m) : empty;
    }
    uint32_t output = node(dag, base + 5);
    for (uint32_t i = 0; i < c->n_outputs; i++)
        edge(dag, outputs[i]);
    return output;
}

/* What no output needs goes; mostly that is nothing. */
static void prune(ni_dag *dag, const uint32_t *outputs, uint32_t n_outputs) {
    bool needed[NI_DAG_MOST] = {false};
    uint32_t number[NI_DAG_MOST], n = 0, n_edges = 0, n_needed = 0;
    for (uint32_t i = 0; i < n_outputs; i++)
        needed[outputs[i]] = true;
    for (uint32_t e = dag->n_edges; e-- > 0;)
        needed[dag->from[e]] |= needed[dag->to[e]];
    for (uint32_t v = 0; v < dag->n; v++)
        n_needed += needed[v];
    if (n_needed == dag->n) return;
    for (uint32_t v = 0; v < dag->n; v++) {
        if (!needed[v]) continue;
        number[v] = n;
        dag->label[n++] = dag->label[v];
    }
    for (uint32_t e = 0; e < dag->n_edges; e++) {
        if (!needed[dag->to[e]]) continue;
        dag->from[n_edges] = (uint8_t)number[dag->from[e]];
        dag->to[n_edges++] = (uint8_t)number[dag->to[e]];
    }
    dag->n = n;
    dag->n_edges = n_edges;
}

static void meaning_of(const nas_arch *arch, ni_dag *dag) {
    const blocks_template *t = blocks_of(arch->space);
    uint32_t outputs[2];
    dag->n = dag->n_edges = 0;
    for (uint32_t kind = 0; kind < t->n_kinds; kind++) {
        cell c;
        ni_blocks_cell(arch->space, arch->values, kind, &c);
        outputs[kind] = add_cell(arch->space, dag, kind, &c);
    }
    prune(dag, outputs, t->n_kinds);
}

uint64_t ni_blocks_hash(const nas_arch *arch) {
    ni_dag dag;
    meaning_of(arch, &dag);
    return ni_dag_hash(&dag) ^ blocks_of(arch->space)->base.identity;
}

/* Each kind of cell reaches one of its inputs. */
static void structure(const nas_arch *arch, double *costs) {
    ni_dag dag;
    bool seen[2] = {false, false};
    uint32_t kinds = blocks_of(arch->space)->n_kinds;
    meaning_of(arch, &dag);
    for (uint32_t v = 0; v < dag.n; v++)
        for (uint32_t k = 0; k < kinds; k++)
            if (dag.label[v] >> 32 == k + 1 && (dag.label[v] & UINT32_MAX) <= 2) seen[k] = true;
    costs[NI_COST_CONNECTED] = seen[0] && (kinds == 1 || seen[1]);
}

/* ---- AmoebaNet's mutation
 * ------------------------------------------------------------------------
 */

/* Real et al., section 3.2: a kind of cell is drawn; with probability 0.05 nothing changes; else,
 * one or the other: an input of a block becomes another earlier state, an operation another one. */
nas_status ni_blocks_mutate(const nas_space *s, const char *rule, nas_random *random,
                            nas_value *values) {
    const blocks_template *t = blocks_of(s);
    cell c;
    if (strcmp(rule, "amoebanet") != 0) return NAS_E_NOT_FOUND;
    uint32_t kind = (uint32_t)nas_random_below(random, t->n_kinds);
    ni_blocks_cell(s, values, kind, &c);
    if (nas_random_uniform(random) < 0.05) return NAS_OK;
    bool input = nas_random_below(random, 2) == 0;
    uint32_t i = (uint32_t)nas_random_below(random, c.n);
    uint32_t k = (uint32_t)nas_random_below(random, 2);
    block *b = &c.blocks[i];
    if (!input && t->n_operations > 1) {
        uint32_t other = (uint32_t)nas_random_below(random, t->n_operations - 1);
        b->op[k] = other < b->op[k] ? other : other + 1;
    } else if (input) {
        uint32_t able[BLOCK_STATES_MOST], n = 0;
        for (uint32_t v = 0; v < i + 2; v++)
            if (v != b->in[k] && !(t->pairs && v == b->in[1 - k])) able[n++] = v;
        if (n) b->in[k] = able[nas_random_below(random, n)];
    }
    ni_blocks_set(s, values, kind, &c);
    return NAS_OK;
}

/* ---- paths: from either input of a cell, through operations, to its output ----------------------
 */

static void walk_paths(const blocks_template *t, const cell *c, uint32_t v, uint64_t number,
                       uint64_t first, uint64_t size, uint8_t *set) {
    for (uint32_t i = 0; i < c->n; i++)
        for (int k = 0; k < 2; k++) {
            const block *b = &c->blocks[i];
            if (b->in[k] != v || t->meaning[b->op[k]] == NI_MEANS_NOTHING) continue;
            uint64_t longer = number * t->n_operations + b->op[k];
            for (uint32_t o = 0; o < c->n_outputs; o++)
                if (c->outputs[o] == i + 2) set[first + longer] = 1;
            walk_paths(t, c, i + 2, longer, first + size, size * t->n_operations, set);
        }
}

static nas_status paths(const nas_arch *arch, uint8_t *set, uint64_t *most) {
    const blocks_template *t = blocks_of(arch->space);
    uint64_t one = 0, size = t->n_operations;
    for (uint32_t i = 0; i < t->most; i++, size *= t->n_operations) {
        one += size;
        if (one > NI_PATHS_MOST / 4) return NAS_E_LIMIT;
    }
    *most = one * 2 * t->n_kinds;
    for (uint32_t kind = 0; set && kind < t->n_kinds; kind++) {
        cell c;
        ni_blocks_cell(arch->space, arch->values, kind, &c);
        for (uint32_t v = 0; v < 2; v++)
            walk_paths(t, &c, v, 0, (2 * kind + v) * one, t->n_operations, set);
    }
    return NAS_OK;
}

nas_status ni_blocks_graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n) {
    const nas_space *s = arch->space;
    const blocks_template *t = blocks_of(s);
    nas_context *context = s->context;
    ni_draw_graph *all = ni_calloc(context, t->n_kinds, sizeof *all);
    if (!all) return NAS_E_MEMORY;
    for (uint32_t kind = 0; kind < t->n_kinds; kind++) {
        cell c;
        ni_draw_graph *d;
        ni_blocks_cell(s, arch->values, kind, &c);
        nas_status status =
            ni_draw_begin(&d, context, blocks_kind_name(t, kind), c.n + 3, 2 * c.n + c.n_outputs);
        if (status < 0) {
            ni_draw_free(context, all, kind);
            return status;
        }
        d->n_inputs = 2;
        ni_draw_label(d, 0, "cell before last");
        ni_draw_label(d, 1, "last cell");
        for (uint32_t i = 0; i < c.n; i++) {
            char label[24];
            ni_scope_text(label, sizeof label,
                          c.blocks[i].joined ? "%" PRIu32 " joined" : "%" PRIu32, i + 2);
            ni_draw_label(d, i + 2, label);
            for (int k = 0; k < 2; k++)
                ni_draw_join(d, c.blocks[i].in[k], i + 2,
                             ni_blocks_operation(s, c.blocks[i].op[k]));
        }
        ni_draw_label(d, c.n + 2, "output");
        for (uint32_t i = 0; i < c.n_outputs; i++)
            ni_draw_join(d, c.outputs[i], c.n + 2, "concat");
        all[kind] = *d;
        ni_free(context, d);
    }
    *out = all;
    *n = t->n_kinds;
    return NAS_OK;
}

static const ni_template_ops ops = {
    .destroy = destroy,
    .build = ni_blocks_build,
    .network_hash = ni_blocks_hash,
    .structure = structure,
    .graphs = ni_blocks_graphs,
    .text = ni_blocks_text,
    .text_most = ni_blocks_text_most,
    .parse = ni_blocks_parse,
    .piece = ni_blocks_piece,
    .walk = &ni_blocks_walk,
    .drops_paths = true,
    .paths = paths,
    .mutate = ni_blocks_mutate,
};

/* ---- from YAML ----------------------------------------------------------------------------------
 */

static nas_status add_block(ni_load *l, const ni_yaml *at, blocks_template *t, uint32_t kind,
                            uint32_t i, const char *const *operations, bool joins) {
    static const char *const no_yes[] = {"no", "yes"}, *const join_names[] = {"add", "concat"};
    const char *kind_name = blocks_kind_name(t, kind);
    block_decisions *d = &t->decisions[kind][i];
    char text[BLOCK_STATES_MOST * BLOCK_STATES_MOST][8], exists[NI_NAME_MOST + 1] = "";
    const char *texts[BLOCK_STATES_MOST * BLOCK_STATES_MOST];
    uint32_t states = i + 2, n = 0, number = i + 2;
    nas_space *s = l->space;
    d->exists = d->join = d->in[1] = -1;
#define ADD(to, names, n_names, ...)                                                               \
    do {                                                                                           \
        (to) = (int32_t)s->decisions.n;                                                            \
        NI_TRY(ni_load_choice(l, at, names, n_names, __VA_ARGS__));                                \
        if (*exists) NI_TRY(nas_space_add_condition(s, exists, "yes"));                            \
    } while (0)
    if (i >= t->least) {
        /* exists only where the block before it does */
        if (i > t->least)
            ni_scope_text(exists, sizeof exists, "%s.%" PRIu32 ".exists", kind_name, number - 1);
        ADD(d->exists, no_yes, 2, "%s.%" PRIu32 ".exists", kind_name, number);
        ni_scope_text(exists, sizeof exists, "%s.%" PRIu32 ".exists", kind_name, number);
    }
    if (t->pairs) {
        for (uint32_t b = 1; b < states; b++)
            for (uint32_t a = 0; a < b; a++, n++)
                ni_scope_text(text[n], sizeof text[n], "%" PRIu32 "+%" PRIu32, a, b);
    } else {
        for (; n < states; n++)
            ni_scope_text(text[n], sizeof text[n], "%" PRIu32, n);
    }
    for (uint32_t k = 0; k < n; k++)
        texts[k] = text[k];
    if (t->pairs) ADD(d->in[0], texts, n, "%s.%" PRIu32 ".inputs", kind_name, number);
    for (int k = 0; k < 2; k++) {
        if (!t->pairs) ADD(d->in[k], texts, n, "%s.%" PRIu32 ".in%d", kind_name, number, k + 1);
        ADD(d->op[k], operations, t->n_operations, "%s.%" PRIu32 ".op%d", kind_name, number, k + 1);
    }
    if (joins) ADD(d->join, join_names, 2, "%s.%" PRIu32 ".join", kind_name, number);
#undef ADD
    return NAS_OK;
}

static nas_status place_cells(ni_load *l, const ni_yaml *network, blocks_template *t,
                              uint32_t rule) {
    int64_t n = t->n_cells, channels = t->channels, h = l->height, w = l->width;
    /* DARTS: at a third and two thirds of all cells. NASNet, ENAS: at those of the normal ones. */
    int64_t first = rule ? (n - 2) / 3 : n / 3, second = rule ? 2 * (n - 2) / 3 + 1 : 2 * n / 3;
    if (rule && n < 2) first = second = -1;
    bool before = t->stem == STEM_IMAGENET;
    for (int k = 0; before && k < 3; k++) {
        h = (h + 1) / 2;
        w = (w + 1) / 2;
    }
    for (int64_t i = 0; i < n; i++) {
        cell_site *c = &t->cells[i];
        c->reduction = i == first || i == second;
        if (c->reduction) channels *= t->widen;
        c->after_reduction = before;
        c->channels = channels;
        c->h = h;
        c->w = w;
        if (c->reduction && (h < 2 || w < 2))
            return ni_yaml_fail(&l->document, network, NAS_E_SHAPE,
                                "the image is too small to be halved so often");
        if (c->reduction) {
            h = (h + 1) / 2;
            w = (w + 1) / 2;
        }
        before = c->reduction;
    }
    if (channels > 65536)
        return ni_yaml_fail(&l->document, network, NAS_E_LIMIT, "more than 65536 channels");
    t->auxiliary_after = (uint32_t)(second > 0 ? second : 0);
    if (t->auxiliary && (h != w || h < 6))
        return ni_yaml_fail(&l->document, network, NAS_E_SHAPE,
                            "the auxiliary head needs a square of 6 or more after the second "
                            "reduction, and there it is %" PRId64 " x %" PRId64,
                            h, w);
    return NAS_OK;
}

static nas_status read_blocks(ni_load *l, const ni_yaml *part, blocks_template *t) {
    static const char *const range_known[] = {"least", "most", NULL};
    const ni_yaml *at = ni_yaml_get(part, "blocks");
    int64_t least = 4, most = 4;
    if (at && at->kind == NI_YAML_MAP) {
        NI_TRY(ni_yaml_keys(&l->document, at, "blocks", range_known));
        NI_TRY(ni_load_member(l, at, "least", 1, BLOCKS_MOST, &least));
        most = BLOCKS_MOST;
        NI_TRY(ni_load_member(l, at, "most", least, BLOCKS_MOST, &most));
    } else if (at) {
        NI_TRY(ni_load_integer(l, at, "blocks", 1, BLOCKS_MOST, &least));
        most = least;
    }
    t->least = (uint32_t)least;
    t->most = (uint32_t)most;
    return NAS_OK;
}

static nas_status read_all(ni_load *l, const ni_yaml *network, const ni_yaml *part,
                           blocks_template *t) {
    static const char *const known[] = {"template",  "image",      "stem",  "channels",
                                        "cells",     "reductions", "widen", "multiplier",
                                        "auxiliary", "batch_norm", NULL};
    static const char *const part_known[] = {"kinds",      "blocks", "inputs", "output",
                                             "operations", "join",   "text",   NULL};
    static const char *const stems[] = {"cifar", "imagenet"}, *const rules[] = {"thirds", "nasnet"};
    static const char *const inputs[] = {"any", "pairs"}, *const outputs[] = {"all", "unused"};
    static const char *const joins[] = {"add", "choice"}, *const texts[] = {"genotype", "arcs"};
    const char *names[64];
    uint32_t stem = 0, rule = 0, input = 0, output = 0, join = 0, text = 0;
    int64_t channels = 16, cells = 8, widen = 2, multiplier = 3, auxiliary = 0, kinds = 2;
    NI_TRY(ni_yaml_keys(&l->document, network, "network", known));
    NI_TRY(ni_yaml_keys(&l->document, part, "cell", part_known));
    NI_TRY(ni_load_batch_norm(l, network, &t->base.bn_epsilon, &t->base.bn_momentum));
    NI_TRY(ni_load_word(l, network, "stem", stems, 2, &stem));
    NI_TRY(ni_load_word(l, network, "reductions", rules, 2, &rule));
    NI_TRY(ni_load_member(l, network, "channels", 2, 4096, &channels));
    NI_TRY(ni_load_member(l, network, "cells", 1, BLOCK_CELLS_MOST, &cells));
    NI_TRY(ni_load_member(l, network, "widen", 1, 4, &widen));
    NI_TRY(ni_load_member(l, network, "multiplier", 1, 16, &multiplier));
    NI_TRY(ni_load_member(l, network, "auxiliary", 0, 1, &auxiliary));
    NI_TRY(ni_load_member(l, part, "kinds", 1, 2, &kinds));
    NI_TRY(ni_load_word(l, part, "inputs", inputs, 2, &input));
    NI_TRY(ni_load_word(l, part, "output", outputs, 2, &output));
    NI_TRY(ni_load_word(l, part, "join", joins, 2, &join));
    NI_TRY(ni_load_word(l, part, "text", texts, 2, &text));
    NI_TRY(read_blocks(l, part, t));
    NI_TRY(ni_load_operations(l, part, "operations", names, &t->n_operations));
    t->stem = stem ? STEM_IMAGENET : STEM_CIFAR;
    t->channels = channels;
    t->n_cells = (uint32_t)cells;
    t->widen = widen;
    t->multiplier = (int32_t)multiplier;
    t->auxiliary = (int32_t)auxiliary;
    t->n_kinds = (uint32_t)kinds;
    t->pairs = input == 1;
    t->unused = output == 1;
    t->text = text ? TEXT_ARCS : TEXT_GENOTYPE;
    if (text && (t->pairs || join || t->least != t->most))
        return ni_yaml_fail(&l->document, ni_yaml_get(part, "text"), NAS_E_INVALID,
                            "arcs are of a fixed number of blocks that add any two inputs");
    NI_TRY(place_cells(l, network, t, rule));
    t->operation_hash = ni_calloc(l->context, t->n_operations, sizeof *t->operation_hash);
    t->meaning = ni_calloc(l->context, t->n_operations, sizeof *t->meaning);
    t->operation_text = ni_calloc(l->context, (size_t)t->n_operations * BLOCK_STATES_MOST,
                                  sizeof *t->operation_text);
    if (!t->operation_hash || !t->meaning || !t->operation_text) return NAS_E_MEMORY;
    for (uint32_t k = 0; k < t->n_operations; k++) {
        /* the upper half says the kind of cell, the lower must not be a small number */
        t->operation_hash[k] = (ni_hash_text(names[k]) & UINT32_MAX) | 0x80;
        for (uint32_t v = 0; v < BLOCK_STATES_MOST; v++) {
            operation_text *o = &t->operation_text[k * BLOCK_STATES_MOST + v];
            ni_scope_text(o->text, sizeof o->text, ", ('%s', %" PRIu32 ")", names[k], v);
            o->n = (uint32_t)strlen(o->text);
        }
        t->meaning[k] = strcmp(names[k], "none") == 0           ? NI_MEANS_NOTHING
                        : strcmp(names[k], "skip_connect") == 0 ? NI_MEANS_IDENTITY
                                                                : NI_MEANS_OPERATION;
    }
    t->base.first_decision = (uint32_t)l->space->decisions.n;
    for (uint32_t kind = 0; kind < t->n_kinds; kind++) {
        t->first[kind] = (uint32_t)l->space->decisions.n;
        for (uint32_t i = 0; i < t->most; i++)
            NI_TRY(add_block(l, part, t, kind, i, names, join == 1));
    }
    t->base.n_decisions = (uint32_t)l->space->decisions.n - t->base.first_decision;
    int64_t words[] = {t->n_kinds, t->unused, t->stem,       t->multiplier, t->channels,
                       t->n_cells, t->widen,  (int64_t)rule, t->pairs};
    ni_load_base(l, &t->base, words, sizeof words);
    return NAS_OK;
}

nas_status ni_blocks_read(ni_load *l, const ni_yaml *network, const ni_yaml *part) {
    ni_template *base;
    NI_TRY(ni_load_image(l, network));
    NI_TRY(ni_template_create(&base, l->space, &ops, "blocks", sizeof(blocks_template)));
    l->space->template = base;
    return read_all(l, network, part, (blocks_template *)(void *)base);
}
