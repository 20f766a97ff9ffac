/* processor.c: how many processors, which instruction sets, what time. */
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>
#include "private.h"

/* Those that this process may run on: a container or taskset may allow fewer than there are. */
uint32_t ni_processors(void) {
    int n = 0;
#if defined(__linux__)
    cpu_set_t set; /* 1024 processors; more than the threads that a context may have */
    if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
#endif
    if (n < 1) n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (n < 1) n = 1;
    return n > 1024 ? 1024 : (uint32_t)n;
}

int32_t ni_processor(void) {
#if defined(__linux__)
    return sched_getcpu();
#else
    return -1;
#endif
}

/* The kernel moves a thread at once when its processor is no longer allowed, and leaves it there
 * when it is again. */
void ni_move_thread(pthread_t thread, const int32_t *taken, uint32_t n) {
#if defined(__linux__)
    cpu_set_t allowed, rest;
    if (pthread_getaffinity_np(thread, sizeof allowed, &allowed) != 0) return;
    rest = allowed;
    for (uint32_t i = 0; i < n; i++)
        if (taken[i] >= 0 && taken[i] < CPU_SETSIZE) CPU_CLR((size_t)taken[i], &rest);
    if (CPU_COUNT(&rest) == 0 || CPU_EQUAL(&rest, &allowed)) return;
    if (pthread_setaffinity_np(thread, sizeof rest, &rest) != 0) return;
    (void)pthread_setaffinity_np(thread, sizeof allowed, &allowed);
#else
    (void)thread, (void)taken, (void)n;
#endif
}

bool ni_isa_available(int32_t isa) {
    switch (isa) {
    case NAS_ISA_GENERIC:
        return true;
#if defined(__x86_64__)
    case NAS_ISA_AVX2:
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case NAS_ISA_AVX512:
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#endif
#if defined(__aarch64__)
    case NAS_ISA_NEON:
        return true;
#endif
    default:
        return false;
    }
}

int32_t ni_isa_best(void) {
    static const int32_t order[] = {NAS_ISA_AVX512, NAS_ISA_AVX2, NAS_ISA_NEON};
    for (size_t i = 0; i < NI_COUNT(order); i++)
        if (ni_isa_available(order[i])) return order[i];
    return NAS_ISA_GENERIC;
}

double ni_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int64_t ni_unix_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec;
}
