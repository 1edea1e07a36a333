/* SPDX-License-Identifier: MIT
 *
 * The recorder takes what happens from the measured threads and writes the run file on a thread of
 * its own, so that memory is bounded at any duration and a killed run keeps what happened.
 *
 * Each measured thread has a lane: a ring of chunks mapped before the start, written by that thread
 * alone, and read by the writer alone. Recording a chunk is a copy of 16 bytes and one release
 * store. A half full ring wakes the writer; a full one is written out by its producer itself, and
 * the time that takes is recorded (PYR_MARK_STALL): nothing is ever dropped.
 *
 * Steps of an engine have a ring of the same kind. Requests, observations, samples and marks are
 * rarer and go through a third ring of the lane.
 *
 * What was recorded is in the file (handed to the kernel, so that kill -9 spares it) at most about
 * 50 ms later.
 *
 * Inline mode (no thread, for virtual time and tests): the producer of a full ring writes it out,
 * and no stall is recorded.
 */
#ifndef PYR_RECORD_RECORDER_H
#define PYR_RECORD_RECORDER_H

#include "base/clock.h"
#include "base/err.h"
#include "record/metric.h"
#include "record/run.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct pyr_recorder; /* opaque */

struct pyr_recorder_config {
    const char *path;      /* of the run file; NULL: keep nothing (counts only, no thread) */
    uint32_t lanes;        /* threads that record, 1..64 */
    uint32_t chunk_slots;  /* of each lane, rounded up to a power of two; 0: default (65536). A
                              lane takes 40 bytes a slot: 16 for chunks, 8 for steps (of which
                              it holds a quarter as many) and 16 for the rest. */
    bool inline_writer;    /* no thread of its own */
    const char *meta_json; /* the plan: configuration, environment, command; written first */
};

/* Maps the rings, creates the file (fails when it exists) and starts the writer. */
bool pyr_recorder_open(const struct pyr_recorder_config *config, const struct pyr_clock *clock,
                       struct pyr_recorder **recorder, struct pyr_err *err);
/* Drains everything, writes the end block, fsyncs and closes. False when anything was not written
 * (a full disk), with the first cause; the file is then valid up to there. */
bool pyr_recorder_close(struct pyr_recorder *recorder, struct pyr_err *err);
/* An error of the writer so far (a full disk), or NULL: load ends a run early on it. What comes
 * after it is discarded. Any thread. */
const struct pyr_err *pyr_recorder_error(const struct pyr_recorder *recorder);
/* Writes out what the lanes hold now. For the end of a case; not on the measured path. Any thread.
 */
void pyr_recorder_flush(struct pyr_recorder *recorder);

struct pyr_recorder_counts {
    uint64_t requests, chunks, steps; /* written out so far; carries count as chunks */
    uint64_t file_bytes;
};
struct pyr_recorder_counts pyr_recorder_counts(struct pyr_recorder *recorder);

/* One lane; plain data so that recording can be inlined. Fields belong to recorder.c but for the
 * producer's side as used below. */
struct pyr_lane {
    /* Producer's side, on its own cache lines. */
    _Alignas(64) _Atomic uint64_t chunk_head; /* chunks ever written */
    uint64_t chunk_room_until;                /* the head at which the producer looks again */
    struct pyr_chunk *chunks;                 /* (chunk_mask + 1) */
    uint64_t chunk_mask;
    struct pyr_recorder *recorder;
    uint32_t index;
    /* The same for steps. */
    _Alignas(64) _Atomic uint64_t step_head;
    uint64_t step_room_until;
    struct pyr_step *steps; /* (step_mask + 1) */
    uint64_t step_mask;
    /* The ring of rarer records, in bytes; all of it private to recorder.c. */
    _Alignas(64) _Atomic uint64_t record_head;
    uint64_t record_room_until;
    unsigned char *records;
    uint64_t record_mask;
    uint64_t stall_ns; /* waits not yet recorded */
    /* A lane without a recorder, whose ring another process reads: called in place of the recorder
     * when chunk_room_until or step_room_until is reached; makes room and sets both anew. NULL: an
     * ordinary lane. */
    void (*wait_room)(struct pyr_lane *lane);
    void *owner;
    /* The side of whoever writes out. */
    _Alignas(64) _Atomic uint64_t chunk_tail;
    _Atomic uint64_t step_tail;
    _Atomic uint64_t record_tail;
};

struct pyr_lane *pyr_recorder_lane(struct pyr_recorder *recorder, uint32_t index);

/* The slow paths of pyr_lane_chunk and pyr_lane_step: they return when there is room for one. */
void pyr_lane_wait_room(struct pyr_lane *lane);
void pyr_lane_wait_step_room(struct pyr_lane *lane);

/* Records one chunk. Only the lane's thread. */
static inline void pyr_lane_chunk(struct pyr_lane *lane, struct pyr_chunk chunk) {
    uint64_t head = atomic_load_explicit(&lane->chunk_head, memory_order_relaxed);
    if (__builtin_expect(head == lane->chunk_room_until, 0))
        pyr_lane_wait_room(lane);
    lane->chunks[head & lane->chunk_mask] = chunk;
    atomic_store_explicit(&lane->chunk_head, head + 1, memory_order_release);
}

/* Records one step of an engine. Only the lane's thread. */
static inline void pyr_lane_step(struct pyr_lane *lane, const struct pyr_step *step) {
    uint64_t head = atomic_load_explicit(&lane->step_head, memory_order_relaxed);
    if (__builtin_expect(head == lane->step_room_until, 0))
        pyr_lane_wait_step_room(lane);
    lane->steps[head & lane->step_mask] = *step;
    atomic_store_explicit(&lane->step_head, head + 1, memory_order_release);
}

/* Chunk times as the caller has them; splits what does not fit 16 bytes into carries.
 * previous_ns: the request's previous stamp (sent_ns for its first); after user_ns is a gap of 0;
 * kernel_ns 0: none (a lag of over 4.29 s is kept as 4.29 s, one below 0 as 0); bound_ns 0:
 * exact. */
void pyr_lane_content(struct pyr_lane *lane, uint32_t ordinal, uint64_t previous_ns,
                      uint64_t user_ns, uint64_t kernel_ns, uint64_t bound_ns, uint32_t bytes,
                      uint32_t tokens, bool reasoning);

/* The rest; only the lane's thread. A case is in the file when pyr_lane_case returns, so that it
 * stands before all that refers to it whichever lane that takes; not on the measured path. */
void pyr_lane_request(struct pyr_lane *lane, const struct pyr_request *request);
void pyr_lane_case(struct pyr_lane *lane, const struct pyr_case *plan);
void pyr_lane_goal(struct pyr_lane *lane, const struct pyr_goal *goal);
void pyr_lane_observe(struct pyr_lane *lane, enum pyr_metric metric, uint32_t case_index,
                      uint32_t repetition, double value);
/* The bytes of a histogram (docs/formats/histogram.md), less than PYR_BLOCK_BYTES_MAX of them, in
 * place of one observation for each value. The repetition numbers the shares of a metric's values
 * in a case: give 10 or more of about equal size, in order of time, so that an interval can hold
 * under autocorrelation. In the file when it returns; not on the measured path. */
void pyr_lane_histogram(struct pyr_lane *lane, enum pyr_metric metric, uint32_t case_index,
                        uint32_t repetition, const void *bytes, size_t count);
void pyr_lane_sample(struct pyr_lane *lane, enum pyr_metric metric, uint32_t case_index,
                     uint64_t time_ns, double value);
void pyr_lane_mark(struct pyr_lane *lane, enum pyr_mark_kind kind, uint32_t case_index,
                   double value, const char *text); /* stamped now */
void pyr_lane_mark_at(struct pyr_lane *lane, enum pyr_mark_kind kind, uint32_t case_index,
                      uint64_t time_ns, double value, const char *text);

/* bound_code <-> nanoseconds: code 0 is exact, code c > 0 stands for 2^(c/8) ns, rounded up so
 * that the bound is never understated (overstated by at most 9.1 % and 1 ns). Code 255 is an
 * unknown bound (PYR_NEVER): what is beyond code 254, 3.6 s. */
uint8_t pyr_bound_code(uint64_t bound_ns);
uint64_t pyr_bound_ns(uint8_t code);

#endif
