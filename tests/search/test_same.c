/* The same search: for any number of workers and threads, and after it was stopped and resumed at
 * any moment, in memory and in a file. */
#include "scenario.h"

static void test_workers(void **state) {
    (void)state;
    for (int32_t kind = 0; kind < SCENARIOS; kind++)
        for (uint32_t window = 1; window <= 8; window += window < 3 ? 2 : 5) {
            scenario s = {.kind = kind, .window = window, .workers = 1, .trials = 30, .seed = 4};
            char *one = scenario_dump(&s);
            s.naps = 1;
            for (uint32_t workers = 2; workers <= 4; workers++)
                for (uint32_t threads = 1; threads <= 4; threads *= 2) {
                    if (s.naps && workers != 3 && threads != 2) continue; /* enough of them */
                    s.workers = workers;
                    s.threads = threads;
                    char *several = scenario_dump(&s);
                    if (strcmp(one, several))
                        fail_msg("%s, window %u, %u workers, %u threads", scenario_names[kind],
                                 window, workers, threads);
                    free(several);
                }
            free(one);
        }
}

/* ---- stopped and resumed
 * ------------------------------------------------------------------------------------ */

typedef struct {
    uint64_t turns, stop_at;
} stopper;
static nas_status stop_at_turn(void *user, nas_search *search, const nas_proposal *proposal,
                               const nas_result *result) {
    stopper *self = user;
    (void)search, (void)proposal, (void)result;
    return ++self->turns >= self->stop_at ? NAS_STOP : NAS_OK;
}

/* Runs until `stop_at` turns were told in this run; true when the search is over. */
static bool run_some(const scenario *s, const char *path, uint64_t stop_at, char **dump) {
    cast c;
    nas_search *search;
    nas_store *store;
    int32_t ended;
    stopper self = {0, stop_at};
    nas_search_hooks hooks = {
        .struct_size = sizeof hooks, .user = &self, .turn_ended = stop_at_turn};
    if (cast_begin(&c, s, NULL) < 0) fail_msg("%s", nas_context_error(c.context));
    MUST(c.context, nas_store_open(&store, c.context, path, NULL));
    c.options.store = store;
    c.options.hooks = &hooks;
    MUST(c.context, nas_search_create(&search, c.context, &c.options));
    MUST(c.context, nas_search_run(search, &ended));
    bool over = ended == NAS_ENDED_TRIALS;
    assert_true(over || ended == NAS_ENDED_CALLER);
    if (over) *dump = dump_of(c.context, store);
    nas_search_free(search);
    nas_store_free(store);
    cast_end(&c);
    return over;
}

static void test_stopped(void **state) {
    char folder[256], path[300];
    (void)state;
    folder_begin(folder, sizeof folder);
    for (int32_t kind = 0; kind < SCENARIOS; kind++)
        for (uint32_t window = 1; window <= 3; window += 2) {
            scenario s = {.kind = kind, .window = window, .workers = 1, .trials = 12, .seed = 5};
            char *straight = scenario_dump(&s);
            for (uint64_t stop_at = 1; stop_at <= 7; stop_at++) {
                char *resumed = NULL;
                int runs = 0;
                snprintf(path, sizeof path, "%s/%d-%u-%d.nas", folder, kind, window, (int)stop_at);
                s.workers = stop_at % 2 + 1;
                while (!run_some(&s, path, stop_at, &resumed))
                    assert_true(++runs < 70);
                if (strcmp(straight, resumed))
                    fail_msg("%s, window %u, stopped every %d turns:\n%s\n%s", scenario_names[kind],
                             window, (int)stop_at, straight, resumed);
                free(resumed);
            }
            free(straight);
        }
    folder_end(folder);
}

static void test_stopped_in_memory(void **state) {
    /* One store in memory, the search made again on it after each turn. */
    (void)state;
    for (int32_t kind = 0; kind < SCENARIOS; kind++) {
        scenario s = {.kind = kind, .window = 2, .workers = 1, .trials = 10, .seed = 6};
        char *straight = scenario_dump(&s);
        cast c;
        nas_store *store;
        if (cast_begin(&c, &s, NULL) < 0) fail_msg("%s", nas_context_error(c.context));
        MUST(c.context, nas_store_open(&store, c.context, NULL, NULL));
        c.options.store = store;
        nas_status status = NAS_OK;
        for (int runs = 0; status == NAS_OK; runs++) {
            nas_search *search;
            assert_true(runs < 60);
            MUST(c.context, nas_search_create(&search, c.context, &c.options));
            status = nas_search_step(search);
            nas_search_free(search);
            /* Fresh parts, the old store: nothing but the store carries anything over. */
            nas_controller_free(c.controller);
            nas_evaluator_free(c.evaluator);
            nas_space *old = c.space;
            MUST(c.context, cast_parts(&c, &s));
            nas_space_free(old);
            c.named.evaluator = c.evaluator;
            c.options.space = c.space;
            c.options.controller = c.controller;
        }
        assert_int_equal(status, NAS_DONE);
        char *resumed = dump_of(c.context, store);
        assert_string_equal(straight, resumed);
        free(straight);
        free(resumed);
        nas_store_free(store);
        cast_end(&c);
    }
}

static void test_extended(void **state) {
    /* 7 trials, then 12 more: as 19 at once. */
    char folder[256], path[300], *extended = NULL;
    (void)state;
    folder_begin(folder, sizeof folder);
    for (int32_t kind = 0; kind < SCENARIOS; kind++) {
        scenario s = {.kind = kind, .window = 3, .workers = 1, .trials = 19, .seed = 5};
        char *straight = scenario_dump(&s);
        snprintf(path, sizeof path, "%s/%d.nas", folder, kind);
        s.trials = 7;
        assert_true(run_some(&s, path, UINT64_MAX, &extended));
        free(extended);
        s.trials = 19;
        assert_true(run_some(&s, path, UINT64_MAX, &extended));
        if (kind == SCENARIO_EVOLUTION) { /* what was in flight when a budget ended it was told */
            assert_string_not_equal(straight, extended);
        }
        free(extended);
        free(straight);
        s.window = 1;
        straight = scenario_dump(&s);
        snprintf(path, sizeof path, "%s/%d-1.nas", folder, kind);
        s.trials = 7;
        assert_true(run_some(&s, path, UINT64_MAX, &extended));
        free(extended);
        s.trials = 19;
        assert_true(run_some(&s, path, UINT64_MAX, &extended));
        if (strcmp(straight, extended)) fail_msg("%s: 7 + 12 is not 19", scenario_names[kind]);
        free(extended);
        free(straight);
    }
    folder_end(folder);
}

static void test_ask_tell_resumed(void **state) {
    /* Killed with two proposals out: they are handed out again, and the end is the same. */
    char folder[256], path[300];
    (void)state;
    folder_begin(folder, sizeof folder);
    scenario s = {.kind = SCENARIO_EVOLUTION, .window = 3, .trials = 14, .seed = 8};
    char *straight = scenario_dump(&s), *resumed = NULL;
    snprintf(path, sizeof path, "%s/asked.nas", folder);
    for (int runs = 0; resumed == NULL; runs++) {
        cast c;
        nas_search *search;
        nas_store *store;
        const nas_proposal *held[3], *asked;
        nas_result_builder *result;
        int n = 0, told = 0;
        nas_status status;
        assert_true(runs < 30);
        if (cast_begin(&c, &s, NULL) < 0) fail_msg("%s", nas_context_error(c.context));
        MUST(c.context, nas_result_create(&result, c.context));
        MUST(c.context, nas_store_open(&store, c.context, path, NULL));
        c.options.store = store;
        MUST(c.context, nas_search_create(&search, c.context, &c.options));
        while ((status = nas_search_ask(search, &asked)) == NAS_OK || status == NAS_WAIT) {
            if (status == NAS_OK) {
                held[n++] = asked;
                continue;
            }
            if (told++ == 2) break;
            n--; /* the newest first */
            MUST(c.context, letters_evaluate(&c.work, held[n], NULL, result));
            MUST(c.context, nas_search_tell(search, held[n], result));
        }
        if (status == NAS_DONE) resumed = dump_of(c.context, store);
        nas_result_free(result);
        nas_search_free(search);
        nas_store_free(store);
        cast_end(&c);
    }
    assert_string_equal(straight, resumed);
    free(straight);
    free(resumed);
    folder_end(folder);
}

static void test_other_search(void **state) {
    /* A store that holds another search is refused, and left as it was. */
    char folder[256], path[300], *first = NULL;
    (void)state;
    folder_begin(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/mine.nas", folder);
    scenario s = {.kind = SCENARIO_EVOLUTION, .window = 1, .trials = 8, .seed = 1};
    assert_true(run_some(&s, path, UINT64_MAX, &first));
    static const char *const words[] = {"its seed is \"1\", this one's is \"2\"", "window",
                                        "controller", "its order is \"turns\"", "objectives"};
    for (int i = 0; i < 5; i++) {
        scenario other = s;
        cast c;
        nas_search *search;
        nas_store *store;
        nas_objective objective = {.metric = "loss", .minimise = 1, .weight = 1};
        if (i == 0) other.seed = 2;
        if (i == 1) other.window = 2;
        if (i == 2) other.kind = SCENARIO_CUSTOM;
        if (i == 3) other.order = NAS_ORDER_ARRIVAL;
        if (cast_begin(&c, &other, NULL) < 0) fail_msg("%s", nas_context_error(c.context));
        if (i == 4) {
            c.options.objectives = &objective;
            c.options.n_objectives = 1;
        }
        MUST(c.context, nas_store_open(&store, c.context, path, NULL));
        c.options.store = store;
        FAILS(c.context, NAS_E_STATE, words[i], nas_search_create(&search, c.context, &c.options));
        char *same = dump_of(c.context, store);
        assert_string_equal(first, same);
        free(same);
        nas_store_free(store);
        cast_end(&c);
    }
    /* Another setting of the controller is found by the controller itself. */
    cast c;
    nas_search *search;
    nas_store *store;
    static const char *const settings[] = {"population=6", "sample=2", "distinct=yes"};
    if (cast_begin(&c, &s, NULL) < 0) fail_msg("%s", nas_context_error(c.context));
    nas_controller_free(c.controller);
    MUST(c.context, nas_controller_named(&c.controller, c.space, "evolution", settings, 3));
    c.options.controller = c.controller;
    MUST(c.context, nas_store_open(&store, c.context, path, NULL));
    c.options.store = store;
    FAILS(c.context, NAS_E_STATE, "sample was 3",
          nas_search_create(&search, c.context, &c.options));
    nas_store_free(store);
    cast_end(&c);
    free(first);
    folder_end(folder);
}

/* ---- replay
 * --------------------------------------------------------------------------------------------------
 */

static void replay(const scenario *s, const char *path, int change, nas_status expected,
                   const char *words) {
    cast c;
    nas_store *record;
    nas_store_options reading = NAS_STORE_OPTIONS_INIT;
    reading.read_only = 1;
    if (cast_begin(&c, s, NULL) < 0) fail_msg("%s", nas_context_error(c.context));
    if (change == 1) c.work.m = 5; /* another evaluation */
    if (change == 2) {
        static const char *const settings[] = {"population=6", "sample=2", "distinct=yes"};
        nas_controller_free(c.controller);
        MUST(c.context, nas_controller_named(&c.controller, c.space, "evolution", settings, 3));
        c.options.controller = c.controller;
    }
    if (change == 3) c.options.seed++;
    MUST(c.context, nas_store_open(&record, c.context, path, &reading));
    if (expected == NAS_OK)
        MUST(c.context, nas_search_replay(c.context, record, &c.options));
    else
        FAILS(c.context, expected, words, nas_search_replay(c.context, record, &c.options));
    nas_store_free(record);
    cast_end(&c);
}

static void test_replay(void **state) {
    char folder[256], path[300], *dump = NULL;
    (void)state;
    folder_begin(folder, sizeof folder);
    for (int32_t kind = 0; kind < SCENARIOS; kind++)
        for (int32_t order = NAS_ORDER_TURNS; order <= NAS_ORDER_ARRIVAL; order++) {
            if (kind == SCENARIO_SUPERNET && order == NAS_ORDER_ARRIVAL) continue;
            scenario s = {.kind = kind,
                          .window = 4,
                          .workers = 3,
                          .trials = 25,
                          .seed = 3,
                          .order = order,
                          .naps = 1};
            snprintf(path, sizeof path, "%s/%d-%d.nas", folder, kind, order);
            assert_true(run_some(&s, path, UINT64_MAX, &dump));
            free(dump);
            replay(&s, path, 0, NAS_OK, "");
            s.workers = 1;
            s.naps = 0;
            replay(&s, path, 0, NAS_OK, "");
            if (kind == SCENARIO_EVOLUTION) {
                replay(&s, path, 1, NAS_E_DIFFERS, "trial 0: ");
                replay(&s, path, 2, NAS_E_DIFFERS, "on record is the architecture");
                replay(&s, path, 3, NAS_E_STATE, "its seed is");
            }
        }
    /* One number of the record changed: the first trial that differs is named. */
    folder_end(folder);
}

static void test_arrival_resumed(void **state) {
    /* Results told as they come: a stopped search goes on, and the whole can be replayed. */
    char folder[256], path[300], *dump = NULL;
    (void)state;
    folder_begin(folder, sizeof folder);
    for (uint64_t stop_at = 3; stop_at <= 9; stop_at += 3) {
        scenario s = {.kind = SCENARIO_EVOLUTION,
                      .window = 4,
                      .workers = 3,
                      .trials = 30,
                      .seed = 3,
                      .order = NAS_ORDER_ARRIVAL,
                      .naps = 1};
        snprintf(path, sizeof path, "%s/%d.nas", folder, (int)stop_at);
        int runs = 0;
        while (!run_some(&s, path, stop_at, &dump))
            assert_true(++runs < 20);
        assert_true(runs >= 2);
        free(dump);
        replay(&s, path, 0, NAS_OK, "");
    }
    folder_end(folder);
}

static nas_status sometimes_slow(void *user, const nas_proposal *asked, nas_reporter *progress,
                                 nas_result_builder *out) {
    if (*(int *)user && nas_proposal_trial(asked) % 4 == 1)
        for (;;) {
            struct timespec pause = {0, 1000000};
            nanosleep(&pause, NULL);
            nas_status status = nas_report_poll(progress);
            if (status != NAS_OK) return status;
        }
    return nas_result_set(out, "accuracy", letters_value(asked, 4, 4));
}

static void test_replay_without_clock(void **state) {
    /* Trials that ran out of time, and a search that did: the replay needs no clock for either. */
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        scenario s = {
            .kind = SCENARIO_EVOLUTION, .window = 1, .workers = 1, .trials = 10, .seed = 2};
        cast c;
        nas_search *search;
        nas_store *record;
        int slow = 1, fast = 0;
        int32_t ended;
        if (cast_begin(&c, &s, NULL) < 0) fail_msg("%s", nas_context_error(c.context));
        nas_evaluator *evaluators[2];
        for (int i = 0; i < 2; i++)
            MUST(c.context,
                 nas_evaluator_callback(&evaluators[i], c.context, NAS_EVALUATOR_STATELESS,
                                        sometimes_slow, i ? &fast : &slow, NULL));
        c.named.evaluator = evaluators[0];
        MUST(c.context, nas_store_open(&record, c.context, NULL, NULL));
        c.options.store = record;
        if (whole)
            c.options.max_seconds = 0.1;
        else
            c.options.trial_seconds = 0.02;
        MUST(c.context, nas_search_create(&search, c.context, &c.options));
        MUST(c.context, nas_search_run(search, &ended));
        assert_int_equal(ended, whole ? NAS_ENDED_TIME : NAS_ENDED_TRIALS);
        nas_search_free(search);
        nas_controller_free(c.controller);
        static const char *const settings[] = {"population=6", "sample=3", "distinct=yes"};
        MUST(c.context, nas_controller_named(&c.controller, c.space, "evolution", settings, 3));
        c.options.controller = c.controller;
        c.options.max_seconds = c.options.trial_seconds = 0;
        c.named.evaluator = evaluators[1];
        MUST(c.context, nas_search_replay(c.context, record, &c.options));
        for (int i = 0; i < 2; i++)
            nas_evaluator_free(evaluators[i]);
        nas_store_free(record);
        cast_end(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_stopped_in_memory),
        cmocka_unit_test(test_extended),
        cmocka_unit_test(test_ask_tell_resumed),
        cmocka_unit_test(test_other_search),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_arrival_resumed),
        cmocka_unit_test(test_replay_without_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
