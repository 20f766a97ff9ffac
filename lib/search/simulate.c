/* Simulated time: evaluations are made at once, and told in the order in which simulated workers would
 * have finished them. It stands on nas_search_ask and nas_search_tell, as a caller's loop would. */
#include "parts.h"
#include <math.h>

typedef struct {
    double end;
    uint64_t number; /* of equal ends the one that was asked first comes first */
    const nas_proposal *proposal;
    nas_result_builder *result;
} ni_running;

typedef struct {
    nas_search *search;
    const char *seconds;
    double max_seconds, clock;
    uint64_t started;
    NI_ARRAY(ni_running) running;
} ni_simulation;

void nas_simulate_options_init(nas_simulate_options *options) {
    *options = (nas_simulate_options)NAS_SIMULATE_OPTIONS_INIT;
}

static nas_evaluator *evaluator_of(nas_search *s, const nas_proposal *proposal) {
    const char *name = nas_proposal_evaluator(proposal);
    for (uint32_t i = 0; name[0] && i < s->n_entries; i++)
        if (!strcmp(s->entries[i].name, name)) return s->entries[i].evaluator;
    return s->entries[0].evaluator;
}

/* How long it takes, and what comes of it then. */
static nas_status evaluate(ni_simulation *m, const nas_proposal *proposal,
                           nas_result_builder *result, double *end) {
    nas_context *context = m->search->context;
    double seconds;
    nas_status status =
        nas_evaluator_evaluate(evaluator_of(m->search, proposal), proposal, NULL, result);
    if (status == NAS_STOP) return status;
    if (status < 0) {
        NI_TRY(nas_result_set_infeasible(result, NAS_REASON_OTHER, nas_context_error(context)));
        *end = m->clock;
        return NAS_OK;
    }
    status = nas_result_metric(nas_result_so_far(result), m->seconds, &seconds);
    if (status < 0 && nas_result_state(nas_result_so_far(result)) == NAS_STATE_INFEASIBLE)
        seconds = 0;
    else if (status < 0)
        return ni_fail(context, NAS_E_NOT_FOUND,
                       "simulated time: the result of trial %llu has no metric \"%s\"",
                       (unsigned long long)nas_proposal_trial(proposal), m->seconds);
    if (!(seconds >= 0))
        return ni_fail(context, NAS_E_INVALID, "simulated time: \"%s\" of trial %llu is negative",
                       m->seconds, (unsigned long long)nas_proposal_trial(proposal));
    *end = m->clock + seconds;
    return nas_result_set(result, "clock", *end);
}

/* One more evaluation begins; NAS_WAIT or NAS_DONE: not now. */
static nas_status start(ni_simulation *m) {
    const nas_proposal *proposal;
    nas_result_builder *result;
    double end = 0;
    nas_status status = nas_search_ask(m->search, &proposal);
    if (status != NAS_OK) return status;
    NI_TRY(nas_result_create(&result, m->search->context));
    status = evaluate(m, proposal, result, &end);
    ni_running one = {end, m->started++, proposal, result};
    if (status >= 0 && status != NAS_STOP) status = NI_PUSH(m->search->context, &m->running, one);
    if (status != NAS_OK) nas_result_free(result);
    if (status == NAS_STOP) { /* the evaluator ends the search */
        nas_search_stop(m->search);
        return NAS_DONE;
    }
    return status;
}

/* The first one ends. */
static nas_status end_one(ni_simulation *m) {
    size_t first = 0;
    for (size_t i = 1; i < m->running.n; i++) {
        const ni_running *one = &m->running.items[i], *best = &m->running.items[first];
        if (one->end < best->end || (one->end == best->end && one->number < best->number))
            first = i;
    }
    ni_running one = m->running.items[first];
    m->running.items[first] = m->running.items[--m->running.n];
    nas_status status;
    if (m->max_seconds > 0 && one.end > m->max_seconds) {
        m->clock = m->max_seconds;
        status = nas_search_forget(m->search, one.proposal);
        nas_search_stop(m->search);
    } else {
        m->clock = one.end;
        status = nas_search_tell(m->search, one.proposal, one.result);
    }
    nas_result_free(one.result);
    return status;
}

static nas_status run(ni_simulation *m, uint32_t workers) {
    nas_status status = NAS_OK;
    while (status != NAS_DONE || m->running.n) {
        while (m->running.n < workers && (status = start(m)) == NAS_OK) {}
        if (status < 0) return status;
        if (m->running.n == 0) {
            if (status == NAS_DONE) break;
            return ni_fail(m->search->context, NAS_E_STATE,
                           "simulated time: turns are held by nas_search_ask");
        }
        NI_TRY(end_one(m));
    }
    return NAS_OK;
}

nas_status nas_search_simulate(nas_search *search, const nas_simulate_options *given,
                               double *clock) {
    nas_simulate_options o = NAS_SIMULATE_OPTIONS_INIT;
    nas_context *context = search->context;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, given, "nas_simulate_options"));
    if (o.workers < 1 || o.workers > NI_WINDOW_MOST || !(o.max_seconds >= 0))
        return ni_fail(context, NAS_E_INVALID,
                       "workers is %u, must be in 1 .. %d, and max_seconds 0 or more", o.workers,
                       NI_WINDOW_MOST);
    if (search->n_entries == 0)
        return ni_fail(context, NAS_E_STATE, "the search has no evaluator");
    ni_simulation m = {.search = search,
                       .seconds = o.seconds ? o.seconds : "seconds",
                       .max_seconds = o.max_seconds};
    nas_status status = run(&m, o.workers);
    for (size_t i = 0; i < m.running.n; i++)
        nas_result_free(m.running.items[i].result);
    NI_ARRAY_FREE(context, &m.running);
    if (status < 0) return status;
    if (clock) *clock = m.clock;
    return NAS_OK;
}
