/* nas report: what a store holds, as a page or as text. */
#include <stdlib.h>
#include <string.h>
#include "nas.h"

enum { TEXT = 1, TITLE, BEST };

typedef struct {
    bool text;
    char *title;
    uint64_t best;
} wish;

static int take(void *user, int option, const char *text) {
    wish *w = user;
    if (option == TEXT) {
        w->text = true;
        return 0;
    }
    if (option == BEST) return tool_option_whole("--best", text, 100, &w->best);
    free(w->title);
    return (w->title = tool_copy(text)) ? 0 : tool_memory();
}

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
    const char *slash = strrchr(store, '/');
    char *folder = tool_copy(slash ? store : "."), *path = NULL;
    if (folder && slash) folder[slash == store ? 1 : slash - store] = 0;
    if (folder) path = slash ? tool_join(folder, "report.html") : tool_copy("report.html");
    free(folder);
    return path;
}

static int report(nas_context *context, const wish *w, const char *store_path, const char *output) {
    nas_report_options o = NAS_REPORT_OPTIONS_INIT;
    nas_store *store = NULL;
    char *made = output || w->text ? NULL : beside(store_path);
    o.title = w->title;
    o.best = (uint32_t)w->best;
    if (!output && !w->text && !(output = made)) return tool_memory();
    int code = tool_store_read(&store, context, store_path);
    if (!code && tool_report(context, store, &o, w->text, output) < 0) code = tool_failed(context);
    if (!code && output && strcmp(output, "-") != 0) printf("%s\n", output);
    nas_store_free(store);
    free(made);
    return code;
}

int cmd_report(int argc, const char **argv) {
    static const struct poptOption options[] = {
        {"text", 't', POPT_ARG_NONE, NULL, TEXT, "plain text, to standard output by itself", NULL},
        {"title", 0, POPT_ARG_STRING, NULL, TITLE, "over the page", "TITLE"},
        {"best", 'b', POPT_ARG_STRING, NULL, BEST, "so many of the best are drawn; 4", "N"},
        POPT_TABLEEND};
    static const tool_command about = {
        "report",
        "STORE",
        "A page about a search: one HTML file that needs nothing else. STORE is its file, or the\n"
        "folder that holds it.",
        "where to, - for standard output; report.html beside the store",
        TAKES_OUTPUT,
        1,
        1,
        options,
        take};
    wish w = {false, NULL, 4};
    tool_request r;
    int code;
    if (tool_read(&r, &about, &w, argc, argv, &code)) {
        char *path = tool_store_path(r.words[0]);
        nas_context *context = tool_context(1);
        code = !path ? tool_memory() : context ? report(context, &w, path, r.output) : EXIT_FAILED;
        nas_context_free(context);
        free(path);
        tool_request_free(&r);
    }
    free(w.title);
    return code;
}
