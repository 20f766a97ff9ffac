/* The handle over an evaluator's table, the same for those built in and the caller's own; the
 * caller's own function as an evaluator; and the reporter's calls. */
#include "evaluator.h"

struct nas_evaluator {
    nas_context *context;
    nas_evaluator_ops ops;
    void *self;
    char *name;
    char *identity; /* NULL: "" */
    uint64_t tuning;
};

nas_status ni_evaluator_make(nas_evaluator **out, nas_context *context, const char *name,
                             const nas_evaluator_ops *ops, void *self, const char *identity) {
    NI_TRY(ni_enter(context));
    nas_evaluator_ops table;
    memset(&table, 0, sizeof table);
    if (ops == NULL) return ni_fail(context, NAS_E_INVALID, "the evaluator's table is NULL");
    NI_TRY(ni_options(context, &table, sizeof table, sizeof table, ops, "nas_evaluator_ops"));
    if (name == NULL || name[0] == 0 || strlen(name) > 255)
        return ni_fail(context, NAS_E_INVALID, "an evaluator's name must have 1 to 255 bytes");
    if (table.evaluate == NULL)
        return ni_fail(context, NAS_E_INVALID, "evaluator \"%s\": its table has no evaluate", name);
    if ((table.save == NULL) != (table.load == NULL))
        return ni_fail(context, NAS_E_INVALID,
                       "evaluator \"%s\": its table has %s; give both, or neither", name,
                       table.save ? "save without load" : "load without save");
    const uint32_t known = 2u * NAS_EVALUATOR_INHERITS - 1;
    if (table.flags & ~known)
        return ni_fail(context, NAS_E_INVALID,
                       "evaluator \"%s\": flags %u, of which %u are not known", name, table.flags,
                       table.flags & ~known);
    nas_evaluator *evaluator = ni_calloc(context, 1, sizeof *evaluator);
    if (evaluator == NULL) return NAS_E_MEMORY;
    evaluator->name = ni_strdup(context, name);
    if (identity && identity[0]) evaluator->identity = ni_strdup(context, identity);
    if (evaluator->name == NULL || (identity && identity[0] && evaluator->identity == NULL)) {
        ni_free(context, evaluator->identity);
        ni_free(context, evaluator->name);
        ni_free(context, evaluator);
        return NAS_E_MEMORY;
    }
    evaluator->context = context;
    evaluator->ops = table;
    evaluator->self = self;
    ni_context_hold(context);
    *out = evaluator;
    return NAS_OK;
}

nas_status nas_evaluator_create(nas_evaluator **out, nas_context *context, const char *name,
                                const nas_evaluator_ops *ops, void *self) {
    return ni_evaluator_make(out, context, name, ops, self, NULL);
}

void nas_evaluator_free(nas_evaluator *evaluator) {
    if (evaluator == NULL) return;
    nas_context *context = evaluator->context;
    if (evaluator->ops.destroy) evaluator->ops.destroy(evaluator->self);
    ni_free(context, evaluator->identity);
    ni_free(context, evaluator->name);
    ni_free(context, evaluator);
    ni_context_release(context);
}

const char *nas_evaluator_name(const nas_evaluator *evaluator) {
    return evaluator->name;
}
uint32_t nas_evaluator_flags(const nas_evaluator *evaluator) {
    return evaluator->ops.flags;
}
nas_context *ni_evaluator_context(const nas_evaluator *evaluator) {
    return evaluator->context;
}
void *ni_evaluator_self(const nas_evaluator *evaluator,
                        nas_status (*evaluate)(void *self, const nas_proposal *asked,
                                               nas_reporter *progress, nas_result_builder *out)) {
    return evaluator->ops.evaluate == evaluate ? evaluator->self : NULL;
}
const char *ni_evaluator_identity(const nas_evaluator *evaluator) {
    return evaluator->identity ? evaluator->identity : "";
}
void ni_evaluator_set_tuning(nas_evaluator *evaluator, uint64_t hash) {
    evaluator->tuning = hash;
}
uint64_t ni_evaluator_tuning(const nas_evaluator *evaluator) {
    return evaluator->tuning;
}
bool ni_evaluator_has_state(const nas_evaluator *evaluator) {
    return evaluator->ops.save != NULL && !(evaluator->ops.flags & NAS_EVALUATOR_STATELESS);
}

/* An error without a sentence gets one that names the evaluator. */
static nas_status answered(nas_evaluator *evaluator, nas_status status, uint64_t mark) {
    return status < 0 ? ni_fail_callback(evaluator->context, status, mark, evaluator->name)
                      : status;
}

nas_status nas_evaluator_prepare(nas_evaluator *evaluator, const nas_space *space,
                                 nas_dataset *data) {
    NI_TRY(ni_enter(evaluator->context));
    if (evaluator->ops.prepare == NULL) return NAS_OK;
    uint64_t mark = ni_fail_mark(evaluator->context);
    return answered(evaluator, evaluator->ops.prepare(evaluator->self, space, data), mark);
}

nas_status nas_evaluator_evaluate(nas_evaluator *evaluator, const nas_proposal *asked,
                                  nas_reporter *progress, nas_result_builder *out) {
    NI_TRY(ni_enter(evaluator->context));
    uint64_t mark = ni_fail_mark(evaluator->context);
    return answered(evaluator, evaluator->ops.evaluate(evaluator->self, asked, progress, out),
                    mark);
}

nas_status nas_evaluator_observe(nas_evaluator *evaluator, const nas_proposal *asked,
                                 const nas_result *got) {
    NI_TRY(ni_enter(evaluator->context));
    if (evaluator->ops.observe == NULL) return NAS_OK;
    uint64_t mark = ni_fail_mark(evaluator->context);
    return answered(evaluator, evaluator->ops.observe(evaluator->self, asked, got), mark);
}

nas_status nas_evaluator_save(nas_evaluator *evaluator, nas_writer *to) {
    NI_TRY(ni_enter(evaluator->context));
    if (evaluator->ops.save == NULL) return NAS_OK;
    uint64_t mark = ni_fail_mark(evaluator->context);
    return answered(evaluator, evaluator->ops.save(evaluator->self, to), mark);
}

nas_status nas_evaluator_load(nas_evaluator *evaluator, nas_reader *from) {
    NI_TRY(ni_enter(evaluator->context));
    if (evaluator->ops.load == NULL) return NAS_OK;
    uint64_t mark = ni_fail_mark(evaluator->context);
    return answered(evaluator, evaluator->ops.load(evaluator->self, from), mark);
}

void ni_evaluator_cancel(nas_evaluator *evaluator, uint64_t turn) {
    if (evaluator->ops.cancel) evaluator->ops.cancel(evaluator->self, turn);
}

/* ---- the caller's function
 * ------------------------------------------------------------------------------ */

typedef struct {
    nas_context *context;
    nas_evaluate_fn evaluate;
    void *user;
    nas_destroy_fn destroy;
} ni_callback;

/* The trial's reason says CALLBACK, unless the status itself says more. The handle gives the answer
 * its sentence. */
static nas_status callback_evaluate(void *self, const nas_proposal *asked, nas_reporter *progress,
                                    nas_result_builder *out) {
    ni_callback *callback = self;
    uint64_t mark = ni_fail_mark(callback->context);
    nas_status status = callback->evaluate(callback->user, asked, progress, out);
    switch (status) {
    case NAS_OK:
    case NAS_STOP:
    case NAS_E_CANCELLED:
    case NAS_E_DIVERGED:
    case NAS_E_MEMORY:
    case NAS_E_INFEASIBLE:
        return status;
    default:
        if (status <= NAS_STATUS_CALLER) return status;
    }
    if (status > 0)
        return ni_fail(callback->context, NAS_E_CALLBACK, "the callback answered status %d",
                       status);
    status = ni_fail_callback(callback->context, status, mark, "the callback");
    return ni_fail_prefix(callback->context, NAS_E_CALLBACK, nas_status_name(status));
}

static void callback_destroy(void *self) {
    ni_callback *callback = self;
    nas_context *context = callback->context;
    if (callback->destroy) callback->destroy(callback->user);
    ni_free(context, callback);
}

nas_status nas_evaluator_callback(nas_evaluator **out, nas_context *context, uint32_t flags,
                                  nas_evaluate_fn evaluate, void *user, nas_destroy_fn destroy) {
    NI_TRY(ni_enter(context));
    if (evaluate == NULL) return ni_fail(context, NAS_E_INVALID, "the callback is NULL");
    nas_evaluator_ops ops = {.struct_size = sizeof ops,
                             .flags = flags,
                             .evaluate = callback_evaluate,
                             .destroy = callback_destroy};
    ni_callback *callback = ni_calloc(context, 1, sizeof *callback);
    if (callback == NULL) return NAS_E_MEMORY;
    callback->context = context;
    callback->evaluate = evaluate;
    callback->user = user;
    callback->destroy = destroy;
    nas_status status = nas_evaluator_create(out, context, "callback", &ops, callback);
    if (status < 0) ni_free(context, callback); /* user stays the caller's */
    return status;
}

/* ---- progress
 * --------------------------------------------------------------------------------------------- */

nas_status nas_report(nas_reporter *progress, double done, double total, const char *metric,
                      double value) {
    if (progress == NULL || progress->report == NULL) return NAS_OK;
    return progress->report(progress->user, progress->proposal, 1, done, total, metric, value);
}

nas_status nas_report_poll(nas_reporter *progress) {
    if (progress == NULL || progress->report == NULL) return NAS_OK;
    return progress->report(progress->user, progress->proposal, 0, 0, 0, NULL, 0);
}

nas_status nas_report_keep(nas_reporter *progress, const void *bytes, size_t n) {
    if (progress == NULL || progress->keep == NULL) return NAS_OK;
    return progress->keep(progress->user, progress->proposal, bytes, n);
}

nas_status nas_report_kept(const nas_reporter *progress, const void **bytes, size_t *n) {
    *bytes = progress ? progress->kept : NULL;
    *n = progress ? progress->n_kept : 0;
    return NAS_OK;
}

nas_status nas_report_from(const nas_reporter *progress, const void **bytes, size_t *n) {
    *bytes = progress ? progress->from : NULL;
    *n = progress ? progress->n_from : 0;
    return NAS_OK;
}

int32_t nas_report_keep_due(const nas_reporter *progress, int32_t at_end) {
    if (progress == NULL || progress->keep_due == NULL) return 0;
    return progress->keep_due(progress->user, progress->proposal, at_end);
}
