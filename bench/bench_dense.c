/* The dense 3x3 convolutions of NAS-Bench-201, forward, beside BLIS's matrix product: one core, in
 * turn, a line a round. Read by show-dense.
 *
 *   bench-dense [ROUNDS] [ISA] [BATCH]     (30, avx2, 64)
 *
 * Says "isa NAME", "gemm SIZE RATE" for each of some sizes, then "round PEAK GEMM CONV CONV CONV":
 * GFLOP/s of multiply-adds in registers alone, of BLIS at the size that was best, and of each
 * convolution by the operations of the direct algorithm, 2 * 9 * ci * co * oh * ow * n. */
#include <stdio.h>
#include <stdlib.h>
#include "tensor/tensor.h"
#include "numbers.h"
#include "ni_config.h"
#include "tensor/ni_tensor_config.h"
#include "peak.h"

enum { SIZES = 6, LAYERS = 3, LARGEST = 1536 };

static double peak_flops(int32_t isa) {
    const int64_t rounds = 100000;
#if NI_WITH_AVX512
    if (isa == NAS_ISA_AVX512) return ni_peak_flops_avx512(rounds);
#endif
#if NI_WITH_AVX2
    if (isa == NAS_ISA_AVX2) return ni_peak_flops_avx2(rounds);
#endif
#if NI_WITH_NEON
    if (isa == NAS_ISA_NEON) return ni_peak_flops_neon(rounds);
#endif
    (void)isa, (void)rounds;
    return 0;
}

typedef struct {
    ni_conv c;
    float *x, *w, *y, *packed, *scratch;
    double flops;
} layer;

static layer make_layer(const ni_kernels *k, int32_t batch, int32_t image, int32_t channels) {
    layer l = {
        .c = {batch, image, image, channels, image, image, channels, 3, 3, 1, 1, 1, 1, 1, 1, 1}};
    const size_t elements = (size_t)batch * (size_t)image * (size_t)image * (size_t)channels;
    l.x = numbers(elements);
    l.y = numbers(elements);
    l.w = numbers(9 * (size_t)channels * (size_t)channels);
    l.packed = numbers(k->conv_packed_bytes(&l.c, 0) / sizeof(float) + 1);
    l.scratch = numbers(k->conv_scratch_bytes(&l.c, 0) / sizeof(float) + 1);
    l.flops = 2.0 * 9 * channels * (double)elements;
    return l;
}

static double run_layer(const ni_kernels *k, const layer *l) {
    const int repeats = 1 + (int)(1.5e9 / l->flops); /* 20 ms or so */
    const double start = ni_clock();
    for (int i = 0; i < repeats; i++) {
        k->conv_pack(&l->c, 0, l->w, l->packed);
        k->conv_forward(&l->c, 0, l->x, l->packed, l->y, 0, (int64_t)l->c.n * l->c.oh, l->scratch);
    }
    return l->flops * repeats / (ni_clock() - start);
}

static double run_gemm(const ni_kernels *k, int64_t n, const float *a, const float *b, float *c) {
    const double flops = 2.0 * (double)n * (double)n * (double)n;
    const int repeats = 1 + (int)(1.5e9 / flops);
    const double start = ni_clock();
    for (int i = 0; i < repeats; i++)
        k->gemm(false, false, n, n, n, 1, a, n, b, n, 0, c, n);
    return flops * repeats / (ni_clock() - start);
}

int main(int argc, char **argv) {
    static const int64_t sizes[SIZES] = {256, 512, 768, 1024, 1280, LARGEST};
    const int rounds = argc > 1 ? atoi(argv[1]) : 30;
    const char *wanted = argc > 2 ? argv[2] : "avx2";
    const int32_t batch = argc > 3 ? atoi(argv[3]) : 64;
    ni_kernels k;
    const int32_t isa = strcmp(wanted, "avx512") == 0 ? NAS_ISA_AVX512
                        : strcmp(wanted, "neon") == 0 ? NAS_ISA_NEON
                                                      : NAS_ISA_AVX2;
#if !NI_WITH_BLIS
    fputs("bench-dense: this build has no BLIS to be beside\n", stderr);
    return 1;
#endif
    ni_kernels_get(&k, NI_F32, isa);
    if (k.isa != isa || rounds < 1 || batch < 1) {
        fprintf(stderr, "bench-dense: no kernels for %s here\n", wanted);
        return 1;
    }
    float *a = numbers(LARGEST * LARGEST), *b = numbers(LARGEST * LARGEST),
          *c = numbers(LARGEST * LARGEST);
    layer layers[LAYERS] = {make_layer(&k, batch, 32, 16), make_layer(&k, batch, 16, 32),
                            make_layer(&k, batch, 8, 64)};
    double best[SIZES] = {0};
    int size = 0;
    printf("isa %s\n", k.name);
    for (int i = 0; i < 5 * SIZES; i++) {
        const double rate = run_gemm(&k, sizes[i % SIZES], a, b, c);
        if (rate > best[i % SIZES]) best[i % SIZES] = rate;
    }
    for (int i = 0; i < SIZES; i++) {
        printf("gemm %d %.1f\n", (int)sizes[i], best[i] * 1e-9);
        if (best[i] > best[size]) size = i;
    }
    for (int r = 0; r < rounds; r++) {
        const double start = ni_clock();
        const double peak = peak_flops(isa) / (ni_clock() - start);
        printf("round %.2f %.2f", peak * 1e-9, run_gemm(&k, sizes[size], a, b, c) * 1e-9);
        for (int i = 0; i < LAYERS; i++)
            printf(" %.2f", run_layer(&k, &layers[i]) * 1e-9);
        puts("");
        fflush(stdout);
    }
    for (int i = 0; i < LAYERS; i++)
        free(layers[i].x), free(layers[i].y), free(layers[i].w), free(layers[i].packed),
            free(layers[i].scratch);
    free(a), free(b), free(c);
    return 0;
}
