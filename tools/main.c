/* nas: the commands, and how they say what is wrong. */
#include "nas.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *about;
    int (*run)(int argc, const char **argv);
} commands[] = {
    {"search", "search a space as a file says, then train the best", cmd_search},
    {"resume", "go on with a search that was interrupted", cmd_resume},
    {"replay", "run a search again and compare it with its store", cmd_replay},
    {"list", "the trials of a store", cmd_list},
    {"report", "a page about a store, or a text", cmd_report},
    {"dump", "what must be equal between equal runs", cmd_dump},
    {"train", "train one architecture and measure it", cmd_train},
    {"tune", "measure which way convolutions go, for --tuning", cmd_tune},
    {"compare", "controllers beside each other on a table", cmd_compare},
    {"space", "list, show, count and sample search spaces", cmd_space},
    {"arch", "what an architecture costs; drawings, plans of training", cmd_arch},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

__attribute__((format(printf, 1, 0))) static void say_error(const char *format, va_list arguments) {
    fputs("nas: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int tool_failed(nas_context *context) {
    const char *sentence = nas_context_error(context);
    return tool_error("%s", *sentence ? sentence : "failed without a sentence");
}

int tool_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say_error(format, arguments);
    va_end(arguments);
    return EXIT_FAILED;
}

int tool_usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say_error(format, arguments);
    va_end(arguments);
    return EXIT_USAGE;
}

int tool_memory(void) {
    return tool_error("out of memory");
}

static void say(void *user, int32_t level, const char *text) {
    (void)user;
    fprintf(stderr, "nas: %s%s\n", level == NAS_LOG_WARNING ? "warning: " : "", text);
}

nas_context *tool_context(unsigned threads) {
    nas_context_options o = NAS_CONTEXT_OPTIONS_INIT;
    nas_context *context;
    o.threads = threads;
    o.log = say;
    nas_status status = nas_context_create(&context, &o);
    if (status >= 0) return context;
    tool_error("%s", nas_status_text(status));
    return NULL;
}

static void help(FILE *to) {
    fputs("Usage: nas COMMAND [OPTION ...] [ARGUMENT ...]\n\nCommands:\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].about);
    fputs("\nOptions:\n  -h, --help     this; after a command: what it does and takes\n"
          "  --version      the version\n"
          "\nExit status: 0 done, 1 failed, 2 not understood.\n",
          to);
}

static int unknown(const char *name) {
    const char *names[COMMANDS + 1];
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    names[COMMANDS] = NULL;
    const char *what = *name == '-' ? "option" : "command";
    const char *near = *name == '-' ? NULL : tool_nearest(name, names);
    if (near) return tool_usage("there is no %s '%s'; did you mean '%s'?", what, name, near);
    return tool_usage("there is no %s '%s'; nas --help lists them", what, name);
}

/* What could not be written is told once, at the end. */
static int finish(int code) {
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_GOOD)
        return tool_error("standard output cannot be written");
    return code;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help(stdout);
        return finish(EXIT_GOOD);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("nas %s\n", nas_version_text());
        return finish(EXIT_GOOD);
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return finish(commands[i].run(argc - 1, (const char **)(argv + 1)));
    return unknown(argv[1]);
}
