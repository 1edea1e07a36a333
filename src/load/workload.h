/* SPDX-License-Identifier: MIT
 *
 * What the requests of a case ask for: prompts and output lengths, drawn from a seed and put into
 * memory before the start.
 *
 * A target that takes tokens (info.tokenises) gets prompts of exactly the asked number of tokens,
 * the begin token included, made of the tokens of plain English words. One that takes text gets
 * words; their number is fitted by count_tokens where that works, else estimated
 * (PYR_REQUEST_ESTIMATED).
 *
 * Prompts are unique by default: each begins, after the shared prefix if one was asked for, with
 * words that number it, so that no prefix cache can answer it. A run with more requests than the
 * pool holds goes round it again and renumbers each prompt; only prompts from the user's file are
 * repeated as they are (and counted).
 */
#ifndef PYR_LOAD_WORKLOAD_H
#define PYR_LOAD_WORKLOAD_H

#include "base/err.h"
#include "load/length.h"
#include "load/trace.h"
#include "target/target.h"

#include <stddef.h>
#include <stdint.h>

struct pyr_prompt_class {
    const char *name; /* at most 31 bytes */
    struct pyr_length prompt_tokens, output_tokens;
    double weight; /* share among the classes of a workload; 0 counts as 1 */
};

/* The classes a user names: short, medium, long; NULL name ends the table. */
extern const struct pyr_prompt_class pyr_prompt_classes[];
const struct pyr_prompt_class *pyr_prompt_class_find(const char *name); /* or NULL */

struct pyr_workload_options {
    const struct pyr_prompt_class *classes; /* (class_count), at least one */
    size_t class_count;
    /* Prompts of the user instead of synthetic ones: a file of one prompt a line or JSONL (load/
     * prompts.h), or texts. Their length is what it is; the class gives the output length, unless
     * output_from_file: then that of the file's own answer, where it has one. */
    const char *prompts_path;
    const char *const *texts;
    size_t text_count;
    bool output_from_file;
    bool strict; /* an entry of prompts_path that is no prompt is an error, else it is left out */
    /* prompts_path holds conversations, each a session of several turns. The requests of one slot
     * index (in closed loop: of one user) are the turns of one session in order, then those of the
     * next session that nobody has begun. A turn carries the earlier ones with the file's own
     * answers, whatever the target said, so that every run asks for the same. */
    bool sessions;
    /* Lengths and shared blocks of recorded requests, one after the other (load/trace.h), instead
     * of synthetic prompts; it outlives the workload. Lengths are not held against tokens_limit: a
     * request that the target cannot take is an outcome. NULL: none. */
    const struct pyr_trace *trace;
    double shared_prefix;   /* 0..1: share of each synthetic prompt that all have in common */
    bool repeat_prompts;    /* one prompt for all: what a prefix or response cache likes best */
    uint64_t requests;      /* as many as are likely to be asked for; 0: unknown */
    size_t pool_bytes;      /* the most that prompts take; 0: 16 MiB */
    uint32_t max_in_flight; /* slots that hold a prompt at the same time */
    uint32_t tokens_limit;  /* prompt + output of a request at most; 0: the target's own */
    uint64_t seed;
};

struct pyr_workload; /* opaque; for one thread */

/* The target is asked to tokenise or count now and not afterwards. Fails when a length cannot be
 * served (beyond tokens_limit) or a file holds no prompt. */
bool pyr_workload_create(const struct pyr_workload_options *options, struct pyr_target *target,
                         struct pyr_workload **workload, struct pyr_err *err);
void pyr_workload_destroy(struct pyr_workload *workload); /* NULL is allowed */

/* What the next request asks for, the same sequence for the same options and seed. `slot_index`
 * (up to max_in_flight) names the place in which the prompt lives until that index asks again.
 * Fills prompt, output_tokens and of the record prompt_class, prompt_tokens, prompt_hash,
 * asked_tokens, session and the flag ESTIMATED. Does not allocate. */
void pyr_workload_next(struct pyr_workload *workload, uint32_t slot_index, struct pyr_slot *slot);
/* Back to the first request. */
void pyr_workload_rewind(struct pyr_workload *workload);

struct pyr_workload_info {
    uint64_t pool_prompts, pool_bytes;
    uint64_t repeated;   /* requests so far whose prompt had been sent before */
    uint64_t renumbered; /* requests so far made by renumbering a prompt of the pool */
    uint32_t longest_prompt_tokens, longest_total_tokens; /* 0: unknown (text) */
    uint32_t asked_too_short; /* prompt tokens that no prompt here can be as short as; 0: none */
    uint32_t shortest;        /* with it: what was made instead */
    struct pyr_left_out left_out; /* of prompts_path */
    bool estimated;               /* prompt lengths are estimates */
    bool token_prompts;
};
void pyr_workload_describe(const struct pyr_workload *workload, struct pyr_workload_info *info);

/* The longest prompt + output these classes can ask for: what to open a target with. */
uint32_t pyr_workload_longest(const struct pyr_prompt_class *classes, size_t count);

#endif
