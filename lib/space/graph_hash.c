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

/* Mixes 64 bits so that sums of the results stand for multisets. */
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

uint64_t ni_dag_hash(const ni_dag *dag) {
    enum { PASSES = 2 };
    uint64_t now[NI_DAG_MOST], sum[NI_DAG_MOST], out[NI_DAG_MOST];
    for (uint32_t v = 0; v < dag->n; v++)
        now[v] = mix_well(dag->label[v] + UINT64_C(0x9e3779b97f4a7c15));
    for (uint32_t pass = 0; pass < PASSES; pass++) {
        for (uint32_t v = 0, e = 0; v < dag->n; v++) {
            uint64_t all = 0;
            for (; e < dag->n_edges && dag->to[e] == v; e++)
                all += out[dag->from[e]];
            now[v] = mix(now[v] + 3 * all);
            out[v] = mix(now[v] + 1);
            sum[v] = 0;
        }
        for (uint32_t v = dag->n, e = dag->n_edges; v-- > 0;) {
            now[v] = mix(now[v] + 5 * sum[v]);
            const uint64_t mine = mix(now[v] + 2);
            for (; e > 0 && dag->to[e - 1] == v; e--)
                sum[dag->from[e - 1]] += mine;
        }
    }
    uint64_t all = 0;
    for (uint32_t v = 0; v < dag->n; v++)
        all += mix_well(now[v] + 7);
    return mix_well(all + dag->n);
}
