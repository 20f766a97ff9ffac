/* evaluator.h: what judges a proposal. Built-in evaluators and the caller's own use one table. */
#ifndef LIBNAS_EVALUATOR_H
#define LIBNAS_EVALUATOR_H
#include "base.h"
#include "dataset.h"
#include "io.h"
#include "model.h"
#include "proposal.h"
#include "result.h"
NAS_EXTERN_C_BEGIN

/* flags: what it serves and how it may be called. A search joins only what fits, and says why not. */
enum {
    NAS_EVALUATOR_CONCURRENT = 1,     /* evaluate may run in several threads at once, and observe
                                         and save beside it; evaluate changes no state then */
    NAS_EVALUATOR_STATELESS = 2,      /* a result depends on its proposal (and on what was kept of
                                         the trial that it starts from) alone: nothing to save */
    NAS_EVALUATOR_ARCH_GRADIENT = 4,  /* serves NAS_WANT_ARCH_GRADIENT */
    NAS_EVALUATOR_WEIGHT_STEP = 8,    /* serves NAS_WANT_WEIGHT_STEP and the weight points */
    NAS_EVALUATOR_NEEDS_NETWORK = 16, /* the space must have a network template */
    NAS_EVALUATOR_NEEDS_DATA = 32,    /* a data set must be given */
    NAS_EVALUATOR_CONTINUES = 64,     /* serves NAS_FROM_CONTINUE */
    NAS_EVALUATOR_INHERITS = 128      /* serves NAS_FROM_INHERIT */
};

typedef struct {
    uint32_t struct_size, flags;
    /* Once, before the first evaluate. data is NULL where the search has none; both outlive the
     * evaluator's use. NULL: nothing to prepare. */
    nas_status (*prepare)(void *self, const nas_space *space, nas_dataset *data);
    /* NAS_OK with a result (an infeasible one too). An error status makes the trial infeasible with
     * the sentence as its reason; NAS_STOP ends the search cleanly; NAS_E_CANCELLED after cancel.
     * Long ones call nas_report after each epoch and obey its answer. */
    nas_status (*evaluate)(void *self, const nas_proposal *asked, nas_reporter *progress,
                           nas_result_builder *out);
    /* All turns' results, in the order in which the controller is told; for wrappers that learn (see
     * nas_proposal_seen). NULL: no interest. */
    nas_status (*observe)(void *self, const nas_proposal *asked, const nas_result *got);
    /* All of its state, and the same back into a fresh one. NULL for both: without state. */
    nas_status (*save)(void *self, nas_writer *to);
    nas_status (*load)(void *self, nas_reader *from);
    /* From another thread: end that turn soon. NULL: nas_report's answer is enough. */
    void (*cancel)(void *self, uint64_t turn);
    void (*destroy)(void *self);
} nas_evaluator_ops;

NAS_API nas_status nas_evaluator_create(nas_evaluator **out, nas_context *context, const char *name,
                                        const nas_evaluator_ops *ops, void *self);
NAS_API void nas_evaluator_free(nas_evaluator *evaluator);
NAS_API const char *nas_evaluator_name(const nas_evaluator *evaluator);
NAS_API uint32_t nas_evaluator_flags(const nas_evaluator *evaluator);
/* For evaluators that wrap evaluators. */
NAS_API nas_status nas_evaluator_prepare(nas_evaluator *evaluator, const nas_space *space,
                                         nas_dataset *data);
NAS_API nas_status nas_evaluator_evaluate(nas_evaluator *evaluator, const nas_proposal *asked,
                                          nas_reporter *progress, nas_result_builder *out);
NAS_API nas_status nas_evaluator_observe(nas_evaluator *evaluator, const nas_proposal *asked,
                                         const nas_result *got);
NAS_API nas_status nas_evaluator_save(nas_evaluator *evaluator, nas_writer *to);
NAS_API nas_status nas_evaluator_load(nas_evaluator *evaluator, nas_reader *from);

/* Progress of a running evaluation: `done` of `total` units (epochs), and the newest value of a
 * metric. NAS_OK: go on; NAS_STOP: finish now with what there is (state STOPPED);
 * NAS_E_CANCELLED: give up. progress may be NULL (then NAS_OK). */
NAS_API nas_status nas_report(nas_reporter *progress, double done, double total, const char *metric,
                              double value);
/* Same answer without news: to be polled at least each second. */
NAS_API nas_status nas_report_poll(nas_reporter *progress);

/* Checkpoints of one long evaluation. What keep was given last is handed to the evaluation's second
 * run, after the death of the process, by kept; once the trial has finished it stays as long as the
 * controller may start other trials from it (NAS_CONTROLLER_CONTINUES), and from hands it to those.
 * keep copies; what kept and from give is borrowed for the evaluation; *n = 0: there is none. */
NAS_API nas_status nas_report_keep(nas_reporter *progress, const void *bytes, size_t n);
NAS_API nas_status nas_report_kept(const nas_reporter *progress, const void **bytes, size_t *n);
NAS_API nas_status nas_report_from(const nas_reporter *progress, const void **bytes, size_t *n);
/* Is a checkpoint wanted now? at_end 0: 1 when checkpoint_seconds have passed since the last; 1: the
 * evaluation is about to end, and others may start from it. Progress NULL: 0. */
NAS_API int32_t nas_report_keep_due(const nas_reporter *progress, int32_t at_end);

/* ---- built in ------------------------------------------------------------------------------------- */

/* The caller's own function. An answer other than NAS_OK makes the trial infeasible, with the sentence
 * of nas_context_fail if it set one; the reason is CALLBACK, but for NAS_E_DIVERGED, NAS_E_MEMORY and
 * NAS_E_INFEASIBLE (CONSTRAINT), which name their own. NAS_STOP ends the search. */
typedef nas_status (*nas_evaluate_fn)(void *user, const nas_proposal *asked, nas_reporter *progress,
                                      nas_result_builder *out);
/* flags: NAS_EVALUATOR_CONCURRENT and its like */
NAS_API nas_status nas_evaluator_callback(nas_evaluator **out, nas_context *context, uint32_t flags,
                                          nas_evaluate_fn evaluate, void *user,
                                          nas_destroy_fn destroy);

/* Trains the proposal's network on the data's training split for `epochs` (or the fidelity "epochs"),
 * and gives validation accuracy and loss, training loss, curves, params, macs, seconds. The
 * hyper-parameters of the space that it knows override its settings: learning_rate, momentum,
 * weight_decay, batch, label_smoothing, epochs, dropout, drop_path. Weights are initialised and data
 * shuffled from the trial's own random streams. */
NAS_API nas_status nas_evaluator_train(nas_evaluator **out, nas_context *context,
                                       const nas_train_options *options);

/* A published table in place of training: CSV, its first line the names of its columns. A proposal is
 * answered from the line of its architecture. Gives "accuracy"; where there are columns for them
 * "test_accuracy", "seconds" (simulated: see nas_search_simulate) and metrics of the columns' names; with
 * curves "epochs" and the curve "accuracy", up to the fidelity "epochs" (its whole length by default).
 * Texts are copied. */
typedef struct {
    uint32_t struct_size, flags;
    const char *path;
    const char *arch;     /* column of architectures; NULL: "arch"; "#": line i is nas_space_at(i) */
    const char *accuracy; /* columns "a+b+c", whose mean is the validation accuracy */
    const char *test;     /* the same; NULL: none */
    const char *seconds;  /* column of the time that an evaluation takes; NULL: none */
    const char *metrics;  /* "params,flops": columns that become metrics; NULL: none */
    const char *curve;    /* "acc_": columns acc_1, acc_2, ... are the validation accuracy after each
                             epoch; empty cells at the end of a line: it ended early. NULL: none */
    double scale;         /* 1; accuracies are multiplied by it (0.01: from percent) */
    double noise;         /* 0; standard deviation of normal noise on the validation accuracy, from the
                             trial's own stream */
    int32_t missing;      /* 0: the table must have every architecture of a space that can be listed;
                             1: those that it has not are infeasible */
    int32_t reserved;
} nas_table_options;
#define NAS_TABLE_OPTIONS_INIT                                                                     \
    {sizeof(nas_table_options), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 0, 0, 0}
NAS_API void nas_table_options_init(nas_table_options *options);
/* NAS_E_SYNTAX and the like name the file and the line. Whether its architectures are those of the
 * space is seen when a search is created, or by nas_evaluator_prepare. */
NAS_API nas_status nas_evaluator_table(nas_evaluator **out, nas_context *context,
                                       const nas_table_options *options);
typedef struct {
    uint32_t struct_size, flags;
    uint64_t rows;
    double best_accuracy;  /* highest validation accuracy of all lines */
    double test_of_best;   /* test accuracy of that line (the first of equals); NAN: there is none */
    double best_test;      /* highest test accuracy */
    double mean_accuracy, mean_test;
    uint32_t epochs;       /* of its curves; 0: none */
    uint32_t reserved;
} nas_table_info;
NAS_API nas_status nas_evaluator_table_info(const nas_evaluator *evaluator, nas_table_info *out);

/* By name and settings, as in a search file: "train", "epochs=2", "batch=128". */
NAS_API nas_status nas_evaluator_named(nas_evaluator **out, nas_context *context, const char *name,
                                       const char *const *settings, size_t n_settings);
NAS_API const char *nas_evaluator_builtin(uint32_t index);
NAS_API const char *nas_evaluator_settings(const char *name);

NAS_EXTERN_C_END
#endif
