/* SPDX-License-Identifier: MIT
 *
 * The file-system root is an argument: samplers read "/proc/..." below a root, which is "" on the
 * live machine and a recorded tree in tests. Plus the few whole-file helpers everybody needs.
 */
#ifndef PYR_BASE_FS_H
#define PYR_BASE_FS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>
#include <time.h>

struct pyr_root {
    const char *prefix; /* "" for the machine itself; no trailing slash */
};

/* This machine. Commands hand it down; below them the root is an argument. */
extern const struct pyr_root pyr_root_live;

/* Appends the whole file root.prefix + path to buf. Files of /proc (size 0) are read to the end.
 * Fails above max_bytes. */
bool pyr_fs_read(const struct pyr_root *root, const char *path, size_t max_bytes,
                 struct pyr_buf *buf, struct pyr_err *err);

/* The same of a file that the user named: as it is, below no root. */
bool pyr_fs_read_file(const char *path, size_t max_bytes, struct pyr_buf *buf, struct pyr_err *err);

/* Writes path by way of a temporary file in the same folder, fsync and rename, so that a reader
 * (and a full disk, and kill -9) sees the old file or the new one, never half of one. A link is
 * followed; a device or a pipe is written to as it is. */
bool pyr_fs_write_whole(const char *path, const void *bytes, size_t count, struct pyr_err *err);

/* Names this process's temporary file beside path, "PATH.tmp.PID", and removes those of processes
 * that were killed over theirs. False: the path is too long. */
bool pyr_fs_temporary(const char *path, char *temporary, size_t size);
/* Whether what a process made is left over: the process is gone, and was not on another machine or
 * in another container that shares the folder, as far as an age of a minute says so. */
bool pyr_fs_is_left(long pid, const struct timespec *changed);

/* mkdir -p. */
bool pyr_fs_make_dirs(const char *path, struct pyr_err *err);
bool pyr_fs_is_dir(const char *path);
bool pyr_fs_is_file(const char *path);
/* True when a file can be created in the folder; else err says why. */
bool pyr_fs_check_writable(const char *dir, struct pyr_err *err);

#endif
