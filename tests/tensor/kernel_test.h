/* What the kernels' tests share: buffers between pages that may not be touched, numbers, comparison
 * with float64, the tables to be tested, and results in TAP. They link lib/tensor alone and not
 * even cmocka, so that they can be built for another processor with nothing but its compiler. */
#ifndef NI_KERNEL_TEST_H
#define NI_KERNEL_TEST_H
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tensor/tensor.h"

/* ---- guarded memory: any access before the first or behind the last byte ends the program -------
 */

typedef struct {
    void *data, *base;
    size_t mapped;
} guarded;

/* at_end: the last byte is the last of its page; else the first byte is the first. */
static inline guarded guarded_alloc(size_t bytes, bool at_end) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (bytes + page - 1) / page * page;
    guarded g = {.mapped = inside + 2 * page};
    g.base = mmap(NULL, g.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.base == MAP_FAILED || mprotect(g.base, page, PROT_NONE) != 0 ||
        mprotect((char *)g.base + page + inside, page, PROT_NONE) != 0) {
        printf("Bail out! no memory for guarded buffers\n");
        exit(1);
    }
    g.data = (char *)g.base + page + (at_end ? inside - bytes : 0);
    return g;
}
static inline void guarded_free(guarded *g) {
    munmap(g->base, g->mapped);
}

/* ---- numbers
 * ---------------------------------------------------------------------------------------- */

typedef struct {
    uint64_t state;
} numbers;
static inline double next_number(numbers *n) { /* -1 .. 1, exact in float32 */
    n->state = n->state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int32_t)(n->state >> 40) / (1 << 23) - 1;
}

/* A tensor of a test: float32 between guards, the same in float64, and the absolute values, from
 * which the size of rounding errors follows. */
typedef struct {
    guarded memory;
    float *f;
    double *d, *abs;
    int64_t n;
} tensor;

static inline tensor tensor_new(int64_t n, numbers *from, bool at_end) {
    tensor t = {.n = n};
    t.memory = guarded_alloc((size_t)n * sizeof(float), at_end);
    t.f = t.memory.data;
    t.d = malloc(((size_t)n + 1) * sizeof(double));
    t.abs = malloc(((size_t)n + 1) * sizeof(double));
    if (!t.d || !t.abs) exit(1);
    for (int64_t i = 0; i < n; i++) {
        t.d[i] = from ? next_number(from) : 0;
        t.f[i] = (float)t.d[i];
        t.abs[i] = fabs(t.d[i]);
    }
    return t;
}
static inline void tensor_free(tensor *t) {
    guarded_free(&t->memory);
    free(t->d);
    free(t->abs);
}

/* ---- results
 * ------------------------------------------------------------------------------------------ */

typedef struct {
    int count, failed;
    int wrong;       /* of the running test */
    char where[160]; /* for messages */
} results;

static inline void begin(results *r) {
    r->wrong = 0;
}
static inline void end(results *r, const char *table, const char *what) {
    r->count++;
    if (r->wrong) r->failed++;
    printf("%s %d - %s: %s\n", r->wrong ? "not ok" : "ok", r->count, table, what);
}
static inline void wrong(results *r, const char *what, int64_t i, double got, double should) {
    if (r->wrong++ < 5)
        printf("# %s %s: element %" PRId64 " is %.9g, not %.9g\n", r->where, what, i, got, should);
}
/* |got - should| <= tolerance * scale: scale is what the sum's terms add up to without signs. */
static inline void check_near(results *r, const char *what, const float *got, const double *should,
                              const double *scale, int64_t n, double tolerance) {
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - should[i]) <=
              tolerance * (scale ? scale[i] : fabs(should[i])) + 1e-30)) {
            wrong(r, what, i, got[i], should[i]);
            return;
        }
}
static inline void check_same(results *r, const char *what, const float *got, const float *should,
                              int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&got[i], &should[i], sizeof(float)) != 0) {
            wrong(r, what, i, got[i], should[i]);
            return;
        }
}

/* ---- tables
 * ------------------------------------------------------------------------------------------- */

static inline bool cpu_has(int32_t isa) {
#if defined(__x86_64__)
    if (isa == NAS_ISA_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == NAS_ISA_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#elif defined(__aarch64__)
    if (isa == NAS_ISA_NEON) return true;
#endif
    return isa == NAS_ISA_GENERIC;
}

/* Calls test for each float32 table that was built and that this machine can run, generic first;
 * says which are left out. */
static inline int test_tables(void (*test)(const ni_kernels *k, results *r)) {
    static const struct {
        int32_t isa;
        const char *name;
    } sets[] = {{NAS_ISA_GENERIC, "generic"},
                {NAS_ISA_AVX2, "avx2"},
                {NAS_ISA_AVX512, "avx512"},
                {NAS_ISA_NEON, "neon"}};
    results r = {0};
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* all is said when a guard ends the program */
    for (size_t i = 0; i < NI_COUNT(sets); i++) {
        ni_kernels k = {0};
        /* First the processor: what makes a table is itself compiled for its instruction set. */
        bool has = cpu_has(sets[i].isa);
        if (has) ni_kernels_get(&k, NI_F32, sets[i].isa);
        if (k.isa != sets[i].isa) {
            printf("ok %d - %s # SKIP %s\n", ++r.count, sets[i].name,
                   has ? "not built" : "not on this machine");
            continue;
        }
        test(&k, &r);
    }
    printf("1..%d\n", r.count);
    return r.failed ? 1 : 0;
}

#endif
