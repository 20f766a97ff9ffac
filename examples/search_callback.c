/* A search with an evaluation of one's own: regularized evolution looks for the network of a
 * made-up score. Replace score() by whatever judges your networks.
 *
 *   cc search_callback.c $(pkg-config --cflags --libs libnas) -o search_callback */
#include <stdio.h>
#include <libnas/libnas.h>

/* More convolutions of depth and width in balance are better, here. */
static nas_status score(void *user, const nas_proposal *asked, nas_reporter *progress,
                        nas_result_builder *out) {
    nas_value depth, width, kind;
    (void)user, (void)progress;
    nas_proposal_value(asked, 0, &depth);
    nas_proposal_value(asked, 1, &width);
    nas_proposal_value(asked, 2, &kind);
    double far = (double)(depth.integer - 9) / 16 + (double)(width.integer - 40) / 64;
    return nas_result_set(out, "accuracy", 0.9 - far * far + 0.05 * (kind.integer == 1));
}

int main(void) {
    static const char *const kinds[] = {"plain", "separable", "dilated"};
    nas_context *context = NULL;
    nas_space *space = NULL;
    nas_controller *controller = NULL;
    nas_evaluator *evaluator = NULL;
    nas_search *search = NULL;
    nas_evolution_options evolution = NAS_EVOLUTION_OPTIONS_INIT;
    nas_search_options options;
    nas_trial best = {.struct_size = sizeof best};
    nas_status status = nas_context_create(&context, NULL);
    if (status < 0) return 1;
    status = nas_space_create(&space, context, "example");
    if (status >= 0) status = nas_space_add_integer(space, "depth", 1, 16, 1);
    if (status >= 0) status = nas_space_add_integer(space, "width", 8, 64, 8);
    if (status >= 0) status = nas_space_add_choice(space, "kind", kinds, 3);
    if (status >= 0) status = nas_space_finish(space);
    evolution.population = 16;
    evolution.sample = 4;
    if (status >= 0) status = nas_controller_evolution(&controller, space, &evolution);
    if (status >= 0) status = nas_evaluator_callback(&evaluator, context, 0, score, NULL, NULL);
    nas_named_evaluator named = {"score", evaluator};
    nas_search_options_init(&options);
    options.space = space;
    options.controller = controller;
    options.evaluators = &named;
    options.n_evaluators = 1;
    options.max_trials = 200;
    options.seed = 1;
    if (status >= 0) status = nas_search_create(&search, context, &options);
    if (status >= 0) status = nas_search_run(search, NULL);
    if (status >= 0) status = nas_search_best(search, &best);
    if (status >= 0)
        printf("best of %llu: %s\n", (unsigned long long)nas_search_trials(search), best.arch);
    else
        fprintf(stderr, "%s\n", nas_context_error(context));
    nas_search_free(search);
    nas_evaluator_free(evaluator);
    nas_controller_free(controller);
    nas_space_free(space);
    nas_context_free(context);
    return status < 0;
}
