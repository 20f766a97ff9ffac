/* Successive halving: Jamieson and Talwalkar, "Non-stochastic best arm identification and
 * hyperparameter optimization", AISTATS 2016, section 2 (budgets as in Li et al., "Hyperband",
 * JMLR 2018, section 2: each rung trains 1 / eta of the candidates for eta times the epochs).
 * Synchronous: a rung begins when the one below has ended. The work is done in races.c. */
#include "bands.h"

enum { FORMAT = 1 };

typedef struct {
    ni_races races;
    nas_halving_options options;
} ni_halving;

static void plan(void *user, uint64_t number, ni_bracket *out) {
    const nas_halving_options *o = &((ni_halving *)user)->options;
    (void)number;
    ni_bracket_halving(out, o->min_epochs, o->max_epochs, o->eta, o->candidates);
}

static nas_status draw(void *user, nas_random *stream, nas_arch **out, ni_text *note) {
    return ni_draw_uniform(((ni_halving *)user)->races.space, stream, out, note);
}

static nas_status halving_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    return ni_races_ask(&((ni_halving *)user)->races, stream, out);
}

static nas_status halving_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    return ni_races_tell(&((ni_halving *)user)->races, asked, got);
}

static nas_status halving_save(void *user, nas_writer *to) {
    const ni_halving *self = user;
    const nas_halving_options *o = &self->options;
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_f64(to, o->min_epochs));
    NI_TRY(nas_write_f64(to, o->max_epochs));
    NI_TRY(nas_write_u64(to, o->eta));
    NI_TRY(nas_write_u64(to, o->candidates));
    NI_TRY(nas_write_u64(to, o->brackets));
    NI_TRY(nas_write_u64(to, (uint64_t)o->overlap));
    NI_TRY(nas_write_u64(to, (uint64_t)o->continues));
    return ni_races_save(&self->races, to);
}

static nas_status halving_load(void *user, nas_reader *from) {
    ni_halving *self = user;
    const nas_halving_options *o = &self->options;
    static const char *const names[] = {"eta", "candidates", "brackets", "overlap", "continues"};
    const uint64_t now[] = {o->eta, o->candidates, o->brackets, (uint64_t)o->overlap,
                            (uint64_t)o->continues};
    NI_TRY(ni_format_same(self->races.context, "halving", from, FORMAT));
    NI_TRY(ni_setting_same_real(self->races.context, "halving", "min_epochs", from, o->min_epochs));
    NI_TRY(ni_setting_same_real(self->races.context, "halving", "max_epochs", from, o->max_epochs));
    NI_TRY(ni_settings_same(self->races.context, "halving", from, names, now, NI_COUNT(names)));
    return ni_races_load(&self->races, from);
}

static nas_status halving_describe(void *user, nas_sink *to) {
    return ni_races_tell_of(&((ni_halving *)user)->races, to);
}

static void halving_destroy(void *user) {
    ni_halving *self = user;
    const nas_space *space = self->races.space;
    nas_context *context = self->races.context;
    ni_races_free(&self->races);
    ni_space_release(space);
    ni_free(context, self);
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
    ni_races_init(&self->races, context, space, "halving");
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
                                    .ask = halving_ask,
                                    .tell = halving_tell,
                                    .save = halving_save,
                                    .load = halving_load,
                                    .describe = halving_describe,
                                    .destroy = halving_destroy};
    return ni_controller_make(out, context, "halving", &ops, self);
}
