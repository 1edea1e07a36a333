/* SPDX-License-Identifier: MIT */
#include "serving/openai_server.h"

#include "base/mem.h"
#include "serving/openai_answer.h"
#include "serving/openai_chances.h"
#include "serving/openai_reply.h"
#include "serving/openai_text.h"

#include <assert.h>
#include <time.h>

enum {
    WRITE_BYTES = 64 << 10,       /* of events put into one write */
    QUEUED_BYTES_MAX = 512 << 10, /* a client that reads slower waits for its tokens */
    COMPLETION_TOKENS = 16        /* OpenAI's default for /v1/completions */
};
#define STREAM_FIELDS PYR_OPENAI_FIELDS "Cache-Control: no-cache\r\n"

/* One answer to a prompt. */
struct choice {
    struct pyr_openai_job job;
    struct pyr_openai_frame frame;
    struct pyr_openai_text text;
    struct pyr_buf answer; /* text so far, of one that does not stream */
    uint32_t delivered;    /* tokens */
    uint32_t told;         /* of these, whose chances were given (when they are wanted) */
    size_t told_offset;    /* where the next of them stands in the text, in characters */
    bool echoed;           /* the prompt was given, where the answer begins with it */
    bool over;             /* all of it was given */
};

/* One request with a prompt and its answers. */
struct pyr_openai_call {
    struct pyr_openai_call *previous, *next;
    struct pyr_arena *arena;
    struct pyr_http_exchange *exchange; /* NULL: answered, or the client went away */
    struct pyr_openai_prompt prompt;
    bool at_desk; /* its prompt is not yet made */
    bool begun;   /* the head of a stream is out */
    uint64_t came_ns;
    struct choice *choices; /* (choice_count), made with the prompt */
    uint32_t choice_count;  /* 0: none yet */
};

static void count_refused(struct pyr_openai *server, unsigned status) {
    server->totals.ends[status == 429  ? PYR_OPENAI_REJECTED
                        : status < 500 ? PYR_OPENAI_INVALID
                                       : PYR_OPENAI_FAILED]++;
}

static uint32_t jobs_of(const struct pyr_openai_call *call) {
    return call->choice_count ? call->choice_count : 1;
}

static void drop_choice(struct pyr_openai *server, struct choice *choice) {
    if (choice->job.serving.grammar)
        server->config.engine->grammar_destroy(choice->job.serving.grammar);
    pyr_buf_deinit(&choice->answer);
}

static void free_call(struct pyr_openai *server, struct pyr_openai_call *call) {
    if (call->previous)
        call->previous->next = call->next;
    else
        server->first = call->next;
    if (call->next)
        call->next->previous = call->previous;
    else
        server->last = call->previous;
    assert(server->job_count >= jobs_of(call) && (server->first == NULL) == (server->last == NULL));
    server->job_count -= jobs_of(call);
    for (uint32_t i = 0; i < call->choice_count; i++)
        drop_choice(server, &call->choices[i]);
    for (uint32_t i = 0; call->prompt.grammars && i < call->prompt.request.choices; i++)
        if (call->prompt.grammars[i]) /* its answer never began */
            server->config.engine->grammar_destroy(call->prompt.grammars[i]);
    pyr_buf_deinit(&call->prompt.answer);
    pyr_arena_destroy(call->arena);
    pyr_free(call);
}

/* --- the end of an answer -------------------------------------------------------------------- */

static bool is_done(const struct choice *choice) {
    return atomic_load_explicit(&choice->job.done, memory_order_acquire);
}

/* Whether the engine has nothing more to do with it. */
static bool all_done(const struct pyr_openai_call *call) {
    for (uint32_t i = 0; i < call->choice_count; i++)
        if (!is_done(&call->choices[i]))
            return false;
    return !call->at_desk;
}

static void cancel(struct pyr_openai *server, struct pyr_openai_call *call) {
    for (uint32_t i = 0; i < call->choice_count; i++)
        if (!is_done(&call->choices[i]))
            pyr_openai_engine_cancel(server->engine, &call->choices[i].job);
}

/* By us; its step may have been given up under it. */
static bool is_cancelled(const struct pyr_openai_job *job) {
    return job->record.outcome == PYR_OUTCOME_CANCELLED ||
           (job->record.outcome == PYR_OUTCOME_ENGINE &&
            atomic_load_explicit(&job->cancelled, memory_order_relaxed));
}

/* How a request of that outcome is answered. */
static unsigned status_of(const struct pyr_openai_job *job) {
    if (is_cancelled(job))
        return 503;
    switch ((enum pyr_outcome)job->record.outcome) {
    case PYR_OUTCOME_OK:
        return 200;
    case PYR_OUTCOME_TOO_LONG:
        return 400;
    case PYR_OUTCOME_REJECTED:
        return 429;
    default:
        return 500;
    }
}

static const char *why_of(const struct pyr_openai_job *job) {
    return is_cancelled(job) ? "the server is being stopped" : job->serving.error_text;
}

static const char *finish_reason(const struct choice *choice) {
    return !choice->text.stopped && choice->delivered == choice->job.serving.output_tokens
               ? "length"
               : "stop";
}

static bool is_good(const struct choice *choice) {
    return choice->text.stopped || choice->job.record.outcome == PYR_OUTCOME_OK;
}

static struct pyr_openai_usage usage_of(const struct pyr_openai_call *call) {
    struct pyr_openai_usage usage = {.prompt_tokens = call->prompt.count};
    for (uint32_t i = 0; i < call->choice_count; i++)
        usage.output_tokens += call->choices[i].delivered;
    return usage;
}

/* --- tokens to text -------------------------------------------------------------------------- */

/* The chances of the tokens not told yet; NULL: not wanted. */
static const struct pyr_buf *take_chances(struct pyr_openai *server, struct pyr_openai_call *call,
                                          struct choice *choice) {
    uint32_t each = call->prompt.request.chances;
    if (!each)
        return NULL;
    struct pyr_openai_chances chances = {.chances = choice->job.serving.chances +
                                                    (size_t)choice->told * each,
                                         .count = choice->delivered - choice->told,
                                         .each = each,
                                         .offset = &choice->told_offset};
    choice->told = choice->delivered;
    pyr_buf_clear(&server->chances);
    pyr_openai_put_chances(choice->frame.api, server->config.pieces, &chances, &server->chances);
    return &server->chances;
}

/* Text of an answer: an event, or kept until it is whole. */
static void give_text(struct pyr_openai *server, struct pyr_openai_call *call,
                      struct choice *choice, const char *text, size_t bytes) {
    if (call->prompt.request.stream)
        pyr_openai_event_text(&choice->frame, text, bytes, take_chances(server, call, choice),
                              &server->out);
    else
        pyr_buf_append(&choice->answer, text, bytes);
}

/* Takes the job's new tokens as text: as events into server->out, at most WRITE_BYTES, or into the
 * answer. */
static void take_tokens(struct pyr_openai *server, struct pyr_openai_call *call,
                        struct choice *choice, uint32_t count) {
    const char *text;
    while (choice->delivered < count && !choice->text.stopped && server->out.length < WRITE_BYTES) {
        size_t bytes = pyr_openai_text_token(
            &choice->text, choice->job.serving.tokens[choice->delivered++], &text);
        server->totals.output_tokens++;
        if (bytes)
            give_text(server, call, choice, text, bytes);
    }
}

/* What was held back, and what is still to be told of tokens without text. */
static void give_rest(struct pyr_openai *server, struct pyr_openai_call *call,
                      struct choice *choice) {
    const struct pyr_openai_request *request = &call->prompt.request;
    const char *text;
    size_t bytes = pyr_openai_text_rest(&choice->text, &text);
    bool untold = request->chances && request->stream && choice->told < choice->delivered;
    if (bytes || untold)
        give_text(server, call, choice, text, bytes);
}

/* `echo`: the prompt is the beginning of the answer. */
static void give_prompt(struct pyr_openai *server, struct pyr_openai_call *call,
                        struct choice *choice) {
    const struct pyr_openai_request *request = &call->prompt.request;
    const struct pyr_pieces *pieces = server->config.pieces;
    struct pyr_buf text = {0};
    if (request->text)
        pyr_buf_append(&text, request->text, request->text_bytes);
    for (uint32_t i = 0; i < request->token_count; i++) {
        const uint32_t *offset = pieces->offset + request->tokens[i];
        pyr_buf_append(&text, pieces->bytes + offset[0], offset[1] - offset[0]);
    }
    give_text(server, call, choice, pyr_buf_text(&text), text.length);
    choice->echoed = true;
    pyr_buf_deinit(&text);
}

/* --- to the client --------------------------------------------------------------------------- */

static void end_call(struct pyr_openai *server, struct pyr_openai_call *call,
                     enum pyr_openai_end end) {
    server->totals.ends[end]++;
    call->exchange = NULL;
    cancel(server, call);
}

static void fail_call(struct pyr_openai *server, struct pyr_openai_call *call,
                      const struct pyr_openai_job *job) {
    unsigned status = status_of(job);
    if (call->begun) {
        pyr_openai_event_error(status, why_of(job), &server->out);
        pyr_http_write(call->exchange, server->out.data, server->out.length);
        pyr_http_end(call->exchange);
    } else {
        pyr_openai_reply_error(call->exchange, status, why_of(job), NULL, NULL);
    }
    end_call(server, call,
             call->begun || status >= 500 ? PYR_OPENAI_FAILED
             : status == 429              ? PYR_OPENAI_REJECTED
                                          : PYR_OPENAI_INVALID);
}

/* All choices are over. */
static void finish_call(struct pyr_openai *server, struct pyr_openai_call *call) {
    struct pyr_openai_usage usage = usage_of(call);
    pyr_buf_clear(&server->out);
    if (call->begun) {
        pyr_openai_event_end(&call->choices->frame,
                             call->prompt.request.include_usage ? &usage : NULL, &server->out);
        pyr_http_write(call->exchange, server->out.data, server->out.length);
        pyr_http_end(call->exchange);
    } else {
        pyr_openai_answer_begin(&call->choices->frame, &server->out);
        for (uint32_t i = 0; i < call->choice_count; i++) {
            struct choice *choice = &call->choices[i];
            pyr_openai_answer_choice(&choice->frame, pyr_buf_text(&choice->answer),
                                     choice->answer.length, take_chances(server, call, choice),
                                     finish_reason(choice), &server->out);
        }
        pyr_openai_answer_end(&usage, &server->out);
        pyr_openai_reply_json(call->exchange, 200, &server->out);
    }
    end_call(server, call, PYR_OPENAI_OK);
}

static void begin_stream(struct pyr_openai *server, struct pyr_openai_call *call) {
    call->begun = true;
    pyr_http_begin(call->exchange, 200, "text/event-stream", STREAM_FIELDS);
    for (uint32_t i = 0; i < call->choice_count; i++)
        pyr_openai_event_begin(&call->choices[i].frame, &server->out);
}

/* Gives what one choice has. False: it failed, and the call with it. */
static bool deliver_choice(struct pyr_openai *server, struct pyr_openai_call *call,
                           struct choice *choice) {
    bool done = is_done(choice), stream = call->prompt.request.stream;
    uint32_t count = atomic_load_explicit(&choice->job.token_count, memory_order_acquire);
    if (choice->over || (count == choice->delivered && !done))
        return true;
    pyr_buf_clear(&server->out);
    bool failed = done && choice->job.record.outcome != PYR_OUTCOME_OK;
    if (stream && !call->begun && !(failed && count == 0))
        begin_stream(server, call);
    if (call->prompt.request.echo && !choice->echoed)
        give_prompt(server, call, choice);
    take_tokens(server, call, choice, count);
    if (choice->text.stopped || (done && choice->delivered == count)) {
        give_rest(server, call, choice);
        if (!is_good(choice)) {
            fail_call(server, call, &choice->job);
            return false;
        }
        choice->over = true;
        if (stream)
            pyr_openai_event_finish(&choice->frame, finish_reason(choice), &server->out);
        if (!done) /* a stop string ended it before the engine knew */
            pyr_openai_engine_cancel(server->engine, &choice->job);
    }
    if (stream && server->out.length)
        pyr_http_write(call->exchange, server->out.data, server->out.length);
    return true;
}

static bool is_full(const struct pyr_openai_call *call) {
    return call->begun && pyr_http_queued(call->exchange) > QUEUED_BYTES_MAX;
}

/* A round of all choices. False: for now there is no more to give. */
static bool deliver_some(struct pyr_openai *server, struct pyr_openai_call *call) {
    bool over = true, more = false;
    if (is_full(call))
        return false; /* `writable` goes on */
    for (uint32_t i = 0; i < call->choice_count; i++) {
        struct choice *choice = &call->choices[i];
        if (is_full(call))
            return true; /* what was kept for one send goes out first */
        if (!deliver_choice(server, call, choice))
            return false;
        over = over && choice->over;
        more = more || (!choice->over && choice->delivered < choice->job.token_count);
    }
    if (over)
        finish_call(server, call);
    return more && !over;
}

/* Gives a client what its jobs have, in as few sends as may be. */
static void deliver(struct pyr_openai *server, struct pyr_openai_call *call) {
    struct pyr_http_exchange *exchange = call->exchange;
    for (bool more = exchange; more;) {
        pyr_http_cork(exchange);
        more = deliver_some(server, call);
        pyr_http_uncork(exchange);
    }
    if (!call->exchange && all_done(call))
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

/* How many tokens there may be; 0: too many were asked for. */
static uint32_t choose_length(const struct pyr_openai *server, struct pyr_openai_prompt *prompt) {
    uint32_t context = server->info.tokens_per_sequence, wanted = prompt->request.output_tokens;
    /* The last output token needs no place. */
    uint32_t left = prompt->count <= context ? context - prompt->count + 1 : 0;
    if (wanted == 0)
        wanted =
            prompt->api == PYR_OPENAI_CHAT || left < COMPLETION_TOKENS ? left : COMPLETION_TOKENS;
    if (left > 0 && wanted <= left)
        return wanted;
    pyr_fail(&prompt->why, PYR_E_INPUT,
             "%u prompt and %u output tokens do not fit a context of %u; ask for less",
             prompt->count, wanted, context);
    refuse(prompt, 400, "max_tokens", "context_length_exceeded");
    return 0;
}

/* `more`: answers beyond those under way. */
static bool has_room(const struct pyr_openai *server, uint32_t more,
                     struct pyr_openai_prompt *refusal) {
    uint64_t most = (uint64_t)server->info.sequences + server->config.serving.queue_limit;
    if (server->stopping) {
        pyr_fail(&refusal->why, PYR_E_IO, "the server is being stopped");
        return refuse(refusal, 503, NULL, NULL);
    }
    if (server->job_count + (uint64_t)more <= most)
        return true;
    pyr_fail(&refusal->why, PYR_E_IO, "%u requests are being served and %u wait: try again later",
             server->info.sequences, server->config.serving.queue_limit);
    return refuse(refusal, 429, NULL, "queue_full");
}

static bool check_choices(const struct pyr_openai *server, struct pyr_openai_prompt *prompt) {
    uint64_t most = (uint64_t)server->info.sequences + server->config.serving.queue_limit;
    if (prompt->request.choices == 1)
        return true; /* its room was there when it came */
    if (prompt->request.choices <= most)
        return has_room(server, prompt->request.choices - 1, prompt);
    pyr_fail(&prompt->why, PYR_E_INPUT, "n: at most %llu are served at once",
             (unsigned long long)most);
    return refuse(prompt, 400, "n", NULL);
}

/* What the engine is asked for. */
static void fill_job(struct pyr_openai *server, struct pyr_openai_call *call, struct choice *choice,
                     uint32_t index) {
    const struct pyr_openai_request *request = &call->prompt.request;
    struct pyr_serving_request *serving = &choice->job.serving;
    choice->job.record.sent_ns = call->came_ns;
    pyr_openai_text_init(&choice->text, call->arena, server->config.pieces, request->stops,
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
        serving->sampling.seed = pyr_mix64(server->config.serving.seed + server->next_id);
    if (index) /* the first is what n = 1 gives */
        serving->sampling.seed = pyr_mix64(serving->sampling.seed + index);
    serving->cancel_after_ns = serving->first_token_ns = PYR_NEVER;
    serving->between_tokens_ns = serving->total_ns = PYR_NEVER;
}

static void take_grammars(struct pyr_openai_call *call) {
    for (uint32_t i = 0; call->prompt.grammars && i < call->choice_count; i++) {
        call->choices[i].job.serving.grammar = call->prompt.grammars[i];
        call->prompt.grammars[i] = NULL;
    }
}

static void submit(struct pyr_openai *server, struct pyr_openai_call *call,
                   uint32_t output_tokens) {
    const struct pyr_openai_request *request = &call->prompt.request;
    uint64_t id = pyr_mix64(server->created + (server->next_id << 32));
    uint64_t now_s = (uint64_t)time(NULL);
    call->choices = pyr_arena_array(call->arena, request->choices, sizeof *call->choices);
    call->choice_count = request->choices;
    server->job_count += request->choices - 1;
    for (uint32_t i = 0; i < call->choice_count; i++) {
        struct choice *choice = &call->choices[i];
        *choice = (struct choice){.job.serving.output_tokens = output_tokens};
        pyr_openai_frame_init(&choice->frame, call->arena, call->prompt.api, request->stream, i, id,
                              now_s, server->config.name);
        fill_job(server, call, choice, i);
    }
    take_grammars(call);
    server->next_id++;
    server->totals.prompt_tokens += call->prompt.count;
    for (uint32_t i = 0; i < call->choice_count; i++)
        pyr_openai_engine_submit(server->engine, &call->choices[i].job);
}

/* The prompt is made, or refused: on to the engine, or to the answer. */
static void go_on(struct pyr_openai *server, struct pyr_openai_call *call) {
    struct pyr_openai_prompt *prompt = &call->prompt;
    bool generates = prompt->api != PYR_OPENAI_TOKENIZE;
    bool fine = call->exchange && prompt->status == 0;
    uint32_t output_tokens = 0;
    if (fine && generates)
        fine =
            check_choices(server, prompt) && (output_tokens = choose_length(server, prompt)) != 0;
    if (fine && generates) {
        submit(server, call, output_tokens);
        return;
    }
    if (fine) {
        pyr_openai_reply_json(call->exchange, 200, &prompt->answer);
    } else if (call->exchange) {
        pyr_openai_reply_error(call->exchange, prompt->status, prompt->why.text, prompt->param,
                               prompt->code);
        if (generates)
            count_refused(server, prompt->status);
    }
    free_call(server, call);
}

static struct pyr_openai_call *make_call(struct pyr_openai *server,
                                         struct pyr_http_exchange *exchange) {
    struct pyr_openai_call *call = pyr_xcalloc(1, sizeof *call);
    call->arena = pyr_arena_create();
    call->came_ns = pyr_now_ns(&server->clock);
    call->exchange = exchange;
    pyr_http_exchange_set(exchange, call);
    call->previous = server->last;
    if (server->last)
        server->last->next = call;
    else
        server->first = call;
    server->last = call;
    server->job_count++;
    return call;
}

void pyr_openai_take(struct pyr_openai *server, enum pyr_openai_api api,
                     struct pyr_http_exchange *exchange, const struct pyr_http_request *http) {
    struct pyr_openai_prompt refusal = {0};
    bool is_long = http->body_bytes > PYR_OPENAI_LONG_BYTES;
    if ((is_long || api != PYR_OPENAI_TOKENIZE) && !has_room(server, 1, &refusal)) {
        pyr_openai_reply_error(exchange, refusal.status, refusal.why.text, refusal.param,
                               refusal.code);
        if (api != PYR_OPENAI_TOKENIZE)
            count_refused(server, refusal.status);
        return;
    }
    struct pyr_openai_call *call = make_call(server, exchange);
    struct pyr_openai_prompt *prompt = &call->prompt;
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
    if (pyr_openai_prompt_wants_desk(prompt)) {
        call->at_desk = true;
        pyr_openai_desk_give(server->desk, prompt);
        return;
    }
    go_on(server, call);
}

/* --- what happens to them -------------------------------------------------------------------- */

void pyr_openai_go_on(struct pyr_openai *server) {
    struct pyr_openai_call *next;
    for (struct pyr_openai_call *call = server->first; call; call = next) {
        next = call->next;
        if (!call->at_desk) {
            deliver(server, call);
        } else if (atomic_load_explicit(&call->prompt.done, memory_order_acquire)) {
            call->at_desk = false;
            go_on(server, call);
        }
    }
}

/* Whether the engine has anything in hands that a client waits for. */
static bool any_wanted(const struct pyr_openai *server) {
    for (const struct pyr_openai_call *call = server->first; call; call = call->next)
        if (call->exchange && call->choice_count > 0 && !all_done(call))
            return true;
    return false;
}

void pyr_openai_gone(struct pyr_openai *server, struct pyr_http_exchange *exchange) {
    struct pyr_openai_call *call = pyr_http_exchange_get(exchange);
    if (!call)
        return;
    call->exchange = NULL;
    if (call->prompt.api != PYR_OPENAI_TOKENIZE)
        server->totals.ends[PYR_OPENAI_GONE]++;
    if (all_done(call)) {
        free_call(server, call);
    } else if (server->engine) {
        cancel(server, call);
        if (!any_wanted(server))
            pyr_openai_engine_interrupt(server->engine);
    }
}

void pyr_openai_writable(struct pyr_openai *server, struct pyr_http_exchange *exchange) {
    struct pyr_openai_call *call = pyr_http_exchange_get(exchange);
    if (call && !call->at_desk)
        deliver(server, call);
}

void pyr_openai_count(const struct pyr_openai *server, uint32_t *running, uint32_t *waiting) {
    uint32_t at_desk = 0, open = 0;
    for (const struct pyr_openai_call *call = server->first; call; call = call->next) {
        at_desk += call->at_desk;
        for (uint32_t i = 0; i < call->choice_count; i++)
            open += !is_done(&call->choices[i]);
    }
    *running = open < server->info.sequences ? open : server->info.sequences;
    *waiting = open - *running + at_desk;
}

void pyr_openai_break_off(struct pyr_openai *server) {
    for (struct pyr_openai_call *call = server->first; call; call = call->next)
        cancel(server, call);
    pyr_openai_engine_interrupt(server->engine);
}

void pyr_openai_drop_calls(struct pyr_openai *server) {
    while (server->first)
        free_call(server, server->first);
}
