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

/* ---- 3x3, stride 1, padding 1: the usual one. A window's maximum is that of its three rows'
 * maxima, and each row's is found once. One vector of channels of a whole image at a time. ---- */

enum { ROW_MOST = 128 };

static bool is_usual(const ni_pool *p) {
    return p->kh == 3 && p->kw == 3 && p->sh == 1 && p->sw == 1 && p->ph == 1 && p->pw == 1 &&
           p->oh == p->h && p->ow == p->w && p->w <= ROW_MOST;
}

/* The largest of each pixel and its neighbours to both sides; place: which (0, 1, 2), or NULL. */
V_INLINE void largest_of_row(const float *x, int64_t w, int64_t c, vector *best, vector *place,
                             int64_t n) {
    const vector one = v_set(1), two = v_set(2);
    vector left = v_zero(), here = v_load_part(x, n);
    for (int64_t i = 0; i < w; i++) {
        vector most = here, at = one, right = here;
        if (i > 0) {
            const v_mask above = v_above(here, left);
            most = v_select(above, here, left);
            at = v_select(above, one, v_zero());
        }
        if (i + 1 < w) {
            right = v_load_part(x + (i + 1) * c, n);
            const v_mask above = v_above(right, most);
            most = v_select(above, right, most);
            at = v_select(above, two, at);
        }
        best[i] = most;
        if (place) place[i] = at;
        left = here, here = right;
    }
}

/* The rows around `row` that are there: how many; the first. */
static int64_t rows_around(const ni_pool *p, int64_t row, int64_t *first) {
    *first = most(row - 1, 0);
    return least(row + 2, p->h) - *first;
}

V_INLINE void largest_of_rows(const int rows, const vector *const *best, int64_t w, int64_t c,
                              float *y, int64_t n) {
    for (int64_t i = 0; i < w; i++, y += c) {
        vector m = best[0][i];
        V_EACH (r, rows - 1)
            m = v_select(v_above(best[r + 1][i], m), best[r + 1][i], m);
        v_store_part(y, m, n);
    }
}

V_INLINE void usual_column(const ni_pool *p, const float *x, float *y, int64_t r0, int64_t r1,
                           int64_t n) {
    vector best[3][ROW_MOST];
    const vector *rows[3];
    const int64_t w = p->w, c = p->c;
    for (int64_t row = r0, known = most(r0 - 1, 0); row < r1; row++) {
        int64_t first, count = rows_around(p, row, &first);
        for (; known < first + count; known++)
            largest_of_row(x + known * w * c, w, c, best[known % 3], NULL, n);
        for (int64_t i = 0; i < count; i++)
            rows[i] = best[(first + i) % 3];
        if (count == 3) largest_of_rows(3, rows, w, c, y + row * w * c, n);
        if (count == 2) largest_of_rows(2, rows, w, c, y + row * w * c, n);
        if (count == 1) largest_of_rows(1, rows, w, c, y + row * w * c, n);
    }
}

static void usual_max_pool(const ni_pool *p, const float *x, float *y, int64_t r0, int64_t r1) {
    for (int64_t r = r0, end; r < r1; r = end) {
        const int64_t image = r / p->h, start = image * p->h;
        end = least(r1, start + p->h);
        const float *from = x + start * p->w * p->c;
        float *to = y + start * p->w * p->c;
        COLUMNS(p->c, usual_column(p, from + k, to + k, r - start, end - start, n));
    }
}

/* Which of the nine places of its window, in rows then columns, each output's maximum has. skipped:
 * rows of the window above the image. */
V_INLINE void places_of_rows(const int rows, const vector *const *best, const vector *const *at,
                             int64_t w, int64_t skipped, vector *place) {
    const vector three = v_set(3), first = v_set((float)(3 * skipped));
    for (int64_t i = 0; i < w; i++) {
        vector m = best[0][i], start = first, found = start + at[0][i];
        V_EACH (r, rows - 1) {
            const v_mask above = v_above(best[r + 1][i], m);
            start = start + three;
            m = v_select(above, best[r + 1][i], m);
            found = v_select(above, start + at[r + 1][i], found);
        }
        place[i] = found;
    }
}

/* What an input takes from the windows of one row around it. code: of the place that it has in the
 * window to its left, its own, the one to its right. */
V_INLINE vector taken(const vector *found, const float *g, const vector *code, int64_t c,
                      const bool left, const bool right, int64_t n, vector sum) {
    if (left) sum = sum + v_keep(v_equal(found[-1], code[2]), v_load_part(g - c, n));
    sum = sum + v_keep(v_equal(found[0], code[1]), v_load_part(g, n));
    if (right) sum = sum + v_keep(v_equal(found[1], code[0]), v_load_part(g + c, n));
    return sum;
}

/* rows of windows; code[3 r ..]: of row r. */
V_INLINE void gradient_of_row(const int rows, const vector *const *place, const float *const *g,
                              const vector *code, int64_t w, int64_t c, float *dx, int64_t n) {
    for (int64_t i = 0; i < w; i++, dx += c) {
        vector sum = v_zero();
        if (i > 0 && i + 1 < w) {
            V_EACH (r, rows)
                sum = taken(place[r] + i, g[r] + i * c, code + 3 * r, c, true, true, n, sum);
        } else {
            V_EACH (r, rows)
                sum = taken(place[r] + i, g[r] + i * c, code + 3 * r, c, i > 0, i + 1 < w, n, sum);
        }
        v_store_part(dx, sum, n);
    }
}

/* An input takes the gradient of each window around it in which it is the largest. */
V_INLINE void usual_gradient_column(const ni_pool *p, const float *x, const float *dy, float *dx,
                                    int64_t n) {
    vector best[3][ROW_MOST], at[3][ROW_MOST], place[3][ROW_MOST], code[9];
    const vector *best_rows[3], *at_rows[3], *place_rows[3];
    const float *g[3];
    const int64_t w = p->w, c = p->c;
    int64_t known = 0, placed = 0, first; /* rows of x, of windows */
    for (int64_t row = 0; row < p->h; row++) {
        for (; placed < least(row + 2, p->h); placed++) {
            const int64_t count = rows_around(p, placed, &first), skipped = first - (placed - 1);
            for (; known < first + count; known++)
                largest_of_row(x + known * w * c, w, c, best[known % 3], at[known % 3], n);
            for (int64_t i = 0; i < count; i++)
                best_rows[i] = best[(first + i) % 3], at_rows[i] = at[(first + i) % 3];
            vector *to = place[placed % 3];
            if (count == 3) places_of_rows(3, best_rows, at_rows, w, skipped, to);
            if (count == 2) places_of_rows(2, best_rows, at_rows, w, skipped, to);
            if (count == 1) places_of_rows(1, best_rows, at_rows, w, skipped, to);
        }
        const int64_t count = rows_around(p, row, &first);
        for (int64_t i = 0; i < count; i++) {
            const int64_t from = first + i; /* in its windows this row is row - from + 1 */
            place_rows[i] = place[from % 3];
            g[i] = dy + from * w * c;
            V_EACH (k, 3)
                code[3 * i + k] = v_set((float)(3 * (row - from + 1) + k));
        }
        float *to = dx + row * w * c;
        if (count == 3) gradient_of_row(3, place_rows, g, code, w, c, to, n);
        if (count == 2) gradient_of_row(2, place_rows, g, code, w, c, to, n);
        if (count == 1) gradient_of_row(1, place_rows, g, code, w, c, to, n);
    }
}

static void max_pool(const ni_pool *p, const void *x, void *y, int64_t r0, int64_t r1) {
    if (is_usual(p))
        usual_max_pool(p, x, y, r0, r1);
    else
        max_pool_pick(p, x, x, y, r0, r1);
}

/* ---- the gradient of any other ---- */

/* Adds g where x is largest (alone: where nothing is yet). Places in the window are counted in
 * float32, which holds them exactly.
 */
V_INLINE void give_column(const ni_pool *p, window at, const float *x, const float *g_, float *dx,
                          const bool alone, int64_t n) {
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
            vector part = v_keep(v_equal(number, place), g);
            if (!alone) part = part + v_load_part(to, n);
            v_store_part(to, part, n);
        }
}

static void max_pool_gradient(const ni_pool *p, const void *x_, const void *dy_, void *dx_,
                              int64_t n0, int64_t n1) {
    const int64_t size = (int64_t)p->h * p->w * p->c;
    /* Windows that do not overlap; that leave nothing out. */
    const bool alone = p->sh >= p->kh && p->sw >= p->kw;
    const bool all = alone && p->sh == p->kh && p->sw == p->kw && p->ph == 0 && p->pw == 0 &&
                     p->oh * p->kh == p->h && p->ow * p->kw == p->w;
    for (int64_t image = n0; image < n1; image++) {
        const float *x = (const float *)x_ + image * size;
        float *dx = (float *)dx_ + image * size;
        const float *dy = (const float *)dy_ + image * p->oh * p->ow * p->c;
        if (is_usual(p)) {
            COLUMNS(p->c, usual_gradient_column(p, x + k, dy + k, dx + k, n));
            continue;
        }
        if (!all) memset(dx, 0, (size_t)size * sizeof(float));
        for (int64_t oy = 0; oy < p->oh; oy++)
            for (int64_t ox = 0; ox < p->ow; ox++) {
                const window at = window_at(p, oy, ox);
                const float *g = dy + (oy * p->ow + ox) * p->c;
                if (alone)
                    COLUMNS(p->c, give_column(p, at, x + k, g + k, dx + k, true, n));
                else
                    COLUMNS(p->c, give_column(p, at, x + k, g + k, dx + k, false, n));
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

/* 3x3, stride 1, padding 1: sums of each row's neighbours, then of the rows. Forward the sums are
 * divided by the cells of the output's window; backward each gradient first by those of its own. */
V_INLINE void sums_of_row(const float *x, int64_t w, int64_t c, const float *part, vector *sum,
                          int64_t n) {
    vector left = v_zero(), here = v_load_part(x, n);
    if (part) here = here * v_set(part[w > 1 ? 0 : 2]);
    for (int64_t i = 0; i < w; i++) {
        vector right = v_zero();
        if (i + 1 < w) {
            right = v_load_part(x + (i + 1) * c, n);
            if (part) right = right * v_set(part[i + 2 < w ? 1 : 0]);
        }
        sum[i] = (left + here) + right;
        left = here, here = right;
    }
}

/* 1 / cells of the windows of a row: at a border, inside, where there is one column. */
static void parts_of_row(const ni_pool *p, int64_t row, float *part) {
    int64_t first;
    const float rows = (float)rows_around(p, row, &first);
    part[0] = 1 / (rows * 2), part[1] = 1 / (rows * 3), part[2] = 1 / rows;
}

V_INLINE void usual_average_column(const ni_pool *p, const float *x, float *y, int64_t r0,
                                   int64_t r1, const bool gradient, int64_t n) {
    vector sum[3][ROW_MOST];
    float part[3];
    const int64_t w = p->w, c = p->c;
    for (int64_t row = r0, known = most(r0 - 1, 0); row < r1; row++) {
        int64_t first, count = rows_around(p, row, &first);
        for (; known < first + count; known++) {
            if (gradient) parts_of_row(p, known, part);
            sums_of_row(x + known * w * c, w, c, gradient ? part : NULL, sum[known % 3], n);
        }
        if (!gradient) parts_of_row(p, row, part);
        const vector *a = sum[first % 3], *b = sum[(first + 1) % 3], *d = sum[(first + 2) % 3];
        float *to = y + row * w * c;
        for (int64_t i = 0; i < w; i++, to += c) {
            vector v = a[i];
            if (count > 1) v = v + b[i];
            if (count > 2) v = v + d[i];
            if (!gradient) v = v * v_set(part[w == 1 ? 2 : i > 0 && i + 1 < w ? 1 : 0]);
            v_store_part(to, v, n);
        }
    }
}

static void usual_average(const ni_pool *p, const float *x, float *y, int64_t r0, int64_t r1,
                          bool gradient) {
    for (int64_t r = r0, end; r < r1; r = end) {
        const int64_t image = r / p->h, start = image * p->h;
        end = least(r1, start + p->h);
        const float *from = x + start * p->w * p->c;
        float *to = y + start * p->w * p->c;
        if (gradient)
            COLUMNS(p->c,
                    usual_average_column(p, from + k, to + k, r - start, end - start, true, n));
        else
            COLUMNS(p->c,
                    usual_average_column(p, from + k, to + k, r - start, end - start, false, n));
    }
}

static void avg_pool(const ni_pool *p, const void *x_, void *y_, int64_t r0, int64_t r1) {
    if (is_usual(p)) {
        usual_average(p, x_, y_, r0, r1, false);
        return;
    }
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
    if (is_usual(p)) {
        usual_average(p, dy_, dx_, n0 * p->h, n1 * p->h, true);
        return;
    }
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
