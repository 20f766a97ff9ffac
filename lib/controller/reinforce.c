/* REINFORCE: Williams, "Simple statistical gradient-following algorithms for connectionist
 * reinforcement learning", Machine Learning 1992, as used by Zoph and Le, "Neural architecture
 * search with reinforcement learning", ICLR 2017, section 3.2.
 *
 * A policy proposes; each result is a reward R; after `batch` of them the policy ascends
 * 1/m sum (R - b) grad log P, with Adam, b a moving average of the rewards before.
 *
 * What is told is taken as if the policy of the moment had drawn it: with several proposals in
 * flight a result is a few updates late, and results of other searches (a warm start) are of other
 * policies; neither is corrected for. An architecture that cannot be evaluated has the reward 0, or
 * the lowest one so far if that is below 0; one that vanished says nothing and is left out. A
 * network that comes again is a sample like any other (the search answers it from its store where
 * `reuse` is on). Samples that break a constraint are drawn again, without an update. */
#include "policy.h"
#include <math.h>

enum { FORMAT = 1 };

typedef struct {
    ni_reinforce_settings settings;
    nas_context *context;
    ni_tokens tokens;
    ni_policy *policy; /* made at the first ask or tell, from the search's seed */
    uint64_t seed;
    ni_adam adam;
    ni_baseline baseline;
    double lowest; /* reward so far */
    uint64_t told, failed, updates;
    uint32_t waiting; /* rows for the next update */
    int32_t *rows;    /* batch of tokens.n */
    double *rewards, *advantages, *entropies;
    int32_t *chosen;
    double *logs; /* tokens.width */
} reinforce;

static nas_status begin(reinforce *self, uint64_t seed) {
    if (self->policy) return NAS_OK;
    ni_policy_options options = self->settings.policy;
    ni_policy *policy;
    options.seed = seed;
    NI_TRY(self->settings.make(&policy, &self->tokens, &options));
    size_t n = policy->n ? policy->n : 1;
    ni_adam adam = {.first = ni_calloc(self->context, n, sizeof(double)),
                    .second = ni_calloc(self->context, n, sizeof(double))};
    if (adam.first == NULL || adam.second == NULL) {
        ni_free(self->context, adam.first);
        ni_free(self->context, adam.second);
        policy->destroy(policy);
        return NAS_E_MEMORY;
    }
    self->policy = policy;
    self->adam = adam;
    self->seed = seed;
    return NAS_OK;
}

static void forget_policy(reinforce *self) {
    if (self->policy) self->policy->destroy(self->policy);
    ni_free(self->context, self->adam.first);
    ni_free(self->context, self->adam.second);
    self->policy = NULL;
    self->adam = (ni_adam){0};
}

/* stream NULL: the most probable alternative of each. */
static nas_status draw(reinforce *self, nas_random *stream, double *log_probability) {
    const ni_tokens *t = &self->tokens;
    double total = 0;
    for (uint32_t d = 0; d < t->n; d++)
        self->chosen[d] = NI_TOKEN_ABSENT;
    for (uint32_t d = 0; d < t->n; d++) {
        const ni_token *one = &t->items[d];
        if (!ni_token_active(t, self->chosen, d)) continue;
        NI_TRY(self->policy->log_probabilities(self->policy, self->chosen, d, self->logs));
        uint32_t best = 0;
        for (uint32_t k = 1; k < one->n; k++)
            if (self->logs[k] > self->logs[best]) best = k;
        uint32_t taken = best;
        if (stream) {
            double left = nas_random_uniform(stream);
            /* Rounding may leave a last bit over: it goes to the likeliest. */
            for (uint32_t k = 0; k < one->n; k++) {
                left -= exp(self->logs[k]);
                if (left < 0) {
                    taken = k;
                    break;
                }
            }
        }
        self->chosen[d] = (int32_t)taken;
        total += self->logs[taken];
    }
    *log_probability = total;
    return NAS_OK;
}

static nas_status reinforce_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    reinforce *self = user;
    double log_probability;
    nas_status status = NAS_OK;
    NI_TRY(begin(self, nas_proposal_seed(nas_propose_so_far(out))));
    for (uint32_t i = 0; i <= self->settings.retries; i++) {
        nas_arch *arch = NULL;
        NI_TRY(draw(self, stream, &log_probability));
        NI_TRY(ni_tokens_arch(&self->tokens, self->chosen, stream, &arch));
        status = nas_arch_check(arch);
        if (status == NAS_E_INFEASIBLE) {
            nas_arch_free(arch);
            continue;
        }
        if (status >= 0) status = nas_propose_arch(out, arch);
        nas_arch_free(arch);
        NI_TRY(status);
        ni_text note;
        ni_text_init(&note, self->context);
        ni_text_add(&note, "policy after ");
        ni_text_u64(&note, self->updates);
        ni_text_add(&note, " updates, log-probability ");
        ni_text_fixed(&note, log_probability, 3);
        status = note.status;
        if (status >= 0) status = nas_propose_note(out, ni_text_get(&note));
        ni_text_free(&note);
        return status;
    }
    /* The policy has gone where the constraints do not let it: a uniform sample leads it back. */
    nas_arch *arch = NULL;
    NI_TRY(nas_space_sample(self->tokens.space, stream, &arch));
    status = nas_propose_arch(out, arch);
    nas_arch_free(arch);
    return status;
}

static nas_status update(reinforce *self) {
    const ni_reinforce_settings *s = &self->settings;
    ni_baseline baseline = self->baseline;
    uint32_t m = self->waiting;
    double weight = s->entropy_mode == 1 ? s->entropy : 0;
    if (s->entropy_mode == 0 && s->entropy != 0)
        NI_TRY(self->policy->gradient(self->policy, self->rows, m, NULL, 0, NULL, self->entropies));
    for (uint32_t i = 0; i < m; i++) {
        double reward = self->rewards[i];
        if (s->entropy_mode == 0 && s->entropy != 0) reward += s->entropy * self->entropies[i];
        self->advantages[i] = ni_baseline_advantage(&baseline, s->baseline, s->decay, reward);
    }
    NI_TRY(
        self->policy->gradient(self->policy, self->rows, m, self->advantages, weight, NULL, NULL));
    ni_adam_step(&self->adam, self->policy->values, self->policy->gradients, self->policy->n,
                 s->learning_rate);
    self->baseline = baseline;
    self->waiting = 0;
    self->updates++;
    return NAS_OK;
}

static nas_status reinforce_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    reinforce *self = user;
    const nas_arch *arch = nas_proposal_arch(asked);
    double reward = nas_result_score(got);
    if (arch == NULL || nas_result_reason(got) == NAS_REASON_VANISHED || isnan(reward))
        return NAS_OK;
    NI_TRY(begin(self, nas_proposal_seed(asked)));
    bool failed = !isfinite(reward);
    if (failed) reward = self->lowest < 0 ? self->lowest : 0;
    NI_TRY(
        ni_tokens_read(&self->tokens, arch, &self->rows[(size_t)self->waiting * self->tokens.n]));
    self->rewards[self->waiting++] = reward;
    if (self->waiting == self->settings.policy.batch) {
        nas_status status = update(self);
        if (status < 0) {
            self->waiting--;
            return status;
        }
    }
    if (!failed && reward < self->lowest) self->lowest = reward;
    self->told++;
    self->failed += failed;
    return NAS_OK;
}

/* ---- state ---------------------------------------------------------------------------------- */

static nas_status reinforce_save(void *user, nas_writer *to) {
    const reinforce *self = user;
    NI_TRY(nas_write_u64(to, FORMAT));
    NI_TRY(nas_write_u64(to, self->settings.identity));
    NI_TRY(nas_write_u64(to, self->policy != NULL));
    if (self->policy == NULL) return NAS_OK;
    NI_TRY(nas_write_u64(to, self->seed));
    NI_TRY(nas_write_f64s(to, self->policy->values, self->policy->n));
    NI_TRY(nas_write_f64s(to, self->adam.first, self->policy->n));
    NI_TRY(nas_write_f64s(to, self->adam.second, self->policy->n));
    NI_TRY(nas_write_u64(to, self->adam.steps));
    NI_TRY(nas_write_f64(to, self->baseline.sum));
    NI_TRY(nas_write_f64(to, self->baseline.weight));
    NI_TRY(nas_write_u64(to, self->baseline.seen));
    NI_TRY(nas_write_f64(to, self->lowest));
    NI_TRY(nas_write_u64(to, self->told));
    NI_TRY(nas_write_u64(to, self->failed));
    NI_TRY(nas_write_u64(to, self->updates));
    NI_TRY(nas_write_u64(to, self->waiting));
    NI_TRY(nas_write_f64s(to, self->rewards, self->waiting));
    for (size_t i = 0; i < (size_t)self->waiting * self->tokens.n; i++)
        NI_TRY(nas_write_i64(to, self->rows[i]));
    return NAS_OK;
}

static nas_status load_rest(reinforce *self, nas_reader *from) {
    uint64_t waiting;
    int64_t token;
    NI_TRY(nas_read_f64s(from, self->policy->values, self->policy->n));
    NI_TRY(nas_read_f64s(from, self->adam.first, self->policy->n));
    NI_TRY(nas_read_f64s(from, self->adam.second, self->policy->n));
    NI_TRY(nas_read_u64(from, &self->adam.steps));
    NI_TRY(nas_read_f64(from, &self->baseline.sum));
    NI_TRY(nas_read_f64(from, &self->baseline.weight));
    NI_TRY(nas_read_u64(from, &self->baseline.seen));
    NI_TRY(nas_read_f64(from, &self->lowest));
    NI_TRY(nas_read_u64(from, &self->told));
    NI_TRY(nas_read_u64(from, &self->failed));
    NI_TRY(nas_read_u64(from, &self->updates));
    NI_TRY(nas_read_u64(from, &waiting));
    if (waiting >= self->settings.policy.batch)
        return ni_fail(self->context, NAS_E_CORRUPT,
                       "%s: its state has %llu rewards of a batch of %u", self->settings.name,
                       (unsigned long long)waiting, self->settings.policy.batch);
    self->waiting = (uint32_t)waiting;
    NI_TRY(nas_read_f64s(from, self->rewards, self->waiting));
    for (size_t i = 0; i < (size_t)self->waiting * self->tokens.n; i++) {
        NI_TRY(nas_read_i64(from, &token));
        const ni_token *one = &self->tokens.items[i % self->tokens.n];
        if (token < NI_TOKEN_ABSENT || token >= (int64_t)one->n)
            return ni_fail(self->context, NAS_E_CORRUPT,
                           "%s: its state has token %lld of decision \"%s\", which has %u",
                           self->settings.name, (long long)token, one->name, one->n);
        self->rows[i] = (int32_t)token;
    }
    return NAS_OK;
}

static nas_status reinforce_load(void *user, nas_reader *from) {
    reinforce *self = user;
    uint64_t format, identity, begun, seed;
    NI_TRY(nas_read_u64(from, &format));
    if (format != FORMAT)
        return ni_fail(self->context, NAS_E_VERSION,
                       "%s: state of format %llu, this library reads %d", self->settings.name,
                       (unsigned long long)format, FORMAT);
    NI_TRY(nas_read_u64(from, &identity));
    if (identity != self->settings.identity)
        return ni_fail(self->context, NAS_E_STATE,
                       "controller \"%s\": its settings differ from those of the saved state; "
                       "resume with the same settings",
                       self->settings.name);
    NI_TRY(nas_read_u64(from, &begun));
    forget_policy(self);
    if (!begun) return NAS_OK;
    NI_TRY(nas_read_u64(from, &seed));
    NI_TRY(begin(self, seed));
    return load_rest(self, from);
}

static nas_status reinforce_describe(void *user, nas_sink *to) {
    reinforce *self = user;
    const ni_tokens *t = &self->tokens;
    double log_probability;
    nas_arch *arch;
    if (self->policy == NULL) return nas_sink_text(to, "no policy yet\n");
    ni_text text;
    ni_text_init(&text, self->context);
    ni_text_f(&text, "%llu rewards, %llu of them failures, %llu updates; baseline ",
              (unsigned long long)self->told, (unsigned long long)self->failed,
              (unsigned long long)self->updates);
    ni_text_f64(&text, self->baseline.weight > 0 ? self->baseline.sum / self->baseline.weight : 0);
    ni_text_add_char(&text, '\n');
    nas_status status = draw(self, NULL, &log_probability);
    if (status >= 0) status = ni_tokens_arch(t, self->chosen, NULL, &arch);
    if (status >= 0) {
        ni_text_add(&text, "likeliest by single decisions, log-probability ");
        ni_text_fixed(&text, log_probability, 3);
        ni_text_f(&text, ": %s\n", nas_arch_text(arch));
        nas_arch_free(arch);
    }
    /* Along it: of each decision, how sure the policy is. */
    for (uint32_t d = 0; status >= 0 && d < t->n; d++) {
        if (self->chosen[d] < 0) continue;
        status = self->policy->log_probabilities(self->policy, self->chosen, d, self->logs);
        if (status < 0) break;
        ni_text_f(&text, "%s:", t->items[d].name);
        for (uint32_t k = 0; k < t->items[d].n && k < 32; k++) {
            ni_text_add_char(&text, ' ');
            ni_text_fixed(&text, exp(self->logs[k]), 3);
        }
        ni_text_add_char(&text, '\n');
    }
    if (status >= 0) status = text.status;
    if (status >= 0) status = nas_sink_text(to, ni_text_get(&text));
    ni_text_free(&text);
    return status;
}

static void reinforce_destroy(void *user) {
    reinforce *self = user;
    nas_context *context = self->context;
    forget_policy(self);
    ni_free(context, self->rows);
    ni_free(context, self->rewards);
    ni_free(context, self->advantages);
    ni_free(context, self->entropies);
    ni_free(context, self->chosen);
    ni_free(context, self->logs);
    ni_tokens_free(&self->tokens);
    ni_free(context, self);
}

static const nas_controller_ops reinforce_ops = {
    .struct_size = sizeof(nas_controller_ops),
    .ask = reinforce_ask,
    .tell = reinforce_tell,
    .save = reinforce_save,
    .load = reinforce_load,
    .describe = reinforce_describe,
    .destroy = reinforce_destroy,
};

static nas_status positive(nas_context *context, const char *controller, const char *name,
                           double value, double low, double high) {
    char a[NI_NUMBER_TEXT], b[NI_NUMBER_TEXT], c[NI_NUMBER_TEXT];
    if (value >= low && value <= high) return NAS_OK;
    return ni_fail(context, NAS_E_INVALID, "controller \"%s\": %s is %s, must be in %s .. %s",
                   controller, name, ni_f64_text(a, value), ni_f64_text(b, low),
                   ni_f64_text(c, high));
}

static nas_status check(nas_context *context, const ni_reinforce_settings *s) {
    NI_TRY(positive(context, s->name, "learning_rate", s->learning_rate, 1e-12, 1e6));
    NI_TRY(positive(context, s->name, "decay", s->decay, 0, 0.999999));
    NI_TRY(positive(context, s->name, "entropy", s->entropy, -1e6, 1e6));
    NI_TRY(positive(context, s->name, "temperature", s->policy.temperature, 1e-6, 1e6));
    NI_TRY(positive(context, s->name, "tanh_constant", s->policy.bound, 0, 1e6));
    NI_TRY(positive(context, s->name, "init", s->policy.init, 0, 1e3));
    NI_TRY(positive(context, s->name, "batch", s->policy.batch, 1, 4096));
    NI_TRY(positive(context, s->name, "bins", s->bins, 2, 4096));
    NI_TRY(positive(context, s->name, "retries", s->retries, 0, 1000000));
    NI_TRY(positive(context, s->name, "units", s->policy.units, 1, 4096));
    NI_TRY(positive(context, s->name, "layers", s->policy.layers, 1, 2));
    NI_TRY(positive(context, s->name, "baseline", s->baseline, 0, 2));
    return positive(context, s->name, "entropy_mode", s->entropy_mode, 0, 1);
}

nas_status ni_reinforce_make(nas_controller **out, const nas_space *space,
                             const ni_reinforce_settings *settings) {
    nas_context *context = ni_space_context(space);
    NI_TRY(check(context, settings));
    reinforce *self = ni_calloc(context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->context = context;
    self->settings = *settings;
    self->lowest = INFINITY;
    nas_status status = ni_tokens_init(&self->tokens, space, settings->bins);
    size_t m = settings->policy.batch, n = self->tokens.n ? self->tokens.n : 1;
    if (status >= 0) {
        self->rows = ni_calloc(context, m, n * sizeof *self->rows);
        self->rewards = ni_calloc(context, m, sizeof(double));
        self->advantages = ni_calloc(context, m, sizeof(double));
        self->entropies = ni_calloc(context, m, sizeof(double));
        self->chosen = ni_calloc(context, n, sizeof *self->chosen);
        self->logs = ni_calloc(context, self->tokens.width + 1, sizeof(double));
        if (!self->rows || !self->rewards || !self->advantages || !self->entropies ||
            !self->chosen || !self->logs)
            status = NAS_E_MEMORY;
    }
    if (status < 0) {
        reinforce_destroy(self);
        return status;
    }
    return ni_controller_make(out, context, settings->name, &reinforce_ops, self);
}

/* ---- Adam and the baseline --------------------------------------------------------------------
 */

void ni_adam_step(ni_adam *adam, double *values, const double *gradients, size_t n, double rate) {
    const double b1 = 0.9, b2 = 0.999, epsilon = 1e-8;
    adam->steps++;
    double c1 = 1 - pow(b1, (double)adam->steps), c2 = 1 - pow(b2, (double)adam->steps);
    for (size_t i = 0; i < n; i++) {
        double g = gradients[i];
        adam->first[i] = b1 * adam->first[i] + (1 - b1) * g;
        adam->second[i] = b2 * adam->second[i] + (1 - b2) * g * g;
        values[i] -= rate * (adam->first[i] / c1) / (sqrt(adam->second[i] / c2) + epsilon);
    }
}

double ni_baseline_advantage(ni_baseline *b, int32_t kind, double decay, double reward) {
    double advantage = 0;
    if (kind == NI_BASELINE_CORRECTED) {
        b->sum = decay * b->sum + (1 - decay) * reward;
        b->weight = decay * b->weight + (1 - decay);
        advantage = reward - b->sum / b->weight;
    } else {
        if (b->seen == 0) b->sum = kind == NI_BASELINE_FIRST ? reward : 0;
        b->weight = 1;
        advantage = reward - b->sum;
        b->sum = decay * b->sum + (1 - decay) * reward;
    }
    b->seen++;
    return advantage;
}

/* ---- the two ----------------------------------------------------------------------------------
 */

void nas_reinforce_table_options_init(nas_reinforce_table_options *options) {
    *options = (nas_reinforce_table_options)NAS_REINFORCE_TABLE_OPTIONS_INIT;
}

void nas_reinforce_options_init(nas_reinforce_options *options) {
    *options = (nas_reinforce_options)NAS_REINFORCE_OPTIONS_INIT;
}

static nas_status unflagged(nas_context *context, const char *name, uint32_t flags) {
    if (flags == 0) return NAS_OK;
    return ni_fail(context, NAS_E_INVALID, "controller \"%s\": flags is %u, must be 0", name,
                   flags);
}

nas_status nas_controller_reinforce_table(nas_controller **out, const nas_space *space,
                                          const nas_reinforce_table_options *given) {
    nas_context *context = ni_space_context(space);
    nas_reinforce_table_options o = NAS_REINFORCE_TABLE_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, given, "nas_reinforce_table_options"));
    NI_TRY(unflagged(context, "reinforce-table", o.flags));
    const ni_reinforce_settings settings = {.name = "reinforce-table",
                                            .make = ni_policy_table,
                                            .learning_rate = o.learning_rate,
                                            .decay = o.decay,
                                            .entropy = o.entropy,
                                            .baseline = o.baseline,
                                            .entropy_mode = o.entropy_mode,
                                            .bins = o.bins,
                                            .retries = o.retries,
                                            .policy = {.temperature = o.temperature,
                                                       .bound = o.tanh_constant,
                                                       .init = o.init,
                                                       .units = 1,
                                                       .layers = 1,
                                                       .batch = o.batch},
                                            .identity =
                                                ni_hash((const char *)&o + 8, sizeof o - 8)};
    return ni_reinforce_make(out, space, &settings);
}

nas_status nas_controller_reinforce(nas_controller **out, const nas_space *space,
                                    const nas_reinforce_options *given) {
    nas_context *context = ni_space_context(space);
    nas_reinforce_options o = NAS_REINFORCE_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, given, "nas_reinforce_options"));
    NI_TRY(unflagged(context, "reinforce", o.flags));
    const ni_reinforce_settings settings = {.name = "reinforce",
                                            .make = ni_policy_rnn,
                                            .learning_rate = o.learning_rate,
                                            .decay = o.decay,
                                            .entropy = o.entropy,
                                            .baseline = o.baseline,
                                            .entropy_mode = o.entropy_mode,
                                            .bins = o.bins,
                                            .retries = o.retries,
                                            .policy = {.temperature = o.temperature,
                                                       .bound = o.tanh_constant,
                                                       .init = o.init,
                                                       .units = o.units,
                                                       .layers = o.layers,
                                                       .batch = o.batch},
                                            .identity =
                                                ni_hash((const char *)&o + 8, sizeof o - 8)};
    return ni_reinforce_make(out, space, &settings);
}
