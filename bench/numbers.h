/* What the benchmarks of kernels share: made-up numbers, aligned, and the order of doubles. */
#ifndef BENCH_NUMBERS_H
#define BENCH_NUMBERS_H
#include <stdint.h>
#include <stdlib.h>

static inline float *numbers(size_t n) {
    float *x = aligned_alloc(64, (n * sizeof(float) + 4096) / 64 * 64);
    uint32_t state = 12345;
    if (!x) exit(1);
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)state / 2147483648.0f;
    }
    return x;
}

static inline int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

#endif
