/* What the files of this room share: the nodes of a graph, the table of operations, and the steps
 * of a program. Nothing outside lib/graph includes it. */
#ifndef NI_GRAPH_INTERNAL_H
#define NI_GRAPH_INTERNAL_H
#include "graph.h"

/* ---- operations ----------------------------------------------------------------------------- */

/* The set is closed under differentiation: each one's gradient is made of others of the list. */
typedef enum {
    NI_OP_INPUT,
    NI_OP_LABELS,
    NI_OP_VARIABLE,
    NI_OP_CONSTANT,
    NI_OP_CONV,          /* x, w; in a program also: vectors that x is read through */
    NI_OP_CONV_DX,       /* dy, w; in a program also: mask or none, what to add to or none, vectors
                            that the mask is read through */
    NI_OP_CONV_DW,       /* x, dy; in a program also: vectors that x is read through */
    NI_OP_MATMUL,        /* a, b */
    NI_OP_MAX_POOL,      /* x */
    NI_OP_MAX_POOL_DX,   /* x, dy */
    NI_OP_MAX_POOL_PICK, /* x, g */
    NI_OP_AVG_POOL,      /* x */
    NI_OP_AVG_POOL_DX,   /* dy */
    NI_OP_ADD,           /* any number */
    NI_OP_MUL,           /* a, b */
    NI_OP_SCALE,         /* x */
    NI_OP_MUL_SCALAR,    /* x, s */
    NI_OP_AFFINE,        /* x, scale or none, shift or none: for each channel */
    NI_OP_MUL_ROW,       /* x, r */
    NI_OP_RELU,          /* x */
    NI_OP_RELU_DX,       /* x, g */
    NI_OP_UNARY,         /* x */
    NI_OP_SUM,           /* x, or x and y: of their product. Over neighbouring dimensions */
    NI_OP_BROADCAST,     /* x */
    NI_OP_CONCAT,        /* any number */
    NI_OP_SLICE,         /* x */
    NI_OP_PAD,           /* x */
    NI_OP_RESHAPE,       /* x */
    NI_OP_STOP,          /* x */
    NI_OP_BN_STATS,      /* x: mean and biased variance, [2,1,1,C] */
    NI_OP_BN_NORMALIZE,  /* x, stats, scale or none, offset or none */
    NI_OP_BN_DSUMS,      /* x, stats, dy: sums of dy and of dy times the normalised x, [2,1,1,C]; in
                            a program also: a weight of dy */
    NI_OP_BN_DX,         /* x, stats, scale or none, dy, sums; in a program also: a weight of dy */
    NI_OP_SOFTMAX,       /* x: rows */
    NI_OP_LOG_SOFTMAX,   /* x: rows */
    NI_OP_CROSS_ENTROPY, /* logits, labels */
    NI_OP_TARGET,        /* labels: smoothed one-hot rows; zeros for -1 */
    NI_OP_COUNTED,       /* labels: 1 / how many are not -1, 0 for those that are, [N,1,1,1] */
    NI_OP_CORRECT,       /* logits, labels */
    NI_OP_DROPOUT_MASK,  /* nothing */
    NI_OP_MUL_IMAGE,     /* x, s: a number for each image and channel */
    NI_OP_LAYER_NORM,    /* x: over the channels of each pixel */
    NI_OP_LAYER_NORM_DX, /* x, dy */
    NI_OP_RESIZE,        /* x */
    NI_OP_RESIZE_DX,     /* dy */
    NI_OP_EMBED,         /* indices [N,H,W,1], table: rows of the table */
    NI_OP_EMBED_DX,      /* indices, dy: of the table */
    /* Of programs alone, made by fusion. */
    NI_OP_BN_VECTORS, /* stats, scale, offset, weight; each or none: scale and shift of a norm */
    NI_OP_NORM_SUM,   /* pairs of x and vectors or none: the sum of x scale + shift */
    NI_OP_COUNT
} ni_op;

/* What a node is beside its inputs. Zeroed before it is filled: nodes are compared by its bytes. */
typedef union {
    ni_conv conv;
    ni_pool pool;
    ni_resize resize;
    double value; /* constant */
    uint64_t
        number; /* input's number, variable's slot, unary's kind, rows of an embedding's table */
    struct {
        double a, b;
    } scale; /* a x + b */
    struct {
        double low, high;
    } clamp; /* relu */
    struct {
        uint32_t a, b;
    } transposed; /* matmul */
    struct {
        int64_t outer, mid, inner;
    } sum; /* over mid */
    struct {
        int64_t dimension, from, step, size;
    } slice; /* size: of the dimension sliced */
    struct {
        double epsilon, high;
    } bn; /* high: of a relu that a program fused */
    struct {
        double smoothing;
        int64_t classes;
    } labels;
    struct {
        double drop;
        uint64_t ordinal, scheduled; /* scheduled 1: times the run's drop_scale */
    } dropout;
} ni_attr;

typedef struct {
    uint32_t op;
    uint32_t n_in, first_in; /* in the graph's list of inputs; NI_NONE: an absent one */
    ni_shape shape;
    ni_attr attr;
    const char *label; /* in the graph's arena, or NULL */
} ni_node_data;

/* A running statistic that follows a node's batch statistics. */
typedef struct {
    ni_node stats;
    uint32_t mean_slot, var_slot;
    double momentum;
    int64_t count; /* elements a channel */
} ni_bn_update;

struct nas_graph {
    nas_context *context;
    ni_vars *vars;
    uint32_t dtype;
    ni_mode mode;
    ni_arena *arena;
    ni_map *known; /* hash of a node to its number: equal nodes are one */
    NI_ARRAY(ni_node_data) nodes;
    NI_ARRAY(ni_node) in;
    NI_ARRAY(ni_bn_update) updates;
    const char *scope; /* prefix of names; "" */
    const char *label; /* what new nodes are labelled with, or NULL */
    uint32_t inputs;   /* numbers given away */
    uint32_t dropouts;
    double drop_path;  /* of ni_drop_path */
    uint32_t programs; /* made of it: then it is frozen */
    ni_node auxiliary; /* NI_NONE: none */
    double auxiliary_weight;
};

static inline const ni_node_data *ni_at(const nas_graph *g, ni_node node) {
    return &g->nodes.items[node];
}
static inline ni_node ni_in(const nas_graph *g, ni_node node, uint32_t i) {
    return g->in.items[g->nodes.items[node].first_in + i];
}

/* Products and sums of counts that stop where more would not fit. */
#define NI_MACS_MOST (INT64_MAX / 2)
static inline int64_t ni_macs(const int64_t *by, int n) {
    int64_t product = 1;
    for (int i = 0; i < n; i++)
        if (__builtin_mul_overflow(product, by[i], &product)) return NI_MACS_MOST;
    return product < NI_MACS_MOST ? product : NI_MACS_MOST;
}
static inline int64_t ni_add_macs(int64_t a, int64_t b) {
    return a < NI_MACS_MOST - b ? a + b : NI_MACS_MOST;
}
static inline int64_t ni_conv_macs(const ni_conv *c) {
    const int64_t by[] = {c->n, c->oh, c->ow, c->co, c->kh, c->kw, c->ci / c->groups};
    return ni_macs(by, 7);
}

/* One gradient to be written: of node y, given dy, the gradient with respect to it. */
typedef struct {
    nas_graph *g;
    nas_status status; /* the first failure sticks */
    ni_node y, dy;
    const ni_node_data *node; /* a copy: the graph grows meanwhile */
    const ni_node *in;        /* a copy */
    const uint8_t *need;      /* for each input: is its gradient wanted */
    const uint8_t *target;    /* for each node: is it one of those differentiated to */
    ni_node *dx;              /* for each input; NI_NONE: zero */
} ni_vjp;

struct ni_step; /* program.h */
struct ni_lane;

enum {
    NI_OP_LEAF = 1,        /* computes nothing */
    NI_OP_CONSTANT_TO = 2, /* no gradient passes */
    NI_OP_VIEW = 4,        /* its output is its input's memory */
    NI_OP_BY_IMAGE = 8,    /* an image's part of the output is made from that image's inputs */
    NI_OP_JOINS = 16,      /* the output is joined from parts, each made from some images */
    NI_OP_ADDS = 32,       /* and a part may be made from more and more images */
    NI_OP_PLANNED = 64,    /* no node of a graph: only a step of a program */
};

typedef struct {
    const char *name;
    uint32_t flags;
    uint32_t in_place;          /* bit i: the output may take input i's memory */
    uint32_t zero_in;           /* bit i: the output is zero where input i is a constant zero */
    uint32_t least_in, most_in; /* inputs */
    uint32_t optional;          /* bit i: input i may be absent */
    uint32_t labels;            /* bit i: input i is labels; all others must not be */
    /* Checks the inputs and fills in node->shape (and what is open in node->attr). */
    nas_status (*shape)(nas_graph *g, ni_node_data *node, const ni_node *in);
    void (*gradient)(ni_vjp *v);
    uint32_t by_image; /* of those two kinds. bit i: input i is read image by image */
    /* Execution: see program.h. NULL: nothing to do. */
    void (*scratch)(const ni_program *p, struct ni_step *step);
    void (*prepare)(ni_program *p, const struct ni_step *step);
    void (*range)(const struct ni_lane *l, const struct ni_step *step, int64_t u0, int64_t u1,
                  uint32_t part);
    void (*finish)(ni_program *p, const struct ni_step *step);
    void (*run)(ni_program *p, const struct ni_step *step);
} ni_op_info;
extern const ni_op_info ni_ops[NI_OP_COUNT];

/* ---- building (graph.c, shapes.c) ----------------------------------------------------------- */

/* Is there a node like this? */
bool ni_node_known(const nas_graph *g, ni_op op, const ni_attr *attr, ni_shape shape,
                   const ni_node *in, uint32_t n, ni_node *out);
/* Adds a node, or finds the equal one. attr's unused bytes must be zero. shape: NULL, or wanted
 * where the operation cannot know it by itself. */
nas_status ni_node_add(nas_graph *g, ni_op op, const ni_attr *attr, const ni_shape *shape,
                       const ni_node *in, uint32_t n, ni_node *out);
#define NI_NODE_TEXT 192
/* "node 12 (conv 'cells.3.conv', 64x8x8x16)" into a buffer of NI_NODE_TEXT; returns it. */
const char *ni_node_text(const nas_graph *g, ni_node node, char *buffer);
nas_status ni_shape_fits(nas_graph *g, const char *what, ni_shape shape);
static inline bool ni_is_constant(const nas_graph *g, ni_node node, double value) {
    const ni_node_data *at = ni_at(g, node);
    return at->op == NI_OP_CONSTANT && at->attr.value == value;
}

nas_status ni_shape_of_leaf(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_conv(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_conv_dx(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_conv_dw(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_matmul(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_pool(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_pool_dx(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_pool_pick(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_same(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_mul_scalar(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_affine(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_mul_row(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_sum(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_broadcast(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_concat(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_slice(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_pad(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_reshape(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_bn_stats(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_bn_normalize(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_bn_dsums(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_bn_dx(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_rows(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_loss(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_target(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_mul_image(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_resize(nas_graph *g, ni_node_data *node, const ni_node *in);
nas_status ni_shape_of_embed(nas_graph *g, ni_node_data *node, const ni_node *in);
/* "conv of node 3 (...) and node 4 (...): <why>"; b may be NI_NONE */
nas_status ni_misfit(nas_graph *g, const ni_node_data *node, ni_node a, ni_node b, const char *why);

/* Builders that are this room's own. */
nas_status ni_affine(nas_graph *g, ni_node x, ni_node scale, ni_node shift, ni_node *out);
/* Sum of x, or of x * y, to a shape: each dimension as x's, or 1. */
nas_status ni_sum_to(nas_graph *g, ni_node x, ni_node y, ni_shape shape, ni_node *out);
nas_status ni_pad(nas_graph *g, ni_node x, int dimension, int64_t from, int64_t step, int64_t size,
                  ni_node *out);

/* What the public builders share (public.c). The node is there. */
nas_status ni_builder_enter(const nas_graph *g, nas_node in);
/* Adds or finds a variable of the graph's scope: "name" "tail"; var->name is set. */
nas_status ni_builder_variable(nas_graph *g, const char *name, const char *tail, ni_var *var,
                               ni_node *out);
void ni_builder_label(nas_graph *g, const char *name, ni_node node);
ni_var ni_builder_vector(int64_t channels, ni_var_kind kind, ni_init init, int64_t fan_in);
/* Adds "name.bias" to the node *out. */
nas_status ni_builder_bias(nas_graph *g, const char *name, int64_t channels, int64_t fan_in,
                           ni_node *out);

/* ---- gradients (rules.c, rules_bn.c, rules_layers.c)
 * -------------------------------------------------------- */
void ni_vjp_conv(ni_vjp *v);
void ni_vjp_conv_dx(ni_vjp *v);
void ni_vjp_conv_dw(ni_vjp *v);
void ni_vjp_matmul(ni_vjp *v);
void ni_vjp_max_pool(ni_vjp *v);
void ni_vjp_max_pool_dx(ni_vjp *v);
void ni_vjp_avg_pool(ni_vjp *v);
void ni_vjp_avg_pool_dx(ni_vjp *v);
void ni_vjp_add(ni_vjp *v);
void ni_vjp_mul(ni_vjp *v);
void ni_vjp_scale(ni_vjp *v);
void ni_vjp_mul_scalar(ni_vjp *v);
void ni_vjp_affine(ni_vjp *v);
void ni_vjp_mul_row(ni_vjp *v);
void ni_vjp_relu(ni_vjp *v);
void ni_vjp_relu_dx(ni_vjp *v);
void ni_vjp_unary(ni_vjp *v);
void ni_vjp_sum(ni_vjp *v);
void ni_vjp_broadcast(ni_vjp *v);
void ni_vjp_concat(ni_vjp *v);
void ni_vjp_slice(ni_vjp *v);
void ni_vjp_pad(ni_vjp *v);
void ni_vjp_reshape(ni_vjp *v);
void ni_vjp_softmax(ni_vjp *v);
void ni_vjp_log_softmax(ni_vjp *v);
void ni_vjp_cross_entropy(ni_vjp *v);
void ni_vjp_bn_stats(ni_vjp *v);
void ni_vjp_bn_normalize(ni_vjp *v);
void ni_vjp_bn_dsums(ni_vjp *v);
void ni_vjp_bn_dx(ni_vjp *v);
void ni_vjp_mul_image(ni_vjp *v);
void ni_vjp_layer_norm(ni_vjp *v);
void ni_vjp_layer_norm_dx(ni_vjp *v);
void ni_vjp_resize(ni_vjp *v);
void ni_vjp_embed(ni_vjp *v);
void ni_vjp_embed_dx(ni_vjp *v);

/* Small steps of the rules: each gives a node, or NI_NONE after a failure (which sticks in
 * v->status). NI_NONE among the inputs: mul takes it for one, add for zero. */
ni_node ni_v_mul(ni_vjp *v, ni_node a, ni_node b);
ni_node ni_v_add(ni_vjp *v, ni_node a, ni_node b);
ni_node ni_v_scale(ni_vjp *v, ni_node x, double a, double b);
ni_node ni_v_unary(ni_vjp *v, ni_node x, ni_unary_kind kind);
ni_node ni_v_affine(ni_vjp *v, ni_node x, ni_node scale, ni_node shift);
ni_node ni_v_sum(ni_vjp *v, ni_node x, ni_node y, ni_shape shape);
ni_node ni_v_weight_of_norm(ni_vjp *v, ni_node normalised); /* rules_bn.c */
ni_node ni_v_slice(ni_vjp *v, ni_node x, int dimension, int64_t from, int64_t to, int64_t step);
ni_node ni_v_times(ni_vjp *v, ni_node x, ni_node h); /* h repeated to x's shape */
ni_node ni_v_repeat(ni_vjp *v, ni_node x, ni_shape shape);
ni_node ni_v_reshape(ni_vjp *v, ni_node x, ni_shape shape);
/* A node of inputs a and b (or NI_NONE) with the attributes of y. */
ni_node ni_v_pair(ni_vjp *v, ni_op op, ni_node a, ni_node b);

#endif
