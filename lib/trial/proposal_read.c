/* Reading a proposal, comparing two, and their bytes in a checkpoint. */
#include "proposal.h"

uint64_t nas_proposal_turn(const nas_proposal *proposal) {
    return proposal->turn;
}
uint64_t nas_proposal_trial(const nas_proposal *proposal) {
    return proposal->trial;
}
uint64_t nas_proposal_seen(const nas_proposal *proposal) {
    return proposal->seen;
}
uint64_t nas_proposal_seed(const nas_proposal *proposal) {
    return proposal->seed;
}
uint32_t nas_proposal_wants(const nas_proposal *proposal) {
    return proposal->wants;
}
const nas_arch *nas_proposal_arch(const nas_proposal *proposal) {
    return proposal->arch;
}
int32_t nas_proposal_split(const nas_proposal *proposal) {
    return proposal->split;
}
uint64_t nas_proposal_batch(const nas_proposal *proposal) {
    return proposal->batch;
}
uint64_t nas_proposal_parent(const nas_proposal *proposal) {
    return proposal->parent;
}
double nas_proposal_displacement(const nas_proposal *proposal) {
    return proposal->displacement;
}
int32_t nas_proposal_ends_trial(const nas_proposal *proposal) {
    return proposal->ends_trial;
}
uint32_t nas_proposal_path_count(const nas_proposal *proposal) {
    return proposal->n_paths;
}
nas_context *ni_proposal_context(const nas_proposal *proposal) {
    return proposal->context;
}

const char *nas_proposal_evaluator(const nas_proposal *proposal) {
    return proposal->evaluator ? proposal->evaluator : "";
}
const char *nas_proposal_note(const nas_proposal *proposal) {
    return proposal->note ? proposal->note : "";
}

const nas_path *nas_proposal_paths(const nas_proposal *proposal, uint32_t decision, uint32_t *n) {
    *n = 0;
    if (decision >= proposal->n_decisions || proposal->paths == NULL) return NULL;
    *n = proposal->slots[decision].n_paths;
    return *n ? proposal->paths + proposal->slots[decision].offset : NULL;
}

uint32_t nas_proposal_path_offset(const nas_proposal *proposal, uint32_t decision) {
    if (proposal->paths == NULL) return 0;
    if (decision >= proposal->n_decisions) return proposal->n_paths;
    return proposal->slots[decision].offset;
}

nas_status nas_proposal_value(const nas_proposal *proposal, uint32_t decision, nas_value *out) {
    NI_TRY(ni_enter(proposal->context));
    if (decision >= proposal->n_decisions)
        return ni_fail(proposal->context, NAS_E_INVALID,
                       "decision %u: the space \"%s\" has %u, counted from 0", decision,
                       nas_space_name(proposal->space), proposal->n_decisions);
    if (proposal->arch != NULL) return nas_arch_value(proposal->arch, decision, out);
    if (!proposal->by_slots || proposal->slots[decision].given != NI_GIVEN_VALUE)
        return ni_fail(proposal->context, NAS_E_STATE,
                       "decision %u has no one value in this relaxed proposal: read its paths",
                       decision);
    *out = proposal->slots[decision].value;
    return NAS_OK;
}

double nas_proposal_fidelity(const nas_proposal *proposal, const char *name, double otherwise) {
    for (size_t i = 0; i < proposal->fidelities.n; i++)
        if (!strcmp(proposal->fidelities.items[i].name, name))
            return proposal->fidelities.items[i].value;
    return otherwise;
}

uint64_t nas_proposal_from(const nas_proposal *proposal, int32_t *how) {
    if (how) *how = proposal->how;
    return proposal->from;
}

int32_t nas_proposal_weights(const nas_proposal *proposal, uint64_t *lookahead_batch) {
    if (lookahead_batch) *lookahead_batch = proposal->lookahead_batch;
    return proposal->weights;
}

const void *nas_proposal_token(const nas_proposal *proposal, size_t *n) {
    *n = proposal->n_token;
    return proposal->token;
}

nas_status nas_proposal_random(const nas_proposal *proposal, const char *purpose,
                               nas_random **out) {
    NI_TRY(ni_enter(proposal->context));
    if (purpose == NULL) return ni_fail(proposal->context, NAS_E_INVALID, "the purpose is NULL");
    return nas_random_create(out, proposal->context, proposal->seed, proposal->trial, purpose);
}

uint64_t ni_reuse_key(uint64_t network, uint64_t hyper, const char *evaluator,
                      uint64_t fidelities) {
    struct {
        uint64_t network, hyper, evaluator, fidelities;
    } key = {network, hyper, ni_hash_text(evaluator ? evaluator : ""), fidelities};
    uint64_t hash = ni_hash(&key, sizeof key);
    return hash ? hash : 1;
}

uint64_t ni_proposal_reuse_key(const nas_proposal *p) {
    uint64_t fidelities = 0;
    if (p->arch == NULL || p->wants != NAS_WANT_METRICS || p->from != NAS_TRIAL_NONE ||
        !p->ends_trial || p->split != NAS_SPLIT_NONE)
        return 0;
    for (size_t i = 0; i < p->fidelities.n; i++) /* whatever their order */
        fidelities += ni_hash(&p->fidelities.items[i], sizeof p->fidelities.items[i]);
    return ni_reuse_key(nas_arch_network_hash(p->arch), ni_arch_hyper_hash(p->arch),
                        nas_proposal_evaluator(p), fidelities);
}

/* ---- comparing
 * ----------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b) {
    return !strcmp(a ? a : "", b ? b : "");
}

static bool same_slots(const nas_proposal *a, const nas_proposal *b) {
    for (uint32_t d = 0; d < a->n_decisions; d++) {
        const ni_slot *x = &a->slots[d], *y = &b->slots[d];
        if (x->given != y->given || x->n_paths != y->n_paths) return false;
        if (x->given == NI_GIVEN_VALUE && (x->value.integer != y->value.integer ||
                                           memcmp(&x->value.real, &y->value.real, sizeof(double))))
            return false;
    }
    for (uint32_t i = 0; i < a->n_paths; i++)
        if (memcmp(&a->paths[i], &b->paths[i], sizeof(nas_path))) return false;
    return true;
}

bool ni_proposal_equal(const nas_proposal *a, const nas_proposal *b, const char **what) {
    const char *first = NULL;
    if (a->turn != b->turn)
        first = "turn";
    else if (a->trial != b->trial)
        first = "trial";
    else if ((a->arch == NULL) != (b->arch == NULL))
        first = "architecture";
    else if (a->arch && strcmp(nas_arch_text(a->arch), nas_arch_text(b->arch)))
        first = "architecture";
    else if (!a->arch &&
             (a->n_decisions != b->n_decisions || a->n_paths != b->n_paths || !same_slots(a, b)))
        first = "paths";
    else if (a->wants != b->wants)
        first = "wants";
    else if (a->split != b->split || a->batch != b->batch)
        first = "batch";
    else if (a->from != b->from || a->how != b->how)
        first = "start";
    else if (a->parent != b->parent)
        first = "parent";
    else if (a->weights != b->weights || a->lookahead_batch != b->lookahead_batch)
        first = "weights";
    else if (memcmp(&a->displacement, &b->displacement, sizeof a->displacement))
        first = "displacement";
    else if (a->ends_trial != b->ends_trial)
        first = "end of the trial";
    else if (!same_text(a->evaluator, b->evaluator))
        first = "evaluator";
    else if (a->fidelities.n != b->fidelities.n ||
             (a->fidelities.n && memcmp(a->fidelities.items, b->fidelities.items,
                                        a->fidelities.n * sizeof *a->fidelities.items)))
        first = "fidelities";
    else if (!same_text(a->note, b->note))
        first = "note";
    else if (a->n_token != b->n_token || (a->n_token && memcmp(a->token, b->token, a->n_token)))
        first = "token";
    if (what) *what = first;
    return first == NULL;
}

/* ---- bytes
 * -----------------------------------------------------------------------------------------------
 */

enum { FORMAT = 1 };

static nas_status save_slots(const nas_proposal *p, nas_writer *to) {
    for (uint32_t d = 0; d < p->n_decisions; d++) {
        const ni_slot *slot = &p->slots[d];
        NI_TRY(nas_write_u64(to, slot->given));
        if (slot->given == NI_GIVEN_VALUE) {
            NI_TRY(nas_write_i64(to, slot->value.integer));
            NI_TRY(nas_write_f64(to, slot->value.real));
        } else if (slot->given == NI_GIVEN_PATHS) {
            NI_TRY(nas_write_u64(to, slot->n_paths));
            for (uint32_t i = 0; i < slot->n_paths; i++) {
                const nas_path *path = &p->paths[slot->offset + i];
                NI_TRY(nas_write_u64(to, path->alternative));
                NI_TRY(nas_write_u64(to, path->active));
                NI_TRY(nas_write_f64(to, path->weight));
                NI_TRY(nas_write_f64(to, path->channels));
            }
        }
    }
    return NAS_OK;
}

nas_status ni_proposal_save(const nas_proposal *p, nas_writer *to) {
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_u64(to, p->seed));
    NI_TRY(nas_write_u64(to, p->turn));
    NI_TRY(nas_write_u64(to, p->trial));
    NI_TRY(nas_write_u64(to, p->seen));
    NI_TRY(nas_write_u64(to, p->wants));
    NI_TRY(nas_write_i64(to, p->split));
    NI_TRY(nas_write_u64(to, p->batch));
    NI_TRY(nas_write_u64(to, p->from));
    NI_TRY(nas_write_i64(to, p->how));
    NI_TRY(nas_write_u64(to, p->parent));
    NI_TRY(nas_write_i64(to, p->weights));
    NI_TRY(nas_write_u64(to, p->lookahead_batch));
    NI_TRY(nas_write_f64(to, p->displacement));
    NI_TRY(nas_write_i64(to, p->ends_trial));
    NI_TRY(nas_write_text(to, nas_proposal_evaluator(p)));
    NI_TRY(nas_write_text(to, nas_proposal_note(p)));
    NI_TRY(nas_write_bytes(to, p->token, p->n_token));
    NI_TRY(nas_write_u64(to, p->fidelities.n));
    for (size_t i = 0; i < p->fidelities.n; i++) {
        NI_TRY(nas_write_text(to, p->fidelities.items[i].name));
        NI_TRY(nas_write_f64(to, p->fidelities.items[i].value));
    }
    NI_TRY(nas_write_u64(to, p->arch != NULL));
    if (p->arch) return nas_write_arch(to, p->arch);
    NI_TRY(nas_write_u64(to, p->n_decisions));
    return save_slots(p, to);
}

static nas_status damaged(nas_context *context) {
    return ni_fail(context, NAS_E_CORRUPT, "a kept proposal is damaged");
}

static nas_status load_slots(nas_proposal_builder *builder, nas_reader *from) {
    nas_proposal *p = &builder->proposal;
    uint64_t n;
    NI_TRY(nas_read_u64(from, &n));
    if (n != p->n_decisions) return damaged(p->context);
    for (uint32_t d = 0; d < p->n_decisions; d++) {
        uint64_t given, count, alternative, active;
        NI_TRY(nas_read_u64(from, &given));
        if (given == NI_GIVEN_VALUE) {
            nas_value value;
            NI_TRY(nas_read_i64(from, &value.integer));
            NI_TRY(nas_read_f64(from, &value.real));
            NI_TRY(nas_propose_value(builder, d, &value));
        } else if (given == NI_GIVEN_PATHS) {
            NI_ARRAY(nas_path) paths = {0};
            nas_status status;
            NI_GOTO(end, nas_read_u64(from, &count));
            for (uint64_t i = 0; i < count; i++) {
                nas_path path;
                NI_GOTO(end, nas_read_u64(from, &alternative));
                NI_GOTO(end, nas_read_u64(from, &active));
                NI_GOTO(end, nas_read_f64(from, &path.weight));
                NI_GOTO(end, nas_read_f64(from, &path.channels));
                path.alternative = alternative > UINT32_MAX ? UINT32_MAX : (uint32_t)alternative;
                path.active = active > 1 ? 2 : (uint32_t)active;
                NI_GOTO(end, NI_PUSH(p->context, &paths, path));
            }
            if (count > UINT32_MAX)
                status = damaged(p->context);
            else
                status = nas_propose_paths(builder, d, paths.items, (uint32_t)count);
        end:
            NI_ARRAY_FREE(p->context, &paths);
            if (status < 0) return status;
        } else if (given != NI_NOT_GIVEN) {
            return damaged(p->context);
        }
    }
    return NAS_OK;
}

/* A text of any length that the writer framed: borrowed from the bytes, so it is copied here. */
static nas_status load_text(nas_proposal_builder *builder, nas_reader *from,
                            nas_status (*set)(nas_proposal_builder *, const char *)) {
    const void *bytes;
    size_t n;
    NI_TRY(nas_read_bytes(from, &bytes, &n));
    char *text = ni_strndup(builder->proposal.context, bytes ? bytes : "", n);
    if (text == NULL) return NAS_E_MEMORY;
    nas_status status = set(builder, text);
    ni_free(builder->proposal.context, text);
    return status;
}

static nas_status load_into(nas_proposal_builder *builder, nas_reader *from) {
    nas_proposal *p = &builder->proposal;
    uint64_t wants, n, has_arch;
    int64_t split, how, weights, ends_trial;
    const void *token;
    size_t n_token;
    NI_TRY(nas_read_u64(from, &wants));
    NI_TRY(nas_read_i64(from, &split));
    NI_TRY(nas_read_u64(from, &p->batch));
    NI_TRY(nas_read_u64(from, &p->from));
    NI_TRY(nas_read_i64(from, &how));
    NI_TRY(nas_read_u64(from, &p->parent));
    NI_TRY(nas_read_i64(from, &weights));
    NI_TRY(nas_read_u64(from, &p->lookahead_batch));
    NI_TRY(nas_read_f64(from, &p->displacement));
    NI_TRY(nas_read_i64(from, &ends_trial));
    if (wants == 0 || wants > 15 || split < 0 || split > NAS_SPLIT_VALIDATION || how < 0 ||
        how > NAS_FROM_INHERIT || weights < 0 || weights > 1 || ends_trial < 0 || ends_trial > 1)
        return damaged(p->context);
    p->wants = (uint32_t)wants;
    p->split = (int32_t)split;
    p->how = (int32_t)how;
    p->weights = (int32_t)weights;
    p->ends_trial = (int32_t)ends_trial;
    NI_TRY(load_text(builder, from, nas_propose_evaluator));
    NI_TRY(load_text(builder, from, nas_propose_note));
    NI_TRY(nas_read_bytes(from, &token, &n_token));
    NI_TRY(nas_propose_token(builder, token, n_token));
    NI_TRY(nas_read_u64(from, &n));
    if (n > NI_FIDELITIES) return damaged(p->context);
    for (uint64_t i = 0; i < n; i++) {
        char name[NI_NAME_BYTES];
        double value;
        NI_TRY(nas_read_text(from, name, sizeof name));
        NI_TRY(nas_read_f64(from, &value));
        NI_TRY(nas_propose_fidelity(builder, name, value));
    }
    NI_TRY(nas_read_u64(from, &has_arch));
    if (has_arch > 1) return damaged(p->context);
    if (!has_arch) return load_slots(builder, from);
    return nas_read_arch(from, p->space, &p->arch);
}

nas_status ni_proposal_load(nas_proposal **out, nas_context *context, const nas_space *space,
                            nas_reader *from) {
    uint64_t format, seed, turn, trial, seen;
    nas_proposal_builder *builder;
    NI_TRY(nas_read_u64(from, &format));
    if (format != FORMAT)
        return ni_fail(context, NAS_E_VERSION,
                       "a kept proposal has format %llu, this library reads %d",
                       (unsigned long long)format, FORMAT);
    NI_TRY(nas_read_u64(from, &seed));
    NI_TRY(nas_read_u64(from, &turn));
    NI_TRY(nas_read_u64(from, &trial));
    NI_TRY(nas_read_u64(from, &seen));
    NI_TRY(ni_proposal_create(&builder, context, space, seed, turn, trial, seen));
    nas_status status = load_into(builder, from);
    if (status >= 0) status = ni_proposal_finish(builder, out);
    if (status < 0) ni_proposal_builder_free(builder);
    return status;
}
