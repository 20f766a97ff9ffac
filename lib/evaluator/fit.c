/* A whole training: epochs over the data, measured after each, until it is done or told to stop. */
#include "fit.h"
#include <inttypes.h>
#include <math.h>

nas_status ni_fit_check(const nas_space *space, const nas_dataset *data) {
    nas_context *context = ni_space_context(space);
    int64_t h, w, c, classes;
    nas_dataset_info info = {.struct_size = sizeof info};
    NI_TRY(ni_space_image(space, &h, &w, &c, &classes));
    NI_TRY(nas_dataset_describe(data, &info));
    if (h == info.height && w == info.width && c == info.channels && classes >= info.classes)
        return NAS_OK;
    return ni_fail(context, NAS_E_SHAPE,
                   "space '%s' is for images of %" PRId64 "x%" PRId64 "x%" PRId64 " in %" PRId64
                   " classes, and the data has %" PRId64 "x%" PRId64 "x%" PRId64 " in %" PRId64
                   ": set the space's parameters",
                   nas_space_name(space), h, w, c, classes, info.height, info.width, info.channels,
                   info.classes);
}

nas_status ni_fit_measure(ni_trainer *trainer, const nas_dataset *data, int32_t split,
                          uint32_t batch, nas_metrics *out) {
    ni_loader_options o;
    ni_loader *loader;
    memset(&o, 0, sizeof o);
    o.split = split;
    o.batch = batch;
    o.fraction = 1;
    NI_TRY(ni_loader_create(&loader, ni_dataset_context(data), data, &o));
    nas_status status = ni_trainer_measure(trainer, ni_loader_batches(loader), out);
    ni_loader_free(loader);
    return status;
}

typedef struct {
    const ni_fit *fit;
    double next_poll;
    bool late;
} poller;

static nas_status poll(void *user) {
    poller *p = user;
    double now = ni_clock();
    if (now < p->next_poll) return NAS_OK;
    p->next_poll = now + 0.1;
    if (p->fit->deadline > 0 && now > p->fit->deadline) {
        p->late = true;
        return NAS_STOP;
    }
    return p->fit->keep_going ? p->fit->keep_going(p->fit->user) : NAS_OK;
}

/* The loss of a step is looked at before the step is made: what the last one made of the weights
 * shows in them. */
static nas_status check_weights(const ni_fit *f, nas_context *context) {
    const float *values = ni_trainer_result(f->trainer);
    size_t n = ni_vars_size(ni_trainer_vars(f->trainer));
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return ni_fail(context, NAS_E_DIVERGED,
                           "training diverged: a weight is not finite after step %" PRIu64
                           "; a smaller learning rate may help",
                           ni_trainer_steps(f->trainer));
    return NAS_OK;
}

nas_status ni_fit_run(ni_fit *f, nas_train_progress *last, bool *deadline_hit) {
    const nas_train_options *o = f->options;
    nas_context *context = ni_dataset_context(f->data);
    ni_loader_options lo;
    ni_loader *loader;
    memset(&lo, 0, sizeof lo);
    lo.split = NAS_SPLIT_TRAIN;
    lo.also_validation = o->use_validation;
    lo.batch = o->batch;
    lo.shuffle = lo.augment = lo.drop_last = 1;
    lo.fraction = o->data_fraction;
    lo.seed = o->seed;
    lo.trial = f->trial;
    NI_TRY(ni_loader_create(&loader, context, f->data, &lo));
    const ni_batches *batches = ni_loader_batches(loader);
    double start = ni_clock();
    uint64_t total = (uint64_t)llround(o->epochs * (double)batches->batches);
    if (total < 1) total = 1;
    poller p = {f, 0, false};
    nas_status status = NAS_OK;
    memset(last, 0, sizeof *last);
    last->struct_size = sizeof *last;
    last->validation_loss = last->validation_accuracy = -1;
    if (f->before) *last = *f->before;
    while (status == NAS_OK && ni_trainer_steps(f->trainer) < total) {
        uint64_t step = ni_trainer_steps(f->trainer), n = (uint64_t)batches->batches;
        uint64_t epoch = step / n, from = step % n;
        uint64_t to = total - epoch * n < n ? total - epoch * n : n;
        double loss = 0, correct = 0;
        int64_t images = 0;
        status = ni_trainer_run(f->trainer, batches, epoch, (int64_t)from, (int64_t)to, step, total,
                                &loss, &correct, &images, poll, &p);
        if (status < 0) break;
        bool ends = ni_trainer_steps(f->trainer) >= total || status == NAS_STOP;
        last->epoch = (double)ni_trainer_steps(f->trainer) / (double)n;
        last->epochs = (double)total / (double)n;
        last->step = ni_trainer_steps(f->trainer);
        last->steps = total;
        last->train_loss = images ? loss / (double)images : 0;
        last->train_accuracy = images ? correct / (double)images : 0;
        last->validation_loss = last->validation_accuracy = -1;
        last->learning_rate = ni_learning_rate(o, last->step - 1, total, (double)n);
        nas_dataset_info info = {.struct_size = sizeof info};
        nas_metrics m = {.struct_size = sizeof m};
        nas_status measured = ends ? check_weights(f, context) : NAS_OK;
        if (measured >= 0) measured = nas_dataset_describe(f->data, &info);
        if (measured >= 0 && info.n_validation > 0 && !o->use_validation &&
            (o->validate == 1 || (o->validate == 2 && ends))) {
            measured = ni_fit_measure(f->trainer, f->data, NAS_SPLIT_VALIDATION, o->batch, &m);
            if (measured >= 0 && !isfinite(m.loss)) {
                char text[NI_NUMBER_TEXT];
                measured =
                    ni_fail(context, NAS_E_DIVERGED,
                            "training diverged: the validation loss is %s after step %" PRIu64
                            "; a smaller learning rate may help",
                            ni_f64_text(text, m.loss), last->step);
            }
            if (measured >= 0) {
                last->validation_loss = m.loss;
                last->validation_accuracy = m.accuracy;
            }
        }
        if (measured < 0) {
            status = measured;
            break;
        }
        last->seconds = ni_clock() - start;
        nas_status answer = f->epoch_ended ? f->epoch_ended(f->user, last) : NAS_OK;
        if (answer != NAS_OK) status = answer;
    }
    *deadline_hit = p.late;
    ni_loader_free(loader);
    return status;
}
