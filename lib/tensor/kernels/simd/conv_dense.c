/* Convolutions with one group or some: packed weights, and the tiles of an output row. */
#include "conv_plan.h"

/* Rows of [width of all blocks] in the packed weights of a group. */
static int64_t packed_depth(const ni_conv_plan *p) {
    return (int64_t)p->c->kh * (p->winograd ? 4 : p->c->kw) * p->depth;
}

size_t NI_SIMD(dense_packed_bytes)(const ni_conv_plan *p) {
    return (size_t)(p->c->groups * packed_depth(p) * p->vectors * V_WIDTH) * sizeof(float);
}

/* ---- packing: [groups][blocks][phases][ky][taps][source channels][width]
 * -------------------------- */

typedef struct {
    const ni_conv_plan *p;
    const float *weights;
    int64_t group, from, to; /* output channels of the block, in the group */
} block;

/* One row of the packed weights: from source channel k of a tap to the block's output channels, 0
 * beyond the last. */
static void pack_row(const block *b, int64_t ky, int64_t kx, int64_t k, float *out) {
    const ni_conv *c = b->p->c;
    const int64_t ci = c->ci / c->groups, co = c->co / c->groups, tap = ky * c->kw + kx;
    const int64_t there = b->p->out_c / c->groups;
    for (int64_t o = b->from; o < b->to; o++, out++) {
        const int64_t i = b->p->gradient ? o : k, j = b->p->gradient ? k : o;
        *out = o < there ? b->weights[(tap * ci + i) * c->co + b->group * co + j] : 0;
    }
}

static float *pack_direct(const block *b, float *out) {
    const ni_conv_plan *p = b->p;
    for (int64_t phase = 0; phase < p->phases; phase++)
        for (int64_t ky = 0; ky < p->c->kh; ky++)
            for (int64_t i = 0; i < p->c->kw; i++) {
                int64_t offset;
                if (!ni_tap_offset(p, phase, ni_tap_at(p, i), &offset)) continue;
                for (int64_t k = 0; k < p->depth; k++, out += b->to - b->from)
                    pack_row(b, ky, ni_tap_at(p, i), k, out);
            }
    return out;
}

/* [ky][plane][source channels][width] */
static float *pack_winograd(const block *b, float *out) {
    const ni_conv_plan *p = b->p;
    const int64_t width = b->to - b->from, plane = p->depth * width;
    for (int64_t ky = 0; ky < p->c->kh; ky++, out += 3 * plane)
        for (int64_t k = 0; k < p->depth; k++, out += width) {
            float *sum = out, *difference = out + plane, *g0 = difference + plane, *g2 = g0 + plane;
            pack_row(b, ky, ni_tap_at(p, 0), k, g0);
            pack_row(b, ky, ni_tap_at(p, 1), k, sum);
            pack_row(b, ky, ni_tap_at(p, 2), k, g2);
            for (int64_t o = 0; o < width; o += V_WIDTH) {
                const vector half = v_set(0.5f), middle = v_load(sum + o) * half;
                const vector outer = (v_load(g0 + o) + v_load(g2 + o)) * half;
                v_store(sum + o, outer + middle);
                v_store(difference + o, outer - middle);
            }
        }
    return out;
}

void NI_SIMD(dense_pack)(const ni_conv_plan *p, const float *weights, float *packed) {
    for (int64_t g = 0; g < p->c->groups; g++)
        for (int64_t i = 0; i < p->blocks; i++) {
            const block b = {p, weights, g, part_start(p->vectors, p->blocks, i) * V_WIDTH,
                             part_start(p->vectors, p->blocks, i + 1) * V_WIDTH};
            packed = p->winograd ? pack_winograd(&b, packed) : pack_direct(&b, packed);
        }
}

/* ---- tiles
 * ---------------------------------------------------------------------------------------- */

static int64_t make_segments(const ni_conv_job *j, int64_t phase, int64_t n, const float *weights,
                             int64_t width, int64_t channel) {
    const ni_conv_plan *p = &j->p;
    const int64_t k = p->depth, shift = j->buffered ? p->left : 0;
    const ni_run *runs = j->w.runs + j->w.starts[phase];
    const int64_t n_runs = j->w.starts[phase + 1] - j->w.starts[phase];
    int64_t row_taps = 0;
    ni_segment *segment = j->w.segments;
    for (int64_t i = 0; i < n_runs; i++)
        row_taps += runs[i].taps;
    for (int64_t s = 0; s < n; s++) {
        const ni_source_row *from = &j->w.sources[s];
        if (p->winograd) {
            *segment++ = (ni_segment){from->x, weights + from->ky * 4 * k * width, k};
            continue;
        }
        for (int64_t i = 0; i < n_runs; i++)
            *segment++ = (ni_segment){from->x + (runs[i].offset - shift) * p->channels + channel,
                                      weights + (runs[i].first + from->ky * row_taps) * k * width,
                                      runs[i].taps * k};
    }
    return segment - j->w.segments;
}

/* Output channels of one block: `channel` is its first, of all. */
static void make_block(const ni_conv_job *j, ni_tile_job *tile, int64_t vectors, int64_t columns,
                       int64_t pixel, int64_t channel) {
    const ni_conv_plan *p = &j->p;
    const int64_t each = p->winograd ? 2 : 1, units = ceil_div(columns, each);
    const ni_tile *tiles =
        p->winograd ? NI_SIMD(winograd_tiles)[vectors - 1] : NI_SIMD(direct_tiles)[vectors - 1];
    const int64_t n = ceil_div(units, p->tile_pixels[vectors - 1]);
    const int64_t each_tile = short_quotient(units, n), longer = units - n * each_tile;
    for (int64_t t = 0, start = 0, size; t < n; t++, start += size) {
        const int64_t at = (pixel + start * each * p->phases) * p->out_c + channel;
        size = each_tile + (t < longer);
        tiles[size - 1](tile, start * tile->x_stride, j->out + at, j->mask ? j->mask + at : NULL,
                        least(columns - start * each, size * each));
    }
}

void NI_SIMD(dense_columns)(const ni_conv_job *j, int64_t phase, int64_t columns, int64_t n,
                            int64_t pixel) {
    const ni_conv_plan *p = &j->p;
    const int64_t depth = packed_depth(p), group_c = p->out_c / p->c->groups;
    ni_tile_job tile = {.segments = j->w.segments, .add = j->add, .plane = p->plane};
    tile.x_stride = p->winograd ? p->channels : p->x_step * p->channels;
    tile.y_stride = p->phases * p->out_c;
    const float *weights = j->packed;
    for (int64_t g = 0; g < p->c->groups; g++)
        for (int64_t b = 0; b < p->blocks; b++) {
            const int64_t first = part_start(p->vectors, p->blocks, b);
            const int64_t vectors = part_start(p->vectors, p->blocks, b + 1) - first;
            const int64_t width = vectors * V_WIDTH, channel = g * group_c + first * V_WIDTH;
            tile.n_segments = make_segments(j, phase, n, weights, width, g * p->depth);
            tile.lanes = least(group_c - (first + vectors - 1) * V_WIDTH, V_WIDTH);
            ni_tile_mask(&tile, j->fused, channel);
            make_block(j, &tile, vectors, columns, pixel, channel);
            weights += depth * width;
        }
}
