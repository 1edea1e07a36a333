/* SPDX-License-Identifier: MIT */
#include "suite/find_run.h"

#include "base/fs.h"
#include "record/runfile.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static bool has_run(const char *dir, char run[PATH_MAX]) {
    return snprintf(run, PATH_MAX, "%s/" PYR_RUN_NAME, dir) < PATH_MAX && pyr_fs_is_file(run);
}

/* Folders below history/ are named by their start, so that the last by name is the newest. */
static bool newest_run(const char *dir, char run[PATH_MAX]) {
    char base[PATH_MAX], best[256] = "", path[PATH_MAX];
    if (snprintf(base, sizeof base, "%s/history", dir) >= PATH_MAX)
        return false;
    DIR *folder = opendir(base);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, best) > 0 &&
            snprintf(path, sizeof path, "%s/%s", base, entry->d_name) < PATH_MAX &&
            has_run(path, run))
            snprintf(best, sizeof best, "%s", entry->d_name);
    if (folder)
        closedir(folder);
    return *best && snprintf(path, sizeof path, "%s/%s", base, best) < PATH_MAX &&
           has_run(path, run);
}

/* The file is named as it was seen from where the run was made; the folder may have moved since. */
static bool run_of_results(const char *results, char run[PATH_MAX]) {
    json_t *root = json_load_file(results, 0, NULL);
    const char *said = json_string_value(json_object_get(root, "run_file"));
    const char *slash = strrchr(results, '/'), *tail = said ? strstr(said, "history/") : NULL;
    int dir = slash ? (int)(slash - results) : 1;
    const char *from = slash ? results : ".";
    for (const char *next = tail; next; next = strstr(next + 1, "history/"))
        tail = next;
    bool found = said && snprintf(run, PATH_MAX, "%s", said) < PATH_MAX && pyr_fs_is_file(run);
    found = (tail && snprintf(run, PATH_MAX, "%.*s/%s", dir, from, tail) < PATH_MAX &&
             pyr_fs_is_file(run)) ||
            (snprintf(run, PATH_MAX, "%.*s/" PYR_RUN_NAME, dir, from) < PATH_MAX &&
             pyr_fs_is_file(run)) ||
            (found && snprintf(run, PATH_MAX, "%s", said) < PATH_MAX);
    json_decref(root);
    return found;
}

bool pyr_find_run(const char *said, char run[PATH_MAX], struct pyr_err *err) {
    const char *dot = strrchr(said, '.');
    if (pyr_fs_is_dir(said))
        return has_run(said, run) || newest_run(said, run) ||
               pyr_fail(err, PYR_E_INPUT,
                        "%s: holds no " PYR_RUN_NAME " and no run below history/; name the folder "
                        "of a run",
                        said);
    if (dot && strcmp(dot, ".json") == 0 && pyr_fs_is_file(said))
        return run_of_results(said, run) ||
               pyr_fail(err, PYR_E_INPUT,
                        "%s: names no run file that is still there; report reads runs, compare "
                        "reads results",
                        said);
    snprintf(run, PATH_MAX, "%s", said);
    return true;
}
