/* SPDX-License-Identifier: MIT */
#include "model/llama_find.h"

#include "base/fs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN "pyrometer-llama.so"

static bool join(char path[PATH_MAX], const char *folder, const char *name) {
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

static bool plugin_in(const char *folder, char path[PATH_MAX]) {
    return folder && *folder && join(path, folder, PLUGIN) && pyr_fs_is_file(path);
}

/* The folder of the running program. */
static bool program_folder(char folder[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    if (length <= 0)
        return false;
    folder[length] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    return slash != NULL;
}

static bool find_plugin(const char *engine_dir, const char *plugin_dir, char path[PATH_MAX],
                        struct pyr_err *err) {
    if (plugin_in(engine_dir, path))
        return true;
    if (plugin_dir) {
        if (plugin_in(plugin_dir, path))
            return true;
        return pyr_fail(err, PYR_E_ENGINE, "%s: holds no " PLUGIN, plugin_dir);
    }
    static const char *const beside[] = {"lib/pyrometer", "../lib/pyrometer"};
    char program[PATH_MAX], folder[PATH_MAX];
    if (plugin_in(getenv("PYROMETER_LIB_DIR"), path))
        return true;
    bool known = program_folder(program);
    for (size_t i = 0; known && i < sizeof beside / sizeof *beside; i++)
        if (join(folder, program, beside[i]) && plugin_in(folder, path))
            return true;
    return pyr_fail(err, PYR_E_ENGINE,
                    "the llama engine is not installed: no " PLUGIN " in $PYROMETER_LIB_DIR, "
                    "%s/lib/pyrometer or %s/../lib/pyrometer; run scripts/setup and build again",
                    known ? program : "?", known ? program : "?");
}

/* libllama.so first, else libllama.so.1, libllama.v0.5.0.so, ... (but not libllama-common.so). */
static bool library_in(const char *folder, char path[PATH_MAX]) {
    if (join(path, folder, "libllama.so") && pyr_fs_is_file(path))
        return true;
    DIR *entries = opendir(folder);
    bool found = false;
    char name[NAME_MAX + 1] = "";
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        const char *candidate = entry->d_name;
        if (strncmp(candidate, "libllama.", 9) != 0 || !strstr(candidate, ".so"))
            continue;
        /* the last in the alphabet, so that the order of the disk does not matter */
        if (strcmp(candidate, name) > 0)
            snprintf(name, sizeof name, "%s", candidate);
        found = true;
    }
    if (entries)
        closedir(entries);
    return found && join(path, folder, name);
}

static bool find_library(const char *engine_dir, const char *plugin, char path[PATH_MAX],
                         struct pyr_err *err) {
    static const char *const below[] = {".", "lib", "bin", "build/bin"};
    char folder[PATH_MAX], name[PATH_MAX];
    if (!engine_dir) {
        snprintf(name, sizeof name, "%s", plugin);
        char *slash = strrchr(name, '/');
        if (slash)
            *slash = '\0';
        if (join(folder, slash ? name : ".", "engine") && library_in(folder, path))
            return true;
        return pyr_fail(err, PYR_E_ENGINE,
                        "llama.cpp is missing: no libllama*.so in %s; run scripts/setup", folder);
    }
    for (size_t i = 0; i < sizeof below / sizeof *below; i++)
        if (join(folder, engine_dir, below[i]) && library_in(folder, path))
            return true;
    return pyr_fail(err, PYR_E_USAGE,
                    "engine folder %s: holds no libllama*.so, neither itself nor in lib/, bin/ or "
                    "build/bin/; name the folder of a llama.cpp build",
                    engine_dir);
}

bool pyr_llama_find(const char *engine_dir, const char *plugin_dir, struct pyr_llama_paths *paths,
                    struct pyr_err *err) {
    return find_plugin(engine_dir, plugin_dir, paths->plugin, err) &&
           find_library(engine_dir, paths->plugin, paths->library, err);
}

/* "zen4" of "libggml-cpu-zen4.so"; false for every other name. */
static bool variant_of(const char *file, char name[NAME_MAX + 1]) {
    static const char before[] = "libggml-cpu-", after[] = ".so";
    size_t length = strlen(file), prefix = sizeof before - 1, suffix = sizeof after - 1;
    if (length <= prefix + suffix || strncmp(file, before, prefix) != 0 ||
        strcmp(file + length - suffix, after) != 0)
        return false;
    snprintf(name, NAME_MAX + 1, "%.*s", (int)(length - prefix - suffix), file + prefix);
    return true;
}

bool pyr_llama_check_variant(const char *library, const char *variant, struct pyr_err *err) {
    if (!variant)
        return true;
    char folder[PATH_MAX], name[NAME_MAX + 1];
    snprintf(folder, sizeof folder, "%s", library);
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    struct pyr_buf names = {0};
    bool found = false;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (!variant_of(entry->d_name, name))
            continue;
        found = found || strcmp(name, variant) == 0;
        pyr_buf_printf(&names, "%s%s", names.length ? ", " : "", name);
    }
    if (entries)
        closedir(entries);
    if (!found)
        pyr_fail(err, PYR_E_USAGE, "llama: no CPU variant '%s' in %s; there: %s", variant, folder,
                 names.length ? names.data : "none");
    pyr_buf_deinit(&names);
    return found;
}
