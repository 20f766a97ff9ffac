/* Architectures: made, read, written, compared, costed. One allocation holds the values and room
 * for the canonical text, which is written when it is first asked for: most architectures that a
 * search looks at are never shown. */
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include "internal.h"

/* ---- values and their text ---------------------------------------------------------------------
 */

void ni_value_text(const ni_decision *d, const nas_value *value, ni_text *to) {
    if (d->about.kind == NAS_DECISION_CHOICE)
        ni_text_add(to, d->alternatives[value->integer]);
    else if (d->about.kind == NAS_DECISION_INTEGER)
        ni_text_i64(to, value->integer);
    else
        ni_text_f64(to, value->real);
}

bool ni_value_parse(const ni_decision *d, const char *text, size_t n, nas_value *out) {
    const nas_decision *a = &d->about;
    nas_value value = {0, 0};
    if (a->kind == NAS_DECISION_CHOICE) {
        uint32_t i = 0;
        while (i < a->n_alternatives &&
               (strlen(d->alternatives[i]) != n || memcmp(d->alternatives[i], text, n) != 0))
            i++;
        if (i == a->n_alternatives) return false;
        value.integer = i;
    } else if (a->kind == NAS_DECISION_INTEGER) {
        if (!ni_parse_i64(text, n, &value.integer) || value.integer < a->low ||
            value.integer > a->high || (value.integer - a->low) % a->step)
            return false;
    } else if (!ni_parse_f64(text, n, &value.real) || !(value.real >= a->real_low) ||
               !(value.real <= a->real_high)) {
        return false;
    }
    *out = value;
    return true;
}

void ni_text_small(ni_text *to, uint32_t number) {
    char digits[12];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    ni_text_add_n(to, digits + at, sizeof digits - at);
}

static void text_of(const nas_space *s, const nas_value *values, ni_text *text) {
    const ni_template *t = s->template;
    bool own = t && t->ops->text;
    if (own) t->ops->text(s, values, text);
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        if (own && d >= t->first_decision && d < t->first_decision + t->n_decisions) continue;
        if (!ni_decision_active(s, values, d)) continue;
        if (text->n) ni_text_add_char(text, ' ');
        ni_text_add(text, s->decisions.items[d].name);
        ni_text_add_char(text, '=');
        ni_value_text(&s->decisions.items[d], &values[d], text);
    }
}

nas_status ni_space_text_room(nas_space *s) {
    const ni_template *t = s->template;
    bool own = t && t->ops->text;
    size_t most = own ? t->ops->text_most(s) + 1 : 1;
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        const ni_decision *decision = &s->decisions.items[d];
        if (own && d >= t->first_decision && d < t->first_decision + t->n_decisions) continue;
        size_t value = NI_NUMBER_TEXT;
        if (decision->about.kind == NAS_DECISION_CHOICE) value = ni_longest_alternative(s, d);
        if (!ni_add_size(most, strlen(decision->name) + 2 + value, &most))
            return ni_fail_memory(s->context, SIZE_MAX);
    }
    s->text_most = most;
    return NAS_OK;
}

size_t ni_longest_alternative(const nas_space *s, uint32_t d) {
    const ni_decision *decision = &s->decisions.items[d];
    size_t most = 0;
    for (uint32_t k = 0; k < decision->about.n_alternatives; k++) {
        size_t n = strlen(decision->alternatives[k]);
        if (n > most) most = n;
    }
    return most;
}

nas_status ni_arch_begin(nas_arch **out, const nas_space *s, const nas_value *values) {
    size_t n = s->decisions.n;
    nas_arch *arch = ni_alloc(s->context, sizeof *arch + n * sizeof(nas_value) + s->text_most);
    if (!arch) return NAS_E_MEMORY;
    memset(arch, 0, sizeof *arch);
    atomic_init(&arch->owners, 1);
    atomic_init(&arch->network_hash, 0);
    atomic_init(&arch->costed, 0);
    atomic_init(&arch->written, NI_TEXT_NONE);
    arch->space = s;
    if (values) ni_arch_set(arch, values);
    *out = arch;
    return NAS_OK;
}

void ni_arch_end(nas_arch **out, nas_arch *arch) {
    ni_space_hold(arch->space);
    *out = arch;
}

nas_status ni_arch_make(nas_arch **out, const nas_space *s, const nas_value *values) {
    nas_arch *arch;
    NI_TRY(ni_arch_begin(&arch, s, values));
    ni_arch_end(out, arch);
    return NAS_OK;
}

nas_status nas_arch_create(nas_arch **out, const nas_space *space, const nas_value *values,
                           size_t n) {
    NI_TRY(ni_enter(space->context));
    NI_TRY(ni_space_finished(space));
    if (n != space->decisions.n || !values)
        return ni_fail(space->context, NAS_E_INVALID,
                       "%zu values given: space '%s' has %zu decisions", n, space->name,
                       space->decisions.n);
    for (uint32_t d = 0; d < n; d++) {
        const nas_decision *a = &space->decisions.items[d].about;
        bool good;
        if (!ni_decision_active(space, values, d)) continue;
        if (a->kind == NAS_DECISION_CHOICE)
            good = values[d].integer >= 0 && values[d].integer < (int64_t)a->n_alternatives;
        else if (a->kind == NAS_DECISION_INTEGER)
            good = values[d].integer >= a->low && values[d].integer <= a->high &&
                   (values[d].integer - a->low) % a->step == 0;
        else
            good = values[d].real >= a->real_low && values[d].real <= a->real_high;
        if (!good)
            return ni_fail(space->context, NAS_E_INVALID,
                           "decision '%s' of space '%s' cannot have the value given", a->name,
                           space->name);
    }
    return ni_arch_make(out, space, values);
}

/* One name=value of a text, from its character `place` (from 1) on. */
static nas_status parse_pair(const nas_space *s, const char *at, size_t n, size_t place,
                             nas_value *values, bool *given) {
    const char *equals = memchr(at, '=', n);
    char name[NI_NAME_MOST + 1];
    uint32_t d;
    if (!equals || equals == at || (size_t)(equals - at) > NI_NAME_MOST)
        return ni_fail(s->context, NAS_E_SYNTAX,
                       "architecture: character %zu: '%.*s' is not 'decision=value'", place,
                       (int)(n < 60 ? n : 60), at);
    memcpy(name, at, (size_t)(equals - at));
    name[equals - at] = 0;
    if (!ni_space_find_decision(s, name, &d)) {
        const char *known[256];
        size_t k = 0;
        for (; k < s->decisions.n && k < 256; k++)
            known[k] = s->decisions.items[k].name;
        const char *near = ni_nearest(name, known, k);
        return ni_fail(s->context, NAS_E_SYNTAX,
                       "architecture: character %zu: space '%s' has no decision '%s'%s%s%s", place,
                       s->name, name, near ? "; did you mean '" : "", near ? near : "",
                       near ? "'?" : "");
    }
    if (given[d])
        return ni_fail(s->context, NAS_E_SYNTAX, "architecture: character %zu: '%s' is given twice",
                       place, name);
    size_t length = n - (size_t)(equals + 1 - at);
    if (!ni_value_parse(&s->decisions.items[d], equals + 1, length, &values[d])) {
        const ni_decision *decision = &s->decisions.items[d];
        const char *near = NULL;
        char wrong[NI_NAME_MOST + 1];
        size_t m = length < NI_NAME_MOST ? length : NI_NAME_MOST;
        memcpy(wrong, equals + 1, m);
        wrong[m] = 0;
        if (decision->alternatives)
            near = ni_nearest(wrong, (const char *const *)decision->alternatives,
                              decision->about.n_alternatives);
        return ni_fail(s->context, NAS_E_SYNTAX,
                       "architecture: character %zu: '%s' cannot be '%s'%s%s%s",
                       place + (size_t)(equals + 1 - at), name, wrong,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    given[d] = true;
    return NAS_OK;
}

/* A text of the template's own, or the name of a published network that is written so. */
static nas_status parse_template(const nas_space *s, const char *text, nas_value *values,
                                 size_t *used) {
    char name[NI_NAME_MOST + 1] = "";
    size_t n = strcspn(text, " ,");
    if (n <= NI_NAME_MOST) {
        memcpy(name, text, n);
        name[n] = 0;
    }
    const char *published = ni_published_text(name);
    nas_status status = s->template->ops->parse(s, published ? published : text, values, used);
    if (published) {
        *used = n;
        if (status >= 0) return status;
        if (status != NAS_E_NOT_FOUND) return ni_fail_prefix(s->context, status, name);
        return ni_fail(s->context, NAS_E_SYNTAX,
                       "architecture: '%s' is not a network of space '%s'", name, s->name);
    }
    if (status != NAS_E_NOT_FOUND || !*name || strchr(name, '=')) return status;
    const char *near = ni_published_nearest(s, name);
    return ni_fail(s->context, NAS_E_SYNTAX,
                   "architecture: '%s' is neither a text nor a published network of space "
                   "'%s'%s%s%s",
                   name, s->name, near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : "");
}

static nas_status parse(const nas_space *s, const char *text, nas_value *values, bool *given) {
    const ni_template *t = s->template;
    const char *whole = text;
    size_t used = 0;
    while (*text == ' ')
        text++;
    if (t && t->ops->parse) {
        nas_status status = parse_template(s, text, values, &used);
        if (status < 0 && status != NAS_E_NOT_FOUND) return status;
        if (status >= 0) {
            for (uint32_t i = 0; i < t->n_decisions; i++)
                given[t->first_decision + i] = ni_decision_active(s, values, t->first_decision + i);
            text += used;
        }
    }
    while (*text) {
        while (*text == ' ' || *text == ',')
            text++;
        size_t n = strcspn(text, " ,");
        if (n) NI_TRY(parse_pair(s, text, n, (size_t)(text - whole) + 1, values, given));
        text += n;
    }
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        bool active = ni_decision_active(s, values, d);
        if (active && !given[d])
            return ni_fail(s->context, NAS_E_SYNTAX, "architecture: '%s' is not given",
                           s->decisions.items[d].name);
        if (!active && given[d])
            return ni_fail(s->context, NAS_E_SYNTAX,
                           "architecture: '%s' is given, but its condition is not met",
                           s->decisions.items[d].name);
    }
    return NAS_OK;
}

nas_status nas_arch_parse(nas_arch **out, const nas_space *space, const char *text) {
    NI_TRY(ni_enter(space->context));
    NI_TRY(ni_space_finished(space));
    if (!text || strlen(text) > 1 << 16)
        return ni_fail(space->context, NAS_E_SYNTAX, "architecture: no text, or one past 64 KiB");
    size_t n = space->decisions.n;
    nas_value *values = ni_calloc(space->context, n, sizeof *values + sizeof(bool));
    if (!values) return NAS_E_MEMORY;
    nas_status status = parse(space, text, values, (bool *)(void *)(values + n));
    if (status >= 0) status = ni_arch_make(out, space, values);
    ni_free(space->context, values);
    return status;
}

/* ---- owners, reading
 * ------------------------------------------------------------------------------- */

nas_arch *nas_arch_hold(nas_arch *arch) {
    if (arch) atomic_fetch_add(&arch->owners, 1);
    return arch;
}

void nas_arch_free(nas_arch *arch) {
    if (!arch || atomic_fetch_sub(&arch->owners, 1) != 1) return;
    const nas_space *space = arch->space;
    ni_free(space->context, arch);
    ni_space_release(space);
}

const nas_space *nas_arch_space(const nas_arch *arch) {
    return arch->space;
}

nas_status nas_arch_value(const nas_arch *arch, uint32_t decision, nas_value *out) {
    const nas_space *s = arch->space;
    if (decision >= s->decisions.n)
        return ni_fail(s->context, NAS_E_INVALID,
                       "decision %" PRIu32 ": space '%s' has %zu, from 0", decision, s->name,
                       s->decisions.n);
    *out = arch->values[decision];
    return NAS_OK;
}

int32_t nas_arch_active(const nas_arch *arch, uint32_t decision) {
    return decision < arch->space->decisions.n &&
           ni_decision_active(arch->space, arch->values, decision);
}

/* Of threads that ask at once the first one writes, and the others wait for it: a microsecond. */
const char *nas_arch_text(const nas_arch *arch) {
    nas_arch *a = (nas_arch *)(uintptr_t)arch; /* what is told apart by `written` */
    const nas_space *s = arch->space;
    char *at = (char *)&a->values[s->decisions.n];
    int state = atomic_load_explicit(&a->written, memory_order_acquire);
    if (state == NI_TEXT_WRITTEN) return at;
    if (state == NI_TEXT_NONE &&
        atomic_compare_exchange_strong(&a->written, &state, NI_TEXT_BEING_WRITTEN)) {
        ni_text text;
        ni_text_lend(&text, s->context, at, s->text_most);
        text_of(s, arch->values, &text);
        atomic_store_explicit(&a->written, NI_TEXT_WRITTEN, memory_order_release);
        return at;
    }
    while (atomic_load_explicit(&a->written, memory_order_acquire) != NI_TEXT_WRITTEN)
        sched_yield();
    return at;
}

uint64_t nas_arch_hash(const nas_arch *arch) {
    return arch->hash;
}

uint64_t nas_arch_network_hash(const nas_arch *arch) {
    nas_arch *a = (nas_arch *)(uintptr_t)arch;
    uint64_t hash = atomic_load(&a->network_hash);
    if (hash) return hash;
    const nas_space *s = arch->space;
    if (s->template) {
        hash = s->template->ops->network_hash(arch);
    } else {
        /* Without a template the decisions that shape the network are the network; all of them,
         * where none is said to. */
        bool shaped = false;
        hash = s->hash;
        for (uint32_t d = 0; d < s->decisions.n; d++)
            shaped |= s->decisions.items[d].about.role == NAS_ROLE_ARCHITECTURE;
        for (uint32_t d = 0; d < s->decisions.n; d++)
            if ((!shaped || s->decisions.items[d].about.role == NAS_ROLE_ARCHITECTURE) &&
                nas_arch_active(arch, d)) {
                struct {
                    uint64_t decision;
                    nas_value value;
                } item = {d, arch->values[d]};
                hash = ni_hash_seeded(&item, sizeof item, hash);
            }
    }
    if (hash == 0) hash = 1;
    atomic_store(&a->network_hash, hash);
    return hash;
}

uint64_t nas_arch_published_hash(const nas_arch *arch) {
    const ni_template *t = arch->space->template;
    return t && t->ops->published_hash ? t->ops->published_hash(arch) : nas_arch_network_hash(arch);
}

int32_t nas_arch_equal(const nas_arch *a, const nas_arch *b) {
    return a->space == b->space && a->hash == b->hash &&
           memcmp(a->values, b->values, a->space->decisions.n * sizeof *a->values) == 0;
}

bool ni_arch_hyper(const nas_arch *arch, const char *name, double *out) {
    const nas_space *s = arch->space;
    uint32_t d;
    if (!ni_space_find_decision(s, name, &d) || !nas_arch_active(arch, d)) return false;
    const ni_decision *decision = &s->decisions.items[d];
    if (decision->about.role != NAS_ROLE_HYPERPARAMETER) return false;
    if (decision->about.kind == NAS_DECISION_REAL) {
        *out = arch->values[d].real;
    } else if (decision->about.kind == NAS_DECISION_INTEGER) {
        *out = (double)arch->values[d].integer;
    } else {
        /* A choice among numbers is that number, else the index. */
        const char *text = decision->alternatives[arch->values[d].integer];
        if (!ni_parse_f64(text, strlen(text), out)) *out = (double)arch->values[d].integer;
    }
    return true;
}

uint64_t ni_arch_hyper_hash(const nas_arch *arch) {
    const nas_space *s = arch->space;
    uint64_t hash = 0;
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        if (s->decisions.items[d].about.role != NAS_ROLE_HYPERPARAMETER ||
            !nas_arch_active(arch, d))
            continue;
        struct {
            uint64_t decision;
            nas_value value;
        } item = {d, arch->values[d]};
        hash = ni_hash_seeded(&item, sizeof item, hash);
    }
    return hash;
}

/* ---- costs and constraints
 * ----------------------------------------------------------------------------- */

nas_status ni_arch_costs_cached(const nas_arch *arch, const nas_arch_cost **out) {
    nas_arch *a = (nas_arch *)(uintptr_t)arch;
    const nas_space *s = arch->space;
    if (!atomic_load(&a->costed)) {
        nas_arch_cost cost;
        memset(&cost, 0, sizeof cost);
        cost.struct_size = sizeof cost;
        NI_TRY(s->template->ops->costs ? s->template->ops->costs(arch, &cost)
                                       : ni_network_costs(arch, &cost));
        ni_mutex_lock(s->lock);
        a->cost = cost;
        atomic_store(&a->costed, 1);
        ni_mutex_unlock(s->lock);
    }
    *out = &arch->cost;
    return NAS_OK;
}

nas_status nas_arch_costs(const nas_arch *arch, nas_arch_cost *out) {
    const nas_arch_cost *cost;
    NI_TRY(ni_enter(arch->space->context));
    if (!arch->space->template)
        return ni_fail(arch->space->context, NAS_E_UNSUPPORTED,
                       "%sspace '%s' has no network template, and so no costs", arch->space->place,
                       arch->space->name);
    NI_TRY(ni_arch_costs_cached(arch, &cost));
    return ni_answer(arch->space->context, out, cost, sizeof *cost, sizeof *cost, "nas_arch_cost");
}

/* What is known without building the network. */
static nas_status quick_costs(const nas_arch *arch, double *costs) {
    const ni_template *t = arch->space->template;
    ni_walk_cost sum;
    if (atomic_load(&((nas_arch *)(uintptr_t)arch)->costed)) return NAS_E_UNSUPPORTED;
    NI_TRY(ni_quick_costs(arch, &sum));
    costs[NI_COST_PARAMS] = (double)sum.params;
    costs[NI_COST_MACS] = (double)sum.macs;
    costs[NI_COST_WEIGHT_BYTES] = 4 * (double)sum.params;
    costs[NI_COST_ACTIVATION_BYTES] = (double)sum.activation; /* of chains */
    costs[NI_COST_DEPTH] = (double)sum.depth;
    costs[NI_COST_PUBLISHED_FLOPS] =
        t->published_extra < 0 ? -1 : (double)(sum.macs + t->published_extra);
    return NAS_OK;
}

static bool is_chain(const nas_space *s) {
    return s->template && s->template->ops->walk && s->template->ops->walk->chain;
}

bool ni_space_needs_network(const nas_space *s) {
    for (size_t i = 0; i < s->constraints.n; i++)
        if (s->constraints.items[i].network && !is_chain(s)) return true;
    return false;
}

void ni_arch_numbers(const nas_arch *arch, double *numbers) {
    const nas_space *s = arch->space;
    for (uint32_t d = 0; d < s->decisions.n; d++)
        numbers[d] = !ni_decision_active(s, arch->values, d) ? (double)NAN
                     : s->decisions.items[d].about.kind == NAS_DECISION_REAL
                         ? arch->values[d].real
                         : (double)arch->values[d].integer;
}

/* What is known without any cost. */
static void structure_costs(const nas_arch *arch, double *costs) {
    const ni_template *t = arch->space->template;
    costs[NI_COST_CONNECTED] = 1;
    costs[NI_COST_EDGES] = costs[NI_COST_VERTICES] = 0;
    if (t && t->ops->structure) t->ops->structure(arch, costs);
}

static nas_status network_costs(const nas_arch *arch, double *costs) {
    const nas_arch_cost *cost;
    NI_TRY(ni_arch_costs_cached(arch, &cost));
    costs[NI_COST_PARAMS] = (double)cost->params;
    costs[NI_COST_MACS] = (double)cost->macs;
    costs[NI_COST_PUBLISHED_FLOPS] = (double)cost->published_flops;
    costs[NI_COST_ACTIVATION_BYTES] = (double)cost->activation_bytes;
    costs[NI_COST_WEIGHT_BYTES] = (double)cost->weight_bytes;
    costs[NI_COST_DEPTH] = (double)cost->depth;
    return NAS_OK;
}

nas_status ni_arch_needed_costs(const nas_arch *arch, double *costs) {
    const nas_space *s = arch->space;
    bool needed = false;
    structure_costs(arch, costs);
    for (size_t i = 0; i < s->constraints.n; i++)
        needed = needed || s->constraints.items[i].costs;
    if (!needed) return NAS_OK;
    nas_status status = ni_space_needs_network(s) ? NAS_E_UNSUPPORTED : quick_costs(arch, costs);
    return status == NAS_E_UNSUPPORTED ? network_costs(arch, costs) : status;
}

nas_status ni_arch_violated(const nas_arch *arch, int64_t *constraint) {
    const nas_space *s = arch->space;
    double costs[NI_COST_COUNT], few[64], *values = few;
    bool counted = false, summed = false, counts = false;
    *constraint = -1;
    if (s->constraints.n == 0) return NAS_OK;
    if (s->decisions.n > NI_COUNT(few)) {
        values = ni_alloc(s->context, s->decisions.n * sizeof *values);
        if (!values) return NAS_E_MEMORY;
    }
    ni_arch_numbers(arch, values);
    nas_status status = NAS_OK;
    bool chain = is_chain(s);
    structure_costs(arch, costs);
    /* Those that need no costs first, then those that need no network: they are cheap. */
    for (int pass = 0; pass < 3 && *constraint < 0; pass++) {
        for (size_t i = 0; i < s->constraints.n; i++) {
            const ni_constraint *c = &s->constraints.items[i];
            if (c->costs + (c->network && !chain) != pass) continue;
            if (pass == 1 && !summed && !counted) {
                status = quick_costs(arch, costs);
                summed = status >= 0;
                if (status == NAS_E_UNSUPPORTED) status = NAS_OK;
                if (status < 0) break;
            }
            if (pass == 2 || (pass == 1 && !summed)) counts = true;
            if (counts && !counted) {
                status = network_costs(arch, costs);
                if (status < 0) break;
                counted = true;
            }
            if (c->is_bound ? costs[c->cost] >= c->low && costs[c->cost] <= c->high
                            : ni_expr_value(c->expr, values, costs) != 0)
                continue;
            *constraint = (int64_t)i;
            break;
        }
        if (status < 0) break;
    }
    if (values != few) ni_free(s->context, values);
    return status;
}

nas_status nas_arch_check(const nas_arch *arch) {
    int64_t violated;
    NI_TRY(ni_enter(arch->space->context));
    NI_TRY(ni_arch_violated(arch, &violated));
    if (violated < 0) return NAS_OK;
    return ni_fail(arch->space->context, NAS_E_INFEASIBLE, "'%s' does not hold for %s",
                   arch->space->constraints.items[violated].text, nas_arch_text(arch));
}

/* ---- networks and drawings
 * ------------------------------------------------------------------------------- */

static nas_status build(void *user, nas_graph *graph, ni_node images, ni_node *logits) {
    const ni_arch_net *net = user;
    const ni_template *t = net->arch->space->template;
    if (net->drop_path > 0 && !t->ops->drops_paths)
        return ni_fail(
            ni_graph_context(graph), NAS_E_UNSUPPORTED,
            "%sspace '%s': drop_path drops operations of cells, and networks of template "
            "'%s' have none",
            net->arch->space->place, net->arch->space->name, t->kind);
    NI_TRY(ni_graph_drop_path(graph, net->drop_path));
    return t->ops->build(net->arch, graph, images, net->dropout, logits);
}

nas_status ni_arch_network(ni_net *out, ni_arch_net *net, const nas_arch *arch, double dropout) {
    memset(out, 0, sizeof *out);
    memset(net, 0, sizeof *net);
    NI_TRY(ni_space_image(arch->space, &out->height, &out->width, &out->channels, &out->classes));
    net->arch = arch;
    net->dropout = dropout;
    net->width_scale = 1;
    out->user = net;
    out->build = build;
    return NAS_OK;
}

nas_status ni_arch_graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n) {
    *out = NULL;
    *n = 0;
    if (!arch->space->template) return NAS_OK;
    return arch->space->template->ops->graphs(arch, out, n);
}

static void put(char *to, size_t capacity, const char *text) {
    size_t n = strlen(text);
    if (n >= capacity) n = capacity - 1;
    memcpy(to, text, n);
    to[n] = 0;
}

nas_status ni_draw_begin(ni_draw_graph **out, nas_context *context, const char *title,
                         uint32_t n_nodes, uint32_t edges_most) {
    ni_draw_graph *d = ni_calloc(context, 1, sizeof *d);
    if (!d) return NAS_E_MEMORY;
    put(d->title, sizeof d->title, title);
    d->n_nodes = n_nodes;
    d->n_inputs = d->n_outputs = 1;
    d->node_labels = ni_calloc(context, n_nodes, sizeof *d->node_labels);
    d->edges = ni_calloc(context, edges_most, sizeof *d->edges);
    if (!d->node_labels || !d->edges) {
        ni_draw_free(context, d, 1);
        return NAS_E_MEMORY;
    }
    *out = d;
    return NAS_OK;
}

void ni_draw_label(ni_draw_graph *d, uint32_t node, const char *label) {
    put(d->node_labels[node], sizeof d->node_labels[node], label);
}

void ni_draw_join(ni_draw_graph *d, uint32_t from, uint32_t to, const char *label) {
    ni_draw_edge *edge = &d->edges[d->n_edges++];
    edge->from = from;
    edge->to = to;
    edge->identity = strcmp(label, "skip_connect") == 0 || strcmp(label, "identity") == 0;
    put(edge->label, sizeof edge->label, label);
}

void ni_draw_free(nas_context *context, ni_draw_graph *graphs, uint32_t n) {
    for (uint32_t i = 0; graphs && i < n; i++) {
        ni_free(context, graphs[i].node_labels);
        ni_free(context, graphs[i].edges);
    }
    ni_free(context, graphs);
}

/* ---- state
 * ------------------------------------------------------------------------------------------------
 */

nas_status nas_write_arch(nas_writer *to, const nas_arch *arch) {
    return nas_write_text(to, nas_arch_text(arch));
}

nas_status nas_read_arch(nas_reader *from, const nas_space *space, nas_arch **out) {
    const void *bytes;
    size_t n;
    NI_TRY(nas_read_bytes(from, &bytes, &n));
    char *text = ni_strndup(space->context, bytes, n);
    if (!text) return NAS_E_MEMORY;
    nas_status status = nas_arch_parse(out, space, text);
    ni_free(space->context, text);
    return status;
}
