/* The table of the instruction set that this file is compiled for: what the vector kernels do
 * better replaces what is in it. */
#include "simd.h"

static bool is_dense(const ni_conv *c) {
    return c->groups == 1;
}

/* What no vector kernel serves goes to the generic one. */
static ni_kernels generic(void) {
    ni_kernels table;
    ni_kernels_generic_f32(&table);
    return table;
}

static size_t conv_packed_bytes(const ni_conv *c, int what) {
    if (is_dense(c)) return NI_SIMD(dense_packed_bytes)(c, what);
    return generic().conv_packed_bytes(c, what);
}

static void conv_pack(const ni_conv *c, int what, const void *weights, void *packed) {
    if (is_dense(c))
        NI_SIMD(dense_pack)(c, what, weights, packed);
    else
        generic().conv_pack(c, what, weights, packed);
}

static size_t conv_scratch_bytes(const ni_conv *c, int what) {
    if (!is_dense(c)) return generic().conv_scratch_bytes(c, what);
    return what == 2 ? NI_SIMD(weights_scratch_bytes)(c) : NI_SIMD(dense_scratch_bytes)(c, what);
}

static void conv_forward(const ni_conv *c, uint32_t flags, const void *x, const void *packed,
                         void *y, int64_t r0, int64_t r1, void *scratch) {
    if (is_dense(c))
        NI_SIMD(dense_forward)(c, flags, NULL, x, packed, y, r0, r1, scratch);
    else
        generic().conv_forward(c, flags, x, packed, y, r0, r1, scratch);
}

static void conv_input_gradient(const ni_conv *c, uint32_t flags, const void *dy,
                                const void *packed, void *dx, const void *mask, int64_t r0,
                                int64_t r1, void *scratch) {
    if (is_dense(c))
        NI_SIMD(dense_input_gradient)(c, flags, NULL, dy, packed, dx, mask, r0, r1, scratch);
    else
        generic().conv_input_gradient(c, flags, dy, packed, dx, mask, r0, r1, scratch);
}

static void conv_weight_gradient(const ni_conv *c, uint32_t flags, const void *x, const void *dy,
                                 void *dw, int64_t n0, int64_t n1, void *scratch) {
    if (is_dense(c))
        NI_SIMD(weights_gradient)(c, flags, NULL, x, dy, dw, n0, n1, scratch);
    else
        generic().conv_weight_gradient(c, flags, x, dy, dw, n0, n1, scratch);
}

void NI_SIMD(kernels)(ni_kernels *table) {
    table->name = "f32-" NI_SIMD_TEXT(NI_SIMD_SET);
    table->isa = V_ISA;
    table->conv_packed_bytes = conv_packed_bytes;
    table->conv_pack = conv_pack;
    table->conv_scratch_bytes = conv_scratch_bytes;
    table->conv_forward = conv_forward;
    table->conv_input_gradient = conv_input_gradient;
    table->conv_weight_gradient = conv_weight_gradient;
}
