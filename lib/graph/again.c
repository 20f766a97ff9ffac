/* Results that are made again for readers far behind, instead of being kept for them: in the
 * backward pass, what the forward pass made. Chen et al., "Training deep nets with sublinear memory
 * cost" (2016), section 3, have the idea. Made again image by image in the group of its reader, a
 * result that is cheap is not written to memory at all, which often is also quicker.
 *
 * Nothing is kept longer for it: a result is made again only where what it is made from is still
 * there for another reader, or (under a limit of memory) is made again there from what is. */
#include <stdlib.h>
#include "program.h"

enum {
    DEPTH = 3, /* results behind one that is made again, under a limit of memory */
    FAR = 3    /* levels between a forward pass's last reader and a backward pass's first one */
};

typedef struct {
    uint32_t level, step, next; /* a result made again for that level */
} copy;

/* A convolution that batch norms' gradients read. */
typedef struct {
    uint32_t step;
    bool freed;   /* made again for them, it need not be kept for anyone else */
    int64_t cost; /* multiplications of one element */
    size_t bytes;
} dear;

typedef struct {
    ni_program *p;
    bool *chosen; /* of each step: a convolution that may be made again, though it is dear */
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

static bool is_norm_gradient(const ni_step *s) {
    return s->op == NI_OP_BN_DSUMS || s->op == NI_OP_BN_DX;
}

/* Other convolutions are dear: made again for the gradients of batch norms alone, and only those
 * that are chosen. */
static bool may_again(const maker *m, uint32_t step, const ni_step *reader) {
    const ni_program *p = m->p;
    const ni_step *s = &p->steps[step];
    if (s->accumulates != NI_NONE || !ni_is_by_image(p, s)) return false;
    switch (s->op) {
    case NI_OP_CONV:
        if (is_depthwise(&s->attr.conv)) return true;
        return m->chosen[step] && is_norm_gradient(reader);
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
    return depth == 0 || m->first[step] == UINT32_MAX || !may_again(m, step, reader);
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
        if (depth == 0 || m->first[s->in[i]] == UINT32_MAX || !may_again(m, s->in[i], s) ||
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
        if (m->level[from] >= at || m->first[from] == UINT32_MAX || !may_again(m, from, reader))
            continue;
        NI_TRY(
            copy_for(m, from, at, reader->key - 1, p->again == NI_AGAIN_MOST ? DEPTH : 0, &step));
        if (step != NI_NONE) NI_TRY(read_instead(p, reader, k, step));
    }
    return NAS_OK;
}

static int64_t cost_of(const ni_program *p, const ni_step *s) {
    const ni_conv *c = &s->attr.conv;
    const ni_step *from = ni_arg_step(p, s, 0);
    int64_t cost = (int64_t)c->kh * c->kw * (c->ci / c->groups);
    if (from->op == NI_OP_CONV && is_depthwise(&from->attr.conv))
        cost += (int64_t)from->attr.conv.kh * from->attr.conv.kw;
    return cost;
}

static int by_cost(const void *left, const void *right) {
    const dear *a = left, *b = right;
    if (a->freed != b->freed) return a->freed ? -1 : 1;
    if (a->cost != b->cost) return a->cost < b->cost ? -1 : 1;
    return (a->step > b->step) - (a->step < b->step);
}

/* Of all bytes of dear convolutions the program's share: those first that are cheapest for the
 * bytes that they free. */
static nas_status choose(maker *m, const ni_position *list, uint32_t count) {
    ni_program *p = m->p;
    uint32_t *first = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *first);
    uint32_t *last = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *last);
    dear *all = ni_calloc(p->context, count + (size_t)1, sizeof *all);
    nas_status status = first && last && all ? NAS_OK : NAS_E_MEMORY;
    size_t n = 0, bytes = 0, chosen = 0;
    for (uint32_t i = 0; i < count && status >= 0; i++) {
        const ni_step *reader = &p->steps[list[i].step];
        const uint32_t at = m->level[list[i].step];
        for (uint32_t k = 0; k < reader->n_in; k++) {
            const uint32_t in = reader->in[k];
            if (in == NI_NONE) continue;
            if (!is_norm_gradient(reader) && last[in] < at) last[in] = at;
            if (is_norm_gradient(reader) && (first[in] == 0 || first[in] > at)) first[in] = at;
        }
    }
    for (uint32_t i = 0; i < count && status >= 0; i++) {
        const uint32_t step = list[i].step;
        const ni_step *s = &p->steps[step];
        if (s->op != NI_OP_CONV || first[step] == 0 || is_depthwise(&s->attr.conv)) continue;
        all[n] = (dear){step, first[step] >= last[step] + FAR, cost_of(p, s),
                        (size_t)ni_shape_count(s->shape) * p->element};
        bytes += all[n++].bytes;
    }
    if (n > 0) qsort(all, n, sizeof *all, by_cost);
    for (size_t i = 0; i < n && chosen < bytes / NI_SHARES * p->share; i++) {
        m->chosen[all[i].step] = true;
        chosen += all[i].bytes;
    }
    ni_free(p->context, first);
    ni_free(p->context, last);
    ni_free(p->context, all);
    return status;
}

nas_status ni_make_again(ni_program *p, uint32_t *level, ni_position *list, uint32_t *n) {
    uint32_t count = *n;
    maker m = {.p = p, .level = level, .list = list, .n = n};
    m.last = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *m.last);
    m.first = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *m.first);
    m.copies = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *m.copies);
    m.chosen = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *m.chosen);
    nas_status status = m.last && m.first && m.copies && m.chosen ? NAS_OK : NAS_E_MEMORY;
    if (status >= 0 && p->again == NI_AGAIN_MOST) status = choose(&m, list, count);
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
    ni_free(p->context, m.chosen);
    return status;
}
