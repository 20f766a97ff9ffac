/* nas space: presets and files of search spaces, and what is in them. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "nas.h"

enum { COUNT = 1, SEED, AS };

typedef struct {
    uint64_t count, seed;
    int32_t encoding; /* NAS_ENCODE_* */
} wish;

static int take(void *user, int option, const char *text) {
    static const char *const encodings[] = {"one-hot", "adjacency", "path", NULL};
    wish *w = user;
    for (int32_t i = 0; option == AS && encodings[i]; i++) {
        if (strcmp(encodings[i], text) != 0) continue;
        w->encoding = i;
        return 0;
    }
    if (option == AS)
        return tool_usage("--as takes one-hot, adjacency or path, and not '%s'", text);
    return option == COUNT ? tool_option_whole("-n", text, 1000000000, &w->count)
                           : tool_option_whole("--seed", text, UINT64_MAX, &w->seed);
}

/* ---- nas space
 * -----------------------------------------------------------------------------------------------------
 */

static int list(nas_context *context, const tool_request *r, FILE *to) {
    (void)context;
    for (uint32_t i = 0; nas_space_preset_name(i); i++) {
        if (r->json) {
            fputs(i ? ", " : "[", to);
            tool_json(to, nas_space_preset_name(i));
        } else {
            fprintf(to, "%s\n", nas_space_preset_name(i));
        }
    }
    if (r->json) fputs("]\n", to);
    return 0;
}

static int show(const nas_space *space, const tool_request *r, FILE *to) {
    if (!r->json) {
        fputs(nas_space_text(space), to);
        return 0;
    }
    fputs("{\"space\": ", to);
    tool_json(to, nas_space_name(space));
    fprintf(to, ", \"hash\": \"%016" PRIx64 "\", \"decisions\": %" PRIu32 ", \"text\": ",
            nas_space_hash(space), nas_space_decisions(space));
    tool_json(to, nas_space_text(space));
    fputs("}\n", to);
    return 0;
}

static int count(nas_context *context, const nas_space *space, const tool_request *r, FILE *to) {
    static char digits[1 << 16];
    uint64_t n = 0;
    nas_status status = nas_space_count(space, &n, digits, sizeof digits);
    if (status < 0 && !(status == NAS_E_LIMIT && n == UINT64_MAX)) return tool_failed(context);
    if (r->json) {
        /* as text: many are larger than a JSON reader's numbers */
        fputs("{\"space\": ", to);
        tool_json(to, nas_space_name(space));
        fprintf(to, ", \"count\": \"%s\"}\n", digits);
    } else {
        fprintf(to, "%s\n", digits);
    }
    return 0;
}

static int sample(nas_context *context, const nas_space *space, const tool_request *r,
                  const wish *w, FILE *to) {
    nas_random *random;
    nas_status status = nas_random_create(&random, context, w->seed, 0, "sample");
    if (status < 0) return tool_failed(context);
    for (uint64_t i = 0; status >= 0 && i < w->count; i++) {
        nas_arch *arch;
        status = nas_space_sample(space, random, &arch);
        if (status < 0) break;
        if (r->json) {
            fputs(i ? ",\n " : "[", to);
            tool_json(to, nas_arch_text(arch));
        } else {
            fprintf(to, "%s\n", nas_arch_text(arch));
        }
        nas_arch_free(arch);
    }
    if (r->json && status >= 0) fputs(w->count ? "]\n" : "[]\n", to);
    nas_random_free(random);
    return status < 0 ? tool_failed(context) : 0;
}

/* Verbs of a space and an architecture, or of two spaces. */
static int with_second(nas_context *context, const nas_space *space, const tool_request *r,
                       const wish *w, FILE *to) {
    nas_space *other = NULL;
    nas_arch *arch = NULL;
    int code;
    if (strcmp(r->words[0], "diff") == 0) {
        code = tool_space(&other, context, r->words[2], NULL, 0);
        if (!code) code = tool_space_diff(space, other, r->json, to);
        nas_space_free(other);
        return code;
    }
    if (nas_arch_parse(&arch, space, r->words[2]) < 0) return tool_failed(context);
    code = strcmp(r->words[0], "encode") == 0
               ? tool_space_encode(context, arch, w->encoding, r->json, to)
               : tool_space_neighbors(context, space, arch, r->json, to);
    nas_arch_free(arch);
    return code;
}

static int do_space(nas_context *context, const tool_request *r, const wish *w, FILE *to) {
    static const char *const verbs[] = {"list",      "show",      "count",  "sample", "check",
                                        "published", "neighbors", "encode", "diff",   NULL};
    enum { LIST, SHOW, COUNT_, SAMPLE, CHECK, PUBLISHED, NEIGHBORS, ENCODE, DIFF };
    const char *verb = r->words[0];
    nas_space *space = NULL;
    int which = 0;
    while (verbs[which] && strcmp(verb, verbs[which]) != 0)
        which++;
    if (!verbs[which]) {
        const char *near = tool_nearest(verb, verbs);
        if (near) return tool_usage("space has no '%s'; did you mean '%s'?", verb, near);
        return tool_usage("space has no '%s'; it takes list, show, count, sample, check, "
                          "published, neighbors, encode, diff",
                          verb);
    }
    if (which == LIST && r->n_words == 1) return list(context, r, to);
    if (which == LIST) return tool_usage("space list takes no more");
    if (which < NEIGHBORS && r->n_words != 2)
        return tool_usage(
            "space %s takes a space: a preset or a file; nas space list names presets", verb);
    if (which >= NEIGHBORS && r->n_words != 3)
        return tool_usage("space %s takes a space and %s", verb,
                          which == DIFF ? "another one" : "an architecture");
    int code = tool_space(&space, context, r->words[1], r->parameters, r->n_parameters);
    if (!code)
        code = which == SHOW        ? show(space, r, to)
               : which == COUNT_    ? count(context, space, r, to)
               : which == SAMPLE    ? sample(context, space, r, w, to)
               : which == CHECK     ? tool_space_check(context, space, w->seed, r->json, to)
               : which == PUBLISHED ? tool_space_published(space, r->json, to)
                                    : with_second(context, space, r, w, to);
    nas_space_free(space);
    return code;
}

int cmd_space(int argc, const char **argv) {
    static const struct poptOption options[] = {
        {"count", 'n', POPT_ARG_STRING, NULL, COUNT, "how many samples; 1", "N"},
        {"seed", 0, POPT_ARG_STRING, NULL, SEED, "of the samples; 0", "N"},
        {"as", 0, POPT_ARG_STRING, NULL, AS, "encode: one-hot, adjacency, path; one-hot", "NAME"},
        POPT_TABLEEND};
    static const tool_command about = {
        "space",
        "list | show SPACE | count SPACE | sample SPACE | check SPACE | published SPACE | "
        "neighbors "
        "SPACE ARCH | encode SPACE ARCH | diff SPACE SPACE",
        "Search spaces: the presets; a space's text (docs/space-file.md); how many architectures "
        "it\n"
        "has, constraints on the network left out; some of them, drawn at random. check: whether "
        "it\n"
        "is well written and something is inside its constraints. published: names of networks "
        "that\n"
        "stand for texts. neighbors: what differs in one decision. encode: as numbers. diff: what\n"
        "two spaces do not share. SPACE is a preset or a space file.",
        "file instead of standard output",
        TAKES_OUTPUT | TAKES_JSON | TAKES_PARAM,
        1,
        3,
        options,
        take};
    wish w = {1, 0, 0};
    tool_request r;
    tool_output out;
    int code;
    if (!tool_read(&r, &about, &w, argc, argv, &code)) return code;
    nas_context *context = tool_context(1);
    code = context ? tool_output_open(&out, r.output) : EXIT_FAILED;
    if (!code) code = tool_output_close(&out, context, do_space(context, &r, &w, out.to));
    nas_context_free(context);
    tool_request_free(&r);
    return code;
}
