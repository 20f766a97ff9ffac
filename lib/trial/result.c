/* Results: what an evaluator writes, what everyone reads, and their bytes. */
#include "proposal.h"
#include <math.h>

enum { ROOM = 4 /* metrics without a block of their own */ };
enum { MOST_METRICS = 4096, MOST_CURVES = 256, MOST_POINTS = 1 << 24, MOST_SENTENCE = 4096 };

typedef struct {
    char name[NI_NAME_BYTES];
    double value;
} ni_metric;
typedef struct {
    char name[NI_NAME_BYTES];
    NI_ARRAY(double) xy; /* x, y, x, y, ... */
} ni_curve;

struct nas_result {
    nas_context *context;
    int32_t state, reason;
    char *sentence; /* NULL: "" */
    double score;
    NI_ARRAY(ni_curve) curves;
    double *gradient;
    size_t n_gradient;
    size_t n_metrics;
    NI_ARRAY(ni_metric) more; /* metrics from ROOM on */
    ni_metric room[ROOM];
};
struct nas_result_builder {
    nas_result result;
};

/* ---- life
 * ---------------------------------------------------------------------------------------- */

static ni_metric *metric_at(const nas_result *r, size_t i) {
    return (ni_metric *)(uintptr_t)(i < ROOM ? &r->room[i] : &r->more.items[i - ROOM]);
}

static void drop_contents(nas_result *r) {
    ni_free(r->context, r->sentence);
    NI_ARRAY_FREE(r->context, &r->more);
    for (size_t i = 0; i < r->curves.n; i++)
        NI_ARRAY_FREE(r->context, &r->curves.items[i].xy);
    NI_ARRAY_FREE(r->context, &r->curves);
    ni_free(r->context, r->gradient);
}

static void set_defaults(nas_result *r, nas_context *context) {
    memset(r, 0, offsetof(nas_result, room));
    r->context = context;
    r->score = NAN;
}

nas_status nas_result_create(nas_result_builder **out, nas_context *context) {
    NI_TRY(ni_enter(context));
    nas_result_builder *builder = ni_alloc(context, sizeof *builder);
    if (builder == NULL) return NAS_E_MEMORY;
    set_defaults(&builder->result, context);
    *out = builder;
    return NAS_OK;
}

void nas_result_free(nas_result_builder *result) {
    if (result == NULL) return;
    nas_context *context = result->result.context;
    drop_contents(&result->result);
    ni_free(context, result);
}

void ni_result_free(nas_result *result) {
    nas_result_free((nas_result_builder *)result);
}

nas_status ni_result_take(nas_result_builder *from, nas_result **out) {
    nas_context *context = from->result.context;
    nas_result_builder *taken = ni_alloc(context, sizeof *taken);
    if (taken == NULL) return NAS_E_MEMORY;
    taken->result = from->result;
    set_defaults(&from->result, context);
    *out = &taken->result;
    return NAS_OK;
}

nas_result *ni_result_finish(nas_result_builder *builder) {
    return &builder->result;
}

void ni_result_clear(nas_result_builder *builder) {
    nas_context *context = builder->result.context;
    drop_contents(&builder->result);
    set_defaults(&builder->result, context);
}

void ni_result_set_score(nas_result *result, double score) {
    result->score = score;
}

/* ---- writing
 * ----------------------------------------------------------------------------------------- */

static nas_status check_name(nas_context *context, const char *name, const char *what) {
    if (ni_name_ok(name)) return NAS_OK;
    return ni_fail(context, NAS_E_INVALID,
                   "a %s's name must have 1 to %d bytes and no control characters", what,
                   NI_NAME_BYTES - 1);
}

nas_status nas_result_set(nas_result_builder *to, const char *metric, double value) {
    nas_result *r = &to->result;
    char text[NI_NUMBER_TEXT];
    ni_metric one;
    NI_TRY(ni_enter(r->context));
    NI_TRY(check_name(r->context, metric, "metric"));
    if (!isfinite(value))
        return ni_fail(r->context, NAS_E_DIVERGED, "metric \"%s\" is %s", metric,
                       ni_f64_text(text, value));
    value += 0.0; /* -0 becomes 0: a store's columns do not keep that sign */
    for (size_t i = 0; i < r->n_metrics; i++)
        if (!strcmp(metric_at(r, i)->name, metric)) {
            metric_at(r, i)->value = value;
            return NAS_OK;
        }
    if (r->n_metrics >= MOST_METRICS)
        return ni_fail(r->context, NAS_E_LIMIT, "more than %d metrics in one result", MOST_METRICS);
    memcpy(one.name, metric, strlen(metric) + 1);
    one.value = value;
    if (r->n_metrics < ROOM)
        r->room[r->n_metrics] = one;
    else
        NI_TRY(NI_PUSH(r->context, &r->more, one));
    r->n_metrics++;
    return NAS_OK;
}

static ni_curve *find_curve(const nas_result *r, const char *curve) {
    for (size_t i = 0; i < r->curves.n; i++)
        if (!strcmp(r->curves.items[i].name, curve)) return &r->curves.items[i];
    return NULL;
}

nas_status nas_result_add_point(nas_result_builder *to, const char *curve, double x, double y) {
    nas_result *r = &to->result;
    char text[NI_NUMBER_TEXT];
    NI_TRY(ni_enter(r->context));
    NI_TRY(check_name(r->context, curve, "curve"));
    if (!isfinite(x) || !isfinite(y))
        return ni_fail(r->context, NAS_E_DIVERGED, "a point of curve \"%s\" is %s", curve,
                       ni_f64_text(text, isfinite(x) ? y : x));
    ni_curve *at = find_curve(r, curve);
    if (at == NULL) {
        ni_curve fresh;
        if (r->curves.n >= MOST_CURVES)
            return ni_fail(r->context, NAS_E_LIMIT, "more than %d curves in one result",
                           MOST_CURVES);
        memset(&fresh, 0, sizeof fresh);
        memcpy(fresh.name, curve, strlen(curve) + 1);
        NI_TRY(NI_PUSH(r->context, &r->curves, fresh));
        at = &r->curves.items[r->curves.n - 1];
    }
    if (at->xy.n >= 2 * (size_t)MOST_POINTS)
        return ni_fail(r->context, NAS_E_LIMIT, "more than %d points in curve \"%s\"", MOST_POINTS,
                       curve);
    NI_TRY(NI_PUSH(r->context, &at->xy, x + 0.0));
    if (NI_PUSH(r->context, &at->xy, y + 0.0) < 0) {
        at->xy.n--;
        return NAS_E_MEMORY;
    }
    return NAS_OK;
}

nas_status nas_result_set_state(nas_result_builder *to, int32_t state) {
    nas_result *r = &to->result;
    NI_TRY(ni_enter(r->context));
    if (state < NAS_STATE_COMPLETE || state > NAS_STATE_CACHED)
        return ni_fail(r->context, NAS_E_INVALID, "state %d is none of NAS_STATE_*", state);
    if (state == NAS_STATE_INFEASIBLE && r->reason == NAS_REASON_NONE) r->reason = NAS_REASON_OTHER;
    if (state != NAS_STATE_INFEASIBLE) {
        r->reason = NAS_REASON_NONE;
        ni_free(r->context, r->sentence);
        r->sentence = NULL;
    }
    r->state = state;
    return NAS_OK;
}

nas_status nas_result_set_infeasible(nas_result_builder *to, int32_t reason, const char *sentence) {
    nas_result *r = &to->result;
    NI_TRY(ni_enter(r->context));
    if (reason <= NAS_REASON_NONE || reason > NAS_REASON_OTHER)
        return ni_fail(r->context, NAS_E_INVALID,
                       "reason %d: an infeasible result needs one of NAS_REASON_*", reason);
    char *copy = NULL;
    if (sentence != NULL && sentence[0] != 0) {
        copy = ni_strndup(r->context, sentence, strnlen(sentence, MOST_SENTENCE));
        if (copy == NULL) return NAS_E_MEMORY;
        for (char *c = copy; *c; c++)
            if ((unsigned char)*c < 0x20) *c = ' ';
    }
    ni_free(r->context, r->sentence);
    r->sentence = copy;
    r->state = NAS_STATE_INFEASIBLE;
    r->reason = reason;
    return NAS_OK;
}

nas_status nas_result_set_gradient(nas_result_builder *to, const double *gradient, size_t n) {
    nas_result *r = &to->result;
    char text[NI_NUMBER_TEXT];
    double *copy = NULL;
    NI_TRY(ni_enter(r->context));
    for (size_t i = 0; i < n; i++)
        if (!isfinite(gradient[i]))
            return ni_fail(r->context, NAS_E_DIVERGED, "number %zu of the gradient is %s", i,
                           ni_f64_text(text, gradient[i]));
    if (n) {
        copy = ni_memdup(r->context, gradient, n * sizeof *copy);
        if (copy == NULL) return NAS_E_MEMORY;
    }
    ni_free(r->context, r->gradient);
    r->gradient = copy;
    r->n_gradient = n;
    return NAS_OK;
}

const nas_result *nas_result_so_far(const nas_result_builder *from) {
    return &from->result;
}

/* ---- reading
 * ------------------------------------------------------------------------------------------- */

int32_t nas_result_state(const nas_result *result) {
    return result->state;
}
int32_t nas_result_reason(const nas_result *result) {
    return result->reason;
}
const char *nas_result_sentence(const nas_result *result) {
    return result->sentence ? result->sentence : "";
}
double nas_result_score(const nas_result *result) {
    return result->score;
}

nas_status nas_result_metric(const nas_result *result, const char *metric, double *out) {
    for (size_t i = 0; i < result->n_metrics; i++)
        if (!strcmp(metric_at(result, i)->name, metric)) {
            *out = metric_at(result, i)->value;
            return NAS_OK;
        }
    return NAS_E_NOT_FOUND;
}

const char *nas_result_metric_at(const nas_result *result, uint32_t index, double *value) {
    if (index >= result->n_metrics) return NULL;
    if (value) *value = metric_at(result, index)->value;
    return metric_at(result, index)->name;
}

uint32_t nas_result_points(const nas_result *result, const char *curve) {
    const ni_curve *at = find_curve(result, curve);
    return at ? (uint32_t)(at->xy.n / 2) : 0;
}

nas_status nas_result_point(const nas_result *result, const char *curve, uint32_t index, double *x,
                            double *y) {
    const ni_curve *at = find_curve(result, curve);
    if (at == NULL || index >= at->xy.n / 2) return NAS_E_NOT_FOUND;
    if (x) *x = at->xy.items[2 * (size_t)index];
    if (y) *y = at->xy.items[2 * (size_t)index + 1];
    return NAS_OK;
}

const char *nas_result_curve_at(const nas_result *result, uint32_t index) {
    return index < result->curves.n ? result->curves.items[index].name : NULL;
}

const double *nas_result_gradient(const nas_result *result, size_t *n) {
    *n = result->n_gradient;
    return result->gradient;
}

/* ---- copies and bytes
 * ------------------------------------------------------------------------------------ */

nas_status ni_result_copy(const nas_result *from, nas_result_builder *to) {
    ni_result_clear(to);
    for (size_t i = 0; i < from->n_metrics; i++)
        NI_TRY(nas_result_set(to, metric_at(from, i)->name, metric_at(from, i)->value));
    for (size_t c = 0; c < from->curves.n; c++) {
        const ni_curve *curve = &from->curves.items[c];
        for (size_t i = 0; i + 1 < curve->xy.n; i += 2)
            NI_TRY(
                nas_result_add_point(to, curve->name, curve->xy.items[i], curve->xy.items[i + 1]));
    }
    if (from->n_gradient) NI_TRY(nas_result_set_gradient(to, from->gradient, from->n_gradient));
    if (from->state == NAS_STATE_INFEASIBLE)
        NI_TRY(nas_result_set_infeasible(to, from->reason, from->sentence));
    else
        NI_TRY(nas_result_set_state(to, from->state));
    to->result.score = from->score;
    return NAS_OK;
}

bool ni_metric_is_time(const char *metric) {
    static const char suffix[] = "_seconds";
    size_t n = strlen(metric), m = sizeof suffix - 1;
    return !strcmp(metric, "seconds") || (n > m && !strcmp(metric + n - m, suffix));
}

enum { FORMAT = 1 };

nas_status ni_result_save(const nas_result *r, nas_writer *to) {
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_i64(to, r->state));
    NI_TRY(nas_write_i64(to, r->reason));
    NI_TRY(nas_write_text(to, nas_result_sentence(r)));
    NI_TRY(nas_write_f64(to, r->score));
    NI_TRY(nas_write_u64(to, r->n_metrics));
    for (size_t i = 0; i < r->n_metrics; i++) {
        NI_TRY(nas_write_text(to, metric_at(r, i)->name));
        NI_TRY(nas_write_f64(to, metric_at(r, i)->value));
    }
    NI_TRY(nas_write_u64(to, r->curves.n));
    for (size_t i = 0; i < r->curves.n; i++) {
        const ni_curve *curve = &r->curves.items[i];
        NI_TRY(nas_write_text(to, curve->name));
        NI_TRY(nas_write_u64(to, curve->xy.n));
        for (size_t j = 0; j < curve->xy.n; j++)
            NI_TRY(nas_write_f64(to, curve->xy.items[j]));
    }
    NI_TRY(nas_write_u64(to, r->n_gradient));
    for (size_t i = 0; i < r->n_gradient; i++)
        NI_TRY(nas_write_f64(to, r->gradient[i]));
    return NAS_OK;
}

static nas_status damaged(nas_context *context) {
    return ni_fail(context, NAS_E_CORRUPT, "a kept result is damaged");
}

static nas_status load_gradient(nas_result_builder *to, nas_reader *from) {
    nas_context *context = to->result.context;
    NI_ARRAY(double) gradient = {0};
    nas_status status;
    uint64_t n;
    double value;
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) { /* a false count ends at the end of the bytes */
        NI_GOTO(end, nas_read_f64(from, &value));
        NI_GOTO(end, NI_PUSH(context, &gradient, value));
    }
    status = n ? nas_result_set_gradient(to, gradient.items, gradient.n) : NAS_OK;
end:
    NI_ARRAY_FREE(context, &gradient);
    return status;
}

static nas_status load_into(nas_result_builder *to, nas_reader *from) {
    nas_context *context = to->result.context;
    char name[NI_NAME_BYTES];
    uint64_t n, points;
    int64_t state, reason;
    const void *sentence;
    size_t n_sentence;
    double x, y, score;
    NI_TRY(nas_read_i64(from, &state));
    NI_TRY(nas_read_i64(from, &reason));
    NI_TRY(nas_read_bytes(from, &sentence, &n_sentence));
    NI_TRY(nas_read_f64(from, &score));
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        NI_TRY(nas_read_text(from, name, sizeof name));
        NI_TRY(nas_read_f64(from, &x));
        NI_TRY(nas_result_set(to, name, x));
    }
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        NI_TRY(nas_read_text(from, name, sizeof name));
        NI_TRY(nas_read_u64(from, &points));
        if (points % 2) return damaged(context);
        for (uint64_t j = 0; j < points / 2; j++) {
            NI_TRY(nas_read_f64(from, &x));
            NI_TRY(nas_read_f64(from, &y));
            NI_TRY(nas_result_add_point(to, name, x, y));
        }
    }
    NI_TRY(load_gradient(to, from));
    to->result.score = score;
    if (state < 0 || state > NAS_STATE_CACHED || reason < 0 || reason > NAS_REASON_OTHER)
        return damaged(context);
    if (state != NAS_STATE_INFEASIBLE) return nas_result_set_state(to, (int32_t)state);
    char *text = ni_strndup(context, sentence ? sentence : "", n_sentence);
    if (text == NULL) return NAS_E_MEMORY;
    nas_status status = nas_result_set_infeasible(to, (int32_t)reason, text);
    ni_free(context, text);
    return status;
}

nas_status ni_result_load(nas_result **out, nas_context *context, nas_reader *from) {
    uint64_t format;
    nas_result_builder *builder;
    NI_TRY(nas_read_u64(from, &format));
    if (format != FORMAT)
        return ni_fail(context, NAS_E_VERSION,
                       "a kept result has format %llu, this library reads %d",
                       (unsigned long long)format, FORMAT);
    NI_TRY(nas_result_create(&builder, context));
    nas_status status = load_into(builder, from);
    if (status < 0) {
        nas_result_free(builder);
        return status;
    }
    *out = &builder->result;
    return NAS_OK;
}
