/* Random search: uniform samples of the space, with or without replacement.
 *
 * Without replacement it samples until sampling has found nothing new for a while, then lists what
 * is left of the space once, in a random order, and goes through that list: no candidate is left
 * out, and none comes twice. */
#include "controller.h"

enum { FORMAT = 1, FRUITLESS = 64, FRUITLESS_REAL = 100000 };
static const uint64_t most_listed = 1 << 24; /* indices of a space that are ever gone through */

typedef struct {
    nas_context *context;
    const nas_space *space;
    int32_t replacement;
    bool has_reals;
    uint64_t count; /* architectures; UINT64_MAX: too many to list */
    ni_seen seen;
    bool listed; /* sampling is over, `left` holds the indices still to be proposed, last first */
    NI_ARRAY(uint64_t) left;
} ni_random_search;

static nas_status propose(ni_random_search *self, nas_proposal_builder *out, nas_arch *arch) {
    nas_status status = nas_propose_arch(out, arch);
    if (status >= 0 && !self->replacement)
        status = ni_seen_add(&self->seen, ni_candidate_key(arch));
    nas_arch_free(arch);
    return status;
}

/* Every index whose architecture satisfies the constraints and is new, each network once, shuffled.
 */
static nas_status list_rest(ni_random_search *self, nas_random *stream) {
    nas_status status = NAS_OK;
    ni_seen found = {0};
    NI_GOTO(end, ni_seen_init(&found, self->context));
    for (uint64_t i = 0; i < self->count; i++) {
        nas_arch *arch;
        NI_GOTO(end, nas_space_at(self->space, i, &arch));
        uint64_t key = ni_candidate_key(arch);
        bool fresh = !ni_seen_has(&self->seen, key) && !ni_seen_has(&found, key) &&
                     nas_arch_check(arch) == NAS_OK;
        nas_arch_free(arch);
        if (!fresh) continue;
        NI_GOTO(end, ni_seen_add(&found, key));
        NI_GOTO(end, NI_PUSH(self->context, &self->left, i));
    }
    for (size_t i = self->left.n; i > 1; i--) {
        size_t j = (size_t)nas_random_below(stream, i);
        uint64_t swap = self->left.items[j];
        self->left.items[j] = self->left.items[i - 1];
        self->left.items[i - 1] = swap;
    }
    self->listed = true;
end:
    if (status < 0) self->left.n = 0;
    ni_seen_free(&found);
    return status;
}

static nas_status random_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    ni_random_search *self = user;
    bool can_list = !self->has_reals && self->count <= most_listed;
    uint32_t tries = can_list ? FRUITLESS : FRUITLESS_REAL;
    nas_arch *arch;
    if (self->replacement) tries = 1;
    for (uint32_t i = 0; i < tries && !self->listed; i++) {
        nas_status status = nas_space_sample(self->space, stream, &arch);
        if (status == NAS_E_INFEASIBLE && i > 0) break;
        if (status < 0) return status;
        if (self->replacement || !ni_seen_has(&self->seen, ni_candidate_key(arch)))
            return propose(self, out, arch);
        nas_arch_free(arch);
    }
    if (!self->listed) {
        if (!can_list) return NAS_DONE; /* so many samples, and nothing new */
        NI_TRY(list_rest(self, stream));
    }
    if (self->left.n == 0) return NAS_DONE;
    NI_TRY(nas_space_at(self->space, self->left.items[self->left.n - 1], &arch));
    NI_TRY(propose(self, out, arch));
    self->left.n--;
    return NAS_OK;
}

static nas_status random_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    ni_random_search *self = user;
    (void)got;
    if (self->replacement || nas_proposal_arch(asked) == NULL) return NAS_OK;
    return ni_seen_add(&self->seen, ni_candidate_key(nas_proposal_arch(asked)));
}

static nas_status random_save(void *user, nas_writer *to) {
    const ni_random_search *self = user;
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_u64(to, (uint64_t)self->replacement));
    NI_TRY(ni_seen_save(&self->seen, to));
    NI_TRY(nas_write_u64(to, self->listed));
    NI_TRY(nas_write_u64(to, self->left.n));
    for (size_t i = 0; i < self->left.n; i++)
        NI_TRY(nas_write_u64(to, self->left.items[i]));
    return NAS_OK;
}

static nas_status random_load(void *user, nas_reader *from) {
    ni_random_search *self = user;
    uint64_t format, replacement, listed, n, index;
    NI_TRY(nas_read_u64(from, &format));
    if (format != FORMAT)
        return ni_fail(self->context, NAS_E_VERSION,
                       "random search: state of format %llu, this library reads %d",
                       (unsigned long long)format, FORMAT);
    NI_TRY(nas_read_u64(from, &replacement));
    NI_TRY(ni_setting_same(self->context, "random", "replacement", replacement,
                           (uint64_t)self->replacement));
    NI_TRY(ni_seen_load(&self->seen, from));
    NI_TRY(nas_read_u64(from, &listed));
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        NI_TRY(nas_read_u64(from, &index));
        if (index >= self->count)
            return ni_fail(self->context, NAS_E_CORRUPT,
                           "random search: its state names architecture %llu of %llu",
                           (unsigned long long)index, (unsigned long long)self->count);
        NI_TRY(NI_PUSH(self->context, &self->left, index));
    }
    self->listed = listed != 0;
    return NAS_OK;
}

static nas_status random_describe(void *user, nas_sink *to) {
    const ni_random_search *self = user;
    if (self->replacement) return nas_sink_text(to, "uniform samples, with replacement\n");
    return ni_sink_f(to, "uniform samples, without replacement: %zu networks so far%s\n",
                     self->seen.keys.n, self->listed ? ", the rest listed" : "");
}

static void random_destroy(void *user) {
    ni_random_search *self = user;
    nas_context *context = self->context;
    ni_seen_free(&self->seen);
    NI_ARRAY_FREE(context, &self->left);
    ni_space_release(self->space);
    ni_free(context, self);
}

static const nas_controller_ops random_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .ask = random_ask,
    .tell = random_tell,
    .save = random_save,
    .load = random_load,
    .describe = random_describe,
    .destroy = random_destroy,
};

void nas_random_options_init(nas_random_options *options) {
    *options = (nas_random_options)NAS_RANDOM_OPTIONS_INIT;
}

nas_status nas_controller_random(nas_controller **out, const nas_space *space,
                                 const nas_random_options *given) {
    nas_context *context = ni_space_context(space);
    nas_random_options options = NAS_RANDOM_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(
        ni_options(context, &options, sizeof options, sizeof options, given, "nas_random_options"));
    if (options.replacement != 0 && options.replacement != 1)
        return ni_fail(context, NAS_E_INVALID, "replacement is %d, must be 0 or 1",
                       options.replacement);
    ni_random_search *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->context = context;
    self->space = space;
    self->replacement = options.replacement;
    ni_space_hold(space);
    nas_status status = ni_seen_init(&self->seen, context);
    if (status >= 0) {
        status = nas_space_count(space, &self->count, NULL, 0);
        if (status == NAS_E_LIMIT) {
            self->count = UINT64_MAX;
            status = NAS_OK;
        }
    }
    for (uint32_t d = 0; status >= 0 && d < nas_space_decisions(space); d++) {
        nas_decision about = {.struct_size = sizeof about};
        status = nas_space_decision(space, d, &about);
        self->has_reals |= status >= 0 && about.kind == NAS_DECISION_REAL;
    }
    if (status < 0) {
        random_destroy(self);
        return status;
    }
    return ni_controller_make(out, context, "random", &random_ops, self);
}
