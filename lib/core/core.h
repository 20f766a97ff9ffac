/* lib/core: what every room stands on. Memory, errors, logging, random numbers, threads,
 * hashing, text and numbers without the locale, files, containers, sinks, state bytes.
 *
 * This is the room's one internal header. Internal names begin with ni_ (they are not exported;
 * the symbol map exports nas_* alone). */
#ifndef NI_CORE_H
#define NI_CORE_H
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "libnas/base.h"
#include "libnas/context.h"
#include "libnas/io.h"
#include "libnas/random.h"

#if defined(__GNUC__)
#define NI_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define NI_MUST __attribute__((warn_unused_result))
#else
#define NI_PRINTF(f, a)
#define NI_MUST
#endif

/* Leaves the function with a status that is an error (negative). */
#define NI_TRY(expression)                                                                         \
    do {                                                                                           \
        nas_status ni_status_ = (expression);                                                      \
        if (ni_status_ < 0) return ni_status_;                                                     \
    } while (0)
/* The same through a label that cleans up; `status` is a local of the function. */
#define NI_GOTO(label, expression)                                                                 \
    do {                                                                                           \
        status = (expression);                                                                     \
        if (status < 0) goto label;                                                                \
    } while (0)
#define NI_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- errors ------------------------------------------------------------------------------- */

/* Keeps the sentence for the calling thread and returns status. Allocates nothing that may fail
 * the report: a thread's record is made on its first error, and when even that fails the status
 * still comes back and the sentence is a static one. No %g or %f: numbers with a decimal point go
 * through ni_f64_text. context may be NULL (then only the status is returned). */
nas_status ni_fail(nas_context *context, nas_status status, const char *format, ...) NI_PRINTF(3, 4);
#ifdef __clang_analyzer__ /* which sees one file at a time: what every caller relies on */
#define ni_fail(context, status, ...)                                                              \
    (ni_fail(context, status, __VA_ARGS__), (status) < 0 ? (status) : NAS_E_INVALID)
#endif
/* Out of memory: same, static sentence with the number of bytes asked for. */
nas_status ni_fail_memory(nas_context *context, size_t bytes);
/* Puts `prefix: ` before the thread's sentence (for "file.yaml: ..." and "trial 7: ..."). */
nas_status ni_fail_prefix(nas_context *context, nas_status status, const char *prefix);
/* Around a callback of the caller's: the mark is taken before it, and when it answered an error
 * without a sentence of its own (nas_context_fail), the sentence becomes "WHAT answered NAS_E_...".
 * Returns status. */
uint64_t ni_fail_mark(const nas_context *context);
nas_status ni_fail_callback(nas_context *context, nas_status status, uint64_t mark,
                            const char *what);
/* NAS_E_FORKED in a child, NAS_E_INVALID for NULL, else NAS_OK. First line of every public function that has a context. */
nas_status ni_enter(const nas_context *context);

void ni_log(nas_context *context, int32_t level, const char *format, ...) NI_PRINTF(3, 4);

/* ---- options structs ---------------------------------------------------------------------- */

/* Copies a caller's versioned struct over `to`, which holds the defaults and is `size` long: shorter
 * ones fill the head, longer ones are accepted if their tail is zero. given NULL: defaults stay.
 * `least` is the size of the struct's first release. name is for the sentence. */
nas_status ni_options(nas_context *context, void *to, size_t size, size_t least, const void *given,
                      const char *name);
/* The other way: copies `full`, which is `size` long, over the struct of the caller, who set its
 * struct_size: what an earlier header did not know is left out, a longer tail is zeroed. */
nas_status ni_answer(const nas_context *context, void *out, const void *full, size_t size,
                     size_t least, const char *name);

/* Settings as text ("epochs=3") into the members of an options struct, by a table. An unknown
 * setting is NAS_E_NOT_FOUND with the nearest one suggested; `what` begins the sentence. */
typedef enum {
    NI_OPTION_F64, NI_OPTION_I64, NI_OPTION_U64, NI_OPTION_I32, NI_OPTION_U32,
    NI_OPTION_SWITCH, /* int32_t, 0 or 1: yes, true, on, 1, no, false, off, 0 */
    NI_OPTION_TEXT    /* const char *: borrowed from the setting */
} ni_option_kind;
typedef struct {
    const char *name;
    ni_option_kind kind;
    size_t offset;
    const char *const *names; /* texts of the values 0, 1, ..., ended by NULL; NULL: numbers */
    int64_t low, high;        /* of whole numbers; 0, 0: all that the member can hold */
} ni_option_row;
#define NI_OPTION(type, member, kind_)                                                             \
    { .name = #member, .kind = kind_, .offset = offsetof(type, member) }
nas_status ni_option_set(nas_context *context, const char *what, const ni_option_row *rows, size_t n,
                      void *options, const char *setting);

/* ---- memory --------------------------------------------------------------------------------- */

/* All of libnas allocates here; on failure the error is set (ni_fail_memory) and NULL comes back.
 * ni_free takes NULL. Blocks know their size. 16-byte aligned; *_aligned: 64 bytes, same ni_free. */
void *ni_alloc(nas_context *context, size_t bytes) NI_MUST;
void *ni_calloc(nas_context *context, size_t n, size_t size) NI_MUST; /* overflow checked, zeroed */
void *ni_realloc(nas_context *context, void *old, size_t bytes) NI_MUST;
void *ni_alloc_aligned(nas_context *context, size_t bytes) NI_MUST;
void ni_free(nas_context *context, void *old);
char *ni_strdup(nas_context *context, const char *text) NI_MUST;
char *ni_strndup(nas_context *context, const char *text, size_t n) NI_MUST;
void *ni_memdup(nas_context *context, const void *bytes, size_t n) NI_MUST;

/* false on overflow */
static inline bool ni_mul_size(size_t a, size_t b, size_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool ni_add_size(size_t a, size_t b, size_t *out) {
    return !__builtin_add_overflow(a, b, out);
}
static inline bool ni_mul_u64(uint64_t a, uint64_t b, uint64_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}

/* Children: a handle holds its context so that an early nas_context_free can be refused. */
void ni_context_hold(nas_context *context);
void ni_context_release(nas_context *context);

/* What another room keeps for a whole context (the registered operations, ...): one slot each. The
 * first call makes it by `create`; all calls give the same pointer; `destroy` is called when the
 * context ends, before its allocator goes. Any thread; create runs under a lock of the context and
 * must not ask for a slot itself, and nothing in it may hold the context (ni_context_hold). */
enum { NI_SLOT_OPERATIONS, NI_SLOT_SPACES, NI_SLOTS = 8 };
nas_status ni_context_slot(void **out, nas_context *context, uint32_t slot,
                           nas_status (*create)(void **out, nas_context *context),
                           void (*destroy)(nas_context *context, void *data));

/* Growing array of T:  NI_ARRAY(int) a = {0};  NI_PUSH(context, &a, value)  returns a status;
 * a.items, a.n; NI_ARRAY_FREE(context, &a). */
#define NI_ARRAY(T)                                                                                \
    struct {                                                                                       \
        T *items;                                                                                  \
        size_t n, capacity;                                                                        \
    }
nas_status ni_array_grow(nas_context *context, void **items, size_t *capacity, size_t n,
                         size_t item_size);
#define NI_PUSH(context, array, value)                                                             \
    (ni_array_grow((context), (void **)(void *)&(array)->items, &(array)->capacity, (array)->n + 1,\
                   sizeof *(array)->items) < 0                                                     \
         ? NAS_E_MEMORY                                                                            \
         : ((array)->items[(array)->n++] = (value), NAS_OK))
#define NI_ARRAY_FREE(context, array)                                                              \
    (ni_free((context), (array)->items), (array)->items = NULL, (array)->n = (array)->capacity = 0)

/* Arena: many small objects freed at once. Zeroed memory. */
typedef struct ni_arena ni_arena;
nas_status ni_arena_create(ni_arena **out, nas_context *context);
void *ni_arena_alloc(ni_arena *arena, size_t bytes) NI_MUST; /* 16-byte aligned */
char *ni_arena_strdup(ni_arena *arena, const char *text) NI_MUST;
void ni_arena_free(ni_arena *arena);
size_t ni_arena_bytes(const ni_arena *arena); /* that it holds */

/* ---- containers ----------------------------------------------------------------------------- */

/* 64-bit key to 64-bit value, open addressing, 16 bytes a place and at most three of four taken.
 * Iteration order is never exposed. */
typedef struct ni_map ni_map;
nas_status ni_map_create(ni_map **out, nas_context *context);
void ni_map_free(ni_map *map);
nas_status ni_map_put(ni_map *map, uint64_t key, uint64_t value); /* replaces */
bool ni_map_get(const ni_map *map, uint64_t key, uint64_t *value);
bool ni_map_remove(ni_map *map, uint64_t key);
size_t ni_map_count(const ni_map *map);
size_t ni_map_bytes(const ni_map *map);

/* The known name nearest to a wrong one (edit distance with transpositions), or NULL when none is
 * near enough to suggest. */
const char *ni_nearest(const char *wrong, const char *const *known, size_t n);

/* ---- hashing: XXH3 (libxxhash) ---------------------------------------------------------------- */
typedef struct {
    uint64_t low, high;
} ni_hash128;
uint64_t ni_hash(const void *bytes, size_t n);
uint64_t ni_hash_seeded(const void *bytes, size_t n, uint64_t seed);
uint64_t ni_hash_text(const char *text);
ni_hash128 ni_hash_128(const void *bytes, size_t n);

/* ---- text and numbers, whatever the locale ------------------------------------------------------ */

/* Text that grows. The first failure sticks in `status`, later calls do nothing: check once at
 * the end. data is always 0-terminated (or NULL while empty: use ni_text_get). */
typedef struct {
    nas_context *context;
    char *data;
    size_t n, capacity;
    nas_status status;
    char *lent; /* data stands there until it outgrows it */
} ni_text;
void ni_text_init(ni_text *text, nas_context *context);
/* Begins in a buffer of the caller's, which must live as long as the text. */
void ni_text_lend(ni_text *text, nas_context *context, char *buffer, size_t capacity);
void ni_text_free(ni_text *text);
void ni_text_clear(ni_text *text);
void ni_text_add(ni_text *text, const char *string);
void ni_text_add_n(ni_text *text, const char *bytes, size_t n);
/* A literal, whose length is known. */
#define ni_text_put(text, literal) ni_text_add_n(text, literal, sizeof(literal) - 1)
void ni_text_add_char(ni_text *text, char c);
void ni_text_f(ni_text *text, const char *format, ...) NI_PRINTF(2, 3); /* no %g, %f, %e */
void ni_text_u64(ni_text *text, uint64_t value);
void ni_text_i64(ni_text *text, int64_t value);
void ni_text_f64(ni_text *text, double value);               /* shortest that reads back equal */
void ni_text_fixed(ni_text *text, double value, int digits); /* digits after the point */
void ni_text_json(ni_text *text, const char *string);        /* quoted and escaped */
void ni_text_xml(ni_text *text, const char *string);         /* escaped for HTML, XML */
const char *ni_text_get(const ni_text *text);                /* never NULL */

#define NI_NUMBER_TEXT 40
/* Into a buffer of NI_NUMBER_TEXT; returns it. Shortest text that reads back to the same bits;
 * "inf", "-inf", "nan". ni_fixed_text: up to 17 digits after the point; magnitudes from 1e15 on come
 * as by ni_f64_text. */
char *ni_f64_text(char *buffer, double value);
char *ni_fixed_text(char *buffer, double value, int digits);
/* Whole of text[0..n) must be one number; false otherwise or when out of range. Accepts 1e6 (for
 * integers too) and +5; refuses 1_000, 0x10, spaces and, for integers, 1.0. */
bool ni_parse_i64(const char *text, size_t n, int64_t *out);
bool ni_parse_u64(const char *text, size_t n, uint64_t *out);
/* Finite, or inf and nan spelled out (".inf" too, in any case). At most 400 characters. */
bool ni_parse_f64(const char *text, size_t n, double *out);

/* Copies text into a caller's buffer by the convention of the public interface: *needed gets the
 * length without the 0; NAS_E_LIMIT if capacity is too small (nothing written but a 0). buffer
 * NULL with capacity 0 only asks. */
nas_status ni_copy_text(nas_context *context, const char *text, size_t n, char *buffer,
                        size_t capacity, size_t *needed);

/* ---- random numbers ----------------------------------------------------------------------------- */

/* Philox 4x32-10. The value type behind nas_random; copied freely. */
enum { NI_RANDOM_AHEAD = 32 }; /* words made at once, at most */
struct nas_random {
    uint32_t key[2];
    uint32_t stream[2];  /* upper half of the 128-bit counter */
    uint64_t counter;    /* lower half: blocks made */
    uint32_t words[NI_RANDOM_AHEAD];
    uint32_t used, made; /* of words */
    uint32_t has_normal;
    double normal;       /* second of a pair */
    nas_context *context; /* of nas_random_create, else NULL */
};
/* key from seed; stream from (trial, purpose). Not to be passed to nas_random_free (which does
 * nothing with it). */
void ni_random_init(nas_random *random, uint64_t seed, uint64_t trial, const char *purpose);
/* `count` draws below n into out, as so many calls of nas_random_below give them. */
void ni_random_below_many(nas_random *random, uint32_t n, uint32_t *out, size_t count);

/* nas_random_below for a bound that stays: reciprocal = ni_reciprocal(n), n > 0. */
static inline uint64_t ni_reciprocal(uint64_t n) {
    return UINT64_MAX / n;
}
uint64_t ni_random_word_pair(nas_random *random); /* of which one word is left, or none */
/* The next two words of a stream as one number, the first one lowest. */
static inline uint64_t ni_two_words(const uint32_t *at) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t both;
    memcpy(&both, at, sizeof both); /* compilers do not see it in the other form */
    return both;
#else
    return at[0] | (uint64_t)at[1] << 32;
#endif
}
/* value % n without a division: the quotient by the reciprocal is exact or one too small. */
static inline uint64_t ni_remainder(uint64_t value, uint64_t n, uint64_t reciprocal) {
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    uint64_t left = value - (uint64_t)((wide)value * reciprocal >> 64) * n;
    return left < n ? left : left - n;
#else
    (void)reciprocal;
    return value % n;
#endif
}
static inline uint64_t ni_random_below_by(nas_random *random, uint64_t n, uint64_t reciprocal) {
    /* The last, incomplete run of n values is drawn again. It is shorter than n: most values are
     * below it without the division that says how long it is. */
    for (;;) {
        uint64_t value;
        if (random->made - random->used >= 2) {
            value = ni_two_words(&random->words[random->used]);
            random->used += 2;
        } else {
            value = ni_random_word_pair(random);
        }
        if (value <= UINT64_MAX - n || value <= UINT64_MAX - (UINT64_MAX % n + 1) % n)
            return ni_remainder(value, n, reciprocal);
    }
}
/* The bare bijection, for kernels that draw by position (dropout): counter and key to 4 words. */
void ni_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* float32 helpers that fill arrays */
void ni_random_fill_uniform(nas_random *random, float *out, size_t n, float low, float high);
void ni_random_fill_normal(nas_random *random, float *out, size_t n, float mean, float deviation);

/* ---- threads -------------------------------------------------------------------------------------- */

/* Runs body(user, piece, lane) for each piece 0 .. pieces-1 on the context's threads and waits.
 * Which thread runs which piece is not fixed: a body may write only what belongs to its piece.
 * lane (0 .. ni_lanes-1) names the thread, for scratch memory; no two bodies of one call share it at
 * a time. Two calls at once (from two threads) have the same lanes: scratch belongs to the call's
 * handle, not to the context. An error's sentence stays with the thread that ran the body: carry
 * statuses out through `user` and call ni_fail after ni_parallel.
 * The number of pieces must come from the work's shape, never from the number of threads.
 * Called inside a body, or inside ni_serial, it runs in the calling thread: never both at once. */
typedef void (*ni_body)(void *user, uint32_t piece, uint32_t lane);
void ni_parallel(nas_context *context, uint32_t pieces, ni_body body, void *user);
/* The most lanes that ni_parallel may use from this thread now: 1 inside ni_serial or a body. */
uint32_t ni_lanes(const nas_context *context);
/* Marks the calling thread as one of several that work side by side (trial workers). Nests. */
void ni_serial_begin(void);
void ni_serial_end(void);

/* Threads of the search's own (workers, batch preparation). All signals blocked. Joined by its
 * owner before the context ends. */
typedef struct ni_thread ni_thread;
typedef struct ni_mutex ni_mutex;
typedef struct ni_cond ni_cond;
nas_status ni_thread_start(ni_thread **out, nas_context *context, void (*body)(void *user),
                           void *user);
void ni_thread_join(ni_thread *thread); /* and frees it; takes NULL */
nas_status ni_mutex_create(ni_mutex **out, nas_context *context);
void ni_mutex_free(ni_mutex *mutex);
void ni_mutex_lock(ni_mutex *mutex);
void ni_mutex_unlock(ni_mutex *mutex);
nas_status ni_cond_create(ni_cond **out, nas_context *context);
void ni_cond_free(ni_cond *cond);
void ni_cond_wait(ni_cond *cond, ni_mutex *mutex);
bool ni_cond_wait_for(ni_cond *cond, ni_mutex *mutex, double seconds); /* false: timed out */
void ni_cond_signal(ni_cond *cond);
void ni_cond_broadcast(ni_cond *cond);

double ni_clock(void);  /* seconds, monotonic */
int64_t ni_unix_time(void); /* seconds since 1970, for records that people read */

/* ---- processor ----------------------------------------------------------------------------------- */
bool ni_isa_available(int32_t isa); /* NAS_ISA_* */
int32_t ni_isa_best(void);

/* ---- files ----------------------------------------------------------------------------------------- */

/* Whole file; `limit` bytes at most (NAS_E_LIMIT past that). A 0 byte follows the contents.
 * ni_free the data. Errors name the path and the reason; NAS_E_NOT_FOUND if there is none. */
nas_status ni_file_read(nas_context *context, const char *path, size_t limit, void **out, size_t *n);
/* Written beside the path, flushed and renamed: never half a file under the final name. */
nas_status ni_file_write(nas_context *context, const char *path, const void *bytes, size_t n);
bool ni_file_exists(const char *path);
/* "permission denied", "no space left on device": from errno, without the locale. */
const char *ni_errno_text(int error);

/* ---- sinks, writers, readers --------------------------------------------------------------------- */
nas_context *ni_sink_context(nas_sink *sink);
nas_status ni_sink_f(nas_sink *sink, const char *format, ...) NI_PRINTF(2, 3); /* no %g, %f */
void ni_writer_clear(nas_writer *writer);
nas_context *ni_writer_context(nas_writer *writer);
nas_context *ni_reader_context(nas_reader *reader);
/* Unframed bytes, for formats with a layout of their own. */
nas_status ni_write_raw(nas_writer *to, const void *bytes, size_t n);
nas_status ni_read_raw(nas_reader *from, void *out, size_t n);

#endif
