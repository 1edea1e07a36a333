/* SPDX-License-Identifier: MIT
 *
 * Target local: a model behind serving, in this process. In real time the engine has a thread of
 * its own, which sleeps while there is nothing to do; in virtual time poll makes the steps itself,
 * and what a step finished is given back when the clock has reached its end.
 */
#include "base/mem.h"
#include "target/kinds.h"
#include "target/link.h"
#include "target/loaded.h"
#include "target/service.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct local_target {
    struct pyr_target base;
    struct pyr_target_config config; /* its options are not kept */
    char *spec;
    struct pyr_loaded loaded;
    struct local_handle *handle; /* the one attached, or NULL */
};

struct local_handle {
    struct pyr_target_handle base;
    struct local_target *target;
    struct pyr_clock clock;
    struct pyr_channel *channel;
    size_t channel_bytes;
    struct pyr_link link;
    struct pyr_service *service;
    int engine_fd, load_fd; /* -1 in virtual time */
    pthread_t thread;
    uint64_t busy_until_ns; /* virtual time: when the step under way is over */
};

static struct local_target *target_of(struct pyr_target *target) {
    return (struct local_target *)target;
}

static struct local_handle *handle_of(struct pyr_target_handle *handle) {
    return (struct local_handle *)handle;
}

/* --- open, describe, text
 * -------------------------------------------------------------------------- */

static bool local_open(const struct pyr_target_config *config, struct pyr_target **target,
                       struct pyr_err *err) {
    struct local_target *local = pyr_xcalloc(1, sizeof *local);
    if (!pyr_loaded_open(config, &local->loaded, err)) {
        pyr_free(local);
        return false;
    }
    if (local->loaded.info.virtual_time && !config->virtual_now_ns) {
        pyr_loaded_close(&local->loaded);
        pyr_free(local);
        return pyr_fail(err, PYR_E_USAGE,
                        "%s: runs in virtual time, which this command does not drive; add real=1",
                        config->spec);
    }
    local->base.ops = &pyr_target_local;
    local->config = *config;
    local->config.options = NULL;
    local->config.option_count = 0;
    local->spec = pyr_xstrdup(config->spec);
    *target = &local->base;
    return true;
}

static void local_close(struct pyr_target *target) {
    struct local_target *local = target_of(target);
    if (local->handle)
        return; /* its engine hangs and uses all of this still */
    pyr_loaded_close(&local->loaded);
    pyr_free(local->spec);
    pyr_free(local);
}

static void local_describe(struct pyr_target *target, struct pyr_target_info *info) {
    struct local_target *local = target_of(target);
    memset(info, 0, sizeof *info);
    snprintf(info->kind, sizeof info->kind, "local");
    pyr_loaded_describe(&local->loaded, local->spec, info);
    info->threads = local->config.threads;
    info->pid = getpid();
    if (!local->handle)
        return;
    struct pyr_serving_info serving;
    pyr_serving_describe(pyr_service_serving(local->handle->service), &serving);
    pyr_loaded_describe_serving(&serving, local->handle->channel->entry_count, info);
}

static int local_tokenize(struct pyr_target *target, const char *text, size_t bytes, bool special,
                          int32_t *tokens, int capacity) {
    const struct pyr_loaded *loaded = &target_of(target)->loaded;
    return loaded->engine->tokenize(loaded->model, text, bytes, special, tokens, capacity);
}

static int64_t local_count_tokens(struct pyr_target *target, const char *text, size_t bytes) {
    int count = local_tokenize(target, text, bytes, false, NULL, 0);
    return count < 0 ? -(int64_t)count : count;
}

static int local_piece(struct pyr_target *target, int32_t token, char *bytes, int capacity) {
    const struct pyr_loaded *loaded = &target_of(target)->loaded;
    return loaded->engine->piece(loaded->model, token, bytes, capacity);
}

/* --- attach
 * ---------------------------------------------------------------------------------------- */

static void *engine_thread(void *argument) {
    struct local_handle *handle = argument;
    pyr_service_run(handle->service);
    return NULL;
}

static bool open_bells(struct local_handle *handle, struct pyr_err *err) {
    handle->engine_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    handle->load_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return (handle->engine_fd >= 0 && handle->load_fd >= 0) ||
           pyr_fail(err, PYR_E_IO, "eventfd: %s; raise the limit on open files (ulimit -n)",
                    strerror(errno));
}

static bool start_thread(struct local_handle *handle, struct pyr_err *err) {
    /* Signals belong to the thread that called us. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&handle->thread, NULL, engine_thread, handle);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed)
        return pyr_fail_errno(err, failed, "engine thread");
    pthread_setname_np(handle->thread, "pyr-engine");
    return true;
}

static void close_bells(struct local_handle *handle) {
    if (handle->engine_fd >= 0)
        close(handle->engine_fd);
    if (handle->load_fd >= 0)
        close(handle->load_fd);
}

static void release(struct local_handle *handle) {
    close_bells(handle);
    pyr_service_destroy(handle->service);
    if (handle->channel)
        pyr_unmap_bytes(handle->channel, handle->channel_bytes);
    pyr_free(handle);
}

static bool take_memory(struct local_handle *handle, const struct pyr_attach *attach,
                        struct pyr_err *err) {
    struct local_target *local = handle->target;
    handle->channel_bytes = pyr_channel_bytes(attach->max_in_flight, 0, 0);
    handle->channel = pyr_map_bytes(handle->channel_bytes, "requests under way", err);
    if (!handle->channel)
        return false;
    pyr_channel_init(handle->channel, attach->max_in_flight, 0, 0);
    struct pyr_serving_config config;
    pyr_loaded_serving_config(&local->loaded, &local->config, attach->max_in_flight, &config);
    config.seed = pyr_loaded_next_seed(&local->loaded, local->config.seed);
    config.clock = &handle->clock;
    config.lane = pyr_clock_is_virtual(&handle->clock) ? attach->lane : attach->engine_lane;
    return pyr_service_create(local->loaded.engine, local->loaded.model, local->loaded.pieces,
                              &config, handle->channel, handle->engine_fd, handle->load_fd,
                              &handle->service, err);
}

static bool local_attach(struct pyr_target *target, const struct pyr_attach *attach,
                         struct pyr_target_handle **handle_out, struct pyr_err *err) {
    struct local_target *local = target_of(target);
    bool is_virtual = pyr_clock_is_virtual(attach->clock);
    assert(is_virtual == local->loaded.info.virtual_time && attach->max_in_flight > 0);
    if (local->handle)
        return pyr_fail(err, PYR_E_USAGE,
                        "%s: an in-process model is driven by one thread; use one load thread",
                        local->spec);
    struct local_handle *handle = pyr_xcalloc(1, sizeof *handle);
    handle->base.ops = &pyr_target_local;
    handle->target = local;
    handle->clock = *attach->clock;
    handle->engine_fd = handle->load_fd = -1;
    if ((!is_virtual && !open_bells(handle, err)) || !take_memory(handle, attach, err) ||
        (!is_virtual && !start_thread(handle, err))) {
        release(handle);
        return false;
    }
    pyr_link_init(&handle->link, handle->channel, &handle->clock, handle->engine_fd,
                  handle->load_fd, local->loaded.pieces->longest);
    local->handle = handle;
    *handle_out = &handle->base;
    return true;
}

static void local_detach(struct pyr_target_handle *base) {
    struct local_handle *handle = handle_of(base);
    if (handle->engine_fd >= 0) {
        atomic_store_explicit(&handle->channel->stop, true, memory_order_release);
        pyr_bell_ring(&handle->channel->engine_bell, handle->engine_fd);
        pthread_join(handle->thread, NULL);
    }
    pyr_link_deinit(&handle->link);
    handle->target->handle = NULL;
    release(handle);
}

/* --- requests
 * -------------------------------------------------------------------------------------- */

static void local_submit(struct pyr_target_handle *handle, struct pyr_slot *slot) {
    pyr_link_submit(&handle_of(handle)->link, slot);
}

static void local_cancel(struct pyr_target_handle *handle, struct pyr_slot *slot,
                         enum pyr_outcome outcome) {
    pyr_link_cancel(&handle_of(handle)->link, slot, outcome);
}

static size_t local_poll(struct pyr_target_handle *base, struct pyr_slot **done, size_t capacity) {
    struct local_handle *handle = handle_of(base);
    if (handle->load_fd >= 0)
        return pyr_link_poll(&handle->link, done, capacity);
    for (;;) {
        uint64_t now_ns = pyr_now_ns(&handle->clock);
        if (now_ns < handle->busy_until_ns)
            return 0;
        size_t count = pyr_link_poll(&handle->link, done, capacity);
        if (count > 0 || !pyr_service_turn(handle->service, &handle->busy_until_ns))
            return count;
    }
}

static struct pyr_wait local_wait_handle(struct pyr_target_handle *base) {
    struct local_handle *handle = handle_of(base);
    struct pyr_wait wait = pyr_link_wait(&handle->link);
    if (handle->load_fd < 0 && (wait.next_ns != PYR_NEVER || pyr_service_has_work(handle->service)))
        wait.next_ns = handle->busy_until_ns;
    return wait;
}

static bool local_reset(struct pyr_target_handle *handle, struct pyr_err *err) {
    (void)err;
    pyr_link_reset(&handle_of(handle)->link);
    return true;
}

const struct pyr_target_ops pyr_target_local = {
    .name = "local",
    .summary = "a model in this process, shared by all requests",
    .open = local_open,
    .describe = local_describe,
    .count_tokens = local_count_tokens,
    .tokenize = local_tokenize,
    .piece = local_piece,
    .attach = local_attach,
    .detach = local_detach,
    .submit = local_submit,
    .poll = local_poll,
    .wait_handle = local_wait_handle,
    .cancel = local_cancel,
    .reset = local_reset,
    .close = local_close,
};
