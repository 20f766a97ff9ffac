/* Threads: the pool runs each piece exactly once whatever happens around it; threads, mutexes and
 * condition variables of the rooms above. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "core/core.h"

enum { MOST = 2000, LANES = 16 };

static nas_context *context_with(uint32_t threads) {
    nas_context *context = NULL;
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    options.threads = threads;
    assert_int_equal(nas_context_create(&context, &options), NAS_OK);
    return context;
}

static int threads_alive(void) {
    int n = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) return -1;
    for (struct dirent *task; (task = readdir(tasks));)
        n += task->d_name[0] != '.';
    closedir(tasks);
    return n;
}

typedef struct {
    nas_context *context;
    uint32_t lanes;
    atomic_uint runs[MOST];
    atomic_uint in_lane[LANES];
    atomic_bool wrong;
    atomic_uint nested;
    uint32_t work;
} job;

static void count_nested(void *user, uint32_t piece, uint32_t lane) {
    (void)piece;
    job *j = user;
    if (lane != 0) atomic_store(&j->wrong, true);
    atomic_fetch_add(&j->nested, 1);
}

static void body(void *user, uint32_t piece, uint32_t lane) {
    job *j = user;
    if (lane >= j->lanes || atomic_fetch_add(&j->in_lane[lane], 1) != 0)
        atomic_store(&j->wrong, true);
    if (ni_lanes(j->context) != 1) atomic_store(&j->wrong, true);
    atomic_fetch_add(&j->runs[piece], 1);
    for (uint32_t i = 0; i < j->work; i++)
        atomic_signal_fence(memory_order_seq_cst);
    if (piece % 7 == 0) ni_parallel(j->context, 3, count_nested, j);
    atomic_fetch_sub(&j->in_lane[lane], 1);
}

static void run_and_check(nas_context *context, uint32_t pieces, uint32_t lanes, uint32_t work) {
    static _Thread_local job j;
    memset(&j, 0, sizeof j);
    j.context = context;
    j.lanes = lanes;
    j.work = work;
    ni_parallel(context, pieces, body, &j);
    if (atomic_load(&j.wrong)) fail_msg("a lane was shared, or a body saw other lanes");
    for (uint32_t i = 0; i < MOST; i++)
        if (atomic_load(&j.runs[i]) != (i < pieces)) fail_msg("piece %u of %u", i, pieces);
    assert_int_equal(atomic_load(&j.nested), 3 * ((pieces + 6) / 7));
}

static void each_piece_runs_once(void **state) {
    (void)state;
    static const uint32_t threads[] = {1, 2, 3, 8}, pieces[] = {0, 1, 2, 3, 7, 8, 64, 1000, MOST};
    for (size_t t = 0; t < NI_COUNT(threads); t++) {
        nas_context *context = context_with(threads[t]);
        assert_int_equal(ni_lanes(context), threads[t]);
        for (int round = 0; round < 20; round++)
            for (size_t p = 0; p < NI_COUNT(pieces); p++)
                run_and_check(context, pieces[p], threads[t], 20 * (uint32_t)(round % 3));
        nas_context_free(context);
    }
}

static void back_to_back_and_after_sleep(void **state) {
    (void)state;
    nas_context *context = context_with(3);
    for (int i = 0; i < 3000; i++)
        run_and_check(context, 1 + (uint32_t)i % 5, 3, 0);
    for (int i = 0; i < 100; i++) { /* workers asleep, falling asleep, awake */
        nanosleep(&(struct timespec){0, (i % 20) * 10000L}, NULL);
        run_and_check(context, 12, 3, 5);
    }
    nas_context_free(context);
}

/* What this thread and those that are younger than `oldest` may run on, as the kernel's text: the
 * same for all? (Older ones are the tools', as a sanitizer's.) */
static bool affinities_equal(long oldest) {
    DIR *tasks = opendir("/proc/self/task");
    char first[4096] = "", line[4096];
    bool equal = true;
    if (!tasks) return true;
    for (struct dirent *task; (task = readdir(tasks));) {
        char path[sizeof task->d_name + 32];
        const long number = strtol(task->d_name, NULL, 10);
        if (number == 0 || (number != getpid() && number <= oldest)) continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(path, "r");
        while (status && fgets(line, sizeof line, status)) {
            if (strncmp(line, "Cpus_allowed_list:", 18) != 0) continue;
            if (!first[0]) memcpy(first, line, sizeof first);
            equal = equal && strcmp(first, line) == 0;
        }
        if (status) fclose(status);
    }
    closedir(tasks);
    return equal;
}

static long youngest_thread(void) {
    DIR *tasks = opendir("/proc/self/task");
    long most = 0;
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        const long number = strtol(task->d_name, NULL, 10);
        if (number > most) most = number;
    }
    if (tasks) closedir(tasks);
    return most;
}

/* Workers that share a processor with the caller are moved to others, and stay free to run where
 * they might before: on one processor, and on all. */
static void threads_stay_unbound(void **state) {
    (void)state;
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
    for (int narrow = 0; narrow < 2; narrow++) {
        assert_int_equal(sched_setaffinity(0, sizeof all, narrow ? &one : &all), 0);
        const long before = youngest_thread();
        nas_context *context = context_with(4);
        for (int round = 0; round < 20; round++) {
            for (int i = 0; i < 20; i++) /* each job long enough that who sleeps is waited for */
                run_and_check(context, 12, 4, 20000);
            assert_true(affinities_equal(before));
            nanosleep(&(struct timespec){0, 2000000L}, NULL);
        }
        nas_context_free(context);
        assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    }
}

static void in_serial_it_stays_in_its_thread(void **state) {
    (void)state;
    nas_context *context = context_with(4);
    int before = threads_alive();
    ni_serial_begin();
    ni_serial_begin();
    assert_int_equal(ni_lanes(context), 1);
    ni_serial_end();
    assert_int_equal(ni_lanes(context), 1);
    run_and_check(context, 100, 1, 0);
    ni_serial_end();
    assert_int_equal(ni_lanes(context), 4);
    assert_int_equal(threads_alive(), before); /* nothing was started yet */
    run_and_check(context, 100, 4, 0);
    assert_int_equal(threads_alive(), before + 3);
    nas_context_free(context);
    assert_int_equal(threads_alive(), before); /* and nothing is left */
}

static void *many_calls(void *user) {
    nas_context *context = user;
    for (int i = 0; i < 300; i++)
        run_and_check(context, 1 + (uint32_t)i % 50, 4, 10);
    return NULL;
}

static void several_threads_may_call_at_once(void **state) {
    (void)state;
    nas_context *context = context_with(4);
    pthread_t threads[5];
    for (int i = 0; i < 5; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_calls, context), 0);
    for (int i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    nas_context_free(context);
}

/* ---- threads of the search's own ------------------------------------------------------------ */

typedef struct {
    ni_mutex *mutex;
    ni_cond *ready, *taken;
    int item, sum;
    bool signals_blocked;
} channel;

static void consume(void *user) {
    channel *c = user;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    c->signals_blocked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM);
    for (bool more = true; more;) {
        ni_mutex_lock(c->mutex);
        while (c->item < 0)
            ni_cond_wait(c->ready, c->mutex);
        c->sum += c->item;
        more = c->item != 0;
        c->item = -1;
        ni_cond_signal(c->taken);
        ni_mutex_unlock(c->mutex);
    }
}

static void threads_talk(void **state) {
    (void)state;
    nas_context *context = context_with(1);
    channel c = {.item = -1};
    ni_thread *thread;
    assert_int_equal(ni_mutex_create(&c.mutex, context), NAS_OK);
    assert_int_equal(ni_cond_create(&c.ready, context), NAS_OK);
    assert_int_equal(ni_cond_create(&c.taken, context), NAS_OK);
    assert_int_equal(ni_thread_start(&thread, context, consume, &c), NAS_OK);
    for (int i = 100; i >= 0; i--) {
        ni_mutex_lock(c.mutex);
        c.item = i;
        ni_cond_broadcast(c.ready);
        while (c.item >= 0)
            ni_cond_wait(c.taken, c.mutex);
        ni_mutex_unlock(c.mutex);
    }
    ni_thread_join(thread);
    ni_thread_join(NULL);
    assert_int_equal(c.sum, 5050);
    assert_true(c.signals_blocked);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGINT)); /* here they are as they were */

    ni_mutex_lock(c.mutex);
    double start = ni_clock();
    assert_false(ni_cond_wait_for(c.ready, c.mutex, 0.02));
    double took = ni_clock() - start;
    assert_true(took >= 0.0199 && took < 5);
    assert_false(ni_cond_wait_for(c.ready, c.mutex, -1));
    ni_mutex_unlock(c.mutex);
    ni_cond_free(c.ready);
    ni_cond_free(c.taken);
    ni_mutex_free(c.mutex);
    ni_cond_free(NULL);
    ni_mutex_free(NULL);
    nas_context_free(context);
    assert_true(ni_unix_time() > 1700000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_piece_runs_once),
        cmocka_unit_test(back_to_back_and_after_sleep),
        cmocka_unit_test(threads_stay_unbound),
        cmocka_unit_test(in_serial_it_stays_in_its_thread),
        cmocka_unit_test(several_threads_may_call_at_once),
        cmocka_unit_test(threads_talk),
    };
    return cmocka_run_group_tests_name("core: threads", tests, NULL, NULL);
}
