/* What the benchmarks of training steps share. */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H
#include <stdio.h>
#include <stdlib.h>
#include "nn/nn.h"

static inline void check(nas_context *context, nas_status status) {
    if (status >= 0) return;
    fprintf(stderr, "bench: %s\n", nas_context_error(context));
    exit(1);
}
/* threads and instruction set as texts ("best" or a name) */
nas_context *bench_context(const char *threads, const char *isa);
/* Builds the training step of the network (forward, cross-entropy, backward, SGD with Nesterov
 * momentum), says "ready ..." and then obeys lines from standard input:
 *     run N       trains N steps and answers with the seconds of each
 *     profile N   the same, and says what each step of the plan took, and each kind of step
 *     plan        says the plan
 *     memory      says the peak of the process, in bytes */
/* The same for the logits of a batch, without training: "run N", "profile N", "plan". */
void bench_logits(nas_context *context, const ni_net *net, int64_t batch);
extern size_t bench_memory_limit; /* of the plan, bytes; 0: none */
void bench_steps(nas_context *context, const ni_net *net, int64_t batch);

#endif
