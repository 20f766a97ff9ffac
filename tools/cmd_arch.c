/* nas arch: what an architecture costs, a drawing of it, the plan of its training. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "nas.h"

enum { SVG = 1, BATCH = 4, MEMORY, MEASURING, PLAIN, TUNING };

typedef struct {
    int32_t format; /* NAS_DRAW_*; -1: as the file's name says */
    nas_plan_options plan;
    char *tuning; /* file */
} wish;

static int info(nas_context *context, const nas_arch *arch, bool json, FILE *to) {
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
        fputs("{\"space\": ", to);
        tool_json(to, nas_space_name(nas_arch_space(arch)));
        fputs(", \"arch\": ", to);
        tool_json(to, nas_arch_text(arch));
        fprintf(to, ", \"hash\": \"%016" PRIx64 "\", \"network_hash\": \"%016" PRIx64 "\"",
                nas_arch_hash(arch), nas_arch_network_hash(arch));
    } else {
        fprintf(to, "%s\n", nas_arch_text(arch));
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (json && all[i].value < 0)
            fprintf(to, ", \"%s\": null", all[i].name);
        else if (json)
            fprintf(to, ", \"%s\": %" PRId64, all[i].name, all[i].value);
        else if (all[i].value >= 0)
            fprintf(to, "%-17s %" PRId64 "\n", all[i].name, all[i].value);
        else
            fprintf(to, "%-17s -\n", all[i].name);
    }
    if (json) fputs("}\n", to);
    return 0;
}

/* Files are written by the drawing itself. */
static int draw(nas_context *context, const nas_arch *arch, const wish *w, const char *path) {
    const char *end = path ? strrchr(path, '.') : NULL;
    int32_t format = w->format >= 0                    ? w->format
                     : end && strcmp(end, ".svg") == 0 ? NAS_DRAW_SVG
                     : end && strcmp(end, ".dot") == 0 ? NAS_DRAW_DOT
                                                       : NAS_DRAW_TEXT;
    nas_sink *sink = NULL;
    nas_status status = tool_sink(&sink, context, path);
    if (status >= 0) status = nas_arch_draw(arch, format, sink);
    if (status >= 0) status = nas_sink_close(sink);
    nas_sink_free(sink);
    return status < 0 ? tool_failed(context) : 0;
}

static int plan(nas_context *context, const nas_arch *arch, const wish *w, const tool_request *r) {
    nas_plan_options o = w->plan;
    nas_tuning *tuning;
    int code = tool_tuning(&tuning, context, w->tuning);
    if (code) return code;
    o.tuning = tuning;
    nas_plan_info info = NAS_PLAN_INFO_INIT;
    nas_sink *sink = NULL;
    char line[400];
    nas_status status = tool_sink(&sink, context, r->output);
    if (r->json) {
        if (status >= 0) status = nas_arch_plan(arch, &o, &info, NULL);
        snprintf(line, sizeof line,
                 "{\"tensor_bytes\": %" PRIu64 ", \"scratch_bytes\": %" PRIu64
                 ", \"value_bytes\": %" PRIu64 ", \"macs\": %" PRId64 ", \"steps\": %" PRIu64
                 ", \"peak_bytes\": %" PRIu64 "}\n",
                 info.tensor_bytes, info.scratch_bytes, info.value_bytes, info.macs, info.steps,
                 info.peak_bytes);
        if (status >= 0) status = nas_sink_text(sink, line);
    } else if (status >= 0) {
        status = nas_arch_plan(arch, &o, &info, sink);
        snprintf(line, sizeof line, "%s takes %.1f MiB at most, without the data\n",
                 w->plan.training ? "a training" : "measuring",
                 (double)info.peak_bytes / (1 << 20));
        if (status >= 0) status = nas_sink_text(sink, line);
    }
    if (status >= 0) status = nas_sink_close(sink);
    nas_sink_free(sink);
    nas_tuning_free(tuning);
    return status < 0 ? tool_failed(context) : 0;
}

enum { INFO, DRAW, PLAN };

static int do_arch(nas_context *context, const tool_request *r, const wish *w) {
    static const char *const verbs[] = {"info", "draw", "plan", NULL};
    nas_space *space = NULL;
    nas_arch *arch = NULL;
    tool_output out;
    int verb = 0;
    while (verbs[verb] && strcmp(r->words[0], verbs[verb]) != 0)
        verb++;
    if (!verbs[verb]) {
        const char *near = tool_nearest(r->words[0], verbs);
        return tool_usage("arch has no '%s'; %s%s%s", r->words[0],
                          near ? "did you mean '" : "it takes info, draw, plan", near ? near : "",
                          near ? "'?" : "");
    }
    int code = tool_space(&space, context, r->words[1], r->parameters, r->n_parameters);
    if (!code && nas_arch_parse(&arch, space, r->words[2]) < 0) code = tool_failed(context);
    if (!code && verb == DRAW) {
        code = draw(context, arch, w, r->output);
    } else if (!code && verb == PLAN) {
        code = plan(context, arch, w, r);
    } else if (!code && !(code = tool_output_open(&out, r->output))) {
        code = tool_output_close(&out, context, info(context, arch, r->json, out.to));
    }
    nas_arch_free(arch);
    nas_space_free(space);
    return code;
}

static int take_arch(void *user, int option, const char *text) {
    wish *w = user;
    uint64_t number;
    int code;
    switch (option) {
    case BATCH:
        code = tool_option_whole("--batch", text, UINT32_MAX, &number);
        if (!code) w->plan.batch = (uint32_t)number;
        return code;
    case MEMORY:
        return tool_option_whole("--memory", text, UINT64_MAX, &w->plan.memory_limit);
    case MEASURING:
        w->plan.training = 0;
        return 0;
    case TUNING:
        free(w->tuning);
        return (w->tuning = tool_copy(text)) ? 0 : tool_memory();
    case PLAIN:
        w->plan.fusion = 0;
        return 0;
    default:
        break;
    }
    if (w->format >= 0 && w->format != option - SVG)
        return tool_usage("draw takes one of --svg, --dot, --text");
    w->format = option - SVG; /* in the order of NAS_DRAW_* */
    return 0;
}

int cmd_arch(int argc, const char **argv) {
    static const struct poptOption options[] = {
        {"svg", 0, POPT_ARG_NONE, NULL, SVG, "draw: a picture", NULL},
        {"dot", 0, POPT_ARG_NONE, NULL, SVG + 1, "draw: for graphviz", NULL},
        {"text", 0, POPT_ARG_NONE, NULL, SVG + 2, "draw: as text", NULL},
        {"batch", 0, POPT_ARG_STRING, NULL, BATCH, "plan: images at a time; 64", "N"},
        {"memory", 0, POPT_ARG_STRING, NULL, MEMORY, "plan: at most so many bytes", "N"},
        {"measuring", 0, POPT_ARG_NONE, NULL, MEASURING, "plan: without the backward pass", NULL},
        {"no-fusion", 0, POPT_ARG_NONE, NULL, PLAIN, "plan: every operation by itself", NULL},
        {"tuning", 0, POPT_ARG_STRING, NULL, TUNING, "plan: by a table of nas tune", "FILE"},
        POPT_TABLEEND};
    static const tool_command about = {
        "arch",
        "info SPACE ARCH | draw SPACE ARCH | plan SPACE ARCH",
        "info: what an architecture costs, before anything runs: params (trained numbers), macs\n"
        "(multiply-accumulates for one image), published_flops (as the space's authors counted),\n"
        "activation_bytes (peak of live activations of one image), weight_bytes, depth (layers "
        "with\n"
        "weights on the longest path). draw: its cells, as text, or as -o FILE.svg or FILE.dot "
        "says.\n"
        "plan: the steps of its training, what was fused, bytes and multiply-accumulates of each, "
        "and\n"
        "the memory that they take together.",
        "file instead of standard output",
        TAKES_OUTPUT | TAKES_JSON | TAKES_PARAM,
        3,
        3,
        options,
        take_arch};
    wish w = {-1, NAS_PLAN_OPTIONS_INIT, NULL};
    tool_request r;
    int code;
    if (!tool_read(&r, &about, &w, argc, argv, &code)) {
        free(w.tuning);
        return code;
    }
    nas_context *context = tool_context(1);
    code = context ? do_arch(context, &r, &w) : EXIT_FAILED;
    nas_context_free(context);
    tool_request_free(&r);
    free(w.tuning);
    return code;
}
