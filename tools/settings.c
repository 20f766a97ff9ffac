/* Settings of a search: from a YAML file of sections (docs/search-file.md), from lines of text (as
 * a store keeps them), from options. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>
#include "nas.h"

static const struct {
    const char *section, *keys; /* keys: separated by blanks; NULL: any, checked by the library */
} known[] = {
    {"", "space seed window workers threads tuning"},
    {"parameters", NULL},
    {"controller", NULL},
    {"evaluator", NULL},
    {"data", NULL},
    {"budget", "trials evaluations epochs seconds target trial_seconds"},
    {"objective", "metric minimise weight limit exponent"},
    {"final", NULL},
};

static bool has_word(const char *words, const char *word) {
    size_t n = strlen(word);
    for (const char *at = words; n && (at = strstr(at, word)); at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0)) return true;
    return false;
}

static const char sections[] = "parameters controller evaluator data budget objective final";

/* The nearest of the words, in a buffer of its own; NULL: none is near. */
static const char *nearest_word(const char *words, const char *more, const char *wrong,
                                char *buffer, size_t capacity) {
    const char *names[32];
    size_t n = 0;
    snprintf(buffer, capacity, "%s %s", words, more);
    for (char *at = strtok(buffer, " "); at && n < 31; at = strtok(NULL, " "))
        names[n++] = at;
    names[n] = NULL;
    return tool_nearest(wrong, names);
}

/* true: the settings have such a key. Otherwise a sentence about it. */
static bool check(const char *section, const char *key, char *sentence, size_t capacity) {
    const char *keys = NULL;
    char words[256];
    bool top = !*section, any = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].section, section) == 0) {
            keys = known[i].keys;
            any = !keys;
        }
    if (*key && (any || (keys && has_word(keys, key)))) return true;
    if (!keys && !any) {
        const char *near = nearest_word(sections, "", section, words, sizeof words);
        if (near)
            snprintf(sentence, capacity, "there is no section '%s'; did you mean '%s'?", section,
                     near);
        else
            snprintf(sentence, capacity, "there is no section '%s'; there are: %s", section,
                     sections);
        return false;
    }
    if (top && has_word(sections, key)) {
        snprintf(sentence, capacity, "'%s' is a section: its settings are %s.KEY=VALUE", key, key);
        return false;
    }
    const char *near =
        keys ? nearest_word(keys, top ? sections : "", key, words, sizeof words) : NULL;
    if (near)
        snprintf(sentence, capacity, "there is no setting '%s%s%s'; did you mean '%s'?", section,
                 top ? "" : ".", key, near);
    else
        snprintf(sentence, capacity, "there is no setting '%s%s%s'; there are: %s%s%s", section,
                 top ? "" : ".", key, keys ? keys : "KEY=VALUE", top ? " " : "",
                 top ? sections : "");
    return false;
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

const char *tool_settings_get(const tool_settings *s, const char *section, const char *key,
                              const char *otherwise) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->items[i].section, section) == 0 && strcmp(s->items[i].key, key) == 0)
            return s->items[i].value;
    return otherwise;
}

bool tool_settings_put(tool_settings *s, const char *section, const char *key, const char *value) {
    char *v = tool_copy(value);
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
    tool_setting item = {tool_copy(section), tool_copy(key), v};
    if (!item.section || !item.key) {
        free(item.section);
        free(item.key);
        free(v);
        return false;
    }
    s->items[s->n++] = item;
    return true;
}

int tool_settings_set(tool_settings *s, const char *text) {
    const char *equals = strchr(text, '='), *dot = strchr(text, '.');
    char name[128], sentence[512], *key = name;
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
    if (!check(section, key, sentence, sizeof sentence)) return tool_usage("%s", sentence);
    if (strchr(equals, '\n')) return tool_usage("%s: a value is one line", name);
    return tool_settings_put(s, section, key, equals + 1) ? 0 : tool_memory();
}

int tool_settings_over(tool_settings *s, const tool_settings *other) {
    for (size_t i = 0; i < other->n; i++)
        if (!tool_settings_put(s, other->items[i].section, other->items[i].key,
                               other->items[i].value))
            return tool_memory();
    return 0;
}

/* How people name a setting. */
static const char *name_of(const char *section, const char *key, char *buffer, size_t capacity) {
    snprintf(buffer, capacity, "%s%s%s", section, *section ? "." : "", key);
    return buffer;
}

int tool_settings_whole(const tool_settings *s, const char *section, const char *key, uint64_t most,
                        uint64_t otherwise, uint64_t *out) {
    const char *text = tool_settings_get(s, section, key, NULL);
    char name[128];
    *out = otherwise;
    if (!text || (tool_parse_whole(text, out) && *out <= most)) return 0;
    return tool_usage("%s: '%s' is not a whole number that it can have",
                      name_of(section, key, name, sizeof name), text);
}

int tool_settings_real(const tool_settings *s, const char *section, const char *key, double least,
                       double otherwise, double *out) {
    const char *text = tool_settings_get(s, section, key, NULL);
    char name[128];
    *out = otherwise;
    if (!text || (tool_parse_real(text, out) && *out >= least)) return 0;
    return tool_usage("%s: '%s' is not a number that it can have",
                      name_of(section, key, name, sizeof name), text);
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
        if (!line) return tool_memory();
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
    char **list = calloc(1, sizeof *list), text[1024];
    *n = 0;
    for (size_t i = 0; list && i < s->n; i++) {
        const tool_setting *item = &s->items[i];
        if (strcmp(item->section, section) != 0 || strcmp(item->key, without) == 0) continue;
        snprintf(text, sizeof text, "%s=%s", item->key, item->value);
        if (!tool_list_add(&list, n, text)) {
            tool_list_free(list, *n);
            return NULL;
        }
    }
    return list;
}

/* ---- the file
 * ---------------------------------------------------------------------------------------- */

static int at_mark(const char *path, const yaml_mark_t *mark, const char *what, const char *name) {
    return tool_error("%s:%zu:%zu: %s%s%s%s", path, mark->line + 1, mark->column + 1, what,
                      *name ? " '" : "", name, *name ? "'" : "");
}

/* Top level: key: value, or section: {key: value}. No deeper, so no event nests. */
static int read_events(tool_settings *s, yaml_parser_t *parser, const char *path) {
    char section[64] = "", key[128] = "", sentence[512];
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
                if (!check(section, key, sentence, sizeof sentence) &&
                    !(depth == 1 && has_word(sections, key)))
                    code = at_mark(path, &mark, sentence, "");
            } else {
                if (tool_settings_get(s, section, key, NULL))
                    code = at_mark(path, &mark, "given twice:", key);
                else if (!check(section, key, sentence, sizeof sentence))
                    code = at_mark(path, &mark, "a section needs 'key: value' lines:", key);
                else if (strchr(value, '\n'))
                    code = at_mark(path, &mark, "a value is one line:", key);
                else if (!tool_settings_put(s, section, key, value))
                    code = tool_memory();
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
    if (!file) return tool_error("%s: cannot be opened: %s", path, strerror(errno));
    struct stat about;
    if (fstat(fileno(file), &about) == 0 && S_ISDIR(about.st_mode)) {
        fclose(file);
        return tool_error("%s: is a folder; a search file is wanted", path);
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        fclose(file);
        return tool_memory();
    }
    yaml_parser_set_input_file(&parser, file);
    int code = read_events(s, &parser, path);
    yaml_parser_delete(&parser);
    fclose(file);
    return code;
}
