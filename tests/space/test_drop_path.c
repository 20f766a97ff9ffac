/* Drop-path: whole images, by a probability that grows over the training; operations of cells
 * alone, identities never; not while measuring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "libnas/evaluator.h"
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

static void whole_images(void **state) {
    (void)state;
    enum { N = 400, EACH = 6, ALL = N * EACH };
    nas_graph *g;
    ni_vars *vars;
    ni_node x, y;
    ni_program *program;
    static float in[ALL], out[ALL];
    const void *inputs[] = {in};
    void *outputs[] = {out};
    assert_int_equal(ni_vars_create(&vars, context), NAS_OK);
    assert_int_equal(ni_graph_create(&g, context, vars, NI_F32, NI_TRAIN), NAS_OK);
    assert_int_equal(ni_input(g, ni_shape4(N, 1, 2, 3), NULL, &x), NAS_OK);
    assert_int_equal(ni_drop_path(g, x, &y), NAS_OK);
    assert_int_equal(x, y); /* no probability was set */
    assert_int_equal(ni_graph_drop_path(g, 1), NAS_E_INVALID);
    assert_int_equal(ni_graph_drop_path(g, -0.1), NAS_E_INVALID);
    assert_int_equal(ni_graph_drop_path(g, 0.6), NAS_OK);
    assert_int_equal(ni_drop_path(g, x, &y), NAS_OK);
    assert_true(x != y);
    const ni_output output = {y, NI_NONE};
    assert_int_equal(ni_program_create(&program, g, &output, 1, NULL), NAS_OK);
    for (int i = 0; i < ALL; i++)
        in[i] = (float)(i + 1);
    for (int k = 0; k <= 4; k++) {
        double scale = k / 4.0, drop = 0.6 * scale;
        ni_run run = {.inputs = inputs, .outputs = outputs, .random_key = {1, 2}};
        int dropped = 0;
        run.drop_scale = scale;
        assert_int_equal(ni_program_run(program, &run), NAS_OK);
        for (int n = 0; n < N; n++) {
            bool gone = out[n * EACH] == 0;
            dropped += gone;
            for (int i = n * EACH; i < (n + 1) * EACH; i++)
                assert_true(fabs((double)out[i] - (gone ? 0 : (i + 1) / (1 - drop))) <
                            1e-6 * (i + 1) / (1 - drop));
        }
        double deviation = sqrt(N * drop * (1 - drop));
        assert_true(fabs(dropped - N * drop) <= 4 * deviation);
    }
    ni_program_free(program);
    ni_graph_free(g);
    ni_vars_free(vars);
}

/* Masks in the network of an architecture. */
static int masks(const nas_arch *arch, double drop_path, ni_mode mode) {
    ni_net net;
    ni_arch_net build;
    nas_graph *g;
    ni_vars *vars;
    ni_node images, logits;
    int n = 0;
    assert_int_equal(ni_arch_network(&net, &build, arch, 0), NAS_OK);
    build.drop_path = drop_path;
    assert_int_equal(ni_vars_create(&vars, context), NAS_OK);
    assert_int_equal(ni_graph_create(&g, context, vars, NI_F32, mode), NAS_OK);
    assert_int_equal(ni_input(g, ni_shape4(2, net.height, net.width, net.channels), NULL, &images),
                     NAS_OK);
    if (net.build(net.user, g, images, &logits) < 0) fail_msg("%s", nas_context_error(context));
    for (uint32_t i = 0; i < ni_graph_nodes(g); i++)
        n += strcmp(ni_node_op_name(g, i), "dropout_mask") == 0;
    ni_graph_free(g);
    ni_vars_free(vars);
    return n;
}

static void operations_of_cells(void **state) {
    (void)state;
    static const struct {
        const char *preset, *arch;
        int wanted;
    } cases[] = {
        /* 3 cells, of which the second and the third reduce. Normal: DARTS_V2 has 8 operations, 2
         * of them identities. Reduction: 8, of which 3 are identities, none of them on the inputs.
         */
        {"darts", "DARTS_V2", 6 + 5 + 5},
        /* every edge but the identity and what is nothing, in 3 stages of one cell */
        {"nas-bench-201",
         "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|",
         12},
    };
    for (size_t i = 0; i < NI_COUNT(cases); i++) {
        const char *overrides[] = {i ? "cells=1" : "cells=3", "channels=4", "height=16",
                                   "width=16"};
        nas_space *s;
        nas_arch *arch;
        assert_int_equal(nas_space_preset(&s, context, cases[i].preset, overrides, 4), NAS_OK);
        assert_int_equal(nas_arch_parse(&arch, s, cases[i].arch), NAS_OK);
        assert_int_equal(masks(arch, 0.3, NI_TRAIN), cases[i].wanted);
        assert_int_equal(masks(arch, 0, NI_TRAIN), 0);
        assert_int_equal(masks(arch, 0.3, NI_EVAL), 0);
        nas_arch_free(arch);
        nas_space_free(s);
    }
}

static void networks_without_cells(void **state) {
    (void)state;
    static const char text[] = "space: m\nnetwork: {template: mlp, image: {height: 1, width: 1, "
                               "channels: 9, classes: 3}}\n"
                               "layers: {least: 1, most: 3, units: [4, 8]}\n";
    nas_space *s;
    nas_arch *arch;
    ni_net net;
    ni_arch_net build;
    ni_trainer *trainer;
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    assert_int_equal(nas_space_parse(&s, context, text, strlen(text), "t", NULL, 0), NAS_OK);
    assert_int_equal(nas_space_at(s, 0, &arch), NAS_OK);
    assert_int_equal(ni_arch_network(&net, &build, arch, 0), NAS_OK);
    build.drop_path = 0.2;
    assert_int_equal(ni_trainer_create(&trainer, context, &net, &o), NAS_E_UNSUPPORTED);
    assert_string_equal(nas_context_error(context),
                        "t:3:9: space 'm': drop_path drops operations of cells, and networks of "
                        "template 'mlp' have none");
    nas_arch_free(arch);
    nas_space_free(s);
}

typedef struct {
    float images[4 * 8 * 8 * 3];
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

/* The loss of each of four steps, by `drop_path`. */
static void losses(nas_context *c, double drop_path, double *out) {
    const char *overrides[] = {"cells=1", "channels=4", "height=8", "width=8"};
    nas_space *s;
    nas_arch *arch;
    ni_net net;
    ni_arch_net build;
    ni_trainer *trainer;
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    nas_random random;
    data d;
    ni_random_init(&random, 1, 0, "test");
    ni_random_fill_normal(&random, d.images, NI_COUNT(d.images), 0, 1);
    for (int i = 0; i < 4; i++)
        d.labels[i] = i;
    assert_int_equal(nas_space_preset(&s, c, "nas-bench-201", overrides, 4), NAS_OK);
    assert_int_equal(
        nas_arch_parse(&arch, s,
                       "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|"
                       "nor_conv_1x1~1|nor_conv_3x3~2|"),
        NAS_OK);
    o.batch = 4;
    o.drop_path = drop_path;
    assert_int_equal(ni_arch_network(&net, &build, arch, 0), NAS_OK);
    build.drop_path = o.drop_path;
    assert_int_equal(ni_trainer_create(&trainer, c, &net, &o), NAS_OK);
    ni_batches batches = {&d, 4, 4, next};
    for (int i = 0; i < 4; i++) {
        double right = 0;
        int64_t seen = 0;
        out[i] = 0;
        assert_int_equal(ni_trainer_run(trainer, &batches, 0, i, i + 1, (uint64_t)i, 4, &out[i],
                                        &right, &seen, NULL, NULL),
                         NAS_OK);
    }
    ni_trainer_free(trainer);
    nas_arch_free(arch);
    nas_space_free(s);
}

static void grows_over_the_training(void **state) {
    (void)state;
    double plain[4], dropped[4], again[4];
    nas_context_options many = NAS_CONTEXT_OPTIONS_INIT;
    nas_context *other;
    many.threads = 3;
    assert_int_equal(nas_context_create(&other, &many), NAS_OK);
    losses(context, 0, plain);
    losses(context, 0.5, dropped);
    losses(other, 0.5, again);
    assert_memory_equal(dropped, again, sizeof dropped);
    /* nothing is dropped in the first step; masks of ones are there all the same */
    assert_true(fabs(plain[0] - dropped[0]) < 1e-6 * plain[0]);
    assert_true(fabs(plain[3] - dropped[3]) > 1e-3 * plain[3]);
    nas_context_free(other);
}

static void setting(void **state) {
    (void)state;
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    nas_evaluator *evaluator;
    assert_true(o.drop_path == 0);
    assert_int_equal(nas_train_options_set(context, &o, "drop_path=0.2"), NAS_OK);
    assert_true(o.drop_path == 0.2);
    o.drop_path = 1;
    assert_int_equal(nas_evaluator_train(&evaluator, context, &o), NAS_E_INVALID);
    assert_string_equal(nas_context_error(context),
                        "training: drop_path is 1 and must be 0 to 0.99");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_images),
        cmocka_unit_test(operations_of_cells),
        cmocka_unit_test(networks_without_cells),
        cmocka_unit_test(grows_over_the_training),
        cmocka_unit_test(setting),
    };
    return cmocka_run_group_tests(tests, start, end);
}
