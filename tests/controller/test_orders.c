/* Every built-in controller, told its results in any order, some of them failed, some vanished:
 * what it proposes stays valid, and the same results in the same order give the same proposals,
 * saved and loaded anywhere on the way or not. */
#include "support.h"
#include "controller/controller.h"

enum { N = 4, M = 3, WINDOW = 6, TURNS = 110 };
enum { IN_TURN, BACKWARDS, SHUFFLED, ORDERS };

/* Settings that make the controllers turn over within so few trials. */
static const struct {
    const char *name, *settings[4];
    size_t n;
} ways[] = {{"random", {"replacement=no"}, 1},
            {"evolution", {"population=8", "sample=3"}, 2},
            {"evolution", {"population=8", "sample=3", "death=loser", "distinct=yes"}, 4},
            {"halving", {"max_epochs=9"}, 1},
            {"asha", {"max_epochs=9"}, 1},
            {"hyperband", {"max_epochs=9"}, 1},
            {"bohb", {"max_epochs=9", "samples=8"}, 2},
            {"exhaustive", {0}, 0},
            {"local-search", {"initial=3"}, 1},
            {"local-search", {"whole=yes"}, 1},
            {"nsga2", {"population=6", "objectives=accuracy,-cost"}, 2},
            {"reinforce-table", {0}, 0},
            {"reinforce", {0}, 0},
            {"predictor", {0}, 0},
            {"progressive", {0}, 0}};

static void finish(fixture *f, nas_controller *controller, nas_proposal *p, uint64_t turn,
                   bool fails) {
    nas_result_builder *builder;
    nas_result *result;
    double score = letters_value(p, N, M);
    int32_t reason = !fails           ? NAS_REASON_NONE
                     : turn % 7 == 3  ? NAS_REASON_DIVERGED
                     : turn % 11 == 5 ? NAS_REASON_VANISHED
                                      : NAS_REASON_NONE;
    if (reason == NAS_REASON_VANISHED && ni_controller_has_forget(controller)) {
        MUST(f->context, nas_controller_forget(controller, turn));
        ni_proposal_free(p);
        return;
    }
    MUST(f->context, nas_result_create(&builder, f->context));
    if (reason == NAS_REASON_NONE) {
        MUST(f->context, nas_result_set(builder, "accuracy", score));
        MUST(f->context, nas_result_set(builder, "cost", 1 - score * score));
    } else {
        MUST(f->context, nas_result_set_infeasible(builder, reason, "not to be had"));
    }
    result = ni_result_finish(builder);
    ni_result_set_score(result, reason == NAS_REASON_NONE ? score : -INFINITY);
    MUST(f->context, nas_controller_tell(controller, p, result));
    ni_result_free(result);
    ni_proposal_free(p);
}

static nas_controller *make(fixture *f, size_t way) {
    nas_controller *controller;
    MUST(f->context, nas_controller_named(&controller, f->space, ways[way].name, ways[way].settings,
                                          ways[way].n));
    return controller;
}

/* Which of those in flight is told next. */
static size_t pick(int order, size_t n, uint64_t told) {
    uint64_t mixed = (told + 1) * 0x9e3779b97f4a7c15u;
    return order == IN_TURN ? 0 : order == BACKWARDS ? n - 1 : (size_t)((mixed >> 33) % n);
}

/* What was proposed, as a text; free it. *told: how many results. */
static char *drive(fixture *f, size_t way, int order, bool fails, bool reloads, uint64_t *told) {
    nas_proposal *flight[WINDOW];
    uint64_t turns[WINDOW], turn = 0;
    size_t n = 0, at = 0, room = TURNS * 160;
    char *text = malloc(room);
    bool done = false;
    nas_controller *controller = make(f, way);
    text[0] = 0;
    *told = 0;
    while (turn < TURNS || n > 0) {
        nas_status status = NAS_WAIT;
        if (n < WINDOW && turn < TURNS && !done) {
            nas_proposal_builder *builder;
            nas_random stream;
            MUST(f->context,
                 ni_proposal_create(&builder, f->context, f->space, 7, turn, turn, *told));
            ni_random_init(&stream, 7, turn, "ask");
            status = nas_controller_ask(controller, &stream, builder);
            if (status == NAS_OK) {
                MUST(f->context, ni_proposal_finish(builder, &flight[n]));
                int32_t how;
                const nas_arch *arch = nas_proposal_arch(flight[n]);
                assert_non_null(arch);
                assert_int_equal(nas_arch_check(arch), NAS_OK);
                at += (size_t)snprintf(
                    text + at, room - at, "%s from %llu by %llu to %g: %.60s\\n",
                    nas_arch_text(arch), (unsigned long long)nas_proposal_from(flight[n], &how),
                    (unsigned long long)nas_proposal_parent(flight[n]),
                    nas_proposal_fidelity(flight[n], "epochs", 0), nas_proposal_note(flight[n]));
                assert_true(at < room);
                turns[n++] = turn++;
                if (reloads && turn % 13 == 0) controller = reload(f, controller, make(f, way));
                continue;
            }
            ni_proposal_builder_free(builder);
            if (status < 0)
                fail_msg("%s, turn %d: %s", ways[way].name, (int)turn,
                         nas_context_error(f->context));
            done = status == NAS_DONE;
            if (status == NAS_WAIT && n == 0) fail_msg("%s waits for nothing", ways[way].name);
        }
        if (n == 0) break;
        size_t k = pick(order, n, (*told)++);
        finish(f, controller, flight[k], turns[k], fails);
        memmove(&flight[k], &flight[k + 1], (n - k - 1) * sizeof *flight);
        memmove(&turns[k], &turns[k + 1], (n - k - 1) * sizeof *turns);
        n--;
        if (reloads && *told % 17 == 0) controller = reload(f, controller, make(f, way));
    }
    nas_controller_free(controller);
    return text;
}

static void test_orders(void **state) {
    (void)state;
    for (uint32_t c = 0; nas_controller_builtin(c); c++) { /* none is left out */
        bool there = false;
        for (size_t way = 0; way < sizeof ways / sizeof *ways; way++)
            there |= strcmp(ways[way].name, nas_controller_builtin(c)) == 0;
        if (!there) fail_msg("%s is not tried", nas_controller_builtin(c));
    }
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        fixture f;
        fixture_begin(&f, N, M);
        for (int order = 0; order < ORDERS; order++)
            for (int fails = 0; fails < 2; fails++) {
                uint64_t told, again;
                char *one = drive(&f, way, order, fails, false, &told);
                char *two = drive(&f, way, order, fails, true, &again);
                if (strcmp(one, two) != 0 || told != again)
                    fail_msg("%s (way %zu, order %d, fails %d) differs when it is saved and loaded",
                             ways[way].name, way, order, fails);
                assert_true(told >= 40); /* some are done with all that there is */
                free(one);
                free(two);
            }
        fixture_end(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_orders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
