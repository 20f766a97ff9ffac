/* Training: the programs of one network, its weights with what their optimizer keeps beside them,
 * and the step. Everything is allocated when the trainer is made. */
#include <inttypes.h>
#include <math.h>
#include "nn.h"

enum { PIECE_ELEMENTS = 1 << 15 };

/* Elements from .. to of the value buffer, all of one kind. */
typedef struct {
    int64_t from, to;
    bool decay;
} segment;

struct ni_trainer {
    nas_context *context;
    ni_net net;
    nas_train_options o;
    ni_vars *vars;
    ni_step_graph train_step, measure_step;
    ni_program *train, *measure;
    size_t size;                                             /* elements of a value buffer */
    float *values, *gradients, *moments, *squares, *average; /* the last three: NULL if not used */
    NI_ARRAY(segment) pieces;
    double *piece_sums;
    uint64_t steps; /* made so far */
    bool measures_only;
    ni_kernels kernels;
    float loss, correct;
    void **train_results;
};

nas_status ni_train_options_check(nas_context *context, const nas_train_options *o) {
    const struct {
        const char *name;
        double value, least, most;
    } all[] = {
        {"epochs", o->epochs, 1e-6, 1e6},
        {"batch", o->batch, 1, 65536},
        {"optimizer", o->optimizer, NAS_OPTIMIZER_SGD, NAS_OPTIMIZER_ADAMW},
        {"learning_rate", o->learning_rate, 0, 1e6},
        {"final_rate", o->final_rate, 0, 1e6},
        {"momentum", o->momentum, 0, 0.999999},
        {"beta2", o->beta2, 0, 0.99999999},
        {"epsilon", o->epsilon, 0, 1},
        {"nesterov", o->nesterov, 0, 1},
        {"schedule", o->schedule, NAS_SCHEDULE_CONSTANT, NAS_SCHEDULE_ONE_CYCLE},
        {"warmup", o->warmup, 0, 1e6},
        {"weight_decay", o->weight_decay, 0, 1e3},
        {"decay_all", o->decay_all, 0, 1},
        {"label_smoothing", o->label_smoothing, 0, 1},
        {"clip", o->clip, 0, 1e30},
        {"dropout", o->dropout, 0, 0.99},
        {"drop_path", o->drop_path, 0, 0.99},
        {"ema", o->ema, 0, 0.9999999},
        {"data_fraction", o->data_fraction, 1e-9, 1},
        {"validate", o->validate, 0, 2},
        {"use_validation", o->use_validation, 0, 1},
        {"max_seconds", (double)o->max_seconds, 0, 1e12},
    };
    for (size_t i = 0; i < NI_COUNT(all); i++) {
        if (all[i].value >= all[i].least && all[i].value <= all[i].most) continue;
        char a[NI_NUMBER_TEXT], b[NI_NUMBER_TEXT], c[NI_NUMBER_TEXT];
        return ni_fail(context, NAS_E_INVALID, "training: %s is %s and must be %s to %s",
                       all[i].name, ni_f64_text(a, all[i].value), ni_f64_text(b, all[i].least),
                       ni_f64_text(c, all[i].most));
    }
    return NAS_OK;
}

/* ---- making one
 * ---------------------------------------------------------------------------------- */

static nas_status train_program(ni_trainer *t) {
    ni_plan_options plan = {
        .isa = NAS_ISA_BEST, .memory_limit = (size_t)t->o.memory_limit, .tuning = t->o.tuning};
    NI_TRY(ni_training_graph(&t->train_step, t->context, t->vars, &t->net, t->o.batch,
                             t->o.label_smoothing));
    return ni_program_create(&t->train, t->train_step.graph, t->train_step.outputs,
                             t->train_step.n_outputs, &plan);
}

static nas_status measure_program(ni_trainer *t) {
    ni_plan_options plan = {.isa = NAS_ISA_BEST, .tuning = t->o.tuning};
    NI_TRY(ni_measuring_graph(&t->measure_step, t->context, t->vars, &t->net, t->o.batch));
    return ni_program_create(&t->measure, t->measure_step.graph, t->measure_step.outputs,
                             t->measure_step.n_outputs, &plan);
}

/* Cuts what is trained in pieces of a fixed size: neighbours of one kind together. */
static nas_status cut(ni_trainer *t) {
    for (uint32_t slot = 0; slot < ni_vars_count(t->vars); slot++) {
        const ni_var *var = ni_vars_get(t->vars, slot);
        if (var->kind != NI_PARAMETER) continue;
        int64_t at = (int64_t)var->offset, end = at + ni_shape_count(var->shape);
        bool decay = var->decay || t->o.decay_all;
        while (at < end) {
            int64_t to = end - at > PIECE_ELEMENTS ? at + PIECE_ELEMENTS : end;
            segment *last = t->pieces.n ? &t->pieces.items[t->pieces.n - 1] : NULL;
            /* padding between neighbours is 0, and stays 0 */
            if (last && last->decay == decay && at - last->to < 16 && at >= last->to &&
                to - last->from <= PIECE_ELEMENTS) {
                last->to = to;
            } else {
                segment s = {at, to, decay};
                NI_TRY(NI_PUSH(t->context, &t->pieces, s));
            }
            at = to;
        }
    }
    t->piece_sums = ni_calloc(t->context, t->pieces.n + 1, sizeof *t->piece_sums);
    return t->piece_sums ? NAS_OK : NAS_E_MEMORY;
}

static float *buffer(ni_trainer *t, size_t n) {
    float *b = ni_alloc_aligned(t->context, n * sizeof *b);
    if (b) memset(b, 0, n * sizeof *b);
    return b;
}

static nas_status prepare(ni_trainer *t) {
    NI_TRY(ni_vars_create(&t->vars, t->context));
    if (!t->measures_only) NI_TRY(train_program(t));
    NI_TRY(measure_program(t));
    t->size = ni_vars_size(t->vars);
    bool trains = !t->measures_only, adam = trains && t->o.optimizer != NAS_OPTIMIZER_SGD;
    if (!(t->values = buffer(t, t->size)) || (trains && !(t->gradients = buffer(t, t->size))) ||
        (trains && !(t->moments = buffer(t, t->size))) ||
        (adam && !(t->squares = buffer(t, t->size))) ||
        (t->o.ema > 0 && !(t->average = buffer(t, t->size))) ||
        !(t->train_results =
              ni_calloc(t->context, (size_t)t->train_step.n_outputs + 2, sizeof *t->train_results)))
        return NAS_E_MEMORY;
    t->train_results[0] = &t->loss;
    t->train_results[1] = &t->correct;
    ni_kernels_get(&t->kernels, NI_F32, nas_context_isa(t->context));
    ni_vars_initialise(t->vars, t->values, NI_F32, t->o.seed);
    if (t->average) memcpy(t->average, t->values, t->size * sizeof *t->values);
    return cut(t);
}

static nas_status create(ni_trainer **out, nas_context *context, const ni_net *net,
                         const nas_train_options *options, bool measures_only) {
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, options, "nas_train_options"));
    NI_TRY(ni_train_options_check(context, &o));
    ni_trainer *t = ni_calloc(context, 1, sizeof *t);
    if (!t) return NAS_E_MEMORY;
    t->context = context;
    t->net = *net;
    t->o = o;
    t->measures_only = measures_only;
    nas_status status = prepare(t);
    if (status < 0) {
        ni_trainer_free(t);
        return status;
    }
    *out = t;
    return NAS_OK;
}

nas_status ni_trainer_create(ni_trainer **out, nas_context *context, const ni_net *net,
                             const nas_train_options *options) {
    return create(out, context, net, options, false);
}

nas_status ni_trainer_create_measuring(ni_trainer **out, nas_context *context, const ni_net *net,
                                       uint32_t batch, uint64_t seed) {
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    o.batch = batch;
    o.seed = seed;
    return create(out, context, net, &o, true);
}

void ni_trainer_free(ni_trainer *t) {
    if (!t) return;
    nas_context *context = t->context;
    if (t->train) ni_program_free(t->train);
    if (t->measure) ni_program_free(t->measure);
    ni_step_graph_free(&t->train_step);
    ni_step_graph_free(&t->measure_step);
    if (t->vars) ni_vars_free(t->vars);
    ni_free(context, t->values);
    ni_free(context, t->gradients);
    ni_free(context, t->moments);
    ni_free(context, t->squares);
    ni_free(context, t->average);
    ni_free(context, t->train_results);
    ni_free(context, t->piece_sums);
    NI_ARRAY_FREE(context, &t->pieces);
    ni_free(context, t);
}

ni_vars *ni_trainer_vars(ni_trainer *t) {
    return t->vars;
}

float *ni_trainer_values(ni_trainer *t) {
    return t->values;
}

const float *ni_trainer_result(const ni_trainer *t) {
    return t->average ? t->average : t->values;
}

uint64_t ni_trainer_steps(const ni_trainer *t) {
    return t->steps;
}

/* ---- one step
 * -------------------------------------------------------------------------------------- */

typedef struct {
    ni_trainer *t;
    double rate, gradient_scale, keep;
} update;

static void square_piece(void *user, uint32_t piece, uint32_t lane) {
    const update *u = user;
    const segment *s = &u->t->pieces.items[piece];
    double sum = 0;
    (void)lane;
    for (int64_t i = s->from; i < s->to; i++)
        sum += (double)u->t->gradients[i] * (double)u->t->gradients[i];
    u->t->piece_sums[piece] = sum;
}

static void update_piece(void *user, uint32_t piece, uint32_t lane) {
    const update *u = user;
    ni_trainer *t = u->t;
    const segment *s = &t->pieces.items[piece];
    double decay = s->decay ? t->o.weight_decay : 0;
    (void)lane;
    if (t->o.optimizer == NAS_OPTIMIZER_SGD)
        t->kernels.sgd(t->values, t->gradients, t->moments, u->rate, t->o.momentum, decay,
                       t->o.nesterov && t->o.momentum > 0, false, u->gradient_scale, s->from,
                       s->to);
    else
        t->kernels.adam(t->values, t->gradients, t->moments, t->squares, u->rate, t->o.momentum,
                        t->o.beta2, t->o.epsilon, decay, t->o.optimizer == NAS_OPTIMIZER_ADAMW,
                        (int64_t)t->steps + 1, u->gradient_scale, s->from, s->to);
}

static void average_piece(void *user, uint32_t piece, uint32_t lane) {
    const update *u = user;
    ni_trainer *t = u->t;
    int64_t from = (int64_t)piece * PIECE_ELEMENTS, to = from + PIECE_ELEMENTS;
    if (to > (int64_t)t->size) to = (int64_t)t->size;
    (void)lane;
    t->kernels.axpby(u->keep, t->average, 1 - u->keep, t->values, t->average, from, to);
}

static nas_status step(ni_trainer *t, const float *images, const int32_t *labels, double rate,
                       double progress) {
    const void *inputs[2];
    inputs[t->train_step.image_input] = images;
    inputs[t->train_step.label_input] = labels;
    ni_run run;
    memset(&run, 0, sizeof run);
    run.inputs = inputs;
    run.values = t->values;
    run.gradients = t->gradients;
    run.outputs = t->train_results;
    run.random_key[0] = t->o.seed;
    run.random_key[1] = t->steps;
    run.drop_scale = progress;
    run.update_state = true;
    NI_TRY(ni_program_run(t->train, &run));
    update u = {t, rate, 1, 0};
    uint32_t pieces = (uint32_t)t->pieces.n;
    if (t->o.clip > 0) {
        double sum = 0;
        ni_parallel(t->context, pieces, square_piece, &u);
        for (uint32_t i = 0; i < pieces; i++)
            sum += t->piece_sums[i];
        double norm = sqrt(sum);
        if (norm > t->o.clip) u.gradient_scale = t->o.clip / (norm + 1e-6);
    }
    ni_parallel(t->context, pieces, update_piece, &u);
    t->steps++;
    if (t->average) {
        /* young averages forget faster, so that the first weights do not weigh for long */
        double young = (1 + (double)t->steps) / (10 + (double)t->steps);
        u.keep = young < t->o.ema ? young : t->o.ema;
        ni_parallel(t->context, (uint32_t)((t->size + PIECE_ELEMENTS - 1) / PIECE_ELEMENTS),
                    average_piece, &u);
    }
    return NAS_OK;
}

nas_status ni_trainer_run(ni_trainer *t, const ni_batches *data, uint64_t epoch, int64_t from,
                          int64_t to, uint64_t first_step, uint64_t total_steps, double *loss_sum,
                          double *correct, int64_t *images_seen,
                          nas_status (*keep_going)(void *user), void *user) {
    if (t->measures_only)
        return ni_fail(t->context, NAS_E_STATE, "this trainer was made to measure only");
    if (data->batch != t->o.batch)
        return ni_fail(t->context, NAS_E_INVALID,
                       "batches of %" PRId64 " images for a training of %" PRIu32, data->batch,
                       t->o.batch);
    for (int64_t index = from; index < to; index++) {
        const float *images;
        const int32_t *labels;
        int64_t fill;
        uint64_t now = first_step + (uint64_t)(index - from);
        NI_TRY(data->next(data->user, epoch, index, &images, &labels, &fill));
        double rate = ni_learning_rate(&t->o, now, total_steps, (double)data->batches);
        double progress = total_steps ? (double)now / (double)total_steps : 0;
        NI_TRY(step(t, images, labels, rate, progress < 1 ? progress : 1));
        if (!isfinite(t->loss)) {
            char text[NI_NUMBER_TEXT];
            return ni_fail(t->context, NAS_E_DIVERGED,
                           "training diverged: the loss is %s in epoch %" PRIu64 ", step %" PRIu64
                           "; a smaller learning rate may help",
                           ni_f64_text(text, (double)t->loss), epoch + 1, now + 1);
        }
        *loss_sum += (double)t->loss * (double)fill;
        *correct += (double)t->correct;
        *images_seen += fill;
        if (keep_going) {
            nas_status answer = keep_going(user);
            if (answer != NAS_OK) return answer;
        }
    }
    return NAS_OK;
}

/* ---- measuring
 * -------------------------------------------------------------------------------------- */

static nas_status run_measure(ni_trainer *t, const float *images, const int32_t *labels,
                              float *loss, float *correct) {
    const void *inputs[2];
    inputs[t->measure_step.image_input] = images;
    inputs[t->measure_step.label_input] = labels;
    void *results[3] = {loss, correct, NULL};
    ni_run run;
    memset(&run, 0, sizeof run);
    run.inputs = inputs;
    run.values = t->average ? t->average : t->values;
    run.outputs = results;
    return ni_program_run(t->measure, &run);
}

nas_status ni_trainer_measure(ni_trainer *t, const ni_batches *data, nas_metrics *out) {
    nas_metrics m = {.struct_size = sizeof m};
    if (data->batch != t->o.batch)
        return ni_fail(t->context, NAS_E_INVALID,
                       "batches of %" PRId64 " images for a network of %" PRIu32, data->batch,
                       t->o.batch);
    for (int64_t index = 0; index < data->batches; index++) {
        const float *images;
        const int32_t *labels;
        int64_t fill;
        float loss, correct;
        NI_TRY(data->next(data->user, 0, index, &images, &labels, &fill));
        NI_TRY(run_measure(t, images, labels, &loss, &correct));
        m.loss += (double)loss * (double)fill;
        m.accuracy += (double)correct;
        m.n += fill;
    }
    if (m.n) {
        m.loss /= (double)m.n;
        m.accuracy /= (double)m.n;
    }
    *out = m;
    return NAS_OK;
}

/* ---- checkpoints: bit for bit
 * ------------------------------------------------------------------------ */

enum { CHECKPOINT_VERSION = 1 };

nas_status ni_trainer_save(const ni_trainer *t, nas_writer *to) {
    size_t bytes = t->size * sizeof(float);
    if (t->measures_only)
        return ni_fail(t->context, NAS_E_STATE, "a trainer that only measures has no checkpoint");
    NI_TRY(nas_write_u64(to, CHECKPOINT_VERSION));
    NI_TRY(nas_write_u64(to, t->steps));
    NI_TRY(nas_write_bytes(to, t->values, bytes));
    NI_TRY(nas_write_bytes(to, t->moments, bytes));
    NI_TRY(nas_write_bytes(to, t->squares, t->squares ? bytes : 0));
    return nas_write_bytes(to, t->average, t->average ? bytes : 0);
}

nas_status ni_trainer_load(ni_trainer *t, nas_reader *from) {
    uint64_t version, steps;
    float *const to[] = {t->values, t->moments, t->squares, t->average};
    const void *bytes[NI_COUNT(to)];
    size_t n[NI_COUNT(to)];
    if (t->measures_only)
        return ni_fail(t->context, NAS_E_STATE, "a trainer that only measures has no checkpoint");
    NI_TRY(nas_read_u64(from, &version));
    if (version != CHECKPOINT_VERSION)
        return ni_fail(t->context, NAS_E_VERSION,
                       "a checkpoint of training has version %" PRIu64 "; this library reads %d",
                       version, CHECKPOINT_VERSION);
    NI_TRY(nas_read_u64(from, &steps));
    for (size_t i = 0; i < NI_COUNT(to); i++) {
        NI_TRY(nas_read_bytes(from, &bytes[i], &n[i]));
        if (n[i] != (to[i] ? t->size * sizeof(float) : 0))
            return ni_fail(t->context, NAS_E_CORRUPT,
                           "a checkpoint of training is of another network or another optimizer");
    }
    for (size_t i = 0; i < NI_COUNT(to); i++)
        if (n[i]) memcpy(to[i], bytes[i], n[i]);
    t->steps = steps;
    return NAS_OK;
}
