/* SPDX-License-Identifier: MIT
 *
 * Listening sockets, non-blocking and closed on exec.
 */
#ifndef PYR_NET_LISTEN_H
#define PYR_NET_LISTEN_H

#include "base/err.h"

#include <stdint.h>

/* host NULL: 127.0.0.1. port 0: any free one, which *bound tells. */
bool pyr_listen(const char *host, uint16_t port, int *fd, uint16_t *bound, struct pyr_err *err);
/* Fails when the path exists as anything but a socket that nobody answers on. Mode 0600. */
bool pyr_listen_unix(const char *path, int *fd, struct pyr_err *err);
/* The next connection (TCP_NODELAY where that means something), or -1. */
int pyr_accept(int listener);

#endif
