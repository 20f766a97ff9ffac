/* Architectures inside the constraints: uniform samples, mutations, the index-th. */
#include <inttypes.h>
#include <math.h>
#include "internal.h"

enum {
    DRAWS_FIRST = 8,
    DRAWS_BEFORE_LIST = 64,
    DRAWS_MOST = 20000,
    DRAWS_BUILT = 200, /* where each one builds a network */
    LISTED_BUILT_MOST = 1 << 14,
    CHILDREN_BITS_MOST = 16,
    CHILDREN_BITS_BUILT = 10
};

/* Draws before another way is tried: exactly uniform where one of so many is inside. */
static int draws_most(const nas_space *s) {
    return ni_space_needs_network(s) ? DRAWS_BUILT : DRAWS_MOST;
}

static nas_value *scratch(const nas_space *s) {
    return ni_calloc(s->context, s->decisions.n, sizeof(nas_value));
}
/* ... or `few`, where that is enough; not zeroed. */
enum { FEW = 64 };
static nas_value *scratch_in(const nas_space *s, nas_value few[FEW]) {
    return s->decisions.n <= FEW ? few : scratch(s);
}
static void scratch_done(const nas_space *s, const nas_value few[FEW], nas_value *values) {
    if (values != few) ni_free(s->context, values);
}

static nas_status make_checked(nas_arch **out, const nas_space *s, const nas_value *values,
                               int64_t *violated) {
    nas_arch *arch = NULL;
    NI_TRY(ni_arch_begin(&arch, s, values));
    nas_status status = ni_arch_violated(arch, violated);
    if (status >= 0 && *violated < 0) {
        ni_arch_end(out, arch);
        return NAS_OK;
    }
    ni_free(s->context, arch);
    return status;
}

/* "space.yaml:7:5: ..." where the constraint has a place. `more` follows it. */
static nas_status infeasible_because(const nas_space *s, int64_t constraint, const char *where,
                                     const char *more) {
    const ni_constraint *c = constraint >= 0 ? &s->constraints.items[constraint] : NULL;
    return ni_fail(s->context, NAS_E_INFEASIBLE,
                   "%s%sspace '%s': %s satisfies the constraints; '%s' is one that fails%s",
                   c && c->where ? c->where : "", c && c->where ? ": " : "", s->name, where,
                   c ? c->text : "", more);
}
static nas_status infeasible(const nas_space *s, int64_t constraint, const char *where) {
    return infeasible_because(s, constraint, where, "");
}

/* "; params: the smallest found is 12345, the bound is 10000" */
static void put_reached(char *to, size_t capacity, const char *cost, const char *what, double best,
                        double bound) {
    char a[NI_NUMBER_TEXT], b[NI_NUMBER_TEXT];
    ni_scope_text(to, capacity, "; %s: %s is %s, the bound is %s", cost, what,
                  ni_fixed_text(a, best, 0), ni_fixed_text(b, bound, 0));
}

/* What params and macs of all networks are: a bound outside of that, in `more`. false: none. */
static bool bound_outside(const nas_space *s, const ni_inside *inside, char *more,
                          size_t capacity) {
    static const char *const names[2] = {"params", "macs"};
    double lows[NI_COST_COUNT], highs[NI_COST_COUNT], low[2], high[2];
    double least[2] = {-INFINITY, -INFINITY}, most[2] = {INFINITY, INFINITY};
    *more = 0;
    if (inside) {
        if (!ni_inside_range(inside, least, most)) return false;
    } else if (s->template && s->template->ops->params_range) {
        s->template->ops->params_range(s, &least[0], &most[0]);
    }
    ni_space_bounds(s, lows, highs);
    ni_space_two_bounds(s, lows, highs, low, high);
    for (int k = 0; k < 2; k++) {
        if (!(least[k] > high[k]) && !(most[k] < low[k])) continue;
        bool above = least[k] > high[k];
        put_reached(more, capacity, names[k], above ? "the least of all" : "the most of all",
                    above ? least[k] : most[k], above ? high[k] : low[k]);
        return true;
    }
    return false;
}

/* The space's own, made when first needed; *out NULL: none. */
static nas_status inside_of(const nas_space *space, const ni_inside **out) {
    nas_space *s = (nas_space *)(uintptr_t)space; /* what is behind the lock */
    ni_inside *made = NULL;
    ni_mutex_lock(s->lock);
    bool tried = s->inside_tried;
    *out = s->inside;
    ni_mutex_unlock(s->lock);
    if (tried) return NAS_OK;
    NI_TRY(ni_inside_create(&made, s, NULL, NULL));
    /* Two threads may have made one at once: they are equal, and the first one stays. */
    ni_mutex_lock(s->lock);
    if (!s->inside_tried) {
        s->inside = made;
        s->inside_tried = true;
        made = NULL;
    }
    *out = s->inside;
    ni_mutex_unlock(s->lock);
    ni_inside_free(made);
    return NAS_OK;
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

/* Draws until one holds, `n` at most; the template's decisions inside the bounds, where that is
 * known how. */
static nas_status draw(const nas_space *s, const ni_inside *inside, nas_random *random, int n,
                       nas_value *values, nas_arch **out, int64_t *violated) {
    nas_arch *arch = NULL;
    nas_status status = ni_arch_begin(&arch, s, NULL);
    for (int i = 0; status >= 0 && i < n; i++) {
        ni_space_draw(s, random, values);
        if (inside && !ni_inside_draw(inside, random, values)) break;
        ni_arch_set(arch, values);
        status = ni_arch_violated(arch, violated);
        if (status < 0 || *violated >= 0) continue;
        ni_arch_end(out, arch);
        return NAS_OK;
    }
    ni_free(s->context, arch);
    return status;
}

/* Where draws found nothing. */
static nas_status look_for_one(const nas_space *s, const ni_inside *inside, nas_random *random,
                               int64_t violated, nas_value *values, nas_arch **out) {
    char more[160] = "", where[64];
    ni_reached reached;
    NI_TRY(ni_descend(s, inside, random, values, out, &reached));
    if (*out) return NAS_OK;
    if (reached.cost >= 0)
        put_reached(more, sizeof more, ni_cost_text((uint32_t)reached.cost),
                    reached.above ? "the smallest found" : "the largest found", reached.best,
                    reached.bound);
    else if (reached.bounds > 1)
        ni_scope_text(more, sizeof more, "; each bound alone was met by some");
    ni_scope_text(where, sizeof where, "none of %" PRIu64 " that were tried", reached.tried);
    return infeasible_because(s, violated, where, more);
}

static nas_status sample(const nas_space *space, nas_random *random, nas_value *values,
                         nas_arch **out) {
    nas_space *s = (nas_space *)(uintptr_t)space; /* the list behind the lock */
    const ni_inside *inside = NULL;
    int64_t violated = -1;
    char more[160] = "";
    NI_TRY(draw(s, NULL, random, DRAWS_FIRST, values, out, &violated));
    if (violated < 0) return NAS_OK;
    NI_TRY(inside_of(s, &inside));
    bool outside =
        (!inside || !(ni_inside_ways(inside) > 0)) && bound_outside(s, inside, more, sizeof more);
    if (outside || (inside && !(ni_inside_ways(inside) > 0)))
        return infeasible_because(s, violated, "no architecture", more);
    bool small = s->n_discrete == s->decisions.n &&
                 s->count <= (ni_space_needs_network(s) ? LISTED_BUILT_MOST : NI_FEASIBLE_MOST);
    NI_TRY(
        draw(s, inside, random, small ? DRAWS_BEFORE_LIST : draws_most(s), values, out, &violated));
    if (violated < 0) return NAS_OK;
    if (!small) return look_for_one(s, inside, random, violated, values, out);
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
    nas_value few[FEW], *values = scratch_in(space, few);
    if (!values) return NAS_E_MEMORY;
    nas_status status = sample(space, random, values, out);
    scratch_done(space, few, values);
    return status;
}

nas_status nas_space_at(const nas_space *space, uint64_t index, nas_arch **out) {
    NI_TRY(ni_enter(space->context));
    NI_TRY(ni_space_finished(space));
    if (index >= space->count)
        return ni_fail(space->context, NAS_E_INVALID,
                       "%sarchitecture %" PRIu64 ": space '%s' has %" PRIu64 ", from 0",
                       space->place, index, space->name, space->count);
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
        able += ni_decision_active(s, parent->values, d) &&
                (a->kind == NAS_DECISION_REAL || a->n_alternatives > 1);
    }
    if (able == 0)
        return ni_fail(s->context, NAS_E_INFEASIBLE,
                       "space '%s': the architecture has no decision with another value", s->name);
    for (int i = 0; i < 256; i++) {
        uint64_t pick = nas_random_below(random, able);
        uint32_t d = 0;
        for (;; d++) {
            const nas_decision *a = &s->decisions.items[d].about;
            if (ni_decision_active(s, parent->values, d) &&
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

static nas_status own_arch(const nas_space *space, const nas_arch *arch) {
    NI_TRY(ni_enter(space->context));
    NI_TRY(ni_space_finished(space));
    if (!arch) return ni_fail(space->context, NAS_E_INVALID, "an architecture is needed");
    if (arch->space == space) return NAS_OK;
    return ni_fail(space->context, NAS_E_INVALID, "the architecture is of space '%s', not of '%s'",
                   arch->space->name, space->name);
}

nas_status nas_space_mutate(const nas_space *space, const nas_arch *parent, nas_random *random,
                            nas_arch **out) {
    NI_TRY(own_arch(space, parent));
    nas_value few[FEW], *values = scratch_in(space, few);
    if (!values) return NAS_E_MEMORY;
    nas_status status = mutate(space, parent, random, values, out);
    scratch_done(space, few, values);
    return status;
}

/* The authors' rule again and again, until what comes out is inside the constraints. */
static nas_status mutate_as(const nas_space *s, const nas_arch *parent, const char *rule,
                            nas_random *random, nas_value *values, nas_arch **out) {
    static const char *const known[] = {"uniform", "amoebanet", "nas-bench-101", "nas-bench-201"};
    int64_t violated = -1;
    for (int i = 0; i < DRAWS_MOST; i++) {
        memcpy(values, parent->values, s->decisions.n * sizeof *values);
        nas_status status = s->template && s->template->ops->mutate
                                ? s->template->ops->mutate(s, rule, random, values)
                                : NAS_E_NOT_FOUND;
        if (status == NAS_E_NOT_FOUND) {
            bool is_one = false;
            for (size_t k = 0; k < NI_COUNT(known); k++)
                is_one = is_one || strcmp(rule, known[k]) == 0;
            if (is_one)
                return ni_fail(s->context, NAS_E_UNSUPPORTED,
                               "mutation '%s' is not for the kind of network of space '%s'", rule,
                               s->name);
            const char *near = ni_nearest(rule, known, NI_COUNT(known));
            return ni_fail(s->context, NAS_E_NOT_FOUND, "there is no mutation '%.60s'%s%s%s", rule,
                           near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        NI_TRY(status);
        NI_TRY(make_checked(out, s, values, &violated));
        if (violated < 0) return NAS_OK;
    }
    return infeasible(s, violated, "none of 20000 mutations");
}

nas_status nas_space_mutate_as(const nas_space *space, const nas_arch *parent, const char *rule,
                               nas_random *random, nas_arch **out) {
    if (!rule || strcmp(rule, "uniform") == 0) return nas_space_mutate(space, parent, random, out);
    NI_TRY(own_arch(space, parent));
    nas_value *values = scratch(space);
    if (!values) return NAS_E_MEMORY;
    nas_status status = mutate_as(space, parent, rule, random, values, out);
    ni_free(space->context, values);
    return status;
}

/* ---- crossover
 * ----------------------------------------------------------------------------------- */

/* Decisions from either parent; where neither has one (it applies in the child alone), drawn. */
static void cross(const nas_space *s, const nas_arch *a, const nas_arch *b, nas_random *random,
                  nas_value *values) {
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        bool in_a = nas_arch_active(a, d), in_b = nas_arch_active(b, d);
        bool from_a = in_a && (!in_b || nas_random_below(random, 2) == 0);
        if (from_a)
            values[d] = a->values[d];
        else if (in_b)
            values[d] = b->values[d];
        else
            ni_space_draw_subtree(s, random, d, values);
    }
}

/* All children of parents that differ in few decisions, one of those inside at random. *out NULL:
 * there is none for certain. */
static nas_status cross_listed(const nas_space *s, const nas_arch *a, const nas_arch *b,
                               const uint32_t *differ, uint32_t n, nas_random *random,
                               nas_value *values, nas_arch **out, int64_t *violated) {
    nas_arch *arch = NULL;
    uint64_t seen = 0, kept = 0;
    *out = NULL;
    NI_TRY(ni_arch_begin(&arch, s, a->values));
    nas_status status = NAS_OK;
    /* the one after the last is the one that was kept */
    for (uint64_t bits = 0; status >= 0 && bits <= UINT64_C(1) << n; bits++) {
        bool last = bits == UINT64_C(1) << n, once = true;
        uint64_t from_b = last ? kept : bits;
        if (last && seen == 0) break;
        for (uint32_t d = 0; d < s->decisions.n; d++)
            values[d] = nas_arch_active(a, d) ? a->values[d] : b->values[d];
        for (uint32_t i = 0; i < n; i++)
            if (from_b >> i & 1) values[differ[i]] = b->values[differ[i]];
        /* a child in which a decision does not apply is looked at once */
        for (uint32_t i = 0; once && i < n; i++)
            once = !(from_b >> i & 1) || ni_decision_active(s, values, differ[i]);
        if (!once) continue;
        ni_arch_set(arch, values);
        if (last) break;
        int64_t broken = -1;
        status = ni_arch_violated(arch, &broken);
        if (broken >= 0) *violated = broken;
        if (status < 0 || broken >= 0) continue;
        if (nas_random_below(random, ++seen) == 0) kept = bits;
    }
    if (status >= 0 && seen > 0) {
        ni_arch_end(out, arch);
        return NAS_OK;
    }
    ni_free(s->context, arch);
    return status;
}

static nas_status crossover(const nas_space *s, const nas_arch *a, const nas_arch *b,
                            nas_random *random, nas_value *values, nas_arch **out) {
    int64_t violated = -1;
    uint32_t differ[CHILDREN_BITS_MOST + 1], n = 0;
    const uint32_t most = ni_space_needs_network(s) ? CHILDREN_BITS_BUILT : CHILDREN_BITS_MOST;
    ni_inside *inside = NULL;
    for (int i = 0; i < DRAWS_BEFORE_LIST; i++) {
        cross(s, a, b, random, values);
        NI_TRY(make_checked(out, s, values, &violated));
        if (violated < 0) return NAS_OK;
    }
    for (uint32_t d = 0; d < s->decisions.n && n <= most; d++)
        if (nas_arch_active(a, d) && nas_arch_active(b, d) &&
            (a->values[d].integer != b->values[d].integer ||
             a->values[d].real != b->values[d].real))
            differ[n++] = d;
    if (n <= most) {
        NI_TRY(cross_listed(s, a, b, differ, n, random, values, out, &violated));
        return *out ? NAS_OK : infeasible(s, violated, "no crossing of the two architectures");
    }
    NI_TRY(ni_inside_create(&inside, s, a, b));
    bool none = inside && !(ni_inside_ways(inside) > 0);
    for (int i = 0; !none && i < draws_most(s); i++) {
        cross(s, a, b, random, values);
        if (inside && !ni_inside_draw(inside, random, values)) break;
        nas_status status = make_checked(out, s, values, &violated);
        if (status >= 0 && violated >= 0) continue;
        ni_inside_free(inside);
        return status;
    }
    ni_inside_free(inside);
    char where[64] = "no crossing of the two architectures";
    if (!none)
        ni_scope_text(where, sizeof where, "none of %d crossings of the two architectures",
                      draws_most(s));
    return infeasible(s, violated, where);
}

nas_status nas_space_crossover(const nas_space *space, const nas_arch *a, const nas_arch *b,
                               nas_random *random, nas_arch **out) {
    NI_TRY(own_arch(space, a));
    NI_TRY(own_arch(space, b));
    nas_value *values = scratch(space);
    if (!values) return NAS_E_MEMORY;
    nas_status status = crossover(space, a, b, random, values, out);
    ni_free(space->context, values);
    return status;
}

/* ---- neighbours
 * ---------------------------------------------------------------------------------- */

nas_status nas_space_neighbors(const nas_space *space, const nas_arch *arch, uint64_t *count) {
    NI_TRY(own_arch(space, arch));
    *count = 0;
    for (uint32_t d = 0; d < space->decisions.n; d++)
        if (nas_arch_active(arch, d)) *count += ni_decision_choices(&space->decisions.items[d]) - 1;
    return NAS_OK;
}

nas_status nas_space_neighbor(const nas_space *space, const nas_arch *arch, uint64_t index,
                              nas_arch **out) {
    NI_TRY(own_arch(space, arch));
    uint64_t left = index;
    uint32_t d = 0;
    for (; d < space->decisions.n; d++) {
        if (!nas_arch_active(arch, d)) continue;
        uint64_t others = ni_decision_choices(&space->decisions.items[d]) - 1;
        if (left < others) break;
        left -= others;
    }
    if (d == space->decisions.n)
        return ni_fail(space->context, NAS_E_INVALID, "the architecture has no neighbour %" PRIu64,
                       index);
    nas_value *values = scratch(space);
    if (!values) return NAS_E_MEMORY;
    memcpy(values, arch->values, space->decisions.n * sizeof *values);
    values[d].integer = other_value(&space->decisions.items[d], values[d].integer, left);
    for (uint32_t c = d + 1; c < space->decisions.n; c++) {
        const nas_decision *about = &space->decisions.items[c].about;
        if (nas_arch_active(arch, c)) continue;
        values[c].integer = about->kind == NAS_DECISION_INTEGER ? about->low : 0;
        values[c].real = about->real_low;
    }
    int64_t violated = -1;
    nas_status status = make_checked(out, space, values, &violated);
    ni_free(space->context, values);
    if (status < 0 || violated < 0) return status;
    return ni_fail(space->context, NAS_E_INFEASIBLE, "'%s' does not hold for neighbour %" PRIu64,
                   space->constraints.items[violated].text, index);
}
