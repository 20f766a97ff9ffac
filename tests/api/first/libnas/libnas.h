/* All public headers of libnas 0.1.0, for good: made by headers.py freeze. What is compiled
 * against it must run with every later library of the same SONAME. */

/* base.h */
#ifndef LIBNAS_BASE_H
#define LIBNAS_BASE_H
#include <stddef.h>
#include <stdint.h>
#if defined(__cplusplus)
#define NAS_EXTERN_C_BEGIN extern "C" {
#define NAS_EXTERN_C_END }
#else
#define NAS_EXTERN_C_BEGIN
#define NAS_EXTERN_C_END
#endif
#if defined(__GNUC__)
#define NAS_API __attribute__((visibility("default")))
#else
#define NAS_API
#endif
NAS_EXTERN_C_BEGIN
#define NAS_VERSION_MAJOR 0
#define NAS_VERSION_MINOR 1
#define NAS_VERSION_PATCH 0
#define NAS_VERSION_TEXT "0.1.0"
#define NAS_VERSION (NAS_VERSION_MAJOR * 1000000 + NAS_VERSION_MINOR * 1000 + NAS_VERSION_PATCH)
NAS_API uint32_t nas_version(void);
NAS_API const char *nas_version_text(void);
typedef int32_t nas_status;
#define NAS_STATUS_MAP(X)                                                                          \
    X(NAS_OK, 0, "success")                                                                        \
    X(NAS_WAIT, 1, "no proposal now: tell a result first")                                         \
    X(NAS_DONE, 2, "nothing more to propose or to read")                                           \
    X(NAS_STOP, 3, "stop here, cleanly")                                                           \
    X(NAS_E_INVALID, -1, "invalid argument")                                                       \
    X(NAS_E_MEMORY, -2, "out of memory")                                                           \
    X(NAS_E_NOT_FOUND, -3, "not found")                                                            \
    X(NAS_E_SYNTAX, -4, "text cannot be parsed")                                                   \
    X(NAS_E_IO, -5, "reading or writing failed")                                                   \
    X(NAS_E_CORRUPT, -6, "data is damaged or not of this kind")                                    \
    X(NAS_E_VERSION, -7, "written by a later version")                                             \
    X(NAS_E_UNSUPPORTED, -8, "not supported")                                                      \
    X(NAS_E_STATE, -9, "not allowed in this state")                                                \
    X(NAS_E_INFEASIBLE, -10, "no candidate satisfies the constraints")                             \
    X(NAS_E_CANCELLED, -11, "cancelled")                                                           \
    X(NAS_E_LIMIT, -12, "a limit was reached")                                                     \
    X(NAS_E_CALLBACK, -13, "a callback failed")                                                    \
    X(NAS_E_FORKED, -14, "context used in a child process after fork")                             \
    X(NAS_E_DIVERGED, -15, "a number is not finite")                                               \
    X(NAS_E_EXISTS, -16, "exists already")                                                         \
    X(NAS_E_SHAPE, -17, "shapes do not fit")                                                       \
    X(NAS_E_BUSY, -18, "in use by another process or thread")                                      \
    X(NAS_E_DIFFERS, -19, "a replay differs from its record")                                      \
    X(NAS_E_INTERNAL, -99, "internal error")
enum {
#define NAS_STATUS_X(name, value, text) name = (value),
    NAS_STATUS_MAP(NAS_STATUS_X)
#undef NAS_STATUS_X
};
#define NAS_STATUS_CALLER (-1000)
NAS_API const char *nas_status_name(nas_status status);
NAS_API const char *nas_status_text(nas_status status);
typedef struct nas_context nas_context;
typedef struct nas_random nas_random;
typedef struct nas_sink nas_sink;
typedef struct nas_writer nas_writer;
typedef struct nas_reader nas_reader;
typedef struct nas_space nas_space;
typedef struct nas_arch nas_arch;
typedef struct nas_proposal nas_proposal;
typedef struct nas_proposal_builder nas_proposal_builder;
typedef struct nas_result nas_result;
typedef struct nas_result_builder nas_result_builder;
typedef struct nas_reporter nas_reporter;
typedef struct nas_controller nas_controller;
typedef struct nas_evaluator nas_evaluator;
typedef struct nas_graph nas_graph;
typedef struct nas_dataset nas_dataset;
typedef struct nas_tuning nas_tuning;
typedef struct nas_model nas_model;
typedef struct nas_search nas_search;
typedef struct nas_store nas_store;
typedef void (*nas_destroy_fn)(void *user);
typedef struct {
    const char *name;
    uint32_t offset, size;
} nas_layout_member;
typedef struct {
    const char *name;
    uint32_t size, n_members;
    const nas_layout_member *members;
} nas_layout_struct;
NAS_API const nas_layout_struct *nas_layout(uint32_t index);
NAS_EXTERN_C_END
#endif

/* context.h */
#ifndef LIBNAS_CONTEXT_H
#define LIBNAS_CONTEXT_H
NAS_EXTERN_C_BEGIN
typedef struct {
    uint32_t struct_size, flags;
    void *user;
    void *(*allocate)(void *user, size_t bytes);
    void *(*reallocate)(void *user, void *old, size_t old_bytes, size_t bytes);
    void (*release)(void *user, void *old, size_t old_bytes);
} nas_allocator;
enum { NAS_LOG_ERROR = 1, NAS_LOG_WARNING = 2, NAS_LOG_INFO = 3, NAS_LOG_DEBUG = 4 };
typedef void (*nas_log_fn)(void *user, int32_t level, const char *text);
enum {
    NAS_ISA_BEST = 0,
    NAS_ISA_GENERIC = 1,
    NAS_ISA_AVX2 = 2,
    NAS_ISA_AVX512 = 3,
    NAS_ISA_NEON = 4
};
typedef struct {
    uint32_t struct_size, flags;
    uint32_t threads;
    int32_t isa;
    const nas_allocator *allocator;
    nas_log_fn log;
    void *log_user;
    int32_t log_level;
    int32_t reserved;
    uint64_t memory_limit;
} nas_context_options;
#define NAS_CONTEXT_OPTIONS_INIT {sizeof(nas_context_options), 0, 0, 0, NULL, NULL, NULL, 0, 0, 0}
NAS_API void nas_context_options_init(nas_context_options *options);
NAS_API nas_status nas_context_create(nas_context **out, const nas_context_options *options);
NAS_API void nas_context_free(nas_context *context);
NAS_API const char *nas_context_error(const nas_context *context);
NAS_API nas_status nas_context_error_status(const nas_context *context);
NAS_API nas_status nas_context_fail(nas_context *context, nas_status status, const char *sentence);
NAS_API uint32_t nas_context_threads(const nas_context *context);
NAS_API int32_t nas_context_isa(const nas_context *context);
NAS_API const char *nas_isa_name(int32_t isa);
typedef struct {
    uint32_t struct_size, flags;
    uint64_t bytes_now, bytes_peak;
    uint64_t allocations;
} nas_memory_use;
#define NAS_MEMORY_USE_INIT {sizeof(nas_memory_use), 0, 0, 0, 0}
NAS_API nas_status nas_context_memory(const nas_context *context, nas_memory_use *out);
NAS_EXTERN_C_END
#endif

/* random.h */
#ifndef LIBNAS_RANDOM_H
#define LIBNAS_RANDOM_H
NAS_EXTERN_C_BEGIN
NAS_API nas_status nas_random_create(nas_random **out, nas_context *context, uint64_t seed,
                                     uint64_t trial, const char *purpose);
NAS_API void nas_random_free(nas_random *random);
NAS_API uint64_t nas_random_u64(nas_random *random);
NAS_API uint64_t nas_random_below(nas_random *random, uint64_t n);
NAS_API double nas_random_uniform(nas_random *random);
NAS_API double nas_random_normal(nas_random *random);
NAS_API void nas_random_shuffle(nas_random *random, uint32_t *values, size_t n);
NAS_API size_t nas_random_pick(nas_random *random, const double *weights, size_t n);
NAS_EXTERN_C_END
#endif

/* io.h */
#ifndef LIBNAS_IO_H
#define LIBNAS_IO_H
NAS_EXTERN_C_BEGIN
typedef nas_status (*nas_write_fn)(void *user, const void *bytes, size_t n);
NAS_API nas_status nas_sink_create(nas_sink **out, nas_context *context, nas_write_fn write,
                                   void *user);
NAS_API nas_status nas_sink_file(nas_sink **out, nas_context *context, const char *path);
NAS_API nas_status nas_sink_memory(nas_sink **out, nas_context *context);
NAS_API nas_status nas_sink_write(nas_sink *sink, const void *bytes, size_t n);
NAS_API nas_status nas_sink_text(nas_sink *sink, const char *text);
NAS_API const char *nas_sink_data(const nas_sink *sink, size_t *n);
NAS_API nas_status nas_sink_close(nas_sink *sink);
NAS_API void nas_sink_free(nas_sink *sink);
NAS_API nas_status nas_writer_create(nas_writer **out, nas_context *context);
NAS_API void nas_writer_free(nas_writer *writer);
NAS_API const void *nas_writer_data(const nas_writer *writer, size_t *n);
NAS_API nas_status nas_write_u64(nas_writer *to, uint64_t value);
NAS_API nas_status nas_write_i64(nas_writer *to, int64_t value);
NAS_API nas_status nas_write_f64(nas_writer *to, double value);
NAS_API nas_status nas_write_f64s(nas_writer *to, const double *values, size_t n);
NAS_API nas_status nas_write_bytes(nas_writer *to, const void *bytes, size_t n);
NAS_API nas_status nas_write_text(nas_writer *to, const char *text);
NAS_API nas_status nas_write_arch(nas_writer *to, const nas_arch *arch);
NAS_API nas_status nas_reader_create(nas_reader **out, nas_context *context, const void *bytes,
                                     size_t n);
NAS_API void nas_reader_free(nas_reader *reader);
NAS_API nas_status nas_read_u64(nas_reader *from, uint64_t *out);
NAS_API nas_status nas_read_i64(nas_reader *from, int64_t *out);
NAS_API nas_status nas_read_f64(nas_reader *from, double *out);
NAS_API nas_status nas_read_f64s(nas_reader *from, double *out, size_t n);
NAS_API nas_status nas_read_bytes(nas_reader *from, const void **out, size_t *n);
NAS_API nas_status nas_read_text(nas_reader *from, char *out, size_t capacity);
NAS_API nas_status nas_read_arch(nas_reader *from, const nas_space *space, nas_arch **out);
NAS_API size_t nas_reader_left(const nas_reader *from);
NAS_EXTERN_C_END
#endif

/* op.h */
#ifndef LIBNAS_OP_H
#define LIBNAS_OP_H
NAS_EXTERN_C_BEGIN
typedef struct {
    int64_t n, h, w, c;
} nas_shape;
typedef struct {
    int64_t params, macs;
    int64_t activation_bytes;
} nas_cost;
typedef struct {
    uint32_t struct_size, flags;
    const char *name;
    const char *scope;
    int32_t stride;
    int32_t affine;
    int32_t track;
    int32_t training;
    int64_t channels;
    double bn_epsilon, bn_momentum;
} nas_op_site;
typedef uint32_t nas_node;
#define NAS_NODE_NONE UINT32_MAX
typedef struct {
    uint32_t struct_size, flags;
    nas_status (*shape)(void *self, const nas_op_site *at, const nas_shape *in, uint32_t n,
                        nas_shape *out, nas_cost *cost);
    nas_status (*build)(void *self, nas_graph *graph, const nas_op_site *at, const nas_node *in,
                        uint32_t n, nas_node *out);
    void (*destroy)(void *self);
} nas_op_ops;
NAS_API nas_status nas_op_register(nas_context *context, const char *name, const nas_op_ops *ops,
                                   void *self);
NAS_API const char *nas_op_name(const nas_context *context, uint32_t index);
typedef struct {
    uint32_t struct_size, flags;
    int64_t filters;
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_h, pad_w;
    int32_t groups;
    int32_t bias;
} nas_conv_options;
#define NAS_CONV_OPTIONS_INIT                                                                      \
    {sizeof(nas_conv_options), 0, 0, 3, 3, 1, 1, 1, 1, -1, -1, 1, 0}
NAS_API void nas_conv_options_init(nas_conv_options *options);
NAS_API nas_status nas_graph_conv(nas_graph *graph, const char *name, nas_node in,
                                  const nas_conv_options *options, nas_node *out);
NAS_API nas_status nas_graph_batch_norm(nas_graph *graph, const char *name, nas_node in,
                                        int32_t affine, int32_t tracked, double epsilon,
                                        double momentum, nas_node *out);
NAS_API nas_status nas_graph_linear(nas_graph *graph, const char *name, nas_node in,
                                    int64_t features, int32_t bias, nas_node *out);
NAS_API nas_status nas_graph_layer_norm(nas_graph *graph, const char *name, nas_node in,
                                        int32_t affine, double epsilon, nas_node *out);
NAS_API nas_status nas_graph_relu(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_relu6(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_tanh(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_hard_sigmoid(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_hard_swish(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_softmax(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_log_softmax(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_max_pool(nas_graph *graph, nas_node in, int32_t kernel, int32_t stride,
                                      int32_t pad, nas_node *out);
NAS_API nas_status nas_graph_avg_pool(nas_graph *graph, nas_node in, int32_t kernel, int32_t stride,
                                      int32_t pad, nas_node *out);
NAS_API nas_status nas_graph_global_pool(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_add(nas_graph *graph, const nas_node *in, uint32_t n, nas_node *out);
NAS_API nas_status nas_graph_mul(nas_graph *graph, nas_node a, nas_node b, nas_node *out);
NAS_API nas_status nas_graph_scale(nas_graph *graph, nas_node in, double factor, nas_node *out);
NAS_API nas_status nas_graph_sigmoid(nas_graph *graph, nas_node in, nas_node *out);
NAS_API nas_status nas_graph_concat(nas_graph *graph, const nas_node *in, uint32_t n, nas_node *out);
NAS_API nas_status nas_graph_zero(nas_graph *graph, nas_node in, int32_t stride, nas_node *out);
NAS_API nas_status nas_graph_dropout(nas_graph *graph, nas_node in, double drop, nas_node *out);
NAS_API nas_status nas_graph_squeeze_excite(nas_graph *graph, const char *name, nas_node in,
                                            int64_t hidden, int32_t hard, nas_node *out);
NAS_API nas_status nas_graph_factorized_reduce(nas_graph *graph, const char *name, nas_node in,
                                               int64_t filters, int32_t affine, int32_t tracked,
                                               double epsilon, double momentum, nas_node *out);
NAS_API nas_status nas_graph_resize(nas_graph *graph, nas_node in, int64_t height, int64_t width,
                                    int32_t linear, nas_node *out);
NAS_API nas_status nas_graph_embedding(nas_graph *graph, const char *name, nas_node in,
                                       int64_t entries, int64_t features, nas_node *out);
NAS_API nas_status nas_graph_lstm_cell(nas_graph *graph, const char *name, nas_node in, nas_node h,
                                       nas_node c, int64_t units, nas_node *h_out, nas_node *c_out);
NAS_API nas_status nas_graph_mean_squared_error(nas_graph *graph, nas_node a, nas_node b,
                                                nas_node *out);
NAS_API nas_status nas_graph_shape(const nas_graph *graph, nas_node in, nas_shape *out);
NAS_EXTERN_C_END
#endif

/* space.h */
#ifndef LIBNAS_SPACE_H
#define LIBNAS_SPACE_H
NAS_EXTERN_C_BEGIN
NAS_API nas_status nas_space_preset(nas_space **out, nas_context *context, const char *name,
                                    const char *const *overrides, size_t n_overrides);
NAS_API const char *nas_space_preset_name(uint32_t index);
NAS_API const char *nas_space_preset_text(const char *name);
NAS_API nas_status nas_space_parse(nas_space **out, nas_context *context, const char *text, size_t n,
                                   const char *origin, const char *const *overrides,
                                   size_t n_overrides);
NAS_API nas_status nas_space_open(nas_space **out, nas_context *context, const char *what,
                                  const char *const *overrides, size_t n_overrides);
NAS_API nas_status nas_space_create(nas_space **out, nas_context *context, const char *name);
NAS_API nas_status nas_space_add_choice(nas_space *space, const char *name,
                                        const char *const *alternatives, uint32_t n);
NAS_API nas_status nas_space_add_integer(nas_space *space, const char *name, int64_t low,
                                         int64_t high, int64_t step);
NAS_API nas_status nas_space_add_real(nas_space *space, const char *name, double low, double high,
                                      int32_t log_scale);
NAS_API nas_status nas_space_add_condition(nas_space *space, const char *decision,
                                           const char *alternative);
NAS_API nas_status nas_space_add_constraint(nas_space *space, const char *expression);
NAS_API nas_status nas_space_finish(nas_space *space);
NAS_API void nas_space_free(nas_space *space);
NAS_API const char *nas_space_name(const nas_space *space);
NAS_API const char *nas_space_text(const nas_space *space);
NAS_API uint64_t nas_space_hash(const nas_space *space);
NAS_API uint32_t nas_space_decisions(const nas_space *space);
NAS_API int32_t nas_space_has_network(const nas_space *space);
enum { NAS_DECISION_CHOICE = 0, NAS_DECISION_INTEGER = 1, NAS_DECISION_REAL = 2 };
enum {
    NAS_ROLE_ARCHITECTURE = 0,
    NAS_ROLE_HYPERPARAMETER = 1
};
typedef struct {
    uint32_t struct_size;
    int32_t kind, role;
    uint32_t n_alternatives;
    const char *name;
    const char *const *alternatives;
    int64_t low, high, step;
    double real_low, real_high;
    int32_t log_scale;
    int32_t condition;
    int32_t condition_alternative;
    int32_t reserved;
} nas_decision;
NAS_API nas_status nas_space_decision(const nas_space *space, uint32_t index, nas_decision *out);
NAS_API nas_status nas_space_find_decision(const nas_space *space, const char *name, uint32_t *out);
NAS_API nas_status nas_space_count(const nas_space *space, uint64_t *count, char *digits,
                                   size_t capacity);
NAS_API nas_status nas_space_sample(const nas_space *space, nas_random *random, nas_arch **out);
NAS_API nas_status nas_space_mutate(const nas_space *space, const nas_arch *parent,
                                    nas_random *random, nas_arch **out);
NAS_API nas_status nas_space_mutate_as(const nas_space *space, const nas_arch *parent,
                                       const char *rule, nas_random *random, nas_arch **out);
NAS_API nas_status nas_space_crossover(const nas_space *space, const nas_arch *a, const nas_arch *b,
                                       nas_random *random, nas_arch **out);
NAS_API nas_status nas_space_neighbors(const nas_space *space, const nas_arch *arch,
                                       uint64_t *count);
NAS_API nas_status nas_space_neighbor(const nas_space *space, const nas_arch *arch, uint64_t index,
                                      nas_arch **out);
NAS_API nas_status nas_space_at(const nas_space *space, uint64_t index, nas_arch **out);
typedef struct {
    int64_t integer;
    double real;
} nas_value;
NAS_API nas_status nas_arch_create(nas_arch **out, const nas_space *space, const nas_value *values,
                                   size_t n);
NAS_API nas_status nas_arch_parse(nas_arch **out, const nas_space *space, const char *text);
NAS_API const char *nas_space_published(const nas_space *space, uint32_t index);
NAS_API nas_arch *nas_arch_hold(nas_arch *arch);
NAS_API void nas_arch_free(nas_arch *arch);
NAS_API const nas_space *nas_arch_space(const nas_arch *arch);
NAS_API nas_status nas_arch_value(const nas_arch *arch, uint32_t decision, nas_value *out);
NAS_API int32_t nas_arch_active(const nas_arch *arch, uint32_t decision);
NAS_API const char *nas_arch_text(const nas_arch *arch);
NAS_API uint64_t nas_arch_hash(const nas_arch *arch);
NAS_API uint64_t nas_arch_network_hash(const nas_arch *arch);
NAS_API uint64_t nas_arch_published_hash(const nas_arch *arch);
NAS_API int32_t nas_arch_equal(const nas_arch *a, const nas_arch *b);
typedef struct {
    uint32_t struct_size, flags;
    int64_t params;
    int64_t macs;
    int64_t published_flops;
    int64_t activation_bytes;
    int64_t weight_bytes;
    int64_t depth;
} nas_arch_cost;
NAS_API nas_status nas_arch_costs(const nas_arch *arch, nas_arch_cost *out);
enum { NAS_ENCODE_ONE_HOT = 0, NAS_ENCODE_ADJACENCY = 1, NAS_ENCODE_PATH = 2 };
NAS_API nas_status nas_arch_encode(const nas_arch *arch, int32_t encoding, double *out,
                                   size_t capacity, size_t *needed);
NAS_API nas_status nas_arch_check(const nas_arch *arch);
NAS_EXTERN_C_END
#endif

/* proposal.h */
#ifndef LIBNAS_PROPOSAL_H
#define LIBNAS_PROPOSAL_H
NAS_EXTERN_C_BEGIN
enum {
    NAS_WANT_METRICS = 1,
    NAS_WANT_ARCH_GRADIENT = 2,
    NAS_WANT_WEIGHT_STEP = 4,
    NAS_WANT_KEEP_DIRECTION = 8
};
enum {
    NAS_WEIGHTS_LIVE = 0,
    NAS_WEIGHTS_LOOKAHEAD = 1
};
enum { NAS_SPLIT_NONE = 0, NAS_SPLIT_TRAIN = 1, NAS_SPLIT_VALIDATION = 2, NAS_SPLIT_TEST = 3 };
enum {
    NAS_FROM_SCRATCH = 0,
    NAS_FROM_CONTINUE = 1,
    NAS_FROM_INHERIT = 2
};
#define NAS_BATCH_WHOLE UINT64_MAX
#define NAS_TRIAL_NONE UINT64_MAX
typedef struct {
    uint32_t alternative;
    uint32_t active;
    double weight;
    double channels;
} nas_path;
NAS_API const nas_space *nas_propose_space(const nas_proposal_builder *to);
NAS_API uint64_t nas_propose_turn(const nas_proposal_builder *to);
NAS_API uint64_t nas_propose_trial(const nas_proposal_builder *to);
NAS_API const nas_proposal *nas_propose_so_far(const nas_proposal_builder *to);
NAS_API nas_status nas_propose_arch(nas_proposal_builder *to, const nas_arch *arch);
NAS_API nas_status nas_propose_value(nas_proposal_builder *to, uint32_t decision,
                                     const nas_value *value);
NAS_API nas_status nas_propose_paths(nas_proposal_builder *to, uint32_t decision,
                                     const nas_path *paths, uint32_t n);
NAS_API nas_status nas_propose_want(nas_proposal_builder *to, uint32_t wants);
NAS_API nas_status nas_propose_batch(nas_proposal_builder *to, int32_t split, uint64_t batch);
NAS_API nas_status nas_propose_fidelity(nas_proposal_builder *to, const char *name, double value);
NAS_API nas_status nas_propose_from(nas_proposal_builder *to, uint64_t trial, int32_t how);
NAS_API nas_status nas_propose_evaluator(nas_proposal_builder *to, const char *name);
NAS_API nas_status nas_propose_weights(nas_proposal_builder *to, int32_t point,
                                       uint64_t lookahead_batch);
NAS_API nas_status nas_propose_displacement(nas_proposal_builder *to, double scale);
NAS_API nas_status nas_propose_token(nas_proposal_builder *to, const void *bytes, size_t n);
NAS_API nas_status nas_propose_continue_trial(nas_proposal_builder *to);
NAS_API nas_status nas_propose_note(nas_proposal_builder *to, const char *note);
NAS_API nas_status nas_propose_parent(nas_proposal_builder *to, uint64_t trial);
NAS_API uint64_t nas_proposal_turn(const nas_proposal *proposal);
NAS_API uint64_t nas_proposal_trial(const nas_proposal *proposal);
NAS_API uint32_t nas_proposal_wants(const nas_proposal *proposal);
NAS_API const nas_arch *nas_proposal_arch(const nas_proposal *proposal);
NAS_API const nas_path *nas_proposal_paths(const nas_proposal *proposal, uint32_t decision,
                                           uint32_t *n);
NAS_API uint32_t nas_proposal_path_count(const nas_proposal *proposal);
NAS_API uint32_t nas_proposal_path_offset(const nas_proposal *proposal, uint32_t decision);
NAS_API nas_status nas_proposal_value(const nas_proposal *proposal, uint32_t decision,
                                      nas_value *out);
NAS_API int32_t nas_proposal_split(const nas_proposal *proposal);
NAS_API uint64_t nas_proposal_batch(const nas_proposal *proposal);
NAS_API double nas_proposal_fidelity(const nas_proposal *proposal, const char *name,
                                     double otherwise);
NAS_API uint64_t nas_proposal_from(const nas_proposal *proposal, int32_t *how);
NAS_API uint64_t nas_proposal_parent(const nas_proposal *proposal);
NAS_API const char *nas_proposal_evaluator(const nas_proposal *proposal);
NAS_API int32_t nas_proposal_weights(const nas_proposal *proposal, uint64_t *lookahead_batch);
NAS_API double nas_proposal_displacement(const nas_proposal *proposal);
NAS_API const void *nas_proposal_token(const nas_proposal *proposal, size_t *n);
NAS_API const char *nas_proposal_note(const nas_proposal *proposal);
NAS_API int32_t nas_proposal_ends_trial(const nas_proposal *proposal);
NAS_API uint64_t nas_proposal_seen(const nas_proposal *proposal);
NAS_API nas_status nas_proposal_random(const nas_proposal *proposal, const char *purpose,
                                       nas_random **out);
NAS_API uint64_t nas_proposal_seed(const nas_proposal *proposal);
NAS_EXTERN_C_END
#endif

/* result.h */
#ifndef LIBNAS_RESULT_H
#define LIBNAS_RESULT_H
NAS_EXTERN_C_BEGIN
enum {
    NAS_STATE_COMPLETE = 0,
    NAS_STATE_STOPPED = 1,
    NAS_STATE_INFEASIBLE = 2,
    NAS_STATE_CACHED = 3
};
enum {
    NAS_REASON_NONE = 0,
    NAS_REASON_DIVERGED = 1,
    NAS_REASON_MEMORY = 2,
    NAS_REASON_TIME = 3,
    NAS_REASON_CALLBACK = 4,
    NAS_REASON_CONSTRAINT = 5,
    NAS_REASON_VANISHED = 6,
    NAS_REASON_OTHER = 7
};
NAS_API nas_status nas_result_set(nas_result_builder *to, const char *metric, double value);
NAS_API nas_status nas_result_add_point(nas_result_builder *to, const char *curve, double x, double y);
NAS_API nas_status nas_result_set_state(nas_result_builder *to, int32_t state);
NAS_API nas_status nas_result_set_infeasible(nas_result_builder *to, int32_t reason,
                                             const char *sentence);
NAS_API nas_status nas_result_set_gradient(nas_result_builder *to, const double *gradient, size_t n);
NAS_API const nas_result *nas_result_so_far(const nas_result_builder *from);
NAS_API int32_t nas_result_state(const nas_result *result);
NAS_API int32_t nas_result_reason(const nas_result *result);
NAS_API const char *nas_result_sentence(const nas_result *result);
NAS_API nas_status nas_result_metric(const nas_result *result, const char *metric, double *out);
NAS_API const char *nas_result_metric_at(const nas_result *result, uint32_t index, double *value);
NAS_API uint32_t nas_result_points(const nas_result *result, const char *curve);
NAS_API nas_status nas_result_point(const nas_result *result, const char *curve, uint32_t index,
                                    double *x, double *y);
NAS_API const char *nas_result_curve_at(const nas_result *result, uint32_t index);
NAS_API const double *nas_result_gradient(const nas_result *result, size_t *n);
NAS_API double nas_result_score(const nas_result *result);
NAS_API nas_status nas_result_create(nas_result_builder **out, nas_context *context);
NAS_API void nas_result_free(nas_result_builder *result);
NAS_EXTERN_C_END
#endif

/* controller.h */
#ifndef LIBNAS_CONTROLLER_H
#define LIBNAS_CONTROLLER_H
NAS_EXTERN_C_BEGIN
typedef struct {
    uint32_t struct_size, flags;
    nas_status (*ask)(void *self, nas_random *stream, nas_proposal_builder *out);
    nas_status (*tell)(void *self, const nas_proposal *asked, const nas_result *got);
    nas_status (*forget)(void *self, uint64_t turn);
    nas_status (*save)(void *self, nas_writer *to);
    nas_status (*load)(void *self, nas_reader *from);
    nas_status (*describe)(void *self, nas_sink *to);
    void (*destroy)(void *self);
} nas_controller_ops;
enum {
    NAS_CONTROLLER_NEEDS_GRADIENT = 1,
    NAS_CONTROLLER_NEEDS_WEIGHTS = 2,
    NAS_CONTROLLER_CONTINUES = 4
};
NAS_API nas_status nas_controller_create(nas_controller **out, nas_context *context, const char *name,
                                         const nas_controller_ops *ops, void *self);
NAS_API void nas_controller_free(nas_controller *controller);
NAS_API const char *nas_controller_name(const nas_controller *controller);
NAS_API nas_status nas_controller_ask(nas_controller *controller, nas_random *stream,
                                      nas_proposal_builder *out);
NAS_API nas_status nas_controller_tell(nas_controller *controller, const nas_proposal *asked,
                                       const nas_result *got);
NAS_API nas_status nas_controller_forget(nas_controller *controller, uint64_t turn);
NAS_API nas_status nas_controller_save(nas_controller *controller, nas_writer *to);
NAS_API nas_status nas_controller_load(nas_controller *controller, nas_reader *from);
NAS_API nas_status nas_controller_describe(nas_controller *controller, nas_sink *to);
NAS_API nas_status nas_controller_named(nas_controller **out, const nas_space *space,
                                        const char *name, const char *const *settings,
                                        size_t n_settings);
NAS_API const char *nas_controller_builtin(uint32_t index);
NAS_API const char *nas_controller_settings(const char *name);
typedef struct {
    uint32_t struct_size, flags;
    int32_t replacement;
    int32_t reserved;
} nas_random_options;
#define NAS_RANDOM_OPTIONS_INIT {sizeof(nas_random_options), 0, 1, 0}
NAS_API void nas_random_options_init(nas_random_options *options);
NAS_API nas_status nas_controller_random(nas_controller **out, const nas_space *space,
                                         const nas_random_options *options);
typedef struct {
    uint32_t struct_size, flags;
    uint64_t first;
    int32_t distinct;
    int32_t reserved;
} nas_exhaustive_options;
#define NAS_EXHAUSTIVE_OPTIONS_INIT {sizeof(nas_exhaustive_options), 0, 0, 0, 0}
NAS_API void nas_exhaustive_options_init(nas_exhaustive_options *options);
NAS_API nas_status nas_controller_exhaustive(nas_controller **out, const nas_space *space,
                                             const nas_exhaustive_options *options);
typedef struct {
    uint32_t struct_size, flags;
    uint32_t initial;
    int32_t whole;
    int32_t distinct;
    int32_t reserved;
} nas_local_search_options;
#define NAS_LOCAL_SEARCH_OPTIONS_INIT {sizeof(nas_local_search_options), 0, 1, 0, 1, 0}
NAS_API void nas_local_search_options_init(nas_local_search_options *options);
NAS_API nas_status nas_controller_local_search(nas_controller **out, const nas_space *space,
                                               const nas_local_search_options *options);
enum {
    NAS_DEATH_OLDEST = 0,
    NAS_DEATH_WORST = 1,
    NAS_DEATH_LOSER = 2
};
typedef struct {
    uint32_t struct_size, flags;
    uint32_t population;
    uint32_t sample;
    int32_t replacement;
    int32_t distinct;
    uint32_t retries;
    uint32_t mutations;
    int32_t death;
    int32_t reserved;
    const char *mutation;
} nas_evolution_options;
#define NAS_EVOLUTION_OPTIONS_INIT                                                                 \
    {sizeof(nas_evolution_options), 0, 100, 25, 1, 0, 100, 1, NAS_DEATH_OLDEST, 0, NULL}
NAS_API void nas_evolution_options_init(nas_evolution_options *options);
NAS_API nas_status nas_controller_evolution(nas_controller **out, const nas_space *space,
                                            const nas_evolution_options *options);
typedef struct {
    uint32_t struct_size, flags;
    double min_epochs, max_epochs;
    uint32_t eta;
    uint32_t candidates;
    uint32_t brackets;
    int32_t overlap;
    int32_t continues;
    int32_t reserved;
} nas_halving_options;
#define NAS_HALVING_OPTIONS_INIT {sizeof(nas_halving_options), 0, 1, 27, 3, 0, 0, 1, 1, 0}
NAS_API void nas_halving_options_init(nas_halving_options *options);
NAS_API nas_status nas_controller_halving(nas_controller **out, const nas_space *space,
                                          const nas_halving_options *options);
typedef struct {
    uint32_t struct_size, flags;
    double min_epochs, max_epochs;
    uint32_t eta;
    uint32_t candidates;
    int32_t continues;
    int32_t reserved;
} nas_asha_options;
#define NAS_ASHA_OPTIONS_INIT {sizeof(nas_asha_options), 0, 1, 27, 3, 0, 1, 0}
NAS_API void nas_asha_options_init(nas_asha_options *options);
NAS_API nas_status nas_controller_asha(nas_controller **out, const nas_space *space,
                                       const nas_asha_options *options);
typedef struct {
    uint32_t struct_size, flags;
    double min_epochs, max_epochs;
    uint32_t eta;
    uint32_t brackets;
    int32_t original;
    int32_t overlap;
    int32_t continues;
    int32_t reserved;
} nas_hyperband_options;
#define NAS_HYPERBAND_OPTIONS_INIT {sizeof(nas_hyperband_options), 0, 1, 27, 3, 0, 0, 1, 1, 0}
NAS_API void nas_hyperband_options_init(nas_hyperband_options *options);
NAS_API nas_status nas_controller_hyperband(nas_controller **out, const nas_space *space,
                                            const nas_hyperband_options *options);
typedef struct {
    uint32_t struct_size, flags;
    double min_epochs, max_epochs;
    double random_fraction;
    double bandwidth_factor;
    double min_bandwidth;
    uint32_t eta;
    uint32_t brackets;
    uint32_t min_points;
    uint32_t top_percent;
    uint32_t samples;
    int32_t original;
    int32_t overlap;
    int32_t continues;
    int32_t ordinal;
    int32_t repeats;
} nas_bohb_options;
#define NAS_BOHB_OPTIONS_INIT                                                                      \
    {sizeof(nas_bohb_options), 0, 1, 27, 1.0 / 3, 3, 1e-3, 3, 0, 0, 15, 64, 0, 1, 1, 1, 0}
NAS_API void nas_bohb_options_init(nas_bohb_options *options);
NAS_API nas_status nas_controller_bohb(nas_controller **out, const nas_space *space,
                                       const nas_bohb_options *options);
typedef struct {
    uint32_t struct_size, flags;
    uint32_t population;
    int32_t distinct;
    uint32_t retries;
    uint32_t reserved;
    double crossover;
    double mutation;
    const char *objectives;
} nas_nsga2_options;
#define NAS_NSGA2_OPTIONS_INIT {sizeof(nas_nsga2_options), 0, 50, 1, 100, 0, 0.9, 1, NULL}
NAS_API void nas_nsga2_options_init(nas_nsga2_options *options);
NAS_API nas_status nas_controller_nsga2(nas_controller **out, const nas_space *space,
                                        const nas_nsga2_options *options);
enum {
    NAS_BASELINE_CORRECTED = 0,
    NAS_BASELINE_FIRST = 1,
    NAS_BASELINE_ZERO = 2
};
enum {
    NAS_ENTROPY_REWARD = 0,
    NAS_ENTROPY_REGULARIZER = 1
};
typedef struct {
    uint32_t struct_size, flags;
    double learning_rate;
    double decay;
    double entropy;
    double temperature;
    double tanh_constant;
    double init;
    int32_t baseline;
    int32_t entropy_mode;
    uint32_t batch;
    uint32_t bins;
    uint32_t retries;
    uint32_t reserved;
} nas_reinforce_table_options;
#define NAS_REINFORCE_TABLE_OPTIONS_INIT \
    {sizeof(nas_reinforce_table_options), 0, 0.05, 0.9, 0, 1, 0, 0.001, 0, 0, 1, 10, 1000, 0}
NAS_API void nas_reinforce_table_options_init(nas_reinforce_table_options *options);
NAS_API nas_status nas_controller_reinforce_table(nas_controller **out, const nas_space *space,
                                                  const nas_reinforce_table_options *options);
typedef struct {
    uint32_t struct_size, flags;
    double learning_rate;
    double decay;
    double entropy;
    double temperature;
    double tanh_constant;
    double init;
    int32_t baseline, entropy_mode;
    uint32_t batch;
    uint32_t bins;
    uint32_t retries;
    uint32_t units;
    uint32_t layers;
    uint32_t reserved;
} nas_reinforce_options;
#define NAS_REINFORCE_OPTIONS_INIT \
    {sizeof(nas_reinforce_options), 0, 0.005, 0.9, 0, 1, 0, 0.08, 0, 0, 1, 10, 1000, 35, 1, 0}
NAS_API void nas_reinforce_options_init(nas_reinforce_options *options);
NAS_API nas_status nas_controller_reinforce(nas_controller **out, const nas_space *space,
                                            const nas_reinforce_options *options);
enum {
    NAS_PREDICTOR_AUTO = 0,
    NAS_PREDICTOR_ONE_HOT = 1,
    NAS_PREDICTOR_PATH = 2
};
typedef struct {
    uint32_t struct_size, flags;
    uint32_t initial;
    uint32_t refit;
    uint32_t candidates;
    uint32_t parents;
    uint32_t mutations;
    uint32_t members;
    uint32_t units;
    uint32_t layers;
    uint32_t epochs;
    uint32_t batch;
    int32_t encoding;
    uint32_t reserved;
    double learning_rate;
    double weight_decay;
    double random_share;
} nas_predictor_options;
#define NAS_PREDICTOR_OPTIONS_INIT \
    {sizeof(nas_predictor_options), 0, 10, 10, 200, 10, 2, 5, 32, 2, 40, 32, 1, 0, 0.01, 0.01, 0.3}
NAS_API void nas_predictor_options_init(nas_predictor_options *options);
NAS_API nas_status nas_controller_predictor(nas_controller **out, const nas_space *space,
                                            const nas_predictor_options *options);
enum {
    NAS_SURROGATE_MLP = 0,
    NAS_SURROGATE_LSTM = 1
};
typedef struct {
    uint32_t struct_size, flags;
    uint32_t beam;
    uint32_t level;
    int32_t surrogate;
    uint32_t members;
    uint32_t embedding;
    uint32_t units;
    uint32_t epochs;
    uint32_t batch;
    uint32_t bins;
    uint32_t probes;
    double learning_rate;
    const char *base;
} nas_progressive_options;
#define NAS_PROGRESSIVE_OPTIONS_INIT \
    {sizeof(nas_progressive_options), 0, 32, 0, 0, 5, 32, 32, 60, 16, 10, 0, 0.01, NULL}
NAS_API void nas_progressive_options_init(nas_progressive_options *options);
NAS_API nas_status nas_controller_progressive(nas_controller **out, const nas_space *space,
                                              const nas_progressive_options *options);
NAS_EXTERN_C_END
#endif

/* dataset.h */
#ifndef LIBNAS_DATASET_H
#define LIBNAS_DATASET_H
NAS_EXTERN_C_BEGIN
typedef struct {
    uint32_t struct_size, flags;
    int64_t validation;
    int32_t balanced;
    int32_t normalise;
    double mean[4], deviation[4];
    int32_t flip;
    int32_t crop_pad;
    int32_t cutout;
    int32_t reserved;
    int64_t limit_train, limit_test;
} nas_dataset_options;
#define NAS_DATASET_OPTIONS_INIT                                                                   \
    {sizeof(nas_dataset_options), 0, -1, 0, 1, {0, 0, 0, 0}, {0, 0, 0, 0}, 0, 0, 0, 0, 0, 0}
NAS_API void nas_dataset_options_init(nas_dataset_options *options);
NAS_API nas_status nas_dataset_options_set(nas_context *context, nas_dataset_options *options,
                                           const char *setting);
NAS_API nas_status nas_dataset_open(nas_dataset **out, nas_context *context, const char *what,
                                    const nas_dataset_options *options);
NAS_API nas_status nas_dataset_idx(nas_dataset **out, nas_context *context,
                                   const char *train_images, const char *train_labels,
                                   const char *test_images, const char *test_labels,
                                   const nas_dataset_options *options);
NAS_API nas_status nas_dataset_cifar10(nas_dataset **out, nas_context *context,
                                       const char *const *train, size_t n_train,
                                       const char *const *test, size_t n_test,
                                       const nas_dataset_options *options);
typedef struct {
    uint32_t struct_size, flags;
    int64_t n_train, n_test;
    int64_t height, width, channels, classes;
    const uint8_t *train_bytes, *test_bytes;
    const float *train_floats, *test_floats;
    const int32_t *train_labels, *test_labels;
} nas_dataset_arrays;
NAS_API nas_status nas_dataset_from_arrays(nas_dataset **out, nas_context *context,
                                           const nas_dataset_arrays *arrays,
                                           const nas_dataset_options *options);
NAS_API void nas_dataset_free(nas_dataset *dataset);
typedef struct {
    uint32_t struct_size, flags;
    int64_t n_train, n_validation, n_test;
    int64_t height, width, channels, classes;
    double mean[4], deviation[4];
    uint64_t hash;
} nas_dataset_info;
NAS_API nas_status nas_dataset_describe(const nas_dataset *dataset, nas_dataset_info *out);
NAS_API nas_status nas_dataset_read(const nas_dataset *dataset, int32_t split, int64_t from, int64_t n,
                                    float *images, int32_t *labels);
NAS_EXTERN_C_END
#endif

/* tuning.h */
#ifndef LIBNAS_TUNING_H
#define LIBNAS_TUNING_H
NAS_EXTERN_C_BEGIN
NAS_API nas_status nas_tuning_measure(nas_tuning **out, nas_context *context,
                                      const nas_arch *const *archs, size_t n);
NAS_API void nas_tuning_free(nas_tuning *tuning);
NAS_API uint64_t nas_tuning_hash(const nas_tuning *tuning);
NAS_API uint32_t nas_tuning_count(const nas_tuning *tuning, uint32_t *blis);
NAS_API nas_status nas_tuning_write(const nas_tuning *tuning, nas_sink *to);
NAS_API nas_status nas_tuning_parse(nas_tuning **out, nas_context *context, const char *text, size_t n,
                                    const char *name);
NAS_API nas_status nas_tuning_load(nas_tuning **out, nas_context *context, const char *path);
NAS_EXTERN_C_END
#endif

/* model.h */
#ifndef LIBNAS_MODEL_H
#define LIBNAS_MODEL_H
NAS_EXTERN_C_BEGIN
enum { NAS_OPTIMIZER_SGD = 0, NAS_OPTIMIZER_ADAM = 1, NAS_OPTIMIZER_ADAMW = 2 };
enum {
    NAS_SCHEDULE_CONSTANT = 0,
    NAS_SCHEDULE_COSINE = 1,
    NAS_SCHEDULE_ONE_CYCLE = 2
};
typedef struct {
    uint32_t struct_size, flags;
    double epochs;
    uint32_t batch;
    int32_t optimizer;
    double learning_rate;
    double final_rate;
    double momentum;
    double beta2, epsilon;
    int32_t nesterov;
    int32_t schedule;
    double warmup;
    double weight_decay;
    int32_t decay_all;
    double label_smoothing;
    double clip;
    double dropout;
    double ema;
    double data_fraction;
    int32_t validate;
    int32_t use_validation;
    int64_t max_seconds;
    uint64_t seed;
    double drop_path;
    uint64_t memory_limit;
    const nas_tuning *tuning;
} nas_train_options;
#define NAS_TRAIN_OPTIONS_INIT                                                                     \
    {sizeof(nas_train_options), 0, 12, 64, 0, 0.1, 0, 0.9, 0.999, 1e-8, 1, 1, 0, 5e-4, 0, 0, 0, 0, \
     0, 1, 1, 0, 0, 0, 0, 0, NULL}
NAS_API void nas_train_options_init(nas_train_options *options);
NAS_API nas_status nas_train_options_set(nas_context *context, nas_train_options *options,
                                         const char *setting);
typedef struct {
    uint32_t struct_size, flags;
    double epoch, epochs;
    uint64_t step, steps;
    double train_loss, train_accuracy;
    double validation_loss, validation_accuracy;
    double learning_rate, seconds;
} nas_train_progress;
typedef nas_status (*nas_train_fn)(void *user, const nas_train_progress *progress);
typedef struct {
    uint32_t struct_size, flags;
    double loss, accuracy;
    int64_t n;
} nas_metrics;
NAS_API nas_status nas_model_create(nas_model **out, const nas_arch *arch, uint64_t seed);
NAS_API void nas_model_free(nas_model *model);
NAS_API const nas_arch *nas_model_arch(const nas_model *model);
typedef struct {
    uint32_t struct_size, flags;
    int64_t height, width, channels, classes;
    double mean[4], deviation[4];
} nas_model_info;
NAS_API nas_status nas_model_describe(const nas_model *model, nas_model_info *out);
NAS_API nas_status nas_model_train(nas_model *model, const nas_dataset *data,
                                   const nas_train_options *options, nas_train_fn progress,
                                   void *user);
typedef struct {
    uint32_t struct_size, flags;
    void *user;
    nas_train_fn epoch_ended;
    nas_status (*keep_going)(void *user);
    nas_status (*keep)(void *user, const nas_train_progress *progress, const void *bytes, size_t n);
    const void *kept;
    uint64_t n_kept;
} nas_train_hooks;
#define NAS_TRAIN_HOOKS_INIT {sizeof(nas_train_hooks), 0, NULL, NULL, NULL, NULL, NULL, 0}
NAS_API void nas_train_hooks_init(nas_train_hooks *hooks);
NAS_API nas_status nas_model_train_with(nas_model *model, const nas_dataset *data,
                                        const nas_train_options *options,
                                        const nas_train_hooks *hooks);
NAS_API nas_status nas_model_evaluate(nas_model *model, const nas_dataset *data, int32_t split,
                                      nas_metrics *out);
NAS_API nas_status nas_model_predict(nas_model *model, const float *images, int64_t n, float *logits);
typedef struct {
    uint32_t struct_size, flags;
    uint32_t batch;
    int32_t training;
    int32_t fusion;
    int32_t reserved;
    uint64_t memory_limit;
    const nas_tuning *tuning;
} nas_plan_options;
#define NAS_PLAN_OPTIONS_INIT {sizeof(nas_plan_options), 0, 64, 1, 1, 0, 0, NULL}
NAS_API void nas_plan_options_init(nas_plan_options *options);
typedef struct {
    uint32_t struct_size, flags;
    uint64_t tensor_bytes;
    uint64_t scratch_bytes;
    uint64_t value_bytes;
    int64_t macs;
    uint64_t steps;
    uint64_t peak_bytes;
} nas_plan_info;
#define NAS_PLAN_INFO_INIT {sizeof(nas_plan_info), 0, 0, 0, 0, 0, 0, 0}
NAS_API nas_status nas_arch_plan(const nas_arch *arch, const nas_plan_options *options,
                                 nas_plan_info *info, nas_sink *to);
NAS_API nas_status nas_model_save(const nas_model *model, const char *path);
NAS_API nas_status nas_model_load(nas_model **out, nas_context *context, const char *path);
NAS_API nas_status nas_model_load_weights(nas_model *model, const char *path);
typedef struct {
    const char *name;
    int64_t shape[4];
    uint32_t dimensions, trained;
} nas_tensor_info;
NAS_API nas_status nas_model_tensor(const nas_model *model, uint32_t index, nas_tensor_info *out);
NAS_API nas_status nas_model_read_tensor(const nas_model *model, const char *name, float *out,
                                         size_t n);
NAS_API nas_status nas_model_write_tensor(nas_model *model, const char *name, const float *values,
                                          size_t n);
NAS_EXTERN_C_END
#endif

/* evaluator.h */
#ifndef LIBNAS_EVALUATOR_H
#define LIBNAS_EVALUATOR_H
NAS_EXTERN_C_BEGIN
enum {
    NAS_EVALUATOR_CONCURRENT = 1,
    NAS_EVALUATOR_STATELESS = 2,
    NAS_EVALUATOR_ARCH_GRADIENT = 4,
    NAS_EVALUATOR_WEIGHT_STEP = 8,
    NAS_EVALUATOR_NEEDS_NETWORK = 16,
    NAS_EVALUATOR_NEEDS_DATA = 32,
    NAS_EVALUATOR_CONTINUES = 64,
    NAS_EVALUATOR_INHERITS = 128
};
typedef struct {
    uint32_t struct_size, flags;
    nas_status (*prepare)(void *self, const nas_space *space, nas_dataset *data);
    nas_status (*evaluate)(void *self, const nas_proposal *asked, nas_reporter *progress,
                           nas_result_builder *out);
    nas_status (*observe)(void *self, const nas_proposal *asked, const nas_result *got);
    nas_status (*save)(void *self, nas_writer *to);
    nas_status (*load)(void *self, nas_reader *from);
    void (*cancel)(void *self, uint64_t turn);
    void (*destroy)(void *self);
} nas_evaluator_ops;
NAS_API nas_status nas_evaluator_create(nas_evaluator **out, nas_context *context, const char *name,
                                        const nas_evaluator_ops *ops, void *self);
NAS_API void nas_evaluator_free(nas_evaluator *evaluator);
NAS_API const char *nas_evaluator_name(const nas_evaluator *evaluator);
NAS_API uint32_t nas_evaluator_flags(const nas_evaluator *evaluator);
NAS_API nas_status nas_evaluator_prepare(nas_evaluator *evaluator, const nas_space *space,
                                         nas_dataset *data);
NAS_API nas_status nas_evaluator_evaluate(nas_evaluator *evaluator, const nas_proposal *asked,
                                          nas_reporter *progress, nas_result_builder *out);
NAS_API nas_status nas_evaluator_observe(nas_evaluator *evaluator, const nas_proposal *asked,
                                         const nas_result *got);
NAS_API nas_status nas_evaluator_save(nas_evaluator *evaluator, nas_writer *to);
NAS_API nas_status nas_evaluator_load(nas_evaluator *evaluator, nas_reader *from);
NAS_API nas_status nas_report(nas_reporter *progress, double done, double total, const char *metric,
                              double value);
NAS_API nas_status nas_report_poll(nas_reporter *progress);
NAS_API nas_status nas_report_keep(nas_reporter *progress, const void *bytes, size_t n);
NAS_API nas_status nas_report_kept(const nas_reporter *progress, const void **bytes, size_t *n);
NAS_API nas_status nas_report_from(const nas_reporter *progress, const void **bytes, size_t *n);
NAS_API int32_t nas_report_keep_due(const nas_reporter *progress, int32_t at_end);
typedef nas_status (*nas_evaluate_fn)(void *user, const nas_proposal *asked, nas_reporter *progress,
                                      nas_result_builder *out);
NAS_API nas_status nas_evaluator_callback(nas_evaluator **out, nas_context *context, uint32_t flags,
                                          nas_evaluate_fn evaluate, void *user,
                                          nas_destroy_fn destroy);
NAS_API nas_status nas_evaluator_train(nas_evaluator **out, nas_context *context,
                                       const nas_train_options *options);
typedef struct {
    uint32_t struct_size, flags;
    const char *path;
    const char *arch;
    const char *accuracy;
    const char *test;
    const char *seconds;
    const char *metrics;
    const char *curve;
    double scale;
    double noise;
    int32_t missing;
    int32_t reserved;
} nas_table_options;
#define NAS_TABLE_OPTIONS_INIT                                                                     \
    {sizeof(nas_table_options), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 0, 0, 0}
NAS_API void nas_table_options_init(nas_table_options *options);
NAS_API nas_status nas_evaluator_table(nas_evaluator **out, nas_context *context,
                                       const nas_table_options *options);
typedef struct {
    uint32_t struct_size, flags;
    uint64_t rows;
    double best_accuracy;
    double test_of_best;
    double best_test;
    double mean_accuracy, mean_test;
    uint32_t epochs;
    uint32_t reserved;
} nas_table_info;
NAS_API nas_status nas_evaluator_table_info(const nas_evaluator *evaluator, nas_table_info *out);
NAS_API nas_status nas_evaluator_named(nas_evaluator **out, nas_context *context, const char *name,
                                       const char *const *settings, size_t n_settings);
NAS_API const char *nas_evaluator_builtin(uint32_t index);
NAS_API const char *nas_evaluator_settings(const char *name);
NAS_EXTERN_C_END
#endif

/* store.h */
#ifndef LIBNAS_STORE_H
#define LIBNAS_STORE_H
NAS_EXTERN_C_BEGIN
enum { NAS_DURABLE_PROCESS = 0, NAS_DURABLE_POWER = 1 };
typedef struct {
    uint32_t struct_size, flags;
    int32_t read_only;
    int32_t create;
    int32_t durable;
    int32_t reserved;
    const char *vfs;
} nas_store_options;
#define NAS_STORE_OPTIONS_INIT {sizeof(nas_store_options), 0, 0, 1, 0, 0, NULL}
NAS_API void nas_store_options_init(nas_store_options *options);
NAS_API nas_status nas_store_open(nas_store **out, nas_context *context, const char *path,
                                  const nas_store_options *options);
NAS_API void nas_store_free(nas_store *store);
NAS_API nas_status nas_store_fact(nas_store *store, const char *key, const char **out);
NAS_API nas_status nas_store_set_fact(nas_store *store, const char *key, const char *value);
typedef struct {
    uint32_t struct_size, flags;
    uint64_t number;
    int32_t state, reason;
    const char *arch;
    const char *sentence;
    const char *note, *evaluator;
    uint64_t arch_hash, network_hash;
    uint64_t parent, from;
    uint64_t generation;
    double score;
    double seconds;
    uint64_t turns;
} nas_trial;
NAS_API nas_status nas_store_trials(nas_store *store, uint64_t *out);
NAS_API nas_status nas_store_trial(nas_store *store, uint64_t number, nas_trial *out);
NAS_API nas_status nas_store_metric(nas_store *store, uint64_t trial, const char *metric, double *out);
NAS_API nas_status nas_store_metric_at(nas_store *store, uint64_t trial, uint32_t index,
                                       const char **name, double *value);
NAS_API nas_status nas_store_curve(nas_store *store, uint64_t trial, const char *curve, double *x,
                                   double *y, size_t capacity, size_t *n);
NAS_API nas_status nas_store_curve_at(nas_store *store, uint64_t trial, uint32_t index,
                                      const char **name);
NAS_API nas_status nas_store_put_blob(nas_store *store, const char *name, const void *bytes, size_t n);
NAS_API nas_status nas_store_get_blob(nas_store *store, const char *name, const void **out, size_t *n);
NAS_API nas_status nas_store_dump(nas_store *store, nas_sink *to);
NAS_EXTERN_C_END
#endif

/* search.h */
#ifndef LIBNAS_SEARCH_H
#define LIBNAS_SEARCH_H
NAS_EXTERN_C_BEGIN
enum { NAS_ORDER_TURNS = 0, NAS_ORDER_ARRIVAL = 1 };
typedef struct {
    const char *metric;
    int32_t minimise;
    int32_t reserved;
    double weight;
    double limit;
    double exponent;
} nas_objective;
enum {
    NAS_ENDED_NOT = 0,
    NAS_ENDED_TRIALS = 1,
    NAS_ENDED_EPOCHS = 2,
    NAS_ENDED_EVALUATIONS = 3,
    NAS_ENDED_TIME = 4,
    NAS_ENDED_TARGET = 5,
    NAS_ENDED_CONTROLLER = 6,
    NAS_ENDED_CALLER = 7,
    NAS_ENDED_ERROR = 8
};
NAS_API const char *nas_ended_text(int32_t ended);
typedef struct {
    uint32_t struct_size, flags;
    void *user;
    nas_status (*trial_started)(void *user, nas_search *search, const nas_proposal *proposal);
    nas_status (*epoch_ended)(void *user, nas_search *search, const nas_proposal *proposal,
                              double done, double total, const char *metric, double value);
    nas_status (*trial_ended)(void *user, nas_search *search, const nas_trial *trial,
                              const nas_result *result);
    nas_status (*turn_ended)(void *user, nas_search *search, const nas_proposal *proposal,
                             const nas_result *result);
    int32_t (*should_stop)(void *user, nas_search *search);
} nas_search_hooks;
typedef struct {
    const char *name;
    nas_evaluator *evaluator;
} nas_named_evaluator;
typedef struct {
    uint32_t struct_size, flags;
    const nas_space *space;
    nas_controller *controller;
    const nas_named_evaluator *evaluators;
    uint32_t n_evaluators;
    uint32_t n_objectives;
    const nas_objective *objectives;
    nas_dataset *data;
    nas_store *store;
    const nas_search_hooks *hooks;
    uint64_t seed;
    uint32_t window;
    uint32_t workers;
    int32_t order;
    int32_t reuse;
    uint64_t max_trials, max_evaluations;
    double max_epochs;
    double max_seconds;
    double target;
    double trial_seconds;
    double checkpoint_seconds;
    const char *settings;
} nas_search_options;
NAS_API void nas_search_options_init(nas_search_options *options);
NAS_API nas_status nas_search_create(nas_search **out, nas_context *context,
                                     const nas_search_options *options);
NAS_API void nas_search_free(nas_search *search);
NAS_API nas_status nas_search_run(nas_search *search, int32_t *ended);
NAS_API nas_status nas_search_step(nas_search *search);
NAS_API void nas_search_stop(nas_search *search);
NAS_API nas_status nas_search_ask(nas_search *search, const nas_proposal **out);
NAS_API nas_status nas_search_tell(nas_search *search, const nas_proposal *asked,
                                   nas_result_builder *result);
NAS_API nas_status nas_search_forget(nas_search *search, const nas_proposal *asked);
typedef struct {
    uint32_t struct_size, flags;
    uint32_t workers;
    uint32_t reserved;
    const char *seconds;
    double max_seconds;
} nas_simulate_options;
#define NAS_SIMULATE_OPTIONS_INIT {sizeof(nas_simulate_options), 0, 1, 0, NULL, 0}
NAS_API void nas_simulate_options_init(nas_simulate_options *options);
NAS_API nas_status nas_search_simulate(nas_search *search, const nas_simulate_options *options,
                                       double *clock);
NAS_API uint64_t nas_search_trials(const nas_search *search);
NAS_API nas_status nas_search_trial(nas_search *search, uint64_t number, nas_trial *out);
NAS_API nas_status nas_search_best(nas_search *search, nas_trial *out);
NAS_API int32_t nas_search_ended(const nas_search *search);
NAS_API nas_store *nas_search_store(nas_search *search);
typedef struct {
    uint32_t struct_size, flags;
    uint64_t trials, turns, evaluations, cached, infeasible;
    uint64_t distinct;
    uint64_t generations;
    double best, epochs, seconds;
} nas_search_progress;
NAS_API nas_status nas_search_state(const nas_search *search, nas_search_progress *out);
NAS_API nas_status nas_search_replay(nas_context *context, nas_store *record,
                                     const nas_search_options *options);
NAS_API nas_status nas_controller_warm_start(nas_controller *controller, const nas_space *space,
                                             nas_store *store, uint64_t *told);
NAS_EXTERN_C_END
#endif

/* report.h */
#ifndef LIBNAS_REPORT_H
#define LIBNAS_REPORT_H
NAS_EXTERN_C_BEGIN
typedef struct {
    uint32_t struct_size, flags;
    const char *title;
    const nas_space *space;
    uint32_t best;
    uint32_t reserved;
} nas_report_options;
#define NAS_REPORT_OPTIONS_INIT {sizeof(nas_report_options), 0, NULL, NULL, 4, 0}
NAS_API void nas_report_options_init(nas_report_options *options);
NAS_API nas_status nas_report_html(nas_store *store, const nas_report_options *options, nas_sink *to);
NAS_API nas_status nas_report_text(nas_store *store, const nas_report_options *options, nas_sink *to);
enum { NAS_DRAW_SVG = 0, NAS_DRAW_DOT = 1, NAS_DRAW_TEXT = 2 };
NAS_API nas_status nas_arch_draw(const nas_arch *arch, int32_t format, nas_sink *to);
NAS_EXTERN_C_END
#endif
