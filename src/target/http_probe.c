/* SPDX-License-Identifier: MIT
 *
 * What can be found out about a server before the start: whether and how it counts the tokens of a
 * prompt.
 */
#include "target/http_probe.h"

#include "codec/escape.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

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
    bool answered = pyr_http_post(target, 0, &fetch, &fetched, NULL);
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

void pyr_http_find_tokenizer(struct http_target *target) {
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

/* What a server puts around a text counts: a prompt of 64 tokens is one of which the server
 * says 64. Of the ways to count it that is taken which says what its usage said of a first prompt;
 * where none does, the difference is added. */
void pyr_http_find_framing(struct http_target *target, int64_t said) {
    const char *const probe_prompt = pyr_http_probe_prompt;
    const size_t bytes = strlen(probe_prompt);
    int64_t counted = -1;
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
    struct pyr_http_verdict verdict = {0};
    if (target->tokenize_path[0])
        return count_framed(target, target->framing, text, bytes);
    bool good = target->weighs && pyr_http_try(target, 0, text, bytes, &verdict, NULL);
    pyr_http_verdict_free(&verdict);
    return good && verdict.status == 200 && verdict.prompt_tokens ? (int64_t)verdict.prompt_tokens
                                                                  : -1;
}
