/* Fusion: the passes in their order, and who reads whom. A new pass is a function and a line here.
 */
#include "fuse.h"

static const ni_pass passes[] = {
    ni_pass_forward,     ni_pass_merge_adds,    ni_pass_norm_relu,  ni_pass_relu_conv,
    ni_pass_masked_conv, ni_pass_merge_adds,    ni_pass_accumulate, ni_pass_norm_conv,
    ni_pass_norm_sum,    ni_pass_weighted_norm,
};

static void find_readers(ni_readers *r, uint32_t *next) {
    const ni_program *p = r->p;
    for (uint32_t i = 0; i < p->n_outputs; i++)
        r->pinned[p->outputs[i].step] = 1;
    for (uint32_t i = 0; i < p->n_updates; i++)
        r->pinned[p->updates[i].step] = 1;
    for (uint32_t i = 0; i < p->n_steps; i++)
        for (uint32_t k = 0; !p->steps[i].dead && k < p->steps[i].n_in; k++)
            if (p->steps[i].in[k] != NI_NONE) r->start[p->steps[i].in[k] + 1]++;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        r->start[i + 1] += r->start[i];
        next[i] = r->start[i];
    }
    for (uint32_t i = 0; i < p->n_steps; i++)
        for (uint32_t k = 0; !p->steps[i].dead && k < p->steps[i].n_in; k++)
            if (p->steps[i].in[k] != NI_NONE) r->list[next[p->steps[i].in[k]]++] = i;
}

static nas_status run_pass(ni_program *p, ni_pass pass) {
    size_t n = p->n_steps, readings = 1;
    for (size_t i = 0; i < n; i++)
        readings += p->steps[i].dead ? 0 : p->steps[i].n_in;
    ni_readers r = {p, ni_calloc(p->context, n + 1, sizeof *r.start),
                    ni_calloc(p->context, readings, sizeof *r.list),
                    ni_calloc(p->context, n + 1, 1)};
    uint32_t *next = ni_calloc(p->context, n + 1, sizeof *next);
    nas_status status = NAS_E_MEMORY;
    if (r.start && r.list && r.pinned && next) {
        find_readers(&r, next);
        status = pass(&r);
        if (status >= 0) ni_sweep_dead(p);
    }
    ni_free(p->context, r.start);
    ni_free(p->context, r.list);
    ni_free(p->context, r.pinned);
    ni_free(p->context, next);
    return status;
}

nas_status ni_fuse(ni_program *p) {
    for (size_t i = 0; i < NI_COUNT(passes); i++)
        NI_TRY(run_pass(p, passes[i]));
    return NAS_OK;
}
