/* Uniform draws of cells with a free matrix inside bounds on edges, vertices, parameters and
 * multiply-accumulates, none in vain.
 *
 * What is left of a matrix when it is pruned decides all of these. So the matrices without anything
 * to prune are listed once, each with the number of operations that its vertices may take inside
 * the bounds, times the number of whole matrices that prune to it. The latter does not depend on
 * its edges: it is the sum, over the places K that its k vertices may have among all, of the number
 * d(K) of ways to set the edges of the other, dead vertices so that none of them lies on a path
 * from the input to the output.
 *
 * d(K): a dead vertex is reached from the input (F), or reaches the output (B), or neither (N), and
 * never both. Over all such labels: an F has one edge or more from those before it that are kept or
 * F, a B one or more to those after it that are kept or B: 2^n - 1 ways each. Between two dead
 * vertices u before v another edge is free where u is not F and v is not B (there it would change
 * nobody's label): 2 ways. All other edges of dead vertices are absent. */
#include <math.h>
#include "matrix.h"

enum {
    LISTED_VERTICES_MOST = 7, /* 2^21 matrices are looked at */
    COSTED_MOST = 1 << 16,    /* matrices whose operations are tried */
    OPERATIONS_MOST = 1 << 14 /* ... this many for each */
};

typedef enum { DEAD_N, DEAD_F, DEAD_B } dead_label;

/* A matrix without anything to prune; its edges as bits in the order (0,1), (0,2), (1,2), ... */
typedef struct {
    uint32_t edges, vertices; /* vertices 2, edges 0: the input and the output, not connected */
    double ways;              /* of this and all before it */
} kept_matrix;

typedef struct {
    nas_context *context;
    const nas_space *space;
    double low[2], high[2];
    bool costs;                      /* are there bounds on params or macs? */
    double dead[1 << VERTICES_MOST]; /* d(K), by the bits of K */
    NI_ARRAY(kept_matrix) all;
} matrix_inside;

static void destroy(nas_context *context, void *self_) {
    matrix_inside *self = self_;
    NI_ARRAY_FREE(context, &self->all);
    ni_free(context, self);
}

static double power(double base, uint32_t n) {
    return n == 0 ? 1 : base * power(base, n - 1);
}

/* ---- dead vertices ----------------------------------------------------------------------------
 */

static bool is_kept(uint32_t kept, uint32_t v) {
    return kept >> v & 1;
}

/* Ways to set the edges of dead vertices with these labels (of vertices not kept). */
static double label_ways(uint32_t n, uint32_t kept, const dead_label *label) {
    double ways = 1;
    for (uint32_t v = 1; v + 1 < n; v++) {
        uint32_t first = 0, others = 0;
        if (is_kept(kept, v)) continue;
        if (label[v] == DEAD_F)
            for (uint32_t u = 0; u < v; u++)
                others += is_kept(kept, u) || label[u] == DEAD_F;
        if (label[v] == DEAD_B)
            for (uint32_t u = v + 1; u < n; u++)
                others += is_kept(kept, u) || label[u] == DEAD_B;
        if (label[v] != DEAD_N) ways *= power(2, others) - 1;
        for (uint32_t u = 1; label[v] != DEAD_B && u < v; u++)
            first += !is_kept(kept, u) && label[u] != DEAD_F;
        ways *= power(2, first);
    }
    return ways;
}

/* The next labels of dead vertices; false: all were. */
static bool next_labels(uint32_t n, uint32_t kept, dead_label *label) {
    for (uint32_t v = 1; v + 1 < n; v++) {
        if (is_kept(kept, v)) continue;
        if (label[v] < DEAD_B) {
            label[v]++;
            return true;
        }
        label[v] = DEAD_N;
    }
    return false;
}

static double dead_ways(uint32_t n, uint32_t kept) {
    dead_label label[VERTICES_MOST] = {DEAD_N};
    double ways = 0;
    do
        ways += label_ways(n, kept, label);
    while (next_labels(n, kept, label));
    return ways;
}

/* Sets of `k` kept vertices, the first and the last among them: the next one from *kept = 0 on. */
static bool next_kept(uint32_t n, uint32_t k, uint32_t *kept) {
    const uint32_t ends = 1u | 1u << (n - 1);
    for (uint32_t next = *kept ? *kept + 1 : ends; next < 1u << n; next++)
        if ((next & ends) == ends && (uint32_t)__builtin_popcount(next) == k) {
            *kept = next;
            return true;
        }
    return false;
}

/* How many matrices of n vertices prune to one of k. */
static double placings(const matrix_inside *self, uint32_t n, uint32_t k) {
    double ways = 0;
    for (uint32_t kept = 0; next_kept(n, k, &kept);)
        ways += self->dead[kept];
    return ways;
}

/* ---- matrices without dead vertices -----------------------------------------------------------
 */

/* false: it has dead vertices. */
static bool read_matrix(uint32_t edges, uint32_t n, pruned *p) {
    uint32_t forward = 1, backward = 1u << (n - 1);
    memset(p, 0, sizeof *p);
    if (n > LISTED_VERTICES_MOST) return false;
    for (uint32_t b = 1, e = 0; b < n; b++)
        for (uint32_t a = 0; a < b; a++, e++) {
            if (!(edges >> e & 1)) continue;
            p->to[a] = (uint8_t)(p->to[a] | 1 << b);
            p->from[b] = (uint8_t)(p->from[b] | 1 << a);
        }
    for (uint32_t v = 1; v < n; v++)
        if (p->from[v] & forward) forward |= 1u << v;
    for (uint32_t v = n; v-- > 0;)
        if (p->to[v] & backward) backward |= 1u << v;
    p->n = n;
    p->edges = (uint32_t)__builtin_popcount(edges);
    p->connected = (forward & backward) == (1u << n) - 1;
    return p->connected;
}

/* What operations cost at each interior vertex of a matrix, and the rest of the network. */
typedef struct {
    ni_walk_cost frame;
    uint32_t n, n_operations; /* interior vertices */
    ni_walk_cost at[VERTICES_MOST][64];
} vertex_costs;

static nas_status cost_vertices(const matrix_template *t, const pruned *p, vertex_costs *out) {
    int64_t channels[MATRIX_STAGES_MOST][VERTICES_MOST], one[MATRIX_STAGES_MOST];
    NI_TRY(ni_matrix_frame_cost(t, p, &out->frame));
    out->n = p->connected ? p->n - 2 : 0;
    out->n_operations = t->n_operations;
    for (int64_t stage = 0; p->connected && stage < t->stages; stage++)
        ni_matrix_channels(t, p, stage, channels[stage]);
    for (uint32_t v = 0; v < out->n; v++) {
        for (int64_t stage = 0; stage < t->stages; stage++)
            one[stage] = channels[stage][v + 1];
        for (uint32_t k = 0; k < t->n_operations; k++) {
            memset(&out->at[v][k], 0, sizeof out->at[v][k]);
            NI_TRY(ni_matrix_operation_cost(t, k, one, &out->at[v][k]));
        }
    }
    return NAS_OK;
}

/* Operations inside the bounds: how many; the one numbered `pick` into chosen (NULL: none). */
static uint64_t try_operations(const matrix_inside *self, const vertex_costs *c, uint64_t pick,
                               uint32_t *chosen) {
    uint32_t now[VERTICES_MOST] = {0};
    uint64_t n = 0;
    for (;;) {
        double params = (double)c->frame.params, macs = (double)c->frame.macs;
        for (uint32_t v = 0; v < c->n; v++) {
            params += (double)c->at[v][now[v]].params;
            macs += (double)c->at[v][now[v]].macs;
        }
        if (params >= self->low[0] && params <= self->high[0] && macs >= self->low[1] &&
            macs <= self->high[1]) {
            if (chosen && n == pick) {
                memcpy(chosen, now, sizeof now);
                return n;
            }
            n++;
        }
        uint32_t v = 0;
        while (v < c->n && ++now[v] == c->n_operations)
            now[v++] = 0;
        if (v == c->n) return n;
    }
}

/* Matrices of k vertices inside the bounds on edges, each with its ways. */
static nas_status list_matrices(matrix_inside *self, uint32_t k, double edges_low,
                                double edges_high, vertex_costs *costs) {
    const matrix_template *t = matrix_of(self->space);
    const uint32_t n = t->vertices, n_edges = k * (k - 1) / 2;
    const double each = placings(self, n, k) * power(t->n_operations, n - k);
    double sum = self->all.n ? self->all.items[self->all.n - 1].ways : 0;
    for (uint32_t edges = 0; edges < 1u << n_edges; edges++) {
        uint32_t count = (uint32_t)__builtin_popcount(edges);
        pruned p;
        if (count < edges_low || count > edges_high) continue;
        if (!read_matrix(edges, k, &p) && !(k == 2 && edges == 0)) continue;
        double operations = power(t->n_operations, k - 2);
        if (self->costs) {
            if (self->all.n >= COSTED_MOST) return NAS_E_UNSUPPORTED;
            NI_TRY(cost_vertices(t, &p, costs));
            operations = (double)try_operations(self, costs, 0, NULL);
        }
        if (!(operations > 0)) continue;
        sum += operations * each;
        kept_matrix one = {edges, k, sum};
        NI_TRY(NI_PUSH(self->context, &self->all, one));
    }
    return NAS_OK;
}

static nas_status create(void **out, const nas_space *s) {
    const matrix_template *t = matrix_of(s);
    double low[NI_COST_COUNT], high[NI_COST_COUNT];
    ni_space_bounds(s, low, high);
    double two_low[2], two_high[2];
    ni_space_two_bounds(s, low, high, two_low, two_high);
    bool costs =
        !isinf(two_low[0]) || !isinf(two_low[1]) || !isinf(two_high[0]) || !isinf(two_high[1]);
    bool structure = low[NI_COST_CONNECTED] >= 1 || !isinf(low[NI_COST_EDGES]) ||
                     !isinf(high[NI_COST_EDGES]) || !isinf(low[NI_COST_VERTICES]) ||
                     !isinf(high[NI_COST_VERTICES]);
    if ((!costs && !structure) || t->vertices > LISTED_VERTICES_MOST ||
        (costs &&
         (t->n_operations > 64 || power(t->n_operations, t->vertices - 2) > OPERATIONS_MOST)))
        return NAS_E_UNSUPPORTED;
    matrix_inside *self = ni_calloc(s->context, 1, sizeof *self);
    vertex_costs *work = ni_alloc(s->context, sizeof *work);
    nas_status status = self && work ? NAS_OK : NAS_E_MEMORY;
    if (status >= 0) {
        self->context = s->context;
        self->space = s;
        self->costs = costs;
        memcpy(self->low, two_low, sizeof two_low);
        memcpy(self->high, two_high, sizeof two_high);
        for (uint32_t k = 2; k <= t->vertices; k++)
            for (uint32_t kept = 0; next_kept(t->vertices, k, &kept);)
                self->dead[kept] = dead_ways(t->vertices, kept);
    }
    for (uint32_t k = 2; status >= 0 && k <= t->vertices; k++) {
        bool inside = k >= low[NI_COST_VERTICES] && k <= high[NI_COST_VERTICES];
        double least = low[NI_COST_EDGES], most = high[NI_COST_EDGES];
        /* what is not connected has no vertices: of two, the matrix without an edge */
        if (k == 2) {
            bool apart = low[NI_COST_CONNECTED] < 1 && low[NI_COST_VERTICES] <= 0;
            if (!inside && !apart) continue;
            if (!apart && least < 1) least = 1;
            if (!inside && most > 0) most = 0;
        } else if (!inside) {
            continue;
        }
        status = list_matrices(self, k, least, most, work);
    }
    ni_free(s->context, work);
    if (status < 0) {
        if (self) destroy(s->context, self);
        return status;
    }
    *out = self;
    return NAS_OK;
}

static double ways(const void *self_) {
    const matrix_inside *self = self_;
    return self->all.n ? self->all.items[self->all.n - 1].ways : 0;
}

/* ---- a draw -----------------------------------------------------------------------------------
 */

static const kept_matrix *draw_matrix(const matrix_inside *self, nas_random *random) {
    double at = nas_random_uniform(random) * ways(self);
    size_t low = 0, high = self->all.n - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->all.items[middle].ways > at)
            high = middle;
        else
            low = middle + 1;
    }
    return &self->all.items[low];
}

static uint32_t draw_kept(const matrix_inside *self, uint32_t n, uint32_t k, nas_random *random) {
    double left = nas_random_uniform(random) * placings(self, n, k);
    uint32_t kept = 0, last = 0;
    while (left >= 0 && next_kept(n, k, &kept)) {
        left -= self->dead[kept];
        last = kept;
    }
    return last;
}

static void draw_labels(uint32_t n, uint32_t kept, double all, nas_random *random,
                        dead_label *label) {
    double left = nas_random_uniform(random) * all;
    dead_label now[VERTICES_MOST] = {DEAD_N};
    do {
        double here = label_ways(n, kept, now);
        if (!(here > 0)) continue;
        memcpy(label, now, sizeof now);
        left -= here;
    } while (left >= 0 && next_labels(n, kept, now));
}

/* A subset of the candidates that is not empty. */
static uint32_t draw_some(nas_random *random, uint32_t candidates) {
    uint32_t n = (uint32_t)__builtin_popcount(candidates), picked = 0;
    uint64_t bits = 1 + nas_random_below(random, (UINT64_C(1) << n) - 1);
    for (uint32_t v = 0, i = 0; v < VERTICES_MOST; v++)
        if (candidates >> v & 1) picked |= (uint32_t)(bits >> i++ & 1) << v;
    return picked;
}

static void draw_dead_edges(uint32_t n, uint32_t kept, const dead_label *label, nas_random *random,
                            uint32_t *to) {
    for (uint32_t v = 1; v + 1 < n; v++) {
        uint32_t candidates = 0;
        if (is_kept(kept, v)) continue;
        if (label[v] == DEAD_F) {
            for (uint32_t u = 0; u < v; u++)
                candidates |= (uint32_t)(is_kept(kept, u) || label[u] == DEAD_F) << u;
            uint32_t from = draw_some(random, candidates);
            for (uint32_t u = 0; u < v; u++)
                to[u] |= (from >> u & 1) << v;
        } else if (label[v] == DEAD_B) {
            for (uint32_t u = v + 1; u < n; u++)
                candidates |= (uint32_t)(is_kept(kept, u) || label[u] == DEAD_B) << u;
            to[v] |= draw_some(random, candidates);
        }
        for (uint32_t u = 1; label[v] != DEAD_B && u < v; u++)
            if (!is_kept(kept, u) && label[u] != DEAD_F)
                to[u] |= (uint32_t)nas_random_below(random, 2) << v;
    }
}

static void draw(const void *self_, nas_random *random, nas_value *values) {
    const matrix_inside *self = self_;
    const matrix_template *t = matrix_of(self->space);
    const uint32_t n = t->vertices;
    const kept_matrix *matrix = draw_matrix(self, random);
    uint32_t operation[VERTICES_MOST] = {0}, place[VERTICES_MOST], to[VERTICES_MOST] = {0}, k = 0;
    dead_label label[VERTICES_MOST] = {DEAD_N};
    pruned p;
    read_matrix(matrix->edges, matrix->vertices, &p);
    vertex_costs costs;
    /* Costs were asked for when the matrix was listed: they are remembered, and cannot fail. */
    if (self->costs && cost_vertices(t, &p, &costs) >= 0) {
        uint64_t all = try_operations(self, &costs, 0, NULL);
        try_operations(self, &costs, nas_random_below(random, all), operation);
    } else {
        for (uint32_t v = 0; v + 2 < p.n; v++)
            operation[v] = (uint32_t)nas_random_below(random, t->n_operations);
    }
    uint32_t kept = draw_kept(self, n, p.n, random);
    draw_labels(n, kept, self->dead[kept], random, label);
    draw_dead_edges(n, kept, label, random, to);
    for (uint32_t v = 0; v < n; v++)
        if (is_kept(kept, v)) place[k++] = v;
    for (uint32_t a = 0; a < p.n; a++)
        for (uint32_t b = a + 1; b < p.n; b++)
            to[place[a]] |= (uint32_t)(p.to[a] >> b & 1) << place[b];
    for (uint32_t a = 0; a < n; a++)
        for (uint32_t b = a + 1; b < n; b++)
            values[t->edge[a][b]].integer = to[a] >> b & 1;
    k = 0;
    for (uint32_t v = 1; v + 1 < n; v++)
        values[t->operation[v]].integer =
            is_kept(kept, v) ? operation[k++] : (int64_t)nas_random_below(random, t->n_operations);
}

const ni_inside_ops ni_matrix_inside = {create, destroy, ways, draw};
