/* One network: its architecture and its weights; trained, measured, used. Files are
 * safetensors.c's. */
#include <inttypes.h>
#include <math.h>
#include "model.h"

enum { MEASURE_BATCH = 100 };

/* Weights come from the seed and the variables' names, so that the measuring trainer alone knows
 * them. */
nas_status nas_model_create(nas_model **out, const nas_arch *arch, uint64_t seed) {
    const nas_space *space = nas_arch_space(arch);
    nas_context *context = ni_space_context(space);
    NI_TRY(ni_enter(context));
    nas_model *m = ni_calloc(context, 1, sizeof *m);
    if (!m) return NAS_E_MEMORY;
    m->context = context;
    m->arch = nas_arch_hold((nas_arch *)(uintptr_t)arch);
    m->seed = seed;
    for (int i = 0; i < 4; i++)
        m->deviation[i] = 1;
    nas_status status = ni_arch_network(&m->net, &m->build, arch, 0);
    if (status >= 0)
        status = ni_trainer_create_measuring(&m->measuring, context, &m->net, MEASURE_BATCH, seed);
    if (status >= 0)
        status = ni_predictor_create(&m->predictor, context, &m->net, ni_trainer_vars(m->measuring),
                                     ni_trainer_values(m->measuring));
    if (status < 0) {
        nas_model_free(m);
        return status;
    }
    *out = m;
    return NAS_OK;
}

void nas_model_free(nas_model *m) {
    if (!m) return;
    nas_space *space = m->owned_space;
    ni_predictor_free(m->predictor);
    ni_trainer_free(m->measuring);
    nas_context *context = m->context;
    nas_arch_free(m->arch);
    ni_free(context, m);
    nas_space_free(space);
}

float *ni_model_values(nas_model *m) {
    ni_predictor_thaw(m->predictor);
    return ni_trainer_values(m->measuring);
}

const nas_arch *nas_model_arch(const nas_model *m) {
    return m->arch;
}

nas_status nas_model_describe(const nas_model *m, nas_model_info *out) {
    nas_model_info info = {.struct_size = sizeof info};
    NI_TRY(ni_enter(m->context));
    NI_TRY(ni_space_image(nas_arch_space(m->arch), &info.height, &info.width, &info.channels,
                          &info.classes));
    memcpy(info.mean, m->mean, sizeof info.mean);
    memcpy(info.deviation, m->deviation, sizeof info.deviation);
    return ni_answer(m->context, out, &info, sizeof info, sizeof info, "nas_model_info");
}

/* ---- training
 * ------------------------------------------------------------------------------------- */

void nas_train_hooks_init(nas_train_hooks *hooks) {
    *hooks = (nas_train_hooks)NAS_TRAIN_HOOKS_INIT;
}

typedef struct {
    nas_context *context;
    nas_train_hooks hooks;
    ni_trainer *trainer;
} training;

static nas_status keep(const training *t, const nas_train_progress *progress) {
    nas_writer *writer;
    NI_TRY(nas_writer_create(&writer, t->context));
    nas_status status = ni_trainer_save(t->trainer, writer);
    if (status >= 0) {
        size_t n;
        const void *bytes = nas_writer_data(writer, &n);
        status = t->hooks.keep(t->hooks.user, progress, bytes, n);
    }
    nas_writer_free(writer);
    return status;
}

static nas_status epoch_ended(void *user, const nas_train_progress *progress) {
    const training *t = user;
    nas_status kept = t->hooks.keep ? keep(t, progress) : NAS_OK;
    if (kept < 0) return kept;
    nas_status answer =
        t->hooks.epoch_ended ? t->hooks.epoch_ended(t->hooks.user, progress) : NAS_OK;
    return answer == NAS_OK ? kept : answer;
}

static nas_status keep_going(void *user) {
    const training *t = user;
    return t->hooks.keep_going(t->hooks.user);
}

static nas_status go_on_from(const training *t) {
    nas_reader *reader;
    if (!t->hooks.kept) return NAS_OK;
    NI_TRY(nas_reader_create(&reader, t->context, t->hooks.kept, (size_t)t->hooks.n_kept));
    nas_status status = ni_trainer_load(t->trainer, reader);
    if (status >= 0 && nas_reader_left(reader) > 0)
        status = ni_fail(t->context, NAS_E_CORRUPT,
                         "a checkpoint of training is longer than it should be");
    nas_reader_free(reader);
    return status;
}

static nas_status fit(nas_model *m, training *t, const nas_dataset *data,
                      const nas_train_options *o) {
    size_t bytes = ni_vars_size(ni_trainer_vars(t->trainer)) * sizeof(float);
    memcpy(ni_trainer_values(t->trainer), ni_trainer_values(m->measuring), bytes);
    NI_TRY(go_on_from(t));
    ni_fit fit = {t->trainer, data, o,   0, epoch_ended, t->hooks.keep_going ? keep_going : NULL,
                  t,          0,    NULL};
    if (o->max_seconds > 0) fit.deadline = ni_clock() + (double)o->max_seconds;
    nas_train_progress last;
    bool late;
    nas_status status = ni_fit_run(&fit, &last, &late);
    if (status < 0) return status;
    nas_dataset_info info = {.struct_size = sizeof info};
    memcpy(ni_model_values(m), ni_trainer_result(t->trainer), bytes);
    if (nas_dataset_describe(data, &info) >= 0) {
        memcpy(m->mean, info.mean, sizeof m->mean);
        memcpy(m->deviation, info.deviation, sizeof m->deviation);
    }
    return status;
}

nas_status nas_model_train_with(nas_model *m, const nas_dataset *data,
                                const nas_train_options *options, const nas_train_hooks *hooks) {
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    training t = {m->context, NAS_TRAIN_HOOKS_INIT, NULL};
    ni_arch_net build;
    ni_net net;
    NI_TRY(ni_enter(m->context));
    NI_TRY(ni_options(m->context, &o, sizeof o, sizeof o, options, "nas_train_options"));
    NI_TRY(
        ni_options(m->context, &t.hooks, sizeof t.hooks, sizeof t.hooks, hooks, "nas_train_hooks"));
    NI_TRY(ni_fit_check(nas_arch_space(m->arch), data));
    NI_TRY(ni_arch_network(&net, &build, m->arch, o.dropout));
    build.drop_path = o.drop_path;
    NI_TRY(ni_trainer_create(&t.trainer, m->context, &net, &o));
    nas_status status = fit(m, &t, data, &o);
    ni_trainer_free(t.trainer);
    return status;
}

nas_status nas_model_train(nas_model *m, const nas_dataset *data, const nas_train_options *options,
                           nas_train_fn progress, void *user) {
    nas_train_hooks hooks = NAS_TRAIN_HOOKS_INIT;
    hooks.user = user;
    hooks.epoch_ended = progress;
    return nas_model_train_with(m, data, options, &hooks);
}

nas_status nas_model_evaluate(nas_model *m, const nas_dataset *data, int32_t split,
                              nas_metrics *out) {
    NI_TRY(ni_enter(m->context));
    NI_TRY(ni_fit_check(nas_arch_space(m->arch), data));
    nas_metrics metrics;
    NI_TRY(ni_fit_measure(m->measuring, data, split, MEASURE_BATCH, &metrics));
    return ni_answer(m->context, out, &metrics, sizeof metrics, sizeof metrics, "nas_metrics");
}

nas_status nas_model_predict(nas_model *m, const float *images, int64_t n, float *logits) {
    NI_TRY(ni_enter(m->context));
    if (n < 0 || (n > 0 && (!images || !logits)))
        return ni_fail(m->context, NAS_E_INVALID, "predict: %" PRId64 " images need both arrays",
                       n);
    return ni_predictor_run(m->predictor, images, n, logits);
}

/* ---- variables in PyTorch's layout
 * --------------------------------------------------------------- */

void ni_model_shape(const ni_var *var, nas_tensor_info *out) {
    const int64_t *d = var->shape.d;
    memset(out, 0, sizeof *out);
    out->name = var->name;
    out->trained = var->kind == NI_PARAMETER;
    switch (var->layout) {
    case NI_FILE_CONV:
        out->dimensions = 4;
        out->shape[0] = d[3], out->shape[1] = d[2], out->shape[2] = d[0], out->shape[3] = d[1];
        break;
    case NI_FILE_LINEAR:
        out->dimensions = 2;
        out->shape[0] = d[3], out->shape[1] = d[0];
        break;
    case NI_FILE_EMBEDDING:
        out->dimensions = 2;
        out->shape[0] = d[0], out->shape[1] = d[3];
        break;
    default:
        out->dimensions = 1;
        out->shape[0] = ni_shape_count(var->shape);
        break;
    }
}

/* Between memory (KH, KW, CI, CO or CI, CO) and file (CO, CI, KH, KW or CO, CI). */
void ni_model_copy(const ni_var *var, float *memory, float *file, bool to_file) {
    const int64_t *d = var->shape.d;
    int64_t taps = var->layout == NI_FILE_CONV ? d[0] * d[1] : 1;
    int64_t ci = var->layout == NI_FILE_CONV ? d[2] : d[0], co = d[3];
    if (var->layout == NI_FILE_AS_IS || var->layout == NI_FILE_EMBEDDING) {
        taps = ci = 1;
        co = ni_shape_count(var->shape);
    }
    for (int64_t t = 0; t < taps; t++)
        for (int64_t i = 0; i < ci; i++)
            for (int64_t o = 0; o < co; o++) {
                float *a = memory + (t * ci + i) * co + o, *b = file + (o * ci + i) * taps + t;
                if (to_file)
                    *b = *a;
                else
                    *a = *b;
            }
}

nas_status nas_model_tensor(const nas_model *m, uint32_t index, nas_tensor_info *out) {
    const ni_vars *vars = ni_trainer_vars(m->measuring);
    NI_TRY(ni_enter(m->context));
    if (index >= ni_vars_count(vars)) return NAS_DONE;
    ni_model_shape(ni_vars_get(vars, index), out);
    return NAS_OK;
}

static nas_status tensor(const nas_model *m, const char *name, size_t n, const ni_var **out) {
    const ni_vars *vars = ni_trainer_vars(m->measuring);
    uint32_t slot;
    NI_TRY(ni_enter(m->context));
    if (!name || !ni_vars_find(vars, name, &slot))
        return ni_fail(m->context, NAS_E_NOT_FOUND, "the network has no variable '%.120s'",
                       name ? name : "");
    *out = ni_vars_get(vars, slot);
    if ((size_t)ni_shape_count((*out)->shape) != n)
        return ni_fail(m->context, NAS_E_SHAPE, "'%s' has %" PRId64 " numbers, not %zu", name,
                       ni_shape_count((*out)->shape), n);
    return NAS_OK;
}

nas_status nas_model_read_tensor(const nas_model *m, const char *name, float *out, size_t n) {
    const ni_var *var;
    NI_TRY(tensor(m, name, n, &var));
    ni_model_copy(var, ni_trainer_values(m->measuring) + var->offset, out, true);
    return NAS_OK;
}

nas_status nas_model_write_tensor(nas_model *m, const char *name, const float *values, size_t n) {
    const ni_var *var;
    NI_TRY(tensor(m, name, n, &var));
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return ni_fail(m->context, NAS_E_INVALID, "'%s': number %zu is not finite", name, i);
    ni_model_copy(var, ni_model_values(m) + var->offset, (float *)(uintptr_t)values, false);
    return NAS_OK;
}
