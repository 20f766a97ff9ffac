/* Controllers by name, with their settings as texts. */
#include "controller.h"
#include <stddef.h>

/* ---- settings
 * ----------------------------------------------------------------------------------------- */

static bool parse_switch(const char *text, int32_t *out) {
    static const char *const yes[] = {"1", "yes", "true", "on"}, *const no[] = {"0", "no", "false",
                                                                                "off"};
    for (size_t i = 0; i < NI_COUNT(yes); i++) {
        if (!strcmp(text, yes[i])) return *out = 1, true;
        if (!strcmp(text, no[i])) return *out = 0, true;
    }
    return false;
}

static nas_status apply(nas_context *context, const char *controller, void *options,
                        const ni_setting *known, size_t n_known, const char *setting) {
    const char *equals = setting ? strchr(setting, '=') : NULL;
    if (equals == NULL || equals == setting)
        return ni_fail(context, NAS_E_INVALID,
                       "controller \"%s\": setting \"%s\" is not name=value", controller,
                       setting ? setting : "");
    size_t n_name = (size_t)(equals - setting);
    const char *value = equals + 1, *names[16];
    for (size_t i = 0; i < n_known; i++) {
        unsigned char *to = (unsigned char *)options + known[i].offset;
        names[i] = known[i].name;
        if (strlen(known[i].name) != n_name || memcmp(known[i].name, setting, n_name)) continue;
        if (known[i].kind == NI_SETTING_SWITCH) {
            int32_t on;
            if (!parse_switch(value, &on))
                return ni_fail(context, NAS_E_INVALID,
                               "controller \"%s\": %s is \"%s\", must be yes or no", controller,
                               known[i].name, value);
            memcpy(to, &on, sizeof on);
            return NAS_OK;
        }
        uint64_t number;
        if (!ni_parse_u64(value, strlen(value), &number) || number < known[i].low ||
            number > known[i].high)
            return ni_fail(context, NAS_E_INVALID,
                           "controller \"%s\": %s is \"%s\", must be a whole number in %u .. %u",
                           controller, known[i].name, value, known[i].low, known[i].high);
        uint32_t count = (uint32_t)number;
        memcpy(to, &count, sizeof count);
        return NAS_OK;
    }
    char wrong[64];
    if (n_name > sizeof wrong - 1) n_name = sizeof wrong - 1;
    memcpy(wrong, setting, n_name);
    wrong[n_name] = 0;
    const char *near = ni_nearest(wrong, names, n_known);
    return ni_fail(context, NAS_E_NOT_FOUND,
                   near ? "controller \"%s\" has no setting \"%s\"; did you mean \"%s\"?"
                        : "controller \"%s\" has no setting \"%s\"%s",
                   controller, wrong, near ? near : "");
}

nas_status ni_settings_apply(nas_context *context, const char *controller, void *options,
                             const ni_setting *known, size_t n_known, const char *const *settings,
                             size_t n_settings) {
    for (size_t i = 0; i < n_settings; i++)
        NI_TRY(apply(context, controller, options, known, n_known, settings[i]));
    return NAS_OK;
}

nas_status ni_setting_same(nas_context *context, const char *controller, const char *name,
                           uint64_t kept, uint64_t now) {
    if (kept == now) return NAS_OK;
    return ni_fail(context, NAS_E_STATE,
                   "controller \"%s\": %s was %llu when its state was saved, and is %llu now",
                   controller, name, (unsigned long long)kept, (unsigned long long)now);
}

/* ---- the list
 * --------------------------------------------------------------------------------------------- */

#define AT(type, member) (uint32_t) offsetof(type, member)

static nas_status make_random(nas_controller **out, const nas_space *space,
                              const char *const *settings, size_t n_settings) {
    static const ni_setting known[] = {
        {"replacement", NI_SETTING_SWITCH, AT(nas_random_options, replacement), 0, 1}};
    nas_random_options options = NAS_RANDOM_OPTIONS_INIT;
    NI_TRY(ni_settings_apply(ni_space_context(space), "random", &options, known, NI_COUNT(known),
                             settings, n_settings));
    return nas_controller_random(out, space, &options);
}

static nas_status make_evolution(nas_controller **out, const nas_space *space,
                                 const char *const *settings, size_t n_settings) {
    static const ni_setting known[] = {
        {"population", NI_SETTING_COUNT, AT(nas_evolution_options, population), 1, 1000000},
        {"sample", NI_SETTING_COUNT, AT(nas_evolution_options, sample), 1, 1000000},
        {"replacement", NI_SETTING_SWITCH, AT(nas_evolution_options, replacement), 0, 1},
        {"distinct", NI_SETTING_SWITCH, AT(nas_evolution_options, distinct), 0, 1},
        {"retries", NI_SETTING_COUNT, AT(nas_evolution_options, retries), 0, 1000000},
        {"mutations", NI_SETTING_COUNT, AT(nas_evolution_options, mutations), 1, 1000}};
    nas_evolution_options options = NAS_EVOLUTION_OPTIONS_INIT;
    NI_TRY(ni_settings_apply(ni_space_context(space), "evolution", &options, known, NI_COUNT(known),
                             settings, n_settings));
    bool sample_given = false;
    for (size_t i = 0; i < n_settings; i++)
        sample_given |= !strncmp(settings[i], "sample=", 7);
    if (!sample_given && options.sample > options.population) options.sample = options.population;
    return nas_controller_evolution(out, space, &options);
}

static const struct {
    const char *name, *settings;
    nas_status (*make)(nas_controller **out, const nas_space *space, const char *const *settings,
                       size_t n_settings);
} builtin[] = {
    {"random",
     "replacement = yes: may propose a network again; no: never while others are left, and done "
     "when all were tried\n",
     make_random},
    {"evolution",
     "population = 100: individuals alive at once, 1 .. 1000000\n"
     "sample = 25: drawn for each parent, 1 .. population (its default is at most that)\n"
     "replacement = yes: the sample may hold an individual more than once\n"
     "distinct = no: draw a network that was proposed before again, up to retries times\n"
     "retries = 100: see distinct, 0 .. 1000000\n"
     "mutations = 1: decisions changed in a child, 1 .. 1000\n",
     make_evolution},
};

const char *nas_controller_builtin(uint32_t index) {
    return index < NI_COUNT(builtin) ? builtin[index].name : NULL;
}

const char *nas_controller_settings(const char *name) {
    for (size_t i = 0; name && i < NI_COUNT(builtin); i++)
        if (!strcmp(builtin[i].name, name)) return builtin[i].settings;
    return NULL;
}

nas_status nas_controller_named(nas_controller **out, const nas_space *space, const char *name,
                                const char *const *settings, size_t n_settings) {
    nas_context *context = ni_space_context(space);
    const char *names[NI_COUNT(builtin)];
    NI_TRY(ni_enter(context));
    if (name == NULL) return ni_fail(context, NAS_E_INVALID, "the controller's name is NULL");
    for (size_t i = 0; i < NI_COUNT(builtin); i++) {
        names[i] = builtin[i].name;
        if (!strcmp(builtin[i].name, name))
            return builtin[i].make(out, space, settings, n_settings);
    }
    const char *near = ni_nearest(name, names, NI_COUNT(names));
    return ni_fail(context, NAS_E_NOT_FOUND,
                   near ? "no controller is named \"%s\"; did you mean \"%s\"?"
                        : "no controller is named \"%s\"; there are random and evolution%s",
                   name, near ? near : "");
}
