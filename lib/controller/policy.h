/* What REINFORCE's policies have in common: a vector of float64 parameters, the probability of each
 * alternative given the tokens before it, and the gradient of the expected reward's estimate. */
#ifndef NI_POLICY_H
#define NI_POLICY_H
#include "tokens.h"

typedef struct ni_policy ni_policy;
struct ni_policy {
    nas_context *context;
    const ni_tokens *tokens; /* borrowed */
    size_t n;                /* parameters */
    double *values, *gradients;
    /* Log-probabilities of the alternatives of decision d, given chosen[0 .. d-1]. */
    nas_status (*log_probabilities)(ni_policy *self, const int32_t *chosen, uint32_t d,
                                    double *out);
    /* Fills gradients with those of
     *     -1/m sum over rows of (advantage[i] log P(row i) + entropy H(row i)),
     * H: the sum of the entropies of the softmaxes along the row. rows: m times tokens->n. logs,
     * entropies (m each, NULL: not wanted) are those of the rows; advantages NULL: these alone. */
    nas_status (*gradient)(ni_policy *self, const int32_t *rows, uint32_t m,
                           const double *advantages, double entropy, double *logs,
                           double *entropies);
    void (*destroy)(ni_policy *self);
};

/* Logits are divided by temperature and, where bound is above 0, become bound * tanh(them). */
typedef struct {
    double temperature, bound;
    double init; /* of the parameters: see the policy */
    uint32_t units, layers;
    uint32_t batch; /* rows of a gradient at most */
    uint64_t seed;
} ni_policy_options;
/* One vector of logits for each decision: init * N(0, 1). */
nas_status ni_policy_table(ni_policy **out, const ni_tokens *tokens,
                           const ni_policy_options *options);
/* An LSTM over the sequence: U(-init, init), biases 0. */
nas_status ni_policy_rnn(ni_policy **out, const ni_tokens *tokens,
                         const ni_policy_options *options);

/* Adam: Kingma and Ba, ICLR 2015, algorithm 1, in float64 (beta 0.9, 0.999, epsilon 1e-8). */
typedef struct {
    double *first, *second;
    uint64_t steps;
} ni_adam;
void ni_adam_step(ni_adam *adam, double *values, const double *gradients, size_t n, double rate);

/* The average that rewards are compared with; three forms that published code has. */
enum {
    NI_BASELINE_CORRECTED = 0, /* bias-corrected average, this reward already in it */
    NI_BASELINE_FIRST = 1,     /* begins at the first reward, moves after use */
    NI_BASELINE_ZERO = 2       /* begins at 0, moves after use */
};
typedef struct {
    double sum, weight;
    uint64_t seen;
} ni_baseline;
/* The advantage of a reward, and the baseline moved by it. */
double ni_baseline_advantage(ni_baseline *baseline, int32_t kind, double decay, double reward);

/* The controller over a policy: reinforce.c. */
typedef struct {
    const char *name;
    nas_status (*make)(ni_policy **out, const ni_tokens *tokens, const ni_policy_options *options);
    double learning_rate, decay, entropy;
    int32_t baseline, entropy_mode;
    uint32_t bins, retries;
    ni_policy_options policy;
    /* For the state: settings that must be the same when it is loaded. */
    uint64_t identity;
} ni_reinforce_settings;
nas_status ni_reinforce_make(nas_controller **out, const nas_space *space,
                             const ni_reinforce_settings *settings);

#endif
