/* Proxy warm-up (Abdelfattah et al., "Zero-cost proxies for lightweight NAS", ICLR 2021, section 4)
 * as a controller that wraps another: it scores N random architectures by the evaluator "proxy",
 * trains the best K of them by the evaluator "train", and hands over to regularized evolution,
 * whose first population they are. No scoring hides inside ask. */
#include "plugin.h"

enum { PROXIED = 40, TRAINED = 5, POPULATION = 5, EVOLVED = 30 };

/* ---- the controller -----------------------------------------------------------------------------
 */

typedef struct {
    nas_arch *arch;
    double score;
} scored;

typedef struct {
    nas_controller *inner; /* owned */
    const nas_space *space;
    uint64_t asked, told; /* of all phases */
    scored candidates[PROXIED];
} warmup;

static int better_first(const void *a, const void *b) {
    const scored *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score;
}

static nas_status warmup_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    warmup *self = user;
    if (self->asked < PROXIED) {
        scored *one = &self->candidates[self->asked];
        TRY(nas_space_sample(self->space, stream, &one->arch));
        TRY(nas_propose_arch(out, one->arch));
        TRY(nas_propose_evaluator(out, "proxy"));
    } else if (self->asked < PROXIED + TRAINED) {
        if (self->asked == PROXIED) {
            if (self->told < PROXIED) return NAS_WAIT;
            qsort(self->candidates, PROXIED, sizeof(scored), better_first);
        }
        TRY(nas_propose_arch(out, self->candidates[self->asked - PROXIED].arch));
        TRY(nas_propose_evaluator(out, "train"));
    } else {
        if (self->told < PROXIED + TRAINED) return NAS_WAIT;
        nas_status status = nas_controller_ask(self->inner, stream, out);
        if (status != NAS_OK) return status;
        TRY(nas_propose_evaluator(out, "train"));
    }
    self->asked++;
    return NAS_OK;
}

static nas_status warmup_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    warmup *self = user;
    self->told++;
    if (!strcmp(nas_proposal_evaluator(asked), "train"))
        return nas_controller_tell(self->inner, asked, got);
    for (uint64_t i = 0; i < PROXIED; i++) /* drawn twice: both have the score */
        if (self->candidates[i].arch &&
            nas_arch_equal(self->candidates[i].arch, nas_proposal_arch(asked)))
            TRY(nas_result_metric(got, "proxy", &self->candidates[i].score));
    return NAS_OK;
}

static nas_status warmup_save(void *user, nas_writer *to) {
    const warmup *self = user;
    TRY(nas_write_u64(to, self->asked));
    TRY(nas_write_u64(to, self->told));
    for (uint64_t i = 0; i < self->asked && i < PROXIED; i++) {
        TRY(nas_write_arch(to, self->candidates[i].arch));
        TRY(nas_write_f64(to, self->candidates[i].score));
    }
    return nas_controller_save(self->inner, to);
}

static nas_status warmup_load(void *user, nas_reader *from) {
    warmup *self = user;
    TRY(nas_read_u64(from, &self->asked));
    TRY(nas_read_u64(from, &self->told));
    for (uint64_t i = 0; i < self->asked && i < PROXIED; i++) {
        TRY(nas_read_arch(from, self->space, &self->candidates[i].arch));
        TRY(nas_read_f64(from, &self->candidates[i].score));
    }
    return nas_controller_load(self->inner, from);
}

static void warmup_destroy(void *user) {
    warmup *self = user;
    for (int i = 0; i < PROXIED; i++)
        nas_arch_free(self->candidates[i].arch);
    nas_controller_free(self->inner);
    free(self);
}

static const nas_controller_ops warmup_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .ask = warmup_ask,
    .tell = warmup_tell,
    .save = warmup_save,
    .load = warmup_load,
    .destroy = warmup_destroy,
};

/* ---- two fake evaluators: the proxy is a coarse view of what training finds
 * ----------------------- */

enum { DECISIONS = 6, OPS = 5 };
static double truth(const nas_proposal *asked) {
    double sum = 0;
    for (uint32_t d = 0; d < DECISIONS; d++) {
        nas_value value = {0, 0};
        nas_proposal_value(asked, d, &value);
        sum += 1 - fabs((double)value.integer - (double)(d % OPS)) / OPS;
    }
    return sum / DECISIONS;
}
static nas_status proxy(void *user, const nas_proposal *asked, nas_reporter *progress,
                        nas_result_builder *out) {
    (void)progress;
    ++*(int *)user;
    return nas_result_set(out, "proxy", floor(20 * truth(asked)));
}
static nas_status train(void *user, const nas_proposal *asked, nas_reporter *progress,
                        nas_result_builder *out) {
    (void)progress;
    ++*(int *)user;
    return nas_result_set(out, "accuracy", truth(asked));
}

static void search_with(uint32_t window, double *found) {
    nas_context *context = plugin_context();
    nas_space *space = plugin_space(context, DECISIONS, OPS);
    nas_evolution_options evolution = NAS_EVOLUTION_OPTIONS_INIT;
    nas_controller *controller;
    nas_evaluator *evaluators[2];
    nas_search *search;
    nas_search_options options;
    nas_trial trial = {.struct_size = sizeof trial};
    int proxied = 0, trained = 0;
    warmup *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->space = space;
    evolution.population = POPULATION;
    evolution.sample = 3;
    MUST(context, nas_controller_evolution(&self->inner, space, &evolution));
    MUST(context, nas_controller_create(&controller, context, "warm-up", &warmup_ops, self));
    MUST(context, nas_evaluator_callback(&evaluators[0], context, NAS_EVALUATOR_STATELESS, train,
                                         &trained, NULL));
    MUST(context, nas_evaluator_callback(&evaluators[1], context, NAS_EVALUATOR_STATELESS, proxy,
                                         &proxied, NULL));
    nas_named_evaluator named[2] = {{"train", evaluators[0]}, {"proxy", evaluators[1]}};
    nas_search_options_init(&options);
    options.space = space;
    options.controller = controller;
    options.evaluators = named;
    options.n_evaluators = 2;
    options.seed = 5;
    options.window = window;
    options.max_trials = PROXIED + TRAINED + EVOLVED;
    assert_int_equal(plugin_run(context, &options, &search), NAS_ENDED_TRIALS);
    assert_int_equal(proxied, PROXIED);
    assert_int_equal(trained, TRAINED + EVOLVED);

    /* The trained ones are the best by the proxy. */
    double proxies[PROXIED], least = INFINITY;
    uint64_t above = 0;
    for (uint64_t i = 0; i < PROXIED; i++) {
        MUST(context, nas_store_metric(nas_search_store(search), i, "proxy", &proxies[i]));
        MUST(context, nas_search_trial(search, i, &trial));
        assert_string_equal(trial.evaluator, "proxy");
        assert_true(isnan(trial.score)); /* a proxy's result is no accuracy */
    }
    for (uint64_t i = PROXIED; i < PROXIED + TRAINED; i++) {
        double of_this = -1;
        char arch[256];
        MUST(context, nas_search_trial(search, i, &trial));
        assert_string_equal(trial.evaluator, "train");
        assert_true(strlen(trial.arch) < sizeof arch);
        strcpy(arch, trial.arch);
        for (uint64_t j = 0; j < PROXIED; j++) {
            MUST(context, nas_search_trial(search, j, &trial));
            if (!strcmp(trial.arch, arch)) of_this = proxies[j];
        }
        assert_true(of_this >= 0);
        if (of_this < least) least = of_this;
    }
    for (uint64_t i = 0; i < PROXIED; i++)
        above += proxies[i] > least;
    assert_true(above < TRAINED);

    /* They are the parents of what follows: evolution draws no random population of its own. */
    for (uint64_t i = PROXIED + TRAINED; i < PROXIED + TRAINED + EVOLVED; i++) {
        MUST(context, nas_search_trial(search, i, &trial));
        assert_true(trial.parent != NAS_TRIAL_NONE);
        assert_true(trial.parent >= PROXIED && trial.parent < i);
        assert_true(trial.generation >= 1);
    }
    MUST(context, nas_search_best(search, &trial));
    *found = trial.score;
    nas_search_free(search);
    nas_controller_free(controller);
    for (int i = 0; i < 2; i++)
        nas_evaluator_free(evaluators[i]);
    nas_space_free(space);
    plugin_end(context);
}

static void test_warmup(void **state) {
    double one, four;
    (void)state;
    search_with(1, &one);
    search_with(4, &four);
    assert_true(one > 0.9);
    assert_true(four > 0.85);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_warmup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
