/* Operations against PyTorch's numbers (golden/ops.bin, made by golden/make_ops.py): the result,
 * the gradients, and the gradients of the gradients' products with fixed directions; in float64,
 * and in float32 on this machine's kernels and on the generic ones, with neighbours fused and each
 * node alone. Both the nodes of a graph and the operations that a space may name: one without a
 * case fails the test. */
#include "support.h"
#include "graph/internal.h"
#include "space/internal.h"
#include "golden.h"

enum { MOST = 15 };

static bool occurred[NI_OP_COUNT]; /* in a graph of some case */
static uint32_t no_fusion;

static golden_file golden;

static void expect(const char *name, const char *part, const void *got, uint32_t dtype, int64_t n) {
    uint32_t count;
    const unsigned char *values = golden_find(&golden, name, part, &count);
    double scale = 1, worst = 0;
    assert_int_equal(count, n);
    for (uint32_t i = 0; i < count; i++) {
        double wanted,
            value = dtype == NI_F64 ? ((const double *)got)[i] : (double)((const float *)got)[i];
        memcpy(&wanted, values + 8 * (size_t)i, 8);
        if (fabs(wanted) > scale) scale = fabs(wanted);
        if (!(fabs(value - wanted) <= worst)) worst = fabs(value - wanted);
    }
    /* An mbconv's second derivatives in float32 go through three batch norms of a dozen numbers. */
    bool norms = part[0] == 'h' && strstr(name, "mbconv");
    double least = dtype == NI_F64 ? 1e-10 : norms ? 4e-5 : 1e-5;
    if (!(worst <= scale * least))
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

/* ---- the rest: one line each where the public or internal builder is the whole case ---- */
#define UNUSED (void)x, (void)labels
#define CASE_CONV(name, stride, pad, dilation, groups)                                             \
    BUILD(name) {                                                                                  \
        UNUSED;                                                                                    \
        return conv(g, x, stride, pad, dilation, groups, out);                                     \
    }
#define CASE_UNARY(name, kind)                                                                     \
    BUILD(name) {                                                                                  \
        UNUSED;                                                                                    \
        return ni_unary(g, x[0], kind, out);                                                       \
    }
#define CASE(name, call)                                                                           \
    BUILD(name) {                                                                                  \
        UNUSED;                                                                                    \
        return call;                                                                               \
    }
/* of the first input squared, so that there is a second derivative */
#define CASE_OF_SQUARE(name, call)                                                                 \
    BUILD(name) {                                                                                  \
        ni_node y;                                                                                 \
        UNUSED;                                                                                    \
        NI_TRY(ni_unary(g, x[0], NI_SQUARE, &y));                                                  \
        return call;                                                                               \
    }
/* and the square of a call's result */
#define CASE_SQUARED(name, call)                                                                   \
    BUILD(name) {                                                                                  \
        UNUSED;                                                                                    \
        NI_TRY(call);                                                                              \
        return ni_unary(g, *out, NI_SQUARE, out);                                                  \
    }
CASE_CONV(conv_point, 1, 0, 1, 1)
CASE_CONV(conv_point_2, 2, 0, 1, 1)
CASE_CONV(conv_5, 1, 2, 1, 1)
CASE_CONV(conv_7_2, 2, 3, 1, 1)
CASE_CONV(conv_groups_2, 2, 1, 1, 2)
CASE_CONV(conv_groups_dilated, 1, 2, 2, 2)
CASE_CONV(conv_depthwise_3, 1, 1, 1, 5)
CASE_CONV(conv_depthwise_dilated, 1, 4, 2, 4)
CASE_CONV(conv_depthwise_doubled, 2, 1, 1, 3)
CASE(matmul, ni_matmul(g, x[0], x[1], false, false, out))
CASE(matmul_ta, ni_matmul(g, x[0], x[1], true, false, out))
CASE(matmul_tb, ni_matmul(g, x[0], x[1], false, true, out))
CASE(matmul_tatb, ni_matmul(g, x[0], x[1], true, true, out))
CASE(max_pool_2x2, nas_graph_max_pool(g, x[0], 2, 2, 0, out))
CASE(max_pool_5_3, nas_graph_max_pool(g, x[0], 5, 3, -1, out))
CASE(avg_pool_5_3, nas_graph_avg_pool(g, x[0], 5, 3, -1, out))
CASE_SQUARED(avg_pool_squared, nas_graph_avg_pool(g, x[0], 3, 1, -1, out))
CASE_SQUARED(max_pool_squared, nas_graph_max_pool(g, x[0], 3, 1, -1, out))
CASE_SQUARED(global_pool_squared, nas_graph_global_pool(g, x[0], out))
CASE(mul, nas_graph_mul(g, x[0], x[1], out))
CASE_SQUARED(scale, ni_scale(g, x[0], 0.375, -0.25, out))
CASE(mul_scalar, ni_mul_scalar(g, x[0], x[1], out))
CASE(mul_row, ni_mul_row(g, x[0], x[1], out))
BUILD(affine) {
    UNUSED;
    NI_TRY(ni_mul_channel(g, x[0], x[1], out));
    return ni_add_channel(g, *out, x[2], out);
}
CASE_UNARY(u_exp, NI_EXP)
CASE_UNARY(u_log, NI_LOG)
CASE_UNARY(u_sqrt, NI_SQRT)
CASE_UNARY(u_rsqrt, NI_RSQRT)
CASE_UNARY(u_reciprocal, NI_RECIPROCAL)
CASE_UNARY(u_square, NI_SQUARE)
CASE_UNARY(u_tanh, NI_TANH)
BUILD(u_abs) {
    UNUSED;
    NI_TRY(ni_unary(g, x[0], NI_ABS, out));
    return ni_mul(g, *out, x[0], out);
}
BUILD(u_sign) {
    ni_node square;
    UNUSED;
    NI_TRY(ni_unary(g, x[0], NI_SIGN, out));
    NI_TRY(ni_unary(g, x[0], NI_SQUARE, &square));
    return ni_mul(g, *out, square, out);
}
BUILD(identity) {
    UNUSED;
    (void)g;
    *out = x[0];
    return NAS_OK;
}
CASE(zero, nas_graph_zero(g, x[0], 2, out))
BUILD(stop) {
    ni_node fixed;
    UNUSED;
    NI_TRY(ni_stop_gradient(g, x[1], &fixed));
    NI_TRY(ni_mul(g, x[0], x[1], out));
    return ni_mul(g, *out, fixed, out);
}
CASE_OF_SQUARE(sum_channel, ni_sum_channel(g, y, out))
CASE_OF_SQUARE(sum_row, ni_sum_row(g, y, out))
CASE_OF_SQUARE(sum_all, ni_sum_all(g, y, out))
CASE_OF_SQUARE(broadcast, ni_broadcast(g, y, ni_shape4(2, 5, 6, 3), out))
CASE_SQUARED(concat_images, ni_concat(g, x, 2, 0, out))
CASE_SQUARED(slice_step, ni_slice(g, x[0], 1, 1, 5, 2, out))
CASE_OF_SQUARE(reshape, ni_reshape(g, y, ni_shape4(10, 1, 3, 6), out))
CASE(cross_entropy_all, ni_cross_entropy(g, x[0], labels, 1, out))
BUILD(correct) {
    ni_node right;
    NI_TRY(ni_correct(g, x[0], labels, &right));
    return ni_mul_scalar(g, x[0], right, out);
}

/* ---- layers that make no variables of their own ---- */
CASE(mul_image, nas_graph_mul(g, x[0], x[1], out))
CASE(hard_swish, nas_graph_hard_swish(g, x[0], out))
CASE_SQUARED(hard_sigmoid, nas_graph_hard_sigmoid(g, x[0], out))
CASE(mean_squared_error, nas_graph_mean_squared_error(g, x[0], x[1], out))
CASE_SQUARED(resize_nearest, nas_graph_resize(g, x[0], 6, 9, 0, out))
CASE_SQUARED(resize_nearest_smaller, nas_graph_resize(g, x[0], 3, 4, 0, out))
CASE_SQUARED(resize_linear, nas_graph_resize(g, x[0], 6, 9, 1, out))
CASE_SQUARED(resize_linear_smaller, nas_graph_resize(g, x[0], 3, 4, 1, out))

static nas_status normalised(nas_graph *g, ni_node x, ni_node *out) {
    return ni_batch_norm(g, x, NI_NONE, NI_NONE, NI_NONE, NI_NONE, 1e-5, 0.1, out);
}
static nas_status separable(nas_graph *g, ni_node x, ni_node deep, ni_node point, int32_t pad,
                            int32_t dilation, ni_node *out) {
    ni_node weights[2] = {NI_NONE, deep};
    NI_TRY(nas_graph_relu(g, x, &weights[0]));
    NI_TRY(conv(g, weights, 1, pad, dilation, 4, out));
    weights[0] = *out;
    weights[1] = point;
    NI_TRY(conv(g, weights, 1, 0, 1, 1, out));
    return normalised(g, *out, out);
}
/* An edge of a supernet: the planner makes one step of its sum. */
BUILD(mixed) {
    ni_node p, weight, terms[5] = {NI_NONE, NI_NONE, NI_NONE, NI_NONE, x[0]};
    UNUSED;
    NI_TRY(ni_softmax(g, x[1], &p));
    NI_TRY(separable(g, x[0], x[2], x[3], 1, 1, &terms[0]));
    NI_TRY(separable(g, x[0], x[4], x[5], 4, 2, &terms[1]));
    NI_TRY(nas_graph_max_pool(g, x[0], 3, 1, -1, &terms[2]));
    NI_TRY(normalised(g, terms[2], &terms[2]));
    NI_TRY(nas_graph_zero(g, x[0], 1, &terms[3]));
    for (int i = 0; i < 5; i++) {
        NI_TRY(ni_slice(g, p, 3, i, i + 1, 1, &weight));
        NI_TRY(ni_mul_scalar(g, terms[i], weight, &terms[i]));
    }
    return ni_add(g, terms, 5, out);
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
    {"conv_1x1", {S(2, 5, 3, 4), S(1, 1, 4, 3)}, conv_point, -1, 1, LABELS},
    {"conv_1x1_stride_2", {S(2, 5, 4, 3), S(1, 1, 3, 4)}, conv_point_2, -1, 1, LABELS},
    {"conv_3x3_many_channels", {S(1, 5, 7, 8), S(3, 3, 8, 9)}, conv_same, -1, 1, LABELS},
    {"conv_3x3_one_pixel", {S(3, 1, 1, 5), S(3, 3, 5, 2)}, conv_same, -1, 1, LABELS},
    {"conv_5x5_one_channel", {S(1, 7, 5, 1), S(5, 5, 1, 17)}, conv_5, -1, 1, LABELS},
    {"conv_7x7_stride_2", {S(1, 9, 11, 2), S(7, 7, 2, 3)}, conv_7_2, -1, 1, LABELS},
    {"conv_groups_stride_2", {S(1, 7, 5, 6), S(3, 3, 3, 4)}, conv_groups_2, -1, 1, LABELS},
    {"conv_groups_dilated", {S(1, 6, 7, 4), S(3, 3, 2, 4)}, conv_groups_dilated, -1, 1, LABELS},
    {"conv_depthwise_3x3", {S(2, 5, 7, 5), S(3, 3, 1, 5)}, conv_depthwise_3, -1, 1, LABELS},
    {"conv_depthwise_dilated",
     {S(2, 7, 5, 4), S(5, 5, 1, 4)},
     conv_depthwise_dilated,
     -1,
     1,
     LABELS},
    {"conv_depthwise_doubled",
     {S(2, 5, 4, 3), S(3, 3, 1, 6)},
     conv_depthwise_doubled,
     -1,
     1,
     LABELS},
    {"linear", {S(3, 1, 1, 7), S(7, 1, 1, 9)}, matmul, -1, 1, LABELS},
    {"matmul_ta", {S(6, 1, 1, 4), S(6, 1, 1, 5)}, matmul_ta, -1, 1, LABELS},
    {"matmul_tb", {S(4, 1, 1, 6), S(5, 1, 1, 6)}, matmul_tb, -1, 1, LABELS},
    {"matmul_tatb", {S(6, 1, 1, 4), S(5, 1, 1, 6)}, matmul_tatb, -1, 1, LABELS},
    {"max_pool_2x2_odd", {X}, max_pool_2x2, -1, 1, LABELS},
    {"max_pool_5x5_stride_3", {S(1, 9, 8, 2)}, max_pool_5_3, -1, 1, LABELS},
    {"avg_pool_5x5_stride_3", {S(1, 9, 8, 2)}, avg_pool_5_3, -1, 1, LABELS},
    {"avg_pool_squared", {X}, avg_pool_squared, -1, 1, LABELS},
    {"max_pool_squared", {X}, max_pool_squared, -1, 1, LABELS},
    {"global_pool_squared", {X}, global_pool_squared, -1, 1, LABELS},
    {"mul", {X, X}, mul, -1, 1, LABELS},
    {"scale", {X}, scale, -1, 1, LABELS},
    {"mul_scalar", {X, S(1, 1, 1, 1)}, mul_scalar, -1, 1, LABELS},
    {"mul_row", {X, S(2, 1, 1, 1)}, mul_row, -1, 1, LABELS},
    {"affine", {X, S(1, 1, 1, 3), S(1, 1, 1, 3)}, affine, -1, 1, LABELS},
    {"exp", {X}, u_exp, -2, 2, LABELS},
    {"log", {X}, u_log, 0.25, 3, LABELS},
    {"sqrt", {X}, u_sqrt, 0.25, 3, LABELS},
    {"rsqrt", {X}, u_rsqrt, 0.25, 3, LABELS},
    {"reciprocal", {X}, u_reciprocal, 0.25, 3, LABELS},
    {"square", {X}, u_square, -1, 1, LABELS},
    {"abs", {X}, u_abs, -1, 1, LABELS},
    {"sign", {X}, u_sign, -1, 1, LABELS},
    {"tanh", {X}, u_tanh, -2, 2, LABELS},
    {"sigmoid_images", {X}, sigmoid, -4, 4, LABELS},
    {"identity", {X}, identity, -1, 1, LABELS},
    {"zero_stride_2", {X}, zero, -1, 1, LABELS},
    {"stop", {X, X}, stop, -1, 1, LABELS},
    {"sum_channel", {X}, sum_channel, -1, 1, LABELS},
    {"sum_row", {X}, sum_row, -1, 1, LABELS},
    {"sum_all", {X}, sum_all, -1, 1, LABELS},
    {"broadcast", {S(2, 1, 1, 3)}, broadcast, -1, 1, LABELS},
    {"concat_images", {S(2, 2, 3, 2), S(1, 2, 3, 2)}, concat_images, -1, 1, LABELS},
    {"slice_step", {X}, slice_step, -1, 1, LABELS},
    {"reshape", {X}, reshape, -1, 1, LABELS},
    {"softmax_images", {S(2, 2, 3, 4)}, softmax, -2, 2, LABELS},
    {"log_softmax_large", {S(4, 1, 1, 5)}, log_softmax, -60, 60, LABELS},
    {"cross_entropy_large", {S(4, 1, 1, 5)}, cross_entropy_1, -60, 60, LABELS},
    {"cross_entropy_all_smoothing", {S(4, 1, 1, 5)}, cross_entropy_all, -2, 2, LABELS},
    {"correct", {S(4, 1, 1, 5)}, correct, -2, 2, LABELS},
    {"mul_image", {X, S(2, 1, 1, 3)}, mul_image, -1, 1, LABELS},
    {"hard_swish", {X}, hard_swish, -5, 5, LABELS},
    {"hard_sigmoid", {X}, hard_sigmoid, -5, 5, LABELS},
    {"mean_squared_error", {X, X}, mean_squared_error, -1, 1, LABELS},
    {"resize_nearest", {S(2, 3, 4, 2)}, resize_nearest, -1, 1, LABELS},
    {"resize_nearest_smaller", {S(1, 7, 5, 3)}, resize_nearest_smaller, -1, 1, LABELS},
    {"resize_linear", {S(2, 3, 4, 2)}, resize_linear, -1, 1, LABELS},
    {"resize_linear_smaller", {S(1, 7, 5, 3)}, resize_linear_smaller, -1, 1, LABELS},
    {"mixed",
     {S(2, 6, 5, 4), S(1, 1, 1, 5), S(3, 3, 1, 4), S(1, 1, 4, 4), S(5, 5, 1, 4), S(1, 1, 4, 4)},
     mixed,
     -1,
     1,
     LABELS},
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
    b->inputs[b->n_inputs++] = as_type(golden_numbers(name, which, n, low, high), b->dtype, n);
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
    for (ni_node node = 0; node < ni_graph_nodes(g); node++)
        occurred[ni_at(g, node)->op] = true;
    ni_plan_options plan;
    memset(&plan, 0, sizeof plan);
    plan.no_fusion = no_fusion;
    OK(ni_program_create(&program, g, outputs, 1 + 2 * n, &plan));
    const ni_run run = {b->inputs, values, NULL, results, {0, 0}, update, NULL, 0};
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
        void *from =
            as_type(golden_numbers(name, names[i], 3, i ? 0.5 : -1, i ? 1.5 : 1), dtype, 3);
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

/* y of b->x[0] and of the variables that were made: compared, and the bench closed. */
static void with_variables(bench *b, const char *name, ni_node y) {
    uint32_t dtype = b->dtype;
    char part[24];
    uint32_t n = ni_vars_count(b->vars);
    assert_true(n < MOST);
    char *values = calloc(ni_vars_size(b->vars) + 1, ni_dtype_size(dtype));
    for (uint32_t slot = 0; slot < n; slot++) {
        const ni_var var = *ni_vars_get(b->vars, slot);
        int64_t count = ni_shape_count(var.shape);
        snprintf(part, sizeof part, "x%u", (unsigned)slot + 1);
        void *from = as_type(golden_numbers(name, part, count, -1, 1), dtype, count);
        memcpy(values + var.offset * ni_dtype_size(dtype), from,
               (size_t)count * ni_dtype_size(dtype));
        free(from);
        OK(ni_variable(b->g, &var, &b->x[slot + 1]));
        b->shapes[slot + 1] = var.shape;
    }
    differentiate(b, name, n + 1, y, values, false);
    free(values);
    close_bench(b);
}

/* An operation that a space may name, with its variables. */
static void run_named(const char *operation, int32_t stride, uint32_t dtype, int32_t isa) {
    char name[80];
    bench b;
    ni_node y;
    nas_op_site site;
    ni_shape shape = S(2, 5, 4, 4);
    snprintf(name, sizeof name, "%s %d", operation, (int)stride);
    open_bench(&b, dtype, isa, NI_TRAIN);
    OK(ni_operations_register(b.context));
    if (strcmp(operation, "skip_connect") == 0) shape.d[1] = 4;
    b.shapes[0] = shape;
    b.x[0] = input(&b, name, "x0", shape, -1, 1);
    memset(&site, 0, sizeof site);
    site.struct_size = sizeof site;
    site.name = operation;
    site.scope = "edge.";
    site.stride = stride;
    site.affine = site.training = 1;
    site.bn_epsilon = 1e-5;
    site.bn_momentum = 0.1;
    if (ni_op_build(b.g, &site, b.x, 1, &y) != NAS_OK)
        fail_msg("%s: %s", name, nas_context_error(b.context));
    with_variables(&b, name, y);
}

/* ---- layers that make variables of their own ------------------------------------------------- */

typedef struct {
    const char *name;
    ni_shape shape;
    nas_status (*build)(nas_graph *g, ni_node x, ni_node *out);
    double low, high;
    bool whole; /* numbers, rounded down */
} layer_case;

#define LAYER(name, call)                                                                          \
    static nas_status name(nas_graph *g, ni_node x, ni_node *out) {                                \
        return call;                                                                               \
    }
LAYER(layer_norm, nas_graph_layer_norm(g, "n", x, 1, 1e-5, out))
LAYER(layer_norm_plain, nas_graph_layer_norm(g, "n", x, 0, 1e-3, out))
LAYER(squeeze_excite, nas_graph_squeeze_excite(g, "se", x, 2, 0, out))
LAYER(squeeze_excite_hard, nas_graph_squeeze_excite(g, "se", x, 4, 1, out))
LAYER(factorized_reduce, nas_graph_factorized_reduce(g, "r", x, 5, 1, 0, 1e-5, 0.1, out))
static nas_status embedding(nas_graph *g, ni_node x, ni_node *out) {
    NI_TRY(nas_graph_embedding(g, "e", x, 7, 4, out));
    return ni_unary(g, *out, NI_SQUARE, out);
}
static nas_status lstm_cell(nas_graph *g, ni_node x, ni_node *out) {
    ni_node state[2] = {NI_NONE, NI_NONE};
    for (int i = 0; i < 2; i++)
        NI_TRY(nas_graph_lstm_cell(g, "cell", x, state[0], state[1], 5, &state[0], &state[1]));
    return nas_graph_concat(g, state, 2, out);
}
static const layer_case layers[] = {
    {"layer_norm", S(2, 3, 4, 5), layer_norm, -1, 1, false},
    {"layer_norm_plain", S(3, 2, 2, 37), layer_norm_plain, -1, 1, false},
    {"squeeze_excite", S(2, 4, 3, 6), squeeze_excite, -1, 1, false},
    {"squeeze_excite_hard", S(2, 4, 3, 6), squeeze_excite_hard, -1, 1, false},
    {"factorized_reduce", S(2, 5, 4, 3), factorized_reduce, -1, 1, false},
    {"embedding", S(3, 2, 1, 1), embedding, 0, 7, true},
    {"lstm_cell", S(3, 1, 1, 4), lstm_cell, -1, 1, false},
};

static void run_layer(const layer_case *c, uint32_t dtype, int32_t isa) {
    bench b;
    ni_node y;
    open_bench(&b, dtype, isa, NI_TRAIN);
    b.shapes[0] = c->shape;
    b.x[0] = input(&b, c->name, "x0", c->shape, c->low, c->high);
    for (int64_t i = 0; c->whole && i < ni_shape_count(c->shape); i++) {
        void *numbers = (void *)(uintptr_t)b.inputs[0];
        if (dtype == NI_F64)
            ((double *)numbers)[i] = floor(((double *)numbers)[i]);
        else
            ((float *)numbers)[i] = floorf(((float *)numbers)[i]);
    }
    if (c->build(b.g, b.x[0], &y) != NAS_OK)
        fail_msg("%s: %s", c->name, nas_context_error(b.context));
    with_variables(&b, c->name, y);
}

static void run_all(uint32_t dtype, int32_t isa) {
    nas_context *context = new_context(1);
    const char *name;
    for (size_t i = 0; i < NI_COUNT(cases); i++)
        run_case(&cases[i], dtype, isa);
    for (size_t i = 0; i < NI_COUNT(layers); i++)
        run_layer(&layers[i], dtype, isa);
    batch_norm("batch_norm_train", NI_TRAIN, true, dtype, isa);
    batch_norm("batch_norm_plain", NI_TRAIN, false, dtype, isa);
    batch_norm("batch_norm_eval", NI_EVAL, true, dtype, isa);
    batch_norm("batch_norm_eval_plain", NI_EVAL, false, dtype, isa);
    OK(ni_operations_register(context));
    for (uint32_t i = 0; (name = nas_op_name(context, i)) != NULL; i++)
        for (int32_t stride = 1; stride <= 2; stride++)
            run_named(name, stride, dtype, isa);
    nas_context_free(context);
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

static void test_each_node_alone(void **state) {
    (void)state;
    no_fusion = 1;
    run_all(NI_F64, NAS_ISA_GENERIC);
    run_all(NI_F32, NAS_ISA_BEST);
    no_fusion = 0;
}

/* Each kind of node occurred in the graphs of the cases, and each name that a space may use is in
 * the file. */
static void test_every_operation_has_a_case(void **state) {
    (void)state;
    uint32_t named = 0, count;
    const char *name;
    nas_context *context = new_context(1);
    for (uint32_t op = 0; op < NI_OP_COUNT; op++) {
        /* random: test_dropout */
        if (op == NI_OP_DROPOUT_MASK) continue;
        /* made by fusion alone, compared with plain plans in test_program.c */
        if (ni_ops[op].flags & NI_OP_PLANNED) continue;
        if (!occurred[op]) fail_msg("operation %s has no golden case", ni_ops[op].name);
    }
    OK(ni_operations_register(context));
    for (; (name = nas_op_name(context, named)) != NULL; named++) {
        char text[80];
        snprintf(text, sizeof text, "%s 1", name);
        if (!golden_seek(&golden, text, NULL, &count))
            fail_msg("%s has no case of '%s'", golden.path, name);
    }
    assert_true(named >= 15);
    nas_context_free(context);
}

/* PyTorch draws otherwise: the mask itself is looked at. Each element (or image) is 0 or 1 / keep,
 * as many as the probability says, other ones for another key; and the gradient is the mask. */
static void test_dropout(void **state) {
    (void)state;
    enum { ROWS = 64, SIZE = 150, COUNT = ROWS * SIZE };
    const double drop = 0.3, high = 1 / 0.7;
    for (int per_image = 0; per_image < 2; per_image++) {
        bench b;
        ni_node y, sum, dx;
        open_bench(&b, NI_F64, NAS_ISA_GENERIC, NI_TRAIN);
        ni_node x = input(&b, "dropout", "x0", ni_shape4(ROWS, 5, 10, 3), 1, 2);
        OK(ni_dropout(b.g, x, drop, per_image, &y));
        OK(ni_sum_all(b.g, y, &sum));
        OK(ni_graph_gradients(b.g, sum, NI_NONE, &x, 1, &dx));
        const ni_output outputs[] = {{y, NI_NONE}, {dx, NI_NONE}};
        static double results[2][COUNT], before[COUNT];
        void *to[] = {results[0], results[1]};
        ni_program *program;
        OK(ni_program_create(&program, b.g, outputs, 2, NULL));
        for (uint64_t key = 1; key <= 2; key++) {
            const ni_run run = {b.inputs, NULL, NULL, to, {7, key}, false, NULL, 0};
            int kept = 0, same = 0;
            OK(ni_program_run(program, &run));
            for (int i = 0; i < COUNT; i++) {
                double mask = results[1][i];
                assert_true(mask == 0 || fabs(mask - high) < 1e-12);
                assert_true(fabs(results[0][i] - mask * ((const double *)b.inputs[0])[i]) < 1e-12);
                if (per_image) assert_true(mask == results[1][i / SIZE * SIZE]);
                kept += mask > 0;
                same += mask == before[i];
                before[i] = mask;
            }
            /* five deviations of a binomial */
            double draws = per_image ? ROWS : COUNT, share = (double)kept / COUNT;
            assert_true(fabs(share - 0.7) < 5 * sqrt(0.3 * 0.7 / draws));
            if (key == 2) assert_true(same < COUNT);
        }
        ni_program_free(program);
        close_bench(&b);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float64),         cmocka_unit_test(test_float32),
        cmocka_unit_test(test_each_node_alone), cmocka_unit_test(test_every_operation_has_a_case),
        cmocka_unit_test(test_dropout),
    };
    if (!golden_open(&golden, argc > 1 ? argv[1] : "tests/golden/ops.bin")) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(golden.bytes);
    return failed;
}
