/* lib/store: what a search leaves behind. All of it is in memory while the store is open, so that
 * reading is the same with and without a file; a file (SQLite) is written beside it, transaction by
 * transaction, and read once when it is opened. Bytes that may be large (checkpoints, blobs, what
 * trials keep) stay in the file. */
#ifndef NI_STORE_H
#define NI_STORE_H
#include "../trial/trial.h"
#include "libnas/store.h"

/* A trial as a search records it. Texts are copied; NULL is "". */
typedef struct {
    uint64_t number, first_turn, turns;
    uint64_t seen;    /* results told before its first turn was asked */
    uint64_t arrival; /* trials told before it, where results are told as they arrive */
    uint64_t arch_hash, network_hash, reuse_key;
    uint64_t parent, from, generation;
    int32_t state, reason;
    int32_t evaluated; /* 0: nobody was asked to evaluate it (cached, forgotten) */
    double score, seconds;
    double epochs, total_epochs; /* trained in this trial; and with those that it continues */
    const char *arch, *sentence, *note, *evaluator;
    const nas_arch *design;  /* in: the architecture itself; then arch and arch_hash are not read */
    bool has_arch, has_note; /* out */
} ni_trial_row;

/* What is put between begin and commit is there as a whole or not at all; before commit readers do
 * not see it. After a failed commit, or rollback, the store is as it was. begin locks the store,
 * commit and rollback unlock it: other threads wait meanwhile. */
nas_status ni_store_begin(nas_store *store);
nas_status ni_store_commit(nas_store *store);
void ni_store_rollback(nas_store *store);
nas_status ni_store_put_trial(nas_store *store, const ni_trial_row *row, const nas_result *result);
nas_status ni_store_put_fact(nas_store *store, const char *key, const char *value);
/* Bytes of a checkpoint by name; bytes NULL takes them away. */
nas_status ni_store_put_state(nas_store *store, const char *name, const void *bytes, size_t n);
/* What a trial keeps (a checkpoint of its own, or what others start from); NULL takes it away. */
nas_status ni_store_put_kept(nas_store *store, uint64_t trial, const void *bytes, size_t n);

/* Outside begin and commit. ni_free what comes back; *out NULL: there is none. */
nas_status ni_store_get_state(nas_store *store, const char *name, void **out, size_t *n);
nas_status ni_store_get_kept(nas_store *store, uint64_t trial, void **out, size_t *n);

/* The value of a fact, NULL when there is none: no sentence. Borrowed until it is put again. */
const char *ni_store_find_fact(nas_store *store, const char *key);
/* A recorded trial, also past the ones that nas_store_trials counts; false when there is none. arch
 * and note are NULL, and arch_hash may be 0: they are made when ni_store_texts is asked for them.
 * Texts stay as long as the store. */
bool ni_store_row(nas_store *store, uint64_t trial, ni_trial_row *out);
nas_status ni_store_texts(nas_store *store, ni_trial_row *row);
/* Recorded trials by their network hash or reuse key: those that were added, of equals the first.
 */
typedef enum { NI_BY_NETWORK, NI_BY_REUSE, NI_HASH_KINDS } ni_hash_kind;
nas_status ni_store_index(nas_store *store, ni_hash_kind kind, uint64_t trial);
bool ni_store_find(nas_store *store, ni_hash_kind kind, uint64_t hash, uint64_t *trial);
void ni_store_unindex(nas_store *store);                        /* none is added any more */
uint64_t ni_store_indexed(nas_store *store, ni_hash_kind kind); /* how many different ones */
uint64_t ni_store_rows(nas_store *store); /* one more than the highest recorded number */
/* The result that was recorded, again: to is cleared first. */
nas_status ni_store_result(nas_store *store, uint64_t trial, nas_result_builder *to);

nas_context *ni_store_context(const nas_store *store);
bool ni_store_in_file(const nas_store *store); /* false: the process's death is its end */
bool ni_store_read_only(const nas_store *store);

#endif
