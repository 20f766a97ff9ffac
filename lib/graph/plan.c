/* From a graph to a program: the nodes that are wanted become steps, neighbours fuse, memory is
 * given out. All allocation is here; running allocates nothing. */
#include <inttypes.h>
#include "program.h"

uint32_t ni_pieces(int64_t units, int64_t work_of_one, int64_t work_of_piece) {
    /* doubles: the product may not fit, and only its size matters */
    double pieces = (double)units * (double)work_of_one / (double)work_of_piece;
    int64_t most = units < NI_PIECES_MOST ? units : NI_PIECES_MOST;
    if (pieces >= (double)most) return (uint32_t)most;
    return pieces < 1 ? 1 : (uint32_t)pieces;
}

static nas_status copy_steps(ni_program *p, const ni_output *outputs, uint32_t n) {
    nas_graph *g = p->graph;
    size_t nodes = g->nodes.n, live = 0, inputs = 0;
    uint32_t *step_of = ni_calloc(p->context, nodes ? nodes : 1, sizeof *step_of);
    nas_status status = NAS_E_MEMORY;
    if (!step_of) return NAS_E_MEMORY;
    for (uint32_t i = 0; i < n; i++)
        step_of[outputs[i].node] = 1;
    for (size_t node = nodes; node-- > 0;) {
        if (!step_of[node]) continue;
        live++;
        inputs += ni_at(g, (ni_node)node)->n_in;
        for (uint32_t i = 0; i < ni_at(g, (ni_node)node)->n_in; i++) {
            ni_node in = ni_in(g, (ni_node)node, i);
            if (in != NI_NONE) step_of[in] = 1;
        }
    }
    p->capacity = (uint32_t)(3 * live);
    p->steps = ni_arena_alloc(p->arena, 3 * live * sizeof *p->steps + 1);
    uint32_t *in = ni_arena_alloc(p->arena, inputs * sizeof *in + 1);
    if (!p->steps || !in) goto done;
    for (size_t node = 0; node < nodes; node++) {
        if (!step_of[node]) continue;
        const ni_node_data *from = ni_at(g, (ni_node)node);
        ni_step *s = &p->steps[p->n_steps];
        s->op = from->op;
        s->node = (ni_node)node;
        s->shape = from->shape;
        s->attr = from->attr;
        s->n_in = from->n_in;
        s->in = in;
        s->key = (uint64_t)p->n_steps << 20;
        s->accumulates = NI_NONE;
        for (uint32_t i = 0; i < from->n_in; i++) {
            ni_node read = ni_in(g, (ni_node)node, i);
            *in++ = read == NI_NONE ? NI_NONE : step_of[read];
        }
        step_of[node] = p->n_steps++;
    }
    p->outputs = ni_arena_alloc(p->arena, n * sizeof *p->outputs + 1);
    p->updates = ni_arena_alloc(p->arena, g->updates.n * sizeof *p->updates + 1);
    if (!p->outputs || !p->updates) goto done;
    p->n_outputs = n;
    for (uint32_t i = 0; i < n; i++) {
        p->outputs[i].step = step_of[outputs[i].node];
        p->outputs[i].slot = outputs[i].slot;
    }
    /* A batch norm whose statistics are computed anyway updates its running ones. step_of is the
     * number of a live node's step; that of a dead one is 0, told apart by the node. */
    for (size_t i = 0; i < g->updates.n; i++) {
        uint32_t step = step_of[g->updates.items[i].stats];
        if (p->n_steps == 0 || p->steps[step].node != g->updates.items[i].stats) continue;
        p->updates[p->n_updates].step = step;
        p->updates[p->n_updates++].update = g->updates.items[i];
    }
    status = NAS_OK;
done:
    ni_free(p->context, step_of);
    return status;
}

void ni_sweep_dead(ni_program *p) {
    for (uint32_t i = 0; i < p->n_steps; i++)
        p->steps[i].dead = 1;
    for (uint32_t i = 0; i < p->n_outputs; i++)
        p->steps[p->outputs[i].step].dead = 0;
    for (uint32_t i = 0; i < p->n_updates; i++)
        p->steps[p->updates[i].step].dead = 0;
    /* Fusion may have put a step's input behind it in number: repeat until nothing changes. */
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = p->n_steps; i-- > 0;) {
            const ni_step *s = &p->steps[i];
            if (s->dead) continue;
            for (uint32_t k = 0; k < s->n_in; k++) {
                if (s->in[k] == NI_NONE || !p->steps[s->in[k]].dead) continue;
                p->steps[s->in[k]].dead = 0;
                changed |= s->in[k] > i;
            }
        }
    }
}

/* Bottom-up merge sort by key: stable, no recursion. from and to swap roles; the result is in the
 * one returned. */
ni_position *ni_sort_positions(ni_position *from, ni_position *to, uint32_t n) {
    for (uint32_t width = 1; width < n; width *= 2) {
        for (uint32_t start = 0; start < n; start += 2 * width) {
            uint32_t middle = start + width < n ? start + width : n;
            uint32_t end = middle + width < n ? middle + width : n, a = start, b = middle;
            for (uint32_t k = start; k < end; k++)
                to[k] =
                    a < middle && (b >= end || from[a].key <= from[b].key) ? from[a++] : from[b++];
        }
        ni_position *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

static void choose_way(const ni_program *p, ni_step *s, const nas_tuning *tuning) {
    const int what = ni_conv_pass(s);
    if (p->dtype == NI_F64) return;
    if (what >= 0)
        s->way = ni_tuning_way(tuning, &s->attr.conv, what, p->kernels.isa);
    else if (s->op == NI_OP_MATMUL)
        s->way = ni_choose_matmul(p->kernels.isa);
}

/* Scratch of steps that run together lies side by side, and all of it together with nothing else.
 */
static nas_status plan_scratch(ni_program *p, const nas_tuning *tuning) {
    size_t shared = 0, most_lane = 0;
    for (uint32_t i = 0; i < p->n_order; i++) {
        ni_step *s = &p->steps[p->order[i]];
        choose_way(p, s, tuning);
        const ni_group *g = s->group == NI_NONE ? NULL : &p->groups[s->group];
        ni_ops[s->op].scratch(p, s);
        s->parts = s->pieces;
        if (g) s->parts = ni_ops[s->op].flags & NI_OP_ADDS ? g->pieces : g->pieces * g->subs;
        if (!p->frozen && (!g || g->first == i)) shared = 0;
        s->shared = shared;
        size_t parts, all;
        if (!ni_mul_size(s->part_bytes, s->parts, &parts) ||
            !ni_add_size(ni_aligned(s->shared_bytes), parts, &all) ||
            !ni_add_size(shared, ni_aligned(all), &shared))
            goto too_large;
        if (shared > p->shared_bytes) p->shared_bytes = shared;
        size_t lane = ni_aligned(s->lane_bytes) + (g ? g->local_bytes : 0);
        if (lane > most_lane) most_lane = lane;
    }
    p->lane_bytes = most_lane;
    p->lanes = nas_context_threads(p->context);
    if (p->lanes < 1) p->lanes = 1;
    if (ni_mul_size(p->lane_bytes, p->lanes, &p->scratch_bytes) &&
        ni_add_size(p->scratch_bytes, p->shared_bytes, &p->scratch_bytes))
        return NAS_OK;
too_large:
    return ni_fail(p->context, NAS_E_LIMIT, "the scratch memory of a plan is too large to count");
}

static nas_status allocate(ni_program *p) {
    p->address = ni_arena_alloc(p->arena, p->n_steps * sizeof *p->address + 1);
    p->memory = ni_alloc_aligned(p->context, p->memory_bytes + NI_ALIGN);
    p->constants = ni_alloc_aligned(p->context, p->constant_bytes + NI_ALIGN);
    p->scratch = ni_alloc_aligned(p->context, p->scratch_bytes + NI_ALIGN);
    if (!p->address || !p->memory || !p->constants || !p->scratch) return NAS_E_MEMORY;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const ni_step *s = &p->steps[i];
        if (s->dead || s->op != NI_OP_CONSTANT) continue;
        for (int64_t k = 0; k < ni_shape_count(s->shape); k++)
            ni_set(p, p->constants + s->offset, k, s->attr.value);
    }
    return NAS_OK;
}

static nas_status check_outputs(nas_graph *g, const ni_output *outputs, uint32_t n) {
    char text[NI_NODE_TEXT];
    for (uint32_t i = 0; i < n; i++) {
        if (outputs[i].node >= g->nodes.n)
            return ni_fail(g->context, NAS_E_INVALID, "program: the graph has no node %" PRIu32,
                           outputs[i].node);
        if (ni_at(g, outputs[i].node)->op == NI_OP_LABELS)
            return ni_fail(g->context, NAS_E_INVALID, "program: labels cannot be an output");
        if (outputs[i].slot == NI_NONE) continue;
        if (outputs[i].slot >= ni_vars_count(g->vars) ||
            !ni_shape_equal(ni_vars_get(g->vars, outputs[i].slot)->shape,
                            ni_at(g, outputs[i].node)->shape))
            return ni_fail(g->context, NAS_E_SHAPE,
                           "program: %s is not the gradient of a variable %" PRIu32,
                           ni_node_text(g, outputs[i].node, text), outputs[i].slot);
    }
    return NAS_OK;
}

/* What a frozen program makes once. */
static void find_fixed(ni_program *p) {
    for (uint32_t t = 0; t < p->n_order; t++) {
        ni_step *s = &p->steps[p->order[t]];
        bool fixed[2] = {true, true}; /* all inputs; all but the first */
        for (uint32_t k = 0; k < s->n_in; k++) {
            if (s->in[k] == NI_NONE) continue;
            const ni_step *in = ni_arg_step(p, s, k);
            if (in->op == NI_OP_VARIABLE || in->op == NI_OP_CONSTANT || in->fixed) continue;
            fixed[0] = false;
            if (k > 0) fixed[1] = false;
        }
        s->fixed = fixed[0] && s->n_in > 0;
        s->prepared = fixed[1] &&
                      (s->op == NI_OP_CONV || s->op == NI_OP_BN_NORMALIZE || s->op == NI_OP_AFFINE);
    }
}

/* All that is to be known, and no memory for tensors yet. */
static nas_status make_plan(ni_program **out, nas_graph *g, const ni_output *outputs, uint32_t n,
                            const ni_plan_options *options, ni_again again, uint32_t share) {
    ni_program *p = ni_calloc(g->context, 1, sizeof *p);
    nas_status status;
    if (!p) return NAS_E_MEMORY;
    p->context = g->context;
    p->graph = g;
    p->dtype = g->dtype;
    p->element = ni_dtype_size(g->dtype);
    p->again = again;
    p->share = share;
    ni_kernels_get(&p->kernels, g->dtype,
                   options->isa == NAS_ISA_BEST ? nas_context_isa(g->context) : options->isa);
    p->by_gemm = p->kernels;
    (void)ni_kernels_by_gemm(&p->by_gemm);
    NI_GOTO(fail, ni_arena_create(&p->arena, g->context));
    NI_GOTO(fail, copy_steps(p, outputs, n));
    ni_fold(p);
    ni_sweep_dead(p);
    if (!options->no_fusion) {
        NI_GOTO(fail, ni_fuse(p));
        ni_sweep_dead(p);
    }
    p->images = options->no_fusion ? 0 : 1; /* 1: as many as there are */
    NI_GOTO(fail, ni_order_steps(p));
    p->frozen = options->frozen != 0;
    if (p->frozen) find_fixed(p);
    NI_GOTO(fail, ni_place_steps(p));
    NI_GOTO(fail, plan_scratch(p, options->tuning));
    *out = p;
    return NAS_OK;
fail:
    ni_program_free(p);
    return status;
}

/* Keeping is quicker than making again, by a tenth at most; a plan of no more than this keeps. A
 * larger one makes again what is cheap, and the usual share of the other convolutions. */
enum { KEPT_BYTES = 1 << 30 };

nas_status ni_program_create(ni_program **out, nas_graph *g, const ni_output *outputs, uint32_t n,
                             const ni_plan_options *options) {
    const ni_plan_options none = {.isa = NAS_ISA_BEST};
    ni_program *p = NULL;
    nas_status status;
    if (!options) options = &none;
    NI_TRY(check_outputs(g, outputs, n));
    if (options->tuning && ni_tuning_context(options->tuning) != g->context)
        return ni_fail(g->context, NAS_E_INVALID,
                       "program: the tuning table belongs to another context");
    size_t limit = options->memory_limit;
    for (uint32_t way = 0; way < NI_AGAIN_MOST + NI_SHARES; way++) {
        ni_program *next;
        const ni_again again = way < NI_AGAIN_MOST ? (ni_again)way : NI_AGAIN_MOST;
        const uint32_t share = again < NI_AGAIN_MOST ? 0 : limit ? way - again + 1 : NI_USUAL_SHARE;
        NI_GOTO(fail, make_plan(&next, g, outputs, n, options, again, share));
        if (p && next->memory_bytes >= p->memory_bytes) {
            ni_program_free(next);
        } else {
            ni_program_free(p);
            p = next;
        }
        if (options->no_fusion) break;
        if (limit ? ni_program_bytes(p) <= limit
                  : again == NI_AGAIN_MOST || p->memory_bytes <= KEPT_BYTES)
            break;
    }
    if (limit && ni_program_bytes(p) > limit) {
        status = ni_fail(p->context, NAS_E_LIMIT,
                         "the plan needs %zu bytes for intermediate tensors, %zu for constants and "
                         "%zu of scratch, "
                         "with all made again that can be, and the limit is %zu: use a smaller "
                         "batch or a higher "
                         "limit",
                         p->memory_bytes, p->constant_bytes, p->scratch_bytes, limit);
        goto fail;
    }
    if (!options->plan_only) NI_GOTO(fail, allocate(p));
    g->programs++;
    *out = p;
    return NAS_OK;
fail:
    ni_program_free(p);
    return status;
}

void ni_program_free(ni_program *p) {
    if (!p) return;
    nas_context *context = p->context;
    ni_free(context, p->memory);
    ni_free(context, p->constants);
    ni_free(context, p->scratch);
    if (p->arena) ni_arena_free(p->arena);
    ni_free(context, p);
}

nas_status ni_program_tune(const ni_program *p, nas_tuning *tuning) {
    for (uint32_t i = 0; i < p->n_order; i++) {
        const ni_step *s = &p->steps[p->order[i]];
        if (ni_conv_pass(s) >= 0) NI_TRY(ni_tuning_add(tuning, &s->attr.conv, ni_conv_pass(s)));
    }
    return NAS_OK;
}

size_t ni_program_bytes(const ni_program *p) {
    return p->memory_bytes + p->constant_bytes + p->scratch_bytes;
}

size_t ni_program_plan_bytes(const ni_program *p) {
    return sizeof *p + ni_arena_bytes(p->arena);
}

size_t ni_program_peak_activations(const ni_program *p) {
    return p->memory_bytes;
}
