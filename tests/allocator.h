/* allocator.h: an allocator for tests that counts what is out and can fail a chosen call.
 *
 *     test_allocator heap = TEST_ALLOCATOR_INIT;
 *     nas_allocator table = test_allocator_table(&heap);
 *
 * The sweep of a scenario: for n = 1, 2, 3, ... run it with heap.fail_at = n, until a run ends with
 * heap.failed == 0; each time everything must come back (heap.bytes == 0 after nas_context_free).
 * The failing call is the n-th, alone, or with `forever` that one and all after it. Used from
 * several threads; all zeros is one that never fails. */
#ifndef TEST_ALLOCATOR_H
#define TEST_ALLOCATOR_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include "libnas/context.h"

typedef struct {
    atomic_llong calls, blocks, bytes; /* blocks, bytes: not released yet */
    atomic_llong fail_at;              /* 0: never */
    atomic_bool forever;
    atomic_int failed;      /* how many */
    atomic_bool wrong_size; /* a size told on release was not the block's */
} test_allocator;
#define TEST_ALLOCATOR_INIT                                                                        \
    { 0, 0, 0, 0, false, 0, false }

static inline bool test_allocator_fails(test_allocator *heap) {
    long long call = atomic_fetch_add(&heap->calls, 1) + 1, at = heap->fail_at;
    if (at == 0 || (call != at && !(heap->forever && call > at))) return false;
    heap->failed++;
    return true;
}

/* 16 bytes before each block keep its size. */
static inline void *test_allocate(void *user, size_t bytes) {
    test_allocator *heap = user;
    if (test_allocator_fails(heap)) return NULL;
    size_t *block = malloc(bytes + 16);
    if (!block) return NULL;
    *block = bytes;
    atomic_fetch_add(&heap->blocks, 1);
    atomic_fetch_add(&heap->bytes, (long long)bytes);
    return (char *)block + 16;
}

static inline void test_release(void *user, void *old, size_t old_bytes) {
    test_allocator *heap = user;
    if (!old) return;
    size_t *block = (size_t *)(void *)((char *)old - 16);
    if (*block != old_bytes) atomic_store(&heap->wrong_size, true);
    atomic_fetch_sub(&heap->blocks, 1);
    atomic_fetch_sub(&heap->bytes, (long long)*block);
    free(block);
}

static inline void *test_reallocate(void *user, void *old, size_t old_bytes, size_t bytes) {
    test_allocator *heap = user;
    if (!old) return test_allocate(user, bytes);
    if (test_allocator_fails(heap)) return NULL;
    size_t *block = (size_t *)(void *)((char *)old - 16);
    if (*block != old_bytes) atomic_store(&heap->wrong_size, true);
    size_t before = *block;
    block = realloc(block, bytes + 16);
    if (!block) return NULL;
    *block = bytes;
    atomic_fetch_add(&heap->bytes, (long long)bytes - (long long)before);
    return (char *)block + 16;
}

static inline nas_allocator test_allocator_table(test_allocator *heap) {
    nas_allocator table = {sizeof table, 0, heap, test_allocate, test_reallocate, test_release};
    return table;
}

#endif
