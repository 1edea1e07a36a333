/* SPDX-License-Identifier: MIT
 *
 * The driver keeps the schedule of one case on one target: it decides when each request goes out,
 * owns its slot and writes its record. All waiting, pacing and spinning of the program is here.
 *
 * Closed loop: `concurrency` users, each sends, waits for the end, thinks, sends again. A request
 * is scheduled when its user is ready: the end of the one before (as the target stamped it) plus
 * the think time; after a failure at least 10 ms after it was scheduled, so that a dead target is
 * not asked a million times a second. Users who start together stay together for thousands of
 * requests where answers are of one length, so `start` says how they start (docs/method/
 * closed-loops.md):
 * - spread: before the warm-up each user's first request asks for a share of its output only,
 *   (i + 1/2) / n of it for user i of n (and so much of the first pause), so that the first answers
 *   end, and all later ones go on, spread over one round. These requests are of the phase warmup
 *   and do not count among `warmup_requests`. When the measured phase is over the users go on
 *   sending (phase drain) until the last measured request has ended, so that it too is answered
 *   under the load that is measured; what is then in flight is CANCELLED.
 * - burst: all at once, and none goes on after the last measured request. The requests of the first
 *   wave are a phase of their own, "first wave", beside the others.
 * Open loop: requests are due at the instants of the arrival
 * process, whatever happened to the earlier ones; one that finds no free slot waits in our own
 * queue (flag WAITED) and keeps its scheduled time, so that latency from schedule shows what a user
 * would have seen.
 *
 * Phases, marked in the run file and numbered alike in every case: 0 "warmup", 1 "measured",
 * 2 "drain"; 3 "first wave" lies across them. Load is not interrupted between warm-up and
 * measurement. A request belongs to the phase in which it was scheduled. The measured phase begins
 * with the schedule of its first request and ends
 * - after `duration_ns`, or at `deadline_ns`;
 * - with `requests`: when the next one would have been due; in a closed loop that starts in a
 * burst, when the last of them ended;
 * - when the caller has seen enough (plan->enough);
 * - at once on a signal or when the recorder fails.
 * The drain then lets what was sent end by itself, and what was due in time go out, for at most
 * `drain_ns`; what is left is cancelled and counted as UNFINISHED (after a signal as CANCELLED).
 * Open-loop requests that were due but never went out are recorded as UNFINISHED too.
 *
 * In virtual time the driver alone moves the clock, to the next instant at which anything happens,
 * and never sleeps.
 *
 * Nothing is allocated between the start and the end of pyr_load_run. One thread.
 */
#ifndef PYR_LOAD_DRIVER_H
#define PYR_LOAD_DRIVER_H

#include "base/clock.h"
#include "base/err.h"
#include "estimate/hist.h"
#include "load/arrivals.h"
#include "load/workload.h"
#include "record/recorder.h"
#include "record/run.h"
#include "target/target.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

extern const char *const pyr_phase_names[PYR_PHASE_COUNT];

struct pyr_load; /* opaque */

struct pyr_load_config {
    struct pyr_target *target;
    uint32_t max_in_flight;    /* slots; the most of all the cases that will be run */
    uint32_t likely_in_flight; /* see struct pyr_attach; 0: max_in_flight */
    struct pyr_recorder *recorder;
    struct pyr_lane *lane;        /* of the calling thread */
    struct pyr_lane *engine_lane; /* see struct pyr_attach; or NULL */
    uint64_t *virtual_now_ns;     /* the clock to move; NULL: real time */
    uint16_t worker;              /* this load thread's number in the records */
};

/* Attaches to the target and takes all memory. */
bool pyr_load_open(const struct pyr_load_config *config, struct pyr_load **load,
                   struct pyr_err *err);
/* Detaches. After pyr_load_run has failed because the target kept a slot, memory that the target
 * may still write to is kept. */
void pyr_load_close(struct pyr_load *load); /* NULL is allowed */

/* The state of a run, for a progress bar. Fields are of the driving thread: read them in the
 * callback only. Token counts and times are of requests that ended ok, warm-up left out. */
struct pyr_load_live {
    uint64_t started_ns, now_ns;
    uint32_t phase;
    double done_share; /* of the measured phase, by requests or by time, whichever is further */
    uint64_t sent, ended, in_flight, outcomes[PYR_OUTCOME_COUNT]; /* warm-up included */
    uint64_t measured_ended, prompt_tokens, output_tokens;
    uint64_t measured_start_ns;  /* 0: not yet */
    uint64_t measured_in_flight; /* of the measured phase, sent and not ended */
    uint64_t
        behind_ns; /* open loop: how long the first request that is due has waited for a slot */
    const struct pyr_hist *ttft_ns, *latency_ns; /* from sched in open loop, else from sent */
};
typedef void pyr_load_live_fn(void *context, const struct pyr_load_live *live);
/* Sees each ended request, before its slot is used again; must not allocate in a measured run. */
typedef void pyr_load_ended_fn(void *context, const struct pyr_slot *slot);

/* How the users of a closed loop start; see above. */
enum pyr_load_start { PYR_START_BURST, PYR_START_SPREAD };

struct pyr_load_plan {
    uint32_t case_index;
    uint32_t first_ordinal; /* of the run: the sum of the `records` of the cases before */

    bool open_loop;
    uint32_t concurrency; /* closed: users, at least 1; open: cap on requests in flight, 0: none
                             but max_in_flight */
    /* Closed loop only: users over time instead of `concurrency`, which is then the largest value
     * of the curve. Followed every 10 ms. NULL: constant. */
    const struct pyr_curve *concurrency_curve;
    /* Closed: users start in a burst all the same where there is one, a curve, or no warm-up. */
    enum pyr_load_start start;
    uint64_t think_ns;      /* closed: between the end and the next request of a user */
    bool think_exponential; /* think_ns is the mean of an exponential distribution */
    bool heed_retry_after;  /* closed: a rejected user pauses as long as the target asks */
    struct pyr_arrival_options arrivals; /* open */

    uint64_t warmup_requests, warmup_ns; /* the warm-up ends when both are reached */
    uint64_t requests;                   /* measured; 0: no limit */
    uint64_t duration_ns;                /* of the measured phase; 0: no limit */
    uint64_t deadline_ns;                /* instant at which the phase ends; 0: none */
    uint64_t drain_ns;

    struct pyr_limits limits; /* of each request; 0 counts as PYR_NEVER */
    bool exact_output;        /* asks the target not to stop at an end token */
    bool short_is_error;      /* an answer with fewer tokens than asked ends as SHORT */
    bool capture_text;
    float temperature;
    double cancel_share; /* of the requests are cancelled, drawn from the seed */
    uint64_t cancel_after_ns;
    uint64_t seed; /* of think times, cancellation and the samplers */

    bool spin;   /* the last 100 us before an instant may be spun away: only where a core is free */
    bool urgent; /* see pyr_pace_start: only where there is a second core */
    const volatile sig_atomic_t *stop; /* a signal's number; NULL: none */

    pyr_load_live_fn *live; /* about ten times a second; NULL: none */
    void *live_context;
    pyr_load_ended_fn *ended; /* NULL: none */
    void *ended_context;
    /* Looked at after each call of `live`: true ends the measured phase there. NULL: none. */
    const bool *enough;
};

enum pyr_load_end {
    PYR_LOAD_ENDED_REQUESTS,
    PYR_LOAD_ENDED_TIME,
    PYR_LOAD_ENDED_ARRIVALS, /* the curve or the schedule has no more */
    PYR_LOAD_ENDED_ENOUGH,   /* the plan's `enough` */
    PYR_LOAD_ENDED_SIGNAL,
    PYR_LOAD_ENDED_RECORDER /* see pyr_recorder_error */
};

struct pyr_load_result {
    enum pyr_load_end end;
    int signal;       /* that ended it, or 0 */
    uint32_t records; /* requests written, all phases */
    uint64_t started_ns, measured_start_ns, measured_end_ns, ended_ns;
    uint64_t outcomes[PYR_OUTCOME_COUNT];     /* all phases */
    uint64_t waited;                          /* requests that found no free slot (open loop) */
    uint64_t unsent;                          /* of the unfinished: were due and never went out */
    uint64_t late_max_ns;                     /* dispatch after schedule where a slot was free */
    uint64_t freezes, frozen_ns;              /* turns of ours that came far too late */
    bool urgent;                              /* as asked for, and to the end */
    bool spread;                              /* the users did start spread */
    char first_error[PYR_OUTCOME_COUNT][160]; /* the target's sentence, "" for none */
};

/* Runs one case. The case's own record is the caller's; marks are written here. False when the
 * target broke its contract (it has nothing to wait for, or keeps slots it was told to end); what
 * was measured is in the run file all the same and *result is filled. */
bool pyr_load_run(struct pyr_load *load, const struct pyr_load_plan *plan,
                  struct pyr_workload *workload, struct pyr_load_result *result,
                  struct pyr_err *err);

#endif
