/* result.h: what came of a proposal. Named metrics, a state, a reason when it failed, learning
 * curves, and for relaxed proposals the gradient in the layout of the proposal's paths. */
#ifndef LIBNAS_RESULT_H
#define LIBNAS_RESULT_H
#include "base.h"
NAS_EXTERN_C_BEGIN

enum {
    NAS_STATE_COMPLETE = 0,
    NAS_STATE_STOPPED = 1,    /* ended early on purpose; its metrics count */
    NAS_STATE_INFEASIBLE = 2, /* cannot be evaluated: diverged, out of memory or time, failed */
    NAS_STATE_CACHED = 3      /* an isomorphic network's result, used again */
};
/* Why a trial is infeasible. */
enum {
    NAS_REASON_NONE = 0,
    NAS_REASON_DIVERGED = 1,
    NAS_REASON_MEMORY = 2,
    NAS_REASON_TIME = 3,
    NAS_REASON_CALLBACK = 4,
    NAS_REASON_CONSTRAINT = 5,
    NAS_REASON_VANISHED = 6, /* its worker is gone */
    NAS_REASON_OTHER = 7
};

/* ---- writing: an evaluator. ------------------------------------------------------------------- */
/* Names are the caller's own (1 to 63 bytes); the usual ones: "accuracy" (0..1, validation), "loss",
 * "test_accuracy", "train_accuracy", "train_loss", "seconds", "params", "macs", "latency". Setting
 * one again replaces it. A value that is not finite is refused: say infeasible instead. "seconds"
 * and what ends in "_seconds" is time spent: kept, but not compared between equal runs. */
NAS_API nas_status nas_result_set(nas_result_builder *to, const char *metric, double value);
/* One more point of a learning curve: x is usually the epoch, from 1. */
NAS_API nas_status nas_result_add_point(nas_result_builder *to, const char *curve, double x, double y);
NAS_API nas_status nas_result_set_state(nas_result_builder *to, int32_t state);
NAS_API nas_status nas_result_set_infeasible(nas_result_builder *to, int32_t reason,
                                             const char *sentence);
/* n must be nas_proposal_path_count of the proposal. */
NAS_API nas_status nas_result_set_gradient(nas_result_builder *to, const double *gradient, size_t n);
/* What has been set so far, for evaluators that wrap an evaluator. Borrowed until the next call on
 * the builder. */
NAS_API const nas_result *nas_result_so_far(const nas_result_builder *from);

/* ---- reading ------------------------------------------------------------------------------------- */
NAS_API int32_t nas_result_state(const nas_result *result);
NAS_API int32_t nas_result_reason(const nas_result *result);
NAS_API const char *nas_result_sentence(const nas_result *result); /* "" when there is none; borrowed */
/* NAS_E_NOT_FOUND (without a sentence) when the result has no such metric. */
NAS_API nas_status nas_result_metric(const nas_result *result, const char *metric, double *out);
/* The index-th metric, in the order of first setting; name NULL past the last. */
NAS_API const char *nas_result_metric_at(const nas_result *result, uint32_t index, double *value);
NAS_API uint32_t nas_result_points(const nas_result *result, const char *curve);
NAS_API nas_status nas_result_point(const nas_result *result, const char *curve, uint32_t index,
                                    double *x, double *y);
NAS_API const char *nas_result_curve_at(const nas_result *result, uint32_t index); /* NULL: past end */
NAS_API const double *nas_result_gradient(const nas_result *result, size_t *n); /* borrowed; NULL */
/* What the search maximises: its objectives made one number (larger is better); -INFINITY when
 * infeasible; NAN when the result has not every metric of the objectives (a weight step, a proxy's
 * score). Filled in by the search before tell. */
NAS_API double nas_result_score(const nas_result *result);

/* A result of one's own, for nas_search_tell. */
NAS_API nas_status nas_result_create(nas_result_builder **out, nas_context *context);
NAS_API void nas_result_free(nas_result_builder *result);

NAS_EXTERN_C_END
#endif
