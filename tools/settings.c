/* Settings of a search: from a YAML file of sections (docs/search-file.md), from lines of text (as
 * a store keeps them), from options. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include "nas.h"

static const struct {
    const char *section, *keys; /* keys: separated by blanks; NULL: any, checked by the library */
} known[] = {
    {"", "space seed window workers threads"},
    {"parameters", NULL},
    {"controller", NULL},
    {"evaluator", NULL},
    {"data", NULL},
    {"budget", "trials evaluations epochs seconds target trial_seconds"},
    {"objective", "metric minimise"},
    {"final", NULL},
};

static bool has_word(const char *words, const char *word) {
    size_t n = strlen(word);
    for (const char *at = words; n && (at = strstr(at, word)); at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0)) return true;
    return false;
}

static const char sections[] = "parameters controller evaluator data budget objective final";

/* NULL: known. Otherwise what there is instead. */
static const char *check(const char *section, const char *key) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].section, section) != 0) continue;
        return *key && (!known[i].keys || has_word(known[i].keys, key)) ? NULL
               : known[i].keys                                          ? known[i].keys
                                                                        : "its settings";
    }
    return sections;
}

static char *copy(const char *text) {
    size_t n = strlen(text) + 1;
    char *c = malloc(n);
    return c ? memcpy(c, text, n) : NULL;
}

void tool_settings_free(tool_settings *s) {
    for (size_t i = 0; i < s->n; i++) {
        free(s->items[i].section);
        free(s->items[i].key);
        free(s->items[i].value);
    }
    free(s->items);
    memset(s, 0, sizeof *s);
}

const char *tool_settings_get(const tool_settings *s, const char *section, const char *key) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->items[i].section, section) == 0 && strcmp(s->items[i].key, key) == 0)
            return s->items[i].value;
    return NULL;
}

bool tool_settings_put(tool_settings *s, const char *section, const char *key, const char *value) {
    char *v = copy(value);
    if (!v) return false;
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->items[i].section, section) == 0 && strcmp(s->items[i].key, key) == 0) {
            free(s->items[i].value);
            s->items[i].value = v;
            return true;
        }
    if (s->n == s->capacity) {
        size_t bigger = s->capacity ? s->capacity * 2 : 32;
        tool_setting *items = realloc(s->items, bigger * sizeof *items);
        if (!items) {
            free(v);
            return false;
        }
        s->items = items;
        s->capacity = bigger;
    }
    tool_setting item = {copy(section), copy(key), v};
    if (!item.section || !item.key) {
        free(item.section);
        free(item.key);
        free(v);
        return false;
    }
    s->items[s->n++] = item;
    return true;
}

static int memory(void) {
    fputs("nas: out of memory\n", stderr);
    return EXIT_FAILED;
}

int tool_settings_set(tool_settings *s, const char *text) {
    const char *equals = strchr(text, '='), *dot = strchr(text, '.');
    char name[128], *key = name;
    const char *section = "";
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof name)
        return tool_usage("'%s' is not section.key=value", text);
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = 0;
    if (dot && dot < equals) {
        name[dot - text] = 0;
        section = name;
        key = name + (dot - text) + 1;
    }
    const char *wrong = check(section, key);
    if (wrong)
        return tool_usage("there is no setting '%s%s%s'; there are: %s", section,
                          *section ? "." : "", key, wrong);
    return tool_settings_put(s, section, key, equals + 1) ? 0 : memory();
}

char *tool_settings_text(const tool_settings *s) {
    size_t n = 1;
    for (size_t i = 0; i < s->n; i++)
        n += strlen(s->items[i].section) + strlen(s->items[i].key) + strlen(s->items[i].value) + 3;
    char *text = malloc(n), *at = text;
    if (!text) return NULL;
    *at = 0;
    for (size_t i = 0; i < s->n; i++) {
        /* how many threads and workers there are is the machine's, not the search's */
        if (!*s->items[i].section &&
            (strcmp(s->items[i].key, "threads") == 0 || strcmp(s->items[i].key, "workers") == 0))
            continue;
        at += sprintf(at, "%s%s%s=%s\n", s->items[i].section, *s->items[i].section ? "." : "",
                      s->items[i].key, s->items[i].value);
    }
    return text;
}

int tool_settings_parse(tool_settings *s, const char *text) {
    while (*text) {
        size_t n = strcspn(text, "\n");
        char *line = malloc(n + 1);
        if (!line) return memory();
        memcpy(line, text, n);
        line[n] = 0;
        int code = n ? tool_settings_set(s, line) : 0;
        free(line);
        if (code) return code;
        text += n + (text[n] == '\n');
    }
    return 0;
}

char **tool_settings_list(const tool_settings *s, const char *section, const char *without,
                          size_t *n) {
    char **list = calloc(s->n + 1, sizeof *list);
    *n = 0;
    for (size_t i = 0; list && i < s->n; i++) {
        const tool_setting *item = &s->items[i];
        if (strcmp(item->section, section) != 0 || has_word(without, item->key)) continue;
        char *text = malloc(strlen(item->key) + strlen(item->value) + 2);
        if (!text) {
            tool_list_free(list, *n);
            return NULL;
        }
        sprintf(text, "%s=%s", item->key, item->value);
        list[(*n)++] = text;
    }
    return list;
}

void tool_list_free(char **list, size_t n) {
    for (size_t i = 0; list && i < n; i++)
        free(list[i]);
    free(list);
}

/* ---- the file
 * ---------------------------------------------------------------------------------------- */

static int at_mark(const char *path, const yaml_mark_t *mark, const char *what, const char *name) {
    fprintf(stderr, "nas: %s:%zu:%zu: %s%s%s%s\n", path, mark->line + 1, mark->column + 1, what,
            *name ? " '" : "", name, *name ? "'" : "");
    return EXIT_FAILED;
}

/* Top level: key: value, or section: {key: value}. No deeper, so no event nests. */
static int read_events(tool_settings *s, yaml_parser_t *parser, const char *path) {
    char section[64] = "", key[128] = "";
    int depth = 0, code = 0;
    bool have_key = false, done = false;
    while (!code && !done) {
        yaml_event_t e;
        if (!yaml_parser_parse(parser, &e)) {
            const char *problem = parser->problem ? parser->problem : "not YAML";
            if (strstr(problem, "cannot start any token"))
                problem =
                    "a character that cannot begin anything here: YAML indents by spaces, not tabs";
            return at_mark(path, &parser->problem_mark, problem, "");
        }
        yaml_mark_t mark = e.start_mark;
        switch (e.type) {
        case YAML_MAPPING_START_EVENT:
            if (depth == 0) {
                depth = 1;
            } else if (depth == 1 && have_key && has_word(sections, key)) {
                snprintf(section, sizeof section, "%.60s", key);
                have_key = false;
                depth = 2;
            } else {
                code = at_mark(path, &mark, "a list of settings has no place here", "");
            }
            break;
        case YAML_MAPPING_END_EVENT:
            section[0] = 0;
            depth--;
            break;
        case YAML_SCALAR_EVENT: {
            const char *value = (const char *)e.data.scalar.value;
            if (depth == 0) {
                code = at_mark(path, &mark, "a search file is a list of 'key: value'", "");
            } else if (!have_key) {
                snprintf(key, sizeof key, "%.120s", value);
                have_key = true;
                const char *wrong = check(section, key);
                if (wrong && !(depth == 1 && has_word(sections, key))) {
                    fprintf(stderr,
                            "nas: %s:%zu:%zu: there is no setting '%s'; there are: %s%s%s\n", path,
                            mark.line + 1, mark.column + 1, key, wrong, depth == 1 ? " " : "",
                            depth == 1 ? sections : "");
                    code = EXIT_FAILED;
                }
            } else {
                if (tool_settings_get(s, section, key))
                    code = at_mark(path, &mark, "given twice:", key);
                else if (check(section, key))
                    code = at_mark(path, &mark, "a section needs 'key: value' lines:", key);
                else if (strchr(value, '\n'))
                    code = at_mark(path, &mark, "a value is one line:", key);
                else if (!tool_settings_put(s, section, key, value))
                    code = memory();
                have_key = false;
            }
            break;
        }
        case YAML_ALIAS_EVENT:
            code = at_mark(path, &mark, "aliases are not taken", "");
            break;
        case YAML_SEQUENCE_START_EVENT:
            code = at_mark(path, &mark, "a list has no place here", "");
            break;
        case YAML_STREAM_END_EVENT:
            done = true;
            break;
        default:
            break;
        }
        yaml_event_delete(&e);
    }
    return code;
}

int tool_settings_read(tool_settings *s, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "nas: %s: cannot be opened\n", path);
        return EXIT_FAILED;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        fclose(file);
        return memory();
    }
    yaml_parser_set_input_file(&parser, file);
    int code = read_events(s, &parser, path);
    yaml_parser_delete(&parser);
    fclose(file);
    return code;
}
