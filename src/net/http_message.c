/* SPDX-License-Identifier: MIT */
#include "net/http_message.h"

#include "codec/escape.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct pyr_http_parser *self(llhttp_t *parser) {
    return (struct pyr_http_parser *)parser; /* its first member */
}

static int on_target(llhttp_t *parser, const char *at, size_t length) {
    struct pyr_http_parser *message = self(parser);
    if (!message->target)
        return 0;
    if (length >= message->target_size - message->target_length) {
        message->reason = "the request target is too long";
        message->long_target = true;
        return -1;
    }
    memcpy(message->target + message->target_length, at, length);
    message->target_length += length;
    message->target[message->target_length] = '\0';
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t length) {
    struct pyr_http_parser *message = self(parser);
    if (message->in_value) {
        message->in_value = false;
        message->name_length = 0;
    }
    for (size_t i = 0; i < length; i++) {
        if (message->name_length < sizeof message->name)
            message->name[message->name_length] =
                at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] | 0x20) : at[i];
        message->name_length++;
    }
    return 0;
}

static const struct pyr_http_field *find_field(const struct pyr_http_parser *message) {
    if (message->name_length > sizeof message->name)
        return NULL;
    for (size_t i = 0; i < message->field_count; i++) {
        const struct pyr_http_field *field = &message->fields[i];
        if (strlen(field->name) == message->name_length &&
            memcmp(field->name, message->name, message->name_length) == 0)
            return field;
    }
    return NULL;
}

static int on_value(llhttp_t *parser, const char *at, size_t length) {
    struct pyr_http_parser *message = self(parser);
    if (!message->in_value) {
        message->in_value = true;
        message->current = find_field(message);
        message->value_length = 0;
    }
    const struct pyr_http_field *field = message->current;
    if (!field)
        return 0;
    size_t room = field->value_size - 1 - message->value_length;
    size_t kept = length < room ? length : room;
    memcpy(field->value + message->value_length, at, kept);
    message->value_length += kept;
    field->value[message->value_length] = '\0';
    return 0;
}

static int on_value_done(llhttp_t *parser) {
    struct pyr_http_parser *message = self(parser);
    message->hosts += message->name_length == 4 && memcmp(message->name, "host", 4) == 0;
    message->in_value = true; /* of an empty one nothing else is told */
    return 0;
}

static int on_head_done(llhttp_t *parser) {
    struct pyr_http_parser *message = self(parser);
    message->head_done = true;
    /* What a server writes there ends in errors and reports. */
    for (size_t i = 0; parser->type == HTTP_RESPONSE && i < message->field_count; i++) {
        const struct pyr_http_field *field = &message->fields[i];
        pyr_plain_text(field->value, field->value_size, field->value, strlen(field->value));
    }
    return 0;
}

static int on_body_bytes(llhttp_t *parser, const char *at, size_t length) {
    struct pyr_http_parser *message = self(parser);
    message->chunk_over = false;
    message->body_end = at + length;
    if (message->body && length)
        message->body(message->user, at, length);
    return 0;
}

static int on_chunk_over(llhttp_t *parser) {
    self(parser)->chunk_over = true;
    return 0;
}

static int on_whole(llhttp_t *parser) {
    struct pyr_http_parser *message = self(parser);
    if (parser->type == HTTP_RESPONSE && parser->status_code < 200 && parser->status_code != 101) {
        message->head_done = false;
        message->head_bytes = 0;
        return 0;
    }
    message->whole = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_target,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_done,
    .on_headers_complete = on_head_done,
    .on_body = on_body_bytes,
    .on_chunk_complete = on_chunk_over,
    .on_message_complete = on_whole,
};

static void parser_init(struct pyr_http_parser *message, llhttp_type_t type, pyr_http_body *body,
                        void *user) {
    llhttp_init(&message->parser, type, &settings);
    message->body = body;
    message->user = user;
}

static enum pyr_http_result parser_feed(struct pyr_http_parser *message, const char *bytes,
                                        size_t count, size_t *taken) {
    *taken = 0;
    if (message->whole)
        return PYR_HTTP_WHOLE;
    if (!message->head_done) {
        message->head_bytes += count;
        if (message->head_bytes > PYR_HTTP_HEAD_BYTES_MAX) {
            message->reason = "the head is longer than 128 KiB";
            return PYR_HTTP_BAD;
        }
    }
    message->chunk_over = false;
    message->body_end = NULL;
    llhttp_errno_t status = llhttp_execute(&message->parser, bytes, count);
    if (status == HPE_OK) {
        *taken = count;
        return PYR_HTTP_MORE;
    }
    if (message->whole) {
        *taken = (size_t)(llhttp_get_error_pos(&message->parser) - bytes);
        return PYR_HTTP_WHOLE;
    }
    if (status == HPE_PAUSED_H2_UPGRADE)
        message->reason = "HTTP/2 is not spoken here; use HTTP/1.1";
    if (!message->reason)
        message->reason = llhttp_get_error_reason(&message->parser);
    if (!message->reason || !*message->reason)
        message->reason = llhttp_errno_name(status);
    return PYR_HTTP_BAD;
}

void pyr_http_response_init(struct pyr_http_response *response, pyr_http_body *body, void *user) {
    *response = (struct pyr_http_response){0};
    response->fields[0] = (struct pyr_http_field){"content-type", response->content_type,
                                                  sizeof response->content_type};
    response->fields[1] =
        (struct pyr_http_field){"retry-after", response->retry_after, sizeof response->retry_after};
    response->fields[2] =
        (struct pyr_http_field){"server", response->server, sizeof response->server};
    response->fields[3] =
        (struct pyr_http_field){"location", response->location, sizeof response->location};
    response->fields[4] = (struct pyr_http_field){"content-encoding", response->content_encoding,
                                                  sizeof response->content_encoding};
    response->message.fields = response->fields;
    response->message.field_count = 5;
    parser_init(&response->message, HTTP_RESPONSE, body, user);
}

enum pyr_http_result pyr_http_response_feed(struct pyr_http_response *response, const char *bytes,
                                            size_t count, size_t *taken) {
    enum pyr_http_result result = parser_feed(&response->message, bytes, count, taken);
    if (response->message.head_done)
        response->status = response->message.parser.status_code;
    if (result == PYR_HTTP_WHOLE)
        response->keep_alive = llhttp_should_keep_alive(&response->message.parser);
    return result;
}

bool pyr_http_response_is_between_chunks(const struct pyr_http_response *response,
                                         const char *end) {
    const struct pyr_http_parser *message = &response->message;
    /* The parser tells that a chunk is over, but not where: behind its data and one line end. */
    return message->chunk_over && !message->whole && message->body_end &&
           message->body_end + 2 == end;
}

const char *pyr_http_response_packing(const struct pyr_http_response *response) {
    /* The last ones are met as names of what is no packing, or no encoding of content at all. */
    static const char *const plain[] = {"identity", "none", "utf-8", "utf8", "binary", "8bit"};
    const char *packing = response->content_encoding, *at = packing;
    while (*at) {
        size_t length = strcspn(at, ", \t");
        bool known = length == 0;
        for (size_t i = 0; i < sizeof plain / sizeof *plain && !known; i++)
            known = strlen(plain[i]) == length && strncasecmp(at, plain[i], length) == 0;
        if (!known)
            return packing;
        at += length + (at[length] != '\0');
    }
    return NULL;
}

/* The first bytes of a server that speaks something else. */
static const char *other_protocol(const char *bytes, size_t count) {
    const unsigned char *at = (const unsigned char *)bytes;
    if (count >= 3 && at[0] >= 0x14 && at[0] <= 0x17 && at[1] == 3)
        return "is not HTTP but TLS; write https:// instead of http://";
    /* SETTINGS, which is shorter than 64 KiB, on no stream */
    if (count >= 9 && at[0] == 0 && at[3] == 4 && memcmp(at + 5, "\0\0\0\0", 4) == 0)
        return "is HTTP/2 without TLS; ask for that with --http2";
    return NULL;
}

void pyr_http_response_complaint(const struct pyr_http_response *response, const char *bytes,
                                 size_t count, char *text, size_t size) {
    const struct pyr_http_parser *message = &response->message;
    bool first = !message->head_done && message->head_bytes == count;
    const char *other = first ? other_protocol(bytes, count) : NULL;
    char begin[48];
    if (other) {
        snprintf(text, size, "%s", other);
    } else if (first && message->parser.http_major == 0) {
        pyr_plain_text(begin, sizeof begin, bytes, count);
        snprintf(text, size, "is not HTTP; it begins with \"%s\"", begin);
    } else {
        snprintf(text, size, "breaks the rules of HTTP: %s", message->reason);
    }
}

enum pyr_http_result pyr_http_response_eof(struct pyr_http_response *response) {
    struct pyr_http_parser *message = &response->message;
    if (message->whole)
        return PYR_HTTP_WHOLE;
    /* llhttp takes a close before any byte, and between header lines, for an end too. */
    if (message->head_done && llhttp_finish(&message->parser) != HPE_OK && !message->whole) {
        message->reason = "the connection was closed in the middle of the body";
        return PYR_HTTP_BAD;
    }
    if (!message->whole)
        message->reason = message->head_bytes
                              ? "the connection was closed in the middle of the answer's head"
                              : "the connection was closed before an answer";
    return message->whole ? PYR_HTTP_WHOLE : PYR_HTTP_BAD;
}

void pyr_http_head_init(struct pyr_http_head *head, pyr_http_body *body, void *user) {
    *head = (struct pyr_http_head){0};
    const struct pyr_http_field fields[] = {
        {"authorization", head->authorization, sizeof head->authorization},
        {"content-type", head->content_type, sizeof head->content_type},
        {"accept", head->accept, sizeof head->accept},
        {"if-none-match", head->if_none_match, sizeof head->if_none_match},
        {"host", head->host, sizeof head->host},
        {"origin", head->origin, sizeof head->origin},
        {"expect", head->expect, sizeof head->expect},
    };
    _Static_assert(sizeof fields == sizeof head->fields, "one entry a field");
    memcpy(head->fields, fields, sizeof fields);
    head->message.fields = head->fields;
    head->message.field_count = sizeof fields / sizeof *fields;
    head->message.target = head->target;
    head->message.target_size = sizeof head->target;
    parser_init(&head->message, HTTP_REQUEST, body, user);
}

static const char *fault_of(const struct pyr_http_parser *message) {
    if (message->parser.http_major != 1)
        return "HTTP/1.0 and HTTP/1.1 are spoken here";
    if (message->hosts > 1)
        return "the field Host stands there more than once";
    if (message->hosts == 0 && message->parser.http_minor > 0)
        return "the field Host is missing";
    return NULL;
}

enum pyr_http_result pyr_http_head_feed(struct pyr_http_head *head, const char *bytes, size_t count,
                                        size_t *taken) {
    enum pyr_http_result result = parser_feed(&head->message, bytes, count, taken);
    const char *fault = head->message.head_done ? fault_of(&head->message) : NULL;
    if (fault && result != PYR_HTTP_BAD) {
        head->message.reason = fault;
        result = PYR_HTTP_BAD;
    }
    head->expect_continue = strcasecmp(head->expect, "100-continue") == 0;
    /* Nobody knows where a body ends that is framed by what HTTP/1.0 does not have (RFC 9112,
     * section 6.1). */
    bool framed = head->message.parser.http_minor > 0 ||
                  !(head->message.parser.flags & (F_TRANSFER_ENCODING | F_CHUNKED));
    if (result == PYR_HTTP_WHOLE)
        head->keep_alive = framed && llhttp_should_keep_alive(&head->message.parser);
    return result;
}

void pyr_http_head_host(const struct pyr_http_head *head, char *host, size_t size) {
    const char *from = strncasecmp(head->target, "http://", 7) == 0 ? head->target + 7 : head->host;
    size_t length = strcspn(from, "/?#"), bracket = strcspn(from, "]");
    if (*from == '[' && bracket < length) {
        from++;
        length = bracket - 1;
    } else if (strcspn(from, ":") < length) {
        length = strcspn(from, ":");
    }
    snprintf(host, size, "%.*s", (int)length, from);
}

const char *pyr_http_head_method(const struct pyr_http_head *head) {
    return llhttp_method_name((llhttp_method_t)head->message.parser.method);
}

const char *pyr_http_status_text(unsigned status) {
    static const struct {
        unsigned status;
        const char *text;
    } texts[] = {{200, "OK"},
                 {204, "No Content"},
                 {302, "Found"},
                 {304, "Not Modified"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {408, "Request Timeout"},
                 {413, "Content Too Large"},
                 {414, "URI Too Long"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {502, "Bad Gateway"},
                 {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Status";
}
