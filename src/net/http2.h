/* SPDX-License-Identifier: MIT
 *
 * HTTP/2 as a filter of bytes, as TLS is one (nghttp2, client side): requests go in as HTTP/1.1
 * text and come out as frames; the server's frames go in and its answer comes out as HTTP/1.1 text,
 * one chunk for each piece of a DATA frame. So all that is known of an answer's times and faults
 * holds for both protocols. One stream at a time: nothing of another request stands between an
 * answer's bytes and the socket. The windows are 1 GiB, so that we never hold a server back.
 *
 * It touches no socket. nghttp2 allocates a little for each stream, through base/mem.h.
 */
#ifndef PYR_NET_HTTP2_H
#define PYR_NET_HTTP2_H

#include <stdbool.h>
#include <stddef.h>

struct pyr_http2;

enum {
    /* How much longer the text may be than the frames it was made of: a frame's own head is longer
     * than a chunk's, so this is for the answer's head and one cut chunk. */
    PYR_HTTP2_TEXT_EXTRA_BYTES = 8192
};

enum pyr_http2_state {
    PYR_HTTP2_ALIVE,
    PYR_HTTP2_ENDED, /* the server takes no further request, and none is open */
    PYR_HTTP2_RESET, /* the server gave up the request */
    PYR_HTTP2_BAD    /* what came is not HTTP/2, or breaks its rules */
};

/* The preface and the settings are ready to be sent. */
struct pyr_http2 *pyr_http2_create(bool tls);
void pyr_http2_destroy(struct pyr_http2 *http2); /* NULL is allowed */

/* Offers bytes of a request: its head (which must hold Content-Length when there is a body), then
 * the body. They are taken while to_send is called; offered_left ends the offer and tells how many
 * were not, for want of window or of an empty socket: offer these again later. */
void pyr_http2_offer(struct pyr_http2 *http2, const char *bytes, size_t count);
size_t pyr_http2_offered_left(struct pyr_http2 *http2);
/* Frames for the socket: good until the next call; _sent drops the first bytes. */
size_t pyr_http2_to_send(struct pyr_http2 *http2, const char **bytes);
void pyr_http2_sent(struct pyr_http2 *http2, size_t count);

/* Takes frames; returns the bytes of text, for which there is room for count and
 * PYR_HTTP2_TEXT_EXTRA_BYTES. *behind: something came behind the last byte of the body. */
size_t pyr_http2_received(struct pyr_http2 *http2, const char *bytes, size_t count, char *text,
                          bool *behind);
/* Then, other than ALIVE, the connection is over, for the reason in `why`. */
enum pyr_http2_state pyr_http2_state(const struct pyr_http2 *http2);
const char *pyr_http2_why(const struct pyr_http2 *http2);
/* The socket ended: RESET in the middle of an answer, BAD when the server never greeted. */
void pyr_http2_closed(struct pyr_http2 *http2);
/* No further request can be sent. */
bool pyr_http2_is_spent(const struct pyr_http2 *http2);

#endif
