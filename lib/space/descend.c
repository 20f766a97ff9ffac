/* Architectures inside constraints of any kind, where draws find none: down, from random starts, on
 * how far the constraints are missed; then a walk among the architectures inside.
 *
 * The walk is that of Metropolis et al. ("Equation of state calculations by fast computing
 * machines", 1953) with proposals that change one decision or a few, corrected for how many
 * assignments hang on them: the longer it is, the nearer to uniform over what it can reach. It is
 * not exactly uniform, and never leaves an island that a few changes do not leave. */
#include <math.h>
#include "internal.h"

enum {
    CHANGES_MOST = 6,
    TRIES = 1000000,
    TRIES_BUILT = 4000, /* where each try builds a network */
    STEPS_MOST = 10000,
    STEPS_BUILT_MOST = 200
};

typedef struct {
    const nas_space *s;
    nas_random *random;
    double low[NI_COST_COUNT], high[NI_COST_COUNT];
    double least[NI_COST_COUNT], most[NI_COST_COUNT]; /* of all that were tried */
    double *numbers;
    uint64_t tried;
} search;

/* 0: inside. Relative distances to bounds, each below 1, and 1 for each constraint that is broken.
 */
static nas_status distance(search *d, const nas_arch *arch, double *out) {
    const nas_space *s = d->s;
    double costs[NI_COST_COUNT] = {0}, sum = 0;
    uint32_t broken = 0;
    d->tried++;
    NI_TRY(ni_arch_needed_costs(arch, costs));
    ni_arch_numbers(arch, d->numbers);
    for (size_t i = 0; i < s->constraints.n; i++)
        broken += ni_expr_value(s->constraints.items[i].expr, d->numbers, costs) == 0;
    for (int c = 0; c < NI_COST_COUNT; c++) {
        double over = 0;
        if (isinf(d->low[c]) && isinf(d->high[c])) continue;
        if (costs[c] > d->high[c]) over = (costs[c] - d->high[c]) / fmax(1, fabs(d->high[c]));
        if (costs[c] < d->low[c]) over = (d->low[c] - costs[c]) / fmax(1, fabs(d->low[c]));
        sum += over / (1 + over);
        d->least[c] = fmin(d->least[c], costs[c]);
        d->most[c] = fmax(d->most[c], costs[c]);
    }
    *out = broken ? sum + broken : 0;
    return NAS_OK;
}

static bool able(const nas_space *s, const nas_value *values, uint32_t d) {
    const nas_decision *about = &s->decisions.items[d].about;
    return ni_decision_active(s, values, d) &&
           (about->kind == NAS_DECISION_REAL || about->n_alternatives > 1);
}

/* Another value of d, and what hangs on it drawn; *ratio: of the assignments that hang on the new
 * one and on the old one. */
static void change(const nas_space *s, nas_random *random, nas_value *values, uint32_t d,
                   double *ratio) {
    const ni_decision *decision = &s->decisions.items[d];
    const nas_decision *about = &decision->about;
    if (about->kind == NAS_DECISION_REAL) {
        ni_space_draw_subtree(s, random, d, values);
        return;
    }
    int64_t low = about->kind == NAS_DECISION_INTEGER ? about->low : 0;
    int64_t step = about->kind == NAS_DECISION_INTEGER ? about->step : 1;
    int64_t now = (values[d].integer - low) / step;
    int64_t other = (int64_t)nas_random_below(random, about->n_alternatives - 1u);
    other += other >= now;
    if (decision->has_dependents)
        *ratio *= ni_space_hanging(s, d, other) / ni_space_hanging(s, d, now);
    values[d].integer = low + step * other;
    ni_space_draw_dependents(s, random, d, values);
}

/* Changes one decision, or two and more on which none hangs, each number half as often as the one
 * before. All are picked from all decisions, so that the way back is as likely; false: those picked
 * do not apply. */
static bool propose(const nas_space *s, nas_random *random, nas_value *values, double *ratio) {
    uint32_t picked[CHANGES_MOST], n = 1;
    uint64_t coins = nas_random_u64(random);
    *ratio = 1;
    for (; n < CHANGES_MOST && (coins & 1); coins >>= 1)
        n++;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t d = (uint32_t)nas_random_below(random, s->decisions.n);
        if (!able(s, values, d) || (n > 1 && s->decisions.items[d].has_dependents)) return false;
        for (uint32_t k = 0; k < i; k++)
            if (picked[k] == d) return false;
        picked[i] = d;
    }
    for (uint32_t i = 0; i < n; i++)
        change(s, random, values, picked[i], ratio);
    return true;
}

/* One start: *missed is 0 where it came inside. */
static nas_status descend(search *d, const ni_inside *inside, uint64_t tries, nas_arch *arch,
                          nas_value *values, double *missed) {
    const nas_space *s = d->s;
    const size_t bytes = s->decisions.n * sizeof *values;
    nas_value *before = values + s->decisions.n;
    uint64_t vain = 0, patience = 200 + 40 * (uint64_t)s->decisions.n;
    ni_space_draw(s, d->random, values);
    if (inside) (void)ni_inside_draw(inside, d->random, values);
    ni_arch_set(arch, values);
    NI_TRY(distance(d, arch, missed));
    for (uint64_t i = 0; *missed > 0 && vain < patience && i < 16 * patience; i++, vain++) {
        double ratio, now;
        if (d->tried >= tries) break;
        memcpy(values, arch->values, bytes);
        if (!propose(s, d->random, values, &ratio)) continue;
        memcpy(before, arch->values, bytes);
        ni_arch_set(arch, values);
        NI_TRY(distance(d, arch, &now));
        if (now < *missed) vain = 0;
        if (now <= *missed)
            *missed = now;
        else
            ni_arch_set(arch, before);
    }
    return NAS_OK;
}

static nas_status walk(search *d, uint64_t steps, nas_arch *arch, nas_value *values) {
    const nas_space *s = d->s;
    const size_t bytes = s->decisions.n * sizeof *values;
    nas_value *before = values + s->decisions.n;
    for (uint64_t i = 0; i < steps; i++) {
        double ratio;
        int64_t violated = -1;
        memcpy(values, arch->values, bytes);
        if (!propose(s, d->random, values, &ratio)) continue;
        if (ratio < 1 && nas_random_uniform(d->random) >= ratio) continue;
        memcpy(before, arch->values, bytes);
        ni_arch_set(arch, values);
        NI_TRY(ni_arch_violated(arch, &violated));
        if (violated >= 0) ni_arch_set(arch, before);
    }
    return NAS_OK;
}

static void what_was_reached(const search *d, ni_reached *out) {
    out->tried = d->tried;
    out->cost = -1;
    out->bounds = 0;
    for (int c = 0; c < NI_COST_COUNT; c++)
        out->bounds += !isinf(d->low[c]) || !isinf(d->high[c]);
    for (int c = 0; c < NI_COST_COUNT && out->cost < 0; c++) {
        bool above = d->least[c] > d->high[c];
        if (!above && !(d->most[c] < d->low[c])) continue;
        out->cost = c;
        out->above = above;
        out->best = above ? d->least[c] : d->most[c];
        out->bound = above ? d->high[c] : d->low[c];
    }
}

nas_status ni_descend(const nas_space *s, const ni_inside *inside, nas_random *random,
                      nas_value *values_, nas_arch **out, ni_reached *reached) {
    const size_t n = s->decisions.n;
    const bool built = ni_space_needs_network(s);
    const uint64_t tries = built ? TRIES_BUILT : TRIES;
    uint64_t steps = built ? 40 + 2 * n : 512 + 64 * n;
    const uint64_t most = built ? STEPS_BUILT_MOST : STEPS_MOST;
    if (steps > most) steps = most;
    search d = {.s = s, .random = random};
    nas_arch *arch = NULL;
    double missed = 1;
    *out = NULL;
    for (int c = 0; c < NI_COST_COUNT; c++)
        d.least[c] = INFINITY, d.most[c] = -INFINITY;
    ni_space_bounds(s, d.low, d.high);
    memset(values_, 0, n * sizeof *values_);
    d.numbers = ni_calloc(s->context, n, sizeof *d.numbers);
    nas_value *values = ni_calloc(s->context, 2 * n, sizeof *values); /* and those before */
    nas_status status = d.numbers && values ? NAS_OK : NAS_E_MEMORY;
    if (status >= 0) status = ni_arch_begin(&arch, s, values_);
    while (status >= 0 && missed > 0 && d.tried < tries)
        status = descend(&d, inside, tries, arch, values, &missed);
    if (status >= 0 && missed == 0) status = walk(&d, steps, arch, values);
    what_was_reached(&d, reached);
    if (status >= 0 && missed == 0) {
        ni_arch_end(out, arch);
        arch = NULL;
    }
    ni_free(s->context, arch);
    ni_free(s->context, values);
    ni_free(s->context, d.numbers);
    return status;
}
