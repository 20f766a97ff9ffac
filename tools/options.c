/* The command line of every command, by popt: common options, --help, sentences about what is
 * wrong; and where its text goes. */
#include <stdlib.h>
#include <string.h>
#include "nas.h"

enum { MOST_OPTIONS = 40, HELP = 1000, VERSION, OUTPUT, JSON, QUIET, PARAM };

static size_t fill(struct poptOption *rows, const tool_command *command) {
    size_t n = 0;
    for (const struct poptOption *own = command->options; own && (own->longName || own->shortName);
         own++)
        rows[n++] = *own;
    const struct {
        uint32_t takes;
        struct poptOption row;
    } common[] = {
        {TAKES_PARAM,
         {"param", 'p', POPT_ARG_STRING, NULL, PARAM, "a parameter of the space", "NAME=NUMBER"}},
        {TAKES_OUTPUT, {"output", 'o', POPT_ARG_STRING, NULL, OUTPUT, command->output, "PATH"}},
        {TAKES_JSON, {"json", 'j', POPT_ARG_NONE, NULL, JSON, "as JSON", NULL}},
        {TAKES_QUIET, {"quiet", 'q', POPT_ARG_NONE, NULL, QUIET, "no progress", NULL}},
        {0, {"help", 'h', POPT_ARG_NONE, NULL, HELP, "this", NULL}},
        {0, {"version", 0, POPT_ARG_NONE, NULL, VERSION, "the version of nas", NULL}},
    };
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (common[i].takes == 0 || (command->takes & common[i].takes)) rows[n++] = common[i].row;
    memset(&rows[n], 0, sizeof rows[n]);
    return n;
}

static void show_help(const tool_command *command, const struct poptOption *rows) {
    printf("Usage: nas %s [OPTION ...]%s%s\n\n%s\n\nOptions:\n", command->name,
           *command->arguments ? " " : "", command->arguments, command->about);
    for (; rows->longName || rows->shortName; rows++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", rows->shortName ? '-' : ' ',
                 rows->shortName ? rows->shortName : ' ', rows->shortName ? "," : " ",
                 rows->longName, rows->argDescrip ? "=" : "",
                 rows->argDescrip ? rows->argDescrip : "");
        printf("  %-30s  %s\n", left, rows->descrip);
    }
}

static int bad_option(poptContext popt, int error, const tool_command *command,
                      const struct poptOption *rows) {
    const char *bad = poptBadOption(popt, POPT_BADOPTION_NOALIAS), *names[MOST_OPTIONS + 1];
    size_t n = 0;
    char word[64];
    if (error != POPT_ERROR_BADOPT) {
        if (error == POPT_ERROR_NOARG)
            return tool_usage("%s needs a value; nas %s --help says more", bad, command->name);
        return tool_usage("%s: %s", bad, poptStrerror(error));
    }
    for (; rows[n].longName; n++)
        names[n] = rows[n].longName;
    names[n] = NULL;
    const char *from = bad + strspn(bad, "-");
    snprintf(word, sizeof word, "%.*s", (int)strcspn(from, "="), from);
    const char *near = strncmp(bad, "--", 2) == 0 ? tool_nearest(word, names) : NULL;
    if (near) return tool_usage("there is no option '%s'; did you mean '--%s'?", bad, near);
    return tool_usage("there is no option '%s'; nas %s --help lists them", bad, command->name);
}

static int take(tool_request *r, const tool_command *command, const struct poptOption *rows,
                void *user, int option, const char *text) {
    switch (option) {
    case HELP:
        show_help(command, rows);
        return -1;
    case VERSION:
        printf("nas %s\n", nas_version_text());
        return -1;
    case OUTPUT:
        if (!*text) return tool_usage("-o needs a path");
        free(r->output);
        return (r->output = tool_copy(text)) ? 0 : tool_memory();
    case JSON:
        r->json = true;
        return 0;
    case QUIET:
        r->quiet = true;
        return 0;
    case PARAM:
        return tool_list_add(&r->parameters, &r->n_parameters, text) ? 0 : tool_memory();
    default:
        return command->set(user, option, text);
    }
}

bool tool_read(tool_request *r, const tool_command *command, void *user, int argc,
               const char **argv, int *code) {
    struct poptOption rows[MOST_OPTIONS + 1];
    int option, result = 0;
    memset(r, 0, sizeof *r);
    fill(rows, command);
    poptContext popt = poptGetContext("nas", argc, argv, rows, 0);
    if (!popt) {
        *code = tool_memory();
        return false;
    }
    while (!result && (option = poptGetNextOpt(popt)) >= 0) {
        char *text = poptGetOptArg(popt);
        result = take(r, command, rows, user, option, text ? text : "");
        free(text);
    }
    if (!result && option < -1) result = bad_option(popt, option, command, rows);
    const char *word;
    while (!result && (word = poptGetArg(popt))) {
        if (r->n_words == command->most)
            result = tool_usage("'%s' is one argument too many; nas %s --help says more", word,
                                command->name);
        else if (!(r->words[r->n_words++] = tool_copy(word)))
            result = tool_memory();
    }
    if (!result && r->n_words < command->least)
        result = tool_usage("%s takes %s; nas %s --help says more", command->name,
                            command->arguments, command->name);
    poptFreeContext(popt);
    *code = result < 0 ? EXIT_GOOD : result;
    if (result) tool_request_free(r);
    return result == 0;
}

void tool_request_free(tool_request *r) {
    for (uint32_t i = 0; i < r->n_words; i++)
        free(r->words[i]);
    free(r->output);
    tool_list_free(r->parameters, r->n_parameters);
    memset(r, 0, sizeof *r);
}

int tool_option_whole(const char *option, const char *text, uint64_t most, uint64_t *out) {
    uint64_t value;
    if (!tool_parse_whole(text, &value) || value > most)
        return tool_usage("%s: '%s' is not a whole number that it can have", option, text);
    *out = value;
    return 0;
}

/* ---- where text goes
 * ------------------------------------------------------------------------------------- */

int tool_output_open(tool_output *out, const char *path) {
    memset(out, 0, sizeof *out);
    out->path = path;
    out->to = path ? open_memstream(&out->bytes, &out->n) : stdout;
    return out->to ? 0 : tool_memory();
}

int tool_output_close(tool_output *out, nas_context *context, int code) {
    if (!out->path) return code; /* main tells whether standard output could be written */
    bool bad = ferror(out->to) != 0;
    if (fclose(out->to) != 0 || bad) {
        free(out->bytes);
        return code ? code : tool_memory();
    }
    nas_sink *sink = NULL;
    nas_status status = NAS_OK;
    if (!code) status = nas_sink_file(&sink, context, out->path);
    if (!code && status >= 0) status = nas_sink_write(sink, out->bytes, out->n);
    if (!code && status >= 0) status = nas_sink_close(sink);
    nas_sink_free(sink);
    free(out->bytes);
    return code ? code : status < 0 ? tool_failed(context) : 0;
}
