/* SPDX-License-Identifier: MIT */
#include "net/tls.h"

#include "net/endpoint.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static bool openssl_fail(struct pyr_err *err, const char *what) {
    unsigned long first = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first))
                                                 : ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return pyr_fail(err, PYR_E_INPUT, "%s: cannot be used for TLS (%s)", what,
                    reason ? reason : "unknown cause");
}

static bool load_files(SSL_CTX *context, const struct pyr_tls_options *options,
                       struct pyr_err *err) {
    if (options->ca_file && SSL_CTX_load_verify_locations(context, options->ca_file, NULL) != 1)
        return openssl_fail(err, options->ca_file);
    if (!options->cert_file != !options->key_file)
        return pyr_fail(err, PYR_E_USAGE,
                        "%s: a client certificate needs its key too, and the key its certificate "
                        "(--client-cert and --client-key)",
                        options->cert_file ? options->cert_file : options->key_file);
    if (!options->cert_file)
        return true;
    if (SSL_CTX_use_certificate_chain_file(context, options->cert_file) != 1)
        return openssl_fail(err, options->cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, options->key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return openssl_fail(err, options->key_file);
    return true;
}

bool pyr_tls_open(const struct pyr_tls_options *options, struct ssl_ctx_st **context,
                  struct pyr_err *err) {
    /* In the order in which we want them. */
    static const unsigned char protocols[] = "\x02h2\x08http/1.1";
    const size_t http2_bytes = 3, all_bytes = sizeof protocols - 1;
    static const struct pyr_tls_options none;
    if (!options)
        options = &none;
    *context = SSL_CTX_new(TLS_client_method());
    if (!*context)
        return openssl_fail(err, "OpenSSL");
    SSL_CTX_set_min_proto_version(*context, TLS1_2_VERSION);
    SSL_CTX_set_verify(*context, options->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    size_t skipped = options->http2 == PYR_HTTP2_OFF ? http2_bytes : 0;
    size_t offered = options->http2 == PYR_HTTP2_ON ? http2_bytes : all_bytes - skipped;
    SSL_CTX_set_alpn_protos(*context, protocols + skipped, (unsigned)offered);
    if (!options->ca_file)
        SSL_CTX_set_default_verify_paths(*context);
    if (load_files(*context, options, err))
        return true;
    pyr_tls_close(*context);
    *context = NULL;
    return false;
}

void pyr_tls_close(struct ssl_ctx_st *context) {
    SSL_CTX_free(context);
}

bool pyr_tls_start(struct pyr_tls *tls, const struct pyr_endpoint *endpoint) {
    tls->ssl = SSL_new(endpoint->tls);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out) {
        SSL_free(tls->ssl);
        BIO_free(tls->in);
        BIO_free(tls->out);
        *tls = (struct pyr_tls){0};
        return false;
    }
    BIO_set_mem_eof_return(tls->in, -1);
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_connect_state(tls->ssl);
    if (endpoint->host_is_address) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), endpoint->url.host);
    } else {
        SSL_set_tlsext_host_name(tls->ssl, endpoint->url.host);
        SSL_set1_host(tls->ssl, endpoint->url.host);
    }
    return true;
}

void pyr_tls_stop(struct pyr_tls *tls) {
    SSL_free(tls->ssl);
    *tls = (struct pyr_tls){0};
}

bool pyr_tls_chose_http2(const struct pyr_tls *tls) {
    const unsigned char *name;
    unsigned bytes;
    SSL_get0_alpn_selected(tls->ssl, &name, &bytes);
    return bytes == 2 && memcmp(name, "h2", 2) == 0;
}

void pyr_tls_received(struct pyr_tls *tls, const char *bytes, size_t count) {
    BIO_write(tls->in, bytes, (int)count);
}

size_t pyr_tls_to_send(struct pyr_tls *tls, const char **bytes) {
    char *data = NULL;
    long count = BIO_get_mem_data(tls->out, &data);
    *bytes = data;
    return count > 0 ? (size_t)count : 0;
}

void pyr_tls_sent(struct pyr_tls *tls, size_t count) {
    char drop[4096];
    while (count) {
        int taken = BIO_read(tls->out, drop, (int)(count < sizeof drop ? count : sizeof drop));
        if (taken <= 0)
            return;
        count -= (size_t)taken;
    }
}

static const char *mend_of_certificate(long verdict) {
    switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "; name the server as its certificate does";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "; renew it, or look at this machine's clock";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "; trust it or its authority with --ca-file FILE";
    default:
        return "";
    }
}

static const char *mend_of_reason(int reason) {
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return "; it does not speak TLS: write http:// instead of https://";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return "; does it want a client certificate (--client-cert, --client-key) that it trusts?";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "; it is older than TLS 1.2";
    default:
        return "";
    }
}

void pyr_tls_why(const struct pyr_tls *tls, char *why, size_t why_size) {
    long verdict = SSL_get_verify_result(tls->ssl);
    unsigned long error = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(error);
    if (verdict != X509_V_OK && SSL_get_verify_mode(tls->ssl) != SSL_VERIFY_NONE)
        snprintf(why, why_size, "certificate not accepted: %s%s",
                 X509_verify_cert_error_string(verdict), mend_of_certificate(verdict));
    else
        snprintf(why, why_size, "TLS %sfailed: %s%s",
                 SSL_is_init_finished(tls->ssl) ? "" : "handshake ",
                 reason ? reason : "closed by the peer",
                 ERR_GET_LIB(error) == ERR_LIB_SSL ? mend_of_reason(ERR_GET_REASON(error)) : "");
    ERR_clear_error();
}

enum pyr_tls_result pyr_tls_handshake(struct pyr_tls *tls, char *why, size_t why_size) {
    ERR_clear_error();
    int status = SSL_do_handshake(tls->ssl);
    if (status == 1)
        return PYR_TLS_DONE;
    if (SSL_get_error(tls->ssl, status) == SSL_ERROR_WANT_READ)
        return PYR_TLS_WANTS_MORE;
    pyr_tls_why(tls, why, why_size);
    return PYR_TLS_FAILED;
}

ssize_t pyr_tls_read(struct pyr_tls *tls, char *bytes, size_t capacity) {
    ERR_clear_error();
    size_t total = 0;
    while (total < capacity) {
        size_t count = 0;
        int status = SSL_read_ex(tls->ssl, bytes + total, capacity - total, &count);
        if (status == 1) {
            total += count;
            continue;
        }
        int error = SSL_get_error(tls->ssl, status);
        if (total || error == SSL_ERROR_WANT_READ)
            break;
        return error == SSL_ERROR_ZERO_RETURN ? -1 : -2;
    }
    return (ssize_t)total;
}

bool pyr_tls_is_over(const struct pyr_tls *tls) {
    return SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN;
}

bool pyr_tls_write(struct pyr_tls *tls, const char *bytes, size_t count) {
    ERR_clear_error();
    size_t written = 0;
    return count == 0 || (SSL_write_ex(tls->ssl, bytes, count, &written) == 1 && written == count);
}
