/* Architectures as numbers, for what learns from them: one-hot, adjacency, paths. */
#include <inttypes.h>
#include <math.h>
#include "internal.h"

static double fraction(const ni_decision *d, const nas_value *value) {
    const nas_decision *a = &d->about;
    if (a->kind == NAS_DECISION_CHOICE)
        return a->n_alternatives > 1 ? (double)value->integer / (a->n_alternatives - 1) : 0;
    if (a->kind == NAS_DECISION_INTEGER)
        return a->high > a->low ? (double)(value->integer - a->low) / (double)(a->high - a->low)
                                : 0;
    if (a->log_scale)
        return (log(value->real) - log(a->real_low)) / (log(a->real_high) - log(a->real_low));
    return (value->real - a->real_low) / (a->real_high - a->real_low);
}

static nas_status room(const nas_space *s, size_t n, double *out, size_t capacity, size_t *needed) {
    if (needed) *needed = n;
    if (capacity >= n || (!out && capacity == 0)) return NAS_OK;
    return ni_fail(s->context, NAS_E_LIMIT,
                   "the encoding has %zu numbers, and there is room for %zu", n, capacity);
}

static nas_status encode_decisions(const nas_arch *arch, bool one_hot, double *out, size_t capacity,
                                   size_t *needed) {
    const nas_space *s = arch->space;
    size_t n = 0;
    for (size_t d = 0; d < s->decisions.n; d++) {
        const nas_decision *a = &s->decisions.items[d].about;
        n += one_hot && a->kind == NAS_DECISION_CHOICE ? a->n_alternatives : 1;
    }
    NI_TRY(room(s, n, out, capacity, needed));
    for (uint32_t d = 0; out && d < s->decisions.n; d++) {
        const ni_decision *decision = &s->decisions.items[d];
        bool active = ni_decision_active(s, arch->values, d);
        if (!one_hot || decision->about.kind != NAS_DECISION_CHOICE) {
            *out++ = active ? fraction(decision, &arch->values[d]) : 0;
            continue;
        }
        for (uint32_t k = 0; k < decision->about.n_alternatives; k++)
            *out++ = active && arch->values[d].integer == k;
    }
    return NAS_OK;
}

static nas_status encode_paths(const nas_arch *arch, double *out, size_t capacity, size_t *needed) {
    const nas_space *s = arch->space;
    uint64_t n = 0;
    nas_status status = s->template && s->template->ops->paths
                            ? s->template->ops->paths(arch, NULL, &n)
                            : NAS_E_UNSUPPORTED;
    if (status == NAS_E_UNSUPPORTED)
        return ni_fail(s->context, status, "%sspace '%s' has no cells whose paths could be encoded",
                       s->place, s->name);
    if (status == NAS_E_LIMIT)
        return ni_fail(s->context, status, "%scells of space '%s' have more than %d possible paths",
                       s->place, s->name, NI_PATHS_MOST);
    NI_TRY(status);
    NI_TRY(room(s, (size_t)n, out, capacity, needed));
    if (!out) return NAS_OK;
    uint8_t *set = ni_calloc(s->context, (size_t)n, 1);
    if (!set) return NAS_E_MEMORY;
    status = s->template->ops->paths(arch, set, &n);
    for (uint64_t i = 0; status >= 0 && i < n; i++)
        out[i] = set[i];
    ni_free(s->context, set);
    return status;
}

nas_status nas_arch_encode(const nas_arch *arch, int32_t encoding, double *out, size_t capacity,
                           size_t *needed) {
    NI_TRY(ni_enter(arch->space->context));
    switch (encoding) {
    case NAS_ENCODE_ONE_HOT:
        return encode_decisions(arch, true, out, capacity, needed);
    case NAS_ENCODE_ADJACENCY:
        return encode_decisions(arch, false, out, capacity, needed);
    case NAS_ENCODE_PATH:
        return encode_paths(arch, out, capacity, needed);
    default:
        return ni_fail(arch->space->context, NAS_E_INVALID,
                       "encoding %" PRId32 ": it must be 0, 1 or 2", encoding);
    }
}
