/* nas: the commands, and what they share. */
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
    {"list", "the trials of a store", cmd_list},
    {"report", "a page about a store, or a text", cmd_report},
    {"dump", "what must be equal between equal runs", cmd_dump},
    {"space", "list, show, count and sample search spaces", cmd_space},
    {"arch", "what an architecture costs, and a drawing of it", cmd_arch},
};

int tool_failed(nas_context *context) {
    fprintf(stderr, "nas: %s\n", nas_context_error(context));
    return EXIT_FAILED;
}

int tool_usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("nas: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return EXIT_USAGE;
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
    fprintf(stderr, "nas: %s\n", nas_status_text(status));
    return NULL;
}

void tool_number(double value, int digits, char *buffer, size_t capacity) {
    snprintf(buffer, capacity, "%.*f", digits, value);
}

void tool_json(FILE *to, const char *text) {
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(to, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(to, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            fputc(*text, to);
    }
    fputc('"', to);
}

static void help(FILE *to) {
    fputs("usage: nas COMMAND [OPTION ...] [ARGUMENT ...]\n\nCommands:\n", to);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].about);
    fputs("\nnas COMMAND --help says more. nas --version\n", to);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help(stdout);
        return EXIT_GOOD;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("nas %s\n", nas_version_text());
        return EXIT_GOOD;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            int code = commands[i].run(argc - 1, (const char **)(argv + 1));
            if (fflush(stdout) != 0 && code == EXIT_GOOD) {
                fputs("nas: standard output cannot be written\n", stderr);
                code = EXIT_FAILED;
            }
            return code;
        }
    return tool_usage("there is no command '%s'; nas --help lists them", argv[1]);
}
