/* Broken space files and texts: one sentence with its place, a status, nothing else. And every
 * allocation of a small life of a space fails in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include "allocator.h"
#include "space/space.h"

#define NET  "network: {image: {height: 8, width: 8, channels: 3, classes: 4}}\n"
#define CELL "cell: {nodes: 3, operations: [none, nor_conv_3x3]}\n"

static const struct {
    const char *text;
    nas_status status;
    const char *says;
} cases[] = {
    {"space: a\ndecisions:\n\t- {name: x, choice: [a]}\n", NAS_E_SYNTAX, "f:3:"},
    {"space: &x [*x]\n", NAS_E_UNSUPPORTED, "anchor"},
    {"space: *x\n", NAS_E_UNSUPPORTED, "alias"},
    {"", NAS_E_SYNTAX, "empty"},
    {"space: a\nspace: b\n", NAS_E_SYNTAX, "f:2:1: the key 'space' stands here twice"},
    {"space: a\ndecisoins: []\n", NAS_E_SYNTAX, "did you mean 'decisions'?"},
    {"space: a\n", NAS_E_INVALID, "no decisions"},
    {"- a\n", NAS_E_SYNTAX, "f:1:1"},
    {"space: a\ndecisions: [{name: x, choice: [a, a]}]\n", NAS_E_EXISTS, "twice"},
    {"space: a\ndecisions: [{name: x, choice: [a]}, {name: x, choice: [b]}]\n", NAS_E_EXISTS,
     "already"},
    {"space: a\ndecisions: [{name: x, choice: [a], when: {y: b}}, {name: y, choice: [b]}]\n",
     NAS_E_NOT_FOUND, "not an earlier decision"},
    {"space: a\ndecisions: [{name: x, integer: [3, 1]}]\n", NAS_E_INVALID, "low <= high"},
    {"space: a\ndecisions: [{name: x, real: [0, 1], log: true}]\n", NAS_E_INVALID, "low > 0"},
    {"space: a\ndecisions: [{name: x, real: [0, .nan]}]\n", NAS_E_SYNTAX, "not a number"},
    {"space: a\ndecisions: [{name: x, choice: [a]}]\nconstraints: ['y <= 3']\n", NAS_E_NOT_FOUND,
     "'y' is not a decision"},
    {"space: a\ndecisions: [{name: x, choice: [a]}]\nconstraints: ['x <= ']\n", NAS_E_SYNTAX,
     "ends too early"},
    {"space: a\nnetwork: {}\n", NAS_E_SYNTAX, "'cell' is missing"},
    {"space: a\nnetwork: {image: {height: 2, width: 2, channels: 3, classes: 4}, stages: 5}\n" CELL,
     NAS_E_SHAPE, "too small"},
    {"space: a\n" NET "cell: {operations: [nor_conv_3X3]}\n", NAS_E_NOT_FOUND,
     "did you mean 'nor_conv_3x3'?"},
    {"space: a\n" NET "cell: {nodes: 99, operations: [none]}\n", NAS_E_INVALID, "nodes"},
    {"space: a\nparameters: {c: 4}\nnetwork: {image: {height: $h, width: 8, channels: 3, classes: "
     "4}}\n" CELL,
     NAS_E_NOT_FOUND, "there is no parameter 'h'"},
};

static void broken_files(void **state) {
    (void)state;
    nas_context *context;
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    for (size_t i = 0; i < NI_COUNT(cases); i++) {
        nas_space *space = NULL;
        nas_status status =
            nas_space_parse(&space, context, cases[i].text, strlen(cases[i].text), "f", NULL, 0);
        if (status != cases[i].status || !strstr(nas_context_error(context), cases[i].says))
            fail_msg("case %zu: %d, \"%s\", wanted %d and \"%s\"", i, (int)status,
                     nas_context_error(context), (int)cases[i].status, cases[i].says);
        assert_null(space);
    }
    /* ten million bytes of nesting, and a nesting that is short but deep */
    size_t n = 10000000;
    char *deep = malloc(n);
    memset(deep, '[', n);
    nas_space *space;
    assert_int_equal(nas_space_parse(&space, context, deep, n, "f", NULL, 0), NAS_E_LIMIT);
    assert_true(nas_space_parse(&space, context, deep, 5000, "f", NULL, 0) < 0);
    free(deep);
    static const char *const unknown[] = {"chanels=4"};
    assert_int_equal(nas_space_preset(&space, context, "quick", unknown, 1), NAS_E_NOT_FOUND);
    assert_non_null(strstr(nas_context_error(context), "'channels'"));
    assert_int_equal(nas_space_preset(&space, context, "nas-bench-210", NULL, 0), NAS_E_NOT_FOUND);
    assert_non_null(strstr(nas_context_error(context), "'nas-bench-201'"));
    nas_context_free(context);
}

static void contradiction(void **state) {
    (void)state;
    static const char text[] = "space: a\n" NET CELL "constraints: ['params <= 10']\n";
    nas_context *context;
    nas_space *space;
    nas_arch *arch;
    nas_random *random;
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    assert_int_equal(nas_space_parse(&space, context, text, sizeof text - 1, "f", NULL, 0), NAS_OK);
    assert_int_equal(nas_random_create(&random, context, 1, 0, ""), NAS_OK);
    assert_int_equal(nas_space_sample(space, random, &arch), NAS_E_INFEASIBLE);
    assert_non_null(strstr(nas_context_error(context), "params <= 10"));
    nas_random_free(random);
    nas_space_free(space);
    nas_context_free(context);
}

static void broken_architectures(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {"", "not given"},
        {"|none~0|", "'+'"},
        {"|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x33~2|",
         "did you mean 'nor_conv_3x3'?"},
        {"|none~0|+|none~1|none~1|+|none~0|none~1|none~2|", "must be written none~0|"},
        {"|none~0|+|none~0|none~1|+|none~0|none~1|none~2|x", "stands after the cell"},
        {"1<-0=none 1<-0=none", "given twice"},
        {"9<-0=none", "no decision '9<-0'"},
    };
    nas_context *context;
    nas_space *space;
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    assert_int_equal(nas_space_preset(&space, context, "nas-bench-201", NULL, 0), NAS_OK);
    for (size_t i = 0; i < NI_COUNT(texts); i++) {
        nas_arch *arch = NULL;
        assert_int_equal(nas_arch_parse(&arch, space, texts[i][0]), NAS_E_SYNTAX);
        if (!strstr(nas_context_error(context), texts[i][1]))
            fail_msg("\"%s\" says \"%s\"", texts[i][0], nas_context_error(context));
    }
    nas_space_free(space);
    nas_context_free(context);
}

/* ---- every allocation fails in turn
 * ----------------------------------------------------------------- */

static nas_status life(test_allocator *heap) {
    nas_allocator allocator = test_allocator_table(heap);
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    nas_context *context = NULL;
    nas_space *space = NULL;
    nas_arch *arch = NULL, *child = NULL;
    nas_arch_cost cost = {.struct_size = sizeof cost};
    nas_random random;
    ni_draw_graph *graphs = NULL;
    uint32_t n_graphs = 0;
    options.allocator = &allocator;
    nas_status status = nas_context_create(&context, &options);
    if (status < 0) return status;
    ni_random_init(&random, 1, 0, "");
    status = nas_space_preset(&space, context, "quick", NULL, 0);
    if (status >= 0) status = nas_space_sample(space, &random, &arch);
    if (status >= 0) status = nas_space_mutate(space, arch, &random, &child);
    if (status >= 0) status = nas_arch_costs(child, &cost);
    if (status >= 0) status = ni_arch_graphs(child, &graphs, &n_graphs);
    ni_draw_free(context, graphs, n_graphs);
    nas_arch_free(child);
    nas_arch_free(arch);
    nas_space_free(space);
    nas_context_free(context);
    return status;
}

static void every_allocation_fails(void **state) {
    (void)state;
    long long n = 1;
    /* until a life needs fewer; some failures are mended on the spot (a label that is left out) */
    for (bool more = true; more; n++) {
        test_allocator heap = TEST_ALLOCATOR_INIT;
        heap.fail_at = n;
        nas_status status = life(&heap);
        if (status != NAS_OK && status != NAS_E_MEMORY)
            fail_msg("allocation %lld: %s", n, nas_status_name(status));
        if (heap.bytes || heap.wrong_size)
            fail_msg("allocation %lld: %lld bytes left", n, (long long)heap.bytes);
        more = heap.failed > 0;
    }
    assert_true(n > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_files),
        cmocka_unit_test(contradiction),
        cmocka_unit_test(broken_architectures),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
