/* A controller of one's own: a climber that mutates the best network so far, and draws a fresh one
 * when it has not got better for a while. It is a struct and four functions: ask, tell, save, load
 * (with the last two a search in a store can be resumed).
 *
 *   cc custom_controller.c $(pkg-config --cflags --libs libnas) -o custom_controller */
#include <stdio.h>
#include <libnas/libnas.h>

enum { PATIENCE = 20 };

typedef struct {
    const nas_space *space;
    nas_arch *best; /* NULL: none yet */
    double score;
    uint64_t waited; /* results since it got better */
} climber;

static nas_status ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    climber *self = user;
    nas_arch *next = NULL;
    nas_status status = self->best == NULL || self->waited >= PATIENCE
                            ? nas_space_sample(self->space, stream, &next)
                            : nas_space_mutate(self->space, self->best, stream, &next);
    if (status >= 0) status = nas_propose_arch(out, next);
    nas_arch_free(next);
    return status;
}

static nas_status tell(void *user, const nas_proposal *asked, const nas_result *got) {
    climber *self = user;
    double score = nas_result_score(got); /* larger is better; -INFINITY: infeasible */
    if (self->best != NULL && score <= self->score && self->waited++ < PATIENCE) return NAS_OK;
    nas_arch_free(self->best);
    /* The proposal's architecture is borrowed; hold makes this one more owner. */
    self->best = nas_arch_hold((nas_arch *)nas_proposal_arch(asked));
    self->score = score;
    self->waited = 0;
    return NAS_OK;
}

static nas_status save(void *user, nas_writer *to) {
    const climber *self = user;
    nas_status status = nas_write_u64(to, self->best != NULL);
    if (status >= 0 && self->best) status = nas_write_arch(to, self->best);
    if (status >= 0) status = nas_write_f64(to, self->score);
    return status >= 0 ? nas_write_u64(to, self->waited) : status;
}

static nas_status load(void *user, nas_reader *from) {
    climber *self = user;
    uint64_t has = 0;
    nas_status status = nas_read_u64(from, &has);
    if (status >= 0 && has) status = nas_read_arch(from, self->space, &self->best);
    if (status >= 0) status = nas_read_f64(from, &self->score);
    return status >= 0 ? nas_read_u64(from, &self->waited) : status;
}

static void destroy(void *user) {
    nas_arch_free(((climber *)user)->best);
}

/* The evaluation: a made-up score with several hills. */
static nas_status judge(void *user, const nas_proposal *asked, nas_reporter *progress,
                        nas_result_builder *out) {
    double sum = 0;
    (void)user, (void)progress;
    for (uint32_t d = 0; d < 6; d++) {
        nas_value value;
        nas_status status = nas_proposal_value(asked, d, &value);
        if (status < 0) return status;
        sum += (double)((value.integer * 5 + d) % 9) / 8;
    }
    return nas_result_set(out, "accuracy", sum / 6);
}

int main(void) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    nas_controller_ops ops = {.struct_size = sizeof ops,
                              .ask = ask,
                              .tell = tell,
                              .save = save,
                              .load = load,
                              .destroy = destroy};
    nas_context *context = NULL;
    nas_space *space = NULL;
    nas_controller *controller = NULL;
    nas_named_evaluator evaluator = {"judge", NULL};
    nas_search *search = NULL;
    nas_search_options options;
    nas_trial best = {.struct_size = sizeof best};
    climber self = {NULL, NULL, 0, 0};
    nas_status status = nas_context_create(&context, NULL);
    if (status < 0) return 1;
    status = nas_space_create(&space, context, "example");
    for (uint32_t d = 0; status >= 0 && d < 6; d++)
        status = nas_space_add_integer(space, names[d], 0, 8, 1);
    if (status >= 0) status = nas_space_finish(space);
    self.space = space;
    if (status >= 0) status = nas_controller_create(&controller, context, "climber", &ops, &self);
    if (status >= 0)
        status = nas_evaluator_callback(&evaluator.evaluator, context, 0, judge, NULL, NULL);
    nas_search_options_init(&options);
    options.space = space;
    options.controller = controller;
    options.evaluators = &evaluator;
    options.n_evaluators = 1;
    options.max_trials = 300;
    options.seed = 1;
    if (status >= 0) status = nas_search_create(&search, context, &options);
    if (status >= 0) status = nas_search_run(search, NULL);
    if (status >= 0) status = nas_search_best(search, &best);
    if (status >= 0)
        printf("best of %llu: %s\n", (unsigned long long)nas_search_trials(search), best.arch);
    else
        fprintf(stderr, "%s\n", nas_context_error(context));
    double score = best.score;
    nas_search_free(search);
    nas_evaluator_free(evaluator.evaluator);
    nas_controller_free(controller); /* which calls destroy */
    nas_space_free(space);
    nas_context_free(context);
    return status < 0 || score < 0.9;
}
