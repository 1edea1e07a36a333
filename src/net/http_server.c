/* SPDX-License-Identifier: MIT */
#include "net/http_server.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/listen.h"
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* LINGERING: all is written and our side closed; what still comes is read and dropped, for a close
 * with unread bytes would reset the connection under the answer. */
enum phase { READING, ANSWERING, STREAMING, LINGERING };

/* One connection, which is also its current exchange. */
struct pyr_http_exchange {
    struct pyr_http_server *server;
    struct pyr_http_exchange *previous, *next; /* of all connections, or of the dead */
    int fd;
    enum phase phase;
    bool chunked, keep_alive, close_when_written, dead;
    bool corked;       /* what is written waits for the uncork */
    uint32_t watched;  /* events asked of the loop */
    uint64_t since_ns; /* the request began to come in; 0: idle */
    uint64_t idle_ns;  /* when it last became idle */
    uint64_t moved_ns; /* when the queue was last empty, or became shorter */
    struct pyr_http_head head;
    struct pyr_buf body;
    unsigned refusal;     /* status that the body called for; 0: none */
    struct pyr_buf ahead; /* received beyond the request being answered */
    struct pyr_buf queue;
    size_t queue_sent;
    void *data;
};

struct pyr_http_server {
    struct pyr_http_server_config config;
    struct pyr_loop loop;
    int listener, wake;
    uint16_t port;
    bool stopping;
    bool deaf; /* no connection could be taken: the listener is not watched for a while */
    unsigned count;
    size_t held_bytes; /* of all bodies */
    struct pyr_http_exchange *connections, *dead;
    uint64_t swept_ns, sweep_every_ns;
    time_t date_s;
    char date[64];  /* the head line of that second */
    char *received; /* (READ_BYTES) */
};

enum {
    READ_BYTES = 65536,
    EVENTS = 64,
    /* Requests are not read beyond that while others wait for their answer, nor answered while so
     * much of the answers before was not taken. */
    AHEAD_BYTES = 64 << 10,
    KEPT_BYTES = 64 << 10 /* a buffer that grew beyond is given back after its request */
};
#define LINGER_NS (2 * PYR_NS_PER_S) /* longer than any round trip that a client needs to close */

/* --- connections ----------------------------------------------------------------------------- */

static void unlink_connection(struct pyr_http_exchange *exchange) {
    struct pyr_http_server *server = exchange->server;
    if (exchange->previous)
        exchange->previous->next = exchange->next;
    else
        server->connections = exchange->next;
    if (exchange->next)
        exchange->next->previous = exchange->previous;
    server->count--;
}

/* Closed now, freed at the end of the step: events and callers may still hold it. */
static void kill_connection(struct pyr_http_exchange *exchange, bool reset) {
    if (exchange->dead)
        return;
    struct pyr_http_server *server = exchange->server;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        setsockopt(exchange->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(exchange->fd);
    exchange->dead = true;
    unlink_connection(exchange);
    exchange->next = server->dead;
    server->dead = exchange;
}

/* The peer went away or broke the rules. */
static void lose_connection(struct pyr_http_exchange *exchange) {
    bool open = (exchange->phase == ANSWERING || exchange->phase == STREAMING) &&
                !exchange->close_when_written;
    if (exchange->dead)
        return;
    kill_connection(exchange, false);
    if (open && exchange->server->config.gone)
        exchange->server->config.gone(exchange->server->config.user, exchange);
}

static void free_dead(struct pyr_http_server *server) {
    while (server->dead) {
        struct pyr_http_exchange *one = server->dead;
        server->dead = one->next;
        server->held_bytes -= one->body.length;
        pyr_buf_deinit(&one->body);
        pyr_buf_deinit(&one->ahead);
        pyr_buf_deinit(&one->queue);
        pyr_free(one);
    }
}

static bool may_go_on(const struct pyr_http_exchange *exchange) {
    return exchange->phase == READING && pyr_http_queued(exchange) <= AHEAD_BYTES;
}

/* Asks the loop for what this connection waits for. One that sends more than is read ahead is only
 * watched for its end. */
static void watch(struct pyr_http_exchange *exchange) {
    bool full = exchange->ahead.length >= AHEAD_BYTES;
    bool write = (!exchange->corked && exchange->queue.length > 0) ||
                 (exchange->ahead.length > 0 && may_go_on(exchange));
    uint32_t events = (full ? EPOLLRDHUP : EPOLLIN) | (write ? EPOLLOUT : 0);
    if (exchange->dead || events == exchange->watched)
        return;
    exchange->watched = events;
    pyr_loop_change(&exchange->server->loop, exchange->fd, events, exchange);
}

static void on_body(void *user, const char *bytes, size_t count) {
    struct pyr_http_exchange *exchange = user;
    struct pyr_http_server *server = exchange->server;
    if (exchange->body.length + count > server->config.body_max) {
        exchange->refusal = 413;
    } else if (server->held_bytes + count > server->config.bodies_max) {
        exchange->refusal = 503;
    } else if (!exchange->refusal) {
        server->held_bytes += count;
        pyr_buf_append(&exchange->body, bytes, count);
    }
}

static void empty(struct pyr_buf *buf) {
    if (buf->capacity > KEPT_BYTES)
        pyr_buf_deinit(buf);
    else
        pyr_buf_clear(buf);
}

static void await_request(struct pyr_http_exchange *exchange) {
    exchange->phase = READING;
    exchange->chunked = false;
    exchange->since_ns = 0;
    exchange->idle_ns = pyr_clock_real_ns();
    exchange->refusal = 0;
    exchange->data = NULL;
    exchange->server->held_bytes -= exchange->body.length;
    empty(&exchange->body);
    pyr_http_head_init(&exchange->head, on_body, exchange);
}

/* Makes room for a new connection by closing the one that has been idle for longest, which its
 * client will open again if it still wants it; where none is idle, the one whose request has been
 * coming in for longest. False: all have requests under way. */
static bool drop_idlest(struct pyr_http_server *server) {
    struct pyr_http_exchange *idlest = NULL;
    for (struct pyr_http_exchange *one = server->connections; one; one = one->next) {
        if (one->phase != READING || pyr_http_queued(one) > 0)
            continue;
        bool better = !idlest || (!one->since_ns && idlest->since_ns);
        if (idlest && !one->since_ns == !idlest->since_ns)
            better = (one->since_ns ? one->since_ns : one->idle_ns) <
                     (idlest->since_ns ? idlest->since_ns : idlest->idle_ns);
        if (better)
            idlest = one;
    }
    if (idlest)
        kill_connection(idlest, false);
    return idlest;
}

static void accept_connections(struct pyr_http_server *server) {
    for (;;) {
        int fd = pyr_accept(server->listener);
        if (fd < 0 && errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
            return;
        if (fd < 0) { /* out of descriptors or memory: the listener would stay readable */
            if (drop_idlest(server))
                continue;
            server->deaf = true;
            pyr_loop_remove(&server->loop, server->listener);
            return;
        }
        if (server->count >= server->config.connections_max && !drop_idlest(server)) {
            close(fd);
            continue;
        }
        struct pyr_http_exchange *exchange = pyr_xcalloc(1, sizeof *exchange);
        exchange->server = server;
        exchange->fd = fd;
        exchange->watched = EPOLLIN;
        if (!pyr_loop_add(&server->loop, fd, EPOLLIN, exchange)) {
            close(fd);
            pyr_free(exchange);
            continue;
        }
        exchange->next = server->connections;
        if (exchange->next)
            exchange->next->previous = exchange;
        server->connections = exchange;
        server->count++;
        await_request(exchange);
    }
}

/* --- writing --------------------------------------------------------------------------------- */

/* Sends what is queued; false when the connection is lost. */
static bool send_queue(struct pyr_http_exchange *exchange) {
    while (exchange->queue_sent < exchange->queue.length) {
        ssize_t sent = send(exchange->fd, exchange->queue.data + exchange->queue_sent,
                            exchange->queue.length - exchange->queue_sent, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (sent < 0)
            return false;
        exchange->queue_sent += (size_t)sent;
        exchange->moved_ns = 0;
    }
    if (exchange->queue_sent == exchange->queue.length) {
        empty(&exchange->queue);
        exchange->queue_sent = 0;
    } else if (!exchange->moved_ns) {
        exchange->moved_ns = pyr_clock_real_ns();
    }
    return true;
}

/* Sends at once what can be sent and queues the rest. A loss is found by the next step, so that no
 * callback comes from inside a caller's own write. */
static void put(struct pyr_http_exchange *exchange, const char *bytes, size_t count) {
    if (exchange->dead)
        return;
    if (exchange->queue.length == 0 && !exchange->corked) {
        ssize_t sent = send(exchange->fd, bytes, count, MSG_NOSIGNAL);
        if (sent < 0)
            sent = 0;
        bytes += sent;
        count -= (size_t)sent;
        if (count)
            exchange->moved_ns = pyr_clock_real_ns();
    }
    if (count) {
        pyr_buf_append(&exchange->queue, bytes, count);
        watch(exchange);
    }
}

size_t pyr_http_queued(const struct pyr_http_exchange *exchange) {
    return exchange->queue.length - exchange->queue_sent;
}

static bool has_room(struct pyr_http_exchange *exchange, size_t count) {
    size_t queued = pyr_http_queued(exchange);
    return queued == 0 || queued + count <= exchange->server->config.queue_max;
}

bool pyr_http_raw(struct pyr_http_exchange *exchange, const void *bytes, size_t count) {
    if (!has_room(exchange, count))
        return false;
    put(exchange, bytes, count);
    return true;
}

static const char *date_line(struct pyr_http_server *server) {
    time_t now_s = time(NULL);
    struct tm utc;
    if (now_s != server->date_s && gmtime_r(&now_s, &utc))
        strftime(server->date, sizeof server->date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    server->date_s = now_s;
    return server->date;
}

static void put_head(struct pyr_http_exchange *exchange, struct pyr_buf *buf, unsigned status,
                     const char *content_type, const char *fields) {
    pyr_buf_printf(buf, "HTTP/1.1 %u %s\r\n", status, pyr_http_status_text(status));
    pyr_buf_puts(buf, date_line(exchange->server));
    if (content_type)
        pyr_buf_printf(buf, "Content-Type: %s\r\n", content_type);
    if (!exchange->keep_alive)
        pyr_buf_puts(buf, "Connection: close\r\n");
    else if (exchange->head.message.parser.http_minor == 0) /* whose rule is to close */
        pyr_buf_puts(buf, "Connection: keep-alive\r\n");
    if (fields)
        pyr_buf_puts(buf, fields);
}

static void linger(struct pyr_http_exchange *exchange) {
    shutdown(exchange->fd, SHUT_WR);
    exchange->phase = LINGERING;
    exchange->since_ns = pyr_clock_real_ns();
}

/* The answer is complete: the next request, or the end of the connection. */
static void finish(struct pyr_http_exchange *exchange) {
    if (exchange->dead)
        return;
    if (!exchange->keep_alive || exchange->server->stopping) {
        exchange->close_when_written = true;
        if (pyr_http_queued(exchange) == 0)
            linger(exchange);
        return;
    }
    await_request(exchange);
    watch(exchange); /* for a request that came meanwhile */
}

void pyr_http_reply(struct pyr_http_exchange *exchange, unsigned status, const char *content_type,
                    const char *fields, const void *body, size_t body_bytes) {
    assert(exchange->phase == ANSWERING);
    struct pyr_buf buf = {0};
    put_head(exchange, &buf, status, content_type, fields);
    if (status != 204 && status != 304)
        pyr_buf_printf(&buf, "Content-Length: %zu\r\n", body_bytes);
    pyr_buf_puts(&buf, "\r\n");
    if (strcmp(pyr_http_head_method(&exchange->head), "HEAD") != 0)
        pyr_buf_append(&buf, body, body_bytes);
    put(exchange, buf.data, buf.length);
    pyr_buf_deinit(&buf);
    finish(exchange);
}

void pyr_http_reply_text(struct pyr_http_exchange *exchange, unsigned status,
                         const char *content_type, const char *body) {
    pyr_http_reply(exchange, status, content_type, NULL, body, strlen(body));
}

void pyr_http_begin(struct pyr_http_exchange *exchange, unsigned status, const char *content_type,
                    const char *fields) {
    assert(exchange->phase == ANSWERING);
    exchange->phase = STREAMING;
    exchange->chunked = exchange->head.message.parser.http_minor > 0;
    if (!exchange->chunked)
        exchange->keep_alive = false;
    struct pyr_buf buf = {0};
    put_head(exchange, &buf, status, content_type, fields);
    pyr_buf_puts(&buf, exchange->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    put(exchange, buf.data, buf.length);
    pyr_buf_deinit(&buf);
}

bool pyr_http_write(struct pyr_http_exchange *exchange, const void *bytes, size_t count) {
    assert(exchange->phase == STREAMING);
    if (count == 0)
        return true;
    if (!has_room(exchange, count + 16))
        return false;
    if (!exchange->chunked) {
        put(exchange, bytes, count);
        return true;
    }
    /* A piece goes out in one send with its frame. */
    char frame[24];
    int head = snprintf(frame, sizeof frame, "%zx\r\n", count);
    bool corked = exchange->corked;
    exchange->corked = true;
    put(exchange, frame, (size_t)head);
    put(exchange, bytes, count);
    put(exchange, "\r\n", 2);
    if (!corked)
        pyr_http_uncork(exchange);
    return true;
}

void pyr_http_cork(struct pyr_http_exchange *exchange) {
    exchange->corked = true;
}

void pyr_http_uncork(struct pyr_http_exchange *exchange) {
    exchange->corked = false;
    if (exchange->dead)
        return;
    send_queue(exchange); /* a loss is found by the next step */
    if (exchange->close_when_written && exchange->phase != LINGERING &&
        pyr_http_queued(exchange) == 0)
        linger(exchange);
    watch(exchange);
}

void pyr_http_end(struct pyr_http_exchange *exchange) {
    assert(exchange->phase == STREAMING);
    if (exchange->chunked)
        put(exchange, "0\r\n\r\n", 5);
    finish(exchange);
}

void pyr_http_abort(struct pyr_http_exchange *exchange, bool reset) {
    kill_connection(exchange, reset);
}

void pyr_http_exchange_set(struct pyr_http_exchange *exchange, void *data) {
    exchange->data = data;
}

void *pyr_http_exchange_get(const struct pyr_http_exchange *exchange) {
    return exchange->data;
}

/* --- reading --------------------------------------------------------------------------------- */

static void refuse(struct pyr_http_exchange *exchange, unsigned status, const char *why) {
    const struct pyr_http_server_config *config = &exchange->server->config;
    exchange->phase = ANSWERING;
    exchange->keep_alive = false;
    if (config->refused)
        config->refused(config->user, exchange, status, why);
    else
        pyr_http_reply_text(exchange, status, "text/plain", pyr_http_status_text(status));
}

static void refuse_body(struct pyr_http_exchange *exchange, unsigned status) {
    char why[96];
    if (status == 413)
        snprintf(why, sizeof why, "the body is longer than the %zu bytes that are taken",
                 exchange->server->config.body_max);
    else
        snprintf(why, sizeof why, "too many long bodies at once: try again later");
    refuse(exchange, status, why);
}

static void handle_request(struct pyr_http_exchange *exchange) {
    struct pyr_http_server *server = exchange->server;
    char path[sizeof exchange->head.target];
    const char *target = exchange->head.target;
    if (strncmp(target, "http://", 7) == 0) /* as proxies are asked: the host is ours */
        target = strchr(target + 7, '/') ? strchr(target + 7, '/') : "/";
    snprintf(path, sizeof path, "%s", target);
    char *query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    exchange->phase = ANSWERING;
    exchange->keep_alive = exchange->head.keep_alive;
    struct pyr_http_request request = {
        .method = pyr_http_head_method(&exchange->head),
        .path = path,
        .query = query ? query : "",
        .head = &exchange->head,
        .body = pyr_buf_text(&exchange->body),
        .body_bytes = exchange->body.length,
    };
    server->config.handle(server->config.user, exchange, &request);
}

/* Takes bytes as far as the end of a request; the rest waits until that one is answered. */
static void take(struct pyr_http_exchange *exchange, const char *bytes, size_t count) {
    while (count && may_go_on(exchange) && !exchange->dead) {
        if (!exchange->since_ns)
            exchange->since_ns = pyr_clock_real_ns();
        const struct pyr_http_parser *message = &exchange->head.message;
        bool head_was_done = message->head_done;
        size_t taken;
        enum pyr_http_result result = pyr_http_head_feed(&exchange->head, bytes, count, &taken);
        if (result == PYR_HTTP_BAD) {
            bool long_head = message->head_bytes > PYR_HTTP_HEAD_BYTES_MAX;
            refuse(exchange, long_head ? 431 : message->long_target ? 414 : 400, message->reason);
            return;
        }
        /* What is left of a body with a length, of a chunk of another. */
        bool head_done = message->head_done;
        if (head_done && message->parser.content_length > exchange->server->config.body_max)
            exchange->refusal = 413;
        if (exchange->refusal) {
            refuse_body(exchange, exchange->refusal);
            return;
        }
        bytes += taken;
        count -= taken;
        if (result == PYR_HTTP_WHOLE)
            handle_request(exchange);
        else if (!head_was_done && head_done && exchange->head.expect_continue)
            put(exchange, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    }
    if (count && !exchange->dead)
        pyr_buf_append(&exchange->ahead, bytes, count);
}

static void take_ahead(struct pyr_http_exchange *exchange) {
    while (exchange->ahead.length && may_go_on(exchange) && !exchange->dead) {
        struct pyr_buf ahead = exchange->ahead;
        exchange->ahead = (struct pyr_buf){0};
        take(exchange, ahead.data, ahead.length);
        pyr_buf_deinit(&ahead);
    }
}

static void receive(struct pyr_http_exchange *exchange) {
    ssize_t got = recv(exchange->fd, exchange->server->received, READ_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        lose_connection(exchange);
        return;
    }
    if (exchange->phase == LINGERING || exchange->close_when_written)
        return;
    take(exchange, exchange->server->received, (size_t)got);
}

static void serve_events(struct pyr_http_exchange *exchange, uint32_t events) {
    if (exchange->dead)
        return;
    if (events & EPOLLOUT) {
        if (!send_queue(exchange)) {
            lose_connection(exchange);
            return;
        }
        if (pyr_http_queued(exchange) == 0) {
            if (exchange->close_when_written && exchange->phase != LINGERING)
                linger(exchange);
            if (exchange->phase == STREAMING && exchange->server->config.writable)
                exchange->server->config.writable(exchange->server->config.user, exchange);
        }
    }
    if (!exchange->dead && (events & EPOLLRDHUP))
        lose_connection(exchange);
    if (!exchange->dead && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        receive(exchange);
    take_ahead(exchange);
    watch(exchange);
}

/* Requests that take too long to come in, answers that nobody takes, clients that do not close. */
static void sweep(struct pyr_http_server *server, uint64_t now_ns) {
    server->swept_ns = now_ns;
    if (server->deaf && server->listener >= 0)
        server->deaf = !pyr_loop_add(&server->loop, server->listener, EPOLLIN, &server->listener);
    struct pyr_http_exchange *next;
    for (struct pyr_http_exchange *one = server->connections; one; one = next) {
        next = one->next;
        if (one->phase == READING && one->since_ns &&
            now_ns - one->since_ns > server->config.request_time_ns)
            refuse(one, 408, "the request took too long to come in");
        else if (pyr_http_queued(one) > 0 && now_ns - one->moved_ns > server->config.write_time_ns)
            lose_connection(one);
        else if (one->phase == LINGERING && now_ns - one->since_ns > LINGER_NS)
            kill_connection(one, false);
    }
}

void pyr_http_server_step(struct pyr_http_server *server, uint64_t timeout_ns) {
    struct epoll_event events[EVENTS];
    int count = pyr_loop_wait(&server->loop, events, EVENTS,
                              timeout_ns > PYR_NS_PER_S && timeout_ns != PYR_NEVER && server->count
                                  ? PYR_NS_PER_S
                                  : timeout_ns);
    for (int i = 0; i < count; i++) {
        void *data = events[i].data.ptr;
        if (data == &server->listener) {
            accept_connections(server);
        } else if (data == &server->wake) {
            uint64_t drop;
            if (read(server->wake, &drop, sizeof drop) == sizeof drop && server->config.woken)
                server->config.woken(server->config.user);
        } else {
            serve_events(data, events[i].events);
        }
    }
    uint64_t now_ns = pyr_clock_real_ns();
    if (now_ns - server->swept_ns > server->sweep_every_ns)
        sweep(server, now_ns);
    free_dead(server);
}

/* --- the server ------------------------------------------------------------------------------ */

/* As far as we may: without it connections end where the descriptors do. */
static void raise_descriptors(rlim_t connections) {
    struct rlimit files;
    rlim_t wanted = connections + 64; /* beside libraries, models and standard streams */
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
        return;
    files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &files);
}

bool pyr_http_server_open(const struct pyr_http_server_config *config,
                          struct pyr_http_server **result, struct pyr_err *err) {
    struct pyr_http_server *server = pyr_xcalloc(1, sizeof *server);
    *server = (struct pyr_http_server){.config = *config, .listener = -1, .wake = -1};
    server->loop.fd = -1;
    struct pyr_http_server_config *own = &server->config;
    own->connections_max = own->connections_max ? own->connections_max : 1024;
    own->body_max = own->body_max ? own->body_max : (size_t)16 << 20;
    own->queue_max = own->queue_max ? own->queue_max : (size_t)1 << 20;
    own->bodies_max = own->bodies_max ? own->bodies_max : 64 * own->body_max;
    own->request_time_ns = own->request_time_ns ? own->request_time_ns : 30 * PYR_NS_PER_S;
    own->write_time_ns = own->write_time_ns ? own->write_time_ns : 60 * PYR_NS_PER_S;
    server->sweep_every_ns = PYR_NS_PER_S;
    if (own->request_time_ns < server->sweep_every_ns)
        server->sweep_every_ns = own->request_time_ns;
    if (own->write_time_ns < server->sweep_every_ns)
        server->sweep_every_ns = own->write_time_ns;
    raise_descriptors(own->connections_max);
    server->received = pyr_xcalloc(1, READ_BYTES);
    server->swept_ns = pyr_clock_real_ns();
    bool good = pyr_loop_open(&server->loop, err);
    if (good && config->unix_path)
        good = pyr_listen_unix(config->unix_path, &server->listener, err);
    else if (good)
        good = pyr_listen(config->host, config->port, &server->listener, &server->port, err);
    if (good) {
        server->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        good = (server->wake >= 0 &&
                pyr_loop_add(&server->loop, server->listener, EPOLLIN, &server->listener) &&
                pyr_loop_add(&server->loop, server->wake, EPOLLIN, &server->wake)) ||
               pyr_fail_errno(err, errno, "HTTP server");
    }
    if (!good) {
        pyr_http_server_close(server);
        return false;
    }
    *result = server;
    return true;
}

uint16_t pyr_http_server_port(const struct pyr_http_server *server) {
    return server->port;
}

int pyr_http_server_fd(const struct pyr_http_server *server) {
    return server->loop.fd;
}

unsigned pyr_http_server_connections(const struct pyr_http_server *server) {
    return server->count;
}

void pyr_http_server_wake(struct pyr_http_server *server) {
    uint64_t one = 1;
    ssize_t written = write(server->wake, &one, sizeof one);
    (void)written; /* a full counter is a wake already on its way */
}

void pyr_http_server_stop(struct pyr_http_server *server) {
    server->stopping = true;
    if (server->listener >= 0) {
        if (!server->deaf)
            pyr_loop_remove(&server->loop, server->listener);
        close(server->listener);
        server->listener = -1;
    }
    struct pyr_http_exchange *next;
    for (struct pyr_http_exchange *one = server->connections; one; one = next) {
        next = one->next;
        if (one->phase == READING && pyr_http_queued(one) == 0)
            kill_connection(one, false);
    }
}

void pyr_http_server_close(struct pyr_http_server *server) {
    if (!server)
        return;
    while (server->connections)
        lose_connection(server->connections);
    free_dead(server);
    if (server->listener >= 0)
        close(server->listener);
    if (server->wake >= 0)
        close(server->wake);
    if (server->config.unix_path)
        unlink(server->config.unix_path);
    pyr_loop_close(&server->loop);
    pyr_free(server->received);
    pyr_free(server);
}
