/* An LSTM cell and an embedding, written into a graph. Hochreiter and Schmidhuber, "Long short-term
 * memory", Neural Computation 1997, with the forget gate of Gers et al. 2000; gates in PyTorch's
 * order (input, forget, cell, output). */
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

nas_status ni_lstm_cell(nas_graph *g, const char *name, int64_t inputs, int64_t units, double init,
                        ni_node x, ni_node h, ni_node c, ni_node *h_out, ni_node *c_out) {
    static const ni_unary_kind kinds[4] = {NI_SIGMOID, NI_SIGMOID, NI_TANH, NI_SIGMOID};
    ni_node wi, wh, bias, parts[2], sum, gates[4], kept[2], squashed;
    NI_TRY(matrix(g, name, ".weight_ih", inputs, 4 * units, init, &wi));
    NI_TRY(matrix(g, name, ".weight_hh", units, 4 * units, init, &wh));
    NI_TRY(matrix(g, name, ".bias", 0, 4 * units, 0, &bias));
    NI_TRY(ni_matmul(g, x, wi, false, false, &parts[0]));
    NI_TRY(ni_matmul(g, h, wh, false, false, &parts[1]));
    NI_TRY(ni_add(g, parts, 2, &sum));
    NI_TRY(ni_add_channel(g, sum, bias, &sum));
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
