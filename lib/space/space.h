/* lib/space: decisions, architectures, presets, YAML; from a space and an architecture to a
 * network. The public part is libnas/space.h. */
#ifndef NI_SPACE_H
#define NI_SPACE_H
#include "../data/data.h"
#include "libnas/space.h"

nas_context *ni_space_context(const nas_space *space);
/* Architectures, searches, controllers and models hold the space that they use. */
void ni_space_hold(const nas_space *space);
void ni_space_release(const nas_space *space);

/* Image and classes that the template is made for. */
nas_status ni_space_image(const nas_space *space, int64_t *height, int64_t *width, int64_t *channels,
                          int64_t *classes);
/* The network of an architecture, for a trainer. dropout: before the classifier. The ni_net borrows
 * `build`, which must live as long. */
typedef struct {
    const nas_arch *arch;
    double dropout;
    double width_scale; /* reserved: 1 */
} ni_arch_net;
nas_status ni_arch_network(ni_net *out, ni_arch_net *build, const nas_arch *arch, double dropout);
/* A hyper-parameter of the space by name: false when there is none (or it is not active). */
bool ni_arch_hyper(const nas_arch *arch, const char *name, double *out);
/* Hash of the hyper-parameter values: with the network hash it says whether two trials are one. */
uint64_t ni_arch_hyper_hash(const nas_arch *arch);

/* What a drawing needs: the cells as graphs. Node 0.. are inputs first; labels are for people. */
typedef struct {
    uint32_t from, to;
    char label[48]; /* operation */
} ni_draw_edge;
typedef struct {
    char title[48];
    uint32_t n_nodes, n_edges;
    char (*node_labels)[24];
    ni_draw_edge *edges;
} ni_draw_graph;
/* Graphs of an architecture (one a cell kind; a chain is one graph); ni_draw_free them. */
nas_status ni_arch_graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n);
void ni_draw_free(nas_context *context, ni_draw_graph *graphs, uint32_t n);

#endif
