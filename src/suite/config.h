/* SPDX-License-Identifier: MIT
 *
 * Configuration files (`--config FILE`, YAML or JSON) and files of goals (`--targets FILE`).
 *
 * Precedence: command line > environment > file > preset > default. A file is laid over the preset
 * and the result is handed to the benchmark as the preset; what the command line said stays. A
 * key that is not known fails with its line. docs/formats/config.md lists the keys. Options by
 * their names are only collected here: the command line knows which there are and which were typed.
 */
#ifndef PYR_SUITE_CONFIG_H
#define PYR_SUITE_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "suite/bench.h"
#include "suite/presets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pyr_config_list {
    const uint64_t *items;
    size_t count; /* 0: not said */
};

/* Goals of the file, in its own units; NaN: not said. */
struct pyr_config_goals {
    double tok_s, ttft_ms, spike_percent[2], retrieval_ms;
};

struct pyr_config_hardware {
    const char *name; /* of the preset it belongs to */
    struct pyr_config_goals goals;
    struct pyr_config_list batch_sizes;
};

/* An option by its name on the command line, without its dashes. */
struct pyr_config_option {
    const char *name, *text; /* as one would type it: "4,8", "true" */
    int line;
};

enum { PYR_CONFIG_OPTIONS_MAX = 64 };
enum { PYR_CONFIG_HARDWARE_MAX = 16, PYR_CONFIG_NOTES_MAX = 16, PYR_CONFIG_SAID_MAX = 64 };

/* What the file said. Numbers are 0 and texts NULL where it said nothing. */
struct pyr_config {
    const char *path;
    struct pyr_config_goals goals;
    uint64_t iterations, warmup_iterations;
    bool warmup_set;
    double timeout_s; /* of a case */
    struct pyr_config_list batch_sizes, text_lengths;
    const char *model;
    uint64_t index_size, queries, top_k;
    struct pyr_config_list stress_levels;
    double stress_s;
    double interval_ms, energy_interval_ms, memory_interval_ms; /* of sampling */
    int energy;                                                 /* -1: not said */
    double threshold_percent;                                   /* of a comparison; 0: not said */
    const char *baseline_path;
    const char *output;
    int detailed_logs, html_report; /* -1: not said */
    struct pyr_config_hardware hardware[PYR_CONFIG_HARDWARE_MAX];
    size_t hardware_count;
    struct pyr_config_option options[PYR_CONFIG_OPTIONS_MAX]; /* the group `options` */
    size_t option_count;
    struct pyr_setting
        said[PYR_CONFIG_SAID_MAX]; /* every key outside hardware_configs and options, as written */
    size_t said_count;
};

/* Everything lives in the arena. */
bool pyr_config_load(struct pyr_arena *arena, const char *path, struct pyr_config *config,
                     struct pyr_err *err);
/* The same from text; `path` stands for it in errors. */
bool pyr_config_read(struct pyr_arena *arena, const char *path, const char *text, size_t size,
                     struct pyr_config *config, struct pyr_err *err);

/* Sentences about what a file asks for and this version does otherwise. */
struct pyr_config_notes {
    const char *items[PYR_CONFIG_NOTES_MAX];
    size_t count;
};

/* Lays the file over the preset that the options name, and fills options that the user left open.
 * `config.model` is left to whoever finds the target, and the part of a comparison to compare. */
bool pyr_config_apply(struct pyr_arena *arena, const struct pyr_config *config,
                      struct pyr_bench_options *options, struct pyr_config_notes *notes,
                      struct pyr_err *err);

/* A file of goals: the keys of docs/formats/config.md, all optional, fractions as 0.8 or
 * explicitly as *_percent. Gives the text that --slo takes. */
bool pyr_targets_load(struct pyr_arena *arena, const char *path, const char **slo,
                      struct pyr_err *err);
bool pyr_targets_read(struct pyr_arena *arena, const char *path, const char *text, size_t size,
                      const char **slo, struct pyr_err *err);

#endif
