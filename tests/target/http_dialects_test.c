/* SPDX-License-Identifier: MIT
 *
 * What servers really send (docs/http.md, "Dialects"): each stream with what its record must hold,
 * and each refusal of a field with what is sent after it.
 */
#include "support/support.h"

#include "support/http_world.h"
#include "support/raw_server.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

static struct http_world world;
static struct raw_server server;

#define NOT_FOUND "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
#define DELTA(fields) "data: {\"choices\":[{\"index\":0,\"delta\":{" fields "}}]}\n\n"
#define CONTENT(text) DELTA("\"content\":\"" text "\"")
#define FINISH(reason)                                                                             \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":" reason "}]}\n\n"
#define USAGE(prompt, output)                                                                      \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":" prompt ",\"completion_tokens\":" output  \
    "}}\n\n"
#define DONE "data: [DONE]\n\n"
#define CALL(arguments)                                                                            \
    DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"" arguments "\"}}]")

/* Eight tokens are asked for. */
struct dialect {
    const char *name, *events;
    enum pyr_outcome outcome;
    uint32_t tokens; /* that decide */
    uint32_t events_counted;
    unsigned kinds;
    unsigned flags;   /* of those below */
    const char *says; /* in the error or the caution */
    const char *text;
};
#define TOLD_FLAGS                                                                                 \
    (PYR_REQUEST_SHORT | PYR_REQUEST_USAGE | PYR_REQUEST_BAD_USAGE | PYR_REQUEST_CACHED |          \
     PYR_REQUEST_REASONED | PYR_REQUEST_NO_DONE)

static const struct dialect dialects[] = {
    {"four tokens an event",
     CONTENT("abcd") CONTENT("efgh") FINISH("\"length\"") USAGE("5", "8") DONE, PYR_OUTCOME_OK, 8,
     2, PYR_KIND_CONTENT, PYR_REQUEST_USAGE, NULL, "abcdefgh"},
    {"zeros until the last",
     "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":0,"
     "\"completion_tokens\":0}}\n\n" USAGE("5", "8") DONE,
     PYR_OUTCOME_OK, 8, 1, PYR_KIND_CONTENT, PYR_REQUEST_USAGE, NULL, "a"},
    {"zeros behind the truth", CONTENT("a") USAGE("5", "8") USAGE("0", "0") DONE, PYR_OUTCOME_OK, 8,
     1, PYR_KIND_CONTENT, PYR_REQUEST_USAGE, NULL, "a"},
    {"always zero", CONTENT("a") CONTENT("b") USAGE("0", "0") DONE, PYR_OUTCOME_OK, 2, 2,
     PYR_KIND_CONTENT, PYR_REQUEST_SHORT, NULL, "ab"},
    {"a prompt counted and an output not", CONTENT("a") USAGE("5", "0") DONE, PYR_OUTCOME_OK, 1, 1,
     PYR_KIND_CONTENT, PYR_REQUEST_SHORT | PYR_REQUEST_USAGE, NULL, "a"},
    {"a running count",
     "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"completion_tokens\":5}}\n\n"
     "data: "
     "{\"choices\":[{\"delta\":{\"content\":\"b\"}}],\"usage\":{\"completion_tokens\":8}}\n\n" DONE,
     PYR_OUTCOME_OK, 8, 2, PYR_KIND_CONTENT, PYR_REQUEST_USAGE, NULL, "ab"},
    {"a negative count", CONTENT("a") USAGE("5", "-1") DONE, PYR_OUTCOME_OK, 1, 1, PYR_KIND_CONTENT,
     PYR_REQUEST_SHORT | PYR_REQUEST_USAGE | PYR_REQUEST_BAD_USAGE,
     "usage cannot be: completion_tokens is -1", "a"},
    {"an enormous count", CONTENT("a") USAGE("1e30", "8") DONE, PYR_OUTCOME_OK, 1, 1,
     PYR_KIND_CONTENT, PYR_REQUEST_SHORT | PYR_REQUEST_USAGE | PYR_REQUEST_BAD_USAGE,
     "usage cannot be: prompt_tokens is 1e30", "a"},
    {"one token of many events",
     CONTENT("a") CONTENT("b") CONTENT("c") CONTENT("d") CONTENT("e") CONTENT("f") CONTENT("g")
         CONTENT("h") CONTENT("i") USAGE("5", "1") DONE,
     PYR_OUTCOME_OK, 9, 9, PYR_KIND_CONTENT, PYR_REQUEST_USAGE, NULL, "abcdefghi"},
    {"details",
     CONTENT("a") "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":8,"
                  "\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":"
                  "{\"reasoning_tokens\":6}}}\n\n" DONE,
     PYR_OUTCOME_OK, 8, 1, PYR_KIND_CONTENT,
     PYR_REQUEST_USAGE | PYR_REQUEST_CACHED | PYR_REQUEST_REASONED, NULL, "a"},
    {"usage behind the end", CONTENT("a") DONE USAGE("5", "8"), PYR_OUTCOME_OK, 8, 1,
     PYR_KIND_CONTENT, PYR_REQUEST_USAGE, NULL, "a"},
    {"an end twice, and text behind it", CONTENT("a") FINISH("\"stop\"") DONE DONE CONTENT("b"),
     PYR_OUTCOME_OK, 1, 1, PYR_KIND_CONTENT, PYR_REQUEST_SHORT, NULL, "a"},
    {"an error behind the end", CONTENT("a") DONE "data: {\"error\":{\"message\":\"late\"}}\n\n",
     PYR_OUTCOME_STREAM_ERROR, 1, 1, PYR_KIND_CONTENT, 0, "late", NULL},
    {"tool calls",
     DELTA("\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"c\","
           "\"function\":{\"name\":\"get\",\"arguments\":\"\"}}]") CALL("{") CALL("}")
         FINISH("\"tool_calls\"") USAGE("5", "8") DONE,
     PYR_OUTCOME_OK, 8, 3, PYR_KIND_TOOL_CALL, PYR_REQUEST_USAGE, NULL, "get{}"},
    {"a function call", DELTA("\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}") DONE,
     PYR_OUTCOME_OK, 1, 1, PYR_KIND_TOOL_CALL, PYR_REQUEST_SHORT, NULL, "f{}"},
    {"a refusal", DELTA("\"refusal\":\"no\"") FINISH("\"stop\"") DONE, PYR_OUTCOME_OK, 1, 1,
     PYR_KIND_REFUSAL, PYR_REQUEST_SHORT, NULL, "no"},
    {"audio", DELTA("\"audio\":{\"data\":\"QUJD\",\"transcript\":\"hi\"}") DONE, PYR_OUTCOME_OK, 1,
     1, PYR_KIND_CONTENT | PYR_KIND_MEDIA, PYR_REQUEST_SHORT, NULL, "hi"},
    {"two choices",
     "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":"
     "{\"content\":\"b\"}}]}\n\n" DONE,
     PYR_OUTCOME_OK, 2, 1, PYR_KIND_CONTENT | PYR_KIND_CHOICES, PYR_REQUEST_SHORT, NULL, "ab"},
    {"the whole answer once more",
     CONTENT("a")
         CONTENT("b") "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":"
                      "{\"content\":\"ab\"}}]}\n\n" DONE,
     PYR_OUTCOME_OK, 2, 2, PYR_KIND_CONTENT, PYR_REQUEST_SHORT, NULL, "ab"},
    {"signs of life",
     ": ping\n\ndata:\n\ndata: \n\ndata: : KEEP\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"
     "event: heartbeat\ndata: now\n\nevent: keep-alive\ndata\n\ndata: null\n\n:\n\nretry: "
     "5\n\n" CONTENT("a") DONE,
     PYR_OUTCOME_OK, 1, 1, PYR_KIND_CONTENT, PYR_REQUEST_SHORT, NULL, "a"},
    {"an error field", CONTENT("a") "error: {\"code\":400,\"message\":\"too long\"}\n\n" DONE,
     PYR_OUTCOME_STREAM_ERROR, 1, 1, PYR_KIND_CONTENT, 0, "holds an error: too long", NULL},
    {"an error without data:", "{\"error\":{\"message\":\"bare\"}}\n\n" DONE,
     PYR_OUTCOME_STREAM_ERROR, 0, 0, 0, 0, "holds an error: bare", NULL},
    {"an error that is no JSON", "event: error\ndata: out of memory\n\n" DONE,
     PYR_OUTCOME_STREAM_ERROR, 0, 0, 0, 0, "holds an error: out of memory", NULL},
    {"a code and a message", CONTENT("a") "data: {\"code\":500,\"message\":\"it died\"}\n\n" DONE,
     PYR_OUTCOME_STREAM_ERROR, 1, 1, PYR_KIND_CONTENT, 0, "holds an error: it died", NULL},
    {"given up", CONTENT("a") FINISH("\"abort\"") DONE, PYR_OUTCOME_STREAM_ERROR, 1, 1,
     PYR_KIND_CONTENT, 0, "gave the answer up (finish_reason abort)", NULL},
    {"the end alone", DONE, PYR_OUTCOME_PROTOCOL, 0, 0, 0, 0, "[DONE] alone", NULL},
    {"a role and the end", DELTA("\"role\":\"assistant\",\"content\":\"\"") DONE,
     PYR_OUTCOME_PROTOCOL, 0, 0, 0, 0, "[DONE] alone", NULL},
    {"a reason for nothing", FINISH("\"stop\"") DONE, PYR_OUTCOME_OK, 0, 0, 0, PYR_REQUEST_SHORT,
     NULL, ""},
    {"a reason in each event",
     "data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"\"}]}\n\n" DONE,
     PYR_OUTCOME_PROTOCOL, 0, 0, 0, 0, "[DONE] alone", NULL},
    {"no end mark", CONTENT("a"), PYR_OUTCOME_OK, 1, 1, PYR_KIND_CONTENT,
     PYR_REQUEST_SHORT | PYR_REQUEST_NO_DONE, NULL, "a"},
};
enum { DIALECTS = sizeof dialects / sizeof *dialects };

static char *whole(const char *fields, const char *body) {
    struct pyr_buf text = {0};
    pyr_buf_printf(
        &text,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%sContent-Length: %zu\r\n\r\n%s",
        fields, strlen(body), body);
    return text.data;
}

static void check(const struct dialect *one, const struct pyr_slot *slot) {
    const struct pyr_request *record = &slot->record;
    const char *said = slot->error_text     ? slot->error_text
                       : slot->caution_text ? slot->caution_text
                                            : "";
    unsigned flags = one->outcome == PYR_OUTCOME_OK ? record->flags & TOLD_FLAGS : 0;
    if (record->outcome != one->outcome || pyr_request_tokens(record) != one->tokens ||
        record->events != one->events_counted || record->kinds != one->kinds ||
        flags != one->flags || (one->says ? !strstr(said, one->says) : *said != '\0'))
        fail_msg("%s: %s, %u tokens, %u events, kinds %u, flags %#x, said: %s", one->name,
                 pyr_outcome_name(record->outcome), pyr_request_tokens(record), record->events,
                 record->kinds, flags, said);
    if (!one->text)
        return;
    uint64_t hash = pyr_fnv1a64(PYR_FNV1A64_INIT, one->text, strlen(one->text));
    assert_int_equal(record->output_bytes, strlen(one->text));
    assert_true(record->text_hash == (*one->text ? hash : 0));
    bool seen = record->kinds & (PYR_KIND_CONTENT | PYR_KIND_REFUSAL | PYR_KIND_MEDIA);
    assert_int_equal(record->first_content_ns != 0, record->kinds != 0);
    assert_int_equal(record->first_output_ns != 0, seen);
}

static void every_stream_is_counted_as_what_it_is(void **state) {
    (void)state;
    static const char *const options[] = {"probe=off", NULL};
    struct raw_answer answers[DIALECTS + 3] = {{"GET", raw_models, 0, RAW_KEEP, NULL},
                                               {"tokenize", NOT_FOUND, 0, RAW_KEEP, NULL}};
    char names[DIALECTS][32];
    for (size_t i = 0; i < DIALECTS; i++) {
        snprintf(names[i], sizeof names[i], "number %zu\"", i);
        answers[i + 2] =
            (struct raw_answer){names[i], whole("", dialects[i].events), 0, RAW_KEEP, NULL};
    }
    raw_server_start(&server, NULL, answers);
    http_world_begin(&world);
    http_world_attach(&world, server.url, options, 1);
    for (size_t i = 0; i < DIALECTS; i++)
        check(&dialects[i], http_world_one(&world, "", 8));
    http_world_end(&world);
    raw_server_stop(&server);
    for (size_t i = 0; i < DIALECTS; i++)
        pyr_free((char *)(uintptr_t)answers[i + 2].bytes);
}

static void what_is_no_packing_is_read(void **state) {
    (void)state;
    static const char *const encodings[] = {"none", "identity", "UTF-8", "identity, none", ""};
    static const char *const options[] = {"probe=off", NULL};
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++) {
        char field[80];
        snprintf(field, sizeof field, "Content-Encoding: %s\r\n", encodings[i]);
        char *stream = whole(field, CONTENT("a") DONE);
        const struct raw_answer answers[] = {{"GET", raw_models, 0, RAW_KEEP, NULL},
                                             {"tokenize", NOT_FOUND, 0, RAW_KEEP, NULL},
                                             {NULL, stream, 0, RAW_KEEP, NULL},
                                             {0}};
        raw_server_start(&server, NULL, answers);
        http_world_begin(&world);
        http_world_attach(&world, server.url, options, 1);
        assert_int_equal(http_world_one(&world, "", 1)->record.outcome, PYR_OUTCOME_OK);
        http_world_end(&world);
        raw_server_stop(&server);
        pyr_free(stream);
    }
}

/* --- fields that a server refuses ------------------------------------------------------------- */

#define REFUSAL(status, length, body)                                                              \
    "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nContent-Length: " length             \
    "\r\n\r\n" body
#define UNNAMED REFUSAL("400 Bad", "27", "{\"error\":\"invalid request\"}  ")

/* A request that holds `holds` is refused; what the server is asked afterwards must not hold it. */
static const struct {
    const char *holds, *refusal, *notes;
} refusals[] = {
    {"\"seed\":",
     REFUSAL("422 No", "55",
             "{\"detail\":[{\"loc\":[\"body\",\"seed\"],\"msg\":\"not known\"}]}  "),
     "refuses seed: it is left out"},
    {"\"seed\":", UNNAMED, "refuses seed: it is left out"},
    {"\"seed\":", REFUSAL("500 Oops", "27", "{\"error\":\"internal error!\"}  "), "refuses seed"},
    {"\"stream_options\":", UNNAMED, "refuses stream_options: it is left out"},
    {"\"ignore_eos\":", UNNAMED, "refuses ignore_eos: it is left out"},
    {"\"min_tokens\":", REFUSAL("400 Bad", "40", "{\"error\":\"Unknown field: min_tokens.\"}    "),
     "refuses min_tokens: it is left out"},
    {"\"max_tokens\":",
     REFUSAL("400 Bad", "78",
             "{\"error\":\"max_tokens is not supported, use max_completion_tokens "
             "instead!\"}     "),
     "refuses max_tokens: max_completion_tokens is sent"},
    {"\"max_tokens\":", UNNAMED, "refuses max_tokens: max_completion_tokens is sent"},
    /* In a stream of status 200. */
    {"\"seed\":",
     "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 48\r\n\r\n"
     "data: {\"error\":{\"message\":\"no such field\"}}    \n\n",
     "refuses seed"},
};

static struct pyr_target_info describe(void) {
    struct pyr_target_info info;
    world.target->ops->describe(world.target, &info);
    return info;
}

static void a_refused_field_is_found_left_out_and_named(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct raw_answer answers[] = {
            {"GET", raw_models, 0, RAW_KEEP, NULL},
            {"tokenize", NOT_FOUND, 0, RAW_KEEP, NULL},
            {refusals[i].holds, refusals[i].refusal, 0, RAW_KEEP, NULL},
            {NULL, raw_stream, 0, RAW_KEEP, NULL},
            {0}};
        raw_server_start(&server, NULL, answers);
        http_world_begin(&world);
        http_world_attach(&world, server.url, NULL, 1);
        struct pyr_target_info info = describe();
        if (!strstr(info.notes, refusals[i].notes))
            fail_msg("%zu: notes: %s", i, info.notes);
        struct pyr_slot *slot = http_world_slot(&world, 0, "");
        slot->exact_output = true;
        http_world_run(&world, 1);
        assert_int_equal(slot->record.outcome, PYR_OUTCOME_OK);
        http_world_end(&world);
        raw_server_stop(&server);
    }
}

static void the_first_request_asks_what_the_user_will_ask(void **state) {
    (void)state;
    static const struct raw_answer only_one[] = {
        {"GET", raw_models, 0, RAW_KEEP, NULL},
        {"tokenize", NOT_FOUND, 0, RAW_KEEP, NULL},
        {"\"temperature\":1,", raw_stream, 0, RAW_KEEP, NULL},
        {"\"temperature\":",
         REFUSAL("400 Bad", "40", "{\"error\":\"temperature does not support 0\"}  "), 0, RAW_KEEP,
         NULL},
        {NULL, raw_stream, 0, RAW_KEEP, NULL},
        {0}};
    struct pyr_err err;
    raw_server_start(&server, NULL, only_one);
    http_world_begin(&world);
    assert_false(http_world_open(&world, server.url, NULL, &err));
    assert_non_null(strstr(err.text, "temperature does not support 0"));
    struct pyr_target_config config = {.spec = server.url, .temperature = 1};
    assert_ok(err, pyr_target_open(&config, false, &world.target, &err));
    world.target->ops->close(world.target);
    world.target = NULL;
    static const char *const without[] = {"field=temperature=off", NULL};
    assert_ok(err, http_world_open(&world, server.url, without, &err));
    http_world_end(&world);
    raw_server_stop(&server);
}

/* A server that takes only what the options leave. */
static void each_field_can_be_forced_or_forbidden(void **state) {
    (void)state;
    static const char *const names[] = {"ignore_eos",     "min_tokens",  "seed",
                                        "stream_options", "temperature", "max_tokens"};
    static const char refused[] = REFUSAL("400 Bad", "27", "{\"error\":\"refused by the test\"}  ");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char quoted[40], off[60], on[60];
        snprintf(quoted, sizeof quoted, "\"%s\":", names[i]);
        snprintf(off, sizeof off, "field=%s=off", names[i]);
        snprintf(on, sizeof on, "field=%s=on", names[i]);
        const struct raw_answer without[] = {{"GET", raw_models, 0, RAW_KEEP, NULL},
                                             {"tokenize", NOT_FOUND, 0, RAW_KEEP, NULL},
                                             {quoted, refused, 0, RAW_KEEP, NULL},
                                             {NULL, raw_stream, 0, RAW_KEEP, NULL},
                                             {0}};
        const char *const leave_out[] = {off, "probe=off", NULL}, *const force[] = {on, NULL};
        struct pyr_err err;
        raw_server_start(&server, NULL, without);
        http_world_begin(&world);
        http_world_attach(&world, server.url, leave_out, 1);
        struct pyr_slot *slot = http_world_slot(&world, 0, "");
        slot->exact_output = true;
        http_world_run(&world, 1);
        assert_int_equal(slot->record.outcome, PYR_OUTCOME_OK);
        http_world_close(&world);
        /* Forced, it is sent all the same, and the refusal is the user's to see. */
        assert_false(http_world_open(&world, server.url, force, &err));
        assert_non_null(strstr(err.text, "refuses a plain request (HTTP 400"));
        http_world_end(&world);
        raw_server_stop(&server);
    }
    struct pyr_err err;
    static const char *const odd[] = {"field=top_k=on", NULL};
    http_world_begin(&world);
    assert_false(http_world_open(&world, "http://127.0.0.1:1/v1", odd, &err));
    assert_non_null(strstr(err.text, "must be NAME=on or NAME=off"));
    http_world_end(&world);
}

/* Servers that refuse a key said twice are met. */
static void a_field_of_the_users_own_is_sent_once(void **state) {
    (void)state;
    static const struct raw_answer answers[] = {{"GET", raw_models, 0, RAW_KEEP, NULL},
                                                {"tokenize", NOT_FOUND, 0, RAW_KEEP, NULL},
                                                {"\"seed\":1,", NOT_FOUND, 0, RAW_KEEP, NULL},
                                                {"\"seed\":77", raw_stream, 0, RAW_KEEP, NULL},
                                                {0}};
    static const char *const options[] = {"body={\"seed\":77}", NULL};
    raw_server_start(&server, NULL, answers);
    http_world_begin(&world);
    http_world_attach(&world, server.url, options, 1);
    http_world_end(&world);
    raw_server_stop(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stream_is_counted_as_what_it_is),
        cmocka_unit_test(what_is_no_packing_is_read),
        cmocka_unit_test(a_refused_field_is_found_left_out_and_named),
        cmocka_unit_test(the_first_request_asks_what_the_user_will_ask),
        cmocka_unit_test(each_field_can_be_forced_or_forbidden),
        cmocka_unit_test(a_field_of_the_users_own_is_sent_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
