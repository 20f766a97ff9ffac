/* Forward and input gradient of a convolution: which rows and columns meet which weights.
 *
 * Both are one computation. An output row is made from some source rows (forward: of x; gradient:
 * of dy); its columns fall in phases, those of equal remainder by the stride (forward: one phase),
 * and all columns of a phase use the same taps: column j of the phase uses source columns j *
 * x_step + offset(tap). Neighbouring taps at neighbouring columns join in one run. */
#ifndef NI_CONV_PLAN_H
#define NI_CONV_PLAN_H
#include "simd.h"

typedef struct {
    int64_t offset; /* source column of the first tap, for column 0 */
    int64_t taps;
    int64_t first; /* taps of all kernel rows of earlier phases, then of this row's earlier runs */
    int64_t kx;    /* of the first tap */
} ni_run;

typedef struct {
    const ni_conv *c;
    bool gradient, depthwise, winograd, pointwise;
    bool in_place;               /* source rows need no zeros around them */
    int64_t h, w, channels;      /* source */
    int64_t out_h, out_w, out_c; /* output */
    int64_t depth;               /* source channels that an output channel is made from */
    int64_t phases, x_step;
    int64_t left, pixels;    /* of a buffered row */
    int64_t pairs, plane;    /* Winograd */
    int64_t row, ring;       /* elements of a buffered row; number of them */
    int64_t vectors, blocks; /* of a group's output channels; blocks of them (dense) */
    const int8_t *tile_pixels;
} ni_conv_plan;

enum { POINTWISE_PIXELS = 96, FAR_PIECES = 8 };

typedef struct {
    const float *x;
    int64_t ky;
} ni_source_row;

typedef struct {
    ni_segment *segments;   /* kh * kw */
    ni_source_row *sources; /* kh */
    ni_run *runs;           /* kw */
    int64_t *starts;        /* phases + 1 */
    int64_t *tags;          /* ring: which row is there */
    float *rows;            /* ring * row */
} ni_conv_workspace;

/* What stays the same for all rows of a call. */
typedef struct ni_conv_job {
    ni_conv_plan p;
    ni_conv_workspace w;
    ni_row_source from;
    bool buffered;
    const float *packed, *mask;
    const ni_conv_fused *fused;
    bool add;
    float *out;
    /* Makes `columns` output pixels of a phase from w.sources[0 .. n-1]; the first is number
     * `pixel` of all. */
    void (*make_columns)(const struct ni_conv_job *j, int64_t phase, int64_t columns, int64_t n,
                         int64_t pixel);
} ni_conv_job;

/* Tap number i of a kernel row, in the order of source columns. */
static inline int64_t ni_tap_at(const ni_conv_plan *p, int64_t i) {
    return p->gradient ? p->c->kw - 1 - i : i;
}

/* Whether columns of the phase use the tap, and where. */
static inline bool ni_tap_offset(const ni_conv_plan *p, int64_t phase, int64_t tap,
                                 int64_t *offset) {
    const ni_conv *c = p->c;
    const int64_t at = p->gradient ? phase + c->pw - tap * c->dw : tap * c->dw - c->pw;
    if (p->gradient && at % c->sw) return false;
    *offset = p->gradient ? at / c->sw : at;
    return true;
}

static inline int64_t ni_phase_columns(const ni_conv_plan *p, int64_t phase) {
    if (p->phases == 1) return p->out_w;
    return ceil_div(most(p->out_w - phase, 0), p->phases);
}

ni_conv_plan NI_SIMD(conv_plan)(const ni_conv *c, bool gradient);
size_t NI_SIMD(conv_plan_scratch)(const ni_conv_plan *p);
/* Output rows r0 .. r1. Everything in j but w is given. */
void NI_SIMD(conv_run)(ni_conv_job *j, int64_t r0, int64_t r1, void *scratch);

void NI_SIMD(dense_columns)(const ni_conv_job *j, int64_t phase, int64_t columns, int64_t n,
                            int64_t pixel);
size_t NI_SIMD(dense_packed_bytes)(const ni_conv_plan *p);
void NI_SIMD(dense_pack)(const ni_conv_plan *p, const float *weights, float *packed);
size_t NI_SIMD(depthwise_packed_bytes)(const ni_conv_plan *p);
void NI_SIMD(depthwise_pack)(const ni_conv_plan *p, const float *weights, float *packed);
void NI_SIMD(depthwise_columns)(const ni_conv_job *j, int64_t phase, int64_t columns, int64_t n,
                                int64_t pixel);

#endif
