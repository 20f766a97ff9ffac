/* A recorded trial: fields, texts, metrics and curves in one block of memory. */
#include "parts.h"

/* Where the next piece of a block goes; with base NULL it only measures. */
typedef struct {
    char *base;
    size_t used;
} ni_block;

static void *take(ni_block *block, size_t bytes) {
    size_t at = (block->used + 7) & ~(size_t)7;
    block->used = at + bytes;
    return block->base ? block->base + at : NULL;
}

static const char *take_text(ni_block *block, const char *text) {
    if (text == NULL || text[0] == 0) return "";
    size_t n = strlen(text) + 1;
    char *to = block->base ? block->base + block->used : NULL;
    block->used += n;
    if (to) memcpy(to, text, n);
    return to;
}

static void lay_out(ni_block *block, const ni_trial_row *row, const nas_result *result) {
    ni_row *to = take(block, sizeof *to);
    ni_row local;
    if (to == NULL) to = &local;
    memset(to, 0, sizeof *to);
    to->row = *row;
    double value;
    while (nas_result_metric_at(result, to->n_metrics, &value))
        to->n_metrics++;
    while (nas_result_curve_at(result, to->n_curves))
        to->n_curves++;
    const double *gradient = nas_result_gradient(result, &to->n_gradient);

    ni_row_metric *metrics = take(block, to->n_metrics * sizeof *metrics);
    ni_row_curve *curves = take(block, to->n_curves * sizeof *curves);
    double *numbers = take(block, to->n_gradient * sizeof *numbers);
    if (numbers && to->n_gradient) memcpy(numbers, gradient, to->n_gradient * sizeof *numbers);
    to->metrics = metrics;
    to->curves = curves;
    to->gradient = numbers;
    for (uint32_t i = 0; i < to->n_curves; i++) {
        const char *name = nas_result_curve_at(result, i);
        uint32_t n = nas_result_points(result, name);
        double *xy = take(block, 2 * (size_t)n * sizeof *xy);
        for (uint32_t p = 0; xy && p < n; p++)
            (void)nas_result_point(result, name, p, &xy[2 * (size_t)p], &xy[2 * (size_t)p + 1]);
        if (curves) curves[i] = (ni_row_curve){NULL, n, xy};
    }
    /* Texts last: they need no alignment. */
    for (uint32_t i = 0; i < to->n_metrics; i++) {
        const char *name = take_text(block, nas_result_metric_at(result, i, &value));
        if (metrics) metrics[i] = (ni_row_metric){name, value};
    }
    for (uint32_t i = 0; i < to->n_curves; i++) {
        const char *name = take_text(block, nas_result_curve_at(result, i));
        if (curves) curves[i].name = name;
    }
    to->row.arch = take_text(block, row->arch);
    to->row.sentence = take_text(block, row->sentence);
    to->row.note = take_text(block, row->note);
    to->row.evaluator = take_text(block, row->evaluator);
}

nas_status ni_row_make(ni_row **out, nas_context *context, const ni_trial_row *row,
                       const nas_result *result) {
    ni_block block = {NULL, 0};
    lay_out(&block, row, result);
    block.base = ni_alloc(context, block.used);
    if (block.base == NULL) return NAS_E_MEMORY;
    *out = (ni_row *)(void *)block.base;
    block.used = 0;
    lay_out(&block, row, result);
    return NAS_OK;
}
