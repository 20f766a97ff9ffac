/* Dense convolutions, forward and input gradient: which rows, columns and weights meet in which
 * tile.
 *
 * Both are one computation. An output row is made from some source rows (forward: of x; gradient:
 * of dy); its columns fall in phases, those of equal remainder by the stride (forward: one phase),
 * and all columns of a phase use the same taps: column j of the phase uses source columns j *
 * x_step + offset(tap). Neighbouring taps at neighbouring columns join in one segment. */
#include "simd.h"

typedef struct {
    int64_t offset; /* source column of the first tap, for column 0 */
    int64_t taps;
    int64_t
        first; /* taps of all kernel rows of earlier phases, then of this row's earlier segments */
} run;

typedef struct {
    const ni_conv *c;
    bool gradient, winograd, pointwise, in_place; /* in_place: source rows need no buffer */
    int64_t h, w, channels;                       /* source */
    int64_t out_h, out_w, out_c;                  /* output */
    int64_t phases, x_step;
    int64_t left, pixels;    /* of a buffered row */
    int64_t pairs, plane;    /* Winograd */
    int64_t row, ring;       /* elements of a buffered row; number of them */
    int64_t vectors, blocks; /* of output channels; blocks of them */
    const int8_t *tile_pixels;
} plan;

enum { POINTWISE_PIXELS = 96 };

/* ---- geometry -----------------------------------------------------------------------------------
 */

/* Tap number i of a kernel row, in the order of source columns. */
static int64_t tap_at(const plan *p, int64_t i) {
    return p->gradient ? p->c->kw - 1 - i : i;
}

/* Whether columns of the phase use the tap, and where. */
static bool tap_offset(const plan *p, int64_t phase, int64_t tap, int64_t *offset) {
    const ni_conv *c = p->c;
    int64_t at = p->gradient ? phase + c->pw - tap * c->dw : tap * c->dw - c->pw;
    if (p->gradient && (at % c->sw + c->sw) % c->sw) return false;
    *offset = p->gradient ? (at - (at % c->sw)) / c->sw : at;
    return true;
}

static int64_t phase_columns(const plan *p, int64_t phase) {
    return ceil_div(most(p->out_w - phase, 0), p->phases);
}

/* Source row of an output row for a kernel row; false outside. */
static bool source_row(const plan *p, int64_t out, int64_t ky, int64_t *row) {
    const ni_conv *c = p->c;
    int64_t at = p->gradient ? out + c->ph - ky * c->dh : out * c->sh - c->ph + ky * c->dh;
    if (at < 0) return false;
    if (p->gradient) {
        if (at % c->sh) return false;
        at /= c->sh;
    }
    *row = at;
    return at < p->h;
}

static plan make_plan(const ni_conv *c, bool gradient) {
    plan p = {.c = c, .gradient = gradient};
    p.h = gradient ? c->oh : c->h, p.w = gradient ? c->ow : c->w;
    p.channels = gradient ? c->co : c->ci;
    p.out_h = gradient ? c->h : c->oh, p.out_w = gradient ? c->w : c->ow;
    p.out_c = gradient ? c->ci : c->co;
    p.phases = gradient ? c->sw : 1, p.x_step = gradient ? 1 : c->sw;
    p.vectors = ceil_div(p.out_c, V_WIDTH);
    p.pointwise = c->kh == 1 && c->kw == 1 && c->sh == 1 && c->sw == 1 && c->ph == 0 &&
                  c->pw == 0 && c->h == c->oh && c->w == c->ow;
    p.winograd = ni_winograd_fits(c, p.out_w);
    int64_t lowest = INT64_MAX, highest = 0; /* source columns that are used */
    for (int64_t phase = 0; phase < p.phases; phase++)
        for (int64_t tap = 0; tap < c->kw; tap++) {
            int64_t offset, columns = phase_columns(&p, phase);
            if (columns == 0 || !tap_offset(&p, phase, tap, &offset)) continue;
            if (p.winograd) columns = (columns + 1) / 2 * 2;
            lowest = least(lowest, offset);
            highest = most(highest, (columns - 1) * p.x_step + offset);
        }
    if (lowest > highest) lowest = highest = 0;
    p.left = lowest, p.pixels = highest - lowest + 1;
    p.in_place = lowest >= 0 && highest < p.w && !p.winograd;
    if (p.in_place) p.left = 0, p.pixels = p.w;
    if (p.pointwise) p.pixels = POINTWISE_PIXELS;
    p.pairs = (p.out_w + 1) / 2, p.plane = p.pairs * p.channels;
    p.row = ni_row_pitch(p.winograd ? 4 * p.plane : p.pixels * p.channels);
    p.ring =
        gradient ? ((c->kh - 1) * (int64_t)c->dh) / c->sh + 1 : (c->kh - 1) * (int64_t)c->dh + 1;
    p.ring = least(p.ring, p.h);
    p.tile_pixels = p.winograd ? NI_SIMD(winograd_pairs) : NI_SIMD(direct_pixels);
    const int64_t columns = p.winograd    ? p.pairs
                            : p.pointwise ? POINTWISE_PIXELS
                                          : most(p.out_w / p.phases, 1);
    p.blocks =
        ceil_div(p.vectors, NI_SIMD(choose_vectors)(p.vectors, columns, p.tile_pixels, p.winograd));
    return p;
}

/* Rows of [width of all blocks] in the packed weights. */
static int64_t packed_depth(const plan *p) {
    return (int64_t)p->c->kh * (p->winograd ? 4 : p->c->kw) * p->channels;
}

/* Segments of a kernel row, in all phases; starts[phase] is the first one of a phase. */
static void make_runs(const plan *p, run *runs, int64_t *starts) {
    int64_t n = 0, earlier = 0;
    for (int64_t phase = 0; phase < p->phases; phase++) {
        int64_t taps = 0;
        starts[phase] = n;
        for (int64_t i = 0; i < p->c->kw; i++) {
            int64_t offset;
            if (!tap_offset(p, phase, tap_at(p, i), &offset)) continue;
            if (n > starts[phase] && runs[n - 1].offset + runs[n - 1].taps == offset)
                runs[n - 1].taps++;
            else
                runs[n++] = (run){offset, 1, earlier * p->c->kh + taps};
            taps++;
        }
        earlier += taps;
    }
    starts[p->phases] = n;
}

/* ---- packed weights -----------------------------------------------------------------------------
 */

size_t NI_SIMD(dense_packed_bytes)(const ni_conv *c, int what) {
    const plan p = make_plan(c, what == 1);
    return (size_t)(packed_depth(&p) * p.vectors * V_WIDTH) * sizeof(float);
}

/* A weight as the computation sees it: from source channel k to output channel o; 0 beyond. */
static float weight(const plan *p, const float *w, int64_t ky, int64_t kx, int64_t k, int64_t o) {
    const int64_t i = p->gradient ? o : k, j = p->gradient ? k : o;
    if (o >= p->out_c) return 0;
    return w[((ky * p->c->kw + kx) * p->c->ci + i) * p->c->co + j];
}

static float *pack_winograd(const plan *p, const float *w, int64_t from, int64_t to, float *out) {
    for (int64_t ky = 0; ky < p->c->kh; ky++)
        for (int half = 0; half < 2; half++)
            for (int64_t k = 0; k < p->channels; k++)
                for (int which = 0; which < 2; which++)
                    for (int64_t o = from; o < to; o++) {
                        const float g0 = weight(p, w, ky, tap_at(p, 0), k, o);
                        const float g1 = weight(p, w, ky, tap_at(p, 1), k, o);
                        const float g2 = weight(p, w, ky, tap_at(p, 2), k, o);
                        const float outer = 0.5f * (g0 + g2), middle = 0.5f * g1;
                        *out++ = half ? (which ? g2 : g0) : which ? outer - middle : outer + middle;
                    }
    return out;
}

static float *pack_direct(const plan *p, const float *w, int64_t from, int64_t to, float *out) {
    for (int64_t phase = 0; phase < p->phases; phase++)
        for (int64_t ky = 0; ky < p->c->kh; ky++)
            for (int64_t i = 0; i < p->c->kw; i++) {
                int64_t offset;
                if (!tap_offset(p, phase, tap_at(p, i), &offset)) continue;
                for (int64_t k = 0; k < p->channels; k++)
                    for (int64_t o = from; o < to; o++)
                        *out++ = weight(p, w, ky, tap_at(p, i), k, o);
            }
    return out;
}

void NI_SIMD(dense_pack)(const ni_conv *c, int what, const float *weights, float *packed) {
    const plan p = make_plan(c, what == 1);
    for (int64_t b = 0; b < p.blocks; b++) {
        const int64_t from = part_start(p.vectors, p.blocks, b) * V_WIDTH;
        const int64_t to = part_start(p.vectors, p.blocks, b + 1) * V_WIDTH;
        packed = p.winograd ? pack_winograd(&p, weights, from, to, packed)
                            : pack_direct(&p, weights, from, to, packed);
    }
}

/* ---- running ------------------------------------------------------------------------------------
 */

typedef struct {
    const float *x;
    int64_t ky;
} source;

typedef struct {
    ni_segment *segments; /* kh * kw */
    source *sources;      /* kh */
    run *runs;            /* kw */
    int64_t *starts;      /* phases + 1 */
    int64_t *tags;        /* ring: which row is there */
    float *line;          /* a row before Winograd's transform */
    float *rows;          /* ring * row */
    float *moments;       /* 2 * out_c */
} workspace;

static workspace make_workspace(const plan *p, ni_scratch *s) {
    const ni_conv *c = p->c;
    workspace w;
    w.segments = ni_scratch_take(s, (int64_t)c->kh * c->kw, sizeof(ni_segment));
    w.sources = ni_scratch_take(s, c->kh, sizeof(source));
    w.runs = ni_scratch_take(s, c->kw, sizeof(run));
    w.starts = ni_scratch_take(s, p->phases + 1, sizeof(int64_t));
    w.tags = ni_scratch_take(s, p->ring, sizeof(int64_t));
    w.line = ni_scratch_take(s, p->winograd ? p->pixels * p->channels : 0, sizeof(float));
    w.rows = ni_scratch_take(s, p->ring * p->row, sizeof(float));
    w.moments = ni_scratch_take(s, 2 * p->out_c, sizeof(float));
    return w;
}

size_t NI_SIMD(dense_scratch_bytes)(const ni_conv *c, int what) {
    const plan p = make_plan(c, what == 1);
    ni_scratch s = {0};
    make_workspace(&p, &s);
    return ni_scratch_size(&s);
}

/* What stays the same for all rows of a call. */
typedef struct {
    plan p;
    workspace w;
    ni_row_source from;
    bool buffered;
    const float *packed, *mask;
    const ni_conv_fused *fused;
    bool add;
    float *out;
} job;

static const float *fetch_row(const job *j, int64_t image, int64_t row) {
    const plan *p = &j->p;
    const int64_t whole = image * p->h + row, slot = row % p->ring;
    float *to = j->w.rows + slot * p->row;
    if (!j->buffered) return j->from.x + whole * p->w * p->channels;
    if (j->w.tags[slot] == whole) return to;
    j->w.tags[slot] = whole;
    if (p->winograd) {
        NI_SIMD(read_row)(&j->from, whole, p->left, p->pixels, j->w.line);
        NI_SIMD(winograd_input)(j->w.line, p->pairs, p->channels, p->plane, to);
    } else {
        NI_SIMD(read_row)(&j->from, whole, p->left, p->pixels, to);
    }
    return to;
}

/* Output pixels at `pixel` (of all), `columns` in a phase's order; n sources are ready. */
static void make_columns(const job *j, int64_t phase, int64_t columns, int64_t n, int64_t pixel) {
    const plan *p = &j->p;
    const int64_t depth = packed_depth(p), k = p->channels;
    const run *runs = j->w.runs + j->w.starts[phase];
    const int64_t n_runs = j->w.starts[phase + 1] - j->w.starts[phase];
    const int64_t shift = j->buffered ? p->left : 0;
    ni_tile_job tile = {.segments = j->w.segments, .add = j->add};
    tile.x_stride = p->winograd ? k : p->x_step * k;
    tile.plane = p->plane;
    tile.y_stride = p->phases * p->out_c;
    const int64_t units = p->winograd ? (columns + 1) / 2 : columns, each = p->winograd ? 2 : 1;
    int64_t row_taps = 0;
    for (int64_t i = 0; i < n_runs; i++)
        row_taps += runs[i].taps;
    for (int64_t b = 0; b < p->blocks; b++) {
        const int64_t first = part_start(p->vectors, p->blocks, b);
        const int64_t vectors = part_start(p->vectors, p->blocks, b + 1) - first;
        const int64_t width = vectors * V_WIDTH, channel = first * V_WIDTH;
        const float *weights = j->packed + channel * depth;
        ni_segment *segment = j->w.segments;
        for (int64_t s = 0; s < n; s++) {
            const source *from = &j->w.sources[s];
            if (p->winograd) {
                *segment++ = (ni_segment){from->x, weights + from->ky * 4 * k * width, k};
                continue;
            }
            for (int64_t i = 0; i < n_runs; i++)
                *segment++ = (ni_segment){
                    from->x + (runs[i].offset - shift) * k,
                    weights + (runs[i].first + from->ky * row_taps) * k * width, runs[i].taps * k};
        }
        tile.n_segments = segment - j->w.segments;
        tile.lanes = least(p->out_c - channel - (vectors - 1) * V_WIDTH, V_WIDTH);
        if (j->fused && j->fused->mask_scale) {
            tile.mask_scale = (const float *)j->fused->mask_scale + channel;
            tile.mask_shift = (const float *)j->fused->mask_shift + channel;
        }
        const ni_tile *tiles =
            (p->winograd ? NI_SIMD(winograd_tiles) : NI_SIMD(direct_tiles))[vectors - 1];
        const int64_t n_tiles = ceil_div(units, p->tile_pixels[vectors - 1]);
        for (int64_t t = 0; t < n_tiles; t++) {
            const int64_t start = part_start(units, n_tiles, t);
            const int64_t size = part_start(units, n_tiles, t + 1) - start;
            const int64_t at = (pixel + start * each * p->phases) * p->out_c + channel;
            tiles[size - 1](&tile, start * tile.x_stride, j->out + at,
                            j->mask ? j->mask + at : NULL,
                            least(columns - start * each, size * each));
        }
    }
}

static void make_row(const job *j, int64_t r) {
    const plan *p = &j->p;
    const int64_t image = r / p->out_h, out = r % p->out_h;
    int64_t n = 0;
    for (int64_t ky = 0; ky < p->c->kh; ky++) {
        int64_t row;
        if (!source_row(p, out, ky, &row)) continue;
        j->w.sources[n++] = (source){fetch_row(j, image, row), ky};
    }
    for (int64_t phase = 0; phase < p->phases; phase++)
        make_columns(j, phase, phase_columns(p, phase), n, r * p->out_w + phase);
}

/* 1x1: pixels are pixels, whatever row they are in. */
static void make_pixels(const job *j, int64_t from, int64_t to) {
    const plan *p = &j->p;
    ni_row_source all = j->from;
    all.w = to;
    for (int64_t at = from; at < to; at += POINTWISE_PIXELS) {
        const int64_t n = least(to - at, POINTWISE_PIXELS);
        if (j->buffered) NI_SIMD(read_row)(&all, 0, at, n, j->w.rows);
        j->w.sources[0] = (source){j->buffered ? j->w.rows : j->from.x + at * p->channels, 0};
        make_columns(j, 0, n, 1, at);
    }
}

static void run_rows(job *j, int64_t r0, int64_t r1, void *scratch) {
    const plan *p = &j->p;
    ni_scratch s = ni_scratch_of(scratch);
    j->w = make_workspace(p, &s);
    j->buffered = !p->in_place || !ni_row_source_plain(&j->from);
    make_runs(p, j->w.runs, j->w.starts);
    for (int64_t i = 0; i < p->ring; i++)
        j->w.tags[i] = -1;
    if (p->pointwise)
        make_pixels(j, r0 * p->out_w, r1 * p->out_w);
    else
        for (int64_t r = r0; r < r1; r++)
            make_row(j, r);
}

void NI_SIMD(dense_forward)(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                            const float *x, const float *packed, float *y, int64_t r0, int64_t r1,
                            void *scratch) {
    job j = {.p = make_plan(c, false), .from = ni_row_source_x(c, flags, x, fused)};
    j.packed = packed, j.out = y, j.add = (flags & NI_CONV_ADD_OUT) != 0, j.fused = fused;
    run_rows(&j, r0, r1, scratch);
}

void NI_SIMD(dense_input_gradient)(const ni_conv *c, uint32_t flags, const ni_conv_fused *fused,
                                   const float *dy, const float *packed, float *dx,
                                   const float *mask, int64_t r0, int64_t r1, void *scratch) {
    job j = {.p = make_plan(c, true), .from = ni_row_source_dy(c, dy, fused)};
    j.packed = packed, j.out = dx, j.add = (flags & NI_CONV_ADD_OUT) != 0, j.fused = fused;
    j.mask = flags & NI_CONV_MASK_OUT ? mask : NULL;
    run_rows(&j, r0, r1, scratch);
}
