/* How fast the kernels are, one core, for each instruction set that the machine has: GFLOP/s beside
 * what the core does when it only multiplies and adds in registers, measured in between; bytes a
 * second for what is bound by memory.
 *
 *   bench-kernels [SUBSTRING ...]     only kernels whose line contains one of these
 *
 * A ratio is the median of rounds that alternate kernel and peak. GFLOP/s of convolutions count the
 * textbook multiply-adds, padding included, so that Winograd's may exceed the peak. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "tensor/tensor.h"
#include "tensor/ni_tensor_config.h"
#include "numbers.h"
#include "peak.h"

enum { ROUNDS = 15 };

static bool cpu_has(int32_t isa) {
#if defined(__x86_64__)
    if (isa == NAS_ISA_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == NAS_ISA_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#endif
    return isa == NAS_ISA_GENERIC;
}

static double peak_rate(int32_t isa) {
    double start = ni_clock(), done = 0;
    const int64_t rounds = 60000;
#if NI_WITH_AVX2
    if (isa == NAS_ISA_AVX2) done = ni_peak_flops_avx2(rounds);
#endif
#if NI_WITH_AVX512
    if (isa == NAS_ISA_AVX512) done = ni_peak_flops_avx512(rounds);
#endif
#if NI_WITH_NEON
    if (isa == NAS_ISA_NEON) done = ni_peak_flops_neon(rounds);
#endif
    (void)rounds;
    return done / (ni_clock() - start);
}

typedef struct {
    char **wanted;
    int n_wanted;
    ni_kernels k;
} bench;

static bool wanted(const bench *b, const char *line) {
    if (b->n_wanted == 0) return true;
    for (int i = 0; i < b->n_wanted; i++)
        if (strstr(line, b->wanted[i])) return true;
    return false;
}

/* One kernel at one shape. */
typedef struct {
    const ni_kernels *k;
    ni_conv c;
    uint32_t flags;
    const float *x, *w, *dy, *mask;
    float *y, *dx, *dw, *packed, *scratch;
    int64_t n, columns; /* of kernels over rows or elements */
    const float *a, *b;
    float *out, *extra;
} subject;
typedef void (*work)(const subject *s);

static void report(const bench *b, const char *line, const subject *s, work f, double flops,
                   double bytes) {
    double ratio[ROUNDS], rate[ROUNDS];
    int repeats = 1;
    double start = ni_clock();
    f(s);
    double once = ni_clock() - start;
    repeats = once > 3e-3 ? 1 : (int)(3e-3 / (once + 1e-9)) + 1;
    for (int i = 0; i < ROUNDS; i++) {
        const double before = flops > 0 ? peak_rate(b->k.isa) : 1;
        start = ni_clock();
        for (int r = 0; r < repeats; r++)
            f(s);
        rate[i] = (flops > 0 ? flops : bytes) * repeats / (ni_clock() - start);
        const double after = flops > 0 ? peak_rate(b->k.isa) : 1;
        ratio[i] = rate[i] / (before > after ? before : after);
    }
    qsort(ratio, ROUNDS, sizeof(double), compare);
    qsort(rate, ROUNDS, sizeof(double), compare);
    if (flops > 0)
        printf("%-62s %7.1f GFLOP/s  %5.2f of peak\n", line, rate[ROUNDS / 2] * 1e-9,
               ratio[ROUNDS / 2]);
    else
        printf("%-62s %7.1f GB/s\n", line, rate[ROUNDS / 2] * 1e-9);
    fflush(stdout);
}

/* ---- convolutions
 * -------------------------------------------------------------------------------- */

static void run_forward(const subject *s) {
    s->k->conv_forward(&s->c, s->flags, s->x, s->packed, s->y, 0, (int64_t)s->c.n * s->c.oh,
                       s->scratch);
}
static void run_input(const subject *s) {
    s->k->conv_input_gradient(&s->c, s->flags, s->dy, s->packed, s->dx, s->mask, 0,
                              (int64_t)s->c.n * s->c.h, s->scratch);
}
static void run_weights(const subject *s) {
    s->k->conv_weight_gradient(&s->c, s->flags, s->x, s->dy, s->dw, 0, s->c.n, s->scratch);
}
static void run_pack(const subject *s) {
    s->k->conv_pack(&s->c, 0, s->w, s->packed);
    s->k->conv_pack(&s->c, 1, s->w, s->packed);
}

static void conv(const bench *b, int32_t image, int32_t ci, int32_t co, int32_t k, int32_t stride,
                 int32_t dilation, int32_t groups) {
    subject s = {.k = &b->k};
    const int32_t pad = (k - 1) / 2 * dilation;
    s.c = (ni_conv){8, image,  image,  ci,  0,   0,        co,       k,
                    k, stride, stride, pad, pad, dilation, dilation, groups};
    s.c.oh = s.c.ow = (image + 2 * pad - (k - 1) * dilation - 1) / stride + 1;
    char line[128];
    const int64_t in = (int64_t)s.c.n * image * image * ci,
                  out = (int64_t)s.c.n * s.c.oh * s.c.ow * co;
    const int64_t weights = (int64_t)k * k * (ci / groups) * co;
    const double flops = 2.0 * (double)weights * s.c.n * s.c.oh * s.c.ow;
    size_t packed = 0, scratch = 0;
    for (int what = 0; what < 3; what++) {
        const size_t p = what < 2 ? b->k.conv_packed_bytes(&s.c, what) : 0;
        const size_t q = b->k.conv_scratch_bytes(&s.c, what);
        packed = p > packed ? p : packed, scratch = q > scratch ? q : scratch;
    }
    float *x = numbers((size_t)in), *dy = numbers((size_t)out), *w = numbers((size_t)weights),
          *y = numbers((size_t)out);
    float *dx = numbers((size_t)in), *dw = numbers((size_t)weights);
    s.x = s.mask = x, s.dy = dy, s.w = w, s.y = y, s.dx = dx, s.dw = dw;
    s.packed = numbers(packed / 4 + 1), s.scratch = numbers(scratch / 4 + 1);
    static const struct {
        const char *name;
        work f;
        uint32_t flags;
        int what;
    } passes[] = {{"forward", run_forward, 0, 0},
                  {"forward+relu", run_forward, NI_CONV_RELU_IN, 0},
                  {"input gradient", run_input, 0, 1},
                  {"input gradient+mask+add", run_input, NI_CONV_MASK_OUT | NI_CONV_ADD_OUT, 1},
                  {"weight gradient", run_weights, 0, 2},
                  {"weight gradient+relu", run_weights, NI_CONV_RELU_IN, 2}};
    for (size_t i = 0; i < NI_COUNT(passes); i++) {
        snprintf(line, sizeof line, "%s conv %dx%d/%d%s%s %d->%d @%d %s", b->k.name, k, k, stride,
                 dilation > 1 ? " dilated" : "", groups > 1 ? " depthwise" : "", ci, co, image,
                 passes[i].name);
        if (!wanted(b, line)) continue;
        if (passes[i].what < 2) b->k.conv_pack(&s.c, passes[i].what, w, s.packed);
        s.flags = passes[i].flags;
        if (s.flags & NI_CONV_ADD_OUT) memset(dx, 0, (size_t)in * sizeof(float));
        report(b, line, &s, passes[i].f, flops, 0);
    }
    snprintf(line, sizeof line, "%s pack both %dx%d %d->%d @%d", b->k.name, k, k, ci, co, image);
    if (wanted(b, line)) report(b, line, &s, run_pack, 0, (double)weights * 16);
    free(x), free(dy), free(w), free(y), free(dx), free(dw), free(s.packed), free(s.scratch);
}

static void run_gemm(const subject *s) {
    s->k->gemm(false, false, s->n, s->n, s->n, 1, s->a, s->n, s->b, s->n, 0, s->out, s->n);
}

static void bench_isa(bench *b, int32_t isa) {
    if (!cpu_has(isa)) return; /* what makes a table is compiled for its instruction set too */
    ni_kernels_get(&b->k, NI_F32, isa);
    if (b->k.isa != isa) return;
    double best = 0;
    for (int i = 0; i < 10; i++) {
        const double rate = peak_rate(isa);
        best = rate > best ? rate : best;
    }
    printf("%s: %.1f GFLOP/s at most on one core\n", b->k.name, best * 1e-9);
    subject g = {.k = &b->k, .n = 1024};
    float *left = numbers(1 << 20), *right = numbers(1 << 20), *out = numbers(1 << 20);
    char line[64];
    g.a = left, g.b = right, g.out = out;
    snprintf(line, sizeof line, "%s gemm 1024x1024x1024", b->k.name);
    if (wanted(b, line)) report(b, line, &g, run_gemm, 2.0 * 1024 * 1024 * 1024, 0);
    free(left), free(right), free(out);
    static const int32_t dense[][6] = {
        {32, 16, 16, 3, 1, 1}, {16, 32, 32, 3, 1, 1},  {8, 64, 64, 3, 1, 1},  {32, 16, 16, 1, 1, 1},
        {16, 32, 32, 1, 1, 1}, {8, 64, 64, 1, 1, 1},   {32, 3, 16, 3, 1, 1},  {28, 1, 16, 3, 1, 1},
        {32, 16, 32, 3, 2, 1}, {16, 32, 64, 3, 2, 1},  {32, 16, 32, 1, 2, 1}, {32, 16, 48, 1, 1, 1},
        {32, 24, 72, 1, 1, 1}, {16, 96, 32, 1, 1, 1},  {8, 96, 256, 1, 1, 1}, {14, 24, 40, 3, 1, 1},
        {7, 48, 48, 3, 1, 1},  {4, 128, 128, 3, 1, 1}, {28, 16, 16, 3, 1, 1}, {32, 16, 16, 3, 1, 2},
        {32, 16, 16, 5, 1, 1}};
    for (size_t i = 0; i < NI_COUNT(dense); i++)
        conv(b, dense[i][0], dense[i][1], dense[i][2], dense[i][3], dense[i][4], dense[i][5], 1);
    static const int32_t depthwise[][5] = {{32, 16, 3, 1, 1}, {32, 16, 5, 1, 1}, {32, 16, 3, 1, 2},
                                           {32, 16, 5, 1, 2}, {32, 48, 3, 1, 1}, {32, 72, 5, 2, 1},
                                           {16, 96, 5, 1, 1}, {16, 96, 3, 2, 1}, {8, 192, 3, 1, 1},
                                           {32, 24, 3, 1, 1}};
    for (size_t i = 0; i < NI_COUNT(depthwise); i++)
        conv(b, depthwise[i][0], depthwise[i][1], depthwise[i][1], depthwise[i][2], depthwise[i][3],
             depthwise[i][4], depthwise[i][1]);
}

int main(int argc, char **argv) {
    static const int32_t sets[] = {NAS_ISA_AVX512, NAS_ISA_AVX2, NAS_ISA_NEON};
    bench b = {argv + 1, argc - 1, {0}};
    for (size_t i = 0; i < NI_COUNT(sets); i++)
        bench_isa(&b, sets[i]);
    return 0;
}
