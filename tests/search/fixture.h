/* What the tests of searches share: a context that counts, a space, evaluators of known answers. */
#ifndef TESTS_SEARCH_FIXTURE_H
#define TESTS_SEARCH_FIXTURE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "libnas/libnas.h"
#include "allocator.h"

#define MUST(context, call)                                                                        \
    do {                                                                                           \
        nas_status must_status_ = (call);                                                          \
        if (must_status_ != NAS_OK)                                                                \
            fail_msg("%s: %s: %s", #call, nas_status_name(must_status_),                           \
                     nas_context_error(context));                                                  \
    } while (0)
/* The call fails with that status, and its sentence has these words in it. */
#define FAILS(context, status, words, call)                                                        \
    do {                                                                                           \
        nas_status fails_status_ = (call);                                                         \
        if (fails_status_ != (status))                                                             \
            fail_msg("%s: %s instead of %s: %s", #call, nas_status_name(fails_status_), #status,   \
                     nas_context_error(context));                                                  \
        if (strstr(nas_context_error(context), (words)) == NULL)                                   \
            fail_msg("%s: \"%s\" does not say \"%s\"", #call, nas_context_error(context), words);  \
    } while (0)

typedef struct {
    test_allocator memory;
    nas_context *context;
    nas_space *space;
} fixture;

static inline nas_context *make_context(test_allocator *memory, uint32_t threads) {
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    nas_allocator table = test_allocator_table(memory);
    nas_context *context = NULL;
    options.allocator = &table;
    options.threads = threads;
    assert_int_equal(nas_context_create(&context, &options), NAS_OK);
    return context;
}

static inline nas_context *plain_context(void) {
    nas_context *context = NULL;
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    return context;
}

/* n choices of m alternatives */
static inline nas_space *make_space(nas_context *context, uint32_t n, uint32_t m) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    char decision[16];
    nas_space *space = NULL;
    MUST(context, nas_space_create(&space, context, "letters"));
    for (uint32_t i = 0; i < n; i++) {
        snprintf(decision, sizeof decision, "d%u", i);
        MUST(context, nas_space_add_choice(space, decision, names, m));
    }
    MUST(context, nas_space_finish(space));
    return space;
}

static inline void fixture_begin(fixture *f, uint32_t n, uint32_t m) {
    memset(f, 0, sizeof *f);
    f->context = make_context(&f->memory, 4);
    f->space = make_space(f->context, n, m);
}

/* Nothing is left: not a byte. */
static inline void fixture_end(fixture *f) {
    nas_space_free(f->space);
    nas_context_free(f->context);
    assert_int_equal(f->memory.bytes, 0);
    assert_false(f->memory.wrong_size);
}

/* Mean of the alternatives' indices: best is the last alternative everywhere. */
static inline double letters_value(const nas_proposal *asked, uint32_t n, uint32_t m) {
    double sum = 0;
    for (uint32_t d = 0; d < n; d++) {
        nas_value value = {0, 0};
        (void)nas_proposal_value(asked, d, &value);
        sum += (double)value.integer / (m - 1);
    }
    return sum / n;
}

typedef struct {
    uint32_t n, m;
    atomic_int calls;
    atomic_int naps; /* 1: evaluations take different times */
} letters;

static inline nas_status letters_evaluate(void *user, const nas_proposal *asked,
                                          nas_reporter *progress, nas_result_builder *out) {
    letters *self = user;
    double value = letters_value(asked, self->n, self->m),
           epochs = nas_proposal_fidelity(asked, "epochs", 2);
    nas_random *random;
    nas_status status;
    atomic_fetch_add(&self->calls, 1);
    if (self->naps) {
        /* Not a function of the search: different each time. */
        struct timespec now, pause = {0, 0};
        clock_gettime(CLOCK_MONOTONIC, &now);
        pause.tv_nsec = (now.tv_nsec / 1000 * 2654435761u >> 7) % 3000000;
        nanosleep(&pause, NULL);
    }
    status = nas_proposal_random(asked, "noise", &random);
    if (status < 0) return status;
    value += 0.01 * nas_random_normal(random);
    nas_random_free(random);
    for (double e = 1; e <= epochs; e++) {
        status = nas_result_add_point(out, "accuracy", e, value * e / epochs);
        if (status < 0) return status;
        status = nas_report(progress, e, epochs, "accuracy", value * e / epochs);
        if (status != NAS_OK && status != NAS_STOP) return status;
    }
    status = nas_result_set(out, "accuracy", value);
    if (status < 0) return status;
    return nas_result_set(out, "loss", 1 - value);
}

/* The canonical text of a store; free() it. */
static inline char *dump_of(nas_context *context, nas_store *store) {
    nas_sink *sink;
    size_t n;
    MUST(context, nas_sink_memory(&sink, context));
    MUST(context, nas_store_dump(store, sink));
    char *text = strdup(nas_sink_data(sink, &n));
    nas_sink_free(sink);
    assert_non_null(text);
    return text;
}

/* A folder of its own under the system's, removed with what is in it by folder_end. */
static inline void folder_begin(char *path, size_t size) {
    const char *base = getenv("TMPDIR");
    if (base == NULL)
        base = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm"; /* no waits for disks */
    snprintf(path, size, "%s/libnas-test-XXXXXX", base);
    assert_non_null(mkdtemp(path));
}
static inline void folder_end(const char *path) {
    char command[600];
    snprintf(command, sizeof command, "chmod -R u+w '%s'; rm -rf '%s'", path, path);
    assert_int_equal(system(command), 0);
}
#endif
