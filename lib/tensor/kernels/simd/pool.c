/* Pooling: one vector of channels of one pixel after the other. */
#include "simd.h"

typedef struct {
    int64_t y0, y1, x0, x1;
} window;

static window window_at(const ni_pool *p, int64_t oy, int64_t ox) {
    const int64_t y = oy * p->sh - p->ph, x = ox * p->sw - p->pw;
    const window w = {most(y, 0), least(y + p->kh, p->h), most(x, 0), least(x + p->kw, p->w)};
    return w;
}

/* ---- maximum: the first of equals, a NaN above all
 * --------------------------------------------------- */

/* The value that `from` has where x is largest in the window. */
V_INLINE void pick_column(const ni_pool *p, window at, const float *x, const float *from, float *y,
                          int64_t n) {
    const int64_t first = (at.y0 * p->w + at.x0) * p->c;
    vector best = v_load_part(x + first, n), value = v_load_part(from + first, n);
    for (int64_t iy = at.y0; iy < at.y1; iy++)
        for (int64_t ix = at.x0; ix < at.x1; ix++) {
            const int64_t here = (iy * p->w + ix) * p->c;
            const vector v = v_load_part(x + here, n);
            const v_mask above = v_above(v, best);
            best = v_select(above, v, best);
            if (x != from) value = v_select(above, v_load_part(from + here, n), value);
        }
    v_store_part(y, x != from ? value : best, n);
}

static void max_pool_pick(const ni_pool *p, const void *x_, const void *g_, void *y_, int64_t r0,
                          int64_t r1) {
    for (int64_t r = r0; r < r1; r++) {
        const int64_t start = r / p->oh * p->h * p->w * p->c;
        const float *x = (const float *)x_ + start, *g = (const float *)g_ + start;
        for (int64_t ox = 0; ox < p->ow; ox++) {
            const window at = window_at(p, r % p->oh, ox);
            float *y = (float *)y_ + (r * p->ow + ox) * p->c;
            COLUMNS(p->c, pick_column(p, at, x + k, g + k, y + k, n));
        }
    }
}

static void max_pool(const ni_pool *p, const void *x, void *y, int64_t r0, int64_t r1) {
    max_pool_pick(p, x, x, y, r0, r1);
}

/* Adds g where x is largest. Places in the window are counted in float32, which holds them exactly.
 */
V_INLINE void give_column(const ni_pool *p, window at, const float *x, const float *g_, float *dx,
                          int64_t n) {
    vector best = v_load_part(x + (at.y0 * p->w + at.x0) * p->c, n), place = v_zero();
    const vector one = v_set(1), g = v_load_part(g_, n);
    vector number = v_zero();
    for (int64_t iy = at.y0; iy < at.y1; iy++)
        for (int64_t ix = at.x0; ix < at.x1; ix++, number = number + one) {
            const vector v = v_load_part(x + (iy * p->w + ix) * p->c, n);
            const v_mask above = v_above(v, best);
            best = v_select(above, v, best);
            place = v_select(above, number, place);
        }
    number = v_zero();
    for (int64_t iy = at.y0; iy < at.y1; iy++)
        for (int64_t ix = at.x0; ix < at.x1; ix++, number = number + one) {
            float *to = dx + (iy * p->w + ix) * p->c;
            v_store_part(to, v_load_part(to, n) + v_keep(v_equal(number, place), g), n);
        }
}

static void max_pool_gradient(const ni_pool *p, const void *x_, const void *dy_, void *dx_,
                              int64_t n0, int64_t n1) {
    const int64_t size = (int64_t)p->h * p->w * p->c;
    for (int64_t image = n0; image < n1; image++) {
        const float *x = (const float *)x_ + image * size;
        float *dx = (float *)dx_ + image * size;
        memset(dx, 0, (size_t)size * sizeof(float));
        for (int64_t oy = 0; oy < p->oh; oy++)
            for (int64_t ox = 0; ox < p->ow; ox++) {
                const window at = window_at(p, oy, ox);
                const float *g = (const float *)dy_ + ((image * p->oh + oy) * p->ow + ox) * p->c;
                COLUMNS(p->c, give_column(p, at, x + k, g + k, dx + k, n));
            }
    }
}

/* ---- average of the cells inside the image
 * ------------------------------------------------------------ */

V_INLINE void average_column(const ni_pool *p, window at, vector part, const float *x, float *y,
                             int64_t n) {
    vector sum = v_zero();
    for (int64_t iy = at.y0; iy < at.y1; iy++) {
        vector row = v_zero();
        for (int64_t ix = at.x0; ix < at.x1; ix++)
            row = row + v_load_part(x + (iy * p->w + ix) * p->c, n);
        sum = sum + row;
    }
    v_store_part(y, sum * part, n);
}

static void avg_pool(const ni_pool *p, const void *x_, void *y_, int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; r++) {
        const float *x = (const float *)x_ + r / p->oh * p->h * p->w * p->c;
        for (int64_t ox = 0; ox < p->ow; ox++) {
            const window at = window_at(p, r % p->oh, ox);
            const vector part = v_set(1 / (float)((at.y1 - at.y0) * (at.x1 - at.x0)));
            float *y = (float *)y_ + (r * p->ow + ox) * p->c;
            COLUMNS(p->c, average_column(p, at, part, x + k, y + k, n));
        }
    }
}

/* The windows that hold an input position along one side: first .. last-1. */
static void windows_of(int64_t at, int64_t pad, int64_t kernel, int64_t stride, int64_t out,
                       int64_t *first, int64_t *last) {
    const int64_t low = at + pad - kernel + 1;
    *first = low <= 0 ? 0 : ceil_div(low, stride);
    *last = least((at + pad) / stride + 1, out);
}

static int64_t inside(int64_t number, int64_t pad, int64_t kernel, int64_t stride, int64_t size) {
    const int64_t start = number * stride - pad;
    return least(start + kernel, size) - most(start, 0);
}

enum { KNOWN = 64 };

V_INLINE float part_of(const float *known, int64_t cells) {
    return cells < KNOWN ? known[cells] : 1 / (float)cells;
}

/* An input position takes its part of every window that holds it. */
V_INLINE void spread_column(const ni_pool *p, int64_t y0, int64_t y1, int64_t x0, int64_t x1,
                            const float *known, const float *dy, float *dx, int64_t n) {
    vector sum = v_zero();
    for (int64_t oy = y0; oy < y1; oy++) {
        const int64_t rows = inside(oy, p->ph, p->kh, p->sh, p->h);
        for (int64_t ox = x0; ox < x1; ox++) {
            const int64_t cells = rows * inside(ox, p->pw, p->kw, p->sw, p->w);
            sum = v_fma(v_load_part(dy + (oy * p->ow + ox) * p->c, n), v_set(part_of(known, cells)),
                        sum);
        }
    }
    v_store_part(dx, sum, n);
}

static void avg_pool_gradient(const ni_pool *p, const void *dy_, void *dx_, int64_t n0,
                              int64_t n1) {
    float known[KNOWN]; /* 1 / cells */
    known[0] = 0;
    for (int i = 1; i < KNOWN; i++)
        known[i] = 1 / (float)i;
    for (int64_t image = n0; image < n1; image++) {
        const float *dy = (const float *)dy_ + image * p->oh * p->ow * p->c;
        float *dx = (float *)dx_ + image * p->h * p->w * p->c;
        for (int64_t iy = 0; iy < p->h; iy++) {
            int64_t y0, y1, x0, x1;
            windows_of(iy, p->ph, p->kh, p->sh, p->oh, &y0, &y1);
            for (int64_t ix = 0; ix < p->w; ix++, dx += p->c) {
                windows_of(ix, p->pw, p->kw, p->sw, p->ow, &x0, &x1);
                COLUMNS(p->c, spread_column(p, y0, y1, x0, x1, known, dy + k, dx + k, n));
            }
        }
    }
}

void NI_SIMD(pool_kernels)(ni_kernels *table) {
    table->max_pool = max_pool;
    table->max_pool_gradient = max_pool_gradient;
    table->max_pool_pick = max_pool_pick;
    table->avg_pool = avg_pool;
    table->avg_pool_gradient = avg_pool_gradient;
}
