/* Telling: which result is next, and what happens when it is told. */
#include "parts.h"
#include <math.h>

ni_turn *ni_search_next(nas_search *s) {
    ni_turn *next = NULL;
    if (s->options.order == NAS_ORDER_TURNS) return s->flight.n ? s->flight.items[0] : NULL;
    for (size_t i = 0; i < s->flight.n; i++) { /* arrival by arrival; else the oldest */
        ni_turn *turn = s->flight.items[i];
        if (turn->phase == NI_TURN_FINISHED && turn->arrival == s->told) return turn;
        if (next == NULL && turn->phase != NI_TURN_FINISHED) next = turn;
    }
    return next ? next : s->flight.n ? s->flight.items[0] : NULL;
}

ni_turn *ni_search_deliverable(nas_search *s) {
    if (s->options.order == NAS_ORDER_TURNS)
        return s->flight.n && s->flight.items[0]->phase == NI_TURN_FINISHED ? s->flight.items[0]
                                                                            : NULL;
    for (size_t i = 0; i < s->flight.n; i++)
        if (s->flight.items[i]->phase == NI_TURN_FINISHED && s->flight.items[i]->arrival == s->told)
            return s->flight.items[i];
    return NULL;
}

static nas_status tell(nas_search *s, const ni_turn *turn) {
    nas_status status = turn->forgotten && ni_controller_has_forget(s->controller)
                            ? nas_controller_forget(s->controller, turn->number)
                            : nas_controller_tell(s->controller, turn->proposal, turn->result);
    if (status > 0)
        status =
            ni_fail(s->context, NAS_E_INVALID, "controller \"%s\" answered tell with status %d",
                    nas_controller_name(s->controller), status);
    for (uint32_t i = 0; status >= 0 && i < s->n_entries; i++)
        if (s->entries[i].first)
            status = nas_evaluator_observe(s->entries[i].evaluator, turn->proposal, turn->result);
    return status;
}

nas_status ni_search_deliver(nas_search *s, ni_turn *turn) {
    bool ends = nas_proposal_ends_trial(turn->proposal) != 0;
    uint64_t same;
    s->open_seconds += turn->seconds;
    if (ends && !turn->recorded) {
        nas_status status = ni_search_record(s, turn);
        if (status < 0) return status;
    }
    nas_status status = tell(s, turn);
    if (status < 0) return ni_search_fail(s, status);
    s->told++;
    s->must_tell = false;
    s->told_evaluations += turn->evaluated;
    if (ends) {
        ni_trial_row row;
        s->told_trials++;
        if (ni_store_row(s->store, turn->trial, &row)) s->told_epochs += row.epochs;
        s->open_seconds = 0;
        if (!isnan(s->options.target) && nas_result_score(turn->result) >= s->options.target &&
            !s->closing)
            s->closing = NAS_ENDED_TARGET;
        if (turn->reuse_key && ni_map_get(s->reuse, turn->reuse_key, &same) &&
            same == turn->trial) {
            if (nas_result_state(turn->result) != NAS_STATE_INFEASIBLE) {
                status = ni_store_index(s->store, NI_BY_REUSE, turn->trial);
                if (status < 0) return ni_search_fail(s, status);
            }
            ni_map_remove(s->reuse, turn->reuse_key);
        }
    }
    for (size_t i = 0; i < s->flight.n; i++)
        if (s->flight.items[i] == turn) {
            memmove(&s->flight.items[i], &s->flight.items[i + 1],
                    (--s->flight.n - i) * sizeof *s->flight.items);
            break;
        }
    ni_search_event(s, NI_EVENT_TURN, turn); /* which frees it */
    return ni_search_checkpoint_due(s);
}
