/* A store, in memory and in a file: what goes in comes out, whole transactions or nothing, one
 * writer, and what strangers' files get. */
#include "search/fixture.h"
#include "store/store.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#if __has_include(<sqlite3.h>)
#include <sqlite3.h>
#endif

typedef struct {
    test_allocator memory;
    nas_context *context;
    char folder[256], path[300];
} state;

static int begin(void **out) {
    state *s = calloc(1, sizeof *s);
    s->context = make_context(&s->memory, 1);
    folder_begin(s->folder, sizeof s->folder);
    snprintf(s->path, sizeof s->path, "%s/a store.nas", s->folder);
    *out = s;
    return 0;
}
static int end(void **in) {
    state *s = *in;
    nas_context_free(s->context);
    assert_int_equal(s->memory.bytes, 0);
    folder_end(s->folder);
    free(s);
    return 0;
}

static nas_store *open_store(state *s, const char *path, int read_only) {
    nas_store_options options = NAS_STORE_OPTIONS_INIT;
    nas_store *store;
    options.read_only = read_only;
    MUST(s->context, nas_store_open(&store, s->context, path, &options));
    return store;
}

static void put(state *s, nas_store *store, uint64_t number) {
    nas_result_builder *b;
    ni_trial_row row = {.number = number,
                        .first_turn = number,
                        .turns = 1,
                        .arrival = number,
                        .arch_hash = UINT64_MAX - number,
                        .network_hash = 7 * number,
                        .parent = number > 1 ? number - 2 : NAS_TRIAL_NONE,
                        .from = NAS_TRIAL_NONE,
                        .generation = number / 2,
                        .evaluated = 1,
                        .score = number == 3   ? -INFINITY
                                 : number == 4 ? NAN
                                               : 1.0 / (double)(number + 1),
                        .seconds = 0.25,
                        .epochs = 2,
                        .total_epochs = 2,
                        .arch = "conv \"3\"|é",
                        .note = number ? "mutation" : NULL,
                        .evaluator = "train"};
    const double gradient[2] = {0.5, -0.5};
    MUST(s->context, nas_result_create(&b, s->context));
    MUST(s->context, nas_result_set(b, "accuracy", 1.0 / (double)(number + 1)));
    MUST(s->context, nas_result_set(b, "params", 1e15 + (double)number));
    MUST(s->context, nas_result_set(b, "seconds", 12.5));
    MUST(s->context, nas_result_set(b, "tiny", 5e-324));
    for (int i = 1; i <= 3; i++) {
        MUST(s->context, nas_result_add_point(b, "accuracy", i, 0.1 * i));
        MUST(s->context, nas_result_add_point(b, "loss", i, 1.0 / i));
    }
    if (number == 5) MUST(s->context, nas_result_set_gradient(b, gradient, 2));
    if (number == 3) {
        MUST(s->context,
             nas_result_set_infeasible(b, NAS_REASON_DIVERGED, "loss is nan in epoch 2"));
        row.state = NAS_STATE_INFEASIBLE;
        row.reason = NAS_REASON_DIVERGED;
        row.sentence = "loss is nan in epoch 2";
    }
    MUST(s->context, ni_store_begin(store));
    nas_status status = ni_store_put_trial(store, &row, nas_result_so_far(b));
    if (status < 0)
        ni_store_rollback(store);
    else
        status = ni_store_commit(store);
    MUST(s->context, status);
    nas_result_free(b);
}

static void check(state *s, nas_store *store, uint64_t trials) {
    nas_trial trial = {.struct_size = sizeof trial};
    uint64_t n;
    double value, x[2], y[2];
    const char *name;
    size_t points;
    MUST(s->context, nas_store_trials(store, &n));
    assert_int_equal(n, trials);
    for (uint64_t t = 0; t < trials; t++) {
        MUST(s->context, nas_store_trial(store, t, &trial));
        assert_int_equal(trial.number, t);
        assert_string_equal(trial.arch, "conv \"3\"|é");
        assert_string_equal(trial.evaluator, "train");
        assert_string_equal(trial.note, t ? "mutation" : "");
        assert_string_equal(trial.sentence, t == 3 ? "loss is nan in epoch 2" : "");
        assert_int_equal(trial.state, t == 3 ? NAS_STATE_INFEASIBLE : NAS_STATE_COMPLETE);
        assert_true(trial.arch_hash == UINT64_MAX - t && trial.network_hash == 7 * t);
        assert_true(trial.parent == (t > 1 ? t - 2 : NAS_TRIAL_NONE));
        assert_true(trial.from == NAS_TRIAL_NONE);
        assert_int_equal(trial.generation, t / 2);
        if (t == 3)
            assert_true(trial.score == -INFINITY);
        else if (t == 4)
            assert_true(isnan(trial.score));
        else
            assert_true(trial.score == 1.0 / (double)(t + 1));
        MUST(s->context, nas_store_metric(store, t, "params", &value));
        assert_true(value == 1e15 + (double)t);
        MUST(s->context, nas_store_metric(store, t, "tiny", &value));
        assert_true(value == 5e-324);
        MUST(s->context, nas_store_metric_at(store, t, 2, &name, &value));
        assert_string_equal(name, "seconds");
        MUST(s->context, nas_store_metric_at(store, t, 4, &name, &value));
        assert_null(name);
        MUST(s->context, nas_store_curve(store, t, "loss", x, y, 2, &points));
        assert_int_equal(points, 3);
        assert_true(x[1] == 2 && y[1] == 0.5);
        FAILS(s->context, NAS_E_NOT_FOUND, "no curve \"time\"",
              nas_store_curve(store, t, "time", x, y, 2, &points));
        nas_result_builder *b;
        MUST(s->context, nas_result_create(&b, s->context));
        MUST(s->context, ni_store_result(store, t, b));
        const nas_result *r = nas_result_so_far(b);
        assert_int_equal(nas_result_state(r), trial.state);
        assert_int_equal(nas_result_points(r, "accuracy"), 3);
        const double *gradient = nas_result_gradient(r, &points);
        assert_int_equal(points, t == 5 ? 2 : 0);
        if (t == 5) assert_true(gradient[1] == -0.5);
        nas_result_free(b);
    }
    FAILS(s->context, NAS_E_NOT_FOUND, "no trial 77", nas_store_trial(store, 77, &trial));
    trial.struct_size = 8;
    if (trials) FAILS(s->context, NAS_E_INVALID, "struct_size", nas_store_trial(store, 0, &trial));
}

static void test_contents(void **in) {
    state *s = *in;
    char *dumps[3];
    for (int file = 0; file < 2; file++) {
        nas_store *store = open_store(s, file ? s->path : NULL, 0);
        const char *text;
        const void *bytes;
        size_t n;
        check(s, store, 0);
        put(s, store, 0);
        put(s, store, 1);
        put(s, store, 3);
        check(s, store, 2); /* 2 is not there yet */
        assert_int_equal(ni_store_rows(store), 4);
        ni_trial_row row;
        assert_true(ni_store_row(store, 3, &row) && row.has_arch && row.has_note);
        assert_false(ni_store_row(store, 2, &row));
        put(s, store, 2);
        put(s, store, 4);
        put(s, store, 5);
        check(s, store, 6);
        FAILS(s->context, NAS_E_NOT_FOUND, "no fact \"seed\"",
              nas_store_fact(store, "seed", &text));
        MUST(s->context, nas_store_set_fact(store, "seed", "1"));
        MUST(s->context, nas_store_set_fact(store, "seed", "2"));
        MUST(s->context, nas_store_set_fact(store, "report.title", "a\ntitle"));
        MUST(s->context, nas_store_fact(store, "seed", &text));
        assert_string_equal(text, "2");
        FAILS(s->context, NAS_E_NOT_FOUND, "no blob",
              nas_store_get_blob(store, "weights", &bytes, &n));
        MUST(s->context, nas_store_put_blob(store, "weights", "\0\1\2", 3));
        MUST(s->context, nas_store_put_blob(store, "weights", "\3\2\1\0", 4));
        MUST(s->context, nas_store_put_blob(store, "empty", NULL, 0));
        MUST(s->context, nas_store_get_blob(store, "weights", &bytes, &n));
        assert_int_equal(n, 4);
        assert_memory_equal(bytes, "\3\2\1\0", 4);
        MUST(s->context, nas_store_get_blob(store, "empty", &bytes, &n));
        assert_int_equal(n, 0);
        dumps[file] = dump_of(s->context, store);
        nas_store_free(store);
    }
    nas_store *again = open_store(s, s->path, 1);
    const char *text;
    check(s, again, 6);
    MUST(s->context, nas_store_fact(again, "report.title", &text));
    assert_string_equal(text, "a\ntitle");
    FAILS(s->context, NAS_E_STATE, "read only", nas_store_set_fact(again, "seed", "3"));
    dumps[2] = dump_of(s->context, again);
    nas_store_free(again);
    assert_string_equal(dumps[0], dumps[1]); /* memory, file, and file again */
    assert_string_equal(dumps[0], dumps[2]);
    assert_non_null(strstr(dumps[0], "\"accuracy\":0.3333333333333333"));
    assert_non_null(strstr(dumps[0], "seed: \"2\"\n"));
    assert_null(strstr(dumps[0], "seconds"));
    assert_null(strstr(dumps[0], "title"));
    for (int i = 0; i < 3; i++)
        free(dumps[i]);
}

static void test_transactions(void **in) {
    state *s = *in;
    for (int file = 0; file < 2; file++) {
        nas_store *store = open_store(s, file ? s->path : NULL, 0);
        const char *text;
        void *bytes;
        size_t n;
        MUST(s->context, ni_store_begin(store));
        MUST(s->context, ni_store_put_fact(store, "a", "1"));
        MUST(s->context, ni_store_put_state(store, "search", "xyz", 3));
        MUST(s->context, ni_store_put_kept(store, 4, "kept", 4));
        ni_store_rollback(store);
        FAILS(s->context, NAS_E_NOT_FOUND, "", nas_store_fact(store, "a", &text));
        MUST(s->context, ni_store_get_state(store, "search", &bytes, &n));
        assert_null(bytes);
        MUST(s->context, ni_store_get_kept(store, 4, &bytes, &n));
        assert_null(bytes);
        MUST(s->context, ni_store_begin(store));
        MUST(s->context, ni_store_put_fact(store, "a", "1"));
        MUST(s->context, ni_store_put_fact(store, "a", "2"));
        MUST(s->context, ni_store_put_state(store, "search", "xyz", 3));
        MUST(s->context, ni_store_put_state(store, "other", "", 0));
        MUST(s->context, ni_store_put_kept(store, 4, "kept", 4));
        MUST(s->context, ni_store_put_kept(store, 2, "more", 4));
        MUST(s->context, ni_store_commit(store));
        MUST(s->context, nas_store_fact(store, "a", &text));
        assert_string_equal(text, "2");
        MUST(s->context, ni_store_get_state(store, "search", &bytes, &n));
        assert_int_equal(n, 3);
        ni_free(s->context, bytes);
        MUST(s->context, ni_store_get_state(store, "other", &bytes, &n));
        assert_true(bytes && n == 0);
        ni_free(s->context, bytes);
        MUST(s->context, ni_store_begin(store));
        MUST(s->context, ni_store_put_kept(store, 4, NULL, 0));
        MUST(s->context, ni_store_put_kept(store, 9, NULL, 0));
        MUST(s->context, ni_store_commit(store));
        MUST(s->context, ni_store_get_kept(store, 4, &bytes, &n));
        assert_null(bytes);
        MUST(s->context, ni_store_get_kept(store, 2, &bytes, &n));
        assert_memory_equal(bytes, "more", 4);
        ni_free(s->context, bytes);
        nas_store_free(store);
    }
}

/* ---- who may open it
 * ------------------------------------------------------------------------------------ */

static void test_one_writer(void **in) {
    state *s = *in;
    nas_store *store = open_store(s, s->path, 0), *second, *reader;
    nas_store_options options = NAS_STORE_OPTIONS_INIT;
    char words[64];
    put(s, store, 0);
    snprintf(words, sizeof words, "written by process %d", (int)getpid());
    FAILS(s->context, NAS_E_BUSY, words, nas_store_open(&second, s->context, s->path, NULL));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) { /* another process, with a context of its own */
        nas_context *own;
        int ok = nas_context_create(&own, NULL) == NAS_OK &&
                 nas_store_open(&second, own, s->path, NULL) == NAS_E_BUSY;
        options.read_only = 1;
        uint64_t n = 0;
        ok = ok && nas_store_open(&reader, own, s->path, &options) == NAS_OK &&
             nas_store_trials(reader, &n) == NAS_OK && n == 1;
        _exit(ok ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    reader = open_store(s, s->path, 1); /* any number may read */
    put(s, store, 1);
    check(s, reader, 1); /* as it was when it was opened */
    nas_store_free(reader);
    nas_store_free(store);
    char lock[320];
    snprintf(lock, sizeof lock, "%s-lock", s->path);
    assert_int_equal(access(lock, F_OK), -1);
    /* A lock file whose process is gone is nobody's. */
    int fd = open(lock, O_CREAT | O_WRONLY, 0666);
    assert_int_equal(write(fd, "1\n", 2), 2);
    close(fd);
    store = open_store(s, s->path, 0);
    check(s, store, 2);
    nas_store_free(store);
}

static void test_absent(void **in) {
    state *s = *in;
    nas_store *store;
    nas_store_options options = NAS_STORE_OPTIONS_INIT;
    options.create = 0;
    FAILS(s->context, NAS_E_NOT_FOUND, "a store.nas",
          nas_store_open(&store, s->context, s->path, &options));
    options.read_only = 1;
    FAILS(s->context, NAS_E_NOT_FOUND, "to read",
          nas_store_open(&store, s->context, s->path, &options));
    options.read_only = 2;
    FAILS(s->context, NAS_E_INVALID, "read_only",
          nas_store_open(&store, s->context, s->path, &options));
    FAILS(s->context, NAS_E_INVALID, "empty", nas_store_open(&store, s->context, "", NULL));
    FAILS(s->context, NAS_E_IO, "lock",
          nas_store_open(&store, s->context, "/nonexistent/folder/x.nas", NULL));
    FAILS(s->context, NAS_E_IO, "", nas_store_open(&store, s->context, s->folder, NULL));
}

static void test_read_only_folder(void **in) {
    /* A folder that may not be written: the sentence says so; a store in it can still be read. Root
     * may write anywhere, so the test gives up its rights in a child. */
    state *s = *in;
    nas_store *store = open_store(s, s->path, 0);
    put(s, store, 0);
    nas_store_free(store);
    assert_int_equal(chmod(s->path, 0444), 0);
    assert_int_equal(chmod(s->folder, 0555), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        nas_context *own;
        nas_store_options options = NAS_STORE_OPTIONS_INIT;
        char fresh[320];
        uint64_t n = 0;
        int failed = 0;
        snprintf(fresh, sizeof fresh, "%s/new.nas", s->folder);
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(77);
        failed |= nas_context_create(&own, NULL) != NAS_OK;
        failed |= 2 * (nas_store_open(&store, own, fresh, NULL) != NAS_E_IO);
        failed |= 4 * (strstr(nas_context_error(own), "permission denied") == NULL);
        failed |= 8 * (nas_store_open(&store, own, s->path, NULL) != NAS_E_IO);
        options.read_only = 1;
        failed |= 16 * (nas_store_open(&store, own, s->path, &options) != NAS_OK ||
                        nas_store_trials(store, &n) != NAS_OK || n != 1);
        if (failed) fprintf(stderr, "%d: %s\n", failed, nas_context_error(own));
        _exit(failed);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("cannot give up root's rights: a read-only folder is not tested\n");
        skip();
    }
    assert_int_equal(status, 0);
}

/* ---- files of strangers
 * ------------------------------------------------------------------------------------ */

static void write_file(const char *path, const void *bytes, size_t n) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static char *read_file(const char *path, size_t *n) {
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(1 << 20);
    assert_non_null(file);
    *n = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static void test_not_a_store(void **in) {
    state *s = *in;
    nas_store *store;
    char noise[9000];
    nas_store_options options = NAS_STORE_OPTIONS_INIT;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * 37 % 251);
    for (options.read_only = 0; options.read_only < 2; options.read_only++) {
        write_file(s->path, noise, sizeof noise);
        FAILS(s->context, NAS_E_CORRUPT, "not a libnas store",
              nas_store_open(&store, s->context, s->path, &options));
        write_file(s->path, "space: cells\n", 13);
        FAILS(s->context, NAS_E_CORRUPT, "not a libnas store",
              nas_store_open(&store, s->context, s->path, &options));
        size_t n;
        char *same = read_file(s->path, &n); /* and is left as it was */
        assert_int_equal(n, 13);
        assert_memory_equal(same, "space: cells\n", 13);
        free(same);
    }
    write_file(s->path, "", 0);
    FAILS(s->context, NAS_E_CORRUPT, "not a libnas store",
          nas_store_open(&store, s->context, s->path,
                         &(nas_store_options){sizeof options, 0, 1, 0, 0, 0, NULL}));
    nas_store_free(open_store(s, s->path, 0)); /* an empty file is a new store */
}

#ifdef SQLITE_VERSION
static void run_sql(const char *path, const char *sql) {
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static void test_other_databases(void **in) {
    state *s = *in;
    nas_store *store;
    nas_store_options options = NAS_STORE_OPTIONS_INIT;
    for (options.read_only = 0; options.read_only < 2; options.read_only++) {
        remove(s->path);
        run_sql(s->path, "CREATE TABLE bookmarks(a)");
        FAILS(s->context, NAS_E_CORRUPT, "another program",
              nas_store_open(&store, s->context, s->path, &options));
        remove(s->path);
        store = open_store(s, s->path, 0);
        put(s, store, 0);
        nas_store_free(store);
        run_sql(s->path, "PRAGMA user_version=2");
        FAILS(s->context, NAS_E_VERSION, "later libnas",
              nas_store_open(&store, s->context, s->path, &options));
        run_sql(s->path, "PRAGMA user_version=1");
        nas_store_free(open_store(s, s->path, options.read_only));
    }
    /* Damage that SQL can make. */
    static const char *const damage[] = {
        "UPDATE trial SET state=9",
        "UPDATE trial SET reason=-1",
        "UPDATE trial SET number=99999999",
        "UPDATE trial SET number=-5",
        "UPDATE trial SET parent=7",
        "UPDATE trial SET gradient=x'0011'",
        "UPDATE metric SET value=9e999",
        "UPDATE metric SET name='' WHERE position=1",
        "UPDATE metric SET name=printf('%.80c','x') WHERE position=1",
        "UPDATE metric SET trial=4",
        "UPDATE point SET y=9e999",
        "UPDATE point SET curve=7+curve",
        "UPDATE curve SET name=printf('%.200c','x')",
        "DROP TABLE metric",
        "DROP TABLE trial; CREATE VIEW trial AS SELECT 1",
        "ALTER TABLE fact RENAME COLUMN value TO worth",
    };
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        remove(s->path);
        store = open_store(s, s->path, 0);
        put(s, store, 0);
        nas_store_free(store);
        run_sql(s->path, damage[i]);
        nas_status status = nas_store_open(&store, s->context, s->path, NULL);
        if (status >= 0) fail_msg("opened after %s", damage[i]);
        if (status != NAS_E_CORRUPT || !strstr(nas_context_error(s->context), "a store.nas"))
            fail_msg("%s: %s: %s", damage[i], nas_status_name(status),
                     nas_context_error(s->context));
    }
    /* A trigger in a file is not run. */
    remove(s->path);
    nas_store_free(open_store(s, s->path, 0));
    run_sql(s->path, "CREATE TRIGGER t AFTER INSERT ON trial BEGIN DELETE FROM trial; END");
    store = open_store(s, s->path, 0);
    put(s, store, 0);
    nas_store_free(store);
    store = open_store(s, s->path, 1);
    check(s, store, 1);
    nas_store_free(store);
    /* Bytes of a checkpoint that are not what was written. */
    store = open_store(s, s->path, 0);
    void *bytes;
    size_t n;
    MUST(s->context, ni_store_begin(store));
    MUST(s->context, ni_store_put_state(store, "search", "state", 5));
    MUST(s->context, ni_store_commit(store));
    nas_store_free(store);
    run_sql(s->path, "UPDATE bytes SET bytes=x'00' WHERE name='search'");
    store = open_store(s, s->path, 0);
    FAILS(s->context, NAS_E_CORRUPT, "damaged", ni_store_get_state(store, "search", &bytes, &n));
    nas_store_free(store);
}
#endif

static void test_garbage(void **in) {
    /* Every page of a good store overwritten in turn, and the file cut at many lengths: a sentence,
     * or what was not hit; never a crash, nothing leaked. */
    state *s = *in;
    nas_store *store = open_store(s, s->path, 0);
    size_t n;
    for (uint64_t t = 0; t < 6; t++)
        put(s, store, t);
    nas_store_free(store);
    char *good = read_file(s->path, &n), *bad = malloc(n);
    assert_true(n > 4096 && n % 512 == 0);
    nas_store_options options = NAS_STORE_OPTIONS_INIT;
    options.read_only = 1;
    int refused = 0;
    for (size_t at = 0; at < n; at += 256) {
        memcpy(bad, good, n);
        for (size_t i = 0; i < 64; i++)
            bad[at + i] = (char)(bad[at + i] ^ (int)(i * 29 + at / 256 * 13 + 1));
        write_file(s->path, bad, n);
        if (nas_store_open(&store, s->context, s->path, &options) < 0) {
            refused++;
            assert_true(nas_context_error(s->context)[0] != 0);
        } else {
            free(dump_of(s->context, store));
            nas_store_free(store);
        }
    }
    for (size_t cut = 0; cut < n; cut += 700) {
        write_file(s->path, good, cut);
        if (nas_store_open(&store, s->context, s->path, &options) < 0)
            refused++;
        else
            nas_store_free(store);
    }
    assert_true(refused > 10);
    free(good);
    free(bad);
}

/* Rows of a search's own architectures, with notes that name parents: in memory packed, in a file
 * as texts. */
static void test_packed(void **in) {
    state *s = *in;
    char *dumps[2];
    enum { TRIALS = 600 };
    for (int file = 0; file < 2; file++) {
        nas_space *space, *other = make_space(s->context, 3, 4);
        nas_store *store = open_store(s, file ? s->path : NULL, 0);
        nas_memory_use before = {.struct_size = sizeof before}, after = before;
        MUST(s->context, nas_space_preset(&space, s->context, "nas-bench-201", NULL, 0));
        MUST(s->context, nas_context_memory(s->context, &before));
        for (uint64_t t = 0; t < TRIALS; t++) {
            nas_arch *arch;
            nas_result_builder *b;
            char note[160];
            nas_random random;
            uint64_t parent = t % 5 ? t - 1 - t % 4 % (t ? t : 1) : NAS_TRIAL_NONE;
            ni_random_init(&random, 3, t, "rows");
            MUST(s->context, nas_space_sample(t % 50 == 49 ? other : space, &random, &arch));
            MUST(s->context, nas_result_create(&b, s->context));
            MUST(s->context, nas_result_set(b, "accuracy", (double)t / 7));
            if (t % 3 == 0) MUST(s->context, nas_result_set(b, "loss", -1.5));
            if (parent == NAS_TRIAL_NONE)
                snprintf(note, sizeof note, "%s", t % 10 ? "" : "alone");
            else if (t % 7 == 3) /* a number beside which there are digits, and a mark */
                snprintf(note, sizeof note, "of 1%llu0, \1 %llu", (unsigned long long)parent + 1,
                         (unsigned long long)parent + 1);
            else
                snprintf(note, sizeof note, "mutation of %llu: edge %d",
                         (unsigned long long)parent + 1, (int)(t % 6));
            ni_trial_row row = {.number = t,
                                .first_turn = t + t % 2,
                                .turns = 1 + t % 2,
                                .seen = t - (t > 9 ? t % 9 : 0),
                                .arrival = t ^ 1,
                                .arch_hash = nas_arch_hash(arch),
                                .network_hash = nas_arch_network_hash(arch),
                                .reuse_key = t % 4 ? t * 0x9e3779b97f4a7c15u : 0,
                                .parent = parent,
                                .from = t % 11 == 4 ? t / 2 : NAS_TRIAL_NONE,
                                .generation = t % 300,
                                .state = t % 13 == 5 ? NAS_STATE_CACHED : NAS_STATE_COMPLETE,
                                .evaluated = t % 13 != 5,
                                .score = t % 2 ? (double)t / 7 : -0.25,
                                .seconds = (double)t * 1e-7,
                                .epochs = t % 6 ? (double)(t % 6) : 0.3,
                                .total_epochs = 1e300,
                                .arch = nas_arch_text(arch),
                                .note = note,
                                .design = arch};
            MUST(s->context, ni_store_begin(store));
            if (t % 17 == 0) { /* undone, and done again */
                MUST(s->context, ni_store_put_trial(store, &row, nas_result_so_far(b)));
                ni_store_rollback(store);
                MUST(s->context, ni_store_begin(store));
            }
            MUST(s->context, ni_store_put_trial(store, &row, nas_result_so_far(b)));
            MUST(s->context, ni_store_commit(store));
            ni_trial_row got;
            assert_true(ni_store_row(store, t, &got));
            MUST(s->context, ni_store_texts(store, &got));
            assert_string_equal(got.arch, row.arch);
            assert_string_equal(got.note, note);
            assert_true(got.has_arch && got.has_note == (note[0] != 0));
            assert_true(got.arch_hash == row.arch_hash && got.network_hash == row.network_hash &&
                        got.reuse_key == row.reuse_key && got.first_turn == row.first_turn &&
                        got.turns == row.turns && got.seen == row.seen &&
                        got.arrival == row.arrival && got.parent == parent &&
                        got.from == row.from && got.generation == row.generation &&
                        got.state == row.state && got.evaluated == row.evaluated &&
                        got.score == row.score && got.seconds == row.seconds &&
                        got.epochs == row.epochs && got.total_epochs == 1e300);
            nas_result_free(b);
            nas_arch_free(arch);
        }
        MUST(s->context, nas_context_memory(s->context, &after));
        if (!file)
            print_message("%.1f bytes a trial, texts made\n",
                          (double)(after.bytes_now - before.bytes_now) / TRIALS);
        nas_space_free(space); /* the store holds it */
        nas_space_free(other);
        if (file) {
            nas_store_free(store);
            store = open_store(s, s->path, 1);
        }
        dumps[file] = dump_of(s->context, store);
        nas_store_free(store);
    }
    assert_string_equal(dumps[0], dumps[1]);
    free(dumps[0]);
    free(dumps[1]);
}

static void test_fork(void **in) {
    state *s = *in;
    nas_store *store = open_store(s, s->path, 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) _exit(nas_store_set_fact(store, "a", "b") == NAS_E_FORKED ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    MUST(s->context, nas_store_set_fact(store, "a", "b"));
    nas_store_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_contents, begin, end),
        cmocka_unit_test_setup_teardown(test_transactions, begin, end),
        cmocka_unit_test_setup_teardown(test_one_writer, begin, end),
        cmocka_unit_test_setup_teardown(test_absent, begin, end),
        cmocka_unit_test_setup_teardown(test_read_only_folder, begin, end),
        cmocka_unit_test_setup_teardown(test_not_a_store, begin, end),
#ifdef SQLITE_VERSION
        cmocka_unit_test_setup_teardown(test_other_databases, begin, end),
#endif
        cmocka_unit_test_setup_teardown(test_garbage, begin, end),
        cmocka_unit_test_setup_teardown(test_packed, begin, end),
        cmocka_unit_test_setup_teardown(test_fork, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
