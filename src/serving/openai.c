/* SPDX-License-Identifier: MIT */
#include "serving/openai.h"

#include "base/mem.h"
#include "net/url.h"
#include "serving/openai_answer.h"
#include "serving/openai_metrics.h"
#include "serving/openai_reply.h"
#include "serving/openai_server.h"

#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    BODY_BYTES_MAX = 4 << 20, /* a prompt of a million tokens */
    /* Beside those with a request under way: an idle one costs some 4 kB. */
    IDLE_CONNECTIONS = 12000
};
#define STOP_LOOK_NS (PYR_NS_PER_S / 5) /* a signal that came just before a wait is seen then */

/* --- the other paths ------------------------------------------------------------------------- */

static void answer_models(struct pyr_openai *server, enum pyr_openai_api api,
                          struct pyr_http_exchange *exchange, const struct pyr_http_request *http) {
    (void)api;
    (void)http;
    pyr_buf_clear(&server->out);
    pyr_openai_models(server->config.name, server->created, server->info.tokens_per_sequence,
                      &server->out);
    pyr_openai_reply_json(exchange, 200, &server->out);
}

static void answer_model(struct pyr_openai *server, enum pyr_openai_api api,
                         struct pyr_http_exchange *exchange, const struct pyr_http_request *http) {
    (void)api;
    (void)http;
    pyr_buf_clear(&server->out);
    pyr_openai_model(server->config.name, server->created, server->info.tokens_per_sequence,
                     &server->out);
    pyr_openai_reply_json(exchange, 200, &server->out);
}

static void answer_health(struct pyr_openai *server, enum pyr_openai_api api,
                          struct pyr_http_exchange *exchange, const struct pyr_http_request *http) {
    static const char good[] = "{\"status\":\"ok\"}";
    (void)api;
    (void)http;
    if (server->stopping)
        pyr_openai_reply_error(exchange, 503, "the server is being stopped", NULL, NULL);
    else
        pyr_http_reply(exchange, 200, "application/json", PYR_OPENAI_FIELDS, good, sizeof good - 1);
}

static void answer_metrics(struct pyr_openai *server, enum pyr_openai_api api,
                           struct pyr_http_exchange *exchange,
                           const struct pyr_http_request *http) {
    struct pyr_openai_stats stats;
    (void)api;
    (void)http;
    pyr_openai_engine_counters(server->engine, &stats.counters);
    pyr_openai_count(server, &stats.running, &stats.waiting);
    pyr_buf_clear(&server->out);
    pyr_openai_metrics(&server->totals, &stats, &server->info, &server->out);
    pyr_http_reply(exchange, 200, "text/plain; version=0.0.4", PYR_OPENAI_FIELDS, server->out.data,
                   server->out.length);
}

/* Engines here are opened for text; models made for vectors alone are refused at load. */
static void answer_embeddings(struct pyr_openai *server, enum pyr_openai_api api,
                              struct pyr_http_exchange *exchange,
                              const struct pyr_http_request *http) {
    (void)api;
    (void)http;
    (void)server;
    pyr_openai_reply_error(exchange, 501,
                           "embeddings are not served here; use a server for an embedding model",
                           NULL, "not_implemented");
}

static const struct route {
    const char *method, *path;
    enum pyr_openai_api api;
    bool open; /* to those without the key */
    void (*answer)(struct pyr_openai *server, enum pyr_openai_api api,
                   struct pyr_http_exchange *exchange, const struct pyr_http_request *http);
} routes[] = {
    {"POST", "/v1/chat/completions", PYR_OPENAI_CHAT, false, pyr_openai_take},
    {"POST", "/v1/completions", PYR_OPENAI_COMPLETIONS, false, pyr_openai_take},
    {"POST", "/v1/embeddings", 0, false, answer_embeddings},
    {"GET", "/v1/models", 0, false, answer_models},
    {"GET", "/v1/models/", 0, false, answer_model}, /* and its name */
    {"POST", "/tokenize", PYR_OPENAI_TOKENIZE, false, pyr_openai_take},
    {"GET", "/health", 0, true, answer_health},
    {"GET", "/metrics", 0, false, answer_metrics},
};
enum { ROUTES = sizeof routes / sizeof *routes };

/* --- the server ------------------------------------------------------------------------------ */

/* In a time that does not tell how much of it was right. */
static bool same_key(const char *key, const char *authorization) {
    size_t length = strlen(key);
    if (strncasecmp(authorization, "Bearer ", 7) != 0 || strlen(authorization + 7) != length)
        return false;
    unsigned char differs = 0;
    for (size_t i = 0; i < length; i++)
        differs |= (unsigned char)(key[i] ^ authorization[7 + i]);
    return differs == 0;
}

/* A page of another site, open in a browser on this machine, must not reach a server that asks
 * for no key. */
static bool is_foreign(const char *origin) {
    struct pyr_url url;
    return *origin && (!pyr_url_parse(origin, &url, NULL) || !pyr_host_is_loopback(url.host));
}

/* A name that leads here although it is not ours (DNS rebinding) makes a foreign page one of this
 * server's own for the browser, which then sends no Origin: so the name is looked at. */
static bool is_misled(const struct pyr_openai *server, const struct pyr_http_head *head) {
    char host[sizeof head->host];
    pyr_http_head_host(head, host, sizeof host);
    return *host && !pyr_host_is_loopback(host) &&
           !(server->config.host && strcasecmp(host, server->config.host) == 0);
}

static bool is_at(const struct pyr_openai *server, const char *route, const char *path) {
    size_t length = strlen(route);
    return route[length - 1] != '/' ? strcmp(route, path) == 0
                                    : strncmp(route, path, length) == 0 &&
                                          strcmp(path + length, server->config.name) == 0;
}

static const struct route *find_route(const struct pyr_openai *server, const char *method,
                                      const char *path, const char **allowed) {
    *allowed = NULL;
    for (int i = 0; i < ROUTES; i++) {
        if (!is_at(server, routes[i].path, path))
            continue;
        if (strcmp(routes[i].method, method) == 0 ||
            (strcmp(method, "HEAD") == 0 && strcmp(routes[i].method, "GET") == 0))
            return &routes[i];
        *allowed = *routes[i].method == 'G' ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
    }
    return NULL;
}

/* What a browser asks before it sends a page's request. */
static void reply_options(struct pyr_http_exchange *exchange, const char *allowed) {
    struct pyr_buf fields = {0};
    pyr_buf_printf(&fields,
                   PYR_OPENAI_FIELDS "Allow: %s\r\nAccess-Control-Allow-Methods: %s\r\n"
                                     "Access-Control-Allow-Headers: Authorization, *\r\n"
                                     "Access-Control-Max-Age: 86400\r\n",
                   allowed, allowed);
    pyr_http_reply(exchange, 204, NULL, fields.data, NULL, 0);
    pyr_buf_deinit(&fields);
}

static void reply_no_route(struct pyr_http_exchange *exchange, const struct pyr_http_request *http,
                           const char *allowed) {
    struct pyr_buf text = {0}, fields = {0};
    if (allowed) {
        pyr_buf_printf(&text, "%s: wants %.*s", http->path, (int)strcspn(allowed, ","), allowed);
        pyr_buf_printf(&fields, PYR_OPENAI_FIELDS "Allow: %s\r\n", allowed);
        pyr_openai_reply_error_with(exchange, 405, fields.data, text.data, NULL, NULL);
    } else {
        pyr_buf_printf(&text, "%s: there is no such path; there are", http->path);
        for (int i = 0; i < ROUTES; i++)
            if (routes[i].answer != answer_model)
                pyr_buf_printf(&text, "%s %s", i ? "," : "", routes[i].path);
        pyr_openai_reply_error(exchange, 404, text.data, NULL, NULL);
    }
    pyr_buf_deinit(&text);
    pyr_buf_deinit(&fields);
}

static void handle(void *user, struct pyr_http_exchange *exchange,
                   const struct pyr_http_request *http) {
    struct pyr_openai *server = user;
    const char *key = server->config.key, *allowed;
    const struct route *route = find_route(server, http->method, http->path, &allowed);
    bool asks = allowed && !route && strcmp(http->method, "OPTIONS") == 0; /* never with the key */
    if (key && !asks && !(route && route->open) && !same_key(key, http->head->authorization))
        pyr_openai_reply_error(exchange, 401,
                               "the key is missing or wrong; send Authorization: Bearer KEY", NULL,
                               "invalid_api_key");
    else if (!key && is_foreign(http->head->origin))
        pyr_openai_reply_error(exchange, 403, "pages of other sites are not served", NULL, NULL);
    else if (!key && is_misled(server, http->head))
        pyr_openai_reply_error(exchange, 403,
                               "Host names no server that is here; ask for localhost, or start it "
                               "with a key",
                               NULL, NULL);
    else if (asks)
        reply_options(exchange, allowed);
    else if (!route)
        reply_no_route(exchange, http, allowed);
    else
        route->answer(server, route->api, exchange, http);
}

static void gone(void *user, struct pyr_http_exchange *exchange) {
    pyr_openai_gone(user, exchange);
}

static void writable(void *user, struct pyr_http_exchange *exchange) {
    pyr_openai_writable(user, exchange);
}

static void refused(void *user, struct pyr_http_exchange *exchange, unsigned status,
                    const char *why) {
    (void)user;
    pyr_openai_reply_error(exchange, status, why, NULL, NULL);
}

static void woken(void *user) {
    struct pyr_openai *server = user;
    pyr_openai_engine_awake(server->engine);
    pyr_openai_go_on(server);
}

static void wake(void *user) {
    struct pyr_openai *server = user;
    pyr_http_server_wake(server->http);
}

bool pyr_openai_open(const struct pyr_openai_config *config, struct pyr_openai **result,
                     struct pyr_err *err) {
    struct pyr_openai *server = pyr_xcalloc(1, sizeof *server);
    struct pyr_serving_config serving = config->serving;
    server->config = *config;
    server->created = (uint64_t)time(NULL);
    serving.clock = &server->clock;
    serving.lane = NULL;
    serving.queue_limit = 0; /* kept here, so that a client is told at once */
    uint32_t jobs_max = config->serving.sequences + config->serving.queue_limit;
    const struct pyr_http_server_config http = {
        .host = config->host,
        .port = config->port,
        .connections_max = 2 * jobs_max + IDLE_CONNECTIONS,
        .body_max = BODY_BYTES_MAX,
        .queue_max = 2 * BODY_BYTES_MAX, /* calls stop long before; an echo is one piece */
        .handle = handle,
        .refused = refused,
        .gone = gone,
        .writable = writable,
        .woken = woken,
        .user = server,
    };
    if (!pyr_http_server_open(&http, &server->http, err) ||
        !pyr_openai_engine_start(config->engine, config->model, config->pieces, &serving, jobs_max,
                                 wake, server, &server->engine, err)) {
        pyr_openai_close(server);
        return false;
    }
    pyr_openai_engine_describe(server->engine, &server->info);
    server->source = (struct pyr_openai_source){.engine = config->engine,
                                                .model = config->model,
                                                .pieces = config->pieces,
                                                .name = config->name,
                                                .context = server->info.tokens_per_sequence,
                                                .choices = (uint64_t)server->info.sequences +
                                                           config->serving.queue_limit};
    if (!pyr_openai_desk_start(&server->source, wake, server, &server->desk, err)) {
        pyr_openai_close(server);
        return false;
    }
    *result = server;
    return true;
}

uint16_t pyr_openai_port(const struct pyr_openai *server) {
    return pyr_http_server_port(server->http);
}

void pyr_openai_describe(const struct pyr_openai *server, struct pyr_serving_info *info) {
    *info = server->info;
}

const struct pyr_openai_totals *pyr_openai_totals(const struct pyr_openai *server) {
    return &server->totals;
}

void pyr_openai_step(struct pyr_openai *server, uint64_t timeout_ns) {
    pyr_http_server_step(server->http, timeout_ns);
}

void pyr_openai_run(struct pyr_openai *server, const volatile sig_atomic_t *stop,
                    uint64_t drain_ns) {
    while (!*stop)
        pyr_openai_step(server, STOP_LOOK_NS);
    server->stopping = true;
    pyr_http_server_stop(server->http);
    uint64_t end_ns = pyr_now_ns(&server->clock) + drain_ns, now_ns;
    while (server->job_count > 0 && (now_ns = pyr_now_ns(&server->clock)) < end_ns)
        pyr_openai_step(server, end_ns - now_ns);
    pyr_openai_break_off(server);
    /* Their last words, and what is queued for slow readers. */
    end_ns = pyr_now_ns(&server->clock) + PYR_NS_PER_S;
    while (pyr_http_server_connections(server->http) > 0 &&
           (now_ns = pyr_now_ns(&server->clock)) < end_ns)
        pyr_openai_step(server, end_ns - now_ns);
}

void pyr_openai_close(struct pyr_openai *server) {
    if (!server)
        return;
    pyr_openai_desk_stop(server->desk);
    pyr_openai_engine_stop(server->engine);
    server->engine = NULL;
    pyr_http_server_close(server->http);
    pyr_openai_drop_calls(server);
    pyr_buf_deinit(&server->out);
    pyr_buf_deinit(&server->chances);
    pyr_free(server);
}
