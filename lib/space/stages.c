/* Stacks of stages: each layer takes one operation, the first of a stage changes the image's size
 * and the channels. NAS-Bench-Macro (Su et al., "Prioritized architecture sampling with
 * Monte-Carlo tree search", CVPR 2021), the mobile space of ProxylessNAS (Cai et al., ICLR 2019,
 * section 4), MobileNetV2, spaces for microcontrollers. */
#include <inttypes.h>
#include <math.h>
#include "load.h"

enum { STAGES_MOST = 16, LAYERS_MOST = 64, FIXED_MOST = 8, WIDTHS_MOST = 8 };

typedef struct {
    int64_t channels[WIDTHS_MOST];
    uint32_t n_channels, layers, stride, first; /* first: layer number */
    uint32_t decision;                          /* of the channels; then of the first layer */
} stage;
typedef struct {
    char *operation;
    int64_t channels;
    uint32_t stride;
} fixed_layer;
typedef struct {
    ni_template base;
    int64_t stem_channels, head_channels;
    int32_t stem_kernel, stem_stride, digits;
    double clamp;
    stage stages[STAGES_MOST];
    uint32_t n_stages, n_layers, n_fixed;
    fixed_layer fixed[FIXED_MOST];
    /* of each layer: its decision, and the image that comes in */
    uint32_t decision[LAYERS_MOST];
    int64_t h[LAYERS_MOST], w[LAYERS_MOST];
    int64_t before_h, before_w, before_c, last_h, last_w; /* at the first layer; after the last */
} stages_template;

enum { PIECE_LAYER, PIECE_STEM, PIECE_FIXED, PIECE_HEAD };

static const stages_template *stages_of(const nas_space *s) {
    return (const stages_template *)(const void *)s->template;
}

static void destroy(nas_context *context, ni_template *self) {
    stages_template *t = (stages_template *)(void *)self;
    for (uint32_t i = 0; i < t->n_fixed; i++)
        ni_free(context, t->fixed[i].operation);
    ni_template_free(context, self);
}

/* Does nothing where the shape stays. */
static bool is_identity(const char *operation) {
    return strcmp(operation, "identity") == 0 || strcmp(operation, "skip_connect") == 0;
}

static const char *operation_of(const nas_space *s, uint32_t layer, int64_t alternative) {
    return s->decisions.items[stages_of(s)->decision[layer]].alternatives[alternative];
}

static int64_t channels_of(const stages_template *t, uint32_t k, const nas_value *values) {
    const stage *g = &t->stages[k];
    return g->n_channels > 1 ? g->channels[values[g->decision].integer] : g->channels[0];
}

/* ---- the network ------------------------------------------------------------------------------
 */

static nas_status stem(const stages_template *t, nas_graph *g, nas_node in, nas_node *out) {
    ni_conv_bn o = {"first_conv.conv",
                    "first_conv.bn",
                    t->stem_kernel,
                    t->stem_kernel,
                    t->stem_stride,
                    t->stem_channels,
                    0,
                    t->clamp};
    return ni_conv_bn_build(&t->base, g, &o, in, out);
}

static nas_status head(const stages_template *t, nas_graph *g, double dropout, nas_node x,
                       nas_node *out) {
    ni_conv_bn o = {
        "feature_mix_layer.conv", "feature_mix_layer.bn", 1, 1, 1, t->head_channels, 0, t->clamp};
    if (t->head_channels) NI_TRY(ni_conv_bn_build(&t->base, g, &o, x, &x));
    NI_TRY(nas_graph_global_pool(g, x, &x));
    if (dropout > 0) NI_TRY(nas_graph_dropout(g, x, dropout, &x));
    return nas_graph_linear(g, "classifier", x, t->base.classes, 1, out);
}

static nas_status fixed(const stages_template *t, nas_graph *g, uint32_t i, nas_node in,
                        nas_node *out) {
    char scope[NI_SCOPE_TEXT];
    ni_scope_text(scope, sizeof scope, "blocks.%" PRIu32 ".", i);
    return ni_site_build(&t->base, g, t->fixed[i].operation, scope, (int32_t)t->fixed[i].stride,
                         t->fixed[i].channels, false, in, out);
}

static nas_status piece(const ni_template *self, nas_graph *g, const ni_piece *p, nas_node in,
                        nas_node *out) {
    const stages_template *t = (const stages_template *)(const void *)self;
    switch (p->kind) {
    case PIECE_STEM:
        return stem(t, g, in, out);
    case PIECE_FIXED:
        return fixed(t, g, (uint32_t)p->alternative, in, out);
    case PIECE_HEAD:
        return head(t, g, 0, in, out);
    default: /* a: stride, b: layer whose alternative it is */
        return ni_site_build(self, g,
                             operation_of(self->space, (uint32_t)p->b, (int64_t)p->alternative), "",
                             (int32_t)p->a, p->filters, false, in, out);
    }
}

static nas_status build(const nas_arch *arch, nas_graph *g, ni_node images, double dropout,
                        ni_node *logits) {
    const stages_template *t = stages_of(arch->space);
    nas_node x;
    NI_TRY(ni_graph_scope(g, ""));
    NI_TRY(stem(t, g, images, &x));
    for (uint32_t i = 0; i < t->n_fixed; i++)
        NI_TRY(fixed(t, g, i, x, &x));
    for (uint32_t k = 0; k < t->n_stages; k++) {
        int64_t channels = channels_of(t, k, arch->values);
        for (uint32_t i = 0; i < t->stages[k].layers; i++) {
            char scope[NI_SCOPE_TEXT];
            uint32_t layer = t->stages[k].first + i;
            ni_scope_text(scope, sizeof scope, "blocks.%" PRIu32 ".", t->n_fixed + layer);
            NI_TRY(ni_site_build(
                &t->base, g,
                operation_of(arch->space, layer, arch->values[t->decision[layer]].integer), scope,
                i ? 1 : (int32_t)t->stages[k].stride, channels, false, x, &x));
        }
    }
    return head(t, g, dropout, x, logits);
}

/* ---- canonical form: identities go, but not the first layer of a stage --------------------------
 */

static uint64_t network_hash(const nas_arch *arch) {
    const stages_template *t = stages_of(arch->space);
    uint64_t hash = t->base.identity;
    for (uint32_t k = 0; k < t->n_stages; k++) {
        uint64_t words[LAYERS_MOST + 3] = {k, (uint64_t)channels_of(t, k, arch->values)};
        uint32_t n = 2;
        for (uint32_t i = 0; i < t->stages[k].layers; i++) {
            uint32_t layer = t->stages[k].first + i;
            const char *name =
                operation_of(arch->space, layer, arch->values[t->decision[layer]].integer);
            if (i == 0 || !is_identity(name)) words[n++] = ni_hash_text(name);
        }
        hash = ni_hash_seeded(words, n * sizeof *words, hash);
    }
    return hash;
}

/* ---- costs, decision by decision: the state is the channels that come in, and those of the stage
 * - */

static nas_status add(const stages_template *t, const ni_piece *p, ni_site_cost *site,
                      ni_walk_cost *cost) {
    NI_TRY(ni_piece_cost(&t->base, p, site));
    cost->params += site->params;
    cost->macs += site->macs;
    cost->depth += site->depth;
    if (site->peak > cost->activation) cost->activation = site->peak;
    return NAS_OK;
}

static nas_status walk_start(const nas_space *s, uint64_t *state, ni_walk_cost *cost) {
    const stages_template *t = stages_of(s);
    ni_site_cost site;
    ni_piece p = {PIECE_STEM, 0, t->base.height, t->base.width, t->base.channels, 0, 0, 0};
    NI_TRY(add(t, &p, &site, cost));
    for (uint32_t i = 0; i < t->n_fixed; i++) {
        ni_piece f = {PIECE_FIXED, i, site.out.d[1], site.out.d[2], site.out.d[3], 0, 0, 0};
        NI_TRY(add(t, &f, &site, cost));
    }
    *state = (uint64_t)site.out.d[3];
    return NAS_OK;
}

static nas_status walk_step(const nas_space *s, uint32_t decision, uint64_t state, uint32_t value,
                            uint64_t *next, bool *allowed, ni_walk_cost *cost) {
    const stages_template *t = stages_of(s);
    int64_t in = (int64_t)(state & UINT32_MAX), channels = (int64_t)(state >> 32);
    uint32_t k = 0, layer = 0;
    *allowed = true;
    while (k + 1 < t->n_stages && t->stages[k + 1].decision <= decision)
        k++;
    const stage *g = &t->stages[k];
    if (g->n_channels > 1 && g->decision == decision) {
        *next = (uint64_t)g->channels[value] << 32 | (uint64_t)in;
        return NAS_OK;
    }
    while (t->decision[layer] != decision)
        layer++;
    if (g->n_channels == 1) channels = g->channels[0];
    ni_site_cost site;
    ni_piece p = {PIECE_LAYER,
                  value,
                  t->h[layer],
                  t->w[layer],
                  in,
                  channels,
                  layer == g->first ? (int64_t)g->stride : 1,
                  (int64_t)layer};
    NI_TRY(add(t, &p, &site, cost));
    *next = (uint64_t)channels << 32 | (uint64_t)channels;
    return NAS_OK;
}

static nas_status walk_end(const nas_space *s, uint64_t state, bool *connected,
                           ni_walk_cost *cost) {
    const stages_template *t = stages_of(s);
    ni_site_cost site;
    ni_piece p = {PIECE_HEAD, 0, t->last_h, t->last_w, (int64_t)(state & UINT32_MAX), 0, 0, 0};
    NI_TRY(add(t, &p, &site, cost));
    *connected = true;
    return NAS_OK;
}

static const ni_walk_ops walk = {walk_start, walk_step, walk_end, true};

/* ---- text: NAS-Bench-Macro's code, a digit a layer
 * ----------------------------------------------- */

static void digits_text(const nas_space *s, const nas_value *values, ni_text *to) {
    const stages_template *t = stages_of(s);
    for (uint32_t i = 0; i < t->n_layers; i++)
        ni_text_add_char(to, (char)('0' + values[t->decision[i]].integer));
}

static size_t digits_text_most(const nas_space *s) {
    return stages_of(s)->n_layers;
}

static nas_status digits_parse(const nas_space *s, const char *text, nas_value *values,
                               size_t *used) {
    const stages_template *t = stages_of(s);
    size_t n = strcspn(text, " ,");
    if (memchr(text, '=', n)) return NAS_E_NOT_FOUND;
    for (uint32_t i = 0; i < t->n_layers; i++) {
        uint32_t most = s->decisions.items[t->decision[i]].about.n_alternatives;
        if (i >= n)
            return ni_fail(s->context, NAS_E_SYNTAX,
                           "architecture: %zu digits are given, and %" PRIu32
                           " are needed: one a layer",
                           n, t->n_layers);
        if (text[i] < '0' || text[i] >= (char)('0' + most))
            return ni_fail(s->context, NAS_E_SYNTAX,
                           "architecture: character %" PRIu32 " must be a digit from 0 to %" PRIu32,
                           i + 1, most - 1);
        values[t->decision[i]].integer = text[i] - '0';
    }
    if (n > t->n_layers)
        return ni_fail(s->context, NAS_E_SYNTAX,
                       "architecture: character %" PRIu32 ": there are %" PRIu32
                       " layers, and no more digits than that",
                       t->n_layers + 1, t->n_layers);
    *used = n;
    return NAS_OK;
}

static nas_status graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n) {
    const stages_template *t = stages_of(arch->space);
    ni_draw_graph *d;
    NI_TRY(ni_draw_begin(&d, arch->space->context, "network", t->n_layers + 2, t->n_layers + 1));
    ni_draw_label(d, 0, "image, stem");
    for (uint32_t k = 0, v = 0; k < t->n_stages; k++)
        for (uint32_t i = 0; i < t->stages[k].layers; i++, v++) {
            char text[48];
            ni_draw_join(d, v, v + 1,
                         operation_of(arch->space, v, arch->values[t->decision[v]].integer));
            ni_scope_text(text, sizeof text, "%" PRIu32 ".%" PRIu32 ": %" PRId64, k + 1, i + 1,
                          channels_of(t, k, arch->values));
            ni_draw_label(d, v + 1, text);
        }
    ni_draw_join(d, t->n_layers, t->n_layers + 1, "head");
    ni_draw_label(d, t->n_layers + 1, "classifier");
    *out = d;
    *n = 1;
    return NAS_OK;
}

static const ni_template_ops named_ops = {
    .destroy = destroy,
    .build = build,
    .network_hash = network_hash,
    .graphs = graphs,
    .piece = piece,
    .walk = &walk,
};
static const ni_template_ops digits_ops = {
    .destroy = destroy,
    .build = build,
    .network_hash = network_hash,
    .graphs = graphs,
    .text = digits_text,
    .text_most = digits_text_most,
    .parse = digits_parse,
    .piece = piece,
    .walk = &walk,
};

/* ---- from YAML ----------------------------------------------------------------------------------
 */

/* The nearest multiple of `by` that is not 10 % too small (MobileNet's rule); by 1: rounded down.
 */
static int64_t divisible(double value, int64_t by) {
    if (by == 1) return value < 1 ? 1 : (int64_t)floor(value);
    int64_t rounded = (int64_t)floor((value + (double)by / 2) / (double)by) * by;
    if (rounded < by) rounded = by;
    return (double)rounded < 0.9 * value ? rounded + by : rounded;
}

static nas_status read_fixed(ni_load *l, const ni_yaml *list, stages_template *t, double width,
                             int64_t by) {
    static const char *const known[] = {"operation", "channels", "stride", NULL};
    if (list->kind != NI_YAML_LIST || list->n > FIXED_MOST)
        return ni_yaml_fail(&l->document, list, NAS_E_SYNTAX, "fixed must be a list of 0 to %d",
                            FIXED_MOST);
    for (uint32_t i = 0; i < list->n; i++) {
        const nas_op_ops *ops;
        void *self;
        int64_t channels = 16, stride = 1;
        NI_TRY(ni_yaml_keys(&l->document, list->items[i], "a fixed layer", known));
        const ni_yaml *name = ni_yaml_get(list->items[i], "operation");
        if (!name || name->kind != NI_YAML_SCALAR)
            return ni_yaml_fail(&l->document, list->items[i], NAS_E_SYNTAX,
                                "a fixed layer needs an 'operation'");
        nas_status status = ni_op_find(l->context, name->text, &ops, &self);
        if (status < 0) return ni_load_fail(l, name, status);
        NI_TRY(ni_load_member(l, list->items[i], "channels", 1, 65536, &channels));
        NI_TRY(ni_load_member(l, list->items[i], "stride", 1, 4, &stride));
        fixed_layer *f = &t->fixed[t->n_fixed];
        f->channels = divisible((double)channels * width, by);
        f->stride = (uint32_t)stride;
        if (!(f->operation = ni_strdup(l->context, name->text))) return NAS_E_MEMORY;
        t->n_fixed++;
    }
    return NAS_OK;
}

static nas_status read_stage(ni_load *l, const ni_yaml *at, stages_template *t, double width,
                             int64_t by, const char *const *names, uint32_t n,
                             const char *const *first, uint32_t n_first) {
    static const char *const known[] = {"channels", "layers", "stride", NULL};
    stage *g = &t->stages[t->n_stages];
    int64_t layers = 1, stride = 1;
    NI_TRY(ni_yaml_keys(&l->document, at, "a stage", known));
    const ni_yaml *channels = ni_yaml_get(at, "channels");
    if (!channels) return ni_yaml_fail(&l->document, at, NAS_E_SYNTAX, "a stage needs 'channels'");
    g->n_channels = 1;
    if (channels->kind == NI_YAML_LIST)
        NI_TRY(ni_load_integers(l, at, "channels", 1, 65536, g->channels, WIDTHS_MOST,
                                &g->n_channels));
    else
        NI_TRY(ni_load_integer(l, channels, "channels", 1, 65536, &g->channels[0]));
    NI_TRY(ni_load_member(l, at, "layers", 1, LAYERS_MOST, &layers));
    NI_TRY(ni_load_member(l, at, "stride", 1, 4, &stride));
    if (t->n_layers + (uint32_t)layers > LAYERS_MOST)
        return ni_yaml_fail(&l->document, at, NAS_E_LIMIT, "a network may have %d layers",
                            LAYERS_MOST);
    g->layers = (uint32_t)layers;
    g->stride = (uint32_t)stride;
    g->first = t->n_layers;
    g->decision = (uint32_t)l->space->decisions.n;
    if (g->n_channels > 1) {
        char text[WIDTHS_MOST][NI_NUMBER_TEXT];
        const char *texts[WIDTHS_MOST];
        for (uint32_t i = 0; i < g->n_channels; i++) {
            g->channels[i] = divisible((double)g->channels[i] * width, by);
            ni_scope_text(text[i], sizeof text[i], "%" PRId64, g->channels[i]);
            texts[i] = text[i];
        }
        NI_TRY(ni_load_choice(l, channels, texts, g->n_channels, "%" PRIu32 ".channels",
                              t->n_stages + 1));
    } else {
        g->channels[0] = divisible((double)g->channels[0] * width, by);
    }
    for (uint32_t i = 0; i < g->layers; i++) {
        t->decision[t->n_layers++] = (uint32_t)l->space->decisions.n;
        NI_TRY(ni_load_choice(l, at, i ? names : first, i ? n : n_first, "%" PRIu32 ".%" PRIu32,
                              t->n_stages + 1, i + 1));
    }
    t->n_stages++;
    return NAS_OK;
}

static void sizes(stages_template *t) {
    int64_t h = (t->base.height - 1) / t->stem_stride + 1;
    int64_t w = (t->base.width - 1) / t->stem_stride + 1;
    for (uint32_t i = 0; i < t->n_fixed; i++) {
        h = (h - 1) / t->fixed[i].stride + 1;
        w = (w - 1) / t->fixed[i].stride + 1;
    }
    for (uint32_t k = 0, v = 0; k < t->n_stages; k++)
        for (uint32_t i = 0; i < t->stages[k].layers; i++, v++) {
            t->h[v] = h;
            t->w[v] = w;
            if (i == 0) {
                h = (h - 1) / t->stages[k].stride + 1;
                w = (w - 1) / t->stages[k].stride + 1;
            }
        }
    t->last_h = h;
    t->last_w = w;
}

static nas_status read_all(ni_load *l, const ni_yaml *network, const ni_yaml *part,
                           stages_template *t) {
    static const char *const known[] = {"template", "image", "stem",  "fixed",      "head",
                                        "width",    "round", "relu6", "batch_norm", NULL};
    static const char *const stem_known[] = {"channels", "kernel", "stride", NULL};
    static const char *const head_known[] = {"channels", NULL};
    static const char *const part_known[] = {"stages", "operations", "first", "text", NULL};
    static const char *const texts[] = {"names", "digits"};
    const char *names[64], *first[64];
    uint32_t n, n_first, text = 0;
    int64_t kernel = 3, stride = 1, by = 1, relu6 = 0, channels = 16, last = 0;
    double width = 1;
    NI_TRY(ni_yaml_keys(&l->document, network, "network", known));
    NI_TRY(ni_yaml_keys(&l->document, part, "layers", part_known));
    NI_TRY(ni_load_batch_norm(l, network, &t->base.bn_epsilon, &t->base.bn_momentum));
    const ni_yaml *stem_at = ni_yaml_get(network, "stem"), *head_at = ni_yaml_get(network, "head");
    if (stem_at) NI_TRY(ni_yaml_keys(&l->document, stem_at, "stem", stem_known));
    if (head_at) NI_TRY(ni_yaml_keys(&l->document, head_at, "head", head_known));
    NI_TRY(ni_load_member(l, stem_at, "channels", 1, 65536, &channels));
    NI_TRY(ni_load_member(l, stem_at, "kernel", 1, 15, &kernel));
    NI_TRY(ni_load_member(l, stem_at, "stride", 1, 8, &stride));
    NI_TRY(ni_load_member(l, head_at, "channels", 0, 65536, &last));
    NI_TRY(ni_load_member(l, network, "round", 1, 64, &by));
    NI_TRY(ni_load_member(l, network, "relu6", 0, 1, &relu6));
    const ni_yaml *width_at = ni_yaml_get(network, "width");
    if (width_at) NI_TRY(ni_load_number(l, width_at, "width", &width));
    if (!(width > 0 && width <= 64))
        return ni_yaml_fail(&l->document, width_at, NAS_E_INVALID,
                            "width must be above 0 and at most 64");
    t->stem_channels = divisible((double)channels * width, by);
    t->stem_kernel = (int32_t)kernel;
    t->stem_stride = (int32_t)stride;
    t->clamp = relu6 ? 6 : INFINITY;
    t->head_channels = last && width > 1 ? divisible((double)last * width, by) : last;
    if (ni_yaml_get(network, "fixed"))
        NI_TRY(read_fixed(l, ni_yaml_get(network, "fixed"), t, width, by));
    NI_TRY(ni_load_operations(l, part, "operations", names, &n));
    memcpy(first, names, sizeof names);
    n_first = n;
    if (ni_yaml_get(part, "first")) NI_TRY(ni_load_operations(l, part, "first", first, &n_first));
    NI_TRY(ni_load_word(l, part, "text", texts, NI_COUNT(texts), &text));
    t->digits = text == 1;
    const ni_yaml *list = ni_yaml_get(part, "stages");
    if (!list || list->kind != NI_YAML_LIST || list->n < 1 || list->n > STAGES_MOST)
        return ni_yaml_fail(&l->document, list ? list : part, NAS_E_SYNTAX,
                            "layers needs 'stages': a list of 1 to %d", STAGES_MOST);
    if (t->digits && (n > 10 || n_first > 10))
        return ni_yaml_fail(&l->document, ni_yaml_get(part, "text"), NAS_E_INVALID,
                            "digits stand for 10 operations at most");
    t->base.first_decision = (uint32_t)l->space->decisions.n;
    for (uint32_t i = 0; i < list->n; i++) {
        NI_TRY(read_stage(l, list->items[i], t, width, by, names, n, first, n_first));
        if (t->digits && t->stages[i].n_channels > 1)
            return ni_yaml_fail(&l->document, list->items[i], NAS_E_INVALID,
                                "a text of digits leaves no place for channels to choose");
    }
    t->base.n_decisions = (uint32_t)l->space->decisions.n - t->base.first_decision;
    return NAS_OK;
}

nas_status ni_stages_read(ni_load *l, const ni_yaml *network, const ni_yaml *part) {
    ni_template *base;
    NI_TRY(ni_load_image(l, network));
    NI_TRY(ni_template_create(&base, l->space, &named_ops, "stages", sizeof(stages_template)));
    l->space->template = base;
    stages_template *t = (stages_template *)(void *)base;
    NI_TRY(read_all(l, network, part, t));
    if (t->digits) base->ops = &digits_ops;
    int64_t words[] = {t->stem_channels, t->stem_kernel,       t->stem_stride, t->head_channels,
                       t->clamp == 6,    (int64_t)t->n_stages, t->n_fixed};
    ni_load_base(l, base, words, sizeof words);
    for (uint32_t i = 0; i < t->n_fixed; i++) {
        int64_t layer[] = {t->fixed[i].channels, t->fixed[i].stride};
        base->identity = ni_hash_seeded(layer, sizeof layer,
                                        base->identity ^ ni_hash_text(t->fixed[i].operation));
    }
    for (uint32_t i = 0; i < t->n_stages; i++)
        base->identity =
            ni_hash_seeded(&t->stages[i].stride, sizeof t->stages[i].stride, base->identity);
    sizes(t);
    return NAS_OK;
}
