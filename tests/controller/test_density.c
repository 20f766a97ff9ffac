/* Brackets, rank correlation and kernel densities: worked numbers. */
#include "search/fixture.h"
#include "controller/bands.h"

/* ---- brackets
 * ---------------------------------------------------------------------------------- */

static void bracket_is(const ni_bracket *b, const char *sizes, double first) {
    char text[128] = "";
    for (uint32_t i = 0; i < b->n; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), i ? ",%u" : "%u", b->sizes[i]);
        assert_true(b->epochs[i] == first);
        first *= b->n > 1 ? b->epochs[b->n - 1] / b->epochs[b->n - 2] : 1;
    }
    assert_string_equal(text, sizes);
}

static void test_brackets(void **state) {
    static const struct {
        double low, high;
        uint32_t eta;
        bool original;
        uint32_t n;
        const char *sizes[6];
    } all[] = {
        {1, 81, 3, false, 5, {"81,27,9,3,1", "27,9,3,1", "9,3,1", "6,2", "5"}},
        {1, 81, 3, true, 5, {"81,27,9,3,1", "34,11,3,1", "15,5,1", "8,2", "5"}},
        {1, 9, 3, false, 3, {"9,3,1", "3,1", "3"}},
        {1, 27, 3, false, 4, {"27,9,3,1", "9,3,1", "6,2", "4"}},
        {4, 108, 3, false, 4, {"27,9,3,1", "9,3,1", "6,2", "4"}},
        {1, 16, 4, false, 3, {"16,4,1", "4,1", "3"}},
        /* Where ln(243) / ln(3) is 4.999..., and 10 / 0.1 below 100. */
        {1, 243, 3, false, 6, {"243,81,27,9,3,1", "81,27,9,3,1", "27,9,3,1", "18,6,2", "9,3", "6"}},
        {0.1, 10, 10, false, 3, {"100,10,1", "10,1", "3"}},
        {0.01, 1, 3, false, 5, {"81,27,9,3,1", "27,9,3,1", "9,3,1", "6,2", "5"}},
    };
    (void)state;
    for (size_t i = 0; i < NI_COUNT(all); i++) {
        double total = 0;
        assert_int_equal(ni_bracket_rungs(all[i].low, all[i].high, all[i].eta), all[i].n);
        for (uint32_t b = 0; b < 2 * all[i].n; b++) { /* and again from the first */
            ni_bracket bracket;
            uint32_t s = all[i].n - 1 - b % all[i].n;
            ni_bracket_hyperband(&bracket, all[i].low, all[i].high, all[i].eta, b, all[i].original);
            assert_int_equal(bracket.n, s + 1);
            bracket_is(&bracket, all[i].sizes[b % all[i].n], all[i].high / pow(all[i].eta, s));
            if (i == 0) {
                static const double totals[] = {405, 324, 243, 324, 405};
                total = 0;
                for (uint32_t k = 0; k < bracket.n; k++)
                    total += bracket.sizes[k] * bracket.epochs[k];
                assert_true(total == totals[b % 5]);
            }
        }
    }
    static const double epochs[] = {4, 12, 36, 108};
    ni_bracket bracket;
    ni_bracket_hyperband(&bracket, 4, 108, 3, 0, false);
    assert_memory_equal(bracket.epochs, epochs, sizeof epochs);
    ni_bracket_halving(&bracket, 1, 27, 3, 0);
    bracket_is(&bracket, "27,9,3,1", 1);
    ni_bracket_halving(&bracket, 1, 27, 3, 50);
    bracket_is(&bracket, "50,16,5,1", 1);
    ni_bracket_halving(&bracket, 1, 27, 3, 2);
    bracket_is(&bracket, "2,1,1,1", 1);
}

/* ---- rank correlation
 * -------------------------------------------------------------------------- */

static void test_spearman(void **state) {
    fixture f;
    double rho;
    (void)state;
    fixture_begin(&f, 1, 2);
    const double a[] = {1, 2, 3, 4, 5}, same[] = {10, 20, 30, 40, 1000}, other[] = {5, 4, 3, 2, 1},
                 mixed[] = {2, 1, 4, 3, 5}, ties[] = {1, 1, 2, 2, 3}, flat[] = {7, 7, 7, 7, 7};
    MUST(f.context, ni_spearman(f.context, a, same, 5, &rho));
    assert_true(rho == 1);
    MUST(f.context, ni_spearman(f.context, a, other, 5, &rho));
    assert_true(rho == -1);
    MUST(f.context, ni_spearman(f.context, a, mixed, 5, &rho));
    assert_true(fabs(rho - 0.8) < 1e-15); /* 1 - 6 * 4 / (5 * 24) */
    MUST(f.context, ni_spearman(f.context, a, ties, 5, &rho));
    assert_true(fabs(rho - 9 / sqrt(90)) < 1e-15); /* ranks 1.5 1.5 3.5 3.5 5 */
    MUST(f.context, ni_spearman(f.context, a, flat, 5, &rho));
    assert_true(isnan(rho));
    MUST(f.context, ni_spearman(f.context, a, same, 1, &rho));
    assert_true(isnan(rho));
    fixture_end(&f);
}

/* ---- densities
 * --------------------------------------------------------------------------------- */

static void near(double x, double y) {
    if (fabs(x - y) > 1e-14 * fabs(y)) fail_msg("%.17g instead of %.17g", x, y);
}

static void test_worked(void **state) {
    /* By statsmodels 0.13.5. */
    fixture f;
    ni_density one, two;
    (void)state;
    fixture_begin(&f, 1, 2);
    const double line[] = {0.1, 0.2, 0.3, 0.4}, x = 0.25;
    const uint32_t continuous[] = {0}, mixed[] = {0, 3};
    MUST(f.context, ni_density_create(&one, f.context, line, 4, 1, continuous, 1e-3));
    assert_true(fabs(one.bandwidths[0] - 0.0898150) < 5e-8);
    near(ni_density_pdf(&one, &x), 2.452729470989052);
    double sum = 0; /* all of its mass, beyond 0 .. 1 too */
    for (int i = -20000; i < 30000; i++) {
        double at = (i + 0.5) * 1e-4;
        sum += ni_density_pdf(&one, &at) * 1e-4;
    }
    assert_true(fabs(sum - 1) < 1e-9);
    ni_density_free(&one);
    const double rows[] = {0.1, 0, 0.25, 1, 0.4, 0, 0.8, 2, 0.55, 1}, p[] = {0.3, 0},
                 q[] = {0.3, 1}, r[] = {0.9, 2};
    MUST(f.context, ni_density_create(&two, f.context, rows, 5, 2, mixed, 1e-3));
    near(two.bandwidths[0], 0.1962274104076392);
    near(two.bandwidths[1], 0.6066034528697224);
    assert_int_equal(two.distinct[1], 3);
    near(ni_density_pdf(&two, p), 0.41459872596092306);
    near(ni_density_pdf(&two, q), 0.41236840956045223);
    near(ni_density_pdf(&two, r), 0.17095343641918256);
    ni_density_free(&two);
    fixture_end(&f);
}

static void test_edges(void **state) {
    /* One level alone: the bandwidth is the least, its density 1 - h, any other's infinite. A
     * bandwidth past 1 makes a density negative. */
    fixture f;
    ni_density d;
    (void)state;
    fixture_begin(&f, 1, 2);
    const double alone[] = {2, 2, 2}, wide[] = {0, 9, 0, 9}, two = 2, one = 1, zero = 0;
    const uint32_t levels[] = {10};
    MUST(f.context, ni_density_create(&d, f.context, alone, 3, 1, levels, 1e-3));
    assert_true(d.bandwidths[0] == 1e-3 && d.distinct[0] == 1);
    near(ni_density_pdf(&d, &two), 0.999);
    assert_true(isinf(ni_density_pdf(&d, &one)));
    ni_density_free(&d);
    MUST(f.context, ni_density_create(&d, f.context, wide, 4, 1, levels, 1e-3));
    assert_true(d.bandwidths[0] > 3);
    near(ni_density_pdf(&d, &zero), 0.5 * (1 - d.bandwidths[0]) + 0.5 * d.bandwidths[0]);
    near(ni_density_pdf(&d, &one), d.bandwidths[0]);
    ni_density_free(&d);
    fixture_end(&f);
}

static void test_impute(void **state) {
    /* A row that has the entry fills it, and with it all that the row has and this one lacks; where
     * none has it, any value. */
    double rows[5 * 4], whole[5 * 4];
    const double given[5 * 4] = {0.1, NAN, NAN, NAN, 0.2, 1,   0.5, NAN, 0.3, 2,
                                 NAN, NAN, 0.4, NAN, 0.7, NAN, 0.5, NAN, NAN, NAN};
    const uint32_t levels[4] = {0, 3, 0, 4};
    int first[2] = {0};
    (void)state;
    for (uint64_t trial = 0; trial < 200; trial++) {
        nas_random stream;
        ni_random_init(&stream, 1, trial, "impute");
        memcpy(rows, given, sizeof rows);
        ni_density_impute(rows, whole, 5, 4, levels, &stream);
        for (int i = 0; i < 20; i++) {
            assert_true(isfinite(rows[i]));
            if (!isnan(given[i])) assert_true(rows[i] == given[i]);
        }
        for (int i = 0; i < 5; i++) {
            assert_true(rows[4 * i + 1] == 1 || rows[4 * i + 1] == 2);
            assert_true(rows[4 * i + 2] == 0.5 || rows[4 * i + 2] == 0.7);
            assert_true(rows[4 * i + 3] >= 0 && rows[4 * i + 3] < 4);
        }
        /* From row 1 both at once; from row 2 the first, and then the second from row 1 or 3. */
        if (rows[1] == 1) assert_true(rows[2] == 0.5);
        first[rows[1] == 1]++;
    }
    assert_true(first[0] > 70 && first[1] > 70);
}

static nas_status upper_half(void *user, const double *x) {
    ++*(int *)user;
    return x[0] >= 0.5 ? NAS_OK : NAS_E_INFEASIBLE;
}

static void test_proposals(void **state) {
    /* Inside 0 .. 1 and among the levels; near the good ones; with one sample the marginal is the
     * truncated normal: its mean over many draws. */
    fixture f;
    ni_density good, bad;
    (void)state;
    fixture_begin(&f, 1, 2);
    const double good_rows[] = {0.8, 1, 0.85, 1, 0.9, 1, 0.95, 0},
                 bad_rows[] = {0.1, 0, 0.5, 2, 0.3, 2, 0.2, 0, 0.6, 1};
    const uint32_t levels[] = {0, 3};
    MUST(f.context, ni_density_create(&good, f.context, good_rows, 4, 2, levels, 1e-3));
    MUST(f.context, ni_density_create(&bad, f.context, bad_rows, 5, 2, levels, 1e-3));
    double at[2] = {0}, mean[2] = {0};
    for (int many = 0; many < 2; many++)
        for (uint64_t trial = 0; trial < 400; trial++) {
            nas_random stream;
            double draw[2], best[2];
            bool found;
            ni_density_search search = {&good, &bad, many ? 64 : 1, 3, 1e-3, NULL, NULL};
            ni_random_init(&stream, 1, trial, "propose");
            MUST(f.context, ni_density_propose(&search, &stream, draw, best, &found));
            assert_true(found && best[0] >= 0 && best[0] <= 1);
            assert_true(best[1] == 0 || best[1] == 1 || best[1] == 2);
            mean[many] += best[0] / 400;
            at[many] += best[1] == 1;
        }
    assert_true(mean[1] > mean[0] + 0.1 && at[0] > 200); /* and mostly the good ones' level */
    int asked = 0;
    ni_density_search search = {&good, &bad, 64, 3, 1e-3, upper_half, &asked};
    for (uint64_t trial = 0; trial < 50; trial++) {
        nas_random stream;
        double draw[2], best[2];
        bool found;
        ni_random_init(&stream, 1, trial, "propose");
        MUST(f.context, ni_density_propose(&search, &stream, draw, best, &found));
        assert_true(found && best[0] >= 0.5);
    }
    assert_true(asked < 50 * 20); /* only what would be kept is checked */
    ni_density_free(&good);
    ni_density_free(&bad);
    fixture_end(&f);
}

static void test_truncated(void **state) {
    /* Around 0.25 with deviations 0.2 and 2: mean of the normal cut to 0 .. 1, by its formula. */
    fixture f;
    (void)state;
    fixture_begin(&f, 1, 2);
    const double row = 0.25;
    const uint32_t levels[] = {0};
    for (int wide = 0; wide < 2; wide++) {
        ni_density d;
        double deviation = wide ? 2 : 0.2, sum = 0;
        enum { N = 20000 };
        MUST(f.context, ni_density_create(&d, f.context, &row, 1, 1, levels, deviation));
        ni_density_search search = {&d, &d, 1, 1, 1e-3, NULL, NULL};
        for (uint64_t trial = 0; trial < N; trial++) {
            nas_random stream;
            double draw, best;
            bool found;
            ni_random_init(&stream, 3, trial, "cut");
            MUST(f.context, ni_density_propose(&search, &stream, &draw, &best, &found));
            sum += best / N;
        }
        double a = -0.25 / deviation, b = 0.75 / deviation, r = sqrt(2 * 3.14159265358979323846);
        double z = 0.5 * (erf(b / sqrt(2)) - erf(a / sqrt(2)));
        double expected = 0.25 + deviation * (exp(-a * a / 2) - exp(-b * b / 2)) / r / z;
        assert_true(fabs(sum - expected) < 4 * 0.29 / sqrt(N));
        ni_density_free(&d);
    }
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brackets),  cmocka_unit_test(test_spearman),
        cmocka_unit_test(test_worked),    cmocka_unit_test(test_edges),
        cmocka_unit_test(test_impute),    cmocka_unit_test(test_proposals),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
