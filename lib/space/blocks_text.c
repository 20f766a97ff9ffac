/* Texts of cells of blocks: DARTS's genotypes (cnn/genotypes.py), the arcs of ENAS's micro space
 * (src/cifar10/micro_child.py), and the lists of the TensorFlow code of NASNet
 * (slim/nets/nasnet/nasnet_utils.py), which count the inputs the other way round. */
#include <inttypes.h>
#include "blocks.h"

/* ---- writing ------------------------------------------------------------------------------------
 */

static void genotype_half(const nas_space *s, bool reduce, const cell *c, ni_text *to) {
    const blocks_template *t = blocks_of(s);
    const char *name = reduce ? "reduce" : "normal";
    enum { LENGTH = 6 };
    ni_text_add_n(to, name, LENGTH);
    ni_text_put(to, "=[");
    for (uint32_t i = 0; i < c->n; i++)
        for (int k = 0; k < 2; k++) {
            const block *b = &c->blocks[i];
            const operation_text *o = &t->operation_text[b->op[k] * BLOCK_STATES_MOST + b->in[k]];
            uint32_t first = i || k ? 0 : 2; /* without the ", " before it */
            ni_text_add_n(to, o->text + first, o->n - first);
        }
    ni_text_put(to, "], ");
    ni_text_add_n(to, name, LENGTH);
    ni_text_put(to, "_concat=[");
    for (uint32_t i = 0; i < c->n_outputs; i++) {
        if (i) ni_text_put(to, ", ");
        ni_text_small(to, c->outputs[i]);
    }
    ni_text_put(to, "]");
    bool joined = false;
    for (uint32_t i = 0; i < c->n; i++)
        joined = joined || c->blocks[i].joined;
    if (!joined) return;
    ni_text_put(to, ", ");
    ni_text_add_n(to, name, LENGTH);
    ni_text_put(to, "_join=[");
    for (uint32_t i = 0; i < c->n; i++) {
        if (i) ni_text_put(to, ", ");
        ni_text_add(to, c->blocks[i].joined ? "'concat'" : "'add'");
    }
    ni_text_put(to, "]");
}

void ni_blocks_text(const nas_space *s, const nas_value *values, ni_text *to) {
    const blocks_template *t = blocks_of(s);
    cell cells[2];
    ni_blocks_cell(s, values, 0, &cells[0]);
    ni_blocks_cell(s, values, t->n_kinds - 1, &cells[1]);
    if (t->text == TEXT_GENOTYPE) {
        ni_text_put(to, "Genotype(");
        genotype_half(s, false, &cells[0], to);
        ni_text_put(to, ", ");
        genotype_half(s, true, &cells[1], to);
        ni_text_put(to, ")");
        return;
    }
    for (uint32_t kind = 0; kind < t->n_kinds; kind++)
        for (uint32_t i = 0; i < cells[kind].n; i++)
            for (int k = 0; k < 2; k++) {
                if (i || k || kind) ni_text_add_char(to, ' ');
                ni_text_small(to, cells[kind].blocks[i].in[k]);
                ni_text_add_char(to, ' ');
                ni_text_small(to, cells[kind].blocks[i].op[k]);
            }
}

size_t ni_blocks_text_most(const nas_space *s) {
    enum {
        ARC = 2 * (3 + 5), /* an input and an operation, each with a blank */
        AROUND = 64,       /* names, brackets */
        STATE = 4,
        JOIN = 10 /* in the lists, with what parts them */
    };
    const blocks_template *t = blocks_of(s);
    size_t most = 0, edges = 0;
    if (t->text == TEXT_ARCS) return (size_t)t->n_kinds * t->most * 2 * ARC;
    for (uint32_t k = 0; k < t->n_operations * BLOCK_STATES_MOST; k++)
        if (t->operation_text[k].n > most) most = t->operation_text[k].n;
    edges = 2 * (size_t)t->most;
    return 2 * (AROUND + edges * most + t->most * (size_t)(STATE + JOIN)) + 16;
}

/* ---- reading ------------------------------------------------------------------------------------
 */

typedef struct {
    const nas_space *s;
    const char *text, *at;
} scanner;

static size_t place(const scanner *r) {
    return (size_t)(r->at - r->text) + 1;
}
static void blanks(scanner *r) {
    while (*r->at == ' ' || *r->at == '\n' || *r->at == '\t')
        r->at++;
}
static bool take(scanner *r, const char *token) {
    blanks(r);
    size_t n = strlen(token);
    if (strncmp(r->at, token, n) != 0) return false;
    r->at += n;
    return true;
}
static nas_status need(scanner *r, const char *token) {
    if (take(r, token)) return NAS_OK;
    return ni_fail(r->s->context, NAS_E_SYNTAX, "architecture: character %zu must be '%s'%s%.12s%s",
                   place(r), token, *r->at ? ", not '" : ": the text ends", r->at,
                   *r->at ? "'" : "");
}
static nas_status whole(scanner *r, uint32_t below, const char *what, uint32_t *out) {
    uint32_t value = 0;
    blanks(r);
    const char *from = r->at;
    while (*r->at >= '0' && *r->at <= '9' && value < 100000)
        value = value * 10 + (uint32_t)(*r->at++ - '0');
    *out = value;
    if (r->at > from && value < below) return NAS_OK;
    r->at = from;
    return ni_fail(r->s->context, NAS_E_SYNTAX,
                   "architecture: character %zu must be %s, a number from 0 to %" PRIu32 "%s",
                   place(r), what, below - 1, *from ? "" : ": the text ends");
}

static nas_status operation(scanner *r, uint32_t *out) {
    const blocks_template *t = blocks_of(r->s);
    const char *known[64];
    char wrong[NI_NAME_MOST + 1];
    char quote = 0;
    blanks(r);
    size_t from = place(r);
    if (*r->at == '\'' || *r->at == '"') quote = *r->at++;
    size_t n = quote ? strcspn(r->at, quote == '"' ? "\"" : "'") : strcspn(r->at, " ,])'\"");
    size_t m = n < NI_NAME_MOST ? n : NI_NAME_MOST;
    memcpy(wrong, r->at, m);
    wrong[m] = 0;
    for (uint32_t k = 0; k < t->n_operations; k++) {
        known[k] = ni_blocks_operation(r->s, k);
        if (strcmp(known[k], wrong) != 0) continue;
        *out = k;
        r->at += n;
        if (quote && *r->at) r->at++;
        return NAS_OK;
    }
    const char *near = ni_nearest(wrong, known, t->n_operations);
    return ni_fail(r->s->context, NAS_E_SYNTAX,
                   "architecture: character %zu: '%s' is not an operation of space '%s'%s%s%s",
                   from, wrong, r->s->name, near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : "");
}

/* [2, 3, 4] or range(2, 5): which states the cell joins must be those that the space joins. */
static nas_status outputs(scanner *r, const char *name, const cell *c) {
    uint32_t list[BLOCK_STATES_MOST], n = 0, from, to;
    blanks(r);
    size_t at = place(r);
    if (take(r, "range")) {
        NI_TRY(need(r, "("));
        NI_TRY(whole(r, BLOCK_STATES_MOST + 1, "a state", &from));
        NI_TRY(need(r, ","));
        NI_TRY(whole(r, BLOCK_STATES_MOST + 1, "a state", &to));
        NI_TRY(need(r, ")"));
        for (; from < to && n < BLOCK_STATES_MOST; from++)
            list[n++] = from;
    } else {
        NI_TRY(need(r, "["));
        while (!take(r, "]")) {
            if (n) NI_TRY(need(r, ","));
            if (n == BLOCK_STATES_MOST) break;
            NI_TRY(whole(r, BLOCK_STATES_MOST, "a state", &list[n]));
            n++;
        }
    }
    bool same = n == c->n_outputs;
    for (uint32_t i = 0; same && i < n; i++) {
        bool found = false;
        for (uint32_t k = 0; k < n; k++)
            found = found || list[k] == c->outputs[i];
        same = found;
    }
    if (same) return NAS_OK;
    return ni_fail(r->s->context, NAS_E_SYNTAX,
                   "architecture: character %zu: %s_concat must name the %" PRIu32
                   " states that this space joins: %s",
                   at, name, c->n_outputs,
                   blocks_of(r->s)->unused ? "those that no block uses" : "all of the blocks");
}

static nas_status wrong_blocks(const scanner *r, const char *name, uint32_t edges) {
    const blocks_template *t = blocks_of(r->s);
    char blocks[32];
    ni_scope_text(blocks, sizeof blocks,
                  t->least < t->most ? "%" PRIu32 " to %" PRIu32 : "%" PRIu32, t->least, t->most);
    return ni_fail(r->s->context, NAS_E_SYNTAX,
                   "architecture: character %zu: %s has %" PRIu32
                   " edges, and space '%s' needs two for each of its %s blocks",
                   place(r), name, edges, r->s->name, blocks);
}

static nas_status check_inputs(const scanner *r, const char *name, const cell *c) {
    for (uint32_t i = 0; blocks_of(r->s)->pairs && i < c->n; i++)
        if (c->blocks[i].in[0] == c->blocks[i].in[1])
            return ni_fail(r->s->context, NAS_E_SYNTAX,
                           "architecture: %s: both edges of block %" PRIu32
                           " come from state %" PRIu32 ", and in space '%s' they must differ",
                           name, i, c->blocks[i].in[0], r->s->name);
    return NAS_OK;
}

static nas_status genotype_cell(scanner *r, const char *name, cell *c) {
    const blocks_template *t = blocks_of(r->s);
    uint32_t n = 0;
    memset(c, 0, sizeof *c);
    NI_TRY(need(r, name));
    NI_TRY(need(r, "="));
    NI_TRY(need(r, "["));
    while (!take(r, "]")) {
        if (n) NI_TRY(need(r, ","));
        if (n && take(r, "]")) break; /* a comma after the last, as Python has it */
        if (n == 2 * t->most) return wrong_blocks(r, name, n + 1);
        block *b = &c->blocks[n / 2];
        NI_TRY(need(r, "("));
        NI_TRY(operation(r, &b->op[n % 2]));
        NI_TRY(need(r, ","));
        NI_TRY(whole(r, n / 2 + 2, "a state before the block", &b->in[n % 2]));
        NI_TRY(need(r, ")"));
        n++;
    }
    if (n % 2 || n / 2 < t->least) return wrong_blocks(r, name, n);
    c->n = n / 2;
    ni_blocks_outputs(t, c);
    NI_TRY(need(r, ","));
    NI_TRY(need(r, name));
    NI_TRY(need(r, "_concat"));
    NI_TRY(need(r, "="));
    NI_TRY(outputs(r, name, c));
    scanner before = *r;
    if (!take(r, ",") || !take(r, name) || !take(r, "_join")) {
        *r = before;
        return check_inputs(r, name, c);
    }
    NI_TRY(need(r, "="));
    NI_TRY(need(r, "["));
    for (uint32_t i = 0; i < c->n; i++) {
        if (i) NI_TRY(need(r, ","));
        c->blocks[i].joined = take(r, "'concat'");
        if (!c->blocks[i].joined) NI_TRY(need(r, "'add'"));
        if (c->blocks[i].joined && t->decisions[0][0].join < 0)
            return ni_fail(r->s->context, NAS_E_SYNTAX,
                           "architecture: character %zu: the blocks of space '%s' add, and do not "
                           "join",
                           place(r), r->s->name);
    }
    NI_TRY(need(r, "]"));
    return check_inputs(r, name, c);
}

static bool equal_cells(const cell *a, const cell *b) {
    if (a->n != b->n) return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (memcmp(a->blocks[i].in, b->blocks[i].in, sizeof a->blocks[i].in) != 0 ||
            memcmp(a->blocks[i].op, b->blocks[i].op, sizeof a->blocks[i].op) != 0 ||
            a->blocks[i].joined != b->blocks[i].joined)
            return false;
    return true;
}

static nas_status set_both(scanner *r, nas_value *values, cell cells[2]) {
    const blocks_template *t = blocks_of(r->s);
    if (t->n_kinds == 1 && !equal_cells(&cells[0], &cells[1]))
        return ni_fail(r->s->context, NAS_E_SYNTAX,
                       "architecture: normal and reduce differ, and space '%s' has one cell for "
                       "both",
                       r->s->name);
    for (uint32_t kind = 0; kind < t->n_kinds; kind++)
        ni_blocks_set(r->s, values, kind, &cells[kind]);
    return NAS_OK;
}

static nas_status genotype(scanner *r, nas_value *values) {
    cell cells[2];
    NI_TRY(need(r, "("));
    NI_TRY(genotype_cell(r, "normal", &cells[0]));
    NI_TRY(need(r, ","));
    NI_TRY(genotype_cell(r, "reduce", &cells[1]));
    NI_TRY(need(r, ")"));
    return set_both(r, values, cells);
}

/* input operation input operation, for each block; the normal cell, then the reduction. */
static nas_status arcs(scanner *r, nas_value *values) {
    const blocks_template *t = blocks_of(r->s);
    if (t->least != t->most)
        return ni_fail(
            r->s->context, NAS_E_SYNTAX,
            "architecture: arcs need a fixed number of blocks, and space '%s' has %" PRIu32
            " to %" PRIu32,
            r->s->name, t->least, t->most);
    cell cells[2];
    for (uint32_t kind = 0; kind < t->n_kinds; kind++) {
        cell *c = &cells[kind];
        memset(c, 0, sizeof *c);
        c->n = t->most;
        for (uint32_t i = 0; i < c->n; i++)
            for (int k = 0; k < 2; k++) {
                NI_TRY(whole(r, i + 2, "a state before the block", &c->blocks[i].in[k]));
                NI_TRY(whole(r, t->n_operations, "an operation", &c->blocks[i].op[k]));
            }
        NI_TRY(check_inputs(r, blocks_kind_name(t, kind), c));
    }
    if (t->n_kinds == 1) cells[1] = cells[0];
    return set_both(r, values, cells);
}

/* operations=[...] hiddenstate_indices=[...] used_hiddenstates=[...], twice, with the names of
 * nasnet_utils.py (separable_5x5_2, none, ...); state 0 is the previous cell, 1 the one before. */
static const char *const slim_names[][2] = {
    {"separable_3x3_2", "sep_conv_3x3"}, {"separable_5x5_2", "sep_conv_5x5"},
    {"separable_7x7_2", "sep_conv_7x7"}, {"avg_pool_3x3", "avg_pool_3x3"},
    {"max_pool_3x3", "max_pool_3x3"},    {"none", "skip_connect"}};

static nas_status slim_operation(scanner *r, uint32_t *out) {
    const char *known[NI_COUNT(slim_names)];
    char name[NI_NAME_MOST + 1];
    NI_TRY(need(r, "'"));
    size_t n = strcspn(r->at, "'"), m = n < NI_NAME_MOST ? n : NI_NAME_MOST;
    memcpy(name, r->at, m);
    name[m] = 0;
    for (size_t i = 0; i < NI_COUNT(slim_names); i++) {
        known[i] = slim_names[i][0];
        if (strcmp(name, known[i]) != 0) continue;
        scanner own = {r->s, slim_names[i][1], slim_names[i][1]};
        NI_TRY(operation(&own, out));
        r->at += n;
        return need(r, "'");
    }
    const char *near = ni_nearest(name, known, NI_COUNT(known));
    return ni_fail(r->s->context, NAS_E_SYNTAX,
                   "architecture: character %zu: '%s' is not an operation of NASNet's code%s%s%s",
                   place(r), name, near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : "");
}

static nas_status slim_cell(scanner *r, cell *c) {
    const blocks_template *t = blocks_of(r->s);
    uint32_t ignored;
    memset(c, 0, sizeof *c);
    c->n = t->most;
    NI_TRY(need(r, "operations=["));
    for (uint32_t i = 0; i < 2 * c->n; i++) {
        if (i) NI_TRY(need(r, ","));
        NI_TRY(slim_operation(r, &c->blocks[i / 2].op[i % 2]));
    }
    NI_TRY(need(r, "]"));
    take(r, ",");
    NI_TRY(need(r, "hiddenstate_indices=["));
    for (uint32_t i = 0; i < 2 * c->n; i++) {
        uint32_t *in = &c->blocks[i / 2].in[i % 2];
        if (i) NI_TRY(need(r, ","));
        NI_TRY(whole(r, i / 2 + 2, "a state before the block", in));
        if (*in < 2) *in = 1 - *in;
    }
    NI_TRY(need(r, "]"));
    scanner before = *r;
    take(r, ",");
    if (!take(r, "used_hiddenstates=[")) {
        *r = before;
        return NAS_OK;
    }
    /* which states are used follows from the inputs; the flags of the published code differ from
     * that for the two inputs alone, which are never joined here */
    for (uint32_t i = 0; i < c->n + 2; i++) {
        if (i) NI_TRY(need(r, ","));
        NI_TRY(whole(r, 2, "a flag", &ignored));
    }
    return need(r, "]");
}

static nas_status slim(scanner *r, nas_value *values) {
    cell cells[2];
    NI_TRY(slim_cell(r, &cells[0]));
    take(r, ";");
    NI_TRY(slim_cell(r, &cells[1]));
    return set_both(r, values, cells);
}

nas_status ni_blocks_parse(const nas_space *s, const char *text, nas_value *values, size_t *used) {
    scanner r = {s, text, text};
    nas_status status = NAS_E_NOT_FOUND;
    if (take(&r, "Genotype"))
        status = genotype(&r, values);
    else if (*text >= '0' && *text <= '9')
        status = arcs(&r, values);
    else if (strncmp(text, "operations=[", 12) == 0)
        status = slim(&r, values);
    if (status < 0) return status;
    if (*r.at && *r.at != ' ' && *r.at != ',')
        return ni_fail(s->context, NAS_E_SYNTAX,
                       "architecture: character %zu: '%.20s' stands after the cells", place(&r),
                       r.at);
    *used = (size_t)(r.at - text);
    return NAS_OK;
}
