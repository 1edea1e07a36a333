/* SPDX-License-Identifier: MIT */
#include "serving/openai_answer.h"

#include "codec/escape.h"

#include <string.h>

static const char *kept(struct pyr_arena *arena, struct pyr_buf *buf) {
    const char *text = pyr_arena_strndup(arena, pyr_buf_text(buf), buf->length);
    pyr_buf_clear(buf);
    return text;
}

void pyr_openai_frame_init(struct pyr_openai_frame *frame, struct pyr_arena *arena,
                           enum pyr_openai_api api, bool stream, uint32_t index, uint64_t id,
                           uint64_t created, const char *model) {
    bool chat = api == PYR_OPENAI_CHAT;
    const char *object = !chat    ? "text_completion"
                         : stream ? "chat.completion.chunk"
                                  : "chat.completion";
    struct pyr_buf buf = {0};
    *frame = (struct pyr_openai_frame){.api = api, .index = index};
    pyr_buf_printf(&buf, "{\"id\":\"%s-%016llx\",\"object\":\"%s\",\"created\":%llu,\"model\":",
                   chat ? "chatcmpl" : "cmpl", (unsigned long long)id, object,
                   (unsigned long long)created);
    pyr_quote_json(&buf, model);
    pyr_buf_putc(&buf, ',');
    frame->head = kept(arena, &buf);
    if (stream) {
        pyr_buf_printf(&buf, "data: %s\"choices\":[{\"index\":%u,%s\"", frame->head, index,
                       chat ? "\"delta\":{\"content\":" : "\"text\":");
        frame->open_bytes = buf.length;
        frame->open = kept(arena, &buf);
        pyr_buf_printf(&buf, "\"%s,\"finish_reason\":null}]}\n\n", chat ? "}" : "");
        frame->close_bytes = buf.length;
        frame->close = kept(arena, &buf);
    }
    pyr_buf_deinit(&buf);
}

void pyr_openai_event_begin(const struct pyr_openai_frame *frame, struct pyr_buf *out) {
    if (frame->api == PYR_OPENAI_CHAT)
        pyr_buf_printf(out,
                       "data: %s\"choices\":[{\"index\":%u,\"delta\":{\"role\":\"assistant\","
                       "\"content\":\"\"},\"finish_reason\":null}]}\n\n",
                       frame->head, frame->index);
}

static void put_chances(const struct pyr_buf *chances, struct pyr_buf *out) {
    if (!chances)
        return;
    pyr_buf_puts(out, ",\"logprobs\":");
    pyr_buf_append(out, chances->data, chances->length);
}

void pyr_openai_event_text(const struct pyr_openai_frame *frame, const char *text, size_t bytes,
                           const struct pyr_buf *chances, struct pyr_buf *out) {
    size_t taken = 0, room = 6 * bytes + 6; /* \u00xx: six bytes at most for one */
    pyr_buf_append(out, frame->open, frame->open_bytes);
    pyr_buf_reserve(out, room);
    out->length += pyr_escape_json_into(out->data + out->length, room, text, bytes, &taken);
    size_t text_end = frame->api == PYR_OPENAI_CHAT ? 2 : 1; /* "} and " */
    pyr_buf_append(out, frame->close, text_end);
    put_chances(chances, out);
    pyr_buf_append(out, frame->close + text_end, frame->close_bytes - text_end);
}

static void put_usage(const struct pyr_openai_usage *usage, struct pyr_buf *out) {
    pyr_buf_printf(
        out, "\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u,\"total_tokens\":%llu}",
        usage->prompt_tokens, usage->output_tokens,
        (unsigned long long)usage->prompt_tokens + usage->output_tokens);
}

void pyr_openai_event_finish(const struct pyr_openai_frame *frame, const char *reason,
                             struct pyr_buf *out) {
    bool chat = frame->api == PYR_OPENAI_CHAT;
    pyr_buf_printf(out, "data: %s\"choices\":[{\"index\":%u,%s,\"finish_reason\":\"%s\"}]}\n\n",
                   frame->head, frame->index, chat ? "\"delta\":{}" : "\"text\":\"\"", reason);
}

void pyr_openai_event_end(const struct pyr_openai_frame *frame,
                          const struct pyr_openai_usage *usage, struct pyr_buf *out) {
    if (usage) {
        pyr_buf_printf(out, "data: %s\"choices\":[],", frame->head);
        put_usage(usage, out);
        pyr_buf_puts(out, "}\n\n");
    }
    pyr_buf_puts(out, "data: [DONE]\n\n");
}

void pyr_openai_answer_begin(const struct pyr_openai_frame *frame, struct pyr_buf *out) {
    pyr_buf_puts(out, frame->head);
    pyr_buf_puts(out, "\"choices\":[");
}

void pyr_openai_answer_choice(const struct pyr_openai_frame *frame, const char *text, size_t bytes,
                              const struct pyr_buf *chances, const char *reason,
                              struct pyr_buf *out) {
    bool chat = frame->api == PYR_OPENAI_CHAT;
    pyr_buf_printf(out, "%s{\"index\":%u,%s\"", frame->index ? "," : "", frame->index,
                   chat ? "\"message\":{\"role\":\"assistant\",\"content\":" : "\"text\":");
    pyr_escape_json(out, text, bytes);
    pyr_buf_puts(out, chat ? "\"}" : "\"");
    put_chances(chances, out);
    pyr_buf_printf(out, ",\"finish_reason\":\"%s\"}", reason);
}

void pyr_openai_answer_end(const struct pyr_openai_usage *usage, struct pyr_buf *out) {
    pyr_buf_puts(out, "],");
    put_usage(usage, out);
    pyr_buf_putc(out, '}');
}

static const char *error_type(unsigned status) {
    return status == 401   ? "authentication_error"
           : status == 403 ? "permission_error"
           : status == 429 ? "rate_limit_error"
           : status >= 500 ? "server_error"
                           : "invalid_request_error";
}

void pyr_openai_error(unsigned status, const char *message, const char *param, const char *code,
                      struct pyr_buf *out) {
    pyr_buf_puts(out, "{\"error\":{\"message\":");
    pyr_quote_json(out, message);
    pyr_buf_printf(out, ",\"type\":\"%s\",\"param\":", error_type(status));
    pyr_quote_json(out, param);
    pyr_buf_puts(out, ",\"code\":");
    pyr_quote_json(out, code);
    pyr_buf_puts(out, "}}");
}

void pyr_openai_event_error(unsigned status, const char *message, struct pyr_buf *out) {
    pyr_buf_puts(out, "data: ");
    pyr_openai_error(status, message, NULL, NULL, out);
    pyr_buf_puts(out, "\n\n");
}

void pyr_openai_model(const char *model, uint64_t created, uint32_t context, struct pyr_buf *out) {
    pyr_buf_puts(out, "{\"id\":");
    pyr_quote_json(out, model);
    pyr_buf_printf(out,
                   ",\"object\":\"model\",\"created\":%llu,\"owned_by\":\"pyrometer\","
                   "\"max_model_len\":%u}",
                   (unsigned long long)created, context);
}

void pyr_openai_models(const char *model, uint64_t created, uint32_t context, struct pyr_buf *out) {
    pyr_buf_puts(out, "{\"object\":\"list\",\"data\":[");
    pyr_openai_model(model, created, context, out);
    pyr_buf_puts(out, "]}");
}
