/* Hyperband: Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization",
 * JMLR 2018, algorithm 1; sizes of brackets by default as in HpBandSter, the code of Falkner et
 * al., "BOHB", ICML 2018, which begins again after the last bracket. The brackets are those of
 * brackets.c, run by races.c. */
#include "bands.h"

enum { FORMAT = 1 };

typedef struct {
    ni_races races;
    nas_hyperband_options options;
} ni_hyperband;

static void plan(void *user, uint64_t number, ni_bracket *out) {
    const nas_hyperband_options *o = &((ni_hyperband *)user)->options;
    ni_bracket_hyperband(out, o->min_epochs, o->max_epochs, o->eta, number, o->original != 0);
}

static nas_status draw(void *user, nas_random *stream, nas_arch **out, ni_text *note) {
    return ni_draw_uniform(((ni_hyperband *)user)->races.space, stream, out, note);
}

static nas_status hyperband_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    return ni_races_ask(&((ni_hyperband *)user)->races, stream, out);
}

static nas_status hyperband_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    return ni_races_tell(&((ni_hyperband *)user)->races, asked, got);
}

static nas_status hyperband_save(void *user, nas_writer *to) {
    const ni_hyperband *self = user;
    const nas_hyperband_options *o = &self->options;
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_f64(to, o->min_epochs));
    NI_TRY(nas_write_f64(to, o->max_epochs));
    NI_TRY(nas_write_u64(to, o->eta));
    NI_TRY(nas_write_u64(to, o->brackets));
    NI_TRY(nas_write_u64(to, (uint64_t)o->original));
    NI_TRY(nas_write_u64(to, (uint64_t)o->overlap));
    NI_TRY(nas_write_u64(to, (uint64_t)o->continues));
    return ni_races_save(&self->races, to);
}

static nas_status hyperband_load(void *user, nas_reader *from) {
    ni_hyperband *self = user;
    const nas_hyperband_options *o = &self->options;
    static const char *const names[] = {"eta", "brackets", "original", "overlap", "continues"};
    const uint64_t now[] = {o->eta, o->brackets, (uint64_t)o->original, (uint64_t)o->overlap,
                            (uint64_t)o->continues};
    NI_TRY(ni_format_same(self->races.context, "hyperband", from, FORMAT));
    NI_TRY(
        ni_setting_same_real(self->races.context, "hyperband", "min_epochs", from, o->min_epochs));
    NI_TRY(
        ni_setting_same_real(self->races.context, "hyperband", "max_epochs", from, o->max_epochs));
    NI_TRY(ni_settings_same(self->races.context, "hyperband", from, names, now, NI_COUNT(names)));
    return ni_races_load(&self->races, from);
}

static nas_status hyperband_describe(void *user, nas_sink *to) {
    return ni_races_tell_of(&((ni_hyperband *)user)->races, to);
}

static void hyperband_destroy(void *user) {
    ni_hyperband *self = user;
    const nas_space *space = self->races.space;
    nas_context *context = self->races.context;
    ni_races_free(&self->races);
    ni_space_release(space);
    ni_free(context, self);
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
    ni_races_init(&self->races, context, space, "hyperband");
    ni_space_hold(space);
    self->options = o;
    self->races.brackets = o.brackets;
    self->races.overlap = o.overlap != 0;
    self->races.continues = o.continues != 0;
    self->races.user = self;
    self->races.plan = plan;
    self->races.draw = draw;
    const nas_controller_ops ops = {.struct_size = sizeof ops,
                                    .flags = o.continues ? NAS_CONTROLLER_CONTINUES : 0,
                                    .ask = hyperband_ask,
                                    .tell = hyperband_tell,
                                    .save = hyperband_save,
                                    .load = hyperband_load,
                                    .describe = hyperband_describe,
                                    .destroy = hyperband_destroy};
    return ni_controller_make(out, context, "hyperband", &ops, self);
}
