/* What the files of lib/store share. */
#ifndef NI_STORE_PARTS_H
#define NI_STORE_PARTS_H
#include "store.h"

#define NI_STORE_FORMAT 1     /* user_version of the files that this library writes */
#define NI_STORE_GAP    65536 /* trials in flight at once, at most: the window's limit */

/* ---- one trial in memory: one block
 * ---------------------------------------------------------------- */

typedef struct {
    const char *name;
    double value;
} ni_row_metric;
typedef struct {
    const char *name;
    size_t n;         /* points */
    const double *xy; /* x, y, x, y, ... */
} ni_row_curve;
typedef struct {
    ni_trial_row row; /* its texts are in the block */
    uint32_t n_metrics, n_curves;
    size_t n_gradient;
    const ni_row_metric *metrics;
    const ni_row_curve *curves;
    const double *gradient;
} ni_row;
nas_status ni_row_make(ni_row **out, nas_context *context, const ni_trial_row *row,
                       const nas_result *result);

/* ---- bytes by name
 * --------------------------------------------------------------------------------------- */

typedef struct {
    void *bytes; /* NULL: none */
    size_t n;
} ni_bytes;
typedef struct {
    char *name;
    ni_bytes bytes;
} ni_named_bytes;
enum { NI_KIND_STATE, NI_KIND_BLOB, NI_KIND_KEPT };

/* ---- the file
 * --------------------------------------------------------------------------------------------- */

/* All of a file's calls come under the store's lock. */
typedef struct ni_file ni_file;
nas_status ni_file_open(ni_file **out, nas_context *context, const char *path,
                        const nas_store_options *options);
void ni_file_close(ni_file *file);
nas_status ni_file_load(ni_file *file, nas_store *into);
nas_status ni_file_begin(ni_file *file);
nas_status ni_file_commit(ni_file *file);
void ni_file_rollback(ni_file *file);
nas_status ni_file_put_trial(ni_file *file, const ni_row *row);
nas_status ni_file_put_fact(ni_file *file, const char *key, const char *value);
nas_status ni_file_put_bytes(ni_file *file, int32_t kind, const char *name, const void *bytes,
                             size_t n);
nas_status ni_file_get_bytes(ni_file *file, int32_t kind, const char *name, void **out, size_t *n);

/* What load hands over, in order. Takes the row. */
nas_status ni_store_load_row(nas_store *store, ni_row *row);
nas_status ni_store_load_fact(nas_store *store, const char *key, const char *value);

/* The right to write a file, for as long as it is held: a lock on PATH-lock. */
typedef struct ni_lock ni_lock;
nas_status ni_lock_take(ni_lock **out, nas_context *context, const char *path);
void ni_lock_release(ni_lock *lock);

#endif
