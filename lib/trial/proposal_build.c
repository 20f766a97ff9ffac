/* Writing a proposal: the calls of a controller, and what makes it whole. */
#include "proposal.h"
#include <math.h>

enum { MOST_PATHS = 1 << 20, MOST_TOKEN = 1 << 28, MOST_TEXT = 4096 };

bool ni_name_ok(const char *name) {
    size_t n = 0;
    if (name == NULL) return false;
    for (; name[n] != 0; n++)
        if (n + 1 >= NI_NAME_BYTES || (unsigned char)name[n] < 0x20 || name[n] == 0x7f)
            return false;
    return n > 0;
}

/* ---- life
 * ---------------------------------------------------------------------------------------- */

static void set_defaults(nas_proposal *p) {
    p->wants = NAS_WANT_METRICS;
    p->split = NAS_SPLIT_NONE;
    p->batch = NAS_BATCH_WHOLE;
    p->from = p->parent = NAS_TRIAL_NONE;
    p->how = NAS_FROM_SCRATCH;
    p->weights = NAS_WEIGHTS_LIVE;
    p->lookahead_batch = 0;
    p->displacement = 0;
    p->ends_trial = 1;
}

nas_status ni_proposal_create(nas_proposal_builder **out, nas_context *context,
                              const nas_space *space, uint64_t seed, uint64_t turn, uint64_t trial,
                              uint64_t seen) {
    size_t n = nas_space_decisions(space), bytes;
    const size_t head = (sizeof(nas_proposal_builder) + 15) / 16 * 16;
    if (!ni_mul_size(n, sizeof(ni_slot) + sizeof(nas_path), &bytes) ||
        !ni_add_size(bytes, head, &bytes))
        return ni_fail_memory(context, SIZE_MAX);
    nas_proposal_builder *builder = ni_alloc(context, bytes); /* slots and paths: set when needed */
    if (builder == NULL) return NAS_E_MEMORY;
    nas_proposal *p = &builder->proposal;
    memset(p, 0, offsetof(nas_proposal, note_room));
    p->token = NULL;
    p->n_token = 0;
    p->slots = (ni_slot *)(void *)((char *)builder + head);
    p->room = (nas_path *)(void *)(p->slots + n);
    p->context = context;
    p->space = space;
    p->seed = seed;
    p->turn = turn;
    p->trial = trial;
    p->seen = seen;
    p->n_decisions = (uint32_t)n;
    set_defaults(p);
    ni_space_hold(space);
    *out = builder;
    return NAS_OK;
}

static void drop_note(nas_proposal *p) {
    if (p->note != p->note_room) ni_free(p->context, p->note);
    p->note = NULL;
}

static void drop_paths(nas_proposal *p) {
    if (p->paths != p->room) ni_free(p->context, p->paths);
    p->paths = NULL;
    p->n_paths = 0;
}

static void drop_contents(nas_proposal *p) {
    nas_arch_free(p->arch);
    drop_paths(p);
    NI_ARRAY_FREE(p->context, &p->listed);
    NI_ARRAY_FREE(p->context, &p->fidelities);
    ni_free(p->context, p->evaluator);
    drop_note(p);
    ni_free(p->context, p->token);
    p->arch = NULL;
    p->by_slots = false;
    p->evaluator = NULL;
    p->token = NULL;
    p->n_token = 0;
}

void ni_proposal_reset(nas_proposal_builder *builder) {
    drop_contents(&builder->proposal);
    set_defaults(&builder->proposal);
}

void ni_proposal_builder_free(nas_proposal_builder *builder) {
    if (builder == NULL) return;
    nas_context *context = builder->proposal.context;
    drop_contents(&builder->proposal);
    ni_space_release(builder->proposal.space);
    ni_free(context, builder);
}

void ni_proposal_free(nas_proposal *proposal) {
    ni_proposal_builder_free((nas_proposal_builder *)proposal);
}

/* ---- what the builder is for
 * ----------------------------------------------------------------------- */

const nas_space *nas_propose_space(const nas_proposal_builder *to) {
    return to->proposal.space;
}
uint64_t nas_propose_turn(const nas_proposal_builder *to) {
    return to->proposal.turn;
}
uint64_t nas_propose_trial(const nas_proposal_builder *to) {
    return to->proposal.trial;
}
const nas_proposal *nas_propose_so_far(const nas_proposal_builder *to) {
    return &to->proposal;
}
nas_context *ni_proposal_builder_context(const nas_proposal_builder *builder) {
    return builder->proposal.context;
}

/* ---- the architecture
 * -------------------------------------------------------------------------------- */

static void need_slots(nas_proposal *p) {
    if (!p->by_slots) memset(p->slots, 0, p->n_decisions * sizeof *p->slots);
    p->by_slots = true;
}

nas_status nas_propose_arch(nas_proposal_builder *to, const nas_arch *arch) {
    nas_proposal *p = &to->proposal;
    NI_TRY(ni_enter(p->context));
    if (arch == NULL) return ni_fail(p->context, NAS_E_INVALID, "the architecture is NULL");
    if (nas_arch_space(arch) != p->space)
        return ni_fail(p->context, NAS_E_INVALID,
                       "the architecture belongs to the space \"%s\", not to the search's \"%s\"",
                       nas_space_name(nas_arch_space(arch)), nas_space_name(p->space));
    nas_arch *held = nas_arch_hold((nas_arch *)(uintptr_t)arch);
    p->by_slots = false;
    p->listed.n = 0;
    nas_arch_free(p->arch);
    p->arch = held;
    return NAS_OK;
}

/* The decision exists; its description. */
static nas_status find(nas_proposal *p, uint32_t decision, nas_decision *out) {
    NI_TRY(ni_enter(p->context));
    if (decision >= p->n_decisions)
        return ni_fail(p->context, NAS_E_INVALID,
                       "decision %u: the space \"%s\" has %u, counted from 0", decision,
                       nas_space_name(p->space), p->n_decisions);
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    return nas_space_decision(p->space, decision, out);
}

nas_status nas_propose_value(nas_proposal_builder *to, uint32_t decision, const nas_value *value) {
    nas_proposal *p = &to->proposal;
    nas_decision about = {.struct_size = sizeof about};
    char low[NI_NUMBER_TEXT], high[NI_NUMBER_TEXT], got[NI_NUMBER_TEXT];
    NI_TRY(find(p, decision, &about));
    if (value == NULL)
        return ni_fail(p->context, NAS_E_INVALID, "decision \"%s\": the value is NULL", about.name);
    switch (about.kind) {
    case NAS_DECISION_CHOICE:
        if (value->integer < 0 || value->integer >= (int64_t)about.n_alternatives)
            return ni_fail(p->context, NAS_E_INVALID,
                           "decision \"%s\": alternative %lld, but it has %u, counted from 0",
                           about.name, (long long)value->integer, about.n_alternatives);
        break;
    case NAS_DECISION_INTEGER:
        if (value->integer < about.low || value->integer > about.high ||
            (about.step > 1 && (value->integer - about.low) % about.step != 0))
            return ni_fail(p->context, NAS_E_INVALID,
                           "decision \"%s\": %lld is not among %lld .. %lld in steps of %lld",
                           about.name, (long long)value->integer, (long long)about.low,
                           (long long)about.high, (long long)about.step);
        break;
    default:
        if (!(value->real >= about.real_low && value->real <= about.real_high))
            return ni_fail(p->context, NAS_E_INVALID, "decision \"%s\": %s is not in %s .. %s",
                           about.name, ni_f64_text(got, value->real),
                           ni_f64_text(low, about.real_low), ni_f64_text(high, about.real_high));
    }
    need_slots(p);
    p->slots[decision].given = NI_GIVEN_VALUE;
    p->slots[decision].value = *value;
    return NAS_OK;
}

nas_status nas_propose_paths(nas_proposal_builder *to, uint32_t decision, const nas_path *paths,
                             uint32_t n) {
    nas_proposal *p = &to->proposal;
    nas_decision about = {.struct_size = sizeof about};
    NI_TRY(find(p, decision, &about));
    if (about.kind != NAS_DECISION_CHOICE)
        return ni_fail(p->context, NAS_E_INVALID,
                       "decision \"%s\": only a choice has paths; give a value", about.name);
    if (paths == NULL || n == 0)
        return ni_fail(p->context, NAS_E_INVALID, "decision \"%s\": no path is listed", about.name);
    if (n > about.n_alternatives)
        return ni_fail(p->context, NAS_E_INVALID, "decision \"%s\": %u paths for %u alternatives",
                       about.name, n, about.n_alternatives);
    for (uint32_t i = 0; i < n; i++) {
        char text[NI_NUMBER_TEXT];
        if (paths[i].alternative >= about.n_alternatives)
            return ni_fail(
                p->context, NAS_E_INVALID,
                "decision \"%s\", path %u: alternative %u, but it has %u, counted from 0",
                about.name, i, paths[i].alternative, about.n_alternatives);
        if (paths[i].active > 1)
            return ni_fail(p->context, NAS_E_INVALID,
                           "decision \"%s\", path %u: active is %u, must be 0 or 1", about.name, i,
                           paths[i].active);
        if (!isfinite(paths[i].weight))
            return ni_fail(p->context, NAS_E_DIVERGED, "decision \"%s\", path %u: its weight is %s",
                           about.name, i, ni_f64_text(text, paths[i].weight));
        if (!(paths[i].channels > 0 && paths[i].channels <= 1))
            return ni_fail(
                p->context, NAS_E_INVALID,
                "decision \"%s\", path %u: channels is %s, must be above 0 and at most 1",
                about.name, i, ni_f64_text(text, paths[i].channels));
        for (uint32_t j = 0; j < i; j++)
            if (paths[j].alternative == paths[i].alternative)
                return ni_fail(p->context, NAS_E_INVALID,
                               "decision \"%s\": alternative \"%s\" is listed twice", about.name,
                               about.alternatives[paths[i].alternative]);
    }
    if (p->listed.n + n > MOST_PATHS)
        return ni_fail(p->context, NAS_E_LIMIT, "more than %d paths in one proposal", MOST_PATHS);
    need_slots(p);
    size_t offset = p->listed.n;
    for (uint32_t i = 0; i < n; i++)
        if (NI_PUSH(p->context, &p->listed, paths[i]) < 0) {
            p->listed.n = offset;
            return NAS_E_MEMORY;
        }
    p->slots[decision].given = NI_GIVEN_PATHS;
    p->slots[decision].offset = (uint32_t)offset;
    p->slots[decision].n_paths = n;
    return NAS_OK;
}

/* ---- everything else
 * ----------------------------------------------------------------------------------- */

nas_status nas_propose_want(nas_proposal_builder *to, uint32_t wants) {
    nas_proposal *p = &to->proposal;
    const uint32_t known =
        NAS_WANT_METRICS | NAS_WANT_ARCH_GRADIENT | NAS_WANT_WEIGHT_STEP | NAS_WANT_KEEP_DIRECTION;
    NI_TRY(ni_enter(p->context));
    if (wants == 0 || (wants & ~known))
        return ni_fail(p->context, NAS_E_INVALID, "wants is %u: bits of NAS_WANT_*, at least one",
                       wants);
    p->wants = wants;
    return NAS_OK;
}

nas_status nas_propose_batch(nas_proposal_builder *to, int32_t split, uint64_t batch) {
    nas_proposal *p = &to->proposal;
    NI_TRY(ni_enter(p->context));
    if (split < NAS_SPLIT_NONE || split > NAS_SPLIT_VALIDATION)
        return ni_fail(p->context, NAS_E_INVALID,
                       split == NAS_SPLIT_TEST
                           ? "split %d: a search never sees the test split"
                           : "split %d is none of NAS_SPLIT_NONE, TRAIN, VALIDATION",
                       split);
    p->split = split;
    p->batch = batch;
    return NAS_OK;
}

nas_status nas_propose_fidelity(nas_proposal_builder *to, const char *name, double value) {
    nas_proposal *p = &to->proposal;
    char text[NI_NUMBER_TEXT];
    ni_fidelity one;
    NI_TRY(ni_enter(p->context));
    if (!ni_name_ok(name))
        return ni_fail(p->context, NAS_E_INVALID, "a fidelity's name must have 1 to 63 bytes");
    if (!(isfinite(value) && value >= 0))
        return ni_fail(p->context, NAS_E_INVALID,
                       "fidelity \"%s\" is %s, must be finite and not below 0", name,
                       ni_f64_text(text, value));
    for (size_t i = 0; i < p->fidelities.n; i++)
        if (!strcmp(p->fidelities.items[i].name, name)) {
            p->fidelities.items[i].value = value;
            return NAS_OK;
        }
    if (p->fidelities.n >= NI_FIDELITIES)
        return ni_fail(p->context, NAS_E_LIMIT, "more than %d fidelities in one proposal",
                       NI_FIDELITIES);
    memset(&one, 0, sizeof one);
    memcpy(one.name, name, strlen(name) + 1);
    one.value = value;
    return NI_PUSH(p->context, &p->fidelities, one);
}

nas_status nas_propose_from(nas_proposal_builder *to, uint64_t trial, int32_t how) {
    nas_proposal *p = &to->proposal;
    NI_TRY(ni_enter(p->context));
    if (how == NAS_FROM_SCRATCH) {
        p->from = NAS_TRIAL_NONE;
        p->how = how;
        return NAS_OK;
    }
    if (how != NAS_FROM_CONTINUE && how != NAS_FROM_INHERIT)
        return ni_fail(p->context, NAS_E_INVALID,
                       "%d is none of NAS_FROM_SCRATCH, CONTINUE, INHERIT", how);
    if (trial >= p->trial)
        return ni_fail(p->context, NAS_E_INVALID,
                       "trial %llu cannot start from trial %llu, which is not an earlier one",
                       (unsigned long long)p->trial, (unsigned long long)trial);
    p->from = trial;
    p->how = how;
    return NAS_OK;
}

nas_status nas_propose_parent(nas_proposal_builder *to, uint64_t trial) {
    nas_proposal *p = &to->proposal;
    NI_TRY(ni_enter(p->context));
    if (trial != NAS_TRIAL_NONE && trial >= p->trial)
        return ni_fail(
            p->context, NAS_E_INVALID,
            "trial %llu cannot have trial %llu as its parent, which is not an earlier one",
            (unsigned long long)p->trial, (unsigned long long)trial);
    p->parent = trial;
    return NAS_OK;
}

/* One line, whatever it was. */
static void one_line(char *text, size_t n) {
    for (size_t i = 0; i < n; i++)
        text[i] = (unsigned char)text[i] < 0x20 ? ' ' : text[i];
}

static nas_status text_length(nas_proposal *p, const char *text, const char *what, size_t *n) {
    NI_TRY(ni_enter(p->context));
    *n = text ? strnlen(text, MOST_TEXT + 1) : 0;
    if (*n <= MOST_TEXT) return NAS_OK;
    return ni_fail(p->context, NAS_E_LIMIT, "the %s is longer than %d bytes", what, MOST_TEXT);
}

nas_status nas_propose_evaluator(nas_proposal_builder *to, const char *name) {
    nas_proposal *p = &to->proposal;
    char *copy = NULL;
    size_t n;
    NI_TRY(text_length(p, name, "evaluator's name", &n));
    if (n > 0) {
        copy = ni_strndup(p->context, name, n);
        if (copy == NULL) return NAS_E_MEMORY;
        one_line(copy, n);
    }
    ni_free(p->context, p->evaluator);
    p->evaluator = copy;
    return NAS_OK;
}

nas_status nas_propose_note(nas_proposal_builder *to, const char *note) {
    nas_proposal *p = &to->proposal;
    char *copy = NULL;
    size_t n;
    NI_TRY(text_length(p, note, "note", &n));
    if (n > 0 && n < sizeof p->note_room) {
        copy = memmove(p->note_room, note, n); /* the old note may be what it is made of */
        copy[n] = 0;
    } else if (n > 0) {
        copy = ni_strndup(p->context, note, n);
        if (copy == NULL) return NAS_E_MEMORY;
    }
    if (copy) one_line(copy, n);
    drop_note(p);
    p->note = copy;
    return NAS_OK;
}

nas_status nas_propose_weights(nas_proposal_builder *to, int32_t point, uint64_t lookahead_batch) {
    nas_proposal *p = &to->proposal;
    NI_TRY(ni_enter(p->context));
    if (point != NAS_WEIGHTS_LIVE && point != NAS_WEIGHTS_LOOKAHEAD)
        return ni_fail(p->context, NAS_E_INVALID,
                       "%d is neither NAS_WEIGHTS_LIVE nor NAS_WEIGHTS_LOOKAHEAD", point);
    p->weights = point;
    p->lookahead_batch = point == NAS_WEIGHTS_LIVE ? 0 : lookahead_batch;
    return NAS_OK;
}

nas_status nas_propose_displacement(nas_proposal_builder *to, double scale) {
    nas_proposal *p = &to->proposal;
    char text[NI_NUMBER_TEXT];
    NI_TRY(ni_enter(p->context));
    if (!isfinite(scale))
        return ni_fail(p->context, NAS_E_DIVERGED, "the displacement is %s",
                       ni_f64_text(text, scale));
    p->displacement = scale;
    return NAS_OK;
}

nas_status nas_propose_token(nas_proposal_builder *to, const void *bytes, size_t n) {
    nas_proposal *p = &to->proposal;
    unsigned char *copy = NULL;
    NI_TRY(ni_enter(p->context));
    if (n > MOST_TOKEN)
        return ni_fail(p->context, NAS_E_LIMIT, "a token of %zu bytes: at most %d", n, MOST_TOKEN);
    if (n > 0) {
        if (bytes == NULL) return ni_fail(p->context, NAS_E_INVALID, "the token is NULL");
        copy = ni_memdup(p->context, bytes, n);
        if (copy == NULL) return NAS_E_MEMORY;
    }
    ni_free(p->context, p->token);
    p->token = copy;
    p->n_token = n;
    return NAS_OK;
}

nas_status nas_propose_continue_trial(nas_proposal_builder *to) {
    NI_TRY(ni_enter(to->proposal.context));
    to->proposal.ends_trial = 0;
    return NAS_OK;
}

/* ---- whole?
 * ---------------------------------------------------------------------------------------------- */

/* Gives every slot that the builder left open what propose_arch said. */
static nas_status fill_from_arch(nas_proposal *p) {
    for (uint32_t d = 0; d < p->n_decisions; d++) {
        if (p->slots[d].given != NI_NOT_GIVEN || !nas_arch_active(p->arch, d)) continue;
        NI_TRY(nas_arch_value(p->arch, d, &p->slots[d].value));
        p->slots[d].given = NI_GIVEN_VALUE;
    }
    return NAS_OK;
}

/* Can the decision matter, given what is said of the decision that it depends on? */
static bool reachable(const nas_proposal *p, const nas_decision *about) {
    if (about->condition < 0) return true;
    const ni_slot *on = &p->slots[about->condition];
    if (!on->active) return false;
    if (on->given == NI_GIVEN_VALUE) return on->value.integer == about->condition_alternative;
    for (uint32_t i = 0; i < on->n_paths; i++)
        if ((int64_t)p->listed.items[on->offset + i].alternative == about->condition_alternative)
            return true;
    return false;
}

/* Lays the paths out decision by decision; a discrete choice is one path, active, weight 1. */
static nas_status lay_out(nas_proposal *p, bool relaxed) {
    uint32_t total = 0;
    for (uint32_t d = 0; d < p->n_decisions; d++) {
        const nas_decision *about = ni_space_decision(p->space, d);
        p->slots[d].active = reachable(p, about);
        if (!p->slots[d].active) {
            p->slots[d].given = NI_NOT_GIVEN;
            continue;
        }
        if (p->slots[d].given == NI_NOT_GIVEN)
            return ni_fail(p->context, NAS_E_INVALID,
                           "turn %llu: the proposal says nothing of decision \"%s\"",
                           (unsigned long long)p->turn, about->name);
        if (p->slots[d].given == NI_GIVEN_PATHS)
            total += p->slots[d].n_paths;
        else
            total += about->kind == NAS_DECISION_CHOICE;
    }
    p->paths = relaxed ? ni_calloc(p->context, total ? total : 1, sizeof *p->paths) : p->room;
    if (p->paths == NULL) return NAS_E_MEMORY;
    uint32_t at = 0;
    for (uint32_t d = 0; d < p->n_decisions; d++) {
        ni_slot *slot = &p->slots[d];
        uint32_t from = slot->offset;
        slot->offset = at;
        if (slot->given == NI_GIVEN_PATHS) {
            memcpy(p->paths + at, p->listed.items + from, slot->n_paths * sizeof *p->paths);
        } else if (slot->given == NI_GIVEN_VALUE &&
                   ni_space_decision(p->space, d)->kind == NAS_DECISION_CHOICE) {
            slot->n_paths = 1;
            p->paths[at] = (nas_path){(uint32_t)slot->value.integer, 1, 1, 1};
        } else {
            slot->n_paths = 0;
        }
        at += slot->n_paths;
    }
    p->n_paths = total;
    return NAS_OK;
}

/* A discrete proposal given value by value gets its architecture. */
static nas_status make_arch(nas_proposal *p) {
    nas_status status;
    nas_arch *arch = NULL;
    nas_value *values = ni_calloc(p->context, p->n_decisions ? p->n_decisions : 1, sizeof *values);
    if (values == NULL) return NAS_E_MEMORY;
    for (uint32_t d = 0; d < p->n_decisions; d++)
        if (p->slots[d].given == NI_GIVEN_VALUE) values[d] = p->slots[d].value;
    status = nas_arch_create(&arch, p->space, values, p->n_decisions);
    ni_free(p->context, values);
    if (status < 0) return status;
    nas_arch_free(p->arch);
    p->arch = arch;
    return NAS_OK;
}

/* What an architecture alone says, in one pass: the common case. */
static void lay_out_arch(nas_proposal *p) {
    const nas_value *values = ni_arch_values(p->arch);
    p->by_slots = true;
    p->paths = p->room;
    p->n_paths = 0;
    for (uint32_t d = 0; d < p->n_decisions; d++) {
        const nas_decision *about = ni_space_decision(p->space, d);
        ni_slot *slot = &p->slots[d];
        *slot = (ni_slot){.offset = p->n_paths};
        slot->active = about->condition < 0 ||
                       (p->slots[about->condition].active &&
                        values[about->condition].integer == about->condition_alternative);
        if (!slot->active) continue;
        slot->given = NI_GIVEN_VALUE;
        slot->value = values[d];
        if (about->kind != NAS_DECISION_CHOICE) continue;
        slot->n_paths = 1;
        p->room[p->n_paths++] = (nas_path){(uint32_t)values[d].integer, 1, 1, 1};
    }
}

nas_status ni_proposal_finish(nas_proposal_builder *builder, nas_proposal **out) {
    nas_proposal *p = &builder->proposal;
    bool relaxed = false, by_hand = p->by_slots;
    if (p->arch == NULL && !p->by_slots && p->n_decisions > 0)
        return ni_fail(p->context, NAS_E_INVALID,
                       "turn %llu: the controller answered NAS_OK but proposed no architecture",
                       (unsigned long long)p->turn);
    if (p->arch != NULL && !p->by_slots) {
        lay_out_arch(p);
        NI_ARRAY_FREE(p->context, &p->listed);
        *out = p;
        return NAS_OK;
    }
    if (by_hand) {
        by_hand = false;
        for (uint32_t d = 0; d < p->n_decisions; d++) {
            by_hand |= p->slots[d].given != NI_NOT_GIVEN;
            relaxed |= p->slots[d].given == NI_GIVEN_PATHS;
        }
    }
    need_slots(p);
    nas_status status = p->arch ? fill_from_arch(p) : NAS_OK;
    if (status >= 0) status = lay_out(p, relaxed);
    if (status >= 0 && !relaxed && (by_hand || p->arch == NULL)) status = make_arch(p);
    if (status < 0) {
        drop_paths(p);
        return status;
    }
    if (relaxed) {
        nas_arch_free(p->arch);
        p->arch = NULL;
    }
    NI_ARRAY_FREE(p->context, &p->listed);
    *out = p;
    return NAS_OK;
}
