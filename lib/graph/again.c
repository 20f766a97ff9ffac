/* Results that are made again for readers far behind, instead of being kept for them: in the
 * backward pass, what the forward pass made. Chen et al., "Training deep nets with sublinear memory
 * cost" (2016), section 3, have the idea. Made again image by image in the group of its reader, a
 * result that is cheap is not written to memory at all, which often is also quicker.
 *
 * Nothing is kept longer for it: a result is made again only where what it is made from is still
 * there for another reader, or (under a limit of memory) is made again there from what is. */
#include "program.h"

enum { DEPTH = 3 }; /* results behind one that is made again, under a limit of memory */

typedef struct {
    uint32_t level, step, next; /* a result made again for that level */
} copy;

typedef struct {
    ni_program *p;
    uint32_t *level, *last; /* of each step: its level; the last one that reads it */
    uint32_t *first;        /* of each step: its copies, 0: none; UINT32_MAX: it is kept anyway */
    copy *copies;
    uint32_t n_copies;
    ni_position *list;
    uint32_t *n;
} maker;

static bool is_depthwise(const ni_conv *c) {
    return c->groups > 1 && c->groups == c->ci && c->groups == c->co;
}

/* Other convolutions are dear: made again for the gradients of batch norms alone, about as many of
 * them as the program's share says. Which, the node's number tells, times 5 / 2 so that nodes an
 * even distance apart, as the convolutions of a cell are, fall into different shares. */
static bool may_again(const ni_program *p, const ni_step *s, const ni_step *reader) {
    if (s->accumulates != NI_NONE || !ni_is_by_image(p, s)) return false;
    switch (s->op) {
    case NI_OP_CONV:
        if (is_depthwise(&s->attr.conv)) return true;
        return p->again == NI_AGAIN_MOST && (s->node * 5u / 2) % NI_SHARES < p->share &&
               (reader->op == NI_OP_BN_DSUMS || reader->op == NI_OP_BN_DX);
    case NI_OP_MAX_POOL:
    case NI_OP_AVG_POOL:
    case NI_OP_RELU:
    case NI_OP_BN_NORMALIZE:
    case NI_OP_AFFINE:
    case NI_OP_MUL_SCALAR:
    case NI_OP_SCALE:
        return true;
    default:
        return false;
    }
}

/* What its own readers have made again is not there, whatever the plan was before. */
static bool is_there(const maker *m, uint32_t step, uint32_t level, const ni_step *reader,
                     uint32_t depth) {
    const ni_step *s = &m->p->steps[step];
    if (ni_ops[s->op].flags & NI_OP_LEAF) return true;
    if (m->last[step] < level) return false;
    return depth == 0 || m->first[step] == UINT32_MAX || !may_again(m->p, s, reader);
}

/* Whether all that s reads image by image is there at the level, or can be made again from what is,
 * `depth` steps back at most. */
static bool can_make(const maker *m, const ni_step *s, uint32_t level, uint32_t depth) {
    uint32_t by_image = ni_read_by_image(m->p, s);
    for (uint32_t i = 0; i < s->n_in; i++) {
        if (s->in[i] == NI_NONE || !ni_mask_has(by_image, i) ||
            is_there(m, s->in[i], level, s, depth))
            continue;
        const ni_step *in = ni_arg_step(m->p, s, i);
        if (depth == 0 || m->first[s->in[i]] == UINT32_MAX || !may_again(m->p, in, s) ||
            !can_make(m, in, level, depth - 1))
            return false;
    }
    return true;
}

static nas_status read_instead(ni_program *p, ni_step *reader, uint32_t k, uint32_t step) {
    uint32_t *in = ni_arena_alloc(p->arena, reader->n_in * sizeof *in);
    if (!in) return NAS_E_MEMORY;
    memcpy(in, reader->in, reader->n_in * sizeof *in);
    in[k] = step;
    reader->in = in;
    return NAS_OK;
}

/* The copy of `from` for the level, made now if there is none; *out NI_NONE: it cannot be. */
static nas_status copy_for(maker *m, uint32_t from, uint32_t level, uint64_t key, uint32_t depth,
                           uint32_t *out) {
    ni_program *p = m->p;
    uint32_t c;
    *out = NI_NONE;
    for (c = m->first[from]; c && m->copies[c].level != level; c = m->copies[c].next) {}
    if (c) {
        *out = m->copies[c].step;
        return NAS_OK;
    }
    if (p->capacity - p->n_steps < 8 || !can_make(m, &p->steps[from], level, depth)) return NAS_OK;
    uint32_t made = p->n_steps++;
    p->steps[made] = p->steps[from];
    p->steps[made].key = key;
    m->level[made] = level;
    m->list[*m->n].key = key;
    m->list[(*m->n)++].step = made;
    m->copies[++m->n_copies] = (copy){level, made, m->first[from]};
    m->first[from] = m->n_copies;
    *out = made;
    ni_step *s = &p->steps[made];
    uint32_t by_image = ni_read_by_image(p, s);
    for (uint32_t i = 0; i < s->n_in && depth > 0; i++) {
        uint32_t inner;
        if (s->in[i] == NI_NONE || !ni_mask_has(by_image, i) ||
            is_there(m, s->in[i], level, s, depth))
            continue;
        NI_TRY(copy_for(m, s->in[i], level, key - 1, depth - 1, &inner));
        if (inner != NI_NONE) NI_TRY(read_instead(p, s, i, inner));
    }
    return NAS_OK;
}

/* Copies for what the reader has from earlier levels. */
static nas_status serve(maker *m, uint32_t number) {
    ni_program *p = m->p;
    ni_step *reader = &p->steps[number];
    uint32_t by_image = ni_read_by_image(p, reader), at = m->level[number], step;
    if (ni_ops[reader->op].flags & NI_OP_VIEW) return NAS_OK;
    for (uint32_t k = 0; k < reader->n_in && by_image; k++) {
        uint32_t from = reader->in[k];
        if (from == NI_NONE || !ni_mask_has(by_image, k) || k == reader->accumulates) continue;
        if (m->level[from] >= at || m->first[from] == UINT32_MAX ||
            !may_again(p, &p->steps[from], reader))
            continue;
        NI_TRY(
            copy_for(m, from, at, reader->key - 1, p->again == NI_AGAIN_MOST ? DEPTH : 0, &step));
        if (step != NI_NONE) NI_TRY(read_instead(p, reader, k, step));
    }
    return NAS_OK;
}

nas_status ni_make_again(ni_program *p, uint32_t *level, ni_position *list, uint32_t *n) {
    uint32_t count = *n;
    maker m = {.p = p, .level = level, .list = list, .n = n};
    m.last = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *m.last);
    m.first = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *m.first);
    m.copies = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *m.copies);
    nas_status status = m.last && m.first && m.copies ? NAS_OK : NAS_E_MEMORY;
    for (uint32_t i = 0; i < count && status >= 0; i++) {
        const ni_step *reader = &p->steps[list[i].step];
        for (uint32_t k = 0; k < reader->n_in; k++)
            if (reader->in[k] != NI_NONE && m.last[reader->in[k]] < level[list[i].step])
                m.last[reader->in[k]] = level[list[i].step];
    }
    for (uint32_t i = 0; i < p->n_outputs && status >= 0; i++)
        m.first[p->outputs[i].step] = UINT32_MAX; /* kept anyway */
    for (uint32_t i = 0; i < count && status >= 0; i++)
        status = serve(&m, list[i].step);
    ni_free(p->context, m.last);
    ni_free(p->context, m.first);
    ni_free(p->context, m.copies);
    return status;
}
