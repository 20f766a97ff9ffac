/* Exhaustive search, local search, evolution that does not age, NSGA-II: on scores whose answers
 * are known, told late and in disorder, saved and loaded on the way. */
#include "support.h"
#include "controller/controller.h"

/* reason 0: complete, with both metrics. */
static void tell(fixture *f, nas_controller *controller, const nas_proposal *p, double score,
                 double cost, int32_t reason) {
    nas_result_builder *builder;
    nas_result *result;
    MUST(f->context, nas_result_create(&builder, f->context));
    if (reason) {
        MUST(f->context, nas_result_set_infeasible(builder, reason, ""));
        score = -INFINITY;
    } else {
        MUST(f->context, nas_result_set(builder, "accuracy", score));
        MUST(f->context, nas_result_set(builder, "params", cost));
    }
    MUST(f->context, ni_result_take(builder, &result));
    ni_result_set_score(result, score);
    MUST(f->context, nas_controller_tell(controller, p, result));
    ni_result_free(result);
    nas_result_free(builder);
}

/* What is asked with `window` in flight, told last first when the window is full or the controller
 * waits; every seventh result fails, every eleventh vanishes. Texts of all that was asked; with a
 * save and a load after each `reload_every`. */
static char *history(fixture *f, const char *name, const char *const *settings, size_t n,
                     uint64_t turns, size_t window, uint64_t reload_every) {
    nas_controller *controller = named(f, name, settings, n);
    nas_proposal *flight[16];
    size_t in_flight = 0;
    char *all = calloc(1, turns * 64 + 64);
    for (uint64_t turn = 0; turn < turns; turn++) {
        if (reload_every && turn % reload_every == 0)
            controller = reload(f, controller, named(f, name, settings, n));
        for (;;) {
            nas_status status =
                in_flight < window ? ask(f, controller, turn, &flight[in_flight]) : NAS_WAIT;
            assert_true(status >= 0);
            if (status == NAS_OK) break;
            if (status == NAS_DONE && in_flight == 0) {
                strcat(all, "done");
                goto end;
            }
            assert_true(in_flight > 0);
            nas_proposal *p = flight[--in_flight];
            uint64_t number = nas_proposal_turn(p);
            double value = letters_value(p, 4, 3);
            tell(f, controller, p, value, value * value,
                 number % 7 == 6     ? NAS_REASON_DIVERGED
                 : number % 11 == 10 ? NAS_REASON_VANISHED
                                     : 0);
            ni_proposal_free(p);
        }
        strcat(all, nas_arch_text(nas_proposal_arch(flight[in_flight++])));
        strcat(all, "\n");
    }
end:
    while (in_flight)
        ni_proposal_free(flight[--in_flight]);
    nas_controller_free(controller);
    return all;
}

static void test_saved_and_loaded(void **state) {
    static const struct {
        const char *name, *settings[4];
        size_t n;
    } all[] = {{"exhaustive", {"distinct=yes"}, 1},
               {"local-search", {"initial=3", "whole=yes"}, 2},
               {"local-search", {"distinct=no"}, 1},
               {"evolution", {"population=5", "sample=3", "death=worst"}, 3},
               {"evolution", {"population=5", "sample=3", "death=loser"}, 3},
               {"nsga2", {"population=6"}, 1}};
    fixture f;
    (void)state;
    fixture_begin(&f, 4, 3);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t window = 1; window <= 4; window += 3) {
            char *plain = history(&f, all[i].name, all[i].settings, all[i].n, 60, window, 0);
            char *broken = history(&f, all[i].name, all[i].settings, all[i].n, 60, window, 7);
            assert_string_equal(plain, broken);
            free(plain);
            free(broken);
        }
    fixture_end(&f);
}

static void test_exhaustive(void **state) {
    fixture f;
    nas_proposal *p;
    (void)state;
    fixture_begin(&f, 3, 3);
    const char *from[] = {"first=5"}, *past[] = {"first=27"};
    nas_controller *controller = named(&f, "exhaustive", from, 1);
    for (uint64_t turn = 0; turn < 22; turn++) {
        nas_arch *arch;
        MUST(f.context, ask(&f, controller, turn, &p));
        MUST(f.context, nas_space_at(f.space, 5 + turn, &arch));
        assert_true(nas_arch_equal(arch, nas_proposal_arch(p)));
        nas_arch_free(arch);
        ni_proposal_free(p);
    }
    assert_int_equal(ask(&f, controller, 22, &p), NAS_DONE);
    nas_controller_free(controller);
    FAILS(f.context, NAS_E_INVALID, "has 27",
          nas_controller_named(&controller, f.space, "exhaustive", past, 1));
    fixture_end(&f);
}

/* One hill: from anywhere the climb goes to the top, a step each at the cost of at most all
 * neighbours, and a neighbour is never asked for twice. */
static void test_local_climbs(void **state) {
    fixture f;
    (void)state;
    fixture_begin(&f, 6, 4);
    const char *whole[] = {"whole=yes"};
    for (size_t n = 0; n <= 1; n++) {
        nas_controller *controller = named(&f, "local-search", whole, n);
        char *texts[128];
        uint64_t turn = 0, asked;
        double best = -1;
        for (; turn < 128 && best < 1; turn++) {
            nas_proposal *p;
            MUST(f.context, ask(&f, controller, turn, &p));
            texts[turn] = strdup(nas_arch_text(nas_proposal_arch(p)));
            for (uint64_t i = 0; i < turn; i++)
                assert_string_not_equal(texts[i], texts[turn]);
            double score = letters_value(p, 6, 4);
            tell(&f, controller, p, score, 0, 0);
            if (score > best) best = score;
            ni_proposal_free(p);
        }
        asked = turn;
        while (turn)
            free(texts[--turn]);
        assert_true(best == 1); /* of 4,096 */
        assert_true(asked <= 1 + 18 * 6);
        nas_controller_free(controller);
    }
    fixture_end(&f);
}

/* death = worst keeps what is best for ever; death = oldest does not. */
static void test_deaths(void **state) {
    static const char *const deaths[] = {"death=oldest", "death=worst", "death=loser"};
    fixture f;
    (void)state;
    fixture_begin(&f, 4, 3);
    for (int d = 0; d < 3; d++) {
        const char *settings[] = {"population=4", "sample=2", deaths[d]};
        nas_controller *controller = named(&f, "evolution", settings, 3);
        nas_sink *sink;
        size_t n;
        for (uint64_t turn = 0; turn < 40; turn++) {
            nas_proposal *p;
            MUST(f.context, ask(&f, controller, turn, &p));
            /* The first is the best; all others are alike. */
            tell(&f, controller, p, turn == 0 ? 1 : 0.5, 0, 0);
            ni_proposal_free(p);
        }
        MUST(f.context, nas_sink_memory(&sink, f.context));
        MUST(f.context, nas_controller_describe(controller, sink));
        const char *text = nas_sink_data(sink, &n);
        assert_non_null(strstr(text, "population 4 of 4, 40 born"));
        bool lives = strstr(text, "trial 0, score 1") != NULL;
        if (d == 0) assert_false(lives);
        if (d == 1) assert_true(lives);
        nas_sink_free(sink);
        nas_controller_free(controller);
    }
    const char *unknown[] = {"death=youngest"}, *rule[] = {"mutation=amoebanet"};
    nas_controller *controller;
    FAILS(f.context, NAS_E_INVALID, "oldest, worst, loser",
          nas_controller_named(&controller, f.space, "evolution", unknown, 1));
    FAILS(f.context, NAS_E_UNSUPPORTED, "amoebanet",
          nas_controller_named(&controller, f.space, "evolution", rule, 1));
    fixture_end(&f);
}

/* Two objectives that pull apart: accuracy rises with the letters, so does the cost. Every network
 * is on the front of its own sum; what the parents hold after many generations is spread over it,
 * both ends among them. */
static void test_nsga2(void **state) {
    fixture f;
    nas_sink *sink;
    size_t n;
    (void)state;
    fixture_begin(&f, 4, 3);
    const char *settings[] = {"population=12", "distinct=no"};
    nas_controller *controller = named(&f, "nsga2", settings, 2);
    for (uint64_t turn = 0; turn < 12 * 25 + 1; turn++) {
        nas_proposal *p;
        nas_value first;
        MUST(f.context, ask(&f, controller, turn, &p));
        MUST(f.context, nas_proposal_value(p, 0, &first));
        /* The first letter costs and brings nothing: on the front it is 0. */
        double value = letters_value(p, 4, 3) - (double)first.integer / 8;
        tell(&f, controller, p, value, value + (double)first.integer,
             turn % 17 == 16 ? NAS_REASON_MEMORY : 0);
        ni_proposal_free(p);
    }
    MUST(f.context, nas_sink_memory(&sink, f.context));
    MUST(f.context, nas_controller_describe(controller, sink));
    const char *text = nas_sink_data(sink, &n);
    assert_non_null(strstr(text, "generation 25: 12 parents"));
    assert_non_null(strstr(text, "d0=a d1=a d2=a d3=a"));
    assert_non_null(strstr(text, "d0=a d1=c d2=c d3=c"));
    assert_null(strstr(text, "d0=b"));
    assert_null(strstr(text, "d0=c"));
    nas_sink_free(sink);
    nas_controller_free(controller);
    const char *empty[] = {"objectives=accuracy,"};
    FAILS(f.context, NAS_E_INVALID, "objectives",
          nas_controller_named(&controller, f.space, "nsga2", empty, 1));
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saved_and_loaded),
        cmocka_unit_test(test_exhaustive),
        cmocka_unit_test(test_local_climbs),
        cmocka_unit_test(test_deaths),
        cmocka_unit_test(test_nsga2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
