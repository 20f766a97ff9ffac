/* Reports of stores that searches with a made-up evaluation left in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <math.h>
#include "allocator.h"
#include "xml.h"
#include "libnas/libnas.h"

#define HOSTILE "<script>alert(\"1\")</script>&'\x1b[31m\xff\xef\xbf\xbe"

typedef struct {
    bool hostile, infeasible, network, curves, notes;
    uint64_t trials, seed;
} plan;

typedef struct {
    nas_context *context;
    nas_space *space;
    nas_controller *controller;
    nas_evaluator *evaluator;
    nas_store *store;
    nas_search *search;
} made;

/* ---- a search
 * ------------------------------------------------------------------------------------ */

static nas_status evaluate(void *user, const nas_proposal *asked, nas_reporter *progress,
                           nas_result_builder *out) {
    const plan *p = user;
    const nas_arch *arch = nas_proposal_arch(asked);
    uint64_t trial = nas_proposal_trial(asked);
    double noise = (double)(nas_arch_network_hash(arch) % 1000) / 1000;
    nas_status status = NAS_OK;
    (void)progress;
    if (p->infeasible || trial % 11 == 7)
        return nas_result_set_infeasible(out, 1 + (int32_t)(trial % 3),
                                         p->hostile ? HOSTILE : "the loss is not finite");
    double params = 1000 + 1e6 * noise * noise;
    if (p->network) {
        nas_arch_cost cost = {.struct_size = sizeof cost};
        status = nas_arch_costs(arch, &cost);
        params = (double)cost.params;
    }
    double value = 0.9 - 0.3 / (1 + log10(params)) + 0.05 * noise;
    for (int e = 1; status >= 0 && p->curves && e <= 5; e++) {
        status = nas_result_add_point(out, "accuracy", e, value * e / 5);
        if (status >= 0)
            status = nas_result_add_point(out, p->hostile ? HOSTILE : "loss", e, 2.5 / e);
    }
    if (status >= 0) status = nas_result_set(out, "params", params);
    if (status >= 0 && p->hostile) status = nas_result_set(out, HOSTILE, 0.5);
    return status < 0 ? status : nas_result_set(out, "accuracy", value);
}

static nas_status ask(void *self, nas_random *stream, nas_proposal_builder *out) {
    nas_arch *arch;
    nas_status status = nas_space_sample(nas_propose_space(out), stream, &arch);
    (void)self;
    if (status < 0) return status;
    status = nas_propose_arch(out, arch);
    nas_arch_free(arch);
    return status < 0 ? status : nas_propose_note(out, HOSTILE);
}
static nas_status tell(void *self, const nas_proposal *asked, const nas_result *got) {
    (void)self, (void)asked, (void)got;
    return NAS_OK;
}
static const nas_controller_ops noting = {
    .struct_size = sizeof(nas_controller_ops), .ask = ask, .tell = tell};

static void end(made *m) {
    nas_search_free(m->search);
    nas_store_free(m->store);
    nas_controller_free(m->controller);
    nas_evaluator_free(m->evaluator);
    nas_space_free(m->space);
    nas_context_free(m->context);
    memset(m, 0, sizeof *m);
}

static nas_status own_space(made *m) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    char name[8] = "d0";
    nas_status status = nas_space_create(&m->space, m->context, "letters");
    for (int d = 0; status >= 0 && d < 8; d++, name[1]++)
        status = nas_space_add_choice(m->space, name, names, 8);
    return status < 0 ? status : nas_space_finish(m->space);
}

static nas_status begin(made *m, plan *p, test_allocator *heap) {
    static const char *const settings[] = {"population=12", "sample=4"};
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    nas_allocator table;
    memset(m, 0, sizeof *m);
    if (heap) {
        table = test_allocator_table(heap);
        options.allocator = &table;
    }
    options.threads = 1;
    nas_status status = nas_context_create(&m->context, &options);
    if (status < 0) return status;
    status = p->network ? nas_space_preset(&m->space, m->context, "nas-bench-201", NULL, 0)
                        : own_space(m);
    if (status >= 0)
        status = p->notes
                     ? nas_controller_create(&m->controller, m->context,
                                             p->hostile ? HOSTILE : "noting", &noting, NULL)
                     : nas_controller_named(&m->controller, m->space, "evolution", settings, 2);
    if (status >= 0)
        status = nas_evaluator_callback(&m->evaluator, m->context,
                                        NAS_EVALUATOR_CONCURRENT | NAS_EVALUATOR_STATELESS,
                                        evaluate, p, NULL);
    if (status >= 0) status = nas_store_open(&m->store, m->context, NULL, NULL);
    if (status < 0) return status;
    nas_named_evaluator named = {"main", m->evaluator};
    nas_search_options o;
    nas_search_options_init(&o);
    o.space = m->space;
    o.controller = m->controller;
    o.evaluators = &named;
    o.n_evaluators = 1;
    o.store = m->store;
    o.seed = p->seed;
    o.max_trials = p->trials;
    o.settings = p->hostile ? HOSTILE : "space: here\nseed: 3\n";
    int32_t ended;
    status = nas_search_create(&m->search, m->context, &o);
    return status < 0 ? status : nas_search_run(m->search, &ended);
}

static void must(made *m, nas_status status) {
    if (status != NAS_OK)
        fail_msg("%s: %s", nas_status_name(status), nas_context_error(m->context));
}

/* Reports; free() them. */
static char *page(made *m, bool text, const nas_report_options *options) {
    nas_sink *sink;
    must(m, nas_sink_memory(&sink, m->context));
    must(m, text ? nas_report_text(m->store, options, sink)
                 : nas_report_html(m->store, options, sink));
    char *copy = strdup(nas_sink_data(sink, NULL));
    nas_sink_free(sink);
    return copy;
}

static char *good_page(made *m, const nas_report_options *options) {
    char *html = page(m, false, options);
    xml_check x;
    if (!xml_good(&x, html)) fail_msg("%s", x.wrong);
    return html;
}

/* At most 80 columns, nothing that steers a terminal. */
static char *good_text(made *m, const nas_report_options *options) {
    char *text = page(m, true, options);
    size_t columns = 0;
    for (const char *at = text; *at; at++) {
        if (((unsigned char)*at & 0xc0) != 0x80) columns++;
        if (*at == '\n') columns = 0;
        if (columns > 80) fail_msg("wider than 80 columns at: %.100s", at - 80);
        assert_true((unsigned char)*at >= 32 || *at == '\n');
        assert_int_not_equal(*at, 127);
    }
    return text;
}

static void has(const char *text, const char *what) {
    if (!strstr(text, what)) fail_msg("\"%s\" is not in the report", what);
}

/* ---- the cases
 * ----------------------------------------------------------------------------------- */

static void usual(void **state) {
    (void)state;
    made m;
    plan p = {.network = true, .curves = true, .trials = 120, .seed = 3};
    must(&m, begin(&m, &p, NULL));
    char *html = good_page(&m, NULL), *text = good_text(&m, NULL), wanted[80];
    nas_trial best = {.struct_size = sizeof best};
    nas_search_progress progress = {.struct_size = sizeof progress};
    must(&m, nas_search_best(m.search, &best));
    must(&m, nas_search_state(m.search, &progress));
    has(html, "Search of nas-bench-201 by evolution");
    has(html, "<h2>The best networks</h2>");
    assert_int_equal(times(html, "<svg class=\"nd\""), 4);
    assert_int_equal(times(html, "<svg class=\"chart\""), 4);
    assert_int_equal(
        times(html, "<tr><td class=\"n\">") + times(html, "<tr class=\"won\"><td"),
        120 + times(strstr(html, "The Pareto front as a table"), "<tr><td class=\"n\">") -
            times(strstr(html, "<h2>Trials</h2>"), "<tr><td class=\"n\">"));
    snprintf(wanted, sizeof wanted, "%.2f %%", 100 * best.score);
    has(html, wanted);
    has(text, wanted);
    snprintf(wanted, sizeof wanted, "<dt>distinct networks</dt><dd>%d</dd>",
             (int)progress.distinct);
    has(html, wanted);
    snprintf(wanted, sizeof wanted, "distinct networks         %d\n", (int)progress.distinct);
    has(text, wanted);
    snprintf(wanted, sizeof wanted, "<dt>longest line of parents</dt><dd>%d</dd>",
             (int)progress.generations);
    has(html, wanted);
    snprintf(wanted, sizeof wanted, "<dt>infeasible</dt><dd>%d</dd>", (int)progress.infeasible);
    has(html, wanted);
    snprintf(wanted, sizeof wanted, "(trial %d)", (int)best.number + 1);
    has(text, wanted);
    has(html, "diverged");
    has(html, "the loss is not finite");
    has(html, "seed</th><td>3</td>");
    has(html, "libnas</th><td>" NAS_VERSION_TEXT);
    has(html, "instruction set</th>");
    has(html, best.arch);
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "http:"));
    assert_null(strstr(html, "https:"));
    /* Again, the same. */
    char *again = page(&m, false, NULL), *text_again = page(&m, true, NULL);
    assert_string_equal(html, again);
    assert_string_equal(text, text_again);
    free(html);
    free(text);
    free(again);
    free(text_again);
    end(&m);
}

/* Two equal runs: equal but for the times, which are the store's. */
static void equal_runs(void **state) {
    (void)state;
    static const char *const clocks[] = {"started", "seconds"};
    char *pages[2], *texts[2];
    for (int i = 0; i < 2; i++) {
        made m;
        plan p = {.network = true, .trials = 20, .seed = 9};
        must(&m, begin(&m, &p, NULL));
        for (int k = 0; k < 2; k++)
            must(&m, nas_store_set_fact(m.store, clocks[k], "100"));
        pages[i] = page(&m, false, NULL);
        texts[i] = page(&m, true, NULL);
        /* Trials took their own time. */
        for (char *at = pages[i]; (at = strstr(at, " s</td>")); at++)
            for (char *c = at - 1; *c != '>'; c--)
                *c = 'x';
        for (char *at = texts[i]; (at = strstr(at, " s  complete")); at++)
            for (char *c = at - 1; *c != ' '; c--)
                *c = 'x';
        end(&m);
    }
    assert_string_equal(pages[0], pages[1]);
    assert_int_equal(strlen(texts[0]), strlen(texts[1]));
    for (int i = 0; i < 2; i++) {
        free(pages[i]);
        free(texts[i]);
    }
}

static void hostile(void **state) {
    (void)state;
    static const char *const facts[] = {"space_name", "controller",  "objectives", "isa",
                                        "libnas",     "ended",       "data",       "evaluators",
                                        "started",    "final.curve", "space",      "final.params"};
    made m;
    plan p = {.hostile = true, .curves = true, .notes = true, .trials = 30};
    must(&m, begin(&m, &p, NULL));
    for (int round = 0; round < 3; round++) {
        nas_report_options o = NAS_REPORT_OPTIONS_INIT;
        if (round == 1) o.title = HOSTILE;
        if (round == 2) must(&m, nas_store_set_fact(m.store, "report.title", HOSTILE));
        char *html = good_page(&m, &o), *text = good_text(&m, &o);
        assert_null(strstr(html, "<script"));
        assert_null(strchr(html, 0x1b));
        assert_null(strstr(html, "\xef\xbf\xbe"));
        has(html, "&lt;script&gt;alert(&quot;1&quot;)");
        free(html);
        free(text);
        for (size_t i = 0; round == 0 && i < sizeof facts / sizeof *facts; i++)
            must(&m, nas_store_set_fact(m.store, facts[i], HOSTILE));
        if (round == 1)
            must(&m, nas_store_set_fact(m.store, "objectives", "maximise " HOSTILE " weight 1"));
    }
    end(&m);
}

static void few(void **state) {
    (void)state;
    made m;
    /* None at all: not even a search. */
    memset(&m, 0, sizeof m);
    assert_int_equal(nas_context_create(&m.context, NULL), NAS_OK);
    must(&m, nas_store_open(&m.store, m.context, NULL, NULL));
    char *html = good_page(&m, NULL), *text = good_text(&m, NULL);
    has(html, "There is no trial in this store yet.");
    assert_null(strstr(html, "<svg"));
    free(html);
    free(text);
    end(&m);
    /* One; two. */
    for (uint64_t n = 1; n <= 2; n++) {
        plan p = {.network = true, .curves = true, .trials = n};
        must(&m, begin(&m, &p, NULL));
        html = good_page(&m, NULL);
        text = good_text(&m, NULL);
        assert_int_equal(times(html, "<svg class=\"nd\""), n);
        assert_null(strstr(html, "nan"));
        assert_null(strstr(html, "inf\""));
        free(html);
        free(text);
        end(&m);
    }
    /* All infeasible. */
    plan p = {.infeasible = true, .trials = 25};
    must(&m, begin(&m, &p, NULL));
    html = good_page(&m, NULL);
    text = good_text(&m, NULL);
    has(html, "No trial has a score");
    has(html, "<dt>infeasible</dt><dd>25</dd>");
    has(html, "<td>out of memory</td><td class=\"n\">8</td>");
    has(text, "       8  out of memory, first in trial 2\n");
    assert_null(strstr(html, "<svg"));
    free(html);
    free(text);
    end(&m);
}

static void final_training(void **state) {
    (void)state;
    made m;
    plan p = {.network = true, .trials = 10};
    must(&m, begin(&m, &p, NULL));
    char *html = good_page(&m, NULL);
    assert_null(strstr(html, "final training"));
    free(html);
    must(&m, nas_store_set_fact(m.store, "final.test_accuracy", "0.9234"));
    must(&m, nas_store_set_fact(m.store, "final.epochs", "12"));
    must(&m, nas_store_set_fact(m.store, "final.seconds", "125.4"));
    must(&m, nas_store_set_fact(m.store, "final.params", "4321"));
    must(&m,
         nas_store_set_fact(m.store, "final.curve", "1 0.9 10\n2 0.5 20\nnonsense\n3 0.25 30\n"));
    html = good_page(&m, NULL);
    char *text = good_text(&m, NULL);
    has(html, "92.34 %");
    has(html, "4,321");
    has(html, "final training, 12 epochs</dt><dd>2 min 5 s</dd>");
    has(html, "Training loss of the final training");
    assert_int_equal(times(html, "class=\"mark c0\""), 3);
    has(text, "92.34 %");
    has(text, "         3      0.2500\n");
    free(html);
    free(text);
    end(&m);
}

static void many(void **state) {
    (void)state;
    made m;
    plan p = {.trials = 20000, .curves = true, .seed = 1};
    must(&m, begin(&m, &p, NULL));
    char *html = good_page(&m, NULL), *text = good_text(&m, NULL);
    assert_in_range(strlen(html), 30000, 400000);
    assert_in_range(strlen(text), 3000, 60000);
    has(html, "The best 100, the best first; 19,900 others are left out");
    has(text, "19900 others are left out");
    assert_in_range(times(html, "<tr"), 100, 140);
    assert_in_range(times(html, "<circle"), 0, 300);
    free(html);
    free(text);
    end(&m);
}

/* The best drawn are distinct, in order, and as many as asked for. */
static void options(void **state) {
    (void)state;
    made m;
    plan p = {.network = true, .trials = 60, .seed = 4};
    must(&m, begin(&m, &p, NULL));
    for (uint32_t best = 0; best <= 12; best += 6) {
        nas_report_options o = NAS_REPORT_OPTIONS_INIT;
        o.best = best;
        o.title = "A title & more";
        char *html = good_page(&m, &o);
        has(html, "<title>A title &amp; more</title>");
        assert_int_equal(times(html, "<article"), best);
        free(html);
    }
    nas_report_options o = NAS_REPORT_OPTIONS_INIT;
    nas_sink *sink;
    must(&m, nas_sink_memory(&sink, m.context));
    o.best = 101;
    assert_int_equal(nas_report_html(m.store, &o, sink), NAS_E_INVALID);
    o.best = 4;
    o.flags = 1;
    assert_int_equal(nas_report_text(m.store, &o, sink), NAS_E_INVALID);
    assert_int_equal(nas_report_html(m.store, NULL, NULL), NAS_E_INVALID);
    assert_int_equal(nas_report_html(NULL, NULL, sink), NAS_E_INVALID);
    size_t n;
    nas_sink_data(sink, &n);
    assert_int_equal(n, 0);
    /* A space that cannot be made again: no drawings, and the page says why. */
    must(&m, nas_store_set_fact(m.store, "space", "space: [\n"));
    char *html = good_page(&m, NULL);
    assert_null(strstr(html, "<svg class=\"nd\""));
    has(html, "Not drawn: the space in the store:");
    free(html);
    o = (nas_report_options)NAS_REPORT_OPTIONS_INIT;
    o.space = m.space;
    html = good_page(&m, &o);
    assert_int_equal(times(html, "<svg class=\"nd\""), 4);
    free(html);
    nas_sink_free(sink);
    end(&m);
}

typedef struct {
    size_t left;
    nas_status answer;
} narrow;
static nas_status write_some(void *user, const void *bytes, size_t n) {
    narrow *to = user;
    (void)bytes;
    if (n > to->left) return to->answer;
    to->left -= n;
    return NAS_OK;
}

static void failing_sink(void **state) {
    (void)state;
    static const nas_status answers[] = {NAS_E_IO, NAS_STOP, NAS_STATUS_CALLER - 5};
    made m;
    plan p = {.network = true, .curves = true, .trials = 40};
    must(&m, begin(&m, &p, NULL));
    char *html = page(&m, false, NULL), *text = page(&m, true, NULL);
    for (int kind = 0; kind < 2; kind++) {
        size_t all = strlen(kind ? text : html), step = all / 37 + 1;
        for (size_t left = 0; left < all; left += step)
            for (size_t a = 0; a < 3; a++) {
                narrow to = {left, answers[a]};
                nas_sink *sink;
                must(&m, nas_sink_create(&sink, m.context, write_some, &to));
                assert_int_equal(kind ? nas_report_text(m.store, NULL, sink)
                                      : nas_report_html(m.store, NULL, sink),
                                 answers[a]);
                nas_sink_free(sink);
            }
    }
    free(html);
    free(text);
    end(&m);
}

/* Curves of a store by index. */
static void curve_names(void **state) {
    (void)state;
    made m;
    const char *name = "";
    plan p = {.curves = true, .trials = 3};
    must(&m, begin(&m, &p, NULL));
    must(&m, nas_store_curve_at(m.store, 0, 0, &name));
    assert_string_equal(name, "accuracy");
    must(&m, nas_store_curve_at(m.store, 2, 1, &name));
    assert_string_equal(name, "loss");
    must(&m, nas_store_curve_at(m.store, 2, 2, &name));
    assert_null(name);
    assert_int_equal(nas_store_curve_at(m.store, 3, 0, &name), NAS_E_NOT_FOUND);
    end(&m);
}

/* Every allocation of both reports fails in turn: the search before them has what it needs. */
static void memory(void **state) {
    (void)state;
    plan p = {.network = true, .curves = true, .trials = 24};
    for (int kind = 0; kind < 2; kind++) {
        test_allocator heap = TEST_ALLOCATOR_INIT;
        made m;
        nas_sink *sink;
        bool ended = false;
        long long before = 0;
        must(&m, begin(&m, &p, &heap));
        must(&m, nas_store_set_fact(m.store, "final.curve", "1 2 3\n2 1 4\n"));
        char *whole = page(&m, kind, NULL);
        for (long long n = 0; !ended; n++) {
            must(&m, nas_sink_memory(&sink, m.context));
            heap.failed = false;
            heap.fail_at = atomic_load(&heap.calls) + n;
            nas_status status =
                kind ? nas_report_text(m.store, NULL, sink) : nas_report_html(m.store, NULL, sink);
            heap.fail_at = -1;
            ended = !heap.failed;
            if (status != NAS_OK) assert_int_equal(status, NAS_E_MEMORY);
            if (ended) assert_int_equal(status, NAS_OK);
            if (status == NAS_OK) assert_string_equal(nas_sink_data(sink, NULL), whole);
            nas_sink_free(sink);
            /* The sentence of the first failure stays with the context; nothing else does. */
            if (n == 0) before = atomic_load(&heap.blocks);
            assert_int_equal(atomic_load(&heap.blocks), before);
        }
        free(whole);
        end(&m);
        assert_int_equal(heap.blocks, 0);
        assert_false(heap.wrong_size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual),   cmocka_unit_test(equal_runs),   cmocka_unit_test(hostile),
        cmocka_unit_test(few),     cmocka_unit_test(many),         cmocka_unit_test(final_training),
        cmocka_unit_test(options), cmocka_unit_test(failing_sink), cmocka_unit_test(curve_names),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
