/* Every preset, small: sampled networks are built, cost what they should, train a step; texts come
 * back; neighbours, mutations, crossings stay inside; encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <pthread.h>
#include <math.h>
#include <stdlib.h>
#include "space/internal.h"

static nas_context *context;

static int start(void **state) {
    (void)state;
    return nas_context_create(&context, NULL);
}
static int end(void **state) {
    (void)state;
    nas_context_free(context);
    return 0;
}

static const struct {
    const char *name, *overrides[6];
    size_t n;
} small[] = {
    {"nas-bench-101", {"channels=16", "modules=1", "height=8", "width=8"}, 4},
    {"nas-bench-201", {"channels=4", "cells=1", "height=8", "width=8"}, 4},
    {"nas-bench-macro", {"width_times=0.125", "last=16", "height=8", "width=8"}, 4},
    {"darts", {"channels=4", "cells=3", "height=16", "width=16"}, 4},
    {"darts", {"channels=4", "cells=3", "height=24", "width=24", "auxiliary=1"}, 5},
    {"nasnet", {"channels=4", "cells=3", "height=13", "width=15"}, 4},
    {"amoebanet", {"channels=4", "cells=3", "height=12", "width=12"}, 4},
    {"pnas", {"channels=4", "cells=3", "height=12", "width=12"}, 4},
    {"enas-macro", {"channels=4", "height=12", "width=12", "layers=6", "widen=2"}, 5},
    {"enas-micro", {"channels=4", "cells=3", "height=12", "width=12"}, 4},
    {"proxyless", {"width_times=0.25", "last=16", "height=32", "width=32", "classes=10"}, 5},
    {"zoph-chain", {"height=8", "width=8", "layers=5"}, 3},
    {"mlp", {"inputs=7", "classes=3"}, 2},
    {"tiny", {"height=16", "width=16"}, 2},
    {"quick", {"channels=4", "height=8", "width=8", "least_macs=0"}, 4},
};

static nas_space *preset(size_t i) {
    nas_space *space;
    if (nas_space_preset(&space, context, small[i].name, small[i].overrides, small[i].n) < 0)
        fail_msg("%s: %s", small[i].name, nas_context_error(context));
    return space;
}

static void all_presets_are_here(void **state) {
    (void)state;
    for (uint32_t i = 0; nas_space_preset_name(i); i++) {
        bool here = false;
        for (size_t k = 0; k < NI_COUNT(small); k++)
            here = here || strcmp(small[k].name, nas_space_preset_name(i)) == 0;
        if (!here) fail_msg("preset %s is not tested", nas_space_preset_name(i));
    }
}

typedef struct {
    float *images;
    int32_t labels[4];
} data;
static nas_status next(void *user, uint64_t epoch, int64_t index, const float **images,
                       const int32_t **labels, int64_t *fill) {
    data *d = user;
    (void)epoch, (void)index;
    *images = d->images;
    *labels = d->labels;
    *fill = 4;
    return NAS_OK;
}

static void train_two_steps(const nas_arch *arch, nas_random *random) {
    nas_train_options options;
    ni_net net;
    ni_arch_net build;
    ni_trainer *trainer;
    data d;
    nas_arch_cost cost = {.struct_size = sizeof cost};
    double loss = 0, right = 0;
    int64_t seen = 0;
    nas_train_options_init(&options);
    options.batch = 4;
    options.learning_rate = 0.01;
    assert_int_equal(ni_arch_network(&net, &build, arch, 0), NAS_OK);
    assert_int_equal(nas_arch_costs(arch, &cost), NAS_OK);
    if (ni_trainer_create(&trainer, context, &net, &options) < 0)
        fail_msg("%s: %s", nas_arch_text(arch), nas_context_error(context));
    assert_int_equal(ni_vars_parameters(ni_trainer_vars(trainer)), cost.params);
    size_t n = (size_t)(4 * net.height * net.width * net.channels);
    d.images = calloc(n, sizeof *d.images);
    ni_random_fill_normal(random, d.images, n, 0, 1);
    for (int i = 0; i < 4; i++)
        d.labels[i] = (int32_t)(i % net.classes);
    ni_batches batches = {&d, 2, 4, next};
    size_t n_values = ni_vars_size(ni_trainer_vars(trainer));
    float *before = malloc(n_values * sizeof *before);
    memcpy(before, ni_trainer_values(trainer), n_values * sizeof *before);
    if (ni_trainer_run(trainer, &batches, 0, 0, 2, 0, 2, &loss, &right, &seen, NULL, NULL) < 0)
        fail_msg("%s: %s", nas_arch_text(arch), nas_context_error(context));
    assert_int_equal(seen, 8);
    assert_true(isfinite(loss) && loss > 0);
    assert_true(memcmp(before, ni_trainer_values(trainer), n_values * sizeof *before) != 0);
    free(before);
    ni_trainer_free(trainer);
    free(d.images);
}

static void networks_train(void **state) {
    (void)state;
    for (size_t i = 0; i < NI_COUNT(small); i++) {
        nas_space *s = preset(i);
        nas_random random;
        ni_random_init(&random, 21, i, "test");
        for (int k = 0; k < 4; k++) {
            nas_arch *arch;
            nas_arch_cost cost = {.struct_size = sizeof cost};
            if (nas_space_sample(s, &random, &arch) < 0)
                fail_msg("%s: %s", small[i].name, nas_context_error(context));
            assert_int_equal(nas_arch_costs(arch, &cost), NAS_OK);
            assert_true(cost.params > 0 && cost.macs > 0 && cost.activation_bytes > 0 &&
                        cost.depth > 0);
            if (k < 2) train_two_steps(arch, &random);
            nas_arch_free(arch);
        }
        nas_space_free(s);
    }
}

static void texts_come_back(void **state) {
    (void)state;
    for (size_t i = 0; i < NI_COUNT(small); i++) {
        nas_space *s = preset(i);
        nas_random random;
        ni_random_init(&random, 22, i, "test");
        for (int k = 0; k < 50; k++) {
            nas_arch *a, *b;
            ni_draw_graph *graphs;
            uint32_t n;
            nas_value values[128];
            ni_space_draw(s, &random, values);
            assert_int_equal(ni_arch_make(&a, s, values), NAS_OK);
            if (nas_arch_parse(&b, s, nas_arch_text(a)) < 0)
                fail_msg("%s: %s", nas_arch_text(a), nas_context_error(context));
            assert_string_equal(nas_arch_text(a), nas_arch_text(b));
            assert_true(nas_arch_hash(a) == nas_arch_hash(b));
            assert_true(nas_arch_equal(a, b));
            assert_true(strlen(nas_arch_text(a)) < s->text_most);
            assert_true(nas_arch_network_hash(a) == nas_arch_network_hash(b));
            /* drawings: every edge between nodes that are there */
            assert_int_equal(ni_arch_graphs(a, &graphs, &n), NAS_OK);
            assert_true(n >= 1);
            for (uint32_t g = 0; g < n; g++)
                for (uint32_t e = 0; e < graphs[g].n_edges; e++) {
                    const ni_draw_edge *edge = &graphs[g].edges[e];
                    assert_true(edge->from < edge->to && edge->to < graphs[g].n_nodes);
                    assert_true(edge->to >= graphs[g].n_inputs && *edge->label);
                }
            ni_draw_free(context, graphs, n);
            nas_arch_free(a);
            nas_arch_free(b);
        }
        nas_space_free(s);
    }
}

/* Hyper-parameters beside every kind: their text after the template's own. */
static void hyper_parameters_beside(void **state) {
    (void)state;
    static const char extra[] = "decisions:\n"
                                "  - {name: learning_rate, real: [0.01, 1], log: true}\n"
                                "  - {name: kind, choice: [plain, averaged]}\n"
                                "  - {name: ema, real: [0.9, 0.999], when: {kind: averaged}}\n"
                                "  - {name: batch, integer: [32, 96], step: 32}\n";
    for (uint32_t i = 0; nas_space_preset_name(i); i++) {
        const char *text = nas_space_preset_text(nas_space_preset_name(i));
        const char *constraints = strstr(text, "constraints:");
        size_t head = constraints ? (size_t)(constraints - text) : strlen(text);
        char *all = calloc(strlen(text) + sizeof extra, 1);
        nas_space *s;
        nas_random random;
        memcpy(all, text, head);
        strcat(all, extra);
        if (constraints) strcat(all, constraints);
        if (nas_space_parse(&s, context, all, strlen(all), "t", NULL, 0) < 0)
            fail_msg("%s: %s", nas_space_preset_name(i), nas_context_error(context));
        ni_random_init(&random, 31, i, "test");
        for (int k = 0; k < 10; k++) {
            nas_arch *a, *b;
            double rate;
            if (nas_space_sample(s, &random, &a) < 0) fail_msg("%s", nas_context_error(context));
            if (nas_arch_parse(&b, s, nas_arch_text(a)) < 0)
                fail_msg("%s: %s", nas_arch_text(a), nas_context_error(context));
            assert_string_equal(nas_arch_text(a), nas_arch_text(b));
            assert_true(ni_arch_hyper(b, "learning_rate", &rate) && rate >= 0.01 && rate <= 1);
            assert_true(ni_arch_hyper_hash(a) == ni_arch_hyper_hash(b));
            nas_arch_free(a);
            nas_arch_free(b);
        }
        nas_space_free(s);
        free(all);
    }
}

/* The same cells in other forms: NASNet's lists count the inputs the other way round; genotypes are
 * read with ranges and without order; ENAS's arcs as a genotype. */
static void other_forms(void **state) {
    (void)state;
    static const char *const pairs[][3] = {
        {"nasnet", "NASNet-A",
         "operations=['separable_5x5_2','separable_3x3_2','separable_5x5_2','separable_3x3_2',"
         "'avg_pool_3x3','none','avg_pool_3x3','avg_pool_3x3','separable_3x3_2','none'], "
         "hiddenstate_indices=[0,1,1,1,0,1,1,1,0,0], used_hiddenstates=[1,0,0,0,0,0,0]; "
         "operations=['separable_5x5_2','separable_7x7_2','max_pool_3x3','separable_7x7_2',"
         "'avg_pool_3x3','separable_5x5_2','none','avg_pool_3x3','separable_3x3_2','max_pool_3x3'],"
         " "
         "hiddenstate_indices=[0,1,0,1,0,1,3,2,2,0], used_hiddenstates=[1,1,1,0,0,0,0]"},
        {"darts", "DARTS_V1",
         "Genotype( normal = [('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), "
         "('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 2), "
         "('sep_conv_3x3', 0),], normal_concat = range(2, 6), reduce = [(\"max_pool_3x3\", 0), "
         "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0), "
         "('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], reduce_concat = range(2, "
         "6))"},
        {"enas-micro", "ENAS",
         "Genotype(normal=[('avg_pool_3x3', 0), ('sep_conv_3x3', 0), ('skip_connect', 0), "
         "('sep_conv_5x5', 0), ('skip_connect', 0), ('sep_conv_5x5', 1), ('sep_conv_3x3', 1), "
         "('sep_conv_5x5', 0), ('avg_pool_3x3', 0), ('sep_conv_5x5', 1)], normal_concat=range(2, "
         "7), "
         "reduce=[('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('max_pool_3x3', 0), ('avg_pool_3x3', "
         "0), ('sep_conv_5x5', 1), ('sep_conv_5x5', 3), ('sep_conv_3x3', 1), ('skip_connect', 0), "
         "('max_pool_3x3', 0), ('sep_conv_5x5', 1)], reduce_concat=[2, 4, 5, 6])"},
        {"nas-bench-101", "inception",
         "[[0, 1, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 0, "
         "0], "
         "[0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0]], ['input', "
         "'conv1x1-bn-relu', 'conv3x3-bn-relu', 'conv3x3-bn-relu', 'conv3x3-bn-relu', "
         "'maxpool3x3', "
         "'output']"},
    };
    for (size_t i = 0; i < NI_COUNT(pairs); i++) {
        nas_space *s;
        nas_arch *a = NULL, *b = NULL;
        assert_int_equal(nas_space_preset(&s, context, pairs[i][0], NULL, 0), NAS_OK);
        if (nas_arch_parse(&a, s, pairs[i][1]) < 0 || nas_arch_parse(&b, s, pairs[i][2]) < 0)
            fail_msg("%s: %s", pairs[i][0], nas_context_error(context));
        assert_string_equal(nas_arch_text(a), nas_arch_text(b));
        assert_int_equal(nas_arch_equal(a, b), 1);
        nas_arch_free(a);
        nas_arch_free(b);
        nas_space_free(s);
    }
}

/* All that a preset says is published is read, and costed. */
static void published_networks(void **state) {
    (void)state;
    int found = 0;
    for (uint32_t i = 0; nas_space_preset_name(i); i++) {
        nas_space *s;
        assert_int_equal(nas_space_preset(&s, context, nas_space_preset_name(i), NULL, 0), NAS_OK);
        for (uint32_t k = 0; nas_space_published(s, k); k++, found++) {
            nas_arch *arch;
            nas_arch_cost cost = {.struct_size = sizeof cost};
            if (nas_arch_parse(&arch, s, nas_space_published(s, k)) < 0)
                fail_msg("%s", nas_context_error(context));
            assert_int_equal(nas_arch_check(arch), NAS_OK);
            assert_int_equal(nas_arch_costs(arch, &cost), NAS_OK);
            nas_arch_free(arch);
        }
        nas_space_free(s);
    }
    assert_int_equal(found, 9);
}

static uint32_t differences(const nas_space *s, const nas_arch *a, const nas_arch *b) {
    uint32_t n = 0;
    for (uint32_t d = 0; d < s->decisions.n; d++)
        n += nas_arch_active(a, d) && nas_arch_active(b, d) &&
             (a->values[d].integer != b->values[d].integer ||
              a->values[d].real != b->values[d].real);
    return n;
}

static void neighbours(void **state) {
    (void)state;
    for (size_t i = 0; i < NI_COUNT(small); i++) {
        nas_space *s = preset(i);
        nas_random random;
        nas_arch *arch;
        uint64_t n, inside = 0;
        ni_random_init(&random, 23, i, "test");
        assert_int_equal(nas_space_sample(s, &random, &arch), NAS_OK);
        assert_int_equal(nas_space_neighbors(s, arch, &n), NAS_OK);
        assert_true(n > 0 && n < 1000);
        uint64_t *seen = calloc(n, sizeof *seen);
        for (uint64_t k = 0; k < n; k++) {
            nas_arch *other;
            nas_status status = nas_space_neighbor(s, arch, k, &other);
            assert_true(status == NAS_OK || status == NAS_E_INFEASIBLE);
            if (status < 0) continue;
            assert_int_equal(differences(s, arch, other), 1);
            assert_int_equal(nas_arch_check(other), NAS_OK);
            seen[inside] = nas_arch_hash(other);
            for (uint64_t j = 0; j < inside; j++)
                assert_true(seen[j] != seen[inside]);
            inside++;
            nas_arch_free(other);
        }
        assert_true(inside > 0);
        nas_arch *other;
        assert_int_equal(nas_space_neighbor(s, arch, n, &other), NAS_E_INVALID);
        free(seen);
        nas_arch_free(arch);
        nas_space_free(s);
    }
}

static void mutations_and_crossings(void **state) {
    (void)state;
    for (size_t i = 0; i < NI_COUNT(small); i++) {
        nas_space *s = preset(i);
        nas_random random;
        nas_arch *a, *b, *child;
        ni_random_init(&random, 24, i, "test");
        for (int k = 0; k < 5; k++) {
            assert_int_equal(nas_space_sample(s, &random, &a), NAS_OK);
            assert_int_equal(nas_space_sample(s, &random, &b), NAS_OK);
            assert_int_equal(nas_space_mutate(s, a, &random, &child), NAS_OK);
            assert_int_equal(nas_arch_check(child), NAS_OK);
            assert_true(differences(s, a, child) == 1);
            nas_arch_free(child);
            if (nas_space_crossover(s, a, b, &random, &child) < 0)
                fail_msg("%s", nas_context_error(context));
            assert_int_equal(nas_arch_check(child), NAS_OK);
            for (uint32_t d = 0; d < s->decisions.n; d++) {
                bool like_a =
                    nas_arch_active(a, d) && a->values[d].integer == child->values[d].integer;
                bool like_b =
                    nas_arch_active(b, d) && b->values[d].integer == child->values[d].integer;
                if (nas_arch_active(child, d) && (nas_arch_active(a, d) || nas_arch_active(b, d)))
                    assert_true(like_a || like_b);
            }
            nas_arch_free(child);
            nas_arch_free(a);
            nas_arch_free(b);
        }
        nas_space_free(s);
    }
}

/* Parents of whose 2^n crossings few are inside: the walk finds them, uniformly. */
static void crossings_inside_bounds(void **state) {
    (void)state;
    static const char text[] =
        "space: m\n"
        "network: {template: stages, stem: {channels: 8}, image: {height: 8, width: 8, channels: "
        "3, "
        "classes: 10}}\n"
        "layers: {stages: [{channels: 8, layers: 12, stride: 2}], operations: [identity, "
        "mbconv_3x3_e1], text: digits}\n"
        "constraints: ['params <= 700']\n";
    nas_space *s;
    nas_arch *a, *b;
    nas_random random;
    nas_arch_cost cost = {.struct_size = sizeof cost};
    uint64_t first = 0;
    bool different = false;
    if (nas_space_parse(&s, context, text, sizeof text - 1, "t", NULL, 0) < 0)
        fail_msg("%s", nas_context_error(context));
    ni_random_init(&random, 25, 0, "test");
    assert_int_equal(nas_arch_parse(&a, s, "000000000000"), NAS_OK);
    assert_int_equal(nas_arch_parse(&b, s, "111111111111"), NAS_OK);
    assert_int_equal(nas_arch_costs(a, &cost), NAS_OK);
    assert_true(cost.params <= 700);
    for (int k = 0; k < 50; k++) {
        nas_arch *child;
        if (nas_space_crossover(s, a, b, &random, &child) < 0)
            fail_msg("%s", nas_context_error(context));
        assert_int_equal(nas_arch_check(child), NAS_OK);
        if (k == 0) first = nas_arch_hash(child);
        different = different || nas_arch_hash(child) != first;
        nas_arch_free(child);
    }
    assert_true(different);
    nas_arch_free(a);
    nas_arch_free(b);
    nas_space_free(s);
}

/* Edges of NAS-Bench-201 by its authors' mutation: 1/3, 1/6 each, 1/9 each. */
static void mutation_of_201(void **state) {
    (void)state;
    static const double wanted[6] = {1 / 3., 1 / 6., 1 / 6., 1 / 9., 1 / 9., 1 / 9.};
    nas_space *s = preset(1);
    nas_random random;
    nas_arch *parent, *child;
    double seen[6] = {0}, chi = 0;
    const int n = 6000;
    ni_random_init(&random, 26, 0, "test");
    assert_int_equal(nas_space_sample(s, &random, &parent), NAS_OK);
    for (int k = 0; k < n; k++) {
        assert_int_equal(nas_space_mutate_as(s, parent, "nas-bench-201", &random, &child), NAS_OK);
        assert_int_equal(differences(s, parent, child), 1);
        for (uint32_t d = 0; d < 6; d++)
            seen[d] += parent->values[d].integer != child->values[d].integer;
        nas_arch_free(child);
    }
    for (int d = 0; d < 6; d++)
        chi += (seen[d] - n * wanted[d]) * (seen[d] - n * wanted[d]) / (n * wanted[d]);
    assert_true(chi < 20.5); /* 5 degrees, 0.1 % */
    assert_int_equal(nas_space_mutate_as(s, parent, "amoebanet", &random, &child),
                     NAS_E_UNSUPPORTED);
    assert_int_equal(nas_space_mutate_as(s, parent, "nas-bench-210", &random, &child),
                     NAS_E_NOT_FOUND);
    assert_non_null(strstr(nas_context_error(context), "did you mean 'nas-bench-201'?"));
    nas_arch_free(parent);
    nas_space_free(s);
}

static void mutation_of_amoebanet(void **state) {
    (void)state;
    nas_space *s = preset(6);
    nas_random random;
    nas_arch *parent, *child;
    int same = 0, inputs = 0, operations = 0;
    const int n = 4000;
    ni_random_init(&random, 27, 0, "test");
    assert_int_equal(nas_space_sample(s, &random, &parent), NAS_OK);
    for (int k = 0; k < n; k++) {
        assert_int_equal(nas_space_mutate_as(s, parent, "amoebanet", &random, &child), NAS_OK);
        uint32_t changed = differences(s, parent, child);
        assert_true(changed <= 1);
        same += changed == 0;
        for (uint32_t d = 0; d < s->decisions.n; d++) {
            bool is_input = strstr(s->decisions.items[d].name, ".in") != NULL;
            if (parent->values[d].integer == child->values[d].integer) continue;
            inputs += is_input;
            operations += !is_input;
        }
        nas_arch_free(child);
    }
    assert_true(abs(same - n / 20) < 60);
    assert_true(abs(inputs - operations) < 250);
    nas_arch_free(parent);
    nas_space_free(s);
}

static void mutation_of_101(void **state) {
    (void)state;
    nas_space *s = preset(0);
    nas_random random;
    nas_arch *parent, *child;
    double edges = 0, operations = 0;
    const int n = 3000;
    ni_random_init(&random, 28, 0, "test");
    /* few edges, so that hardly any child is refused */
    assert_int_equal(
        nas_arch_parse(&parent, s,
                       "[[0,1,1],[0,0,1],[0,0,0]],['input','conv3x3-bn-relu','output']"),
        NAS_OK);
    for (int k = 0; k < n; k++) {
        assert_int_equal(nas_space_mutate_as(s, parent, "nas-bench-101", &random, &child), NAS_OK);
        assert_int_equal(nas_arch_check(child), NAS_OK);
        for (uint32_t d = 0; d < 26; d++) {
            bool changed = parent->values[d].integer != child->values[d].integer;
            edges += d < 21 && changed;
            operations += d >= 21 && changed;
        }
        nas_arch_free(child);
    }
    assert_true(fabs(edges / n - 3) < 0.2);      /* 21 / 7 */
    assert_true(fabs(operations / n - 1) < 0.1); /* 5 / 5 */
    nas_arch_free(parent);
    nas_space_free(s);
}

static void encodings(void **state) {
    (void)state;
    nas_space *s = preset(1);
    nas_arch *arch;
    double all[400];
    size_t n;
    assert_int_equal(nas_arch_parse(&arch, s,
                                    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~"
                                    "1|nor_conv_1x1~2|"),
                     NAS_OK);
    assert_int_equal(nas_arch_encode(arch, NAS_ENCODE_ONE_HOT, all, 400, &n), NAS_OK);
    assert_int_equal(n, 30);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += all[i];
    assert_true(sum == 6 && all[3] == 1 && all[5] == 1);
    assert_int_equal(nas_arch_encode(arch, NAS_ENCODE_ADJACENCY, all, 400, &n), NAS_OK);
    assert_int_equal(n, 6);
    assert_true(all[0] == 0.75 && all[1] == 0 && all[2] == 0.25 && all[3] == 1);
    assert_int_equal(nas_arch_encode(arch, NAS_ENCODE_PATH, all, 400, &n), NAS_OK);
    assert_int_equal(n, 155); /* 5 + 25 + 125 */
    sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += all[i];
    /* avg_pool; conv3x3, skip, conv1x1 */
    assert_true(sum == 2 && all[4] == 1 && all[5 + 25 + (3 * 5 + 1) * 5 + 2] == 1);
    assert_int_equal(nas_arch_encode(arch, NAS_ENCODE_PATH, all, 100, &n), NAS_E_LIMIT);
    assert_int_equal(nas_arch_encode(arch, NAS_ENCODE_PATH, NULL, 0, &n), NAS_OK);
    assert_int_equal(nas_arch_encode(arch, 9, NULL, 0, &n), NAS_E_INVALID);
    nas_arch_free(arch);
    nas_space_free(s);

    s = preset(0);
    assert_int_equal(nas_arch_parse(&arch, s, "inception"), NAS_OK);
    assert_int_equal(nas_arch_encode(arch, NAS_ENCODE_PATH, all, 400, &n), NAS_OK);
    assert_int_equal(n, 364); /* 1 + 3 + 9 + 27 + 81 + 243 */
    sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += all[i];
    /* 1x1; 3x3; max pool; 3x3, 3x3 */
    assert_true(sum == 4 && all[1] == 1 && all[2] == 1 && all[3] == 1 && all[4] == 1);
    nas_arch_free(arch);
    nas_space_free(s);

    s = preset(12);
    nas_random random;
    ni_random_init(&random, 29, 0, "test");
    assert_int_equal(nas_space_sample(s, &random, &arch), NAS_OK);
    assert_int_equal(nas_arch_encode(arch, NAS_ENCODE_PATH, NULL, 0, &n), NAS_E_UNSUPPORTED);
    assert_int_equal(nas_arch_encode(arch, NAS_ENCODE_ONE_HOT, NULL, 0, &n), NAS_OK);
    assert_int_equal(n,
                     3 * 2 + 4 * 7); /* three times whether there is a layer; units, activation */
    nas_arch_free(arch);
    nas_space_free(s);
}

/* Architectures as bits: equal ones come back, in fewer bytes than their texts. */
static void packed(void **state) {
    (void)state;
    for (uint32_t i = 0; i < NI_COUNT(small); i++) {
        nas_space *s = preset(i);
        size_t most = 0, texts = 0, bits = 0;
        for (uint64_t k = 0; k < 60; k++) {
            nas_random random;
            nas_arch *arch, *again;
            unsigned char bytes[4096];
            ni_random_init(&random, 31, k, "pack");
            assert_int_equal(nas_space_sample(s, &random, &arch), NAS_OK);
            size_t n = ni_arch_packed(arch);
            assert_true(n < sizeof bytes);
            memset(bytes, 0xa5, sizeof bytes);
            ni_arch_pack(arch, bytes);
            assert_int_equal(bytes[n], 0xa5);
            assert_int_equal(ni_arch_unpack(&again, s, bytes, n), NAS_OK);
            assert_true(nas_arch_equal(arch, again));
            assert_string_equal(nas_arch_text(arch), nas_arch_text(again));
            nas_arch_free(again);
            if (n) assert_int_equal(ni_arch_unpack(&again, s, bytes, 0), NAS_E_CORRUPT);
            most = n > most ? n : most;
            bits += n;
            texts += strlen(nas_arch_text(arch));
            nas_arch_free(arch);
        }
        print_message("%s: %zu bytes at most, %.1f in the mean; its texts %.0f\n", small[i].name,
                      most, (double)bits / 60, (double)texts / 60);
        assert_true(3 * bits < texts);
        nas_space_free(s);
    }
}

/* Values whose texts are as long as they come. */
static void long_texts_fit(void **state) {
    (void)state;
    const char *const names[] = {"an-alternative-with-a-name-of-as-many-letters-as-there-may-be-x",
                                 "b"};
    nas_space *s;
    assert_int_equal(nas_space_create(&s, context, "long"), NAS_OK);
    const int64_t far = INT64_C(1) << 52;
    assert_int_equal(nas_space_add_integer(s, "whole", -far, far, far), NAS_OK);
    assert_int_equal(nas_space_add_choice(s, "named", names, 2), NAS_OK);
    assert_int_equal(nas_space_add_real(s, "real", -1.7976931348623157e+308, 1e300, 0), NAS_OK);
    assert_int_equal(nas_space_finish(s), NAS_OK);
    const double reals[] = {-1.7976931348623157e+308, -2.2250738585072014e-308, 0.1, -0.0,
                            -1.2345678901234567e-300};
    for (size_t i = 0; i < NI_COUNT(reals); i++) {
        nas_value values[3] = {{.integer = -far}, {.integer = 0}, {0}};
        nas_arch *a, *b;
        values[2].real = reals[i];
        assert_int_equal(nas_arch_create(&a, s, values, 3), NAS_OK);
        assert_true(strlen(nas_arch_text(a)) < s->text_most);
        assert_int_equal(nas_arch_parse(&b, s, nas_arch_text(a)), NAS_OK);
        assert_true(nas_arch_equal(a, b) && nas_arch_hash(a) == nas_arch_hash(b));
        nas_arch_free(a);
        nas_arch_free(b);
    }
    nas_space_free(s);
}

/* Several threads that ask for a text that none has asked for before. */
typedef struct {
    const nas_arch *arch;
    const char *wanted;
    pthread_barrier_t *together;
} asker;
static void *ask_text(void *user) {
    asker *a = user;
    pthread_barrier_wait(a->together);
    return strcmp(nas_arch_text(a->arch), a->wanted) == 0 ? a : NULL;
}
static void texts_are_asked_for_at_once(void **state) {
    (void)state;
    enum { THREADS = 4, TURNS = 50 };
    nas_space *s = preset(3);
    nas_random random;
    ni_random_init(&random, 23, 0, "test");
    for (int k = 0; k < TURNS; k++) {
        nas_arch *a, *b;
        nas_value values[128];
        pthread_t threads[THREADS];
        pthread_barrier_t together;
        ni_space_draw(s, &random, values);
        assert_int_equal(ni_arch_make(&a, s, values), NAS_OK);
        assert_int_equal(ni_arch_make(&b, s, values), NAS_OK);
        asker one = {a, nas_arch_text(b), &together};
        assert_int_equal(pthread_barrier_init(&together, NULL, THREADS), 0);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, ask_text, &one), 0);
        for (int i = 0; i < THREADS; i++) {
            void *right;
            assert_int_equal(pthread_join(threads[i], &right), 0);
            assert_non_null(right);
        }
        pthread_barrier_destroy(&together);
        nas_arch_free(a);
        nas_arch_free(b);
    }
    nas_space_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_presets_are_here),
        cmocka_unit_test(long_texts_fit),
        cmocka_unit_test(texts_are_asked_for_at_once),
        cmocka_unit_test(networks_train),
        cmocka_unit_test(texts_come_back),
        cmocka_unit_test(neighbours),
        cmocka_unit_test(hyper_parameters_beside),
        cmocka_unit_test(other_forms),
        cmocka_unit_test(published_networks),
        cmocka_unit_test(mutations_and_crossings),
        cmocka_unit_test(crossings_inside_bounds),
        cmocka_unit_test(mutation_of_201),
        cmocka_unit_test(mutation_of_amoebanet),
        cmocka_unit_test(mutation_of_101),
        cmocka_unit_test(encodings),
        cmocka_unit_test(packed),
    };
    return cmocka_run_group_tests(tests, start, end);
}
