/* lib/space: decisions, architectures, presets, YAML; from a space and an architecture to a
 * network. The public part is libnas/space.h. */
#ifndef NI_SPACE_H
#define NI_SPACE_H
#include "../data/data.h"
#include "libnas/space.h"

nas_context *ni_space_context(const nas_space *space);
/* Decision d, borrowed; d must be one of the space's. */
const nas_decision *ni_space_decision(const nas_space *space, uint32_t d);
/* The architecture's values, one a decision; 0 where a decision does not apply. */
const nas_value *ni_arch_values(const nas_arch *arch);
/* An architecture in as few bytes as its decisions need: bits of the values of those that apply, one
 * after the other. ni_arch_packed says how many bytes; unpack gives an equal architecture. */
size_t ni_arch_packed(const nas_arch *arch);
void ni_arch_pack(const nas_arch *arch, unsigned char *out); /* ni_arch_packed bytes */
nas_status ni_arch_unpack(nas_arch **out, const nas_space *space, const unsigned char *bytes, size_t n);
/* Architectures, searches, controllers and models hold the space that they use. */
void ni_space_hold(const nas_space *space);
void ni_space_release(const nas_space *space);

/* Image and classes that the template is made for. */
nas_status ni_space_image(const nas_space *space, int64_t *height, int64_t *width, int64_t *channels,
                          int64_t *classes);
/* The network of an architecture, for a trainer. dropout: before the classifier. drop_path: of the
 * operations in cells, set after ni_arch_network (0). The ni_net borrows `build`, which must live as
 * long. */
typedef struct {
    const nas_arch *arch;
    double dropout, drop_path;
    double width_scale; /* reserved: 1 */
} ni_arch_net;
nas_status ni_arch_network(ni_net *out, ni_arch_net *build, const nas_arch *arch, double dropout);
/* A hyper-parameter of the space by name: false when there is none (or it is not active). */
bool ni_arch_hyper(const nas_arch *arch, const char *name, double *out);
/* Hash of the hyper-parameter values: with the network hash it says whether two trials are one. */
uint64_t ni_arch_hyper_hash(const nas_arch *arch);

/* What a drawing needs: named graphs of nodes and labelled edges. Nodes are numbered so that every
 * edge goes from a lower to a higher one; the first n_inputs take what comes from outside, the last
 * n_outputs are what leaves. No edge goes to an input. An edge that does nothing at all (`none`) is not listed. Labels are for
 * people, UTF-8. */
typedef struct {
    uint32_t from, to;
    int32_t identity; /* 1: passes on what comes, as skip_connect does */
    char label[64];   /* operation */
} ni_draw_edge;
typedef struct {
    char title[64];
    uint32_t n_nodes, n_edges, n_inputs, n_outputs;
    char (*node_labels)[24];
    ni_draw_edge *edges;
} ni_draw_graph;
/* Graphs of an architecture (one a cell kind; a chain is one graph); ni_draw_free them. None (*n 0)
 * where the space has no network template. */
nas_status ni_arch_graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n);
void ni_draw_free(nas_context *context, ni_draw_graph *graphs, uint32_t n);

#endif
