/* SPDX-License-Identifier: MIT
 *
 * What the target http says of servers that cannot be measured: always one line with the thing, the
 * cause and the mend, never a hang, and never a byte of the server's that could act on a terminal.
 */
#include "support/support.h"

#include "support/http_world.h"
#include "support/raw_server.h"

#include "net/listen.h"
#include "target/http_words.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct http_world world;
static struct raw_server server;

static void check_is_plain(const char *text) {
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0) ||
            (*at == 0xe2 && at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae))
            fail_msg("an active character at byte %td of: %s", at - (const unsigned char *)text,
                     text);
}

static void expect_refusal(const char *spec, const char *const *options, const char *says) {
    struct pyr_err err = {0};
    if (http_world_open(&world, spec, options, &err))
        fail_msg("%s was accepted", spec);
    if (!strstr(err.text, says))
        fail_msg("said: %s; not: %s", err.text, says);
    check_is_plain(err.text);
}

#define HEAD(status) "HTTP/1.1 " status "\r\n"
#define JSON "Content-Type: application/json\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"
#define ESCAPES                                                                                    \
    "\x1b]0;x\x07\xc2\x9b"                                                                         \
    "31m\xe2\x80\xae\x7f"

struct expectation {
    const char *bytes;
    size_t count;
    enum raw_end end;
    const char *says;
};

static const char no_list[] = HEAD("500 Oops") "Content-Length: 20\r\n\r\n" ESCAPES "123456";

static const struct expectation of_models[] = {
    {HEAD("301 Moved") "Location: https://other/v2/models\r\n" EMPTY, 0, RAW_KEEP,
     "/v1/models: HTTP 301, redirected to https://other/v2/models; name https://other/v2 as the "
     "target"},
    {HEAD("302 Found") "Location: /login\r\n" EMPTY, 0, RAW_KEEP,
     "HTTP 302, redirected to /login; name the URL that it leads to"},
    {HEAD("302 Found") EMPTY, 0, RAW_KEEP, "not said where to"},
    {HEAD("302 Found") "Location: http://a/\xc2\x9b"
                       "31m\r\n" EMPTY,
     0, RAW_KEEP, "redirected to http://a/?31m;"},
    {HEAD("200 OK") JSON "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", 0, RAW_KEEP,
     "the body is packed (gzip)"},
    {"", 0, RAW_HOLD, "no answer within 0.2 s"},
    {HEAD("200 OK") "X: ", 0, RAW_HOLD, "no answer within 0.2 s"},
    {HEAD("200 OK") JSON "Content-Length: 9\r\n\r\n{", 0, RAW_HOLD,
     "the answer did not end within 0.2 s"},
    {HEAD("200 O"), 0, RAW_CLOSE, "closed in the middle of the answer's head"},
    {HEAD("200 OK") JSON "Content-Length: 9\r\n\r\n{", 0, RAW_CLOSE,
     "closed in the middle of the body"},
    {"SSH-2.0-x\r\n", 0, RAW_CLOSE, "is not HTTP; it begins with \"SSH-2.0-x  \""},
    {"\x15\3\1\0\2\2\x46", 7, RAW_CLOSE, "is not HTTP but TLS; write https://"},
    {HEAD("401 No") EMPTY, 0, RAW_KEEP, "the server wants a key (HTTP 401); no key was sent"},
    {no_list, 0, RAW_KEEP, "/v1/models: no list of models (HTTP 500: "},
    {HEAD("400 Bad") "Content-Length: 86\r\n\r\n<html><head><title>400 The plain HTTP request was "
                     "sent to HTTPS port</title></head>...",
     0, RAW_KEEP, "/v1: wants TLS (HTTP 400: 400 The plain HTTP request"},
    {HEAD("204 None") "\r\n", 0, RAW_KEEP, "no list of models (HTTP 204); name the model"},
    {HEAD("200 OK") "Content-Type: text/html\r\nContent-Length: 2\r\n\r\nhi", 0, RAW_KEEP,
     "a web page, not an API"},
    {HEAD("200 OK") JSON "Content-Length: 54\r\n\r\n"
                         "{\"data\":[{\"id\":\"\\u001b[31m\\u009b\\u202ea\"},{\"id\":\"b\"}]}",
     0, RAW_KEEP, "several models; choose one with --model: "},
    {HEAD("200 OK"), 0, RAW_REPEAT, "the head is longer than 128 KiB"},
    {HEAD("102 Wait") "\r\n", 0, RAW_REPEAT, "within 0.2 s"},
    {HEAD("200 OK") "\r\n", 0, RAW_REPEAT, "longer than 4194304 bytes"},
};

static void what_models_is_answered_with_is_told(void **state) {
    (void)state;
    /* Lines of a head, or of a body. */
    char fields[8192] = "";
    while (strlen(fields) < sizeof fields - 64)
        strcat(fields, "X-Again: and again and again and again and again\r\n");
    for (size_t i = 0; i < sizeof of_models / sizeof *of_models; i++) {
        const struct expectation *one = &of_models[i];
        const char *again = strstr(one->bytes, "102") ? one->bytes : fields;
        const struct raw_answer answers[] = {{NULL, one->bytes, one->count, one->end, again}, {0}};
        raw_server_start(&server, NULL, answers);
        world.timeout_ns = strstr(one->says, "0.2 s") ? PYR_NS_PER_S / 5 : 0;
        expect_refusal(server.url, NULL, one->says);
        raw_server_stop(&server);
    }
    world.timeout_ns = 0;
}

static const struct expectation of_requests[] = {
    {HEAD("307 Moved") "Location: https://other/v1/chat/completions\r\n" EMPTY, 0, RAW_KEEP,
     "redirected to https://other/v1/chat/completions; name https://other/v1 as the target"},
    {HEAD("200 OK") "Content-Type: text/event-stream\r\nContent-Encoding: br\r\n"
                    "Content-Length: 2\r\n\r\n\x1f\x8b",
     0, RAW_KEEP, "the body is packed (br)"},
    {HEAD("200 OK") "Content-Type: text/html\r\nContent-Length: 2\r\n\r\nhi", 0, RAW_KEEP, "page"},
    {HEAD("403 No") "Content-Length: 20\r\n\r\n" ESCAPES "123456", 0, RAW_KEEP, "no key was sent"},
    {HEAD("404 No") "Content-Length: 20\r\n\r\n" ESCAPES "123456", 0, RAW_KEEP, "HTTP 404"},
    {HEAD("405 No") "Content-Length: 31\r\n\r\n<html><title>405 A\x1b[m</title>..", 0, RAW_KEEP,
     "HTTP 405: 405 A [m"},
    {HEAD("200 OK") "Content-", 0, RAW_CLOSE, "closed in the middle of the answer's head"},
    {"* OK IMAP " ESCAPES "\r\n", 0, RAW_CLOSE, "is not HTTP; it begins with \"* OK IMAP "},
};

/* Before the start, and when it comes to that only during the run. */
static void what_a_request_is_answered_with_is_told(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof of_requests / sizeof *of_requests; i++) {
        const struct expectation *one = &of_requests[i];
        const struct raw_answer first[] = {{"GET", raw_models, 0, RAW_KEEP, NULL},
                                           {"/tokenize", HEAD("404 No") EMPTY, 0, RAW_KEEP, NULL},
                                           {NULL, one->bytes, one->count, one->end, NULL},
                                           {0}};
        raw_server_start(&server, NULL, first);
        expect_refusal(server.url, NULL, one->says);
        raw_server_stop(&server);
        const struct raw_answer later[] = {{"GET", raw_models, 0, RAW_KEEP, NULL},
                                           {"number", one->bytes, one->count, one->end, NULL},
                                           {NULL, raw_stream, 0, RAW_KEEP, NULL},
                                           {0}};
        raw_server_start(&server, NULL, later);
        http_world_begin(&world);
        http_world_attach(&world, server.url, NULL, 1);
        const struct pyr_slot *slot = http_world_one(&world, "", 2);
        assert_int_not_equal(slot->record.outcome, PYR_OUTCOME_OK);
        if (!strstr(slot->error_text, one->says))
            fail_msg("said: %s; not: %s", slot->error_text, one->says);
        check_is_plain(slot->error_text);
        http_world_end(&world);
        raw_server_stop(&server);
    }
}

static void names_of_a_server_are_shown_harmless(void **state) {
    (void)state;
    static const char models[] = HEAD("200 OK") JSON
        "Server: s\xc2\x9b"
        "31m\r\nContent-Length: 66\r\n\r\n"
        "{\"data\":[{\"id\":\"m\\u001b[31m\\u009b\",\"owned_by\":\"o\\u0007\\u202e\"}]}   ";
    static const struct raw_answer answers[] = {
        {"GET", models, 0, RAW_KEEP, NULL},
        {"m\\u001b[31m\xc2\x9b", raw_stream, 0, RAW_KEEP, NULL},
        {0}};
    raw_server_start(&server, NULL, answers);
    http_world_begin(&world);
    http_world_attach(&world, server.url, NULL, 1);
    struct pyr_target_info info;
    world.target->ops->describe(world.target, &info);
    assert_string_equal(info.name, "m [31m?");
    assert_string_equal(info.engine, "o ?, s?31m");
    /* The request holds the name as it is. */
    assert_int_equal(http_world_one(&world, "", 2)->record.outcome, PYR_OUTCOME_OK);
    http_world_end(&world);
    raw_server_stop(&server);
}

static void a_refused_key_is_told_by_where_it_came_from(void **state) {
    (void)state;
    static const struct raw_answer refusal[] = {{NULL, HEAD("401 No") EMPTY, 0, RAW_KEEP, NULL},
                                                {0}};
    char path[300], key[330], header[330];
    http_world_begin(&world);
    snprintf(path, sizeof path, "%s/key", world.dir);
    FILE *file = fopen(path, "w");
    fputs("Authorization: Bearer_sk-secret\n", file);
    fclose(file);
    snprintf(key, sizeof key, "api_key_file=%s", path);
    snprintf(header, sizeof header, "header=@%s", path);
    const struct {
        const char *option, *environment, *says;
    } cases[] = {{NULL, NULL, "wants a key (HTTP 401); no key was sent; put it into a file"},
                 {NULL, "sk-secret", "the key came from OPENAI_API_KEY of the environment"},
                 {header, "sk-secret", "the key came from the header file /"},
                 {key, NULL, "holds"}};
    raw_server_start(&server, NULL, refusal);
    for (size_t i = 0; i < 3; i++) {
        const char *const options[] = {cases[i].option, NULL};
        if (cases[i].environment)
            setenv("OPENAI_API_KEY", cases[i].environment, 1);
        expect_refusal(server.url, options, cases[i].says);
        struct pyr_err err;
        assert_false(http_world_open(&world, server.url, options, &err));
        assert_null(strstr(err.text, "secret"));
        unsetenv("OPENAI_API_KEY");
    }
    file = fopen(path, "w");
    fputs("sk-secret\n", file);
    fclose(file);
    const char *const options[] = {key, NULL};
    expect_refusal(server.url, options, "the key came from the file /");
    raw_server_stop(&server);
    unlink(path);
    http_world_end(&world);
}

/* Whole, and cut where the text of an error ends. */
static void a_key_that_the_server_repeats_is_not_told(void **state) {
    (void)state;
#define ECHO_BODY "{\"error\":{\"message\":\"no such key: sk-secret-7a.\"}}"
    static const struct raw_answer refusal[] = {
        {NULL, HEAD("401 No") JSON "Content-Length: 50\r\n\r\n" ECHO_BODY, 0, RAW_KEEP, NULL}, {0}};
    _Static_assert(sizeof ECHO_BODY - 1 == 50, "its length");
    struct pyr_err err;
    http_world_begin(&world);
    raw_server_start(&server, NULL, refusal);
    setenv("OPENAI_API_KEY", "sk-secret-7a", 1);
    assert_false(http_world_open(&world, server.url, (const char *const[]){NULL}, &err));
    unsetenv("OPENAI_API_KEY");
    assert_non_null(strstr(err.text, "no such key: ************."));
    raw_server_stop(&server);
    http_world_end(&world);

    struct pyr_http_options options = {0};
    pyr_buf_puts(&options.headers, "Authorization: Bearer sk-secret-7a\r\nx-one: two\r\n");
    char text[] = "Bearer sk-secret-7a and two, sk-sec is none, sk-secre";
    pyr_http_words_mask(&options, text);
    assert_string_equal(text, "Bearer ************ and two, sk-sec is none, ********");
    pyr_buf_deinit(&options.headers);
}

static void each_endpoint_is_asked_before_the_start(void **state) {
    (void)state;
    static const struct raw_answer other[] = {
        {NULL, HEAD("200 OK") JSON "Content-Length: 25\r\n\r\n{\"data\":[{\"id\":\"other\"}]}", 0,
         RAW_KEEP, NULL},
        {0}};
    char both[200];
    int listener;
    uint16_t port;
    struct pyr_err err;
    http_world_serve(&world, NULL);
    /* A port that nobody listens on any more. */
    assert_ok(err, pyr_listen(NULL, 0, &listener, &port, &err));
    close(listener);
    snprintf(both, sizeof both, "%.100s,http://127.0.0.1:%u", world.url, port);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "http://127.0.0.1:%u: Connection refused", port);
    expect_refusal(both, NULL, wanted);
    raw_server_start(&server, NULL, other);
    snprintf(both, sizeof both, "%.100s,%s", world.url, server.url);
    expect_refusal(both, NULL, "/v1: model scheduled is not served here (HTTP 200");
    raw_server_stop(&server);
    http_world_end(&world);
}

static void an_ipv6_literal_is_an_address_like_any_other(void **state) {
    (void)state;
    static const struct raw_answer answers[] = {{"GET", raw_models, 0, RAW_KEEP, NULL},
                                                {"Host: [::1]:", raw_stream, 0, RAW_KEEP, NULL},
                                                {0}};
    int listener;
    uint16_t port;
    if (!pyr_listen("::1", 0, &listener, &port, NULL))
        skip(); /* no IPv6 here */
    close(listener);
    raw_server_start(&server, "::1", answers);
    http_world_begin(&world);
    http_world_attach(&world, server.url, NULL, 1);
    assert_int_equal(http_world_one(&world, "", 2)->record.outcome, PYR_OUTCOME_OK);
    http_world_end(&world);
    raw_server_stop(&server);
}

static void attach_unprobed(const struct raw_answer *answers, uint32_t max_in_flight) {
    static const char *const options[] = {"probe=off", NULL};
    raw_server_start(&server, NULL, answers);
    http_world_begin(&world);
    http_world_attach(&world, server.url, options, max_in_flight);
}

static void a_request_that_nobody_began_goes_out_anew(void **state) {
    (void)state;
    static const struct raw_answer answers[] = {
        {"GET", raw_models, 0, RAW_KEEP, NULL},
        {"tokenize", HEAD("404 No") EMPTY, 0, RAW_KEEP, NULL},
        {NULL, raw_stream, 0, RAW_CLOSE, NULL},
        {0}};
    char byte;
    attach_unprobed(answers, 1);
    for (int i = 0; i < 5; i++) {
        const struct pyr_request *record = &http_world_one(&world, "", 2)->record;
        assert_int_equal(record->outcome, PYR_OUTCOME_OK);
        assert_true(!(record->flags & PYR_REQUEST_NEW_CONNECTION) == (i == 0));
        assert_true(record->sent_ns >= record->dispatched_ns);
        assert_true(record->first_content_ns > record->sent_ns);
        /* Its end is there before the next request is sent, and nobody has looked. */
        assert_int_equal(read(server.closed, &byte, 1), 1);
    }
    http_world_end(&world);
    raw_server_stop(&server);
}

static void a_request_that_was_received_is_never_sent_twice(void **state) {
    (void)state;
    static const struct raw_answer answers[] = {
        {"GET", raw_models, 0, RAW_KEEP, NULL},
        {"tokenize", HEAD("404 No") EMPTY, 0, RAW_KEEP, NULL},
        {"number 0", raw_stream, 0, RAW_KEEP, NULL},
        {"number 1", "", 0, RAW_CLOSE, NULL},
        {"number 2", raw_stream, 0, RAW_KEEP, NULL},
        {"number 3", "", 0, RAW_RESET, NULL},
        {0}};
    attach_unprobed(answers, 1);
    for (int i = 0; i < 4; i++) {
        const struct pyr_slot *slot = http_world_one(&world, "", 2);
        assert_int_equal(slot->record.outcome, i % 2 ? PYR_OUTCOME_RESET : PYR_OUTCOME_OK);
        if (i == 1)
            assert_non_null(strstr(slot->error_text, "closed before an answer"));
    }
    http_world_end(&world);
    raw_server_stop(&server);
}

static unsigned count_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count - 3;
}

static void descriptors_are_counted_and_the_soft_limit_raised(void **state) {
    (void)state;
    struct rlimit before, few;
    struct pyr_err err;
    struct pyr_target_handle *handle;
    http_world_serve(&world, NULL);
    assert_ok(err, http_world_open(&world, world.url, NULL, &err));
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = count_descriptors() + 6;
    setrlimit(RLIMIT_NOFILE, &few);
    struct pyr_attach attach = {.clock = &world.clock, .max_in_flight = 8};
    assert_ok(err, world.target->ops->attach(world.target, &attach, &handle, &err));
    world.target->ops->detach(handle);
    struct rlimit now;
    getrlimit(RLIMIT_NOFILE, &now);
    assert_int_equal(now.rlim_cur, before.rlim_max);
    if (before.rlim_max < 50000000) {
        attach.max_in_flight = 50000000;
        assert_false(world.target->ops->attach(world.target, &attach, &handle, &err));
        assert_non_null(strstr(err.text, "file descriptors: 50000000 connections need "));
        assert_non_null(strstr(err.text, "; use --connections "));
    }
    setrlimit(RLIMIT_NOFILE, &before);
    http_world_end(&world);
}

int main(void) {
    unsetenv("OPENAI_API_KEY");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_models_is_answered_with_is_told),
        cmocka_unit_test(what_a_request_is_answered_with_is_told),
        cmocka_unit_test(names_of_a_server_are_shown_harmless),
        cmocka_unit_test(a_refused_key_is_told_by_where_it_came_from),
        cmocka_unit_test(a_key_that_the_server_repeats_is_not_told),
        cmocka_unit_test(each_endpoint_is_asked_before_the_start),
        cmocka_unit_test(an_ipv6_literal_is_an_address_like_any_other),
        cmocka_unit_test(a_request_that_nobody_began_goes_out_anew),
        cmocka_unit_test(a_request_that_was_received_is_never_sent_twice),
        cmocka_unit_test(descriptors_are_counted_and_the_soft_limit_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
