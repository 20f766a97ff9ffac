/* Running steps: one alone, its work cut for the threads; or a group, image by image. */
#include "program.h"

void ni_part_units(const ni_program *p, const ni_step *s, uint32_t part, int64_t *from,
                   int64_t *to) {
    if (s->group == NI_NONE) {
        ni_piece_range(s->units, s->pieces, part, from, to);
        return;
    }
    const ni_group *g = &p->groups[s->group];
    int64_t first, last, each = s->units / p->images;
    bool adds = (ni_ops[s->op].flags & NI_OP_ADDS) != 0;
    ni_piece_range(p->images, g->pieces, adds ? part : part / g->subs, &first, &last);
    *from = 0, *to = last - first;
    if (!adds) ni_piece_range(last - first, g->subs, part % g->subs, from, to);
    *from = (first + *from) * each;
    *to = (first + *to) * each;
}

static char *lane_memory(const ni_program *p, uint32_t lane) {
    return p->scratch + p->shared_bytes + (size_t)lane * p->lane_bytes;
}

typedef struct {
    ni_program *p;
    const ni_step *s;
    const ni_group *g;
    uint32_t pieces;
} job;

static void alone_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    ni_lane l = {j->p, NULL, 0, lane_memory(j->p, lane), false};
    int64_t from, to;
    ni_piece_range(j->s->units, j->pieces, piece, &from, &to);
    ni_ops[j->s->op].range(&l, j->s, from, to, piece);
}

/* An own convolution makes each row from the same sums wherever the rows are cut. (Others may treat
 * the end of a piece in another way than its middle.) */
static bool rows_are_apart(const ni_step *s) {
    return (s->op == NI_OP_CONV || s->op == NI_OP_CONV_DX) && s->way == NI_OWN;
}

/* So these may be cut as suits the threads: alike for each, and not so short that the rows that
 * neighbouring pieces both read take most of the time. */
static uint32_t pieces_for(const ni_step *s, uint32_t lanes) {
    enum { APART = 4 }; /* rows of a piece for each row that it reads beside its own */
    if (!rows_are_apart(s) || s->pieces < 2) return s->pieces;
    if (lanes == 1) return 1;
    const ni_conv *c = &s->attr.conv;
    const int64_t beside = (int64_t)(c->kh - 1) * c->dh;
    int64_t each = ((int64_t)s->pieces + lanes - 1) / lanes;
    if (beside && each > s->units / (APART * beside * lanes))
        each = s->units / (APART * beside * lanes);
    if (each < 1) each = 1;
    return (uint32_t)(each * lanes < s->units ? each * lanes : s->units);
}

void ni_run_alone(ni_program *p, const ni_step *s) {
    const ni_op_info *info = &ni_ops[s->op];
    job j = {p, s, NULL, 0};
    if (info->run) {
        info->run(p, s);
        return;
    }
    if (info->prepare && !(s->prepared && p->ran)) info->prepare(p, s);
    j.pieces = pieces_for(s, ni_lanes(p->context));
    ni_parallel(p->context, j.pieces, alone_piece, &j);
    if (info->finish) info->finish(p, s);
}

/* ---- groups --------------------------------------------------------------------------------- */

/* Several lanes may add to one step's time. */
static void add_seconds(double *to, double seconds) {
    union {
        uint64_t bits;
        double value;
    } was, will;
    uint64_t *at = (uint64_t *)(void *)to;
    was.bits = __atomic_load_n(at, __ATOMIC_RELAXED);
    do
        will.value = was.value + seconds;
    while (!__atomic_compare_exchange_n(at, &was.bits, will.bits, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
}

static void prepare_step(void *user, uint32_t number, uint32_t lane) {
    const job *j = user;
    const ni_step *s = &j->p->steps[j->p->order[j->g->first + number]];
    (void)lane;
    if (!s->view && ni_ops[s->op].prepare && !(s->prepared && j->p->ran))
        ni_ops[s->op].prepare(j->p, s);
}

static void finish_step(void *user, uint32_t number, uint32_t lane) {
    const job *j = user;
    const ni_step *s = &j->p->steps[j->g->finish[number]];
    (void)lane;
    ni_ops[s->op].finish(j->p, s);
}

/* Some images through all steps. */
static void run_images(const job *j, char *memory, uint32_t piece, uint32_t sub, int64_t from,
                       int64_t to) {
    ni_program *p = j->p;
    const ni_group *g = j->g;
    double *seconds = p->run->seconds;
    for (uint32_t i = 0; i < g->n; i++) {
        const ni_step *s = &p->steps[p->order[g->first + i]];
        if (s->view) continue;
        bool adds = (ni_ops[s->op].flags & NI_OP_ADDS) != 0;
        ni_lane l = {p, memory, from, memory + g->local_bytes, adds && sub > 0};
        int64_t each = s->units / p->images;
        double start = seconds ? ni_clock() : 0;
        ni_ops[s->op].range(&l, s, from * each, to * each, adds ? piece : piece * g->subs + sub);
        if (seconds) add_seconds(&seconds[g->first + i], ni_clock() - start);
    }
}

static void group_piece(void *user, uint32_t piece, uint32_t lane) {
    const job *j = user;
    char *memory = lane_memory(j->p, lane);
    int64_t first, last, from, to;
    ni_piece_range(j->p->images, j->g->pieces, piece, &first, &last);
    for (uint32_t sub = 0; sub < j->g->subs; sub++) {
        ni_piece_range(last - first, j->g->subs, sub, &from, &to);
        run_images(j, memory, piece, sub, first + from, first + to);
    }
}

void ni_run_group(ni_program *p, const ni_group *g) {
    job j = {p, NULL, g, 0};
    ni_parallel(p->context, g->n, prepare_step, &j);
    ni_parallel(p->context, g->pieces, group_piece, &j);
    if (g->n_finish) ni_parallel(p->context, g->n_finish, finish_step, &j);
}
