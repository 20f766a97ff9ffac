/* context.c: the context itself: what it is made from, its log, its children, its slots. */
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "private.h"

#define THREADS_MOST 1024

/* ---- the default allocator ------------------------------------------------------------------ */

static void *default_allocate(void *user, size_t bytes) {
    (void)user;
    void *block = malloc(bytes);
#if defined(MADV_HUGEPAGE)
    /* Tensors of hundreds of MB in pages of 4 KiB are a million faults, and misses ever after. Only
     * a wish: what comes of it is the same. */
    const uintptr_t page = 2 << 20;
    if (block && bytes >= 4 * page) {
        uintptr_t from = ((uintptr_t)block + page - 1) / page * page;
        uintptr_t to = ((uintptr_t)block + bytes) / page * page;
        int kept = errno;
        madvise((void *)from, to - from, MADV_HUGEPAGE); /* NOLINT: an address is what it takes */
        errno = kept;
    }
#endif
    return block;
}

static void *default_reallocate(void *user, void *old, size_t old_bytes, size_t bytes) {
    (void)user;
    (void)old_bytes;
    return realloc(old, bytes);
}

static void default_release(void *user, void *old, size_t old_bytes) {
    (void)user;
    (void)old_bytes;
    free(old);
}

/* ---- options -------------------------------------------------------------------------------- */

nas_status ni_options(nas_context *context, void *to, size_t size, size_t least, const void *given,
                      const char *name) {
    uint32_t full = (uint32_t)size, has;
    if (given) {
        memcpy(&has, given, sizeof has);
        /* No struct of ours is near the second bound: more is a struct that nobody filled. */
        if (has < least || has > 65536)
            return ni_fail(context, NAS_E_INVALID,
                           "%s: struct_size is %u, and must be from %zu to 65536: start from the "
                           "initialiser of the struct",
                           name, has, least);
        for (size_t i = size; i < has; i++)
            if (((const unsigned char *)given)[i])
                return ni_fail(context, NAS_E_UNSUPPORTED,
                               "%s: byte %zu is set, and belongs to a later version of libnas than "
                               "this one, %s",
                               name, i, nas_version_text());
        memcpy(to, given, has < size ? has : size);
    }
    memcpy(to, &full, sizeof full);
    return NAS_OK;
}

nas_status ni_answer(const nas_context *context, void *out, const void *full, size_t size,
                     size_t least, const char *name) {
    uint32_t has = 0;
    if (out) memcpy(&has, out, sizeof has);
    if (has < least || has > 65536)
        return ni_fail((nas_context *)(uintptr_t)context, NAS_E_INVALID,
                       "%s: struct_size is %u, and must be set to the size of the struct, %zu",
                       name, has, size);
    memcpy(out, full, has < size ? has : size);
    if (has > size) memset((char *)out + size, 0, has - size);
    memcpy(out, &has, sizeof has);
    return NAS_OK;
}

void nas_context_options_init(nas_context_options *options) {
    if (options) *options = (nas_context_options)NAS_CONTEXT_OPTIONS_INIT;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* There is no context yet that could keep the sentence: the caller's log gets it. */
static nas_status refuse(const nas_context_options *options, nas_status status,
                         const char *sentence) {
    if (options->log) options->log(options->log_user, NAS_LOG_ERROR, sentence);
    return status;
}

static nas_status check(const nas_context_options *o, const nas_allocator *a) {
    if (o->flags) return refuse(o, NAS_E_INVALID, "nas_context_options: flags must be 0");
    if (o->threads > THREADS_MOST)
        return refuse(o, NAS_E_INVALID, "nas_context_options: threads must be at most 1024");
    if (o->log_level < 0 || o->log_level > NAS_LOG_DEBUG)
        return refuse(o, NAS_E_INVALID, "nas_context_options: log_level must be 0 to 4");
    if (o->isa != NAS_ISA_BEST && !ni_isa_available(o->isa)) {
        char sentence[120];
        snprintf(sentence, sizeof sentence,
                 "nas_context_options: this processor has not the instruction set %d (%s)", o->isa,
                 nas_isa_name(o->isa));
        return refuse(o, NAS_E_UNSUPPORTED, sentence);
    }
    if (a->flags) return refuse(o, NAS_E_INVALID, "nas_allocator: flags must be 0");
    if (!a->allocate || !a->reallocate || !a->release)
        return refuse(o, NAS_E_INVALID,
                      "nas_allocator: allocate, reallocate and release are all needed");
    return NAS_OK;
}

/* Every call asks whether the process is still its own, and the system's answer costs more than
 * many calls. A page that fork gives to the child empty answers for the price of a load. It comes
 * from the system, since nothing else has that property; where there is none (NULL) the system is
 * asked. */
enum { PAGE = 4096 };
static atomic_uchar *map_page(void) {
#if defined(MADV_WIPEONFORK)
    int kept = errno;
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* A kernel before 4.14 refuses the advice. Some emulators of one take any advice and heed none:
     * they also take one that does not exist. */
    if (page != MAP_FAILED &&
        (madvise(page, PAGE, MADV_WIPEONFORK) != 0 || madvise(page, PAGE, -1) == 0)) {
        munmap(page, PAGE);
        page = MAP_FAILED;
    }
    errno = kept;
    if (page == MAP_FAILED) return NULL;
    atomic_init((atomic_uchar *)page, 1);
    return page;
#else
    return NULL;
#endif
}

nas_status nas_context_create(nas_context **out, const nas_context_options *options) {
    nas_context_options given = NAS_CONTEXT_OPTIONS_INIT;
    nas_allocator allocator = {sizeof allocator, 0, NULL, default_allocate, default_reallocate,
                               default_release};
    if (!out) return NAS_E_INVALID;
    NI_TRY(ni_options(NULL, &given, sizeof given, sizeof given, options, "nas_context_options"));
    if (given.allocator) {
        const nas_allocator *own = given.allocator;
        nas_status status =
            ni_options(NULL, &allocator, sizeof allocator, sizeof allocator, own, "nas_allocator");
        if (status < 0) return refuse(&given, status, "nas_allocator: struct_size is wrong");
        if (!allocator.allocate && !allocator.reallocate && !allocator.release) {
            allocator.allocate = default_allocate;
            allocator.reallocate = default_reallocate;
            allocator.release = default_release;
        }
    }
    NI_TRY(check(&given, &allocator));
    if (given.memory_limit && given.memory_limit < sizeof(nas_context))
        return refuse(&given, NAS_E_MEMORY,
                      "nas_context_options: memory_limit is below what the context itself needs");

    nas_context *context = allocator.allocate(allocator.user, sizeof *context);
    if (!context) return refuse(&given, NAS_E_MEMORY, "out of memory");
    memset(context, 0, sizeof *context);
    context->allocator = allocator;
    context->log = given.log;
    context->log_user = given.log_user;
    context->log_level = given.log_level ? given.log_level : NAS_LOG_WARNING;
    context->isa = given.isa == NAS_ISA_BEST ? ni_isa_best() : given.isa;
    context->threads = given.threads ? given.threads : ni_processors();
    context->process = getpid();
    context->page = map_page();
    context->memory_limit = given.memory_limit;
    atomic_init(&context->failed, false);
    atomic_init(&context->bytes_now, sizeof *context);
    atomic_init(&context->bytes_peak, sizeof *context);
    atomic_init(&context->allocations, 1);
    atomic_init(&context->children, 0);
    for (uint32_t i = 0; i < NI_SLOTS; i++)
        atomic_init(&context->slots[i].data, NULL);
    /* With default attributes the system's own calls here cannot fail. */
    pthread_mutex_init(&context->errors_lock, NULL);
    pthread_mutex_init(&context->slots_lock, NULL);
    pthread_mutex_init(&context->pool_lock, NULL);
    ni_errors_init(context);
    *out = context;
    return NAS_OK;
}

void nas_context_free(nas_context *context) {
    /* In a child of fork the parent's threads and locks are not there: leave all as it is. */
    if (!context || ni_forked(context)) return;
    uint64_t children = atomic_load(&context->children);
    if (children) {
        ni_log(context, NAS_LOG_ERROR,
               "nas_context_free: %llu handles made from this context are still there: free them "
               "first; nothing was freed",
               (unsigned long long)children);
        return;
    }
    ni_pool_free(context);
    for (uint32_t i = NI_SLOTS; i-- > 0;) {
        void *data = atomic_load(&context->slots[i].data);
        if (data && context->slots[i].destroy) context->slots[i].destroy(context, data);
    }
    ni_errors_free(context);
    pthread_mutex_destroy(&context->pool_lock);
    pthread_mutex_destroy(&context->slots_lock);
    pthread_mutex_destroy(&context->errors_lock);
    uint64_t left = atomic_load(&context->bytes_now) - sizeof *context;
    if (left)
        ni_log(context, NAS_LOG_ERROR, "nas_context_free: %llu bytes were never freed",
               (unsigned long long)left);
    if (context->page) munmap(context->page, PAGE);
    nas_allocator allocator = context->allocator;
    allocator.release(allocator.user, context, sizeof *context);
}

bool ni_forked(const nas_context *context) {
    if (context->page) return atomic_load_explicit(context->page, memory_order_relaxed) == 0;
    return context->process != getpid();
}

nas_status ni_enter(const nas_context *context) {
    if (!context) return NAS_E_INVALID;
    return ni_forked(context) ? NAS_E_FORKED : NAS_OK;
}

void ni_context_hold(nas_context *context) {
    atomic_fetch_add(&context->children, 1);
}

void ni_context_release(nas_context *context) {
    atomic_fetch_sub(&context->children, 1);
}

nas_status ni_context_slot(void **out, nas_context *context, uint32_t slot,
                           nas_status (*create)(void **out, nas_context *context),
                           void (*destroy)(nas_context *context, void *data)) {
    if (slot >= NI_SLOTS) return ni_fail(context, NAS_E_INTERNAL, "no context slot %u", slot);
    ni_slot *at = &context->slots[slot];
    void *data = atomic_load_explicit(&at->data, memory_order_acquire);
    nas_status status = NAS_OK;
    if (!data) {
        pthread_mutex_lock(&context->slots_lock);
        data = atomic_load(&at->data);
        if (!data) {
            status = create(&data, context);
            if (status >= 0) {
                at->destroy = destroy;
                atomic_store_explicit(&at->data, data, memory_order_release);
            }
        }
        pthread_mutex_unlock(&context->slots_lock);
    }
    if (status < 0) return status;
    *out = data;
    return NAS_OK;
}

/* ---- what it tells -------------------------------------------------------------------------- */

void ni_log(nas_context *context, int32_t level, const char *format, ...) {
    if (!context || !context->log || level > context->log_level) return;
    char line[NI_SENTENCE];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (n < 0) return;
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 32) *c = ' ';
    context->log(context->log_user, level, line);
}

uint32_t nas_context_threads(const nas_context *context) {
    return context ? context->threads : 0;
}

int32_t nas_context_isa(const nas_context *context) {
    return context ? context->isa : NAS_ISA_GENERIC;
}

nas_status nas_context_memory(const nas_context *context, nas_memory_use *out) {
    NI_TRY(ni_enter(context));
    nas_memory_use use = {.bytes_now = atomic_load(&context->bytes_now),
                          .bytes_peak = atomic_load(&context->bytes_peak),
                          .allocations = atomic_load(&context->allocations)};
    return ni_answer(context, out, &use, sizeof use, sizeof use, "nas_memory_use");
}
