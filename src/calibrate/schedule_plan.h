/* SPDX-License-Identifier: MIT
 *
 * What the known-schedule server does with one request, as data: when each token is sent, in which
 * shape, and which fault happens. Pure: no clock, no socket.
 */
#ifndef PYR_CALIBRATE_SCHEDULE_PLAN_H
#define PYR_CALIBRATE_SCHEDULE_PLAN_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pyr_fault {
    PYR_FAULT_NONE,
    PYR_FAULT_FREEZE,       /* nothing for `hold` (0: for good), then on */
    PYR_FAULT_RESET,        /* RST */
    PYR_FAULT_CLOSE,        /* FIN in the middle of a chunk */
    PYR_FAULT_EOF,          /* FIN between two chunks */
    PYR_FAULT_GARBAGE,      /* bytes that are not HTTP */
    PYR_FAULT_BAD_JSON,     /* an event that is not JSON */
    PYR_FAULT_SLOW_HEAD,    /* the head, one byte each `itl` */
    PYR_FAULT_SLOW_BODY,    /* an event, one byte each `itl` */
    PYR_FAULT_STATUS,       /* `status`, with a JSON error and `retry_after` */
    PYR_FAULT_CONTENT_TYPE, /* events called text/plain */
    PYR_FAULT_HTML,         /* a proxy's page, with status 200 */
    PYR_FAULT_JSON,         /* a whole JSON answer although a stream was asked for */
    PYR_FAULT_LONG_LINE,    /* a line of 1 MiB */
    PYR_FAULT_SPLIT_UTF8,   /* each event in two writes, split inside a character */
    PYR_FAULT_NO_DONE,      /* no [DONE], no finish_reason */
    PYR_FAULT_NO_END,       /* [DONE], but the body never ends */
    PYR_FAULT_ERROR_EVENT,  /* an error object in the stream, then its end */
    PYR_FAULT_ENDLESS,      /* tokens without end */
    PYR_FAULT_PINGS,        /* comments without end */
    PYR_FAULT_HANG,         /* no answer at all */
    PYR_FAULT_EMPTY,        /* an answer without a token */
    PYR_FAULT_ERROR_FIELD,  /* the field "error" in the stream, then its end (llama-server) */
    PYR_FAULT_DONE_ALONE,   /* [DONE] and nothing else: an engine that died behind its server */
    PYR_FAULT_HANG_UP       /* a whole answer, then FIN though the connection was to live on */
};

struct pyr_schedule {
    uint64_t ttft_ns;   /* request whole -> first token */
    uint64_t itl_ns;    /* between writes */
    uint64_t hold_ns;   /* freeze */
    uint32_t tokens;    /* 0: as many as asked */
    uint32_t burst;     /* events per write, at least 1 */
    uint32_t multi;     /* tokens per event, at least 1 */
    uint32_t reasoning; /* so many of the first tokens are reasoning */
    uint32_t at;        /* the fault comes before this token */
    uint32_t eos;       /* ends after so many tokens unless ignore_eos was asked; 0: never */
    uint32_t retry_after;
    uint32_t loading;         /* so many first requests are answered 503; models are listed */
    uint32_t template_tokens; /* more of a chat's prompt, by usage, than its text has */
    uint16_t status;
    bool batch;     /* all streams step together, on a grid of itl */
    bool spread;    /* each stream begins later by a part of itl of its own */
    bool role;      /* a role-only event first (chat) */
    bool usage;     /* honours stream_options.include_usage */
    bool tokenizer; /* has /tokenize */
    bool strict;    /* 400 for ignore_eos and min_tokens */
    bool glue;      /* the last token, the finish and [DONE] go out in one write */
    enum pyr_fault fault;
};

#define PYR_PLAN_DEFAULT                                                                           \
    {                                                                                              \
        .ttft_ns = 1000000, .itl_ns = 1000000, .burst = 1, .multi = 1, .role = true,               \
        .usage = true, .tokenizer = true, .status = 500                                            \
    }

/* "key=value,...": ttft, itl, hold (durations), tokens, burst, multi, reasoning, at, eos,
 * retry_after, template, loading, status (counts), batch, spread, role, usage, tokenizer, strict,
 * glue (0 or 1), fault=NAME. Keys change the plan given. */
bool pyr_plan_parse(const char *text, size_t bytes, struct pyr_schedule *plan, struct pyr_err *err);

/* When the write that begins with token number `token` of stream number `stream` is due. */
uint64_t pyr_plan_due_ns(const struct pyr_schedule *plan, uint64_t arrived_ns, uint32_t stream,
                         uint32_t token);

/* A request body, as far as the server understands it. */
struct pyr_plan_request {
    bool chat, stream, include_usage, ignore_eos, min_tokens, good;
    uint32_t asked_tokens;
    uint64_t prompt_hash;
    size_t prompt_bytes;
    char model[64];
    char plan[256]; /* of a prompt that begins with "plan:KEYS;" */
    bool has_plan;
};
void pyr_plan_read_request(const char *body, size_t bytes, bool chat,
                           struct pyr_plan_request *request);

#endif
