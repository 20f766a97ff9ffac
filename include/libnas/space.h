/* space.h: search spaces and architectures.
 *
 * A space is a list of decisions (a choice among named alternatives, an integer, a real number;
 * each may depend on an earlier one), constraints over them and over the network that they give,
 * and a network template that turns a full assignment into a network. It is written in YAML
 * (docs/space-file.md), taken as a preset (itself a YAML text), or built here call by call.
 *
 * An architecture is one full assignment. It has one canonical text, which nas_arch_parse reads
 * back without loss; a hash of its decisions; and a hash of the network that it stands for, equal for
 * isomorphic networks.
 *
 * A finished space never changes and may be used by any number of threads at once, and so may an
 * architecture. */
#ifndef LIBNAS_SPACE_H
#define LIBNAS_SPACE_H
#include "base.h"
#include "op.h"
NAS_EXTERN_C_BEGIN

/* ---- making one -------------------------------------------------------------------------------- */

/* A preset by name, its parameters overridden: "channels=8", "cells=2". n_overrides may be 0. */
NAS_API nas_status nas_space_preset(nas_space **out, nas_context *context, const char *name,
                                    const char *const *overrides, size_t n_overrides);
/* Name of the index-th preset (static storage), NULL past the last; its YAML text. */
NAS_API const char *nas_space_preset_name(uint32_t index);
NAS_API const char *nas_space_preset_text(const char *name);
/* From a YAML text; origin (a file's name) stands in error sentences: "space.yaml:7:3: ...". */
NAS_API nas_status nas_space_parse(nas_space **out, nas_context *context, const char *text, size_t n,
                                   const char *origin, const char *const *overrides,
                                   size_t n_overrides);
/* `what` is a preset's name or else a file's path. */
NAS_API nas_status nas_space_open(nas_space **out, nas_context *context, const char *what,
                                  const char *const *overrides, size_t n_overrides);

/* Call by call: create, add decisions and constraints in order, finish. A space without a network
 * template serves searches with the caller's own evaluation. */
NAS_API nas_status nas_space_create(nas_space **out, nas_context *context, const char *name);
NAS_API nas_status nas_space_add_choice(nas_space *space, const char *name,
                                        const char *const *alternatives, uint32_t n);
NAS_API nas_status nas_space_add_integer(nas_space *space, const char *name, int64_t low,
                                         int64_t high, int64_t step);
NAS_API nas_status nas_space_add_real(nas_space *space, const char *name, double low, double high,
                                      int32_t log_scale);
/* The last added decision exists only where an earlier choice has that alternative. */
NAS_API nas_status nas_space_add_condition(nas_space *space, const char *decision,
                                           const char *alternative);
/* "params <= 1000000", "macs <= 50e6", "depth >= 4 and width * depth <= 64". */
NAS_API nas_status nas_space_add_constraint(nas_space *space, const char *expression);
NAS_API nas_status nas_space_finish(nas_space *space);

NAS_API void nas_space_free(nas_space *space); /* when its last architecture, search ... is gone */

/* ---- what it is -------------------------------------------------------------------------------- */

NAS_API const char *nas_space_name(const nas_space *space);        /* borrowed from the space */
/* Its YAML text with overrides applied: enough to make it again. Borrowed. */
NAS_API const char *nas_space_text(const nas_space *space);
NAS_API uint64_t nas_space_hash(const nas_space *space);
NAS_API uint32_t nas_space_decisions(const nas_space *space);
/* 1 if the space has a template, so that architectures can be built and costed. */
NAS_API int32_t nas_space_has_network(const nas_space *space);

enum { NAS_DECISION_CHOICE = 0, NAS_DECISION_INTEGER = 1, NAS_DECISION_REAL = 2 };
enum {
    NAS_ROLE_ARCHITECTURE = 0, /* shapes the network */
    NAS_ROLE_HYPERPARAMETER = 1 /* is read by the evaluator: learning_rate, batch, ... */
};
typedef struct {
    uint32_t struct_size;
    int32_t kind, role;
    uint32_t n_alternatives;          /* of a choice; of an integer: how many values */
    const char *name;                 /* borrowed from the space */
    const char *const *alternatives;  /* of a choice, else NULL */
    int64_t low, high, step;          /* of an integer */
    double real_low, real_high;       /* of a real */
    int32_t log_scale;
    int32_t condition;                /* index of the decision it depends on, -1: none */
    int32_t condition_alternative;
    int32_t reserved;
} nas_decision;
NAS_API nas_status nas_space_decision(const nas_space *space, uint32_t index, nas_decision *out);
NAS_API nas_status nas_space_find_decision(const nas_space *space, const char *name, uint32_t *out);

/* How many architectures, constraints over the network left out; reals count as one. Exact up to
 * 2^64-1; *digits (NULL: not wanted) gets the exact decimal number however large (capacity bytes
 * with the 0; 64 are enough for every preset). NAS_E_LIMIT past 2^64-1 in *count, which is then
 * UINT64_MAX. */
NAS_API nas_status nas_space_count(const nas_space *space, uint64_t *count, char *digits,
                                   size_t capacity);

/* Uniform over the architectures that satisfy the constraints. NAS_E_INFEASIBLE with the constraint
 * named when there is none to be found. */
NAS_API nas_status nas_space_sample(const nas_space *space, nas_random *random, nas_arch **out);
/* One decision redrawn to another value (of those that matter); constraints hold. */
NAS_API nas_status nas_space_mutate(const nas_space *space, const nas_arch *parent,
                                    nas_random *random, nas_arch **out);
/* The same, or a mutation of some authors' own: "nas-bench-201" (a node, then one of its edges, then
 * another operation), "nas-bench-101" (each edge flips with probability 1 / vertices, each operation
 * changes with probability 1 / interior vertices, until the cell is valid), "amoebanet" (a cell; with
 * probability 0.05 nothing, else an input or an operation of a block). "uniform", NULL:
 * nas_space_mutate. NAS_E_UNSUPPORTED where the rule is not one of the space's kind. */
NAS_API nas_status nas_space_mutate_as(const nas_space *space, const nas_arch *parent,
                                       const char *rule, nas_random *random, nas_arch **out);
/* Each decision as in one of two parents, uniformly over what satisfies the constraints. */
NAS_API nas_status nas_space_crossover(const nas_space *space, const nas_arch *a, const nas_arch *b,
                                       nas_random *random, nas_arch **out);
/* Architectures that differ in one decision, constraints left out: how many there are (reals have no
 * neighbours), and the index-th. What depends on the changed decision takes its first alternative.
 * NAS_E_INFEASIBLE where a constraint does not hold. */
NAS_API nas_status nas_space_neighbors(const nas_space *space, const nas_arch *arch,
                                       uint64_t *count);
NAS_API nas_status nas_space_neighbor(const nas_space *space, const nas_arch *arch, uint64_t index,
                                      nas_arch **out);
/* Enumeration in a fixed order: index 0 .. count-1, reals at the middle of their range. */
NAS_API nas_status nas_space_at(const nas_space *space, uint64_t index, nas_arch **out);

/* ---- architectures ------------------------------------------------------------------------------ */

/* values: one for each decision. choice: index of the alternative; integer: the value; real: in
 * `real`. Values of decisions that are not active are ignored. Constraints are not checked. */
typedef struct {
    int64_t integer;
    double real;
} nas_value;
NAS_API nas_status nas_arch_create(nas_arch **out, const nas_space *space, const nas_value *values,
                                   size_t n);
/* The canonical text, another that the space's template reads (a genotype, arcs, a matrix, a code: see
 * docs/space-file.md), or the name of a published network. */
NAS_API nas_status nas_arch_parse(nas_arch **out, const nas_space *space, const char *text);
/* Name of the index-th published network of a preset (static storage), NULL past the last; parse takes
 * these names for texts: "DARTS_V2", "NASNet-A". */
NAS_API const char *nas_space_published(const nas_space *space, uint32_t index);
NAS_API nas_arch *nas_arch_hold(nas_arch *arch); /* one more owner */
NAS_API void nas_arch_free(nas_arch *arch);      /* one owner less */
NAS_API const nas_space *nas_arch_space(const nas_arch *arch);

NAS_API nas_status nas_arch_value(const nas_arch *arch, uint32_t decision, nas_value *out);
/* 0 where the decision's condition is not met. */
NAS_API int32_t nas_arch_active(const nas_arch *arch, uint32_t decision);
/* Canonical text into a buffer; *needed (may be NULL) its length without the 0. NAS_E_LIMIT if it
 * does not fit. Borrowed form: valid as long as the architecture. */
NAS_API const char *nas_arch_text(const nas_arch *arch);
NAS_API uint64_t nas_arch_hash(const nas_arch *arch);
NAS_API uint64_t nas_arch_network_hash(const nas_arch *arch); /* of the canonical network */
/* By the rule of NAS-Bench-201's authors, which tells more cells apart than differ (6,466 classes
 * where the semantic rule of nas_arch_network_hash leaves 4,930); elsewhere the network hash. */
NAS_API uint64_t nas_arch_published_hash(const nas_arch *arch);
NAS_API int32_t nas_arch_equal(const nas_arch *a, const nas_arch *b);

/* Known before anything runs. */
typedef struct {
    uint32_t struct_size, flags;
    int64_t params;            /* trained numbers */
    int64_t macs;              /* multiply-accumulates for one image */
    int64_t published_flops;   /* as the space's authors counted; -1: they did not */
    int64_t activation_bytes;  /* peak of live activations, inference, one image, float32 */
    int64_t weight_bytes;      /* float32 */
    int64_t depth;             /* layers with weights on the longest path */
} nas_arch_cost;
NAS_API nas_status nas_arch_costs(const nas_arch *arch, nas_arch_cost *out);
/* An architecture as numbers, for surrogates. One-hot: for each choice a number an alternative, 1 at
 * the one taken (all 0 where it is not active); integers and reals one number, 0 to 1 over their
 * range. Adjacency: the same but one number a choice, its index over the last index: short, with an
 * order that means nothing. Path: 1 for each sequence of operations that leads from the input to the
 * output (White et al., "BANANAS", AAAI 2021, section 3), for templates of cells; NAS_E_UNSUPPORTED
 * elsewhere. *needed: how many numbers; out NULL with capacity 0 only asks. */
enum { NAS_ENCODE_ONE_HOT = 0, NAS_ENCODE_ADJACENCY = 1, NAS_ENCODE_PATH = 2 };
NAS_API nas_status nas_arch_encode(const nas_arch *arch, int32_t encoding, double *out,
                                   size_t capacity, size_t *needed);
/* NAS_OK, or NAS_E_INFEASIBLE and the first constraint that does not hold in the sentence. */
NAS_API nas_status nas_arch_check(const nas_arch *arch);

NAS_EXTERN_C_END
#endif
