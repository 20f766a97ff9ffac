/* Controllers by name, with their settings as texts. */
#include "controller.h"
#include "learned.h"
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
#define TEXT(type, member) NI_OPTION(type, member, NI_OPTION_TEXT)
#define REAL(type, member) NI_OPTION(type, member, NI_OPTION_F64)

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
    static const char *const deaths[] = {"oldest", "worst", "loser", NULL};
    static const ni_option_row rows[] = {COUNT(nas_evolution_options, population, 1, 1000000),
                                         COUNT(nas_evolution_options, sample, 1, 1000000),
                                         SWITCH(nas_evolution_options, replacement),
                                         SWITCH(nas_evolution_options, distinct),
                                         COUNT(nas_evolution_options, retries, 0, 1000000),
                                         COUNT(nas_evolution_options, mutations, 1, 1000),
                                         {.name = "death",
                                          .kind = NI_OPTION_I32,
                                          .offset = offsetof(nas_evolution_options, death),
                                          .names = deaths},
                                         TEXT(nas_evolution_options, mutation)};
    nas_evolution_options options = NAS_EVOLUTION_OPTIONS_INIT;
    NI_TRY(apply(ni_space_context(space), "controller 'evolution'", rows, NI_COUNT(rows), &options,
                 settings, n_settings));
    bool sample_given = false;
    for (size_t i = 0; i < n_settings; i++)
        sample_given |= !strncmp(settings[i], "sample=", 7);
    if (!sample_given && options.sample > options.population) options.sample = options.population;
    return nas_controller_evolution(out, space, &options);
}

/* Settings of the bands, which have real numbers among them. */
static nas_status set_all(const nas_space *space, const char *what, const ni_option_row *rows,
                          size_t n_rows, void *options, const char *const *settings,
                          size_t n_settings) {
    for (size_t i = 0; i < n_settings; i++)
        NI_TRY(ni_option_set(ni_space_context(space), what, rows, n_rows, options, settings[i]));
    return NAS_OK;
}

#define ROW(type, kind, member) NI_OPTION(type, member, NI_OPTION_##kind)

static nas_status make_halving(nas_controller **out, const nas_space *space,
                               const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {
        ROW(nas_halving_options, F64, min_epochs),  ROW(nas_halving_options, F64, max_epochs),
        ROW(nas_halving_options, U32, eta),         ROW(nas_halving_options, U32, candidates),
        ROW(nas_halving_options, U32, brackets),    ROW(nas_halving_options, SWITCH, overlap),
        ROW(nas_halving_options, SWITCH, continues)};
    nas_halving_options options = NAS_HALVING_OPTIONS_INIT;
    NI_TRY(set_all(space, "controller \"halving\"", rows, NI_COUNT(rows), &options, settings,
                   n_settings));
    return nas_controller_halving(out, space, &options);
}

static nas_status make_asha(nas_controller **out, const nas_space *space,
                            const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {
        ROW(nas_asha_options, F64, min_epochs), ROW(nas_asha_options, F64, max_epochs),
        ROW(nas_asha_options, U32, eta), ROW(nas_asha_options, U32, candidates),
        ROW(nas_asha_options, SWITCH, continues)};
    nas_asha_options options = NAS_ASHA_OPTIONS_INIT;
    NI_TRY(set_all(space, "controller \"asha\"", rows, NI_COUNT(rows), &options, settings,
                   n_settings));
    return nas_controller_asha(out, space, &options);
}

static nas_status make_hyperband(nas_controller **out, const nas_space *space,
                                 const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {
        ROW(nas_hyperband_options, F64, min_epochs),  ROW(nas_hyperband_options, F64, max_epochs),
        ROW(nas_hyperband_options, U32, eta),         ROW(nas_hyperband_options, U32, brackets),
        ROW(nas_hyperband_options, SWITCH, original), ROW(nas_hyperband_options, SWITCH, overlap),
        ROW(nas_hyperband_options, SWITCH, continues)};
    nas_hyperband_options options = NAS_HYPERBAND_OPTIONS_INIT;
    NI_TRY(set_all(space, "controller \"hyperband\"", rows, NI_COUNT(rows), &options, settings,
                   n_settings));
    return nas_controller_hyperband(out, space, &options);
}

static nas_status make_bohb(nas_controller **out, const nas_space *space,
                            const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {ROW(nas_bohb_options, F64, min_epochs),
                                         ROW(nas_bohb_options, F64, max_epochs),
                                         ROW(nas_bohb_options, U32, eta),
                                         ROW(nas_bohb_options, U32, brackets),
                                         ROW(nas_bohb_options, SWITCH, original),
                                         ROW(nas_bohb_options, SWITCH, overlap),
                                         ROW(nas_bohb_options, SWITCH, continues),
                                         ROW(nas_bohb_options, F64, random_fraction),
                                         ROW(nas_bohb_options, F64, bandwidth_factor),
                                         ROW(nas_bohb_options, F64, min_bandwidth),
                                         ROW(nas_bohb_options, U32, min_points),
                                         ROW(nas_bohb_options, U32, top_percent),
                                         ROW(nas_bohb_options, U32, samples),
                                         ROW(nas_bohb_options, SWITCH, ordinal),
                                         ROW(nas_bohb_options, SWITCH, repeats)};
    nas_bohb_options options = NAS_BOHB_OPTIONS_INIT;
    NI_TRY(set_all(space, "controller \"bohb\"", rows, NI_COUNT(rows), &options, settings,
                   n_settings));
    return nas_controller_bohb(out, space, &options);
}

static nas_status make_exhaustive(nas_controller **out, const nas_space *space,
                                  const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {NI_OPTION(nas_exhaustive_options, first, NI_OPTION_U64),
                                         SWITCH(nas_exhaustive_options, distinct)};
    nas_exhaustive_options options = NAS_EXHAUSTIVE_OPTIONS_INIT;
    NI_TRY(apply(ni_space_context(space), "controller 'exhaustive'", rows, NI_COUNT(rows), &options,
                 settings, n_settings));
    return nas_controller_exhaustive(out, space, &options);
}

static nas_status make_local_search(nas_controller **out, const nas_space *space,
                                    const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {COUNT(nas_local_search_options, initial, 1, 1000000),
                                         SWITCH(nas_local_search_options, whole),
                                         SWITCH(nas_local_search_options, distinct)};
    nas_local_search_options options = NAS_LOCAL_SEARCH_OPTIONS_INIT;
    NI_TRY(apply(ni_space_context(space), "controller 'local-search'", rows, NI_COUNT(rows),
                 &options, settings, n_settings));
    return nas_controller_local_search(out, space, &options);
}

static nas_status make_nsga2(nas_controller **out, const nas_space *space,
                             const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {COUNT(nas_nsga2_options, population, 2, 100000),
                                         SWITCH(nas_nsga2_options, distinct),
                                         COUNT(nas_nsga2_options, retries, 0, 1000000),
                                         REAL(nas_nsga2_options, crossover),
                                         REAL(nas_nsga2_options, mutation),
                                         TEXT(nas_nsga2_options, objectives)};
    nas_nsga2_options options = NAS_NSGA2_OPTIONS_INIT;
    NI_TRY(apply(ni_space_context(space), "controller 'nsga2'", rows, NI_COUNT(rows), &options,
                 settings, n_settings));
    return nas_controller_nsga2(out, space, &options);
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
     "mutations = 1: mutations between parent and child, 1 .. 1000\n"
     "death = oldest: who dies when one is born: oldest, worst, or loser of a sample\n"
     "mutation = uniform: or nas-bench-101, nas-bench-201, amoebanet, in spaces of their kind\n",
     make_evolution},
    {"halving",
     "min_epochs = 1: least training of a candidate\n"
     "max_epochs = 27: most; rungs are max_epochs / eta^k\n"
     "eta = 3: one of so many is promoted, 2 .. 1000\n"
     "candidates = 0: of the first rung; 0: eta^(rungs - 1)\n"
     "brackets = 0: so many, then it is done; 0: until the budget ends\n"
     "overlap = yes: the next bracket begins while a rung waits; no: nothing is proposed\n"
     "continues = yes: promotions go on from weights; no: they train anew\n",
     make_halving},
    {"asha",
     "min_epochs = 1: least training of a candidate\n"
     "max_epochs = 27: most; rungs are max_epochs / eta^k\n"
     "eta = 3: one of so many is promoted, 2 .. 1000\n"
     "candidates = 0: sampled in all; 0: until the budget ends\n"
     "continues = yes: promotions go on from weights; no: they train anew\n",
     make_asha},
    {"hyperband",
     "min_epochs = 1: least training of a candidate\n"
     "max_epochs = 27: most; rungs are max_epochs / eta^k\n"
     "eta = 3: one of so many is promoted, 2 .. 1000\n"
     "brackets = 0: so many, then it is done; 0: until the budget ends\n"
     "original = no: sizes of HpBandSter; yes: of Li et al.\n"
     "overlap = yes: the next bracket begins while a rung waits; no: nothing is proposed\n"
     "continues = yes: promotions go on from weights; no: they train anew\n",
     make_hyperband},
    {"bohb",
     "min_epochs = 1: least training of a candidate\n"
     "max_epochs = 27: most; rungs are max_epochs / eta^k\n"
     "eta = 3: one of so many is promoted, 2 .. 1000\n"
     "brackets = 0: so many, then it is done; 0: until the budget ends\n"
     "original = no: sizes of HpBandSter; yes: of Li et al.\n"
     "overlap = yes: the next bracket begins while a rung waits; no: nothing is proposed\n"
     "continues = yes: promotions go on from weights; no: they train anew\n"
     "random_fraction = 0.3333333333333333: of the candidates, sampled; 1: Hyperband\n"
     "bandwidth_factor = 3: proposals are so much wider than the density\n"
     "min_bandwidth = 1e-3: of the densities, in 0 .. 1\n"
     "min_points = 0: rows of each density; at least decisions + 1\n"
     "top_percent = 15: of the results are the good ones\n"
     "samples = 64: drawn for a proposal\n"
     "ordinal = yes: a choice among rising numbers is ordered; no: categorical\n"
     "repeats = no: the model proposes no network that was proposed before\n",
     make_bohb},
    {"exhaustive",
     "first = 0: index of the architecture to begin with\n"
     "distinct = no: of isomorphic networks the first alone\n",
     make_exhaustive},
    {"local-search",
     "initial = 1: random networks that a climb begins with the best of, 1 .. 1000000\n"
     "whole = no: on from the first neighbour that is better; yes: from the best of all\n"
     "distinct = yes: of isomorphic networks one is evaluated, and counts for all\n",
     make_local_search},
    {"nsga2",
     "population = 50: parents, and children of a generation, 2 .. 100000\n"
     "distinct = yes: draw a network that was proposed before again, up to retries times\n"
     "retries = 100: see distinct, 0 .. 1000000\n"
     "crossover = 0.9: probability that a child has two parents\n"
     "mutation = 1: probability that a child of two parents is mutated\n"
     "objectives = accuracy,-params: metrics, - before those that are to be small\n",
     make_nsga2},
    {"reinforce-table", ni_reinforce_table_settings, ni_make_reinforce_table},
    {"reinforce", ni_reinforce_settings_text, ni_make_reinforce},
    {"predictor", ni_predictor_settings, ni_make_predictor},
    {"progressive", ni_progressive_settings, ni_make_progressive},
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
    if (near)
        return ni_fail(context, NAS_E_NOT_FOUND,
                       "no controller is named \"%s\"; did you mean \"%s\"?", name, near);
    char all[256] = "";
    for (size_t i = 0; i < NI_COUNT(names); i++)
        if (strlen(all) + strlen(names[i]) + 6 < sizeof all) {
            if (i) strcat(all, i + 1 < NI_COUNT(names) ? ", " : " and ");
            strcat(all, names[i]);
        }
    return ni_fail(context, NAS_E_NOT_FOUND, "no controller is named \"%s\"; there are %s", name,
                   all);
}
