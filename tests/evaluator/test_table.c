/* The table evaluator: what it answers, what it refuses and how, and simulated time. */
#include "search/fixture.h"
#include "evaluator/evaluator.h"

static const char path[] = "test-table.csv";

static nas_evaluator *open_table(fixture *f, const char *text, const char *const *more, size_t n,
                                 nas_status wanted, const char *words) {
    const char *settings[8] = {"path=test-table.csv"};
    nas_evaluator *table = NULL;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    memcpy(settings + 1, more, n * sizeof *settings);
    nas_status status = nas_evaluator_named(&table, f->context, "table", settings, n + 1);
    if (status >= 0) {
        status = nas_evaluator_prepare(table, f->space, NULL);
        if (status < 0) nas_evaluator_free(table);
    }
    if (status != wanted || (words && !strstr(nas_context_error(f->context), words)))
        fail_msg("%s instead of %s: %s", nas_status_name(status), nas_status_name(wanted),
                 nas_context_error(f->context));
    remove(path);
    return status < 0 ? NULL : table;
}

static const char good[] = "arch,val,test,time,size\r\n"
                           "d0=a d1=a,10,11,3,100\r\n"
                           "\"d0=a d1=b\",20,21,2,200\r\n\r\n"
                           "d0=b d1=a,30,29,1,300\r\n"
                           "d0=b d1=b,40,39,5,400";
static const char *const columns[] = {"accuracy=val", "test=test", "seconds=time", "metrics=size",
                                      "scale=0.01"};

static void test_answers(void **state) {
    fixture f;
    (void)state;
    fixture_begin(&f, 2, 2);
    nas_evaluator *table = open_table(&f, good, columns, 5, NAS_OK, NULL);
    nas_table_info info = {.struct_size = sizeof info};
    MUST(f.context, nas_evaluator_table_info(table, &info));
    assert_int_equal(info.rows, 4);
    assert_true(fabs(info.best_accuracy - 0.4) < 1e-15 && fabs(info.test_of_best - 0.39) < 1e-15);
    nas_controller *controller;
    nas_search *search;
    nas_search_options o;
    nas_named_evaluator named = {"table", table};
    double value;
    MUST(f.context, nas_controller_exhaustive(&controller, f.space, NULL));
    nas_search_options_init(&o);
    o.space = f.space;
    o.controller = controller;
    o.evaluators = &named;
    o.n_evaluators = 1;
    MUST(f.context, nas_search_create(&search, f.context, &o));
    MUST(f.context, nas_search_run(search, NULL));
    assert_int_equal(nas_search_trials(search), 4);
    MUST(f.context, nas_store_metric(nas_search_store(search), 1, "accuracy", &value));
    assert_true(fabs(value - 0.2) < 1e-15);
    MUST(f.context, nas_store_metric(nas_search_store(search), 2, "test_accuracy", &value));
    assert_true(fabs(value - 0.29) < 1e-15);
    MUST(f.context, nas_store_metric(nas_search_store(search), 3, "size", &value));
    assert_true(value == 400);
    nas_search_free(search);
    nas_controller_free(controller);
    nas_evaluator_free(table);
    fixture_end(&f);
}

/* Two workers over costs 3, 2, 1, 5: ends at 3, 2, 3 (2 + 1) and 8 (3 + 5). */
static void test_simulated(void **state) {
    static const double clocks[] = {3, 2, 3, 8};
    fixture f;
    (void)state;
    fixture_begin(&f, 2, 2);
    nas_evaluator *table = open_table(&f, good, columns, 5, NAS_OK, NULL);
    for (int limit = 0; limit <= 1; limit++) {
        nas_controller *controller;
        nas_search *search;
        nas_search_options o;
        nas_simulate_options s = NAS_SIMULATE_OPTIONS_INIT;
        nas_named_evaluator named = {"table", table};
        double clock = 0, value;
        MUST(f.context, nas_controller_exhaustive(&controller, f.space, NULL));
        nas_search_options_init(&o);
        o.space = f.space;
        o.controller = controller;
        o.evaluators = &named;
        o.n_evaluators = 1;
        o.window = 2;
        o.order = NAS_ORDER_ARRIVAL;
        s.workers = 2;
        s.max_seconds = limit ? 7 : 0;
        MUST(f.context, nas_search_create(&search, f.context, &o));
        MUST(f.context, nas_search_simulate(search, &s, &clock));
        assert_true(clock == (limit ? 7 : 8));
        for (uint64_t i = 0; i < (limit ? 3u : 4u); i++) {
            MUST(f.context, nas_store_metric(nas_search_store(search), i, "clock", &value));
            assert_true(value == clocks[i]);
        }
        if (limit) { /* the last would have ended past it */
            nas_trial last = {.struct_size = sizeof last};
            MUST(f.context, nas_search_trial(search, 3, &last));
            assert_int_equal(last.reason, NAS_REASON_VANISHED);
        }
        nas_search_free(search);
        nas_controller_free(controller);
    }
    nas_evaluator_free(table);
    fixture_end(&f);
}

/* Stopped, or broken off without a last checkpoint, and gone on with: the same trials, the same
 * clock. */
typedef struct {
    uint64_t left;
    nas_status then;
} interruption;

static nas_status break_off(void *user, nas_search *search, const nas_proposal *asked,
                            const nas_result *got) {
    interruption *i = user;
    (void)search, (void)asked, (void)got;
    return i->left && --i->left == 0 ? i->then : NAS_OK;
}

static char *simulate_in_parts(const char *store_path, uint32_t workers, uint32_t window,
                               int32_t order, uint64_t after, nas_status then, double *clock) {
    fixture f;
    char lines[65536] = "arch,val,time\n", *dump = NULL;
    size_t at = strlen(lines);
    fixture_begin(&f, 4, 4);
    for (uint64_t i = 0; i < 256; i++) { /* costs of many kinds, and some that are equal */
        nas_arch *arch;
        MUST(f.context, nas_space_at(f.space, i, &arch));
        at += (size_t)snprintf(lines + at, sizeof lines - at, "%s,%d,%d\n", nas_arch_text(arch),
                               (int)(i * 37 % 101), (int)(1 + i * i % 23));
        nas_arch_free(arch);
    }
    static const char *const named_columns[] = {"accuracy=val", "seconds=time"};
    nas_evaluator *table = open_table(&f, lines, named_columns, 2, NAS_OK, NULL);
    remove(store_path);
    for (int part = 0; part < 2; part++) {
        nas_controller *controller;
        nas_store *store;
        nas_search *search;
        nas_search_options o;
        nas_search_hooks hooks = {.struct_size = sizeof hooks};
        interruption here = {part ? 0 : after, then};
        nas_evolution_options e = NAS_EVOLUTION_OPTIONS_INIT;
        nas_simulate_options s = NAS_SIMULATE_OPTIONS_INIT;
        nas_named_evaluator named = {"table", table};
        e.population = 8;
        e.sample = 3;
        MUST(f.context, nas_controller_evolution(&controller, f.space, &e));
        MUST(f.context, nas_store_open(&store, f.context, store_path, NULL));
        nas_search_options_init(&o);
        o.space = f.space;
        o.controller = controller;
        o.evaluators = &named;
        o.n_evaluators = 1;
        o.store = store;
        o.window = window;
        o.order = order;
        o.max_trials = 70;
        hooks.turn_ended = break_off;
        hooks.user = &here;
        o.hooks = &hooks;
        s.workers = workers;
        MUST(f.context, nas_search_create(&search, f.context, &o));
        nas_status status = nas_search_simulate(search, &s, clock);
        if (part == 0 && after && then < 0)
            assert_int_equal(status, then);
        else
            MUST(f.context, status);
        if (part == 0 && after) assert_true(nas_search_trials(search) < 70);
        if (part) dump = dump_of(f.context, store);
        nas_search_free(search);
        nas_store_free(store);
        nas_controller_free(controller);
    }
    nas_evaluator_free(table);
    fixture_end(&f);
    remove(store_path);
    return dump;
}

static void test_simulated_resume(void **state) {
    static const struct {
        uint32_t workers, window;
        int32_t order;
    } ways[] = {{1, 1, NAS_ORDER_TURNS},
                {3, 3, NAS_ORDER_ARRIVAL},
                {3, 8, NAS_ORDER_ARRIVAL},
                {3, 3, NAS_ORDER_TURNS},
                {3, 5, NAS_ORDER_TURNS}};
    char folder[256], store[300];
    (void)state;
    folder_begin(folder, sizeof folder);
    snprintf(store, sizeof store, "%s/s.nas", folder);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        double clock, again;
        char *whole = simulate_in_parts(store, ways[w].workers, ways[w].window, ways[w].order, 0,
                                        NAS_OK, &clock);
        for (uint64_t after = 1; after < 70; after += 11)
            for (int how = 0; how < 2; how++) {
                char *parts =
                    simulate_in_parts(store, ways[w].workers, ways[w].window, ways[w].order, after,
                                      how ? NAS_E_CALLBACK : NAS_STOP, &again);
                if (strcmp(whole, parts) != 0 || clock != again)
                    fail_msg("way %zu, %s after %d turns: clock %g, %g without", w,
                             how ? "broken off" : "stopped", (int)after, again, clock);
                free(parts);
            }
        free(whole);
    }
    folder_end(folder);
}

static void test_curves(void **state) {
    static const char text[] = "arch,acc_2,acc_1,acc_3\n"
                               "d0=a,0.2,0.1,0.3\n"
                               "d0=b,0.5,0.4,\n";
    static const char gap[] = "arch,acc_1,acc_2,acc_3\nd0=a,0.1,,0.3\nd0=b,0.1,0.2,0.3\n";
    const char *curve[] = {"curve=acc_"};
    static const double want[2][3] = {{0.1, 0.2, 0.3}, {0.4, 0.5, 0.5}};
    fixture f;
    (void)state;
    fixture_begin(&f, 1, 2);
    assert_null(
        open_table(&f, gap, curve, 1, NAS_E_SYNTAX, "test-table.csv:2: the curve lacks epoch 2"));
    nas_evaluator *table = open_table(&f, text, curve, 1, NAS_OK, NULL);
    for (uint64_t i = 0; i < 2; i++)
        for (int epochs = 1; epochs <= 3; epochs++) {
            nas_proposal_builder *builder;
            nas_proposal *p;
            nas_result_builder *result;
            nas_arch *arch;
            double value;
            MUST(f.context, ni_proposal_create(&builder, f.context, f.space, 1, 0, 0, 0));
            MUST(f.context, nas_space_at(f.space, i, &arch));
            MUST(f.context, nas_propose_arch(builder, arch));
            MUST(f.context, nas_propose_fidelity(builder, "epochs", epochs));
            MUST(f.context, ni_proposal_finish(builder, &p));
            MUST(f.context, nas_result_create(&result, f.context));
            MUST(f.context, nas_evaluator_evaluate(table, p, NULL, result));
            const nas_result *got = nas_result_so_far(result);
            assert_int_equal(nas_result_metric(got, "accuracy", &value), NAS_OK);
            assert_true(value == want[i][epochs - 1]);
            assert_int_equal(nas_result_points(got, "accuracy"), epochs);
            assert_int_equal(nas_result_metric(got, "test_accuracy", &value), NAS_OK);
            assert_true(value == want[i][2]); /* without a column of its own: its end */
            nas_result_free(result);
            ni_proposal_free(p);
            nas_arch_free(arch);
        }
    nas_evaluator_free(table);
    fixture_end(&f);
}

/* One sentence with file and line, a status, nothing else. */
static void test_bad(void **state) {
    static const struct {
        const char *text;
        nas_status status;
        const char *words;
    } bad[] = {
        {"", NAS_E_SYNTAX, "test-table.csv: the table is empty"},
        {"arch,val\n", NAS_E_SYNTAX, "a header alone"},
        {"arch,vals\nd0=a,1\n", NAS_E_NOT_FOUND, "did you mean 'vals'"},
        {"arch,val\nd0=a,1\n,2\n", NAS_E_SYNTAX, "test-table.csv:3: the architecture is missing"},
        {"arch,val\nd0=a,1\nd0=b,2\nd0=a,1\n", NAS_E_EXISTS,
         "test-table.csv:4: the architecture of line 2 comes again"},
        {"arch,val\nd0=a,1\nd0=b,high\n", NAS_E_SYNTAX,
         "test-table.csv:3: 'high' in column 2 is not a number"},
        {"arch,val\nd0=a,nan\nd0=b,2\n", NAS_E_SYNTAX, "test-table.csv:2: 'nan'"},
        {"arch,val\nd0=a,1,9\n", NAS_E_SYNTAX, "test-table.csv:2: 3 cells, but the header has 2"},
        {"arch,val\nd0=a,1\nd0=q,2\n", NAS_E_SYNTAX, "test-table.csv:3: "},
        {"arch,val\n\"d0=a,1\n", NAS_E_SYNTAX, "test-table.csv:2: a quote is not closed"},
        {"arch,val\nd0=b,1\n", NAS_E_NOT_FOUND, "'d0=a' is missing (1 of 2"}};
    const char *val[] = {"accuracy=val", "missing=infeasible"}, *none[] = {"noise=0"},
               *wrong[] = {"acuracy=val"};
    fixture f;
    (void)state;
    fixture_begin(&f, 1, 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(open_table(&f, bad[i].text, val, 1, bad[i].status, bad[i].words));
    nas_evaluator_free(open_table(&f, "arch,val\nd0=b,1\n", val, 2, NAS_OK, NULL));
    assert_null(open_table(&f, "arch,val\nd0=b,1\n", none, 1, NAS_E_INVALID, "setting accuracy"));
    assert_null(open_table(&f, "arch,val\nd0=b,1\n", wrong, 1, NAS_E_NOT_FOUND, "'accuracy'"));
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_simulated),
                                       cmocka_unit_test(test_simulated_resume),
                                       cmocka_unit_test(test_curves), cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
