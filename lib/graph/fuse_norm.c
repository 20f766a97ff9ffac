/* Fusion of batch norms with who reads them: a normalised tensor is not written where its readers
 * can normalise as they read. The scale and shift of each channel are a small step of their own
 * (bn_vectors), with the weight of a weighted sum in them where there is one. */
#include <math.h>
#include "fuse.h"

/* x * scale + shift for each channel, known before any image is: a batch norm, or an affine map. */
static bool is_norm(const ni_step *s) {
    return !s->dead && (s->op == NI_OP_BN_NORMALIZE || s->op == NI_OP_AFFINE);
}

/* The step that makes scale and shift; weight: a number that both are multiplied by, or NI_NONE.
 * norm: NULL for a plain weight. */
static nas_status add_vectors(ni_program *p, const ni_step *norm, uint32_t weight, int64_t channels,
                              uint64_t key, uint32_t *out) {
    uint32_t *in = ni_arena_alloc(p->arena, 4 * sizeof *in);
    if (!in) return NAS_E_MEMORY;
    if (p->n_steps == p->capacity) { /* room was made for one a step that is fused */
        *out = NI_NONE;
        return NAS_OK;
    }
    ni_step *s = &p->steps[p->n_steps];
    memset(s, 0, sizeof *s);
    s->op = NI_OP_BN_VECTORS;
    s->accumulates = NI_NONE;
    s->shape = ni_shape4(2, 1, 1, channels);
    s->key = key;
    s->in = in;
    s->n_in = 4;
    in[0] = in[1] = in[2] = NI_NONE;
    in[3] = weight;
    if (norm) {
        bool statistics = norm->op == NI_OP_BN_NORMALIZE;
        s->node = norm->node;
        s->attr.bn.epsilon = norm->attr.bn.epsilon;
        if (statistics) in[0] = norm->in[1];
        in[1] = norm->in[statistics ? 2 : 1];
        in[2] = norm->in[statistics ? 3 : 2];
    } else {
        s->node = p->steps[weight].node;
    }
    *out = p->n_steps++;
    return NAS_OK;
}

/* ---- convolutions that read a normalised, rectified tensor ------------------------------------
 */

/* Where the reader has it: as its input, or as the mask of its result. */
static bool reads_as_input(const ni_step *reader, uint32_t norm) {
    return (reader->op == NI_OP_CONV || reader->op == NI_OP_CONV_DW) && reader->n_in == 2 &&
           reader->in[0] == norm && reader->in[1] != norm;
}
static bool reads_as_mask(const ni_step *reader, uint32_t norm) {
    return reader->op == NI_OP_CONV_DX && reader->n_in == 4 && reader->in[2] == norm &&
           reader->in[0] != norm && reader->in[1] != norm && reader->in[3] != norm;
}

/* The gradient of a ReLU that is bounded above too, of an input gradient that can take a mask. */
static bool reads_as_bounds(const ni_readers *r, const ni_step *reader, uint32_t norm) {
    const ni_program *p = r->p;
    const ni_step *s = &p->steps[norm];
    if (reader->op != NI_OP_RELU_DX || reader->in[0] != norm || reader->in[1] == norm) return false;
    const ni_step *from = &p->steps[reader->in[1]];
    return ni_lone(r, reader->in[1]) && from->op == NI_OP_CONV_DX && from->n_in == 2 &&
           s->flags & NI_STEP_RELU && reader->attr.clamp.low == 0 &&
           reader->attr.clamp.high == s->attr.bn.high;
}

static nas_status read_through(ni_program *p, ni_step *reader, uint32_t x, uint32_t vectors,
                               bool relu, double clamp) {
    const ni_step *from = reader->op == NI_OP_RELU_DX ? &p->steps[reader->in[1]] : reader;
    bool gradient = from->op == NI_OP_CONV_DX;
    uint32_t n = gradient ? 5 : 3, *in = ni_arena_alloc(p->arena, n * sizeof *in);
    if (!in) return NAS_E_MEMORY;
    in[0] = from->in[0];
    in[1] = from->in[1];
    if (gradient) {
        in[2] = x;
        in[3] = from->n_in > 3 ? from->in[3] : NI_NONE;
    } else {
        in[0] = x;
    }
    in[n - 1] = vectors;
    if (from != reader) { /* the gradient takes its place */
        reader->op = from->op;
        reader->attr = from->attr;
        reader->flags = from->flags | NI_CONV_MASK_OUT;
    }
    reader->in = in;
    reader->n_in = n;
    reader->clamp = clamp;
    if (relu && !gradient) reader->flags |= NI_CONV_RELU_IN;
    return NAS_OK;
}

nas_status ni_pass_norm_conv(ni_readers *r) {
    ni_program *p = r->p;
    uint32_t n = p->n_steps;
    for (uint32_t i = 0; i < n; i++) {
        const ni_step *norm = &p->steps[i];
        bool relu = (norm->flags & NI_STEP_RELU) != 0;
        double clamp = relu && norm->attr.bn.high < INFINITY ? norm->attr.bn.high : 0;
        if (!is_norm(norm) || r->pinned[i]) continue;
        bool fits = ni_reading(r, i) > 0;
        for (uint32_t k = r->start[i]; k < r->start[i + 1] && fits; k++) {
            const ni_step *reader = &p->steps[r->list[k]];
            fits = (reads_as_input(reader, i) && !(relu && reader->flags & NI_CONV_RELU_IN)) ||
                   (clamp == 0 && reads_as_mask(reader, i)) || reads_as_bounds(r, reader, i);
        }
        if (!fits) continue;
        uint32_t vectors, x = norm->in[0];
        NI_TRY(add_vectors(p, norm, NI_NONE, norm->shape.d[3], norm->key, &vectors));
        if (vectors == NI_NONE) return NAS_OK;
        for (uint32_t k = r->start[i]; k < r->start[i + 1]; k++)
            NI_TRY(read_through(p, &p->steps[r->list[k]], x, vectors, relu, clamp));
    }
    return NAS_OK;
}

/* ---- sums of normalised tensors, each perhaps times a weight: a node of a cell, forwards and
 * backwards ------------------------------------------------------------------------------------ */

typedef struct {
    uint32_t x, norm, weight; /* norm, weight: NI_NONE where there is none */
} term;

static term term_of(const ni_readers *r, uint32_t step) {
    const ni_program *p = r->p;
    term t = {step, NI_NONE, NI_NONE};
    if (ni_lone(r, t.x) && p->steps[t.x].op == NI_OP_MUL_SCALAR) {
        t.weight = p->steps[t.x].in[1];
        t.x = p->steps[t.x].in[0];
        if (!ni_lone(r, t.x)) return t;
    }
    if (ni_lone(r, t.x) && is_norm(&p->steps[t.x]) && !p->steps[t.x].flags) {
        t.norm = t.x;
        t.x = p->steps[t.norm].in[0];
    }
    return t;
}

nas_status ni_pass_norm_sum(ni_readers *r) {
    ni_program *p = r->p;
    uint32_t n = p->n_steps;
    for (uint32_t i = 0; i < n; i++) {
        ni_step *sum = &p->steps[i];
        uint32_t new_steps = 0;
        if (sum->dead || sum->op != NI_OP_ADD) continue;
        for (uint32_t k = 0; k < sum->n_in; k++) {
            term t = term_of(r, sum->in[k]);
            new_steps += t.norm != NI_NONE || t.weight != NI_NONE;
        }
        if (new_steps == 0 || p->capacity - p->n_steps < new_steps) continue;
        uint32_t *in = ni_arena_alloc(p->arena, 2 * (size_t)sum->n_in * sizeof *in);
        if (!in) return NAS_E_MEMORY;
        for (uint32_t k = 0; k < sum->n_in; k++) {
            term t = term_of(r, sum->in[k]);
            in[2 * k] = t.x;
            in[2 * k + 1] = NI_NONE;
            if (t.norm != NI_NONE || t.weight != NI_NONE)
                NI_TRY(add_vectors(p, t.norm == NI_NONE ? NULL : &p->steps[t.norm], t.weight,
                                   sum->shape.d[3], sum->key - sum->n_in + k, &in[2 * k + 1]));
        }
        sum->op = NI_OP_NORM_SUM;
        sum->in = in;
        sum->n_in *= 2;
    }
    return NAS_OK;
}

/* ---- gradients of weighted norms: the weight goes into the sums, not through a tensor ----------
 */

static bool takes_weight(const ni_step *reader, uint32_t scaled) {
    if (reader->op == NI_OP_BN_DSUMS && reader->n_in == 3)
        return reader->in[2] == scaled && reader->in[0] != scaled;
    return reader->op == NI_OP_BN_DX && reader->n_in == 5 && reader->in[3] == scaled &&
           reader->in[0] != scaled;
}

nas_status ni_pass_weighted_norm(ni_readers *r) {
    ni_program *p = r->p;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const ni_step *scaled = &p->steps[i];
        if (scaled->dead || scaled->op != NI_OP_MUL_SCALAR || r->pinned[i]) continue;
        for (uint32_t k = r->start[i]; k < r->start[i + 1]; k++) {
            ni_step *reader = &p->steps[r->list[k]];
            if (!takes_weight(reader, i)) continue;
            uint32_t *in = ni_arena_alloc(p->arena, (reader->n_in + 1u) * sizeof *in);
            if (!in) return NAS_E_MEMORY;
            memcpy(in, reader->in, reader->n_in * sizeof *in);
            in[reader->op == NI_OP_BN_DSUMS ? 2 : 3] = scaled->in[0];
            in[reader->n_in++] = scaled->in[1];
            reader->in = in;
        }
    }
    return NAS_OK;
}
