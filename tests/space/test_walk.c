/* Draws inside bounds: what the walk adds up is what the network costs; it counts what a list
 * counts; it is uniform; it says for certain that there is nothing. */
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

static void sums_are_costs(void **state) {
    (void)state;
    for (uint32_t i = 0; nas_space_preset_name(i); i++) {
        nas_space *s;
        nas_random random;
        assert_int_equal(nas_space_preset(&s, context, nas_space_preset_name(i), NULL, 0), NAS_OK);
        ni_random_init(&random, 11, i, "test");
        for (int k = 0; k < 12; k++) {
            nas_value values[128];
            nas_arch *arch;
            ni_walk_cost sum;
            nas_arch_cost cost = {.struct_size = sizeof cost};
            assert_true(s->decisions.n <= NI_COUNT(values));
            ni_space_draw(s, &random, values);
            assert_int_equal(ni_arch_make(&arch, s, values), NAS_OK);
            if (ni_quick_costs(arch, &sum) < 0 || nas_arch_costs(arch, &cost) < 0)
                fail_msg("%s", nas_context_error(context));
            if (sum.params != cost.params || sum.macs != cost.macs)
                fail_msg("%s: %lld, %lld instead of %lld, %lld", nas_arch_text(arch),
                         (long long)sum.params, (long long)sum.macs, (long long)cost.params,
                         (long long)cost.macs);
            if (s->template->ops->walk && s->template->ops->walk->chain) {
                assert_int_equal(sum.activation, cost.activation_bytes);
                assert_int_equal(sum.depth, cost.depth);
            }
            nas_arch_free(arch);
        }
        nas_space_free(s);
    }
}

/* The same with what presets do not have: ImageNet's stem, an auxiliary head, joins, odd sizes,
 * channels to choose. */
static void sums_of_other_forms(void **state) {
    (void)state;
    static const char *const texts[] = {
        "space: a\nnetwork: {template: blocks, stem: imagenet, channels: 8, cells: 5, auxiliary: "
        "1, "
        "image: {height: 224, width: 224, channels: 3, classes: 7}}\n"
        "cell: {kinds: 2, blocks: 3, output: unused, join: choice, operations: [none, "
        "skip_connect, "
        "sep_conv_3x3, max_pool_3x3]}\n",
        "space: b\nnetwork: {template: blocks, channels: 6, cells: 4, multiplier: 2, "
        "image: {height: 13, width: 11, channels: 1, classes: 3}}\n"
        "cell: {kinds: 1, blocks: {least: 2, most: 4}, inputs: pairs, output: unused, operations: "
        "[skip_connect, sep_conv_3x3, avg_pool_3x3]}\n",
        "space: c\nnetwork: {template: stages, stem: {channels: 5}, head: {channels: 20}, fixed: "
        "[{operation: mbconv_3x3_e1, channels: 4, stride: 2}], image: {height: 19, width: 17, "
        "channels: 2, classes: 3}}\n"
        "layers: {stages: [{channels: [4, 8], layers: 2, stride: 2}, {channels: 8, layers: 1}, "
        "{channels: [8, 12, 16], layers: 2, stride: 2}], operations: [identity, mbconv_3x3_e3, "
        "mbconv_5x5_e1]}\n",
        "space: d\nnetwork: {template: skips, channels: 6, widen: 2, image: {height: 13, width: "
        "14, "
        "channels: 3, classes: 3}}\n"
        "layers: {layers: 7, operations: [conv3x3-bn-relu, max_pool_3x3, skip_connect]}\n",
        "space: f\nnetwork: {template: chain, image: {height: 13, width: 14, channels: 3, classes: "
        "3}}\n"
        "layers: {layers: 5, heights: [1, 3], widths: [1, 5], filters: [3, 4, 6], strides: [1, 2, "
        "3]}\n",
        "space: g\nnetwork: {template: matrix, channels: 9, stages: 2, modules: 2, image: {height: "
        "7, "
        "width: 6, channels: 3, classes: 3}}\n"
        "cell: {vertices: 5, operations: [skip_connect, conv1x1-bn-relu, max_pool_3x3]}\n",
        "space: e\nnetwork: {template: cells, image: {height: 9, width: 12, channels: 3, classes: "
        "5}, stem: {channels: 4, kernel: 5, stride: 2}, stages: 2, cells: 2, reduction: pool}\n"
        "cell: {nodes: 5, edges: [[0, 1], [1, 2], [0, 3], [2, 3], [3, 4]], operations: [none, "
        "nor_conv_3x3, skip_connect]}\n",
    };
    for (size_t i = 0; i < NI_COUNT(texts); i++) {
        nas_space *s = parse(texts[i]);
        nas_random random;
        ni_random_init(&random, 12, i, "test");
        for (int k = 0; k < 40; k++) {
            nas_value values[64];
            nas_arch *arch;
            ni_walk_cost sum;
            nas_arch_cost cost = {.struct_size = sizeof cost};
            ni_space_draw(s, &random, values);
            assert_int_equal(ni_arch_make(&arch, s, values), NAS_OK);
            if (ni_quick_costs(arch, &sum) < 0 || nas_arch_costs(arch, &cost) < 0)
                fail_msg("%zu: %s", i, nas_context_error(context));
            if (sum.params != cost.params || sum.macs != cost.macs)
                fail_msg("%zu: %s: %lld, %lld instead of %lld, %lld", i, nas_arch_text(arch),
                         (long long)sum.params, (long long)sum.macs, (long long)cost.params,
                         (long long)cost.macs);
            if (s->template->ops->walk && s->template->ops->walk->chain) {
                assert_int_equal(sum.activation, cost.activation_bytes);
                assert_int_equal(sum.depth, cost.depth);
            }
            /* from a table as part by part */
            ni_walk *table;
            ni_walk_cost again;
            if (s->template->ops->walk) {
                assert_int_equal(ni_walk_table(&table, s), NAS_OK);
                assert_true(ni_walk_look_up(table, arch, &again));
                assert_memory_equal(&again, &sum, sizeof sum);
                ni_walk_free(table);
            }
            nas_arch_free(arch);
        }
        nas_space_free(s);
    }
}

/* What a list of the whole space counts. */
static void counts_as_a_list(void **state) {
    (void)state;
    static const char *const texts[] = {
        "space: a\nnetwork: {template: cells, cells: 2, image: {height: 8, width: 8, channels: 3, "
        "classes: 10}}\n"
        "cell: {operations: [none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3], text: "
        "nas-bench-201}\n"
        "constraints: ['connected and params <= 5e5', 'published_flops >= 3e6']\n",
        "space: b\nnetwork: {template: blocks, channels: 4, cells: 3, image: {height: 8, width: 8, "
        "channels: 3, classes: 10}}\n"
        "cell: {kinds: 1, blocks: {least: 1, most: 2}, output: unused, operations: [skip_connect, "
        "sep_conv_3x3, max_pool_3x3]}\n"
        "constraints: ['weight_bytes / 4 <= 3800', 'macs >= 60000']\n",
        "space: c\nnetwork: {template: stages, stem: {channels: 4}, image: {height: 8, width: 8, "
        "channels: 3, classes: 10}}\n"
        "layers: {stages: [{channels: [4, 8], layers: 3, stride: 2}, {channels: [8, 12], layers: "
        "3, "
        "stride: 2}], operations: [identity, mbconv_3x3_e3, mbconv_5x5_e1]}\n"
        "constraints: ['3000 <= params', 'params < 4000']\n",
        "space: d\nnetwork: {template: mlp, image: {height: 1, width: 1, channels: 9, classes: "
        "3}}\n"
        "layers: {least: 0, most: 3, units: [4, 8, 16, 32], activations: [relu, tanh]}\n"
        "constraints: ['params > 300 and params <= 700']\n",
        "space: e\nnetwork: {template: skips, channels: 4, image: {height: 8, width: 8, channels: "
        "3, "
        "classes: 3}}\n"
        "layers: {layers: 4, operations: [conv3x3-bn-relu, max_pool_3x3]}\n"
        "constraints: ['params <= 500']\n",
    };
    for (size_t i = 0; i < NI_COUNT(texts); i++) {
        nas_space *s = parse(texts[i]);
        ni_walk *walk;
        uint64_t n, kept = 0;
        assert_int_equal(nas_space_count(s, &n, NULL, 0), NAS_OK);
        for (uint64_t k = 0; k < n; k++) {
            nas_arch *arch;
            assert_int_equal(nas_space_at(s, k, &arch), NAS_OK);
            kept += nas_arch_check(arch) == NAS_OK;
            nas_arch_free(arch);
        }
        assert_true(ni_walk_helps(s));
        assert_int_equal(ni_walk_create(&walk, s, NULL, NULL), NAS_OK);
        assert_true(ni_walk_exact(walk));
        if (kept < 20 || kept == n)
            fail_msg("%zu: %llu of %llu are kept", i, (unsigned long long)kept,
                     (unsigned long long)n);
        if (ni_walk_ways(walk) != (double)kept)
            fail_msg("%zu: %g ways, and a list has %llu of %llu", i, ni_walk_ways(walk),
                     (unsigned long long)kept, (unsigned long long)n);
        ni_walk_free(walk);
        nas_space_free(s);
    }
}

/* Draws of the walk alone over what a constraint leaves of NAS-Bench-201: 1 % of it. */
static void uniform(void **state) {
    (void)state;
    nas_space *s = parse(
        "space: narrow\n"
        "network: {image: {height: 32, width: 32, channels: 3, classes: 10}, cells: 5}\n"
        "cell: {operations: [none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3], text: "
        "nas-bench-201}\n"
        "constraints: ['params >= 1.03e6', 'macs <= 150e6', 'connected']\n");
    ni_walk *walk;
    uint64_t keys[400];
    size_t seen[400] = {0}, n = 0;
    for (uint64_t i = 0; i < 15625; i++) {
        nas_arch *arch;
        assert_int_equal(nas_space_at(s, i, &arch), NAS_OK);
        if (nas_arch_check(arch) == NAS_OK) {
            assert_true(n < NI_COUNT(keys));
            keys[n++] = nas_arch_hash(arch);
        }
        nas_arch_free(arch);
    }
    if (n < 100 || n > 200) fail_msg("the constraint leaves %zu, and not 1 %% of 15625", n);
    assert_int_equal(ni_walk_create(&walk, s, NULL, NULL), NAS_OK);
    assert_true(ni_walk_ways(walk) == (double)n);
    nas_random random;
    ni_random_init(&random, 4, 0, "test");
    const double expected = 100;
    for (size_t i = 0; i < n * (size_t)expected; i++) {
        nas_value values[6];
        nas_arch *arch;
        size_t k = 0;
        /* every other one as a user draws */
        if (i % 2) {
            assert_int_equal(nas_space_sample(s, &random, &arch), NAS_OK);
        } else {
            assert_true(ni_walk_draw(walk, &random, values));
            assert_int_equal(ni_arch_make(&arch, s, values), NAS_OK);
        }
        while (k < n && keys[k] != nas_arch_hash(arch))
            k++;
        assert_true(k < n);
        seen[k]++;
        nas_arch_free(arch);
    }
    double chi = 0, degrees = (double)n - 1;
    for (size_t k = 0; k < n; k++)
        chi += ((double)seen[k] - expected) * ((double)seen[k] - expected) / expected;
    if (chi > degrees + 4 * sqrt(2 * degrees)) fail_msg("chi-square %g, degrees %g", chi, degrees);
    ni_walk_free(walk);
    nas_space_free(s);
}

/* A space of 10^25 in a narrow band: nothing is drawn in vain, or hardly. */
static void large_spaces(void **state) {
    (void)state;
    nas_space *s = parse(
        "space: d\n"
        "network: {template: blocks, channels: 4, cells: 5, image: {height: 16, width: 16, "
        "channels: 3, classes: 10}}\n"
        "cell: {kinds: 2, blocks: 5, output: unused, operations: [max_pool_3x3, avg_pool_3x3, "
        "skip_connect, sep_conv_3x3, sep_conv_5x5, dil_conv_3x3, dil_conv_5x5]}\n"
        "constraints: ['params <= 12000', 'macs >= 500000', 'macs <= 510000']\n");
    nas_random random;
    ni_random_init(&random, 4, 0, "test");
    ni_walk *walk;
    assert_int_equal(ni_walk_create(&walk, s, NULL, NULL), NAS_OK);
    assert_true(ni_walk_ways(walk) > 1e12);
    int inside = 0;
    for (int i = 0; i < 100; i++) {
        nas_value values[64];
        nas_arch *arch;
        assert_true(ni_walk_draw(walk, &random, values));
        assert_int_equal(ni_arch_make(&arch, s, values), NAS_OK);
        inside += nas_arch_check(arch) == NAS_OK;
        nas_arch_free(arch);
    }
    assert_int_equal(inside, 100);
    for (int i = 0; i < 20; i++) {
        nas_arch *arch;
        assert_int_equal(nas_space_sample(s, &random, &arch), NAS_OK);
        assert_int_equal(nas_arch_check(arch), NAS_OK);
        nas_arch_free(arch);
    }
    ni_walk_free(walk);
    nas_space_free(s);
}

static void nothing_there(void **state) {
    (void)state;
    nas_space *s = parse("space: none\n"
                         "network:\n"
                         "  template: blocks\n"
                         "  image: {height: 32, width: 32, channels: 3, classes: 10}\n"
                         "cell: {kinds: 2, operations: [skip_connect, sep_conv_3x3]}\n"
                         "constraints:\n"
                         "  - macs <= 4000\n");
    nas_random random;
    nas_arch *arch;
    ni_random_init(&random, 4, 0, "test");
    assert_int_equal(nas_space_sample(s, &random, &arch), NAS_E_INFEASIBLE);
    assert_string_equal(nas_context_error(context),
                        "t:7:5: space 'none': no architecture satisfies the constraints; 'macs <= "
                        "4000' is one that fails; macs: the least of all is 21514752, the bound "
                        "is 4000");
    nas_space_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_costs),   cmocka_unit_test(sums_of_other_forms),
        cmocka_unit_test(counts_as_a_list), cmocka_unit_test(uniform),
        cmocka_unit_test(large_spaces),     cmocka_unit_test(nothing_there),
    };
    return cmocka_run_group_tests(tests, start, end);
}
