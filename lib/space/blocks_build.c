/* Cells of blocks: the network. */
#include <inttypes.h>
#include <math.h>
#include "blocks.h"

/* ReLU, 1x1 convolution, batch norm; or, after a reduction, two halves of stride 2. */
static nas_status before(const blocks_template *t, nas_graph *g, const char *scope, bool halve,
                         int64_t channels, nas_node in, nas_node *out) {
    ni_conv_bn o = {"op.1", "op.2", 1, 1, 1, channels, INFINITY, 0};
    NI_TRY(ni_graph_scope(g, scope));
    if (halve)
        NI_TRY(ni_halves(g, "conv_1", "conv_2", "bn", channels, true, 1, 1, t->base.bn_epsilon,
                         t->base.bn_momentum, in, out));
    else
        NI_TRY(ni_conv_bn_build(&t->base, g, &o, in, out));
    return ni_graph_scope(g, "");
}

/* CIFAR: one 3x3 convolution. ImageNet: two to a quarter of the size, a third to an eighth. */
static nas_status stem(const blocks_template *t, nas_graph *g, bool second, nas_node in,
                       nas_node *out) {
    nas_node x = in;
    if (t->stem == STEM_CIFAR) {
        ni_conv_bn o = {"stem.0", "stem.1", 3, 3, 1, t->channels * t->multiplier, 0, 0};
        return ni_conv_bn_build(&t->base, g, &o, x, out);
    }
    if (second) {
        ni_conv_bn o = {"stem1.1", "stem1.2", 3, 3, 2, t->channels, INFINITY, 0};
        return ni_conv_bn_build(&t->base, g, &o, x, out);
    }
    ni_conv_bn a = {"stem0.0", "stem0.1", 3, 3, 2, t->channels / 2, 0, INFINITY};
    ni_conv_bn b = {"stem0.3", "stem0.4", 3, 3, 2, t->channels, 0, 0};
    NI_TRY(ni_conv_bn_build(&t->base, g, &a, x, &x));
    return ni_conv_bn_build(&t->base, g, &b, x, out);
}

static nas_status head(const blocks_template *t, nas_graph *g, double dropout, nas_node x,
                       nas_node *out) {
    NI_TRY(nas_graph_global_pool(g, x, &x));
    if (dropout > 0) NI_TRY(nas_graph_dropout(g, x, dropout, &x));
    return nas_graph_linear(g, "classifier", x, t->base.classes, 1, out);
}

/* DARTS, cnn/model.py: AuxiliaryHeadCIFAR on 8 x 8 images; the pool's stride is such that 2 x 2
 * come out whatever the size. */
static nas_status auxiliary(const blocks_template *t, nas_graph *g, nas_node x, nas_node *out) {
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    nas_shape shape;
    NI_TRY(nas_graph_shape(g, x, &shape));
    NI_TRY(ni_graph_scope(g, "auxiliary_head."));
    NI_TRY(nas_graph_relu(g, x, &x));
    NI_TRY(nas_graph_avg_pool(g, x, 5, (int32_t)shape.h - 5, 0, &x));
    ni_conv_bn a = {"features.2", "features.3", 1, 1, 1, 128, 0, INFINITY};
    NI_TRY(ni_conv_bn_build(&t->base, g, &a, x, &x));
    o.kernel_h = o.kernel_w = 2;
    o.pad_h = o.pad_w = 0;
    o.filters = 768;
    NI_TRY(nas_graph_conv(g, "features.5", x, &o, &x));
    if (t->stem == STEM_CIFAR) /* the published ImageNet head has none here */
        NI_TRY(nas_graph_batch_norm(g, "features.6", x, 1, 1, t->base.bn_epsilon,
                                    t->base.bn_momentum, &x));
    NI_TRY(nas_graph_relu(g, x, &x));
    NI_TRY(nas_graph_linear(g, "classifier", x, t->base.classes, 1, out));
    return ni_graph_scope(g, "");
}

static nas_status join(const blocks_template *t, nas_graph *g, const char *scope, int64_t channels,
                       nas_node in, nas_node *out) {
    ni_conv_bn o = {"join.1", "join.2", 1, 1, 1, channels, INFINITY, 0};
    NI_TRY(ni_graph_scope(g, scope));
    NI_TRY(ni_conv_bn_build(&t->base, g, &o, in, out));
    return ni_graph_scope(g, "");
}

nas_status ni_blocks_piece(const ni_template *self, nas_graph *g, const ni_piece *p, ni_node in,
                           ni_node *out) {
    const blocks_template *t = (const blocks_template *)(const void *)self;
    switch (p->kind) {
    case BLOCKS_STEM:
        return stem(t, g, p->a != 0, in, out);
    case BLOCKS_BEFORE:
        return before(t, g, "", p->a != 0, p->filters, in, out);
    case BLOCKS_JOIN:
        return join(t, g, "", p->filters, in, out);
    case BLOCKS_HEAD:
        return head(t, g, 0, in, out);
    case BLOCKS_AUXILIARY:
        return auxiliary(t, g, in, out);
    default:
        return ni_site_build(self, g, ni_blocks_operation(self->space, (uint32_t)p->alternative),
                             "", (int32_t)p->a, p->filters, false, in, out);
    }
}

static nas_status build_block(const nas_space *s, nas_graph *g, uint32_t number,
                              const cell_site *site, const block *b, uint32_t i,
                              const nas_node *states, nas_node *out) {
    const blocks_template *t = blocks_of(s);
    nas_node terms[2];
    uint32_t n = 0;
    char scope[NI_SCOPE_TEXT];
    for (uint32_t k = 0; k < 2; k++) {
        int32_t stride = site->reduction && b->in[k] < 2 ? 2 : 1;
        nas_node made;
        ni_scope_text(scope, sizeof scope, "cells.%" PRIu32 "._ops.%" PRIu32 ".", number,
                      2 * i + k);
        NI_TRY(ni_site_build(&t->base, g, ni_blocks_operation(s, b->op[k]), scope, stride,
                             site->channels, false, states[b->in[k]], &made));
        /* as DARTS does (cnn/model.py): what passes on its input is not dropped */
        if (made != states[b->in[k]] && t->meaning[b->op[k]] != NI_MEANS_NOTHING)
            NI_TRY(ni_drop_path(g, made, &made));
        if (t->meaning[b->op[k]] != NI_MEANS_NOTHING || b->joined)
            terms[n++] = made;
        else
            *out = made; /* zeros, if nothing is added to them */
    }
    if (n == 1) *out = terms[0];
    if (n < 2) return NAS_OK;
    if (!b->joined) return nas_graph_add(g, terms, 2, out);
    nas_node both;
    NI_TRY(nas_graph_concat(g, terms, 2, &both));
    ni_scope_text(scope, sizeof scope, "cells.%" PRIu32 "._joins.%" PRIu32 ".", number, i);
    return join(t, g, scope, site->channels, both, out);
}

nas_status ni_blocks_build(const nas_arch *arch, nas_graph *g, ni_node images, double dropout,
                           ni_node *logits) {
    const blocks_template *t = blocks_of(arch->space);
    nas_node previous[2];
    cell cells[2];
    for (uint32_t kind = 0; kind < t->n_kinds; kind++)
        ni_blocks_cell(arch->space, arch->values, kind, &cells[kind]);
    NI_TRY(ni_graph_scope(g, ""));
    NI_TRY(stem(t, g, false, images, &previous[0]));
    previous[1] = previous[0];
    if (t->stem == STEM_IMAGENET) NI_TRY(stem(t, g, true, previous[0], &previous[1]));
    for (uint32_t i = 0; i < t->n_cells; i++) {
        const cell_site *site = &t->cells[i];
        const cell *c = &cells[t->n_kinds > 1 && site->reduction];
        nas_node states[BLOCK_STATES_MOST], outputs[BLOCK_STATES_MOST];
        char scope[NI_SCOPE_TEXT];
        ni_scope_text(scope, sizeof scope, "cells.%" PRIu32 ".preprocess0.", i);
        NI_TRY(before(t, g, scope, site->after_reduction, site->channels, previous[0], &states[0]));
        ni_scope_text(scope, sizeof scope, "cells.%" PRIu32 ".preprocess1.", i);
        NI_TRY(before(t, g, scope, false, site->channels, previous[1], &states[1]));
        for (uint32_t b = 0; b < c->n; b++)
            NI_TRY(build_block(arch->space, g, i, site, &c->blocks[b], b, states, &states[b + 2]));
        for (uint32_t k = 0; k < c->n_outputs; k++)
            outputs[k] = states[c->outputs[k]];
        previous[0] = previous[1];
        NI_TRY(nas_graph_concat(g, outputs, c->n_outputs, &previous[1]));
        if (!t->auxiliary || i != t->auxiliary_after) continue;
        nas_node beside;
        NI_TRY(auxiliary(t, g, previous[1], &beside));
        ni_graph_auxiliary(g, beside, 0.4);
    }
    return head(t, g, dropout, previous[1], logits);
}

/* ---- costs, decision by decision ----------------------------------------------------------------
 */

/* The state: which states of the cell are used (16 bits), whether the inputs of the block at hand
 * are the cell's own (a bit each), how many blocks there are (4 bits), whether they have ended. */
enum { EARLY_SHIFT = 16, COUNT_SHIFT = 24, ENDED_SHIFT = 28 };

static nas_status add(const blocks_template *t, const ni_piece *p, ni_walk_cost *cost,
                      ni_site_cost *site) {
    NI_TRY(ni_piece_cost(&t->base, p, site));
    cost->params += site->params;
    cost->macs += site->macs;
    return NAS_OK;
}

/* What takes the output of a cell of some channels and size: what stands before the next two cells,
 * the heads. -1: the stem's output. */
static nas_status add_takers(const blocks_template *t, int64_t i, int64_t channels, int64_t h,
                             int64_t w, ni_walk_cost *cost) {
    ni_site_cost site;
    int64_t n = t->n_cells;
    for (int64_t k = 1; k <= 2; k++) {
        if (i + k >= n || (i < 0 && t->stem == STEM_IMAGENET)) continue;
        const cell_site *c = &t->cells[i + k];
        ni_piece p = {
            BLOCKS_BEFORE, 0, h, w, channels, c->channels, k == 2 && c->after_reduction, 0};
        NI_TRY(add(t, &p, cost, &site));
    }
    if (i + 1 == n) {
        ni_piece p = {BLOCKS_HEAD, 0, h, w, channels, 0, 0, 0};
        NI_TRY(add(t, &p, cost, &site));
    }
    if (t->auxiliary && i == (int64_t)t->auxiliary_after) {
        ni_piece p = {BLOCKS_AUXILIARY, 0, h, w, channels, 0, 0, 0};
        NI_TRY(ni_piece_cost(&t->base, &p, &site));
        cost->params += site.params; /* its work is not the network's */
    }
    return NAS_OK;
}

static nas_status walk_start(const nas_space *s, uint64_t *state, ni_walk_cost *cost) {
    const blocks_template *t = blocks_of(s);
    const cell_site *cells = t->cells;
    ni_site_cost site;
    ni_piece p = {BLOCKS_STEM, 0, t->base.height, t->base.width, t->base.channels, 0, 0, 0};
    *state = 0;
    NI_TRY(add(t, &p, cost, &site));
    if (t->stem == STEM_CIFAR) {
        /* states 0 and 1 of the first cell and state 0 of the second: the stem's output */
        ni_piece first = {
            BLOCKS_BEFORE, 0, site.out.d[1], site.out.d[2], site.out.d[3], cells[0].channels, 0, 0};
        ni_site_cost ignored;
        NI_TRY(add(t, &first, cost, &ignored));
        return add_takers(t, -1, site.out.d[3], site.out.d[1], site.out.d[2], cost);
    }
    ni_piece early = {
        BLOCKS_BEFORE, 0, site.out.d[1], site.out.d[2], site.out.d[3], cells[0].channels, 1, 0};
    p = (ni_piece){BLOCKS_STEM, 0, site.out.d[1], site.out.d[2], site.out.d[3], 0, 1, 0};
    NI_TRY(add(t, &early, cost, &site));
    NI_TRY(add(t, &p, cost, &site));
    for (uint32_t k = 0; k < 2 && k < t->n_cells; k++) {
        ni_piece late = {BLOCKS_BEFORE,
                         0,
                         site.out.d[1],
                         site.out.d[2],
                         site.out.d[3],
                         cells[k].channels,
                         k && cells[k].after_reduction,
                         0};
        ni_site_cost ignored;
        NI_TRY(add(t, &late, cost, &ignored));
    }
    return NAS_OK;
}

static bool of_kind(const blocks_template *t, uint32_t i, uint32_t kind) {
    return t->n_kinds == 1 || t->cells[i].reduction == (kind == 1);
}

/* Halved, odd sizes up. */
static int64_t size_after(int64_t size, bool reduction) {
    return reduction ? (size + 1) / 2 : size;
}

static nas_status add_operation(const blocks_template *t, uint32_t kind, bool early,
                                uint32_t operation, ni_walk_cost *cost) {
    ni_site_cost site = {0};
    ni_piece before = {0};
    for (uint32_t i = 0; i < t->n_cells; i++) {
        const cell_site *c = &t->cells[i];
        if (!of_kind(t, i, kind)) continue;
        ni_piece p = {BLOCKS_OPERATION,
                      operation,
                      early ? c->h : size_after(c->h, c->reduction),
                      early ? c->w : size_after(c->w, c->reduction),
                      c->channels,
                      c->channels,
                      early && c->reduction ? 2 : 1,
                      0};
        if (memcmp(&p, &before, sizeof p) != 0) NI_TRY(ni_piece_cost(&t->base, &p, &site));
        before = p;
        cost->params += site.params;
        cost->macs += site.macs;
    }
    return NAS_OK;
}

static nas_status close_kind(const blocks_template *t, uint32_t kind, uint64_t state,
                             ni_walk_cost *cost) {
    uint32_t n = state >> COUNT_SHIFT & 15, outputs = 0;
    for (uint32_t v = 2; v < n + 2; v++)
        outputs += !t->unused || !(state >> v & 1);
    for (uint32_t i = 0; i < t->n_cells; i++) {
        const cell_site *c = &t->cells[i];
        if (of_kind(t, i, kind))
            NI_TRY(add_takers(t, i, outputs * c->channels, size_after(c->h, c->reduction),
                              size_after(c->w, c->reduction), cost));
    }
    return NAS_OK;
}

static nas_status walk_step(const nas_space *s, uint32_t decision, uint64_t state, uint32_t value,
                            uint64_t *next, bool *allowed, ni_walk_cost *cost) {
    const blocks_template *t = blocks_of(s);
    uint32_t kind = t->n_kinds > 1 && decision >= t->first[1], i = 0;
    if (kind == 1 && decision == t->first[1]) {
        NI_TRY(close_kind(t, 0, state, cost));
        state = 0;
    }
    const block_decisions *d = &t->decisions[kind][0];
    int32_t at = (int32_t)decision;
    while (at != d->exists && at != d->in[0] && at != d->in[1] && at != d->op[0] &&
           at != d->op[1] && at != d->join) {
        d++;
        i++;
    }
    *allowed = true;
    if (state >> ENDED_SHIFT & 1) {
        *allowed = value == 0;
        *next = state;
        return NAS_OK;
    }
    if (at == d->exists) {
        *next = value ? state : state | UINT64_C(1) << ENDED_SHIFT;
        return NAS_OK;
    }
    for (uint32_t k = 0; k < 2; k++) {
        if (at != d->in[k]) continue;
        if (t->pairs) { /* the value-th pair, in the order of their alternatives */
            uint32_t b = 1, a;
            for (a = value; a >= b; b++)
                a -= b;
            state |= UINT64_C(1) << a | UINT64_C(1) << b;
            state |= (uint64_t)(a < 2) << EARLY_SHIFT | (uint64_t)(b < 2) << (EARLY_SHIFT + 1);
        } else {
            state |= UINT64_C(1) << value | (uint64_t)(value < 2) << (EARLY_SHIFT + k);
        }
    }
    bool last = at == (d->join >= 0 ? d->join : d->op[1]);
    for (uint32_t k = 0; k < 2; k++)
        if (at == d->op[k]) {
            NI_TRY(add_operation(t, kind, state >> (EARLY_SHIFT + k) & 1, value, cost));
            state &= ~(UINT64_C(1) << (EARLY_SHIFT + k));
        }
    for (uint32_t c = 0; at == d->join && value == 1 && c < t->n_cells; c++) {
        const cell_site *site = &t->cells[c];
        ni_site_cost ignored;
        if (!of_kind(t, c, kind)) continue;
        ni_piece p = {BLOCKS_JOIN,
                      0,
                      size_after(site->h, site->reduction),
                      size_after(site->w, site->reduction),
                      2 * site->channels,
                      site->channels,
                      0,
                      0};
        NI_TRY(add(t, &p, cost, &ignored));
    }
    if (last) {
        state &= ~(UINT64_C(15) << COUNT_SHIFT);
        state |= (uint64_t)(i + 1) << COUNT_SHIFT;
        /* the cell's inputs are never joined; and where all blocks are, nothing depends on use */
        state &= t->unused ? ~UINT64_C(3) : ~UINT64_C(0xffff);
    }
    *next = state;
    return NAS_OK;
}

static nas_status walk_end(const nas_space *s, uint64_t state, bool *connected,
                           ni_walk_cost *cost) {
    const blocks_template *t = blocks_of(s);
    *connected = true;
    return close_kind(t, t->n_kinds - 1, state, cost);
}

const ni_walk_ops ni_blocks_walk = {walk_start, walk_step, walk_end, false};
