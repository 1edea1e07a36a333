/* SPDX-License-Identifier: MIT
 *
 * What can be found out about a server before the start: whether it counts tokens, and which of the
 * fields that fix an output's length it understands. (Whether it is there: http_models.c.)
 */
#include "target/http_probe.h"

#include "base/hash.h"
#include "base/mem.h"
#include "codec/delta.h"
#include "codec/escape.h"
#include "codec/sse.h"
#include "target/http_words.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PROBE_TOKENS = 4, HOLD_BYTES = 65536 };
/* A server that hangs up does it at once: this is for one that waits for a processor. */
#define LINGER_NS (100 * PYR_NS_PER_MS)
/* A large model may take so long to its first answer. */
#define FIRST_ANSWER_NS (60 * PYR_NS_PER_S)

/* --- counting tokens ------------------------------------------------------------------------- */

/* How a text is put to /tokenize. */
static void write_question(const struct http_target *target, enum pyr_tokenize_shape shape,
                           const char *text, size_t bytes, struct pyr_buf *body) {
    static const char *const before[] = {[PYR_TOKENIZE_PROMPT] = ",\"prompt\":\"",
                                         [PYR_TOKENIZE_CONTENT] = ",\"content\":\"",
                                         [PYR_TOKENIZE_MESSAGES] =
                                             ",\"messages\":[{\"role\":\"user\",\"content\":\""};
    /* With the begin token, which is part of the prompt; llama-server leaves it out by default. */
    static const char *const behind[] = {[PYR_TOKENIZE_PROMPT] = "\"}",
                                         [PYR_TOKENIZE_CONTENT] = "\",\"add_special\":true}",
                                         [PYR_TOKENIZE_MESSAGES] = "\"}]}"};
    pyr_buf_puts(body, "{\"model\":");
    pyr_quote_json(body, target->options.model);
    pyr_buf_puts(body, before[shape]);
    pyr_escape_json(body, text, bytes);
    pyr_buf_puts(body, behind[shape]);
}

/* What the server answers to a body, NULL where it is no JSON of status 200. */
static json_t *ask(struct http_target *target, const char *path, const struct pyr_buf *body,
                   bool *timed_out) {
    struct pyr_fetched fetched = {0};
    uint64_t limit_ns = target->options.answer_timeout_ns;
    const struct pyr_fetch fetch = {.path = path,
                                    .body = body->data,
                                    .timeout_ns =
                                        limit_ns && limit_ns < PYR_FETCH_TIMEOUT_NS ? limit_ns : 0};
    bool answered = pyr_http_post(target, &fetch, &fetched, NULL);
    *timed_out = fetched.failure == PYR_CONN_TIMEOUT;
    json_t *root = answered && fetched.status == 200
                       ? json_loadb(pyr_buf_text(&fetched.body), fetched.body.length, 0, NULL)
                       : NULL;
    pyr_buf_deinit(&fetched.body);
    return root;
}

static int64_t count_by(struct http_target *target, enum pyr_tokenize_shape shape, const char *text,
                        size_t bytes, bool *timed_out) {
    struct pyr_buf body = {0};
    write_question(target, shape, text, bytes, &body);
    json_t *root = ask(target, target->tokenize_path, &body, timed_out);
    pyr_buf_deinit(&body);
    json_t *count = json_object_get(root, "count"), *tokens = json_object_get(root, "tokens");
    int64_t result = json_is_integer(count)  ? (int64_t)json_integer_value(count)
                     : json_is_array(tokens) ? (int64_t)json_array_size(tokens)
                                             : -1;
    json_decref(root);
    return result;
}

/* llama-server writes a chat out as text: what stands before and behind the prompt there is kept,
 * so that a text can be counted between them. How it melts into them is then in the count. */
static bool read_template(struct http_target *target, const char *text, size_t bytes) {
    char path[96];
    bool timed_out;
    struct pyr_buf body = {0};
    size_t root_bytes = strlen(target->tokenize_path) - strlen("/tokenize");
    snprintf(path, sizeof path, "%.*s/apply-template", (int)root_bytes, target->tokenize_path);
    write_question(target, PYR_TOKENIZE_MESSAGES, text, bytes, &body);
    json_t *root = ask(target, path, &body, &timed_out);
    pyr_buf_deinit(&body);
    const char *prompt = json_string_value(json_object_get(root, "prompt"));
    const char *at = prompt ? strstr(prompt, text) : NULL;
    if (at) {
        pyr_buf_append(&target->before_text, prompt, (size_t)(at - prompt));
        pyr_buf_puts(&target->behind_text, at + bytes);
    }
    json_decref(root);
    return at != NULL;
}

static int64_t count_templated(struct http_target *target, const char *text, size_t bytes,
                               bool *timed_out) {
    struct pyr_buf whole = {0};
    pyr_buf_append(&whole, target->before_text.data, target->before_text.length);
    pyr_buf_append(&whole, text, bytes);
    pyr_buf_append(&whole, target->behind_text.data, target->behind_text.length);
    int64_t count = count_by(target, PYR_TOKENIZE_CONTENT, whole.data, whole.length, timed_out);
    pyr_buf_deinit(&whole);
    return count;
}

static int64_t count_framed(struct http_target *target, enum pyr_framing framing, const char *text,
                            size_t bytes) {
    bool timed_out;
    if (framing == PYR_FRAMING_TEMPLATE)
        return count_templated(target, text, bytes, &timed_out);
    if (framing == PYR_FRAMING_MESSAGES)
        return count_by(target, PYR_TOKENIZE_MESSAGES, text, bytes, &timed_out);
    int64_t count = count_by(target, target->tokenize_shape, text, bytes, &timed_out);
    return count < 0 ? count : count + target->framing_tokens;
}

static void find_tokenizer(struct http_target *target) {
    const char *base = target->base_paths[0];
    size_t length = strlen(base), root = length;
    if (length >= 3 && strcmp(base + length - 3, "/v1") == 0)
        root = length - 3;
    snprintf(target->tokenize_path, sizeof target->tokenize_path, "%.*s/tokenize", (int)root, base);
    static const enum pyr_tokenize_shape shapes[] = {PYR_TOKENIZE_PROMPT, PYR_TOKENIZE_CONTENT};
    bool timed_out = false;
    for (int i = 0; i < 2 && !timed_out; i++) {
        target->tokenize_shape = shapes[i];
        if (count_by(target, shapes[i], "one two three", 13, &timed_out) > 0)
            return;
    }
    target->tokenize_path[0] = '\0';
}

/* --- the dialect ----------------------------------------------------------------------------- */

struct verdict {
    unsigned status;
    bool usage, hung_up;
    uint32_t tokens;        /* by usage, else events with text */
    uint32_t prompt_tokens; /* by usage; 0: it does not say */
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
        verdict->prompt_tokens = delta.usage_prompt_tokens;
    } else if (!verdict->usage && delta.content_bytes + delta.reasoning_bytes) {
        verdict->tokens++;
    }
    if (delta.error_text)
        pyr_http_words_decoded(delta.error_text, delta.error_text_bytes, verdict->message,
                               sizeof verdict->message);
}

static void read_answer(const struct pyr_fetched *fetched, struct verdict *verdict) {
    verdict->status = fetched->status;
    verdict->hung_up = fetched->hung_up;
    const char *text = pyr_buf_text(&fetched->body);
    if (strncasecmp(fetched->content_type, "text/event-stream", 17) != 0) {
        read_event(text, fetched->body.length, verdict);
        if (!verdict->message[0])
            pyr_http_words_body(text, fetched->body.length, verdict->message,
                                sizeof verdict->message);
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

/* Plain words as prompts are made of: how a text begins decides whether it melts into a template.
 */
static const char probe_prompt[] = "count one two three";

/* One small request with the options as they are now. False when the server did not answer, or
 * with what no measurement can be made of. */
static bool try_once(struct http_target *target, const char *text, size_t bytes,
                     struct verdict *verdict, struct pyr_err *err) {
    struct pyr_slot slot = {.prompt = {.text = text, .text_bytes = bytes},
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
    uint64_t limit_ns = target->options.answer_timeout_ns;
    const struct pyr_fetch fetch = {.path = path,
                                    .body = strstr(pyr_buf_text(&request), "\r\n\r\n") + 4,
                                    .linger_ns = LINGER_NS,
                                    .timeout_ns = limit_ns ? limit_ns : FIRST_ANSWER_NS};
    bool good = pyr_http_post(target, &fetch, &fetched, err) &&
                pyr_http_check_answer(target, 0, path, &fetched, err);
    if (good)
        read_answer(&fetched, verdict);
    pyr_buf_deinit(&fetched.body);
    pyr_buf_deinit(&request);
    return good;
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
    pyr_http_add_line(exact ? &target->notes : &target->cautions, text);
    if (options->stream && !verdict->usage)
        pyr_http_add_line(&target->cautions,
                          "The server reports no token counts for a stream: output tokens are the "
                          "events with text.");
}

/* What a server puts around a text counts: a prompt of 64 tokens is one of which the server
 * says 64. Of the ways to count it that is taken which says what its usage said of a first prompt;
 * where none does, the difference is added. */
static void find_framing(struct http_target *target, const struct verdict *verdict) {
    const size_t bytes = sizeof probe_prompt - 1;
    int64_t said = verdict->prompt_tokens, counted = -1;
    if (target->tokenize_path[0])
        counted = count_framed(target, PYR_FRAMING_CONSTANT, probe_prompt, bytes);
    target->weighs = counted < 0 && said > 0;
    if (target->weighs) {
        pyr_http_add_line(&target->notes,
                          "The server has no /tokenize: prompt lengths are estimates, fitted by "
                          "what it counted of two prompts; each request holds its own count.");
        return;
    }
    if (counted < 0)
        pyr_http_add_line(&target->cautions,
                          "The server neither has /tokenize nor counts prompts: their lengths are "
                          "estimates, a token a word.");
    if (counted < 0 || said <= counted)
        return;
    char text[300];
    if (count_framed(target, PYR_FRAMING_MESSAGES, probe_prompt, bytes) == said)
        target->framing = PYR_FRAMING_MESSAGES;
    else if (read_template(target, probe_prompt, bytes) &&
             count_framed(target, PYR_FRAMING_TEMPLATE, probe_prompt, bytes) == said)
        target->framing = PYR_FRAMING_TEMPLATE;
    bool exact = target->framing != PYR_FRAMING_CONSTANT;
    target->framing_tokens = (uint32_t)(said - counted);
    snprintf(text, sizeof text,
             "Prompt lengths: as the server counts them, with the %s%u tokens that it puts "
             "around a text.",
             exact ? "" : "about ", target->framing_tokens);
    pyr_http_add_line(&target->notes, text);
}

int64_t pyr_http_count_tokens(struct http_target *target, const char *text, size_t bytes) {
    struct verdict verdict;
    if (target->tokenize_path[0])
        return count_framed(target, target->framing, text, bytes);
    if (!target->weighs || !try_once(target, text, bytes, &verdict, NULL))
        return -1;
    return verdict.status == 200 && verdict.prompt_tokens ? (int64_t)verdict.prompt_tokens : -1;
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
        if (!try_once(target, probe_prompt, sizeof probe_prompt - 1, &verdict, err))
            return pyr_err_prefix(err, "first request");
        if (!is_refusal(&verdict))
            break;
    }
    if (verdict.status == 200) {
        note_dialect(target, &verdict);
        find_framing(target, &verdict);
        options->hangs_up = verdict.hung_up;
        if (verdict.hung_up)
            pyr_http_add_line(
                &target->notes,
                "The server closes the connection after each answer, although it says "
                "that it would keep it: every request has one of its own.");
        return true;
    }
    if (verdict.status == 429 || verdict.status >= 500) {
        pyr_http_add_line(
            &target->cautions,
            "The server was busy or failing when it was asked for its dialect: nothing is "
            "known about exact output lengths.");
        return true;
    }
    bool elsewhere = verdict.status == 404 || verdict.status == 405 || verdict.status == 501;
    return pyr_fail(err, PYR_E_INPUT, "%s%s: the server refuses a plain request (HTTP %u%s%s)%s%s",
                    target->endpoints[0].text, pyr_http_api_path(options->api), verdict.status,
                    verdict.message[0] ? ": " : "", verdict.message,
                    elsewhere ? "; has it another API? --endpoint " : "",
                    !elsewhere                      ? ""
                    : options->api == PYR_HTTP_CHAT ? "completions or embeddings"
                                                    : "chat or embeddings");
}

bool pyr_http_probe(struct http_target *target, struct pyr_err *err) {
    if (!pyr_http_find_models(target, err))
        return false;
    if (!target->options.max_tokens_field[0] && !target->options.probe)
        memcpy(target->options.max_tokens_field, "max_tokens", sizeof "max_tokens");
    find_tokenizer(target);
    if (target->options.api == PYR_HTTP_EMBEDDINGS)
        return true;
    if (target->options.probe)
        return find_dialect(target, err);
    target->options.sends_ignore_eos = target->options.sends_min_tokens = true;
    pyr_http_add_line(
        &target->notes,
        "The server's dialect was not looked for: ignore_eos and min_tokens are sent where "
        "an exact output length is asked.");
    return true;
}
