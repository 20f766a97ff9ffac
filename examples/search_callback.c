/* A search with an evaluation of one's own, as short as it gets: regularized evolution looks for
 * the network of a made-up score. Replace score() by whatever judges your networks.
 *
 *   cc search_callback.c $(pkg-config --cflags --libs libnas) -o search_callback */
#include <stdio.h>
#include <libnas/libnas.h>

static nas_status score(void *user, const nas_proposal *asked, nas_reporter *progress,
                        nas_result_builder *out) {
    nas_value depth;
    (void)user, (void)progress;
    nas_status status = nas_proposal_value(asked, 0, &depth);
    double far = (double)(depth.integer - 9) / 16;
    return status < 0 ? status : nas_result_set(out, "accuracy", 0.9 - far * far);
}

int main(void) {
    nas_context *context = NULL;
    nas_space *space = NULL;
    nas_named_evaluator judge = {"score", NULL};
    nas_search *search = NULL;
    nas_search_options options;
    nas_trial best = {.struct_size = sizeof best};
    nas_search_options_init(&options);
    options.evaluators = &judge;
    options.n_evaluators = 1;
    options.max_trials = 200;
    int failed = nas_context_create(&context, NULL) ||
                 nas_space_create(&space, context, "example") ||
                 nas_space_add_integer(space, "depth", 1, 16, 1) || nas_space_finish(space) ||
                 nas_controller_named(&options.controller, space, "evolution", NULL, 0) ||
                 nas_evaluator_callback(&judge.evaluator, context, 0, score, NULL, NULL);
    options.space = space;
    failed = failed || nas_search_create(&search, context, &options) ||
             nas_search_run(search, NULL) || nas_search_best(search, &best);
    printf("%s\n", failed ? nas_context_error(context) : best.arch);
    nas_search_free(search);
    nas_evaluator_free(judge.evaluator);
    nas_controller_free(options.controller);
    nas_space_free(space);
    nas_context_free(context);
    return failed;
}
