/* Rows of images on their way into a convolution: see simd.h. */
#include "simd.h"

/* Few, around an image: less than a call takes. */
static inline void zeros_at(float *to, int64_t n) {
    int64_t i = 0;
    for (; i + V_WIDTH <= n; i += V_WIDTH)
        v_store(to + i, v_zero());
    if (i < n) v_store_part(to + i, v_zero(), n - i);
}

/* n elements, the same done to all. */
static void copy(const float *x, float *to, int64_t n, bool relu) {
    int64_t i = 0;
    if (!relu) {
        memcpy(to, x, (size_t)n * sizeof(float));
        return;
    }
    for (; i + 2 * V_WIDTH <= n; i += 2 * V_WIDTH) {
        vector a = v_load(x + i), b = v_load(x + i + V_WIDTH);
        v_store(to + i, v_relu(a));
        v_store(to + i + V_WIDTH, v_relu(b));
    }
    for (; i < n; i += V_WIDTH) {
        const int64_t left = n - i;
        v_store_part(to + i, v_relu(v_load_part(x + i, left)), left);
    }
}

/* Each channel its own scale. Pixel after pixel, all channels of each: in the order of memory,
 * which is what the processor fetches ahead. */
V_INLINE void scaled_vector(const ni_row_source *s, const float *x, const float *other, float *to,
                            int64_t k, const bool relu, const bool joined, int64_t n) {
    vector v = v_load_part(s->shift + k, n);
    if (joined) v = v_fma(v_load_part(other + k, n), v_load_part(s->other_scale + k, n), v);
    v = v_fma(v_load_part(x + k, n), v_load_part(s->scale + k, n), v);
    v_store_part(to + k, relu ? v_min(v_set(s->high), v_relu(v)) : v, n);
}

V_INLINE void scaled_pixels(const ni_row_source *s, const float *x, const float *other, float *to,
                            int64_t pixels, const bool relu, const bool joined) {
    const int64_t c = s->c, end = pixels * c;
    for (int64_t at = 0; at < end; at += c)
        COLUMNS(c,
                scaled_vector(s, x + at, joined ? other + at : NULL, to + at, k, relu, joined, n));
}

/* The same for few channels: scales stay in registers. */
V_INLINE void scaled_narrow(const ni_row_source *s, const float *x, const float *other, float *to,
                            int64_t pixels, const bool relu, const bool joined, const int vectors) {
    enum { MOST = 4 };
    const int64_t c = (int64_t)vectors * V_WIDTH, end = pixels * c;
    const vector high = v_set(s->high);
    vector scale[MOST], shift[MOST], by[MOST];
    V_EACH (i, vectors) {
        scale[i] = v_load(s->scale + i * V_WIDTH);
        shift[i] = v_load(s->shift + i * V_WIDTH);
        by[i] = joined ? v_load(s->other_scale + i * V_WIDTH) : v_zero();
    }
    for (int64_t at = 0; at < end; at += c)
        V_EACH (i, vectors) {
            const int64_t k = at + i * V_WIDTH;
            vector v = joined ? v_fma(v_load(other + k), by[i], shift[i]) : shift[i];
            v = v_fma(v_load(x + k), scale[i], v);
            v_store(to + k, relu ? v_min(high, v_relu(v)) : v);
        }
}

V_INLINE void scaled_as(const ni_row_source *s, const float *x, const float *other, float *to,
                        int64_t pixels, const bool relu, const bool joined) {
    switch (s->c) {
    case V_WIDTH:
        scaled_narrow(s, x, other, to, pixels, relu, joined, 1);
        return;
    case 2 * V_WIDTH:
        scaled_narrow(s, x, other, to, pixels, relu, joined, 2);
        return;
    case 3 * V_WIDTH:
        scaled_narrow(s, x, other, to, pixels, relu, joined, 3);
        return;
    case 4 * V_WIDTH:
        scaled_narrow(s, x, other, to, pixels, relu, joined, 4);
        return;
    default:
        scaled_pixels(s, x, other, to, pixels, relu, joined);
    }
}

static void scaled(const ni_row_source *s, const float *x, const float *other, float *to,
                   int64_t pixels) {
    if (other && s->relu)
        scaled_as(s, x, other, to, pixels, true, true);
    else if (other)
        scaled_as(s, x, other, to, pixels, false, true);
    else if (s->relu)
        scaled_as(s, x, NULL, to, pixels, true, false);
    else
        scaled_as(s, x, NULL, to, pixels, false, false);
}

void NI_SIMD(read_row)(const ni_row_source *s, int64_t row, int64_t left, int64_t pixels,
                       float *to) {
    const int64_t c = s->c, zeros = least(most(-left, 0), pixels), from = left + zeros;
    const int64_t inside = most(least(pixels - zeros, s->w - from), 0);
    const int64_t at = (row * s->w + from) * c, rest = pixels - zeros - inside;
    zeros_at(to, zeros * c);
    to += zeros * c;
    if (inside > 0) {
        if (s->scale)
            scaled(s, s->x + at, s->other ? s->other + at : NULL, to, inside);
        else
            copy(s->x + at, to, inside * c, s->relu);
    }
    zeros_at(to + inside * c, rest * c);
}

/* What is read of a channel vector: where it is, and what is done to it. */
typedef enum { PLAIN, RECTIFIED, SCALED } change;
typedef struct {
    const float *x, *other;
    vector scale, shift, by, high;
    bool relu;
} column;

V_INLINE vector read_pixel(const column *from, int64_t at, const change how, int64_t n) {
    vector v = v_load_part(from->x + at, n);
    if (how == SCALED) {
        const vector shift = from->other
                                 ? v_fma(v_load_part(from->other + at, n), from->by, from->shift)
                                 : from->shift;
        v = v_fma(v, from->scale, shift);
        return from->relu ? v_min(from->high, v_relu(v)) : v;
    }
    return how == RECTIFIED ? v_relu(v) : v;
}

V_INLINE void winograd_column(const column *from, int64_t w, int64_t c, int64_t left, int64_t pairs,
                              int64_t plane, float *to, const change how, int64_t n) {
    vector d0 = v_zero(), d1 = v_zero();
    if (left >= 0 && left < w) d0 = read_pixel(from, left * c, how, n);
    if (left + 1 >= 0 && left + 1 < w) d1 = read_pixel(from, (left + 1) * c, how, n);
    for (int64_t p = 0, at = left + 2; p < pairs; p++, at += 2, to += c) {
        vector d2 = v_zero(), d3 = v_zero();
        if (at >= 0 && at < w) d2 = read_pixel(from, at * c, how, n);
        if (at + 1 >= 0 && at + 1 < w) d3 = read_pixel(from, (at + 1) * c, how, n);
        v_store_part(to, d1 + d2, n);
        v_store_part(to + plane, d2 - d1, n);
        v_store_part(to + 2 * plane, d0 - d2, n);
        v_store_part(to + 3 * plane, d3 - d1, n);
        d0 = d2, d1 = d3;
    }
}

V_INLINE void winograd_columns(const ni_row_source *s, int64_t row, int64_t left, int64_t pairs,
                               int64_t plane, float *to, int64_t k, int64_t n) {
    column from = {.x = s->x + row * s->w * s->c + k, .high = v_set(s->high), .relu = s->relu};
    if (s->scale) {
        from.scale = v_load_part(s->scale + k, n);
        from.shift = v_load_part(s->shift + k, n);
        if (s->other) {
            from.other = s->other + row * s->w * s->c + k;
            from.by = v_load_part(s->other_scale + k, n);
        }
        winograd_column(&from, s->w, s->c, left, pairs, plane, to + k, SCALED, n);
    } else if (s->relu) {
        winograd_column(&from, s->w, s->c, left, pairs, plane, to + k, RECTIFIED, n);
    } else {
        winograd_column(&from, s->w, s->c, left, pairs, plane, to + k, PLAIN, n);
    }
}

void NI_SIMD(read_row_winograd)(const ni_row_source *s, int64_t row, int64_t left, int64_t pairs,
                                int64_t plane, float *to) {
    int64_t k = 0;
    for (; k + V_WIDTH <= s->c; k += V_WIDTH)
        winograd_columns(s, row, left, pairs, plane, to, k, V_WIDTH);
    if (k < s->c) winograd_columns(s, row, left, pairs, plane, to, k, s->c - k);
}

void NI_SIMD(winograd_output)(const float *z, int64_t pairs, int64_t c, int64_t plane, float *to) {
    for (int64_t p = 0; p < pairs; p++, z += 2 * c, to += c)
        for (int64_t k = 0; k < c; k += V_WIDTH) {
            const int64_t n = c - k;
            const vector z0 = v_load_part(z + k, n), z1 = v_load_part(z + c + k, n);
            v_store_part(to + k, z0 + z1, n);
            v_store_part(to + plane + k, z0 - z1, n);
        }
}
