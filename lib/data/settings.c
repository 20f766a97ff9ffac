/* The settings of a data set, as text. */
#include "internal.h"

#define ROW(member, kind) NI_OPTION(nas_dataset_options, member, kind)

nas_status nas_dataset_options_set(nas_context *context, nas_dataset_options *options,
                                   const char *setting) {
    static const ni_option_row rows[] = {
        ROW(validation, NI_OPTION_I64),   ROW(balanced, NI_OPTION_SWITCH),
        ROW(normalise, NI_OPTION_SWITCH), ROW(flip, NI_OPTION_SWITCH),
        ROW(crop_pad, NI_OPTION_I32),     ROW(cutout, NI_OPTION_I32),
        ROW(limit_train, NI_OPTION_I64),  ROW(limit_test, NI_OPTION_I64),
    };
    NI_TRY(ni_enter(context));
    return ni_option_set(context, "data", rows, NI_COUNT(rows), options, setting);
}
