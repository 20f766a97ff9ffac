/* ENAS (Pham et al., "Efficient neural architecture search via parameter sharing", ICML 2018) as a
 * controller of one's own: a tabular softmax policy over single paths that share their weights. One
 * trial is one epoch: weight steps on sampled paths, then sampled paths measured for the policy
 * (REINFORCE with an exponential baseline), then the most probable path measured. */
#include "plugin.h"

enum { DECISIONS = 3, OPS = 4, WEIGHT_STEPS = 12, SAMPLES = 12, EPOCHS = 40 };

/* ---- the controller -----------------------------------------------------------------------------
 */

typedef struct {
    double logits[DECISIONS][OPS], baseline;
    uint64_t epoch, turn; /* of the epoch */
} enas;

static nas_status enas_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    enas *self = user;
    double p[DECISIONS][OPS];
    if (self->epoch == EPOCHS) return NAS_DONE;
    for (uint32_t d = 0; d < DECISIONS; d++) {
        nas_value value = {0, 0};
        plugin_softmax(self->logits[d], OPS, p[d]);
        if (self->turn < WEIGHT_STEPS + SAMPLES)
            value.integer = (int64_t)nas_random_pick(stream, p[d], OPS);
        else
            for (int i = 1; i < OPS; i++)
                if (p[d][i] > p[d][value.integer]) value.integer = i;
        TRY(nas_propose_value(out, d, &value));
    }
    TRY(nas_propose_token(out, p, sizeof p)); /* the policy that it was drawn from */
    if (self->turn < WEIGHT_STEPS) {
        TRY(nas_propose_want(out, NAS_WANT_WEIGHT_STEP));
        TRY(nas_propose_batch(out, NAS_SPLIT_TRAIN, self->epoch * WEIGHT_STEPS + self->turn));
    } else if (self->turn < WEIGHT_STEPS + SAMPLES) {
        TRY(nas_propose_want(out, NAS_WANT_METRICS));
        TRY(nas_propose_batch(out, NAS_SPLIT_VALIDATION, self->epoch * SAMPLES + self->turn));
    } else {
        return nas_propose_batch(out, NAS_SPLIT_VALIDATION, NAS_BATCH_WHOLE); /* ends the trial */
    }
    return nas_propose_continue_trial(out);
}

static nas_status enas_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    enas *self = user;
    double reward, p[DECISIONS][OPS];
    size_t n;
    const void *token = nas_proposal_token(asked, &n);
    if (n != sizeof p) return NAS_E_SHAPE;
    memcpy(p, token, n);
    if (self->turn == WEIGHT_STEPS + SAMPLES) {
        self->turn = 0;
        self->epoch++;
        return NAS_OK;
    }
    if (self->turn++ < WEIGHT_STEPS) return NAS_OK;
    TRY(nas_result_metric(got, "accuracy", &reward));
    self->baseline += 0.1 * (reward - self->baseline);
    for (uint32_t d = 0; d < DECISIONS; d++) {
        nas_value value;
        TRY(nas_proposal_value(asked, d, &value));
        for (int i = 0; i < OPS; i++)
            self->logits[d][i] +=
                1.0 * (reward - self->baseline) * ((i == (int)value.integer) - p[d][i]);
    }
    return NAS_OK;
}

static nas_status enas_save(void *user, nas_writer *to) {
    const enas *self = user;
    TRY(nas_write_f64s(to, &self->logits[0][0], DECISIONS * OPS));
    TRY(nas_write_f64(to, self->baseline));
    TRY(nas_write_u64(to, self->epoch));
    return nas_write_u64(to, self->turn);
}

static nas_status enas_load(void *user, nas_reader *from) {
    enas *self = user;
    TRY(nas_read_f64s(from, &self->logits[0][0], DECISIONS * OPS));
    TRY(nas_read_f64(from, &self->baseline));
    TRY(nas_read_u64(from, &self->epoch));
    return nas_read_u64(from, &self->turn);
}

static const nas_controller_ops enas_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .flags = NAS_CONTROLLER_NEEDS_WEIGHTS,
    .ask = enas_ask,
    .tell = enas_tell,
    .save = enas_save,
    .load = enas_load,
};

/* ---- fake shared weights: each operation learns towards what it is worth
 * ------------------------- */

static const double worth[DECISIONS][OPS] = {
    {0.1, 0.9, 0.3, 0.2}, {0.8, 0.1, 0.2, 0.3}, {0.2, 0.3, 0.1, 0.7}};
typedef struct {
    double shared[DECISIONS][OPS];
    uint64_t steps, measured;
} supernet;

static nas_status supernet_evaluate(void *user, const nas_proposal *asked, nas_reporter *progress,
                                    nas_result_builder *out) {
    supernet *self = user;
    double mean = 0;
    (void)progress;
    for (uint32_t d = 0; d < DECISIONS; d++) {
        uint32_t n;
        const nas_path *path = nas_proposal_paths(asked, d, &n);
        if (n != 1 || !path->active || path->weight != 1) return NAS_E_INVALID;
        double *shared = &self->shared[d][path->alternative];
        if (nas_proposal_wants(asked) & NAS_WANT_WEIGHT_STEP)
            *shared += 0.2 * (worth[d][path->alternative] - *shared);
        mean += *shared / DECISIONS;
    }
    if (nas_proposal_wants(asked) & NAS_WANT_WEIGHT_STEP)
        self->steps++;
    else
        self->measured++;
    if (!(nas_proposal_wants(asked) & NAS_WANT_METRICS)) return NAS_OK;
    return nas_result_set(out, "accuracy", mean);
}

static const nas_evaluator_ops supernet_ops = {
    .struct_size = sizeof(nas_evaluator_ops),
    .flags = NAS_EVALUATOR_WEIGHT_STEP,
    .evaluate = supernet_evaluate,
};

static void search_once(enas *controller_self, supernet *evaluator_self, uint64_t seed,
                        double *accuracy) {
    nas_context *context = plugin_context();
    nas_space *space = plugin_space(context, DECISIONS, OPS);
    nas_controller *controller;
    nas_evaluator *evaluator;
    nas_search *search;
    nas_search_options options;
    nas_trial last = {.struct_size = sizeof last};
    MUST(context, nas_controller_create(&controller, context, "enas", &enas_ops, controller_self));
    MUST(context,
         nas_evaluator_create(&evaluator, context, "supernet", &supernet_ops, evaluator_self));
    nas_named_evaluator named = {"supernet", evaluator};
    nas_search_options_init(&options);
    options.space = space;
    options.controller = controller;
    options.evaluators = &named;
    options.n_evaluators = 1;
    options.seed = seed;
    assert_int_equal(plugin_run(context, &options, &search), NAS_ENDED_CONTROLLER);
    assert_int_equal(nas_search_trials(search), EPOCHS);
    MUST(context, nas_search_trial(search, EPOCHS - 1, &last));
    assert_int_equal(last.turns, WEIGHT_STEPS + SAMPLES + 1);
    *accuracy = last.score;
    nas_search_free(search);
    nas_controller_free(controller);
    nas_evaluator_free(evaluator);
    nas_space_free(space);
    plugin_end(context);
}

static void test_enas(void **state) {
    enas controller = {.epoch = 0}, again = {.epoch = 0};
    supernet evaluator = {.steps = 0}, evaluator_again = {.steps = 0};
    double accuracy, accuracy_again;
    (void)state;
    search_once(&controller, &evaluator, 3, &accuracy);
    assert_int_equal(evaluator.steps, EPOCHS * WEIGHT_STEPS);
    assert_int_equal(evaluator.measured, EPOCHS * (SAMPLES + 1));
    CLOSE(accuracy, (0.9 + 0.8 + 0.7) / 3, 0.02); /* the best path, its shared weights trained */
    search_once(&again, &evaluator_again, 3, &accuracy_again);
    assert_memory_equal(&controller, &again, sizeof again); /* to the bit */
    assert_memory_equal(&evaluator, &evaluator_again, sizeof evaluator);
    assert_true(accuracy == accuracy_again);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_enas)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
