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
    NI_FEASIBLE_MOST = 1 << 20 /* spaces up to this size may be listed to sample them */
};

typedef struct {
    nas_decision about;
    char *name;
    char **alternatives;
} ni_decision;

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
    NI_COST_CONNECTED, /* 1 where the output depends on the image, else 0 */
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
/* values: one a decision (index, integer or real; NAN where inactive); costs: NI_COST_COUNT of them
 * or NULL. */
double ni_expr_value(const ni_expr *expr, const double *values, const double *costs);

typedef struct {
    char *text;
    ni_expr *expr;
} ni_constraint;
typedef struct {
    char *name;
    double value;
} ni_parameter;
nas_status ni_space_add_parameter(nas_space *space, const char *name, double value);

/* ---- network templates ----------------------------------------------------------------------- */

typedef struct ni_template ni_template;
typedef struct {
    void (*destroy)(nas_context *context, ni_template *self);
    nas_status (*build)(const nas_arch *arch, nas_graph *graph, ni_node images, double dropout,
                        ni_node *logits);
    nas_status (*costs)(const nas_arch *arch, nas_arch_cost *out, bool *connected);
    /* Canonical under isomorphism; allocates nothing. */
    uint64_t (*network_hash)(const nas_arch *arch);
    bool (*connected)(const nas_arch *arch);
    nas_status (*graphs)(const nas_arch *arch, ni_draw_graph **out, uint32_t *n);
    /* Text of the decisions that the template covers, and back; NULL: name=value as for the rest. */
    void (*text)(const nas_space *space, const nas_value *values, ni_text *to);
    /* Reads a leading text in the template's own form: *used characters of it. NAS_E_NOT_FOUND where
     * it is not in that form. */
    nas_status (*parse)(const nas_space *space, const char *text, nas_value *values, size_t *used);
} ni_template_ops;
struct ni_template {
    const ni_template_ops *ops;
    int64_t height, width, channels, classes;
    uint32_t first_decision, n_decisions; /* that its text covers */
};

/* ---- the space -------------------------------------------------------------------------------- */

struct nas_space {
    nas_context *context;
    _Atomic uint64_t owners;
    char *name, *text;
    uint64_t hash;
    NI_ARRAY(ni_decision) decisions;
    NI_ARRAY(ni_constraint) constraints;
    NI_ARRAY(ni_parameter) parameters; /* of the file: constraints may name them */
    ni_template *template;
    bool finished;
    uint32_t n_discrete; /* decisions that are not real */
    /* For each decision: how many assignments its subtree has (itself and what depends on it),
     * saturated at UINT64_MAX. */
    uint64_t *subtree;
    uint64_t count;      /* saturated */
    ni_mutex *lock;      /* guards what follows, which is made when first needed */
    uint64_t *feasible;
    size_t n_feasible;
    bool listed;
};

struct nas_arch {
    const nas_space *space;
    _Atomic uint64_t owners;
    uint64_t hash;
    _Atomic uint64_t network_hash; /* 0: not known yet */
    _Atomic int costed;
    bool connected;
    nas_arch_cost cost;
    const char *text; /* behind the values */
    nas_value values[];
};

/* Does decision d apply under these values? */
bool ni_decision_active(const nas_space *space, const nas_value *values, uint32_t d);
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

/* Makes the architecture; no check of constraints. Values of inactive decisions become 0. */
nas_status ni_arch_make(nas_arch **out, const nas_space *space, const nas_value *values);
/* First constraint that does not hold: its index, or -1; costs are made if one asks for them. */
nas_status ni_arch_violated(const nas_arch *arch, int64_t *constraint);
nas_status ni_arch_costs_cached(const nas_arch *arch, const nas_arch_cost **out, bool *connected);
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
    uint64_t identity; /* hash of everything here and of the image: part of network hashes */
} ni_cells_options;
typedef struct ni_cells ni_cells;
/* The edges' decisions must be in the space already, from first_decision on. */
nas_status ni_cells_create(ni_template **out, const nas_space *space, const ni_cells_options *options,
                           uint32_t first_decision, int64_t height, int64_t width, int64_t channels,
                           int64_t classes);
int64_t ni_amount_value(const ni_amount *amount, const nas_value *values);
uint64_t ni_cells_hash(const nas_arch *arch);
bool ni_cells_connected(const nas_arch *arch);
nas_status ni_cells_build(const nas_arch *arch, nas_graph *graph, ni_node images, double dropout,
                          ni_node *logits);
nas_status ni_cells_graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n);

typedef struct ni_site_cost {
    int64_t params, macs, activation, depth;
    ni_shape out;
} ni_site_cost;
struct ni_cells {
    ni_template base;
    const nas_space *space; /* not held: the space owns the template */
    ni_cells_options o;
    ni_meaning *meaning; /* of each alternative of the edges' decisions */
    uint64_t *alternative_hash;
    uint32_t n_alternatives;
    ni_mutex *lock;
    NI_ARRAY(struct ni_site_memo {
        uint64_t key;
        ni_site_cost cost;
    }) memo;
};

#endif
