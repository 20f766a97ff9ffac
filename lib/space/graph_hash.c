/* Hash of a labelled graph that does not depend on the order of its nodes: each node's hash takes
 * in those of its predecessors, then those of its successors, and so on (Weisfeiler and Leman's
 * refinement; NAS-Bench-101 hashes its cells so, nasbench/lib/graph_util.py). Nodes are taken in
 * their order, forth and back, so that one pass carries what a node knows over whole paths, where
 * rounds over all nodes at once carry it one edge. The tests check that it tells apart every class
 * of the spaces that can be listed, and as much as the rounds do elsewhere. */
#include <stdlib.h>
#include "internal.h"

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void ni_sort_u64(uint64_t *a, uint32_t n) {
    if (n > 32) {
        qsort(a, n, sizeof *a, by_value);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        uint64_t x = a[i];
        uint32_t j = i;
        for (; j > 0 && a[j - 1] > x; j--)
            a[j] = a[j - 1];
        a[j] = x;
    }
}

static inline uint64_t mix(uint64_t x) {
    x ^= x >> 32;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 29;
}
/* ... where bits that differ little come in or the result goes out (splitmix64's finalizer). */
static inline uint64_t mix_well(uint64_t x) {
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* What comes in by the edges is summed: sums of mixed bits stand for multisets. A node's value is
 * made again at each of its edges, of which the last one counts: which edge is the last is nothing
 * that a processor can foresee, and a branch that it guesses wrong costs more than what is made in
 * vain. */
static void forth(const ni_dag *dag, const uint64_t *now, uint64_t *next) {
    uint64_t sum[NI_DAG_MOST];
    for (uint32_t v = 0; v < dag->n; v++) {
        next[v] = mix(now[v]);
        sum[v] = 0;
    }
    for (uint32_t e = 0; e < dag->n_edges; e++) {
        const uint32_t v = dag->to[e];
        sum[v] += next[dag->from[e]];
        next[v] = mix(now[v] + 3 * sum[v]);
    }
}

static void back(const ni_dag *dag, const uint64_t *now, uint64_t *next) {
    uint64_t sum[NI_DAG_MOST];
    for (uint32_t v = 0; v < dag->n; v++)
        sum[v] = 0;
    for (uint32_t e = dag->n_edges; e-- > 0;) {
        const uint32_t v = dag->to[e];
        sum[dag->from[e]] += mix(now[v] + 5 * sum[v]);
    }
    for (uint32_t v = 0; v < dag->n; v++)
        next[v] = mix(now[v] + 5 * sum[v]);
}

uint64_t ni_dag_hash(const ni_dag *dag) {
    uint64_t a[NI_DAG_MOST], b[NI_DAG_MOST], all = 0;
    a[0] = b[0] = 0; /* of a graph without nodes */
    for (uint32_t v = 0; v < dag->n; v++)
        a[v] = mix_well(dag->label[v] + UINT64_C(0x9e3779b97f4a7c15));
    /* Two sweeps leave some cells of five equal blocks alike that differ; a fourth finds no more.
     */
    forth(dag, a, b);
    back(dag, b, a);
    forth(dag, a, b);
    for (uint32_t v = 0; v < dag->n; v++)
        all += mix_well(b[v] + 7);
    return mix_well(all + dag->n);
}
