/* Whole trainings: what the training evaluator and the model share. Seen by lib/evaluator alone. */
#ifndef NI_EVALUATOR_FIT_H
#define NI_EVALUATOR_FIT_H
#include "evaluator.h"
#include "libnas/model.h"

typedef struct {
    ni_trainer *trainer;
    const nas_dataset *data;
    const nas_train_options *options;
    uint64_t trial; /* of the data's random streams */
    /* After each epoch; NAS_OK: go on. And between steps, seldom. Either may be NULL. */
    nas_status (*epoch_ended)(void *user, const nas_train_progress *progress);
    nas_status (*keep_going)(void *user);
    void *user;
    double deadline; /* ni_clock(); 0: none */
    /* The progress that came with the trainer's checkpoint, NULL: none. It is the newest where
     * nothing is left to be trained. */
    const nas_train_progress *before;
} ni_fit;
/* From the epoch that the trainer's steps say, to options->epochs. NAS_STOP when a callback or the
 * deadline ended it (deadline_hit says which); *last: the newest progress. */
nas_status ni_fit_run(ni_fit *fit, nas_train_progress *last, bool *deadline_hit);
/* Images and classes of the space and of the data fit each other. */
nas_status ni_fit_check(const nas_space *space, const nas_dataset *data);
nas_status ni_fit_measure(ni_trainer *trainer, const nas_dataset *data, int32_t split,
                          uint32_t batch, nas_metrics *out);

#endif
