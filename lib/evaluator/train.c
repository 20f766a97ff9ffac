/* The training evaluator: a proposal's network is trained for so many epochs and measured on the
 * validation split. Stateless: what comes out depends on the proposal, the settings and the data
 * alone (and, for a trial that continues another, on the weights kept of that one). */
#include <inttypes.h>
#include <math.h>
#include "fit.h"

typedef struct {
    nas_context *context;
    nas_train_options o;
    const nas_space *space;
    const nas_dataset *data;
} evaluator;

static nas_status prepare(void *self, const nas_space *space, nas_dataset *data) {
    evaluator *e = self;
    if (!data) return ni_fail(e->context, NAS_E_INVALID, "evaluator 'train' needs a data set");
    NI_TRY(ni_fit_check(space, data));
    e->space = space;
    e->data = data;
    return NAS_OK;
}

/* Settings of one trial: the evaluator's, then the space's hyper-parameters, then the fidelity. */
static nas_status trial_options(const evaluator *e, const nas_proposal *asked, const nas_arch *arch,
                                uint64_t began, nas_train_options *o) {
    double v;
    *o = e->o;
    if (ni_arch_hyper(arch, "learning_rate", &v)) o->learning_rate = v;
    if (ni_arch_hyper(arch, "momentum", &v)) o->momentum = v;
    if (ni_arch_hyper(arch, "weight_decay", &v)) o->weight_decay = v;
    if (ni_arch_hyper(arch, "label_smoothing", &v)) o->label_smoothing = v;
    if (ni_arch_hyper(arch, "dropout", &v)) o->dropout = v;
    if (ni_arch_hyper(arch, "drop_path", &v)) o->drop_path = v;
    if (ni_arch_hyper(arch, "epochs", &v)) o->epochs = v;
    if (ni_arch_hyper(arch, "batch", &v)) {
        if (!(v >= 1 && v <= 65536))
            return ni_fail(e->context, NAS_E_INVALID,
                           "the hyper-parameter 'batch' must be 1 to 65536");
        o->batch = (uint32_t)v;
    }
    o->epochs = nas_proposal_fidelity(asked, "epochs", o->epochs);
    o->data_fraction = nas_proposal_fidelity(asked, "data_fraction", o->data_fraction);
    /* every training has streams of its own */
    uint64_t words[2] = {nas_proposal_seed(asked) + e->o.seed, began};
    o->seed = ni_hash(words, sizeof words);
    return NAS_OK;
}

typedef struct {
    const evaluator *e;
    nas_reporter *progress;
    nas_result_builder *out;
    ni_trainer *trainer;
    nas_train_progress before; /* of the checkpoint that it goes on from */
    bool loaded;
    uint64_t began;   /* the trial that began this training */
    const void *kept; /* borrowed; n_kept 0: it begins here */
    size_t n_kept;
    bool own; /* it is of this very trial */
} trial;

enum { NUMBERS_KEPT = 9 };

/* A checkpoint: the trial that began the training, the trainer, the progress, and the result so far
 * (its curves), so that a trial that goes on from it ends as one that was never broken off. A trial
 * that continues another uses the random streams of the one that began, and so does what that one
 * would have done had it gone on. */
static nas_status keep(trial *t, const nas_train_progress *p) {
    const double numbers[NUMBERS_KEPT] = {
        p->epoch,        p->epochs,         (double)p->step,    (double)p->steps,
        p->train_loss,   p->train_accuracy, p->validation_loss, p->validation_accuracy,
        p->learning_rate};
    nas_writer *writer;
    size_t n;
    NI_TRY(nas_writer_create(&writer, t->e->context));
    nas_status status = nas_write_u64(writer, t->began);
    if (status >= 0) status = ni_trainer_save(t->trainer, writer);
    if (status >= 0) status = nas_write_f64s(writer, numbers, NUMBERS_KEPT);
    if (status >= 0) status = ni_result_save(nas_result_so_far(t->out), writer);
    if (status >= 0) {
        const void *bytes = nas_writer_data(writer, &n);
        status = nas_report_keep(t->progress, bytes, n);
    }
    nas_writer_free(writer);
    return status;
}

static nas_status epoch_ended(void *user, const nas_train_progress *p) {
    trial *t = user;
    bool measured = p->validation_accuracy >= 0;
    NI_TRY(nas_result_add_point(t->out, "train_loss", p->epoch, p->train_loss));
    if (measured) {
        NI_TRY(nas_result_add_point(t->out, "accuracy", p->epoch, p->validation_accuracy));
        NI_TRY(nas_result_add_point(t->out, "loss", p->epoch, p->validation_loss));
    }
    if (nas_report_keep_due(t->progress, p->step >= p->steps)) NI_TRY(keep(t, p));
    return nas_report(t->progress, p->epoch, p->epochs, measured ? "accuracy" : "train_accuracy",
                      measured ? p->validation_accuracy : p->train_accuracy);
}

static nas_status keep_going(void *user) {
    const trial *t = user;
    return nas_report_poll(t->progress);
}

static nas_status load_progress(trial *t, nas_reader *from) {
    double n[NUMBERS_KEPT];
    nas_train_progress *p = &t->before;
    NI_TRY(nas_read_f64s(from, n, NUMBERS_KEPT));
    memset(p, 0, sizeof *p);
    p->struct_size = sizeof *p;
    p->epoch = n[0];
    p->epochs = n[1];
    p->step = (uint64_t)n[2];
    p->steps = (uint64_t)n[3];
    p->train_loss = n[4];
    p->train_accuracy = n[5];
    p->validation_loss = n[6];
    p->validation_accuracy = n[7];
    p->learning_rate = n[8];
    t->loaded = true;
    return NAS_OK;
}

static nas_status load_result(trial *t, nas_reader *from) {
    nas_result *so_far;
    NI_TRY(ni_result_load(&so_far, t->e->context, from));
    nas_status status = ni_result_copy(so_far, t->out);
    ni_result_free(so_far);
    return status;
}

/* A checkpoint of this very trial, or of the one that it continues: whose streams are they? */
static nas_status look(trial *t, const nas_proposal *asked) {
    nas_reader *reader;
    t->began = nas_proposal_trial(asked);
    t->own = true;
    NI_TRY(nas_report_kept(t->progress, &t->kept, &t->n_kept));
    if (t->n_kept == 0) {
        t->own = false;
        NI_TRY(nas_report_from(t->progress, &t->kept, &t->n_kept));
    }
    if (t->n_kept == 0) return NAS_OK;
    NI_TRY(nas_reader_create(&reader, t->e->context, t->kept, t->n_kept));
    nas_status status = nas_read_u64(reader, &t->began);
    nas_reader_free(reader);
    return status;
}

/* What was found; of a trial that this one continues the curves are not this one's. */
static nas_status load(trial *t) {
    nas_reader *reader;
    uint64_t began;
    if (t->n_kept == 0) return NAS_OK;
    NI_TRY(nas_reader_create(&reader, t->e->context, t->kept, t->n_kept));
    nas_status status = nas_read_u64(reader, &began);
    if (status >= 0) status = ni_trainer_load(t->trainer, reader);
    if (status >= 0) status = load_progress(t, reader);
    if (status >= 0 && t->own) status = load_result(t, reader);
    nas_reader_free(reader);
    return status;
}

static nas_status finish(trial *t, const nas_arch *arch, const nas_train_options *o,
                         const nas_train_progress *last) {
    nas_arch_cost cost = {.struct_size = sizeof cost};
    NI_TRY(nas_arch_costs(arch, &cost));
    if (last->validation_accuracy >= 0) {
        NI_TRY(nas_result_set(t->out, "accuracy", last->validation_accuracy));
        NI_TRY(nas_result_set(t->out, "loss", last->validation_loss));
    } else if (o->validate == 0 || o->use_validation) {
        NI_TRY(nas_result_set(t->out, "accuracy", last->train_accuracy));
    }
    NI_TRY(nas_result_set(t->out, "train_loss", last->train_loss));
    NI_TRY(nas_result_set(t->out, "train_accuracy", last->train_accuracy));
    NI_TRY(nas_result_set(t->out, "epochs", last->epoch));
    NI_TRY(nas_result_set(t->out, "params", (double)cost.params));
    return nas_result_set(t->out, "macs", (double)cost.macs);
}

static nas_status run(trial *t, const nas_proposal *asked, const nas_arch *arch) {
    const evaluator *e = t->e;
    nas_train_options o;
    ni_arch_net build;
    ni_net net;
    nas_train_progress last;
    bool late = false;
    NI_TRY(look(t, asked));
    NI_TRY(trial_options(e, asked, arch, t->began, &o));
    NI_TRY(ni_arch_network(&net, &build, arch, o.dropout));
    build.drop_path = o.drop_path;
    NI_TRY(ni_trainer_create(&t->trainer, e->context, &net, &o));
    NI_TRY(load(t));
    ni_fit fit = {t->trainer, e->data,     &o,
                  t->began,   epoch_ended, keep_going,
                  t,          0,           t->loaded ? &t->before : NULL};
    if (t->progress && t->progress->deadline > 0) fit.deadline = t->progress->deadline;
    if (o.max_seconds > 0) {
        double limit = ni_clock() + (double)o.max_seconds;
        if (fit.deadline <= 0 || limit < fit.deadline) fit.deadline = limit;
    }
    nas_status status = ni_fit_run(&fit, &last, &late);
    if (status < 0) return status;
    if (late)
        return nas_result_set_infeasible(t->out, NAS_REASON_TIME,
                                         "the trial took longer than it may");
    NI_TRY(finish(t, arch, &o, &last));
    return status == NAS_STOP ? nas_result_set_state(t->out, NAS_STATE_STOPPED) : NAS_OK;
}

static nas_status evaluate(void *self, const nas_proposal *asked, nas_reporter *progress,
                           nas_result_builder *out) {
    trial t = {.e = self, .progress = progress, .out = out};
    const nas_arch *arch = nas_proposal_arch(asked);
    if (!arch)
        return ni_fail(t.e->context, NAS_E_UNSUPPORTED,
                       "evaluator 'train' trains whole networks: the proposal is a relaxed one");
    if (!t.e->data)
        return ni_fail(t.e->context, NAS_E_STATE, "evaluator 'train' was not prepared with data");
    nas_status status = run(&t, asked, arch);
    ni_trainer_free(t.trainer);
    return status;
}

static void destroy(void *self) {
    evaluator *e = self;
    ni_free(e->context, e);
}

/* What tells two settings apart, for a resume. */
static void identity(const nas_train_options *o, ni_text *text) {
    ni_text_add(text, "epochs=");
    ni_text_f64(text, o->epochs);
    ni_text_f(text, " batch=%" PRIu32 " optimizer=%" PRId32 " learning_rate=", o->batch,
              o->optimizer);
    ni_text_f64(text, o->learning_rate);
    ni_text_add(text, " final_rate=");
    ni_text_f64(text, o->final_rate);
    ni_text_add(text, " momentum=");
    ni_text_f64(text, o->momentum);
    ni_text_add(text, " beta2=");
    ni_text_f64(text, o->beta2);
    ni_text_add(text, " epsilon=");
    ni_text_f64(text, o->epsilon);
    ni_text_f(text, " nesterov=%" PRId32 " schedule=%" PRId32 " warmup=", o->nesterov, o->schedule);
    ni_text_f64(text, o->warmup);
    ni_text_add(text, " weight_decay=");
    ni_text_f64(text, o->weight_decay);
    ni_text_f(text, " decay_all=%" PRId32 " label_smoothing=", o->decay_all);
    ni_text_f64(text, o->label_smoothing);
    ni_text_add(text, " clip=");
    ni_text_f64(text, o->clip);
    ni_text_add(text, " dropout=");
    ni_text_f64(text, o->dropout);
    ni_text_add(text, " ema=");
    ni_text_f64(text, o->ema);
    ni_text_add(text, " data_fraction=");
    ni_text_f64(text, o->data_fraction);
    ni_text_f(text, " validate=%" PRId32 " use_validation=%" PRId32 " seed=%" PRIu64, o->validate,
              o->use_validation, o->seed);
    if (o->drop_path > 0) { /* stores of trainings without it stay as they were */
        ni_text_add(text, " drop_path=");
        ni_text_f64(text, o->drop_path);
    }
    if (o->memory_limit) ni_text_f(text, " memory_limit=%" PRIu64, o->memory_limit);
}

nas_status nas_evaluator_train(nas_evaluator **out, nas_context *context,
                               const nas_train_options *options) {
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, options, "nas_train_options"));
    NI_TRY(ni_train_options_check(context, &o));
    if (o.tuning && ni_tuning_context(o.tuning) != context)
        return ni_fail(context, NAS_E_INVALID,
                       "training: the tuning table belongs to another context");
    evaluator *e = ni_calloc(context, 1, sizeof *e);
    if (!e) return NAS_E_MEMORY;
    e->context = context;
    e->o = o;
    nas_evaluator_ops ops;
    memset(&ops, 0, sizeof ops);
    ops.struct_size = sizeof ops;
    ops.flags = NAS_EVALUATOR_CONCURRENT | NAS_EVALUATOR_STATELESS | NAS_EVALUATOR_NEEDS_NETWORK |
                NAS_EVALUATOR_NEEDS_DATA | NAS_EVALUATOR_CONTINUES;
    ops.prepare = prepare;
    ops.evaluate = evaluate;
    ops.destroy = destroy;
    ni_text text;
    ni_text_init(&text, context);
    identity(&o, &text);
    nas_status status = text.status;
    if (status >= 0) status = ni_evaluator_make(out, context, "train", &ops, e, ni_text_get(&text));
    ni_text_free(&text);
    if (status < 0)
        ni_free(context, e);
    else if (o.tuning)
        ni_evaluator_set_tuning(*out, nas_tuning_hash(o.tuning));
    return status;
}

/* ---- by name
 * ---------------------------------------------------------------------------------------- */

const char *nas_evaluator_builtin(uint32_t index) {
    static const char *const names[] = {"train", "table"};
    return index < NI_COUNT(names) ? names[index] : NULL;
}

const char *nas_evaluator_settings(const char *name) {
    if (name && strcmp(name, "table") == 0) return ni_table_settings;
    if (!name || strcmp(name, "train") != 0) return NULL;
    return "epochs = 12: passes over the training split; fractions are allowed\n"
           "batch = 64: images a step\n"
           "optimizer = sgd: sgd, adam, adamw\n"
           "learning_rate = 0.1: at its height\n"
           "final_rate = 0: at the end of the schedule\n"
           "momentum = 0.9: of sgd; Adam's beta1\n"
           "beta2 = 0.999: of Adam\n"
           "epsilon = 1e-8: of Adam\n"
           "nesterov = true: Nesterov's momentum\n"
           "schedule = cosine: constant, cosine, one-cycle\n"
           "warmup = 0: epochs of linear rise\n"
           "weight_decay = 5e-4: on weights of convolutions and linear layers\n"
           "decay_all = false: on batch norms and biases too\n"
           "label_smoothing = 0: of the cross-entropy, 0 .. 1\n"
           "clip = 0: global norm of the gradient; 0: none\n"
           "dropout = 0: before the classifier\n"
           "drop_path = 0: of operations in cells, grows to this linearly\n"
           "ema = 0: decay of averaged weights; 0: none\n"
           "data_fraction = 1: of the training split\n"
           "validate = 1: 1 after each epoch, 2 at the end, 0 never\n"
           "use_validation = false: train on the validation split too\n"
           "max_seconds = 0: a longer trial is infeasible; 0: no limit\n"
           "seed = 0: added to the search's\n"
           "memory_limit = 0: bytes of a step's tensors; 0: none; a trial that needs more is "
           "infeasible\n";
}

nas_status nas_evaluator_named(nas_evaluator **out, nas_context *context, const char *name,
                               const char *const *settings, size_t n_settings) {
    NI_TRY(ni_enter(context));
    if (name && strcmp(name, "table") == 0)
        return ni_table_named(out, context, settings, n_settings);
    if (!name || strcmp(name, "train") != 0) {
        static const char *const known[] = {"train", "table"};
        const char *near = ni_nearest(name ? name : "", known, NI_COUNT(known));
        return ni_fail(context, NAS_E_NOT_FOUND, "there is no evaluator '%.80s'%s%s%s",
                       name ? name : "",
                       near ? "; did you mean '" : "; there are 'train' and 'table",
                       near ? near : "", near ? "'?" : "'");
    }
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    for (size_t i = 0; i < n_settings; i++)
        NI_TRY(nas_train_options_set(context, &o, settings[i]));
    return nas_evaluator_train(out, context, &o);
}
