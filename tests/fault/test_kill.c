/* kill -9 at random moments: a search in a child process is killed and resumed until it ends; its
 * dump is that of a search that was never killed.
 *
 * test-kill [COUNT]: goes on with new searches until so many were killed; 20 when none is given. */
#include "search/scenario.h"
#include <signal.h>
#include <sys/wait.h>

static int wanted = 20;

static int child_runs(const scenario *s, const char *path) {
    cast c;
    nas_search *search = NULL;
    nas_store *store = NULL;
    nas_status status = cast_begin(&c, s, NULL);
    if (status >= 0) status = nas_store_open(&store, c.context, path, NULL);
    c.options.store = store;
    if (status >= 0) status = nas_search_create(&search, c.context, &c.options);
    if (status >= 0) status = nas_search_run(search, NULL);
    if (status < 0) fprintf(stderr, "child: %s\n", nas_context_error(c.context));
    nas_search_free(search);
    nas_store_free(store);
    cast_end(&c);
    return status < 0;
}

static uint64_t noise(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_nsec * 6364136223846793005u >> 33;
}

static void test_kill(void **state) {
    char folder[256], path[300];
    int killed = 0, searches = 0;
    (void)state;
    folder_begin(folder, sizeof folder);
    for (; killed < wanted; searches++) {
        scenario s = {.kind = searches % SCENARIOS,
                      .window = 1 + (uint32_t)searches % 4,
                      .workers = 1 + (uint32_t)searches % 3,
                      .trials = 40,
                      .seed = (uint64_t)searches,
                      .naps = 1};
        char *straight = scenario_dump(&s);
        int status = -1;
        snprintf(path, sizeof path, "%s/%d.nas", folder, searches);
        while (status != 0) {
            fflush(NULL);
            pid_t child = fork();
            assert_true(child >= 0);
            if (child == 0) _exit(child_runs(&s, path));
            struct timespec pause = {0, (long)(noise() % 30000) * 1000};
            nanosleep(&pause, NULL);
            kill(child, SIGKILL);
            assert_int_equal(waitpid(child, &status, 0), child);
            if (WIFSIGNALED(status))
                killed++;
            else
                assert_int_equal(status, 0); /* it was done first */
        }
        cast c;
        nas_store *store;
        nas_store_options options = NAS_STORE_OPTIONS_INIT;
        options.read_only = 1;
        if (cast_begin(&c, &s, NULL) < 0) fail_msg("%s", nas_context_error(c.context));
        MUST(c.context, nas_store_open(&store, c.context, path, &options));
        char *dump = dump_of(c.context, store);
        if (strcmp(straight, dump)) fail_msg("search %d:\n%s\nwas\n%s", searches, dump, straight);
        nas_store_free(store);
        cast_end(&c);
        free(dump);
        free(straight);
    }
    print_message("%d searches, killed %d times, each ended as if never killed\n", searches,
                  killed);
    folder_end(folder);
}

int main(int argc, char **argv) {
    if (argc > 1) wanted = atoi(argv[1]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
