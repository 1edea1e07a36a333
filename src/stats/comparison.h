/* SPDX-License-Identifier: MIT
 *
 * A comparison as plain data: what suite (suite/compare.c, suite/ab.c) worked out and report tells.
 * "Baseline" is A, "current" is B, and ratios are current / baseline. All in one arena.
 */
#ifndef PYR_STATS_COMPARISON_H
#define PYR_STATS_COMPARISON_H

#include "base/arena.h"
#include "estimate/estimate.h"
#include "record/metric.h"
#include "stats/result.h"
#include "stats/verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pyr_comparison_kind {
    PYR_COMPARED_PAIRS, /* interleaved blocks of both, one number a block */
    PYR_COMPARED_RUNS,  /* current runs against five stored ones or more, one number a run */
    PYR_COMPARED_SINGLE /* fewer runs than that, because the user said --single */
};
const char *pyr_comparison_kind_name(enum pyr_comparison_kind kind); /* "pairs", "runs", "single" */

struct pyr_comparison_side {
    const char *name;              /* as the user named it: a file, an id, a TARGET, a command */
    const char *version;           /* of pyrometer, NULL unknown */
    const char *revision, *engine; /* NULL unknown */
    double time_unix_s;            /* of its newest run; NaN unknown */
    size_t runs;                   /* used */
    bool simulated;
};

struct pyr_compared_metric {
    const char *suite, *case_id;
    enum pyr_metric metric;
    const char *statistic; /* "value", "mean", "p50", ... */
    bool gated;            /* counts towards the verdict */
    double threshold;      /* its own, relative */
    /* Geometric means of the runs, medians of the blocks; lo and hi the least and greatest of
     * them, or the interval of the only one. In the metric's unit. */
    struct pyr_estimate baseline, current;
    const double *baseline_values, *current_values; /* one a run, or one a block: pairs by index */
    size_t baseline_count, current_count;
    const double *again_values; /* pairs: the baseline's second block of each pair; else NULL */
    struct pyr_estimate ratio;  /* current / baseline with its 95 % interval */
    double p;                   /* one-sided p of "worse", by Holm over the gated; NaN unknown */
    double spread;              /* CV of the baseline's runs, or of pairs; NaN unknown */
    struct pyr_judgement judgement;
    const char *note; /* a sentence beside it, or NULL */
};

/* A part of the environment that is not the same on both sides. */
struct pyr_compared_part {
    const char *part, *baseline, *current; /* NULL: that side does not say */
    bool warning;                          /* to be said, but no reason not to compare */
};

enum pyr_outputs { PYR_OUTPUTS_UNKNOWN, PYR_OUTPUTS_SAME, PYR_OUTPUTS_DIFFER };

struct pyr_comparison {
    struct pyr_arena *arena; /* everything below lives in it */
    enum pyr_comparison_kind kind;
    struct pyr_comparison_side baseline, current;
    double threshold;                   /* relative */
    struct pyr_noise_floor noise_floor; /* ratio NaN: not measured */
    bool noise_biased;   /* the same thing, compared with itself, leaned to one side */
    uint64_t order_seed; /* pairs: of the order */
    size_t pairs;        /* pairs: how many */
    size_t pairs_asked, pairs_dropped; /* for trouble of the machine, on both sides */
    uint64_t block_size;               /* pairs: requests of a block, or runs of a command */
    bool confirmed;                    /* the verdict comes from a rerun in pairs (--confirm) */
    const struct pyr_compared_metric *metrics; /* gated first, worst first within them */
    size_t metric_count, gated_count;
    const struct pyr_compared_part *parts; /* of the environment, that differ */
    size_t part_count;
    const char *const *only_baseline; /* "concurrent short/c8 ttft_sent p50" */
    const char *const *only_current;
    size_t only_baseline_count, only_current_count;
    enum pyr_outputs outputs;                   /* the texts that came out */
    size_t outputs_compared, outputs_different; /* cases */
    enum pyr_verdict verdict;
    bool has_regression;
    const char *summary; /* one sentence: the verdict and the worst number behind it */
    const char *more;    /* how to get a better answer, or NULL */
    const char *const *warnings;
    size_t warning_count;
};

/* 0, 3, 4, or 5 with `strict` (docs/exit-codes.md). */
int pyr_comparison_exit_code(const struct pyr_comparison *comparison, bool strict);

#endif
