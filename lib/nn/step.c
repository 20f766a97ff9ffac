/* The graph of a training step: what trainers run, plans describe and benchmarks time. */
#include "nn.h"

/* What is descended: the loss, and that of an auxiliary head where the network has one. */
static nas_status whole_loss(nas_graph *g, double smoothing, ni_node labels, ni_node loss,
                             ni_node *out) {
    double weight;
    ni_node terms[2] = {loss, ni_graph_auxiliary_get(g, &weight)};
    *out = loss;
    if (terms[1] == NI_NONE) return NAS_OK;
    NI_TRY(ni_cross_entropy(g, terms[1], labels, smoothing, &terms[1]));
    NI_TRY(ni_scale(g, terms[1], weight, 0, &terms[1]));
    return ni_add(g, terms, 2, out);
}

static nas_status network(ni_step_graph *s, nas_context *context, ni_vars *vars, const ni_net *net,
                          int64_t batch, ni_mode mode, double smoothing) {
    ni_shape shape = ni_shape4(batch, net->height, net->width, net->channels);
    ni_node images;
    NI_TRY(ni_graph_create(&s->graph, context, vars, NI_F32, mode));
    NI_TRY(ni_input(s->graph, shape, &s->image_input, &images));
    NI_TRY(ni_input_labels(s->graph, batch, &s->label_input, &s->labels));
    NI_TRY(net->build(net->user, s->graph, images, &s->logits));
    NI_TRY(ni_cross_entropy(s->graph, s->logits, s->labels, smoothing, &s->loss));
    return ni_correct(s->graph, s->logits, s->labels, &s->correct);
}

/* Gradients of all parameters, behind the first outputs. */
static nas_status gradients(ni_step_graph *s, nas_context *context, ni_vars *vars,
                            double smoothing) {
    uint32_t n_vars = ni_vars_count(vars), n = 0;
    ni_node whole, *nodes;
    NI_TRY(whole_loss(s->graph, smoothing, s->labels, s->loss, &whole));
    if (!(nodes = ni_calloc(context, 2 * (size_t)n_vars + 1, sizeof *nodes))) return NAS_E_MEMORY;
    nas_status status = NAS_OK;
    for (uint32_t slot = 0; status >= 0 && slot < n_vars; slot++) {
        const ni_var var = *ni_vars_get(vars, slot);
        if (var.kind != NI_PARAMETER) continue;
        status = ni_variable(s->graph, &var, &nodes[n]);
        s->outputs[s->n_outputs + n++].slot = slot;
    }
    if (status >= 0)
        status = ni_graph_gradients(s->graph, whole, NI_NONE, nodes, n, nodes + n_vars);
    for (uint32_t i = 0; status >= 0 && i < n; i++)
        s->outputs[s->n_outputs++].node = nodes[n_vars + i];
    ni_free(context, nodes);
    return status;
}

void ni_step_graph_free(ni_step_graph *s) {
    if (!s->graph) return;
    ni_free(ni_graph_context(s->graph), s->outputs);
    ni_graph_free(s->graph);
    memset(s, 0, sizeof *s);
}

nas_status ni_training_graph(ni_step_graph *out, nas_context *context, ni_vars *vars,
                             const ni_net *net, int64_t batch, double smoothing) {
    ni_step_graph s = {0};
    nas_status status = network(&s, context, vars, net, batch, NI_TRAIN, smoothing);
    if (status >= 0) {
        s.outputs = ni_calloc(context, ni_vars_count(vars) + (size_t)2, sizeof *s.outputs);
        status = s.outputs ? NAS_OK : NAS_E_MEMORY;
    }
    if (status >= 0) {
        s.outputs[s.n_outputs++] = (ni_output){s.loss, NI_NONE};
        s.outputs[s.n_outputs++] = (ni_output){s.correct, NI_NONE};
        status = gradients(&s, context, vars, smoothing);
    }
    if (status < 0)
        ni_step_graph_free(&s);
    else
        *out = s;
    return status;
}

nas_status ni_measuring_graph(ni_step_graph *out, nas_context *context, ni_vars *vars,
                              const ni_net *net, int64_t batch) {
    ni_step_graph s = {0};
    nas_status status = network(&s, context, vars, net, batch, NI_EVAL, 0);
    if (status >= 0) {
        s.outputs = ni_calloc(context, 3, sizeof *s.outputs);
        status = s.outputs ? NAS_OK : NAS_E_MEMORY;
    }
    if (status < 0) {
        ni_step_graph_free(&s);
        return status;
    }
    s.outputs[s.n_outputs++] = (ni_output){s.loss, NI_NONE};
    s.outputs[s.n_outputs++] = (ni_output){s.correct, NI_NONE};
    s.outputs[s.n_outputs++] = (ni_output){s.logits, NI_NONE};
    *out = s;
    return NAS_OK;
}

/* Of one graph and its program. */
static nas_status program_bytes(const ni_step_graph *s, bool no_fusion, uint64_t limit,
                                const nas_tuning *tuning, uint64_t *bytes) {
    const ni_plan_options plan = {.no_fusion = no_fusion,
                                  .plan_only = 1,
                                  .isa = NAS_ISA_BEST,
                                  .memory_limit = (size_t)limit,
                                  .tuning = tuning};
    ni_program *program;
    NI_TRY(ni_program_create(&program, s->graph, s->outputs, s->n_outputs, &plan));
    *bytes += ni_program_bytes(program) + ni_program_plan_bytes(program) + ni_graph_bytes(s->graph);
    ni_program_free(program);
    return NAS_OK;
}

nas_status ni_training_bytes(nas_context *context, const ni_net *net, int64_t batch,
                             const nas_train_options *training, bool no_fusion,
                             const nas_tuning *tuning, uint64_t *bytes) {
    ni_step_graph train = {0}, measure = {0};
    ni_vars *vars;
    uint64_t sum = 0, copies = 1, batches = 0;
    NI_TRY(ni_vars_create(&vars, context));
    nas_status status = NAS_OK;
    if (training) {
        status = ni_training_graph(&train, context, vars, net, batch, training->label_smoothing);
        if (status >= 0)
            status = program_bytes(&train, no_fusion, training->memory_limit, tuning, &sum);
        copies = 3; /* with gradients and momentum */
        copies += training->optimizer != NAS_OPTIMIZER_SGD;
        copies += training->ema > 0;
        batches = 4; /* two at a time: to train on, and to measure with */
    }
    if (status >= 0) status = ni_measuring_graph(&measure, context, vars, net, batch);
    if (status >= 0) status = program_bytes(&measure, no_fusion && !training, 0, tuning, &sum);
    if (status >= 0)
        *bytes =
            sum + copies * ni_vars_size(vars) * sizeof(float) +
            batches * (uint64_t)(batch * net->height * net->width * net->channels) * sizeof(float);
    ni_step_graph_free(&train);
    ni_step_graph_free(&measure);
    ni_vars_free(vars);
    return status;
}
