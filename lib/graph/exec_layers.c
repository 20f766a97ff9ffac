/* Execution of gates, layer norm, resizing and embeddings. */
#include <math.h>
#include "program.h"

enum { ELEMENTS_A_PIECE = 1 << 15 };

/* ---- a number for each image and channel ---------------------------------------------------- */

/* Units: pixels. Scratch: a vector of zeros, to be added. */
void ni_scratch_mul_image(const ni_program *p, ni_step *s) {
    ni_scratch_rows(p, s);
    s->shared_bytes = ni_aligned((size_t)s->shape.d[3] * p->element);
}

void ni_prepare_mul_image(ni_program *p, const ni_step *s) {
    memset(ni_shared(p, s), 0, (size_t)s->shape.d[3] * p->element);
}

void ni_range_mul_image(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    const void *x = ni_arg(l, s, 0), *by = ni_arg(l, s, 1), *zeros = ni_shared(l->p, s);
    int64_t c = s->shape.d[3], pixels = s->shape.d[1] * s->shape.d[2];
    (void)part;
    for (int64_t from = u0, to; from < u1; from = to) {
        int64_t image = from / pixels;
        to = (image + 1) * pixels < u1 ? (image + 1) * pixels : u1;
        l->p->kernels.scale_shift(x, ni_element(l->p, by, image * c), zeros, ni_out(l, s), c, from,
                                  to, false);
    }
}

/* ---- layer norm ----------------------------------------------------------------------------- */

void ni_range_layer_norm(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1,
                         uint32_t part) {
    const ni_kernels *k = &l->p->kernels;
    const void *x = ni_arg(l, s, 0), *dy = ni_arg(l, s, 1);
    void *y = ni_out(l, s);
    (void)part;
    if (dy)
        k->layer_norm_gradient(x, dy, y, s->attr.bn.epsilon, s->shape.d[3], u0, u1);
    else
        k->layer_norm(x, y, s->attr.bn.epsilon, s->shape.d[3], u0, u1);
}

/* ---- resizing ------------------------------------------------------------------------------- */

/* Units: rows of the result; images, of its gradient. */
void ni_scratch_resize(const ni_program *p, ni_step *s) {
    const ni_resize *r = &s->attr.resize;
    int64_t row = (int64_t)r->ow * r->c;
    bool gradient = s->op == NI_OP_RESIZE_DX;
    (void)p;
    s->units = gradient ? r->n : (int64_t)r->n * r->oh;
    s->pieces = ni_pieces(s->units, gradient ? r->oh * row : row, ELEMENTS_A_PIECE);
}

void ni_range_resize(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    const ni_kernels *k = &l->p->kernels;
    (void)part;
    (s->op == NI_OP_RESIZE ? k->resize : k->resize_gradient)(&s->attr.resize, ni_arg(l, s, 0),
                                                             ni_out(l, s), u0, u1);
}

/* ---- embeddings ----------------------------------------------------------------------------- */

static bool is_index(double value, int64_t entries) {
    return value >= 0 && value < (double)entries && value == floor(value);
}

/* All of them, before any is read with. */
void ni_prepare_embed(ni_program *p, const ni_step *s) {
    const void *indices = ni_whole(p, s, 0);
    int64_t entries = ni_table_rows(p, s), n = ni_shape_count(ni_arg_step(p, s, 0)->shape);
    for (int64_t i = 0; i < n && p->misread.step == NI_NONE; i++) {
        double value = ni_get(p, indices, i);
        if (is_index(value, entries)) continue;
        p->misread.step = (uint32_t)(s - p->steps);
        p->misread.at = i;
        p->misread.value = value;
    }
}

void ni_range_embed(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    ni_program *p = l->p;
    const void *indices = ni_arg(l, s, 0), *table = ni_arg(l, s, 1);
    int64_t c = s->shape.d[3];
    (void)part;
    if (p->misread.step != NI_NONE) return;
    for (int64_t i = u0; i < u1; i++)
        memcpy(ni_element(p, ni_out(l, s), i * c),
               ni_element(p, table, (int64_t)ni_get(p, indices, i) * c), (size_t)c * p->element);
}

/* In the order of the indices, for equal ones are added up. */
void ni_run_embed_dx(ni_program *p, const ni_step *s) {
    const void *indices = ni_whole(p, s, 0), *dy = ni_whole(p, s, 1);
    int64_t c = s->shape.d[3], n = ni_shape_count(ni_arg_step(p, s, 0)->shape);
    memset(ni_whole_out(p, s), 0, s->bytes);
    ni_prepare_embed(p, s);
    for (int64_t i = 0; i < n && p->misread.step == NI_NONE; i++) {
        void *to = ni_element(p, ni_whole_out(p, s), (int64_t)ni_get(p, indices, i) * c);
        const void *both[2] = {to, ni_element(p, dy, i * c)};
        p->kernels.add(both, 2, to, 0, c);
    }
}
