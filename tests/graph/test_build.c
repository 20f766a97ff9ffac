/* Building: shapes, what is refused and in which words, variables, equal nodes, the public
 * builders, registered operations, costs. */
#include "support.h"

typedef struct {
    nas_context *context;
    ni_vars *vars;
    nas_graph *g;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->context = new_context(1);
    OK(ni_vars_create(&f->vars, f->context));
    OK(ni_graph_create(&f->g, f->context, f->vars, NI_F32, NI_TRAIN));
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ni_graph_free(f->g);
    ni_vars_free(f->vars);
    nas_context_free(f->context);
    free(f);
    return 0;
}

static ni_node image(fixture *f, int64_t n, int64_t h, int64_t w, int64_t c) {
    ni_node x;
    OK(ni_input(f->g, ni_shape4(n, h, w, c), NULL, &x));
    return x;
}

static void expect_shape(fixture *f, ni_node node, int64_t n, int64_t h, int64_t w, int64_t c) {
    nas_shape s;
    OK(nas_graph_shape(f->g, node, &s));
    if (s.n != n || s.h != h || s.w != w || s.c != c)
        fail_msg("shape %dx%dx%dx%d", (int)s.n, (int)s.h, (int)s.w, (int)s.c);
}

static void test_layers(void **state) {
    fixture *f = *state;
    ni_node x = image(f, 8, 33, 32, 3), y, z;
    nas_conv_options conv = NAS_CONV_OPTIONS_INIT;
    uint32_t slot;
    OK(ni_graph_scope(f->g, "stem."));
    conv.filters = 16;
    conv.bias = 1;
    conv.stride_h = conv.stride_w = 2;
    OK(nas_graph_conv(f->g, "conv", x, &conv, &y));
    expect_shape(f, y, 8, 17, 16, 16);
    assert_true(ni_vars_find(f->vars, "stem.conv.weight", &slot));
    const ni_var *w = ni_vars_get(f->vars, slot);
    assert_true(ni_shape_equal(w->shape, ni_shape4(3, 3, 3, 16)));
    assert_true(w->decay && w->layout == NI_FILE_CONV && w->fan_in == 27);
    assert_true(ni_vars_find(f->vars, "stem.conv.bias", &slot));
    assert_false(ni_vars_get(f->vars, slot)->decay);
    OK(nas_graph_batch_norm(f->g, "bn", y, 1, 1, 1e-5, 0.1, &y));
    assert_true(ni_vars_find(f->vars, "stem.bn.running_var", &slot));
    assert_true(ni_vars_get(f->vars, slot)->kind == NI_STATE);
    OK(nas_graph_relu(f->g, y, &y));
    conv.groups = 0;
    conv.filters = 0; /* as the input */
    conv.kernel_h = conv.kernel_w = 5;
    conv.bias = 0;
    OK(nas_graph_conv(f->g, "depthwise", y, &conv, &y));
    expect_shape(f, y, 8, 9, 8, 16);
    OK(nas_graph_max_pool(f->g, y, 3, 2, -1, &z));
    expect_shape(f, z, 8, 5, 4, 16);
    OK(nas_graph_avg_pool(f->g, y, 3, 1, -1, &z));
    expect_shape(f, z, 8, 9, 8, 16);
    const ni_node both[] = {y, z};
    OK(nas_graph_concat(f->g, both, 2, &z));
    expect_shape(f, z, 8, 9, 8, 32);
    OK(nas_graph_add(f->g, both, 2, &y));
    OK(nas_graph_relu6(f->g, y, &y));
    OK(nas_graph_zero(f->g, y, 2, &z));
    expect_shape(f, z, 8, 5, 4, 16);
    OK(nas_graph_global_pool(f->g, y, &y));
    expect_shape(f, y, 8, 1, 1, 16);
    OK(nas_graph_dropout(f->g, y, 0.5, &y));
    OK(nas_graph_linear(f->g, "fc", y, 10, 1, &y));
    expect_shape(f, y, 8, 1, 1, 10);
    assert_int_equal(ni_vars_parameters(f->vars), 27 * 16 + 16 + 32 + 25 * 16 + 160 + 10);
    /* each weight once for each output it makes: stem 17x16, depthwise 9x8, linear */
    assert_int_equal(ni_graph_macs(f->g, y), 17 * 16 * 27 * 16 + 9 * 8 * 25 * 16 + 160);
}

static void test_misfits(void **state) {
    fixture *f = *state;
    ni_node x = image(f, 2, 8, 8, 6), y = image(f, 2, 8, 8, 5), labels, out;
    nas_conv_options conv = NAS_CONV_OPTIONS_INIT;
    const ni_node both[] = {x, y};
    ni_node_label(f->g, y, "cells.1.edge");
    OK(ni_input_labels(f->g, 2, NULL, &labels));
    expect_error(f->context, nas_graph_add(f->g, both, 2, &out), NAS_E_SHAPE,
                 "node 1 (input 'cells.1.edge', 2x8x8x5): the shapes must be equal");
    conv.filters = 4;
    conv.groups = 4;
    expect_error(f->context, nas_graph_conv(f->g, "c", x, &conv, &out), NAS_E_SHAPE,
                 "conv 'c': 4 groups must divide 6 input and 4 output channels");
    conv.groups = 1;
    conv.kernel_h = 0;
    expect_error(f->context, nas_graph_conv(f->g, "c", x, &conv, &out), NAS_E_INVALID,
                 "kernel_h is 0");
    conv.kernel_h = 9;
    conv.pad_h = 0;
    expect_error(f->context, nas_graph_conv(f->g, "c", x, &conv, &out), NAS_E_SHAPE,
                 "no place in the image");
    expect_error(f->context, nas_graph_linear(f->g, "fc", x, 10, 0, &out), NAS_E_SHAPE,
                 "use global_pool first");
    expect_error(f->context, nas_graph_max_pool(f->g, x, 3, 0, 1, &out), NAS_E_INVALID, "stride 0");
    expect_error(f->context, nas_graph_max_pool(f->g, x, 3, 1, INT32_MAX, &out), NAS_E_INVALID,
                 "padding 2147483647");
    expect_error(f->context, nas_graph_relu(f->g, 77, &out), NAS_E_INVALID, "no node 77");
    expect_error(f->context, nas_graph_relu(f->g, labels, &out), NAS_E_SHAPE,
                 "labels go to losses");
    expect_error(f->context, ni_cross_entropy(f->g, x, labels, 0, &out), NAS_E_SHAPE,
                 "logits must be a matrix");
    expect_error(f->context, ni_dropout(f->g, x, 1, false, &out), NAS_E_INVALID, "drops 1");
    expect_error(f->context, ni_graph_gradients(f->g, x, NI_NONE, &x, 1, &out), NAS_E_SHAPE,
                 "a seed of its shape is needed");
    expect_error(f->context, ni_slice(f->g, x, 3, 4, 9, 1, &out), NAS_E_SHAPE, "4 to 9 by 1");
}

static void test_overflow(void **state) {
    fixture *f = *state;
    ni_node x, out;
    expect_error(f->context, ni_input(f->g, ni_shape4(1 << 20, 1 << 12, 1 << 12, 3), NULL, &x),
                 NAS_E_SHAPE, "more than 2^40 elements");
    expect_error(f->context, ni_input(f->g, ni_shape4(1, (int64_t)1 << 40, 1, 1), NULL, &x),
                 NAS_E_SHAPE, "must be 1 to 2147483647");
    expect_error(f->context, ni_input(f->g, ni_shape4(0, 1, 1, 1), NULL, &x), NAS_E_SHAPE,
                 "0x1x1x1");
    x = image(f, 1, 1, 1, 1);
    expect_error(f->context, ni_broadcast(f->g, x, ni_shape4(1 << 30, 1 << 30, 1 << 30, 1), &out),
                 NAS_E_SHAPE, "more than 2^40");
    ni_node wide = image(f, 1, 1, 1, INT32_MAX);
    const ni_node twice[] = {wide, wide};
    expect_error(f->context, ni_concat(f->g, twice, 2, 3, &out), NAS_E_SHAPE, "2147483647");
}

static void test_variables(void **state) {
    fixture *f = *state;
    ni_var var = {"a", {{1, 1, 1, 5}}, NI_PARAMETER, NI_INIT_NORMAL, 2.0, 0, NI_FILE_AS_IS, true,
                  0};
    uint32_t a, b, again;
    OK(ni_vars_add(f->vars, &var, &a));
    var.name = "b";
    var.init = NI_INIT_KAIMING_UNIFORM;
    var.fan_in = 4;
    OK(ni_vars_add(f->vars, &var, &b));
    var.name = "a";
    OK(ni_vars_add(f->vars, &var, &again));
    assert_int_equal(a, again);
    assert_int_equal(ni_vars_get(f->vars, b)->offset, 16);
    var.shape.d[3] = 6;
    expect_error(f->context, ni_vars_add(f->vars, &var, &again), NAS_E_SHAPE,
                 "'a' exists as 1x1x1x5 (parameter) and is wanted as 1x1x1x6");

    float single[32];
    double values[32], other[32];
    assert_int_equal(ni_vars_size(f->vars), 32);
    ni_vars_initialise(f->vars, single, NI_F32, 3);
    ni_vars_initialise(f->vars, values, NI_F64, 3);
    ni_vars_initialise(f->vars, other, NI_F64, 4);
    assert_true(memcmp(values, other, sizeof values) != 0);
    for (int i = 0; i < 32; i++) {
        assert_true(single[i] == (float)values[i]);
        assert_true((values[i] == 0) == (i % 16 >= 5)); /* padding */
        assert_true(i < 16 || fabs(values[i]) <= 0.5);
    }
    /* another variable changes nothing of these */
    var.name = "0";
    OK(ni_vars_add(f->vars, &var, &again));
    double more[48];
    ni_vars_initialise(f->vars, more, NI_F64, 3);
    assert_memory_equal(more, values, sizeof values);
}

static void test_equal_nodes_are_one(void **state) {
    fixture *f = *state;
    ni_node x = image(f, 1, 4, 4, 2), a, b, c;
    OK(ni_relu(f->g, x, INFINITY, &a));
    OK(ni_relu(f->g, x, INFINITY, &b));
    OK(ni_relu(f->g, x, 6, &c));
    assert_int_equal(a, b);
    assert_int_not_equal(a, c);
    /* but two dropouts draw apart */
    OK(ni_dropout(f->g, x, 0.5, false, &a));
    OK(ni_dropout(f->g, x, 0.5, false, &b));
    assert_int_not_equal(a, b);
}

/* ---- registered operations ------------------------------------------------------------------ */

static nas_status build_twice(void *self, nas_graph *graph, const nas_op_site *at,
                              const nas_node *in, uint32_t n, nas_node *out) {
    nas_conv_options conv = NAS_CONV_OPTIONS_INIT;
    (void)n;
    ++*(int *)self;
    conv.filters = at->channels;
    conv.stride_h = conv.stride_w = at->stride;
    return nas_graph_conv(graph, "conv", in[0], &conv, out);
}

static nas_status build_nothing(void *self, nas_graph *graph, const nas_op_site *at,
                                const nas_node *in, uint32_t n, nas_node *out) {
    (void)self, (void)graph, (void)at, (void)in, (void)n, (void)out;
    return NAS_OK;
}

static void count_destroyed(void *self) {
    *(int *)self += 100;
}

static void test_registry(void **state) {
    (void)state;
    nas_context *context = new_context(1);
    ni_vars *vars;
    nas_graph *g;
    nas_op_ops ops = {sizeof ops, 0, NULL, build_twice, count_destroyed};
    nas_op_site site = {0};
    int calls = 0, others = 0;
    ni_node x, y;
    uint32_t slot;
    assert_null(nas_op_name(context, 0));
    OK(nas_op_register(context, "my_conv", &ops, &calls));
    expect_error(context, nas_op_register(context, "my_conv", &ops, &calls), NAS_E_EXISTS,
                 "'my_conv'");
    expect_error(context, nas_op_register(context, "a|b", &ops, &calls), NAS_E_INVALID, "'a|b'");
    ops.build = NULL;
    expect_error(context, nas_op_register(context, "none", &ops, &calls), NAS_E_INVALID,
                 "no build");
    ops.build = build_nothing;
    OK(nas_op_register(context, "nothing", &ops, &others));
    assert_string_equal(nas_op_name(context, 0), "my_conv");
    assert_null(nas_op_name(context, 2));

    OK(ni_vars_create(&vars, context));
    OK(ni_graph_create(&g, context, vars, NI_F32, NI_TRAIN));
    OK(ni_input(g, ni_shape4(2, 8, 8, 3), NULL, &x));
    site.struct_size = sizeof site;
    site.name = "my_conv";
    site.scope = "cells.0.";
    site.stride = 2;
    site.channels = 7;
    OK(ni_op_build(g, &site, &x, 1, &y));
    assert_true(ni_shape_equal(ni_node_shape(g, y), ni_shape4(2, 4, 4, 7)));
    assert_true(ni_vars_find(vars, "cells.0.conv.weight", &slot));
    assert_string_equal(ni_graph_scope_get(g), "");
    site.name = "my_canv";
    expect_error(context, ni_op_build(g, &site, &x, 1, &y), NAS_E_NOT_FOUND,
                 "did you mean 'my_conv'?");
    site.name = "nothing";
    expect_error(context, ni_op_build(g, &site, &x, 1, &y), NAS_E_CALLBACK,
                 "'nothing' built no node");
    ni_graph_free(g);
    ni_vars_free(vars);
    assert_int_equal(calls, 1);
    nas_context_free(context);
    assert_int_equal(calls, 101);
    assert_int_equal(others, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_misfits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overflow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_variables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_nodes_are_one, setup, teardown),
        cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
