/* Data files: IDX (LeCun's format of MNIST), gzip or not; CIFAR-10's binary batches. Nothing is
 * allocated by a header's word before the file was found to hold what it promises. */
#include <errno.h>
#include <inttypes.h>
#include "internal.h"
#include "ni_config.h"
#if NI_WITH_ZLIB
#include <zlib.h>
#endif

enum { CIFAR_IMAGE = 3072, CIFAR_RECORD = 3073 };
#define DATA_FILE_MOST ((size_t)1 << 32)

#if NI_WITH_ZLIB
static nas_status inflate_all(nas_context *context, const char *path, const uint8_t *packed,
                              size_t n, size_t most, uint8_t **out, size_t *n_out) {
    z_stream z;
    size_t capacity = n < (SIZE_MAX / 8) ? n * 4 + 4096 : n, size = 0;
    uint8_t *data = NULL;
    memset(&z, 0, sizeof z);
    if (inflateInit2(&z, 15 + 16) != Z_OK) return ni_fail_memory(context, 0);
    nas_status status = NAS_OK;
    int answer = Z_OK;
    size_t given = 0;
    data = ni_alloc(context, capacity);
    if (!data) status = NAS_E_MEMORY;
    while (status >= 0 && answer != Z_STREAM_END) {
        if (size == capacity) {
            if (capacity >= most) {
                status =
                    ni_fail(context, NAS_E_LIMIT, "%s: unpacks to more than %zu bytes", path, most);
                break;
            }
            size_t bigger = capacity < most / 2 ? capacity * 2 : most;
            uint8_t *grown = ni_realloc(context, data, bigger);
            if (!grown) {
                status = NAS_E_MEMORY;
                break;
            }
            data = grown;
            capacity = bigger;
        }
        if (z.avail_in == 0 && given < n) {
            size_t part = n - given < (1u << 30) ? n - given : 1u << 30;
            z.next_in = (Bytef *)(uintptr_t)(packed + given);
            z.avail_in = (uInt)part;
            given += part;
        }
        size_t room = capacity - size < (1u << 30) ? capacity - size : 1u << 30;
        z.next_out = data + size;
        z.avail_out = (uInt)room;
        answer = inflate(&z, Z_NO_FLUSH);
        size += room - z.avail_out;
        if (answer == Z_BUF_ERROR && z.avail_in == 0 && given == n)
            status = ni_fail(context, NAS_E_CORRUPT, "%s: the gzip file ends too early", path);
        else if (answer != Z_OK && answer != Z_STREAM_END && answer != Z_BUF_ERROR)
            status = ni_fail(context, NAS_E_CORRUPT, "%s: the gzip file is damaged", path);
        else if (answer == Z_OK && z.avail_in == 0 && given == n && z.avail_out > 0)
            status = ni_fail(context, NAS_E_CORRUPT, "%s: the gzip file ends too early", path);
    }
    inflateEnd(&z);
    if (status < 0) {
        ni_free(context, data);
        return status;
    }
    *out = data;
    *n_out = size;
    return NAS_OK;
}
#endif

nas_status ni_data_file(nas_context *context, const char *path, size_t most, uint8_t **out,
                        size_t *n) {
    void *data;
    NI_TRY(ni_file_read(context, path, most, &data, n));
    uint8_t *bytes = data;
    if (*n < 2 || bytes[0] != 0x1f || bytes[1] != 0x8b) {
        *out = bytes;
        return NAS_OK;
    }
#if NI_WITH_ZLIB
    nas_status status = inflate_all(context, path, bytes, *n, most, out, n);
#else
    nas_status status =
        ni_fail(context, NAS_E_UNSUPPORTED,
                "%s: is gzip, and this library was built without zlib: unpack it", path);
#endif
    ni_free(context, data);
    return status;
}

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* One IDX file of unsigned bytes with `dimensions` dimensions; data is moved to the front of *out.
 */
static nas_status read_idx(nas_context *context, const char *path, uint32_t dimensions,
                           int64_t *sizes, uint8_t **out) {
    uint8_t *bytes = NULL;
    size_t n = 0, head = 4 + 4 * (size_t)dimensions;
    NI_TRY(ni_data_file(context, path, DATA_FILE_MOST, &bytes, &n));
    nas_status status = NAS_OK;
    size_t promised = 1;
    if (n < head || bytes[0] || bytes[1] || bytes[2] != 8 || bytes[3] != dimensions)
        status = ni_fail(context, NAS_E_CORRUPT,
                         "%s: is not an IDX file of bytes with %" PRIu32 " dimensions", path,
                         dimensions);
    for (uint32_t i = 0; status >= 0 && i < dimensions; i++) {
        sizes[i] = big_endian(bytes + 4 + 4 * (size_t)i);
        if (!ni_mul_size(promised, (size_t)sizes[i], &promised))
            status = ni_fail(context, NAS_E_CORRUPT, "%s: its header promises too much", path);
    }
    if (status >= 0 && promised != n - head)
        status = ni_fail(context, NAS_E_CORRUPT,
                         "%s: its header promises %zu bytes of data, and the file holds %zu", path,
                         promised, n - head);
    if (status >= 0 &&
        (sizes[0] > NI_DATA_IMAGES_MOST ||
         (dimensions == 3 && (sizes[1] < 1 || sizes[2] < 1 || sizes[1] > 4096 || sizes[2] > 4096))))
        status = ni_fail(context, NAS_E_LIMIT, "%s: images have 1 to 4096 pixels a side", path);
    if (status < 0) {
        ni_free(context, bytes);
        return status;
    }
    memmove(bytes, bytes + head, promised);
    *out = bytes;
    return NAS_OK;
}

static nas_status read_pair(nas_dataset *d, const char *images, const char *labels, ni_images *to) {
    int64_t shape[3], count;
    uint8_t *bytes;
    NI_TRY(read_idx(d->context, images, 3, shape, &to->bytes));
    if (d->height && (shape[1] != d->height || shape[2] != d->width))
        return ni_fail(d->context, NAS_E_CORRUPT,
                       "%s: images of %" PRId64 "x%" PRId64 ", but those for training are %" PRId64
                       "x%" PRId64,
                       images, shape[1], shape[2], d->height, d->width);
    d->height = shape[1];
    d->width = shape[2];
    to->n = shape[0];
    NI_TRY(read_idx(d->context, labels, 1, &count, &bytes));
    nas_status status = NAS_OK;
    if (count != to->n)
        status = ni_fail(d->context, NAS_E_CORRUPT,
                         "%s: %" PRId64 " labels for the %" PRId64 " images of %s", labels, count,
                         to->n, images);
    if (status >= 0 && !(to->labels = ni_calloc(d->context, (size_t)count + 1, sizeof *to->labels)))
        status = NAS_E_MEMORY;
    for (int64_t i = 0; status >= 0 && i < count; i++) {
        to->labels[i] = bytes[i];
        if (bytes[i] >= d->classes) d->classes = bytes[i] + 1;
    }
    ni_free(d->context, bytes);
    return status;
}

nas_status nas_dataset_idx(nas_dataset **out, nas_context *context, const char *train_images,
                           const char *train_labels, const char *test_images,
                           const char *test_labels, const nas_dataset_options *options) {
    nas_dataset *d;
    NI_TRY(ni_dataset_begin(&d, context, options));
    d->channels = 1;
    nas_status status = NAS_OK;
    if (!train_images || !train_labels || (test_images != NULL) != (test_labels != NULL))
        status = ni_fail(context, NAS_E_INVALID, "data: images and labels belong together");
    if (status >= 0) status = read_pair(d, train_images, train_labels, &d->train);
    if (status >= 0 && test_images) status = read_pair(d, test_images, test_labels, &d->test);
    if (status >= 0) status = ni_dataset_finish(d);
    if (status < 0) {
        nas_dataset_free(d);
        return status;
    }
    *out = d;
    return NAS_OK;
}

/* ---- CIFAR-10
 * -------------------------------------------------------------------------------------- */

/* Appends a batch; planes of red, green, blue become pixels. */
static nas_status read_cifar(nas_dataset *d, const char *path, ni_images *to) {
    uint8_t *bytes = NULL;
    size_t n = 0;
    NI_TRY(ni_data_file(d->context, path, DATA_FILE_MOST, &bytes, &n));
    nas_status status = NAS_OK;
    int64_t images = (int64_t)(n / CIFAR_RECORD);
    if (n == 0 || n % CIFAR_RECORD)
        status = ni_fail(d->context, NAS_E_CORRUPT,
                         "%s: %zu bytes are not a whole number of CIFAR-10 records of %d", path, n,
                         CIFAR_RECORD);
    if (status >= 0) {
        uint8_t *pixels = ni_realloc(d->context, to->bytes, (size_t)(to->n + images) * CIFAR_IMAGE);
        if (pixels) to->bytes = pixels;
        int32_t *labels =
            ni_realloc(d->context, to->labels, (size_t)(to->n + images) * sizeof *labels);
        if (labels) to->labels = labels;
        if (!pixels || !labels) status = NAS_E_MEMORY;
    }
    for (int64_t i = 0; status >= 0 && i < images; i++) {
        const uint8_t *record = bytes + i * CIFAR_RECORD;
        uint8_t *pixel = to->bytes + (to->n + i) * CIFAR_IMAGE;
        to->labels[to->n + i] = record[0];
        for (int p = 0; p < 1024; p++)
            for (int c = 0; c < 3; c++)
                pixel[p * 3 + c] = record[1 + c * 1024 + p];
    }
    if (status >= 0) to->n += images;
    ni_free(d->context, bytes);
    return status;
}

nas_status nas_dataset_cifar10(nas_dataset **out, nas_context *context, const char *const *train,
                               size_t n_train, const char *const *test, size_t n_test,
                               const nas_dataset_options *options) {
    nas_dataset *d;
    NI_TRY(ni_dataset_begin(&d, context, options));
    d->height = d->width = 32;
    d->channels = 3;
    d->classes = 10;
    nas_status status = NAS_OK;
    for (size_t i = 0; status >= 0 && i < n_train; i++)
        status = read_cifar(d, train[i], &d->train);
    for (size_t i = 0; status >= 0 && i < n_test; i++)
        status = read_cifar(d, test[i], &d->test);
    if (status >= 0) status = ni_dataset_finish(d);
    if (status < 0) {
        nas_dataset_free(d);
        return status;
    }
    *out = d;
    return NAS_OK;
}

/* ---- by name or folder
 * --------------------------------------------------------------------------------- */

#define FASHION "/usr/share/datasets/fashion-mnist"

/* FOLDER/NAME, or FOLDER/NAME.gz: into path; false if there is neither. */
static bool find_in(nas_context *context, const char *folder, const char *name, ni_text *path) {
    for (int packed = 0; packed < 2; packed++) {
        ni_text_init(path, context);
        ni_text_f(path, "%s/%s%s", folder, name, packed ? ".gz" : "");
        if (path->status >= 0 && ni_file_exists(ni_text_get(path))) return true;
        ni_text_free(path);
    }
    ni_text_init(path, context);
    return false;
}

nas_status nas_dataset_open(nas_dataset **out, nas_context *context, const char *what,
                            const nas_dataset_options *options) {
    static const char *const idx[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                      "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
    NI_TRY(ni_enter(context));
    if (!what || !*what) return ni_fail(context, NAS_E_INVALID, "data: needs a name or a folder");
    bool fashion = strcmp(what, "fashion-mnist") == 0;
    const char *folder = fashion ? FASHION : what;
    ni_text path[6];
    bool found[6];
    nas_status status;
    for (int i = 0; i < 4; i++)
        found[i] = find_in(context, folder, idx[i], &path[i]);
    if (found[0] && found[1]) {
        bool test = found[2] && found[3];
        status = nas_dataset_idx(out, context, ni_text_get(&path[0]), ni_text_get(&path[1]),
                                 test ? ni_text_get(&path[2]) : NULL,
                                 test ? ni_text_get(&path[3]) : NULL, options);
        for (int i = 0; i < 4; i++)
            ni_text_free(&path[i]);
        return status;
    }
    for (int i = 0; i < 4; i++)
        ni_text_free(&path[i]);
    const char *files[6];
    size_t n_train = 0, n = 0;
    for (int i = 0; i < 6; i++) {
        char name[] = "data_batch_0.bin";
        name[11] = (char)('1' + i);
        if (!find_in(context, folder, i < 5 ? name : "test_batch.bin", &path[n])) continue;
        files[n] = ni_text_get(&path[n]);
        n++;
        n_train += i < 5;
    }
    if (n_train)
        status = nas_dataset_cifar10(out, context, files, n_train, files + n_train, n - n_train,
                                     options);
    else if (fashion)
        status = ni_fail(context, NAS_E_NOT_FOUND,
                         "data: Fashion-MNIST is not in " FASHION
                         ": install Debian's package dataset-fashion-mnist, or name a folder");
    else
        status = ni_fail(context, NAS_E_NOT_FOUND,
                         "data: %s holds neither train-images-idx3-ubyte[.gz] with "
                         "train-labels-idx1-ubyte[.gz] nor data_batch_1.bin",
                         what);
    for (size_t i = 0; i < n; i++)
        ni_text_free(&path[i]);
    return status;
}
