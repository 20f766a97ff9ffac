/* The nas program: what its files share. It uses the public header of libnas alone. */
#ifndef NAS_TOOL_H
#define NAS_TOOL_H
#include <popt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <libnas/libnas.h>

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- sentences (main.c) -------------------------------------------------------------------------
 */

/* "nas: sentence" on standard error; they return EXIT_FAILED, EXIT_USAGE. The first takes the
 * context's sentence. */
int tool_failed(nas_context *context);
int tool_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
int tool_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
int tool_memory(void);
/* A context that says warnings on standard error; NULL after a message. */
nas_context *tool_context(unsigned threads);

/* ---- texts (text.c) -----------------------------------------------------------------------------
 */

/* Malloc'd; NULL: out of memory. */
char *tool_copy(const char *text);
char *tool_join(const char *folder, const char *name); /* "folder/name" */
/* Numbers as people read them, without the locale. */
void tool_number(double value, int digits, char *buffer, size_t capacity);
void tool_duration(double seconds, char *buffer, size_t capacity); /* "85 s", "3 min 05 s" */
/* A whole text as a number. */
bool tool_parse_whole(const char *text, uint64_t *out);
bool tool_parse_real(const char *text, double *out);
/* The known name nearest to a wrong one, or NULL when none is near. NULL ends the list. */
const char *tool_nearest(const char *wrong, const char *const *known);
/* JSON: a text; a number, null where it is not finite. */
void tool_json(FILE *to, const char *text);
void tool_json_number(FILE *to, double value);
/* Text lists, ended by NULL. */
bool tool_list_add(char ***list, size_t *n, const char *text);
void tool_list_free(char **list, size_t n);

/* ---- the command line (options.c)
 * ----------------------------------------------------------------- */

enum { TAKES_OUTPUT = 1, TAKES_JSON = 2, TAKES_QUIET = 4, TAKES_PARAM = 8 };
typedef struct {
    const char *name;      /* "arch info" */
    const char *arguments; /* "SPACE ARCH" */
    const char *about;     /* sentences for --help */
    const char *output;    /* what -o names, where it is taken */
    uint32_t takes;
    uint32_t least, most; /* arguments */
    /* Options of its own: rows without a place of their own (arg NULL), told apart by val. */
    const struct poptOption *options;
    int (*set)(void *user, int option, const char *text); /* 0, or an exit status after a message */
} tool_command;
typedef struct {
    bool json, quiet;
    char *output; /* NULL: not given */
    char *words[4];
    uint32_t n_words;
    char **parameters; /* "name=number" */
    size_t n_parameters;
} tool_request;
/* true: go on. false: *code is the exit status (help was shown; a message was written). */
bool tool_read(tool_request *out, const tool_command *command, void *user, int argc,
               const char **argv, int *code);
void tool_request_free(tool_request *request);
/* A number that follows an option; 0, or EXIT_USAGE after a message. */
int tool_option_whole(const char *option, const char *text, uint64_t most, uint64_t *out);

/* Where a command's text goes: standard output, or the file of -o, which is there wholly or not at
 * all. */
typedef struct {
    FILE *to;
    char *bytes;
    size_t n;
    const char *path; /* borrowed */
} tool_output;
int tool_output_open(tool_output *out, const char *path);
/* code: of what was written; the file is left only where it is 0. Returns the command's status. */
int tool_output_close(tool_output *out, nas_context *context, int code);

/* ---- stores (cmd_store.c)
 * --------------------------------------------------------------------------- */

/* The path of a store, or of the folder of a search: malloc'd. */
char *tool_store_path(const char *given);
int tool_store_read(nas_store **out, nas_context *context, const char *path); /* to be read only */

/* ---- settings of a search: lines "section.key=value" (settings.c)
 * ------------------------------------- */

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
const char *tool_settings_get(const tool_settings *settings, const char *section, const char *key,
                              const char *otherwise);
/* "section.key=value"; 0, or an exit status after a message. */
int tool_settings_set(tool_settings *settings, const char *text);
/* All of the other's, over what is there. */
int tool_settings_over(tool_settings *settings, const tool_settings *other);
/* From a search file (docs/search-file.md). */
int tool_settings_read(tool_settings *settings, const char *path);
/* To and from lines of text; threads and workers are left out. */
char *tool_settings_text(const tool_settings *settings);
int tool_settings_parse(tool_settings *settings, const char *text);
/* A number, `otherwise` where it is not set; 0, or EXIT_USAGE after a message. */
int tool_settings_whole(const tool_settings *settings, const char *section, const char *key,
                        uint64_t most, uint64_t otherwise, uint64_t *out);
int tool_settings_real(const tool_settings *settings, const char *section, const char *key,
                       double least, double otherwise, double *out);
/* "key=value" of a section, but for the key named; the caller frees it by tool_list_free. */
char **tool_settings_list(const tool_settings *settings, const char *section, const char *without,
                          size_t *n);

/* ---- the parts that settings name (parts.c)
 * ------------------------------------------------------------- */

enum { TOOL_OBJECTIVES = 16 };
typedef struct {
    nas_context *context; /* borrowed */
    nas_space *space;
    nas_dataset *data;
    nas_controller *controller;
    nas_evaluator *evaluator;
    nas_tuning *tuning;      /* NULL: none; of both trainings */
    nas_train_options trial; /* of the evaluator, where it trains */
    nas_train_options final; /* of the final training */
    nas_named_evaluator named;
    nas_objective objectives[TOOL_OBJECTIVES]; /* the first one's metric is what is shown */
    uint32_t n_objectives;
    char *objective_names; /* their texts */
    bool trains;           /* the best is trained for longer: not what a table answered for */
} tool_parts;
int tool_space(nas_space **out, nas_context *context, const char *what, char *const *parameters,
               size_t n);
int tool_train_options(nas_train_options *out, nas_context *context, char *const *settings,
                       size_t n);
/* path NULL or "": none. */
int tool_tuning(nas_tuning **out, nas_context *context, const char *path);
/* space_text: of a store, instead of the setting; NULL. */
int tool_parts_open(tool_parts *out, nas_context *context, const tool_settings *settings,
                    const char *space_text);
void tool_parts_free(tool_parts *parts);
/* The search's options, but for store, hooks and settings. */
int tool_parts_options(tool_parts *parts, const tool_settings *settings, nas_search_options *out);

/* ---- verbs of `nas space` (space_verbs.c): exit statuses
 * -----------------------------------------
 */

int tool_space_check(nas_context *context, const nas_space *space, uint64_t seed, bool json,
                     FILE *to);
int tool_space_neighbors(nas_context *context, const nas_space *space, const nas_arch *arch,
                         bool json, FILE *to);
int tool_space_encode(nas_context *context, const nas_arch *arch, int32_t encoding, bool json,
                      FILE *to);
int tool_space_published(const nas_space *space, bool json, FILE *to);
int tool_space_diff(const nas_space *a, const nas_space *b, bool json, FILE *to);

/* ---- Ctrl-C (lines.c)
 * ------------------------------------------------------------------------------------ */

extern volatile sig_atomic_t tool_interrupted;
/* From now on SIGINT and SIGTERM set it, and stop the search given (NULL: none); the second one
 * ends the process. */
void tool_signals(nas_search *search);

/* ---- lines of progress (lines.c)
 * ---------------------------------------------------------------------------- */

typedef struct {
    bool quiet, terminal, open; /* open: a live line stands on the terminal */
} tool_lines;
void tool_lines_begin(tool_lines *lines, bool quiet);
/* A line that stays, or (on a terminal alone) one that the next replaces. */
void tool_line(tool_lines *lines, bool stays, const char *text);
/* Ends a live line, before other text. */
void tool_lines_clear(tool_lines *lines);
double tool_clock(void);

/* ---- the lines of a search (progress.c)
 * ------------------------------------------------------------------------ */

typedef struct tool_progress tool_progress;
/* All are borrowed, and stay. NULL: out of memory. */
tool_progress *tool_progress_create(const tool_parts *parts, const nas_search_options *options,
                                    tool_lines *lines);
void tool_progress_free(tool_progress *progress);
void tool_progress_hooks(tool_progress *progress, nas_search_hooks *hooks);
/* Before the search runs. */
nas_status tool_progress_begin(tool_progress *progress, nas_search *search);

/* ---- a whole training, measured on the test images (final.c)
 * -------------------------------------------------- */

typedef struct {
    nas_context *context;
    const nas_arch *arch;
    const nas_dataset *data;
    const nas_train_options *options;
    const char *weights; /* file */
    const char *title;   /* begins its lines: "final training" */
    /* Where checkpoints and "final.*" facts go (NULL: nowhere), and what tells one training from
     * another. */
    nas_store *store;
    const char *identity;
    tool_lines *lines;
} tool_training;
typedef struct {
    double epochs, seconds, train_loss; /* NAN: not known any more */
    double test_accuracy, test_loss;    /* NAN: there are no test images */
    int64_t n_test;
    nas_arch_cost cost;
    bool interrupted; /* Ctrl-C: nothing below was made, but for the checkpoint */
    bool was_there;   /* the store had all of it */
} tool_trained;
int tool_train(const tool_training *training, tool_trained *out);
/* "test accuracy 92.10 % on 10000 images ...; N parameters, ..." to standard output. */
void tool_trained_say(const tool_trained *trained);
/* Members of a JSON object, without its braces. */
void tool_trained_json(FILE *to, const tool_trained *trained, const char *weights);

/* A sink into a file; "-" or NULL: standard output. */
nas_status tool_sink(nas_sink **out, nas_context *context, const char *path);
/* A store's report into a file, or standard output. */
nas_status tool_report(nas_context *context, nas_store *store, const nas_report_options *options,
                       bool text, const char *path);

int cmd_search(int argc, const char **argv);
int cmd_resume(int argc, const char **argv);
int cmd_replay(int argc, const char **argv);
int cmd_train(int argc, const char **argv);
int cmd_tune(int argc, const char **argv);
int cmd_compare(int argc, const char **argv);
int cmd_space(int argc, const char **argv);
int cmd_arch(int argc, const char **argv);
int cmd_dump(int argc, const char **argv);
int cmd_list(int argc, const char **argv);
int cmd_report(int argc, const char **argv);

#endif
