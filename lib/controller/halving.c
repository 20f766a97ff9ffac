/* Successive halving: Jamieson and Talwalkar, "Non-stochastic best arm identification and
 * hyperparameter optimization", AISTATS 2016, section 2 (budgets as in Li et al., "Hyperband",
 * JMLR 2018, section 2: each rung trains 1 / eta of the candidates for eta times the epochs).
 * Synchronous: a rung begins when the one below has ended. The work is done in races.c. */
#include "bands.h"

typedef struct {
    ni_races races;
    nas_halving_options options;
} ni_halving;

static void plan(void *user, uint64_t number, ni_bracket *out) {
    const nas_halving_options *o = &((ni_halving *)user)->options;
    (void)number;
    ni_bracket_halving(out, o->min_epochs, o->max_epochs, o->eta, o->candidates);
}

void nas_halving_options_init(nas_halving_options *options) {
    *options = (nas_halving_options)NAS_HALVING_OPTIONS_INIT;
}

nas_status nas_controller_halving(nas_controller **out, const nas_space *space,
                                  const nas_halving_options *given) {
    nas_context *context = ni_space_context(space);
    nas_halving_options o = NAS_HALVING_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, given, "nas_halving_options"));
    NI_TRY(ni_bracket_check(context, o.min_epochs, o.max_epochs, o.eta));
    if (o.candidates > NI_RACE_MOST)
        return ni_fail(context, NAS_E_INVALID, "candidates is %u, must be in 0 .. %d", o.candidates,
                       NI_RACE_MOST);
    NI_TRY(ni_switch_check(context, "overlap", o.overlap));
    NI_TRY(ni_switch_check(context, "continues", o.continues));
    ni_halving *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->options = o;
    const ni_race_settings settings = {
        .format = 1,
        .min_epochs = o.min_epochs,
        .max_epochs = o.max_epochs,
        .brackets = o.brackets,
        .overlap = o.overlap != 0,
        .continues = o.continues != 0,
        .names = {"eta", "candidates", "brackets", "overlap", "continues"},
        .values = {o.eta, o.candidates, o.brackets, (uint64_t)o.overlap, (uint64_t)o.continues},
        .n = 5};
    return ni_races_controller(out, &self->races, space, "halving", plan, &settings);
}
