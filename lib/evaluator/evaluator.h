/* lib/evaluator: one file an evaluator, the model that the training one trains, and the reporter
 * through which a search hears of progress. */
#ifndef NI_EVALUATOR_H
#define NI_EVALUATOR_H
#include "../trial/trial.h"
#include "libnas/evaluator.h"

nas_context *ni_evaluator_context(const nas_evaluator *evaluator);

/* The search's side of a reporter. */
struct nas_reporter {
    void *user;
    const nas_proposal *proposal;
    /* NAS_OK, NAS_STOP, NAS_E_CANCELLED; has_news 0: only asked */
    nas_status (*report)(void *user, const nas_proposal *proposal, int has_news, double done,
                         double total, const char *metric, double value);
    /* Where a long evaluation leaves a checkpoint, and finds the one of a run before (NULL: none). */
    nas_status (*keep)(void *user, const nas_proposal *proposal, const void *bytes, size_t n);
    const void *kept;
    size_t n_kept;
    double deadline; /* ni_clock() past which the evaluation should give up (reason TIME); 0: none */
};

#endif
