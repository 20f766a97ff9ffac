/* Cells with operations on edges: the network. Variables have the names of NAS-Bench-201's
 * reference network (xautodl/models/cell_infers/tiny_network.py: stem.0.weight,
 * cells.K.layers.E.op.1.weight, cells.K.conv_a.op.1.weight, ...), so that weights load into it by
 * name. */
#include <inttypes.h>
#include <stdio.h>
#include <math.h>
#include "internal.h"

static nas_status relu_conv_bn(const ni_cells *c, nas_graph *g, const char *conv_name,
                               const char *bn_name, bool relu, int32_t kernel, int32_t stride,
                               int64_t filters, nas_node *x) {
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    o.kernel_h = o.kernel_w = kernel;
    o.stride_h = o.stride_w = stride;
    o.filters = filters;
    if (relu) NI_TRY(nas_graph_relu(g, *x, x));
    NI_TRY(nas_graph_conv(g, conv_name, *x, &o, x));
    return nas_graph_batch_norm(g, bn_name, *x, 1, 1, c->o.bn_epsilon, c->o.bn_momentum, x);
}

/* NAS-Bench-201's residual block (two 3x3 convolutions, and an average pool with a 1x1 convolution
 * beside them), or a max pool and a 1x1 convolution. */
static nas_status reduction(const ni_cells *c, nas_graph *g, int64_t filters, nas_node in,
                            nas_node *out) {
    nas_node a = in, s = in;
    if (c->o.reduction == NI_REDUCE_POOL) {
        NI_TRY(nas_graph_max_pool(g, a, 2, 2, 0, &a));
        NI_TRY(relu_conv_bn(c, g, "conv", "bn", true, 1, 1, filters, &a));
        *out = a;
        return NAS_OK;
    }
    NI_TRY(relu_conv_bn(c, g, "conv_a.op.1", "conv_a.op.2", true, 3, 2, filters, &a));
    NI_TRY(relu_conv_bn(c, g, "conv_b.op.1", "conv_b.op.2", true, 3, 1, filters, &a));
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    o.kernel_h = o.kernel_w = 1;
    o.filters = filters;
    nas_shape shape;
    NI_TRY(nas_graph_shape(g, s, &shape));
    /* Odd sizes: the 3x3 convolution of stride 2 rounds up, and so must the pool. */
    if (shape.h % 2 || shape.w % 2)
        NI_TRY(nas_graph_avg_pool(g, s, 3, 2, 1, &s));
    else
        NI_TRY(nas_graph_avg_pool(g, s, 2, 2, 0, &s));
    NI_TRY(nas_graph_conv(g, "downsample.1", s, &o, &s));
    nas_node both[2] = {s, a};
    return nas_graph_add(g, both, 2, out);
}

static nas_status head(const ni_cells *c, nas_graph *g, double dropout, nas_node x, nas_node *out) {
    NI_TRY(nas_graph_batch_norm(g, "lastact.0", x, 1, 1, c->o.bn_epsilon, c->o.bn_momentum, &x));
    NI_TRY(nas_graph_relu(g, x, &x));
    NI_TRY(nas_graph_global_pool(g, x, &x));
    if (dropout > 0) NI_TRY(nas_graph_dropout(g, x, dropout, &x));
    return nas_graph_linear(g, "classifier", x, c->base.classes, 1, out);
}

static nas_status operation(const ni_cells *c, nas_graph *g, uint32_t alternative,
                            const char *scope, nas_node in, nas_node *out) {
    nas_shape shape;
    NI_TRY(nas_graph_shape(g, in, &shape));
    return ni_site_build(
        &c->base, g,
        c->base.space->decisions.items[c->base.first_decision].alternatives[alternative], scope, 1,
        shape.c, true, in, out);
}

nas_status ni_cells_piece(const ni_template *self, nas_graph *g, const ni_piece *p, nas_node in,
                          nas_node *out) {
    const ni_cells *c = (const ni_cells *)(const void *)self;
    switch (p->kind) {
    case NI_CELLS_OPERATION:
        return operation(c, g, (uint32_t)p->alternative, "", in, out);
    case NI_CELLS_STEM:
        *out = in;
        return relu_conv_bn(c, g, "stem.0", "stem.1", false, (int32_t)p->a, (int32_t)p->b,
                            p->filters, out);
    case NI_CELLS_REDUCTION:
        return reduction(c, g, p->filters, in, out);
    default:
        return head(c, g, 0, in, out);
    }
}

static nas_status cell(const ni_cells *c, const nas_arch *arch, nas_graph *g, int64_t number,
                       nas_node *x) {
    nas_node nodes[NI_CELL_NODES_MOST];
    const nas_value *values = arch->values + c->base.first_decision;
    nodes[0] = *x;
    for (uint32_t to = 1, e = 0; to < c->o.n_nodes; to++) {
        nas_node in[NI_CELL_NODES_MOST];
        uint32_t n = 0;
        for (; e < c->o.n_edges && c->o.edge_to[e] == to; e++) {
            ni_text scope;
            ni_text_init(&scope, c->base.space->context);
            ni_text_f(&scope, "cells.%" PRId64 ".layers.%" PRIu32 ".", number, e);
            nas_node made = NAS_NODE_NONE;
            nas_status status = scope.status;
            if (status >= 0)
                status = operation(c, g, (uint32_t)values[e].integer, ni_text_get(&scope),
                                   nodes[c->o.edge_from[e]], &made);
            ni_text_free(&scope);
            NI_TRY(status);
            /* An edge without an operation adds nothing. */
            if (c->meaning[values[e].integer] == NI_MEANS_NOTHING) continue;
            if (made != nodes[c->o.edge_from[e]]) NI_TRY(ni_drop_path(g, made, &made));
            in[n++] = made;
        }
        if (n == 0)
            NI_TRY(nas_graph_zero(g, nodes[0], 1, &nodes[to]));
        else if (n == 1)
            nodes[to] = in[0];
        else
            NI_TRY(nas_graph_add(g, in, n, &nodes[to]));
    }
    *x = nodes[c->o.n_nodes - 1];
    return NAS_OK;
}

nas_status ni_cells_build(const nas_arch *arch, nas_graph *g, ni_node images, double dropout,
                          ni_node *logits) {
    const ni_cells *c = (const ni_cells *)(const void *)arch->space->template;
    const nas_value *values = arch->values;
    int64_t filters = ni_amount_value(&c->o.channels, values);
    int64_t stages = ni_amount_value(&c->o.stages, values);
    int64_t cells = ni_amount_value(&c->o.cells, values);
    int64_t number = 0;
    nas_node x;
    NI_TRY(ni_graph_scope(g, ""));
    x = images;
    NI_TRY(relu_conv_bn(c, g, "stem.0", "stem.1", false,
                        (int32_t)ni_amount_value(&c->o.stem_kernel, values),
                        (int32_t)ni_amount_value(&c->o.stem_stride, values), filters, &x));
    for (int64_t stage = 0; stage < stages; stage++) {
        if (stage) {
            char scope[40] = "cells.";
            ni_text text;
            ni_text_init(&text, c->base.space->context);
            ni_text_f(&text, "cells.%" PRId64 ".", number++);
            nas_status status = text.status;
            if (status >= 0 && text.n < sizeof scope) memcpy(scope, ni_text_get(&text), text.n + 1);
            ni_text_free(&text);
            NI_TRY(status);
            NI_TRY(ni_graph_scope(g, scope));
            filters *= c->o.widen;
            NI_TRY(reduction(c, g, filters, x, &x));
            NI_TRY(ni_graph_scope(g, ""));
        }
        for (int64_t i = 0; i < cells; i++)
            NI_TRY(cell(c, arch, g, number++, &x));
    }
    return head(c, g, dropout, x, logits);
}

/* ---- drawings
 * -------------------------------------------------------------------------------------- */

nas_status ni_cells_graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n) {
    const ni_cells *c = (const ni_cells *)(const void *)arch->space->template;
    const nas_value *values = arch->values + c->base.first_decision;
    char title[64];
    ni_draw_graph *graph;
    ni_scope_text(title, sizeof title, "cell, %" PRId64 " in each of %" PRId64 " stages",
                  ni_amount_value(&c->o.cells, arch->values),
                  ni_amount_value(&c->o.stages, arch->values));
    NI_TRY(ni_draw_begin(&graph, arch->space->context, title, c->o.n_nodes, c->o.n_edges));
    for (uint32_t v = 0; v < c->o.n_nodes; v++) {
        char label[2] = {(char)('0' + v), 0};
        ni_draw_label(graph, v, v == 0 ? "input" : v + 1 == c->o.n_nodes ? "output" : label);
    }
    for (uint32_t e = 0; e < c->o.n_edges; e++) {
        uint32_t d = c->base.first_decision + e;
        if (c->meaning[values[e].integer] == NI_MEANS_NOTHING) continue;
        ni_draw_join(graph, c->o.edge_from[e], c->o.edge_to[e],
                     arch->space->decisions.items[d].alternatives[values[e].integer]);
    }
    *out = graph;
    *n = 1;
    return NAS_OK;
}
