/* SPDX-License-Identifier: MIT
 *
 * The instrument's own error: our stamps held against the true send times of a server whose tokens
 * leave at known instants (net/schedule_server.h), in a process of its own on loopback. All of the
 * path is in it: the kernel, target http, the driver, the recorder and the run file.
 *
 * Two passes. The paced one has `streams` streams in flight on the average, begun at a constant
 * rate: errors, pacing and the share of coalesced chunks come from it. In the other all streams
 * begin together and nothing is paced, so that no spinning counts as work: CPU time an event.
 *
 * docs/calibrate.md
 */
#ifndef PYR_SUITE_CALIBRATE_H
#define PYR_SUITE_CALIBRATE_H

#include "base/arena.h"
#include "base/err.h"
#include "record/recorder.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pyr_calibrate_options {
    const char *program;  /* this program; NULL: /proc/self/exe */
    uint32_t streams;     /* in flight together */
    double tokens_per_s;  /* of each stream */
    uint32_t tokens;      /* of each stream, at least 2 */
    bool uniform;         /* streams step each by itself; else all together, as engines do */
    uint64_t duration_ns; /* of the paced pass, its warm-up left out */
    bool spin;            /* as in the run that this is for (load/driver.h) */
    const volatile sig_atomic_t *stop; /* NULL: none */
};

/* Values in nanoseconds, in order of arrival. */
struct pyr_errors {
    double *ns; /* in the arena */
    size_t count;
};

struct pyr_calibration {
    struct pyr_errors ttft;   /* first content as stamped - its true send time */
    struct pyr_errors itl;    /* |gap as reported - true gap|, each token */
    struct pyr_errors kernel; /* arrival by the kernel's stamp - true send time, uncoalesced */
    struct pyr_errors user;   /* the same by our own clock's reading */
    struct pyr_errors pacing; /* dispatched - scheduled */
    double cpu_ns_per_event;  /* of our process */
    double coalesced_share;   /* chunks whose stamp is only bounded */
    uint64_t events, requests, failed; /* of both passes */
    uint64_t unmatched; /* of our chunks, without a record of the server's: 0 unless it lost some */
};

/* False when the server cannot be started or no request went well. */
bool pyr_calibrate_run(struct pyr_arena *arena, const struct pyr_calibrate_options *options,
                       struct pyr_calibration *out, struct pyr_err *err);

/* As observations of no case, thinned to what a p99.9 needs and some: the report's `instrument`. */
void pyr_calibrate_observe(const struct pyr_calibration *calibration, struct pyr_lane *lane);

/* 1 / CPU time an event: computed, not carried. 0 unknown. */
double pyr_calibrate_events_per_core(const struct pyr_calibration *calibration);

#endif
