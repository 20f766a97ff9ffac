/* Forward and input gradient of a convolution, row by row: see conv_plan.h. */
#include "conv_plan.h"

/* Source row of an output row for a kernel row; false outside. */
static bool source_row(const ni_conv_plan *p, int64_t out, int64_t ky, int64_t *row) {
    const ni_conv *c = p->c;
    int64_t at = p->gradient ? out + c->ph - ky * c->dh : out * c->sh - c->ph + ky * c->dh;
    if (at < 0) return false;
    if (p->gradient && c->sh > 1) {
        if (short_rest(at, c->sh)) return false;
        at = short_quotient(at, c->sh);
    }
    *row = at;
    return at < p->h;
}

ni_conv_plan NI_SIMD(conv_plan)(const ni_conv *c, bool gradient) {
    ni_conv_plan p = {.c = c, .gradient = gradient};
    p.h = gradient ? c->oh : c->h, p.w = gradient ? c->ow : c->w;
    p.channels = gradient ? c->co : c->ci;
    p.out_h = gradient ? c->h : c->oh, p.out_w = gradient ? c->w : c->ow;
    p.out_c = gradient ? c->ci : c->co;
    p.depth = p.channels / c->groups;
    p.phases = gradient ? c->sw : 1, p.x_step = gradient ? 1 : c->sw;
    p.depthwise = c->groups > 1 && c->ci == c->groups && c->co == c->groups;
    p.vectors = ceil_div(p.out_c / (p.depthwise ? 1 : c->groups), V_WIDTH);
    p.pointwise = !p.depthwise && c->kh == 1 && c->kw == 1 && c->sh == 1 && c->sw == 1 &&
                  c->ph == 0 && c->pw == 0 && c->h == c->oh && c->w == c->ow;
    p.winograd = c->groups == 1 && ni_winograd_fits(c, p.out_w);
    int64_t lowest = INT64_MAX, highest = 0; /* source columns that are used */
    for (int64_t phase = 0; phase < p.phases; phase++)
        for (int64_t tap = 0; tap < c->kw; tap++) {
            int64_t offset, columns = ni_phase_columns(&p, phase);
            if (columns == 0 || !ni_tap_offset(&p, phase, tap, &offset)) continue;
            if (p.winograd) columns = (columns + 1) / 2 * 2;
            lowest = least(lowest, offset);
            highest = most(highest, (columns - 1) * p.x_step + offset);
        }
    if (lowest > highest) lowest = highest = 0;
    p.left = lowest, p.pixels = highest - lowest + 1;
    p.in_place = lowest >= 0 && highest < p.w && !p.winograd;
    if (p.depthwise) p.in_place &= p.channels % V_WIDTH == 0; /* reads whole vectors */
    if (p.in_place) p.left = 0, p.pixels = p.w;
    if (p.pointwise) p.pixels = POINTWISE_PIXELS;
    p.pairs = (p.out_w + 1) / 2, p.plane = p.pairs * p.channels;
    p.row = ni_row_pitch((p.winograd ? 4 * p.plane : p.pixels * p.channels) +
                         (p.depthwise ? V_WIDTH : 0));
    p.ring = gradient ? (c->kh - 1) * (int64_t)c->dh / c->sh + 1 : (c->kh - 1) * (int64_t)c->dh + 1;
    p.ring = least(p.ring, p.h);
    p.tile_pixels = p.winograd ? NI_SIMD(winograd_pairs) : NI_SIMD(direct_pixels);
    const int64_t columns = p.winograd    ? p.pairs
                            : p.pointwise ? POINTWISE_PIXELS
                                          : most(p.out_w / p.phases, 1);
    p.blocks =
        ceil_div(p.vectors, NI_SIMD(choose_vectors)(p.vectors, columns, p.tile_pixels, p.winograd));
    return p;
}

static ni_conv_workspace make_workspace(const ni_conv_plan *p, ni_scratch *s) {
    const ni_conv *c = p->c;
    ni_conv_workspace w;
    w.segments = ni_scratch_take(s, (int64_t)c->kh * c->kw, sizeof(ni_segment));
    w.sources = ni_scratch_take(s, c->kh, sizeof(ni_source_row));
    w.runs = ni_scratch_take(s, c->kw, sizeof(ni_run));
    w.starts = ni_scratch_take(s, p->phases + 1, sizeof(int64_t));
    w.tags = ni_scratch_take(s, p->ring, sizeof(int64_t));
    w.rows = ni_scratch_take(s, p->ring * p->row, sizeof(float));
    return w;
}

size_t NI_SIMD(conv_plan_scratch)(const ni_conv_plan *p) {
    ni_scratch s = {0};
    make_workspace(p, &s);
    return ni_scratch_size(&s);
}

/* Runs of a kernel row, in all phases; starts[phase] is the first one of a phase. Only where all
 * channels are used do neighbouring taps read neighbouring elements. */
static void make_runs(const ni_conv_plan *p, ni_run *runs, int64_t *starts) {
    const bool join = p->c->groups == 1;
    int64_t n = 0, earlier = 0;
    for (int64_t phase = 0; phase < p->phases; phase++) {
        int64_t taps = 0;
        starts[phase] = n;
        for (int64_t i = 0; i < p->c->kw; i++) {
            int64_t offset;
            if (!ni_tap_offset(p, phase, ni_tap_at(p, i), &offset)) continue;
            if (join && n > starts[phase] && runs[n - 1].offset + runs[n - 1].taps == offset)
                runs[n - 1].taps++;
            else
                runs[n++] = (ni_run){offset, 1, earlier * p->c->kh + taps, ni_tap_at(p, i)};
            taps++;
        }
        earlier += taps;
    }
    starts[p->phases] = n;
}

static const float *fetch_row(const ni_conv_job *j, int64_t image, int64_t row) {
    const ni_conv_plan *p = &j->p;
    const int64_t whole = image * p->h + row, slot = short_rest(row, p->ring);
    float *to = j->w.rows + slot * p->row;
    if (!j->buffered) return j->from.x + whole * p->w * p->channels;
    if (j->w.tags[slot] == whole) return to;
    j->w.tags[slot] = whole;
    if (p->winograd)
        NI_SIMD(read_row_winograd)(&j->from, whole, p->left, p->pairs, p->plane, to);
    else
        NI_SIMD(read_row)(&j->from, whole, p->left, p->pixels, to);
    return to;
}

/* Row r of all, which is row `out` of its image. */
static void make_row(const ni_conv_job *j, int64_t r, int64_t image, int64_t out) {
    const ni_conv_plan *p = &j->p;
    int64_t n = 0;
    for (int64_t ky = 0; ky < p->c->kh; ky++) {
        int64_t row;
        if (!source_row(p, out, ky, &row)) continue;
        j->w.sources[n++] = (ni_source_row){fetch_row(j, image, row), ky};
    }
    for (int64_t phase = 0; phase < p->phases; phase++)
        j->make_columns(j, phase, ni_phase_columns(p, phase), n, r * p->out_w + phase);
}

/* 1x1: pixels are pixels, whatever row they are in. */
static void make_pixels(const ni_conv_job *j, int64_t at, int64_t n) {
    const ni_conv_plan *p = &j->p;
    ni_row_source all = j->from;
    all.w = at + n;
    if (j->buffered) NI_SIMD(read_row)(&all, 0, at, n, j->w.rows);
    j->w.sources[0] = (ni_source_row){j->buffered ? j->w.rows : j->from.x + at * p->channels, 0};
    j->make_columns(j, 0, n, 1, at);
}

void NI_SIMD(conv_run)(ni_conv_job *j, int64_t r0, int64_t r1, void *scratch) {
    const ni_conv_plan *p = &j->p;
    const int64_t first = r0 * p->out_w, last = r1 * p->out_w;
    ni_scratch s = ni_scratch_of(scratch);
    j->w = make_workspace(p, &s);
    j->buffered = !p->in_place || !ni_row_source_plain(&j->from);
    make_runs(p, j->w.runs, j->w.starts);
    for (int64_t i = 0; i < p->ring; i++)
        j->w.tags[i] = -1;
    /* Moments are taken while what was made is still near. */
    const bool moments = !p->gradient && j->fused && j->fused->mean;
    const bool near = j->buffered || p->blocks > 1 || moments; /* what is read stays near */
    const int64_t piece = p->pointwise ? (near ? 1 : FAR_PIECES) * POINTWISE_PIXELS
                          : moments    ? most(4096 / (p->out_w * p->out_c), 1) * p->out_w
                                       : last - first;
    int64_t row = r0, image = r0 / p->out_h, out = r0 % p->out_h;
    for (int64_t at = first, next; at < last; at = next) {
        next = least(at + piece, last);
        if (p->pointwise) make_pixels(j, at, next - at);
        for (; !p->pointwise && row * p->out_w < next; row++) {
            make_row(j, row, image, out);
            if (++out == p->out_h) out = 0, image++;
        }
        if (moments) NI_SIMD(add_moments)
        (j->out + at * p->out_c, p->out_c, next - at, at - first, j->fused->mean, j->fused->m2);
    }
}
