/* What the files of lib/store share. */
#ifndef NI_STORE_PARTS_H
#define NI_STORE_PARTS_H
#include "store.h"

#define NI_STORE_FORMAT 1     /* user_version of the files that this library writes */
#define NI_STORE_GAP    65536 /* trials in flight at once, at most: the window's limit */

/* ---- texts, each once (words.c)
 * ---------------------------------------------------------------- */

typedef struct {
    nas_context *context;
    ni_arena *arena;
    NI_ARRAY(const char *) texts; /* by number; they stay where they are */
    uint32_t *table;              /* open addressing; 0: free */
    size_t capacity;
} ni_words;
nas_status ni_words_init(ni_words *words, nas_context *context);
void ni_words_free(ni_words *words);
nas_status ni_word(ni_words *words, const char *text, uint32_t *out); /* NULL is "" */
const char *ni_word_text(const ni_words *words, uint32_t word);

/* ---- trials in memory (row.c)
 * ---------------------------------------------------------------- */

enum { NI_PAGE = 65536 }; /* bytes */
typedef struct {
    unsigned char *bytes;
    size_t used, size;
} ni_page;
typedef struct {
    uint32_t *names; /* of the metrics, words */
    uint32_t n;
} ni_heading;
typedef struct {
    nas_context *context;
    ni_words words;
    NI_ARRAY(uint32_t) at; /* by trial: 1 and its place, a number of 4 bytes; 0: none is recorded */
    NI_ARRAY(ni_page) pages;
    NI_ARRAY(ni_heading) headings;
    ni_map *heading_of;
    uint32_t last_heading;
    const nas_space *space; /* of the packed architectures; held; NULL: none yet */
} ni_rows;
/* One of them, taken apart: what it points to is the store's. row.arch and row.note are NULL. */
typedef struct {
    ni_trial_row row;
    const unsigned char *packed; /* the architecture: packed, or a word, or none */
    size_t n_packed;
    uint32_t arch_word, note_word;
    bool note_parent;
    const ni_heading *heading;
    const unsigned char *metrics, *gradient, *curves; /* doubles at any address */
    size_t n_gradient;
    uint32_t n_curves;
} ni_row;
typedef struct {
    size_t pages, used;
} ni_rows_mark;
nas_status ni_rows_init(ni_rows *rows, nas_context *context);
void ni_rows_free(ni_rows *rows);
/* Writes the row; `at` does not name it yet. back undoes all that was put since the mark. */
nas_status ni_rows_put(ni_rows *rows, const ni_trial_row *row, const nas_result *result,
                       uint32_t *place);
ni_rows_mark ni_rows_now(const ni_rows *rows);
void ni_rows_back(ni_rows *rows, ni_rows_mark mark);
const unsigned char *ni_rows_place(const ni_rows *rows, uint64_t number); /* NULL: none */
void ni_rows_read(const ni_rows *rows, uint64_t number, const unsigned char *at, ni_row *out);
nas_status ni_row_note(const ni_rows *rows, const ni_row *row, ni_text *to);
/* NULL past the last. xy: n pairs of doubles, at any address. */
const char *ni_row_metric(const ni_rows *rows, const ni_row *row, uint32_t index, double *value);
const char *ni_row_curve(const ni_rows *rows, const ni_row *row, uint32_t index, size_t *n,
                         const unsigned char **xy);

/* What an index needs of a row; reuse may be NULL. */
void ni_rows_hashes(const ni_rows *rows, const unsigned char *at, uint64_t *network,
                    uint64_t *reuse);

/* ---- trials by their hashes (index.c): of equals the one that was added first
 * ---------------- */

typedef struct {
    uint32_t *trials; /* tags are behind them, in the same block */
    uint8_t *tags;
    size_t capacity, n;
} ni_index;
bool ni_index_find(const ni_index *index, const ni_rows *rows, ni_hash_kind kind, uint64_t hash,
                   uint64_t *trial);
nas_status ni_index_add(ni_index *index, const ni_rows *rows, ni_hash_kind kind, uint64_t trial);

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
nas_status ni_file_put_trial(ni_file *file, const ni_trial_row *row, const nas_result *result);
nas_status ni_file_put_fact(ni_file *file, const char *key, const char *value);
nas_status ni_file_put_bytes(ni_file *file, int32_t kind, const char *name, const void *bytes,
                             size_t n);
nas_status ni_file_get_bytes(ni_file *file, int32_t kind, const char *name, void **out, size_t *n);

/* What load hands over, in order. */
nas_status ni_store_load_row(nas_store *store, const ni_trial_row *row, const nas_result *result);
nas_status ni_store_load_fact(nas_store *store, const char *key, const char *value);

/* The right to write a file, for as long as it is held: a lock on PATH-lock. */
typedef struct ni_lock ni_lock;
nas_status ni_lock_take(ni_lock **out, nas_context *context, const char *path);
void ni_lock_release(ni_lock *lock);

#endif
