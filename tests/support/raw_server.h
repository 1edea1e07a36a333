/* SPDX-License-Identifier: MIT
 *
 * A server on loopback that answers with given bytes, whatever they are, in a child process. What
 * it is not told it does not do: it knows nothing of HTTP but where a request ends.
 */
#ifndef PYR_TESTS_RAW_SERVER_H
#define PYR_TESTS_RAW_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum raw_end {
    RAW_KEEP,  /* the connection lives on */
    RAW_CLOSE, /* FIN */
    RAW_RESET, /* RST */
    RAW_HOLD,  /* nothing more, for good */
    RAW_REPEAT /* the bytes of `again`, for good */
};

struct raw_answer {
    const char *holds; /* the first whose text the request holds, head or body; NULL: any */
    const char *bytes;
    size_t count; /* 0: as a string */
    enum raw_end end;
    const char *again;
};

struct raw_server {
    pid_t pid;
    uint16_t port;
    char url[64]; /* "http://127.0.0.1:PORT/v1" */
    int closed;   /* a byte comes here after each RAW_CLOSE */
};

/* host NULL: 127.0.0.1. answers: ended by one without bytes. */
void raw_server_start(struct raw_server *server, const char *host,
                      const struct raw_answer *answers);
void raw_server_stop(struct raw_server *server);

/* What a good server says to GET /models and to a chat that streams; usable as they are. */
extern const char raw_models[], raw_stream[];

#endif
