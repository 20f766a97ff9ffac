/* Ensembles of small networks that learn scores of architectures from a few hundred of them: what
 * progressive search and Bayesian optimisation predict with. float32, on the library's own graphs.
 */
#ifndef NI_SURROGATE_H
#define NI_SURROGATE_H
#include "controller.h"

typedef enum { NI_SURROGATE_MLP, NI_SURROGATE_LSTM } ni_surrogate_kind;
typedef struct {
    ni_surrogate_kind kind;
    uint32_t width;     /* numbers of a row; LSTM: of a step */
    uint32_t steps;     /* LSTM: most steps of a row; MLP: 1 */
    uint32_t embedding; /* units of a linear layer without bias before the rest; 0: none */
    uint32_t units;     /* of each hidden layer; of the LSTM */
    uint32_t layers;    /* MLP: hidden layers, ReLU after each */
    uint32_t members;
    uint32_t epochs, batch;
    double learning_rate; /* Adam; decays linearly to a tenth over the epochs */
    double weight_decay;  /* decoupled, of matrices */
    bool absolute;        /* L1 loss, else squared */
    bool leave_out;       /* each member learns from all but its 1/members of the rows */
} ni_surrogate_options;

typedef struct ni_surrogate ni_surrogate;
nas_status ni_surrogate_create(ni_surrogate **out, nas_context *context,
                               const ni_surrogate_options *options);
void ni_surrogate_free(ni_surrogate *surrogate);
/* Learns afresh from n rows: the same rows, targets and stream give the same bits. rows: n of steps
 * times width; lengths (LSTM: steps of each row that count; MLP: NULL). Targets are brought to mean
 * 0 and deviation 1 inside. A member begins from other weights and sees the rows in another order.
 */
nas_status ni_surrogate_fit(ni_surrogate *surrogate, const float *rows, const uint32_t *lengths,
                            const double *targets, size_t n, nas_random *stream);
/* out: members of n, member by member, in the targets' units. */
nas_status ni_surrogate_predict(ni_surrogate *surrogate, const float *rows, const uint32_t *lengths,
                                size_t n, double *out);

#endif
