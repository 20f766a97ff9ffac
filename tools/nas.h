/* The nas program: what its files share. It uses the public header of libnas alone. */
#ifndef NAS_TOOL_H
#define NAS_TOOL_H
#include <stdbool.h>
#include <stdio.h>
#include <libnas/libnas.h>

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* "nas: sentence" on standard error; returns EXIT_FAILED or EXIT_USAGE. */
int tool_failed(nas_context *context);
int tool_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A context that says warnings on standard error; NULL after a message. */
nas_context *tool_context(unsigned threads);
/* Numbers as people read them, without the locale. */
void tool_number(double value, int digits, char *buffer, size_t capacity);
/* A text as a JSON string. */
void tool_json(FILE *to, const char *text);

/* ---- settings of a search: lines "section.key=value" -------------------------------------------
 */

typedef struct {
    char *section, *key, *value;
} tool_setting;
typedef struct {
    tool_setting *items;
    size_t n, capacity;
} tool_settings;
void tool_settings_free(tool_settings *settings);
/* Replaces what was there under the name. false: out of memory. */
bool tool_settings_put(tool_settings *settings, const char *section, const char *key,
                       const char *value);
const char *tool_settings_get(const tool_settings *settings, const char *section, const char *key);
/* "section.key=value"; 0, or an exit status after a message. */
int tool_settings_set(tool_settings *settings, const char *text);
/* From a search file (docs/search-file.md). */
int tool_settings_read(tool_settings *settings, const char *path);
/* To and from lines of text; threads and workers are left out. */
char *tool_settings_text(const tool_settings *settings);
int tool_settings_parse(tool_settings *settings, const char *text);
/* "key=value" of a section, but for the keys named; the caller frees list and texts by
 * tool_list_free. */
char **tool_settings_list(const tool_settings *settings, const char *section, const char *without,
                          size_t *n);
void tool_list_free(char **list, size_t n);

/* A sink into a file; "-" or NULL: standard output. */
nas_status tool_sink(nas_sink **out, nas_context *context, const char *path);
/* A store's report into a file, or standard output. */
nas_status tool_report(nas_context *context, nas_store *store, const nas_report_options *options,
                       bool text, const char *path);

int cmd_search(int argc, const char **argv);
int cmd_resume(int argc, const char **argv);
int cmd_space(int argc, const char **argv);
int cmd_arch(int argc, const char **argv);
int cmd_dump(int argc, const char **argv);
int cmd_list(int argc, const char **argv);
int cmd_report(int argc, const char **argv);

#endif
