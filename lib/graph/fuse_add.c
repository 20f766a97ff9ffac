/* Fusion of sums. */
#include "fuse.h"

/* What folding left of a sum of one, and what only stops gradients, is read through. */
nas_status ni_pass_forward(ni_readers *r) {
    ni_program *p = r->p;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        ni_step *s = &p->steps[i];
        for (uint32_t k = 0; !s->dead && k < s->n_in; k++) {
            if (s->in[k] == NI_NONE) continue;
            const ni_step *from = &p->steps[s->in[k]];
            if ((ni_ops[from->op].flags & NI_OP_VIEW) &&
                ni_shape_equal(from->shape, p->steps[from->in[0]].shape))
                s->in[k--] = from->in[0]; /* and look again */
        }
    }
    return NAS_OK;
}

nas_status ni_pass_merge_adds(ni_readers *r) {
    ni_program *p = r->p;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        ni_step *s = &p->steps[i];
        uint32_t n = 0, changed = 0;
        if (s->dead || s->op != NI_OP_ADD) continue;
        for (uint32_t k = 0; k < s->n_in; k++) {
            bool inner = ni_lone(r, s->in[k]) && p->steps[s->in[k]].op == NI_OP_ADD;
            n += inner ? p->steps[s->in[k]].n_in : 1;
            changed += inner;
        }
        if (!changed) continue;
        uint32_t *in = ni_arena_alloc(p->arena, n * sizeof *in);
        if (!in) return NAS_E_MEMORY;
        n = 0;
        for (uint32_t k = 0; k < s->n_in; k++) {
            const ni_step *from = &p->steps[s->in[k]];
            if (ni_lone(r, s->in[k]) && from->op == NI_OP_ADD)
                for (uint32_t j = 0; j < from->n_in; j++)
                    in[n++] = from->in[j];
            else
                in[n++] = s->in[k];
        }
        s->in = in;
        s->n_in = n;
    }
    return NAS_OK;
}

/* ---- accumulation --------------------------------------------------------------------------- */

static bool can_accumulate(const ni_readers *r, uint32_t step) {
    return ni_lone(r, step) && r->p->steps[step].op == NI_OP_CONV_DX &&
           r->p->steps[step].accumulates == NI_NONE;
}

/* A result in memory of its own that nobody else looks at. */
static bool can_grow(const ni_readers *r, uint32_t step) {
    const ni_step *s = &r->p->steps[step];
    return ni_lone(r, step) && !(ni_ops[s->op].flags & (NI_OP_LEAF | NI_OP_VIEW)) &&
           s->op != NI_OP_SLICE;
}

static nas_status grow(ni_program *p, ni_step *conv, uint32_t base) {
    uint32_t *in = ni_arena_alloc(p->arena, 4 * sizeof *in);
    if (!in) return NAS_E_MEMORY;
    in[0] = conv->in[0];
    in[1] = conv->in[1];
    in[2] = conv->n_in > 2 ? conv->in[2] : NI_NONE;
    in[3] = base;
    conv->in = in;
    conv->n_in = 4;
    conv->flags |= NI_CONV_ADD_OUT;
    conv->accumulates = 3;
    return NAS_OK;
}

/* A sum with input gradients of convolutions in it: each of them is added, as it is computed, in
 * the memory of the one before, so that it happens while what it is computed from is near. The
 * rest, if there is one, is added at the end; but a single tensor that nobody else reads is what
 * the first is added to, and then the last one takes the place of the sum. */
static nas_status accumulate(const ni_readers *r, uint32_t number, ni_position *convs,
                             ni_position *spare) {
    ni_program *p = r->p;
    ni_step *sum = &p->steps[number];
    uint32_t n = 0, others = 0, base = NI_NONE;
    for (uint32_t k = 0; k < sum->n_in; k++) {
        uint32_t in = sum->in[k];
        if (can_accumulate(r, in)) {
            convs[n].key = p->steps[in].key;
            convs[n++].step = in;
        } else {
            others++;
            base = in;
        }
    }
    bool grows = others == 1 && can_grow(r, base);
    if (n == 0 || (n == 1 && !grows)) return NAS_OK;
    uint32_t *in = ni_arena_alloc(p->arena, (others + 1) * sizeof *in), first = 0, kept = 0;
    if (!in) return NAS_E_MEMORY;
    for (uint32_t k = 0; k < sum->n_in; k++)
        if (!can_accumulate(r, sum->in[k])) in[kept++] = sum->in[k];
    const ni_position *sorted = ni_sort_positions(convs, spare, n);
    if (!grows) base = sorted[first++].step;
    uint64_t key = p->steps[base].key;
    for (uint32_t k = first; k < n; k++) {
        ni_step *conv = &p->steps[sorted[k].step];
        NI_TRY(grow(p, conv, base));
        if (conv->key <= key) conv->key = key + 1;
        key = conv->key;
        base = sorted[k].step;
    }
    if (others > 0 && !grows) {
        in[kept++] = base;
        sum->in = in;
        sum->n_in = kept;
        if (sum->key <= key) sum->key = key + 1;
        return NAS_OK;
    }
    ni_node node = sum->node;
    *sum = p->steps[base];
    sum->node = node;
    return NAS_OK;
}

nas_status ni_pass_accumulate(ni_readers *r) {
    ni_program *p = r->p;
    uint32_t most = 1;
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (!p->steps[i].dead && p->steps[i].n_in > most) most = p->steps[i].n_in;
    ni_position *convs = ni_calloc(p->context, 2 * (size_t)most, sizeof *convs);
    nas_status status = convs ? NAS_OK : NAS_E_MEMORY;
    for (uint32_t i = 0; i < p->n_steps && status >= 0; i++)
        if (!p->steps[i].dead && p->steps[i].op == NI_OP_ADD)
            status = accumulate(r, i, convs, convs + most);
    ni_free(p->context, convs);
    return status;
}
