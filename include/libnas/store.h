/* store.h: what a search leaves behind. SQLite (write-ahead log), or memory.
 *
 * A finished trial is in the file before the next ask. One process writes a store at a time
 * (NAS_E_BUSY for a second; the lock is a file beside it, PATH-lock, and goes with the process); any
 * number may read, and each sees the store as it was when it was opened. A store of a later version
 * is refused (NAS_E_VERSION), one of an earlier version is brought up. A store lives on a local disk:
 * SQLite's write-ahead log needs memory that processes share. */
#ifndef LIBNAS_STORE_H
#define LIBNAS_STORE_H
#include "base.h"
NAS_EXTERN_C_BEGIN

enum { NAS_DURABLE_PROCESS = 0, NAS_DURABLE_POWER = 1 };
typedef struct {
    uint32_t struct_size, flags;
    int32_t read_only;   /* 0 */
    int32_t create;      /* 1: made when absent */
    int32_t durable;     /* NAS_DURABLE_*: survives the death of the process, or of the machine */
    int32_t reserved;
    const char *vfs;     /* SQLite VFS to use; NULL: its default */
} nas_store_options;
#define NAS_STORE_OPTIONS_INIT {sizeof(nas_store_options), 0, 0, 1, 0, 0, NULL}
NAS_API void nas_store_options_init(nas_store_options *options);

/* path NULL: in memory. */
NAS_API nas_status nas_store_open(nas_store **out, nas_context *context, const char *path,
                                  const nas_store_options *options);
NAS_API void nas_store_free(nas_store *store);

/* Text facts of the search: "space", "space_name", "controller", "settings", "seed", "window",
 * "ended", "libnas", "isa" ... Borrowed until the next call; NAS_E_NOT_FOUND. */
NAS_API nas_status nas_store_fact(nas_store *store, const char *key, const char **out);
/* Facts of the caller's own, kept beside ("report.title"). */
NAS_API nas_status nas_store_set_fact(nas_store *store, const char *key, const char *value);

/* One trial as the store keeps it: set struct_size before the call. Texts are borrowed, and stay as
 * long as the store. */
typedef struct {
    uint32_t struct_size, flags;
    uint64_t number;         /* from 0 */
    int32_t state, reason;   /* NAS_STATE_*, NAS_REASON_* */
    const char *arch;        /* canonical text; "" for a relaxed trial */
    const char *sentence;    /* why infeasible; "" */
    const char *note, *evaluator;
    uint64_t arch_hash, network_hash;
    uint64_t parent, from;   /* trials, or NAS_TRIAL_NONE */
    uint64_t generation;     /* 0 without parent, else 1 + the parent's */
    double score;            /* larger is better; -INFINITY: infeasible; NAN: it has none (a proxy's) */
    double seconds;          /* spent; not part of what must be equal between equal runs */
    uint64_t turns;
} nas_trial;

/* How many trials there are: 0 .. *out-1 can all be read. A trial that finished before an earlier one
 * did (several workers) counts from when that one has finished too. */
NAS_API nas_status nas_store_trials(nas_store *store, uint64_t *out);
NAS_API nas_status nas_store_trial(nas_store *store, uint64_t number, nas_trial *out);
/* Metric of a trial; NAS_E_NOT_FOUND. index form: NULL name past the last. */
NAS_API nas_status nas_store_metric(nas_store *store, uint64_t trial, const char *metric, double *out);
NAS_API nas_status nas_store_metric_at(nas_store *store, uint64_t trial, uint32_t index,
                                       const char **name, double *value);
/* Learning curve: up to `capacity` points; *n how many there are. */
NAS_API nas_status nas_store_curve(nas_store *store, uint64_t trial, const char *curve, double *x,
                                   double *y, size_t capacity, size_t *n);
/* The index-th learning curve's name, in the order of first points; NULL past the last. Borrowed, as
 * a trial's texts are. */
NAS_API nas_status nas_store_curve_at(nas_store *store, uint64_t trial, uint32_t index,
                                      const char **name);
/* Files kept by name (trained weights of the best, a report). */
NAS_API nas_status nas_store_put_blob(nas_store *store, const char *name, const void *bytes, size_t n);
/* *out is borrowed until the next call. */
NAS_API nas_status nas_store_get_blob(nas_store *store, const char *name, const void **out, size_t *n);

/* What must be equal between equal runs, as text, one fact or trial a line: no times, no hosts, no
 * thread counts. */
NAS_API nas_status nas_store_dump(nas_store *store, nas_sink *to);

NAS_EXTERN_C_END
#endif
