/* Chains of convolutions with skip anchors: the first space of the field (Zoph & Le, "Neural
 * architecture search with reinforcement learning", ICLR 2017, section 3). A layer has a filter of
 * some height, width and number, a stride, and may take in the output of any layer before it. What
 * it takes in is joined by channels, images that differ in size padded with zeros to the largest.
 * Repair rules of section 3.3: a layer that takes in nothing takes the image; what nobody takes in
 * goes to the classifier. */
#include <inttypes.h>
#include <math.h>
#include "load.h"

enum { CHAIN_LAYERS_MOST = 64, CHAIN_VALUES_MOST = 16 };
typedef struct {
    uint32_t n;
    int64_t value[CHAIN_VALUES_MOST];
} numbers;
typedef struct {
    ni_template base;
    uint32_t n;
    numbers heights, widths, filters, strides;
    /* decisions of each layer: height, width, stride down, stride across (where there is a choice),
     * filters, then the anchors */
    uint32_t first[CHAIN_LAYERS_MOST];
} chain_template;

typedef struct {
    int64_t height, width, stride_h, stride_w, filters;
} layer;

static const chain_template *chain_of(const nas_space *s) {
    return (const chain_template *)(const void *)s->template;
}

static void destroy(nas_context *context, ni_template *self) {
    ni_template_free(context, self);
}

static uint32_t anchor(const chain_template *t, uint32_t to, uint32_t from) {
    return t->first[to] + (t->strides.n > 1 ? 5 : 3) + from;
}

static layer layer_of(const chain_template *t, const nas_value *values, uint32_t i) {
    const nas_value *v = values + t->first[i];
    layer made = {t->heights.value[v[0].integer], t->widths.value[v[1].integer],
                  t->strides.value[0], t->strides.value[0], 0};
    v += 2;
    if (t->strides.n > 1) {
        made.stride_h = t->strides.value[v[0].integer];
        made.stride_w = t->strides.value[v[1].integer];
        v += 2;
    }
    made.filters = t->filters.value[v[0].integer];
    return made;
}

/* Zeros below and to the right. */
static nas_status pad_to(nas_graph *g, int dimension, int64_t size, nas_node *x) {
    ni_shape shape = ni_node_shape(g, *x);
    if (shape.d[dimension] == size) return NAS_OK;
    nas_node both[2] = {*x, NAS_NODE_NONE};
    shape.d[dimension] = size - shape.d[dimension];
    NI_TRY(ni_constant(g, shape, 0, &both[1]));
    return ni_concat(g, both, 2, dimension, x);
}

static nas_status join(nas_graph *g, nas_node *in, uint32_t n, nas_node *out) {
    int64_t h = 0, w = 0;
    for (uint32_t i = 0; i < n; i++) {
        ni_shape shape = ni_node_shape(g, in[i]);
        if (shape.d[1] > h) h = shape.d[1];
        if (shape.d[2] > w) w = shape.d[2];
    }
    for (uint32_t i = 0; i < n; i++) {
        NI_TRY(pad_to(g, 1, h, &in[i]));
        NI_TRY(pad_to(g, 2, w, &in[i]));
    }
    return nas_graph_concat(g, in, n, out);
}

static nas_status build(const nas_arch *arch, nas_graph *g, ni_node images, double dropout,
                        ni_node *logits) {
    const chain_template *t = chain_of(arch->space);
    nas_node made[CHAIN_LAYERS_MOST], in[CHAIN_LAYERS_MOST], x;
    bool taken[CHAIN_LAYERS_MOST] = {false};
    uint32_t n;
    for (uint32_t i = 0; i < t->n; i++) {
        char scope[NI_SCOPE_TEXT];
        layer l = layer_of(t, arch->values, i);
        nas_conv_options o = NAS_CONV_OPTIONS_INIT;
        n = 0;
        for (uint32_t k = 0; k < i; k++) {
            if (!arch->values[anchor(t, i, k)].integer) continue;
            in[n++] = made[k];
            taken[k] = true;
        }
        if (n == 0) in[n++] = images;
        ni_scope_text(scope, sizeof scope, "layers.%" PRIu32 ".", i);
        NI_TRY(join(g, in, n, &x));
        NI_TRY(ni_graph_scope(g, scope));
        o.kernel_h = (int32_t)l.height;
        o.kernel_w = (int32_t)l.width;
        o.stride_h = (int32_t)l.stride_h;
        o.stride_w = (int32_t)l.stride_w;
        o.filters = l.filters;
        NI_TRY(nas_graph_conv(g, "0", x, &o, &x));
        NI_TRY(nas_graph_batch_norm(g, "1", x, 1, 1, t->base.bn_epsilon, t->base.bn_momentum, &x));
        NI_TRY(nas_graph_relu(g, x, &made[i]));
        NI_TRY(ni_graph_scope(g, ""));
    }
    n = 0;
    for (uint32_t i = 0; i < t->n; i++)
        if (!taken[i]) in[n++] = made[i];
    NI_TRY(join(g, in, n, &x));
    NI_TRY(nas_graph_global_pool(g, x, &x));
    if (dropout > 0) NI_TRY(nas_graph_dropout(g, x, dropout, &x));
    return nas_graph_linear(g, "classifier", x, t->base.classes, 1, logits);
}

/* As build does it, in numbers alone. */
static nas_status quick(const nas_arch *arch, ni_walk_cost *out) {
    const chain_template *t = chain_of(arch->space);
    int64_t h[CHAIN_LAYERS_MOST], w[CHAIN_LAYERS_MOST], filters[CHAIN_LAYERS_MOST], last = 0;
    bool taken[CHAIN_LAYERS_MOST] = {false};
    for (uint32_t i = 0; i < t->n; i++) {
        layer l = layer_of(t, arch->values, i);
        int64_t channels = 0, height = 0, width = 0;
        for (uint32_t k = 0; k < i; k++) {
            if (!arch->values[anchor(t, i, k)].integer) continue;
            channels += filters[k];
            if (h[k] > height) height = h[k];
            if (w[k] > width) width = w[k];
            taken[k] = true;
        }
        if (channels == 0) {
            channels = t->base.channels;
            height = t->base.height;
            width = t->base.width;
        }
        h[i] = (height - 1) / l.stride_h + 1;
        w[i] = (width - 1) / l.stride_w + 1;
        filters[i] = l.filters;
        int64_t weights = l.height * l.width * channels * l.filters;
        out->params += weights + 2 * l.filters;
        out->macs += weights * h[i] * w[i];
    }
    for (uint32_t i = 0; i < t->n; i++)
        if (!taken[i]) last += filters[i];
    out->params += (last + 1) * t->base.classes;
    out->macs += last * t->base.classes;
    return NAS_OK;
}

static void ends_of(const numbers *all, double *least, double *most) {
    *least = INFINITY;
    *most = 0;
    for (uint32_t i = 0; i < all->n; i++) {
        *least = fmin(*least, (double)all->value[i]);
        *most = fmax(*most, (double)all->value[i]);
    }
}

/* Parameters grow with every filter's size and number, whatever the anchors. So the least have the
 * smallest filters: each layer takes the image, or, where that is less with what it saves the
 * classifier, the layer before it (more anchors cost more than they save). The most have the
 * largest: the first j - 1 layers go to all after them, the others to the classifier, for some j,
 * and a layer to which fewer channels come than the image has takes the image. */
static void params_range(const nas_space *space, double *least, double *most) {
    const chain_template *t = chain_of(space);
    double height[2], width[2], filters[2];
    ends_of(&t->heights, &height[0], &height[1]);
    ends_of(&t->widths, &width[0], &width[1]);
    ends_of(&t->filters, &filters[0], &filters[1]);
    const double n = t->n, image = (double)t->base.channels, classes = (double)t->base.classes;
    double each = height[0] * width[0] * filters[0]; /* weights for one channel that comes in */
    double apart = n * (each * image + 2 * filters[0]) + (n * filters[0] + 1) * classes;
    double chained =
        each * (image + (n - 1) * filters[0]) + 2 * n * filters[0] + (filters[0] + 1) * classes;
    *least = fmin(apart, chained);
    *most = 0;
    each = height[1] * width[1] * filters[1];
    for (uint32_t j = 1; j <= t->n; j++) {
        double all = 2 * n * filters[1] + ((n - j + 1) * filters[1] + 1) * classes;
        for (uint32_t i = 1; i <= t->n; i++)
            all += each * fmax(image, (i < j ? i - 1 : j - 1) * filters[1]);
        *most = fmax(*most, all);
    }
}

static uint64_t network_hash(const nas_arch *arch) {
    const chain_template *t = chain_of(arch->space);
    bool taken[CHAIN_LAYERS_MOST] = {false};
    ni_dag dag;
    dag.n = t->n + 2;
    dag.n_edges = 0;
    dag.label[0] = 1;
    dag.label[t->n + 1] = 2;
    for (uint32_t i = 0; i < t->n; i++) {
        layer l = layer_of(t, arch->values, i);
        bool any = false;
        dag.label[i + 1] = ni_hash(&l, sizeof l) | 0x80;
        for (uint32_t k = 0; k < i; k++) {
            if (!arch->values[anchor(t, i, k)].integer) continue;
            dag.from[dag.n_edges] = (uint8_t)(k + 1);
            dag.to[dag.n_edges++] = (uint8_t)(i + 1);
            taken[k] = any = true;
        }
        if (any) continue;
        dag.from[dag.n_edges] = 0;
        dag.to[dag.n_edges++] = (uint8_t)(i + 1);
    }
    for (uint32_t i = 0; i < t->n; i++) {
        if (taken[i]) continue;
        dag.from[dag.n_edges] = (uint8_t)(i + 1);
        dag.to[dag.n_edges++] = (uint8_t)(t->n + 1);
    }
    return ni_dag_hash(&dag) ^ t->base.identity;
}

static nas_status graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n) {
    const chain_template *t = chain_of(arch->space);
    bool taken[CHAIN_LAYERS_MOST] = {false};
    ni_draw_graph *d;
    NI_TRY(ni_draw_begin(&d, arch->space->context, "network", t->n + 2, t->n * (t->n + 3) / 2));
    ni_draw_label(d, 0, "image");
    for (uint32_t i = 0; i < t->n; i++) {
        char label[24];
        bool any = false;
        layer l = layer_of(t, arch->values, i);
        ni_scope_text(label, sizeof label, "%" PRId64 "x%" PRId64 " x %" PRId64, l.height, l.width,
                      l.filters);
        ni_draw_label(d, i + 1, label);
        for (uint32_t k = 0; k < i; k++) {
            if (!arch->values[anchor(t, i, k)].integer) continue;
            ni_draw_join(d, k + 1, i + 1, "concat");
            taken[k] = any = true;
        }
        if (!any) ni_draw_join(d, 0, i + 1, "image");
    }
    ni_draw_label(d, t->n + 1, "classifier");
    for (uint32_t i = 0; i < t->n; i++)
        if (!taken[i]) ni_draw_join(d, i + 1, t->n + 1, "concat");
    *out = d;
    *n = 1;
    return NAS_OK;
}

static const ni_template_ops ops = {
    .destroy = destroy,
    .build = build,
    .network_hash = network_hash,
    .graphs = graphs,
    .quick = quick,
    .params_range = params_range,
};

/* ---- from YAML ----------------------------------------------------------------------------------
 */

static nas_status add(ni_load *l, const ni_yaml *at, const numbers *all, uint32_t number,
                      const char *what) {
    char text[CHAIN_VALUES_MOST][NI_NUMBER_TEXT];
    const char *texts[CHAIN_VALUES_MOST];
    for (uint32_t i = 0; i < all->n; i++) {
        ni_scope_text(text[i], sizeof text[i], "%" PRId64, all->value[i]);
        texts[i] = text[i];
    }
    return ni_load_choice(l, at, texts, all->n, "%" PRIu32 ".%s", number, what);
}

static nas_status read_all(ni_load *l, const ni_yaml *network, const ni_yaml *part,
                           chain_template *t) {
    static const char *const known[] = {"template", "image", "batch_norm", NULL};
    static const char *const part_known[] = {"layers",  "heights", "widths",
                                             "filters", "strides", NULL};
    static const char *const bits[] = {"0", "1"};
    int64_t n = 6;
    NI_TRY(ni_yaml_keys(&l->document, network, "network", known));
    NI_TRY(ni_yaml_keys(&l->document, part, "layers", part_known));
    NI_TRY(ni_load_batch_norm(l, network, &t->base.bn_epsilon, &t->base.bn_momentum));
    NI_TRY(ni_load_member(l, part, "layers", 1, CHAIN_LAYERS_MOST - 1, &n));
    struct {
        const char *key;
        int64_t most;
        numbers *to;
    } lists[] = {{"heights", 31, &t->heights},
                 {"widths", 31, &t->widths},
                 {"filters", 65536, &t->filters},
                 {"strides", 8, &t->strides}};
    t->strides.n = 1;
    t->strides.value[0] = 1;
    for (size_t i = 0; i < NI_COUNT(lists); i++)
        if (i < 3 || ni_yaml_get(part, lists[i].key))
            NI_TRY(ni_load_integers(l, part, lists[i].key, 1, lists[i].most, lists[i].to->value,
                                    CHAIN_VALUES_MOST, &lists[i].to->n));
    for (uint32_t i = 0; i < t->heights.n + t->widths.n; i++) {
        bool tall = i < t->heights.n;
        if ((tall ? t->heights.value[i] : t->widths.value[i - t->heights.n]) % 2 == 0)
            return ni_yaml_fail(&l->document, ni_yaml_get(part, tall ? "heights" : "widths"),
                                NAS_E_INVALID, "filters must have odd heights and widths");
    }
    t->n = (uint32_t)n;
    t->base.first_decision = (uint32_t)l->space->decisions.n;
    for (uint32_t i = 0; i < t->n; i++) {
        t->first[i] = (uint32_t)l->space->decisions.n;
        NI_TRY(add(l, part, &t->heights, i + 1, "height"));
        NI_TRY(add(l, part, &t->widths, i + 1, "width"));
        if (t->strides.n > 1) {
            NI_TRY(add(l, part, &t->strides, i + 1, "stride_down"));
            NI_TRY(add(l, part, &t->strides, i + 1, "stride_across"));
        }
        NI_TRY(add(l, part, &t->filters, i + 1, "filters"));
        for (uint32_t k = 0; k < i; k++)
            NI_TRY(ni_load_choice(l, part, bits, 2, "%" PRIu32 "<-%" PRIu32, i + 1, k + 1));
    }
    t->base.n_decisions = (uint32_t)l->space->decisions.n - t->base.first_decision;
    ni_load_base(l, &t->base, &n, sizeof n);
    return NAS_OK;
}

nas_status ni_chain_read(ni_load *l, const ni_yaml *network, const ni_yaml *part) {
    ni_template *base;
    NI_TRY(ni_load_image(l, network));
    NI_TRY(ni_template_create(&base, l->space, &ops, "chain", sizeof(chain_template)));
    l->space->template = base;
    return read_all(l, network, part, (chain_template *)(void *)base);
}
