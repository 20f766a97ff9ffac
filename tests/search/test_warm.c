/* Warm starts: every built-in controller learns from another search's store, and goes on the same
 * after a resume. */
#include "search/fixture.h"

enum { N = 4, M = 3 };

/* A finished search of `trials`; the caller frees the store. */
static nas_store *earlier(fixture *f, nas_space *space, uint64_t trials) {
    nas_search_options o;
    nas_search *search;
    nas_controller *controller;
    nas_store *store;
    const char *settings[] = {"replacement=no"};
    MUST(f->context, nas_controller_named(&controller, space, "random", settings, 1));
    MUST(f->context, nas_store_open(&store, f->context, NULL, NULL));
    nas_search_options_init(&o);
    o.space = space;
    o.controller = controller;
    o.store = store;
    o.max_trials = trials;
    MUST(f->context, nas_search_create(&search, f->context, &o));
    for (uint64_t i = 0; i < trials; i++) {
        const nas_proposal *p;
        nas_result_builder *result;
        MUST(f->context, nas_search_ask(search, &p));
        MUST(f->context, nas_result_create(&result, f->context));
        if (i % 5 == 4)
            MUST(f->context, nas_result_set_infeasible(result, NAS_REASON_DIVERGED, "no"));
        else
            MUST(f->context, nas_result_set(result, "accuracy", letters_value(p, N, M)));
        MUST(f->context, nas_search_tell(search, p, result));
        nas_result_free(result);
    }
    nas_search_free(search);
    nas_controller_free(controller);
    return store;
}

static void say(fixture *f, nas_controller *controller, char *to, size_t size) {
    nas_sink *sink;
    MUST(f->context, nas_sink_memory(&sink, f->context));
    MUST(f->context, nas_controller_describe(controller, sink));
    snprintf(to, size, "%s", nas_sink_data(sink, NULL));
    nas_sink_free(sink);
}

/* Texts of `n` more asks, told as they come; cut in two searches over one store after `cut`. */
static void go_on(fixture *f, const char *name, nas_store *from, uint64_t n, uint64_t cut,
                  char (*texts)[64]) {
    nas_store *store;
    MUST(f->context, nas_store_open(&store, f->context, NULL, NULL));
    for (int part = 0; part < 2; part++) {
        nas_search_options o;
        nas_search *search;
        nas_controller *controller;
        uint64_t told;
        MUST(f->context, nas_controller_named(&controller, f->space, name, NULL, 0));
        MUST(f->context, nas_controller_warm_start(controller, f->space, from, &told));
        assert_int_equal(told, 40);
        nas_search_options_init(&o);
        o.space = f->space;
        o.controller = controller;
        o.store = store;
        o.seed = 5;
        MUST(f->context, nas_search_create(&search, f->context, &o));
        for (uint64_t i = part ? cut : 0; i < (part ? n : cut); i++) {
            const nas_proposal *p;
            nas_result_builder *result;
            nas_status status = nas_search_ask(search, &p);
            texts[i][0] = 0;
            if (status == NAS_DONE) continue; /* the progressive one, when all is known */
            MUST(f->context, status);
            assert_true(nas_proposal_parent(p) == NAS_TRIAL_NONE || nas_proposal_parent(p) < i);
            snprintf(texts[i], sizeof texts[i], "%s", nas_arch_text(nas_proposal_arch(p)));
            MUST(f->context, nas_result_create(&result, f->context));
            MUST(f->context, nas_result_set(result, "accuracy", letters_value(p, N, M)));
            MUST(f->context, nas_search_tell(search, p, result));
            nas_result_free(result);
        }
        nas_search_free(search);
        nas_controller_free(controller);
    }
    nas_store_free(store);
}

static void test_every_controller(void **state) {
    fixture f;
    (void)state;
    fixture_begin(&f, N, M);
    nas_store *store = earlier(&f, f.space, 40);
    for (uint32_t c = 0; nas_controller_builtin(c); c++) {
        const char *name = nas_controller_builtin(c);
        char cold[4000], warm[4000], a[8][64], b[8][64];
        nas_controller *controller;
        uint64_t told;
        MUST(f.context, nas_controller_named(&controller, f.space, name, NULL, 0));
        say(&f, controller, cold, sizeof cold);
        MUST(f.context, nas_controller_warm_start(controller, f.space, store, &told));
        assert_int_equal(told, 40);
        say(&f, controller, warm, sizeof warm);
        /* Samples, lists and brackets of samples have nothing to learn; densities are of rungs. */
        static const char *const same[] = {"random", "exhaustive", "halving",
                                           "asha",   "hyperband",  "bohb"};
        bool learns = true;
        for (size_t i = 0; i < sizeof same / sizeof *same; i++)
            learns &= strcmp(name, same[i]) != 0;
        if (learns) assert_string_not_equal(cold, warm);
        nas_controller_free(controller);
        go_on(&f, name, store, 8, 8, a);
        go_on(&f, name, store, 8, 3, b);
        for (int i = 0; i < 8; i++)
            assert_string_equal(a[i], b[i]);
    }
    nas_store_free(store);
    fixture_end(&f);
}

/* What `controller` is told of a store whose trials have two metrics: the alternatives' mean, and
 * "cost". */
static nas_store *two_metrics(fixture *f, uint64_t trials) {
    nas_search_options o;
    nas_search *search;
    nas_controller *controller;
    nas_store *store;
    MUST(f->context, nas_controller_named(&controller, f->space, "random",
                                          (const char *[]){"replacement=no"}, 1));
    MUST(f->context, nas_store_open(&store, f->context, NULL, NULL));
    nas_search_options_init(&o);
    o.space = f->space;
    o.controller = controller;
    o.store = store;
    o.max_trials = trials;
    MUST(f->context, nas_search_create(&search, f->context, &o));
    for (const nas_proposal *p; nas_search_ask(search, &p) == NAS_OK;) {
        nas_result_builder *result;
        nas_value first;
        MUST(f->context, nas_result_create(&result, f->context));
        MUST(f->context, nas_proposal_value(p, 0, &first));
        MUST(f->context, nas_result_set(result, "accuracy", letters_value(p, N, M)));
        MUST(f->context,
             nas_result_set(result, "cost", 10 * letters_value(p, N, M) - (double)first.integer));
        MUST(f->context, nas_search_tell(search, p, result));
        nas_result_free(result);
    }
    nas_search_free(search);
    nas_controller_free(controller);
    return store;
}

/* NSGA-II's parents are the best fronts of the earlier trials, of which none is dominated by
 * another one. */
static void test_nsga2(void **state) {
    fixture f;
    char said[4000];
    double a[40], c[40];
    uint64_t told;
    nas_controller *controller;
    nas_trial trial = {.struct_size = sizeof trial};
    (void)state;
    fixture_begin(&f, N, M);
    nas_store *store = two_metrics(&f, 40);
    MUST(f.context,
         nas_controller_named(&controller, f.space, "nsga2",
                              (const char *[]){"objectives=accuracy,-cost", "population=20"}, 2));
    MUST(f.context, nas_controller_warm_start(controller, f.space, store, &told));
    assert_int_equal(told, 40);
    nas_search_options o;
    nas_search *search;
    const nas_proposal *asked;
    nas_search_options_init(&o);
    o.space = f.space;
    o.controller = controller;
    MUST(f.context, nas_search_create(&search, f.context, &o));
    MUST(f.context, nas_search_ask(search, &asked)); /* the earlier trials are a generation */
    say(&f, controller, said, sizeof said);
    if (!strstr(said, "generation 1: 20 parents, 0 children, 1 in flight")) fail_msg("%s", said);
    nas_search_free(search);
    for (uint64_t i = 0; i < 40; i++) {
        MUST(f.context, nas_store_metric(store, i, "accuracy", &a[i]));
        MUST(f.context, nas_store_metric(store, i, "cost", &c[i]));
    }
    size_t front = 0;
    for (uint64_t i = 0; i < 40; i++) {
        bool dominated = false;
        char line[96];
        for (uint64_t j = 0; j < 40; j++)
            dominated |= a[j] >= a[i] && c[j] <= c[i] && (a[j] > a[i] || c[j] < c[i]);
        MUST(f.context, nas_store_trial(store, i, &trial));
        snprintf(line, sizeof line, "first front: of an earlier search: %s\n", trial.arch);
        if (dominated) assert_null(strstr(said, line));
        if (!dominated) assert_non_null(strstr(said, line));
        front += !dominated;
    }
    assert_true(front > 1 && front < 20);
    nas_controller_free(controller);
    nas_store_free(store);
    fixture_end(&f);
}

/* Local search's first climb begins at the best earlier trial: it proposes neighbours of it that
 * are not known, and no trial again. */
static void test_local_search(void **state) {
    fixture f;
    char best[64] = "", texts[8][64];
    double most = -1, value;
    nas_trial trial = {.struct_size = sizeof trial};
    (void)state;
    fixture_begin(&f, N, M);
    nas_store *store = two_metrics(&f, 40);
    for (uint64_t i = 0; i < 40; i++) {
        MUST(f.context, nas_store_metric(store, i, "accuracy", &value));
        MUST(f.context, nas_store_trial(store, i, &trial));
        if (value <= most) continue;
        most = value;
        snprintf(best, sizeof best, "%s", trial.arch);
    }
    go_on(&f, "local-search", store, 8, 8, texts);
    unsigned differing = 0; /* the texts are "d0=a d1=b ...": of one length */
    assert_int_equal(strlen(texts[0]), strlen(best));
    for (size_t i = 0; best[i]; i++)
        differing += best[i] != texts[0][i];
    assert_int_equal(differing, 1);
    for (uint64_t i = 0; i < 40; i++) {
        MUST(f.context, nas_store_trial(store, i, &trial));
        for (int k = 0; k < 8; k++)
            assert_string_not_equal(trial.arch, texts[k]);
    }
    nas_store_free(store);
    fixture_end(&f);
}

static void test_no_repeats(void **state) {
    /* 40 of 81 are known: random search without replacement proposes the other 41. */
    fixture f;
    (void)state;
    fixture_begin(&f, N, M);
    nas_store *store = earlier(&f, f.space, 40);
    nas_controller *controller;
    const char *settings[] = {"replacement=no"};
    MUST(f.context, nas_controller_named(&controller, f.space, "random", settings, 1));
    MUST(f.context, nas_controller_warm_start(controller, f.space, store, NULL));
    nas_search_options o;
    nas_search *search;
    nas_search_options_init(&o);
    o.space = f.space;
    o.controller = controller;
    MUST(f.context, nas_search_create(&search, f.context, &o));
    uint64_t asked = 0;
    for (const nas_proposal *p; nas_search_ask(search, &p) == NAS_OK; asked++)
        MUST(f.context, nas_search_forget(search, p));
    assert_int_equal(asked, 41);
    nas_search_free(search);
    nas_controller_free(controller);
    nas_store_free(store);
    fixture_end(&f);
}

static void test_another_space(void **state) {
    fixture f;
    (void)state;
    fixture_begin(&f, N, M);
    nas_space *other = make_space(f.context, N, M + 1);
    nas_store *store = earlier(&f, other, 3), *empty;
    nas_controller *controller;
    MUST(f.context, nas_store_open(&empty, f.context, NULL, NULL));
    MUST(f.context, nas_controller_named(&controller, f.space, "evolution", NULL, 0));
    FAILS(f.context, NAS_E_STATE, "another space",
          nas_controller_warm_start(controller, f.space, store, NULL));
    FAILS(f.context, NAS_E_STATE, "another space",
          nas_controller_warm_start(controller, f.space, empty, NULL));
    nas_controller_free(controller);
    nas_store_free(store);
    nas_store_free(empty);
    nas_space_free(other);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_controller), cmocka_unit_test(test_nsga2),
        cmocka_unit_test(test_local_search), cmocka_unit_test(test_no_repeats),
        cmocka_unit_test(test_another_space)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
