/* How fast architectures are drawn and hashed: samples of each preset, with the hash of their
 * decisions and that of their network, on one thread. Seconds are of that thread's processor time.
 *
 *   bench-spaces [SPACE|all] [SAMPLES]      all, 1000000: the target is 2 seconds a million
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "space/space.h"

static double seconds_used(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static nas_status measure(nas_context *context, const char *name, long n) {
    nas_space *space = NULL;
    nas_random *random = NULL;
    uint64_t both = 0;
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
        printf("%-16s %8.2f s for %ld samples with both hashes, %5.2f us each (%016" PRIx64
               "): %s\n",
               name, seconds, n, 1e6 * seconds / (double)n, both,
               seconds < 2e-6 * (double)n ? "PASS" : "MISS");
    fflush(stdout);
    nas_random_free(random);
    nas_space_free(space);
    return status;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "all";
    long n = argc > 2 ? atol(argv[2]) : 1000000;
    nas_context *context;
    nas_status status = NAS_OK;
    if (n < 1 || nas_context_create(&context, NULL) < 0) return 1;
    if (strcmp(name, "all") != 0)
        status = measure(context, name, n);
    else
        for (uint32_t i = 0; status >= 0 && nas_space_preset_name(i); i++)
            status = measure(context, nas_space_preset_name(i), n);
    nas_context_free(context);
    return status < 0;
}
