/* memory.c: every allocation of the library: the context's allocator, counted and limited.
 *
 * A block is preceded by 16 bytes that say how long it is and how far its start lies before them,
 * so that freeing needs no size and aligned blocks are freed like any other. */
#include <errno.h>
#include <stdlib.h>
#include "private.h"

#define ALIGNMENT 64

typedef struct {
    uint64_t total;  /* bytes held from the allocator */
    uint32_t offset; /* from the allocator's pointer to the block */
    uint32_t aligned;
} header;
_Static_assert(sizeof(header) == 16, "blocks are 16-byte aligned");

/* Books `more` bytes, within the limit. */
static bool book(nas_context *context, uint64_t more) {
    uint64_t now = atomic_load_explicit(&context->bytes_now, memory_order_relaxed), after;
    do {
        if (__builtin_add_overflow(now, more, &after)) return false;
        if (context->memory_limit && after > context->memory_limit) return false;
    } while (!atomic_compare_exchange_weak(&context->bytes_now, &now, after));
    uint64_t peak = atomic_load_explicit(&context->bytes_peak, memory_order_relaxed);
    while (after > peak && !atomic_compare_exchange_weak(&context->bytes_peak, &peak, after)) {}
    atomic_fetch_add_explicit(&context->allocations, 1, memory_order_relaxed);
    return true;
}

static void unbook(nas_context *context, uint64_t less) {
    atomic_fetch_sub_explicit(&context->bytes_now, less, memory_order_relaxed);
}

static header *header_of(void *block) {
    return (header *)block - 1;
}

void *ni_alloc_quiet(nas_context *context, size_t bytes) {
    size_t total;
    if (!ni_add_size(bytes, sizeof(header), &total)) return NULL;
    if (!book(context, total)) return NULL;
    header *head = context->allocator.allocate(context->allocator.user, total);
    if (!head) {
        unbook(context, total);
        return NULL;
    }
    *head = (header){.total = total, .offset = sizeof(header)};
    return head + 1;
}

void *ni_alloc(nas_context *context, size_t bytes) {
    void *block = ni_alloc_quiet(context, bytes);
    if (!block) ni_fail_memory(context, bytes);
    return block;
}

void *ni_alloc_aligned(nas_context *context, size_t bytes) {
    size_t total;
    char *base;
    if (!ni_add_size(bytes, sizeof(header) + ALIGNMENT, &total) || !book(context, total)) {
        ni_fail_memory(context, bytes);
        return NULL;
    }
    base = context->allocator.allocate(context->allocator.user, total);
    if (!base) {
        unbook(context, total);
        ni_fail_memory(context, bytes);
        return NULL;
    }
    size_t offset = sizeof(header);
    offset += (ALIGNMENT - ((uintptr_t)base + offset) % ALIGNMENT) % ALIGNMENT;
    *header_of(base + offset) = (header){.total = total, .offset = (uint32_t)offset, .aligned = 1};
    return base + offset;
}

void *ni_calloc(nas_context *context, size_t n, size_t size) {
    size_t bytes;
    if (!ni_mul_size(n, size, &bytes)) {
        ni_fail_memory(context, SIZE_MAX);
        return NULL;
    }
    void *block = ni_alloc(context, bytes);
    if (block) memset(block, 0, bytes);
    return block;
}

void *ni_realloc(nas_context *context, void *old, size_t bytes) {
    if (!old) return ni_alloc(context, bytes);
    header head = *header_of(old);
    if (head.aligned) {
        size_t held = (size_t)head.total - head.offset;
        void *block = ni_alloc_aligned(context, bytes);
        if (!block) return NULL;
        memcpy(block, old, bytes < held ? bytes : held);
        ni_free(context, old);
        return block;
    }
    size_t total;
    uint64_t more = 0;
    if (!ni_add_size(bytes, sizeof(header), &total)) {
        ni_fail_memory(context, bytes);
        return NULL;
    }
    if (total > head.total) more = total - head.total;
    if (!book(context, more)) {
        ni_fail_memory(context, bytes);
        return NULL;
    }
    header *moved = context->allocator.reallocate(context->allocator.user, header_of(old),
                                                  (size_t)head.total, total);
    if (!moved) {
        unbook(context, more);
        ni_fail_memory(context, bytes);
        return NULL;
    }
    if (total < head.total) unbook(context, head.total - total);
    moved->total = total;
    return moved + 1;
}

void ni_free(nas_context *context, void *old) {
    if (!old) return;
    int error = errno; /* an allocator of the caller's may not keep it */
    header head = *header_of(old);
    context->allocator.release(context->allocator.user, (char *)old - head.offset,
                               (size_t)head.total);
    unbook(context, head.total);
    errno = error;
}

char *ni_strndup(nas_context *context, const char *text, size_t n) {
    char *copy = ni_alloc(context, n + 1);
    if (!copy) return NULL;
    memcpy(copy, text, n);
    copy[n] = 0;
    return copy;
}

char *ni_strdup(nas_context *context, const char *text) {
    return ni_strndup(context, text, strlen(text));
}

void *ni_memdup(nas_context *context, const void *bytes, size_t n) {
    void *copy = ni_alloc(context, n);
    if (copy && n) memcpy(copy, bytes, n);
    return copy;
}

nas_status ni_array_grow(nas_context *context, void **items, size_t *capacity, size_t n,
                         size_t item_size) {
    if (n <= *capacity) return NAS_OK;
    size_t more = *capacity < 8 ? 8 : *capacity + *capacity / 2, bytes;
    if (more < n) more = n;
    if (!ni_mul_size(more, item_size, &bytes)) return ni_fail_memory(context, SIZE_MAX);
    void *moved = ni_realloc(context, *items, bytes);
    if (!moved) return NAS_E_MEMORY;
    *items = moved;
    *capacity = more;
    return NAS_OK;
}

/* ---- arena ---------------------------------------------------------------------------------- */

typedef struct chunk chunk;
struct chunk {
    chunk *next;
    size_t size, used; /* of what follows */
};
#define CHUNK_HEAD ((sizeof(chunk) + 15) / 16 * 16)

struct ni_arena {
    nas_context *context;
    chunk *chunks;
    size_t next_size;
};

nas_status ni_arena_create(ni_arena **out, nas_context *context) {
    ni_arena *arena = ni_calloc(context, 1, sizeof *arena);
    if (!arena) return NAS_E_MEMORY;
    arena->context = context;
    arena->next_size = 2048;
    *out = arena;
    return NAS_OK;
}

void *ni_arena_alloc(ni_arena *arena, size_t bytes) {
    size_t rounded;
    if (!ni_add_size(bytes, 15, &rounded)) {
        ni_fail_memory(arena->context, bytes);
        return NULL;
    }
    rounded -= rounded % 16;
    chunk *top = arena->chunks;
    if (!top || top->size - top->used < rounded) {
        size_t size = arena->next_size, total;
        if (size < rounded) size = rounded;
        if (!ni_add_size(size, CHUNK_HEAD, &total)) {
            ni_fail_memory(arena->context, bytes);
            return NULL;
        }
        chunk *fresh = ni_calloc(arena->context, 1, total);
        if (!fresh) return NULL;
        fresh->size = size;
        /* One big object does not end the use of a chunk that still has room. */
        if (top && rounded > arena->next_size / 4) {
            fresh->next = top->next;
            top->next = fresh;
        } else {
            fresh->next = top;
            arena->chunks = fresh;
        }
        top = fresh;
        if (arena->next_size < 256 * 1024) arena->next_size *= 2;
    }
    void *object = (char *)top + CHUNK_HEAD + top->used;
    top->used += rounded;
    return object;
}

char *ni_arena_strdup(ni_arena *arena, const char *text) {
    size_t n = strlen(text) + 1;
    char *copy = ni_arena_alloc(arena, n);
    if (copy) memcpy(copy, text, n);
    return copy;
}

void ni_arena_free(ni_arena *arena) {
    if (!arena) return;
    for (chunk *old = arena->chunks; old;) {
        chunk *next = old->next;
        ni_free(arena->context, old);
        old = next;
    }
    ni_free(arena->context, arena);
}

size_t ni_arena_bytes(const ni_arena *arena) {
    size_t bytes = sizeof *arena;
    for (const chunk *c = arena->chunks; c; c = c->next)
        bytes += CHUNK_HEAD + c->size;
    return bytes;
}
