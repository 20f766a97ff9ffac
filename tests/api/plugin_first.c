/* A plug-in of the first release: an operation, a controller, an evaluator, hooks, a training and a
 * search with all of them, compiled against the header of 0.1.0 (first/libnas/libnas.h) into a
 * shared object that a program of today loads. It must run with every later library of the same
 * SONAME; so this file is written in the words of 0.1.0, and does not change when the interface
 * grows. */
#include <string.h>
#include <libnas/libnas.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        nas_status try_status_ = (call);                                                           \
        if (try_status_ < 0) return try_status_;                                                   \
    } while (0)

typedef struct {
    nas_context *context;
    const nas_space *space;
    uint64_t asked, told, destroyed, observed, prepared;
    uint64_t started, epochs, ended, turns, polls;
    uint64_t built;
} plugin;

static nas_status op_build(void *self, nas_graph *graph, const nas_op_site *at, const nas_node *in,
                           uint32_t n, nas_node *out) {
    plugin *p = self;
    nas_conv_options conv;
    nas_node x;
    if (at->struct_size < sizeof *at || n != 1) return NAS_E_INVALID;
    p->built++;
    nas_conv_options_init(&conv);
    conv.filters = at->channels;
    conv.kernel_h = conv.kernel_w = 1;
    conv.stride_h = conv.stride_w = at->stride;
    conv.pad_h = conv.pad_w = 0;
    TRY(nas_graph_relu(graph, in[0], &x));
    TRY(nas_graph_conv(graph, "conv", x, &conv, &x));
    return nas_graph_batch_norm(graph, "bn", x, at->affine, at->track, at->bn_epsilon,
                                at->bn_momentum, out);
}

static nas_status controller_ask(void *self, nas_random *stream, nas_proposal_builder *out) {
    plugin *p = self;
    nas_arch *arch = NULL;
    TRY(nas_space_sample(p->space, stream, &arch));
    nas_status status = nas_propose_arch(out, arch);
    nas_arch_free(arch);
    TRY(status);
    TRY(nas_propose_fidelity(out, "epochs", 1));
    TRY(nas_propose_token(out, &p->asked, sizeof p->asked));
    p->asked++;
    return nas_propose_note(out, "of the first release");
}

static nas_status controller_tell(void *self, const nas_proposal *asked, const nas_result *got) {
    plugin *p = self;
    size_t n = 0;
    const void *token = nas_proposal_token(asked, &n);
    double accuracy;
    if (n != sizeof p->told || memcmp(token, &p->told, n) != 0)
        return nas_context_fail(p->context, NAS_E_INTERNAL, "the token is another one");
    TRY(nas_result_metric(got, "accuracy", &accuracy));
    if (accuracy != nas_result_score(got))
        return nas_context_fail(p->context, NAS_E_INTERNAL, "the score is another one");
    p->told++;
    return NAS_OK;
}

static nas_status controller_save(void *self, nas_writer *to) {
    plugin *p = self;
    TRY(nas_write_u64(to, p->asked));
    return nas_write_u64(to, p->told);
}

static nas_status controller_load(void *self, nas_reader *from) {
    plugin *p = self;
    TRY(nas_read_u64(from, &p->asked));
    return nas_read_u64(from, &p->told);
}

static void destroy(void *self) {
    ((plugin *)self)->destroyed++;
}

static nas_status evaluator_prepare(void *self, const nas_space *space, nas_dataset *data) {
    plugin *p = self;
    nas_dataset_info info;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    TRY(nas_dataset_describe(data, &info));
    if (space != p->space || info.height != 8 || info.classes != 2)
        return nas_context_fail(p->context, NAS_E_INTERNAL, "prepared for something else");
    p->prepared++;
    return NAS_OK;
}

static nas_status evaluator_evaluate(void *self, const nas_proposal *asked, nas_reporter *progress,
                                     nas_result_builder *out) {
    plugin *p = self;
    nas_arch_cost cost;
    memset(&cost, 0, sizeof cost);
    cost.struct_size = sizeof cost;
    TRY(nas_arch_costs(nas_proposal_arch(asked), &cost));
    nas_status answer = nas_report(progress, 1, 1, "accuracy", 0.5);
    if (answer != NAS_OK) return answer;
    if (nas_proposal_fidelity(asked, "epochs", 7) != 1)
        return nas_context_fail(p->context, NAS_E_INTERNAL, "the fidelity is another one");
    TRY(nas_result_set(out, "params", (double)cost.params));
    TRY(nas_result_add_point(out, "accuracy", 1, 0.5));
    return nas_result_set(out, "accuracy", 1.0 / (1.0 + (double)cost.macs));
}

static nas_status evaluator_observe(void *self, const nas_proposal *asked, const nas_result *got) {
    (void)asked, (void)got;
    ((plugin *)self)->observed++;
    return NAS_OK;
}

static nas_status hook_started(void *user, nas_search *search, const nas_proposal *proposal) {
    (void)search, (void)proposal;
    ((plugin *)user)->started++;
    return NAS_OK;
}
static nas_status hook_epoch(void *user, nas_search *search, const nas_proposal *proposal,
                             double done, double total, const char *metric, double value) {
    (void)search, (void)proposal;
    if (done == 1 && total == 1 && value == 0.5 && !strcmp(metric, "accuracy"))
        ((plugin *)user)->epochs++;
    return NAS_OK;
}
static nas_status hook_ended(void *user, nas_search *search, const nas_trial *trial,
                             const nas_result *result) {
    (void)search;
    if (trial->struct_size >= sizeof *trial && trial->score == nas_result_score(result) &&
        !strcmp(trial->note, "of the first release") && trial->turns == 1)
        ((plugin *)user)->ended++;
    return NAS_OK;
}
static nas_status hook_turn(void *user, nas_search *search, const nas_proposal *proposal,
                            const nas_result *result) {
    (void)search, (void)proposal, (void)result;
    ((plugin *)user)->turns++;
    return NAS_OK;
}
static int32_t hook_stop(void *user, nas_search *search) {
    (void)search;
    ((plugin *)user)->polls++;
    return 0;
}

static nas_status train_ended(void *user, const nas_train_progress *progress) {
    if (progress->struct_size >= sizeof *progress && progress->epochs == 1) ++*(int *)user;
    return NAS_OK;
}

static nas_status whole(plugin *p) {
    static const char text[] =
        "space: first\n"
        "network: {image: {height: 8, width: 8, channels: 1, classes: 2}, stem: {channels: 8}, "
        "stages: 2}\n"
        "cell: {nodes: 3, operations: [none, skip_connect, first_op]}\n"
        "constraints: [connected]\n";
    static uint8_t pixels[96 * 64];
    static int32_t labels[96];
    nas_op_ops op = {sizeof op, 0, NULL, op_build, NULL};
    nas_controller_ops controller_ops;
    nas_evaluator_ops evaluator_ops;
    nas_search_hooks hooks;
    nas_dataset_arrays arrays;
    nas_dataset_options data_options;
    nas_train_options train;
    nas_search_options options;
    nas_space *space = NULL;
    nas_dataset *data = NULL;
    nas_controller *controller = NULL;
    nas_evaluator *evaluator = NULL;
    nas_search *search = NULL;
    nas_model *model = NULL;
    nas_arch *arch = NULL;
    int32_t ended = 0;
    int trained = 0;
    for (int i = 0; i < 96; i++) {
        labels[i] = i % 2;
        for (int at = 0; at < 64; at++)
            pixels[i * 64 + at] = (uint8_t)((at / 32 == i % 2) * 150 + (i * 7 + at * 13) % 50);
    }
    TRY(nas_op_register(p->context, "first_op", &op, p));
    TRY(nas_space_parse(&space, p->context, text, sizeof text - 1, "first", NULL, 0));
    p->space = space;
    memset(&arrays, 0, sizeof arrays);
    arrays.struct_size = sizeof arrays;
    arrays.n_train = 96;
    arrays.height = arrays.width = 8;
    arrays.channels = 1;
    arrays.classes = 2;
    arrays.train_bytes = pixels;
    arrays.train_labels = labels;
    nas_dataset_options_init(&data_options);
    data_options.validation = 16;
    TRY(nas_dataset_from_arrays(&data, p->context, &arrays, &data_options));
    memset(&controller_ops, 0, sizeof controller_ops);
    controller_ops.struct_size = sizeof controller_ops;
    controller_ops.ask = controller_ask;
    controller_ops.tell = controller_tell;
    controller_ops.save = controller_save;
    controller_ops.load = controller_load;
    controller_ops.destroy = destroy;
    TRY(nas_controller_create(&controller, p->context, "first", &controller_ops, p));
    memset(&evaluator_ops, 0, sizeof evaluator_ops);
    evaluator_ops.struct_size = sizeof evaluator_ops;
    evaluator_ops.flags = NAS_EVALUATOR_STATELESS | NAS_EVALUATOR_NEEDS_DATA;
    evaluator_ops.prepare = evaluator_prepare;
    evaluator_ops.evaluate = evaluator_evaluate;
    evaluator_ops.observe = evaluator_observe;
    evaluator_ops.destroy = destroy;
    TRY(nas_evaluator_create(&evaluator, p->context, "first", &evaluator_ops, p));
    memset(&hooks, 0, sizeof hooks);
    hooks.struct_size = sizeof hooks;
    hooks.user = p;
    hooks.trial_started = hook_started;
    hooks.epoch_ended = hook_epoch;
    hooks.trial_ended = hook_ended;
    hooks.turn_ended = hook_turn;
    hooks.should_stop = hook_stop;
    nas_named_evaluator named = {"first", evaluator};
    nas_search_options_init(&options);
    options.space = space;
    options.controller = controller;
    options.evaluators = &named;
    options.n_evaluators = 1;
    options.data = data;
    options.hooks = &hooks;
    options.max_trials = 6;
    options.seed = 3;
    TRY(nas_search_create(&search, p->context, &options));
    TRY(nas_search_run(search, &ended));
    nas_search_progress state;
    memset(&state, 0, sizeof state);
    state.struct_size = sizeof state;
    TRY(nas_search_state(search, &state));
    nas_trial best;
    memset(&best, 0, sizeof best);
    best.struct_size = sizeof best;
    TRY(nas_search_best(search, &best));
    TRY(nas_arch_parse(&arch, space, best.arch));
    TRY(nas_model_create(&model, arch, 1));
    nas_train_options_init(&train);
    train.epochs = 1;
    train.batch = 16;
    TRY(nas_model_train(model, data, &train, train_ended, &trained));
    nas_metrics metrics;
    memset(&metrics, 0, sizeof metrics);
    metrics.struct_size = sizeof metrics;
    TRY(nas_model_evaluate(model, data, NAS_SPLIT_VALIDATION, &metrics));
    int good = ended == NAS_ENDED_TRIALS && state.trials == 6 && p->asked == 6 && p->told == 6 &&
               p->observed == 6 && p->prepared == 1 && p->started == 6 && p->epochs == 6 &&
               p->ended == 6 && p->turns == 6 && p->polls > 0 && p->built > 0 && trained == 1 &&
               metrics.n == 16;
    nas_model_free(model);
    nas_arch_free(arch);
    nas_search_free(search);
    nas_evaluator_free(evaluator);
    nas_controller_free(controller);
    nas_dataset_free(data);
    nas_space_free(space);
    if (!good || p->destroyed != 2)
        return nas_context_fail(p->context, NAS_E_INTERNAL,
                                "something was called too often or never");
    return NAS_OK;
}

/* 0 when all went as it must; else 1, with a sentence. */
NAS_API int plugin_first(char *sentence, size_t capacity);
NAS_API int plugin_first(char *sentence, size_t capacity) {
    plugin p;
    nas_context_options options;
    memset(&p, 0, sizeof p);
    nas_context_options_init(&options);
    options.threads = 2;
    if (nas_version() / 1000000 != NAS_VERSION_MAJOR || nas_version() < NAS_VERSION) return 1;
    if (nas_context_create(&p.context, &options) < 0) return 1;
    nas_status status = whole(&p);
    strncpy(sentence, nas_context_error(p.context), capacity - 1);
    sentence[capacity - 1] = 0;
    if (status >= 0) nas_context_free(p.context);
    return status < 0;
}
