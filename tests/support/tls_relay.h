/* SPDX-License-Identifier: MIT
 *
 * TLS in front of a plain server on loopback, in a child process, with certificates made on the
 * spot: an authority, a server certificate for localhost and 127.0.0.1, a client certificate.
 */
#ifndef PYR_TESTS_TLS_RELAY_H
#define PYR_TESTS_TLS_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tls_relay {
    pid_t pid;
    uint16_t port;
    char dir[200];
    char ca[300], server_cert[300], server_key[300], client_cert[300], client_key[300];
};

struct tls_relay_config {
    uint16_t backend_port;
    const char *backend_unix; /* instead, and then HTTP/2 is chosen where it is offered */
    bool expired;             /* the server's certificate */
    bool wants_client;        /* refuses clients without a certificate */
    bool other_host;          /* the certificate names another host */
    bool keeps_socket;        /* says that nothing more comes, and leaves the socket open */
};

void tls_relay_start(struct tls_relay *relay, const struct tls_relay_config *config);
void tls_relay_stop(struct tls_relay *relay);

#endif
