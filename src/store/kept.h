/* SPDX-License-Identifier: MIT
 *
 * A run as it is kept and compared: the numbers of a result without their plots, whether they
 * come from a run of this program, from the history or from another tool's file. Plain data in the
 * caller's arena. Unknown numbers are NaN, unknown text is NULL.
 */
#ifndef PYR_STORE_KEPT_H
#define PYR_STORE_KEPT_H

#include "base/arena.h"
#include "base/err.h"
#include "estimate/estimate.h"
#include "estimate/hist.h"
#include "record/metric.h"
#include "stats/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The statistics of a metric: a scalar has its value, a distribution the others. */
enum {
    PYR_KEPT_VALUE,
    PYR_KEPT_MEAN,
    PYR_KEPT_P50, /* then p75, p90, p95, p99, p99_9 in the order of pyr_quantile_names */
    PYR_KEPT_COUNT = PYR_KEPT_P50 + PYR_Q_COUNT
};
extern const char *const pyr_kept_names[PYR_KEPT_COUNT]; /* "value", "mean", "p50" ... "p99_9" */
/* The statistic of that name, or PYR_KEPT_COUNT. */
int pyr_kept_find(const char *name);

struct pyr_kept_metric {
    enum pyr_metric metric;
    const char *source;
    uint64_t n;                             /* values behind it; 0 unknown */
    struct pyr_estimate at[PYR_KEPT_COUNT]; /* in the metric's unit; reasons are not kept */
    double sd, min, max;
    struct pyr_estimate ratio; /* to the case's reference; counts only where it has one */
    const void *hist;          /* as pyr_hist_write wrote it, or NULL */
    size_t hist_bytes;
};

struct pyr_kept_case {
    const char *suite, *id, *params; /* id "" for what belongs to no case (the instrument) */
    const char *reference; /* what was measured beside it, block by block (--ab), or NULL */
    bool open_loop;        /* latencies count from the schedule */
    uint64_t total, ok;    /* requests; 0 unknown */
    uint64_t outputs_hash; /* 0 unknown */
    const struct pyr_kept_metric *metrics;
    size_t metric_count;
};

struct pyr_kept_run {
    const char *id;      /* unique in a history: pyr_kept_from_result makes it */
    const char *origin;  /* "pyrometer", or the format it was imported from: "hyperfine", ... */
    double time_unix_s;  /* its start */
    const char *version; /* of the program that measured */
    const char *command;
    const char *revision; /* of the thing measured: a commit */
    const char *group;    /* runs made together (`baseline`, `--runs`), or NULL */
    const char *fingerprint_json, *fingerprint_hash; /* judge/fingerprint.h */
    const char *meta_json;                           /* the run file's META block */
    const char *run_path;                            /* the run file */
    const char *partial;                             /* why it is not whole, or NULL */
    const char *cautions; /* of an imported file: what was left out of it and why, a line each */
    bool simulated;
    struct pyr_estimate noise_floor; /* as a ratio; NaN: not measured */
    const struct pyr_kept_case *cases;
    size_t case_count;
};

/* What of a result is kept: the steady window of every case, and the instrument's own error. Text
 * is copied into the arena. Fingerprint, revision and group are the caller's to fill. */
struct pyr_kept_run *pyr_kept_from_result(struct pyr_arena *arena, const struct pyr_result *result);

/* Fills what META says (time, command, version, revision), the run file's path and the id. */
void pyr_kept_from_meta(struct pyr_arena *arena, const char *meta_json, const char *run_path,
                        struct pyr_kept_run *run);

/* NULL when it is not there. */
const struct pyr_kept_case *pyr_kept_case(const struct pyr_kept_run *run, const char *suite,
                                          const char *id);
const struct pyr_kept_metric *pyr_kept_metric(const struct pyr_kept_case *kept,
                                              enum pyr_metric metric);

#endif
