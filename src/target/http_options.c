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

const char *const pyr_http_field_names[PYR_HTTP_FIELDS] = {[PYR_HTTP_IGNORE_EOS] = "ignore_eos",
                                                           [PYR_HTTP_MIN_TOKENS] = "min_tokens",
                                                           [PYR_HTTP_SEED] = "seed",
                                                           [PYR_HTTP_STREAM_OPTIONS] =
                                                               "stream_options",
                                                           [PYR_HTTP_TEMPERATURE] = "temperature"};

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

static bool add_header(const char *value, void *into, struct pyr_arena *arena,
                       struct pyr_err *err) {
    struct pyr_http_options *options = into;
    (void)arena;
    return *value == '@' ? read_header_file(options, value + 1, err)
                         : add_header_line(options, value, "header", err);
}

/* NAME=on|off */
static bool choose_field(const char *value, void *into, struct pyr_arena *arena,
                         struct pyr_err *err) {
    struct pyr_http_options *options = into;
    (void)arena;
    const char *equals = strchr(value, '=');
    size_t length = equals ? (size_t)(equals - value) : strlen(value);
    bool on = equals && strcmp(equals + 1, "on") == 0;
    bool off = equals && strcmp(equals + 1, "off") == 0;
    static const char *const limits[] = {"max_tokens", "max_completion_tokens"};
    for (int i = 0; i < 2 && (on || off); i++)
        if (strlen(limits[i]) == length && strncmp(value, limits[i], length) == 0) {
            snprintf(options->max_tokens_field, sizeof options->max_tokens_field, "%s",
                     limits[on ? i : 1 - i]);
            return true;
        }
    for (int i = 0; i < PYR_HTTP_FIELDS && (on || off); i++)
        if (strlen(pyr_http_field_names[i]) == length &&
            strncmp(value, pyr_http_field_names[i], length) == 0) {
            options->choice[i] = on ? PYR_HTTP_FIELD_ON : PYR_HTTP_FIELD_OFF;
            return true;
        }
    return pyr_fail(err, PYR_E_USAGE,
                    "field=%s: must be NAME=on or NAME=off, of ignore_eos, min_tokens, seed, "
                    "stream_options, temperature, max_tokens or max_completion_tokens",
                    value);
}

/* A field of the user's own is not sent twice. */
static void yield_to(struct pyr_http_options *options, const struct pyr_json_scan *key) {
    for (int i = 0; i < PYR_HTTP_FIELDS; i++)
        if (pyr_json_scan_is(key, pyr_http_field_names[i]))
            options->choice[i] = PYR_HTTP_FIELD_OFF;
}

/* The fields of an object, without its braces, behind a comma. */
static bool add_body(const char *value, void *into, struct pyr_arena *arena, struct pyr_err *err) {
    struct pyr_http_options *options = into;
    (void)arena;
    struct pyr_json_scan scan;
    pyr_json_scan_init(&scan, value, strlen(value));
    enum pyr_json_token token = pyr_json_scan_next(&scan);
    bool good = token == PYR_JSON_OBJECT;
    while (good && (token = pyr_json_scan_next(&scan)) == PYR_JSON_KEY) {
        yield_to(options, &scan);
        good = pyr_json_scan_skip(&scan, pyr_json_scan_next(&scan));
    }
    if (!good || token != PYR_JSON_OBJECT_END || pyr_json_scan_next(&scan) != PYR_JSON_END)
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

static bool read_key_file(const char *path, void *into, struct pyr_arena *arena,
                          struct pyr_err *err) {
    struct pyr_http_options *options = into;
    (void)arena;
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

static bool read_launch(const char *value, void *into, struct pyr_arena *arena,
                        struct pyr_err *err) {
    struct pyr_http_options *options = into;
    (void)arena;
    options->launch = value;
    return *value || pyr_fail(err, PYR_E_USAGE, "launch: holds no command");
}

static bool read_http2(const char *value, void *into, struct pyr_arena *arena,
                       struct pyr_err *err) {
    struct pyr_http_options *options = into;
    bool on;
    const struct pyr_option_row flag = {.kind = PYR_OPTION_FLAG};
    if (!pyr_option_set(&flag, value, &on, arena, err))
        return pyr_err_prefix(err, "http2");
    options->tls.http2 = on ? PYR_HTTP2_ON : PYR_HTTP2_OFF;
    return true;
}

static bool read_max_tokens_field(const char *value, void *into, struct pyr_arena *arena,
                                  struct pyr_err *err) {
    struct pyr_http_options *options = into;
    (void)arena;
    size_t length = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    if (!length || value[length] || length >= sizeof options->max_tokens_field)
        return pyr_fail(err, PYR_E_USAGE, "max_tokens_field=%s: must be a name", value);
    memcpy(options->max_tokens_field, value, length + 1);
    return true;
}

/* In the order of enum pyr_http_api. */
static const char *const apis[] = {"chat", "completions", "embeddings", NULL};

#define AT(field) offsetof(struct pyr_http_options, field)
static const struct pyr_option_row rows[] = {
    {.name = "--endpoint",
     .key = "endpoint",
     .kind = PYR_OPTION_CHOICE,
     .offset = AT(api),
     .choices = apis,
     .argument = "KIND",
     .group = PYR_GROUP_SERVER,
     .help = "chat (default), completions or embeddings"},
    {.name = "--no-stream",
     .key = "stream",
     .value = "off",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(stream),
     .group = PYR_GROUP_SERVER,
     .help = "ask for whole answers, which have no token times"},
    {.name = "--api-key-file",
     .key = "api_key_file",
     .whole = true,
     .kind = PYR_OPTION_OWN,
     .read = read_key_file,
     .argument = "FILE",
     .group = PYR_GROUP_SERVER,
     .help = "holds the key; else OPENAI_API_KEY of the environment"},
    {.name = "--header",
     .key = "header",
     .whole = true,
     .kind = PYR_OPTION_OWN,
     .read = add_header,
     .argument = "NAME: VALUE",
     .group = PYR_GROUP_SERVER,
     .help = "one more of each request; may be given several times; @FILE reads them from a file, "
             "as a secret wants it"},
    {.name = "--body",
     .key = "body",
     .whole = true,
     .kind = PYR_OPTION_OWN,
     .read = add_body,
     .argument = "JSON",
     .group = PYR_GROUP_SERVER,
     .help = "an object whose fields go into each request"},
    {.name = "--field",
     .key = "field",
     .whole = true,
     .kind = PYR_OPTION_OWN,
     .read = choose_field,
     .argument = "NAME=on|off",
     .group = PYR_GROUP_SERVER,
     .help = "always or never send ignore_eos, min_tokens, seed, stream_options, temperature, "
             "max_tokens or max_completion_tokens (default: what the server takes)"},
    {.name = "--connections",
     .key = "connections",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(connections),
     .least = 1,
     .most = 65536,
     .argument = "N",
     .group = PYR_GROUP_SERVER,
     .help = "opened before the start (default: one a request in flight)"},
    {.name = "--launch",
     .key = "launch",
     .whole = true,
     .kind = PYR_OPTION_OWN,
     .read = read_launch,
     .argument = "COMMAND",
     .group = PYR_GROUP_SERVER,
     .help = "start the server with this, time that, and end it afterwards"},
    {.name = "--wait-ready",
     .key = "wait_ready",
     .kind = PYR_OPTION_DURATION,
     .offset = AT(wait_ready_ns),
     .argument = "TIME",
     .group = PYR_GROUP_SERVER,
     .help = "wait so long for the server to answer (with --launch: 5m)"},
    {.name = "--ca-file",
     .key = "ca_file",
     .whole = true,
     .kind = PYR_OPTION_TEXT,
     .offset = AT(tls.ca_file),
     .argument = "FILE",
     .group = PYR_GROUP_SERVER,
     .help = "certificates to trust"},
    {.name = "--client-cert",
     .key = "cert_file",
     .whole = true,
     .kind = PYR_OPTION_TEXT,
     .offset = AT(tls.cert_file),
     .argument = "FILE",
     .group = PYR_GROUP_SERVER,
     .help = "our own certificate (PEM), for a server that asks for one"},
    {.name = "--client-key",
     .key = "key_file",
     .whole = true,
     .kind = PYR_OPTION_TEXT,
     .offset = AT(tls.key_file),
     .argument = "FILE",
     .group = PYR_GROUP_SERVER,
     .help = "its private key (PEM)"},
    {.name = "--insecure",
     .key = "insecure",
     .value = "on",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(tls.insecure),
     .group = PYR_GROUP_SERVER,
     .help = "verify no certificate"},
    {.name = "--http2",
     .key = "http2",
     .value = "on",
     .kind = PYR_OPTION_OWN,
     .read = read_http2,
     .group = PYR_GROUP_SERVER,
     .help = "HTTP/2 and nothing else, also without TLS"},
    {.name = "--http1",
     .key = "http2",
     .value = "off",
     .kind = PYR_OPTION_OWN,
     .read = read_http2,
     .group = PYR_GROUP_SERVER,
     .help = "HTTP/1.1 also where TLS offers HTTP/2"},
    /* Without a spelling of their own on the command line: --target-option. */
    {.key = "probe",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(probe),
     .help = "two tiny requests before the start that find the dialect; default on"},
    {.key = "connect_timeout",
     .kind = PYR_OPTION_DURATION,
     .offset = AT(connect_timeout_ns),
     .help = "of connections before the start; default 10s"},
    {.key = "max_tokens_field",
     .kind = PYR_OPTION_OWN,
     .read = read_max_tokens_field,
     .help = "instead of the one found"},
};
#undef AT
const struct pyr_option_table pyr_http_option_table = PYR_OPTION_TABLE("http", rows);

bool pyr_http_options_read(const struct pyr_target_config *config, struct pyr_http_options *options,
                           struct pyr_err *err) {
    *options = (struct pyr_http_options){.stream = true,
                                         .probe = true,
                                         .connect_timeout_ns = config->timeout_connect_ns
                                                                   ? config->timeout_connect_ns
                                                                   : 10 * PYR_NS_PER_S,
                                         .temperature = config->temperature,
                                         .choice[PYR_HTTP_TEMPERATURE] = PYR_HTTP_FIELD_ON};
    if (!pyr_options_apply(&pyr_http_option_table, config->options, config->option_count, options,
                           NULL, err))
        return false;
    if (options->launch && !options->wait_ready_ns) {
        options->wait_ready_ns = LAUNCH_WAIT_NS;
        options->wait_is_usual = true;
    }
    options->answer_timeout_ns = config->timeout_ns;
    /* A key of another header is the user's word against the environment's. */
    const char *key = options->key_source[0] ? NULL : getenv("OPENAI_API_KEY");
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
