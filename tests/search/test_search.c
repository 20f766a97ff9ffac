/* The loop: budgets, objectives, what makes a trial infeasible, hooks, the three ways to hold it.
 */
#include "fixture.h"

enum { N = 4, M = 4 };

/* A search over the letters, its parts made and freed together. */
typedef struct {
    fixture f;
    letters work;
    nas_controller *controller;
    nas_evaluator *evaluator;
    nas_named_evaluator named;
    nas_search_options options;
    nas_search *search;
} parts;

static void parts_begin(parts *p, const char *controller, const char *const *settings, size_t n,
                        nas_evaluate_fn evaluate, void *user) {
    memset(p, 0, sizeof *p);
    fixture_begin(&p->f, N, M);
    p->work.n = N;
    p->work.m = M;
    MUST(p->f.context, nas_controller_named(&p->controller, p->f.space, controller, settings, n));
    MUST(p->f.context, nas_evaluator_callback(&p->evaluator, p->f.context,
                                              NAS_EVALUATOR_CONCURRENT | NAS_EVALUATOR_STATELESS,
                                              evaluate ? evaluate : letters_evaluate,
                                              evaluate ? user : &p->work, NULL));
    p->named = (nas_named_evaluator){"letters", p->evaluator};
    nas_search_options_init(&p->options);
    p->options.space = p->f.space;
    p->options.controller = p->controller;
    p->options.evaluators = &p->named;
    p->options.n_evaluators = 1;
    p->options.seed = 1;
}
static void parts_end(parts *p) {
    nas_search_free(p->search);
    nas_controller_free(p->controller);
    nas_evaluator_free(p->evaluator);
    fixture_end(&p->f);
}
static int32_t run(parts *p) {
    int32_t ended;
    MUST(p->f.context, nas_search_create(&p->search, p->f.context, &p->options));
    MUST(p->f.context, nas_search_run(p->search, &ended));
    assert_int_equal(nas_search_ended(p->search), ended);
    return ended;
}
static nas_search_progress progress_of(parts *p) {
    nas_search_progress progress = {.struct_size = sizeof progress};
    MUST(p->f.context, nas_search_state(p->search, &progress));
    return progress;
}

/* ---- budgets
 * ---------------------------------------------------------------------------------------------- */

static void test_budgets(void **state) {
    parts p;
    (void)state;
    parts_begin(&p, "evolution", (const char *[]){"population=5"}, 1, NULL, NULL);
    p.options.max_trials = 17;
    assert_int_equal(run(&p), NAS_ENDED_TRIALS);
    assert_int_equal(nas_search_trials(p.search), 17);
    assert_int_equal(p.work.calls, 17);
    assert_int_equal(progress_of(&p).generations > 1, 1);
    int32_t ended;
    MUST(p.f.context, nas_search_run(p.search, &ended)); /* again: nothing more */
    assert_int_equal(ended, NAS_ENDED_TRIALS);
    assert_int_equal(nas_search_step(p.search), NAS_DONE);
    const nas_proposal *asked;
    assert_int_equal(nas_search_ask(p.search, &asked), NAS_DONE);
    assert_int_equal(p.work.calls, 17);
    parts_end(&p);

    parts_begin(&p, "random", NULL, 0, NULL, NULL);
    p.options.max_evaluations = 6;
    p.options.window = 4;
    assert_int_equal(run(&p), NAS_ENDED_EVALUATIONS);
    assert_int_equal(p.work.calls, 6);
    assert_int_equal(progress_of(&p).evaluations, 6);
    parts_end(&p);

    parts_begin(&p, "random", (const char *[]){"replacement=no"}, 1, NULL, NULL);
    assert_int_equal(run(&p), NAS_ENDED_CONTROLLER);
    assert_int_equal(nas_search_trials(p.search), 256);
    assert_int_equal(progress_of(&p).distinct, 256);
    nas_trial best = {.struct_size = sizeof best};
    MUST(p.f.context, nas_search_best(p.search, &best));
    assert_true(best.score > 0.95);
    parts_end(&p);

    parts_begin(&p, "random", (const char *[]){"replacement=no"}, 1, NULL, NULL);
    p.options.target = 0.8;
    p.options.window = 3;
    assert_int_equal(run(&p), NAS_ENDED_TARGET);
    MUST(p.f.context, nas_search_best(p.search, &best));
    assert_true(best.score >= 0.8);
    assert_true(nas_search_trials(p.search) < 256);
    assert_true(best.number + 3 >=
                nas_search_trials(p.search)); /* what was in flight is told too */
    parts_end(&p);
}

/* Epochs: what proposals ask for, or what results say. */
static nas_status epochs_evaluate(void *user, const nas_proposal *asked, nas_reporter *progress,
                                  nas_result_builder *out) {
    (void)user, (void)asked, (void)progress;
    nas_status status = nas_result_set(out, "epochs", 3);
    return status < 0 ? status : nas_result_set(out, "accuracy", 0.5);
}
static void test_epochs(void **state) {
    parts p;
    (void)state;
    parts_begin(&p, "random", NULL, 0, epochs_evaluate, NULL);
    p.options.max_epochs = 20;
    assert_int_equal(run(&p), NAS_ENDED_EPOCHS);
    assert_int_equal(nas_search_trials(p.search), 7);
    assert_true(progress_of(&p).epochs == 21);
    parts_end(&p);
}

/* ---- time
 * ----------------------------------------------------------------------------------------------------
 */

/* 0.4 s; the obedient one asks each millisecond whether to go on, the other never does. */
static nas_status slow_evaluate(void *user, const nas_proposal *asked, nas_reporter *progress,
                                nas_result_builder *out) {
    int obedient = *(int *)user;
    (void)asked;
    for (int i = 0; i < (obedient ? 400 : 30); i++) {
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
        nas_status answer = obedient ? nas_report(progress, i, 400, "accuracy", 0.25) : NAS_OK;
        if (answer < 0) return answer;
        if (answer == NAS_STOP) {
            answer = nas_result_set_state(out, NAS_STATE_STOPPED);
            return answer < 0 ? answer : nas_result_set(out, "accuracy", 0.25);
        }
    }
    return nas_result_set(out, "accuracy", 0.5);
}

static void test_time(void **state) {
    (void)state;
    for (uint32_t workers = 1; workers <= 2; workers++) {
        parts p;
        int obedient = 1;
        nas_trial trial = {.struct_size = sizeof trial};
        /* The safety stop: the first trial ends with what it has, so that there is a best. */
        parts_begin(&p, "random", NULL, 0, slow_evaluate, &obedient);
        p.options.max_seconds = 0.05;
        p.options.window = p.options.workers = workers;
        assert_int_equal(run(&p), NAS_ENDED_TIME);
        MUST(p.f.context, nas_search_best(p.search, &trial));
        assert_int_equal(trial.state, NAS_STATE_STOPPED);
        assert_true(trial.score == 0.25);
        assert_true(trial.seconds > 0 && trial.seconds < 5);
        parts_end(&p);

        /* A trial that takes longer than a trial may is infeasible, whether it asks or not. */
        for (obedient = 0; obedient < 2; obedient++) {
            parts_begin(&p, "random", NULL, 0, slow_evaluate, &obedient);
            p.options.max_trials = 2;
            p.options.trial_seconds = 0.02;
            p.options.window = p.options.workers = workers;
            assert_int_equal(run(&p), NAS_ENDED_TRIALS);
            MUST(p.f.context, nas_search_trial(p.search, 1, &trial));
            assert_int_equal(trial.state, NAS_STATE_INFEASIBLE);
            assert_int_equal(trial.reason, NAS_REASON_TIME);
            assert_string_equal(trial.sentence,
                                "took longer than the 0.02 seconds that a trial may take");
            FAILS(p.f.context, NAS_E_NOT_FOUND, "none of 2 trials has a score",
                  nas_search_best(p.search, &trial));
            parts_end(&p);
        }
    }
}

/* ---- objectives
 * ------------------------------------------------------------------------------------------------
 */

static nas_status three_metrics(void *user, const nas_proposal *asked, nas_reporter *progress,
                                nas_result_builder *out) {
    (void)user, (void)progress;
    uint64_t trial = nas_proposal_trial(asked);
    (void)nas_result_set(out, "accuracy", 0.5 + 0.01 * (double)trial);
    (void)nas_result_set(out, "loss", 2);
    return nas_result_set(out, "latency", trial == 2 ? 0 : 40.0 * (double)(trial + 1));
}

static void test_objectives(void **state) {
    parts p;
    nas_trial trial = {.struct_size = sizeof trial};
    nas_objective objectives[3] = {
        {.metric = "accuracy", .weight = 3},
        {.metric = "loss", .minimise = 1, .weight = 0.5},
        {.metric = "latency", .weight = 1, .limit = 40, .exponent = -0.07}};
    (void)state;
    parts_begin(&p, "random", NULL, 0, three_metrics, NULL);
    p.options.max_trials = 3;
    p.options.objectives = objectives;
    p.options.n_objectives = 3;
    run(&p);
    MUST(p.f.context, nas_search_trial(p.search, 0, &trial));
    assert_true(trial.score == 3 * 0.5 - 0.5 * 2); /* latency at its limit */
    MUST(p.f.context, nas_search_trial(p.search, 1, &trial));
    assert_true(fabs(trial.score - (3 * 0.51 - 1) * 0.9526380) < 1e-7); /* twice the limit */
    MUST(p.f.context, nas_search_trial(p.search, 2, &trial));
    assert_int_equal(trial.state, NAS_STATE_INFEASIBLE);
    assert_non_null(strstr(trial.sentence, "\"latency\" is 0"));
    MUST(p.f.context, nas_search_best(p.search, &trial));
    assert_int_equal(trial.number, 1); /* 0.505 against 0.5 */
    parts_end(&p);

    /* A metric that the evaluator does not give: said in the trial and by best. */
    parts_begin(&p, "random", NULL, 0, three_metrics, NULL);
    objectives[0].metric = "acuracy";
    p.options.max_trials = 2;
    p.options.objectives = objectives;
    p.options.n_objectives = 1;
    run(&p);
    MUST(p.f.context, nas_search_trial(p.search, 1, &trial));
    assert_string_equal(trial.sentence,
                        "the result has no metric \"acuracy\", which the search is to "
                        "improve; it has \"accuracy\"");
    FAILS(p.f.context, NAS_E_NOT_FOUND, "acuracy", nas_search_best(p.search, &trial));
    parts_end(&p);
}

/* ---- infeasible
 * --------------------------------------------------------------------------------------------------
 */

typedef struct {
    nas_context *context;
} failing;

static nas_status failing_evaluate(void *user, const nas_proposal *asked, nas_reporter *progress,
                                   nas_result_builder *out) {
    failing *self = user;
    (void)progress;
    switch (nas_proposal_trial(asked)) {
    case 0:
        return nas_result_set(out, "accuracy", NAN);
    case 1:
        return nas_context_fail(self->context, NAS_E_MEMORY, "no room for 3 images");
    case 2:
        return nas_context_fail(self->context, -1234, "the device is gone");
    case 3:
        return -1235;
    case 4:
        return NAS_E_IO;
    case 5:
        return 7;
    case 6:
        return nas_result_set_infeasible(out, NAS_REASON_CONSTRAINT, "too many parameters");
    case 7:
        return nas_context_fail(self->context, NAS_E_INFEASIBLE, "too wide");
    case 8:
        return NAS_OK; /* says nothing */
    case 9:
        return NAS_E_CANCELLED;
    default:
        return nas_result_set(out, "accuracy", 0.5);
    }
}

static void test_infeasible(void **state) {
    static const struct {
        int32_t reason;
        const char *words;
    } expected[] = {
        {NAS_REASON_DIVERGED, "metric \"accuracy\" is nan"},
        {NAS_REASON_MEMORY, "no room for 3 images"},
        {NAS_REASON_CALLBACK, "the device is gone"},
        {NAS_REASON_CALLBACK, "-1235"},
        {NAS_REASON_CALLBACK, "NAS_E_IO"},
        {NAS_REASON_CALLBACK, "status 7"},
        {NAS_REASON_CONSTRAINT, "too many parameters"},
        {NAS_REASON_CONSTRAINT, "too wide"},
        {NAS_REASON_OTHER, "no metric \"accuracy\""},
        {NAS_REASON_OTHER, "cancelled"},
    };
    (void)state;
    for (uint32_t workers = 1; workers <= 3; workers += 2) {
        parts p;
        failing self;
        nas_trial trial = {.struct_size = sizeof trial};
        parts_begin(&p, "evolution", (const char *[]){"population=4", "sample=2"}, 2,
                    failing_evaluate, &self);
        self.context = p.f.context;
        p.options.max_trials = 14;
        p.options.window = p.options.workers = workers;
        assert_int_equal(run(&p), NAS_ENDED_TRIALS);
        for (uint64_t i = 0; i < sizeof expected / sizeof *expected; i++) {
            MUST(p.f.context, nas_search_trial(p.search, i, &trial));
            assert_int_equal(trial.state, NAS_STATE_INFEASIBLE);
            if (trial.reason != expected[i].reason || !strstr(trial.sentence, expected[i].words))
                fail_msg("trial %d: reason %d, \"%s\"", (int)i, trial.reason, trial.sentence);
            assert_true(trial.score == -INFINITY);
        }
        assert_int_equal(progress_of(&p).infeasible, 10);
        assert_true(progress_of(&p).best == 0.5);
        parts_end(&p);
    }
}

/* ---- a controller's errors
 * ------------------------------------------------------------------------------------------ */

typedef struct {
    nas_status ask_answer, tell_answer;
    nas_context *context;
    const char *sentence;
    uint64_t asks;
} rude;

static nas_status rude_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    rude *self = user;
    if (++self->asks > 2 && self->ask_answer != NAS_OK)
        return self->sentence ? nas_context_fail(self->context, self->ask_answer, self->sentence)
                              : self->ask_answer;
    for (uint32_t d = 0; d < N; d++) {
        nas_value value = {(int64_t)nas_random_below(stream, M), 0};
        nas_status status = nas_propose_value(out, d, &value);
        if (status < 0) return status;
    }
    return NAS_OK;
}
static nas_status rude_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    (void)asked, (void)got;
    return ((rude *)user)->tell_answer;
}
static const nas_controller_ops rude_ops = {
    .struct_size = sizeof(nas_controller_ops), .ask = rude_ask, .tell = rude_tell};

static void with_rude(rude self, nas_status expected, const char *words) {
    for (uint32_t workers = 1; workers <= 2; workers++) {
        parts p;
        int32_t ended;
        rude own = self;
        parts_begin(&p, "random", NULL, 0, NULL, NULL);
        own.context = p.f.context;
        nas_controller_free(p.controller);
        MUST(p.f.context,
             nas_controller_create(&p.controller, p.f.context, "rude", &rude_ops, &own));
        p.options.controller = p.controller;
        p.options.max_trials = 10;
        p.options.window = p.options.workers = workers;
        MUST(p.f.context, nas_search_create(&p.search, p.f.context, &p.options));
        FAILS(p.f.context, expected, words, nas_search_run(p.search, &ended));
        assert_int_equal(ended, NAS_ENDED_ERROR);
        FAILS(p.f.context, expected, words, nas_search_run(p.search, &ended)); /* and again */
        FAILS(p.f.context, expected, words, nas_search_step(p.search));
        parts_end(&p);
    }
}

static void test_controller_errors(void **state) {
    (void)state;
    with_rude((rude){.ask_answer = -1042}, -1042, "rude");
    with_rude((rude){.ask_answer = -1042, .sentence = "my own words"}, -1042, "my own words");
    with_rude((rude){.ask_answer = NAS_E_LIMIT}, NAS_E_LIMIT, "rude");
    with_rude((rude){.ask_answer = 5}, NAS_E_INVALID, "status 5");
    with_rude((rude){.tell_answer = -1043}, -1043, "rude");
    with_rude((rude){.tell_answer = NAS_WAIT}, NAS_E_INVALID, "answered tell");
}

static nas_status always_wait(void *user, nas_random *stream, nas_proposal_builder *out) {
    (void)user, (void)stream, (void)out;
    return NAS_WAIT;
}
static nas_status silent(void *user, nas_random *stream, nas_proposal_builder *out) {
    (void)user, (void)stream, (void)out;
    return NAS_OK;
}
static nas_status unknown_evaluator(void *user, nas_random *stream, nas_proposal_builder *out) {
    rude *self = user;
    nas_status status = rude_ask(self, stream, out);
    return status < 0 ? status : nas_propose_evaluator(out, "leters");
}
static nas_status too_early(void *user, nas_random *stream, nas_proposal_builder *out) {
    rude *self = user;
    nas_status status = rude_ask(self, stream, out);
    if (status == NAS_OK && nas_propose_trial(out) == 1) status = nas_propose_parent(out, 0);
    return status;
}
static nas_status continues(void *user, nas_random *stream, nas_proposal_builder *out) {
    rude *self = user;
    nas_status status = rude_ask(self, stream, out);
    if (status == NAS_OK && nas_propose_trial(out) == 3)
        status = nas_propose_from(out, 0, NAS_FROM_CONTINUE);
    return status;
}
static nas_status steps(void *user, nas_random *stream, nas_proposal_builder *out) {
    rude *self = user;
    nas_status status = rude_ask(self, stream, out);
    return status < 0 ? status : nas_propose_want(out, NAS_WANT_WEIGHT_STEP);
}
static nas_status gradients(void *user, nas_random *stream, nas_proposal_builder *out) {
    rude *self = user;
    nas_status status = rude_ask(self, stream, out);
    return status < 0 ? status : nas_propose_want(out, NAS_WANT_ARCH_GRADIENT);
}

static void test_bad_proposals(void **state) {
    static const struct {
        nas_status (*ask)(void *, nas_random *, nas_proposal_builder *);
        nas_status status;
        const char *words;
    } cases[] = {
        {always_wait, NAS_E_STATE, "nothing is in flight"},
        {silent, NAS_E_INVALID, "proposed no architecture"},
        {unknown_evaluator, NAS_E_NOT_FOUND, "did you mean \"letters\""},
        {too_early, NAS_E_INVALID, "was not told yet"},
        {continues, NAS_E_UNSUPPORTED, "to continue a trial"},
        {steps, NAS_E_UNSUPPORTED, "weight step"},
        {gradients, NAS_E_UNSUPPORTED, "gradient of the architecture"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        parts p;
        rude self = {0};
        nas_controller_ops ops = {.struct_size = sizeof ops, .ask = cases[i].ask};
        parts_begin(&p, "random", NULL, 0, NULL, NULL);
        nas_controller_free(p.controller);
        MUST(p.f.context, nas_controller_create(&p.controller, p.f.context, "bad", &ops, &self));
        p.options.controller = p.controller;
        p.options.max_trials = 5;
        p.options.window = 2;
        p.options.workers = 1;
        MUST(p.f.context, nas_search_create(&p.search, p.f.context, &p.options));
        FAILS(p.f.context, cases[i].status, cases[i].words, nas_search_run(p.search, NULL));
        parts_end(&p);
    }
}

/* ---- parts that do not fit
 * ------------------------------------------------------------------------------------------- */

static void test_misfits(void **state) {
    parts p;
    nas_controller *controller;
    rude self = {0};
    nas_controller_ops ops = rude_ops;
    (void)state;
    parts_begin(&p, "random", NULL, 0, NULL, NULL);
    nas_search_options o = p.options;
    nas_context *c = p.f.context;
#define MISFIT(change, undo, status, words)                                                        \
    change;                                                                                        \
    FAILS(c, status, words, nas_search_create(&p.search, c, &o));                                  \
    undo
    MISFIT(o.space = NULL, o.space = p.f.space, NAS_E_INVALID, "no space");
    MISFIT(o.controller = NULL, o.controller = p.controller, NAS_E_INVALID, "no controller");
    MISFIT(o.window = 0, o.window = 1, NAS_E_INVALID, "window is 0");
    MISFIT(o.window = 70000, o.window = 1, NAS_E_INVALID, "window is 70000");
    MISFIT(o.order = 2, o.order = 0, NAS_E_INVALID, "order is 2");
    MISFIT(o.max_epochs = -1, o.max_epochs = 0, NAS_E_INVALID, "max_epochs is -1");
    MISFIT(o.max_seconds = NAN, o.max_seconds = 0, NAS_E_INVALID, "max_seconds is nan");
    MISFIT(o.reuse = 3, o.reuse = 0, NAS_E_INVALID, "reuse is 3");
    MISFIT(o.struct_size = 4, o.struct_size = sizeof o, NAS_E_INVALID, "nas_search_options");
    nas_named_evaluator two[2] = {p.named, p.named};
    MISFIT((o.evaluators = two, o.n_evaluators = 2), (o.evaluators = &p.named, o.n_evaluators = 1),
           NAS_E_EXISTS, "two evaluators are named \"letters\"");
    nas_objective objective = {.metric = "latency", .weight = 1, .exponent = -0.07};
    MISFIT((o.objectives = &objective, o.n_objectives = 1), (o.n_objectives = 0), NAS_E_INVALID,
           "limit is 0");
    static const struct {
        uint32_t flag;
        const char *words;
    } needs[] = {{NAS_CONTROLLER_NEEDS_GRADIENT, "needs gradients"},
                 {NAS_CONTROLLER_NEEDS_WEIGHTS, "needs shared weights"},
                 {NAS_CONTROLLER_CONTINUES, "continues trials"}};
    for (int i = 0; i < 3; i++) {
        ops.flags = needs[i].flag;
        MUST(c, nas_controller_create(&controller, c, "needy", &ops, &self));
        MISFIT(o.controller = controller, o.controller = p.controller, NAS_E_UNSUPPORTED,
               needs[i].words);
        nas_controller_free(controller);
    }
    nas_evaluator *evaluator;
    static const struct {
        uint32_t flag;
        const char *words;
    } asks[] = {{NAS_EVALUATOR_NEEDS_NETWORK, "has no network template"},
                {NAS_EVALUATOR_NEEDS_DATA, "needs a data set"}};
    for (int i = 0; i < 2; i++) {
        MUST(c,
             nas_evaluator_callback(&evaluator, c, asks[i].flag, letters_evaluate, &p.work, NULL));
        nas_named_evaluator needy = {"needy", evaluator};
        MISFIT(o.evaluators = &needy, o.evaluators = &p.named, NAS_E_UNSUPPORTED, asks[i].words);
        nas_evaluator_free(evaluator);
    }
    nas_context *other = plain_context();
    nas_store *store;
    MUST(other, nas_store_open(&store, other, NULL, NULL));
    MISFIT(o.store = store, o.store = NULL, NAS_E_INVALID, "another context");
    nas_store_free(store);
    nas_context_free(other);
    FAILS(c, NAS_E_INVALID, "NULL", nas_search_create(&p.search, c, NULL));
    o.n_evaluators = 0;
    MUST(c, nas_search_create(&p.search, c, &o));
    FAILS(c, NAS_E_STATE, "nas_search_ask", nas_search_run(p.search, NULL));
    parts_end(&p);
}

/* ---- hooks
 * --------------------------------------------------------------------------------------------------------------
 */

typedef struct {
    char log[4096];
    uint64_t stop_after; /* trials; 0: never */
    nas_status answer;   /* then */
    int epochs, polls, flag_after;
} watcher;

static void note(watcher *w, const char *what, uint64_t number) {
    size_t n = strlen(w->log);
    if (n + 32 < sizeof w->log) snprintf(w->log + n, sizeof w->log - n, "%s%d ", what, (int)number);
}
static nas_status on_started(void *user, nas_search *search, const nas_proposal *proposal) {
    (void)search;
    note(user, "s", nas_proposal_trial(proposal));
    return NAS_OK;
}
static nas_status on_epoch(void *user, nas_search *search, const nas_proposal *proposal,
                           double done, double total, const char *metric, double value) {
    watcher *w = user;
    (void)search, (void)proposal;
    assert_string_equal(metric, "accuracy");
    assert_true(done >= 1 && done <= total && total == 2 && isfinite(value));
    w->epochs++;
    return NAS_OK;
}
static nas_status on_trial(void *user, nas_search *search, const nas_trial *trial,
                           const nas_result *result) {
    watcher *w = user;
    nas_trial best = {.struct_size = sizeof best};
    note(w, "t", trial->number);
    assert_true(nas_result_score(result) == trial->score);
    assert_int_equal(nas_search_best(search, &best), NAS_OK); /* a hook may ask */
    return w->stop_after && nas_search_trials(search) >= w->stop_after ? w->answer : NAS_OK;
}
static nas_status on_turn(void *user, nas_search *search, const nas_proposal *proposal,
                          const nas_result *result) {
    (void)search;
    assert_int_equal(nas_result_state(result), NAS_STATE_COMPLETE);
    note(user, "e", nas_proposal_turn(proposal));
    return NAS_OK;
}
static int32_t on_poll(void *user, nas_search *search) {
    watcher *w = user;
    (void)search;
    return w->flag_after && ++w->polls >= w->flag_after;
}

static nas_search_hooks hooks_of(watcher *w) {
    nas_search_hooks hooks = {.struct_size = sizeof hooks,
                              .user = w,
                              .trial_started = on_started,
                              .epoch_ended = on_epoch,
                              .trial_ended = on_trial,
                              .turn_ended = on_turn,
                              .should_stop = on_poll};
    return hooks;
}

static void test_hooks(void **state) {
    parts p;
    watcher w;
    nas_search_hooks hooks = hooks_of(&w);
    (void)state;
    memset(&w, 0, sizeof w);
    parts_begin(&p, "random", NULL, 0, NULL, NULL);
    p.options.hooks = &hooks;
    p.options.max_trials = 3;
    run(&p);
    assert_string_equal(w.log, "s0 t0 e0 s1 t1 e1 s2 t2 e2 ");
    assert_int_equal(w.epochs, 6);
    parts_end(&p);

    memset(&w, 0, sizeof w);
    parts_begin(&p, "random", NULL, 0, NULL, NULL);
    p.options.hooks = &hooks;
    p.options.max_trials = 4;
    p.options.window = 2;
    p.options.workers = 1;
    run(&p);
    assert_string_equal(w.log, "s0 s1 t0 e0 s2 t1 e1 s3 t2 e2 t3 e3 ");
    parts_end(&p);

    for (uint32_t workers = 1; workers <= 3; workers += 2) {
        /* A clean stop, from a hook. */
        memset(&w, 0, sizeof w);
        w.stop_after = 2;
        w.answer = NAS_STOP;
        parts_begin(&p, "random", NULL, 0, NULL, NULL);
        p.work.naps = 1;
        p.options.hooks = &hooks;
        p.options.window = p.options.workers = workers;
        assert_int_equal(run(&p), NAS_ENDED_CALLER);
        assert_true(nas_search_trials(p.search) >= 2 && nas_search_trials(p.search) < 12);
        parts_end(&p);
        /* The hook's error is the search's. */
        memset(&w, 0, sizeof w);
        w.stop_after = 3;
        w.answer = -1077;
        parts_begin(&p, "random", NULL, 0, NULL, NULL);
        p.options.hooks = &hooks;
        p.options.window = p.options.workers = workers;
        MUST(p.f.context, nas_search_create(&p.search, p.f.context, &p.options));
        int32_t ended;
        assert_int_equal(nas_search_run(p.search, &ended), -1077);
        assert_int_equal(ended, NAS_ENDED_ERROR);
        parts_end(&p);
        /* should_stop, asked while a trial runs. */
        int obedient = 1;
        memset(&w, 0, sizeof w);
        w.flag_after = 2;
        parts_begin(&p, "random", NULL, 0, slow_evaluate, &obedient);
        nas_search_hooks only = {.struct_size = sizeof only, .user = &w, .should_stop = on_poll};
        p.options.hooks = &only;
        p.options.window = p.options.workers = workers;
        assert_int_equal(run(&p), NAS_ENDED_CALLER);
        assert_int_equal(nas_search_trials(p.search), 0);
        parts_end(&p);
    }
    /* nas_search_stop before anything: nothing runs. */
    parts_begin(&p, "random", NULL, 0, NULL, NULL);
    MUST(p.f.context, nas_search_create(&p.search, p.f.context, &p.options));
    nas_search_stop(p.search);
    int32_t ended;
    MUST(p.f.context, nas_search_run(p.search, &ended));
    assert_int_equal(ended, NAS_ENDED_CALLER);
    assert_int_equal(p.work.calls, 0);
    parts_end(&p);
}

static nas_status stopping_evaluate(void *user, const nas_proposal *asked, nas_reporter *progress,
                                    nas_result_builder *out) {
    (void)user, (void)progress;
    if (nas_proposal_trial(asked) == 3) return NAS_STOP;
    return nas_result_set(out, "accuracy", 0.5);
}
static void test_evaluator_stops(void **state) {
    parts p;
    (void)state;
    parts_begin(&p, "random", NULL, 0, stopping_evaluate, NULL);
    assert_int_equal(run(&p), NAS_ENDED_CALLER);
    assert_int_equal(nas_search_trials(p.search), 3);
    parts_end(&p);
}

/* ---- three ways to hold the loop
 * --------------------------------------------------------------------------------------- */

static char *dump_with(uint32_t way, uint32_t window, uint32_t seed) {
    parts p;
    parts_begin(&p, "evolution", (const char *[]){"population=5", "sample=2"}, 2, NULL, NULL);
    nas_context *c = p.f.context;
    p.options.max_trials = 20;
    p.options.window = window;
    p.options.workers = 1;
    p.options.seed = seed;
    if (way == 0) {
        run(&p);
    } else if (way == 1) {
        nas_status status;
        MUST(c, nas_search_create(&p.search, c, &p.options));
        for (uint64_t turns = 0; (status = nas_search_step(p.search)) == NAS_OK;)
            assert_int_equal(nas_search_trials(p.search), ++turns);
        assert_int_equal(status, NAS_DONE);
    } else {
        /* Asked for as many as there may be, told the newest first or in another order. */
        const nas_proposal *held[16], *p_asked;
        uint32_t n = 0;
        nas_result_builder *result;
        MUST(c, nas_result_create(&result, c));
        MUST(c, nas_search_create(&p.search, c, &p.options));
        for (;;) {
            nas_status status = nas_search_ask(p.search, &p_asked);
            if (status == NAS_DONE) break;
            if (status == NAS_OK) {
                held[n++] = p_asked;
                if (way == 2) continue;
            } else if (status != NAS_WAIT) {
                MUST(c, status);
            }
            assert_true(n > 0);
            uint32_t which = way == 2 ? n - 1 : 0;
            MUST(c, letters_evaluate(&p.work, held[which], NULL, result));
            MUST(c, nas_search_tell(p.search, held[which], result));
            assert_null(nas_result_metric_at(nas_result_so_far(result), 0, NULL));
            held[which] = held[--n];
        }
        nas_result_free(result);
        assert_int_equal(nas_search_ended(p.search), NAS_ENDED_TRIALS);
    }
    char *dump = dump_of(c, nas_search_store(p.search));
    parts_end(&p);
    return dump;
}

static void test_three_ways(void **state) {
    (void)state;
    for (uint32_t window = 1; window <= 5; window += 2) {
        char *run_dump = dump_with(0, window, 9);
        for (uint32_t way = 1; way <= 3; way++) {
            char *other = dump_with(way, window, 9);
            assert_string_equal(run_dump, other);
            free(other);
        }
        char *other = dump_with(0, window, 10);
        assert_string_not_equal(run_dump, other);
        free(other);
        free(run_dump);
    }
}

static void test_ask_tell(void **state) {
    parts p;
    const nas_proposal *a, *b, *none;
    nas_result_builder *result;
    nas_trial trial = {.struct_size = sizeof trial};
    (void)state;
    parts_begin(&p, "evolution", (const char *[]){"population=4", "sample=2"}, 2, NULL, NULL);
    nas_context *c = p.f.context;
    p.options.n_evaluators = 0;
    p.options.max_trials = 8;
    p.options.window = 2;
    MUST(c, nas_search_create(&p.search, c, &p.options));
    MUST(c, nas_result_create(&result, c));
    MUST(c, nas_search_ask(p.search, &a));
    MUST(c, nas_search_ask(p.search, &b));
    assert_int_equal(nas_search_ask(p.search, &none), NAS_WAIT);
    assert_int_equal(nas_proposal_turn(a), 0);
    assert_int_equal(nas_proposal_turn(b), 1);
    const double gradient[2] = {1, 2};
    MUST(c, nas_result_set_gradient(result, gradient, 2));
    FAILS(c, NAS_E_SHAPE, "gradient of 2 numbers, the proposal lists 4",
          nas_search_tell(p.search, a, result));
    MUST(c, nas_result_set_gradient(result, NULL, 0));
    MUST(c, nas_result_set(result, "accuracy", 0.25));
    MUST(c, nas_search_tell(p.search, b, result));
    assert_int_equal(nas_search_trials(p.search), 0); /* the first is still out */
    assert_int_equal(nas_search_ask(p.search, &none), NAS_WAIT);
    FAILS(c, NAS_E_STATE, "waits to be told", nas_search_tell(p.search, b, result));
    MUST(c, nas_search_forget(p.search, a));
    FAILS(c, NAS_E_STATE, "waits to be told", nas_search_forget(p.search, a));
    assert_int_equal(nas_search_trials(p.search), 2);
    MUST(c, nas_search_trial(p.search, 0, &trial));
    assert_int_equal(trial.reason, NAS_REASON_VANISHED);
    MUST(c, nas_search_best(p.search, &trial));
    assert_int_equal(trial.number, 1);
    FAILS(c, NAS_E_INVALID, "NULL", nas_search_tell(p.search, a, NULL));
    FAILS(c, NAS_E_STATE, "", nas_search_tell(p.search, NULL, result));
    /* An infeasible result can be told too. */
    MUST(c, nas_search_ask(p.search, &a));
    MUST(c, nas_result_set_infeasible(result, NAS_REASON_OTHER, "the board is broken"));
    MUST(c, nas_search_tell(p.search, a, result));
    MUST(c, nas_search_trial(p.search, 2, &trial));
    assert_string_equal(trial.sentence, "the board is broken");
    nas_result_free(result);
    parts_end(&p); /* with nothing told of what is out */
}

/* ---- reuse
 * ----------------------------------------------------------------------------------------------------------------
 */

static nas_status first_fails(void *user, const nas_proposal *asked, nas_reporter *progress,
                              nas_result_builder *out) {
    atomic_fetch_add((atomic_int *)user, 1);
    if (nas_proposal_trial(asked) % 8 == 0) return NAS_E_DIVERGED;
    nas_status status = nas_result_add_point(out, "accuracy", 1, letters_value(asked, 2, 2));
    (void)progress;
    return status < 0 ? status : nas_result_set(out, "accuracy", letters_value(asked, 2, 2));
}

static void test_reuse(void **state) {
    (void)state;
    for (uint32_t window = 1; window <= 7; window += 3) {
        char *dumps[2];
        for (uint32_t workers = 1; workers <= 2; workers++) {
            parts p;
            atomic_int calls = 0;
            uint64_t cached = 0;
            nas_trial trial = {.struct_size = sizeof trial};
            parts_begin(&p, "random", NULL, 0, first_fails, &calls);
            nas_context *c = p.f.context;
            nas_space *small = make_space(c, 2, 2);
            nas_controller_free(p.controller);
            MUST(c, nas_controller_named(&p.controller, small, "random", NULL, 0));
            p.options.controller = p.controller;
            p.options.space = small;
            p.options.reuse = 1;
            p.options.max_trials = 60;
            p.options.window = window;
            p.options.workers = workers;
            run(&p);
            for (uint64_t t = 0; t < 60; t++) {
                MUST(c, nas_search_trial(p.search, t, &trial));
                if (trial.state != NAS_STATE_CACHED) continue;
                size_t n;
                double x, y, value;
                cached++;
                MUST(c, nas_store_metric(nas_search_store(p.search), t, "accuracy", &value));
                assert_true(value == trial.score);
                MUST(c, nas_store_curve(nas_search_store(p.search), t, "accuracy", &x, &y, 1, &n));
                assert_true(n == 1 && y == value);
            }
            assert_int_equal(progress_of(&p).cached, cached);
            assert_int_equal(progress_of(&p).evaluations, 60 - cached);
            assert_int_equal(calls, 60 - cached);
            assert_true(cached >= 40);
            assert_int_equal(progress_of(&p).distinct, 4);
            dumps[workers - 1] = dump_of(c, nas_search_store(p.search));
            nas_space_free(small);
            parts_end(&p);
        }
        assert_string_equal(dumps[0], dumps[1]);
        free(dumps[0]);
        free(dumps[1]);
    }
}

/* Keeps which network it trained and how far; what it goes on from must be of the same network. */
static nas_status remembers(void *user, const nas_proposal *asked, nas_reporter *progress,
                            nas_result_builder *out) {
    struct {
        uint64_t arch;
        double epochs;
    } now = {0, 0};
    const void *bytes;
    size_t n;
    nas_status status = nas_report_from(progress, &bytes, &n);
    if (status < 0) return status;
    bool goes_on = nas_proposal_from(asked, NULL) != NAS_TRIAL_NONE;
    if (n == sizeof now) memcpy(&now, bytes, n);
    if (goes_on != (n > 0) || (goes_on && now.arch != nas_arch_hash(nas_proposal_arch(asked))))
        return NAS_E_STATE;
    double epochs = nas_proposal_fidelity(asked, "epochs", 1);
    if (now.epochs >= epochs) return NAS_E_STATE;
    now.arch = nas_arch_hash(nas_proposal_arch(asked));
    now.epochs = epochs;
    status = nas_report_keep(progress, &now, sizeof now);
    if (status < 0) return status;
    atomic_fetch_add((atomic_int *)user, 1);
    return nas_result_set(out, "accuracy", letters_value(asked, 2, 2) + epochs / 100);
}

/* A candidate whose result was another's is promoted: it goes on from the other's weights. Also
 * after the process has died in between. */
static void test_cached_promoted(void **state) {
    char folder[256], path[300], *dumps[2] = {NULL, NULL};
    (void)state;
    folder_begin(folder, sizeof folder);
    for (int cut = 0; cut < 2; cut++) {
        uint64_t promoted = 0, wanted = cut ? 11 : 60;
        snprintf(path, sizeof path, "%s/%d.nas", folder, cut);
        for (int part = 0; part <= cut; part++) {
            parts p;
            atomic_int calls = 0;
            nas_trial trial = {.struct_size = sizeof trial}, origin = trial;
            nas_store *store;
            parts_begin(&p, "random", NULL, 0, NULL, NULL);
            nas_context *c = p.f.context;
            nas_space *small = make_space(c, 2, 2);
            nas_controller_free(p.controller);
            nas_evaluator_free(p.evaluator);
            MUST(c, nas_controller_named(&p.controller, small, "halving",
                                         (const char *[]){"max_epochs=9", "candidates=9"}, 2));
            MUST(c, nas_evaluator_callback(&p.evaluator, c,
                                           NAS_EVALUATOR_CONCURRENT | NAS_EVALUATOR_STATELESS |
                                               NAS_EVALUATOR_CONTINUES,
                                           remembers, &calls, NULL));
            MUST(c, nas_store_open(&store, c, path, NULL));
            p.named.evaluator = p.evaluator;
            p.options.controller = p.controller;
            p.options.space = small;
            p.options.store = store;
            p.options.reuse = 1;
            p.options.max_trials = part == cut ? 60 : wanted;
            run(&p);
            assert_true(calls > 0);
            for (uint64_t t = 0; t < nas_search_trials(p.search); t++) {
                MUST(c, nas_search_trial(p.search, t, &trial));
                if (trial.state == NAS_STATE_INFEASIBLE)
                    fail_msg("trial %d: %s", (int)t, trial.sentence);
                if (part < cut || trial.from == NAS_TRIAL_NONE) continue;
                MUST(c, nas_search_trial(p.search, trial.from, &origin));
                assert_string_equal(origin.arch, trial.arch);
                promoted += origin.state == NAS_STATE_CACHED;
            }
            if (part == cut) dumps[cut] = dump_of(c, store);
            nas_search_free(p.search);
            p.search = NULL;
            nas_store_free(store);
            nas_space_free(small);
            parts_end(&p);
        }
        assert_true(promoted >= 3);
    }
    /* but for max_trials, which is one of the facts */
    assert_string_equal(strstr(dumps[0], "trial 0:"), strstr(dumps[1], "trial 0:"));
    free(dumps[0]);
    free(dumps[1]);
    folder_end(folder);
}

static void test_texts(void **state) {
    (void)state;
    for (int32_t i = NAS_ENDED_NOT; i <= NAS_ENDED_ERROR; i++)
        assert_string_not_equal(nas_ended_text(i), "unknown");
    assert_string_equal(nas_ended_text(-1), "unknown");
    assert_string_equal(nas_ended_text(99), "unknown");
    nas_search_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budgets),       cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_time),          cmocka_unit_test(test_objectives),
        cmocka_unit_test(test_infeasible),    cmocka_unit_test(test_controller_errors),
        cmocka_unit_test(test_bad_proposals), cmocka_unit_test(test_misfits),
        cmocka_unit_test(test_hooks),         cmocka_unit_test(test_evaluator_stops),
        cmocka_unit_test(test_three_ways),    cmocka_unit_test(test_ask_tell),
        cmocka_unit_test(test_reuse),         cmocka_unit_test(test_cached_promoted),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
