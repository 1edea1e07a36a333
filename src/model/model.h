/* SPDX-License-Identifier: MIT
 *
 * The port of an in-process engine, at batch level. An engine turns batches of tokens of several
 * sequences into rows of logits; it knows nothing of requests, queues or sampling (that is
 * `serving`) and stamps nothing.
 *
 * Engines: llama (llama.cpp, a plug-in opened when used), sim (a set law of time, model/sim.h) and
 * null (costs nothing: measures the harness). To add one: one file, one row in model/engines.c,
 * and the conformance suite green (tests/model/conformance_test.c).
 *
 * Threads: a model may be shared by contexts; one context is used by one thread at a time.
 */
#ifndef PYR_MODEL_MODEL_H
#define PYR_MODEL_MODEL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/options.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pyr_model;   /* loaded weights; each engine's own */
struct pyr_grammar; /* what a text may be, and how far it has come; each engine's own */
struct pyr_context; /* sequences, their KV memory and the compute threads; each engine's own */

struct pyr_model_config {
    const char *path;       /* a model file; for sim and null the "key=value,..." text, may be "" */
    const char *engine_dir; /* the user's own build of the engine, or NULL for ours */
    const char *plugin_dir; /* where pyrometer-<engine>.so lies, or NULL to search (llama.c) */
    const char *system_root; /* "" or NULL: this machine; tests lend a recorded /proc and /sys */
    /* The engine's options as the user wrote them (`--engine-option flash_attn=on`); unknown keys
     * fail. */
    const struct pyr_option *options;
    size_t option_count;
    /* Called during load with 0..1, may be NULL; false asks to stop. Same thread. */
    bool (*progress)(void *context, double share);
    void *progress_context;
};

enum { PYR_NAME_BYTES = 128 };

struct pyr_model_info {
    char engine[PYR_NAME_BYTES];         /* "llama", "sim", "null" */
    char engine_version[PYR_NAME_BYTES]; /* as the library says, e.g. "0.5.0-dev (zen4)" */
    char description[PYR_NAME_BYTES];    /* architecture, size, quantisation */
    uint64_t parameter_count;            /* 0 when unknown */
    uint64_t weight_bytes;               /* tensors, as stored; 0 when unknown */
    /* Bytes of weights read to produce one token of one sequence (all but the embedding rows that
     * are looked up); 0 when unknown. With measured memory bandwidth it bounds decode speed. */
    uint64_t bytes_per_token;
    uint32_t vocabulary_size;
    uint32_t trained_context;     /* tokens; 0: unknown or no limit */
    uint32_t max_sequences;       /* the engine's own limit for one context */
    int32_t bos_token, eos_token; /* -1: none */
    bool simulated;               /* true only for sim: every output says so */
    bool random_weights;          /* made by `pyrometer model synth`: its text means nothing */
    bool virtual_time;            /* decode moves a virtual clock instead of taking time */
};

struct pyr_context_config {
    uint32_t sequences;           /* asked for; the context may give fewer (see context_info) */
    uint32_t tokens_per_sequence; /* context length of each sequence, prompt and output together */
    uint32_t batch_tokens;        /* the most tokens one decode is given */
    uint32_t threads;             /* compute threads, at least 1 */
    uint64_t seed;                /* sim: its law's random source */
    /* Where it is true a decode may give up at once (PYR_DECODE_FAILED). NULL: none does. */
    const _Atomic bool *interrupt;
};

/* What a context is or would be. Worked out before anything is taken. */
struct pyr_context_info {
    uint32_t sequences, tokens_per_sequence, batch_tokens, threads;
    uint64_t kv_bytes;      /* KV memory of all sequences */
    uint64_t compute_bytes; /* estimate of scratch buffers; 0 when unknown */
};

/* One step's input, shape (count): row i is token[i] at position pos[i] of sequence seq[i]; logits
 * are wanted where want[i] != 0. Positions of a sequence are consecutive from 0 and each sequence's
 * rows are in order. The arrays belong to the caller and may change after decode. A batch that is
 * impossible (empty, larger than the context's batch_tokens, a token, sequence or position that
 * does not exist) is refused as PYR_DECODE_FAILED and changes nothing. */
struct pyr_batch {
    uint32_t count;
    int32_t *token, *pos, *seq;
    uint8_t *want;
};

/* One message of a conversation. */
struct pyr_message {
    const char *role; /* "system", "user", "assistant" or "tool" */
    const char *content;
};

enum pyr_decode_status {
    PYR_DECODE_OK,
    PYR_DECODE_FULL, /* no room in the KV memory; state unchanged, free a sequence and retry */
    /* The engine's error, in err. Unless the batch was impossible the state of its sequences is
     * undefined: remove them before they are used again. */
    PYR_DECODE_FAILED
};

struct pyr_engine {
    const char *name;
    const char *summary;   /* one line for --help */
    const char *extension; /* ".gguf", or NULL when files do not select it */

    /* Loads weights. Fails with a sentence on anything that cannot work: what the engine's library
     * would abort on is checked before it is called. */
    bool (*load)(const struct pyr_model_config *config, struct pyr_model **model,
                 struct pyr_err *err);
    void (*describe)(const struct pyr_model *model, struct pyr_model_info *info);
    void (*unload)(struct pyr_model *model); /* after its contexts are destroyed */

    /* What context_create would give, without taking memory; fails as context_create would. */
    bool (*context_plan)(const struct pyr_model *model, const struct pyr_context_config *config,
                         struct pyr_context_info *info, struct pyr_err *err);
    bool (*context_create)(struct pyr_model *model, const struct pyr_context_config *config,
                           struct pyr_context **context, struct pyr_err *err);
    void (*context_destroy)(struct pyr_context *context);

    /* Writes at most `capacity` tokens; returns their count, or -(count needed) when they do not
     * fit. `special` adds the begin token where the model wants one. */
    int (*tokenize)(const struct pyr_model *model, const char *text, size_t length, bool special,
                    int32_t *tokens, int capacity);
    /* A conversation as tokens in the model's own format, up to where the assistant's answer
     * begins: begin token and control tokens included. As tokenize; 0: the model names no format,
     * or none that the engine knows. NULL: the engine has no such thing. */
    int (*chat)(const struct pyr_model *model, const struct pyr_message *messages, size_t count,
                int32_t *tokens, int capacity);
    /* The bytes of one token (not NUL-terminated, may split a UTF-8 character); returns the count,
     * or -(count needed). */
    int (*piece)(const struct pyr_model *model, int32_t token, char *bytes, int capacity);
    bool (*is_end)(const struct pyr_model *model, int32_t token);

    /* A text that is held to a grammar (GBNF, with the rule "root"; written by us, not by a user).
     * One thread at a time. NULL, all four: the engine has no such thing. */
    bool (*grammar_create)(const struct pyr_model *model, const char *rules,
                           struct pyr_grammar **grammar, struct pyr_err *err);
    void (*grammar_destroy)(struct pyr_grammar *grammar);
    /* Makes -INFINITY of the logits (vocabulary_size) of tokens that may not come next; looks at
     * `only` alone unless it is -1. End tokens may come where the text is whole. */
    void (*grammar_mask)(const struct pyr_grammar *grammar, float *logits, int32_t only);
    /* The text goes on with a token that may come next. */
    void (*grammar_accept)(struct pyr_grammar *grammar, int32_t token);

    /* One step. For an engine in virtual time *done_ns is set to the instant at which the step is
     * over, given that it starts at now_ns; other engines return when it is over and leave
     * *done_ns alone. */
    enum pyr_decode_status (*decode)(struct pyr_context *context, const struct pyr_batch *batch,
                                     uint64_t now_ns, uint64_t *done_ns, struct pyr_err *err);
    /* Row of vocabulary_size floats for batch row i of the last decode, valid until the next one.
     * NULL: none were wanted, or the engine has no output for that sequence and its request fails
     * (sim: fail_share). */
    const float *(*logits)(struct pyr_context *context, uint32_t i);

    /* Positions [from, to) of `seq`, which must exist; to = UINT32_MAX: to the end. */
    void (*sequence_remove)(struct pyr_context *context, int32_t seq, uint32_t from, uint32_t to);
    /* Makes `to` (emptied first) hold positions [0, count) of `from`, shared where the engine can;
     * false when it cannot. */
    bool (*sequence_copy)(struct pyr_context *context, int32_t from, int32_t to, uint32_t count);
};

/* The one table of engines (model/engines.c), NULL-terminated. */
extern const struct pyr_engine *const pyr_engines[];
/* By name, or NULL. */
const struct pyr_engine *pyr_engine_find(const char *name);
/* The engine that a target names, "sim:..." and "null:..." by prefix, files by extension, with in
 * *path what its load takes (a pointer into target); NULL: none does. */
const struct pyr_engine *pyr_engine_for_target(const char *target, const char **path);

#endif
