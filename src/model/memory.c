/* SPDX-License-Identifier: MIT */
#include "model/memory.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 20 };

/* "Key:  123 kB" or "key 123" at the start of a line. */
static bool find_number(const char *text, const char *key, uint64_t *value) {
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && strchr(" :\t", line[length]))
            return sscanf(line + length, "%*[ :\t]%" SCNu64, value) == 1;
    }
    return false;
}

static bool read_number(const struct pyr_root *root, const char *folder, const char *file,
                        const char *key, uint64_t *value) {
    char path[PATH_MAX];
    struct pyr_buf buf = {0};
    snprintf(path, sizeof path, "%s/%s", folder, file);
    bool ok = pyr_fs_read(root, path, FILE_BYTES_MAX, &buf, NULL);
    if (ok && key)
        ok = find_number(pyr_buf_text(&buf), key, value);
    else if (ok) /* "max": no limit */
        ok = sscanf(pyr_buf_text(&buf), "%" SCNu64, value) == 1;
    pyr_buf_deinit(&buf);
    return ok;
}

struct controller {
    const char *limit, *usage, *inactive, *active;
};

static void limit_by_group(const struct pyr_root *root, const char *folder,
                           const struct controller *names, uint64_t *available) {
    uint64_t limit, usage, inactive = 0, active = 0;
    if (!read_number(root, folder, names->limit, NULL, &limit) ||
        !read_number(root, folder, names->usage, NULL, &usage))
        return;
    read_number(root, folder, "memory.stat", names->inactive, &inactive);
    read_number(root, folder, "memory.stat", names->active, &active);
    uint64_t files = inactive + active < usage ? inactive + active : usage;
    uint64_t used = usage - files;
    uint64_t left = limit > used ? limit - used : 0;
    if (left < *available)
        *available = left;
}

/* Every group from ours up to the root can limit us. */
static void limit_by_groups(const struct pyr_root *root, const char *mount, const char *group,
                            const struct controller *names, uint64_t *available) {
    char folder[PATH_MAX];
    size_t base = strlen(mount);
    int length = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (length < 0 || (size_t)length >= sizeof folder)
        return;
    for (;;) {
        limit_by_group(root, folder, names, available);
        char *slash = strrchr(folder + base, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}

bool pyr_memory_available(const struct pyr_root *root, uint64_t *bytes, struct pyr_err *err) {
    static const struct controller v2 = {"memory.max", "memory.current", "inactive_file",
                                         "active_file"};
    static const struct controller v1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                                         "total_inactive_file", "total_active_file"};
    struct pyr_buf buf = {0};
    root = root ? root : &pyr_root_live;
    if (!pyr_fs_read(root, "/proc/meminfo", FILE_BYTES_MAX, &buf, err))
        return false;
    uint64_t kib;
    bool ok = find_number(pyr_buf_text(&buf), "MemAvailable", &kib);
    *bytes = ok ? kib * 1024 : 0;
    pyr_buf_clear(&buf);
    if (ok && pyr_fs_read(root, "/proc/self/cgroup", FILE_BYTES_MAX, &buf, NULL)) {
        char *rest = buf.data, *line;
        while ((line = strsep(&rest, "\n"))) {
            char *v1_group = strstr(line, ":memory:");
            if (strncmp(line, "0::", 3) == 0)
                limit_by_groups(root, "/sys/fs/cgroup", line + 3, &v2, bytes);
            else if (v1_group)
                limit_by_groups(root, "/sys/fs/cgroup/memory", v1_group + 8, &v1, bytes);
        }
    }
    pyr_buf_deinit(&buf);
    return ok || pyr_fail(err, PYR_E_IO, "/proc/meminfo: does not say MemAvailable");
}

bool pyr_memory_check(const char *what, const char *part, uint64_t need,
                      const struct pyr_root *root, struct pyr_err *err) {
    uint64_t available;
    if (!pyr_memory_available(root, &available, NULL) || need <= available)
        return true;
    return pyr_fail(
        err, PYR_E_NOMEM,
        "%s: %s: %.1f MB of memory are needed and %.1f MB are there; use a smaller model, "
        "fewer sequences or a shorter context",
        what, part, (double)need / 1e6, (double)available / 1e6);
}
