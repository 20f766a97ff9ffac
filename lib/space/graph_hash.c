/* Hash of a labelled graph that does not depend on the order of its nodes: each node's hash takes
 * in those of its predecessors and successors, for as many rounds as there are nodes (Weisfeiler
 * and Leman's refinement; the way NAS-Bench-101 hashes its cells, nasbench/lib/graph_util.py). The
 * tests check that it tells apart every class of the spaces that can be listed. */
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

/* Mixes 64 bits so that sums of the results stand for multisets (splitmix64's finalizer). */
static uint64_t mix(uint64_t x) {
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t ni_dag_hash(const ni_dag *dag) {
    uint64_t now[NI_DAG_MOST], in[NI_DAG_MOST], out[NI_DAG_MOST];
    /* Enough for every pair of nodes to hear of each other, and no more than tells them apart. */
    uint32_t rounds = dag->n < 16 ? dag->n : 16;
    for (uint32_t v = 0; v < dag->n; v++)
        now[v] = mix(dag->label[v] + UINT64_C(0x9e3779b97f4a7c15));
    for (uint32_t round = 0; round < rounds; round++) {
        memset(in, 0, dag->n * sizeof *in);
        memset(out, 0, dag->n * sizeof *out);
        for (uint32_t e = 0; e < dag->n_edges; e++) {
            in[dag->to[e]] += mix(now[dag->from[e]] + 1);
            out[dag->from[e]] += mix(now[dag->to[e]] + 2);
        }
        for (uint32_t v = 0; v < dag->n; v++)
            now[v] = mix(now[v] + 3 * mix(in[v] + 4) + 5 * mix(out[v] + 6));
    }
    uint64_t sum = 0;
    for (uint32_t v = 0; v < dag->n; v++)
        sum += mix(now[v] + 7);
    return mix(sum + dag->n);
}
