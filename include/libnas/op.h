/* op.h: operations of one's own. An operation is what an alternative of a decision builds.
 *
 * Register a name and a table with a context; spaces made afterwards may name it wherever they
 * name an operation. The built-in operations (nor_conv_3x3, skip_connect, ...) are registered the
 * same way. A space holds the tables that it uses: `self` is destroyed when the context and the
 * last such space are gone.
 *
 * Networks are built for a batch of images N, H, W, C. Both calls must be pure: the same site and
 * inputs give the same answer. */
#ifndef LIBNAS_OP_H
#define LIBNAS_OP_H
#include "base.h"
NAS_EXTERN_C_BEGIN

typedef struct {
    int64_t n, h, w, c;
} nas_shape;

/* What an operation costs beyond what its nodes tell by themselves: leave zero to have parameters
 * and multiply-accumulates counted from the graph that `build` makes. */
typedef struct {
    int64_t params, macs;          /* trained numbers; multiply-accumulates for one image */
    int64_t activation_bytes;      /* of its largest intermediate, for one image */
} nas_cost;

/* Where an alternative stands. */
typedef struct {
    uint32_t struct_size, flags;
    const char *name;      /* of the operation, as registered; borrowed */
    const char *scope;     /* prefix of its variables, "cells.3.edges.1<-0."; borrowed */
    int32_t stride;        /* 1, or 2 in a reduction */
    int32_t affine;        /* batch norms of the template have scale and offset */
    int32_t track;         /* batch norms keep running statistics */
    int32_t training;      /* the graph is for training */
    int64_t channels;      /* wanted at the output; 0: as the input */
    double bn_epsilon, bn_momentum;
} nas_op_site;

typedef uint32_t nas_node; /* a tensor in a graph */
#define NAS_NODE_NONE UINT32_MAX

typedef struct {
    uint32_t struct_size, flags; /* flags: 0 */
    /* Shape of the output for these n inputs, without building; may add to *cost. NULL: found by
     * building it into a graph that is thrown away. */
    nas_status (*shape)(void *self, const nas_op_site *at, const nas_shape *in, uint32_t n,
                        nas_shape *out, nas_cost *cost);
    nas_status (*build)(void *self, nas_graph *graph, const nas_op_site *at, const nas_node *in,
                        uint32_t n, nas_node *out);
    void (*destroy)(void *self); /* NULL: nothing to do */
} nas_op_ops;

/* NAS_E_EXISTS if the name is taken. The table is copied; self is borrowed until destroy. Takes
 * self only on success. */
NAS_API nas_status nas_op_register(nas_context *context, const char *name, const nas_op_ops *ops,
                                   void *self);
/* Name of the index-th registered operation (static until the context ends), NULL past the last. */
NAS_API const char *nas_op_name(const nas_context *context, uint32_t index);

/* ---- what build is made of. Shapes are checked; a misfit is NAS_E_SHAPE and names the node. ---- */

typedef struct {
    uint32_t struct_size, flags;
    int64_t filters;               /* output channels */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;    /* 1 */
    int32_t dilation_h, dilation_w;/* 1 */
    int32_t pad_h, pad_w;          /* each side; -1: (kernel - 1) * dilation / 2 */
    int32_t groups;                /* 1; 0 or the number of channels: depthwise */
    int32_t bias;                  /* 0 */
} nas_conv_options;
#define NAS_CONV_OPTIONS_INIT                                                                      \
    {sizeof(nas_conv_options), 0, 0, 3, 3, 1, 1, 1, 1, -1, -1, 1, 0}
NAS_API void nas_conv_options_init(nas_conv_options *options);

/* `name` is added to the site's scope to name the variables: "conv" gives "...conv.weight". */
NAS_API nas_status nas_graph_conv(nas_graph *graph, const char *name, nas_node in,
                                  const nas_conv_options *options, nas_node *out);
/* affine, tracked: 0 or 1 */
NAS_API nas_status nas_graph_batch_norm(nas_graph *graph, const char *name, nas_node in,
                                        int32_t affine, int32_t tracked, double epsilon,
                                        double momentum, nas_node *out);
NAS_API nas_status nas_graph_linear(nas_graph *graph, const char *name, nas_node in,
                                    int64_t features, int32_t bias, nas_node *out);
/* Over the channels of each pixel, biased variance (PyTorch's LayerNorm(C) of N, H, W, C); affine:
 * "name.weight" and "name.bias", C each. */
NAS_API nas_status nas_graph_layer_norm(nas_graph *graph, const char *name, nas_node in,
                                        int32_t affine, double epsilon, nas_node *out);
NAS_API nas_status nas_graph_relu(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_relu6(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_tanh(nas_graph *graph, nas_node in, nas_node *out);
/* min(max(x + 3, 0), 6) / 6, and x times that */
NAS_API nas_status nas_graph_hard_sigmoid(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_hard_swish(nas_graph *graph, nas_node in, nas_node *out);
/* Over the channels of each pixel. */
NAS_API nas_status nas_graph_softmax(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_log_softmax(nas_graph *graph, nas_node in, nas_node *out);
/* padding each side, -1: (kernel - 1) / 2; padding is not counted in the average */
NAS_API nas_status nas_graph_max_pool(nas_graph *graph, nas_node in, int32_t kernel, int32_t stride,
                                      int32_t pad, nas_node *out);
NAS_API nas_status nas_graph_avg_pool(nas_graph *graph, nas_node in, int32_t kernel, int32_t stride,
                                      int32_t pad, nas_node *out);
NAS_API nas_status nas_graph_global_pool(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_add(nas_graph *graph, const nas_node *in, uint32_t n, nas_node *out);
/* a times b: b of a's shape, or N, 1, 1, C (a number for each image and channel), or N, 1, 1, 1, or
 * 1, 1, 1, C, or 1, 1, 1, 1 */
NAS_API nas_status nas_graph_mul(nas_graph *graph, nas_node a, nas_node b, nas_node *out);
NAS_API nas_status nas_graph_scale(nas_graph *graph, nas_node in, double factor, nas_node *out);
NAS_API nas_status nas_graph_sigmoid(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_concat(nas_graph *graph, const nas_node *in, uint32_t n, nas_node *out);
NAS_API nas_status nas_graph_zero(nas_graph *graph, nas_node in, int32_t stride, nas_node *out);
NAS_API nas_status nas_graph_dropout(nas_graph *graph, nas_node in, double drop, nas_node *out);
/* Squeeze and excitation (Hu et al., CVPR 2018): in times a gate for each image and channel, made from
 * the image's means by "name.fc1" to `hidden`, ReLU, "name.fc2" back to C (1x1 convolutions with
 * biases), and a sigmoid (hard 0) or a hard sigmoid (1, MobileNetV3's). */
NAS_API nas_status nas_graph_squeeze_excite(nas_graph *graph, const char *name, nas_node in,
                                            int64_t hidden, int32_t hard, nas_node *out);
/* ReLU, two 1x1 convolutions of stride 2 ("name.conv_1", and "name.conv_2" of the image without its
 * first row and column), side by side, batch norm ("name.bn"): DARTS's FactorizedReduce. Odd sizes get
 * a row or column of zeros. N, H, W, C to N, H / 2 and W / 2 rounded up, filters. */
NAS_API nas_status nas_graph_factorized_reduce(nas_graph *graph, const char *name, nas_node in,
                                               int64_t filters, int32_t affine, int32_t tracked,
                                               double epsilon, double momentum, nas_node *out);
/* N, H, W, C to N, height, width, C. linear 0: the nearest pixel, floor(row * H / height); 1: bilinear
 * between pixels' middles (PyTorch's interpolate with align_corners=False; ONNX's half_pixel). */
NAS_API nas_status nas_graph_resize(nas_graph *graph, nas_node in, int64_t height, int64_t width,
                                    int32_t linear, nas_node *out);
/* in: N, H, W, 1 of whole numbers 0 .. entries - 1 (any other ends the run with an error that names the
 * node); out: N, H, W, features, rows of "name.weight" (entries x features, first N(0, 1)). */
NAS_API nas_status nas_graph_embedding(nas_graph *graph, const char *name, nas_node in,
                                       int64_t entries, int64_t features, nas_node *out);
/* One step of an LSTM (PyTorch's LSTMCell, its names and first values: "name.weight_ih", "weight_hh",
 * "bias_ih", "bias_hh"). in: N, 1, 1, C; h and c: N, 1, 1, units, or NAS_NODE_NONE for zeros. Steps with
 * one name share its variables. */
NAS_API nas_status nas_graph_lstm_cell(nas_graph *graph, const char *name, nas_node in, nas_node h,
                                       nas_node c, int64_t units, nas_node *h_out, nas_node *c_out);
/* Mean over all elements of (a - b)^2: 1, 1, 1, 1. */
NAS_API nas_status nas_graph_mean_squared_error(nas_graph *graph, nas_node a, nas_node b,
                                                nas_node *out);
NAS_API nas_status nas_graph_shape(const nas_graph *graph, nas_node in, nas_shape *out);

NAS_EXTERN_C_END
#endif
