/* The table of the instruction set that this file is compiled for: what the vector kernels do
 * better replaces what is in it. */
#include "conv_plan.h"

static bool is_depthwise(const ni_conv *c) {
    return c->groups > 1 && c->ci == c->groups && c->co == c->groups;
}

static size_t conv_packed_bytes(const ni_conv *c, int what) {
    const ni_conv_plan p = NI_SIMD(conv_plan)(c, what == 1);
    return p.depthwise ? NI_SIMD(depthwise_packed_bytes)(&p) : NI_SIMD(dense_packed_bytes)(&p);
}

static void conv_pack(const ni_conv *c, int what, const void *weights, void *packed) {
    const ni_conv_plan p = NI_SIMD(conv_plan)(c, what == 1);
    if (p.depthwise)
        NI_SIMD(depthwise_pack)(&p, weights, packed);
    else
        NI_SIMD(dense_pack)(&p, weights, packed);
}

/* The weight gradient of groups that are neither one nor depthwise is left to the generic kernels.
 */
static ni_kernels generic(void) {
    ni_kernels table;
    ni_kernels_generic_f32(&table);
    return table;
}

static size_t conv_scratch_bytes(const ni_conv *c, int what) {
    if ((what & 3) < 2) {
        const ni_conv_plan p = NI_SIMD(conv_plan)(c, (what & 3) == 1);
        return NI_SIMD(conv_plan_scratch)(&p);
    }
    if (is_depthwise(c)) return NI_SIMD(depthwise_scratch_bytes)(c);
    return c->groups == 1 ? NI_SIMD(weights_scratch_bytes)(c)
                          : generic().conv_scratch_bytes(c, what);
}

static void conv_forward_fused(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                               const void *x, const void *packed, void *y, int64_t r0, int64_t r1,
                               void *scratch) {
    ni_conv_job j = {.p = NI_SIMD(conv_plan)(c, false), .fused = fused, .packed = packed, .out = y};
    j.from = ni_row_source_x(c, flags, x, fused);
    j.add = (flags & NI_CONV_ADD_OUT) != 0;
    j.make_columns = j.p.depthwise ? NI_SIMD(depthwise_columns) : NI_SIMD(dense_columns);
    NI_SIMD(conv_run)(&j, r0, r1, scratch);
}

static void conv_input_gradient_fused(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                                      const void *dy, const void *packed, void *dx,
                                      const void *mask, int64_t r0, int64_t r1, void *scratch) {
    ni_conv_job j = {.p = NI_SIMD(conv_plan)(c, true), .fused = fused, .packed = packed, .out = dx};
    j.from = ni_row_source_dy(c, dy, fused);
    j.add = (flags & NI_CONV_ADD_OUT) != 0;
    j.mask = flags & NI_CONV_MASK_OUT ? mask : NULL;
    j.make_columns = j.p.depthwise ? NI_SIMD(depthwise_columns) : NI_SIMD(dense_columns);
    NI_SIMD(conv_run)(&j, r0, r1, scratch);
}

static void conv_weight_gradient_fused(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                                       const void *x, const void *dy, void *dw, int64_t n0,
                                       int64_t n1, void *scratch) {
    if (is_depthwise(c))
        NI_SIMD(depthwise_gradient)(c, flags, fused, x, dy, dw, n0, n1, scratch);
    else if (c->groups == 1)
        NI_SIMD(weights_gradient)(c, flags, fused, x, dy, dw, n0, n1, scratch);
    else if (fused)
        generic().conv_weight_gradient_fused(c, flags, fused, x, dy, dw, n0, n1, scratch);
    else
        generic().conv_weight_gradient(c, flags, x, dy, dw, n0, n1, scratch);
}

static void conv_forward(const ni_conv *c, uint32_t flags, const void *x, const void *packed,
                         void *y, int64_t r0, int64_t r1, void *scratch) {
    conv_forward_fused(c, flags, NULL, x, packed, y, r0, r1, scratch);
}

static void conv_input_gradient(const ni_conv *c, uint32_t flags, const void *dy,
                                const void *packed, void *dx, const void *mask, int64_t r0,
                                int64_t r1, void *scratch) {
    conv_input_gradient_fused(c, flags, NULL, dy, packed, dx, mask, r0, r1, scratch);
}

static void conv_weight_gradient(const ni_conv *c, uint32_t flags, const void *x, const void *dy,
                                 void *dw, int64_t n0, int64_t n1, void *scratch) {
    conv_weight_gradient_fused(c, flags, NULL, x, dy, dw, n0, n1, scratch);
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
    table->conv_forward_fused = conv_forward_fused;
    table->conv_input_gradient_fused = conv_input_gradient_fused;
    table->conv_weight_gradient_fused = conv_weight_gradient_fused;
    NI_SIMD(norm_kernels)(table);
    NI_SIMD(elementwise_kernels)(table);
    NI_SIMD(pool_kernels)(table);
    NI_SIMD(layer_norm_kernels)(table);
}
