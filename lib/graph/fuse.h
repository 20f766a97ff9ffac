/* Fusion passes: each goes over the steps of a program once and makes one step of several. */
#ifndef NI_GRAPH_FUSE_H
#define NI_GRAPH_FUSE_H
#include "program.h"

/* Who reads whom, at the start of a pass. */
typedef struct {
    ni_program *p;
    uint32_t *start; /* of step i's readers in list: start[i] .. start[i + 1] */
    uint32_t
        *list; /* one entry for each reading, so a step that reads another twice is there twice */
    uint8_t *pinned; /* an output, or read at the end of the run: must stay as it is */
} ni_readers;
static inline uint32_t ni_reading(const ni_readers *r, uint32_t step) {
    return r->start[step + 1] - r->start[step];
}
/* Read once, by a step, and nowhere else wanted. */
static inline bool ni_lone(const ni_readers *r, uint32_t step) {
    return step != NI_NONE && !r->pinned[step] && ni_reading(r, step) == 1;
}

typedef nas_status (*ni_pass)(ni_readers *r);
nas_status ni_pass_forward(ni_readers *r);       /* through views of the same shape */
nas_status ni_pass_merge_adds(ni_readers *r);    /* a + (b + c) */
nas_status ni_pass_norm_relu(ni_readers *r);     /* relu(bn_normalize(x)), relu(affine(x)) */
nas_status ni_pass_relu_conv(ni_readers *r);     /* conv(relu(x)) and its weight gradient */
nas_status ni_pass_masked_conv(ni_readers *r);   /* relu_gradient(x, conv_input_gradient(..)) */
nas_status ni_pass_accumulate(ni_readers *r);    /* a + conv_input_gradient(..) */
nas_status ni_pass_norm_conv(ni_readers *r);     /* conv(norm(x)) and its gradients */
nas_status ni_pass_norm_sum(ni_readers *r);      /* norm(x) w + norm(y) v + .. */
nas_status ni_pass_weighted_norm(ni_readers *r); /* the gradient of norm(x) w */

#endif
