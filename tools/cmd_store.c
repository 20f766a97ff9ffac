/* nas dump, nas list: what is in a store. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "nas.h"

static nas_status to_stdout(void *user, const void *bytes, size_t n) {
    (void)user;
    return fwrite(bytes, 1, n, stdout) == n ? NAS_OK : NAS_E_IO;
}

static int open_store(const char *path, nas_context **context, nas_store **store) {
    nas_store_options o = NAS_STORE_OPTIONS_INIT;
    o.read_only = 1;
    o.create = 0;
    *store = NULL;
    *context = tool_context(1);
    if (!*context) return EXIT_FAILED;
    if (nas_store_open(store, *context, path, &o) >= 0) return 0;
    tool_failed(*context);
    nas_context_free(*context);
    return EXIT_FAILED;
}

int cmd_dump(int argc, const char **argv) {
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            puts("usage: nas dump STORE --canonical");
            return EXIT_GOOD;
        }
        if (strcmp(argv[i], "--canonical") == 0) continue;
        if (argv[i][0] == '-' || path) return tool_usage("dump takes one store and --canonical");
        path = argv[i];
    }
    if (!path) return tool_usage("dump takes one store");
    nas_context *context;
    nas_store *store;
    if (open_store(path, &context, &store)) return EXIT_FAILED;
    nas_sink *sink = NULL;
    nas_status status = nas_sink_create(&sink, context, to_stdout, NULL);
    if (status >= 0) status = nas_store_dump(store, sink);
    if (status >= 0) status = nas_sink_close(sink);
    int code = status < 0 ? tool_failed(context) : EXIT_GOOD;
    nas_sink_free(sink);
    nas_store_free(store);
    nas_context_free(context);
    return code;
}

static void list_trial(nas_store *store, uint64_t number, const nas_trial *t, bool json) {
    double accuracy = NAN, params = NAN;
    nas_store_metric(store, number, "accuracy", &accuracy);
    nas_store_metric(store, number, "params", &params);
    if (json) {
        printf("%s  {\"trial\": %" PRIu64 ", \"state\": %d, \"arch\": ", number ? ",\n" : "",
               t->number, (int)t->state);
        tool_json(stdout, t->arch);
        if (isfinite(accuracy)) printf(", \"accuracy\": %.6f", accuracy);
        if (isfinite(params)) printf(", \"params\": %.0f", params);
        printf(", \"seconds\": %.3f}", t->seconds);
        return;
    }
    printf("%5" PRIu64 "  ", t->number + 1);
    if (isfinite(accuracy))
        printf("%6.2f %%", 100 * accuracy);
    else
        printf("%8s", "-");
    if (isfinite(params))
        printf("  %9.0f", params);
    else
        printf("  %9s", "-");
    printf("  %6.1f s  %s%s%s\n", t->seconds, t->arch, *t->sentence ? "  : " : "", t->sentence);
}

int cmd_list(int argc, const char **argv) {
    const char *path = NULL;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            puts("usage: nas list STORE [--json]");
            return EXIT_GOOD;
        }
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (argv[i][0] == '-' || path)
            return tool_usage("list takes one store and --json");
        else
            path = argv[i];
    }
    if (!path) return tool_usage("list takes one store");
    nas_context *context;
    nas_store *store;
    uint64_t n;
    if (open_store(path, &context, &store)) return EXIT_FAILED;
    nas_status status = nas_store_trials(store, &n);
    if (status >= 0)
        fputs(json ? "[\n" : "trial  accuracy     params      time  architecture\n", stdout);
    for (uint64_t i = 0; status >= 0 && i < n; i++) {
        nas_trial t;
        memset(&t, 0, sizeof t);
        t.struct_size = sizeof t;
        status = nas_store_trial(store, i, &t);
        if (status >= 0) list_trial(store, i, &t, json);
    }
    if (status >= 0 && json) fputs("\n]\n", stdout);
    int code = status < 0 ? tool_failed(context) : EXIT_GOOD;
    nas_store_free(store);
    nas_context_free(context);
    return code;
}
