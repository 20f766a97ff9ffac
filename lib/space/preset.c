/* Spaces by name, from texts, from files. Presets are YAML texts compiled into the library
 * (presets/NAME.yaml, made into presets.inc by the build). */
#include <inttypes.h>
#include "internal.h"

static const struct {
    const char *name, *text;
} presets[] = {
#include "presets.inc"
};

const char *nas_space_preset_name(uint32_t index) {
    return index < NI_COUNT(presets) ? presets[index].name : NULL;
}

const char *nas_space_preset_text(const char *name) {
    for (size_t i = 0; name && i < NI_COUNT(presets); i++)
        if (strcmp(presets[i].name, name) == 0) return presets[i].text;
    return NULL;
}

nas_status nas_space_preset(nas_space **out, nas_context *context, const char *name,
                            const char *const *overrides, size_t n_overrides) {
    NI_TRY(ni_enter(context));
    const char *text = nas_space_preset_text(name);
    if (!text) {
        const char *known[NI_COUNT(presets)];
        for (size_t i = 0; i < NI_COUNT(presets); i++)
            known[i] = presets[i].name;
        const char *near = ni_nearest(name ? name : "", known, NI_COUNT(presets));
        return ni_fail(context, NAS_E_NOT_FOUND, "there is no preset space '%.80s'%s%s%s",
                       name ? name : "", near ? "; did you mean '" : "", near ? near : "",
                       near ? "'?" : "");
    }
    return ni_space_from_yaml(out, context, text, strlen(text), name, overrides, n_overrides);
}

nas_status nas_space_parse(nas_space **out, nas_context *context, const char *text, size_t n,
                           const char *origin, const char *const *overrides, size_t n_overrides) {
    NI_TRY(ni_enter(context));
    if (!text) return ni_fail(context, NAS_E_INVALID, "a space needs a text");
    return ni_space_from_yaml(out, context, text, n, origin, overrides, n_overrides);
}

nas_status nas_space_open(nas_space **out, nas_context *context, const char *what,
                          const char *const *overrides, size_t n_overrides) {
    void *text;
    size_t n;
    NI_TRY(ni_enter(context));
    if (!what || !*what) return ni_fail(context, NAS_E_INVALID, "a space needs a name or a file");
    if (nas_space_preset_text(what))
        return nas_space_preset(out, context, what, overrides, n_overrides);
    if (!strchr(what, '/') && !strchr(what, '.') && !ni_file_exists(what))
        return nas_space_preset(out, context, what, overrides, n_overrides);
    NI_TRY(ni_file_read(context, what, 1 << 20, &text, &n));
    nas_status status = ni_space_from_yaml(out, context, text, n, what, overrides, n_overrides);
    ni_free(context, text);
    return status;
}
