/* What a trial of a search costs beside its evaluation.
 *
 *   bench-controller [TABLE.csv [PART [N]]]   the table: NAS-Bench-201's, arch in the column
 * `cell`; without one, or with "-", a made-up score. PART: ask-tell, search, store, distinct
 *
 * ask-tell: regularized evolution (100, 25), its ask and tell alone, with the canonical hash of
 * each network, the look-up whether it came before, and the trial as a row of a store in memory.
 * search:   a million evaluations by nas_search_run, store in memory; again with results reused.
 * store:    100,000 trials into a file; the cost of each tenth, so that one sees that it is
 * constant. distinct: ask-tell and search in the space `darts`, where hardly a network comes twice.
 *
 * Bytes a trial: all that the context's allocator gave and that is still held: rows, look-ups, the
 * controller. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "controller/controller.h"
#include "store/store.h"
#include "libnas/libnas.h"

static nas_context *context;

static void must(nas_status status, const char *what) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", what, nas_context_error(context));
    exit(1);
}

static nas_status score_of(void *user, const nas_proposal *asked, nas_reporter *progress,
                           nas_result_builder *out) {
    (void)user, (void)progress;
    return nas_result_set(out, "accuracy",
                          (double)(nas_arch_hash(nas_proposal_arch(asked)) >> 40) / (1 << 24));
}

/* Seconds of the processor: on a machine with other work the clock on the wall says less. */
static double spent_cpu(void) {
    return (double)clock() / CLOCKS_PER_SEC;
}

static size_t resident(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long all = 0, pages = 0;
    if (file == NULL || fscanf(file, "%lu %lu", &all, &pages) != 2) pages = 0;
    if (file) fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static uint64_t held(void) {
    nas_memory_use use = {.struct_size = sizeof use};
    must(nas_context_memory(context, &use), "memory");
    return use.bytes_now;
}

/* As a search does it, without its loop: what is asked is looked up, scored, told, and a row of the
 * store. */
static void ask_tell(const nas_space *space, uint64_t n) {
    nas_controller *controller;
    nas_evolution_options o = NAS_EVOLUTION_OPTIONS_INIT;
    nas_store *store;
    uint64_t repeats = 0;
    must(nas_controller_evolution(&controller, space, &o), "evolution");
    must(nas_store_open(&store, context, NULL, NULL), "store");
    uint64_t before = held();
    double start = ni_clock(), cpu = spent_cpu();
    for (uint64_t turn = 0; turn < n; turn++) {
        nas_proposal_builder *builder;
        nas_result_builder *result;
        nas_proposal *proposal;
        nas_random stream;
        must(ni_proposal_create(&builder, context, space, 1, turn, turn, turn), "proposal");
        ni_random_init(&stream, 1, turn, "bench");
        must(nas_controller_ask(controller, &stream, builder), "ask");
        must(ni_proposal_finish(builder, &proposal), "finish");
        const nas_arch *arch = nas_proposal_arch(proposal);
        uint64_t network = nas_arch_network_hash(arch);
        bool repeat = ni_store_find(store, NI_BY_NETWORK, network, NULL);
        repeats += repeat;
        double score = (double)(nas_arch_hash(arch) >> 40) / (1 << 24);
        must(nas_result_create(&result, context), "result");
        must(nas_result_set(result, "accuracy", score), "set");
        nas_result *got = ni_result_finish(result);
        ni_result_set_score(got, score);
        ni_trial_row row = {.number = turn, .first_turn = turn, .turns = 1, .seen = turn};
        row.arrival = turn;
        row.network_hash = network;
        row.parent = nas_proposal_parent(proposal);
        row.from = NAS_TRIAL_NONE;
        row.evaluated = 1;
        row.score = score;
        row.design = arch;
        row.note = nas_proposal_note(proposal);
        must(ni_store_begin(store), "begin");
        must(ni_store_put_trial(store, &row, got), "row");
        must(ni_store_commit(store), "commit");
        if (!repeat) must(ni_store_index(store, NI_BY_NETWORK, turn), "index");
        must(nas_controller_tell(controller, proposal, got), "tell");
        ni_result_free(got);
        ni_proposal_free(proposal);
    }
    double spent = ni_clock() - start;
    cpu = spent_cpu() - cpu;
    printf(
        "ask-tell, %s: %llu trials, %.3f us a trial (processor %.3f us), %llu repeats, %.1f bytes "
        "a trial\n",
        nas_space_name(space), (unsigned long long)n, spent / (double)n * 1e6,
        cpu / (double)n * 1e6, (unsigned long long)repeats, (double)(held() - before) / (double)n);
    nas_store_free(store);
    nas_controller_free(controller);
}

static nas_status on_turn(void *user, nas_search *search, const nas_proposal *asked,
                          const nas_result *got) {
    double *times = user;
    (void)search, (void)got;
    uint64_t trial = nas_proposal_trial(asked);
    if ((trial + 1) % 10000 == 0) times[trial / 10000] = ni_clock();
    return NAS_OK;
}

static void search(const nas_space *space, nas_evaluator *evaluator, uint64_t n, int reuse,
                   const char *path) {
    nas_controller *controller;
    nas_search *run;
    nas_store *store = NULL;
    nas_search_options o;
    nas_search_hooks hooks = {.struct_size = sizeof hooks};
    nas_evolution_options e = NAS_EVOLUTION_OPTIONS_INIT;
    nas_named_evaluator named = {"table", evaluator};
    double times[128] = {0};
    must(nas_controller_evolution(&controller, space, &e), "evolution");
    if (path) unlink(path);
    must(nas_store_open(&store, context, path, NULL), "store");
    nas_search_options_init(&o);
    o.space = space;
    o.controller = controller;
    o.evaluators = &named;
    o.n_evaluators = 1;
    o.store = store;
    o.max_trials = n;
    o.reuse = reuse;
    hooks.user = times;
    hooks.turn_ended = on_turn;
    o.hooks = &hooks;
    size_t before = resident();
    uint64_t held_before = held();
    double start = ni_clock(), cpu = spent_cpu();
    must(nas_search_create(&run, context, &o), "create");
    must(nas_search_run(run, NULL), "run");
    double spent = ni_clock() - start;
    cpu = spent_cpu() - cpu;
    printf(
        "%s, %s%s: %llu evaluations in %.2f s (processor %.2f s), %.3f us each, %.1f bytes a trial "
        "(%.1f by the system)\n",
        path ? "store" : "search", nas_space_name(space), reuse ? ", reuse" : "",
        (unsigned long long)n, spent, cpu, spent / (double)n * 1e6,
        (double)(held() - held_before) / (double)n, (double)(resident() - before) / (double)n);
    if (path) {
        printf("store: microseconds a trial in each tenth:");
        for (uint64_t i = 0; i < n / 10000; i++)
            printf(" %.1f", (times[i] - (i ? times[i - 1] : start)) / 10000 * 1e6);
        printf("\n");
        double first = times[0] - start, last = times[n / 10000 - 1] - times[n / 10000 - 2];
        printf("store: last tenth against first: %.2f\n", last / first);
    }
    nas_search_free(run);
    nas_store_free(store);
    nas_controller_free(controller);
    if (path) unlink(path);
}

int main(int argc, char **argv) {
    nas_space *space, *large;
    nas_evaluator *evaluator;
    if (nas_context_create(&context, NULL) < 0) return 1;
    must(nas_space_preset(&space, context, "nas-bench-201", NULL, 0), "space");
    if (argc > 1 && strcmp(argv[1], "-") != 0) {
        nas_table_options o = NAS_TABLE_OPTIONS_INIT;
        o.path = argv[1];
        o.arch = "cell";
        o.accuracy = "cifar10-val";
        o.test = "cifar10-test";
        double start = ni_clock();
        must(nas_evaluator_table(&evaluator, context, &o), "table");
        must(nas_evaluator_prepare(evaluator, space, NULL), "prepare");
        printf("table: opened in %.4f s\n", ni_clock() - start);
    } else {
        must(nas_evaluator_callback(&evaluator, context, NAS_EVALUATOR_STATELESS, score_of, NULL,
                                    NULL),
             "evaluator");
    }
    const char *part = argc > 2 ? argv[2] : "all";
    bool all = strcmp(part, "all") == 0;
    if (all || !strcmp(part, "ask-tell"))
        ask_tell(space, argc > 3 ? (uint64_t)atoll(argv[3]) : 1000000);
    if (all || !strcmp(part, "search")) search(space, evaluator, 1000000, 0, NULL);
    if (all || !strcmp(part, "search")) search(space, evaluator, 1000000, 1, NULL);
    if (all || !strcmp(part, "store")) search(space, evaluator, 100000, 0, "bench-controller.nas");
    if (all || !strcmp(part, "distinct")) { /* hardly a network comes twice */
        nas_evaluator *made_up;
        must(nas_space_preset(&large, context, "darts", NULL, 0), "space");
        must(nas_evaluator_callback(&made_up, context, NAS_EVALUATOR_STATELESS, score_of, NULL,
                                    NULL),
             "evaluator");
        ask_tell(large, 300000);
        search(large, made_up, 300000, 1, NULL);
        nas_evaluator_free(made_up);
        nas_space_free(large);
    }
    nas_evaluator_free(evaluator);
    nas_space_free(space);
    nas_context_free(context);
    return 0;
}
