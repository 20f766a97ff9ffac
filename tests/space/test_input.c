/* Broken space files and texts: one sentence with its place, a status, nothing else. And every
 * allocation of a small life of a space fails in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include "allocator.h"
#include "space/space.h"

#define NET   "network: {image: {height: 8, width: 8, channels: 3, classes: 4}}\n"
#define IMAGE "image: {height: 8, width: 8, channels: 3, classes: 4}"
#define CELL  "cell: {nodes: 3, operations: [none, nor_conv_3x3]}\n"

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
    /* contradictions, unknown names and wrong sizes in each kind of network: where, what, which one
     */
    {"space: a\n" NET CELL "constraints:\n  - params <= 1e4\n  - macs > 3\n  - params >= 2e4\n",
     NAS_E_INFEASIBLE, "f:7:5: 'params >= 2e4' contradicts the constraints before it"},
    {"space: a\n" NET CELL "constraints: ['params > 5 and params < 6']\n", NAS_E_INFEASIBLE,
     "f:4:15: "},
    {"space: a\n" NET CELL "constraints: [edges <= 9]\n", NAS_E_NOT_FOUND,
     "f:4:15: constraint 'edges <= 9', character 1: 'edges' is not a decision"},
    {"space: a\n" NET "layers: {}\n", NAS_E_SYNTAX, "'cell' is missing"},
    {"space: a\n" NET CELL "layers: {}\n", NAS_E_SYNTAX, "f:4:9: template 'cells' takes 'cell'"},
    {"space: a\nnetwork: {template: celsl}\ncell: {}\n", NAS_E_INVALID,
     "f:2:21: template must be cells, blocks, matrix, stages, skips, chain or mlp; did you mean "
     "'cells'?"},
    {"space: a\nnetwork: {template: blocks, " IMAGE "}\ncell: {operations: [sep_conv_3x3, "
     "sepconv_5x5]}\n",
     NAS_E_NOT_FOUND,
     "f:3:35: operation 'sepconv_5x5' is not registered; did you mean 'sep_conv_5x5'?"},
    {"space: a\nnetwork: {template: blocks, " IMAGE "}\ncell: {operations: [sep_conv_3x3, "
     "sep_conv_3x3]}\n",
     NAS_E_EXISTS, "f:3:35: the operation 'sep_conv_3x3' stands here twice"},
    {"space: a\nnetwork: {template: blocks, " IMAGE "}\ncell: {operations: [sep_conv_3x3], block: "
     "3}\n",
     NAS_E_SYNTAX, "f:3:36: cell has no key 'block'; did you mean 'blocks'?"},
    {"space: a\nnetwork: {template: blocks, " IMAGE "}\ncell: {operations: [sep_conv_3x3], blocks: "
     "{least: 4, most: 3}}\n",
     NAS_E_INVALID, "f:3:61: most must be a whole number from 4 to 12"},
    {"space: a\nnetwork: {template: blocks, cells: 8, image: {height: 3, width: 3, channels: 3, "
     "classes: 4}, auxiliary: 1}\ncell: {operations: [sep_conv_3x3]}\n",
     NAS_E_SHAPE, "f:2:10: the auxiliary head needs a square of 6 or more"},
    {"space: a\nnetwork: {template: matrix, " IMAGE "}\ncell: {vertices: 9, operations: "
     "[maxpool3x3]}\n",
     NAS_E_INVALID, "f:3:18: vertices must be a whole number from 3 to 8"},
    {"space: a\nnetwork: {template: stages, " IMAGE "}\nlayers: {operations: [identity], stages: "
     "[{layers: 2}]}\n",
     NAS_E_SYNTAX, "f:3:43: a stage needs 'channels'"},
    {"space: a\nnetwork: {template: stages, " IMAGE "}\nlayers: {operations: [identity], text: "
     "digits, stages: [{channels: [4, 8]}]}\n",
     NAS_E_INVALID, "f:3:57: a text of digits leaves no place"},
    {"space: a\nnetwork: {template: skips, " IMAGE "}\nlayers: {layers: 99, operations: "
     "[identity]}\n",
     NAS_E_INVALID, "f:3:18: layers must be a whole number from 1 to 48"},
    {"space: a\nnetwork: {template: chain, " IMAGE "}\nlayers: {heights: [1, 2], widths: [1], "
     "filters: [4]}\n",
     NAS_E_INVALID, "f:3:19: filters must have odd heights"},
    {"space: a\nnetwork: {template: mlp, " IMAGE "}\nlayers: {units: [4], activations: [rleu]}\n",
     NAS_E_NOT_FOUND, "f:3:36: there is no activation 'rleu'; did you mean 'relu'?"},
    {"space: a\nnetwork: {template: mlp, " IMAGE "}\nlayers: {units: [4, 4]}\n", NAS_E_EXISTS,
     "f:3:21: units: 4 stands here twice"},
    {"space: a\nnetwork: {template: mlp, " IMAGE "}\nlayers: {units: [4]}\ndecisions: [{name: "
     "1.units, choice: [a]}]\n",
     NAS_E_EXISTS, "f:4:20: space 'a' has a decision '1.units' already"},
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

/* More than a space may hold: said where the list goes too far. */
static void too_many(void **state) {
    (void)state;
    nas_context *context;
    nas_space *space = NULL;
    uint64_t n;
    static char text[1 << 18], digits[1 << 16];
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    for (int most = 4096; most <= 4097; most++) {
        size_t at = (size_t)snprintf(text, sizeof text, "space: a\ndecisions:\n");
        for (int i = 0; i < most; i++)
            at += (size_t)snprintf(text + at, sizeof text - at,
                                   "  - {name: x%d, integer: [1, 4294967295]}\n", i);
        nas_status status = nas_space_parse(&space, context, text, at, "f", NULL, 0);
        if (most == 4097) {
            assert_int_equal(status, NAS_E_LIMIT);
            assert_string_equal(nas_context_error(context),
                                "f:4099:12: a space may have 4096 decisions");
            break;
        }
        /* as large as they get: 39,457 digits, exactly; but no number of 64 bits */
        assert_int_equal(status, NAS_OK);
        assert_int_equal(nas_space_count(space, &n, digits, sizeof digits), NAS_E_LIMIT);
        assert_true(n == UINT64_MAX);
        assert_int_equal(strlen(digits), 39457);
        assert_non_null(strstr(nas_context_error(context),
                               "f:3:3: space 'a' has 2^64-1 architectures or more"));
        nas_space_free(space);
    }
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

#define DARTS "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
static const struct {
    const char *space, *text, *says;
} texts[] = {
    {"nas-bench-201", "", "not given"},
    {"nas-bench-201", "|none~0|", "'+'"},
    {"nas-bench-201", "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x33~2|",
     "did you mean 'nor_conv_3x3'?"},
    {"nas-bench-201", "|none~0|+|none~1|none~1|+|none~0|none~1|none~2|", "must be written none~0|"},
    {"nas-bench-201", "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|x", "stands after the cell"},
    {"nas-bench-201", "1<-0=none 1<-0=none", "given twice"},
    {"nas-bench-201", "9<-0=none", "no decision '9<-0'"},
    {"darts", "DARTS_V2 DARTS_V2", "'DARTS_V2' is not 'decision=value'"},
    {"darts", DARTS "('sep_conv_3x3', 0)], normal_concat=[2]", "normal has 3 edges"},
    {"darts", DARTS "('sep_conv_3x3', 4)]",
     "character 77 must be a state before the block, a number "
     "from 0 to 2"},
    {"darts", DARTS "('sepconv_3x3', 1)]",
     "character 61: 'sepconv_3x3' is not an operation of space 'darts'; did you mean "
     "'sep_conv_3x3'?"},
    {"darts",
     DARTS "('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
           "('sep_conv_3x3', 1), ('sep_conv_3x3', 0)], normal_concat=range(2, 6)",
     "both edges of block 1 come from state 0"},
    {"darts",
     DARTS "('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
           "('sep_conv_3x3', 1), ('sep_conv_3x3', 0)], normal_concat=range(2, 5)",
     "normal_concat must name the 4 states that this space joins"},
    {"darts", "Genotype(", "character 10 must be 'normal': the text ends"},
    {"nasnet", "DARTS_V2", "DARTS_V2: architecture: character"},
    {"nasnet", "NASNet-B", "did you mean 'NASNet-A'?"},
    {"enas-micro", "0 2 0 0 0 4", "the text ends"},
    {"enas-micro", "0 2 0 9", "must be an operation, a number from 0 to 4"},
    {"enas-macro", "0 1 1 2 7", "a skip of layer 3 must be a number from 0 to 1"},
    {"enas-macro", "9", "the operation of layer 1 must be a number from 0 to 5"},
    {"nas-bench-macro", "0121", "4 digits are given, and 8 are needed"},
    {"nas-bench-macro", "012100000", "character 9"},
    {"nas-bench-macro", "01230000", "character 4 must be a digit from 0 to 2"},
    {"nas-bench-101", "[[0,1],[0]],['input','output']", "the matrix must be square"},
    {"nas-bench-101", "[[0,1],[1,0]],['input','output']",
     "an edge from vertex 1 to 0 goes backwards"},
    {"nas-bench-101", "[[0,1,0],[0,0,1],[0,0,0]],['input','conv3x3','output']",
     "did you mean 'conv3x3-bn-relu'?"},
    {"nas-bench-101", "[[0,1,0],[0,0,1],[0,0,0]],['input','maxpool3x3']", "must be ','"},
    {"proxyless", "1.1=mbconv_3x3_e4", "did you mean 'mbconv_3x3_e3'?"},
    {"proxyless", "1.1=skip_connect", "'1.1' cannot be 'skip_connect'"},
    {"mlp", "1.units=16 1.activation=relu 2.exists=no 2.units=16",
     "'2.units' is given, but its condition is not met"},
    {"mlp", "1.units=16 1.activation=relu 2.exists=yes", "'2.units' is not given"},
};

static void broken_architectures(void **state) {
    (void)state;
    nas_context *context;
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    for (size_t i = 0; i < NI_COUNT(texts); i++) {
        nas_space *space;
        nas_arch *arch = NULL;
        assert_int_equal(nas_space_preset(&space, context, texts[i].space, NULL, 0), NAS_OK);
        nas_status status = nas_arch_parse(&arch, space, texts[i].text);
        if (status != NAS_E_SYNTAX || !strstr(nas_context_error(context), texts[i].says))
            fail_msg("\"%s\": %d, \"%s\"", texts[i].text, (int)status, nas_context_error(context));
        assert_null(arch);
        nas_space_free(space);
    }
    nas_context_free(context);
}

/* ---- every allocation fails in turn
 * ----------------------------------------------------------------- */

/* Small spaces of every kind, with bounds that few architectures are inside of. */
static const char *const lives[] = {
    NULL, /* the preset "quick" */
    "space: a\nnetwork: {template: blocks, cells: 3, channels: 4, " IMAGE
    "}\ncell: {kinds: 1, blocks: "
    "{least: 1, most: 2}, output: unused, join: choice, operations: [skip_connect, "
    "sep_conv_3x3]}\nconstraints: ['params <= 3000']\n",
    "space: a\nnetwork: {template: matrix, channels: 8, modules: 1, stages: 1, " IMAGE
    "}\ncell: {vertices: 3, operations: [maxpool3x3, conv1x1-bn-relu]}\nconstraints: [connected]\n",
    "space: a\nnetwork: {template: stages, fixed: [{operation: identity, channels: 4}], " IMAGE
    "}\nlayers: {operations: [identity, mbconv_3x3_e1], stages: [{channels: [4, 8], layers: 3}]}\n"
    "constraints: ['params <= 1500']\n",
    "space: a\nnetwork: {template: skips, channels: 4, " IMAGE
    "}\nlayers: {layers: 3, operations: [conv1x1-bn-relu]}\nconstraints: ['params <= 1e9']\n",
    "space: a\nnetwork: {template: chain, " IMAGE
    "}\nlayers: {layers: 2, heights: [1], widths: [1, 3], filters: [4], strides: [1, 2]}\n",
    "space: a\nnetwork: {template: mlp, " IMAGE
    "}\nlayers: {least: 0, most: 2, units: [4, 8]}\nconstraints: ['macs <= 900']\n",
};

static nas_status life(test_allocator *heap, const char *text) {
    nas_allocator allocator = test_allocator_table(heap);
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    nas_context *context = NULL;
    nas_space *space = NULL;
    nas_arch *arch = NULL, *child = NULL, *crossed = NULL, *again = NULL;
    double numbers[64];
    size_t n_numbers;
    nas_arch_cost cost = {.struct_size = sizeof cost};
    nas_random random;
    ni_draw_graph *graphs = NULL;
    uint32_t n_graphs = 0;
    options.allocator = &allocator;
    nas_status status = nas_context_create(&context, &options);
    if (status < 0) return status;
    ni_random_init(&random, 1, 0, "");
    if (text)
        status = nas_space_parse(&space, context, text, strlen(text), "f", NULL, 0);
    else
        status = nas_space_preset(&space, context, "quick", NULL, 0);
    if (status >= 0) status = nas_space_sample(space, &random, &arch);
    if (status >= 0) status = nas_space_mutate(space, arch, &random, &child);
    if (status >= 0) status = nas_arch_costs(child, &cost);
    if (status >= 0) status = ni_arch_graphs(child, &graphs, &n_graphs);
    if (status >= 0) status = nas_space_crossover(space, arch, child, &random, &crossed);
    if (status >= 0) status = nas_arch_parse(&again, space, nas_arch_text(crossed));
    if (status >= 0)
        status =
            nas_arch_encode(again, NAS_ENCODE_ADJACENCY, numbers, NI_COUNT(numbers), &n_numbers);
    ni_draw_free(context, graphs, n_graphs);
    nas_arch_free(child);
    nas_arch_free(arch);
    nas_arch_free(crossed);
    nas_arch_free(again);
    nas_space_free(space);
    nas_context_free(context);
    return status;
}

static void every_allocation_fails(void **state) {
    (void)state;
    for (size_t i = 0; i < NI_COUNT(lives); i++) {
        long long n = 1;
        /* until a life needs fewer; some failures are mended on the spot (a label that is left out)
         */
        for (bool more = true; more; n++) {
            test_allocator heap = TEST_ALLOCATOR_INIT;
            heap.fail_at = n;
            nas_status status = life(&heap, lives[i]);
            if (status != NAS_OK && status != NAS_E_MEMORY)
                fail_msg("life %zu, allocation %lld: %s", i, n, nas_status_name(status));
            if (heap.bytes || heap.wrong_size)
                fail_msg("life %zu, allocation %lld: %lld bytes left", i, n, (long long)heap.bytes);
            more = heap.failed > 0;
            if (!more) assert_int_equal(status, NAS_OK);
        }
        assert_true(n > 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_files),           cmocka_unit_test(too_many),
        cmocka_unit_test(contradiction),          cmocka_unit_test(broken_architectures),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
