/* The operations that come with the library, registered like anybody's own. Each is a short recipe
 * of public graph builders, with the names of variables that the reference codes use:
 * NAS-Bench-201 (Dong & Yang, ICLR 2020; xautodl/models/cell_operations.py) for nor_conv and the
 * pools, DARTS (Liu et al., ICLR 2019; cnn/operations.py) for sep_conv, dil_conv and the factorised
 * reduction that skip_connect becomes at stride 2. */
#include "internal.h"

typedef enum {
    OP_NONE,
    OP_SKIP,
    OP_CONV,
    OP_SEP,
    OP_DIL,
    OP_DWS,
    OP_MAX_POOL,
    OP_AVG_POOL
} op_kind;
typedef struct {
    const char *name;
    op_kind kind;
    int32_t kernel;
} op_recipe;

/* Constant: `self` of the registered tables points here, and is never written through. */
static const op_recipe recipes[] = {
    {"none", OP_NONE, 0},
    {"skip_connect", OP_SKIP, 0},
    {"nor_conv_1x1", OP_CONV, 1},
    {"nor_conv_3x3", OP_CONV, 3},
    {"nor_conv_5x5", OP_CONV, 5},
    {"nor_conv_7x7", OP_CONV, 7},
    {"sep_conv_3x3", OP_SEP, 3},
    {"sep_conv_5x5", OP_SEP, 5},
    {"sep_conv_7x7", OP_SEP, 7},
    {"dil_conv_3x3", OP_DIL, 3},
    {"dil_conv_5x5", OP_DIL, 5},
    {"dws_conv_3x3", OP_DWS, 3}, /* one depthwise-separable layer: half of a sep_conv */
    {"dws_conv_5x5", OP_DWS, 5},
    {"max_pool_3x3", OP_MAX_POOL, 3},
    {"avg_pool_3x3", OP_AVG_POOL, 3},
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

/* ReLU, then two 1x1 convolutions of stride 2, the second on the image shifted by one pixel. */
static nas_status factorised_reduce(nas_graph *g, const nas_op_site *at, nas_node x,
                                    int64_t filters, nas_node *out) {
    nas_node halves[2];
    nas_shape shape;
    NI_TRY(nas_graph_relu(g, x, &x));
    NI_TRY(nas_graph_shape(g, x, &shape));
    halves[0] = halves[1] = x;
    if (shape.h < 2 || shape.w < 2)
        return ni_fail(ni_graph_context(g), NAS_E_SHAPE,
                       "%s at stride 2 needs an image of at least 2 x 2", at->name);
    NI_TRY(ni_slice(g, x, 1, 1, shape.h, 1, &halves[1]));
    NI_TRY(ni_slice(g, halves[1], 2, 1, shape.w, 1, &halves[1]));
    if (shape.h % 2 || shape.w % 2)
        return ni_fail(ni_graph_context(g), NAS_E_SHAPE,
                       "%s at stride 2 needs an even height and width", at->name);
    NI_TRY(conv(g, "conv_1", 1, 2, 1, filters / 2, false, &halves[0]));
    NI_TRY(conv(g, "conv_2", 1, 2, 1, filters - filters / 2, false, &halves[1]));
    NI_TRY(nas_graph_concat(g, halves, 2, &x));
    NI_TRY(bn(g, at, "bn", &x));
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
        if (stride != 1) return factorised_reduce(g, at, x, filters, out);
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
