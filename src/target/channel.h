/* SPDX-License-Identifier: MIT
 *
 * The way between load and an engine: requests go over in one ring, finished ones come back in
 * another, and each side can sleep on a bell. Between two threads (target local) or two processes
 * (target worker): one block of memory, mapped before the start, that holds everything which both
 * sides see, and no pointer in it is followed by the other process.
 *
 * One producer and one consumer in each direction. A finished request is rung for only when the
 * other side said that it waits, and once however many finish together.
 */
#ifndef PYR_TARGET_CHANNEL_H
#define PYR_TARGET_CHANNEL_H

#include "base/err.h"
#include "record/run.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PYR_CHANNEL_ERROR_BYTES = 320 };

/* One request under way. The load side fills it and sends its index; it is the engine side's until
 * the index comes back. */
struct pyr_channel_entry {
    struct pyr_request record;
    const int32_t *prompt; /* NULL: in the channel's prompt area (worker) */
    uint32_t prompt_tokens, output_tokens;
    float temperature;
    bool exact_output;
    uint64_t seed;
    uint64_t cancel_after_ns, first_token_ns, between_tokens_ns, total_ns;
    char *text; /* where the output's bytes go; NULL: nowhere, or the text area (worker) */
    uint64_t text_capacity, text_bytes;
    char error_text[PYR_CHANNEL_ERROR_BYTES];
};

struct pyr_bell {
    _Alignas(64) _Atomic uint32_t armed; /* 1: the sleeper sleeps, or is about to */
    uint64_t owed; /* the sleeper's own: rings whose write it has not read yet */
};

enum pyr_command_kind { PYR_COMMAND_SUBMIT, PYR_COMMAND_CANCEL };

struct pyr_channel_command {
    uint32_t entry;
    uint8_t kind;
    uint8_t outcome; /* of a cancel: enum pyr_outcome */
    uint8_t reserved[2];
};

/* The head of the block; offsets are from its start. */
struct pyr_channel {
    uint32_t entry_count;
    uint32_t command_mask, done_mask; /* ring sizes - 1 */
    uint32_t prompt_stride;           /* tokens kept for each entry; 0: prompts are pointed to */
    uint32_t text_stride;             /* bytes likewise */
    uint64_t entries_offset, commands_offset, done_offset, prompts_offset, texts_offset;
    uint64_t bytes;
    _Alignas(64) _Atomic uint32_t command_head; /* written by load */
    _Alignas(64) _Atomic uint32_t command_tail; /* written by the engine */
    _Alignas(64) _Atomic uint32_t done_head;    /* written by the engine */
    _Alignas(64) _Atomic uint32_t done_tail;    /* written by load */
    _Alignas(64) _Atomic bool stop;             /* load asks the engine side to end */
    struct pyr_bell engine_bell, load_bell;
};

/* Bytes of a channel of so many entries. The prompt and text areas come last, so that pages of
 * theirs which nobody uses are never taken. */
uint64_t pyr_channel_bytes(uint32_t entries, uint32_t prompt_stride, uint32_t text_stride);
/* Lays it out in zeroed memory of pyr_channel_bytes(...) bytes, aligned to 64. */
void pyr_channel_init(struct pyr_channel *channel, uint32_t entries, uint32_t prompt_stride,
                      uint32_t text_stride);

struct pyr_channel_entry *pyr_channel_entry(struct pyr_channel *channel, uint32_t index);
int32_t *pyr_channel_prompt(struct pyr_channel *channel, uint32_t index);
char *pyr_channel_text(struct pyr_channel *channel, uint32_t index);

/* Load's side. A ring never overflows: an entry has at most three commands under way (the cancel
 * of its last life, its submit, its cancel). */
void pyr_channel_send(struct pyr_channel *channel, struct pyr_channel_command command);
bool pyr_channel_take_done(struct pyr_channel *channel, uint32_t *index);
bool pyr_channel_has_done(const struct pyr_channel *channel);
/* The engine's side. */
uint32_t pyr_channel_pending(const struct pyr_channel *channel); /* commands to receive */
struct pyr_channel_command
pyr_channel_receive(struct pyr_channel *channel); /* only while one is pending */
void pyr_channel_give_done(struct pyr_channel *channel, uint32_t index);

/* The sleeper: arm, look at the ring once more, sleep on `fd` (an eventfd, non-blocking) only when
 * it is empty, then rest. A sleeper that goes on without a rest settles now and then: the ringer
 * may stand between its exchange and its write, and what is never read leaves the eventfd readable.
 * The other side: ring after it put something in; a no-op unless the sleeper is armed. */
void pyr_bell_arm(struct pyr_bell *bell);
void pyr_bell_sleep(int fd); /* until it is rung */
void pyr_bell_rest(struct pyr_bell *bell, int fd);
void pyr_bell_settle(struct pyr_bell *bell, int fd);
void pyr_bell_ring(struct pyr_bell *bell, int fd);

#endif
