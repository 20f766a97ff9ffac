/* Constraint expressions: "params <= 1e6 and (depth >= 4 or 'op' == conv)". A small recursive
 * descent parser with a bounded depth; values are doubles, truth is not zero. Precedence, weakest
 * first: or, and, not, comparisons, + -, * /, unary -. */
#include <math.h>
#include "internal.h"

typedef enum {
    E_NUMBER,
    E_VALUE,
    E_COST,
    E_OR,
    E_AND,
    E_NOT,
    E_LE,
    E_LT,
    E_GE,
    E_GT,
    E_EQ,
    E_NE,
    E_ADD,
    E_SUB,
    E_MUL,
    E_DIV,
    E_NEG,
    E_MIN,
    E_MAX,
    E_LOG2
} expr_kind;

struct ni_expr {
    expr_kind kind;
    double number;
    uint32_t index;
    ni_expr *a, *b;
};

enum { EXPR_DEPTH = 64, EXPR_TEXT = 4096 };

typedef struct {
    nas_context *context;
    const char *text, *at;
    const ni_names *names;
    int depth;
    int32_t decision; /* of the operand read last, for comparisons with an alternative's name */
} parser;

void ni_expr_free(nas_context *context, ni_expr *e) {
    if (!e) return;
    ni_expr_free(context, e->a);
    ni_expr_free(context, e->b);
    ni_free(context, e);
}

static nas_status make(parser *p, ni_expr **out, expr_kind kind, ni_expr *a, ni_expr *b) {
    ni_expr *e = ni_calloc(p->context, 1, sizeof *e);
    if (!e) {
        ni_expr_free(p->context, a);
        ni_expr_free(p->context, b);
        return NAS_E_MEMORY;
    }
    e->kind = kind;
    e->a = a;
    e->b = b;
    *out = e;
    return NAS_OK;
}

static void blanks(parser *p) {
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n')
        p->at++;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool symbol(parser *p, const char *s) {
    blanks(p);
    size_t n = strlen(s);
    if (strncmp(p->at, s, n) != 0) return false;
    if (is_letter(s[0]) && (is_letter(p->at[n]) || is_digit(p->at[n]))) return false;
    p->at += n;
    return true;
}

static nas_status parse_or(parser *p, ni_expr **out);

/* A bare word, or any text between quotes. */
static nas_status word(parser *p, char *buffer, size_t capacity) {
    size_t n = 0;
    blanks(p);
    if (*p->at == '\'' || *p->at == '"') {
        char quote = *p->at++;
        while (*p->at && *p->at != quote && n + 1 < capacity)
            buffer[n++] = *p->at++;
        if (*p->at != quote)
            return ni_fail(p->context, NAS_E_SYNTAX, "a quoted name does not end or is too long");
        p->at++;
    } else {
        while ((is_letter(*p->at) || is_digit(*p->at) || *p->at == '.') && n + 1 < capacity)
            buffer[n++] = *p->at++;
    }
    buffer[n] = 0;
    return NAS_OK;
}

static nas_status function(parser *p, const char *name, ni_expr **out) {
    expr_kind kind = strcmp(name, "min") == 0 ? E_MIN : strcmp(name, "max") == 0 ? E_MAX : E_LOG2;
    ni_expr *a = NULL, *b = NULL;
    NI_TRY(parse_or(p, &a));
    if (kind != E_LOG2) {
        nas_status status = NAS_OK;
        if (!symbol(p, ","))
            status = ni_fail(p->context, NAS_E_SYNTAX, "%s takes two values", name);
        else
            status = parse_or(p, &b);
        if (status < 0) {
            ni_expr_free(p->context, a);
            return status;
        }
    }
    if (!symbol(p, ")")) {
        ni_expr_free(p->context, a);
        ni_expr_free(p->context, b);
        return ni_fail(p->context, NAS_E_SYNTAX, "%s( is not closed", name);
    }
    return make(p, out, kind, a, b);
}

static nas_status parse_atom(parser *p, ni_expr **out) {
    char name[NI_NAME_MOST + 1];
    p->decision = -1;
    blanks(p);
    if (symbol(p, "(")) {
        NI_TRY(parse_or(p, out));
        p->decision = -1;
        if (symbol(p, ")")) return NAS_OK;
        ni_expr_free(p->context, *out);
        return ni_fail(p->context, NAS_E_SYNTAX, "a bracket is not closed");
    }
    if (is_digit(*p->at) || *p->at == '.') {
        const char *from = p->at;
        double number;
        while (is_digit(*p->at) || *p->at == '.' ||
               ((*p->at == 'e' || *p->at == 'E') && p->at > from) ||
               ((*p->at == '+' || *p->at == '-') && (p->at[-1] == 'e' || p->at[-1] == 'E')))
            p->at++;
        if (!ni_parse_f64(from, (size_t)(p->at - from), &number))
            return ni_fail(p->context, NAS_E_SYNTAX, "'%.*s' is not a number", (int)(p->at - from),
                           from);
        NI_TRY(make(p, out, E_NUMBER, NULL, NULL));
        (*out)->number = number;
        return NAS_OK;
    }
    const char *start = p->at;
    NI_TRY(word(p, name, sizeof name));
    if (!*name) {
        if (!*p->at) return ni_fail(p->context, NAS_E_SYNTAX, "the expression ends too early");
        return ni_fail(p->context, NAS_E_SYNTAX, "'%c' has no place here", *p->at);
    }
    if ((strcmp(name, "min") == 0 || strcmp(name, "max") == 0 || strcmp(name, "log2") == 0) &&
        symbol(p, "("))
        return function(p, name, out);
    ni_name found;
    if (!p->names->find(p->names->user, name, &found)) {
        const char *near = p->names->suggest(p->names->user, name);
        p->at = start;
        return ni_fail(p->context, NAS_E_NOT_FOUND,
                       "'%s' is not a decision, a cost or a parameter%s%s%s", name,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    NI_TRY(make(p, out,
                found.kind == NI_NAME_NUMBER ? E_NUMBER
                : found.kind == NI_NAME_COST ? E_COST
                                             : E_VALUE,
                NULL, NULL));
    (*out)->number = found.number;
    (*out)->index = found.index;
    if (found.kind == NI_NAME_DECISION) p->decision = (int32_t)found.index;
    return NAS_OK;
}

static nas_status parse_unary(parser *p, ni_expr **out) {
    if (symbol(p, "-")) {
        ni_expr *a;
        if (++p->depth > EXPR_DEPTH)
            return ni_fail(p->context, NAS_E_LIMIT, "the expression is nested too deeply");
        NI_TRY(parse_unary(p, &a));
        p->depth--;
        p->decision = -1;
        return make(p, out, E_NEG, a, NULL);
    }
    return parse_atom(p, out);
}

typedef struct {
    const char *symbol;
    expr_kind kind;
} binary_symbol;

static nas_status parse_chain(parser *p, ni_expr **out, const binary_symbol *all, size_t n,
                              nas_status (*next)(parser *p, ni_expr **out)) {
    NI_TRY(next(p, out));
    for (;;) {
        size_t i = 0;
        while (i < n && !symbol(p, all[i].symbol))
            i++;
        if (i == n) return NAS_OK;
        ni_expr *b;
        nas_status status = next(p, &b);
        if (status < 0) {
            ni_expr_free(p->context, *out);
            return status;
        }
        NI_TRY(make(p, out, all[i].kind, *out, b));
        p->decision = -1;
    }
}

static nas_status parse_product(parser *p, ni_expr **out) {
    static const binary_symbol all[] = {{"*", E_MUL}, {"/", E_DIV}};
    return parse_chain(p, out, all, NI_COUNT(all), parse_unary);
}

static nas_status parse_sum(parser *p, ni_expr **out) {
    static const binary_symbol all[] = {{"+", E_ADD}, {"-", E_SUB}};
    return parse_chain(p, out, all, NI_COUNT(all), parse_product);
}

/* One comparison; the right side of == and != may be the name of an alternative. */
static nas_status parse_comparison(parser *p, ni_expr **out) {
    static const binary_symbol all[] = {{"<=", E_LE}, {">=", E_GE}, {"==", E_EQ},
                                        {"!=", E_NE}, {"<", E_LT},  {">", E_GT}};
    NI_TRY(parse_sum(p, out));
    int32_t decision = p->decision;
    for (size_t i = 0; i < NI_COUNT(all); i++) {
        if (!symbol(p, all[i].symbol)) continue;
        ni_expr *b = NULL;
        nas_status status = NAS_OK;
        const char *start = p->at;
        char name[NI_NAME_MOST + 1];
        double number;
        if (decision >= 0 && (all[i].kind == E_EQ || all[i].kind == E_NE) &&
            word(p, name, sizeof name) >= 0 && *name &&
            p->names->alternative(p->names->user, (uint32_t)decision, name, &number)) {
            status = make(p, &b, E_NUMBER, NULL, NULL);
            if (status >= 0) b->number = number;
        } else {
            p->at = start;
            status = parse_sum(p, &b);
        }
        if (status < 0) {
            ni_expr_free(p->context, *out);
            return status;
        }
        p->decision = -1;
        return make(p, out, all[i].kind, *out, b);
    }
    return NAS_OK;
}

static nas_status parse_not(parser *p, ni_expr **out) {
    if (!symbol(p, "not")) return parse_comparison(p, out);
    ni_expr *a;
    if (++p->depth > EXPR_DEPTH)
        return ni_fail(p->context, NAS_E_LIMIT, "the expression is nested too deeply");
    NI_TRY(parse_not(p, &a));
    p->depth--;
    return make(p, out, E_NOT, a, NULL);
}

static nas_status parse_and(parser *p, ni_expr **out) {
    static const binary_symbol all[] = {{"and", E_AND}};
    return parse_chain(p, out, all, 1, parse_not);
}

static nas_status parse_or(parser *p, ni_expr **out) {
    static const binary_symbol all[] = {{"or", E_OR}};
    if (++p->depth > EXPR_DEPTH)
        return ni_fail(p->context, NAS_E_LIMIT, "the expression is nested too deeply");
    NI_TRY(parse_chain(p, out, all, 1, parse_and));
    p->depth--;
    return NAS_OK;
}

nas_status ni_expr_parse(ni_expr **out, nas_context *context, const char *text,
                         const ni_names *names, size_t *column) {
    parser p = {context, text, text, names, 0, -1};
    ni_expr *e = NULL;
    *column = 1;
    if (strlen(text) > EXPR_TEXT)
        return ni_fail(context, NAS_E_LIMIT, "an expression may have %d characters", EXPR_TEXT);
    nas_status status = parse_or(&p, &e);
    blanks(&p);
    if (status >= 0 && *p.at) {
        ni_expr_free(context, e);
        status = ni_fail(context, NAS_E_SYNTAX, "'%s' has no place after the expression", p.at);
    }
    *column = (size_t)(p.at - text) + 1;
    if (status >= 0) *out = e;
    return status;
}

bool ni_expr_needs_costs(const ni_expr *e) {
    if (!e) return false;
    return (e->kind == E_COST && e->index < NI_COST_CONNECTED) || ni_expr_needs_costs(e->a) ||
           ni_expr_needs_costs(e->b);
}

bool ni_expr_needs_network(const ni_expr *e) {
    if (!e) return false;
    return (e->kind == E_COST &&
            (e->index == NI_COST_ACTIVATION_BYTES || e->index == NI_COST_DEPTH)) ||
           ni_expr_needs_network(e->a) || ni_expr_needs_network(e->b);
}

bool ni_expr_is_bound(const ni_expr *e, uint32_t *cost, double *low, double *high) {
    if ((e->kind != E_LE && e->kind != E_GE) || e->a->kind != E_COST || e->b->kind != E_NUMBER)
        return false;
    *cost = e->a->index;
    *low = e->kind == E_GE ? e->b->number : -INFINITY;
    *high = e->kind == E_LE ? e->b->number : INFINITY;
    return true;
}

/* A value that depends on nothing. */
static bool is_constant(const ni_expr *e) {
    return !e ||
           (e->kind != E_VALUE && e->kind != E_COST && is_constant(e->a) && is_constant(e->b));
}

/* e is factor * cost. */
static bool is_one_cost(const ni_expr *e, uint32_t *cost, double *factor) {
    if (e->kind == E_COST) {
        *cost = e->index;
        *factor = 1;
        return true;
    }
    if (e->kind == E_DIV && is_constant(e->b) && is_one_cost(e->a, cost, factor)) {
        *factor /= ni_expr_value(e->b, NULL, NULL);
        return isfinite(*factor) && *factor != 0;
    }
    if (e->kind != E_MUL) return false;
    const ni_expr *number = is_constant(e->a) ? e->a : e->b, *rest = number == e->a ? e->b : e->a;
    if (!is_constant(number) || !is_one_cost(rest, cost, factor)) return false;
    *factor *= ni_expr_value(number, NULL, NULL);
    return isfinite(*factor) && *factor != 0;
}

void ni_expr_bounds(const ni_expr *e, double *low, double *high) {
    uint32_t cost;
    double factor;
    expr_kind kind = e->kind;
    if (kind == E_AND) {
        ni_expr_bounds(e->a, low, high);
        ni_expr_bounds(e->b, low, high);
        return;
    }
    if (kind == E_COST) { /* "connected": not zero, and costs are not negative */
        if (low[e->index] < 1) low[e->index] = 1;
        return;
    }
    if (kind != E_LE && kind != E_LT && kind != E_GE && kind != E_GT && kind != E_EQ) return;
    const ni_expr *side = e->a, *number = e->b;
    bool turned = !is_constant(number);
    if (turned) side = e->b, number = e->a;
    if (!is_constant(number) || !is_one_cost(side, &cost, &factor)) return;
    double bound = ni_expr_value(number, NULL, NULL) / factor;
    bool above = (kind == E_LE || kind == E_LT) != turned;
    if (factor < 0) above = !above;
    if (isnan(bound)) return;
    /* costs are whole: one past a bound that must not be reached */
    bool strict = kind == E_LT || kind == E_GT;
    double slack = factor == 1 ? 0 : fabs(bound) * 1e-9; /* division rounds: never too narrow */
    double most = strict ? ceil(bound + slack) - 1 : floor(bound + slack);
    double least = strict ? floor(bound - slack) + 1 : ceil(bound - slack);
    if ((above || kind == E_EQ) && most < high[cost]) high[cost] = most;
    if ((!above || kind == E_EQ) && least > low[cost]) low[cost] = least;
}

double ni_expr_value(const ni_expr *e, const double *values, const double *costs) {
    double a, b;
    switch (e->kind) {
    case E_NUMBER:
        return e->number;
    case E_VALUE:
        return values ? values[e->index] : (double)NAN;
    case E_COST:
        return costs ? costs[e->index] : (double)NAN;
    case E_AND:
        return ni_expr_value(e->a, values, costs) != 0 && ni_expr_value(e->b, values, costs) != 0;
    case E_OR:
        return ni_expr_value(e->a, values, costs) != 0 || ni_expr_value(e->b, values, costs) != 0;
    case E_NOT:
        return ni_expr_value(e->a, values, costs) == 0;
    case E_NEG:
        return -ni_expr_value(e->a, values, costs);
    case E_LOG2:
        return log2(ni_expr_value(e->a, values, costs));
    default:
        break;
    }
    a = ni_expr_value(e->a, values, costs);
    b = ni_expr_value(e->b, values, costs);
    /* A comparison with a decision that is not active holds: there is nothing that could break it.
     */
    switch (e->kind) {
    case E_LE:
        return !(a > b);
    case E_LT:
        return !(a >= b);
    case E_GE:
        return !(a < b);
    case E_GT:
        return !(a <= b);
    case E_EQ:
        return isnan(a) || isnan(b) || a == b;
    case E_NE:
        return a != b;
    case E_ADD:
        return a + b;
    case E_SUB:
        return a - b;
    case E_MUL:
        return a * b;
    case E_DIV:
        return a / b;
    case E_MIN:
        return fmin(a, b);
    default:
        return fmax(a, b);
    }
}
