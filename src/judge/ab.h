/* SPDX-License-Identifier: MIT
 *
 * Two things compared while both are alive: blocks of A, of B, and of A once more, in random order
 * within each pair, so that the drift of the machine hits all alike. A against B is the answer; A
 * against itself is the machine's noise floor, measured in the same run. Blocks are made long
 * enough that they vary by at most 3 % (estimate/pairs.h). docs/method/compare.md.
 *
 * What a block is, an arm says: some requests to a target (ab_target.c), some runs of a command
 * (ab_command.c). Both arms are of one kind.
 */
#ifndef PYR_JUDGE_AB_H
#define PYR_JUDGE_AB_H

#include "base/clock.h"
#include "base/err.h"
#include "judge/ab_trouble.h"
#include "stats/comparison.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PYR_AB_MEASURES_MAX = 8 };

/* One number of a block. */
struct pyr_ab_measure {
    enum pyr_metric metric;
    const char *statistic;
    bool gated;
    double floor; /* a smaller difference never gates; in the metric's unit */
};

struct pyr_ab_block {
    double values[PYR_AB_MEASURES_MAX]; /* in the order of the measures; NaN: none */
    uint64_t ns;                        /* how long it took */
    uint64_t total, ok;                 /* of its requests or runs */
    uint64_t outputs_hash;              /* of what came out, whatever the order; 0: unknown */
    bool broken;                        /* we ended it: its numbers are none of the arm's */
};

struct pyr_ab_arm; /* each kind's own; begins with the next two */

struct pyr_ab_arm_ops {
    const char *case_id; /* the suite's case that the comparison names */
    const struct pyr_ab_measure *measures;
    size_t measure_count;
    uint64_t pilot_size; /* requests or runs of the first, small blocks */
    /* Runs a block of `size`. The same `number` gives the same work to both arms. */
    bool (*block)(struct pyr_ab_arm *arm, uint64_t size, uint64_t number,
                  struct pyr_ab_block *block, struct pyr_err *err);
    void (*close)(struct pyr_ab_arm *arm);
};

struct pyr_ab_arm {
    const struct pyr_ab_arm_ops *ops;
    const char *name;    /* as the user wrote it; outlives the arm */
    const char *engine;  /* what it is, NULL unknown */
    const char *case_id; /* NULL: that of ops */
    bool simulated;
};

struct pyr_ab_progress {
    uint64_t done, of;   /* blocks */
    const char *what;    /* "warm-up", "sizing", "pairs" */
    uint64_t block_size; /* requests or runs */
    double block_s;      /* how long the last took */
};
typedef void pyr_ab_progress_fn(void *context, const struct pyr_ab_progress *progress);

struct pyr_ab_options {
    size_t pairs;         /* at least 6, with 4 gated metrics 8; 0: 20 */
    uint64_t duration_ns; /* about the most that all blocks take; 0: 10 minutes */
    uint64_t seed;        /* of the order and of the prompts */
    double threshold;     /* relative */
    bool no_floor;        /* leave the second A out: no noise floor (for tests of the rule) */
    uint64_t block_size;  /* 0: found by pilot blocks */
    const volatile sig_atomic_t *stop;
    const struct pyr_ab_machine *machine; /* NULL: nobody looks for its trouble */
    pyr_ab_progress_fn *progress;
    void *progress_context;
};

/* Runs it. Both arms stay the caller's. Pairs in which the machine had trouble are dropped and run
 * again, at most as many as were asked for. After a signal the comparison has the pairs that were
 * whole and is at most INCONCLUSIVE below the least number; it fails with PYR_E_INTERRUPTED before
 * the first. */
bool pyr_ab_run(struct pyr_ab_arm *a, struct pyr_ab_arm *b, const struct pyr_ab_options *options,
                struct pyr_comparison **comparison, struct pyr_err *err);

static inline void pyr_ab_close(struct pyr_ab_arm *arm) {
    if (arm)
        arm->ops->close(arm);
}

/* --- targets ------------------------------------------------------------------------------------
 */

struct pyr_ab_target_config {
    /* "TARGET KEY=VALUE ..."; label=NAME is how reports call it, model= a server's model, threads=
     * the compute threads, every other key the engine's. */
    const char *text;
    uint32_t concurrency, prompt_tokens, output_tokens;
    uint64_t seed;
    uint64_t *virtual_now_ns;          /* one for both arms */
    const volatile sig_atomic_t *stop; /* ends a block too, which is then broken; NULL: none */
};

/* Opens a target, an in-process one in a worker process of its own. */
bool pyr_ab_target_open(const struct pyr_ab_target_config *config, struct pyr_ab_arm **arm,
                        struct pyr_err *err);
/* Whether a side names a target: an URL, sim:, null:, a model file or a folder. */
bool pyr_ab_is_target(const char *text);

/* --- commands -----------------------------------------------------------------------------------
 */

/* A command line, split into words as a shell does; one that needs a shell gets one. Its output
 * goes nowhere; a run that fails ends the comparison. */
bool pyr_ab_command_open(const char *text, uint64_t seed, struct pyr_ab_arm **arm,
                         struct pyr_err *err);

#endif
