/* One writer at a time: an advisory lock on a file of its own beside the store, which the kernel
 * lets go of when the process dies. The store's own file cannot carry it: closing any descriptor of
 * a database drops SQLite's locks on it. */
#include "parts.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct ni_lock {
    nas_context *context;
    char *path;
    int fd; /* -1: the file system has no locks */
};

static nas_status busy(nas_context *context, int fd, const char *path) {
    char digits[24];
    int64_t pid;
    ssize_t n = pread(fd, digits, sizeof digits - 1, 0);
    if (n > 0 && digits[n - 1] == '\n') n--;
    if (n > 0 && ni_parse_i64(digits, (size_t)n, &pid))
        return ni_fail(
            context, NAS_E_BUSY,
            "store \"%s\" is being written by process %lld; wait for it, or open the store "
            "to be read only",
            path, (long long)pid);
    return ni_fail(
        context, NAS_E_BUSY,
        "store \"%s\" is being written by another process; wait for it, or open the store "
        "to be read only",
        path);
}

/* Writes the process's number, so that others can be told who holds it. */
static void sign(int fd) {
    char digits[24];
    size_t at = sizeof digits;
    uint64_t pid = (uint64_t)getpid();
    digits[--at] = '\n';
    do
        digits[--at] = (char)('0' + pid % 10);
    while (pid /= 10);
    if (ftruncate(fd, 0) == 0) {
        ssize_t n = pwrite(fd, digits + at, sizeof digits - at, 0);
        (void)n; /* only the sentence of others is poorer without it */
    }
}

nas_status ni_lock_take(ni_lock **out, nas_context *context, const char *path) {
    nas_status status = NAS_OK;
    ni_lock *lock = ni_calloc(context, 1, sizeof *lock);
    if (lock == NULL) return NAS_E_MEMORY;
    lock->context = context;
    lock->fd = -1;
    size_t n = strlen(path);
    lock->path = ni_alloc(context, n + sizeof "-lock");
    if (lock->path == NULL) {
        ni_free(context, lock);
        return NAS_E_MEMORY;
    }
    memcpy(lock->path, path, n);
    memcpy(lock->path + n, "-lock", sizeof "-lock");
    for (int tries = 0;; tries++) {
        struct stat held, named;
        lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (lock->fd < 0) {
            status = ni_fail(context, NAS_E_IO, "store \"%s\": cannot make its lock \"%s\": %s",
                             path, lock->path, ni_errno_text(errno));
            break;
        }
        int answer;
        do
            answer = flock(lock->fd, LOCK_EX | LOCK_NB);
        while (answer != 0 && errno == EINTR);
        if (answer != 0 && errno == EWOULDBLOCK) {
            status = busy(context, lock->fd, path);
            break;
        }
        if (answer != 0) {
            ni_log(context, NAS_LOG_WARNING,
                   "store \"%s\": its file system has no locks (%s): "
                   "let one process at a time write it",
                   path, ni_errno_text(errno));
            break;
        }
        /* Its holder may have taken the name away between our open and our lock. */
        if (fstat(lock->fd, &held) == 0 && stat(lock->path, &named) == 0 &&
            held.st_dev == named.st_dev && held.st_ino == named.st_ino) {
            sign(lock->fd);
            break;
        }
        close(lock->fd);
        lock->fd = -1;
        if (tries == 100) {
            status =
                ni_fail(context, NAS_E_BUSY, "store \"%s\": its lock \"%s\" keeps being replaced",
                        path, lock->path);
            break;
        }
    }
    if (status < 0) {
        if (lock->fd >= 0) close(lock->fd);
        ni_free(context, lock->path);
        ni_free(context, lock);
        return status;
    }
    *out = lock;
    return NAS_OK;
}

void ni_lock_release(ni_lock *lock) {
    if (lock == NULL) return;
    nas_context *context = lock->context;
    unlink(lock->path);
    if (lock->fd >= 0) close(lock->fd);
    ni_free(context, lock->path);
    ni_free(context, lock);
}
