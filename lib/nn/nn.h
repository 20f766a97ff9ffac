/* lib/nn: networks as functions to be trained: losses, optimizers, schedules, the training step.
 *
 * A network is anything that can write itself into a graph (ni_net). This room knows nothing of
 * spaces or files: batches come from a source (ni_batches, which lib/data provides).
 */
#ifndef NI_NN_H
#define NI_NN_H
#include "../graph/graph.h"
#include "libnas/model.h"

/* Writes the network into a graph, from images [N, H, W, C] to logits [N, 1, 1, classes]. Called
 * once for each graph (training, measuring; each batch size); must name its variables alike each
 * time. */
typedef struct {
    void *user;
    nas_status (*build)(void *user, nas_graph *graph, ni_node images, ni_node *logits);
    int64_t height, width, channels, classes;
} ni_net;

/* A step as a graph, with what a program of it has to make: loss and number of right answers, then
 * (in training) the gradient of each parameter, or (in measuring) the logits. */
typedef struct {
    nas_graph *graph;
    uint32_t image_input, label_input;
    ni_node labels, logits, loss, correct;
    ni_output *outputs;
    uint32_t n_outputs;
} ni_step_graph;
nas_status ni_training_graph(ni_step_graph *out, nas_context *context, ni_vars *vars,
                             const ni_net *net, int64_t batch, double label_smoothing);
nas_status ni_measuring_graph(ni_step_graph *out, nas_context *context, ni_vars *vars,
                              const ni_net *net, int64_t batch);
/* Bytes that a training of it holds at once (or, without `training`, a measuring): tensors and
 * scratch of the plans, the plans themselves, weights with what their optimizer keeps, batches on
 * their way. Not the data. Nothing but plans is made. training: NULL, or what it is to be;
 * no_fusion: of its
 * plan; tuning: NULL, or of both. */
nas_status ni_training_bytes(nas_context *context, const ni_net *net, int64_t batch,
                             const nas_train_options *training, bool no_fusion,
                             const nas_tuning *tuning, uint64_t *bytes);
void ni_step_graph_free(ni_step_graph *step); /* after the programs made of it */

/* A stream of batches. All are of `batch` images except where `fill` says less: the rest are then
 * left out by label -1. Batches of one epoch are the same whatever prepares them, when. */
typedef struct {
    void *user;
    int64_t batches; /* of an epoch */
    int64_t batch;   /* images of each, at most */
    /* The next batch of the epoch (index 0 .. batches-1, in order); borrowed until the next call.
     */
    nas_status (*next)(void *user, uint64_t epoch, int64_t index, const float **images,
                       const int32_t **labels, int64_t *fill);
} ni_batches;

/* Weights with what training needs beside them: built once, then run. Holds the values, optimizer
 * moments and programs; saving it whole is a checkpoint. */
typedef struct ni_trainer ni_trainer;
nas_status ni_trainer_create(ni_trainer **out, nas_context *context, const ni_net *net,
                             const nas_train_options *options);
/* Without what training needs: only measures, in batches of `batch`. */
nas_status ni_trainer_create_measuring(ni_trainer **out, nas_context *context, const ni_net *net,
                                       uint32_t batch, uint64_t seed);
void ni_trainer_free(ni_trainer *trainer);
ni_vars *ni_trainer_vars(ni_trainer *trainer);
float *ni_trainer_values(ni_trainer *trainer); /* live weights; ni_vars_size elements */
/* The weights to keep: averaged where ema is set, else the live ones. */
const float *ni_trainer_result(const ni_trainer *trainer);
uint64_t
ni_trainer_steps(const ni_trainer *trainer); /* made so far, those of a loaded checkpoint too */
nas_status ni_train_options_check(nas_context *context, const nas_train_options *options);
/* One epoch part: steps from .. to of `total` (for the schedule). Sums of loss and of right answers
 * come back. keep_going is asked between steps (NULL: always): NAS_STOP ends it. */
nas_status ni_trainer_run(ni_trainer *trainer, const ni_batches *data, uint64_t epoch, int64_t from,
                          int64_t to, uint64_t step, uint64_t total_steps, double *loss_sum,
                          double *correct, int64_t *images, nas_status (*keep_going)(void *user),
                          void *user);
/* Mean loss and accuracy with running statistics (and averaged weights where ema is set). */
nas_status ni_trainer_measure(ni_trainer *trainer, const ni_batches *data, nas_metrics *out);
nas_status ni_trainer_save(const ni_trainer *trainer, nas_writer *to); /* checkpoint, bit for bit */
nas_status ni_trainer_load(ni_trainer *trainer, nas_reader *from);
double ni_learning_rate(const nas_train_options *options, uint64_t step, uint64_t total_steps,
                        double steps_an_epoch);

/* Logits of images, soon: weights packed once, one image cut for all threads. Keeps a program for
 * each of a few sizes of batch, made when first needed. */
typedef struct ni_predictor ni_predictor;
/* vars and values are borrowed. */
nas_status ni_predictor_create(ni_predictor **out, nas_context *context, const ni_net *net,
                               ni_vars *vars, float *values);
void ni_predictor_free(ni_predictor *predictor);
void ni_predictor_thaw(ni_predictor *predictor); /* the values have changed */
/* images: n of [H, W, C]; logits: n of [classes]. Equal to rounding whatever n is: the classifier's
 * product is summed in another order for one image. */
nas_status ni_predictor_run(ni_predictor *predictor, const float *images, int64_t n, float *logits);

/* ---- recurrent parts: rows are N,1,1,C. Weights are U(-init, init), biases 0; variables are named
 * after `name` and found again when they are there, so that steps share them.
 * ----------------------- */
nas_status ni_matrix(nas_graph *g, const char *name, int64_t rows, int64_t columns, double init,
                     ni_node *out); /* an embedding's rows, for one */
nas_status ni_dense(nas_graph *g, const char *name, ni_node x, int64_t inputs, int64_t outputs,
                    double init, ni_node *out); /* name.weight, name.bias */
/* name.weight_ih (inputs, 4 units), name.weight_hh, name.bias: one bias, the sum of PyTorch's two.
 */
nas_status ni_lstm_cell(nas_graph *g, const char *name, int64_t inputs, int64_t units, double init,
                        ni_node x, ni_node h, ni_node c, ni_node *h_out, ni_node *c_out);

#endif
