/* nas tune: measures which way the convolutions of a space's networks go on this machine. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "nas.h"

enum { COUNT = 1, SEED };

typedef struct {
    uint64_t count, seed;
} wish;

static int take(void *user, int option, const char *text) {
    wish *w = user;
    if (option == SEED) return tool_option_whole("--seed", text, INT64_MAX, &w->seed);
    int code = tool_option_whole("--count", text, 10000, &w->count);
    return !code && w->count == 0 ? tool_usage("--count takes 1 or more") : code;
}

/* The one that is named, or some drawn at random. */
static nas_status choose(nas_context *context, const nas_space *space, const char *text,
                         const wish *w, nas_arch **archs, size_t n) {
    nas_random *random = NULL;
    if (text) return nas_arch_parse(&archs[0], space, text);
    nas_status status = nas_random_create(&random, context, w->seed, 0, "tune");
    for (size_t i = 0; status >= 0 && i < n; i++)
        status = nas_space_sample(space, random, &archs[i]);
    nas_random_free(random);
    return status;
}

static nas_status write_table(nas_context *context, const nas_tuning *tuning, const char *path) {
    nas_sink *sink = NULL;
    nas_status status = tool_sink(&sink, context, path);
    if (status >= 0) status = nas_tuning_write(tuning, sink);
    if (status >= 0) status = nas_sink_close(sink);
    nas_sink_free(sink);
    return status;
}

static void say(const nas_context *context, const nas_tuning *tuning, const tool_request *r,
                const char *path) {
    uint32_t blis, n = nas_tuning_count(tuning, &blis);
    if (r->json) {
        printf("{\"isa\": \"%s\", \"hash\": \"%016" PRIx64 "\", \"count\": %" PRIu32
               ", \"blis\": %" PRIu32 ", \"file\": ",
               nas_isa_name(nas_context_isa(context)), nas_tuning_hash(tuning), n, blis);
        tool_json(stdout, path);
        puts("}");
    } else {
        printf("%s: table %016" PRIx64 " for %s, %" PRIu32 " convolutions, %" PRIu32
               " of them by BLIS\n",
               path, nas_tuning_hash(tuning), nas_isa_name(nas_context_isa(context)), n, blis);
    }
}

static int tune(nas_context *context, const wish *w, const tool_request *r, const char *path) {
    const char *text = r->n_words > 1 ? r->words[1] : NULL;
    const size_t n = text ? 1 : (size_t)w->count;
    nas_space *space = NULL;
    nas_tuning *tuning = NULL;
    nas_arch **archs = calloc(n, sizeof(nas_arch *));
    if (!archs) return tool_memory();
    int code = tool_space(&space, context, r->words[0], r->parameters, r->n_parameters);
    if (!code) {
        nas_status status = choose(context, space, text, w, archs, n);
        if (status >= 0)
            status = nas_tuning_measure(&tuning, context, (const nas_arch *const *)archs, n);
        if (status >= 0) status = write_table(context, tuning, path);
        if (status < 0)
            code = tool_failed(context);
        else
            say(context, tuning, r, path);
    }
    nas_tuning_free(tuning);
    for (size_t i = 0; i < n; i++)
        nas_arch_free(archs[i]);
    free(archs);
    nas_space_free(space);
    return code;
}

int cmd_tune(int argc, const char **argv) {
    static const struct poptOption options[] = {
        {"count", 'n', POPT_ARG_STRING, NULL, COUNT, "without ARCH: networks of the space; 8", "N"},
        {"seed", 0, POPT_ARG_STRING, NULL, SEED, "of these; 0", "N"},
        POPT_TABLEEND};
    static const tool_command about = {
        "tune",
        "SPACE [ARCH]",
        "Measures, for the convolutions of an architecture or of some drawn at random, whether "
        "the\n"
        "library's own kernels or BLIS are quicker on this machine, and writes a table of it for\n"
        "the option --tuning of search, train and arch plan. Without a table a fixed model "
        "chooses\n"
        "(docs/engine.md). Results differ between tables in their last bits: a search keeps the\n"
        "hash of its table, and goes on with no other. Keep the machine quiet while it measures.",
        "file for the table; tuning.txt",
        TAKES_OUTPUT | TAKES_JSON | TAKES_PARAM,
        1,
        2,
        options,
        take};
    wish w = {8, 0};
    tool_request r;
    int code;
    if (!tool_read(&r, &about, &w, argc, argv, &code)) return code;
    nas_context *context = tool_context(1);
    code = context ? tune(context, &w, &r, r.output ? r.output : "tuning.txt") : EXIT_FAILED;
    nas_context_free(context);
    tool_request_free(&r);
    return code;
}
