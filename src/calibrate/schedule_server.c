/* SPDX-License-Identifier: MIT */
#include "calibrate/schedule_server.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/parse.h"
#include "calibrate/schedule_plan.h"
#include "codec/schedule_log.h"
#include "net/http_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    DIGITS = 16,        /* of CLOCK_MONOTONIC: 115 days in nanoseconds */
    EVENT_BYTES = 512,  /* one event, rendered */
    WRITE_BYTES = 16384 /* one write: a burst of events */
};
/* Wake this long before an event and spin: a timer's wake-up is late by up to this much. */
#define SPIN_NS (100 * PYR_NS_PER_US)

struct stream {
    struct pyr_http_exchange *exchange;
    struct pyr_schedule plan;
    struct pyr_plan_request request;
    uint64_t arrived_ns, due_ns;
    uint32_t number, total, sent; /* tokens */
    uint32_t place;               /* in the heap */
    bool begun, faulted, stopped; /* stopped: by its eos, not its length */
    uint32_t drip;                /* bytes of a slow fault sent so far */
    char event[EVENT_BYTES];      /* the event, DIGITS to be filled in at `digits` */
    size_t event_bytes, digits;
};

struct schedule_server {
    struct pyr_http_server *http;
    struct pyr_schedule plan;
    const char *model, *unix_path, *log_path, *folder;
    uint64_t port, log_records;
    uint64_t freeze_at_ns, freeze_for_ns, first_request_ns;
    bool spin;
    struct stream **heap; /* by due_ns */
    uint32_t heap_count, heap_capacity, streams;
    struct pyr_schedule_log *log;
};

/* --- the heap of streams by the time of their next write ------------------------------------- */

static void place(struct schedule_server *server, uint32_t at, struct stream *stream) {
    server->heap[at] = stream;
    stream->place = at;
}

static void sift(struct schedule_server *server, uint32_t at) {
    struct stream *stream = server->heap[at];
    while (at && server->heap[(at - 1) / 2]->due_ns > stream->due_ns) {
        place(server, at, server->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < server->heap_count &&
            server->heap[child + 1]->due_ns < server->heap[child]->due_ns)
            child++;
        if (child >= server->heap_count || server->heap[child]->due_ns >= stream->due_ns)
            break;
        place(server, at, server->heap[child]);
        at = child;
    }
    place(server, at, stream);
}

static void heap_add(struct schedule_server *server, struct stream *stream) {
    if (server->heap_count == server->heap_capacity) {
        server->heap_capacity = server->heap_capacity ? 2 * server->heap_capacity : 1024;
        server->heap = pyr_xrealloc(server->heap, server->heap_capacity * sizeof *server->heap);
    }
    place(server, server->heap_count++, stream);
    sift(server, stream->place);
}

static void heap_remove(struct schedule_server *server, struct stream *stream) {
    uint32_t at = stream->place;
    struct stream *last = server->heap[--server->heap_count];
    if (last == stream)
        return;
    place(server, at, last);
    sift(server, at);
}

static void forget(struct schedule_server *server, struct stream *stream) {
    heap_remove(server, stream);
    pyr_free(stream);
}

static void wait_until(struct schedule_server *server, struct stream *stream, uint64_t due_ns) {
    stream->due_ns = due_ns;
    sift(server, stream->place);
}

/* --- events ---------------------------------------------------------------------------------- */

static void render_event(struct schedule_server *server, struct stream *stream, bool reasoning) {
    bool chat = stream->request.chat;
    const char *key = !chat       ? "\"text\":\""
                      : reasoning ? "\"delta\":{\"reasoning_content\":\""
                                  : "\"delta\":{\"content\":\"";
    int head = snprintf(stream->event, sizeof stream->event,
                        "data: {\"id\":\"%s-%08u\",\"object\":\"%s\",\"created\":1700000000,"
                        "\"model\":\"%s\",\"choices\":[{\"index\":0,%s ",
                        chat ? "chatcmpl" : "cmpl", stream->number,
                        chat ? "chat.completion.chunk" : "text_completion", server->model, key);
    stream->digits = (size_t)head;
    int tail = snprintf(stream->event + head, sizeof stream->event - (size_t)head,
                        "%0*d\"%s,\"logprobs\":null,\"finish_reason\":null}]}\n\n", DIGITS, 0,
                        chat ? "}" : "");
    stream->event_bytes = (size_t)(head + tail);
}

static void put_digits(char *at, uint64_t value) {
    for (int i = DIGITS; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
}

static void log_event(struct schedule_server *server, const struct stream *stream,
                      uint64_t sent_ns) {
    struct pyr_schedule_log *log = server->log;
    if (!log)
        return;
    uint64_t count = atomic_load_explicit(&log->count, memory_order_relaxed);
    if (count == log->capacity) {
        log->lost++;
        return;
    }
    log->records[count] = (struct pyr_schedule_record){.prompt_hash = stream->request.prompt_hash,
                                                       .due_ns = stream->due_ns,
                                                       .sent_ns = sent_ns,
                                                       .token = stream->sent,
                                                       .stream = stream->number};
    atomic_store_explicit(&log->count, count + 1, memory_order_release);
}

static void write_text(struct stream *stream, const char *text) {
    pyr_http_write(stream->exchange, text, strlen(text));
}

static void begin_answer(struct schedule_server *server, struct stream *stream) {
    (void)server;
    stream->begun = true;
    pyr_http_begin(stream->exchange, 200,
                   stream->plan.fault == PYR_FAULT_CONTENT_TYPE ? "text/plain"
                                                                : "text/event-stream",
                   "Cache-Control: no-store\r\n");
    if (stream->request.chat && stream->plan.role)
        write_text(stream, "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
                           "\"content\":\"\"},\"finish_reason\":null}]}\n\n");
}

/* As /tokenize counts the text, and what its template adds to a chat. */
static size_t prompt_tokens(const struct stream *stream) {
    return stream->request.prompt_bytes / 4 + 1 +
           (stream->request.chat ? stream->plan.template_tokens : 0);
}

/* The finish, the usage and [DONE], as far as the plan has them, appended to `text`. */
static size_t render_end(const struct stream *stream, char *text, size_t size) {
    if (stream->plan.fault == PYR_FAULT_NO_DONE)
        return 0;
    const char *choice = stream->request.chat ? "\"delta\":{}" : "\"text\":\"\"";
    size_t length = (size_t)snprintf(
        text, size, "data: {\"choices\":[{\"index\":0,%s,\"finish_reason\":\"%s\"}]}\n\n", choice,
        stream->stopped || stream->total == 0 ? "stop" : "length");
    if (stream->request.include_usage && stream->plan.usage)
        length += (size_t)snprintf(text + length, size - length,
                                   "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":%zu,"
                                   "\"completion_tokens\":%u,\"total_tokens\":%zu}}\n\n",
                                   prompt_tokens(stream), stream->sent,
                                   prompt_tokens(stream) + stream->sent);
    length += (size_t)snprintf(text + length, size - length, "data: [DONE]\n\n");
    return length;
}

static void end_answer(struct schedule_server *server, struct stream *stream, bool ended_already) {
    char text[1024];
    size_t length = ended_already ? 0 : render_end(stream, text, sizeof text);
    if (length)
        pyr_http_write(stream->exchange, text, length);
    if (stream->plan.fault == PYR_FAULT_NO_END) {
        wait_until(server, stream, PYR_NEVER);
        return;
    }
    if (stream->plan.fault == PYR_FAULT_HANG_UP) {
        pyr_http_raw(stream->exchange, "0\r\n\r\n", 5);
        pyr_http_abort(stream->exchange, false);
    } else {
        pyr_http_end(stream->exchange);
    }
    forget(server, stream);
}

/* The events of one write: the clock is read last, and its digits are put into each of them. */
static void write_events(struct schedule_server *server, struct stream *stream, uint32_t events) {
    char text[WRITE_BYTES];
    size_t length = 0;
    for (uint32_t i = 0; i < events && length + stream->event_bytes < sizeof text - 1024; i++) {
        memcpy(text + length, stream->event, stream->event_bytes);
        length += stream->event_bytes;
    }
    uint32_t tokens = events * stream->plan.multi;
    bool last = stream->total - stream->sent <= tokens;
    bool glue = stream->plan.glue && last && stream->plan.fault != PYR_FAULT_ENDLESS;
    if (glue) {
        stream->sent += stream->total - stream->sent;
        length += render_end(stream, text + length, sizeof text - length);
        stream->sent = stream->total - (tokens < stream->total ? tokens : stream->total);
    }
    uint64_t now_ns = pyr_clock_real_ns();
    for (uint32_t i = 0; i < events; i++)
        put_digits(text + i * stream->event_bytes + stream->digits, now_ns);
    pyr_http_write(stream->exchange, text, length);
    log_event(server, stream, now_ns);
    stream->sent =
        last && stream->plan.fault != PYR_FAULT_ENDLESS ? stream->total : stream->sent + tokens;
    if (glue)
        end_answer(server, stream, true);
}

/* --- faults ---------------------------------------------------------------------------------- */

static void write_split(struct schedule_server *server, struct stream *stream) {
    /* One chunk whose two halves part inside the euro sign. */
    static const char event[] =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\xe2\x82\xac\"}}]}\n\n";
    size_t half = (size_t)(strchr(event, '\xe2') - event) + 1;
    if (stream->drip == 0) {
        char head[600];
        int length = snprintf(head, sizeof head, "%zx\r\n%.*s", sizeof event - 1, (int)half, event);
        pyr_http_raw(stream->exchange, head, (size_t)length);
        stream->drip = 1;
    } else {
        char tail[600];
        int length = snprintf(tail, sizeof tail, "%s\r\n", event + half);
        pyr_http_raw(stream->exchange, tail, (size_t)length);
        log_event(server, stream, pyr_clock_real_ns());
        stream->drip = 0;
        stream->sent++;
    }
    if (stream->sent == stream->total)
        end_answer(server, stream, false);
    else
        wait_until(server, stream, stream->due_ns + stream->plan.itl_ns);
}

static void drip(struct schedule_server *server, struct stream *stream, const char *text) {
    if (stream->drip < strlen(text))
        pyr_http_raw(stream->exchange, text + stream->drip++, 1);
    wait_until(server, stream, stream->due_ns + stream->plan.itl_ns);
}

static void reply(struct schedule_server *server, struct stream *stream, unsigned status,
                  const char *type, const char *fields, const char *body) {
    pyr_http_reply(stream->exchange, status, type, fields, body, strlen(body));
    forget(server, stream);
}

static void reply_status(struct schedule_server *server, struct stream *stream) {
    char body[200], fields[100] = "";
    if (stream->plan.retry_after)
        snprintf(fields, sizeof fields, "Retry-After: %u\r\n", stream->plan.retry_after);
    else if (stream->plan.status / 100 == 3)
        snprintf(fields, sizeof fields, "Location: http://127.0.0.1:1/elsewhere\r\n");
    snprintf(body, sizeof body, "{\"error\":{\"message\":\"planned failure\",\"code\":%u}}",
             stream->plan.status);
    reply(server, stream, stream->plan.status, "application/json", fields, body);
}

static void reply_whole(struct schedule_server *server, struct stream *stream) {
    char body[1024];
    bool chat = stream->request.chat;
    snprintf(body, sizeof body,
             "{\"id\":\"x\",\"object\":\"%s\",\"model\":\"%s\",\"choices\":[{\"index\":0,%s,"
             "\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":%zu,"
             "\"completion_tokens\":%u,\"total_tokens\":%zu}}",
             chat ? "chat.completion" : "text_completion", server->model,
             chat ? "\"message\":{\"role\":\"assistant\",\"content\":\"the whole answer\"}"
                  : "\"text\":\"the whole answer\"",
             prompt_tokens(stream), stream->total, prompt_tokens(stream) + stream->total);
    log_event(server, stream, pyr_clock_real_ns());
    reply(server, stream, 200, "application/json", NULL, body);
}

static void write_long_line(struct schedule_server *server, struct stream *stream) {
    char block[4096];
    memset(block, 'x', sizeof block);
    write_text(stream, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
    for (int i = 0; i < 200; i++)
        pyr_http_write(stream->exchange, block, sizeof block);
    wait_until(server, stream, PYR_NEVER);
}

/* The stream's fault, when its time has come. True: the stream's turn is over. */
static bool misbehave(struct schedule_server *server, struct stream *stream) {
    struct pyr_http_exchange *exchange = stream->exchange;
    switch (stream->plan.fault) {
    case PYR_FAULT_FREEZE:
        stream->faulted = true;
        wait_until(server, stream,
                   stream->plan.hold_ns ? stream->due_ns + stream->plan.hold_ns : PYR_NEVER);
        /* What follows keeps its distance from here on. */
        stream->arrived_ns += stream->plan.hold_ns;
        return true;
    case PYR_FAULT_CLOSE:
        pyr_http_raw(exchange, "fff\r\ndata: {\"choices\"", 21);
        pyr_http_abort(exchange, false);
        forget(server, stream);
        return true;
    case PYR_FAULT_RESET:
    case PYR_FAULT_EOF:
        pyr_http_abort(exchange, stream->plan.fault == PYR_FAULT_RESET);
        forget(server, stream);
        return true;
    case PYR_FAULT_BAD_JSON:
        write_text(stream, "data: {\"choices\":[{\"index\":0,\"delta\n\n");
        stream->faulted = true;
        return false;
    case PYR_FAULT_ERROR_EVENT:
        write_text(stream, "data: {\"error\":{\"message\":\"planned failure\",\"code\":500}}\n\n"
                           "data: [DONE]\n\n");
        pyr_http_end(exchange);
        forget(server, stream);
        return true;
    case PYR_FAULT_ERROR_FIELD:
        write_text(stream, "error: {\"code\":400,\"message\":\"planned failure\"}\n\n"
                           "data: [DONE]\n\n");
        pyr_http_end(exchange);
        forget(server, stream);
        return true;
    case PYR_FAULT_DONE_ALONE:
        write_text(stream, "data: [DONE]\n\n");
        pyr_http_end(exchange);
        forget(server, stream);
        return true;
    case PYR_FAULT_LONG_LINE:
        write_long_line(server, stream);
        return true;
    case PYR_FAULT_SLOW_BODY:
        drip(server, stream, "2f\r\ndata: {\"choices\":[{\"text\":\"never to come\"}]}\n\n\r\n");
        return true;
    case PYR_FAULT_PINGS:
        write_text(stream, ": ping\n\n");
        wait_until(server, stream, stream->due_ns + stream->plan.itl_ns);
        return true;
    case PYR_FAULT_EMPTY:
        stream->total = 0;
        end_answer(server, stream, false);
        return true;
    default:
        return false;
    }
}

/* Faults that come in place of a stream's head. True: the turn is over. */
static bool misbehave_early(struct schedule_server *server, struct stream *stream) {
    switch (stream->plan.fault) {
    case PYR_FAULT_STATUS:
        reply_status(server, stream);
        return true;
    case PYR_FAULT_HTML:
        reply(server, stream, 200, "text/html", NULL,
              "<html><head><title>Login required</title></head><body>proxy</body></html>");
        return true;
    case PYR_FAULT_JSON:
        reply_whole(server, stream);
        return true;
    case PYR_FAULT_GARBAGE:
        pyr_http_raw(stream->exchange, "\x01\x02 this is no HTTP\r\n\r\n", 22);
        wait_until(server, stream, PYR_NEVER);
        return true;
    case PYR_FAULT_SLOW_HEAD:
        drip(server, stream, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n");
        return true;
    case PYR_FAULT_HANG:
        wait_until(server, stream, PYR_NEVER);
        return true;
    default:
        return false;
    }
}

/* --- one turn of a stream -------------------------------------------------------------------- */

static void take_turn(struct schedule_server *server, struct stream *stream) {
    if (!stream->begun) {
        if (misbehave_early(server, stream))
            return;
        if (!stream->request.stream) {
            reply_whole(server, stream);
            return;
        }
        bool at_once = stream->plan.at == 0 && (stream->plan.fault == PYR_FAULT_RESET ||
                                                stream->plan.fault == PYR_FAULT_EOF);
        if (!at_once)
            begin_answer(server, stream);
    }
    if (stream->plan.fault != PYR_FAULT_NONE && !stream->faulted &&
        stream->sent >= stream->plan.at && misbehave(server, stream))
        return;
    if (stream->plan.fault == PYR_FAULT_SPLIT_UTF8) {
        write_split(server, stream);
        return;
    }
    if (stream->plan.reasoning && stream->sent >= stream->plan.reasoning) {
        stream->plan.reasoning = 0;
        render_event(server, stream, false);
    }
    bool glued = stream->plan.glue && stream->plan.fault != PYR_FAULT_ENDLESS &&
                 stream->total - stream->sent <= stream->plan.burst * stream->plan.multi;
    write_events(server, stream, stream->plan.burst);
    if (glued)
        return;
    if (stream->sent >= stream->total && stream->plan.fault != PYR_FAULT_ENDLESS)
        end_answer(server, stream, false);
    else
        wait_until(
            server, stream,
            pyr_plan_due_ns(&stream->plan, stream->arrived_ns, stream->number, stream->sent));
}

/* --- requests -------------------------------------------------------------------------------- */

static void take_completion(struct schedule_server *server, struct pyr_http_exchange *exchange,
                            const struct pyr_http_request *request, bool chat) {
    uint64_t now_ns = pyr_clock_real_ns();
    struct stream *stream = pyr_xcalloc(1, sizeof *stream);
    pyr_plan_read_request(request->body, request->body_bytes, chat, &stream->request);
    stream->plan = server->plan;
    struct pyr_err err = {0};
    const char *refusal = !stream->request.good ? "the body is not JSON" : NULL;
    if (!refusal && stream->request.has_plan &&
        !pyr_plan_parse(stream->request.plan, strlen(stream->request.plan), &stream->plan, &err))
        refusal = "the plan in the prompt is malformed";
    if (!refusal && stream->plan.strict &&
        (stream->request.ignore_eos || stream->request.min_tokens))
        refusal = "unknown field: ignore_eos or min_tokens";
    if (refusal) {
        char body[200];
        snprintf(body, sizeof body, "{\"error\":{\"message\":\"%s\",\"code\":400}}", refusal);
        pyr_http_reply_text(exchange, 400, "application/json", body);
        pyr_free(stream);
        return;
    }
    if (!server->first_request_ns)
        server->first_request_ns = now_ns;
    stream->exchange = exchange;
    stream->number = server->streams++;
    stream->arrived_ns = now_ns;
    stream->total = stream->plan.tokens ? stream->plan.tokens : stream->request.asked_tokens;
    if (stream->plan.eos && !stream->request.ignore_eos && stream->plan.eos < stream->total) {
        stream->total = stream->plan.eos;
        stream->stopped = true;
    }
    stream->due_ns = pyr_plan_due_ns(&stream->plan, now_ns, stream->number, 0);
    render_event(server, stream, stream->plan.reasoning > 0);
    pyr_http_exchange_set(exchange, stream);
    heap_add(server, stream);
}

static void reply_tokens(struct pyr_http_exchange *exchange,
                         const struct pyr_http_request *request) {
    struct pyr_plan_request body;
    pyr_plan_read_request(request->body, request->body_bytes, false, &body);
    char text[64];
    snprintf(text, sizeof text, "{\"count\":%zu,\"tokens\":[]}", body.prompt_bytes / 4 + 1);
    pyr_http_reply_text(exchange, 200, "application/json", text);
}

static void handle(void *user, struct pyr_http_exchange *exchange,
                   const struct pyr_http_request *request) {
    struct schedule_server *server = user;
    char text[256];
    if (server->plan.loading && strcmp(request->method, "POST") == 0) {
        server->plan.loading--;
        pyr_http_reply_text(exchange, 503, "application/json",
                            "{\"error\":{\"message\":\"Loading model\",\"code\":503}}");
    } else if (strcmp(request->path, "/v1/chat/completions") == 0) {
        take_completion(server, exchange, request, true);
    } else if (strcmp(request->path, "/v1/completions") == 0) {
        take_completion(server, exchange, request, false);
    } else if (strcmp(request->path, "/v1/models") == 0) {
        snprintf(text, sizeof text,
                 "{\"object\":\"list\",\"data\":[{\"id\":\"%s\",\"object\":\"model\","
                 "\"owned_by\":\"pyrometer\"}]}",
                 server->model);
        pyr_http_reply(exchange, 200, "application/json", "Server: pyrometer-schedule\r\n", text,
                       strlen(text));
    } else if (strcmp(request->path, "/v1/embeddings") == 0) {
        pyr_http_reply_text(
            exchange, 200, "application/json",
            "{\"object\":\"list\",\"data\":[{\"index\":0,\"embedding\":[0.5,-1e-3]}],"
            "\"usage\":{\"prompt_tokens\":5,\"total_tokens\":5}}");
    } else if (strcmp(request->path, "/tokenize") == 0 && server->plan.tokenizer) {
        reply_tokens(exchange, request);
    } else if (strcmp(request->path, "/health") == 0) {
        pyr_http_reply_text(exchange, 200, "text/plain", "ok");
    } else {
        pyr_http_reply_text(exchange, 404, "application/json", "{\"detail\":\"Not Found\"}");
    }
}

static void gone(void *user, struct pyr_http_exchange *exchange) {
    struct stream *stream = pyr_http_exchange_get(exchange);
    if (stream)
        forget(user, stream);
}

/* --- the process ----------------------------------------------------------------------------- */

static volatile sig_atomic_t stop_asked;

static void ask_stop(int signal_number) {
    (void)signal_number;
    stop_asked = 1;
}

static void freeze(struct schedule_server *server, uint64_t now_ns) {
    if (!server->freeze_for_ns || !server->first_request_ns ||
        now_ns < server->first_request_ns + server->freeze_at_ns)
        return;
    struct timespec pause = {.tv_sec = (time_t)(server->freeze_for_ns / PYR_NS_PER_S),
                             .tv_nsec = (long)(server->freeze_for_ns % PYR_NS_PER_S)};
    server->freeze_for_ns = 0;
    nanosleep(&pause, NULL);
}

static void run(struct schedule_server *server) {
    while (!stop_asked) {
        uint64_t now_ns = pyr_clock_real_ns();
        freeze(server, now_ns);
        uint64_t due_ns = server->heap_count ? server->heap[0]->due_ns : PYR_NEVER;
        if (due_ns > now_ns) {
            uint64_t spin_ns = server->spin ? SPIN_NS : 0;
            uint64_t wait_ns = due_ns - now_ns > spin_ns ? due_ns - now_ns - spin_ns : 0;
            /* A bound, so that the freeze and a signal are seen. */
            pyr_http_server_step(server->http,
                                 wait_ns < PYR_NS_PER_S / 20 ? wait_ns : PYR_NS_PER_S / 20);
            continue;
        }
        /* A slice of what is due, then the sockets again: a step of thousands must not keep new
         * requests waiting for its end. */
        for (int i = 0; i < 64 && server->heap_count && server->heap[0]->due_ns <= now_ns; i++)
            take_turn(server, server->heap[0]);
        pyr_http_server_step(server->http, 0);
    }
}

static bool open_log(struct schedule_server *server, struct pyr_err *err) {
    if (!server->log_path)
        return true;
    size_t bytes = sizeof *server->log + server->log_records * sizeof *server->log->records;
    int fd = open(server->log_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    /* A hole that a full disk cannot fill would end the process at the first store. */
    int failed = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)bytes);
    if (failed) {
        if (fd >= 0)
            close(fd);
        return pyr_fail_errno(err, failed, "%s", server->log_path);
    }
    server->log = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    close(fd);
    if (server->log == MAP_FAILED) {
        server->log = NULL;
        return pyr_fail_errno(err, errno, "%s", server->log_path);
    }
    server->log->capacity = server->log_records;
    server->log->magic = PYR_SCHEDULE_LOG_MAGIC;
    return true;
}

static bool parse_option(struct schedule_server *server, const char *name, const char *value,
                         struct pyr_err *err) {
    if (strcmp(name, "--port") == 0)
        return pyr_parse_u64(value, &server->port, err);
    if (strcmp(name, "--plan") == 0)
        return pyr_plan_parse(value, strlen(value), &server->plan, err);
    if (strcmp(name, "--log-records") == 0)
        return pyr_parse_u64(value, &server->log_records, err);
    if (strcmp(name, "--freeze-at") == 0)
        return pyr_parse_duration_ns(value, &server->freeze_at_ns, err);
    if (strcmp(name, "--freeze-for") == 0)
        return pyr_parse_duration_ns(value, &server->freeze_for_ns, err);
    if (strcmp(name, "--log") == 0)
        server->log_path = value;
    else if (strcmp(name, "--unix") == 0)
        server->unix_path = value;
    else if (strcmp(name, "--model") == 0)
        server->model = value;
    else if (strcmp(name, "--owns-folder") == 0)
        server->folder = value;
    else
        return pyr_fail(err, PYR_E_USAGE, "%s: no such option", name);
    return true;
}

static bool open_server(struct schedule_server *server, int argc, char **argv,
                        struct pyr_err *err) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--spin") == 0)
            server->spin = true;
        else if (i + 1 == argc)
            return pyr_fail(err, PYR_E_USAGE, "%s: needs a value", argv[i]);
        else if (!parse_option(server, argv[i], argv[i + 1], err))
            return false;
        else
            i++;
    }
    struct pyr_http_server_config config = {.port = (uint16_t)server->port,
                                            .unix_path = server->unix_path,
                                            .connections_max = 65536,
                                            .queue_max = (size_t)4 << 20,
                                            .handle = handle,
                                            .gone = gone,
                                            .user = server};
    return open_log(server, err) && pyr_http_server_open(&config, &server->http, err);
}

/* Files of whoever started us, who may have been killed. */
static void remove_folder(const char *path) {
    DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;
    if (!dir)
        return;
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(path);
}

int pyr_schedule_server_main(int argc, char **argv) {
    pid_t parent = getppid();
    struct schedule_server server = {
        .plan = PYR_PLAN_DEFAULT, .model = "scheduled", .log_records = 1000000};
    struct sigaction action = {.sa_handler = ask_stop};
    struct rlimit files;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it ended before we asked to be told */
        return 0;
    prctl(PR_SET_TIMERSLACK, 1);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    struct pyr_err err;
    if (!open_server(&server, argc, argv, &err)) {
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
        return pyr_exit_code(err.code);
    }
    if (server.unix_path)
        printf("unix %s\n", server.unix_path);
    else
        printf("port %u\n", pyr_http_server_port(server.http));
    fflush(stdout);
    run(&server);
    pyr_http_server_close(server.http);
    pyr_free(server.heap);
    remove_folder(server.folder);
    return 0;
}
