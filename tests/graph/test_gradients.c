/* Every operation's gradient against finite differences of its value, and the gradient of that
 * gradient against finite differences of the gradient, in float64. One list of cases; an operation
 * without a case fails the test. */
#include "support.h"
#include "graph/internal.h"

enum { INPUTS = 5 };

typedef struct {
    ni_op op; /* the one that the case is for */
    const char *name;
    ni_shape shapes[INPUTS]; /* of the inputs; zero at the end */
    nas_status (*build)(nas_graph *g, const ni_node *x, ni_node labels, ni_node *out);
    int positive; /* bit i: input i has values of 0.5 to 2 */
} gradient_case;

#define BUILD(name)                                                                                \
    static nas_status name(nas_graph *g, const ni_node *x, ni_node labels, ni_node *out)
#define UNUSED (void)x, (void)labels

static ni_conv conv_options(int32_t stride, int32_t pad, int32_t dilation, int32_t groups) {
    ni_conv c = {0};
    c.sh = c.sw = stride;
    c.ph = c.pw = pad;
    c.dh = c.dw = dilation;
    c.groups = groups;
    return c;
}
static ni_pool pool_options(int32_t kernel, int32_t stride, int32_t pad) {
    ni_pool p = {0};
    p.kh = p.kw = kernel;
    p.sh = p.sw = stride;
    p.ph = p.pw = pad;
    return p;
}

BUILD(conv_same) {
    UNUSED;
    ni_conv c = conv_options(1, 1, 1, 1);
    return ni_conv2d(g, x[0], x[1], &c, out);
}
BUILD(conv_stride) {
    UNUSED;
    ni_conv c = conv_options(2, 1, 1, 1);
    return ni_conv2d(g, x[0], x[1], &c, out);
}
BUILD(conv_dilated) {
    UNUSED;
    ni_conv c = conv_options(1, 2, 2, 1);
    return ni_conv2d(g, x[0], x[1], &c, out);
}
BUILD(conv_groups) {
    UNUSED;
    ni_conv c = conv_options(1, 1, 1, 2);
    return ni_conv2d(g, x[0], x[1], &c, out);
}
BUILD(conv_depthwise) {
    UNUSED;
    ni_conv c = conv_options(2, 1, 1, 4);
    return ni_conv2d(g, x[0], x[1], &c, out);
}
BUILD(conv_uneven) {
    UNUSED;
    ni_conv c = conv_options(1, 0, 1, 1);
    c.sh = 2;
    c.pw = 2;
    c.dw = 2;
    return ni_conv2d(g, x[0], x[1], &c, out);
}
/* The two gradients as operations of their own: geometry as an attribute. */
static ni_attr conv_attr(void) {
    ni_attr attr;
    const ni_conv c = {2, 5, 6, 3, 3, 3, 4, 3, 3, 2, 2, 1, 1, 1, 1, 1};
    memset(&attr, 0, sizeof attr);
    attr.conv = c;
    return attr;
}
BUILD(conv_dx) {
    UNUSED;
    ni_attr a = conv_attr();
    return ni_node_add(g, NI_OP_CONV_DX, &a, NULL, x, 2, out);
}
BUILD(conv_dw) {
    UNUSED;
    ni_attr a = conv_attr();
    return ni_node_add(g, NI_OP_CONV_DW, &a, NULL, x, 2, out);
}
BUILD(matmul) {
    UNUSED;
    return ni_matmul(g, x[0], x[1], false, false, out);
}
BUILD(matmul_ta) {
    UNUSED;
    return ni_matmul(g, x[0], x[1], true, false, out);
}
BUILD(matmul_tb) {
    UNUSED;
    return ni_matmul(g, x[0], x[1], false, true, out);
}
BUILD(matmul_tatb) {
    UNUSED;
    return ni_matmul(g, x[0], x[1], true, true, out);
}
BUILD(max_pool) {
    UNUSED;
    ni_pool p = pool_options(3, 1, 1);
    return ni_max_pool(g, x[0], &p, out);
}
BUILD(max_pool_2) {
    UNUSED;
    ni_pool p = pool_options(3, 2, 1);
    return ni_max_pool(g, x[0], &p, out);
}
static ni_attr pool_attr(void) {
    ni_attr attr;
    const ni_pool p = {2, 5, 4, 3, 3, 2, 3, 3, 2, 2, 1, 1};
    memset(&attr, 0, sizeof attr);
    attr.pool = p;
    return attr;
}
BUILD(max_pool_dx) {
    UNUSED;
    ni_attr a = pool_attr();
    return ni_node_add(g, NI_OP_MAX_POOL_DX, &a, NULL, x, 2, out);
}
BUILD(max_pool_pick) {
    UNUSED;
    ni_attr a = pool_attr();
    return ni_node_add(g, NI_OP_MAX_POOL_PICK, &a, NULL, x, 2, out);
}
BUILD(avg_pool) {
    UNUSED;
    ni_pool p = pool_options(3, 1, 1);
    return ni_avg_pool(g, x[0], &p, out);
}
BUILD(avg_pool_2) {
    UNUSED;
    ni_pool p = pool_options(2, 2, 0);
    return ni_avg_pool(g, x[0], &p, out);
}
BUILD(avg_pool_global) {
    UNUSED;
    ni_pool p = pool_options(0, 0, 0);
    return ni_avg_pool(g, x[0], &p, out);
}
BUILD(avg_pool_dx) {
    UNUSED;
    ni_attr a = pool_attr();
    return ni_node_add(g, NI_OP_AVG_POOL_DX, &a, NULL, x, 1, out);
}
BUILD(add3) {
    UNUSED;
    return ni_add(g, x, 3, out);
}
BUILD(add_twice) {
    UNUSED;
    const ni_node in[] = {x[0], x[1], x[0]};
    return ni_add(g, in, 3, out);
}
BUILD(mul) {
    UNUSED;
    return ni_mul(g, x[0], x[1], out);
}
BUILD(mul_self) {
    UNUSED;
    return ni_mul(g, x[0], x[0], out);
}
BUILD(scale) {
    UNUSED;
    return ni_scale(g, x[0], -2.5, 0.75, out);
}
BUILD(mul_scalar) {
    UNUSED;
    return ni_mul_scalar(g, x[0], x[1], out);
}
BUILD(affine) {
    UNUSED;
    return ni_affine(g, x[0], x[1], x[2], out);
}
BUILD(mul_channel) {
    UNUSED;
    return ni_mul_channel(g, x[0], x[1], out);
}
BUILD(add_channel) {
    UNUSED;
    return ni_add_channel(g, x[0], x[1], out);
}
BUILD(mul_row) {
    UNUSED;
    return ni_mul_row(g, x[0], x[1], out);
}
BUILD(relu) {
    UNUSED;
    return ni_relu(g, x[0], INFINITY, out);
}
BUILD(relu_low) {
    UNUSED;
    return ni_relu(g, x[0], 0.7, out);
}
BUILD(relu_dx) {
    ni_attr attr;
    UNUSED;
    memset(&attr, 0, sizeof attr);
    attr.clamp.high = 0.7;
    return ni_node_add(g, NI_OP_RELU_DX, &attr, NULL, x, 2, out);
}
BUILD(u_exp) {
    UNUSED;
    return ni_unary(g, x[0], NI_EXP, out);
}
BUILD(u_log) {
    UNUSED;
    return ni_unary(g, x[0], NI_LOG, out);
}
BUILD(u_sqrt) {
    UNUSED;
    return ni_unary(g, x[0], NI_SQRT, out);
}
BUILD(u_rsqrt) {
    UNUSED;
    return ni_unary(g, x[0], NI_RSQRT, out);
}
BUILD(u_reciprocal) {
    UNUSED;
    return ni_unary(g, x[0], NI_RECIPROCAL, out);
}
BUILD(u_square) {
    UNUSED;
    return ni_unary(g, x[0], NI_SQUARE, out);
}
BUILD(u_abs) {
    UNUSED;
    return ni_unary(g, x[0], NI_ABS, out);
}
BUILD(u_sign) {
    UNUSED;
    return ni_unary(g, x[0], NI_SIGN, out);
}
BUILD(u_sigmoid) {
    UNUSED;
    return ni_unary(g, x[0], NI_SIGMOID, out);
}
BUILD(u_tanh) {
    UNUSED;
    return ni_unary(g, x[0], NI_TANH, out);
}
BUILD(sum_channel) {
    UNUSED;
    return ni_sum_channel(g, x[0], out);
}
BUILD(sum_row) {
    UNUSED;
    return ni_sum_row(g, x[0], out);
}
BUILD(sum_all) {
    UNUSED;
    return ni_sum_all(g, x[0], out);
}
BUILD(sum_image) {
    UNUSED;
    return ni_sum_to(g, x[0], NI_NONE, ni_shape4(2, 1, 1, 5), out);
}
BUILD(sum_scattered) {
    UNUSED;
    return ni_sum_to(g, x[0], NI_NONE, ni_shape4(1, 3, 1, 5), out);
}
BUILD(dot_channel) {
    UNUSED;
    return ni_sum_to(g, x[0], x[1], ni_shape4(1, 1, 1, 5), out);
}
BUILD(dot_row) {
    UNUSED;
    return ni_sum_to(g, x[0], x[1], ni_shape4(2, 1, 1, 1), out);
}
BUILD(dot_all) {
    UNUSED;
    return ni_sum_to(g, x[0], x[1], ni_shape4(1, 1, 1, 1), out);
}
BUILD(dot_image) {
    UNUSED;
    return ni_sum_to(g, x[0], x[1], ni_shape4(2, 1, 1, 5), out);
}
BUILD(broadcast) {
    UNUSED;
    return ni_broadcast(g, x[0], ni_shape4(2, 3, 4, 5), out);
}
BUILD(broadcast_scalar) {
    UNUSED;
    return ni_broadcast(g, x[0], ni_shape4(2, 3, 4, 5), out);
}
BUILD(concat) {
    UNUSED;
    return ni_concat(g, x, 3, 3, out);
}
BUILD(concat_rows) {
    UNUSED;
    return ni_concat(g, x, 2, 0, out);
}
BUILD(slice) {
    UNUSED;
    return ni_slice(g, x[0], 3, 1, 4, 1, out);
}
BUILD(slice_view) {
    UNUSED;
    return ni_slice(g, x[0], 0, 1, 3, 1, out);
}
BUILD(slice_step) {
    UNUSED;
    return ni_slice(g, x[0], 1, 1, 6, 2, out);
}
BUILD(pad) {
    UNUSED;
    return ni_pad(g, x[0], 2, 1, 2, 9, out);
}
BUILD(reshape) {
    UNUSED;
    return ni_reshape(g, x[0], ni_shape4(3, 4, 1, 10), out);
}
/* Half of the product is held fixed. */
BUILD(stop) {
    ni_node fixed;
    UNUSED;
    NI_TRY(ni_stop_gradient(g, x[1], &fixed));
    return ni_mul(g, x[0], fixed, out);
}
BUILD(bn_stats) {
    UNUSED;
    return ni_node_add(g, NI_OP_BN_STATS, NULL, NULL, x, 1, out);
}
static ni_attr bn_attr(void) {
    ni_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.bn.epsilon = 1e-3;
    return attr;
}
BUILD(bn_affine) {
    UNUSED;
    return ni_batch_norm(g, x[0], x[1], x[2], NI_NONE, NI_NONE, 1e-3, 0.1, out);
}
BUILD(bn_plain) {
    UNUSED;
    return ni_batch_norm(g, x[0], NI_NONE, NI_NONE, NI_NONE, NI_NONE, 1e-3, 0.1, out);
}
/* Statistics as an input of their own: the halves of the unit apart. */
BUILD(bn_normalize) {
    UNUSED;
    ni_attr a = bn_attr();
    return ni_node_add(g, NI_OP_BN_NORMALIZE, &a, NULL, x, 4, out);
}
BUILD(bn_dsums) {
    UNUSED;
    ni_attr a = bn_attr();
    return ni_node_add(g, NI_OP_BN_DSUMS, &a, NULL, x, 3, out);
}
BUILD(bn_dx) {
    UNUSED;
    ni_attr a = bn_attr();
    return ni_node_add(g, NI_OP_BN_DX, &a, NULL, x, 5, out);
}
/* The gradient of batch norm, differentiated: a third derivative in the second test. */
BUILD(bn_twice) {
    ni_node y, s;
    UNUSED;
    NI_TRY(ni_batch_norm(g, x[0], x[1], x[2], NI_NONE, NI_NONE, 1e-3, 0.1, &y));
    NI_TRY(ni_unary(g, y, NI_TANH, &y));
    NI_TRY(ni_sum_all(g, y, &s));
    return ni_graph_gradients(g, s, NI_NONE, x, 1, out);
}
BUILD(softmax) {
    UNUSED;
    return ni_softmax(g, x[0], out);
}
BUILD(log_softmax) {
    UNUSED;
    return ni_log_softmax(g, x[0], out);
}
BUILD(cross_entropy) {
    (void)x;
    return ni_cross_entropy(g, x[0], labels, 0, out);
}
BUILD(cross_entropy_smooth) {
    (void)x;
    return ni_cross_entropy(g, x[0], labels, 0.1, out);
}
BUILD(target) {
    ni_attr attr;
    ni_node t;
    memset(&attr, 0, sizeof attr);
    attr.labels.smoothing = 0.1;
    attr.labels.classes = 5;
    NI_TRY(ni_node_add(g, NI_OP_TARGET, &attr, NULL, &labels, 1, &t));
    return ni_mul(g, x[0], t, out);
}
BUILD(counted) {
    ni_node c;
    NI_TRY(ni_node_add(g, NI_OP_COUNTED, NULL, NULL, &labels, 1, &c));
    return ni_mul_row(g, x[0], c, out);
}
BUILD(correct) {
    ni_node c;
    NI_TRY(ni_correct(g, x[0], labels, &c));
    return ni_mul_scalar(g, x[0], c, out);
}
BUILD(mul_image) {
    UNUSED;
    return ni_mul_image(g, x[0], x[1], out);
}
BUILD(layer_norm) {
    UNUSED;
    return ni_layer_norm(g, x[0], 1e-3, out);
}
BUILD(layer_norm_dx) {
    ni_attr attr;
    UNUSED;
    memset(&attr, 0, sizeof attr);
    attr.bn.epsilon = 1e-3;
    return ni_node_add(g, NI_OP_LAYER_NORM_DX, &attr, NULL, x, 2, out);
}
BUILD(u_hard_swish) {
    UNUSED;
    return ni_unary(g, x[0], NI_HARD_SWISH, out);
}
BUILD(u_hard_swish_slope) {
    UNUSED;
    return ni_unary(g, x[0], NI_HARD_SWISH_SLOPE, out);
}
BUILD(resize_nearest) {
    UNUSED;
    return ni_resize_images(g, x[0], 5, 3, false, out);
}
BUILD(resize_linear) {
    UNUSED;
    return ni_resize_images(g, x[0], 7, 2, true, out);
}
BUILD(resize_dx) {
    ni_attr attr;
    UNUSED;
    memset(&attr, 0, sizeof attr);
    attr.resize = (ni_resize){2, 2, 7, 5, 3, 4, 1};
    return ni_node_add(g, NI_OP_RESIZE_DX, &attr, NULL, x, 1, out);
}
/* Constant indices: the same row for all. */
BUILD(embed) {
    ni_node indices;
    UNUSED;
    NI_TRY(ni_constant(g, ni_shape4(2, 3, 1, 1), 2, &indices));
    return ni_embed(g, indices, x[0], out);
}
BUILD(embed_dx) {
    ni_attr attr;
    ni_node in[2];
    UNUSED;
    memset(&attr, 0, sizeof attr);
    attr.number = 4;
    in[1] = x[0];
    NI_TRY(ni_constant(g, ni_shape4(2, 3, 1, 1), 2, &in[0]));
    return ni_node_add(g, NI_OP_EMBED_DX, &attr, NULL, in, 2, out);
}
BUILD(dropout) {
    UNUSED;
    return ni_dropout(g, x[0], 0.4, false, out);
}
BUILD(drop_path) {
    UNUSED;
    return ni_dropout(g, x[0], 0.4, true, out);
}

#define S(a, b, c, d)                                                                              \
    {                                                                                              \
        { a, b, c, d }                                                                             \
    }
#define NHWC S(2, 3, 4, 5)
static const gradient_case cases[] = {
    {NI_OP_CONV, "3x3", {S(2, 5, 6, 3), S(3, 3, 3, 4)}, conv_same, 0},
    {NI_OP_CONV, "3x3 stride 2", {S(2, 5, 6, 3), S(3, 3, 3, 4)}, conv_stride, 0},
    {NI_OP_CONV, "3x3 dilated", {S(2, 5, 6, 3), S(3, 3, 3, 4)}, conv_dilated, 0},
    {NI_OP_CONV, "3x3 in 2 groups", {S(2, 5, 4, 4), S(3, 3, 2, 6)}, conv_groups, 0},
    {NI_OP_CONV, "depthwise stride 2", {S(2, 5, 4, 4), S(3, 3, 1, 4)}, conv_depthwise, 0},
    {NI_OP_CONV, "2x3, uneven", {S(2, 7, 6, 3), S(2, 3, 3, 4)}, conv_uneven, 0},
    {NI_OP_CONV_DX, "alone", {S(2, 3, 3, 4), S(3, 3, 3, 4)}, conv_dx, 0},
    {NI_OP_CONV_DW, "alone", {S(2, 5, 6, 3), S(2, 3, 3, 4)}, conv_dw, 0},
    {NI_OP_MATMUL, "", {S(3, 1, 1, 4), S(4, 1, 1, 5)}, matmul, 0},
    {NI_OP_MATMUL, "A'", {S(4, 1, 1, 3), S(4, 1, 1, 5)}, matmul_ta, 0},
    {NI_OP_MATMUL, "B'", {S(3, 1, 1, 4), S(5, 1, 1, 4)}, matmul_tb, 0},
    {NI_OP_MATMUL, "A'B'", {S(4, 1, 1, 3), S(5, 1, 1, 4)}, matmul_tatb, 0},
    {NI_OP_MAX_POOL, "3x3", {S(2, 5, 4, 3)}, max_pool, 0},
    {NI_OP_MAX_POOL, "3x3 stride 2", {S(2, 5, 4, 3)}, max_pool_2, 0},
    {NI_OP_MAX_POOL_DX, "alone", {S(2, 5, 4, 3), S(2, 3, 2, 3)}, max_pool_dx, 0},
    {NI_OP_MAX_POOL_PICK, "alone", {S(2, 5, 4, 3), S(2, 5, 4, 3)}, max_pool_pick, 0},
    {NI_OP_AVG_POOL, "3x3", {S(2, 5, 4, 3)}, avg_pool, 0},
    {NI_OP_AVG_POOL, "2x2 stride 2, odd", {S(2, 5, 4, 3)}, avg_pool_2, 0},
    {NI_OP_AVG_POOL, "global", {S(2, 5, 4, 3)}, avg_pool_global, 0},
    {NI_OP_AVG_POOL_DX, "alone", {S(2, 3, 2, 3)}, avg_pool_dx, 0},
    {NI_OP_ADD, "three", {NHWC, NHWC, NHWC}, add3, 0},
    {NI_OP_ADD, "one twice", {NHWC, NHWC}, add_twice, 0},
    {NI_OP_MUL, "", {NHWC, NHWC}, mul, 0},
    {NI_OP_MUL, "by itself", {NHWC}, mul_self, 0},
    {NI_OP_SCALE, "", {NHWC}, scale, 0},
    {NI_OP_MUL_SCALAR, "", {NHWC, S(1, 1, 1, 1)}, mul_scalar, 0},
    {NI_OP_AFFINE, "", {NHWC, S(1, 1, 1, 5), S(1, 1, 1, 5)}, affine, 0},
    {NI_OP_AFFINE, "scale", {NHWC, S(1, 1, 1, 5)}, mul_channel, 0},
    {NI_OP_AFFINE, "shift", {NHWC, S(1, 1, 1, 5)}, add_channel, 0},
    {NI_OP_MUL_ROW, "", {NHWC, S(2, 1, 1, 1)}, mul_row, 0},
    {NI_OP_RELU, "", {NHWC}, relu, 0},
    {NI_OP_RELU, "clamped", {NHWC}, relu_low, 0},
    {NI_OP_RELU_DX, "alone", {NHWC, NHWC}, relu_dx, 0},
    {NI_OP_UNARY, "exp", {NHWC}, u_exp, 0},
    {NI_OP_UNARY, "log", {NHWC}, u_log, 1},
    {NI_OP_UNARY, "sqrt", {NHWC}, u_sqrt, 1},
    {NI_OP_UNARY, "rsqrt", {NHWC}, u_rsqrt, 1},
    {NI_OP_UNARY, "reciprocal", {NHWC}, u_reciprocal, 1},
    {NI_OP_UNARY, "square", {NHWC}, u_square, 0},
    {NI_OP_UNARY, "abs", {NHWC}, u_abs, 0},
    {NI_OP_UNARY, "sign", {NHWC}, u_sign, 0},
    {NI_OP_UNARY, "sigmoid", {NHWC}, u_sigmoid, 0},
    {NI_OP_UNARY, "tanh", {NHWC}, u_tanh, 0},
    {NI_OP_SUM, "to channels", {NHWC}, sum_channel, 0},
    {NI_OP_SUM, "to rows", {NHWC}, sum_row, 0},
    {NI_OP_SUM, "to one", {NHWC}, sum_all, 0},
    {NI_OP_SUM, "over pixels", {NHWC}, sum_image, 0},
    {NI_OP_SUM, "over scattered dimensions", {NHWC}, sum_scattered, 0},
    {NI_OP_SUM, "product to channels", {NHWC, NHWC}, dot_channel, 0},
    {NI_OP_SUM, "product to rows", {NHWC, NHWC}, dot_row, 0},
    {NI_OP_SUM, "product to one", {NHWC, NHWC}, dot_all, 0},
    {NI_OP_SUM, "product over pixels", {NHWC, NHWC}, dot_image, 0},
    {NI_OP_BROADCAST, "of pixels", {S(2, 1, 1, 5)}, broadcast, 0},
    {NI_OP_BROADCAST, "of one", {S(1, 1, 1, 1)}, broadcast_scalar, 0},
    {NI_OP_CONCAT, "channels", {S(2, 3, 4, 2), S(2, 3, 4, 3), S(2, 3, 4, 1)}, concat, 0},
    {NI_OP_CONCAT, "images", {S(2, 3, 4, 2), S(1, 3, 4, 2)}, concat_rows, 0},
    {NI_OP_SLICE, "channels", {NHWC}, slice, 0},
    {NI_OP_SLICE, "images", {S(4, 3, 2, 2)}, slice_view, 0},
    {NI_OP_SLICE, "every second row", {S(2, 7, 3, 2)}, slice_step, 0},
    {NI_OP_PAD, "", {NHWC}, pad, 0},
    {NI_OP_RESHAPE, "", {NHWC}, reshape, 0},
    {NI_OP_STOP, "", {NHWC, NHWC}, stop, 0},
    {NI_OP_BN_STATS, "", {NHWC}, bn_stats, 0},
    {NI_OP_BN_NORMALIZE, "unit", {NHWC, S(1, 1, 1, 5), S(1, 1, 1, 5)}, bn_affine, 0},
    {NI_OP_BN_NORMALIZE, "unit, not affine", {NHWC}, bn_plain, 0},
    {NI_OP_BN_NORMALIZE,
     "apart",
     {NHWC, S(2, 1, 1, 5), S(1, 1, 1, 5), S(1, 1, 1, 5)},
     bn_normalize,
     2},
    {NI_OP_BN_DSUMS, "apart", {NHWC, S(2, 1, 1, 5), NHWC}, bn_dsums, 2},
    {NI_OP_BN_DX, "apart", {NHWC, S(2, 1, 1, 5), S(1, 1, 1, 5), NHWC, S(2, 1, 1, 5)}, bn_dx, 2},
    {NI_OP_BN_DX, "of the unit", {NHWC, S(1, 1, 1, 5), S(1, 1, 1, 5)}, bn_twice, 0},
    {NI_OP_SOFTMAX, "of pixels", {NHWC}, softmax, 0},
    {NI_OP_LOG_SOFTMAX, "of pixels", {NHWC}, log_softmax, 0},
    {NI_OP_CROSS_ENTROPY, "", {S(4, 1, 1, 5)}, cross_entropy, 0},
    {NI_OP_CROSS_ENTROPY, "smoothed", {S(4, 1, 1, 5)}, cross_entropy_smooth, 0},
    {NI_OP_TARGET, "", {S(4, 1, 1, 5)}, target, 0},
    {NI_OP_COUNTED, "", {S(4, 1, 1, 5)}, counted, 0},
    {NI_OP_CORRECT, "", {S(4, 1, 1, 5)}, correct, 0},
    {NI_OP_MUL_IMAGE, "", {NHWC, S(2, 1, 1, 5)}, mul_image, 0},
    {NI_OP_LAYER_NORM, "", {NHWC}, layer_norm, 0},
    {NI_OP_LAYER_NORM_DX, "alone", {NHWC, NHWC}, layer_norm_dx, 0},
    {NI_OP_UNARY, "hard swish", {NHWC}, u_hard_swish, 0},
    {NI_OP_UNARY, "hard swish's slope", {NHWC}, u_hard_swish_slope, 0},
    {NI_OP_RESIZE, "nearest", {NHWC}, resize_nearest, 0},
    {NI_OP_RESIZE, "linear", {NHWC}, resize_linear, 0},
    {NI_OP_RESIZE_DX, "alone", {S(2, 3, 4, 5)}, resize_dx, 0},
    {NI_OP_EMBED, "", {S(4, 1, 1, 5)}, embed, 0},
    {NI_OP_EMBED_DX, "alone", {S(2, 3, 1, 5)}, embed_dx, 0},
    {NI_OP_DROPOUT_MASK, "", {NHWC}, dropout, 0},
    {NI_OP_DROPOUT_MASK, "an image", {NHWC}, drop_path, 0},
};

/* ---- one case: value, gradients and their product with a direction, as one program ------------
 */

typedef struct {
    nas_context *context;
    ni_vars *vars;
    nas_graph *graph;
    ni_program *program;
    uint32_t n; /* inputs */
    int64_t count[INPUTS];
    double *x[INPUTS];        /* where */
    double *along[INPUTS];    /* the direction that the gradient is multiplied with */
    double *weights;          /* that the result is summed with */
    double value;             /* sum of result x weights */
    double *gradient[INPUTS]; /* of value */
    double *second[INPUTS];   /* of the sum of gradient x along */
} machine;

static double *new_numbers(nas_random *random, int64_t n, bool positive) {
    double *numbers = calloc((size_t)n, sizeof *numbers);
    for (int64_t i = 0; i < n; i++)
        numbers[i] = positive ? 0.5 + 1.5 * nas_random_uniform(random) : nas_random_normal(random);
    return numbers;
}

static void start(machine *m, const gradient_case *c) {
    nas_random random;
    ni_node x[INPUTS], along[INPUTS], dx[INPUTS], ddx[INPUTS], labels, out, weights, value,
        terms[INPUTS];
    ni_output outputs[1 + 2 * INPUTS];
    ni_random_init(&random, 1, (uint64_t)(c - cases), "gradient test");
    memset(m, 0, sizeof *m);
    m->context = new_context(1);
    OK(ni_vars_create(&m->vars, m->context));
    OK(ni_graph_create(&m->graph, m->context, m->vars, NI_F64, NI_TRAIN));
    nas_graph *g = m->graph;
    for (; m->n < INPUTS && c->shapes[m->n].d[0]; m->n++) {
        uint32_t i = m->n;
        m->count[i] = ni_shape_count(c->shapes[i]);
        m->x[i] = new_numbers(&random, m->count[i], c->positive >> i & 1);
        m->along[i] = new_numbers(&random, m->count[i], false);
        m->gradient[i] = calloc((size_t)m->count[i], sizeof(double));
        m->second[i] = calloc((size_t)m->count[i], sizeof(double));
        OK(ni_input(g, c->shapes[i], NULL, &x[i]));
        OK(ni_input(g, c->shapes[i], NULL, &along[i]));
    }
    OK(ni_input_labels(g, 4, NULL, &labels));
    if (c->build(g, x, labels, &out) != NAS_OK)
        fail_msg("%s %s: %s", ni_ops[c->op].name, c->name, nas_context_error(m->context));
    ni_shape shape = ni_node_shape(g, out);
    m->weights = new_numbers(&random, ni_shape_count(shape), false);
    OK(ni_input(g, shape, NULL, &weights));
    OK(ni_mul(g, out, weights, &value));
    OK(ni_sum_all(g, value, &value));
    OK(ni_graph_gradients(g, value, NI_NONE, x, m->n, dx));
    for (uint32_t i = 0; i < m->n; i++) {
        assert_true(ni_shape_equal(ni_node_shape(g, dx[i]), c->shapes[i]));
        OK(ni_sum_to(g, dx[i], along[i], ni_shape4(1, 1, 1, 1), &terms[i]));
    }
    ni_node product;
    OK(ni_add(g, terms, m->n, &product));
    OK(ni_graph_gradients(g, product, NI_NONE, x, m->n, ddx));
    outputs[0] = (ni_output){value, NI_NONE};
    for (uint32_t i = 0; i < m->n; i++) {
        outputs[1 + i] = (ni_output){dx[i], NI_NONE};
        outputs[1 + m->n + i] = (ni_output){ddx[i], NI_NONE};
    }
    OK(ni_program_create(&m->program, g, outputs, 1 + 2 * m->n, NULL));
}

static void compute(machine *m) {
    static const int32_t labels[4] = {3, -1, 0, 4};
    const void *inputs[2 * INPUTS + 2];
    void *outputs[1 + 2 * INPUTS];
    ni_run run = {0};
    for (uint32_t i = 0; i < m->n; i++) {
        inputs[2 * i] = m->x[i];
        inputs[2 * i + 1] = m->along[i];
        outputs[1 + i] = m->gradient[i];
        outputs[1 + m->n + i] = m->second[i];
    }
    inputs[2 * m->n] = labels;
    inputs[2 * m->n + 1] = m->weights;
    outputs[0] = &m->value;
    run.inputs = inputs;
    run.outputs = outputs;
    run.random_key[0] = 7;
    OK(ni_program_run(m->program, &run));
}

static void stop_machine(machine *m) {
    ni_program_free(m->program);
    ni_graph_free(m->graph);
    ni_vars_free(m->vars);
    nas_context_free(m->context);
    for (uint32_t i = 0; i < m->n; i++) {
        free(m->x[i]);
        free(m->along[i]);
        free(m->gradient[i]);
        free(m->second[i]);
    }
    free(m->weights);
}

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* The value, and the product of the gradient with the fixed direction, at x + step * way. */
static void at(machine *m, double *const way[INPUTS], double step, double *value, double *product) {
    for (uint32_t i = 0; i < m->n; i++)
        for (int64_t k = 0; k < m->count[i]; k++)
            m->x[i][k] += step * way[i][k];
    compute(m);
    *value = m->value;
    *product = 0;
    for (uint32_t i = 0; i < m->n; i++)
        *product += dot(m->gradient[i], m->along[i], m->count[i]);
    for (uint32_t i = 0; i < m->n; i++)
        for (int64_t k = 0; k < m->count[i]; k++)
            m->x[i][k] -= step * way[i][k];
}

static void check(const gradient_case *c) {
    const double step = 1e-5;
    machine m;
    nas_random random;
    start(&m, c);
    ni_random_init(&random, 2, (uint64_t)(c - cases), "ways");
    for (int round = 0; round < 4; round++) {
        double *way[INPUTS] = {0}, v0, v1, p0, p1, first = 0, second = 0;
        for (uint32_t i = 0; i < m.n; i++)
            way[i] = new_numbers(&random, m.count[i], false);
        if (c->op == NI_OP_STOP) /* what is held fixed has no gradient, and must not move */
            for (int64_t k = 0; k < m.count[1]; k++)
                way[1][k] = 0;
        compute(&m);
        for (uint32_t i = 0; i < m.n; i++) {
            first += dot(m.gradient[i], way[i], m.count[i]);
            second += dot(m.second[i], way[i], m.count[i]);
        }
        for (int64_t k = 0; c->op == NI_OP_STOP && k < m.count[1]; k++)
            assert_true(m.gradient[1][k] == 0);
        at(&m, way, step, &v1, &p1);
        at(&m, way, -step, &v0, &p0);
        double slope = (v1 - v0) / (2 * step), bend = (p1 - p0) / (2 * step);
        if (!(fabs(slope - first) <= 1e-6 * (1 + fabs(slope))))
            fail_msg("%s %s: gradient %.10g, by differences %.10g", ni_ops[c->op].name, c->name,
                     first, slope);
        if (!(fabs(bend - second) <= 1e-6 * (1 + fabs(bend))))
            fail_msg("%s %s: gradient of the gradient %.10g, by differences %.10g",
                     ni_ops[c->op].name, c->name, second, bend);
        for (uint32_t i = 0; i < m.n; i++)
            free(way[i]);
    }
    stop_machine(&m);
}

static void test_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < NI_COUNT(cases); i++)
        check(&cases[i]);
}

static void test_every_operation_has_a_case(void **state) {
    (void)state;
    for (uint32_t op = 0; op < NI_OP_COUNT; op++) {
        size_t i = 0;
        assert_non_null(ni_ops[op].name);
        if (ni_ops[op].flags & (NI_OP_LEAF | NI_OP_PLANNED)) continue;
        while (i < NI_COUNT(cases) && cases[i].op != (ni_op)op)
            i++;
        if (i == NI_COUNT(cases)) fail_msg("operation %s has no gradient case", ni_ops[op].name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_every_operation_has_a_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
