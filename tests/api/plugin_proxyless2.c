/* Two-path ProxylessNAS (Cai et al., "ProxylessNAS: direct neural architecture search on target
 * task and hardware", ICLR 2019, section 3.2) as a controller of one's own: an architecture step
 * lists two paths, of which one is active; a weight step runs one sampled path. The loss of the
 * fake evaluator is linear in the gates, so every number is known. */
#include "plugin.h"

enum { OPS = 4 };
static const double loss_of[OPS] = {0.7, -0.2, 0.1, 0.4};

/* ---- the controller -----------------------------------------------------------------------------
 */

typedef struct {
    double alpha[OPS], second[OPS]; /* Adam's second moments; beta1 is 0 */
    uint64_t turn, steps, turns;
    double rate, gradient[OPS], offset;
} proxyless;

static nas_status proxyless_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    proxyless *self = user;
    double p[OPS];
    uint32_t pair[2];
    if (self->turn == self->turns) return NAS_DONE;
    plugin_softmax(self->alpha, OPS, p);
    pair[0] = (uint32_t)nas_random_pick(stream, p, OPS);
    if (self->turn % 2 == 1) { /* a weight step on the one sampled path */
        nas_path one = {pair[0], 1, 1, 1};
        TRY(nas_propose_paths(out, 0, &one, 1));
        TRY(nas_propose_want(out, NAS_WANT_WEIGHT_STEP));
        TRY(nas_propose_batch(out, NAS_SPLIT_TRAIN, self->turn));
    } else { /* two without replacement; of them one is active, by the softmax over the two */
        double two[2], logits[2];
        p[pair[0]] = 0;
        pair[1] = (uint32_t)nas_random_pick(stream, p, OPS);
        logits[0] = self->alpha[pair[0]];
        logits[1] = self->alpha[pair[1]];
        plugin_softmax(logits, 2, two);
        uint32_t active = (uint32_t)nas_random_pick(stream, two, 2);
        nas_path gates[2] = {{pair[active], 1, 1, 1}, {pair[1 - active], 0, 0, 1}};
        TRY(nas_propose_paths(out, 0, gates, 2));
        TRY(nas_propose_want(out, NAS_WANT_ARCH_GRADIENT));
        TRY(nas_propose_batch(out, NAS_SPLIT_VALIDATION, self->turn));
    }
    return self->turn + 1 < self->turns ? nas_propose_continue_trial(out) : NAS_OK;
}

static nas_status proxyless_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    proxyless *self = user;
    uint32_t n;
    size_t n_gradient;
    const nas_path *paths = nas_proposal_paths(asked, 0, &n);
    const double *by_gate = nas_result_gradient(got, &n_gradient);
    double logits[2], p[2], before = 0, after = 0;
    self->turn++;
    if (nas_proposal_wants(asked) & NAS_WANT_WEIGHT_STEP) return NAS_OK;
    if (n != 2 || n_gradient != 2) return NAS_E_SHAPE;
    for (int i = 0; i < 2; i++)
        logits[i] = self->alpha[paths[i].alternative];
    plugin_softmax(logits, 2, p);
    self->steps++;
    memset(self->gradient, 0, sizeof self->gradient);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            self->gradient[paths[i].alternative] += by_gate[j] * p[j] * ((i == j) - p[i]);
    for (int i = 0; i < 2; i++)
        before += exp(self->alpha[paths[i].alternative]);
    for (int i = 0; i < OPS; i++) { /* Adam over the whole block: an unsampled one has gradient 0 */
        double g = self->gradient[i];
        self->second[i] = 0.999 * self->second[i] + 0.001 * g * g;
        self->alpha[i] -=
            self->rate * g / (sqrt(self->second[i] / (1 - pow(0.999, (double)self->steps))) + 1e-8);
    }
    for (int i = 0; i < 2; i++)
        after += exp(self->alpha[paths[i].alternative]);
    self->offset = log(after / before);
    for (int i = 0; i < 2; i++)
        self->alpha[paths[i].alternative] -= self->offset;
    return NAS_OK;
}

static const nas_controller_ops proxyless_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .flags = NAS_CONTROLLER_NEEDS_GRADIENT | NAS_CONTROLLER_NEEDS_WEIGHTS,
    .ask = proxyless_ask,
    .tell = proxyless_tell,
};

/* ---- the fake evaluator
 * ---------------------------------------------------------------------------- */

typedef struct {
    uint32_t pair[2]; /* of the last architecture step: active, not active */
    uint64_t weight_steps[OPS];
} gates;

static nas_status gates_evaluate(void *user, const nas_proposal *asked, nas_reporter *progress,
                                 nas_result_builder *out) {
    gates *self = user;
    uint32_t n;
    const nas_path *paths = nas_proposal_paths(asked, 0, &n);
    double loss = 0, gradient[OPS];
    (void)progress;
    for (uint32_t i = 0; i < n; i++) {
        if (paths[i].active) loss += paths[i].weight * loss_of[paths[i].alternative];
        gradient[i] = loss_of[paths[i].alternative];
    }
    if (nas_proposal_wants(asked) & NAS_WANT_WEIGHT_STEP) {
        if (n != 1) return NAS_E_INVALID; /* one path in memory */
        self->weight_steps[paths[0].alternative]++;
    } else {
        if (n != 2 || !paths[0].active || paths[1].active) return NAS_E_INVALID;
        self->pair[0] = paths[0].alternative;
        self->pair[1] = paths[1].alternative;
        TRY(nas_result_set_gradient(out, gradient, n));
    }
    return nas_result_set(out, "accuracy", -loss);
}

static const nas_evaluator_ops gates_ops = {
    .struct_size = sizeof(nas_evaluator_ops),
    .flags = NAS_EVALUATOR_ARCH_GRADIENT | NAS_EVALUATOR_WEIGHT_STEP,
    .evaluate = gates_evaluate,
};

static void run(proxyless *controller_self, gates *evaluator_self, uint64_t seed) {
    nas_context *context = plugin_context();
    nas_space *space = plugin_space(context, 1, OPS);
    nas_controller *controller;
    nas_evaluator *evaluator;
    nas_search *search;
    nas_search_options options;
    MUST(context,
         nas_controller_create(&controller, context, "proxyless", &proxyless_ops, controller_self));
    MUST(context, nas_evaluator_create(&evaluator, context, "gates", &gates_ops, evaluator_self));
    nas_named_evaluator named = {"gates", evaluator};
    nas_search_options_init(&options);
    options.space = space;
    options.controller = controller;
    options.evaluators = &named;
    options.n_evaluators = 1;
    options.seed = seed;
    assert_int_equal(plugin_run(context, &options, &search), NAS_ENDED_CONTROLLER);
    assert_int_equal(nas_search_trials(search), 1);
    nas_search_free(search);
    nas_controller_free(controller);
    nas_evaluator_free(evaluator);
    nas_space_free(space);
    plugin_end(context);
}

static void test_one_step(void **state) {
    /* The draw is the stream's: the first seed whose pair is (2 active, 0 not) has known numbers.
     */
    int seen = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 500 && !seen; seed++) {
        proxyless controller = {.alpha = {0.3, -0.1, 0.5, 0}, .turns = 1, .rate = 1e-3};
        gates evaluator = {{0, 0}, {0}};
        run(&controller, &evaluator, seed);
        if (evaluator.pair[0] != 2 || evaluator.pair[1] != 0) continue;
        seen = 1;
        CLOSE(controller.gradient[0], 0.14850994362711595, 1e-15);
        CLOSE(controller.gradient[2], -0.14850994362711595, 1e-15);
        CLOSE(controller.offset, 0.00010016298801984077, 1e-14);
        CLOSE(controller.alpha[0], 0.2988998370793157, 1e-14);
        CLOSE(controller.alpha[2], 0.5008998369446446, 1e-14);
        double p[OPS];
        plugin_softmax(controller.alpha, OPS, p);
        CLOSE(p[1], 0.1845319960449007, 1e-14); /* the others keep their probabilities */
        CLOSE(p[3], 0.2039393954832747, 1e-14);
    }
    assert_true(seen);
}

static void test_search(void **state) {
    proxyless controller = {.alpha = {0, 0, 0, 0}, .turns = 4000, .rate = 0.02};
    gates evaluator = {{0, 0}, {0}};
    double p[OPS];
    (void)state;
    run(&controller, &evaluator, 1);
    plugin_softmax(controller.alpha, OPS, p);
    for (int i = 0; i < OPS; i++)
        if (i != 1) assert_true(p[1] > p[i]); /* the least loss wins */
    uint64_t sum = 0;
    for (int i = 0; i < OPS; i++)
        sum += evaluator.weight_steps[i];
    assert_int_equal(sum, 2000);
    for (int i = 0; i < OPS; i++)
        if (i != 1) assert_true(evaluator.weight_steps[1] > evaluator.weight_steps[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_step),
                                       cmocka_unit_test(test_search)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
