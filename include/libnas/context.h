/* context.h: what everything else hangs off. Allocator, log, threads, instruction set.
 *
 * Two contexts in one process share nothing. A context may be used from any thread; its calls
 * may overlap. It must outlive every handle made from it; freeing it earlier is refused in the
 * log and leaks instead of crashing. After fork, a child that uses a context of its parent gets
 * NAS_E_FORKED. */
#ifndef LIBNAS_CONTEXT_H
#define LIBNAS_CONTEXT_H
#include "base.h"
NAS_EXTERN_C_BEGIN

/* All three or none. allocate returns at least 16-byte aligned memory or NULL. reallocate keeps
 * the contents up to the smaller of the sizes; release takes NULL. They are called from any
 * thread of the context. */
typedef struct {
    uint32_t struct_size, flags;
    void *user;
    void *(*allocate)(void *user, size_t bytes);
    void *(*reallocate)(void *user, void *old, size_t old_bytes, size_t bytes);
    void (*release)(void *user, void *old, size_t old_bytes);
} nas_allocator;

enum { NAS_LOG_ERROR = 1, NAS_LOG_WARNING = 2, NAS_LOG_INFO = 3, NAS_LOG_DEBUG = 4 };
/* One line, no newline at its end; borrowed during the call. May come from any thread. */
typedef void (*nas_log_fn)(void *user, int32_t level, const char *text);

/* Instruction sets, in order of preference. NAS_ISA_BEST: the best that the processor has.
 * Results are equal to the bit on one instruction set; between two they may differ in the last
 * bits. */
enum {
    NAS_ISA_BEST = 0,
    NAS_ISA_GENERIC = 1,
    NAS_ISA_AVX2 = 2,
    NAS_ISA_AVX512 = 3,
    NAS_ISA_NEON = 4
};

typedef struct {
    uint32_t struct_size, flags;     /* flags: 0 */
    uint32_t threads;                /* 0: as many as the processors this process may use */
    int32_t isa;                     /* NAS_ISA_*; one that the processor lacks is an error */
    const nas_allocator *allocator;  /* NULL: malloc and its like; copied */
    nas_log_fn log;                  /* NULL: silence */
    void *log_user;
    int32_t log_level;               /* 0: NAS_LOG_WARNING */
    int32_t reserved;
    uint64_t memory_limit;           /* bytes that this context may hold at once; 0: no limit */
} nas_context_options;
#define NAS_CONTEXT_OPTIONS_INIT {sizeof(nas_context_options), 0, 0, 0, NULL, NULL, NULL, 0, 0, 0}
NAS_API void nas_context_options_init(nas_context_options *options);

/* options: NULL for all defaults. Starts no thread yet: threads start when first needed, and
 * are gone after nas_context_free. */
NAS_API nas_status nas_context_create(nas_context **out, const nas_context_options *options);
NAS_API void nas_context_free(nas_context *context);

/* The sentence of the last call that failed on the calling thread in this context: one line that
 * names the thing, the place and the remedy. "" if none failed. Borrowed until the thread's next
 * failing call in this context or the context's end. Never NULL. */
NAS_API const char *nas_context_error(const nas_context *context);
NAS_API nas_status nas_context_error_status(const nas_context *context);

/* For callbacks and plug-ins: sets that sentence, and returns `status`, so that a plug-in can
 * say  return nas_context_fail(context, NAS_E_INVALID, "population must be at least 1"); */
NAS_API nas_status nas_context_fail(nas_context *context, nas_status status, const char *sentence);

NAS_API uint32_t nas_context_threads(const nas_context *context);
NAS_API int32_t nas_context_isa(const nas_context *context);
NAS_API const char *nas_isa_name(int32_t isa); /* "avx2"; static storage */

typedef struct {
    uint32_t struct_size, flags;
    uint64_t bytes_now, bytes_peak; /* held from the allocator */
    uint64_t allocations;           /* calls of allocate and reallocate since create */
} nas_memory_use;
#define NAS_MEMORY_USE_INIT {sizeof(nas_memory_use), 0, 0, 0, 0}
/* out->struct_size is set by the caller. */
NAS_API nas_status nas_context_memory(const nas_context *context, nas_memory_use *out);

NAS_EXTERN_C_END
#endif
