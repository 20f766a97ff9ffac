/* private.h: the inside of nas_context. Seen by lib/core alone. */
#ifndef NI_CORE_PRIVATE_H
#define NI_CORE_PRIVATE_H
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include "core.h"

/* An error sentence, its 0 byte included. Longer ones are cut with "...". */
#define NI_SENTENCE 1024
/* The first threads that fail find their record inside the context, so that running out of memory
 * can be told without memory; the others' are allocated. */
#define NI_RECORDS_INSIDE 4
/* So many threads have a sentence at once; records of threads that ended are used again. */
#define NI_RECORDS_MOST 256

/* Which thread: the system's number alone comes back after a thread's end, hence the time at
 * which the thread was first seen. */
typedef struct {
    int64_t number;
    uint64_t since;
} ni_thread_key;

typedef struct ni_record ni_record;
struct ni_record {
    ni_record *next;
    ni_thread_key owner; /* number 0: free */
    uint64_t serial;     /* errors told so far */
    nas_status status;
    char sentence[NI_SENTENCE];
};

typedef struct {
    _Atomic(void *) data;
    void (*destroy)(nas_context *context, void *data);
} ni_slot;

typedef struct ni_pool ni_pool;

struct nas_context {
    nas_allocator allocator;
    nas_log_fn log;
    void *log_user;
    int32_t log_level;
    int32_t isa;
    uint32_t threads;
    pid_t process; /* that created it */
    atomic_uchar
        *page; /* one of the system's that fork leaves empty: 1 in that process; NULL: none */
    uint64_t memory_limit;

    _Atomic uint64_t bytes_now, bytes_peak, allocations;
    _Atomic uint64_t children;

    pthread_mutex_t errors_lock;
    ni_record *records;
    uint32_t n_records;
    bool record_lost;    /* a sentence found no record */
    _Atomic bool failed; /* there was a sentence, of any thread */
    ni_record inside[NI_RECORDS_INSIDE];

    pthread_mutex_t slots_lock;
    ni_slot slots[NI_SLOTS];

    pthread_mutex_t pool_lock; /* held by the thread that the pool works for */
    ni_pool *pool;             /* made when first needed */
    bool pool_failed;
};

/* Without touching the error record: what the record itself and optional things are made of. */
void *ni_alloc_quiet(nas_context *context, size_t bytes) NI_MUST;

void ni_errors_init(nas_context *context);
void ni_errors_free(nas_context *context);
bool ni_forked(const nas_context *context);

/* A file being written: by ni_output_write, then ni_output_close if all went well, then
 * ni_output_free, which leaves no file if it was not closed. */
typedef struct ni_output ni_output;
nas_status ni_output_open(ni_output **out, nas_context *context, const char *path);
nas_status ni_output_write(ni_output *output, const void *bytes, size_t n);
nas_status ni_output_close(ni_output *output);
void ni_output_free(ni_output *output);

/* With a format checked by the caller's own attribute. */
void ni_text_v(ni_text *text, const char *format, va_list arguments) NI_PRINTF(2, 0);

void ni_pool_free(nas_context *context);
uint32_t ni_processors(void);
int32_t ni_processor(void); /* the one that this thread runs on now; -1: not known */
/* Moves a thread to another processor than those, if it may run on one; what it may run on stays as
 * it was. */
void ni_move_thread(pthread_t thread, const int32_t *taken, uint32_t n);

/* pthread_create with every signal blocked in the new thread; 0 or an errno. */
int ni_spawn(pthread_t *out, void *(*body)(void *), void *user);

#endif
