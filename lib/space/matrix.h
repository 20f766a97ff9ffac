/* Cells with a free matrix: what matrix.c and matrix_draw.c share. */
#ifndef NI_SPACE_MATRIX_H
#define NI_SPACE_MATRIX_H
#include "load.h"

enum { VERTICES_MOST = 8, MATRIX_STAGES_MOST = 6 };
typedef struct {
    ni_template base;
    uint32_t vertices, n_operations;
    uint32_t edge[VERTICES_MOST][VERTICES_MOST]; /* decision of [from][to] */
    uint32_t operation[VERTICES_MOST];           /* decision of an interior vertex */
    int64_t channels, stages, modules;
    uint64_t *operation_hash;
} matrix_template;

/* What is left of a cell. Vertex 0 is the input, n - 1 the output. */
typedef struct {
    uint32_t n, edges;
    bool connected;
    uint8_t to[VERTICES_MOST];         /* of each vertex: bits of those it feeds */
    uint8_t from[VERTICES_MOST];       /* ... of those that feed it */
    uint32_t operation[VERTICES_MOST]; /* of interior ones */
} pruned;

static inline const matrix_template *matrix_of(const nas_space *s) {
    return (const matrix_template *)(const void *)s->template;
}

/* Costs are those of a frame, which the matrix alone decides, and of each interior vertex, which
 * hang on its operation and on the channels that the matrix gives it. */
nas_status ni_matrix_frame_cost(const matrix_template *t, const pruned *p, ni_walk_cost *out);
/* Channels of every vertex in the modules of a stage. */
void ni_matrix_channels(const matrix_template *t, const pruned *p, int64_t stage,
                        int64_t *channels);
/* An operation at a vertex that has so many channels in each stage. Adds. */
nas_status ni_matrix_operation_cost(const matrix_template *t, uint32_t operation,
                                    const int64_t *channels, ni_walk_cost *out);

extern const ni_inside_ops ni_matrix_inside;

#endif
