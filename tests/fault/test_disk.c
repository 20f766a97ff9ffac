/* A search whose store dies, fails or is full at every write, sync, truncation and deletion in
 * turn: what was finished is kept, and the resumed search ends as one that nothing happened to. */
#include "search/scenario.h"
#include "vfs.h"
#include <sys/wait.h>

/* One run over the store; a status, and the dump when it came to its end. Nothing here asserts: it
 * also runs in children. */
static nas_status run_once(const scenario *s, const char *path, const char *vfs,
                           test_allocator *memory, char *sentence, size_t size, char **dump) {
    cast c;
    nas_search *search = NULL;
    nas_store *store = NULL;
    nas_store_options options = NAS_STORE_OPTIONS_INIT;
    nas_sink *sink = NULL;
    size_t n;
    options.vfs = vfs;
    nas_status status = cast_begin(&c, s, memory);
    if (status >= 0) status = nas_store_open(&store, c.context, path, &options);
    c.options.store = store;
    c.options.checkpoint_seconds = 0; /* a checkpoint after each turn */
    if (status >= 0) status = nas_search_create(&search, c.context, &c.options);
    if (status >= 0) status = nas_search_run(search, NULL);
    if (status >= 0 && dump) {
        status = nas_sink_memory(&sink, c.context);
        if (status >= 0) status = nas_store_dump(store, sink);
        if (status >= 0) *dump = strdup(nas_sink_data(sink, &n));
    }
    if (sentence) snprintf(sentence, size, "%s", nas_context_error(c.context));
    nas_sink_free(sink);
    nas_search_free(search);
    nas_store_free(store);
    cast_end(&c);
    return status;
}

static void remove_store(const char *path) {
    static const char *const ends[] = {"", "-wal", "-shm", "-lock", "-journal"};
    char name[400];
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        remove(name);
    }
}

/* The default VFS finishes the search; the end must be the one of a search that was left alone. */
static void check_resumed(const scenario *s, const char *path, const char *straight,
                          const char *what, long long at) {
    char *dump = NULL, sentence[400];
    nas_status status = run_once(s, path, NULL, NULL, sentence, sizeof sentence, &dump);
    if (status < 0)
        fail_msg("%s, %s %lld: not resumed: %s", scenario_names[s->kind], what, at, sentence);
    if (strcmp(straight, dump))
        fail_msg("%s, %s %lld:\n%s\nwas\n%s", scenario_names[s->kind], what, at, dump, straight);
    free(dump);
}

static void death(const scenario *s, int mode, const char *path, long long *operations) {
    vfs_plan *plan = vfs_register();
    char *straight = scenario_dump(s);
    assert_non_null(plan);
    for (long long at = 1;; at++) {
        int status;
        remove_store(path);
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            plan->mode = mode;
            plan->at = at;
            _exit(run_once(s, path, VFS_NAME, NULL, NULL, 0, NULL) < 0 ? 1 : 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_true(WEXITSTATUS(status) == VFS_DEATH || WEXITSTATUS(status) == 0);
        check_resumed(s, path, straight, "death at", at);
        *operations = at;
        if (WEXITSTATUS(status) == 0) break; /* it had no so many operations */
    }
    free(straight);
}

static void test_death(void **state) {
    char folder[256], path[300];
    (void)state;
    folder_begin(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/s.nas", folder);
    for (int32_t kind = 0; kind < SCENARIOS; kind++) {
        long long whole, half = 0;
        scenario s = {.kind = kind,
                      .window = 1 + (uint32_t)kind % 2 * 2,
                      .workers = 1,
                      .trials = 6,
                      .seed = 2};
        death(&s, VFS_DIE, path, &whole);
        if (kind % 2 == 0) {
            death(&s, VFS_DIE_HALF, path, &half);
            assert_int_equal(whole, half);
        }
        print_message("%s: died at each of %lld writes and syncs%s\n", scenario_names[kind],
                      whole - 1, half ? ", and in the middle of each" : "");
        assert_true(whole > 40);
    }
    folder_end(folder);
}

static void test_death_again_and_again(void **state) {
    /* It dies at the 23rd operation of every run. */
    char folder[256], path[300];
    vfs_plan *plan = vfs_register();
    (void)state;
    folder_begin(folder, sizeof folder);
    for (int32_t kind = 0; kind < SCENARIOS; kind++) {
        scenario s = {.kind = kind, .window = 2, .workers = 1, .trials = 6, .seed = 2};
        char *straight = scenario_dump(&s);
        int deaths = 0, status;
        snprintf(path, sizeof path, "%s/%d.nas", folder, kind);
        do {
            fflush(NULL);
            pid_t child = fork();
            if (child == 0) {
                plan->mode = VFS_DIE;
                plan->at = 23;
                _exit(run_once(&s, path, VFS_NAME, NULL, NULL, 0, NULL) < 0 ? 1 : 0);
            }
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_true(WIFEXITED(status) && ++deaths < 60);
        } while (WEXITSTATUS(status) == VFS_DEATH);
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_true(deaths > 2);
        check_resumed(&s, path, straight, "deaths, ", deaths);
        free(straight);
    }
    folder_end(folder);
}

static void test_errors(void **state) {
    static const struct {
        int mode;
        const char *name, *words;
    } modes[] = {{VFS_IOERR, "one error at", "s.nas"},
                 {VFS_IOERR_ON, "errors from", "s.nas"},
                 {VFS_FULL, "full disk at", "disk is full"},
                 {VFS_FULL_ON, "full disk from", "disk is full"}};
    vfs_plan *plan = vfs_register();
    char folder[256], path[300], sentence[400];
    (void)state;
    folder_begin(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/s.nas", folder);
    for (int32_t kind = 0; kind < SCENARIOS; kind += 2) {
        scenario s = {.kind = kind, .window = 2, .workers = 1, .trials = 6, .seed = 2};
        char *straight = scenario_dump(&s);
        for (int m = 0; m < 4; m++) {
            int refused = 0;
            for (long long at = 1;; at++) {
                test_allocator memory = TEST_ALLOCATOR_INIT;
                remove_store(path);
                plan->seen = 0;
                plan->failed = 0;
                plan->at = at;
                plan->mode = modes[m].mode;
                nas_status status =
                    run_once(&s, path, VFS_NAME, &memory, sentence, sizeof sentence, NULL);
                int failed = plan->failed;
                long long seen = plan->seen;
                plan->mode = VFS_NOTHING;
                assert_int_equal(memory.bytes, 0);
                if (status < 0) {
                    refused++;
                    if (status != NAS_E_IO || !strstr(sentence, modes[m].words))
                        fail_msg("%s, %s %lld: %s: %s", scenario_names[kind], modes[m].name, at,
                                 nas_status_name(status), sentence);
                    assert_true(failed > 0);
                }
                check_resumed(&s, path, straight, modes[m].name, at);
                if (seen < at) break;
            }
            assert_true(refused > 10);
        }
        free(straight);
    }
    folder_end(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_death),
        cmocka_unit_test(test_death_again_and_again),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
