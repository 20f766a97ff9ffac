/* nas replay: the search of a store, run again beside it and compared turn by turn. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "nas.h"

enum { THREADS = 1, WORKERS };

typedef struct {
    uint64_t threads, workers;
} wish;

static int take(void *user, int option, const char *text) {
    wish *w = user;
    return option == THREADS ? tool_option_whole("--threads", text, 4096, &w->threads)
                             : tool_option_whole("--workers", text, 4096, &w->workers);
}

typedef struct {
    tool_lines lines;
    uint64_t trials, turns, done;
} counted;

static nas_status on_trial(void *user, nas_search *search, const nas_trial *trial,
                           const nas_result *result) {
    counted *c = user;
    char text[80];
    (void)search, (void)trial, (void)result;
    c->done++;
    snprintf(text, sizeof text, "trial %" PRIu64 " is the same  %" PRIu64 "/%" PRIu64 " done",
             trial->number + 1, c->done, c->trials);
    tool_line(&c->lines, false, text);
    return tool_interrupted ? NAS_STOP : NAS_OK;
}

static nas_status on_turn(void *user, nas_search *search, const nas_proposal *proposal,
                          const nas_result *result) {
    counted *c = user;
    (void)search, (void)proposal, (void)result;
    c->turns++;
    return NAS_OK;
}

static int32_t should_stop(void *user, nas_search *search) {
    (void)user, (void)search;
    return tool_interrupted;
}

static void say(const counted *c, const char *path, bool same, const char *difference, bool json) {
    if (json) {
        fputs("{\"store\": ", stdout);
        tool_json(stdout, path);
        printf(", \"same\": %s, \"turns\": %" PRIu64 ", \"trials\": %" PRIu64 ", \"difference\": ",
               same ? "true" : "false", c->turns, c->done);
        if (same)
            fputs("null", stdout);
        else
            tool_json(stdout, difference);
        puts("}");
    } else if (same) {
        printf("OK: %" PRIu64 " turns and %" PRIu64 " trials are the same\n", c->turns, c->done);
    } else {
        printf("DIFFERS: %s\n", difference);
    }
}

static int replay(nas_context *context, nas_store *store, const wish *w, const char *path,
                  const tool_request *r) {
    tool_settings settings;
    tool_parts parts;
    counted c = {.trials = 0};
    const char *text;
    memset(&settings, 0, sizeof settings);
    memset(&parts, 0, sizeof parts);
    if (nas_store_trials(store, &c.trials) < 0) return tool_failed(context);
    if (nas_store_fact(store, "settings", &text) < 0 || !*text)
        return tool_error("%s: no search of this program is in it", path);
    int code = tool_settings_parse(&settings, text);
    if (!code && nas_store_fact(store, "space", &text) < 0) code = tool_failed(context);
    char *space = code ? NULL : tool_copy(text);
    if (!code) code = space ? tool_parts_open(&parts, context, &settings, space) : tool_memory();
    nas_search_options o;
    if (!code) code = tool_parts_options(&parts, &settings, &o);
    if (!code) {
        nas_search_hooks hooks;
        memset(&hooks, 0, sizeof hooks);
        hooks.struct_size = sizeof hooks;
        hooks.user = &c;
        hooks.trial_ended = on_trial;
        hooks.turn_ended = on_turn;
        hooks.should_stop = should_stop;
        o.hooks = &hooks;
        if (w->workers) o.workers = (uint32_t)w->workers;
        tool_lines_begin(&c.lines, r->quiet || r->json);
        nas_status status = nas_search_replay(context, store, &o);
        tool_lines_clear(&c.lines);
        if (tool_interrupted)
            code = tool_error("interrupted; %" PRIu64 " of %" PRIu64 " trials were the same",
                              c.done, c.trials);
        else if (status < 0 && status != NAS_E_DIFFERS)
            code = tool_failed(context);
        else
            say(&c, path, status >= 0, status < 0 ? nas_context_error(context) : "", r->json);
        if (status < 0) code = EXIT_FAILED;
    }
    tool_parts_free(&parts);
    tool_settings_free(&settings);
    free(space);
    return code;
}

int cmd_replay(int argc, const char **argv) {
    static const struct poptOption options[] = {
        {"threads", 0, POPT_ARG_STRING, NULL, THREADS, "of the library; 0: as many as processors",
         "N"},
        {"workers", 0, POPT_ARG_STRING, NULL, WORKERS, "threads that evaluate", "N"},
        POPT_TABLEEND};
    static const tool_command about = {
        "replay",
        "STORE",
        "Runs the search of a store again and compares it turn by turn; the store stays as it is.\n"
        "Prints OK and how many turns were the same, or what differs first (exit status 1); it "
        "counts trials\n"
        "from 0, as dumps do.",
        NULL,
        TAKES_JSON | TAKES_QUIET,
        1,
        1,
        options,
        take};
    wish w = {0, 0};
    tool_request r;
    int code;
    if (!tool_read(&r, &about, &w, argc, argv, &code)) return code;
    tool_signals(NULL);
    nas_store *store = NULL;
    char *path = tool_store_path(r.words[0]);
    nas_context *context = tool_context((unsigned)w.threads);
    code = !path ? tool_memory() : context ? tool_store_read(&store, context, path) : EXIT_FAILED;
    if (!code) code = replay(context, store, &w, path, &r);
    nas_store_free(store);
    nas_context_free(context);
    free(path);
    tool_request_free(&r);
    return code;
}
