/* golden.h: what tests of golden numbers share with tests/golden/golden.py: numbers made from
 * names, and the files of recorded tensors. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static inline uint64_t golden_mix(uint64_t z) {
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* n numbers in [low, high), from the name of the case and of the tensor; free() them. */
static inline double *golden_numbers(const char *name, const char *which, int64_t n, double low,
                                     double high) {
    uint64_t key = 0xCBF29CE484222325u;
    double *out = calloc((size_t)n, sizeof *out);
    for (int part = 0; part < 3; part++)
        for (const char *c = part == 0 ? name : part == 1 ? "/" : which; *c; c++)
            key = (key ^ (unsigned char)*c) * 0x100000001B3u;
    for (int64_t i = 0; i < n; i++)
        out[i] = (double)(golden_mix(key + (uint64_t)i * 0x9E3779B97F4A7C15u) >> 11) /
                     9007199254740992.0 * (high - low) +
                 low;
    return out;
}

typedef struct {
    const char *path;
    unsigned char *bytes;
    size_t size;
} golden_file;

static inline bool golden_open(golden_file *file, const char *path) {
    FILE *stream = fopen(path, "rb");
    enum { MOST = 1 << 22 };
    file->path = path;
    if (!stream) {
        fprintf(stderr, "%s cannot be read\n", path);
        return false;
    }
    file->bytes = calloc(1, MOST);
    file->size = fread(file->bytes, 1, MOST, stream);
    fclose(stream);
    return file->size < MOST;
}

/* The values of the tensor "case/part" and their number; NULL when there is none. Those of names
 * that end in "/all" are float32, the others float64; unaligned. With part NULL: any of that case.
 */
static inline const unsigned char *golden_seek(const golden_file *file, const char *name,
                                               const char *part, uint32_t *n) {
    char wanted[200];
    snprintf(wanted, sizeof wanted, "%s/%s", name, part ? part : "");
    size_t whole = strlen(wanted);
    for (size_t at = 0; at + 8 <= file->size;) {
        uint32_t length, count;
        memcpy(&length, file->bytes + at, 4);
        const unsigned char *text = file->bytes + at + 4;
        memcpy(&count, text + length, 4);
        if ((part ? length == whole : length > whole) && memcmp(text, wanted, whole) == 0) {
            *n = count;
            return text + length + 4;
        }
        bool single = length > 4 && memcmp(text + length - 4, "/all", 4) == 0;
        at += 8 + length + (single ? 4 : 8) * (size_t)count;
    }
    return NULL;
}

static inline const unsigned char *golden_find(const golden_file *file, const char *name,
                                               const char *part, uint32_t *n) {
    const unsigned char *values = golden_seek(file, name, part, n);
    if (!values) fail_msg("%s has no %s/%s", file->path, name, part);
    return values;
}

#endif
