/* Execution of batch norm and of the losses. */
#include <math.h>
#include "program.h"

enum { ELEMENTS_A_PIECE = 1 << 15 };

/* ---- batch norm ----------------------------------------------------------------------------- */

static int64_t channels_of(const ni_program *p, const ni_step *s) {
    return ni_arg_step(p, s, 0)->shape.d[3];
}

/* Units: rows of [N H W, C]. */
static void rows_of_input(const ni_program *p, ni_step *s) {
    int64_t c = channels_of(p, s);
    s->units = ni_shape_count(ni_arg_step(p, s, 0)->shape) / c;
    s->pieces = ni_pieces(s->units, c, ELEMENTS_A_PIECE);
}

/* Two sums a channel, of each part. */
void ni_scratch_bn_sums(const ni_program *p, ni_step *s) {
    rows_of_input(p, s);
    s->part_bytes = 2 * (size_t)channels_of(p, s) * p->element;
}

void ni_range_bn_stats(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    int64_t c = channels_of(l->p, s);
    void *mean = ni_part(l->p, s, part);
    l->p->kernels.bn_moments(ni_arg(l, s, 0), c, u0, u1, mean, ni_element(l->p, mean, c));
}

/* The mean of the parts' means, and their squared deviations with those of their means from it:
 * Chan, Golub and LeVeque (1979), for all parts at once. */
void ni_finish_bn_stats(ni_program *p, const ni_step *s) {
    void *y = ni_whole_out(p, s);
    int64_t channels = channels_of(p, s);
    for (int64_t c = 0; c < channels; c++) {
        double mean = 0, m2 = 0;
        for (uint32_t part = 0; part < s->parts; part++) {
            int64_t from, to;
            ni_part_units(p, s, part, &from, &to);
            mean += (double)(to - from) * ni_get(p, ni_part(p, s, part), c);
        }
        mean /= (double)s->units;
        for (uint32_t part = 0; part < s->parts; part++) {
            int64_t from, to;
            ni_part_units(p, s, part, &from, &to);
            double apart = ni_get(p, ni_part(p, s, part), c) - mean;
            m2 +=
                ni_get(p, ni_part(p, s, part), channels + c) + (double)(to - from) * apart * apart;
        }
        ni_set(p, y, c, mean);
        ni_set(p, y, channels + c, m2 / (double)s->units);
    }
}

/* Scratch: three vectors. */
void ni_scratch_bn_rows(const ni_program *p, ni_step *s) {
    rows_of_input(p, s);
    s->shared_bytes = ni_aligned(3 * (size_t)s->shape.d[3] * p->element);
}

void ni_prepare_bn_normalize(ni_program *p, const ni_step *s) {
    const void *stats = ni_whole(p, s, 1), *gamma = ni_whole(p, s, 2), *beta = ni_whole(p, s, 3);
    int64_t channels = s->shape.d[3];
    void *a = ni_shared(p, s), *k = ni_element(p, a, channels);
    for (int64_t c = 0; c < channels; c++) {
        double scale = 1 / sqrt(ni_get(p, stats, channels + c) + s->attr.bn.epsilon);
        if (gamma) scale *= ni_get(p, gamma, c);
        ni_set(p, a, c, scale);
        ni_set(p, k, c, (beta ? ni_get(p, beta, c) : 0) - ni_get(p, stats, c) * scale);
    }
}

void ni_range_bn_normalize(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1,
                           uint32_t part) {
    const ni_kernels *k = &l->p->kernels;
    void *y = ni_out(l, s), *a = ni_shared(l->p, s);
    bool relu = (s->flags & NI_STEP_RELU) != 0;
    int64_t c = s->shape.d[3];
    (void)part;
    k->scale_shift(ni_arg(l, s, 0), a, ni_element(l->p, a, c), y, c, u0, u1, relu);
    if (relu && s->attr.bn.high < INFINITY) k->relu(y, y, 0, s->attr.bn.high, u0 * c, u1 * c);
}

void ni_range_bn_dsums(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    int64_t c = channels_of(l->p, s);
    void *sums = ni_part(l->p, s, part);
    l->p->kernels.bn_gradient_sums(ni_arg(l, s, 0), ni_arg(l, s, 2), ni_arg(l, s, 1), c, u0, u1,
                                   sums, ni_element(l->p, sums, c));
}

void ni_finish_bn_dsums(ni_program *p, const ni_step *s) {
    void *y = ni_whole_out(p, s);
    const void *stats = ni_whole(p, s, 1), *weighted = ni_whole(p, s, 3);
    double weight = weighted ? ni_get(p, weighted, 0) : 1;
    int64_t channels = channels_of(p, s);
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, sum_x = 0;
        for (uint32_t part = 0; part < s->parts; part++) {
            sum += ni_get(p, ni_part(p, s, part), c);
            sum_x += ni_get(p, ni_part(p, s, part), channels + c);
        }
        ni_set(p, y, c, weight * sum);
        ni_set(p, y, channels + c,
               weight * sum_x / sqrt(ni_get(p, stats, channels + c) + s->attr.bn.epsilon));
    }
}

/* a (dy - S0 / M - X S1 / M), as dy a + x b + k */
void ni_prepare_bn_dx(ni_program *p, const ni_step *s) {
    const void *stats = ni_whole(p, s, 1), *gamma = ni_whole(p, s, 2), *sums = ni_whole(p, s, 4);
    const void *weighted = ni_whole(p, s, 5); /* the sums have it in them */
    double weight = weighted ? ni_get(p, weighted, 0) : 1;
    int64_t channels = s->shape.d[3];
    double count = (double)(ni_shape_count(s->shape) / channels);
    void *a = ni_shared(p, s), *b = ni_element(p, a, channels), *k = ni_element(p, b, channels);
    for (int64_t c = 0; c < channels; c++) {
        double r = 1 / sqrt(ni_get(p, stats, channels + c) + s->attr.bn.epsilon);
        double scale = r * (gamma ? ni_get(p, gamma, c) : 1);
        double slope = -scale * r * ni_get(p, sums, channels + c) / count;
        ni_set(p, a, c, weight * scale);
        ni_set(p, b, c, slope);
        ni_set(p, k, c, -scale * ni_get(p, sums, c) / count - slope * ni_get(p, stats, c));
    }
}

void ni_range_bn_dx(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    int64_t c = s->shape.d[3];
    void *a = ni_shared(l->p, s), *b = ni_element(l->p, a, c), *k = ni_element(l->p, b, c);
    (void)part;
    l->p->kernels.bn_gradient(ni_arg(l, s, 0), ni_arg(l, s, 3), a, b, k, ni_out(l, s), c, u0, u1);
}

/* Scale and shift of a norm, or of nothing but a weight: each channel x scale + shift. */
void ni_run_bn_vectors(ni_program *p, const ni_step *s) {
    const void *stats = ni_whole(p, s, 0), *gamma = ni_whole(p, s, 1), *beta = ni_whole(p, s, 2);
    const void *weighted = ni_whole(p, s, 3);
    double weight = weighted ? ni_get(p, weighted, 0) : 1;
    int64_t channels = s->shape.d[3];
    void *y = ni_whole_out(p, s);
    for (int64_t c = 0; c < channels; c++) {
        double scale = gamma ? ni_get(p, gamma, c) : 1, shift = beta ? ni_get(p, beta, c) : 0;
        if (stats) {
            scale /= sqrt(ni_get(p, stats, channels + c) + s->attr.bn.epsilon);
            shift -= ni_get(p, stats, c) * scale;
        }
        ni_set(p, y, c, weight * scale);
        ni_set(p, y, channels + c, weight * shift);
    }
}

/* A lane's scratch: the addresses of x, scales and shifts. */
void ni_scratch_norm_sum(const ni_program *p, ni_step *s) {
    int64_t c = s->shape.d[3];
    (void)p;
    s->units = ni_shape_count(s->shape) / c;
    s->pieces = ni_pieces(s->units, c, ELEMENTS_A_PIECE);
    s->lane_bytes = s->n_in / 2 * 3 * sizeof(void *);
}

void ni_range_norm_sum(const ni_lane *l, const ni_step *s, int64_t u0, int64_t u1, uint32_t part) {
    uint32_t n = s->n_in / 2;
    const void **x = (const void **)(void *)l->scratch, **scale = x + n, **shift = scale + n;
    int64_t c = s->shape.d[3];
    (void)part;
    for (uint32_t i = 0; i < n; i++) {
        x[i] = ni_arg(l, s, 2 * i);
        scale[i] = ni_arg(l, s, 2 * i + 1);
        shift[i] = scale[i] ? ni_element(l->p, scale[i], c) : NULL;
    }
    l->p->kernels.scale_shift_sum(x, scale, shift, n, ni_out(l, s), c, u0, u1, false);
}

/* ---- losses --------------------------------------------------------------------------------- */

static int64_t count_labels(const int32_t *labels, int64_t n) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += labels[i] >= 0;
    return count;
}

void ni_scratch_loss(const ni_program *p, ni_step *s) {
    s->units = s->pieces = 1;
    s->shared_bytes = (size_t)ni_arg_step(p, s, 0)->shape.d[0] * p->element;
}

void ni_run_cross_entropy(ni_program *p, const ni_step *s) {
    ni_shape shape = ni_arg_step(p, s, 0)->shape;
    const int32_t *labels = ni_whole(p, s, 1);
    int64_t count = count_labels(labels, shape.d[0]);
    double total = 0;
    p->kernels.cross_entropy(ni_whole(p, s, 0), labels, s->attr.labels.smoothing, ni_shared(p, s),
                             shape.d[3], 0, shape.d[0]);
    for (int64_t i = 0; i < shape.d[0]; i++)
        total += ni_get(p, ni_shared(p, s), i);
    ni_set(p, ni_whole_out(p, s), 0, total / (double)(count ? count : 1));
}

void ni_run_target(ni_program *p, const ni_step *s) {
    const int32_t *labels = ni_whole(p, s, 0);
    void *y = ni_whole_out(p, s);
    int64_t classes = s->shape.d[3];
    double rest = s->attr.labels.smoothing / (double)classes;
    for (int64_t i = 0; i < s->shape.d[0]; i++)
        for (int64_t c = 0; c < classes; c++) {
            double hit = labels[i] == c ? 1 - s->attr.labels.smoothing : 0;
            ni_set(p, y, i * classes + c, labels[i] < 0 ? 0 : hit + rest);
        }
}

void ni_run_counted(ni_program *p, const ni_step *s) {
    const int32_t *labels = ni_whole(p, s, 0);
    int64_t count = count_labels(labels, s->shape.d[0]);
    for (int64_t i = 0; i < s->shape.d[0]; i++)
        ni_set(p, ni_whole_out(p, s), i, labels[i] < 0 ? 0 : 1 / (double)count);
}

void ni_run_correct(ni_program *p, const ni_step *s) {
    ni_shape shape = ni_arg_step(p, s, 0)->shape;
    const void *x = ni_whole(p, s, 0);
    const int32_t *labels = ni_whole(p, s, 1);
    int64_t right = 0;
    for (int64_t i = 0; i < shape.d[0]; i++) {
        int64_t best = 0;
        for (int64_t c = 1; c < shape.d[3]; c++)
            if (ni_get(p, x, i * shape.d[3] + c) > ni_get(p, x, i * shape.d[3] + best)) best = c;
        right += best == labels[i];
    }
    ni_set(p, ni_whole_out(p, s), 0, (double)right);
}
