/* The softmax table: one vector of logits a decision, no memory of what was decided before. It is
 * the REINFORCE baseline of NAS-Bench-201 (Dong and Yang, ICLR 2020, appendix) and of NATS-Bench
 * (Dong et al., TPAMI 2021, section 5); settings there: logits 0.001 N(0, 1), Adam, moving average
 * 0.9. */
#include "policy.h"
#include <math.h>

typedef struct {
    ni_policy base;
    double temperature, bound;
    double *logs, *slopes; /* of one decision */
} table;

/* Log-softmax of a decision's shaped logits; slopes: d shaped / d logit. */
static void shaped(const table *self, const ni_token *one, double *logs, double *slopes) {
    double highest = -INFINITY, sum = 0;
    for (uint32_t k = 0; k < one->n; k++) {
        double logit = self->base.values[one->offset + k] / self->temperature;
        slopes[k] = 1 / self->temperature;
        if (self->bound > 0) {
            double t = tanh(logit);
            logit = self->bound * t;
            slopes[k] *= self->bound * (1 - t * t);
        }
        logs[k] = logit;
        if (logit > highest) highest = logit;
    }
    for (uint32_t k = 0; k < one->n; k++)
        sum += exp(logs[k] - highest);
    for (uint32_t k = 0; k < one->n; k++)
        logs[k] -= highest + log(sum);
}

static nas_status log_probabilities(ni_policy *base, const int32_t *chosen, uint32_t d,
                                    double *out) {
    table *self = (table *)base;
    (void)chosen;
    shaped(self, &base->tokens->items[d], out, self->slopes);
    return NAS_OK;
}

static nas_status gradient(ni_policy *base, const int32_t *rows, uint32_t m,
                           const double *advantages, double entropy, double *logs,
                           double *entropies) {
    table *self = (table *)base;
    const ni_tokens *t = base->tokens;
    if (advantages) memset(base->gradients, 0, base->n * sizeof *base->gradients);
    for (uint32_t i = 0; i < m; i++) {
        if (logs) logs[i] = 0;
        if (entropies) entropies[i] = 0;
    }
    for (uint32_t d = 0; d < t->n; d++) {
        const ni_token *one = &t->items[d];
        double h = 0, *to = base->gradients + one->offset;
        shaped(self, one, self->logs, self->slopes);
        for (uint32_t k = 0; k < one->n; k++)
            h -= exp(self->logs[k]) * self->logs[k];
        for (uint32_t i = 0; i < m; i++) {
            int32_t token = rows[(size_t)i * t->n + d];
            if (token < 0) continue;
            if (logs) logs[i] += self->logs[token];
            if (entropies) entropies[i] += h;
            /* d log p(a) / d logit k = [k = a] - p(k);  d H / d logit k = -p(k) (log p(k) + H). */
            for (uint32_t k = 0; advantages && k < one->n; k++) {
                double p = exp(self->logs[k]);
                double g = advantages[i] * ((k == (uint32_t)token) - p) -
                           entropy * p * (self->logs[k] + h);
                to[k] -= g * self->slopes[k] / m;
            }
        }
    }
    return NAS_OK;
}

static void destroy(ni_policy *base) {
    table *self = (table *)base;
    nas_context *context = base->context;
    ni_free(context, base->values);
    ni_free(context, base->gradients);
    ni_free(context, self->logs);
    ni_free(context, self->slopes);
    ni_free(context, self);
}

nas_status ni_policy_table(ni_policy **out, const ni_tokens *tokens,
                           const ni_policy_options *options) {
    nas_context *context = tokens->context;
    table *self = ni_calloc(context, 1, sizeof *self);
    nas_random stream;
    if (self == NULL) return NAS_E_MEMORY;
    self->base = (ni_policy){.context = context,
                             .tokens = tokens,
                             .n = tokens->width,
                             .log_probabilities = log_probabilities,
                             .gradient = gradient,
                             .destroy = destroy};
    self->temperature = options->temperature;
    self->bound = options->bound;
    size_t n = tokens->width ? tokens->width : 1;
    self->base.values = ni_calloc(context, n, sizeof(double));
    self->base.gradients = ni_calloc(context, n, sizeof(double));
    self->logs = ni_calloc(context, n, sizeof(double));
    self->slopes = ni_calloc(context, n, sizeof(double));
    if (!self->base.values || !self->base.gradients || !self->logs || !self->slopes) {
        destroy(&self->base);
        return NAS_E_MEMORY;
    }
    ni_random_init(&stream, options->seed, 0, "policy");
    for (uint32_t i = 0; i < tokens->width; i++)
        self->base.values[i] = options->init * nas_random_normal(&stream);
    *out = &self->base;
    return NAS_OK;
}
