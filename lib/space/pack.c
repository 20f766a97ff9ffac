/* Architectures as bits: for each decision that applies the number of its value, in as many bits as
 * its values need; a real number in 64. A decision depends on earlier ones alone, so that a reader
 * knows from what it has read which one is next. */
#include "internal.h"

typedef struct {
    unsigned char *bytes;
    size_t at; /* bits written; with bytes NULL they are only counted */
} ni_bits;

static unsigned bits_of(const nas_decision *about) {
    if (about->kind == NAS_DECISION_REAL) return 64;
    uint32_t most = about->n_alternatives ? about->n_alternatives - 1 : 0;
    return most ? 32 - (unsigned)__builtin_clz(most) : 0;
}

static void put(ni_bits *to, uint64_t value, unsigned n) {
    for (unsigned done = 0; to->bytes && done < n;) {
        size_t byte = (to->at + done) / 8;
        unsigned shift = (unsigned)((to->at + done) % 8);
        unsigned take = 8 - shift < n - done ? 8 - shift : n - done;
        unsigned part = (unsigned)(value >> done) & ((1u << take) - 1);
        if (shift == 0) to->bytes[byte] = 0;
        to->bytes[byte] = (unsigned char)(to->bytes[byte] | part << shift);
        done += take;
    }
    to->at += n;
}

static uint64_t get(const unsigned char *bytes, size_t at, unsigned n) {
    uint64_t value = 0;
    for (unsigned done = 0; done < n;) {
        unsigned shift = (unsigned)((at + done) % 8);
        unsigned take = 8 - shift < n - done ? 8 - shift : n - done;
        value |= (uint64_t)(bytes[(at + done) / 8] >> shift & ((1u << take) - 1)) << done;
        done += take;
    }
    return value;
}

static void pack(const nas_arch *arch, ni_bits *to) {
    const nas_space *s = arch->space;
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        const nas_decision *a = &s->decisions.items[d].about;
        const nas_value *value = &arch->values[d];
        uint64_t code;
        if (!ni_decision_active(s, arch->values, d)) continue;
        if (a->kind == NAS_DECISION_REAL)
            memcpy(&code, &value->real, sizeof code);
        else if (a->kind == NAS_DECISION_INTEGER)
            code = (uint64_t)((value->integer - a->low) / a->step);
        else
            code = (uint64_t)value->integer;
        put(to, code, bits_of(a));
    }
}

size_t ni_arch_packed(const nas_arch *arch) {
    ni_bits count = {NULL, 0};
    pack(arch, &count);
    return (count.at + 7) / 8;
}

void ni_arch_pack(const nas_arch *arch, unsigned char *out) {
    ni_bits to = {out, 0};
    pack(arch, &to);
}

const nas_value *ni_arch_values(const nas_arch *arch) {
    return arch->values;
}

static nas_status unpack(const nas_space *s, const unsigned char *bytes, size_t n,
                         nas_value *values) {
    size_t at = 0;
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        const nas_decision *a = &s->decisions.items[d].about;
        unsigned bits = bits_of(a);
        if (!ni_decision_active(s, values, d)) continue;
        if (at + bits > 8 * n)
            return ni_fail(s->context, NAS_E_CORRUPT, "a packed architecture is too short");
        uint64_t code = get(bytes, at, bits);
        at += bits;
        if (a->kind == NAS_DECISION_REAL)
            memcpy(&values[d].real, &code, sizeof code);
        else if (code >= a->n_alternatives)
            return ni_fail(s->context, NAS_E_CORRUPT, "a packed architecture is damaged");
        else
            values[d].integer =
                a->kind == NAS_DECISION_INTEGER ? a->low + (int64_t)code * a->step : (int64_t)code;
    }
    return NAS_OK;
}

nas_status ni_arch_unpack(nas_arch **out, const nas_space *space, const unsigned char *bytes,
                          size_t n) {
    size_t count = space->decisions.n;
    nas_value *values = ni_calloc(space->context, count ? count : 1, sizeof *values);
    if (!values) return NAS_E_MEMORY;
    nas_status status = unpack(space, bytes, n, values);
    if (status >= 0) status = ni_arch_make(out, space, values);
    ni_free(space->context, values);
    return status;
}
