/* lib/graph: static computation graphs, reverse-mode autograd, memory plan, execution.
 *
 * Three steps: build a graph node by node (shapes are checked as it grows); plan a program for
 * the nodes that are wanted (dead nodes go, neighbours fuse, buffers are shared by liveness,
 * threads are assigned); run it many times (no allocation). Nodes are in order: a node's inputs
 * have smaller numbers.
 *
 * Autograd adds nodes: ni_graph_gradients writes the backward pass into the same graph, from the
 * same operations, so that a gradient can be differentiated again.
 *
 * A graph is over ni_vars: named parameters and state that live outside it, so that a training
 * graph and an inference graph, or two paths of a supernet, share weights.
 */
#ifndef NI_GRAPH_H
#define NI_GRAPH_H
#include "../tensor/tensor.h"
#include "libnas/op.h"
#include "libnas/tuning.h"

typedef nas_node ni_node; /* public and internal are one */
#define NI_NONE NAS_NODE_NONE

/* ---- variables ------------------------------------------------------------------------------ */

typedef enum { NI_PARAMETER, NI_STATE } ni_var_kind; /* state: running statistics; not trained */
typedef enum {
    NI_INIT_ZEROS,
    NI_INIT_ONES,
    NI_INIT_UNIFORM,         /* U(-bound, bound), bound = a */
    NI_INIT_NORMAL,          /* N(0, a^2) */
    NI_INIT_KAIMING_UNIFORM, /* PyTorch's default (conv, linear): U(-b, b), b = 1/sqrt(fan_in) */
    NI_INIT_KAIMING_NORMAL   /* N(0, 2 / fan), fan = a: he_fout, he_fin by the caller's choice */
} ni_init;
/* How a file lays a variable out; memory is as tensor.h says. */
typedef enum {
    NI_FILE_AS_IS,  /* vectors: [C] */
    NI_FILE_CONV,   /* KH,KW,CI,CO here; CO,CI,KH,KW in the file */
    NI_FILE_LINEAR, /* CI,1,1,CO here; CO,CI in the file */
    NI_FILE_EMBEDDING, /* rows,1,1,CO here; rows,CO in the file */
} ni_file_layout;

typedef struct ni_vars ni_vars;
typedef struct {
    const char *name; /* PyTorch's: "stem.0.weight"; borrowed */
    ni_shape shape;
    ni_var_kind kind;
    ni_init init;
    double init_a;
    int64_t fan_in;
    ni_file_layout layout;
    bool decay;    /* weight decay applies (conv, linear weights: yes; see nn.h for the choice) */
    size_t offset; /* elements, from the start of a value buffer; multiple of 16 */
} ni_var;
nas_status ni_vars_create(ni_vars **out, nas_context *context);
void ni_vars_free(ni_vars *vars);
/* Adds it, or finds the one of that name (then shape and kind must agree). var->offset is given. */
nas_status ni_vars_add(ni_vars *vars, const ni_var *var, uint32_t *slot);
/* Forgets those from slot `count` on, the newest first. */
void ni_vars_undo(ni_vars *vars, uint32_t count);
uint32_t ni_vars_count(const ni_vars *vars);
const ni_var *ni_vars_get(const ni_vars *vars, uint32_t slot); /* borrowed until the next add */
bool ni_vars_find(const ni_vars *vars, const char *name, uint32_t *slot);
/* Elements of a buffer that holds all of them, padding included (padding stays 0). Parameters and
 * state share one layout; a gradient buffer has the same one. */
size_t ni_vars_size(const ni_vars *vars);
int64_t ni_vars_parameters(const ni_vars *vars); /* trained numbers, padding not counted */
/* Fills values (float32, or float64 with the very same random numbers) for (seed): each variable
 * from a stream of its own name, so that adding one changes no other. */
void ni_vars_initialise(const ni_vars *vars, void *values, uint32_t dtype, uint64_t seed);

/* ---- building -------------------------------------------------------------------------------- */

/* nas_graph (public, op.h) is this room's graph. */
typedef enum { NI_TRAIN, NI_EVAL } ni_mode; /* batch statistics, dropout / running statistics */

nas_status ni_graph_create(nas_graph **out, nas_context *context, ni_vars *vars, uint32_t dtype,
                           ni_mode mode);
void ni_graph_free(nas_graph *graph);
nas_context *ni_graph_context(const nas_graph *graph);
ni_vars *ni_graph_vars(const nas_graph *graph);
ni_mode ni_graph_mode(const nas_graph *graph);
uint32_t ni_graph_nodes(const nas_graph *graph);
ni_shape ni_node_shape(const nas_graph *graph, ni_node node);
const char *ni_node_op_name(const nas_graph *graph, ni_node node);
/* How many inputs a node has, and which (NI_NONE: an absent one); borrowed until the graph grows.
 */
uint32_t ni_node_inputs(const nas_graph *graph, ni_node node, const ni_node **inputs);
/* A label for errors, plans and drawings ("cells.3.edges.1<-0.conv"); copied. Errors name it. */
void ni_node_label(nas_graph *graph, ni_node node, const char *label);
/* Prefix for labels and variable names made from here on ("cells.3."); "" to end it. */
nas_status ni_graph_scope(nas_graph *graph, const char *prefix);
const char *ni_graph_scope_get(const nas_graph *graph);

/* How far a graph has grown; undo takes it back there: a builder that fails half-way changes nothing. */
typedef struct {
    size_t nodes, in, updates;
    uint32_t inputs, dropouts, vars;
} ni_mark;
ni_mark ni_graph_mark(const nas_graph *g);
void ni_graph_undo(nas_graph *g, ni_mark mark);
/* Leaves. Inputs are bound at each run by their number; labels are int32 class numbers [N]. */
nas_status ni_input(nas_graph *g, ni_shape shape, uint32_t *number, ni_node *out);
nas_status ni_input_labels(nas_graph *g, int64_t n, uint32_t *number, ni_node *out);
nas_status ni_variable(nas_graph *g, const ni_var *var, ni_node *out);
nas_status ni_constant(nas_graph *g, ni_shape shape, double value, ni_node *out);

/* Linear algebra. conv: n, h, w, ci, oh, ow are filled in from x and the rest; bias by
 * ni_add_channel. */
nas_status ni_conv2d(nas_graph *g, ni_node x, ni_node weights, const ni_conv *conv, ni_node *out);
nas_status ni_matmul(nas_graph *g, ni_node a, ni_node b, bool ta, bool tb, ni_node *out);

/* Pooling. kernel 0,0: the whole image (global). */
nas_status ni_max_pool(nas_graph *g, ni_node x, const ni_pool *pool, ni_node *out);
nas_status ni_avg_pool(nas_graph *g, ni_node x, const ni_pool *pool, ni_node *out);

/* Elementwise and broadcast. */
nas_status ni_add(nas_graph *g, const ni_node *x, uint32_t n, ni_node *out);
nas_status ni_mul(nas_graph *g, ni_node a, ni_node b, ni_node *out);
nas_status ni_scale(nas_graph *g, ni_node x, double a, double b, ni_node *out); /* a x + b */
nas_status ni_mul_scalar(nas_graph *g, ni_node x, ni_node s, ni_node *out);     /* s: [1] */
nas_status ni_add_channel(nas_graph *g, ni_node x, ni_node v, ni_node *out);    /* v: [C] */
nas_status ni_mul_channel(nas_graph *g, ni_node x, ni_node v, ni_node *out);
nas_status ni_mul_row(nas_graph *g, ni_node x, ni_node r, ni_node *out); /* r: [N,1,1,1] */
nas_status ni_mul_image(nas_graph *g, ni_node x, ni_node s, ni_node *out); /* s: [N,1,1,C] */
nas_status ni_relu(nas_graph *g, ni_node x, double high, ni_node *out);  /* high: INFINITY, or 6 */
nas_status ni_unary(nas_graph *g, ni_node x, ni_unary_kind kind, ni_node *out);

/* Reductions and their transposes. */
nas_status ni_sum_channel(nas_graph *g, ni_node x, ni_node *out); /* over N, H, W: [C] */
nas_status ni_sum_row(nas_graph *g, ni_node x, ni_node *out);     /* over H, W, C: [N,1,1,1] */
nas_status ni_sum_all(nas_graph *g, ni_node x, ni_node *out);     /* [1] */
/* Dimensions of size 1 are repeated. */
nas_status ni_broadcast(nas_graph *g, ni_node x, ni_shape shape, ni_node *out);

/* Shape. slice: [from, to) of one dimension, step > 0; pad is its transpose. */
nas_status ni_concat(nas_graph *g, const ni_node *x, uint32_t n, int dimension, ni_node *out);
nas_status ni_slice(nas_graph *g, ni_node x, int dimension, int64_t from, int64_t to, int64_t step,
                    ni_node *out);
nas_status ni_reshape(nas_graph *g, ni_node x, ni_shape shape, ni_node *out);
nas_status ni_stop_gradient(nas_graph *g, ni_node x, ni_node *out);

/* Networks' own. Batch norm: scale and offset may be NI_NONE (not affine); the running statistics
 * (NI_NONE: not tracked) are read in NI_EVAL, and in NI_TRAIN updated with PyTorch's rule
 * (momentum, unbiased variance) when the program is run with `update_state`. */
nas_status ni_batch_norm(nas_graph *g, ni_node x, ni_node scale, ni_node offset,
                         ni_node running_mean, ni_node running_var, double epsilon, double momentum,
                         ni_node *out);
/* Over C, for each pixel; no scale, no offset. */
nas_status ni_layer_norm(nas_graph *g, ni_node x, double epsilon, ni_node *out);
/* To height x width: nearest, or linear between pixels (tensor.h's ni_resize). */
nas_status ni_resize_images(nas_graph *g, ni_node x, int64_t height, int64_t width, bool linear,
                            ni_node *out);
/* indices [N,H,W,1]: whole numbers of the graph's element type, 0 .. V-1 (others fail the run); table
 * [V,1,1,C]: [N,H,W,C]. No gradient goes to the indices. */
nas_status ni_embed(nas_graph *g, ni_node indices, ni_node table, ni_node *out);
/* Mean over all elements of (a - b)^2: [1]. */
nas_status ni_mean_squared_error(nas_graph *g, ni_node a, ni_node b, ni_node *out);
nas_status ni_softmax(nas_graph *g, ni_node x, ni_node *out); /* over C */
nas_status ni_log_softmax(nas_graph *g, ni_node x, ni_node *out);
/* Mean over the batch of the cross-entropy with label smoothing (PyTorch's): [1]. A label of -1 is
 * left out, of the mean too. */
nas_status ni_cross_entropy(nas_graph *g, ni_node logits, ni_node labels, double smoothing,
                            ni_node *out);
/* [1]: how many rows have their largest logit (the first of equals) at the label. */
nas_status ni_correct(nas_graph *g, ni_node logits, ni_node labels, ni_node *out);
/* Bernoulli keep mask / keep; identity in NI_EVAL. per_image: one draw an image (drop-path). Draws
 * are by (run's key, node, element): the same for any number of threads. */
nas_status ni_dropout(nas_graph *g, ni_node x, double drop, bool per_image, ni_node *out);
/* Drop-path: whole images of x are dropped, with the graph's probability (0 until it is set) times the
 * run's drop_scale; those kept grow by as much. */
nas_status ni_drop_path(nas_graph *g, ni_node x, ni_node *out);
nas_status ni_graph_drop_path(nas_graph *g, double drop); /* of what is built from now on */

/* Gradient of y (shape [1], or with seed a node of y's shape) with respect to each of x; a zero
 * constant where y does not depend on it. */
nas_status ni_graph_gradients(nas_graph *g, ni_node y, ni_node seed, const ni_node *x, uint32_t n,
                              ni_node *out);

/* A second output that training looks at beside the logits, its loss weighed by `weight`: an
 * auxiliary head. One a graph, the last one said. NI_NONE: there is none. */
void ni_graph_auxiliary(nas_graph *g, ni_node logits, double weight);
ni_node ni_graph_auxiliary_get(const nas_graph *g, double *weight);

/* ---- registered operations (nas_op_register) ------------------------------------------------- */

/* NAS_E_NOT_FOUND, with the nearest known name in the sentence. Borrowed from the context. */
nas_status ni_op_find(nas_context *context, const char *name, const nas_op_ops **ops, void **self);
/* Builds one at a site: sets the graph's scope to at->scope for the time of the call, checks what
 * the plug-in gave back. */
nas_status ni_op_build(nas_graph *graph, const nas_op_site *at, const nas_node *in, uint32_t n,
                       nas_node *out);

/* ---- costs, from shapes alone ---------------------------------------------------------------- */
/* Multiply-accumulates of the nodes that output needs, for one image (the batch is output's first
 * dimension); -1 when there is no memory to count. */
int64_t ni_graph_macs(const nas_graph *g, ni_node output);

/* What the graph itself takes: its nodes, not their tensors. */
size_t ni_graph_bytes(const nas_graph *g);

/* ---- which way convolutions go (tuning.c; the fixed model is tensor.h's) ------------------------ */

/* Without entries; NAS_E_UNSUPPORTED where there is nothing to choose. */
nas_status ni_tuning_create(nas_tuning **out, nas_context *context);
nas_context *ni_tuning_context(const nas_tuning *tuning);
/* A convolution to be measured (what: as in tensor.h); the model's choice until it is. */
nas_status ni_tuning_add(nas_tuning *tuning, const ni_conv *c, int what);
nas_status ni_tuning_time(nas_tuning *tuning); /* measures all of them */
/* The table's choice where it has one, else the model's. tuning: NULL for none. */
ni_way ni_tuning_way(const nas_tuning *tuning, const ni_conv *c, int what, int32_t isa);

/* ---- planning and running -------------------------------------------------------------------- */

typedef struct ni_program ni_program;
typedef struct {
    uint32_t no_fusion; /* plan every node alone, for comparison */
    uint32_t plan_only; /* to be described, not run: no memory is taken */
    int32_t isa;        /* NAS_ISA_BEST: the context's */
    /* Bytes for intermediate tensors, constants and scratch; 0: none. It is met by making results
     * again in the backward pass; NAS_E_LIMIT if that is not enough. */
    size_t memory_limit;
    /* The values stay as they are from run to run: what is made from them alone (packed weights,
     * scales of batch norms) is made by the first run and kept, until ni_program_thaw. */
    uint32_t frozen;
    const nas_tuning *tuning; /* NULL: the fixed model. Read here, not kept */
} ni_plan_options;
/* The program computes `outputs`; those that are gradients of variables are written straight into a
 * gradient buffer (see ni_run). The graph must stay alive, and is frozen: it may grow no more.
 * Several programs may be made of one graph. */
typedef struct {
    ni_node node;
    uint32_t slot; /* variable whose gradient this is (written to run->gradients), or NI_NONE */
} ni_output;
nas_status ni_program_create(ni_program **out, nas_graph *g, const ni_output *outputs, uint32_t n,
                             const ni_plan_options *options);
void ni_program_free(ni_program *program);

typedef struct {
    const void *const *inputs; /* by input number; images in the graph's dtype, labels int32 */
    void *values;              /* variables (ni_vars_size elements); state is updated in it */
    void *gradients;           /* same layout; every slot among the outputs is overwritten */
    void *const *outputs;      /* for each output without a slot: where it goes (NULL: nowhere); most are
                                * computed there, so that they must not overlap with anything here */
    uint64_t random_key[2];    /* dropout: e.g. seed and step */
    bool update_state;         /* running statistics */
    double *seconds;           /* NULL, or ni_program_steps of them: the time of each is added */
    double drop_scale;         /* 0 to 1: how far drop-path has come */
} ni_run;
/* Uses the context's threads (or the calling one alone inside ni_serial). Allocates nothing.
 * Bits do not depend on the number of threads. */
nas_status ni_program_run(ni_program *program, const ni_run *run);

/* The values have changed: the next run of a frozen program makes again what it kept. */
void ni_program_thaw(ni_program *program);

size_t ni_program_bytes(const ni_program *program);            /* buffers and scratch it holds */
size_t ni_program_plan_bytes(const ni_program *program);       /* its steps, besides those */
size_t ni_program_peak_activations(const ni_program *program); /* planned, without scratch */
uint32_t ni_program_steps(const ni_program *program);
/* All its convolutions that could go either way. */
nas_status ni_program_tune(const ni_program *program, nas_tuning *tuning);
/* A line about the whole, then a line a step, for people. */
nas_status ni_program_describe(const ni_program *program, nas_sink *to);

#endif
