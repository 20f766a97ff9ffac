/* Data sets: options, splits, normalisation, reading. */
#include <inttypes.h>
#include <math.h>
#include "internal.h"

void nas_dataset_options_init(nas_dataset_options *options) {
    const nas_dataset_options init = NAS_DATASET_OPTIONS_INIT;
    *options = init;
}

nas_context *ni_dataset_context(const nas_dataset *data) {
    return data->context;
}

int64_t ni_dataset_pixels(const nas_dataset *d) {
    return d->height * d->width * d->channels;
}

nas_status ni_data_room(nas_context *context, int64_t n, int64_t each, size_t size, size_t *bytes) {
    size_t product;
    if (n < 0 || each < 0 || !ni_mul_size((size_t)n, (size_t)each, &product) ||
        !ni_mul_size(product, size, bytes) || *bytes > SIZE_MAX / 2)
        return ni_fail(context, NAS_E_LIMIT,
                       "%" PRId64 " images of %" PRId64 " values are too many", n, each);
    return NAS_OK;
}

static nas_status check_options(nas_context *context, const nas_dataset_options *o) {
    const struct {
        const char *what;
        int64_t value, least, most;
    } all[] = {
        {"validation", o->validation, -1, NI_DATA_IMAGES_MOST},
        {"balanced", o->balanced, 0, 1},
        {"normalise", o->normalise, 0, 1},
        {"flip", o->flip, 0, 1},
        {"crop_pad", o->crop_pad, 0, 64},
        {"cutout", o->cutout, 0, 4096},
        {"limit_train", o->limit_train, 0, NI_DATA_IMAGES_MOST},
        {"limit_test", o->limit_test, 0, NI_DATA_IMAGES_MOST},
    };
    for (size_t i = 0; i < NI_COUNT(all); i++)
        if (all[i].value < all[i].least || all[i].value > all[i].most)
            return ni_fail(context, NAS_E_INVALID,
                           "data: %s is %" PRId64 " and must be %" PRId64 " to %" PRId64,
                           all[i].what, all[i].value, all[i].least, all[i].most);
    for (int c = 0; c < 4; c++)
        if (!isfinite(o->mean[c]) || !isfinite(o->deviation[c]) || o->deviation[c] < 0)
            return ni_fail(context, NAS_E_INVALID,
                           "data: mean and deviation must be finite, deviation not negative");
    return NAS_OK;
}

nas_status ni_dataset_begin(nas_dataset **out, nas_context *context,
                            const nas_dataset_options *options) {
    nas_dataset_options o = NAS_DATASET_OPTIONS_INIT;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, options, "nas_dataset_options"));
    NI_TRY(check_options(context, &o));
    nas_dataset *d = ni_calloc(context, 1, sizeof *d);
    if (!d) return NAS_E_MEMORY;
    d->context = context;
    d->options = o;
    ni_context_hold(context);
    *out = d;
    return NAS_OK;
}

static void images_free(nas_context *context, ni_images *i) {
    ni_free(context, i->bytes);
    ni_free(context, i->floats);
    ni_free(context, i->labels);
}

void nas_dataset_free(nas_dataset *d) {
    if (!d) return;
    nas_context *context = d->context;
    images_free(context, &d->train);
    images_free(context, &d->test);
    ni_free(context, d->train_index);
    ni_free(context, d->validation_index);
    ni_free(context, d);
    ni_context_release(context);
}

static nas_status check_labels(const nas_dataset *d, const ni_images *i, const char *what) {
    for (int64_t k = 0; k < i->n; k++)
        if (i->labels[k] < 0 || i->labels[k] >= d->classes)
            return ni_fail(d->context, NAS_E_CORRUPT,
                           "data: label %" PRId32 " of %s image %" PRId64
                           " is not one of the %" PRId64 " classes",
                           i->labels[k], what, k, d->classes);
    return NAS_OK;
}

/* The last images are held back; balanced: the last of each class, as many of each as can be. */
static nas_status split(nas_dataset *d) {
    int64_t n = d->train.n, held = d->options.validation;
    if (held < 0) held = n / 10;
    if (held >= n && n > 0)
        return ni_fail(d->context, NAS_E_INVALID,
                       "data: validation = %" PRId64 " leaves no image of %" PRId64 " to train on",
                       held, n);
    uint8_t *is_held = ni_calloc(d->context, (size_t)n + 1, 1);
    int64_t *quota = ni_calloc(d->context, (size_t)d->classes, sizeof *quota);
    nas_status status = is_held && quota ? NAS_OK : NAS_E_MEMORY;
    if (status >= 0 && d->options.balanced) {
        for (int64_t c = 0; c < d->classes; c++)
            quota[c] = held / d->classes + (c < held % d->classes);
        int64_t left = held;
        for (int64_t i = n; i-- > 0;)
            if (quota[d->train.labels[i]] > 0) {
                quota[d->train.labels[i]]--;
                is_held[i] = 1;
                left--;
            }
        for (int64_t i = n; i-- > 0 && left > 0;) /* classes that are too small */
            if (!is_held[i]) is_held[i] = 1, left--;
    } else if (status >= 0) {
        memset(is_held + (n - held), 1, (size_t)held);
    }
    if (status >= 0) {
        d->train_index = ni_calloc(d->context, (size_t)(n - held) + 1, sizeof *d->train_index);
        d->validation_index = ni_calloc(d->context, (size_t)held + 1, sizeof *d->validation_index);
        if (!d->train_index || !d->validation_index) status = NAS_E_MEMORY;
    }
    for (int64_t i = 0; status >= 0 && i < n; i++) {
        if (is_held[i])
            d->validation_index[d->n_validation++] = (uint32_t)i;
        else
            d->train_index[d->n_train++] = (uint32_t)i;
    }
    d->n_test = d->test.n;
    ni_free(d->context, is_held);
    ni_free(d->context, quota);
    return status;
}

/* Mean and deviation of each channel of the training split, in float64, in a fixed order. */
static void measure(nas_dataset *d) {
    int64_t area = d->height * d->width, c = d->channels;
    double sum[NI_DATA_CHANNELS_MOST] = {0}, square[NI_DATA_CHANNELS_MOST] = {0};
    for (int64_t k = 0; k < d->n_train; k++) {
        size_t at = (size_t)d->train_index[k] * (size_t)(area * c);
        double s[NI_DATA_CHANNELS_MOST] = {0}, q[NI_DATA_CHANNELS_MOST] = {0};
        for (int64_t p = 0; p < area; p++)
            for (int64_t j = 0; j < c; j++) {
                double v =
                    d->train.bytes ? d->train.bytes[at++] / 255.0 : (double)d->train.floats[at++];
                s[j] += v;
                q[j] += v * v;
            }
        for (int64_t j = 0; j < c; j++) {
            sum[j] += s[j];
            square[j] += q[j];
        }
    }
    double count = (double)(d->n_train * area);
    for (int64_t j = 0; j < c; j++) {
        d->mean[j] = count > 0 ? sum[j] / count : 0;
        double variance = count > 0 ? square[j] / count - d->mean[j] * d->mean[j] : 1;
        d->deviation[j] = variance > 1e-12 ? sqrt(variance) : 1;
    }
}

static uint64_t hash_images(const nas_dataset *d, const ni_images *i, uint64_t seed) {
    size_t pixels = (size_t)(i->n * ni_dataset_pixels(d));
    if (i->bytes) seed = ni_hash_seeded(i->bytes, pixels, seed);
    if (i->floats) seed = ni_hash_seeded(i->floats, pixels * 4, seed);
    return ni_hash_seeded(i->labels, (size_t)i->n * 4, seed);
}

nas_status ni_dataset_finish(nas_dataset *d) {
    if (d->options.limit_train && d->train.n > d->options.limit_train)
        d->train.n = d->options.limit_train;
    if (d->options.limit_test && d->test.n > d->options.limit_test)
        d->test.n = d->options.limit_test;
    if (d->train.n < 1)
        return ni_fail(d->context, NAS_E_CORRUPT, "data: there are no training images");
    if (d->channels < 1 || d->channels > NI_DATA_CHANNELS_MOST)
        return ni_fail(d->context, NAS_E_UNSUPPORTED,
                       "data: images of %" PRId64 " channels; 1 to %d are taken", d->channels,
                       NI_DATA_CHANNELS_MOST);
    if (d->classes < 2)
        return ni_fail(d->context, NAS_E_CORRUPT,
                       "data: %" PRId64 " classes; at least 2 are needed", d->classes);
    NI_TRY(check_labels(d, &d->train, "training"));
    NI_TRY(check_labels(d, &d->test, "test"));
    NI_TRY(split(d));
    measure(d);
    for (int64_t j = 0; j < d->channels; j++) {
        if (d->options.deviation[0] > 0) {
            d->mean[j] = d->options.mean[j];
            d->deviation[j] = d->options.deviation[j] > 0 ? d->options.deviation[j] : 1;
        }
        if (!d->options.normalise) {
            d->mean[j] = 0;
            d->deviation[j] = 1;
        }
        d->scale[j] = (float)(1 / d->deviation[j]);
        d->shift[j] = (float)(-d->mean[j] / d->deviation[j]);
    }
    int64_t shape[] = {d->height, d->width, d->channels, d->classes, d->n_train};
    d->hash = hash_images(d, &d->train, ni_hash(shape, sizeof shape));
    d->hash = hash_images(d, &d->test, d->hash);
    return NAS_OK;
}

void ni_dataset_pixels_of(const nas_dataset *d, const ni_images *from, int64_t index, float *out) {
    int64_t pixels = ni_dataset_pixels(d), c = d->channels;
    size_t at = (size_t)index * (size_t)pixels;
    if (from->bytes) {
        float scale[NI_DATA_CHANNELS_MOST];
        for (int64_t j = 0; j < c; j++)
            scale[j] = d->scale[j] / 255.0f;
        const uint8_t *x = from->bytes + at;
        if (c == 1)
            for (int64_t p = 0; p < pixels; p++)
                out[p] = (float)x[p] * scale[0] + d->shift[0];
        else
            for (int64_t p = 0; p < pixels; p += c)
                for (int64_t j = 0; j < c; j++)
                    out[p + j] = (float)x[p + j] * scale[j] + d->shift[j];
    } else {
        const float *x = from->floats + at;
        for (int64_t p = 0; p < pixels; p += c)
            for (int64_t j = 0; j < c; j++)
                out[p + j] = x[p + j] * d->scale[j] + d->shift[j];
    }
}

nas_status nas_dataset_describe(const nas_dataset *d, nas_dataset_info *out) {
    nas_dataset_info info;
    NI_TRY(ni_enter(d->context));
    memset(&info, 0, sizeof info);
    info.n_train = d->n_train;
    info.n_validation = d->n_validation;
    info.n_test = d->n_test;
    info.height = d->height;
    info.width = d->width;
    info.channels = d->channels;
    info.classes = d->classes;
    memcpy(info.mean, d->mean, sizeof info.mean);
    memcpy(info.deviation, d->deviation, sizeof info.deviation);
    info.hash = d->hash;
    return ni_answer(d->context, out, &info, sizeof info, sizeof info, "nas_dataset_info");
}

nas_status nas_dataset_read(const nas_dataset *d, int32_t split_number, int64_t from, int64_t n,
                            float *images, int32_t *labels) {
    NI_TRY(ni_enter(d->context));
    int64_t all = split_number == NAS_SPLIT_TRAIN        ? d->n_train
                  : split_number == NAS_SPLIT_VALIDATION ? d->n_validation
                  : split_number == NAS_SPLIT_TEST       ? d->n_test
                                                         : -1;
    if (all < 0)
        return ni_fail(d->context, NAS_E_INVALID, "split %" PRId32 " is not NAS_SPLIT_*",
                       split_number);
    if (from < 0 || n < 0 || from > all || n > all - from)
        return ni_fail(d->context, NAS_E_INVALID,
                       "images %" PRId64 " to %" PRId64 ": the split has %" PRId64, from, from + n,
                       all);
    for (int64_t i = 0; i < n; i++) {
        const ni_images *source = split_number == NAS_SPLIT_TEST ? &d->test : &d->train;
        int64_t index = split_number == NAS_SPLIT_TEST    ? from + i
                        : split_number == NAS_SPLIT_TRAIN ? d->train_index[from + i]
                                                          : d->validation_index[from + i];
        if (images) ni_dataset_pixels_of(d, source, index, images + i * ni_dataset_pixels(d));
        if (labels) labels[i] = source->labels[index];
    }
    return NAS_OK;
}

/* ---- the caller's arrays
 * ------------------------------------------------------------------------- */

static nas_status copy_images(nas_dataset *d, ni_images *to, const char *what, int64_t n,
                              const uint8_t *bytes, const float *floats, const int32_t *labels) {
    size_t size = 0;
    if (n == 0) return NAS_OK;
    if (n < 0 || n > NI_DATA_IMAGES_MOST || (bytes != NULL) == (floats != NULL) || !labels)
        return ni_fail(
            d->context, NAS_E_INVALID,
            "data: %s needs labels and either bytes or floats for its %" PRId64 " images", what, n);
    NI_TRY(ni_data_room(d->context, n, ni_dataset_pixels(d), bytes ? 1 : 4, &size));
    to->n = n;
    if (bytes && !(to->bytes = ni_memdup(d->context, bytes, size))) return NAS_E_MEMORY;
    if (floats && !(to->floats = ni_memdup(d->context, floats, size))) return NAS_E_MEMORY;
    to->labels = ni_memdup(d->context, labels, (size_t)n * 4);
    if (!to->labels) return NAS_E_MEMORY;
    for (size_t i = 0; floats && i < size / 4; i++)
        if (!isfinite(floats[i]))
            return ni_fail(d->context, NAS_E_INVALID,
                           "data: value %zu of the %s images is not finite", i, what);
    return NAS_OK;
}

nas_status nas_dataset_from_arrays(nas_dataset **out, nas_context *context,
                                   const nas_dataset_arrays *arrays,
                                   const nas_dataset_options *options) {
    nas_dataset_arrays a;
    nas_dataset *d;
    NI_TRY(ni_dataset_begin(&d, context, options));
    memset(&a, 0, sizeof a);
    a.struct_size = sizeof a;
    nas_status status =
        arrays ? ni_options(context, &a, sizeof a, sizeof a, arrays, "nas_dataset_arrays")
               : ni_fail(context, NAS_E_INVALID, "data: the arrays are NULL");
    if (status >= 0 && (a.height < 1 || a.width < 1 || a.height > 4096 || a.width > 4096 ||
                        a.channels < 1 || a.channels > NI_DATA_CHANNELS_MOST))
        status = ni_fail(context, NAS_E_INVALID,
                         "data: images of %" PRId64 "x%" PRId64 "x%" PRId64
                         "; 1 to 4096 pixels a side and 1 to 4 channels are taken",
                         a.height, a.width, a.channels);
    d->height = a.height;
    d->width = a.width;
    d->channels = a.channels;
    d->classes = a.classes;
    if (status >= 0)
        status = copy_images(d, &d->train, "training", a.n_train, a.train_bytes, a.train_floats,
                             a.train_labels);
    if (status >= 0)
        status =
            copy_images(d, &d->test, "test", a.n_test, a.test_bytes, a.test_floats, a.test_labels);
    if (status >= 0) status = ni_dataset_finish(d);
    if (status < 0) {
        nas_dataset_free(d);
        return status;
    }
    *out = d;
    return NAS_OK;
}
