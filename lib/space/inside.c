/* Draws inside the bounds of a space: what the bounds are, and who draws. */
#include <math.h>
#include "internal.h"

struct ni_inside {
    nas_context *context;
    ni_walk *walk;
    const ni_inside_ops *ops;
    void *own; /* of ops */
};

void ni_space_bounds(const nas_space *s, double low[NI_COST_COUNT], double high[NI_COST_COUNT]) {
    for (int i = 0; i < NI_COST_COUNT; i++)
        low[i] = -INFINITY, high[i] = INFINITY;
    for (size_t i = 0; i < s->constraints.n; i++)
        ni_expr_bounds(s->constraints.items[i].expr, low, high);
}

void ni_space_two_bounds(const nas_space *s, const double *lows, const double *highs, double low[2],
                         double high[2]) {
    low[0] = fmax(lows[NI_COST_PARAMS], lows[NI_COST_WEIGHT_BYTES] / 4);
    high[0] = fmin(highs[NI_COST_PARAMS], highs[NI_COST_WEIGHT_BYTES] / 4);
    low[1] = lows[NI_COST_MACS];
    high[1] = highs[NI_COST_MACS];
    if (s->template && s->template->published_extra >= 0) {
        double extra = (double)s->template->published_extra;
        low[1] = fmax(low[1], lows[NI_COST_PUBLISHED_FLOPS] - extra);
        high[1] = fmin(high[1], highs[NI_COST_PUBLISHED_FLOPS] - extra);
    }
}

bool ni_space_template_apart(const nas_space *s) {
    const ni_template *t = s->template;
    for (size_t d = 0; d < s->decisions.n; d++) {
        int32_t on = s->decisions.items[d].about.condition;
        bool inside = d >= t->first_decision && d < t->first_decision + t->n_decisions;
        if (!inside && on >= (int32_t)t->first_decision &&
            on < (int32_t)(t->first_decision + t->n_decisions))
            return false;
    }
    return true;
}

nas_status ni_inside_create(ni_inside **out, const nas_space *s, const nas_arch *a,
                            const nas_arch *b) {
    nas_status status = NAS_OK;
    *out = NULL;
    if (!s->template) return NAS_OK;
    ni_inside *made = ni_calloc(s->context, 1, sizeof *made);
    if (!made) return NAS_E_MEMORY;
    made->context = s->context;
    if (ni_walk_helps(s)) {
        status = ni_walk_create(&made->walk, s, a, b);
    } else if (s->template->ops->inside && !a && ni_space_template_apart(s)) {
        made->ops = s->template->ops->inside;
        status = made->ops->create(&made->own, s);
    }
    if (status < 0 || (!made->walk && !made->own)) {
        ni_inside_free(made);
        return status == NAS_E_UNSUPPORTED ? NAS_OK : status;
    }
    *out = made;
    return NAS_OK;
}

void ni_inside_free(ni_inside *inside) {
    if (!inside) return;
    ni_walk_free(inside->walk);
    if (inside->own) inside->ops->destroy(inside->context, inside->own);
    ni_free(inside->context, inside);
}

double ni_inside_ways(const ni_inside *inside) {
    return inside->walk ? ni_walk_ways(inside->walk) : inside->ops->ways(inside->own);
}

bool ni_inside_range(const ni_inside *inside, double least[2], double most[2]) {
    return inside->walk && ni_walk_range(inside->walk, least, most);
}

bool ni_inside_draw(const ni_inside *inside, nas_random *random, nas_value *values) {
    if (inside->walk) return ni_walk_draw(inside->walk, random, values);
    inside->ops->draw(inside->own, random, values);
    return true;
}
