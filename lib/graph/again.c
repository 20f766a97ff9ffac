/* Results that are made again for readers far behind, instead of being kept for them: in the
 * backward pass, what the forward pass made. Chen et al., "Training deep nets with sublinear memory
 * cost" (2016), section 3, have the idea. Made again image by image in the group of its reader, a
 * result that is cheap is not written to memory at all, which often is also quicker.
 *
 * Nothing is kept longer for it: a result is made again only where what it is made from is still
 * there for another reader. */
#include "program.h"

typedef struct {
    uint32_t level, step, next; /* a result made again for that level */
} copy;

static bool may_again(const ni_program *p, const ni_step *s) {
    if (s->accumulates != NI_NONE || !ni_is_by_image(p, s)) return false;
    switch (s->op) {
    case NI_OP_CONV: {
        const ni_conv *c = &s->attr.conv;
        return p->again == NI_AGAIN_MOST ||
               (c->groups > 1 && c->groups == c->ci && c->groups == c->co);
    }
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

/* Whether all that s reads image by image is there at the level anyway. */
static bool there_at(const ni_program *p, const ni_step *s, uint32_t level, const uint32_t *last) {
    uint32_t by_image = ni_read_by_image(p, s);
    for (uint32_t i = 0; i < s->n_in; i++)
        if (s->in[i] != NI_NONE && ni_mask_has(by_image, i) &&
            !(ni_ops[ni_arg_step(p, s, i)->op].flags & NI_OP_LEAF) && last[s->in[i]] < level)
            return false;
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

nas_status ni_make_again(ni_program *p, uint32_t *level, ni_position *list, uint32_t *n) {
    uint32_t count = *n, n_copies = 0;
    uint32_t *last = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *last);
    uint32_t *first = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *first);
    copy *copies = ni_calloc(p->context, p->capacity + (size_t)1, sizeof *copies);
    nas_status status = last && first && copies ? NAS_OK : NAS_E_MEMORY;
    for (uint32_t i = 0; i < count && status >= 0; i++) {
        const ni_step *reader = &p->steps[list[i].step];
        for (uint32_t k = 0; k < reader->n_in; k++)
            if (reader->in[k] != NI_NONE && last[reader->in[k]] < level[list[i].step])
                last[reader->in[k]] = level[list[i].step];
    }
    for (uint32_t i = 0; i < p->n_outputs && status >= 0; i++)
        first[p->outputs[i].step] = UINT32_MAX; /* kept anyway */
    for (uint32_t i = 0; i < count && status >= 0; i++) {
        uint32_t number = list[i].step, at = level[number];
        ni_step *reader = &p->steps[number];
        uint32_t by_image = ni_read_by_image(p, reader);
        if (ni_ops[reader->op].flags & NI_OP_VIEW) continue;
        for (uint32_t k = 0; k < reader->n_in && status >= 0 && by_image; k++) {
            uint32_t from = reader->in[k], c;
            if (from == NI_NONE || !ni_mask_has(by_image, k) || k == reader->accumulates) continue;
            if (level[from] >= at || first[from] == UINT32_MAX || !may_again(p, &p->steps[from]))
                continue;
            for (c = first[from]; c && copies[c].level != at; c = copies[c].next) {}
            if (!c) {
                if (p->n_steps == p->capacity || !there_at(p, &p->steps[from], at, last)) continue;
                uint32_t made = p->n_steps++;
                p->steps[made] = p->steps[from];
                p->steps[made].key = reader->key - 1;
                level[made] = at;
                list[*n].key = reader->key - 1;
                list[(*n)++].step = made;
                c = ++n_copies;
                copies[c] = (copy){at, made, first[from]};
                first[from] = c;
            }
            status = read_instead(p, reader, k, copies[c].step);
        }
    }
    ni_free(p->context, last);
    ni_free(p->context, first);
    ni_free(p->context, copies);
    return status;
}
