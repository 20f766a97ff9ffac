/* Cells with a free adjacency matrix: NAS-Bench-101 (Ying et al., ICML 2019, section 2;
 * nasbench/lib/model_spec.py, model_builder.py). What does not lie on a path from the input to the
 * output is pruned before anything else. */
#include <inttypes.h>
#include <math.h>
#include "matrix.h"

static void destroy(nas_context *context, ni_template *self) {
    matrix_template *t = (matrix_template *)(void *)self;
    ni_free(context, t->operation_hash);
    ni_template_free(context, self);
}

static void prune(const nas_space *s, const nas_value *values, pruned *out) {
    const matrix_template *t = matrix_of(s);
    uint32_t n = t->vertices, number[VERTICES_MOST];
    uint8_t to[VERTICES_MOST] = {0}, forward = 1, backward = (uint8_t)(1 << (n - 1));
    for (uint32_t a = 0; a < n; a++)
        for (uint32_t b = a + 1; b < n; b++)
            if (values[t->edge[a][b]].integer) to[a] = (uint8_t)(to[a] | 1 << b);
    for (uint32_t a = 0; a < n; a++)
        if (forward >> a & 1) forward |= to[a];
    for (uint32_t a = n; a-- > 0;)
        if (to[a] & backward) backward = (uint8_t)(backward | 1 << a);
    memset(out, 0, sizeof *out);
    uint8_t kept = forward & backward;
    out->connected = kept & 1;
    if (!out->connected) {
        out->n = 2;
        return;
    }
    for (uint32_t a = 0; a < n; a++) {
        if (!(kept >> a & 1)) continue;
        number[a] = out->n++;
        if (a && a + 1 < n) out->operation[number[a]] = (uint32_t)values[t->operation[a]].integer;
    }
    for (uint32_t a = 0; a < n; a++)
        for (uint32_t b = a + 1; b < n; b++) {
            if (!(kept >> a & 1) || !(kept >> b & 1) || !(to[a] >> b & 1)) continue;
            out->to[number[a]] = (uint8_t)(out->to[number[a]] | 1 << number[b]);
            out->from[number[b]] = (uint8_t)(out->from[number[b]] | 1 << number[a]);
            out->edges++;
        }
}

static uint64_t network_hash(const nas_arch *arch) {
    const matrix_template *t = matrix_of(arch->space);
    pruned p;
    ni_dag dag;
    prune(arch->space, arch->values, &p);
    if (!p.connected) return t->base.identity;
    dag.n = p.n;
    dag.n_edges = 0;
    for (uint32_t b = 0; b < p.n; b++) {
        dag.label[b] = b == 0 ? 1 : b + 1 == p.n ? 2 : t->operation_hash[p.operation[b]];
        for (uint32_t a = 0; a < b; a++) {
            if (!(p.from[b] >> a & 1)) continue;
            dag.from[dag.n_edges] = (uint8_t)a;
            dag.to[dag.n_edges++] = (uint8_t)b;
        }
    }
    return ni_dag_hash(&dag) ^ t->base.identity;
}

static void structure(const nas_arch *arch, double *costs) {
    pruned p;
    prune(arch->space, arch->values, &p);
    costs[NI_COST_CONNECTED] = p.connected;
    costs[NI_COST_EDGES] = p.edges;
    costs[NI_COST_VERTICES] = p.connected ? p.n : 0;
}

/* ---- the network ------------------------------------------------------------------------------
 */

/* Vertices that feed the output share its channels, the earliest take what is left over; others
 * have the most of those that they feed. */
static void vertex_channels(const pruned *p, int64_t in, int64_t out, int64_t *channels) {
    uint32_t last = p->n - 1;
    int64_t feeding = 0;
    memset(channels, 0, p->n * sizeof *channels);
    channels[0] = in;
    channels[last] = out;
    for (uint32_t v = 1; v < last; v++)
        feeding += p->to[v] >> last & 1;
    if (feeding == 0) return;
    int64_t over = out % feeding;
    for (uint32_t v = 1; v < last; v++) {
        if (!(p->to[v] >> last & 1)) continue;
        channels[v] = out / feeding + (over > 0);
        over--;
    }
    for (uint32_t v = last; v-- > 1;) {
        if (p->to[v] >> last & 1) continue;
        for (uint32_t b = v + 1; b < last; b++)
            if (p->to[v] >> b & 1 && channels[b] > channels[v]) channels[v] = channels[b];
    }
}

static nas_status project(const matrix_template *t, nas_graph *g, const char *scope, uint32_t v,
                          int64_t channels, nas_node in, nas_node *out) {
    char conv[NI_SCOPE_TEXT], bn[NI_SCOPE_TEXT];
    ni_scope_text(conv, sizeof conv, "proj%" PRIu32 ".0", v);
    ni_scope_text(bn, sizeof bn, "proj%" PRIu32 ".1", v);
    ni_conv_bn o = {conv, bn, 1, 1, 1, channels, 0, INFINITY};
    NI_TRY(ni_graph_scope(g, scope));
    NI_TRY(ni_conv_bn_build(&t->base, g, &o, in, out));
    return ni_graph_scope(g, "");
}

static nas_status module(const nas_space *s, nas_graph *g, const char *scope, const pruned *p,
                         int64_t out_channels, nas_node in, nas_node *out) {
    const matrix_template *t = matrix_of(s);
    nas_shape shape;
    int64_t channels[VERTICES_MOST];
    nas_node made[VERTICES_MOST], terms[VERTICES_MOST];
    uint32_t last = p->n - 1, n;
    NI_TRY(nas_graph_shape(g, in, &shape));
    if (!p->connected)
        return ni_constant(g, ni_shape4(shape.n, shape.h, shape.w, out_channels), 0, out);
    vertex_channels(p, shape.c, out_channels, channels);
    for (uint32_t v = 1; v < last; v++) {
        char inner[NI_SCOPE_TEXT];
        nas_node x;
        n = 0;
        for (uint32_t a = 1; a < v; a++)
            if (p->from[v] >> a & 1)
                NI_TRY(ni_slice(g, made[a], 3, 0, channels[v], 1, &terms[n++]));
        if (p->from[v] & 1) NI_TRY(project(t, g, scope, v, channels[v], in, &terms[n++]));
        NI_TRY(nas_graph_add(g, terms, n, &x));
        ni_scope_text(inner, sizeof inner, "%svertex%" PRIu32 ".", scope, v);
        NI_TRY(ni_site_build(&t->base, g,
                             s->decisions.items[t->operation[1]].alternatives[p->operation[v]],
                             inner, 1, channels[v], true, x, &made[v]));
    }
    n = 0;
    for (uint32_t a = 1; a < last; a++)
        if (p->from[last] >> a & 1) terms[n++] = made[a];
    if (n) NI_TRY(nas_graph_concat(g, terms, n, out));
    if (!(p->from[last] & 1)) return NAS_OK;
    nas_node direct;
    NI_TRY(project(t, g, scope, last, out_channels, in, &direct));
    terms[0] = *out;
    terms[1] = direct;
    if (n) return nas_graph_add(g, terms, 2, out);
    *out = direct;
    return NAS_OK;
}

/* ---- costs without the network: parts added up, each built once ---------------------------------
 */

enum { PIECE_OPERATION, PIECE_PROJECT, PIECE_STEM };

static nas_status stem(const matrix_template *t, nas_graph *g, nas_node in, nas_node *out) {
    ni_conv_bn o = {"stem.0", "stem.1", 3, 3, 1, t->channels, 0, INFINITY};
    return ni_conv_bn_build(&t->base, g, &o, in, out);
}

static nas_status piece(const ni_template *self, nas_graph *g, const ni_piece *p, nas_node in,
                        nas_node *out) {
    const matrix_template *t = (const matrix_template *)(const void *)self;
    if (p->kind == PIECE_STEM) return stem(t, g, in, out);
    if (p->kind == PIECE_PROJECT) return project(t, g, "", 0, p->filters, in, out);
    return ni_site_build(self, g,
                         self->space->decisions.items[t->operation[1]].alternatives[p->alternative],
                         "", 1, p->filters, true, in, out);
}

static nas_status add(const matrix_template *t, uint64_t kind, uint64_t alternative, int64_t h,
                      int64_t w, int64_t c, int64_t filters, int64_t times, ni_walk_cost *out) {
    ni_site_cost site;
    ni_piece p = {kind, alternative, h, w, c, filters, 0, 0};
    NI_TRY(ni_piece_cost(&t->base, &p, &site));
    out->params += times * site.params;
    out->macs += times * site.macs;
    return NAS_OK;
}

void ni_matrix_channels(const matrix_template *t, const pruned *p, int64_t stage,
                        int64_t *channels) {
    int64_t out = t->channels << stage;
    vertex_channels(p, stage ? out / 2 : out, out, channels);
}

/* The projections of `times` modules that take `in` channels. */
static nas_status add_projections(const matrix_template *t, const pruned *p, int64_t stage,
                                  int64_t in, int64_t times, ni_walk_cost *out) {
    int64_t channels[VERTICES_MOST], h = t->base.height >> stage, w = t->base.width >> stage;
    if (times == 0) return NAS_OK;
    ni_matrix_channels(t, p, stage, channels);
    for (uint32_t v = 1; v < p->n; v++)
        if (p->from[v] & 1) NI_TRY(add(t, PIECE_PROJECT, 0, h, w, in, channels[v], times, out));
    return NAS_OK;
}

nas_status ni_matrix_frame_cost(const matrix_template *t, const pruned *p, ni_walk_cost *out) {
    int64_t channels = t->channels, in = t->channels;
    memset(out, 0, sizeof *out);
    NI_TRY(
        add(t, PIECE_STEM, 0, t->base.height, t->base.width, t->base.channels, channels, 1, out));
    for (int64_t stage = 0; stage < t->stages; stage++) {
        channels = t->channels << stage;
        /* the first of a stack takes what the one before it made */
        if (p->connected) {
            NI_TRY(add_projections(t, p, stage, in, 1, out));
            NI_TRY(add_projections(t, p, stage, channels, t->modules - 1, out));
        }
        in = channels;
    }
    out->params += (channels + 1) * t->base.classes;
    out->macs += channels * t->base.classes;
    return NAS_OK;
}

nas_status ni_matrix_operation_cost(const matrix_template *t, uint32_t operation,
                                    const int64_t *channels, ni_walk_cost *out) {
    for (int64_t stage = 0; stage < t->stages; stage++)
        NI_TRY(add(t, PIECE_OPERATION, operation, t->base.height >> stage, t->base.width >> stage,
                   channels[stage], channels[stage], t->modules, out));
    return NAS_OK;
}

static nas_status quick(const nas_arch *arch, ni_walk_cost *out) {
    const matrix_template *t = matrix_of(arch->space);
    int64_t channels[MATRIX_STAGES_MOST][VERTICES_MOST], one[MATRIX_STAGES_MOST];
    pruned p;
    prune(arch->space, arch->values, &p);
    NI_TRY(ni_matrix_frame_cost(t, &p, out));
    for (int64_t stage = 0; p.connected && stage < t->stages; stage++)
        ni_matrix_channels(t, &p, stage, channels[stage]);
    for (uint32_t v = 1; p.connected && v + 1 < p.n; v++) {
        for (int64_t stage = 0; stage < t->stages; stage++)
            one[stage] = channels[stage][v];
        NI_TRY(ni_matrix_operation_cost(t, p.operation[v], one, out));
    }
    return NAS_OK;
}

static nas_status build(const nas_arch *arch, nas_graph *g, ni_node images, double dropout,
                        ni_node *logits) {
    const matrix_template *t = matrix_of(arch->space);
    int64_t channels = t->channels;
    pruned p;
    nas_node x;
    prune(arch->space, arch->values, &p);
    NI_TRY(ni_graph_scope(g, ""));
    NI_TRY(stem(t, g, images, &x));
    for (int64_t stack = 0; stack < t->stages; stack++) {
        if (stack) {
            NI_TRY(nas_graph_max_pool(g, x, 2, 2, 0, &x));
            channels *= 2;
        }
        for (int64_t i = 0; i < t->modules; i++) {
            char scope[NI_SCOPE_TEXT];
            ni_scope_text(scope, sizeof scope, "stacks.%" PRId64 ".%" PRId64 ".", stack, i);
            NI_TRY(module(arch->space, g, scope, &p, channels, x, &x));
        }
    }
    NI_TRY(nas_graph_global_pool(g, x, &x));
    if (dropout > 0) NI_TRY(nas_graph_dropout(g, x, dropout, &x));
    return nas_graph_linear(g, "classifier", x, t->base.classes, 1, logits);
}

/* ---- text: the matrix and the operations, as nasbench's ModelSpec takes them
 * ----------------------- */

static void text(const nas_space *s, const nas_value *values, ni_text *to) {
    const matrix_template *t = matrix_of(s);
    char rows[VERTICES_MOST * (2 * VERTICES_MOST + 2) + 16];
    size_t n = 0;
    for (uint32_t a = 0; a < t->vertices; a++) {
        rows[n++] = a ? ',' : '[';
        for (uint32_t b = 0; b < t->vertices; b++) {
            rows[n++] = b ? ',' : '[';
            rows[n++] = b > a && values[t->edge[a][b]].integer ? '1' : '0';
        }
        rows[n++] = ']';
    }
    ni_text_add_n(to, rows, n);
    ni_text_add(to, "],['input'");
    for (uint32_t v = 1; v + 1 < t->vertices; v++) {
        const ni_decision *d = &s->decisions.items[t->operation[v]];
        ni_text_add_n(to, ",'", 2);
        ni_text_add(to, d->alternatives[values[t->operation[v]].integer]);
        ni_text_add_char(to, '\'');
    }
    ni_text_add(to, ",'output']");
}

static size_t text_most(const nas_space *s) {
    const matrix_template *t = matrix_of(s);
    size_t most = (size_t)t->vertices * (2 * t->vertices + 2) + 32;
    for (uint32_t v = 1; v + 1 < t->vertices; v++)
        most += ni_longest_alternative(s, (uint32_t)t->operation[v]) + 3;
    return most;
}

typedef struct {
    const nas_space *s;
    const char *text, *at;
} scanner;

static bool take(scanner *r, char c) {
    while (*r->at == ' ' || *r->at == '\n')
        r->at++;
    if (*r->at != c) return false;
    r->at++;
    return true;
}
static nas_status need(scanner *r, char c) {
    if (take(r, c)) return NAS_OK;
    return ni_fail(r->s->context, NAS_E_SYNTAX, "architecture: character %zu must be '%c'",
                   (size_t)(r->at - r->text) + 1, c);
}

static nas_status quoted(scanner *r, char *out, size_t capacity) {
    char quote = take(r, '"') ? '"' : '\'';
    if (quote == '\'') NI_TRY(need(r, '\''));
    size_t n = 0;
    while (*r->at && *r->at != quote && n + 1 < capacity)
        out[n++] = *r->at++;
    out[n] = 0;
    return need(r, quote);
}

static nas_status parse_rows(scanner *r, uint8_t *rows, uint32_t *n) {
    const matrix_template *t = matrix_of(r->s);
    uint32_t size = 0;
    NI_TRY(need(r, '['));
    for (uint32_t a = 0; a < t->vertices; a++) {
        uint32_t b = 0;
        if (a) NI_TRY(need(r, ','));
        NI_TRY(need(r, '['));
        for (rows[a] = 0; !take(r, ']'); b++) {
            if (b) NI_TRY(need(r, ','));
            bool one = take(r, '1');
            if (!one) NI_TRY(need(r, '0'));
            if (one && b <= a)
                return ni_fail(r->s->context, NAS_E_SYNTAX,
                               "architecture: character %zu: an edge from vertex %" PRIu32
                               " to %" PRIu32 " goes backwards",
                               (size_t)(r->at - r->text), a, b);
            if (b >= t->vertices)
                return ni_fail(r->s->context, NAS_E_SYNTAX,
                               "architecture: character %zu: more than the %" PRIu32
                               " vertices of space '%s'",
                               (size_t)(r->at - r->text), t->vertices, r->s->name);
            if (one) rows[a] = (uint8_t)(rows[a] | 1 << b);
        }
        if (a == 0) size = b;
        if (b != size || b < 2)
            return ni_fail(r->s->context, NAS_E_SYNTAX,
                           "architecture: character %zu: row %" PRIu32 " has %" PRIu32
                           " numbers, and the matrix must be square, of 2 or more",
                           (size_t)(r->at - r->text), a, b);
        if (a + 1 == size) break;
    }
    *n = size;
    return need(r, ']');
}

static nas_status parse(const nas_space *s, const char *text_, nas_value *values, size_t *used) {
    const matrix_template *t = matrix_of(s);
    scanner r = {s, text_, text_};
    uint8_t rows[VERTICES_MOST];
    uint32_t n = 0;
    char name[NI_NAME_MOST + 1];
    if (*text_ != '[') return NAS_E_NOT_FOUND;
    NI_TRY(parse_rows(&r, rows, &n));
    take(&r, ',');
    NI_TRY(need(&r, '['));
    for (uint32_t a = 0; a < t->vertices; a++)
        for (uint32_t b = a + 1; b < t->vertices; b++)
            values[t->edge[a][b]].integer = 0;
    /* a smaller matrix: its last vertex is the output, the vertices between are not connected */
    for (uint32_t a = 0; a < n; a++)
        for (uint32_t b = a + 1; b < n; b++)
            if (rows[a] >> b & 1) values[t->edge[a][b + 1 == n ? t->vertices - 1 : b]].integer = 1;
    for (uint32_t v = 0; v < n; v++) {
        if (v) NI_TRY(need(&r, ','));
        size_t at = (size_t)(r.at - text_) + 1;
        NI_TRY(quoted(&r, name, sizeof name));
        const char *must = v == 0 ? "input" : v + 1 == n ? "output" : NULL;
        if (must && strcmp(name, must) != 0)
            return ni_fail(s->context, NAS_E_SYNTAX, "architecture: character %zu must be '%s'", at,
                           must);
        if (must) continue;
        const ni_decision *d = &s->decisions.items[t->operation[v]];
        if (ni_value_parse(d, name, strlen(name), &values[t->operation[v]])) continue;
        const char *near =
            ni_nearest(name, (const char *const *)d->alternatives, d->about.n_alternatives);
        return ni_fail(s->context, NAS_E_SYNTAX,
                       "architecture: character %zu: '%s' is not an operation of space '%s'%s%s%s",
                       at, name, s->name, near ? "; did you mean '" : "", near ? near : "",
                       near ? "'?" : "");
    }
    NI_TRY(need(&r, ']'));
    for (uint32_t v = n > 2 ? n - 1 : 1; v + 1 < t->vertices; v++)
        values[t->operation[v]].integer = 0;
    *used = (size_t)(r.at - text_);
    return NAS_OK;
}

/* ---- the authors' mutation, paths, drawings
 * -------------------------------------------------------- */

/* NASBench.ipynb: each edge flips with probability 1 / vertices, each operation becomes another
 * with probability 1 / interior vertices; the whole is repeated until the cell is valid. */
static nas_status mutate(const nas_space *s, const char *rule, nas_random *random,
                         nas_value *values) {
    const matrix_template *t = matrix_of(s);
    uint32_t n = t->vertices;
    if (strcmp(rule, "nas-bench-101") != 0) return NAS_E_NOT_FOUND;
    for (uint32_t a = 0; a < n; a++)
        for (uint32_t b = a + 1; b < n; b++)
            if (nas_random_uniform(random) * n < 1) values[t->edge[a][b]].integer ^= 1;
    for (uint32_t v = 1; t->n_operations > 1 && v + 1 < n; v++) {
        nas_value *value = &values[t->operation[v]];
        if (nas_random_uniform(random) * (n - 2) >= 1) continue;
        int64_t other = (int64_t)nas_random_below(random, t->n_operations - 1);
        value->integer = other < value->integer ? other : other + 1;
    }
    return NAS_OK;
}

static void walk_paths(const matrix_template *t, const pruned *p, uint32_t v, uint64_t number,
                       uint64_t first, uint64_t size, uint8_t *set) {
    /* paths of k operations begin at `first`, and there are `size` of them */
    for (uint32_t b = v + 1; b < p->n; b++) {
        if (!(p->to[v] >> b & 1)) continue;
        if (b + 1 == p->n)
            set[first + number] = 1;
        else
            walk_paths(t, p, b, number * t->n_operations + p->operation[b], first + size,
                       size * t->n_operations, set);
    }
}

static nas_status paths(const nas_arch *arch, uint8_t *set, uint64_t *most) {
    const matrix_template *t = matrix_of(arch->space);
    uint64_t all = 0, size = 1;
    pruned p;
    for (uint32_t k = 0; k + 1 < t->vertices; k++, size *= t->n_operations)
        all += size;
    *most = all;
    if (!set) return NAS_OK;
    prune(arch->space, arch->values, &p);
    if (p.connected) walk_paths(t, &p, 0, 0, 0, 1, set);
    return NAS_OK;
}

static nas_status graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n) {
    const matrix_template *t = matrix_of(arch->space);
    pruned p;
    ni_draw_graph *d;
    prune(arch->space, arch->values, &p);
    NI_TRY(ni_draw_begin(&d, arch->space->context, "module", p.n, p.edges));
    for (uint32_t v = 0; v < p.n; v++) {
        ni_draw_label(
            d, v,
            v == 0 ? "input"
            : v + 1 == p.n
                ? "output"
                : arch->space->decisions.items[t->operation[1]].alternatives[p.operation[v]]);
        for (uint32_t b = v + 1; b < p.n; b++)
            if (p.to[v] >> b & 1)
                ni_draw_join(d, v, b, v == 0 ? "1x1" : b + 1 == p.n ? "concat" : "add");
    }
    *out = d;
    *n = 1;
    return NAS_OK;
}

static const ni_template_ops ops = {
    .destroy = destroy,
    .build = build,
    .network_hash = network_hash,
    .structure = structure,
    .graphs = graphs,
    .text = text,
    .text_most = text_most,
    .parse = parse,
    .piece = piece,
    .quick = quick,
    .paths = paths,
    .mutate = mutate,
    .inside = &ni_matrix_inside,
};

/* ---- from YAML ----------------------------------------------------------------------------------
 */

static nas_status read_all(ni_load *l, const ni_yaml *network, const ni_yaml *part,
                           matrix_template *t) {
    static const char *const known[] = {"template", "image",      "channels", "stages",
                                        "modules",  "batch_norm", NULL};
    static const char *const part_known[] = {"vertices", "operations", NULL};
    static const char *const bits[] = {"0", "1"};
    const char *names[64];
    int64_t vertices = 7;
    t->channels = 128;
    t->stages = t->modules = 3;
    NI_TRY(ni_yaml_keys(&l->document, network, "network", known));
    NI_TRY(ni_yaml_keys(&l->document, part, "cell", part_known));
    NI_TRY(ni_load_batch_norm(l, network, &t->base.bn_epsilon, &t->base.bn_momentum));
    NI_TRY(ni_load_member(l, network, "channels", VERTICES_MOST, 4096, &t->channels));
    NI_TRY(ni_load_member(l, network, "stages", 1, MATRIX_STAGES_MOST, &t->stages));
    NI_TRY(ni_load_member(l, network, "modules", 1, 16, &t->modules));
    NI_TRY(ni_load_member(l, part, "vertices", 3, VERTICES_MOST, &vertices));
    NI_TRY(ni_load_operations(l, part, "operations", names, &t->n_operations));
    if ((l->height < l->width ? l->height : l->width) >> (t->stages - 1) < 1)
        return ni_yaml_fail(&l->document, network, NAS_E_SHAPE,
                            "an image of %" PRId64 " x %" PRId64 " is too small for %" PRId64
                            " stages, each half as large as the one before",
                            l->height, l->width, t->stages);
    t->vertices = (uint32_t)vertices;
    t->operation_hash = ni_calloc(l->context, t->n_operations, sizeof *t->operation_hash);
    if (!t->operation_hash) return NAS_E_MEMORY;
    for (uint32_t k = 0; k < t->n_operations; k++)
        t->operation_hash[k] = ni_hash_text(names[k]) | 0x80;
    t->base.first_decision = (uint32_t)l->space->decisions.n;
    for (uint32_t b = 1; b < t->vertices; b++)
        for (uint32_t a = 0; a < b; a++) {
            t->edge[a][b] = (uint32_t)l->space->decisions.n;
            NI_TRY(ni_load_choice(l, part, bits, 2, "%" PRIu32 "<-%" PRIu32, b, a));
        }
    for (uint32_t v = 1; v + 1 < t->vertices; v++) {
        t->operation[v] = (uint32_t)l->space->decisions.n;
        NI_TRY(ni_load_choice(l, part, names, t->n_operations, "op%" PRIu32, v));
    }
    t->base.n_decisions = (uint32_t)l->space->decisions.n - t->base.first_decision;
    int64_t words[] = {t->channels, t->stages, t->modules};
    ni_load_base(l, &t->base, words, sizeof words);
    return NAS_OK;
}

nas_status ni_matrix_read(ni_load *l, const ni_yaml *network, const ni_yaml *part) {
    ni_template *base;
    NI_TRY(ni_load_image(l, network));
    NI_TRY(ni_template_create(&base, l->space, &ops, "matrix", sizeof(matrix_template)));
    l->space->template = base;
    return read_all(l, network, part, (matrix_template *)(void *)base);
}
