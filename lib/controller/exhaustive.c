/* Exhaustive search: every architecture of the space that satisfies the constraints, in the order
 * of nas_space_at (the last decision changes fastest), once each. Real numbers stay at the middle
 * of their ranges. */
#include "controller.h"

enum { FORMAT = 1 };

typedef struct {
    nas_context *context;
    const nas_space *space;
    nas_exhaustive_options options;
    uint64_t next, count;
    ni_seen seen; /* where distinct = 1 */
} ni_exhaustive;

static nas_status exhaustive_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    ni_exhaustive *self = user;
    (void)stream;
    for (; self->next < self->count; self->next++) {
        nas_arch *arch;
        NI_TRY(nas_space_at(self->space, self->next, &arch));
        nas_status status = nas_arch_check(arch);
        bool wanted = status >= 0;
        uint64_t key = wanted && self->options.distinct ? ni_candidate_key(arch) : 0;
        if (wanted && self->options.distinct) wanted = !ni_seen_has(&self->seen, key);
        if (wanted) status = nas_propose_arch(out, arch);
        if (wanted && status >= 0 && self->options.distinct) status = ni_seen_add(&self->seen, key);
        nas_arch_free(arch);
        if (status < 0 && status != NAS_E_INFEASIBLE) return status;
        if (!wanted) continue;
        self->next++;
        return NAS_OK;
    }
    return NAS_DONE;
}

static nas_status exhaustive_save(void *user, nas_writer *to) {
    const ni_exhaustive *self = user;
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_u64(to, self->options.first));
    NI_TRY(nas_write_u64(to, (uint64_t)self->options.distinct));
    NI_TRY(nas_write_u64(to, self->next));
    return ni_seen_save(&self->seen, to);
}

static nas_status exhaustive_load(void *user, nas_reader *from) {
    ni_exhaustive *self = user;
    uint64_t format, kept;
    NI_TRY(nas_read_u64(from, &format));
    if (format != FORMAT)
        return ni_fail(self->context, NAS_E_VERSION,
                       "exhaustive search: state of format %llu, this library reads %d",
                       (unsigned long long)format, FORMAT);
    NI_TRY(nas_read_u64(from, &kept));
    NI_TRY(ni_setting_same(self->context, "exhaustive", "first", kept, self->options.first));
    NI_TRY(nas_read_u64(from, &kept));
    NI_TRY(ni_setting_same(self->context, "exhaustive", "distinct", kept,
                           (uint64_t)self->options.distinct));
    NI_TRY(nas_read_u64(from, &self->next));
    return ni_seen_load(&self->seen, from);
}

static nas_status exhaustive_describe(void *user, nas_sink *to) {
    const ni_exhaustive *self = user;
    return ni_sink_f(to, "architecture %llu of %llu is next\n", (unsigned long long)self->next,
                     (unsigned long long)self->count);
}

static void exhaustive_destroy(void *user) {
    ni_exhaustive *self = user;
    nas_context *context = self->context;
    ni_seen_free(&self->seen);
    ni_space_release(self->space);
    ni_free(context, self);
}

static const nas_controller_ops exhaustive_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .ask = exhaustive_ask,
    .save = exhaustive_save,
    .load = exhaustive_load,
    .describe = exhaustive_describe,
    .destroy = exhaustive_destroy,
};

void nas_exhaustive_options_init(nas_exhaustive_options *options) {
    *options = (nas_exhaustive_options)NAS_EXHAUSTIVE_OPTIONS_INIT;
}

nas_status nas_controller_exhaustive(nas_controller **out, const nas_space *space,
                                     const nas_exhaustive_options *given) {
    nas_context *context = ni_space_context(space);
    nas_exhaustive_options options = NAS_EXHAUSTIVE_OPTIONS_INIT;
    uint64_t count;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &options, sizeof options, sizeof options, given,
                      "nas_exhaustive_options"));
    if (options.distinct != 0 && options.distinct != 1)
        return ni_fail(context, NAS_E_INVALID, "distinct is %d, must be 0 or 1", options.distinct);
    NI_TRY(nas_space_count(space, &count, NULL, 0));
    if (options.first >= count)
        return ni_fail(context, NAS_E_INVALID, "first is %llu, but space '%s' has %llu, from 0",
                       (unsigned long long)options.first, nas_space_name(space),
                       (unsigned long long)count);
    ni_exhaustive *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->context = context;
    self->space = space;
    self->options = options;
    self->next = options.first;
    self->count = count;
    ni_space_hold(space);
    nas_status status = ni_seen_init(&self->seen, context);
    if (status < 0) {
        exhaustive_destroy(self);
        return status;
    }
    return ni_controller_make(out, context, "exhaustive", &exhaustive_ops, self);
}
