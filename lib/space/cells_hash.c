/* Cells with operations on edges: which ones stand for the same network.
 *
 * The meaning of a node is a sum of terms, each an operation applied to the meaning of an earlier
 * node. Nothing adds no term; an identity adds the terms of its source; an operation on nothing is
 * nothing (the semantic rule: over NAS-Bench-201 it leaves 4,930 classes). Sums are sets with
 * counts, so the order of edges does not matter. A node's hash is that of its sorted terms. */
#include "internal.h"

/* With n nodes the output has at most 2^(n-2) terms. */
enum { TERMS_MOST = 1 << (NI_CELL_NODES_MOST - 2) };

typedef struct {
    uint32_t n;
    uint64_t hash, term[TERMS_MOST];
} meaning;

static const ni_cells *cells_of(const nas_arch *arch) {
    return (const ni_cells *)(const void *)arch->space->template;
}

static void mean_nodes(const nas_arch *arch, meaning *nodes) {
    const ni_cells *c = cells_of(arch);
    const nas_value *values = arch->values + c->base.first_decision;
    nodes[0].n = 1;
    nodes[0].term[0] = 1;          /* the cell's input */
    nodes[0].hash = ni_stir(1, 1); /* as that of any sum of this one term */
    for (uint32_t to = 1, e = 0; to < c->o.n_nodes; to++) {
        meaning *m = &nodes[to];
        m->n = 0;
        for (; e < c->o.n_edges && c->o.edge_to[e] == to; e++) {
            const meaning *source = &nodes[c->o.edge_from[e]];
            uint32_t alternative = (uint32_t)values[e].integer;
            if (c->meaning[alternative] == NI_MEANS_NOTHING || source->n == 0) continue;
            if (c->meaning[alternative] == NI_MEANS_IDENTITY) {
                memcpy(m->term + m->n, source->term, source->n * sizeof *m->term);
                m->n += source->n;
            } else {
                m->term[m->n++] = ni_stir(c->alternative_hash[alternative], source->hash);
            }
        }
        ni_sort_u64(m->term, m->n);
        m->hash = m->n;
        for (uint32_t i = 0; i < m->n; i++)
            m->hash = ni_stir(m->hash, m->term[i]);
    }
}

uint64_t ni_cells_amounts(const ni_cells_options *o, const nas_value *values) {
    uint64_t hash = (uint64_t)ni_amount_value(&o->channels, values);
    hash = ni_stir(hash, (uint64_t)ni_amount_value(&o->cells, values));
    hash = ni_stir(hash, (uint64_t)ni_amount_value(&o->stages, values));
    hash = ni_stir(hash, (uint64_t)ni_amount_value(&o->stem_kernel, values));
    return ni_stir(hash, (uint64_t)ni_amount_value(&o->stem_stride, values));
}

uint64_t ni_cells_hash(const nas_arch *arch) {
    const ni_cells *c = cells_of(arch);
    meaning nodes[NI_CELL_NODES_MOST];
    mean_nodes(arch, nodes);
    const meaning *last = &nodes[c->o.n_nodes - 1];
    uint64_t hash = ni_stir(c->base.identity, last->n ? last->hash : 0);
    return ni_stir(hash, c->fixed_amounts ? c->amounts : ni_cells_amounts(&c->o, arch->values));
}

/* The authors' own rule (nas_201_api/genotypes.py, to_unique_str): a node is its edges' texts,
 * sorted and joined by '+'. An identity copies its source's text; nothing, or an operation on "#",
 * is "#"; so a node whose inputs are all zero becomes "#+#", is not seen to be zero further on, and
 * 6,466 classes are left, more than there are networks. */
uint64_t ni_cells_published_hash(const nas_arch *arch) {
    enum { TEXT = 4096 };
    const ni_cells *c = cells_of(arch);
    const nas_value *values = arch->values + c->base.first_decision;
    const ni_decision *d = &arch->space->decisions.items[c->base.first_decision];
    char node[NI_CELL_NODES_MOST][TEXT] = {"0"}, terms[NI_CELL_NODES_MOST][TEXT];
    for (uint32_t to = 1, e = 0; to < c->o.n_nodes; to++) {
        uint32_t order[NI_CELL_NODES_MOST], n = 0;
        for (; e < c->o.n_edges && c->o.edge_to[e] == to; e++, n++) {
            uint32_t k = (uint32_t)values[e].integer, at = n;
            const char *source = node[c->o.edge_from[e]];
            if (c->meaning[k] == NI_MEANS_NOTHING || strcmp(source, "#") == 0)
                ni_scope_text(terms[n], TEXT, "#");
            else if (c->meaning[k] == NI_MEANS_IDENTITY)
                ni_scope_text(terms[n], TEXT, "%s", source);
            else
                ni_scope_text(terms[n], TEXT, "(%s)@%s", source, d->alternatives[k]);
            for (; at > 0 && strcmp(terms[order[at - 1]], terms[n]) > 0; at--)
                order[at] = order[at - 1];
            order[at] = n;
        }
        size_t length = 0;
        node[to][0] = 0;
        for (uint32_t i = 0; i < n; i++) {
            ni_scope_text(node[to] + length, TEXT - length, i ? "+%s" : "%s", terms[order[i]]);
            length += strlen(node[to] + length);
        }
    }
    return ni_hash_seeded(node[c->o.n_nodes - 1], strlen(node[c->o.n_nodes - 1]), c->base.identity);
}

bool ni_cells_connected(const nas_arch *arch) {
    const ni_cells *c = cells_of(arch);
    const nas_value *values = arch->values + c->base.first_decision;
    uint32_t reached = 1; /* bits of nodes; edges stand in the order of where they lead */
    for (uint32_t e = 0; e < c->o.n_edges; e++)
        if (c->meaning[values[e].integer] != NI_MEANS_NOTHING)
            reached |= (reached >> c->o.edge_from[e] & 1) << c->o.edge_to[e];
    return reached >> (c->o.n_nodes - 1) & 1;
}
