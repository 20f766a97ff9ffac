/* An SQLite VFS over the default one that fails at one chosen write, sync, truncation or deletion:
 * by an error, by a full disk, or by the death of the process. Test programs alone use it. */
#ifndef TESTS_FAULT_VFS_H
#define TESTS_FAULT_VFS_H
#include <stdatomic.h>

enum {
    VFS_NOTHING,
    VFS_DIE,      /* _exit before it */
    VFS_DIE_HALF, /* _exit in the middle of it: half of a write is there */
    VFS_IOERR,    /* SQLITE_IOERR, once */
    VFS_IOERR_ON, /* from there on */
    VFS_FULL,     /* SQLITE_FULL for writes, once */
    VFS_FULL_ON
};
#define VFS_NAME  "libnas-fault"
#define VFS_DEATH 86 /* exit status */

typedef struct {
    atomic_int mode;
    atomic_llong at;   /* which operation, from 1 */
    atomic_llong seen; /* operations so far */
    atomic_int failed; /* how many were failed */
} vfs_plan;

/* Registers it; there is one plan in a process. */
vfs_plan *vfs_register(void);
#endif
