/* The policies of REINFORCE, number by number: probabilities that sum to one over all sequences,
 * the gradient against finite differences of the expected reward under full enumeration, and
 * against PyTorch's (golden/policy.txt, made by golden/make_policy.py). */
#include "search/fixture.h"
#include "controller/policy.h"

static const char *golden_path;

enum { MOST_ROWS = 64, MOST_TOKENS = 8 };
typedef struct {
    nas_context *context;
    nas_space *space;
    ni_tokens tokens;
    int32_t rows[MOST_ROWS][MOST_TOKENS];
    uint32_t n_rows;
} toy;

/* A choice of 3; an integer of 4 values that is there for its second alternative; a real in 2 bins.
 */
static void toy_begin(toy *t) {
    static const char *const names[] = {"a", "b", "c"};
    memset(t, 0, sizeof *t);
    t->context = plain_context();
    MUST(t->context, nas_space_create(&t->space, t->context, "toy"));
    MUST(t->context, nas_space_add_choice(t->space, "kind", names, 3));
    MUST(t->context, nas_space_add_integer(t->space, "depth", 2, 8, 2));
    MUST(t->context, nas_space_add_condition(t->space, "kind", "b"));
    MUST(t->context, nas_space_add_real(t->space, "rate", 1e-4, 1e-1, 1));
    MUST(t->context, nas_space_finish(t->space));
    MUST(t->context, ni_tokens_init(&t->tokens, t->space, 4));
    assert_int_equal(t->tokens.n, 3);
    assert_int_equal(t->tokens.width, 3 + 4 + 4);
    for (int32_t kind = 0; kind < 3; kind++)
        for (int32_t depth = kind == 1 ? 0 : -1; depth < (kind == 1 ? 4 : 0); depth++)
            for (int32_t rate = 0; rate < 4; rate++) {
                int32_t *row = t->rows[t->n_rows++];
                row[0] = kind;
                row[1] = depth;
                row[2] = rate;
            }
    assert_int_equal(t->n_rows, 4 + 16 + 4);
}

static void toy_end(toy *t) {
    ni_tokens_free(&t->tokens);
    nas_space_free(t->space);
    nas_context_free(t->context);
}

static double reward(uint32_t i) {
    return sin(2.3 * i) + 0.1 * i;
}

/* log P of every row, the slow way: decision by decision. */
static double log_of(toy *t, ni_policy *policy, const int32_t *row) {
    double logs[16], sum = 0;
    int32_t chosen[MOST_TOKENS];
    for (uint32_t d = 0; d < t->tokens.n; d++)
        chosen[d] = NI_TOKEN_ABSENT;
    for (uint32_t d = 0; d < t->tokens.n; d++) {
        assert_int_equal(ni_token_active(&t->tokens, chosen, d), row[d] >= 0);
        if (row[d] < 0) continue;
        MUST(t->context, policy->log_probabilities(policy, chosen, d, logs));
        chosen[d] = row[d];
        sum += logs[row[d]];
    }
    return sum;
}

static double expected(toy *t, ni_policy *policy, double *total) {
    double sum = 0;
    *total = 0;
    for (uint32_t i = 0; i < t->n_rows; i++) {
        double p = exp(log_of(t, policy, t->rows[i]));
        *total += p;
        sum += p * reward(i);
    }
    return sum;
}

static void check_gradient(nas_status (*make)(ni_policy **, const ni_tokens *,
                                              const ni_policy_options *),
                           const ni_policy_options *options) {
    toy t;
    ni_policy *policy;
    double total, worst = 0;
    toy_begin(&t);
    MUST(t.context, make(&policy, &t.tokens, options));
    (void)expected(&t, policy, &total);
    assert_true(fabs(total - 1) < 1e-12);
    /* Sum over all sequences of P (R - b) grad log P, for some b. */
    double *sum = calloc(policy->n, sizeof *sum);
    for (uint32_t i = 0; i < t.n_rows; i++) {
        double log_probability, advantage = exp(log_of(&t, policy, t.rows[i])) * (reward(i) - 0.7);
        MUST(t.context,
             policy->gradient(policy, t.rows[i], 1, &advantage, 0, &log_probability, NULL));
        assert_true(fabs(log_probability - log_of(&t, policy, t.rows[i])) < 1e-12);
        for (size_t k = 0; k < policy->n; k++)
            sum[k] -= policy->gradients[k];
    }
    size_t moved = 0;
    for (size_t k = 0; k < policy->n; k++) {
        double kept = policy->values[k], step = 1e-5, unused;
        policy->values[k] = kept + step;
        double up = expected(&t, policy, &unused);
        policy->values[k] = kept - step;
        double down = expected(&t, policy, &unused);
        policy->values[k] = kept;
        double error = fabs((up - down) / (2 * step) - sum[k]);
        if (error > worst) worst = error;
        moved += fabs(sum[k]) > 1e-6;
    }
    print_message("largest difference from finite differences: %.1e over %zu parameters\n", worst,
                  policy->n);
    assert_true(worst < 1e-8);
    assert_true(moved > 5);
    free(sum);
    policy->destroy(policy);
    toy_end(&t);
}

static void test_table_gradient(void **state) {
    (void)state;
    const ni_policy_options plain = {.temperature = 1, .init = 0.5, .batch = 4, .seed = 3};
    const ni_policy_options shaped = {
        .temperature = 2, .bound = 1.5, .init = 1, .batch = 4, .seed = 4};
    check_gradient(ni_policy_table, &plain);
    check_gradient(ni_policy_table, &shaped);
}

static void test_rnn_gradient(void **state) {
    (void)state;
    const ni_policy_options plain = {
        .temperature = 1, .init = 0.5, .batch = 4, .seed = 3, .units = 4, .layers = 1};
    const ni_policy_options shaped = {.temperature = 2,
                                      .bound = 1.5,
                                      .init = 0.7,
                                      .batch = 2,
                                      .seed = 4,
                                      .units = 3,
                                      .layers = 2};
    check_gradient(ni_policy_rnn, &plain);
    check_gradient(ni_policy_rnn, &shaped);
}

/* Entropy's part, of the table against the enumerated sum -p log p along a row. */
static void test_entropy_gradient(void **state) {
    toy t;
    ni_policy *policy;
    const ni_policy_options options = {.temperature = 1, .init = 1, .batch = 4, .seed = 3};
    double zero = 0, entropy;
    (void)state;
    toy_begin(&t);
    MUST(t.context, ni_policy_table(&policy, &t.tokens, &options));
    int32_t *row = t.rows[5];
    double *gradient = calloc(policy->n, sizeof *gradient);
    MUST(t.context, policy->gradient(policy, row, 1, &zero, 1, NULL, &entropy));
    memcpy(gradient, policy->gradients, policy->n * sizeof *gradient);
    for (size_t k = 0; k < policy->n; k++) {
        double kept = policy->values[k], up, down;
        policy->values[k] = kept + 1e-5;
        MUST(t.context, policy->gradient(policy, row, 1, NULL, 0, NULL, &up));
        policy->values[k] = kept - 1e-5;
        MUST(t.context, policy->gradient(policy, row, 1, NULL, 0, NULL, &down));
        policy->values[k] = kept;
        assert_true(fabs(-(up - down) / 2e-5 - gradient[k]) < 1e-8);
    }
    free(gradient);
    policy->destroy(policy);
    toy_end(&t);
}

/* ---- PyTorch ------------------------------------------------------------------------------------
 */

static FILE *golden;

/* The next line must be of this case and name; its values. */
static void expect(const char *name, const char *what, const double *values, size_t n) {
    char a[64], b[64];
    size_t count;
    if (fscanf(golden, "%63s %63s %zu", a, b, &count) != 3)
        fail_msg("%s ended before %s %s", golden_path, name, what);
    assert_string_equal(a, name);
    assert_string_equal(b, what);
    assert_int_equal(count, n);
    for (size_t i = 0; i < n; i++) {
        double theirs;
        assert_int_equal(fscanf(golden, "%lf", &theirs), 1);
        if (!(fabs(theirs - values[i]) < 1e-10))
            fail_msg("%s %s [%zu]: %.12g, PyTorch's %.12g", name, what, i, values[i], theirs);
    }
}

static void golden_case(const char *name, nas_space *space, nas_context *context,
                        const ni_policy_options *options, const int32_t *rows, uint32_t m,
                        const double *advantages, double entropy) {
    static const char *const plain[] = {"embedding", "head.weight", "head.bias"},
                             *const anchor[] = {"anchor.previous", "anchor.current", "anchor.v"},
                             *const lstm[] = {"lstm.0.weight_ih", "lstm.0.weight_hh",
                                              "lstm.0.bias",      "lstm.1.weight_ih",
                                              "lstm.1.weight_hh", "lstm.1.bias"};
    const char *names[12];
    size_t n_names = 0, offset = 0;
    ni_tokens tokens;
    ni_policy *policy;
    double logs[8], entropies[8];
    MUST(context, ni_tokens_init(&tokens, space, 10));
    MUST(context, ni_policy_rnn(&policy, &tokens, options));
    for (size_t i = 0; i < 3; i++)
        names[n_names++] = plain[i];
    for (size_t i = 0; i < 3 && !strcmp(name, "anchors"); i++)
        names[n_names++] = anchor[i];
    for (size_t i = 0; i < 3 * options->layers; i++)
        names[n_names++] = lstm[i];
    int64_t u = options->units, w = tokens.width, sizes[12];
    for (size_t k = 0; k < n_names; k++) {
        const char *n = names[k];
        sizes[k] = !strcmp(n, "embedding") || !strcmp(n, "head.weight") ? w * u
                   : !strcmp(n, "head.bias")                            ? w
                   : !strcmp(n, "anchor.v")                             ? u
                   : n[0] == 'a'                                        ? u * u
                   : strstr(n, "bias")                                  ? 4 * u
                                                                        : 4 * u * u;
        for (int64_t i = 0; i < sizes[k]; i++)
            policy->values[offset + (size_t)i] = 0.4 * sin(1.3 * (double)i + 0.7 * (double)k + 0.1);
        offset += ((size_t)sizes[k] + 15) / 16 * 16;
    }
    assert_int_equal(offset, policy->n);
    MUST(context, policy->gradient(policy, rows, m, advantages, entropy, logs, entropies));
    expect(name, "logs", logs, m);
    expect(name, "entropies", entropies, m);
    offset = 0;
    for (size_t k = 0; k < n_names; k++) {
        expect(name, names[k], policy->gradients + offset, (size_t)sizes[k]);
        offset += ((size_t)sizes[k] + 15) / 16 * 16;
    }
    policy->destroy(policy);
    ni_tokens_free(&tokens);
}

static void test_pytorch(void **state) {
    static const char *const abcd[] = {"a", "b", "c", "d"}, *const bits[] = {"0", "1"};
    static const char *const chain[] = {"1.op", "2.op", "2<-1", "3.op", "3<-1", "3<-2"};
    const int32_t rows[] = {0, 1, 3, 2, 0, 0, 1, 1, 2},
                  arcs[] = {0, 1, 0, 1, 1, 1, 1, 0, 1, 0, 0, 1};
    const double advantages[] = {0.5, -1.25, 2}, two[] = {1, -0.5};
    const ni_policy_options plain = {
        .temperature = 1, .init = 0.1, .batch = 3, .units = 5, .layers = 1};
    const ni_policy_options shaped = {
        .temperature = 2.5, .bound = 1.5, .init = 0.1, .batch = 4, .units = 5, .layers = 2};
    nas_context *context = plain_context();
    nas_space *space, *skips;
    (void)state;
    golden = fopen(golden_path, "r");
    assert_non_null(golden);
    MUST(context, nas_space_create(&space, context, "three"));
    MUST(context, nas_space_add_choice(space, "x", abcd, 3));
    MUST(context, nas_space_add_choice(space, "y", abcd, 2));
    MUST(context, nas_space_add_choice(space, "z", abcd, 4));
    MUST(context, nas_space_finish(space));
    golden_case("plain", space, context, &plain, rows, 3, advantages, 0);
    golden_case("shaped", space, context, &shaped, rows, 3, advantages, 0.3);
    MUST(context, nas_space_create(&skips, context, "skips"));
    for (size_t i = 0; i < NI_COUNT(chain); i++)
        MUST(context, nas_space_add_choice(skips, chain[i], bits, 2));
    MUST(context, nas_space_finish(skips));
    golden_case("anchors", skips, context, &plain, arcs, 2, two, 0.1);
    char rest[8];
    assert_int_equal(fscanf(golden, "%7s", rest), EOF); /* all of it was compared */
    fclose(golden);
    nas_space_free(space);
    nas_space_free(skips);
    nas_context_free(context);
}

/* ---- the small parts
 * ------------------------------------------------------------------------------ */

static void test_baseline(void **state) {
    const double rewards[] = {2, 3, 1};
    ni_baseline b = {0};
    (void)state;
    /* Bias-corrected, moved first: 2; (0.09 * 2 + 0.1 * 3) / 0.19; ... */
    assert_true(ni_baseline_advantage(&b, NI_BASELINE_CORRECTED, 0.9, rewards[0]) == 0);
    assert_true(fabs(ni_baseline_advantage(&b, NI_BASELINE_CORRECTED, 0.9, rewards[1]) -
                     (3 - (0.09 * 2 + 0.1 * 3) / 0.19)) < 1e-15);
    b = (ni_baseline){0};
    assert_true(ni_baseline_advantage(&b, NI_BASELINE_FIRST, 0.9, rewards[0]) == 0);
    assert_true(ni_baseline_advantage(&b, NI_BASELINE_FIRST, 0.9, rewards[1]) == 1);
    assert_true(fabs(ni_baseline_advantage(&b, NI_BASELINE_FIRST, 0.9, rewards[2]) - (1 - 2.1)) <
                1e-15);
    b = (ni_baseline){0};
    assert_true(ni_baseline_advantage(&b, NI_BASELINE_ZERO, 0.9, rewards[0]) == 2);
    assert_true(fabs(ni_baseline_advantage(&b, NI_BASELINE_ZERO, 0.9, rewards[1]) - 2.8) < 1e-15);
}

static void test_adam(void **state) {
    /* Two steps by hand: g = 2, then -1. */
    double first = 0, second = 0, value = 1;
    const double gradients[] = {2, -1};
    ni_adam adam = {&first, &second, 0};
    (void)state;
    ni_adam_step(&adam, &value, &gradients[0], 1, 0.1);
    assert_true(fabs(value - 0.9) < 1e-9);
    ni_adam_step(&adam, &value, &gradients[1], 1, 0.1);
    double m = (0.9 * 0.2 - 0.1) / (1 - 0.81), v = (0.999 * 0.004 + 0.001) / (1 - 0.998001);
    assert_true(fabs(value - (0.9 - 0.1 * m / sqrt(v))) < 1e-8);
}

static void test_tokens(void **state) {
    /* Integers of many values and reals, in and out of their bins. */
    nas_context *context = plain_context();
    nas_space *space;
    ni_tokens tokens;
    nas_random stream;
    (void)state;
    MUST(context, nas_space_create(&space, context, "numbers"));
    MUST(context, nas_space_add_integer(space, "many", -7, 24, 1)); /* 32 values in 5 bins */
    MUST(context, nas_space_add_integer(space, "few", 3, 9, 3));
    MUST(context, nas_space_add_real(space, "real", -1, 3, 0));
    MUST(context, nas_space_add_real(space, "rate", 1e-5, 1e-1, 1));
    MUST(context, nas_space_finish(space));
    MUST(context, ni_tokens_init(&tokens, space, 5));
    assert_int_equal(tokens.width, 5 + 3 + 5 + 5);
    ni_random_init(&stream, 1, 2, "tokens");
    for (int round = 0; round < 300; round++) {
        int32_t chosen[4], again[4];
        nas_arch *arch;
        for (uint32_t d = 0; d < 4; d++)
            chosen[d] = (int32_t)nas_random_below(&stream, tokens.items[d].n);
        MUST(context, ni_tokens_arch(&tokens, chosen, round % 5 ? &stream : NULL, &arch));
        MUST(context, ni_tokens_read(&tokens, arch, again));
        for (int d = 0; d < 4; d++)
            assert_int_equal(chosen[d], again[d]);
        nas_arch_free(arch);
    }
    for (int64_t v = -7; v <= 24; v++) { /* every value has one bin, in order */
        const nas_value values[4] = {{v, 0}, {3, 0}, {0, 0}, {0, 1e-3}};
        int32_t chosen[4];
        nas_arch *arch;
        MUST(context, nas_arch_create(&arch, space, values, 4));
        MUST(context, ni_tokens_read(&tokens, arch, chosen));
        int64_t first = chosen[0] * 32 / 5, end = (chosen[0] + 1) * 32 / 5;
        assert_true(v + 7 >= first && v + 7 < end);
        nas_arch_free(arch);
    }
    ni_tokens_free(&tokens);
    nas_space_free(space);
    nas_context_free(context);
}

int main(int argc, char **argv) {
    golden_path = argc > 1 ? argv[1] : "tests/golden/policy.txt";
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table_gradient),
                                       cmocka_unit_test(test_rnn_gradient),
                                       cmocka_unit_test(test_entropy_gradient),
                                       cmocka_unit_test(test_pytorch),
                                       cmocka_unit_test(test_baseline),
                                       cmocka_unit_test(test_adam),
                                       cmocka_unit_test(test_tokens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
