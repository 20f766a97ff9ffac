/* Spaces as sequences of tokens. */
#include "tokens.h"
#include <math.h>

static size_t prefix_of(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) : 0;
}

/* Where the names say that decisions belong together, and which are alike. */
static void group(ni_tokens *t) {
    uint32_t level = 0;
    for (uint32_t d = 0; d < t->n; d++) {
        ni_token *one = &t->items[d];
        size_t prefix = prefix_of(one->name);
        if (d > 0) {
            const ni_token *last = &t->items[d - 1];
            bool same = prefix > 0 && prefix_of(last->name) == prefix &&
                        !memcmp(last->name, one->name, prefix);
            level += !same;
        }
        one->level = level;
    }
    t->levels = t->n ? level + 1 : 0;
    t->shared_width = 0;
    for (uint32_t d = 0; d < t->n; d++) {
        ni_token *one = &t->items[d];
        size_t prefix = prefix_of(one->name);
        uint32_t most = one->n, first = d;
        for (uint32_t e = t->n; prefix > 0 && e-- > 0;) {
            size_t other = prefix_of(t->items[e].name);
            if (other == 0 || strcmp(t->items[e].name + other, one->name + prefix) != 0) continue;
            if (t->items[e].n > most) most = t->items[e].n;
            if (e < first) first = e;
        }
        if (first < d) {
            one->shared = t->items[first].shared;
            continue;
        }
        one->shared = t->shared_width;
        t->shared_width += most;
    }
    t->alike = t->levels > 1;
    for (uint32_t d = 0; d < t->n; d++) {
        bool found = t->items[d].level == 0;
        for (uint32_t e = 0; e < t->n && t->items[e].level == 0; e++)
            found |= t->items[e].shared == t->items[d].shared;
        t->alike &= found;
    }
}

nas_status ni_tokens_init(ni_tokens *t, const nas_space *space, uint32_t bins) {
    memset(t, 0, sizeof *t);
    t->context = ni_space_context(space);
    t->space = space;
    t->n = nas_space_decisions(space);
    ni_space_hold(space);
    t->items = ni_calloc(t->context, t->n ? t->n : 1, sizeof *t->items);
    if (t->items == NULL) return NAS_E_MEMORY;
    for (uint32_t d = 0; d < t->n; d++) {
        ni_token *one = &t->items[d];
        nas_decision about = {.struct_size = sizeof about};
        NI_TRY(nas_space_decision(space, d, &about));
        one->name = about.name;
        one->kind = about.kind;
        one->binned = about.kind == NAS_DECISION_REAL ||
                      (about.kind == NAS_DECISION_INTEGER && about.n_alternatives > bins);
        one->n = one->binned ? bins : about.n_alternatives;
        one->condition = about.condition;
        one->condition_token = about.condition_alternative;
        one->offset = t->width;
        if (one->n > (1u << 24) - t->width)
            return ni_fail(t->context, NAS_E_LIMIT,
                           "space \"%s\" has too many alternatives for a policy: decision \"%s\" "
                           "alone has %u",
                           nas_space_name(space), about.name, one->n);
        t->width += one->n;
    }
    group(t);
    return NAS_OK;
}

void ni_tokens_free(ni_tokens *t) {
    if (t->context == NULL) return;
    ni_free(t->context, t->items);
    ni_space_release(t->space);
    memset(t, 0, sizeof *t);
}

bool ni_token_active(const ni_tokens *t, const int32_t *chosen, uint32_t d) {
    int32_t on = t->items[d].condition;
    return on < 0 || chosen[on] == t->items[d].condition_token;
}

static double to_unit(const nas_decision *about, double value) {
    double low = about->real_low, high = about->real_high;
    if (about->log_scale) low = log(low), high = log(high), value = log(value);
    return high > low ? (value - low) / (high - low) : 0;
}

static double from_unit(const nas_decision *about, double unit) {
    double low = about->real_low, high = about->real_high, value;
    if (about->log_scale)
        value = exp(log(low) + unit * (log(high) - log(low)));
    else
        value = low + unit * (high - low);
    return value < low ? low : value > high ? high : value;
}

/* Values first .. end-1 (counted from the lowest) of an integer belong to a bin. */
static void bin_of(const ni_token *one, uint32_t values, uint32_t bin, uint64_t *first,
                   uint64_t *end) {
    *first = (uint64_t)bin * values / one->n;
    *end = (uint64_t)(bin + 1) * values / one->n;
}

nas_status ni_tokens_read(const ni_tokens *t, const nas_arch *arch, int32_t *chosen) {
    for (uint32_t d = 0; d < t->n; d++) {
        const ni_token *one = &t->items[d];
        nas_decision about = {.struct_size = sizeof about};
        nas_value value;
        chosen[d] = NI_TOKEN_ABSENT;
        if (!nas_arch_active(arch, d)) continue;
        NI_TRY(nas_arch_value(arch, d, &value));
        if (one->kind == NAS_DECISION_CHOICE) {
            chosen[d] = (int32_t)value.integer;
            continue;
        }
        NI_TRY(nas_space_decision(t->space, d, &about));
        if (one->kind == NAS_DECISION_REAL) {
            double unit = to_unit(&about, value.real) * one->n;
            chosen[d] = unit < 1 ? 0 : unit >= one->n ? (int32_t)one->n - 1 : (int32_t)unit;
            continue;
        }
        uint64_t index = (uint64_t)((value.integer - about.low) / about.step);
        uint64_t first = 0, end = 0;
        if (!one->binned) {
            chosen[d] = (int32_t)index;
            continue;
        }
        for (uint32_t bin = 0; bin < one->n && index >= end; bin++) {
            bin_of(one, about.n_alternatives, bin, &first, &end);
            chosen[d] = (int32_t)bin;
        }
    }
    return NAS_OK;
}

nas_status ni_tokens_arch(const ni_tokens *t, const int32_t *chosen, nas_random *stream,
                          nas_arch **out) {
    nas_value *values = ni_calloc(t->context, t->n ? t->n : 1, sizeof *values);
    nas_status status = NAS_OK;
    if (values == NULL) return NAS_E_MEMORY;
    for (uint32_t d = 0; d < t->n; d++) {
        const ni_token *one = &t->items[d];
        nas_decision about = {.struct_size = sizeof about};
        int32_t token = chosen[d] < 0 ? 0 : chosen[d];
        NI_GOTO(end, nas_space_decision(t->space, d, &about));
        if (one->kind == NAS_DECISION_CHOICE) {
            values[d].integer = token;
        } else if (one->kind == NAS_DECISION_REAL) {
            double inside = stream && chosen[d] >= 0 ? nas_random_uniform(stream) : 0.5;
            values[d].real = from_unit(&about, (token + inside) / one->n);
        } else {
            uint64_t first = (uint64_t)token, end = first + 1;
            if (one->binned) {
                bin_of(one, about.n_alternatives, (uint32_t)token, &first, &end);
                first += stream && chosen[d] >= 0 ? nas_random_below(stream, end - first)
                                                  : (end - first) / 2;
            }
            values[d].integer = about.low + (int64_t)first * about.step;
        }
    }
    status = nas_arch_create(out, t->space, values, t->n);
end:
    ni_free(t->context, values);
    return status;
}
