/* One training step of an architecture of a space: see step.h.
 *
 *   bench-step THREADS ISA BATCH SPACE ARCH [PARAMETER=VALUE ...] [logits]
 *   (logits: of BATCH images, no training; ISA: best, avx2, ...; SPACE: a preset or a file)
 */
#include "space/space.h"
#include "step.h"

int main(int argc, char **argv) {
    if (argc < 6) {
        fprintf(stderr, "usage: bench-step THREADS ISA BATCH SPACE ARCH [PARAMETER=VALUE ...]\n");
        return 2;
    }
    const bool logits = strcmp(argv[argc - 1], "logits") == 0;
    nas_context *context = bench_context(argv[1], argv[2]);
    nas_space *space;
    nas_arch *arch;
    ni_net net;
    ni_arch_net build;
    check(context, nas_space_open(&space, context, argv[4], (const char *const *)argv + 6,
                                  (size_t)(argc - 6 - logits)));
    check(context, nas_arch_parse(&arch, space, argv[5]));
    check(context, ni_arch_network(&net, &build, arch, 0));
    if (logits)
        bench_logits(context, &net, atoi(argv[3]));
    else
        bench_steps(context, &net, atoi(argv[3]));
    nas_arch_free(arch);
    nas_space_free(space);
    nas_context_free(context);
    return 0;
}
