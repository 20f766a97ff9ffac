/* Operations against PyTorch's numbers (golden/ops.bin, made by golden/make_ops.py): the result,
 * the gradients, and the gradients of the gradients' products with fixed directions; in float64,
 * and in float32 on this machine's kernels and on the generic ones. */
#include "support.h"
#include "graph/internal.h"

enum { MOST = 6 };

/* ---- inputs, as the script makes them ------------------------------------------------------- */

static uint64_t mix(uint64_t z) {
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static double *numbers(const char *name, const char *which, int64_t n, double low, double high) {
    uint64_t key = 0xCBF29CE484222325u;
    double *out = calloc((size_t)n, sizeof *out);
    for (int part = 0; part < 3; part++)
        for (const char *c = part == 0 ? name : part == 1 ? "/" : which; *c; c++)
            key = (key ^ (unsigned char)*c) * 0x100000001B3u;
    for (int64_t i = 0; i < n; i++)
        out[i] = (double)(mix(key + (uint64_t)i * 0x9E3779B97F4A7C15u) >> 11) / 9007199254740992.0 *
                     (high - low) +
                 low;
    return out;
}

/* ---- the file ------------------------------------------------------------------------------- */

static unsigned char *golden;
static size_t golden_size;

static const char *golden_path;

static const unsigned char *find(const char *name, const char *part, uint32_t *n) {
    char wanted[96];
    snprintf(wanted, sizeof wanted, "%s/%s", name, part);
    for (size_t at = 0; at + 8 <= golden_size;) {
        uint32_t length, count;
        memcpy(&length, golden + at, 4);
        memcpy(&count, golden + at + 4 + length, 4);
        const unsigned char *values = golden + at + 8 + length;
        if (length == strlen(wanted) && memcmp(golden + at + 4, wanted, length) == 0) {
            *n = count;
            return values;
        }
        at += 8 + length + 8 * (size_t)count;
    }
    fail_msg("%s has no %s", golden_path, wanted);
    return NULL;
}

static void expect(const char *name, const char *part, const void *got, uint32_t dtype, int64_t n) {
    uint32_t count;
    const unsigned char *values = find(name, part, &count);
    double scale = 1, worst = 0;
    assert_int_equal(count, n);
    for (uint32_t i = 0; i < count; i++) {
        double wanted,
            value = dtype == NI_F64 ? ((const double *)got)[i] : (double)((const float *)got)[i];
        memcpy(&wanted, values + 8 * (size_t)i, 8);
        if (fabs(wanted) > scale) scale = fabs(wanted);
        if (!(fabs(value - wanted) <= worst)) worst = fabs(value - wanted);
    }
    if (!(worst <= scale * (dtype == NI_F64 ? 1e-10 : 1e-5)))
        fail_msg("%s/%s: off by %g, values up to %g", name, part, worst, scale);
}

/* ---- the cases ------------------------------------------------------------------------------ */

typedef nas_status (*builder)(nas_graph *g, const ni_node *x, ni_node labels, ni_node *out);
#define BUILD(name)                                                                                \
    static nas_status name(nas_graph *g, const ni_node *x, ni_node labels, ni_node *out)

static nas_status conv(nas_graph *g, const ni_node *x, int32_t stride, int32_t pad,
                       int32_t dilation, int32_t groups, ni_node *out) {
    ni_conv c = {0};
    c.sh = c.sw = stride;
    c.ph = c.pw = pad;
    c.dh = c.dw = dilation;
    c.groups = groups;
    return ni_conv2d(g, x[0], x[1], &c, out);
}
BUILD(conv_same) {
    (void)labels;
    return conv(g, x, 1, 1, 1, 1, out);
}
BUILD(conv_stride) {
    (void)labels;
    return conv(g, x, 2, 1, 1, 1, out);
}
BUILD(conv_dilated) {
    (void)labels;
    return conv(g, x, 1, 2, 2, 1, out);
}
BUILD(conv_groups) {
    (void)labels;
    return conv(g, x, 1, 1, 1, 2, out);
}
BUILD(conv_depthwise) {
    (void)labels;
    return conv(g, x, 2, 2, 1, 3, out);
}
BUILD(conv_asymmetric) {
    ni_conv c = {0};
    (void)labels;
    c.sh = 2;
    c.sw = 1;
    c.pw = 2;
    c.dh = 1;
    c.dw = 2;
    c.groups = 1;
    return ni_conv2d(g, x[0], x[1], &c, out);
}
BUILD(conv_bias_1x1) {
    (void)labels;
    NI_TRY(conv(g, x, 1, 0, 1, 1, out));
    return ni_add_channel(g, *out, x[2], out);
}
BUILD(linear) {
    (void)labels;
    NI_TRY(ni_matmul(g, x[0], x[1], false, false, out));
    return ni_add_channel(g, *out, x[2], out);
}
BUILD(relu) {
    (void)labels;
    NI_TRY(nas_graph_relu(g, x[0], out));
    return ni_unary(g, *out, NI_SQUARE, out);
}
BUILD(relu6) {
    (void)labels;
    NI_TRY(nas_graph_relu6(g, x[0], out));
    return ni_unary(g, *out, NI_SQUARE, out);
}
BUILD(max_pool) {
    (void)labels;
    return nas_graph_max_pool(g, x[0], 3, 1, -1, out);
}
BUILD(max_pool_stride) {
    (void)labels;
    return nas_graph_max_pool(g, x[0], 3, 2, -1, out);
}
BUILD(avg_pool) {
    (void)labels;
    return nas_graph_avg_pool(g, x[0], 3, 1, -1, out);
}
BUILD(avg_pool_stride) {
    (void)labels;
    return nas_graph_avg_pool(g, x[0], 3, 2, -1, out);
}
BUILD(avg_pool_2x2) {
    (void)labels;
    return nas_graph_avg_pool(g, x[0], 2, 2, 0, out);
}
BUILD(global_pool) {
    (void)labels;
    return nas_graph_global_pool(g, x[0], out);
}
BUILD(concat) {
    ni_node part;
    (void)labels;
    NI_TRY(ni_slice(g, x[1], 3, 0, 2, 1, &part));
    NI_TRY(ni_mul(g, x[0], part, &part));
    const ni_node both[] = {part, x[1]};
    return nas_graph_concat(g, both, 2, out);
}
BUILD(add) {
    ni_node sum, square;
    (void)labels;
    NI_TRY(nas_graph_add(g, x, 3, &sum));
    NI_TRY(ni_unary(g, sum, NI_SQUARE, &square));
    return nas_graph_mul(g, sum, square, out);
}
BUILD(sigmoid) {
    (void)labels;
    return nas_graph_sigmoid(g, x[0], out);
}
BUILD(softmax) {
    (void)labels;
    return ni_softmax(g, x[0], out);
}
BUILD(log_softmax) {
    (void)labels;
    return ni_log_softmax(g, x[0], out);
}
BUILD(cross_entropy) {
    return ni_cross_entropy(g, x[0], labels, 0, out);
}
BUILD(cross_entropy_1) {
    return ni_cross_entropy(g, x[0], labels, 0.1, out);
}
BUILD(cross_entropy_2) {
    return ni_cross_entropy(g, x[0], labels, 0.2, out);
}
BUILD(small_net) {
    ni_node y;
    NI_TRY(conv(g, x, 1, 1, 1, 1, &y));
    NI_TRY(ni_batch_norm(g, y, x[2], x[3], NI_NONE, NI_NONE, 1e-5, 0.1, &y));
    NI_TRY(nas_graph_relu(g, y, &y));
    NI_TRY(nas_graph_max_pool(g, y, 3, 2, 1, &y));
    NI_TRY(nas_graph_global_pool(g, y, &y));
    NI_TRY(ni_matmul(g, y, x[4], false, false, &y));
    NI_TRY(ni_add_channel(g, y, x[5], &y));
    return ni_cross_entropy(g, y, labels, 0.1, out);
}

typedef struct {
    const char *name;
    ni_shape shapes[MOST];
    builder build;
    double low, high;
    int32_t labels[4];
} golden_case;

#define S(a, b, c, d)                                                                              \
    {                                                                                              \
        { a, b, c, d }                                                                             \
    }
#define X S(2, 5, 6, 3)
#define LABELS                                                                                     \
    { 3, 0, 4, 1 }
static const golden_case cases[] = {
    {"conv_3x3", {X, S(3, 3, 3, 4)}, conv_same, -1, 1, LABELS},
    {"conv_3x3_stride_2", {X, S(3, 3, 3, 4)}, conv_stride, -1, 1, LABELS},
    {"conv_3x3_dilated", {X, S(3, 3, 3, 2)}, conv_dilated, -1, 1, LABELS},
    {"conv_groups", {S(2, 4, 5, 4), S(3, 3, 2, 6)}, conv_groups, -1, 1, LABELS},
    {"conv_depthwise_5x5_stride_2", {S(2, 7, 6, 3), S(5, 5, 1, 3)}, conv_depthwise, -1, 1, LABELS},
    {"conv_asymmetric", {S(2, 5, 7, 2), S(2, 3, 2, 3)}, conv_asymmetric, -1, 1, LABELS},
    {"conv_1x1_bias", {S(2, 3, 4, 3), S(1, 1, 3, 5), S(1, 1, 1, 5)}, conv_bias_1x1, -1, 1, LABELS},
    {"linear_bias", {S(4, 1, 1, 6), S(6, 1, 1, 5), S(1, 1, 1, 5)}, linear, -1, 1, LABELS},
    {"relu", {X}, relu, -1, 1, LABELS},
    {"relu6", {X}, relu6, -3, 9, LABELS},
    {"max_pool_3x3", {X}, max_pool, -1, 1, LABELS},
    {"max_pool_3x3_stride_2", {X}, max_pool_stride, -1, 1, LABELS},
    {"avg_pool_3x3", {X}, avg_pool, -1, 1, LABELS},
    {"avg_pool_3x3_stride_2", {X}, avg_pool_stride, -1, 1, LABELS},
    {"avg_pool_2x2_stride_2", {X}, avg_pool_2x2, -1, 1, LABELS},
    {"global_pool", {X}, global_pool, -1, 1, LABELS},
    {"concat", {S(2, 2, 3, 2), S(2, 2, 3, 3)}, concat, -1, 1, LABELS},
    {"add", {X, X, X}, add, -1, 1, LABELS},
    {"sigmoid", {S(1, 1, 1, 3)}, sigmoid, -4, 4, LABELS},
    {"softmax", {S(4, 1, 1, 5)}, softmax, -2, 2, LABELS},
    {"log_softmax", {S(4, 1, 1, 5)}, log_softmax, -2, 2, LABELS},
    {"cross_entropy", {S(4, 1, 1, 5)}, cross_entropy, -2, 2, LABELS},
    {"cross_entropy_smoothed", {S(4, 1, 1, 5)}, cross_entropy_1, -2, 2, LABELS},
    {"cross_entropy_left_out", {S(4, 1, 1, 5)}, cross_entropy_2, -2, 2, {3, -1, 4, -1}},
    {"small_net",
     {S(4, 5, 5, 2), S(3, 3, 2, 4), S(1, 1, 1, 4), S(1, 1, 1, 4), S(4, 1, 1, 5), S(1, 1, 1, 5)},
     small_net,
     -1,
     1,
     LABELS},
};

/* ---- running one ---------------------------------------------------------------------------- */

/* To the element type, in place of a new array. */
static void *as_type(double *values, uint32_t dtype, int64_t n) {
    if (dtype == NI_F64) return values;
    float *out = calloc((size_t)n, sizeof *out);
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)values[i];
    free(values);
    return out;
}

typedef struct {
    nas_context *context;
    ni_vars *vars;
    nas_graph *g;
    uint32_t dtype, n_inputs;
    const void *inputs[3 * MOST + 2];
    ni_node x[MOST];
    ni_shape shapes[MOST];
} bench;

static void open_bench(bench *b, uint32_t dtype, int32_t isa, ni_mode mode) {
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    memset(b, 0, sizeof *b);
    b->dtype = dtype;
    options.isa = isa;
    options.threads = 2;
    OK(nas_context_create(&b->context, &options));
    OK(ni_vars_create(&b->vars, b->context));
    OK(ni_graph_create(&b->g, b->context, b->vars, dtype, mode));
}

static void close_bench(bench *b) {
    ni_graph_free(b->g);
    ni_vars_free(b->vars);
    nas_context_free(b->context);
    for (uint32_t i = 0; i < b->n_inputs; i++)
        free((void *)(uintptr_t)b->inputs[i]);
}

static ni_node input(bench *b, const char *name, const char *which, ni_shape shape, double low,
                     double high) {
    int64_t n = ni_shape_count(shape);
    uint32_t number;
    ni_node node;
    OK(ni_input(b->g, shape, &number, &node));
    assert_int_equal(number, b->n_inputs);
    b->inputs[b->n_inputs++] = as_type(numbers(name, which, n, low, high), b->dtype, n);
    return node;
}

/* y, its gradients with respect to b->x, and their second derivatives, all compared. */
static void differentiate(bench *b, const char *name, uint32_t n, ni_node y, void *values,
                          bool update) {
    nas_graph *g = b->g;
    ni_node value, product = NI_NONE, first[MOST], second[MOST], terms[MOST];
    ni_output outputs[1 + 2 * MOST];
    void *results[1 + 2 * MOST];
    ni_program *program;
    char part[24];
    ni_node weights = input(b, name, "weights", ni_node_shape(g, y), -1, 1);
    OK(ni_mul(g, y, weights, &value));
    OK(ni_sum_all(g, value, &value));
    OK(ni_graph_gradients(g, value, NI_NONE, b->x, n, first));
    for (uint32_t i = 0; i < n; i++) {
        snprintf(part, sizeof part, "along%u", (unsigned)i);
        OK(ni_mul(g, first[i], input(b, name, part, b->shapes[i], -1, 1), &terms[i]));
        OK(ni_sum_all(g, terms[i], &terms[i]));
    }
    OK(ni_add(g, terms, n, &product));
    OK(ni_graph_gradients(g, product, NI_NONE, b->x, n, second));
    for (uint32_t i = 0; i < 1 + 2 * n; i++) {
        ni_node node = i == 0 ? y : i <= n ? first[i - 1] : second[i - 1 - n];
        outputs[i] = (ni_output){node, NI_NONE};
        results[i] = calloc((size_t)ni_shape_count(ni_node_shape(g, node)), sizeof(double));
    }
    OK(ni_program_create(&program, g, outputs, 1 + 2 * n, NULL));
    const ni_run run = {b->inputs, values, NULL, results, {0, 0}, update, NULL};
    OK(ni_program_run(program, &run));
    for (uint32_t i = 0; i < 1 + 2 * n; i++) {
        snprintf(part, sizeof part, "%s", "y");
        if (i > 0) snprintf(part, sizeof part, "%c%u", i <= n ? 'g' : 'h', (unsigned)((i - 1) % n));
        expect(name, part, results[i], b->dtype, ni_shape_count(ni_node_shape(g, outputs[i].node)));
        free(results[i]);
    }
    ni_program_free(program);
}

static void run_case(const golden_case *c, uint32_t dtype, int32_t isa) {
    bench b;
    ni_node labels, y;
    char part[24];
    uint32_t n = 0;
    open_bench(&b, dtype, isa, NI_TRAIN);
    int32_t *copy = calloc(4, sizeof *copy);
    memcpy(copy, c->labels, sizeof c->labels);
    OK(ni_input_labels(b.g, 4, NULL, &labels));
    b.inputs[b.n_inputs++] = copy;
    for (; n < MOST && c->shapes[n].d[0]; n++) {
        snprintf(part, sizeof part, "x%u", (unsigned)n);
        b.shapes[n] = c->shapes[n];
        b.x[n] = input(&b, c->name, part, c->shapes[n], c->low, c->high);
    }
    OK(c->build(b.g, b.x, labels, &y));
    differentiate(&b, c->name, n, y, NULL, false);
    close_bench(&b);
}

static void batch_norm(const char *name, ni_mode mode, bool affine, uint32_t dtype, int32_t isa) {
    const ni_shape vector = S(1, 1, 1, 3);
    const char *const names[] = {"mean", "var"};
    bench b;
    ni_node running[2], y;
    uint32_t slots[2], n = affine ? 3 : 1;
    open_bench(&b, dtype, isa, mode);
    for (uint32_t i = 0; i < n; i++) {
        char part[24];
        snprintf(part, sizeof part, "x%u", (unsigned)i);
        b.shapes[i] = i ? vector : (ni_shape)X;
        b.x[i] = input(&b, name, part, b.shapes[i], i ? 0.5 : -1, i ? 1.5 : 1);
    }
    for (int i = 0; i < 2; i++) {
        const ni_var var = {names[i],      vector, NI_STATE, NI_INIT_ZEROS, 0, 0,
                            NI_FILE_AS_IS, false,  0};
        OK(ni_variable(b.g, &var, &running[i]));
        assert_true(ni_vars_find(b.vars, names[i], &slots[i]));
    }
    char *values = calloc(ni_vars_size(b.vars), ni_dtype_size(dtype));
    for (int i = 0; i < 2; i++) {
        void *from = as_type(numbers(name, names[i], 3, i ? 0.5 : -1, i ? 1.5 : 1), dtype, 3);
        memcpy(values + ni_vars_get(b.vars, slots[i])->offset * ni_dtype_size(dtype), from,
               3 * ni_dtype_size(dtype));
        free(from);
    }
    OK(ni_batch_norm(b.g, b.x[0], affine ? b.x[1] : NI_NONE, affine ? b.x[2] : NI_NONE, running[0],
                     running[1], 1e-3, 0.1, &y));
    differentiate(&b, name, n, y, values, true);
    for (int i = 0; i < 2; i++)
        expect(name, names[i],
               values + ni_vars_get(b.vars, slots[i])->offset * ni_dtype_size(dtype), dtype, 3);
    free(values);
    close_bench(&b);
}

static void run_all(uint32_t dtype, int32_t isa) {
    for (size_t i = 0; i < NI_COUNT(cases); i++)
        run_case(&cases[i], dtype, isa);
    batch_norm("batch_norm_train", NI_TRAIN, true, dtype, isa);
    batch_norm("batch_norm_plain", NI_TRAIN, false, dtype, isa);
    batch_norm("batch_norm_eval", NI_EVAL, true, dtype, isa);
}

static void test_float64(void **state) {
    (void)state;
    run_all(NI_F64, NAS_ISA_GENERIC);
}

static void test_float32(void **state) {
    (void)state;
    run_all(NI_F32, NAS_ISA_GENERIC);
    run_all(NI_F32, NAS_ISA_BEST);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float64),
        cmocka_unit_test(test_float32),
    };
    golden_path = argc > 1 ? argv[1] : "tests/golden/ops.bin";
    FILE *file = fopen(golden_path, "rb");
    if (!file) {
        fprintf(stderr, "%s cannot be read\n", golden_path);
        return 1;
    }
    golden = calloc(1, 1 << 20);
    golden_size = fread(golden, 1, 1 << 20, file);
    fclose(file);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(golden);
    return failed;
}
