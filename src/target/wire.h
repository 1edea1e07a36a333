/* SPDX-License-Identifier: MIT
 *
 * What the target worker and its child process say to each other outside the measured path, over a
 * socket pair: open, tokenise, attach. Both sides are the same program, so payloads are its structs
 * as they are. Requests themselves go through shared memory (target/channel.h).
 */
#ifndef PYR_TARGET_WIRE_H
#define PYR_TARGET_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "record/recorder.h"
#include "target/channel.h"
#include "target/target.h"

#include <stdint.h>

enum pyr_wire_kind {
    PYR_WIRE_HELLO,    /* child: it runs */
    PYR_WIRE_OPEN,     /* pyr_wire_open and its strings -> OPENED or FAILED */
    PYR_WIRE_OPENED,   /* pyr_wire_opened */
    PYR_WIRE_TOKENIZE, /* pyr_wire_text and the text -> TOKENS */
    PYR_WIRE_TOKENS,   /* int32_t result and the tokens */
    PYR_WIRE_PIECE,    /* int32_t token -> BYTES */
    PYR_WIRE_BYTES,    /* int32_t result and the bytes */
    PYR_WIRE_ATTACH,   /* pyr_wire_attach and three descriptors -> OPENED or FAILED */
    PYR_WIRE_DETACH,   /* -> HELLO */
    PYR_WIRE_FAILED    /* struct pyr_err */
};

struct pyr_wire_open {
    uint32_t threads, sequences, tokens_per_sequence, queue_limit;
    uint64_t seed;
    uint32_t option_count;
    uint32_t attempt; /* 1: only see whether the engine survives the file (pyr_loaded_attempt) */
    /* then NUL-terminated: the spec, and each option's key and value */
};

struct pyr_wire_opened {
    struct pyr_target_info info;
    uint32_t piece_bytes; /* of the longest token */
    uint32_t tokens_per_sequence;
};

struct pyr_wire_text {
    int32_t special, capacity;
};

struct pyr_wire_attach {
    uint64_t block_bytes;
    uint32_t max_in_flight;
};

/* The shared memory: this head, the rings of chunks and steps, the channel. */
struct pyr_wire_block {
    struct pyr_lane lane; /* the child's to produce; its pointers are the child's */
    _Alignas(64) _Atomic uint64_t stall_ns; /* the child waited for room, not yet recorded */
    uint64_t chunks_offset, steps_offset, channel_offset;
};

enum { PYR_WIRE_FDS = 3 }; /* the block, the engine's bell, load's bell */

struct pyr_wire_frame {
    enum pyr_wire_kind kind;
    struct pyr_buf payload; /* the caller's to deinit */
    int fds[PYR_WIRE_FDS];  /* -1: none came */
};

/* Each call sends or receives one whole frame. False: the other side is gone. */
bool pyr_wire_send(int fd, enum pyr_wire_kind kind, const void *first, size_t first_bytes,
                   const void *second, size_t second_bytes, const int *fds);
bool pyr_wire_receive(int fd, struct pyr_wire_frame *frame);

#endif
