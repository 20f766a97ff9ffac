/* Runs `rounds` of the loop of an instruction set; gives how many operations that were. */
#ifndef NI_PEAK_H
#define NI_PEAK_H
#include <stdint.h>
double ni_peak_flops_avx2(int64_t rounds);
double ni_peak_flops_avx512(int64_t rounds);
double ni_peak_flops_neon(int64_t rounds);
#endif
