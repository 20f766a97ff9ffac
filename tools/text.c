/* Texts: numbers, durations, JSON, the nearest known name. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "nas.h"

char *tool_copy(const char *text) {
    size_t n = strlen(text) + 1;
    char *c = malloc(n);
    return c ? memcpy(c, text, n) : NULL;
}

char *tool_join(const char *folder, const char *name) {
    char *path = malloc(strlen(folder) + strlen(name) + 2);
    if (path) sprintf(path, "%s%s%s", folder, strcmp(folder, "/") == 0 ? "" : "/", name);
    return path;
}

/* The program never calls setlocale: the C library's numbers are those of the C locale. */
void tool_number(double value, int digits, char *buffer, size_t capacity) {
    snprintf(buffer, capacity, "%.*f", digits, value);
}

void tool_duration(double seconds, char *buffer, size_t capacity) {
    if (!(seconds >= 0)) seconds = 0;
    if (seconds > 3e8) seconds = 3e8;
    long s = lround(seconds);
    if (seconds < 9.95)
        snprintf(buffer, capacity, "%.1f s", seconds);
    else if (s < 120)
        snprintf(buffer, capacity, "%ld s", s);
    else if (s < 7200)
        snprintf(buffer, capacity, "%ld min %02ld s", s / 60, s % 60);
    else
        snprintf(buffer, capacity, "%ld h %02ld min", s / 3600, s / 60 % 60);
}

bool tool_parse_whole(const char *text, uint64_t *out) {
    char *end;
    if (!isdigit((unsigned char)*text)) return false;
    errno = 0;
    uintmax_t value = strtoumax(text, &end, 10);
    if (errno || *end || value > UINT64_MAX) return false;
    *out = value;
    return true;
}

bool tool_parse_real(const char *text, double *out) {
    char *end;
    if (!isdigit((unsigned char)*text) && !strchr("+-.", *text)) return false;
    *out = strtod(text, &end);
    return end != text && *end == 0 && isfinite(*out);
}

/* ---- the nearest name
 * ------------------------------------------------------------------------------------- */

enum { LONGEST = 40 };

static char fold(char c) {
    return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

/* Insertions, deletions, changes, swaps of neighbours. */
static size_t distance(const char *a, const char *b) {
    size_t d[LONGEST + 1][LONGEST + 1], n = strlen(a), m = strlen(b);
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            size_t best = d[i - 1][j - 1] + (fold(a[i - 1]) != fold(b[j - 1]));
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                fold(a[i - 2]) == fold(b[j - 1]) && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[n][m];
}

const char *tool_nearest(const char *wrong, const char *const *known) {
    size_t n = strlen(wrong), best = (n + 1) / 3 + 1; /* one slip in three letters */
    const char *nearest = NULL;
    if (n > LONGEST) return NULL;
    for (; *known; known++) {
        if (strlen(*known) > LONGEST) continue;
        size_t d = distance(wrong, *known);
        if (d >= best) continue;
        best = d;
        nearest = *known;
    }
    return nearest;
}

/* ---- JSON
 * -------------------------------------------------------------------------------------------------
 */

/* Bytes of the UTF-8 character at `at`; 0: it is not one. */
static size_t utf8(const unsigned char *at) {
    size_t n = *at < 0x80 ? 1 : *at >= 0xc2 && *at < 0xe0 ? 2 : (*at & 0xf0) == 0xe0 ? 3 : 4;
    if (n == 4 && !(*at >= 0xf0 && *at < 0xf5)) return 0;
    for (size_t i = 1; i < n; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    if (n == 3 && ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] >= 0xa0))) return 0;
    if (n == 4 && ((at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] >= 0x90))) return 0;
    return n;
}

void tool_json(FILE *to, const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    fputc('"', to);
    while (*at) {
        size_t n = utf8(at);
        if (*at == '"' || *at == '\\')
            fprintf(to, "\\%c", *at);
        else if (*at < 0x20)
            fprintf(to, "\\u%04x", (unsigned)*at);
        else if (n)
            fwrite(at, 1, n, to);
        else
            fputs("\\ufffd", to); /* a byte that is no text: a path may hold one */
        at += n ? n : 1;
    }
    fputc('"', to);
}

void tool_json_number(FILE *to, double value) {
    if (isfinite(value))
        fprintf(to, "%.15g", value);
    else
        fputs("null", to);
}

/* ---- lists
 * ------------------------------------------------------------------------------------------------
 */

bool tool_list_add(char ***list, size_t *n, const char *text) {
    char **more = realloc(*list, (*n + 2) * sizeof *more), *copy = tool_copy(text);
    if (more) *list = more;
    if (!more || !copy) {
        free(copy);
        return false;
    }
    more[(*n)++] = copy;
    more[*n] = NULL;
    return true;
}

void tool_list_free(char **list, size_t n) {
    for (size_t i = 0; list && i < n; i++)
        free(list[i]);
    free(list);
}
