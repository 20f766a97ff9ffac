/* What `nas space` can do beside showing, counting and sampling: check, neighbors, encode, diff. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "nas.h"

static void count_text(const nas_space *space, char *digits, size_t capacity) {
    uint64_t n;
    if (nas_space_count(space, &n, digits, capacity) < 0 && n != UINT64_MAX) digits[0] = 0;
}

/* One architecture inside the constraints must be found, and its network must have costs. */
int tool_space_check(nas_context *context, const nas_space *space, uint64_t seed, bool json,
                     FILE *to) {
    static char digits[1 << 16];
    nas_random *random;
    nas_arch *arch = NULL;
    nas_arch_cost cost = {.struct_size = sizeof cost};
    bool network = nas_space_has_network(space);
    if (nas_random_create(&random, context, seed, 0, "check") < 0) return tool_failed(context);
    nas_status status = nas_space_sample(space, random, &arch);
    nas_random_free(random);
    if (status >= 0 && network) status = nas_arch_costs(arch, &cost);
    nas_arch_free(arch);
    if (status < 0) return tool_failed(context);
    count_text(space, digits, sizeof digits);
    if (json) {
        fputs("{\"space\": ", to);
        tool_json(to, nas_space_name(space));
        fprintf(to, ", \"decisions\": %" PRIu32 ", \"count\": \"%s\"", nas_space_decisions(space),
                digits);
        if (network)
            fprintf(to, ", \"params\": %" PRId64 ", \"macs\": %" PRId64, cost.params, cost.macs);
        fputs("}\n", to);
        return EXIT_GOOD;
    }
    fprintf(to, "%s: good, %" PRIu32 " decisions, %s architectures before constraints",
            nas_space_name(space), nas_space_decisions(space), digits);
    if (network)
        fprintf(to, "; one of them: %" PRId64 " parameters, %" PRId64 " MACs", cost.params,
                cost.macs);
    fputc('\n', to);
    return EXIT_GOOD;
}

/* The index-th of a list of texts: a line, or an item of a JSON list. */
static void item(FILE *to, bool json, uint64_t index, const char *text) {
    if (!json) {
        fprintf(to, "%s\n", text);
        return;
    }
    fputs(index ? ",\n " : "[", to);
    tool_json(to, text);
}
static void end_of_list(FILE *to, bool json, uint64_t n) {
    if (json) fputs(n ? "]\n" : "[]\n", to);
}

int tool_space_neighbors(nas_context *context, const nas_space *space, const nas_arch *arch,
                         bool json, FILE *to) {
    uint64_t n, kept = 0;
    if (nas_space_neighbors(space, arch, &n) < 0) return tool_failed(context);
    for (uint64_t i = 0; i < n; i++) {
        nas_arch *other;
        nas_status status = nas_space_neighbor(space, arch, i, &other);
        if (status == NAS_E_INFEASIBLE) continue;
        if (status < 0) return tool_failed(context);
        item(to, json, kept++, nas_arch_text(other));
        nas_arch_free(other);
    }
    end_of_list(to, json, kept);
    return EXIT_GOOD;
}

int tool_space_encode(nas_context *context, const nas_arch *arch, int32_t encoding, bool json,
                      FILE *to) {
    size_t n;
    if (nas_arch_encode(arch, encoding, NULL, 0, &n) < 0) return tool_failed(context);
    double *all = malloc((n ? n : 1) * sizeof *all);
    if (!all) return tool_memory();
    int code = nas_arch_encode(arch, encoding, all, n, &n) < 0 ? tool_failed(context) : EXIT_GOOD;
    for (size_t i = 0; !code && i < n; i++) {
        fputs(i ? (json ? ", " : " ") : (json ? "[" : ""), to);
        tool_json_number(to, all[i]);
    }
    if (!code) fputs(json ? (n ? "]\n" : "[]\n") : "\n", to);
    free(all);
    return code;
}

int tool_space_published(const nas_space *space, bool json, FILE *to) {
    uint32_t i = 0;
    for (; nas_space_published(space, i); i++)
        item(to, json, i, nas_space_published(space, i));
    end_of_list(to, json, i);
    return EXIT_GOOD;
}

/* ---- diff -------------------------------------------------------------------------------------
 */

static void decision_text(const nas_space *space, const nas_decision *d, FILE *to) {
    char low[64], high[64];
    switch (d->kind) {
    case NAS_DECISION_CHOICE:
        for (uint32_t i = 0; i < d->n_alternatives; i++)
            fprintf(to, "%s%s", i ? ", " : "[", d->alternatives[i]);
        fputs("]", to);
        break;
    case NAS_DECISION_INTEGER:
        fprintf(to, "%" PRId64 " .. %" PRId64 " by %" PRId64, d->low, d->high, d->step);
        break;
    default:
        tool_number(d->real_low, 6, low, sizeof low);
        tool_number(d->real_high, 6, high, sizeof high);
        fprintf(to, "%s .. %s%s", low, high, d->log_scale ? ", log" : "");
    }
    if (d->condition < 0) return;
    nas_decision on = {.struct_size = sizeof on};
    if (nas_space_decision(space, (uint32_t)d->condition, &on) >= 0)
        fprintf(to, " when %s = %s", on.name, on.alternatives[d->condition_alternative]);
}

static bool equal_decisions(const nas_space *a, const nas_decision *x, const nas_space *b,
                            const nas_decision *y) {
    if (x->kind != y->kind || x->role != y->role || x->n_alternatives != y->n_alternatives ||
        x->low != y->low || x->high != y->high || x->step != y->step ||
        x->real_low != y->real_low || x->real_high != y->real_high ||
        x->log_scale != y->log_scale || (x->condition < 0) != (y->condition < 0))
        return false;
    for (uint32_t i = 0; x->alternatives && i < x->n_alternatives; i++)
        if (strcmp(x->alternatives[i], y->alternatives[i]) != 0) return false;
    if (x->condition < 0) return true;
    nas_decision on_x = {.struct_size = sizeof on_x}, on_y = {.struct_size = sizeof on_y};
    return nas_space_decision(a, (uint32_t)x->condition, &on_x) >= 0 &&
           nas_space_decision(b, (uint32_t)y->condition, &on_y) >= 0 &&
           strcmp(on_x.name, on_y.name) == 0 &&
           strcmp(on_x.alternatives[x->condition_alternative],
                  on_y.alternatives[y->condition_alternative]) == 0;
}

/* Decisions of `from` that `other` has not, or (changed) has otherwise. */
static uint64_t one_way(const nas_space *from, const nas_space *other, char sign, bool changed,
                        FILE *to) {
    uint64_t found = 0;
    for (uint32_t d = 0; d < nas_space_decisions(from); d++) {
        nas_decision mine = {.struct_size = sizeof mine}, theirs = {.struct_size = sizeof theirs};
        uint32_t at = 0;
        if (nas_space_decision(from, d, &mine) < 0) continue;
        bool there = nas_space_find_decision(other, mine.name, &at) >= 0 &&
                     nas_space_decision(other, at, &theirs) >= 0;
        if (there && (!changed || equal_decisions(from, &mine, other, &theirs))) continue;
        found++;
        if (!to) continue;
        fprintf(to, "%c %s: ", there ? '~' : sign, mine.name);
        decision_text(from, &mine, to);
        if (there) {
            fputs(" -> ", to);
            decision_text(other, &theirs, to);
        }
        fputc('\n', to);
    }
    return found;
}

/* Lines of one text that the other has not; comments and the name left out. */
static uint64_t lines(const char *text, const char *other, char sign, FILE *to) {
    uint64_t found = 0;
    while (*text) {
        size_t n = strcspn(text, "\n");
        bool there = n == 0 || *text == '#' || strncmp(text, "space:", 6) == 0;
        for (const char *at = other; !there && *at;) {
            size_t m = strcspn(at, "\n");
            there = m == n && strncmp(at, text, n) == 0;
            at += m + (at[m] == '\n');
        }
        if (!there) {
            if (to) fprintf(to, "%c %.*s\n", sign, (int)n, text);
            found++;
        }
        text += n + (text[n] == '\n');
    }
    return found;
}

int tool_space_diff(const nas_space *a, const nas_space *b, bool json, FILE *to) {
    static char digits_a[1 << 16], digits_b[1 << 16];
    FILE *text = json ? NULL : to;
    uint64_t decisions = one_way(a, b, '-', true, text) + one_way(b, a, '+', false, text);
    uint64_t others = lines(nas_space_text(a), nas_space_text(b), '<', text) +
                      lines(nas_space_text(b), nas_space_text(a), '>', text);
    count_text(a, digits_a, sizeof digits_a);
    count_text(b, digits_b, sizeof digits_b);
    if (json) {
        fprintf(to,
                "{\"equal\": %s, \"decisions\": %" PRIu64 ", \"lines\": %" PRIu64
                ", \"counts\": [\"%s\", \"%s\"]}\n",
                decisions + others ? "false" : "true", decisions, others, digits_a, digits_b);
        return EXIT_GOOD;
    }
    if (strcmp(digits_a, digits_b) != 0)
        fprintf(to, "%s architectures -> %s architectures\n", digits_a, digits_b);
    if (!(decisions + others)) fputs("equal\n", to);
    return EXIT_GOOD;
}
