/* Which of two ways a convolution or a matrix product goes: own tiles, or BLIS. A fixed model: the
 * shape of one image and the instruction set decide, never the batch, the threads, or anything else
 * about a machine, so that the bits of a result are those of every machine with that instruction
 * set. A table that was measured (lib/graph/tuning.c) may say otherwise, in its caller's hands.
 *
 * The constants were read from bench-choice on an AMD EPYC (AVX2, 512 KiB of cache a core);
 * docs/engine.md has the figures. Forward and input gradient: own tiles are the quicker, 1.1 to 4
 * times. Weight gradient: own tiles sum into a matrix as large as the weights; once that outgrows
 * the core's cache, BLIS gains, up to half. What has larger kernels than 1x1 pays for laying out
 * the matrix first, and 3x3 ones forgo Winograd's algorithm: they cross over later. AVX-512 and
 * NEON were not measured: own tiles. */
#include "tensor.h"
#include "ni_config.h"

enum {
    WIDE_POINTWISE = 1 << 17, /* weights of a 1x1 convolution from which on BLIS sums them */
    WIDE = 1 << 20            /* and of a larger one */
};

ni_way ni_choose_conv(const ni_conv *c, int what, int32_t isa) {
    const int64_t taps = (int64_t)c->kh * c->kw, weights = taps * c->ci * c->co;
    if (!NI_WITH_BLIS || isa != NAS_ISA_AVX2 || what != 2 || !ni_conv_fits_gemm(c, what))
        return NI_OWN;
    return weights >= (taps == 1 ? WIDE_POINTWISE : WIDE) ? NI_BLIS : NI_OWN;
}

/* Linear layers are a thousandth of a training's work: BLIS, whatever the shape. The generic set
 * computes the same bits on every machine, by its own product. */
ni_way ni_choose_matmul(int32_t isa) {
    return NI_WITH_BLIS && isa != NAS_ISA_GENERIC ? NI_BLIS : NI_OWN;
}
