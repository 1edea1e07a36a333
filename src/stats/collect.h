/* SPDX-License-Identifier: MIT
 *
 * Reads a run file into memory, case by case: all its records but the chunks, which are streamed
 * in a second pass (pyr_collect_chunks) because there may be hundreds of millions of them.
 * Private to the analysis (stats/analyze.c and its parts).
 */
#ifndef PYR_STATS_COLLECT_H
#define PYR_STATS_COLLECT_H

#include "base/arena.h"
#include "base/err.h"
#include "record/run.h"
#include "record/runfile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A span of the case's time, half open. */
struct pyr_span {
    uint64_t start_ns, end_ns;
};

struct pyr_phase_span {
    uint32_t number;
    const char *name;
    bool measured; /* neither warm-up nor drain */
    struct pyr_span span;
};

/* The gaps between content chunks of one case in one window, in order of arrival: gap_ns << 8 |
 * tokens of the chunk. */
struct pyr_gaps {
    uint64_t *packed;
    size_t count, capacity;
    bool single_tokens; /* every chunk carried one token */
};

/* What the chunk pass gathers for one window of one case. */
struct pyr_chunk_sums {
    struct pyr_gaps gaps;
    uint64_t chunks, coalesced; /* those with a bound instead of an exact stamp */
    uint64_t *lags;             /* user time - kernel time where known (lag_count) */
    size_t lag_count, lag_capacity;
};

/* Values that belong to no request, by metric and then by time (histograms: by share). A metric has
 * observations or histograms. */
struct pyr_observed {
    const struct pyr_observation *observations; /* (observation_count) */
    size_t observation_count;
    const struct pyr_histogram *const *histograms; /* (histogram_count) heads, bytes behind each */
    size_t histogram_count;
};

struct pyr_case_data {
    const struct pyr_case *plan;
    struct pyr_request *requests; /* (count), by ordinal, all phases */
    size_t count;
    struct pyr_phase_span *phases;
    size_t phase_count;
    const struct pyr_mark *marks; /* of this case, by time */
    size_t mark_count;
    struct pyr_observed observed;
    const struct pyr_reading *samples; /* by metric and then by time */
    size_t sample_count;
    struct pyr_span measured, steady; /* steady is set by the analysis between the passes */
    struct pyr_chunk_sums in_measured, in_steady;
    uint64_t *stall_ns;        /* (count): longest gap of each request; 0: fewer than two chunks */
    uint64_t *timeline_tokens; /* (timeline_bins) over `measured` */
    size_t timeline_bins;
};

struct pyr_collected {
    struct pyr_arena *arena;
    struct pyr_runfile *file;
    struct pyr_case_data *cases; /* (case_count), by index */
    size_t case_count;
    const struct pyr_goal *goals;
    size_t goal_count;
    struct pyr_observed loose; /* of no case */
    const struct pyr_mark *loose_marks;
    size_t loose_mark_count;
    uint64_t requests, chunks, steps;
    uint64_t orphan_chunks; /* of requests that were in flight when the run was killed */
    int signal;             /* that ended the run, or 0 */
};

/* The first pass, of all cases or (other than PYR_NO_CASE) of one alone: the others have neither
 * requests nor anything else then. Fails on a file that contradicts itself. */
bool pyr_collect_open(const char *run_path, uint32_t only_case, struct pyr_collected **collected,
                      struct pyr_err *err);
/* Those of one metric: a part of the case's (or the loose) records. */
const struct pyr_observation *pyr_observations_of(const struct pyr_observed *observed,
                                                  enum pyr_metric metric, size_t *count);
const struct pyr_histogram *const *pyr_histograms_of(const struct pyr_observed *observed,
                                                     enum pyr_metric metric, size_t *count);
const struct pyr_reading *pyr_samples_of(const struct pyr_case_data *data, enum pyr_metric metric,
                                         size_t *count);
/* The second pass: fills the chunk sums of every case. */
void pyr_collect_chunks(struct pyr_collected *collected);
/* Beside it, for what needs each chunk by itself: every content chunk whose request is known, in
 * the order of the file. `gap_ns` is since the previous content chunk of its request, for the first
 * since sent. */
struct pyr_chunk_seen {
    uint32_t case_index;
    size_t request; /* index into the case's requests */
    uint64_t gap_ns;
    uint32_t number; /* of the content chunk in its request, from 0 */
};
typedef void pyr_chunk_seen_fn(void *context, const struct pyr_chunk_seen *seen);
void pyr_collect_each_chunk(struct pyr_collected *collected, pyr_chunk_seen_fn *call,
                            void *context);
void pyr_collect_close(struct pyr_collected *collected);

#endif
