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
    assert_null(open_table(&f, gap, curve, 1, NAS_E_SYNTAX, "test-table.csv:2: the curve lacks epoch 2"));
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
                                       cmocka_unit_test(test_curves), cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
