/* Depthwise convolutions. Forward and input gradient run as the dense ones do (conv_run.c); a tile
 * is some pixels of one vector of channels, multiplied by all taps. Weights and row buffers go on
 * to a whole vector, so that only what is stored needs care. */
#include "conv_plan.h"

enum { PIXELS = 8, TAPS = 9 };

static int64_t padded(int64_t channels) {
    return ceil_div(channels, V_WIDTH) * V_WIDTH;
}

/* ---- forward and input gradient
 * ------------------------------------------------------------------ */

size_t NI_SIMD(depthwise_packed_bytes)(const ni_conv_plan *p) {
    return (size_t)(p->c->kh * p->c->kw * padded(p->channels)) * sizeof(float);
}

void NI_SIMD(depthwise_pack)(const ni_conv_plan *p, const float *weights, float *packed) {
    const int64_t c = p->channels, width = padded(c);
    for (int64_t tap = 0; tap < p->c->kh * p->c->kw; tap++, weights += c, packed += width) {
        memcpy(packed, weights, (size_t)c * sizeof(float));
        memset(packed + c, 0, (size_t)(width - c) * sizeof(float));
    }
}

V_INLINE void tile(const int pixels, const ni_tile_job *job, int64_t offset, float *y,
                   const float *mask) {
    const int64_t step = job->x_stride;
    vector sum[PIXELS];
    V_EACH (p, pixels)
        sum[p] = v_zero();
    for (int64_t t = 0; t < job->n_segments; t++) {
        const vector w = v_load(job->segments[t].w);
        const float *x = job->segments[t].x + offset, *x3 = x + 3 * step, *x6 = x3 + 3 * step;
        V_EACH (p, pixels)
            sum[p] = v_fma(v_load((p < 3 ? x : p < 6 ? x3 : x6) + p % 3 * step), w, sum[p]);
    }
    float sums[PIXELS * V_WIDTH] __attribute__((aligned(64)));
    const bool plain = ni_tile_is_plain(job, mask);
    float *to = plain ? y : sums;
    const int64_t stride = plain ? job->y_stride : V_WIDTH;
    V_EACH (p, pixels)
        v_store(to + p * stride, sum[p]);
    if (!plain) NI_SIMD(finish_tile)(job, sums, pixels, 1, y, mask);
}

void NI_SIMD(depthwise_columns)(const ni_conv_job *j, int64_t phase, int64_t columns, int64_t n,
                                int64_t pixel) {
    const ni_conv_plan *p = &j->p;
    const int64_t shift = j->buffered ? p->left : 0, c = p->channels, width = padded(c);
    const ni_run *runs = j->w.runs + j->w.starts[phase];
    const int64_t n_runs = j->w.starts[phase + 1] - j->w.starts[phase];
    ni_tile_job job = {.segments = j->w.segments, .n_segments = n * n_runs, .add = j->add};
    job.x_stride = p->x_step * c, job.y_stride = p->phases * c;
    ni_segment *segment = j->w.segments;
    for (int64_t s = 0; s < n; s++)
        for (int64_t i = 0; i < n_runs; i++)
            *segment++ =
                (ni_segment){j->w.sources[s].x + (runs[i].offset - shift) * c,
                             j->packed + (j->w.sources[s].ky * p->c->kw + runs[i].kx) * width, 1};
    for (int64_t k = 0; k < c; k += V_WIDTH) {
        float *y = j->out + pixel * c + k;
        const float *mask = j->mask ? j->mask + pixel * c + k : NULL;
        int64_t at = 0;
        job.lanes = least(c - k, V_WIDTH);
        if (j->fused && j->fused->mask_scale) {
            job.mask_scale = (const float *)j->fused->mask_scale + k;
            job.mask_shift = (const float *)j->fused->mask_shift + k;
        }
        for (; at + PIXELS <= columns; at += PIXELS)
            tile(PIXELS, &job, at * job.x_stride + k, y + at * job.y_stride,
                 mask ? mask + at * job.y_stride : NULL);
        for (; at + 4 <= columns; at += 4)
            tile(4, &job, at * job.x_stride + k, y + at * job.y_stride,
                 mask ? mask + at * job.y_stride : NULL);
        for (; at < columns; at++)
            tile(1, &job, at * job.x_stride + k, y + at * job.y_stride,
                 mask ? mask + at * job.y_stride : NULL);
        for (int64_t s = 0; s < job.n_segments; s++)
            j->w.segments[s].w += V_WIDTH;
    }
}

/* ---- weight gradient
 * ------------------------------------------------------------------------------ */

enum { CHUNK_PIXELS = 256 };

typedef struct {
    int64_t pixels, x_row, dy_row; /* of buffered rows */
    int64_t chunk, ring;           /* output rows of a chunk, rows of x at once */
    int64_t taps, width;
} plan;

static plan make_plan(const ni_conv *c) {
    plan p = {.taps = (int64_t)c->kh * c->kw, .width = padded(c->ci)};
    p.pixels = (c->ow - 1) * (int64_t)c->sw + (c->kw - 1) * (int64_t)c->dw + 1;
    p.x_row = ni_row_pitch(p.pixels * c->ci + V_WIDTH);
    p.dy_row = ni_row_pitch(c->ow * (int64_t)c->co + V_WIDTH);
    p.chunk = least(ceil_div(CHUNK_PIXELS, c->ow), c->oh);
    p.ring = (p.chunk - 1) * c->sh + (c->kh - 1) * (int64_t)c->dh + 1;
    p.ring = least(p.ring, c->h);
    return p;
}

typedef struct {
    int64_t *tags;      /* ring: which row of x is there */
    const float **x_at; /* chunk * kernel rows */
    const float **dy_at;
    float *zeros, *x, *dy; /* a row outside the image; ring; chunk */
    float *sums;           /* [taps][width] */
} workspace;

static workspace make_workspace(const ni_conv *c, const plan *p, ni_scratch *s) {
    workspace w;
    w.tags = ni_scratch_take(s, p->ring, sizeof(int64_t));
    w.x_at = ni_scratch_take(s, p->chunk * c->kh, sizeof(float *));
    w.dy_at = ni_scratch_take(s, p->chunk, sizeof(float *));
    w.zeros = ni_scratch_take(s, p->x_row, sizeof(float));
    w.x = ni_scratch_take(s, p->ring * p->x_row, sizeof(float));
    w.dy = ni_scratch_take(s, p->chunk * p->dy_row, sizeof(float));
    w.sums = ni_scratch_take(s, p->taps * p->width, sizeof(float));
    return w;
}

size_t NI_SIMD(depthwise_scratch_bytes)(const ni_conv *c) {
    const plan p = make_plan(c);
    ni_scratch s = {0};
    make_workspace(c, &p, &s);
    return ni_scratch_size(&s);
}

typedef struct {
    const float *const *x_at, *const *dy_at; /* [rows][kernel rows], [rows] */
    int64_t rows, kh, columns, x_stride, dy_stride;
    const int64_t *ky, *shift; /* of the taps: kernel row, elements to the right */
    int64_t channel;
} taps_job;

/* sums[tap] += the products of `taps` taps over all rows, one vector of channels */
V_INLINE void sum_taps(const int taps, const taps_job *j, float *sums, int64_t width) {
    vector sum[TAPS];
    V_EACH (t, taps)
        sum[t] = v_zero();
    for (int64_t r = 0; r < j->rows; r++) {
        const float *x[TAPS], *dy = j->dy_at[r] + j->channel, *end = dy + j->columns * j->dy_stride;
        V_EACH (t, taps)
            x[t] = j->x_at[r * j->kh + j->ky[t]] + j->shift[t] + j->channel;
        for (int64_t i = 0; dy != end; dy += j->dy_stride, i += j->x_stride) {
            const vector g = v_load(dy);
            V_EACH (t, taps)
                sum[t] = v_fma(v_load(x[t] + i), g, sum[t]);
        }
    }
    V_EACH (t, taps)
        v_store(sums + t * width, v_load(sums + t * width) + sum[t]);
}

static void sum_some_taps(int64_t taps, const taps_job *j, float *sums, int64_t width) {
    switch (taps) {
    case 9:
        sum_taps(9, j, sums, width);
        break;
    case 8:
        sum_taps(8, j, sums, width);
        break;
    case 7:
        sum_taps(7, j, sums, width);
        break;
    case 6:
        sum_taps(6, j, sums, width);
        break;
    case 5:
        sum_taps(5, j, sums, width);
        break;
    default: /* small kernels, rarely */
        for (int64_t t = 0; t < taps; t++) {
            taps_job one = *j;
            one.ky += t, one.shift += t;
            sum_taps(1, &one, sums + t * width, width);
        }
    }
}

/* Adds what the rows of w.x_at and w.dy_at give to all sums. */
static void add_rows(const ni_conv *c, const plan *p, const workspace *w, int64_t rows) {
    int64_t ky[TAPS], shift[TAPS];
    taps_job j = {w->x_at, w->dy_at, rows,  c->kh, c->ow, (int64_t)c->sw * c->ci,
                  c->co,   ky,       shift, 0};
    const int64_t groups = ceil_div(p->taps, TAPS);
    for (int64_t g = 0; g < groups; g++) {
        const int64_t first = part_start(p->taps, groups, g);
        const int64_t n = part_start(p->taps, groups, g + 1) - first;
        for (int64_t t = 0; t < n; t++)
            ky[t] = (first + t) / c->kw, shift[t] = (first + t) % c->kw * c->dw * c->ci;
        for (j.channel = 0; j.channel < c->ci; j.channel += V_WIDTH)
            sum_some_taps(n, &j, w->sums + first * p->width + j.channel, p->width);
    }
}

void NI_SIMD(depthwise_gradient)(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                                 const float *x, const float *dy, float *dw, int64_t n0, int64_t n1,
                                 void *scratch) {
    const plan p = make_plan(c);
    const ni_row_source from_x = ni_row_source_x(c, flags, x, fused);
    const ni_row_source from_dy = ni_row_source_dy(c, dy, fused);
    const bool dy_in_place = ni_row_source_plain(&from_dy) && c->co % V_WIDTH == 0;
    ni_scratch s = ni_scratch_of(scratch);
    const workspace w = make_workspace(c, &p, &s);
    memset(w.zeros, 0, (size_t)p.x_row * sizeof(float));
    memset(w.sums, 0, (size_t)(p.taps * p.width) * sizeof(float));
    for (int64_t i = 0; i < p.ring; i++)
        w.tags[i] = -1;
    for (int64_t from = n0 * c->oh, to; from < n1 * c->oh; from = to) {
        const int64_t image = from / c->oh;
        to = least(from + p.chunk, (image + 1) * c->oh);
        for (int64_t r = from; r < to; r++) {
            float *row = w.dy + (r - from) * p.dy_row;
            w.dy_at[r - from] = dy_in_place ? dy + r * c->ow * c->co : row;
            if (!dy_in_place) NI_SIMD(read_row)(&from_dy, r, 0, c->ow, row);
            for (int64_t ky = 0; ky < c->kh; ky++) {
                const int64_t at = (r - image * c->oh) * c->sh - c->ph + ky * c->dh;
                const float **x_at = &w.x_at[(r - from) * c->kh + ky];
                *x_at = w.zeros;
                if (at < 0 || at >= c->h) continue;
                const int64_t whole = image * c->h + at, slot = at % p.ring;
                float *near = w.x + slot * p.x_row;
                if (w.tags[slot] != whole)
                    NI_SIMD(read_row)(&from_x, whole, -c->pw, p.pixels, near);
                w.tags[slot] = whole;
                *x_at = near;
            }
        }
        add_rows(c, &p, &w, to - from);
    }
    for (int64_t t = 0; t < p.taps; t++)
        memcpy(dw + t * c->ci, w.sums + t * p.width, (size_t)c->ci * sizeof(float));
}
