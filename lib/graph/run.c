/* Running a program, and describing one. */
#include <inttypes.h>
#include "program.h"

static nas_status check_run(const ni_program *p, const ni_run *run) {
    char text[NI_NODE_TEXT];
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const ni_step *s = &p->steps[i];
        if (s->dead) continue;
        switch (s->op) {
        case NI_OP_INPUT:
        case NI_OP_LABELS:
            if (!run->inputs || !run->inputs[s->attr.number])
                return ni_fail(p->context, NAS_E_INVALID, "%s: input %" PRIu64 " is not given",
                               ni_node_text(p->graph, s->node, text), s->attr.number);
            break;
        case NI_OP_CROSS_ENTROPY:
        case NI_OP_CORRECT:
        case NI_OP_TARGET: {
            uint32_t at = s->op == NI_OP_TARGET ? 0 : 1;
            const ni_step *from = ni_arg_step(p, s, at);
            int64_t classes = at ? ni_arg_step(p, s, 0)->shape.d[3] : s->shape.d[3];
            const int32_t *labels = run->inputs ? run->inputs[from->attr.number] : NULL;
            for (int64_t k = 0; labels && k < from->shape.d[0]; k++)
                if (labels[k] < -1 || labels[k] >= classes)
                    return ni_fail(
                        p->context, NAS_E_INVALID,
                        "%s: label %" PRId64 " is %" PRId32 " and must be -1 to %" PRId64,
                        ni_node_text(p->graph, s->node, text), k, labels[k], classes - 1);
            break;
        }
        case NI_OP_VARIABLE:
            if (!run->values)
                return ni_fail(p->context, NAS_E_INVALID, "%s: no values are given",
                               ni_node_text(p->graph, s->node, text));
            break;
        default:
            break;
        }
    }
    for (uint32_t i = 0; i < p->n_outputs; i++)
        if (p->outputs[i].slot != NI_NONE && !run->gradients)
            return ni_fail(p->context, NAS_E_INVALID,
                           "the program writes gradients, and no buffer for them is given");
    return NAS_OK;
}

/* Where the caller wants a result that nothing else shares its memory with, it is computed. */
static void take_outputs(ni_program *p, const ni_run *run) {
    for (uint32_t i = 0, plain = 0; i < p->n_outputs; i++) {
        const ni_program_output *o = &p->outputs[i];
        if (o->slot != NI_NONE) continue;
        if (o->alone) p->steps[o->step].given = run->outputs ? run->outputs[plain] : NULL;
        plain++;
    }
}

static void set_addresses(ni_program *p, const ni_run *run) {
    take_outputs(p, run);
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const ni_step *s = &p->steps[i];
        if (s->dead) continue;
        const ni_step *root = &p->steps[s->root];
        char *base = NULL;
        if (root->local) continue;
        switch (root->place) {
        case NI_AT_ARENA:
            base = root->given ? root->given : p->memory + root->offset;
            break;
        case NI_AT_CONSTANT:
            base = p->constants + root->offset;
            break;
        case NI_AT_INPUT:
            base = (char *)(uintptr_t)run->inputs[root->offset];
            break;
        case NI_AT_VALUES:
            base = (char *)run->values + root->offset * p->element;
            break;
        case NI_AT_GRADIENTS:
            base = (char *)run->gradients + root->offset * p->element;
            break;
        }
        p->address[i] = base + s->at;
    }
}

/* PyTorch's rule: running = (1 - momentum) running + momentum new, with the unbiased variance. */
static void update_statistics(const ni_program *p, const ni_run *run) {
    for (uint32_t i = 0; i < p->n_updates; i++) {
        const ni_bn_update *u = &p->updates[i].update;
        const void *stats = p->address[p->updates[i].step];
        const uint32_t slots[2] = {u->mean_slot, u->var_slot};
        int64_t channels = p->steps[p->updates[i].step].shape.d[3];
        double unbiased = u->count > 1 ? (double)u->count / (double)(u->count - 1) : 1;
        for (int which = 0; which < 2; which++) {
            size_t offset = ni_vars_get(p->graph->vars, slots[which])->offset;
            void *running = (char *)run->values + offset * p->element;
            double part = u->momentum * (which ? unbiased : 1);
            for (int64_t c = 0; c < channels; c++)
                ni_set(p, running, c,
                       (1 - u->momentum) * ni_get(p, running, c) +
                           part * ni_get(p, stats, which * channels + c));
        }
    }
}

/* What an embedding found among its indices, before it read with them. */
static nas_status index_is_none(ni_program *p) {
    const ni_step *s = &p->steps[p->misread.step];
    char text[NI_NODE_TEXT], value[NI_NUMBER_TEXT];
    p->run = NULL;
    return ni_fail(p->context, NAS_E_INVALID,
                   "%s: index %" PRId64 " is %s and must be a whole number of 0 to %" PRId64,
                   ni_node_text(p->graph, s->node, text), p->misread.at,
                   ni_f64_text(value, p->misread.value), ni_table_rows(p, s) - 1);
}

nas_status ni_program_run(ni_program *p, const ni_run *run) {
    NI_TRY(check_run(p, run));
    p->run = run;
    p->misread.step = NI_NONE;
    set_addresses(p, run);
    for (uint32_t i = 0; i < p->n_order; i++) {
        const ni_step *s = &p->steps[p->order[i]];
        if (s->fixed && p->ran) continue;
        if (s->group != NI_NONE) {
            const ni_group *g = &p->groups[s->group];
            ni_run_group(p, g);
            i += g->n - 1;
        } else if (!s->view) {
            double start = run->seconds ? ni_clock() : 0;
            ni_run_alone(p, s);
            if (run->seconds) run->seconds[i] += ni_clock() - start;
            if (p->misread.step != NI_NONE) return index_is_none(p);
        }
    }
    for (uint32_t i = 0, plain = 0; i < p->n_outputs; i++) {
        const ni_program_output *o = &p->outputs[i];
        const ni_step *s = &p->steps[o->step];
        void *to;
        if (o->slot == NI_NONE)
            to = run->outputs ? run->outputs[plain++] : NULL;
        else
            to = (char *)run->gradients + ni_vars_get(p->graph->vars, o->slot)->offset * p->element;
        if (to && !o->direct && to != p->address[o->step])
            memcpy(to, p->address[o->step], s->bytes);
    }
    if (run->update_state) update_statistics(p, run);
    p->run = NULL;
    p->ran = true;
    return NAS_OK;
}

void ni_program_thaw(ni_program *p) {
    p->ran = false;
}

uint32_t ni_program_steps(const ni_program *p) {
    return p->n_order;
}

static int64_t step_macs(const ni_program *p, const ni_step *s) {
    if (s->op == NI_OP_MATMUL) {
        const int64_t by[3] = {s->shape.d[0], s->shape.d[3],
                               ni_arg_step(p, s, 0)->shape.d[s->attr.transposed.a ? 0 : 3]};
        return ni_macs(by, 3);
    }
    if (s->op != NI_OP_CONV && s->op != NI_OP_CONV_DX && s->op != NI_OP_CONV_DW) return 0;
    return ni_conv_macs(&s->attr.conv);
}

nas_status ni_program_describe(const ni_program *p, nas_sink *to) {
    static const char *const places[] = {"arena", "constant", "input", "values", "gradients"};
    char text[NI_NODE_TEXT];
    NI_TRY(ni_sink_f(to,
                     "%s, %" PRIu32
                     " steps, %zu bytes of intermediate tensors, %zu of scratch, %" PRIu32
                     " lanes\n",
                     p->kernels.name, p->n_order, p->memory_bytes, p->scratch_bytes, p->lanes));
    for (uint32_t i = 0; i < p->n_order; i++) {
        const ni_step *s = &p->steps[p->order[i]], *root = &p->steps[s->root];
        NI_TRY(ni_sink_f(to, "%5" PRIu32 " %s", i, ni_node_text(p->graph, s->node, text)));
        if (s->op != ni_at(p->graph, s->node)->op)
            NI_TRY(ni_sink_f(to, " as %s", ni_ops[s->op].name));
        if (s->flags & NI_CONV_RELU_IN) NI_TRY(ni_sink_f(to, " of relu"));
        if (s->flags & NI_CONV_MASK_OUT) NI_TRY(ni_sink_f(to, " masked"));
        if (s->flags & NI_STEP_RELU) NI_TRY(ni_sink_f(to, " with relu"));
        if (s->accumulates != NI_NONE) NI_TRY(ni_sink_f(to, " added"));
        for (uint32_t k = 0; k < s->n_in; k++)
            if (s->in[k] != NI_NONE)
                NI_TRY(ni_sink_f(to, "%s%" PRIu32, k ? " " : " <- ", p->steps[s->in[k]].node));
        NI_TRY(ni_sink_f(to, "; %s %zu, %zu bytes", root->local ? "lane" : places[root->place],
                         root->offset + s->at, s->bytes));
        int64_t macs = step_macs(p, s);
        if (macs) NI_TRY(ni_sink_f(to, ", %" PRId64 " macs", macs));
        if (s->way == NI_BLIS) NI_TRY(ni_sink_f(to, ", by BLIS"));
        if (s->group == NI_NONE) {
            NI_TRY(ni_sink_f(to, ", %" PRIu32 " pieces", s->pieces));
        } else {
            const ni_group *g = &p->groups[s->group];
            NI_TRY(ni_sink_f(to, ", group %" PRIu32 " of %" PRIu32 " x %" PRIu32 " pieces",
                             s->group, g->pieces, g->subs));
        }
        NI_TRY(ni_sink_f(to, "%s\n", s->root == p->order[i] ? "" : ", in place"));
    }
    return NAS_OK;
}
