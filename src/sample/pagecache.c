/* SPDX-License-Identifier: MIT */
#include "sample/pagecache.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What is mapped and asked about at a time, so that the vector of answers stays small. */
#define WINDOW_BYTES (UINT64_C(1) << 30)
enum { READ_BYTES = 1 << 20 };

static bool open_file(const char *path, int *fd, uint64_t *bytes, struct pyr_err *err) {
    struct stat info;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return pyr_fail_errno(err, errno, "%s", path);
    if (fstat(*fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(*fd);
        return pyr_fail(err, PYR_E_INPUT, "%s: is no file, so it has no page cache", path);
    }
    *bytes = (uint64_t)info.st_size;
    return true;
}

static bool count_resident(const char *path, int fd, uint64_t bytes, double *share,
                           struct pyr_err *err) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), resident = 0, pages = 0;
    unsigned char *vector = pyr_xcalloc(WINDOW_BYTES / page, 1);
    bool ok = true;
    for (uint64_t at = 0; ok && at < bytes; at += WINDOW_BYTES) {
        uint64_t window = bytes - at < WINDOW_BYTES ? bytes - at : WINDOW_BYTES;
        void *map = mmap(NULL, window, PROT_READ, MAP_SHARED, fd, (off_t)at);
        if (map == MAP_FAILED || mincore(map, window, vector) != 0) {
            ok = pyr_fail_errno(err, errno, "%s: cannot ask what is in memory", path);
        } else {
            uint64_t count = (window + page - 1) / page;
            for (uint64_t i = 0; i < count; i++)
                resident += vector[i] & 1;
            pages += count;
        }
        if (map != MAP_FAILED)
            munmap(map, window);
    }
    pyr_free(vector);
    *share = pages ? (double)resident / (double)pages : 0;
    return ok;
}

/* Since Linux 5.2 mincore answers "resident" for every page of a file that the caller neither owns
 * nor may write. */
static bool may_ask(const char *path, int fd) {
    struct stat info;
    return access(path, W_OK) == 0 || (fstat(fd, &info) == 0 && info.st_uid == geteuid());
}

bool pyr_pagecache_resident(const char *path, double *share, struct pyr_err *err) {
    int fd;
    uint64_t bytes;
    if (!open_file(path, &fd, &bytes, err))
        return false;
    bool ok = may_ask(path, fd)
                  ? count_resident(path, fd, bytes, share, err)
                  : pyr_fail(err, PYR_E_IO,
                             "%s: the kernel tells what is in memory only to the file's owner or "
                             "who may write it; own the file or run as its owner",
                             path);
    close(fd);
    return ok;
}

bool pyr_pagecache_drop(const char *path, struct pyr_err *err) {
    int fd;
    uint64_t bytes;
    struct statfs system;
    if (!open_file(path, &fd, &bytes, err))
        return false;
    if (fstatfs(fd, &system) == 0 &&
        (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC ||
         system.f_type == HUGETLBFS_MAGIC)) {
        close(fd);
        return pyr_fail(err, PYR_E_IO,
                        "%s: lies in memory (tmpfs), so its pages cannot be dropped; put it on a "
                        "disk to measure a cold load",
                        path);
    }
    /* Dirty pages are not dropped; a read-only file system refuses fsync and has none. */
    (void)fsync(fd);
    int refused = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    if (refused != 0)
        return pyr_fail_errno(err, refused, "%s: the page cache cannot be dropped", path);
    double share;
    if (!pyr_pagecache_resident(path, &share, err))
        return false;
    if (share >= 0.01)
        return pyr_fail(err, PYR_E_IO,
                        "%s: %.0f %% of it stays in memory, because a process maps or locks it; "
                        "end that process to measure a cold load",
                        path, 100 * share);
    return true;
}

bool pyr_pagecache_warm(const char *path, struct pyr_err *err) {
    int fd;
    uint64_t bytes;
    if (!open_file(path, &fd, &bytes, err))
        return false;
    char *block = pyr_xcalloc(1, READ_BYTES);
    ssize_t got;
    do
        got = read(fd, block, READ_BYTES);
    while (got > 0 || (got < 0 && errno == EINTR));
    int cause = errno;
    double share = 1;
    bool ok = got == 0 || pyr_fail_errno(err, cause, "%s: cannot be read", path);
    pyr_free(block);
    if (ok && may_ask(path, fd))
        ok = count_resident(path, fd, bytes, &share, err);
    close(fd);
    if (ok && bytes > 0 && share < 0.99)
        return pyr_fail(err, PYR_E_IO,
                        "%s: only %.0f %% of it stayed in memory after it was read; it is larger "
                        "than the memory that is free",
                        path, 100 * share);
    return ok;
}
