/* Drawings: every active edge once and only once, in each form; no label over another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "allocator.h"
#include "xml.h"
#include "report/parts.h"

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

static char *drawn(const nas_arch *arch, int32_t format) {
    nas_sink *sink;
    assert_int_equal(nas_sink_memory(&sink, context), NAS_OK);
    assert_int_equal(nas_arch_draw(arch, format, sink), NAS_OK);
    char *text = strdup(nas_sink_data(sink, NULL));
    nas_sink_free(sink);
    return text;
}

/* How often each operation stands in the architecture's edges. */
static size_t edges_of(const nas_arch *arch, const char *operation) {
    const nas_space *space = nas_arch_space(arch);
    size_t n = 0;
    for (uint32_t d = 0; d < nas_space_decisions(space); d++) {
        nas_decision about = {.struct_size = sizeof about};
        nas_value value;
        assert_int_equal(nas_space_decision(space, d, &about), NAS_OK);
        assert_int_equal(nas_arch_value(arch, d, &value), NAS_OK);
        n += strcmp(about.alternatives[value.integer], operation) == 0;
    }
    return n;
}

static void check_cell(const nas_arch *arch) {
    static const char *const operations[] = {"skip_connect", "nor_conv_1x1", "nor_conv_3x3",
                                             "avg_pool_3x3", "max_pool_3x3", "dws_conv_3x3",
                                             "dws_conv_5x5", "none"};
    char *svg = drawn(arch, NAS_DRAW_SVG), *dot = drawn(arch, NAS_DRAW_DOT),
         *text = drawn(arch, NAS_DRAW_TEXT), wanted[64];
    xml_check x;
    if (!xml_good(&x, svg)) fail_msg("%s: %s", nas_arch_text(arch), x.wrong);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        size_t n = strcmp(operations[i], "none") == 0 ? 0 : edges_of(arch, operations[i]);
        snprintf(wanted, sizeof wanted, "\">%s</text>", operations[i]);
        assert_int_equal(times(svg, wanted), n);
        snprintf(wanted, sizeof wanted, "[label=\"%s\"", operations[i]);
        assert_int_equal(times(dot, wanted), n);
        snprintf(wanted, sizeof wanted, "%s(", operations[i]);
        assert_int_equal(times(text, wanted), n);
    }
    free(svg);
    free(dot);
    free(text);
}

static bool apart(const ni_box *a, const ni_box *b) {
    double x = a->x > b->x ? a->x - b->x : b->x - a->x, y = a->y > b->y ? a->y - b->y : b->y - a->y;
    return x >= (a->width + b->width) / 2 || y >= (a->height + b->height) / 2;
}

/* Boxes do not touch, lines go downwards, all is inside of the picture. */
static void check_layout(const ni_draw_graph *g) {
    ni_layout l;
    assert_int_equal(ni_layout_make(&l, context, g), NAS_OK);
    uint32_t n = g->n_nodes + g->n_edges;
    ni_box *all = malloc(n * sizeof *all);
    memcpy(all, l.nodes, g->n_nodes * sizeof *all);
    if (g->n_edges) memcpy(all + g->n_nodes, l.operations, g->n_edges * sizeof *all);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(all[i].x - all[i].width / 2 >= 0 && all[i].x + all[i].width / 2 <= l.width);
        assert_true(all[i].y - all[i].height / 2 >= 0 && all[i].y + all[i].height / 2 <= l.height);
        for (uint32_t j = 0; j < i; j++)
            assert_true(apart(&all[i], &all[j]));
    }
    for (uint32_t e = 0; e < g->n_edges; e++) {
        assert_true(l.at[e] > l.first[e] && l.at[e] + 1 < l.first[e + 1]);
        for (uint32_t p = l.first[e] + 1; p < l.first[e + 1]; p++)
            assert_true(l.points[2 * p + 1] > l.points[2 * p - 1]);
        /* No line goes through an operation or node that is not its own. */
        for (uint32_t p = l.first[e] + 1; p + 1 < l.first[e + 1]; p++)
            for (uint32_t i = 0; i < n; i++) {
                ni_box dot = {l.points[2 * p], l.points[2 * p + 1], 0, 0};
                if (i != g->n_nodes + e) assert_true(apart(&all[i], &dot));
            }
    }
    free(all);
    ni_layout_free(context, &l);
}

static void random_cells(void **state) {
    static const char *const spaces[] = {"nas-bench-201", "quick"};
    (void)state;
    for (size_t s = 0; s < 2; s++) {
        nas_space *space;
        nas_random *random;
        assert_int_equal(nas_space_preset(&space, context, spaces[s], NULL, 0), NAS_OK);
        assert_int_equal(nas_random_create(&random, context, 5, 0, "cells"), NAS_OK);
        for (int i = 0; i < 100; i++) {
            nas_arch *arch;
            ni_draw_graph *graphs;
            uint32_t n;
            assert_int_equal(nas_space_sample(space, random, &arch), NAS_OK);
            check_cell(arch);
            assert_int_equal(ni_arch_graphs(arch, &graphs, &n), NAS_OK);
            assert_int_equal(n, 1);
            check_layout(graphs);
            ni_draw_free(context, graphs, n);
            nas_arch_free(arch);
        }
        nas_random_free(random);
        nas_space_free(space);
    }
}

/* All 15,625 would be slow; those with the most `none` are the odd ones. */
static void dead_branches(void **state) {
    (void)state;
    static const struct {
        const char *arch;
        size_t dead; /* edges that lead nowhere */
        const char *says;
    } cases[] = {
        {"|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", 0, "0 (nothing comes here)"},
        {"|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|", 1,
         "nor_conv_3x3(1)  (leads nowhere)"},
        {"|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|none~1|none~2|", 2,
         "nor_conv_3x3(input)  (leads nowhere)"},
        {"|none~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|skip_connect~2|", 2,
         "skip_connect(2)  (leads nowhere)"},
        {"|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|", 0,
         "output  = "},
    };
    nas_space *space;
    assert_int_equal(nas_space_preset(&space, context, "nas-bench-201", NULL, 0), NAS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nas_arch *arch;
        ni_draw_graph *graphs;
        uint32_t n;
        assert_int_equal(nas_arch_parse(&arch, space, cases[i].arch), NAS_OK);
        check_cell(arch);
        char *text = drawn(arch, NAS_DRAW_TEXT);
        assert_int_equal(times(text, "leads nowhere"), cases[i].dead);
        assert_non_null(strstr(text, cases[i].says));
        free(text);
        assert_int_equal(ni_arch_graphs(arch, &graphs, &n), NAS_OK);
        check_layout(graphs);
        ni_draw_free(context, graphs, n);
        nas_arch_free(arch);
    }
    nas_space_free(space);
}

/* Graphs that no template makes yet: many nodes, several lines between two nodes, wide labels. */
static void other_graphs(void **state) {
    (void)state;
    nas_random *random;
    assert_int_equal(nas_random_create(&random, context, 7, 0, "graphs"), NAS_OK);
    for (uint32_t round = 0; round < 60; round++) {
        ni_draw_graph g = {.title = "made", .n_outputs = 1};
        g.n_nodes = 2 + (uint32_t)nas_random_below(random, 14);
        g.n_inputs = 1 + (uint32_t)nas_random_below(random, g.n_nodes - 1);
        g.n_edges = (uint32_t)nas_random_below(random, 3 * g.n_nodes);
        g.node_labels = calloc(g.n_nodes, sizeof *g.node_labels);
        g.edges = calloc(g.n_edges + 1, sizeof *g.edges);
        for (uint32_t v = 0; v < g.n_nodes; v++)
            snprintf(g.node_labels[v], sizeof g.node_labels[v], "n%u%s", v,
                     v % 3 ? "" : " <&> long");
        for (uint32_t e = 0; e < g.n_edges; e++) {
            ni_draw_edge *edge = &g.edges[e];
            edge->to = g.n_inputs + (uint32_t)nas_random_below(random, g.n_nodes - g.n_inputs);
            edge->from = (uint32_t)nas_random_below(random, edge->to);
            snprintf(edge->label, sizeof edge->label, "%.*s", 1 + (int)nas_random_below(random, 30),
                     "op\"with<quotes>&a\\rather'long name");
        }
        check_layout(&g);
        ni_text text;
        xml_check x;
        ni_text_init(&text, context);
        assert_int_equal(ni_draw_svg(&text, &g, "<svg> & \"title\""), NAS_OK);
        if (!xml_good(&x, ni_text_get(&text))) fail_msg("%s", x.wrong);
        ni_text_clear(&text);
        assert_int_equal(ni_draw_text(&text, context, &g), NAS_OK);
        assert_int_equal(times(ni_text_get(&text), "("), g.n_edges +
                                                             times(ni_text_get(&text), "(nothing") +
                                                             times(ni_text_get(&text), "(leads"));
        ni_text_free(&text);
        free(g.node_labels);
        free(g.edges);
    }
    nas_random_free(random);
}

static void refusals(void **state) {
    static const char *const ab[] = {"a", "b"};
    (void)state;
    nas_space *space;
    nas_arch *arch;
    nas_sink *sink;
    nas_value value = {0, 0};
    assert_int_equal(nas_sink_memory(&sink, context), NAS_OK);
    assert_int_equal(nas_space_create(&space, context, "letters"), NAS_OK);
    assert_int_equal(nas_space_add_choice(space, "x", ab, 2), NAS_OK);
    assert_int_equal(nas_space_finish(space), NAS_OK);
    assert_int_equal(nas_arch_create(&arch, space, &value, 1), NAS_OK);
    assert_int_equal(nas_arch_draw(arch, NAS_DRAW_SVG, sink), NAS_E_UNSUPPORTED);
    assert_non_null(strstr(nas_context_error(context), "no network template"));
    assert_int_equal(nas_arch_draw(arch, 7, sink), NAS_E_INVALID);
    assert_int_equal(nas_arch_draw(arch, NAS_DRAW_SVG, NULL), NAS_E_INVALID);
    ni_draw_graph back = {.title = "back", .n_nodes = 2, .n_edges = 1};
    back.node_labels = calloc(2, sizeof *back.node_labels);
    back.edges = calloc(1, sizeof *back.edges);
    back.edges->from = 1;
    ni_layout l;
    assert_int_equal(ni_layout_make(&l, context, &back), NAS_E_INTERNAL);
    /* Too large to lay out is a limit, not a long wait. */
    ni_draw_graph large = {.title = "large", .n_nodes = 400, .n_inputs = 1, .n_outputs = 1};
    large.node_labels = calloc(400, sizeof *large.node_labels);
    large.edges = calloc(400 * 399 / 2, sizeof *large.edges);
    for (uint32_t to = 1; to < 400; to++)
        for (uint32_t from = 0; from < to; from++)
            large.edges[large.n_edges++] = (ni_draw_edge){from, to, 0, "op"};
    assert_int_equal(ni_layout_make(&l, context, &large), NAS_E_LIMIT);
    free(large.node_labels);
    free(large.edges);
    free(back.node_labels);
    free(back.edges);
    nas_arch_free(arch);
    nas_space_free(space);
    nas_sink_free(sink);
}

static nas_status draw_all(test_allocator *heap) {
    static const char arch_text[] =
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|";
    nas_allocator table = test_allocator_table(heap);
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    nas_context *own = NULL;
    nas_space *space = NULL;
    nas_arch *arch = NULL;
    nas_sink *sink = NULL;
    options.allocator = &table;
    options.threads = 1;
    nas_status status = nas_context_create(&own, &options);
    if (status >= 0) status = nas_space_preset(&space, own, "nas-bench-201", NULL, 0);
    if (status >= 0) status = nas_arch_parse(&arch, space, arch_text);
    if (status >= 0) status = nas_sink_memory(&sink, own);
    for (int32_t format = NAS_DRAW_SVG; status >= 0 && format <= NAS_DRAW_TEXT; format++)
        status = nas_arch_draw(arch, format, sink);
    nas_sink_free(sink);
    nas_arch_free(arch);
    nas_space_free(space);
    nas_context_free(own);
    return status;
}

static void memory(void **state) {
    (void)state;
    bool ended = false;
    for (long long n = 0; !ended; n++) {
        test_allocator heap = TEST_ALLOCATOR_INIT;
        heap.fail_at = n;
        nas_status status = draw_all(&heap);
        ended = !heap.failed;
        if (status != NAS_OK) assert_int_equal(status, NAS_E_MEMORY);
        if (ended) assert_int_equal(status, NAS_OK);
        assert_int_equal(heap.blocks, 0);
        assert_false(heap.wrong_size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_cells), cmocka_unit_test(dead_branches),
        cmocka_unit_test(other_graphs), cmocka_unit_test(refusals),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, start, end);
}
