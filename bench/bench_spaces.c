/* How fast architectures are drawn and hashed: a million samples of a space, each with the hash of
 * its decisions and that of its network, on one thread. Seconds are of that thread's processor
 * time.
 *
 *   bench-spaces [SPACE] [SAMPLES]      nas-bench-201, 1000000: the target is 2 seconds
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "space/space.h"

static double seconds_used(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "nas-bench-201";
    long n = argc > 2 ? atol(argv[2]) : 1000000;
    nas_context *context;
    nas_space *space = NULL;
    nas_random *random = NULL;
    uint64_t both = 0;
    if (nas_context_create(&context, NULL) < 0) return 1;
    nas_status status = nas_space_open(&space, context, name, NULL, 0);
    if (status >= 0) status = nas_random_create(&random, context, 1, 0, "bench");
    double start = seconds_used();
    for (long i = 0; status >= 0 && i < n; i++) {
        nas_arch *arch;
        status = nas_space_sample(space, random, &arch);
        if (status < 0) break;
        both ^= nas_arch_hash(arch) + nas_arch_network_hash(arch);
        nas_arch_free(arch);
    }
    double seconds = seconds_used() - start;
    if (status < 0)
        fprintf(stderr, "bench-spaces: %s\n", nas_context_error(context));
    else
        printf("%s: %ld samples with both hashes in %.2f s, %.2f million a second (%016" PRIx64
               "): %s\n",
               name, n, seconds, (double)n / seconds / 1e6, both,
               seconds < 2e-6 * (double)n ? "PASS" : "MISS");
    nas_random_free(random);
    nas_space_free(space);
    nas_context_free(context);
    return status < 0;
}
