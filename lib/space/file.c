/* From a YAML text to a space. The language is described in docs/space-file.md. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include "load.h"

nas_status ni_load_fail(ni_load *l, const ni_yaml *at, nas_status status) {
    char prefix[256];
    size_t n = strlen(l->document.origin);
    if (n > 180) n = 180;
    memcpy(prefix, l->document.origin, n);
    ni_text where;
    ni_text_init(&where, l->context);
    ni_text_f(&where, ":%" PRIu32 ":%" PRIu32, at->line, at->column);
    size_t m = where.status < 0 ? 0 : where.n;
    memcpy(prefix + n, ni_text_get(&where), m);
    prefix[n + m] = 0;
    ni_text_free(&where);
    return ni_fail_prefix(l->context, status, prefix);
}

/* ---- parameters
 * ---------------------------------------------------------------------------------- */

/* The override of a parameter: its value's text, or NULL. */
static const char *override_of(const ni_load *l, const char *name) {
    size_t n = strlen(name);
    const char *found = NULL;
    for (size_t i = 0; i < l->n_overrides; i++)
        if (strncmp(l->overrides[i], name, n) == 0 && l->overrides[i][n] == '=')
            found = l->overrides[i] + n + 1; /* the last one holds */
    return found;
}

static nas_status check_overrides(ni_load *l) {
    const ni_yaml *p = l->parameters;
    for (size_t i = 0; i < l->n_overrides; i++) {
        const char *given = l->overrides[i], *equals = strchr(given, '=');
        char name[NI_NAME_MOST + 1];
        double value;
        if (!equals || equals == given || (size_t)(equals - given) > NI_NAME_MOST)
            return ni_fail(l->context, NAS_E_INVALID, "parameter '%.80s' is not 'name=number'",
                           given);
        memcpy(name, given, (size_t)(equals - given));
        name[equals - given] = 0;
        if (!ni_yaml_get(p, name)) {
            const char *known[64];
            size_t n = 0;
            for (uint32_t k = 0; p && k < p->n && n < 64; k++)
                known[n++] = p->keys[k]->text;
            const char *near = ni_nearest(name, known, n);
            return ni_yaml_fail(&l->document, p ? p : l->document.root, NAS_E_NOT_FOUND,
                                "space '%s' has no parameter '%s'%s%s%s", l->space->name, name,
                                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        if (!ni_parse_f64(equals + 1, strlen(equals + 1), &value) || !isfinite(value))
            return ni_fail(l->context, NAS_E_INVALID, "parameter '%s': '%.40s' is not a number",
                           name, equals + 1);
    }
    for (uint32_t i = 0; p && i < p->n; i++) {
        double value;
        if (p->items[i]->kind != NI_YAML_SCALAR ||
            !ni_parse_f64(p->items[i]->text, strlen(p->items[i]->text), &value) || !isfinite(value))
            return ni_yaml_fail(&l->document, p->items[i], NAS_E_SYNTAX,
                                "the parameter '%s' must be a number", p->keys[i]->text);
        const char *given = override_of(l, p->keys[i]->text);
        if (given) ni_parse_f64(given, strlen(given), &value);
        NI_TRY(ni_space_add_parameter(l->space, p->keys[i]->text, value));
    }
    return NAS_OK;
}

/* Byte where character `index` of a UTF-8 text begins. */
static size_t byte_of(const char *text, size_t n, size_t index) {
    size_t at = 0;
    while (at < n && index) {
        at++;
        while (at < n && ((unsigned char)text[at] & 0xC0) == 0x80)
            at++;
        index--;
    }
    return at;
}

/* The text with overridden parameters written in, so that it makes the same space alone. */
static nas_status keep_text(ni_load *l, const char *text, size_t n) {
    const ni_yaml *p = l->parameters;
    ni_text out;
    ni_text_init(&out, l->context);
    size_t at = 0;
    for (uint32_t i = 0; p && i < p->n; i++) { /* in the order of the text */
        const char *value = override_of(l, p->keys[i]->text);
        if (!value) continue;
        size_t from = byte_of(text, n, p->items[i]->from), to = byte_of(text, n, p->items[i]->to);
        ni_text_add_n(&out, text + at, from - at);
        ni_text_add(&out, value);
        at = to;
    }
    ni_text_add_n(&out, text + at, n - at);
    nas_status status = out.status;
    if (status >= 0 && !(l->space->text = ni_strdup(l->context, ni_text_get(&out))))
        status = NAS_E_MEMORY;
    ni_text_free(&out);
    return status;
}

/* A number, or "$name" of a parameter. */
nas_status ni_load_number(ni_load *l, const ni_yaml *at, const char *what, double *out) {
    if (at->kind != NI_YAML_SCALAR)
        return ni_yaml_fail(&l->document, at, NAS_E_SYNTAX, "%s must be a number", what);
    const char *text = at->text;
    if (text[0] == '$') {
        const ni_yaml *p = ni_yaml_get(l->parameters, text + 1);
        if (!p) {
            const char *known[64];
            size_t n = 0;
            for (uint32_t k = 0; l->parameters && k < l->parameters->n && n < 64; k++)
                known[n++] = l->parameters->keys[k]->text;
            const char *near = ni_nearest(text + 1, known, n);
            return ni_yaml_fail(&l->document, at, NAS_E_NOT_FOUND,
                                "there is no parameter '%.60s'%s%s%s", text + 1,
                                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        const char *given = override_of(l, text + 1);
        text = given ? given : p->text;
    }
    if (!ni_parse_f64(text, strlen(text), out) || !isfinite(*out))
        return ni_yaml_fail(&l->document, at, NAS_E_SYNTAX, "%s: '%.60s' is not a number", what,
                            text);
    return NAS_OK;
}

nas_status ni_load_integer(ni_load *l, const ni_yaml *at, const char *what, int64_t low,
                           int64_t high, int64_t *out) {
    double value = 0;
    NI_TRY(ni_load_number(l, at, what, &value));
    if (value != floor(value) || value < (double)low || value > (double)high)
        return ni_yaml_fail(&l->document, at, NAS_E_INVALID,
                            "%s must be a whole number from %" PRId64 " to %" PRId64, what, low,
                            high);
    *out = (int64_t)value;
    return NAS_OK;
}

/* A whole number, "$parameter", or "$decision" (an integer one). */
static nas_status amount(ni_load *l, const ni_yaml *map, const char *key, int64_t low, int64_t high,
                         int64_t otherwise, ni_amount *out) {
    const ni_yaml *at = ni_yaml_get(map, key);
    out->decision = -1;
    out->value = otherwise;
    if (!at) return NAS_OK;
    uint32_t d;
    if (at->kind == NI_YAML_SCALAR && at->text[0] == '$' &&
        !ni_yaml_get(l->parameters, at->text + 1) &&
        ni_space_find_decision(l->space, at->text + 1, &d)) {
        nas_decision *about = &l->space->decisions.items[d].about;
        if (about->kind != NAS_DECISION_INTEGER || about->condition >= 0)
            return ni_yaml_fail(&l->document, at, NAS_E_INVALID,
                                "%s: the decision '%s' must be an integer without a condition", key,
                                about->name);
        if (about->low < low || about->high > high)
            return ni_yaml_fail(&l->document, at, NAS_E_INVALID,
                                "%s must be from %" PRId64 " to %" PRId64
                                ", and the decision '%s' may leave that",
                                key, low, high, about->name);
        about->role = NAS_ROLE_ARCHITECTURE;
        out->decision = (int32_t)d;
        return NAS_OK;
    }
    return ni_load_integer(l, at, key, low, high, &out->value);
}

/* ---- cell
 * ------------------------------------------------------------------------------------------- */

nas_status ni_load_word(ni_load *l, const ni_yaml *map, const char *key, const char *const *known,
                        uint32_t n, uint32_t *out) {
    const ni_yaml *at = ni_yaml_get(map, key);
    if (!at) return NAS_OK;
    for (uint32_t i = 0; at->kind == NI_YAML_SCALAR && i < n; i++) {
        if (strcmp(at->text, known[i]) != 0) continue;
        *out = i;
        return NAS_OK;
    }
    const char *near = at->kind == NI_YAML_SCALAR ? ni_nearest(at->text, known, n) : NULL;
    char all[160] = "";
    for (uint32_t i = 0; i < n; i++) {
        size_t length = strlen(all);
        ni_scope_text(all + length, sizeof all - length, "%s%s",
                      i == 0       ? ""
                      : i + 1 == n ? " or "
                                   : ", ",
                      known[i]);
    }
    return ni_yaml_fail(&l->document, at, NAS_E_INVALID, "%s must be %s%s%s%s", key, all,
                        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

nas_status ni_load_operations(ni_load *l, const ni_yaml *map, const char *key, const char **names,
                              uint32_t *n) {
    const ni_yaml *list = ni_yaml_get(map, key);
    if (!list || list->kind != NI_YAML_LIST || list->n < 1 || list->n > 64)
        return ni_yaml_fail(&l->document, list ? list : map, NAS_E_SYNTAX,
                            "'%s' is needed here: a list of 1 to 64 names", key);
    for (uint32_t i = 0; i < list->n; i++) {
        const nas_op_ops *ops;
        void *self;
        if (list->items[i]->kind != NI_YAML_SCALAR)
            return ni_yaml_fail(&l->document, list->items[i], NAS_E_SYNTAX,
                                "an operation is given by its name");
        names[i] = list->items[i]->text;
        nas_status status = ni_op_find(l->context, names[i], &ops, &self);
        if (status < 0) return ni_load_fail(l, list->items[i], status);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(names[k], names[i]) == 0)
                return ni_yaml_fail(&l->document, list->items[i], NAS_E_EXISTS,
                                    "the operation '%s' stands here twice", names[i]);
    }
    *n = list->n;
    return NAS_OK;
}

nas_status ni_load_member(ni_load *l, const ni_yaml *map, const char *key, int64_t low,
                          int64_t high, int64_t *out) {
    const ni_yaml *at = ni_yaml_get(map, key);
    return at ? ni_load_integer(l, at, key, low, high, out) : NAS_OK;
}

nas_status ni_load_integers(ni_load *l, const ni_yaml *map, const char *key, int64_t low,
                            int64_t high, int64_t *out, uint32_t most, uint32_t *n) {
    const ni_yaml *list = ni_yaml_get(map, key);
    if (!list || list->kind != NI_YAML_LIST || list->n < 1 || list->n > most)
        return ni_yaml_fail(&l->document, list ? list : map, NAS_E_SYNTAX,
                            "'%s' is needed here: a list of 1 to %" PRIu32 " whole numbers", key,
                            most);
    for (uint32_t i = 0; i < list->n; i++) {
        NI_TRY(ni_load_integer(l, list->items[i], key, low, high, &out[i]));
        for (uint32_t k = 0; k < i; k++)
            if (out[k] == out[i])
                return ni_yaml_fail(&l->document, list->items[i], NAS_E_EXISTS,
                                    "%s: %" PRId64 " stands here twice", key, out[i]);
    }
    *n = list->n;
    return NAS_OK;
}

nas_status ni_load_choice(ni_load *l, const ni_yaml *at, const char *const *names, uint32_t n,
                          const char *format, ...) {
    char name[NI_NAME_MOST + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    nas_status status = nas_space_add_choice(l->space, name, names, n);
    return status < 0 ? ni_load_fail(l, at, status) : NAS_OK;
}

void ni_load_base(ni_load *l, ni_template *t, const void *fixed, size_t bytes) {
    int64_t image[] = {l->height, l->width, l->channels, l->classes};
    t->height = l->height;
    t->width = l->width;
    t->channels = l->channels;
    t->classes = l->classes;
    t->identity = ni_hash_seeded(image, sizeof image, ni_hash_text(t->kind));
    t->identity = ni_hash_seeded(fixed, bytes, t->identity);
}

static nas_status edges(ni_load *l, const ni_yaml *cell) {
    ni_cells_options *o = &l->cells;
    const ni_yaml *list = ni_yaml_get(cell, "edges");
    bool present[NI_CELL_NODES_MOST][NI_CELL_NODES_MOST] = {{false}};
    bool all = !list || (list->kind == NI_YAML_SCALAR && strcmp(list->text, "all") == 0);
    if (!all && (list->kind != NI_YAML_LIST || list->n == 0))
        return ni_yaml_fail(&l->document, list, NAS_E_SYNTAX,
                            "edges must be 'all', or a list of pairs [from, to]");
    for (uint32_t i = 0; !all && i < list->n; i++) {
        const ni_yaml *pair = list->items[i];
        int64_t from = 0, to = 0;
        if (pair->kind != NI_YAML_LIST || pair->n != 2)
            return ni_yaml_fail(&l->document, pair, NAS_E_SYNTAX, "an edge is a pair [from, to]");
        NI_TRY(ni_load_integer(l, pair->items[0], "from", 0, (int64_t)o->n_nodes - 2, &from));
        NI_TRY(ni_load_integer(l, pair->items[1], "to", from + 1, (int64_t)o->n_nodes - 1, &to));
        if (present[from][to])
            return ni_yaml_fail(&l->document, pair, NAS_E_EXISTS, "this edge stands here twice");
        present[from][to] = true;
    }
    for (uint32_t to = 1; to < o->n_nodes; to++)
        for (uint32_t from = 0; from < to; from++) {
            if (!all && !present[from][to]) continue;
            o->edge_from[o->n_edges] = from;
            o->edge_to[o->n_edges++] = to;
        }
    return NAS_OK;
}

static nas_status read_cell(ni_load *l, const ni_yaml *cell) {
    static const char *const known[] = {"nodes", "edges", "operations", "text", NULL};
    static const char *const texts[] = {"names", "nas-bench-201"};
    const char *names[64];
    uint32_t n = 0, text = 0;
    int64_t nodes = 4;
    NI_TRY(ni_yaml_keys(&l->document, cell, "cell", known));
    const ni_yaml *at = ni_yaml_get(cell, "nodes");
    if (at) NI_TRY(ni_load_integer(l, at, "nodes", 2, NI_CELL_NODES_MOST, &nodes));
    l->cells.n_nodes = (uint32_t)nodes;
    NI_TRY(edges(l, cell));
    NI_TRY(ni_load_operations(l, cell, "operations", names, &n));
    NI_TRY(ni_load_word(l, cell, "text", texts, NI_COUNT(texts), &text));
    l->cells.own_text = l->cells.published = text == 1;
    l->first_edge = (uint32_t)l->space->decisions.n;
    for (uint32_t e = 0; e < l->cells.n_edges; e++) {
        char name[8] = "0<-0";
        name[0] = (char)('0' + l->cells.edge_to[e]);
        name[3] = (char)('0' + l->cells.edge_from[e]);
        nas_status status = nas_space_add_choice(l->space, name, names, n);
        if (status < 0) return ni_load_fail(l, ni_yaml_get(cell, "operations"), status);
    }
    return NAS_OK;
}

nas_status ni_load_image(ni_load *l, const ni_yaml *network) {
    static const char *const known[] = {"height", "width", "channels", "classes", NULL};
    const ni_yaml *image = ni_yaml_get(network, "image");
    if (!image)
        return ni_yaml_fail(&l->document, network, NAS_E_SYNTAX,
                            "network needs 'image: {height, width, channels, classes}'");
    NI_TRY(ni_yaml_keys(&l->document, image, "image", known));
    int64_t *to[] = {&l->height, &l->width, &l->channels, &l->classes};
    for (int i = 0; i < 4; i++) {
        const ni_yaml *at = ni_yaml_get(image, known[i]);
        if (!at)
            return ni_yaml_fail(&l->document, image, NAS_E_SYNTAX, "image needs '%s'", known[i]);
        NI_TRY(ni_load_integer(l, at, known[i], i == 3 ? 2 : 1, 1 << 16, to[i]));
    }
    return NAS_OK;
}

nas_status ni_load_batch_norm(ni_load *l, const ni_yaml *network, double *epsilon,
                              double *momentum) {
    static const char *const known[] = {"epsilon", "momentum", NULL};
    const ni_yaml *bn = ni_yaml_get(network, "batch_norm");
    if (!bn) return NAS_OK;
    NI_TRY(ni_yaml_keys(&l->document, bn, "batch_norm", known));
    if (ni_yaml_get(bn, "epsilon"))
        NI_TRY(ni_load_number(l, ni_yaml_get(bn, "epsilon"), "epsilon", epsilon));
    if (ni_yaml_get(bn, "momentum"))
        NI_TRY(ni_load_number(l, ni_yaml_get(bn, "momentum"), "momentum", momentum));
    if (*epsilon > 0 && *momentum > 0 && *momentum <= 1) return NAS_OK;
    return ni_yaml_fail(&l->document, bn, NAS_E_INVALID,
                        "batch_norm needs epsilon > 0 and 0 < momentum <= 1");
}

/* After the decisions, which it may refer to. */
static nas_status read_network(ni_load *l, const ni_yaml *network) {
    static const char *const known[] = {"template", "image",     "stem",       "stages", "cells",
                                        "widen",    "reduction", "batch_norm", NULL};
    static const char *const stem_known[] = {"channels", "kernel", "stride", NULL};
    static const char *const reductions[] = {"residual", "pool"};
    ni_cells_options *o = &l->cells;
    uint32_t reduction = 0;
    ni_amount widen;
    NI_TRY(ni_yaml_keys(&l->document, network, "network", known));
    NI_TRY(ni_load_word(l, network, "reduction", reductions, 2, &reduction));
    NI_TRY(ni_load_image(l, network));
    const ni_yaml *stem = ni_yaml_get(network, "stem");
    if (stem) NI_TRY(ni_yaml_keys(&l->document, stem, "stem", stem_known));
    NI_TRY(amount(l, stem, "channels", 1, 4096, 16, &o->channels));
    NI_TRY(amount(l, stem, "kernel", 1, 15, 3, &o->stem_kernel));
    NI_TRY(amount(l, stem, "stride", 1, 8, 1, &o->stem_stride));
    NI_TRY(amount(l, network, "stages", 1, 8, 3, &o->stages));
    NI_TRY(amount(l, network, "cells", 0, 64, 1, &o->cells));
    NI_TRY(amount(l, network, "widen", 1, 8, 2, &widen));
    if (widen.decision >= 0)
        return ni_yaml_fail(&l->document, ni_yaml_get(network, "widen"), NAS_E_UNSUPPORTED,
                            "widen must be a number or a parameter");
    o->widen = widen.value;
    o->reduction = reduction == 1 ? NI_REDUCE_POOL : NI_REDUCE_RESIDUAL;
    o->bn_epsilon = 1e-5;
    o->bn_momentum = 0.1;
    NI_TRY(ni_load_batch_norm(l, network, &o->bn_epsilon, &o->bn_momentum));
    /* What the image becomes must stay an image. */
    int64_t stages = o->stages.decision < 0
                         ? o->stages.value
                         : l->space->decisions.items[o->stages.decision].about.high;
    if ((l->height < l->width ? l->height : l->width) >> (stages - 1) < 1)
        return ni_yaml_fail(&l->document, network, NAS_E_SHAPE,
                            "an image of %" PRId64 " x %" PRId64 " is too small for %" PRId64
                            " stages, each half as large as the one before",
                            l->height, l->width, stages);
    int64_t fixed[] = {l->height,  l->width,           l->channels,
                       l->classes, o->widen,           (int64_t)o->reduction,
                       o->n_nodes, (int64_t)o->n_edges};
    o->identity = ni_hash(fixed, sizeof fixed);
    for (uint32_t e = 0; e < o->n_edges; e++) {
        uint64_t pair[2] = {o->edge_from[e], o->edge_to[e]};
        o->identity = ni_hash_seeded(pair, sizeof pair, o->identity);
    }
    return NAS_OK;
}

/* ---- other decisions
 * -------------------------------------------------------------------------------- */

static nas_status pair_of_numbers(ni_load *l, const ni_yaml *at, const char *what, double out[2]) {
    if (at->kind != NI_YAML_LIST || at->n != 2)
        return ni_yaml_fail(&l->document, at, NAS_E_SYNTAX, "%s must be [low, high]", what);
    NI_TRY(ni_load_number(l, at->items[0], what, &out[0]));
    return ni_load_number(l, at->items[1], what, &out[1]);
}

static nas_status add_decision(ni_load *l, const ni_yaml *at, const char *name) {
    const ni_yaml *choice = ni_yaml_get(at, "choice"), *whole = ni_yaml_get(at, "integer");
    const ni_yaml *real = ni_yaml_get(at, "real"), *log_scale = ni_yaml_get(at, "log");
    double range[2] = {0, 0};
    if ((choice != NULL) + (whole != NULL) + (real != NULL) != 1)
        return ni_yaml_fail(&l->document, at, NAS_E_SYNTAX,
                            "decision '%s' needs one of 'choice', 'integer', 'real'", name);
    bool logarithmic = false;
    if (log_scale) {
        if (log_scale->kind != NI_YAML_SCALAR ||
            (strcmp(log_scale->text, "true") != 0 && strcmp(log_scale->text, "false") != 0))
            return ni_yaml_fail(&l->document, log_scale, NAS_E_SYNTAX, "log must be true or false");
        logarithmic = strcmp(log_scale->text, "true") == 0;
        if (!real)
            return ni_yaml_fail(&l->document, log_scale, NAS_E_SYNTAX,
                                "log belongs to a 'real' decision");
    }
    if (choice) {
        const char *names[256];
        if (choice->kind != NI_YAML_LIST || choice->n < 1 || choice->n > 256)
            return ni_yaml_fail(&l->document, choice, NAS_E_SYNTAX,
                                "choice must be a list of 1 to 256 alternatives");
        for (uint32_t i = 0; i < choice->n; i++) {
            if (choice->items[i]->kind != NI_YAML_SCALAR)
                return ni_yaml_fail(&l->document, choice->items[i], NAS_E_SYNTAX,
                                    "an alternative is a name or a number");
            names[i] = choice->items[i]->text;
        }
        return nas_space_add_choice(l->space, name, names, choice->n);
    }
    if (whole) {
        const ni_yaml *step = ni_yaml_get(at, "step");
        int64_t by = 1;
        NI_TRY(pair_of_numbers(l, whole, "integer", range));
        if (step) NI_TRY(ni_load_integer(l, step, "step", 1, INT32_MAX, &by));
        if (range[0] != floor(range[0]) || range[1] != floor(range[1]) || fabs(range[0]) > 1e15 ||
            fabs(range[1]) > 1e15)
            return ni_yaml_fail(&l->document, whole, NAS_E_INVALID,
                                "integer must be [low, high] in whole numbers");
        return nas_space_add_integer(l->space, name, (int64_t)range[0], (int64_t)range[1], by);
    }
    NI_TRY(pair_of_numbers(l, real, "real", range));
    return nas_space_add_real(l->space, name, range[0], range[1], logarithmic);
}

static nas_status read_decision(ni_load *l, const ni_yaml *at) {
    static const char *const known[] = {"name", "choice", "integer", "step", "real",
                                        "log",  "role",   "when",    NULL};
    static const char *const roles[] = {"architecture", "hyper-parameter"};
    NI_TRY(ni_yaml_keys(&l->document, at, "a decision", known));
    const ni_yaml *name = ni_yaml_get(at, "name"), *when = ni_yaml_get(at, "when");
    if (!name || name->kind != NI_YAML_SCALAR)
        return ni_yaml_fail(&l->document, at, NAS_E_SYNTAX, "a decision needs a 'name'");
    nas_status status = add_decision(l, at, name->text);
    if (status < 0) {
        const char *sentence = nas_context_error(l->context);
        size_t n = strlen(l->document.origin);
        bool placed = strncmp(sentence, l->document.origin, n) == 0 && sentence[n] == ':';
        return placed ? status : ni_load_fail(l, name, status);
    }
    nas_decision *about = &l->space->decisions.items[l->space->decisions.n - 1].about;
    uint32_t role = (uint32_t)NAS_ROLE_HYPERPARAMETER;
    NI_TRY(ni_load_word(l, at, "role", roles, 2, &role));
    about->role = (int32_t)role;
    if (when) {
        if (when->kind != NI_YAML_MAP || when->n != 1 || when->items[0]->kind != NI_YAML_SCALAR)
            return ni_yaml_fail(&l->document, when, NAS_E_SYNTAX,
                                "when must be {decision: alternative}");
        status = nas_space_add_condition(l->space, when->keys[0]->text, when->items[0]->text);
        if (status < 0) return ni_load_fail(l, when, status);
    }
    return NAS_OK;
}

/* ---- templates ----------------------------------------------------------------------------------
 */

static const struct {
    const char *name, *part; /* key of the part that lists its decisions */
    nas_status (*read)(ni_load *l, const ni_yaml *network, const ni_yaml *part);
} templates[] = {
    {"cells", "cell", NULL}, /* read in two steps: its network may refer to other decisions */
    {"blocks", "cell", ni_blocks_read},
    {"matrix", "cell", ni_matrix_read},
    {"stages", "layers", ni_stages_read},
    {"skips", "layers", ni_skips_read},
    {"chain", "layers", ni_chain_read},
    {"mlp", "layers", ni_mlp_read},
};

static nas_status read_template(ni_load *l, const ni_yaml *network, uint32_t *which) {
    const char *names[NI_COUNT(templates)];
    for (size_t i = 0; i < NI_COUNT(templates); i++)
        names[i] = templates[i].name;
    *which = 0;
    if (network->kind != NI_YAML_MAP)
        return ni_yaml_fail(&l->document, network, NAS_E_SYNTAX,
                            "network must be a list of 'key: value'");
    return ni_load_word(l, network, "template", names, NI_COUNT(names), which);
}

static nas_status read_constraints(ni_load *l, const ni_yaml *constraints) {
    double low[NI_COST_COUNT], high[NI_COST_COUNT];
    for (int i = 0; i < NI_COST_COUNT; i++)
        low[i] = -INFINITY, high[i] = INFINITY;
    if (constraints->kind != NI_YAML_LIST)
        return ni_yaml_fail(&l->document, constraints, NAS_E_SYNTAX, "constraints must be a list");
    for (uint32_t i = 0; i < constraints->n; i++) {
        const ni_yaml *at = constraints->items[i];
        if (at->kind != NI_YAML_SCALAR)
            return ni_yaml_fail(&l->document, at, NAS_E_SYNTAX,
                                "a constraint is an expression such as 'params <= 1e6'");
        nas_status status = nas_space_add_constraint(l->space, at->text);
        if (status < 0) return ni_load_fail(l, at, status);
        ni_constraint *c = &l->space->constraints.items[l->space->constraints.n - 1];
        ni_text where;
        ni_text_init(&where, l->context);
        ni_text_f(&where, "%s:%" PRIu32 ":%" PRIu32, l->document.origin, at->line, at->column);
        status = where.status;
        if (status >= 0 && !(c->where = ni_strdup(l->context, ni_text_get(&where))))
            status = NAS_E_MEMORY;
        ni_text_free(&where);
        NI_TRY(status);
        ni_expr_bounds(c->expr, low, high);
        for (int k = 0; k < NI_COST_COUNT; k++)
            if (low[k] > high[k])
                return ni_yaml_fail(&l->document, at, NAS_E_INFEASIBLE,
                                    "'%s' contradicts the constraints before it: nothing "
                                    "satisfies them all",
                                    at->text);
    }
    return NAS_OK;
}

static nas_status keep_place(ni_load *l, const ni_yaml *at) {
    ni_text place;
    ni_text_init(&place, l->context);
    ni_text_f(&place, "%s:%" PRIu32 ":%" PRIu32 ": ", l->document.origin, at->line, at->column);
    nas_status status = place.status;
    char *kept = status < 0 ? NULL : ni_strdup(l->context, ni_text_get(&place));
    ni_text_free(&place);
    if (!kept) return NAS_E_MEMORY;
    ni_free(l->context, l->space->place);
    l->space->place = kept;
    return NAS_OK;
}

static nas_status read_document(ni_load *l, const char *text, size_t n) {
    static const char *const known[] = {"space",  "about",     "parameters",  "network", "cell",
                                        "layers", "decisions", "constraints", NULL};
    const ni_yaml *root = l->document.root;
    NI_TRY(ni_yaml_keys(&l->document, root, "a space file", known));
    const ni_yaml *name = ni_yaml_get(root, "space"), *network = ni_yaml_get(root, "network");
    const ni_yaml *decisions = ni_yaml_get(root, "decisions");
    const ni_yaml *constraints = ni_yaml_get(root, "constraints");
    uint32_t template = 0;
    if (!name || name->kind != NI_YAML_SCALAR)
        return ni_yaml_fail(&l->document, root, NAS_E_SYNTAX, "a space file needs 'space: NAME'");
    nas_status status = nas_space_create(&l->space, l->context, name->text);
    if (status < 0) return ni_load_fail(l, name, status);
    l->parameters = ni_yaml_get(root, "parameters");
    if (l->parameters && l->parameters->kind != NI_YAML_MAP)
        return ni_yaml_fail(&l->document, l->parameters, NAS_E_SYNTAX,
                            "parameters must be a list of 'name: number'");
    NI_TRY(check_overrides(l));
    if (network) NI_TRY(read_template(l, network, &template));
    const ni_yaml *part = ni_yaml_get(root, templates[template].part);
    if (!network)
        part = ni_yaml_get(root, "cell") ? ni_yaml_get(root, "cell") : ni_yaml_get(root, "layers");
    if ((network != NULL) != (part != NULL))
        return ni_yaml_fail(&l->document, root, NAS_E_SYNTAX,
                            "'network' and '%s' belong together: '%s' is missing",
                            network                     ? templates[template].part
                            : ni_yaml_get(root, "cell") ? "cell"
                                                        : "layers",
                            network ? templates[template].part : "network");
    if (part && ni_yaml_get(root, "cell") && ni_yaml_get(root, "layers"))
        return ni_yaml_fail(&l->document, ni_yaml_get(root, "layers"), NAS_E_SYNTAX,
                            "template '%s' takes '%s' alone", templates[template].name,
                            templates[template].part);
    if (network && templates[template].read)
        NI_TRY(templates[template].read(l, network, part));
    else if (network)
        NI_TRY(read_cell(l, part));
    if (decisions && decisions->kind != NI_YAML_LIST)
        return ni_yaml_fail(&l->document, decisions, NAS_E_SYNTAX, "decisions must be a list");
    for (uint32_t i = 0; decisions && i < decisions->n; i++)
        NI_TRY(read_decision(l, decisions->items[i]));
    if (network && !templates[template].read) {
        NI_TRY(read_network(l, network));
        NI_TRY(ni_cells_create(&l->space->template, l->space, &l->cells, l->first_edge, l->height,
                               l->width, l->channels, l->classes));
    }
    if (constraints) NI_TRY(read_constraints(l, constraints));
    NI_TRY(keep_place(l, part ? part : decisions ? decisions : root));
    NI_TRY(keep_text(l, text, n));
    if (l->space->decisions.n == 0)
        return ni_yaml_fail(&l->document,
                            part        ? part
                            : decisions ? decisions
                                        : root,
                            NAS_E_INVALID, "space '%s' has no decisions", l->space->name);
    return nas_space_finish(l->space);
}

nas_status ni_space_from_yaml(nas_space **out, nas_context *context, const char *text, size_t n,
                              const char *origin, const char *const *overrides,
                              size_t n_overrides) {
    ni_load l;
    memset(&l, 0, sizeof l);
    l.context = context;
    l.overrides = overrides;
    l.n_overrides = n_overrides;
    NI_TRY(ni_operations_register(context));
    NI_TRY(ni_yaml_parse(&l.document, context, text, n, origin));
    nas_status status = read_document(&l, text, n);
    ni_yaml_free(&l.document);
    if (status < 0) {
        nas_space_free(l.space);
        return status;
    }
    *out = l.space;
    return NAS_OK;
}
