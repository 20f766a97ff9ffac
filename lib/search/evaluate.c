/* One evaluation: its reporter, what its answer means, the score, and what shares its result. */
#include "parts.h"
#include <math.h>

/* ---- go on or stop
 * --------------------------------------------------------------------------------------- */

nas_status ni_search_poll(nas_search *s, bool poll) {
    double now = ni_clock();
    if (atomic_load(&s->cancel) || atomic_load(&s->stop)) return NAS_E_CANCELLED;
    if (s->options.max_seconds > 0 &&
        s->seconds_before + (now - s->started) >= s->options.max_seconds)
        atomic_store(&s->time_up, 1);
    if (poll && s->hooks.should_stop) {
        unsigned long long micro = (unsigned long long)(now * 1e6), last = atomic_load(&s->polled);
        if (micro >= last + 100000 && atomic_compare_exchange_strong(&s->polled, &last, micro) &&
            s->hooks.should_stop(s->hooks.user, s)) {
            atomic_store(&s->stop, 1);
            return NAS_E_CANCELLED;
        }
    }
    return atomic_load(&s->time_up) ? NAS_STOP : NAS_OK;
}

/* From the thread that evaluates, without the lock. */
static nas_status on_report(void *user, const nas_proposal *proposal, int has_news, double done,
                            double total, const char *metric, double value) {
    ni_turn *turn = user;
    nas_search *s = turn->search;
    nas_status answer = ni_search_poll(s, s->n_threads == 0);
    (void)proposal;
    if (has_news && s->hooks.epoch_ended) {
        ni_event event = {
            .kind = NI_EVENT_EPOCH, .turn = turn, .done = done, .total = total, .value = value};
        if (metric) {
            size_t n = strnlen(metric, sizeof event.metric - 1);
            memcpy(event.metric, metric, n);
        }
        ni_mutex_lock(s->lock);
        if (NI_PUSH(s->context, &s->events, event) < 0)
            ni_log(s->context, NAS_LOG_WARNING, "no memory for the news of an epoch");
        if (s->n_threads == 0) {
            if (ni_search_hooks(s) < 0) answer = NAS_E_CANCELLED;
        } else {
            ni_cond_broadcast(s->news);
        }
        ni_mutex_unlock(s->lock);
        if (atomic_load(&s->stop)) answer = NAS_E_CANCELLED;
    }
    if (answer == NAS_OK && turn->deadline > 0 && ni_clock() > turn->deadline) {
        turn->timed_out = true;
        return NAS_E_CANCELLED;
    }
    /* Time is up: what runs is broken off; but when nothing was finished yet it ends with what it
     * has, so that there is a best. */
    if (answer == NAS_STOP) {
        ni_mutex_lock(s->lock);
        bool nothing = !s->has_best && turn->number == s->told;
        ni_mutex_unlock(s->lock);
        return nothing ? NAS_STOP : NAS_E_CANCELLED;
    }
    return answer;
}

static nas_status on_keep(void *user, const nas_proposal *proposal, const void *bytes, size_t n) {
    ni_turn *turn = user;
    nas_search *s = turn->search;
    uint64_t trial = nas_proposal_trial(proposal);
    nas_status status = ni_store_begin(s->store);
    if (status >= 0) {
        status = ni_store_put_kept(s->store, trial, n ? bytes : "", n);
        if (status < 0)
            ni_store_rollback(s->store);
        else
            status = ni_store_commit(s->store);
    }
    if (status < 0) {
        atomic_store(&s->keep_failed, status);
        return status;
    }
    turn->kept = true;
    turn->last_keep = ni_clock();
    return NAS_OK;
}

static int32_t on_keep_due(void *user, const nas_proposal *proposal, int32_t at_end) {
    const ni_turn *turn = user;
    const nas_search *s = turn->search;
    (void)proposal;
    if (at_end) return s->continues;
    return ni_store_in_file(s->store) &&
           ni_clock() - turn->last_keep >= s->options.checkpoint_seconds;
}

/* ---- the evaluation
 * ------------------------------------------------------------------------------------------ */

nas_status ni_turn_begin(nas_search *s, ni_turn *turn) {
    NI_TRY(nas_result_create(&turn->builder, s->context));
    turn->phase = NI_TURN_RUNNING;
    turn->timed_out = false;
    turn->started = turn->last_keep = ni_clock();
    turn->deadline = s->options.trial_seconds > 0 ? turn->started + s->options.trial_seconds : 0;
    ni_free(s->context, turn->sentence);
    turn->sentence = NULL;
    return NAS_OK;
}

/* The trial whose weights stand for those of `trial`: a cached one has the weights of the trial
 * whose result it got. */
static uint64_t with_weights(nas_search *s, uint64_t trial) {
    uint64_t other = trial;
    ni_mutex_lock(s->lock);
    ni_trial_row row;
    if (ni_store_row(s->store, trial, &row) && row.state == NAS_STATE_CACHED && row.reuse_key &&
        !ni_search_same(s, row.reuse_key, &other))
        other = trial;
    ni_mutex_unlock(s->lock);
    return other;
}

static nas_status evaluate(ni_turn *turn, nas_reporter *reporter) {
    nas_search *s = turn->search;
    void *kept = NULL, *from = NULL;
    int32_t how;
    uint64_t origin = nas_proposal_from(turn->proposal, &how);
    nas_status status = NAS_OK;
    if (turn->kept || ni_store_in_file(s->store)) {
        status = ni_store_get_kept(s->store, turn->trial, &kept, &reporter->n_kept);
        turn->kept = kept != NULL;
    }
    if (status >= 0 && origin != NAS_TRIAL_NONE)
        status = ni_store_get_kept(s->store, with_weights(s, origin), &from, &reporter->n_from);
    if (status < 0) { /* the store's failure is not the network's */
        atomic_store(&s->keep_failed, status);
        goto end;
    }
    reporter->kept = kept;
    reporter->from = from;
    status = nas_evaluator_evaluate(s->entries[turn->evaluator].evaluator, turn->proposal, reporter,
                                    turn->builder);
end:
    ni_free(s->context, kept);
    ni_free(s->context, from);
    return status;
}

void ni_turn_evaluate(ni_turn *turn) {
    nas_search *s = turn->search;
    nas_reporter reporter = {.user = turn,
                             .proposal = turn->proposal,
                             .report = on_report,
                             .keep = on_keep,
                             .keep_due = on_keep_due,
                             .deadline = turn->deadline};
    turn->answer = evaluate(turn, &reporter);
    turn->seconds += ni_clock() - turn->started;
    if (turn->answer < 0) /* every error has its sentence; NULL: no memory for it */
        turn->sentence = ni_strdup(s->context, nas_context_error(s->context));
}

/* ---- what the answer means
 * --------------------------------------------------------------------------------------- */

static int32_t reason_of(nas_status status) {
    switch (status) {
    case NAS_E_DIVERGED:
        return NAS_REASON_DIVERGED;
    case NAS_E_MEMORY:
    case NAS_E_LIMIT:
        return NAS_REASON_MEMORY;
    case NAS_E_INFEASIBLE:
        return NAS_REASON_CONSTRAINT;
    case NAS_E_CALLBACK:
        return NAS_REASON_CALLBACK;
    default:
        return status <= NAS_STATUS_CALLER ? NAS_REASON_CALLBACK : NAS_REASON_OTHER;
    }
}

nas_status ni_turn_infeasible(nas_search *s, nas_result_builder *builder, nas_status status,
                              bool timed_out, const char *sentence) {
    char number[NI_NUMBER_TEXT];
    ni_text text;
    if (sentence && sentence[0] && !timed_out)
        return nas_result_set_infeasible(builder, reason_of(status), sentence);
    ni_text_init(&text, s->context);
    if (timed_out)
        ni_text_f(&text, "took longer than the %s seconds that a trial may take",
                  ni_f64_text(number, s->options.trial_seconds));
    else if (status <= NAS_STATUS_CALLER)
        ni_text_f(&text, "the evaluation answered status %d", status);
    else
        ni_text_f(&text, "the evaluation answered %s: %s", nas_status_name(status),
                  nas_status_text(status));
    nas_status set = text.status;
    if (set >= 0)
        set = nas_result_set_infeasible(builder, timed_out ? NAS_REASON_TIME : reason_of(status),
                                        ni_text_get(&text));
    ni_text_free(&text);
    return set;
}

/* The evaluator said OK: is the result one that the search can use? */
nas_status ni_turn_check(nas_search *s, ni_turn *turn, nas_result_builder *builder) {
    const nas_result *r = nas_result_so_far(builder);
    const nas_proposal *p = turn->proposal;
    size_t n_gradient;
    (void)nas_result_gradient(r, &n_gradient);
    if (turn->deadline > 0 && ni_clock() > turn->deadline &&
        nas_result_state(r) != NAS_STATE_INFEASIBLE)
        return ni_turn_infeasible(s, builder, NAS_OK, true, NULL);
    if (nas_result_state(r) == NAS_STATE_INFEASIBLE) return NAS_OK;
    ni_text text;
    ni_text_init(&text, s->context);
    bool wants_gradient = (nas_proposal_wants(p) & NAS_WANT_ARCH_GRADIENT) != 0;
    if ((wants_gradient || n_gradient) && n_gradient != nas_proposal_path_count(p)) {
        ni_text_f(&text, "the result has a gradient of %zu numbers, the proposal lists %u paths",
                  n_gradient, nas_proposal_path_count(p));
    } else if (nas_proposal_arch(p) && (nas_proposal_wants(p) & NAS_WANT_METRICS) &&
               turn->first_turn == turn->number && nas_proposal_ends_trial(p) &&
               turn->evaluator == 0) {
        double value;
        for (uint32_t i = 0; i < s->n_aims; i++) {
            if (nas_result_metric(r, s->aims[i].metric, &value) == NAS_OK) {
                char number[NI_NUMBER_TEXT];
                if (s->aims[i].about.exponent == 0 || value > 0) continue;
                ni_text_f(&text,
                          "metric \"%s\" is %s; with a limit and an exponent it must be above 0",
                          s->aims[i].metric, ni_f64_text(number, value));
                break;
            }
            const char *first = nas_result_metric_at(r, 0, NULL);
            ni_text_f(&text,
                      "the result has no metric \"%s\", which the search is to improve; %s%s%s",
                      s->aims[i].metric, first ? "it has \"" : "it has none", first ? first : "",
                      first ? "\"" : "");
            break;
        }
    }
    nas_status status = text.status;
    if (status >= 0 && text.n > 0)
        status = nas_result_set_infeasible(builder, NAS_REASON_OTHER, ni_text_get(&text));
    ni_text_free(&text);
    return status;
}

nas_status ni_turn_end(nas_search *s, ni_turn *turn) {
    nas_status answer = turn->answer;
    nas_result *result = NULL;
    nas_status keep = atomic_load(&s->keep_failed);
    bool stopping = atomic_load(&s->cancel) || atomic_load(&s->stop) || atomic_load(&s->time_up);
    if (keep < 0) {
        return ni_search_fail(s, turn->sentence
                                     ? ni_fail(s->context, keep, "%s", turn->sentence)
                                     : ni_fail(s->context, keep,
                                               "the store could not take a checkpoint: %s",
                                               nas_status_text(keep)));
    }
    if (answer == NAS_STOP) atomic_store(&s->stop, 1);
    if (answer == NAS_STOP || (answer == NAS_E_CANCELLED && stopping && !turn->timed_out)) {
        nas_result_free(turn->builder);
        turn->builder = NULL;
        turn->phase = NI_TURN_READY;
        s->dirty |= s->serial_state;
        return NAS_STOP;
    }
    if (answer == NAS_E_FORKED) return ni_search_fail(s, answer);
    nas_status status =
        answer == NAS_OK
            ? ni_turn_check(s, turn, turn->builder)
            : ni_turn_infeasible(s, turn->builder, answer,
                                 turn->timed_out && answer == NAS_E_CANCELLED, turn->sentence);
    if (status < 0) {
        nas_result_free(turn->builder);
        turn->builder = NULL;
        return ni_search_fail(s, status);
    }
    result = ni_result_finish(turn->builder);
    turn->builder = NULL;
    turn->evaluated = true;
    return ni_turn_finish(s, turn, result);
}

/* ---- the score
 * ------------------------------------------------------------------------------------------------------
 */

double ni_search_score(const nas_search *s, const nas_result *result) {
    double sum = 0, factor = 1;
    uint32_t terms = 0;
    if (nas_result_state(result) == NAS_STATE_INFEASIBLE) return -INFINITY;
    for (uint32_t i = 0; i < s->n_aims; i++) {
        const nas_objective *about = &s->aims[i].about;
        double value;
        if (nas_result_metric(result, s->aims[i].metric, &value) != NAS_OK) return NAN;
        if (about->exponent != 0) {
            factor *= pow(value / about->limit, about->exponent);
        } else {
            sum += about->weight * (about->minimise ? -value : value);
            terms++;
        }
    }
    double score = (terms ? sum : 1) * factor;
    return isfinite(score) ? score + 0.0 : -INFINITY;
}

/* ---- results
 * ----------------------------------------------------------------------------------------------------------
 */

nas_status ni_turn_finish(nas_search *s, ni_turn *turn, nas_result *result) {
    turn->result = result;
    turn->phase = NI_TURN_FINISHED;
    ni_result_set_score(result, ni_search_score(s, result));
    ni_trial_row script;
    if (s->record && ni_store_row(s->record, turn->trial, &script))
        turn->arrival = script.arrival;
    else
        turn->arrival = s->arrivals++;
    bool alone = turn->first_turn == turn->number && nas_proposal_ends_trial(turn->proposal);
    if (!alone) return NAS_OK; /* recorded when it is told, with a checkpoint */
    NI_TRY(ni_search_record(s, turn));
    for (size_t i = 0; i < s->flight.n; i++) {
        ni_turn *other = s->flight.items[i];
        if (other->phase == NI_TURN_WAITS && other->same_as == turn->trial)
            NI_TRY(ni_turn_share(s, other));
    }
    return NAS_OK;
}

nas_status ni_turn_share(nas_search *s, ni_turn *turn) {
    ni_trial_row row;
    nas_result_builder *builder;
    if (!ni_store_row(s->store, turn->same_as, &row) || row.state == NAS_STATE_INFEASIBLE) {
        turn->same_as = NAS_TRIAL_NONE;
        turn->phase = NI_TURN_READY;
        ni_cond_broadcast(s->news);
        return NAS_OK;
    }
    nas_status status = nas_result_create(&builder, s->context);
    if (status < 0) return ni_search_fail(s, status);
    status = ni_store_result(s->store, turn->same_as, builder);
    if (status >= 0) status = nas_result_set_state(builder, NAS_STATE_CACHED);
    if (status < 0) {
        nas_result_free(builder);
        return ni_search_fail(s, status);
    }
    return ni_turn_finish(s, turn, ni_result_finish(builder));
}
