/* What a core can do at most: fused multiply-adds between registers and nothing else, for the
 * instruction set that this file is compiled for. */
#include "tensor/kernels/simd/simd.h"
#include "peak.h"

double NI_SIMD(peak_flops)(int64_t rounds) {
    enum { CHAINS = 12 };
    vector sum[CHAINS], a = v_set(0.5f), b = v_set(1e-9f);
    V_EACH (i, CHAINS)
        sum[i] = v_set((float)i);
    for (int64_t r = 0; r < rounds; r++) {
        V_EACH (i, CHAINS) {
            sum[i] = v_fma(a, sum[i], b);
#if defined(__aarch64__)
            __asm__ volatile("" : "+w"(sum[i]));
#elif defined(__x86_64__)
            __asm__ volatile("" : "+x"(sum[i]));
#endif
        }
    }
    vector all = sum[0];
    V_EACH (i, CHAINS - 1)
        all = all + sum[i + 1];
    float part[V_WIDTH];
    v_store(part, all);
    volatile float keep = part[0]; /* the loop may not be left out */
    (void)keep;
    return 2.0 * CHAINS * V_WIDTH * (double)rounds;
}
