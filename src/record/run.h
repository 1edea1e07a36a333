/* SPDX-License-Identifier: MIT
 *
 * A run as plain data: what happened, raw. This is the first waist of the program; load, target,
 * sample and suite fill it, stats reads it and nothing here computes.
 *
 *     run > arm > block > case > phase > request > chunk
 *
 * An arm is one of the things compared (a build, a target), usually the only one. A block is one
 * turn of an arm in an interleaved comparison. A case is one workload at one load ("short prompts,
 * 8 in flight"). A phase is warm-up, measured, ramp or drain.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC (or of the virtual clock). A stamp of 0 means unknown.
 */
#ifndef PYR_RECORD_RUN_H
#define PYR_RECORD_RUN_H

#include <stdbool.h>
#include <stdint.h>

/* How a request ended. Failures are never latencies and never dropped. docs/outcomes.md */
enum pyr_outcome {
    PYR_OUTCOME_OK,
    PYR_OUTCOME_CANCELLED,  /* asked for by the workload: neither an error nor a missed goal */
    PYR_OUTCOME_UNFINISHED, /* still running at the end of the drain: an error, a missed goal */
    PYR_OUTCOME_REJECTED,   /* the target's queue was full (HTTP 429 and 503 too) */
    PYR_OUTCOME_ENGINE,     /* the engine failed or has no output for it */
    PYR_OUTCOME_TOO_LONG,   /* prompt and output do not fit a sequence's context */
    PYR_OUTCOME_WORKER,     /* the worker process died under it */
    PYR_OUTCOME_REFUSED,    /* connection refused */
    PYR_OUTCOME_RESET,      /* connection closed in mid-answer */
    PYR_OUTCOME_TIMEOUT_CONNECT,
    PYR_OUTCOME_TIMEOUT_FIRST,   /* no first token in time */
    PYR_OUTCOME_TIMEOUT_BETWEEN, /* a gap between tokens too long */
    PYR_OUTCOME_TIMEOUT_TOTAL,
    PYR_OUTCOME_HTTP_3XX,
    PYR_OUTCOME_HTTP_4XX,     /* but 429 */
    PYR_OUTCOME_HTTP_5XX,     /* but 503 */
    PYR_OUTCOME_PROTOCOL,     /* not HTTP, not an event stream, not the JSON it should be */
    PYR_OUTCOME_STREAM_ERROR, /* an error object inside a stream that began well */
    PYR_OUTCOME_SHORT,        /* fewer tokens than asked, only with --exact-output */
    PYR_OUTCOME_TLS,          /* handshake or certificate */
    PYR_OUTCOME_LOCAL,        /* our own limit: file descriptors, ports, memory */
    PYR_OUTCOME_COUNT
};

/* The name in files and JSON: "ok", "cancelled", "timeout_first", ... */
const char *pyr_outcome_name(enum pyr_outcome outcome);

enum pyr_request_flag {
    PYR_REQUEST_SHORT = 1 << 0,          /* ended before the asked number of tokens */
    PYR_REQUEST_NO_DONE = 1 << 1,        /* the stream ended without its end mark */
    PYR_REQUEST_STREAMED = 1 << 2,       /* token times are known */
    PYR_REQUEST_USAGE = 1 << 3,          /* the server reported token counts */
    PYR_REQUEST_ESTIMATED = 1 << 4,      /* prompt_tokens is our estimate, not a count */
    PYR_REQUEST_NEW_CONNECTION = 1 << 5, /* a connection was made for it after the start */
    PYR_REQUEST_WAITED = 1 << 6,         /* no slot of ours was free at its scheduled time */
    PYR_REQUEST_CACHED = 1 << 7,         /* usage_cached_tokens was said */
    PYR_REQUEST_REASONED = 1 << 8,       /* usage_reasoning_tokens was said */
    PYR_REQUEST_BAD_USAGE = 1 << 9       /* a count of the server's cannot be: none is used */
};

/* What the output of a request was made of. */
enum pyr_request_kind {
    PYR_KIND_CONTENT = 1 << 0,
    PYR_KIND_REASONING = 1 << 1,
    PYR_KIND_TOOL_CALL = 1 << 2,
    PYR_KIND_REFUSAL = 1 << 3,
    PYR_KIND_MEDIA = 1 << 4,  /* audio or images */
    PYR_KIND_CHOICES = 1 << 5 /* more than one answer to the prompt */
};
enum { PYR_KIND_COUNT = 6 };
/* By number of the bit, the name in files and JSON: "content", "reasoning", "tool_call", ... */
const char *pyr_request_kind_name(int bit);

/* One finished request, 176 bytes, stored as it is (little endian). Files of version 1 end at
 * prompt_hash. */
struct pyr_request {
    uint32_t ordinal; /* dense from 0 over the run, in order of dispatch */
    uint32_t case_index;
    uint16_t phase;        /* in which it was scheduled: PYR_PHASE_WARMUP, ... */
    uint16_t user;         /* closed loop: whose it is, from 1; 0: unknown, or an open loop */
    uint16_t prompt_class; /* index into the workload's classes */
    uint16_t worker;       /* which load thread */
    uint8_t outcome;       /* enum pyr_outcome */
    uint8_t kinds;         /* enum pyr_request_kind; 0: not known */
    uint16_t flags;        /* enum pyr_request_flag */
    uint16_t http_status;  /* 0: none */
    uint16_t session;      /* turn number in a multi-turn session, 0 for none or the first */

    /* Stamps, in the order in which they happen; 0 unknown. */
    uint64_t scheduled_ns;  /* open loop: the plan's instant; closed: slot free + think time */
    uint64_t dispatched_ns; /* connection or slot in hand */
    uint64_t sent_ns;       /* read just before the send that hands over the last byte */
    uint64_t admitted_ns;   /* the engine began to work on it */
    uint64_t prefilled_ns;  /* the step that held its last prompt token is over */
    uint64_t first_byte_ns;
    uint64_t first_content_ns; /* first non-empty output of any kind */
    uint64_t first_output_ns;  /* first that the user sees: no reasoning, no tool call */
    uint64_t last_content_ns;
    uint64_t usage_ns;
    uint64_t closed_ns;

    uint32_t prompt_tokens; /* as the target counted, or our estimate (flag) */
    uint32_t asked_tokens;  /* output tokens asked for */
    uint32_t output_tokens; /* our own count: see pyr_request_tokens */
    uint32_t usage_prompt_tokens, usage_output_tokens; /* the server's word, with flag USAGE */
    uint32_t chunks;                                   /* content chunks recorded for it */
    uint64_t output_bytes;
    uint64_t text_hash; /* FNV-1a 64 of the output bytes; 0 when there is no output */
    uint64_t
        prompt_hash; /* the same of the prompt, so that runs can be matched request by request */
    uint32_t events; /* of the stream, with output; 0 unknown or none */
    uint32_t usage_cached_tokens, usage_reasoning_tokens; /* with their flags */
    uint32_t reserved;
};

/* Events that a token may be spread over (a server that streams letters); fewer tokens than that
 * would make are no count of this output. */
enum { PYR_EVENTS_PER_TOKEN_MAX = 8 };

/* Whether the server's count is one of this output: it is not where it says none of some, or cannot
 * be. */
static inline bool pyr_request_is_counted(const struct pyr_request *request) {
    return (request->flags & PYR_REQUEST_USAGE) && !(request->flags & PYR_REQUEST_BAD_USAGE) &&
           request->usage_output_tokens > 0 &&
           (uint64_t)request->usage_output_tokens * PYR_EVENTS_PER_TOKEN_MAX >= request->events;
}

/* Output tokens: by the server's count where there is one, else by our own. An event may hold
 * several tokens (speculative decoding), and then only the server knows how many. */
static inline uint32_t pyr_request_tokens(const struct pyr_request *request) {
    return pyr_request_is_counted(request) ? request->usage_output_tokens : request->output_tokens;
}

/* Those of them that came over the wire: without the reasoning that a server counts and hides. */
static inline uint32_t pyr_request_streamed_tokens(const struct pyr_request *request) {
    uint32_t tokens = pyr_request_tokens(request);
    bool hidden = pyr_request_is_counted(request) && (request->flags & PYR_REQUEST_REASONED) &&
                  !(request->kinds & PYR_KIND_REASONING) &&
                  request->usage_reasoning_tokens < tokens;
    return hidden ? tokens - request->usage_reasoning_tokens : tokens;
}

/* One content chunk, 16 bytes. Chunks of a request are chained: its first gap is from sent_ns, each
 * later one from the previous chunk (or advance) of the same request. */
struct pyr_chunk {
    uint32_t ordinal;
    uint32_t gap_ns;     /* user time since the previous stamp of this request */
    uint32_t lag_ns;     /* user time - kernel time; PYR_LAG_UNKNOWN: no kernel stamp */
    uint16_t bytes_bits; /* bits 0..13 bytes, PYR_CHUNK_* flags above */
    uint8_t tokens;
    uint8_t bound_code; /* the true time lies within pyr_bound_ns(bound_code) before the stamp */
};

#define PYR_LAG_UNKNOWN UINT32_MAX
enum {
    PYR_CHUNK_REASONING = 1 << 14, /* nothing that the user sees: reasoning, tool calls */
    /* Not a chunk of its own: carries what did not fit (a gap of over 4.29 s, over 255 tokens or
     * 16383 bytes) of the chunk that follows it. */
    PYR_CHUNK_CARRY = 1 << 15,
    PYR_CHUNK_BYTES_MAX = (1 << 14) - 1,
    PYR_CHUNK_TOKENS_MAX = 255
};

/* One step of an in-process engine, 32 bytes: what was computed together, and how long it took. Its
 * tokens are stamped between the end of its decode and end_ns. */
struct pyr_step {
    uint64_t start_ns;     /* its rows are chosen from here on */
    uint64_t end_ns;       /* its last token is known, or it failed */
    uint32_t prompt_rows;  /* of prompts, and of what is computed anew after a preemption */
    uint32_t decode_rows;  /* one for each sequence that was past its prompt */
    uint32_t sequences;    /* that had rows in it */
    uint16_t preempted;    /* sequences whose KV memory was taken back for it; 65535: or more */
    uint8_t choosing_code; /* tokens were chosen in the last pyr_bound_ns(code) of it at most */
    uint8_t flags;         /* enum pyr_step_flag */
};

enum pyr_step_flag {
    PYR_STEP_FAILED = 1 << 0 /* the engine failed: its requests ended, it gave no token */
};

/* A measured value that belongs to no request: a load time, a bandwidth, a block. */
struct pyr_observation {
    uint32_t metric; /* enum pyr_metric; written by name in the file's metric table */
    uint32_t case_index;
    uint32_t repetition;
    uint32_t block; /* 0 outside comparisons */
    uint64_t time_ns;
    double value; /* in the metric's unit */
};

/* So many values of one metric that they are kept as a histogram: the head, followed by `bytes`
 * bytes of docs/formats/histogram.md. Values are whole numbers in the metric's unit. Several
 * histograms of a metric and a case are successive shares of its values. */
struct pyr_histogram {
    uint32_t metric;
    uint32_t case_index;
    uint32_t repetition;
    uint32_t block;   /* 0 outside comparisons */
    uint64_t time_ns; /* not before its last value */
    uint32_t bytes;
    uint32_t reserved;
};

/* A sample of the machine or of a process, every sampling interval. */
struct pyr_reading {
    uint32_t metric;
    uint32_t case_index;
    uint64_t time_ns;
    double value;
};

/* The phases of the driver. PYR_PHASE_FIRST_WAVE is of no request by itself: what all users of a
 * closed loop send at once, where they do, lies across the others and goes by that name. */
enum { PYR_PHASE_WARMUP, PYR_PHASE_MEASURED, PYR_PHASE_DRAIN, PYR_PHASE_COUNT };
enum { PYR_PHASE_FIRST_WAVE = PYR_PHASE_COUNT };
#define PYR_FIRST_WAVE "first wave"
/* Phases of a load pattern are numbered from here on. */
enum { PYR_PHASE_OF_PATTERN = 16 };

enum pyr_mark_kind {
    PYR_MARK_PHASE_START, /* value: phase number; text: its name */
    PYR_MARK_PHASE_END,
    PYR_MARK_ASKED_RATE, /* value: requests/s asked for from now on (the asked curve) */
    PYR_MARK_ASKED_CONCURRENCY,
    PYR_MARK_FREEZE, /* value: nanoseconds our own process did not run */
    PYR_MARK_THROTTLE,
    PYR_MARK_STALL,   /* value: nanoseconds a producer waited for a full recording ring */
    PYR_MARK_WARNING, /* text: a sentence for the report */
    PYR_MARK_SIGNAL,  /* value: signal number; the run is partial */
    /* A level of a search or a sweep that ended before its time; text: the evidence. */
    PYR_MARK_SATURATED, /* more was taken in than went out */
    PYR_MARK_DECIDED,   /* its goals were decided */
    PYR_MARK_COUNT
};

struct pyr_mark {
    uint32_t kind;
    uint32_t case_index;
    uint64_t time_ns;
    double value;
    char text[232]; /* NUL-terminated, cut when longer */
};

enum pyr_case_flag {
    PYR_CASE_LEVEL = 1,    /* one load of a search or a sweep: goals say whether it holds */
    PYR_CASE_OWN_GOALS = 2 /* only goals of its own suite are meant for it */
};

/* A case as planned, written before its first request. */
struct pyr_case {
    uint32_t index; /* dense from 0 over the run */
    uint32_t arm, block;
    uint32_t concurrency; /* closed loop: asked; open loop: cap, 0 none */
    double rate;          /* open loop: requests/s asked; 0: closed loop */
    uint8_t open_loop;
    uint8_t simulated; /* the target follows a set law: nothing of this was measured */
    uint8_t exact_output;
    uint8_t flags;         /* of enum pyr_case_flag */
    uint32_t requests_cap; /* it ends after so many even when time is left; 0: not recorded */
    char suite[32];
    char id[96];      /* stable across runs: what compare matches by */
    char arrival[16]; /* "closed", "constant", "poisson", "gamma", "burst" */
    char prompt_class[32];
    char params[512]; /* "key=value;key=value", shown in the report and kept in JSON */
};

/* A goal that the run is held against, as planned. */
struct pyr_goal {
    char metric[40];     /* a name of metric.def */
    char statistic[16];  /* "value", "mean", "p50" ... "p99_9" */
    char suite[32];      /* "" for any but PYR_CASE_OWN_GOALS; cases of others are not judged */
    char label[64];      /* as the user or the preset wrote it: "ttft_p99=500ms" */
    uint8_t at_least;    /* 1: the value must be at least the limit, 0: at most */
    uint8_t user;        /* 1: the user named it, so that missing it is exit 3 */
    uint8_t per_request; /* 1: a request meets it or not (goodput), as well as the case */
    uint8_t reserved[5];
    double limit; /* in the metric's unit */
};

#define PYR_NO_CASE UINT32_MAX

/* Cases of this suite tell how well the instrument does at a load, and are none of the target's. */
#define PYR_CALIBRATION_SUITE "calibration"

#endif
