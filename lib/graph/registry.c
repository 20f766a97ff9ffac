/* Operations registered with a context. */
#include "internal.h"

typedef struct {
    char *name;
    nas_op_ops ops;
    void *self;
} operation;

typedef struct {
    ni_mutex *mutex;
    NI_ARRAY(operation *) all; /* each stays where it is: borrowed by spaces */
} registry;

static void registry_free(nas_context *context, void *data) {
    registry *r = data;
    if (!r) return;
    for (size_t i = r->all.n; i-- > 0;) {
        operation *o = r->all.items[i];
        if (o->ops.destroy) o->ops.destroy(o->self);
        ni_free(context, o->name);
        ni_free(context, o);
    }
    NI_ARRAY_FREE(context, &r->all);
    if (r->mutex) ni_mutex_free(r->mutex);
    ni_free(context, r);
}

static nas_status registry_create(void **out, nas_context *context) {
    registry *r = ni_calloc(context, 1, sizeof *r);
    if (!r) return NAS_E_MEMORY;
    nas_status status = ni_mutex_create(&r->mutex, context);
    if (status < 0) {
        registry_free(context, r);
        return status;
    }
    *out = r;
    return NAS_OK;
}

static nas_status registry_of(registry **out, nas_context *context) {
    void *data;
    NI_TRY(ni_context_slot(&data, context, NI_SLOT_OPERATIONS, registry_create, registry_free));
    *out = data;
    return NAS_OK;
}

static operation *find(const registry *r, const char *name) {
    for (size_t i = 0; i < r->all.n; i++)
        if (strcmp(r->all.items[i]->name, name) == 0) return r->all.items[i];
    return NULL;
}

nas_status nas_op_register(nas_context *context, const char *name, const nas_op_ops *ops,
                           void *self) {
    nas_op_ops copy;
    registry *r;
    NI_TRY(ni_enter(context));
    if (!name || !*name || strlen(name) > 64)
        return ni_fail(context, NAS_E_INVALID, "an operation's name must have 1 to 64 characters");
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c <= ' ' || strchr("|~+,:\"'", *c))
            return ni_fail(context, NAS_E_INVALID,
                           "operation '%s': a name must not hold spaces or any of | ~ + , : \" '",
                           name);
    memset(&copy, 0, sizeof copy);
    copy.struct_size = sizeof copy;
    NI_TRY(ni_options(context, &copy, sizeof copy, sizeof copy, ops, "nas_op_ops"));
    if (!ops || !copy.build)
        return ni_fail(context, NAS_E_INVALID, "operation '%s' has no build function", name);
    NI_TRY(registry_of(&r, context));

    operation *o = ni_calloc(context, 1, sizeof *o);
    if (!o) return NAS_E_MEMORY;
    o->name = ni_strdup(context, name);
    o->ops = copy;
    o->self = self;
    nas_status status = o->name ? NAS_OK : NAS_E_MEMORY;
    if (status >= 0) {
        ni_mutex_lock(r->mutex);
        if (find(r, name))
            status =
                ni_fail(context, NAS_E_EXISTS, "an operation '%s' is registered already", name);
        else
            status = NI_PUSH(context, &r->all, o);
        ni_mutex_unlock(r->mutex);
    }
    if (status < 0) {
        ni_free(context, o->name);
        ni_free(context, o);
    }
    return status;
}

const char *nas_op_name(const nas_context *context, uint32_t index) {
    registry *r;
    const char *name = NULL;
    if (ni_enter(context) < 0 || registry_of(&r, (nas_context *)(uintptr_t)context) < 0)
        return NULL;
    ni_mutex_lock(r->mutex);
    if (index < r->all.n) name = r->all.items[index]->name;
    ni_mutex_unlock(r->mutex);
    return name;
}

nas_status ni_op_find(nas_context *context, const char *name, const nas_op_ops **ops, void **self) {
    registry *r;
    NI_TRY(registry_of(&r, context));
    ni_mutex_lock(r->mutex);
    const operation *o = find(r, name);
    nas_status status = NAS_OK;
    if (o) {
        *ops = &o->ops;
        *self = o->self;
    } else {
        const char *known[64];
        size_t n = r->all.n < NI_COUNT(known) ? r->all.n : NI_COUNT(known);
        for (size_t i = 0; i < n; i++)
            known[i] = r->all.items[i]->name;
        const char *near = ni_nearest(name, known, n);
        status = ni_fail(context, NAS_E_NOT_FOUND, "operation '%s' is not registered%s%s%s", name,
                         near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    ni_mutex_unlock(r->mutex);
    return status;
}

nas_status ni_op_build(nas_graph *graph, const nas_op_site *at, const nas_node *in, uint32_t n,
                       nas_node *out) {
    const nas_op_ops *ops;
    void *self;
    nas_node made = NAS_NODE_NONE;
    const char *scope = graph->scope, *label = graph->label;
    NI_TRY(ni_op_find(graph->context, at->name, &ops, &self));
    NI_TRY(ni_graph_scope(graph, at->scope ? at->scope : ""));
    nas_status status = ops->build(self, graph, at, in, n, &made);
    graph->scope = scope;
    graph->label = label;
    if (status < 0) return status;
    if (made >= graph->nodes.n)
        return ni_fail(graph->context, NAS_E_CALLBACK,
                       "operation '%s' built no node: it must set *out to one", at->name);
    *out = made;
    return NAS_OK;
}
