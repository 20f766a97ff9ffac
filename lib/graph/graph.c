/* A graph: its nodes, how one is added, its leaves, labels and scope. */
#include <inttypes.h>
#include <stdio.h>
#include "internal.h"

nas_status ni_graph_create(nas_graph **out, nas_context *context, ni_vars *vars, uint32_t dtype,
                           ni_mode mode) {
    nas_graph *g = ni_calloc(context, 1, sizeof *g);
    nas_status status;
    if (!g) return NAS_E_MEMORY;
    g->context = context;
    g->vars = vars;
    g->dtype = dtype;
    g->mode = mode;
    g->scope = "";
    g->auxiliary = NI_NONE;
    NI_GOTO(fail, ni_arena_create(&g->arena, context));
    NI_GOTO(fail, ni_map_create(&g->known, context));
    *out = g;
    return NAS_OK;
fail:
    ni_graph_free(g);
    return status;
}

void ni_graph_auxiliary(nas_graph *g, ni_node logits, double weight) {
    g->auxiliary = logits;
    g->auxiliary_weight = weight;
}

ni_node ni_graph_auxiliary_get(const nas_graph *g, double *weight) {
    *weight = g->auxiliary_weight;
    return g->auxiliary;
}

void ni_graph_free(nas_graph *g) {
    if (!g) return;
    nas_context *context = g->context;
    NI_ARRAY_FREE(context, &g->nodes);
    NI_ARRAY_FREE(context, &g->in);
    NI_ARRAY_FREE(context, &g->updates);
    if (g->known) ni_map_free(g->known);
    if (g->arena) ni_arena_free(g->arena);
    ni_free(context, g);
}

nas_context *ni_graph_context(const nas_graph *g) {
    return g->context;
}
ni_vars *ni_graph_vars(const nas_graph *g) {
    return g->vars;
}
ni_mode ni_graph_mode(const nas_graph *g) {
    return g->mode;
}
uint32_t ni_graph_nodes(const nas_graph *g) {
    return (uint32_t)g->nodes.n;
}
ni_shape ni_node_shape(const nas_graph *g, ni_node node) {
    return ni_at(g, node)->shape;
}

const char *ni_node_op_name(const nas_graph *g, ni_node node) {
    return ni_ops[ni_at(g, node)->op].name;
}

uint32_t ni_node_inputs(const nas_graph *g, ni_node node, const ni_node **inputs) {
    const ni_node_data *at = ni_at(g, node);
    *inputs = g->in.items + at->first_in;
    return at->n_in;
}

const char *ni_node_text(const nas_graph *g, ni_node node, char *buffer) {
    const ni_node_data *at = ni_at(g, node);
    const int64_t *d = at->shape.d;
    snprintf(buffer, NI_NODE_TEXT,
             "node %" PRIu32 " (%s%s%.90s%s, %" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64 ")",
             node, ni_ops[at->op].name, at->label ? " '" : "", at->label ? at->label : "",
             at->label ? "'" : "", d[0], d[1], d[2], d[3]);
    return buffer;
}

void ni_node_label(nas_graph *g, ni_node node, const char *label) {
    char *copy = ni_arena_strdup(g->arena, label);
    if (copy) g->nodes.items[node].label = copy; /* without memory the old label stays */
}

nas_status ni_graph_scope(nas_graph *g, const char *prefix) {
    char *copy = ni_arena_strdup(g->arena, prefix);
    if (!copy) return NAS_E_MEMORY;
    g->scope = copy;
    g->label = *copy ? copy : NULL;
    return NAS_OK;
}

const char *ni_graph_scope_get(const nas_graph *g) {
    return g->scope;
}

enum { ELEMENTS_MOST_LOG2 = 40 };

static bool shape_is_held(ni_shape shape) {
    int64_t count = 1;
    for (int i = 0; i < 4; i++) {
        if (shape.d[i] < 1 || shape.d[i] > INT32_MAX ||
            count > ((int64_t)1 << ELEMENTS_MOST_LOG2) / shape.d[i])
            return false;
        count *= shape.d[i];
    }
    return true;
}

nas_status ni_shape_fits(nas_graph *g, const char *what, ni_shape shape) {
    const int64_t most = (int64_t)1 << ELEMENTS_MOST_LOG2, *d = shape.d;
    int64_t count = 1;
    for (int i = 0; i < 4; i++) {
        if (d[i] < 1 || d[i] > INT32_MAX)
            return ni_fail(g->context, NAS_E_SHAPE,
                           "%s would be %" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64
                           ": each dimension must be 1 to 2147483647",
                           what, d[0], d[1], d[2], d[3]);
        if (count > most / d[i])
            return ni_fail(g->context, NAS_E_SHAPE,
                           "%s would be %" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64
                           ": more than 2^40 elements",
                           what, d[0], d[1], d[2], d[3]);
        count *= d[i];
    }
    return NAS_OK;
}

static nas_status inputs_fit(nas_graph *g, const ni_op_info *info, const ni_node *in, uint32_t n) {
    char text[NI_NODE_TEXT];
    if (n < info->least_in || n > info->most_in)
        return ni_fail(g->context, NAS_E_INVALID,
                       "%s takes %" PRIu32 " to %" PRIu32 " inputs, not %" PRIu32, info->name,
                       info->least_in, info->most_in, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bit = i < 32 ? 1u << i : 0;
        if (in[i] == NI_NONE && (info->optional & bit)) continue;
        if (in[i] >= g->nodes.n)
            return ni_fail(g->context, NAS_E_INVALID,
                           "%s: input %" PRIu32 " is node %" PRIu32 ", and the graph has only %zu",
                           info->name, i, in[i], g->nodes.n);
        bool labels = ni_at(g, in[i])->op == NI_OP_LABELS;
        if (labels != ((info->labels & bit) != 0))
            return ni_fail(g->context, NAS_E_SHAPE, "%s: %s cannot be input %" PRIu32 ": %s",
                           info->name, ni_node_text(g, in[i], text), i,
                           labels ? "labels go to losses only" : "labels belong there");
    }
    return NAS_OK;
}

static uint64_t hash_of(const ni_node_data *node, const ni_node *in) {
    uint64_t hash = ni_hash_seeded(in, node->n_in * sizeof *in, node->op);
    hash = ni_hash_seeded(&node->attr, sizeof node->attr, hash);
    return ni_hash_seeded(&node->shape, sizeof node->shape, hash);
}

ni_mark ni_graph_mark(const nas_graph *g) {
    ni_mark mark = {g->nodes.n, g->in.n,     g->updates.n,
                    g->inputs,  g->dropouts, ni_vars_count(g->vars)};
    return mark;
}

void ni_graph_undo(nas_graph *g, ni_mark mark) {
    for (; g->nodes.n > mark.nodes; g->nodes.n--) {
        const ni_node_data *last = &g->nodes.items[g->nodes.n - 1];
        uint64_t hash = hash_of(last, g->in.items + last->first_in), same;
        if (ni_map_get(g->known, hash, &same) && same == g->nodes.n - 1)
            ni_map_remove(g->known, hash);
    }
    g->in.n = mark.in;
    g->updates.n = mark.updates;
    g->inputs = mark.inputs;
    g->dropouts = mark.dropouts;
    ni_vars_undo(g->vars, mark.vars);
}

static bool equal_nodes(const nas_graph *g, const ni_node_data *a, const ni_node *a_in, ni_node b) {
    const ni_node_data *at = ni_at(g, b);
    return a->op == at->op && a->n_in == at->n_in && ni_shape_equal(a->shape, at->shape) &&
           memcmp(&a->attr, &at->attr, sizeof a->attr) == 0 &&
           (a->n_in == 0 || memcmp(a_in, g->in.items + at->first_in, a->n_in * sizeof *a_in) == 0);
}

/* A node that is the same already. */
static bool is_known(const nas_graph *g, const ni_node_data *node, const ni_node *in, uint64_t hash,
                     ni_node *out) {
    uint64_t same;
    if (!ni_map_get(g->known, hash, &same) || !equal_nodes(g, node, in, (ni_node)same))
        return false;
    *out = (ni_node)same;
    return true;
}

bool ni_node_known(const nas_graph *g, ni_op op, const ni_attr *attr, ni_shape shape,
                   const ni_node *in, uint32_t n, ni_node *out) {
    ni_node_data node;
    memset(&node, 0, sizeof node);
    node.op = (uint32_t)op;
    node.n_in = n;
    node.shape = shape;
    if (attr) memcpy(&node.attr, attr, sizeof node.attr);
    return is_known(g, &node, in, hash_of(&node, in), out);
}

nas_status ni_node_add(nas_graph *g, ni_op op, const ni_attr *attr, const ni_shape *shape,
                       const ni_node *in, uint32_t n, ni_node *out) {
    const ni_op_info *info = &ni_ops[op];
    ni_node_data node;
    uint64_t hash;
    memset(&node, 0, sizeof node);
    node.op = (uint32_t)op;
    node.n_in = n;
    if (attr) memcpy(&node.attr, attr, sizeof node.attr);
    if (shape) node.shape = *shape;
    NI_TRY(inputs_fit(g, info, in, n));
    NI_TRY(info->shape(g, &node, in));
    if (!shape_is_held(node.shape)) {
        char what[NI_NODE_TEXT + 64], text[NI_NODE_TEXT];
        bool named = n > 0 && in[0] != NI_NONE;
        snprintf(what, sizeof what, "%s%s%s", info->name, named ? " of " : "",
                 named ? ni_node_text(g, in[0], text) : "");
        return ni_shape_fits(g, what, node.shape);
    }

    hash = hash_of(&node, in);
    if (is_known(g, &node, in, hash, out)) return NAS_OK;
    if (g->programs)
        return ni_fail(g->context, NAS_E_STATE,
                       "%s cannot be added: the graph was made into a program and is frozen",
                       info->name);
    if (g->nodes.n >= NI_NONE - 1 || g->in.n > UINT32_MAX - (size_t)n)
        return ni_fail(g->context, NAS_E_LIMIT, "%s does not fit: the graph has %zu nodes",
                       info->name, g->nodes.n);
    node.first_in = (uint32_t)g->in.n;
    node.label = g->label;
    for (uint32_t i = 0; i < n; i++) {
        nas_status status = NI_PUSH(g->context, &g->in, in[i]);
        if (status < 0) {
            g->in.n = node.first_in;
            return status;
        }
    }
    nas_status status = NI_PUSH(g->context, &g->nodes, node);
    if (status >= 0) {
        status = ni_map_put(g->known, hash, g->nodes.n - 1);
        if (status < 0) g->nodes.n--;
    }
    if (status < 0) {
        g->in.n = node.first_in;
        return status;
    }
    *out = (ni_node)(g->nodes.n - 1);
    return NAS_OK;
}

/* ---- leaves --------------------------------------------------------------------------------- */

nas_status ni_shape_of_leaf(nas_graph *g, ni_node_data *node, const ni_node *in) {
    (void)g, (void)node, (void)in;
    return NAS_OK; /* given */
}

static nas_status numbered_leaf(nas_graph *g, ni_op op, ni_shape shape, uint32_t *number,
                                ni_node *out) {
    ni_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.number = g->inputs;
    NI_TRY(ni_node_add(g, op, &attr, &shape, NULL, 0, out));
    if (number) *number = g->inputs;
    g->inputs++;
    return NAS_OK;
}

nas_status ni_input(nas_graph *g, ni_shape shape, uint32_t *number, ni_node *out) {
    return numbered_leaf(g, NI_OP_INPUT, shape, number, out);
}

nas_status ni_input_labels(nas_graph *g, int64_t n, uint32_t *number, ni_node *out) {
    return numbered_leaf(g, NI_OP_LABELS, ni_shape4(n, 1, 1, 1), number, out);
}

nas_status ni_variable(nas_graph *g, const ni_var *var, ni_node *out) {
    ni_attr attr;
    uint32_t slot;
    const char *label = g->label;
    NI_TRY(ni_shape_fits(g, var->name, var->shape));
    NI_TRY(ni_vars_add(g->vars, var, &slot));
    memset(&attr, 0, sizeof attr);
    attr.number = slot;
    g->label = ni_arena_strdup(g->arena, var->name);
    nas_status status =
        g->label ? ni_node_add(g, NI_OP_VARIABLE, &attr, &var->shape, NULL, 0, out) : NAS_E_MEMORY;
    g->label = label;
    return status;
}

nas_status ni_constant(nas_graph *g, ni_shape shape, double value, ni_node *out) {
    ni_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.value = value;
    return ni_node_add(g, NI_OP_CONSTANT, &attr, &shape, NULL, 0, out);
}

/* ---- costs ---------------------------------------------------------------------------------- */

int64_t ni_graph_macs(const nas_graph *g, ni_node output) {
    uint8_t *needed = ni_calloc(g->context, (size_t)output + 1, 1);
    int64_t total = 0, images = ni_at(g, output)->shape.d[0];
    if (!needed) return -1;
    needed[output] = 1;
    for (ni_node node = output + 1; node-- > 0;) {
        const ni_node_data *at = ni_at(g, node);
        if (!needed[node]) continue;
        for (uint32_t i = 0; i < at->n_in; i++)
            if (ni_in(g, node, i) != NI_NONE) needed[ni_in(g, node, i)] = 1;
        if (at->op == NI_OP_CONV || at->op == NI_OP_CONV_DX || at->op == NI_OP_CONV_DW) {
            total = ni_add_macs(total, ni_conv_macs(&at->attr.conv));
        } else if (at->op == NI_OP_MATMUL) {
            const ni_shape *a = &ni_at(g, ni_in(g, node, 0))->shape;
            const int64_t by[3] = {at->shape.d[0], at->shape.d[3],
                                   a->d[at->attr.transposed.a ? 0 : 3]};
            total = ni_add_macs(total, ni_macs(by, 3));
        }
    }
    ni_free(g->context, needed);
    return total / images;
}

size_t ni_graph_bytes(const nas_graph *g) {
    return sizeof *g + ni_arena_bytes(g->arena) + ni_map_bytes(g->known) +
           g->nodes.capacity * sizeof *g->nodes.items + g->in.capacity * sizeof *g->in.items +
           g->updates.capacity * sizeof *g->updates.items;
}
