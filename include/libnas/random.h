/* random.h: counter-based random streams.
 *
 * A stream is (seed, trial, purpose) and a counter: the same three give the same numbers on every
 * machine, for any number of threads, in any order of use. The generator is Philox 4x32 with 10
 * rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011); the known
 * answers of its authors are in the tests. */
#ifndef LIBNAS_RANDOM_H
#define LIBNAS_RANDOM_H
#include "base.h"
NAS_EXTERN_C_BEGIN

/* A stream of the caller's own. (The one handed to a controller's ask is borrowed for that call
 * and belongs to the trial asked for.) purpose: any text, "" included. */
NAS_API nas_status nas_random_create(nas_random **out, nas_context *context, uint64_t seed,
                                     uint64_t trial, const char *purpose);
NAS_API void nas_random_free(nas_random *random);

NAS_API uint64_t nas_random_u64(nas_random *random);
/* Uniform in 0 .. n-1, exactly (by rejection). n = 0 answers 0. */
NAS_API uint64_t nas_random_below(nas_random *random, uint64_t n);
NAS_API double nas_random_uniform(nas_random *random); /* [0, 1), 53 bits */
NAS_API double nas_random_normal(nas_random *random);  /* mean 0, deviation 1 */
/* In place, Fisher-Yates. */
NAS_API void nas_random_shuffle(nas_random *random, uint32_t *values, size_t n);
/* Index i with probability weight[i] / sum; n > 0, weights finite, not negative, not all zero
 * (otherwise uniform). */
NAS_API size_t nas_random_pick(nas_random *random, const double *weights, size_t n);

NAS_EXTERN_C_END
#endif
