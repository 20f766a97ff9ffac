/* Spaces: made call by call, asked what they are. */
#include <inttypes.h>
#include <math.h>
#include "internal.h"

nas_context *ni_space_context(const nas_space *space) {
    return space->context;
}

void ni_space_hold(const nas_space *space) {
    atomic_fetch_add(&((nas_space *)(uintptr_t)space)->owners, 1);
}

static void decision_free(nas_context *context, ni_decision *d) {
    for (uint32_t i = 0; d->alternatives && i < d->about.n_alternatives; i++)
        ni_free(context, d->alternatives[i]);
    ni_free(context, d->alternatives);
    ni_free(context, d->name);
}

void ni_space_release(const nas_space *space) {
    nas_space *s = (nas_space *)(uintptr_t)space;
    if (!s || atomic_fetch_sub(&s->owners, 1) != 1) return;
    nas_context *context = s->context;
    ni_inside_free(s->inside);
    ni_walk_free(atomic_load(&s->table));
    if (s->template) s->template->ops->destroy(context, s->template);
    for (size_t i = 0; i < s->decisions.n; i++)
        decision_free(context, &s->decisions.items[i]);
    for (size_t i = 0; i < s->constraints.n; i++) {
        ni_free(context, s->constraints.items[i].text);
        ni_free(context, s->constraints.items[i].where);
        ni_expr_free(context, s->constraints.items[i].expr);
    }
    for (size_t i = 0; i < s->parameters.n; i++)
        ni_free(context, s->parameters.items[i].name);
    NI_ARRAY_FREE(context, &s->decisions);
    NI_ARRAY_FREE(context, &s->constraints);
    NI_ARRAY_FREE(context, &s->parameters);
    if (s->lock) ni_mutex_free(s->lock);
    ni_free(context, s->subtree);
    ni_free(context, s->plain);
    ni_free(context, s->feasible);
    ni_free(context, s->name);
    ni_free(context, s->place);
    ni_free(context, s->text);
    ni_free(context, s);
    ni_context_release(context);
}

void nas_space_free(nas_space *space) {
    if (space) ni_space_release(space);
}

static nas_status check_name(nas_context *context, const char *what, const char *name) {
    if (!name || !*name || strlen(name) > NI_NAME_MOST)
        return ni_fail(context, NAS_E_INVALID, "%s must have 1 to %d characters", what,
                       NI_NAME_MOST);
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == '=' || *c == '\'' || *c == '"')
            return ni_fail(context, NAS_E_INVALID, "%s '%s' must not hold spaces, quotes or '='",
                           what, name);
    return NAS_OK;
}

nas_status nas_space_create(nas_space **out, nas_context *context, const char *name) {
    NI_TRY(ni_enter(context));
    NI_TRY(check_name(context, "a space's name", name));
    nas_space *s = ni_calloc(context, 1, sizeof *s);
    if (!s) return NAS_E_MEMORY;
    s->context = context;
    atomic_init(&s->owners, 1);
    ni_context_hold(context);
    s->name = ni_strdup(context, name);
    s->place = ni_strdup(context, "");
    if (!s->name || !s->place || ni_mutex_create(&s->lock, context) < 0) {
        ni_space_release(s);
        return NAS_E_MEMORY;
    }
    *out = s;
    return NAS_OK;
}

nas_status ni_space_finished(const nas_space *s) {
    if (s->finished) return NAS_OK;
    return ni_fail(s->context, NAS_E_STATE,
                   "space '%s' is not finished: call nas_space_finish first", s->name);
}

static nas_status building(const nas_space *s) {
    NI_TRY(ni_enter(s->context));
    if (!s->finished) return NAS_OK;
    return ni_fail(s->context, NAS_E_STATE, "space '%s' is finished and never changes again",
                   s->name);
}

bool ni_space_find_decision(const nas_space *space, const char *name, uint32_t *out) {
    for (uint32_t i = 0; i < space->decisions.n; i++) {
        if (strcmp(space->decisions.items[i].name, name) != 0) continue;
        *out = i;
        return true;
    }
    return false;
}

/* Appends a decision; the strings are its own. */
static nas_status add(nas_space *s, const char *name, const nas_decision *about,
                      const char *const *alternatives) {
    uint32_t other;
    ni_decision d;
    NI_TRY(check_name(s->context, "a decision's name", name));
    if (ni_space_find_decision(s, name, &other))
        return ni_fail(s->context, NAS_E_EXISTS, "space '%s' has a decision '%s' already", s->name,
                       name);
    if (s->decisions.n >= NI_DECISIONS_MOST)
        return ni_fail(s->context, NAS_E_LIMIT, "a space may have %d decisions", NI_DECISIONS_MOST);
    memset(&d, 0, sizeof d);
    d.about = *about;
    d.about.struct_size = sizeof d.about;
    d.about.condition = -1;
    d.name = ni_strdup(s->context, name);
    nas_status status = d.name ? NAS_OK : NAS_E_MEMORY;
    if (status >= 0 && alternatives) {
        d.alternatives = ni_calloc(s->context, about->n_alternatives, sizeof *d.alternatives);
        if (!d.alternatives) status = NAS_E_MEMORY;
        for (uint32_t i = 0; status >= 0 && i < about->n_alternatives; i++) {
            d.alternatives[i] = ni_strdup(s->context, alternatives[i]);
            if (!d.alternatives[i]) status = NAS_E_MEMORY;
        }
    }
    if (status >= 0) status = NI_PUSH(s->context, &s->decisions, d);
    if (status < 0) {
        decision_free(s->context, &d);
        return status;
    }
    /* Borrowed texts live as long as the strings, wherever the array moves. */
    ni_decision *kept = &s->decisions.items[s->decisions.n - 1];
    kept->about.name = kept->name;
    kept->about.alternatives = (const char *const *)kept->alternatives;
    return NAS_OK;
}

nas_status nas_space_add_choice(nas_space *space, const char *name, const char *const *alternatives,
                                uint32_t n) {
    nas_decision about;
    NI_TRY(building(space));
    memset(&about, 0, sizeof about);
    if (n < 1 || n > NI_ALTERNATIVES_MOST)
        return ni_fail(space->context, NAS_E_INVALID,
                       "choice '%s' has %" PRIu32 " alternatives and must have 1 to %d",
                       name ? name : "", n, NI_ALTERNATIVES_MOST);
    for (uint32_t i = 0; i < n; i++) {
        NI_TRY(check_name(space->context, "an alternative's name", alternatives[i]));
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(alternatives[i], alternatives[j]) == 0)
                return ni_fail(space->context, NAS_E_EXISTS,
                               "choice '%s' has the alternative '%s' twice", name, alternatives[i]);
    }
    about.kind = NAS_DECISION_CHOICE;
    about.n_alternatives = n;
    return add(space, name, &about, alternatives);
}

nas_status nas_space_add_integer(nas_space *space, const char *name, int64_t low, int64_t high,
                                 int64_t step) {
    nas_decision about;
    NI_TRY(building(space));
    memset(&about, 0, sizeof about);
    const int64_t most = INT64_C(1) << 52;
    if (low > high || step < 1 || low < -most || high > most || (high - low) / step >= UINT32_MAX)
        return ni_fail(space->context, NAS_E_INVALID,
                       "integer '%s' from %" PRId64 " to %" PRId64 " by %" PRId64
                       ": needs low <= high, step >= 1, and fewer than 2^32 values",
                       name ? name : "", low, high, step);
    about.kind = NAS_DECISION_INTEGER;
    about.low = low;
    about.step = step;
    about.high = low + (high - low) / step * step;
    about.n_alternatives = (uint32_t)((high - low) / step + 1);
    return add(space, name, &about, NULL);
}

nas_status nas_space_add_real(nas_space *space, const char *name, double low, double high,
                              int32_t log_scale) {
    nas_decision about;
    char a[NI_NUMBER_TEXT], b[NI_NUMBER_TEXT];
    NI_TRY(building(space));
    memset(&about, 0, sizeof about);
    if (!isfinite(low) || !isfinite(high) || !(low < high) || (log_scale && !(low > 0)))
        return ni_fail(space->context, NAS_E_INVALID, "real '%s' from %s to %s: needs low < high%s",
                       name ? name : "", ni_f64_text(a, low), ni_f64_text(b, high),
                       log_scale ? ", and low > 0 on a log scale" : "");
    about.kind = NAS_DECISION_REAL;
    about.real_low = low;
    about.real_high = high;
    about.log_scale = log_scale != 0;
    about.role = NAS_ROLE_HYPERPARAMETER;
    return add(space, name, &about, NULL);
}

nas_status nas_space_add_condition(nas_space *space, const char *decision,
                                   const char *alternative) {
    uint32_t on;
    NI_TRY(building(space));
    if (space->decisions.n == 0)
        return ni_fail(space->context, NAS_E_STATE,
                       "a condition belongs to the decision added last");
    ni_decision *last = &space->decisions.items[space->decisions.n - 1];
    if (!decision || !ni_space_find_decision(space, decision, &on))
        return ni_fail(space->context, NAS_E_NOT_FOUND,
                       "'%s' depends on '%s', which is not an earlier decision", last->name,
                       decision ? decision : "");
    if (on + 1 >= space->decisions.n)
        return ni_fail(space->context, NAS_E_INVALID, "'%s' cannot depend on itself", last->name);
    const ni_decision *d = &space->decisions.items[on];
    if (d->about.kind != NAS_DECISION_CHOICE)
        return ni_fail(space->context, NAS_E_INVALID, "'%s' depends on '%s', which is not a choice",
                       last->name, decision);
    for (uint32_t i = 0; i < d->about.n_alternatives; i++) {
        if (strcmp(d->alternatives[i], alternative) != 0) continue;
        last->about.condition = (int32_t)on;
        last->about.condition_alternative = (int32_t)i;
        return NAS_OK;
    }
    const char *near =
        ni_nearest(alternative, (const char *const *)d->alternatives, d->about.n_alternatives);
    return ni_fail(space->context, NAS_E_NOT_FOUND, "'%s' has no alternative '%s'%s%s%s", decision,
                   alternative, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* ---- names in constraints ----------------------------------------------------------------------
 */

static const char *const cost_names[NI_COST_COUNT] = {
    "params", "macs",      "published_flops", "activation_bytes", "weight_bytes",
    "depth",  "connected", "edges",           "vertices"};

const char *ni_cost_text(uint32_t cost) {
    return cost_names[cost];
}

/* Costs that the template's networks have: edges and vertices are those of a free matrix. */
static uint32_t costs_known(const nas_space *s) {
    if (!s->template) return 0;
    return strcmp(s->template->kind, "matrix") == 0 ? NI_COST_COUNT : NI_COST_EDGES;
}

static bool find_name(void *user, const char *name, ni_name *out) {
    const nas_space *s = user;
    memset(out, 0, sizeof *out);
    if (ni_space_find_decision(s, name, &out->index)) {
        out->kind = NI_NAME_DECISION;
        return true;
    }
    for (uint32_t i = 0; i < costs_known(s); i++) {
        if (strcmp(cost_names[i], name) != 0) continue;
        out->kind = NI_NAME_COST;
        out->index = i;
        return true;
    }
    for (size_t i = 0; i < s->parameters.n; i++) {
        if (strcmp(s->parameters.items[i].name, name) != 0) continue;
        out->kind = NI_NAME_NUMBER;
        out->number = s->parameters.items[i].value;
        return true;
    }
    return false;
}

static bool find_alternative(void *user, uint32_t decision, const char *name, double *out) {
    const nas_space *s = user;
    const ni_decision *d = &s->decisions.items[decision];
    for (uint32_t i = 0; d->alternatives && i < d->about.n_alternatives; i++) {
        if (strcmp(d->alternatives[i], name) != 0) continue;
        *out = i;
        return true;
    }
    return false;
}

static const char *suggest(void *user, const char *name) {
    const nas_space *s = user;
    const char *known[NI_COST_COUNT + 256 + 64];
    size_t n = 0;
    for (uint32_t i = 0; i < costs_known(s); i++)
        known[n++] = cost_names[i];
    for (size_t i = 0; i < s->decisions.n && i < 256; i++)
        known[n++] = s->decisions.items[i].name;
    for (size_t i = 0; i < s->parameters.n && i < 64; i++)
        known[n++] = s->parameters.items[i].name;
    return ni_nearest(name, known, n);
}

nas_status ni_space_add_parameter(nas_space *space, const char *name, double value) {
    ni_parameter p = {ni_strdup(space->context, name), value};
    nas_status status = p.name ? NI_PUSH(space->context, &space->parameters, p) : NAS_E_MEMORY;
    if (status < 0) ni_free(space->context, p.name);
    return status;
}

nas_status nas_space_add_constraint(nas_space *space, const char *expression) {
    NI_TRY(building(space));
    if (!expression)
        return ni_fail(space->context, NAS_E_INVALID, "a constraint needs an expression");
    if (space->constraints.n >= NI_CONSTRAINTS_MOST)
        return ni_fail(space->context, NAS_E_LIMIT, "a space may have %d constraints",
                       NI_CONSTRAINTS_MOST);
    ni_names names = {space, find_name, find_alternative, suggest};
    ni_constraint c;
    memset(&c, 0, sizeof c);
    size_t column;
    nas_status status = ni_expr_parse(&c.expr, space->context, expression, &names, &column);
    if (status < 0) {
        char prefix[160];
        ni_text where;
        ni_text_init(&where, space->context);
        ni_text_f(&where, "constraint '%.80s', character %zu", expression, column);
        size_t n = where.status < 0 ? 0 : where.n;
        if (n >= sizeof prefix) n = sizeof prefix - 1;
        if (n) memcpy(prefix, where.data, n);
        prefix[n] = 0;
        ni_text_free(&where);
        return ni_fail_prefix(space->context, status, prefix);
    }
    c.costs = ni_expr_needs_costs(c.expr);
    c.network = ni_expr_needs_network(c.expr);
    c.is_bound = ni_expr_is_bound(c.expr, &c.cost, &c.low, &c.high);
    c.text = ni_strdup(space->context, expression);
    status = c.text ? NI_PUSH(space->context, &space->constraints, c) : NAS_E_MEMORY;
    if (status < 0) {
        ni_free(space->context, c.text);
        ni_expr_free(space->context, c.expr);
    }
    return status;
}

/* A description of what was built call by call, so that its hash tells two spaces apart. */
static nas_status describe(nas_space *s) {
    ni_text text;
    if (s->text) return NAS_OK;
    ni_text_init(&text, s->context);
    ni_text_f(&text, "space: %s\ndecisions:\n", s->name);
    for (size_t i = 0; i < s->decisions.n; i++) {
        const ni_decision *d = &s->decisions.items[i];
        ni_text_add(&text, "  - {name: ");
        ni_text_json(&text, d->name);
        if (d->about.kind == NAS_DECISION_CHOICE) {
            ni_text_add(&text, ", choice: [");
            for (uint32_t k = 0; k < d->about.n_alternatives; k++) {
                if (k) ni_text_add(&text, ", ");
                ni_text_json(&text, d->alternatives[k]);
            }
            ni_text_add(&text, "]");
        } else if (d->about.kind == NAS_DECISION_INTEGER) {
            ni_text_f(&text, ", integer: [%" PRId64 ", %" PRId64 "], step: %" PRId64, d->about.low,
                      d->about.high, d->about.step);
        } else {
            ni_text_add(&text, ", real: [");
            ni_text_f64(&text, d->about.real_low);
            ni_text_add(&text, ", ");
            ni_text_f64(&text, d->about.real_high);
            ni_text_add(&text, d->about.log_scale ? "], log: true" : "]");
        }
        if (d->about.role == NAS_ROLE_HYPERPARAMETER)
            ni_text_add(&text, ", role: hyper-parameter");
        else if (d->about.kind == NAS_DECISION_REAL)
            ni_text_add(&text, ", role: architecture");
        if (d->about.condition >= 0) {
            const ni_decision *on = &s->decisions.items[d->about.condition];
            ni_text_add(&text, ", when: {");
            ni_text_json(&text, on->name);
            ni_text_add(&text, ": ");
            ni_text_json(&text, on->alternatives[d->about.condition_alternative]);
            ni_text_add(&text, "}");
        }
        ni_text_add(&text, "}\n");
    }
    if (s->constraints.n) ni_text_add(&text, "constraints:\n");
    for (size_t i = 0; i < s->constraints.n; i++) {
        ni_text_add(&text, "  - ");
        ni_text_json(&text, s->constraints.items[i].text);
        ni_text_add(&text, "\n");
    }
    nas_status status = text.status;
    if (status >= 0 && !(s->text = ni_strdup(s->context, ni_text_get(&text))))
        status = NAS_E_MEMORY;
    ni_text_free(&text);
    return status;
}

nas_status nas_space_finish(nas_space *space) {
    NI_TRY(building(space));
    if (space->decisions.n == 0)
        return ni_fail(space->context, NAS_E_INVALID, "space '%s' has no decisions", space->name);
    NI_TRY(describe(space));
    NI_TRY(ni_space_count_subtrees(space));
    space->n_discrete = 0;
    for (size_t i = 0; i < space->decisions.n; i++)
        space->n_discrete += space->decisions.items[i].about.kind != NAS_DECISION_REAL;
    NI_TRY(ni_space_pack(space));
    NI_TRY(ni_space_text_room(space));
    space->hash = ni_hash_text(space->text);
    space->finished = true;
    return NAS_OK;
}

/* ---- what it is
 * ---------------------------------------------------------------------------------- */

const char *nas_space_name(const nas_space *space) {
    return space->name;
}

const char *nas_space_text(const nas_space *space) {
    return space->text ? space->text : "";
}

uint64_t nas_space_hash(const nas_space *space) {
    return space->hash;
}

uint32_t nas_space_decisions(const nas_space *space) {
    return (uint32_t)space->decisions.n;
}

int32_t nas_space_has_network(const nas_space *space) {
    return space->template != NULL;
}

nas_status nas_space_decision(const nas_space *space, uint32_t index, nas_decision *out) {
    NI_TRY(ni_enter(space->context));
    if (index >= space->decisions.n)
        return ni_fail(space->context, NAS_E_INVALID,
                       "decision %" PRIu32 ": space '%s' has %zu, from 0", index, space->name,
                       space->decisions.n);
    const nas_decision *about = &space->decisions.items[index].about;
    return ni_answer(space->context, out, about, sizeof *about, sizeof *about, "nas_decision");
}

const nas_decision *ni_space_decision(const nas_space *space, uint32_t d) {
    return &space->decisions.items[d].about;
}

nas_status nas_space_find_decision(const nas_space *space, const char *name, uint32_t *out) {
    NI_TRY(ni_enter(space->context));
    if (name && ni_space_find_decision(space, name, out)) return NAS_OK;
    return ni_fail(space->context, NAS_E_NOT_FOUND, "space '%s' has no decision '%s'", space->name,
                   name ? name : "");
}

nas_status ni_space_image(const nas_space *space, int64_t *height, int64_t *width,
                          int64_t *channels, int64_t *classes) {
    const ni_template *t = space->template;
    if (!t)
        return ni_fail(space->context, NAS_E_UNSUPPORTED,
                       "%sspace '%s' has no network template: only the caller's own evaluation can "
                       "judge its architectures",
                       space->place, space->name);
    *height = t->height;
    *width = t->width;
    *channels = t->channels;
    *classes = t->classes;
    return NAS_OK;
}
