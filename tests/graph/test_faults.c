/* What each builder refuses: a status, a sentence that says what and where, and a graph that is as
 * it was. And values: a NaN that goes in comes out of every operation, an index that is none ends
 * the run. */
#include "support.h"
#include "graph/internal.h"

typedef struct {
    nas_context *context;
    ni_vars *vars;
    nas_graph *g;
    /* of an image, of an image of other channels, of rows, of one pixel's images; labels */
    ni_node image, other, rows, tiny, wide, labels;
} fixture;

static void open_fixture(fixture *f) {
    f->context = new_context(1);
    OK(ni_vars_create(&f->vars, f->context));
    OK(ni_graph_create(&f->g, f->context, f->vars, NI_F32, NI_TRAIN));
    OK(ni_input(f->g, ni_shape4(2, 8, 6, 4), NULL, &f->image));
    OK(ni_input(f->g, ni_shape4(2, 8, 6, 5), NULL, &f->other));
    OK(ni_input(f->g, ni_shape4(2, 1, 1, 4), NULL, &f->rows));
    OK(ni_input(f->g, ni_shape4(2, 1, 1, 1), NULL, &f->tiny));
    OK(ni_input(f->g, ni_shape4(1 << 10, 1 << 10, 1 << 10, 1 << 10), NULL, &f->wide));
    OK(ni_input_labels(f->g, 2, NULL, &f->labels));
    ni_node_label(f->g, f->image, "cells.1.edge");
}

static void close_fixture(fixture *f) {
    ni_graph_free(f->g);
    ni_vars_free(f->vars);
    nas_context_free(f->context);
}

/* ---- one node that is none, or labels ----------------------------------------------------------
 */

#define OF_ONE(name, call)                                                                         \
    static nas_status of_##name(nas_graph *g, ni_node x, ni_node *out) {                           \
        return call;                                                                               \
    }
static const nas_conv_options plain = NAS_CONV_OPTIONS_INIT;
OF_ONE(conv, nas_graph_conv(g, "c", x, &plain, out))
OF_ONE(batch_norm, nas_graph_batch_norm(g, "n", x, 1, 1, 1e-5, 0.1, out))
OF_ONE(layer_norm, nas_graph_layer_norm(g, "n", x, 1, 1e-5, out))
OF_ONE(linear, nas_graph_linear(g, "l", x, 3, 1, out))
OF_ONE(relu, nas_graph_relu(g, x, out))
OF_ONE(relu6, nas_graph_relu6(g, x, out))
OF_ONE(tanh, nas_graph_tanh(g, x, out))
OF_ONE(sigmoid, nas_graph_sigmoid(g, x, out))
OF_ONE(hard_sigmoid, nas_graph_hard_sigmoid(g, x, out))
OF_ONE(hard_swish, nas_graph_hard_swish(g, x, out))
OF_ONE(softmax, nas_graph_softmax(g, x, out))
OF_ONE(log_softmax, nas_graph_log_softmax(g, x, out))
OF_ONE(max_pool, nas_graph_max_pool(g, x, 3, 1, -1, out))
OF_ONE(avg_pool, nas_graph_avg_pool(g, x, 3, 1, -1, out))
OF_ONE(global_pool, nas_graph_global_pool(g, x, out))
OF_ONE(add, nas_graph_add(g, (const ni_node[]){x, x}, 2, out))
OF_ONE(mul, nas_graph_mul(g, x, x, out))
OF_ONE(scale, nas_graph_scale(g, x, 2, out))
OF_ONE(concat, nas_graph_concat(g, (const ni_node[]){x, x}, 2, out))
OF_ONE(zero, nas_graph_zero(g, x, 1, out))
OF_ONE(dropout, nas_graph_dropout(g, x, 0.5, out))
OF_ONE(squeeze_excite, nas_graph_squeeze_excite(g, "s", x, 2, 0, out))
OF_ONE(factorized_reduce, nas_graph_factorized_reduce(g, "f", x, 4, 1, 1, 1e-5, 0.1, out))
OF_ONE(resize, nas_graph_resize(g, x, 3, 3, 1, out))
OF_ONE(embedding, nas_graph_embedding(g, "e", x, 3, 3, out))
OF_ONE(mean_squared_error, nas_graph_mean_squared_error(g, x, x, out))
static nas_status of_lstm_cell(nas_graph *g, ni_node x, ni_node *out) {
    ni_node c;
    return nas_graph_lstm_cell(g, "m", x, NI_NONE, NI_NONE, 3, out, &c);
}
static const struct {
    const char *name;
    nas_status (*build)(nas_graph *g, ni_node x, ni_node *out);
    bool rows;        /* takes N,1,1,C */
    bool hides_a_nan; /* zeros */
} ones[] = {
#define ONE(name)                                                                                  \
    { #name, of_##name, false, false }
    ONE(conv),
    ONE(batch_norm),
    ONE(layer_norm),
    {"linear", of_linear, true, false},
    ONE(relu),
    ONE(relu6),
    ONE(tanh),
    ONE(sigmoid),
    ONE(hard_sigmoid),
    ONE(hard_swish),
    ONE(softmax),
    ONE(log_softmax),
    ONE(max_pool),
    ONE(avg_pool),
    ONE(global_pool),
    ONE(add),
    ONE(mul),
    ONE(scale),
    ONE(concat),
    {"zero", of_zero, false, true},
    ONE(dropout),
    ONE(squeeze_excite),
    ONE(factorized_reduce),
    ONE(resize),
    {"embedding", of_embedding, true, false},
    ONE(mean_squared_error),
    {"lstm_cell", of_lstm_cell, true, false},
};

typedef struct {
    uint32_t nodes, vars;
    size_t size;
} measure;
static measure measure_of(const fixture *f) {
    return (measure){ni_graph_nodes(f->g), ni_vars_count(f->vars), ni_vars_size(f->vars)};
}
static void expect_same(const fixture *f, const char *what, measure before) {
    measure after = measure_of(f);
    if (after.nodes != before.nodes || after.vars != before.vars || after.size != before.size)
        fail_msg("%s: a call that failed left %d nodes and %d variables", what,
                 (int)(after.nodes - before.nodes), (int)(after.vars - before.vars));
}

static void test_nodes(void **state) {
    fixture f;
    (void)state;
    open_fixture(&f);
    for (size_t i = 0; i < NI_COUNT(ones); i++) {
        static const ni_node none[] = {NI_NONE, 1000};
        ni_node out = 12345;
        measure before = measure_of(&f);
        for (size_t k = 0; k < NI_COUNT(none); k++) {
            nas_status status = ones[i].build(f.g, none[k], &out);
            if (status != NAS_E_INVALID || !strstr(nas_context_error(f.context), "has no node"))
                fail_msg("%s of no node: %s (%s)", ones[i].name, nas_status_name(status),
                         nas_context_error(f.context));
        }
        nas_status status = ones[i].build(f.g, f.labels, &out);
        if (status != NAS_E_SHAPE || !strstr(nas_context_error(f.context), "labels"))
            fail_msg("%s of labels: %s (%s)", ones[i].name, nas_status_name(status),
                     nas_context_error(f.context));
        expect_same(&f, ones[i].name, before);
        assert_int_equal(out, 12345);
    }
    close_fixture(&f);
}

/* ---- what does not fit -------------------------------------------------------------------------
 */

static void test_misfits(void **state) {
    fixture f;
    ni_node out, c;
    (void)state;
    open_fixture(&f);
#define REFUSED(status, part, call)                                                                \
    do {                                                                                           \
        measure before = measure_of(&f);                                                           \
        expect_error(f.context, call, status, part);                                               \
        expect_same(&f, #call, before);                                                            \
    } while (0)
#define CONV(member, value, node, status, part)                                                    \
    do {                                                                                           \
        nas_conv_options o = NAS_CONV_OPTIONS_INIT;                                                \
        o.member = value;                                                                          \
        REFUSED(status, part, nas_graph_conv(f.g, "c", node, &o, &out));                           \
    } while (0)
    OK(ni_graph_scope(f.g, "cells.7."));
    CONV(filters, -1, f.image, NAS_E_INVALID, "conv 'cells.7.c': filters is -1 and must be 1 to");
    CONV(filters, INT64_MAX, f.image, NAS_E_INVALID, "filters is 9223372036854775807");
    CONV(kernel_h, 0, f.image, NAS_E_INVALID, "kernel_h is 0");
    CONV(kernel_w, -3, f.image, NAS_E_INVALID, "kernel_w is -3");
    CONV(kernel_h, INT32_MAX, f.image, NAS_E_INVALID, "kernel_h is 2147483647");
    CONV(stride_h, 0, f.image, NAS_E_INVALID, "stride_h is 0");
    CONV(stride_w, -1, f.image, NAS_E_INVALID, "stride_w is -1");
    CONV(dilation_h, INT32_MIN, f.image, NAS_E_INVALID, "dilation_h is -2147483648");
    CONV(dilation_w, 0, f.image, NAS_E_INVALID, "dilation_w is 0");
    CONV(pad_h, INT32_MAX, f.image, NAS_E_INVALID, "pad_h is 2147483647");
    CONV(pad_w, -2, f.image, NAS_E_INVALID, "pad_w is -2");
    CONV(pad_h, 1 << 20, f.image, NAS_E_SHAPE, "'cells.1.edge', 2x8x6x4");
    CONV(groups, 3, f.image, NAS_E_SHAPE, "conv 'cells.7.c': 3 groups must divide 4 input");
    CONV(groups, -1, f.image, NAS_E_INVALID, "groups is -1");
    CONV(bias, 7, f.image, NAS_E_INVALID, "bias is 7");
    {
        nas_conv_options o = NAS_CONV_OPTIONS_INIT;
        o.kernel_h = 9;
        o.pad_h = 0;
        REFUSED(NAS_E_SHAPE, "(input 'cells.1.edge', 2x8x6x4) and node",
                nas_graph_conv(f.g, "c", f.image, &o, &out));
        o.kernel_h = 3;
        o.pad_h = -1;
        o.dilation_w = 1024;
        o.pad_w = 0;
        REFUSED(NAS_E_SHAPE, "no place in the image", nas_graph_conv(f.g, "c", f.image, &o, &out));
        o = plain;
        o.kernel_h = o.kernel_w = 1024;
        o.filters = 1 << 20;
        REFUSED(NAS_E_SHAPE, "cells.7.c.weight would be 1024x1024x4x1048576: more than 2^40",
                nas_graph_conv(f.g, "c", f.image, &o, &out));
        o = plain;
        o.filters = 1 << 11;
        REFUSED(NAS_E_SHAPE, "more than 2^40 elements", nas_graph_conv(f.g, "c", f.wide, &o, &out));
        o = plain;
        o.struct_size = 1 << 20;
        REFUSED(NAS_E_INVALID, "nas_conv_options", nas_graph_conv(f.g, "c", f.image, &o, &out));
    }
    REFUSED(NAS_E_INVALID, "epsilon -1",
            nas_graph_batch_norm(f.g, "n", f.image, 1, 1, -1, 0.1, &out));
    REFUSED(NAS_E_INVALID, "momentum 2",
            nas_graph_batch_norm(f.g, "n", f.image, 1, 1, 1e-5, 2, &out));
    REFUSED(NAS_E_INVALID, "epsilon nan",
            nas_graph_batch_norm(f.g, "n", f.image, 1, 1, NAN, 0.1, &out));
    REFUSED(NAS_E_INVALID, "batch norm of node 0 (input 'cells.1.edge'",
            nas_graph_batch_norm(f.g, "n", f.image, 1, 1, NAN, 0.1, &out));
    REFUSED(NAS_E_INVALID, "epsilon is nan", nas_graph_layer_norm(f.g, "n", f.image, 1, NAN, &out));
    REFUSED(NAS_E_INVALID, "epsilon is -1", nas_graph_layer_norm(f.g, "n", f.image, 1, -1, &out));
    REFUSED(NAS_E_SHAPE, "linear 'cells.7.l' of node",
            nas_graph_linear(f.g, "l", f.image, 10, 1, &out));
    REFUSED(NAS_E_INVALID, "features is 0", nas_graph_linear(f.g, "l", f.rows, 0, 1, &out));
    REFUSED(NAS_E_INVALID, "features is -9223372036854775808",
            nas_graph_linear(f.g, "l", f.rows, INT64_MIN, 1, &out));
    {
        ni_node large;
        OK(ni_input(f.g, ni_shape4(1, 1, 1, INT32_MAX), NULL, &large));
        REFUSED(NAS_E_SHAPE, "cells.7.l.weight would be",
                nas_graph_linear(f.g, "l", large, INT32_MAX, 1, &out));
        REFUSED(NAS_E_SHAPE, "2147483647",
                nas_graph_concat(f.g, (const ni_node[]){large, large}, 2, &out));
    }
#define POOLS(kernel, stride, pad, status, part)                                                   \
    REFUSED(status, "max_pool", nas_graph_max_pool(f.g, f.image, kernel, stride, pad, &out));      \
    REFUSED(status, part, nas_graph_max_pool(f.g, f.image, kernel, stride, pad, &out));            \
    REFUSED(status, "avg_pool", nas_graph_avg_pool(f.g, f.image, kernel, stride, pad, &out));      \
    REFUSED(status, part, nas_graph_avg_pool(f.g, f.image, kernel, stride, pad, &out))
    POOLS(0, 1, 0, NAS_E_INVALID, "kernel 0");
    POOLS(-3, 1, 0, NAS_E_INVALID, "kernel -3");
    POOLS(3, 0, 1, NAS_E_INVALID, "stride 0");
    POOLS(3, -1, 1, NAS_E_INVALID, "stride -1");
    POOLS(3, 1, INT32_MIN, NAS_E_INVALID, "padding -2147483648");
    POOLS(INT32_MAX, 1, INT32_MAX, NAS_E_INVALID, "kernel 2147483647");
    POOLS(7, 1, 0, NAS_E_SHAPE, "(input 'cells.1.edge', 2x8x6x4): the window");
    REFUSED(NAS_E_INVALID, "add needs at least one", nas_graph_add(f.g, &f.image, 0, &out));
    REFUSED(NAS_E_SHAPE, "2x8x6x5): the shapes must be equal",
            nas_graph_add(f.g, (const ni_node[]){f.image, f.other}, 2, &out));
    REFUSED(NAS_E_SHAPE, "the shapes must be equal", nas_graph_mul(f.g, f.image, f.other, &out));
    REFUSED(NAS_E_INVALID, "has no node", nas_graph_mul(f.g, f.image, 999, &out));
    REFUSED(NAS_E_INVALID, "concat needs at least one", nas_graph_concat(f.g, &f.image, 0, &out));
    REFUSED(NAS_E_SHAPE, "all dimensions but the one that is joined",
            nas_graph_concat(f.g, (const ni_node[]){f.image, f.rows}, 2, &out));
    REFUSED(NAS_E_INVALID, "factor nan", nas_graph_scale(f.g, f.image, NAN, &out));
    REFUSED(NAS_E_INVALID, "stride 0", nas_graph_zero(f.g, f.image, 0, &out));
    REFUSED(NAS_E_INVALID, "zero of node 0 (input 'cells.1.edge', 2x8x6x4): stride -2147483648",
            nas_graph_zero(f.g, f.image, INT32_MIN, &out));
    REFUSED(NAS_E_INVALID, "drops 1", nas_graph_dropout(f.g, f.image, 1, &out));
    REFUSED(NAS_E_INVALID, "drops nan", nas_graph_dropout(f.g, f.image, NAN, &out));
    REFUSED(NAS_E_INVALID, "drops -0.1", nas_graph_dropout(f.g, f.image, -0.1, &out));
    REFUSED(NAS_E_INVALID, "squeeze_excite 'cells.7.s': hidden is 0",
            nas_graph_squeeze_excite(f.g, "s", f.image, 0, 0, &out));
    REFUSED(NAS_E_INVALID, "hidden is -4",
            nas_graph_squeeze_excite(f.g, "s", f.image, -4, 1, &out));
    REFUSED(NAS_E_SHAPE, "reduction 'cells.7.f.conv_1', 'f.conv_2': filters is 1 and must be 2",
            nas_graph_factorized_reduce(f.g, "f", f.image, 1, 1, 1, 1e-5, 0.1, &out));
    REFUSED(NAS_E_SHAPE, "filters is -16",
            nas_graph_factorized_reduce(f.g, "f", f.image, -16, 1, 1, 1e-5, 0.1, &out));
    REFUSED(NAS_E_INVALID, "epsilon -1",
            nas_graph_factorized_reduce(f.g, "f", f.image, 4, 1, 1, -1, 0.1, &out));
    REFUSED(NAS_E_INVALID, "0x4 must each", nas_graph_resize(f.g, f.image, 0, 4, 1, &out));
    REFUSED(NAS_E_INVALID, "4x-1", nas_graph_resize(f.g, f.image, 4, -1, 0, &out));
    REFUSED(NAS_E_INVALID, "must each be 1 to",
            nas_graph_resize(f.g, f.image, INT64_MAX, 4, 1, &out));
    REFUSED(NAS_E_SHAPE, "resize of node 0 (input 'cells.1.edge', 2x8x6x4) would be",
            nas_graph_resize(f.g, f.image, INT32_MAX, INT32_MAX, 1, &out));
    REFUSED(NAS_E_SHAPE, "indices must have one channel",
            nas_graph_embedding(f.g, "e", f.image, 3, 3, &out));
    REFUSED(NAS_E_INVALID, "embedding 'cells.7.e': 0 entries",
            nas_graph_embedding(f.g, "e", f.tiny, 0, 3, &out));
    REFUSED(NAS_E_INVALID, "to 16777216, -1 features",
            nas_graph_embedding(f.g, "e", f.tiny, 3, -1, &out));
    REFUSED(NAS_E_SHAPE, "cells.7.e.weight would be",
            nas_graph_embedding(f.g, "e", f.tiny, 1 << 24, INT32_MAX, &out));
    REFUSED(NAS_E_SHAPE, "use global_pool first",
            nas_graph_lstm_cell(f.g, "m", f.image, NI_NONE, NI_NONE, 3, &out, &c));
    REFUSED(NAS_E_SHAPE, "h must be a node of 2x1x1x3",
            nas_graph_lstm_cell(f.g, "m", f.rows, f.rows, NI_NONE, 3, &out, &c));
    REFUSED(NAS_E_SHAPE, "c must be a node of 2x1x1x3",
            nas_graph_lstm_cell(f.g, "m", f.rows, NI_NONE, 999, 3, &out, &c));
    REFUSED(NAS_E_INVALID, "units is 0",
            nas_graph_lstm_cell(f.g, "m", f.rows, NI_NONE, NI_NONE, 0, &out, &c));
    REFUSED(NAS_E_INVALID, "units is 9223372036854775807",
            nas_graph_lstm_cell(f.g, "m", f.rows, NI_NONE, NI_NONE, INT64_MAX, &out, &c));
    REFUSED(NAS_E_SHAPE, "would be",
            nas_graph_lstm_cell(f.g, "m", f.rows, NI_NONE, NI_NONE, 1 << 28, &out, &c));
    REFUSED(NAS_E_SHAPE, "the shapes must be equal",
            nas_graph_mean_squared_error(f.g, f.image, f.other, &out));
    /* a batch of zero images, and other shapes that are none */
    static const int64_t none[] = {0, -1, INT64_MIN, (int64_t)INT32_MAX + 1, INT64_MAX};
    for (size_t i = 0; i < NI_COUNT(none); i++)
        for (int d = 0; d < 4; d++) {
            ni_shape shape = ni_shape4(2, 2, 2, 2);
            shape.d[d] = none[i];
            REFUSED(NAS_E_SHAPE, "input would be", ni_input(f.g, shape, NULL, &out));
        }
    REFUSED(NAS_E_SHAPE, "labels would be 0x1x1x1", ni_input_labels(f.g, 0, NULL, &out));
    /* what was refused leaves its name to others */
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    OK(nas_graph_conv(f.g, "c", f.image, &o, &out));
    o.filters = 9;
    REFUSED(NAS_E_SHAPE, "variable 'cells.7.c.weight' exists as 3x3x4x4",
            nas_graph_conv(f.g, "c", f.image, &o, &out));
    close_fixture(&f);
}

/* ---- sizes that no machine has -----------------------------------------------------------------
 */

/* The plan of a convolution whose multiply-accumulates cannot be counted in 64 bits. */
static void test_uncountable(void **state) {
    const ni_plan_options plan = {.plan_only = 1, .isa = NAS_ISA_BEST};
    ni_plan_options real = plan;
    fixture f;
    ni_node x, y, dx;
    ni_program *program;
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    (void)state;
    open_fixture(&f);
    OK(ni_input(f.g, ni_shape4(1, 1 << 15, 1 << 15, 1 << 10), NULL, &x));
    o.kernel_h = o.kernel_w = 1023;
    o.filters = 1 << 10;
    OK(nas_graph_conv(f.g, "c", x, &o, &y));
    assert_true(ni_graph_macs(f.g, y) > 0);
    ni_node seed = x;
    OK(ni_graph_gradients(f.g, y, seed, &x, 1, &dx));
    const ni_output outputs[] = {{y, NI_NONE}, {dx, NI_NONE}};
    OK(ni_program_create(&program, f.g, outputs, 2, &plan));
    ni_program_free(program);
    real.plan_only = 0;
    real.memory_limit = (size_t)1 << 32;
    expect_error(f.context, ni_program_create(&program, f.g, outputs, 2, &real), NAS_E_LIMIT,
                 "the limit is 4294967296");
    close_fixture(&f);
}

/* ---- values ------------------------------------------------------------------------------------
 */

static void test_nan(void **state) {
    (void)state;
    for (int fusion = 0; fusion < 2; fusion++)
        for (int32_t isa = 0; isa < 2; isa++)
            for (size_t i = 0; i < NI_COUNT(ones); i++) {
                enum { MOST = 2 * 8 * 6 * 8 };
                const ni_plan_options plan = {.no_fusion = (uint32_t)fusion,
                                              .isa = isa ? NAS_ISA_GENERIC : NAS_ISA_BEST};
                float in[MOST], out[MOST], values[4096], *gradient = calloc(MOST, sizeof(float));
                fixture f;
                ni_node x, y, sum, dx;
                ni_program *program;
                open_fixture(&f);
                bool embedding = strcmp(ones[i].name, "embedding") == 0;
                x = ones[i].rows ? embedding ? f.tiny : f.rows : f.image;
                OK(ones[i].build(f.g, x, &y));
                OK(ni_unary(f.g, y, NI_SQUARE, &sum));
                OK(ni_sum_all(f.g, sum, &sum));
                OK(ni_graph_gradients(f.g, sum, NI_NONE, &x, 1, &dx));
                const ni_output outputs[] = {{y, NI_NONE}, {dx, NI_NONE}};
                OK(ni_program_create(&program, f.g, outputs, 2, &plan));
                assert_true(ni_vars_size(f.vars) <= NI_COUNT(values));
                ni_vars_initialise(f.vars, values, NI_F32, 1);
                int64_t n = ni_shape_count(ni_node_shape(f.g, x)), count = 0, bad = 0;
                for (int64_t k = 0; k < n; k++)
                    in[k] = embedding ? (float)(k % 3) : (float)(k % 7) * 0.3f - 1;
                const void *inputs[] = {in, in, in, in, in, in};
                void *results[] = {out, gradient};
                const ni_run run = {.inputs = inputs, .values = values, .outputs = results};
                OK(ni_program_run(program, &run));
                count = ni_shape_count(ni_node_shape(f.g, y));
                for (int64_t k = 0; k < count; k++)
                    if (!isfinite(out[k])) fail_msg("%s of numbers is none", ones[i].name);
                in[n / 2] = NAN;
                if (embedding) {
                    expect_error(f.context, ni_program_run(program, &run), NAS_E_INVALID,
                                 "(embedding 'e', 2x1x1x3): index 1 is nan and must be a whole "
                                 "number of 0 to 2");
                    in[n / 2] = 3;
                    expect_error(f.context, ni_program_run(program, &run), NAS_E_INVALID,
                                 "index 1 is 3 ");
                    in[n / 2] = 0.5f;
                    expect_error(f.context, ni_program_run(program, &run), NAS_E_INVALID,
                                 "index 1 is 0.5 ");
                    in[n / 2] = -1;
                    expect_error(f.context, ni_program_run(program, &run), NAS_E_INVALID,
                                 "index 1 is -1 ");
                    in[n / 2] = 2;
                    OK(ni_program_run(program, &run));
                } else {
                    OK(ni_program_run(program, &run));
                    for (int64_t k = 0; k < count; k++)
                        bad += isnan(out[k]);
                    if ((bad > 0) == ones[i].hides_a_nan)
                        fail_msg("%s of a NaN: %d of its numbers are", ones[i].name, (int)bad);
                }
                ni_program_free(program);
                close_fixture(&f);
                free(gradient);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_misfits),
        cmocka_unit_test(test_uncountable),
        cmocka_unit_test(test_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
