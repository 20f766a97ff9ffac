/* Rows of images on their way into a convolution: see simd.h. */
#include "simd.h"

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

/* Each channel its own scale: columns of a vector's width, down the pixels. */
static void scaled(const ni_row_source *s, const float *x, const float *other, float *to,
                   int64_t pixels) {
    const int64_t c = s->c;
    for (int64_t k = 0; k < c; k += V_WIDTH) {
        const int64_t n = least(c - k, V_WIDTH);
        const vector scale = v_load_part(s->scale + k, n), shift = v_load_part(s->shift + k, n);
        if (other) {
            const vector by = v_load_part(s->other_scale + k, n);
            for (int64_t i = k; i < pixels * c; i += c) {
                vector v = v_fma(v_load_part(other + i, n), by, shift);
                v = v_fma(v_load_part(x + i, n), scale, v);
                v_store_part(to + i, s->relu ? v_relu(v) : v, n);
            }
        } else if (s->relu) {
            for (int64_t i = k; i < pixels * c; i += c)
                v_store_part(to + i, v_relu(v_fma(v_load_part(x + i, n), scale, shift)), n);
        } else {
            for (int64_t i = k; i < pixels * c; i += c)
                v_store_part(to + i, v_fma(v_load_part(x + i, n), scale, shift), n);
        }
    }
}

void NI_SIMD(read_row)(const ni_row_source *s, int64_t row, int64_t left, int64_t pixels,
                       float *to) {
    const int64_t c = s->c, zeros = least(most(-left, 0), pixels), from = left + zeros;
    const int64_t inside = most(least(pixels - zeros, s->w - from), 0);
    const int64_t at = (row * s->w + from) * c, rest = pixels - zeros - inside;
    memset(to, 0, (size_t)(zeros * c) * sizeof(float));
    to += zeros * c;
    if (inside > 0) {
        if (s->scale)
            scaled(s, s->x + at, s->other ? s->other + at : NULL, to, inside);
        else
            copy(s->x + at, to, inside * c, s->relu);
    }
    memset(to + inside * c, 0, (size_t)(rest * c) * sizeof(float));
}

void NI_SIMD(winograd_input)(const float *d, int64_t pairs, int64_t c, int64_t plane, float *to) {
    for (int64_t p = 0; p < pairs; p++, d += 2 * c, to += c)
        for (int64_t k = 0; k < c; k += V_WIDTH) {
            const int64_t n = c - k;
            const vector d0 = v_load_part(d + k, n), d1 = v_load_part(d + c + k, n);
            const vector d2 = v_load_part(d + 2 * c + k, n), d3 = v_load_part(d + 3 * c + k, n);
            v_store_part(to + k, d1 + d2, n);
            v_store_part(to + plane + k, d2 - d1, n);
            v_store_part(to + 2 * plane + k, d0 - d2, n);
            v_store_part(to + 3 * plane + k, d3 - d1, n);
        }
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
