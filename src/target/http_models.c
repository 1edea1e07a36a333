/* SPDX-License-Identifier: MIT
 *
 * Whether each endpoint answers, where its API is, and which models it has.
 */
#include "codec/escape.h"
#include "target/http_probe.h"
#include "target/http_words.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Nobody said how long to wait: so long for what may also be a wrong path. */
#define PATIENCE_404_NS (60 * PYR_NS_PER_S)
enum { NAMES_SHOWN = 20, WORDS_BYTES = 160 };

void pyr_http_add_line(struct pyr_buf *lines, const char *text) {
    if (lines->length)
        pyr_buf_putc(lines, '\n');
    pyr_buf_puts(lines, text);
}

static uint64_t shorter(uint64_t a_ns, uint64_t b_ns) {
    return a_ns && a_ns < b_ns ? a_ns : b_ns;
}

/* A limit of the user's own has passed, or the usual one: both are lifted in the same way. */
static bool end_fetch(bool answered, const struct pyr_fetched *fetched, struct pyr_err *err) {
    if (!answered && err && fetched->failure == PYR_CONN_TIMEOUT) {
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used,
                 "; is it busy, stuck or behind a firewall? (--timeout and --timeout-connect "
                 "set the limits)");
    }
    return answered;
}

bool pyr_http_get(struct http_target *target, unsigned endpoint, const char *path,
                  struct pyr_fetched *fetched, struct pyr_err *err) {
    const struct pyr_http_options *options = &target->options;
    const struct pyr_fetch fetch = {.path = path,
                                    .headers = pyr_buf_text(&options->headers),
                                    .timeout_ns =
                                        shorter(options->answer_timeout_ns, PYR_FETCH_TIMEOUT_NS),
                                    .connect_timeout_ns = options->connect_timeout_ns};
    return end_fetch(pyr_http_fetch(&target->endpoints[endpoint], &fetch, fetched, err), fetched,
                     err);
}

bool pyr_http_post(struct http_target *target, unsigned endpoint, const struct pyr_fetch *fetch,
                   struct pyr_fetched *fetched, struct pyr_err *err) {
    struct pyr_fetch whole = *fetch;
    whole.headers = pyr_buf_text(&target->options.headers);
    whole.body_bytes = strlen(fetch->body);
    whole.connect_timeout_ns = target->options.connect_timeout_ns;
    return end_fetch(pyr_http_fetch(&target->endpoints[endpoint], &whole, fetched, err), fetched,
                     err);
}

static bool is_type(const struct pyr_fetched *fetched, const char *type) {
    return strncasecmp(fetched->content_type, type, strlen(type)) == 0;
}

/* The endpoint's host without its base path. */
static void origin(const struct pyr_endpoint *endpoint, char *text, size_t size) {
    if (endpoint->url.unix_socket)
        snprintf(text, size, "unix:%s:", endpoint->url.socket_path);
    else
        snprintf(text, size, "%s%s", endpoint->url.tls ? "https://" : "http://",
                 endpoint->authority);
}

/* What the server says of its refusal, or how its answer begins. */
static void words_of(const struct pyr_fetched *fetched, char *text, size_t size) {
    const char *body = pyr_buf_text(&fetched->body);
    json_t *root = json_loadb(body, fetched->body.length, 0, NULL);
    json_t *error = json_object_get(root, "error"), *message = json_object_get(error, "message");
    const char *said = json_string_value(message ? message : error);
    if (said)
        pyr_plain_text(text, size, said, strlen(said));
    else
        pyr_http_words_body(body, fetched->body.length, text, size);
    json_decref(root);
}

/* --- is it there, and where ------------------------------------------------------------------ */

/* Starts the server, when nothing is there that would be taken for it. */
static bool launch(struct http_target *target, const char *path, struct pyr_err *err) {
    struct pyr_fetched fetched;
    if (!target->options.launch)
        return true;
    bool taken =
        pyr_http_get(target, 0, path, &fetched, NULL) || fetched.failure != PYR_CONN_REFUSED;
    pyr_buf_deinit(&fetched.body);
    if (taken)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: something answers there before the server is launched; end it, choose "
                        "another port, or leave out the launch",
                        target->endpoints[0].text);
    return pyr_launch_start(target->options.launch, &target->launched, err);
}

/* Where else the server lists models: the base path, or NULL. */
static const char *find_list(struct http_target *target, unsigned endpoint) {
    static const char *const candidates[] = {"/v1", "", "/api/v1", "/openai/v1", "/api"};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        struct pyr_fetched fetched;
        char other[300];
        snprintf(other, sizeof other, "%s/models", candidates[i]);
        bool there = pyr_http_get(target, endpoint, other, &fetched, NULL) &&
                     fetched.status == 200 && is_type(&fetched, "application/json");
        pyr_buf_deinit(&fetched.body);
        if (there)
            return candidates[i];
    }
    return NULL;
}

static bool has_empty_list(const struct pyr_fetched *fetched) {
    json_t *root = json_loadb(pyr_buf_text(&fetched->body), fetched->body.length, 0, NULL);
    const json_t *list = json_object_get(root, "data");
    bool empty = json_is_array(list) && json_array_size(list) == 0;
    json_decref(root);
    return empty;
}

/* What a server that is starting does: refuses, resets, says that it is not ready, has no paths or
 * no models yet. */
static bool is_starting(struct http_target *target, unsigned endpoint,
                        const struct pyr_fetched *fetched, bool answered) {
    if (answered && !target->options.model[0] && target->options.wait_ready_ns) {
        if (fetched->status == 404 && !find_list(target, endpoint))
            return true;
        if (fetched->status == 200 && has_empty_list(fetched))
            return true;
    }
    if (answered)
        return fetched->status == 503 || fetched->status == 502 || fetched->status == 504 ||
               fetched->status == 425;
    return fetched->failure == PYR_CONN_REFUSED || fetched->failure == PYR_CONN_RESET ||
           fetched->failure == PYR_CONN_TIMEOUT;
}

static bool fail_not_ready(struct http_target *target, const struct pyr_fetched *fetched,
                           struct pyr_err *err) {
    char words[200];
    if (!target->launched.pid)
        return fetched->failure == PYR_CONN_REFUSED
                   ? pyr_err_prefix(err, "the server does not answer (is it running?)")
                   : false;
    pyr_launch_last_words(&target->launched, words, sizeof words);
    return pyr_fail(err, PYR_E_IO,
                    "%s: the launched server does not answer after %.1f s (--wait-ready TIME waits "
                    "longer)%s%s",
                    target->endpoints[0].text, (double)target->ready_ns / 1e9,
                    words[0] ? "; its last words: " : "", words);
}

static bool wait_ready(struct http_target *target, unsigned endpoint, const char *path,
                       struct pyr_fetched *fetched, struct pyr_err *err) {
    char how[300];
    bool launched = target->launched.pid && endpoint == 0;
    uint64_t start_ns = launched ? target->launched.started_ns : pyr_clock_real_ns();
    for (;;) {
        bool answered = pyr_http_get(target, endpoint, path, fetched, err);
        uint64_t waited_ns = pyr_clock_real_ns() - start_ns;
        if (endpoint == 0) {
            target->ready_ns = waited_ns;
            target->wait_start_ns = start_ns;
        }
        if (launched && !pyr_launch_is_alive(&target->launched, how, sizeof how))
            return pyr_fail(err, PYR_E_IO, "the launched server ended before it was ready, %s",
                            how);
        if (!is_starting(target, endpoint, fetched, answered))
            return answered;
        if (waited_ns >= target->options.wait_ready_ns ||
            (answered && fetched->status == 404 && target->options.wait_is_usual &&
             waited_ns >= PATIENCE_404_NS))
            return answered || fail_not_ready(target, fetched, err);
        pyr_buf_deinit(&fetched->body);
        /* Short beside any server's start, and no load on it. A signal ends the wait. */
        struct timespec pause = {.tv_nsec = launched ? 20000000 : 250000000};
        if (nanosleep(&pause, NULL) != 0)
            return pyr_fail(err, PYR_E_INTERRUPTED,
                            "%s: ended by a signal while waiting for the server",
                            target->endpoints[endpoint].text);
    }
}

/* The base paths under which servers are met; the first that lists models is named in the error.
 * True when there is none and the path may be right all the same. */
static bool check_other_paths(struct http_target *target, unsigned endpoint, const char *path,
                              struct pyr_err *err) {
    char host[600];
    origin(&target->endpoints[endpoint], host, sizeof host);
    const char *elsewhere = find_list(target, endpoint);
    if (elsewhere)
        return pyr_fail(err, PYR_E_INPUT, "%s%s: no such path (404); this server's API is at %s%s",
                        host, path, host, elsewhere);
    return target->options.model[0] ||
           pyr_fail(err, PYR_E_INPUT,
                    "%s%s: no such path (404), and none of /v1, /api/v1, /openai/v1, /api or / "
                    "has /models; name the API's base path, as in %s/v1, or if the server lists "
                    "no models, the model with --model",
                    host, path, host);
}

static bool fail_key(const struct http_target *target, unsigned endpoint,
                     const struct pyr_fetched *fetched, struct pyr_err *err) {
    char host[600], words[WORDS_BYTES], key[360];
    bool sent = target->options.key_source[0];
    origin(&target->endpoints[endpoint], host, sizeof host);
    words_of(fetched, words, sizeof words);
    pyr_http_words_key(&target->options, key, sizeof key);
    return pyr_fail(err, PYR_E_INPUT, "%s: the server %s (HTTP %u%s%s); %s; %s", host,
                    sent ? "refuses the key" : "wants a key", fetched->status, words[0] ? ": " : "",
                    words, key,
                    sent ? "check that it is the one for this server"
                         : "put it into a file and name that with --api-key-file, or set "
                           "OPENAI_API_KEY");
}

bool pyr_http_check_answer(struct http_target *target, unsigned endpoint, const char *path,
                           const struct pyr_fetched *fetched, struct pyr_err *err) {
    char words[480], host[600];
    const char *api = path + strlen(target->base_paths[endpoint]);
    if (fetched->status == 401 || fetched->status == 403)
        return fail_key(target, endpoint, fetched, err);
    origin(&target->endpoints[endpoint], host, sizeof host);
    if (fetched->status / 100 == 3) {
        pyr_http_words_redirect(fetched->location, api, words, sizeof words);
        return pyr_fail(err, PYR_E_INPUT, "%s%s: HTTP %u, %s", host, path, fetched->status, words);
    }
    if (fetched->content_encoding[0]) {
        pyr_http_words_packed(fetched->content_encoding, words, sizeof words);
        return pyr_fail(err, PYR_E_INPUT, "%s%s: %s", host, path, words);
    }
    return fetched->status != 200 || !is_type(fetched, "text/html") ||
           pyr_fail(err, PYR_E_INPUT,
                    "%s: answers with a web page, not an API; check host, port and path, and the "
                    "proxies in the environment",
                    target->endpoints[endpoint].text);
}

/* --- which models ---------------------------------------------------------------------------- */

static void keep_owner(struct http_target *target, const char *owner) {
    if (owner)
        pyr_plain_text(target->owner, sizeof target->owner, owner, strlen(owner));
}

/* Aliases, wildcards and models that are loaded on demand are in no list: the server has the last
 * word, by its answer to the first request. */
static void note_unlisted(struct http_target *target, unsigned endpoint, const char *names) {
    snprintf(target->unlisted[endpoint], sizeof target->unlisted[endpoint], "%s", names);
    if (endpoint == 0)
        pyr_http_add_line(
            &target->notes,
            "The model is not in the server's list: that it serves it is its own word.");
}

static bool choose_model(struct http_target *target, unsigned endpoint, json_t *list,
                         struct pyr_err *err) {
    struct pyr_http_options *options = &target->options;
    const char *where = target->endpoints[endpoint].text, *first = NULL;
    struct pyr_buf names = {0};
    size_t index, count = 0;
    json_t *one;
    bool found = false;
    json_array_foreach(list, index, one) {
        const char *id = json_string_value(json_object_get(one, "id"));
        if (!id)
            continue;
        if (!first && endpoint == 0)
            keep_owner(target, json_string_value(json_object_get(one, "owned_by")));
        first = first ? first : id;
        found |= strcmp(id, options->model) == 0;
        char plain[256];
        pyr_plain_text(plain, sizeof plain, id, strlen(id));
        if (count++ < NAMES_SHOWN)
            pyr_buf_printf(&names, "%s%s", count > 1 ? ", " : "", plain);
    }
    if (count > NAMES_SHOWN)
        pyr_buf_printf(&names, ", and %zu more", count - NAMES_SHOWN);
    bool good = true;
    if (options->model[0] && !found && first)
        note_unlisted(target, endpoint, pyr_buf_text(&names));
    else if (!options->model[0] && first && count == 1)
        good = strlen(first) < sizeof options->model ||
               pyr_fail(err, PYR_E_UNSUPPORTED, "%s: the model's name is longer than %zu bytes",
                        where, sizeof options->model - 1);
    else if (!options->model[0] && first)
        good = pyr_fail(err, PYR_E_USAGE,
                        "%s: the server has several models; choose one with --model: %s", where,
                        pyr_buf_text(&names));
    if (good && !options->model[0] && first)
        snprintf(options->model, sizeof options->model, "%s", first);
    pyr_buf_deinit(&names);
    return good;
}

/* No list of models: that is no harm when the model was named. */
static bool without_list(struct http_target *target, unsigned endpoint, const char *path,
                         const struct pyr_fetched *fetched, struct pyr_err *err) {
    char host[600], words[WORDS_BYTES];
    if (target->options.model[0]) {
        if (endpoint == 0)
            pyr_http_add_line(&target->notes,
                              "The server lists no models: the model's name is not checked.");
        return true;
    }
    origin(&target->endpoints[endpoint], host, sizeof host);
    words_of(fetched, words, sizeof words);
    if (strstr(words, "plain HTTP request was sent to HTTPS"))
        return pyr_fail(err, PYR_E_INPUT, "%s: wants TLS (HTTP %u: %s); write https://",
                        target->endpoints[endpoint].text, fetched->status, words);
    bool failing = fetched->status / 100 == 5 && fetched->status != 501;
    return pyr_fail(err, fetched->status >= 400 ? PYR_E_INPUT : PYR_E_USAGE,
                    "%s%s: no list of models (HTTP %u%s%s); %s", host, path, fetched->status,
                    words[0] ? ": " : "", words,
                    failing ? "is the server up, and the one behind its proxy?"
                            : "name the model with --model");
}

static bool read_models(struct http_target *target, unsigned endpoint, const char *path,
                        const struct pyr_fetched *fetched, struct pyr_err *err) {
    if (!pyr_http_check_answer(target, endpoint, path, fetched, err) ||
        (fetched->status == 404 && !check_other_paths(target, endpoint, path, err)))
        return false;
    json_t *root = fetched->status == 200
                       ? json_loadb(pyr_buf_text(&fetched->body), fetched->body.length, 0, NULL)
                       : NULL;
    json_t *list = json_object_get(root, "data");
    bool good = json_array_size(list) ? choose_model(target, endpoint, list, err)
                                      : without_list(target, endpoint, path, fetched, err);
    json_decref(root);
    return good;
}

static bool find_models_of(struct http_target *target, unsigned endpoint, struct pyr_err *err) {
    struct pyr_fetched fetched = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/models", target->base_paths[endpoint]);
    bool good = (endpoint > 0 || launch(target, path, err)) &&
                wait_ready(target, endpoint, path, &fetched, err);
    if (good && endpoint == 0) {
        target->http2 = fetched.http2;
        snprintf(target->software, sizeof target->software, "%s", fetched.server);
    }
    good = good && read_models(target, endpoint, path, &fetched, err);
    pyr_buf_deinit(&fetched.body);
    if (good && !target->options.model[0])
        good = pyr_fail(err, PYR_E_USAGE, "%s: name the model with --model",
                        target->endpoints[endpoint].text);
    return good;
}

bool pyr_http_find_models(struct http_target *target, struct pyr_err *err) {
    /* A URL without a path means the usual one. */
    for (unsigned i = 0; i < target->endpoint_count; i++)
        if (!target->base_paths[i][0])
            snprintf(target->base_paths[i], sizeof target->base_paths[i], "/v1");
    for (unsigned i = 0; i < target->endpoint_count; i++)
        if (!find_models_of(target, i, err))
            return false;
    return true;
}
