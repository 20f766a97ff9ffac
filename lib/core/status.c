/* status.c: the library's version, and names of statuses, instruction sets and system errors. */
#include <errno.h>
#include "core.h"
#include "ni_config.h"

_Static_assert(sizeof(NI_VERSION) == sizeof(NAS_VERSION_TEXT), "base.h and meson.build disagree");

uint32_t nas_version(void) {
    return NAS_VERSION;
}

const char *nas_version_text(void) {
    return NI_VERSION;
}

const char *nas_status_name(nas_status status) {
    switch (status) {
#define STATUS(name, value, text)                                                                  \
    case name:                                                                                     \
        return #name;
        NAS_STATUS_MAP(STATUS)
#undef STATUS
    default:
        return status <= NAS_STATUS_CALLER ? "NAS_STATUS_CALLER" : "NAS_STATUS_UNKNOWN";
    }
}

const char *nas_status_text(nas_status status) {
    switch (status) {
#define STATUS(name, value, text)                                                                  \
    case name:                                                                                     \
        return text;
        NAS_STATUS_MAP(STATUS)
#undef STATUS
    default:
        return status <= NAS_STATUS_CALLER ? "a status of the application"
                                           : "a status that this version does not know";
    }
}

const char *nas_isa_name(int32_t isa) {
    switch (isa) {
    case NAS_ISA_BEST:
        return "best";
    case NAS_ISA_GENERIC:
        return "generic";
    case NAS_ISA_AVX2:
        return "avx2";
    case NAS_ISA_AVX512:
        return "avx512";
    case NAS_ISA_NEON:
        return "neon";
    default:
        return "unknown";
    }
}

/* strerror speaks the language of the locale; this does not. */
const char *ni_errno_text(int error) {
    static const struct {
        int error;
        const char *text;
    } known[] = {
        {EPERM, "operation not permitted"},
        {ENOENT, "no such file or directory"},
        {EINTR, "interrupted"},
        {EIO, "input or output error"},
        {ENXIO, "no such device or address"},
        {EBADF, "bad file descriptor"},
        {EAGAIN, "resource not available now"},
        {ENOMEM, "out of memory"},
        {EACCES, "permission denied"},
        {EBUSY, "device or resource busy"},
        {EEXIST, "file exists"},
        {EXDEV, "on another file system"},
        {ENODEV, "no such device"},
        {ENOTDIR, "not a directory"},
        {EISDIR, "is a directory"},
        {EINVAL, "invalid argument"},
        {ENFILE, "too many open files in the system"},
        {EMFILE, "too many open files in this process"},
        {ETXTBSY, "program file is being run"},
        {EFBIG, "file too large"},
        {ENOSPC, "no space left on device"},
        {ESPIPE, "cannot seek in a pipe"},
        {EROFS, "read-only file system"},
        {EMLINK, "too many links"},
        {EPIPE, "broken pipe"},
        {ENAMETOOLONG, "file name too long"},
        {ENOLCK, "no locks available"},
        {ENOSYS, "not supported by this system"},
        {ENOTEMPTY, "directory not empty"},
        {ELOOP, "too many symbolic links"},
        {EOVERFLOW, "value too large"},
        {ENOTSUP, "operation not supported"},
        {ETIMEDOUT, "timed out"},
        {ESTALE, "stale file handle"},
        {EDQUOT, "disk quota exceeded"},
        {ECANCELED, "cancelled"},
    };
    for (size_t i = 0; i < NI_COUNT(known); i++)
        if (known[i].error == error) return known[i].text;
    return "system error";
}
