/* Whole searches as functions of a few numbers: the same numbers must give the same canonical dump,
 * however often the search was broken off on the way. */
#ifndef TESTS_SEARCH_SCENARIO_H
#define TESTS_SEARCH_SCENARIO_H
#include "fixture.h"

enum {
    SCENARIO_EVOLUTION, /* built in controller, stateless evaluator, workers */
    SCENARIO_CUSTOM, /* a controller of the caller's own with state, drawing from its own stream */
    SCENARIO_SUPERNET, /* an evaluator with state, several turns a trial, gradients */
    SCENARIO_REUSE,    /* cached results */
    SCENARIO_CONTINUE, /* trials that go on from what others kept */
    SCENARIO_LEARNER,  /* a concurrent evaluator that learns from other results */
    SCENARIO_BANDS,    /* built in controller whose rungs go on from what others kept */
    SCENARIOS
};
static const char *const scenario_names[SCENARIOS] = {"evolution", "custom",  "supernet", "reuse",
                                                      "continue",  "learner", "bands"};

typedef struct {
    int32_t kind;
    uint32_t window, workers, threads;
    uint64_t trials, seed;
    int32_t order;
    int naps;
} scenario;

/* ---- a controller with state of its own: hill climbing, and a generator that is not the stream's
 * ---- */

typedef struct {
    uint64_t random; /* xorshift: only save and load carry it over a resume */
    double best;
    uint64_t told;
    nas_value at[4];
} climber;

static inline uint64_t climber_next(climber *self) {
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->random;
}
static inline nas_status climber_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    climber *self = user;
    uint64_t move = climber_next(self) % 4;
    (void)stream;
    for (uint32_t d = 0; d < 4; d++) {
        nas_value value = self->at[d];
        if (d == move) value.integer = (int64_t)(climber_next(self) % 4);
        nas_status status = nas_propose_value(out, d, &value);
        if (status < 0) return status;
    }
    return nas_propose_token(out, &move, sizeof move);
}
static inline nas_status climber_tell(void *user, const nas_proposal *asked,
                                      const nas_result *got) {
    climber *self = user;
    size_t n;
    self->told++;
    if (nas_proposal_token(asked, &n) == NULL || n != sizeof(uint64_t)) return NAS_E_STATE;
    if (!(nas_result_score(got) > self->best)) return NAS_OK;
    self->best = nas_result_score(got);
    for (uint32_t d = 0; d < 4; d++) {
        nas_status status = nas_proposal_value(asked, d, &self->at[d]);
        if (status < 0) return status;
    }
    return NAS_OK;
}
static inline nas_status climber_save(void *user, nas_writer *to) {
    return nas_write_bytes(to, user, sizeof(climber));
}
static inline nas_status climber_load(void *user, nas_reader *from) {
    const void *bytes;
    size_t n;
    nas_status status = nas_read_bytes(from, &bytes, &n);
    if (status >= 0 && n != sizeof(climber)) status = NAS_E_CORRUPT;
    if (status >= 0) memcpy(user, bytes, n);
    return status;
}
static const nas_controller_ops climber_ops = {.struct_size = sizeof(nas_controller_ops),
                                               .ask = climber_ask,
                                               .tell = climber_tell,
                                               .save = climber_save,
                                               .load = climber_load,
                                               .destroy = free};

/* ---- a one-shot method: 5 turns a trial; weights and policy both have state
 * -------------------------- */

typedef struct {
    double logits[4][4];
    uint64_t turn;
} one_shot;
static inline nas_status one_shot_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    one_shot *self = user;
    nas_status status = NAS_OK;
    uint64_t phase = self->turn++ % 5;
    for (uint32_t d = 0; status >= 0 && d < 4; d++) {
        if (phase == 3) { /* relaxed: a gradient */
            nas_path paths[4];
            double sum = 0;
            for (uint32_t i = 0; i < 4; i++)
                sum += exp(self->logits[d][i]);
            for (uint32_t i = 0; i < 4; i++)
                paths[i] = (nas_path){i, 1, exp(self->logits[d][i]) / sum, 1};
            status = nas_propose_paths(out, d, paths, 4);
        } else {
            nas_value value = {phase == 4 ? 0 : (int64_t)nas_random_below(stream, 4), 0};
            if (phase == 4)
                for (int i = 0; i < 4; i++)
                    if (self->logits[d][i] > self->logits[d][value.integer]) value.integer = i;
            status = nas_propose_value(out, d, &value);
        }
    }
    if (status >= 0)
        status = nas_propose_want(out, phase < 3    ? NAS_WANT_WEIGHT_STEP
                                       : phase == 3 ? NAS_WANT_ARCH_GRADIENT
                                                    : NAS_WANT_METRICS);
    if (status >= 0) status = nas_propose_batch(out, NAS_SPLIT_TRAIN, self->turn);
    if (status >= 0 && phase < 4) status = nas_propose_continue_trial(out);
    return status;
}
static inline nas_status one_shot_tell(void *user, const nas_proposal *asked,
                                       const nas_result *got) {
    one_shot *self = user;
    size_t n;
    const double *gradient = nas_result_gradient(got, &n);
    (void)asked;
    for (size_t i = 0; i < n && i < 16; i++)
        self->logits[i / 4][i % 4] -= 0.3 * gradient[i];
    return NAS_OK;
}
static inline nas_status one_shot_save(void *user, nas_writer *to) {
    return nas_write_bytes(to, user, sizeof(one_shot));
}
static inline nas_status one_shot_load(void *user, nas_reader *from) {
    const void *bytes;
    size_t n;
    nas_status status = nas_read_bytes(from, &bytes, &n);
    if (status >= 0 && n != sizeof(one_shot)) status = NAS_E_CORRUPT;
    if (status >= 0) memcpy(user, bytes, n);
    return status;
}
static const nas_controller_ops one_shot_ops = {.struct_size = sizeof(nas_controller_ops),
                                                .flags = NAS_CONTROLLER_NEEDS_WEIGHTS |
                                                         NAS_CONTROLLER_NEEDS_GRADIENT,
                                                .ask = one_shot_ask,
                                                .tell = one_shot_tell,
                                                .save = one_shot_save,
                                                .load = one_shot_load,
                                                .destroy = free};

typedef struct {
    double weights[4][4];
    uint64_t steps;
} shared_weights;
static inline nas_status shared_evaluate(void *user, const nas_proposal *asked,
                                         nas_reporter *progress, nas_result_builder *out) {
    shared_weights *self = user;
    double mean = 0, gradient[16];
    uint32_t wants = nas_proposal_wants(asked), n, all = 0;
    nas_status status = nas_report_poll(progress);
    if (status != NAS_OK) return status;
    for (uint32_t d = 0; d < 4; d++) {
        const nas_path *paths = nas_proposal_paths(asked, d, &n);
        for (uint32_t i = 0; i < n; i++) {
            double *w = &self->weights[d][paths[i].alternative];
            if (wants & NAS_WANT_WEIGHT_STEP) *w += 0.3 * ((double)paths[i].alternative / 3 - *w);
            gradient[all++] = -*w * paths[i].weight;
            mean += *w * paths[i].weight / 4;
        }
    }
    if (wants & NAS_WANT_WEIGHT_STEP) self->steps++;
    if (wants & NAS_WANT_ARCH_GRADIENT) {
        status = nas_result_set_gradient(out, gradient, all);
        if (status < 0) return status;
    }
    status = nas_result_set(out, "steps", (double)self->steps);
    return status < 0 ? status : nas_result_set(out, "accuracy", mean);
}
static inline nas_status shared_save(void *user, nas_writer *to) {
    return nas_write_bytes(to, user, sizeof(shared_weights));
}
static inline nas_status shared_load(void *user, nas_reader *from) {
    const void *bytes;
    size_t n;
    nas_status status = nas_read_bytes(from, &bytes, &n);
    if (status >= 0 && n != sizeof(shared_weights)) status = NAS_E_CORRUPT;
    if (status >= 0) memcpy(user, bytes, n);
    return status;
}
static const nas_evaluator_ops shared_ops = {.struct_size = sizeof(nas_evaluator_ops),
                                             .flags = NAS_EVALUATOR_WEIGHT_STEP |
                                                      NAS_EVALUATOR_ARCH_GRADIENT,
                                             .evaluate = shared_evaluate,
                                             .save = shared_save,
                                             .load = shared_load,
                                             .destroy = free};

/* ---- trials that go on from others: twice as many epochs each time
 * ---------------------------------- */

typedef struct {
    uint64_t parents[8]; /* ring of told trials */
    uint64_t told, asked;
    nas_value values[8][4];
    double epochs[8];
} chain;
static inline nas_status chain_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    chain *self = user;
    nas_status status = NAS_OK;
    uint64_t pick = self->told ? nas_random_below(stream, self->told < 8 ? self->told : 8) : 0;
    int goes_on = self->told > 0 && nas_random_below(stream, 2);
    double epochs = goes_on ? self->epochs[pick] * 2 : 1;
    if (epochs > 8) goes_on = 0, epochs = 1;
    for (uint32_t d = 0; status >= 0 && d < 4; d++) {
        nas_value value = {(int64_t)nas_random_below(stream, 4), 0};
        status = nas_propose_value(out, d, goes_on ? &self->values[pick][d] : &value);
    }
    if (status >= 0 && goes_on)
        status = nas_propose_from(out, self->parents[pick], NAS_FROM_CONTINUE);
    self->asked++;
    return status < 0 ? status : nas_propose_fidelity(out, "epochs", epochs);
}
static inline nas_status chain_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    chain *self = user;
    uint64_t slot = self->told++ % 8;
    (void)got;
    self->parents[slot] = nas_proposal_trial(asked);
    self->epochs[slot] = nas_proposal_fidelity(asked, "epochs", 1);
    for (uint32_t d = 0; d < 4; d++) {
        nas_status status = nas_proposal_value(asked, d, &self->values[slot][d]);
        if (status < 0) return status;
    }
    return NAS_OK;
}
static inline nas_status chain_save(void *user, nas_writer *to) {
    return nas_write_bytes(to, user, sizeof(chain));
}
static inline nas_status chain_load(void *user, nas_reader *from) {
    const void *bytes;
    size_t n;
    nas_status status = nas_read_bytes(from, &bytes, &n);
    if (status >= 0 && n != sizeof(chain)) status = NAS_E_CORRUPT;
    if (status >= 0) memcpy(user, bytes, n);
    return status;
}
static const nas_controller_ops chain_ops = {.struct_size = sizeof(nas_controller_ops),
                                             .flags = NAS_CONTROLLER_CONTINUES,
                                             .ask = chain_ask,
                                             .tell = chain_tell,
                                             .save = chain_save,
                                             .load = chain_load,
                                             .destroy = free};

/* Its weights are one number that moves a little each epoch; it is kept after every epoch. */
static inline nas_status keeper_evaluate(void *user, const nas_proposal *asked,
                                         nas_reporter *progress, nas_result_builder *out) {
    struct {
        double weight, epoch;
    } now = {0, 0};
    const void *bytes;
    size_t n;
    nas_random *random;
    double epochs = nas_proposal_fidelity(asked, "epochs", 1);
    nas_status status = nas_report_kept(progress, &bytes, &n);
    (void)user;
    if (status >= 0 && n == 0) status = nas_report_from(progress, &bytes, &n);
    if (status >= 0 && n == 0 && nas_proposal_from(asked, NULL) != NAS_TRIAL_NONE)
        return NAS_E_STATE; /* what it starts from must be there */
    if (status < 0) return status;
    if (n == sizeof now) memcpy(&now, bytes, n);
    while (now.epoch < epochs) {
        char purpose[32];
        snprintf(purpose, sizeof purpose, "epoch %d", (int)now.epoch);
        status = nas_proposal_random(asked, purpose, &random);
        if (status < 0) return status;
        now.weight = 0.9 * now.weight + nas_random_uniform(random);
        nas_random_free(random);
        now.epoch++;
        status = nas_report(progress, now.epoch, epochs, "weight", now.weight);
        if (status != NAS_OK) return status;
        status = nas_report_keep(progress, &now, sizeof now);
        if (status < 0) return status;
    }
    return nas_result_set(out, "accuracy", now.weight + letters_value(asked, 4, 4));
}
static const nas_evaluator_ops keeper_ops = {
    .struct_size = sizeof(nas_evaluator_ops),
    .flags = NAS_EVALUATOR_CONCURRENT | NAS_EVALUATOR_STATELESS | NAS_EVALUATOR_CONTINUES,
    .evaluate = keeper_evaluate};

/* ---- an evaluator that learns from other results, whoever evaluated them
 * ------------------------------ */

typedef struct {
    uint64_t n;
    double sums[4096]; /* sums[i]: of the first i results; written before n grows */
} learner;
static inline nas_status learner_evaluate(void *user, const nas_proposal *asked,
                                          nas_reporter *progress, nas_result_builder *out) {
    learner *self = user;
    uint64_t seen = nas_proposal_seen(asked);
    (void)progress;
    if (seen > __atomic_load_n(&self->n, __ATOMIC_ACQUIRE)) return NAS_E_STATE;
    double mean = seen ? self->sums[seen] / (double)seen : 0;
    return nas_result_set(out, "accuracy", letters_value(asked, 4, 4) + 0.1 * mean);
}
static inline nas_status learner_observe(void *user, const nas_proposal *asked,
                                         const nas_result *got) {
    learner *self = user;
    (void)asked;
    if (self->n + 1 >= 4096) return NAS_E_LIMIT;
    self->sums[self->n + 1] = self->sums[self->n] + nas_result_score(got);
    __atomic_store_n(&self->n, self->n + 1, __ATOMIC_RELEASE);
    return NAS_OK;
}
static inline nas_status learner_save(void *user, nas_writer *to) {
    const learner *self = user;
    nas_status status = nas_write_u64(to, self->n);
    return status < 0 ? status : nas_write_f64s(to, self->sums, self->n + 1);
}
static inline nas_status learner_load(void *user, nas_reader *from) {
    learner *self = user;
    nas_status status = nas_read_u64(from, &self->n);
    if (status < 0 || self->n >= 4096) return NAS_E_CORRUPT;
    return nas_read_f64s(from, self->sums, self->n + 1);
}
static const nas_evaluator_ops learner_ops = {.struct_size = sizeof(nas_evaluator_ops),
                                              .flags = NAS_EVALUATOR_CONCURRENT,
                                              .evaluate = learner_evaluate,
                                              .observe = learner_observe,
                                              .save = learner_save,
                                              .load = learner_load,
                                              .destroy = free};

/* ---- a scenario's parts
 * -------------------------------------------------------------------------------- */

typedef struct {
    nas_context *context;
    nas_space *space;
    nas_controller *controller;
    nas_evaluator *evaluator;
    nas_named_evaluator named;
    nas_search_options options;
    letters work;
} cast;

static inline void cast_end(cast *c) {
    nas_controller_free(c->controller);
    nas_evaluator_free(c->evaluator);
    nas_space_free(c->space);
    nas_context_free(c->context);
    c->controller = NULL;
    c->evaluator = NULL;
    c->space = NULL;
    c->context = NULL;
}

static inline nas_status cast_parts(cast *c, const scenario *s) {
    static const char *const names[] = {"a", "b", "c", "d"};
    static const char *const settings[] = {"population=6", "sample=3", "distinct=yes"};
    nas_context *context = c->context;
    nas_status status = nas_space_create(&c->space, context, "letters");
    for (int d = 0; status >= 0 && d < 4; d++) {
        char name[8] = {'d', (char)('0' + d), 0};
        status = nas_space_add_choice(c->space, name, names, s->kind == SCENARIO_REUSE ? 2 : 4);
    }
    if (status >= 0) status = nas_space_finish(c->space);
    if (status < 0) return status;
    void *self = NULL;
    switch (s->kind) {
    case SCENARIO_CUSTOM: {
        climber *start = self = calloc(1, sizeof *start);
        start->random = 88172645463325252u + s->seed;
        start->best = -1;
        status = nas_controller_create(&c->controller, context, "climber", &climber_ops, self);
        break;
    }
    case SCENARIO_SUPERNET:
        self = calloc(1, sizeof(one_shot));
        status = nas_controller_create(&c->controller, context, "one shot", &one_shot_ops, self);
        break;
    case SCENARIO_CONTINUE:
        self = calloc(1, sizeof(chain));
        status = nas_controller_create(&c->controller, context, "chain", &chain_ops, self);
        break;
    case SCENARIO_REUSE:
        status = nas_controller_named(&c->controller, c->space, "random", NULL, 0);
        break;
    case SCENARIO_BANDS: {
        const char *bands[] = {"max_epochs=4", "eta=2", "samples=4", "random_fraction=0.1"};
        status = nas_controller_named(&c->controller, c->space, "bohb", bands, 4);
        break;
    }
    default:
        status = nas_controller_named(&c->controller, c->space, "evolution", settings, 3);
    }
    if (status < 0) {
        free(self);
        return status;
    }
    self = NULL;
    switch (s->kind) {
    case SCENARIO_SUPERNET:
        self = calloc(1, sizeof(shared_weights));
        status = nas_evaluator_create(&c->evaluator, context, "supernet", &shared_ops, self);
        break;
    case SCENARIO_CONTINUE:
    case SCENARIO_BANDS:
        status = nas_evaluator_create(&c->evaluator, context, "keeper", &keeper_ops, NULL);
        break;
    case SCENARIO_LEARNER:
        self = calloc(1, sizeof(learner));
        status = nas_evaluator_create(&c->evaluator, context, "learner", &learner_ops, self);
        break;
    default:
        c->work.n = 4;
        c->work.m = s->kind == SCENARIO_REUSE ? 2 : 4;
        c->work.naps = s->naps;
        status = nas_evaluator_callback(&c->evaluator, context,
                                        NAS_EVALUATOR_CONCURRENT | NAS_EVALUATOR_STATELESS,
                                        letters_evaluate, &c->work, NULL);
    }
    if (status < 0) free(self);
    return status;
}

/* The parts of a scenario in a fresh context. On failure they are to be ended all the same. */
static inline nas_status cast_begin(cast *c, const scenario *s, test_allocator *memory) {
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    nas_allocator table;
    memset(c, 0, sizeof *c);
    if (memory) {
        table = test_allocator_table(memory);
        options.allocator = &table;
    }
    options.threads = s->threads ? s->threads : 2;
    nas_status status = nas_context_create(&c->context, &options);
    if (status >= 0) status = cast_parts(c, s);
    if (status < 0) return status;
    c->named = (nas_named_evaluator){"main", c->evaluator};
    nas_search_options_init(&c->options);
    c->options.space = c->space;
    c->options.controller = c->controller;
    c->options.evaluators = &c->named;
    c->options.n_evaluators = 1;
    c->options.seed = s->seed;
    c->options.window = s->window ? s->window : 1;
    c->options.workers = s->workers;
    c->options.order = s->order;
    c->options.max_trials = s->trials;
    c->options.reuse = s->kind == SCENARIO_REUSE;
    return NAS_OK;
}

/* From beginning to end in memory: what all the others are compared with. */
static inline char *scenario_dump(const scenario *s) {
    cast c;
    nas_search *search;
    int32_t ended;
    if (cast_begin(&c, s, NULL) < 0) fail_msg("%s", nas_context_error(c.context));
    MUST(c.context, nas_search_create(&search, c.context, &c.options));
    MUST(c.context, nas_search_run(search, &ended));
    assert_int_equal(ended, NAS_ENDED_TRIALS);
    char *dump = dump_of(c.context, nas_search_store(search));
    nas_search_free(search);
    cast_end(&c);
    return dump;
}
#endif
