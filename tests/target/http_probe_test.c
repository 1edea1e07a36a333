/* SPDX-License-Identifier: MIT
 *
 * What the target http finds out before the start, and what it says when a server cannot be used.
 */
#include "support/support.h"

#include "support/http_world.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct http_world world;

static struct pyr_target_info describe(void) {
    struct pyr_target_info info;
    world.target->ops->describe(world.target, &info);
    return info;
}

static void expect_refusal(const char *spec, const char *const *options, const char *says) {
    struct pyr_err err = {0};
    if (http_world_open(&world, spec, options, &err))
        fail_msg("%s was accepted", spec);
    if (!strstr(err.text, says))
        fail_msg("said: %s; not: %s", err.text, says);
    assert_null(strchr(err.text, '\n'));
}

static void the_dialect_is_found_and_described(void **state) {
    (void)state;
    static const char *const plain[] = {"--plan", "eos=2", NULL};
    static const char *const strict[] = {"--plan", "eos=2,strict=1", NULL};
    static const char *const deaf[] = {"--plan", "tokens=2", NULL};
    http_world_serve(&world, plain);
    http_world_attach(&world, NULL, NULL, 2);
    struct pyr_target_info info = describe();
    assert_string_equal(info.kind, "http");
    assert_string_equal(info.name, "scheduled");
    assert_string_equal(info.engine, "pyrometer, pyrometer-schedule");
    assert_true(info.streams && info.counts_tokens);
    assert_non_null(strstr(info.notes, "by ignore_eos and min_tokens (asked 4 tokens, got 4)"));
    struct pyr_slot *slot = http_world_slot(&world, 0, "");
    slot->exact_output = true;
    http_world_run(&world, 1);
    assert_int_equal(slot->record.output_tokens, 5);
    assert_int_equal(http_world_one(&world, "", 5)->record.output_tokens, 2);
    assert_int_equal(world.target->ops->count_tokens(world.target, "12345678", 8), 3);
    http_world_end(&world);

    http_world_serve(&world, strict);
    http_world_attach(&world, NULL, NULL, 2);
    info = describe();
    assert_non_null(strstr(info.cautions, "refuses ignore_eos and min_tokens"));
    slot = http_world_slot(&world, 0, "");
    slot->exact_output = true;
    http_world_run(&world, 1);
    assert_int_equal(slot->record.outcome, PYR_OUTCOME_OK);
    assert_true(slot->record.flags & PYR_REQUEST_SHORT);
    http_world_end(&world);

    http_world_serve(&world, deaf);
    http_world_attach(&world, NULL, NULL, 2);
    info = describe();
    assert_non_null(strstr(info.cautions, "not honoured (asked 4 tokens, got 2)"));
    http_world_end(&world);
}

/* "12345678" is 3 tokens by the server's /tokenize. */
static void what_a_template_adds_to_a_prompt_is_part_of_its_length(void **state) {
    (void)state;
    static const char *const chat[] = {"--plan", "template=33", NULL};
    static const char *const completions[] = {"endpoint=completions", NULL};
    http_world_serve(&world, chat);
    http_world_attach(&world, NULL, NULL, 1);
    assert_non_null(strstr(describe().notes, "with the about 33 tokens"));
    assert_int_equal(world.target->ops->count_tokens(world.target, "12345678", 8), 36);
    http_world_close(&world);
    http_world_attach(&world, NULL, completions, 1);
    assert_null(strstr(describe().notes, "puts around"));
    assert_int_equal(world.target->ops->count_tokens(world.target, "12345678", 8), 3);
    http_world_end(&world);
}

static void a_server_without_a_tokenizer_weighs_prompts_by_its_usage(void **state) {
    (void)state;
    static const char *const weighs[] = {"--plan", "template=10,tokenizer=0", NULL};
    static const char *const silent[] = {"--plan", "usage=0,tokenizer=0", NULL};
    http_world_serve(&world, weighs);
    http_world_attach(&world, NULL, NULL, 1);
    struct pyr_target_info info = describe();
    assert_false(info.counts_tokens);
    assert_true(info.weighs_prompts);
    assert_non_null(strstr(info.notes, "no /tokenize: prompt lengths are estimates"));
    assert_int_equal(world.target->ops->count_tokens(world.target, "12345678", 8), 13);
    http_world_end(&world);

    http_world_serve(&world, silent);
    http_world_attach(&world, NULL, NULL, 1);
    info = describe();
    assert_false(info.counts_tokens || info.weighs_prompts);
    assert_non_null(strstr(info.cautions, "neither has /tokenize nor counts prompts"));
    assert_int_equal(world.target->ops->count_tokens(world.target, "12345678", 8), -1);
    http_world_end(&world);
}

static void a_url_without_a_path_means_v1(void **state) {
    (void)state;
    char url[400];
    http_world_serve(&world, NULL);
    snprintf(url, sizeof url, "%.*s", (int)strlen(world.url) - 3, world.url);
    http_world_attach(&world, url, NULL, 1);
    assert_int_equal(http_world_one(&world, "", 3)->record.outcome, PYR_OUTCOME_OK);
    http_world_end(&world);
}

static void what_is_wrong_is_said_in_one_line(void **state) {
    (void)state;
    char url[420], key_path[300];
    http_world_serve(&world, NULL);
    snprintf(url, sizeof url, "%.*s/wrong", (int)strlen(world.url) - 3, world.url);
    expect_refusal(url, NULL, "no such path (404); this server's API is at http://127.0.0.1:");
    expect_refusal("http://no-such-host.invalid/v1", NULL, "cannot be resolved");
    static const char *const unknown[] = {"heder=a: b", NULL};
    expect_refusal(world.url, unknown, "did you mean header?");
    static const char *const bad_header[] = {"header=secret", NULL};
    expect_refusal(world.url, bad_header, "NAME: VALUE");
    static const char *const bad_body[] = {"body=[1]", NULL};
    expect_refusal(world.url, bad_body, "must be a JSON object");
    static const char *const half[] = {"cert_file=/x", NULL};
    snprintf(url, sizeof url, "https://127.0.0.1:1/v1");
    expect_refusal(url, half, "(--client-cert and --client-key)");
    static const char *const http2[] = {"http2=maybe", NULL};
    expect_refusal(world.url, http2, "http2: 'maybe' is neither on nor off");
    snprintf(key_path, sizeof key_path, "api_key_file=%s/none", world.dir);
    const char *const missing[] = {key_path, NULL};
    expect_refusal(world.url, missing, "none");

    snprintf(url, sizeof url, "%s", world.url);
    http_world_end(&world);
    /* Nobody listens there any more. */
    expect_refusal(url, NULL, "is it running?");
    static const char *const patient[] = {"wait_ready=300ms", NULL};
    expect_refusal(url, patient, "is it running?");
}

static void ready_is_when_a_request_works(void **state) {
    (void)state;
    static const char *const loading[] = {"--plan", "loading=3", NULL};
    static const char *const patient[] = {"wait_ready=60s", NULL};
    static const char *const short_of_it[] = {"wait_ready=1ms", NULL};
    http_world_serve(&world, loading);
    http_world_attach(&world, NULL, patient, 1);
    struct pyr_target_info info = describe();
    assert_non_null(strstr(info.notes, "The server answered a request after "));
    /* The tokenizer and the dialect are asked of a server that is ready. */
    assert_true(info.counts_tokens);
    assert_non_null(strstr(info.notes, "by ignore_eos and min_tokens (asked 4 tokens, got 4)"));
    assert_int_equal(http_world_one(&world, "", 3)->record.outcome, PYR_OUTCOME_OK);
    http_world_end(&world);

    http_world_serve(&world, loading);
    expect_refusal(world.url, short_of_it,
                   "has answered no request within 0.001 s (HTTP 503: Load");
    http_world_end(&world);
}

static void a_name_that_is_not_listed_is_the_servers_to_refuse(void **state) {
    (void)state;
    struct pyr_err err;
    http_world_serve(&world, NULL);
    struct pyr_target_config config = {.spec = world.url, .model = "llama-9"};
    assert_ok(err, pyr_target_open(&config, false, &world.target, &err));
    assert_non_null(strstr(describe().notes, "not in the server's list"));
    http_world_end(&world);
}

static void planned_refusals_of_the_first_request_are_told(void **state) {
    (void)state;
    static const struct {
        const char *plan, *says;
    } cases[] = {{"fault=status,status=401", "wants a key (HTTP 401: planned failure)"},
                 {"fault=status,status=404", "HTTP 404: planned failure"},
                 {"fault=status,status=400", "HTTP 400: planned failure"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const arguments[] = {"--plan", cases[i].plan, NULL};
        http_world_serve(&world, arguments);
        expect_refusal(world.url, NULL, cases[i].says);
        http_world_end(&world);
    }
    static const char *const busy[] = {"--plan", "fault=status,status=503", NULL};
    http_world_serve(&world, busy);
    http_world_attach(&world, NULL, NULL, 1);
    assert_non_null(strstr(describe().cautions, "busy or failing"));
    http_world_end(&world);
}

static void keys_and_headers_are_sent_and_never_shown(void **state) {
    (void)state;
    char path[300], option[320];
    http_world_serve(&world, NULL);
    snprintf(path, sizeof path, "%s/key", world.dir);
    FILE *file = fopen(path, "w");
    fputs("sk-very-secret\n", file);
    fclose(file);
    snprintf(option, sizeof option, "api_key_file=%s", path);
    const char *const options[] = {option, "header=X-Other: also secret",
                                   "body={\"top_k\": 3, \"x\":[1]}", NULL};
    http_world_attach(&world, NULL, options, 1);
    struct pyr_target_info info = describe();
    assert_null(memmem(&info, sizeof info, "secret", 6));
    assert_int_equal(http_world_one(&world, "", 3)->record.outcome, PYR_OUTCOME_OK);
    assert_int_equal(http_world_one(&world, "fault=reset", 3)->record.outcome, PYR_OUTCOME_RESET);
    assert_null(strstr(world.slots[0].error_text, "secret"));
    unlink(path);
    http_world_end(&world);
}

static void answers_that_do_not_stream_are_one_chunk(void **state) {
    (void)state;
    static const char *const apis[] = {"endpoint=chat", "endpoint=completions"};
    http_world_serve(&world, NULL);
    for (int i = 0; i < 2; i++) {
        const char *const options[] = {apis[i], "stream=off", NULL};
        http_world_attach(&world, NULL, options, 2);
        assert_false(describe().streams);
        const struct pyr_request *record = &http_world_one(&world, "", 9)->record;
        assert_int_equal(record->outcome, PYR_OUTCOME_OK);
        assert_int_equal(record->flags, PYR_REQUEST_USAGE);
        assert_int_equal(record->output_tokens, 9);
        assert_int_equal(record->chunks, 1);
        assert_int_equal(record->output_bytes, strlen("the whole answer"));
        assert_true(record->last_content_ns == record->closed_ns);
        assert_int_equal(http_world_one(&world, "fault=html", 9)->record.outcome,
                         PYR_OUTCOME_PROTOCOL);
        assert_int_equal(http_world_one(&world, "fault=status", 9)->record.outcome,
                         PYR_OUTCOME_HTTP_5XX);
        http_world_close(&world);
    }
    static const char *const embeddings[] = {"endpoint=embeddings", NULL};
    http_world_attach(&world, NULL, embeddings, 2);
    const struct pyr_request *record = &http_world_one(&world, "", 1)->record;
    assert_int_equal(record->outcome, PYR_OUTCOME_OK);
    assert_int_equal(record->prompt_tokens, 5);
    assert_int_equal(record->flags, PYR_REQUEST_USAGE);
    http_world_close(&world);
    static const char *const text[] = {"endpoint=completions", NULL};
    http_world_attach(&world, NULL, text, 2);
    assert_int_equal(http_world_one(&world, "", 9)->record.output_tokens, 9);
    http_world_end(&world);
}

static void a_unix_socket_and_several_endpoints_work(void **state) {
    (void)state;
    char dir[200], path[300], both[900];
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/s", dir);
    const char *const arguments[] = {"--unix", path, NULL};
    static struct http_world tcp;
    http_world_serve(&tcp, NULL);
    http_world_serve(&world, arguments);
    snprintf(both, sizeof both, "%s,%s", world.url, tcp.url);
    http_world_attach(&world, both, NULL, 8);
    assert_non_null(strstr(describe().description, "several endpoints"));
    for (size_t i = 0; i < 8; i++)
        http_world_slot(&world, i, "");
    http_world_run(&world, 8);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(world.slots[i].record.outcome, PYR_OUTCOME_OK);
    http_world_end(&world);
    http_world_end(&tcp);
    rmdir(dir);
}

static void a_server_that_hangs_up_after_each_answer_costs_no_request(void **state) {
    (void)state;
    static const char *const plan[] = {"--plan", "fault=hang_up", NULL};
    http_world_serve(&world, plan);
    http_world_attach(&world, NULL, NULL, 1);
    struct pyr_target_info info = describe();
    assert_non_null(strstr(info.notes, "closes the connection after each answer"));
    for (int i = 0; i < 20; i++)
        assert_int_equal(http_world_one(&world, "", 3)->record.outcome, PYR_OUTCOME_OK);
    http_world_end(&world);
}

static void fewer_connections_than_requests_make_them_wait(void **state) {
    (void)state;
    http_world_serve(&world, NULL);
    static const char *const options[] = {"connections=2", NULL};
    http_world_attach(&world, NULL, options, 16);
    for (size_t i = 0; i < 16; i++)
        http_world_slot(&world, i, i % 3 ? "" : "fault=reset,at=1");
    for (size_t i = 0; i < 16; i++)
        http_world_submit(&world, i);
    world.target->ops->cancel(world.handle, &world.slots[10], PYR_OUTCOME_CANCELLED);
    http_world_drain(&world);
    for (size_t i = 0; i < 16; i++) {
        enum pyr_outcome expected = i == 10 ? PYR_OUTCOME_CANCELLED
                                    : i % 3 ? PYR_OUTCOME_OK
                                            : PYR_OUTCOME_RESET;
        assert_int_equal(world.slots[i].record.outcome, expected);
        assert_true((world.slots[i].error_text == NULL) == (expected == PYR_OUTCOME_OK));
    }
    http_world_end(&world);
}

static void a_server_that_goes_away_refuses_what_comes_after(void **state) {
    (void)state;
    http_world_serve(&world, NULL);
    http_world_attach(&world, NULL, NULL, 4);
    int status;
    kill(world.server, SIGTERM);
    waitpid(world.server, &status, 0);
    world.server = -1;
    for (size_t i = 0; i < 4; i++)
        http_world_slot(&world, i, "");
    http_world_run(&world, 4);
    for (int round = 0; round < 2; round++) {
        http_world_slot(&world, 0, "");
        http_world_run(&world, 1);
        assert_int_equal(world.slots[0].record.outcome, PYR_OUTCOME_REFUSED);
        assert_true(world.slots[0].record.flags & PYR_REQUEST_NEW_CONNECTION);
        assert_non_null(strstr(world.slots[0].error_text, "refused"));
    }
    http_world_end(&world);
}

static void our_own_limits_are_told_as_ours(void **state) {
    (void)state;
    http_world_serve(&world, NULL);
    http_world_attach(&world, NULL, NULL, 2);
    assert_int_equal(http_world_one(&world, "", 3)->record.outcome, PYR_OUTCOME_OK);
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    /* The connections that are open go on; one that breaks cannot be replaced. */
    for (size_t i = 0; i < 2; i++)
        http_world_slot(&world, i, "fault=reset");
    http_world_run(&world, 2);
    assert_int_equal(world.slots[0].record.outcome, PYR_OUTCOME_RESET);
    struct pyr_slot *slot = http_world_slot(&world, 0, "");
    http_world_run(&world, 1);
    assert_int_equal(slot->record.outcome, PYR_OUTCOME_LOCAL);
    assert_non_null(strstr(slot->error_text, "no file descriptor is left"));
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(http_world_one(&world, "", 3)->record.outcome, PYR_OUTCOME_OK);
    http_world_close(&world);
    /* More connections than this process may ever have are refused before the start. */
    struct pyr_err err;
    assert_ok(err, http_world_open(&world, world.url, NULL, &err));
    struct pyr_attach attach = {.clock = &world.clock, .max_in_flight = 5000000};
    struct pyr_target_handle *handle;
    if (before.rlim_max < 5000000) {
        assert_false(world.target->ops->attach(world.target, &attach, &handle, &err));
        assert_non_null(strstr(err.text, "raise ulimit -Hn"));
    }
    http_world_end(&world);
}

int main(void) {
    unsetenv("OPENAI_API_KEY");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dialect_is_found_and_described),
        cmocka_unit_test(what_a_template_adds_to_a_prompt_is_part_of_its_length),
        cmocka_unit_test(a_server_without_a_tokenizer_weighs_prompts_by_its_usage),
        cmocka_unit_test(a_url_without_a_path_means_v1),
        cmocka_unit_test(what_is_wrong_is_said_in_one_line),
        cmocka_unit_test(ready_is_when_a_request_works),
        cmocka_unit_test(a_name_that_is_not_listed_is_the_servers_to_refuse),
        cmocka_unit_test(planned_refusals_of_the_first_request_are_told),
        cmocka_unit_test(keys_and_headers_are_sent_and_never_shown),
        cmocka_unit_test(answers_that_do_not_stream_are_one_chunk),
        cmocka_unit_test(a_unix_socket_and_several_endpoints_work),
        cmocka_unit_test(a_server_that_hangs_up_after_each_answer_costs_no_request),
        cmocka_unit_test(fewer_connections_than_requests_make_them_wait),
        cmocka_unit_test(a_server_that_goes_away_refuses_what_comes_after),
        cmocka_unit_test(our_own_limits_are_told_as_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
