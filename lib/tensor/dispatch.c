/* Which table serves an element type and an instruction set. */
#include "tensor.h"
#include "ni_config.h"
#include "tensor/ni_tensor_config.h"

#if NI_WITH_AVX2
void ni_gemm_convolutions_avx2(ni_kernels *table);
#endif
#if NI_WITH_AVX512
void ni_gemm_convolutions_avx512(ni_kernels *table);
#endif
#if NI_WITH_NEON
void ni_gemm_convolutions_neon(ni_kernels *table);
#endif

bool ni_kernels_by_gemm(ni_kernels *table) {
    if (!NI_WITH_BLIS || table->dtype != NI_F32) return false;
#if NI_WITH_AVX2
    if (table->isa == NAS_ISA_AVX2) {
        ni_gemm_convolutions_avx2(table);
        return true;
    }
#endif
#if NI_WITH_AVX512
    if (table->isa == NAS_ISA_AVX512) {
        ni_gemm_convolutions_avx512(table);
        return true;
    }
#endif
#if NI_WITH_NEON
    if (table->isa == NAS_ISA_NEON) {
        ni_gemm_convolutions_neon(table);
        return true;
    }
#endif
    return false;
}

void ni_kernels_get(ni_kernels *table, uint32_t dtype, int32_t isa) {
    if (dtype == NI_F64) {
        ni_kernels_generic_f64(table);
        return;
    }
    ni_kernels_generic_f32(table);
    if (isa == NAS_ISA_GENERIC) return;
    ni_kernels_blis(table);
#if NI_WITH_AVX2
    if (isa == NAS_ISA_AVX2) ni_kernels_avx2(table);
#endif
#if NI_WITH_AVX512
    if (isa == NAS_ISA_AVX512) ni_kernels_avx512(table);
#endif
#if NI_WITH_NEON
    if (isa == NAS_ISA_NEON) ni_kernels_neon(table);
#endif
}
