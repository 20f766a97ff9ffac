/* NAS-Bench-201 as published: costs of the reference cells, classes of isomorphic cells, text. The
 * counts of parameters and FLOPs are those of the authors' code and counter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include "space/space.h"

static nas_context *context;

static int start(void **state) {
    (void)state;
    return nas_context_create(&context, NULL);
}
static int end(void **state) {
    (void)state;
    nas_memory_use use = NAS_MEMORY_USE_INIT;
    nas_context_memory(context, &use);
    nas_context_free(context);
    return 0;
}

#define C3 "nor_conv_3x3"
static const struct {
    const char *arch;
    int64_t params[4], flops[4]; /* CIFAR-10, CIFAR-100, ImageNet16-120, C=4 N=1 */
} table[] = {
    {"|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~"
     "2|",
     {1531546, 1537396, 1538696, 23374},
     {220119690, 220125540, 55037560, 3223722}},
    {"|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~"
     "2|",
     {1288506, 1294356, 1295656, 20294},
     {184730250, 184736100, 46190200, 2781354}},
    {"|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|",
     {559386, 565236, 566536, 11054},
     {78561930, 78567780, 19648120, 1454250}},
    {"|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~"
     "2|",
     {802426, 808276, 809576, 14134},
     {113951370, 113957220, 28495480, 1896618}},
    {"|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_1x1~"
     "2|",
     {241306, 247156, 248456, 7246},
     {31376010, 31381860, 7851640, 864426}},
    {"|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~"
     "2|",
     {73306, 79156, 80456, 4894},
     {7783050, 7788900, 1953400, 569514}},
    {"|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~"
     "2|",
     {73306, 79156, 80456, 4894},
     {7783050, 7788900, 1953400, 569514}},
    {"|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
     {73306, 79156, 80456, 4894},
     {7783050, 7788900, 1953400, 569514}},
};

static void published_costs(void **state) {
    (void)state;
    static const char *const overrides[4][4] = {{"classes=10"},
                                                {"classes=100"},
                                                {"classes=120", "height=16", "width=16"},
                                                {"channels=4", "cells=1"}};
    static const size_t n_overrides[4] = {1, 1, 3, 2};
    static const int64_t classes[4] = {10, 100, 120, 10};
    for (int k = 0; k < 4; k++) {
        nas_space *space;
        assert_int_equal(
            nas_space_preset(&space, context, "nas-bench-201", overrides[k], n_overrides[k]),
            NAS_OK);
        for (size_t i = 0; i < NI_COUNT(table); i++) {
            nas_arch *arch;
            nas_arch_cost cost = {.struct_size = sizeof cost};
            assert_int_equal(nas_arch_parse(&arch, space, table[i].arch), NAS_OK);
            assert_string_equal(nas_arch_text(arch), table[i].arch);
            assert_int_equal(nas_arch_costs(arch, &cost), NAS_OK);
            assert_int_equal(cost.params, table[i].params[k]);
            assert_int_equal(cost.published_flops, table[i].flops[k]);
            assert_int_equal(cost.macs, table[i].flops[k] - classes[k]);
            assert_int_equal(cost.weight_bytes, 4 * cost.params);
            nas_arch_free(arch);
        }
        nas_space_free(space);
    }
}

/* The authors' own rule (nas_201_api genotypes.py, to_unique_str), quirk included: a node whose
 * inputs are all zero becomes "#+#", which is not recognised as zero further on. */
static void quirk_text(const nas_space *space, const nas_arch *arch, bool zero_rule, char *out) {
    char nodes[4][2048] = {"0"};
    for (uint32_t to = 1, e = 0; to < 4; to++) {
        char terms[3][1024];
        int n = 0;
        for (uint32_t from = 0; from < to; from++, e++) {
            nas_value value;
            nas_decision about = {.struct_size = sizeof about};
            nas_arch_value(arch, e, &value);
            nas_space_decision(space, e, &about);
            const char *op = about.alternatives[value.integer];
            if (zero_rule && (strcmp(op, "none") == 0 || strcmp(nodes[from], "#") == 0))
                snprintf(terms[n++], sizeof terms[0], "#");
            else if (strcmp(op, "skip_connect") == 0)
                snprintf(terms[n++], sizeof terms[0], "%.1000s", nodes[from]);
            else
                snprintf(terms[n++], sizeof terms[0], "(%.980s)@%s", nodes[from], op);
        }
        for (int i = 1; i < n; i++)
            for (int j = i; j > 0 && strcmp(terms[j - 1], terms[j]) > 0; j--) {
                char swap[1024];
                memcpy(swap, terms[j], sizeof swap);
                memcpy(terms[j], terms[j - 1], sizeof swap);
                memcpy(terms[j - 1], swap, sizeof swap);
            }
        nodes[to][0] = 0;
        for (int i = 0; i < n; i++) {
            if (i) strcat(nodes[to], "+");
            strcat(nodes[to], terms[i]);
        }
    }
    strcpy(out, nodes[3]);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t distinct(uint64_t *values, size_t n) {
    size_t count = n > 0;
    qsort(values, n, sizeof *values, by_value);
    for (size_t i = 1; i < n; i++)
        count += values[i] != values[i - 1];
    return count;
}

static void whole_space(void **state) {
    (void)state;
    nas_space *space;
    uint64_t count;
    char digits[32];
    assert_int_equal(nas_space_preset(&space, context, "nas-bench-201", NULL, 0), NAS_OK);
    assert_int_equal(nas_space_count(space, &count, digits, sizeof digits), NAS_OK);
    assert_int_equal(count, 15625);
    assert_string_equal(digits, "15625");
    static uint64_t semantic[15625], quirk[15625], skip_only[15625], texts[15625];
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t i = 0; i < count; i++) {
        nas_arch *arch, *again;
        nas_arch_cost cost = {.struct_size = sizeof cost};
        char text[2048];
        assert_int_equal(nas_space_at(space, i, &arch), NAS_OK);
        semantic[i] = nas_arch_network_hash(arch);
        texts[i] = nas_arch_hash(arch);
        quirk_text(space, arch, true, text);
        quirk[i] = ni_hash_text(text);
        quirk_text(space, arch, false, text);
        skip_only[i] = ni_hash_text(text);
        assert_int_equal(nas_arch_costs(arch, &cost), NAS_OK);
        if (cost.params < least) least = cost.params;
        if (cost.params > most) most = cost.params;
        assert_int_equal(nas_arch_parse(&again, space, nas_arch_text(arch)), NAS_OK);
        assert_true(nas_arch_equal(arch, again));
        nas_arch_free(again);
        nas_arch_free(arch);
    }
    assert_int_equal(least, 73306);
    assert_int_equal(most, 1531546);
    assert_int_equal(distinct(texts, 15625), 15625);
    assert_int_equal(distinct(skip_only, 15625), 12751);
    assert_int_equal(distinct(quirk, 15625), 6466);
    assert_int_equal(distinct(semantic, 15625), 4930);
    nas_space_free(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_costs),
        cmocka_unit_test(whole_space),
    };
    return cmocka_run_group_tests(tests, start, end);
}
