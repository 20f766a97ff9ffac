/* Single-precision matrix multiplication by BLIS (Van Zee and van de Geijn, "BLIS: a framework for
 * rapidly instantiating BLAS functionality", ACM TOMS 2015), called from our own threads with one
 * thread each. What BLIS does that our own code may not is listed in docs/dependencies.md. */
#include "tensor.h"
#include "ni_config.h"

#if NI_WITH_BLIS
#if __has_include(<blis/blis.h>)
#include <blis/blis.h>
#else
#include <blis.h>
#endif

static void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const void *a,
                 int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc) {
    float scale = (float)alpha, keep = (float)beta;
    rntm_t one = BLIS_RNTM_INITIALIZER;
    bli_rntm_set_num_threads(1, &one);
    bli_rntm_disable_l3_sup(&one); /* its kernels for small matrices read beyond the end of C */
    /* op(A) by its strides alone: BLIS takes a row and a column stride for each matrix. Its
     * interface knows no const; A and B are only read. */
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, (dim_t)m, (dim_t)n, (dim_t)k, &scale,
                 (float *)(uintptr_t)a, ta ? 1 : (inc_t)lda, ta ? (inc_t)lda : 1,
                 (float *)(uintptr_t)b, tb ? 1 : (inc_t)ldb, tb ? (inc_t)ldb : 1, &keep, c,
                 (inc_t)ldc, 1, NULL, &one);
}
#endif

void ni_kernels_blis(ni_kernels *table) {
#if NI_WITH_BLIS
    table->gemm = gemm;
#else
    (void)table;
#endif
}

ni_gemm ni_gemm_f32(void) {
#if NI_WITH_BLIS
    return gemm;
#else
    ni_kernels table;
    ni_kernels_generic_f32(&table);
    return table.gemm;
#endif
}
