/* Measuring a tuning table: both ways of each convolution, in turn, on the calling thread. */
#include <stdlib.h>
#include "tuning.h"

/* Rounds of at least so many seconds a way; the quicker one is that of the median round. As many
 * images a call as a group takes at a time (group.c). */
enum { ROUNDS = 15, NEAR_BYTES = 192 << 10 };
#define SECONDS_A_ROUND 1.5e-3

typedef struct {
    nas_context *context;
    ni_conv c;
    int what;
    ni_kernels by[2]; /* ni_way */
    float *x, *y, *w; /* input, output, weights, or their gradients */
    void *packed[2], *scratch[2];
} site;

static void run(const site *s, ni_way way) {
    const ni_kernels *k = &s->by[way];
    const ni_conv *c = &s->c;
    switch (s->what) {
    case 0:
        k->conv_forward(c, 0, s->x, s->packed[way], s->y, 0, (int64_t)c->n * c->oh,
                        s->scratch[way]);
        break;
    case 1:
        k->conv_input_gradient(c, 0, s->y, s->packed[way], s->x, NULL, 0, (int64_t)c->n * c->h,
                               s->scratch[way]);
        break;
    default:
        k->conv_weight_gradient(c, 0, s->x, s->y, s->w, 0, c->n, s->scratch[way]);
        break;
    }
}

/* Seconds of one run, from `repeats` of them. */
static double time_of(const site *s, ni_way way, int64_t repeats) {
    const double start = ni_clock();
    for (int64_t i = 0; i < repeats; i++)
        run(s, way);
    return (ni_clock() - start) / (double)repeats;
}

/* So many that a round takes long enough for the clock. */
static int64_t repeats_of(const site *s, ni_way way) {
    int64_t repeats = 1;
    run(s, way); /* caches, BLIS's own buffers */
    for (double took = 0; repeats < 1 << 20; repeats *= 2) {
        took = time_of(s, way, repeats) * (double)repeats;
        if (took >= SECONDS_A_ROUND) break;
    }
    return repeats;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void time_both(const site *s, ni_tuning_entry *e) {
    double took[2][ROUNDS], ratio[ROUNDS];
    const int64_t repeats[2] = {repeats_of(s, NI_OWN), repeats_of(s, NI_BLIS)};
    for (int i = 0; i < ROUNDS; i++) {
        took[NI_OWN][i] = time_of(s, NI_OWN, repeats[NI_OWN]);
        took[NI_BLIS][i] = time_of(s, NI_BLIS, repeats[NI_BLIS]);
        ratio[i] = took[NI_BLIS][i] / took[NI_OWN][i];
    }
    qsort(ratio, ROUNDS, sizeof *ratio, compare);
    for (int way = 0; way < 2; way++) {
        qsort(took[way], ROUNDS, sizeof *took[way], compare);
        e->seconds[way] = took[way][ROUNDS / 2] / s->c.n;
    }
    e->way = ratio[ROUNDS / 2] < 1 ? NI_BLIS : NI_OWN;
}

static float *numbers(nas_context *context, int64_t n) {
    float *x = ni_alloc_aligned(context, (size_t)n * sizeof *x);
    nas_random random;
    ni_random_init(&random, 1, 0, "tuning");
    if (x) ni_random_fill_uniform(&random, x, (size_t)n, -1, 1);
    return x;
}

static nas_status time_entry(nas_tuning *t, ni_tuning_entry *e) {
    site s = {.context = t->context};
    nas_status status = NAS_E_MEMORY;
    ni_tuning_conv(e, &s.c, &s.what);
    const int64_t in = (int64_t)s.c.h * s.c.w * s.c.ci, out = (int64_t)s.c.oh * s.c.ow * s.c.co;
    const int64_t images = NEAR_BYTES / (int64_t)sizeof(float) / (in + out);
    s.c.n = images < 1 ? 1 : (int32_t)images;
    ni_kernels_get(&s.by[NI_OWN], NI_F32, t->isa);
    s.by[NI_BLIS] = s.by[NI_OWN];
    if (!ni_kernels_by_gemm(&s.by[NI_BLIS])) return NAS_OK; /* it has one way: the model's */
    s.x = numbers(t->context, in * s.c.n);
    s.y = numbers(t->context, out * s.c.n);
    s.w = numbers(t->context, (int64_t)s.c.kh * s.c.kw * s.c.ci * s.c.co);
    if (!s.x || !s.y || !s.w) goto done;
    for (int way = 0; way < 2; way++) {
        const ni_kernels *k = &s.by[way];
        s.packed[way] = ni_alloc_aligned(t->context, s.what < 2 ? k->conv_packed_bytes(&s.c, s.what)
                                                                : sizeof(float));
        s.scratch[way] = ni_alloc_aligned(t->context, k->conv_scratch_bytes(&s.c, s.what));
        if (!s.packed[way] || !s.scratch[way]) goto done;
        if (s.what < 2) k->conv_pack(&s.c, s.what, s.w, s.packed[way]);
    }
    time_both(&s, e);
    status = NAS_OK;
done:
    ni_free(t->context, s.x);
    ni_free(t->context, s.y);
    ni_free(t->context, s.w);
    for (int way = 0; way < 2; way++) {
        ni_free(t->context, s.packed[way]);
        ni_free(t->context, s.scratch[way]);
    }
    return status;
}

nas_status ni_tuning_time(nas_tuning *t) {
    for (size_t i = 0; i < t->entries.n; i++)
        NI_TRY(time_entry(t, &t->entries.items[i]));
    return NAS_OK;
}
