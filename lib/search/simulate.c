/* Simulated time: evaluations are made at once, and told in the order in which simulated workers
 * would have finished them. It stands on nas_search_ask and nas_search_tell, as a caller's loop
 * would.
 *
 * A search that is gone on with has the times of its results on record (the metric "clock"). What
 * was evaluated when it was broken off is evaluated again from when it began then: as soon as a
 * worker was free and as many results had been told as its ask had seen. */
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
    uint32_t workers, window;
    bool over; /* max_seconds are over */
    NI_ARRAY(ni_running) running;
    /* Of the earlier run, until the first end of this one: */
    bool resumed;
    NI_ARRAY(double) ends;      /* of the evaluations on record, rising */
    NI_ARRAY(double) told_at;   /* i: when i + 1 results had been told */
    NI_ARRAY(uint64_t) skipped; /* turns that no worker evaluated, rising */
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

/* ---- an earlier run
 * ------------------------------------------------------------------------------------------ */

static void insert(double *sorted, size_t n, double value) { /* ends come nearly in order */
    size_t i = n;
    for (; i > 0 && sorted[i - 1] > value; i--)
        sorted[i] = sorted[i - 1];
    sorted[i] = value;
}

static nas_status take_row(ni_simulation *m, const ni_trial_row *row) {
    nas_search *s = m->search;
    double end = 0;
    uint64_t place = s->options.order == NAS_ORDER_ARRIVAL ? row->arrival : row->number;
    if (row->turns != 1)
        return ni_fail(
            s->context, NAS_E_UNSUPPORTED,
            "simulated time: trial %llu took %llu turns; such a search cannot be gone on "
            "with",
            (unsigned long long)row->number, (unsigned long long)row->turns);
    if (!row->evaluated) {
        NI_TRY(NI_PUSH(s->context, &m->skipped, row->number));
    } else if (nas_store_metric(s->store, row->number, "clock", &end) < 0) {
        return ni_fail(
            s->context, NAS_E_STATE,
            "simulated time: trial %llu on record has no metric \"clock\": it was not in "
            "simulated time",
            (unsigned long long)row->number);
    } else {
        NI_TRY(NI_PUSH(s->context, &m->ends, end));
        insert(m->ends.items, m->ends.n - 1, end);
        if (end > m->clock) m->clock = end;
    }
    while (m->told_at.n <= place)
        NI_TRY(NI_PUSH(s->context, &m->told_at, 0));
    m->told_at.items[place] = end;
    return NAS_OK;
}

static nas_status look_back(ni_simulation *m) {
    nas_search *s = m->search;
    uint64_t rows = ni_store_rows(s->store);
    m->resumed = rows > 0;
    for (uint64_t t = 0; t < rows; t++) {
        ni_trial_row row;
        if (ni_store_row(s->store, t, &row)) NI_TRY(take_row(m, &row));
    }
    for (size_t i = 1; i < m->told_at.n; i++)
        if (m->told_at.items[i] < m->told_at.items[i - 1])
            m->told_at.items[i] = m->told_at.items[i - 1];
    return NAS_OK;
}

/* When the evaluation of a proposal that is now handed out begins. */
static double start_of(const ni_simulation *m, const nas_proposal *proposal) {
    uint64_t turn = nas_proposal_turn(proposal), seen = nas_proposal_seen(proposal), before = turn;
    if (!m->resumed) return m->clock;
    for (size_t i = 0; i < m->skipped.n && m->skipped.items[i] < turn; i++)
        before--;
    double told = seen == 0 || m->told_at.n == 0 ? 0
                  : seen <= m->told_at.n         ? m->told_at.items[seen - 1]
                                                 : m->told_at.items[m->told_at.n - 1];
    uint64_t ended = before >= m->workers ? before + 1 - m->workers : 0;
    double free = ended == 0 || m->ends.n == 0 ? 0
                  : ended <= m->ends.n         ? m->ends.items[ended - 1]
                                               : m->ends.items[m->ends.n - 1];
    return told > free ? told : free;
}

/* ---- one evaluation
 * ----------------------------------------------------------------------------------------- */

/* How long it takes, and what comes of it then. */
static nas_status evaluate(ni_simulation *m, const nas_proposal *proposal,
                           nas_result_builder *result, double *end) {
    nas_context *context = m->search->context;
    double seconds, begun = start_of(m, proposal);
    nas_status status =
        nas_evaluator_evaluate(evaluator_of(m->search, proposal), proposal, NULL, result);
    if (status == NAS_STOP) return status;
    if (status < 0) {
        NI_TRY(nas_result_set_infeasible(result, NAS_REASON_OTHER, nas_context_error(context)));
        *end = begun;
        return nas_result_set(result, "clock", *end);
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
    *end = begun + seconds;
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
    m->resumed = false;
    m->search->options.window = m->window;
    if (m->max_seconds > 0 && one.end > m->max_seconds) {
        m->over = true;
        m->clock = m->max_seconds;
        status = nas_search_forget(m->search, one.proposal);
        nas_search_stop(m->search);
    } else {
        if (one.end > m->clock) m->clock = one.end;
        status = nas_search_tell(m->search, one.proposal, one.result);
    }
    nas_result_free(one.result);
    return status;
}

/* Someone stopped the search: what runs is left as it is, for when it is gone on with. */
static bool stopped(ni_simulation *m) {
    int32_t ended = nas_search_ended(m->search);
    return !m->over && (ended == NAS_ENDED_CALLER || ended == NAS_ENDED_TIME);
}

static nas_status run(ni_simulation *m) {
    nas_status status = NAS_OK;
    while (status != NAS_DONE || m->running.n) {
        while (m->running.n < m->workers && (status = start(m)) == NAS_OK) {}
        if (status < 0) return status;
        if (status == NAS_DONE && stopped(m)) return NAS_OK;
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
    if (search->n_entries == 0) return ni_fail(context, NAS_E_STATE, "the search has no evaluator");
    ni_simulation m = {.search = search,
                       .seconds = o.seconds ? o.seconds : "seconds",
                       .max_seconds = o.max_seconds,
                       .workers = o.workers};
    /* Where the window is wider than the workers are many, an ask waits for a worker; results that
     * are on record would not make it wait. */
    uint32_t window = search->options.window;
    nas_status status = search->ended ? NAS_OK : look_back(&m);
    if (m.resumed && window > o.workers && search->options.order == NAS_ORDER_ARRIVAL)
        search->options.window = o.workers;
    m.window = window;
    if (status >= 0) status = run(&m);
    search->options.window = window;
    NI_ARRAY_FREE(context, &m.ends);
    NI_ARRAY_FREE(context, &m.told_at);
    NI_ARRAY_FREE(context, &m.skipped);
    for (size_t i = 0; i < m.running.n; i++)
        nas_result_free(m.running.items[i].result);
    NI_ARRAY_FREE(context, &m.running);
    if (status < 0) return status;
    if (clock) *clock = m.clock;
    return NAS_OK;
}
