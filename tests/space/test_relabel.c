/* Hashes of networks against canonical forms of the test's own: equal where those are equal, and
 * nowhere else; the same network written in another order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include "space/blocks.h"

static nas_context *context;

static int start(void **state) {
    (void)state;
    return nas_context_create(&context, NULL);
}
static int end(void **state) {
    (void)state;
    nas_context_free(context);
    return 0;
}

static nas_space *preset(const char *name) {
    nas_space *space;
    if (nas_space_preset(&space, context, name, NULL, 0) < 0)
        fail_msg("%s", nas_context_error(context));
    return space;
}
static nas_space *parse(const char *text) {
    nas_space *space;
    if (nas_space_parse(&space, context, text, strlen(text), "t", NULL, 0) < 0)
        fail_msg("%s", nas_context_error(context));
    return space;
}
static nas_arch *make(const nas_space *s, const nas_value *values) {
    nas_arch *arch;
    assert_int_equal(ni_arch_make(&arch, s, values), NAS_OK);
    return arch;
}

/* A hash stands for a form and a form for a hash. */
typedef struct {
    uint64_t hash;
    char *form;
} known;
static int by_form(const void *a, const void *b) {
    return strcmp(((const known *)a)->form, ((const known *)b)->form);
}
static int by_hash(const void *a, const void *b) {
    uint64_t x = ((const known *)a)->hash, y = ((const known *)b)->hash;
    return (x > y) - (x < y);
}
static size_t one_to_one(known *all, size_t n) {
    size_t forms = 0, hashes = 0;
    qsort(all, n, sizeof *all, by_form);
    for (size_t i = 0; i < n; i++) {
        bool same = i && strcmp(all[i].form, all[i - 1].form) == 0;
        forms += !same;
        if (same && all[i].hash != all[i - 1].hash) fail_msg("%s has two hashes", all[i].form);
    }
    qsort(all, n, sizeof *all, by_hash);
    for (size_t i = 0; i < n; i++) {
        bool same = i && all[i].hash == all[i - 1].hash;
        hashes += !same;
        if (same && strcmp(all[i].form, all[i - 1].form) != 0)
            fail_msg("%s and %s have one hash", all[i].form, all[i - 1].form);
    }
    assert_int_equal(forms, hashes);
    for (size_t i = 0; i < n; i++)
        free(all[i].form);
    return forms;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- NAS-Bench-201: a node is the sorted list of its terms, spelled out ------------------------
 */

typedef struct {
    char *term[16];
    int n;
} sum;

static char *spell(sum *s) {
    size_t length = 3;
    for (int i = 0; i < s->n; i++)
        length += strlen(s->term[i]) + 1;
    char *text = calloc(1, length);
    qsort(s->term, (size_t)s->n, sizeof *s->term, by_text);
    strcat(text, "(");
    for (int i = 0; i < s->n; i++) {
        strcat(text, i ? "+" : "");
        strcat(text, s->term[i]);
    }
    strcat(text, ")");
    return text;
}

static void nas_bench_201(void **state) {
    (void)state;
    nas_space *s = preset("nas-bench-201");
    enum { ALL = 15625 };
    known *all = calloc(ALL, sizeof *all);
    for (uint64_t i = 0; i < ALL; i++) {
        nas_arch *arch;
        sum nodes[4] = {{{NULL}, 0}};
        assert_int_equal(nas_space_at(s, i, &arch), NAS_OK);
        nodes[0].term[nodes[0].n++] = strdup("x");
        for (int to = 1, e = 0; to < 4; to++)
            for (int from = 0; from < to; from++, e++) {
                const char *operation = s->decisions.items[e].alternatives[arch->values[e].integer];
                sum *source = &nodes[from], *m = &nodes[to];
                if (strcmp(operation, "none") == 0 || source->n == 0) continue;
                if (strcmp(operation, "skip_connect") == 0) {
                    for (int k = 0; k < source->n; k++)
                        m->term[m->n++] = strdup(source->term[k]);
                } else {
                    char *inner = spell(source), *term;
                    term = calloc(1, strlen(inner) + strlen(operation) + 1);
                    strcat(strcat(term, operation), inner);
                    free(inner);
                    m->term[m->n++] = term;
                }
            }
        all[i].hash = nas_arch_network_hash(arch);
        all[i].form = spell(&nodes[3]);
        for (int v = 0; v < 4; v++)
            for (int k = 0; k < nodes[v].n; k++)
                free(nodes[v].term[k]);
        nas_arch_free(arch);
    }
    assert_int_equal(one_to_one(all, ALL), 4930);
    free(all);
    nas_space_free(s);
}

/* The two interior nodes change places where nothing leads from one to the other. */
static void nas_bench_201_relabelled(void **state) {
    (void)state;
    nas_space *s = preset("nas-bench-201");
    int swapped = 0;
    for (uint64_t i = 0; i < 15625; i++) {
        nas_arch *a, *b;
        assert_int_equal(nas_space_at(s, i, &a), NAS_OK);
        /* edges: 0-1, 0-2, 1-2, 0-3, 1-3, 2-3 */
        if (strcmp(s->decisions.items[2].alternatives[a->values[2].integer], "none") == 0) {
            static const int from[6] = {1, 0, 2, 3, 5, 4};
            nas_value values[6];
            for (int e = 0; e < 6; e++)
                values[e] = a->values[from[e]];
            b = make(s, values);
            if (nas_arch_network_hash(a) != nas_arch_network_hash(b))
                fail_msg("%s and %s", nas_arch_text(a), nas_arch_text(b));
            swapped++;
            nas_arch_free(b);
        }
        nas_arch_free(a);
    }
    assert_int_equal(swapped, 3125);
    nas_space_free(s);
}

/* ---- NAS-Bench-101: vertices in another order, with edges and labels that nobody sees ----------
 */

static void nas_bench_101_relabelled(void **state) {
    (void)state;
    nas_space *s = preset("nas-bench-101");
    nas_random random;
    int moved = 0;
    ni_random_init(&random, 17, 0, "test");
    for (int round = 0; round < 20000; round++) {
        nas_value values[32], other[32];
        int place[7], order[7], n = 7;
        uint32_t needs[7] = {0}, placed = 1;
        ni_space_draw(s, &random, values);
        for (int b = 1, e = 0; b < n; b++)
            for (int a = 0; a < b; a++, e++)
                if (values[e].integer) needs[b] |= 1u << a;
        order[0] = 0;
        order[n - 1] = n - 1;
        for (int i = 1; i + 1 < n; i++) {
            int able[7], count = 0;
            for (int v = 1; v + 1 < n; v++)
                if (!(placed >> v & 1) && !(needs[v] & ~placed)) able[count++] = v;
            order[i] = able[nas_random_below(&random, (uint64_t)count)];
            placed |= 1u << order[i];
        }
        for (int i = 0; i < n; i++) {
            place[order[i]] = i;
            moved += order[i] != i;
        }
        memset(other, 0, sizeof other);
        for (int b = 1, e = 0; b < n; b++)
            for (int a = 0; a < b; a++, e++) {
                int to = place[b], from = place[a];
                assert_true(!values[e].integer || from < to);
                if (values[e].integer) other[to * (to - 1) / 2 + from].integer = 1;
            }
        for (int v = 1; v + 1 < n; v++)
            other[21 + place[v] - 1] = values[21 + v - 1];
        nas_arch *a = make(s, values), *b = make(s, other);
        if (nas_arch_network_hash(a) != nas_arch_network_hash(b))
            fail_msg("%s and %s", nas_arch_text(a), nas_arch_text(b));
        nas_arch_free(a);
        nas_arch_free(b);
    }
    assert_true(moved > 20000);
    nas_space_free(s);
}

/* ---- cells of blocks ---------------------------------------------------------------------------
 */

/* Blocks in another order that keeps what each takes before it, and the sides of blocks turned. */
static void reorder(nas_random *random, const blocks_template *t, const cell *from, cell *to) {
    int place[BLOCK_STATES_MOST] = {0, 1};
    uint32_t placed = 3;
    *to = *from;
    for (uint32_t i = 0; i < from->n; i++) {
        uint32_t able[BLOCKS_MOST], count = 0;
        for (uint32_t v = 0; v < from->n; v++) {
            const block *b = &from->blocks[v];
            if (!(placed >> (v + 2) & 1) && placed >> b->in[0] & 1 && placed >> b->in[1] & 1)
                able[count++] = v;
        }
        uint32_t pick = able[nas_random_below(random, count)];
        placed |= 1u << (pick + 2);
        place[pick + 2] = (int)i + 2;
        uint64_t turn = nas_random_below(random, 2);
        for (uint32_t k = 0; k < 2; k++) {
            to->blocks[i].in[k ^ turn] = (uint32_t)place[from->blocks[pick].in[k]];
            to->blocks[i].op[k ^ turn] = from->blocks[pick].op[k];
        }
        to->blocks[i].joined = from->blocks[pick].joined;
    }
    ni_blocks_outputs(t, to);
}

static void blocks_relabelled(void **state) {
    (void)state;
    static const char *const names[] = {"darts", "nasnet", "amoebanet", "pnas", "enas-micro"};
    for (size_t p = 0; p < NI_COUNT(names); p++) {
        nas_space *s = preset(names[p]);
        const blocks_template *t = blocks_of(s);
        nas_random random;
        int changed = 0;
        ni_random_init(&random, 18, p, "test");
        for (int round = 0; round < 2000; round++) {
            nas_value values[128], other[128];
            cell one, two;
            ni_space_draw(s, &random, values);
            memcpy(other, values, sizeof other);
            for (uint32_t kind = 0; kind < t->n_kinds; kind++) {
                ni_blocks_cell(s, values, kind, &one);
                reorder(&random, t, &one, &two);
                ni_blocks_set(s, other, kind, &two);
            }
            nas_arch *a = make(s, values), *b = make(s, other);
            if (nas_arch_network_hash(a) != nas_arch_network_hash(b))
                fail_msg("%s\n%s", nas_arch_text(a), nas_arch_text(b));
            changed += strcmp(nas_arch_text(a), nas_arch_text(b)) != 0;
            nas_arch_free(a);
            nas_arch_free(b);
        }
        assert_true(changed > 1000);
        nas_space_free(s);
    }
}

/* A canonical form of one cell of a few blocks: what its outputs need, under the least of all
 * orders of its operations. A term is an input (0, 1) or an operation (2 + number). */
typedef struct {
    int n, term[64];
} terms;
typedef struct {
    int n, n_outputs;
    const char *name[16];
    terms in[16], out[16];
} operations;

static void copy_terms(terms *to, const terms *from) {
    for (int i = 0; i < from->n; i++)
        to->term[to->n++] = from->term[i];
}

static void operations_of(const nas_space *s, const cell *c, bool strided, operations *out) {
    terms states[16] = {{1, {0}}, {1, {1}}};
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < c->n; i++) {
        terms *sum_ = &states[i + 2];
        sum_->n = 0;
        for (int k = 0; k < 2; k++) {
            const char *name = ni_blocks_operation(s, c->blocks[i].op[k]);
            const terms *source = &states[c->blocks[i].in[k]];
            bool input = c->blocks[i].in[k] < 2;
            if (strcmp(name, "none") == 0 || source->n == 0) continue;
            if (strcmp(name, "skip_connect") == 0 && !(strided && input)) {
                copy_terms(sum_, source);
                continue;
            }
            out->name[out->n] = name;
            copy_terms(&out->in[out->n], source);
            sum_->term[sum_->n++] = 2 + out->n++;
        }
    }
    for (uint32_t i = 0; i < c->n_outputs; i++)
        copy_terms(&out->out[out->n_outputs++], &states[c->outputs[i]]);
    /* what no output needs goes */
    bool needed[16] = {false};
    for (int i = 0; i < out->n_outputs; i++)
        for (int k = 0; k < out->out[i].n; k++)
            if (out->out[i].term[k] > 1) needed[out->out[i].term[k] - 2] = true;
    for (int v = out->n; v-- > 0;)
        for (int k = 0; needed[v] && k < out->in[v].n; k++)
            if (out->in[v].term[k] > 1) needed[out->in[v].term[k] - 2] = true;
    int number[16], n = 0;
    for (int v = 0; v < out->n; v++) {
        if (!needed[v]) continue;
        out->name[n] = out->name[v];
        out->in[n] = out->in[v];
        number[v] = n++;
    }
    out->n = n;
    for (int v = 0; v < n; v++)
        for (int k = 0; k < out->in[v].n; k++)
            if (out->in[v].term[k] > 1) out->in[v].term[k] = 2 + number[out->in[v].term[k] - 2];
    for (int i = 0; i < out->n_outputs; i++)
        for (int k = 0; k < out->out[i].n; k++)
            if (out->out[i].term[k] > 1) out->out[i].term[k] = 2 + number[out->out[i].term[k] - 2];
}

static int by_number(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}
static void write_terms(char *to, const terms *t, const int *order) {
    int all[64];
    for (int i = 0; i < t->n; i++)
        all[i] = t->term[i] < 2 ? t->term[i] : 2 + order[t->term[i] - 2];
    qsort(all, (size_t)t->n, sizeof *all, by_number);
    *to++ = '[';
    for (int i = 0; i < t->n; i++)
        *to++ = (char)('a' + all[i]);
    *to++ = ']';
    *to = 0;
}

/* order[v]: the place of operation v. */
static void write_form(const operations *o, const int *order, char *to) {
    char outputs[16][68], *sorted[16];
    for (int i = 0; i < o->n; i++)
        for (int v = 0; v < o->n; v++) {
            if (order[v] != i) continue;
            to += sprintf(to, "%s", o->name[v]);
            write_terms(to, &o->in[v], order);
            to += strlen(to);
        }
    *to++ = '>';
    for (int i = 0; i < o->n_outputs; i++) {
        write_terms(outputs[i], &o->out[i], order);
        sorted[i] = outputs[i];
    }
    qsort(sorted, (size_t)o->n_outputs, sizeof *sorted, by_text);
    *to = 0;
    for (int i = 0; i < o->n_outputs; i++)
        strcat(to, sorted[i]);
}

static void least_form(const operations *o, int *order, int at, char *least) {
    if (at == o->n) {
        char now[2048];
        write_form(o, order, now);
        if (!*least || strcmp(now, least) < 0) strcpy(least, now);
        return;
    }
    for (int i = at; i < o->n; i++) {
        int held = order[at];
        order[at] = order[i];
        order[i] = held;
        least_form(o, order, at + 1, least);
        order[i] = order[at];
        order[at] = held;
    }
}

static char *form_of(const nas_space *s, const nas_value *values) {
    const blocks_template *t = blocks_of(s);
    char whole[4096] = "";
    for (uint32_t kind = 0; kind < t->n_kinds; kind++) {
        cell c;
        operations o;
        int order[16];
        char least[2048] = "";
        ni_blocks_cell(s, values, kind, &c);
        operations_of(s, &c, t->n_kinds == 1 || kind == 1, &o);
        for (int v = 0; v < 16; v++)
            order[v] = v;
        least_form(&o, order, 0, least);
        strcat(strcat(whole, least), "|");
    }
    return strdup(whole);
}

static void blocks_by_form(void **state) {
    (void)state;
#define NETWORK                                                                                    \
    "network: {template: blocks, channels: 4, cells: 3, image: {height: 8, width: 8, channels: "   \
    "3, "                                                                                          \
    "classes: 3}}\n"
    static const struct {
        const char *text;
        size_t draws; /* 0: the whole space */
    } cases[] = {
        {"space: a\n" NETWORK "cell: {kinds: 1, blocks: 2, output: unused, operations: [none, "
         "skip_connect, sep_conv_3x3, max_pool_3x3]}\n",
         0},
        {"space: b\n" NETWORK
         "cell: {kinds: 1, blocks: {least: 1, most: 2}, output: all, inputs: pairs, operations: "
         "[skip_connect, sep_conv_3x3, max_pool_3x3]}\n",
         0},
        {"space: c\n" NETWORK "cell: {kinds: 2, blocks: 2, output: unused, operations: "
         "[skip_connect, sep_conv_3x3]}\n",
         15000},
        {"space: d\n" NETWORK "cell: {kinds: 1, blocks: 3, output: unused, operations: "
         "[skip_connect, sep_conv_3x3]}\n",
         5000},
        {"space: e\n" NETWORK "cell: {kinds: 2, blocks: 3, output: all, operations: [none, "
         "skip_connect, sep_conv_3x3]}\n",
         3000},
    };
    for (size_t i = 0; i < NI_COUNT(cases); i++) {
        nas_space *s = parse(cases[i].text);
        uint64_t count;
        nas_random random;
        ni_random_init(&random, 19, i, "test");
        assert_int_equal(nas_space_count(s, &count, NULL, 0), NAS_OK);
        size_t n = cases[i].draws ? cases[i].draws : (size_t)count;
        known *all = calloc(n, sizeof *all);
        for (size_t k = 0; k < n; k++) {
            nas_value values[64];
            if (cases[i].draws)
                ni_space_draw(s, &random, values);
            else
                ni_space_assignment(s, k, values);
            nas_arch *arch = make(s, values);
            all[k].hash = nas_arch_network_hash(arch);
            all[k].form = form_of(s, arch->values);
            nas_arch_free(arch);
        }
        size_t classes = one_to_one(all, n);
        print_message("%zu: %zu networks of %zu\n", i, classes, n);
        assert_true(classes > 10 && classes < n);
        free(all);
        nas_space_free(s);
    }
}

/* ---- where every decision is seen: no two architectures are one network ------------------------
 */

static void all_different(void **state) {
    (void)state;
    static const char *const texts[] = {
        "space: a\nnetwork: {template: skips, channels: 4, image: {height: 8, width: 8, channels: "
        "3, classes: 3}}\nlayers: {layers: 4, operations: [conv3x3-bn-relu, max_pool_3x3, "
        "skip_connect]}\n",
        "space: b\nnetwork: {template: stages, stem: {channels: 4}, image: {height: 8, width: 8, "
        "channels: 3, classes: 10}}\nlayers: {stages: [{channels: [4, 8], layers: 3}, {channels: "
        "[8, 12], layers: 2}], operations: [mbconv_3x3_e3, mbconv_5x5_e1, mbconv_3x3_e1]}\n",
        ("space: c\nnetwork: {template: mlp, image: {height: 1, width: 1, channels: 9, classes: "
         "3}}\nlayers: {least: 0, most: 3, units: [4, 8, 16], activations: [relu, tanh]}\n"),
    };
    for (size_t i = 0; i < NI_COUNT(texts); i++) {
        nas_space *s = parse(texts[i]);
        uint64_t n;
        assert_int_equal(nas_space_count(s, &n, NULL, 0), NAS_OK);
        known *all = calloc(n, sizeof *all);
        for (uint64_t k = 0; k < n; k++) {
            nas_arch *arch;
            assert_int_equal(nas_space_at(s, k, &arch), NAS_OK);
            all[k].hash = nas_arch_network_hash(arch);
            all[k].form = strdup(nas_arch_text(arch));
            nas_arch_free(arch);
        }
        assert_int_equal(one_to_one(all, n), n);
        free(all);
        nas_space_free(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nas_bench_201),
        cmocka_unit_test(nas_bench_201_relabelled),
        cmocka_unit_test(nas_bench_101_relabelled),
        cmocka_unit_test(blocks_relabelled),
        cmocka_unit_test(blocks_by_form),
        cmocka_unit_test(all_different),
    };
    return cmocka_run_group_tests(tests, start, end);
}
