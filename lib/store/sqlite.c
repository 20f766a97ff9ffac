/* A store's file: SQLite, write-ahead log. One row a trial, its metrics and curves beside it in
 * tables that any SQLite program can read; checkpoints and blobs as bytes with a hash.
 *
 * docs/dependencies.md says which of the library's rules SQLite itself does not keep. */
#include "parts.h"
#include "ni_config.h"

#if NI_WITH_SQLITE
#include <math.h>
#include <sqlite3.h>

#define APPLICATION_ID 0x6e417331 /* "nAs1" */

enum {
    PUT_TRIAL,
    PUT_METRIC,
    PUT_CURVE,
    PUT_POINT,
    PUT_FACT,
    PUT_BYTES,
    DROP_BYTES,
    GET_BYTES,
    BEGIN,
    COMMIT,
    STATEMENTS
};
static const char *const sql_of[STATEMENTS] = {
    [PUT_TRIAL] =
        ("INSERT INTO trial VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,"
         "?17,?18,?19,?20,?21,?22,?23)"),
    [PUT_METRIC] = "INSERT INTO metric VALUES(?1,?2,?3,?4)",
    [PUT_CURVE] = "INSERT INTO curve VALUES(?1,?2,?3)",
    [PUT_POINT] = "INSERT INTO point VALUES(?1,?2,?3,?4,?5)",
    [PUT_FACT] = "INSERT OR REPLACE INTO fact VALUES(?1,?2)",
    [PUT_BYTES] = "INSERT OR REPLACE INTO bytes VALUES(?1,?2,?3,?4)",
    [DROP_BYTES] = "DELETE FROM bytes WHERE kind=?1 AND name=?2",
    [GET_BYTES] = "SELECT hash,bytes FROM bytes WHERE kind=?1 AND name=?2",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
};
static const char schema[] =
    "CREATE TABLE fact(key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE trial(number INTEGER PRIMARY KEY, state INTEGER NOT NULL, reason INTEGER NOT "
    "NULL,"
    " score REAL, arch TEXT NOT NULL, evaluator TEXT NOT NULL, note TEXT NOT NULL,"
    " sentence TEXT NOT NULL, arch_hash INTEGER NOT NULL, network_hash INTEGER NOT NULL,"
    " reuse_key INTEGER NOT NULL, parent INTEGER, origin INTEGER, generation INTEGER NOT NULL,"
    " turns INTEGER NOT NULL, first_turn INTEGER NOT NULL, seen INTEGER NOT NULL,"
    " arrival INTEGER NOT NULL, evaluated INTEGER NOT NULL, epochs REAL NOT NULL,"
    " total_epochs REAL NOT NULL, seconds REAL NOT NULL, gradient BLOB);"
    "CREATE TABLE metric(trial INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL,"
    " value REAL NOT NULL, PRIMARY KEY(trial, position)) WITHOUT ROWID;"
    "CREATE TABLE curve(trial INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY(trial, position)) WITHOUT ROWID;"
    "CREATE TABLE point(trial INTEGER NOT NULL, curve INTEGER NOT NULL, position INTEGER NOT NULL,"
    " x REAL NOT NULL, y REAL NOT NULL, PRIMARY KEY(trial, curve, position)) WITHOUT ROWID;"
    "CREATE TABLE bytes(kind TEXT NOT NULL, name TEXT NOT NULL, hash INTEGER NOT NULL,"
    " bytes BLOB NOT NULL, PRIMARY KEY(kind, name));";

struct ni_file {
    nas_context *context;
    char *path;
    ni_lock *lock;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
};

/* ---- errors
 * ------------------------------------------------------------------------------------------- */

static nas_status status_of(int code) {
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return NAS_E_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return NAS_E_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* the statements are fixed: it is the tables that are not what they should
                          be */
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
        return NAS_E_CORRUPT;
    case SQLITE_TOOBIG:
        return NAS_E_LIMIT;
    case SQLITE_IOERR:
        return code == SQLITE_IOERR_NOMEM ? NAS_E_MEMORY : NAS_E_IO;
    case SQLITE_FULL:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_PROTOCOL:
        return NAS_E_IO;
    default:
        return NAS_E_INTERNAL;
    }
}

/* The sentence of the connection's last error. */
static nas_status failed(ni_file *file, const char *doing) {
    int code = file->db ? sqlite3_extended_errcode(file->db) : SQLITE_NOMEM;
    const char *remedy = "";
    switch (code & 0xff) {
    case SQLITE_NOTADB:
        return ni_fail(file->context, NAS_E_CORRUPT,
                       "\"%s\" is not a libnas store: it is not an SQLite database", file->path);
    case SQLITE_CORRUPT:
        return ni_fail(file->context, NAS_E_CORRUPT,
                       "store \"%s\" is damaged (%s); restore it from a copy", file->path,
                       sqlite3_errmsg(file->db));
    case SQLITE_FULL:
        return ni_fail(file->context, NAS_E_IO,
                       "store \"%s\": the disk is full while %s; what was finished before is kept: "
                       "make room and resume",
                       file->path, doing);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
        remedy = "; see that the file and its folder may be written, or open it to be read only";
        break;
    case SQLITE_BUSY:
        remedy = "; another process keeps it locked";
        break;
    default:
        break;
    }
    return ni_fail(file->context, status_of(code), "store \"%s\": %s while %s%s", file->path,
                   file->db ? sqlite3_errmsg(file->db) : "out of memory", doing, remedy);
}

static nas_status run(ni_file *file, const char *sql, const char *doing) {
    return sqlite3_exec(file->db, sql, NULL, NULL, NULL) == SQLITE_OK ? NAS_OK
                                                                      : failed(file, doing);
}

/* ---- statements
 * ---------------------------------------------------------------------------------------- */

static nas_status prepare(ni_file *file, int which, sqlite3_stmt **out) {
    *out = NULL;
    if (file->statements[which] == NULL &&
        sqlite3_prepare_v3(file->db, sql_of[which], -1, SQLITE_PREPARE_PERSISTENT,
                           &file->statements[which], NULL) != SQLITE_OK)
        return failed(file, "preparing a statement");
    *out = file->statements[which];
    return NAS_OK;
}

/* One step of a statement that gives no row; it is ready for its next use afterwards. */
static nas_status finish(ni_file *file, sqlite3_stmt *statement, const char *doing) {
    int code = sqlite3_step(statement);
    nas_status status = code == SQLITE_DONE ? NAS_OK : failed(file, doing);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return status;
}

static void bind_u64(sqlite3_stmt *s, int at, uint64_t value) {
    sqlite3_bind_int64(s, at, (sqlite3_int64)value);
}
static void bind_trial(sqlite3_stmt *s, int at, uint64_t trial) {
    if (trial == NAS_TRIAL_NONE)
        sqlite3_bind_null(s, at);
    else
        bind_u64(s, at, trial);
}
/* SQLite has no NaN: it becomes NULL by itself, and comes back as NaN. */
static void bind_text(sqlite3_stmt *s, int at, const char *text) {
    sqlite3_bind_text(s, at, text ? text : "", -1, SQLITE_STATIC);
}

/* ---- opening
 * ------------------------------------------------------------------------------------------- */

static nas_status pragma_int(ni_file *file, const char *sql, int64_t *out) {
    sqlite3_stmt *statement = NULL;
    nas_status status = NAS_OK;
    if (sqlite3_prepare_v2(file->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return failed(file, "reading its header");
    if (sqlite3_step(statement) == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    else
        status = failed(file, "reading its header");
    sqlite3_finalize(statement);
    return status;
}

/* What holds for every connection: a file from a stranger may not run anything. */
static nas_status harden(ni_file *file) {
    sqlite3_extended_result_codes(file->db, 1);
    sqlite3_busy_timeout(file->db, 5000);
    sqlite3_limit(file->db, SQLITE_LIMIT_SQL_LENGTH, 1 << 16);
    sqlite3_limit(file->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(file->db, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    return run(file,
               "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;",
               "opening it");
}

static nas_status make_schema(ni_file *file) {
    ni_text sql;
    ni_text_init(&sql, file->context);
    ni_text_f(&sql, "BEGIN IMMEDIATE; %s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;",
              schema, APPLICATION_ID, NI_STORE_FORMAT);
    nas_status status = sql.status;
    if (status >= 0) status = run(file, ni_text_get(&sql), "making its tables");
    ni_text_free(&sql);
    if (status < 0 && !sqlite3_get_autocommit(file->db))
        sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* *fresh: nothing is in it yet: it is new, or its maker died before it had tables. */
static nas_status check_header(ni_file *file, bool *fresh) {
    int64_t application = 0, version = 0, tables = 0;
    NI_TRY(pragma_int(file, "PRAGMA application_id", &application));
    NI_TRY(pragma_int(file, "PRAGMA user_version", &version));
    NI_TRY(pragma_int(file, "SELECT count(*) FROM sqlite_master", &tables));
    *fresh = application == 0 && version == 0 && tables == 0;
    if (*fresh) return NAS_OK;
    if (application != APPLICATION_ID)
        return ni_fail(file->context, NAS_E_CORRUPT,
                       "\"%s\" is not a libnas store: it is an SQLite database of another program",
                       file->path);
    if (version > NI_STORE_FORMAT)
        return ni_fail(
            file->context, NAS_E_VERSION,
            "store \"%s\" has format %lld, written by a later libnas; this one, %s, reads "
            "up to %d",
            file->path, (long long)version, NAS_VERSION_TEXT, NI_STORE_FORMAT);
    if (version < 1)
        return ni_fail(file->context, NAS_E_CORRUPT,
                       "store \"%s\" has format %lld, which never was", file->path,
                       (long long)version);
    return NAS_OK;
}

/* A reader in a folder that it may not write cannot make the memory that WAL readers share. When
 * the last writer closed the store well nothing is missing from the file itself, and it can be read
 * as one that nobody changes. */
static nas_status reopen_immutable(ni_file *file, const char *vfs) {
    ni_text uri;
    nas_status status;
    ni_text_init(&uri, file->context);
    ni_text_add(&uri, file->path);
    ni_text_add(&uri, "-wal");
    status = uri.status;
    bool has_wal = status >= 0 && ni_file_exists(ni_text_get(&uri));
    ni_text_clear(&uri);
    if (status >= 0 && has_wal)
        status =
            ni_fail(file->context, NAS_E_IO,
                    "store \"%s\": its last writer did not close it, and its folder may not be "
                    "written; copy the store with its -wal file to a folder that may",
                    file->path);
    if (status >= 0) {
        ni_text_add(&uri, "file:");
        for (const char *c = file->path; *c; c++) {
            if (*c == '%' || *c == '?' || *c == '#')
                ni_text_f(&uri, "%%%02x", (unsigned)*c);
            else
                ni_text_add_char(&uri, *c);
        }
        ni_text_add(&uri, "?immutable=1");
        status = uri.status;
    }
    if (status >= 0) {
        sqlite3_close(file->db);
        file->db = NULL;
        if (sqlite3_open_v2(ni_text_get(&uri), &file->db,
                            SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
                            vfs) != SQLITE_OK)
            status = failed(file, "opening it");
        else
            status = harden(file);
    }
    ni_text_free(&uri);
    return status;
}

static nas_status open_reading(ni_file *file, const char *vfs) {
    if (sqlite3_open_v2(file->path, &file->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, vfs) !=
        SQLITE_OK)
        return failed(file, "opening it");
    NI_TRY(harden(file));
    int code = sqlite3_exec(file->db, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
    if ((code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY)
        NI_TRY(reopen_immutable(file, vfs));
    bool fresh;
    NI_TRY(check_header(file, &fresh));
    if (!fresh) return NAS_OK;
    return ni_fail(file->context, NAS_E_CORRUPT, "\"%s\" is not a libnas store: it is empty",
                   file->path);
}

static nas_status open_writing(ni_file *file, const nas_store_options *options) {
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (options->create ? SQLITE_OPEN_CREATE : 0);
    NI_TRY(ni_lock_take(&file->lock, file->context, file->path));
    if (sqlite3_open_v2(file->path, &file->db, flags, options->vfs) != SQLITE_OK)
        return failed(file, "opening it");
    if (sqlite3_db_readonly(file->db, "main") == 1)
        return ni_fail(file->context, NAS_E_IO,
                       "store \"%s\" may not be written; open it to be read only", file->path);
    NI_TRY(harden(file));
    bool fresh;
    NI_TRY(check_header(file, &fresh));
    NI_TRY(run(file, "PRAGMA journal_mode=WAL", "setting its log"));
    NI_TRY(run(file,
               options->durable == NAS_DURABLE_POWER ? "PRAGMA synchronous=FULL"
                                                     : "PRAGMA synchronous=NORMAL",
               "setting its log"));
    return fresh ? make_schema(file) : NAS_OK;
}

nas_status ni_file_open(ni_file **out, nas_context *context, const char *path,
                        const nas_store_options *options) {
    nas_status status;
    if (!options->read_only && !options->create && !ni_file_exists(path))
        return ni_fail(context, NAS_E_NOT_FOUND, "there is no store \"%s\"", path);
    if (options->read_only && !ni_file_exists(path))
        return ni_fail(context, NAS_E_NOT_FOUND, "there is no store \"%s\" to read", path);
    ni_file *file = ni_calloc(context, 1, sizeof *file);
    if (file == NULL) return NAS_E_MEMORY;
    file->context = context;
    /* SQLite gives a meaning to names that begin with a colon. */
    file->path = ni_alloc(context, strlen(path) + 3);
    if (file->path == NULL) {
        ni_free(context, file);
        return NAS_E_MEMORY;
    }
    memcpy(file->path, "./", 2);
    memcpy(file->path + (path[0] == ':' ? 2 : 0), path, strlen(path) + 1);
    status = options->read_only ? open_reading(file, options->vfs) : open_writing(file, options);
    if (status < 0) {
        ni_file_close(file);
        return status;
    }
    *out = file;
    return NAS_OK;
}

void ni_file_close(ni_file *file) {
    if (file == NULL) return;
    nas_context *context = file->context;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(file->statements[i]);
    sqlite3_close(file->db);
    ni_lock_release(file->lock);
    ni_free(context, file->path);
    ni_free(context, file);
}

/* ---- writing
 * -------------------------------------------------------------------------------------------- */

nas_status ni_file_begin(ni_file *file) {
    sqlite3_stmt *statement = NULL;
    NI_TRY(prepare(file, BEGIN, &statement));
    return finish(file, statement, "beginning to write");
}

nas_status ni_file_commit(ni_file *file) {
    sqlite3_stmt *statement = NULL;
    NI_TRY(prepare(file, COMMIT, &statement));
    return finish(file, statement, "writing");
}

void ni_file_rollback(ni_file *file) {
    if (!sqlite3_get_autocommit(file->db)) sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
}

static nas_status put_curve(ni_file *file, uint64_t trial, uint32_t position,
                            const nas_result *result, const char *name) {
    sqlite3_stmt *s = NULL;
    uint32_t n = nas_result_points(result, name);
    NI_TRY(prepare(file, PUT_CURVE, &s));
    bind_u64(s, 1, trial);
    bind_u64(s, 2, position);
    bind_text(s, 3, name);
    NI_TRY(finish(file, s, "writing a curve"));
    NI_TRY(prepare(file, PUT_POINT, &s));
    for (uint32_t p = 0; p < n; p++) {
        double x = 0, y = 0;
        (void)nas_result_point(result, name, p, &x, &y);
        bind_u64(s, 1, trial);
        bind_u64(s, 2, position);
        bind_u64(s, 3, p);
        sqlite3_bind_double(s, 4, x);
        sqlite3_bind_double(s, 5, y);
        NI_TRY(finish(file, s, "writing a curve"));
    }
    return NAS_OK;
}

nas_status ni_file_put_trial(ni_file *file, const ni_trial_row *r, const nas_result *result) {
    sqlite3_stmt *s = NULL;
    size_t n_gradient;
    const double *gradient = nas_result_gradient(result, &n_gradient);
    const char *name;
    double value;
    NI_TRY(prepare(file, PUT_TRIAL, &s));
    bind_u64(s, 1, r->number);
    sqlite3_bind_int(s, 2, r->state);
    sqlite3_bind_int(s, 3, r->reason);
    sqlite3_bind_double(s, 4, r->score);
    bind_text(s, 5, r->design ? nas_arch_text(r->design) : r->arch);
    bind_text(s, 6, r->evaluator);
    bind_text(s, 7, r->note);
    bind_text(s, 8, r->sentence);
    bind_u64(s, 9, r->design ? nas_arch_hash(r->design) : r->arch_hash);
    bind_u64(s, 10, r->network_hash);
    bind_u64(s, 11, r->reuse_key);
    bind_trial(s, 12, r->parent);
    bind_trial(s, 13, r->from);
    bind_u64(s, 14, r->generation);
    bind_u64(s, 15, r->turns);
    bind_u64(s, 16, r->first_turn);
    bind_u64(s, 17, r->seen);
    bind_u64(s, 18, r->arrival);
    sqlite3_bind_int(s, 19, r->evaluated);
    sqlite3_bind_double(s, 20, r->epochs);
    sqlite3_bind_double(s, 21, r->total_epochs);
    sqlite3_bind_double(s, 22, r->seconds);
    if (n_gradient)
        sqlite3_bind_blob64(s, 23, gradient, n_gradient * sizeof *gradient, SQLITE_STATIC);
    NI_TRY(finish(file, s, "writing a trial"));
    for (uint32_t i = 0; (name = nas_result_metric_at(result, i, &value)); i++) {
        NI_TRY(prepare(file, PUT_METRIC, &s));
        bind_u64(s, 1, r->number);
        bind_u64(s, 2, i);
        bind_text(s, 3, name);
        sqlite3_bind_double(s, 4, value);
        NI_TRY(finish(file, s, "writing a metric"));
    }
    for (uint32_t i = 0; (name = nas_result_curve_at(result, i)); i++)
        NI_TRY(put_curve(file, r->number, i, result, name));
    return NAS_OK;
}

nas_status ni_file_put_fact(ni_file *file, const char *key, const char *value) {
    sqlite3_stmt *s = NULL;
    NI_TRY(prepare(file, PUT_FACT, &s));
    bind_text(s, 1, key);
    bind_text(s, 2, value);
    return finish(file, s, "writing a fact");
}

static const char *const kinds[] = {
    [NI_KIND_STATE] = "state", [NI_KIND_BLOB] = "blob", [NI_KIND_KEPT] = "kept"};

nas_status ni_file_put_bytes(ni_file *file, int32_t kind, const char *name, const void *bytes,
                             size_t n) {
    sqlite3_stmt *s = NULL;
    NI_TRY(prepare(file, bytes ? PUT_BYTES : DROP_BYTES, &s));
    bind_text(s, 1, kinds[kind]);
    bind_text(s, 2, name);
    if (bytes) {
        bind_u64(s, 3, ni_hash(bytes, n));
        if (sqlite3_bind_blob64(s, 4, n ? bytes : "", n, SQLITE_STATIC) != SQLITE_OK) {
            nas_status status =
                ni_fail(file->context, NAS_E_LIMIT,
                        "store \"%s\": %zu bytes of \"%s\" are more than SQLite holds", file->path,
                        n, name);
            sqlite3_clear_bindings(s);
            return status;
        }
    }
    return finish(file, s, "writing a checkpoint");
}

nas_status ni_file_get_bytes(ni_file *file, int32_t kind, const char *name, void **out, size_t *n) {
    sqlite3_stmt *s = NULL;
    nas_status status = NAS_OK;
    *out = NULL;
    *n = 0;
    NI_TRY(prepare(file, GET_BYTES, &s));
    bind_text(s, 1, kinds[kind]);
    bind_text(s, 2, name);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        uint64_t hash = (uint64_t)sqlite3_column_int64(s, 0);
        const void *bytes = sqlite3_column_blob(s, 1);
        size_t count = (size_t)sqlite3_column_bytes(s, 1);
        if (ni_hash(bytes ? bytes : "", count) != hash)
            status = ni_fail(file->context, NAS_E_CORRUPT,
                             "store \"%s\": the bytes of %s \"%s\" are damaged", file->path,
                             kinds[kind], name);
        else {
            *out = ni_memdup(file->context, count ? bytes : "", count ? count : 1);
            *n = count;
            if (*out == NULL) status = NAS_E_MEMORY;
        }
    } else if (code != SQLITE_DONE) {
        status = failed(file, "reading a checkpoint");
    }
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return status;
}

/* ---- reading all of it
 * ------------------------------------------------------------------------------------ */

static const char *column_text(sqlite3_stmt *s, int at) {
    const char *text = (const char *)sqlite3_column_text(s, at);
    return text ? text : "";
}
static uint64_t column_u64(sqlite3_stmt *s, int at) {
    return (uint64_t)sqlite3_column_int64(s, at);
}
static uint64_t column_trial(sqlite3_stmt *s, int at) {
    return sqlite3_column_type(s, at) == SQLITE_NULL ? NAS_TRIAL_NONE : column_u64(s, at);
}

static nas_status damaged(ni_file *file, uint64_t trial) {
    return ni_fail(file->context, NAS_E_CORRUPT, "store \"%s\": trial %llu is damaged", file->path,
                   (unsigned long long)trial);
}

/* The tables are read side by side, each in the order of trials: `at` is the trial of its next row,
 * NAS_TRIAL_NONE past its last. */
typedef struct {
    sqlite3_stmt *s;
    uint64_t at;
} ni_cursor;

static nas_status cursor_next(ni_file *file, ni_cursor *cursor) {
    int code = sqlite3_step(cursor->s);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return failed(file, "reading it");
    cursor->at = code == SQLITE_ROW ? column_u64(cursor->s, 0) : NAS_TRIAL_NONE;
    return NAS_OK;
}

static nas_status cursor_open(ni_file *file, ni_cursor *cursor, const char *sql) {
    if (sqlite3_prepare_v2(file->db, sql, -1, &cursor->s, NULL) != SQLITE_OK)
        return failed(file, "reading it");
    return cursor_next(file, cursor);
}

enum { TRIALS, METRICS, CURVES, POINTS, CURSORS };

static nas_status load_curves(ni_file *file, ni_cursor *curve, ni_cursor *point,
                              nas_result_builder *result) {
    uint64_t trial = curve->at;
    while (curve->at == trial) {
        char name[64];
        int64_t position = sqlite3_column_int64(curve->s, 1);
        const char *text = column_text(curve->s, 2);
        if (strlen(text) >= sizeof name) return damaged(file, trial);
        memcpy(name, text, strlen(text) + 1);
        while (point->at == trial && sqlite3_column_int64(point->s, 1) == position) {
            NI_TRY(nas_result_add_point(result, name, sqlite3_column_double(point->s, 2),
                                        sqlite3_column_double(point->s, 3)));
            NI_TRY(cursor_next(file, point));
        }
        NI_TRY(cursor_next(file, curve));
    }
    return NAS_OK;
}

static nas_status load_trial(ni_file *file, ni_cursor *cursors, nas_result_builder *result,
                             nas_store *into) {
    sqlite3_stmt *s = cursors[TRIALS].s;
    uint64_t trial = cursors[TRIALS].at;
    ni_trial_row row = {
        .number = trial,
        .state = sqlite3_column_int(s, 1),
        .reason = sqlite3_column_int(s, 2),
        .score = sqlite3_column_type(s, 3) == SQLITE_NULL ? NAN : sqlite3_column_double(s, 3),
        .arch = column_text(s, 4),
        .evaluator = column_text(s, 5),
        .note = column_text(s, 6),
        .sentence = column_text(s, 7),
        .arch_hash = column_u64(s, 8),
        .network_hash = column_u64(s, 9),
        .reuse_key = column_u64(s, 10),
        .parent = column_trial(s, 11),
        .from = column_trial(s, 12),
        .generation = column_u64(s, 13),
        .turns = column_u64(s, 14),
        .first_turn = column_u64(s, 15),
        .seen = column_u64(s, 16),
        .arrival = column_u64(s, 17),
        .evaluated = sqlite3_column_int(s, 18),
        .epochs = sqlite3_column_double(s, 19),
        .total_epochs = sqlite3_column_double(s, 20),
        .seconds = sqlite3_column_double(s, 21)};
    if (row.state < 0 || row.state > NAS_STATE_CACHED || row.reason < 0 ||
        row.reason > NAS_REASON_OTHER || (row.parent != NAS_TRIAL_NONE && row.parent >= trial) ||
        (row.from != NAS_TRIAL_NONE && row.from >= trial))
        return damaged(file, trial);
    size_t n_gradient = (size_t)sqlite3_column_bytes(s, 22);
    if (n_gradient % sizeof(double)) return damaged(file, trial);
    if (n_gradient) {
        double *gradient = ni_memdup(file->context, sqlite3_column_blob(s, 22), n_gradient);
        if (gradient == NULL) return NAS_E_MEMORY;
        nas_status status = nas_result_set_gradient(result, gradient, n_gradient / sizeof(double));
        ni_free(file->context, gradient);
        NI_TRY(status);
    }
    while (cursors[METRICS].at == trial) {
        NI_TRY(nas_result_set(result, column_text(cursors[METRICS].s, 1),
                              sqlite3_column_double(cursors[METRICS].s, 2)));
        NI_TRY(cursor_next(file, &cursors[METRICS]));
    }
    if (cursors[CURVES].at == trial)
        NI_TRY(load_curves(file, &cursors[CURVES], &cursors[POINTS], result));
    for (int i = METRICS; i < CURSORS; i++) /* a row of a trial that is none */
        if (cursors[i].at <= trial) return damaged(file, cursors[i].at);
    return ni_store_load_row(into, &row, nas_result_so_far(result));
}

static nas_status load_trials(ni_file *file, nas_store *into) {
    static const char *const sql[CURSORS] = {
        [TRIALS] = "SELECT number,state,reason,score,arch,evaluator,note,sentence,arch_hash,"
                   "network_hash,reuse_key,parent,origin,generation,turns,first_turn,seen,arrival,"
                   "evaluated,epochs,total_epochs,seconds,gradient FROM trial ORDER BY number",
        [METRICS] = "SELECT trial,name,value FROM metric ORDER BY trial,position",
        [CURVES] = "SELECT trial,position,name FROM curve ORDER BY trial,position",
        [POINTS] = "SELECT trial,curve,x,y FROM point ORDER BY trial,curve,position",
    };
    ni_cursor cursors[CURSORS] = {{NULL, 0}};
    nas_result_builder *result = NULL;
    nas_status status = NAS_OK;
    for (int i = 0; i < CURSORS; i++)
        NI_GOTO(end, cursor_open(file, &cursors[i], sql[i]));
    NI_GOTO(end, nas_result_create(&result, file->context));
    while (cursors[TRIALS].at != NAS_TRIAL_NONE) {
        ni_result_clear(result);
        NI_GOTO(end, load_trial(file, cursors, result, into));
        NI_GOTO(end, cursor_next(file, &cursors[TRIALS]));
    }
    for (int i = METRICS; i < CURSORS; i++)
        if (cursors[i].at != NAS_TRIAL_NONE) status = damaged(file, cursors[i].at);
end:
    nas_result_free(result);
    for (int i = 0; i < CURSORS; i++)
        sqlite3_finalize(cursors[i].s);
    return status;
}

static nas_status load_facts(ni_file *file, nas_store *into) {
    sqlite3_stmt *s = NULL;
    nas_status status = NAS_OK;
    int code;
    if (sqlite3_prepare_v2(file->db, "SELECT key,value FROM fact ORDER BY key", -1, &s, NULL) !=
        SQLITE_OK)
        return failed(file, "reading it");
    while (status >= 0 && (code = sqlite3_step(s)) != SQLITE_DONE)
        status = code == SQLITE_ROW ? ni_store_load_fact(into, column_text(s, 0), column_text(s, 1))
                                    : failed(file, "reading it");
    sqlite3_finalize(s);
    return status;
}

nas_status ni_file_load(ni_file *file, nas_store *into) {
    /* One transaction: facts and trials of the same moment. */
    NI_TRY(run(file, "BEGIN", "reading it"));
    nas_status status = load_facts(file, into);
    if (status >= 0) status = load_trials(file, into);
    ni_file_rollback(file);
    if (status == NAS_E_INVALID || status == NAS_E_DIVERGED || status == NAS_E_LIMIT) {
        ni_text where; /* contents that no result may have */
        ni_text_init(&where, file->context);
        ni_text_f(&where, "store \"%s\" is damaged", file->path);
        status = ni_fail_prefix(file->context, NAS_E_CORRUPT, ni_text_get(&where));
        ni_text_free(&where);
    }
    return status;
}

#else /* ---- without SQLite                                                                       \
         -------------------------------------------------------------------------------- */

nas_status ni_file_open(ni_file **out, nas_context *context, const char *path,
                        const nas_store_options *options) {
    (void)out, (void)options;
    return ni_fail(context, NAS_E_UNSUPPORTED,
                   "store \"%s\": this libnas was built without SQLite and keeps stores in memory "
                   "alone; install libsqlite3-dev and build it again with -Dstore=enabled",
                   path);
}
void ni_file_close(ni_file *file) {
    (void)file;
}
nas_status ni_file_load(ni_file *file, nas_store *into) {
    (void)file, (void)into;
    return NAS_E_UNSUPPORTED;
}
nas_status ni_file_begin(ni_file *file) {
    (void)file;
    return NAS_E_UNSUPPORTED;
}
nas_status ni_file_commit(ni_file *file) {
    (void)file;
    return NAS_E_UNSUPPORTED;
}
void ni_file_rollback(ni_file *file) {
    (void)file;
}
nas_status ni_file_put_trial(ni_file *file, const ni_trial_row *row, const nas_result *result) {
    (void)file, (void)row, (void)result;
    return NAS_E_UNSUPPORTED;
}
nas_status ni_file_put_fact(ni_file *file, const char *key, const char *value) {
    (void)file, (void)key, (void)value;
    return NAS_E_UNSUPPORTED;
}
nas_status ni_file_put_bytes(ni_file *file, int32_t kind, const char *name, const void *bytes,
                             size_t n) {
    (void)file, (void)kind, (void)name, (void)bytes, (void)n;
    return NAS_E_UNSUPPORTED;
}
nas_status ni_file_get_bytes(ni_file *file, int32_t kind, const char *name, void **out, size_t *n) {
    (void)file, (void)kind, (void)name, (void)out, (void)n;
    return NAS_E_UNSUPPORTED;
}
#endif
