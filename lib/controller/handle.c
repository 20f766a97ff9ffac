/* The handle over a controller's table: the same for those built in and the caller's own. */
#include "controller.h"

struct nas_controller {
    nas_context *context;
    nas_controller_ops ops;
    void *self;
    char *name;
    bool repeats;
};

static nas_status create(nas_controller **out, nas_context *context, const char *name,
                         const nas_controller_ops *ops, void *self, bool repeats) {
    NI_TRY(ni_enter(context));
    nas_controller_ops table;
    memset(&table, 0, sizeof table);
    if (ops == NULL) return ni_fail(context, NAS_E_INVALID, "the controller's table is NULL");
    NI_TRY(ni_options(context, &table, sizeof table, sizeof table, ops, "nas_controller_ops"));
    if (name == NULL || name[0] == 0 || strlen(name) > 255)
        return ni_fail(context, NAS_E_INVALID, "a controller's name must have 1 to 255 bytes");
    if (table.ask == NULL)
        return ni_fail(context, NAS_E_INVALID, "controller \"%s\": its table has no ask", name);
    if ((table.save == NULL) != (table.load == NULL))
        return ni_fail(context, NAS_E_INVALID,
                       "controller \"%s\": its table has %s; give both, or neither", name,
                       table.save ? "save without load" : "load without save");
    const uint32_t known =
        NAS_CONTROLLER_NEEDS_GRADIENT | NAS_CONTROLLER_NEEDS_WEIGHTS | NAS_CONTROLLER_CONTINUES;
    if (table.flags & ~known)
        return ni_fail(context, NAS_E_INVALID,
                       "controller \"%s\": flags %u, of which %u are not known", name, table.flags,
                       table.flags & ~known);
    nas_controller *controller = ni_calloc(context, 1, sizeof *controller);
    if (controller == NULL) return NAS_E_MEMORY;
    controller->name = ni_strdup(context, name);
    if (controller->name == NULL) {
        ni_free(context, controller);
        return NAS_E_MEMORY;
    }
    controller->context = context;
    controller->ops = table;
    controller->self = self;
    controller->repeats = repeats;
    ni_context_hold(context);
    *out = controller;
    return NAS_OK;
}

nas_status nas_controller_create(nas_controller **out, nas_context *context, const char *name,
                                 const nas_controller_ops *ops, void *self) {
    return create(out, context, name, ops, self, false);
}

nas_status ni_controller_make(nas_controller **out, nas_context *context, const char *name,
                              const nas_controller_ops *ops, void *self) {
    nas_status status = create(out, context, name, ops, self, true);
    if (status < 0) ops->destroy(self);
    return status;
}

void nas_controller_free(nas_controller *controller) {
    if (controller == NULL) return;
    nas_context *context = controller->context;
    if (controller->ops.destroy) controller->ops.destroy(controller->self);
    ni_free(context, controller->name);
    ni_free(context, controller);
    ni_context_release(context);
}

const char *nas_controller_name(const nas_controller *controller) {
    return controller->name;
}
uint32_t ni_controller_flags(const nas_controller *controller) {
    return controller->ops.flags;
}
bool ni_controller_has_state(const nas_controller *controller) {
    return controller->ops.save != NULL;
}
bool ni_controller_has_forget(const nas_controller *controller) {
    return controller->ops.forget != NULL;
}
bool ni_controller_repeats(const nas_controller *controller) {
    return controller->repeats;
}
nas_context *ni_controller_context(const nas_controller *controller) {
    return controller->context;
}

/* An error without a sentence gets one that names the controller. */
static nas_status answered(nas_controller *controller, nas_status status, uint64_t mark) {
    return status < 0 ? ni_fail_callback(controller->context, status, mark, controller->name)
                      : status;
}

nas_status nas_controller_ask(nas_controller *controller, nas_random *stream,
                              nas_proposal_builder *out) {
    NI_TRY(ni_enter(controller->context));
    uint64_t mark = ni_fail_mark(controller->context);
    return answered(controller, controller->ops.ask(controller->self, stream, out), mark);
}

nas_status nas_controller_tell(nas_controller *controller, const nas_proposal *asked,
                               const nas_result *got) {
    NI_TRY(ni_enter(controller->context));
    if (controller->ops.tell == NULL) return NAS_OK;
    uint64_t mark = ni_fail_mark(controller->context);
    return answered(controller, controller->ops.tell(controller->self, asked, got), mark);
}

nas_status nas_controller_forget(nas_controller *controller, uint64_t turn) {
    NI_TRY(ni_enter(controller->context));
    if (controller->ops.forget == NULL)
        return ni_fail(controller->context, NAS_E_UNSUPPORTED,
                       "controller \"%s\" has no forget: tell it an infeasible result",
                       controller->name);
    uint64_t mark = ni_fail_mark(controller->context);
    return answered(controller, controller->ops.forget(controller->self, turn), mark);
}

nas_status nas_controller_save(nas_controller *controller, nas_writer *to) {
    NI_TRY(ni_enter(controller->context));
    if (controller->ops.save == NULL) return NAS_OK;
    uint64_t mark = ni_fail_mark(controller->context);
    return answered(controller, controller->ops.save(controller->self, to), mark);
}

nas_status nas_controller_load(nas_controller *controller, nas_reader *from) {
    NI_TRY(ni_enter(controller->context));
    if (controller->ops.load == NULL) return NAS_OK;
    uint64_t mark = ni_fail_mark(controller->context);
    return answered(controller, controller->ops.load(controller->self, from), mark);
}

nas_status nas_controller_describe(nas_controller *controller, nas_sink *to) {
    NI_TRY(ni_enter(controller->context));
    if (controller->ops.describe == NULL) return NAS_OK;
    uint64_t mark = ni_fail_mark(controller->context);
    return answered(controller, controller->ops.describe(controller->self, to), mark);
}
