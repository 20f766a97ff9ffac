/* Errors and the log: one sentence for each thread and context, short memory, fork, callbacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include "allocator.h"
#include "core/private.h"

static nas_context *context_new(void) {
    nas_context *context = NULL;
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    return context;
}

static void sentences_are_kept(void **state) {
    (void)state;
    nas_context *context = context_new(), *other = context_new();
    assert_string_equal(nas_context_error(context), "");
    assert_int_equal(nas_context_error_status(context), NAS_OK);
    assert_int_equal(ni_fail(context, NAS_E_INVALID, "population is %d: at least %d", 0, 1),
                     NAS_E_INVALID);
    assert_string_equal(nas_context_error(context), "population is 0: at least 1");
    assert_int_equal(nas_context_error_status(context), NAS_E_INVALID);
    assert_string_equal(nas_context_error(other), "");

    assert_int_equal(ni_fail_prefix(context, NAS_E_SYNTAX, "file.yaml:3"), NAS_E_SYNTAX);
    assert_string_equal(nas_context_error(context), "file.yaml:3: population is 0: at least 1");
    assert_int_equal(nas_context_error_status(context), NAS_E_SYNTAX);
    ni_fail_prefix(other, NAS_E_LIMIT, "here");
    assert_string_equal(nas_context_error(other), "here: a limit was reached");

    assert_int_equal(nas_context_fail(context, -1005, "mine"), -1005);
    assert_string_equal(nas_context_error(context), "mine");
    assert_int_equal(nas_context_error_status(context), -1005);
    assert_int_equal(nas_context_fail(context, NAS_STOP, "not an error"), NAS_STOP);
    assert_string_equal(nas_context_error(context), "mine");
    assert_int_equal(nas_context_fail(context, NAS_E_BUSY, NULL), NAS_E_BUSY);
    assert_string_equal(nas_context_error(context), nas_status_text(NAS_E_BUSY));

    assert_int_equal(ni_fail(NULL, NAS_E_IO, "nobody hears"), NAS_E_IO);
    assert_string_equal(nas_context_error(NULL), "no context");
    assert_int_equal(ni_enter(NULL), NAS_E_INVALID);
    nas_context_free(context);
    nas_context_free(other);
}

static void sentences_are_one_short_line(void **state) {
    (void)state;
    nas_context *context = context_new();
    ni_fail(context, NAS_E_INVALID, "name \"%s\"", "a\nb\tc\x7f\x1b[1m");
    assert_string_equal(nas_context_error(context), "name \"a b c  [1m\"");
    char endless[5000];
    for (size_t shift = 0; shift < 3; shift++) { /* cut between the bytes of a character, too */
        memset(endless, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof endless; i += 3)
            memcpy(endless + i, "\xe2\x82\xac", 4); /* the euro sign */
        ni_fail(context, NAS_E_INVALID, "%s", endless);
        const char *sentence = nas_context_error(context);
        size_t n = strlen(sentence);
        assert_in_range(n, 1000, 1023);
        assert_string_equal(sentence + n - 3, "...");
        assert_int_equal((n - 3 - shift) % 3, 0);
    }
    nas_context_free(context);
}

typedef struct {
    nas_context *context;
    int number;
    pthread_barrier_t *barrier;
    bool right;
} teller;

static void *tell(void *user) {
    teller *self = user;
    char wanted[40];
    self->right = !*nas_context_error(self->context);
    for (int i = 0; i < 200; i++) {
        ni_fail(self->context, NAS_E_INVALID, "thread %d, error %d", self->number, i);
        snprintf(wanted, sizeof wanted, "thread %d, error %d", self->number, i);
        if (strcmp(nas_context_error(self->context), wanted) != 0) self->right = false;
    }
    pthread_barrier_wait(self->barrier); /* all alive at once: each has its record */
    if (strcmp(nas_context_error(self->context), wanted) != 0) self->right = false;
    return NULL;
}

static void each_thread_has_its_own(void **state) {
    (void)state;
    enum { N = 12, ROUNDS = 40 };
    nas_context *context = context_new();
    ni_fail(context, NAS_E_INVALID, "main");
    nas_memory_use first = NAS_MEMORY_USE_INIT, last = NAS_MEMORY_USE_INIT;
    for (int round = 0; round < ROUNDS; round++) {
        teller tellers[N];
        pthread_t threads[N];
        pthread_barrier_t barrier;
        pthread_barrier_init(&barrier, NULL, N);
        for (int i = 0; i < N; i++) {
            tellers[i] = (teller){context, i, &barrier, false};
            assert_int_equal(pthread_create(&threads[i], NULL, tell, &tellers[i]), 0);
        }
        for (int i = 0; i < N; i++) {
            pthread_join(threads[i], NULL);
            assert_true(tellers[i].right);
        }
        pthread_barrier_destroy(&barrier);
        nas_context_memory(context, round ? &last : &first);
    }
    /* The records of threads that ended are used again. (The system may need a moment to forget
     * one, hence not exactly equal.) */
    assert_true(last.bytes_now < first.bytes_now + 20 * 1200);
    assert_string_equal(nas_context_error(context), "main");
    nas_context_free(context);
}

static void *fail_without_memory(void *user) {
    nas_context *context = user;
    ni_fail(context, NAS_E_SHAPE, "no record for this");
    return (void *)nas_context_error(context);
}

typedef struct {
    nas_context *context;
    pthread_barrier_t *barrier;
    const char *sentence;
    nas_status status;
} poor;

static void *fail_beside_others(void *user) {
    poor *self = user;
    ni_fail(self->context, NAS_E_SHAPE, "kept");
    pthread_barrier_wait(self->barrier);
    self->sentence = nas_context_error(self->context);
    self->status = nas_context_error_status(self->context);
    pthread_barrier_wait(self->barrier);
    return NULL;
}

static void errors_need_no_memory(void **state) {
    (void)state;
    enum { N = 8 };
    test_allocator heap = TEST_ALLOCATOR_INIT;
    nas_allocator table = test_allocator_table(&heap);
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    options.allocator = &table;
    nas_context *context;
    assert_int_equal(nas_context_create(&context, &options), NAS_OK);
    heap.fail_at = heap.calls + 1;
    heap.forever = true;
    assert_null(ni_alloc(context, 100));
    assert_non_null(strstr(nas_context_error(context), "out of memory"));
    pthread_t thread;
    void *sentence;
    assert_int_equal(pthread_create(&thread, NULL, fail_without_memory, context), 0);
    pthread_join(thread, &sentence);
    assert_string_equal(sentence, "no record for this");

    poor poors[N];
    pthread_t threads[N];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, N);
    int kept = 0, lost = 0;
    for (int i = 0; i < N; i++) {
        poors[i] = (poor){context, &barrier, NULL, NAS_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, fail_beside_others, &poors[i]), 0);
    }
    for (int i = 0; i < N; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    for (int i = 0; i < N; i++) {
        kept += strcmp(poors[i].sentence, "kept") == 0 && poors[i].status == NAS_E_SHAPE;
        lost += strstr(poors[i].sentence, "lost") != NULL && poors[i].status == NAS_E_MEMORY;
    }
    assert_int_equal(kept + lost, N);
    assert_true(kept >= 2 && lost >= 1);
    nas_context_free(context);
    assert_int_equal(heap.blocks, 0);
}

static nas_status silent(nas_context *context) {
    (void)context;
    return NAS_E_DIVERGED;
}

static nas_status talking(nas_context *context) {
    return nas_context_fail(context, -1001, "the disk of my application is full");
}

static void callbacks_without_a_sentence_get_one(void **state) {
    (void)state;
    nas_context *context = context_new();
    uint64_t mark = ni_fail_mark(context);
    assert_int_equal(ni_fail_callback(context, silent(context), mark, "evaluate"), NAS_E_DIVERGED);
    assert_string_equal(nas_context_error(context),
                        "evaluate answered NAS_E_DIVERGED (a number is not finite)");
    mark = ni_fail_mark(context);
    assert_int_equal(ni_fail_callback(context, talking(context), mark, "evaluate"), -1001);
    assert_string_equal(nas_context_error(context), "the disk of my application is full");
    mark = ni_fail_mark(context);
    assert_int_equal(ni_fail_callback(context, -1002, mark, "tell"), -1002);
    assert_string_equal(nas_context_error(context),
                        "tell answered -1002, a status of the application");
    assert_int_equal(ni_fail_callback(context, NAS_WAIT, mark, "tell"), NAS_WAIT);
    nas_context_free(context);
}

typedef struct {
    int n;
    int32_t level;
    char text[2000];
} last_log;

static void keep_log(void *user, int32_t level, const char *text) {
    last_log *log = user;
    log->n++;
    log->level = level;
    snprintf(log->text, sizeof log->text, "%s", text);
}

static void the_log_has_levels(void **state) {
    (void)state;
    last_log log = {0};
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    options.log = keep_log;
    options.log_user = &log;
    nas_context *context;
    assert_int_equal(nas_context_create(&context, &options), NAS_OK);
    ni_log(context, NAS_LOG_INFO, "too quiet");
    assert_int_equal(log.n, 0);
    ni_log(context, NAS_LOG_WARNING, "two\nlines %d", 7);
    assert_int_equal(log.n, 1);
    assert_int_equal(log.level, NAS_LOG_WARNING);
    assert_string_equal(log.text, "two lines 7");
    nas_context_free(context);
    context = context_new();
    ni_log(context, NAS_LOG_ERROR, "nobody hears");
    nas_context_free(context);
}

/* 0 if all is as it should be in the child. */
static int in_the_child(nas_context *context, nas_sink *sink, nas_writer *writer) {
    nas_sink *new_sink;
    if (ni_enter(context) != NAS_E_FORKED) return 1;
    if (nas_sink_memory(&new_sink, context) != NAS_E_FORKED) return 2;
    if (nas_sink_text(sink, "from the child") != NAS_E_FORKED) return 3;
    if (nas_sink_close(sink) != NAS_E_FORKED) return 4;
    if (nas_write_u64(writer, 1) != NAS_E_FORKED) return 5;
    if (nas_context_error_status(context) != NAS_E_FORKED) return 6;
    if (!strstr(nas_context_error(context), "fork")) return 7;
    ni_fail(context, NAS_E_INVALID, "needs no lock of the parent's");
    nas_sink_free(sink); /* must leave the parent's file alone */
    nas_context_free(context);
    nas_context *own;
    if (nas_context_create(&own, NULL) != NAS_OK) return 8;
    ni_fail(own, NAS_E_INVALID, "own");
    if (strcmp(nas_context_error(own), "own") != 0) return 9;
    nas_context_free(own);
    return 0;
}

static void a_forked_child_is_told(void **state) {
    (void)state;
    char folder[] = "/tmp/libnas-fork-XXXXXX", path[60];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out.txt", folder);
    nas_context *context = context_new();
    nas_sink *sink;
    nas_writer *writer;
    ni_fail(context, NAS_E_INVALID, "of the parent");
    assert_int_equal(nas_sink_file(&sink, context, path), NAS_OK);
    assert_int_equal(nas_sink_text(sink, "from the parent"), NAS_OK);
    assert_int_equal(nas_writer_create(&writer, context), NAS_OK);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(in_the_child(context, sink, writer));
    int answer;
    assert_int_equal(waitpid(child, &answer, 0), child);
    assert_true(WIFEXITED(answer));
    assert_int_equal(WEXITSTATUS(answer), 0);
    assert_int_equal(ni_enter(context), NAS_OK);
    assert_string_equal(nas_context_error(context), "of the parent");
    assert_int_equal(nas_sink_close(sink), NAS_OK);
    nas_sink_free(sink);
    nas_writer_free(writer);
    void *text;
    size_t n;
    assert_int_equal(ni_file_read(context, path, 100, &text, &n), NAS_OK);
    assert_string_equal(text, "from the parent");
    ni_free(context, text);
    nas_context_free(context);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

/* Forked by a thread that is not the first, with many contexts, of which every other one has no
 * page that fork wipes, as on a system without such; and by that child again. */
enum { CONTEXTS = 64 };
typedef struct {
    nas_context *contexts[CONTEXTS];
    int answer;
} forker;

static int all_forked(const forker *f) {
    for (int i = 0; i < CONTEXTS; i++) {
        if (ni_enter(f->contexts[i]) != NAS_E_FORKED) return 10 + i;
        nas_context_free(f->contexts[i]); /* nothing */
    }
    return 0;
}

static int child_of_thread(const forker *f) {
    int wrong = all_forked(f), answer;
    if (wrong) return wrong;
    nas_context *own;
    if (nas_context_create(&own, NULL) != NAS_OK || ni_enter(own) != NAS_OK) return 2;
    ni_fail(own, NAS_E_INVALID, "of the child");
    if (strcmp(nas_context_error(own), "of the child") != 0) return 3;
    pid_t child = fork();
    if (child == 0) _exit(ni_enter(own) != NAS_E_FORKED ? 4 : all_forked(f) ? 5 : 0);
    if (child < 0 || waitpid(child, &answer, 0) != child || !WIFEXITED(answer)) return 6;
    if (WEXITSTATUS(answer)) return WEXITSTATUS(answer);
    if (ni_enter(own) != NAS_OK || strcmp(nas_context_error(own), "of the child") != 0) return 7;
    nas_context_free(own);
    return 0;
}

static void *fork_in_thread(void *user) {
    forker *f = user;
    int answer = -1;
    ni_fail(f->contexts[3], NAS_E_INVALID, "of the thread");
    pid_t child = fork();
    if (child == 0) _exit(child_of_thread(f));
    if (child < 0 || waitpid(child, &answer, 0) != child || !WIFEXITED(answer))
        f->answer = 100;
    else
        f->answer = WEXITSTATUS(answer);
    if (strcmp(nas_context_error(f->contexts[3]), "of the thread") != 0) f->answer = 101;
    return NULL;
}

static void forked_by_a_thread(void **state) {
    forker f = {.answer = -1};
    pthread_t thread;
    atomic_uchar *pages[CONTEXTS];
    (void)state;
    for (int i = 0; i < CONTEXTS; i++) {
        f.contexts[i] = context_new();
        pages[i] = f.contexts[i]->page;
        if (i % 2) f.contexts[i]->page = NULL;
    }
    ni_fail(f.contexts[3], NAS_E_INVALID, "of the first thread");
    fflush(NULL);
    assert_int_equal(pthread_create(&thread, NULL, fork_in_thread, &f), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(f.answer, 0);
    assert_string_equal(nas_context_error(f.contexts[3]), "of the first thread");
    for (int i = 0; i < CONTEXTS; i++) {
        assert_int_equal(ni_enter(f.contexts[i]), NAS_OK);
        f.contexts[i]->page = pages[i];
        nas_context_free(f.contexts[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_are_kept),
        cmocka_unit_test(sentences_are_one_short_line),
        cmocka_unit_test(each_thread_has_its_own),
        cmocka_unit_test(errors_need_no_memory),
        cmocka_unit_test(callbacks_without_a_sentence_get_one),
        cmocka_unit_test(the_log_has_levels),
        cmocka_unit_test(a_forked_child_is_told),
        cmocka_unit_test(forked_by_a_thread),
    };
    return cmocka_run_group_tests_name("core: errors and the log", tests, NULL, NULL);
}
