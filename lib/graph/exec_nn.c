/* Execution of batch norm and of the losses. */
#include <math.h>
#include "program.h"

typedef struct {
    ni_program *p;
    const ni_step *s;
    const void *x, *dy, *mean;
    void *a, *b, *k; /* vectors in scratch */
    int64_t rows, channels;
} job;

enum { ELEMENTS_A_PIECE = 1 << 15 };

/* ---- batch norm ----------------------------------------------------------------------------- */

static job bn_job(ni_program *p, const ni_step *s) {
    ni_shape shape = ni_arg_step(p, s, 0)->shape;
    int64_t c = shape.d[3];
    job j = {p, s, ni_arg(p, s, 0), NULL, NULL, NULL, NULL, NULL, ni_shape_count(shape) / c, c};
    return j;
}

/* Two sums a channel, by pieces. */
void ni_scratch_bn_sums(const ni_program *p, ni_step *s) {
    ni_shape shape = ni_arg_step(p, s, 0)->shape;
    s->pieces = ni_pieces(ni_shape_count(shape) / shape.d[3], shape.d[3], ELEMENTS_A_PIECE);
    s->shared_bytes = s->pieces * 2 * (size_t)shape.d[3] * p->element;
}

void ni_scratch_bn_rows(const ni_program *p, ni_step *s) {
    int64_t c = s->shape.d[3];
    s->pieces = ni_pieces(ni_shape_count(s->shape) / c, c, ELEMENTS_A_PIECE);
    s->shared_bytes = 3 * (size_t)c * p->element;
}

static void stats_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    int64_t r0, r1;
    void *mean = ni_element(j->p, j->p->scratch, piece * 2 * j->channels);
    (void)lane;
    ni_piece_range(j->rows, j->s->pieces, piece, &r0, &r1);
    j->p->kernels.bn_moments(j->x, j->channels, r0, r1, mean, ni_element(j->p, mean, j->channels));
}

/* The pieces' moments are joined by the update of Chan, Golub and LeVeque (1979). */
void ni_run_bn_stats(ni_program *p, const ni_step *s) {
    job j = bn_job(p, s);
    void *y = ni_out(p, s);
    ni_parallel(p->context, s->pieces, stats_piece, &j);
    for (int64_t c = 0; c < j.channels; c++) {
        double mean = 0, m2 = 0, count = 0;
        for (uint32_t piece = 0; piece < s->pieces; piece++) {
            int64_t r0, r1, at = piece * 2 * j.channels + c;
            ni_piece_range(j.rows, s->pieces, piece, &r0, &r1);
            double n = (double)(r1 - r0), apart = ni_get(p, p->scratch, at) - mean;
            mean += apart * n / (count + n);
            m2 += ni_get(p, p->scratch, at + j.channels) + apart * apart * count * n / (count + n);
            count += n;
        }
        ni_set(p, y, c, mean);
        ni_set(p, y, j.channels + c, m2 / count);
    }
}

static void normalize_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    const ni_kernels *k = &j->p->kernels;
    void *y = ni_out(j->p, j->s);
    bool relu = (j->s->flags & NI_STEP_RELU) != 0;
    int64_t r0, r1;
    (void)lane;
    ni_piece_range(j->rows, j->s->pieces, piece, &r0, &r1);
    k->scale_shift(j->x, j->a, j->k, y, j->channels, r0, r1, relu);
    if (relu && j->s->attr.bn.high < INFINITY)
        k->relu(y, y, 0, j->s->attr.bn.high, r0 * j->channels, r1 * j->channels);
}

void ni_run_bn_normalize(ni_program *p, const ni_step *s) {
    job j = bn_job(p, s);
    const void *stats = ni_arg(p, s, 1), *gamma = ni_arg(p, s, 2), *beta = ni_arg(p, s, 3);
    j.a = p->scratch;
    j.k = ni_element(p, p->scratch, j.channels);
    for (int64_t c = 0; c < j.channels; c++) {
        double a = 1 / sqrt(ni_get(p, stats, j.channels + c) + s->attr.bn.epsilon);
        if (gamma) a *= ni_get(p, gamma, c);
        ni_set(p, j.a, c, a);
        ni_set(p, j.k, c, (beta ? ni_get(p, beta, c) : 0) - ni_get(p, stats, c) * a);
    }
    ni_parallel(p->context, s->pieces, normalize_piece, &j);
}

static void dsums_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    int64_t r0, r1;
    void *sums = ni_element(j->p, j->p->scratch, piece * 2 * j->channels);
    (void)lane;
    ni_piece_range(j->rows, j->s->pieces, piece, &r0, &r1);
    j->p->kernels.bn_gradient_sums(j->x, j->dy, j->mean, j->channels, r0, r1, sums,
                                   ni_element(j->p, sums, j->channels));
}

void ni_run_bn_dsums(ni_program *p, const ni_step *s) {
    job j = bn_job(p, s);
    void *y = ni_out(p, s);
    j.mean = ni_arg(p, s, 1);
    j.dy = ni_arg(p, s, 2);
    ni_parallel(p->context, s->pieces, dsums_piece, &j);
    for (int64_t c = 0; c < j.channels; c++) {
        double sum = 0, sum_x = 0;
        for (uint32_t piece = 0; piece < s->pieces; piece++) {
            sum += ni_get(p, p->scratch, piece * 2 * j.channels + c);
            sum_x += ni_get(p, p->scratch, (piece * 2 + 1) * j.channels + c);
        }
        ni_set(p, y, c, sum);
        ni_set(p, y, j.channels + c,
               sum_x / sqrt(ni_get(p, j.mean, j.channels + c) + s->attr.bn.epsilon));
    }
}

static void bn_dx_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    int64_t r0, r1;
    (void)lane;
    ni_piece_range(j->rows, j->s->pieces, piece, &r0, &r1);
    j->p->kernels.bn_gradient(j->x, j->dy, j->a, j->b, j->k, ni_out(j->p, j->s), j->channels, r0,
                              r1);
}

/* a (dy - S0 / M - X S1 / M), as dy a + x b + k */
void ni_run_bn_dx(ni_program *p, const ni_step *s) {
    job j = bn_job(p, s);
    const void *stats = ni_arg(p, s, 1), *gamma = ni_arg(p, s, 2), *sums = ni_arg(p, s, 4);
    double count = (double)j.rows;
    j.dy = ni_arg(p, s, 3);
    j.a = p->scratch;
    j.b = ni_element(p, p->scratch, j.channels);
    j.k = ni_element(p, p->scratch, 2 * j.channels);
    for (int64_t c = 0; c < j.channels; c++) {
        double r = 1 / sqrt(ni_get(p, stats, j.channels + c) + s->attr.bn.epsilon);
        double a = r * (gamma ? ni_get(p, gamma, c) : 1);
        double b = -a * r * ni_get(p, sums, j.channels + c) / count;
        ni_set(p, j.a, c, a);
        ni_set(p, j.b, c, b);
        ni_set(p, j.k, c, -a * ni_get(p, sums, c) / count - b * ni_get(p, stats, c));
    }
    ni_parallel(p->context, s->pieces, bn_dx_piece, &j);
}

/* ---- losses --------------------------------------------------------------------------------- */

static int64_t count_labels(const int32_t *labels, int64_t n) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += labels[i] >= 0;
    return count;
}

void ni_scratch_loss(const ni_program *p, ni_step *s) {
    s->pieces = 1;
    s->shared_bytes = (size_t)ni_arg_step(p, s, 0)->shape.d[0] * p->element;
}

void ni_run_cross_entropy(ni_program *p, const ni_step *s) {
    ni_shape shape = ni_arg_step(p, s, 0)->shape;
    const int32_t *labels = ni_arg(p, s, 1);
    int64_t count = count_labels(labels, shape.d[0]);
    double total = 0;
    p->kernels.cross_entropy(ni_arg(p, s, 0), labels, s->attr.labels.smoothing, p->scratch,
                             shape.d[3], 0, shape.d[0]);
    for (int64_t i = 0; i < shape.d[0]; i++)
        total += ni_get(p, p->scratch, i);
    ni_set(p, ni_out(p, s), 0, total / (double)(count ? count : 1));
}

void ni_run_target(ni_program *p, const ni_step *s) {
    const int32_t *labels = ni_arg(p, s, 0);
    void *y = ni_out(p, s);
    int64_t classes = s->shape.d[3];
    double rest = s->attr.labels.smoothing / (double)classes;
    for (int64_t i = 0; i < s->shape.d[0]; i++)
        for (int64_t c = 0; c < classes; c++) {
            double hit = labels[i] == c ? 1 - s->attr.labels.smoothing : 0;
            ni_set(p, y, i * classes + c, labels[i] < 0 ? 0 : hit + rest);
        }
}

void ni_run_counted(ni_program *p, const ni_step *s) {
    const int32_t *labels = ni_arg(p, s, 0);
    int64_t count = count_labels(labels, s->shape.d[0]);
    for (int64_t i = 0; i < s->shape.d[0]; i++)
        ni_set(p, ni_out(p, s), i, labels[i] < 0 ? 0 : 1 / (double)count);
}

void ni_run_correct(ni_program *p, const ni_step *s) {
    ni_shape shape = ni_arg_step(p, s, 0)->shape;
    const void *x = ni_arg(p, s, 0);
    const int32_t *labels = ni_arg(p, s, 1);
    int64_t right = 0;
    for (int64_t i = 0; i < shape.d[0]; i++) {
        int64_t best = 0;
        for (int64_t c = 1; c < shape.d[3]; c++)
            if (ni_get(p, x, i * shape.d[3] + c) > ni_get(p, x, i * shape.d[3] + best)) best = c;
        right += best == labels[i];
    }
    ni_set(p, ni_out(p, s), 0, (double)right);
}
