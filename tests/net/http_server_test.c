/* SPDX-License-Identifier: MIT
 *
 * Server and client connection in one thread, stepped in turn: no timing decides anything.
 */
#include "support/support.h"

#include "base/buf.h"
#include "base/clock.h"
#include "net/conn.h"
#include "net/http_server.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4 };

struct world {
    struct pyr_http_server *server;
    struct pyr_endpoint endpoint;
    char received[PYR_CONN_READ_BYTES], plain[PYR_CONN_PLAIN_BYTES];
    struct pyr_conn_buffers buffers;
    struct pyr_stamp_clock clock;
    struct pyr_http_exchange *stream; /* a streamed answer that the handler left open */
    struct pyr_http_exchange *gone;
    int handled, writable, woken;
    struct pyr_buf got; /* bodies as the handler saw them */
};

static struct world world;
static uint64_t world_write_ns, world_request_ns; /* 0: the default */

static void handle(void *user, struct pyr_http_exchange *exchange,
                   const struct pyr_http_request *request) {
    struct world *w = user;
    w->handled++;
    pyr_buf_printf(&w->got, "[%s %s %s %s]", request->method, request->path, request->query,
                   request->body);
    if (strcmp(request->path, "/stream") == 0) {
        pyr_http_begin(exchange, 200, "text/event-stream", "X-Extra: 1\r\n");
        w->stream = exchange;
    } else if (strcmp(request->path, "/later") == 0) {
        w->stream = exchange;
    } else if (strcmp(request->path, "/raw") == 0) {
        pyr_http_raw(exchange, "garbage\r\n\r\n", 11);
        pyr_http_abort(exchange, false);
    } else if (strcmp(request->path, "/reset") == 0) {
        pyr_http_abort(exchange, true);
    } else {
        pyr_http_reply_text(exchange, 200, "text/plain", request->path);
    }
}

static void gone(void *user, struct pyr_http_exchange *exchange) {
    ((struct world *)user)->gone = exchange;
    ((struct world *)user)->stream = NULL;
}

static void writable(void *user, struct pyr_http_exchange *exchange) {
    (void)exchange;
    ((struct world *)user)->writable++;
}

static void woken(void *user) {
    ((struct world *)user)->woken++;
}

static void open_world(const char *unix_path) {
    memset(&world, 0, sizeof world);
    world.buffers = (struct pyr_conn_buffers){world.received, world.plain, NULL};
    pyr_stamp_clock_measure(&world.clock);
    struct pyr_http_server_config config = {.unix_path = unix_path,
                                            .connections_max = CONNECTIONS_MAX,
                                            .body_max = 300000,
                                            .queue_max = 100000,
                                            .bodies_max = 400000,
                                            .write_time_ns = world_write_ns,
                                            .request_time_ns = world_request_ns,
                                            .handle = handle,
                                            .gone = gone,
                                            .writable = writable,
                                            .woken = woken,
                                            .user = &world};
    struct pyr_err err;
    assert_ok(err, pyr_http_server_open(&config, &world.server, &err));
    char url[200];
    if (unix_path)
        snprintf(url, sizeof url, "unix:%s:/v1", unix_path);
    else
        snprintf(url, sizeof url, "http://127.0.0.1:%u/v1", pyr_http_server_port(world.server));
    assert_ok(err, pyr_endpoint_open(url, NULL, NULL, &world.endpoint, &err));
}

static void close_world(void) {
    pyr_http_server_close(world.server);
    pyr_endpoint_close(&world.endpoint);
    pyr_buf_deinit(&world.got);
}

static void step(void) {
    pyr_http_server_step(world.server, 0);
}

static void connect_client(struct pyr_conn *conn) {
    pyr_conn_init(conn, &world.endpoint);
    assert_true(pyr_conn_start(conn, 1));
    while (conn->state != PYR_CONN_READY) {
        step();
        struct pollfd pollfd = {.fd = conn->fd, .events = POLLOUT};
        poll(&pollfd, 1, 10);
        assert_true(pyr_conn_advance(conn, &world.buffers));
    }
}

static void send_text(struct pyr_conn *conn, const char *text) {
    size_t length = strlen(text);
    while (length) {
        ssize_t sent = pyr_conn_write(conn, text, length);
        assert_true(sent >= 0);
        text += sent;
        length -= (size_t)sent;
        step();
    }
}

/* Steps the server and reads until the text ends in `end` or the connection is over. */
static enum pyr_io read_until(struct pyr_conn *conn, struct pyr_buf *text, const char *end) {
    pyr_buf_clear(text);
    for (int i = 0; i < 20000; i++) {
        step();
        struct pyr_read read = {0};
        enum pyr_io io = pyr_conn_read(conn, &world.buffers, &world.clock, &read);
        if (io == PYR_IO_DATA) {
            pyr_buf_append(text, read.bytes, read.count);
            uint64_t now = pyr_clock_real_ns();
            /* The kernel turns stamps on a moment after they are asked for: none is possible. A
             * clock step between the measurement and here would be the machine's. */
            assert_true(read.kernel_ns < now + PYR_NS_PER_S);
            if (!conn->stamps)
                assert_int_equal(read.kernel_ns, 0);
        } else if (io != PYR_IO_AGAIN) {
            return io;
        }
        size_t length = strlen(end);
        if (text->length >= length && memcmp(text->data + text->length - length, end, length) == 0)
            return PYR_IO_DATA;
    }
    return PYR_IO_AGAIN;
}

static void requests_are_answered_and_the_connection_kept(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn conn;
    struct pyr_buf text = {0};
    connect_client(&conn);
    for (int i = 0; i < 3; i++) {
        send_text(&conn, "POST /echo?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
        assert_int_equal(read_until(&conn, &text, "/echo"), PYR_IO_DATA);
        assert_non_null(strstr(text.data, "HTTP/1.1 200 OK\r\n"));
        assert_non_null(strstr(text.data, "Content-Length: 5\r\n"));
    }
    assert_string_equal(world.got.data,
                        "[POST /echo a=b body][POST /echo a=b body][POST /echo a=b body]");
    assert_int_equal(pyr_http_server_connections(world.server), 1);
    pyr_conn_close(&conn, false);
    while (pyr_http_server_connections(world.server))
        step();
    pyr_buf_deinit(&text);
    close_world();
}

static void requests_sent_ahead_are_answered_in_order(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn conn;
    struct pyr_buf text = {0};
    connect_client(&conn);
    send_text(&conn, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\nGET /one HTTP/1.1\r\nHost: "
                     "h\r\n\r\nGET /two HTTP/1.1\r\nHost: h\r\n\r\n");
    read_until(&conn, &text, "\r\n\r\n");
    assert_int_equal(world.handled, 1);
    assert_true(pyr_http_write(world.stream, "x", 1));
    pyr_http_end(world.stream);
    assert_int_equal(read_until(&conn, &text, "/two"), PYR_IO_DATA);
    assert_memory_equal(text.data, "1\r\nx\r\n0\r\n\r\nHTTP/1.1 200", 23);
    assert_true(strstr(text.data, "/one") < strstr(text.data, "/two"));
    pyr_conn_close(&conn, false);
    pyr_buf_deinit(&text);
    close_world();
}

static void a_slow_reader_holds_the_writer_back(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn conn;
    struct pyr_buf text = {0};
    static char block[50000];
    memset(block, 'x', sizeof block);
    connect_client(&conn);
    send_text(&conn, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    while (!world.stream)
        step();
    size_t taken = 0;
    while (pyr_http_write(world.stream, block, sizeof block))
        assert_true(++taken < 10000);
    assert_true(pyr_http_queued(world.stream) > 0 && pyr_http_queued(world.stream) <= 100000);
    assert_int_equal(world.writable, 0);
    size_t received = 0;
    while (!world.writable) {
        struct pyr_read read = {0};
        if (pyr_conn_read(&conn, &world.buffers, &world.clock, &read) == PYR_IO_DATA)
            received += read.count;
        step();
    }
    pyr_http_end(world.stream);
    read_until(&conn, &text, "0\r\n\r\n");
    assert_true(received + text.length > taken * sizeof block);
    pyr_conn_close(&conn, false);
    pyr_buf_deinit(&text);
    close_world();
}

static void a_client_that_leaves_is_noticed(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn conn;
    static const char *const paths[] = {"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n",
                                        "GET /later HTTP/1.1\r\nHost: h\r\n\r\n"};
    for (int i = 0; i < 2; i++) {
        connect_client(&conn);
        send_text(&conn, paths[i]);
        while (!world.stream)
            step();
        struct pyr_http_exchange *exchange = world.stream;
        pyr_conn_close(&conn, i == 0);
        while (!world.gone)
            step();
        assert_ptr_equal(world.gone, exchange);
        world.gone = NULL;
    }
    close_world();
}

static void bad_requests_get_their_status_and_a_close(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn conn;
    struct pyr_buf text = {0}, big = {0};
    connect_client(&conn);
    send_text(&conn, "NONSENSE\r\n\r\n");
    assert_int_equal(read_until(&conn, &text, "never"), PYR_IO_EOF);
    assert_non_null(strstr(text.data, "HTTP/1.1 400 Bad Request"));
    pyr_conn_close(&conn, false);

    connect_client(&conn);
    pyr_buf_puts(&big, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n");
    for (int i = 0; i < 400000; i++)
        pyr_buf_putc(&big, 'x');
    send_text(&conn, big.data);
    assert_int_equal(read_until(&conn, &text, "never"), PYR_IO_EOF);
    assert_non_null(strstr(text.data, "HTTP/1.1 413"));
    pyr_conn_close(&conn, false);
    /* What is announced need not come. */
    static const char *const announced[] = {"Content-Length: 99999999999\r\n\r\n",
                                            "Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n"};
    for (int i = 0; i < 2; i++) {
        connect_client(&conn);
        pyr_buf_clear(&big);
        pyr_buf_printf(&big, "POST / HTTP/1.1\r\nHost: h\r\n%s", announced[i]);
        pyr_buf_clear(&text);
        send_text(&conn, big.data);
        assert_int_equal(read_until(&conn, &text, "never"), PYR_IO_EOF);
        assert_non_null(strstr(text.data, "HTTP/1.1 413"));
        pyr_conn_close(&conn, false);
    }
    assert_int_equal(world.handled, 0);

    connect_client(&conn);
    send_text(&conn,
              "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal(read_until(&conn, &text, "Continue\r\n\r\n"), PYR_IO_DATA);
    send_text(&conn, "ab");
    assert_int_equal(read_until(&conn, &text, "/x"), PYR_IO_DATA);
    pyr_conn_close(&conn, false);
    pyr_buf_deinit(&text);
    pyr_buf_deinit(&big);
    close_world();
}

static void closes_and_resets_reach_the_client(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn conn;
    struct pyr_buf text = {0};
    connect_client(&conn);
    send_text(&conn, "GET /raw HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(read_until(&conn, &text, "never"), PYR_IO_EOF);
    assert_string_equal(text.data, "garbage\r\n\r\n");
    pyr_conn_close(&conn, false);
    connect_client(&conn);
    send_text(&conn, "GET /reset HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(read_until(&conn, &text, "never"), PYR_IO_FAILED);
    assert_int_equal(conn.failure, PYR_CONN_RESET);
    pyr_conn_close(&conn, false);
    /* HTTP/1.0 knows no chunks: the end of the connection is the end of the answer. */
    connect_client(&conn);
    send_text(&conn, "GET /stream HTTP/1.0\r\n\r\n");
    read_until(&conn, &text, "\r\n\r\n");
    assert_null(strstr(text.data, "chunked"));
    pyr_http_write(world.stream, "plain", 5);
    pyr_http_end(world.stream);
    assert_int_equal(read_until(&conn, &text, "never"), PYR_IO_EOF);
    assert_string_equal(text.data, "plain");
    pyr_conn_close(&conn, false);
    pyr_buf_deinit(&text);
    close_world();
}

static void stop_lets_open_answers_end(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn conn, idle;
    struct pyr_buf text = {0};
    connect_client(&conn);
    connect_client(&idle);
    send_text(&conn, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    read_until(&conn, &text, "\r\n\r\n");
    while (pyr_http_server_connections(world.server) < 2)
        step();
    pyr_http_server_stop(world.server);
    assert_int_equal(read_until(&idle, &text, "never"), PYR_IO_EOF);
    pyr_http_write(world.stream, "last", 4);
    pyr_http_end(world.stream);
    assert_int_equal(read_until(&conn, &text, "never"), PYR_IO_EOF);
    assert_string_equal(text.data, "4\r\nlast\r\n0\r\n\r\n");
    pyr_conn_close(&conn, false);
    pyr_conn_close(&idle, false);
    struct pyr_conn refused;
    pyr_conn_init(&refused, &world.endpoint);
    bool started = pyr_conn_start(&refused, 1);
    while (started && refused.state == PYR_CONN_CONNECTING)
        started = pyr_conn_advance(&refused, &world.buffers);
    assert_false(started);
    assert_int_equal(refused.failure, PYR_CONN_REFUSED);
    pyr_buf_deinit(&text);
    close_world();
}

static void a_unix_socket_works_the_same(void **state) {
    (void)state;
    char dir[200], path[300];
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/s", dir);
    open_world(path);
    struct pyr_conn conn;
    struct pyr_buf text = {0};
    connect_client(&conn);
    assert_false(conn.stamps);
    send_text(&conn, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(read_until(&conn, &text, "/x"), PYR_IO_DATA);
    pyr_conn_close(&conn, false);
    /* A second server may not take a socket that is in use. */
    struct pyr_http_server_config config = {.unix_path = path, .handle = handle};
    struct pyr_http_server *second;
    struct pyr_err err;
    assert_false(pyr_http_server_open(&config, &second, &err));
    pyr_buf_deinit(&text);
    close_world();
    rmdir(dir);
}

static void a_full_server_closes_the_idlest_connection(void **state) {
    (void)state;
    enum { IDLEST = 1 };
    open_world(NULL);
    struct pyr_conn conns[CONNECTIONS_MAX + 1];
    struct pyr_buf text = {0};
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        connect_client(&conns[i]);
    for (int i = 0; i < CONNECTIONS_MAX + 1; i++) {
        int which = (i + IDLEST) % CONNECTIONS_MAX;
        if (i == CONNECTIONS_MAX)
            connect_client(&conns[which = i]);
        pyr_buf_clear(&text);
        send_text(&conns[which], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_int_equal(read_until(&conns[which], &text, "/x"), PYR_IO_DATA);
    }
    assert_int_equal(pyr_http_server_connections(world.server), CONNECTIONS_MAX);
    assert_int_equal(read_until(&conns[IDLEST], &text, "never"), PYR_IO_EOF);
    for (int i = 0; i < CONNECTIONS_MAX + 1; i++)
        pyr_conn_close(&conns[i], false);
    pyr_buf_deinit(&text);
    close_world();
}

/* Answers that nobody reads are not heaped up, however many requests are sent ahead. */
static void who_does_not_read_is_not_answered_on_and_on(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn conn;
    static const char ask[] = "GET /later HTTP/1.1\r\nHost: h\r\n\r\n";
    static char block[30000];
    struct pyr_buf many = {0};
    for (int i = 0; i < 500; i++)
        pyr_buf_puts(&many, ask);
    connect_client(&conn);
    int blocked = 0, answered = 0;
    size_t sent = 0;
    while (blocked < 200) { /* until nothing moves any more */
        ssize_t taken = pyr_conn_write(&conn, many.data + sent % (sizeof ask - 1),
                                       many.length - sent % (sizeof ask - 1));
        assert_true(taken >= 0);
        sent += (size_t)taken;
        step();
        struct pyr_http_exchange *one = world.stream;
        world.stream = NULL;
        if (one) {
            pyr_http_reply(one, 200, "text/plain", NULL, block, sizeof block);
            answered++;
        }
        blocked = taken || one ? 0 : blocked + 1;
        assert_true(answered < 5000);
    }
    assert_int_equal(world.handled, answered);
    assert_int_equal(pyr_http_server_connections(world.server), 1);
    /* It goes on as soon as it reads. */
    for (int more = answered + 20; answered < more;) {
        struct pyr_read read = {0};
        pyr_conn_read(&conn, &world.buffers, &world.clock, &read);
        step();
        struct pyr_http_exchange *one = world.stream;
        world.stream = NULL;
        if (one) {
            pyr_http_reply(one, 200, "text/plain", NULL, block, sizeof block);
            answered++;
        }
    }
    /* And is noticed when it goes, though its requests are not read. */
    world.stream = NULL;
    while (!world.stream) {
        struct pyr_read read = {0};
        pyr_conn_read(&conn, &world.buffers, &world.clock, &read);
        step();
    }
    pyr_conn_close(&conn, false);
    while (!world.gone)
        step();
    assert_int_equal(pyr_http_server_connections(world.server), 0);
    pyr_buf_deinit(&many);
    close_world();
}

static void who_takes_nothing_is_dropped_in_the_end(void **state) {
    (void)state;
    world_write_ns = 1;
    open_world(NULL);
    struct pyr_conn conn;
    static char block[50000];
    connect_client(&conn);
    send_text(&conn, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    while (!world.stream)
        step();
    struct pyr_http_exchange *exchange = world.stream;
    while (pyr_http_write(world.stream, block, sizeof block))
        ;
    while (!world.gone)
        step();
    assert_ptr_equal(world.gone, exchange);
    pyr_conn_close(&conn, false);
    world_write_ns = 0;
    close_world();
}

static void a_request_that_does_not_end_is_refused(void **state) {
    (void)state;
    world_request_ns = 1;
    open_world(NULL);
    struct pyr_conn conn;
    struct pyr_buf text = {0};
    connect_client(&conn);
    send_text(&conn, "GET /slow HTTP/1.1\r\nHost: h\r\nX: ");
    assert_int_equal(read_until(&conn, &text, "never"), PYR_IO_EOF);
    assert_non_null(strstr(text.data, "HTTP/1.1 408"));
    pyr_conn_close(&conn, false);
    world_request_ns = 0;
    pyr_buf_deinit(&text);
    close_world();
}

static void bodies_are_bounded_together(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn first, second;
    struct pyr_buf text = {0}, big = {0};
    connect_client(&first);
    connect_client(&second);
    pyr_buf_puts(&big, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 250001\r\n\r\n");
    for (int i = 0; i < 250000; i++)
        pyr_buf_putc(&big, 'x');
    send_text(&first, big.data);
    for (int i = 0; i < 100; i++)
        step();
    send_text(&second, big.data);
    assert_int_equal(read_until(&second, &text, "never"), PYR_IO_EOF);
    assert_non_null(strstr(text.data, "HTTP/1.1 503"));
    send_text(&first, "x");
    assert_int_equal(read_until(&first, &text, "/x"), PYR_IO_DATA);
    pyr_conn_close(&first, false);
    pyr_conn_close(&second, false);
    /* The room is there again. */
    connect_client(&second);
    pyr_buf_putc(&big, 'x');
    send_text(&second, big.data);
    assert_int_equal(read_until(&second, &text, "/x"), PYR_IO_DATA);
    pyr_conn_close(&second, false);
    pyr_buf_deinit(&text);
    pyr_buf_deinit(&big);
    close_world();
}

static void what_is_corked_goes_out_together(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn conn;
    struct pyr_buf text = {0};
    connect_client(&conn);
    send_text(&conn, "GET /later HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    while (!world.stream)
        step();
    pyr_http_cork(world.stream);
    pyr_http_begin(world.stream, 200, "text/plain", NULL);
    pyr_http_write(world.stream, "ab", 2);
    pyr_http_end(world.stream);
    assert_true(pyr_http_queued(world.stream) > 0);
    pyr_http_uncork(world.stream);
    struct pyr_read read = {0};
    while (pyr_conn_read(&conn, &world.buffers, &world.clock, &read) == PYR_IO_AGAIN)
        step();
    pyr_buf_append(&text, read.bytes, read.count);
    assert_non_null(strstr(pyr_buf_text(&text), "\r\nDate: "));
    assert_non_null(strstr(pyr_buf_text(&text), "\r\n\r\n2\r\nab\r\n0\r\n\r\n"));
    assert_int_equal(read_until(&conn, &text, "never"), PYR_IO_EOF);
    pyr_conn_close(&conn, false);
    pyr_buf_deinit(&text);
    close_world();
}

static void a_client_of_http_1_0_is_kept_when_it_asks(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn conn;
    struct pyr_buf text = {0};
    connect_client(&conn);
    for (int i = 0; i < 2; i++) {
        send_text(&conn, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_int_equal(read_until(&conn, &text, "/x"), PYR_IO_DATA);
        assert_non_null(strstr(text.data, "Connection: keep-alive"));
    }
    send_text(&conn, "GET /x HTTP/1.0\r\n\r\n");
    assert_int_equal(read_until(&conn, &text, "never"), PYR_IO_EOF);
    assert_non_null(strstr(text.data, "Connection: close"));
    pyr_conn_close(&conn, false);
    pyr_buf_deinit(&text);
    close_world();
}

static void a_target_may_name_its_host(void **state) {
    (void)state;
    open_world(NULL);
    struct pyr_conn conn;
    struct pyr_buf text = {0};
    connect_client(&conn);
    send_text(&conn, "GET http://example.org:1/x?y HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(read_until(&conn, &text, "/x"), PYR_IO_DATA);
    assert_string_equal(world.got.data, "[GET /x y ]");
    send_text(&conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_int_equal(read_until(&conn, &text, "never"), PYR_IO_EOF);
    assert_non_null(strstr(text.data, "HTTP/1.1 400"));
    pyr_conn_close(&conn, false);
    pyr_buf_deinit(&text);
    close_world();
}

static void wake_and_limits_hold(void **state) {
    (void)state;
    open_world(NULL);
    pyr_http_server_wake(world.server);
    pyr_http_server_wake(world.server);
    pyr_http_server_step(world.server, PYR_NEVER);
    assert_int_equal(world.woken, 1);
    close_world();
    struct pyr_endpoint endpoint;
    struct pyr_err err;
    assert_false(pyr_endpoint_open("http://no-such-host.invalid/v1", NULL, NULL, &endpoint, &err));
    assert_non_null(strstr(err.text, "no-such-host.invalid"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered_and_the_connection_kept),
        cmocka_unit_test(requests_sent_ahead_are_answered_in_order),
        cmocka_unit_test(a_slow_reader_holds_the_writer_back),
        cmocka_unit_test(a_client_that_leaves_is_noticed),
        cmocka_unit_test(bad_requests_get_their_status_and_a_close),
        cmocka_unit_test(closes_and_resets_reach_the_client),
        cmocka_unit_test(stop_lets_open_answers_end),
        cmocka_unit_test(a_unix_socket_works_the_same),
        cmocka_unit_test(a_full_server_closes_the_idlest_connection),
        cmocka_unit_test(who_does_not_read_is_not_answered_on_and_on),
        cmocka_unit_test(who_takes_nothing_is_dropped_in_the_end),
        cmocka_unit_test(a_request_that_does_not_end_is_refused),
        cmocka_unit_test(bodies_are_bounded_together),
        cmocka_unit_test(what_is_corked_goes_out_together),
        cmocka_unit_test(a_client_of_http_1_0_is_kept_when_it_asks),
        cmocka_unit_test(a_target_may_name_its_host),
        cmocka_unit_test(wake_and_limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
