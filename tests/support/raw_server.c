/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "support/raw_server.h"

#include "net/listen.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST_BYTES = 65536 };

const char raw_models[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                          "Content-Length: 23\r\n\r\n{\"data\":[{\"id\":\"raw\"}]}";
const char raw_stream[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                          "Content-Length: 108\r\n\r\n"
                          "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
                          "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n"
                          "data: [DONE]\n\n";

/* A whole request; false at the end of the connection. */
static bool read_request(int fd, char *request) {
    size_t length = 0, wanted = 0;
    for (;;) {
        char *end = strstr(request, "\r\n\r\n");
        if (end && !wanted) {
            const char *said = strcasestr(request, "Content-Length: ");
            wanted = (size_t)(end + 4 - request);
            wanted += said && said < end ? strtoul(said + 16, NULL, 10) : 0;
        }
        if (wanted && length >= wanted)
            return true;
        ssize_t got = read(fd, request + length, REQUEST_BYTES - 1 - length);
        if (got <= 0)
            return false;
        length += (size_t)got;
        request[length] = '\0';
    }
}

static bool write_all(int fd, const char *bytes, size_t count) {
    while (count) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

/* True when the connection lives on. */
static bool answer(int fd, const struct raw_answer *one) {
    struct linger at_once = {.l_onoff = 1};
    size_t count = one->count ? one->count : strlen(one->bytes);
    if (!write_all(fd, one->bytes, count))
        return false;
    switch (one->end) {
    case RAW_KEEP:
        return true;
    case RAW_CLOSE:
        break;
    case RAW_RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        break;
    case RAW_HOLD:
        poll(&(struct pollfd){.fd = fd}, 1, -1);
        break;
    case RAW_REPEAT:
        while (write_all(fd, one->again, strlen(one->again))) {
        }
        break;
    }
    return false;
}

static void serve(int fd, int told, const struct raw_answer *answers) {
    char *request = calloc(1, REQUEST_BYTES);
    bool alive = true;
    while (alive && read_request(fd, request)) {
        const struct raw_answer *one = answers;
        while (one->bytes && one->holds && !strstr(request, one->holds))
            one++;
        alive = one->bytes && answer(fd, one);
        if (one->bytes && one->end == RAW_CLOSE) {
            shutdown(fd, SHUT_RDWR); /* the process that took it may hold it still */
            close(fd);
            fd = -1;
            write_all(told, "c", 1);
        }
        memset(request, 0, REQUEST_BYTES);
    }
    if (fd >= 0)
        close(fd);
    free(request);
}

static void run(int listener, int told, const struct raw_answer *answers) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, -1);
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(listener);
            serve(fd, told, answers);
            _exit(0);
        }
        close(fd);
    }
}

void raw_server_start(struct raw_server *server, const char *host,
                      const struct raw_answer *answers) {
    struct pyr_err err;
    int listener, pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_ok(err, pyr_listen(host, 0, &listener, &server->port, &err));
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        run(listener, pair[1], answers);
    close(listener);
    close(pair[1]);
    server->closed = pair[0];
    snprintf(server->url, sizeof server->url, "http://%s%s%s:%u/v1",
             host && strchr(host, ':') ? "[" : "", host ? host : "127.0.0.1",
             host && strchr(host, ':') ? "]" : "", server->port);
}

void raw_server_stop(struct raw_server *server) {
    int status;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, &status, 0);
    close(server->closed);
}
