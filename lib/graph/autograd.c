/* Reverse-mode differentiation: the backward pass is written into the graph as nodes.
 *
 * One sweep from y down to its inputs. A node's gradient is the sum of what its readers contribute;
 * readers have larger numbers, so that all have been visited before it. */
#include "internal.h"

typedef struct {
    ni_node gradient;
    uint32_t next; /* of the same node, NI_NONE at the end */
} contribution;

typedef struct {
    nas_graph *g;
    uint8_t *depends; /* on one of x: for each node up to y */
    uint8_t *target;
    uint32_t *first, *last; /* contributions */
    NI_ARRAY(contribution) given;
    ni_node *list; /* scratch: gradients or inputs of one node */
    ni_node *dx;
    uint8_t *need;
    uint32_t longest;
} sweep;

static nas_status contribute(sweep *s, ni_node node, ni_node gradient) {
    contribution c = {gradient, NI_NONE};
    uint32_t index = (uint32_t)s->given.n;
    NI_TRY(NI_PUSH(s->g->context, &s->given, c));
    if (s->first[node] == NI_NONE)
        s->first[node] = index;
    else
        s->given.items[s->last[node]].next = index;
    s->last[node] = index;
    return NAS_OK;
}

/* Room for n nodes in the scratch lists. */
static nas_status room_for(sweep *s, uint32_t n) {
    nas_context *context = s->g->context;
    if (n <= s->longest) return NAS_OK;
    n = n < 16 ? 16 : n;
    ni_free(context, s->list);
    ni_free(context, s->dx);
    ni_free(context, s->need);
    s->longest = 0;
    s->list = ni_calloc(context, n, sizeof *s->list);
    s->dx = ni_calloc(context, n, sizeof *s->dx);
    s->need = ni_calloc(context, n, 1);
    if (!s->list || !s->dx || !s->need) return NAS_E_MEMORY;
    s->longest = n;
    return NAS_OK;
}

/* The sum of a node's contributions; NI_NONE when there are none. */
static nas_status gathered(sweep *s, ni_node node, ni_node *out) {
    uint32_t n = 0;
    for (uint32_t i = s->first[node]; i != NI_NONE; i = s->given.items[i].next)
        n++;
    *out = NI_NONE;
    if (n == 0) return NAS_OK;
    NI_TRY(room_for(s, n));
    n = 0;
    for (uint32_t i = s->first[node]; i != NI_NONE; i = s->given.items[i].next)
        s->list[n++] = s->given.items[i].gradient;
    NI_TRY(ni_add(s->g, s->list, n, out));
    s->first[node] = s->last[node] = (uint32_t)s->given.n; /* the sum stands for them from now on */
    contribution sum = {*out, NI_NONE};
    return NI_PUSH(s->g->context, &s->given, sum);
}

static nas_status visit(sweep *s, ni_node node) {
    ni_node_data copy = *ni_at(s->g, node);
    const ni_op_info *info = &ni_ops[copy.op];
    ni_node dy;
    NI_TRY(gathered(s, node, &dy));
    if (dy == NI_NONE || !info->gradient) return NAS_OK;
    NI_TRY(room_for(s, copy.n_in));
    bool any = false;
    for (uint32_t i = 0; i < copy.n_in; i++) {
        s->list[i] = ni_in(s->g, node, i);
        s->dx[i] = NI_NONE;
        s->need[i] = s->list[i] != NI_NONE && s->depends[s->list[i]];
        any |= s->need[i] != 0;
    }
    if (!any) return NAS_OK;
    ni_vjp v = {s->g, NAS_OK, node, dy, &copy, s->list, s->need, s->target, s->dx};
    const char *label = s->g->label;
    s->g->label = copy.label;
    info->gradient(&v);
    s->g->label = label;
    NI_TRY(v.status);
    for (uint32_t i = 0; i < copy.n_in; i++)
        if (s->need[i] && s->dx[i] != NI_NONE) NI_TRY(contribute(s, s->list[i], s->dx[i]));
    return NAS_OK;
}

static nas_status swept(sweep *s, ni_node y, ni_node seed, const ni_node *x, uint32_t n,
                        ni_node *out) {
    nas_graph *g = s->g;
    for (uint32_t i = 0; i < n; i++)
        if (x[i] <= y) s->target[x[i]] = 1;
    for (ni_node node = 0; node <= y; node++) {
        const ni_node_data *at = ni_at(g, node);
        s->depends[node] = s->target[node];
        s->first[node] = NI_NONE;
        if (!ni_ops[at->op].gradient) continue;
        for (uint32_t i = 0; i < at->n_in && !s->depends[node]; i++) {
            ni_node in = ni_in(g, node, i);
            s->depends[node] = in != NI_NONE && s->depends[in];
        }
    }
    NI_TRY(contribute(s, y, seed));
    for (ni_node node = y + 1; node-- > 0;)
        if (s->depends[node]) NI_TRY(visit(s, node));
    for (uint32_t i = 0; i < n; i++) {
        out[i] = NI_NONE;
        if (x[i] <= y) NI_TRY(gathered(s, x[i], &out[i]));
        if (out[i] == NI_NONE) NI_TRY(ni_constant(g, ni_at(g, x[i])->shape, 0, &out[i]));
    }
    return NAS_OK;
}

nas_status ni_graph_gradients(nas_graph *g, ni_node y, ni_node seed, const ni_node *x, uint32_t n,
                              ni_node *out) {
    char text[NI_NODE_TEXT];
    sweep s;
    nas_status status;
    memset(&s, 0, sizeof s);
    s.g = g;
    if (y >= g->nodes.n || (seed != NI_NONE && seed >= g->nodes.n))
        return ni_fail(g->context, NAS_E_INVALID, "gradient: the graph has no such node");
    for (uint32_t i = 0; i < n; i++)
        if (x[i] >= g->nodes.n)
            return ni_fail(g->context, NAS_E_INVALID, "gradient: the graph has no node %u",
                           (unsigned)x[i]);
    ni_shape shape = ni_at(g, y)->shape;
    if (seed == NI_NONE && ni_shape_count(shape) != 1)
        return ni_fail(g->context, NAS_E_SHAPE,
                       "gradient of %s: it is not one number, so a seed of its shape is needed",
                       ni_node_text(g, y, text));
    if (seed != NI_NONE && !ni_shape_equal(ni_at(g, seed)->shape, shape))
        return ni_fail(g->context, NAS_E_SHAPE, "gradient of %s: the seed must have its shape",
                       ni_node_text(g, y, text));
    if (seed == NI_NONE) NI_TRY(ni_constant(g, shape, 1, &seed));

    size_t nodes = (size_t)y + 1;
    s.depends = ni_calloc(g->context, nodes, 1);
    s.target = ni_calloc(g->context, nodes, 1);
    s.first = ni_calloc(g->context, nodes, sizeof *s.first);
    s.last = ni_calloc(g->context, nodes, sizeof *s.last);
    status = s.depends && s.target && s.first && s.last ? NAS_OK : NAS_E_MEMORY;
    if (status >= 0) status = swept(&s, y, seed, x, n, out);
    ni_free(g->context, s.depends);
    ni_free(g->context, s.target);
    ni_free(g->context, s.first);
    ni_free(g->context, s.last);
    ni_free(g->context, s.list);
    ni_free(g->context, s.dx);
    ni_free(g->context, s.need);
    NI_ARRAY_FREE(g->context, &s.given);
    return status;
}
