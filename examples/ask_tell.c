/* Ask and tell: the evaluation is anywhere (another process, a cluster, a device on the bench).
 * Here four proposals are in flight at once and come back in any order; the search is the same for
 * every order.
 *
 *   cc ask_tell.c $(pkg-config --cflags --libs libnas) -o ask_tell */
#include <stdio.h>
#include <libnas/libnas.h>

enum { FLIGHT = 4 };

/* Stands for what comes back from far away. */
static double measured(const nas_proposal *asked) {
    nas_value depth, kind;
    nas_proposal_value(asked, 0, &depth);
    nas_proposal_value(asked, 1, &kind);
    double far = (double)(depth.integer - 9) / 16;
    return 0.9 - far * far + 0.05 * (kind.integer == 1);
}

static nas_status search_it(nas_search *search, nas_result_builder *result, nas_random *luck) {
    const nas_proposal *flight[FLIGHT];
    size_t n = 0;
    for (;;) {
        const nas_proposal *next = NULL;
        nas_status status = nas_search_ask(search, &next);
        if (status < 0) return status;
        if (status == NAS_OK) { /* send it off; it stays valid until it is told */
            flight[n++] = next;
            continue;
        }
        if (n == 0) return NAS_OK; /* NAS_DONE, and everything is told */
        /* NAS_WAIT: as many as the window are in flight. One comes back, whichever. */
        size_t back = (size_t)nas_random_below(luck, n);
        status = nas_result_set(result, "accuracy", measured(flight[back]));
        if (status >= 0) status = nas_search_tell(search, flight[back], result);
        if (status < 0) return status;
        flight[back] = flight[--n];
    }
}

int main(void) {
    static const char *const kinds[] = {"plain", "separable", "dilated"};
    static const char *const settings[] = {"population=16", "sample=4"};
    nas_context *context = NULL;
    nas_space *space = NULL;
    nas_controller *controller = NULL;
    nas_search *search = NULL;
    nas_result_builder *result = NULL;
    nas_random *luck = NULL;
    nas_search_options options;
    nas_trial best = {.struct_size = sizeof best};
    nas_status status = nas_context_create(&context, NULL);
    if (status < 0) return 1;
    status = nas_space_create(&space, context, "example");
    if (status >= 0) status = nas_space_add_integer(space, "depth", 1, 16, 1);
    if (status >= 0) status = nas_space_add_choice(space, "kind", kinds, 3);
    if (status >= 0) status = nas_space_finish(space);
    if (status >= 0) status = nas_controller_named(&controller, space, "evolution", settings, 2);
    if (status >= 0) status = nas_result_create(&result, context);
    if (status >= 0) status = nas_random_create(&luck, context, 7, 0, "order");
    nas_search_options_init(&options); /* no evaluator: ask and tell alone */
    options.space = space;
    options.controller = controller;
    options.window = FLIGHT;
    options.max_trials = 100;
    options.seed = 1;
    if (status >= 0) status = nas_search_create(&search, context, &options);
    if (status >= 0) status = search_it(search, result, luck);
    if (status >= 0) status = nas_search_best(search, &best);
    if (status >= 0)
        printf("best of %llu: %s\n", (unsigned long long)nas_search_trials(search), best.arch);
    else
        fprintf(stderr, "%s\n", nas_context_error(context));
    nas_search_free(search);
    nas_random_free(luck);
    nas_result_free(result);
    nas_controller_free(controller);
    nas_space_free(space);
    nas_context_free(context);
    return status < 0;
}
