/* What the tests of graphs share: a context, a graph over float64 or float32 inputs, one run. */
#ifndef TEST_GRAPH_SUPPORT_H
#define TEST_GRAPH_SUPPORT_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "graph/graph.h"

#define OK(expression)                                                                             \
    do {                                                                                           \
        nas_status ok_status_ = (expression);                                                      \
        if (ok_status_ != NAS_OK) fail_msg("%s: %s", #expression, nas_status_name(ok_status_));    \
    } while (0)

static inline nas_context *new_context(uint32_t threads) {
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    nas_context *context;
    options.threads = threads;
    OK(nas_context_create(&context, &options));
    return context;
}

/* Fails unless the call gives this status and a sentence with `part` in it. */
static inline void expect_error(nas_context *context, nas_status got, nas_status wanted,
                                const char *part) {
    const char *text = nas_context_error(context);
    if (got != wanted)
        fail_msg("%s instead of %s (%s)", nas_status_name(got), nas_status_name(wanted), text);
    if (!strstr(text, part)) fail_msg("'%s' is not in: %s", part, text);
}

#endif
