/* SPDX-License-Identifier: MIT
 *
 * What every job that measures has in common: the output folder, the recorder and the sampler, the
 * open target where the plan needs one, and the result and reports after it. A job (bench, stress)
 * gives a plan and a body that drives its cases. Private to suite.
 */
#ifndef PYR_SUITE_SESSION_H
#define PYR_SUITE_SESSION_H

#include "base/clock.h"
#include "load/driver.h"
#include "record/recorder.h"
#include "sample/energy.h"
#include "sample/sampler.h"
#include "suite/bench.h"
#include "suite/plan.h"
#include "target/target.h"

/* Lanes of the recorder: who writes to which. */
enum { PYR_LANE_LOAD, PYR_LANE_ENGINE, PYR_LANE_SAMPLER, PYR_LANE_COUNT };

/* What a part of the run came to, so that the instrument can be held against a server of known
 * schedule under the same load. All 0: nothing of it was seen. */
struct pyr_session_load {
    double streams;      /* in flight on the average */
    double events_per_s; /* content chunks of all streams */
    double requests_per_s;
};

struct pyr_session {
    const char *run_path;
    const struct pyr_bench_options *options;
    const struct pyr_plan *plan;
    pyr_bench_progress_fn *progress;
    void *progress_context;

    const struct pyr_root *root; /* where the machine is read */
    bool warned_left_out;        /* each case reads the prompts anew */
    uint64_t virtual_now_ns;
    struct pyr_clock clock;
    struct pyr_recorder *recorder;
    struct pyr_sampler *sampler;      /* NULL in virtual time */
    struct pyr_nvml *nvml;            /* NULL: no NVIDIA GPU */
    struct pyr_energy *energy;        /* NULL: this machine has no energy counter */
    uint64_t started_ns, deadline_ns; /* of the whole run */
    uint32_t ordinals;                /* requests recorded so far */
    uint32_t cases;                   /* likewise */
    struct pyr_session_load warmup;   /* of the first case that had one */
    struct pyr_session_load highest;  /* of the case with the most streams in flight */
    uint32_t cpus_allowed;

    /* The target that is open, and how. NULL: none is, and `info` is of the last one, or zero. */
    struct pyr_target *target;
    struct pyr_target_info info;
    uint32_t variant;
    uint64_t attempted; /* variants that were loaded in a process of their own first: a bit each */
    uint64_t harness_bytes, engine_bytes; /* resident, before and after opening it; 0 unknown */
    double bandwidth;                     /* bytes/s; 0: not measured */

    int signal;    /* that ended the run, or 0 */
    bool measured; /* all cases are over: a signal now leaves the run whole */
    uint64_t ok, failed;
    char first_failure[256];
    struct pyr_err broken; /* why the rest of the run was given up; code PYR_OK: it was not */
};

struct pyr_session_progress {
    pyr_bench_progress_fn *call; /* NULL: nobody listens */
    void *context;
};

/* Drives the plan's cases; it looks at pyr_session_stopped between them. */
typedef void pyr_session_body(struct pyr_session *s, void *context);

/* The whole of a job. `fallback_dir`: where its files go unless the user says where. */
bool pyr_session_run(const struct pyr_bench_options *options, const struct pyr_plan *plan,
                     const char *fallback_dir, const struct pyr_session_progress *progress,
                     pyr_session_body *body, void *context, struct pyr_bench_outcome *outcome,
                     struct pyr_err *err);

struct pyr_lane *pyr_session_lane(const struct pyr_session *s);
/* A sentence for the report, of one case or (PYR_NO_CASE) of the run. */
void pyr_session_warn(struct pyr_session *s, uint32_t case_index, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool pyr_session_stopped(const struct pyr_session *s);

/* How to open the target for a variant. */
struct pyr_target_config pyr_session_target_config(struct pyr_session *s, uint32_t variant);

bool pyr_session_open_target(struct pyr_session *s, uint32_t variant, struct pyr_err *err);
void pyr_session_close_target(struct pyr_session *s);
/* Beside each variant, because a shared host's bandwidth drifts within minutes. */
void pyr_session_measure_bandwidth(struct pyr_session *s);

/* Into the run file, and counted. */
void pyr_session_record_case(struct pyr_session *s, const struct pyr_case *record);

/* The instrument's own error at the loads of the run, after its cases: with the target idle, at
 * the rate of events that the warm-up had and at that of the highest level. */
void pyr_session_calibrate(struct pyr_session *s);

/* Cases [first, last) of one suite and variant: requests through the driver, on the open target. */
void pyr_cases_run(struct pyr_session *s, size_t first, size_t last);

#endif
