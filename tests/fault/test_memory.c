/* Every allocation of whole small searches fails in turn, once or from then on: a clean status, a
 * sentence, nothing leaked, nothing harmed. */
#include "search/scenario.h"

/* A search that is stopped after three turns, made again on its store and run to its end; reading
 * what it left. */
static nas_status whole(const scenario *s, const char *path, test_allocator *memory, char *sentence,
                        size_t size) {
    cast c;
    nas_search *search = NULL;
    nas_store *store = NULL;
    nas_sink *sink = NULL;
    nas_trial best = {.struct_size = sizeof best};
    nas_status status = cast_begin(&c, s, memory);
    if (status >= 0) status = nas_store_open(&store, c.context, path, NULL);
    c.options.store = store;
    c.options.settings = "settings: of a search";
    if (status >= 0) status = nas_search_create(&search, c.context, &c.options);
    for (int i = 0; status >= 0 && i < 3; i++)
        status = nas_search_step(search);
    nas_search_free(search);
    search = NULL;
    if (status >= 0 && path) { /* as another process would */
        nas_store_free(store);
        store = NULL;
        status = nas_store_open(&store, c.context, path, NULL);
        c.options.store = store;
    }
    nas_controller_free(c.controller);
    nas_evaluator_free(c.evaluator);
    c.controller = NULL;
    c.evaluator = NULL;
    nas_space *old = c.space;
    c.space = NULL;
    if (status >= 0) status = cast_parts(&c, s);
    nas_space_free(old);
    c.named.evaluator = c.evaluator;
    c.options.controller = c.controller;
    c.options.space = c.space;
    if (status >= 0) status = nas_search_create(&search, c.context, &c.options);
    if (status >= 0) status = nas_search_run(search, NULL);
    if (status >= 0) status = nas_search_best(search, &best);
    if (status == NAS_E_NOT_FOUND) status = NAS_OK; /* all trials ran out of memory */
    if (status >= 0) status = nas_sink_memory(&sink, c.context);
    if (status >= 0) status = nas_store_dump(nas_search_store(search), sink);
    if (status >= 0) status = nas_controller_describe(c.controller, sink);
    if (c.context)
        snprintf(sentence, size, "%s", nas_context_error(c.context));
    else
        snprintf(sentence, size, "no context");
    nas_sink_free(sink);
    nas_search_free(search);
    nas_store_free(store);
    cast_end(&c);
    return status;
}

static void sweep(const scenario *s, const char *folder, int on) {
    char path[300], sentence[400];
    int refused = 0, absorbed = 0;
    for (long long at = 1;; at++) {
        test_allocator memory = {.fail_at = at, .forever = on};
        if (folder) snprintf(path, sizeof path, "%s/%d-%d-%lld.nas", folder, s->kind, on, at);
        nas_status status = whole(s, folder ? path : NULL, &memory, sentence, sizeof sentence);
        if (memory.bytes != 0)
            fail_msg("%s: allocation %lld: %lld bytes leaked", scenario_names[s->kind], at,
                     (long long)memory.bytes);
        if (status < 0) {
            refused++;
            if (status != NAS_E_MEMORY || sentence[0] == 0)
                fail_msg("%s: allocation %lld: %s: %s", scenario_names[s->kind], at,
                         nas_status_name(status), sentence);
        } else if (memory.failed) {
            absorbed++; /* a trial that ran out of memory is a result */
        }
        if (folder) remove(path);
        if (!memory.failed) break;
    }
    assert_true(refused > 100);
    print_message("%s, %s, %s: %d failed cleanly, %d were a trial's own\n", scenario_names[s->kind],
                  folder ? "file" : "memory", on ? "from there on" : "once", refused, absorbed);
}

static void test_sweep(void **state) {
    char folder[256];
    (void)state;
    folder_begin(folder, sizeof folder);
    for (int32_t kind = 0; kind < SCENARIOS; kind++)
        for (int on = 0; on < 2; on++) {
            scenario s = {
                .kind = kind, .window = 2, .workers = 1, .threads = 1, .trials = 6, .seed = 2};
            sweep(&s, NULL, on);
            if (kind < SCENARIO_REUSE && on == kind % 2) sweep(&s, folder, on);
        }
    folder_end(folder);
}

static void test_sweep_workers(void **state) {
    /* With workers the n-th allocation is not the same one each time; all the same it is clean. */
    char sentence[400];
    (void)state;
    scenario s = {.kind = SCENARIO_EVOLUTION,
                  .window = 3,
                  .workers = 3,
                  .threads = 2,
                  .trials = 6,
                  .seed = 2};
    for (long long at = 1; at < 1500; at += 3) {
        test_allocator memory = {.fail_at = at, .forever = at % 2 == 0};
        nas_status status = whole(&s, NULL, &memory, sentence, sizeof sentence);
        assert_int_equal(memory.bytes, 0);
        if (status < 0) assert_int_equal(status, NAS_E_MEMORY);
    }
}

static void test_limit(void **state) {
    /* A trial past the context's limit is infeasible, and the search goes on. */
    (void)state;
    scenario s = {.kind = SCENARIO_EVOLUTION, .trials = 5, .workers = 1};
    char sentence[400];
    test_allocator memory = TEST_ALLOCATOR_INIT;
    assert_true(whole(&s, NULL, &memory, sentence, sizeof sentence) >= 0);
    long long all = memory.calls;
    /* One that fails in an evaluation, found by trying: its trial says so. */
    int found = 0;
    for (long long at = all / 4; at < all && !found; at++) {
        cast c;
        nas_search *search;
        nas_trial trial = {.struct_size = sizeof trial};
        test_allocator failing = TEST_ALLOCATOR_INIT;
        if (cast_begin(&c, &s, &failing) < 0) fail_msg("%s", nas_context_error(c.context));
        MUST(c.context, nas_search_create(&search, c.context, &c.options));
        failing.fail_at = failing.calls + at - all / 4 + 1;
        nas_status status = nas_search_run(search, NULL);
        for (uint64_t t = 0; status >= 0 && t < nas_search_trials(search); t++) {
            MUST(c.context, nas_search_trial(search, t, &trial));
            if (trial.reason != NAS_REASON_MEMORY) continue;
            assert_non_null(strstr(trial.sentence, "memory"));
            assert_int_equal(nas_search_trials(search), 5);
            found = 1;
        }
        nas_search_free(search);
        cast_end(&c);
    }
    assert_true(found);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_sweep_workers),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
