/* Settings of the controllers that learn, as texts. */
#include "learned.h"
#include <stddef.h>

#define REAL(type, member)  NI_OPTION(type, member, NI_OPTION_F64)
#define COUNT(type, member) NI_OPTION(type, member, NI_OPTION_U32)

static const char *const baselines[] = {"corrected", "first", "zero", NULL},
                         *const entropy_modes[] = {"reward", "regularizer", NULL},
                         *const surrogates[] = {"mlp", "lstm", NULL},
                         *const encodings[] = {"auto", "one-hot", "path", NULL};

#define POLICY_SETTINGS                                                                            \
    "decay = 0.9: of the baseline, 0 .. 0.999999\n"                                                \
    "entropy = 0: weight of the policy's entropy\n"                                                \
    "entropy_mode = reward: where the entropy is added: reward, regularizer\n"                     \
    "temperature = 1: logits are divided by it\n"                                                  \
    "tanh_constant = 0: c > 0: logits become c tanh(logit / temperature)\n"                        \
    "baseline = corrected: corrected (bias-corrected average with the reward in it), first "       \
    "(begins "                                                                                     \
    "at the first reward), zero (begins at 0)\n"                                                   \
    "batch = 1: results for an update, 1 .. 4096\n"                                                \
    "bins = 10: of a real, and of an integer of more values, 2 .. 4096\n"                          \
    "retries = 1000: samples drawn again where a constraint does not hold, 0 .. 1000000\n"

const char ni_reinforce_table_settings[] =
    "learning_rate = 0.05: of Adam\n"
    "init = 0.001: first logits are init * N(0, 1)\n" POLICY_SETTINGS;
nas_status ni_make_reinforce_table(nas_controller **out, const nas_space *space,
                                   const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {
        REAL(nas_reinforce_table_options, learning_rate),
        REAL(nas_reinforce_table_options, decay),
        REAL(nas_reinforce_table_options, entropy),
        REAL(nas_reinforce_table_options, temperature),
        REAL(nas_reinforce_table_options, tanh_constant),
        REAL(nas_reinforce_table_options, init),
        {"baseline", NI_OPTION_I32, offsetof(nas_reinforce_table_options, baseline), baselines, 0,
         0},
        {"entropy_mode", NI_OPTION_I32, offsetof(nas_reinforce_table_options, entropy_mode),
         entropy_modes, 0, 0},
        COUNT(nas_reinforce_table_options, batch),
        COUNT(nas_reinforce_table_options, bins),
        COUNT(nas_reinforce_table_options, retries)};
    nas_reinforce_table_options options = NAS_REINFORCE_TABLE_OPTIONS_INIT;
    for (size_t i = 0; i < n_settings; i++)
        NI_TRY(ni_option_set(ni_space_context(space), "controller 'reinforce-table'", rows,
                             NI_COUNT(rows), &options, settings[i]));
    return nas_controller_reinforce_table(out, space, &options);
}

const char ni_reinforce_settings_text[] =
    "learning_rate = 0.005: of Adam\n"
    "init = 0.08: weights are U(-init, init)\n"
    "units = 35: of each LSTM layer and of embeddings, 1 .. 4096\n"
    "layers = 1: of the LSTM, 1 .. 2\n" POLICY_SETTINGS;
nas_status ni_make_reinforce(nas_controller **out, const nas_space *space,
                             const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {
        REAL(nas_reinforce_options, learning_rate),
        REAL(nas_reinforce_options, decay),
        REAL(nas_reinforce_options, entropy),
        REAL(nas_reinforce_options, temperature),
        REAL(nas_reinforce_options, tanh_constant),
        REAL(nas_reinforce_options, init),
        {"baseline", NI_OPTION_I32, offsetof(nas_reinforce_options, baseline), baselines, 0, 0},
        {"entropy_mode", NI_OPTION_I32, offsetof(nas_reinforce_options, entropy_mode),
         entropy_modes, 0, 0},
        COUNT(nas_reinforce_options, batch),
        COUNT(nas_reinforce_options, bins),
        COUNT(nas_reinforce_options, retries),
        COUNT(nas_reinforce_options, units),
        COUNT(nas_reinforce_options, layers)};
    nas_reinforce_options options = NAS_REINFORCE_OPTIONS_INIT;
    for (size_t i = 0; i < n_settings; i++)
        NI_TRY(ni_option_set(ni_space_context(space), "controller 'reinforce'", rows,
                             NI_COUNT(rows), &options, settings[i]));
    return nas_controller_reinforce(out, space, &options);
}

const char ni_predictor_settings[] =
    "initial = 10: random networks first, 1 .. 1000000\n"
    "refit = 10: proposals from one fit, 1 .. 1000000\n"
    "candidates = 200: scored after each fit, 1 .. 1000000\n"
    "parents = 10: the best so far, which are mutated, 1 .. 1000000\n"
    "mutations = 2: of a candidate at most, 1 .. 1000\n"
    "members = 5: networks of the ensemble, 1 .. 64\n"
    "units = 32: of each hidden layer, 1 .. 4096\n"
    "layers = 2: hidden ones, 1 .. 8\n"
    "epochs = 40: of a fit, 1 .. 1000000\n"
    "batch = 32: rows of a step, 1 .. 4096\n"
    "encoding = one-hot: path, one-hot; auto: path where the space has paths, not too many\n"
    "learning_rate = 0.01: of Adam, falling to a tenth\n"
    "weight_decay = 0.01: decoupled\n"
    "random_share = 0.3: of candidates that are random samples, 0 .. 1\n";
nas_status ni_make_predictor(nas_controller **out, const nas_space *space,
                             const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {
        COUNT(nas_predictor_options, initial),
        COUNT(nas_predictor_options, refit),
        COUNT(nas_predictor_options, candidates),
        COUNT(nas_predictor_options, parents),
        COUNT(nas_predictor_options, mutations),
        COUNT(nas_predictor_options, members),
        COUNT(nas_predictor_options, units),
        COUNT(nas_predictor_options, layers),
        COUNT(nas_predictor_options, epochs),
        COUNT(nas_predictor_options, batch),
        {"encoding", NI_OPTION_I32, offsetof(nas_predictor_options, encoding), encodings, 0, 0},
        REAL(nas_predictor_options, learning_rate),
        REAL(nas_predictor_options, weight_decay),
        REAL(nas_predictor_options, random_share)};
    nas_predictor_options options = NAS_PREDICTOR_OPTIONS_INIT;
    for (size_t i = 0; i < n_settings; i++)
        NI_TRY(ni_option_set(ni_space_context(space), "controller 'predictor'", rows,
                             NI_COUNT(rows), &options, settings[i]));
    return nas_controller_predictor(out, space, &options);
}

const char ni_progressive_settings[] =
    "beam = 32: networks tried and extended at each level, 1 .. 1000000\n"
    "level = 0: decisions of a level; 0: by their names, up to the last dot\n"
    "base = first: what is undecided yet, an architecture's text; first: first alternatives\n"
    "surrogate = mlp: mlp (embeddings averaged over blocks), lstm\n"
    "members = 5: networks of the ensemble, 1 .. 64\n"
    "embedding = 32: units, 1 .. 4096\n"
    "units = 32: of hidden layers, 1 .. 4096\n"
    "epochs = 60: of a fit, 1 .. 1000000\n"
    "batch = 16: rows of a step, 1 .. 4096\n"
    "bins = 10: of a real, and of an integer of more values, 2 .. 4096\n"
    "probes = 0: extensions tried besides, drawn uniformly, that the surrogate is measured by\n"
    "learning_rate = 0.01: of Adam, falling to a tenth\n";
nas_status ni_make_progressive(nas_controller **out, const nas_space *space,
                               const char *const *settings, size_t n_settings) {
    static const ni_option_row rows[] = {COUNT(nas_progressive_options, beam),
                                         COUNT(nas_progressive_options, level),
                                         COUNT(nas_progressive_options, members),
                                         COUNT(nas_progressive_options, embedding),
                                         COUNT(nas_progressive_options, units),
                                         COUNT(nas_progressive_options, epochs),
                                         COUNT(nas_progressive_options, batch),
                                         COUNT(nas_progressive_options, bins),
                                         COUNT(nas_progressive_options, probes),
                                         {"surrogate", NI_OPTION_I32,
                                          offsetof(nas_progressive_options, surrogate), surrogates,
                                          0, 0},
                                         REAL(nas_progressive_options, learning_rate)};
    nas_progressive_options options = NAS_PROGRESSIVE_OPTIONS_INIT;
    for (size_t i = 0; i < n_settings; i++)
        if (settings[i] && !strncmp(settings[i], "base=", 5))
            options.base = strcmp(settings[i] + 5, "first") ? settings[i] + 5 : NULL;
        else
            NI_TRY(ni_option_set(ni_space_context(space), "controller 'progressive'", rows,
                                 NI_COUNT(rows), &options, settings[i]));
    return nas_controller_progressive(out, space, &options);
}
