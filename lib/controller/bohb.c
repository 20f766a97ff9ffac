/* BOHB: Falkner, Klein and Hutter, "BOHB: robust and efficient hyperparameter optimization at
 * scale", ICML 2018, algorithm 2 and section 3.2; details as in its code, HpBandSter.
 *
 * Brackets are Hyperband's. A candidate is sampled uniformly with probability random_fraction and
 * while there is no model; otherwise it comes from the model of the most epochs that have one. A
 * model is two kernel densities (density.c), of the top_percent best results at those epochs and of
 * the others; both need more rows than there are decisions. It is made anew for each proposal from
 * the results told so far, ordered by score and, of equals, by turn: the order of tells does not
 * matter.
 *
 * A real is its place in its range (of logarithms, if it is so declared), an integer and, with
 * ordinal, a choice among rising numbers is the middle of its cell in 0 .. 1, any other choice is
 * categorical. What does not apply in a network is filled in from others before the densities are
 * made, and left out of what is proposed. A candidate that breaks a constraint of the space is not
 * taken; nor, without `repeats`, is one that was tried before or is in a bracket now: in a space of
 * choices the densities narrow until most of what they give is known, and its training again tells
 * nothing. Failed trials are the worst results. One that vanished says nothing. */
#include "bands.h"
#include <math.h>

enum { FORMAT = 2 /* 1 had no repeats */ };

typedef struct {
    nas_arch *arch; /* held */
    double epochs, score;
    uint64_t turn;
} ni_observation;

/* How a decision stands in a vector. */
typedef struct {
    int32_t kind;   /* NAS_DECISION_* */
    uint32_t cells; /* of an integer or an ordered choice; 0: a real */
    int64_t low, step;
    double real_low, real_high; /* logarithms where log is set */
    bool log;
} ni_axis;

typedef struct {
    ni_races races;
    nas_bohb_options options;
    uint32_t d;
    ni_axis *axes;
    uint32_t *levels;  /* d: of a categorical axis, else 0 */
    nas_value *values; /* d, scratch */
    NI_ARRAY(ni_observation) seen;
} ni_bohb;

/* ---- vectors
 * --------------------------------------------------------------------------------------- */

static double clip(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

static nas_status to_vector(const ni_bohb *self, const nas_arch *arch, double *out) {
    for (uint32_t j = 0; j < self->d; j++) {
        const ni_axis *axis = &self->axes[j];
        nas_value value;
        out[j] = NAN;
        if (!nas_arch_active(arch, j)) continue;
        NI_TRY(nas_arch_value(arch, j, &value));
        if (self->levels[j])
            out[j] = (double)value.integer;
        else if (axis->cells)
            out[j] = ((double)((value.integer - axis->low) / axis->step) + 0.5) / axis->cells;
        else if (axis->real_high > axis->real_low)
            out[j] = clip(((axis->log ? log(value.real) : value.real) - axis->real_low) /
                              (axis->real_high - axis->real_low),
                          0, 1);
        else
            out[j] = 0.5;
    }
    return NAS_OK;
}

static nas_status to_arch(ni_bohb *self, const double *x, nas_arch **out) {
    for (uint32_t j = 0; j < self->d; j++) {
        const ni_axis *axis = &self->axes[j];
        nas_value *value = &self->values[j];
        *value = (nas_value){0, 0};
        if (self->levels[j]) {
            value->integer = (int64_t)x[j];
        } else if (axis->cells) {
            double cell = clip(floor(x[j] * axis->cells), 0, axis->cells - 1.0);
            value->integer = axis->low + axis->step * (int64_t)cell;
        } else {
            double at = axis->real_low + x[j] * (axis->real_high - axis->real_low);
            nas_decision about = {.struct_size = sizeof about};
            NI_TRY(nas_space_decision(self->races.space, j, &about));
            value->real = clip(axis->log ? exp(at) : at, about.real_low, about.real_high);
        }
    }
    return nas_arch_create(out, self->races.space, self->values, self->d);
}

/* Was it proposed before? (Also by others, and what they told.) */
static bool known(const ni_bohb *self, const nas_arch *arch) {
    uint64_t key = ni_candidate_key(arch);
    for (size_t i = 0; i < self->seen.n; i++)
        if (ni_candidate_key(self->seen.items[i].arch) == key) return true;
    for (size_t b = 0; b < self->races.open.n; b++) {
        const ni_race *race = &self->races.open.items[b];
        for (uint32_t r = 0; r < race->plan.sizes[0]; r++)
            if (race->racers[r].arch && ni_candidate_key(race->racers[r].arch) == key) return true;
    }
    return false;
}

static nas_status accept(void *user, const double *x) {
    const ni_bohb *self = user;
    nas_arch *arch;
    NI_TRY(to_arch(user, x, &arch));
    nas_status status = nas_arch_check(arch);
    if (status >= 0 && !self->options.repeats && known(self, arch)) status = NAS_E_INFEASIBLE;
    nas_arch_free(arch);
    return status;
}

/* A choice whose alternatives are numbers that rise. */
static bool rises(const nas_decision *about) {
    double last = -INFINITY;
    for (uint32_t i = 0; i < about->n_alternatives; i++) {
        double x;
        const char *text = about->alternatives[i];
        if (!ni_parse_f64(text, strlen(text), &x) || !(x > last)) return false;
        last = x;
    }
    return about->n_alternatives > 1;
}

static nas_status make_axes(ni_bohb *self) {
    nas_context *context = self->races.context;
    self->d = nas_space_decisions(self->races.space);
    self->axes = ni_calloc(context, self->d + (size_t)1, sizeof *self->axes);
    self->levels = ni_calloc(context, self->d + (size_t)1, sizeof *self->levels);
    self->values = ni_calloc(context, self->d + (size_t)1, sizeof *self->values);
    if (!self->axes || !self->levels || !self->values) return NAS_E_MEMORY;
    for (uint32_t j = 0; j < self->d; j++) {
        nas_decision about = {.struct_size = sizeof about};
        ni_axis *axis = &self->axes[j];
        NI_TRY(nas_space_decision(self->races.space, j, &about));
        axis->kind = about.kind;
        axis->step = 1;
        if (about.kind == NAS_DECISION_REAL) {
            axis->log = about.log_scale != 0;
            axis->real_low = axis->log ? log(about.real_low) : about.real_low;
            axis->real_high = axis->log ? log(about.real_high) : about.real_high;
        } else if (about.kind == NAS_DECISION_INTEGER) {
            axis->low = about.low;
            axis->step = about.step;
            axis->cells = about.n_alternatives;
        } else if (self->options.ordinal && rises(&about)) {
            axis->cells = about.n_alternatives;
        } else {
            self->levels[j] = about.n_alternatives;
        }
    }
    return NAS_OK;
}

/* ---- the model
 * ------------------------------------------------------------------------------------- */

/* Rows of the two densities of n results; false: there is no model yet. */
static bool split(const ni_bohb *self, size_t n, size_t *good, size_t *bad) {
    size_t least = self->options.min_points, top = self->options.top_percent;
    if (least < (size_t)self->d + 1) least = (size_t)self->d + 1;
    *good = top * n / 100 < least ? least : top * n / 100;
    *bad = (100 - top) * n / 100 < least ? least : (100 - top) * n / 100;
    if (*good > n) *good = n;
    if (*bad > n - *good) *bad = n - *good;
    return n >= least && *good > self->d && *bad > self->d;
}

/* The most epochs that have a model; n: its results. false: none has. */
static bool model_epochs(const ni_bohb *self, double *epochs, size_t *n) {
    double below = INFINITY;
    for (;;) {
        double most = 0;
        size_t good, bad;
        *n = 0;
        for (size_t i = 0; i < self->seen.n; i++) {
            double e = self->seen.items[i].epochs;
            if (e >= below) continue;
            if (e > most) most = e, *n = 0;
            *n += e == most;
        }
        if (*n == 0) return false;
        *epochs = below = most;
        if (split(self, *n, &good, &bad)) return true;
    }
}

static bool before(const ni_observation *x, const ni_observation *y) {
    return x->score != y->score ? x->score > y->score : x->turn < y->turn;
}

static void sift(const ni_observation **heap, size_t from, size_t n) {
    for (size_t child; (child = 2 * from + 1) < n; from = child) {
        if (child + 1 < n && before(heap[child], heap[child + 1])) child++;
        if (before(heap[child], heap[from])) return;
        const ni_observation *t = heap[from];
        heap[from] = heap[child];
        heap[child] = t;
    }
}

/* The results at those epochs, best first, as vectors. */
static nas_status rows_of(const ni_bohb *self, double epochs, size_t n, double *rows) {
    nas_context *context = self->races.context;
    const ni_observation **order = ni_calloc(context, n, sizeof *order);
    size_t at = 0;
    if (order == NULL) return NAS_E_MEMORY;
    for (size_t i = 0; i < self->seen.n; i++)
        if (self->seen.items[i].epochs == epochs) order[at++] = &self->seen.items[i];
    for (size_t i = n / 2; i-- > 0;)
        sift(order, i, n);
    for (size_t end = n; end-- > 1;) {
        const ni_observation *t = order[0];
        order[0] = order[end];
        order[end] = t;
        sift(order, 0, end);
    }
    nas_status status = NAS_OK;
    for (size_t i = 0; status >= 0 && i < n; i++)
        status = to_vector(self, order[i]->arch, rows + i * self->d);
    ni_free(context, (void *)order);
    return status;
}

static nas_status propose(ni_bohb *self, double epochs, size_t n, nas_random *stream, double *best,
                          bool *found) {
    nas_context *context = self->races.context;
    const nas_bohb_options *o = &self->options;
    size_t n_good, n_bad, bytes;
    uint32_t d = self->d;
    ni_density good = {0}, bad = {0};
    split(self, n, &n_good, &n_bad);
    if (n > UINT32_MAX || !ni_mul_size(n, (size_t)2 * d * sizeof(double), &bytes))
        return ni_fail(context, NAS_E_LIMIT, "bohb: a model of too many results");
    double *rows = ni_alloc(context, bytes + d * sizeof *rows), *rest, *draw;
    if (rows == NULL) return NAS_E_MEMORY;
    rest = rows + n * d;
    draw = rest + n * d;
    nas_status status;
    NI_GOTO(end, rows_of(self, epochs, n, rows));
    ni_density_impute(rows, rest, (uint32_t)n_good, d, self->levels, stream);
    ni_density_impute(rows + n_good * d, rest, (uint32_t)n_bad, d, self->levels, stream);
    NI_GOTO(end, ni_density_create(&good, context, rows, (uint32_t)n_good, d, self->levels,
                                   o->min_bandwidth));
    NI_GOTO(end, ni_density_create(&bad, context, rows + n_good * d, (uint32_t)n_bad, d,
                                   self->levels, o->min_bandwidth));
    ni_density_search search = {&good,  &bad, o->samples, o->bandwidth_factor, o->min_bandwidth,
                                accept, self};
    status = ni_density_propose(&search, stream, draw, best, found);
end:
    ni_density_free(&good);
    ni_density_free(&bad);
    ni_free(context, rows);
    return status;
}

static nas_status draw(void *user, nas_random *stream, nas_arch **out, ni_text *note) {
    ni_bohb *self = user;
    nas_context *context = self->races.context;
    double epochs;
    size_t n;
    bool found = false;
    /* Nothing is drawn to decide where there is nothing to decide: with random_fraction 1, and
     * before the first model, the candidates are Hyperband's own. */
    if (self->options.random_fraction >= 1 || !model_epochs(self, &epochs, &n) ||
        nas_random_uniform(stream) < self->options.random_fraction)
        return ni_draw_uniform(self->races.space, stream, out, note);
    double *best = ni_calloc(context, self->d + (size_t)1, sizeof *best);
    if (best == NULL) return NAS_E_MEMORY;
    nas_status status = propose(self, epochs, n, stream, best, &found);
    if (status >= 0 && found) {
        ni_text_add(note, "model of ");
        ni_text_u64(note, n);
        ni_text_add(note, " at ");
        ni_text_f64(note, epochs);
        status = to_arch(self, best, out);
    } else if (status >= 0) {
        status = ni_draw_uniform(self->races.space, stream, out, note);
    }
    ni_free(context, best);
    return status;
}

static void plan(void *user, uint64_t number, ni_bracket *out) {
    const nas_bohb_options *o = &((ni_bohb *)user)->options;
    ni_bracket_hyperband(out, o->min_epochs, o->max_epochs, o->eta, number, o->original != 0);
}

/* ---- the table
 * ------------------------------------------------------------------------------------- */

static nas_status bohb_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    return ni_races_ask(&((ni_bohb *)user)->races, stream, out);
}

static nas_status bohb_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    ni_bohb *self = user;
    const nas_arch *arch = nas_proposal_arch(asked);
    double score = nas_result_score(got);
    bool says = arch != NULL && nas_result_reason(got) != NAS_REASON_VANISHED;
    if (says) {
        ni_observation one = {.arch = (nas_arch *)(uintptr_t)arch,
                              .epochs =
                                  nas_proposal_fidelity(asked, "epochs", self->options.max_epochs),
                              .score = isfinite(score) ? score : -INFINITY,
                              .turn = nas_proposal_turn(asked)};
        if (!(one.epochs > 0)) one.epochs = self->options.max_epochs;
        NI_TRY(NI_PUSH(self->races.context, &self->seen, one));
        nas_arch_hold(one.arch);
    }
    nas_status status = ni_races_tell(&self->races, asked, got);
    if (status < 0 && says) nas_arch_free(self->seen.items[--self->seen.n].arch);
    return status;
}

static nas_status bohb_save(void *user, nas_writer *to) {
    const ni_bohb *self = user;
    const nas_bohb_options *o = &self->options;
    const double reals[] = {o->min_epochs, o->max_epochs, o->random_fraction, o->bandwidth_factor,
                            o->min_bandwidth};
    const uint64_t wholes[] = {o->eta,
                               o->brackets,
                               o->min_points,
                               o->top_percent,
                               o->samples,
                               (uint64_t)o->original,
                               (uint64_t)o->overlap,
                               (uint64_t)o->continues,
                               (uint64_t)o->ordinal,
                               (uint64_t)o->repeats};
    NI_TRY(nas_write_u64(to, FORMAT));
    for (size_t i = 0; i < NI_COUNT(reals); i++)
        NI_TRY(nas_write_f64(to, reals[i]));
    for (size_t i = 0; i < NI_COUNT(wholes); i++)
        NI_TRY(nas_write_u64(to, wholes[i]));
    NI_TRY(nas_write_u64(to, self->seen.n));
    for (size_t i = 0; i < self->seen.n; i++) {
        const ni_observation *one = &self->seen.items[i];
        NI_TRY(nas_write_arch(to, one->arch));
        NI_TRY(nas_write_f64(to, one->epochs));
        NI_TRY(nas_write_f64(to, one->score));
        NI_TRY(nas_write_u64(to, one->turn));
    }
    return ni_races_save(&self->races, to);
}

static nas_status load_settings(const ni_bohb *self, nas_reader *from) {
    const nas_bohb_options *o = &self->options;
    nas_context *context = self->races.context;
    static const char *const reals[] = {"min_epochs", "max_epochs", "random_fraction",
                                        "bandwidth_factor", "min_bandwidth"};
    const double real_now[] = {o->min_epochs, o->max_epochs, o->random_fraction,
                               o->bandwidth_factor, o->min_bandwidth};
    static const char *const wholes[] = {"eta",     "brackets", "min_points", "top_percent",
                                         "samples", "original", "overlap",    "continues",
                                         "ordinal", "repeats"};
    const uint64_t whole_now[] = {o->eta,
                                  o->brackets,
                                  o->min_points,
                                  o->top_percent,
                                  o->samples,
                                  (uint64_t)o->original,
                                  (uint64_t)o->overlap,
                                  (uint64_t)o->continues,
                                  (uint64_t)o->ordinal,
                                  (uint64_t)o->repeats};
    uint64_t format;
    NI_TRY(nas_read_u64(from, &format));
    if (format != 1 && format != FORMAT)
        return ni_fail(context, NAS_E_VERSION, "bohb: state of format %llu, this library reads %d",
                       (unsigned long long)format, FORMAT);
    for (size_t i = 0; i < NI_COUNT(reals); i++)
        NI_TRY(ni_setting_same_real(context, "bohb", reals[i], from, real_now[i]));
    return ni_settings_same(context, "bohb", from, wholes, whole_now,
                            NI_COUNT(wholes) - (format == 1));
}

static nas_status bohb_load(void *user, nas_reader *from) {
    ni_bohb *self = user;
    uint64_t n;
    NI_TRY(load_settings(self, from));
    while (self->seen.n > 0) /* of a warm start: the state has them */
        nas_arch_free(self->seen.items[--self->seen.n].arch);
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        ni_observation one;
        NI_TRY(nas_read_arch(from, self->races.space, &one.arch));
        nas_status status = nas_read_f64(from, &one.epochs);
        if (status >= 0) status = nas_read_f64(from, &one.score);
        if (status >= 0) status = nas_read_u64(from, &one.turn);
        if (status >= 0 && (!(one.epochs > 0) || isnan(one.score)))
            status = ni_fail(self->races.context, NAS_E_CORRUPT,
                             "bohb: its saved state is damaged: a result");
        if (status >= 0) status = NI_PUSH(self->races.context, &self->seen, one);
        if (status < 0) {
            nas_arch_free(one.arch);
            return status;
        }
    }
    return ni_races_load(&self->races, from);
}

static nas_status bohb_describe(void *user, nas_sink *to) {
    const ni_bohb *self = user;
    double epochs;
    size_t n, good, bad;
    NI_TRY(ni_races_tell_of(&self->races, to));
    if (!model_epochs(self, &epochs, &n))
        return nas_sink_text(to, "no model yet: candidates are sampled\n");
    char text[NI_NUMBER_TEXT];
    split(self, n, &good, &bad);
    return ni_sink_f(to, "model: %zu good and %zu bad results at %s epochs\n", good, bad,
                     ni_f64_text(text, epochs));
}

static void bohb_destroy(void *user) {
    ni_bohb *self = user;
    const nas_space *space = self->races.space;
    nas_context *context = self->races.context;
    for (size_t i = 0; i < self->seen.n; i++)
        nas_arch_free(self->seen.items[i].arch);
    NI_ARRAY_FREE(context, &self->seen);
    ni_free(context, self->axes);
    ni_free(context, self->levels);
    ni_free(context, self->values);
    ni_races_free(&self->races);
    ni_space_release(space);
    ni_free(context, self);
}

/* ---- making one
 * ------------------------------------------------------------------------------------ */

void nas_bohb_options_init(nas_bohb_options *options) {
    *options = (nas_bohb_options)NAS_BOHB_OPTIONS_INIT;
}

static nas_status check_real(nas_context *context, const char *name, double value, double low,
                             double high) {
    char a[NI_NUMBER_TEXT], b[NI_NUMBER_TEXT], c[NI_NUMBER_TEXT];
    if (value >= low && value <= high) return NAS_OK;
    return ni_fail(context, NAS_E_INVALID, "%s is %s, must be in %s .. %s", name,
                   ni_f64_text(a, value), ni_f64_text(b, low), ni_f64_text(c, high));
}

static nas_status check_options(nas_context *context, const nas_bohb_options *o) {
    NI_TRY(ni_bracket_check(context, o->min_epochs, o->max_epochs, o->eta));
    NI_TRY(check_real(context, "random_fraction", o->random_fraction, 0, 1));
    NI_TRY(check_real(context, "bandwidth_factor", o->bandwidth_factor, 1e-3, 1e6));
    NI_TRY(check_real(context, "min_bandwidth", o->min_bandwidth, 1e-9, 1));
    NI_TRY(check_real(context, "top_percent", o->top_percent, 1, 99));
    NI_TRY(check_real(context, "samples", o->samples, 1, 1e6));
    NI_TRY(ni_switch_check(context, "original", o->original));
    NI_TRY(ni_switch_check(context, "overlap", o->overlap));
    NI_TRY(ni_switch_check(context, "continues", o->continues));
    NI_TRY(ni_switch_check(context, "ordinal", o->ordinal));
    return ni_switch_check(context, "repeats", o->repeats);
}

nas_status nas_controller_bohb(nas_controller **out, const nas_space *space,
                               const nas_bohb_options *given) {
    nas_context *context = ni_space_context(space);
    nas_bohb_options o = NAS_BOHB_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, given, "nas_bohb_options"));
    NI_TRY(check_options(context, &o));
    ni_bohb *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    ni_races_init(&self->races, context, space, "bohb");
    ni_space_hold(space);
    self->options = o;
    self->races.brackets = o.brackets;
    self->races.overlap = o.overlap != 0;
    self->races.continues = o.continues != 0;
    self->races.user = self;
    self->races.plan = plan;
    self->races.draw = draw;
    nas_status status = make_axes(self);
    if (status < 0) {
        bohb_destroy(self);
        return status;
    }
    const nas_controller_ops ops = {.struct_size = sizeof ops,
                                    .flags = o.continues ? NAS_CONTROLLER_CONTINUES : 0,
                                    .ask = bohb_ask,
                                    .tell = bohb_tell,
                                    .save = bohb_save,
                                    .load = bohb_load,
                                    .describe = bohb_describe,
                                    .destroy = bohb_destroy};
    return ni_controller_make(out, context, "bohb", &ops, self);
}
