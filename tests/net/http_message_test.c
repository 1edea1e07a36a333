/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/buf.h"
#include "net/http_message.h"

#include <stdlib.h>
#include <string.h>

static void keep(void *user, const char *bytes, size_t count) {
    pyr_buf_append(user, bytes, count);
}

/* Feeds the text in pieces of at most `longest` bytes; *taken counts what belonged to the message.
 */
static enum pyr_http_result feed(struct pyr_http_response *response, const char *text,
                                 size_t longest, size_t *taken, struct pyr_buf *body) {
    size_t length = strlen(text), at = 0;
    enum pyr_http_result result = PYR_HTTP_MORE;
    pyr_buf_clear(body);
    pyr_http_response_init(response, keep, body);
    while (at < length && result == PYR_HTTP_MORE) {
        size_t count = length - at < longest ? length - at : longest, one = 0;
        char *piece = malloc(count);
        memcpy(piece, text + at, count);
        result = pyr_http_response_feed(response, piece, count, &one);
        free(piece);
        at += one;
    }
    *taken = at;
    return result;
}

static void answers_are_read_at_any_split(void **state) {
    (void)state;
    const char *text =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nServer: x\r\n"
        "Retry-After: 7\r\nX-Long-Header-Name-That-Nobody-Reads: y\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n";
    struct pyr_buf body = {0};
    for (size_t longest = 1; longest < 200; longest += 3) {
        struct pyr_http_response response;
        size_t taken;
        assert_int_equal(feed(&response, text, longest, &taken, &body), PYR_HTTP_WHOLE);
        assert_int_equal(taken, strlen(text));
        assert_int_equal(response.status, 200);
        assert_string_equal(response.content_type, "text/event-stream");
        assert_string_equal(response.server, "x");
        assert_string_equal(response.retry_after, "7");
        assert_string_equal(pyr_buf_text(&body), "hello world");
        assert_true(response.keep_alive);
    }
    pyr_buf_deinit(&body);
}

static void expect_complaint(const char *bytes, size_t count, const char *wanted) {
    struct pyr_http_response response;
    char text[160];
    size_t taken;
    pyr_http_response_init(&response, NULL, NULL);
    assert_int_equal(pyr_http_response_feed(&response, bytes, count, &taken), PYR_HTTP_BAD);
    pyr_http_response_complaint(&response, bytes, count, text, sizeof text);
    assert_string_equal(text, wanted);
}

static void what_speaks_something_else_is_named(void **state) {
    (void)state;
    static const char ssh[] = "SSH-2.0-x\x1b[31m\r\n", alert[] = "\x15\3\1\0\2\2\x16",
                      frame[] = "\0\0\0\4\0\0\0\0\0", json[] = "{\"data\":[]}",
                      twice[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    expect_complaint(ssh, sizeof ssh - 1, "is not HTTP; it begins with \"SSH-2.0-x [31m  \"");
    expect_complaint(alert, sizeof alert - 1,
                     "is not HTTP but TLS; write https:// instead of http://");
    expect_complaint(frame, 9, "is HTTP/2 without TLS; ask for that with --http2");
    expect_complaint(json, sizeof json - 1, "is not HTTP; it begins with \"{\"data\":[]}\"");
    expect_complaint(twice, sizeof twice - 1, "breaks the rules of HTTP: Duplicate Content-Length");
}

static void a_cut_is_told_by_where_it_is(void **state) {
    (void)state;
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "before an answer"},
        {"HTTP/1.1 20", "in the middle of the answer's head"},
        {"HTTP/1.1 200 OK\r\nContent-Ty", "in the middle of the answer's head"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "in the middle of the body"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pyr_http_response response;
        size_t taken;
        pyr_http_response_init(&response, NULL, NULL);
        if (*cases[i].text)
            assert_int_equal(
                pyr_http_response_feed(&response, cases[i].text, strlen(cases[i].text), &taken),
                PYR_HTTP_MORE);
        assert_int_equal(pyr_http_response_eof(&response), PYR_HTTP_BAD);
        assert_non_null(strstr(response.message.reason, cases[i].reason));
    }
}

static void a_packed_body_is_known_by_its_head(void **state) {
    (void)state;
    static const struct {
        const char *head, *packing;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", "gzip"},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\n\r\n", NULL},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pyr_http_response response;
        size_t taken;
        pyr_http_response_init(&response, NULL, NULL);
        pyr_http_response_feed(&response, cases[i].head, strlen(cases[i].head), &taken);
        const char *packing = pyr_http_response_packing(&response);
        assert_true(!packing == !cases[i].packing);
        if (packing)
            assert_string_equal(packing, cases[i].packing);
    }
}

static void the_end_of_an_answer_is_known(void **state) {
    (void)state;
    struct pyr_buf body = {0};
    struct pyr_http_response response;
    size_t taken;
    const char *two = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200";
    assert_int_equal(feed(&response, two, 100, &taken, &body), PYR_HTTP_WHOLE);
    assert_int_equal(taken, strlen(two) - 12);
    assert_int_equal(
        feed(&response, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", 100, &taken, &body),
        PYR_HTTP_WHOLE);
    assert_false(response.keep_alive);
    /* Interim answers are passed over. */
    assert_int_equal(
        feed(&response,
             "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 100,
             &taken, &body),
        PYR_HTTP_WHOLE);
    assert_int_equal(response.status, 200);
    assert_string_equal(pyr_buf_text(&body), "x");
    /* A body without length ends with the connection. */
    assert_int_equal(feed(&response, "HTTP/1.0 200 OK\r\n\r\nall", 100, &taken, &body),
                     PYR_HTTP_MORE);
    assert_int_equal(pyr_http_response_eof(&response), PYR_HTTP_WHOLE);
    pyr_buf_deinit(&body);
}

static void cut_and_foreign_answers_are_refused(void **state) {
    (void)state;
    static const char *const cut[] = {
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n"};
    static const char *const foreign[] = {
        "SSH-2.0-OpenSSH\r\n", "<html>", "\x16\x03\x01", "HTTP/1.1 abc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
    struct pyr_buf body = {0};
    struct pyr_http_response response;
    size_t taken;
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        assert_int_equal(feed(&response, cut[i], 100, &taken, &body), PYR_HTTP_MORE);
        assert_int_equal(pyr_http_response_eof(&response), PYR_HTTP_BAD);
        assert_non_null(response.message.reason);
    }
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        assert_int_equal(feed(&response, foreign[i], 100, &taken, &body), PYR_HTTP_BAD);
        assert_non_null(response.message.reason);
    }
    pyr_buf_deinit(&body);
}

static void a_head_without_end_is_refused(void **state) {
    (void)state;
    struct pyr_http_response response;
    pyr_http_response_init(&response, NULL, NULL);
    size_t taken;
    const char *start = "HTTP/1.1 200 OK\r\n",
               *line = "X: 0123456789012345678901234567890123456789\r\n";
    assert_int_equal(pyr_http_response_feed(&response, start, strlen(start), &taken),
                     PYR_HTTP_MORE);
    enum pyr_http_result result = PYR_HTTP_MORE;
    for (int i = 0; i < 10000 && result == PYR_HTTP_MORE; i++)
        result = pyr_http_response_feed(&response, line, strlen(line), &taken);
    assert_int_equal(result, PYR_HTTP_BAD);
}

static void requests_are_read(void **state) {
    (void)state;
    struct pyr_http_head head;
    struct pyr_buf body = {0};
    pyr_http_head_init(&head, keep, &body);
    const char *text = "POST /v1/x?q=1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "
                       "k\r\nContent-Length: 3\r\n\r\nabcGET";
    size_t taken;
    assert_int_equal(pyr_http_head_feed(&head, text, strlen(text), &taken), PYR_HTTP_WHOLE);
    assert_int_equal(taken, strlen(text) - 3);
    assert_string_equal(head.target, "/v1/x?q=1");
    assert_string_equal(head.authorization, "Bearer k");
    assert_string_equal(pyr_http_head_method(&head), "POST");
    assert_string_equal(pyr_buf_text(&body), "abc");
    assert_true(head.keep_alive);
    pyr_buf_deinit(&body);
}

static enum pyr_http_result feed_head(struct pyr_http_head *head, const char *text) {
    size_t taken;
    pyr_http_head_init(head, NULL, NULL);
    return pyr_http_head_feed(head, text, strlen(text), &taken);
}

static void what_no_server_should_take_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"GET / HTTP/1.1\r\n\r\n", "Host is missing"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "more than once"},
        {"GET / HTTP/1.1\r\nHost:\r\nAccept: x\r\nhost: a\r\n\r\n", "more than once"},
        {"GET /health\r\n\r\n", "are spoken here"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", ""},
    };
    struct pyr_http_head head;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (feed_head(&head, bad[i].text) != PYR_HTTP_BAD ||
            !strstr(head.message.reason, bad[i].why))
            fail_msg("%s: %s", bad[i].text, head.message.reason);
    }
    assert_int_equal(feed_head(&head, "GET / HTTP/1.0\r\n\r\n"), PYR_HTTP_WHOLE);
    assert_int_equal(feed_head(&head, "GET / HTTP/1.1\r\nHost:\r\n\r\n"), PYR_HTTP_WHOLE);
    char target[1200], text[1400];
    memset(target, 'a', sizeof target);
    snprintf(text, sizeof text, "GET /%.*s HTTP/1.1\r\nHost: a\r\n\r\n", (int)sizeof target,
             target);
    assert_int_equal(feed_head(&head, text), PYR_HTTP_BAD);
    assert_true(head.message.long_target);
}

static void a_connection_is_not_kept_on_framing_that_it_cannot_have(void **state) {
    (void)state;
    struct pyr_http_head head;
    assert_int_equal(feed_head(&head, "POST / HTTP/1.0\r\nConnection: keep-alive\r\n"
                                      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                     PYR_HTTP_WHOLE);
    assert_false(head.keep_alive);
    assert_int_equal(feed_head(&head, "POST / HTTP/1.0\r\nConnection: keep-alive\r\n"
                                      "Content-Length: 1\r\n\r\na"),
                     PYR_HTTP_WHOLE);
    assert_true(head.keep_alive);
}

static void whom_a_request_is_for(void **state) {
    (void)state;
    static const struct {
        const char *text, *host;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a.example:80\r\n\r\n", "a.example"},
        {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "::1"},
        {"GET http://b.example/x HTTP/1.1\r\nHost: localhost\r\n\r\n", "b.example"},
        {"GET http://b.example:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", "b.example"},
        {"GET / HTTP/1.0\r\n\r\n", ""},
    };
    struct pyr_http_head head;
    char host[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(feed_head(&head, cases[i].text), PYR_HTTP_WHOLE);
        pyr_http_head_host(&head, host, sizeof host);
        assert_string_equal(host, cases[i].host);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read_at_any_split),
        cmocka_unit_test(the_end_of_an_answer_is_known),
        cmocka_unit_test(what_speaks_something_else_is_named),
        cmocka_unit_test(a_cut_is_told_by_where_it_is),
        cmocka_unit_test(a_packed_body_is_known_by_its_head),
        cmocka_unit_test(cut_and_foreign_answers_are_refused),
        cmocka_unit_test(a_head_without_end_is_refused),
        cmocka_unit_test(what_no_server_should_take_is_refused),
        cmocka_unit_test(a_connection_is_not_kept_on_framing_that_it_cannot_have),
        cmocka_unit_test(whom_a_request_is_for),
        cmocka_unit_test(requests_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
