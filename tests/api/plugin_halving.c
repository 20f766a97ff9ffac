/* Synchronous successive halving (Jamieson & Talwalkar, AISTATS 2016; a bracket of Hyperband) as a
 * controller of one's own: 27 candidates for 1 epoch, the best 9 continued to 3, the best 3 to 9,
 * the best to 27. While a rung is not full it answers NAS_WAIT, so it works with any window and any
 * number of workers. */
#include <stdatomic.h>
#include <time.h>
#include "plugin.h"

enum { FIRST = 27, ETA = 3, RUNGS = 4 };

/* ---- the controller -----------------------------------------------------------------------------
 */

typedef struct {
    nas_arch *arch;
    uint64_t trial; /* where its weights are */
    double score;
} candidate;

typedef struct {
    uint32_t rung, size, asked, told;
    double epochs;
    candidate candidates[FIRST];
} halving;

static int better_first(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->trial < y->trial ? -1 : x->trial > y->trial; /* of equals the earlier */
}

static nas_status halving_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    halving *self = user;
    if (self->asked == self->size) { /* the rung is asked for */
        if (self->told < self->size) return NAS_WAIT;
        if (self->rung + 1 == RUNGS) return NAS_DONE;
        qsort(self->candidates, self->size, sizeof(candidate), better_first);
        for (uint32_t i = self->size / ETA; i < self->size; i++)
            nas_arch_free(self->candidates[i].arch);
        self->rung++;
        self->size /= ETA;
        self->epochs *= ETA;
        self->asked = self->told = 0;
    }
    candidate *one = &self->candidates[self->asked];
    if (self->rung == 0)
        TRY(nas_space_sample(nas_propose_space(out), stream, &one->arch));
    else
        TRY(nas_propose_from(out, one->trial, NAS_FROM_CONTINUE));
    TRY(nas_propose_arch(out, one->arch));
    TRY(nas_propose_fidelity(out, "epochs", self->epochs));
    TRY(nas_propose_token(out, &self->asked, sizeof self->asked));
    self->asked++;
    return NAS_OK;
}

static nas_status halving_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    halving *self = user;
    uint32_t index;
    size_t n;
    memcpy(&index, nas_proposal_token(asked, &n), sizeof index);
    self->candidates[index].trial = nas_proposal_trial(asked);
    self->candidates[index].score = nas_result_score(got); /* -INFINITY where it failed */
    self->told++;
    return NAS_OK;
}

static void halving_destroy(void *user) {
    halving *self = user;
    for (uint32_t i = 0; i < (self->rung ? self->size : self->asked); i++)
        nas_arch_free(self->candidates[i].arch);
    free(self);
}

static const nas_controller_ops halving_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .flags = NAS_CONTROLLER_CONTINUES,
    .ask = halving_ask,
    .tell = halving_tell,
    .destroy = halving_destroy,
};

/* ---- a fake trainer: better x learn faster; what it keeps is how long it trained
 * ----------------- */

static double quality(double x, double epochs) {
    return 0.9 - 0.02 * fabs(x - 61) / 10 - 0.3 / epochs;
}

typedef struct {
    atomic_int epochs_trained, from_scratch, continued;
} trainer;

static nas_status trainer_evaluate(void *user, const nas_proposal *asked, nas_reporter *progress,
                                   nas_result_builder *out) {
    trainer *self = user;
    nas_value x;
    int32_t how;
    double trained = 0, epochs = nas_proposal_fidelity(asked, "epochs", 1);
    if (nas_proposal_from(asked, &how) != NAS_TRIAL_NONE) {
        const void *bytes;
        size_t n;
        TRY(nas_report_from(progress, &bytes, &n));
        if (how != NAS_FROM_CONTINUE || n != sizeof trained) return NAS_E_STATE;
        memcpy(&trained, bytes, n);
        atomic_fetch_add(&self->continued, 1);
    } else {
        atomic_fetch_add(&self->from_scratch, 1);
    }
    TRY(nas_proposal_value(asked, 0, &x));
    /* Some take longer than others, so that several workers finish out of order. */
    struct timespec pause = {0, (long)(x.integer * 37 % 5) * 200000};
    nanosleep(&pause, NULL);
    for (double epoch = trained + 1; epoch <= epochs; epoch++) {
        atomic_fetch_add(&self->epochs_trained, 1);
        TRY(nas_result_add_point(out, "accuracy", epoch, quality((double)x.integer, epoch)));
        TRY(nas_report(progress, epoch, epochs, "accuracy", quality((double)x.integer, epoch)));
    }
    if (nas_report_keep_due(progress, 1)) TRY(nas_report_keep(progress, &epochs, sizeof epochs));
    return nas_result_set(out, "accuracy", quality((double)x.integer, epochs));
}

static const nas_evaluator_ops trainer_ops = {
    .struct_size = sizeof(nas_evaluator_ops),
    .flags = NAS_EVALUATOR_CONCURRENT | NAS_EVALUATOR_STATELESS | NAS_EVALUATOR_CONTINUES,
    .evaluate = trainer_evaluate,
};

/* The canonical dump, to be freed. */
static char *search_once(uint64_t seed, uint32_t window, uint32_t workers, double *found) {
    nas_context *context = plugin_context();
    nas_space *space;
    nas_controller *controller;
    nas_evaluator *evaluator;
    nas_search *search;
    nas_search_options options;
    nas_trial trial = {.struct_size = sizeof trial};
    nas_search_progress progress = {.struct_size = sizeof progress};
    nas_sink *sink;
    size_t n;
    trainer work = {0, 0, 0};
    halving *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->size = FIRST;
    self->epochs = 1;
    MUST(context, nas_space_create(&space, context, "line"));
    MUST(context, nas_space_add_integer(space, "x", 0, 99, 1));
    MUST(context, nas_space_finish(space));
    MUST(context, nas_controller_create(&controller, context, "halving", &halving_ops, self));
    MUST(context, nas_evaluator_create(&evaluator, context, "trainer", &trainer_ops, &work));
    nas_named_evaluator named = {"trainer", evaluator};
    nas_search_options_init(&options);
    options.space = space;
    options.controller = controller;
    options.evaluators = &named;
    options.n_evaluators = 1;
    options.seed = seed;
    options.window = window;
    options.workers = workers;
    assert_int_equal(plugin_run(context, &options, &search), NAS_ENDED_CONTROLLER);
    assert_int_equal(nas_search_trials(search), 27 + 9 + 3 + 1);
    assert_int_equal(work.from_scratch, 27);
    assert_int_equal(work.continued, 9 + 3 + 1);
    assert_int_equal(work.epochs_trained,
                     27 * 1 + 9 * 2 + 3 * 6 + 1 * 18); /* nothing trained twice */
    MUST(context, nas_search_state(search, &progress));
    CLOSE(progress.epochs, 27 + 18 + 18 + 18, 0);
    double best = -1; /* of the sampled */
    for (uint64_t i = 0; i < FIRST; i++) {
        nas_arch *arch;
        nas_value x;
        MUST(context, nas_search_trial(search, i, &trial));
        MUST(context, nas_arch_parse(&arch, space, trial.arch));
        MUST(context, nas_arch_value(arch, 0, &x));
        if (quality((double)x.integer, 27) > best) best = quality((double)x.integer, 27);
        nas_arch_free(arch);
    }
    MUST(context, nas_search_best(search, &trial));
    *found = trial.score;
    CLOSE(trial.score, best, 0); /* the true best of the sampled */
    assert_int_equal(trial.number, 39);
    assert_true(trial.from >= 36 && trial.from < 39);
    MUST(context, nas_sink_memory(&sink, context));
    MUST(context, nas_store_dump(nas_search_store(search), sink));
    char *dump = strdup(nas_sink_data(sink, &n));
    assert_non_null(dump);
    nas_sink_free(sink);
    nas_search_free(search);
    nas_controller_free(controller);
    nas_evaluator_free(evaluator);
    nas_space_free(space);
    plugin_end(context);
    return dump;
}

static void test_halving(void **state) {
    static const uint32_t windows[] = {1, 3, 40};
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++)
        for (int i = 0; i < 3; i++) {
            double found, again;
            char *one = search_once(seed, windows[i], 1, &found);
            char *three = search_once(seed, windows[i], 3, &again);
            assert_string_equal(one, three); /* workers do not change the search */
            assert_true(found == again);
            free(one);
            free(three);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_halving)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
