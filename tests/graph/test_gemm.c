/* Matrix products: each table against the plain definition, and from many threads at once the bits
 * of one by one (BLIS keeps pools of its own; see docs/dependencies.md). */
#include "support.h"

enum { M = 37, N = 29, K = 45, PIECES = 24 };

static float *matrix(uint64_t stream, size_t n) {
    nas_random random;
    float *out = calloc(n, sizeof *out);
    ni_random_init(&random, 1, stream, "gemm test");
    ni_random_fill_normal(&random, out, n, 0, 1);
    return out;
}

static void test_definition(void **state) {
    float *a = matrix(1, M * K), *b = matrix(2, K * N), *c = matrix(3, M * N),
          *out = matrix(4, M * N);
    const int32_t sets[] = {NAS_ISA_GENERIC, ni_isa_best()};
    (void)state;
    for (size_t set = 0; set < NI_COUNT(sets); set++)
        for (int form = 0; form < 8; form++) {
            bool ta = form & 1, tb = form & 2;
            double alpha = form & 4 ? 0.5 : 1, beta = form & 4 ? -2 : 0;
            ni_kernels k;
            ni_kernels_get(&k, NI_F32, sets[set]);
            memcpy(out, c, sizeof *c * M * N);
            if (beta == 0) out[5] = NAN; /* what is replaced is not read */
            k.gemm(ta, tb, M, N, K, alpha, a, ta ? M : K, b, tb ? K : N, beta, out, N);
            for (int i = 0; i < M; i++)
                for (int j = 0; j < N; j++) {
                    double sum = 0;
                    for (int l = 0; l < K; l++)
                        sum += (double)a[ta ? l * M + i : i * K + l] *
                               (double)b[tb ? j * K + l : l * N + j];
                    double wanted = alpha * sum + (beta == 0 ? 0 : beta * (double)c[i * N + j]);
                    if (!(fabs((double)out[i * N + j] - wanted) < 1e-4))
                        fail_msg("%s: form %d, element %d,%d: %g, wanted %g", k.name, form, i, j,
                                 (double)out[i * N + j], wanted);
                }
        }
    free(a);
    free(b);
    free(c);
    free(out);
}

typedef struct {
    ni_kernels k;
    float *a, *b, *out;
} products;

static void multiply(void *user, uint32_t piece, uint32_t lane) {
    products *p = user;
    (void)lane;
    p->k.gemm(false, false, M, N, K, 1, p->a, K, p->b, N, 0, p->out + piece * M * N, N);
}

static void test_many_threads(void **state) {
    products p = {
        .a = matrix(1, M * K), .b = matrix(2, K * N), .out = matrix(3, (PIECES + 1) * M * N)};
    nas_context *context = new_context(8);
    float *first = p.out + PIECES * M * N;
    (void)state;
    ni_kernels_get(&p.k, NI_F32, ni_isa_best());
    for (int round = 0; round < 200; round++) {
        ni_parallel(context, PIECES, multiply, &p); /* the very first calls come together, too */
        if (round == 0) multiply(&p, PIECES, 0);
        for (int i = 0; i < PIECES; i++)
            assert_memory_equal(p.out + i * M * N, first, M * N * sizeof *first);
    }
    nas_context_free(context);
    free(p.a);
    free(p.b);
    free(p.out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
