/* Random search and regularized evolution, driven by hand: what they propose, what they keep, and
 * that their bytes are all of their state. */
#include "support.h"
#include "controller/controller.h"

static void tell(fixture *f, nas_controller *controller, const nas_proposal *p, double score) {
    nas_result_builder *builder;
    nas_result *result;
    MUST(f->context, nas_result_create(&builder, f->context));
    if (isfinite(score))
        MUST(f->context, nas_result_set(builder, "accuracy", score));
    else
        MUST(f->context, nas_result_set_infeasible(builder, NAS_REASON_DIVERGED, ""));
    MUST(f->context, ni_result_take(builder, &result));
    ni_result_set_score(result, score);
    MUST(f->context, nas_controller_tell(controller, p, result));
    ni_result_free(result);
    nas_result_free(builder);
}

/* ---- by name
 * ------------------------------------------------------------------------------------------ */

static void test_named(void **state) {
    fixture f;
    nas_controller *controller;
    (void)state;
    fixture_begin(&f, 2, 3);
    const char *good[] = {"population=20", "sample=5", "distinct=yes"};
    const char *unknown[] = {"populaton=20"}, *range[] = {"population=0"},
               *text[] = {"sample=five"}, *form[] = {"sample"},
               *too_many[] = {"population=3", "sample=4"}, *choice[] = {"distinct=perhaps"};
    nas_controller_free(named(&f, "evolution", good, 3));
    const char *small[] = {"population=3"};
    nas_controller_free(named(&f, "evolution", small, 1)); /* the default sample shrinks with it */
    FAILS(f.context, NAS_E_NOT_FOUND, "did you mean 'population'",
          nas_controller_named(&controller, f.space, "evolution", unknown, 1));
    FAILS(f.context, NAS_E_INVALID, "1 .. 1000000",
          nas_controller_named(&controller, f.space, "evolution", range, 1));
    FAILS(f.context, NAS_E_INVALID, "'five'",
          nas_controller_named(&controller, f.space, "evolution", text, 1));
    FAILS(f.context, NAS_E_INVALID, "name=value",
          nas_controller_named(&controller, f.space, "evolution", form, 1));
    FAILS(f.context, NAS_E_INVALID, "population, which is 3",
          nas_controller_named(&controller, f.space, "evolution", too_many, 2));
    FAILS(f.context, NAS_E_INVALID, "yes or no",
          nas_controller_named(&controller, f.space, "evolution", choice, 1));
    FAILS(f.context, NAS_E_NOT_FOUND, "did you mean \"random\"",
          nas_controller_named(&controller, f.space, "randon", NULL, 0));
    FAILS(f.context, NAS_E_NOT_FOUND, "there are random, evolution",
          nas_controller_named(&controller, f.space, "gradient descent", NULL, 0));
    for (uint32_t i = 0; nas_controller_builtin(i); i++) {
        const char *settings = nas_controller_settings(nas_controller_builtin(i));
        assert_non_null(settings);
        /* Every setting that the text lists exists, with the default that it names. */
        for (const char *line = settings; *line; line = strchr(line, '\n') + 1) {
            char name[32], value[32], setting[72];
            assert_int_equal(sscanf(line, "%31s = %31[^:]:", name, value), 2);
            snprintf(setting, sizeof setting, "%s=%s", name, value);
            const char *one[] = {setting};
            nas_controller_free(named(&f, nas_controller_builtin(i), one, 1));
        }
    }
    assert_null(nas_controller_settings("nothing"));
    fixture_end(&f);
}

static nas_status no_ask(void *self, nas_random *stream, nas_proposal_builder *out) {
    (void)self, (void)stream, (void)out;
    return NAS_DONE;
}
static nas_status no_save(void *self, nas_writer *to) {
    (void)self, (void)to;
    return NAS_OK;
}

static void test_table(void **state) {
    fixture f;
    nas_controller *controller;
    nas_controller_ops ops = {.struct_size = sizeof ops};
    (void)state;
    fixture_begin(&f, 1, 2);
    FAILS(f.context, NAS_E_INVALID, "has no ask",
          nas_controller_create(&controller, f.context, "mine", &ops, NULL));
    ops.ask = no_ask;
    ops.save = no_save;
    FAILS(f.context, NAS_E_INVALID, "save without load",
          nas_controller_create(&controller, f.context, "mine", &ops, NULL));
    ops.save = NULL;
    ops.flags = 1u << 31;
    FAILS(f.context, NAS_E_INVALID, "not known",
          nas_controller_create(&controller, f.context, "mine", &ops, NULL));
    ops.flags = 0;
    FAILS(f.context, NAS_E_INVALID, "name",
          nas_controller_create(&controller, f.context, "", &ops, NULL));
    MUST(f.context, nas_controller_create(&controller, f.context, "mine", &ops, NULL));
    assert_string_equal(nas_controller_name(controller), "mine");
    FAILS(f.context, NAS_E_UNSUPPORTED, "no forget", nas_controller_forget(controller, 3));
    nas_controller_free(controller);
    nas_controller_free(NULL);
    fixture_end(&f);
}

/* ---- random
 * ------------------------------------------------------------------------------------------- */

static void test_random_without(void **state) {
    /* 3 decisions of 3: 27 networks, each once, then done; also when it is saved on the way. */
    fixture f;
    (void)state;
    fixture_begin(&f, 3, 3);
    const char *without[] = {"replacement=no"};
    for (uint64_t reload_at = 0; reload_at <= 27; reload_at += 9) {
        nas_controller *controller = named(&f, "random", without, 1);
        char *texts[27];
        nas_proposal *p;
        for (uint64_t turn = 0; turn < 27; turn++) {
            if (turn == reload_at)
                controller = reload(&f, controller, named(&f, "random", without, 1));
            MUST(f.context, ask(&f, controller, turn, &p));
            texts[turn] = strdup(nas_arch_text(nas_proposal_arch(p)));
            for (uint64_t i = 0; i < turn; i++)
                assert_string_not_equal(texts[i], texts[turn]);
            ni_proposal_free(p);
        }
        assert_int_equal(ask(&f, controller, 27, &p), NAS_DONE);
        assert_int_equal(ask(&f, controller, 28, &p), NAS_DONE);
        for (int i = 0; i < 27; i++)
            free(texts[i]);
        nas_controller_free(controller);
    }
    fixture_end(&f);
}

static void test_random_with(void **state) {
    /* Uniform: 9 networks, 1800 samples; chi-square with 8 degrees of freedom below 26.1 (0.1 %).
     */
    fixture f;
    double counts[9] = {0}, chi = 0;
    (void)state;
    fixture_begin(&f, 2, 3);
    nas_controller *controller = named(&f, "random", NULL, 0);
    for (uint64_t turn = 0; turn < 1800; turn++) {
        nas_proposal *p;
        nas_value a, b;
        MUST(f.context, ask(&f, controller, turn, &p));
        MUST(f.context, nas_proposal_value(p, 0, &a));
        MUST(f.context, nas_proposal_value(p, 1, &b));
        counts[3 * a.integer + b.integer]++;
        ni_proposal_free(p);
    }
    for (int i = 0; i < 9; i++)
        chi += (counts[i] - 200) * (counts[i] - 200) / 200;
    assert_true(chi < 26.1);
    nas_controller_free(controller);
    fixture_end(&f);
}

/* ---- evolution
 * ------------------------------------------------------------------------------------------ */

enum { BITS = 8, POPULATION = 6, CYCLES = 60 };

static double bits_score(const nas_proposal *p) {
    return letters_value(p, BITS, 2);
}

static uint32_t differences(const nas_arch *a, const nas_arch *b) {
    uint32_t n = 0;
    nas_value x, y;
    for (uint32_t d = 0; d < BITS; d++) {
        assert_int_equal(nas_arch_value(a, d, &x), NAS_OK);
        assert_int_equal(nas_arch_value(b, d, &y), NAS_OK);
        n += x.integer != y.integer;
    }
    return n;
}

static void test_evolution_ages(void **state) {
    /* One at a time: the first POPULATION are random, then every child differs from a living parent
     * in one decision, and every individual lives exactly POPULATION cycles. */
    fixture f;
    nas_arch *history[CYCLES];
    double best = -1;
    (void)state;
    fixture_begin(&f, BITS, 2);
    const char *settings[] = {"population=6", "sample=3"};
    nas_controller *controller = named(&f, "evolution", settings, 2);
    for (uint64_t turn = 0; turn < CYCLES; turn++) {
        nas_proposal *p;
        MUST(f.context, ask(&f, controller, turn, &p));
        uint64_t parent = nas_proposal_parent(p);
        history[turn] = nas_arch_hold((nas_arch *)(uintptr_t)nas_proposal_arch(p));
        if (turn < POPULATION) {
            assert_true(parent == NAS_TRIAL_NONE);
        } else {
            assert_true(parent < turn && parent + POPULATION >= turn); /* alive */
            assert_int_equal(differences(history[turn], history[parent]), 1);
            char note[64];
            snprintf(note, sizeof note, "mutation of %d: d", (int)parent + 1);
            assert_int_equal(strncmp(nas_proposal_note(p), note, strlen(note)), 0);
        }
        tell(&f, controller, p, bits_score(p));
        if (bits_score(p) > best) best = bits_score(p);
        ni_proposal_free(p);
    }
    assert_true(best == 1); /* all ones, in 60 of 256 */
    for (int i = 0; i < CYCLES; i++)
        nas_arch_free(history[i]);
    nas_controller_free(controller);
    fixture_end(&f);
}

static void test_evolution_parents(void **state) {
    /* With sample = 1 every living individual is a parent equally often (the scores do not matter):
     * chi-square with 5 degrees of freedom below 20.5 (0.1 %). With sample = population and without
     * replacement the parent is always the first of the best. */
    fixture f;
    double ages[POPULATION] = {0}, chi = 0;
    (void)state;
    fixture_begin(&f, BITS, 2);
    for (int all = 0; all < 2; all++) {
        const char *one_settings[] = {"population=6", "sample=1"},
                   *all_settings[] = {"population=6", "sample=6", "replacement=no"};
        nas_controller *controller =
            all ? named(&f, "evolution", all_settings, 3) : named(&f, "evolution", one_settings, 2);
        double scores[1500];
        for (uint64_t turn = 0; turn < 1500; turn++) {
            nas_proposal *p;
            MUST(f.context, ask(&f, controller, turn, &p));
            uint64_t parent = nas_proposal_parent(p), first = turn - POPULATION;
            scores[turn] = (double)(turn * 7 % 5); /* with ties */
            if (turn >= POPULATION) {
                if (all) {
                    uint64_t best = first;
                    for (uint64_t i = first; i < turn; i++)
                        if (scores[i] > scores[best]) best = i;
                    assert_true(scores[parent] == scores[best]);
                } else {
                    ages[parent - first]++;
                }
            }
            tell(&f, controller, p, scores[turn]);
            ni_proposal_free(p);
        }
        nas_controller_free(controller);
    }
    for (int i = 0; i < POPULATION; i++)
        chi += pow(ages[i] - 249, 2) / 249;
    assert_true(chi < 20.5);
    fixture_end(&f);
}

static void test_evolution_in_flight(void **state) {
    /* Asks in flight count towards the initial population; before the first result it waits. */
    fixture f;
    nas_proposal *flight[POPULATION], *p;
    (void)state;
    fixture_begin(&f, BITS, 2);
    const char *settings[] = {"population=6", "sample=2"};
    nas_controller *controller = named(&f, "evolution", settings, 2);
    for (uint64_t turn = 0; turn < POPULATION; turn++)
        MUST(f.context, ask(&f, controller, turn, &flight[turn]));
    assert_int_equal(ask(&f, controller, POPULATION, &p), NAS_WAIT);
    tell(&f, controller, flight[2], 0.5);
    MUST(f.context, ask(&f, controller, POPULATION, &p));
    assert_int_equal(nas_proposal_parent(p), 2); /* the only one alive */
    ni_proposal_free(p);
    /* One that diverged enters as the worst. */
    tell(&f, controller, flight[0], -INFINITY);
    int of_failed = 0;
    for (uint64_t turn = 0; turn < 40; turn++) {
        MUST(f.context, ask(&f, controller, 100 + turn, &p));
        of_failed += nas_proposal_parent(p) == 0;
        ni_proposal_free(p);
    }
    assert_true(of_failed > 0 && of_failed < 25); /* only where it was drawn twice */
    for (int i = 0; i < POPULATION; i++)
        ni_proposal_free(flight[i]);
    nas_controller_free(controller);
    fixture_end(&f);
}

static void test_evolution_distinct(void **state) {
    /* 4 decisions of 2: 16 networks. Distinct evolution proposes none twice while its retries find
     * another; without it, it repeats itself at once. */
    fixture f;
    (void)state;
    fixture_begin(&f, 4, 2);
    for (int distinct = 0; distinct < 2; distinct++) {
        const char *settings[] = {"population=4", "sample=2",
                                  distinct ? "distinct=yes" : "distinct=no", "retries=1000",
                                  "mutations=3"};
        nas_controller *controller = named(&f, "evolution", settings, 5);
        char *texts[12];
        int repeats = 0;
        for (uint64_t turn = 0; turn < 12; turn++) {
            nas_proposal *p;
            MUST(f.context, ask(&f, controller, turn, &p));
            texts[turn] = strdup(nas_arch_text(nas_proposal_arch(p)));
            for (uint64_t i = 0; i < turn; i++)
                repeats += !strcmp(texts[i], texts[turn]);
            tell(&f, controller, p, letters_value(p, 4, 2));
            ni_proposal_free(p);
        }
        if (distinct)
            assert_int_equal(repeats, 0);
        else
            assert_true(repeats > 0);
        for (int i = 0; i < 12; i++)
            free(texts[i]);
        nas_controller_free(controller);
    }
    fixture_end(&f);
}

static void test_evolution_bytes(void **state) {
    /* Saved and loaded at any moment, with asks in flight, it goes on with the same proposals. */
    fixture f;
    (void)state;
    fixture_begin(&f, BITS, 2);
    const char *settings[] = {"population=6", "sample=3", "distinct=yes"};
    for (uint64_t reload_at = 0; reload_at < 24; reload_at += 5) {
        nas_controller *controller = named(&f, "evolution", settings, 3),
                       *straight = named(&f, "evolution", settings, 3);
        nas_proposal *flight[3] = {NULL}, *p, *q;
        for (uint64_t turn = 0; turn < 24; turn++) {
            const char *what;
            if (turn == reload_at)
                controller = reload(&f, controller, named(&f, "evolution", settings, 3));
            if (flight[turn % 3]) { /* told three turns late */
                tell(&f, controller, flight[turn % 3], bits_score(flight[turn % 3]));
                tell(&f, straight, flight[turn % 3], bits_score(flight[turn % 3]));
                ni_proposal_free(flight[turn % 3]);
            }
            MUST(f.context, ask(&f, controller, turn, &p));
            MUST(f.context, ask(&f, straight, turn, &q));
            if (!ni_proposal_equal(p, q, &what)) fail_msg("turn %d: %s", (int)turn, what);
            ni_proposal_free(q);
            flight[turn % 3] = p;
        }
        for (int i = 0; i < 3; i++)
            ni_proposal_free(flight[i]);
        nas_controller_free(controller);
        nas_controller_free(straight);
    }
    /* Another setting, and damaged bytes, are refused. */
    nas_controller *controller = named(&f, "evolution", settings, 3);
    nas_writer *writer;
    nas_reader *reader;
    nas_proposal *p;
    size_t n;
    for (uint64_t turn = 0; turn < 8; turn++) {
        MUST(f.context, ask(&f, controller, turn, &p));
        tell(&f, controller, p, bits_score(p));
        ni_proposal_free(p);
    }
    MUST(f.context, nas_writer_create(&writer, f.context));
    MUST(f.context, nas_controller_save(controller, writer));
    const void *bytes = nas_writer_data(writer, &n);
    const char *other_settings[] = {"population=6", "sample=4", "distinct=yes"};
    nas_controller *other = named(&f, "evolution", other_settings, 3);
    MUST(f.context, nas_reader_create(&reader, f.context, bytes, n));
    FAILS(f.context, NAS_E_STATE, "sample was 3", nas_controller_load(other, reader));
    nas_reader_free(reader);
    nas_controller_free(other);
    for (size_t cut = 0; cut < n; cut++) {
        other = named(&f, "evolution", settings, 3);
        MUST(f.context, nas_reader_create(&reader, f.context, bytes, cut));
        assert_true(nas_controller_load(other, reader) < 0);
        nas_reader_free(reader);
        nas_controller_free(other);
    }
    nas_sink *sink;
    MUST(f.context, nas_sink_memory(&sink, f.context));
    MUST(f.context, nas_controller_describe(controller, sink));
    assert_non_null(strstr(nas_sink_data(sink, &n), "population 6 of 6, 8 born"));
    nas_sink_free(sink);
    nas_writer_free(writer);
    nas_controller_free(controller);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_random_without),
        cmocka_unit_test(test_random_with),
        cmocka_unit_test(test_evolution_ages),
        cmocka_unit_test(test_evolution_parents),
        cmocka_unit_test(test_evolution_in_flight),
        cmocka_unit_test(test_evolution_distinct),
        cmocka_unit_test(test_evolution_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
