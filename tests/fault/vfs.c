/* The VFS that fails: every file is the default VFS's, with a count in front of what changes a
 * disk. */
#include "vfs.h"
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

static vfs_plan plan;
static sqlite3_vfs vfs;
static sqlite3_io_methods methods;

typedef struct {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct, in the same block */
} fault_file;

static sqlite3_vfs *below(void) {
    return vfs.pAppData;
}
static sqlite3_file *real_of(sqlite3_file *file) {
    return ((fault_file *)file)->real;
}

/* One more operation: SQLITE_OK to do it. *half: it is to be cut in the middle. */
static int count(int write, int *half) {
    long long now = atomic_fetch_add(&plan.seen, 1) + 1, at = atomic_load(&plan.at);
    int mode = atomic_load(&plan.mode);
    *half = 0;
    if (mode == VFS_NOTHING || now < at) return SQLITE_OK;
    if (now > at && mode != VFS_IOERR_ON && mode != VFS_FULL_ON) return SQLITE_OK;
    switch (mode) {
    case VFS_DIE:
        _exit(VFS_DEATH);
    case VFS_DIE_HALF:
        *half = 1;
        return SQLITE_OK;
    case VFS_FULL:
    case VFS_FULL_ON:
        if (!write) return SQLITE_OK;
        atomic_fetch_add(&plan.failed, 1);
        return SQLITE_FULL;
    default:
        atomic_fetch_add(&plan.failed, 1);
        return SQLITE_IOERR;
    }
}

/* ---- files
 * --------------------------------------------------------------------------------------------------
 */

static int f_close(sqlite3_file *f) {
    return real_of(f)->pMethods->xClose(real_of(f));
}
static int f_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at) {
    return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}
static int f_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at) {
    int half, code = count(1, &half);
    if (code != SQLITE_OK) return code;
    code = real_of(f)->pMethods->xWrite(real_of(f), from, half ? n / 2 : n, at);
    if (half) _exit(VFS_DEATH);
    return code;
}
static int f_truncate(sqlite3_file *f, sqlite3_int64 size) {
    int half, code = count(0, &half);
    if (code != SQLITE_OK) return code;
    code = real_of(f)->pMethods->xTruncate(real_of(f), size);
    if (half) _exit(VFS_DEATH);
    return code;
}
static int f_sync(sqlite3_file *f, int flags) {
    int half, code = count(0, &half);
    if (code != SQLITE_OK) return code;
    if (half) _exit(VFS_DEATH);
    return real_of(f)->pMethods->xSync(real_of(f), flags);
}
static int f_size(sqlite3_file *f, sqlite3_int64 *size) {
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}
static int f_lock(sqlite3_file *f, int level) {
    return real_of(f)->pMethods->xLock(real_of(f), level);
}
static int f_unlock(sqlite3_file *f, int level) {
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}
static int f_reserved(sqlite3_file *f, int *out) {
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}
static int f_control(sqlite3_file *f, int op, void *arg) {
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}
static int f_sector(sqlite3_file *f) {
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}
static int f_device(sqlite3_file *f) {
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}
static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}
static int f_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}
static void f_shm_barrier(sqlite3_file *f) {
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}
static int f_shm_unmap(sqlite3_file *f, int deletes) {
    return real_of(f)->pMethods->xShmUnmap(real_of(f), deletes);
}

/* ---- the VFS
 * ------------------------------------------------------------------------------------------------
 */

static int v_open(sqlite3_vfs *self, sqlite3_filename name, sqlite3_file *file, int flags,
                  int *out) {
    fault_file *mine = (fault_file *)file;
    (void)self;
    mine->real = (sqlite3_file *)(void *)((char *)file + sizeof *mine);
    mine->base.pMethods = NULL;
    int code = below()->xOpen(below(), name, mine->real, flags, out);
    if (mine->real->pMethods) mine->base.pMethods = &methods;
    return code;
}
static int v_delete(sqlite3_vfs *self, const char *name, int sync) {
    int half, code = count(0, &half);
    (void)self;
    if (code != SQLITE_OK) return code;
    code = below()->xDelete(below(), name, sync);
    if (half) _exit(VFS_DEATH);
    return code;
}
static int v_access(sqlite3_vfs *self, const char *name, int flags, int *out) {
    (void)self;
    return below()->xAccess(below(), name, flags, out);
}
static int v_full(sqlite3_vfs *self, const char *name, int n, char *out) {
    (void)self;
    return below()->xFullPathname(below(), name, n, out);
}
static int v_random(sqlite3_vfs *self, int n, char *out) {
    (void)self;
    return below()->xRandomness(below(), n, out);
}
static int v_sleep(sqlite3_vfs *self, int micro) {
    (void)self;
    return below()->xSleep(below(), micro);
}
static int v_time(sqlite3_vfs *self, sqlite3_int64 *out) {
    (void)self;
    return below()->xCurrentTimeInt64(below(), out);
}
static int v_error(sqlite3_vfs *self, int n, char *out) {
    (void)self;
    return below()->xGetLastError(below(), n, out);
}

vfs_plan *vfs_register(void) {
    if (vfs.zName) return &plan;
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    methods = (sqlite3_io_methods){.iVersion = 2,
                                   .xClose = f_close,
                                   .xRead = f_read,
                                   .xWrite = f_write,
                                   .xTruncate = f_truncate,
                                   .xSync = f_sync,
                                   .xFileSize = f_size,
                                   .xLock = f_lock,
                                   .xUnlock = f_unlock,
                                   .xCheckReservedLock = f_reserved,
                                   .xFileControl = f_control,
                                   .xSectorSize = f_sector,
                                   .xDeviceCharacteristics = f_device,
                                   .xShmMap = f_shm_map,
                                   .xShmLock = f_shm_lock,
                                   .xShmBarrier = f_shm_barrier,
                                   .xShmUnmap = f_shm_unmap};
    vfs = (sqlite3_vfs){.iVersion = 2,
                        .szOsFile = (int)sizeof(fault_file) + real->szOsFile,
                        .mxPathname = real->mxPathname,
                        .zName = VFS_NAME,
                        .pAppData = real,
                        .xOpen = v_open,
                        .xDelete = v_delete,
                        .xAccess = v_access,
                        .xFullPathname = v_full,
                        .xRandomness = v_random,
                        .xSleep = v_sleep,
                        .xGetLastError = v_error,
                        .xCurrentTimeInt64 = v_time};
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? &plan : NULL;
}
