/* Several evaluations at once: threads of the search's own, each one evaluation at a time, each
 * evaluation in its one thread. The thread that runs the search asks, records, tells and calls the
 * hooks; workers only evaluate. */
#include "parts.h"

static ni_turn *next_ready(nas_search *s) {
    for (size_t i = 0; i < s->flight.n; i++)
        if (s->flight.items[i]->phase == NI_TURN_READY) return s->flight.items[i];
    return NULL;
}

static void work(void *user) {
    nas_search *s = user;
    ni_serial_begin();
    ni_mutex_lock(s->lock);
    while (!s->quit) {
        ni_turn *turn = atomic_load(&s->cancel) || s->failed < 0 ? NULL : next_ready(s);
        if (turn == NULL) {
            ni_cond_wait(s->news, s->lock);
            continue;
        }
        nas_status status = ni_turn_begin(s, turn);
        if (status < 0) {
            (void)ni_search_fail(s, status); /* which wakes the others */
            continue;
        }
        ni_mutex_unlock(s->lock);
        ni_turn_evaluate(turn);
        ni_mutex_lock(s->lock);
        turn->phase = NI_TURN_ARRIVED;
        ni_cond_broadcast(s->news);
    }
    ni_mutex_unlock(s->lock);
    ni_serial_end();
}

static nas_status start(nas_search *s) {
    s->quit = false;
    s->threads = ni_calloc(s->context, s->n_workers, sizeof(ni_thread *));
    if (s->threads == NULL) return NAS_E_MEMORY;
    for (uint32_t i = 0; i < s->n_workers; i++) {
        NI_TRY(ni_thread_start(&s->threads[i], s->context, work, s));
        s->n_threads++;
    }
    return NAS_OK;
}

static void finish(nas_search *s) {
    s->quit = true;
    ni_cond_broadcast(s->news);
    ni_mutex_unlock(s->lock);
    for (uint32_t i = 0; i < s->n_threads; i++)
        ni_thread_join(s->threads[i]);
    ni_mutex_lock(s->lock);
    ni_free(s->context, s->threads);
    s->threads = NULL;
    s->n_threads = 0;
}

static bool any(const nas_search *s, int32_t phase) {
    for (size_t i = 0; i < s->flight.n; i++)
        if (s->flight.items[i]->phase == phase) return true;
    return false;
}

/* Takes in what the workers have finished, oldest first. NAS_STOP: something was broken off. */
static nas_status take_in(nas_search *s, bool *some) {
    nas_status worst = NAS_OK;
    *some = false;
    for (size_t i = 0; i < s->flight.n; i++) {
        ni_turn *turn = s->flight.items[i];
        if (turn->phase != NI_TURN_ARRIVED) continue;
        nas_status status = ni_turn_end(s, turn);
        *some = true;
        if (status < 0) return status;
        if (status > 0) worst = status;
    }
    return worst;
}

/* Ends what runs, as soon as it can, and takes in what finished all the same. */
static void break_off(nas_search *s) {
    bool some;
    atomic_store(&s->cancel, 1);
    for (size_t i = 0; i < s->flight.n; i++)
        if (s->flight.items[i]->phase == NI_TURN_RUNNING)
            ni_evaluator_cancel(s->entries[s->flight.items[i]->evaluator].evaluator,
                                s->flight.items[i]->number);
    while (any(s, NI_TURN_RUNNING))
        ni_cond_wait(s->news, s->lock);
    if (s->failed >= 0) (void)take_in(s, &some);
}

static nas_status loop(nas_search *s) {
    bool some;
    for (;;) {
        nas_status asked = ni_search_ask_all(s);
        if (asked < 0) return asked;
        ni_cond_broadcast(s->news);
        NI_TRY(ni_search_hooks(s));
        if (s->failed < 0) return ni_search_failed_again(s);
        ni_mutex_unlock(s->lock);
        nas_status answer = ni_search_poll(s, true);
        ni_mutex_lock(s->lock);
        if (answer != NAS_OK && !(answer == NAS_STOP && !s->has_best && any(s, NI_TURN_RUNNING)))
            return NAS_STOP;
        NI_TRY(take_in(s, &some));
        NI_TRY(ni_search_hooks(s));
        ni_turn *turn = ni_search_deliverable(s);
        if (turn) {
            NI_TRY(ni_search_deliver(s, turn));
            continue;
        }
        if (s->flight.n == 0 && asked == NAS_DONE) return NAS_DONE;
        if (!some && s->events.n == 0) ni_cond_wait_for(s->news, s->lock, 0.1);
    }
}

nas_status ni_search_run_workers(nas_search *s) {
    nas_status status = start(s);
    if (status < 0)
        (void)ni_search_fail(s, status);
    else
        status = loop(s);
    if (status != NAS_DONE) break_off(s);
    finish(s);
    if (status >= 0) status = ni_search_hooks(s);
    if (s->failed < 0) return ni_search_failed_again(s);
    if (status < 0) return status;
    int32_t ended = atomic_load(&s->stop)      ? NAS_ENDED_CALLER
                    : atomic_load(&s->time_up) ? NAS_ENDED_TIME
                    : s->closing               ? s->closing
                                               : NAS_ENDED_CALLER;
    if (s->closing && s->flight.n == 0) ended = s->closing;
    return ni_search_end(s, ended);
}
