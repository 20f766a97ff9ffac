/* How many architectures there are and how many different networks: published counts, found again
 * by the canonical hashes. An argument: the most vertices of NAS-Bench-101 (7 takes minutes). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include "space/internal.h"

static nas_context *context;
static int most_vertices = 6;

static int start(void **state) {
    (void)state;
    return nas_context_create(&context, NULL);
}
static int end(void **state) {
    (void)state;
    nas_context_free(context);
    return 0;
}

static nas_space *preset(const char *name, const char *const *overrides, size_t n) {
    nas_space *space;
    if (nas_space_preset(&space, context, name, overrides, n) < 0)
        fail_msg("%s: %s", name, nas_context_error(context));
    return space;
}

static void count_is(const char *name, const char *override, const char *wanted) {
    uint64_t n;
    char digits[64];
    nas_space *space = preset(name, &override, override != NULL);
    nas_status status = nas_space_count(space, &n, digits, sizeof digits);
    assert_true(status == NAS_OK || (status == NAS_E_LIMIT && n == UINT64_MAX));
    assert_string_equal(digits, wanted);
    nas_space_free(space);
}

static void published_counts(void **state) {
    (void)state;
    count_is("nas-bench-201", NULL, "15625");
    count_is("nas-bench-macro", NULL, "6561");
    /* (C(2,2) C(3,2) C(4,2) C(5,2) * 49^4)^2: 1.0767e18 */
    count_is("darts", NULL, "1076746950455072400");
    count_is("enas-macro", NULL, "160618186625454535808756219904"); /* 6^12 * 2^66 */
    count_is("enas-micro", NULL, "25628906250000000000000000");     /* (6! * 5^5)^4 */
    /* every earlier input and operation twice, for each block; and the sum of the levels */
    count_is("pnas", "most=1", "256");
    count_is("pnas", "most=2", "147712");           /* 256 + 256 * 576 */
    count_is("pnas", "least=2", "556869504614400"); /* the sum of all levels but the first */
    count_is("pnas", "least=5", "556627761561600");
    count_is("pnas", NULL, "556869504614656");
    count_is("amoebanet", NULL, "309834464941077422470594560000"); /* 556627761561600^2 */
    count_is("proxyless", NULL, "221502229807900608");             /* 6^6 * 7^15 */
    count_is("nas-bench-101", NULL, "509607936");                  /* 2^21 * 3^5, before pruning */
    count_is("zoph-chain", NULL, "2251799813685248");              /* (4*4*4)^6 * 2^15 */
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}
static size_t distinct(uint64_t *all, size_t n) {
    size_t kept = 0;
    qsort(all, n, sizeof *all, by_value);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || all[i] != all[i - 1]) all[kept++] = all[i];
    return kept;
}

static void classes_are(const char *name, const char *override, size_t published,
                        size_t different) {
    nas_space *space = preset(name, &override, override != NULL);
    uint64_t n;
    assert_int_equal(nas_space_count(space, &n, NULL, 0), NAS_OK);
    uint64_t *network = calloc(n, sizeof *network), *authors = calloc(n, sizeof *authors);
    for (uint64_t i = 0; i < n; i++) {
        nas_arch *arch;
        assert_int_equal(nas_space_at(space, i, &arch), NAS_OK);
        network[i] = nas_arch_network_hash(arch);
        authors[i] = nas_arch_published_hash(arch);
        nas_arch_free(arch);
    }
    size_t a = distinct(network, n), b = distinct(authors, n);
    if (a != different || b != published)
        fail_msg("%s: %zu different networks, %zu by the authors' rule", name, a, b);
    free(network);
    free(authors);
    nas_space_free(space);
}

static void published_classes(void **state) {
    (void)state;
    classes_are("nas-bench-201", NULL, 6466, 4930);
    classes_are("nas-bench-macro", NULL, 3969, 3969);
    classes_are("pnas", "most=1", 136, 136); /* 16 * 17 / 2: a block's sides have no order */
}

/* ---- NAS-Bench-101, against canonical codes by trying every order of the vertices
 * ----------------- */

typedef struct {
    int n;
    uint8_t to[8], op[8];
} graph;

static uint64_t code(const graph *g, const int *order) {
    uint64_t bits = 0;
    for (int a = 0; a < g->n; a++)
        for (int b = 0; b < g->n; b++)
            if (a != b) bits = bits << 1 | (g->to[order[a]] >> order[b] & 1);
    for (int v = 1; v + 1 < g->n; v++)
        bits = bits * 3 + g->op[order[v]];
    return bits * 8 + (uint64_t)g->n;
}

static void permute(const graph *g, int *order, int at, uint64_t *least) {
    if (at + 1 >= g->n) {
        uint64_t now = code(g, order);
        if (now < *least) *least = now;
        return;
    }
    for (int i = at; i + 1 < g->n; i++) {
        int swap = order[at];
        order[at] = order[i];
        order[i] = swap;
        permute(g, order, at + 1, least);
        order[i] = order[at];
        order[at] = swap;
    }
}

typedef struct {
    uint64_t hash, code;
} hashed;
static int by_hash(const void *a, const void *b) {
    const hashed *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return (x->code > y->code) - (x->code < y->code);
}

static uint64_t power(uint64_t base, int n) {
    return n == 0 ? 1 : base * power(base, n - 1);
}

static void classes_of_101(void **state) {
    (void)state;
    static const size_t graphs[8] = {0, 0, 1, 2, 10, 121, 1545, 4793};
    static const size_t labelled[8] = {0, 0, 1, 6, 90, 3267, 125145, 1164699};
    static const size_t new_ones[8] = {0, 0, 1, 6, 84, 2441, 62010, 359082};
    size_t total = 0;
    for (int v = 2; v <= most_vertices; v++) {
        char text[16];
        const char *overrides[] = {text};
        snprintf(text, sizeof text, "vertices=%d", v < 3 ? 3 : v);
        nas_space *s = preset("nas-bench-101", overrides, 1);
        int size = v < 3 ? 3 : v, n_edges = size * (size - 1) / 2;
        size_t n_graphs = 0, n = 0;
        hashed *all = calloc(labelled[v], sizeof *all);
        assert_non_null(all);
        for (uint64_t bits = 0; bits < UINT64_C(1) << n_edges; bits++) {
            nas_value values[32] = {{0, 0}};
            nas_arch *arch;
            double costs[NI_COST_COUNT];
            graph g = {v, {0}, {0}};
            for (int e = 0, to = 1; to < size; to++)
                for (int from = 0; from < to; from++, e++) {
                    values[e].integer = bits >> e & 1;
                    if (v == 2 && from == 0 && to == 2 && values[e].integer) g.to[0] = 2;
                    if (v > 2 && values[e].integer) g.to[from] = (uint8_t)(g.to[from] | 1 << to);
                }
            if (__builtin_popcountll(bits) > 9 || (v == 2 && bits != 2)) continue;
            assert_int_equal(ni_arch_make(&arch, s, values), NAS_OK);
            s->template->ops->structure(arch, costs);
            bool full = costs[NI_COST_CONNECTED] != 0 && costs[NI_COST_VERTICES] == v &&
                        costs[NI_COST_EDGES] <= 9;
            nas_arch_free(arch);
            if (!full) continue;
            n_graphs++;
            for (uint64_t ops = 0; ops < power(3, v - 2); ops++) {
                for (int i = 0; i < v - 2; i++)
                    values[n_edges + i].integer = g.op[i + 1] = (uint8_t)(ops / power(3, i) % 3);
                int order[8] = {0, 1, 2, 3, 4, 5, 6, 7};
                assert_int_equal(ni_arch_make(&arch, s, values), NAS_OK);
                assert_true(n < labelled[v]);
                all[n].hash = nas_arch_network_hash(arch);
                all[n].code = UINT64_MAX;
                permute(&g, order, 1, &all[n].code);
                n++;
                nas_arch_free(arch);
            }
        }
        assert_int_equal(n_graphs, graphs[v]);
        assert_int_equal(n, labelled[v]);
        qsort(all, n, sizeof *all, by_hash);
        size_t pairs = 0, hashes = 0;
        uint64_t *codes = calloc(n, sizeof *codes);
        for (size_t i = 0; i < n; i++) {
            bool same_hash = i && all[i].hash == all[i - 1].hash;
            hashes += !same_hash;
            pairs += !same_hash || all[i].code != all[i - 1].code;
            codes[i] = all[i].code;
        }
        /* as many hashes as codes as pairs of them: one stands for the other */
        assert_int_equal(hashes, new_ones[v]);
        assert_int_equal(pairs, new_ones[v]);
        assert_int_equal(distinct(codes, n), new_ones[v]);
        total += hashes;
        free(codes);
        free(all);
        nas_space_free(s);
    }
    if (most_vertices >= 6) assert_int_equal(total, most_vertices == 7 ? 423624 : 64542);
    if (most_vertices == 7) print_message("423624 cells of at most 7 vertices\n");
}

/* What lies on no path from the input to the output changes nothing. */
static void dead_branches(void **state) {
    (void)state;
    static const char *const pairs[][3] = {
        {"nas-bench-101",
         "[[0,1,0,0],[0,0,0,1],[0,0,0,0],[0,0,0,0]],['input','conv3x3-bn-relu','maxpool3x3',"
         "'output']",
         "[[0,1,1,0],[0,0,0,1],[0,0,0,0],[0,0,0,0]],['input','conv3x3-bn-relu','conv1x1-bn-relu',"
         "'output']"},
        {"nas-bench-201", "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|nor_conv_3x3~2|",
         "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"},
        {"nas-bench-macro", "10102201", "10120210"},
        /* an identity of a block is that block's sum */
        {"pnas",
         "Genotype(normal=[('sep_conv_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
         "('avg_pool_3x3', 0)], normal_concat=[2, 3], reduce=[('sep_conv_3x3', 0), "
         "('max_pool_3x3', "
         "1), ('skip_connect', 2), ('avg_pool_3x3', 0)], reduce_concat=[2, 3])",
         "Genotype(normal=[('max_pool_3x3', 1), ('sep_conv_3x3', 0), ('avg_pool_3x3', 0), "
         "('skip_connect', 2)], normal_concat=[2, 3], reduce=[('max_pool_3x3', 1), "
         "('sep_conv_3x3', "
         "0), ('avg_pool_3x3', 0), ('skip_connect', 2)], reduce_concat=[2, 3])"},
        {"proxyless",
         "1.1=mbconv_3x3_e3 1.2=skip_connect 1.3=mbconv_5x5_e3 1.4=skip_connect "
         "2.1=mbconv_3x3_e3 2.2=skip_connect 2.3=skip_connect 2.4=skip_connect "
         "3.1=mbconv_3x3_e3 3.2=skip_connect 3.3=skip_connect 3.4=skip_connect "
         "4.1=mbconv_3x3_e3 4.2=skip_connect 4.3=skip_connect 4.4=skip_connect "
         "5.1=mbconv_3x3_e3 5.2=skip_connect 5.3=skip_connect 5.4=skip_connect 6.1=mbconv_3x3_e3",
         "1.1=mbconv_3x3_e3 1.2=mbconv_5x5_e3 1.3=skip_connect 1.4=skip_connect "
         "2.1=mbconv_3x3_e3 2.2=skip_connect 2.3=skip_connect 2.4=skip_connect "
         "3.1=mbconv_3x3_e3 3.2=skip_connect 3.3=skip_connect 3.4=skip_connect "
         "4.1=mbconv_3x3_e3 4.2=skip_connect 4.3=skip_connect 4.4=skip_connect "
         "5.1=mbconv_3x3_e3 5.2=skip_connect 5.3=skip_connect 5.4=skip_connect 6.1=mbconv_3x3_e3"},
    };
    for (size_t i = 0; i < NI_COUNT(pairs); i++) {
        nas_space *s = preset(pairs[i][0], NULL, 0);
        nas_arch *a = NULL, *b = NULL;
        if (nas_arch_parse(&a, s, pairs[i][1]) < 0 || nas_arch_parse(&b, s, pairs[i][2]) < 0)
            fail_msg("%s", nas_context_error(context));
        if (nas_arch_network_hash(a) != nas_arch_network_hash(b))
            fail_msg("%s and %s", pairs[i][1], pairs[i][2]);
        assert_true(nas_arch_hash(a) != nas_arch_hash(b));
        nas_arch_free(a);
        nas_arch_free(b);
        nas_space_free(s);
    }
}

/* ---- the same network with its parts in another order
 * ----------------------------------------------- */

/* An order in which what is taken in stands before what takes it: each of `n` parts is free once
 * its own inputs, by `needs` bits, are placed. */
static void random_order(nas_random *random, const uint64_t *needs, int n, int *order) {
    uint64_t placed = 0;
    for (int i = 0; i < n; i++) {
        int able[64], count = 0;
        for (int v = 0; v < n; v++)
            if (!(placed >> v & 1) && (needs[v] & ~placed) == 0) able[count++] = v;
        order[i] = able[nas_random_below(random, (uint64_t)count)];
        placed |= UINT64_C(1) << order[i];
    }
}

static void blocks_in_any_order(void **state) {
    (void)state;
    static const char *const names[] = {"nasnet", "amoebanet", "enas-micro"};
    for (size_t p = 0; p < NI_COUNT(names); p++) {
        nas_space *s = preset(names[p], NULL, 0);
        nas_random random;
        uint32_t per_block = p == 0 ? 5 : 4;
        ni_random_init(&random, 3, p, "test");
        for (int round = 0; round < 300; round++) {
            nas_value values[64], other[64];
            nas_arch *a, *b, *c;
            ni_space_draw(s, &random, values);
            for (int kind = 0; kind < 2; kind++) {
                const nas_value *from = values + kind * 5 * (int)per_block;
                nas_value *to = other + kind * 5 * (int)per_block;
                uint64_t needs[5];
                int order[5], place[7] = {0, 1};
                for (int i = 0; i < 5; i++) {
                    needs[i] = 0;
                    for (uint32_t k = 0; k < 4; k += 2) {
                        int64_t in = from[i * (int)per_block + (int)k].integer;
                        if (in >= 2) needs[i] |= UINT64_C(1) << (in - 2);
                    }
                }
                random_order(&random, needs, 5, order);
                for (int i = 0; i < 5; i++)
                    place[order[i] + 2] = i + 2;
                for (int i = 0; i < 5; i++) {
                    const nas_value *block = from + order[i] * (int)per_block;
                    uint64_t turn = nas_random_below(&random, 2);
                    for (int k = 0; k < 2; k++) {
                        int at = k ^ (int)turn;
                        to[i * (int)per_block + 2 * at].integer = place[block[2 * k].integer];
                        to[i * (int)per_block + 2 * at + 1] = block[2 * k + 1];
                    }
                    if (per_block == 5) to[i * 5 + 4] = block[4];
                }
            }
            assert_int_equal(ni_arch_make(&a, s, values), NAS_OK);
            assert_int_equal(ni_arch_make(&b, s, other), NAS_OK);
            if (nas_arch_network_hash(a) != nas_arch_network_hash(b))
                fail_msg("%s\n%s", nas_arch_text(a), nas_arch_text(b));
            /* another operation somewhere is another network */
            uint32_t d = (uint32_t)nas_random_below(&random, 10) * per_block + 1;
            other[d].integer = (other[d].integer + 1) % s->decisions.items[d].about.n_alternatives;
            assert_int_equal(ni_arch_make(&c, s, other), NAS_OK);
            if (nas_arch_network_hash(c) == nas_arch_network_hash(a))
                fail_msg("%s\n%s", nas_arch_text(a), nas_arch_text(c));
            nas_arch_free(a);
            nas_arch_free(b);
            nas_arch_free(c);
        }
        nas_space_free(s);
    }
}

static void chains_in_any_order(void **state) {
    (void)state;
    nas_space *s = preset("zoph-chain", NULL, 0);
    nas_random random;
    ni_random_init(&random, 8, 0, "test");
    for (int round = 0; round < 500; round++) {
        nas_value values[64], other[64];
        nas_arch *a, *b;
        uint32_t first[6], at = 0;
        uint64_t needs[6] = {0};
        int order[6], place[6];
        ni_space_draw(s, &random, values);
        for (uint32_t i = 0; i < 6; i++) {
            first[i] = at;
            for (uint32_t k = 0; k < i; k++)
                if (values[at + 3 + k].integer) needs[i] |= UINT64_C(1) << k;
            at += 3 + i;
        }
        random_order(&random, needs, 6, order);
        for (int i = 0; i < 6; i++)
            place[order[i]] = i;
        memset(other, 0, sizeof other);
        for (int i = 0; i < 6; i++) {
            memcpy(other + first[i], values + first[order[i]], 3 * sizeof *values);
            for (int k = 0; k < order[i]; k++)
                if (values[first[order[i]] + 3 + (uint32_t)k].integer)
                    other[first[i] + 3 + (uint32_t)place[k]].integer = 1;
        }
        assert_int_equal(ni_arch_make(&a, s, values), NAS_OK);
        assert_int_equal(ni_arch_make(&b, s, other), NAS_OK);
        if (nas_arch_network_hash(a) != nas_arch_network_hash(b))
            fail_msg("%s\n%s", nas_arch_text(a), nas_arch_text(b));
        other[2].integer = (other[2].integer + 1) % 4;
        nas_arch_free(b);
        assert_int_equal(ni_arch_make(&b, s, other), NAS_OK);
        assert_true(nas_arch_network_hash(a) != nas_arch_network_hash(b));
        nas_arch_free(a);
        nas_arch_free(b);
    }
    nas_space_free(s);
}

int main(int argc, char **argv) {
    if (argc > 1) most_vertices = atoi(argv[1]) == 7 ? 7 : 6;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_counts),    cmocka_unit_test(published_classes),
        cmocka_unit_test(classes_of_101),      cmocka_unit_test(dead_branches),
        cmocka_unit_test(blocks_in_any_order), cmocka_unit_test(chains_in_any_order),
    };
    return cmocka_run_group_tests(tests, start, end);
}
