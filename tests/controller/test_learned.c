/* Controllers that learn, driven by hand: what they propose, failures, states, memory. */
#include "search/fixture.h"
#include "controller/bands.h"
#include "controller/surrogate.h"
#include "controller/tokens.h"

static nas_status ask(nas_context *context, nas_space *space, nas_controller *controller,
                      uint64_t turn, nas_proposal **out) {
    nas_proposal_builder *builder;
    nas_random stream;
    nas_status status = ni_proposal_create(&builder, context, space, 42, turn, turn, turn);
    if (status < 0) return status;
    ni_random_init(&stream, 42, turn, "ask");
    status = nas_controller_ask(controller, &stream, builder);
    if (status == NAS_OK) status = ni_proposal_finish(builder, out);
    if (status != NAS_OK) ni_proposal_builder_free(builder);
    return status;
}

static nas_status tell(nas_context *context, nas_controller *controller, const nas_proposal *p,
                       double score, int32_t reason) {
    nas_result_builder *builder;
    nas_result *result = NULL;
    nas_status status = nas_result_create(&builder, context);
    if (status < 0) return status;
    status = isfinite(score) ? nas_result_set(builder, "accuracy", score)
                             : nas_result_set_infeasible(builder, reason, "");
    if (status >= 0) status = ni_result_take(builder, &result);
    if (status >= 0) {
        ni_result_set_score(result, score);
        status = nas_controller_tell(controller, p, result);
    }
    ni_result_free(result);
    nas_result_free(builder);
    return status;
}

static nas_controller *named(fixture *f, const char *name, const char *const *settings, size_t n) {
    nas_controller *controller;
    MUST(f->context, nas_controller_named(&controller, f->space, name, settings, n));
    return controller;
}

/* The learning ones, small. */
static const struct {
    const char *name, *settings[6];
    size_t n;
} learned[] = {
    {"reinforce-table", {"batch=2", "entropy=0.01"}, 2},
    {"reinforce",
     {"units=4", "batch=2", "layers=2", "entropy=0.01", "entropy_mode=regularizer"},
     5},
    {"predictor", {"initial=4", "refit=3", "members=2", "units=4", "epochs=2", "candidates=8"}, 6},
    {"progressive", {"beam=3", "members=2", "units=4", "embedding=3", "epochs=2", "probes=1"}, 6},
    {"progressive",
     {"beam=3", "members=2", "units=4", "embedding=3", "epochs=2", "surrogate=lstm"},
     6},
};

/* ---- progressive -------------------------------------------------------------------------------
 */

/* Additive, no two networks alike: weight of alternative k of decision d. */
static double part(uint32_t d, int64_t k) {
    return sin(3.7 * d + 1.9 * (double)k + 0.3);
}

static double additive(const nas_proposal *p, uint32_t n) {
    double sum = 0;
    for (uint32_t d = 0; d < n; d++) {
        nas_value value = {0, 0};
        (void)nas_proposal_value(p, d, &value);
        sum += part(d, value.integer);
    }
    return sum;
}

/* To its end; how many were tried, the best, and the last one of all asked. */
static uint64_t to_the_end(fixture *f, nas_controller *controller, uint32_t n, double *best) {
    uint64_t turn = 0;
    *best = -INFINITY;
    for (;; turn++) {
        nas_proposal *p;
        nas_status status = ask(f->context, f->space, controller, turn, &p);
        if (status == NAS_DONE) return turn;
        assert_int_equal(status, NAS_OK);
        double score = additive(p, n);
        if (score > *best) *best = score;
        MUST(f->context, tell(f->context, controller, p, score, 0));
        ni_proposal_free(p);
    }
}

static double optimum(uint32_t n, uint32_t m) {
    double sum = 0;
    for (uint32_t d = 0; d < n; d++) {
        double best = -INFINITY;
        for (uint32_t k = 0; k < m; k++)
            best = fmax(best, part(d, k));
        sum += best;
    }
    return sum;
}

static void test_progressive_exhaustive(void **state) {
    /* A beam that holds everything: each of the 81 networks once, whatever the surrogate says. */
    fixture f;
    double best;
    (void)state;
    fixture_begin(&f, 4, 3);
    const char *settings[] = {"beam=81", "epochs=1", "members=1", "units=2", "embedding=2"};
    nas_controller *controller = named(&f, "progressive", settings, 5);
    assert_int_equal(to_the_end(&f, controller, 4, &best), 81);
    assert_true(fabs(best - optimum(4, 3)) < 1e-12);
    nas_controller_free(controller);
    fixture_end(&f);
}

/* Cells that must not be too small: with all decisions at their first alternatives, "none", none of
 * the first level is allowed, and the base is a sample. */
static void test_progressive_base(void **state) {
    nas_context *context;
    nas_space *space;
    nas_proposal *p;
    uint64_t turn = 0;
    (void)state;
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    MUST(context, nas_space_preset(&space, context, "quick", NULL, 0));
    fixture f = {.context = context, .space = space};
    const char *settings[] = {"beam=2", "epochs=1", "members=1"};
    nas_controller *controller = named(&f, "progressive", settings, 3);
    while (turn < 12 && ask(context, space, controller, turn, &p) == NAS_OK) {
        MUST(context, nas_arch_check(nas_proposal_arch(p)));
        MUST(context, tell(context, controller, p, (double)(turn * 7 % 5), 0));
        ni_proposal_free(p);
        turn++;
    }
    assert_true(turn >= 8);
    nas_controller_free(controller);
    nas_space_free(space);
    nas_context_free(context);
}

static void test_progressive_greedy(void **state) {
    /* K = 1: all of the first level, then one of each, the extension of the one before. The
     * surrogate of the first level has nothing to tell the alternatives of the second apart by, so
     * which one it is, is its guess; that it extends the best, is not. */
    fixture f;
    nas_value value;
    int64_t decided[5];
    double best = -INFINITY;
    (void)state;
    fixture_begin(&f, 5, 3);
    const char *settings[] = {"beam=1"};
    nas_controller *controller = named(&f, "progressive", settings, 1);
    uint64_t turn = 0;
    for (; turn < 3; turn++) {
        nas_proposal *p;
        MUST(f.context, ask(f.context, f.space, controller, turn, &p));
        MUST(f.context, nas_proposal_value(p, 0, &value));
        assert_int_equal(value.integer, turn);
        for (uint32_t d = 1; d < 5; d++) {
            MUST(f.context, nas_proposal_value(p, d, &value));
            assert_int_equal(value.integer, 0); /* the base */
        }
        if (additive(p, 5) > best) {
            best = additive(p, 5);
            decided[0] = (int64_t)turn;
        }
        MUST(f.context, tell(f.context, controller, p, additive(p, 5), 0));
        ni_proposal_free(p);
    }
    for (uint32_t level = 1; level < 5; level++) {
        nas_proposal *p;
        nas_status status = ask(f.context, f.space, controller, turn++, &p);
        if (status == NAS_DONE) break; /* the rest were the networks that it had already */
        MUST(f.context, status);
        for (uint32_t d = 0; d < 1; d++) {
            MUST(f.context, nas_proposal_value(p, d, &value));
            assert_int_equal(value.integer, decided[d]);
        }
        MUST(f.context, tell(f.context, controller, p, additive(p, 5), 0));
        ni_proposal_free(p);
    }
    assert_true(turn <= 3 + 5);
    nas_controller_free(controller);
    fixture_end(&f);
}

static void test_progressive_greedy_path(void **state) {
    /* With a surrogate that has seen every alternative of every decision, K = 1 takes the best of
     * each: told beforehand are all networks that differ from the base in one decision. */
    fixture f;
    double best;
    (void)state;
    fixture_begin(&f, 3, 3);
    const char *settings[] = {"beam=1", "epochs=400", "units=16", "embedding=16"};
    nas_controller *controller = named(&f, "progressive", settings, 4);
    for (uint32_t d = 0; d < 3; d++)
        for (int64_t k = 0; k < 3; k++) {
            nas_proposal_builder *builder;
            nas_proposal *p;
            nas_arch *arch;
            nas_value values[3] = {{0, 0}, {0, 0}, {0, 0}};
            values[d].integer = k;
            MUST(f.context, nas_arch_create(&arch, f.space, values, 3));
            MUST(f.context, ni_proposal_create(&builder, f.context, f.space, 1, 0, 0, 0));
            MUST(f.context, nas_propose_arch(builder, arch));
            MUST(f.context, ni_proposal_finish(builder, &p));
            MUST(f.context, tell(f.context, controller, p, additive(p, 3), 0));
            ni_proposal_free(p);
            nas_arch_free(arch);
        }
    (void)to_the_end(&f, controller, 3, &best);
    assert_true(fabs(best - optimum(3, 3)) < 1e-12);
    nas_controller_free(controller);
    fixture_end(&f);
}

static void test_permutations(void **state) {
    /* Blocks that are alike: the averaging perceptron gives two orders of the same blocks one
     * value, an LSTM does not. */
    static const char *const ops[] = {"conv", "pool", "skip"};
    const char *perceptron[] = {"beam=9", "surrogate=mlp"}, *lstm[] = {"beam=9", "surrogate=lstm"};
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        fixture f = {.context = NULL};
        nas_space *space;
        char notes[9][16] = {{0}};
        f.context = make_context(&f.memory, 1);
        MUST(f.context, nas_space_create(&space, f.context, "blocks"));
        MUST(f.context, nas_space_add_choice(space, "cell.1.op", ops, 3));
        MUST(f.context, nas_space_add_choice(space, "cell.2.op", ops, 3));
        MUST(f.context, nas_space_finish(space));
        f.space = space;
        nas_controller *controller = named(&f, "progressive", kind ? lstm : perceptron, 2);
        nas_proposal *p;
        for (uint64_t turn = 0; ask(f.context, space, controller, turn, &p) == NAS_OK; turn++) {
            nas_value a, b;
            MUST(f.context, nas_proposal_value(p, 0, &a));
            MUST(f.context, nas_proposal_value(p, 1, &b));
            const char *predicted = strstr(nas_proposal_note(p), "predicted ");
            if (predicted)
                (void)sscanf(predicted, "predicted %15[-0-9.]", notes[3 * a.integer + b.integer]);
            MUST(f.context, tell(f.context, controller, p, additive(p, 2), 0));
            ni_proposal_free(p);
        }
        /* (a, 0) was tried at the first level: of the others one pair has both orders. */
        assert_true(notes[5][0] && notes[7][0]);
        if (kind)
            assert_string_not_equal(notes[5], notes[7]);
        else
            assert_string_equal(notes[5], notes[7]);
        nas_controller_free(controller);
        fixture_end(&f);
    }
}

static void test_pnas(void **state) {
    /* The paper's space: 136 cells of one block (of 256, in two orders each), then cells of two. */
    fixture f = {.context = NULL};
    nas_proposal *p;
    nas_value value;
    uint32_t exists;
    (void)state;
    f.context = make_context(&f.memory, 1);
    MUST(f.context, nas_space_preset(&f.space, f.context, "pnas", NULL, 0));
    const char *settings[] = {"beam=4", "epochs=3"};
    nas_controller *controller = named(&f, "progressive", settings, 2);
    for (exists = 0;; exists++) { /* of the second block: the first one that may be absent */
        nas_decision about = {.struct_size = sizeof about};
        MUST(f.context, nas_space_decision(f.space, exists, &about));
        if (strstr(about.name, ".exists")) break;
    }
    for (uint64_t turn = 0; turn < 136 + 4; turn++) {
        MUST(f.context, ask(f.context, f.space, controller, turn, &p));
        char level[32];
        snprintf(level, sizeof level, "level %d of 5, ", turn < 136 ? 1 : 2);
        assert_int_equal(strncmp(nas_proposal_note(p), level, strlen(level)), 0);
        MUST(f.context, nas_proposal_value(p, exists, &value));
        if (turn < 136) assert_int_equal(value.integer, 0);
        MUST(f.context, tell(f.context, controller, p, sin((double)turn), 0));
        ni_proposal_free(p);
    }
    nas_controller_free(controller);
    fixture_end(&f);
}

/* ---- surrogates
 * ---------------------------------------------------------------------------------- */

static void test_surrogate(void **state) {
    /* Learns a function of 4 one-hot decisions of 3 from 60 of 81 rows, and ranks the rest. */
    nas_context *context = plain_context();
    nas_random stream;
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        ni_surrogate_options o = {.kind = kind ? NI_SURROGATE_LSTM : NI_SURROGATE_MLP,
                                  .width = 12,
                                  .steps = kind ? 4 : 1,
                                  .embedding = kind ? 8 : 0,
                                  .units = 16,
                                  .layers = 2,
                                  .members = 3,
                                  .epochs = 80,
                                  .batch = 16,
                                  .learning_rate = 0.01,
                                  .leave_out = true};
        size_t width = 12 * o.steps;
        float *rows = calloc(81 * width, sizeof *rows);
        uint32_t lengths[81];
        double targets[81], predicted[3 * 81], again[3 * 81], mean[21], rho;
        for (uint32_t i = 0, order = 0; i < 81; i++, order = (order + 37) % 81) {
            targets[i] = 0;
            lengths[i] = 4;
            for (uint32_t d = 0, rest = order; d < 4; d++, rest /= 3) {
                rows[i * width + (kind ? 12 * d : 0) + 3 * d + rest % 3] = 1;
                targets[i] += part(d, rest % 3);
            }
        }
        ni_surrogate *s;
        MUST(context, ni_surrogate_create(&s, context, &o));
        FAILS(context, NAS_E_STATE, "before it learnt",
              ni_surrogate_predict(s, rows, lengths, 81, predicted));
        ni_random_init(&stream, 7, 0, "fit");
        MUST(context, ni_surrogate_fit(s, rows, lengths, targets, 60, &stream));
        MUST(context, ni_surrogate_predict(s, rows, lengths, 81, predicted));
        for (int i = 0; i < 21; i++)
            mean[i] = (predicted[60 + i] + predicted[141 + i] + predicted[222 + i]) / 3;
        MUST(context, ni_spearman(context, mean, targets + 60, 21, &rho));
        print_message("%s: rank correlation %.3f on rows not seen\n", kind ? "LSTM" : "MLP", rho);
        assert_true(rho > 0.9);
        /* The same rows and stream, the same bits; members differ. */
        ni_random_init(&stream, 7, 0, "fit");
        MUST(context, ni_surrogate_fit(s, rows, lengths, targets, 60, &stream));
        MUST(context, ni_surrogate_predict(s, rows, lengths, 81, again));
        assert_memory_equal(predicted, again, sizeof again);
        assert_true(predicted[0] != predicted[81]);
        /* What lies past a row's length does not count. */
        if (kind) {
            for (uint32_t i = 0; i < 81; i++)
                lengths[i] = 2;
            MUST(context, ni_surrogate_predict(s, rows, lengths, 81, predicted));
            for (size_t i = 0; i < 81; i++)
                memset(rows + i * width + 24, 0, 24 * sizeof *rows);
            MUST(context, ni_surrogate_predict(s, rows, lengths, 81, again));
            assert_memory_equal(predicted, again, sizeof again);
        }
        ni_surrogate_free(s);
        free(rows);
    }
    nas_context_free(context);
}

static void test_spearman(void **state) {
    /* With ties: 1 - ... by hand: ranks 0, 1.5, 1.5, 3 and 1, 0, 2, 3. */
    nas_context *context = plain_context();
    const double a[] = {1, 2, 2, 3}, b[] = {5, 4, 6, 9}, flat[] = {1, 1, 1, 1};
    double rho;
    (void)state;
    MUST(context, ni_spearman(context, a, b, 4, &rho));
    assert_true(fabs(rho - 3.0 / sqrt(4.5 * 5)) < 1e-15);
    MUST(context, ni_spearman(context, a, flat, 4, &rho));
    assert_true(isnan(rho));
    nas_context_free(context);
}

/* ---- all of them
 * ----------------------------------------------------------------------------------- */

enum { DECISIONS = 4, ALTERNATIVES = 3, TURNS = 24, WINDOW = 3 };

/* What turn t is told: some fail, some vanish, most have a score. */
static double outcome(const nas_proposal *p, int32_t *reason) {
    uint64_t turn = nas_proposal_turn(p);
    *reason = turn % 7 == 3 ? NAS_REASON_DIVERGED : turn % 7 == 5 ? NAS_REASON_VANISHED : 0;
    return *reason ? -INFINITY : letters_value(p, DECISIONS, ALTERNATIVES);
}

/* WINDOW in flight, told newest first. Texts of what was asked; saved and loaded at turn
 * `reload_at`. */
static void drive(fixture *f, size_t which, uint64_t reload_at, char texts[TURNS][64]) {
    nas_controller *controller =
        named(f, learned[which].name, learned[which].settings, learned[which].n);
    nas_proposal *flight[WINDOW];
    size_t n = 0;
    for (uint64_t turn = 0; turn < TURNS; turn++) {
        texts[turn][0] = 0;
        if (turn == reload_at) {
            nas_writer *writer, *again;
            nas_reader *reader;
            size_t size, size_again;
            nas_controller *fresh =
                named(f, learned[which].name, learned[which].settings, learned[which].n);
            MUST(f->context, nas_writer_create(&writer, f->context));
            MUST(f->context, nas_controller_save(controller, writer));
            const void *bytes = nas_writer_data(writer, &size);
            for (int twice = 0; twice < 2; twice++) { /* also over a state that is there */
                MUST(f->context, nas_reader_create(&reader, f->context, bytes, size));
                MUST(f->context, nas_controller_load(fresh, reader));
                assert_int_equal(nas_reader_left(reader), 0);
                nas_reader_free(reader);
            }
            MUST(f->context, nas_writer_create(&again, f->context));
            MUST(f->context, nas_controller_save(fresh, again));
            const void *bytes_again = nas_writer_data(again, &size_again);
            assert_int_equal(size, size_again);
            assert_memory_equal(bytes, bytes_again, size);
            /* Cut short anywhere, it is refused, not misread. */
            for (size_t cut = 0; cut < size; cut += 1 + size / 40) {
                nas_controller *other =
                    named(f, learned[which].name, learned[which].settings, learned[which].n);
                MUST(f->context, nas_reader_create(&reader, f->context, bytes, cut));
                assert_true(nas_controller_load(other, reader) < 0);
                nas_reader_free(reader);
                nas_controller_free(other);
            }
            nas_writer_free(writer);
            nas_writer_free(again);
            nas_controller_free(controller);
            controller = fresh;
        }
        nas_status status =
            n < WINDOW ? ask(f->context, f->space, controller, turn, &flight[n]) : NAS_WAIT;
        if (status == NAS_OK) {
            snprintf(texts[turn], sizeof texts[turn], "%s",
                     nas_arch_text(nas_proposal_arch(flight[n++])));
            if (n < WINDOW) continue;
        }
        if (status == NAS_WAIT) assert_true(n > 0);
        while (n > 0) {
            int32_t reason;
            double score = outcome(flight[--n], &reason);
            MUST(f->context, tell(f->context, controller, flight[n], score, reason));
            ni_proposal_free(flight[n]);
        }
    }
    nas_sink *sink;
    MUST(f->context, nas_sink_memory(&sink, f->context));
    MUST(f->context, nas_controller_describe(controller, sink));
    nas_sink_free(sink);
    while (n > 0)
        ni_proposal_free(flight[--n]);
    nas_controller_free(controller);
}

static void test_resume(void **state) {
    (void)state;
    for (size_t which = 0; which < sizeof learned / sizeof *learned; which++) {
        fixture f;
        char whole[TURNS][64], cut[TURNS][64];
        fixture_begin(&f, DECISIONS, ALTERNATIVES);
        drive(&f, which, TURNS, whole);
        for (uint64_t at = 0; at < TURNS; at += 5) {
            drive(&f, which, at, cut);
            for (int turn = 0; turn < TURNS; turn++)
                assert_string_equal(whole[turn], cut[turn]);
        }
        fixture_end(&f);
    }
}

static void test_other_settings(void **state) {
    fixture f;
    (void)state;
    fixture_begin(&f, 3, 3);
    const char *one[] = {"learning_rate=0.02"};
    for (size_t which = 0; which < sizeof learned / sizeof *learned; which++) {
        nas_controller *a = named(&f, learned[which].name, NULL, 0),
                       *b = named(&f, learned[which].name, one, 1);
        nas_writer *writer;
        nas_reader *reader;
        size_t n;
        MUST(f.context, nas_writer_create(&writer, f.context));
        MUST(f.context, nas_controller_save(a, writer));
        const void *bytes = nas_writer_data(writer, &n);
        MUST(f.context, nas_reader_create(&reader, f.context, bytes, n));
        FAILS(f.context, NAS_E_STATE, "same settings", nas_controller_load(b, reader));
        nas_reader_free(reader);
        nas_writer_free(writer);
        nas_controller_free(a);
        nas_controller_free(b);
        const char *wrong[] = {"learning_rat=1"}, *range[] = {"learning_rate=-1"};
        nas_controller *c;
        FAILS(f.context, NAS_E_NOT_FOUND, "learning_rate",
              nas_controller_named(&c, f.space, learned[which].name, wrong, 1));
        FAILS(f.context, NAS_E_INVALID, "learning_rate is -1",
              nas_controller_named(&c, f.space, learned[which].name, range, 1));
    }
    fixture_end(&f);
}

static nas_status little(size_t which, test_allocator *memory) {
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    nas_allocator table = test_allocator_table(memory);
    static const char *const names[] = {"a", "b"};
    nas_context *context = NULL;
    nas_space *space = NULL;
    nas_controller *controller = NULL, *second = NULL;
    nas_writer *writer = NULL;
    nas_reader *reader = NULL;
    nas_sink *sink = NULL;
    options.allocator = &table;
    options.threads = 1;
    nas_status status = nas_context_create(&context, &options);
    if (status >= 0) status = nas_space_create(&space, context, "two");
    if (status >= 0) status = nas_space_add_choice(space, "x", names, 2);
    if (status >= 0) status = nas_space_add_real(space, "y", 0, 1, 0);
    if (status >= 0) status = nas_space_finish(space);
    for (int k = 0; status >= 0 && k < 2; k++)
        status = nas_controller_named(k ? &second : &controller, space, learned[which].name,
                                      learned[which].settings, learned[which].n);
    for (uint64_t turn = 0; status >= 0 && turn < 7; turn++) {
        nas_proposal *p = NULL;
        status = ask(context, space, controller, turn, &p);
        if (status == NAS_OK) status = tell(context, controller, p, 0.1 * (double)turn, 0);
        ni_proposal_free(p);
    }
    if (status >= 0) status = nas_writer_create(&writer, context);
    if (status >= 0) status = nas_controller_save(controller, writer);
    if (status >= 0) {
        size_t n;
        const void *bytes = nas_writer_data(writer, &n);
        status = nas_reader_create(&reader, context, bytes, n);
    }
    if (status >= 0) status = nas_controller_load(second, reader);
    if (status >= 0) status = nas_sink_memory(&sink, context);
    if (status >= 0) status = nas_controller_describe(second, sink);
    nas_sink_free(sink);
    nas_reader_free(reader);
    nas_writer_free(writer);
    nas_controller_free(controller);
    nas_controller_free(second);
    nas_space_free(space);
    nas_context_free(context);
    return status;
}

static void test_memory(void **state) {
    (void)state;
    for (size_t which = 0; which < sizeof learned / sizeof *learned; which++) {
        long long failed = 0;
        for (long long at = 1;; at += 1 + at / 100) {
            test_allocator memory = {.fail_at = at};
            nas_status status = little(which, &memory);
            if (memory.bytes != 0)
                fail_msg("%s: allocation %lld: %lld bytes leaked", learned[which].name, at,
                         (long long)memory.bytes);
            if (!memory.failed) {
                assert_true(status >= 0);
                break;
            }
            if (status != NAS_E_MEMORY)
                fail_msg("%s: allocation %lld: %s", learned[which].name, at,
                         nas_status_name(status));
            failed++;
        }
        print_message("%s: %lld allocations failed\n", learned[which].name, failed);
        assert_true(failed > 30);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_progressive_exhaustive),
                                       cmocka_unit_test(test_progressive_base),
                                       cmocka_unit_test(test_progressive_greedy),
                                       cmocka_unit_test(test_progressive_greedy_path),
                                       cmocka_unit_test(test_permutations),
                                       cmocka_unit_test(test_pnas),
                                       cmocka_unit_test(test_surrogate),
                                       cmocka_unit_test(test_spearman),
                                       cmocka_unit_test(test_resume),
                                       cmocka_unit_test(test_other_settings),
                                       cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
