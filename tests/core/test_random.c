/* Random streams: the authors' known answers, the layout of streams (golden: it is part of what a
 * seed means), and that draws have the distribution that they claim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <cmocka.h>
#include "core/core.h"

static void philox_known_answers(void **state) {
    (void)state;
    /* Random123, kat_vectors, philox4x32 with 10 rounds */
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < NI_COUNT(known); i++) {
        uint32_t out[4];
        ni_philox(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].answer, sizeof out);
    }
}

static void streams_are_laid_out_as_documented(void **state) {
    (void)state;
    nas_random random;
    ni_random_init(&random, 0x1122334455667788u, 3, "mutate");
    assert_int_equal(random.key[0], 0x55667788);
    assert_int_equal(random.key[1], 0x11223344);
    /* from the first block on; and over the end of the counter's lower word */
    for (uint64_t from = 0; from <= UINT32_MAX - 5u; from += UINT32_MAX - 5u) {
        random.counter = from;
        random.used = random.made = 0;
        for (uint64_t block = from; block < from + 40; block++) {
            uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), random.stream[0],
                                   random.stream[1]};
            uint32_t words[4];
            ni_philox(counter, random.key, words);
            assert_true(nas_random_u64(&random) == (words[0] | (uint64_t)words[1] << 32));
            assert_true(nas_random_u64(&random) == (words[2] | (uint64_t)words[3] << 32));
        }
    }
}

/* What a stream has given since the first version; another number here is another search for
 * everybody. */
#define GOLDEN_WORDS                                                                               \
    0x4a4e59a87d209463u, 0xb7ec2c3e104f812au, 0xd42ddeb923bd8acdu, 0x63a9e247daa7902bu,            \
        0xb9d34db67a34301bu
#define GOLDEN_BELOW      591
#define GOLDEN_UNIFORM    0x1.2dba42eca6ae4p-1
#define GOLDEN_NORMAL_1   -0x1.3d6492b18a7d2p-2
#define GOLDEN_NORMAL_2   0x1.86cadbb022c3bp-2
#define GOLDEN_ORDER      6, 1, 7, 5, 0, 4, 3, 2
#define GOLDEN_PICK       2
#define GOLDEN_FILL       0x1.770158p-1f, -0x1.6124p-5f, -0x1.3575ep-3f
#define GOLDEN_NO_PURPOSE 0x7e57a676d6a83f39u

static void golden_numbers(void **state) {
    (void)state;
    nas_random random;
    ni_random_init(&random, 1, 2, "test");
    static const uint64_t words[] = {GOLDEN_WORDS};
    for (size_t i = 0; i < NI_COUNT(words); i++)
        assert_true(nas_random_u64(&random) == words[i]);
    assert_true(nas_random_below(&random, 1000) == GOLDEN_BELOW);
    assert_true(nas_random_uniform(&random) == GOLDEN_UNIFORM);
    assert_true(nas_random_normal(&random) == GOLDEN_NORMAL_1);
    assert_true(nas_random_normal(&random) == GOLDEN_NORMAL_2);
    uint32_t order[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const uint32_t shuffled[] = {GOLDEN_ORDER};
    nas_random_shuffle(&random, order, NI_COUNT(order));
    assert_memory_equal(order, shuffled, sizeof order);
    static const double weights[] = {1, 0, 3, 2.5};
    assert_int_equal(nas_random_pick(&random, weights, 4), GOLDEN_PICK);
    float filled[3];
    static const float uniforms[] = {GOLDEN_FILL};
    ni_random_fill_uniform(&random, filled, 3, -1.0f, 1.0f);
    assert_memory_equal(filled, uniforms, sizeof filled);
    ni_random_init(&random, 1, 2, "");
    assert_true(nas_random_u64(&random) == GOLDEN_NO_PURPOSE);
}

static void streams_differ(void **state) {
    (void)state;
    nas_context *context;
    nas_random *a, *b;
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    static const struct {
        uint64_t seed, trial;
        const char *purpose;
    } others[] = {{1, 0, "p"}, {0, 1, "p"},          {0, 0, "q"},
                  {0, 0, ""},  {1ull << 32, 0, "p"}, {0, 1ull << 32, "p"}};
    for (size_t i = 0; i < NI_COUNT(others); i++) {
        int equal = 0;
        assert_int_equal(nas_random_create(&a, context, 0, 0, "p"), NAS_OK);
        assert_int_equal(
            nas_random_create(&b, context, others[i].seed, others[i].trial, others[i].purpose),
            NAS_OK);
        for (int k = 0; k < 1000; k++)
            equal += nas_random_u64(a) == nas_random_u64(b);
        assert_int_equal(equal, 0);
        nas_random_free(a);
        nas_random_free(b);
    }
    nas_random_free(NULL);
    assert_int_equal(nas_random_create(&a, context, 0, 0, NULL), NAS_E_INVALID);
    assert_int_equal(nas_random_create(&a, NULL, 0, 0, ""), NAS_E_INVALID);
    nas_context_free(context);
}

static double chi_square(const uint32_t *counts, const double *wanted, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (counts[i] - wanted[i]) * (counts[i] - wanted[i]) / wanted[i];
    return sum;
}

/* Whatever way it is computed: the remainder of a value. */
static void below_is_a_remainder(void **state) {
    (void)state;
    nas_random one, two;
    ni_random_init(&one, 6, 0, "below");
    two = one;
    for (uint64_t n = 1; n <= 100; n++)
        for (int i = 0; i < 200; i++)
            assert_true(nas_random_below(&one, n) == nas_random_u64(&two) % n);
}

static void below_is_uniform(void **state) {
    (void)state;
    nas_random random;
    ni_random_init(&random, 5, 0, "below");
    assert_int_equal(nas_random_below(&random, 0), 0);
    assert_int_equal(nas_random_below(&random, 1), 0);
    static const uint64_t sizes[] = {2, 3, 7, 10, 100};
    for (size_t s = 0; s < NI_COUNT(sizes); s++) {
        uint64_t n = sizes[s];
        uint32_t counts[100] = {0};
        double wanted[100];
        for (uint64_t i = 0; i < n; i++)
            wanted[i] = 100000.0 / (double)n;
        for (int i = 0; i < 100000; i++) {
            uint64_t value = nas_random_below(&random, n);
            assert_true(value < n);
            counts[value]++;
        }
        /* mean n - 1, variance 2 (n - 1): within five deviations */
        double degrees = (double)n - 1, sum = chi_square(counts, wanted, (size_t)n);
        assert_true(sum < degrees + 5 * sqrt(2 * degrees) + 5);
        assert_true(sum > degrees - 5 * sqrt(2 * degrees));
    }
    /* Where a plain remainder would be wrong by half: thirds of 3/4 of the range. */
    uint64_t n = 3ull << 62;
    uint32_t counts[3] = {0};
    double wanted[3] = {10000, 10000, 10000};
    for (int i = 0; i < 30000; i++)
        counts[nas_random_below(&random, n) / (1ull << 62)]++;
    assert_true(chi_square(counts, wanted, 3) < 20);
}

static void uniform_and_normal_have_their_moments(void **state) {
    (void)state;
    enum { N = 200000 };
    nas_random random;
    ni_random_init(&random, 6, 0, "moments");
    double sum = 0, squares = 0;
    uint32_t counts[20] = {0};
    double wanted[20];
    for (int i = 0; i < N; i++) {
        double value = nas_random_uniform(&random);
        assert_true(value >= 0 && value < 1);
        counts[(int)(value * 20)]++;
    }
    for (int i = 0; i < 20; i++)
        wanted[i] = N / 20.0;
    assert_true(chi_square(counts, wanted, 20) < 55);
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < N; i++) {
        double value = nas_random_normal(&random);
        sum += value;
        squares += value * value;
        int bin = (int)floor(value * 4 + 10); /* -2.5 .. 2.5 */
        counts[bin < 0 ? 0 : bin > 19 ? 19 : bin]++;
    }
    assert_true(fabs(sum / N) < 5 / sqrt(N));
    assert_true(fabs(squares / N - 1) < 5 * sqrt(2.0 / N));
    for (int i = 0; i < 20; i++) {
        double low = i == 0 ? -INFINITY : (i - 10) / 4.0, high = i == 19 ? INFINITY : (i - 9) / 4.0;
        wanted[i] = N * 0.5 * (erf(high / sqrt(2)) - erf(low / sqrt(2)));
    }
    assert_true(chi_square(counts, wanted, 20) < 55);
}

static void fills_have_their_moments(void **state) {
    (void)state;
    enum { N = 100000 };
    nas_random random;
    static float values[N];
    ni_random_init(&random, 7, 0, "fill");
    double sum = 0, squares = 0;
    ni_random_fill_normal(&random, values, N, 3.0f, 0.5f);
    for (int i = 0; i < N; i++) {
        sum += values[i];
        squares += ((double)values[i] - 3) * ((double)values[i] - 3);
    }
    assert_true(fabs(sum / N - 3) < 5 * 0.5 / sqrt(N));
    assert_true(fabs(squares / N / 0.25 - 1) < 5 * sqrt(2.0 / N));
    ni_random_fill_uniform(&random, values, N, -2.0f, 6.0f);
    sum = 0;
    for (int i = 0; i < N; i++) {
        assert_true(values[i] >= -2.0f && values[i] < 6.0f);
        sum += values[i];
    }
    assert_true(fabs(sum / N - 2) < 5 * 8 / sqrt(12.0 * N));
}

static void shuffles_and_picks(void **state) {
    (void)state;
    nas_random random;
    ni_random_init(&random, 8, 0, "shuffle");
    uint32_t counts[24] = {0};
    double wanted[24];
    for (int i = 0; i < 24; i++)
        wanted[i] = 2000;
    for (int i = 0; i < 48000; i++) {
        uint32_t order[4] = {0, 1, 2, 3}, rank = 0;
        nas_random_shuffle(&random, order, 4);
        for (int a = 0; a < 4; a++) { /* which of the 24 orders */
            uint32_t smaller = 0;
            for (int b = a + 1; b < 4; b++)
                smaller += order[b] < order[a];
            rank = rank * (uint32_t)(4 - a) + smaller;
        }
        counts[rank]++;
    }
    assert_true(chi_square(counts, wanted, 24) < 60);
    nas_random_shuffle(&random, NULL, 0);

    static const double scales[] = {1, 1e-310, 1e307};
    for (size_t s = 0; s < NI_COUNT(scales); s++) {
        double weights[5] = {1 * scales[s], 0, 4 * scales[s], 2 * scales[s], 0};
        uint32_t picked[5] = {0};
        for (int i = 0; i < 70000; i++)
            picked[nas_random_pick(&random, weights, 5)]++;
        assert_int_equal(picked[1] + picked[4], 0);
        uint32_t three[3] = {picked[0], picked[2], picked[3]};
        double shares[3] = {10000, 40000, 20000};
        assert_true(chi_square(three, shares, 3) < 25);
    }
    static const double useless[][3] = {{0, 0, 0}, {1, NAN, 1}, {1, -1, 1}, {1, INFINITY, 1}};
    for (size_t u = 0; u < NI_COUNT(useless); u++) {
        uint32_t picked[3] = {0};
        double shares[3] = {1000, 1000, 1000};
        for (int i = 0; i < 3000; i++)
            picked[nas_random_pick(&random, useless[u], 3)]++;
        assert_true(chi_square(picked, shares, 3) < 25);
    }
}

/* Many draws at once are the same draws, wherever in a block they begin, and leave the stream where
 * they do. */
static void many_are_the_same(void **state) {
    static const uint32_t bounds[] = {0, 1, 2, 3, 7, 10, 100, 1000, 65536, 4294967291u, UINT32_MAX};
    (void)state;
    for (size_t b = 0; b < NI_COUNT(bounds); b++)
        for (size_t count = 0; count < 70; count += 3)
            for (uint32_t before = 0; before < 5; before++) {
                nas_random one, many;
                uint32_t at_once[70];
                float words[5];
                ni_random_init(&one, 17 + b, count, "many");
                ni_random_init(&many, 17 + b, count, "many");
                ni_random_fill_uniform(&one, words, before, 0, 1);
                ni_random_fill_uniform(&many, words, before, 0, 1);
                ni_random_below_many(&many, bounds[b], at_once, count);
                for (size_t i = 0; i < count; i++)
                    assert_int_equal(at_once[i], nas_random_below(&one, bounds[b]));
                assert_true(nas_random_u64(&one) == nas_random_u64(&many));
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(streams_are_laid_out_as_documented),
        cmocka_unit_test(golden_numbers),
        cmocka_unit_test(streams_differ),
        cmocka_unit_test(below_is_a_remainder),
        cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(many_are_the_same),
        cmocka_unit_test(uniform_and_normal_have_their_moments),
        cmocka_unit_test(fills_have_their_moments),
        cmocka_unit_test(shuffles_and_picks),
    };
    return cmocka_run_group_tests_name("core: random streams", tests, NULL, NULL);
}
