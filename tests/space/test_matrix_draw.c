/* Draws of free matrices inside bounds: as many ways as a list of all assignments has, each as
 * often as another, and none means none. */
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

static nas_space *matrix(int vertices, const char *operations, const char *constraints) {
    char text[1024];
    nas_space *space;
    snprintf(text, sizeof text,
             "space: m\nnetwork: {template: matrix, channels: 9, stages: 2, modules: 2, image: "
             "{height: 8, width: 8, channels: 3, classes: 3}}\n"
             "cell: {vertices: %d, operations: [%s]}\nconstraints: [%s]\n",
             vertices, operations, constraints);
    if (nas_space_parse(&space, context, text, strlen(text), "t", NULL, 0) < 0)
        fail_msg("%s", nas_context_error(context));
    return space;
}

static const char three[] = "conv3x3-bn-relu, conv1x1-bn-relu, maxpool3x3";
static const char two[] = "conv3x3-bn-relu, maxpool3x3";

static uint64_t listed(const nas_space *s, uint64_t *keys, size_t most) {
    uint64_t n, kept = 0;
    nas_value values[32];
    nas_arch *arch;
    assert_int_equal(nas_space_count(s, &n, NULL, 0), NAS_OK);
    memset(values, 0, sizeof values);
    assert_int_equal(ni_arch_begin(&arch, s, values), NAS_OK);
    for (uint64_t i = 0; i < n; i++) {
        int64_t violated;
        ni_space_assignment(s, i, values);
        ni_arch_set(arch, values);
        assert_int_equal(ni_arch_violated(arch, &violated), NAS_OK);
        if (violated >= 0) continue;
        if (keys) {
            nas_arch *whole;
            assert_true(kept < most);
            assert_int_equal(ni_arch_make(&whole, s, values), NAS_OK);
            keys[kept] = nas_arch_hash(whole);
            nas_arch_free(whole);
        }
        kept++;
    }
    ni_free(context, arch);
    return kept;
}

static void ways_are_those_of_a_list(void **state) {
    (void)state;
    static const struct {
        int vertices;
        const char *operations, *constraints;
    } cases[] = {
        {3, three, "'edges <= 3'"},
        {3, two, "'edges <= 0'"},
        {4, three, "'connected'"},
        {4, three, "'vertices == 0'"},
        {4, three, "'vertices >= 3', 'edges >= 4'"},
        {5, three, "'connected', 'edges <= 5'"},
        {5, three, "'edges == 1'"},
        {5, three, "'vertices <= 3'"},
        {5, three, "'connected', 'params <= 2000', 'macs >= 40000'"},
        {5, three, "'params <= 2000'"},
        {5, three, "'weight_bytes >= 16000', 'edges <= 6'"},
        {6, two, "'connected', 'edges <= 6', 'params >= 3000', 'params <= 3200'"},
        {6, two, "'vertices == 5', 'macs <= 150000'"},
    };
    for (size_t i = 0; i < NI_COUNT(cases); i++) {
        nas_space *s = matrix(cases[i].vertices, cases[i].operations, cases[i].constraints);
        ni_inside *inside;
        assert_int_equal(ni_inside_create(&inside, s, NULL, NULL), NAS_OK);
        assert_non_null(inside);
        uint64_t n = listed(s, NULL, 0);
        if (n == 0) fail_msg("%zu: nothing is left", i);
        if (ni_inside_ways(inside) != (double)n)
            fail_msg("%zu: %g ways, and a list has %llu", i, ni_inside_ways(inside),
                     (unsigned long long)n);
        nas_random random;
        ni_random_init(&random, 2, i, "test");
        for (int k = 0; k < 300; k++) {
            nas_value values[32];
            nas_arch *arch;
            int64_t violated;
            assert_true(ni_inside_draw(inside, &random, values));
            assert_int_equal(ni_arch_make(&arch, s, values), NAS_OK);
            assert_int_equal(ni_arch_violated(arch, &violated), NAS_OK);
            if (violated >= 0) fail_msg("%zu: %s", i, nas_arch_text(arch));
            nas_arch_free(arch);
        }
        ni_inside_free(inside);
        nas_space_free(s);
    }
}

/* All 2^21 matrices of 7 vertices, pruned here. */
static void ways_of_seven_vertices(void **state) {
    (void)state;
    uint64_t count[8][22] = {{0}};
    for (uint32_t bits = 0; bits < 1u << 21; bits++) {
        uint32_t to[7] = {0}, forward = 1, backward = 1u << 6, edges = 0;
        for (uint32_t b = 1, e = 0; b < 7; b++)
            for (uint32_t a = 0; a < b; a++, e++)
                to[a] |= (bits >> e & 1) << b;
        for (int v = 0; v < 7; v++)
            if (forward >> v & 1) forward |= to[v];
        for (int v = 6; v >= 0; v--)
            if (to[v] & backward) backward |= 1u << v;
        uint32_t kept = forward & backward;
        for (int v = 0; v < 7; v++)
            if (kept >> v & 1) edges += (uint32_t)__builtin_popcount(to[v] & kept);
        count[kept & 1 ? __builtin_popcount(kept) : 0][kept & 1 ? edges : 0]++;
    }
    for (int vertices = 0; vertices <= 7; vertices++)
        for (int edges = vertices ? 2 : 0; edges <= 21; edges += 3) {
            char text[96];
            ni_inside *inside;
            if (vertices == 1) continue;
            snprintf(text, sizeof text, "'vertices == %d', 'edges <= %d'", vertices, edges);
            nas_space *s = matrix(7, three, text);
            double wanted = 0;
            for (int e = 0; e <= edges; e++)
                wanted += 243 * (double)count[vertices][e];
            assert_int_equal(ni_inside_create(&inside, s, NULL, NULL), NAS_OK);
            if (ni_inside_ways(inside) != wanted)
                fail_msg("%s: %g, not %g", text, ni_inside_ways(inside), wanted);
            ni_inside_free(inside);
            nas_space_free(s);
            if (vertices == 0) break;
        }
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void each_as_often(void **state) {
    (void)state;
    static const struct {
        int vertices;
        const char *operations, *constraints;
    } cases[] = {
        {4, two, "'edges <= 2'"},
        {5, two, "'connected', 'vertices == 3'"},
        {5, two, "'params >= 1000', 'params <= 1400'"},
        {5, three, "'vertices == 0'"},
    };
    for (size_t i = 0; i < NI_COUNT(cases); i++) {
        nas_space *s = matrix(cases[i].vertices, cases[i].operations, cases[i].constraints);
        ni_inside *inside;
        enum { MOST = 8192, EACH = 40 };
        uint64_t *keys = calloc(MOST, sizeof *keys), *seen = calloc(MOST, sizeof *seen);
        size_t n = (size_t)listed(s, keys, MOST);
        if (n < 50) fail_msg("%zu: %zu are left", i, n);
        qsort(keys, n, sizeof *keys, by_value);
        assert_int_equal(ni_inside_create(&inside, s, NULL, NULL), NAS_OK);
        nas_random random;
        ni_random_init(&random, 5, i, "test");
        for (size_t k = 0; k < n * EACH; k++) {
            nas_value values[32];
            nas_arch *arch;
            assert_true(ni_inside_draw(inside, &random, values));
            assert_int_equal(ni_arch_make(&arch, s, values), NAS_OK);
            uint64_t key = nas_arch_hash(arch);
            const uint64_t *at = bsearch(&key, keys, n, sizeof *keys, by_value);
            if (!at) fail_msg("%zu: %s is outside", i, nas_arch_text(arch));
            seen[at - keys]++;
            nas_arch_free(arch);
        }
        double chi = 0, degrees = (double)n - 1;
        for (size_t k = 0; k < n; k++)
            chi += ((double)seen[k] - EACH) * ((double)seen[k] - EACH) / EACH;
        if (chi > degrees + 4 * sqrt(2 * degrees) || chi < degrees - 4 * sqrt(2 * degrees))
            fail_msg("%zu: chi-square %g, degrees %g", i, chi, degrees);
        ni_inside_free(inside);
        free(keys);
        free(seen);
        nas_space_free(s);
    }
}

/* NAS-Bench-101 with bounds that keep a millionth of it and less; and none. */
static void narrow_bounds(void **state) {
    (void)state;
    static const char extra[] = "  - params >= 45e6\n", none[] = "  - params >= 60e6\n",
                      fewest[] = "  - params <= 228000\n  - vertices >= 3\n";
    const char *preset = nas_space_preset_text("nas-bench-101");
    for (int k = 0; k < 3; k++) {
        char text[4096];
        nas_space *s;
        nas_random random;
        nas_arch *arch;
        snprintf(text, sizeof text, "%s%s", preset, k == 0 ? extra : k == 1 ? none : fewest);
        if (nas_space_parse(&s, context, text, strlen(text), "t", NULL, 0) < 0)
            fail_msg("%s", nas_context_error(context));
        ni_random_init(&random, 6, 0, "test");
        if (k == 1) {
            assert_int_equal(nas_space_sample(s, &random, &arch), NAS_E_INFEASIBLE);
            assert_non_null(strstr(nas_context_error(context), "no architecture satisfies"));
        }
        ni_inside *inside;
        assert_int_equal(ni_inside_create(&inside, s, NULL, NULL), NAS_OK);
        double share = ni_inside_ways(inside) / (243.0 * (1 << 21));
        print_message("a share of %.3g is inside\n", share);
        if (k != 1) assert_true(share > 0 && share < 1e-4);
        ni_inside_free(inside);
        for (int i = 0; k != 1 && i < 50; i++) {
            if (nas_space_sample(s, &random, &arch) < 0) fail_msg("%s", nas_context_error(context));
            assert_int_equal(nas_arch_check(arch), NAS_OK);
            nas_arch_free(arch);
        }
        nas_space_free(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_are_those_of_a_list),
        cmocka_unit_test(ways_of_seven_vertices),
        cmocka_unit_test(each_as_often),
        cmocka_unit_test(narrow_bounds),
    };
    return cmocka_run_group_tests(tests, start, end);
}
