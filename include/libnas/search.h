/* search.h: the one loop that joins a space, a controller and evaluators.
 *
 * The caller holds it in one of three ways, all over the same code:
 *   nas_search_run                     to the end, with hooks
 *   nas_search_step                    one turn at a time, from the caller's own loop
 *   nas_search_ask, nas_search_tell    with the caller's own evaluation, anywhere, any number in
 *                                      flight, told in any order
 *
 * Reproducible: ask n sees exactly the results of the turns up to n - window, in their order,
 * however many workers there are and whenever they finish. With order = ARRIVAL results are told as
 * they come, the order is recorded, and nas_search_replay repeats it. */
#ifndef LIBNAS_SEARCH_H
#define LIBNAS_SEARCH_H
#include "base.h"
#include "controller.h"
#include "evaluator.h"
#include "store.h"
NAS_EXTERN_C_BEGIN

enum { NAS_ORDER_TURNS = 0, NAS_ORDER_ARRIVAL = 1 };

typedef struct {
    const char *metric;
    int32_t minimise;  /* 0: larger is better */
    int32_t reserved;
    double weight;     /* of the weighted sum that makes the score; 1 */
    double limit;      /* soft limit of MnasNet's form when exponent is not 0: the score is
                          multiplied by (value / limit)^exponent (Tan et al. 2019, section 3.1) */
    double exponent;
} nas_objective;

/* Why a search ended. */
enum {
    NAS_ENDED_NOT = 0,
    NAS_ENDED_TRIALS = 1,     /* budget of trials, epochs, evaluations */
    NAS_ENDED_EPOCHS = 2,
    NAS_ENDED_EVALUATIONS = 3,
    NAS_ENDED_TIME = 4,       /* safety stop by wall clock */
    NAS_ENDED_TARGET = 5,     /* target score reached */
    NAS_ENDED_CONTROLLER = 6, /* the controller is done */
    NAS_ENDED_CALLER = 7,     /* nas_search_stop, a hook, an evaluator's NAS_STOP */
    NAS_ENDED_ERROR = 8
};
NAS_API const char *nas_ended_text(int32_t ended);

/* Hooks come on the thread that runs the search, one at a time. Answer NAS_OK to go on, NAS_STOP to
 * end the search cleanly, an error to end it with that error. Any may be NULL. */
typedef struct {
    uint32_t struct_size, flags;
    void *user;
    nas_status (*trial_started)(void *user, nas_search *search, const nas_proposal *proposal);
    nas_status (*epoch_ended)(void *user, nas_search *search, const nas_proposal *proposal,
                              double done, double total, const char *metric, double value);
    nas_status (*trial_ended)(void *user, nas_search *search, const nas_trial *trial,
                              const nas_result *result);
    nas_status (*turn_ended)(void *user, nas_search *search, const nas_proposal *proposal,
                             const nas_result *result);
    /* Asked at least each second, and between turns: 0 go on, 1 stop. May be called from worker
     * threads. */
    int32_t (*should_stop)(void *user, nas_search *search);
} nas_search_hooks;

typedef struct {
    const char *name;         /* by which proposals name it; the first is the default */
    nas_evaluator *evaluator; /* borrowed: must outlive the search */
} nas_named_evaluator;

typedef struct {
    uint32_t struct_size, flags;
    const nas_space *space;
    nas_controller *controller;            /* borrowed, and so are the rest: they outlive the search */
    const nas_named_evaluator *evaluators; /* none: ask / tell alone */
    uint32_t n_evaluators;
    uint32_t n_objectives;                 /* 0: "accuracy", larger is better */
    const nas_objective *objectives;
    nas_dataset *data;                     /* NULL: none */
    nas_store *store;                      /* NULL: in memory */
    const nas_search_hooks *hooks;         /* copied */
    uint64_t seed;
    uint32_t window;                       /* turns in flight; 1 */
    uint32_t workers;                      /* threads that evaluate; 0: min(window, threads). Does
                                              not change the search */
    int32_t order;                         /* NAS_ORDER_TURNS */
    int32_t reuse;                         /* 1: a network that was evaluated before (same network
                                              hash, hyper-parameters, fidelity) is not evaluated
                                              again: state CACHED. 0 (default) */
    uint64_t max_trials, max_evaluations;  /* 0: no limit. Cached results count as trials */
    double max_epochs;                     /* sum of the fidelity "epochs"; 0: no limit */
    double max_seconds;                    /* safety stop; 0: none */
    double target;                         /* stop at this score; NAN: none */
    double trial_seconds;                  /* a trial that takes longer is infeasible; 0: none */
    double checkpoint_seconds;             /* 60: state is saved at least so often; and each epoch */
    const char *settings;                  /* text kept in the store: the search file */
} nas_search_options;
NAS_API void nas_search_options_init(nas_search_options *options);

/* A store that already holds this search (same space, controller, settings) is resumed: the turns
 * since the last checkpoint are repeated to the same bits. NAS_E_STATE, saying what differs, when it
 * holds another one. */
NAS_API nas_status nas_search_create(nas_search **out, nas_context *context,
                                     const nas_search_options *options);
NAS_API void nas_search_free(nas_search *search); /* saves; stops workers */

NAS_API nas_status nas_search_run(nas_search *search, int32_t *ended);
/* One turn, in the calling thread. NAS_OK; NAS_DONE when the search has ended. */
NAS_API nas_status nas_search_step(nas_search *search);
/* From a hook, another thread or a signal handler (it only sets a flag). */
NAS_API void nas_search_stop(nas_search *search);

/* Ask: a proposal, borrowed until it is told or forgotten. NAS_WAIT: tell one first. NAS_DONE: the
 * search has ended. Results are handed to the controller in the order of the settings. Threads:
 * ask, tell and forget may be called from several at once. */
NAS_API nas_status nas_search_ask(nas_search *search, const nas_proposal **out);
/* Takes what the builder holds; the builder is empty afterwards and may be used again. */
NAS_API nas_status nas_search_tell(nas_search *search, const nas_proposal *asked,
                                   nas_result_builder *result);
/* It will never be told: infeasible, reason VANISHED. */
NAS_API nas_status nas_search_forget(nas_search *search, const nas_proposal *asked);

/* Runs a search in simulated time: each evaluation is made at once (a table's), and is told when the
 * seconds that its result names have passed on a clock of its own, while other workers' run. So
 * results come out of order exactly as they would. For every result the metric "clock" is the time at
 * which it was there. A trial whose end lies past max_seconds is forgotten, and the search stops
 * there. With order = ARRIVAL what an ask has seen is what was there; otherwise the window says. A
 * search that was stopped, or whose process died, goes on at the time at which it was: what was
 * evaluated then is evaluated again, and ends when it would have. */
typedef struct {
    uint32_t struct_size, flags;
    uint32_t workers;    /* 1; how many evaluate at once: more than the window wait for it */
    uint32_t reserved;
    const char *seconds; /* metric that says how long an evaluation takes; NULL: "seconds" */
    double max_seconds;  /* 0: no limit */
} nas_simulate_options;
#define NAS_SIMULATE_OPTIONS_INIT {sizeof(nas_simulate_options), 0, 1, 0, NULL, 0}
NAS_API void nas_simulate_options_init(nas_simulate_options *options);
/* *clock (may be NULL): simulated seconds at the end. */
NAS_API nas_status nas_search_simulate(nas_search *search, const nas_simulate_options *options,
                                       double *clock);

NAS_API uint64_t nas_search_trials(const nas_search *search);
NAS_API nas_status nas_search_trial(nas_search *search, uint64_t number, nas_trial *out);
/* The trial with the best score (of equals the first); NAS_E_NOT_FOUND before there is one. */
NAS_API nas_status nas_search_best(nas_search *search, nas_trial *out);
NAS_API int32_t nas_search_ended(const nas_search *search);
NAS_API nas_store *nas_search_store(nas_search *search); /* borrowed */

typedef struct {
    uint32_t struct_size, flags;
    uint64_t trials, turns, evaluations, cached, infeasible;
    uint64_t distinct;       /* networks among the proposed, isomorphic ones counted once */
    uint64_t generations;    /* longest line of parents */
    double best, epochs, seconds;
} nas_search_progress;
NAS_API nas_status nas_search_state(const nas_search *search, nas_search_progress *out);

/* Runs the search of a store again beside it and compares turn by turn. NAS_OK: the same.
 * NAS_E_DIFFERS: the sentence names the first event that differs. options: as for create (their
 * store is ignored). */
NAS_API nas_status nas_search_replay(nas_context *context, nas_store *record,
                                     const nas_search_options *options);

/* Tells a controller, before its search begins, what came of the trials of another store of the same
 * space (NAS_E_STATE: of another one), in their order, with the scores that they had there. Evolution's
 * population fills with them, policies and surrogates learn from them, random search without replacement
 * leaves them out; brackets of samples (halving, ASHA, Hyperband) have nothing to learn. Of trials that vanished nothing is told. *told (may be NULL): how many. A resume does
 * the same before nas_search_create. After an error the controller may have learnt a part: free it. */
NAS_API nas_status nas_controller_warm_start(nas_controller *controller, const nas_space *space,
                                             nas_store *store, uint64_t *told);

NAS_EXTERN_C_END
#endif
