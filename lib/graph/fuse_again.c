/* Results that are cheaper to make again than to keep: a depthwise convolution's, whose reader in the
 * backward pass is far behind the ones in the forward pass. Made again there, image by image, it is
 * never written to memory at all, neither time. (Chen et al., "Training deep nets with sublinear memory
 * cost", 2016, have the idea; here it saves time too.) */
#include "fuse.h"

static bool is_cheap(const ni_step *s) {
    const ni_conv *c = &s->attr.conv;
    return !s->dead && s->op == NI_OP_CONV && c->groups > 1 && c->groups == c->ci &&
           c->groups == c->co;
}

/* Where all that convolutions make stays in the last cache anyway, keeping is cheaper. */
enum { CACHED_BYTES = 128 << 20 };

static bool is_large(const ni_program *p) {
    double bytes = 0;
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (!p->steps[i].dead && p->steps[i].op == NI_OP_CONV)
            bytes += (double)ni_shape_count(p->steps[i].shape) * (double)p->element;
    return bytes > CACHED_BYTES;
}

nas_status ni_pass_again(ni_readers *r) {
    ni_program *p = r->p;
    uint32_t n = p->n_steps;
    if (!is_large(p)) return NAS_OK;
    for (uint32_t i = 0; i < n; i++) {
        if (!is_cheap(&p->steps[i]) || r->pinned[i] || p->n_steps == p->capacity) continue;
        uint32_t gradients = 0, others = 0;
        uint32_t late = NI_NONE;
        uint64_t key = UINT64_MAX;
        for (uint32_t k = r->start[i]; k < r->start[i + 1]; k++) {
            const ni_step *reader = &p->steps[r->list[k]];
            bool gradient = reader->op == NI_OP_CONV_DW && reader->in[0] == i;
            gradients += gradient;
            others += !gradient;
            if (gradient && reader->key < key) key = reader->key, late = reader->in[1];
        }
        if (gradients == 0 || others == 0) continue;
        ni_step *again = &p->steps[p->n_steps];
        *again = p->steps[i];
        again->key = key - 1;
        again->late = late;
        for (uint32_t k = r->start[i]; k < r->start[i + 1]; k++) {
            ni_step *reader = &p->steps[r->list[k]];
            if (reader->op != NI_OP_CONV_DW || reader->in[0] != i) continue;
            uint32_t *in = ni_arena_alloc(p->arena, reader->n_in * sizeof *in);
            if (!in) return NAS_E_MEMORY;
            memcpy(in, reader->in, reader->n_in * sizeof *in);
            in[0] = p->n_steps;
            reader->in = in;
        }
        p->n_steps++;
    }
    return NAS_OK;
}
