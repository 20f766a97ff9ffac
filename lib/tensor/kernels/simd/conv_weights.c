/* Dense convolutions, weight gradient.
 *
 * For each kernel row and product (a plane of Winograd's transform; without it all taps of the row
 * at once, whose inputs are neighbours, or one tap when dilated) a matrix [inputs][output channels]
 * is summed over pixels, in tiles that live in registers for a chunk of rows. Every chunk starts
 * from zero, and is then added: long sums lose little that way. */
#include "simd.h"

typedef struct {
    const float *x, *dy;
    const float *pixels; /* Winograd: dy as it is; dy above: sums and differences */
} row_pair;

/* What the tiles of one product have in common: n rows of `count` pixels (pairs). */
typedef struct {
    const row_pair *rows;
    int64_t n, count;
    int64_t x_stride, dy_stride; /* between pixels */
    int64_t stride;              /* between rows of sums */
} tile_job;

/* sums[inputs][stride] += the products of inputs at x_offset and outputs at dy_offset */
typedef void (*weights_tile)(const tile_job *job, int64_t x_offset, int64_t dy_offset, float *sums);

V_INLINE void sum_tile(const int inputs, const int vectors, const tile_job *job, int64_t x_offset,
                       int64_t dy_offset, float *sums) {
    const int64_t x_stride = job->x_stride, dy_stride = job->dy_stride;
    vector sum[TILE_PIXELS][TILE_VECTORS];
    V_EACH (i, inputs) {
        V_EACH (j, vectors)
            sum[i][j] = v_zero();
    }
    for (int64_t r = 0; r < job->n; r++) {
        const float *x = job->rows[r].x + x_offset, *dy = job->rows[r].dy + dy_offset;
        const float *end = x + job->count * x_stride;
        for (; x != end; x += x_stride, dy += dy_stride) {
            vector b[TILE_VECTORS];
            V_EACH (j, vectors)
                b[j] = v_load(dy + j * V_WIDTH);
            V_EACH (i, inputs) {
                const vector a = v_set(x[i]);
                V_EACH (j, vectors)
                    sum[i][j] = v_fma(a, b[j], sum[i][j]);
            }
        }
    }
    V_EACH (i, inputs) {
        V_EACH (j, vectors) {
            float *to = sums + i * job->stride + j * V_WIDTH;
            v_store(to, v_load(to) + sum[i][j]);
        }
    }
}

#define TILE(i, v)                                                                                 \
    static void tile_##i##_##v(const tile_job *job, int64_t x_offset, int64_t dy_offset,           \
                               float *sums) {                                                      \
        sum_tile(i, v, job, x_offset, dy_offset, sums);                                            \
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
    float *x, *dy;   /* ring and chunk of rows */
    float *sums;     /* [kernel rows][products][inputs][width] */
} workspace;

static workspace make_workspace(const plan *p, ni_scratch *s) {
    const ni_conv *c = p->c;
    workspace w;
    w.tags = ni_scratch_take(s, p->ring, sizeof(int64_t));
    w.pairs = ni_scratch_take(s, c->kh * p->chunk, sizeof(row_pair));
    w.counts = ni_scratch_take(s, c->kh, sizeof(int64_t));
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
} gradient_job;

static const float *fetch_x(const gradient_job *j, int64_t image, int64_t row) {
    const plan *p = &j->p;
    const ni_conv *c = p->c;
    const int64_t whole = image * c->h + row, slot = whole % p->ring;
    float *to = j->w.x + slot * p->x_row;
    if (!j->x_buffered) return j->x.x + (whole * c->w - c->pw) * c->ci;
    if (j->w.tags[slot] == whole) return to;
    j->w.tags[slot] = whole;
    if (p->winograd)
        NI_SIMD(read_row_winograd)(&j->x, whole, -c->pw, p->pairs, p->x_plane, to);
    else
        NI_SIMD(read_row)(&j->x, whole, -c->pw, p->pixels, to);
    return to;
}

static row_pair fetch_dy(const gradient_job *j, int64_t row, int64_t slot) {
    const plan *p = &j->p;
    const ni_conv *c = p->c;
    float *to = j->w.dy + slot * p->dy_row, *copied = to + (p->winograd ? 2 * p->dy_plane : 0);
    const int64_t pixels = p->winograd ? 2 * p->pairs : c->ow;
    row_pair r = {NULL, to, j->dy.x + row * c->ow * c->co};
    if (j->dy_buffered) {
        NI_SIMD(read_row)(&j->dy, row, 0, pixels, copied);
        r.pixels = copied;
    }
    if (p->winograd)
        NI_SIMD(winograd_output)(r.pixels, p->pairs, c->co, p->dy_plane, to);
    else
        r.dy = r.pixels;
    return r;
}

/* One product's sums, in tiles. */
static void add_tiles(const plan *p, const tile_job *job, int64_t x_offset, int64_t dy_offset,
                      float *sums) {
    for (int64_t b = 0; b < p->blocks; b++) {
        const int64_t first = part_start(p->vectors, p->blocks, b);
        const int64_t vectors = part_start(p->vectors, p->blocks, b + 1) - first;
        const int64_t n = ceil_div(p->inputs, NI_SIMD(direct_pixels)[vectors - 1]);
        for (int64_t t = 0; t < n; t++) {
            const int64_t from = part_start(p->inputs, n, t);
            const int64_t size = part_start(p->inputs, n, t + 1) - from;
            tiles[vectors - 1][size - 1](job, x_offset + from, dy_offset + first * V_WIDTH,
                                         sums + from * p->width + first * V_WIDTH);
        }
    }
}

/* Adds what the rows of w.pairs give to all sums. */
static void add_products(const gradient_job *j, int64_t count) {
    const plan *p = &j->p;
    const ni_conv *c = p->c;
    float *sums = j->w.sums;
    for (int64_t ky = 0; ky < c->kh; ky++) {
        row_pair *rows = j->w.pairs + ky * p->chunk;
        tile_job job = {rows,  j->w.counts[ky], count, p->winograd ? c->ci : (int64_t)c->sw * c->ci,
                        c->co, p->width};
        const int64_t x_step = p->winograd ? p->x_plane : (int64_t)c->dw * c->ci;
        for (int64_t i = 0; i < p->products; i++, sums += p->inputs * p->width) {
            if (p->winograd && i == 2) {
                job.dy_stride = 2 * c->co;
                for (int64_t r = 0; r < job.n; r++)
                    rows[r].dy = rows[r].pixels;
            }
            add_tiles(p, &job, i * x_step,
                      !p->winograd ? 0
                      : i < 2      ? i * p->dy_plane
                                   : (i - 2) * c->co,
                      sums);
        }
    }
}

static void finish(const gradient_job *j, float *dw) {
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
    gradient_job j = {.p = make_plan(c), .x = ni_row_source_x(c, flags, x, fused)};
    const plan *p = &j.p;
    ni_scratch s = ni_scratch_of(scratch);
    j.dy = ni_row_source_dy(c, dy, fused);
    j.w = make_workspace(p, &s);
    j.x_buffered = !p->in_place || !ni_row_source_plain(&j.x);
    /* Whole vectors are read, and pairs. */
    j.dy_buffered = c->co % V_WIDTH || (p->winograd && c->ow % 2) || !ni_row_source_plain(&j.dy);
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
                row_pair row = fetch_dy(&j, r, r - from);
                for (int64_t ky = 0; ky < c->kh; ky++) {
                    const int64_t at = r % c->oh * c->sh - c->ph + ky * c->dh;
                    if (at < 0 || at >= c->h) continue;
                    row.x = fetch_x(&j, r / c->oh, at);
                    j.w.pairs[ky * p->chunk + j.w.counts[ky]++] = row;
                }
            }
            add_products(&j, p->count);
        }
    }
    finish(&j, dw);
}
