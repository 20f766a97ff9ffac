/* The store's handle: what is in memory, transactions over it, and the file behind it. */
#include "parts.h"
#include "ni_config.h"
#include <math.h>

typedef struct {
    char *key, *value;
} ni_fact;
typedef struct {
    int32_t kind;
    char *name;     /* of a state or blob */
    uint64_t trial; /* of what is kept */
    ni_bytes bytes;
} ni_staged_bytes;

typedef struct {
    uint64_t number;
    uint32_t place;
} ni_staged_row;

typedef NI_ARRAY(ni_named_bytes) ni_shelf;

struct nas_store {
    nas_context *context;
    ni_mutex *mutex;
    ni_file *file; /* NULL: in memory */
    bool read_only, in_transaction;
    ni_rows rows;
    uint64_t whole; /* rows 0 .. whole-1 are all there */
    ni_index indexes[NI_HASH_KINDS];
    NI_ARRAY(ni_fact) facts;
    /* Without a file: */
    ni_shelf states, blobs;
    NI_ARRAY(ni_bytes) kept; /* by trial */
    /* Of the transaction that is open: */
    NI_ARRAY(ni_staged_row) staged_rows;
    ni_rows_mark mark; /* where the rows were when it began */
    NI_ARRAY(ni_fact) staged_facts;
    NI_ARRAY(ni_staged_bytes) staged_bytes;
    void *lent; /* what nas_store_get_blob gave last */
};

/* ---- life
 * --------------------------------------------------------------------------------------------- */

void nas_store_options_init(nas_store_options *options) {
    *options = (nas_store_options)NAS_STORE_OPTIONS_INIT;
}

static nas_status check_options(nas_context *context, const nas_store_options *o) {
    if (o->flags != 0)
        return ni_fail(context, NAS_E_INVALID, "flags of the store is %u, must be 0", o->flags);
    if ((o->read_only != 0 && o->read_only != 1) || (o->create != 0 && o->create != 1))
        return ni_fail(context, NAS_E_INVALID, "read_only and create must be 0 or 1, are %d and %d",
                       o->read_only, o->create);
    if (o->durable != NAS_DURABLE_PROCESS && o->durable != NAS_DURABLE_POWER)
        return ni_fail(context, NAS_E_INVALID, "durable is %d, must be one of NAS_DURABLE_*",
                       o->durable);
    return NAS_OK;
}

nas_status nas_store_open(nas_store **out, nas_context *context, const char *path,
                          const nas_store_options *given) {
    nas_store_options options = NAS_STORE_OPTIONS_INIT;
    nas_status status;
    NI_TRY(ni_enter(context));
    NI_TRY(
        ni_options(context, &options, sizeof options, sizeof options, given, "nas_store_options"));
    NI_TRY(check_options(context, &options));
    if (path != NULL && path[0] == 0)
        return ni_fail(context, NAS_E_INVALID,
                       "the store's path is empty; NULL is a store in memory");
    nas_store *store = ni_calloc(context, 1, sizeof *store);
    if (store == NULL) return NAS_E_MEMORY;
    store->context = context;
    ni_context_hold(context);
    NI_GOTO(failed, ni_mutex_create(&store->mutex, context));
    NI_GOTO(failed, ni_rows_init(&store->rows, context));
    if (path != NULL) {
        store->read_only = options.read_only != 0;
        NI_GOTO(failed, ni_file_open(&store->file, context, path, &options));
        NI_GOTO(failed, ni_file_load(store->file, store));
    }
    *out = store;
    return NAS_OK;
failed:
    nas_store_free(store);
    return status;
}

static void drop_shelf(nas_context *context, ni_shelf *shelf) {
    for (size_t i = 0; i < shelf->n; i++) {
        ni_free(context, shelf->items[i].name);
        ni_free(context, shelf->items[i].bytes.bytes);
    }
    NI_ARRAY_FREE(context, shelf);
}

static void drop_staged(nas_store *store) {
    for (size_t i = 0; i < store->staged_facts.n; i++) {
        ni_free(store->context, store->staged_facts.items[i].key);
        ni_free(store->context, store->staged_facts.items[i].value);
    }
    for (size_t i = 0; i < store->staged_bytes.n; i++) {
        ni_free(store->context, store->staged_bytes.items[i].name);
        ni_free(store->context, store->staged_bytes.items[i].bytes.bytes);
    }
    store->staged_rows.n = store->staged_facts.n = store->staged_bytes.n = 0;
}

void nas_store_free(nas_store *store) {
    if (store == NULL) return;
    nas_context *context = store->context;
    drop_staged(store);
    NI_ARRAY_FREE(context, &store->staged_rows);
    NI_ARRAY_FREE(context, &store->staged_facts);
    NI_ARRAY_FREE(context, &store->staged_bytes);
    ni_file_close(store->file);
    for (int kind = 0; kind < NI_HASH_KINDS; kind++)
        ni_free(context, store->indexes[kind].trials);
    ni_rows_free(&store->rows);
    for (size_t i = 0; i < store->facts.n; i++) {
        ni_free(context, store->facts.items[i].key);
        ni_free(context, store->facts.items[i].value);
    }
    NI_ARRAY_FREE(context, &store->facts);
    drop_shelf(context, &store->states);
    drop_shelf(context, &store->blobs);
    for (size_t i = 0; i < store->kept.n; i++)
        ni_free(context, store->kept.items[i].bytes);
    NI_ARRAY_FREE(context, &store->kept);
    ni_free(context, store->lent);
    ni_mutex_free(store->mutex);
    ni_free(context, store);
    ni_context_release(context);
}

nas_context *ni_store_context(const nas_store *store) {
    return store->context;
}
bool ni_store_in_file(const nas_store *store) {
    return store->file != NULL;
}
bool ni_store_read_only(const nas_store *store) {
    return store->read_only;
}

/* ---- loading
 * ------------------------------------------------------------------------------------------ */

/* Room for row `number` among the places; those up to it are empty. */
static nas_status make_room(nas_store *store, uint64_t number) {
    if (number >= store->rows.at.n + NI_STORE_GAP)
        return ni_fail(store->context, NAS_E_CORRUPT,
                       "trial %llu is recorded where trial %zu would be next",
                       (unsigned long long)number, store->rows.at.n);
    NI_TRY(ni_array_grow(store->context, (void **)(void *)&store->rows.at.items,
                         &store->rows.at.capacity, (size_t)number + 1,
                         sizeof *store->rows.at.items));
    while (store->rows.at.n <= number)
        store->rows.at.items[store->rows.at.n++] = 0;
    return NAS_OK;
}

static void publish_row(nas_store *store, ni_staged_row row) {
    store->rows.at.items[row.number] = row.place;
    while (store->whole < store->rows.at.n && store->rows.at.items[store->whole])
        store->whole++;
}

nas_status ni_store_load_row(nas_store *store, const ni_trial_row *row, const nas_result *result) {
    ni_staged_row staged = {row->number, 0};
    NI_TRY(make_room(store, row->number));
    NI_TRY(ni_rows_put(&store->rows, row, result, &staged.place));
    publish_row(store, staged);
    return NAS_OK;
}

nas_status ni_store_load_fact(nas_store *store, const char *key, const char *value) {
    ni_fact fact = {ni_strdup(store->context, key), ni_strdup(store->context, value)};
    if (fact.key && fact.value && NI_PUSH(store->context, &store->facts, fact) >= 0) return NAS_OK;
    ni_free(store->context, fact.key);
    ni_free(store->context, fact.value);
    return NAS_E_MEMORY;
}

/* ---- transactions
 * -------------------------------------------------------------------------------------- */

nas_status ni_store_begin(nas_store *store) {
    if (store->read_only)
        return ni_fail(store->context, NAS_E_STATE, "the store was opened to be read only");
    ni_mutex_lock(store->mutex);
    nas_status status = store->file ? ni_file_begin(store->file) : NAS_OK;
    if (status < 0) {
        ni_mutex_unlock(store->mutex);
        return status;
    }
    store->in_transaction = true;
    store->mark = ni_rows_now(&store->rows);
    return NAS_OK;
}

void ni_store_rollback(nas_store *store) {
    if (store->file) ni_file_rollback(store->file);
    ni_rows_back(&store->rows, store->mark);
    drop_staged(store);
    store->in_transaction = false;
    ni_mutex_unlock(store->mutex);
}

static void publish_fact(nas_store *store, ni_fact fact) {
    for (size_t i = 0; i < store->facts.n; i++)
        if (!strcmp(store->facts.items[i].key, fact.key)) {
            ni_free(store->context, store->facts.items[i].value);
            store->facts.items[i].value = fact.value;
            ni_free(store->context, fact.key);
            return;
        }
    store->facts.items[store->facts.n++] = fact; /* room was made when it was staged */
}

static void publish_bytes(nas_store *store, ni_staged_bytes *staged) {
    if (staged->kind == NI_KIND_KEPT) {
        ni_free(store->context, store->kept.items[staged->trial].bytes);
        store->kept.items[staged->trial] = staged->bytes;
        return;
    }
    ni_shelf *shelf = staged->kind == NI_KIND_STATE ? &store->states : &store->blobs;
    size_t i = 0;
    while (i < shelf->n && strcmp(shelf->items[i].name, staged->name))
        i++;
    if (i == shelf->n)
        shelf->items[shelf->n++] = (ni_named_bytes){staged->name, {NULL, 0}};
    else
        ni_free(store->context, staged->name);
    ni_free(store->context, shelf->items[i].bytes.bytes);
    shelf->items[i].bytes = staged->bytes;
}

nas_status ni_store_commit(nas_store *store) {
    nas_status status = store->file ? ni_file_commit(store->file) : NAS_OK;
    if (status < 0) {
        ni_store_rollback(store);
        return status;
    }
    for (size_t i = 0; i < store->staged_rows.n; i++)
        publish_row(store, store->staged_rows.items[i]);
    for (size_t i = 0; i < store->staged_facts.n; i++)
        publish_fact(store, store->staged_facts.items[i]);
    for (size_t i = 0; i < store->staged_bytes.n; i++)
        publish_bytes(store, &store->staged_bytes.items[i]);
    store->staged_rows.n = store->staged_facts.n = store->staged_bytes.n = 0;
    store->in_transaction = false;
    ni_mutex_unlock(store->mutex);
    return NAS_OK;
}

nas_status ni_store_put_trial(nas_store *store, const ni_trial_row *row, const nas_result *result) {
    ni_staged_row staged = {row->number, 0};
    NI_TRY(make_room(store, row->number));
    NI_TRY(ni_rows_put(&store->rows, row, result, &staged.place));
    if (store->file) NI_TRY(ni_file_put_trial(store->file, row, result));
    return NI_PUSH(store->context, &store->staged_rows, staged);
}

nas_status ni_store_put_fact(nas_store *store, const char *key, const char *value) {
    ni_fact fact = {NULL, NULL};
    nas_status status = NAS_E_MEMORY;
    NI_TRY(ni_array_grow(store->context, (void **)(void *)&store->facts.items,
                         &store->facts.capacity, store->facts.n + store->staged_facts.n + 1,
                         sizeof *store->facts.items));
    fact.key = ni_strdup(store->context, key);
    fact.value = ni_strdup(store->context, value);
    if (fact.key && fact.value) {
        status = store->file ? ni_file_put_fact(store->file, key, value) : NAS_OK;
        if (status >= 0) status = NI_PUSH(store->context, &store->staged_facts, fact);
    }
    if (status < 0) {
        ni_free(store->context, fact.key);
        ni_free(store->context, fact.value);
    }
    return status;
}

/* Without a file: makes room where the bytes will go, and stages them. */
static nas_status stage_bytes(nas_store *store, ni_staged_bytes staged, const void *bytes,
                              size_t n) {
    nas_context *context = store->context;
    nas_status status = NAS_OK;
    if (bytes != NULL) {
        staged.bytes.bytes = ni_memdup(context, n ? bytes : "", n ? n : 1);
        staged.bytes.n = n;
        if (staged.bytes.bytes == NULL) return NAS_E_MEMORY;
    }
    if (staged.kind == NI_KIND_KEPT) {
        NI_GOTO(failed,
                ni_array_grow(context, (void **)(void *)&store->kept.items, &store->kept.capacity,
                              (size_t)staged.trial + 1, sizeof *store->kept.items));
        while (store->kept.n <= staged.trial)
            store->kept.items[store->kept.n++] = (ni_bytes){NULL, 0};
    } else {
        ni_shelf *shelf = staged.kind == NI_KIND_STATE ? &store->states : &store->blobs;
        NI_GOTO(failed, ni_array_grow(context, (void **)(void *)&shelf->items, &shelf->capacity,
                                      shelf->n + store->staged_bytes.n + 1, sizeof *shelf->items));
    }
    NI_GOTO(failed, NI_PUSH(context, &store->staged_bytes, staged));
    return NAS_OK;
failed:
    ni_free(context, staged.bytes.bytes);
    return status;
}

static nas_status put_named(nas_store *store, int32_t kind, const char *name, const void *bytes,
                            size_t n) {
    ni_staged_bytes staged = {.kind = kind};
    if (store->file) return ni_file_put_bytes(store->file, kind, name, bytes, n);
    staged.name = ni_strdup(store->context, name);
    if (staged.name == NULL) return NAS_E_MEMORY;
    nas_status status = stage_bytes(store, staged, bytes, n);
    if (status < 0) ni_free(store->context, staged.name);
    return status;
}

nas_status ni_store_put_state(nas_store *store, const char *name, const void *bytes, size_t n) {
    return put_named(store, NI_KIND_STATE, name, bytes, n);
}

#define KEPT_NAME 24
static const char *kept_name(char *buffer, uint64_t trial) {
    char digits[KEPT_NAME];
    size_t n = 0, at = 0;
    do
        digits[n++] = (char)('0' + trial % 10);
    while (trial /= 10);
    while (n)
        buffer[at++] = digits[--n];
    buffer[at] = 0;
    return buffer;
}

nas_status ni_store_put_kept(nas_store *store, uint64_t trial, const void *bytes, size_t n) {
    ni_staged_bytes staged = {.kind = NI_KIND_KEPT, .trial = trial};
    char name[KEPT_NAME];
    if (store->file)
        return ni_file_put_bytes(store->file, NI_KIND_KEPT, kept_name(name, trial), bytes, n);
    if (bytes == NULL && trial >= store->kept.n) return NAS_OK;
    return stage_bytes(store, staged, bytes, n);
}

/* ---- bytes back
 * ---------------------------------------------------------------------------------------- */

static nas_status copy_bytes(nas_store *store, const ni_bytes *from, void **out, size_t *n) {
    *out = NULL;
    *n = 0;
    if (from == NULL || from->bytes == NULL) return NAS_OK;
    *out = ni_memdup(store->context, from->bytes, from->n ? from->n : 1);
    *n = from->n;
    return *out ? NAS_OK : NAS_E_MEMORY;
}

static nas_status get_named(nas_store *store, int32_t kind, const char *name, void **out,
                            size_t *n) {
    if (store->file) return ni_file_get_bytes(store->file, kind, name, out, n);
    const ni_shelf *shelf = kind == NI_KIND_STATE ? &store->states : &store->blobs;
    const ni_bytes *found = NULL;
    for (size_t i = 0; i < shelf->n; i++)
        if (!strcmp(shelf->items[i].name, name)) found = &shelf->items[i].bytes;
    return copy_bytes(store, found, out, n);
}

nas_status ni_store_get_state(nas_store *store, const char *name, void **out, size_t *n) {
    ni_mutex_lock(store->mutex);
    nas_status status = get_named(store, NI_KIND_STATE, name, out, n);
    ni_mutex_unlock(store->mutex);
    return status;
}

nas_status ni_store_get_kept(nas_store *store, uint64_t trial, void **out, size_t *n) {
    char name[KEPT_NAME];
    nas_status status;
    ni_mutex_lock(store->mutex);
    if (store->file)
        status = ni_file_get_bytes(store->file, NI_KIND_KEPT, kept_name(name, trial), out, n);
    else
        status =
            copy_bytes(store, trial < store->kept.n ? &store->kept.items[trial] : NULL, out, n);
    ni_mutex_unlock(store->mutex);
    return status;
}

/* ---- the public calls
 * ------------------------------------------------------------------------------------- */

const char *ni_store_find_fact(nas_store *store, const char *key) {
    const char *value = NULL;
    ni_mutex_lock(store->mutex);
    for (size_t i = 0; i < store->facts.n; i++)
        if (!strcmp(store->facts.items[i].key, key)) value = store->facts.items[i].value;
    ni_mutex_unlock(store->mutex);
    return value;
}

nas_status nas_store_fact(nas_store *store, const char *key, const char **out) {
    NI_TRY(ni_enter(store->context));
    if (key == NULL) return ni_fail(store->context, NAS_E_INVALID, "the fact's key is NULL");
    const char *value = ni_store_find_fact(store, key);
    if (value == NULL)
        return ni_fail(store->context, NAS_E_NOT_FOUND, "the store has no fact \"%s\"", key);
    *out = value;
    return NAS_OK;
}

nas_status nas_store_set_fact(nas_store *store, const char *key, const char *value) {
    NI_TRY(ni_enter(store->context));
    if (key == NULL || key[0] == 0 || value == NULL)
        return ni_fail(store->context, NAS_E_INVALID, "a fact needs a key and a value");
    NI_TRY(ni_store_begin(store));
    nas_status status = ni_store_put_fact(store, key, value);
    if (status < 0) {
        ni_store_rollback(store);
        return status;
    }
    return ni_store_commit(store);
}

nas_status nas_store_trials(nas_store *store, uint64_t *out) {
    NI_TRY(ni_enter(store->context));
    ni_mutex_lock(store->mutex);
    *out = store->whole;
    ni_mutex_unlock(store->mutex);
    return NAS_OK;
}

/* With the lock held. */
static bool find_row(nas_store *store, uint64_t number, ni_row *out) {
    const unsigned char *at = ni_rows_place(&store->rows, number);
    if (at) ni_rows_read(&store->rows, number, at, out);
    return at != NULL;
}

/* Leaves with the lock held where it answers NAS_OK. */
static nas_status lock_row(nas_store *store, uint64_t number, ni_row *out) {
    NI_TRY(ni_enter(store->context));
    ni_mutex_lock(store->mutex);
    if (find_row(store, number, out)) return NAS_OK;
    uint64_t whole = store->whole;
    ni_mutex_unlock(store->mutex);
    return ni_fail(store->context, NAS_E_NOT_FOUND, "the store has no trial %llu; it has %llu",
                   (unsigned long long)number, (unsigned long long)whole);
}

bool ni_store_row(nas_store *store, uint64_t trial, ni_trial_row *out) {
    ni_row row;
    ni_mutex_lock(store->mutex);
    bool there = find_row(store, trial, &row);
    ni_mutex_unlock(store->mutex);
    if (there) *out = row.row;
    return there;
}

nas_status ni_store_index(nas_store *store, ni_hash_kind kind, uint64_t trial) {
    ni_mutex_lock(store->mutex);
    nas_status status = ni_index_add(&store->indexes[kind], &store->rows, kind, trial);
    ni_mutex_unlock(store->mutex);
    return status;
}

bool ni_store_find(nas_store *store, ni_hash_kind kind, uint64_t hash, uint64_t *trial) {
    ni_mutex_lock(store->mutex);
    bool there = ni_index_find(&store->indexes[kind], &store->rows, kind, hash, trial);
    ni_mutex_unlock(store->mutex);
    return there;
}

void ni_store_unindex(nas_store *store) {
    ni_mutex_lock(store->mutex);
    for (int kind = 0; kind < NI_HASH_KINDS; kind++) {
        ni_free(store->context, store->indexes[kind].trials);
        store->indexes[kind] = (ni_index){0};
    }
    ni_mutex_unlock(store->mutex);
}

uint64_t ni_store_indexed(nas_store *store, ni_hash_kind kind) {
    ni_mutex_lock(store->mutex);
    uint64_t n = store->indexes[kind].n;
    ni_mutex_unlock(store->mutex);
    return n;
}

/* The architecture's text and hash, the note. Those that are not words become some: they are
 * borrowed. */
static nas_status make_texts(nas_store *store, const ni_row *from, ni_trial_row *row) {
    ni_words *words = &store->rows.words;
    nas_status status = NAS_OK;
    uint32_t word = from->arch_word;
    char room[256];
    if (from->packed) {
        nas_arch *arch;
        NI_TRY(ni_arch_unpack(&arch, store->rows.space, from->packed, from->n_packed));
        row->arch_hash = nas_arch_hash(arch);
        status = ni_word(words, nas_arch_text(arch), &word);
        nas_arch_free(arch);
        NI_TRY(status);
    }
    row->arch = ni_word_text(words, word);
    row->note = ni_word_text(words, from->note_word);
    if (!from->note_parent) return NAS_OK;
    ni_text note;
    ni_text_lend(&note, store->context, room, sizeof room);
    status = ni_row_note(&store->rows, from, &note);
    if (status >= 0) status = ni_word(words, ni_text_get(&note), &word);
    if (status >= 0) row->note = ni_word_text(words, word);
    ni_text_free(&note);
    return status;
}

nas_status ni_store_texts(nas_store *store, ni_trial_row *row) {
    ni_row from;
    NI_TRY(lock_row(store, row->number, &from));
    nas_status status = make_texts(store, &from, row);
    ni_mutex_unlock(store->mutex);
    return status;
}

uint64_t ni_store_rows(nas_store *store) {
    ni_mutex_lock(store->mutex);
    uint64_t n = store->rows.at.n;
    ni_mutex_unlock(store->mutex);
    return n;
}

nas_status nas_store_trial(nas_store *store, uint64_t number, nas_trial *out) {
    ni_row from;
    NI_TRY(lock_row(store, number, &from));
    ni_trial_row *row = &from.row;
    nas_status status = make_texts(store, &from, row);
    ni_mutex_unlock(store->mutex);
    NI_TRY(status);
    nas_trial trial = {.number = row->number,
                       .state = row->state,
                       .reason = row->reason,
                       .arch = row->arch,
                       .sentence = row->sentence,
                       .note = row->note,
                       .evaluator = row->evaluator,
                       .arch_hash = row->arch_hash,
                       .network_hash = row->network_hash,
                       .parent = row->parent,
                       .from = row->from,
                       .generation = row->generation,
                       .score = row->score,
                       .seconds = row->seconds,
                       .turns = row->turns};
    return ni_answer(store->context, out, &trial, sizeof trial, sizeof trial, "nas_trial");
}

nas_status nas_store_metric(nas_store *store, uint64_t trial, const char *metric, double *out) {
    ni_row row;
    const char *name;
    double value = 0;
    NI_TRY(lock_row(store, trial, &row));
    uint32_t i = 0;
    while ((name = ni_row_metric(&store->rows, &row, i, &value)) &&
           (!metric || strcmp(name, metric)))
        i++;
    ni_mutex_unlock(store->mutex);
    if (name) {
        *out = value;
        return NAS_OK;
    }
    return ni_fail(store->context, NAS_E_NOT_FOUND, "trial %llu has no metric \"%s\"",
                   (unsigned long long)trial, metric ? metric : "");
}

nas_status nas_store_metric_at(nas_store *store, uint64_t trial, uint32_t index, const char **name,
                               double *value) {
    ni_row row;
    NI_TRY(lock_row(store, trial, &row));
    *name = ni_row_metric(&store->rows, &row, index, value);
    ni_mutex_unlock(store->mutex);
    return NAS_OK;
}

nas_status nas_store_curve(nas_store *store, uint64_t trial, const char *curve, double *x,
                           double *y, size_t capacity, size_t *n) {
    ni_row row;
    const char *name;
    const unsigned char *xy = NULL;
    size_t points = 0;
    NI_TRY(lock_row(store, trial, &row));
    uint32_t i = 0;
    while ((name = ni_row_curve(&store->rows, &row, i, &points, &xy)) &&
           (!curve || strcmp(name, curve)))
        i++;
    ni_mutex_unlock(store->mutex);
    if (name == NULL)
        return ni_fail(store->context, NAS_E_NOT_FOUND, "trial %llu has no curve \"%s\"",
                       (unsigned long long)trial, curve ? curve : "");
    for (size_t p = 0; p < points && p < capacity; p++) { /* pages stay where they are */
        if (x) memcpy(&x[p], xy + 16 * p, sizeof *x);
        if (y) memcpy(&y[p], xy + 16 * p + 8, sizeof *y);
    }
    *n = points;
    return NAS_OK;
}

nas_status nas_store_curve_at(nas_store *store, uint64_t trial, uint32_t index, const char **name) {
    ni_row row;
    const unsigned char *xy;
    size_t points;
    NI_TRY(lock_row(store, trial, &row));
    *name = ni_row_curve(&store->rows, &row, index, &points, &xy);
    ni_mutex_unlock(store->mutex);
    return NAS_OK;
}

nas_status nas_store_put_blob(nas_store *store, const char *name, const void *bytes, size_t n) {
    NI_TRY(ni_enter(store->context));
    if (name == NULL || name[0] == 0 || (bytes == NULL && n > 0))
        return ni_fail(store->context, NAS_E_INVALID, "a blob needs a name and bytes");
    NI_TRY(ni_store_begin(store));
    nas_status status = put_named(store, NI_KIND_BLOB, name, bytes ? bytes : "", n);
    if (status < 0) {
        ni_store_rollback(store);
        return status;
    }
    return ni_store_commit(store);
}

nas_status nas_store_get_blob(nas_store *store, const char *name, const void **out, size_t *n) {
    void *bytes;
    size_t count;
    NI_TRY(ni_enter(store->context));
    if (name == NULL) return ni_fail(store->context, NAS_E_INVALID, "the blob's name is NULL");
    ni_mutex_lock(store->mutex);
    nas_status status = get_named(store, NI_KIND_BLOB, name, &bytes, &count);
    if (status >= 0 && bytes) {
        ni_free(store->context, store->lent);
        *out = store->lent = bytes;
        *n = count;
    }
    ni_mutex_unlock(store->mutex);
    if (status >= 0 && bytes == NULL)
        return ni_fail(store->context, NAS_E_NOT_FOUND, "the store has no blob \"%s\"", name);
    return status;
}

static nas_status build_result(const nas_store *store, const ni_row *row, nas_result_builder *to) {
    const char *name;
    const unsigned char *xy;
    size_t points;
    double value, at[2];
    for (uint32_t i = 0; (name = ni_row_metric(&store->rows, row, i, &value)); i++)
        NI_TRY(nas_result_set(to, name, value));
    for (uint32_t i = 0; (name = ni_row_curve(&store->rows, row, i, &points, &xy)); i++)
        for (size_t p = 0; p < points; p++) {
            memcpy(at, xy + 16 * p, sizeof at);
            NI_TRY(nas_result_add_point(to, name, at[0], at[1]));
        }
    if (row->n_gradient) {
        double *gradient = ni_memdup(store->context, row->gradient, 8 * row->n_gradient);
        if (gradient == NULL) return NAS_E_MEMORY;
        nas_status status = nas_result_set_gradient(to, gradient, row->n_gradient);
        ni_free(store->context, gradient);
        NI_TRY(status);
    }
    if (row->row.state == NAS_STATE_INFEASIBLE)
        return nas_result_set_infeasible(to, row->row.reason, row->row.sentence);
    return nas_result_set_state(to, row->row.state);
}

nas_status ni_store_result(nas_store *store, uint64_t trial, nas_result_builder *to) {
    ni_row row;
    NI_TRY(lock_row(store, trial, &row));
    ni_result_clear(to);
    nas_status status = build_result(store, &row, to);
    ni_mutex_unlock(store->mutex);
    return status;
}

/* ---- the canonical text
 * -------------------------------------------------------------------------------------- */

static const char *const state_names[] = {"complete", "stopped", "infeasible", "cached"};
static const char *const reason_names[] = {"none",     "diverged",   "memory",   "time",
                                           "callback", "constraint", "vanished", "other"};

static void dump_number(ni_text *line, const char *name, uint64_t trial) {
    ni_text_add(line, name);
    if (trial == NAS_TRIAL_NONE)
        ni_text_add_char(line, '-');
    else
        ni_text_u64(line, trial);
}

static void dump_text(ni_text *line, const char *name, const char *text) {
    ni_text_add(line, name);
    ni_text_json(line, text);
}

static nas_status dump_row(const nas_store *store, ni_text *line, const ni_row *row) {
    const ni_rows *rows = &store->rows;
    const ni_trial_row *r = &row->row;
    const char *between = "", *name;
    const unsigned char *xy;
    size_t points;
    double value;
    nas_arch *arch = NULL; /* no word is made of what only passes through */
    ni_text note;
    char room[256];
    ni_text_lend(&note, store->context, room, sizeof room);
    nas_status status = ni_row_note(rows, row, &note);
    if (status >= 0 && row->packed)
        status = ni_arch_unpack(&arch, rows->space, row->packed, row->n_packed);
    if (status < 0) goto end;
    ni_text_f(line, "trial %llu: state=%s reason=%s score=", (unsigned long long)r->number,
              state_names[r->state], reason_names[r->reason]);
    ni_text_f64(line, r->score);
    dump_text(line,
              " arch=", arch ? nas_arch_text(arch) : ni_word_text(&rows->words, row->arch_word));
    ni_text_f(line, " arch_hash=%016llx network_hash=%016llx",
              (unsigned long long)(arch ? nas_arch_hash(arch) : r->arch_hash),
              (unsigned long long)r->network_hash);
    dump_text(line, " evaluator=", r->evaluator);
    dump_number(line, " parent=", r->parent);
    dump_number(line, " from=", r->from);
    ni_text_f(line, " generation=%llu turns=%llu epochs=", (unsigned long long)r->generation,
              (unsigned long long)r->turns);
    ni_text_f64(line, r->epochs);
    dump_text(line, " note=", ni_text_get(&note));
    dump_text(line, " sentence=", r->sentence);
    ni_text_add(line, " metrics={");
    for (uint32_t i = 0; (name = ni_row_metric(rows, row, i, &value)); i++) {
        if (ni_metric_is_time(name)) continue;
        ni_text_add(line, between);
        ni_text_json(line, name);
        ni_text_add_char(line, ':');
        ni_text_f64(line, value);
        between = ",";
    }
    ni_text_add(line, "} curves={");
    between = "";
    for (uint32_t i = 0; (name = ni_row_curve(rows, row, i, &points, &xy)); i++) {
        if (ni_metric_is_time(name)) continue;
        ni_text_add(line, between);
        ni_text_json(line, name);
        ni_text_add(line, ":[");
        for (size_t p = 0; p < points; p++) {
            double at[2];
            memcpy(at, xy + 16 * p, sizeof at);
            ni_text_add(line, p ? ",[" : "[");
            ni_text_f64(line, at[0]);
            ni_text_add_char(line, ',');
            ni_text_f64(line, at[1]);
            ni_text_add_char(line, ']');
        }
        ni_text_add_char(line, ']');
        between = ",";
    }
    ni_text_add(line, "}\n");
    status = line->status;
end:
    ni_text_free(&note);
    nas_arch_free(arch);
    return status;
}

nas_status nas_store_dump(nas_store *store, nas_sink *to) {
    static const char *const equal[] = {
        "space_name", "space_hash", "space",      "controller",     "evaluators", "objectives",
        "data",       "settings",   "seed",       "window",         "order",      "reuse",
        "target",     "max_trials", "max_epochs", "max_evaluations"};
    NI_TRY(ni_enter(store->context));
    ni_text line;
    nas_status status = NAS_OK;
    ni_text_init(&line, store->context);
    ni_mutex_lock(store->mutex);
    ni_text_add(&line, "libnas store, canonical, 1\n");
    for (size_t k = 0; k < NI_COUNT(equal); k++)
        for (size_t i = 0; i < store->facts.n; i++)
            if (!strcmp(store->facts.items[i].key, equal[k])) {
                ni_text_f(&line, "%s: ", equal[k]);
                ni_text_json(&line, store->facts.items[i].value);
                ni_text_add_char(&line, '\n');
            }
    for (uint64_t t = 0; t < store->whole; t++) {
        ni_row row;
        (void)find_row(store, t, &row);
        NI_GOTO(end, dump_row(store, &line, &row));
        NI_GOTO(end, nas_sink_write(to, ni_text_get(&line), line.n));
        ni_text_clear(&line);
    }
    for (size_t i = 0; i < store->facts.n; i++)
        if (!strcmp(store->facts.items[i].key, "ended"))
            ni_text_f(&line, "ended: %s\n", store->facts.items[i].value);
    NI_GOTO(end, line.status);
    status = line.n ? nas_sink_write(to, ni_text_get(&line), line.n) : NAS_OK;
end:
    ni_mutex_unlock(store->mutex);
    ni_text_free(&line);
    return status;
}
