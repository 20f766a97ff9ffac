/* What networks cost: of one part, built alone and remembered; of a whole network, built and thrown
 * away. Shared by all templates. */
#include <inttypes.h>
#include <stdio.h>
#include "internal.h"

nas_status ni_template_create(ni_template **out, const nas_space *space, const ni_template_ops *ops,
                              const char *kind, size_t size) {
    ni_template *t = ni_calloc(space->context, 1, size);
    if (!t) return NAS_E_MEMORY;
    t->ops = ops;
    t->kind = kind;
    t->space = space;
    t->bn_epsilon = 1e-5;
    t->bn_momentum = 0.1;
    t->published_extra = -1;
    nas_status status = ni_mutex_create(&t->lock, space->context);
    if (status >= 0) status = ni_map_create(&t->places, space->context);
    if (status < 0) {
        ni_template_free(space->context, t);
        return status;
    }
    *out = t;
    return NAS_OK;
}

void ni_template_free(nas_context *context, ni_template *self) {
    if (self->lock) ni_mutex_free(self->lock);
    if (self->places) ni_map_free(self->places);
    NI_ARRAY_FREE(context, &self->memo);
    ni_free(context, self);
}

/* ---- one part ---------------------------------------------------------------------------------
 */

static bool counts_depth(const char *op) {
    return strcmp(op, "conv") == 0 || strcmp(op, "matmul") == 0;
}

/* Nodes whose output cannot stand where their input stood. */
static bool keeps_memory(const char *op) {
    static const char *const all[] = {"conv",   "matmul", "max_pool", "avg_pool",
                                      "concat", "slice",  "pad"};
    for (size_t i = 0; i < NI_COUNT(all); i++)
        if (strcmp(op, all[i]) == 0) return true;
    return false;
}

typedef struct {
    uint32_t last;     /* node that uses it last */
    bool image, taken; /* depends on the images; its memory went on to a node that works in place */
    int64_t bytes, depth;
} node_use;

/* Most memory of activations that lives at once when the nodes run in their order, each freed after
 * its last use; the longest path of layers with weights. */
static void live(const nas_graph *g, ni_node out, node_use *use, int64_t *peak, int64_t *depth) {
    uint32_t n = ni_graph_nodes(g);
    int64_t now = 0;
    const ni_node *inputs;
    *peak = 0;
    for (uint32_t i = n; i-- > 0;) {
        if (i == out) use[i].last = UINT32_MAX;
        if (use[i].last == 0) continue;
        uint32_t n_inputs = ni_node_inputs(g, i, &inputs);
        for (uint32_t k = 0; k < n_inputs; k++)
            if (inputs[k] != NI_NONE && use[inputs[k]].last < i) use[inputs[k]].last = i;
    }
    for (uint32_t i = 0; i < n; i++) {
        const char *op = ni_node_op_name(g, i);
        uint32_t n_inputs = ni_node_inputs(g, i, &inputs);
        if (use[i].last == 0) continue;
        use[i].image = strcmp(op, "input") == 0;
        for (uint32_t k = 0; k < n_inputs; k++) {
            if (inputs[k] == NI_NONE) continue;
            use[i].image = use[i].image || use[inputs[k]].image;
            if (use[inputs[k]].depth > use[i].depth) use[i].depth = use[inputs[k]].depth;
        }
        use[i].depth += counts_depth(op);
        if (!use[i].image) continue;
        use[i].bytes = ni_shape_count(ni_node_shape(g, i)) * 4;
        uint32_t heir = NI_NONE;
        for (uint32_t k = 0; !keeps_memory(op) && k < n_inputs && heir == NI_NONE; k++)
            if (inputs[k] != NI_NONE && use[inputs[k]].image && use[inputs[k]].last == i &&
                use[inputs[k]].bytes == use[i].bytes)
                heir = inputs[k];
        if (heir == NI_NONE)
            now += use[i].bytes;
        else
            use[heir].taken = true;
        if (now > *peak) *peak = now;
        for (uint32_t k = 0; k < n_inputs; k++) {
            if (inputs[k] == NI_NONE) continue;
            node_use *u = &use[inputs[k]];
            if (u->last != i || !u->image || u->taken) continue;
            now -= u->bytes;
            u->taken = true;
        }
    }
    *depth = use[out].depth;
}

/* What a graph of one part holds. Elementwise nodes work in place: they cost no memory. */
static nas_status measure(nas_graph *g, ni_vars *vars, ni_node in, ni_node out,
                          ni_site_cost *cost) {
    nas_context *context = ni_graph_context(g);
    uint32_t n = ni_graph_nodes(g);
    int64_t *depth = ni_calloc(context, n, sizeof *depth), longest;
    node_use *use = ni_calloc(context, n, sizeof *use);
    if (!depth || !use) {
        ni_free(context, depth);
        ni_free(context, use);
        return NAS_E_MEMORY;
    }
    live(g, out, use, &cost->peak, &longest);
    ni_free(context, use);
    ni_shape shape = ni_node_shape(g, out);
    int64_t own = ni_shape_count(shape) * 4, largest = 0;
    bool last_seen = false;
    for (uint32_t i = n; i-- > 0;) {
        if (!keeps_memory(ni_node_op_name(g, i)) || i == in) continue;
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
        for (uint32_t k = 0; k < n_inputs; k++)
            if (inputs[k] != NI_NONE && depth[inputs[k]] > depth[i]) depth[i] = depth[inputs[k]];
        depth[i] += counts_depth(ni_node_op_name(g, i));
    }
    cost->params = ni_vars_parameters(vars);
    cost->macs = ni_graph_macs(g, out);
    cost->activation = largest;
    cost->depth = depth[out];
    cost->out = shape;
    ni_free(context, depth);
    return cost->macs < 0 ? NAS_E_MEMORY : NAS_OK;
}

static nas_status measure_piece(const ni_template *self, const ni_piece *p, ni_site_cost *cost) {
    nas_context *context = self->space->context;
    ni_vars *vars = NULL;
    nas_graph *g = NULL;
    uint32_t number;
    ni_node in, out;
    nas_status status = ni_vars_create(&vars, context);
    if (status >= 0) status = ni_graph_create(&g, context, vars, NI_F32, NI_EVAL);
    if (status >= 0) status = ni_input(g, ni_shape4(1, p->h, p->w, p->c), &number, &in);
    if (status >= 0) status = self->ops->piece(self, g, p, in, &out);
    if (status >= 0) status = measure(g, vars, in, out, cost);
    if (g) ni_graph_free(g);
    if (vars) ni_vars_free(vars);
    return status;
}

/* NULL: not yet; *key is where it would stand. */
static const ni_site_cost *remembered(const ni_template *t, const ni_piece *p, uint64_t *key) {
    uint64_t place;
    for (*key = ni_hash(p, sizeof *p); ni_map_get(t->places, *key, &place); ++*key)
        if (memcmp(&t->memo.items[place].piece, p, sizeof *p) == 0)
            return &t->memo.items[place].cost;
    return NULL;
}

nas_status ni_piece_cost(const ni_template *self, const ni_piece *p, ni_site_cost *cost) {
    ni_template *t = (ni_template *)(uintptr_t)self; /* the memo behind the lock */
    uint64_t key;
    ni_mutex_lock(t->lock);
    const ni_site_cost *known = remembered(t, p, &key);
    if (known) *cost = *known;
    ni_mutex_unlock(t->lock);
    if (known) return NAS_OK;
    NI_TRY(measure_piece(self, p, cost));
    nas_status status = NAS_OK;
    ni_mutex_lock(t->lock);
    if (!remembered(t, p, &key)) { /* another thread may have measured it meanwhile */
        struct ni_piece_memo memo = {*p, *cost};
        status = NI_PUSH(t->space->context, &t->memo, memo);
        if (status >= 0) status = ni_map_put(t->places, key, t->memo.n - 1);
    }
    ni_mutex_unlock(t->lock);
    return status;
}

/* A table of the costs of all states is worth its making where costs are asked for again and again:
 * NULL before, and where there is none. */
enum { SUMS_BEFORE_TABLE = 512 };
static nas_status table_of(const nas_space *space, const ni_walk **out) {
    nas_space *s = (nas_space *)(uintptr_t)space;
    ni_walk *made = NULL;
    *out = atomic_load(&s->table);
    if (*out || atomic_load_explicit(&s->sums, memory_order_relaxed) > SUMS_BEFORE_TABLE)
        return NAS_OK;
    if (atomic_fetch_add(&s->sums, 1) != SUMS_BEFORE_TABLE) return NAS_OK;
    nas_status status = ni_walk_table(&made, s);
    if (status < 0) {
        if (status == NAS_E_UNSUPPORTED) return NAS_OK;
        atomic_store(&s->sums, 0);
        return status;
    }
    atomic_store(&s->table, made);
    *out = made;
    return NAS_OK;
}

nas_status ni_quick_costs(const nas_arch *arch, ni_walk_cost *out) {
    const ni_template_ops *ops = arch->space->template->ops;
    const ni_walk *table;
    bool connected;
    memset(out, 0, sizeof *out);
    if (!ops->walk) return ops->quick ? ops->quick(arch, out) : NAS_E_UNSUPPORTED;
    NI_TRY(table_of(arch->space, &table));
    if (table && ni_walk_look_up(table, arch, out)) return NAS_OK;
    memset(out, 0, sizeof *out);
    return ni_walk_sum(arch, out, &connected);
}

/* ---- a whole network --------------------------------------------------------------------------
 */

/* Work of everything that was built, as the reference codes count: what no output needs is in their
 * networks too, and their counters see it. */
static int64_t whole_work(const nas_graph *g) {
    int64_t total = 0;
    for (uint32_t i = 0; i < ni_graph_nodes(g); i++) {
        const ni_node *inputs;
        if (!counts_depth(ni_node_op_name(g, i))) continue;
        ni_node_inputs(g, i, &inputs);
        ni_shape weights = ni_node_shape(g, inputs[1]);
        total += ni_shape_count(ni_node_shape(g, i)) * weights.d[0] * weights.d[1] * weights.d[2];
    }
    return total;
}

/* An auxiliary head's work is not the network's: then parts are added up. */
static nas_status work(const nas_arch *arch, const nas_graph *g, int64_t *out) {
    double weight;
    ni_walk_cost sum;
    bool connected;
    *out = whole_work(g);
    if (ni_graph_auxiliary_get(g, &weight) == NI_NONE) return NAS_OK;
    NI_TRY(ni_walk_sum(arch, &sum, &connected));
    *out = sum.macs;
    return NAS_OK;
}

nas_status ni_network_costs(const nas_arch *arch, nas_arch_cost *out) {
    const ni_template *t = arch->space->template;
    nas_context *context = arch->space->context;
    ni_vars *vars = NULL;
    nas_graph *g = NULL;
    node_use *use = NULL;
    uint32_t number;
    ni_node images, logits;
    nas_status status = ni_vars_create(&vars, context);
    if (status >= 0) status = ni_graph_create(&g, context, vars, NI_F32, NI_EVAL);
    if (status >= 0)
        status = ni_input(g, ni_shape4(1, t->height, t->width, t->channels), &number, &images);
    if (status >= 0) status = t->ops->build(arch, g, images, 0, &logits);
    if (status >= 0 && !(use = ni_calloc(context, ni_graph_nodes(g), sizeof *use)))
        status = NAS_E_MEMORY;
    if (status >= 0) {
        live(g, logits, use, &out->activation_bytes, &out->depth);
        out->params = ni_vars_parameters(vars);
        out->weight_bytes = 4 * out->params;
        out->published_flops = -1;
        status = work(arch, g, &out->macs);
    }
    ni_free(context, use);
    if (g) ni_graph_free(g);
    if (vars) ni_vars_free(vars);
    return status;
}

/* ---- what templates build from ----------------------------------------------------------------
 */

void ni_scope_text(char *buffer, size_t capacity, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, capacity, format, arguments);
    va_end(arguments);
}

nas_status ni_site_build(const ni_template *self, nas_graph *g, const char *operation,
                         const char *scope, int32_t stride, int64_t channels, bool keeps,
                         nas_node in, nas_node *out) {
    nas_op_site site;
    nas_shape before, after;
    memset(&site, 0, sizeof site);
    site.struct_size = sizeof site;
    site.name = operation;
    site.scope = scope;
    site.stride = stride;
    site.channels = channels;
    site.affine = site.track = 1;
    site.training = ni_graph_mode(g) == NI_TRAIN;
    site.bn_epsilon = self->bn_epsilon;
    site.bn_momentum = self->bn_momentum;
    NI_TRY(nas_graph_shape(g, in, &before));
    NI_TRY(ni_op_build(g, &site, &in, 1, out));
    NI_TRY(nas_graph_shape(g, *out, &after));
    if (!keeps) before.h = (before.h - 1) / stride + 1, before.w = (before.w - 1) / stride + 1;
    if (before.n == after.n && before.h == after.h && before.w == after.w && after.c == channels)
        return NAS_OK;
    return ni_fail(ni_graph_context(g), NAS_E_SHAPE,
                   "%soperation '%s' makes %lldx%lldx%lld where %lldx%lldx%lld must come out",
                   self->space->place, operation, (long long)after.h, (long long)after.w,
                   (long long)after.c, (long long)before.h, (long long)before.w,
                   (long long)channels);
}

static nas_status rectify(nas_graph *g, double clamp, nas_node *x) {
    return clamp == 0 ? NAS_OK : ni_relu(g, *x, clamp, x);
}

nas_status ni_conv_bn_build(const ni_template *self, nas_graph *g, const ni_conv_bn *o, nas_node in,
                            nas_node *out) {
    nas_conv_options conv = NAS_CONV_OPTIONS_INIT;
    nas_node x = in;
    conv.kernel_h = o->kernel_h;
    conv.kernel_w = o->kernel_w;
    conv.stride_h = conv.stride_w = o->stride;
    conv.filters = o->filters;
    NI_TRY(rectify(g, o->before, &x));
    NI_TRY(nas_graph_conv(g, o->conv, x, &conv, &x));
    if (o->bn)
        NI_TRY(nas_graph_batch_norm(g, o->bn, x, 1, 1, self->bn_epsilon, self->bn_momentum, &x));
    NI_TRY(rectify(g, o->after, &x));
    *out = x;
    return NAS_OK;
}

/* One row or column of zeros after the last where the size is odd. */
static nas_status even(nas_graph *g, int dimension, nas_node *x) {
    ni_shape shape = ni_node_shape(g, *x);
    if (shape.d[dimension] % 2 == 0) return NAS_OK;
    nas_node both[2] = {*x, NAS_NODE_NONE};
    shape.d[dimension] = 1;
    NI_TRY(ni_constant(g, shape, 0, &both[1]));
    return ni_concat(g, both, 2, dimension, x);
}

nas_status ni_halves(nas_graph *g, const char *conv_1, const char *conv_2, const char *bn,
                     int64_t filters, bool relu, int32_t affine, int32_t track, double epsilon,
                     double momentum, nas_node in, nas_node *out) {
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    nas_node x = in, halves[2];
    if (filters < 2)
        return ni_fail(ni_graph_context(g), NAS_E_SHAPE,
                       "reduction '%s%s', '%s': filters is %" PRId64 " and must be 2 or more",
                       ni_graph_scope_get(g), conv_1, conv_2, filters);
    if (relu) NI_TRY(nas_graph_relu(g, x, &x));
    NI_TRY(even(g, 1, &x));
    NI_TRY(even(g, 2, &x));
    ni_shape shape = ni_node_shape(g, x);
    halves[0] = x;
    NI_TRY(ni_slice(g, x, 1, 1, shape.d[1], 1, &halves[1]));
    NI_TRY(ni_slice(g, halves[1], 2, 1, shape.d[2], 1, &halves[1]));
    o.kernel_h = o.kernel_w = 1;
    o.stride_h = o.stride_w = 2;
    o.filters = filters / 2;
    NI_TRY(nas_graph_conv(g, conv_1, halves[0], &o, &halves[0]));
    o.filters = filters - filters / 2;
    NI_TRY(nas_graph_conv(g, conv_2, halves[1], &o, &halves[1]));
    NI_TRY(nas_graph_concat(g, halves, 2, &x));
    return nas_graph_batch_norm(g, bn, x, affine, track, epsilon, momentum, out);
}

/* Public (op.h): the variables are named "name" and these. */
static nas_status build_factorized_reduce(nas_graph *g, const char *name, nas_node in,
                                          int64_t filters, int32_t affine, int32_t tracked,
                                          double epsilon, double momentum, nas_node *out) {
    static const char *const parts[3] = {".conv_1", ".conv_2", ".bn"};
    nas_context *context = ni_graph_context(g);
    nas_status status = NAS_OK;
    ni_text names[3];
    nas_shape shape;
    NI_TRY(nas_graph_shape(g, in, &shape)); /* it is there */
    for (int i = 0; i < 3; i++) {
        ni_text_init(&names[i], context);
        ni_text_add(&names[i], name);
        ni_text_add(&names[i], parts[i]);
        if (status >= 0) status = names[i].status;
    }
    if (status >= 0)
        status = ni_halves(g, ni_text_get(&names[0]), ni_text_get(&names[1]),
                           ni_text_get(&names[2]), filters ? filters : shape.c, true, affine,
                           tracked, epsilon, momentum, in, out);
    for (int i = 0; i < 3; i++)
        ni_text_free(&names[i]);
    return status;
}

nas_status nas_graph_factorized_reduce(nas_graph *g, const char *name, nas_node in, int64_t filters,
                                       int32_t affine, int32_t tracked, double epsilon,
                                       double momentum, nas_node *out) {
    ni_mark mark = ni_graph_mark(g);
    nas_status status =
        build_factorized_reduce(g, name, in, filters, affine, tracked, epsilon, momentum, out);
    if (status < 0) ni_graph_undo(g, mark);
    return status;
}
