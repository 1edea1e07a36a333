/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "support/tls_relay.h"

#include "net/listen.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- certificates ----------------------------------------------------------------------------- */

static void extend(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

static X509 *make_cert(const char *name, long serial, EVP_PKEY *key, X509 *issuer,
                       EVP_PKEY *issuer_key, const char *hosts, bool expired) {
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
    X509_gmtime_adj(X509_getm_notAfter(cert), expired ? -3600 : 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
    if (!issuer)
        extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
    if (hosts)
        extend(cert, issuer, NID_subject_alt_name, hosts);
    assert_true(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
    return cert;
}

static void save(const char *path, X509 *cert, EVP_PKEY *key) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    if (cert)
        PEM_write_X509(file, cert);
    if (key)
        PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
}

static void make_files(struct tls_relay *relay, const struct tls_relay_config *config) {
    EVP_PKEY *keys[3];
    for (int i = 0; i < 3; i++)
        assert_non_null(keys[i] = EVP_EC_gen("P-256"));
    X509 *ca = make_cert("test authority", 1, keys[0], NULL, keys[0], NULL, false);
    X509 *server = make_cert(
        "server", 2, keys[1], ca, keys[0],
        config->other_host ? "DNS:other.example" : "DNS:localhost,IP:127.0.0.1", config->expired);
    X509 *client = make_cert("client", 3, keys[2], ca, keys[0], NULL, false);
    save(relay->ca, ca, NULL);
    save(relay->server_cert, server, NULL);
    save(relay->server_key, NULL, keys[1]);
    save(relay->client_cert, client, NULL);
    save(relay->client_key, NULL, keys[2]);
    X509_free(ca);
    X509_free(server);
    X509_free(client);
    for (int i = 0; i < 3; i++)
        EVP_PKEY_free(keys[i]);
}

/* --- the relay: one process a connection -------------------------------------------------------
 */

static int connect_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        _exit(1);
    return fd;
}

static int choose_http2(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                        const unsigned char *in, unsigned in_bytes, void *user) {
    (void)ssl, (void)user;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_bytes, (const unsigned char *)"\x02h2\x08http/1.1", 12,
                              in, in_bytes) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int connect_backend(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        _exit(1);
    return fd;
}

static void relay_connection(SSL_CTX *context, int client, const struct tls_relay_config *config) {
    char bytes[16384];
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, client);
    if (SSL_accept(ssl) != 1)
        _exit(1);
    int backend = config->backend_unix ? connect_unix(config->backend_unix)
                                       : connect_backend(config->backend_port);
    for (;;) {
        struct pollfd fds[2] = {{.fd = client, .events = POLLIN},
                                {.fd = backend, .events = POLLIN}};
        if (!SSL_pending(ssl))
            poll(fds, 2, -1);
        if (SSL_pending(ssl) || fds[0].revents) {
            int got = SSL_read(ssl, bytes, sizeof bytes);
            if (got <= 0 || write(backend, bytes, (size_t)got) != got)
                break;
        }
        if (fds[1].revents) {
            ssize_t got = read(backend, bytes, sizeof bytes);
            if (got <= 0 || SSL_write(ssl, bytes, (int)got) != got)
                break;
        }
    }
    SSL_shutdown(ssl);
    if (config->keeps_socket)
        pause();
    _exit(0);
}

static void run(const struct tls_relay *relay, const struct tls_relay_config *config,
                int listener) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_chain_file(context, relay->server_cert);
    SSL_CTX_use_PrivateKey_file(context, relay->server_key, SSL_FILETYPE_PEM);
    SSL_CTX_load_verify_locations(context, relay->ca, NULL);
    if (config->backend_unix)
        SSL_CTX_set_alpn_select_cb(context, choose_http2, NULL);
    if (config->wants_client)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    for (;;) {
        struct pollfd fd = {.fd = listener, .events = POLLIN};
        poll(&fd, 1, -1);
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            relay_connection(context, client, config);
        }
        close(client);
    }
}

void tls_relay_start(struct tls_relay *relay, const struct tls_relay_config *config) {
    struct pyr_err err;
    int listener;
    *relay = (struct tls_relay){0};
    assert_non_null(pyr_test_temp_dir(relay->dir, sizeof relay->dir));
    char *const paths[] = {relay->ca, relay->server_cert, relay->server_key, relay->client_cert,
                           relay->client_key};
    static const char *const names[] = {"ca", "server.crt", "server.key", "client.crt",
                                        "client.key"};
    for (int i = 0; i < 5; i++)
        snprintf(paths[i], sizeof relay->ca, "%s/%s", relay->dir, names[i]);
    make_files(relay, config);
    assert_ok(err, pyr_listen(NULL, 0, &listener, &relay->port, &err));
    relay->pid = fork();
    assert_true(relay->pid >= 0);
    if (relay->pid == 0)
        run(relay, config, listener);
    close(listener);
}

void tls_relay_stop(struct tls_relay *relay) {
    int status;
    kill(relay->pid, SIGKILL);
    waitpid(relay->pid, &status, 0);
    const char *const paths[] = {relay->ca, relay->server_cert, relay->server_key,
                                 relay->client_cert, relay->client_key};
    for (int i = 0; i < 5; i++)
        unlink(paths[i]);
    rmdir(relay->dir);
}
