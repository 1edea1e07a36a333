/* SPDX-License-Identifier: MIT
 *
 * Recorded traffic: when each request came and how long it was, with its own timing.
 * - JSON lines as of the Mooncake traces: {"timestamp": ms, "input_length": tokens,
 *   "output_length": tokens, "hash_ids": [block, ...]}. Prompts are made of blocks of 512 tokens;
 *   the same id at the same place is the same text, so that shared prefixes are shared. hash_ids
 *   may be missing: then no two prompts share anything.
 * - CSV as of the Azure LLM inference traces: a header line with the columns TIMESTAMP,
 *   ContextTokens and GeneratedTokens in any order, others beside them; a timestamp is
 *   "2023-11-16 18:15:46.6805900", with an optional offset, or a number of seconds.
 * Which of them it is follows from the first character: '{' or anything else.
 *
 * Only times and lengths are recorded traffic; the text is ours (docs/workloads.md).
 */
#ifndef PYR_LOAD_TRACE_H
#define PYR_LOAD_TRACE_H

#include "base/arena.h"
#include "base/err.h"
#include "load/left_out.h"

#include <stddef.h>
#include <stdint.h>

enum {
    PYR_TRACE_BLOCK_TOKENS = 512,
    PYR_TRACE_TOKENS_MAX = 10000000 /* of one request: more is a mistake in the file */
};

struct pyr_trace_entry {
    uint32_t prompt_tokens, output_tokens; /* at least 1 each: a 0 in the file counts as 1 */
    uint32_t block_count;                  /* 0: nothing is shared */
    size_t first_block;                    /* in trace->blocks */
};

struct pyr_trace {
    const struct pyr_trace_entry *entries; /* (count), in order of time */
    const uint64_t *due_ns;                /* (count) since the first request, divided by speed */
    const uint64_t *blocks;                /* ids, as in the file */
    size_t count;
    uint64_t prompt_tokens, output_tokens; /* sums */
    uint32_t shortest_prompt, longest_prompt, longest_output, longest_total;
    double rate; /* requests/s from the first to the last; 1 when they are at one time */
};

/* `speed`: 2 plays it twice as fast; above 0. Lines out of order are put in order. Everything lies
 * in the arena. A malformed line is left out (left NULL: fails, naming it). Fails when there is no
 * request. */
bool pyr_trace_parse(struct pyr_arena *arena, const char *name, const char *bytes, size_t count,
                     double speed, struct pyr_trace *trace, struct pyr_left_out *left,
                     struct pyr_err *err);
bool pyr_trace_read(struct pyr_arena *arena, const char *path, double speed,
                    struct pyr_trace *trace, struct pyr_left_out *left, struct pyr_err *err);

#endif
