/* SPDX-License-Identifier: MIT */
#include "target/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAYLOAD_BYTES_MAX = 256 << 20 }; /* the tokens of the longest text */

struct head {
    uint32_t kind, bytes;
};

static bool write_all(int fd, const void *bytes, size_t count) {
    const char *at = bytes;
    while (count > 0) {
        ssize_t sent = send(fd, at, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        count -= (size_t)sent;
    }
    return true;
}

static bool read_all(int fd, void *bytes, size_t count) {
    char *at = bytes;
    while (count > 0) {
        ssize_t got = recv(fd, at, count, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        count -= (size_t)got;
    }
    return true;
}

union fd_message {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(PYR_WIRE_FDS * sizeof(int))];
};

/* The head carries the descriptors, so that they come with a message of known size. */
static bool send_head(int fd, struct head head, const int *fds) {
    union fd_message control = {0};
    struct iovec part = {&head, sizeof head};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fds) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(PYR_WIRE_FDS * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, PYR_WIRE_FDS * sizeof(int));
    }
    ssize_t sent;
    while ((sent = sendmsg(fd, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
    }
    return sent > 0 && write_all(fd, (const char *)&head + sent, sizeof head - (size_t)sent);
}

bool pyr_wire_send(int fd, enum pyr_wire_kind kind, const void *first, size_t first_bytes,
                   const void *second, size_t second_bytes, const int *fds) {
    struct head head = {(uint32_t)kind, (uint32_t)(first_bytes + second_bytes)};
    return send_head(fd, head, fds) && write_all(fd, first, first_bytes) &&
           write_all(fd, second, second_bytes);
}

static bool receive_head(int fd, struct head *head, int *fds) {
    union fd_message control;
    struct iovec part = {head, sizeof *head};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got;
    while ((got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
    }
    if (got <= 0)
        return false;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (rights && rights->cmsg_type == SCM_RIGHTS &&
        rights->cmsg_len == CMSG_LEN(PYR_WIRE_FDS * sizeof(int)))
        memcpy(fds, CMSG_DATA(rights), PYR_WIRE_FDS * sizeof(int));
    return read_all(fd, (char *)head + got, sizeof *head - (size_t)got);
}

bool pyr_wire_receive(int fd, struct pyr_wire_frame *frame) {
    struct head head;
    for (int i = 0; i < PYR_WIRE_FDS; i++)
        frame->fds[i] = -1;
    pyr_buf_clear(&frame->payload);
    if (!receive_head(fd, &head, frame->fds))
        return false;
    if (head.bytes > PAYLOAD_BYTES_MAX)
        return false;
    frame->kind = (enum pyr_wire_kind)head.kind;
    pyr_buf_reserve(&frame->payload, head.bytes);
    if (!read_all(fd, frame->payload.data, head.bytes))
        return false;
    frame->payload.length = head.bytes;
    frame->payload.data[head.bytes] = '\0';
    return true;
}
