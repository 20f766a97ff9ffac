/* A search in C whose dump test_search.py compares with that of the same search in Python. */
#include <stdio.h>
#include <libnas/libnas.h>

static nas_status evaluate(void *user, const nas_proposal *asked, nas_reporter *progress,
                           nas_result_builder *out) {
    nas_random *noise = NULL;
    double sum = 0;
    (void)user, (void)progress;
    for (uint32_t d = 0; d < 4; d++) {
        nas_value value;
        nas_status status = nas_proposal_value(asked, d, &value);
        if (status < 0) return status;
        sum += (double)value.integer / 4;
    }
    nas_status status = nas_proposal_random(asked, "noise", &noise);
    if (status < 0) return status;
    sum = sum / 4 + nas_random_uniform(noise) / 8;
    nas_random_free(noise);
    if (sum < 0.3) return nas_result_set_infeasible(out, NAS_REASON_MEMORY, "too small");
    status = nas_result_set(out, "accuracy", sum);
    for (int32_t epoch = 1; status >= 0 && epoch <= 3; epoch++)
        status = nas_result_add_point(out, "accuracy", epoch, sum * epoch / 3);
    return status;
}

static nas_status print(void *user, const void *bytes, size_t n) {
    (void)user;
    return fwrite(bytes, 1, n, stdout) == n ? NAS_OK : NAS_E_IO;
}

int main(void) {
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    static const char *const decisions[] = {"d0", "d1", "d2", "d3"};
    static const char *const settings[] = {"population=8", "sample=3"};
    nas_context *context = NULL;
    nas_space *space = NULL;
    nas_controller *controller = NULL;
    nas_evaluator *evaluator = NULL;
    nas_search *search = NULL;
    nas_sink *sink = NULL;
    nas_search_options options;
    nas_status status = nas_context_create(&context, NULL);
    if (status < 0) return 1;
    status = nas_space_create(&space, context, "letters");
    for (uint32_t d = 0; status >= 0 && d < 4; d++)
        status = nas_space_add_choice(space, decisions[d], names, 5);
    if (status >= 0) status = nas_space_finish(space);
    if (status >= 0) status = nas_controller_named(&controller, space, "evolution", settings, 2);
    if (status >= 0)
        status = nas_evaluator_callback(&evaluator, context, NAS_EVALUATOR_STATELESS, evaluate,
                                        NULL, NULL);
    nas_named_evaluator named = {"callback", evaluator};
    nas_search_options_init(&options);
    options.space = space;
    options.controller = controller;
    options.evaluators = &named;
    options.n_evaluators = 1;
    options.window = 3;
    options.max_trials = 40;
    options.seed = 7;
    if (status >= 0) status = nas_search_create(&search, context, &options);
    if (status >= 0) status = nas_search_run(search, NULL);
    if (status >= 0) status = nas_sink_create(&sink, context, print, NULL);
    if (status >= 0) status = nas_store_dump(nas_search_store(search), sink);
    if (status >= 0) status = nas_sink_close(sink);
    if (status < 0) fprintf(stderr, "%s\n", nas_context_error(context));
    nas_sink_free(sink);
    nas_search_free(search);
    nas_evaluator_free(evaluator);
    nas_controller_free(controller);
    nas_space_free(space);
    nas_context_free(context);
    return status < 0;
}
