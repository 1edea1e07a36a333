/* SPDX-License-Identifier: MIT */
#include "serving/openai.h"

#include "base/mem.h"
#include "net/http_server.h"
#include "net/url.h"
#include "serving/openai_answer.h"
#include "serving/openai_chances.h"
#include "serving/openai_engine.h"
#include "serving/openai_metrics.h"
#include "serving/openai_prompt.h"
#include "serving/openai_text.h"

#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    BODY_BYTES_MAX = 4 << 20,     /* a prompt of a million tokens */
    WRITE_BYTES = 64 << 10,       /* of events put into one write */
    QUEUED_BYTES_MAX = 512 << 10, /* a client that reads slower waits for its tokens */
    COMPLETION_TOKENS = 16,       /* OpenAI's default for /v1/completions */
    IDLE_CONNECTIONS = 256        /* beside those with a request under way */
};
#define FIELDS "Server: pyrometer/" PYR_VERSION "\r\n"
#define STREAM_FIELDS FIELDS "Cache-Control: no-cache\r\n"
#define STOP_LOOK_NS (PYR_NS_PER_S / 5) /* a signal that came just before a wait is seen then */

/* One request with a prompt and its answer. */
struct call {
    struct pyr_openai_job job; /* the first member */
    struct call *previous, *next;
    struct pyr_arena *arena;
    struct pyr_http_exchange *exchange; /* NULL: answered, or the client went away */
    struct pyr_openai_prompt prompt;
    bool at_desk; /* its prompt is not yet made */
    struct pyr_openai_frame frame;
    struct pyr_openai_text text;
    struct pyr_buf answer; /* text so far, of one that does not stream */
    uint32_t delivered;    /* tokens */
    uint32_t told;         /* of these, whose chances were given (when they are wanted) */
    size_t told_offset;    /* where the next of them stands in the text, in characters */
    bool begun;            /* the head of a stream is out */
};

struct pyr_openai {
    struct pyr_openai_config config;
    struct pyr_clock clock;
    struct pyr_http_server *http;
    struct pyr_openai_engine *engine;
    struct pyr_openai_source source;
    struct pyr_openai_desk *desk;
    struct pyr_serving_info info;
    struct call *first, *last; /* in order of arrival */
    uint32_t call_count;
    uint64_t next_id, created;
    bool stopping;
    struct pyr_buf out, chances; /* reused */
    struct pyr_openai_totals totals;
};

/* --- answers --------------------------------------------------------------------------------- */

static void reply_json(struct pyr_http_exchange *exchange, unsigned status, const char *fields,
                       const struct pyr_buf *body) {
    pyr_http_reply(exchange, status, "application/json", fields, pyr_buf_text(body), body->length);
}

static void reply_error_with(struct pyr_http_exchange *exchange, unsigned status,
                             const char *fields, const char *message, const char *param,
                             const char *code) {
    struct pyr_buf body = {0};
    pyr_openai_error(status, message, param, code, &body);
    reply_json(exchange, status, fields, &body);
    pyr_buf_deinit(&body);
}

static void reply_error(struct pyr_http_exchange *exchange, unsigned status, const char *message,
                        const char *param, const char *code) {
    reply_error_with(exchange, status,
                     status == 429 || status == 503 ? FIELDS "Retry-After: 1\r\n"
                     : status == 401                ? FIELDS "WWW-Authenticate: Bearer\r\n"
                                                    : FIELDS,
                     message, param, code);
}

static void count_refused(struct pyr_openai *server, unsigned status) {
    server->totals.ends[status == 429  ? PYR_OPENAI_REJECTED
                        : status < 500 ? PYR_OPENAI_INVALID
                                       : PYR_OPENAI_FAILED]++;
}

static void free_call(struct pyr_openai *server, struct call *call) {
    if (call->previous)
        call->previous->next = call->next;
    else
        server->first = call->next;
    if (call->next)
        call->next->previous = call->previous;
    else
        server->last = call->previous;
    server->call_count--;
    pyr_buf_deinit(&call->answer);
    pyr_buf_deinit(&call->prompt.answer);
    pyr_arena_destroy(call->arena);
    pyr_free(call);
}

/* How a request of that outcome is answered. */
static unsigned status_of(const struct pyr_openai_job *job) {
    switch ((enum pyr_outcome)job->record.outcome) {
    case PYR_OUTCOME_OK:
        return 200;
    case PYR_OUTCOME_TOO_LONG:
        return 400;
    case PYR_OUTCOME_REJECTED:
        return 429;
    case PYR_OUTCOME_CANCELLED:
        return 503;
    default:
        return 500;
    }
}

static const char *why_of(const struct pyr_openai_job *job) {
    return job->record.outcome == PYR_OUTCOME_CANCELLED ? "the server is being stopped"
                                                        : job->serving.error_text;
}

static const char *finish_reason(const struct call *call) {
    return !call->text.stopped && call->delivered == call->job.serving.output_tokens ? "length"
                                                                                     : "stop";
}

/* The answer is complete. A stop string ends it before the engine knows. */
static void end_call(struct pyr_openai *server, struct call *call, enum pyr_openai_end end,
                     bool done) {
    server->totals.ends[end]++;
    call->exchange = NULL;
    if (!done)
        pyr_openai_engine_cancel(server->engine, &call->job);
}

/* The chances of the tokens not told yet; NULL: not wanted. */
static const struct pyr_buf *take_chances(struct pyr_openai *server, struct call *call) {
    if (!call->prompt.request.chances)
        return NULL;
    struct pyr_openai_chances chances = {
        .chances = call->job.serving.chances + (size_t)call->told * call->prompt.request.chances,
        .count = call->delivered - call->told,
        .each = call->prompt.request.chances,
        .offset = &call->told_offset};
    call->told = call->delivered;
    pyr_buf_clear(&server->chances);
    pyr_openai_put_chances(call->frame.api, server->config.pieces, &chances, &server->chances);
    return &server->chances;
}

/* Text of this answer: an event, or kept until it is whole. */
static void give_text(struct pyr_openai *server, struct call *call, const char *text,
                      size_t bytes) {
    if (call->prompt.request.stream)
        pyr_openai_event_text(&call->frame, text, bytes, take_chances(server, call), &server->out);
    else
        pyr_buf_append(&call->answer, text, bytes);
}

/* Takes the job's new tokens as text: as events into server->out, at most WRITE_BYTES, or into the
 * answer. */
static void take_tokens(struct pyr_openai *server, struct call *call, uint32_t count) {
    const char *text;
    while (call->delivered < count && !call->text.stopped && server->out.length < WRITE_BYTES) {
        size_t bytes =
            pyr_openai_text_token(&call->text, call->job.serving.tokens[call->delivered++], &text);
        server->totals.output_tokens++;
        if (bytes)
            give_text(server, call, text, bytes);
    }
}

static void begin_stream(struct pyr_openai *server, struct call *call) {
    call->begun = true;
    pyr_http_begin(call->exchange, 200, "text/event-stream", STREAM_FIELDS);
    pyr_openai_event_begin(&call->frame, &server->out);
}

static struct pyr_openai_usage usage_of(const struct call *call) {
    return (struct pyr_openai_usage){.prompt_tokens = call->job.serving.prompt_tokens,
                                     .output_tokens = call->delivered};
}

/* What was held back, and what is still to be told of tokens without text. */
static void give_rest(struct pyr_openai *server, struct call *call) {
    const char *text;
    size_t bytes = pyr_openai_text_rest(&call->text, &text);
    bool untold =
        call->prompt.request.chances && call->prompt.request.stream && call->told < call->delivered;
    if (bytes || untold)
        give_text(server, call, text, bytes);
}

/* All tokens of a stream are in server->out: its end. */
static void finish_stream(struct pyr_openai *server, struct call *call, bool done) {
    bool good = call->text.stopped || call->job.record.outcome == PYR_OUTCOME_OK;
    struct pyr_openai_usage usage = usage_of(call);
    give_rest(server, call);
    if (good)
        pyr_openai_event_finish(&call->frame, finish_reason(call),
                                call->prompt.request.include_usage ? &usage : NULL, &server->out);
    else
        pyr_openai_event_error(status_of(&call->job), why_of(&call->job), &server->out);
    pyr_http_write(call->exchange, server->out.data, server->out.length);
    pyr_http_end(call->exchange);
    end_call(server, call, good ? PYR_OPENAI_OK : PYR_OPENAI_FAILED, done);
}

static void finish_whole(struct pyr_openai *server, struct call *call, bool done) {
    bool good = call->text.stopped || call->job.record.outcome == PYR_OUTCOME_OK;
    struct pyr_openai_usage usage = usage_of(call);
    if (good) {
        give_rest(server, call);
        pyr_buf_clear(&server->out);
        pyr_openai_answer(&call->frame, pyr_buf_text(&call->answer), call->answer.length,
                          take_chances(server, call), finish_reason(call), &usage, &server->out);
        reply_json(call->exchange, 200, FIELDS, &server->out);
        end_call(server, call, PYR_OPENAI_OK, done);
        return;
    }
    unsigned status = status_of(&call->job);
    reply_error(call->exchange, status, why_of(&call->job), NULL, NULL);
    end_call(server, call,
             status == 429  ? PYR_OPENAI_REJECTED
             : status < 500 ? PYR_OPENAI_INVALID
                            : PYR_OPENAI_FAILED,
             done);
}

/* Gives a client what its job has. */
static void deliver(struct pyr_openai *server, struct call *call) {
    bool done = atomic_load_explicit(&call->job.done, memory_order_acquire);
    uint32_t count = atomic_load_explicit(&call->job.token_count, memory_order_acquire);
    while (call->exchange && (count > call->delivered || done)) {
        pyr_buf_clear(&server->out);
        bool failed = done && call->job.record.outcome != PYR_OUTCOME_OK;
        if (call->prompt.request.stream && !call->begun && !(failed && count == 0)) {
            begin_stream(server, call);
        } else if (call->begun && pyr_http_queued(call->exchange) > QUEUED_BYTES_MAX) {
            return; /* `writable` goes on */
        }
        take_tokens(server, call, count);
        bool over = call->text.stopped || (done && call->delivered == count);
        if (over && call->begun)
            finish_stream(server, call, done);
        else if (over)
            finish_whole(server, call, done);
        else if (call->begun)
            pyr_http_write(call->exchange, server->out.data, server->out.length);
    }
    if (done && !call->exchange)
        free_call(server, call);
}

/* --- requests with a prompt ------------------------------------------------------------------ */

static bool refuse(struct pyr_openai_prompt *prompt, unsigned status, const char *param,
                   const char *code) {
    prompt->status = status;
    prompt->param = param;
    prompt->code = code;
    return false;
}

/* How many tokens there may be. */
static bool choose_length(const struct pyr_openai *server, struct call *call) {
    struct pyr_serving_request *serving = &call->job.serving;
    struct pyr_openai_prompt *prompt = &call->prompt;
    uint32_t context = server->info.tokens_per_sequence, wanted = prompt->request.output_tokens;
    /* The last output token needs no place. */
    uint32_t left = prompt->count <= context ? context - prompt->count + 1 : 0;
    if (wanted == 0)
        wanted =
            prompt->api == PYR_OPENAI_CHAT || left < COMPLETION_TOKENS ? left : COMPLETION_TOKENS;
    serving->output_tokens = wanted;
    if (left > 0 && wanted <= left)
        return true;
    pyr_fail(&prompt->why, PYR_E_INPUT,
             "%u prompt and %u output tokens do not fit a context of %u; ask for less",
             prompt->count, wanted, context);
    return refuse(prompt, 400, "max_tokens", "context_length_exceeded");
}

/* What the engine is asked for. */
static void fill_job(struct pyr_openai *server, struct call *call) {
    const struct pyr_openai_request *request = &call->prompt.request;
    struct pyr_serving_request *serving = &call->job.serving;
    uint64_t id = server->next_id++;
    pyr_openai_frame_init(&call->frame, call->arena, call->prompt.api, request->stream,
                          pyr_mix64(server->created + (id << 32)), (uint64_t)time(NULL),
                          server->config.name);
    pyr_openai_text_init(&call->text, call->arena, server->config.pieces, request->stops,
                         request->stop_count);
    serving->prompt = call->prompt.tokens;
    serving->prompt_tokens = call->prompt.count;
    serving->tokens = pyr_arena_array(call->arena, serving->output_tokens, sizeof *serving->tokens);
    if (request->chances) {
        serving->chance_count = request->chances;
        serving->chances =
            pyr_arena_array(call->arena, (size_t)serving->output_tokens * request->chances,
                            sizeof *serving->chances);
    }
    serving->exact_output = request->ignore_end;
    serving->least_tokens = request->least_tokens;
    serving->sampling = request->sampling;
    if (!request->seeded)
        serving->sampling.seed = pyr_mix64(server->config.serving.seed + id);
    serving->cancel_after_ns = serving->first_token_ns = PYR_NEVER;
    serving->between_tokens_ns = serving->total_ns = PYR_NEVER;
}

/* The prompt is made, or refused: on to the engine, or to the answer. */
static void go_on(struct pyr_openai *server, struct call *call) {
    const struct pyr_openai_prompt *prompt = &call->prompt;
    bool generates = prompt->api != PYR_OPENAI_TOKENIZE;
    bool fine =
        call->exchange && prompt->status == 0 && (!generates || choose_length(server, call));
    if (fine && generates) {
        fill_job(server, call);
        server->totals.prompt_tokens += prompt->count;
        pyr_openai_engine_submit(server->engine, &call->job);
        return;
    }
    if (fine) {
        reply_json(call->exchange, 200, FIELDS, &prompt->answer);
    } else if (call->exchange) {
        reply_error(call->exchange, prompt->status, prompt->why.text, prompt->param, prompt->code);
        if (generates)
            count_refused(server, prompt->status);
    }
    free_call(server, call);
}

static bool has_room(const struct pyr_openai *server, struct pyr_openai_prompt *refusal) {
    uint64_t most = (uint64_t)server->info.sequences + server->config.serving.queue_limit;
    if (server->stopping) {
        pyr_fail(&refusal->why, PYR_E_IO, "the server is being stopped");
        return refuse(refusal, 503, NULL, NULL);
    }
    if (server->call_count < most)
        return true;
    pyr_fail(&refusal->why, PYR_E_IO, "%u requests are being served and %u wait: try again later",
             server->info.sequences, server->config.serving.queue_limit);
    return refuse(refusal, 429, NULL, "queue_full");
}

static struct call *make_call(struct pyr_openai *server, struct pyr_http_exchange *exchange) {
    struct call *call = pyr_xcalloc(1, sizeof *call);
    call->arena = pyr_arena_create();
    call->exchange = exchange;
    pyr_http_exchange_set(exchange, call);
    call->previous = server->last;
    if (server->last)
        server->last->next = call;
    else
        server->first = call;
    server->last = call;
    server->call_count++;
    return call;
}

static void take_prompt(struct pyr_openai *server, enum pyr_openai_api api,
                        struct pyr_http_exchange *exchange, const struct pyr_http_request *http) {
    struct pyr_openai_prompt refusal = {0};
    bool is_long = http->body_bytes > PYR_OPENAI_LONG_BYTES;
    if ((is_long || api != PYR_OPENAI_TOKENIZE) && !has_room(server, &refusal)) {
        reply_error(exchange, refusal.status, refusal.why.text, refusal.param, refusal.code);
        if (api != PYR_OPENAI_TOKENIZE)
            count_refused(server, refusal.status);
        return;
    }
    struct call *call = make_call(server, exchange);
    struct pyr_openai_prompt *prompt = &call->prompt;
    call->job.record.sent_ns = pyr_now_ns(&server->clock);
    prompt->api = api;
    prompt->arena = call->arena;
    prompt->body = http->body;
    prompt->body_bytes = http->body_bytes;
    if (is_long) {
        prompt->body = pyr_arena_strndup(call->arena, http->body, http->body_bytes);
        call->at_desk = true;
        pyr_openai_desk_give(server->desk, prompt);
        return;
    }
    pyr_openai_prompt_make(&server->source, prompt);
    go_on(server, call);
}

/* --- the other paths ------------------------------------------------------------------------- */

static void answer_models(struct pyr_openai *server, enum pyr_openai_api api,
                          struct pyr_http_exchange *exchange, const struct pyr_http_request *http) {
    (void)api;
    (void)http;
    pyr_buf_clear(&server->out);
    pyr_openai_models(server->config.name, server->created, server->info.tokens_per_sequence,
                      &server->out);
    reply_json(exchange, 200, FIELDS, &server->out);
}

static void answer_health(struct pyr_openai *server, enum pyr_openai_api api,
                          struct pyr_http_exchange *exchange, const struct pyr_http_request *http) {
    static const char good[] = "{\"status\":\"ok\"}";
    (void)api;
    (void)http;
    if (server->stopping)
        reply_error(exchange, 503, "the server is being stopped", NULL, NULL);
    else
        pyr_http_reply(exchange, 200, "application/json", FIELDS, good, sizeof good - 1);
}

static void answer_metrics(struct pyr_openai *server, enum pyr_openai_api api,
                           struct pyr_http_exchange *exchange,
                           const struct pyr_http_request *http) {
    struct pyr_openai_stats stats;
    (void)api;
    (void)http;
    pyr_openai_engine_stats(server->engine, &stats);
    pyr_buf_clear(&server->out);
    pyr_openai_metrics(&server->totals, &stats, &server->info, &server->out);
    pyr_http_reply(exchange, 200, "text/plain; version=0.0.4", FIELDS, server->out.data,
                   server->out.length);
}

/* Engines here are opened for text; models made for vectors alone are refused at load. */
static void answer_embeddings(struct pyr_openai *server, enum pyr_openai_api api,
                              struct pyr_http_exchange *exchange,
                              const struct pyr_http_request *http) {
    (void)api;
    (void)http;
    (void)server;
    reply_error(exchange, 501,
                "embeddings are not served here; use a server for an embedding model", NULL,
                "not_implemented");
}

static const struct route {
    const char *method, *path;
    enum pyr_openai_api api;
    bool open; /* to those without the key */
    void (*answer)(struct pyr_openai *server, enum pyr_openai_api api,
                   struct pyr_http_exchange *exchange, const struct pyr_http_request *http);
} routes[] = {
    {"POST", "/v1/chat/completions", PYR_OPENAI_CHAT, false, take_prompt},
    {"POST", "/v1/completions", PYR_OPENAI_COMPLETIONS, false, take_prompt},
    {"POST", "/v1/embeddings", 0, false, answer_embeddings},
    {"GET", "/v1/models", 0, false, answer_models},
    {"POST", "/tokenize", PYR_OPENAI_TOKENIZE, false, take_prompt},
    {"GET", "/health", 0, true, answer_health},
    {"GET", "/metrics", 0, false, answer_metrics},
};
enum { ROUTES = sizeof routes / sizeof *routes };

/* --- the server ------------------------------------------------------------------------------ */

/* In a time that does not tell how much of it was right. */
static bool same_key(const char *key, const char *authorization) {
    size_t length = strlen(key);
    if (strncasecmp(authorization, "Bearer ", 7) != 0 || strlen(authorization + 7) != length)
        return false;
    unsigned char differs = 0;
    for (size_t i = 0; i < length; i++)
        differs |= (unsigned char)(key[i] ^ authorization[7 + i]);
    return differs == 0;
}

/* A page of another site, open in a browser on this machine, must not reach a server that asks
 * for no key. */
static bool is_foreign(const char *origin) {
    struct pyr_url url;
    return *origin && (!pyr_url_parse(origin, &url, NULL) || !pyr_host_is_loopback(url.host));
}

static const struct route *find_route(const char *method, const char *path, const char **allowed) {
    *allowed = NULL;
    for (int i = 0; i < ROUTES; i++) {
        if (strcmp(routes[i].path, path) != 0)
            continue;
        if (strcmp(routes[i].method, method) == 0 ||
            (strcmp(method, "HEAD") == 0 && strcmp(routes[i].method, "GET") == 0))
            return &routes[i];
        *allowed = routes[i].method;
    }
    return NULL;
}

static void reply_no_route(struct pyr_http_exchange *exchange, const struct pyr_http_request *http,
                           const char *allowed) {
    struct pyr_buf text = {0};
    if (allowed) {
        pyr_buf_printf(&text, "%s: wants %s", http->path, allowed);
        reply_error_with(exchange, 405,
                         *allowed == 'G' ? FIELDS "Allow: GET, HEAD\r\n" : FIELDS "Allow: POST\r\n",
                         text.data, NULL, NULL);
    } else {
        pyr_buf_printf(&text, "%s: there is no such path; there are", http->path);
        for (int i = 0; i < ROUTES; i++)
            pyr_buf_printf(&text, "%s %s", i ? "," : "", routes[i].path);
        reply_error(exchange, 404, text.data, NULL, NULL);
    }
    pyr_buf_deinit(&text);
}

static void handle(void *user, struct pyr_http_exchange *exchange,
                   const struct pyr_http_request *http) {
    struct pyr_openai *server = user;
    const char *key = server->config.key, *allowed;
    const struct route *route = find_route(http->method, http->path, &allowed);
    if (key && !(route && route->open) && !same_key(key, http->head->authorization))
        reply_error(exchange, 401, "the key is missing or wrong; send Authorization: Bearer KEY",
                    NULL, "invalid_api_key");
    else if (!key && is_foreign(http->head->origin))
        reply_error(exchange, 403, "pages of other sites are not served", NULL, NULL);
    else if (!route)
        reply_no_route(exchange, http, allowed);
    else
        route->answer(server, route->api, exchange, http);
}

static void gone(void *user, struct pyr_http_exchange *exchange) {
    struct pyr_openai *server = user;
    struct call *call = pyr_http_exchange_get(exchange);
    if (!call)
        return;
    bool done = atomic_load_explicit(&call->job.done, memory_order_acquire);
    call->exchange = NULL;
    if (call->prompt.api != PYR_OPENAI_TOKENIZE)
        server->totals.ends[PYR_OPENAI_GONE]++;
    if (done)
        free_call(server, call);
    else if (server->engine && !call->at_desk)
        pyr_openai_engine_cancel(server->engine, &call->job);
}

static void writable(void *user, struct pyr_http_exchange *exchange) {
    struct call *call = pyr_http_exchange_get(exchange);
    if (call && !call->at_desk)
        deliver(user, call);
}

static void woken(void *user) {
    struct pyr_openai *server = user;
    struct call *next;
    pyr_openai_engine_awake(server->engine);
    for (struct call *call = server->first; call; call = next) {
        next = call->next;
        if (!call->at_desk) {
            deliver(server, call);
        } else if (atomic_load_explicit(&call->prompt.done, memory_order_acquire)) {
            call->at_desk = false;
            go_on(server, call);
        }
    }
}

static void wake(void *user) {
    struct pyr_openai *server = user;
    pyr_http_server_wake(server->http);
}

bool pyr_openai_open(const struct pyr_openai_config *config, struct pyr_openai **result,
                     struct pyr_err *err) {
    struct pyr_openai *server = pyr_xcalloc(1, sizeof *server);
    struct pyr_serving_config serving = config->serving;
    server->config = *config;
    server->created = (uint64_t)time(NULL);
    serving.clock = &server->clock;
    serving.lane = NULL;
    serving.queue_limit = 0; /* kept here, so that a client is told at once */
    uint32_t jobs_max = config->serving.sequences + config->serving.queue_limit;
    const struct pyr_http_server_config http = {
        .host = config->host,
        .port = config->port,
        .connections_max = 2 * jobs_max + IDLE_CONNECTIONS,
        .body_max = BODY_BYTES_MAX,
        .handle = handle,
        .gone = gone,
        .writable = writable,
        .woken = woken,
        .user = server,
    };
    if (!pyr_http_server_open(&http, &server->http, err) ||
        !pyr_openai_engine_start(config->engine, config->model, config->pieces, &serving, jobs_max,
                                 wake, server, &server->engine, err)) {
        pyr_openai_close(server);
        return false;
    }
    pyr_openai_engine_describe(server->engine, &server->info);
    server->source = (struct pyr_openai_source){.engine = config->engine,
                                                .model = config->model,
                                                .pieces = config->pieces,
                                                .name = config->name,
                                                .context = server->info.tokens_per_sequence};
    if (!pyr_openai_desk_start(&server->source, wake, server, &server->desk, err)) {
        pyr_openai_close(server);
        return false;
    }
    *result = server;
    return true;
}

uint16_t pyr_openai_port(const struct pyr_openai *server) {
    return pyr_http_server_port(server->http);
}

void pyr_openai_describe(const struct pyr_openai *server, struct pyr_serving_info *info) {
    *info = server->info;
}

const struct pyr_openai_totals *pyr_openai_totals(const struct pyr_openai *server) {
    return &server->totals;
}

void pyr_openai_step(struct pyr_openai *server, uint64_t timeout_ns) {
    pyr_http_server_step(server->http, timeout_ns);
}

void pyr_openai_run(struct pyr_openai *server, const volatile sig_atomic_t *stop,
                    uint64_t drain_ns) {
    while (!*stop)
        pyr_openai_step(server, STOP_LOOK_NS);
    server->stopping = true;
    pyr_http_server_stop(server->http);
    uint64_t end_ns = pyr_now_ns(&server->clock) + drain_ns, now_ns;
    while (server->call_count > 0 && (now_ns = pyr_now_ns(&server->clock)) < end_ns)
        pyr_openai_step(server, end_ns - now_ns);
    for (struct call *call = server->first; call; call = call->next)
        if (!call->at_desk)
            pyr_openai_engine_cancel(server->engine, &call->job);
    /* Their last words, and what is queued for slow readers. */
    end_ns = pyr_now_ns(&server->clock) + PYR_NS_PER_S;
    while (pyr_http_server_connections(server->http) > 0 &&
           (now_ns = pyr_now_ns(&server->clock)) < end_ns)
        pyr_openai_step(server, end_ns - now_ns);
}

void pyr_openai_close(struct pyr_openai *server) {
    if (!server)
        return;
    pyr_openai_desk_stop(server->desk);
    pyr_openai_engine_stop(server->engine);
    server->engine = NULL;
    pyr_http_server_close(server->http);
    while (server->first)
        free_call(server, server->first);
    pyr_buf_deinit(&server->out);
    pyr_buf_deinit(&server->chances);
    pyr_free(server);
}
