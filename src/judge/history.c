/* SPDX-License-Identifier: MIT */
#include "judge/history.h"

#include "base/buf.h"
#include "base/fs.h"
#include "judge/fingerprint.h"
#include "record/runfile.h"
#include "store/import.h"
#include "store/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void stamp(struct pyr_arena *arena, struct pyr_kept_run *run) {
    if (!run->meta_json)
        return;
    struct pyr_fingerprint fingerprint = pyr_fingerprint_make(arena, run->meta_json);
    run->fingerprint_json = fingerprint.json;
    run->fingerprint_hash = fingerprint.hash;
}

static void finish(struct pyr_arena *arena, struct pyr_kept_run *run, const char *revision,
                   const char *group) {
    stamp(arena, run);
    if (revision && *revision)
        run->revision = pyr_arena_strdup(arena, revision);
    if (group && *group)
        run->group = pyr_arena_strdup(arena, group);
}

struct pyr_kept_run *pyr_history_run(struct pyr_arena *arena, const struct pyr_result *result,
                                     const char *revision, const char *group) {
    struct pyr_kept_run *run = pyr_kept_from_result(arena, result);
    finish(arena, run, revision, group);
    return run;
}

static struct pyr_kept_case *case_of_pairs(struct pyr_arena *arena,
                                           const struct pyr_comparison *comparison) {
    const struct pyr_compared_metric *metrics = comparison->metrics;
    struct pyr_kept_metric *kept = pyr_arena_array(arena, comparison->metric_count, sizeof *kept);
    struct pyr_kept_case *made = pyr_arena_alloc(arena, sizeof *made);
    *made = (struct pyr_kept_case){.suite = pyr_arena_strdup(arena, metrics[0].suite),
                                   .id = pyr_arena_strdup(arena, metrics[0].case_id),
                                   .params = "",
                                   .reference = pyr_arena_strdup(arena, comparison->baseline.name),
                                   .metrics = kept,
                                   .metric_count = comparison->metric_count};
    for (size_t i = 0; i < comparison->metric_count; i++) {
        kept[i] = (struct pyr_kept_metric){.metric = metrics[i].metric,
                                           .source = "interleaved blocks",
                                           .n = comparison->pairs,
                                           .ratio = metrics[i].ratio,
                                           .sd = (double)NAN,
                                           .min = metrics[i].current.lo,
                                           .max = metrics[i].current.hi};
        for (int k = 0; k < PYR_KEPT_COUNT; k++)
            kept[i].at[k] = pyr_estimate_unknown(NULL);
        int statistic = pyr_kept_find(metrics[i].statistic);
        if (statistic != PYR_KEPT_COUNT)
            kept[i].at[statistic].value = metrics[i].current.value;
    }
    return made;
}

struct pyr_kept_run *pyr_history_pairs(struct pyr_arena *arena,
                                       const struct pyr_comparison *comparison,
                                       const char *meta_json, const char *revision,
                                       const char *group) {
    struct pyr_kept_run *run = pyr_arena_alloc(arena, sizeof *run);
    run->origin = "pyrometer";
    pyr_kept_from_meta(arena, meta_json, "", run);
    run->partial = NULL;
    run->simulated = comparison->current.simulated;
    run->noise_floor = pyr_estimate_unknown(NULL);
    run->noise_floor.value = comparison->noise_floor.ratio;
    run->cases = case_of_pairs(arena, comparison);
    run->case_count = 1;
    finish(arena, run, revision, group);
    return run;
}

bool pyr_history_keep(const char *where, const struct pyr_kept_run *run, struct pyr_err *err) {
    struct pyr_store *store;
    const struct pyr_store_config config = {.where = where, .write = true};
    if (!pyr_store_open(&config, &store, err))
        return false;
    bool fine = pyr_store_add(store, run, err);
    pyr_store_close(store);
    return fine;
}

static bool is_run_file(const char *path) {
    char magic[sizeof PYR_RUN_MAGIC] = "";
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    size_t got = fread(magic, 1, sizeof PYR_RUN_MAGIC - 1, file);
    fclose(file);
    return got == sizeof PYR_RUN_MAGIC - 1 &&
           strncmp(magic, PYR_RUN_MAGIC, PYR_RUN_VERSION_AT) == 0;
}

static bool from_run_file(struct pyr_arena *arena, const char *path, struct pyr_kept_run **runs,
                          size_t *count, struct pyr_err *err) {
    struct pyr_result *result;
    if (!pyr_result_make(path, &result, err))
        return false;
    *runs = pyr_history_run(arena, result, NULL, NULL);
    *count = 1;
    pyr_result_destroy(result);
    return true;
}

static bool from_result_file(struct pyr_arena *arena, const char *path, struct pyr_kept_run **runs,
                             size_t *count, struct pyr_err *err) {
    if (!pyr_import_file(arena, path, runs, count, err))
        return false;
    for (size_t i = 0; i < *count; i++)
        stamp(arena, &(*runs)[i]);
    return true;
}

static bool from_folder(struct pyr_arena *arena, const char *path, struct pyr_kept_run **runs,
                        size_t *count, struct pyr_err *err) {
    static const char *const names[] = {"baseline_results.json", "runs.json", "results.json"};
    char file[4096];
    snprintf(file, sizeof file, "%s/" PYR_RUN_NAME, path);
    if (pyr_fs_is_file(file))
        return from_run_file(arena, file, runs, count, err);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        if (pyr_fs_is_file(file))
            return from_result_file(arena, file, runs, count, err);
    }
    return pyr_fail(err, PYR_E_INPUT,
                    "%s: a folder without run.pyr, baseline_results.json or results.json; name the "
                    "file itself",
                    path);
}

/* All whole runs of a group. */
static bool load_group(struct pyr_store *store, struct pyr_arena *arena, const char *group,
                       struct pyr_kept_run **runs, size_t *count, struct pyr_err *err) {
    const struct pyr_store_filter filter = {.group = group};
    struct pyr_kept_run *listed;
    size_t found;
    if (!pyr_store_list(store, arena, &filter, &listed, &found, err))
        return false;
    *runs = pyr_arena_array(arena, found, sizeof **runs);
    *count = 0;
    for (size_t i = 0; i < found; i++) {
        struct pyr_kept_run *one;
        if (listed[i].partial)
            continue;
        if (!pyr_store_load(store, arena, listed[i].id, false, &one, err))
            return false;
        (*runs)[(*count)++] = *one;
    }
    return *count > 0 || pyr_fail(err, PYR_E_INPUT,
                                  "group:%s: no whole run of that group in the history; 'pyrometer "
                                  "history' lists the groups",
                                  group);
}

static bool from_history(struct pyr_arena *arena, const char *where, const char *spec,
                         struct pyr_kept_run **runs, size_t *count, struct pyr_err *err) {
    struct pyr_store *store;
    const struct pyr_store_config config = {.where = where};
    if (!pyr_store_open(&config, &store, err))
        return pyr_err_prefix(err, "%s: no such file, and in the history", spec);
    bool fine;
    if (strncmp(spec, "group:", 6) == 0) {
        fine = load_group(store, arena, spec + 6, runs, count, err);
    } else {
        fine = pyr_store_load(store, arena, spec, false, runs, err);
        *count = 1;
    }
    pyr_store_close(store);
    return fine;
}

bool pyr_history_find(struct pyr_arena *arena, const char *where, const char *spec,
                      struct pyr_kept_run **runs, size_t *count, struct pyr_err *err) {
    if (pyr_fs_is_dir(spec))
        return from_folder(arena, spec, runs, count, err);
    if (pyr_fs_is_file(spec))
        return is_run_file(spec) ? from_run_file(arena, spec, runs, count, err)
                                 : from_result_file(arena, spec, runs, count, err);
    if (strchr(spec, '/') || strstr(spec, ".json") || !where)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: no such file; name a results.json, a run file or its folder, or an id "
                        "that 'pyrometer history' lists",
                        spec);
    return from_history(arena, where, spec, runs, count, err);
}
