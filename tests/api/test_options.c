/* Versioned structs, both ways.
 *
 * Given to the library: one of this release, one of the first, a longer one of the future whose
 * tail is zero (accepted) or not (refused with a sentence), one that nobody filled (refused).
 * Answered by the library: never past the caller's size, which stays as it was. And the INIT macro
 * and the init function of each options struct say the same. */
#include <stdio.h>
#include "plugin.h"
#include "check.h" /* made by headers.py */
#include "first.h"

enum { ROOM = 1024 };

/* ---- what the calls need
 * -------------------------------------------------------------------------- */

typedef struct {
    nas_context *context;
    nas_space *letters, *cells, *probing;
    nas_arch *arch;
    nas_dataset *data;
    nas_controller *controller;
    nas_model *model;
    nas_search *search;
    const void *conv; /* given to nas_graph_conv by the operation "probe" */
    uint32_t operations;
} rig;

static uint8_t pixels[40 * 64];
static int32_t labels[40];

static nas_status probe(void *self, nas_graph *graph, const nas_op_site *at, const nas_node *in,
                        uint32_t n, nas_node *out) {
    rig *r = self;
    (void)at, (void)n;
    return nas_graph_conv(graph, "conv", in[0], r->conv, out);
}

static nas_status half(void *user, const nas_proposal *asked, nas_reporter *progress,
                       nas_result_builder *out) {
    (void)user, (void)asked, (void)progress;
    return nas_result_set(out, "accuracy", 0.5);
}

static nas_dataset_arrays arrays(void) {
    nas_dataset_arrays a = {.struct_size = sizeof a,
                            .n_train = 40,
                            .height = 8,
                            .width = 8,
                            .channels = 1,
                            .classes = 2,
                            .train_bytes = pixels,
                            .train_labels = labels};
    return a;
}

static rig *build(void) {
    static rig r;
    static const char *const small[] = {"height=8", "width=8", "classes=2", "least_macs=0"};
    static const char text[] =
        "space: probing\n"
        "network: {image: {height: 8, width: 8, channels: 1, classes: 2}, stem: {channels: 8}, "
        "stages: 1}\n"
        "cell: {nodes: 2, operations: [skip_connect, probe]}\n";
    static nas_conv_options conv = NAS_CONV_OPTIONS_INIT;
    nas_op_ops op = {sizeof op, 0, NULL, probe, NULL};
    nas_dataset_arrays a = arrays();
    nas_evaluator *evaluator = NULL;
    memset(&r, 0, sizeof r);
    for (int i = 0; i < 40; i++)
        labels[i] = i % 2;
    conv.filters = 8;
    r.conv = &conv;
    r.context = plugin_context();
    r.letters = plugin_space(r.context, 3, 4);
    nas_random *random;
    MUST(r.context, nas_space_preset(&r.cells, r.context, "quick", small, 4));
    MUST(r.context, nas_random_create(&random, r.context, 1, 0, ""));
    MUST(r.context, nas_space_sample(r.cells, random, &r.arch));
    nas_random_free(random);
    MUST(r.context, nas_dataset_from_arrays(&r.data, r.context, &a, NULL));
    MUST(r.context, nas_model_create(&r.model, r.arch, 1));
    MUST(r.context, nas_op_register(r.context, "probe", &op, &r));
    MUST(r.context,
         nas_space_parse(&r.probing, r.context, text, sizeof text - 1, "probing", NULL, 0));
    MUST(r.context, nas_controller_random(&r.controller, r.letters, NULL));
    MUST(r.context, nas_evaluator_callback(&evaluator, r.context, 0, half, NULL, NULL));
    nas_named_evaluator named = {"half", evaluator};
    nas_search_options options;
    nas_search_options_init(&options);
    options.space = r.letters;
    options.controller = r.controller;
    options.evaluators = &named;
    options.n_evaluators = 1;
    options.max_trials = 2;
    MUST(r.context, nas_search_create(&r.search, r.context, &options));
    MUST(r.context, nas_search_run(r.search, NULL));
    nas_search_step(r.search);
    nas_evaluator_free(evaluator); /* the search has ended */
    return &r;
}

static void dismantle(rig *r) {
    nas_search_free(r->search);
    nas_controller_free(r->controller);
    nas_model_free(r->model);
    nas_arch_free(r->arch);
    nas_dataset_free(r->data);
    nas_space_free(r->probing);
    nas_space_free(r->cells);
    nas_space_free(r->letters);
    nas_memory_use use = NAS_MEMORY_USE_INIT;
    assert_int_equal(nas_context_memory(r->context, &use), NAS_OK);
    nas_context_free(r->context);
}

/* ---- given: each makes a thing by the struct and frees it
 * ------------------------------------------ */

static nas_status give_context(rig *r, const void *given) {
    nas_context *out = NULL;
    (void)r;
    nas_status status = nas_context_create(&out, given);
    nas_context_free(out);
    return status;
}

static void *allocate(void *user, size_t bytes) {
    (void)user;
    return malloc(bytes);
}
static void *reallocate(void *user, void *old, size_t old_bytes, size_t bytes) {
    (void)user, (void)old_bytes;
    return realloc(old, bytes);
}
static void release(void *user, void *old, size_t old_bytes) {
    (void)user, (void)old_bytes;
    free(old);
}

static nas_status give_allocator(rig *r, const void *given) {
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    options.allocator = given;
    return give_context(r, &options);
}

static nas_status give_random(rig *r, const void *given) {
    nas_controller *out = NULL;
    nas_status status = nas_controller_random(&out, r->letters, given);
    nas_controller_free(out);
    return status;
}

static nas_status give_evolution(rig *r, const void *given) {
    nas_controller *out = NULL;
    nas_status status = nas_controller_evolution(&out, r->letters, given);
    nas_controller_free(out);
    return status;
}

static nas_status give_halving(rig *r, const void *given) {
    nas_controller *out = NULL;
    nas_status status = nas_controller_halving(&out, r->letters, given);
    nas_controller_free(out);
    return status;
}

static nas_status give_asha(rig *r, const void *given) {
    nas_controller *out = NULL;
    nas_status status = nas_controller_asha(&out, r->letters, given);
    nas_controller_free(out);
    return status;
}

static nas_status give_hyperband(rig *r, const void *given) {
    nas_controller *out = NULL;
    nas_status status = nas_controller_hyperband(&out, r->letters, given);
    nas_controller_free(out);
    return status;
}

static nas_status give_bohb(rig *r, const void *given) {
    nas_controller *out = NULL;
    nas_status status = nas_controller_bohb(&out, r->letters, given);
    nas_controller_free(out);
    return status;
}

#define GIVE_CONTROLLER(kind)                                                                      \
    static nas_status give_##kind(rig *r, const void *given) {                                     \
        nas_controller *out = NULL;                                                                \
        nas_status status = nas_controller_##kind(&out, r->letters, given);                        \
        nas_controller_free(out);                                                                  \
        return status;                                                                             \
    }
GIVE_CONTROLLER(exhaustive)
GIVE_CONTROLLER(local_search)
GIVE_CONTROLLER(nsga2)

/* A table of two columns, written where the test runs. */
static const char table_path[] = "test-options-table.csv";
static nas_status give_table(rig *r, const void *given) {
    nas_evaluator *out = NULL;
    FILE *file = fopen(table_path, "w");
    assert_non_null(file);
    fputs("arch,accuracy\n\"a\",0.5\n", file);
    fclose(file);
    nas_status status = nas_evaluator_table(&out, r->context, given);
    nas_evaluator_free(out);
    remove(table_path);
    return status;
}

/* The rig's search has ended: nothing is left to simulate. */
static nas_status give_simulate(rig *r, const void *given) {
    return nas_search_simulate(r->search, given, NULL);
}

static nas_status give_reinforce_table(rig *r, const void *given) {
    nas_controller *out = NULL;
    nas_status status = nas_controller_reinforce_table(&out, r->letters, given);
    nas_controller_free(out);
    return status;
}

static nas_status give_reinforce(rig *r, const void *given) {
    nas_controller *out = NULL;
    nas_status status = nas_controller_reinforce(&out, r->letters, given);
    nas_controller_free(out);
    return status;
}

static nas_status give_predictor(rig *r, const void *given) {
    nas_controller *out = NULL;
    nas_status status = nas_controller_predictor(&out, r->letters, given);
    nas_controller_free(out);
    return status;
}

static nas_status give_progressive(rig *r, const void *given) {
    nas_controller *out = NULL;
    nas_status status = nas_controller_progressive(&out, r->letters, given);
    nas_controller_free(out);
    return status;
}

static nas_status give_controller(rig *r, const void *given) {
    nas_controller *out = NULL;
    nas_status status = nas_controller_create(&out, r->context, "mine", given, r);
    nas_controller_free(out);
    return status;
}

static nas_status give_evaluator(rig *r, const void *given) {
    nas_evaluator *out = NULL;
    nas_status status = nas_evaluator_create(&out, r->context, "mine", given, r);
    nas_evaluator_free(out);
    return status;
}

static nas_status give_train(rig *r, const void *given) {
    nas_evaluator *out = NULL;
    nas_status status = nas_evaluator_train(&out, r->context, given);
    nas_evaluator_free(out);
    return status;
}

static nas_status give_arrays(rig *r, const void *given) {
    nas_dataset *out = NULL;
    nas_status status = nas_dataset_from_arrays(&out, r->context, given, NULL);
    nas_dataset_free(out);
    return status;
}

static nas_status give_dataset(rig *r, const void *given) {
    nas_dataset_arrays a = arrays();
    nas_dataset *out = NULL;
    nas_status status = nas_dataset_from_arrays(&out, r->context, &a, given);
    nas_dataset_free(out);
    return status;
}

static nas_status give_op(rig *r, const void *given) {
    static const char *const names[] = {"op0", "op1", "op2", "op3", "op4", "op5", "op6", "op7"};
    nas_status status = nas_op_register(r->context, names[r->operations], given, r);
    if (status >= 0) r->operations++;
    return status;
}

static nas_status give_conv(rig *r, const void *given) {
    const void *before = r->conv;
    nas_arch *arch = NULL;
    nas_model *model = NULL;
    r->conv = given;
    nas_status status = nas_arch_parse(&arch, r->probing, "1<-0=probe");
    if (status >= 0) status = nas_model_create(&model, arch, 1);
    nas_model_free(model);
    nas_arch_free(arch);
    r->conv = before;
    return status;
}

static nas_status give_search(rig *r, const void *given) {
    nas_search *out = NULL;
    nas_status status = nas_search_create(&out, r->context, given);
    nas_search_free(out);
    return status;
}

static nas_status give_hooks(rig *r, const void *given) {
    nas_search_options options;
    nas_search_options_init(&options);
    options.space = r->letters;
    options.controller = r->controller;
    options.hooks = given;
    return give_search(r, &options);
}

static nas_status give_train_hooks(rig *r, const void *given) {
    nas_train_options brief = NAS_TRAIN_OPTIONS_INIT;
    brief.batch = 8;
    brief.epochs = 0.1;
    brief.validate = 0;
    return nas_model_train_with(r->model, r->data, &brief, given);
}

static nas_status give_plan(rig *r, const void *given) {
    return nas_arch_plan(r->arch, given, NULL, NULL);
}

static nas_status give_store(rig *r, const void *given) {
    nas_store *out = NULL;
    nas_status status = nas_store_open(&out, r->context, NULL, given);
    nas_store_free(out);
    return status;
}

static nas_status give_report(rig *r, const void *given) {
    nas_sink *sink = NULL;
    MUST(r->context, nas_sink_memory(&sink, r->context));
    nas_status status = nas_report_text(nas_search_store(r->search), given, sink);
    nas_sink_free(sink);
    return status;
}

static nas_status no_ask(void *self, nas_random *stream, nas_proposal_builder *out) {
    (void)self, (void)stream, (void)out;
    return NAS_DONE;
}

typedef struct {
    const char *name;
    size_t size;
    nas_status (*give)(rig *r, const void *given);
    const void *good;
    int no_sentence; /* there is no context yet that could keep one */
} given_struct;

static given_struct *given_structs(rig *r) {
    static nas_context_options context = NAS_CONTEXT_OPTIONS_INIT;
    static nas_allocator allocator = {sizeof allocator, 0, NULL, allocate, reallocate, release};
    static nas_random_options random = NAS_RANDOM_OPTIONS_INIT;
    static nas_evolution_options evolution = NAS_EVOLUTION_OPTIONS_INIT;
    static nas_halving_options halving = NAS_HALVING_OPTIONS_INIT;
    static nas_asha_options asha = NAS_ASHA_OPTIONS_INIT;
    static nas_hyperband_options hyperband = NAS_HYPERBAND_OPTIONS_INIT;
    static nas_bohb_options bohb = NAS_BOHB_OPTIONS_INIT;
    static nas_exhaustive_options exhaustive = NAS_EXHAUSTIVE_OPTIONS_INIT;
    static nas_local_search_options local_search = NAS_LOCAL_SEARCH_OPTIONS_INIT;
    static nas_nsga2_options nsga2 = NAS_NSGA2_OPTIONS_INIT;
    static nas_table_options table = NAS_TABLE_OPTIONS_INIT;
    static nas_simulate_options simulate = NAS_SIMULATE_OPTIONS_INIT;
    static nas_reinforce_table_options reinforce_table = NAS_REINFORCE_TABLE_OPTIONS_INIT;
    static nas_reinforce_options reinforce = NAS_REINFORCE_OPTIONS_INIT;
    static nas_predictor_options predictor = NAS_PREDICTOR_OPTIONS_INIT;
    static nas_progressive_options progressive = NAS_PROGRESSIVE_OPTIONS_INIT;
    static nas_controller_ops controller = {.struct_size = sizeof controller, .ask = no_ask};
    static nas_evaluator_ops evaluator = {.struct_size = sizeof evaluator, .evaluate = half};
    static nas_train_options train = NAS_TRAIN_OPTIONS_INIT;
    static nas_train_hooks train_hooks = NAS_TRAIN_HOOKS_INIT;
    static nas_plan_options plan = NAS_PLAN_OPTIONS_INIT;
    static nas_dataset_arrays data;
    static nas_dataset_options dataset = NAS_DATASET_OPTIONS_INIT;
    static nas_op_ops op = {sizeof op, 0, NULL, probe, NULL};
    static nas_conv_options conv = NAS_CONV_OPTIONS_INIT;
    static nas_search_options search;
    static nas_search_hooks hooks = {.struct_size = sizeof hooks};
    static nas_store_options store = NAS_STORE_OPTIONS_INIT;
    static nas_report_options report = NAS_REPORT_OPTIONS_INIT;
    static given_struct list[] = {
        {"nas_context_options", sizeof context, give_context, &context, 1},
        {"nas_allocator", sizeof allocator, give_allocator, &allocator, 1},
        {"nas_random_options", sizeof random, give_random, &random, 0},
        {"nas_evolution_options", sizeof evolution, give_evolution, &evolution, 0},
        {"nas_halving_options", sizeof halving, give_halving, &halving, 0},
        {"nas_asha_options", sizeof asha, give_asha, &asha, 0},
        {"nas_hyperband_options", sizeof hyperband, give_hyperband, &hyperband, 0},
        {"nas_bohb_options", sizeof bohb, give_bohb, &bohb, 0},
        {"nas_exhaustive_options", sizeof exhaustive, give_exhaustive, &exhaustive, 0},
        {"nas_local_search_options", sizeof local_search, give_local_search, &local_search, 0},
        {"nas_nsga2_options", sizeof nsga2, give_nsga2, &nsga2, 0},
        {"nas_table_options", sizeof table, give_table, &table, 0},
        {"nas_simulate_options", sizeof simulate, give_simulate, &simulate, 0},
        {"nas_reinforce_table_options", sizeof reinforce_table, give_reinforce_table,
         &reinforce_table, 0},
        {"nas_reinforce_options", sizeof reinforce, give_reinforce, &reinforce, 0},
        {"nas_predictor_options", sizeof predictor, give_predictor, &predictor, 0},
        {"nas_progressive_options", sizeof progressive, give_progressive, &progressive, 0},
        {"nas_controller_ops", sizeof controller, give_controller, &controller, 0},
        {"nas_evaluator_ops", sizeof evaluator, give_evaluator, &evaluator, 0},
        {"nas_train_options", sizeof train, give_train, &train, 0},
        {"nas_plan_options", sizeof plan, give_plan, &plan, 0},
        {"nas_train_hooks", sizeof train_hooks, give_train_hooks, &train_hooks, 0},
        {"nas_dataset_arrays", sizeof data, give_arrays, &data, 0},
        {"nas_dataset_options", sizeof dataset, give_dataset, &dataset, 0},
        {"nas_op_ops", sizeof op, give_op, &op, 0},
        {"nas_conv_options", sizeof conv, give_conv, &conv, 0},
        {"nas_search_options", sizeof search, give_search, &search, 0},
        {"nas_search_hooks", sizeof hooks, give_hooks, &hooks, 0},
        {"nas_store_options", sizeof store, give_store, &store, 0},
        {"nas_report_options", sizeof report, give_report, &report, 0},
        {NULL, 0, NULL, NULL, 0}};
    data = arrays();
    conv.filters = 8;
    table.path = table_path;
    table.accuracy = "accuracy";
    nas_search_options_init(&search);
    search.space = r->letters;
    search.controller = r->controller;
    return list;
}

static void refused(rig *r, const given_struct *s, const void *given, nas_status status,
                    const char *words) {
    nas_status got = s->give(r, given);
    if (got != status)
        fail_msg("%s: %s instead of %s", s->name, nas_status_name(got), nas_status_name(status));
    if (s->no_sentence) return;
    const char *sentence = nas_context_error(r->context);
    if (!strstr(sentence, s->name) || !strstr(sentence, words))
        fail_msg("%s: the sentence is \"%s\"", s->name, sentence);
}

static void accepted(rig *r, const given_struct *s, const void *given, const char *what) {
    nas_status got = s->give(r, given);
    if (got != NAS_OK)
        fail_msg("%s, %s: %s: %s", s->name, what, nas_status_name(got),
                 nas_context_error(r->context));
}

static void given_structs_of_any_release(void **state) {
    (void)state;
    rig *r = build();
    uint64_t room[ROOM / 8];
    uint32_t sizes[] = {0, 1, 4, 7, 65537, UINT32_MAX};
    for (const given_struct *s = given_structs(r); s->name; s++) {
        uint32_t first = (uint32_t)first_size(s->name), longer = (uint32_t)s->size + 64;
        assert_true(s->size <= ROOM / 2);
        if (first == 0) first = (uint32_t)s->size; /* came later */
        memset(room, 0, sizeof room);
        memcpy(room, s->good, s->size);
        accepted(r, s, room, "as it is");
        memcpy(room, &first, sizeof first);
        accepted(r, s, room, "of the first release");
        memcpy(room, &longer, sizeof longer);
        accepted(r, s, room, "longer, its tail zero");
        ((unsigned char *)room)[longer - 1] = 1;
        refused(r, s, room, NAS_E_UNSUPPORTED, "later version");
        ((unsigned char *)room)[longer - 1] = 0;
        ((unsigned char *)room)[s->size] = 0x80;
        refused(r, s, room, NAS_E_UNSUPPORTED, "later version");
        ((unsigned char *)room)[s->size] = 0;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            memcpy(room, &sizes[i], sizeof sizes[i]);
            refused(r, s, room, NAS_E_INVALID, "struct_size");
        }
        first--; /* shorter than any release had it */
        memcpy(room, &first, sizeof first);
        refused(r, s, room, NAS_E_INVALID, "struct_size");
    }
    dismantle(r);
}

/* ---- answered
 * ------------------------------------------------------------------------------------- */

static nas_status answer_memory(rig *r, void *out) {
    return nas_context_memory(r->context, out);
}
static nas_status answer_dataset(rig *r, void *out) {
    return nas_dataset_describe(r->data, out);
}
static nas_status answer_metrics(rig *r, void *out) {
    return nas_model_evaluate(r->model, r->data, NAS_SPLIT_TRAIN, out);
}
static nas_status answer_model(rig *r, void *out) {
    return nas_model_describe(r->model, out);
}
static nas_status answer_trial(rig *r, void *out) {
    nas_status status = nas_search_best(r->search, out);
    nas_status other = nas_search_trial(r->search, 1, out);
    nas_status third = nas_store_trial(nas_search_store(r->search), 0, out);
    assert_int_equal(status, other);
    assert_int_equal(status, third);
    return status;
}
static nas_status answer_state(rig *r, void *out) {
    return nas_search_state(r->search, out);
}
static nas_status answer_decision(rig *r, void *out) {
    return nas_space_decision(r->letters, 1, out);
}
static nas_status answer_costs(rig *r, void *out) {
    return nas_arch_costs(r->arch, out);
}

static nas_status answer_plan(rig *r, void *out) {
    return nas_arch_plan(r->arch, NULL, out, NULL);
}

static nas_status answer_table(rig *r, void *out) {
    nas_table_options options = NAS_TABLE_OPTIONS_INIT;
    nas_evaluator *table = NULL;
    FILE *file = fopen(table_path, "w");
    assert_non_null(file);
    fputs("arch,accuracy\n\"a\",0.5\n", file);
    fclose(file);
    options.path = table_path;
    options.accuracy = "accuracy";
    MUST(r->context, nas_evaluator_table(&table, r->context, &options));
    nas_status status = nas_evaluator_table_info(table, out);
    nas_evaluator_free(table);
    remove(table_path);
    return status;
}

typedef struct {
    const char *name;
    size_t size;
    nas_status (*answer)(rig *r, void *out);
} answered_struct;

static const answered_struct answered_structs[] = {
    {"nas_memory_use", sizeof(nas_memory_use), answer_memory},
    {"nas_dataset_info", sizeof(nas_dataset_info), answer_dataset},
    {"nas_metrics", sizeof(nas_metrics), answer_metrics},
    {"nas_model_info", sizeof(nas_model_info), answer_model},
    {"nas_table_info", sizeof(nas_table_info), answer_table},
    {"nas_trial", sizeof(nas_trial), answer_trial},
    {"nas_search_progress", sizeof(nas_search_progress), answer_state},
    {"nas_decision", sizeof(nas_decision), answer_decision},
    {"nas_arch_cost", sizeof(nas_arch_cost), answer_costs},
    {"nas_plan_info", sizeof(nas_plan_info), answer_plan},
    {NULL, 0, NULL}};
/* The library gives these to callbacks: the caller sets no size. */
static const char *const to_callbacks[] = {"nas_op_site", "nas_train_progress", NULL};

static void answers_stay_within_the_callers_size(void **state) {
    (void)state;
    rig *r = build();
    union {
        uint64_t align[ROOM / 8];
        unsigned char bytes[ROOM];
    } room, untouched;
    memset(&untouched, 0xA5, sizeof untouched);
    for (const answered_struct *s = answered_structs; s->name; s++) {
        uint32_t first = (uint32_t)first_size(s->name), has;
        if (first == 0) first = (uint32_t)s->size;
        const uint32_t fit[] = {(uint32_t)s->size, first, (uint32_t)s->size + 64};
        for (int i = 0; i < 3; i++) {
            memset(&room, 0xA5, sizeof room);
            memcpy(room.bytes, &fit[i], sizeof *fit);
            nas_status status = s->answer(r, room.bytes);
            if (status != NAS_OK)
                fail_msg("%s of size %u: %s: %s", s->name, fit[i], nas_status_name(status),
                         nas_context_error(r->context));
            memcpy(&has, room.bytes, sizeof has);
            assert_int_equal(has, fit[i]);
            for (size_t at = fit[i]; at < ROOM; at++)
                if (room.bytes[at] != 0xA5)
                    fail_msg("%s of size %u: byte %zu was written", s->name, fit[i], at);
            for (size_t at = s->size; at < fit[i]; at++)
                if (room.bytes[at] != 0)
                    fail_msg("%s of size %u: byte %zu is not zero", s->name, fit[i], at);
        }
        const uint32_t unfit[] = {0, 4, first - 1, 65537};
        for (int i = 0; i < 4; i++) {
            memset(&room, 0xA5, sizeof room);
            memcpy(room.bytes, &unfit[i], sizeof *unfit);
            assert_int_equal(s->answer(r, room.bytes), NAS_E_INVALID);
            assert_memory_equal(room.bytes + 4, untouched.bytes, ROOM - 4);
            if (!strstr(nas_context_error(r->context), s->name))
                fail_msg("%s: the sentence is \"%s\"", s->name, nas_context_error(r->context));
        }
    }
    dismantle(r);
}

/* ---- all of them
 * ---------------------------------------------------------------------------------- */

static void no_struct_is_left_out(void **state) {
    (void)state;
    rig *r = build();
    int n = 0, found = 0;
    const char *missing = NULL;
#define SIZED(type)                                                                                \
    do {                                                                                           \
        int before = found;                                                                        \
        n++;                                                                                       \
        for (const given_struct *s = given_structs(r); s->name; s++)                               \
            found += !strcmp(s->name, #type) && s->size == sizeof(type);                           \
        for (const answered_struct *s = answered_structs; s->name; s++)                            \
            found += !strcmp(s->name, #type) && s->size == sizeof(type);                           \
        for (int i = 0; to_callbacks[i]; i++)                                                      \
            found += !strcmp(to_callbacks[i], #type);                                              \
        if (found != before + 1) missing = #type;                                                  \
    } while (0);
    EACH_SIZED(SIZED)
    if (found != n) fail_msg("%s is not tested once", missing);
    dismantle(r);
}

/* Member by member: the bytes between members may hold anything. */
static void same_members(const char *name, const void *a, const void *b) {
    uint32_t i = 0;
    while (nas_layout(i) && strcmp(nas_layout(i)->name, name) != 0)
        i++;
    const nas_layout_struct *s = nas_layout(i);
    assert_non_null(s);
    for (uint32_t m = 0; m < s->n_members; m++)
        if (memcmp((const char *)a + s->members[m].offset, (const char *)b + s->members[m].offset,
                   s->members[m].size) != 0)
            fail_msg("%s.%s: macro and function differ", name, s->members[m].name);
}

static void macros_and_functions_say_the_same(void **state) {
    (void)state;
#define SAME(type, macro)                                                                          \
    do {                                                                                           \
        type by_macro = macro, by_function;                                                        \
        memset(&by_function, 0xA5, sizeof by_function);                                            \
        type##_init(&by_function);                                                                 \
        assert_int_equal(by_macro.struct_size, sizeof(type));                                      \
        same_members(#type, &by_macro, &by_function);                                              \
    } while (0);
    EACH_INIT(SAME)
    nas_search_options search; /* no macro: a NAN is in it */
    nas_search_options_init(&search);
    assert_int_equal(search.struct_size, sizeof search);
    assert_true(isnan(search.target));
}

static void programs_of_the_first_release_are_filled_rightly(void **state) {
    (void)state;
    const char *wrong = first_init_that_is_wrong();
    if (wrong)
        fail_msg(
            "%s_init does not fit a struct of the first release: it needs a new symbol version "
            "(docs/abi.md)",
            wrong);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_structs_of_any_release),
        cmocka_unit_test(answers_stay_within_the_callers_size),
        cmocka_unit_test(no_struct_is_left_out),
        cmocka_unit_test(macros_and_functions_say_the_same),
        cmocka_unit_test(programs_of_the_first_release_are_filled_rightly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
