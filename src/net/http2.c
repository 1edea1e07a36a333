/* SPDX-License-Identifier: MIT */
#include "net/http2.h"

#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    WINDOW_BYTES = 1 << 30,
    HEAD_BYTES_MAX = 65536, /* of an answer, as for HTTP/1.1 */
    VALUE_BYTES_MAX = 512,  /* longer than any that is looked at */
    FIELDS_MAX = 128        /* of a request */
};

struct pyr_http2 {
    nghttp2_session *session;
    bool tls, greeted; /* greeted: the server's settings came */
    unsigned seen;     /* bytes of its first frame's head, up to 4 */
    bool spent;
    enum pyr_http2_state state;
    char why[160];

    const uint8_t *out; /* of the session: frames that wait for the socket */
    size_t out_bytes;

    struct pyr_buf request; /* the head, until it is whole */
    const char *offered;
    size_t offered_bytes;
    uint64_t body_left;

    int32_t stream; /* 0: none */
    unsigned status;
    bool head_told, bodiless, whole, peer_reset;
    size_t head_bytes;
    char head[5 * (VALUE_BYTES_MAX + 32)]; /* the lines of the answer that are passed on */
    size_t head_length;
    unsigned fields_seen;

    char *text; /* while bytes are taken */
    size_t text_bytes, text_room;
    const uint8_t *body_end;
};

/* --- memory ---------------------------------------------------------------------------------- */

static void *take_memory(size_t bytes, void *user) {
    (void)user;
    return pyr_xrealloc(NULL, bytes ? bytes : 1);
}
static void free_memory(void *memory, void *user) {
    (void)user;
    pyr_free(memory);
}
static void *take_zeroed(size_t count, size_t size, void *user) {
    (void)user;
    return pyr_xcalloc(count ? count : 1, size ? size : 1);
}
static void *take_again(void *old, size_t bytes, void *user) {
    (void)user;
    return pyr_xrealloc(old, bytes ? bytes : 1);
}

/* --- the answer as text ---------------------------------------------------------------------- */

static void end_with(struct pyr_http2 *http2, enum pyr_http2_state state, const char *why) {
    if (http2->state != PYR_HTTP2_ALIVE)
        return;
    http2->state = state;
    http2->spent = true;
    snprintf(http2->why, sizeof http2->why, "%s", why);
}

static bool put(struct pyr_http2 *http2, const void *bytes, size_t count) {
    if (count > http2->text_room - http2->text_bytes) {
        end_with(http2, PYR_HTTP2_BAD, "the answer has more frames than bytes");
        return false;
    }
    memcpy(http2->text + http2->text_bytes, bytes, count);
    http2->text_bytes += count;
    return true;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags,
                     void *user) {
    static const char *const kept[] = {"content-type", "retry-after", "server", "location",
                                       "content-encoding"};
    struct pyr_http2 *http2 = user;
    (void)session;
    (void)flags;
    if (frame->hd.stream_id != http2->stream || http2->head_told)
        return 0;
    /* As the protocol counts a field. */
    http2->head_bytes += name_bytes + value_bytes + 32;
    if (http2->head_bytes > HEAD_BYTES_MAX) {
        end_with(http2, PYR_HTTP2_BAD, "the head is longer than 64 KiB");
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (name_bytes == 7 && memcmp(name, ":status", 7) == 0) {
        http2->status = (unsigned)strtoul((const char *)value, NULL, 10);
        return 0;
    }
    for (unsigned i = 0; i < sizeof kept / sizeof *kept; i++) {
        if (strlen(kept[i]) != name_bytes || memcmp(kept[i], name, name_bytes) != 0 ||
            http2->fields_seen & 1U << i)
            continue;
        http2->fields_seen |= 1U << i;
        int cut = value_bytes < VALUE_BYTES_MAX ? (int)value_bytes : VALUE_BYTES_MAX;
        http2->head_length += (size_t)snprintf(http2->head + http2->head_length,
                                               sizeof http2->head - http2->head_length,
                                               "%s: %.*s\r\n", kept[i], cut, (const char *)value);
    }
    return 0;
}

static void forget_head(struct pyr_http2 *http2) {
    http2->status = 0;
    http2->head_bytes = http2->head_length = 0;
    http2->fields_seen = 0;
}

static void tell_head(struct pyr_http2 *http2) {
    char line[64];
    if (http2->status < 100 || http2->status > 999) {
        end_with(http2, PYR_HTTP2_BAD, "the answer's status is not one of HTTP");
        return;
    }
    if (http2->status < 200) { /* an interim answer */
        forget_head(http2);
        return;
    }
    http2->head_told = true;
    http2->bodiless = http2->status == 204 || http2->status == 304;
    int length = snprintf(line, sizeof line, "HTTP/1.1 %03u \r\n", http2->status);
    const char *framing =
        http2->bodiless ? "content-length: 0\r\n\r\n" : "transfer-encoding: chunked\r\n\r\n";
    if (put(http2, line, (size_t)length) && put(http2, http2->head, http2->head_length))
        put(http2, framing, strlen(framing));
}

static void tell_end(struct pyr_http2 *http2) {
    if (!http2->head_told || http2->whole)
        return;
    http2->whole = true;
    if (!http2->bodiless)
        put(http2, "0\r\n\r\n", 5);
    /* An answer to half a request: the rest of that is still owed. */
    if (http2->body_left)
        http2->spent = true;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t count, void *user) {
    struct pyr_http2 *http2 = user;
    char size[16];
    (void)session;
    (void)flags;
    if (stream != http2->stream || !http2->head_told || http2->bodiless || !count)
        return 0;
    int length = snprintf(size, sizeof size, "%zx\r\n", count);
    if (put(http2, size, (size_t)length) && put(http2, bytes, count))
        put(http2, "\r\n", 2);
    http2->body_end = bytes + count;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct pyr_http2 *http2 = user;
    (void)session;
    if (frame->hd.type == NGHTTP2_SETTINGS)
        http2->greeted = true;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        http2->spent = true;
    if (!http2->stream || frame->hd.stream_id != http2->stream)
        return 0;
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        http2->peer_reset = true;
    if (frame->hd.type == NGHTTP2_HEADERS && !http2->head_told)
        tell_head(http2);
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        tell_end(http2);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user) {
    struct pyr_http2 *http2 = user;
    char why[120];
    (void)session;
    if (stream != http2->stream)
        return 0;
    http2->stream = 0;
    if (http2->whole)
        return 0;
    bool theirs = http2->peer_reset || code == NGHTTP2_REFUSED_STREAM;
    snprintf(why, sizeof why, theirs ? "the server reset the stream (%s)" : "HTTP/2: %s",
             nghttp2_http2_strerror(code));
    end_with(http2, theirs ? PYR_HTTP2_RESET : PYR_HTTP2_BAD, why);
    return 0;
}

/* What breaks the rules makes the session say goodbye with the reason; that is known before the
 * goodbye is on its way, which the server may no longer take. */
static int on_goodbye(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct pyr_http2 *http2 = user;
    char why[120];
    (void)session;
    if (frame->hd.type != NGHTTP2_GOAWAY || frame->goaway.error_code == NGHTTP2_NO_ERROR)
        return 0;
    if (!http2->greeted)
        snprintf(why, sizeof why, "the server does not speak HTTP/2");
    else
        snprintf(why, sizeof why, "what came breaks the rules of HTTP/2 (%s)",
                 nghttp2_http2_strerror(frame->goaway.error_code));
    end_with(http2, PYR_HTTP2_BAD, why);
    return 0;
}

/* --- the session ----------------------------------------------------------------------------- */

struct pyr_http2 *pyr_http2_create(bool tls) {
    struct pyr_http2 *http2 = pyr_xcalloc(1, sizeof *http2);
    nghttp2_mem memory = {NULL, take_memory, free_memory, take_zeroed, take_again};
    nghttp2_session_callbacks *callbacks;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEAD_BYTES_MAX},
    };
    http2->tls = tls;
    /* All memory is ours, which never fails; so neither do these. */
    int status = nghttp2_session_callbacks_new(&callbacks);
    assert(status == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, on_goodbye);
    status = nghttp2_session_client_new3(&http2->session, callbacks, http2, NULL, &memory);
    assert(status == 0);
    nghttp2_session_callbacks_del(callbacks);
    status = nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, settings,
                                     sizeof settings / sizeof *settings);
    assert(status == 0);
    status =
        nghttp2_session_set_local_window_size(http2->session, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES);
    assert(status == 0);
    (void)status;
    return http2;
}

void pyr_http2_destroy(struct pyr_http2 *http2) {
    if (!http2)
        return;
    nghttp2_session_del(http2->session);
    pyr_buf_deinit(&http2->request);
    pyr_free(http2);
}

/* --- requests -------------------------------------------------------------------------------- */

static ssize_t give_body(nghttp2_session *session, int32_t stream, uint8_t *out, size_t capacity,
                         uint32_t *flags, nghttp2_data_source *source, void *user) {
    struct pyr_http2 *http2 = user;
    (void)session;
    (void)stream;
    (void)source;
    size_t count = http2->offered_bytes < capacity ? http2->offered_bytes : capacity;
    if (count > http2->body_left)
        count = (size_t)http2->body_left;
    if (!count)
        return NGHTTP2_ERR_DEFERRED;
    memcpy(out, http2->offered, count);
    http2->offered += count;
    http2->offered_bytes -= count;
    http2->body_left -= count;
    if (!http2->body_left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

/* Fields of the connection itself have no place in HTTP/2. */
static bool is_of_connection(const char *name) {
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
                                        "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static nghttp2_nv field(const char *name, const char *value) {
    /* It is copied, not written to. */
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* The target of a request: behind "http://host" when it was written for a proxy. */
static char *path_of(char *target) {
    char *behind = strncmp(target, "http://", 7) == 0 ? strchr(target + 7, '/') : target;
    return behind ? behind : target;
}

/* One line "name: value" of the head. */
static bool take_line(struct pyr_http2 *http2, char *line, nghttp2_nv *fields, size_t *count) {
    char *colon = strchr(line, ':');
    if (!colon)
        return true;
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    for (char *c = line; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 0x20);
    if (strcmp(line, "host") == 0) {
        fields[3] = field(":authority", value);
        return true;
    }
    if (strcmp(line, "content-length") == 0)
        http2->body_left = strtoull(value, NULL, 10);
    if (is_of_connection(line))
        return true;
    if (*count == FIELDS_MAX) {
        end_with(http2, PYR_HTTP2_BAD, "the request has more than 124 header fields");
        return false;
    }
    fields[(*count)++] = field(line, value);
    return true;
}

/* The head is whole: it becomes a stream. */
static void submit(struct pyr_http2 *http2) {
    nghttp2_nv fields[FIELDS_MAX];
    size_t count = 4;
    char *save = NULL, *line = strtok_r(http2->request.data, "\r\n", &save);
    char *target = strchr(line, ' ');
    assert(target); /* we wrote it */
    *target++ = '\0';
    target[strcspn(target, " ")] = '\0';
    fields[0] = field(":method", line);
    fields[1] = field(":path", path_of(target));
    fields[2] = field(":scheme", http2->tls ? "https" : "http");
    fields[3] = field(":authority", "");
    http2->body_left = 0;
    while ((line = strtok_r(NULL, "\r\n", &save)))
        if (!take_line(http2, line, fields, &count))
            return;
    forget_head(http2);
    http2->head_told = http2->bodiless = http2->whole = http2->peer_reset = false;
    nghttp2_data_provider body = {.read_callback = give_body};
    http2->stream = nghttp2_submit_request(http2->session, NULL, fields, count,
                                           http2->body_left ? &body : NULL, NULL);
    http2->request.length = 0;
    if (http2->stream < 0) {
        http2->stream = 0;
        end_with(http2, PYR_HTTP2_RESET, "the connection takes no further stream");
    }
}

void pyr_http2_offer(struct pyr_http2 *http2, const char *bytes, size_t count) {
    if (!http2->stream && !http2->spent) {
        /* The end of the head may lie across two offers. */
        size_t before = http2->request.length, from = before < 3 ? 0 : before - 3;
        pyr_buf_append(&http2->request, bytes, count);
        char *end = memmem(http2->request.data + from, http2->request.length - from, "\r\n\r\n", 4);
        size_t head = end ? (size_t)(end + 4 - http2->request.data) - before : count;
        bytes += head;
        count -= head;
        if (end) {
            *end = '\0';
            submit(http2);
        }
    }
    http2->offered = bytes;
    http2->offered_bytes = count;
    if (count && http2->stream)
        nghttp2_session_resume_data(http2->session, http2->stream);
}

size_t pyr_http2_offered_left(struct pyr_http2 *http2) {
    size_t left = http2->offered_bytes;
    http2->offered = NULL;
    http2->offered_bytes = 0;
    return left;
}

size_t pyr_http2_to_send(struct pyr_http2 *http2, const char **bytes) {
    if (!http2->out_bytes) {
        ssize_t count = nghttp2_session_mem_send(http2->session, &http2->out);
        if (count < 0)
            end_with(http2, PYR_HTTP2_BAD, nghttp2_strerror((int)count));
        http2->out_bytes = count > 0 ? (size_t)count : 0;
    }
    *bytes = (const char *)http2->out;
    return http2->out_bytes;
}

void pyr_http2_sent(struct pyr_http2 *http2, size_t count) {
    assert(count <= http2->out_bytes);
    http2->out += count;
    http2->out_bytes -= count;
}

/* --- answers --------------------------------------------------------------------------------- */

/* A server's first frame is SETTINGS, which is shorter than 64 KiB. */
static bool may_be_http2(struct pyr_http2 *http2, const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count && http2->seen < 4; i++, http2->seen++)
        if ((http2->seen == 0 && bytes[i] != 0) ||
            (http2->seen == 3 && bytes[i] != NGHTTP2_SETTINGS))
            return false;
    return true;
}

void pyr_http2_closed(struct pyr_http2 *http2) {
    if (!http2->greeted)
        end_with(http2, PYR_HTTP2_BAD,
                 "the server does not speak HTTP/2: it closed the connection");
    else
        end_with(http2, http2->stream ? PYR_HTTP2_RESET : PYR_HTTP2_ENDED,
                 "the server closed the connection");
}

size_t pyr_http2_received(struct pyr_http2 *http2, const char *bytes, size_t count, char *text,
                          bool *behind) {
    const uint8_t *from = (const uint8_t *)bytes;
    http2->text = text;
    http2->text_bytes = 0;
    http2->text_room = count + PYR_HTTP2_TEXT_EXTRA_BYTES;
    http2->body_end = from + count;
    if (!may_be_http2(http2, from, count)) {
        end_with(http2, PYR_HTTP2_BAD, "the server does not speak HTTP/2");
        *behind = false;
        return 0;
    }
    ssize_t taken = nghttp2_session_mem_recv(http2->session, from, count);
    if (taken < 0 && !http2->greeted)
        end_with(http2, PYR_HTTP2_BAD, "the server does not speak HTTP/2");
    else if (taken < 0)
        end_with(http2, PYR_HTTP2_BAD, nghttp2_strerror((int)taken));
    else if (!nghttp2_session_want_read(http2->session) && !http2->whole && !http2->spent)
        end_with(http2, PYR_HTTP2_BAD,
                 http2->greeted ? "what came breaks the rules of HTTP/2"
                                : "the server does not speak HTTP/2");
    if (http2->spent && !http2->stream)
        end_with(http2, PYR_HTTP2_ENDED, "the server closed the connection");
    *behind = http2->body_end != from + count;
    http2->text = NULL;
    return http2->text_bytes;
}

enum pyr_http2_state pyr_http2_state(const struct pyr_http2 *http2) {
    return http2->state;
}

const char *pyr_http2_why(const struct pyr_http2 *http2) {
    return http2->why;
}

bool pyr_http2_is_spent(const struct pyr_http2 *http2) {
    return http2->spent || nghttp2_session_check_request_allowed(http2->session) == 0;
}
