/* Folding before fusion: what is zero by construction (the `none` operation of cell spaces, and
 * gradients that do not flow) costs nothing at run time. */
#include "program.h"

static bool is_zero(const ni_program *p, uint32_t step) {
    return step != NI_NONE && p->steps[step].op == NI_OP_CONSTANT && p->steps[step].attr.value == 0;
}

static void becomes_zero(ni_step *s) {
    s->op = NI_OP_CONSTANT;
    s->n_in = 0;
    memset(&s->attr, 0, sizeof s->attr);
}

static void fold_add(const ni_program *p, ni_step *s) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_in; i++)
        if (!is_zero(p, s->in[i])) s->in[n++] = s->in[i];
    s->n_in = n;
    if (n == 0)
        becomes_zero(s);
    else if (n == 1)
        s->op = NI_OP_RESHAPE; /* the same memory */
}

void ni_fold(ni_program *p) {
    for (uint32_t i = 0; i < p->n_steps; i++) {
        ni_step *s = &p->steps[i];
        bool zero = false, all = s->n_in > 0;
        if (s->op == NI_OP_ADD) {
            fold_add(p, s);
            continue;
        }
        for (uint32_t k = 0; k < s->n_in; k++) {
            bool absent = !is_zero(p, s->in[k]);
            all &= !absent;
            zero |= !absent && k < 32 && (ni_ops[s->op].zero_in >> k & 1);
        }
        if (s->op == NI_OP_SCALE) zero = all && s->attr.scale.b == 0;
        if (s->op == NI_OP_CONCAT) zero = all;
        if (s->op == NI_OP_AFFINE) /* x zero, or scale zero, and no shift */
            zero = s->in[2] == NI_NONE && (is_zero(p, s->in[0]) || is_zero(p, s->in[1]));
        if (zero) becomes_zero(s);
    }
}
