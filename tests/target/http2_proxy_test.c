/* SPDX-License-Identifier: MIT
 *
 * The target http over HTTP/2 against a real server of it: nghttpx before the known-schedule
 * server, on a Unix socket, and behind TLS that chooses it.
 */
#include "support/support.h"

#include "support/http_world.h"
#include "support/tls_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char proxy_program[] = "/usr/sbin/nghttpx";
static struct http_world world;
static struct tls_relay relay;
static pid_t proxy;
static char url[400], socket_path[300];

static void run_proxy(void) {
    char backend[100], frontend[340], config[340];
    const char *port = strrchr(world.url, ':');
    snprintf(backend, sizeof backend, "--backend=127.0.0.1,%d", atoi(port + 1));
    snprintf(frontend, sizeof frontend, "--frontend=unix:%s;no-tls", socket_path);
    snprintf(config, sizeof config, "--conf=%s/none", world.dir);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execl(proxy_program, "nghttpx", backend, frontend, config, "--workers=1", "--single-process",
          (char *)NULL);
    _exit(127);
}

static void await_proxy(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(strlen(socket_path) < sizeof address.sun_path);
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    for (int i = 0; i < 2000; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        int status = connect(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        if (status == 0)
            return;
        poll(NULL, 0, 5);
    }
    fail_msg("nghttpx does not come up");
}

static void start(void) {
    http_world_serve(&world, NULL);
    snprintf(socket_path, sizeof socket_path, "%s/h2.sock", world.dir);
    snprintf(url, sizeof url, "unix:%s:/v1", socket_path);
    proxy = fork();
    if (proxy == 0)
        run_proxy();
    await_proxy();
}

static void stop(void) {
    int status;
    kill(proxy, SIGKILL);
    waitpid(proxy, &status, 0);
    unlink(socket_path);
    http_world_end(&world);
}

static void streams_and_refusals_come_over_http2(void **state) {
    (void)state;
    static const char *const options[] = {"http2=on", NULL};
    static const struct {
        const char *plan;
        enum pyr_outcome outcome;
        uint32_t tokens;
    } cases[] = {{"", PYR_OUTCOME_OK, 5},
                 {"burst=5", PYR_OUTCOME_OK, 5},
                 {"itl=3ms", PYR_OUTCOME_OK, 5},
                 {"fault=split_utf8", PYR_OUTCOME_OK, 5},
                 {"fault=no_done", PYR_OUTCOME_OK, 5},
                 {"fault=close,at=2", PYR_OUTCOME_RESET, 2},
                 {"fault=html", PYR_OUTCOME_PROTOCOL, 0},
                 {"fault=bad_json,at=1", PYR_OUTCOME_PROTOCOL, 1},
                 {"fault=error_event,at=2", PYR_OUTCOME_STREAM_ERROR, 2},
                 {"fault=status,status=429,retry_after=7", PYR_OUTCOME_REJECTED, 0},
                 {"fault=status,status=401", PYR_OUTCOME_HTTP_4XX, 0}};
    size_t count = sizeof cases / sizeof *cases;
    start();
    http_world_attach(&world, url, options, (uint32_t)count);
    struct pyr_target_info info;
    world.target->ops->describe(world.target, &info);
    assert_non_null(strstr(info.description, "HTTP/2"));
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++)
            http_world_slot(&world, i, cases[i].plan);
        http_world_run(&world, count);
        for (size_t i = 0; i < count; i++) {
            const struct pyr_request *record = &world.slots[i].record;
            /* A proxy may drop what it still holds when its server goes away. */
            bool counted = cases[i].outcome == PYR_OUTCOME_RESET
                               ? record->output_tokens <= cases[i].tokens
                               : record->output_tokens == cases[i].tokens;
            if (record->outcome != cases[i].outcome || !counted)
                fail_msg("%s: %s, %u tokens (%s)", cases[i].plan,
                         pyr_outcome_name((enum pyr_outcome)record->outcome), record->output_tokens,
                         world.slots[i].error_text ? world.slots[i].error_text : "no error");
        }
    }
    stop();
}

static void a_long_prompt_waits_for_the_window(void **state) {
    (void)state;
    static const char *const options[] = {"http2=on", "probe=off", NULL};
    size_t bytes = 1000000;
    start();
    http_world_attach(&world, url, options, 1);
    char *text = malloc(bytes);
    memset(text, 'x', bytes);
    struct pyr_slot *slot = http_world_slot(&world, 0, "");
    slot->prompt.text = text;
    slot->prompt.text_bytes = bytes;
    http_world_run(&world, 1);
    if (slot->record.outcome != PYR_OUTCOME_OK)
        fail_msg("%s", slot->error_text);
    assert_int_equal(slot->record.usage_prompt_tokens, bytes / 4 + 1);
    free(text);
    stop();
}

static void tls_brings_http2_unless_it_is_switched_off(void **state) {
    (void)state;
    static const char *const switches[] = {NULL, "http2=on", "http2=off"};
    char ca[340], tls_url[100];
    start();
    for (int i = 0; i < 3; i++) {
        struct pyr_target_info info;
        tls_relay_start(&relay, &(struct tls_relay_config){.backend_unix = socket_path});
        snprintf(ca, sizeof ca, "ca_file=%s", relay.ca);
        snprintf(tls_url, sizeof tls_url, "https://127.0.0.1:%u/v1", relay.port);
        const char *const options[] = {ca, switches[i], NULL};
        http_world_attach(&world, tls_url, options, 8);
        world.target->ops->describe(world.target, &info);
        assert_int_equal(strstr(info.description, "HTTP/2") != NULL, i < 2);
        for (int round = 0; round < 2; round++) {
            for (size_t j = 0; j < 8; j++)
                http_world_slot(&world, j, "itl=1ms");
            http_world_run(&world, 8);
            for (size_t j = 0; j < 8; j++) {
                if (world.slots[j].record.outcome != PYR_OUTCOME_OK)
                    fail_msg("%s", world.slots[j].error_text);
                assert_int_equal(world.slots[j].record.output_tokens, 5);
            }
        }
        http_world_close(&world);
        tls_relay_stop(&relay);
    }
    stop();
}

static void a_server_without_http2_is_named(void **state) {
    (void)state;
    static const char *const options[] = {"http2=on", NULL};
    struct pyr_err err = {0};
    http_world_serve(&world, NULL);
    assert_false(http_world_open(&world, world.url, options, &err));
    if (!strstr(err.text, "does not speak HTTP/2"))
        fail_msg("said: %s", err.text);
    http_world_end(&world);
}

int main(void) {
    unsetenv("OPENAI_API_KEY");
    if (access(proxy_program, X_OK) != 0) {
        puts("no nghttpx here; install nghttp2-proxy (scripts/setup services)");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_and_refusals_come_over_http2),
        cmocka_unit_test(a_long_prompt_waits_for_the_window),
        cmocka_unit_test(tls_brings_http2_unless_it_is_switched_off),
        cmocka_unit_test(a_server_without_http2_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
