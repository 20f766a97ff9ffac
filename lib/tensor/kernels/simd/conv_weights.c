/* Dense convolutions, weight gradient.
 *
 * For each kernel row and product (a plane of Winograd's transform; without it all taps of the row
 * at once, whose inputs are neighbours, or one tap when dilated) a matrix [inputs][output channels]
 * is summed over pixels, in tiles that live in registers for a chunk of rows. Every chunk starts
 * from zero, and is then added: long sums lose little that way. */
#include "simd.h"

typedef struct {
    const float *x, *dy;
} row_pair;

/* sums[inputs][stride] += what n rows of `count` pixels give */
typedef void (*weights_tile)(const row_pair *rows, int64_t n, int64_t count, int64_t x_stride,
                             int64_t dy_stride, float *sums, int64_t stride);

V_INLINE void sum_tile(const int inputs, const int vectors, const row_pair *rows, int64_t n,
                       int64_t count, int64_t x_stride, int64_t dy_stride, float *sums,
                       int64_t stride) {
    vector sum[TILE_PIXELS][TILE_VECTORS];
    V_UNROLL
    for (int i = 0; i < inputs; i++)
        V_UNROLL
    for (int j = 0; j < vectors; j++)
        sum[i][j] = v_zero();
    for (int64_t r = 0; r < n; r++) {
        const float *x = rows[r].x, *dy = rows[r].dy, *end = x + count * x_stride;
        for (; x != end; x += x_stride, dy += dy_stride) {
            vector b[TILE_VECTORS];
            V_UNROLL
            for (int j = 0; j < vectors; j++)
                b[j] = v_load(dy + j * V_WIDTH);
            V_UNROLL
            for (int i = 0; i < inputs; i++) {
                vector a = v_set(x[i]);
                V_UNROLL
                for (int j = 0; j < vectors; j++)
                    sum[i][j] = v_fma(a, b[j], sum[i][j]);
            }
        }
    }
    V_UNROLL
    for (int i = 0; i < inputs; i++)
        V_UNROLL
    for (int j = 0; j < vectors; j++) {
        float *to = sums + i * stride + j * V_WIDTH;
        v_store(to, v_load(to) + sum[i][j]);
    }
}

#define TILE(i, v)                                                                                 \
    static void tile_##i##_##v(const row_pair *rows, int64_t n, int64_t count, int64_t x_stride,   \
                               int64_t dy_stride, float *sums, int64_t stride) {                   \
        sum_tile(i, v, rows, n, count, x_stride, dy_stride, sums, stride);                         \
    }
#define NAME(i, v) tile_##i##_##v,
/* clang-format off */
DIRECT_1(TILE) DIRECT_2(TILE) DIRECT_3(TILE) DIRECT_4(TILE)
static const weights_tile tiles[TILE_VECTORS][TILE_PIXELS] = {
    {DIRECT_1(NAME)}, {DIRECT_2(NAME)}, {DIRECT_3(NAME)}, {DIRECT_4(NAME)}};
/* clang-format on */

/* ---- plan
 * ----------------------------------------------------------------------------------------- */

enum { CHUNK_PIXELS = 256, CHUNK_BYTES = 96 * 1024 };

typedef struct {
    const ni_conv *c;
    bool winograd, pointwise, in_place;
    int64_t pairs, count;           /* pixels (pairs) of a row */
    int64_t pixels;                 /* of a buffered row of x */
    int64_t x_plane, dy_plane;      /* Winograd: between planes */
    int64_t x_row, dy_row;          /* elements of buffered rows */
    int64_t products, inputs;       /* matrices of a kernel row; rows of one */
    int64_t vectors, blocks, width; /* columns, in vectors, in blocks; in elements */
    int64_t chunk, ring; /* output rows of a chunk; rows of x that may be there at once */
} plan;

static plan make_plan(const ni_conv *c) {
    plan p = {.c = c};
    p.pointwise = c->kh == 1 && c->kw == 1 && c->sh == 1 && c->sw == 1 && c->ph == 0 &&
                  c->pw == 0 && c->h == c->oh && c->w == c->ow;
    p.winograd = ni_winograd_fits(c, c->ow);
    p.pairs = (c->ow + 1) / 2;
    p.count = p.winograd ? p.pairs : c->ow;
    p.pixels = p.winograd ? 2 * p.pairs + 2
                          : (c->ow - 1) * (int64_t)c->sw + (c->kw - 1) * (int64_t)c->dw + 1;
    p.in_place = !p.winograd && c->pw <= 0 && p.pixels - c->pw <= c->w;
    if (p.pointwise) p.count = p.pixels = CHUNK_PIXELS;
    p.x_plane = p.pairs * c->ci, p.dy_plane = p.pairs * c->co;
    p.x_row = ni_row_pitch(p.winograd ? 4 * p.x_plane : p.pixels * c->ci);
    p.dy_row = ni_row_pitch((p.winograd ? 4 * p.dy_plane : p.count * c->co) + V_WIDTH);
    p.products = p.winograd ? 4 : c->dw == 1 ? 1 : c->kw;
    p.inputs = !p.winograd && c->dw == 1 ? (int64_t)c->kw * c->ci : c->ci;
    p.vectors = ceil_div(c->co, V_WIDTH), p.width = p.vectors * V_WIDTH;
    p.blocks = ceil_div(
        p.vectors, NI_SIMD(choose_vectors)(p.vectors, p.inputs, NI_SIMD(direct_pixels), false));
    const int64_t bytes = (p.x_row + p.dy_row) * (int64_t)sizeof(float);
    p.chunk = most(least(ceil_div(CHUNK_PIXELS, c->ow), CHUNK_BYTES / bytes), 1);
    if (p.pointwise) {
        p.chunk = p.ring = 1;
    } else if (p.chunk >= c->oh) { /* whole images */
        p.ring = p.chunk / c->oh * c->h;
        p.chunk = p.chunk / c->oh * c->oh;
    } else {
        p.chunk = ceil_div(c->oh, ceil_div(c->oh, p.chunk)); /* chunks of about equal size */
        p.ring = least((p.chunk - 1) * c->sh + (c->kh - 1) * (int64_t)c->dh + 1, c->h);
    }
    return p;
}

typedef struct {
    int64_t *tags;   /* ring: which row of x is there */
    row_pair *pairs; /* kernel rows * chunk */
    int64_t *counts; /* kernel rows */
    float *line;     /* a row before Winograd's transform */
    float *x, *dy;   /* ring and chunk of rows */
    float *sums;     /* [kernel rows][products][inputs][width] */
} workspace;

static workspace make_workspace(const plan *p, ni_scratch *s) {
    const ni_conv *c = p->c;
    workspace w;
    w.tags = ni_scratch_take(s, p->ring, sizeof(int64_t));
    w.pairs = ni_scratch_take(s, c->kh * p->chunk, sizeof(row_pair));
    w.counts = ni_scratch_take(s, c->kh, sizeof(int64_t));
    w.line = ni_scratch_take(s, p->winograd ? p->pixels * c->ci : 0, sizeof(float));
    w.x = ni_scratch_take(s, p->ring * p->x_row, sizeof(float));
    w.dy = ni_scratch_take(s, p->chunk * p->dy_row, sizeof(float));
    w.sums = ni_scratch_take(s, c->kh * p->products * p->inputs * p->width, sizeof(float));
    return w;
}

size_t NI_SIMD(weights_scratch_bytes)(const ni_conv *c) {
    const plan p = make_plan(c);
    ni_scratch s = {0};
    make_workspace(&p, &s);
    return ni_scratch_size(&s);
}

/* ---- running
 * ------------------------------------------------------------------------------------- */

typedef struct {
    plan p;
    workspace w;
    ni_row_source x, dy;
    bool x_buffered, dy_buffered;
} job;

static const float *fetch_x(const job *j, int64_t image, int64_t row) {
    const plan *p = &j->p;
    const ni_conv *c = p->c;
    const int64_t whole = image * c->h + row, slot = whole % p->ring;
    float *to = j->w.x + slot * p->x_row;
    if (!j->x_buffered) return j->x.x + (whole * c->w - c->pw) * c->ci;
    if (j->w.tags[slot] == whole) return to;
    j->w.tags[slot] = whole;
    NI_SIMD(read_row)(&j->x, whole, -c->pw, p->pixels, p->winograd ? j->w.line : to);
    if (p->winograd) NI_SIMD(winograd_input)(j->w.line, p->pairs, c->ci, p->x_plane, to);
    return to;
}

static const float *fetch_dy(const job *j, int64_t row, int64_t slot) {
    const plan *p = &j->p;
    const ni_conv *c = p->c;
    float *to = j->w.dy + slot * p->dy_row;
    if (!j->dy_buffered) return j->dy.x + row * c->ow * c->co;
    if (!p->winograd) {
        NI_SIMD(read_row)(&j->dy, row, 0, c->ow, to);
        return to;
    }
    /* sums, differences, then the row as it is, which is the two other planes */
    NI_SIMD(read_row)(&j->dy, row, 0, 2 * p->pairs, to + 2 * p->dy_plane);
    NI_SIMD(winograd_output)(to + 2 * p->dy_plane, p->pairs, c->co, p->dy_plane, to);
    return to;
}

/* Adds what the rows of w.pairs give to all sums. */
static void add_products(const job *j, int64_t count) {
    const plan *p = &j->p;
    const ni_conv *c = p->c;
    for (int64_t ky = 0; ky < c->kh; ky++)
        for (int64_t product = 0; product < p->products; product++) {
            float *sums = j->w.sums + (ky * p->products + product) * p->inputs * p->width;
            row_pair *rows = j->w.pairs + ky * p->chunk;
            const int64_t n = j->w.counts[ky];
            const int64_t x_step = p->winograd ? p->x_plane : (int64_t)c->dw * c->ci;
            const int64_t x_stride = p->winograd ? c->ci : (int64_t)c->sw * c->ci;
            const int64_t dy_stride = p->winograd && product >= 2 ? 2 * c->co : c->co;
            const int64_t dy_step = !p->winograd ? 0 : product == 2 ? c->co : p->dy_plane;
            for (int64_t b = 0; b < p->blocks; b++) {
                const int64_t first = part_start(p->vectors, p->blocks, b);
                const int64_t vectors = part_start(p->vectors, p->blocks, b + 1) - first;
                const int64_t n_tiles = ceil_div(p->inputs, NI_SIMD(direct_pixels)[vectors - 1]);
                int64_t shift = first * V_WIDTH; /* of dy, now in rows */
                for (int64_t i = 0; i < n; i++)
                    rows[i].dy += shift;
                for (int64_t t = 0; t < n_tiles; t++) {
                    const int64_t from = part_start(p->inputs, n_tiles, t);
                    const int64_t size = part_start(p->inputs, n_tiles, t + 1) - from;
                    const int64_t next = t + 1 < n_tiles ? size : -from;
                    tiles[vectors - 1][size - 1](rows, n, count, x_stride, dy_stride,
                                                 sums + from * p->width + shift, p->width);
                    for (int64_t i = 0; i < n; i++)
                        rows[i].x += next;
                }
                for (int64_t i = 0; i < n; i++)
                    rows[i].dy -= shift;
            }
            for (int64_t i = 0; i < n; i++)
                rows[i].x += x_step, rows[i].dy += dy_step;
        }
}

static void finish(const job *j, float *dw) {
    const plan *p = &j->p;
    const ni_conv *c = p->c;
    const int64_t size = p->inputs * p->width, ci = c->ci, co = c->co;
    for (int64_t ky = 0; ky < c->kh; ky++) {
        const float *sums = j->w.sums + ky * p->products * size;
        float *to = dw + ky * c->kw * ci * co;
        if (!p->winograd) { /* products and their inputs follow each other as the weights do */
            for (int64_t i = 0; i < c->kw * ci; i++)
                memcpy(to + i * co, sums + i * p->width, (size_t)co * sizeof(float));
            continue;
        }
        for (int64_t i = 0; i < ci; i++)
            for (int64_t k = 0; k < co; k += V_WIDTH) {
                const float *from = sums + i * p->width + k;
                const vector half = v_set(0.5f), sum = v_load(from) * half;
                const vector difference = v_load(from + size) * half, outer = sum + difference;
                float *at = to + i * co + k;
                v_store_part(at, v_load(from + 2 * size) + outer, co - k);
                v_store_part(at + ci * co, sum - difference, co - k);
                v_store_part(at + 2 * ci * co, v_load(from + 3 * size) + outer, co - k);
            }
    }
}

void NI_SIMD(weights_gradient)(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                               const float *x, const float *dy, float *dw, int64_t n0, int64_t n1,
                               void *scratch) {
    job j = {.p = make_plan(c), .x = ni_row_source_x(c, flags, x, fused)};
    const plan *p = &j.p;
    ni_scratch s = ni_scratch_of(scratch);
    j.dy = ni_row_source_dy(c, dy, fused);
    j.w = make_workspace(p, &s);
    j.x_buffered = !p->in_place || !ni_row_source_plain(&j.x);
    j.dy_buffered = p->winograd || c->co % V_WIDTH || !ni_row_source_plain(&j.dy);
    memset(j.w.sums, 0, (size_t)(c->kh * p->products * p->inputs * p->width) * sizeof(float));
    for (int64_t i = 0; i < p->ring; i++)
        j.w.tags[i] = -1;
    if (p->pointwise) {
        const int64_t from = n0 * c->oh * c->ow, to = n1 * c->oh * c->ow;
        j.x.w = j.dy.w = to;
        j.w.counts[0] = 1;
        for (int64_t at = from; at < to; at += CHUNK_PIXELS) {
            const int64_t n = least(to - at, CHUNK_PIXELS);
            if (j.x_buffered) NI_SIMD(read_row)(&j.x, 0, at, n, j.w.x);
            if (j.dy_buffered) NI_SIMD(read_row)(&j.dy, 0, at, n, j.w.dy);
            j.w.pairs[0].x = j.x_buffered ? j.w.x : x + at * c->ci;
            j.w.pairs[0].dy = j.dy_buffered ? j.w.dy : dy + at * c->co;
            add_products(&j, n);
        }
    } else {
        for (int64_t from = n0 * c->oh, to; from < n1 * c->oh; from = to) {
            const int64_t image_end = (from / c->oh + 1) * c->oh;
            to = least(from + p->chunk, p->chunk >= c->oh ? n1 * c->oh : image_end);
            memset(j.w.counts, 0, (size_t)c->kh * sizeof(int64_t));
            for (int64_t r = from; r < to; r++) {
                const float *row = fetch_dy(&j, r, r - from);
                for (int64_t ky = 0; ky < c->kh; ky++) {
                    const int64_t at = r % c->oh * c->sh - c->ph + ky * c->dh;
                    if (at < 0 || at >= c->h) continue;
                    j.w.pairs[ky * p->chunk + j.w.counts[ky]++] =
                        (row_pair){fetch_x(&j, r / c->oh, at), row};
                }
            }
            add_products(&j, p->count);
        }
    }
    finish(&j, dw);
}
