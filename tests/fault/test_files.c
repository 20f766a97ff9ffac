/* Files that the library writes, when that fails: the folder is read-only, the disk is full, the
 * sink is never closed, the name is taken at the last moment. One sentence, a status; what lay
 * there before lies there still, whole, and nothing beside it. */
#include "search/fixture.h"
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

typedef struct {
    char folder[256], path[300];
    test_allocator memory;
    nas_context *context;
} state;

static int begin(void **out) {
    state *s = calloc(1, sizeof *s);
    folder_begin(s->folder, sizeof s->folder);
    snprintf(s->path, sizeof s->path, "%s/a file", s->folder);
    s->context = make_context(&s->memory, 1);
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

static int files_in(const char *folder) {
    DIR *list = opendir(folder);
    int n = 0;
    assert_non_null(list);
    while (readdir(list))
        n++;
    closedir(list);
    return n - 2; /* . and .. */
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void holds(const char *path, const char *text) {
    char got[64] = "";
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("%s is not there", path);
    size_t n = fread(got, 1, sizeof got - 1, file);
    fclose(file);
    got[n] = 0;
    assert_string_equal(got, text);
}

static void test_written(void **in) {
    state *s = *in;
    nas_sink *sink;
    put(s->path, "old");
    MUST(s->context, nas_sink_file(&sink, s->context, s->path));
    MUST(s->context, nas_sink_text(sink, "new"));
    holds(s->path, "old");
    assert_int_equal(files_in(s->folder), 2);
    MUST(s->context, nas_sink_close(sink));
    holds(s->path, "new");
    assert_int_equal(files_in(s->folder), 1);
    FAILS(s->context, NAS_E_STATE, "closed", nas_sink_text(sink, "more"));
    assert_int_equal(nas_sink_close(sink), NAS_OK);
    nas_sink_free(sink);
    holds(s->path, "new");
}

/* Not closed: not there. */
static void test_given_up(void **in) {
    state *s = *in;
    for (int old = 0; old < 2; old++)
        for (size_t n = 0; n <= 100000; n = n * 3 + 1) {
            nas_sink *sink;
            char *bytes = calloc(1, n + 1);
            MUST(s->context, nas_sink_file(&sink, s->context, s->path));
            MUST(s->context, nas_sink_write(sink, bytes, n));
            nas_sink_free(sink);
            free(bytes);
            assert_int_equal(files_in(s->folder), old);
            if (old) holds(s->path, "old");
            if (!old && n > 30000) put(s->path, "old");
        }
}

/* Pieces of a sink until it fails, then its close. */
static nas_status fill(nas_sink *sink, size_t n) {
    char piece[1000];
    nas_status status = NAS_OK;
    memset(piece, 'x', sizeof piece);
    for (size_t at = 0; status >= 0 && at < n; at += sizeof piece)
        status = nas_sink_write(sink, piece, sizeof piece);
    if (status < 0) assert_int_equal(nas_sink_write(sink, piece, 1), status); /* it stays */
    nas_status closed = nas_sink_close(sink);
    if (status < 0) assert_int_equal(closed, status);
    return closed;
}

/* A limit on the size of files stands for the disk: the write that passes it fails. */
static void limit_files(rlim_t bytes, struct rlimit *before) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, before), 0);
    limit = *before;
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
}

static void test_full(void **in) {
    state *s = *in;
    struct rlimit before;
    nas_sink *sink;
    put(s->path, "old");
    for (rlim_t room = 0; room < 70000; room = room * 2 + 777) {
        MUST(s->context, nas_sink_file(&sink, s->context, s->path));
        limit_files(room, &before);
        nas_status status = fill(sink, 70000);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(status, NAS_E_IO);
        assert_non_null(strstr(nas_context_error(s->context), s->path));
        nas_sink_free(sink);
        holds(s->path, "old");
        assert_int_equal(files_in(s->folder), 1);
    }
    /* and a device that says that it is full, when the buffer goes out or at the close */
    if (access("/dev/full", W_OK) != 0) return;
    for (size_t n = 1; n < 200000; n += 60000) {
        MUST(s->context, nas_sink_file(&sink, s->context, "/dev/full"));
        assert_int_equal(fill(sink, n), NAS_E_IO);
        assert_non_null(strstr(nas_context_error(s->context), "/dev/full"));
        assert_non_null(strstr(nas_context_error(s->context), "space"));
        nas_sink_free(sink);
    }
    FAILS(s->context, NAS_E_IO, "is a directory", nas_sink_file(&sink, s->context, s->folder));
}

static void test_name_taken(void **in) {
    state *s = *in;
    nas_sink *sink;
    MUST(s->context, nas_sink_file(&sink, s->context, s->path));
    MUST(s->context, nas_sink_text(sink, "new"));
    assert_int_equal(mkdir(s->path, 0777), 0);
    FAILS(s->context, NAS_E_IO, s->path, nas_sink_close(sink));
    nas_sink_free(sink);
    assert_int_equal(files_in(s->folder), 1);
    assert_int_equal(files_in(s->path), 0);
    /* the folder itself goes away */
    char below[320];
    snprintf(below, sizeof below, "%s/b", s->path);
    MUST(s->context, nas_sink_file(&sink, s->context, below));
    char command[700];
    snprintf(command, sizeof command, "rm -r '%s'", s->path);
    assert_int_equal(system(command), 0);
    FAILS(s->context, NAS_E_IO, below, nas_sink_close(sink));
    nas_sink_free(sink);
    assert_int_equal(files_in(s->folder), 0);
}

static void test_links(void **in) {
    state *s = *in;
    char link[300];
    struct stat about;
    nas_sink *sink;
    put(s->path, "old");
    assert_int_equal(chmod(s->path, 0640), 0);
    snprintf(link, sizeof link, "%s/link", s->folder);
    assert_int_equal(symlink("a file", link), 0);
    MUST(s->context, nas_sink_file(&sink, s->context, link));
    MUST(s->context, nas_sink_text(sink, "new"));
    MUST(s->context, nas_sink_close(sink));
    nas_sink_free(sink);
    holds(s->path, "new");
    assert_int_equal(lstat(link, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    assert_int_equal(stat(s->path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);
    assert_int_equal(files_in(s->folder), 2);
}

/* ---- weights -------------------------------------------------------------------------------- */

static nas_model *new_model(nas_context *context, nas_space **space) {
    static const char *const settings[] = {"channels=4", "cells=1"};
    nas_arch *arch;
    nas_model *model;
    MUST(context, nas_space_preset(space, context, "nas-bench-201", settings, 2));
    MUST(context, nas_arch_parse(&arch, *space,
                                 "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|"
                                 "nor_conv_3x3~1|nor_conv_3x3~2|"));
    MUST(context, nas_model_create(&model, arch, 1));
    nas_arch_free(arch);
    return model;
}

static void test_weights(void **in) {
    state *s = *in;
    struct rlimit before;
    nas_space *space;
    nas_model *model = new_model(s->context, &space), *again;
    MUST(s->context, nas_model_save(model, s->path));
    struct stat about;
    assert_int_equal(stat(s->path, &about), 0);
    for (off_t room = 0; room < about.st_size; room += about.st_size / 11) {
        limit_files((rlim_t)room, &before);
        nas_status status = nas_model_save(model, s->path);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(status, NAS_E_IO);
        assert_non_null(strstr(nas_context_error(s->context), s->path));
        assert_int_equal(files_in(s->folder), 1);
        MUST(s->context, nas_model_load(&again, s->context, s->path));
        nas_model_free(again);
    }
    FAILS(s->context, NAS_E_IO, "/nonexistent/w", nas_model_save(model, "/nonexistent/w"));
    if (access("/dev/full", W_OK) == 0)
        FAILS(s->context, NAS_E_IO, "space", nas_model_save(model, "/dev/full"));
    /* a file that promises more than it holds, and one that is something else */
    assert_int_equal(truncate(s->path, about.st_size - 4), 0);
    FAILS(s->context, NAS_E_CORRUPT, "outside the file", nas_model_load_weights(model, s->path));
    put(s->path, "no weights at all");
    FAILS(s->context, NAS_E_CORRUPT, "not a safetensors file",
          nas_model_load_weights(model, s->path));
    nas_model_free(model);
    nas_space_free(space);
}

/* Root may write anywhere, so a child gives up its rights. */
static void test_read_only_folder(void **in) {
    state *s = *in;
    put(s->path, "old");
    assert_int_equal(chmod(s->path, 0644), 0);
    assert_int_equal(chmod(s->folder, 0555), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        nas_context *own;
        nas_sink *sink;
        nas_space *space;
        char fresh[320];
        int failed = 0;
        snprintf(fresh, sizeof fresh, "%s/new", s->folder);
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(77);
        failed |= nas_context_create(&own, NULL) != NAS_OK;
        for (int i = 0; i < 2; i++) {
            failed |= 2 * (nas_sink_file(&sink, own, i ? fresh : s->path) != NAS_E_IO);
            failed |= 4 * (strstr(nas_context_error(own), "permission denied") == NULL);
        }
        nas_model *model = new_model(own, &space);
        failed |= 8 * (nas_model_save(model, fresh) != NAS_E_IO);
        failed |= 16 * (strstr(nas_context_error(own), fresh) == NULL);
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
    holds(s->path, "old");
    assert_int_equal(files_in(s->folder), 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_written),          TEST(test_given_up), TEST(test_full),
        TEST(test_name_taken),       TEST(test_links),    TEST(test_weights),
        TEST(test_read_only_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
