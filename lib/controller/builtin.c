/* Controllers by name, with their settings as texts. */
#include "controller.h"
#include <stddef.h>

nas_status ni_setting_same(nas_context *context, const char *controller, const char *name,
                           uint64_t kept, uint64_t now) {
    if (kept == now) return NAS_OK;
    return ni_fail(context, NAS_E_STATE,
                   "controller \"%s\": %s was %llu when its state was saved, and is %llu now",
                   controller, name, (unsigned long long)kept, (unsigned long long)now);
}

/* ---- the list ------------------------------------------------------------------------------- */

static nas_status apply(nas_context *context, const char *what, const ni_option_row *rows, size_t n,
                        void *options, const char *const *settings, size_t n_settings) {
    for (size_t i = 0; i < n_settings; i++)
        NI_TRY(ni_option_set(context, what, rows, n, options, settings[i]));
    return NAS_OK;
}

#define SWITCH(type, member) NI_OPTION(type, member, NI_OPTION_SWITCH)
#define COUNT(type, member, low, high)                                                             \
    { #member, NI_OPTION_U32, offsetof(type, member), NULL, low, high }

static nas_status make_random(nas_controller **out, const nas_space *space,
                              const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {SWITCH(nas_random_options, replacement)};
    nas_random_options options = NAS_RANDOM_OPTIONS_INIT;
    NI_TRY(apply(ni_space_context(space), "controller 'random'", rows, NI_COUNT(rows), &options,
                 settings, n_settings));
    return nas_controller_random(out, space, &options);
}

static nas_status make_evolution(nas_controller **out, const nas_space *space,
                                 const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {COUNT(nas_evolution_options, population, 1, 1000000),
                                         COUNT(nas_evolution_options, sample, 1, 1000000),
                                         SWITCH(nas_evolution_options, replacement),
                                         SWITCH(nas_evolution_options, distinct),
                                         COUNT(nas_evolution_options, retries, 0, 1000000),
                                         COUNT(nas_evolution_options, mutations, 1, 1000)};
    nas_evolution_options options = NAS_EVOLUTION_OPTIONS_INIT;
    NI_TRY(apply(ni_space_context(space), "controller 'evolution'", rows, NI_COUNT(rows), &options,
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
