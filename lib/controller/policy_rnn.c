/* The recurrent policy: Zoph and Le, "Neural architecture search with reinforcement learning", ICLR
 * 2017, sections 3.1 to 3.3; temperature and tanh constant: Bello et al., "Neural combinatorial
 * optimization", 2016, as ENAS (Pham et al., ICML 2018) uses them.
 *
 * An LSTM of one or two layers reads the embedding of each token and gives the softmax of the next.
 * A run of skip anchors ("4<-1", "4<-2", ... with the alternatives 0 and 1) is one step of it: one
 * Bernoulli for each earlier layer j, of the logit v' tanh(W_prev h_j + W_curr h_i), where h_j is
 * the hidden state at layer j's anchors, or at its last token where it has none; the sum of the
 * embeddings of its bits is what the next step reads. Decisions that are not active give nothing
 * and count nothing. The first step reads zeros.
 *
 * The whole sequence is one graph over one input: the tokens chosen, one-hot. To sample, it is run
 * once a decision with what is chosen so far: later tokens do not touch earlier probabilities. */
#include "policy.h"
#include <stdlib.h>

typedef struct {
    uint32_t first, n; /* decisions; more than one: anchors */
    uint32_t layer;    /* the number that the names begin with, 0: none */
    bool anchors;
} ni_span;

typedef struct {
    nas_graph *graph;
    ni_program *program;
} half;

typedef struct {
    ni_policy base;
    ni_policy_options options;
    ni_vars *vars;
    NI_ARRAY(ni_span) spans;
    half one, many, learn; /* one row; batch rows; batch rows with gradients */
    double *chosen;        /* batch of width, one-hot */
    double *advantages, *entropy, *active;
    double *all_logs, *row_logs, *row_entropies;
} rnn;

/* ---- the sequence -----------------------------------------------------------------------------
 */

static bool is_anchor(const ni_tokens *t, uint32_t d) {
    const ni_token *one = &t->items[d];
    if (one->kind != NAS_DECISION_CHOICE || one->n != 2 || one->condition >= 0) return false;
    const char *arrow = strstr(one->name, "<-");
    return arrow && arrow > one->name && one->name[0] >= '0' && one->name[0] <= '9' &&
           strspn(one->name, "0123456789") == (size_t)(arrow - one->name) && arrow[2] != 0 &&
           strspn(arrow + 2, "0123456789") == strlen(arrow + 2);
}

static nas_status list_spans(rnn *self) {
    const ni_tokens *t = self->base.tokens;
    for (uint32_t d = 0; d < t->n; d++) {
        uint32_t layer = (uint32_t)strtoul(t->items[d].name, NULL, 10);
        ni_span span = {d, 1, layer, is_anchor(t, d)};
        if (span.anchors && self->spans.n > 0) {
            ni_span *last = &self->spans.items[self->spans.n - 1];
            if (last->anchors && last->layer == layer) {
                last->n++;
                continue;
            }
        }
        NI_TRY(NI_PUSH(self->base.context, &self->spans, span));
    }
    return NAS_OK;
}

/* The anchors of a span look at the layers before its own, in order: where they are not as many as
 * that, they are tokens like others. Each becomes a span of its own then. */
static nas_status check_spans(rnn *self) {
    bool good = true;
    uint32_t anchors = 0;
    for (size_t i = 0; i < self->spans.n; i++) {
        const ni_span *span = &self->spans.items[i];
        if (!span->anchors) continue;
        anchors += span->n;
        good &= span->n + 1 == span->layer;
        for (uint32_t layer = 1; layer < span->layer; layer++) {
            bool found = false;
            for (size_t k = 0; k < i; k++)
                found |= self->spans.items[k].layer == layer;
            good &= found;
        }
    }
    if (good || anchors == 0) return NAS_OK;
    self->spans.n = 0;
    for (uint32_t d = 0; d < self->base.tokens->n; d++) {
        ni_span span = {d, 1, 0, false};
        NI_TRY(NI_PUSH(self->base.context, &self->spans, span));
    }
    return NAS_OK;
}

/* ---- the graph --------------------------------------------------------------------------------
 */

typedef struct {
    ni_node chosen, advantages, entropy;
    ni_node logs, row_logs, row_entropies, loss;
} ends;

static nas_status shape_logits(rnn *self, nas_graph *g, ni_node *logits) {
    const ni_policy_options *o = &self->options;
    if (o->temperature != 1) NI_TRY(ni_scale(g, *logits, 1 / o->temperature, 0, logits));
    if (o->bound > 0) {
        NI_TRY(ni_unary(g, *logits, NI_TANH, logits));
        NI_TRY(ni_scale(g, *logits, o->bound, 0, logits));
    }
    return NAS_OK;
}

/* Log-probabilities [n,1,1,width of the decision]; what they add to the rows' sums. */
static nas_status add_softmax(rnn *self, nas_graph *g, ni_node logits, ni_node picked,
                              ni_node *logs, ni_node *taken, ni_node *entropy) {
    ni_node p, product, row, active;
    (void)self;
    NI_TRY(ni_log_softmax(g, logits, logs));
    NI_TRY(ni_mul(g, *logs, picked, &product));
    NI_TRY(ni_sum_row(g, product, taken));
    NI_TRY(ni_unary(g, *logs, NI_EXP, &p));
    NI_TRY(ni_mul(g, p, *logs, &product));
    NI_TRY(ni_sum_row(g, product, &row));
    NI_TRY(ni_sum_row(g, picked, &active)); /* 1, or 0 where the decision is not active */
    NI_TRY(ni_mul(g, row, active, &row));
    return ni_scale(g, row, -1, 0, entropy);
}

static nas_status build(rnn *self, nas_graph *g, uint32_t rows, ends *out) {
    const ni_tokens *t = self->base.tokens;
    const ni_policy_options *o = &self->options;
    nas_context *context = self->base.context;
    const int64_t units = o->units, n = rows;
    const double init = o->init;
    nas_status status;
    ni_node h[2], c[2], x, embedding, head, head_bias, previous, current, v = NI_NONE;
    ni_node *states, *logs, *taken, *entropies;
    uint32_t layers = 0;
    bool any = false;
    for (size_t i = 0; i < self->spans.n; i++) {
        if (self->spans.items[i].layer > layers) layers = self->spans.items[i].layer;
        any |= self->spans.items[i].anchors;
    }
    if (!any) layers = 0;
    states = ni_calloc(context, (size_t)layers + 1 + 3 * ((size_t)t->n + 1), sizeof *states);
    if (states == NULL) return NAS_E_MEMORY;
    logs = states + layers + 1;
    taken = logs + t->n + 1;
    entropies = taken + t->n + 1;
    NI_GOTO(end, ni_input(g, ni_shape4(n, 1, 1, t->width), NULL, &out->chosen));
    NI_GOTO(end, ni_input(g, ni_shape4(n, 1, 1, 1), NULL, &out->advantages));
    NI_GOTO(end, ni_input(g, ni_shape4(n, 1, 1, 1), NULL, &out->entropy));
    NI_GOTO(end, ni_matrix(g, "embedding", t->width, units, init, &embedding));
    NI_GOTO(end, ni_matrix(g, "head.weight", units, t->width, init, &head));
    NI_GOTO(end, ni_matrix(g, "head.bias", 0, t->width, 0, &head_bias));
    if (any) {
        NI_GOTO(end, ni_matrix(g, "anchor.previous", units, units, init, &previous));
        NI_GOTO(end, ni_matrix(g, "anchor.current", units, units, init, &current));
        NI_GOTO(end, ni_matrix(g, "anchor.v", units, 1, init, &v));
    }
    NI_GOTO(end, ni_constant(g, ni_shape4(n, 1, 1, units), 0, &x));
    for (uint32_t k = 0; k < o->layers; k++)
        h[k] = c[k] = x;
    for (size_t i = 0; i < self->spans.n; i++) {
        const ni_span *span = &self->spans.items[i];
        ni_node in = x, rows_of, mine = NI_NONE;
        for (uint32_t k = 0; k < o->layers; k++) {
            NI_GOTO(end, ni_lstm_cell(g, k ? "lstm.1" : "lstm.0", units, units, init, in, h[k],
                                      c[k], &h[k], &c[k]));
            in = h[k];
        }
        if (layers && span->layer) states[span->layer] = in;
        if (span->anchors) NI_GOTO(end, ni_matmul(g, in, current, false, false, &mine));
        uint32_t from = t->items[span->first].offset, to = from;
        for (uint32_t j = 0; j < span->n; j++) {
            uint32_t d = span->first + j;
            const ni_token *one = &t->items[d];
            ni_node logits, picked;
            to = one->offset + one->n;
            if (span->anchors) {
                ni_node pair[2], sum;
                NI_GOTO(end, ni_matmul(g, states[j + 1], previous, false, false, &pair[0]));
                pair[1] = mine;
                NI_GOTO(end, ni_add(g, pair, 2, &sum));
                NI_GOTO(end, ni_unary(g, sum, NI_TANH, &sum));
                NI_GOTO(end, ni_matmul(g, sum, v, false, false, &logits));
                NI_GOTO(end, shape_logits(self, g, &logits));
                NI_GOTO(end, ni_scale(g, logits, 0, 0, &pair[0]));
                pair[1] = logits;
                NI_GOTO(end, ni_concat(g, pair, 2, 3, &logits));
            } else {
                ni_node weight, bias;
                NI_GOTO(end, ni_slice(g, head, 3, from, to, 1, &weight));
                NI_GOTO(end, ni_slice(g, head_bias, 3, from, to, 1, &bias));
                NI_GOTO(end, ni_matmul(g, in, weight, false, false, &logits));
                NI_GOTO(end, ni_add_channel(g, logits, bias, &logits));
                NI_GOTO(end, shape_logits(self, g, &logits));
            }
            NI_GOTO(end, ni_slice(g, out->chosen, 3, one->offset, to, 1, &picked));
            NI_GOTO(end, add_softmax(self, g, logits, picked, &logs[d], &taken[d], &entropies[d]));
        }
        ni_node picked;
        NI_GOTO(end, ni_slice(g, out->chosen, 3, from, to, 1, &picked));
        NI_GOTO(end, ni_slice(g, embedding, 0, from, to, 1, &rows_of));
        NI_GOTO(end, ni_matmul(g, picked, rows_of, false, false, &x));
    }
    NI_GOTO(end, ni_concat(g, logs, t->n, 3, &out->logs));
    NI_GOTO(end, ni_add(g, taken, t->n, &out->row_logs));
    NI_GOTO(end, ni_add(g, entropies, t->n, &out->row_entropies));
    /* -sum (advantage log P + entropy H): who calls divides by how many rows there are. */
    ni_node terms[2];
    NI_GOTO(end, ni_mul(g, out->row_logs, out->advantages, &terms[0]));
    NI_GOTO(end, ni_mul(g, out->row_entropies, out->entropy, &terms[1]));
    NI_GOTO(end, ni_add(g, terms, 2, &out->loss));
    NI_GOTO(end, ni_sum_all(g, out->loss, &out->loss));
    NI_GOTO(end, ni_scale(g, out->loss, -1, 0, &out->loss));
end:
    ni_free(context, states);
    return status;
}

static nas_status make_graph(rnn *self, half *to, uint32_t rows, ends *out) {
    NI_TRY(ni_graph_create(&to->graph, self->base.context, self->vars, NI_F64, NI_TRAIN));
    return build(self, to->graph, rows, out);
}

static nas_status make_forward(rnn *self, half *to, uint32_t rows) {
    ends e;
    NI_TRY(make_graph(self, to, rows, &e));
    const ni_output outputs[] = {
        {e.logs, NI_NONE}, {e.row_logs, NI_NONE}, {e.row_entropies, NI_NONE}};
    return ni_program_create(&to->program, to->graph, outputs, 3, NULL);
}

static nas_status make_learning(rnn *self, half *to, uint32_t rows) {
    ends e;
    nas_context *context = self->base.context;
    NI_TRY(make_graph(self, to, rows, &e));
    uint32_t n = ni_vars_count(self->vars);
    ni_node *of = ni_calloc(context, 2 * (size_t)n, sizeof *of);
    ni_output *outputs = ni_calloc(context, (size_t)n + 2, sizeof *outputs);
    nas_status status = of && outputs ? NAS_OK : NAS_E_MEMORY;
    for (uint32_t i = 0; status >= 0 && i < n; i++)
        status = ni_variable(to->graph, ni_vars_get(self->vars, i), &of[i]);
    if (status >= 0) status = ni_graph_gradients(to->graph, e.loss, NI_NONE, of, n, of + n);
    if (status >= 0) {
        outputs[0] = (ni_output){e.row_logs, NI_NONE};
        outputs[1] = (ni_output){e.row_entropies, NI_NONE};
        for (uint32_t i = 0; i < n; i++)
            outputs[2 + i] = (ni_output){of[n + i], i};
        status = ni_program_create(&to->program, to->graph, outputs, n + 2, NULL);
    }
    ni_free(context, of);
    ni_free(context, outputs);
    return status;
}

/* ---- the policy -------------------------------------------------------------------------------
 */

static void set_row(const rnn *self, double *row, const int32_t *chosen) {
    const ni_tokens *t = self->base.tokens;
    memset(row, 0, t->width * sizeof *row);
    for (uint32_t d = 0; d < t->n; d++)
        if (chosen[d] >= 0) row[t->items[d].offset + (uint32_t)chosen[d]] = 1;
}

static nas_status run(rnn *self, const half *what, void *const *outputs) {
    const void *inputs[] = {self->chosen, self->advantages, self->entropy};
    const ni_run how = {.inputs = inputs,
                        .values = self->base.values,
                        .gradients = self->base.gradients,
                        .outputs = outputs};
    return ni_program_run(what->program, &how);
}

static nas_status log_probabilities(ni_policy *base, const int32_t *chosen, uint32_t d,
                                    double *out) {
    rnn *self = (rnn *)base;
    const ni_token *one = &base->tokens->items[d];
    void *const outputs[] = {self->all_logs, NULL, NULL};
    set_row(self, self->chosen, chosen);
    NI_TRY(run(self, &self->one, outputs));
    memcpy(out, self->all_logs + one->offset, one->n * sizeof *out);
    return NAS_OK;
}

static nas_status gradient(ni_policy *base, const int32_t *rows, uint32_t m,
                           const double *advantages, double entropy, double *logs,
                           double *entropies) {
    rnn *self = (rnn *)base;
    const ni_tokens *t = base->tokens;
    uint32_t batch = self->options.batch;
    for (uint32_t i = 0; i < batch; i++) {
        double *row = self->chosen + (size_t)i * t->width;
        self->advantages[i] = advantages && i < m ? advantages[i] / m : 0;
        self->entropy[i] = i < m ? entropy / m : 0;
        if (i < m)
            set_row(self, row, rows + (size_t)i * t->n);
        else
            memset(row, 0, t->width * sizeof *row);
    }
    void *const forward[] = {NULL, self->row_logs, self->row_entropies};
    if (advantages == NULL) {
        NI_TRY(run(self, &self->many, forward));
    } else {
        uint32_t n = ni_vars_count(self->vars);
        void **outputs = ni_calloc(base->context, (size_t)n + 2, sizeof *outputs);
        if (outputs == NULL) return NAS_E_MEMORY;
        outputs[0] = self->row_logs;
        outputs[1] = self->row_entropies;
        nas_status status = run(self, &self->learn, outputs);
        ni_free(base->context, outputs);
        NI_TRY(status);
    }
    if (logs) memcpy(logs, self->row_logs, m * sizeof *logs);
    if (entropies) memcpy(entropies, self->row_entropies, m * sizeof *entropies);
    return NAS_OK;
}

static void destroy(ni_policy *base) {
    rnn *self = (rnn *)base;
    nas_context *context = base->context;
    half *all[] = {&self->one, &self->many, &self->learn};
    for (size_t i = 0; i < NI_COUNT(all); i++) {
        ni_program_free(all[i]->program);
        ni_graph_free(all[i]->graph);
    }
    ni_vars_free(self->vars);
    NI_ARRAY_FREE(context, &self->spans);
    ni_free(context, base->values);
    ni_free(context, base->gradients);
    ni_free(context, self->chosen);
    ni_free(context, self->advantages);
    ni_free(context, self->entropy);
    ni_free(context, self->all_logs);
    ni_free(context, self->row_logs);
    ni_free(context, self->row_entropies);
    ni_free(context, self);
}

static nas_status make(rnn *self) {
    nas_context *context = self->base.context;
    const ni_tokens *t = self->base.tokens;
    size_t batch = self->options.batch;
    if (t->n == 0)
        return ni_fail(context, NAS_E_INVALID, "space \"%s\" has no decisions for a policy",
                       nas_space_name(t->space));
    NI_TRY(list_spans(self));
    NI_TRY(check_spans(self));
    NI_TRY(ni_vars_create(&self->vars, context));
    NI_TRY(make_forward(self, &self->one, 1));
    NI_TRY(make_forward(self, &self->many, self->options.batch));
    NI_TRY(make_learning(self, &self->learn, self->options.batch));
    self->base.n = ni_vars_size(self->vars);
    self->base.values = ni_alloc_aligned(context, self->base.n * sizeof(double));
    self->base.gradients = ni_alloc_aligned(context, self->base.n * sizeof(double));
    self->chosen = ni_calloc(context, batch, t->width * sizeof(double));
    self->advantages = ni_calloc(context, batch, sizeof(double));
    self->entropy = ni_calloc(context, batch, sizeof(double));
    self->all_logs = ni_calloc(context, t->width, sizeof(double));
    self->row_logs = ni_calloc(context, batch, sizeof(double));
    self->row_entropies = ni_calloc(context, batch, sizeof(double));
    if (!self->base.values || !self->base.gradients || !self->chosen || !self->advantages ||
        !self->entropy || !self->all_logs || !self->row_logs || !self->row_entropies)
        return NAS_E_MEMORY;
    memset(self->base.values, 0, self->base.n * sizeof(double));
    memset(self->base.gradients, 0, self->base.n * sizeof(double));
    ni_vars_initialise(self->vars, self->base.values, NI_F64, self->options.seed);
    return NAS_OK;
}

nas_status ni_policy_rnn(ni_policy **out, const ni_tokens *tokens,
                         const ni_policy_options *options) {
    rnn *self = ni_calloc(tokens->context, 1, sizeof *self);
    if (self == NULL) return NAS_E_MEMORY;
    self->base = (ni_policy){.context = tokens->context,
                             .tokens = tokens,
                             .log_probabilities = log_probabilities,
                             .gradient = gradient,
                             .destroy = destroy};
    self->options = *options;
    nas_status status = make(self);
    if (status < 0) {
        destroy(&self->base);
        return status;
    }
    *out = &self->base;
    return NAS_OK;
}
