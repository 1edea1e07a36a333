/* SPDX-License-Identifier: MIT
 *
 * HTTP/1.1 messages from bytes at any split: llhttp with what we keep of a head. No I/O, no
 * allocation. Heads are bounded; bodies are handed on as they come.
 */
#ifndef PYR_NET_HTTP_MESSAGE_H
#define PYR_NET_HTTP_MESSAGE_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Counted by reads, so that the body which came along may be counted too: a bound, no measure. */
enum { PYR_HTTP_HEAD_BYTES_MAX = 128 << 10 };

/* A piece of the body; called in order, never with count 0. */
typedef void pyr_http_body(void *user, const char *bytes, size_t count);

enum pyr_http_result {
    PYR_HTTP_MORE,  /* everything was taken; the message is not over */
    PYR_HTTP_WHOLE, /* the message is over; *taken tells where */
    PYR_HTTP_BAD    /* not HTTP: `reason` says why */
};

/* A field of a head that we look for; the value is cut to its size, "" when absent. */
struct pyr_http_field {
    const char *name; /* lower case */
    char *value;
    size_t value_size;
};

enum { PYR_HTTP_FIELD_NAME_BYTES = 24 };

struct pyr_http_parser {
    llhttp_t parser;
    pyr_http_body *body;
    void *user;
    const struct pyr_http_field *fields;
    size_t field_count;
    char *target; /* of a request: method is in parser.method */
    size_t target_size, target_length;
    size_t head_bytes;
    size_t value_length;
    const struct pyr_http_field *current;
    char name[PYR_HTTP_FIELD_NAME_BYTES];
    size_t name_length;
    bool in_value, head_done, whole, bad_head, chunk_over, long_target;
    unsigned hosts;       /* fields of that name */
    const char *body_end; /* of the last piece in the bytes being fed; NULL: none */
    const char *reason;
};

/* An answer. `status` is 0 until the head is over; interim answers (1xx) are passed over.
 * The fields of its head are safe to print (codec/escape.h). */
struct pyr_http_response {
    struct pyr_http_parser message;
    uint16_t status;
    bool keep_alive; /* known when the message is whole */
    char content_type[64];
    char retry_after[32];
    char server[64];
    char location[256];
    char content_encoding[32];
    struct pyr_http_field fields[5];
};

/* The struct must not move between init and the end of the message. */
void pyr_http_response_init(struct pyr_http_response *response, pyr_http_body *body, void *user);
enum pyr_http_result pyr_http_response_feed(struct pyr_http_response *response, const char *bytes,
                                            size_t count, size_t *taken);
/* Whether the bytes fed last ended with a whole chunk of a chunked body. Then whole chunks may be
 * taken past the parser. */
bool pyr_http_response_is_between_chunks(const struct pyr_http_response *response, const char *end);
/* "gzip": how the body is packed although we ask for it as it is; NULL when it is not. */
const char *pyr_http_response_packing(const struct pyr_http_response *response);
/* What is wrong with an answer that was BAD, as the end of a sentence ("is not HTTP but TLS; use
 * https://"). bytes: those that were fed last. Text of the server is made safe. */
void pyr_http_response_complaint(const struct pyr_http_response *response, const char *bytes,
                                 size_t count, char *text, size_t size);
/* The connection was closed: WHOLE when that is how this body ends, else BAD. */
enum pyr_http_result pyr_http_response_eof(struct pyr_http_response *response);

/* A request, for the server. */
struct pyr_http_head {
    struct pyr_http_parser message;
    bool keep_alive, expect_continue;
    char target[1024]; /* path and query as sent */
    char authorization[256];
    char content_type[64];
    char accept[128];
    char if_none_match[64];
    char host[256];
    char origin[256];
    char expect[32];
    struct pyr_http_field fields[7];
};

/* BAD also for what no server should take: a version that is not 1.x, no Host or several (RFC 9112,
 * section 3.2). */
void pyr_http_head_init(struct pyr_http_head *head, pyr_http_body *body, void *user);
enum pyr_http_result pyr_http_head_feed(struct pyr_http_head *head, const char *bytes, size_t count,
                                        size_t *taken);
const char *pyr_http_head_method(const struct pyr_http_head *head); /* "GET" */
/* Whom the request is for: the host of an absolute target, else of the field Host, without port
 * and brackets; "" where neither is there. */
void pyr_http_head_host(const struct pyr_http_head *head, char *host, size_t size);

/* "OK", "Not Found": for a status line. */
const char *pyr_http_status_text(unsigned status);

#endif
