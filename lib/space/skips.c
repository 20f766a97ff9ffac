/* Layers with skip connections from any earlier layer: ENAS's macro space (Pham et al., ICML 2018,
 * section 2.3; src/cifar10/general_child.py). A layer's input is the one before it; bit j of layer
 * l adds output j to what the layer makes, where 0 is the stem's and j layer j's. As in the
 * authors' fixed networks, what is taken in is joined and goes through ReLU, a 1x1 convolution and
 * batch norm. After a third and two thirds of the layers every output so far is halved. */
#include <inttypes.h>
#include <math.h>
#include "load.h"

enum { SKIP_LAYERS_MOST = 48 };
typedef struct {
    ni_template base;
    uint64_t *operation_hash;
    uint32_t n, n_operations;
    uint32_t operation[SKIP_LAYERS_MOST]; /* decisions; the skips of a layer follow it */
    int64_t channels, widen;
    int32_t arcs;
} skips_template;

enum { PIECE_OPERATION, PIECE_STEM, PIECE_HALVES, PIECE_JOIN, PIECE_HEAD };

static const skips_template *skips_of(const nas_space *s) {
    return (const skips_template *)(const void *)s->template;
}

static void destroy(nas_context *context, ni_template *self) {
    ni_free(context, ((skips_template *)(void *)self)->operation_hash);
    ni_template_free(context, self);
}

static bool halved_after(const skips_template *t, uint32_t layer) {
    return layer + 1 == t->n / 3 || layer + 1 == 2 * t->n / 3;
}
static bool skips(const skips_template *t, const nas_value *values, uint32_t layer, uint32_t from) {
    return values[t->operation[layer] + 1 + from].integer != 0;
}
static const char *name_of(const nas_space *s, int64_t alternative) {
    return s->decisions.items[skips_of(s)->operation[0]].alternatives[alternative];
}

/* ---- the network ------------------------------------------------------------------------------
 */

static nas_status stem(const skips_template *t, nas_graph *g, nas_node in, nas_node *out) {
    ni_conv_bn o = {"stem.0", "stem.1", 3, 3, 1, t->channels, 0, 0};
    return ni_conv_bn_build(&t->base, g, &o, in, out);
}

/* 1x1 convolution, batch norm, ReLU; then the operation. */
static nas_status branch(const skips_template *t, nas_graph *g, const char *scope, int64_t channels,
                         int64_t alternative, nas_node in, nas_node *out) {
    char inner[NI_SCOPE_TEXT];
    ni_conv_bn o = {"in.0", "in.1", 1, 1, 1, channels, 0, INFINITY};
    nas_node x;
    NI_TRY(ni_graph_scope(g, scope));
    NI_TRY(ni_conv_bn_build(&t->base, g, &o, in, &x));
    NI_TRY(ni_graph_scope(g, ""));
    ni_scope_text(inner, sizeof inner, "%sop.", scope);
    return ni_site_build(&t->base, g, name_of(t->base.space, alternative), inner, 1, channels, true,
                         x, out);
}

static nas_status joined(const skips_template *t, nas_graph *g, const char *scope, int64_t channels,
                         nas_node in, nas_node *out) {
    ni_conv_bn o = {"skip.1", "skip.2", 1, 1, 1, channels, INFINITY, 0};
    NI_TRY(ni_graph_scope(g, scope));
    NI_TRY(ni_conv_bn_build(&t->base, g, &o, in, out));
    return ni_graph_scope(g, "");
}

static nas_status halve(const skips_template *t, nas_graph *g, const char *scope, int64_t channels,
                        nas_node in, nas_node *out) {
    NI_TRY(ni_graph_scope(g, scope));
    NI_TRY(ni_halves(g, "conv_1", "conv_2", "bn", channels, false, 1, 1, t->base.bn_epsilon,
                     t->base.bn_momentum, in, out));
    return ni_graph_scope(g, "");
}

static nas_status head(const skips_template *t, nas_graph *g, double dropout, nas_node x,
                       nas_node *out) {
    NI_TRY(nas_graph_global_pool(g, x, &x));
    if (dropout > 0) NI_TRY(nas_graph_dropout(g, x, dropout, &x));
    return nas_graph_linear(g, "classifier", x, t->base.classes, 0, out);
}

static nas_status piece(const ni_template *self, nas_graph *g, const ni_piece *p, nas_node in,
                        nas_node *out) {
    const skips_template *t = (const skips_template *)(const void *)self;
    switch (p->kind) {
    case PIECE_STEM:
        return stem(t, g, in, out);
    case PIECE_HALVES:
        return halve(t, g, "", p->filters, in, out);
    case PIECE_JOIN:
        return joined(t, g, "", p->filters, in, out);
    case PIECE_HEAD:
        return head(t, g, 0, in, out);
    default:
        return branch(t, g, "", p->filters, (int64_t)p->alternative, in, out);
    }
}

static nas_status build(const nas_arch *arch, nas_graph *g, ni_node images, double dropout,
                        ni_node *logits) {
    const skips_template *t = skips_of(arch->space);
    nas_node outputs[SKIP_LAYERS_MOST + 1], in[SKIP_LAYERS_MOST + 1];
    int64_t channels = t->channels;
    char scope[NI_SCOPE_TEXT];
    NI_TRY(ni_graph_scope(g, ""));
    NI_TRY(stem(t, g, images, &outputs[0]));
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t n = 1;
        ni_scope_text(scope, sizeof scope, "layers.%" PRIu32 ".", i);
        NI_TRY(branch(t, g, scope, channels, arch->values[t->operation[i]].integer, outputs[i],
                      &in[0]));
        for (uint32_t k = 0; k < i; k++)
            if (skips(t, arch->values, i, k)) in[n++] = outputs[k];
        outputs[i + 1] = in[0];
        if (n > 1) {
            nas_node all;
            NI_TRY(nas_graph_concat(g, in, n, &all));
            NI_TRY(joined(t, g, scope, channels, all, &outputs[i + 1]));
        }
        if (!halved_after(t, i)) continue;
        channels *= t->widen;
        for (uint32_t k = 0; k <= i + 1; k++) {
            ni_scope_text(scope, sizeof scope, "pools.%" PRIu32 ".%" PRIu32 ".", i, k);
            NI_TRY(halve(t, g, scope, channels, outputs[k], &outputs[k]));
        }
    }
    return head(t, g, dropout, outputs[t->n], logits);
}

/* All of its bits matter, and layers have an order: equal networks have equal decisions. */
static uint64_t network_hash(const nas_arch *arch) {
    const skips_template *t = skips_of(arch->space);
    uint64_t hash = t->base.identity;
    for (uint32_t i = 0; i < t->n; i++) {
        uint64_t words[2] = {t->operation_hash[arch->values[t->operation[i]].integer], 0};
        for (uint32_t k = 0; k < i; k++)
            words[1] |= (uint64_t)skips(t, arch->values, i, k) << k;
        hash = ni_hash_seeded(words, sizeof words, hash);
    }
    return hash;
}

/* ---- costs, decision by decision: the state is whether the layer at hand takes anything in
 * -------- */

typedef struct {
    int64_t h, w, channels;
} layer_site;
static layer_site site_of(const skips_template *t, uint32_t layer) {
    layer_site site = {t->base.height, t->base.width, t->channels};
    for (uint32_t i = 0; i < layer; i++)
        if (halved_after(t, i)) {
            site.h = (site.h + 1) / 2;
            site.w = (site.w + 1) / 2;
            site.channels *= t->widen;
        }
    return site;
}

static nas_status add(const skips_template *t, const ni_piece *p, int64_t times,
                      ni_walk_cost *cost) {
    ni_site_cost site;
    NI_TRY(ni_piece_cost(&t->base, p, &site));
    cost->params += times * site.params;
    cost->macs += times * site.macs;
    return NAS_OK;
}

static nas_status walk_start(const nas_space *s, uint64_t *state, ni_walk_cost *cost) {
    const skips_template *t = skips_of(s);
    ni_piece p = {PIECE_STEM, 0, t->base.height, t->base.width, t->base.channels, 0, 0, 0};
    *state = 0;
    NI_TRY(add(t, &p, 1, cost));
    for (uint32_t i = 0; i < t->n; i++) {
        if (!halved_after(t, i)) continue;
        layer_site a = site_of(t, i), b = site_of(t, i + 1);
        p = (ni_piece){PIECE_HALVES, 0, a.h, a.w, a.channels, b.channels, 0, 0};
        NI_TRY(add(t, &p, (int64_t)i + 2, cost));
    }
    layer_site last = site_of(t, t->n);
    p = (ni_piece){PIECE_HEAD, 0, last.h, last.w, last.channels, 0, 0, 0};
    return add(t, &p, 1, cost);
}

static nas_status walk_step(const nas_space *s, uint32_t decision, uint64_t state, uint32_t value,
                            uint64_t *next, bool *allowed, ni_walk_cost *cost) {
    const skips_template *t = skips_of(s);
    uint32_t i = 0;
    while (i + 1 < t->n && t->operation[i + 1] <= decision)
        i++;
    layer_site site = site_of(t, i);
    *allowed = true;
    if (decision == t->operation[i]) {
        ni_piece p = {PIECE_OPERATION, value, site.h, site.w, site.channels, site.channels, 0, 0};
        *next = 0;
        return add(t, &p, 1, cost);
    }
    *next = state;
    if (value == 0) return NAS_OK;
    /* the convolution of what is joined: one more block of rows for each skip, and the first skip
     * brings that of the branch and the batch norm */
    ni_site_cost one, two;
    ni_piece p = {PIECE_JOIN, 0, site.h, site.w, 2 * site.channels, site.channels, 0, 0};
    NI_TRY(ni_piece_cost(&t->base, &p, &two));
    p.c = 3 * site.channels;
    NI_TRY(ni_piece_cost(&t->base, &p, &one));
    cost->params += state ? one.params - two.params : two.params;
    cost->macs += state ? one.macs - two.macs : two.macs;
    *next = 1;
    return NAS_OK;
}

static nas_status walk_end(const nas_space *s, uint64_t state, bool *connected,
                           ni_walk_cost *cost) {
    (void)s, (void)state, (void)cost;
    *connected = true;
    return NAS_OK;
}

static const ni_walk_ops walk = {walk_start, walk_step, walk_end, false};

/* ---- arcs: operation, then the skip bits, of each layer
 * ------------------------------------------- */

static void arcs_text(const nas_space *s, const nas_value *values, ni_text *to) {
    const skips_template *t = skips_of(s);
    for (uint32_t i = 0; i < t->n; i++) {
        if (i) ni_text_add_char(to, ' ');
        ni_text_small(to, (uint32_t)values[t->operation[i]].integer);
        char bits[2 * SKIP_LAYERS_MOST];
        for (uint32_t k = 0; k < i; k++) {
            bits[2 * k] = ' ';
            bits[2 * k + 1] = skips(t, values, i, k) ? '1' : '0';
        }
        ni_text_add_n(to, bits, 2 * i);
    }
}

static size_t arcs_text_most(const nas_space *s) {
    const skips_template *t = skips_of(s);
    enum { OPERATION = 5 }; /* a blank and the digits of its number, at most */
    return (size_t)t->n * (OPERATION + t->n);
}

static nas_status arcs_parse(const nas_space *s, const char *text, nas_value *values,
                             size_t *used) {
    const skips_template *t = skips_of(s);
    const char *at = text;
    if (*at < '0' || *at > '9' || at[strcspn(at, " =")] == '=') return NAS_E_NOT_FOUND;
    for (uint32_t i = 0; i < t->n; i++)
        for (uint32_t k = 0; k <= i; k++) {
            uint32_t below = k ? 2 : t->n_operations, value = 0;
            while (*at == ' ')
                at++;
            const char *from = at;
            while (*at >= '0' && *at <= '9' && value < 1000)
                value = 10 * value + (uint32_t)(*at++ - '0');
            if (at == from || value >= below)
                return ni_fail(s->context, NAS_E_SYNTAX,
                               "architecture: character %zu: %s of layer %" PRIu32
                               " must be a number from 0 to %" PRIu32 "%s",
                               (size_t)(from - text) + 1, k ? "a skip" : "the operation", i + 1,
                               below - 1, *from ? "" : ", and the text ends");
            values[t->operation[i] + k].integer = value;
        }
    *used = (size_t)(at - text);
    return NAS_OK;
}

static nas_status graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n) {
    const skips_template *t = skips_of(arch->space);
    ni_draw_graph *d;
    NI_TRY(ni_draw_begin(&d, arch->space->context, "network", t->n + 1, t->n * (t->n + 1)));
    ni_draw_label(d, 0, "stem");
    for (uint32_t i = 0; i < t->n; i++) {
        char label[24];
        ni_scope_text(label, sizeof label, "layer %" PRIu32, i + 1);
        ni_draw_label(d, i + 1, label);
        ni_draw_join(d, i, i + 1, name_of(arch->space, arch->values[t->operation[i]].integer));
        for (uint32_t k = 0; k < i; k++)
            if (skips(t, arch->values, i, k)) ni_draw_join(d, k, i + 1, "skip");
    }
    *out = d;
    *n = 1;
    return NAS_OK;
}

static const ni_template_ops ops = {
    .destroy = destroy,
    .build = build,
    .network_hash = network_hash,
    .graphs = graphs,
    .text = arcs_text,
    .text_most = arcs_text_most,
    .parse = arcs_parse,
    .piece = piece,
    .walk = &walk,
};

/* ---- from YAML ----------------------------------------------------------------------------------
 */

static nas_status read_all(ni_load *l, const ni_yaml *network, const ni_yaml *part,
                           skips_template *t) {
    static const char *const known[] = {"template", "image",      "channels",
                                        "widen",    "batch_norm", NULL};
    static const char *const part_known[] = {"layers", "operations", NULL};
    static const char *const bits[] = {"0", "1"};
    const char *names[64];
    int64_t n = 12;
    t->channels = 36;
    t->widen = 1;
    NI_TRY(ni_yaml_keys(&l->document, network, "network", known));
    NI_TRY(ni_yaml_keys(&l->document, part, "layers", part_known));
    NI_TRY(ni_load_batch_norm(l, network, &t->base.bn_epsilon, &t->base.bn_momentum));
    NI_TRY(ni_load_member(l, network, "channels", 2, 1024, &t->channels));
    NI_TRY(ni_load_member(l, network, "widen", 1, 4, &t->widen));
    NI_TRY(ni_load_member(l, part, "layers", 1, SKIP_LAYERS_MOST, &n));
    NI_TRY(ni_load_operations(l, part, "operations", names, &t->n_operations));
    t->operation_hash = ni_calloc(l->context, t->n_operations, sizeof *t->operation_hash);
    if (!t->operation_hash) return NAS_E_MEMORY;
    for (uint32_t k = 0; k < t->n_operations; k++)
        t->operation_hash[k] = ni_hash_text(names[k]);
    t->n = (uint32_t)n;
    if (n >= 3 && (l->height < 3 || l->width < 3))
        return ni_yaml_fail(&l->document, network, NAS_E_SHAPE,
                            "the image is too small to be halved twice");
    t->base.first_decision = (uint32_t)l->space->decisions.n;
    for (uint32_t i = 0; i < t->n; i++) {
        t->operation[i] = (uint32_t)l->space->decisions.n;
        NI_TRY(ni_load_choice(l, part, names, t->n_operations, "%" PRIu32 ".op", i + 1));
        for (uint32_t k = 0; k < i; k++)
            NI_TRY(ni_load_choice(l, part, bits, 2, "%" PRIu32 "<-%" PRIu32, i + 1, k));
    }
    t->base.n_decisions = (uint32_t)l->space->decisions.n - t->base.first_decision;
    int64_t words[] = {t->channels, t->widen, t->n};
    ni_load_base(l, &t->base, words, sizeof words);
    return NAS_OK;
}

nas_status ni_skips_read(ni_load *l, const ni_yaml *network, const ni_yaml *part) {
    ni_template *base;
    NI_TRY(ni_load_image(l, network));
    NI_TRY(ni_template_create(&base, l->space, &ops, "skips", sizeof(skips_template)));
    l->space->template = base;
    return read_all(l, network, part, (skips_template *)(void *)base);
}
