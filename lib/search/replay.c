/* Replay: the search of a record is run again beside it, and compared trial by trial. */
#include "parts.h"

static nas_status differs(nas_search *s, uint64_t trial, const char *what, double was, double is) {
    char a[NI_NUMBER_TEXT], b[NI_NUMBER_TEXT];
    return ni_search_fail(s, ni_fail(s->context, NAS_E_DIFFERS, "trial %llu: %s was %s, is %s now",
                                     (unsigned long long)trial, what, ni_f64_text(a, was),
                                     ni_f64_text(b, is)));
}

static nas_status differs_text(nas_search *s, uint64_t trial, const char *what, const char *was,
                               const char *is) {
    return ni_search_fail(s, ni_fail(s->context, NAS_E_DIFFERS,
                                     "trial %llu: %s was \"%s\", is \"%s\" now",
                                     (unsigned long long)trial, what, was, is));
}

/* Bits, so that what is not a number equals itself. */
static bool same(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

static nas_status compare_metrics(nas_search *s, const ni_turn *turn) {
    ni_text what;
    const char *name;
    double was, is;
    nas_status status = NAS_OK;
    uint32_t n = 0;
    ni_text_init(&what, s->context);
    for (uint32_t i = 0; status >= 0; i++) {
        status = nas_store_metric_at(s->record, turn->trial, i, &name, &was);
        if (status < 0 || name == NULL) break;
        if (ni_metric_is_time(name)) continue;
        n++;
        ni_text_clear(&what);
        ni_text_f(&what, "metric \"%s\"", name);
        if (nas_result_metric(turn->result, name, &is) != NAS_OK)
            status = differs_text(s, turn->trial, ni_text_get(&what), "there", "not there");
        else if (!same(was, is))
            status = differs(s, turn->trial, ni_text_get(&what), was, is);
    }
    for (uint32_t i = 0; status >= 0 && (name = nas_result_metric_at(turn->result, i, NULL)); i++)
        if (!ni_metric_is_time(name) && n-- == 0)
            status = differs_text(s, turn->trial, "the metrics", "fewer", "more");
    ni_text_free(&what);
    return status;
}

static nas_status compare_curves(nas_search *s, const ni_turn *turn) {
    const char *name;
    for (uint32_t i = 0; (name = nas_result_curve_at(turn->result, i)); i++) {
        size_t n;
        uint32_t points = nas_result_points(turn->result, name);
        if (ni_metric_is_time(name)) continue;
        if (nas_store_curve(s->record, turn->trial, name, NULL, NULL, 0, &n) < 0)
            return differs_text(s, turn->trial, "a curve", "not there", name);
        if (n != points) return differs(s, turn->trial, name, (double)n, (double)points);
        double *xy = ni_calloc(s->context, 2 * n + 1, sizeof *xy);
        if (xy == NULL) return ni_search_fail(s, NAS_E_MEMORY);
        nas_status status = nas_store_curve(s->record, turn->trial, name, xy, xy + n, n, &n);
        for (uint32_t p = 0; status >= 0 && p < points; p++) {
            double x, y;
            (void)nas_result_point(turn->result, name, p, &x, &y);
            if (!same(xy[p], x))
                status = differs(s, turn->trial, name, xy[p], x);
            else if (!same(xy[n + p], y))
                status = differs(s, turn->trial, name, xy[n + p], y);
        }
        ni_free(s->context, xy);
        NI_TRY(status);
    }
    return NAS_OK;
}

nas_status ni_search_compare(nas_search *s, const ni_turn *turn) {
    ni_trial_row was, is;
    if (!ni_store_row(s->record, turn->trial, &was) || !ni_store_row(s->store, turn->trial, &is))
        return ni_search_fail(s, ni_fail(s->context, NAS_E_DIFFERS, "trial %llu is not on record",
                                         (unsigned long long)turn->trial));
    if (was.state != is.state) return differs(s, turn->trial, "state", was.state, is.state);
    if (was.reason != is.reason) return differs(s, turn->trial, "reason", was.reason, is.reason);
    if (strcmp(was.sentence, is.sentence))
        return differs_text(s, turn->trial, "sentence", was.sentence, is.sentence);
    if (was.turns != is.turns)
        return differs(s, turn->trial, "turns", (double)was.turns, (double)is.turns);
    if (was.generation != is.generation)
        return differs(s, turn->trial, "generation", (double)was.generation, (double)is.generation);
    NI_TRY(compare_metrics(s, turn));
    NI_TRY(compare_curves(s, turn));
    if (!same(was.score, is.score)) return differs(s, turn->trial, "score", was.score, is.score);
    return NAS_OK;
}

/* What a clock or the caller decided is not decided again: a trial that ran out of time, vanished,
 * or was ended early by the safety stop has the result on record. */
nas_status ni_search_take_record(nas_search *s, ni_turn *turn) {
    ni_trial_row row;
    nas_result_builder *builder;
    const char *ended = ni_store_find_fact(s->record, "ended");
    if (turn->phase != NI_TURN_READY || turn->first_turn != turn->number ||
        !ni_store_row(s->record, turn->trial, &row))
        return NAS_OK;
    bool by_clock = row.state == NAS_STATE_STOPPED && row.number == 0 && ended &&
                    !strcmp(ended, nas_ended_text(NAS_ENDED_TIME));
    if (row.reason != NAS_REASON_TIME && row.reason != NAS_REASON_VANISHED && !by_clock)
        return NAS_OK;
    NI_TRY(nas_result_create(&builder, s->context));
    nas_status status = ni_store_result(s->record, turn->trial, builder);
    if (status < 0) {
        nas_result_free(builder);
        return status;
    }
    nas_result *result = ni_result_finish(builder);
    turn->evaluated = row.evaluated != 0;
    turn->forgotten = row.reason == NAS_REASON_VANISHED;
    return ni_turn_finish(s, turn, result);
}

nas_status nas_search_replay(nas_context *context, nas_store *record,
                             const nas_search_options *options) {
    nas_search *search;
    NI_TRY(ni_enter(context));
    if (record == NULL) return ni_fail(context, NAS_E_INVALID, "the record is NULL");
    NI_TRY(ni_search_make(&search, context, options, record));
    /* As many turns as were told; of a search that was killed, those of its finished trials. */
    uint64_t trials = 0;
    nas_status status = nas_store_trials(record, &trials);
    if (status >= 0 && trials > 0) {
        ni_trial_row last;
        if (ni_store_row(record, trials - 1, &last))
            search->record_turns = last.first_turn + last.turns;
    }
    const char *turns = ni_store_find_fact(record, "turns");
    if (turns) {
        double told;
        if (ni_parse_f64(turns, strlen(turns), &told) && told >= 0 &&
            told < (double)search->record_turns)
            search->record_turns = (uint64_t)told;
    }
    if (status >= 0 && search->record_turns > 0) status = nas_search_run(search, NULL);
    nas_search_free(search);
    return status;
}
