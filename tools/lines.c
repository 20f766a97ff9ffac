/* Lines of progress, live on a terminal and plain when piped; and Ctrl-C. */
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "nas.h"

/* What the signal handler needs, and nothing else. */
volatile sig_atomic_t tool_interrupted;
static nas_search *volatile running;

static void on_signal(int number) {
    (void)number;
    if (tool_interrupted) _exit(130);
    tool_interrupted = 1;
    nas_search *search = running;
    if (search) nas_search_stop(search);
}

void tool_signals(nas_search *search) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    running = search;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (search && tool_interrupted) nas_search_stop(search); /* it came in between */
}

double tool_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void tool_lines_begin(tool_lines *lines, bool quiet) {
    memset(lines, 0, sizeof *lines);
    lines->quiet = quiet;
    lines->terminal = !quiet && isatty(STDOUT_FILENO);
}

void tool_lines_clear(tool_lines *lines) {
    if (!lines->open) return;
    fputs("\r\033[K", stdout);
    fflush(stdout);
    lines->open = false;
}

void tool_line(tool_lines *lines, bool stays, const char *text) {
    if (lines->quiet || (!stays && !lines->terminal)) return;
    tool_lines_clear(lines);
    if (stays) {
        puts(text);
    } else {
        /* a live line that wraps could not be replaced */
        struct winsize size = {.ws_col = 0};
        int width = 79;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
            width = size.ws_col - 1;
        printf("%.*s", width, text);
        lines->open = true;
    }
    fflush(stdout);
}
