/* lib/data: data sets and the batches made from them.
 *
 * A nas_dataset is read-only once made: any number of trials read it at once. */
#ifndef NI_DATA_H
#define NI_DATA_H
#include "../nn/nn.h"
#include "libnas/dataset.h"

/* Batches of a split, prepared ahead by a thread of their own (unless inside ni_serial). What is in
 * a batch depends on (seed, trial, epoch, index) alone. */
typedef struct ni_loader ni_loader;
typedef struct {
    int32_t split;           /* NAS_SPLIT_TRAIN, ... */
    int32_t also_validation; /* training and validation images together */
    int64_t batch;
    int32_t shuffle, augment, drop_last;
    double fraction; /* of the split: its first part after one fixed shuffle; 1: all */
    uint64_t seed, trial;
} ni_loader_options;
nas_status ni_loader_create(ni_loader **out, nas_context *context, const nas_dataset *data,
                            const ni_loader_options *options);
void ni_loader_free(ni_loader *loader);
const ni_batches *ni_loader_batches(ni_loader *loader); /* borrowed */

nas_context *ni_dataset_context(const nas_dataset *data);

#endif
