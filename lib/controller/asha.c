/* Asynchronous successive halving: Li et al., "A system for massively parallel hyperparameter
 * tuning", MLSys 2020, algorithm 2.
 *
 * Each ask looks from the highest rung but the last downwards for a candidate that is among the
 * best 1 / eta of those told there and was not promoted yet, the best of them first; where there is
 * none it samples one for the lowest rung. Nothing waits for a rung. Failed trials count among
 * those told, as the worst, and are never promoted. What is proposed depends on which results were
 * told, not on their order. */
#include "bands.h"
#include <math.h>

enum { FORMAT = 1 };

typedef struct {
    nas_arch *arch; /* held */
    uint64_t turn, trial;
    double before, score; /* at the rung below; here, once told */
    bool told, promoted;
} ni_entry;

typedef NI_ARRAY(ni_entry) ni_entries;

typedef struct {
    nas_context *context;
    const nas_space *space;
    nas_asha_options options;
    ni_bracket plan; /* for its epochs */
    ni_entries rungs[NI_RUNGS];
    uint64_t flight;
    ni_rung_pairs pairs;
} ni_asha;

static bool better(const ni_entry *x, const ni_entry *y) {
    return x->score != y->score ? x->score > y->score : x->turn < y->turn;
}

/* The best one that may be promoted from a rung, or NULL. */
static ni_entry *promotable(ni_entries *rung, uint32_t eta) {
    ni_entry *best = NULL;
    uint64_t told = 0, above = 0;
    for (size_t i = 0; i < rung->n; i++) {
        ni_entry *one = &rung->items[i];
        told += one->told;
        if (one->told && !one->promoted && isfinite(one->score) &&
            (best == NULL || better(one, best)))
            best = one;
    }
    if (best == NULL || told < eta) return NULL;
    for (size_t i = 0; i < rung->n; i++)
        above += rung->items[i].told && better(&rung->items[i], best);
    return above < told / eta ? best : NULL;
}

static nas_status propose(ni_asha *self, uint32_t rung, nas_arch *arch, ni_entry *from,
                          nas_proposal_builder *out) {
    double epochs = self->plan.epochs[rung];
    nas_status status;
    ni_text note;
    ni_text_init(&note, self->context);
    ni_text_f64(&note, epochs);
    ni_text_add(&note, epochs == 1 ? " epoch: " : " epochs: ");
    if (from) {
        ni_text_add(&note, self->options.continues ? "goes on from trial " : "again, after trial ");
        ni_text_u64(&note, from->trial + 1); /* people count trials from 1 */
    } else {
        ni_text_add(&note, "sampled");
    }
    NI_GOTO(end, nas_propose_arch(out, arch));
    NI_GOTO(end, nas_propose_fidelity(out, "epochs", epochs));
    if (from && self->options.continues)
        NI_GOTO(end, nas_propose_from(out, from->trial, NAS_FROM_CONTINUE));
    else if (from)
        NI_GOTO(end, nas_propose_parent(out, from->trial));
    NI_GOTO(end, note.status);
    NI_GOTO(end, nas_propose_note(out, ni_text_get(&note)));
    ni_entry one = {.arch = arch,
                    .turn = nas_propose_turn(out),
                    .trial = nas_propose_trial(out),
                    .before = from ? from->score : 0};
    NI_GOTO(end, NI_PUSH(self->context, &self->rungs[rung], one));
    nas_arch_hold(arch);
    if (from) from->promoted = true;
    self->flight++;
end:
    ni_text_free(&note);
    return status;
}

static nas_status asha_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    ni_asha *self = user;
    for (uint32_t k = self->plan.n - 1; k-- > 0;) {
        ni_entry *best = promotable(&self->rungs[k], self->options.eta);
        if (best) return propose(self, k + 1, best->arch, best, out);
    }
    if (self->options.candidates && self->rungs[0].n >= self->options.candidates)
        return self->flight ? NAS_WAIT : NAS_DONE;
    nas_arch *arch;
    NI_TRY(nas_space_sample(self->space, stream, &arch));
    nas_status status = propose(self, 0, arch, NULL, out);
    nas_arch_free(arch);
    return status;
}

static nas_status asha_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    ni_asha *self = user;
    double score = nas_result_score(got);
    for (uint32_t k = 0; k < self->plan.n; k++)
        for (size_t i = self->rungs[k].n; i-- > 0;) {
            ni_entry *one = &self->rungs[k].items[i];
            if (one->turn != nas_proposal_turn(asked) || one->told) continue;
            if (k > 0 && isfinite(score))
                NI_TRY(ni_rung_pairs_add(&self->pairs, self->plan.epochs[k - 1],
                                         self->plan.epochs[k], one->before, score));
            one->score = isfinite(score) ? score : -INFINITY;
            one->told = true;
            self->flight--;
            return NAS_OK;
        }
    return NAS_OK; /* another's */
}

static nas_status asha_save(void *user, nas_writer *to) {
    const ni_asha *self = user;
    const nas_asha_options *o = &self->options;
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_f64(to, o->min_epochs));
    NI_TRY(nas_write_f64(to, o->max_epochs));
    NI_TRY(nas_write_u64(to, o->eta));
    NI_TRY(nas_write_u64(to, o->candidates));
    NI_TRY(nas_write_u64(to, (uint64_t)o->continues));
    for (uint32_t k = 0; k < self->plan.n; k++) {
        NI_TRY(nas_write_u64(to, self->rungs[k].n));
        for (size_t i = 0; i < self->rungs[k].n; i++) {
            const ni_entry *one = &self->rungs[k].items[i];
            NI_TRY(nas_write_arch(to, one->arch));
            NI_TRY(nas_write_u64(to, one->turn));
            NI_TRY(nas_write_u64(to, one->trial));
            NI_TRY(nas_write_f64(to, one->before));
            NI_TRY(nas_write_f64(to, one->score));
            NI_TRY(nas_write_u64(to, (uint64_t)one->told + 2 * (uint64_t)one->promoted));
        }
    }
    return ni_rung_pairs_save(&self->pairs, to);
}

static nas_status load_entry(ni_asha *self, uint32_t rung, nas_reader *from) {
    ni_entry one = {0};
    uint64_t flags;
    nas_status status;
    NI_TRY(nas_read_arch(from, self->space, &one.arch));
    NI_GOTO(failed, nas_read_u64(from, &one.turn));
    NI_GOTO(failed, nas_read_u64(from, &one.trial));
    NI_GOTO(failed, nas_read_f64(from, &one.before));
    NI_GOTO(failed, nas_read_f64(from, &one.score));
    NI_GOTO(failed, nas_read_u64(from, &flags));
    if (flags > 3 || flags == 2)
        NI_GOTO(failed, ni_fail(self->context, NAS_E_CORRUPT,
                                "asha: its saved state is damaged: a promotion"));
    one.told = flags & 1;
    one.promoted = (flags & 2) != 0;
    NI_GOTO(failed, NI_PUSH(self->context, &self->rungs[rung], one));
    self->flight += !one.told;
    return NAS_OK;
failed:
    nas_arch_free(one.arch);
    return status;
}

static nas_status asha_load(void *user, nas_reader *from) {
    ni_asha *self = user;
    const nas_asha_options *o = &self->options;
    static const char *const names[] = {"eta", "candidates", "continues"};
    const uint64_t now[] = {o->eta, o->candidates, (uint64_t)o->continues};
    uint64_t n;
    NI_TRY(ni_format_same(self->context, "asha", from, FORMAT));
    NI_TRY(ni_setting_same_real(self->context, "asha", "min_epochs", from, o->min_epochs));
    NI_TRY(ni_setting_same_real(self->context, "asha", "max_epochs", from, o->max_epochs));
    NI_TRY(ni_settings_same(self->context, "asha", from, names, now, NI_COUNT(names)));
    for (uint32_t k = 0; k < self->plan.n; k++) {
        NI_TRY(nas_read_u64(from, &n));
        for (uint64_t i = 0; i < n; i++)
            NI_TRY(load_entry(self, k, from));
    }
    return ni_rung_pairs_load(&self->pairs, from);
}

static nas_status asha_describe(void *user, nas_sink *to) {
    const ni_asha *self = user;
    ni_text text;
    ni_text_init(&text, self->context);
    ni_text_f(&text, "asha: %zu candidates, %llu in flight\n", self->rungs[0].n,
              (unsigned long long)self->flight);
    for (uint32_t k = 0; k < self->plan.n; k++) {
        size_t told = 0, promoted = 0;
        for (size_t i = 0; i < self->rungs[k].n; i++) {
            told += self->rungs[k].items[i].told;
            promoted += self->rungs[k].items[i].promoted;
        }
        ni_text_f64(&text, self->plan.epochs[k]);
        ni_text_f(&text, " epochs: %zu told, %zu of them promoted\n", told, promoted);
    }
    nas_status status = ni_rung_pairs_describe(&self->pairs, &text);
    if (status >= 0) status = text.status;
    if (status >= 0) status = nas_sink_text(to, ni_text_get(&text));
    ni_text_free(&text);
    return status;
}

static void asha_destroy(void *user) {
    ni_asha *self = user;
    nas_context *context = self->context;
    for (uint32_t k = 0; k < self->plan.n; k++) {
        for (size_t i = 0; i < self->rungs[k].n; i++)
            nas_arch_free(self->rungs[k].items[i].arch);
        NI_ARRAY_FREE(context, &self->rungs[k]);
    }
    ni_rung_pairs_free(&self->pairs);
    ni_space_release(self->space);
    ni_free(context, self);
}

void nas_asha_options_init(nas_asha_options *options) {
    *options = (nas_asha_options)NAS_ASHA_OPTIONS_INIT;
}

nas_status nas_controller_asha(nas_controller **out, const nas_space *space,
                               const nas_asha_options *given) {
    nas_context *context = ni_space_context(space);
    nas_asha_options o = NAS_ASHA_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, given, "nas_asha_options"));
    NI_TRY(ni_bracket_check(context, o.min_epochs, o.max_epochs, o.eta));
    NI_TRY(ni_switch_check(context, "continues", o.continues));
    ni_asha *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->context = self->pairs.context = context;
    self->space = space;
    self->options = o;
    ni_bracket_halving(&self->plan, o.min_epochs, o.max_epochs, o.eta, 0);
    ni_space_hold(space);
    const nas_controller_ops ops = {.struct_size = sizeof ops,
                                    .flags = o.continues ? NAS_CONTROLLER_CONTINUES : 0,
                                    .ask = asha_ask,
                                    .tell = asha_tell,
                                    .save = asha_save,
                                    .load = asha_load,
                                    .describe = asha_describe,
                                    .destroy = asha_destroy};
    return ni_controller_make(out, context, "asha", &ops, self);
}
