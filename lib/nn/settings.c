/* The settings of a training: defaults, and as text. */
#include "nn.h"

void nas_train_options_init(nas_train_options *options) {
    const nas_train_options init = NAS_TRAIN_OPTIONS_INIT;
    *options = init;
}

#define ROW(member, kind) NI_OPTION(nas_train_options, member, kind)

nas_status nas_train_options_set(nas_context *context, nas_train_options *options,
                                 const char *setting) {
    static const char *const optimizers[] = {"sgd", "adam", "adamw", NULL};
    static const char *const schedules[] = {"constant", "cosine", "one-cycle", NULL};
    static const ni_option_row rows[] = {
        ROW(epochs, NI_OPTION_F64),
        ROW(batch, NI_OPTION_U32),
        {"optimizer", NI_OPTION_I32, offsetof(nas_train_options, optimizer), optimizers, 0, 0},
        ROW(learning_rate, NI_OPTION_F64),
        ROW(final_rate, NI_OPTION_F64),
        ROW(momentum, NI_OPTION_F64),
        ROW(beta2, NI_OPTION_F64),
        ROW(epsilon, NI_OPTION_F64),
        ROW(nesterov, NI_OPTION_SWITCH),
        {"schedule", NI_OPTION_I32, offsetof(nas_train_options, schedule), schedules, 0, 0},
        ROW(warmup, NI_OPTION_F64),
        ROW(weight_decay, NI_OPTION_F64),
        ROW(decay_all, NI_OPTION_SWITCH),
        ROW(label_smoothing, NI_OPTION_F64),
        ROW(clip, NI_OPTION_F64),
        ROW(dropout, NI_OPTION_F64),
        ROW(drop_path, NI_OPTION_F64),
        ROW(ema, NI_OPTION_F64),
        ROW(data_fraction, NI_OPTION_F64),
        ROW(validate, NI_OPTION_I32),
        ROW(use_validation, NI_OPTION_SWITCH),
        ROW(max_seconds, NI_OPTION_I64),
        ROW(seed, NI_OPTION_U64),
        ROW(memory_limit, NI_OPTION_U64),
    };
    NI_TRY(ni_enter(context));
    return ni_option_set(context, "training", rows, NI_COUNT(rows), options, setting);
}
