/* What the tests of the plug-in tables share. They include the public header alone and link the
 * shared library: what they can write, an application can write. */
#ifndef TESTS_API_PLUGIN_H
#define TESTS_API_PLUGIN_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>
#include "libnas/libnas.h"

#define TRY(call)                                                                                  \
    do {                                                                                           \
        nas_status try_status_ = (call);                                                           \
        if (try_status_ < 0) return try_status_;                                                   \
    } while (0)
/* The call succeeds; otherwise its sentence is printed. */
#define MUST(context, call)                                                                        \
    do {                                                                                           \
        nas_status must_status_ = (call);                                                          \
        if (must_status_ != NAS_OK)                                                                \
            fail_msg("%s: %s: %s", #call, nas_status_name(must_status_),                           \
                     nas_context_error(context));                                                  \
    } while (0)
#define CLOSE(a, b, within)                                                                        \
    do {                                                                                           \
        double close_a_ = (a), close_b_ = (b);                                                     \
        if (!(fabs(close_a_ - close_b_) <= (within)))                                              \
            fail_msg("%s = %.17g, expected %.17g", #a, close_a_, close_b_);                        \
    } while (0)

/* A space of `n` choices with `alternatives` alternatives each, named a, b, c ... */
static inline nas_space *plugin_space(nas_context *context, uint32_t n, uint32_t alternatives) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    static const char *const decisions[] = {"d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"};
    nas_space *space = NULL;
    MUST(context, nas_space_create(&space, context, "plugin"));
    for (uint32_t i = 0; i < n; i++)
        MUST(context, nas_space_add_choice(space, decisions[i], names, alternatives));
    MUST(context, nas_space_finish(space));
    return space;
}

static inline nas_context *plugin_context(void) {
    nas_context *context = NULL;
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    return context;
}

/* Everything is freed, so the context holds nothing of the caller's any more. */
static inline void plugin_end(nas_context *context) {
    nas_context_free(context);
}

static inline void plugin_softmax(const double *logits, uint32_t n, double *p) {
    double top = logits[0], sum = 0;
    for (uint32_t i = 1; i < n; i++)
        if (logits[i] > top) top = logits[i];
    for (uint32_t i = 0; i < n; i++)
        sum += p[i] = exp(logits[i] - top);
    for (uint32_t i = 0; i < n; i++)
        p[i] /= sum;
}

/* One search from beginning to end over the options; *trials counts what was tried. */
static inline int32_t plugin_run(nas_context *context, const nas_search_options *options,
                                 nas_search **out) {
    int32_t ended = NAS_ENDED_NOT;
    MUST(context, nas_search_create(out, context, options));
    MUST(context, nas_search_run(*out, &ended));
    return ended;
}
#endif
