/* Cells of blocks: each block takes two earlier states, applies an operation to each and adds (or
 * joins) the results; a cell takes the outputs of the two cells before it. NASNet (Zoph et al.,
 * CVPR 2018, section 3), AmoebaNet (Real et al., AAAI 2019), PNAS (Liu et al., ECCV 2018), ENAS's
 * micro space (Pham et al., ICML 2018), DARTS (Liu et al., ICLR 2019). The network around the cells
 * is that of DARTS (cnn/model.py), whose variable names these are. Seen by blocks*.c alone. */
#ifndef NI_SPACE_BLOCKS_H
#define NI_SPACE_BLOCKS_H
#include "load.h"

enum { BLOCKS_MOST = 12, BLOCK_CELLS_MOST = 64, BLOCK_STATES_MOST = BLOCKS_MOST + 2 };

/* Decisions of one block; -1: there is none. */
typedef struct {
    int32_t exists, in[2], op[2], join;
} block_decisions;
typedef struct {
    uint32_t in[2], op[2];
    bool joined;
} block;
typedef struct {
    uint32_t n;
    block blocks[BLOCKS_MOST];
    uint32_t outputs[BLOCK_STATES_MOST], n_outputs; /* states that the cell's output joins */
} cell;

typedef enum { STEM_CIFAR, STEM_IMAGENET } stem_kind;
typedef enum { TEXT_GENOTYPE, TEXT_ARCS } blocks_text;
typedef struct {
    bool reduction, after_reduction;
    int64_t h, w; /* of what comes in at state 1 */
    int64_t channels;
} cell_site;
/* An operation on a state in a genotype: ", ('sep_conv_3x3', 0)". */
typedef struct {
    uint32_t n;
    char text[NI_NAME_MOST + 13];
} operation_text;
typedef struct {
    ni_template base;
    uint32_t n_kinds; /* 1: one cell for both places; else normal, reduce */
    uint32_t least, most;
    bool pairs;  /* a block's inputs differ and have no order */
    bool unused; /* the output joins the states that no block uses; else all of them */
    blocks_text text;
    stem_kind stem;
    int32_t multiplier, auxiliary;
    int64_t channels, widen;
    uint32_t n_cells, auxiliary_after; /* cell whose output the auxiliary head takes */
    cell_site cells[BLOCK_CELLS_MOST];
    block_decisions decisions[2][BLOCKS_MOST];
    uint32_t first[2], n_operations; /* first decision of each kind */
    uint64_t *operation_hash;
    ni_meaning *meaning;
    operation_text *operation_text; /* of [operation][state] */
} blocks_template;

static inline const blocks_template *blocks_of(const nas_space *s) {
    return (const blocks_template *)(const void *)s->template;
}
static inline const char *blocks_kind_name(const blocks_template *t, uint32_t kind) {
    return t->n_kinds == 1 ? "cell" : kind ? "reduce" : "normal";
}
/* Names of the operations: the alternatives of every op decision. */
const char *ni_blocks_operation(const nas_space *s, uint32_t operation);
void ni_blocks_cell(const nas_space *s, const nas_value *values, uint32_t kind, cell *out);
/* The other way; false where a block has inputs that the space does not allow. */
void ni_blocks_set(const nas_space *s, nas_value *values, uint32_t kind, const cell *from);
void ni_blocks_outputs(const blocks_template *t, cell *c);

uint64_t ni_blocks_hash(const nas_arch *arch);
void ni_blocks_text(const nas_space *s, const nas_value *values, ni_text *to);
size_t ni_blocks_text_most(const nas_space *s);
nas_status ni_blocks_parse(const nas_space *s, const char *text, nas_value *values, size_t *used);
nas_status ni_blocks_graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n);
nas_status ni_blocks_mutate(const nas_space *s, const char *rule, nas_random *random,
                            nas_value *values);
nas_status ni_blocks_build(const nas_arch *arch, nas_graph *g, ni_node images, double dropout,
                           ni_node *logits);
nas_status ni_blocks_piece(const ni_template *self, nas_graph *g, const ni_piece *p, ni_node in,
                           ni_node *out);
enum {
    BLOCKS_OPERATION, /* alternative: operation, a: stride */
    BLOCKS_STEM,      /* a: the second one */
    BLOCKS_BEFORE,    /* a: 1 where it halves the image */
    BLOCKS_JOIN,
    BLOCKS_HEAD,
    BLOCKS_AUXILIARY
};
extern const ni_walk_ops ni_blocks_walk;

#endif
