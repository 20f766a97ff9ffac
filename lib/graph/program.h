/* A program: the steps of a plan, where their results lie, and what their execution needs. For the
 * files of lib/graph that plan, fuse and execute. */
#ifndef NI_GRAPH_PROGRAM_H
#define NI_GRAPH_PROGRAM_H
#include "internal.h"

typedef enum {
    NI_AT_ARENA,     /* offset: bytes, shared by liveness */
    NI_AT_CONSTANT,  /* offset: bytes, written once */
    NI_AT_INPUT,     /* offset: the input's number */
    NI_AT_VALUES,    /* offset: elements */
    NI_AT_GRADIENTS, /* offset: elements */
} ni_place;

/* Flags of a step beside NI_CONV_*. */
enum { NI_STEP_RELU = 1 << 8 }; /* bn_normalize, affine: then clamped to 0 .. attr.bn.high */

/* A step starts as the copy of a node; fusion changes it. Inputs are numbers of steps. */
typedef struct ni_step {
    uint32_t op, flags;
    ni_node node; /* which it computes */
    ni_shape shape;
    ni_attr attr;
    uint32_t n_in;
    uint32_t *in;  /* NI_NONE: absent */
    uint64_t key;  /* steps run in order of their keys */
    uint32_t dead; /* nobody reads it */
    uint32_t
        accumulates; /* index of the input that the result is added to, in its memory; NI_NONE */

    bool view;      /* nothing to compute */
    uint32_t root;  /* the step whose memory it has: itself, or what it is a view of */
    size_t at;      /* bytes from there */
    ni_place place; /* of roots */
    size_t offset;
    size_t bytes;
    uint32_t first, last; /* of roots: positions in the order from which to which it is needed */

    uint32_t pieces;                 /* that it is cut into, for the threads */
    size_t shared_bytes, lane_bytes; /* scratch */
    const void **pointers; /* room for its inputs' addresses, where their number is open */
} ni_step;

typedef struct {
    uint32_t step, slot;
    bool direct; /* computed in its place: nothing to copy */
} ni_program_output;

typedef struct {
    uint32_t step;
    ni_bn_update update;
} ni_program_update;

struct ni_program {
    nas_context *context;
    nas_graph *graph;
    ni_kernels kernels;
    uint32_t dtype;
    size_t element; /* bytes */
    ni_arena *arena;
    ni_step *steps;
    uint32_t n_steps;
    uint32_t *order; /* of the steps that run */
    uint32_t n_order;
    ni_program_output *outputs;
    uint32_t n_outputs;
    ni_program_update *updates;
    uint32_t n_updates;
    void **address; /* of each step's result, during a run */
    char *memory, *constants, *scratch;
    size_t memory_bytes, constant_bytes, scratch_bytes, shared_bytes, lane_bytes;
    uint32_t lanes;
    const ni_run *run;
};

enum { NI_PIECES_MOST = 32, NI_ALIGN = 64 };
static inline size_t ni_aligned(size_t bytes) {
    return (bytes + NI_ALIGN - 1) / NI_ALIGN * NI_ALIGN;
}

/* How many pieces units of so much work each are cut into: by the shape alone. */
uint32_t ni_pieces(int64_t units, int64_t work_of_one, int64_t work_of_piece);
static inline void ni_piece_range(int64_t units, uint32_t pieces, uint32_t piece, int64_t *from,
                                  int64_t *to) {
    *from = units * piece / pieces;
    *to = units * (piece + 1) / pieces;
}
static inline void *ni_out(const ni_program *p, const ni_step *s) {
    return p->address[s - p->steps];
}
static inline const void *ni_arg(const ni_program *p, const ni_step *s, uint32_t i) {
    return i >= s->n_in || s->in[i] == NI_NONE ? NULL : p->address[s->in[i]];
}
static inline const ni_step *ni_arg_step(const ni_program *p, const ni_step *s, uint32_t i) {
    return &p->steps[s->in[i]];
}
static inline void *ni_element(const ni_program *p, const void *base, int64_t index) {
    return (char *)(uintptr_t)base + index * (int64_t)p->element;
}
static inline double ni_get(const ni_program *p, const void *base, int64_t i) {
    return p->dtype == NI_F64 ? ((const double *)base)[i] : (double)((const float *)base)[i];
}
static inline void ni_set(const ni_program *p, void *base, int64_t i, double value) {
    if (p->dtype == NI_F64)
        ((double *)base)[i] = value;
    else
        ((float *)base)[i] = (float)value;
}

/* ---- planning ------------------------------------------------------------------------------- */

typedef struct {
    uint64_t key;
    uint32_t step;
} ni_position;
/* Stable sort by key; the result is in one of the two arrays, which is returned. */
ni_position *ni_sort_positions(ni_position *from, ni_position *spare, uint32_t n);

/* fold.c: steps whose result is a constant zero become one; additions forget zeros. */
void ni_fold(ni_program *p);
/* fuse.c: neighbours become one step. */
nas_status ni_fuse(ni_program *p);
/* Marks what no output needs. */
void ni_sweep_dead(ni_program *p);
/* memory.c: who shares whose memory, and where it lies. */
nas_status ni_place_steps(ni_program *p);

/* ---- execution: scratch_* says what a run needs, run_* does it ------------------------------- */
void ni_scratch_none(const ni_program *p, ni_step *s);
void ni_scratch_elements(const ni_program *p, ni_step *s); /* pieces over elements */
void ni_scratch_rows(const ni_program *p, ni_step *s);     /* over rows of the last dimension */
void ni_scratch_conv(const ni_program *p, ni_step *s);
void ni_scratch_conv_dw(const ni_program *p, ni_step *s);
void ni_scratch_matmul(const ni_program *p, ni_step *s);
void ni_scratch_pool(const ni_program *p, ni_step *s);
void ni_scratch_sum(const ni_program *p, ni_step *s);
void ni_scratch_bn_sums(const ni_program *p, ni_step *s);
void ni_scratch_bn_rows(const ni_program *p, ni_step *s);
void ni_scratch_affine(const ni_program *p, ni_step *s);
void ni_scratch_mul_row(const ni_program *p, ni_step *s);
void ni_scratch_loss(const ni_program *p, ni_step *s);

void ni_run_conv(ni_program *p, const ni_step *s);
void ni_run_conv_dx(ni_program *p, const ni_step *s);
void ni_run_conv_dw(ni_program *p, const ni_step *s);
void ni_run_matmul(ni_program *p, const ni_step *s);
void ni_run_pool(ni_program *p, const ni_step *s);
void ni_run_add(ni_program *p, const ni_step *s);
void ni_run_elements(ni_program *p, const ni_step *s);
void ni_run_affine(ni_program *p, const ni_step *s);
void ni_run_mul_row(ni_program *p, const ni_step *s);
void ni_run_sum(ni_program *p, const ni_step *s);
void ni_run_broadcast(ni_program *p, const ni_step *s);
void ni_run_concat(ni_program *p, const ni_step *s);
void ni_run_slice(ni_program *p, const ni_step *s);
void ni_run_pad(ni_program *p, const ni_step *s);
void ni_run_bn_stats(ni_program *p, const ni_step *s);
void ni_run_bn_normalize(ni_program *p, const ni_step *s);
void ni_run_bn_dsums(ni_program *p, const ni_step *s);
void ni_run_bn_dx(ni_program *p, const ni_step *s);
void ni_run_softmax(ni_program *p, const ni_step *s);
void ni_run_cross_entropy(ni_program *p, const ni_step *s);
void ni_run_target(ni_program *p, const ni_step *s);
void ni_run_counted(ni_program *p, const ni_step *s);
void ni_run_correct(ni_program *p, const ni_step *s);
void ni_run_dropout_mask(ni_program *p, const ni_step *s);

#endif
