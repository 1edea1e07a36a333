/* SPDX-License-Identifier: MIT */
#include "target/worker_main.h"

#include "base/mem.h"
#include "target/loaded.h"
#include "target/service.h"
#include "target/wire.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONTROL_FD = 3 };

struct worker {
    int control;
    struct pyr_arena *arena; /* of the config */
    struct pyr_target_config config;
    struct pyr_loaded loaded;
    bool is_open;

    /* While attached. */
    struct pyr_wire_block *block;
    size_t block_bytes;
    struct pyr_channel *channel;
    struct pyr_service *service;
    struct pyr_clock clock;
    pthread_t thread;
    int fds[PYR_WIRE_FDS];
};

static bool fail(struct worker *worker, const struct pyr_err *err) {
    return pyr_wire_send(worker->control, PYR_WIRE_FAILED, err, sizeof *err, NULL, 0, NULL);
}

/* --- open
 * ------------------------------------------------------------------------------------------ */

static bool send_opened(struct worker *worker) {
    struct pyr_wire_opened opened = {.piece_bytes = worker->loaded.pieces->longest};
    pyr_loaded_describe(&worker->loaded, worker->config.spec, &opened.info);
    struct pyr_serving_config serving;
    pyr_loaded_serving_config(&worker->loaded, &worker->config, 1, &serving);
    opened.tokens_per_sequence = serving.tokens_per_sequence;
    opened.info.threads = serving.threads;
    if (worker->service) {
        struct pyr_serving_info info;
        pyr_serving_describe(pyr_service_serving(worker->service), &info);
        pyr_loaded_describe_serving(&info, worker->channel->entry_count, &opened.info);
    }
    return pyr_wire_send(worker->control, PYR_WIRE_OPENED, &opened, sizeof opened, NULL, 0, NULL);
}

static bool open_model(struct worker *worker, const struct pyr_buf *payload) {
    struct pyr_wire_open wire;
    memcpy(&wire, payload->data, sizeof wire);
    const char *at = payload->data + sizeof wire;
    struct pyr_option *options = pyr_arena_array(worker->arena, wire.option_count, sizeof *options);
    worker->config = (struct pyr_target_config){
        .spec = pyr_arena_strdup(worker->arena, at),
        .options = options,
        .option_count = wire.option_count,
        .threads = wire.threads,
        .sequences = wire.sequences,
        .tokens_per_sequence = wire.tokens_per_sequence,
        .queue_limit = wire.queue_limit,
        .seed = wire.seed,
    };
    for (uint32_t i = 0; i < wire.option_count; i++) {
        at += strlen(at) + 1;
        options[i].key = pyr_arena_strdup(worker->arena, at);
        at += strlen(at) + 1;
        options[i].value = pyr_arena_strdup(worker->arena, at);
    }
    struct pyr_err err = {0};
    if (!pyr_loaded_open(&worker->config, &worker->loaded, &err))
        return fail(worker, &err);
    worker->is_open = true;
    if (wire.attempt && !pyr_loaded_attempt(&worker->loaded, &worker->config, &err))
        return fail(worker, &err);
    if (worker->loaded.info.virtual_time) {
        pyr_fail(&err, PYR_E_USAGE,
                 "%s: runs in virtual time, which a worker process cannot share; add real=1 or "
                 "leave --isolate out",
                 worker->config.spec);
        return fail(worker, &err);
    }
    return send_opened(worker);
}

/* --- text
 * ------------------------------------------------------------------------------------------ */

static bool tokenize(struct worker *worker, const struct pyr_buf *payload) {
    struct pyr_wire_text wire;
    memcpy(&wire, payload->data, sizeof wire);
    int32_t *tokens = pyr_xcalloc((size_t)wire.capacity + 1, sizeof *tokens);
    int32_t result = worker->loaded.engine->tokenize(
        worker->loaded.model, payload->data + sizeof wire, payload->length - sizeof wire,
        wire.special != 0, tokens, wire.capacity);
    bool ok = pyr_wire_send(worker->control, PYR_WIRE_TOKENS, &result, sizeof result, tokens,
                            result > 0 ? (size_t)result * sizeof *tokens : 0, NULL);
    pyr_free(tokens);
    return ok;
}

static bool piece(struct worker *worker, const struct pyr_buf *payload) {
    const struct pyr_pieces *pieces = worker->loaded.pieces;
    int32_t token;
    memcpy(&token, payload->data, sizeof token);
    bool known = token >= 0 && (uint32_t)token < pieces->count;
    int32_t result = known ? (int32_t)(pieces->offset[token + 1] - pieces->offset[token]) : 0;
    const char *bytes = known ? pieces->bytes + pieces->offset[token] : "";
    return pyr_wire_send(worker->control, PYR_WIRE_BYTES, &result, sizeof result, bytes,
                         (size_t)result, NULL);
}

/* --- attach
 * ---------------------------------------------------------------------------------------- */

/* What a ring of the lane holds that the parent has not read. */
static uint64_t unread(const _Atomic uint64_t *head, const _Atomic uint64_t *tail) {
    return atomic_load_explicit(head, memory_order_relaxed) -
           atomic_load_explicit(tail, memory_order_acquire);
}

static bool is_full(const struct pyr_lane *lane) {
    return unread(&lane->chunk_head, &lane->chunk_tail) == lane->chunk_mask + 1 ||
           unread(&lane->step_head, &lane->step_tail) == lane->step_mask + 1;
}

/* The head at which the ring is looked at again: where it is half full, then where it is full. */
static uint64_t room_until(const _Atomic uint64_t *head, const _Atomic uint64_t *tail,
                           uint64_t size) {
    uint64_t read = atomic_load_explicit(tail, memory_order_acquire);
    bool half = atomic_load_explicit(head, memory_order_relaxed) - read < size / 2;
    return half ? read + size / 2 : read + size;
}

/* A ring of the lane is half full, or full: the parent is asked to read it, and waited for when
 * there is no room at all. The parent rings back whenever it has read. */
static void wait_for_parent(struct pyr_lane *lane) {
    struct worker *worker = lane->owner;
    struct pyr_channel *channel = worker->channel;
    uint64_t since_ns = 0;
    pyr_bell_ring(&channel->load_bell, worker->fds[2]);
    while (is_full(lane)) {
        since_ns = since_ns ? since_ns : pyr_clock_real_ns();
        pyr_bell_arm(&channel->engine_bell);
        if (is_full(lane))
            pyr_bell_sleep(worker->fds[1]);
        pyr_bell_rest(&channel->engine_bell, worker->fds[1]);
    }
    lane->chunk_room_until = room_until(&lane->chunk_head, &lane->chunk_tail, lane->chunk_mask + 1);
    lane->step_room_until = room_until(&lane->step_head, &lane->step_tail, lane->step_mask + 1);
    if (since_ns > 0)
        atomic_fetch_add_explicit(&worker->block->stall_ns, pyr_clock_real_ns() - since_ns,
                                  memory_order_relaxed);
}

static void *engine_thread(void *argument) {
    struct worker *worker = argument;
    pyr_service_run(worker->service);
    return NULL;
}

static void leave(struct worker *worker) {
    pyr_service_destroy(worker->service);
    worker->service = NULL;
    if (worker->block)
        munmap(worker->block, worker->block_bytes);
    worker->block = NULL;
    for (int i = 0; i < PYR_WIRE_FDS; i++) {
        if (worker->fds[i] >= 0)
            close(worker->fds[i]);
        worker->fds[i] = -1;
    }
}

static bool map_block(struct worker *worker, const struct pyr_wire_attach *wire,
                      struct pyr_err *err) {
    worker->block_bytes = wire->block_bytes;
    void *memory =
        mmap(NULL, worker->block_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, worker->fds[0], 0);
    if (memory == MAP_FAILED)
        return pyr_fail_errno(err, errno, "worker: shared memory of %zu bytes",
                              worker->block_bytes);
    worker->block = memory;
    worker->channel =
        (struct pyr_channel *)((unsigned char *)memory + worker->block->channel_offset);
    struct pyr_lane *lane = &worker->block->lane;
    lane->chunks = (struct pyr_chunk *)((unsigned char *)memory + worker->block->chunks_offset);
    lane->steps = (struct pyr_step *)((unsigned char *)memory + worker->block->steps_offset);
    lane->wait_room = wait_for_parent;
    lane->owner = worker;
    return true;
}

static bool start(struct worker *worker, const struct pyr_wire_attach *wire, struct pyr_err *err) {
    if (!map_block(worker, wire, err))
        return false;
    struct pyr_serving_config config;
    pyr_loaded_serving_config(&worker->loaded, &worker->config, wire->max_in_flight, &config);
    config.seed = pyr_loaded_next_seed(&worker->loaded, worker->config.seed);
    config.clock = &worker->clock;
    config.lane = worker->block->lane.chunk_mask > 0 ? &worker->block->lane : NULL;
    if (!pyr_service_create(worker->loaded.engine, worker->loaded.model, worker->loaded.pieces,
                            &config, worker->channel, worker->fds[1], worker->fds[2],
                            &worker->service, err))
        return false;
    int failed = pthread_create(&worker->thread, NULL, engine_thread, worker);
    return !failed || pyr_fail_errno(err, failed, "worker: engine thread");
}

static bool attach(struct worker *worker, const struct pyr_wire_frame *frame) {
    struct pyr_wire_attach wire;
    struct pyr_err err = {0};
    memcpy(&wire, frame->payload.data, sizeof wire);
    memcpy(worker->fds, frame->fds, sizeof worker->fds);
    if (start(worker, &wire, &err))
        return send_opened(worker);
    leave(worker);
    return fail(worker, &err);
}

/* The parent has set channel->stop and rung. */
static bool detach(struct worker *worker) {
    pthread_join(worker->thread, NULL);
    leave(worker);
    return pyr_wire_send(worker->control, PYR_WIRE_HELLO, NULL, 0, NULL, 0, NULL);
}

/* --- the process
 * ------------------------------------------------------------------------------------- */

static bool answer(struct worker *worker, const struct pyr_wire_frame *frame) {
    switch (frame->kind) {
    case PYR_WIRE_OPEN:
        return open_model(worker, &frame->payload);
    case PYR_WIRE_TOKENIZE:
        return tokenize(worker, &frame->payload);
    case PYR_WIRE_PIECE:
        return piece(worker, &frame->payload);
    case PYR_WIRE_ATTACH:
        return attach(worker, frame);
    case PYR_WIRE_DETACH:
        return detach(worker);
    default:
        return false;
    }
}

static void serve(int control) {
    struct worker worker = {.control = control, .arena = pyr_arena_create(), .fds = {-1, -1, -1}};
    struct pyr_wire_frame frame = {0};
    bool ok = pyr_wire_send(control, PYR_WIRE_HELLO, NULL, 0, NULL, 0, NULL);
    while (ok && pyr_wire_receive(control, &frame))
        ok = answer(&worker, &frame);
    pyr_buf_deinit(&frame.payload);
    /* The parent may have gone without a detach: then the engine's thread still runs. */
    if (worker.service)
        _exit(0);
    if (worker.is_open)
        pyr_loaded_close(&worker.loaded);
    pyr_arena_destroy(worker.arena);
}

int pyr_worker_main(int argc) {
    struct stat status;
    if (argc != 2 || fstat(CONTROL_FD, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        fprintf(stderr, "%s: started by pyrometer itself, for --isolate; not a command\n",
                PYR_WORKER_WORD);
        return 2;
    }
    signal(SIGINT, SIG_IGN); /* a ^C is the parent's to handle: it still wants the drain */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setenv("GGML_NO_BACKTRACE", "1", 1); /* else an assertion of the engine starts a debugger */
    serve(CONTROL_FD);
    return 0;
}
