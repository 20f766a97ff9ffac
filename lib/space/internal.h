/* The inside of a space. Seen by lib/space alone. */
#ifndef NI_SPACE_INTERNAL_H
#define NI_SPACE_INTERNAL_H
#include <stdatomic.h>
#include "space.h"

/* Bounds on what a stranger's file may ask for. */
enum {
    NI_DECISIONS_MOST = 4096,
    NI_ALTERNATIVES_MOST = 4096,
    NI_NAME_MOST = 63,
    NI_CONSTRAINTS_MOST = 256,
    NI_PATHS_MOST = 1 << 22,
    NI_FEASIBLE_MOST = 1 << 20 /* spaces up to this size may be listed to sample them */
};

typedef struct {
    nas_decision about;
    char *name;
    char **alternatives;
    bool has_dependents;     /* set when the space is finished */
    uint32_t dependents_end; /* none of them is this one or a later one */
    uint8_t bits;            /* that its values need, packed: 64 of a real */
    uint64_t reciprocal;     /* ni_reciprocal of the number of values */
} ni_decision;

/* What draws and packs need of a decision that is always there and not real. */
typedef struct {
    uint64_t n, reciprocal;
    int64_t low, step;
    uint32_t bits;
} ni_plain;

/* ---- expressions (expr.c) -------------------------------------------------------------------- */

/* What a name in an expression stands for. */
typedef enum {
    NI_NAME_NUMBER,  /* a parameter of the file: its value is known */
    NI_NAME_DECISION, /* value of a decision */
    NI_NAME_COST      /* params, macs, ... of the network; index: ni_cost_name */
} ni_name_kind;
typedef struct {
    ni_name_kind kind;
    double number;
    uint32_t index;
} ni_name;
typedef enum {
    NI_COST_PARAMS,
    NI_COST_MACS,
    NI_COST_PUBLISHED_FLOPS,
    NI_COST_ACTIVATION_BYTES,
    NI_COST_WEIGHT_BYTES,
    NI_COST_DEPTH,
    /* From here on known without the network's costs, by ni_template_ops.structure. */
    NI_COST_CONNECTED, /* 1 where the output depends on the image, else 0 */
    NI_COST_EDGES,     /* of a cell with a free matrix, what is not connected left out */
    NI_COST_VERTICES,
    NI_COST_COUNT
} ni_cost_name;
typedef struct ni_expr ni_expr;
/* Finds a name: false when it is not known (the parser then says so, with the nearest known). */
typedef struct {
    void *user;
    bool (*find)(void *user, const char *name, ni_name *out);
    /* Number that stands for an alternative's name compared with a decision; false: not one. */
    bool (*alternative)(void *user, uint32_t decision, const char *name, double *out);
    const char *(*suggest)(void *user, const char *name);
} ni_names;
/* On failure *column (from 1) says where in the text. */
nas_status ni_expr_parse(ni_expr **out, nas_context *context, const char *text, const ni_names *names,
                         size_t *column);
void ni_expr_free(nas_context *context, ni_expr *expr);
bool ni_expr_needs_costs(const ni_expr *expr);
/* ... others than params, macs, weight_bytes, published_flops */
bool ni_expr_needs_network(const ni_expr *expr);
/* Is it one bound on one cost? */
bool ni_expr_is_bound(const ni_expr *expr, uint32_t *cost, double *low, double *high);
/* values: one a decision (index, integer or real; NAN where inactive); costs: NI_COST_COUNT of them
 * or NULL. */
double ni_expr_value(const ni_expr *expr, const double *values, const double *costs);

/* Bounds on costs that must hold wherever the expression does: low[c] <= cost c <= high[c]. Only
 * narrows them. Parts that are no bound on one cost are left out. */
void ni_expr_bounds(const ni_expr *expr, double *low, double *high);

typedef struct {
    char *text, *where; /* where: "file:line:column", NULL: made call by call */
    ni_expr *expr;
    bool costs, network; /* it needs them: ni_expr_needs_costs, ni_expr_needs_network */
    bool is_bound;       /* it says low <= cost <= high and no more */
    uint32_t cost;
    double low, high;
} ni_constraint;
typedef struct {
    char *name;
    double value;
} ni_parameter;
nas_status ni_space_add_parameter(nas_space *space, const char *name, double value);

/* ---- network templates ----------------------------------------------------------------------- */

typedef struct ni_template ni_template;

/* One part of a network, built alone to know what it costs. What the words mean is the template's
 * own; equal words are one part. */
typedef struct {
    uint64_t kind, alternative;
    int64_t h, w, c; /* of its input */
    int64_t filters, a, b;
} ni_piece;
typedef struct {
    int64_t params, macs, activation, depth;
    int64_t peak; /* bytes of activations that live at once, its input among them */
    ni_shape out;
} ni_site_cost;

/* How costs come about decision by decision, for sampling inside bounds (walk.c). The template's
 * decisions are taken in their order; `state` is all that the costs of later ones depend on. */
typedef struct {
    int64_t params, macs;
    int64_t activation, depth; /* the most of all parts, their sum: ni_walk_ops.chain */
} ni_walk_cost;
typedef struct {
    /* NAS_E_UNSUPPORTED where this space's costs do not come about so. cost: of what no decision
     * changes. */
    nas_status (*start)(const nas_space *space, uint64_t *state, ni_walk_cost *cost);
    /* Takes alternative `value` of a decision; *allowed false: it has no such value here. One that
     * is not active has the value 0 alone. Adds to *cost. */
    nas_status (*step)(const nas_space *space, uint32_t decision, uint64_t state, uint32_t value,
                       uint64_t *next, bool *allowed, ni_walk_cost *cost);
    /* After the last: adds what is left. */
    nas_status (*end)(const nas_space *space, uint64_t state, bool *connected, ni_walk_cost *cost);
    /* Each part takes what the one before it made, and nothing else: activation and depth of the
     * network come out of those of its parts. */
    bool chain;
} ni_walk_ops;

/* Draws inside bounds in a template's own way (as ni_walk_* do by the walk; matrix_draw.c). */
typedef struct {
    /* NAS_E_UNSUPPORTED: not of this space. */
    nas_status (*create)(void **out, const nas_space *space);
    void (*destroy)(nas_context *context, void *self);
    double (*ways)(const void *self); /* 0: for certain there is none */
    /* The template's decisions into values. */
    void (*draw)(const void *self, nas_random *random, nas_value *values);
} ni_inside_ops;

typedef struct {
    void (*destroy)(nas_context *context, ni_template *self);
    nas_status (*build)(const nas_arch *arch, nas_graph *graph, ni_node images, double dropout,
                        ni_node *logits);
    nas_status (*costs)(const nas_arch *arch, nas_arch_cost *out); /* NULL: ni_network_costs */
    /* Canonical under isomorphism; allocates nothing. */
    uint64_t (*network_hash)(const nas_arch *arch);
    /* costs[NI_COST_CONNECTED ..]. NULL: always connected. */
    void (*structure)(const nas_arch *arch, double *costs);
    nas_status (*graphs)(const nas_arch *arch, ni_draw_graph **out, uint32_t *n);
    /* Text of the decisions that the template covers, and back; NULL: name=value as for the rest. */
    void (*text)(const nas_space *space, const nas_value *values, ni_text *to);
    size_t (*text_most)(const nas_space *space); /* no text is longer; where there is text */
    /* Reads a leading text in the template's own form: *used characters of it. NAS_E_NOT_FOUND where
     * it is not in that form. */
    nas_status (*parse)(const nas_space *space, const char *text, nas_value *values, size_t *used);
    nas_status (*piece)(const ni_template *self, nas_graph *g, const ni_piece *p, ni_node in,
                        ni_node *out);
    const ni_walk_ops *walk; /* NULL: costs do not come about so */
    /* Parameters and work without building the network, for templates without a walk. */
    nas_status (*quick)(const nas_arch *arch, ni_walk_cost *out);
    /* Paths from input to output, each as a number below *most (path encoding); NULL: none.
     * set: *most flags. */
    nas_status (*paths)(const nas_arch *arch, uint8_t *set, uint64_t *most);
    /* A mutation of the authors' own by the rule's name: NAS_E_NOT_FOUND where it is not this
     * template's. values hold the parent. */
    nas_status (*mutate)(const nas_space *space, const char *rule, nas_random *random,
                         nas_value *values);
    uint64_t (*published_hash)(const nas_arch *arch); /* NULL: network_hash */
    bool drops_paths; /* its build calls ni_drop_path */
    const ni_inside_ops *inside; /* NULL: draws inside bounds are the walk's, or there are none */
    /* Parameters: the least and the most of all networks of the space. NULL: not known. */
    void (*params_range)(const nas_space *space, double *least, double *most);
} ni_template_ops;
struct ni_template {
    const ni_template_ops *ops;
    const nas_space *space; /* not held: the space owns the template */
    const char *kind;       /* "cells", "blocks", ...: static */
    int64_t height, width, channels, classes;
    uint32_t first_decision, n_decisions; /* that its text covers */
    double bn_epsilon, bn_momentum;
    uint64_t identity; /* hash of everything fixed: part of network hashes */
    int64_t published_extra; /* published FLOPs are macs and this; -1: they were not counted */
    ni_mutex *lock;    /* guards the memo */
    ni_map *places;    /* hash of a piece, probed upwards, to its place in the memo */
    NI_ARRAY(struct ni_piece_memo {
        ni_piece piece;
        ni_site_cost cost;
    }) memo;
};
/* Fills the base in; the template is `size` bytes, zeroed. */
nas_status ni_template_create(ni_template **out, const nas_space *space, const ni_template_ops *ops,
                              const char *kind, size_t size);
void ni_template_free(nas_context *context, ni_template *self); /* base and block */

/* Costs of a part, by ops->piece, remembered (piece.c). Any thread. */
nas_status ni_piece_cost(const ni_template *self, const ni_piece *p, ni_site_cost *cost);
/* Parameters and work, by the walk or ops->quick: NAS_E_UNSUPPORTED where there is neither. */
nas_status ni_quick_costs(const nas_arch *arch, ni_walk_cost *out);
/* Costs of a whole network, by ops->build. */
nas_status ni_network_costs(const nas_arch *arch, nas_arch_cost *out);
/* The registered operation at a site of this template's; keeps = 1: the shape must stay. */
nas_status ni_site_build(const ni_template *self, nas_graph *g, const char *operation,
                         const char *scope, int32_t stride, int64_t channels, bool keeps,
                         nas_node in, nas_node *out);
/* "cells.3." into a buffer, cut to fit (numbers of a file are small). */
void ni_scope_text(char *buffer, size_t capacity, const char *format, ...) NI_PRINTF(3, 4);
enum { NI_SCOPE_TEXT = 96 };
/* conv and batch norm of a template (names: of the variables), rectified before or after or not. */
typedef struct {
    const char *conv, *bn; /* bn NULL: none */
    int32_t kernel_h, kernel_w, stride;
    int64_t filters;
    double before, after; /* clamp of the rectifier: 0: none, INFINITY: ReLU, 6: ReLU6 */
} ni_conv_bn;
nas_status ni_conv_bn_build(const ni_template *self, nas_graph *g, const ni_conv_bn *o, nas_node in,
                            nas_node *out);
/* Halves an image by two 1x1 convolutions of stride 2, the second on the image shifted by one pixel
 * (zeros come in where a size is odd), joined and normalised. */
nas_status ni_halves(nas_graph *g, const char *conv_1, const char *conv_2, const char *bn,
                     int64_t filters, bool relu, int32_t affine, int32_t track, double epsilon,
                     double momentum, nas_node in, nas_node *out);

/* A hash that takes in one more word, by splitmix64's finalizer; one to one in either of the two. */
static inline uint64_t ni_stir(uint64_t hash, uint64_t word) {
    hash = (3 * hash ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return hash ^ hash >> 31;
}

/* Hash of a graph with labels, equal for isomorphic ones (graph_hash.c). At most NI_DAG_MOST nodes.
 * Edges lead from lower to higher numbers and stand in the order of `to`. */
enum { NI_DAG_MOST = 192, NI_DAG_EDGES = 2048 };
typedef struct {
    uint32_t n, n_edges;
    uint64_t label[NI_DAG_MOST];
    uint8_t from[NI_DAG_EDGES], to[NI_DAG_EDGES];
} ni_dag;
uint64_t ni_dag_hash(const ni_dag *dag);
void ni_sort_u64(uint64_t *a, uint32_t n);
void ni_text_small(ni_text *to, uint32_t number); /* ni_text_u64 without the price of a format */

/* Drawings: a graph of so many nodes, and room for so many edges. Labels are cut to fit. */
nas_status ni_draw_begin(ni_draw_graph **out, nas_context *context, const char *title,
                         uint32_t n_nodes, uint32_t edges_most);
void ni_draw_label(ni_draw_graph *d, uint32_t node, const char *label);
void ni_draw_join(ni_draw_graph *d, uint32_t from, uint32_t to, const char *label);

/* ---- the space -------------------------------------------------------------------------------- */

typedef struct ni_walk ni_walk;
typedef struct ni_inside ni_inside;
struct nas_space {
    nas_context *context;
    _Atomic uint64_t owners;
    char *name, *text;
    char *place; /* "file:line:column: " of what its decisions come from; "": made call by call */
    uint64_t hash;
    NI_ARRAY(ni_decision) decisions;
    NI_ARRAY(ni_constraint) constraints;
    NI_ARRAY(ni_parameter) parameters; /* of the file: constraints may name them */
    ni_template *template;
    bool finished;
    uint32_t n_discrete; /* decisions that are not real */
    ni_plain *plain;     /* one a decision, where all are so; else NULL */
    /* For each decision: how many assignments its subtree has (itself and what depends on it),
     * saturated at UINT64_MAX. */
    uint64_t *subtree;
    uint64_t count;      /* saturated */
    size_t text_most;    /* bytes that no architecture's text exceeds, its 0 among them */
    ni_mutex *lock;      /* guards what follows, which is made when first needed */
    uint64_t *feasible;
    size_t n_feasible;
    bool listed;
    ni_inside *inside;
    bool inside_tried;
    _Atomic(ni_walk *) table; /* of costs, made when many were asked for */
    _Atomic uint32_t sums;    /* how many were */
};

typedef enum { NI_TEXT_NONE, NI_TEXT_BEING_WRITTEN, NI_TEXT_WRITTEN } ni_text_state;
struct nas_arch {
    const nas_space *space;
    _Atomic uint64_t owners;
    uint64_t hash;
    _Atomic uint64_t network_hash; /* 0: not known yet */
    _Atomic int costed;
    _Atomic int written; /* ni_text_state: the text stands behind the values */
    uint32_t bits;       /* of all values, packed */
    nas_arch_cost cost;
    nas_value values[];
};

/* Does decision d apply under these values? */
bool ni_condition_met(const nas_space *space, const nas_value *values, uint32_t d);
static inline bool ni_decision_active(const nas_space *space, const nas_value *values, uint32_t d) {
    return space->decisions.items[d].about.condition < 0 || ni_condition_met(space, values, d);
}
uint64_t ni_decision_choices(const ni_decision *d); /* values it may take; a real: 1 */
bool ni_space_find_decision(const nas_space *space, const char *name, uint32_t *out);
/* An unfinished space is being built: NAS_E_STATE otherwise, and the other way round. */
nas_status ni_space_finished(const nas_space *space);

/* Counting (count.c): called by finish. */
nas_status ni_space_count_subtrees(nas_space *space);
/* The index-th assignment into values. */
void ni_space_assignment(const nas_space *space, uint64_t index, nas_value *values);
/* Uniform over assignments (constraints aside). */
void ni_space_draw(const nas_space *space, nas_random *random, nas_value *values);
/* Value of d and, from it, of what depends on it, drawn anew. */
void ni_space_draw_subtree(const nas_space *space, nas_random *random, uint32_t d,
                           nas_value *values);
/* Draws what depends on d (not d itself). */
void ni_space_draw_dependents(const nas_space *space, nas_random *random, uint32_t d,
                              nas_value *values);

/* Draws inside bounds (walk.c). NAS_E_UNSUPPORTED where costs do not come about decision by decision.
 * a, b: NULL, or two architectures of which one must have each value. */
bool ni_walk_helps(const nas_space *s); /* there are bounds, and a template that says how */
/* Bounds that the constraints set on each cost: those of ni_expr_bounds, all in one. */
void ni_space_bounds(const nas_space *s, double low[NI_COST_COUNT], double high[NI_COST_COUNT]);
/* Params and macs, from all costs that are but another form of them. */
void ni_space_two_bounds(const nas_space *s, const double *lows, const double *highs, double low[2],
                         double high[2]);
/* Decisions beside the template's hang on none of its own: its networks count equally often. */
bool ni_space_template_apart(const nas_space *s);

/* Draws of the template's decisions inside bounds, by the walk or in its own way (inside.c). *out
 * NULL: there are no bounds that help. a, b: NULL, or parents (by the walk alone). */
nas_status ni_inside_create(ni_inside **out, const nas_space *s, const nas_arch *a,
                            const nas_arch *b);
void ni_inside_free(ni_inside *inside);
double ni_inside_ways(const ni_inside *inside);
bool ni_inside_range(const ni_inside *inside, double least[2], double most[2]);
bool ni_inside_draw(const ni_inside *inside, nas_random *random, nas_value *values);

/* Looks for architectures where draws fail (descend.c): down on how far the constraints are missed,
 * then a random walk among those that satisfy them. *out NULL: none was found, and *reached is what
 * one says about it. inside: NULL, or where descents begin. */
typedef struct {
    uint64_t tried;
    int64_t cost;       /* whose bound no one of them met; -1: each was met by some */
    bool above;         /* all are above it */
    double best, bound; /* nearest that was reached */
    uint32_t bounds;    /* how many costs are bounded */
} ni_reached;
nas_status ni_descend(const nas_space *s, const ni_inside *inside, nas_random *random,
                      nas_value *values, nas_arch **out, ni_reached *reached);
nas_status ni_walk_create(ni_walk **out, const nas_space *s, const nas_arch *a, const nas_arch *b);
/* The costs alone, for ni_walk_look_up; of any space whose template has a walk. */
nas_status ni_walk_table(ni_walk **out, const nas_space *s);
/* What ni_walk_sum adds up, from a table; false: not there. */
bool ni_walk_look_up(const ni_walk *w, const nas_arch *arch, ni_walk_cost *out);
void ni_walk_free(ni_walk *w);
double ni_walk_ways(const ni_walk *w); /* how many ways; 0: for certain there is none */
/* Least and most params and macs of all that is connected, if it must be; false: there is nothing. */
bool ni_walk_range(const ni_walk *w, double least[2], double most[2]);
bool ni_walk_exact(const ni_walk *w);  /* none of them leaves the bounds */
/* The template's decisions into values. false: not found in 200000 draws (sums were rounded). */
bool ni_walk_draw(const ni_walk *w, nas_random *random, nas_value *values);
/* Parameters and multiply-accumulates of one architecture, added up decision by decision. */
nas_status ni_walk_sum(const nas_arch *arch, ni_walk_cost *out, bool *connected);

/* Sets ni_decision.bits and .reciprocal, and nas_space.plain (pack.c). */
nas_status ni_space_pack(nas_space *space);
/* Sets nas_space.text_most. */
nas_status ni_space_text_room(nas_space *space);
size_t ni_longest_alternative(const nas_space *space, uint32_t decision); /* characters */

/* An architecture whose space is not held yet, to be judged by ni_arch_violated: then ended, which takes it
 * over, or set to other values, or freed by ni_free. values NULL: they are set before that. */
nas_status ni_arch_begin(nas_arch **out, const nas_space *space, const nas_value *values);
void ni_arch_set(nas_arch *arch, const nas_value *values);
void ni_arch_end(nas_arch **out, nas_arch *arch);
/* Makes the architecture; no check of constraints. Values of inactive decisions become 0. */
nas_status ni_arch_make(nas_arch **out, const nas_space *space, const nas_value *values);
/* First constraint that does not hold: its index, or -1; costs are made if one asks for them. */
nas_status ni_arch_violated(const nas_arch *arch, int64_t *constraint);
/* Values as expressions take them: NAN where a decision is not active. One a decision. */
void ni_arch_numbers(const nas_arch *arch, double *numbers);
/* NI_COST_COUNT costs, as far as the constraints need them. */
nas_status ni_arch_needed_costs(const nas_arch *arch, double *costs);
bool ni_space_needs_network(const nas_space *s); /* a constraint needs a network to be built */
const char *ni_cost_text(uint32_t cost);
/* Product of the assignments of what hangs on alternative k of d. */
double ni_space_hanging(const nas_space *s, uint32_t d, int64_t k);
nas_status ni_arch_costs_cached(const nas_arch *arch, const nas_arch_cost **out);
void ni_value_text(const ni_decision *d, const nas_value *value, ni_text *to);
bool ni_value_parse(const ni_decision *d, const char *text, size_t n, nas_value *out);

/* ---- YAML (yaml.c): a tree with marks, bounded ------------------------------------------------- */

typedef enum { NI_YAML_SCALAR, NI_YAML_LIST, NI_YAML_MAP } ni_yaml_kind;
typedef struct ni_yaml ni_yaml;
struct ni_yaml {
    ni_yaml_kind kind;
    uint32_t line, column; /* from 1 */
    size_t from, to;       /* of a scalar: characters of the text, from 0 */
    const char *text;      /* of a scalar */
    bool quoted;
    uint32_t n;
    ni_yaml **keys, **items; /* keys: of a map */
};
typedef struct {
    nas_context *context;
    ni_arena *arena;
    const char *origin;
    ni_yaml *root;
} ni_document;
nas_status ni_yaml_parse(ni_document *out, nas_context *context, const char *text, size_t n,
                         const char *origin);
void ni_yaml_free(ni_document *document);
/* "origin:line:column: sentence" */
nas_status ni_yaml_fail(const ni_document *d, const ni_yaml *at, nas_status status,
                        const char *format, ...) NI_PRINTF(4, 5);
const ni_yaml *ni_yaml_get(const ni_yaml *map, const char *key); /* NULL: none */
/* A map with no key but these (a list ended by NULL); else a failure that suggests the nearest. */
nas_status ni_yaml_keys(const ni_document *d, const ni_yaml *map, const char *what,
                        const char *const *known);

nas_status ni_space_from_yaml(nas_space **out, nas_context *context, const char *text, size_t n,
                              const char *origin, const char *const *overrides, size_t n_overrides);

/* ---- networks by name (published.c) ------------------------------------------------------------- */
const char *ni_published_text(const char *name); /* NULL: none of that name */
const char *ni_published_nearest(const nas_space *space, const char *name);

/* ---- built-in operations (operations.c) ---------------------------------------------------------- */
nas_status ni_operations_register(nas_context *context);

/* ---- cells with operations on edges (cells.c, cells_build.c, cells_hash.c) ---------------------- */

enum { NI_CELL_NODES_MOST = 8, NI_CELL_EDGES_MOST = 28 };
/* A number of the template: fixed, or the value of a decision. */
typedef struct {
    int64_t value;
    int32_t decision; /* -1: fixed */
} ni_amount;
typedef enum { NI_REDUCE_RESIDUAL, NI_REDUCE_POOL } ni_reduction;
/* What an operation does to the meaning of a cell. */
typedef enum { NI_MEANS_OPERATION, NI_MEANS_NOTHING, NI_MEANS_IDENTITY } ni_meaning;
typedef struct {
    ni_amount channels, cells, stages, stem_kernel, stem_stride;
    int64_t widen;
    ni_reduction reduction;
    uint32_t n_nodes, n_edges;
    uint32_t edge_from[NI_CELL_EDGES_MOST], edge_to[NI_CELL_EDGES_MOST];
    int32_t published; /* 1: published_flops adds the linear layer's bias, as NAS-Bench-201 counts */
    int32_t own_text;  /* 1: NAS-Bench-201's text */
    double bn_epsilon, bn_momentum;
    uint64_t identity; /* hash of everything here and of the image */
} ni_cells_options;
typedef struct ni_cells ni_cells;
/* The edges' decisions must be in the space already, from first_decision on. */
nas_status ni_cells_create(ni_template **out, const nas_space *space, const ni_cells_options *options,
                           uint32_t first_decision, int64_t height, int64_t width, int64_t channels,
                           int64_t classes);
int64_t ni_amount_value(const ni_amount *amount, const nas_value *values);
uint64_t ni_cells_hash(const nas_arch *arch);
/* The rule of NAS-Bench-201's authors, quirk included: 6,466 classes. */
uint64_t ni_cells_published_hash(const nas_arch *arch);
bool ni_cells_connected(const nas_arch *arch);
nas_status ni_cells_build(const nas_arch *arch, nas_graph *graph, ni_node images, double dropout,
                          ni_node *logits);
nas_status ni_cells_piece(const ni_template *self, nas_graph *g, const ni_piece *p, ni_node in,
                          ni_node *out);
enum { NI_CELLS_OPERATION, NI_CELLS_STEM, NI_CELLS_REDUCTION, NI_CELLS_HEAD };
nas_status ni_cells_graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n);
struct ni_cells {
    ni_template base;
    ni_cells_options o;
    ni_meaning *meaning; /* of each alternative of the edges' decisions */
    uint64_t *alternative_hash;
    uint32_t n_alternatives;
    bool fixed_amounts; /* none is a decision: then `amounts` is their hash */
    uint64_t amounts;
};
uint64_t ni_cells_amounts(const ni_cells_options *options, const nas_value *values);

#endif
