/* Regularized (aging) evolution: Real et al., "Regularized evolution for image classifier
 * architecture search", AAAI 2019, algorithm 1.
 *
 * The population is a queue. First come random individuals; then each ask draws `sample`
 * individuals, takes the first of the best as the parent, and proposes a mutation of it. Each
 * result is appended on the right, and the leftmost, the oldest, dies. Nothing is kept for being
 * good: the answer is the best of the history, which the search keeps.
 *
 * With several asks in flight the individuals asked for count towards the initial population; once
 * they are enough, parents are drawn from those already told, and an ask before the first of them
 * is answered WAIT. An individual that cannot be evaluated enters with score -infinity, so that it
 * ages like any other and is a parent only among its like. One that vanished says nothing of its
 * network: it does not enter. Results of proposals that were made elsewhere enter too: that is how
 * a warm-up hands over.
 *
 * Two kinds that do not age are beside it: death = worst (plain evolution: the worst of all dies)
 * and death = loser (tournaments: the best of a sample is the parent, the worst of another one
 * dies; Real et al., "Large-scale evolution of image classifiers", ICML 2017, section 3.1, where
 * both come from the same pair). The loser is drawn when the result is told, from the stream of the
 * ask before it. */
#include "controller.h"
#include <math.h>

enum { FORMAT = 2 };

typedef struct {
    nas_arch *arch; /* held */
    double score;
    uint64_t trial;
} ni_individual;

typedef struct {
    nas_context *context;
    const nas_space *space;
    nas_evolution_options options;
    /* The queue, as a ring of options.population: the oldest at `oldest`. */
    ni_individual *ring;
    uint32_t oldest, alive;
    uint32_t *draw;             /* scratch: the ages of a sample; without replacement, of all */
    NI_ARRAY(uint64_t) pending; /* turns asked here and not yet told */
    ni_seen seen;               /* where distinct = 1 */
    uint64_t born;
    char *mutation;   /* options.mutation, NULL: uniform */
    bool conditional; /* some decisions of the space have a condition */
    uint64_t losers;  /* seed of the draw of who dies, where death = LOSER */
} ni_evolution;

static const ni_individual *individual(const ni_evolution *self, uint32_t age) {
    uint32_t at = self->oldest + age, n = self->options.population;
    return &self->ring[at - (n & (0u - (uint32_t)(at >= n)))]; /* a branch here is a coin's */
}

/* ---- ask
 * -------------------------------------------------------------------------------------------- */

/* First maximum of `sample` draws. */
static const ni_individual *draw_parent(ni_evolution *self, nas_random *stream) {
    uint32_t draws = self->options.sample, *ages = self->draw;
    if (self->options.replacement) {
        ni_random_below_many(stream, self->alive, ages, draws);
    } else {
        if (draws > self->alive) draws = self->alive;
        for (uint32_t i = 0; i < self->alive; i++)
            ages[i] = i;
        for (uint32_t i = 0; i < draws; i++) {
            uint32_t j = i + (uint32_t)nas_random_below(stream, self->alive - i), age = ages[j];
            ages[j] = ages[i];
            ages[i] = age;
        }
    }
    const ni_individual *best = individual(self, ages[0]);
    double most = best->score;
    for (uint32_t i = 1; i < draws; i++) {
        const ni_individual *one = individual(self, ages[i]);
        if (one->score > most) best = one, most = one->score;
    }
    return best;
}

/* A random individual (parent NULL) or a child of *parent. */
static nas_status draw_one(ni_evolution *self, nas_random *stream, bool initial,
                           const ni_individual **parent, nas_arch **out) {
    *parent = NULL;
    if (initial) return nas_space_sample(self->space, stream, out);
    *parent = draw_parent(self, stream);
    NI_TRY(nas_space_mutate_as(self->space, (*parent)->arch, self->mutation, stream, out));
    for (uint32_t i = 1; i < self->options.mutations; i++) {
        nas_arch *next;
        nas_status status = nas_space_mutate_as(self->space, *out, self->mutation, stream, &next);
        nas_arch_free(*out);
        if (status < 0) return status;
        *out = next;
    }
    return NAS_OK;
}

/* "mutation of 7: kernel = 5x5" */
static nas_status note_mutation(ni_evolution *self, nas_proposal_builder *out,
                                const ni_individual *parent, const nas_arch *child) {
    ni_text note;
    uint32_t n = nas_space_decisions(self->space), listed = 0;
    nas_status status = NAS_OK;
    char room[256];
    ni_text_lend(&note, self->context, room, sizeof room);
    ni_text_put(&note, "mutation of ");
    if (parent->trial == NAS_TRIAL_NONE)
        ni_text_put(&note, "an earlier search's");
    else
        ni_text_u64(&note, parent->trial + 1); /* people count trials from 1, as reports do */
    const nas_value *was = ni_arch_values(parent->arch), *is = ni_arch_values(child);
    for (uint32_t d = 0; d < n && listed < 4; d++) {
        bool equal = was[d].integer == is[d].integer && was[d].real == is[d].real;
        if (equal && !self->conditional) continue;
        const nas_decision *about = ni_space_decision(self->space, d);
        if (equal && about->condition < 0) continue;
        if (!nas_arch_active(child, d) || (equal && nas_arch_active(parent->arch, d))) continue;
        ni_text_add_n(&note, listed ? ", " : ": ", 2);
        ni_text_add(&note, about->name);
        ni_text_put(&note, " = ");
        if (about->kind == NAS_DECISION_REAL)
            ni_text_f64(&note, is[d].real);
        else if (about->kind == NAS_DECISION_INTEGER)
            ni_text_i64(&note, is[d].integer);
        else
            ni_text_add(&note, about->alternatives[is[d].integer]);
        listed++;
    }
    status = note.status;
    if (status >= 0) status = nas_propose_note(out, ni_text_get(&note));
    ni_text_free(&note);
    return status;
}

static nas_status evolution_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    ni_evolution *self = user;
    bool initial = (uint64_t)self->alive + self->pending.n < self->options.population;
    const ni_individual *parent = NULL;
    nas_arch *arch = NULL;
    nas_status status;
    if (!initial && self->alive == 0) return NAS_WAIT;
    NI_TRY(draw_one(self, stream, initial, &parent, &arch));
    uint64_t key = self->options.distinct ? ni_candidate_key(arch) : 0;
    for (uint32_t i = 0; self->options.distinct && i < self->options.retries; i++) {
        if (!ni_seen_has(&self->seen, key)) break;
        nas_arch_free(arch);
        NI_TRY(draw_one(self, stream, initial, &parent, &arch));
        key = ni_candidate_key(arch);
    }
    NI_GOTO(end, nas_propose_arch(out, arch));
    if (parent) {
        if (parent->trial != NAS_TRIAL_NONE) NI_GOTO(end, nas_propose_parent(out, parent->trial));
        NI_GOTO(end, note_mutation(self, out, parent, arch));
    }
    if (self->options.distinct) NI_GOTO(end, ni_seen_add(&self->seen, key));
    NI_GOTO(end, NI_PUSH(self->context, &self->pending, nas_propose_turn(out)));
    if (self->options.death == NAS_DEATH_LOSER) self->losers = nas_random_u64(stream);
end:
    nas_arch_free(arch);
    return status;
}

/* Its place in age of who dies: 0 the oldest. */
static uint32_t who_dies(const ni_evolution *self) {
    const nas_evolution_options *o = &self->options;
    nas_random stream;
    uint32_t worst = 0;
    if (o->death == NAS_DEATH_OLDEST) return 0;
    ni_random_init(&stream, self->losers, self->born, "evolution.death");
    uint32_t n = o->death == NAS_DEATH_WORST ? self->alive : o->sample;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t age =
            o->death == NAS_DEATH_WORST ? i : (uint32_t)nas_random_below(&stream, self->alive);
        if (i == 0 || individual(self, age)->score < individual(self, worst)->score) worst = age;
    }
    return worst;
}

/* The one of that age goes, younger ones move up: the last place of the ring is free. */
static void die(ni_evolution *self, uint32_t age) {
    uint32_t n = self->options.population;
    nas_arch_free(self->ring[(self->oldest + age) % n].arch);
    if (age == 0) {
        self->ring[self->oldest].arch = NULL;
        self->oldest = (self->oldest + 1) % n;
    } else {
        for (uint32_t i = age; i + 1 < self->alive; i++)
            self->ring[(self->oldest + i) % n] = self->ring[(self->oldest + i + 1) % n];
        self->ring[(self->oldest + self->alive - 1) % n].arch = NULL;
    }
    self->alive--;
}

/* ---- tell
 * -------------------------------------------------------------------------------------------- */

static nas_status evolution_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    ni_evolution *self = user;
    const nas_arch *arch = nas_proposal_arch(asked);
    double score = nas_result_score(got);
    for (size_t i = 0; i < self->pending.n; i++)
        if (self->pending.items[i] == nas_proposal_turn(asked)) {
            memmove(&self->pending.items[i], &self->pending.items[i + 1],
                    (--self->pending.n - i) * sizeof *self->pending.items);
            break;
        }
    if (arch == NULL || nas_result_reason(got) == NAS_REASON_VANISHED) return NAS_OK;
    if (self->options.distinct) NI_TRY(ni_seen_add(&self->seen, ni_candidate_key(arch)));
    if (isnan(score)) score = -INFINITY;
    if (self->alive == self->options.population) die(self, who_dies(self));
    ni_individual *slot = &self->ring[(self->oldest + self->alive++) % self->options.population];
    slot->arch = nas_arch_hold((nas_arch *)(uintptr_t)arch);
    slot->score = score;
    slot->trial = nas_proposal_trial(asked);
    self->born++;
    return NAS_OK;
}

/* ---- state
 * ------------------------------------------------------------------------------------------- */

static nas_status evolution_save(void *user, nas_writer *to) {
    const ni_evolution *self = user;
    const nas_evolution_options *o = &self->options;
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_u64(to, o->population));
    NI_TRY(nas_write_u64(to, o->sample));
    NI_TRY(nas_write_u64(to, (uint64_t)o->replacement));
    NI_TRY(nas_write_u64(to, (uint64_t)o->distinct));
    NI_TRY(nas_write_u64(to, o->retries));
    NI_TRY(nas_write_u64(to, o->mutations));
    NI_TRY(nas_write_u64(to, (uint64_t)o->death));
    NI_TRY(nas_write_u64(to, ni_hash_text(self->mutation ? self->mutation : "uniform")));
    NI_TRY(nas_write_u64(to, self->losers));
    NI_TRY(nas_write_u64(to, self->born));
    NI_TRY(nas_write_u64(to, self->alive));
    for (uint32_t i = 0; i < self->alive; i++) {
        const ni_individual *one = individual(self, i);
        NI_TRY(nas_write_arch(to, one->arch));
        NI_TRY(nas_write_f64(to, one->score));
        NI_TRY(nas_write_u64(to, one->trial));
    }
    NI_TRY(nas_write_u64(to, self->pending.n));
    for (size_t i = 0; i < self->pending.n; i++)
        NI_TRY(nas_write_u64(to, self->pending.items[i]));
    return ni_seen_save(&self->seen, to);
}

static nas_status load_settings(ni_evolution *self, nas_reader *from) {
    static const char *const names[] = {"population", "sample",    "replacement", "distinct",
                                        "retries",    "mutations", "death",       "mutation"};
    const nas_evolution_options *o = &self->options;
    const uint64_t now[] = {o->population,
                            o->sample,
                            (uint64_t)o->replacement,
                            (uint64_t)o->distinct,
                            o->retries,
                            o->mutations,
                            (uint64_t)o->death,
                            ni_hash_text(self->mutation ? self->mutation : "uniform")};
    uint64_t kept;
    for (size_t i = 0; i < NI_COUNT(names); i++) {
        NI_TRY(nas_read_u64(from, &kept));
        NI_TRY(ni_setting_same(self->context, "evolution", names[i], kept, now[i]));
    }
    return NAS_OK;
}

static nas_status evolution_load(void *user, nas_reader *from) {
    ni_evolution *self = user;
    uint64_t format, n, turn;
    NI_TRY(nas_read_u64(from, &format));
    if (format != FORMAT)
        return ni_fail(self->context, NAS_E_VERSION,
                       "evolution: state of format %llu, this library reads %d",
                       (unsigned long long)format, FORMAT);
    NI_TRY(load_settings(self, from));
    NI_TRY(nas_read_u64(from, &self->losers));
    for (uint32_t i = 0; i < self->options.population; i++) { /* a warm start's: the state has it */
        nas_arch_free(self->ring[i].arch);
        self->ring[i].arch = NULL;
    }
    self->alive = self->oldest = 0;
    self->pending.n = 0;
    NI_TRY(nas_read_u64(from, &self->born));
    NI_TRY(nas_read_u64(from, &n));
    if (n > self->options.population)
        return ni_fail(self->context, NAS_E_CORRUPT, "evolution: its state has %llu alive of %u",
                       (unsigned long long)n, self->options.population);
    for (uint64_t i = 0; i < n; i++) {
        ni_individual one;
        NI_TRY(nas_read_arch(from, self->space, &one.arch));
        nas_status status = nas_read_f64(from, &one.score);
        if (status >= 0) status = nas_read_u64(from, &one.trial);
        if (status < 0) {
            nas_arch_free(one.arch);
            return status;
        }
        self->ring[self->alive++] = one;
    }
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        NI_TRY(nas_read_u64(from, &turn));
        NI_TRY(NI_PUSH(self->context, &self->pending, turn));
    }
    return ni_seen_load(&self->seen, from);
}

static nas_status evolution_describe(void *user, nas_sink *to) {
    const ni_evolution *self = user;
    ni_text line;
    ni_text_init(&line, self->context);
    ni_text_f(&line, "population %u of %u, %llu born, %zu in flight\n", self->alive,
              self->options.population, (unsigned long long)self->born, self->pending.n);
    for (uint32_t i = 0; i < self->alive; i++) {
        const ni_individual *one = individual(self, i);
        ni_text_add(&line, "trial ");
        if (one->trial == NAS_TRIAL_NONE)
            ni_text_add(&line, "of an earlier search");
        else
            ni_text_u64(&line, one->trial);
        ni_text_add(&line, ", score ");
        ni_text_f64(&line, one->score);
        ni_text_add(&line, ": ");
        ni_text_add(&line, nas_arch_text(one->arch));
        ni_text_add_char(&line, '\n');
    }
    nas_status status = line.status;
    if (status >= 0) status = nas_sink_text(to, ni_text_get(&line));
    ni_text_free(&line);
    return status;
}

static void evolution_destroy(void *user) {
    ni_evolution *self = user;
    nas_context *context = self->context;
    for (uint32_t i = 0; self->ring && i < self->options.population; i++)
        nas_arch_free(self->ring[i].arch);
    ni_free(context, self->ring);
    ni_free(context, self->draw);
    ni_free(context, self->mutation);
    NI_ARRAY_FREE(context, &self->pending);
    ni_seen_free(&self->seen);
    ni_space_release(self->space);
    ni_free(context, self);
}

static const nas_controller_ops evolution_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .ask = evolution_ask,
    .tell = evolution_tell,
    .save = evolution_save,
    .load = evolution_load,
    .describe = evolution_describe,
    .destroy = evolution_destroy,
};

/* ---- making one
 * --------------------------------------------------------------------------------------- */

void nas_evolution_options_init(nas_evolution_options *options) {
    *options = (nas_evolution_options)NAS_EVOLUTION_OPTIONS_INIT;
}

static nas_status check_options(nas_context *context, const nas_evolution_options *o) {
    if (o->population < 1 || o->population > 1000000)
        return ni_fail(context, NAS_E_INVALID, "population is %u, must be in 1 .. 1000000",
                       o->population);
    if (o->sample < 1 || o->sample > o->population)
        return ni_fail(context, NAS_E_INVALID,
                       "sample is %u, must be in 1 .. population, which is %u", o->sample,
                       o->population);
    if (o->mutations < 1 || o->mutations > 1000)
        return ni_fail(context, NAS_E_INVALID, "mutations is %u, must be in 1 .. 1000",
                       o->mutations);
    if (o->retries > 1000000)
        return ni_fail(context, NAS_E_INVALID, "retries is %u, must be in 0 .. 1000000",
                       o->retries);
    if (o->death < NAS_DEATH_OLDEST || o->death > NAS_DEATH_LOSER)
        return ni_fail(context, NAS_E_INVALID, "death is %d, must be one of NAS_DEATH_*", o->death);
    if ((o->replacement != 0 && o->replacement != 1) || (o->distinct != 0 && o->distinct != 1))
        return ni_fail(context, NAS_E_INVALID,
                       "replacement and distinct must be 0 or 1, are %d and %d", o->replacement,
                       o->distinct);
    return NAS_OK;
}

/* A rule that is not one of the space's is said here, and not by the first child. */
static nas_status check_mutation(const nas_space *space, const char *rule) {
    nas_random stream;
    nas_arch *arch, *child;
    if (rule == NULL || !strcmp(rule, "uniform")) return NAS_OK;
    ni_random_init(&stream, 0, 0, "evolution.check");
    NI_TRY(nas_space_sample(space, &stream, &arch));
    nas_status status = nas_space_mutate_as(space, arch, rule, &stream, &child);
    nas_arch_free(arch);
    if (status >= 0) nas_arch_free(child);
    return status;
}

nas_status nas_controller_evolution(nas_controller **out, const nas_space *space,
                                    const nas_evolution_options *given) {
    nas_context *context = ni_space_context(space);
    nas_evolution_options options = NAS_EVOLUTION_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &options, sizeof options, sizeof options, given,
                      "nas_evolution_options"));
    NI_TRY(check_options(context, &options));
    NI_TRY(check_mutation(space, options.mutation));
    ni_evolution *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->context = context;
    self->space = space;
    self->options = options;
    for (uint32_t d = 0; d < nas_space_decisions(space); d++)
        self->conditional = self->conditional || ni_space_decision(space, d)->condition >= 0;
    ni_space_hold(space);
    nas_status status = ni_seen_init(&self->seen, context);
    if (status >= 0 && options.mutation) {
        self->mutation = ni_strdup(context, options.mutation);
        if (self->mutation == NULL) status = NAS_E_MEMORY;
    }
    self->options.mutation = NULL;
    if (status >= 0) {
        self->ring = ni_calloc(context, options.population, sizeof *self->ring);
        if (self->ring == NULL) status = NAS_E_MEMORY;
    }
    if (status >= 0) { /* the sample is not above the population */
        self->draw = ni_calloc(context, options.population, sizeof *self->draw);
        if (self->draw == NULL) status = NAS_E_MEMORY;
    }
    if (status < 0) {
        evolution_destroy(self);
        return status;
    }
    return ni_controller_make(out, context, "evolution", &evolution_ops, self);
}
