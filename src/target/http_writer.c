/* SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "codec/escape.h"
#include "net/http_fetch.h"
#include "target/http_options.h"

#include <stdio.h>
#include <string.h>

static char *take(struct pyr_buf *buf) {
    char *text = pyr_xstrdup(pyr_buf_text(buf));
    pyr_buf_deinit(buf);
    return text;
}

void pyr_http_writer_release(struct http_target *target) {
    for (unsigned i = 0; i < target->endpoint_count; i++) {
        pyr_free(target->heads[i]);
        target->heads[i] = NULL;
    }
    pyr_free(target->body_open);
    pyr_free(target->body_close);
    target->body_open = target->body_close = NULL;
}

void pyr_http_writer_prepare(struct http_target *target) {
    const struct pyr_http_options *options = &target->options;
    pyr_http_writer_release(target);
    for (unsigned i = 0; i < target->endpoint_count; i++) {
        struct pyr_buf head = {0};
        char path[512], request_target[1024];
        snprintf(path, sizeof path, "%s%s", target->base_paths[i], pyr_http_api_path(options->api));
        pyr_request_target(&target->endpoints[i], path, request_target, sizeof request_target);
        pyr_buf_printf(&head,
                       "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: pyrometer/" PYR_VERSION
                       "\r\nAccept: %s\r\nAccept-Encoding: identity\r\nContent-Type: "
                       "application/json\r\n%s%sContent-Length: ",
                       request_target, target->endpoints[i].authority,
                       options->stream ? "text/event-stream" : "application/json",
                       pyr_plain_proxy_line(&target->endpoints[i]),
                       pyr_buf_text(&options->headers));
        target->heads[i] = take(&head);
    }
    struct pyr_buf open = {0}, close = {0};
    pyr_buf_puts(&open, "{\"model\":");
    pyr_quote_json(&open, options->model);
    target->body_open = take(&open);
    if (options->stream)
        pyr_buf_printf(&close, ",\"stream\":true%s",
                       options->sends[PYR_HTTP_STREAM_OPTIONS]
                           ? ",\"stream_options\":{\"include_usage\":true}"
                           : "");
    pyr_buf_puts(&close, pyr_buf_text(&options->body));
    pyr_buf_putc(&close, '}');
    target->body_close = take(&close);
}

/* What follows the prompt in the body and differs from request to request. */
static void write_fields(struct pyr_http_writer *writer, const struct http_target *target,
                         const struct pyr_slot *slot, const char *closing) {
    const struct pyr_http_options *options = &target->options;
    if (options->api == PYR_HTTP_EMBEDDINGS) {
        snprintf(writer->fields, sizeof writer->fields, "%s", closing);
        return;
    }
    char exact[64] = "", temperature[40] = "", seed[40] = "";
    if (slot->exact_output && options->sends[PYR_HTTP_MIN_TOKENS])
        snprintf(exact, sizeof exact, ",\"min_tokens\":%u", slot->output_tokens);
    if (options->sends[PYR_HTTP_TEMPERATURE])
        snprintf(temperature, sizeof temperature, ",\"temperature\":%.9g",
                 (double)slot->temperature);
    if (options->sends[PYR_HTTP_SEED]) /* 31 bits are what every server takes */
        snprintf(seed, sizeof seed, ",\"seed\":%llu", (unsigned long long)(slot->seed & INT32_MAX));
    bool past_end = slot->exact_output && options->sends[PYR_HTTP_IGNORE_EOS];
    snprintf(writer->fields, sizeof writer->fields, "%s,\"%s\":%u%s%s%s%s", closing,
             options->max_tokens_field, slot->output_tokens, temperature, seed,
             past_end ? ",\"ignore_eos\":true" : "", exact);
}

void pyr_http_writer_init(struct pyr_http_writer *writer, const struct http_target *target,
                          unsigned endpoint, const struct pyr_slot *slot) {
    const struct pyr_prompt *prompt = &slot->prompt;
    bool chat = target->options.api == PYR_HTTP_CHAT, messages = chat && prompt->messages_json;
    const char *opening = messages ? ",\"messages\":"
                          : chat   ? ",\"messages\":[{\"role\":\"user\",\"content\":\""
                          : target->options.api == PYR_HTTP_COMPLETIONS ? ",\"prompt\":\""
                                                                        : ",\"input\":\"";
    struct pyr_http_part prompt_part = {prompt->text, prompt->text_bytes, true};
    if (messages)
        prompt_part =
            (struct pyr_http_part){prompt->messages_json, strlen(prompt->messages_json), false};
    write_fields(writer, target, slot, messages ? "" : chat ? "\"}]" : "\"");
    size_t open = strlen(target->body_open), tail = strlen(opening),
           fields = strlen(writer->fields), close = strlen(target->body_close);
    size_t total = open + tail + fields + close +
                   (messages ? prompt_part.count
                             : pyr_escape_json_bytes(prompt_part.bytes, prompt_part.count));
    int length = snprintf(writer->length_text, sizeof writer->length_text, "%zu\r\n\r\n", total);
    writer->part = 0;
    writer->offset = 0;
    const char *head = target->heads[endpoint];
    writer->parts[0] = (struct pyr_http_part){head, strlen(head), false};
    writer->parts[1] = (struct pyr_http_part){writer->length_text, (size_t)length, false};
    writer->parts[2] = (struct pyr_http_part){target->body_open, open, false};
    writer->parts[3] = (struct pyr_http_part){opening, tail, false};
    writer->parts[4] = prompt_part;
    writer->parts[5] = (struct pyr_http_part){writer->fields, fields, false};
    writer->parts[6] = (struct pyr_http_part){target->body_close, close, false};
}

enum { PARTS = 7 };

bool pyr_http_writer_is_done(const struct pyr_http_writer *writer) {
    return writer->part == PARTS;
}

size_t pyr_http_writer_fill(struct pyr_http_writer *writer, char *out, size_t capacity) {
    size_t written = 0;
    while (writer->part < PARTS) {
        const struct pyr_http_part *part = &writer->parts[writer->part];
        size_t room = capacity - written, left = part->count - writer->offset;
        if (part->escape) {
            written += pyr_escape_json_into(out + written, room, part->bytes, part->count,
                                            &writer->offset);
        } else {
            size_t count = left < room ? left : room;
            memcpy(out + written, part->bytes + writer->offset, count);
            writer->offset += count;
            written += count;
        }
        if (writer->offset < part->count)
            break;
        writer->part++;
        writer->offset = 0;
    }
    return written;
}
