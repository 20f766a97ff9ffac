/* Settings of the controllers in bands: checks, and what a saved state says of them. */
#include "bands.h"

nas_status ni_switch_check(nas_context *context, const char *name, int32_t value) {
    if (value == 0 || value == 1) return NAS_OK;
    return ni_fail(context, NAS_E_INVALID, "%s is %d, must be 0 or 1", name, value);
}

nas_status ni_format_same(nas_context *context, const char *controller, nas_reader *from,
                          uint64_t format) {
    uint64_t kept;
    NI_TRY(nas_read_u64(from, &kept));
    if (kept == format) return NAS_OK;
    return ni_fail(context, NAS_E_VERSION, "%s: state of format %llu, this library reads %llu",
                   controller, (unsigned long long)kept, (unsigned long long)format);
}

nas_status ni_settings_same(nas_context *context, const char *controller, nas_reader *from,
                            const char *const *names, const uint64_t *now, size_t n) {
    uint64_t kept;
    for (size_t i = 0; i < n; i++) {
        NI_TRY(nas_read_u64(from, &kept));
        NI_TRY(ni_setting_same(context, controller, names[i], kept, now[i]));
    }
    return NAS_OK;
}

nas_status ni_setting_same_real(nas_context *context, const char *controller, const char *name,
                                nas_reader *from, double now) {
    char a[NI_NUMBER_TEXT], b[NI_NUMBER_TEXT];
    double kept;
    NI_TRY(nas_read_f64(from, &kept));
    if (kept == now) return NAS_OK;
    return ni_fail(context, NAS_E_STATE,
                   "controller \"%s\": %s was %s when its state was saved, and is %s now",
                   controller, name, ni_f64_text(a, kept), ni_f64_text(b, now));
}
