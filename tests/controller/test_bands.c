/* Successive halving, ASHA, Hyperband and BOHB, driven by hand. */
#include "support.h"
#include "controller/bands.h"

typedef struct {
    const char *name, *settings[8];
    size_t n;
} made;

static const made ways[] = {
    {"halving", {"max_epochs=27", "brackets=2", "overlap=no"}, 3},
    {"asha", {"max_epochs=27", "candidates=27"}, 2},
    {"hyperband", {"max_epochs=9", "brackets=4", "overlap=no"}, 3},
    {"bohb", {"max_epochs=9", "brackets=9", "overlap=no", "samples=8"}, 4},
    {"halving", {"max_epochs=9", "brackets=3", "candidates=7"}, 3},
    {"hyperband", {"max_epochs=9", "brackets=4", "original=yes"}, 3},
    {"bohb", {"max_epochs=9", "brackets=9", "samples=8", "ordinal=no"}, 4},
};

/* A real in logarithms, an integer, rising numbers, names, and one that depends; a constraint. */
static nas_space *mixed_space(nas_context *context) {
    static const char *const batches[] = {"16", "32", "64", "128"}, *const kinds[] = {"a", "b",
                                                                                      "c"};
    nas_space *space;
    MUST(context, nas_space_create(&space, context, "mixed"));
    MUST(context, nas_space_add_choice(space, "kind", kinds, 3));
    MUST(context, nas_space_add_real(space, "rate", 1e-4, 1, 1));
    MUST(context, nas_space_add_integer(space, "width", 4, 40, 4));
    MUST(context, nas_space_add_choice(space, "batch", batches, 4));
    MUST(context, nas_space_add_real(space, "decay", 0, 1, 0));
    MUST(context, nas_space_add_condition(space, "kind", "b"));
    MUST(context, nas_space_add_constraint(space, "width >= 8"));
    MUST(context, nas_space_finish(space));
    return space;
}

static void begin(fixture *f) {
    memset(f, 0, sizeof *f);
    f->context = make_context(&f->memory, 1);
    f->space = mixed_space(f->context);
}

static nas_controller *make(fixture *f, const made *way) {
    nas_controller *controller;
    MUST(f->context, nas_controller_named(&controller, f->space, way->name, way->settings, way->n));
    return controller;
}

/* What a network is worth: best at kind b, rate 0.01, width 20, batch 64, decay 0.5. */
static double worth(const nas_proposal *p) {
    nas_value kind, rate, width, batch, decay;
    double all = 0;
    assert_int_equal(nas_proposal_value(p, 0, &kind), NAS_OK);
    assert_int_equal(nas_proposal_value(p, 1, &rate), NAS_OK);
    assert_int_equal(nas_proposal_value(p, 2, &width), NAS_OK);
    assert_int_equal(nas_proposal_value(p, 3, &batch), NAS_OK);
    all -= fabs(log10(rate.real) + 2) / 4 + fabs((double)width.integer - 20) / 32 +
           fabs((double)batch.integer - 2) / 4 + (kind.integer == 1 ? 0 : 0.5);
    if (kind.integer == 1) {
        assert_int_equal(nas_proposal_value(p, 4, &decay), NAS_OK);
        all -= fabs(decay.real - 0.5);
    }
    assert_true(width.integer >= 8); /* the constraint */
    return all;
}

static nas_status tell(fixture *f, nas_controller *controller, const nas_proposal *p, double score,
                       int32_t reason) {
    nas_result_builder *builder;
    nas_result *result;
    MUST(f->context, nas_result_create(&builder, f->context));
    if (reason == NAS_REASON_NONE)
        MUST(f->context, nas_result_set(builder, "accuracy", score));
    else
        MUST(f->context, nas_result_set_infeasible(builder, reason, ""));
    MUST(f->context, ni_result_take(builder, &result));
    ni_result_set_score(result, reason == NAS_REASON_NONE ? score : -INFINITY);
    nas_status status = nas_controller_tell(controller, p, result);
    ni_result_free(result);
    nas_result_free(builder);
    return status;
}

/* ---- a whole run as a text
 * --------------------------------------------------------------------- */

enum { IN_TURN, BACKWARDS, SHUFFLED };

typedef struct {
    uint64_t window, turns;
    int order;
    int fails;      /* of ten trials so many fail */
    int64_t reload; /* at that turn it is saved and put into a fresh one; -1: never, -2: at each */
    const made *other; /* a second controller that must say the same; NULL: none */
} manner;

typedef struct {
    char *text;
    uint64_t trials, sampled, continued, modelled, promoted_failed;
    double epochs, best, best_full, full;
    char *described;
} outcome;

static void note_proposal(outcome *o, size_t *n, const nas_proposal *p, const bool *failed) {
    int32_t how;
    uint64_t from = nas_proposal_from(p, &how);
    double epochs = nas_proposal_fidelity(p, "epochs", -1);
    o->text = realloc(o->text, *n + 512);
    assert_non_null(o->text);
    *n += (size_t)snprintf(o->text + *n, 512, "%d %s %g %d %s\n", (int)nas_proposal_turn(p),
                           nas_arch_text(nas_proposal_arch(p)), epochs, (int)from,
                           nas_proposal_note(p));
    o->trials++;
    if (from == NAS_TRIAL_NONE) {
        o->sampled++;
        if (worth(p) > o->best) o->best = worth(p);
        o->modelled += strstr(nas_proposal_note(p), "model of") != NULL;
    } else {
        assert_int_equal(how, NAS_FROM_CONTINUE);
        o->continued++;
        o->promoted_failed += failed[from];
    }
}

/* Asks until it waits or `window` are in flight, then tells one, of all that are in flight in the
 * given order; with BACKWARDS and SHUFFLED all of them before the next ask. */
static outcome drive(const made *way, manner m) {
    fixture f;
    begin(&f);
    nas_controller *controller = make(&f, way), *other = m.other ? make(&f, m.other) : NULL;
    outcome o = {.text = calloc(1, 1), .best = -INFINITY, .best_full = -INFINITY};
    nas_proposal **flight = calloc(m.window, sizeof(nas_proposal *)), *again;
    bool *failed = calloc(m.turns + 1, sizeof *failed);
    size_t n = 0, n_flight = 0;
    nas_status status = NAS_OK;
    nas_random shuffle;
    assert_non_null(flight);
    assert_non_null(failed);
    ni_random_init(&shuffle, 9, 9, "shuffle");
    for (uint64_t turn = 0; turn < m.turns;) {
        if (m.reload == -2 || m.reload == (int64_t)turn)
            controller = reload(&f, controller, make(&f, way));
        for (; n_flight < m.window && turn < m.turns; turn++) {
            status = ask(&f, controller, turn, &flight[n_flight]);
            if (other) {
                nas_status same = ask(&f, other, turn, &again);
                const char *what;
                assert_int_equal(status, same);
                if (status == NAS_OK && !ni_proposal_equal(flight[n_flight], again, &what))
                    fail_msg("turn %d: %s", (int)turn, what);
                if (status == NAS_OK) ni_proposal_free(again);
            }
            if (status == NAS_WAIT || status == NAS_DONE) break;
            MUST(f.context, status);
            note_proposal(&o, &n, flight[n_flight++], failed);
        }
        if (status == NAS_DONE && n_flight == 0) break;
        assert_true(n_flight > 0); /* it never waits for nothing */
        if (m.order == BACKWARDS)
            for (size_t i = 0; i < n_flight / 2; i++) {
                nas_proposal *p = flight[i];
                flight[i] = flight[n_flight - 1 - i];
                flight[n_flight - 1 - i] = p;
            }
        if (m.order == SHUFFLED)
            for (size_t i = n_flight; i > 1; i--) {
                size_t j = nas_random_below(&shuffle, i);
                nas_proposal *p = flight[i - 1];
                flight[i - 1] = flight[j];
                flight[j] = p;
            }
        for (size_t i = 0; i < n_flight; i++) {
            uint64_t t = nas_proposal_turn(flight[i]);
            double score = worth(flight[i]), epochs = nas_proposal_fidelity(flight[i], "epochs", 0);
            int32_t reason = NAS_REASON_NONE;
            if ((t * 7919 + 3) % 10 < (uint64_t)m.fails)
                reason = t % 2 ? NAS_REASON_VANISHED : NAS_REASON_DIVERGED;
            failed[t] = reason != NAS_REASON_NONE;
            if (m.reload == -2) controller = reload(&f, controller, make(&f, way));
            MUST(f.context, tell(&f, controller, flight[i], score, reason));
            if (other) MUST(f.context, tell(&f, other, flight[i], score, reason));
            o.epochs += epochs;
            if (reason == NAS_REASON_NONE && epochs > o.full) o.full = epochs, o.best_full = score;
            if (reason == NAS_REASON_NONE && epochs == o.full && score > o.best_full)
                o.best_full = score;
            ni_proposal_free(flight[i]);
        }
        n_flight = 0;
    }
    assert_true(n_flight == 0);
    nas_sink *sink;
    MUST(f.context, nas_sink_memory(&sink, f.context));
    MUST(f.context, nas_controller_describe(controller, sink));
    o.described = strdup(nas_sink_data(sink, &n));
    nas_sink_free(sink);
    nas_controller_free(controller);
    nas_controller_free(other);
    free(flight);
    free(failed);
    fixture_end(&f);
    return o;
}

static void forget(outcome *o) {
    free(o->text);
    free(o->described);
}

/* ---- the tests
 * --------------------------------------------------------------------------------- */

static void test_best(void **state) {
    /* With a loss that does not depend on the epochs the best of all sampled is trained in full,
     * whatever the window. */
    static const struct {
        uint64_t trials, sampled;
        double epochs;
    } expected[] = {{80, 54, 216}, {0, 27, 0}, {9 + 3 + 1 + 3 + 1 + 3 + 13, 24, 0}, {0, 0, 0}};
    (void)state;
    for (size_t w = 0; w < NI_COUNT(ways); w++)
        for (uint64_t window = 1; window < 30; window = 3 * window + 1) {
            outcome o = drive(&ways[w], (manner){window, 2000, IN_TURN, 0, -1, NULL});
            assert_true(o.best_full == o.best);
            assert_true(o.full == (w < 2 ? 27 : 9));
            assert_true(o.continued > 0);
            if (w < NI_COUNT(expected) && expected[w].trials)
                assert_int_equal(o.trials, expected[w].trials);
            if (w < NI_COUNT(expected) && expected[w].sampled)
                assert_int_equal(o.sampled, expected[w].sampled);
            if (w < NI_COUNT(expected) && expected[w].epochs > 0)
                assert_true(o.epochs == expected[w].epochs);
            /* scores do not change between rungs */
            assert_non_null(strstr(o.described, "1 to 3 epochs: rank correlation 1.000 over "));
            forget(&o);
        }
}

static void test_orders(void **state) {
    /* What was told matters, not in which order. */
    (void)state;
    for (size_t w = 0; w < NI_COUNT(ways); w++)
        for (uint64_t window = 2; window < 40; window = 3 * window + 1) {
            outcome a = drive(&ways[w], (manner){window, 150, IN_TURN, 2, -1, NULL}),
                    b = drive(&ways[w], (manner){window, 150, BACKWARDS, 2, -1, NULL}),
                    c = drive(&ways[w], (manner){window, 150, SHUFFLED, 2, -1, NULL});
            assert_string_equal(a.text, b.text);
            assert_string_equal(a.text, c.text);
            assert_string_equal(a.described, b.described);
            forget(&a);
            forget(&b);
            forget(&c);
        }
    /* And where nothing overlaps and nothing is learnt, not how many were in flight. */
    for (size_t w = 0; w <= 2; w += 2) {
        outcome a = drive(&ways[w], (manner){1, 2000, IN_TURN, 2, -1, NULL}),
                b = drive(&ways[w], (manner){20, 2000, SHUFFLED, 2, -1, NULL});
        assert_string_equal(a.text, b.text);
        forget(&a);
        forget(&b);
    }
}

static void test_bytes(void **state) {
    /* Put into a fresh one before every ask and every tell. */
    (void)state;
    for (size_t w = 0; w < NI_COUNT(ways); w++) {
        outcome a = drive(&ways[w], (manner){5, 90, SHUFFLED, 2, -1, NULL}),
                b = drive(&ways[w], (manner){5, 90, SHUFFLED, 2, -2, NULL});
        assert_string_equal(a.text, b.text);
        assert_string_equal(a.described, b.described);
        forget(&a);
        forget(&b);
    }
}

static void test_damaged(void **state) {
    /* Cut anywhere it is refused; a changed setting is named; a changed byte never crashes. */
    fixture f;
    (void)state;
    begin(&f);
    for (size_t w = 0; w < 4; w++) {
        nas_controller *controller = make(&f, &ways[w]), *other;
        nas_proposal *p;
        nas_writer *writer;
        nas_reader *reader;
        size_t n;
        for (uint64_t turn = 0; turn < 16; turn++) {
            if (ask(&f, controller, turn, &p) != NAS_OK) break;
            if (turn != 14) MUST(f.context, tell(&f, controller, p, worth(p), NAS_REASON_NONE));
            ni_proposal_free(p);
        }
        MUST(f.context, nas_writer_create(&writer, f.context));
        MUST(f.context, nas_controller_save(controller, writer));
        const void *bytes = nas_writer_data(writer, &n);
        unsigned char *copy = malloc(n);
        assert_non_null(copy);
        for (size_t cut = 0; cut < n; cut++) {
            other = make(&f, &ways[w]);
            MUST(f.context, nas_reader_create(&reader, f.context, bytes, cut));
            assert_true(nas_controller_load(other, reader) < 0);
            nas_reader_free(reader);
            nas_controller_free(other);
        }
        for (size_t at = 0; at < n; at++)
            for (int bit = 0; bit < 8; bit += 3) {
                memcpy(copy, bytes, n);
                copy[at] ^= (unsigned char)(1 << bit);
                other = make(&f, &ways[w]);
                MUST(f.context, nas_reader_create(&reader, f.context, copy, n));
                (void)nas_controller_load(other, reader);
                nas_reader_free(reader);
                nas_controller_free(other);
            }
        const made changed = {ways[w].name, {"eta=4", "max_epochs=27"}, w < 2 ? 2 : 1};
        other = make(&f, &changed);
        MUST(f.context, nas_reader_create(&reader, f.context, bytes, n));
        FAILS(f.context, NAS_E_STATE, w < 2 ? "eta was 3" : "max_epochs was 9",
              nas_controller_load(other, reader));
        nas_reader_free(reader);
        nas_controller_free(other);
        free(copy);
        nas_writer_free(writer);
        nas_controller_free(controller);
    }
    fixture_end(&f);
}

static void test_failures(void **state) {
    /* Failed and vanished trials are never promoted and hold nothing up; where all fail, it goes on
     * to the end all the same. */
    (void)state;
    for (size_t w = 0; w < NI_COUNT(ways); w++)
        for (int fails = 1; fails <= 10; fails += 3) {
            outcome o = drive(&ways[w], (manner){4, 2000, SHUFFLED, fails, -1, NULL});
            assert_int_equal(o.promoted_failed, 0);
            if (fails == 10)
                assert_int_equal(o.continued, 0);
            else
                assert_true(fails > 4 || o.continued > 0);
            if (w == 0) assert_int_equal(o.sampled, 54);
            if (w == 1) assert_int_equal(o.sampled, 27);
            forget(&o);
        }
}

static void test_hyperband_in_bohb(void **state) {
    /* With random_fraction 1 BOHB is Hyperband to the last number. */
    static const made hyperband = {"hyperband", {"max_epochs=9", "brackets=7"}, 2},
                      bohb = {"bohb", {"max_epochs=9", "brackets=7", "random_fraction=1"}, 3};
    (void)state;
    for (uint64_t window = 1; window < 10; window += 4) {
        outcome o = drive(&hyperband, (manner){window, 2000, SHUFFLED, 2, -1, &bohb});
        assert_true(o.trials > 40 && o.modelled == 0);
        forget(&o);
    }
}

static void test_bohb_learns(void **state) {
    /* With the model most candidates come from it, once there is one, and they are better: mean
     * over the last half of what was sampled. */
    static const made all = {"bohb", {"max_epochs=9", "brackets=20", "random_fraction=0"}, 3},
                      none = {"bohb", {"max_epochs=9", "brackets=20", "random_fraction=1"}, 3};
    double mean[2] = {0};
    (void)state;
    for (int with = 0; with < 2; with++) {
        fixture f;
        int n = 0;
        begin(&f);
        nas_controller *controller = make(&f, with ? &all : &none);
        for (uint64_t turn = 0; turn < 200; turn++) {
            nas_proposal *p;
            nas_status status = ask(&f, controller, turn, &p);
            if (status == NAS_DONE) break;
            MUST(f.context, status);
            if (turn >= 70 && nas_proposal_from(p, NULL) == NAS_TRIAL_NONE) {
                mean[with] += worth(p);
                n++;
                if (with) assert_non_null(strstr(nas_proposal_note(p), "model of"));
            }
            MUST(f.context, tell(&f, controller, p, worth(p), NAS_REASON_NONE));
            ni_proposal_free(p);
        }
        mean[with] /= n;
        nas_controller_free(controller);
        fixture_end(&f);
    }
    print_message("mean worth of what was sampled: %.3f with the model, %.3f without\n", mean[1],
                  mean[0]);
    if (!(mean[1] > mean[0] + 0.4)) fail_msg("%g with the model, %g without", mean[1], mean[0]);
}

/* In a space of a few hundred networks the model gives known ones again and again; without repeats
 * never. */
static uint64_t repeats_of(const char *setting) {
    fixture f;
    uint64_t known = 0, models = 0;
    memset(&f, 0, sizeof f);
    f.context = make_context(&f.memory, 1);
    MUST(f.context, nas_space_create(&f.space, f.context, "grid"));
    MUST(f.context, nas_space_add_integer(f.space, "a", 0, 6, 1));
    MUST(f.context, nas_space_add_integer(f.space, "b", 0, 6, 1));
    MUST(f.context, nas_space_add_integer(f.space, "c", 0, 6, 1));
    MUST(f.context, nas_space_finish(f.space));
    const made way = {"bohb", {"max_epochs=9", "random_fraction=0.2", setting}, 3};
    nas_controller *controller = make(&f, &way);
    ni_seen seen;
    MUST(f.context, ni_seen_init(&seen, f.context));
    for (uint64_t turn = 0; turn < 400; turn++) {
        nas_proposal *p;
        MUST(f.context, ask(&f, controller, turn, &p));
        uint64_t key = ni_candidate_key(nas_proposal_arch(p));
        if (nas_proposal_from(p, NULL) == NAS_TRIAL_NONE) {
            if (strstr(nas_proposal_note(p), "model of")) {
                models++;
                known += ni_seen_has(&seen, key);
            }
            MUST(f.context, ni_seen_add(&seen, key));
        }
        double score = 0;
        for (uint32_t d = 0; d < 3; d++) {
            nas_value value;
            MUST(f.context, nas_proposal_value(p, d, &value));
            score -= (double)((value.integer - 4) * (value.integer - 4));
        }
        MUST(f.context, tell(&f, controller, p, score, NAS_REASON_NONE));
        ni_proposal_free(p);
    }
    assert_true(models > 100);
    ni_seen_free(&seen);
    nas_controller_free(controller);
    fixture_end(&f);
    return known;
}

static void test_bohb_repeats(void **state) {
    (void)state;
    assert_int_equal(repeats_of("repeats=no"), 0);
    assert_true(repeats_of("repeats=yes") > 20);
}

static void test_warm(void **state) {
    /* Results of others' proposals: Hyperband passes over them, BOHB learns from them. */
    fixture f;
    nas_proposal *p, *q;
    (void)state;
    begin(&f);
    for (size_t w = 2; w < 4; w++) {
        const made random = {"random", {NULL}, 0},
                   keen = {"bohb", {"max_epochs=9", "random_fraction=0"}, 2};
        nas_controller *controller = make(&f, w == 3 ? &keen : &ways[w]),
                       *fresh = make(&f, &ways[2]), *source = make(&f, &random);
        for (uint64_t turn = 100; turn < 140; turn++) {
            MUST(f.context, ask(&f, source, turn, &p));
            MUST(f.context, tell(&f, controller, p, worth(p), NAS_REASON_NONE));
            ni_proposal_free(p);
        }
        MUST(f.context, ask(&f, controller, 0, &p));
        MUST(f.context, ask(&f, fresh, 0, &q));
        const char *what;
        assert_int_equal(ni_proposal_equal(p, q, &what), w == 2);
        assert_true((strstr(nas_proposal_note(p), "model of 40 at 9") != NULL) == (w == 3));
        ni_proposal_free(p);
        ni_proposal_free(q);
        nas_controller_free(source);
        nas_controller_free(fresh);
        nas_controller_free(controller);
    }
    fixture_end(&f);
}

static void test_overlap(void **state) {
    /* While the first rung waits for its results, the next bracket begins, or it waits. */
    fixture f;
    nas_proposal *flight[12];
    (void)state;
    begin(&f);
    for (int overlap = 0; overlap < 2; overlap++) {
        const made way = {"hyperband", {"max_epochs=9", overlap ? "overlap=yes" : "overlap=no"}, 2};
        nas_controller *controller = make(&f, &way);
        for (uint64_t turn = 0; turn < 9; turn++)
            MUST(f.context, ask(&f, controller, turn, &flight[turn]));
        nas_status status = ask(&f, controller, 9, &flight[9]);
        assert_int_equal(status, overlap ? NAS_OK : NAS_WAIT);
        if (overlap) {
            assert_true(nas_proposal_fidelity(flight[9], "epochs", 0) == 3);
            assert_int_equal(nas_proposal_from(flight[9], NULL), NAS_TRIAL_NONE);
            ni_proposal_free(flight[9]);
        }
        for (uint64_t turn = 0; turn < 9; turn++) {
            MUST(f.context, tell(&f, controller, flight[turn], (double)turn, NAS_REASON_NONE));
            ni_proposal_free(flight[turn]);
        }
        /* then the best three, in the order in which they stood */
        for (uint64_t turn = 10; turn < 13; turn++) {
            int32_t how;
            MUST(f.context, ask(&f, controller, turn, &flight[0]));
            assert_int_equal(nas_proposal_from(flight[0], &how), turn - 4);
            assert_int_equal(how, NAS_FROM_CONTINUE);
            assert_true(nas_proposal_fidelity(flight[0], "epochs", 0) == 3);
            ni_proposal_free(flight[0]);
        }
        nas_controller_free(controller);
    }
    fixture_end(&f);
}

static void test_anew(void **state) {
    /* continues = no: trained again, with the earlier trial as the parent. */
    fixture f;
    nas_proposal *p;
    (void)state;
    begin(&f);
    static const made anew[] = {{"halving", {"max_epochs=3", "continues=no"}, 2},
                                {"asha", {"max_epochs=3", "continues=no"}, 2}};
    for (int i = 0; i < 2; i++) {
        nas_controller *controller = make(&f, &anew[i]);
        assert_int_equal(ni_controller_flags(controller), 0);
        for (uint64_t turn = 0; turn < 4; turn++) {
            MUST(f.context, ask(&f, controller, turn, &p));
            assert_int_equal(nas_proposal_from(p, NULL), NAS_TRIAL_NONE);
            assert_true(nas_proposal_parent(p) == (turn < 3 ? NAS_TRIAL_NONE : 1));
            MUST(f.context, tell(&f, controller, p, turn == 1, NAS_REASON_NONE));
            ni_proposal_free(p);
        }
        nas_controller_free(controller);
    }
    nas_controller *goes_on = make(&f, &ways[0]);
    assert_int_equal(ni_controller_flags(goes_on), NAS_CONTROLLER_CONTINUES);
    nas_controller_free(goes_on);
    fixture_end(&f);
}

static size_t differs(const char *a, const char *b) {
    size_t i = 0;
    while (a[i] && a[i] == b[i])
        i++;
    return i;
}

static nas_status ask_afresh(nas_controller *controller, uint64_t turn, nas_proposal_builder *out) {
    nas_random stream;
    ni_proposal_reset(out);
    ni_random_init(&stream, 42, turn, "ask");
    return nas_controller_ask(controller, &stream, out);
}

static void test_memory(void **state) {
    /* Each request for memory fails once: the call that met it fails, is made again, and the run
     * is what it would have been. */
    (void)state;
    for (size_t w = 0; w < 4; w++) {
        char *expected = NULL;
        for (long long at = 0;; at++) {
            fixture f;
            begin(&f);
            const made way = {ways[w].name,
                              {"max_epochs=3", w == 3 ? "random_fraction=0" : "eta=3",
                               w == 3 ? "samples=4" : "eta=3"},
                              3};
            nas_controller *controller = NULL;
            nas_proposal *p;
            char text[8192] = "";
            size_t n = 0;
            /* from here on; the results are made while nothing fails */
            long long left = at;
            int met = 0;
#define AGAIN(call)                                                                                \
    do {                                                                                           \
        nas_status status_;                                                                        \
        long long before_ = atomic_load(&f.memory.calls);                                          \
        if (at && left > 0) atomic_store(&f.memory.fail_at, before_ + left);                       \
        status_ = (call);                                                                          \
        atomic_store(&f.memory.fail_at, 0);                                                        \
        left -= atomic_load(&f.memory.calls) - before_;                                            \
        if (status_ == NAS_E_MEMORY) {                                                             \
            met++;                                                                                 \
            left = 0;                                                                              \
            status_ = (call);                                                                      \
        }                                                                                          \
        MUST(f.context, status_);                                                                  \
    } while (0)
            AGAIN(nas_controller_named(&controller, f.space, way.name, way.settings, way.n));
            for (uint64_t turn = 0; turn < 28; turn++) {
                nas_result_builder *builder;
                nas_result *result;
                nas_proposal_builder *proposed;
                MUST(f.context,
                     ni_proposal_create(&proposed, f.context, f.space, 42, turn, turn, turn));
                AGAIN(ask_afresh(controller, turn, proposed));
                MUST(f.context, ni_proposal_finish(proposed, &p));
                n += (size_t)snprintf(text + n, sizeof text - n, "%s %d|",
                                      nas_arch_text(nas_proposal_arch(p)),
                                      (int)nas_proposal_from(p, NULL));
                MUST(f.context, nas_result_create(&builder, f.context));
                MUST(f.context, nas_result_set(builder, "accuracy", worth(p)));
                MUST(f.context, ni_result_take(builder, &result));
                ni_result_set_score(result, worth(p));
                AGAIN(nas_controller_tell(controller, p, result));
                ni_result_free(result);
                nas_result_free(builder);
                ni_proposal_free(p);
            }
            nas_sink *sink;
            MUST(f.context, nas_sink_memory(&sink, f.context));
            if (at && left > 0)
                atomic_store(&f.memory.fail_at, atomic_load(&f.memory.calls) + left);
            nas_status described = nas_controller_describe(controller, sink);
            atomic_store(&f.memory.fail_at, 0);
            met += described == NAS_E_MEMORY;
            assert_true(described == NAS_OK || described == NAS_E_MEMORY);
            nas_sink_free(sink);
            nas_controller_free(controller);
            fixture_end(&f);
            assert_true(n < sizeof text - 1);
            if (at == 0)
                expected = strdup(text);
            else if (strcmp(text, expected))
                fail_msg("%s, request %lld: from turn on: %s", way.name, at,
                         text + differs(text, expected));
            if (at && !met) break; /* no more requests */
            assert_true(at < 100000);
        }
        free(expected);
    }
}

static void test_options(void **state) {
    fixture f;
    nas_controller *controller;
    (void)state;
    begin(&f);
    static const struct {
        const char *name, *setting;
        nas_status status;
        const char *words;
    } wrong[] = {
        {"hyperband", "min_epochs=0", NAS_E_INVALID, "min_epochs is 0"},
        {"hyperband", "min_epochs=28", NAS_E_INVALID, "no more than the second"},
        {"halving", "eta=1", NAS_E_INVALID, "eta is 1, must be in 2 .. 1000"},
        {"hyperband", "min_epochs=1e-6", NAS_E_INVALID, "raise min_epochs"},
        {"bohb", "random_fraction=1.5", NAS_E_INVALID, "must be in 0 .. 1"},
        {"bohb", "top_percent=0", NAS_E_INVALID, "top_percent is 0, must be in 1 .. 99"},
        {"bohb", "samples=0", NAS_E_INVALID, "samples"},
        {"bohb", "min_bandwidth=0", NAS_E_INVALID, "min_bandwidth"},
        {"bohb", "overlap=2", NAS_E_INVALID, "overlap"},
        {"bohb", "random_fracton=1", NAS_E_NOT_FOUND, "did you mean 'random_fraction'"},
        {"halving", "candidates=2000000", NAS_E_INVALID, "0 .. 1000000"},
        {"asha", "eta=three", NAS_E_INVALID, "'three'"},
    };
    for (size_t i = 0; i < NI_COUNT(wrong); i++)
        FAILS(f.context, wrong[i].status, wrong[i].words,
              nas_controller_named(&controller, f.space, wrong[i].name, &wrong[i].setting, 1));
    FAILS(f.context, NAS_E_NOT_FOUND, "did you mean \"hyperband\"",
          nas_controller_named(&controller, f.space, "hyperbant", NULL, 0));
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_best),         cmocka_unit_test(test_orders),
        cmocka_unit_test(test_bytes),        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_failures),     cmocka_unit_test(test_hyperband_in_bohb),
        cmocka_unit_test(test_bohb_learns),  cmocka_unit_test(test_warm),
        cmocka_unit_test(test_bohb_repeats), cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_anew),         cmocka_unit_test(test_memory),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
