/* SPDX-License-Identifier: MIT */
#include "cli/resolve.h"

#include "base/fs.h"
#include "base/mem.h"
#include "model/gguf_type.h"
#include "model/model_find.h"
#include "model/synth.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_SHAPE "tinyllama-1.1b"
#define DEFAULT_FILE DEFAULT_SHAPE "-q4_0-random.gguf"

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

/* Schemes and hosts are the same in capitals (RFC 3986, 3.1). */
static bool has_scheme(const char *text, const char *scheme) {
    return strncasecmp(text, scheme, strlen(scheme)) == 0;
}

bool pyr_target_is_url(const char *target) {
    return has_scheme(target, "http://") || has_scheme(target, "https://") ||
           begins(target, "unix:");
}

bool pyr_target_is_builtin(const char *target) {
    return begins(target, "sim:") || begins(target, "null:") || strcmp(target, "sim") == 0 ||
           strcmp(target, "null") == 0;
}

static const char *set_environment(const struct pyr_resolve_input *input, const char *name) {
    const char *value = input->environment(name);
    return value && *value ? value : NULL;
}

/* "localhost:8000/v1": a server without its scheme. */
static bool is_host_and_port(const char *target) {
    size_t host =
        strspn(target, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
    size_t port = target[host] == ':' ? strspn(target + host + 1, "0123456789") : 0;
    return host && port && (!target[host + 1 + port] || target[host + 1 + port] == '/');
}

/* A path, a URL or a built-in target as the user wrote it; `from` names where, "" for the operand.
 */
static bool take(struct pyr_arena *arena, const char *target, const char *from,
                 struct pyr_resolved *resolved, struct pyr_err *err) {
    if (pyr_target_is_url(target) || pyr_target_is_builtin(target)) {
        /* "sim" alone is the sim engine as it comes. */
        resolved->target = strchr(target, ':') ? target : pyr_arena_printf(arena, "%s:", target);
        resolved->in_process = !pyr_target_is_url(target);
        return true;
    }
    /* "ftp://host/file" is no path; a file of such a name can be written ./ftp:... */
    size_t scheme =
        strspn(target, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    if (scheme && strncmp(target + scheme, "://", 3) == 0)
        return pyr_fail(err, PYR_E_USAGE,
                        "%s%s%s: the scheme %.*s:// is not known; a target is http://HOST:PORT/v1, "
                        "https://..., unix:/SOCKET, sim:..., null: or a model's file",
                        from, *from ? ": " : "", target, (int)scheme, target);
    char found[PATH_MAX];
    if (!pyr_model_find(target, found, err)) {
        if (is_host_and_port(target))
            pyr_fail(err, PYR_E_USAGE, "%s: is no file; a server is written http://%s", target,
                     target);
        return *from ? pyr_err_prefix(err, "%s", from) : false;
    }
    resolved->target = pyr_arena_strdup(arena, found);
    resolved->in_process = true;
    return true;
}

static int is_model(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".gguf") == 0 &&
           !begins(entry->d_name, "mmproj");
}

/* The first by name, so that it is the same one every day. */
static bool take_first_of(struct pyr_arena *arena, const char *dir, struct pyr_resolved *resolved,
                          struct pyr_err *err) {
    struct dirent **names;
    int count = scandir(dir, &names, is_model, alphasort);
    if (count < 0)
        return pyr_fail_errno(err, errno, "INFERNO_MODELS_DIR: %s", dir);
    const char *path = NULL;
    for (int i = 0; i < count; i++) {
        if (i == 0)
            path = pyr_arena_printf(arena, "%s/%s", dir, names[i]->d_name);
        pyr_free(names[i]);
    }
    pyr_free(names);
    if (!path)
        return pyr_fail(err, PYR_E_INPUT,
                        "INFERNO_MODELS_DIR: %s holds no .gguf file; name a model or unset it",
                        dir);
    return take(arena, path, "INFERNO_MODELS_DIR", resolved, err);
}

bool pyr_resolve_cache_path(struct pyr_arena *arena, char *(*environment)(const char *name),
                            const char *file, const char **path, struct pyr_err *err) {
    const char *cache = environment("XDG_CACHE_HOME"), *home = environment("HOME");
    if (cache && cache[0] == '/') /* the XDG specification: a relative one is invalid */
        *path = pyr_arena_printf(arena, "%s/pyrometer/models/%s", cache, file);
    else if (home && home[0] == '/')
        *path = pyr_arena_printf(arena, "%s/.cache/pyrometer/models/%s", home, file);
    else
        return pyr_fail(
            err, PYR_E_USAGE,
            "TARGET: no model was named and there is no home to make one in; name one, or "
            "set XDG_CACHE_HOME");
    return true;
}

static bool make_default(const char *path, bool announce, struct pyr_err *err) {
    const struct pyr_synth_shape *shape = pyr_synth_shape_find(DEFAULT_SHAPE, err);
    struct pyr_synth_config config = {.seed = 1};
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = '\0';
    if (!shape || !pyr_synth_type_find("q4_0", &config.type, err) || !pyr_fs_make_dirs(dir, err))
        return false;
    config.shape = *shape;
    if (announce)
        fprintf(stderr, "no model was named: making one (640 MB, once) in %s\n", dir);
    return pyr_synth(path, &config, NULL, err);
}

static bool take_default(struct pyr_arena *arena, const struct pyr_resolve_input *input,
                         struct pyr_resolved *resolved, struct pyr_err *err) {
    const char *path;
    if (!pyr_resolve_cache_path(arena, input->environment, DEFAULT_FILE, &path, err) ||
        (!pyr_fs_is_file(path) && !make_default(path, input->announce, err)))
        return false;
    resolved->target = path;
    resolved->in_process = true;
    resolved->note = "made here in the shape of TinyLlama-1.1B (Q4_0) with random weights: its "
                     "speed is real, its text is not";
    return true;
}

bool pyr_resolve_target(struct pyr_arena *arena, const struct pyr_resolve_input *input,
                        struct pyr_resolved *resolved, struct pyr_err *err) {
    *resolved = (struct pyr_resolved){0};
    resolved->source = "command line";
    if (input->operand) {
        if (pyr_target_is_url(input->operand))
            resolved->model = input->model;
        else if (input->model && strcmp(input->model, input->operand) != 0)
            return pyr_fail(err, PYR_E_USAGE,
                            "%s and --model %s contradict: two targets; leave one out",
                            input->operand, input->model);
        return take(arena, input->operand, "", resolved, err);
    }
    if (input->model)
        return take(arena, input->model, "--model", resolved, err);
    const char *path = set_environment(input, "BENCH_MODEL_PATH");
    resolved->source = "environment BENCH_MODEL_PATH";
    if (path)
        return take(arena, path, "BENCH_MODEL_PATH", resolved, err);
    const char *dir = set_environment(input, "INFERNO_MODELS_DIR");
    resolved->source = "environment INFERNO_MODELS_DIR";
    if (dir)
        return take_first_of(arena, dir, resolved, err);
    resolved->source = "configuration file";
    if (input->configured)
        return take(arena, input->configured, "the configuration file's model", resolved, err);
    resolved->source = "default";
    return take_default(arena, input, resolved, err);
}

/* What a process was started with is read by everybody on the machine (ps, /proc/PID/cmdline). */
static bool check_secrets(const struct pyr_option *pairs, size_t pair_count, struct pyr_err *err) {
    static const char *const secret[] = {"authorization", "proxy-authorization", "api-key",
                                         "x-api-key", "cookie"};
    for (size_t i = 0; i < pair_count; i++) {
        const char *value = pairs[i].value;
        size_t name = strcspn(value, ": \t");
        for (size_t j = 0; j < sizeof secret / sizeof *secret; j++)
            if (strcmp(pairs[i].key, "header") == 0 && strlen(secret[j]) == name &&
                strncasecmp(value, secret[j], name) == 0)
                return pyr_fail(
                    err, PYR_E_USAGE,
                    "--header %s: every user of this machine can read the command line; "
                    "put the line into a file and write --header @FILE%s",
                    secret[j], j == 0 ? ", or a bearer key into one for --api-key-file" : "");
    }
    return true;
}

bool pyr_check_target(const struct pyr_args *args, const struct pyr_option *pairs,
                      size_t pair_count, const struct pyr_resolved *resolved, struct pyr_err *err) {
    static const char *const of_engines[] = {"--isolate", "--threads", "--engine-dir"};
    for (size_t i = 0; !resolved->in_process && i < sizeof of_engines / sizeof *of_engines; i++)
        if (pyr_given(args, of_engines[i]))
            return pyr_fail(err, PYR_E_USAGE,
                            "%s and %s contradict: a server has an engine and threads of its own; "
                            "leave the option out",
                            pyr_spelling(args, of_engines[i]), resolved->target);
    for (size_t i = 0; resolved->in_process && i < args->given_count; i++) {
        const struct pyr_option_given *given = &args->given[i];
        if (given->option.use && given->option.use->pairs)
            return pyr_fail(err, PYR_E_USAGE,
                            "%s and %s contradict: only a server has that; leave the option out",
                            given->spelling, resolved->target);
    }
    return check_secrets(pairs, pair_count, err);
}
