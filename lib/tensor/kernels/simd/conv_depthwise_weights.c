/* Depthwise convolutions, weight gradient: sums over rows of the image, for some taps at once. */
#include "simd.h"

static int64_t padded(int64_t channels) {
    return ceil_div(channels, V_WIDTH) * V_WIDTH;
}

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
    int64_t column;   /* elements from one input pixel to the next */
    int64_t dilation; /* elements between the taps of a row */
    int64_t channel;
} taps_job;

/* ---- whole kernel rows: each input is loaded once and meets all taps of its row ---- */

/* Few registers: fewer kernel rows at once. */
#if defined(__AVX2__) && !defined(__AVX512F__)
enum { ROWS_OF_3 = 3, ROWS_OF_5 = 2, ROWS_OF_7 = 1 };
#else
enum { ROWS_OF_3 = 3, ROWS_OF_5 = 3, ROWS_OF_7 = 2 };
#endif
enum { ROWS_MOST = 3, TAPS_MOST = 7, BLOCK = 4 };

/* sum[row][tap] += the products of `pixels` neighbouring gradients and the inputs around them */
V_INLINE void add_block(const int pixels, const int rows, const int taps, const int dilation,
                        const int stride, const taps_job *j, const float *const *x, const float *dy,
                        vector sum[][TAPS_MOST]) {
    vector g[BLOCK];
    V_EACH (i, pixels)
        g[i] = v_load(dy + i * j->dy_stride);
    V_EACH (r, rows) {
        const float *from = x[r];
        V_EACH (q, (pixels - 1) * stride + (taps - 1) * dilation + 1) {
            const vector v = v_load(from);
            from += j->column;
            V_EACH (t, taps) {
                const int i = (q - t * dilation) / stride;
                if (q >= t * dilation && (q - t * dilation) % stride == 0 && i < pixels)
                    sum[r][t] = v_fma(v, g[i], sum[r][t]);
            }
        }
    }
}

/* sums[row][tap] += all rows' products, for `rows` kernel rows from `first`, one vector of channels
 */
V_INLINE void sum_rows(const int rows, const int taps, const int dilation, const int stride,
                       const taps_job *j, int64_t first, float *sums, int64_t width) {
    vector sum[ROWS_MOST][TAPS_MOST];
    V_EACH (r, rows) {
        V_EACH (t, taps)
            sum[r][t] = v_zero();
    }
    for (int64_t row = 0; row < j->rows; row++) {
        const float *x[ROWS_MOST], *dy = j->dy_at[row] + j->channel;
        V_EACH (r, rows)
            x[r] = j->x_at[row * j->kh + first + r] + j->channel;
        int64_t left = j->columns;
        for (; left >= BLOCK; left -= BLOCK) {
            add_block(BLOCK, rows, taps, dilation, stride, j, x, dy, sum);
            dy += BLOCK * j->dy_stride;
            V_EACH (r, rows)
                x[r] += BLOCK * j->x_stride;
        }
        if (left == 3) add_block(3, rows, taps, dilation, stride, j, x, dy, sum);
        if (left == 2) add_block(2, rows, taps, dilation, stride, j, x, dy, sum);
        if (left == 1) add_block(1, rows, taps, dilation, stride, j, x, dy, sum);
    }
    V_EACH (r, rows) {
        V_EACH (t, taps) {
            float *to = sums + ((first + r) * taps + t) * width;
            v_store(to, v_load(to) + sum[r][t]);
        }
    }
}

typedef void (*rows_function)(const taps_job *j, int64_t first, float *sums, int64_t width);
#define ROWS(rows, taps, dilation, stride)                                                         \
    static void rows_##rows##_##taps##_##dilation##_##stride(const taps_job *j, int64_t first,     \
                                                             float *sums, int64_t width) {         \
        sum_rows(rows, taps, dilation, stride, j, first, sums, width);                             \
    }
#define NAME(rows, taps, dilation, stride) rows_##rows##_##taps##_##dilation##_##stride,
/* clang-format off */
#define ALL_3(X, dilation, stride) X(1, 3, dilation, stride) X(2, 3, dilation, stride) X(3, 3, dilation, stride)
#if defined(__AVX2__) && !defined(__AVX512F__)
#define ALL_5(X, dilation, stride) X(1, 5, dilation, stride) X(2, 5, dilation, stride)
#define ALL_7(X, dilation, stride) X(1, 7, dilation, stride)
#else
#define ALL_5(X, dilation, stride) X(1, 5, dilation, stride) X(2, 5, dilation, stride) X(3, 5, dilation, stride)
#define ALL_7(X, dilation, stride) X(1, 7, dilation, stride) X(2, 7, dilation, stride)
#endif
ALL_3(ROWS, 1, 1) ALL_5(ROWS, 1, 1) ALL_7(ROWS, 1, 1)
ALL_3(ROWS, 2, 1) ALL_5(ROWS, 2, 1)
ALL_3(ROWS, 1, 2) ALL_5(ROWS, 1, 2)
/* plain, dilated by 2, stride 2; 3, 5 and 7 taps */
static const rows_function rows_functions[3][3][ROWS_MOST] = {
    {{ALL_3(NAME, 1, 1)}, {ALL_5(NAME, 1, 1)}, {ALL_7(NAME, 1, 1)}},
    {{ALL_3(NAME, 2, 1)}, {ALL_5(NAME, 2, 1)}, {NULL}},
    {{ALL_3(NAME, 1, 2)}, {ALL_5(NAME, 1, 2)}, {NULL}}};
/* clang-format on */
static const int8_t rows_most[3] = {ROWS_OF_3, ROWS_OF_5, ROWS_OF_7};

/* ---- tap by tap, for the others ---- */

static void sum_tap(const taps_job *j, int64_t ky, int64_t shift, float *sums) {
    vector sum = v_zero();
    for (int64_t r = 0; r < j->rows; r++) {
        const float *x = j->x_at[r * j->kh + ky] + shift + j->channel;
        const float *dy = j->dy_at[r] + j->channel, *end = dy + j->columns * j->dy_stride;
        for (; dy != end; dy += j->dy_stride, x += j->x_stride)
            sum = v_fma(v_load(x), v_load(dy), sum);
    }
    v_store(sums, v_load(sums) + sum);
}

/* sums[tap] += the products of `taps` taps of a kernel row over all rows, one vector of channels */
V_INLINE void sum_taps(const int taps, const taps_job *j, int64_t ky, int64_t first, float *sums,
                       int64_t width) {
    vector sum[TAPS_MOST];
    V_EACH (t, taps)
        sum[t] = v_zero();
    for (int64_t r = 0; r < j->rows; r++) {
        const float *x[TAPS_MOST], *dy = j->dy_at[r] + j->channel,
                                   *end = dy + j->columns * j->dy_stride;
        V_EACH (t, taps)
            x[t] = j->x_at[r * j->kh + ky] + (first + t) * j->dilation + j->channel;
        for (int64_t i = 0; dy != end; dy += j->dy_stride, i += j->x_stride) {
            const vector g = v_load(dy);
            V_EACH (t, taps)
                sum[t] = v_fma(v_load(x[t] + i), g, sum[t]);
        }
    }
    V_EACH (t, taps)
        v_store(sums + t * width, v_load(sums + t * width) + sum[t]);
}

static void sum_row_of_taps(const taps_job *j, int64_t kw, int64_t ky, float *sums, int64_t width) {
    int64_t t = 0;
    if (kw == 7) sum_taps(7, j, ky, 0, sums, width), t = 7;
    for (; t + 5 <= kw; t += 5)
        sum_taps(5, j, ky, t, sums + t * width, width);
    for (; t + 3 <= kw; t += 3)
        sum_taps(3, j, ky, t, sums + t * width, width);
    for (; t < kw; t++)
        sum_tap(j, ky, t * j->dilation, sums + t * width);
}

/* Adds what the rows of w.x_at and w.dy_at give to all sums. */
static void add_rows(const ni_conv *c, const plan *p, const workspace *w, int64_t rows) {
    taps_job j = {w->x_at, w->dy_at, rows,
                  c->kh,   c->ow,    (int64_t)c->sw * c->ci,
                  c->co,   c->ci,    (int64_t)c->dw * c->ci,
                  0};
    const bool odd = c->kw == 3 || c->kw == 5 || c->kw == 7;
    const rows_function *functions = NULL;
    int64_t most_rows = 1;
    int which = -1;
    if (c->sw == 1 && (c->dw == 1 || c->dw == 2)) which = c->dw - 1;
    if (c->sw == 2 && c->dw == 1) which = 2;
    if (odd && which >= 0) {
        functions = rows_functions[which][(c->kw - 3) / 2];
        most_rows = rows_most[(c->kw - 3) / 2];
        if (!functions[0]) functions = NULL;
    }
    const int64_t groups = ceil_div(c->kh, most_rows);
    for (j.channel = 0; j.channel < c->ci; j.channel += V_WIDTH) {
        float *sums = w->sums + j.channel;
        for (int64_t g = 0; functions && g < groups; g++) {
            const int64_t first = part_start(c->kh, groups, g);
            functions[part_start(c->kh, groups, g + 1) - first - 1](&j, first, sums, p->width);
        }
        for (int64_t ky = 0; !functions && ky < c->kh; ky++)
            sum_row_of_taps(&j, c->kw, ky, sums + ky * c->kw * p->width, p->width);
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
                const int64_t whole = image * c->h + at, slot = short_rest(at, p.ring);
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
