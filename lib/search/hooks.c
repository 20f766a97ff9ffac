/* The caller's hooks: queued while the lock is held, called while it is not, one at a time. */
#include "parts.h"

void ni_search_event(nas_search *s, int32_t kind, ni_turn *turn) {
    ni_event event = {.kind = kind, .turn = turn};
    bool wanted =
        (kind == NI_EVENT_STARTED && s->hooks.trial_started && turn->first_turn == turn->number) ||
        (kind == NI_EVENT_TRIAL && s->hooks.trial_ended) ||
        (kind == NI_EVENT_TURN && (s->hooks.turn_ended || s->events.n > 0));
    if (wanted && NI_PUSH(s->context, &s->events, event) >= 0) return;
    if (wanted) ni_log(s->context, NAS_LOG_WARNING, "no memory for a hook's call");
    if (kind != NI_EVENT_TURN) return;
    for (size_t i = 0; i < s->events.n; i++) /* nothing may name it any more */
        if (s->events.items[i].turn == turn) s->events.items[i].turn = NULL;
    ni_turn_free(s, turn);
}

static nas_status call(nas_search *s, const ni_event *event) {
    const nas_search_hooks *h = &s->hooks;
    nas_trial trial = {.struct_size = sizeof trial};
    ni_turn *turn = event->turn;
    switch (event->kind) {
    case NI_EVENT_STARTED:
        return h->trial_started(h->user, s, turn->proposal);
    case NI_EVENT_EPOCH:
        return h->epoch_ended(h->user, s, turn->proposal, event->done, event->total, event->metric,
                              event->value);
    case NI_EVENT_TRIAL:
        NI_TRY(nas_store_trial(s->store, turn->trial, &trial));
        return h->trial_ended(h->user, s, &trial, turn->result);
    default:
        if (h->turn_ended == NULL || turn->old) return NAS_OK;
        return h->turn_ended(h->user, s, turn->proposal, turn->result);
    }
}

nas_status ni_search_hooks(nas_search *s) {
    nas_status worst = NAS_OK;
    while (s->events.n > 0) {
        ni_event event = s->events.items[0];
        memmove(s->events.items, s->events.items + 1, --s->events.n * sizeof *s->events.items);
        if (event.turn == NULL) continue;
        ni_mutex_unlock(s->lock);
        nas_status status = call(s, &event);
        ni_mutex_lock(s->lock);
        if (event.kind == NI_EVENT_TURN) ni_turn_free(s, event.turn);
        if (status == NAS_STOP)
            atomic_store(&s->stop, 1);
        else if (status != NAS_OK && worst >= 0) {
            if (status > 0)
                status =
                    ni_fail(s->context, NAS_E_INVALID,
                            "a hook answered status %d; NAS_OK and NAS_STOP are allowed", status);
            worst = ni_search_fail(s, status);
        }
    }
    return worst;
}
