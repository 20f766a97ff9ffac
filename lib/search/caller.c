/* Ask, tell, forget: the caller evaluates, anywhere, several at once. */
#include "parts.h"

static nas_status usable(nas_search *s) {
    return s->failed < 0 ? ni_search_failed_again(s) : NAS_OK;
}

/* Tells what may be told now without changing what the next ask sees: in the order of turns, a
 * result is told early only where an ask could not come before it. */
static nas_status deliver_ready(nas_search *s) {
    for (;;) {
        bool may = s->options.order == NAS_ORDER_ARRIVAL || s->must_tell || s->closing ||
                   s->flight.n >= s->options.window;
        ni_turn *turn = may ? ni_search_deliverable(s) : NULL;
        if (turn == NULL) return NAS_OK;
        NI_TRY(ni_search_deliver(s, turn));
    }
}

static nas_status ask(nas_search *s, const nas_proposal **out) {
    for (;;) {
        for (size_t i = 0; i < s->flight.n; i++) {
            ni_turn *turn = s->flight.items[i];
            if (turn->phase != NI_TURN_READY) continue;
            turn->phase = NI_TURN_HELD;
            turn->started = ni_clock();
            *out = turn->proposal;
            return NAS_OK;
        }
        nas_status status = ni_search_ask_next(s);
        if (status < 0) return ni_search_fail(s, status);
        if (status == NAS_OK) continue;
        ni_turn *turn = ni_search_deliverable(s);
        if (turn) {
            NI_TRY(ni_search_deliver(s, turn));
            continue;
        }
        if (status == NAS_DONE && s->flight.n == 0)
            return ni_search_end(s, s->closing ? s->closing : NAS_ENDED_CALLER);
        return NAS_WAIT;
    }
}

nas_status nas_search_ask(nas_search *search, const nas_proposal **out) {
    NI_TRY(ni_enter(search->context));
    ni_mutex_lock(search->lock);
    nas_status status = usable(search);
    if (status >= 0) status = search->ended ? NAS_DONE : ni_search_stopped(search);
    if (status == NAS_OK) status = ask(search, out);
    nas_status hooks = status < 0 ? status : ni_search_hooks(search);
    ni_mutex_unlock(search->lock);
    return hooks < 0 ? hooks : status;
}

/* The turn that the caller holds; its pointer is compared, not read. */
static nas_status find_held(nas_search *s, const nas_proposal *asked, ni_turn **out) {
    for (size_t i = 0; i < s->flight.n; i++) {
        *out = s->flight.items[i];
        if ((*out)->proposal == asked && (*out)->phase == NI_TURN_HELD) return NAS_OK;
    }
    return ni_fail(
        s->context, NAS_E_STATE,
        "the proposal is not one that nas_search_ask gave and that still waits to be told");
}

/* The held turn gets the builder's contents as its result. */
static nas_status finish(nas_search *s, ni_turn *turn, nas_result_builder *builder) {
    nas_result *result;
    NI_TRY(ni_result_take(builder, &result));
    turn->seconds = ni_clock() - turn->started;
    NI_TRY(ni_turn_finish(s, turn, result));
    return deliver_ready(s);
}

nas_status nas_search_tell(nas_search *search, const nas_proposal *asked,
                           nas_result_builder *result) {
    ni_turn *turn = NULL;
    size_t n_gradient;
    NI_TRY(ni_enter(search->context));
    if (result == NULL) return ni_fail(search->context, NAS_E_INVALID, "the result is NULL");
    ni_mutex_lock(search->lock);
    nas_status status = usable(search);
    if (status >= 0) status = find_held(search, asked, &turn);
    if (status >= 0) {
        (void)nas_result_gradient(nas_result_so_far(result), &n_gradient);
        if (n_gradient && n_gradient != nas_proposal_path_count(asked))
            status =
                ni_fail(search->context, NAS_E_SHAPE,
                        "the result has a gradient of %zu numbers, the proposal lists %u paths",
                        n_gradient, nas_proposal_path_count(asked));
    }
    if (status >= 0) status = ni_turn_check(search, turn, result);
    if (status >= 0) {
        turn->evaluated = true;
        status = finish(search, turn, result);
    }
    nas_status hooks = ni_search_hooks(search);
    ni_mutex_unlock(search->lock);
    return status < 0 ? status : hooks < 0 ? hooks : NAS_OK;
}

nas_status nas_search_forget(nas_search *search, const nas_proposal *asked) {
    ni_turn *turn = NULL;
    nas_result_builder *builder = NULL;
    NI_TRY(ni_enter(search->context));
    ni_mutex_lock(search->lock);
    nas_status status = usable(search);
    if (status >= 0) status = find_held(search, asked, &turn);
    if (status >= 0) status = nas_result_create(&builder, search->context);
    if (status >= 0)
        status = nas_result_set_infeasible(builder, NAS_REASON_VANISHED, "it was never told");
    if (status >= 0) {
        turn->forgotten = true;
        status = finish(search, turn, builder);
    }
    nas_result_free(builder);
    nas_status hooks = ni_search_hooks(search);
    ni_mutex_unlock(search->lock);
    return status < 0 ? status : hooks < 0 ? hooks : NAS_OK;
}
