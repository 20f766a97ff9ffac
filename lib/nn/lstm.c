/* An LSTM cell and an embedding, written into a graph. Hochreiter and Schmidhuber, "Long short-term
 * memory", Neural Computation 1997, with the forget gate of Gers et al. 2000; gates in PyTorch's
 * order (input, forget, cell, output). */
#include <inttypes.h>
#include <math.h>
#include "nn.h"

static nas_status matrix(nas_graph *g, const char *prefix, const char *name, int64_t rows,
                         int64_t columns, double init, ni_node *out) {
    char text[128];
    size_t n = strlen(prefix), m = strlen(name);
    if (n + m + 1 > sizeof text)
        return ni_fail(ni_graph_context(g), NAS_E_LIMIT, "the variable's name '%.80s' is too long",
                       prefix);
    memcpy(text, prefix, n);
    memcpy(text + n, name, m + 1);
    bool vector = rows == 0;
    ni_var var = {.name = text,
                  .shape = ni_shape4(vector ? 1 : rows, 1, 1, columns),
                  .kind = NI_PARAMETER,
                  .init = vector ? NI_INIT_ZEROS : NI_INIT_UNIFORM,
                  .init_a = init,
                  .fan_in = rows,
                  .layout = vector ? NI_FILE_AS_IS : NI_FILE_LINEAR,
                  .decay = !vector};
    return ni_variable(g, &var, out);
}

nas_status ni_matrix(nas_graph *g, const char *name, int64_t rows, int64_t columns, double init,
                     ni_node *out) {
    return matrix(g, name, "", rows, columns, init, out);
}

nas_status ni_dense(nas_graph *g, const char *name, ni_node x, int64_t inputs, int64_t outputs,
                    double init, ni_node *out) {
    ni_node weight, bias, product;
    NI_TRY(matrix(g, name, ".weight", inputs, outputs, init, &weight));
    NI_TRY(matrix(g, name, ".bias", 0, outputs, 0, &bias));
    NI_TRY(ni_matmul(g, x, weight, false, false, &product));
    return ni_add_channel(g, product, bias, out);
}

/* From the sum of what the four gates are given. */
static nas_status from_gates(nas_graph *g, ni_node sum, ni_node c, int64_t units, ni_node *h_out,
                             ni_node *c_out) {
    static const ni_unary_kind kinds[4] = {NI_SIGMOID, NI_SIGMOID, NI_TANH, NI_SIGMOID};
    ni_node gates[4], kept[2], squashed;
    for (int k = 0; k < 4; k++) {
        NI_TRY(ni_slice(g, sum, 3, k * units, (k + 1) * units, 1, &gates[k]));
        NI_TRY(ni_unary(g, gates[k], kinds[k], &gates[k]));
    }
    NI_TRY(ni_mul(g, gates[1], c, &kept[0]));
    NI_TRY(ni_mul(g, gates[0], gates[2], &kept[1]));
    NI_TRY(ni_add(g, kept, 2, c_out));
    NI_TRY(ni_unary(g, *c_out, NI_TANH, &squashed));
    return ni_mul(g, gates[3], squashed, h_out);
}

nas_status ni_lstm_cell(nas_graph *g, const char *name, int64_t inputs, int64_t units, double init,
                        ni_node x, ni_node h, ni_node c, ni_node *h_out, ni_node *c_out) {
    ni_node wi, wh, bias, parts[2], sum;
    NI_TRY(matrix(g, name, ".weight_ih", inputs, 4 * units, init, &wi));
    NI_TRY(matrix(g, name, ".weight_hh", units, 4 * units, init, &wh));
    NI_TRY(matrix(g, name, ".bias", 0, 4 * units, 0, &bias));
    NI_TRY(ni_matmul(g, x, wi, false, false, &parts[0]));
    NI_TRY(ni_matmul(g, h, wh, false, false, &parts[1]));
    NI_TRY(ni_add(g, parts, 2, &sum));
    NI_TRY(ni_add_channel(g, sum, bias, &sum));
    return from_gates(g, sum, c, units, h_out, c_out);
}

/* ---- the public builder (op.h) --------------------------------------------------------------- */

/* A variable of PyTorch's LSTMCell: rows 0 for a bias. */
static nas_status cell_variable(nas_graph *g, const char *name, const char *part, int64_t rows,
                                int64_t units, ni_node *out) {
    ni_text text;
    ni_text_init(&text, ni_graph_context(g));
    ni_text_add(&text, ni_graph_scope_get(g));
    ni_text_add(&text, name);
    ni_text_add(&text, part);
    nas_status status = text.status;
    if (status >= 0) {
        ni_var var = {.name = ni_text_get(&text),
                      .shape = ni_shape4(rows ? rows : 1, 1, 1, 4 * units),
                      .kind = NI_PARAMETER,
                      .init = NI_INIT_UNIFORM,
                      .init_a = 1 / sqrt((double)units),
                      .fan_in = rows,
                      .layout = rows ? NI_FILE_LINEAR : NI_FILE_AS_IS,
                      .decay = rows > 0};
        status = ni_variable(g, &var, out);
    }
    ni_text_free(&text);
    return status;
}

/* h or c: zeros where there is none; else of the right shape. */
static nas_status cell_state(nas_graph *g, const char *name, const char *what, ni_shape wanted,
                             ni_node *state) {
    if (*state == NI_NONE) return ni_constant(g, wanted, 0, state);
    if (*state < ni_graph_nodes(g) && ni_shape_equal(ni_node_shape(g, *state), wanted))
        return NAS_OK;
    return ni_fail(ni_graph_context(g), NAS_E_SHAPE,
                   "lstm_cell '%s%s': %s must be a node of %" PRId64 "x1x1x%" PRId64,
                   ni_graph_scope_get(g), name, what, wanted.d[0], wanted.d[3]);
}

static nas_status build_lstm_cell(nas_graph *g, const char *name, nas_node in, nas_node h,
                                  nas_node c, int64_t units, nas_node *h_out, nas_node *c_out) {
    nas_context *context = ni_graph_context(g);
    ni_node weights[2], bias[2], parts[3], sum, hidden, cell;
    NI_TRY(ni_enter(context));
    if (units < 1 || units > INT32_MAX / 4)
        return ni_fail(context, NAS_E_INVALID,
                       "lstm_cell '%s%s': units is %" PRId64 " and must be 1 to %d",
                       ni_graph_scope_get(g), name, units, INT32_MAX / 4);
    if (in >= ni_graph_nodes(g))
        return ni_fail(context, NAS_E_INVALID, "the graph has no node %" PRIu32, in);
    ni_shape x = ni_node_shape(g, in);
    if (x.d[1] != 1 || x.d[2] != 1)
        return ni_fail(context, NAS_E_SHAPE,
                       "lstm_cell '%s%s' of node %" PRIu32 ", %" PRId64 "x%" PRId64 "x%" PRId64
                       "x%" PRId64 ": it takes images x 1 x 1 x channels; use global_pool first",
                       ni_graph_scope_get(g), name, in, x.d[0], x.d[1], x.d[2], x.d[3]);
    ni_shape state = ni_shape4(x.d[0], 1, 1, units);
    NI_TRY(cell_state(g, name, "h", state, &h));
    NI_TRY(cell_state(g, name, "c", state, &c));
    NI_TRY(cell_variable(g, name, ".weight_ih", x.d[3], units, &weights[0]));
    NI_TRY(cell_variable(g, name, ".weight_hh", units, units, &weights[1]));
    NI_TRY(cell_variable(g, name, ".bias_ih", 0, units, &bias[0]));
    NI_TRY(cell_variable(g, name, ".bias_hh", 0, units, &bias[1]));
    NI_TRY(ni_matmul(g, in, weights[0], false, false, &parts[0]));
    NI_TRY(ni_matmul(g, h, weights[1], false, false, &parts[1]));
    NI_TRY(ni_add(g, parts, 2, &sum));
    NI_TRY(ni_add(g, bias, 2, &parts[2]));
    NI_TRY(ni_add_channel(g, sum, parts[2], &sum));
    NI_TRY(from_gates(g, sum, c, units, &hidden, &cell));
    *h_out = hidden;
    *c_out = cell;
    return NAS_OK;
}

nas_status nas_graph_lstm_cell(nas_graph *g, const char *name, nas_node in, nas_node h, nas_node c,
                               int64_t units, nas_node *h_out, nas_node *c_out) {
    ni_mark mark = ni_graph_mark(g);
    nas_status status = build_lstm_cell(g, name, in, h, c, units, h_out, c_out);
    if (status < 0) ni_graph_undo(g, mark);
    return status;
}
