/* NSGA-II: Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic
 * algorithm: NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002.
 *
 * A generation is `population` children. Each has two parents (crossover: each decision from
 * either) or one, chosen by binary tournaments on the crowded comparison: the lower rank, of equal
 * ranks the larger crowding distance; and is mutated. When all of a generation are told, parents
 * and children together are sorted into fronts of which none dominates another of its own; the next
 * parents are the best fronts, of the last that fits in part the least crowded.
 *
 * With several asks in flight the children of a generation are handed out together; the next one
 * waits for the last of them. What cannot be evaluated, or lacks one of the metrics, is dominated
 * by everything that has them (constraint domination, section VI). What vanished is replaced: one
 * more is asked. Results of proposals that were made elsewhere join the generation that is open. */
#include "controller.h"
#include <math.h>
#include <stdlib.h>

enum { FORMAT = 1, MOST_OBJECTIVES = 8 };

typedef struct {
    nas_arch *arch; /* held */
    uint64_t trial;
    double cost[MOST_OBJECTIVES]; /* smaller is better; INFINITY in all: infeasible */
    uint32_t rank;
    double crowding;
} ni_member;

typedef struct {
    nas_context *context;
    const nas_space *space;
    nas_nsga2_options options;
    char *objectives;
    char names[MOST_OBJECTIVES][64];
    bool minimise[MOST_OBJECTIVES];
    uint32_t n_objectives;
    NI_ARRAY(ni_member) members; /* n_parents parents, then the children told so far */
    size_t n_parents;
    NI_ARRAY(uint64_t) pending; /* turns */
    uint64_t generation;
    ni_seen seen;
} ni_nsga2;

/* ---- fronts
 * -------------------------------------------------------------------------------------------- */

static bool dominates(const ni_nsga2 *self, const ni_member *a, const ni_member *b) {
    bool better = false;
    for (uint32_t i = 0; i < self->n_objectives; i++) {
        if (a->cost[i] > b->cost[i]) return false;
        better |= a->cost[i] < b->cost[i];
    }
    return better;
}

/* Ranks from 0 (section III-A). The number of dominators is kept in `crowding` meanwhile. */
static void rank_all(ni_nsga2 *self) {
    size_t n = self->members.n, ranked = 0;
    ni_member *m = self->members.items;
    for (size_t i = 0; i < n; i++) {
        m[i].rank = UINT32_MAX;
        m[i].crowding = 0;
        for (size_t j = 0; j < n; j++)
            m[i].crowding += dominates(self, &m[j], &m[i]);
    }
    for (uint32_t rank = 0; ranked < n; rank++) {
        for (size_t i = 0; i < n; i++)
            if (m[i].rank == UINT32_MAX && m[i].crowding == 0) m[i].rank = rank;
        for (size_t i = 0; i < n; i++) {
            if (m[i].rank != rank) continue;
            ranked++;
            for (size_t j = 0; j < n; j++)
                if (m[j].rank == UINT32_MAX && dominates(self, &m[i], &m[j])) m[j].crowding--;
        }
    }
}

/* The nearest values on both sides, over the front's range, summed over the objectives (section
 * III-B). Quadratic in the front, without memory of its own. */
static void crowd_all(ni_nsga2 *self) {
    size_t n = self->members.n;
    ni_member *m = self->members.items;
    for (size_t i = 0; i < n; i++) {
        m[i].crowding = 0;
        for (uint32_t k = 0; k < self->n_objectives; k++) {
            double low = INFINITY, high = -INFINITY, below = -INFINITY, above = INFINITY;
            for (size_t j = 0; j < n; j++) {
                if (m[j].rank != m[i].rank) continue;
                double c = m[j].cost[k];
                if (c < low) low = c;
                if (c > high) high = c;
                if (j == i) continue;
                /* Of equal values the earlier member counts as the smaller one. */
                bool smaller = c < m[i].cost[k] || (c == m[i].cost[k] && j < i);
                if (smaller && c > below) below = c;
                if (!smaller && c < above) above = c;
            }
            if (isinf(below) || isinf(above))
                m[i].crowding = INFINITY;
            else if (high > low)
                m[i].crowding += (above - below) / (high - low);
        }
    }
}

/* < 0: a comes before b. The trial decides between equals, so that the order is one. */
static int crowded(const ni_member *a, const ni_member *b) {
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    if (a->crowding != b->crowding) return a->crowding > b->crowding ? -1 : 1;
    return a->trial < b->trial ? -1 : a->trial > b->trial;
}

static int by_crowding(const void *a, const void *b) {
    return crowded(a, b);
}

static void next_generation(ni_nsga2 *self) {
    rank_all(self);
    crowd_all(self);
    qsort(self->members.items, self->members.n, sizeof *self->members.items, by_crowding);
    while (self->members.n > self->options.population)
        nas_arch_free(self->members.items[--self->members.n].arch);
    self->n_parents = self->members.n;
    self->generation++;
}

/* ---- ask
 * -----------------------------------------------------------------------------------------------
 */

static const ni_member *tournament(const ni_nsga2 *self, nas_random *stream) {
    const ni_member *a = &self->members.items[nas_random_below(stream, self->n_parents)];
    const ni_member *b = &self->members.items[nas_random_below(stream, self->n_parents)];
    return crowded(b, a) < 0 ? b : a;
}

static nas_status breed(ni_nsga2 *self, nas_random *stream, const ni_member **parent,
                        nas_arch **out) {
    *parent = NULL;
    if (self->n_parents == 0) return nas_space_sample(self->space, stream, out);
    *parent = tournament(self, stream);
    const ni_member *other = tournament(self, stream);
    if (nas_random_uniform(stream) >= self->options.crossover)
        return nas_space_mutate(self->space, (*parent)->arch, stream, out);
    NI_TRY(nas_space_crossover(self->space, (*parent)->arch, other->arch, stream, out));
    if (nas_random_uniform(stream) >= self->options.mutation) return NAS_OK;
    nas_arch *child = *out;
    nas_status status = nas_space_mutate(self->space, child, stream, out);
    nas_arch_free(child);
    return status;
}

static nas_status nsga2_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    ni_nsga2 *self = user;
    const ni_member *parent;
    nas_arch *arch;
    if (self->members.n - self->n_parents + self->pending.n >= self->options.population) {
        if (self->pending.n) return NAS_WAIT;
        next_generation(self);
    }
    NI_TRY(breed(self, stream, &parent, &arch));
    uint64_t key = ni_candidate_key(arch);
    for (uint32_t i = 0; self->options.distinct && i < self->options.retries; i++) {
        if (!ni_seen_has(&self->seen, key)) break;
        nas_arch_free(arch);
        NI_TRY(breed(self, stream, &parent, &arch));
        key = ni_candidate_key(arch);
    }
    nas_status status;
    NI_GOTO(end, nas_propose_arch(out, arch));
    if (parent) NI_GOTO(end, nas_propose_parent(out, parent->trial));
    if (self->options.distinct) NI_GOTO(end, ni_seen_add(&self->seen, key));
    NI_GOTO(end, NI_PUSH(self->context, &self->pending, nas_propose_turn(out)));
end:
    nas_arch_free(arch);
    return status;
}

/* ---- tell
 * -------------------------------------------------------------------------------------------------
 */

static nas_status nsga2_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    ni_nsga2 *self = user;
    const nas_arch *arch = nas_proposal_arch(asked);
    ni_member one = {NULL, nas_proposal_trial(asked), {0}, 0, 0};
    bool whole = nas_result_state(got) != NAS_STATE_INFEASIBLE;
    for (uint32_t k = 0; whole && k < self->n_objectives; k++) {
        whole = nas_result_metric(got, self->names[k], &one.cost[k]) == NAS_OK;
        if (!self->minimise[k]) one.cost[k] = -one.cost[k];
    }
    for (uint32_t k = 0; !whole && k < self->n_objectives; k++)
        one.cost[k] = INFINITY;
    if (arch && nas_result_reason(got) != NAS_REASON_VANISHED) {
        if (self->options.distinct) NI_TRY(ni_seen_add(&self->seen, ni_candidate_key(arch)));
        one.arch = (nas_arch *)(uintptr_t)arch;
        NI_TRY(NI_PUSH(self->context, &self->members, one));
        nas_arch_hold(one.arch);
    }
    for (size_t i = 0; i < self->pending.n; i++)
        if (self->pending.items[i] == nas_proposal_turn(asked)) {
            memmove(&self->pending.items[i], &self->pending.items[i + 1],
                    (--self->pending.n - i) * sizeof *self->pending.items);
            break;
        }
    return NAS_OK;
}

/* ---- state
 * --------------------------------------------------------------------------------------------------
 */

static nas_status nsga2_save(void *user, nas_writer *to) {
    const ni_nsga2 *self = user;
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_u64(to, self->options.population));
    NI_TRY(nas_write_u64(to, (uint64_t)self->options.distinct));
    NI_TRY(nas_write_u64(to, self->options.retries));
    NI_TRY(nas_write_u64(to, ni_hash(&self->options.crossover, sizeof(double))));
    NI_TRY(nas_write_u64(to, ni_hash(&self->options.mutation, sizeof(double))));
    NI_TRY(nas_write_u64(to, ni_hash_text(self->objectives)));
    NI_TRY(nas_write_u64(to, self->generation));
    NI_TRY(nas_write_u64(to, self->n_parents));
    NI_TRY(nas_write_u64(to, self->members.n));
    for (size_t i = 0; i < self->members.n; i++) {
        const ni_member *one = &self->members.items[i];
        NI_TRY(nas_write_arch(to, one->arch));
        NI_TRY(nas_write_u64(to, one->trial));
        NI_TRY(nas_write_f64s(to, one->cost, self->n_objectives));
        NI_TRY(nas_write_u64(to, one->rank));
        NI_TRY(nas_write_f64(to, one->crowding));
    }
    NI_TRY(nas_write_u64(to, self->pending.n));
    for (size_t i = 0; i < self->pending.n; i++)
        NI_TRY(nas_write_u64(to, self->pending.items[i]));
    return ni_seen_save(&self->seen, to);
}

static nas_status load_member(ni_nsga2 *self, nas_reader *from) {
    ni_member one = {NULL, 0, {0}, 0, 0};
    uint64_t rank;
    nas_status status;
    NI_TRY(nas_read_arch(from, self->space, &one.arch));
    NI_GOTO(end, nas_read_u64(from, &one.trial));
    NI_GOTO(end, nas_read_f64s(from, one.cost, self->n_objectives));
    NI_GOTO(end, nas_read_u64(from, &rank));
    NI_GOTO(end, nas_read_f64(from, &one.crowding));
    one.rank = (uint32_t)rank;
    status = NI_PUSH(self->context, &self->members, one);
end:
    if (status < 0) nas_arch_free(one.arch);
    return status;
}

static nas_status nsga2_load(void *user, nas_reader *from) {
    ni_nsga2 *self = user;
    static const char *const names[] = {"population", "distinct", "retries",
                                        "crossover",  "mutation", "objectives"};
    const uint64_t now[] = {self->options.population,
                            (uint64_t)self->options.distinct,
                            self->options.retries,
                            ni_hash(&self->options.crossover, sizeof(double)),
                            ni_hash(&self->options.mutation, sizeof(double)),
                            ni_hash_text(self->objectives)};
    uint64_t format, n, kept;
    NI_TRY(nas_read_u64(from, &format));
    if (format != FORMAT)
        return ni_fail(self->context, NAS_E_VERSION,
                       "nsga2: state of format %llu, this library reads %d",
                       (unsigned long long)format, FORMAT);
    for (size_t i = 0; i < NI_COUNT(names); i++) {
        NI_TRY(nas_read_u64(from, &kept));
        if (kept != now[i] && i >= 3)
            return ni_fail(self->context, NAS_E_STATE,
                           "controller \"nsga2\": %s was another one when its state was saved",
                           names[i]);
        NI_TRY(ni_setting_same(self->context, "nsga2", names[i], kept, now[i]));
    }
    while (self->members.n) /* what a warm start brought: the state has it */
        nas_arch_free(self->members.items[--self->members.n].arch);
    self->pending.n = self->n_parents = 0;
    NI_TRY(nas_read_u64(from, &self->generation));
    NI_TRY(nas_read_u64(from, &kept));
    NI_TRY(nas_read_u64(from, &n));
    if (kept > n || kept > self->options.population)
        return ni_fail(self->context, NAS_E_CORRUPT, "nsga2: its state has %llu parents of %llu",
                       (unsigned long long)kept, (unsigned long long)n);
    for (uint64_t i = 0; i < n; i++)
        NI_TRY(load_member(self, from));
    self->n_parents = (size_t)kept;
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        NI_TRY(nas_read_u64(from, &kept));
        NI_TRY(NI_PUSH(self->context, &self->pending, kept));
    }
    return ni_seen_load(&self->seen, from);
}

static nas_status nsga2_describe(void *user, nas_sink *to) {
    const ni_nsga2 *self = user;
    nas_status status =
        ni_sink_f(to, "generation %llu: %zu parents, %zu children, %zu in flight; %s\n",
                  (unsigned long long)self->generation, self->n_parents,
                  self->members.n - self->n_parents, self->pending.n, self->objectives);
    for (size_t i = 0; status >= 0 && i < self->n_parents; i++)
        if (self->members.items[i].rank == 0 && self->members.items[i].trial == NAS_TRIAL_NONE)
            status = ni_sink_f(to, "first front: of an earlier search: %s\n",
                               nas_arch_text(self->members.items[i].arch));
        else if (self->members.items[i].rank == 0)
            status = ni_sink_f(to, "first front: trial %llu: %s\n",
                               (unsigned long long)self->members.items[i].trial,
                               nas_arch_text(self->members.items[i].arch));
    return status;
}

static void nsga2_destroy(void *user) {
    ni_nsga2 *self = user;
    nas_context *context = self->context;
    for (size_t i = 0; i < self->members.n; i++)
        nas_arch_free(self->members.items[i].arch);
    NI_ARRAY_FREE(context, &self->members);
    NI_ARRAY_FREE(context, &self->pending);
    ni_seen_free(&self->seen);
    ni_free(context, self->objectives);
    ni_space_release(self->space);
    ni_free(context, self);
}

static const nas_controller_ops nsga2_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .ask = nsga2_ask,
    .tell = nsga2_tell,
    .save = nsga2_save,
    .load = nsga2_load,
    .describe = nsga2_describe,
    .destroy = nsga2_destroy,
};

/* ---- making one
 * ------------------------------------------------------------------------------------------------------
 */

void nas_nsga2_options_init(nas_nsga2_options *options) {
    *options = (nas_nsga2_options)NAS_NSGA2_OPTIONS_INIT;
}

static nas_status read_objectives(ni_nsga2 *self, const char *text) {
    self->objectives = ni_strdup(self->context, text);
    if (self->objectives == NULL) return NAS_E_MEMORY;
    for (;;) {
        size_t n = strcspn(text, ",");
        bool minus = *text == '-';
        const char *name = text + minus;
        size_t length = n - minus;
        if (n < 1 + (size_t)minus || length > 63 || self->n_objectives == MOST_OBJECTIVES)
            return ni_fail(self->context, NAS_E_INVALID,
                           "objectives is \"%s\", must be 1 to %d metrics between commas, with a - "
                           "before those that are to be small",
                           self->objectives, MOST_OBJECTIVES);
        memcpy(self->names[self->n_objectives], name, length);
        self->minimise[self->n_objectives++] = minus;
        if (text[n] == 0) return NAS_OK;
        text += n + 1;
    }
}

nas_status nas_controller_nsga2(nas_controller **out, const nas_space *space,
                                const nas_nsga2_options *given) {
    nas_context *context = ni_space_context(space);
    nas_nsga2_options o = NAS_NSGA2_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, given, "nas_nsga2_options"));
    if (o.population < 2 || o.population > 100000)
        return ni_fail(context, NAS_E_INVALID, "population is %u, must be in 2 .. 100000",
                       o.population);
    if (o.retries > 1000000)
        return ni_fail(context, NAS_E_INVALID, "retries is %u, must be in 0 .. 1000000", o.retries);
    if ((o.distinct != 0 && o.distinct != 1) || !(o.crossover >= 0 && o.crossover <= 1) ||
        !(o.mutation >= 0 && o.mutation <= 1))
        return ni_fail(context, NAS_E_INVALID,
                       "distinct must be 0 or 1, crossover and mutation in 0 .. 1");
    ni_nsga2 *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->context = context;
    self->space = space;
    self->options = o;
    self->options.objectives = NULL;
    ni_space_hold(space);
    nas_status status = ni_seen_init(&self->seen, context);
    if (status >= 0)
        status = read_objectives(self, o.objectives ? o.objectives : "accuracy,-params");
    if (status < 0) {
        nsga2_destroy(self);
        return status;
    }
    return ni_controller_make(out, context, "nsga2", &nsga2_ops, self);
}
