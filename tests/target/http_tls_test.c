/* SPDX-License-Identifier: MIT
 *
 * The target http over TLS: verification, own authority, client certificates, proxies.
 */
#include "support/support.h"

#include "support/http_world.h"
#include "support/raw_server.h"
#include "support/tls_relay.h"

#include <stdlib.h>
#include <string.h>

static struct http_world world;
static struct tls_relay relay;
static char url[500], ca[320];

static void start(struct tls_relay_config config, const char *host) {
    http_world_serve(&world, NULL);
    config.backend_port = (uint16_t)atoi(world.url + strlen("http://127.0.0.1:"));
    tls_relay_start(&relay, &config);
    snprintf(url, sizeof url, "https://%s:%u/v1", host, relay.port);
    snprintf(ca, sizeof ca, "ca_file=%s", relay.ca);
}

static void stop(void) {
    http_world_end(&world);
    tls_relay_stop(&relay);
}

static void check_streams(void) {
    static const char *const plans[] = {"", "burst=5", "fault=split_utf8", "itl=3ms"};
    for (size_t i = 0; i < 8; i++)
        http_world_slot(&world, i, plans[i % 4]);
    http_world_run(&world, 8);
    for (size_t i = 0; i < 8; i++) {
        const struct pyr_request *record = &world.slots[i].record;
        if (record->outcome != PYR_OUTCOME_OK)
            fail_msg("%s", world.slots[i].error_text);
        assert_int_equal(record->output_tokens, 5);
        assert_false(record->flags & PYR_REQUEST_NEW_CONNECTION);
    }
}

static void expect_refusal(const char *const *options, const char *says) {
    struct pyr_err err = {0};
    if (http_world_open(&world, url, options, &err))
        fail_msg("%s was accepted", url);
    if (!strstr(err.text, says))
        fail_msg("said: %s; not: %s", err.text, says);
}

static void streams_come_over_tls_by_name_and_address(void **state) {
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    for (int i = 0; i < 2; i++) {
        start((struct tls_relay_config){0}, hosts[i]);
        const char *const options[] = {ca, NULL};
        http_world_attach(&world, url, options, 8);
        check_streams();
        struct pyr_slot *slot = http_world_slot(&world, 0, "fault=close,at=2");
        http_world_run(&world, 1);
        assert_int_equal(slot->record.outcome, PYR_OUTCOME_RESET);
        assert_int_equal(slot->record.output_tokens, 2);
        stop();
    }
}

static void a_long_prompt_goes_through_tls(void **state) {
    (void)state;
    start((struct tls_relay_config){0}, "127.0.0.1");
    const char *const options[] = {ca, "probe=off", NULL};
    http_world_attach(&world, url, options, 1);
    size_t bytes = 2000000;
    char *text = malloc(bytes);
    memset(text, 'x', bytes);
    struct pyr_slot *slot = http_world_slot(&world, 0, "");
    slot->prompt.text = text;
    slot->prompt.text_bytes = bytes;
    http_world_run(&world, 1);
    assert_int_equal(slot->record.outcome, PYR_OUTCOME_OK);
    assert_int_equal(slot->record.usage_prompt_tokens, bytes / 4 + 1);
    free(text);
    stop();
}

static void certificates_are_verified(void **state) {
    (void)state;
    start((struct tls_relay_config){0}, "127.0.0.1");
    expect_refusal(NULL, "certificate not accepted: ");
    const char *const trusting[] = {"insecure=on", NULL};
    http_world_attach(&world, url, trusting, 8);
    struct pyr_target_info info;
    world.target->ops->describe(world.target, &info);
    assert_non_null(strstr(info.description, "certificate not verified"));
    check_streams();
    stop();

    start((struct tls_relay_config){.expired = true}, "127.0.0.1");
    const char *const options[] = {ca, NULL};
    expect_refusal(options, "certificate has expired");
    stop();

    start((struct tls_relay_config){.other_host = true}, "localhost");
    const char *const named[] = {ca, NULL};
    expect_refusal(named, "hostname mismatch");
    stop();
}

static void a_client_certificate_is_shown_when_asked_for(void **state) {
    (void)state;
    char cert[320], key[320];
    start((struct tls_relay_config){.wants_client = true}, "127.0.0.1");
    const char *const without[] = {ca, NULL};
    struct pyr_err err;
    assert_false(http_world_open(&world, url, without, &err));
    snprintf(cert, sizeof cert, "cert_file=%s", relay.client_cert);
    assert_non_null(strstr(err.text, "client certificate (--client-cert"));
    snprintf(key, sizeof key, "key_file=%s", relay.client_key);
    const char *const with[] = {ca, cert, key, NULL};
    http_world_attach(&world, url, with, 8);
    check_streams();
    stop();
}

static void the_end_of_tls_is_the_end_without_that_of_the_socket(void **state) {
    (void)state;
    static const struct raw_answer answers[] = {
        {"GET", raw_models, 0, RAW_KEEP, NULL},
        {NULL,
         "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
         "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n",
         0, RAW_CLOSE, NULL},
        {0}};
    static const char *const plain[] = {"stream=on", "probe=off"};
    struct raw_server server;
    raw_server_start(&server, NULL, answers);
    struct tls_relay_config config = {.backend_port = server.port, .keeps_socket = true};
    tls_relay_start(&relay, &config);
    http_world_begin(&world);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/v1", relay.port);
    snprintf(ca, sizeof ca, "ca_file=%s", relay.ca);
    const char *const options[] = {ca, plain[0], plain[1], NULL};
    http_world_attach(&world, url, options, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(http_world_one(&world, "", 1)->record.outcome, PYR_OUTCOME_OK);
    stop();
    raw_server_stop(&server);
}

static void plain_http_is_not_taken_for_tls(void **state) {
    (void)state;
    start((struct tls_relay_config){0}, "127.0.0.1");
    snprintf(url, sizeof url, "https%.300s", world.url + strlen("http"));
    expect_refusal(NULL, "TLS handshake failed");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/v1", relay.port);
    struct pyr_err err;
    assert_false(http_world_open(&world, url, NULL, &err));
    stop();
}

int main(void) {
    unsetenv("OPENAI_API_KEY");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_come_over_tls_by_name_and_address),
        cmocka_unit_test(a_long_prompt_goes_through_tls),
        cmocka_unit_test(certificates_are_verified),
        cmocka_unit_test(a_client_certificate_is_shown_when_asked_for),
        cmocka_unit_test(the_end_of_tls_is_the_end_without_that_of_the_socket),
        cmocka_unit_test(plain_http_is_not_taken_for_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
