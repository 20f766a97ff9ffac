/* What a search can be asked about itself. */
#include "parts.h"
#include <math.h>

uint64_t nas_search_trials(const nas_search *search) {
    uint64_t n = 0;
    (void)nas_store_trials(search->store, &n);
    return n;
}

nas_status nas_search_trial(nas_search *search, uint64_t number, nas_trial *out) {
    return nas_store_trial(search->store, number, out);
}

nas_status nas_search_best(nas_search *search, nas_trial *out) {
    NI_TRY(ni_enter(search->context));
    ni_mutex_lock(search->lock);
    bool has = search->has_best;
    uint64_t best = search->best_trial, recorded = search->recorded;
    ni_mutex_unlock(search->lock);
    if (has) return nas_store_trial(search->store, best, out);
    if (recorded == 0)
        return ni_fail(search->context, NAS_E_NOT_FOUND, "no trial has finished yet");
    ni_trial_row first;
    bool why = ni_store_row(search->store, 0, &first) && first.sentence[0];
    return ni_fail(search->context, NAS_E_NOT_FOUND, "none of %llu trials has a score%s%s",
                   (unsigned long long)recorded, why ? "; trial 0: " : "",
                   why ? first.sentence : "");
}

int32_t nas_search_ended(const nas_search *search) {
    ni_mutex_lock(search->lock);
    int32_t ended = search->ended;
    ni_mutex_unlock(search->lock);
    return ended;
}

nas_store *nas_search_store(nas_search *search) {
    return search->store;
}

nas_status nas_search_state(const nas_search *s, nas_search_progress *out) {
    NI_TRY(ni_enter(s->context));
    ni_mutex_lock(s->lock);
    nas_search_progress now = {.trials = s->recorded,
                               .turns = s->told,
                               .evaluations = s->told_evaluations,
                               .cached = s->cached,
                               .infeasible = s->infeasible,
                               .distinct = ni_store_indexed(s->store, NI_BY_NETWORK),
                               .generations = s->generations,
                               .best = s->has_best ? s->best : NAN,
                               .epochs = s->told_epochs,
                               .seconds = ni_search_seconds(s)};
    ni_mutex_unlock(s->lock);
    return ni_answer(s->context, out, &now, sizeof now, sizeof now, "nas_search_progress");
}
