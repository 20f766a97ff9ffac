/* nas report: what a store holds, as a page or as text. */
#include <popt.h>
#include <stdlib.h>
#include <string.h>
#include "nas.h"

static nas_status to_stdout(void *user, const void *bytes, size_t n) {
    (void)user;
    return fwrite(bytes, 1, n, stdout) == n ? NAS_OK : NAS_E_IO;
}

nas_status tool_sink(nas_sink **out, nas_context *context, const char *path) {
    if (!path || strcmp(path, "-") == 0) return nas_sink_create(out, context, to_stdout, NULL);
    return nas_sink_file(out, context, path);
}

nas_status tool_report(nas_context *context, nas_store *store, const nas_report_options *options,
                       bool text, const char *path) {
    nas_sink *sink = NULL;
    nas_status status = tool_sink(&sink, context, path);
    if (status >= 0)
        status =
            text ? nas_report_text(store, options, sink) : nas_report_html(store, options, sink);
    if (status >= 0) status = nas_sink_close(sink);
    nas_sink_free(sink);
    return status;
}

/* report.html in the folder of the store; the caller frees it. */
static char *beside(const char *store) {
    static const char name[] = "report.html";
    const char *slash = strrchr(store, '/');
    size_t n = slash ? (size_t)(slash - store) + 1 : 0;
    char *path = malloc(n + sizeof name);
    if (!path) return NULL;
    memcpy(path, store, n);
    memcpy(path + n, name, sizeof name);
    return path;
}

static int report(const char *path, const nas_report_options *options, bool text,
                  const char *output) {
    nas_store_options o = NAS_STORE_OPTIONS_INIT;
    nas_store *store = NULL;
    nas_context *context = tool_context(1);
    char *made = output || text ? NULL : beside(path);
    int code = EXIT_GOOD;
    o.read_only = 1;
    o.create = 0;
    if (!context) {
        free(made);
        return EXIT_FAILED;
    }
    if (!output && !text) output = made;
    if (nas_store_open(&store, context, path, &o) < 0 ||
        tool_report(context, store, options, text, output) < 0)
        code = tool_failed(context);
    else if (output && strcmp(output, "-") != 0)
        printf("%s\n", output);
    nas_store_free(store);
    nas_context_free(context);
    free(made);
    return code;
}

int cmd_report(int argc, const char **argv) {
    char *output = NULL, *title = NULL;
    int text = 0, best = 4, code = 0, got;
    struct poptOption options[] = {
        {"output", 'o', POPT_ARG_STRING, &output, 0,
         "where to; - is standard output (report.html beside the store)", "FILE"},
        {"text", 't', POPT_ARG_NONE, &text, 0, "plain text, to standard output by itself", NULL},
        {"title", 0, POPT_ARG_STRING, &title, 0, "over the page", "TITLE"},
        {"best", 'b', POPT_ARG_INT, &best, 0, "so many of the best are drawn (4)", "N"},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext popt = poptGetContext("nas report", argc, argv, options, 0);
    poptSetOtherOptionHelp(popt, "[OPTION ...] STORE");
    while ((got = poptGetNextOpt(popt)) >= 0)
        continue;
    const char *store = NULL;
    if (got < -1) code = tool_usage("%s: %s", poptBadOption(popt, 0), poptStrerror(got));
    if (!code && (!(store = poptGetArg(popt)) || poptPeekArg(popt)))
        code = tool_usage("report takes one store; example: nas report nas-out/search.nas");
    if (!code && (best < 0 || best > 100)) code = tool_usage("--best takes 0 to 100");
    if (!code) {
        nas_report_options o = NAS_REPORT_OPTIONS_INIT;
        o.title = title;
        o.best = (uint32_t)best;
        code = report(store, &o, text != 0, output);
    }
    free(output);
    free(title);
    poptFreeContext(popt);
    return code;
}
