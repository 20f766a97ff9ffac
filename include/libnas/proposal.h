/* proposal.h: what a controller asks to be tried.
 *
 * A proposal says what is wanted (metrics, a gradient with respect to the architecture, a weight
 * step), of which architecture, on which batch of which split, to which fidelity, continuing which
 * earlier trial, by which of the search's evaluators. One type serves discrete architectures and
 * relaxed ones: a relaxed one lists, for some decisions, several paths with weights.
 *
 * A turn is one ask, evaluate, tell. A trial is what a person counts and the store keeps: one turn
 * for a discrete evaluation, many for a one-shot method (one epoch, say).
 *
 * A controller writes a proposal through the builder that ask gives it; who evaluates reads it by
 * the accessors. A proposal is immutable, and the search's own. */
#ifndef LIBNAS_PROPOSAL_H
#define LIBNAS_PROPOSAL_H
#include "base.h"
#include "space.h"
NAS_EXTERN_C_BEGIN

/* What is wanted: bits. */
enum {
    NAS_WANT_METRICS = 1,           /* accuracy, loss, ... */
    NAS_WANT_ARCH_GRADIENT = 2,     /* d loss / d weight of each listed path */
    NAS_WANT_WEIGHT_STEP = 4,       /* one optimizer step on that batch, kept */
    NAS_WANT_KEEP_DIRECTION = 8     /* keep d loss / d weights at this point as the direction that
                                       nas_propose_displacement moves along; its norm comes back
                                       as the metric "direction_norm" */
};
/* Where the shared weights stand for this turn. */
enum {
    NAS_WEIGHTS_LIVE = 0,      /* as the last step left them */
    NAS_WEIGHTS_LOOKAHEAD = 1  /* one momentum step away on the look-ahead batch (DARTS section 2.3,
                                  w' = w - eta (mu buf + g + wd w)); the live ones are not changed,
                                  and eta comes back as the metric "learning_rate" */
};
/* Which part of the data. */
enum { NAS_SPLIT_NONE = 0, NAS_SPLIT_TRAIN = 1, NAS_SPLIT_VALIDATION = 2, NAS_SPLIT_TEST = 3 };
/* How a trial starts from an earlier one. */
enum {
    NAS_FROM_SCRATCH = 0,
    NAS_FROM_CONTINUE = 1, /* its weights, optimizer and epoch count: a promotion */
    NAS_FROM_INHERIT = 2   /* its weights, carried over to another network: Net2Net, shared layers */
};
#define NAS_BATCH_WHOLE UINT64_MAX /* the whole split instead of one batch */
#define NAS_TRIAL_NONE UINT64_MAX

/* One alternative of a decision in a relaxed proposal. */
typedef struct {
    uint32_t alternative;
    uint32_t active;   /* 0: listed for its gradient, its output not in the sum (two-path gates) */
    double weight;     /* factor of its output */
    double channels;   /* fraction of the channels that pass through; 1: all */
} nas_path;

/* ---- writing: a controller, during ask. Every call copies. --------------------------------------- */

NAS_API const nas_space *nas_propose_space(const nas_proposal_builder *to); /* borrowed */
/* The turn and the trial that this ask is for. */
NAS_API uint64_t nas_propose_turn(const nas_proposal_builder *to);
NAS_API uint64_t nas_propose_trial(const nas_proposal_builder *to);

/* What has been set so far, for controllers that wrap a controller: arch (if propose_arch gave one),
 * texts, token, fidelities. Borrowed until the next call on the builder. */
NAS_API const nas_proposal *nas_propose_so_far(const nas_proposal_builder *to);

NAS_API nas_status nas_propose_arch(nas_proposal_builder *to, const nas_arch *arch);
/* Or decision by decision. A decision not named keeps what propose_arch gave it, or is an error. */
NAS_API nas_status nas_propose_value(nas_proposal_builder *to, uint32_t decision,
                                     const nas_value *value);
NAS_API nas_status nas_propose_paths(nas_proposal_builder *to, uint32_t decision,
                                     const nas_path *paths, uint32_t n);
NAS_API nas_status nas_propose_want(nas_proposal_builder *to, uint32_t wants); /* METRICS */
/* Batch `batch` of the split's stream: the same number is the same batch. (TRAIN/VALIDATION and
 * NAS_BATCH_WHOLE for an evaluator of whole trainings, which is the default: split NONE.) */
NAS_API nas_status nas_propose_batch(nas_proposal_builder *to, int32_t split, uint64_t batch);
/* Named fidelities: "epochs", "data_fraction", "resolution", or an evaluator's own. "epochs" counts
 * from the network's first: a trial that continues one of 3 epochs to 9 trains 6 more, and 6 is what
 * the budget counts. */
NAS_API nas_status nas_propose_fidelity(nas_proposal_builder *to, const char *name, double value);
NAS_API nas_status nas_propose_from(nas_proposal_builder *to, uint64_t trial, int32_t how);
NAS_API nas_status nas_propose_evaluator(nas_proposal_builder *to, const char *name);
/* LIVE, or LOOKAHEAD with the batch of NAS_SPLIT_TRAIN that the look-ahead step is made on. */
NAS_API nas_status nas_propose_weights(nas_proposal_builder *to, int32_t point,
                                       uint64_t lookahead_batch);
/* Evaluate at (live weights) + scale * (kept direction). */
NAS_API nas_status nas_propose_displacement(nas_proposal_builder *to, double scale);
/* Bytes of the controller's own that come back with the result: log-probabilities, a policy
 * version. */
NAS_API nas_status nas_propose_token(nas_proposal_builder *to, const void *bytes, size_t n);
/* More turns of this trial follow: the next ask belongs to it too. Default: the turn ends its trial.
 * The trial's result, in the store and for people, is that of its last turn. */
NAS_API nas_status nas_propose_continue_trial(nas_proposal_builder *to);
/* A line for people and reports: "mutation of 7: edge 2<-1". */
NAS_API nas_status nas_propose_note(nas_proposal_builder *to, const char *note);
/* The trial that this one was derived from (a parent, without weights); kept in the store. */
NAS_API nas_status nas_propose_parent(nas_proposal_builder *to, uint64_t trial);

/* ---- reading ------------------------------------------------------------------------------------- */

NAS_API uint64_t nas_proposal_turn(const nas_proposal *proposal);
NAS_API uint64_t nas_proposal_trial(const nas_proposal *proposal);
NAS_API uint32_t nas_proposal_wants(const nas_proposal *proposal);
/* The architecture, borrowed; NULL for a relaxed proposal. */
NAS_API const nas_arch *nas_proposal_arch(const nas_proposal *proposal);
/* Paths of a decision, borrowed; *n = 0 where the proposal lists none. For a discrete proposal: of a
 * choice one path, active, weight 1. */
NAS_API const nas_path *nas_proposal_paths(const nas_proposal *proposal, uint32_t decision,
                                           uint32_t *n);
/* How many paths all decisions together list: the length of the gradient. Decision d's paths start
 * at *first of nas_proposal_path_offset. */
NAS_API uint32_t nas_proposal_path_count(const nas_proposal *proposal);
NAS_API uint32_t nas_proposal_path_offset(const nas_proposal *proposal, uint32_t decision);
NAS_API nas_status nas_proposal_value(const nas_proposal *proposal, uint32_t decision,
                                      nas_value *out);
NAS_API int32_t nas_proposal_split(const nas_proposal *proposal);
NAS_API uint64_t nas_proposal_batch(const nas_proposal *proposal);
/* The fidelity of that name, or `otherwise`. */
NAS_API double nas_proposal_fidelity(const nas_proposal *proposal, const char *name,
                                     double otherwise);
NAS_API uint64_t nas_proposal_from(const nas_proposal *proposal, int32_t *how); /* or TRIAL_NONE */
NAS_API uint64_t nas_proposal_parent(const nas_proposal *proposal);             /* or TRIAL_NONE */
NAS_API const char *nas_proposal_evaluator(const nas_proposal *proposal); /* "" : the search's first */
NAS_API int32_t nas_proposal_weights(const nas_proposal *proposal, uint64_t *lookahead_batch);
NAS_API double nas_proposal_displacement(const nas_proposal *proposal);
NAS_API const void *nas_proposal_token(const nas_proposal *proposal, size_t *n); /* borrowed */
NAS_API const char *nas_proposal_note(const nas_proposal *proposal);             /* "" : none */
NAS_API int32_t nas_proposal_ends_trial(const nas_proposal *proposal);
/* How many results had been told when this was asked. An evaluator that learns from other trials
 * (observe) uses the first so many of what it observed, and then its answer depends neither on the
 * number of workers nor on their speed. */
NAS_API uint64_t nas_proposal_seen(const nas_proposal *proposal);
/* The random stream of the proposal's trial for a purpose of the evaluator's own. */
NAS_API nas_status nas_proposal_random(const nas_proposal *proposal, const char *purpose,
                                       nas_random **out);
NAS_API uint64_t nas_proposal_seed(const nas_proposal *proposal);

NAS_EXTERN_C_END
#endif
