/* Where each step's result lies: views share their input's memory, elementwise steps take over the
 * memory of an input that nobody reads after them, the rest is packed into one block by the times
 * at which it is needed. */
#include "program.h"

#define AT_END UINT32_MAX /* a position after the last step */

/* A slice of neighbouring elements is a view too. */
static bool is_view(const ni_program *p, const ni_step *s) {
    if (ni_ops[s->op].flags & NI_OP_VIEW) return true;
    if (s->op != NI_OP_SLICE || s->attr.slice.step != 1) return false;
    for (int64_t i = 0; i < s->attr.slice.dimension; i++)
        if (ni_arg_step(p, s, 0)->shape.d[i] != 1) return false;
    return true;
}

static size_t view_offset(const ni_program *p, const ni_step *s) {
    size_t run = p->element;
    if (s->op != NI_OP_SLICE) return 0;
    for (int64_t i = s->attr.slice.dimension + 1; i < 4; i++)
        run *= (size_t)s->shape.d[i];
    return (size_t)s->attr.slice.from * run;
}

static void place_leaf(ni_program *p, ni_step *s) {
    switch (s->op) {
    case NI_OP_VARIABLE:
        s->place = NI_AT_VALUES;
        s->offset = ni_vars_get(p->graph->vars, (uint32_t)s->attr.number)->offset;
        break;
    case NI_OP_CONSTANT:
        s->place = NI_AT_CONSTANT;
        s->offset = p->constant_bytes;
        p->constant_bytes += ni_aligned(s->bytes);
        break;
    default:
        s->place = NI_AT_INPUT;
        s->offset = s->attr.number;
    }
}

/* May step s, at its position, put its result where input k lies? */
static bool can_take(const ni_program *p, const ni_step *s, uint32_t k, uint32_t position,
                     const uint32_t *last_read) {
    if (s->in[k] == NI_NONE) return false;
    const ni_step *in = ni_arg_step(p, s, k), *root = &p->steps[in->root];
    if (root->place != NI_AT_ARENA || in->at != 0 || in->bytes != s->bytes) return false;
    if (in->bytes != root->bytes || last_read[in->root] != position) return false;
    for (uint32_t i = 0; i < s->n_in; i++)
        if (i != k && s->in[i] != NI_NONE && s->in[i] != s->in[k] &&
            ni_arg_step(p, s, i)->root == in->root)
            return false;
    return true;
}

/* Largest first, each at the lowest place that is free for all its time. placed: room for n. Gives
 * how many bytes they take. */
static size_t pack(ni_program *p, const ni_position *roots, uint32_t n, ni_step **placed) {
    size_t all = 0;
    for (uint32_t i = 0; i < n; i++) {
        ni_step *s = &p->steps[roots[i].step];
        size_t at = 0, bytes = (size_t)(UINT64_MAX - roots[i].key);
        uint32_t k;
        for (k = 0; k < i; k++) {
            const ni_step *o = placed[k];
            if (o->first > s->last || s->first > o->last) continue;
            if (o->offset >= at + bytes) break;
            if (o->offset + o->room > at) at = o->offset + o->room;
        }
        s->offset = at;
        s->room = bytes;
        if (at + bytes > all) all = at + bytes;
        for (k = i; k > 0 && placed[k - 1]->offset > at; k--)
            placed[k] = placed[k - 1];
        placed[k] = s;
    }
    return all;
}

/* A tensor that is made and read in one group only, image by image, exists for some images at a
 * time. Others are there from the start of their first slot to the end of their last. */
static void find_local(ni_program *p, ni_step *s) {
    uint32_t first = p->steps[p->order[s->first]].slot;
    uint32_t last = s->last == AT_END ? AT_END : p->steps[p->order[s->last]].slot;
    s->local = s->group != NI_NONE && first == last && !(ni_ops[s->op].flags & NI_OP_JOINS);
    if (!s->local) s->first = first, s->last = last;
}

/* A result that can live in a lane does not take over memory outside of it, which would have to be
 * written back. */
static bool better_local(const ni_program *p, const ni_step *s, const ni_step *root) {
    return s->group != NI_NONE && s->last != AT_END && !(ni_ops[s->op].flags & NI_OP_JOINS) &&
           p->steps[p->order[s->last]].slot == s->slot &&
           p->steps[p->order[root->first]].slot != s->slot;
}

static size_t local_bytes(const ni_program *p, const ni_step *s) {
    const ni_group *g = &p->groups[s->group];
    int64_t longest = (p->images + g->pieces - 1) / g->pieces;
    longest = (longest + g->subs - 1) / g->subs;
    return ni_aligned(s->bytes / (size_t)p->images * (size_t)longest);
}

/* Roots of views; the place of leaves, and of gradients that are computed where they belong. */
static void find_roots(ni_program *p) {
    for (uint32_t i = 0; i < p->n_steps; i++) {
        ni_step *s = &p->steps[i];
        s->bytes = (size_t)ni_shape_count(s->shape) * p->element;
        s->root = i;
        s->place = NI_AT_ARENA;
        if (!s->dead && (ni_ops[s->op].flags & NI_OP_LEAF)) place_leaf(p, s);
    }
    for (uint32_t i = 0; i < p->n_order; i++) {
        ni_step *s = &p->steps[p->order[i]];
        s->view = is_view(p, s);
        if (!s->view) continue;
        s->root = ni_arg_step(p, s, 0)->root;
        s->at = ni_arg_step(p, s, 0)->at + view_offset(p, s);
    }
    for (uint32_t i = 0; i < p->n_outputs; i++) {
        ni_program_output *o = &p->outputs[i];
        ni_step *s = &p->steps[o->step];
        if (o->slot == NI_NONE || s->root != o->step || s->place != NI_AT_ARENA ||
            s->accumulates != NI_NONE)
            continue;
        s->place = NI_AT_GRADIENTS;
        s->offset = ni_vars_get(p->graph->vars, o->slot)->offset;
        o->direct = true;
    }
}

nas_status ni_place_steps(ni_program *p) {
    uint32_t *last_read = ni_calloc(p->context, p->n_steps + 1u, sizeof *last_read);
    ni_position *roots = ni_calloc(p->context, p->n_steps + 1u, sizeof *roots);
    ni_position *spare = ni_calloc(p->context, p->n_steps + 1u, sizeof *spare);
    ni_step **placed = ni_calloc(p->context, p->n_steps + 1u, sizeof(ni_step *));
    nas_status status = last_read && roots && spare && placed ? NAS_OK : NAS_E_MEMORY;
    uint32_t n = 0;
    if (status < 0) goto done;
    find_roots(p);
    for (uint32_t t = 0; t < p->n_order; t++) {
        const ni_step *s = &p->steps[p->order[t]];
        for (uint32_t k = 0; k < s->n_in; k++)
            if (s->in[k] != NI_NONE) last_read[ni_arg_step(p, s, k)->root] = t;
    }
    for (uint32_t i = 0; i < p->n_outputs; i++)
        last_read[p->steps[p->outputs[i].step].root] = AT_END;
    for (uint32_t i = 0; i < p->n_updates; i++)
        last_read[p->steps[p->updates[i].step].root] = AT_END;

    for (uint32_t t = 0; t < p->n_order; t++)
        if (p->steps[p->order[t]].fixed) last_read[p->steps[p->order[t]].root] = AT_END;

    /* In order, each step finds its memory; one that takes an input's passes its own end on. Views
     * of a step that took another's memory were given its own number above, and follow below. */
    for (uint32_t t = 0; t < p->n_order; t++) {
        uint32_t number = p->order[t];
        ni_step *s = &p->steps[number];
        if (s->view) {
            s->root = ni_arg_step(p, s, 0)->root;
            continue;
        }
        s->first = s->fixed ? 0 : t; /* kept from run to run */
        s->last = last_read[number] > t ? last_read[number] : t;
        if (s->place != NI_AT_ARENA) continue;
        uint32_t took = s->accumulates;
        for (uint32_t k = 0; k < s->n_in && took == NI_NONE; k++)
            if (ni_mask_has(ni_ops[s->op].in_place, k) && can_take(p, s, k, t, last_read) &&
                !better_local(p, s, &p->steps[ni_arg_step(p, s, k)->root]))
                took = k;
        if (took == NI_NONE) continue;
        s->root = ni_arg_step(p, s, took)->root;
        ni_step *root = &p->steps[s->root];
        if (s->last > root->last) root->last = s->last;
        last_read[s->root] = s->last == t ? t : s->last;
    }
    for (uint32_t t = 0; t < p->n_order; t++) {
        ni_step *s = &p->steps[p->order[t]];
        if (s->root != p->order[t] || s->place != NI_AT_ARENA) continue;
        find_local(p, s);
        if (s->local) continue;
        roots[n].key = UINT64_MAX - ni_aligned(s->bytes);
        roots[n++].step = p->order[t];
    }
    p->memory_bytes = pack(p, ni_sort_positions(roots, spare, n), n, placed);
    for (uint32_t i = 0; i < p->n_groups; i++) {
        ni_group *g = &p->groups[i];
        n = 0;
        for (uint32_t t = g->first; t < g->first + g->n; t++) {
            const ni_step *s = &p->steps[p->order[t]];
            if (s->root != p->order[t] || !s->local) continue;
            roots[n].key = UINT64_MAX - local_bytes(p, s);
            roots[n++].step = p->order[t];
        }
        g->local_bytes = pack(p, ni_sort_positions(roots, spare, n), n, placed);
    }
    for (uint32_t i = 0; i < p->n_outputs; i++) {
        const ni_step *s = &p->steps[p->outputs[i].step];
        p->outputs[i].alone = p->outputs[i].slot == NI_NONE && s->root == p->outputs[i].step &&
                              s->place == NI_AT_ARENA && !s->fixed;
    }
done:
    ni_free(p->context, last_read);
    ni_free(p->context, roots);
    ni_free(p->context, spare);
    ni_free(p->context, placed);
    return status;
}
