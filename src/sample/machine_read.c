/* SPDX-License-Identifier: MIT */
#include "sample/machine_read.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 22 }; /* /proc/cpuinfo of 1024 CPUs is 1.5 MB */

static bool read_va(const struct pyr_root *root, struct pyr_buf *buf, const char *format,
                    va_list args) {
    char path[PATH_MAX];
    vsnprintf(path, sizeof path, format, args);
    pyr_buf_clear(buf);
    if (!pyr_fs_read(root, path, FILE_BYTES_MAX, buf, NULL))
        return false;
    while (buf->length > 0 && isspace((unsigned char)buf->data[buf->length - 1]))
        buf->data[--buf->length] = '\0';
    return true;
}

bool pyr_read_text(const struct pyr_root *root, struct pyr_buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    bool ok = read_va(root, buf, format, args);
    va_end(args);
    return ok;
}

bool pyr_read_u64(const struct pyr_root *root, uint64_t *value, const char *format, ...) {
    struct pyr_buf buf = {0};
    va_list args;
    va_start(args, format);
    bool ok = read_va(root, &buf, format, args);
    va_end(args);
    const char *text = pyr_buf_text(&buf);
    ok = ok && isdigit((unsigned char)*text);
    if (ok)
        *value = strtoull(text, NULL, 10);
    pyr_buf_deinit(&buf);
    return ok;
}

bool pyr_text_field(const char *text, const char *key, char *value, size_t size) {
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0)
            continue;
        const char *at = line + length;
        at += strspn(at, " \t");
        if (*at != ':')
            continue;
        at++;
        at += strspn(at, " \t");
        size_t count = strcspn(at, "\n");
        while (count > 0 && isspace((unsigned char)at[count - 1]))
            count--;
        snprintf(value, size, "%.*s", (int)count, at);
        return true;
    }
    return false;
}

static bool dir_exists(const struct pyr_root *root, const char *path) {
    char full[PATH_MAX];
    return snprintf(full, sizeof full, "%s%s", root->prefix, path) < (int)sizeof full &&
           pyr_fs_is_dir(full);
}

/* The path of one hierarchy in /proc/self/cgroup, whose lines are "number:controllers:path". */
static bool own_path(const struct pyr_root *root, const char *controller, char *path, size_t size) {
    struct pyr_buf buf = {0};
    bool found = false;
    if (pyr_read_text(root, &buf, "/proc/self/cgroup")) {
        char *rest = buf.data;
        for (char *line; !found && (line = strsep(&rest, "\n"));) {
            char *colon = strchr(line, ':');
            char *second = colon ? strchr(colon + 1, ':') : NULL;
            if (!second)
                continue;
            *second = '\0';
            if (!controller)
                found = colon[1] == '\0';
            char *names = colon + 1;
            for (char *name; controller && !found && (name = strsep(&names, ","));)
                found = strcmp(name, controller) == 0;
            if (found)
                snprintf(path, size, "%s", second + 1);
        }
    }
    pyr_buf_deinit(&buf);
    return found;
}

bool pyr_cgroup_dir(const struct pyr_root *root, const char *controller, char *path, size_t size) {
    static const char *const v2[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    char below[PATH_MAX], base[128];
    if (!own_path(root, controller, below, sizeof below))
        return false;
    if (controller) {
        snprintf(base, sizeof base, "/sys/fs/cgroup/%s", controller);
    } else {
        struct pyr_buf buf = {0};
        bool unified = pyr_read_text(root, &buf, "%s/cgroup.controllers", v2[0]);
        pyr_buf_deinit(&buf);
        snprintf(base, sizeof base, "%s", v2[unified ? 0 : 1]);
    }
    if (!dir_exists(root, base))
        return false;
    snprintf(path, size, "%s%s", base, strcmp(below, "/") == 0 ? "" : below);
    if (!dir_exists(root, path))
        snprintf(path, size, "%s", base);
    return true;
}

bool pyr_cgroup_parent(const struct pyr_root *root, char *path) {
    char *slash = strrchr(path, '/');
    /* Folders of a hierarchy hold cgroup.procs, the one above its mount does not. */
    char above[PATH_MAX];
    snprintf(above, sizeof above, "%.*s", (int)(slash - path), path);
    struct pyr_buf buf = {0};
    bool inside = pyr_read_text(root, &buf, "%s/cgroup.procs", above);
    pyr_buf_deinit(&buf);
    if (inside)
        *slash = '\0';
    return inside;
}
