/* Inside constraints that draws do not meet: descents find them, nearly uniform; what cannot be is
 * said with the number that was reached; children of few differences are listed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "space/internal.h"

static nas_context *context;

static int start(void **state) {
    (void)state;
    return nas_context_create(&context, NULL);
}
static int end(void **state) {
    (void)state;
    nas_context_free(context);
    return 0;
}

static nas_space *parse(const char *text) {
    nas_space *space;
    if (nas_space_parse(&space, context, text, strlen(text), "t", NULL, 0) < 0)
        fail_msg("%s", nas_context_error(context));
    return space;
}

/* A preset with constraints added to its own, and smaller by overrides. */
static nas_space *narrowed(const char *name, const char *const *overrides, size_t n,
                           const char *constraints) {
    const char *preset = nas_space_preset_text(name);
    char text[8192];
    nas_space *space;
    snprintf(text, sizeof text, "%s%s%s", preset,
             strstr(preset, "constraints:") ? "" : "constraints:\n", constraints);
    if (nas_space_parse(&space, context, text, strlen(text), "t", overrides, n) < 0)
        fail_msg("%s", nas_context_error(context));
    return space;
}

static bool is_inside(const nas_space *s, nas_arch *arch, const nas_value *values) {
    int64_t violated;
    (void)s;
    ni_arch_set(arch, values);
    assert_int_equal(ni_arch_violated(arch, &violated), NAS_OK);
    return violated < 0;
}

/* Bounds that at most a few of a million draws meet. */
static void tight_bounds(void **state) {
    (void)state;
    static const struct {
        const char *name, *overrides[4];
        size_t n;
        const char *constraints;
        int draws;
    } cases[] = {
        {"zoph-chain", {NULL}, 0, "  - params <= 6000\n", 300000},
        {"zoph-chain", {NULL}, 0, "  - params >= 200000\n  - params <= 200002\n", 300000},
        {"zoph-chain", {"layers=12"}, 1, "  - macs <= 9e6\n", 300000},
        {"nas-bench-101", {NULL}, 0, "  - params >= 49e6\n", 300000},
        {"enas-macro", {NULL}, 0, "  - params <= 84000\n", 300000},
        {"proxyless", {NULL}, 0, "  - macs <= 120e6\n", 300000},
        {"tiny", {NULL}, 0, "  - params <= 3500\n  - macs >= 400000\n", 300000},
        {"tiny", {NULL}, 0, "  - activation_bytes <= 22000\n  - params <= 2900\n", 300000},
        {"darts", {NULL}, 0, "  - params <= 1.45e6\n", 300000},
        {"darts",
         {"channels=4", "cells=3", "height=16", "width=16"},
         4,
         "  - depth <= 8\n  - params <= 4800\n",
         2000},
    };
    for (size_t i = 0; i < NI_COUNT(cases); i++) {
        nas_space *s =
            narrowed(cases[i].name, cases[i].overrides, cases[i].n, cases[i].constraints);
        nas_random random;
        nas_value values[128];
        nas_arch *arch;
        int met = 0;
        ni_random_init(&random, 3, i, "test");
        ni_space_draw(s, &random, values);
        assert_int_equal(ni_arch_begin(&arch, s, values), NAS_OK);
        for (int k = 0; k < cases[i].draws; k++) {
            ni_space_draw(s, &random, values);
            met += is_inside(s, arch, values);
        }
        ni_free(context, arch);
        print_message("%s %s: %d of %d draws inside\n", cases[i].name, cases[i].constraints, met,
                      cases[i].draws);
        assert_true(met <= 4);
        for (int k = 0; k < 3; k++) {
            if (nas_space_sample(s, &random, &arch) < 0)
                fail_msg("%zu: %s", i, nas_context_error(context));
            assert_int_equal(nas_arch_check(arch), NAS_OK);
            nas_arch_free(arch);
        }
        nas_space_free(s);
    }
}

/* A descent and its walk over what a list holds: every one comes, nearly as often as another. */
static void nearly_uniform(void **state) {
    (void)state;
    static const char *const texts[] = {
        "space: a\nnetwork: {template: chain, image: {height: 8, width: 8, channels: 3, classes: "
        "3}}\nlayers: {layers: 3, heights: [1, 3], widths: [1, 3], filters: [3, 4, 6]}\n"
        "constraints: ['params >= 300', 'params <= 305']\n",
        "space: b\ndecisions:\n  - {name: kind, choice: [x, y, z]}\n"
        "  - {name: one, choice: [a, b, c, d, e], when: {kind: x}}\n"
        "  - {name: two, integer: [0, 40], step: 10, when: {kind: x}}\n"
        "  - {name: three, choice: [p, q], when: {kind: y}}\n"
        "  - {name: four, integer: [1, 8]}\n"
        "constraints: ['four >= 3', 'two <= 20', 'four + two != 5']\n",
    };
    for (size_t i = 0; i < NI_COUNT(texts); i++) {
        nas_space *s = parse(texts[i]);
        enum { MOST = 4000, EACH = 20 };
        uint64_t *keys = calloc(MOST, sizeof *keys), *seen = calloc(MOST, sizeof *seen), all;
        size_t n = 0;
        nas_random random;
        ni_random_init(&random, 4, i, "test");
        assert_int_equal(nas_space_count(s, &all, NULL, 0), NAS_OK);
        for (uint64_t k = 0; k < all; k++) {
            nas_arch *arch;
            assert_int_equal(nas_space_at(s, k, &arch), NAS_OK);
            if (nas_arch_check(arch) == NAS_OK) {
                assert_true(n < MOST);
                keys[n++] = nas_arch_hash(arch);
            }
            nas_arch_free(arch);
        }
        if (n < 50 || n == all) fail_msg("%zu: %zu of %llu", i, n, (unsigned long long)all);
        for (size_t k = 0; k < n * EACH; k++) {
            nas_value values[32];
            nas_arch *arch;
            ni_reached reached;
            size_t at = 0;
            assert_int_equal(ni_descend(s, NULL, &random, values, &arch, &reached), NAS_OK);
            assert_non_null(arch);
            while (at < n && keys[at] != nas_arch_hash(arch))
                at++;
            assert_true(at < n);
            seen[at]++;
            nas_arch_free(arch);
        }
        double chi = 0, degrees = (double)n - 1;
        for (size_t k = 0; k < n; k++) {
            if (seen[k] < EACH / 3) fail_msg("%zu: one of %zu came %d times", i, n, (int)seen[k]);
            chi += ((double)seen[k] - EACH) * ((double)seen[k] - EACH) / EACH;
        }
        print_message("%zu: chi-square %.0f, degrees %.0f\n", i, chi, degrees);
        if (chi > 1.5 * degrees) fail_msg("%zu: chi-square %g, degrees %g", i, chi, degrees);
        free(keys);
        free(seen);
        nas_space_free(s);
    }
}

static void least_and_most_of_chains(void **state) {
    (void)state;
    static const struct {
        int layers, channels, classes;
        const char *sizes, *filters;
    } cases[] = {{3, 3, 3, "[1, 3]", "[2, 5]"}, {3, 3, 40, "[1, 3]", "[2, 5]"},
                 {4, 1, 2, "[1]", "[1, 3]"},    {4, 9, 2, "[1]", "[1, 3]"},
                 {4, 20, 7, "[1, 3]", "[3]"},   {4, 7, 90, "[1]", "[2, 8]"},
                 {5, 1, 30, "[1]", "[2]"},      {5, 5, 11, "[3]", "[3]"},
                 {5, 6, 100, "[1]", "[3]"},     {2, 3, 10, "[1, 3, 5]", "[24, 36]"}};
    for (size_t i = 0; i < NI_COUNT(cases); i++) {
        char text[512];
        double least, most, low = INFINITY, high = 0;
        uint64_t n;
        snprintf(text, sizeof text,
                 "space: c\nnetwork: {template: chain, image: {height: 4, width: 4, channels: %d, "
                 "classes: %d}}\nlayers: {layers: %d, heights: %s, widths: [1], filters: %s}\n",
                 cases[i].channels, cases[i].classes, cases[i].layers, cases[i].sizes,
                 cases[i].filters);
        nas_space *s = parse(text);
        assert_int_equal(nas_space_count(s, &n, NULL, 0), NAS_OK);
        for (uint64_t k = 0; k < n; k++) {
            nas_arch *arch;
            ni_walk_cost cost;
            assert_int_equal(nas_space_at(s, k, &arch), NAS_OK);
            assert_int_equal(ni_quick_costs(arch, &cost), NAS_OK);
            low = fmin(low, (double)cost.params);
            high = fmax(high, (double)cost.params);
            nas_arch_free(arch);
        }
        s->template->ops->params_range(s, &least, &most);
        if (least != low || most != high)
            fail_msg("%zu: %g to %g, not %g to %g", i, low, high, least, most);
        nas_space_free(s);
    }
}

static void nothing_there(void **state) {
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"space: c\nnetwork: {template: chain, image: {height: 32, width: 32, channels: 3, "
         "classes: 10}}\nlayers: {layers: 6, heights: [1, 3], widths: [1, 3], filters: [24, 36]}\n"
         "constraints:\n  - params <= 2000\n",
         "t:5:5: space 'c': no architecture satisfies the constraints; 'params <= 2000' is one "
         "that "
         "fails; params: the least of all is 2170, the bound is 2000"},
        {"space: c\nnetwork: {template: chain, image: {height: 32, width: 32, channels: 3, "
         "classes: 10}}\nlayers: {layers: 6, heights: [1, 3], widths: [1, 3], filters: [24, 36]}\n"
         "constraints: ['weight_bytes >= 4e6']\n",
         "t:4:15: space 'c': no architecture satisfies the constraints; 'weight_bytes >= 4e6' is "
         "one that fails; params: the most of all is 176734, the bound is 1000000"},
        {"space: c\nnetwork: {template: chain, image: {height: 32, width: 32, channels: 3, "
         "classes: 10}}\nlayers: {layers: 6, heights: [1, 3], widths: [1, 3], filters: [24, 36]}\n"
         "constraints: ['macs <= 1000']\n",
         "t:4:15: space 'c': none of 1000000 that were tried satisfies the constraints; 'macs <= "
         "1000' is one that fails; macs: the smallest found is 443808, the bound is 1000"},
        {"space: c\nnetwork: {template: skips, channels: 4, image: {height: 6, width: 6, channels: "
         "3, classes: 10}}\nlayers: {layers: 8, operations: [conv3x3-bn-relu, max_pool_3x3]}\n"
         "constraints: ['depth <= 3']\n",
         "t:4:15: space 'c': none of 4000 that were tried satisfies the constraints; 'depth <= 3' "
         "is one that fails; depth: the smallest found is 12, the bound is 3"},
    };
    for (size_t i = 0; i < NI_COUNT(cases); i++) {
        nas_space *s = parse(cases[i].text);
        nas_random random;
        nas_arch *arch;
        ni_random_init(&random, 4, 0, "test");
        assert_int_equal(nas_space_sample(s, &random, &arch), NAS_E_INFEASIBLE);
        assert_string_equal(nas_context_error(context), cases[i].wanted);
        nas_space_free(s);
    }
}

/* Parents that differ in few decisions: every child inside comes as often as another, though draws
 * meet none of them for long. */
static void children_listed(void **state) {
    (void)state;
    nas_space *s =
        parse("space: k\ndecisions:\n"
              "  - {name: a, choice: [n, y]}\n  - {name: b, choice: [n, y]}\n"
              "  - {name: c, choice: [n, y]}\n  - {name: d, choice: [n, y]}\n"
              "  - {name: e, choice: [n, y]}\n  - {name: f, choice: [n, y]}\n"
              "  - {name: g, choice: [n, y]}\n  - {name: h, choice: [n, y]}\n"
              "  - {name: i, choice: [n, y]}\n  - {name: j, choice: [n, y]}\n"
              "  - {name: k, integer: [0, 9], when: {a: y}}\n  - {name: l, integer: [0, 9]}\n"
              "constraints: ['b + c + d + e + f + g + h + i + j >= 9 or b + c + d + e + f + g + h "
              "+ i + j "
              "<= 0', 'l <= 5']\n");
    nas_arch *none, *all, *child;
    nas_random random;
    uint64_t seen[8] = {0}, keys[8] = {0};
    size_t n = 0;
    ni_random_init(&random, 9, 0, "test");
    assert_int_equal(nas_arch_parse(&none, s, "a=n b=n c=n d=n e=n f=n g=n h=n i=n j=n l=3"),
                     NAS_OK);
    assert_int_equal(nas_arch_parse(&all, s, "a=y b=y c=y d=y e=y f=y g=y h=y i=y j=y k=7 l=3"),
                     NAS_OK);
    for (int k = 0; k < 2000; k++) {
        size_t at = 0;
        if (nas_space_crossover(s, none, all, &random, &child) < 0)
            fail_msg("%s", nas_context_error(context));
        assert_int_equal(nas_arch_check(child), NAS_OK);
        while (at < n && keys[at] != nas_arch_hash(child))
            at++;
        if (at == n) keys[n++] = nas_arch_hash(child);
        assert_true(n <= 4); /* a or not, with none of the others or all */
        seen[at]++;
        nas_arch_free(child);
    }
    assert_int_equal(n, 4);
    for (size_t k = 0; k < n; k++)
        assert_true(seen[k] > 400 && seen[k] < 600);
    nas_arch_free(none);
    nas_arch_free(all);
    /* of these two no child is inside */
    assert_int_equal(nas_arch_parse(&none, s, "a=n b=n c=n d=n e=n f=n g=n h=n i=n j=n l=8"),
                     NAS_OK);
    assert_int_equal(nas_arch_parse(&all, s, "a=y b=y c=y d=y e=y f=y g=y h=y i=y j=y k=7 l=9"),
                     NAS_OK);
    assert_int_equal(nas_space_crossover(s, none, all, &random, &child), NAS_E_INFEASIBLE);
    assert_non_null(strstr(nas_context_error(context), "no crossing of the two architectures"));
    nas_arch_free(none);
    nas_arch_free(all);
    nas_space_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tight_bounds),
        cmocka_unit_test(nearly_uniform),
        cmocka_unit_test(least_and_most_of_chains),
        cmocka_unit_test(nothing_there),
        cmocka_unit_test(children_listed),
    };
    return cmocka_run_group_tests(tests, start, end);
}
