/* Ensembles of predictors. The MLP over averaged embeddings and the LSTM are those of Liu et al.,
 * "Progressive neural architecture search", ECCV 2018, section 4.2; a plain MLP over an encoding is
 * that of White et al., "BANANAS", AAAI 2021, section 4. */
#include "surrogate.h"
#include <math.h>

enum { PREDICT_ROWS = 128 };

typedef struct {
    nas_graph *graph;
    ni_program *program;
} half;

struct ni_surrogate {
    nas_context *context;
    ni_surrogate_options o;
    ni_vars *vars;
    half learn, predict;
    size_t n_values;
    float *values; /* members of n_values */
    float *gradients, *first, *second, *decay;
    float *rows, *mask, *targets, *weights, *answers; /* of a batch */
    double mean, deviation;
    bool fitted;
};

/* ---- the networks -----------------------------------------------------------------------------
 */

/* x: [n,1,1,inputs] through a ReLU network to [n,1,1,1]. */
static nas_status build_head(const ni_surrogate *s, nas_graph *g, ni_node x, int64_t inputs,
                             ni_node *out) {
    static const char *const names[] = {"fc.0", "fc.1", "fc.2", "fc.3",
                                        "fc.4", "fc.5", "fc.6", "fc.7"};
    const int64_t units = s->o.units;
    for (uint32_t i = 0; i < s->o.layers; i++) {
        /* PyTorch's default: both bounds 1 / sqrt(inputs), for ReLU a little more. */
        NI_TRY(ni_dense(g, names[i], x, inputs, units, sqrt(3.0 / (double)inputs), &x));
        NI_TRY(ni_relu(g, x, INFINITY, &x));
        inputs = units;
    }
    return ni_dense(g, "out", x, inputs, 1, sqrt(1.0 / (double)inputs), out);
}

static nas_status build(const ni_surrogate *s, nas_graph *g, int64_t n, ni_node *mask,
                        ni_node *out) {
    const int64_t width = s->o.width, embedding = s->o.embedding;
    const bool lstm = s->o.kind == NI_SURROGATE_LSTM;
    ni_node x, table = NI_NONE, h, c;
    NI_TRY(ni_input(g, ni_shape4(n, 1, 1, width * (int64_t)s->o.steps), NULL, &x));
    NI_TRY(ni_input(g, ni_shape4(n, 1, 1, s->o.steps), NULL, mask));
    if (embedding) NI_TRY(ni_matrix(g, "embedding", width, embedding, 0.1, &table));
    if (!lstm) {
        if (embedding) NI_TRY(ni_matmul(g, x, table, false, false, &x));
        return build_head(s, g, x, embedding ? embedding : width, out);
    }
    NI_TRY(ni_constant(g, ni_shape4(n, 1, 1, s->o.units), 0, &h));
    c = h;
    for (uint32_t t = 0; t < s->o.steps; t++) {
        ni_node in, go, next[2], sum[2];
        int64_t inputs = embedding ? embedding : width;
        NI_TRY(ni_slice(g, x, 3, t * width, (t + 1) * width, 1, &in));
        if (embedding) NI_TRY(ni_matmul(g, in, table, false, false, &in));
        NI_TRY(ni_lstm_cell(g, "lstm", inputs, s->o.units, 1 / sqrt(s->o.units), in, h, c, &next[0],
                            &next[1]));
        /* After a row's last step its state stays: h + mask (h' - h). */
        NI_TRY(ni_slice(g, *mask, 3, t, t + 1, 1, &go));
        for (int k = 0; k < 2; k++) {
            ni_node *old = k ? &c : &h, difference[2] = {next[k]};
            NI_TRY(ni_scale(g, *old, -1, 0, &difference[1]));
            NI_TRY(ni_add(g, difference, 2, &sum[1]));
            NI_TRY(ni_mul_row(g, sum[1], go, &sum[1]));
            sum[0] = *old;
            NI_TRY(ni_add(g, sum, 2, old));
        }
    }
    return ni_dense(g, "out", h, s->o.units, 1, 1 / sqrt(s->o.units), out);
}

static nas_status make_predicting(ni_surrogate *s) {
    ni_node mask, out;
    NI_TRY(ni_graph_create(&s->predict.graph, s->context, s->vars, NI_F32, NI_EVAL));
    NI_TRY(build(s, s->predict.graph, PREDICT_ROWS, &mask, &out));
    const ni_output outputs[] = {{out, NI_NONE}};
    return ni_program_create(&s->predict.program, s->predict.graph, outputs, 1, NULL);
}

static nas_status make_learning(ni_surrogate *s) {
    ni_node mask, out, target, weight, loss, pair[2];
    const int64_t n = s->o.batch;
    NI_TRY(ni_graph_create(&s->learn.graph, s->context, s->vars, NI_F32, NI_TRAIN));
    nas_graph *g = s->learn.graph;
    NI_TRY(build(s, g, n, &mask, &out));
    NI_TRY(ni_input(g, ni_shape4(n, 1, 1, 1), NULL, &target));
    NI_TRY(ni_input(g, ni_shape4(n, 1, 1, 1), NULL, &weight));
    pair[0] = out;
    NI_TRY(ni_scale(g, target, -1, 0, &pair[1]));
    NI_TRY(ni_add(g, pair, 2, &loss));
    NI_TRY(ni_unary(g, loss, s->o.absolute ? NI_ABS : NI_SQUARE, &loss));
    NI_TRY(ni_mul(g, loss, weight, &loss)); /* 0 for rows that fill up the last batch */
    NI_TRY(ni_sum_all(g, loss, &loss));
    uint32_t vars = ni_vars_count(s->vars);
    ni_node *of = ni_calloc(s->context, 2 * (size_t)vars, sizeof *of);
    ni_output *outputs = ni_calloc(s->context, vars, sizeof *outputs);
    nas_status status = of && outputs ? NAS_OK : NAS_E_MEMORY;
    for (uint32_t i = 0; status >= 0 && i < vars; i++)
        status = ni_variable(g, ni_vars_get(s->vars, i), &of[i]);
    if (status >= 0) status = ni_graph_gradients(g, loss, NI_NONE, of, vars, of + vars);
    for (uint32_t i = 0; status >= 0 && i < vars; i++)
        outputs[i] = (ni_output){of[vars + i], i};
    if (status >= 0) status = ni_program_create(&s->learn.program, g, outputs, vars, NULL);
    ni_free(s->context, of);
    ni_free(s->context, outputs);
    return status;
}

static nas_status make(ni_surrogate *s) {
    nas_context *context = s->context;
    NI_TRY(ni_vars_create(&s->vars, context));
    NI_TRY(make_predicting(s));
    NI_TRY(make_learning(s));
    s->n_values = ni_vars_size(s->vars);
    size_t most = s->o.batch > PREDICT_ROWS ? s->o.batch : PREDICT_ROWS;
    size_t row = (size_t)s->o.width * s->o.steps, bytes = s->n_values * sizeof(float);
    if (!ni_mul_size(bytes, s->o.members, &(size_t){0}))
        return ni_fail(context, NAS_E_LIMIT, "an ensemble of %u is too large", s->o.members);
    s->values = ni_alloc_aligned(context, bytes * s->o.members);
    s->gradients = ni_alloc_aligned(context, bytes);
    s->first = ni_alloc_aligned(context, bytes);
    s->second = ni_alloc_aligned(context, bytes);
    s->decay = ni_calloc(context, s->n_values, sizeof(float));
    s->rows = ni_calloc(context, most, row * sizeof(float));
    s->mask = ni_calloc(context, most, s->o.steps * sizeof(float));
    s->targets = ni_calloc(context, most, sizeof(float));
    s->weights = ni_calloc(context, most, sizeof(float));
    s->answers = ni_calloc(context, most, sizeof(float));
    if (!s->values || !s->gradients || !s->first || !s->second || !s->decay || !s->rows ||
        !s->mask || !s->targets || !s->weights || !s->answers)
        return NAS_E_MEMORY;
    memset(s->gradients, 0, bytes);
    for (uint32_t i = 0; i < ni_vars_count(s->vars); i++) {
        const ni_var *var = ni_vars_get(s->vars, i);
        for (int64_t k = 0; var->decay && k < ni_shape_count(var->shape); k++)
            s->decay[var->offset + (size_t)k] = 1;
    }
    return NAS_OK;
}

nas_status ni_surrogate_create(ni_surrogate **out, nas_context *context,
                               const ni_surrogate_options *options) {
    ni_surrogate *s = ni_calloc(context, 1, sizeof *s);
    if (s == NULL) return NAS_E_MEMORY;
    s->context = context;
    s->o = *options;
    nas_status status = make(s);
    if (status < 0) {
        ni_surrogate_free(s);
        return status;
    }
    *out = s;
    return NAS_OK;
}

void ni_surrogate_free(ni_surrogate *s) {
    if (s == NULL) return;
    nas_context *context = s->context;
    half *all[] = {&s->learn, &s->predict};
    for (size_t i = 0; i < NI_COUNT(all); i++) {
        ni_program_free(all[i]->program);
        ni_graph_free(all[i]->graph);
    }
    ni_vars_free(s->vars);
    float *buffers[] = {s->values, s->gradients, s->first,   s->second,  s->decay,
                        s->rows,   s->mask,      s->targets, s->weights, s->answers};
    for (size_t i = 0; i < NI_COUNT(buffers); i++)
        ni_free(context, buffers[i]);
    ni_free(context, s);
}

/* ---- learning ---------------------------------------------------------------------------------
 */

static void put_row(ni_surrogate *s, size_t at, const float *row, const uint32_t *length) {
    size_t n = (size_t)s->o.width * s->o.steps;
    memcpy(s->rows + at * n, row, n * sizeof *row);
    for (uint32_t t = 0; t < s->o.steps; t++)
        s->mask[at * s->o.steps + t] = length == NULL || t < *length;
}

static void adam(ni_surrogate *s, float *values, uint64_t step, double rate) {
    const double c1 = 1 - pow(0.9, (double)step), c2 = 1 - pow(0.999, (double)step);
    const float move = (float)(rate / c1), scale = (float)(1 / c2),
                shrink = (float)(rate * s->o.weight_decay);
    for (size_t i = 0; i < s->n_values; i++) {
        float g = s->gradients[i];
        s->first[i] = 0.9f * s->first[i] + 0.1f * g;
        s->second[i] = 0.999f * s->second[i] + 0.001f * g * g;
        values[i] -= move * s->first[i] / (sqrtf(s->second[i] * scale) + 1e-8f) +
                     shrink * s->decay[i] * values[i];
    }
}

static nas_status fit_member(ni_surrogate *s, uint32_t member, const float *rows,
                             const uint32_t *lengths, const double *targets, uint32_t *order,
                             uint32_t n, nas_random *stream) {
    float *values = s->values + (size_t)member * s->n_values;
    const size_t width = (size_t)s->o.width * s->o.steps;
    uint64_t step = 0, seed = nas_random_u64(stream);
    uint32_t batch = s->o.batch, batches = (n + batch - 1) / batch;
    const uint64_t total = (uint64_t)s->o.epochs * batches;
    const void *inputs[] = {s->rows, s->mask, s->targets, s->weights};
    const ni_run run = {.inputs = inputs, .values = values, .gradients = s->gradients};
    memset(values, 0, s->n_values * sizeof *values);
    memset(s->first, 0, s->n_values * sizeof *s->first);
    memset(s->second, 0, s->n_values * sizeof *s->second);
    ni_vars_initialise(s->vars, values, NI_F32, seed);
    for (uint32_t epoch = 0; epoch < s->o.epochs; epoch++) {
        nas_random_shuffle(stream, order, n);
        for (uint32_t from = 0; from < n; from += batch) {
            uint32_t fill = n - from < batch ? n - from : batch;
            for (uint32_t i = 0; i < batch; i++) {
                uint32_t r = order[i < fill ? from + i : from];
                put_row(s, i, rows + r * width, lengths ? &lengths[r] : NULL);
                s->targets[i] = (float)((targets[r] - s->mean) / s->deviation);
                s->weights[i] = i < fill ? 1.0f / (float)fill : 0;
            }
            NI_TRY(ni_program_run(s->learn.program, &run));
            double done = (double)step++ / (double)total;
            adam(s, values, step, s->o.learning_rate * (1 - 0.9 * done));
        }
    }
    return NAS_OK;
}

nas_status ni_surrogate_fit(ni_surrogate *s, const float *rows, const uint32_t *lengths,
                            const double *targets, size_t n, nas_random *stream) {
    if (n == 0 || n > UINT32_MAX)
        return ni_fail(s->context, NAS_E_INVALID, "a surrogate cannot learn from %zu rows", n);
    uint32_t *all = ni_calloc(s->context, 2 * n, sizeof *all);
    if (all == NULL) return NAS_E_MEMORY;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += targets[i];
    s->mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (targets[i] - s->mean) * (targets[i] - s->mean);
    s->deviation = sqrt(squares / (double)n);
    if (!(s->deviation > 0)) s->deviation = 1;
    for (uint32_t i = 0; i < n; i++)
        all[i] = i;
    nas_random_shuffle(stream, all, n);
    nas_status status = NAS_OK;
    for (uint32_t m = 0; status >= 0 && m < s->o.members; m++) {
        uint32_t *mine = all + n, k = 0;
        for (uint32_t i = 0; i < n; i++)
            if (!s->o.leave_out || s->o.members < 2 || n < 2 * (size_t)s->o.members ||
                i % s->o.members != m)
                mine[k++] = all[i];
        status = fit_member(s, m, rows, lengths, targets, mine, k, stream);
    }
    ni_free(s->context, all);
    s->fitted = status >= 0;
    return status;
}

nas_status ni_surrogate_predict(ni_surrogate *s, const float *rows, const uint32_t *lengths,
                                size_t n, double *out) {
    const size_t width = (size_t)s->o.width * s->o.steps;
    if (!s->fitted)
        return ni_fail(s->context, NAS_E_STATE, "a surrogate predicts before it learnt");
    for (size_t from = 0; from < n; from += PREDICT_ROWS) {
        size_t fill = n - from < PREDICT_ROWS ? n - from : PREDICT_ROWS;
        for (size_t i = 0; i < fill; i++)
            put_row(s, i, rows + (from + i) * width, lengths ? &lengths[from + i] : NULL);
        for (uint32_t m = 0; m < s->o.members; m++) {
            const void *inputs[] = {s->rows, s->mask};
            void *const outputs[] = {s->answers};
            const ni_run run = {.inputs = inputs,
                                .values = s->values + (size_t)m * s->n_values,
                                .outputs = outputs};
            NI_TRY(ni_program_run(s->predict.program, &run));
            for (size_t i = 0; i < fill; i++)
                out[m * n + from + i] = s->mean + s->deviation * (double)s->answers[i];
        }
    }
    return NAS_OK;
}
