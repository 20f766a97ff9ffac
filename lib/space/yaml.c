/* YAML by libyaml into a tree with marks. Bounded: size, depth, number of nodes; no anchors, no
 * aliases (so no cycles), no tags, no doubled keys. */
#include <stdio.h>
#include "internal.h"
#include "ni_config.h"

#if NI_WITH_YAML
#include <yaml.h>

enum { YAML_BYTES = 1 << 20, YAML_DEPTH = 32, YAML_NODES = 100000 };

nas_status ni_yaml_fail(const ni_document *d, const ni_yaml *at, nas_status status,
                        const char *format, ...) {
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return ni_fail(d->context, status, "%s:%u:%u: %s", d->origin, at ? at->line : 1,
                   at ? at->column : 1, sentence);
}

typedef struct {
    ni_document *document;
    yaml_parser_t *parser;
    uint32_t nodes;
} reader;

static nas_status fail_at(reader *r, const yaml_mark_t *mark, nas_status status, const char *what) {
    return ni_fail(r->document->context, status, "%s:%u:%u: %s", r->document->origin,
                   (unsigned)mark->line + 1, (unsigned)mark->column + 1, what);
}

static nas_status next(reader *r, yaml_event_t *event) {
    if (yaml_parser_parse(r->parser, event)) return NAS_OK;
    const yaml_parser_t *p = r->parser;
    if (p->error == YAML_MEMORY_ERROR) return ni_fail_memory(r->document->context, 0);
    const char *problem = p->problem ? p->problem : "not YAML";
    if (strstr(problem, "cannot start any token"))
        problem = "a character that cannot begin anything here: YAML indents by spaces, not tabs";
    return fail_at(r, &p->problem_mark, NAS_E_SYNTAX, problem);
}

static nas_status read_node(reader *r, yaml_event_t *event, uint32_t depth, ni_yaml **out);

static nas_status grow(reader *r, ni_yaml ***list, uint32_t n) {
    /* doubling, in the arena: what it leaves behind goes with the document */
    if (n & (n - 1)) return NAS_OK;
    ni_yaml **bigger = ni_arena_alloc(r->document->arena, (n ? (size_t)n * 2 : 1) * sizeof *bigger);
    if (!bigger) return NAS_E_MEMORY;
    if (n) memcpy(bigger, *list, n * sizeof *bigger);
    *list = bigger;
    return NAS_OK;
}

static nas_status read_children(reader *r, ni_yaml *node, uint32_t depth) {
    yaml_event_type_t end =
        node->kind == NI_YAML_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    for (;;) {
        yaml_event_t event;
        ni_yaml *key = NULL, *item;
        NI_TRY(next(r, &event));
        if (event.type == end) {
            yaml_event_delete(&event);
            return NAS_OK;
        }
        if (node->kind == NI_YAML_MAP) {
            NI_TRY(read_node(r, &event, depth + 1, &key));
            if (key->kind != NI_YAML_SCALAR)
                return ni_yaml_fail(r->document, key, NAS_E_SYNTAX, "a key must be plain text");
            if (ni_yaml_get(node, key->text))
                return ni_yaml_fail(r->document, key, NAS_E_SYNTAX,
                                    "the key '%s' stands here twice", key->text);
            NI_TRY(next(r, &event));
        }
        NI_TRY(read_node(r, &event, depth + 1, &item));
        if (key) NI_TRY(grow(r, &node->keys, node->n));
        NI_TRY(grow(r, &node->items, node->n));
        if (key) node->keys[node->n] = key;
        node->items[node->n++] = item;
    }
}

/* Takes the event. */
static nas_status read_node(reader *r, yaml_event_t *event, uint32_t depth, ni_yaml **out) {
    yaml_mark_t mark = event->start_mark;
    nas_status status = NAS_OK;
    ni_yaml *node = NULL;
    const char *anchor = NULL;
    if (event->type == YAML_ALIAS_EVENT)
        status = fail_at(r, &mark, NAS_E_UNSUPPORTED,
                         "aliases (*name) are not taken: write the value out");
    else if (depth > YAML_DEPTH)
        status = fail_at(r, &mark, NAS_E_LIMIT, "nested too deeply: at most 32 levels");
    else if (++r->nodes > YAML_NODES)
        status = fail_at(r, &mark, NAS_E_LIMIT, "too many values: at most 100000");
    else if (!(node = ni_arena_alloc(r->document->arena, sizeof *node)))
        status = NAS_E_MEMORY;
    if (status >= 0) {
        node->line = (uint32_t)mark.line + 1;
        node->column = (uint32_t)mark.column + 1;
        node->from = mark.index;
        node->to = event->end_mark.index;
        if (event->type == YAML_SCALAR_EVENT) {
            node->kind = NI_YAML_SCALAR;
            node->quoted = event->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
                           event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
            node->text = ni_arena_strdup(r->document->arena, (char *)event->data.scalar.value);
            anchor = (char *)event->data.scalar.anchor;
            if (!node->text)
                status = NAS_E_MEMORY;
            else if (strlen(node->text) != event->data.scalar.length)
                status = fail_at(r, &mark, NAS_E_SYNTAX, "a text must not hold a 0 byte");
        } else if (event->type == YAML_SEQUENCE_START_EVENT) {
            node->kind = NI_YAML_LIST;
            anchor = (char *)event->data.sequence_start.anchor;
        } else if (event->type == YAML_MAPPING_START_EVENT) {
            node->kind = NI_YAML_MAP;
            anchor = (char *)event->data.mapping_start.anchor;
        } else {
            status = fail_at(r, &mark, NAS_E_SYNTAX, "a value is missing");
        }
        if (status >= 0 && anchor)
            status = fail_at(r, &mark, NAS_E_UNSUPPORTED,
                             "anchors (&name) are not taken: write the value out");
    }
    yaml_event_delete(event);
    if (status < 0) return status;
    if (node->kind != NI_YAML_SCALAR) NI_TRY(read_children(r, node, depth));
    *out = node;
    return NAS_OK;
}

static nas_status read_document(reader *r) {
    yaml_event_t event;
    bool seen = false;
    for (;;) {
        NI_TRY(next(r, &event));
        yaml_event_type_t type = event.type;
        yaml_mark_t mark = event.start_mark;
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT ||
            type == YAML_DOCUMENT_END_EVENT) {
            yaml_event_delete(&event);
            continue;
        }
        if (type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        if (seen) {
            yaml_event_delete(&event);
            return fail_at(r, &mark, NAS_E_SYNTAX, "a second document begins: one file holds one");
        }
        seen = true;
        NI_TRY(read_node(r, &event, 0, &r->document->root));
    }
    if (!seen)
        return ni_fail(r->document->context, NAS_E_SYNTAX, "%s:1:1: the text is empty",
                       r->document->origin);
    return NAS_OK;
}

nas_status ni_yaml_parse(ni_document *out, nas_context *context, const char *text, size_t n,
                         const char *origin) {
    memset(out, 0, sizeof *out);
    out->context = context;
    out->origin = origin && *origin ? origin : "text";
    if (n > YAML_BYTES)
        return ni_fail(context, NAS_E_LIMIT, "%s: %zu bytes are too long: at most 1 MiB",
                       out->origin, n);
    NI_TRY(ni_arena_create(&out->arena, context));
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        ni_yaml_free(out);
        return ni_fail_memory(context, 0);
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    reader r = {out, &parser, 0};
    nas_status status = read_document(&r);
    yaml_parser_delete(&parser);
    if (status < 0) ni_yaml_free(out);
    return status;
}

#else

nas_status ni_yaml_fail(const ni_document *d, const ni_yaml *at, nas_status status,
                        const char *format, ...) {
    (void)at, (void)format;
    return ni_fail(d->context, status, "built without YAML");
}

nas_status ni_yaml_parse(ni_document *out, nas_context *context, const char *text, size_t n,
                         const char *origin) {
    (void)out, (void)text, (void)n, (void)origin;
    return ni_fail(
        context, NAS_E_UNSUPPORTED,
        "this library was built without YAML: presets and files need it (option 'yaml')");
}

#endif

void ni_yaml_free(ni_document *document) {
    if (document->arena) ni_arena_free(document->arena);
    document->arena = NULL;
    document->root = NULL;
}

const ni_yaml *ni_yaml_get(const ni_yaml *map, const char *key) {
    for (uint32_t i = 0; map && map->kind == NI_YAML_MAP && i < map->n; i++)
        if (strcmp(map->keys[i]->text, key) == 0) return map->items[i];
    return NULL;
}

nas_status ni_yaml_keys(const ni_document *d, const ni_yaml *map, const char *what,
                        const char *const *known) {
    size_t n = 0;
    if (map->kind != NI_YAML_MAP)
        return ni_yaml_fail(d, map, NAS_E_SYNTAX, "%s must be a list of 'key: value'", what);
    while (known[n])
        n++;
    for (uint32_t i = 0; i < map->n; i++) {
        size_t k = 0;
        while (k < n && strcmp(known[k], map->keys[i]->text) != 0)
            k++;
        if (k < n) continue;
        const char *near = ni_nearest(map->keys[i]->text, known, n);
        return ni_yaml_fail(d, map->keys[i], NAS_E_SYNTAX, "%s has no key '%.60s'%s%s%s", what,
                            map->keys[i]->text, near ? "; did you mean '" : "", near ? near : "",
                            near ? "'?" : "");
    }
    return NAS_OK;
}
