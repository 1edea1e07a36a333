/* SPDX-License-Identifier: MIT
 *
 * Requests through a proxy: plain HTTP names the whole URL, HTTPS asks for a tunnel first. The host
 * behind the proxy does not exist: only the proxy is ever resolved.
 */
#include "support/support.h"

#include "net/http_fetch.h"
#include "net/listen.h"
#include "support/http_world.h"
#include "support/tls_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char proxy_url[100];

static char *environment(const char *name) {
    return strcmp(name, "all_proxy") == 0 ? proxy_url : NULL;
}

static void splice_until_closed(int one, int other) {
    char bytes[16384];
    struct pollfd fds[2] = {{.fd = one, .events = POLLIN}, {.fd = other, .events = POLLIN}};
    for (;;) {
        poll(fds, 2, -1);
        for (int i = 0; i < 2; i++) {
            if (!fds[i].revents)
                continue;
            ssize_t got = read(fds[i].fd, bytes, sizeof bytes);
            if (got <= 0 || write(fds[1 - i].fd, bytes, (size_t)got) != got)
                return;
        }
    }
}

/* One connection at a time. CONNECT is answered with `reply`, and led to the backend when that is
 * a 200; anything else is answered with the request's first line as the body. */
static void run_proxy(int listener, uint16_t backend, const char *reply) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        struct pollfd pollfd = {.fd = listener, .events = POLLIN};
        poll(&pollfd, 1, -1);
        int client = accept(listener, NULL, NULL);
        char head[2048] = "";
        size_t length = 0;
        while (length < sizeof head - 1 && !strstr(head, "\r\n\r\n")) {
            ssize_t got = read(client, head + length, sizeof head - 1 - length);
            if (got <= 0)
                break;
            length += (size_t)got;
            head[length] = '\0';
        }
        if (strncmp(head, "CONNECT ", 8) != 0) {
            const char *user = strstr(head, "Proxy-Authorization: ");
            int line = (int)strcspn(head, "\r"), more = user ? (int)strcspn(user, "\r") : 0;
            dprintf(client, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%.*s%.*s", line + more,
                    line, head, more, user ? user : "");
        } else if (dprintf(client, "%s", reply) > 0 && strstr(reply, " 200 ")) {
            struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(backend)};
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            int fd = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
                splice_until_closed(client, fd);
            close(fd);
        }
        close(client);
    }
}

static pid_t start_proxy(uint16_t backend, const char *reply) {
    struct pyr_err err;
    int listener;
    uint16_t port;
    assert_ok(err, pyr_listen(NULL, 0, &listener, &port, &err));
    pid_t pid = fork();
    if (pid == 0)
        run_proxy(listener, backend, reply);
    close(listener);
    snprintf(proxy_url, sizeof proxy_url, "http://127.0.0.1:%u", port);
    return pid;
}

static void stop_proxy(pid_t pid) {
    int status;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}

static bool fetch(const char *url, const struct pyr_tls_options *tls, struct pyr_fetched *fetched,
                  struct pyr_err *err) {
    struct pyr_endpoint endpoint;
    assert_ok(*err, pyr_endpoint_open(url, tls, environment, &endpoint, err));
    assert_true(endpoint.proxied);
    struct pyr_fetch request = {.path = "/v1/models"};
    bool good = pyr_http_fetch(&endpoint, &request, fetched, err);
    pyr_endpoint_close(&endpoint);
    return good;
}

static void plain_http_names_the_whole_url(void **state) {
    (void)state;
    struct pyr_fetched fetched;
    struct pyr_err err;
    pid_t proxy = start_proxy(0, "");
    assert_ok(err, fetch("http://server.invalid:8000/v1", NULL, &fetched, &err));
    assert_string_equal(pyr_buf_text(&fetched.body),
                        "GET http://server.invalid:8000/v1/models HTTP/1.1");
    pyr_buf_deinit(&fetched.body);
    stop_proxy(proxy);
}

static void a_proxy_gets_its_user_and_nobody_else(void **state) {
    (void)state;
    struct pyr_fetched fetched;
    struct pyr_err err;
    char plain[sizeof proxy_url];
    pid_t proxy = start_proxy(0, "HTTP/1.1 407 No\r\n\r\n");
    snprintf(plain, sizeof plain, "%s", proxy_url + strlen("http://"));
    snprintf(proxy_url, sizeof proxy_url, "http://me:pw@%.80s", plain);
    assert_ok(err, fetch("http://server.invalid:8000/v1", NULL, &fetched, &err));
    assert_string_equal(pyr_buf_text(&fetched.body),
                        "GET http://server.invalid:8000/v1/models HTTP/1.1"
                        "Proxy-Authorization: Basic bWU6cHc=");
    pyr_buf_deinit(&fetched.body);
    assert_false(fetch("https://server.invalid:8000/v1", NULL, &fetched, &err));
    assert_non_null(strstr(err.text, "(through the proxy 127.0.0.1:"));
    assert_non_null(strstr(err.text, "(HTTP 407); it wants http://NAME:PASSWORD@"));
    assert_null(strstr(err.text, "pw@"));
    stop_proxy(proxy);
}

static void https_goes_through_a_tunnel(void **state) {
    (void)state;
    struct http_world world;
    struct tls_relay relay;
    struct pyr_fetched fetched;
    struct pyr_err err;
    http_world_serve(&world, NULL);
    tls_relay_start(&relay,
                    &(struct tls_relay_config){.backend_port = (uint16_t)atoi(world.url + 17),
                                               .other_host = true});
    pid_t proxy = start_proxy(relay.port, "HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n");
    struct pyr_tls_options tls = {.ca_file = relay.ca};
    assert_ok(err, fetch("https://other.example/v1", &tls, &fetched, &err));
    assert_int_equal(fetched.status, 200);
    assert_non_null(strstr(pyr_buf_text(&fetched.body), "scheduled"));
    pyr_buf_deinit(&fetched.body);
    /* The certificate is the server's, not the proxy's. */
    assert_false(fetch("https://third.example/v1", &tls, &fetched, &err));
    assert_non_null(strstr(err.text, "hostname mismatch"));
    stop_proxy(proxy);
    tls_relay_stop(&relay);
    http_world_end(&world);
}

static void a_refused_tunnel_is_told(void **state) {
    (void)state;
    struct pyr_fetched fetched;
    struct pyr_err err;
    static char long_reply[3000];
    snprintf(long_reply, sizeof long_reply,
             "HTTP/1.1 407 Proxy Authentication Required\r\nX: %02000d\r\n\r\n", 0);
    static const char *const replies[] = {long_reply, "HTTP/1.0 403 No\r\n\r\n", "nonsense\r\n\r\n",
                                          "HTTP/1.1 20"};
    static const char *const says[] = {"HTTP 407", "HTTP 403", "refused the tunnel", "closed"};
    for (int i = 0; i < 4; i++) {
        pid_t proxy = start_proxy(0, replies[i]);
        assert_false(fetch("https://server.invalid/v1", NULL, &fetched, &err));
        if (!strstr(err.text, says[i]))
            fail_msg("%s", err.text);
        assert_int_equal(fetched.failure, PYR_CONN_PROXY);
        stop_proxy(proxy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_http_names_the_whole_url),
        cmocka_unit_test(a_proxy_gets_its_user_and_nobody_else),
        cmocka_unit_test(https_goes_through_a_tunnel),
        cmocka_unit_test(a_refused_tunnel_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
