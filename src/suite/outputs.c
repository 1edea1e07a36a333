/* SPDX-License-Identifier: MIT */
#include "suite/outputs.h"

#include "base/fs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_folder_name(const char *path) {
    size_t length = strlen(path);
    if (pyr_fs_is_dir(path) || (length > 0 && path[length - 1] == '/'))
        return true;
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    const char *dot = strrchr(name, '.');
    return !dot || dot == name || strcmp(name, "..") == 0;
}

static bool print_path(char *out, struct pyr_err *err, const char *format, const char *a,
                       const char *b) {
    if (snprintf(out, PATH_MAX, format, a, b) >= PATH_MAX)
        return pyr_fail(err, PYR_E_USAGE, "%s: the path is too long", a);
    return true;
}

static bool split_output(const char *output, struct pyr_outputs *outputs, struct pyr_err *err) {
    if (strlen(output) + 64 >= PATH_MAX)
        return pyr_fail(err, PYR_E_USAGE, "--output: the path is too long");
    if (is_folder_name(output)) {
        snprintf(outputs->dir, sizeof outputs->dir, "%s", output);
        size_t length = strlen(outputs->dir);
        while (length > 1 && outputs->dir[length - 1] == '/')
            outputs->dir[--length] = '\0';
        return print_path(outputs->results, err, "%s/%s", outputs->dir, "results.json");
    }
    snprintf(outputs->results, sizeof outputs->results, "%s", output);
    const char *slash = strrchr(output, '/');
    if (!slash)
        snprintf(outputs->dir, sizeof outputs->dir, ".");
    else
        snprintf(outputs->dir, sizeof outputs->dir, "%.*s",
                 slash == output ? 1 : (int)(slash - output), output);
    return true;
}

bool pyr_outputs_prepare(const char *output, const char *fallback, time_t started,
                         struct pyr_outputs *outputs, struct pyr_err *err) {
    if (!split_output(output && *output ? output : fallback, outputs, err))
        return false;
    outputs->made_dir = !pyr_fs_is_dir(outputs->dir);
    char stamp[32], base[PATH_MAX];
    struct tm utc;
    gmtime_r(&started, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    if (!print_path(base, err, "%s/%s", outputs->dir, "history") || !pyr_fs_make_dirs(base, err) ||
        !pyr_fs_check_writable(outputs->dir, err))
        return pyr_err_prefix(err, "--output");
    for (int attempt = 1;; attempt++) {
        char name[48];
        snprintf(name, sizeof name, attempt > 1 ? "%s-%d" : "%s", stamp, attempt);
        if (!print_path(outputs->history, err, "%s/%s", base, name))
            return false;
        if (mkdir(outputs->history, 0755) == 0)
            break;
        /* A thousand runs within one second are no accident of timing. */
        if (errno != EEXIST || attempt > 1000)
            return pyr_fail_errno(err, errno, "--output: %s: cannot make the folder",
                                  outputs->history);
    }
    return print_path(outputs->run, err, "%s/%s", outputs->history, "run.pyr");
}

void pyr_outputs_discard(const struct pyr_outputs *outputs) {
    char base[PATH_MAX];
    snprintf(base, sizeof base, "%s", outputs->history);
    /* rmdir refuses what is not empty, which is all the care that is needed. */
    if (rmdir(base) != 0)
        return;
    *strrchr(base, '/') = '\0';
    if (rmdir(base) == 0 && outputs->made_dir)
        rmdir(outputs->dir);
}
