/* Spaces built call by call and from files: counting, enumerating, sampling, mutating, texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "space/space.h"

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

/* kind in {a: depth 1..3 step 1, b: (rate in log reals, mode in {x, y}), c} */
static nas_space *conditional(void) {
    static const char *const kinds[] = {"a", "b", "c"}, *const modes[] = {"x", "y"};
    nas_space *s;
    assert_int_equal(nas_space_create(&s, context, "conditional"), NAS_OK);
    assert_int_equal(nas_space_add_choice(s, "kind", kinds, 3), NAS_OK);
    assert_int_equal(nas_space_add_integer(s, "depth", 1, 3, 1), NAS_OK);
    assert_int_equal(nas_space_add_condition(s, "kind", "a"), NAS_OK);
    assert_int_equal(nas_space_add_choice(s, "mode", modes, 2), NAS_OK);
    assert_int_equal(nas_space_add_condition(s, "kind", "b"), NAS_OK);
    return s;
}

static void counts_conditions(void **state) {
    (void)state;
    nas_space *s = conditional();
    uint64_t n, seen[6] = {0}, hash[6];
    assert_int_equal(nas_space_finish(s), NAS_OK);
    assert_int_equal(nas_space_count(s, &n, NULL, 0), NAS_OK);
    assert_int_equal(n, 6); /* 3 + 2 + 1 */
    for (uint64_t i = 0; i < n; i++) {
        nas_arch *arch;
        assert_int_equal(nas_space_at(s, i, &arch), NAS_OK);
        hash[i] = nas_arch_hash(arch);
        for (uint64_t j = 0; j < i; j++)
            assert_true(hash[i] != hash[j]);
        nas_arch_free(arch);
    }
    /* uniform over the six, though the choice itself is not: chi-square, 5 degrees, 0.1 % */
    nas_random random;
    ni_random_init(&random, 5, 0, "test");
    for (int i = 0; i < 6000; i++) {
        nas_arch *arch;
        assert_int_equal(nas_space_sample(s, &random, &arch), NAS_OK);
        for (int j = 0; j < 6; j++)
            seen[j] += nas_arch_hash(arch) == hash[j];
        nas_arch_free(arch);
    }
    double chi = 0;
    for (int j = 0; j < 6; j++)
        chi += ((double)seen[j] - 1000) * ((double)seen[j] - 1000) / 1000;
    assert_true(chi < 20.5);
    nas_space_free(s);
}

static void count_of_any_length(void **state) {
    (void)state;
    nas_space *s;
    uint64_t n;
    char digits[64], name[16];
    assert_int_equal(nas_space_create(&s, context, "long"), NAS_OK);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "d%d", i);
        assert_int_equal(nas_space_add_integer(s, name, 0, 9, 1), NAS_OK);
    }
    assert_int_equal(nas_space_finish(s), NAS_OK);
    assert_int_equal(nas_space_count(s, &n, digits, sizeof digits), NAS_E_LIMIT);
    assert_true(n == UINT64_MAX);
    assert_string_equal(digits, "10000000000000000000000000000000000000000");
    assert_int_equal(nas_space_count(s, &n, digits, 10), NAS_E_LIMIT);
    nas_space_free(s);
}

static void sampling_keeps_constraints(void **state) {
    (void)state;
    /* 1 % of NAS-Bench-201 by parameters: uniform over what is left, by chi-square. */
    static const char text[] =
        "space: narrow\n"
        "parameters: {most: 80000}\n"
        "network: {image: {height: 32, width: 32, channels: 3, classes: 10}, cells: 5}\n"
        "cell: {operations: [none, skip_connect, nor_conv_1x1, nor_conv_3x3, "
        "avg_pool_3x3], text: nas-bench-201}\n"
        "constraints: ['params >= 1.3e6', 'connected']\n";
    nas_space *s;
    assert_int_equal(nas_space_parse(&s, context, text, sizeof text - 1, "t", NULL, 0), NAS_OK);
    uint64_t keys[15625];
    size_t n = 0;
    for (uint64_t i = 0; i < 15625; i++) {
        nas_arch *arch;
        assert_int_equal(nas_space_at(s, i, &arch), NAS_OK);
        nas_status status = nas_arch_check(arch);
        assert_true(status == NAS_OK || status == NAS_E_INFEASIBLE);
        if (status == NAS_OK) keys[n++] = nas_arch_hash(arch);
        nas_arch_free(arch);
    }
    assert_true(n > 5 && n < 1600);
    nas_random random;
    ni_random_init(&random, 9, 0, "test");
    size_t draws = n * 40, *seen = calloc(n, sizeof *seen);
    for (size_t i = 0; i < draws; i++) {
        nas_arch *arch, *child;
        assert_int_equal(nas_space_sample(s, &random, &arch), NAS_OK);
        size_t k = 0;
        while (k < n && keys[k] != nas_arch_hash(arch))
            k++;
        assert_true(k < n);
        seen[k]++;
        if (i % 64 == 0 && nas_space_mutate(s, arch, &random, &child) == NAS_OK) {
            uint32_t changed = 0;
            assert_int_equal(nas_arch_check(child), NAS_OK);
            for (uint32_t d = 0; d < 6; d++) {
                nas_value a, b;
                nas_arch_value(arch, d, &a);
                nas_arch_value(child, d, &b);
                changed += a.integer != b.integer;
            }
            assert_int_equal(changed, 1);
            nas_arch_free(child);
        }
        nas_arch_free(arch);
    }
    double chi = 0, expected = 40, degrees = (double)n - 1;
    for (size_t k = 0; k < n; k++)
        chi += ((double)seen[k] - expected) * ((double)seen[k] - expected) / expected;
    free(seen);
    /* normal approximation, four deviations */
    assert_true(chi < degrees + 4 * sqrt(2 * degrees));
    nas_space_free(s);
}

static void hyper_parameters_beside(void **state) {
    (void)state;
    static const char text[] = "space: joint\n"
                               "network: {image: {height: 8, width: 8, channels: 3, classes: 4}, "
                               "stem: {channels: $wide}}\n"
                               "cell: {nodes: 3, operations: [none, nor_conv_3x3]}\n"
                               "decisions:\n"
                               "  - {name: wide, integer: [4, 12], step: 4}\n"
                               "  - {name: learning_rate, real: [0.01, 1], log: true}\n"
                               "  - {name: batch, choice: [32, 64]}\n";
    nas_space *s;
    nas_arch *a, *b;
    double value;
    assert_int_equal(nas_space_parse(&s, context, text, sizeof text - 1, "t", NULL, 0), NAS_OK);
    assert_int_equal(nas_arch_parse(&a, s,
                                    "1<-0=nor_conv_3x3 2<-0=none 2<-1=nor_conv_3x3 wide=8 "
                                    "learning_rate=0.05 batch=64"),
                     NAS_OK);
    assert_int_equal(nas_arch_parse(&b, s,
                                    "1<-0=nor_conv_3x3 2<-0=none 2<-1=nor_conv_3x3 wide=8 "
                                    "learning_rate=0.5 batch=32"),
                     NAS_OK);
    assert_true(ni_arch_hyper(a, "learning_rate", &value) && value == 0.05);
    assert_true(ni_arch_hyper(a, "batch", &value) && value == 64);
    assert_false(ni_arch_hyper(a, "wide", &value)); /* it shapes the network */
    assert_true(nas_arch_network_hash(a) == nas_arch_network_hash(b));
    assert_true(ni_arch_hyper_hash(a) != ni_arch_hyper_hash(b));
    assert_true(nas_arch_hash(a) != nas_arch_hash(b));
    nas_arch_free(a);
    nas_arch_free(b);
    nas_space_free(s);
}

static void overrides_stay_in_the_text(void **state) {
    (void)state;
    static const char *const overrides[] = {"channels=8", "cells=2"};
    nas_space *a, *b;
    assert_int_equal(nas_space_preset(&a, context, "quick", overrides, 2), NAS_OK);
    assert_int_equal(nas_space_parse(&b, context, nas_space_text(a), strlen(nas_space_text(a)),
                                     "again", NULL, 0),
                     NAS_OK);
    assert_true(nas_space_hash(a) == nas_space_hash(b));
    assert_string_equal(nas_space_text(a), nas_space_text(b));
    assert_non_null(strstr(nas_space_text(a), "channels: 8,"));
    nas_space_free(a);
    nas_space_free(b);
}

static void every_preset_builds(void **state) {
    (void)state;
    for (uint32_t i = 0; nas_space_preset_name(i); i++) {
        nas_space *s;
        nas_random random;
        assert_int_equal(nas_space_preset(&s, context, nas_space_preset_name(i), NULL, 0), NAS_OK);
        ni_random_init(&random, 3, i, "test");
        for (int k = 0; k < 20; k++) {
            nas_arch *arch;
            nas_arch_cost cost = {.struct_size = sizeof cost};
            ni_net net;
            ni_arch_net build;
            ni_vars *vars;
            nas_graph *graph;
            uint32_t number;
            ni_node images, logits;
            assert_int_equal(nas_space_sample(s, &random, &arch), NAS_OK);
            assert_int_equal(nas_arch_costs(arch, &cost), NAS_OK);
            assert_int_equal(ni_arch_network(&net, &build, arch, 0), NAS_OK);
            assert_int_equal(ni_vars_create(&vars, context), NAS_OK);
            assert_int_equal(ni_graph_create(&graph, context, vars, NI_F32, NI_EVAL), NAS_OK);
            assert_int_equal(ni_input(graph, ni_shape4(1, net.height, net.width, net.channels),
                                      &number, &images),
                             NAS_OK);
            assert_int_equal(net.build(net.user, graph, images, &logits), NAS_OK);
            /* the costs found piece by piece are those of the whole network */
            assert_int_equal(ni_vars_parameters(vars), cost.params);
            assert_int_equal(ni_node_shape(graph, logits).d[3], net.classes);
            ni_graph_free(graph);
            ni_vars_free(vars);
            nas_arch_free(arch);
        }
        nas_space_free(s);
    }
}

static void custom_operations_have_a_place(void **state) {
    (void)state;
    static const char text[] = "space: mine\n"
                               "network: {image: {height: 8, width: 8, channels: 3, classes: 4}}\n"
                               "cell: {operations: [skip_connect, no_such_op]}\n";
    nas_space *s;
    assert_int_equal(nas_space_parse(&s, context, text, sizeof text - 1, "t", NULL, 0),
                     NAS_E_NOT_FOUND);
    assert_non_null(strstr(nas_context_error(context), "t:3:"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_conditions),
        cmocka_unit_test(count_of_any_length),
        cmocka_unit_test(sampling_keeps_constraints),
        cmocka_unit_test(hyper_parameters_beside),
        cmocka_unit_test(overrides_stay_in_the_text),
        cmocka_unit_test(every_preset_builds),
        cmocka_unit_test(custom_operations_have_a_place),
    };
    return cmocka_run_group_tests(tests, start, end);
}
