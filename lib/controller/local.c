/* Local search: White et al., "Exploring the loss landscape in neural architecture search", UAI
 * 2021, algorithm 1: the best of `initial` random networks, then all of its neighbours (those that
 * differ in one decision, in a random order), on to a better one, until there is none; then anew
 * from random networks.
 *
 * Nothing is evaluated twice: a score that is known (of an isomorphic network too, where distinct =
 * 1) stands for every time that the network is met again, in later climbs as well. A climb goes on
 * from the first neighbour that is better, or, with whole = 1, from the best of all of them.
 *
 * With several asks in flight neighbours are handed out ahead of their results; when all are out,
 * an ask waits. What cannot be evaluated, and what vanished, has score -infinity. Results of
 * proposals that were made elsewhere are known scores: that is how a warm start works, and the
 * first climb begins from the best of them. */
#include "controller.h"
#include <math.h>

enum { FORMAT = 1, RESTARTS = 1000, FRESH_DRAWS = 64 };

typedef struct {
    nas_arch *arch; /* held */
    uint64_t key;
    bool asked;
} ni_candidate;
typedef struct {
    uint64_t turn, key;
} ni_pending;
typedef struct {
    double score;
    uint64_t trial;
} ni_known;

typedef struct {
    nas_context *context;
    const nas_space *space;
    nas_local_search_options options;
    ni_map *index; /* key to its place in keys and scores */
    NI_ARRAY(uint64_t) keys;
    NI_ARRAY(ni_known) scores;
    NI_ARRAY(ni_pending) pending;
    nas_arch *at; /* held; NULL: a climb is to begin */
    double score;
    uint64_t trial;                    /* of `at` */
    NI_ARRAY(ni_candidate) candidates; /* random ones while at is NULL, else neighbours */
    nas_arch *warm; /* best that was told from elsewhere before the first climb */
    double warm_score;
    uint64_t climbs, steps;
} ni_local;

static uint64_t key_of(const ni_local *self, const nas_arch *arch) {
    return self->options.distinct ? ni_candidate_key(arch) : nas_arch_hash(arch);
}

static bool known(const ni_local *self, uint64_t key, double *score) {
    uint64_t place;
    if (!ni_map_get(self->index, key, &place)) return false;
    *score = self->scores.items[place].score;
    return true;
}

static nas_status learn(ni_local *self, uint64_t key, ni_known now) {
    uint64_t place;
    if (ni_map_get(self->index, key, &place)) {
        if (now.score > self->scores.items[place].score) self->scores.items[place] = now;
        return NAS_OK;
    }
    NI_TRY(NI_PUSH(self->context, &self->keys, key));
    nas_status status = NI_PUSH(self->context, &self->scores, now);
    if (status >= 0) status = ni_map_put(self->index, key, self->keys.n - 1);
    if (status < 0) self->scores.n = --self->keys.n;
    return status;
}

static void drop_candidates(ni_local *self) {
    for (size_t i = 0; i < self->candidates.n; i++)
        nas_arch_free(self->candidates.items[i].arch);
    self->candidates.n = 0;
}

static nas_status add_candidate(ni_local *self, nas_arch *arch) {
    ni_candidate one = {arch, key_of(self, arch), false};
    nas_status status = NI_PUSH(self->context, &self->candidates, one);
    if (status < 0) nas_arch_free(arch);
    return status;
}

/* ---- where the climb stands
 * ---------------------------------------------------------------------------------- */

static nas_status list_neighbours(ni_local *self, nas_random *stream) {
    uint64_t n;
    drop_candidates(self);
    NI_TRY(nas_space_neighbors(self->space, self->at, &n));
    for (uint64_t i = 0; i < n; i++) {
        nas_arch *arch;
        nas_status status = nas_space_neighbor(self->space, self->at, i, &arch);
        if (status == NAS_E_INFEASIBLE) continue;
        NI_TRY(status);
        NI_TRY(add_candidate(self, arch));
    }
    for (size_t i = self->candidates.n; i > 1; i--) {
        size_t j = (size_t)nas_random_below(stream, i);
        ni_candidate swap = self->candidates.items[j];
        self->candidates.items[j] = self->candidates.items[i - 1];
        self->candidates.items[i - 1] = swap;
    }
    return NAS_OK;
}

/* Random networks to begin with; networks that are not known yet, while some are found. */
static nas_status list_random(ni_local *self, nas_random *stream) {
    drop_candidates(self);
    for (uint32_t i = 0; i < self->options.initial; i++) {
        nas_arch *arch = NULL;
        double score;
        for (int draw = 0; draw < FRESH_DRAWS; draw++) {
            nas_arch_free(arch);
            NI_TRY(nas_space_sample(self->space, stream, &arch));
            if (!known(self, key_of(self, arch), &score)) break;
        }
        NI_TRY(add_candidate(self, arch));
    }
    return NAS_OK;
}

static void stand(ni_local *self, nas_arch *arch, uint64_t key) {
    uint64_t place = 0;
    (void)ni_map_get(self->index, key, &place); /* it is known */
    nas_arch_hold(arch);
    nas_arch_free(self->at);
    self->at = arch;
    self->score = self->scores.items[place].score;
    self->trial = self->scores.items[place].trial;
    self->steps++;
}

/* The best of the candidates with a score; *open: how many have none yet. */
static const ni_candidate *best_candidate(const ni_local *self, double *best, size_t *open) {
    const ni_candidate *found = NULL;
    *open = 0;
    for (size_t i = 0; i < self->candidates.n; i++) {
        double score;
        if (!known(self, self->candidates.items[i].key, &score)) {
            ++*open;
        } else if (found == NULL || score > *best) {
            found = &self->candidates.items[i];
            *best = score;
        }
    }
    return found;
}

/* Moves as far as what is known allows. NAS_OK: there are candidates without a score. NAS_DONE:
 * nothing new is found any more. */
static nas_status climb(ni_local *self, nas_random *stream) {
    for (uint32_t fruitless = 0; fruitless < RESTARTS;) {
        double best = -INFINITY;
        size_t open;
        const ni_candidate *found = best_candidate(self, &best, &open);
        if (self->at == NULL && self->candidates.n == 0) { /* a climb begins */
            self->climbs++;
            fruitless++;
            if (self->warm) {
                stand(self, self->warm, key_of(self, self->warm));
                nas_arch_free(self->warm);
                self->warm = NULL;
                NI_TRY(list_neighbours(self, stream));
            } else {
                NI_TRY(list_random(self, stream));
            }
            continue;
        }
        bool better = found && (self->at == NULL || best > self->score);
        if (self->at == NULL || self->options.whole ? open > 0 : open > 0 && !better) return NAS_OK;
        if (better && best > -INFINITY) {
            stand(self, found->arch, found->key);
            NI_TRY(list_neighbours(self, stream));
            continue;
        }
        nas_arch_free(self->at); /* a local optimum, or nothing that can be evaluated */
        self->at = NULL;
        drop_candidates(self);
    }
    return NAS_DONE;
}

/* ---- ask, tell
 * ------------------------------------------------------------------------------------------- */

static bool in_flight(const ni_local *self, uint64_t key) {
    for (size_t i = 0; i < self->pending.n; i++)
        if (self->pending.items[i].key == key) return true;
    return false;
}

static nas_status local_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    ni_local *self = user;
    double score;
    nas_status status = climb(self, stream);
    if (status != NAS_OK) return status == NAS_DONE && self->pending.n ? NAS_WAIT : status;
    for (size_t i = 0; i < self->candidates.n; i++) {
        ni_candidate *one = &self->candidates.items[i];
        if (one->asked || known(self, one->key, &score)) continue;
        one->asked = true;
        if (in_flight(self, one->key)) continue; /* an earlier ask's result will serve */
        ni_pending pending = {nas_propose_turn(out), one->key};
        NI_TRY(nas_propose_arch(out, one->arch));
        if (self->at) NI_TRY(nas_propose_parent(out, self->trial));
        return NI_PUSH(self->context, &self->pending, pending);
    }
    return NAS_WAIT;
}

static nas_status local_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    ni_local *self = user;
    const nas_arch *arch = nas_proposal_arch(asked);
    double score = nas_result_score(got);
    bool own = false;
    if (arch == NULL) return NAS_OK;
    if (isnan(score)) score = -INFINITY;
    uint64_t key = key_of(self, arch);
    ni_known now = {score, nas_proposal_trial(asked)};
    NI_TRY(learn(self, key, now));
    for (size_t i = 0; i < self->pending.n && !own; i++)
        if (self->pending.items[i].turn == nas_proposal_turn(asked)) {
            own = true;
            memmove(&self->pending.items[i], &self->pending.items[i + 1],
                    (--self->pending.n - i) * sizeof *self->pending.items);
        }
    if (own || self->climbs > 0 || score == -INFINITY) return NAS_OK;
    if (self->warm && score <= self->warm_score) return NAS_OK;
    nas_arch_free(self->warm);
    self->warm = nas_arch_hold((nas_arch *)(uintptr_t)arch);
    self->warm_score = score;
    return NAS_OK;
}

/* ---- state
 * ------------------------------------------------------------------------------------------------
 */

static nas_status write_maybe(nas_writer *to, const nas_arch *arch) {
    NI_TRY(nas_write_u64(to, arch != NULL));
    return arch ? nas_write_arch(to, arch) : NAS_OK;
}

static nas_status read_maybe(const ni_local *self, nas_reader *from, nas_arch **out) {
    uint64_t there;
    NI_TRY(nas_read_u64(from, &there));
    *out = NULL;
    return there ? nas_read_arch(from, self->space, out) : NAS_OK;
}

static nas_status local_save(void *user, nas_writer *to) {
    const ni_local *self = user;
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_u64(to, self->options.initial));
    NI_TRY(nas_write_u64(to, (uint64_t)self->options.whole));
    NI_TRY(nas_write_u64(to, (uint64_t)self->options.distinct));
    NI_TRY(nas_write_u64(to, self->climbs));
    NI_TRY(nas_write_u64(to, self->steps));
    NI_TRY(nas_write_u64(to, self->keys.n));
    for (size_t i = 0; i < self->keys.n; i++) {
        NI_TRY(nas_write_u64(to, self->keys.items[i]));
        NI_TRY(nas_write_f64(to, self->scores.items[i].score));
        NI_TRY(nas_write_u64(to, self->scores.items[i].trial));
    }
    NI_TRY(nas_write_u64(to, self->pending.n));
    for (size_t i = 0; i < self->pending.n; i++) {
        NI_TRY(nas_write_u64(to, self->pending.items[i].turn));
        NI_TRY(nas_write_u64(to, self->pending.items[i].key));
    }
    NI_TRY(write_maybe(to, self->at));
    NI_TRY(nas_write_f64(to, self->score));
    NI_TRY(nas_write_u64(to, self->trial));
    NI_TRY(nas_write_u64(to, self->candidates.n));
    for (size_t i = 0; i < self->candidates.n; i++) {
        NI_TRY(nas_write_arch(to, self->candidates.items[i].arch));
        NI_TRY(nas_write_u64(to, self->candidates.items[i].asked));
    }
    NI_TRY(write_maybe(to, self->warm));
    return nas_write_f64(to, self->warm_score);
}

static nas_status local_load(void *user, nas_reader *from) {
    ni_local *self = user;
    const nas_local_search_options *o = &self->options;
    static const char *const names[] = {"initial", "whole", "distinct"};
    const uint64_t now[] = {o->initial, (uint64_t)o->whole, (uint64_t)o->distinct};
    uint64_t format, n, value;
    ni_known one;
    NI_TRY(nas_read_u64(from, &format));
    if (format != FORMAT)
        return ni_fail(self->context, NAS_E_VERSION,
                       "local search: state of format %llu, this library reads %d",
                       (unsigned long long)format, FORMAT);
    for (size_t i = 0; i < NI_COUNT(names); i++) {
        NI_TRY(nas_read_u64(from, &value));
        NI_TRY(ni_setting_same(self->context, "local-search", names[i], value, now[i]));
    }
    /* What a warm start brought: the state has it. */
    ni_map *index;
    NI_TRY(ni_map_create(&index, self->context));
    ni_map_free(self->index);
    self->index = index;
    self->keys.n = self->scores.n = self->pending.n = 0;
    drop_candidates(self);
    nas_arch_free(self->at);
    nas_arch_free(self->warm);
    self->at = self->warm = NULL;
    NI_TRY(nas_read_u64(from, &self->climbs));
    NI_TRY(nas_read_u64(from, &self->steps));
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        NI_TRY(nas_read_u64(from, &value));
        NI_TRY(nas_read_f64(from, &one.score));
        NI_TRY(nas_read_u64(from, &one.trial));
        NI_TRY(learn(self, value, one));
    }
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        ni_pending pending;
        NI_TRY(nas_read_u64(from, &pending.turn));
        NI_TRY(nas_read_u64(from, &pending.key));
        NI_TRY(NI_PUSH(self->context, &self->pending, pending));
    }
    NI_TRY(read_maybe(self, from, &self->at));
    NI_TRY(nas_read_f64(from, &self->score));
    NI_TRY(nas_read_u64(from, &self->trial));
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        nas_arch *arch;
        NI_TRY(nas_read_arch(from, self->space, &arch));
        NI_TRY(add_candidate(self, arch));
        NI_TRY(nas_read_u64(from, &value));
        self->candidates.items[i].asked = value != 0;
    }
    NI_TRY(read_maybe(self, from, &self->warm));
    return nas_read_f64(from, &self->warm_score);
}

static nas_status local_describe(void *user, nas_sink *to) {
    const ni_local *self = user;
    return ni_sink_f(to, "climb %llu, step %llu; %zu networks known, %zu in flight%s%s\n",
                     (unsigned long long)self->climbs, (unsigned long long)self->steps,
                     self->keys.n, self->pending.n, self->at ? "; at " : "",
                     self->at ? nas_arch_text(self->at) : "");
}

static void local_destroy(void *user) {
    ni_local *self = user;
    nas_context *context = self->context;
    drop_candidates(self);
    NI_ARRAY_FREE(context, &self->candidates);
    NI_ARRAY_FREE(context, &self->pending);
    NI_ARRAY_FREE(context, &self->keys);
    NI_ARRAY_FREE(context, &self->scores);
    ni_map_free(self->index);
    nas_arch_free(self->at);
    nas_arch_free(self->warm);
    ni_space_release(self->space);
    ni_free(context, self);
}

static const nas_controller_ops local_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .ask = local_ask,
    .tell = local_tell,
    .save = local_save,
    .load = local_load,
    .describe = local_describe,
    .destroy = local_destroy,
};

void nas_local_search_options_init(nas_local_search_options *options) {
    *options = (nas_local_search_options)NAS_LOCAL_SEARCH_OPTIONS_INIT;
}

nas_status nas_controller_local_search(nas_controller **out, const nas_space *space,
                                       const nas_local_search_options *given) {
    nas_context *context = ni_space_context(space);
    nas_local_search_options options = NAS_LOCAL_SEARCH_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &options, sizeof options, sizeof options, given,
                      "nas_local_search_options"));
    if (options.initial < 1 || options.initial > 1000000)
        return ni_fail(context, NAS_E_INVALID, "initial is %u, must be in 1 .. 1000000",
                       options.initial);
    if ((options.whole != 0 && options.whole != 1) ||
        (options.distinct != 0 && options.distinct != 1))
        return ni_fail(context, NAS_E_INVALID, "whole and distinct must be 0 or 1, are %d and %d",
                       options.whole, options.distinct);
    ni_local *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->context = context;
    self->space = space;
    self->options = options;
    self->trial = NAS_TRIAL_NONE;
    ni_space_hold(space);
    nas_status status = ni_map_create(&self->index, context);
    if (status < 0) {
        local_destroy(self);
        return status;
    }
    return ni_controller_make(out, context, "local-search", &local_ops, self);
}
