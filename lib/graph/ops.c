/* The table of operations: one row each. A test goes over it: every row has a case there. */
#include <assert.h>
#include "program.h"

#define ALL   UINT32_MAX
#define PAIRS 0x55555555u /* each first of a pair */
#define IMG   NI_OP_BY_IMAGE
#define JOIN  (NI_OP_BY_IMAGE | NI_OP_JOINS)
#define S(x)  ni_scratch_##x
#define P(x)  ni_prepare_##x
#define R(x)  ni_range_##x
#define F(x)  ni_finish_##x

/* clang-format off */
/* name, flags, in_place, zero_in, least_in, most_in, optional, labels, shape, gradient, by_image,
 * scratch, prepare, range, finish, run */
const ni_op_info ni_ops[] = {
    [NI_OP_INPUT] = {"input", NI_OP_LEAF, 0, 0, 0, 0, 0, 0, ni_shape_of_leaf, NULL, 0, NULL, NULL, NULL, NULL, NULL},
    [NI_OP_LABELS] = {"labels", NI_OP_LEAF, 0, 0, 0, 0, 0, 0, ni_shape_of_leaf, NULL, 0, NULL, NULL, NULL, NULL, NULL},
    [NI_OP_VARIABLE] = {"variable", NI_OP_LEAF, 0, 0, 0, 0, 0, 0, ni_shape_of_leaf, NULL, 0, NULL, NULL, NULL, NULL, NULL},
    [NI_OP_CONSTANT] = {"constant", NI_OP_LEAF, 0, 0, 0, 0, 0, 0, ni_shape_of_leaf, NULL, 0, NULL, NULL, NULL, NULL, NULL},
    [NI_OP_CONV] = {"conv", IMG, 0, 3, 2, 2, 0, 0, ni_shape_of_conv, ni_vjp_conv, 1, S(conv), P(conv), R(conv), NULL, NULL},
    [NI_OP_CONV_DX] = {"conv_input_gradient", IMG, 0, 3, 2, 2, 0, 0, ni_shape_of_conv_dx, ni_vjp_conv_dx, 13, S(conv), P(conv), R(conv_dx), NULL, NULL},
    [NI_OP_CONV_DW] = {"conv_weight_gradient", JOIN | NI_OP_ADDS, 0, 3, 2, 2, 0, 0, ni_shape_of_conv_dw, ni_vjp_conv_dw, 3, S(conv_dw), NULL, R(conv_dw), F(conv_dw), NULL},
    [NI_OP_MATMUL] = {"matmul", 0, 0, 3, 2, 2, 0, 0, ni_shape_of_matmul, ni_vjp_matmul, 0, S(matmul), NULL, R(matmul), NULL, NULL},
    [NI_OP_MAX_POOL] = {"max_pool", IMG, 0, 1, 1, 1, 0, 0, ni_shape_of_pool, ni_vjp_max_pool, 1, S(pool), NULL, R(pool), NULL, NULL},
    [NI_OP_MAX_POOL_DX] = {"max_pool_gradient", IMG, 0, 2, 2, 2, 0, 0, ni_shape_of_pool_dx, ni_vjp_max_pool_dx, 3, S(pool), NULL, R(pool), NULL, NULL},
    [NI_OP_MAX_POOL_PICK] = {"max_pool_pick", IMG, 0, 2, 2, 2, 0, 0, ni_shape_of_pool_pick, ni_vjp_max_pool_dx, 3, S(pool), NULL, R(pool), NULL, NULL},
    [NI_OP_AVG_POOL] = {"avg_pool", IMG, 0, 1, 1, 1, 0, 0, ni_shape_of_pool, ni_vjp_avg_pool, 1, S(pool), NULL, R(pool), NULL, NULL},
    [NI_OP_AVG_POOL_DX] = {"avg_pool_gradient", IMG, 0, 1, 1, 1, 0, 0, ni_shape_of_pool_dx, ni_vjp_avg_pool_dx, 1, S(pool), NULL, R(pool), NULL, NULL},
    [NI_OP_ADD] = {"add", IMG, ALL, 0, 1, ALL, 0, 0, ni_shape_of_same, ni_vjp_add, ALL, S(add), NULL, R(add), NULL, NULL},
    [NI_OP_MUL] = {"mul", IMG, 3, 3, 2, 2, 0, 0, ni_shape_of_same, ni_vjp_mul, 3, S(elements), NULL, R(elements), NULL, NULL},
    [NI_OP_SCALE] = {"scale", IMG, 1, 0, 1, 1, 0, 0, ni_shape_of_same, ni_vjp_scale, 1, S(elements), NULL, R(elements), NULL, NULL},
    [NI_OP_MUL_SCALAR] = {"mul_scalar", IMG, 1, 3, 2, 2, 0, 0, ni_shape_of_mul_scalar, ni_vjp_mul_scalar, 1, S(elements), NULL, R(elements), NULL, NULL},
    [NI_OP_AFFINE] = {"affine", IMG, 1, 0, 3, 3, 6, 0, ni_shape_of_affine, ni_vjp_affine, 1, S(affine), P(affine), R(affine), NULL, NULL},
    [NI_OP_MUL_ROW] = {"mul_row", IMG, 1, 3, 2, 2, 0, 0, ni_shape_of_mul_row, ni_vjp_mul_row, 3, S(mul_row), NULL, R(mul_row), NULL, NULL},
    [NI_OP_RELU] = {"relu", IMG, 1, 1, 1, 1, 0, 0, ni_shape_of_same, ni_vjp_relu, 1, S(elements), NULL, R(elements), NULL, NULL},
    [NI_OP_RELU_DX] = {"relu_gradient", IMG, 3, 3, 2, 2, 0, 0, ni_shape_of_same, ni_vjp_relu_dx, 3, S(elements), NULL, R(elements), NULL, NULL},
    [NI_OP_UNARY] = {"unary", IMG, 1, 0, 1, 1, 0, 0, ni_shape_of_same, ni_vjp_unary, 1, S(elements), NULL, R(elements), NULL, NULL},
    [NI_OP_SUM] = {"sum", 0, 0, 3, 1, 2, 0, 0, ni_shape_of_sum, ni_vjp_sum, 0, S(sum), NULL, R(sum), F(sum), NULL},
    [NI_OP_BROADCAST] = {"broadcast", 0, 0, 1, 1, 1, 0, 0, ni_shape_of_broadcast, ni_vjp_broadcast, 0, S(rows), NULL, R(broadcast), NULL, NULL},
    [NI_OP_CONCAT] = {"concat", IMG, 0, 0, 1, ALL, 0, 0, ni_shape_of_concat, ni_vjp_concat, ALL, S(outer), NULL, R(concat), NULL, NULL},
    [NI_OP_SLICE] = {"slice", IMG, 0, 1, 1, 1, 0, 0, ni_shape_of_slice, ni_vjp_slice, 1, S(outer), NULL, R(slice), NULL, NULL},
    [NI_OP_PAD] = {"pad", IMG, 0, 1, 1, 1, 0, 0, ni_shape_of_pad, ni_vjp_pad, 1, S(outer), NULL, R(pad), NULL, NULL},
    [NI_OP_RESHAPE] = {"reshape", NI_OP_VIEW, 0, 1, 1, 1, 0, 0, ni_shape_of_reshape, ni_vjp_reshape, 1, S(none), NULL, NULL, NULL, NULL},
    [NI_OP_STOP] = {"stop_gradient", NI_OP_VIEW, 0, 1, 1, 1, 0, 0, ni_shape_of_same, NULL, 1, S(none), NULL, NULL, NULL, NULL},
    [NI_OP_BN_STATS] = {"bn_stats", JOIN, 0, 1, 1, 1, 0, 0, ni_shape_of_bn_stats, ni_vjp_bn_stats, 1, S(bn_sums), NULL, R(bn_stats), F(bn_stats), NULL},
    [NI_OP_BN_NORMALIZE] = {"bn_normalize", IMG, 1, 0, 4, 4, 12, 0, ni_shape_of_bn_normalize, ni_vjp_bn_normalize, 1, S(bn_rows), P(bn_normalize), R(bn_normalize), NULL, NULL},
    [NI_OP_BN_DSUMS] = {"bn_gradient_sums", JOIN, 0, 4, 3, 3, 0, 0, ni_shape_of_bn_dsums, ni_vjp_bn_dsums, 5, S(bn_sums), NULL, R(bn_dsums), F(bn_dsums), NULL},
    [NI_OP_BN_DX] = {"bn_gradient", IMG, 9, 0, 5, 5, 4, 0, ni_shape_of_bn_dx, ni_vjp_bn_dx, 9, S(bn_rows), P(bn_dx), R(bn_dx), NULL, NULL},
    [NI_OP_SOFTMAX] = {"softmax", 0, 1, 0, 1, 1, 0, 0, ni_shape_of_rows, ni_vjp_softmax, 0, S(rows), NULL, R(softmax), NULL, NULL},
    [NI_OP_LOG_SOFTMAX] = {"log_softmax", 0, 1, 0, 1, 1, 0, 0, ni_shape_of_rows, ni_vjp_log_softmax, 0, S(rows), NULL, R(softmax), NULL, NULL},
    [NI_OP_CROSS_ENTROPY] = {"cross_entropy", 0, 0, 0, 2, 2, 0, 2, ni_shape_of_loss, ni_vjp_cross_entropy, 0, S(loss), NULL, NULL, NULL, ni_run_cross_entropy},
    [NI_OP_TARGET] = {"target", 0, 0, 0, 1, 1, 0, 1, ni_shape_of_target, NULL, 0, S(none), NULL, NULL, NULL, ni_run_target},
    [NI_OP_COUNTED] = {"counted", 0, 0, 0, 1, 1, 0, 1, ni_shape_of_target, NULL, 0, S(none), NULL, NULL, NULL, ni_run_counted},
    [NI_OP_CORRECT] = {"correct", 0, 0, 0, 2, 2, 0, 2, ni_shape_of_loss, NULL, 0, S(none), NULL, NULL, NULL, ni_run_correct},
    [NI_OP_BN_VECTORS] = {"bn_vectors", NI_OP_PLANNED, 0, 0, 4, 4, 15, 0, NULL, NULL, 0, S(none), NULL, NULL, NULL, ni_run_bn_vectors},
    [NI_OP_NORM_SUM] = {"norm_sum", IMG | NI_OP_PLANNED, PAIRS, 0, 2, ALL, 0, 0, NULL, NULL, PAIRS, S(norm_sum), NULL, R(norm_sum), NULL, NULL},
    [NI_OP_MUL_IMAGE] = {"mul_image", IMG, 1, 3, 2, 2, 0, 0, ni_shape_of_mul_image, ni_vjp_mul_image, 3, S(mul_image), P(mul_image), R(mul_image), NULL, NULL},
    [NI_OP_LAYER_NORM] = {"layer_norm", IMG, 1, 1, 1, 1, 0, 0, ni_shape_of_same, ni_vjp_layer_norm, 1, S(rows), NULL, R(layer_norm), NULL, NULL},
    [NI_OP_LAYER_NORM_DX] = {"layer_norm_gradient", IMG, 2, 2, 2, 2, 0, 0, ni_shape_of_same, ni_vjp_layer_norm_dx, 3, S(rows), NULL, R(layer_norm), NULL, NULL},
    [NI_OP_RESIZE] = {"resize", IMG, 0, 1, 1, 1, 0, 0, ni_shape_of_resize, ni_vjp_resize, 1, S(resize), NULL, R(resize), NULL, NULL},
    [NI_OP_RESIZE_DX] = {"resize_gradient", IMG, 0, 1, 1, 1, 0, 0, ni_shape_of_resize, ni_vjp_resize, 1, S(resize), NULL, R(resize), NULL, NULL},
    [NI_OP_EMBED] = {"embedding", 0, 0, 2, 2, 2, 0, 0, ni_shape_of_embed, ni_vjp_embed, 0, S(rows), P(embed), R(embed), NULL, NULL},
    [NI_OP_EMBED_DX] = {"embedding_gradient", 0, 0, 2, 2, 2, 0, 0, ni_shape_of_embed, ni_vjp_embed_dx, 0, S(none), NULL, NULL, NULL, ni_run_embed_dx},
    [NI_OP_DROPOUT_MASK] = {"dropout_mask", IMG, 0, 0, 0, 0, 0, 0, ni_shape_of_leaf, NULL, 0, S(elements), NULL, R(dropout_mask), NULL, NULL},
};
/* clang-format on */

static_assert(sizeof ni_ops / sizeof ni_ops[0] == NI_OP_COUNT, "an operation has no row");
