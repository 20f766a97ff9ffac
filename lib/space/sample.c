/* Architectures inside the constraints: uniform samples, mutations, the index-th. */
#include <inttypes.h>
#include "internal.h"

enum { DRAWS_BEFORE_LIST = 64, DRAWS_MOST = 200000 };

static nas_value *scratch(const nas_space *s) {
    return ni_calloc(s->context, s->decisions.n, sizeof(nas_value));
}

static nas_status make_checked(nas_arch **out, const nas_space *s, const nas_value *values,
                               int64_t *violated) {
    nas_arch *arch = NULL;
    NI_TRY(ni_arch_make(&arch, s, values));
    nas_status status = ni_arch_violated(arch, violated);
    if (status < 0 || *violated >= 0) {
        nas_arch_free(arch);
        return status;
    }
    *out = arch;
    return NAS_OK;
}

static nas_status infeasible(const nas_space *s, int64_t constraint, const char *where) {
    return ni_fail(s->context, NAS_E_INFEASIBLE,
                   "space '%s': %s satisfies the constraints; '%s' is one that fails", s->name,
                   where, constraint >= 0 ? s->constraints.items[constraint].text : "");
}

/* All architectures that satisfy the constraints, by index: made once, for small spaces whose
 * constraints leave little. */
static nas_status list_feasible(nas_space *s) {
    nas_value *values = scratch(s);
    NI_ARRAY(uint64_t) list = {0};
    nas_status status = values ? NAS_OK : NAS_E_MEMORY;
    for (uint64_t i = 0; status >= 0 && i < s->count; i++) {
        nas_arch *arch = NULL;
        int64_t violated = -1;
        ni_space_assignment(s, i, values);
        status = make_checked(&arch, s, values, &violated);
        if (status >= 0 && violated < 0) {
            nas_arch_free(arch);
            status = NI_PUSH(s->context, &list, i);
        }
    }
    ni_free(s->context, values);
    if (status < 0) {
        NI_ARRAY_FREE(s->context, &list);
        return status;
    }
    /* Two threads may have listed at once: the lists are equal, and the first one stays. */
    ni_mutex_lock(s->lock);
    if (!s->listed) {
        s->feasible = list.items;
        s->n_feasible = list.n;
        s->listed = true;
        list.items = NULL;
    }
    ni_mutex_unlock(s->lock);
    NI_ARRAY_FREE(s->context, &list);
    return NAS_OK;
}

static nas_status sample(const nas_space *space, nas_random *random, nas_value *values,
                         nas_arch **out) {
    nas_space *s = (nas_space *)(uintptr_t)space; /* the list behind the lock */
    int64_t violated = -1;
    bool small = s->n_discrete == s->decisions.n && s->count <= NI_FEASIBLE_MOST;
    for (int i = 0; i < (small ? DRAWS_BEFORE_LIST : DRAWS_MOST); i++) {
        ni_space_draw(s, random, values);
        NI_TRY(make_checked(out, s, values, &violated));
        if (violated < 0) return NAS_OK;
    }
    if (!small) return infeasible(s, violated, "none of 200000 samples");
    ni_mutex_lock(s->lock);
    bool listed = s->listed;
    ni_mutex_unlock(s->lock);
    if (!listed) NI_TRY(list_feasible(s));
    if (s->n_feasible == 0) return infeasible(s, violated, "no architecture");
    ni_space_assignment(s, s->feasible[nas_random_below(random, s->n_feasible)], values);
    return ni_arch_make(out, s, values);
}

nas_status nas_space_sample(const nas_space *space, nas_random *random, nas_arch **out) {
    NI_TRY(ni_enter(space->context));
    NI_TRY(ni_space_finished(space));
    nas_value *values = scratch(space);
    if (!values) return NAS_E_MEMORY;
    nas_status status = sample(space, random, values, out);
    ni_free(space->context, values);
    return status;
}

nas_status nas_space_at(const nas_space *space, uint64_t index, nas_arch **out) {
    NI_TRY(ni_enter(space->context));
    NI_TRY(ni_space_finished(space));
    if (index >= space->count)
        return ni_fail(space->context, NAS_E_INVALID,
                       "architecture %" PRIu64 ": space '%s' has %" PRIu64 ", from 0", index,
                       space->name, space->count);
    nas_value *values = scratch(space);
    if (!values) return NAS_E_MEMORY;
    ni_space_assignment(space, index, values);
    nas_status status = ni_arch_make(out, space, values);
    ni_free(space->context, values);
    return status;
}

/* ---- mutation: one active decision takes another value
 * ---------------------------------------------- */

/* Another value of d than `values` holds; the k-th of them (integers and choices). */
static int64_t other_value(const ni_decision *d, int64_t now, uint64_t k) {
    int64_t low = d->about.kind == NAS_DECISION_INTEGER ? d->about.low : 0;
    int64_t step = d->about.kind == NAS_DECISION_INTEGER ? d->about.step : 1;
    int64_t index = (now - low) / step;
    return low + step * ((int64_t)k < index ? (int64_t)k : (int64_t)k + 1);
}

/* Every neighbour that satisfies the constraints, one of them at random. */
static nas_status mutate_listed(const nas_space *s, const nas_arch *parent, nas_random *random,
                                nas_value *values, nas_arch **out) {
    nas_arch *kept = NULL;
    uint64_t seen = 0;
    int64_t violated = -1;
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        const ni_decision *decision = &s->decisions.items[d];
        if (decision->about.kind == NAS_DECISION_REAL || !nas_arch_active(parent, d)) continue;
        for (uint64_t k = 0; k + 1 < decision->about.n_alternatives; k++) {
            nas_arch *arch = NULL;
            memcpy(values, parent->values, s->decisions.n * sizeof *values);
            values[d].integer = other_value(decision, values[d].integer, k);
            ni_space_draw_dependents(s, random, d, values);
            nas_status status = make_checked(&arch, s, values, &violated);
            if (status < 0) {
                nas_arch_free(kept);
                return status;
            }
            if (!arch) continue;
            /* each of those seen is kept with the same probability */
            if (nas_random_below(random, ++seen) == 0) {
                nas_arch_free(kept);
                kept = arch;
            } else {
                nas_arch_free(arch);
            }
        }
    }
    if (!kept) return infeasible(s, violated, "no neighbour of the architecture");
    *out = kept;
    return NAS_OK;
}

static nas_status mutate(const nas_space *s, const nas_arch *parent, nas_random *random,
                         nas_value *values, nas_arch **out) {
    int64_t violated = -1;
    uint32_t able = 0;
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        const nas_decision *a = &s->decisions.items[d].about;
        able +=
            nas_arch_active(parent, d) && (a->kind == NAS_DECISION_REAL || a->n_alternatives > 1);
    }
    if (able == 0)
        return ni_fail(s->context, NAS_E_INFEASIBLE,
                       "space '%s': the architecture has no decision with another value", s->name);
    for (int i = 0; i < 256; i++) {
        uint64_t pick = nas_random_below(random, able);
        uint32_t d = 0;
        for (;; d++) {
            const nas_decision *a = &s->decisions.items[d].about;
            if (nas_arch_active(parent, d) &&
                (a->kind == NAS_DECISION_REAL || a->n_alternatives > 1) && pick-- == 0)
                break;
        }
        const ni_decision *decision = &s->decisions.items[d];
        memcpy(values, parent->values, s->decisions.n * sizeof *values);
        if (decision->about.kind == NAS_DECISION_REAL) {
            ni_space_draw_subtree(s, random, d, values);
        } else {
            uint64_t k = nas_random_below(random, decision->about.n_alternatives - 1u);
            values[d].integer = other_value(decision, values[d].integer, k);
            ni_space_draw_dependents(s, random, d, values);
        }
        NI_TRY(make_checked(out, s, values, &violated));
        if (violated < 0) return NAS_OK;
    }
    return mutate_listed(s, parent, random, values, out);
}

nas_status nas_space_mutate(const nas_space *space, const nas_arch *parent, nas_random *random,
                            nas_arch **out) {
    NI_TRY(ni_enter(space->context));
    NI_TRY(ni_space_finished(space));
    if (parent->space != space)
        return ni_fail(space->context, NAS_E_INVALID,
                       "the parent is an architecture of space '%s', not of '%s'",
                       parent->space->name, space->name);
    nas_value *values = scratch(space);
    if (!values) return NAS_E_MEMORY;
    nas_status status = mutate(space, parent, random, values, out);
    ni_free(space->context, values);
    return status;
}
