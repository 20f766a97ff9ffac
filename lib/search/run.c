/* The loop in the calling thread: to the end, or one turn at a time; and how a search ends. */
#include "parts.h"

const char *nas_ended_text(int32_t ended) {
    static const char *const texts[] = {
        [NAS_ENDED_NOT] = "not ended",
        [NAS_ENDED_TRIALS] = "all trials done",
        [NAS_ENDED_EPOCHS] = "all epochs done",
        [NAS_ENDED_EVALUATIONS] = "all evaluations done",
        [NAS_ENDED_TIME] = "out of time",
        [NAS_ENDED_TARGET] = "target reached",
        [NAS_ENDED_CONTROLLER] = "controller done",
        [NAS_ENDED_CALLER] = "stopped by the caller",
        [NAS_ENDED_ERROR] = "error",
    };
    return ended >= 0 && ended < (int32_t)NI_COUNT(texts) ? texts[ended] : "unknown";
}

/* ---- the end
 * ------------------------------------------------------------------------------------------- */

static nas_status put_number(nas_search *s, const char *key, double value) {
    char text[NI_NUMBER_TEXT];
    return ni_store_put_fact(s->store, key, ni_f64_text(text, value));
}

/* What the controller says of how far ranks hold: from shorter trainings to longer ones, from a
 * surrogate to what it chose. A report tells it without the controller. */
static nas_status ranks_of(nas_search *s, ni_text *to) {
    nas_sink *sink;
    size_t n;
    NI_TRY(nas_sink_memory(&sink, s->context));
    nas_status status = nas_controller_describe(s->controller, sink);
    const char *line = status < 0 ? NULL : nas_sink_data(sink, &n);
    for (const char *end; line && (end = strchr(line, '\n')); line = end + 1) {
        const char *about = strstr(line, "rank correlation");
        if (about && about < end) ni_text_add_n(to, line, (size_t)(end - line) + 1);
    }
    nas_sink_free(sink);
    return status < 0 ? status : to->status;
}

nas_status ni_search_end(nas_search *s, int32_t ended) {
    ni_text ranks;
    NI_TRY(ni_search_checkpoint(s));
    ni_text_init(&ranks, s->context);
    nas_status status = ranks_of(s, &ranks);
    if (status >= 0) status = ni_store_begin(s->store);
    if (status < 0) {
        ni_text_free(&ranks);
        return ni_search_fail(s, status);
    }
    if (ranks.n) status = ni_store_put_fact(s->store, "ranks", ni_text_get(&ranks));
    ni_text_free(&ranks);
    if (status >= 0) status = ni_store_put_fact(s->store, "ended", nas_ended_text(ended));
    if (status >= 0) status = put_number(s, "turns", (double)s->told);
    if (status >= 0) status = put_number(s, "seconds", ni_search_seconds(s));
    if (status < 0)
        ni_store_rollback(s->store);
    else
        status = ni_store_commit(s->store);
    if (status < 0) return ni_search_fail(s, status);
    s->ended = ended;
    return NAS_DONE;
}

nas_status ni_search_stopped(nas_search *s) {
    ni_mutex_unlock(s->lock); /* the hook may use the search */
    nas_status answer = ni_search_poll(s, true);
    ni_mutex_lock(s->lock);
    if (s->failed < 0) return ni_search_failed_again(s);
    if (answer == NAS_OK) return NAS_OK;
    return ni_search_end(s, answer == NAS_STOP ? NAS_ENDED_TIME : NAS_ENDED_CALLER);
}

/* ---- one turn
 * --------------------------------------------------------------------------------------------- */

static nas_status one_turn(nas_search *s) {
    for (;;) {
        nas_status status = ni_search_ask_all(s);
        if (status >= 0) status = ni_search_hooks(s);
        if (status >= 0) status = ni_search_stopped(s);
        if (status != NAS_OK) return status;
        ni_turn *turn = ni_search_next(s);
        if (turn == NULL) return ni_search_end(s, s->closing ? s->closing : NAS_ENDED_CALLER);
        if (turn->phase == NI_TURN_HELD || turn->phase == NI_TURN_RUNNING)
            return ni_fail(s->context, NAS_E_STATE,
                           "turn %llu was handed out by nas_search_ask: tell or forget it first",
                           (unsigned long long)turn->number);
        if (turn->phase == NI_TURN_READY) {
            status = ni_turn_begin(s, turn);
            if (status < 0) return ni_search_fail(s, status);
            ni_mutex_unlock(s->lock);
            ni_turn_evaluate(turn);
            ni_mutex_lock(s->lock);
            if (s->failed < 0) { /* a hook's error during it */
                turn->phase = NI_TURN_READY;
                return ni_search_failed_again(s);
            }
            NI_TRY(ni_turn_end(s, turn));
            if (turn->phase != NI_TURN_FINISHED) continue; /* broken off: someone stopped it */
        }
        turn = ni_search_deliverable(s);
        if (turn == NULL) continue;
        NI_TRY(ni_search_deliver(s, turn));
        return ni_search_hooks(s);
    }
}

static nas_status may_run(nas_search *s) {
    if (s->failed < 0) return ni_search_failed_again(s);
    if (s->dirty && s->ended == NAS_ENDED_NOT)
        return ni_fail(
            s->context, NAS_E_STATE,
            "an evaluation was broken off: create the search again on its store to resume");
    if (s->n_entries == 0)
        return ni_fail(s->context, NAS_E_STATE,
                       "the search has no evaluator: use nas_search_ask and nas_search_tell");
    return NAS_OK;
}

nas_status nas_search_step(nas_search *search) {
    NI_TRY(ni_enter(search->context));
    ni_mutex_lock(search->lock);
    nas_status status = may_run(search);
    if (status >= 0) status = search->ended ? NAS_DONE : one_turn(search);
    ni_mutex_unlock(search->lock);
    return status;
}

nas_status nas_search_run(nas_search *search, int32_t *ended) {
    NI_TRY(ni_enter(search->context));
    ni_mutex_lock(search->lock);
    nas_status status = may_run(search);
    for (size_t i = 0; status >= 0 && i < search->flight.n; i++)
        if (search->flight.items[i]->phase == NI_TURN_HELD)
            status = ni_fail(search->context, NAS_E_STATE,
                             "turn %llu was handed out by nas_search_ask: tell or forget it first",
                             (unsigned long long)search->flight.items[i]->number);
    if (status >= 0 && !search->ended) {
        if (search->n_workers > 1) {
            status = ni_search_run_workers(search);
        } else {
            do
                status = one_turn(search);
            while (status == NAS_OK);
        }
    }
    if (ended) *ended = search->ended;
    ni_mutex_unlock(search->lock);
    return status < 0 ? status : NAS_OK;
}

/* Only atomics: a signal handler may call it. */
void nas_search_stop(nas_search *search) {
    atomic_store(&search->stop, 1);
}
