/* One vector of float32 for the instruction set that this file is compiled for: V_WIDTH elements.
 *
 * Tails go through load_n and store_n, which touch n elements and no more: nothing outside a tensor
 * is ever read. Products and sums are fused (one rounding) where fma says so and nowhere else. */
#ifndef NI_VECTOR_H
#define NI_VECTOR_H
#include <stdint.h>
#include <string.h>
#include "libnas/context.h"

#define V_INLINE static inline __attribute__((always_inline))
/* for (i = 0; i < n; i++), n a small constant, wholly unrolled: arrays of vectors live in
 * registers. */
#if defined(__clang__)
#define V_EACH(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)
#else
#define V_EACH(i, n) _Pragma("GCC unroll 32") for (int i = 0; i < (n); i++)
#endif

#if defined(__AVX512F__)
#include <immintrin.h>
enum { V_WIDTH = 16, V_ISA = NAS_ISA_AVX512 };
typedef __m512 vector;

V_INLINE vector v_zero(void) {
    return _mm512_setzero_ps();
}
V_INLINE vector v_set(float f) {
    return _mm512_set1_ps(f);
}
V_INLINE vector v_load(const float *p) {
    return _mm512_loadu_ps(p);
}
V_INLINE void v_store(float *p, vector v) {
    _mm512_storeu_ps(p, v);
}
V_INLINE vector v_load_n(const float *p, int64_t n) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
V_INLINE void v_store_n(float *p, vector v, int64_t n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
}
V_INLINE vector v_fma(vector a, vector b, vector c) { /* a * b + c */
    return _mm512_fmadd_ps(a, b, c);
}
V_INLINE vector v_relu(vector v) { /* NaN stays */
    return _mm512_max_ps(_mm512_setzero_ps(), v);
}
V_INLINE vector v_max(vector a, vector b) { /* b where one is NaN */
    return _mm512_max_ps(a, b);
}
V_INLINE vector v_min(vector a, vector b) { /* b where one is NaN */
    return _mm512_min_ps(a, b);
}
V_INLINE vector v_sqrt(vector v) {
    return _mm512_sqrt_ps(v);
}
typedef __mmask16 v_mask;
V_INLINE v_mask v_less(vector a, vector b) { /* false where one is NaN */
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
V_INLINE v_mask v_equal(vector a, vector b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
V_INLINE v_mask v_above(vector a, vector b) { /* a > b, or a is NaN: the order of max pooling */
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ) | _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
}
V_INLINE v_mask v_both(v_mask a, v_mask b) {
    return a & b;
}
V_INLINE vector v_select(v_mask m, vector yes, vector no) {
    return _mm512_mask_mov_ps(no, m, yes);
}
V_INLINE vector v_keep(v_mask m, vector v) { /* 0 elsewhere */
    return _mm512_maskz_mov_ps(m, v);
}

#elif defined(__AVX2__)
#include <immintrin.h>
enum { V_WIDTH = 8, V_ISA = NAS_ISA_AVX2 };
typedef __m256 vector;

V_INLINE __m256i v_lanes(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
V_INLINE vector v_zero(void) {
    return _mm256_setzero_ps();
}
V_INLINE vector v_set(float f) {
    return _mm256_set1_ps(f);
}
V_INLINE vector v_load(const float *p) {
    return _mm256_loadu_ps(p);
}
V_INLINE void v_store(float *p, vector v) {
    _mm256_storeu_ps(p, v);
}
V_INLINE vector v_load_n(const float *p, int64_t n) {
    return _mm256_maskload_ps(p, v_lanes(n));
}
V_INLINE void v_store_n(float *p, vector v, int64_t n) {
    _mm256_maskstore_ps(p, v_lanes(n), v);
}
V_INLINE vector v_fma(vector a, vector b, vector c) {
    return _mm256_fmadd_ps(a, b, c);
}
V_INLINE vector v_relu(vector v) {
    return _mm256_max_ps(_mm256_setzero_ps(), v);
}
V_INLINE vector v_max(vector a, vector b) {
    return _mm256_max_ps(a, b);
}
V_INLINE vector v_min(vector a, vector b) {
    return _mm256_min_ps(a, b);
}
V_INLINE vector v_sqrt(vector v) {
    return _mm256_sqrt_ps(v);
}
typedef __m256 v_mask;
V_INLINE v_mask v_less(vector a, vector b) {
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}
V_INLINE v_mask v_equal(vector a, vector b) {
    return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}
V_INLINE v_mask v_above(vector a, vector b) {
    return _mm256_or_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ), _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}
V_INLINE v_mask v_both(v_mask a, v_mask b) {
    return _mm256_and_ps(a, b);
}
V_INLINE vector v_select(v_mask m, vector yes, vector no) {
    return _mm256_blendv_ps(no, yes, m);
}
V_INLINE vector v_keep(v_mask m, vector v) {
    return _mm256_and_ps(m, v);
}

#elif defined(__aarch64__)
#include <arm_neon.h>
enum { V_WIDTH = 4, V_ISA = NAS_ISA_NEON };
typedef float32x4_t vector;

V_INLINE vector v_zero(void) {
    return vdupq_n_f32(0);
}
V_INLINE vector v_set(float f) {
    return vdupq_n_f32(f);
}
V_INLINE vector v_load(const float *p) {
    return vld1q_f32(p);
}
V_INLINE void v_store(float *p, vector v) {
    vst1q_f32(p, v);
}
V_INLINE vector v_load_n(const float *p, int64_t n) {
    float part[4] = {0};
    memcpy(part, p, (size_t)n * sizeof(float));
    return vld1q_f32(part);
}
V_INLINE void v_store_n(float *p, vector v, int64_t n) {
    float part[4];
    vst1q_f32(part, v);
    memcpy(p, part, (size_t)n * sizeof(float));
}
V_INLINE vector v_fma(vector a, vector b, vector c) {
    return vfmaq_f32(c, a, b);
}
V_INLINE vector v_relu(vector v) {
    return vmaxq_f32(vdupq_n_f32(0), v);
}
V_INLINE vector v_max(vector a, vector b) {
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}
V_INLINE vector v_min(vector a, vector b) {
    return vbslq_f32(vcltq_f32(a, b), a, b);
}
V_INLINE vector v_sqrt(vector v) {
    return vsqrtq_f32(v);
}
typedef uint32x4_t v_mask;
V_INLINE v_mask v_less(vector a, vector b) {
    return vcltq_f32(a, b);
}
V_INLINE v_mask v_equal(vector a, vector b) {
    return vceqq_f32(a, b);
}
V_INLINE v_mask v_above(vector a, vector b) {
    return vornq_u32(vcgtq_f32(a, b), vceqq_f32(a, a));
}
V_INLINE v_mask v_both(v_mask a, v_mask b) {
    return vandq_u32(a, b);
}
V_INLINE vector v_select(v_mask m, vector yes, vector no) {
    return vbslq_f32(m, yes, no);
}
V_INLINE vector v_keep(v_mask m, vector v) {
    return vreinterpretq_f32_u32(vandq_u32(m, vreinterpretq_u32_f32(v)));
}
#else
#error "no vectors for this instruction set: the generic kernels serve it"
#endif

/* For loops whose last vector may be short: n >= V_WIDTH is a whole one. */
V_INLINE vector v_load_part(const float *p, int64_t n) {
    return n >= V_WIDTH ? v_load(p) : v_load_n(p, n);
}
V_INLINE void v_store_part(float *p, vector v, int64_t n) {
    if (n >= V_WIDTH)
        v_store(p, v);
    else
        v_store_n(p, v, n);
}
V_INLINE vector v_positive(vector mask, vector v) { /* v where mask > 0, else 0 */
    return v_keep(v_less(v_zero(), mask), v);
}

#endif
