/* Asking: budgets, the controller's answer, and what a proposal must satisfy before it is a turn.
 */
#include "parts.h"
#include <math.h>

double ni_search_seconds(const nas_search *search) {
    return search->seconds_before + (search->started > 0 ? ni_clock() - search->started : 0);
}

void ni_turn_free(nas_search *search, ni_turn *turn) {
    if (turn == NULL) return;
    ni_proposal_free(turn->proposal);
    ni_result_free(turn->result);
    nas_result_free(turn->builder);
    ni_free(search->context, turn->sentence);
    ni_free(search->context, turn);
}

/* ---- budgets
 * -------------------------------------------------------------------------------------------- */

/* Those in flight count with what they were asked to spend, those told with what they spent: both
 * are the same whenever results arrive. */
static int32_t budget_spent(const nas_search *s) {
    const nas_search_options *o = &s->options;
    uint64_t evaluations = s->told_evaluations;
    double epochs = s->told_epochs;
    if (o->max_trials && s->next_trial >= o->max_trials) return NAS_ENDED_TRIALS;
    if (!o->max_evaluations && !(o->max_epochs > 0)) return NAS_ENDED_NOT;
    for (size_t i = 0; i < s->flight.n; i++) {
        const ni_turn *turn = s->flight.items[i];
        if (turn->same_as != NAS_TRIAL_NONE) continue;
        evaluations++;
        if (nas_proposal_ends_trial(turn->proposal))
            epochs += nas_proposal_fidelity(turn->proposal, "epochs", 0);
    }
    if (o->max_evaluations && evaluations >= o->max_evaluations) return NAS_ENDED_EVALUATIONS;
    if (o->max_epochs > 0 && epochs >= o->max_epochs) return NAS_ENDED_EPOCHS;
    return NAS_ENDED_NOT;
}

/* ---- what a proposal must satisfy
 * --------------------------------------------------------------------------- */

bool ni_search_trial_told(nas_search *s, uint64_t trial) {
    if (trial >= s->next_trial) return false;
    for (size_t i = 0; i < s->flight.n; i++)
        if (s->flight.items[i]->trial == trial) return false;
    ni_trial_row row;
    return ni_store_row(s->store, trial, &row);
}

static nas_status find_evaluator(nas_search *s, const char *name, uint32_t *out) {
    const char *names[64];
    *out = 0;
    if (name[0] == 0 || s->n_entries == 0) return NAS_OK;
    for (uint32_t i = 0; i < s->n_entries; i++) {
        if (!strcmp(s->entries[i].name, name)) return *out = i, NAS_OK;
        if (i < NI_COUNT(names)) names[i] = s->entries[i].name;
    }
    const char *near =
        ni_nearest(name, names, s->n_entries < NI_COUNT(names) ? s->n_entries : NI_COUNT(names));
    return ni_fail(
        s->context, NAS_E_NOT_FOUND,
        "controller \"%s\" asks for the evaluator \"%s\", which the search has not; %s \"%s\"",
        nas_controller_name(s->controller), name, near ? "did you mean" : "its first is",
        near ? near : s->entries[0].name);
}

static nas_status lacks(nas_search *s, const nas_proposal *p, uint32_t evaluator,
                        const char *what) {
    return ni_fail(
        s->context, NAS_E_UNSUPPORTED,
        "turn %llu: controller \"%s\" proposes %s, which evaluator \"%s\" does not serve",
        (unsigned long long)nas_proposal_turn(p), nas_controller_name(s->controller), what,
        s->entries[evaluator].name);
}

static nas_status check_proposal(nas_search *s, const nas_proposal *p, uint32_t *evaluator) {
    int32_t how;
    uint64_t from = nas_proposal_from(p, &how), parent = nas_proposal_parent(p);
    uint32_t wants = nas_proposal_wants(p);
    NI_TRY(find_evaluator(s, nas_proposal_evaluator(p), evaluator));
    if (from != NAS_TRIAL_NONE && !ni_search_trial_told(s, from))
        return ni_fail(s->context, NAS_E_INVALID,
                       "trial %llu starts from trial %llu, whose result was not told yet",
                       (unsigned long long)nas_proposal_trial(p), (unsigned long long)from);
    if (parent != NAS_TRIAL_NONE && !ni_search_trial_told(s, parent))
        return ni_fail(s->context, NAS_E_INVALID,
                       "trial %llu has trial %llu as its parent, whose result was not told yet",
                       (unsigned long long)nas_proposal_trial(p), (unsigned long long)parent);
    if (s->options.order == NAS_ORDER_ARRIVAL && !nas_proposal_ends_trial(p))
        return ni_fail(s->context, NAS_E_UNSUPPORTED,
                       "controller \"%s\" makes trials of several turns: they need order = turns",
                       nas_controller_name(s->controller));
    if (s->n_entries == 0) return NAS_OK;
    uint32_t flags = nas_evaluator_flags(s->entries[*evaluator].evaluator);
    if ((wants & NAS_WANT_ARCH_GRADIENT) && !(flags & NAS_EVALUATOR_ARCH_GRADIENT))
        return lacks(s, p, *evaluator, "a gradient of the architecture");
    if (((wants & (NAS_WANT_WEIGHT_STEP | NAS_WANT_KEEP_DIRECTION)) ||
         nas_proposal_weights(p, NULL) != NAS_WEIGHTS_LIVE || nas_proposal_displacement(p) != 0) &&
        !(flags & NAS_EVALUATOR_WEIGHT_STEP))
        return lacks(s, p, *evaluator, "a weight step or another point of the weights");
    if (how == NAS_FROM_CONTINUE && !(flags & NAS_EVALUATOR_CONTINUES))
        return lacks(s, p, *evaluator, "to continue a trial");
    if (how == NAS_FROM_INHERIT && !(flags & NAS_EVALUATOR_INHERITS))
        return lacks(s, p, *evaluator, "to inherit weights");
    return NAS_OK;
}

/* ---- a trial that is on record
 * ------------------------------------------------------------------------------- */

static bool script(nas_search *s, uint64_t trial, ni_trial_row *out) {
    return ni_store_row(s->record ? s->record : s->store, trial, out);
}

/* The controller proposes again what is on record for this trial? */
static nas_status check_script(nas_search *s, const ni_turn *turn, ni_trial_row *row) {
    const nas_proposal *p = turn->proposal;
    const char *arch = nas_proposal_arch(p) ? nas_arch_text(nas_proposal_arch(p)) : "";
    const char *what = NULL;
    NI_TRY(ni_store_texts(s->record ? s->record : s->store, row));
    if (strcmp(arch, row->arch))
        what = "architecture";
    else if (strcmp(nas_proposal_evaluator(p), row->evaluator))
        what = "evaluator";
    else if (nas_proposal_parent(p) != row->parent)
        what = "parent";
    else if (nas_proposal_from(p, NULL) != row->from)
        what = "start";
    else if (strcmp(nas_proposal_note(p), row->note))
        what = "note";
    else if (turn->first_turn != row->first_turn)
        what = "first turn";
    if (what == NULL) return NAS_OK;
    if (!strcmp(what, "architecture"))
        return ni_fail(s->context, NAS_E_DIFFERS,
                       "trial %llu: on record is the architecture \"%s\", but controller \"%s\" "
                       "proposes \"%s\" now",
                       (unsigned long long)turn->trial, row->arch,
                       nas_controller_name(s->controller), arch);
    return ni_fail(s->context, NAS_E_DIFFERS,
                   "trial %llu: the %s of the proposal is not the one on record; controller \"%s\" "
                   "must draw from the stream that it is given alone",
                   (unsigned long long)turn->trial, what, nas_controller_name(s->controller));
}

nas_status ni_turn_readmit(nas_search *s, ni_turn *turn) {
    ni_trial_row row;
    if (!script(s, turn->trial, &row) || !nas_proposal_ends_trial(turn->proposal)) {
        if (turn->same_as != NAS_TRIAL_NONE) turn->phase = NI_TURN_WAITS;
        return NAS_OK;
    }
    NI_TRY(check_script(s, turn, &row));
    if (s->record) return NAS_OK; /* a replay evaluates again */
    nas_result_builder *builder;
    nas_status status;
    NI_TRY(nas_result_create(&builder, s->context));
    status = ni_store_result(s->store, turn->trial, builder);
    if (status < 0) {
        nas_result_free(builder);
        return status;
    }
    turn->result = ni_result_finish(builder);
    ni_result_set_score(turn->result, row.score);
    turn->phase = NI_TURN_FINISHED;
    turn->recorded = turn->old = true;
    turn->evaluated = row.evaluated != 0;
    turn->forgotten = row.reason == NAS_REASON_VANISHED;
    turn->arrival = row.arrival;
    if (turn->arrival >= s->arrivals) s->arrivals = turn->arrival + 1;
    return NAS_OK;
}

/* ---- reuse
 * ----------------------------------------------------------------------------------------------------
 */

bool ni_search_same(nas_search *s, uint64_t reuse_key, uint64_t *trial) {
    return ni_store_find(s->store, NI_BY_REUSE, reuse_key, trial) ||
           ni_map_get(s->reuse, reuse_key, trial);
}

static nas_status look_for_same(nas_search *s, ni_turn *turn) {
    uint64_t trial;
    turn->reuse_key = s->options.reuse ? ni_proposal_reuse_key(turn->proposal) : 0;
    if (turn->reuse_key == 0) return NAS_OK;
    if (!ni_search_same(s, turn->reuse_key, &trial))
        return ni_map_put(s->reuse, turn->reuse_key, turn->trial);
    turn->same_as = trial;
    if (turn->phase == NI_TURN_READY) turn->phase = NI_TURN_WAITS;
    return NAS_OK;
}

/* ---- asking
 * ------------------------------------------------------------------------------------------------------
 */

/* The proposal becomes a turn in flight. The reader must not see half of it: everything that can
 * fail comes before the counters move. */
static nas_status admit(nas_search *s, nas_proposal *proposal, ni_turn **out) {
    nas_status status;
    ni_turn *turn = ni_calloc(s->context, 1, sizeof *turn);
    if (turn == NULL) return NAS_E_MEMORY;
    turn->search = s;
    turn->number = s->asked;
    turn->trial = s->next_trial;
    turn->seen = s->told;
    turn->first_turn = s->open_trial ? s->open_first_turn : s->asked;
    turn->first_seen = s->open_trial ? s->open_first_seen : s->told;
    turn->same_as = NAS_TRIAL_NONE;
    turn->phase = NI_TURN_READY;
    turn->proposal = proposal;
    NI_GOTO(failed, check_proposal(s, proposal, &turn->evaluator));
    NI_GOTO(failed, ni_turn_readmit(s, turn));
    NI_GOTO(failed, NI_PUSH(s->context, &s->flight, turn));
    status = look_for_same(s, turn);
    if (status < 0) {
        s->flight.n--;
        goto failed;
    }
    s->asked++;
    s->open_trial = !nas_proposal_ends_trial(proposal);
    s->open_first_turn = turn->first_turn;
    s->open_first_seen = turn->first_seen;
    if (!s->open_trial) s->next_trial++;
    *out = turn;
    return NAS_OK;
failed:
    turn->proposal = NULL; /* the caller's still */
    ni_turn_free(s, turn);
    return status;
}

nas_status ni_search_ask_next(nas_search *s) {
    nas_proposal_builder *builder;
    nas_proposal *proposal = NULL;
    ni_turn *turn = NULL;
    nas_random stream;
    nas_status status;
    if (s->closing) return NAS_DONE;
    if (s->must_tell || s->flight.n >= s->options.window) return NAS_WAIT;
    if (s->record && s->asked >= s->record_turns) return NAS_DONE;
    if (s->options.order == NAS_ORDER_ARRIVAL) {
        ni_trial_row row;
        if (script(s, s->next_trial, &row) && s->told < row.seen && s->flight.n > 0)
            return NAS_WAIT;
    }
    if (!s->open_trial) {
        s->closing = budget_spent(s);
        if (s->closing) return NAS_DONE;
    }
    NI_TRY(ni_proposal_create(&builder, s->context, s->space, s->options.seed, s->asked,
                              s->next_trial, s->told));
    ni_random_init(&stream, s->options.seed, s->asked, "search.ask");
    status = nas_controller_ask(s->controller, &stream, builder);
    if (status == NAS_WAIT) {
        if (s->flight.n == 0)
            status = ni_fail(s->context, NAS_E_STATE,
                             "controller \"%s\" waits for a result, but nothing is in flight",
                             nas_controller_name(s->controller));
        else
            s->must_tell = true;
    } else if (status == NAS_DONE) {
        s->closing = NAS_ENDED_CONTROLLER;
    } else if (status > 0) {
        status =
            ni_fail(s->context, NAS_E_INVALID,
                    "controller \"%s\" answered ask with status %d; NAS_OK, NAS_WAIT and NAS_DONE "
                    "are allowed",
                    nas_controller_name(s->controller), status);
    }
    if (status == NAS_OK) status = ni_proposal_finish(builder, &proposal);
    if (status == NAS_OK) status = admit(s, proposal, &turn);
    if (status != NAS_OK) {
        ni_proposal_builder_free(builder);
        return status;
    }
    if (!turn->old) ni_search_event(s, NI_EVENT_STARTED, turn);
    if (s->record) NI_TRY(ni_search_take_record(s, turn));
    if (turn->phase == NI_TURN_WAITS) return ni_turn_settle(s, turn);
    return NAS_OK;
}

nas_status ni_search_ask_all(nas_search *s) {
    for (;;) {
        nas_status status = ni_search_ask_next(s);
        if (status < 0) return ni_search_fail(s, status);
        if (status != NAS_OK) return status;
    }
}

nas_status ni_turn_settle(nas_search *s, ni_turn *turn) {
    for (size_t i = 0; i < s->flight.n; i++)
        if (s->flight.items[i]->trial == turn->same_as &&
            s->flight.items[i]->phase != NI_TURN_FINISHED)
            return NAS_OK; /* in flight: its finish will settle this one */
    return ni_turn_share(s, turn);
}
