/* Progressive search: Liu et al., "Progressive neural architecture search", ECCV 2018, algorithm 1
 * and section 4.2: beam search from small networks to large ones, guided by a surrogate.
 *
 * A level decides one more block: the decisions whose names are equal up to the last dot
 * ("cell.2.in1", "cell.2.op1"), or one decision where names have no dots, or `level` decisions.
 * What is undecided yet is as in a base architecture: that given, else every decision's first
 * alternative, which in spaces of blocks is a cell of fewer blocks; where the constraints allow no
 * network of the first level then, a sample that leaves it the most. All alternatives of the first
 * level are tried; then each of the `beam` best is extended by every alternative of the next level,
 * an ensemble that has learnt all results so far scores the extensions, and the `beam` best of them
 * are tried. After the last level the controller is done.
 *
 * Against the paper: scores of any scale are standardised and the last layer is linear (paper:
 * accuracies through a sigmoid); the ensemble learns afresh at each level from the results of all
 * (paper: goes on from its weights); the LSTM reads one decision a step (paper: one pair of input
 * and operation).
 *
 * How well the surrogate ranks the next level is measured among what was tried, which it chose
 * itself, and, as in the paper's figure 3, among `probes` extensions drawn uniformly, which are
 * tried too.
 *
 * A network that cannot be evaluated is learnt as the lowest score so far, and is not extended; one
 * that vanished is neither. A network that is isomorphic to one already tried is not proposed
 * again: its result is taken, and where blocks are alike only one of a level's isomorphic networks
 * is kept. */
#include <math.h>
#include <stdlib.h>
#include "bands.h"
#include "surrogate.h"
#include "tokens.h"

enum { FORMAT = 1, MOST_EXPANSIONS = 1 << 22 };
enum { NEW, ASKED, TOLD, FAILED, LOST };

typedef struct {
    uint64_t key;
    double predicted; /* NAN: there was no surrogate */
    double score;
    int32_t state, reused; /* reused: the result was there before it was proposed */
    int32_t twin;          /* an earlier candidate of the level with the same network, -1 */
    int32_t probe;         /* of the uniform draws from all extensions */
} ni_entry;

/* Candidates of a level, or results: entry i has tokens[i * n ..]. */
typedef struct {
    NI_ARRAY(ni_entry) entries;
    NI_ARRAY(int32_t) tokens;
} ni_front;

typedef struct {
    uint64_t level, n, n_probes;
    double rank_correlation, of_probes;
} ni_rank;

typedef struct {
    uint64_t key;
    double score;
} ni_known;

typedef struct {
    nas_context *context;
    nas_progressive_options options;
    uint64_t identity;
    ni_tokens tokens;
    int32_t *base;
    uint64_t level; /* that is tried; tokens.levels: done */
    bool begun;
    ni_front front;
    NI_ARRAY(int32_t) learnt;       /* of each result: levels decided, then its tokens */
    NI_ARRAY(double) learnt_scores; /* -INFINITY: failed */
    NI_ARRAY(ni_known) known;       /* every network told */
    ni_map *by_key;                 /* to its place in known */
    NI_ARRAY(ni_rank) ranks;
} progressive;

static void front_free(nas_context *context, ni_front *front) {
    NI_ARRAY_FREE(context, &front->entries);
    NI_ARRAY_FREE(context, &front->tokens);
}

static nas_status front_add(progressive *self, ni_front *to, const int32_t *tokens,
                            ni_entry entry) {
    uint32_t n = self->tokens.n;
    NI_TRY(ni_array_grow(self->context, (void **)(void *)&to->tokens.items, &to->tokens.capacity,
                         to->tokens.n + n, sizeof *to->tokens.items));
    NI_TRY(NI_PUSH(self->context, &to->entries, entry));
    memcpy(to->tokens.items + to->tokens.n, tokens, n * sizeof *tokens);
    to->tokens.n += n;
    return NAS_OK;
}

static uint32_t level_of(const progressive *self, uint32_t d) {
    return self->options.level ? d / self->options.level : self->tokens.items[d].level;
}

/* ---- candidates ---------------------------------------------------------------------------------
 */

/* Decisions of the levels before `levels` as in tokens, the rest from the base. */
static void complete(const progressive *self, const int32_t *tokens, uint64_t levels,
                     int32_t *out) {
    for (uint32_t d = 0; d < self->tokens.n; d++) {
        if (!ni_token_active(&self->tokens, out, d))
            out[d] = NI_TOKEN_ABSENT;
        else if (level_of(self, d) < levels)
            out[d] = tokens[d];
        else
            out[d] = self->base[d] < 0 ? 0 : self->base[d];
    }
}

/* Every alternative of the level after what the tokens decide. */
static nas_status expand(progressive *self, ni_front *to, int32_t *tokens, uint32_t d,
                         uint64_t level) {
    while (d < self->tokens.n && level_of(self, d) < level)
        d++;
    if (d == self->tokens.n || level_of(self, d) > level) {
        if (to->entries.n >= MOST_EXPANSIONS)
            return ni_fail(self->context, NAS_E_LIMIT,
                           "controller \"progressive\": level %llu has more than %d extensions; "
                           "a smaller beam, or fewer decisions a level, has fewer",
                           (unsigned long long)level + 1, MOST_EXPANSIONS);
        for (uint32_t rest = d; rest < self->tokens.n; rest++)
            tokens[rest] = NI_TOKEN_ABSENT;
        return front_add(self, to, tokens, (ni_entry){.predicted = NAN, .twin = -1});
    }
    if (!ni_token_active(&self->tokens, tokens, d)) {
        tokens[d] = NI_TOKEN_ABSENT;
        return expand(self, to, tokens, d + 1, level);
    }
    for (uint32_t k = 0; k < self->tokens.items[d].n; k++) {
        tokens[d] = (int32_t)k;
        NI_TRY(expand(self, to, tokens, d + 1, level));
    }
    return NAS_OK;
}

static nas_status arch_of(progressive *self, const int32_t *tokens, uint64_t levels,
                          nas_arch **out) {
    int32_t *whole = ni_calloc(self->context, self->tokens.n, sizeof *whole);
    if (whole == NULL) return NAS_E_MEMORY;
    complete(self, tokens, levels, whole);
    nas_status status = ni_tokens_arch(&self->tokens, whole, NULL, out);
    ni_free(self->context, whole);
    return status;
}

/* ---- the surrogate ------------------------------------------------------------------------------
 */

static ni_surrogate_options surrogate_options(const progressive *self) {
    const nas_progressive_options *o = &self->options;
    bool lstm = o->surrogate == NAS_SURROGATE_LSTM;
    return (ni_surrogate_options){.kind = lstm ? NI_SURROGATE_LSTM : NI_SURROGATE_MLP,
                                  .width = self->tokens.shared_width,
                                  .steps = lstm ? self->tokens.n : 1,
                                  .embedding = o->embedding,
                                  .units = o->units,
                                  .layers = 2,
                                  .members = o->members,
                                  .epochs = o->epochs,
                                  .batch = o->batch,
                                  .learning_rate = o->learning_rate,
                                  .absolute = true,
                                  .leave_out = true};
}

/* LSTM: the decisions in order, one-hot. MLP: the mean over blocks that are alike, where the order
 * of blocks then does not matter; else one-hot. */
static void features(const progressive *self, const int32_t *tokens, uint64_t levels, float *row,
                     uint32_t *length) {
    const ni_tokens *t = &self->tokens;
    bool lstm = self->options.surrogate == NAS_SURROGATE_LSTM;
    float share = t->alike && self->options.level == 0 ? 1.0f / (float)levels : 1.0f;
    *length = 0;
    for (uint32_t d = 0; d < t->n; d++) {
        if (tokens[d] < 0 || level_of(self, d) >= levels) continue;
        uint32_t slot = t->items[d].shared + (uint32_t)tokens[d];
        if (lstm)
            row[(size_t)(*length)++ * t->shared_width + slot] = 1;
        else
            row[slot] += share;
    }
}

static nas_status learn(progressive *self, ni_surrogate **out, nas_random *stream) {
    const ni_surrogate_options o = surrogate_options(self);
    nas_context *context = self->context;
    size_t n = self->learnt_scores.n, width = (size_t)o.width * o.steps;
    double lowest = INFINITY;
    ni_surrogate *surrogate = NULL;
    float *rows = ni_calloc(context, n, width * sizeof *rows);
    uint32_t *lengths = ni_calloc(context, n, sizeof *lengths);
    double *targets = ni_calloc(context, n, sizeof *targets);
    nas_status status = rows && lengths && targets ? NAS_OK : NAS_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        double score = self->learnt_scores.items[i];
        if (isfinite(score) && score < lowest) lowest = score;
    }
    for (size_t i = 0; status >= 0 && i < n; i++) {
        const int32_t *one = self->learnt.items + i * (self->tokens.n + 1);
        double score = self->learnt_scores.items[i];
        targets[i] = isfinite(score) ? score : lowest;
        features(self, one + 1, (uint64_t)one[0], rows + i * width, &lengths[i]);
    }
    if (status >= 0) status = ni_surrogate_create(&surrogate, context, &o);
    if (status >= 0) status = ni_surrogate_fit(surrogate, rows, lengths, targets, n, stream);
    ni_free(context, rows);
    ni_free(context, lengths);
    ni_free(context, targets);
    if (status < 0)
        ni_surrogate_free(surrogate);
    else
        *out = surrogate;
    return status;
}

static nas_status predict(progressive *self, ni_surrogate *surrogate, ni_front *front,
                          uint64_t levels) {
    enum { AT_ONCE = 512 };
    const ni_surrogate_options o = surrogate_options(self);
    nas_context *context = self->context;
    size_t width = (size_t)o.width * o.steps;
    float *rows = ni_calloc(context, AT_ONCE, width * sizeof *rows);
    uint32_t *lengths = ni_calloc(context, AT_ONCE, sizeof *lengths);
    double *answers = ni_calloc(context, AT_ONCE, o.members * sizeof *answers);
    nas_status status = rows && lengths && answers ? NAS_OK : NAS_E_MEMORY;
    for (size_t from = 0; status >= 0 && from < front->entries.n; from += AT_ONCE) {
        size_t n = front->entries.n - from < AT_ONCE ? front->entries.n - from : AT_ONCE;
        memset(rows, 0, AT_ONCE * width * sizeof *rows);
        for (size_t i = 0; i < n; i++)
            features(self, front->tokens.items + (from + i) * self->tokens.n, levels,
                     rows + i * width, &lengths[i]);
        status = ni_surrogate_predict(surrogate, rows, lengths, n, answers);
        for (size_t i = 0; status >= 0 && i < n; i++) {
            double sum = 0;
            for (uint32_t m = 0; m < o.members; m++)
                sum += answers[m * n + i];
            front->entries.items[from + i].predicted = sum / o.members;
        }
    }
    ni_free(context, rows);
    ni_free(context, lengths);
    ni_free(context, answers);
    return status;
}

/* ---- from one level to the next
 * ------------------------------------------------------------------ */

typedef struct {
    double value;
    size_t index;
} ni_sorted;

static int downwards(const void *a, const void *b) {
    const ni_sorted *x = a, *y = b;
    return x->value > y->value ? -1 : x->value < y->value ? 1 : x->index < y->index ? -1 : 1;
}

/* An extension becomes a candidate, if its constraints hold and its network is not one already.
 * here: place of each network in `to`. */
static nas_status take(progressive *self, const ni_front *all, size_t index, uint64_t levels,
                       ni_map *here, bool probe, ni_front *to, uint32_t *distinct) {
    const int32_t *tokens = all->tokens.items + index * self->tokens.n;
    ni_entry entry = all->entries.items[index];
    uint64_t at;
    nas_arch *arch;
    NI_TRY(arch_of(self, tokens, levels, &arch));
    entry.key = ni_candidate_key(arch);
    nas_status status = nas_arch_check(arch);
    nas_arch_free(arch);
    if (status == NAS_E_INFEASIBLE) return NAS_OK;
    NI_TRY(status);
    bool twin = ni_map_get(here, entry.key, &at);
    if (twin && probe) to->entries.items[at].probe = 1;
    if (twin && (probe || self->tokens.alike)) return NAS_OK;
    entry.twin = twin ? (int32_t)at : -1;
    entry.probe = probe;
    *distinct += !twin;
    if (ni_map_get(self->by_key, entry.key, &at)) {
        entry.score = self->known.items[at].score;
        entry.state = isfinite(entry.score) ? TOLD : FAILED;
        entry.reused = 1;
    }
    if (!twin) NI_TRY(ni_map_put(here, entry.key, to->entries.n));
    return front_add(self, to, tokens, entry);
}

/* The best of all extensions become the level's candidates. most 0: all. */
static nas_status choose(progressive *self, const ni_front *all, uint64_t levels, uint32_t most,
                         nas_random *stream, ni_front *to) {
    nas_context *context = self->context;
    nas_status status = NAS_OK;
    uint32_t distinct = 0;
    ni_map *here = NULL;
    size_t n = all->entries.n;
    ni_sorted *order = ni_calloc(context, all->entries.n + 1, sizeof *order);
    if (order == NULL) return NAS_E_MEMORY;
    for (size_t i = 0; i < all->entries.n; i++) {
        double value = all->entries.items[i].predicted;
        order[i] = (ni_sorted){isnan(value) ? 0 : value, i};
    }
    qsort(order, all->entries.n, sizeof *order, downwards);
    NI_GOTO(end, ni_map_create(&here, context));
    for (size_t i = 0; i < n && (most == 0 || distinct < most); i++)
        NI_GOTO(end, take(self, all, order[i].index, levels, here, false, to, &distinct));
    for (uint32_t i = 0; most > 0 && n > 0 && i < self->options.probes; i++)
        NI_GOTO(end, take(self, all, (size_t)nas_random_below(stream, n), levels, here, true, to,
                          &distinct));
    status = NAS_OK;
end:
    ni_map_free(here);
    ni_free(context, order);
    return status;
}

/* How well the surrogate had ranked what was then tried: all that was new, or the probes. */
static nas_status correlate(progressive *self, bool probes, uint64_t *count, double *out) {
    size_t n = 0, all = self->front.entries.n;
    double *a = ni_calloc(self->context, all + 1, 2 * sizeof *a);
    if (a == NULL) return NAS_E_MEMORY;
    double *b = a + all;
    for (size_t i = 0; i < all; i++) {
        const ni_entry *one = &self->front.entries.items[i];
        if (one->state != TOLD || one->reused || one->twin >= 0 || isnan(one->predicted)) continue;
        if (probes && !one->probe) continue;
        a[n] = one->predicted;
        b[n++] = one->score;
    }
    *count = n;
    nas_status status = ni_spearman(self->context, a, b, n, out);
    ni_free(self->context, a);
    return status;
}

static nas_status measure(progressive *self) {
    ni_rank rank = {.level = self->level + 1};
    NI_TRY(correlate(self, false, &rank.n, &rank.rank_correlation));
    NI_TRY(correlate(self, true, &rank.n_probes, &rank.of_probes));
    return rank.n > 0 ? NI_PUSH(self->context, &self->ranks, rank) : NAS_OK;
}

static nas_status add_learnt(progressive *self, const int32_t *tokens, uint64_t levels,
                             double score) {
    size_t n = self->tokens.n;
    NI_TRY(ni_array_grow(self->context, (void **)(void *)&self->learnt.items,
                         &self->learnt.capacity, self->learnt.n + n + 1,
                         sizeof *self->learnt.items));
    NI_TRY(NI_PUSH(self->context, &self->learnt_scores, score));
    self->learnt.items[self->learnt.n] = (int32_t)levels;
    memcpy(self->learnt.items + self->learnt.n + 1, tokens, n * sizeof *tokens);
    self->learnt.n += n + 1;
    return NAS_OK;
}

static nas_status next_front(progressive *self, nas_random *stream, ni_front *to) {
    nas_context *context = self->context;
    nas_status status = NAS_OK;
    ni_front all = {0};
    ni_surrogate *surrogate = NULL;
    uint32_t n = self->tokens.n;
    size_t n_kept = 0;
    ni_sorted *kept = ni_calloc(context, self->front.entries.n + 1, sizeof *kept);
    int32_t *tokens = ni_calloc(context, n, sizeof *tokens);
    if (kept == NULL || tokens == NULL) {
        status = NAS_E_MEMORY;
        goto end;
    }
    for (size_t i = 0; i < self->front.entries.n; i++) {
        const ni_entry *one = &self->front.entries.items[i];
        if (one->state == TOLD) kept[n_kept++] = (ni_sorted){one->score, i};
    }
    qsort(kept, n_kept, sizeof *kept, downwards);
    if (n_kept > self->options.beam) n_kept = self->options.beam;
    for (size_t i = 0; i < n_kept; i++) {
        memcpy(tokens, self->front.tokens.items + kept[i].index * n, n * sizeof *tokens);
        NI_GOTO(end, expand(self, &all, tokens, 0, self->level + 1));
    }
    if (n_kept > 0) {
        NI_GOTO(end, learn(self, &surrogate, stream));
        NI_GOTO(end, predict(self, surrogate, &all, self->level + 2));
    }
    status = choose(self, &all, self->level + 2, self->options.beam, stream, to);
end:
    ni_surrogate_free(surrogate);
    front_free(context, &all);
    ni_free(context, kept);
    ni_free(context, tokens);
    return status;
}

static nas_status first_front(progressive *self, ni_front *to) {
    ni_front all = {0};
    int32_t *tokens = ni_calloc(self->context, self->tokens.n, sizeof *tokens);
    nas_status status = tokens ? expand(self, &all, tokens, 0, 0) : NAS_E_MEMORY;
    if (status >= 0) status = choose(self, &all, 1, 0, NULL, to);
    front_free(self->context, &all);
    ni_free(self->context, tokens);
    return status;
}

/* How many networks of the first level the constraints allow with the base that is set. */
static nas_status first_level(progressive *self, size_t *out) {
    ni_front first = {0};
    nas_status status = first_front(self, &first);
    *out = first.entries.n;
    front_free(self->context, &first);
    return status;
}

/* A base of its own, alike for every search of the space. */
static nas_status sample_base(progressive *self, const nas_space *space) {
    enum { SAMPLES = 32 };
    size_t most = 0, n;
    nas_random random;
    int32_t *best = ni_calloc(self->context, self->tokens.n, sizeof *best);
    nas_status status = best ? NAS_OK : NAS_E_MEMORY;
    ni_random_init(&random, 0, 0, "progressive base");
    for (int i = 0; status >= 0 && i < SAMPLES; i++) {
        nas_arch *arch;
        status = nas_space_sample(space, &random, &arch);
        if (status < 0) break;
        status = ni_tokens_read(&self->tokens, arch, self->base);
        nas_arch_free(arch);
        if (status >= 0) status = first_level(self, &n);
        if (status < 0 || n <= most) continue;
        most = n;
        memcpy(best, self->base, self->tokens.n * sizeof *best);
    }
    if (status >= 0) memcpy(self->base, best, self->tokens.n * sizeof *best);
    ni_free(self->context, best);
    return status;
}

/* All of this level are told: on to the next. After a failure everything is as before. */
static nas_status advance(progressive *self, nas_random *stream) {
    size_t learnt = self->learnt.n, scores = self->learnt_scores.n, ranks = self->ranks.n;
    ni_front next = {0};
    nas_status status = NAS_OK;
    if (!self->begun) {
        status = first_front(self, &next);
    } else {
        status = measure(self);
        for (size_t i = 0; status >= 0 && i < self->front.entries.n; i++) {
            const ni_entry *one = &self->front.entries.items[i];
            if (one->state == TOLD || one->state == FAILED)
                status = add_learnt(self, self->front.tokens.items + i * self->tokens.n,
                                    self->level + 1, one->score);
        }
        if (status >= 0 && self->level + 1 < level_of(self, self->tokens.n - 1) + 1)
            status = next_front(self, stream, &next);
    }
    if (status < 0) {
        self->learnt.n = learnt;
        self->learnt_scores.n = scores;
        self->ranks.n = ranks;
        front_free(self->context, &next);
        return status;
    }
    front_free(self->context, &self->front);
    self->front = next;
    if (self->begun) self->level++;
    self->begun = true;
    return NAS_OK;
}

/* ---- ask, tell
 * ------------------------------------------------------------------------------------ */

static nas_status note(progressive *self, nas_proposal_builder *out, const ni_entry *one,
                       size_t at) {
    ni_text text;
    ni_text_init(&text, self->context);
    ni_text_f(&text, "level %llu of %u, %zu of %zu", (unsigned long long)self->level + 1,
              level_of(self, self->tokens.n - 1) + 1, at + 1, self->front.entries.n);
    if (!isnan(one->predicted)) {
        ni_text_add(&text, ", predicted ");
        ni_text_fixed(&text, one->predicted, 4);
    }
    if (self->ranks.n > 0) {
        const ni_rank *last = &self->ranks.items[self->ranks.n - 1];
        ni_text_f(&text, "; rank correlation at level %llu: ", (unsigned long long)last->level);
        ni_text_fixed(&text, last->rank_correlation, 2);
    }
    nas_status status = text.status;
    if (status >= 0) status = nas_propose_note(out, ni_text_get(&text));
    ni_text_free(&text);
    return status;
}

static nas_status progressive_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    progressive *self = user;
    for (;;) {
        bool waiting = false;
        for (size_t i = 0; i < self->front.entries.n; i++) {
            ni_entry *one = &self->front.entries.items[i];
            waiting |= one->state == ASKED;
            if (one->state != NEW || one->twin >= 0) continue;
            nas_arch *arch;
            NI_TRY(arch_of(self, self->front.tokens.items + i * self->tokens.n, self->level + 1,
                           &arch));
            nas_status status = nas_propose_arch(out, arch);
            nas_arch_free(arch);
            NI_TRY(status);
            NI_TRY(note(self, out, one, i));
            one->state = ASKED;
            return NAS_OK;
        }
        if (waiting) return NAS_WAIT;
        if (self->begun && self->front.entries.n == 0) return NAS_DONE;
        NI_TRY(advance(self, stream));
    }
}

static nas_status progressive_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    progressive *self = user;
    const nas_arch *arch = nas_proposal_arch(asked);
    double score = nas_result_score(got);
    uint64_t at;
    bool mine = false;
    if (arch == NULL) return NAS_OK;
    uint64_t key = ni_candidate_key(arch);
    bool lost = nas_result_reason(got) == NAS_REASON_VANISHED || isnan(score);
    if (!isfinite(score)) score = -INFINITY;
    for (size_t i = 0; i < self->front.entries.n; i++)
        mine |= self->front.entries.items[i].key == key;
    if (!lost && !ni_map_get(self->by_key, key, &at)) {
        size_t n = self->learnt.n, scores = self->learnt_scores.n;
        if (!mine) {
            int32_t *tokens = ni_calloc(self->context, self->tokens.n, sizeof *tokens);
            nas_status status = tokens ? ni_tokens_read(&self->tokens, arch, tokens) : NAS_E_MEMORY;
            if (status >= 0)
                status = add_learnt(self, tokens, level_of(self, self->tokens.n - 1) + 1, score);
            ni_free(self->context, tokens);
            NI_TRY(status);
        }
        nas_status status =
            NI_PUSH(self->context, &self->known, ((ni_known){.key = key, .score = score}));
        if (status >= 0) {
            status = ni_map_put(self->by_key, key, self->known.n - 1);
            if (status < 0) self->known.n--;
        }
        if (status < 0) {
            self->learnt.n = n;
            self->learnt_scores.n = scores;
            return status;
        }
    }
    for (size_t i = 0; i < self->front.entries.n; i++) {
        ni_entry *one = &self->front.entries.items[i];
        if (one->key != key || (one->state != ASKED && one->state != NEW)) continue;
        one->state = lost ? LOST : isfinite(score) ? TOLD : FAILED;
        one->score = score;
    }
    return NAS_OK;
}

/* ---- state
 * ---------------------------------------------------------------------------------------- */

static nas_status progressive_save(void *user, nas_writer *to) {
    const progressive *self = user;
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_u64(to, self->identity));
    NI_TRY(nas_write_u64(to, self->begun));
    NI_TRY(nas_write_u64(to, self->level));
    NI_TRY(nas_write_u64(to, self->front.entries.n));
    for (size_t i = 0; i < self->front.entries.n; i++) {
        const ni_entry *one = &self->front.entries.items[i];
        NI_TRY(nas_write_u64(to, one->key));
        NI_TRY(nas_write_f64(to, one->predicted));
        NI_TRY(nas_write_f64(to, one->score));
        NI_TRY(nas_write_i64(to, one->state));
        NI_TRY(nas_write_i64(to, one->reused));
        NI_TRY(nas_write_i64(to, one->twin));
        NI_TRY(nas_write_i64(to, one->probe));
    }
    NI_TRY(nas_write_bytes(to, self->front.tokens.items, self->front.tokens.n * sizeof(int32_t)));
    NI_TRY(nas_write_u64(to, self->learnt_scores.n));
    NI_TRY(nas_write_f64s(to, self->learnt_scores.items, self->learnt_scores.n));
    NI_TRY(nas_write_bytes(to, self->learnt.items, self->learnt.n * sizeof(int32_t)));
    NI_TRY(nas_write_u64(to, self->known.n));
    for (size_t i = 0; i < self->known.n; i++) {
        NI_TRY(nas_write_u64(to, self->known.items[i].key));
        NI_TRY(nas_write_f64(to, self->known.items[i].score));
    }
    NI_TRY(nas_write_u64(to, self->ranks.n));
    for (size_t i = 0; i < self->ranks.n; i++) {
        NI_TRY(nas_write_u64(to, self->ranks.items[i].level));
        NI_TRY(nas_write_u64(to, self->ranks.items[i].n));
        NI_TRY(nas_write_f64(to, self->ranks.items[i].rank_correlation));
        NI_TRY(nas_write_u64(to, self->ranks.items[i].n_probes));
        NI_TRY(nas_write_f64(to, self->ranks.items[i].of_probes));
    }
    return NAS_OK;
}

/* `n` rows of tokens, each after `head` other numbers; every one in its decision's range. */
static nas_status load_tokens(progressive *self, nas_reader *from, size_t head, uint64_t n,
                              void *array) {
    NI_ARRAY(int32_t) *to = array;
    const void *bytes;
    size_t size, width = self->tokens.n + head;
    NI_TRY(nas_read_bytes(from, &bytes, &size));
    if (n > SIZE_MAX / sizeof(int32_t) / width || size != n * width * sizeof(int32_t))
        return ni_fail(self->context, NAS_E_CORRUPT,
                       "progressive: its state has %zu bytes of tokens for %llu rows", size,
                       (unsigned long long)n);
    NI_TRY(ni_array_grow(self->context, (void **)(void *)&to->items, &to->capacity,
                         (size_t)n * width + 1, sizeof(int32_t)));
    if (size) memcpy(to->items, bytes, size);
    to->n = (size_t)n * width;
    for (size_t i = 0; i < to->n; i++) {
        size_t at = i % width;
        int64_t most = at < head ? (int64_t)self->tokens.n : self->tokens.items[at - head].n - 1;
        if (to->items[i] < (at < head ? 1 : NI_TOKEN_ABSENT) || to->items[i] > most)
            return ni_fail(self->context, NAS_E_CORRUPT,
                           "progressive: its state has a token that its decision has not");
    }
    return NAS_OK;
}

static void clear(progressive *self) {
    self->front.entries.n = self->front.tokens.n = 0;
    self->learnt.n = self->learnt_scores.n = self->known.n = self->ranks.n = 0;
    self->begun = false;
    self->level = 0;
    ni_map_free(self->by_key);
    self->by_key = NULL;
}

static nas_status progressive_load(void *user, nas_reader *from) {
    progressive *self = user;
    uint64_t value, n;
    int64_t number;
    NI_TRY(nas_read_u64(from, &value));
    if (value != FORMAT)
        return ni_fail(self->context, NAS_E_VERSION,
                       "progressive: state of format %llu, this library reads %d",
                       (unsigned long long)value, FORMAT);
    NI_TRY(nas_read_u64(from, &value));
    if (value != self->identity)
        return ni_fail(self->context, NAS_E_STATE,
                       "controller \"progressive\": its settings differ from those of the saved "
                       "state; resume with the same settings");
    clear(self);
    NI_TRY(ni_map_create(&self->by_key, self->context));
    NI_TRY(nas_read_u64(from, &value));
    self->begun = value != 0;
    NI_TRY(nas_read_u64(from, &self->level));
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        ni_entry one = {0};
        NI_TRY(nas_read_u64(from, &one.key));
        NI_TRY(nas_read_f64(from, &one.predicted));
        NI_TRY(nas_read_f64(from, &one.score));
        NI_TRY(nas_read_i64(from, &number));
        one.state = (int32_t)number;
        NI_TRY(nas_read_i64(from, &number));
        one.reused = (int32_t)number;
        NI_TRY(nas_read_i64(from, &number));
        one.twin = (int32_t)number;
        NI_TRY(nas_read_i64(from, &number));
        one.probe = (int32_t)number;
        NI_TRY(NI_PUSH(self->context, &self->front.entries, one));
    }
    NI_TRY(load_tokens(self, from, 0, n, &self->front.tokens));
    NI_TRY(nas_read_u64(from, &n));
    if (n > UINT32_MAX)
        return ni_fail(self->context, NAS_E_CORRUPT, "progressive: its state has %llu results",
                       (unsigned long long)n);
    NI_TRY(ni_array_grow(self->context, (void **)(void *)&self->learnt_scores.items,
                         &self->learnt_scores.capacity, (size_t)n + 1, sizeof(double)));
    NI_TRY(nas_read_f64s(from, self->learnt_scores.items, (size_t)n));
    self->learnt_scores.n = (size_t)n;
    NI_TRY(load_tokens(self, from, 1, n, &self->learnt));
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        ni_known one;
        NI_TRY(nas_read_u64(from, &one.key));
        NI_TRY(nas_read_f64(from, &one.score));
        NI_TRY(NI_PUSH(self->context, &self->known, one));
        NI_TRY(ni_map_put(self->by_key, one.key, self->known.n - 1));
    }
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        ni_rank one;
        NI_TRY(nas_read_u64(from, &one.level));
        NI_TRY(nas_read_u64(from, &one.n));
        NI_TRY(nas_read_f64(from, &one.rank_correlation));
        NI_TRY(nas_read_u64(from, &one.n_probes));
        NI_TRY(nas_read_f64(from, &one.of_probes));
        NI_TRY(NI_PUSH(self->context, &self->ranks, one));
    }
    return NAS_OK;
}

static nas_status progressive_describe(void *user, nas_sink *to) {
    const progressive *self = user;
    uint32_t levels = level_of(self, self->tokens.n - 1) + 1;
    ni_text text;
    ni_text_init(&text, self->context);
    if (self->begun && self->front.entries.n == 0)
        ni_text_f(&text, "%u levels, done", levels);
    else
        ni_text_f(&text, "level %llu of %u, %zu candidates", (unsigned long long)self->level + 1,
                  levels, self->front.entries.n);
    ni_text_f(&text, "; %zu networks tried\n", self->known.n);
    for (size_t i = 0; i < self->ranks.n; i++) {
        const ni_rank *one = &self->ranks.items[i];
        ni_text_f(&text, "level %llu: rank correlation of the surrogate ",
                  (unsigned long long)one->level);
        ni_text_fixed(&text, one->rank_correlation, 3);
        ni_text_f(&text, ", %llu networks", (unsigned long long)one->n);
        if (one->n_probes > 0) {
            ni_text_add(&text, "; among draws from all extensions ");
            ni_text_fixed(&text, one->of_probes, 3);
            ni_text_f(&text, ", %llu networks", (unsigned long long)one->n_probes);
        }
        ni_text_add_char(&text, '\n');
    }
    nas_status status = text.status;
    if (status >= 0) status = nas_sink_text(to, ni_text_get(&text));
    ni_text_free(&text);
    return status;
}

static void progressive_destroy(void *user) {
    progressive *self = user;
    nas_context *context = self->context;
    clear(self);
    front_free(context, &self->front);
    NI_ARRAY_FREE(context, &self->learnt);
    NI_ARRAY_FREE(context, &self->learnt_scores);
    NI_ARRAY_FREE(context, &self->known);
    NI_ARRAY_FREE(context, &self->ranks);
    ni_free(context, self->base);
    ni_tokens_free(&self->tokens);
    ni_free(context, self);
}

static const nas_controller_ops progressive_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .ask = progressive_ask,
    .tell = progressive_tell,
    .save = progressive_save,
    .load = progressive_load,
    .describe = progressive_describe,
    .destroy = progressive_destroy,
};

/* ---- making one
 * ----------------------------------------------------------------------------------- */

void nas_progressive_options_init(nas_progressive_options *options) {
    *options = (nas_progressive_options)NAS_PROGRESSIVE_OPTIONS_INIT;
}

static nas_status check(nas_context *context, const nas_progressive_options *o) {
    const struct {
        const char *name;
        double value, low, high;
    } all[] = {{"flags", o->flags, 0, 0},      {"beam", o->beam, 1, 1e6},
               {"level", o->level, 0, 1e6},    {"surrogate", o->surrogate, 0, 1},
               {"members", o->members, 1, 64}, {"embedding", o->embedding, 1, 4096},
               {"units", o->units, 1, 4096},   {"epochs", o->epochs, 1, 1e6},
               {"batch", o->batch, 1, 4096},   {"bins", o->bins, 2, 4096},
               {"probes", o->probes, 0, 1e6},  {"learning_rate", o->learning_rate, 1e-9, 10}};
    char a[NI_NUMBER_TEXT], b[NI_NUMBER_TEXT], c[NI_NUMBER_TEXT];
    for (size_t i = 0; i < NI_COUNT(all); i++)
        if (!(all[i].value >= all[i].low && all[i].value <= all[i].high))
            return ni_fail(context, NAS_E_INVALID,
                           "controller \"progressive\": %s is %s, must be in %s .. %s", all[i].name,
                           ni_f64_text(a, all[i].value), ni_f64_text(b, all[i].low),
                           ni_f64_text(c, all[i].high));
    return NAS_OK;
}

static nas_status begin(progressive *self, const nas_space *space) {
    const nas_progressive_options *o = &self->options;
    NI_TRY(ni_tokens_init(&self->tokens, space, o->bins));
    if (self->tokens.n == 0)
        return ni_fail(self->context, NAS_E_INVALID, "space \"%s\" has no decisions to make",
                       nas_space_name(space));
    NI_TRY(ni_map_create(&self->by_key, self->context));
    self->base = ni_calloc(self->context, self->tokens.n, sizeof *self->base);
    if (self->base == NULL) return NAS_E_MEMORY;
    if (o->base && o->base[0]) {
        nas_arch *arch;
        NI_TRY(nas_arch_parse(&arch, space, o->base));
        nas_status status = ni_tokens_read(&self->tokens, arch, self->base);
        nas_arch_free(arch);
        NI_TRY(status);
    } else {
        size_t n;
        NI_TRY(first_level(self, &n));
        if (n == 0) NI_TRY(sample_base(self, space));
    }
    nas_progressive_options plain = *o;
    plain.base = NULL;
    self->identity = ni_hash_seeded((const char *)&plain + 8, sizeof plain - 8,
                                    ni_hash(self->base, self->tokens.n * sizeof *self->base));
    self->options.base = NULL; /* the caller's text */
    return NAS_OK;
}

nas_status nas_controller_progressive(nas_controller **out, const nas_space *space,
                                      const nas_progressive_options *given) {
    nas_context *context = ni_space_context(space);
    nas_progressive_options options = NAS_PROGRESSIVE_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &options, sizeof options, sizeof options, given,
                      "nas_progressive_options"));
    NI_TRY(check(context, &options));
    progressive *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->context = context;
    self->options = options;
    nas_status status = begin(self, space);
    if (status < 0) {
        progressive_destroy(self);
        return status;
    }
    return ni_controller_make(out, context, "progressive", &progressive_ops, self);
}
