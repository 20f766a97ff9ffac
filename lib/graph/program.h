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
    double clamp;  /* of convolutions that read a norm: what is read is no more than that; 0 */
    uint32_t
        accumulates; /* index of the input that the result is added to, in its memory; NI_NONE */

    bool view;      /* nothing to compute */
    bool fixed;     /* in a frozen program: made from values and constants alone */
    bool prepared;  /* in a frozen program: what is prepared for it is */
    uint32_t root;  /* the step whose memory it has: itself, or what it is a view of */
    size_t at;      /* bytes from there */
    ni_place place; /* of roots */
    size_t offset;
    size_t bytes;
    uint32_t first, last; /* of roots: from which position in the order (local) or slot to which */
    size_t room;          /* of roots: bytes given to it */

    int64_t units;   /* of work: rows, images, elements */
    uint32_t pieces; /* that they are cut into, for the threads, when the step runs alone */
    uint32_t group;  /* NI_NONE: it runs alone */
    uint32_t slot;   /* when it runs: all steps of a group at once */
    bool local;      /* of roots: it lives in a lane's scratch, some images at a time */
    char *given; /* of roots, during a run: the caller's buffer, which it is computed in; NULL */
    /* Scratch: for all lanes, from p->scratch + shared on; in it, from its shared_bytes on, `parts`
     * results that are joined at the end; and of each lane. */
    size_t shared, shared_bytes, part_bytes, lane_bytes;
    uint32_t parts;
    ni_way way; /* of convolutions and products */
} ni_step;

/* Steps that run together, some images at a time (group.c). */
typedef struct {
    uint32_t first, n;     /* in the order */
    uint32_t pieces, subs; /* pieces that the images are cut into, and each of these again */
    size_t local_bytes;    /* of a lane: tensors that live only here */
    uint32_t *finish;      /* steps that join parts */
    uint32_t n_finish;
} ni_group;

typedef struct {
    uint32_t step, slot;
    bool direct; /* computed in its place: nothing to copy */
    bool alone;  /* the step has its memory for itself: the caller's serves as well */
} ni_program_output;

typedef struct {
    uint32_t step;
    ni_bn_update update;
} ni_program_update;

/* What is made again for far readers, instead of being kept for them (again.c). */
typedef enum {
    NI_AGAIN_NEVER,
    NI_AGAIN_CHEAP, /* what is about as cheap to make as to read from memory */
    NI_AGAIN_MOST   /* convolutions too, a share of them */
} ni_again;
enum { NI_SHARES = 16, NI_USUAL_SHARE = 5 };

struct ni_program {
    nas_context *context;
    nas_graph *graph;
    ni_kernels kernels, by_gemm; /* the second one's convolutions are matrix products */
    uint32_t dtype;
    size_t element; /* bytes */
    ni_arena *arena;
    ni_step *steps;
    uint32_t n_steps, capacity; /* fusion may add some */
    uint32_t *order;            /* of the steps that run */
    uint32_t n_order;
    ni_again again;   /* what may be made again instead of kept */
    uint32_t share;   /* of NI_SHARES, of the convolutions */
    bool frozen, ran; /* what is fixed is kept from run to run; and there */
    int64_t images;   /* the batch, where steps may run some images at a time; 0 */
    ni_group *groups;
    uint32_t n_groups;
    ni_program_output *outputs;
    uint32_t n_outputs;
    ni_program_update *updates;
    uint32_t n_updates;
    void **address; /* of each step's result, during a run */
    char *memory, *constants, *scratch;
    size_t memory_bytes, constant_bytes, scratch_bytes, shared_bytes, lane_bytes;
    uint32_t lanes;
    const ni_run *run;
    /* The first index that is none, of an embedding: it ends the run. step: NI_NONE where all are.
     */
    struct {
        uint32_t step;
        int64_t at;
        double value;
    } misread;
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
/* Where a range of a step's work finds its tensors and its scratch. */
typedef struct ni_lane {
    ni_program *p;
    char *local; /* in a group: the lane's tensors, which begin at image `image` */
    int64_t image;
    char *scratch; /* the lane's, for this step */
    bool more;     /* the part holds the sum over earlier images */
} ni_lane;

static inline void *ni_tensor(const ni_lane *l, uint32_t step) {
    const ni_step *root = &l->p->steps[l->p->steps[step].root];
    if (!root->local) return l->p->address[step];
    /* where image 0 would be */
    return (void *)((uintptr_t)l->local + root->offset -
                    (uintptr_t)l->image * (root->bytes / (size_t)l->p->images));
}
static inline void *ni_out(const ni_lane *l, const ni_step *s) {
    return ni_tensor(l, (uint32_t)(s - l->p->steps));
}
static inline const void *ni_arg(const ni_lane *l, const ni_step *s, uint32_t i) {
    return i >= s->n_in || s->in[i] == NI_NONE ? NULL : ni_tensor(l, s->in[i]);
}
/* The same of a step that works on whole tensors. */
static inline void *ni_whole_out(const ni_program *p, const ni_step *s) {
    return p->address[s - p->steps];
}
static inline const void *ni_whole(const ni_program *p, const ni_step *s, uint32_t i) {
    return i >= s->n_in || s->in[i] == NI_NONE ? NULL : p->address[s->in[i]];
}
static inline char *ni_shared(const ni_program *p, const ni_step *s) {
    return p->scratch + s->shared;
}
static inline void *ni_part(const ni_program *p, const ni_step *s, uint32_t part) {
    return ni_shared(p, s) + s->shared_bytes + part * s->part_bytes;
}
/* Of an embedding, or of its gradient. */
static inline int64_t ni_table_rows(const ni_program *p, const ni_step *s) {
    return s->op == NI_OP_EMBED ? p->steps[s->in[1]].shape.d[0] : s->shape.d[0];
}
/* The units that a part was made from. */
void ni_part_units(const ni_program *p, const ni_step *s, uint32_t part, int64_t *from,
                   int64_t *to);
/* 0 forward, 1 input gradient, 2 weight gradient; -1: no convolution. */
static inline int ni_conv_pass(const ni_step *s) {
    return s->op == NI_OP_CONV ? 0 : s->op == NI_OP_CONV_DX ? 1 : s->op == NI_OP_CONV_DW ? 2 : -1;
}
/* The kernels of a convolution. */
static inline const ni_kernels *ni_conv_kernels(const ni_program *p, const ni_step *s) {
    return s->way == NI_BLIS ? &p->by_gemm : &p->kernels;
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

/* Bit i of a mask of inputs; the last two bits go on in turn for all inputs behind them. */
static inline bool ni_mask_has(uint32_t mask, uint32_t i) {
    return mask >> (i < 32 ? i : 30 + i % 2) & 1;
}
/* group.c: the order of the steps; which run together. */
nas_status ni_order_steps(ni_program *p);
/* Bit i: input i of the step is read image by image. */
uint32_t ni_read_by_image(const ni_program *p, const ni_step *s);
/* again.c: level: of each step; list: the n steps that run, in the order of their keys. Both have
 * room for p->capacity. */
nas_status ni_make_again(ni_program *p, uint32_t *level, ni_position *list, uint32_t *n);
bool ni_is_by_image(const ni_program *p, const ni_step *s); /* and not joined from parts */
/* exec_group.c */
void ni_run_alone(ni_program *p, const ni_step *s);
void ni_run_group(ni_program *p, const ni_group *g);

/* ---- execution --------------------------------------------------------------------------------
 * scratch_*: units, pieces, scratch. prepare_*: before any range, once. range_*: units u0 <= u <
 * u1; `part`: which of the step's parts it makes. finish_*: joins the parts. run_*: the whole step,
 * where it is not made of ranges. */
#define NI_EXEC_SCRATCH(X)                                                                         \
    X(none)                                                                                        \
    X(elements)                                                                                    \
    X(rows)                                                                                        \
    X(outer) X(conv) X(conv_dw) X(matmul) X(pool) X(sum) X(bn_sums) X(bn_rows) X(affine)           \
        X(mul_row) X(loss) X(add) X(norm_sum) X(mul_image) X(resize)
#define NI_EXEC_PREPARE(X) X(conv) X(affine) X(bn_normalize) X(bn_dx) X(mul_image) X(embed)
#define NI_EXEC_RANGE(X)                                                                           \
    X(conv)                                                                                        \
    X(conv_dx)                                                                                     \
    X(conv_dw)                                                                                     \
    X(matmul) X(pool) X(add) X(elements) X(affine) X(mul_row) X(sum) X(broadcast) X(concat)        \
        X(slice) X(pad) X(bn_stats) X(bn_normalize) X(bn_dsums) X(bn_dx) X(softmax)                \
            X(dropout_mask) X(norm_sum) X(mul_image) X(layer_norm) X(resize) X(embed)
#define NI_EXEC_FINISH(X)        X(conv_dw) X(sum) X(bn_stats) X(bn_dsums)
#define NI_EXEC_RUN(X)           X(cross_entropy) X(target) X(counted) X(correct) X(bn_vectors) X(embed_dx)
#define NI_DECLARE_SCRATCH(name) void ni_scratch_##name(const ni_program *p, ni_step *s);
#define NI_DECLARE_PREPARE(name) void ni_prepare_##name(ni_program *p, const ni_step *s);
#define NI_DECLARE_RANGE(name)                                                                     \
    void ni_range_##name(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part);
#define NI_DECLARE_FINISH(name) void ni_finish_##name(ni_program *p, const ni_step *s);
#define NI_DECLARE_RUN(name)    void ni_run_##name(ni_program *p, const ni_step *s);
NI_EXEC_SCRATCH(NI_DECLARE_SCRATCH)
NI_EXEC_PREPARE(NI_DECLARE_PREPARE)
NI_EXEC_RANGE(NI_DECLARE_RANGE)
NI_EXEC_FINISH(NI_DECLARE_FINISH)
NI_EXEC_RUN(NI_DECLARE_RUN)

#endif
