/* The order in which steps run, and which run together.
 *
 * Networks that architecture search trains are bound by memory traffic more than by arithmetic: a
 * tensor of a whole batch does not fit the caches near a processor, one of some images does. So
 * steps that make each image's part of their output from that image's inputs alone (convolutions,
 * pools, sums, a batch norm whose statistics are known, ...) run together, as a group: a thread
 * takes some images through all of the group's steps before it takes the next ones, and what the
 * steps hand to each other is still near. A tensor that only its own group reads never exists as a
 * whole: it lives in the thread's scratch, for some images at a time.
 *
 * What needs all images (statistics, weight gradients, which are joined from parts) ends a group:
 * its readers come in a later one. Steps are sorted by how many such ends lie before them, each as
 * early as it may. How the images are cut depends on shapes alone, and so do all sums. */
#include "program.h"

/* NEAR_BYTES: what one step reads and writes at a time should fit the cache nearest to memory that
 * a core has for itself (512 KiB and more), beside weights. */
enum { PIECES = 16, LEAST_IMAGES = 8, NEAR_BYTES = 192 << 10 };

typedef enum { LEAF, ALONE, MAPS, JOINS } kind;

uint32_t ni_read_by_image(const ni_program *p, const ni_step *s) {
    const ni_op_info *info = &ni_ops[s->op];
    if (!p->images || !(info->flags & (NI_OP_BY_IMAGE | NI_OP_VIEW))) return 0;
    if (!(info->flags & NI_OP_JOINS) && s->shape.d[0] != p->images) return 0;
    if ((s->op == NI_OP_CONCAT || s->op == NI_OP_SLICE || s->op == NI_OP_PAD) &&
        s->attr.slice.dimension == 0)
        return 0;
    for (uint32_t i = 0; i < s->n_in; i++) {
        bool by_image = ni_mask_has(info->by_image, i);
        if (by_image && s->in[i] != NI_NONE && ni_arg_step(p, s, i)->shape.d[0] != p->images)
            return 0;
    }
    /* dropout's mask reads nothing, and is made image by image all the same */
    return info->by_image ? info->by_image : UINT32_MAX;
}

bool ni_is_by_image(const ni_program *p, const ni_step *s) {
    return !(ni_ops[s->op].flags & (NI_OP_LEAF | NI_OP_JOINS)) && ni_read_by_image(p, s);
}

static kind kind_of(const ni_program *p, const ni_step *s) {
    if (ni_ops[s->op].flags & NI_OP_LEAF) return LEAF;
    if (!ni_read_by_image(p, s)) return ALONE;
    return ni_ops[s->op].flags & NI_OP_JOINS ? JOINS : MAPS;
}

/* How many ends of groups lie before the step. */
static uint32_t level_of(const ni_program *p, const ni_step *s, const uint32_t *level) {
    uint32_t by_image = ni_read_by_image(p, s), most = 0;
    for (uint32_t i = 0; i < s->n_in; i++) {
        if (s->in[i] == NI_NONE) continue;
        kind from = kind_of(p, ni_arg_step(p, s, i));
        bool near = from == MAPS && ni_mask_has(by_image, i);
        uint32_t at = level[s->in[i]] + (!near && (from == MAPS || from == JOINS));
        if (at > most) most = at;
    }
    return most;
}

/* The batch: that of the first convolution. */
static int64_t find_images(const ni_program *p) {
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (!p->steps[i].dead && p->steps[i].op == NI_OP_CONV)
            return p->steps[i].attr.conv.n >= LEAST_IMAGES ? p->steps[i].attr.conv.n : 0;
    return 0;
}

/* Bytes that the step reads and writes for one image. */
static size_t bytes_an_image(const ni_program *p, const ni_step *s) {
    uint32_t by_image = ni_read_by_image(p, s);
    int64_t elements = ni_ops[s->op].flags & NI_OP_JOINS ? 0 : ni_shape_count(s->shape);
    for (uint32_t i = 0; i < s->n_in; i++)
        if (s->in[i] != NI_NONE && ni_mask_has(by_image, i))
            elements += ni_shape_count(ni_arg_step(p, s, i)->shape);
    return (size_t)(elements / p->images) * p->element;
}

static void cut_images(const ni_program *p, ni_group *g) {
    size_t most = 1;
    for (uint32_t i = 0; i < g->n; i++) {
        size_t bytes = bytes_an_image(p, &p->steps[p->order[g->first + i]]);
        if (bytes > most) most = bytes;
    }
    g->pieces = p->images < PIECES ? (uint32_t)p->images : PIECES;
    uint32_t least = (uint32_t)(p->images / g->pieces);
    uint32_t longest = (uint32_t)((p->images + g->pieces - 1) / g->pieces);
    size_t together = NEAR_BYTES / most;
    if (together < 1) together = 1;
    g->subs = (uint32_t)((longest + together - 1) / together);
    if (g->subs > least) g->subs = least;
}

/* Runs of neighbours in the order that are made by image; one of them alone stays alone. */
static nas_status make_groups(ni_program *p, const uint32_t *level) {
    uint32_t n = 0, slot = 0;
    p->groups = ni_arena_alloc(p->arena, p->n_order * sizeof *p->groups + 1);
    if (!p->groups) return NAS_E_MEMORY;
    for (uint32_t from = 0, to; from < p->n_order; from = to) {
        const ni_step *s = &p->steps[p->order[from]];
        kind first = kind_of(p, s);
        uint32_t working = 0, joins = 0;
        for (to = from; to < p->n_order; to++) {
            const ni_step *next = &p->steps[p->order[to]];
            kind is = kind_of(p, next);
            if (to > from &&
                (first == ALONE || is == ALONE || level[p->order[to]] != level[p->order[from]]))
                break;
            working += !(ni_ops[next->op].flags & NI_OP_VIEW);
            joins += is == JOINS;
        }
        bool together = first != ALONE && working > 1;
        for (uint32_t t = from; t < to; t++) {
            ni_step *in = &p->steps[p->order[t]];
            in->group = together ? n : NI_NONE;
            in->slot = together ? slot : slot + (t - from);
        }
        slot += together ? 1 : to - from;
        if (!together) continue;
        ni_group *g = &p->groups[n++];
        *g = (ni_group){.first = from, .n = to - from};
        cut_images(p, g);
        g->finish = ni_arena_alloc(p->arena, joins * sizeof *g->finish + 1);
        if (!g->finish) return NAS_E_MEMORY;
        for (uint32_t t = from; t < to; t++)
            if (kind_of(p, &p->steps[p->order[t]]) == JOINS) g->finish[g->n_finish++] = p->order[t];
    }
    p->n_groups = n;
    return NAS_OK;
}

nas_status ni_order_steps(ni_program *p) {
    size_t most = p->capacity + (size_t)1;
    ni_position *a = ni_calloc(p->context, most, sizeof *a), *spare;
    ni_position *b = ni_calloc(p->context, most, sizeof *b), *sorted;
    uint32_t *level = ni_calloc(p->context, most, sizeof *level), n = 0;
    nas_status status = NAS_E_MEMORY;
    p->order = ni_arena_alloc(p->arena, most * sizeof *p->order);
    if (!a || !b || !level || !p->order) goto done;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        p->steps[i].group = NI_NONE;
        if (p->steps[i].dead || (ni_ops[p->steps[i].op].flags & NI_OP_LEAF)) continue;
        a[n].key = p->steps[i].key;
        a[n++].step = i;
    }
    sorted = ni_sort_positions(a, b, n);
    spare = sorted == a ? b : a;
    if (p->images) p->images = find_images(p);
    for (uint32_t i = 0; i < n; i++) {
        const ni_step *s = &p->steps[sorted[i].step];
        level[sorted[i].step] = level_of(p, s, level);
    }
    if (p->images && p->again != NI_AGAIN_NEVER) {
        uint32_t before = n;
        NI_GOTO(done, ni_make_again(p, level, sorted, &n));
        if (n > before) sorted = ni_sort_positions(sorted, spare, n);
        spare = sorted == a ? b : a;
    }
    for (uint32_t i = 0; i < n; i++)
        sorted[i].key =
            2 * (uint64_t)level[sorted[i].step] + (kind_of(p, &p->steps[sorted[i].step]) != ALONE);
    if (p->images) sorted = ni_sort_positions(sorted, spare, n);
    for (uint32_t i = 0; i < n; i++)
        p->order[i] = sorted[i].step;
    p->n_order = n;
    status = make_groups(p, level);
done:
    ni_free(p->context, a);
    ni_free(p->context, b);
    ni_free(p->context, level);
    return status;
}
