/* SPDX-License-Identifier: MIT
 *
 * Samples a process tree and the machine at an interval into a lane of the recorder. One step is a
 * plain function, so that tests take steps in virtual time on recorded machines; the thread is a
 * wrapper around it. Nothing is allocated between start and stop.
 *
 * Recorded at each step, as samples of the current case:
 *   PYR_M_RSS              resident bytes of the tree (statm: see sample/proc.h on how exact)
 *   PYR_M_CPU_UTILIZATION  CPU time of the tree since the last step / (time x CPUs allowed); not at
 *                          the first step
 *   PYR_M_HARNESS_CPU      CPU time of this program's own threads since the last step / time
 *
 * When the tree is this very process, its threads are told apart by name: the main thread and those
 * named "pyr-..." are the harness, but for "pyr-engine..."; all others (an engine's pool) are the
 * target's. CPU_UTILIZATION then counts only the target's threads.
 */
#ifndef PYR_SAMPLE_SAMPLER_H
#define PYR_SAMPLE_SAMPLER_H

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "record/recorder.h"

#include <stdint.h>
#include <sys/types.h>

struct pyr_sampler; /* opaque */

struct pyr_sampler_config {
    const struct pyr_root *root; /* outlives the sampler */
    const struct pyr_clock *clock;
    pid_t pid;             /* root of the target's tree; 0: no target of ours, machine only */
    pid_t own_pid;         /* this program */
    uint64_t interval_ns;  /* 0: 100 ms */
    struct pyr_lane *lane; /* this sampler's alone from create to destroy; NULL: keeps the summary
                              only */
};

/* Over all steps since create. Shares and rates are NaN where fewer than two steps were taken or
 * the machine does not tell. */
struct pyr_sampler_summary {
    uint64_t samples;
    uint64_t failed;                  /* steps at which the target's tree could not be read */
    double seconds;                   /* between the first step and the last */
    double target_cpus, harness_cpus; /* CPU seconds / second */
    double others_cpus;               /* of programs that are neither */
    double steal_share;               /* of all CPU time, taken by the hypervisor for others */
    uint64_t rss_max_bytes;           /* largest sample; 0: none */
    double cost_share;                /* time spent in steps / seconds */
};

bool pyr_sampler_create(const struct pyr_sampler_config *config, struct pyr_sampler **sampler,
                        struct pyr_err *err);
void pyr_sampler_destroy(struct pyr_sampler *sampler); /* stopped before; NULL is allowed */

/* One step at the clock's now. Only while the thread does not run. */
void pyr_sampler_step(struct pyr_sampler *sampler);

/* A thread ("pyr-sampler") that steps at every interval. Real clock only. stop takes a last step
 * and joins. */
bool pyr_sampler_start(struct pyr_sampler *sampler, struct pyr_err *err);
void pyr_sampler_stop(struct pyr_sampler *sampler);

/* The case that samples belong to from now on (PYR_NO_CASE at first), and the target's tree (a
 * worker that was started anew). Any thread, at any time. */
void pyr_sampler_set_case(struct pyr_sampler *sampler, uint32_t case_index);
void pyr_sampler_set_pid(struct pyr_sampler *sampler, pid_t pid);

/* Only while the thread does not run. */
void pyr_sampler_summarise(const struct pyr_sampler *sampler, struct pyr_sampler_summary *summary);

/* True for a thread of this program that is not an engine's (see above). */
bool pyr_sampler_is_harness(pid_t own_pid, pid_t tid, const char *name);

#endif
