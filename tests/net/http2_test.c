/* SPDX-License-Identifier: MIT
 *
 * HTTP/2 as a filter of bytes, against a server session of nghttp2 in memory: known answers, and
 * what a server can do wrong.
 */
#include "support/support.h"

#include "base/buf.h"
#include "net/http2.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

static struct {
    struct pyr_http2 *client;
    nghttp2_session *session;
    struct pyr_buf request; /* "name=value" lines, then the body */
    struct pyr_buf text;    /* what the client made of the answer */
    int32_t stream;
    bool request_over, behind;
    const char *body;
    size_t body_bytes;
    bool body_ends;
} world;

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags,
                     void *user) {
    (void)session, (void)flags, (void)user;
    world.stream = frame->hd.stream_id;
    pyr_buf_printf(&world.request, "%.*s=%.*s\n", (int)name_bytes, (const char *)name,
                   (int)value_bytes, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t count, void *user) {
    (void)session, (void)flags, (void)stream, (void)user;
    pyr_buf_append(&world.request, (const char *)bytes, count);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)session, (void)user;
    if (frame->hd.stream_id && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        world.request_over = true;
    return 0;
}

static ssize_t give(nghttp2_session *session, int32_t stream, uint8_t *out, size_t capacity,
                    uint32_t *flags, nghttp2_data_source *source, void *user) {
    (void)session, (void)stream, (void)source, (void)user;
    size_t count = world.body_bytes < capacity ? world.body_bytes : capacity;
    memcpy(out, world.body, count);
    world.body += count;
    world.body_bytes -= count;
    if (!world.body_bytes && world.body_ends)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return count || world.body_ends ? (ssize_t)count : NGHTTP2_ERR_DEFERRED;
}

static int start(void **state) {
    (void)state;
    nghttp2_session_callbacks *callbacks;
    memset(&world, 0, sizeof world);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_option *option;
    nghttp2_option_new(&option);
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
    nghttp2_session_server_new2(&world.session, callbacks, NULL, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(world.session, 0, NULL, 0);
    world.client = pyr_http2_create(true);
    return 0;
}

static int stop(void **state) {
    (void)state;
    pyr_http2_destroy(world.client);
    nghttp2_session_del(world.session);
    pyr_buf_deinit(&world.request);
    pyr_buf_deinit(&world.text);
    return 0;
}

static void to_client(const void *bytes, size_t count) {
    char *text = malloc(count + PYR_HTTP2_TEXT_EXTRA_BYTES);
    size_t length = pyr_http2_received(world.client, bytes, count, text, &world.behind);
    pyr_buf_append(&world.text, text, length);
    free(text);
}

/* Both ways, until neither has anything to say; the server's bytes come `step` at a time. */
static void exchange(size_t step) {
    for (bool moved = true; moved;) {
        const char *out;
        const uint8_t *in;
        size_t count;
        moved = false;
        while ((count = pyr_http2_to_send(world.client, &out)) > 0) {
            count = count < 1000 ? count : 1000;
            assert_int_equal(nghttp2_session_mem_recv(world.session, (const uint8_t *)out, count),
                             count);
            pyr_http2_sent(world.client, count);
            moved = true;
        }
        ssize_t got;
        while ((got = nghttp2_session_mem_send(world.session, &in)) > 0) {
            moved = true;
            for (size_t at = 0; at < (size_t)got; at += step)
                to_client(in + at, (size_t)got - at < step ? (size_t)got - at : step);
        }
    }
}

static size_t ask(const char *request) {
    pyr_http2_offer(world.client, request, strlen(request));
    exchange(1 << 20);
    return pyr_http2_offered_left(world.client);
}

static const char get[] = "GET /v1/models HTTP/1.1\r\nHost: here:1\r\nConnection: close\r\n"
                          "X-Mine: Yes\r\n\r\n";

static nghttp2_nv field(const char *name, const char *value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), 0};
}

static void answer(const char *status, const char *body, bool ends) {
    nghttp2_nv fields[] = {field(":status", status), field("content-type", "text/event-stream"),
                           field("x-other", "1")};
    nghttp2_data_provider provider = {.read_callback = give};
    world.body = body;
    world.body_bytes = strlen(body);
    world.body_ends = ends;
    nghttp2_submit_response(world.session, world.stream, fields, 3, &provider);
}

static void check_text(const char *wanted) {
    assert_string_equal(pyr_buf_text(&world.text), wanted);
}

static void a_request_becomes_a_stream_and_its_answer_text(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        world.request.length = world.text.length = 0;
        assert_int_equal(ask(get), 0);
        assert_string_equal(pyr_buf_text(&world.request),
                            ":method=GET\n:path=/v1/models\n:scheme=https\n:authority=here:1\n"
                            "x-mine=Yes\n");
        assert_true(world.request_over);
        answer("200", "data: 1\n\n", true);
        exchange(1 << 20);
        check_text("HTTP/1.1 200 \r\ncontent-type: text/event-stream\r\n"
                   "transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n");
        assert_int_equal(pyr_http2_state(world.client), PYR_HTTP2_ALIVE);
        assert_false(pyr_http2_is_spent(world.client));
    }
}

static void an_answer_in_single_bytes_is_the_same_body(void **state) {
    (void)state;
    ask(get);
    answer("200", "ab", true);
    exchange(1);
    assert_non_null(strstr(pyr_buf_text(&world.text), "1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
}

static void what_comes_behind_the_body_is_told(void **state) {
    (void)state;
    static const uint8_t ping[17] = {0, 0, 8, 6}, data[11] = {0, 0, 2, 0, 0, 0, 0, 0, 1, 'a', 'b'};
    uint8_t both[sizeof data + sizeof ping];
    ask(get);
    answer("200", "x", false);
    exchange(1 << 20);
    to_client(data, sizeof data);
    assert_false(world.behind);
    memcpy(both, data, sizeof data);
    memcpy(both + sizeof data, ping, sizeof ping);
    to_client(both, sizeof both);
    assert_true(world.behind);
}

static void a_body_waits_for_the_servers_window(void **state) {
    (void)state;
    enum { BYTES = 200000 };
    char *request = malloc(BYTES + 200);
    int head = sprintf(request, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", BYTES);
    memset(request + head, 'x', BYTES);
    nghttp2_session_del(world.session);
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_server_new2(&world.session, callbacks, NULL, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(world.session, 0, NULL, 0);

    pyr_http2_offer(world.client, request, (size_t)head + BYTES);
    exchange(1 << 20);
    size_t left = pyr_http2_offered_left(world.client);
    assert_int_equal(left, BYTES - 65535);
    assert_false(world.request_over);
    nghttp2_submit_window_update(world.session, 0, 0, BYTES);
    nghttp2_submit_window_update(world.session, 0, world.stream, BYTES);
    exchange(1 << 20);
    pyr_http2_offer(world.client, request + head + BYTES - left, left);
    exchange(1 << 20);
    assert_int_equal(pyr_http2_offered_left(world.client), 0);
    assert_true(world.request_over);
    free(request);
}

static void expect_end(enum pyr_http2_state state, const char *why) {
    if (pyr_http2_state(world.client) != state || !strstr(pyr_http2_why(world.client), why))
        fail_msg("state %d: %s", pyr_http2_state(world.client), pyr_http2_why(world.client));
    assert_true(pyr_http2_is_spent(world.client));
}

static void a_stream_reset_in_the_middle_is_a_reset(void **state) {
    (void)state;
    ask(get);
    answer("200", "x", false);
    exchange(1 << 20);
    nghttp2_submit_rst_stream(world.session, 0, world.stream, NGHTTP2_INTERNAL_ERROR);
    exchange(1 << 20);
    expect_end(PYR_HTTP2_RESET, "reset the stream (INTERNAL_ERROR)");
    assert_null(strstr(pyr_buf_text(&world.text), "0\r\n\r\n"));
}

static void a_refused_stream_is_a_reset(void **state) {
    (void)state;
    ask(get);
    nghttp2_submit_rst_stream(world.session, 0, world.stream, NGHTTP2_REFUSED_STREAM);
    exchange(1 << 20);
    expect_end(PYR_HTTP2_RESET, "REFUSED_STREAM");
}

static void a_goaway_lets_the_open_stream_end_and_no_other_begin(void **state) {
    (void)state;
    ask(get);
    nghttp2_submit_goaway(world.session, 0, world.stream, 0, NULL, 0);
    exchange(1 << 20);
    assert_int_equal(pyr_http2_state(world.client), PYR_HTTP2_ALIVE);
    assert_true(pyr_http2_is_spent(world.client));
    answer("200", "x", true);
    exchange(1 << 20);
    assert_non_null(strstr(pyr_buf_text(&world.text), "0\r\n\r\n"));
    expect_end(PYR_HTTP2_ENDED, "closed");
}

static void a_goaway_to_an_idle_connection_ends_it(void **state) {
    (void)state;
    exchange(1 << 20);
    nghttp2_submit_goaway(world.session, 0, 0, 0, NULL, 0);
    exchange(1 << 20);
    expect_end(PYR_HTTP2_ENDED, "closed");
    check_text("");
}

static void a_head_without_end_is_given_up(void **state) {
    (void)state;
    enum { FIELDS = 40 };
    nghttp2_nv fields[FIELDS];
    char *value = malloc(2001);
    memset(value, 'a', 2000);
    value[2000] = '\0';
    ask(get);
    fields[0] = field(":status", "200");
    /* The same field again and again: a few bytes on the wire. */
    for (int i = 1; i < FIELDS; i++)
        fields[i] = field("x-long", value);
    nghttp2_submit_response(world.session, world.stream, fields, FIELDS, NULL);
    exchange(1 << 20);
    free(value);
    expect_end(PYR_HTTP2_BAD, "longer than 64 KiB");
    check_text("");
}

static void a_status_that_is_none_ends_the_connection(void **state) {
    (void)state;
    ask(get);
    answer("013", "a body", true);
    exchange(1 << 20);
    expect_end(PYR_HTTP2_BAD, "the answer's status is not one of HTTP");
}

static void an_answer_in_another_protocol_is_named(void **state) {
    (void)state;
    static const char other[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    pyr_http2_offer(world.client, get, sizeof get - 1);
    const char *out;
    for (size_t count; (count = pyr_http2_to_send(world.client, &out)) > 0;)
        pyr_http2_sent(world.client, count);
    to_client(other, sizeof other - 1);
    expect_end(PYR_HTTP2_BAD, "does not speak HTTP/2");
    check_text("");
}

/* What the client still wants to say goes nowhere, as to a server that is gone. */
static void drop_what_is_sent(void) {
    const char *out;
    for (size_t count; (count = pyr_http2_to_send(world.client, &out)) > 0;)
        pyr_http2_sent(world.client, count);
}

static void what_breaks_the_rules_after_the_greeting_is_no_reset(void **state) {
    static const struct {
        const char *frame;
        size_t bytes;
        const char *why;
    } cases[] = {
        {"\0\x40\1\0\0\0\0\0\1", 9, "FRAME_SIZE_ERROR"},       /* DATA of 16385 bytes */
        {"\0\0\5\4\0\0\0\0\0abcde", 14, "FRAME_SIZE_ERROR"},   /* half a setting */
        {"\0\0\1\1\4\0\0\0\2\x88", 10, "PROTOCOL_ERROR"},      /* HEADERS of no request */
        {"\0\0\4\x8\0\0\0\0\0\0\0\0\0", 13, "PROTOCOL_ERROR"}, /* a window of nothing */
        {"\0\0\1\1\4\0\0\0\1\xff", 10, "COMPRESSION_ERROR"},   /* a head that is none */
        {"\0\0\1\0\0\0\0\0\7x", 10, "PROTOCOL_ERROR"},         /* DATA of an idle stream */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(get);
        to_client(cases[i].frame, cases[i].bytes);
        drop_what_is_sent();
        pyr_http2_closed(world.client);
        if (pyr_http2_state(world.client) != PYR_HTTP2_BAD)
            fail_msg("case %zu: %s", i, pyr_http2_why(world.client));
        expect_end(PYR_HTTP2_BAD, cases[i].why);
        stop(state);
        start(state);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_becomes_a_stream_and_its_answer_text, start,
                                        stop),
        cmocka_unit_test_setup_teardown(an_answer_in_single_bytes_is_the_same_body, start, stop),
        cmocka_unit_test_setup_teardown(what_comes_behind_the_body_is_told, start, stop),
        cmocka_unit_test_setup_teardown(a_body_waits_for_the_servers_window, start, stop),
        cmocka_unit_test_setup_teardown(a_stream_reset_in_the_middle_is_a_reset, start, stop),
        cmocka_unit_test_setup_teardown(a_refused_stream_is_a_reset, start, stop),
        cmocka_unit_test_setup_teardown(a_goaway_lets_the_open_stream_end_and_no_other_begin, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_goaway_to_an_idle_connection_ends_it, start, stop),
        cmocka_unit_test_setup_teardown(a_head_without_end_is_given_up, start, stop),
        cmocka_unit_test_setup_teardown(a_status_that_is_none_ends_the_connection, start, stop),
        cmocka_unit_test_setup_teardown(an_answer_in_another_protocol_is_named, start, stop),
        cmocka_unit_test_setup_teardown(what_breaks_the_rules_after_the_greeting_is_no_reset, start,
                                        stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
