/* Fusion of ReLUs with the steps around them. */
#include <math.h>
#include "fuse.h"

static bool plain_relu(const ni_step *s) {
    return s->attr.clamp.low == 0 && s->attr.clamp.high == INFINITY;
}

/* relu(norm(x)), where only that relu and its gradient look at norm(x): the norm clamps by itself,
 * and the gradient looks at the clamped result, which is inside the bounds exactly when norm(x) is.
 */
nas_status ni_pass_norm_relu(ni_readers *r) {
    ni_program *p = r->p;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        ni_step *relu = &p->steps[i];
        if (relu->dead || relu->op != NI_OP_RELU || relu->attr.clamp.low != 0) continue;
        uint32_t from = relu->in[0];
        const ni_step *norm = &p->steps[from];
        if ((norm->op != NI_OP_BN_NORMALIZE && norm->op != NI_OP_AFFINE) || norm->flags ||
            r->pinned[from])
            continue;
        bool fits = true;
        for (uint32_t k = r->start[from]; k < r->start[from + 1] && fits; k++) {
            const ni_step *reader = &p->steps[r->list[k]];
            fits = reader == relu || (reader->op == NI_OP_RELU_DX && reader->in[0] == from &&
                                      reader->in[1] != from && reader->key > relu->key &&
                                      memcmp(&reader->attr, &relu->attr, sizeof relu->attr) == 0);
        }
        if (!fits) continue;
        for (uint32_t k = r->start[from]; k < r->start[from + 1]; k++)
            if (&p->steps[r->list[k]] != relu) p->steps[r->list[k]].in[0] = i;
        double high = relu->attr.clamp.high;
        relu->op = norm->op;
        relu->attr = norm->attr;
        relu->attr.bn.high = high;
        relu->flags = NI_STEP_RELU;
        relu->n_in = norm->n_in;
        relu->in = norm->in;
    }
    return NAS_OK;
}

/* A relu that only convolutions and their weight gradients read is applied as they read. */
nas_status ni_pass_relu_conv(ni_readers *r) {
    ni_program *p = r->p;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const ni_step *relu = &p->steps[i];
        if (relu->dead || relu->op != NI_OP_RELU || !plain_relu(relu) || r->pinned[i]) continue;
        bool fits = ni_reading(r, i) > 0;
        for (uint32_t k = r->start[i]; k < r->start[i + 1] && fits; k++) {
            const ni_step *reader = &p->steps[r->list[k]];
            fits = (reader->op == NI_OP_CONV || reader->op == NI_OP_CONV_DW) &&
                   reader->in[0] == i && reader->in[1] != i && !(reader->flags & NI_CONV_RELU_IN);
        }
        if (!fits) continue;
        for (uint32_t k = r->start[i]; k < r->start[i + 1]; k++) {
            p->steps[r->list[k]].in[0] = relu->in[0];
            p->steps[r->list[k]].flags |= NI_CONV_RELU_IN;
        }
    }
    return NAS_OK;
}

/* A convolution's input gradient that can still take a mask. */
static bool maskable(const ni_readers *r, uint32_t step) {
    return ni_lone(r, step) && r->p->steps[step].op == NI_OP_CONV_DX && r->p->steps[step].n_in == 2;
}

static nas_status mask(ni_program *p, ni_step *conv, uint32_t by) {
    uint32_t *in = ni_arena_alloc(p->arena, 4 * sizeof *in);
    if (!in) return NAS_E_MEMORY;
    in[0] = conv->in[0];
    in[1] = conv->in[1];
    in[2] = by;
    in[3] = NI_NONE;
    conv->in = in;
    conv->n_in = 4;
    conv->flags |= NI_CONV_MASK_OUT;
    return NAS_OK;
}

/* relu_gradient of one input gradient, or of a sum of nothing else, is a mask on each of them. */
nas_status ni_pass_masked_conv(ni_readers *r) {
    ni_program *p = r->p;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        ni_step *s = &p->steps[i];
        if (s->dead || s->op != NI_OP_RELU_DX || !plain_relu(s)) continue;
        uint32_t x = s->in[0], from = s->in[1];
        ni_step *g = &p->steps[from];
        if (maskable(r, from) && p->steps[x].key < g->key) {
            NI_TRY(mask(p, g, x));
        } else if (ni_lone(r, from) && g->op == NI_OP_ADD) {
            bool all = true;
            for (uint32_t k = 0; k < g->n_in && all; k++)
                all = maskable(r, g->in[k]) && p->steps[x].key < p->steps[g->in[k]].key;
            if (!all) continue;
            for (uint32_t k = 0; k < g->n_in; k++)
                NI_TRY(mask(p, &p->steps[g->in[k]], x));
        } else {
            continue;
        }
        /* s becomes what it was the gradient of; that has no reader left. */
        s->op = g->op;
        s->attr = g->attr;
        s->flags = g->flags;
        s->n_in = g->n_in;
        s->in = g->in;
        s->key = g->key;
    }
    return NAS_OK;
}
