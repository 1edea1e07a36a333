/* SPDX-License-Identifier: MIT */
#include "target/http_options.h"

#include "base/fs.h"
#include "base/parse.h"
#include "codec/json_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEY_BYTES_MAX = 8192, HEADER_FILE_BYTES_MAX = 65536 };
/* Large models take minutes to load. */
#define LAUNCH_WAIT_NS (300 * PYR_NS_PER_S)

static bool read_switch(const char *key, const char *value, bool *on, struct pyr_err *err) {
    *on = strcmp(value, "on") == 0 || strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
    return *on || strcmp(value, "off") == 0 || strcmp(value, "0") == 0 ||
           strcmp(value, "false") == 0 ||
           pyr_fail(err, PYR_E_USAGE, "%s=%s: must be on or off", key, value);
}

static bool add_header_line(struct pyr_http_options *options, const char *value, const char *from,
                            struct pyr_err *err) {
    const char *colon = strchr(value, ':');
    size_t name = colon ? (size_t)(colon - value) : 0;
    /* The value may be a secret: it is not repeated. */
    if (!name || strcspn(value, " \t") < name)
        return pyr_fail(err, PYR_E_USAGE, "%s: must be written NAME: VALUE", from);
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return pyr_fail(err, PYR_E_USAGE, "%s: holds a control character", from);
    pyr_buf_printf(&options->headers, "%s\r\n", value);
    if (strncasecmp(value, "authorization:", 14) == 0)
        snprintf(options->key_source, sizeof options->key_source, "%s", from);
    return true;
}

/* One a line; so a secret need not stand on the command line. */
static bool read_header_file(struct pyr_http_options *options, const char *path,
                             struct pyr_err *err) {
    struct pyr_buf text = {0};
    const struct pyr_root root = {.prefix = ""};
    bool good = pyr_fs_read(&root, path, HEADER_FILE_BYTES_MAX, &text, err) ||
                pyr_err_prefix(err, "header file");
    char *save = NULL, from[300];
    snprintf(from, sizeof from, "the header file %.256s", path);
    for (char *line = good && text.length ? strtok_r(text.data, "\r\n", &save) : NULL; good && line;
         line = strtok_r(NULL, "\r\n", &save))
        good = add_header_line(options, line, from, err);
    pyr_buf_deinit(&text);
    return good;
}

static bool add_header(struct pyr_http_options *options, const char *value, struct pyr_err *err) {
    return *value == '@' ? read_header_file(options, value + 1, err)
                         : add_header_line(options, value, "header", err);
}

/* The fields of an object, without its braces, behind a comma. */
static bool add_body(struct pyr_http_options *options, const char *value, struct pyr_err *err) {
    struct pyr_json_scan scan;
    pyr_json_scan_init(&scan, value, strlen(value));
    enum pyr_json_token token = pyr_json_scan_next(&scan);
    if (token != PYR_JSON_OBJECT || !pyr_json_scan_skip(&scan, token) ||
        pyr_json_scan_next(&scan) != PYR_JSON_END)
        return pyr_fail(err, PYR_E_USAGE, "body=%s: must be a JSON object", value);
    const char *open = strchr(value, '{') + 1, *close = strrchr(value, '}');
    while (open < close && strchr(" \t\r\n", *open))
        open++;
    if (open == close)
        return true;
    pyr_buf_putc(&options->body, ',');
    pyr_buf_append(&options->body, open, (size_t)(close - open));
    return true;
}

static bool add_key(struct pyr_http_options *options, const char *key, const char *from,
                    struct pyr_err *err) {
    size_t length = strlen(key);
    while (length && strchr(" \t\r\n", key[length - 1]))
        length--;
    if (!length)
        return pyr_fail(err, PYR_E_USAGE, "%s: holds no key", from);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)key[i] <= ' ' || (unsigned char)key[i] >= 0x7f)
            return pyr_fail(err, PYR_E_USAGE, "%s: a key is one line of printable ASCII", from);
    pyr_buf_puts(&options->headers, "Authorization: Bearer ");
    pyr_buf_append(&options->headers, key, length);
    pyr_buf_puts(&options->headers, "\r\n");
    snprintf(options->key_source, sizeof options->key_source, "%.299s", from);
    return true;
}

static bool read_key_file(struct pyr_http_options *options, const char *path, struct pyr_err *err) {
    struct pyr_buf text = {0};
    const struct pyr_root root = {.prefix = ""};
    char from[300];
    snprintf(from, sizeof from, "the file %.256s", path);
    bool good =
        (pyr_fs_read(&root, path, KEY_BYTES_MAX, &text, err) || pyr_err_prefix(err, "key file")) &&
        add_key(options, pyr_buf_text(&text), from, err);
    pyr_buf_deinit(&text);
    return good;
}

static bool read_api(struct pyr_http_options *options, const char *value, struct pyr_err *err) {
    static const char *const names[] = {"chat", "completions", "embeddings"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(value, names[i]) == 0) {
            options->api = (enum pyr_http_api)i;
            return true;
        }
    }
    return pyr_fail(err, PYR_E_USAGE, "endpoint=%s: must be chat, completions or embeddings",
                    value);
}

struct reading {
    bool has_key;
};

static bool read_option(struct pyr_http_options *options, const char *key, const char *value,
                        struct reading *reading, struct pyr_err *err) {
    static const char *const known[] = {
        "endpoint", "stream",          "header",   "body",       "api_key_file",
        "ca_file",  "cert_file",       "key_file", "insecure",   "connections",
        "probe",    "connect_timeout", "http2",    "wait_ready", "max_tokens_field",
        "launch"};
    bool on;
    uint64_t number;
    if (strcmp(key, "endpoint") == 0)
        return read_api(options, value, err);
    if (strcmp(key, "stream") == 0)
        return read_switch(key, value, &options->stream, err);
    if (strcmp(key, "header") == 0)
        return add_header(options, value, err);
    if (strcmp(key, "body") == 0)
        return add_body(options, value, err);
    if (strcmp(key, "insecure") == 0)
        return read_switch(key, value, &options->tls.insecure, err);
    if (strcmp(key, "probe") == 0)
        return read_switch(key, value, &options->probe, err);
    if (strcmp(key, "launch") == 0) {
        options->launch = value;
        return *value || pyr_fail(err, PYR_E_USAGE, "launch: holds no command");
    }
    if (strcmp(key, "wait_ready") == 0)
        return pyr_parse_duration_ns(value, &options->wait_ready_ns, err);
    if (strcmp(key, "connect_timeout") == 0)
        return pyr_parse_duration_ns(value, &options->connect_timeout_ns, err);
    if (strcmp(key, "http2") == 0) {
        bool good = read_switch(key, value, &on, err);
        options->tls.http2 = good && on ? PYR_HTTP2_ON : PYR_HTTP2_OFF;
        return good;
    }
    if (strcmp(key, "connections") == 0) {
        if (!pyr_parse_u64(value, &number, err))
            return false;
        options->connections = (uint32_t)number;
        return (number >= 1 && number <= 65536) ||
               pyr_fail(err, PYR_E_USAGE, "connections=%s: must be 1 to 65536", value);
    }
    if (strcmp(key, "api_key_file") == 0) {
        reading->has_key = true;
        return read_key_file(options, value, err);
    }
    if (strcmp(key, "max_tokens_field") == 0) {
        size_t length = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        if (!length || value[length] || length >= sizeof options->max_tokens_field)
            return pyr_fail(err, PYR_E_USAGE, "max_tokens_field=%s: must be a name", value);
        memcpy(options->max_tokens_field, value, length + 1);
        return true;
    }
    const char **file = strcmp(key, "ca_file") == 0     ? &options->tls.ca_file
                        : strcmp(key, "cert_file") == 0 ? &options->tls.cert_file
                        : strcmp(key, "key_file") == 0  ? &options->tls.key_file
                                                        : NULL;
    if (file) {
        *file = value;
        return true;
    }
    const char *near = pyr_nearest(key, known, sizeof known / sizeof *known);
    return pyr_fail(err, PYR_E_USAGE, "%s: the target http has no such option%s%s%s", key,
                    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

bool pyr_http_options_read(const struct pyr_target_config *config, struct pyr_http_options *options,
                           struct pyr_err *err) {
    *options = (struct pyr_http_options){.stream = true,
                                         .probe = true,
                                         .connect_timeout_ns = config->timeout_connect_ns
                                                                   ? config->timeout_connect_ns
                                                                   : 10 * PYR_NS_PER_S,
                                         .sends_usage = true};
    struct reading reading = {0};
    for (size_t i = 0; i < config->option_count; i++)
        if (!read_option(options, config->options[i].key, config->options[i].value, &reading, err))
            return false;
    if (options->launch && !options->wait_ready_ns)
        options->wait_ready_ns = LAUNCH_WAIT_NS;
    options->answer_timeout_ns = config->timeout_ns;
    /* A key of another header is the user's word against the environment's. */
    const char *key = reading.has_key || options->key_source[0] ? NULL : getenv("OPENAI_API_KEY");
    if (key && *key && !add_key(options, key, "OPENAI_API_KEY of the environment", err))
        return false;
    if (options->api == PYR_HTTP_EMBEDDINGS)
        options->stream = false;
    if (config->model && strlen(config->model) >= sizeof options->model)
        return pyr_fail(err, PYR_E_USAGE, "the model's name is longer than %zu bytes",
                        sizeof options->model - 1);
    if (config->model)
        memcpy(options->model, config->model, strlen(config->model) + 1);
    return true;
}

void pyr_http_options_free(struct pyr_http_options *options) {
    pyr_buf_deinit(&options->headers);
    pyr_buf_deinit(&options->body);
}

const char *pyr_http_api_path(enum pyr_http_api api) {
    static const char *const paths[] = {"/chat/completions", "/completions", "/embeddings"};
    return paths[api];
}
