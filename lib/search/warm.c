/* A controller learns from the trials of an earlier search before it begins. */
#include <math.h>
#include <stdio.h>
#include "parts.h"

static nas_status tell_row(nas_controller *controller, const nas_space *space, nas_store *store,
                           ni_trial_row *row, uint64_t seed) {
    nas_context *context = ni_space_context(space);
    nas_arch *arch = NULL;
    nas_proposal_builder *asked = NULL;
    nas_proposal *proposal = NULL;
    nas_result_builder *builder = NULL;
    nas_result *result = NULL;
    nas_status status;
    NI_GOTO(end, ni_store_texts(store, row));
    NI_GOTO(end, nas_arch_parse(&arch, space, row->arch));
    /* No trial of the search to come: what is derived from it names no parent. */
    NI_GOTO(end, ni_proposal_create(&asked, context, space, seed, UINT64_MAX, NAS_TRIAL_NONE, 0));
    NI_GOTO(end, nas_propose_arch(asked, arch));
    if (row->total_epochs > 0)
        NI_GOTO(end, nas_propose_fidelity(asked, "epochs", row->total_epochs));
    NI_GOTO(end, ni_proposal_finish(asked, &proposal));
    asked = NULL;
    NI_GOTO(end, nas_result_create(&builder, context));
    NI_GOTO(end, ni_store_result(store, row->number, builder));
    NI_GOTO(end, ni_result_take(builder, &result));
    ni_result_set_score(result, row->score);
    status = nas_controller_tell(controller, proposal, result);
end:
    ni_result_free(result);
    nas_result_free(builder);
    ni_proposal_free(proposal);
    if (asked) ni_proposal_builder_free(asked);
    nas_arch_free(arch);
    return status;
}

nas_status nas_controller_warm_start(nas_controller *controller, const nas_space *space,
                                     nas_store *store, uint64_t *told) {
    nas_context *context = ni_controller_context(controller);
    uint64_t n, count = 0, seed = 0;
    char hash[24], prefix[40];
    NI_TRY(ni_enter(context));
    if (space == NULL || store == NULL)
        return ni_fail(context, NAS_E_INVALID, "a warm start needs a space and a store");
    if (ni_space_context(space) != context || ni_store_context(store) != context)
        return ni_fail(context, NAS_E_INVALID,
                       "the space or the store of a warm start belongs to another context");
    const char *kept = ni_store_find_fact(store, "space_hash");
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)nas_space_hash(space));
    if (kept == NULL || strcmp(kept, hash) != 0)
        return ni_fail(
            context, NAS_E_STATE,
            "the store of the warm start is of another space: \"%s\", this one is \"%s\"",
            ni_store_find_fact(store, "space_name") ? ni_store_find_fact(store, "space_name") : "",
            nas_space_name(space));
    const char *text = ni_store_find_fact(store, "seed");
    if (text) (void)ni_parse_u64(text, strlen(text), &seed);
    NI_TRY(nas_store_trials(store, &n));
    for (uint64_t i = 0; i < n; i++) {
        ni_trial_row row;
        if (!ni_store_row(store, i, &row) || !row.has_arch || isnan(row.score) ||
            row.reason == NAS_REASON_VANISHED)
            continue;
        nas_status status = tell_row(controller, space, store, &row, seed);
        if (status < 0) {
            snprintf(prefix, sizeof prefix, "warm start, trial %llu", (unsigned long long)i + 1);
            return ni_fail_prefix(context, status, prefix);
        }
        count++;
    }
    if (told) *told = count;
    return NAS_OK;
}
