/* SPDX-License-Identifier: MIT
 *
 * Target http: any OpenAI-compatible server. docs/http.md
 */
#include "base/mem.h"
#include "codec/escape.h"
#include "target/http_call.h"
#include "target/http_words.h"
#include "target/kinds.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct http_target *target_of(struct pyr_target *base) {
    return (struct http_target *)base; /* its first member */
}

static struct http_handle *handle_of(struct pyr_target_handle *base) {
    return (struct http_handle *)base; /* its first member */
}

/* --- the target ------------------------------------------------------------------------------ */

static void http_close(struct pyr_target *base) {
    struct http_target *target = target_of(base);
    pyr_launch_stop(&target->launched);
    pyr_http_writer_release(target);
    for (unsigned i = 0; i < target->endpoint_count; i++)
        pyr_endpoint_close(&target->endpoints[i]);
    pyr_http_options_free(&target->options);
    pyr_buf_deinit(&target->notes);
    pyr_buf_deinit(&target->cautions);
    pyr_buf_deinit(&target->before_text);
    pyr_buf_deinit(&target->behind_text);
    pyr_free(target);
}

/* The spec is one URL or several, separated by commas. */
static bool open_endpoints(struct http_target *target, const char *spec, struct pyr_err *err) {
    while (*spec) {
        size_t length = strcspn(spec, ",");
        char url[512];
        if (target->endpoint_count == PYR_HTTP_ENDPOINTS_MAX)
            return pyr_fail(err, PYR_E_USAGE, "more than %d endpoints", PYR_HTTP_ENDPOINTS_MAX);
        if (length >= sizeof url)
            return pyr_fail(err, PYR_E_USAGE, "target URL: longer than %zu bytes", sizeof url - 1);
        memcpy(url, spec, length);
        url[length] = '\0';
        struct pyr_endpoint *endpoint = &target->endpoints[target->endpoint_count];
        if (!pyr_endpoint_open(url, &target->options.tls, getenv, endpoint, err))
            return false;
        memcpy(target->base_paths[target->endpoint_count], endpoint->url.path,
               sizeof endpoint->url.path);
        target->endpoint_count++;
        spec += length + (spec[length] == ',' ? 1 : 0);
    }
    return true;
}

static bool http_open(const struct pyr_target_config *config, struct pyr_target **result,
                      struct pyr_err *err) {
    struct http_target *target = pyr_xcalloc(1, sizeof *target);
    target->base.ops = &pyr_target_http;
    snprintf(target->spec, sizeof target->spec, "%s", config->spec);
    if (!pyr_http_options_read(config, &target->options, err) ||
        !open_endpoints(target, config->spec, err) || !pyr_http_probe(target, err)) {
        if (err)
            pyr_http_words_mask(&target->options, err->text);
        http_close(&target->base);
        return false;
    }
    pyr_http_writer_prepare(target);
    *result = &target->base;
    return true;
}

static void http_describe(struct pyr_target *base, struct pyr_target_info *info) {
    struct http_target *target = target_of(base);
    const struct pyr_http_options *options = &target->options;
    *info = (struct pyr_target_info){.counts_tokens = target->tokenize_path[0] != '\0',
                                     .weighs_prompts = target->weighs,
                                     .streams = options->stream,
                                     .http2 = target->http2,
                                     .pid = target->launched.pid,
                                     .spawn_ns = options->launch ? target->ready_ns : 0};
    snprintf(info->kind, sizeof info->kind, "http");
    pyr_plain_text(info->name, sizeof info->name, options->model, strlen(options->model));
    snprintf(info->engine, sizeof info->engine, "%s%s%s", target->owner,
             target->owner[0] && target->software[0] ? ", " : "", target->software);
    snprintf(info->description, sizeof info->description, "%.160s, %s, %s%s%s%s",
             target->endpoints[0].text, pyr_http_api_path(options->api) + 1,
             options->stream ? "streamed" : "not streamed", target->http2 ? ", HTTP/2" : "",
             target->endpoint_count > 1 ? ", several endpoints" : "",
             options->tls.insecure && target->endpoints[0].url.tls ? ", certificate not verified"
                                                                   : "");
    snprintf(info->notes, sizeof info->notes, "%s", pyr_buf_text(&target->notes));
    snprintf(info->cautions, sizeof info->cautions, "%s", pyr_buf_text(&target->cautions));
    pyr_http_words_mask(options, info->notes);
    pyr_http_words_mask(options, info->cautions);
    pyr_http_words_mask(options, info->name);
    pyr_http_words_mask(options, info->engine);
}

static int64_t http_count_tokens(struct pyr_target *base, const char *text, size_t bytes) {
    return pyr_http_count_tokens(target_of(base), text, bytes);
}

/* --- the handle ------------------------------------------------------------------------------ */

/* Address space without memory behind it: pages come when they are touched. */
static char *reserve(size_t bytes, const char *what, struct pyr_err *err) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED)
        return memory;
    pyr_fail_errno(err, errno, "address space for %s", what);
    return NULL;
}

static void http_detach(struct pyr_target_handle *base) {
    struct http_handle *handle = handle_of(base);
    for (uint32_t i = 0; i < handle->conn_count; i++) {
        assert(!handle->conns[i].slot);
        pyr_conn_close(&handle->conns[i].conn, false);
    }
    pyr_loop_close(&handle->loop);
    if (handle->stamp_keeper >= 0)
        close(handle->stamp_keeper);
    if (handle->holds)
        munmap(handle->holds, (size_t)handle->conn_count * PYR_HTTP_HOLD_BYTES);
    if (handle->capture)
        munmap(handle->capture, PYR_HTTP_CAPTURE_BYTES);
    pyr_free(handle->buffers.received);
    pyr_free(handle->buffers.plain);
    pyr_free(handle->buffers.text);
    pyr_free(handle->staging);
    pyr_unmap_bytes(handle->conns, handle->conn_count * sizeof *handle->conns);
    pyr_free(handle->heap);
    pyr_free(handle->waiting);
    pyr_free(handle->done);
    pyr_free(handle->error_texts);
    pyr_free(handle);
}

static void take_memory(struct http_handle *handle) {
    handle->buffers.received = pyr_xcalloc(1, PYR_CONN_READ_BYTES);
    handle->buffers.plain = pyr_xcalloc(1, PYR_CONN_PLAIN_BYTES);
    handle->buffers.text = pyr_xcalloc(1, PYR_CONN_TEXT_BYTES);
    handle->staging = pyr_xcalloc(1, PYR_HTTP_STAGING_BYTES);
    handle->heap = pyr_xcalloc(handle->conn_count, sizeof *handle->heap);
    handle->waiting = pyr_xcalloc(handle->max_in_flight, sizeof *handle->waiting);
    handle->done = pyr_xcalloc(handle->max_in_flight, sizeof *handle->done);
    handle->error_texts = pyr_xcalloc(handle->max_in_flight, PYR_HTTP_ERROR_BYTES);
}

static bool http_attach(struct pyr_target *base, const struct pyr_attach *attach,
                        struct pyr_target_handle **result, struct pyr_err *err) {
    struct http_target *target = target_of(base);
    struct http_handle *handle = pyr_xcalloc(1, sizeof *handle);
    handle->base.ops = &pyr_target_http;
    handle->target = target;
    handle->clock = *attach->clock;
    handle->lane = attach->lane;
    handle->max_in_flight = attach->max_in_flight;
    uint32_t wanted = (uint32_t)target->options.connections;
    handle->conn_count = wanted && wanted < attach->max_in_flight ? wanted : attach->max_in_flight;
    uint32_t likely = attach->likely_in_flight;
    handle->open_first = likely && likely < handle->conn_count ? likely : handle->conn_count;
    handle->loop.fd = -1;
    if (!pyr_http_raise_limit(handle, err)) {
        pyr_free(handle);
        return false;
    }
    /* Of whole pages, so that each begins on a cache line. */
    handle->conns = pyr_map_bytes(handle->conn_count * sizeof *handle->conns, "connections", err);
    if (!handle->conns) {
        pyr_free(handle);
        return false;
    }
    take_memory(handle);
    handle->holds = reserve((size_t)handle->conn_count * PYR_HTTP_HOLD_BYTES, "long events", err);
    handle->capture = handle->holds ? reserve(PYR_HTTP_CAPTURE_BYTES, "kept texts", err) : NULL;
    for (uint32_t i = 0; i < handle->conn_count; i++) {
        struct http_conn *conn = &handle->conns[i];
        conn->handle = handle;
        conn->endpoint = i % target->endpoint_count;
        conn->deadline_ns = PYR_NEVER;
        conn->watched_fd = -1;
        conn->hold = handle->holds + (size_t)i * PYR_HTTP_HOLD_BYTES;
        pyr_conn_init(&conn->conn, &target->endpoints[conn->endpoint]);
    }
    pyr_stamp_clock_measure(&handle->stamp_clock);
    handle->stamp_keeper = pyr_stamps_keep();
    if (!handle->holds || !handle->capture || !pyr_loop_open(&handle->loop, err) ||
        !pyr_http_open_pool(handle, pyr_http_on_event, err)) {
        http_detach(&handle->base);
        return false;
    }
    *result = &handle->base;
    return true;
}

static void http_submit(struct pyr_target_handle *base, struct pyr_slot *slot) {
    struct http_handle *handle = handle_of(base);
    struct pyr_request *record = &slot->record;
    record->asked_tokens = slot->output_tokens;
    slot->error_text = slot->caution_text = NULL;
    slot->text = NULL;
    slot->text_bytes = 0;
    slot->target_data = NULL;
    struct http_conn *conn = pyr_http_choose_conn(handle);
    uint64_t now_ns = pyr_now_ns(&handle->clock);
    if (conn) {
        pyr_http_assign(conn, slot, now_ns);
        return;
    }
    assert(handle->waiting_count < handle->max_in_flight);
    handle->waiting[(handle->waiting_first + handle->waiting_count++) % handle->max_in_flight] =
        slot;
}

static void look(struct http_handle *handle, uint64_t timeout_ns) {
    handle->ready_count = pyr_loop_wait(&handle->loop, handle->ready, PYR_HTTP_READY, timeout_ns);
    handle->ready_at = 0;
    handle->looked = true;
}

/* To wait and to ask what became ready is one call of the kernel. */
static void http_sleep_until(struct pyr_target_handle *base, uint64_t now_ns, uint64_t until_ns) {
    struct http_handle *handle = handle_of(base);
    assert(handle->ready_at == handle->ready_count && until_ns > now_ns);
    look(handle, until_ns == PYR_NEVER ? PYR_NEVER : until_ns - now_ns);
}

static size_t http_poll(struct pyr_target_handle *base, struct pyr_slot **done, size_t capacity) {
    struct http_handle *handle = handle_of(base);
    if (handle->ready_at == handle->ready_count && !handle->looked)
        look(handle, 0);
    handle->looked = false;
    /* An event may be of a descriptor that an earlier one closed: it then finds nothing to do. */
    for (int i = 0; i < PYR_HTTP_EVENTS && handle->ready_at < handle->ready_count; i++) {
        const struct epoll_event *event = &handle->ready[handle->ready_at++];
        if (handle->ready_at < handle->ready_count)
            __builtin_prefetch(event[1].data.ptr, 1);
        pyr_http_on_event(event->data.ptr, event->events);
    }
    uint64_t now_ns = pyr_now_ns(&handle->clock);
    while (handle->heap_count && handle->heap[0]->deadline_ns <= now_ns)
        pyr_http_on_deadline(handle->heap[0], now_ns);
    /* Once a second the wall clock's stamps are tied anew to ours. */
    if (now_ns - handle->stamp_clock.measured_ns > PYR_NS_PER_S)
        pyr_stamp_clock_measure(&handle->stamp_clock);
    size_t given = 0;
    while (given < capacity && handle->done_count) {
        done[given++] = handle->done[handle->done_first];
        handle->done_first = (handle->done_first + 1) % handle->max_in_flight;
        handle->done_count--;
    }
    return given;
}

static struct pyr_wait http_wait_handle(struct pyr_target_handle *base) {
    struct http_handle *handle = handle_of(base);
    uint64_t next_ns = handle->heap_count ? handle->heap[0]->deadline_ns : PYR_NEVER;
    bool now = handle->done_count > 0 || handle->ready_at < handle->ready_count;
    return (struct pyr_wait){.fd = handle->loop.fd, .next_ns = now ? 0 : next_ns};
}

/* A slot that waits for a connection is nobody's yet. */
static bool cancel_waiting(struct http_handle *handle, struct pyr_slot *slot,
                           enum pyr_outcome outcome) {
    for (uint32_t i = 0; i < handle->waiting_count; i++) {
        uint32_t at = (handle->waiting_first + i) % handle->max_in_flight;
        if (handle->waiting[at] != slot)
            continue;
        for (; i + 1 < handle->waiting_count; i++) {
            uint32_t next = (handle->waiting_first + i + 1) % handle->max_in_flight;
            handle->waiting[at] = handle->waiting[next];
            at = next;
        }
        handle->waiting_count--;
        slot->record.outcome = (uint8_t)outcome;
        slot->record.closed_ns = pyr_now_ns(&handle->clock);
        pyr_http_give_back(handle, slot, "ended before a connection was free");
        return true;
    }
    return false;
}

static void http_cancel(struct pyr_target_handle *base, struct pyr_slot *slot,
                        enum pyr_outcome outcome) {
    struct http_handle *handle = handle_of(base);
    if (cancel_waiting(handle, slot, outcome))
        return;
    struct http_conn *conn = slot->target_data;
    if (!conn || conn->slot != slot)
        return; /* over already: poll is about to give it back */
    uint64_t now_ns = pyr_now_ns(&handle->clock);
    if (conn->done)
        outcome = pyr_http_answer_outcome(conn);
    else
        pyr_http_fail(conn, outcome, "%s",
                      outcome == PYR_OUTCOME_CANCELLED ? "cancelled" : "ended by the run");
    pyr_http_finish(conn, outcome, now_ns);
    pyr_http_close_conn(conn, true, now_ns);
    pyr_http_serve_waiting(handle);
}

static bool http_reset(struct pyr_target_handle *base, struct pyr_err *err) {
    struct http_handle *handle = handle_of(base);
    (void)err;
    handle->capture_used = 0;
    return true;
}

const struct pyr_target_ops pyr_target_http = {
    .name = "http",
    .summary = "any OpenAI-compatible server, by URL",
    .open = http_open,
    .describe = http_describe,
    .count_tokens = http_count_tokens,
    .attach = http_attach,
    .detach = http_detach,
    .submit = http_submit,
    .poll = http_poll,
    .wait_handle = http_wait_handle,
    .sleep_until = http_sleep_until,
    .cancel = http_cancel,
    .reset = http_reset,
    .close = http_close,
};
