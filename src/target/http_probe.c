/* SPDX-License-Identifier: MIT
 *
 * What can be found out about a server before the start: whether it answers, which models it has,
 * whether it counts tokens, and which of the fields that fix an output's length it understands.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "codec/delta.h"
#include "codec/escape.h"
#include "codec/sse.h"
#include "net/http_fetch.h"
#include "target/http_options.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { PROBE_TOKENS = 4, HOLD_BYTES = 65536 };
/* A server that hangs up does it at once: this is for one that waits for a processor. */
#define LINGER_NS (100 * PYR_NS_PER_MS)

static void add_line(struct pyr_buf *lines, const char *text) {
    if (lines->length)
        pyr_buf_putc(lines, '\n');
    pyr_buf_puts(lines, text);
}

static bool get(struct http_target *target, const char *path, struct pyr_fetched *fetched,
                struct pyr_err *err) {
    struct pyr_fetch fetch = {.path = path, .headers = pyr_buf_text(&target->options.headers)};
    return pyr_http_fetch(&target->endpoints[0], &fetch, fetched, err);
}

static bool post(struct http_target *target, const char *path, const char *body, uint64_t linger_ns,
                 struct pyr_fetched *fetched, struct pyr_err *err) {
    struct pyr_fetch fetch = {.path = path,
                              .headers = pyr_buf_text(&target->options.headers),
                              .body = body,
                              .body_bytes = strlen(body),
                              .linger_ns = linger_ns,
                              .timeout_ns = 60 * PYR_NS_PER_S};
    return pyr_http_fetch(&target->endpoints[0], &fetch, fetched, err);
}

static bool is_json(const struct pyr_fetched *fetched) {
    return strncasecmp(fetched->content_type, "application/json", 16) == 0;
}

/* The endpoint's host without its base path. */
static void origin(const struct http_target *target, char *text, size_t size) {
    const struct pyr_endpoint *endpoint = &target->endpoints[0];
    if (endpoint->url.unix_socket)
        snprintf(text, size, "unix:%s:", endpoint->url.socket_path);
    else
        snprintf(text, size, "%s%s", endpoint->url.tls ? "https://" : "http://",
                 endpoint->authority);
}

/* --- is it there, and where ------------------------------------------------------------------ */

/* Starts the server, when nothing is there that would be taken for it. */
static bool launch(struct http_target *target, const char *path, struct pyr_err *err) {
    struct pyr_fetched fetched;
    if (!target->options.launch)
        return true;
    bool taken = get(target, path, &fetched, NULL) || fetched.failure != PYR_CONN_REFUSED;
    pyr_buf_deinit(&fetched.body);
    if (taken)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: something answers there before the server is launched; end it, choose "
                        "another port, or leave out the launch",
                        target->endpoints[0].text);
    return pyr_launch_start(target->options.launch, &target->launched, err);
}

/* What a server that is starting does: refuses, resets, says that it is not ready. */
static bool is_starting(const struct pyr_fetched *fetched, bool answered) {
    if (answered)
        return fetched->status == 503 || fetched->status == 502;
    return fetched->failure == PYR_CONN_REFUSED || fetched->failure == PYR_CONN_RESET ||
           fetched->failure == PYR_CONN_TIMEOUT;
}

static bool fail_not_ready(struct http_target *target, const struct pyr_fetched *fetched,
                           struct pyr_err *err) {
    char words[200];
    if (!target->launched.pid)
        return fetched->failure == PYR_CONN_REFUSED
                   ? pyr_err_prefix(err, "the server does not answer (is it running?)")
                   : false;
    pyr_launch_last_words(&target->launched, words, sizeof words);
    return pyr_fail(err, PYR_E_IO,
                    "%s: the launched server does not answer after %.1f s (--wait-ready TIME waits "
                    "longer)%s%s",
                    target->endpoints[0].text, (double)target->ready_ns / 1e9,
                    words[0] ? "; its last words: " : "", words);
}

static void note_launch(struct http_target *target) {
    char text[100];
    snprintf(text, sizeof text, "The server was launched for this run and answered after %.3g s.",
             (double)target->ready_ns / 1e9);
    add_line(&target->notes, text);
}

static bool wait_ready(struct http_target *target, const char *path, struct pyr_fetched *fetched,
                       struct pyr_err *err) {
    char how[300];
    uint64_t start_ns = target->launched.pid ? target->launched.started_ns : pyr_clock_real_ns();
    for (;;) {
        bool answered = get(target, path, fetched, err);
        target->ready_ns = pyr_clock_real_ns() - start_ns;
        if (target->launched.pid && !pyr_launch_is_alive(&target->launched, how, sizeof how))
            return pyr_fail(err, PYR_E_IO, "the launched server ended before it was ready, %s",
                            how);
        if (!is_starting(fetched, answered)) {
            if (target->launched.pid && answered)
                note_launch(target);
            return answered;
        }
        if (target->ready_ns >= target->options.wait_ready_ns)
            return answered || fail_not_ready(target, fetched, err);
        pyr_buf_deinit(&fetched->body);
        /* Short beside any server's start, and no load on it. A signal ends the wait. */
        struct timespec pause = {.tv_nsec = target->launched.pid ? 20000000 : 250000000};
        if (nanosleep(&pause, NULL) != 0)
            return pyr_fail(err, PYR_E_INTERRUPTED,
                            "%s: ended by a signal while waiting for the server",
                            target->endpoints[0].text);
    }
}

/* The base paths under which servers are met; the first that lists models is named in the error. */
static bool fail_path(struct http_target *target, const char *path, struct pyr_err *err) {
    static const char *const candidates[] = {"/v1", "", "/api/v1", "/openai/v1", "/api"};
    char host[600];
    origin(target, host, sizeof host);
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        struct pyr_fetched fetched;
        char other[300];
        snprintf(other, sizeof other, "%s/models", candidates[i]);
        bool there =
            get(target, other, &fetched, NULL) && fetched.status == 200 && is_json(&fetched);
        pyr_buf_deinit(&fetched.body);
        if (there)
            return pyr_fail(err, PYR_E_INPUT,
                            "%s%s: no such path (404); this server's API is at %s%s", host, path,
                            host, candidates[i]);
    }
    return pyr_fail(err, PYR_E_INPUT,
                    "%s%s: no such path (404), and none of /v1, /api/v1, /openai/v1, /api or / "
                    "has /models; name the API's base path, as in %s/v1",
                    host, path, host);
}

static bool fail_key(struct http_target *target, unsigned status, struct pyr_err *err) {
    char host[600];
    origin(target, host, sizeof host);
    return pyr_fail(err, PYR_E_INPUT,
                    "%s: the server refuses the key or wants one (HTTP %u); put it into a file and "
                    "name that with api_key_file, or set OPENAI_API_KEY",
                    host, status);
}

/* --- which models ---------------------------------------------------------------------------- */

static bool choose_model(struct http_target *target, json_t *list, struct pyr_err *err) {
    struct pyr_http_options *options = &target->options;
    struct pyr_buf names = {0};
    size_t index;
    json_t *one;
    bool found = false;
    const char *first = NULL;
    json_array_foreach(list, index, one) {
        const char *id = json_string_value(json_object_get(one, "id"));
        const char *owner = json_string_value(json_object_get(one, "owned_by"));
        if (!id)
            continue;
        if (!first) {
            first = id;
            snprintf(target->owner, sizeof target->owner, "%s", owner ? owner : "");
        }
        found |= strcmp(id, options->model) == 0;
        if (index < 20)
            pyr_buf_printf(&names, "%s%s", index ? ", " : "", id);
    }
    bool good = true;
    if (options->model[0] && !found && first)
        good = pyr_fail(err, PYR_E_INPUT, "model %s is not served here; this server has: %s",
                        options->model, pyr_buf_text(&names));
    else if (!options->model[0] && first && json_array_size(list) == 1)
        snprintf(options->model, sizeof options->model, "%s", first);
    else if (!options->model[0] && first)
        good =
            pyr_fail(err, PYR_E_USAGE, "the server has several models; choose one with --model: %s",
                     pyr_buf_text(&names));
    pyr_buf_deinit(&names);
    return good;
}

static bool read_models(struct http_target *target, const char *path,
                        const struct pyr_fetched *fetched, struct pyr_err *err) {
    unsigned status = fetched->status;
    if (status == 401 || status == 403)
        return fail_key(target, status, err);
    if (status == 404)
        return fail_path(target, path, err);
    if (status == 200 && strncasecmp(fetched->content_type, "text/html", 9) == 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: answers with a web page, not an API; check host and port, and the "
                        "proxies in the environment",
                        target->endpoints[0].text);
    json_t *root = status == 200
                       ? json_loadb(pyr_buf_text(&fetched->body), fetched->body.length, 0, NULL)
                       : NULL;
    json_t *list = json_object_get(root, "data");
    bool good = true;
    if (json_is_array(list))
        good = choose_model(target, list, err);
    else
        add_line(&target->notes, "The server lists no models: the model's name is not checked.");
    json_decref(root);
    return good;
}

static bool find_models(struct http_target *target, struct pyr_err *err) {
    char path[512];
    /* A URL without a path means the usual one. */
    if (!target->base_paths[0][0])
        for (unsigned i = 0; i < target->endpoint_count; i++)
            if (!target->base_paths[i][0])
                snprintf(target->base_paths[i], sizeof target->base_paths[i], "/v1");
    snprintf(path, sizeof path, "%s/models", target->base_paths[0]);
    struct pyr_fetched fetched = {0};
    bool good = launch(target, path, err) && wait_ready(target, path, &fetched, err);
    if (good) {
        target->http2 = fetched.http2;
        snprintf(target->software, sizeof target->software, "%s", fetched.server);
        good = read_models(target, path, &fetched, err);
    }
    pyr_buf_deinit(&fetched.body);
    if (good && !target->options.model[0])
        return pyr_fail(err, PYR_E_USAGE, "%s: name the model with --model", target->spec);
    return good;
}

/* --- counting tokens ------------------------------------------------------------------------- */

static int64_t count_by(struct http_target *target, const char *path, bool llama, const char *text,
                        size_t bytes) {
    struct pyr_buf body = {0};
    pyr_buf_puts(&body, "{\"model\":");
    pyr_quote_json(&body, target->options.model);
    pyr_buf_puts(&body, llama ? ",\"content\":\"" : ",\"prompt\":\"");
    pyr_escape_json(&body, text, bytes);
    /* With the begin token, which is part of the prompt; llama-server leaves it out by default. */
    pyr_buf_puts(&body, llama ? "\",\"add_special\":true}" : "\"}");
    struct pyr_fetched fetched = {0};
    bool answered = post(target, path, body.data, 0, &fetched, NULL);
    pyr_buf_deinit(&body);
    json_t *root = answered && fetched.status == 200
                       ? json_loadb(pyr_buf_text(&fetched.body), fetched.body.length, 0, NULL)
                       : NULL;
    json_t *count = json_object_get(root, "count"), *tokens = json_object_get(root, "tokens");
    int64_t result = json_is_integer(count)  ? (int64_t)json_integer_value(count)
                     : json_is_array(tokens) ? (int64_t)json_array_size(tokens)
                                             : -1;
    json_decref(root);
    pyr_buf_deinit(&fetched.body);
    return result;
}

static void find_tokenizer(struct http_target *target) {
    const char *base = target->base_paths[0];
    size_t length = strlen(base), root = length;
    if (length >= 3 && strcmp(base + length - 3, "/v1") == 0)
        root = length - 3;
    snprintf(target->tokenize_path, sizeof target->tokenize_path, "%.*s/tokenize", (int)root, base);
    for (int llama = 0; llama < 2; llama++) {
        target->tokenize_llama = llama;
        if (count_by(target, target->tokenize_path, llama, "one two three", 13) > 0)
            return;
    }
    target->tokenize_path[0] = '\0';
}

int64_t pyr_http_count_tokens(struct http_target *target, const char *text, size_t bytes) {
    if (!target->tokenize_path[0])
        return -1;
    return count_by(target, target->tokenize_path, target->tokenize_llama, text, bytes);
}

/* --- the dialect ----------------------------------------------------------------------------- */

struct verdict {
    unsigned status;
    bool usage, answered, hung_up;
    uint32_t tokens; /* by usage, else events with text */
    char message[400];
};

static void read_event(const char *json, size_t bytes, struct verdict *verdict) {
    struct pyr_delta_layout layout = {0};
    struct pyr_text_sink sink = {.hash = PYR_FNV1A64_INIT};
    struct pyr_delta delta;
    if (pyr_delta_read(&layout, json, bytes, &delta, &sink) != PYR_DELTA_JSON)
        return;
    if (delta.usage && (delta.usage_output_tokens || !delta.choices)) {
        verdict->usage = true;
        verdict->tokens = delta.usage_output_tokens;
    } else if (!verdict->usage && delta.content_bytes + delta.reasoning_bytes) {
        verdict->tokens++;
    }
    if (delta.error_text)
        snprintf(verdict->message, sizeof verdict->message, "%.*s",
                 delta.error_text_bytes < 399 ? (int)delta.error_text_bytes : 399,
                 delta.error_text);
}

static void read_answer(const struct pyr_fetched *fetched, struct verdict *verdict) {
    verdict->status = fetched->status;
    verdict->hung_up = fetched->hung_up;
    const char *text = pyr_buf_text(&fetched->body);
    if (strncasecmp(fetched->content_type, "text/event-stream", 17) != 0) {
        read_event(text, fetched->body.length, verdict);
        return;
    }
    char *hold = pyr_xcalloc(1, HOLD_BYTES);
    struct pyr_sse sse;
    pyr_sse_init(&sse, hold, HOLD_BYTES);
    pyr_sse_feed(&sse, text, fetched->body.length);
    while (pyr_sse_next(&sse) == PYR_SSE_EVENT)
        read_event(sse.data, sse.data_bytes, verdict);
    pyr_free(hold);
}

/* One tiny request with the options as they are now. False when the server did not answer. */
static bool try_once(struct http_target *target, struct verdict *verdict, struct pyr_err *err) {
    static const char prompt[] = "Count: one two three";
    struct pyr_slot slot = {.prompt = {.text = prompt, .text_bytes = sizeof prompt - 1},
                            .output_tokens = PROBE_TOKENS,
                            .exact_output = true,
                            .seed = 1};
    struct pyr_http_writer writer;
    struct pyr_buf request = {0};
    pyr_http_writer_prepare(target);
    pyr_http_writer_init(&writer, target, 0, &slot);
    char piece[512];
    for (size_t count; (count = pyr_http_writer_fill(&writer, piece, sizeof piece)) > 0;)
        pyr_buf_append(&request, piece, count);
    char path[512];
    snprintf(path, sizeof path, "%s%s", target->base_paths[0],
             pyr_http_api_path(target->options.api));
    struct pyr_fetched fetched = {0};
    *verdict = (struct verdict){0};
    verdict->answered = post(target, path, strstr(pyr_buf_text(&request), "\r\n\r\n") + 4,
                             LINGER_NS, &fetched, err);
    if (verdict->answered)
        read_answer(&fetched, verdict);
    pyr_buf_deinit(&fetched.body);
    pyr_buf_deinit(&request);
    return verdict->answered;
}

static bool is_refusal(const struct verdict *verdict) {
    return verdict->status == 400 || verdict->status == 422;
}

static void note_dialect(struct http_target *target, const struct verdict *verdict) {
    const struct pyr_http_options *options = &target->options;
    const char *fields = options->sends_ignore_eos && options->sends_min_tokens
                             ? "ignore_eos and min_tokens"
                         : options->sends_ignore_eos ? "ignore_eos"
                         : options->sends_min_tokens ? "min_tokens"
                                                     : NULL;
    bool exact = fields && verdict->tokens == PROBE_TOKENS;
    char text[300];
    if (!fields)
        snprintf(text, sizeof text,
                 "The server refuses ignore_eos and min_tokens: outputs may end before the asked "
                 "length.");
    else if (exact)
        snprintf(text, sizeof text, "Exact output lengths: by %s (asked %d tokens, got %u).",
                 fields, PROBE_TOKENS, verdict->tokens);
    else
        snprintf(text, sizeof text,
                 "%s is accepted but not honoured (asked %d tokens, got %u): outputs may end "
                 "before the asked length.",
                 fields, PROBE_TOKENS, verdict->tokens);
    add_line(exact ? &target->notes : &target->cautions, text);
    if (options->stream && !verdict->usage)
        add_line(&target->cautions,
                 "The server reports no token counts for a stream: output tokens are the "
                 "events with text.");
}

/* From the fullest request down to the plainest, until one is taken. */
static bool find_dialect(struct http_target *target, struct pyr_err *err) {
    struct pyr_http_options *options = &target->options;
    struct verdict verdict;
    bool named = options->max_tokens_field[0];
    for (int attempt = 0; attempt < 10; attempt++) {
        static const struct {
            bool ignore_eos, min_tokens;
        } steps[] = {{true, true}, {true, false}, {false, true}, {false, false}};
        if (!named && attempt % 5 == 0)
            snprintf(options->max_tokens_field, sizeof options->max_tokens_field, "%s",
                     attempt < 5 ? "max_tokens" : "max_completion_tokens");
        int step = attempt % 5 < 3 ? attempt % 5 : 3;
        options->sends_ignore_eos = steps[step].ignore_eos;
        options->sends_min_tokens = steps[step].min_tokens;
        options->sends_usage = attempt % 5 < 4; /* the fifth also goes without stream_options */
        if (!try_once(target, &verdict, err))
            return pyr_err_prefix(err, "first request");
        if (!is_refusal(&verdict))
            break;
    }
    if (verdict.status == 200) {
        note_dialect(target, &verdict);
        options->hangs_up = verdict.hung_up;
        if (verdict.hung_up)
            add_line(&target->notes,
                     "The server closes the connection after each answer, although it says "
                     "that it would keep it: every request has one of its own.");
        return true;
    }
    if (verdict.status == 401 || verdict.status == 403)
        return fail_key(target, verdict.status, err);
    if (verdict.status == 429 || verdict.status >= 500) {
        add_line(&target->cautions,
                 "The server was busy or failing when it was asked for its dialect: nothing is "
                 "known about exact output lengths.");
        return true;
    }
    return pyr_fail(err, PYR_E_INPUT, "%s%s: the server refuses a plain request (HTTP %u%s%s)",
                    target->endpoints[0].text, pyr_http_api_path(options->api), verdict.status,
                    verdict.message[0] ? ": " : "", verdict.message);
}

bool pyr_http_probe(struct http_target *target, struct pyr_err *err) {
    if (!find_models(target, err))
        return false;
    if (!target->options.max_tokens_field[0] && !target->options.probe)
        memcpy(target->options.max_tokens_field, "max_tokens", sizeof "max_tokens");
    find_tokenizer(target);
    if (target->options.api == PYR_HTTP_EMBEDDINGS)
        return true;
    if (target->options.probe)
        return find_dialect(target, err);
    target->options.sends_ignore_eos = target->options.sends_min_tokens = true;
    add_line(&target->notes,
             "The server's dialect was not looked for: ignore_eos and min_tokens are sent where "
             "an exact output length is asked.");
    return true;
}
