/* SPDX-License-Identifier: MIT
 *
 * Reading small files of /proc and /sys as text and numbers: shared by the files of this room that
 * describe the machine. Not for measured paths.
 */
#ifndef PYR_SAMPLE_MACHINE_READ_H
#define PYR_SAMPLE_MACHINE_READ_H

#include "base/buf.h"
#include "base/fs.h"

#include <stdbool.h>
#include <stdint.h>

/* The file's text without its final newline, into buf (cleared first). False: cannot be read. */
bool pyr_read_text(const struct pyr_root *root, struct pyr_buf *buf, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The number at the start of the file; false: cannot be read, or no number ("max"). */
bool pyr_read_u64(const struct pyr_root *root, uint64_t *value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The text behind "key" and its colon, up to the end of the line, blanks trimmed, copied to value
 * (cut at size - 1); false: no such line. */
bool pyr_text_field(const char *text, const char *key, char *value, size_t size);

/* This process's folder in a cgroup hierarchy: v2 with controller NULL, else the v1 controller's.
 * The path below the root, without a trailing slash ("/sys/fs/cgroup/memory/a/b"), or the
 * hierarchy's own folder when the path named in /proc/self/cgroup is not visible (a container).
 * False: there is no such hierarchy. */
bool pyr_cgroup_dir(const struct pyr_root *root, const char *controller, char *path, size_t size);
/* Cuts the last part off a folder that pyr_cgroup_dir gave; false at the hierarchy's own folder. */
bool pyr_cgroup_parent(const struct pyr_root *root, char *path);

#endif
