/* file.c: whole files in, and files out that are there wholly or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "private.h"

/* doing: "read" or "write" */
static nas_status fail_path(nas_context *context, const char *doing, const char *path, int error) {
    nas_status status = NAS_E_IO;
    if (error == ENOMEM) status = NAS_E_MEMORY;
    if (error == ENOENT && doing[0] == 'r') status = NAS_E_NOT_FOUND;
    return ni_fail(context, status, "cannot %s %s: %s", doing, path, ni_errno_text(error));
}

bool ni_file_exists(const char *path) {
    return access(path, F_OK) == 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static int open_again(const char *path, int flags, mode_t mode) {
    int file;
    do
        file = open(path, flags | O_CLOEXEC, mode);
    while (file < 0 && errno == EINTR);
    return file;
}

/* Up to n bytes; fewer only at the end of the file. -1: errno. */
static ssize_t read_fully(int file, char *to, size_t n) {
    size_t got = 0;
    while (got < n) {
        ssize_t now = read(file, to + got, n - got);
        if (now < 0 && errno == EINTR) continue;
        if (now < 0) return -1;
        if (now == 0) break;
        got += (size_t)now;
    }
    return (ssize_t)got;
}

static nas_status read_open(nas_context *context, const char *path, int file, size_t limit,
                            char **data, size_t *n) {
    struct stat about;
    if (fstat(file, &about) != 0) return fail_path(context, "read", path, errno);
    if (S_ISDIR(about.st_mode)) return fail_path(context, "read", path, EISDIR);
    /* The size is a hint: it may change, and is 0 for what the system makes up while it is read.
     * A byte past the limit shows that there is more; another one holds the 0. */
    size_t most = limit + 2, wanted = 4096, capacity = 0, got = 0;
    bool too_large = false;
    if (S_ISREG(about.st_mode) && about.st_size > 0) {
        too_large = (uint64_t)about.st_size > limit;
        if (!too_large) wanted = (size_t)about.st_size + 2;
    }
    while (!too_large) {
        void *grown = *data;
        nas_status status =
            ni_array_grow(context, &grown, &capacity, wanted < most ? wanted : most, 1);
        *data = grown;
        if (status < 0) return status;
        ssize_t now = read_fully(file, *data + got, capacity - got - 1);
        if (now < 0) return fail_path(context, "read", path, errno);
        got += (size_t)now;
        too_large = got > limit;
        if (got < capacity - 1) break;
        wanted = capacity * 2;
    }
    if (too_large)
        return ni_fail(context, NAS_E_LIMIT, "%s is too large: at most %zu bytes are read", path,
                       limit);
    (*data)[got] = 0;
    *n = got;
    return NAS_OK;
}

nas_status ni_file_read(nas_context *context, const char *path, size_t limit, void **out,
                        size_t *n) {
    if (limit > SIZE_MAX / 4) limit = SIZE_MAX / 4;
    int file = open_again(path, O_RDONLY, 0);
    if (file < 0) return fail_path(context, "read", path, errno);
    char *data = NULL;
    nas_status status = read_open(context, path, file, limit, &data, n);
    close(file);
    if (status < 0)
        ni_free(context, data);
    else
        *out = data;
    return status;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* The file under its final name is touched only by the rename at the end. What is not a regular
 * file (a terminal, a pipe, /dev/full) cannot be replaced, and is written to directly. */
struct ni_output {
    nas_context *context;
    char *path;      /* as the caller wrote it, for sentences */
    char *target;    /* without symbolic links; NULL: written directly */
    char *temporary; /* beside target */
    int file;        /* -1 when closed */
};

static nas_status open_temporary(ni_output *output, const struct stat *old) {
    nas_context *context = output->context;
    size_t room = strlen(output->target) + 64;
    output->temporary = ni_alloc(context, room);
    if (!output->temporary) return NAS_E_MEMORY;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t salt = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    for (uint32_t attempt = 0; output->file < 0; attempt++) {
        uint64_t name[3] = {salt, (uint64_t)getpid() << 32 | attempt, (uintptr_t)output};
        snprintf(output->temporary, room, "%s.%08x.part", output->target,
                 (uint32_t)ni_hash(name, sizeof name));
        output->file =
            open_again(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
        if (output->file < 0 && (errno != EEXIST || attempt == 100)) {
            int error = errno;
            output->temporary[0] = 0; /* nothing to remove */
            return fail_path(context, "write", output->path, error);
        }
    }
    /* A replaced file keeps its permissions; where that is not possible they are the usual ones. */
    if (old) (void)!fchmod(output->file, old->st_mode & 0777);
    return NAS_OK;
}

nas_status ni_output_open(ni_output **out, nas_context *context, const char *path) {
    ni_output *output = ni_calloc(context, 1, sizeof *output);
    if (!output) return NAS_E_MEMORY;
    nas_status status = NAS_OK;
    struct stat old;
    char whole[PATH_MAX];
    output->context = context;
    output->file = -1;
    output->path = ni_strdup(context, path);
    if (!output->path) {
        status = NAS_E_MEMORY;
        goto fail;
    }
    bool exists = stat(path, &old) == 0;
    if (exists && S_ISDIR(old.st_mode)) {
        status = fail_path(context, "write", path, EISDIR);
        goto fail;
    }
    if (exists && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0) {
        status = fail_path(context, "write", path, errno);
        goto fail;
    }
    if (exists && !S_ISREG(old.st_mode)) {
        output->file = open_again(path, O_WRONLY | O_NOCTTY, 0);
        if (output->file < 0) {
            status = fail_path(context, "write", path, errno);
            goto fail;
        }
    } else {
        /* Through a link: the file that it names is replaced, and the link stays. */
        output->target = ni_strdup(context, exists && realpath(path, whole) ? whole : path);
        if (!output->target) {
            status = NAS_E_MEMORY;
            goto fail;
        }
        NI_GOTO(fail, open_temporary(output, exists ? &old : NULL));
    }
    *out = output;
    return NAS_OK;
fail:
    ni_output_free(output);
    return status;
}

nas_status ni_output_write(ni_output *output, const void *bytes, size_t n) {
    const char *from = bytes;
    while (n) {
        ssize_t now = write(output->file, from, n);
        if (now < 0 && errno == EINTR) continue;
        if (now < 0) return fail_path(output->context, "write", output->path, errno);
        from += now;
        n -= (size_t)now;
    }
    return NAS_OK;
}

/* So that the new name, too, survives a loss of power. Some file systems refuse; then they refuse.
 */
static void sync_folder(char *path) {
    char *slash = strrchr(path, '/'), *after = slash == path ? path + 1 : slash, held = 0;
    if (slash) {
        held = *after;
        *after = 0;
    }
    int folder = open_again(slash ? path : ".", O_RDONLY | O_DIRECTORY, 0);
    if (slash) *after = held;
    if (folder < 0) return;
    fsync(folder);
    close(folder);
}

nas_status ni_output_close(ni_output *output) {
    nas_status status = NAS_OK;
    /* Pipes and terminals cannot be flushed to a disk: no failure. */
    if (fsync(output->file) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
        status = fail_path(output->context, "write", output->path, errno);
    if (close(output->file) != 0 && errno != EINTR && status >= 0)
        status = fail_path(output->context, "write", output->path, errno);
    output->file = -1;
    if (status < 0 || !output->target) return status;
    if (rename(output->temporary, output->target) != 0)
        return fail_path(output->context, "write", output->path, errno);
    output->temporary[0] = 0;
    sync_folder(output->target);
    return NAS_OK;
}

void ni_output_free(ni_output *output) {
    if (!output) return;
    nas_context *context = output->context;
    if (output->file >= 0) close(output->file);
    /* A child of fork has a copy of the handle, and the parent still wants its file. */
    if (output->temporary && output->temporary[0] && !ni_forked(context)) unlink(output->temporary);
    ni_free(context, output->temporary);
    ni_free(context, output->target);
    ni_free(context, output->path);
    ni_free(context, output);
}

nas_status ni_file_write(nas_context *context, const char *path, const void *bytes, size_t n) {
    ni_output *output;
    NI_TRY(ni_output_open(&output, context, path));
    nas_status status = ni_output_write(output, bytes, n);
    if (status >= 0) status = ni_output_close(output);
    ni_output_free(output);
    return status;
}
