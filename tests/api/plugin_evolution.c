/* Regularized evolution again, from the public header alone: the same trials as the built-in one,
 * whatever the window. The controller itself is less than a hundred lines. */
#include <stdio.h>
#include "plugin.h"

enum { POPULATION = 12, SAMPLE = 4, TRIALS = 300 };

typedef struct {
    nas_arch *arch;
    double score;
    uint64_t trial;
} individual;
typedef struct {
    const nas_space *space;
    individual queue[POPULATION]; /* the oldest first */
    uint32_t alive, in_flight;
} evolution;

static nas_status ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    evolution *self = user;
    const individual *parent = NULL;
    nas_arch *arch;
    nas_status status;
    if (self->alive + self->in_flight < POPULATION) {
        status = nas_space_sample(self->space, stream, &arch);
    } else if (self->alive == 0) {
        return NAS_WAIT;
    } else {
        for (int i = 0; i < SAMPLE; i++) {
            const individual *one = &self->queue[nas_random_below(stream, self->alive)];
            if (parent == NULL || one->score > parent->score) parent = one;
        }
        status = nas_space_mutate(self->space, parent->arch, stream, &arch);
    }
    if (status < 0) return status;
    status = nas_propose_arch(out, arch);
    if (status >= 0 && parent) status = nas_propose_parent(out, parent->trial);
    nas_arch_free(arch);
    self->in_flight++;
    return status;
}

static nas_status tell(void *user, const nas_proposal *asked, const nas_result *got) {
    evolution *self = user;
    self->in_flight--;
    if (nas_result_reason(got) == NAS_REASON_VANISHED) return NAS_OK;
    if (self->alive == POPULATION) {
        nas_arch_free(self->queue[0].arch);
        memmove(self->queue, self->queue + 1, --self->alive * sizeof *self->queue);
    }
    individual one = {nas_arch_hold((nas_arch *)(uintptr_t)nas_proposal_arch(asked)),
                      nas_result_score(got), nas_proposal_trial(asked)};
    self->queue[self->alive++] = one;
    return NAS_OK;
}

static nas_status judge(void *user, const nas_proposal *asked, nas_reporter *progress,
                        nas_result_builder *out) {
    uint64_t hash = nas_arch_hash(nas_proposal_arch(asked));
    (void)user, (void)progress;
    if (nas_proposal_trial(asked) % 23 == 22)
        return nas_result_set_infeasible(out, NAS_REASON_DIVERGED, "on purpose");
    return nas_result_set(out, "accuracy", (double)(hash % 1000) / 1000);
}

static nas_search *run(nas_context *context, nas_space *space, nas_controller *controller,
                       nas_evaluator *evaluator, uint32_t window) {
    nas_named_evaluator named = {"judge", evaluator};
    nas_search_options options;
    nas_search *search = NULL;
    nas_search_options_init(&options);
    options.space = space;
    options.controller = controller;
    options.evaluators = &named;
    options.n_evaluators = 1;
    options.max_trials = TRIALS;
    options.window = window;
    options.seed = 7;
    MUST(context, nas_search_create(&search, context, &options));
    MUST(context, nas_search_run(search, NULL));
    return search;
}

static void same_trials(void **state) {
    static const char *const settings[] = {"population=12", "sample=4"};
    (void)state;
    nas_context *context = plugin_context();
    nas_space *space = plugin_space(context, 5, 4);
    nas_evaluator *evaluator;
    MUST(context, nas_evaluator_callback(&evaluator, context, 0, judge, NULL, NULL));
    for (uint32_t window = 1; window <= 7; window += 3) {
        nas_controller_ops ops = {.struct_size = sizeof ops, .ask = ask, .tell = tell};
        evolution self = {.space = space};
        nas_controller *mine, *built_in;
        MUST(context, nas_controller_create(&mine, context, "my evolution", &ops, &self));
        MUST(context, nas_controller_named(&built_in, space, "evolution", settings, 2));
        nas_search *a = run(context, space, mine, evaluator, window);
        nas_search *b = run(context, space, built_in, evaluator, window);
        assert_int_equal(nas_search_trials(a), TRIALS);
        assert_int_equal(nas_search_trials(b), TRIALS);
        for (uint64_t i = 0; i < TRIALS; i++) {
            nas_trial x = {.struct_size = sizeof x}, y = {.struct_size = sizeof y};
            MUST(context, nas_search_trial(a, i, &x));
            MUST(context, nas_search_trial(b, i, &y));
            assert_string_equal(x.arch, y.arch);
            assert_true(x.score == y.score && x.parent == y.parent && x.state == y.state &&
                        x.generation == y.generation);
        }
        nas_search_free(a);
        nas_search_free(b);
        nas_controller_free(mine);
        nas_controller_free(built_in);
        while (self.alive)
            nas_arch_free(self.queue[--self.alive].arch);
    }
    nas_evaluator_free(evaluator);
    nas_space_free(space);
    nas_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_trials)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
