/* Architectures as bits, and their hash: for each decision that applies the number of its value, in
 * as many bits as its values need; a real number in 64. A decision depends on earlier ones alone,
 * so that a reader knows from what it has read which one is next. */
#include "internal.h"

/* Bits in words of 64, the first ones lowest. */
typedef struct {
    uint64_t word;
    unsigned n; /* of word */
} ni_bits;

static void measure(ni_decision *decision) {
    const nas_decision *a = &decision->about;
    uint32_t most = a->n_alternatives ? a->n_alternatives - 1 : 0;
    decision->bits = 64;
    if (a->kind == NAS_DECISION_REAL) return;
    decision->reciprocal = ni_reciprocal(most + 1);
    decision->bits = (uint8_t)(most ? 32 - (unsigned)__builtin_clz(most) : 0);
}

nas_status ni_space_pack(nas_space *s) {
    bool plain = true;
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        measure(&s->decisions.items[d]);
        plain = plain && s->decisions.items[d].about.kind != NAS_DECISION_REAL &&
                s->decisions.items[d].about.condition < 0;
    }
    ni_free(s->context, s->plain); /* of a finish that failed */
    s->plain = NULL;
    if (!plain) return NAS_OK;
    s->plain = ni_calloc(s->context, s->decisions.n, sizeof *s->plain);
    if (!s->plain) return NAS_E_MEMORY;
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        const ni_decision *decision = &s->decisions.items[d];
        const nas_decision *a = &decision->about;
        bool whole = a->kind == NAS_DECISION_INTEGER;
        s->plain[d] = (ni_plain){a->n_alternatives, decision->reciprocal, whole ? a->low : 0,
                                 whole ? a->step : 1, decision->bits};
    }
    return NAS_OK;
}

/* true: *full is a word that is complete, and the rest is begun. */
static inline bool put(ni_bits *to, uint64_t value, unsigned n, uint64_t *full) {
    unsigned before = to->n;
    to->word |= value << before;
    to->n += n;
    if (to->n < 64) return false;
    *full = to->word;
    to->n -= 64;
    to->word = to->n ? value >> (64 - before) : 0;
    return true;
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

static inline uint64_t code_of(const ni_decision *decision, const nas_value *value) {
    const nas_decision *a = &decision->about;
    uint64_t code;
    if (a->kind == NAS_DECISION_CHOICE) return (uint64_t)value->integer;
    if (a->kind == NAS_DECISION_INTEGER) return (uint64_t)((value->integer - a->low) / a->step);
    memcpy(&code, &value->real, sizeof code);
    return code;
}

static void set_plain(nas_arch *arch, const nas_value *values) {
    const nas_space *s = arch->space;
    ni_bits to = {0, 0};
    uint64_t hash = s->hash, word;
    uint32_t bits = 0;
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        const ni_plain *plain = &s->plain[d];
        const int64_t value = values[d].integer, code = value - plain->low;
        arch->values[d] = (nas_value){value, 0};
        bits += plain->bits;
        if (put(&to, (uint64_t)(plain->step == 1 ? code : code / plain->step), plain->bits, &word))
            hash = ni_stir(hash, word);
    }
    arch->bits = bits;
    arch->hash = ni_stir(hash, to.word);
}

/* Stirring in is one to one: architectures of up to 64 bits never share a hash. */
void ni_arch_set(nas_arch *arch, const nas_value *values) {
    const nas_space *s = arch->space;
    ni_bits to = {0, 0};
    uint64_t hash = s->hash, word;
    uint32_t bits = 0;
    atomic_store_explicit(&arch->costed, 0, memory_order_relaxed);
    atomic_store_explicit(&arch->written, NI_TEXT_NONE, memory_order_relaxed);
    if (s->plain) {
        set_plain(arch, values);
        return;
    }
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        const ni_decision *decision = &s->decisions.items[d];
        nas_value value = {0, 0};
        if (ni_decision_active(s, values, d)) {
            if (decision->about.kind == NAS_DECISION_REAL)
                value.real = values[d].real + 0.0; /* -0 is 0 */
            else
                value.integer = values[d].integer;
            bits += decision->bits;
            if (put(&to, code_of(decision, &value), decision->bits, &word))
                hash = ni_stir(hash, word);
        }
        arch->values[d] = value;
    }
    arch->bits = bits;
    arch->hash = ni_stir(hash, to.word);
}

size_t ni_arch_packed(const nas_arch *arch) {
    return ((size_t)arch->bits + 7) / 8;
}

static unsigned char *put_bytes(unsigned char *to, uint64_t word, unsigned bits) {
    for (unsigned at = 0; at < bits; at += 8)
        *to++ = (unsigned char)(word >> at);
    return to;
}

void ni_arch_pack(const nas_arch *arch, unsigned char *out) {
    const nas_space *s = arch->space;
    ni_bits to = {0, 0};
    uint64_t word;
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        const ni_decision *decision = &s->decisions.items[d];
        if (!ni_decision_active(s, arch->values, d)) continue;
        if (put(&to, code_of(decision, &arch->values[d]), decision->bits, &word))
            out = put_bytes(out, word, 64);
    }
    put_bytes(out, to.word, to.n);
}

const nas_value *ni_arch_values(const nas_arch *arch) {
    return arch->values;
}

static nas_status unpack(const nas_space *s, const unsigned char *bytes, size_t n,
                         nas_value *values) {
    size_t at = 0;
    for (uint32_t d = 0; d < s->decisions.n; d++) {
        const nas_decision *a = &s->decisions.items[d].about;
        unsigned bits = s->decisions.items[d].bits;
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
