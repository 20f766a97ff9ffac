/* Uniform draws inside bounds on parameters and multiply-accumulates, without trying in vain.
 *
 * Where a template says how its costs come about decision by decision (ni_walk_ops), the number of
 * ways to finish inside the bounds is found by dynamic programming over (decision, state, sums so
 * far), and a draw takes each alternative in proportion to it. Sums that can no longer leave the
 * bounds are one; where the sums are still too many, they are counted in steps of some size: what
 * is drawn then may lie just outside, and is drawn again, which keeps the draw uniform. */
#include <math.h>
#include "internal.h"

enum { NODES_EXACT = 1 << 16, NODES_MOST = 1 << 18, STATES_MOST = 1 << 18 };
enum { CHILDREN_MOST = 1 << 22, TABLE_MOST = 1 << 18, DRAWS_MOST = 200000 };
#define FREE INT64_MAX /* a sum that can no longer leave its bounds */

typedef struct {
    uint32_t next; /* state of the next layer; NI_NONE: not allowed */
    int64_t cost[2];
    int64_t activation, depth;
} transition;
typedef struct {
    uint32_t n, n_values;
    uint64_t *state;
    transition *moves;          /* n * n_values */
    double *least[2], *most[2]; /* of what is still to come */
    /* What rounding to whole steps has left out so far: the sum lies between steps + under and
     * steps + over. */
    double *under[2], *over[2];
} layer;
typedef struct {
    uint32_t state;
    int64_t sum[2]; /* in steps; FREE */
    double ways;
} node;
struct ni_walk {
    nas_context *context;
    const nas_space *space;
    uint32_t n;             /* decisions */
    layer *layers;          /* n + 1 */
    double low[2], high[2]; /* without what no decision changes */
    int64_t step[2];
    NI_ARRAY(node) nodes;
    size_t *first; /* node of each layer, n + 2 */
    ni_map *known; /* hash of (layer, state, sums), probed upwards, to node */
    bool connected;
    double most_activation; /* of chains: bytes that must not be passed, at any decision */
    ni_walk_cost fixed;
    ni_walk_cost *last; /* of each state after the last decision */
    /* Where each alternative of each node leads (NI_NONE: nowhere), a layer's from children[layer]
     * on; NULL: they would be too many. */
    uint32_t *child;
    size_t *children;
};

/* Restricts a decision to what one of two parents has (crossover). */
typedef struct {
    const nas_arch *a, *b;
} parents;

void ni_walk_free(ni_walk *w) {
    if (!w) return;
    nas_context *context = w->context;
    for (uint32_t i = 0; w->layers && i <= w->n; i++) {
        layer *l = &w->layers[i];
        ni_free(context, l->state);
        ni_free(context, l->moves);
        for (int k = 0; k < 2; k++) {
            ni_free(context, l->least[k]);
            ni_free(context, l->most[k]);
            ni_free(context, l->under[k]);
            ni_free(context, l->over[k]);
        }
    }
    ni_free(context, w->layers);
    ni_free(context, w->first);
    ni_free(context, w->last);
    ni_free(context, w->child);
    ni_free(context, w->children);
    NI_ARRAY_FREE(context, &w->nodes);
    if (w->known) ni_map_free(w->known);
    ni_free(context, w);
}

/* ---- states, forwards
 * ----------------------------------------------------------------------------- */

typedef NI_ARRAY(uint64_t) states_array;

static nas_status state_number(ni_walk *w, ni_map *map, states_array *all, uint64_t state,
                               uint32_t *out) {
    uint64_t value;
    if (ni_map_get(map, state, &value)) {
        *out = (uint32_t)value;
        return NAS_OK;
    }
    if (all->n >= STATES_MOST) return NAS_E_UNSUPPORTED;
    *out = (uint32_t)all->n;
    NI_TRY(NI_PUSH(w->context, all, state));
    return ni_map_put(map, state, *out);
}

static nas_status expand_layer(ni_walk *w, uint32_t i, const parents *of) {
    const nas_space *s = w->space;
    const ni_walk_ops *ops = s->template->ops->walk;
    layer *l = &w->layers[i];
    uint32_t d = s->template->first_decision + i;
    states_array after = {0};
    ni_map *map = NULL;
    l->n_values = s->decisions.items[d].about.n_alternatives;
    nas_status status = ni_map_create(&map, w->context);
    if (status >= 0 &&
        !(l->moves = ni_calloc(w->context, (size_t)l->n * l->n_values, sizeof *l->moves)))
        status = NAS_E_MEMORY;
    for (uint32_t v = 0; status >= 0 && v < l->n; v++) {
        transition *moves = &l->moves[v * l->n_values];
        uint32_t n_allowed = 0;
        for (uint32_t k = 0; status >= 0 && k < l->n_values; k++) {
            ni_walk_cost cost = {0, 0, 0, 0};
            uint64_t next = 0;
            bool allowed = true;
            moves[k].next = NI_NONE;
            status = ops->step(s, d, l->state[v], k, &next, &allowed, &cost);
            if (status < 0 || !allowed) continue;
            n_allowed++;
            if ((double)cost.activation > w->most_activation) continue;
            /* of parents only what they have there; a decision that does not apply has one value */
            bool had = !of || (nas_arch_active(of->a, d) && of->a->values[d].integer == k) ||
                       (nas_arch_active(of->b, d) && of->b->values[d].integer == k);
            moves[k].cost[0] = cost.params;
            moves[k].cost[1] = cost.macs;
            moves[k].activation = cost.activation;
            moves[k].depth = cost.depth;
            if (had || (k == 0 && of)) status = state_number(w, map, &after, next, &moves[k].next);
        }
        if (of && n_allowed > 1 && status >= 0 &&
            !((nas_arch_active(of->a, d) && of->a->values[d].integer == 0) ||
              (nas_arch_active(of->b, d) && of->b->values[d].integer == 0)))
            moves[0].next = NI_NONE;
    }
    if (map) ni_map_free(map);
    w->layers[i + 1].state = after.items;
    w->layers[i + 1].n = (uint32_t)after.n;
    return status;
}

/* ---- what is still to come, backwards
 * ------------------------------------------------------------- */

static nas_status bound_layer(ni_walk *w, uint32_t i) {
    const nas_space *s = w->space;
    layer *l = &w->layers[i];
    for (int k = 0; k < 2; k++) {
        l->least[k] = ni_calloc(w->context, l->n + 1u, sizeof *l->least[k]);
        l->most[k] = ni_calloc(w->context, l->n + 1u, sizeof *l->most[k]);
        l->under[k] = ni_calloc(w->context, l->n + 1u, sizeof *l->under[k]);
        l->over[k] = ni_calloc(w->context, l->n + 1u, sizeof *l->over[k]);
        if (!l->least[k] || !l->most[k] || !l->under[k] || !l->over[k]) return NAS_E_MEMORY;
        for (uint32_t v = 0; v < l->n; v++)
            l->least[k][v] = INFINITY, l->most[k][v] = -INFINITY;
    }
    for (uint32_t v = 0; v < l->n; v++) {
        if (i == w->n) {
            ni_walk_cost cost = {0, 0, 0, 0};
            bool connected = true;
            NI_TRY(s->template->ops->walk->end(s, l->state[v], &connected, &cost));
            w->last[v] = cost;
            if (w->connected && !connected) continue;
            if ((double)cost.activation > w->most_activation) continue;
            l->least[0][v] = l->most[0][v] = (double)cost.params;
            l->least[1][v] = l->most[1][v] = (double)cost.macs;
            continue;
        }
        for (uint32_t m = 0; m < l->n_values; m++) {
            const transition *move = &l->moves[v * l->n_values + m];
            if (move->next == NI_NONE) continue;
            for (int k = 0; k < 2; k++) {
                double least = (double)move->cost[k] + w->layers[i + 1].least[k][move->next];
                double most = (double)move->cost[k] + w->layers[i + 1].most[k][move->next];
                if (least < l->least[k][v]) l->least[k][v] = least;
                if (most > l->most[k][v]) l->most[k][v] = most;
            }
        }
    }
    return NAS_OK;
}

/* ---- sums, forwards
 * ------------------------------------------------------------------------------- */

static int64_t rounded(int64_t cost, int64_t step) {
    return (cost + step / 2) / step;
}

static void bound_rounding(ni_walk *w) {
    for (uint32_t i = 0; i <= w->n; i++)
        for (int k = 0; k < 2; k++)
            for (uint32_t v = 0; v < w->layers[i].n; v++) {
                w->layers[i].under[k][v] = i ? INFINITY : 0;
                w->layers[i].over[k][v] = i ? -INFINITY : 0;
            }
    for (uint32_t i = 0; i < w->n; i++) {
        const layer *l = &w->layers[i];
        layer *next = &w->layers[i + 1];
        for (uint32_t at = 0; at < l->n * l->n_values; at++) {
            const transition *move = &l->moves[at];
            if (move->next == NI_NONE) continue;
            for (int k = 0; k < 2; k++) {
                int64_t left = move->cost[k] - rounded(move->cost[k], w->step[k]) * w->step[k];
                double under = l->under[k][at / l->n_values] + (double)left;
                double over = l->over[k][at / l->n_values] + (double)left;
                if (under < next->under[k][move->next]) next->under[k][move->next] = under;
                if (over > next->over[k][move->next]) next->over[k][move->next] = over;
            }
        }
    }
}

/* Where a move leads from sums after `i` decisions; false: out of the bounds for certain. */
static bool moved(const ni_walk *w, uint32_t i, const node *from, const transition *move,
                  node *to) {
    const layer *next = &w->layers[i + 1];
    to->state = move->next;
    to->ways = 0;
    for (int k = 0; k < 2; k++) {
        double least = next->least[k][move->next], most = next->most[k][move->next];
        if (!(least <= most)) return false;
        to->sum[k] = FREE;
        if (from->sum[k] == FREE) continue;
        int64_t sum = from->sum[k] + rounded(move->cost[k], w->step[k]);
        double steps = (double)sum * (double)w->step[k];
        double under = steps + next->under[k][move->next];
        double over = steps + next->over[k][move->next];
        if (under + least > w->high[k] || over + most < w->low[k]) return false;
        if (under + least < w->low[k] || over + most > w->high[k]) to->sum[k] = sum;
    }
    return true;
}

static bool find_node(const ni_walk *w, uint32_t layer_number, const node *like, uint64_t *key,
                      size_t *out) {
    uint64_t words[4] = {layer_number, like->state, (uint64_t)like->sum[0], (uint64_t)like->sum[1]};
    uint64_t value;
    for (*key = ni_hash(words, sizeof words); ni_map_get(w->known, *key, &value); ++*key) {
        const node *n = &w->nodes.items[value];
        if (value < w->first[layer_number] || n->state != like->state ||
            n->sum[0] != like->sum[0] || n->sum[1] != like->sum[1])
            continue;
        *out = (size_t)value;
        return true;
    }
    return false;
}

/* Where alternative m of a node of layer i leads. */
static bool find_child(const ni_walk *w, uint32_t i, size_t at, uint32_t m, size_t *out) {
    const layer *l = &w->layers[i];
    const node *from = &w->nodes.items[at];
    const transition *move = &l->moves[from->state * l->n_values + m];
    node to;
    uint64_t key;
    return move->next != NI_NONE && moved(w, i, from, move, &to) &&
           find_node(w, i + 1, &to, &key, out);
}

static nas_status room_for_children(ni_walk *w) {
    size_t n = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        w->children[i] = n;
        n += (w->first[i + 1] - w->first[i]) * w->layers[i].n_values;
    }
    ni_free(w->context, w->child);
    w->child = NULL;
    if (n > CHILDREN_MOST) return NAS_OK;
    w->child = ni_calloc(w->context, n + 1, sizeof *w->child);
    return w->child ? NAS_OK : NAS_E_MEMORY;
}

/* NAS_E_LIMIT: too many sums for these steps. */
static nas_status count_ways(ni_walk *w, size_t most) {
    w->nodes.n = 0;
    bound_rounding(w);
    if (w->known) ni_map_free(w->known);
    w->known = NULL;
    NI_TRY(ni_map_create(&w->known, w->context));
    node start = {0, {0, 0}, 0};
    for (int k = 0; k < 2; k++)
        if (isinf(w->low[k]) && isinf(w->high[k])) start.sum[k] = FREE;
    w->first[0] = 0;
    NI_TRY(NI_PUSH(w->context, &w->nodes, start));
    for (uint32_t i = 0; i < w->n; i++) {
        const layer *l = &w->layers[i];
        w->first[i + 1] = w->nodes.n;
        for (size_t at = w->first[i]; at < w->first[i + 1]; at++)
            for (uint32_t m = 0; m < l->n_values; m++) {
                node from = w->nodes.items[at], to;
                const transition *move = &l->moves[from.state * l->n_values + m];
                uint64_t key;
                size_t found;
                if (move->next == NI_NONE || !moved(w, i, &from, move, &to) ||
                    find_node(w, i + 1, &to, &key, &found))
                    continue;
                if (w->nodes.n >= most) return NAS_E_LIMIT;
                NI_TRY(NI_PUSH(w->context, &w->nodes, to));
                NI_TRY(ni_map_put(w->known, key, w->nodes.n - 1));
            }
    }
    w->first[w->n + 1] = w->nodes.n;
    for (size_t at = w->first[w->n]; at < w->nodes.n; at++)
        w->nodes.items[at].ways = 1;
    NI_TRY(room_for_children(w));
    for (uint32_t i = w->n; i-- > 0;)
        for (size_t at = w->first[i]; at < w->first[i + 1]; at++) {
            node *from = &w->nodes.items[at];
            for (uint32_t m = 0; m < w->layers[i].n_values; m++) {
                size_t found;
                bool there = find_child(w, i, at, m, &found);
                if (there) from->ways += w->nodes.items[found].ways;
                if (w->child)
                    w->child[w->children[i] + (at - w->first[i]) * w->layers[i].n_values + m] =
                        there ? (uint32_t)found : NI_NONE;
            }
        }
    return NAS_OK;
}

/* ---- the whole
 * ------------------------------------------------------------------------------------ */

static void bounds_of(const nas_space *s, double low[2], double high[2], bool *connected,
                      double *activation) {
    double lows[NI_COST_COUNT], highs[NI_COST_COUNT];
    ni_space_bounds(s, lows, highs);
    ni_space_two_bounds(s, lows, highs, low, high);
    *connected = lows[NI_COST_CONNECTED] >= 1;
    *activation = s->template && s->template->ops->walk && s->template->ops->walk->chain
                      ? highs[NI_COST_ACTIVATION_BYTES]
                      : INFINITY;
}

bool ni_walk_helps(const nas_space *s) {
    double low[2], high[2], activation;
    bool connected;
    const ni_template *t = s->template;
    if (!t || !t->ops->walk || !ni_space_template_apart(s)) return false;
    bounds_of(s, low, high, &connected, &activation);
    return connected || !isinf(low[0]) || !isinf(low[1]) || !isinf(high[0]) || !isinf(high[1]) ||
           !isinf(activation);
}

/* bounded false: a table of costs alone. */
static nas_status prepare(ni_walk *w, const parents *of, bool bounded) {
    const nas_space *s = w->space;
    uint64_t state = 0;
    NI_TRY(s->template->ops->walk->start(s, &state, &w->fixed));
    bounds_of(s, w->low, w->high, &w->connected, &w->most_activation);
    if (!bounded) {
        w->connected = false;
        w->most_activation = INFINITY;
    }
    if ((double)w->fixed.activation > w->most_activation)
        w->most_activation = -1; /* what no decision changes is too much already */
    double base[2] = {(double)w->fixed.params, (double)w->fixed.macs};
    for (int k = 0; k < 2; k++) {
        w->low[k] -= base[k];
        w->high[k] -= base[k];
        w->step[k] = 1;
    }
    w->n = s->template->n_decisions;
    w->layers = ni_calloc(w->context, w->n + 1u, sizeof *w->layers);
    w->first = ni_calloc(w->context, w->n + 2u, sizeof *w->first);
    w->children = ni_calloc(w->context, w->n + 1u, sizeof *w->children);
    uint64_t *first = ni_alloc(w->context, sizeof *first);
    if (!w->layers || !w->first || !w->children || !first) {
        ni_free(w->context, first);
        return NAS_E_MEMORY;
    }
    *first = state;
    w->layers[0].state = first;
    w->layers[0].n = 1;
    size_t moves = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        NI_TRY(expand_layer(w, i, of));
        moves += (size_t)w->layers[i].n * w->layers[i].n_values;
        if (!bounded && moves > TABLE_MOST) return NAS_E_UNSUPPORTED;
    }
    w->last = ni_calloc(w->context, w->layers[w->n].n + 1u, sizeof *w->last);
    if (!w->last) return NAS_E_MEMORY;
    for (uint32_t i = w->n + 1; i-- > 0;)
        NI_TRY(bound_layer(w, i));
    return NAS_OK;
}

nas_status ni_walk_create(ni_walk **out, const nas_space *s, const nas_arch *a, const nas_arch *b) {
    static const int finer[] = {12, 10, 8, 6};
    const parents of = {a, b};
    ni_walk *w = ni_calloc(s->context, 1, sizeof *w);
    if (!w) return NAS_E_MEMORY;
    w->context = s->context;
    w->space = s;
    nas_status status = prepare(w, a ? &of : NULL, true);
    if (status >= 0) status = count_ways(w, NODES_EXACT);
    for (size_t i = 0; status == NAS_E_LIMIT && i < NI_COUNT(finer); i++) {
        for (int k = 0; k < 2; k++) {
            double range = w->layers[0].most[k][0] - w->layers[0].least[k][0];
            w->step[k] = range > 0 ? (int64_t)(range / (double)(1 << finer[i])) + 1 : 1;
        }
        status = count_ways(w, NODES_MOST);
    }
    if (status == NAS_E_LIMIT) status = NAS_E_UNSUPPORTED;
    if (status < 0) {
        ni_walk_free(w);
        return status;
    }
    *out = w;
    return NAS_OK;
}

double ni_walk_ways(const ni_walk *w) {
    return w->nodes.items[0].ways;
}

bool ni_walk_range(const ni_walk *w, double least[2], double most[2]) {
    const double fixed[2] = {(double)w->fixed.params, (double)w->fixed.macs};
    for (int k = 0; k < 2; k++) {
        least[k] = fixed[k] + w->layers[0].least[k][0];
        most[k] = fixed[k] + w->layers[0].most[k][0];
    }
    return !isinf(least[0]);
}

bool ni_walk_exact(const ni_walk *w) {
    return w->step[0] == 1 && w->step[1] == 1;
}

static bool draw(const ni_walk *w, nas_random *random, nas_value *values) {
    size_t at = 0;
    double sum[2] = {0, 0};
    for (uint32_t i = 0; i < w->n; i++) {
        const layer *l = &w->layers[i];
        const node *from = &w->nodes.items[at];
        const uint32_t *child =
            w->child ? w->child + w->children[i] + (at - w->first[i]) * l->n_values : NULL;
        const size_t here = at;
        double left = nas_random_uniform(random) * from->ways;
        const transition *taken = NULL;
        for (uint32_t m = 0; m < l->n_values; m++) {
            size_t found = child ? child[m] : 0;
            if (child ? child[m] == NI_NONE : !find_child(w, i, here, m, &found)) continue;
            if (!(w->nodes.items[found].ways > 0)) continue;
            at = found; /* the last one, should rounding leave a little over */
            taken = &l->moves[from->state * l->n_values + m];
            values[w->space->template->first_decision + i].integer = m;
            left -= w->nodes.items[found].ways;
            if (left < 0) break;
        }
        for (int k = 0; taken && k < 2; k++)
            sum[k] += (double)taken->cost[k];
    }
    uint32_t last = w->nodes.items[at].state;
    for (int k = 0; k < 2; k++) {
        sum[k] += w->layers[w->n].least[k][last];
        if (sum[k] < w->low[k] || sum[k] > w->high[k]) return false;
    }
    return true;
}

bool ni_walk_draw(const ni_walk *w, nas_random *random, nas_value *values) {
    for (int i = 0; i < DRAWS_MOST; i++)
        if (draw(w, random, values)) return true;
    return false;
}

nas_status ni_walk_table(ni_walk **out, const nas_space *s) {
    ni_walk *w = ni_calloc(s->context, 1, sizeof *w);
    if (!w) return NAS_E_MEMORY;
    w->context = s->context;
    w->space = s;
    nas_status status = prepare(w, NULL, false);
    if (status < 0) {
        ni_walk_free(w);
        return status;
    }
    *out = w;
    return NAS_OK;
}

static void add_cost(ni_walk_cost *to, const ni_walk_cost *from) {
    to->params += from->params;
    to->macs += from->macs;
    to->depth += from->depth;
    if (from->activation > to->activation) to->activation = from->activation;
}

bool ni_walk_look_up(const ni_walk *w, const nas_arch *arch, ni_walk_cost *out) {
    const nas_value *values = arch->values + w->space->template->first_decision;
    uint32_t state = 0;
    *out = w->fixed;
    for (uint32_t i = 0; i < w->n; i++) {
        const layer *l = &w->layers[i];
        const transition *move = &l->moves[state * l->n_values + (uint64_t)values[i].integer];
        if (move->next == NI_NONE) return false;
        const ni_walk_cost cost = {move->cost[0], move->cost[1], move->activation, move->depth};
        add_cost(out, &cost);
        state = move->next;
    }
    add_cost(out, &w->last[state]);
    return true;
}

nas_status ni_walk_sum(const nas_arch *arch, ni_walk_cost *out, bool *connected) {
    const ni_template *t = arch->space->template;
    uint64_t state = 0;
    memset(out, 0, sizeof *out);
    NI_TRY(t->ops->walk->start(arch->space, &state, out));
    for (uint32_t i = 0; i < t->n_decisions; i++) {
        bool allowed = true;
        uint32_t d = t->first_decision + i;
        NI_TRY(t->ops->walk->step(arch->space, d, state, (uint32_t)arch->values[d].integer, &state,
                                  &allowed, out));
        if (!allowed)
            return ni_fail(arch->space->context, NAS_E_INVALID,
                           "decision '%s' has no such value there",
                           arch->space->decisions.items[d].name);
    }
    return t->ops->walk->end(arch->space, state, connected, out);
}
