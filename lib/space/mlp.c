/* Multilayer perceptrons, for tables of numbers (a row is an image of 1 x 1 and as many channels as
 * there are columns; larger images are taken as rows). */
#include <inttypes.h>
#include <math.h>
#include "load.h"

enum { MLP_LAYERS_MOST = 16, MLP_UNITS_MOST = 32 };
typedef enum { ACT_RELU, ACT_TANH, ACT_SIGMOID } activation;
typedef struct {
    ni_template base;
    uint32_t least, most, n_units, n_activations;
    int64_t units[MLP_UNITS_MOST];
    activation activations[3];
    int32_t exists[MLP_LAYERS_MOST];
    uint32_t decision[MLP_LAYERS_MOST]; /* units; the activation follows where there is a choice */
} mlp_template;

static const mlp_template *mlp_of(const nas_space *s) {
    return (const mlp_template *)(const void *)s->template;
}

static void destroy(nas_context *context, ni_template *self) {
    ni_template_free(context, self);
}

static uint32_t layers_of(const mlp_template *t, const nas_value *values) {
    uint32_t n = 0;
    while (n < t->most && (t->exists[n] < 0 || values[t->exists[n]].integer))
        n++;
    return n;
}
static int64_t units_of(const mlp_template *t, const nas_value *values, uint32_t i) {
    return t->units[values[t->decision[i]].integer];
}
static activation activation_of(const mlp_template *t, const nas_value *values, uint32_t i) {
    return t->activations[t->n_activations > 1 ? values[t->decision[i] + 1].integer : 0];
}

static nas_status build(const nas_arch *arch, nas_graph *g, ni_node images, double dropout,
                        ni_node *logits) {
    const mlp_template *t = mlp_of(arch->space);
    ni_shape shape = ni_node_shape(g, images);
    nas_node x = images;
    NI_TRY(ni_reshape(g, x, ni_shape4(shape.d[0], 1, 1, ni_shape_count(shape) / shape.d[0]), &x));
    NI_TRY(ni_graph_scope(g, ""));
    for (uint32_t i = 0; i < layers_of(t, arch->values); i++) {
        char name[NI_SCOPE_TEXT];
        ni_scope_text(name, sizeof name, "hidden.%" PRIu32, i);
        NI_TRY(nas_graph_linear(g, name, x, units_of(t, arch->values, i), 1, &x));
        switch (activation_of(t, arch->values, i)) {
        case ACT_TANH:
            NI_TRY(ni_unary(g, x, NI_TANH, &x));
            break;
        case ACT_SIGMOID:
            NI_TRY(nas_graph_sigmoid(g, x, &x));
            break;
        default:
            NI_TRY(nas_graph_relu(g, x, &x));
        }
        if (dropout > 0) NI_TRY(nas_graph_dropout(g, x, dropout, &x));
    }
    return nas_graph_linear(g, "classifier", x, t->base.classes, 1, logits);
}

static uint64_t network_hash(const nas_arch *arch) {
    const mlp_template *t = mlp_of(arch->space);
    uint64_t hash = t->base.identity;
    for (uint32_t i = 0; i < layers_of(t, arch->values); i++) {
        int64_t pair[2] = {units_of(t, arch->values, i), activation_of(t, arch->values, i)};
        hash = ni_hash_seeded(pair, sizeof pair, hash);
    }
    return hash;
}

/* The state: how many numbers come out of the last layer; bit 32: there are no more. */
static void add(int64_t in, int64_t out, ni_walk_cost *cost) {
    cost->params += (in + 1) * out;
    cost->macs += in * out;
}

static nas_status walk_start(const nas_space *s, uint64_t *state, ni_walk_cost *cost) {
    const ni_template *t = s->template;
    (void)cost;
    *state = (uint64_t)(t->height * t->width * t->channels);
    return NAS_OK;
}

static nas_status walk_step(const nas_space *s, uint32_t decision, uint64_t state, uint32_t value,
                            uint64_t *next, bool *allowed, ni_walk_cost *cost) {
    const mlp_template *t = mlp_of(s);
    const uint64_t ended = UINT64_C(1) << 40;
    *next = state;
    *allowed = !(state & ended) || value == 0;
    if (state & ended) return NAS_OK;
    for (uint32_t i = 0; i < t->most; i++) {
        if ((int32_t)decision == t->exists[i] && value == 0) *next = state | ended;
        if (decision != t->decision[i]) continue;
        add((int64_t)state, t->units[value], cost);
        *next = (uint64_t)t->units[value];
    }
    return NAS_OK;
}

static nas_status walk_end(const nas_space *s, uint64_t state, bool *connected,
                           ni_walk_cost *cost) {
    add((int64_t)(state & ((UINT64_C(1) << 40) - 1)), s->template->classes, cost);
    *connected = true;
    return NAS_OK;
}

static const ni_walk_ops walk = {walk_start, walk_step, walk_end, false};

static nas_status graphs(const nas_arch *arch, ni_draw_graph **out, uint32_t *n) {
    static const char *const names[] = {"relu", "tanh", "sigmoid"};
    const mlp_template *t = mlp_of(arch->space);
    uint32_t layers = layers_of(t, arch->values);
    ni_draw_graph *d;
    NI_TRY(ni_draw_begin(&d, arch->space->context, "network", layers + 2, layers + 1));
    ni_draw_label(d, 0, "row");
    for (uint32_t i = 0; i < layers; i++) {
        char label[24];
        ni_scope_text(label, sizeof label, "%" PRId64, units_of(t, arch->values, i));
        ni_draw_label(d, i + 1, label);
        ni_draw_join(d, i, i + 1, names[activation_of(t, arch->values, i)]);
    }
    ni_draw_label(d, layers + 1, "classifier");
    ni_draw_join(d, layers, layers + 1, "linear");
    *out = d;
    *n = 1;
    return NAS_OK;
}

static const ni_template_ops ops = {
    .destroy = destroy,
    .build = build,
    .network_hash = network_hash,
    .graphs = graphs,
    .walk = &walk,
};

/* ---- from YAML ----------------------------------------------------------------------------------
 */

static nas_status read_activations(ni_load *l, const ni_yaml *part, mlp_template *t,
                                   const char **names) {
    static const char *const all[] = {"relu", "tanh", "sigmoid"};
    const ni_yaml *list = ni_yaml_get(part, "activations");
    t->n_activations = 1;
    names[0] = all[0];
    if (!list) return NAS_OK;
    if (list->kind != NI_YAML_LIST || list->n < 1 || list->n > NI_COUNT(all))
        return ni_yaml_fail(&l->document, list, NAS_E_SYNTAX,
                            "activations must be a list of relu, tanh, sigmoid");
    for (uint32_t i = 0; i < list->n; i++) {
        uint32_t k = 0;
        const char *word = list->items[i]->kind == NI_YAML_SCALAR ? list->items[i]->text : "";
        while (k < NI_COUNT(all) && strcmp(all[k], word) != 0)
            k++;
        if (k == NI_COUNT(all)) {
            const char *near = ni_nearest(word, all, NI_COUNT(all));
            return ni_yaml_fail(&l->document, list->items[i], NAS_E_NOT_FOUND,
                                "there is no activation '%.40s'%s%s%s", word,
                                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        t->activations[i] = (activation)k;
        names[i] = all[k];
    }
    t->n_activations = list->n;
    return NAS_OK;
}

static nas_status add_layer(ni_load *l, const ni_yaml *part, mlp_template *t, uint32_t i,
                            const char *const *units, const char *const *activations) {
    static const char *const no_yes[] = {"no", "yes"};
    char exists[NI_NAME_MOST + 1] = "";
    nas_space *s = l->space;
    t->exists[i] = -1;
    if (i >= t->least) {
        t->exists[i] = (int32_t)s->decisions.n;
        if (i > t->least) ni_scope_text(exists, sizeof exists, "%" PRIu32 ".exists", i);
        NI_TRY(ni_load_choice(l, part, no_yes, 2, "%" PRIu32 ".exists", i + 1));
        if (*exists) NI_TRY(nas_space_add_condition(s, exists, "yes"));
        ni_scope_text(exists, sizeof exists, "%" PRIu32 ".exists", i + 1);
    }
    t->decision[i] = (uint32_t)s->decisions.n;
    NI_TRY(ni_load_choice(l, part, units, t->n_units, "%" PRIu32 ".units", i + 1));
    if (*exists) NI_TRY(nas_space_add_condition(s, exists, "yes"));
    if (t->n_activations == 1) return NAS_OK;
    NI_TRY(ni_load_choice(l, part, activations, t->n_activations, "%" PRIu32 ".activation", i + 1));
    return *exists ? nas_space_add_condition(s, exists, "yes") : NAS_OK;
}

static nas_status read_all(ni_load *l, const ni_yaml *network, const ni_yaml *part,
                           mlp_template *t) {
    static const char *const known[] = {"template", "image", NULL};
    static const char *const part_known[] = {"least", "most", "units", "activations", NULL};
    char text[MLP_UNITS_MOST][NI_NUMBER_TEXT];
    const char *texts[MLP_UNITS_MOST], *activations[3];
    int64_t least = 1, most;
    NI_TRY(ni_yaml_keys(&l->document, network, "network", known));
    NI_TRY(ni_yaml_keys(&l->document, part, "layers", part_known));
    NI_TRY(ni_load_member(l, part, "least", 0, MLP_LAYERS_MOST, &least));
    most = least > 1 ? least : 1;
    NI_TRY(ni_load_member(l, part, "most", most, MLP_LAYERS_MOST, &most));
    NI_TRY(ni_load_integers(l, part, "units", 1, 1 << 20, t->units, MLP_UNITS_MOST, &t->n_units));
    NI_TRY(read_activations(l, part, t, activations));
    t->least = (uint32_t)least;
    t->most = (uint32_t)most;
    for (uint32_t i = 0; i < t->n_units; i++) {
        ni_scope_text(text[i], sizeof text[i], "%" PRId64, t->units[i]);
        texts[i] = text[i];
    }
    t->base.first_decision = (uint32_t)l->space->decisions.n;
    for (uint32_t i = 0; i < t->most; i++)
        NI_TRY(add_layer(l, part, t, i, texts, activations));
    t->base.n_decisions = (uint32_t)l->space->decisions.n - t->base.first_decision;
    ni_load_base(l, &t->base, "", 0);
    return NAS_OK;
}

nas_status ni_mlp_read(ni_load *l, const ni_yaml *network, const ni_yaml *part) {
    ni_template *base;
    NI_TRY(ni_load_image(l, network));
    NI_TRY(ni_template_create(&base, l->space, &ops, "mlp", sizeof(mlp_template)));
    l->space->template = base;
    return read_all(l, network, part, (mlp_template *)(void *)base);
}
