/* Whole trainings beside PyTorch's (golden/training.bin, made by golden/make_training.py in
 * float64): each tensor after each step, learning rates, losses, running statistics, averaged
 * weights; and weights in files: one that PyTorch made is read and gives its logits.
 *
 * Libnas computes in float32. What a step may differ by: 1e-5 of a tensor's length (weights and
 * statistics), 1e-5 of a loss; learning rates, which are not computed in float32, 1e-12.
 *
 *   test-training FILE.bin WEIGHTS.safetensors STEPS.bin
 *   test-training write FILE | read FILE     for golden/check_weights.py: prints the logits */
#include "golden.h"
#include "evaluator/model.h"
#include "evaluator/evaluator.h"
#include "space/space.h"

enum { BATCH = 8, SIDE = 12, CLASSES = 10, STEPS = 6, IMAGE = SIDE * SIDE * 3 };
static const double tolerance = 1e-5;
static const int32_t labels[BATCH] = {3, 0, 4, 1, 7, 9, 2, 3};
static golden_file golden, stored;
static const char *weights_path;

#define OK(expression)                                                                             \
    do {                                                                                           \
        nas_status ok_status_ = (expression);                                                      \
        if (ok_status_ != NAS_OK) fail_msg("%s: %s", #expression, nas_status_name(ok_status_));    \
    } while (0)

/* ---- networks, as golden.py makes them ------------------------------------------------------ */

typedef struct {
    nas_context *context;
    nas_space *space;
    nas_arch *arch;
} world;

static void start(world *w, char arch, int32_t isa) {
    const char *const settings[] = {arch == 's' ? "channels=1" : "channels=4", "cells=1",
                                    "height=12", "width=12"};
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    options.threads = 2;
    options.isa = isa;
    OK(nas_context_create(&w->context, &options));
    OK(nas_space_preset(&w->space, w->context, "nas-bench-201", settings, 4));
    OK(nas_arch_parse(&w->arch, w->space,
                      arch != 'b' ? "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect"
                                    "~0|none~1|nor_conv_3x3~2|"
                                  : "|avg_pool_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|none~0|"
                                    "nor_conv_3x3~1|nor_conv_1x1~2|"));
}

static void end(world *w) {
    nas_arch_free(w->arch);
    nas_space_free(w->space);
    nas_context_free(w->context);
}

static float *singles(const char *name, const char *which, int64_t n, double low, double high) {
    double *from = golden_numbers(name, which, n, low, high);
    float *out = calloc((size_t)n, sizeof *out);
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)from[i];
    free(from);
    return out;
}

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* The first values of a variable, in PyTorch's layout. */
static float *first_values(char arch, const nas_tensor_info *info) {
    char name[16];
    double low = -0.5, high = 0.5;
    int64_t n = 1, fan_in = 1;
    for (uint32_t d = 0; d < info->dimensions; d++) {
        n *= info->shape[d];
        if (d) fan_in *= info->shape[d];
    }
    if (info->dimensions > 1) {
        high = sqrt(3.0 / (double)fan_in);
        low = -high;
    } else if (ends_with(info->name, "weight") || ends_with(info->name, "running_var")) {
        low = 0.5;
        high = 1.5;
    }
    snprintf(name, sizeof name, "network %c", arch);
    return singles(name, info->name, n, low, high);
}

/* ---- one training --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    nas_train_options o; /* warmup: in steps */
} cases[] = {
#define COMMON                                                                                     \
    .struct_size = sizeof(nas_train_options), .epochs = 1, .batch = BATCH, .data_fraction = 1
    {"sgd a",
     {COMMON, .learning_rate = 0.1, .final_rate = 0.01, .momentum = 0.9, .nesterov = 1,
      .weight_decay = 0.005, .schedule = NAS_SCHEDULE_COSINE}},
    {"sgd b",
     {COMMON, .learning_rate = 0.05, .momentum = 0.9, .nesterov = 1, .weight_decay = 0.005,
      .schedule = NAS_SCHEDULE_COSINE}},
    {"decay all a",
     {COMMON, .learning_rate = 0.1, .final_rate = 0.001, .momentum = 0.8, .weight_decay = 0.02,
      .decay_all = 1, .label_smoothing = 0.1, .schedule = NAS_SCHEDULE_ONE_CYCLE, .warmup = 2}},
    {"plain b",
     {COMMON, .learning_rate = 0.1, .nesterov = 1, .schedule = NAS_SCHEDULE_CONSTANT, .warmup = 3}},
    {"clip a",
     {COMMON, .learning_rate = 0.2, .momentum = 0.9, .nesterov = 1, .weight_decay = 0.005,
      .clip = 0.5, .schedule = NAS_SCHEDULE_CONSTANT}},
    {"ema a",
     {COMMON, .learning_rate = 0.1, .momentum = 0.9, .nesterov = 1, .weight_decay = 0.005,
      .ema = 0.3, .schedule = NAS_SCHEDULE_COSINE}},
    {"adam a",
     {COMMON, .optimizer = NAS_OPTIMIZER_ADAM, .learning_rate = 0.01, .momentum = 0.9,
      .beta2 = 0.99, .epsilon = 1e-3, .weight_decay = 0.01, .schedule = NAS_SCHEDULE_COSINE}},
    {"adam b",
     {COMMON, .optimizer = NAS_OPTIMIZER_ADAM, .learning_rate = 0.003, .beta2 = 0.999,
      .momentum = 0.8, .epsilon = 1e-4, .weight_decay = 0.05, .decay_all = 1,
      .schedule = NAS_SCHEDULE_ONE_CYCLE, .warmup = 1}},
    {"adamw a",
     {COMMON, .optimizer = NAS_OPTIMIZER_ADAMW, .learning_rate = 0.01, .momentum = 0.9,
      .beta2 = 0.99, .epsilon = 1e-3, .weight_decay = 0.2, .clip = 1, .label_smoothing = 0.2,
      .schedule = NAS_SCHEDULE_COSINE}},
    {"adamw b",
     {COMMON, .optimizer = NAS_OPTIMIZER_ADAMW, .learning_rate = 0.01, .final_rate = 0.002,
      .momentum = 0.9, .beta2 = 0.99, .epsilon = 1e-3, .weight_decay = 0.2, .decay_all = 1,
      .schedule = NAS_SCHEDULE_COSINE}},
};

static double worst; /* of all that was compared, in tolerances */

static void near(const char *name, const char *part, double got, double wanted, double allowed) {
    double off = fabs(got - wanted) / allowed;
    if (!(off <= worst)) worst = off;
    if (!(off <= 1))
        fail_msg("%s: %s is %.9g, PyTorch's %.9g: off by %.3g, allowed %.3g", name, part, got,
                 wanted, fabs(got - wanted), allowed);
}

static double recorded(const unsigned char *values, uint32_t i) {
    double value;
    memcpy(&value, values + 8 * (size_t)i, 8);
    return value;
}

/* Length of a tensor and its products with two directions, as the script sums it up. */
static void compare_summary(const char *name, uint64_t step, const char *tensor, const float *got,
                            int64_t n) {
    char part[160];
    uint32_t count;
    double length = 0;
    snprintf(part, sizeof part, "%d/%s", (int)step, tensor);
    const unsigned char *wanted = golden_find(&golden, name, part, &count);
    assert_int_equal(count, 3);
    for (int64_t i = 0; i < n; i++)
        length += (double)got[i] * (double)got[i];
    length = sqrt(length);
    near(name, part, length, recorded(wanted, 0), tolerance * (1e-3 + recorded(wanted, 0)));
    for (uint32_t k = 0; k < 2; k++) {
        char direction[32];
        double sum = 0;
        snprintf(direction, sizeof direction, "direction %u", (unsigned)k);
        double *along = golden_numbers(tensor, direction, n, -1, 1);
        for (int64_t i = 0; i < n; i++)
            sum += along[i] * (double)got[i];
        free(along);
        near(name, part, sum, recorded(wanted, k + 1), tolerance * (1e-3 + recorded(wanted, 0)));
    }
}

/* Every number, in the end. */
static void compare_all(const char *name, const char *tensor, const float *got, int64_t n) {
    char part[160];
    uint32_t count;
    double largest = 0;
    snprintf(part, sizeof part, "%s/all", tensor);
    const unsigned char *wanted = golden_seek(&golden, name, part, &count);
    if (!wanted) return;
    assert_int_equal(count, n);
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < count; i++) {
            float value;
            memcpy(&value, wanted + 4 * (size_t)i, 4);
            if (round == 0)
                largest = fmax(largest, fabs((double)value));
            else
                near(name, part, (double)got[i], (double)value, tolerance * largest);
        }
}

static const float *batch_images;
static nas_status next(void *user, uint64_t epoch, int64_t index, const float **images,
                       const int32_t **wanted, int64_t *fill) {
    (void)user, (void)epoch, (void)index;
    *images = batch_images;
    *wanted = labels;
    *fill = BATCH;
    return NAS_OK;
}

/* A variable of a trainer in PyTorch's layout; free() it. */
static float *file_values(const ni_var *var, const float *values) {
    float *out = calloc((size_t)ni_shape_count(var->shape), sizeof *out);
    ni_model_copy(var, (float *)(uintptr_t)(values + var->offset), out, true);
    return out;
}

static void train(const char *name, nas_train_options o, int32_t isa) {
    world w;
    ni_net net;
    ni_arch_net build;
    ni_trainer *trainer;
    char arch = name[strlen(name) - 1];
    uint32_t count = 0;
    start(&w, arch, isa);
    OK(ni_arch_network(&net, &build, w.arch, 0));
    o.warmup /= STEPS;
    OK(ni_trainer_create(&trainer, w.context, &net, &o));
    ni_vars *vars = ni_trainer_vars(trainer);
    float *values = ni_trainer_values(trainer);
    for (uint32_t slot = 0; slot < ni_vars_count(vars); slot++) {
        const ni_var *var = ni_vars_get(vars, slot);
        nas_tensor_info info;
        ni_model_shape(var, &info);
        float *first = first_values(arch, &info);
        ni_model_copy(var, values + var->offset, first, false);
        free(first);
    }
    /* an average begins with the first weights: those that were just set */
    if (o.ema > 0)
        memcpy((float *)(uintptr_t)ni_trainer_result(trainer), values,
               ni_vars_size(vars) * sizeof *values);
    const ni_batches batches = {NULL, STEPS, BATCH, next};
    const unsigned char *losses = golden_find(&golden, name, "losses", &count);
    const unsigned char *rates = golden_find(&golden, name, "rates", &count);
    assert_int_equal(count, STEPS);
    for (uint32_t step = 0; step < STEPS; step++) {
        double loss = 0, correct = 0;
        int64_t images = 0;
        OK(ni_trainer_run(trainer, &batches, 0, step, step + 1, step, STEPS, &loss, &correct,
                          &images, NULL, NULL));
        double wanted = recorded(losses, step), rate = recorded(rates, step);
        near(name, "loss", loss / BATCH, wanted, tolerance * (1e-3 + wanted));
        near(name, "learning rate", ni_learning_rate(&o, step, STEPS, STEPS), rate, 1e-12);
        for (uint32_t slot = 0; slot < ni_vars_count(vars); slot++) {
            const ni_var *var = ni_vars_get(vars, slot);
            float *got = file_values(var, values);
            compare_summary(name, step + 1, var->name, got, ni_shape_count(var->shape));
            free(got);
        }
    }
    for (uint32_t slot = 0; slot < ni_vars_count(vars); slot++) {
        const ni_var *var = ni_vars_get(vars, slot);
        float *got = file_values(var, ni_trainer_result(trainer));
        compare_all(name, var->name, got, ni_shape_count(var->shape));
        free(got);
    }
    float logits[BATCH * CLASSES];
    ni_predictor *predictor;
    OK(ni_predictor_create(&predictor, w.context, &net, vars,
                           (float *)(uintptr_t)ni_trainer_result(trainer)));
    OK(ni_predictor_run(predictor, batch_images, BATCH, logits));
    const unsigned char *wanted = golden_find(&golden, name, "logits", &count);
    assert_int_equal(count, BATCH * CLASSES);
    double largest = 0;
    for (uint32_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(recorded(wanted, i)));
    for (uint32_t i = 0; i < count; i++)
        near(name, "logits", (double)logits[i], recorded(wanted, i), tolerance * largest);
    for (int64_t i = 0; i < BATCH; i++) { /* one image alone */
        float alone[CLASSES];
        OK(ni_predictor_run(predictor, batch_images + i * IMAGE, 1, alone));
        for (int64_t k = 0; k < CLASSES; k++)
            near(name, "logit of one image", (double)alone[k], (double)logits[i * CLASSES + k],
                 1e-6 * largest);
    }
    ni_predictor_free(predictor);
    const ni_batches once = {NULL, 1, BATCH, next};
    nas_metrics metrics = {.struct_size = sizeof metrics};
    OK(ni_trainer_measure(trainer, &once, &metrics));
    wanted = golden_find(&golden, name, "measured", &count);
    near(name, "measured loss", metrics.loss, recorded(wanted, 0),
         tolerance * (1e-3 + recorded(wanted, 0)));
    ni_trainer_free(trainer);
    end(&w);
}

static void test_training(void **state) {
    (void)state;
    for (int32_t isa = 0; isa < 2; isa++) {
        worst = 0;
        for (size_t i = 0; i < NI_COUNT(cases); i++)
            train(cases[i].name, cases[i].o, isa ? NAS_ISA_GENERIC : NAS_ISA_BEST);
        print_message("%s kernels: %d trainings of %d steps, at most %.2f of what is allowed\n",
                      isa ? "generic" : "best", (int)NI_COUNT(cases), STEPS, worst);
    }
}

/* ---- steps from PyTorch's weights and momentum (golden/steps.bin, by make_steps.py) ------------
 */

enum { STORED = 50 };

/* What was stored before a step: values of all variables, momentum of the trained ones; in memory's
 * layout, as a trainer has them. */
static void stored_state(const ni_vars *vars, int step, float *values, float *momentum) {
    char name[16];
    snprintf(name, sizeof name, "step %d", step);
    for (int part = 0; part < 2; part++) {
        uint32_t count, at = 0;
        const unsigned char *from =
            golden_find(&stored, name, part ? "momentum/all" : "values/all", &count);
        float *all = calloc(count, sizeof *all);
        memcpy(all, from, count * sizeof *all);
        for (uint32_t slot = 0; slot < ni_vars_count(vars); slot++) {
            const ni_var *var = ni_vars_get(vars, slot);
            if (part && var->kind != NI_PARAMETER) continue;
            assert_true(at + ni_shape_count(var->shape) <= count);
            ni_model_copy(var, (part ? momentum : values) + var->offset, all + at, false);
            at += (uint32_t)ni_shape_count(var->shape);
        }
        assert_int_equal(at, count);
        free(all);
    }
}

/* The checkpoint that holds them. */
static void set_state(world *w, ni_trainer *trainer, const float *values, const float *momentum) {
    size_t bytes = ni_vars_size(ni_trainer_vars(trainer)) * sizeof *values, n;
    nas_writer *writer;
    nas_reader *reader;
    OK(nas_writer_create(&writer, w->context));
    OK(nas_write_u64(writer, 1));
    OK(nas_write_u64(writer, 0));
    OK(nas_write_bytes(writer, values, bytes));
    OK(nas_write_bytes(writer, momentum, bytes));
    OK(nas_write_bytes(writer, values, 0));
    OK(nas_write_bytes(writer, values, 0));
    const void *all = nas_writer_data(writer, &n);
    OK(nas_reader_create(&reader, w->context, all, n));
    OK(ni_trainer_load(trainer, reader));
    nas_reader_free(reader);
    nas_writer_free(writer);
}

/* Length of got - wanted by the length of wanted - before, over variables of a kind. */
static double apart(const ni_vars *vars, ni_var_kind kind, const float *before, const float *got,
                    const float *wanted) {
    double off = 0, length = 0;
    for (uint32_t slot = 0; slot < ni_vars_count(vars); slot++) {
        const ni_var *var = ni_vars_get(vars, slot);
        if (var->kind != kind) continue;
        for (size_t i = var->offset; i < var->offset + (size_t)ni_shape_count(var->shape); i++) {
            off += pow((double)got[i] - (double)wanted[i], 2);
            length += pow((double)wanted[i] - (double)before[i], 2);
        }
    }
    return sqrt(off / length);
}

static void stored_steps(int32_t isa) {
    const nas_train_options o = {COMMON,
                                 .learning_rate = 0.1,
                                 .momentum = 0.9,
                                 .nesterov = 1,
                                 .weight_decay = 5e-4,
                                 .decay_all = 1,
                                 .schedule = NAS_SCHEDULE_COSINE};
    const float *const usual = batch_images;
    world w;
    ni_net net;
    ni_arch_net build;
    ni_trainer *trainer;
    uint32_t count;
    double loss_worst = 0, update_worst = 0, statistics_worst = 0;
    start(&w, 's', isa);
    OK(ni_arch_network(&net, &build, w.arch, 0));
    OK(ni_trainer_create(&trainer, w.context, &net, &o));
    const ni_vars *vars = ni_trainer_vars(trainer);
    size_t size = ni_vars_size(vars);
    float *parts[4];
    for (int i = 0; i < 4; i++)
        parts[i] = calloc(size, sizeof(float));
    const unsigned char *losses = golden_find(&stored, "step", "losses", &count);
    assert_int_equal(count, STORED);
    const ni_batches batches = {NULL, STORED, BATCH, next};
    for (int step = 0; step < STORED; step++) {
        char part[16];
        double loss = 0, correct = 0;
        int64_t n = 0;
        snprintf(part, sizeof part, "images %d", step);
        float *images = singles("steps", part, BATCH * IMAGE, -2, 2);
        batch_images = images;
        stored_state(vars, step, parts[0], parts[1]);
        stored_state(vars, step + 1, parts[2], parts[3]);
        set_state(&w, trainer, parts[0], parts[1]);
        OK(ni_trainer_run(trainer, &batches, 0, step, step + 1, (uint64_t)step, STORED, &loss,
                          &correct, &n, NULL, NULL));
        const float *got = ni_trainer_values(trainer);
        loss_worst = fmax(loss_worst, fabs(loss / BATCH - recorded(losses, (uint32_t)step)));
        update_worst = fmax(update_worst, apart(vars, NI_PARAMETER, parts[0], got, parts[2]));
        statistics_worst = fmax(statistics_worst, apart(vars, NI_STATE, parts[0], got, parts[2]));
        free(images);
    }
    batch_images = usual;
    print_message("%s kernels, %d steps from PyTorch's weights and momentum: worst loss difference "
                  "%.1e, update %.1e, statistics %.1e\n",
                  isa == NAS_ISA_GENERIC ? "generic" : "best", STORED, loss_worst, update_worst,
                  statistics_worst);
    assert_true(loss_worst <= 1e-5 && update_worst <= 1e-3 && statistics_worst <= 1e-3);
    for (int i = 0; i < 4; i++)
        free(parts[i]);
    ni_trainer_free(trainer);
    end(&w);
}

static void test_stored_steps(void **state) {
    (void)state;
    stored_steps(NAS_ISA_BEST);
    stored_steps(NAS_ISA_GENERIC);
}

/* Names of tensors are the reference network's: all of the file's are ours, and all of ours there.
 */
static void test_names(void **state) {
    (void)state;
    world w;
    nas_model *model;
    nas_tensor_info info;
    uint32_t n = 0, count;
    start(&w, 'a', NAS_ISA_BEST);
    OK(nas_model_create(&model, w.arch, 0));
    while (nas_model_tensor(model, n, &info) == NAS_OK) {
        char part[160];
        snprintf(part, sizeof part, "1/%s", info.name);
        golden_find(&golden, "sgd a", part, &count);
        n++;
    }
    uint32_t there = 0;
    for (size_t at = 0; at + 8 <= golden.size;) {
        uint32_t length;
        memcpy(&length, golden.bytes + at, 4);
        const char *text = (const char *)golden.bytes + at + 4;
        memcpy(&count, text + length, 4);
        there += length > 8 && memcmp(text, "sgd a/1/", 8) == 0;
        at += 8 + length + (memcmp(text + length - 4, "/all", 4) == 0 ? 4 : 8) * (size_t)count;
    }
    assert_int_equal(n, there);
    nas_model_free(model);
    end(&w);
}

/* A file that PyTorch made, its counters of batches too. */
static void test_weights(void **state) {
    (void)state;
    world w;
    nas_model *model;
    float logits[BATCH * CLASSES];
    uint32_t count;
    double largest = 0;
    start(&w, 'b', NAS_ISA_BEST);
    OK(nas_model_create(&model, w.arch, 7));
    if (nas_model_load_weights(model, weights_path) != NAS_OK)
        fail_msg("%s", nas_context_error(w.context));
    OK(nas_model_predict(model, batch_images, BATCH, logits));
    const unsigned char *wanted = golden_find(&golden, "weights", "logits", &count);
    assert_int_equal(count, BATCH * CLASSES);
    for (uint32_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(recorded(wanted, i)));
    for (uint32_t i = 0; i < count; i++)
        near("weights", "logits", (double)logits[i], recorded(wanted, i), tolerance * largest);
    nas_model_free(model);
    /* it names no architecture: the other network is told what does not fit, and stays as it was */
    nas_model *other;
    assert_int_equal(nas_model_load(&other, w.context, weights_path), NAS_E_CORRUPT);
    assert_non_null(strstr(nas_context_error(w.context), "names no space"));
    end(&w);
    start(&w, 'a', NAS_ISA_BEST);
    float before[BATCH * CLASSES];
    OK(nas_model_create(&model, w.arch, 7));
    OK(nas_model_predict(model, batch_images, BATCH, before));
    assert_int_equal(nas_model_load_weights(model, weights_path), NAS_E_SHAPE);
    OK(nas_model_predict(model, batch_images, BATCH, logits));
    assert_memory_equal(before, logits, sizeof logits);
    nas_model_free(model);
    end(&w);
}

/* ---- for check_weights.py ------------------------------------------------------------------- */

static int exchange(bool write, const char *path) {
    world w;
    nas_model *model;
    nas_tensor_info info;
    float logits[BATCH * CLASSES];
    start(&w, 'a', NAS_ISA_BEST);
    nas_status status = nas_model_create(&model, w.arch, 0);
    for (uint32_t i = 0; write && status >= 0; i++) {
        int64_t n = 1;
        if (nas_model_tensor(model, i, &info) != NAS_OK) break;
        for (uint32_t d = 0; d < info.dimensions; d++)
            n *= info.shape[d];
        float *first = first_values('a', &info);
        status = nas_model_write_tensor(model, info.name, first, (size_t)n);
        free(first);
    }
    if (status >= 0)
        status = write ? nas_model_save(model, path) : nas_model_load_weights(model, path);
    if (status >= 0) status = nas_model_predict(model, batch_images, BATCH, logits);
    if (status < 0) fprintf(stderr, "%s\n", nas_context_error(w.context));
    for (int i = 0; status >= 0 && i < BATCH * CLASSES; i++)
        printf("%.9g\n", (double)logits[i]);
    nas_model_free(model);
    end(&w);
    return status < 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_stored_steps),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_weights),
    };
    float *images = singles("batch", "images", BATCH * IMAGE, -2, 2);
    int failed = 1;
    batch_images = images;
    if (argc == 3 && (strcmp(argv[1], "write") == 0 || strcmp(argv[1], "read") == 0)) {
        failed = exchange(argv[1][0] == 'w', argv[2]);
    } else if (golden_open(&golden, argc > 1 ? argv[1] : "tests/golden/training.bin") &&
               golden_open(&stored, argc > 3 ? argv[3] : "tests/golden/steps.bin")) {
        weights_path = argc > 2 ? argv[2] : "tests/golden/weights.safetensors";
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        free(golden.bytes);
        free(stored.bytes);
    }
    free(images);
    return failed;
}
