/* The operations that come with the library, registered like anybody's own. Each is a short recipe
 * of public graph builders, with the names of variables that the reference codes use:
 * NAS-Bench-201 (Dong & Yang, ICLR 2020; xautodl/models/cell_operations.py) for nor_conv and the
 * pools, DARTS (Liu et al., ICLR 2019; cnn/operations.py) for sep_conv, dil_conv, conv_7x1_1x7 and
 * the factorised reduction that skip_connect becomes at stride 2, NAS-Bench-101 (Ying et al., ICML
 * 2019; nasbench/lib/base_ops.py) for convKxK-bn-relu, ProxylessNAS (Cai et al., ICLR 2019;
 * search/modules/layers.py) for mbconv, NAS-Bench-Macro (Su et al., 2021; train/model.py) for
 * mbconv-relu and identity, MobileNetV3 (Howard et al., ICCV 2019; torchvision's InvertedResidual)
 * for mbconv-se, ENAS (Pham et al., ICML 2018; src/cifar10) for sepconvKxK-bn-relu. */
#include <math.h>
#include "internal.h"

typedef enum {
    OP_NONE,
    OP_SKIP,
    OP_CONV,
    OP_SEP,
    OP_DIL,
    OP_DWS,
    OP_MAX_POOL,
    OP_AVG_POOL,
    OP_CONV_BN_RELU, /* no rectifier before */
    OP_SEP_BN_RELU,  /* depthwise, pointwise, batch norm, rectifier */
    OP_TWO_CONV,     /* 1 x k, k x 1 */
    OP_MBCONV,
    OP_MBCONV_SE, /* with hard swish, squeeze and excitation */
    OP_IDENTITY   /* 1x1 convolution and batch norm where the shape changes */
} op_kind;
typedef struct {
    const char *name;
    op_kind kind;
    int32_t kernel, expand; /* expand: of an inverted bottleneck */
    double clamp;           /* its rectifier */
} op_recipe;
#define MBCONV_SE(k, e)                                                                            \
    { "mbconv-se_" #k "x" #k "_e" #e, OP_MBCONV_SE, k, e, 0 }
#define MBCONV(k, e)                                                                               \
    {"mbconv_" #k "x" #k "_e" #e, OP_MBCONV, k, e, 6}, {                                           \
        "mbconv-relu_" #k "x" #k "_e" #e, OP_MBCONV, k, e, INFINITY                                \
    }

/* Constant: `self` of the registered tables points here, and is never written through. */
static const op_recipe recipes[] = {
    {"none", OP_NONE, 0, 0, 0},
    {"skip_connect", OP_SKIP, 0, 0, 0},
    {"nor_conv_1x1", OP_CONV, 1, 0, 0},
    {"nor_conv_3x3", OP_CONV, 3, 0, 0},
    {"nor_conv_5x5", OP_CONV, 5, 0, 0},
    {"nor_conv_7x7", OP_CONV, 7, 0, 0},
    {"sep_conv_3x3", OP_SEP, 3, 0, 0},
    {"sep_conv_5x5", OP_SEP, 5, 0, 0},
    {"sep_conv_7x7", OP_SEP, 7, 0, 0},
    {"dil_conv_3x3", OP_DIL, 3, 0, 0},
    {"dil_conv_5x5", OP_DIL, 5, 0, 0},
    {"dws_conv_3x3", OP_DWS, 3, 0, 0}, /* one depthwise-separable layer: half of a sep_conv */
    {"dws_conv_5x5", OP_DWS, 5, 0, 0},
    {"max_pool_3x3", OP_MAX_POOL, 3, 0, 0},
    {"max_pool_5x5", OP_MAX_POOL, 5, 0, 0},
    {"max_pool_7x7", OP_MAX_POOL, 7, 0, 0},
    {"avg_pool_3x3", OP_AVG_POOL, 3, 0, 0},
    {"conv_7x1_1x7", OP_TWO_CONV, 7, 0, 0},
    {"conv_3x1_1x3", OP_TWO_CONV, 3, 0, 0},
    {"conv1x1-bn-relu", OP_CONV_BN_RELU, 1, 0, 0},
    {"conv3x3-bn-relu", OP_CONV_BN_RELU, 3, 0, 0},
    {"conv5x5-bn-relu", OP_CONV_BN_RELU, 5, 0, 0},
    {"sepconv3x3-bn-relu", OP_SEP_BN_RELU, 3, 0, 0},
    {"sepconv5x5-bn-relu", OP_SEP_BN_RELU, 5, 0, 0},
    {"maxpool3x3", OP_MAX_POOL, 3, 0, 0}, /* NAS-Bench-101's name of max_pool_3x3 */
    {"identity", OP_IDENTITY, 0, 0, 0},
    MBCONV(3, 1),
    MBCONV(3, 3),
    MBCONV(3, 6),
    MBCONV(5, 1),
    MBCONV(5, 3),
    MBCONV(5, 6),
    MBCONV(7, 1),
    MBCONV(7, 3),
    MBCONV(7, 6),
    MBCONV_SE(3, 3),
    MBCONV_SE(3, 6),
    MBCONV_SE(5, 3),
    MBCONV_SE(5, 6),
};

static nas_status bn(nas_graph *g, const nas_op_site *at, const char *name, nas_node *x) {
    return nas_graph_batch_norm(g, name, *x, at->affine, at->track, at->bn_epsilon, at->bn_momentum,
                                x);
}

static nas_status conv(nas_graph *g, const char *name, int32_t kernel, int32_t stride,
                       int32_t dilation, int64_t filters, bool depthwise, nas_node *x) {
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    o.filters = filters;
    o.kernel_h = o.kernel_w = kernel;
    o.stride_h = o.stride_w = stride;
    o.dilation_h = o.dilation_w = dilation;
    o.groups = depthwise ? 0 : 1;
    return nas_graph_conv(g, name, *x, &o, x);
}

static nas_status activation(nas_graph *g, const op_recipe *r, nas_node *x) {
    return r->kind == OP_MBCONV_SE ? nas_graph_hard_swish(g, *x, x) : ni_relu(g, *x, r->clamp, x);
}

/* The nearest multiple of 8, and not 0: widths of MobileNet's. */
static int64_t eighths(int64_t width) {
    return width < 8 ? 8 : (width + 4) / 8 * 8;
}

/* Inverted bottleneck: expand, depthwise, project; added to its input where the shape stays. */
static nas_status mbconv(nas_graph *g, const nas_op_site *at, const op_recipe *r, int64_t filters,
                         nas_node x, nas_node *out) {
    nas_shape shape;
    nas_node y = x;
    NI_TRY(nas_graph_shape(g, x, &shape));
    bool gated = r->kind == OP_MBCONV_SE;
    if (r->expand != 1) {
        NI_TRY(conv(g, "inverted_bottleneck.conv", 1, 1, 1, shape.c * r->expand, false, &y));
        NI_TRY(bn(g, at, "inverted_bottleneck.bn", &y));
        NI_TRY(activation(g, r, &y));
    }
    NI_TRY(conv(g, "depth_conv.conv", r->kernel, at->stride, 1, shape.c * r->expand, true, &y));
    NI_TRY(bn(g, at, "depth_conv.bn", &y));
    NI_TRY(activation(g, r, &y));
    if (gated)
        NI_TRY(nas_graph_squeeze_excite(g, "depth_conv.se", y, eighths(shape.c * r->expand / 4), 1,
                                        &y));
    NI_TRY(conv(g, "point_linear.conv", 1, 1, 1, filters, false, &y));
    NI_TRY(bn(g, at, "point_linear.bn", &y));
    nas_node both[2] = {x, y};
    if (at->stride == 1 && filters == shape.c) return nas_graph_add(g, both, 2, out);
    *out = y;
    return NAS_OK;
}

static nas_status two_convolutions(nas_graph *g, const nas_op_site *at, int32_t k, int64_t filters,
                                   nas_node x, nas_node *out) {
    nas_conv_options o = NAS_CONV_OPTIONS_INIT;
    o.filters = filters;
    o.kernel_h = 1;
    o.kernel_w = k;
    o.stride_w = at->stride;
    NI_TRY(nas_graph_relu(g, x, &x));
    NI_TRY(nas_graph_conv(g, "op.1", x, &o, &x));
    o.kernel_h = k;
    o.kernel_w = 1;
    o.stride_h = at->stride;
    o.stride_w = 1;
    NI_TRY(nas_graph_conv(g, "op.2", x, &o, &x));
    NI_TRY(bn(g, at, "op.3", &x));
    *out = x;
    return NAS_OK;
}

static nas_status build(void *self, nas_graph *g, const nas_op_site *at, const nas_node *in,
                        uint32_t n, nas_node *out) {
    const op_recipe *r = self;
    nas_shape shape;
    if (n != 1)
        return ni_fail(ni_graph_context(g), NAS_E_INVALID, "operation '%s' takes one input",
                       at->name);
    nas_node x = in[0];
    NI_TRY(nas_graph_shape(g, x, &shape));
    int64_t filters = at->channels ? at->channels : shape.c;
    int32_t k = r->kernel, stride = at->stride;
    switch (r->kind) {
    case OP_NONE:
        NI_TRY(nas_graph_zero(g, x, stride, &x));
        break;
    case OP_SKIP:
        if (stride != 1)
            return ni_halves(g, "conv_1", "conv_2", "bn", filters, true, at->affine, at->track,
                             at->bn_epsilon, at->bn_momentum, x, out);
        break;
    case OP_IDENTITY:
        if (stride == 1 && filters == shape.c) break;
        NI_TRY(conv(g, "op.0", 1, stride, 1, filters, false, &x));
        NI_TRY(bn(g, at, "op.1", &x));
        break;
    case OP_MBCONV:
    case OP_MBCONV_SE:
        return mbconv(g, at, r, filters, x, out);
    case OP_TWO_CONV:
        return two_convolutions(g, at, k, filters, x, out);
    case OP_CONV_BN_RELU:
        NI_TRY(conv(g, "0", k, stride, 1, filters, false, &x));
        NI_TRY(bn(g, at, "1", &x));
        NI_TRY(nas_graph_relu(g, x, &x));
        break;
    case OP_SEP_BN_RELU:
        NI_TRY(conv(g, "depthwise", k, stride, 1, shape.c, true, &x));
        NI_TRY(conv(g, "pointwise", 1, 1, 1, filters, false, &x));
        NI_TRY(bn(g, at, "bn", &x));
        NI_TRY(nas_graph_relu(g, x, &x));
        break;
    case OP_CONV:
        NI_TRY(nas_graph_relu(g, x, &x));
        NI_TRY(conv(g, "op.1", k, stride, 1, filters, false, &x));
        NI_TRY(bn(g, at, "op.2", &x));
        break;
    case OP_SEP:
        NI_TRY(nas_graph_relu(g, x, &x));
        NI_TRY(conv(g, "op.1", k, stride, 1, shape.c, true, &x));
        NI_TRY(conv(g, "op.2", 1, 1, 1, shape.c, false, &x));
        NI_TRY(bn(g, at, "op.3", &x));
        NI_TRY(nas_graph_relu(g, x, &x));
        NI_TRY(conv(g, "op.5", k, 1, 1, shape.c, true, &x));
        NI_TRY(conv(g, "op.6", 1, 1, 1, filters, false, &x));
        NI_TRY(bn(g, at, "op.7", &x));
        break;
    case OP_DIL:
    case OP_DWS:
        NI_TRY(nas_graph_relu(g, x, &x));
        NI_TRY(conv(g, "op.1", k, stride, r->kind == OP_DIL ? 2 : 1, shape.c, true, &x));
        NI_TRY(conv(g, "op.2", 1, 1, 1, filters, false, &x));
        NI_TRY(bn(g, at, "op.3", &x));
        break;
    case OP_MAX_POOL:
        NI_TRY(nas_graph_max_pool(g, x, k, stride, -1, &x));
        break;
    case OP_AVG_POOL:
        NI_TRY(nas_graph_avg_pool(g, x, k, stride, -1, &x));
        break;
    }
    *out = x;
    return NAS_OK;
}

typedef struct {
    ni_mutex *lock;
    bool registered;
} rooms_slot;

static void slot_free(nas_context *context, void *data) {
    rooms_slot *slot = data;
    ni_mutex_free(slot->lock);
    ni_free(context, slot);
}

static nas_status slot_create(void **out, nas_context *context) {
    rooms_slot *slot = ni_calloc(context, 1, sizeof *slot);
    if (!slot) return NAS_E_MEMORY;
    if (ni_mutex_create(&slot->lock, context) < 0) {
        ni_free(context, slot);
        return NAS_E_MEMORY;
    }
    *out = slot;
    return NAS_OK;
}

nas_status ni_operations_register(nas_context *context) {
    void *data;
    NI_TRY(ni_context_slot(&data, context, NI_SLOT_SPACES, slot_create, slot_free));
    rooms_slot *slot = data;
    nas_status status = NAS_OK;
    ni_mutex_lock(slot->lock);
    if (!slot->registered) {
        const nas_op_ops ops = {sizeof ops, 0, NULL, build, NULL};
        for (size_t i = 0; status >= 0 && i < NI_COUNT(recipes); i++) {
            status =
                nas_op_register(context, recipes[i].name, &ops, (void *)(uintptr_t)&recipes[i]);
            /* made at an earlier try, which ran out of memory later on */
            if (status == NAS_E_EXISTS) status = NAS_OK;
        }
        slot->registered = status >= 0;
    }
    ni_mutex_unlock(slot->lock);
    return status;
}
