/* The inside of a data set. Seen by lib/data alone. */
#ifndef NI_DATA_INTERNAL_H
#define NI_DATA_INTERNAL_H
#include <stdatomic.h>
#include "data.h"
#include "libnas/proposal.h" /* NAS_SPLIT_* */

enum { NI_DATA_CHANNELS_MOST = 4 };
/* Bounds on what a file may promise: 64 million images, 4096 pixels a side. */
#define NI_DATA_IMAGES_MOST (INT64_C(1) << 26)

/* Images as they came: bytes (scaled to 0..1 when read) or floats. */
typedef struct {
    int64_t n;
    uint8_t *bytes;
    float *floats;
    int32_t *labels;
} ni_images;

struct nas_dataset {
    nas_context *context;
    nas_dataset_options options;
    int64_t height, width, channels, classes;
    ni_images train, test; /* train: training and validation images together */
    /* Which of `train` belong to which split, in order. */
    uint32_t *train_index, *validation_index;
    int64_t n_train, n_validation, n_test;
    double mean[4], deviation[4];
    float scale[4], shift[4]; /* pixel * scale + shift: normalised */
    uint64_t hash;
};

nas_status ni_dataset_begin(nas_dataset **out, nas_context *context,
                            const nas_dataset_options *options);
/* After height, width, channels, classes and the images are in place: checks labels, makes the
 * splits, measures. */
nas_status ni_dataset_finish(nas_dataset *data);
int64_t ni_dataset_pixels(const nas_dataset *data); /* of one image, all channels */
/* A whole file, unpacked when it is gzip; most bytes. */
nas_status ni_data_file(nas_context *context, const char *path, size_t most, uint8_t **out,
                        size_t *n);
nas_status ni_data_room(nas_context *context, int64_t n, int64_t each, size_t size, size_t *bytes);
/* Image `index` of the split's images, normalised, into out (H, W, C). */
void ni_dataset_pixels_of(const nas_dataset *data, const ni_images *from, int64_t index,
                          float *out);

#endif
