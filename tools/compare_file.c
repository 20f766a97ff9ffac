/* The file of nas compare (docs/compare.md): YAML, read as a tree. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include "compare.h"

const char *const compare_units[] = {"evaluations", "epochs", "seconds", NULL};
const char *const compare_units_words = "evaluations, epochs or seconds";

typedef struct {
    yaml_document_t document;
    const char *path;
} tree;

static int wrong(const tree *t, const yaml_node_t *at, const char *what, const char *which) {
    return tool_error("%s:%zu:%zu: %s%s%s%s", t->path, at->start_mark.line + 1,
                      at->start_mark.column + 1, what, *which ? " '" : "", which,
                      *which ? "'" : "");
}

static const char *scalar(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

/* "key=value" for each pair of a map; `name` (NULL: none of them) takes the value of the key name.
 */
static int pairs(tree *t, const yaml_node_t *map, char ***list, size_t *n, char **name) {
    if (map->type != YAML_MAPPING_NODE)
        return wrong(t, map, "here belongs a list of key: value", "");
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *k = yaml_document_get_node(&t->document, p->key);
        const yaml_node_t *v = yaml_document_get_node(&t->document, p->value);
        const char *key = scalar(k), *value = scalar(v);
        if (!key || !value) return wrong(t, v, "a setting is key: value", "");
        if (name && strcmp(key, "name") == 0) {
            *name = tool_copy(value);
            if (!*name) return tool_memory();
            continue;
        }
        char *text = malloc(strlen(key) + strlen(value) + 2);
        if (!text) return tool_memory();
        sprintf(text, "%s=%s", key, value);
        bool added = tool_list_add(list, n, text);
        free(text);
        if (!added) return tool_memory();
    }
    return 0;
}

static int add_entry(compare_plan *plan, const char *label, compare_entry **out) {
    compare_entry *more = realloc(plan->entries, (plan->n_entries + 1) * sizeof *more);
    if (!more) return tool_memory();
    plan->entries = more;
    *out = &more[plan->n_entries];
    memset(*out, 0, sizeof **out);
    (*out)->label = tool_copy(label);
    if (!(*out)->label) return tool_memory();
    plan->n_entries++;
    return 0;
}

static int controllers(tree *t, const yaml_node_t *map, compare_plan *plan) {
    if (map->type != YAML_MAPPING_NODE)
        return wrong(t, map, "controllers are LABEL: {name: NAME, setting: value}", "");
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *k = yaml_document_get_node(&t->document, p->key);
        const yaml_node_t *v = yaml_document_get_node(&t->document, p->value);
        compare_entry *entry = NULL;
        if (!scalar(k)) return wrong(t, k, "a controller needs a label", "");
        for (size_t i = 0; i < plan->n_entries; i++)
            if (strcmp(plan->entries[i].label, scalar(k)) == 0)
                return wrong(t, k, "given twice:", scalar(k));
        int code = add_entry(plan, scalar(k), &entry);
        if (code) return code;
        code = pairs(t, v, &entry->settings, &entry->n_settings, &entry->name);
        if (code) return code;
        if (!entry->name) entry->name = tool_copy(entry->label);
        if (!entry->name) return tool_memory();
    }
    return 0;
}

/* Those that are always beside: the label is found, or made. */
static int always(compare_plan *plan, const char *name, size_t *at) {
    compare_entry *entry = NULL;
    for (*at = 0; *at < plan->n_entries; ++*at)
        if (strcmp(plan->entries[*at].label, name) == 0) return 0;
    int code = add_entry(plan, name, &entry);
    if (code) return code;
    entry->name = tool_copy(name);
    return entry->name ? 0 : tool_memory();
}

static int budgets(tree *t, const yaml_node_t *list, compare_plan *plan) {
    if (list->type != YAML_SEQUENCE_NODE)
        return wrong(t, list, "budgets is a list: [100, 300]", "");
    size_t n = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
    plan->budgets = calloc(n ? n : 1, sizeof *plan->budgets);
    if (!plan->budgets) return tool_memory();
    for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top;
         i++) {
        const yaml_node_t *node = yaml_document_get_node(&t->document, *i);
        double value, before = plan->n_budgets ? plan->budgets[plan->n_budgets - 1] : 0;
        if (!scalar(node) || !tool_parse_real(scalar(node), &value) || !(value > before))
            return wrong(t, node,
                         "budgets are rising numbers above 0:", scalar(node) ? scalar(node) : "");
        plan->budgets[plan->n_budgets++] = value;
    }
    return plan->n_budgets ? 0 : wrong(t, list, "budgets is empty", "");
}

static int whole(tree *t, const yaml_node_t *node, const char *key, uint64_t least, uint64_t most,
                 uint64_t *out) {
    if (scalar(node) && tool_parse_whole(scalar(node), out) && *out >= least && *out <= most)
        return 0;
    return wrong(t, node, "not a number that it can have:", key);
}

/* A relative path is one beside the file. */
static int place_table(const tree *t, compare_plan *plan) {
    const char *slash = strrchr(t->path, '/');
    for (size_t i = 0; slash && i < plan->n_table; i++) {
        const char *path = plan->table[i] + 5;
        if (strncmp(plan->table[i], "path=", 5) != 0 || *path == '/') continue;
        size_t n = (size_t)(slash - t->path) + 1;
        char *text = malloc(5 + n + strlen(path) + 1);
        if (!text) return tool_memory();
        sprintf(text, "path=%.*s%s", (int)n, t->path, path);
        free(plan->table[i]);
        plan->table[i] = text;
    }
    return 0;
}

static int read_key(tree *t, compare_plan *plan, const char *key, const yaml_node_t *k,
                    const yaml_node_t *v) {
    static const char *const known[] = {"space",      "parameters",  "table",   "seeds",
                                        "first_seed", "workers",     "threads", "unit",
                                        "budgets",    "controllers", NULL};
    if (strcmp(key, "space") == 0 && scalar(v))
        return (plan->space = tool_copy(scalar(v))) ? 0 : tool_memory();
    if (strcmp(key, "parameters") == 0)
        return pairs(t, v, &plan->parameters, &plan->n_parameters, NULL);
    if (strcmp(key, "table") == 0) return pairs(t, v, &plan->table, &plan->n_table, NULL);
    if (strcmp(key, "seeds") == 0) return whole(t, v, key, 2, 100000, &plan->seeds);
    if (strcmp(key, "first_seed") == 0)
        return whole(t, v, key, 0, UINT64_MAX / 2, &plan->first_seed);
    if (strcmp(key, "workers") == 0) return whole(t, v, key, 1, 65536, &plan->workers);
    if (strcmp(key, "threads") == 0) return whole(t, v, key, 1, 1024, &plan->threads);
    if (strcmp(key, "budgets") == 0) return budgets(t, v, plan);
    if (strcmp(key, "controllers") == 0) return controllers(t, v, plan);
    if (strcmp(key, "unit") == 0 && scalar(v)) {
        for (plan->unit = 0; compare_units[plan->unit]; plan->unit++)
            if (strcmp(compare_units[plan->unit], scalar(v)) == 0) return 0;
        return wrong(t, v, "a unit is evaluations, epochs or seconds, not", scalar(v));
    }
    const char *near = tool_nearest(key, known);
    return tool_error("%s:%zu:%zu: there is no setting '%s'%s%s%s", t->path, k->start_mark.line + 1,
                      k->start_mark.column + 1, key, near ? "; did you mean '" : "",
                      near ? near : "", near ? "'?" : "");
}

static int read_tree(tree *t, compare_plan *plan) {
    const yaml_node_t *root = yaml_document_get_root_node(&t->document);
    if (!root || root->type != YAML_MAPPING_NODE)
        return tool_error("%s: not a list of key: value", t->path);
    int code = 0;
    yaml_node_pair_t *p = root->data.mapping.pairs.start;
    for (; !code && p < root->data.mapping.pairs.top; p++) {
        const yaml_node_t *k = yaml_document_get_node(&t->document, p->key);
        const yaml_node_t *v = yaml_document_get_node(&t->document, p->value);
        if (!scalar(k)) return wrong(t, k, "a key is a word", "");
        code = read_key(t, plan, scalar(k), k, v);
    }
    if (!code && !plan->space) code = tool_error("%s: 'space' is missing", t->path);
    if (!code && !plan->n_table)
        code = tool_error("%s: 'table: {path: FILE.csv, accuracy: COLUMN}' is missing", t->path);
    if (!code && !plan->n_budgets) code = tool_error("%s: 'budgets' is missing", t->path);
    if (!code) code = always(plan, "random", &plan->random);
    if (!code) code = always(plan, "local-search", &plan->local);
    if (!code) code = place_table(t, plan);
    return code;
}

int compare_read(compare_plan *plan, const char *path) {
    yaml_parser_t parser;
    tree t = {.path = path};
    memset(plan, 0, sizeof *plan);
    plan->seeds = 100;
    plan->workers = 1;
    FILE *file = fopen(path, "rb");
    if (!file) return tool_error("%s: cannot be opened", path);
    if (!yaml_parser_initialize(&parser)) {
        fclose(file);
        return tool_memory();
    }
    yaml_parser_set_input_file(&parser, file);
    int code;
    if (yaml_parser_load(&parser, &t.document)) {
        code = read_tree(&t, plan);
        yaml_document_delete(&t.document);
    } else {
        code = tool_error("%s:%zu:%zu: %s", path, parser.problem_mark.line + 1,
                          parser.problem_mark.column + 1,
                          parser.problem ? parser.problem : "not YAML");
    }
    yaml_parser_delete(&parser);
    fclose(file);
    return code;
}

void compare_plan_free(compare_plan *plan) {
    for (size_t i = 0; i < plan->n_entries; i++) {
        free(plan->entries[i].label);
        free(plan->entries[i].name);
        tool_list_free(plan->entries[i].settings, plan->entries[i].n_settings);
    }
    free(plan->entries);
    free(plan->space);
    free(plan->budgets);
    tool_list_free(plan->parameters, plan->n_parameters);
    tool_list_free(plan->table, plan->n_table);
}
