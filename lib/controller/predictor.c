/* Bayesian optimisation with an ensemble of neural predictors: White, Neiswanger and Savani,
 * "BANANAS: Bayesian optimization with neural architectures for neural architecture search", AAAI
 * 2021, algorithm 1 and section 4 (acquisition: independent Thompson sampling; candidates:
 * mutations of the best).
 *
 * First `initial` random networks. Then, each `refit` asks: an ensemble learns all results,
 * candidates are made by mutating the best networks so far (and at random), each draws one number
 * from the normal distribution of the ensemble's predictions for it, and the highest draws are
 * proposed. No network is proposed twice while others are to be found; isomorphic ones are one.
 *
 * A network that cannot be evaluated is learnt as the lowest score so far; one that vanished is
 * left out. Results told of proposals made elsewhere (a warm start) count as initial ones. */
#include <math.h>
#include <stdlib.h>
#include "surrogate.h"

enum { FORMAT = 1, MOST_PATHS = 1024 };

typedef struct {
    nas_arch *arch; /* held */
    double score;   /* -INFINITY: failed */
    uint64_t trial;
} ni_known;

typedef struct {
    nas_arch *arch;
    double drawn, mean, deviation;
    uint64_t parent;
} ni_candidate;

typedef struct {
    nas_context *context;
    const nas_space *space;
    nas_predictor_options options;
    int32_t encoding; /* NAS_ENCODE_* */
    uint32_t width;
    double *numbers; /* scratch: width */
    NI_ARRAY(ni_known) known;
    NI_ARRAY(ni_candidate) queue; /* the next one last */
    NI_ARRAY(uint64_t) pending;
    ni_seen seen;
    uint64_t fits;
} predictor;

/* ---- architectures as numbers ------------------------------------------------------------------
 */

static nas_status encode(predictor *self, const nas_arch *arch, float *row) {
    NI_TRY(nas_arch_encode(arch, self->encoding, self->numbers, self->width, NULL));
    for (uint32_t i = 0; i < self->width; i++)
        row[i] = (float)self->numbers[i];
    return NAS_OK;
}

/* Which encoding, and of how many numbers, from some architecture. */
static nas_status choose_encoding(predictor *self) {
    const int32_t wanted = self->options.encoding;
    nas_arch *arch;
    size_t n = 0;
    nas_random stream;
    ni_random_init(&stream, 0, 0, "encoding");
    NI_TRY(nas_space_sample(self->space, &stream, &arch));
    nas_status status = NAS_E_UNSUPPORTED;
    self->encoding = NAS_ENCODE_PATH;
    if (wanted != NAS_PREDICTOR_ONE_HOT)
        status = nas_arch_encode(arch, NAS_ENCODE_PATH, NULL, 0, &n);
    bool fallback = status == NAS_E_UNSUPPORTED || status == NAS_E_LIMIT || n > MOST_PATHS;
    if (wanted != NAS_PREDICTOR_PATH && fallback) {
        self->encoding = NAS_ENCODE_ONE_HOT;
        status = nas_arch_encode(arch, NAS_ENCODE_ONE_HOT, NULL, 0, &n);
    }
    nas_arch_free(arch);
    NI_TRY(status);
    if (n == 0 || n > UINT32_MAX / 64)
        return ni_fail(self->context, NAS_E_INVALID,
                       "controller \"predictor\": space \"%s\" encodes to %zu numbers",
                       nas_space_name(self->space), n);
    self->width = (uint32_t)n;
    self->numbers = ni_calloc(self->context, n, sizeof *self->numbers);
    return self->numbers ? NAS_OK : NAS_E_MEMORY;
}

/* ---- learning and choosing ----------------------------------------------------------------------
 */

static int by_score(const void *a, const void *b) {
    const ni_known *x = *(const ni_known *const *)a, *y = *(const ni_known *const *)b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int by_draw(const void *a, const void *b) {
    const ni_candidate *x = a, *y = b;
    return x->drawn < y->drawn ? -1 : x->drawn > y->drawn;
}

static void clear_candidates(nas_context *context, ni_candidate *items, size_t n) {
    (void)context;
    for (size_t i = 0; i < n; i++)
        nas_arch_free(items[i].arch);
}

/* One more candidate that nobody has proposed; false where none was found. */
static nas_status make_candidate(predictor *self, const ni_known *const *best, size_t n_best,
                                 nas_random *stream, ni_seen *fresh, ni_candidate *out,
                                 bool *found) {
    const nas_predictor_options *o = &self->options;
    *found = false;
    for (int tries = 0; tries < 20 && !*found; tries++) {
        nas_arch *arch;
        out->parent = NAS_TRIAL_NONE;
        if (n_best == 0 || nas_random_uniform(stream) < o->random_share) {
            NI_TRY(nas_space_sample(self->space, stream, &arch));
        } else {
            const ni_known *parent = best[nas_random_below(stream, n_best)];
            uint64_t changes = 1 + nas_random_below(stream, o->mutations);
            arch = nas_arch_hold(parent->arch);
            out->parent = parent->trial;
            for (uint64_t i = 0; i < changes; i++) {
                nas_arch *next;
                nas_status status = nas_space_mutate(self->space, arch, stream, &next);
                nas_arch_free(arch);
                NI_TRY(status);
                arch = next;
            }
        }
        uint64_t key = ni_candidate_key(arch);
        *found = !ni_seen_has(&self->seen, key) && !ni_seen_has(fresh, key);
        nas_status status = *found ? ni_seen_add(fresh, key) : NAS_OK;
        if (!*found || status < 0) nas_arch_free(arch);
        NI_TRY(status);
        if (*found) out->arch = arch;
    }
    return NAS_OK;
}

static nas_status learn(predictor *self, ni_surrogate **out, nas_random *stream) {
    const nas_predictor_options *o = &self->options;
    const ni_surrogate_options s = {.kind = NI_SURROGATE_MLP,
                                    .width = self->width,
                                    .steps = 1,
                                    .units = o->units,
                                    .layers = o->layers,
                                    .members = o->members,
                                    .epochs = o->epochs,
                                    .batch = o->batch,
                                    .learning_rate = o->learning_rate,
                                    .weight_decay = o->weight_decay};
    size_t n = self->known.n;
    double lowest = INFINITY;
    ni_surrogate *surrogate = NULL;
    float *rows = ni_calloc(self->context, n, self->width * sizeof *rows);
    double *targets = ni_calloc(self->context, n, sizeof *targets);
    nas_status status = rows && targets ? NAS_OK : NAS_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        if (isfinite(self->known.items[i].score) && self->known.items[i].score < lowest)
            lowest = self->known.items[i].score;
    for (size_t i = 0; status >= 0 && i < n; i++) {
        double score = self->known.items[i].score;
        targets[i] = isfinite(score) ? score : lowest;
        status = encode(self, self->known.items[i].arch, rows + i * self->width);
    }
    if (status >= 0) status = ni_surrogate_create(&surrogate, self->context, &s);
    if (status >= 0) status = ni_surrogate_fit(surrogate, rows, NULL, targets, n, stream);
    ni_free(self->context, rows);
    ni_free(self->context, targets);
    if (status < 0)
        ni_surrogate_free(surrogate);
    else
        *out = surrogate;
    return status;
}

static nas_status score_candidates(predictor *self, ni_surrogate *surrogate, ni_candidate *items,
                                   size_t n, nas_random *stream) {
    uint32_t members = self->options.members;
    float *rows = ni_calloc(self->context, n, self->width * sizeof *rows);
    double *predicted = ni_calloc(self->context, n, members * sizeof *predicted);
    nas_status status = rows && predicted ? NAS_OK : NAS_E_MEMORY;
    for (size_t i = 0; status >= 0 && i < n; i++)
        status = encode(self, items[i].arch, rows + i * self->width);
    if (status >= 0) status = ni_surrogate_predict(surrogate, rows, NULL, n, predicted);
    for (size_t i = 0; status >= 0 && i < n; i++) {
        double sum = 0, squares = 0;
        for (uint32_t m = 0; m < members; m++)
            sum += predicted[m * n + i];
        double mean = sum / members;
        for (uint32_t m = 0; m < members; m++)
            squares += (predicted[m * n + i] - mean) * (predicted[m * n + i] - mean);
        items[i].mean = mean;
        items[i].deviation = sqrt(squares / members);
        items[i].drawn = mean + items[i].deviation * nas_random_normal(stream);
    }
    ni_free(self->context, rows);
    ni_free(self->context, predicted);
    return status;
}

static nas_status fill_queue(predictor *self, nas_random *stream) {
    const nas_predictor_options *o = &self->options;
    nas_context *context = self->context;
    NI_ARRAY(ni_candidate) made = {0};
    ni_seen fresh = {0};
    ni_surrogate *surrogate = NULL;
    size_t n = self->known.n, finite = 0;
    nas_status status = NAS_OK;
    const ni_known **order = ni_calloc(context, n, sizeof *order);
    if (order == NULL) return NAS_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        order[i] = &self->known.items[i];
        finite += isfinite(order[i]->score) != 0;
    }
    qsort(order, n, sizeof *order, by_score);
    size_t n_best = finite < o->parents ? finite : o->parents;
    NI_GOTO(end, ni_seen_init(&fresh, context));
    for (uint32_t i = 0; i < o->candidates; i++) {
        ni_candidate one = {0};
        bool found;
        NI_GOTO(end, make_candidate(self, order, n_best, stream, &fresh, &one, &found));
        if (!found) continue;
        status = NI_PUSH(context, &made, one);
        if (status < 0) nas_arch_free(one.arch);
        if (status < 0) goto end;
    }
    if (made.n == 0) goto end;
    NI_GOTO(end, learn(self, &surrogate, stream));
    NI_GOTO(end, score_candidates(self, surrogate, made.items, made.n, stream));
    qsort(made.items, made.n, sizeof *made.items, by_draw);
    size_t take = made.n < o->refit ? made.n : o->refit;
    NI_GOTO(end, ni_array_grow(context, (void **)(void *)&self->queue.items, &self->queue.capacity,
                               take, sizeof *self->queue.items));
    memcpy(self->queue.items, made.items + made.n - take, take * sizeof *made.items);
    self->queue.n = take;
    made.n -= take;
    self->fits++;
end:
    clear_candidates(context, made.items, made.n);
    NI_ARRAY_FREE(context, &made);
    ni_seen_free(&fresh);
    ni_surrogate_free(surrogate);
    ni_free(context, order);
    return status;
}

/* ---- ask, tell ----------------------------------------------------------------------------------
 */

static nas_status sample_new(predictor *self, nas_random *stream, nas_arch **out) {
    for (int tries = 0;; tries++) {
        NI_TRY(nas_space_sample(self->space, stream, out));
        if (tries == 100 || !ni_seen_has(&self->seen, ni_candidate_key(*out))) return NAS_OK;
        nas_arch_free(*out);
    }
}

static nas_status note_candidate(predictor *self, nas_proposal_builder *out,
                                 const ni_candidate *one) {
    ni_text note;
    ni_text_init(&note, self->context);
    ni_text_add(&note, "predicted ");
    ni_text_fixed(&note, one->mean, 4);
    ni_text_add(&note, " +- ");
    ni_text_fixed(&note, one->deviation, 4);
    ni_text_add(&note, ", fit ");
    ni_text_u64(&note, self->fits);
    nas_status status = note.status;
    if (status >= 0) status = nas_propose_note(out, ni_text_get(&note));
    ni_text_free(&note);
    return status;
}

static nas_status predictor_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    predictor *self = user;
    bool initial = self->known.n + self->pending.n < self->options.initial, queued = false;
    nas_arch *arch = NULL;
    nas_status status;
    if (!initial && self->queue.n == 0) {
        bool any = false;
        for (size_t i = 0; i < self->known.n && !any; i++)
            any = isfinite(self->known.items[i].score);
        if (!any && self->pending.n > 0) return NAS_WAIT;
        if (any) NI_TRY(fill_queue(self, stream));
    }
    queued = !initial && self->queue.n > 0;
    if (queued) {
        const ni_candidate *one = &self->queue.items[self->queue.n - 1];
        arch = nas_arch_hold(one->arch);
        NI_GOTO(end, note_candidate(self, out, one));
        if (one->parent != NAS_TRIAL_NONE) NI_GOTO(end, nas_propose_parent(out, one->parent));
    } else {
        NI_TRY(sample_new(self, stream, &arch));
    }
    NI_GOTO(end, nas_propose_arch(out, arch));
    NI_GOTO(end, ni_seen_add(&self->seen, ni_candidate_key(arch)));
    NI_GOTO(end, NI_PUSH(self->context, &self->pending, nas_propose_turn(out)));
    if (queued) nas_arch_free(self->queue.items[--self->queue.n].arch);
end:
    nas_arch_free(arch);
    return status;
}

static nas_status predictor_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    predictor *self = user;
    const nas_arch *arch = nas_proposal_arch(asked);
    double score = nas_result_score(got);
    if (arch != NULL && nas_result_reason(got) != NAS_REASON_VANISHED && !isnan(score)) {
        ni_known one = {(nas_arch *)(uintptr_t)arch, isfinite(score) ? score : -INFINITY,
                        nas_proposal_trial(asked)};
        NI_TRY(ni_seen_add(&self->seen, ni_candidate_key(arch)));
        NI_TRY(NI_PUSH(self->context, &self->known, one));
        nas_arch_hold(one.arch);
    }
    for (size_t i = 0; i < self->pending.n; i++)
        if (self->pending.items[i] == nas_proposal_turn(asked)) {
            memmove(&self->pending.items[i], &self->pending.items[i + 1],
                    (--self->pending.n - i) * sizeof *self->pending.items);
            break;
        }
    return NAS_OK;
}

/* ---- state --------------------------------------------------------------------------------------
 */

static uint64_t identity(const predictor *self) {
    return ni_hash((const char *)&self->options + 8, sizeof self->options - 8);
}

static nas_status predictor_save(void *user, nas_writer *to) {
    const predictor *self = user;
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_u64(to, identity(self)));
    NI_TRY(nas_write_u64(to, self->fits));
    NI_TRY(nas_write_u64(to, self->known.n));
    for (size_t i = 0; i < self->known.n; i++) {
        NI_TRY(nas_write_arch(to, self->known.items[i].arch));
        NI_TRY(nas_write_f64(to, self->known.items[i].score));
        NI_TRY(nas_write_u64(to, self->known.items[i].trial));
    }
    NI_TRY(nas_write_u64(to, self->queue.n));
    for (size_t i = 0; i < self->queue.n; i++) {
        const ni_candidate *one = &self->queue.items[i];
        NI_TRY(nas_write_arch(to, one->arch));
        NI_TRY(nas_write_f64(to, one->drawn));
        NI_TRY(nas_write_f64(to, one->mean));
        NI_TRY(nas_write_f64(to, one->deviation));
        NI_TRY(nas_write_u64(to, one->parent));
    }
    NI_TRY(nas_write_u64(to, self->pending.n));
    for (size_t i = 0; i < self->pending.n; i++)
        NI_TRY(nas_write_u64(to, self->pending.items[i]));
    return ni_seen_save(&self->seen, to);
}

static void clear(predictor *self) {
    for (size_t i = 0; i < self->known.n; i++)
        nas_arch_free(self->known.items[i].arch);
    clear_candidates(self->context, self->queue.items, self->queue.n);
    ni_seen_free(&self->seen);
    memset(&self->seen, 0, sizeof self->seen);
    self->known.n = self->queue.n = self->pending.n = 0;
}

static nas_status predictor_load(void *user, nas_reader *from) {
    predictor *self = user;
    uint64_t format, kept, n, turn;
    NI_TRY(nas_read_u64(from, &format));
    if (format != FORMAT)
        return ni_fail(self->context, NAS_E_VERSION,
                       "predictor: state of format %llu, this library reads %d",
                       (unsigned long long)format, FORMAT);
    NI_TRY(nas_read_u64(from, &kept));
    if (kept != identity(self))
        return ni_fail(self->context, NAS_E_STATE,
                       "controller \"predictor\": its settings differ from those of the saved "
                       "state; resume with the same settings");
    clear(self);
    NI_TRY(ni_seen_init(&self->seen, self->context));
    NI_TRY(nas_read_u64(from, &self->fits));
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        ni_known one;
        NI_TRY(nas_read_arch(from, self->space, &one.arch));
        nas_status status = nas_read_f64(from, &one.score);
        if (status >= 0) status = nas_read_u64(from, &one.trial);
        if (status >= 0) status = NI_PUSH(self->context, &self->known, one);
        if (status < 0) nas_arch_free(one.arch);
        NI_TRY(status);
    }
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        ni_candidate one;
        NI_TRY(nas_read_arch(from, self->space, &one.arch));
        nas_status status = nas_read_f64(from, &one.drawn);
        if (status >= 0) status = nas_read_f64(from, &one.mean);
        if (status >= 0) status = nas_read_f64(from, &one.deviation);
        if (status >= 0) status = nas_read_u64(from, &one.parent);
        if (status >= 0) status = NI_PUSH(self->context, &self->queue, one);
        if (status < 0) nas_arch_free(one.arch);
        NI_TRY(status);
    }
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        NI_TRY(nas_read_u64(from, &turn));
        NI_TRY(NI_PUSH(self->context, &self->pending, turn));
    }
    return ni_seen_load(&self->seen, from);
}

static nas_status predictor_describe(void *user, nas_sink *to) {
    const predictor *self = user;
    ni_text text;
    ni_text_init(&text, self->context);
    ni_text_f(&text, "%zu results, %llu fits, %zu in flight, %zu candidates waiting\n",
              self->known.n, (unsigned long long)self->fits, self->pending.n, self->queue.n);
    for (size_t i = self->queue.n; i-- > 0;) {
        const ni_candidate *one = &self->queue.items[i];
        ni_text_add(&text, "predicted ");
        ni_text_fixed(&text, one->mean, 4);
        ni_text_add(&text, " +- ");
        ni_text_fixed(&text, one->deviation, 4);
        ni_text_f(&text, ": %s\n", nas_arch_text(one->arch));
    }
    nas_status status = text.status;
    if (status >= 0) status = nas_sink_text(to, ni_text_get(&text));
    ni_text_free(&text);
    return status;
}

static void predictor_destroy(void *user) {
    predictor *self = user;
    nas_context *context = self->context;
    clear(self);
    NI_ARRAY_FREE(context, &self->known);
    NI_ARRAY_FREE(context, &self->queue);
    NI_ARRAY_FREE(context, &self->pending);
    ni_free(context, self->numbers);
    ni_space_release(self->space);
    ni_free(context, self);
}

static const nas_controller_ops predictor_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .ask = predictor_ask,
    .tell = predictor_tell,
    .save = predictor_save,
    .load = predictor_load,
    .describe = predictor_describe,
    .destroy = predictor_destroy,
};

void nas_predictor_options_init(nas_predictor_options *options) {
    *options = (nas_predictor_options)NAS_PREDICTOR_OPTIONS_INIT;
}

static nas_status check(nas_context *context, const nas_predictor_options *o) {
    const struct {
        const char *name;
        double value, low, high;
    } all[] = {{"flags", o->flags, 0, 0},
               {"initial", o->initial, 1, 1e6},
               {"refit", o->refit, 1, 1e6},
               {"candidates", o->candidates, 1, 1e6},
               {"parents", o->parents, 1, 1e6},
               {"mutations", o->mutations, 1, 1000},
               {"members", o->members, 1, 64},
               {"units", o->units, 1, 4096},
               {"layers", o->layers, 1, 8},
               {"epochs", o->epochs, 1, 1e6},
               {"batch", o->batch, 1, 4096},
               {"encoding", o->encoding, 0, 2},
               {"learning_rate", o->learning_rate, 1e-9, 10},
               {"weight_decay", o->weight_decay, 0, 100},
               {"random_share", o->random_share, 0, 1}};
    char a[NI_NUMBER_TEXT], b[NI_NUMBER_TEXT], c[NI_NUMBER_TEXT];
    for (size_t i = 0; i < NI_COUNT(all); i++)
        if (!(all[i].value >= all[i].low && all[i].value <= all[i].high))
            return ni_fail(context, NAS_E_INVALID,
                           "controller \"predictor\": %s is %s, must be in %s .. %s", all[i].name,
                           ni_f64_text(a, all[i].value), ni_f64_text(b, all[i].low),
                           ni_f64_text(c, all[i].high));
    return NAS_OK;
}

nas_status nas_controller_predictor(nas_controller **out, const nas_space *space,
                                    const nas_predictor_options *given) {
    nas_context *context = ni_space_context(space);
    nas_predictor_options options = NAS_PREDICTOR_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &options, sizeof options, sizeof options, given,
                      "nas_predictor_options"));
    NI_TRY(check(context, &options));
    predictor *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->context = context;
    self->space = space;
    self->options = options;
    ni_space_hold(space);
    nas_status status = ni_seen_init(&self->seen, context);
    if (status >= 0) status = choose_encoding(self);
    if (status < 0) {
        predictor_destroy(self);
        return status;
    }
    return ni_controller_make(out, context, "predictor", &predictor_ops, self);
}
