/* nas space, nas arch: spaces and architectures. */
#include <inttypes.h>
#include <popt.h>
#include <stdlib.h>
#include <string.h>
#include "nas.h"

typedef struct {
    const char **parameters;
    size_t n_parameters;
    int json;
    int svg, dot, text;
    char *output;
    int count;
    int seed;
    const char *words[4];
    int n_words;
} request;

/* Options that both commands take; words are borrowed from popt. */
static int read_request(int argc, const char **argv, const char *name, const char *usage,
                        request *r, poptContext *popt) {
    char *parameter = NULL;
    int got, code = 0;
    struct poptOption options[] = {
        {"param", 'p', POPT_ARG_STRING, &parameter, 'p', "a parameter of the space", "NAME=NUMBER"},
        {"json", 0, POPT_ARG_NONE, &r->json, 0, "as JSON", NULL},
        {"svg", 0, POPT_ARG_NONE, &r->svg, 0, "draw: a picture", NULL},
        {"dot", 0, POPT_ARG_NONE, &r->dot, 0, "draw: for graphviz", NULL},
        {"text", 0, POPT_ARG_NONE, &r->text, 0, "draw: as text", NULL},
        {"output", 'o', POPT_ARG_STRING, &r->output, 0, "draw: where to", "FILE"},
        {NULL, 'n', POPT_ARG_INT, &r->count, 0, "how many", "N"},
        {"seed", 0, POPT_ARG_INT, &r->seed, 0, "of the samples", "N"},
        POPT_AUTOHELP POPT_TABLEEND};
    *popt = poptGetContext(name, argc, argv, options, 0);
    poptSetOtherOptionHelp(*popt, usage);
    while ((got = poptGetNextOpt(*popt)) >= 0) {
        if (got != 'p') continue;
        const char **more = realloc(r->parameters, (r->n_parameters + 1) * sizeof *more);
        if (!more) return EXIT_FAILED;
        r->parameters = more;
        r->parameters[r->n_parameters++] = parameter;
    }
    if (got < -1) code = tool_usage("%s: %s", poptBadOption(*popt, 0), poptStrerror(got));
    const char *word;
    while (!code && (word = poptGetArg(*popt))) {
        if (r->n_words == 4) return tool_usage("too many arguments; %s --help says more", name);
        r->words[r->n_words++] = word;
    }
    return code;
}

static void request_free(request *r, poptContext popt) {
    for (size_t i = 0; i < r->n_parameters; i++)
        free((void *)(uintptr_t)r->parameters[i]);
    free(r->parameters);
    free(r->output);
    poptFreeContext(popt);
}

static int sample(nas_context *context, const nas_space *space, const request *r) {
    nas_random *random;
    if (nas_random_create(&random, context, (uint64_t)r->seed, 0, "sample") < 0)
        return tool_failed(context);
    int code = 0;
    for (int i = 0; !code && i < r->count; i++) {
        nas_arch *arch;
        if (nas_space_sample(space, random, &arch) < 0) {
            code = tool_failed(context);
        } else {
            puts(nas_arch_text(arch));
            nas_arch_free(arch);
        }
    }
    nas_random_free(random);
    return code;
}

static int count(nas_context *context, const nas_space *space) {
    char digits[4096];
    uint64_t n;
    if (nas_space_count(space, &n, digits, sizeof digits) < 0 && n != UINT64_MAX)
        return tool_failed(context);
    puts(digits);
    return EXIT_GOOD;
}

int cmd_space(int argc, const char **argv) {
    request r = {.count = 1};
    poptContext popt;
    int code =
        read_request(argc, argv, "nas space",
                     "list | show SPACE | count SPACE | sample SPACE [-n N] [--seed N]", &r, &popt);
    nas_context *context = code ? NULL : tool_context(1);
    nas_space *space = NULL;
    if (!code && !context) code = EXIT_FAILED;
    const char *verb = r.n_words ? r.words[0] : "";
    if (!code && strcmp(verb, "list") == 0) {
        for (uint32_t i = 0; nas_space_preset_name(i); i++)
            puts(nas_space_preset_name(i));
    } else if (!code && r.n_words == 2) {
        if (nas_space_open(&space, context, r.words[1], r.parameters, r.n_parameters) < 0)
            code = tool_failed(context);
        else if (strcmp(verb, "show") == 0)
            fputs(nas_space_text(space), stdout);
        else if (strcmp(verb, "count") == 0)
            code = count(context, space);
        else if (strcmp(verb, "sample") == 0)
            code = sample(context, space, &r);
        else
            code = tool_usage("space has no '%s'; it takes list, show, count, sample", verb);
    } else if (!code) {
        code = tool_usage("space takes list, or show, count or sample and a space");
    }
    nas_space_free(space);
    nas_context_free(context);
    request_free(&r, popt);
    return code;
}

static int info(nas_context *context, const nas_arch *arch, bool json) {
    nas_arch_cost c = {.struct_size = sizeof c};
    if (nas_arch_costs(arch, &c) < 0) return tool_failed(context);
    const struct {
        const char *name;
        int64_t value;
    } all[] = {{"params", c.params},
               {"macs", c.macs},
               {"published_flops", c.published_flops},
               {"activation_bytes", c.activation_bytes},
               {"weight_bytes", c.weight_bytes},
               {"depth", c.depth}};
    if (json) {
        printf("{\"space\": ");
        tool_json(stdout, nas_space_name(nas_arch_space(arch)));
        printf(", \"arch\": ");
        tool_json(stdout, nas_arch_text(arch));
        printf(", \"hash\": \"%016" PRIx64 "\", \"network_hash\": \"%016" PRIx64 "\"",
               nas_arch_hash(arch), nas_arch_network_hash(arch));
    } else {
        printf("%s\n", nas_arch_text(arch));
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (json && all[i].value < 0)
            printf(", \"%s\": null", all[i].name);
        else if (json)
            printf(", \"%s\": %" PRId64, all[i].name, all[i].value);
        else if (all[i].value >= 0)
            printf("%-17s %" PRId64 "\n", all[i].name, all[i].value);
    }
    if (json) puts("}");
    return EXIT_GOOD;
}

/* A picture where a file is named that ends in .svg or by --svg, DOT likewise, else text. */
static int draw(nas_context *context, const nas_arch *arch, const request *r) {
    if (r->svg + r->dot + r->text > 1) return tool_usage("draw takes one of --svg, --dot, --text");
    const char *end = r->output ? strrchr(r->output, '.') : NULL;
    bool named = end && !r->svg && !r->dot && !r->text;
    int32_t format = r->svg || (named && strcmp(end, ".svg") == 0)   ? NAS_DRAW_SVG
                     : r->dot || (named && strcmp(end, ".dot") == 0) ? NAS_DRAW_DOT
                                                                     : NAS_DRAW_TEXT;
    nas_sink *sink = NULL;
    nas_status status = tool_sink(&sink, context, r->output);
    if (status >= 0) status = nas_arch_draw(arch, format, sink);
    if (status >= 0) status = nas_sink_close(sink);
    nas_sink_free(sink);
    return status < 0 ? tool_failed(context) : EXIT_GOOD;
}

int cmd_arch(int argc, const char **argv) {
    request r = {.count = 1};
    poptContext popt;
    int code = read_request(
        argc, argv, "nas arch",
        "info SPACE ARCH [--json] | draw SPACE ARCH [--svg|--dot|--text] [-o FILE]", &r, &popt);
    const char *verb = r.n_words ? r.words[0] : "";
    bool drawn = strcmp(verb, "draw") == 0;
    nas_context *context = NULL;
    nas_space *space = NULL;
    nas_arch *arch = NULL;
    if (!code && (r.n_words != 3 || (strcmp(verb, "info") != 0 && !drawn)))
        code = tool_usage("arch takes info or draw, a space and an architecture");
    if (!code && !(context = tool_context(1))) code = EXIT_FAILED;
    if (!code && (nas_space_open(&space, context, r.words[1], r.parameters, r.n_parameters) < 0 ||
                  nas_arch_parse(&arch, space, r.words[2]) < 0))
        code = tool_failed(context);
    if (!code) code = drawn ? draw(context, arch, &r) : info(context, arch, r.json);
    nas_arch_free(arch);
    nas_space_free(space);
    nas_context_free(context);
    request_free(&r, popt);
    return code;
}
