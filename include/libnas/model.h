/* model.h: one network: built from an architecture, trained, measured, used, kept. */
#ifndef LIBNAS_MODEL_H
#define LIBNAS_MODEL_H
#include "base.h"
#include "dataset.h"
#include "io.h"
#include "space.h"
#include "tuning.h"
NAS_EXTERN_C_BEGIN

enum { NAS_OPTIMIZER_SGD = 0, NAS_OPTIMIZER_ADAM = 1, NAS_OPTIMIZER_ADAMW = 2 };
enum {
    NAS_SCHEDULE_CONSTANT = 0,
    NAS_SCHEDULE_COSINE = 1,    /* learning_rate to final_rate, half a cosine over all steps */
    NAS_SCHEDULE_ONE_CYCLE = 2  /* linear rise over `warmup`, then cosine to final_rate */
};

typedef struct {
    uint32_t struct_size, flags;
    double epochs;            /* 12; fractions of an epoch are allowed */
    uint32_t batch;           /* 64 */
    int32_t optimizer;        /* SGD */
    double learning_rate;     /* 0.1 */
    double final_rate;        /* 0 */
    double momentum;          /* 0.9; Adam's beta1 */
    double beta2, epsilon;    /* 0.999, 1e-8: Adam */
    int32_t nesterov;         /* 1 */
    int32_t schedule;         /* COSINE, step by step */
    double warmup;            /* epochs of linear rise; 0 */
    double weight_decay;      /* 5e-4: on weights of convolutions and linear layers; and on batch
                                 norm and biases too where decay_all is 1, as PyTorch does */
    int32_t decay_all;        /* 0 */
    double label_smoothing;   /* 0 */
    double clip;              /* global norm of the gradient; 0: none */
    double dropout;           /* before the classifier; 0 */
    double ema;               /* decay of an exponential average of the weights, used for measuring
                                 and kept at the end; 0: none */
    double data_fraction;     /* of the training split; 1 */
    int32_t validate;         /* 1: measure on the validation split after each epoch; 2: at the end
                                 only; 0: never */
    int32_t use_validation;   /* 1: train on training and validation splits together */
    int64_t max_seconds;      /* 0: none. Past it the training ends early (state STOPPED) */
    uint64_t seed;            /* of weights, shuffling, augmentation, dropout */
    double drop_path;         /* cells: probability, at the end, that an image goes without an
                                 operation's output; grows linearly from 0, step by step; 0 */
    uint64_t memory_limit;    /* bytes of a step's tensors and scratch; 0: none. It is met by making
                                 results again in the backward pass, which may change last bits; NAS_E_LIMIT
                                 if that is not enough */
    const nas_tuning *tuning; /* which way convolutions go; borrowed for as long as what is made with
                                 these options is used; NULL: the library's fixed model */
} nas_train_options;
#define NAS_TRAIN_OPTIONS_INIT                                                                     \
    {sizeof(nas_train_options), 0, 12, 64, 0, 0.1, 0, 0.9, 0.999, 1e-8, 1, 1, 0, 5e-4, 0, 0, 0, 0, \
     0, 1, 1, 0, 0, 0, 0, 0, NULL}
NAS_API void nas_train_options_init(nas_train_options *options);
/* One setting as text, as in a search file: "epochs=3", "optimizer=adam", "schedule=one-cycle". An
 * unknown one is an error that suggests the nearest. */
NAS_API nas_status nas_train_options_set(nas_context *context, nas_train_options *options,
                                         const char *setting);

typedef struct {
    uint32_t struct_size, flags;
    double epoch, epochs;                    /* finished, of all */
    uint64_t step, steps;
    double train_loss, train_accuracy;       /* mean over the epoch */
    double validation_loss, validation_accuracy; /* -1: not measured */
    double learning_rate, seconds;           /* since the training began */
} nas_train_progress;
/* After each epoch. NAS_OK: go on; NAS_STOP: end here; an error: give up with it. */
typedef nas_status (*nas_train_fn)(void *user, const nas_train_progress *progress);

typedef struct {
    uint32_t struct_size, flags;
    double loss, accuracy; /* mean cross-entropy, fraction right */
    int64_t n;
} nas_metrics;

/* Weights are drawn from the seed. The space's image size, channels and classes must fit the data
 * that is used later. */
NAS_API nas_status nas_model_create(nas_model **out, const nas_arch *arch, uint64_t seed);
NAS_API void nas_model_free(nas_model *model);
NAS_API const nas_arch *nas_model_arch(const nas_model *model); /* borrowed */

/* What it takes and gives: images of height, width, channels, normalised by (value - mean) /
 * deviation, channel by channel in units of 0..1 (those of the data that it was trained on last; 0 and
 * 1 before); logits of `classes`. */
typedef struct {
    uint32_t struct_size, flags;
    int64_t height, width, channels, classes;
    double mean[4], deviation[4];
} nas_model_info;
/* out->struct_size is set by the caller. */
NAS_API nas_status nas_model_describe(const nas_model *model, nas_model_info *out);

/* NAS_E_DIVERGED (with the epoch and step in the sentence) when the loss is not finite. NAS_STOP when
 * the callback or max_seconds ended it early: the weights are then those of the last step. */
NAS_API nas_status nas_model_train(nas_model *model, const nas_dataset *data,
                                   const nas_train_options *options, nas_train_fn progress,
                                   void *user);

/* For trainings that outlive their process or are watched between epochs. Any function may be NULL; all
 * come on the thread that trains. */
typedef struct {
    uint32_t struct_size, flags;
    void *user;
    nas_train_fn epoch_ended; /* as nas_model_train's */
    /* Between steps, at most ten times a second. NAS_STOP ends the training there, and epoch_ended hears
     * of what the last epoch came to; an error gives up with it. */
    nas_status (*keep_going)(void *user);
    /* After each epoch (and after one that was ended early), before epoch_ended: all of the training's
     * state, borrowed for the call. An error gives up with it. */
    nas_status (*keep)(void *user, const nas_train_progress *progress, const void *bytes, size_t n);
    /* What keep was given last, to go on from there: to the same bits, where the network, the data and
     * the options are the same. Read before the first step. NULL: from the beginning. */
    const void *kept;
    uint64_t n_kept; /* bytes */
} nas_train_hooks;
#define NAS_TRAIN_HOOKS_INIT {sizeof(nas_train_hooks), 0, NULL, NULL, NULL, NULL, NULL, 0}
NAS_API void nas_train_hooks_init(nas_train_hooks *hooks);
/* As nas_model_train. hooks: NULL for none. NAS_E_CORRUPT: `kept` is of another network or optimizer. */
NAS_API nas_status nas_model_train_with(nas_model *model, const nas_dataset *data,
                                        const nas_train_options *options,
                                        const nas_train_hooks *hooks);

NAS_API nas_status nas_model_evaluate(nas_model *model, const nas_dataset *data, int32_t split,
                                      nas_metrics *out);
/* images: n of H, W, C, normalised as nas_dataset_read gives them; logits: n of classes. */
NAS_API nas_status nas_model_predict(nas_model *model, const float *images, int64_t n, float *logits);

/* What a network will take, before anything runs: in training a step (forward, backward), or in
 * measuring. Nothing but the plan is made. */
typedef struct {
    uint32_t struct_size, flags;
    uint32_t batch;        /* 64 */
    int32_t training;      /* 1; 0: measuring */
    int32_t fusion;        /* 1; 0: every operation by itself, for comparison */
    int32_t reserved;
    uint64_t memory_limit; /* bytes of tensors and scratch; 0: none. It is met by making results again
                              in the backward pass; NAS_E_LIMIT if that is not enough */
    const nas_tuning *tuning; /* as in nas_train_options; NULL */
} nas_plan_options;
#define NAS_PLAN_OPTIONS_INIT {sizeof(nas_plan_options), 0, 64, 1, 1, 0, 0, NULL}
NAS_API void nas_plan_options_init(nas_plan_options *options);
typedef struct {
    uint32_t struct_size, flags;
    uint64_t tensor_bytes;  /* peak of what lies between the steps */
    uint64_t scratch_bytes; /* constants, and the threads' own memory */
    uint64_t value_bytes;   /* of one copy of all variables */
    int64_t macs;           /* multiply-accumulates of the forward pass, for one image */
    uint64_t steps;         /* that run */
    uint64_t peak_bytes;    /* what a training by nas_model_train (SGD, no average) holds at once, or a
                               measuring: all of the above, gradients, momentum, the plan for measuring,
                               batches on their way, the plans themselves; not the data */
} nas_plan_info;
#define NAS_PLAN_INFO_INIT {sizeof(nas_plan_info), 0, 0, 0, 0, 0, 0, 0}
/* info, to: either may be NULL. `to` gets a line about the whole, then one for each step, with what was
 * fused into it, its bytes, its multiply-accumulates and the group it runs in (docs/engine.md). */
NAS_API nas_status nas_arch_plan(const nas_arch *arch, const nas_plan_options *options,
                                 nas_plan_info *info, nas_sink *to);

/* safetensors, with PyTorch's names and layouts; the metadata names the space, the architecture, and
 * the data's normalisation, so that load needs the file alone. */
NAS_API nas_status nas_model_save(const nas_model *model, const char *path);
NAS_API nas_status nas_model_load(nas_model **out, nas_context *context, const char *path);
/* Into a model that exists: every name must be there with its shape. */
NAS_API nas_status nas_model_load_weights(nas_model *model, const char *path);

/* A trained variable by its name ("stem.0.weight") in PyTorch's layout; n elements, as the shape says. */
typedef struct {
    const char *name; /* borrowed from the model */
    int64_t shape[4];
    uint32_t dimensions, trained; /* trained: 0 for running statistics */
} nas_tensor_info;
NAS_API nas_status nas_model_tensor(const nas_model *model, uint32_t index, nas_tensor_info *out);
NAS_API nas_status nas_model_read_tensor(const nas_model *model, const char *name, float *out,
                                         size_t n);
NAS_API nas_status nas_model_write_tensor(nas_model *model, const char *name, const float *values,
                                          size_t n);

NAS_EXTERN_C_END
#endif
