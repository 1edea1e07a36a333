/* SPDX-License-Identifier: MIT
 *
 * The instrument's own error at one load: our stamps held against the true send times of a server
 * whose tokens leave at known instants (calibrate/schedule_server.h), in a process of its own on
 * loopback. All of the path is in it: the kernel, target http, the driver, the recorder and the run
 * file.
 *
 * Two passes. The paced one has `streams` streams in flight on the average, begun at a constant
 * rate: errors, pacing and the share of coalesced chunks come from it. In the other at least 200
 * streams begin together and nothing is paced, so that no spinning counts as work and no wake-up
 * is for one event alone: CPU time an event.
 *
 * In process there is no path and no true time but the engine's own: the same passes on the engine
 * that costs nothing (null:) give the pacing and the CPU an event of driver, batching and recorder.
 *
 * docs/calibrate.md
 */
#ifndef PYR_CALIBRATE_CALIBRATE_H
#define PYR_CALIBRATE_CALIBRATE_H

#include "base/arena.h"
#include "base/err.h"
#include "load/driver.h"
#include "record/recorder.h"
#include "stats/result.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pyr_calibrate_options {
    const char *program;  /* this program; NULL: /proc/self/exe */
    uint32_t streams;     /* in flight together */
    double tokens_per_s;  /* of each stream */
    uint32_t tokens;      /* of each stream, at least 2 */
    bool in_process;      /* no server: the null engine; errors of arrival are then unknown */
    bool unix_socket;     /* instead of TCP */
    const char *lacks;    /* what the target's path has and this has not ("TLS"); NULL: nothing */
    bool uniform;         /* streams step each by itself; else all together, as engines do */
    uint64_t duration_ns; /* of the paced pass, its warm-up left out */
    bool spin, urgent;    /* as in the run that this is for (load/driver.h) */
    const volatile sig_atomic_t *stop; /* NULL: none */
    pyr_load_live_fn *live;            /* about ten times a second; NULL: none */
    void *live_context;
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
    double events_per_s;      /* of the paced pass, as the server truly sent them */
    double seconds;           /* that all of it took */
    bool urgent;              /* the paced pass had the priority it asked for */
    uint64_t events, requests, failed; /* of both passes */
    uint64_t unmatched; /* of our chunks, without a record of the server's: 0 unless it lost some */
};

/* False when the server cannot be started or no request went well. */
bool pyr_calibrate_run(struct pyr_arena *arena, const struct pyr_calibrate_options *options,
                       struct pyr_calibration *out, struct pyr_err *err);

/* Into a run file, as a case of the suite PYR_CALIBRATION_SUITE, errors thinned to what a p99.9
 * needs and some: an entry of the report's `instrument.calibrations`. `level` says what the load
 * is: "warm-up", "highest". */
void pyr_calibrate_record(const struct pyr_calibrate_options *options,
                          const struct pyr_calibration *seen, const char *level, uint32_t index,
                          struct pyr_lane *lane);
/* The entry of a calibration that there is not, with the reason in a sentence. options NULL: of
 * none in particular. */
void pyr_calibrate_record_missing(const struct pyr_calibrate_options *options, const char *level,
                                  const char *why, uint32_t index, struct pyr_lane *lane);

/* Several loads one after the other, as a result that has nothing but its calibrations. One that
 * cannot be had is an entry that says why. False when there cannot be a result at all, or a signal
 * came: err->code is then PYR_E_INTERRUPTED. */
bool pyr_calibrate_levels(const struct pyr_calibrate_options *options, size_t count,
                          void (*tell)(void *context, const struct pyr_calibrate_options *level),
                          void *context, struct pyr_result **result, struct pyr_err *err);

#endif
