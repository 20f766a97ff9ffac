/* What the files of lib/search share: the search's state, and how a turn goes through it.
 *
 * A turn is asked (ask.c), evaluated by the calling thread, a worker or the caller (evaluate.c,
 * workers.c, caller.c), recorded when its trial ends (record.c), and told (tell.c). Results may
 * arrive in any order; they are told in the order of the settings, and an ask happens whenever the
 * window is not full, before the next result is told. That rule, and not the clock, decides what an
 * ask has seen. */
#ifndef NI_SEARCH_PARTS_H
#define NI_SEARCH_PARTS_H
#include "../controller/controller.h"
#include "../store/store.h"
#include "libnas/search.h"
#include <stdatomic.h>

#define NI_WINDOW_MOST 65536

enum {
    NI_TURN_READY,   /* to be evaluated */
    NI_TURN_RUNNING, /* by a thread of the search */
    NI_TURN_HELD,    /* by the caller, who will tell or forget */
    NI_TURN_WAITS,   /* for the result of the same network, which is in flight */
    NI_TURN_ARRIVED, /* evaluated by a worker, not yet taken in */
    NI_TURN_FINISHED /* has its result */
};

typedef struct {
    nas_proposal *proposal;
    nas_result *result; /* from FINISHED on */
    uint64_t number, trial, seen;
    uint64_t first_turn, first_seen; /* of its trial */
    uint64_t same_as;                /* the trial whose result serves, or NAS_TRIAL_NONE */
    uint64_t arrival;                /* order = ARRIVAL, from FINISHED on: when it is told */
    uint64_t reuse_key;
    int32_t phase;
    uint32_t evaluator; /* index */
    bool evaluated, forgotten, recorded;
    bool old;  /* an earlier run recorded it: no hook hears of it again */
    bool kept; /* the store has bytes of its trial */
    /* While it is evaluated: */
    nas_search *search;
    nas_result_builder *builder;
    nas_status answer; /* the evaluator's, once ARRIVED */
    char *sentence;    /* with it */
    double started, seconds, last_keep, deadline;
    bool timed_out;
} ni_turn;

/* A hook's call that is due: made when the lock is not held. */
enum { NI_EVENT_STARTED, NI_EVENT_EPOCH, NI_EVENT_TRIAL, NI_EVENT_TURN };
typedef struct {
    int32_t kind;
    ni_turn *turn; /* TURN: owned by the event */
    double done, total, value;
    char metric[64];
} ni_event;

typedef struct {
    char *name;
    nas_evaluator *evaluator;
    bool first; /* of the entries with this evaluator */
} ni_entry;
typedef struct {
    char *metric;
    nas_objective about;
} ni_aim;

struct nas_search {
    nas_context *context;
    const nas_space *space;
    nas_controller *controller;
    nas_search_options options; /* numbers and hooks; its pointers are not used */
    nas_search_hooks hooks;
    ni_entry *entries;
    uint32_t n_entries, n_aims, n_workers;
    ni_aim *aims;
    nas_dataset *data;
    nas_store *store;
    bool owns_store;
    nas_store *record; /* replay: what is repeated */
    uint64_t record_turns;

    /* What the evaluators and the controller allow. */
    bool serial;          /* one evaluation at a time, in order */
    bool serial_state;    /* an evaluator's state changes with each evaluation */
    bool continues;       /* what trials keep stays */
    bool checkpoint_each; /* the controller may answer differently when it is asked again */

    ni_mutex *lock;             /* all below, but for the atomics */
    ni_cond *news;              /* something arrived, or there is work */
    NI_ARRAY(ni_turn *) flight; /* asked and not told, by number */
    NI_ARRAY(ni_event) events;
    uint64_t asked, told; /* turns */
    uint64_t next_trial;  /* of the next ask; an open trial's own number */
    bool open_trial;      /* the last ask did not end its trial */
    uint64_t open_first_turn, open_first_seen;
    double open_seconds; /* told turns of the trial that is told now */
    uint64_t arrivals;
    uint64_t told_trials, told_evaluations;
    double told_epochs;
    bool must_tell;  /* the controller waits for a result */
    int32_t closing; /* NAS_ENDED_*: no more asks */
    int32_t ended;
    nas_status failed; /* what ended it with an error */
    char *failed_sentence;
    bool dirty;    /* an evaluator's state is unknown: an evaluation was broken off */
    ni_map *reuse; /* reuse key to trial, of those in flight; the store has those told */
    uint64_t recorded, cached, infeasible, generations, best_trial;
    double best;
    bool has_best;
    double seconds_before; /* of earlier runs */
    double started;
    double last_checkpoint;
    uint64_t turns_since, state_bytes;
    /* workers */
    ni_thread **threads;
    uint32_t n_threads;
    bool quit;

    atomic_int stop;        /* by the caller */
    atomic_int time_up;     /* safety stop */
    atomic_int cancel;      /* running evaluations are to end */
    atomic_int keep_failed; /* a status: the store could not take what a trial keeps */
    atomic_ullong polled;   /* microseconds of ni_clock at which should_stop was asked */
};

/* All with the lock held, unless said otherwise. */

/* fail.c: keeps the status and its sentence; the search is over. Returns the status. */
nas_status ni_search_fail(nas_search *search, nas_status status);
nas_status ni_search_failed_again(nas_search *search); /* repeats the sentence */

/* ask.c. NAS_OK: one more turn is in flight, the last of `flight`. NAS_WAIT: a result must be told
 * first. NAS_DONE: no more asks. */
nas_status ni_search_ask_next(nas_search *search);
nas_status ni_search_ask_all(nas_search *search); /* until NAS_WAIT or NAS_DONE, which it returns */
double ni_search_seconds(const nas_search *search);
void ni_turn_free(nas_search *search, ni_turn *turn);
/* A turn of an earlier run: its result, when that is on record; else READY again. */
nas_status ni_turn_readmit(nas_search *search, ni_turn *turn);
bool ni_search_trial_told(nas_search *search, uint64_t trial);
/* The trial whose result serves one with that reuse key: told, or in flight. */
bool ni_search_same(nas_search *search, uint64_t reuse_key, uint64_t *trial);

/* evaluate.c. begin and end with the lock held, the evaluation itself without. end: NAS_OK: the
 * turn is FINISHED and recorded; NAS_STOP: it was broken off and is READY again. */
nas_status ni_turn_begin(nas_search *search, ni_turn *turn);
void ni_turn_evaluate(ni_turn *turn); /* without the lock; answer and sentence are set */
nas_status ni_turn_end(nas_search *search, ni_turn *turn);
/* The turn has this result (taken), whoever made it: scored, recorded, shared with those that wait.
 */
nas_status ni_turn_finish(nas_search *search, ni_turn *turn, nas_result *result);
/* The turn WAITS, and the trial whose result it waits for is recorded: takes it, or becomes READY
 * when that one was infeasible. */
nas_status ni_turn_share(nas_search *search, ni_turn *turn);
nas_status ni_turn_settle(nas_search *search,
                          ni_turn *turn); /* share, unless that trial is in flight */
/* An evaluator's or the caller's result: made infeasible where the search cannot use it. */
nas_status ni_turn_check(nas_search *search, ni_turn *turn, nas_result_builder *result);
nas_status ni_turn_infeasible(nas_search *search, nas_result_builder *builder, nas_status status,
                              bool timed_out, const char *sentence);
double ni_search_score(const nas_search *search, const nas_result *result);
/* Should what runs now go on? Without the lock; poll: the hook may be asked. */
nas_status ni_search_poll(nas_search *search, bool poll);

/* record.c */
nas_status ni_search_record(nas_search *search, ni_turn *turn);
nas_status ni_search_checkpoint(nas_search *search);               /* now */
nas_status ni_search_checkpoint_due(nas_search *search);           /* when it is time */
nas_status ni_search_resume(nas_search *search);                   /* from the store, at create */
void ni_search_count(nas_search *search, const ni_trial_row *row); /* a recorded trial */

/* tell.c: the turn that is told next, NULL when its result is not there. deliver tells it. */
ni_turn *ni_search_next(nas_search *search);
ni_turn *ni_search_deliverable(nas_search *search);
nas_status ni_search_deliver(nas_search *search, ni_turn *turn);

/* hooks.c: makes the calls that are due; the lock is let go meanwhile. */
nas_status ni_search_hooks(nas_search *search);
void ni_search_event(nas_search *search, int32_t kind, ni_turn *turn);

/* workers.c: to the end, by the search's threads. NAS_DONE, or an error. */
nas_status ni_search_run_workers(nas_search *search);
/* run.c: the end: last checkpoint, the fact "ended". stopped: ends the search if someone stopped
 * it: NAS_DONE then. */
nas_status ni_search_end(nas_search *search, int32_t ended);
nas_status ni_search_stopped(nas_search *search);

/* replay.c: is the trial just recorded the one on record? */
nas_status ni_search_compare(nas_search *search, const ni_turn *turn);
nas_status ni_search_take_record(nas_search *search, ni_turn *turn);

/* create.c */
nas_status ni_search_make(nas_search **out, nas_context *context, const nas_search_options *given,
                          nas_store *record);

#endif
