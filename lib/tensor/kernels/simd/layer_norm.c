/* Layer norm over the channels of each row, and its gradient: the generic kernels' formulas, a
 * vector at a time. */
#include <math.h>
#include "simd.h"

static float sum_of(vector v) {
    float part[V_WIDTH];
    v_store(part, v);
    for (int width = V_WIDTH / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            part[i] += part[i + width];
    return part[0];
}

/* Elements from i on, those behind the end `instead`: so that their deviation is 0. */
V_INLINE vector load_or(const float *x, int64_t i, int64_t c, float instead) {
    if (c - i >= V_WIDTH) return v_load(x + i);
    float part[V_WIDTH];
    for (int k = 0; k < V_WIDTH; k++)
        part[k] = i + k < c ? x[i + k] : instead;
    return v_load(part);
}

typedef struct {
    float mean, inverse;
} moments;

static moments moments_of(const float *x, double epsilon, int64_t c) {
    vector sum = v_zero(), squares = v_zero();
    for (int64_t i = 0; i < c; i += V_WIDTH)
        sum = sum + v_load_part(x + i, c - i);
    moments m = {sum_of(sum) / (float)c, 0};
    const vector mean = v_set(m.mean);
    for (int64_t i = 0; i < c; i += V_WIDTH) {
        const vector apart = load_or(x, i, c, m.mean) - mean;
        squares = v_fma(apart, apart, squares);
    }
    m.inverse = 1 / sqrtf(sum_of(squares) / (float)c + (float)epsilon);
    return m;
}

static void layer_norm(const void *x_, void *y_, double epsilon, int64_t c, int64_t r0,
                       int64_t r1) {
    for (int64_t r = r0; r < r1; r++) {
        const float *x = (const float *)x_ + r * c;
        float *y = (float *)y_ + r * c;
        const moments m = moments_of(x, epsilon, c);
        const vector mean = v_set(m.mean), inverse = v_set(m.inverse);
        for (int64_t i = 0; i < c; i += V_WIDTH)
            v_store_part(y + i, (v_load_part(x + i, c - i) - mean) * inverse, c - i);
    }
}

static void layer_norm_gradient(const void *x_, const void *dy_, void *dx_, double epsilon,
                                int64_t c, int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; r++) {
        const float *x = (const float *)x_ + r * c, *dy = (const float *)dy_ + r * c;
        float *dx = (float *)dx_ + r * c;
        const moments m = moments_of(x, epsilon, c);
        const vector mean = v_set(m.mean), inverse = v_set(m.inverse);
        vector sum = v_zero(), along = v_zero();
        for (int64_t i = 0; i < c; i += V_WIDTH) {
            const vector g = v_load_part(dy + i, c - i);
            sum = sum + g;
            along = v_fma(g, v_load_part(x + i, c - i) - mean, along);
        }
        const vector mean_dy = v_set(sum_of(sum) / (float)c);
        const vector by = v_set(sum_of(along) * m.inverse / (float)c * m.inverse);
        for (int64_t i = 0; i < c; i += V_WIDTH) {
            const vector apart = v_load_part(x + i, c - i) - mean;
            v_store_part(dx + i, inverse * (v_load_part(dy + i, c - i) - mean_dy - apart * by),
                         c - i);
        }
    }
}

void NI_SIMD(layer_norm_kernels)(ni_kernels *table) {
    table->layer_norm = layer_norm;
    table->layer_norm_gradient = layer_norm_gradient;
}
