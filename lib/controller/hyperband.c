/* Hyperband: Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization",
 * JMLR 2018, algorithm 1; sizes of brackets by default as in HpBandSter, the code of Falkner et
 * al., "BOHB", ICML 2018, which begins again after the last bracket. The brackets are those of
 * brackets.c, run by races.c. */
#include "bands.h"

typedef struct {
    ni_races races;
    nas_hyperband_options options;
} ni_hyperband;

static void plan(void *user, uint64_t number, ni_bracket *out) {
    const nas_hyperband_options *o = &((ni_hyperband *)user)->options;
    ni_bracket_hyperband(out, o->min_epochs, o->max_epochs, o->eta, number, o->original != 0);
}

void nas_hyperband_options_init(nas_hyperband_options *options) {
    *options = (nas_hyperband_options)NAS_HYPERBAND_OPTIONS_INIT;
}

nas_status nas_controller_hyperband(nas_controller **out, const nas_space *space,
                                    const nas_hyperband_options *given) {
    nas_context *context = ni_space_context(space);
    nas_hyperband_options o = NAS_HYPERBAND_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, given, "nas_hyperband_options"));
    NI_TRY(ni_bracket_check(context, o.min_epochs, o.max_epochs, o.eta));
    NI_TRY(ni_switch_check(context, "original", o.original));
    NI_TRY(ni_switch_check(context, "overlap", o.overlap));
    NI_TRY(ni_switch_check(context, "continues", o.continues));
    ni_hyperband *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->options = o;
    const ni_race_settings settings = {
        .format = 1,
        .min_epochs = o.min_epochs,
        .max_epochs = o.max_epochs,
        .brackets = o.brackets,
        .overlap = o.overlap != 0,
        .continues = o.continues != 0,
        .names = {"eta", "brackets", "original", "overlap", "continues"},
        .values = {o.eta, o.brackets, (uint64_t)o.original, (uint64_t)o.overlap,
                   (uint64_t)o.continues},
        .n = 5};
    return ni_races_controller(out, &self->races, space, "hyperband", plan, &settings);
}
