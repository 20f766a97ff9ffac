/* Depthwise convolutions, forward and input gradient: they run as the dense ones do (conv_run.c); a
 * tile is some pixels of one vector of channels, multiplied by all taps. Weights and row buffers go
 * on to a whole vector, so that only what is stored needs care. */
#include "conv_plan.h"

enum { PIXELS = 8, ROW_TAPS = 7 };

static int64_t padded(int64_t channels) {
    return ceil_div(channels, V_WIDTH) * V_WIDTH;
}

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

/* Some tiles of one output row. */
typedef struct {
    ni_tile_job tile; /* lanes and masks: see at_channel */
    const ni_source_row *sources;
    const float *packed;
    int64_t n_sources, channels;
    int64_t column;                  /* elements from one input pixel to the next */
    int64_t row_weights, width;      /* between kernel rows, between taps */
    int64_t first, taps_x[ROW_TAPS]; /* elements to the first tap; kernel column of each tap */
} row_job;

/* Stores sums in registers, each pixel as the job says; whole vectors only. */
V_INLINE void store_pixels(const int pixels, const ni_tile_job *job, int64_t k, const vector *sum,
                           float *y, const float *mask) {
    const int64_t stride = job->y_stride; /* once: a vector may be stored to anything, says C */
    const bool add = job->add;
    if (mask) {
        const bool scaled = job->mask_scale != NULL;
        const vector scale = scaled ? v_load(job->mask_scale + k) : v_zero();
        const vector shift = scaled ? v_load(job->mask_shift + k) : v_zero();
        const vector high = v_set(scaled ? job->mask_high : INFINITY);
        V_EACH (p, pixels) {
            const vector m = v_load(mask + p * stride);
            vector v;
            if (scaled)
                v = v_inside(v_fma(m, scale, shift), high, sum[p]);
            else
                v = v_positive(m, sum[p]);
            float *to = y + p * stride;
            if (add)
                v_store(to, v + v_load(to));
            else
                v_store(to, v);
        }
    } else if (add) {
        V_EACH (p, pixels)
            v_store(y + p * stride, sum[p] + v_load(y + p * stride));
    } else {
        V_EACH (p, pixels)
            v_store(y + p * stride, sum[p]);
    }
}

/* Of the vector of channels from k on; y and mask are there already. */
V_INLINE void finish_pixels(const int pixels, const ni_tile_job *job, int64_t k, int64_t channels,
                            const vector *sum, float *y, const float *mask) {
    if (channels - k >= V_WIDTH) {
        store_pixels(pixels, job, k, sum, y, mask);
        return;
    }
    ni_tile_job part = *job;
    part.lanes = channels - k;
    if (part.mask_scale) part.mask_scale += k, part.mask_shift += k;
    float sums[PIXELS * V_WIDTH] __attribute__((aligned(64)));
    V_EACH (p, pixels)
        v_store(sums + p * V_WIDTH, sum[p]);
    NI_SIMD(finish_tile)(&part, sums, pixels, 1, y, mask);
}

/* ---- whole kernel rows: each input is loaded once and meets all taps of its row. ---- */

/* All channels of `count` tiles, one behind the other, the first at column `at`. */
V_INLINE void row_tile(const int pixels, const int taps, const int dilation, const int stride,
                       const row_job *j, int64_t at, int64_t count, float *y, const float *mask) {
    const int64_t column = j->column, next = pixels * j->tile.y_stride, c = j->channels;
    int64_t offset = j->first + at * j->tile.x_stride, tap[ROW_TAPS];
    V_EACH (t, taps)
        tap[t] = j->taps_x[t] * j->width;
    y += at * j->tile.y_stride;
    if (mask) mask += at * j->tile.y_stride;
    for (; count > 0; count--) {
        for (int64_t k = 0; k < c; k += V_WIDTH) {
            vector sum[PIXELS];
            V_EACH (p, pixels)
                sum[p] = v_zero();
            for (int64_t s = 0; s < j->n_sources; s++) {
                const float *x = j->sources[s].x + offset + k;
                const float *row = j->packed + j->sources[s].ky * j->row_weights + k;
                vector w[ROW_TAPS];
                V_EACH (t, taps)
                    w[t] = v_load(row + tap[t]);
                V_EACH (q, (pixels - 1) * stride + (taps - 1) * dilation + 1) {
                    const vector v = v_load(x);
                    x += column;
                    V_EACH (t, taps) {
                        const int p = (q - t * dilation) / stride;
                        if (q >= t * dilation && (q - t * dilation) % stride == 0 && p < pixels)
                            sum[p] = v_fma(v, w[t], sum[p]);
                    }
                }
            }
            finish_pixels(pixels, &j->tile, k, c, sum, y + k, mask ? mask + k : NULL);
        }
        offset += pixels * j->tile.x_stride;
        y += next;
        if (mask) mask += next;
    }
}

typedef void (*row_tile_function)(const row_job *j, int64_t at, int64_t count, float *y,
                                  const float *mask);
#define ROW_TILE(pixels, taps, dilation, stride)                                                   \
    static void row_tile_##pixels##_##taps##_##dilation##_##stride(                                \
        const row_job *j, int64_t at, int64_t count, float *y, const float *mask) {                \
        row_tile(pixels, taps, dilation, stride, j, at, count, y, mask);                           \
    }
#define ROW_NAME(pixels, taps, dilation, stride) row_tile_##pixels##_##taps##_##dilation##_##stride,
/* clang-format off */
#define ROW_TILES(X, taps, dilation, stride)                                                       \
    X(1, taps, dilation, stride) X(2, taps, dilation, stride) X(3, taps, dilation, stride)         \
    X(4, taps, dilation, stride) X(5, taps, dilation, stride) X(6, taps, dilation, stride)         \
    X(7, taps, dilation, stride) X(8, taps, dilation, stride)
ROW_TILES(ROW_TILE, 1, 1, 1) ROW_TILES(ROW_TILE, 2, 1, 1) ROW_TILES(ROW_TILE, 3, 1, 1)
ROW_TILES(ROW_TILE, 4, 1, 1) ROW_TILES(ROW_TILE, 5, 1, 1) ROW_TILES(ROW_TILE, 7, 1, 1)
ROW_TILES(ROW_TILE, 3, 2, 1) ROW_TILES(ROW_TILE, 5, 2, 1)
ROW_TILES(ROW_TILE, 3, 1, 2) ROW_TILES(ROW_TILE, 5, 1, 2)
/* Of so many taps: next to each other, dilated by 2, stride 2. */
static const row_tile_function row_tiles[3][ROW_TAPS + 1][PIXELS] = {
    {{NULL},
     {ROW_TILES(ROW_NAME, 1, 1, 1)}, {ROW_TILES(ROW_NAME, 2, 1, 1)}, {ROW_TILES(ROW_NAME, 3, 1, 1)},
     {ROW_TILES(ROW_NAME, 4, 1, 1)}, {ROW_TILES(ROW_NAME, 5, 1, 1)}, {NULL},
     {ROW_TILES(ROW_NAME, 7, 1, 1)}},
    {{NULL}, {NULL}, {NULL}, {ROW_TILES(ROW_NAME, 3, 2, 1)}, {NULL}, {ROW_TILES(ROW_NAME, 5, 2, 1)},
     {NULL}, {NULL}},
    {{NULL}, {NULL}, {NULL}, {ROW_TILES(ROW_NAME, 3, 1, 2)}, {NULL}, {ROW_TILES(ROW_NAME, 5, 1, 2)},
     {NULL}, {NULL}},
};
/* clang-format on */

/* The tiles for the taps of a phase, which are equally far apart; NULL: there are none. Where a
 * gradient has phases, each has some of the kernel's columns, next to each other in the source. */
static const row_tile_function *find_row_tiles(const ni_conv_plan *p, const ni_run *runs,
                                               int64_t taps) {
    if (taps < 1 || taps > ROW_TAPS) return NULL;
    const int64_t apart = taps > 1 ? runs[1].offset - runs[0].offset : 1;
    const row_tile_function *tiles;
    if (p->x_step == 1 && apart <= 2)
        tiles = row_tiles[apart - 1][taps];
    else if (p->x_step == 2 && apart == 1)
        tiles = row_tiles[2][taps];
    else
        return NULL;
    return tiles[0] ? tiles : NULL;
}

/* ---- tap by tap, for the others ---- */

V_INLINE void tap_tile(const int pixels, const row_job *j, int64_t at, int64_t k, float *y,
                       const float *mask) {
    const ni_tile_job *job = &j->tile;
    const int64_t step = job->x_stride, offset = at * step + k, to = at * job->y_stride + k;
    vector sum[PIXELS];
    V_EACH (p, pixels)
        sum[p] = v_zero();
    for (int64_t t = 0; t < job->n_segments; t++) {
        const vector w = v_load(job->segments[t].w + k);
        const float *x = job->segments[t].x + offset, *x3 = x + 3 * step, *x6 = x3 + 3 * step;
        V_EACH (p, pixels)
            sum[p] = v_fma(v_load((p < 3 ? x : p < 6 ? x3 : x6) + p % 3 * step), w, sum[p]);
    }
    finish_pixels(pixels, job, k, j->channels, sum, y + to, mask ? mask + to : NULL);
}

typedef void (*tap_tile_function)(const row_job *j, int64_t at, int64_t k, float *y,
                                  const float *mask);
#define TAP_TILE(pixels)                                                                           \
    static void tap_tile_##pixels(const row_job *j, int64_t at, int64_t k, float *y,               \
                                  const float *mask) {                                             \
        tap_tile(pixels, j, at, k, y, mask);                                                       \
    }
/* clang-format off */
TAP_TILE(1) TAP_TILE(2) TAP_TILE(3) TAP_TILE(4) TAP_TILE(5) TAP_TILE(6) TAP_TILE(7) TAP_TILE(8)
static const tap_tile_function tap_tiles[PIXELS] = {
    tap_tile_1, tap_tile_2, tap_tile_3, tap_tile_4, tap_tile_5, tap_tile_6, tap_tile_7, tap_tile_8};
/* clang-format on */

static void columns_by_rows(const row_job *job, const row_tile_function *tiles, int64_t columns,
                            float *y, const float *mask) {
    const int64_t n = ceil_div(columns, PIXELS), each = short_quotient(columns, n);
    const int64_t longer = columns - n * each;
    if (longer) tiles[each](job, 0, longer, y, mask);
    tiles[each - 1](job, longer * (each + 1), n - longer, y, mask);
}

static void columns_by_taps(const ni_conv_job *j, const row_job *job, const ni_run *runs,
                            int64_t n_runs, int64_t columns, float *y, const float *mask) {
    const ni_conv_plan *p = &j->p;
    const int64_t shift = j->buffered ? p->left : 0, c = p->channels;
    const int64_t n = ceil_div(columns, PIXELS);
    ni_segment *segment = j->w.segments;
    for (int64_t s = 0; s < job->n_sources; s++)
        for (int64_t i = 0; i < n_runs; i++)
            *segment++ = (ni_segment){
                job->sources[s].x + (runs[i].offset - shift) * c,
                job->packed + job->sources[s].ky * job->row_weights + runs[i].kx * job->width, 1};
    for (int64_t k = 0; k < c; k += V_WIDTH)
        for (int64_t t = 0; t < n; t++) {
            const int64_t at = part_start(columns, n, t), size = part_start(columns, n, t + 1) - at;
            tap_tiles[size - 1](job, at, k, y, mask);
        }
}

void NI_SIMD(depthwise_columns)(const ni_conv_job *j, int64_t phase, int64_t columns, int64_t n,
                                int64_t pixel) {
    const ni_conv_plan *p = &j->p;
    const int64_t c = p->channels, width = padded(c), to = pixel * c;
    const ni_run *runs = j->w.runs + j->w.starts[phase];
    const int64_t n_runs = j->w.starts[phase + 1] - j->w.starts[phase];
    const row_tile_function *tiles = find_row_tiles(p, runs, n_runs);
    const float *mask = j->mask ? j->mask + to : NULL;
    row_job job;
    if (columns == 0) return;
    job.tile.segments = j->w.segments;
    job.tile.n_segments = n * n_runs;
    job.tile.x_stride = p->x_step * c;
    job.tile.y_stride = p->phases * c;
    job.tile.lanes = V_WIDTH;
    job.tile.add = j->add;
    job.tile.mask_scale = NULL;
    ni_tile_mask(&job.tile, j->fused, 0);
    job.sources = j->w.sources;
    job.packed = j->packed;
    job.n_sources = n;
    job.channels = c;
    job.column = c;
    job.row_weights = p->c->kw * width;
    job.width = width;
    if (tiles) {
        job.first = (runs[0].offset - (j->buffered ? p->left : 0)) * c;
        for (int64_t t = 0; t < n_runs; t++)
            job.taps_x[t] = runs[t].kx;
        columns_by_rows(&job, tiles, columns, j->out + to, mask);
    } else {
        columns_by_taps(j, &job, runs, n_runs, columns, j->out + to, mask);
    }
}
