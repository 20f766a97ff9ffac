/* The two ways to make a dense convolution, own tiles and BLIS's matrix products, in turn, on one
 * core: what the fixed model of lib/tensor/choose.c was read from.
 *
 *   bench-choice [SUBSTRING ...]     only lines that contain one of these
 *
 * As many images a call as a group takes at a time (lib/graph/group.c). Medians of rounds; GFLOP/s
 * count the textbook multiply-adds. "model" is what the model says. */
#include <stdio.h>
#include <stdlib.h>
#include "tensor/tensor.h"
#include "numbers.h"

enum { ROUNDS = 9, NEAR_BYTES = 192 << 10 };

typedef struct {
    ni_conv c;
    int what;
    const float *x, *dy;
    float *y, *dx, *dw, *packed, *scratch;
} subject;

static void run(const ni_kernels *k, const subject *s) {
    const ni_conv *c = &s->c;
    if (s->what == 0)
        k->conv_forward(c, 0, s->x, s->packed, s->y, 0, (int64_t)c->n * c->oh, s->scratch);
    else if (s->what == 1)
        k->conv_input_gradient(c, 0, s->dy, s->packed, s->dx, NULL, 0, (int64_t)c->n * c->h,
                               s->scratch);
    else
        k->conv_weight_gradient(c, 0, s->x, s->dy, s->dw, 0, c->n, s->scratch);
}

static void conv(char **wanted, int n_wanted, const ni_kernels tables[2], int32_t image, int32_t ci,
                 int32_t co, int32_t kernel, int32_t stride) {
    static const char *const passes[] = {"forward", "input gradient", "weight gradient"};
    const int32_t pad = (kernel - 1) / 2, out = (image + 2 * pad - kernel) / stride + 1;
    const int64_t one = 4 * ((int64_t)image * image * ci + (int64_t)out * out * co);
    int32_t n = (int32_t)(NEAR_BYTES / one);
    if (n < 1) n = 1;
    subject s = {.c = {n, image, image, ci, out, out, co, kernel, kernel, stride, stride, pad, pad,
                       1, 1, 1}};
    const size_t in = (size_t)n * (size_t)image * (size_t)image * (size_t)ci,
                 made = (size_t)n * (size_t)out * (size_t)out * (size_t)co,
                 weights = (size_t)kernel * (size_t)kernel * (size_t)ci * (size_t)co;
    float *x = numbers(in), *dy = numbers(made), *w = numbers(weights);
    s.x = x, s.dy = dy, s.y = numbers(made), s.dx = numbers(in), s.dw = numbers(weights);
    const double flops = 2.0 * (double)weights * n * out * out;
    for (s.what = 0; s.what < 3; s.what++) {
        char line[96];
        double rate[2][ROUNDS], ratio[ROUNDS];
        float *packed[2], *scratch[2];
        snprintf(line, sizeof line, "%s %dx%d/%d %d->%d @%d %s", tables[0].name, kernel, kernel,
                 stride, ci, co, image, passes[s.what]);
        bool is_wanted = n_wanted == 0;
        for (int i = 0; i < n_wanted; i++)
            is_wanted |= strstr(line, wanted[i]) != NULL;
        if (!is_wanted || !ni_conv_fits_gemm(&s.c, s.what)) continue;
        for (int t = 0; t < 2; t++) {
            packed[t] = numbers(s.what < 2 ? tables[t].conv_packed_bytes(&s.c, s.what) / 4 + 1 : 1);
            scratch[t] = numbers(tables[t].conv_scratch_bytes(&s.c, s.what) / 4 + 1);
            if (s.what < 2) tables[t].conv_pack(&s.c, s.what, w, packed[t]);
        }
        const int repeats = 1 + (int)(2e8 / flops);
        for (int r = 0; r < ROUNDS; r++) {
            for (int t = 0; t < 2; t++) {
                s.packed = packed[t], s.scratch = scratch[t];
                run(&tables[t], &s);
                const double start = ni_clock();
                for (int i = 0; i < repeats; i++)
                    run(&tables[t], &s);
                rate[t][r] = flops * repeats / (ni_clock() - start);
            }
            ratio[r] = rate[1][r] / rate[0][r];
        }
        qsort(ratio, ROUNDS, sizeof(double), compare);
        for (int t = 0; t < 2; t++) {
            qsort(rate[t], ROUNDS, sizeof(double), compare);
            free(packed[t]), free(scratch[t]);
        }
        printf("%-48s own %6.1f  BLIS %6.1f GFLOP/s  BLIS/own %5.2f (%.2f to %.2f)  model: %s\n",
               line, rate[0][ROUNDS / 2] * 1e-9, rate[1][ROUNDS / 2] * 1e-9, ratio[ROUNDS / 2],
               ratio[1], ratio[ROUNDS - 2],
               ni_choose_conv(&s.c, s.what, tables[0].isa) == NI_BLIS ? "BLIS" : "own");
        fflush(stdout);
    }
    free(x), free(dy), free(w), free(s.y), free(s.dx), free(s.dw);
}

int main(int argc, char **argv) {
    static const int32_t shapes[][5] = {
        {32, 16, 16, 1, 1},    {32, 16, 96, 1, 1},   {32, 96, 24, 1, 1},   {16, 32, 32, 1, 1},
        {16, 64, 64, 1, 1},    {16, 32, 192, 1, 1},  {16, 192, 32, 1, 1},  {16, 128, 128, 1, 1},
        {8, 64, 64, 1, 1},     {8, 128, 128, 1, 1},  {8, 256, 256, 1, 1},  {8, 512, 512, 1, 1},
        {8, 96, 576, 1, 1},    {8, 576, 96, 1, 1},   {4, 256, 256, 1, 1},  {4, 512, 512, 1, 1},
        {4, 1024, 1024, 1, 1}, {4, 160, 960, 1, 1},  {4, 960, 160, 1, 1},  {1, 64, 10, 1, 1},
        {1, 256, 256, 1, 1},   {32, 16, 16, 3, 1},   {16, 32, 32, 3, 1},   {16, 64, 64, 3, 1},
        {8, 64, 64, 3, 1},     {8, 128, 128, 3, 1},  {8, 256, 256, 3, 1},  {4, 128, 128, 3, 1},
        {4, 256, 256, 3, 1},   {4, 512, 512, 3, 1},  {32, 64, 64, 3, 1},   {32, 3, 16, 3, 1},
        {32, 16, 32, 3, 2},    {16, 64, 128, 3, 2},  {8, 256, 512, 3, 2},  {32, 16, 16, 5, 1},
        {16, 64, 64, 5, 1},    {8, 128, 128, 5, 1},  {16, 64, 128, 1, 2},  {8, 256, 512, 1, 2},
        {8, 256, 384, 1, 1},   {8, 384, 384, 1, 1},  {8, 128, 1024, 1, 1}, {8, 1024, 128, 1, 1},
        {4, 192, 1152, 1, 1},  {4, 1152, 192, 1, 1}, {16, 256, 512, 1, 1}, {32, 256, 64, 1, 1},
        {8, 384, 384, 3, 1},   {8, 512, 512, 3, 1},  {16, 128, 256, 3, 2}, {16, 256, 256, 3, 1},
        {4, 512, 512, 3, 2},   {16, 256, 512, 3, 2}, {4, 256, 512, 1, 2},  {16, 128, 512, 1, 2}};
    ni_kernels tables[2];
    nas_context *context;
    if (nas_context_create(&context, NULL) < 0) return 1;
    ni_kernels_get(&tables[0], NI_F32, nas_context_isa(context));
    nas_context_free(context);
    tables[1] = tables[0];
    if (!ni_kernels_by_gemm(&tables[1])) {
        printf("%s: one way alone\n", tables[0].name);
        return 0;
    }
    for (size_t i = 0; i < NI_COUNT(shapes); i++)
        conv(argv + 1, argc - 1, tables, shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3],
             shapes[i][4]);
    return 0;
}
