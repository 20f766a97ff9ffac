/* The settings of a training: defaults, and as text. */
#include "nn.h"

void nas_train_options_init(nas_train_options *options) {
    const nas_train_options init = NAS_TRAIN_OPTIONS_INIT;
    *options = init;
}

#define ROW(member, kind) {#member, kind, offsetof(nas_train_options, member), NULL}

nas_status nas_train_options_set(nas_context *context, nas_train_options *options,
                                 const char *setting) {
    static const char *const optimizers[] = {"sgd", "adam", "adamw", NULL};
    static const char *const schedules[] = {"constant", "cosine", "one-cycle", NULL};
    static const ni_setting_row rows[] = {
        ROW(epochs, NI_SETTING_F64),
        ROW(batch, NI_SETTING_U32),
        {"optimizer", NI_SETTING_I32, offsetof(nas_train_options, optimizer), optimizers},
        ROW(learning_rate, NI_SETTING_F64),
        ROW(final_rate, NI_SETTING_F64),
        ROW(momentum, NI_SETTING_F64),
        ROW(beta2, NI_SETTING_F64),
        ROW(epsilon, NI_SETTING_F64),
        ROW(nesterov, NI_SETTING_I32),
        {"schedule", NI_SETTING_I32, offsetof(nas_train_options, schedule), schedules},
        ROW(warmup, NI_SETTING_F64),
        ROW(weight_decay, NI_SETTING_F64),
        ROW(decay_all, NI_SETTING_I32),
        ROW(label_smoothing, NI_SETTING_F64),
        ROW(clip, NI_SETTING_F64),
        ROW(dropout, NI_SETTING_F64),
        ROW(ema, NI_SETTING_F64),
        ROW(data_fraction, NI_SETTING_F64),
        ROW(validate, NI_SETTING_I32),
        ROW(use_validation, NI_SETTING_I32),
        ROW(max_seconds, NI_SETTING_I64),
        ROW(seed, NI_SETTING_U64),
    };
    NI_TRY(ni_enter(context));
    return ni_setting(context, "training", rows, NI_COUNT(rows), options, setting);
}
