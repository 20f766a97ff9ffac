/* Settings as text, "name=value", into the members of an options struct, by a table. */
#include <inttypes.h>
#include "core.h"

static void list_names(char *buffer, size_t capacity, const char *const *names) {
    size_t n = 0;
    buffer[0] = 0;
    for (; *names; names++) {
        size_t length = strlen(*names);
        if (n + length + 3 > capacity) return;
        if (n) buffer[n++] = ',', buffer[n++] = ' ';
        memcpy(buffer + n, *names, length + 1);
        n += length;
    }
}

static bool truth(const char *text, int64_t *out) {
    static const char *const texts[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (int i = 0; i < 8; i++)
        if (strcmp(text, texts[i]) == 0) return *out = i % 2, true;
    return false;
}

nas_status ni_option_set(nas_context *context, const char *what, const ni_option_row *rows,
                         size_t n, void *options, const char *setting) {
    char name[64];
    const char *equals = setting ? strchr(setting, '=') : NULL;
    if (!equals || equals == setting || (size_t)(equals - setting) >= sizeof name)
        return ni_fail(context, NAS_E_INVALID, "%s: setting '%.80s' is not 'name=value'", what,
                       setting ? setting : "");
    memcpy(name, setting, (size_t)(equals - setting));
    name[equals - setting] = 0;
    const ni_option_row *row = NULL;
    const char *known[64];
    for (size_t i = 0; i < n && i < 64; i++) {
        known[i] = rows[i].name;
        if (strcmp(rows[i].name, name) == 0) row = &rows[i];
    }
    if (!row) {
        const char *near = ni_nearest(name, known, n < 64 ? n : 64);
        return ni_fail(context, NAS_E_NOT_FOUND, "%s has no setting '%s'%s%s%s", what, name,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    const char *value = equals + 1;
    char *to = (char *)options + row->offset;
    int64_t whole = 0;
    double real = 0;
    bool good = true;
    if (row->names) {
        char all[256];
        for (whole = 0; row->names[whole] && strcmp(row->names[whole], value) != 0; whole++) {}
        list_names(all, sizeof all, row->names);
        if (!row->names[whole])
            return ni_fail(context, NAS_E_INVALID, "%s: %s cannot be '%.60s'; it is one of %s",
                           what, name, value, all);
    } else if (row->kind == NI_OPTION_TEXT) {
        memcpy(to, &value, sizeof value);
        return NAS_OK;
    } else if (row->kind == NI_OPTION_SWITCH) {
        if (!truth(value, &whole))
            return ni_fail(context, NAS_E_INVALID, "%s: %s is '%.60s' and must be yes or no", what,
                           name, value);
    } else if (row->kind == NI_OPTION_F64) {
        good = ni_parse_f64(value, strlen(value), &real);
    } else if (row->kind == NI_OPTION_U64) {
        uint64_t natural;
        good = ni_parse_u64(value, strlen(value), &natural);
        if (good) memcpy(&whole, &natural, sizeof whole);
    } else {
        /* some were a switch before they got a third state */
        good = ni_parse_i64(value, strlen(value), &whole) ||
               (row->kind == NI_OPTION_I32 && truth(value, &whole));
    }
    if (row->low < row->high && !(good && whole >= row->low && whole <= row->high))
        return ni_fail(context, NAS_E_INVALID,
                       "%s: %s is '%.60s' and must be a whole number in %" PRId64 " .. %" PRId64,
                       what, name, value, row->low, row->high);
    if (good && row->kind == NI_OPTION_I32) good = whole >= INT32_MIN && whole <= INT32_MAX;
    if (good && row->kind == NI_OPTION_U32) good = whole >= 0 && whole <= UINT32_MAX;
    if (!good)
        return ni_fail(context, NAS_E_INVALID, "%s: %s = '%.60s' is not a number that it can have",
                       what, name, value);
    switch (row->kind) {
    case NI_OPTION_TEXT:
        break;
    case NI_OPTION_F64:
        memcpy(to, &real, sizeof real);
        break;
    case NI_OPTION_I64:
    case NI_OPTION_U64:
        memcpy(to, &whole, sizeof whole);
        break;
    case NI_OPTION_SWITCH:
    case NI_OPTION_I32: {
        int32_t narrow = (int32_t)whole;
        memcpy(to, &narrow, sizeof narrow);
        break;
    }
    case NI_OPTION_U32: {
        uint32_t narrow = (uint32_t)whole;
        memcpy(to, &narrow, sizeof narrow);
        break;
    }
    }
    return NAS_OK;
}
