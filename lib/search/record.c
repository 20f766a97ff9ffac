/* What goes to the store: finished trials, checkpoints; and back from it: resume. */
#include "parts.h"
#include <math.h>

enum { FORMAT = 1 };
/* Without need a checkpoint is written when so many bytes of it fall to each turn since the last:
 * what it costs stays in proportion to the trials' own rows. */
enum { BYTES_A_TURN = 256 };

/* ---- counting recorded trials
 * ------------------------------------------------------------------------------ */

void ni_search_count(nas_search *s, const ni_trial_row *row) {
    s->recorded++;
    s->cached += row->state == NAS_STATE_CACHED;
    s->infeasible += row->state == NAS_STATE_INFEASIBLE;
    if (row->generation > s->generations) s->generations = row->generation;
    /* Counting must not fail a search: without memory the number is too small. */
    if (row->has_arch) (void)ni_store_index(s->store, NI_BY_NETWORK, row->number);
    if (isnan(row->score) || row->state == NAS_STATE_INFEASIBLE) return;
    if (s->has_best &&
        (row->score < s->best || (row->score == s->best && row->number > s->best_trial)))
        return;
    s->has_best = true;
    s->best = row->score;
    s->best_trial = row->number;
}

/* ---- a finished trial
 * --------------------------------------------------------------------------------------- */

static double spent_epochs(nas_search *s, const ni_turn *turn, double *total) {
    int32_t how;
    uint64_t from = nas_proposal_from(turn->proposal, &how);
    ni_trial_row origin;
    double before = 0, epochs;
    if (how == NAS_FROM_CONTINUE && ni_store_row(s->store, from, &origin))
        before = origin.total_epochs;
    if (nas_result_metric(turn->result, "epochs", &epochs) != NAS_OK)
        epochs = nas_proposal_fidelity(turn->proposal, "epochs", 0);
    *total = epochs > before ? epochs : before;
    return turn->evaluated ? *total - before : 0;
}

static ni_trial_row make_row(nas_search *s, const ni_turn *turn) {
    const nas_proposal *p = turn->proposal;
    const nas_arch *arch = nas_proposal_arch(p);
    ni_trial_row parent;
    bool child = nas_proposal_parent(p) != NAS_TRIAL_NONE &&
                 ni_store_row(s->store, nas_proposal_parent(p), &parent);
    bool alone = turn->first_turn == turn->number;
    ni_trial_row row = {.number = turn->trial,
                        .first_turn = turn->first_turn,
                        .turns = turn->number - turn->first_turn + 1,
                        .seen = turn->first_seen,
                        .arrival = turn->arrival,
                        .network_hash = arch ? nas_arch_network_hash(arch) : 0,
                        .reuse_key = turn->reuse_key,
                        .parent = nas_proposal_parent(p),
                        .from = nas_proposal_from(p, NULL),
                        .generation = child ? parent.generation + 1 : 0,
                        .state = nas_result_state(turn->result),
                        .reason = nas_result_reason(turn->result),
                        .evaluated = turn->evaluated,
                        .score = nas_result_score(turn->result),
                        .seconds = nearbyint((alone ? turn->seconds : s->open_seconds) * 1e9) / 1e9,
                        .design = arch,
                        .has_arch = arch != NULL,
                        .arch = "",
                        .sentence = nas_result_sentence(turn->result),
                        .note = nas_proposal_note(p),
                        .evaluator = nas_proposal_evaluator(p)};
    row.epochs = spent_epochs(s, turn, &row.total_epochs);
    return row;
}

static nas_status put_states(nas_search *s);

nas_status ni_search_record(nas_search *s, ni_turn *turn) {
    ni_trial_row row = make_row(s, turn);
    bool alone = turn->first_turn == turn->number;
    bool with_state = !s->dirty && (ni_store_in_file(s->store) || s->serial_state) &&
                      (!alone || s->serial_state || s->checkpoint_each);
    nas_status status = ni_store_begin(s->store);
    if (status < 0) return ni_search_fail(s, status);
    status = ni_store_put_trial(s->store, &row, turn->result);
    if (status >= 0 && turn->kept && !s->continues)
        status = ni_store_put_kept(s->store, turn->trial, NULL, 0);
    turn->recorded = true; /* the position says so */
    if (status >= 0 && with_state) status = put_states(s);
    if (status < 0)
        ni_store_rollback(s->store);
    else
        status = ni_store_commit(s->store);
    if (status < 0) return ni_search_fail(s, status);
    ni_search_count(s, &row);
    ni_search_event(s, NI_EVENT_TRIAL, turn);
    return s->record ? ni_search_compare(s, turn) : NAS_OK;
}

/* ---- checkpoints
 * --------------------------------------------------------------------------------------------------
 */

static nas_status save_position(nas_search *s, nas_writer *to) {
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_u64(to, s->asked));
    NI_TRY(nas_write_u64(to, s->told));
    NI_TRY(nas_write_u64(to, s->next_trial));
    NI_TRY(nas_write_u64(to, s->open_trial));
    NI_TRY(nas_write_u64(to, s->open_first_turn));
    NI_TRY(nas_write_u64(to, s->open_first_seen));
    NI_TRY(nas_write_f64(to, s->open_seconds));
    NI_TRY(nas_write_u64(to, s->arrivals));
    NI_TRY(nas_write_u64(to, s->told_trials));
    NI_TRY(nas_write_u64(to, s->told_evaluations));
    NI_TRY(nas_write_f64(to, s->told_epochs));
    NI_TRY(nas_write_f64(to, ni_search_seconds(s)));
    NI_TRY(nas_write_i64(to, s->closing));
    NI_TRY(nas_write_u64(to, s->flight.n));
    for (size_t i = 0; i < s->flight.n; i++) {
        const ni_turn *turn = s->flight.items[i];
        NI_TRY(nas_write_u64(to, turn->first_turn));
        NI_TRY(nas_write_u64(to, turn->first_seen));
        NI_TRY(nas_write_u64(to, turn->same_as));
        NI_TRY(ni_proposal_save(turn->proposal, to));
    }
    return NAS_OK;
}

static nas_status state_name(nas_search *s, ni_text *name, uint32_t entry) {
    ni_text_clear(name);
    ni_text_add(name, "evaluator ");
    ni_text_add(name, s->entries[entry].name);
    return name->status;
}

static nas_status put_states(nas_search *s) {
    nas_writer *writer = NULL;
    const void *bytes;
    nas_status status;
    ni_text name;
    size_t n, all = 0;
    ni_text_init(&name, s->context);
    NI_GOTO(end, nas_writer_create(&writer, s->context));
    NI_GOTO(end, save_position(s, writer));
    bytes = nas_writer_data(writer, &n);
    NI_GOTO(end, ni_store_put_state(s->store, "search", bytes, n));
    all += n;
    ni_writer_clear(writer);
    NI_GOTO(end, nas_controller_save(s->controller, writer));
    bytes = nas_writer_data(writer, &n);
    NI_GOTO(end, ni_store_put_state(s->store, "controller", n ? bytes : "", n));
    all += n;
    for (uint32_t i = 0; i < s->n_entries; i++) {
        if (!s->entries[i].first || !ni_evaluator_has_state(s->entries[i].evaluator)) continue;
        ni_writer_clear(writer);
        NI_GOTO(end, nas_evaluator_save(s->entries[i].evaluator, writer));
        bytes = nas_writer_data(writer, &n);
        NI_GOTO(end, state_name(s, &name, i));
        NI_GOTO(end, ni_store_put_state(s->store, ni_text_get(&name), n ? bytes : "", n));
        all += n;
    }
    s->last_checkpoint = ni_clock();
    s->turns_since = 0;
    s->state_bytes = all;
end:
    ni_text_free(&name);
    nas_writer_free(writer);
    return status;
}

nas_status ni_search_checkpoint(nas_search *s) {
    if (s->dirty || ni_store_read_only(s->store)) return NAS_OK;
    nas_status status = ni_store_begin(s->store);
    if (status < 0) return ni_search_fail(s, status);
    status = put_states(s);
    if (status < 0)
        ni_store_rollback(s->store);
    else
        status = ni_store_commit(s->store);
    return status < 0 ? ni_search_fail(s, status) : NAS_OK;
}

nas_status ni_search_checkpoint_due(nas_search *s) {
    s->turns_since++;
    if (!ni_store_in_file(s->store)) return NAS_OK;
    bool late = ni_clock() - s->last_checkpoint >= s->options.checkpoint_seconds;
    bool cheap =
        !s->serial_state && !s->open_trial && s->turns_since * BYTES_A_TURN >= s->state_bytes;
    return late || (cheap && s->turns_since >= 16) ? ni_search_checkpoint(s) : NAS_OK;
}

/* ---- resume
 * -----------------------------------------------------------------------------------------------------------
 */

static nas_status damaged(nas_search *s) {
    return ni_fail(s->context, NAS_E_CORRUPT, "the search's position in the store is damaged");
}

/* A turn in flight at the checkpoint. One that an earlier run finished has its result on record. */
static nas_status load_turn(nas_search *s, nas_reader *from) {
    nas_status status;
    ni_turn *turn = ni_calloc(s->context, 1, sizeof *turn);
    if (turn == NULL) return NAS_E_MEMORY;
    turn->search = s;
    turn->phase = NI_TURN_READY;
    NI_GOTO(failed, nas_read_u64(from, &turn->first_turn));
    NI_GOTO(failed, nas_read_u64(from, &turn->first_seen));
    NI_GOTO(failed, nas_read_u64(from, &turn->same_as));
    NI_GOTO(failed, ni_proposal_load(&turn->proposal, s->context, s->space, from));
    turn->number = nas_proposal_turn(turn->proposal);
    turn->trial = nas_proposal_trial(turn->proposal);
    turn->seen = nas_proposal_seen(turn->proposal);
    turn->reuse_key = s->options.reuse ? ni_proposal_reuse_key(turn->proposal) : 0;
    if (turn->number >= s->asked || turn->first_turn > turn->number) {
        status = damaged(s);
        goto failed;
    }
    NI_GOTO(failed, ni_turn_readmit(s, turn));
    NI_GOTO(failed, NI_PUSH(s->context, &s->flight, turn));
    return NAS_OK;
failed:
    ni_turn_free(s, turn);
    return status;
}

static nas_status load_position(nas_search *s, nas_reader *from) {
    uint64_t format, open, n;
    int64_t closing;
    NI_TRY(nas_read_u64(from, &format));
    if (format != FORMAT)
        return ni_fail(s->context, NAS_E_VERSION,
                       "the search's position in the store has format %llu, this library reads %d",
                       (unsigned long long)format, FORMAT);
    NI_TRY(nas_read_u64(from, &s->asked));
    NI_TRY(nas_read_u64(from, &s->told));
    NI_TRY(nas_read_u64(from, &s->next_trial));
    NI_TRY(nas_read_u64(from, &open));
    NI_TRY(nas_read_u64(from, &s->open_first_turn));
    NI_TRY(nas_read_u64(from, &s->open_first_seen));
    NI_TRY(nas_read_f64(from, &s->open_seconds));
    NI_TRY(nas_read_u64(from, &s->arrivals));
    NI_TRY(nas_read_u64(from, &s->told_trials));
    NI_TRY(nas_read_u64(from, &s->told_evaluations));
    NI_TRY(nas_read_f64(from, &s->told_epochs));
    NI_TRY(nas_read_f64(from, &s->seconds_before));
    NI_TRY(nas_read_i64(from, &closing));
    NI_TRY(nas_read_u64(from, &n));
    s->open_trial = open != 0;
    if (n > s->options.window || s->told > s->asked || s->asked - s->told != n) return damaged(s);
    /* Budgets may have grown since; a controller that is done stays done, and so does a target. */
    if (closing == NAS_ENDED_CONTROLLER || closing == NAS_ENDED_TARGET)
        s->closing = (int32_t)closing;
    for (uint64_t i = 0; i < n; i++)
        NI_TRY(load_turn(s, from));
    return NAS_OK;
}

/* Reads one state back; *there tells whether there was one. */
static nas_status with_state(nas_search *s, const char *name, bool *there,
                             nas_status (*use)(nas_search *s, nas_reader *from, uint32_t entry),
                             uint32_t entry) {
    void *bytes;
    size_t n;
    nas_reader *reader;
    NI_TRY(ni_store_get_state(s->store, name, &bytes, &n));
    *there = bytes != NULL;
    if (bytes == NULL) return NAS_OK;
    nas_status status = nas_reader_create(&reader, s->context, bytes, n);
    if (status >= 0) {
        status = use(s, reader, entry);
        if (status >= 0 && nas_reader_left(reader) > 0)
            status = ni_fail(s->context, NAS_E_CORRUPT,
                             "the state \"%s\" is longer than it should be", name);
        nas_reader_free(reader);
    }
    ni_free(s->context, bytes);
    return status < 0 ? ni_fail_prefix(s->context, status, "cannot resume") : NAS_OK;
}
static nas_status use_position(nas_search *s, nas_reader *from, uint32_t entry) {
    (void)entry;
    return load_position(s, from);
}
static nas_status use_controller(nas_search *s, nas_reader *from, uint32_t entry) {
    (void)entry;
    return nas_controller_load(s->controller, from);
}
static nas_status use_evaluator(nas_search *s, nas_reader *from, uint32_t entry) {
    return nas_evaluator_load(s->entries[entry].evaluator, from);
}

/* What can be counted again from the trials themselves. */
static nas_status recount(nas_search *s) {
    uint64_t n = ni_store_rows(s->store);
    ni_store_unindex(s->store); /* of an earlier search on the same handle */
    for (uint64_t t = 0; t < n; t++) {
        ni_trial_row row;
        if (!ni_store_row(s->store, t, &row)) continue;
        ni_search_count(s, &row);
        if (s->options.reuse && row.reuse_key && t < s->next_trial &&
            row.state != NAS_STATE_INFEASIBLE)
            NI_TRY(ni_store_index(s->store, NI_BY_REUSE, t));
    }
    for (size_t i = 0; i < s->flight.n; i++) {
        ni_turn *turn = s->flight.items[i];
        if (turn->phase == NI_TURN_WAITS) NI_TRY(ni_turn_settle(s, turn));
        if (turn->reuse_key && !ni_search_same(s, turn->reuse_key, NULL))
            NI_TRY(ni_map_put(s->reuse, turn->reuse_key, turn->trial));
    }
    return NAS_OK;
}

nas_status ni_search_resume(nas_search *s) {
    bool there;
    ni_text name;
    nas_status status = NAS_OK;
    NI_TRY(with_state(s, "search", &there, use_position, 0));
    if (there) {
        NI_TRY(with_state(s, "controller", &there, use_controller, 0));
        ni_text_init(&name, s->context);
        for (uint32_t i = 0; status >= 0 && i < s->n_entries; i++) {
            if (!s->entries[i].first || !ni_evaluator_has_state(s->entries[i].evaluator)) continue;
            status = state_name(s, &name, i);
            if (status >= 0) status = with_state(s, ni_text_get(&name), &there, use_evaluator, i);
        }
        ni_text_free(&name);
        NI_TRY(status);
    }
    if (s->serial_state)
        for (uint64_t t = s->next_trial; t < ni_store_rows(s->store); t++) {
            ni_trial_row row;
            if (ni_store_row(s->store, t, &row))
                return ni_fail(
                    s->context, NAS_E_STATE,
                    "cannot resume: trial %llu is finished, but the evaluators' state after "
                    "it was not saved",
                    (unsigned long long)t);
        }
    return recount(s);
}
