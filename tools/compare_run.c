/* The searches of nas compare: one for each controller and seed, on as many threads as there are.
 * Each thread has a context, a space and a table of its own, so that nothing is shared but the
 * list. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "compare.h"

typedef struct {
    compare_runs *runs;
    atomic_size_t next;
    atomic_int failed;
    pthread_mutex_t lock; /* of messages */
} shared;

typedef struct {
    compare_runs *runs;
    double *validation, *test; /* of this search: a number a point */
    double best, best_test, evaluations;
    size_t point; /* first that is not filled in */
} watch;

static void fill_until(watch *w, double spent) {
    for (; w->point < w->runs->n_points && w->runs->points[w->point] < spent; w->point++) {
        w->validation[w->point] = w->best;
        w->test[w->point] = w->best_test;
    }
}

static nas_status on_turn(void *user, nas_search *search, const nas_proposal *proposal,
                          const nas_result *result) {
    watch *w = user;
    nas_search_progress now;
    double value, spent = ++w->evaluations;
    (void)proposal;
    if (w->runs->plan->unit == COMPARE_EPOCHS) {
        memset(&now, 0, sizeof now);
        now.struct_size = sizeof now;
        nas_status status = nas_search_state(search, &now);
        if (status < 0) return status;
        spent = now.epochs;
    } else if (w->runs->plan->unit == COMPARE_SECONDS) {
        if (nas_result_metric(result, "clock", &spent) != NAS_OK) return NAS_OK;
    }
    fill_until(w, spent);
    if (nas_result_state(result) == NAS_STATE_INFEASIBLE ||
        nas_result_metric(result, "accuracy", &value) != NAS_OK ||
        (!isnan(w->best) && value <= w->best))
        return NAS_OK;
    w->best = value;
    if (nas_result_metric(result, "test_accuracy", &w->best_test) != NAS_OK) w->best_test = value;
    return NAS_OK;
}

static nas_status run_search(watch *w, nas_context *context, const nas_space *space,
                             nas_evaluator *table, const compare_entry *entry, uint64_t seed) {
    const compare_plan *plan = w->runs->plan;
    double most = plan->budgets[plan->n_budgets - 1];
    nas_controller *controller = NULL;
    nas_search *search = NULL;
    nas_named_evaluator named = {"table", table};
    nas_search_hooks hooks;
    nas_search_options o;
    memset(&hooks, 0, sizeof hooks);
    hooks.struct_size = sizeof hooks;
    hooks.user = w;
    hooks.turn_ended = on_turn;
    nas_status status = nas_controller_named(
        &controller, space, entry->name, (const char *const *)entry->settings, entry->n_settings);
    nas_search_options_init(&o);
    o.space = space;
    o.controller = controller;
    o.evaluators = &named;
    o.n_evaluators = 1;
    o.hooks = &hooks;
    o.seed = seed;
    o.workers = 1;
    o.window = (uint32_t)plan->workers;
    if (plan->workers > 1) o.order = NAS_ORDER_ARRIVAL;
    if (plan->unit == COMPARE_EVALUATIONS) o.max_evaluations = (uint64_t)most;
    if (plan->unit == COMPARE_EPOCHS) o.max_epochs = most;
    if (status >= 0) status = nas_search_create(&search, context, &o);
    if (status >= 0) {
        nas_simulate_options s = NAS_SIMULATE_OPTIONS_INIT;
        s.workers = (uint32_t)plan->workers;
        if (plan->unit == COMPARE_SECONDS) s.max_seconds = most;
        status = plan->workers > 1 || plan->unit == COMPARE_SECONDS
                     ? nas_search_simulate(search, &s, NULL)
                     : nas_search_run(search, NULL);
    }
    if (status >= 0) fill_until(w, INFINITY);
    nas_search_free(search);
    nas_controller_free(controller);
    return status;
}

static nas_status open_parts(const compare_plan *plan, nas_context *context, nas_space **space,
                             nas_evaluator **table) {
    nas_status status = nas_space_open(space, context, plan->space,
                                       (const char *const *)plan->parameters, plan->n_parameters);
    if (status >= 0)
        status = nas_evaluator_named(table, context, "table", (const char *const *)plan->table,
                                     plan->n_table);
    return status >= 0 ? nas_evaluator_prepare(*table, *space, NULL) : status;
}

static void say(shared *s, nas_context *context) {
    pthread_mutex_lock(&s->lock);
    if (!atomic_exchange(&s->failed, 1)) tool_failed(context);
    pthread_mutex_unlock(&s->lock);
}

static void *work(void *user) {
    shared *s = user;
    compare_runs *r = s->runs;
    const compare_plan *plan = r->plan;
    nas_space *space = NULL;
    nas_evaluator *table = NULL;
    nas_context *context = tool_context(1);
    if (!context) {
        atomic_store(&s->failed, 1);
        return NULL;
    }
    nas_status status = open_parts(plan, context, &space, &table);
    while (status >= 0 && !atomic_load(&s->failed)) {
        size_t task = atomic_fetch_add(&s->next, 1);
        if (task >= plan->n_entries * plan->seeds) break;
        watch w = {r, r->validation + task * r->n_points, r->test + task * r->n_points, NAN, NAN, 0,
                   0};
        status = run_search(&w, context, space, table, &plan->entries[task / plan->seeds],
                            plan->first_seed + task % plan->seeds);
    }
    if (status < 0) say(s, context);
    nas_evaluator_free(table);
    nas_space_free(space);
    nas_context_free(context);
    return NULL;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The budgets, and between 1 / 100 of the last and the last 40 more for the picture. */
static int place_points(compare_runs *r, const compare_plan *plan) {
    enum { MORE = 40 };
    double most = plan->budgets[plan->n_budgets - 1], least = most / 100;
    r->points = calloc(plan->n_budgets + MORE, sizeof *r->points);
    if (!r->points) return tool_memory();
    memcpy(r->points, plan->budgets, plan->n_budgets * sizeof *r->points);
    r->n_points = plan->n_budgets;
    if (plan->unit == COMPARE_EVALUATIONS && least < 1) least = 1;
    for (int i = 0; i < MORE; i++) {
        double x = least * pow(most / least, (double)i / MORE);
        r->points[r->n_points++] = plan->unit == COMPARE_EVALUATIONS ? floor(x + 0.5) : x;
    }
    qsort(r->points, r->n_points, sizeof *r->points, by_size);
    size_t n = 0;
    for (size_t i = 0; i < r->n_points; i++)
        if (n == 0 || r->points[i] > r->points[n - 1]) r->points[n++] = r->points[i];
    r->n_points = n;
    return 0;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What the file asks for can be opened, and what the table holds. */
static int look(compare_runs *r) {
    nas_space *space = NULL;
    nas_evaluator *table = NULL;
    nas_context *context = tool_context(1);
    if (!context) return EXIT_FAILED;
    r->table.struct_size = sizeof r->table;
    nas_status status = open_parts(r->plan, context, &space, &table);
    if (status >= 0) status = nas_evaluator_table_info(table, &r->table);
    for (size_t i = 0; status >= 0 && i < r->plan->n_entries; i++) {
        const compare_entry *entry = &r->plan->entries[i];
        nas_controller *controller;
        status = nas_controller_named(&controller, space, entry->name,
                                      (const char *const *)entry->settings, entry->n_settings);
        if (status >= 0) nas_controller_free(controller);
    }
    int code = status < 0 ? tool_failed(context) : 0;
    nas_evaluator_free(table);
    nas_space_free(space);
    nas_context_free(context);
    return code;
}

int compare_run(compare_runs *r, const compare_plan *plan) {
    enum { MOST_THREADS = 64 };
    pthread_t threads[MOST_THREADS];
    shared s = {.runs = r, .lock = PTHREAD_MUTEX_INITIALIZER};
    double start = now();
    memset(r, 0, sizeof *r);
    r->plan = plan;
    int code = place_points(r, plan);
    if (!code) code = look(r);
    if (code) return code;
    size_t searches = plan->n_entries * plan->seeds;
    r->validation = calloc(searches * r->n_points, sizeof *r->validation);
    r->test = calloc(searches * r->n_points, sizeof *r->test);
    if (!r->validation || !r->test) return tool_memory();
    size_t n = plan->threads ? plan->threads : 0, started = 0;
    if (n == 0) {
        nas_context *context = NULL;
        if (nas_context_create(&context, NULL) >= 0) n = nas_context_threads(context);
        nas_context_free(context);
    }
    if (n > MOST_THREADS) n = MOST_THREADS;
    if (n > searches) n = searches;
    while (started + 1 < n && pthread_create(&threads[started], NULL, work, &s) == 0)
        started++;
    work(&s);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    r->seconds = now() - start;
    return atomic_load(&s.failed) ? EXIT_FAILED : 0;
}

void compare_runs_free(compare_runs *r) {
    free(r->points);
    free(r->validation);
    free(r->test);
}
