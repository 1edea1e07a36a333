/* SPDX-License-Identifier: MIT */
#include "model/model_find.h"

#include "base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcasecmp(text + length - tail, end) == 0;
}

/* The name of a format that is known and not supported, or NULL. */
static const char *unsupported_kind(const char *name) {
    static const char *const kinds[][2] = {{".safetensors", "a safetensors model"},
                                           {".onnx", "an ONNX model"},
                                           {".bin", "a PyTorch or old GGML model"},
                                           {".pt", "a PyTorch model"},
                                           {".pth", "a PyTorch model"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (ends_with(name, kinds[i][0]))
            return kinds[i][1];
    return NULL;
}

static bool fail_unsupported(const char *path, const char *kind, struct pyr_err *err) {
    return pyr_fail(err, PYR_E_UNSUPPORTED,
                    "%s: %s, which is not supported yet; GGUF files (.gguf) are: convert it with "
                    "llama.cpp's convert_hf_to_gguf.py",
                    path, kind);
}

/* NAME-00002-of-00005.gguf and later parts are not models by themselves. */
static bool is_later_part(const char *name) {
    const char *of = strstr(name, "-of-");
    return of && of - name > 6 && of[-6] == '-' && strncmp(of - 6, "-00001", 6) != 0 &&
           strspn(of - 5, "0123456789") == 5;
}

struct scan {
    struct pyr_buf models; /* their names, for the error */
    size_t model_count;
    char name[NAME_MAX + 1];  /* of the first model */
    char other[NAME_MAX + 1]; /* of a file of an unsupported kind */
};

static void look_at(struct scan *scan, const char *name) {
    enum { NAMES_SHOWN = 5 };
    if (unsupported_kind(name) && !scan->other[0])
        snprintf(scan->other, sizeof scan->other, "%s", name);
    if (name[0] == '.' || !ends_with(name, ".gguf") || is_later_part(name) ||
        strstr(name, "mmproj"))
        return;
    /* the first in the alphabet, so that the order of the disk does not matter */
    if (scan->model_count == 0 || strcmp(name, scan->name) < 0)
        snprintf(scan->name, sizeof scan->name, "%s", name);
    if (scan->model_count++ < NAMES_SHOWN)
        pyr_buf_printf(&scan->models, "%s%s", scan->model_count > 1 ? ", " : "", name);
    else if (scan->model_count == NAMES_SHOWN + 1)
        pyr_buf_puts(&scan->models, ", ...");
}

static bool choose(const struct scan *scan, const char *path, char found[PATH_MAX],
                   struct pyr_err *err) {
    if (scan->model_count == 0 && scan->other[0]) {
        char other[PATH_MAX];
        if (snprintf(other, sizeof other, "%s/%s", path, scan->other) >= (int)sizeof other)
            return pyr_fail(err, PYR_E_IO, "%s: the path is too long", path);
        return fail_unsupported(other, unsupported_kind(scan->other), err);
    }
    if (scan->model_count == 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: a folder without a model; name a folder that holds a .gguf file, or "
                        "make one with 'pyrometer model synth'",
                        path);
    if (scan->model_count > 1)
        return pyr_fail(err, PYR_E_INPUT, "%s: a folder with %zu models; name one of them: %s",
                        path, scan->model_count, pyr_buf_text(&scan->models));
    const char *slash = ends_with(path, "/") ? "" : "/";
    if (snprintf(found, PATH_MAX, "%s%s%s", path, slash, scan->name) >= PATH_MAX)
        return pyr_fail(err, PYR_E_IO, "%s: the path is too long", path);
    return true;
}

static bool find_in_folder(const char *path, char found[PATH_MAX], struct pyr_err *err) {
    DIR *folder = opendir(path);
    if (!folder)
        return pyr_fail_errno(err, errno, "%s: the folder cannot be read", path);
    struct scan scan = {0};
    for (struct dirent *entry; (entry = readdir(folder));)
        look_at(&scan, entry->d_name);
    closedir(folder);
    bool ok = choose(&scan, path, found, err);
    pyr_buf_deinit(&scan.models);
    return ok;
}

bool pyr_model_find(const char *path, char found[PATH_MAX], struct pyr_err *err) {
    struct stat info;
    if (!*path)
        return pyr_fail(err, PYR_E_USAGE, "the model's path is empty; name a .gguf file");
    if (stat(path, &info) != 0)
        return pyr_fail_errno(err, errno, "%s: the model cannot be opened", path);
    if (S_ISDIR(info.st_mode))
        return find_in_folder(path, found, err);
    const char *kind = unsupported_kind(path);
    if (kind)
        return fail_unsupported(path, kind, err);
    if (snprintf(found, PATH_MAX, "%s", path) >= PATH_MAX)
        return pyr_fail(err, PYR_E_IO, "%s: the path is too long", path);
    return true;
}
