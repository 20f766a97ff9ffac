/* error.c: one error sentence for each pair of thread and context.
 *
 * The records hang off the context, not off the thread: a context that ends takes them along, and
 * a thread that ends leaves one that the next new thread takes over. Nothing here needs memory
 * in order to tell that there is none. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "private.h"
#undef ni_fail /* core.h's for analyzers; here is the function itself */

#define NO_RECORD "an error whose sentence was lost: no memory to keep it"
#define FORKED    "this context was made by the parent process: make a new one after fork"

/* The system is asked once for each thread; again where the context is of another process than the
 * one in which it was: the child of a fork has its parent's key, but not its parent's contexts. */
static ni_thread_key this_thread(const nas_context *context) {
    static _Thread_local ni_thread_key key;
    static _Thread_local pid_t process;
    if (key.number == 0 || process != context->process) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        process = context->process;
        key.number = (int64_t)syscall(SYS_gettid);
        key.since = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    }
    return key;
}

static bool same_thread(ni_thread_key a, ni_thread_key b) {
    return a.number == b.number && a.since == b.since;
}

/* Has the record's thread ended? (Asks the system; sends no signal.) */
static bool ended(const nas_context *context, const ni_record *record) {
    return syscall(SYS_tgkill, context->process, record->owner.number, 0) != 0 && errno == ESRCH;
}

void ni_errors_init(nas_context *context) {
    for (uint32_t i = 0; i < NI_RECORDS_INSIDE; i++) {
        context->inside[i].next = context->records;
        context->records = &context->inside[i];
    }
    context->n_records = NI_RECORDS_INSIDE;
}

void ni_errors_free(nas_context *context) {
    ni_record *record = context->records;
    while (record) {
        ni_record *next = record->next;
        if (record < context->inside || record >= context->inside + NI_RECORDS_INSIDE)
            ni_free(context, record);
        record = next;
    }
    context->records = NULL;
}

/* Under errors_lock. */
static ni_record *find(const nas_context *context, ni_thread_key key) {
    for (ni_record *record = context->records; record; record = record->next)
        if (same_thread(record->owner, key)) return record;
    return NULL;
}

/* Under errors_lock: the thread's record, a free one, one of a thread that ended, or a new one. */
static ni_record *claim(nas_context *context, ni_thread_key key) {
    ni_record *record = find(context, key);
    if (record) return record;
    for (record = context->records; record && record->owner.number; record = record->next) {}
    if (!record)
        for (record = context->records; record && !ended(context, record); record = record->next) {}
    if (!record && context->n_records < NI_RECORDS_MOST) {
        record = ni_alloc_quiet(context, sizeof *record);
        if (!record) return NULL;
        record->next = context->records;
        context->records = record;
        context->n_records++;
    }
    if (!record) return NULL;
    record->owner = key;
    record->serial = 0;
    record->status = NAS_OK;
    record->sentence[0] = 0;
    return record;
}

/* One line, whatever the names in it held; cut between characters, not within one. */
static void tidy(char *sentence, bool cut) {
    if (cut) {
        size_t n = NI_SENTENCE - 4;
        while (n > 0 && ((unsigned char)sentence[n] & 0xc0) == 0x80)
            n--;
        memcpy(sentence + n, "...", 4);
    }
    for (char *c = sentence; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127) *c = ' ';
}

static nas_status keep(nas_context *context, nas_status status, const char *sentence) {
    ni_thread_key key = this_thread(context);
    atomic_store_explicit(&context->failed, true, memory_order_relaxed);
    pthread_mutex_lock(&context->errors_lock);
    ni_record *record = claim(context, key);
    if (record) {
        memcpy(record->sentence, sentence, strlen(sentence) + 1);
        record->status = status;
        record->serial++;
    } else {
        context->record_lost = true;
    }
    pthread_mutex_unlock(&context->errors_lock);
    return status;
}

nas_status ni_fail(nas_context *context, nas_status status, const char *format, ...) {
    /* In a forked child the lock may be held by a thread that is not there. */
    if (!context || ni_forked(context)) return status;
    int error = errno;
    char sentence[NI_SENTENCE]; /* not at once in place: an argument may be the old sentence */
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (n < 0) memcpy(sentence, NO_RECORD, sizeof NO_RECORD);
    tidy(sentence, n >= NI_SENTENCE);
    keep(context, status, sentence);
    errno = error;
    return status;
}

nas_status ni_fail_memory(nas_context *context, size_t bytes) {
    if (context && context->memory_limit)
        return ni_fail(context, NAS_E_MEMORY,
                       "out of memory: %zu bytes more were asked for, %llu are held, and "
                       "memory_limit is %llu",
                       bytes, (unsigned long long)atomic_load(&context->bytes_now),
                       (unsigned long long)context->memory_limit);
    return ni_fail(context, NAS_E_MEMORY, "out of memory: %zu bytes more were asked for", bytes);
}

nas_status ni_fail_prefix(nas_context *context, nas_status status, const char *prefix) {
    if (!context) return status;
    const char *old = nas_context_error(context);
    return ni_fail(context, status, "%s: %s", prefix, *old ? old : nas_status_text(status));
}

nas_status nas_context_fail(nas_context *context, nas_status status, const char *sentence) {
    if (status >= 0) return status;
    return ni_fail(context, status, "%s", sentence ? sentence : nas_status_text(status));
}

uint64_t ni_fail_mark(const nas_context *context) {
    if (!context || ni_forked(context)) return 0;
    nas_context *mine = (nas_context *)context;
    /* What this thread has stored it sees; what others fail at is nothing to it. */
    if (!atomic_load_explicit(&mine->failed, memory_order_relaxed)) return 0;
    ni_thread_key key = this_thread(context);
    pthread_mutex_lock(&mine->errors_lock);
    const ni_record *record = find(mine, key);
    uint64_t serial = record ? record->serial : 0;
    pthread_mutex_unlock(&mine->errors_lock);
    return serial;
}

nas_status ni_fail_callback(nas_context *context, nas_status status, uint64_t mark,
                            const char *what) {
    if (status >= 0 || ni_fail_mark(context) != mark) return status;
    const char *text = nas_status_text(status);
    if (status <= NAS_STATUS_CALLER)
        return ni_fail(context, status, "%s answered %d, %s", what, status, text);
    return ni_fail(context, status, "%s answered %s (%s)", what, nas_status_name(status), text);
}

const char *nas_context_error(const nas_context *context) {
    if (!context) return "no context";
    if (ni_forked(context)) return FORKED;
    nas_context *mine = (nas_context *)context;
    ni_thread_key key = this_thread(context);
    pthread_mutex_lock(&mine->errors_lock);
    const ni_record *record = find(mine, key);
    const char *sentence = record ? record->sentence : mine->record_lost ? NO_RECORD : "";
    pthread_mutex_unlock(&mine->errors_lock);
    return sentence;
}

nas_status nas_context_error_status(const nas_context *context) {
    if (!context) return NAS_E_INVALID;
    if (ni_forked(context)) return NAS_E_FORKED;
    nas_context *mine = (nas_context *)context;
    ni_thread_key key = this_thread(context);
    pthread_mutex_lock(&mine->errors_lock);
    const ni_record *record = find(mine, key);
    nas_status status = record ? record->status : mine->record_lost ? NAS_E_MEMORY : NAS_OK;
    pthread_mutex_unlock(&mine->errors_lock);
    return status;
}
