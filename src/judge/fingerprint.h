/* SPDX-License-Identifier: MIT
 *
 * The fingerprint of a run: what must be the same for two runs to be compared with each other.
 * CPU, cores, kernel, governor, GPU and driver, the model, and the settings of the run. It leaves
 * out what is being compared (the engine's build and folder, the address of a server, the law of a
 * simulated target), what does not change what is measured (goals, output, how many requests or
 * seconds at most), what each case says for itself (class, concurrency) and what changes by itself
 * (load, free memory). The program's own version is a warning, not a difference.
 *
 * A setting that one side does not say was at its default there: a baseline stays comparable with
 * what later versions measure, whatever options they have by then.
 */
#ifndef PYR_JUDGE_FINGERPRINT_H
#define PYR_JUDGE_FINGERPRINT_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct pyr_fingerprint {
    const char *json; /* an object of text members: part to value */
    const char *hash; /* 16 hexadecimal digits over it, without the program's version */
};

/* From a run file's META text (docs/formats/results.md), into the arena. What the text does not say
 * is left out; text that is no JSON object gives the fingerprint of nothing. */
struct pyr_fingerprint pyr_fingerprint_make(struct pyr_arena *arena, const char *meta_json);

struct pyr_fingerprint_difference {
    const char *part;               /* "cpu", "kernel", "config.concurrency", ... */
    const char *baseline, *current; /* NULL: that side does not say */
    bool warning;                   /* to be said, but no reason not to compare */
};

/* What differs, in the order of the parts; NULL texts are unknown environments and differ in one
 * part, "environment". `vary` names parts that are meant to differ: "config.threads", or without
 * the first word, "threads". */
void pyr_fingerprint_compare(struct pyr_arena *arena, const char *baseline_json,
                             const char *current_json, const char *const *vary, size_t vary_count,
                             struct pyr_fingerprint_difference **differences, size_t *count);

#endif
