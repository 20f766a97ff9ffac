/* lib/evaluator: one file an evaluator, the model that the training one trains, and the reporter
 * through which a search hears of progress. */
#ifndef NI_EVALUATOR_H
#define NI_EVALUATOR_H
#include "../trial/trial.h"
#include "libnas/evaluator.h"

/* As nas_evaluator_create, for one built in, with its settings as one line of text. On failure self
 * stays the caller's. */
nas_status ni_evaluator_make(nas_evaluator **out, nas_context *context, const char *name,
                             const nas_evaluator_ops *ops, void *self, const char *identity);
nas_context *ni_evaluator_context(const nas_evaluator *evaluator);
/* What an evaluator's table was made with, when its evaluate is this one; else NULL. */
void *ni_evaluator_self(const nas_evaluator *evaluator,
                        nas_status (*evaluate)(void *self, const nas_proposal *asked,
                                               nas_reporter *progress, nas_result_builder *out));
/* The table evaluator by name (table.c). */
extern const char ni_table_settings[];
nas_status ni_table_named(nas_evaluator **out, nas_context *context, const char *const *settings,
                          size_t n_settings);
bool ni_evaluator_has_state(
    const nas_evaluator *evaluator); /* it has a save, and is not STATELESS */
/* The table's cancel, if it has one; from another thread than the one that evaluates. */
void ni_evaluator_cancel(nas_evaluator *evaluator, uint64_t turn);
/* Settings as one line of text ("epochs=2 batch=128 ..."), so that a resume can say what differs;
 * "" for the caller's own. Borrowed. */
const char *ni_evaluator_identity(const nas_evaluator *evaluator);

/* The hash of the tuning table that it trains by; 0: none. */
void ni_evaluator_set_tuning(nas_evaluator *evaluator, uint64_t hash);
uint64_t ni_evaluator_tuning(const nas_evaluator *evaluator);

/* The search's side of a reporter. */
struct nas_reporter {
    void *user;
    const nas_proposal *proposal;
    /* NAS_OK, NAS_STOP, NAS_E_CANCELLED; has_news 0: only asked */
    nas_status (*report)(void *user, const nas_proposal *proposal, int has_news, double done,
                         double total, const char *metric, double value);
    /* Where a long evaluation leaves a checkpoint (NULL: nowhere), and finds the one of a run
     * before, and what is kept of the trial that the proposal starts from (n 0: none). */
    nas_status (*keep)(void *user, const nas_proposal *proposal, const void *bytes, size_t n);
    int32_t (*keep_due)(void *user, const nas_proposal *proposal, int32_t at_end); /* NULL: never */
    const void *kept, *from;
    size_t n_kept, n_from;
    double
        deadline; /* ni_clock() past which the evaluation should give up (reason TIME); 0: none */
};

#endif
