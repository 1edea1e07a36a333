/* SPDX-License-Identifier: MIT */
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* a load's connections may all come at once */

static bool listen_at(const struct addrinfo *at, int *fd) {
    int on = 1;
    *fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return false;
    setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(*fd, at->ai_addr, at->ai_addrlen) == 0 && listen(*fd, BACKLOG) == 0)
        return true;
    int error = errno;
    close(*fd);
    *fd = -1;
    errno = error;
    return false;
}

bool pyr_listen(const char *host, uint16_t port, int *fd, uint16_t *bound, struct pyr_err *err) {
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    char service[8];
    if (!host)
        host = "127.0.0.1";
    snprintf(service, sizeof service, "%u", port);
    int status = getaddrinfo(host, service, &hints, &list);
    if (status != 0)
        return pyr_fail(err, PYR_E_USAGE, "%s: not an address to listen on (%s)", host,
                        gai_strerror(status));
    bool good = listen_at(list, fd);
    int error = errno;
    freeaddrinfo(list);
    if (!good && error == EADDRINUSE)
        return pyr_fail(err, PYR_E_IO, "%s:%u: the port is in use; choose another or 0", host,
                        port);
    if (!good)
        return pyr_fail_errno(err, error, "%s:%u: cannot listen", host, port);
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    getsockname(*fd, (struct sockaddr *)&address, &bytes);
    *bound = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                 : ((struct sockaddr_in *)&address)->sin_port);
    return true;
}

/* A socket file without a listener is what a killed server left: it may go. */
static bool is_stale(const struct sockaddr_un *address) {
    struct stat info;
    if (stat(address->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool stale = probe >= 0 &&
                 connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 &&
                 errno == ECONNREFUSED;
    if (probe >= 0)
        close(probe);
    return stale;
}

bool pyr_listen_unix(const char *path, int *fd, struct pyr_err *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return pyr_fail(err, PYR_E_USAGE, "%s: longer than the %zu bytes a socket path may have",
                        path, sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path));
    if (is_stale(&address))
        unlink(path);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return pyr_fail_errno(err, errno, "%s", path);
    mode_t before = umask(0177);
    bool good = bind(*fd, (struct sockaddr *)&address, sizeof address) == 0;
    int error = errno;
    umask(before);
    if (good && listen(*fd, BACKLOG) == 0)
        return true;
    error = good ? errno : error;
    close(*fd);
    *fd = -1;
    return pyr_fail_errno(err, error, "%s: cannot listen", path);
}

int pyr_accept(int listener) {
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}
