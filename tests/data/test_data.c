/* Data files, good and broken; splits; batches that depend on nothing but their numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>
#include "data/data.h"
#include "libnas/proposal.h"
#include "ni_config.h"
#if NI_WITH_ZLIB
#include <zlib.h>
#endif

enum { N = 50, SIDE = 6, AREA = SIDE * SIDE };
static char folder[] = "data-XXXXXX";
static nas_context *context;

static const char *in_folder(const char *name, char *buffer) {
    sprintf(buffer, "%s/%s", folder, name);
    return buffer;
}

static void put(const char *name, const void *bytes, size_t n) {
    char path[64];
    FILE *file = fopen(in_folder(name, path), "wb"); /* waits for no disk */
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static size_t idx_images(uint8_t *to, uint32_t n) {
    const uint8_t head[16] = {0, 0, 8, 3, 0, 0, 0, (uint8_t)n, 0, 0, 0, SIDE, 0, 0, 0, SIDE};
    memcpy(to, head, sizeof head);
    for (uint32_t i = 0; i < n * AREA; i++)
        to[16 + i] = (uint8_t)(i * 7 + i / AREA);
    return 16 + (size_t)n * AREA;
}

static size_t idx_labels(uint8_t *to, uint32_t n) {
    const uint8_t head[8] = {0, 0, 8, 1, 0, 0, 0, (uint8_t)n};
    memcpy(to, head, sizeof head);
    for (uint32_t i = 0; i < n; i++)
        to[8 + i] = (uint8_t)(i % 5);
    return 8 + (size_t)n;
}

static int start(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL || nas_context_create(&context, NULL) != NAS_OK;
}

static int end(void **state) {
    char path[64];
    (void)state;
    static const char *const names[] = {"images", "labels", "images.gz", "cut.gz", "bad", "cifar"};
    for (size_t i = 0; i < NI_COUNT(names); i++)
        unlink(in_folder(names[i], path));
    rmdir(folder);
    nas_context_free(context);
    return 0;
}

static nas_status open_pair(const char *images, const char *labels, const nas_dataset_options *o,
                            nas_dataset **out) {
    char a[64], b[64];
    return nas_dataset_idx(out, context, in_folder(images, a), in_folder(labels, b), NULL, NULL, o);
}

static void broken(const char *images, nas_status wanted, const char *says) {
    nas_dataset *data = NULL;
    nas_status status = open_pair(images, "labels", NULL, &data);
    if (status != wanted || !strstr(nas_context_error(context), says))
        fail_msg("%d \"%s\", wanted %d \"%s\"", (int)status, nas_context_error(context),
                 (int)wanted, says);
    assert_null(data);
}

static void idx_files(void **state) {
    (void)state;
    uint8_t bytes[16 + N * AREA + 1];
    nas_dataset *data;
    nas_dataset_info info = {.struct_size = sizeof info};
    size_t n = idx_labels(bytes, N);
    put("labels", bytes, n);
    n = idx_images(bytes, N);
    put("images", bytes, n);
    assert_int_equal(open_pair("images", "labels", NULL, &data), NAS_OK);
    assert_int_equal(nas_dataset_describe(data, &info), NAS_OK);
    assert_int_equal(info.n_train, 45);
    assert_int_equal(info.n_validation, 5);
    assert_int_equal(info.classes, 5);
    /* normalised: mean 0, deviation 1 over the training split */
    static float images[45 * AREA];
    int32_t labels[45];
    double sum = 0, square = 0;
    assert_int_equal(nas_dataset_read(data, NAS_SPLIT_TRAIN, 0, 45, images, labels), NAS_OK);
    for (int i = 0; i < 45 * AREA; i++) {
        sum += (double)images[i];
        square += (double)images[i] * (double)images[i];
    }
    assert_true(fabs(sum / (45 * AREA)) < 1e-5 && fabs(square / (45 * AREA) - 1) < 1e-4);
    assert_int_equal(labels[7], 2);
    assert_int_equal(nas_dataset_read(data, NAS_SPLIT_TRAIN, 40, 6, images, NULL), NAS_E_INVALID);
    nas_dataset_free(data);

    put("bad", bytes, n - 100);
    broken("bad", NAS_E_CORRUPT, "its header promises 1800 bytes of data, and the file holds 1700");
    bytes[4] = 0x7f; /* two thousand million images */
    put("bad", bytes, n);
    broken("bad", NAS_E_CORRUPT, "promises");
    bytes[4] = 0;
    bytes[3] = 2;
    put("bad", bytes, n);
    broken("bad", NAS_E_CORRUPT, "is not an IDX file");
    put("bad", "", 0);
    broken("bad", NAS_E_CORRUPT, "is not an IDX file");
    n = idx_images(bytes, N - 1);
    put("bad", bytes, n);
    broken("bad", NAS_E_CORRUPT, "50 labels for the 49 images");
    n = idx_labels(bytes, N);
    put("bad", bytes, n - 1);
    assert_int_equal(open_pair("images", "bad", NULL, &data), NAS_E_CORRUPT);
    assert_non_null(strstr(nas_context_error(context), "promises 50 bytes"));
    broken("absent", NAS_E_NOT_FOUND, "absent");
}

static void gzip_files(void **state) {
    (void)state;
#if NI_WITH_ZLIB
    uint8_t bytes[16 + N * AREA], packed[8192];
    size_t n = idx_images(bytes, N);
    z_stream z;
    memset(&z, 0, sizeof z);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = bytes;
    z.avail_in = (uInt)n;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t length = sizeof packed - z.avail_out;
    deflateEnd(&z);
    nas_dataset *plain, *unpacked;
    nas_dataset_info a = {.struct_size = sizeof a}, b = {.struct_size = sizeof b};
    put("images.gz", packed, length);
    assert_int_equal(open_pair("images", "labels", NULL, &plain), NAS_OK);
    assert_int_equal(open_pair("images.gz", "labels", NULL, &unpacked), NAS_OK);
    nas_dataset_describe(plain, &a);
    nas_dataset_describe(unpacked, &b);
    assert_true(a.hash == b.hash);
    nas_dataset_free(plain);
    nas_dataset_free(unpacked);
    for (size_t cut = 0; cut < length; cut++) {
        put("cut.gz", packed, cut);
        broken("cut.gz", NAS_E_CORRUPT, cut < 2 ? "is not an IDX file" : "gzip file");
    }
    packed[length / 2] ^= 0x55;
    put("cut.gz", packed, length);
    broken("cut.gz", NAS_E_CORRUPT, "cut.gz");
#else
    skip();
#endif
}

static void cifar_files(void **state) {
    (void)state;
    static uint8_t record[2 * 3073];
    char path[64];
    nas_dataset *data;
    float pixel[3072];
    nas_dataset_options o = NAS_DATASET_OPTIONS_INIT;
    record[0] = 3;
    record[1] = 255;       /* red of the first pixel */
    record[1 + 1024] = 51; /* green */
    record[3073] = 9;
    put("cifar", record, sizeof record);
    const char *files[] = {in_folder("cifar", path)};
    o.normalise = 0;
    o.validation = 0;
    assert_int_equal(nas_dataset_cifar10(&data, context, files, 1, NULL, 0, &o), NAS_OK);
    assert_int_equal(nas_dataset_read(data, NAS_SPLIT_TRAIN, 0, 1, pixel, NULL), NAS_OK);
    assert_true(fabsf(pixel[0] - 1) < 1e-6f && fabsf(pixel[1] - 0.2f) < 1e-6f && pixel[2] == 0);
    nas_dataset_free(data);
    static const size_t lengths[] = {0, 1, 3072, 3074, 6145};
    for (size_t i = 0; i < NI_COUNT(lengths); i++) {
        put("cifar", record, lengths[i]);
        assert_int_equal(nas_dataset_cifar10(&data, context, files, 1, NULL, 0, &o), NAS_E_CORRUPT);
        assert_non_null(strstr(nas_context_error(context), "cifar"));
        assert_non_null(strstr(nas_context_error(context), "3073"));
    }
    record[0] = 10;
    put("cifar", record, sizeof record);
    assert_int_equal(nas_dataset_cifar10(&data, context, files, 1, NULL, 0, &o), NAS_E_CORRUPT);
    assert_non_null(strstr(nas_context_error(context), "label 10"));
}

/* Hash of every batch of an epoch, and how often each image came. */
static uint64_t epoch_hash(const nas_dataset *data, uint64_t epoch, int32_t augment, int *seen) {
    ni_loader_options o = {.split = NAS_SPLIT_TRAIN,
                           .batch = 8,
                           .shuffle = 1,
                           .augment = augment,
                           .fraction = 1,
                           .seed = 5,
                           .trial = 2};
    ni_loader *loader;
    uint64_t hash = 0;
    assert_int_equal(ni_loader_create(&loader, context, data, &o), NAS_OK);
    const ni_batches *b = ni_loader_batches(loader);
    assert_int_equal(b->batches, 6); /* 45 images */
    for (int64_t i = 0; i < b->batches; i++) {
        const float *images;
        const int32_t *labels;
        int64_t fill;
        assert_int_equal(b->next(b->user, epoch, i, &images, &labels, &fill), NAS_OK);
        assert_int_equal(fill, i < 5 ? 8 : 5);
        for (int64_t k = 0; k < 8; k++) {
            if (k >= fill) assert_int_equal(labels[k], -1);
            if (k < fill && seen) seen[labels[k]]++;
        }
        hash = ni_hash_seeded(images, (size_t)fill * AREA * sizeof *images, hash);
        hash = ni_hash_seeded(labels, 8 * sizeof *labels, hash);
    }
    ni_loader_free(loader);
    return hash;
}

static void batches_are_a_function_of_their_numbers(void **state) {
    (void)state;
    nas_dataset *data;
    nas_dataset_options o = NAS_DATASET_OPTIONS_INIT;
    o.flip = 1;
    o.crop_pad = 1;
    o.cutout = 2;
    assert_int_equal(open_pair("images", "labels", &o, &data), NAS_OK);
    for (int32_t augment = 0; augment < 2; augment++) {
        int seen[5] = {0};
        uint64_t first = epoch_hash(data, 0, augment, seen);
        for (int c = 0; c < 5; c++)
            assert_int_equal(seen[c], 9);
        assert_true(first == epoch_hash(data, 0, augment, NULL));
        assert_true(first != epoch_hash(data, 1, augment, NULL));
        ni_serial_begin(); /* no thread prepares ahead */
        assert_true(first == epoch_hash(data, 0, augment, NULL));
        ni_serial_end();
    }
    nas_dataset_free(data);
}

static void settings(void **state) {
    (void)state;
    nas_dataset_options o = NAS_DATASET_OPTIONS_INIT;
    nas_dataset *data;
    assert_int_equal(nas_dataset_options_set(context, &o, "flip=true"), NAS_OK);
    assert_int_equal(o.flip, 1);
    assert_int_equal(nas_dataset_options_set(context, &o, "crop_pda=2"), NAS_E_NOT_FOUND);
    assert_non_null(strstr(nas_context_error(context), "'crop_pad'"));
    o.validation = N;
    assert_int_equal(open_pair("images", "labels", &o, &data), NAS_E_INVALID);
    assert_int_equal(nas_dataset_open(&data, context, "/nowhere", NULL), NAS_E_NOT_FOUND);
    assert_non_null(strstr(nas_context_error(context), "/nowhere"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_files),   cmocka_unit_test(gzip_files),
        cmocka_unit_test(cifar_files), cmocka_unit_test(batches_are_a_function_of_their_numbers),
        cmocka_unit_test(settings),
    };
    return cmocka_run_group_tests(tests, start, end);
}
