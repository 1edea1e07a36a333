/* SPDX-License-Identifier: MIT */
#include "base/fs.h"

#include "base/parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct pyr_root pyr_root_live = {""};

bool pyr_fs_read(const struct pyr_root *root, const char *path, size_t max_bytes,
                 struct pyr_buf *buf, struct pyr_err *err) {
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s%s", root ? root->prefix : "", path);
    int fd = open(full, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pyr_fail_errno(err, errno, "%s", full);
    size_t total = 0;
    for (;;) {
        pyr_buf_reserve(buf, 64 * 1024);
        ssize_t got = read(fd, buf->data + buf->length, 64 * 1024);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            pyr_fail_errno(err, errno, "%s", full);
            close(fd);
            return false;
        }
        if (got == 0)
            break;
        buf->length += (size_t)got;
        total += (size_t)got;
        if (total > max_bytes) {
            close(fd);
            return pyr_fail(err, PYR_E_INPUT, "%s: larger than %zu bytes", full, max_bytes);
        }
    }
    buf->data[buf->length] = '\0';
    close(fd);
    return true;
}

bool pyr_fs_read_file(const char *path, size_t max_bytes, struct pyr_buf *buf,
                      struct pyr_err *err) {
    return pyr_fs_read(&pyr_root_live, path, max_bytes, buf, err);
}

static bool write_all(int fd, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t wrote = write(fd, bytes, count);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return false;
        bytes += wrote;
        count -= (size_t)wrote;
    }
    return true;
}

/* A device or a pipe: nothing to be replaced by another file. */
static bool write_through(const char *path, const void *bytes, size_t count, struct pyr_err *err) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write_all(fd, bytes, count);
    int cause = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        cause = errno;
    }
    return ok || pyr_fail_errno(err, cause, "%s: cannot be written", path);
}

enum { LEFT_AFTER_S = 60 };

bool pyr_fs_is_left(long pid, const struct timespec *changed) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return pid > 0 && pid <= INT_MAX && kill((pid_t)pid, 0) != 0 && errno == ESRCH &&
           now.tv_sec - changed->tv_sec >= LEFT_AFTER_S;
}

/* The process that left a file "NAME.tmp.PID"; 0: none did. */
static long owner_of(const char *file, const char *name) {
    size_t length = strlen(name);
    uint64_t pid;
    if (strncmp(file, name, length) != 0 || strncmp(file + length, ".tmp.", 5) != 0 ||
        !pyr_parse_u64(file + length + 5, &pid, NULL) || pid > INT_MAX)
        return 0;
    return (long)pid;
}

static void sweep(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        struct stat info;
        long pid = owner_of(entry->d_name, name);
        if (pid && fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode) && pyr_fs_is_left(pid, &info.st_mtim))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

bool pyr_fs_temporary(const char *path, char *temporary, size_t size) {
    if (snprintf(temporary, size, "%s.tmp.%ld", path, (long)getpid()) >= (int)size)
        return false;
    sweep(path);
    return true;
}

bool pyr_fs_write_whole(const char *path, const void *bytes, size_t count, struct pyr_err *err) {
    char temporary[PATH_MAX], target[PATH_MAX];
    struct stat there;
    if (stat(path, &there) == 0) {
        if (S_ISDIR(there.st_mode))
            return pyr_fail(err, PYR_E_IO, "%s: a folder; name a file in it", path);
        if (!S_ISREG(there.st_mode))
            return write_through(path, bytes, count, err);
        if (realpath(path, target)) /* what a link leads to is written, not the link */
            path = target;
    }
    if (!pyr_fs_temporary(path, temporary, sizeof temporary))
        return pyr_fail(err, PYR_E_IO, "%s: the path is too long", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return pyr_fail_errno(err, errno, "%s: cannot be written", path);
    bool ok = write_all(fd, bytes, count) && fsync(fd) == 0;
    int cause = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        cause = errno;
    }
    if (ok && rename(temporary, path) != 0) {
        ok = false;
        cause = errno;
    }
    if (!ok) {
        unlink(temporary);
        return pyr_fail_errno(err, cause, "%s: cannot be written", path);
    }
    return true;
}

bool pyr_fs_make_dirs(const char *path, struct pyr_err *err) {
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return pyr_fail(err, PYR_E_IO, "%s: the path is too long", path);
    for (char *slash = part + 1;; slash++) {
        if (*slash != '/' && *slash != '\0')
            continue;
        bool last = *slash == '\0';
        *slash = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return pyr_fail_errno(err, errno, "%s: cannot make the folder", part);
        if (last)
            break;
        *slash = '/';
    }
    return pyr_fs_is_dir(path) ||
           pyr_fail(err, PYR_E_IO, "%s: is in the way and is no folder", path);
}

bool pyr_fs_is_dir(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool pyr_fs_is_file(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool pyr_fs_check_writable(const char *dir, struct pyr_err *err) {
    char probe[PATH_MAX];
    if (snprintf(probe, sizeof probe, "%s/.pyrometer-probe.%ld", dir, (long)getpid()) >=
        (int)sizeof probe)
        return pyr_fail(err, PYR_E_IO, "%s: the path is too long", dir);
    int fd = open(probe, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return pyr_fail_errno(err, errno, "%s: cannot create files there", dir);
    close(fd);
    unlink(probe);
    return true;
}
