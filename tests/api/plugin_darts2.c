/* Second-order DARTS (Liu et al., "DARTS: differentiable architecture search", ICLR 2019, section
 * 2.3) as a controller of one's own, over fake evaluators with exact answers. One trial is one
 * epoch; each step takes four turns: the validation gradient one look-ahead step away, which also
 * keeps the direction v; the training gradients at w + R v and w - R v; and the weight step. */
#include "plugin.h"

/* ---- the controller -----------------------------------------------------------------------------
 */

typedef struct {
    uint32_t n;           /* alternatives of the one decision */
    int32_t softmax;      /* 1: paths weigh softmax(alpha); 0: alpha itself, as in the toy */
    double rate;          /* plain gradient descent on alpha */
    uint64_t step, steps; /* of the epoch */
    uint32_t phase;       /* 0 look-ahead, 1 plus, 2 minus, 3 weight step */
    double alpha[8], d[8], plus[8];
    double radius, eta;
    double gradient[8]; /* the last second-order gradient, for the tests */
} darts;

static void weights(const darts *self, double *p) {
    if (self->softmax)
        plugin_softmax(self->alpha, self->n, p);
    else
        memcpy(p, self->alpha, self->n * sizeof *p);
}

/* d loss / d alpha from d loss / d path weight */
static void chain(const darts *self, const double *by_path, double *by_alpha) {
    double p[8], mean = 0;
    weights(self, p);
    for (uint32_t i = 0; i < self->n; i++)
        mean += p[i] * by_path[i];
    for (uint32_t i = 0; i < self->n; i++)
        by_alpha[i] = self->softmax ? p[i] * (by_path[i] - mean) : by_path[i];
}

static nas_status darts_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    darts *self = user;
    nas_path paths[8];
    double p[8];
    (void)stream;
    if (self->step == self->steps) return NAS_DONE;
    weights(self, p);
    for (uint32_t i = 0; i < self->n; i++)
        paths[i] = (nas_path){i, 1, p[i], 1};
    TRY(nas_propose_paths(out, 0, paths, self->n));
    switch (self->phase) {
    case 0:
        TRY(nas_propose_want(out, NAS_WANT_ARCH_GRADIENT | NAS_WANT_KEEP_DIRECTION));
        TRY(nas_propose_batch(out, NAS_SPLIT_VALIDATION, self->step));
        TRY(nas_propose_weights(out, NAS_WEIGHTS_LOOKAHEAD, self->step));
        break;
    case 1:
    case 2:
        TRY(nas_propose_want(out, NAS_WANT_ARCH_GRADIENT));
        TRY(nas_propose_batch(out, NAS_SPLIT_TRAIN, self->step));
        TRY(nas_propose_displacement(out, self->phase == 1 ? self->radius : -self->radius));
        break;
    default:
        TRY(nas_propose_want(out, NAS_WANT_WEIGHT_STEP | NAS_WANT_METRICS));
        TRY(nas_propose_batch(out, NAS_SPLIT_TRAIN, self->step));
    }
    if (self->phase < 3 || self->step + 1 < self->steps) TRY(nas_propose_continue_trial(out));
    return NAS_OK;
}

static nas_status darts_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    darts *self = user;
    size_t n = 0;
    double norm, minus[8];
    const double *by_path = nas_result_gradient(got, &n);
    (void)asked;
    if (self->phase < 3 && n != self->n) return NAS_E_SHAPE;
    switch (self->phase) {
    case 0:
        TRY(nas_result_metric(got, "direction_norm", &norm));
        TRY(nas_result_metric(got, "learning_rate", &self->eta));
        self->radius = 0.01 / norm;
        chain(self, by_path, self->d);
        break;
    case 1:
        chain(self, by_path, self->plus);
        break;
    case 2:
        chain(self, by_path, minus);
        for (uint32_t i = 0; i < self->n; i++) {
            double h = (self->plus[i] - minus[i]) / (2 * self->radius);
            self->gradient[i] = self->d[i] - self->eta * h;
            self->alpha[i] -= self->rate * self->gradient[i];
        }
        break;
    default:
        self->step++;
    }
    self->phase = (self->phase + 1) % 4;
    return NAS_OK;
}

static const nas_controller_ops darts_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .flags = NAS_CONTROLLER_NEEDS_GRADIENT | NAS_CONTROLLER_NEEDS_WEIGHTS,
    .ask = darts_ask,
    .tell = darts_tell,
};

/* ---- a fake evaluator: a loss with exact gradients, and SGD with momentum over it ---------------
 */

typedef struct fake fake;
struct fake {
    uint32_t n_weights, n_paths;
    double w[18], v[18], momentum[18];
    double eta, mu, decay;
    /* loss of the split at w; gradients by the weights and by the paths */
    double (*loss)(const fake *self, int validation, const double *w, const double *p, double *by_w,
                   double *by_p);
};

static nas_status fake_evaluate(void *user, const nas_proposal *asked, nas_reporter *progress,
                                nas_result_builder *out) {
    fake *self = user;
    uint32_t n;
    const nas_path *paths = nas_proposal_paths(asked, 0, &n);
    double p[8], at[18], by_w[18], by_p[8], norm = 0, loss;
    uint64_t ahead = 0;
    (void)progress;
    for (uint32_t i = 0; i < n; i++)
        p[i] = paths[i].weight;
    memcpy(at, self->w, sizeof at);
    if (nas_proposal_weights(asked, &ahead) == NAS_WEIGHTS_LOOKAHEAD) {
        self->loss(self, 0, self->w, p, by_w, by_p);
        for (uint32_t i = 0; i < self->n_weights; i++)
            at[i] -=
                self->eta * (self->mu * self->momentum[i] + by_w[i] + self->decay * self->w[i]);
        TRY(nas_result_set(out, "learning_rate", self->eta));
    }
    for (uint32_t i = 0; i < self->n_weights; i++)
        at[i] += nas_proposal_displacement(asked) * self->v[i];
    loss = self->loss(self, nas_proposal_split(asked) == NAS_SPLIT_VALIDATION, at, p, by_w, by_p);
    if (nas_proposal_wants(asked) & NAS_WANT_KEEP_DIRECTION) {
        memcpy(self->v, by_w, sizeof by_w);
        for (uint32_t i = 0; i < self->n_weights; i++)
            norm += by_w[i] * by_w[i];
        TRY(nas_result_set(out, "direction_norm", sqrt(norm)));
    }
    if (nas_proposal_wants(asked) & NAS_WANT_ARCH_GRADIENT)
        TRY(nas_result_set_gradient(out, by_p, n));
    if (nas_proposal_wants(asked) & NAS_WANT_WEIGHT_STEP)
        for (uint32_t i = 0; i < self->n_weights; i++) {
            self->momentum[i] = self->mu * self->momentum[i] + by_w[i] + self->decay * self->w[i];
            self->w[i] -= self->eta * self->momentum[i];
        }
    TRY(nas_result_set(out, "accuracy", -loss));
    return nas_result_set(out, "loss", loss);
}

static const nas_evaluator_ops fake_ops = {
    .struct_size = sizeof(nas_evaluator_ops),
    .flags = NAS_EVALUATOR_ARCH_GRADIENT | NAS_EVALUATOR_WEIGHT_STEP,
    .evaluate = fake_evaluate,
};

static void run(darts *controller_self, fake *evaluator_self, uint64_t expect_turns) {
    nas_context *context = plugin_context();
    nas_space *space = plugin_space(context, 1, controller_self->n);
    nas_controller *controller;
    nas_evaluator *evaluator;
    nas_search *search;
    nas_search_options options;
    nas_trial trial = {.struct_size = sizeof trial};
    MUST(context,
         nas_controller_create(&controller, context, "darts2", &darts_ops, controller_self));
    MUST(context, nas_evaluator_create(&evaluator, context, "fake", &fake_ops, evaluator_self));
    nas_named_evaluator named = {"fake", evaluator};
    nas_search_options_init(&options);
    options.space = space;
    options.controller = controller;
    options.evaluators = &named;
    options.n_evaluators = 1;
    assert_int_equal(plugin_run(context, &options, &search), NAS_ENDED_CONTROLLER);
    assert_int_equal(nas_search_trials(search), 1); /* one epoch */
    MUST(context, nas_search_trial(search, 0, &trial));
    assert_int_equal(trial.turns, expect_turns);
    assert_string_equal(trial.arch, "");
    nas_search_free(search);
    nas_controller_free(controller);
    nas_evaluator_free(evaluator);
    nas_space_free(space);
    plugin_end(context);
}

/* ---- the quadratic toy: L_train = |w - A alpha|^2 / 2, L_val = |w - b|^2 / 2 --------------------
 */

static const double toy_a[2][3] = {{1.0, -0.5, 0.25}, {0.5, 2.0, -1.0}}, toy_b[2] = {0.7, -0.3};

static double toy_loss(const fake *self, int validation, const double *w, const double *p,
                       double *by_w, double *by_p) {
    double loss = 0;
    memset(by_p, 0, 8 * sizeof *by_p);
    for (uint32_t r = 0; r < self->n_weights; r++) {
        double target = toy_b[r];
        if (!validation) {
            target = 0;
            for (uint32_t i = 0; i < 3; i++)
                target += toy_a[r][i] * p[i];
        }
        by_w[r] = w[r] - target;
        loss += 0.5 * by_w[r] * by_w[r];
        if (!validation)
            for (uint32_t i = 0; i < 3; i++)
                by_p[i] -= toy_a[r][i] * by_w[r];
    }
    return loss;
}

static void test_quadratic(void **state) {
    /* Exact: the gradient is eta A^T v with v = w' - b and w' = w - eta (w - A alpha); finite
     * differences of a quadratic have no error of their own. Followed over three steps. */
    const double eta = 0.1, rate = 0.5;
    double alpha[3] = {0.2, -0.1, 0.4}, w[2] = {0.3, -0.8}, exact[3];
    (void)state;
    for (int s = 0; s < 3; s++) {
        double v[2], product[2];
        for (int r = 0; r < 2; r++) {
            product[r] = 0;
            for (int i = 0; i < 3; i++)
                product[r] += toy_a[r][i] * alpha[i];
            v[r] = w[r] - eta * (w[r] - product[r]) - toy_b[r];
        }
        for (int i = 0; i < 3; i++) {
            exact[i] = eta * (toy_a[0][i] * v[0] + toy_a[1][i] * v[1]);
            alpha[i] -= rate * exact[i];
        }
        for (int r = 0; r < 2; r++) {
            product[r] = 0;
            for (int i = 0; i < 3; i++)
                product[r] += toy_a[r][i] * alpha[i];
            w[r] -= eta * (w[r] - product[r]);
        }
    }
    darts controller = {.n = 3, .rate = rate, .steps = 3, .alpha = {0.2, -0.1, 0.4}};
    fake evaluator = {.n_weights = 2, .n_paths = 3, .w = {0.3, -0.8}, .eta = eta, .loss = toy_loss};
    run(&controller, &evaluator, 12);
    for (int i = 0; i < 3; i++) {
        CLOSE(controller.gradient[i], exact[i], 1e-11);
        CLOSE(controller.alpha[i], alpha[i], 1e-11);
    }
    for (int r = 0; r < 2; r++)
        CLOSE(evaluator.w[r], w[r], 1e-11);
}

/* ---- two branches: logits = p0 x W1' + p1 tanh(x W2') + p2 0, against the authors' code
 * ---------- */

static double branches_loss(const fake *self, int validation, const double *w, const double *p,
                            double *by_w, double *by_p) {
    static const int train_target[4] = {0, 1, 2, 1}, valid_target[4] = {2, 0, 1, 0};
    double loss = 0;
    memset(by_w, 0, self->n_weights * sizeof *by_w);
    memset(by_p, 0, 8 * sizeof *by_p);
    for (int row = 0; row < 4; row++) {
        double x[2], logits[3], soft[3], linear[3], curved[3];
        int target = validation ? valid_target[row] : train_target[row];
        for (int i = 0; i < 2; i++) {
            int k = 2 * row + i;
            x[i] = validation ? (double)((53 * k + 7) % 97) / 48 - 1
                              : (double)((37 * k) % 101) / 50 - 1;
        }
        for (int c = 0; c < 3; c++) {
            linear[c] = x[0] * w[2 * c] + x[1] * w[2 * c + 1];
            curved[c] = tanh(x[0] * w[6 + 2 * c] + x[1] * w[6 + 2 * c + 1]);
            logits[c] = p[0] * linear[c] + p[1] * curved[c];
        }
        plugin_softmax(logits, 3, soft);
        loss -= log(soft[target]) / 4;
        for (int c = 0; c < 3; c++) {
            double by_logit = (soft[c] - (c == target)) / 4;
            by_p[0] += by_logit * linear[c];
            by_p[1] += by_logit * curved[c];
            for (int i = 0; i < 2; i++) {
                by_w[2 * c + i] += by_logit * p[0] * x[i];
                by_w[6 + 2 * c + i] += by_logit * p[1] * (1 - curved[c] * curved[c]) * x[i];
            }
        }
    }
    return loss;
}

static void branches(double eta, int with_buffer, const double *expected) {
    darts controller = {.n = 3, .softmax = 1, .steps = 1, .alpha = {0.1, -0.2, 0.3}};
    fake evaluator = {
        .n_weights = 12, .n_paths = 3, .eta = eta, .mu = 0.9, .decay = 3e-4, .loss = branches_loss};
    double by_p[8], p[3];
    for (int o = 1; o <= 2; o++)
        for (int k = 0; k < 6; k++)
            evaluator.w[6 * (o - 1) + k] = (double)((29 * k + 13 * o) % 23 - 11) / 20;
    plugin_softmax(controller.alpha, 3, p);
    CLOSE(branches_loss(&evaluator, 0, evaluator.w, p, evaluator.momentum, by_p),
          1.0882869307869778, 1e-14);
    for (int i = 0; i < 12; i++)
        evaluator.momentum[i] =
            with_buffer ? evaluator.momentum[i] + evaluator.decay * evaluator.w[i] : 0;
    run(&controller, &evaluator, 4);
    for (int i = 0; i < 3; i++)
        CLOSE(controller.gradient[i], expected[i], 1e-11);
}

static void test_branches(void **state) {
    /* float64 results of the authors' architect.py on the same model */
    static const double small[3] = {0.010113023725708655, -0.0075953016159804165,
                                    -0.002517722109728239},
                        large[3] = {0.011560649168928886, -0.006836358568728529,
                                    -0.004724290600200351},
                        small_buffer[3] = {0.010130464819947924, -0.007588622053755342,
                                           -0.0025418427661925854},
                        large_buffer[3] = {0.01254889228356357, -0.00653181568405964,
                                           -0.0060170765995039305};
    (void)state;
    branches(0.025, 0, small);
    branches(1, 0, large);
    branches(0.025, 1, small_buffer);
    branches(1, 1, large_buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quadratic),
        cmocka_unit_test(test_branches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
