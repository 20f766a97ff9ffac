/* dataset.h: images and labels: files, arrays, splits, normalisation, augmentation. */
#ifndef LIBNAS_DATASET_H
#define LIBNAS_DATASET_H
#include "base.h"
NAS_EXTERN_C_BEGIN

typedef struct {
    uint32_t struct_size, flags;
    /* Training images held back for validation: the last `validation` of them; -1: a tenth. In a
     * balanced = 1 split as many of each class as can be. */
    int64_t validation;
    int32_t balanced;
    int32_t normalise;    /* 1: subtract mean and divide by deviation, channel by channel. From the
                             training split, or given below */
    double mean[4], deviation[4]; /* deviation[0] = 0: measured. In units of 0..1 */
    /* Augmentation of training batches. */
    int32_t flip;         /* 1: left-right, with probability 1/2 */
    int32_t crop_pad;     /* pad that many pixels each side with 0, and crop at random; 0: none */
    int32_t cutout;       /* side of a square set to 0 (DeVries & Taylor 2017); 0: none */
    int32_t reserved;
    int64_t limit_train, limit_test; /* use the first so many; 0: all */
} nas_dataset_options;
#define NAS_DATASET_OPTIONS_INIT                                                                   \
    {sizeof(nas_dataset_options), 0, -1, 0, 1, {0, 0, 0, 0}, {0, 0, 0, 0}, 0, 0, 0, 0, 0, 0}
NAS_API void nas_dataset_options_init(nas_dataset_options *options);
/* One setting as text, as in a search file: "validation=5000", "flip=true", "crop_pad=2". */
NAS_API nas_status nas_dataset_options_set(nas_context *context, nas_dataset_options *options,
                                           const char *setting);

/* By name or folder: "fashion-mnist" (Debian's dataset-fashion-mnist), or a folder that holds IDX
 * files (train-images-idx3-ubyte[.gz], ...) or CIFAR-10's binary batches. An error says what was
 * looked for and, for Debian's, the package to install. */
NAS_API nas_status nas_dataset_open(nas_dataset **out, nas_context *context, const char *what,
                                    const nas_dataset_options *options);
/* IDX (LeCun), gzip or not; the test pair may be NULL. */
NAS_API nas_status nas_dataset_idx(nas_dataset **out, nas_context *context,
                                   const char *train_images, const char *train_labels,
                                   const char *test_images, const char *test_labels,
                                   const nas_dataset_options *options);
/* CIFAR-10 binary: 1 byte label, 3072 bytes of planes, an image. n_test may be 0. */
NAS_API nas_status nas_dataset_cifar10(nas_dataset **out, nas_context *context,
                                       const char *const *train, size_t n_train,
                                       const char *const *test, size_t n_test,
                                       const nas_dataset_options *options);
/* The caller's arrays, copied: bytes or floats, N, H, W, C; labels 0 .. classes-1. */
typedef struct {
    uint32_t struct_size, flags;
    int64_t n_train, n_test;
    int64_t height, width, channels, classes;
    const uint8_t *train_bytes, *test_bytes;   /* either bytes (0..255, scaled to 0..1) */
    const float *train_floats, *test_floats;   /* or floats, used as they are */
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
    uint64_t hash; /* of the pixels and labels */
} nas_dataset_info;
NAS_API nas_status nas_dataset_describe(const nas_dataset *dataset, nas_dataset_info *out);
/* Normalised images from .. from + n of a split, without augmentation, N, H, W, C. labels or images
 * may be NULL. */
NAS_API nas_status nas_dataset_read(const nas_dataset *dataset, int32_t split, int64_t from, int64_t n,
                                    float *images, int32_t *labels);

NAS_EXTERN_C_END
#endif
