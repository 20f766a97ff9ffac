/* An allocator for tests: counts what is held, and fails the n-th request on demand. Used from
 * several threads. */
#ifndef TESTS_FAULT_ALLOCATOR_H
#define TESTS_FAULT_ALLOCATOR_H
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "libnas/libnas.h"

typedef struct {
    atomic_llong held;     /* bytes that were not released yet */
    atomic_llong requests; /* allocate and reallocate, so far */
    atomic_llong fail_at;  /* the request that fails, from 1; 0: none */
    atomic_int fail_on;    /* 1: and all that follow it */
    atomic_int failed;
} test_allocator;

static inline int test_allocator_fails(test_allocator *a) {
    long long now = atomic_fetch_add(&a->requests, 1) + 1, at = atomic_load(&a->fail_at);
    if (at == 0 || (now != at && !(atomic_load(&a->fail_on) && now > at))) return 0;
    atomic_fetch_add(&a->failed, 1);
    return 1;
}
static inline void *test_allocate(void *user, size_t bytes) {
    test_allocator *a = user;
    void *block;
    if (test_allocator_fails(a) || posix_memalign(&block, 64, bytes ? bytes : 1)) return NULL;
    atomic_fetch_add(&a->held, (long long)bytes);
    return block;
}
static inline void test_release(void *user, void *old, size_t bytes) {
    test_allocator *a = user;
    if (old) atomic_fetch_sub(&a->held, (long long)bytes);
    free(old);
}
static inline void *test_reallocate(void *user, void *old, size_t old_bytes, size_t bytes) {
    void *block = test_allocate(user, bytes);
    if (block == NULL) return NULL;
    if (old) memcpy(block, old, old_bytes < bytes ? old_bytes : bytes);
    test_release(user, old, old_bytes);
    return block;
}
static inline nas_allocator test_allocator_table(test_allocator *a) {
    nas_allocator table = {.struct_size = sizeof table,
                           .user = a,
                           .allocate = test_allocate,
                           .reallocate = test_reallocate,
                           .release = test_release};
    return table;
}
#endif
