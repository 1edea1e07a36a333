/* SPDX-License-Identifier: MIT
 *
 * Target worker: a model behind serving in a child process of its own, so that two builds of an
 * engine can be compared, an engine that aborts takes only its worker with it, and the engine's
 * memory and processor time are its own. The child is this program again (target/worker_main.h).
 *
 * Requests and finished ones go through one block of shared memory (target/channel.h) as they do
 * between two threads; the tokens' stamps are the child's (CLOCK_MONOTONIC is system-wide), and
 * poll copies them, and the engine's steps, from the block's rings into the lane of the thread that
 * polls.
 */
#include "base/mem.h"
#include "base/process.h"
#include "target/kinds.h"
#include "target/link.h"
#include "target/loaded.h"
#include "target/wire.h"
#include "target/worker_main.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHUNK_SLOTS = 65536, /* as many as a recorder's lane holds by default */
    STEP_SLOTS = CHUNK_SLOTS / 4,
    TEXT_BYTES_MOST = 1 << 20,
    LAST_WORDS_BYTES = 2048,
    ATTEMPT_OPTIONS = 64
};
/* Shorter than load's own patience with a target (load/driver.c), longer than any step. */
#define PATIENCE_NS (25 * PYR_NS_PER_S)
/* A model of many gigabytes may come from a network. */
#define OPEN_PATIENCE_NS (600 * PYR_NS_PER_S)
/* A context takes memory, which takes time, and reads no file. */
#define ATTACH_PATIENCE_NS (60 * PYR_NS_PER_S)

struct worker_target {
    struct pyr_target base;
    char *spec;
    pid_t pid;
    int pidfd, control;
    int log_fd; /* what the child writes on stdout and stderr */
    bool dead;
    struct pyr_err death; /* why, once dead */
    uint64_t patience_ns;
    struct pyr_wire_opened opened;
    uint64_t spawn_ns;
    struct worker_handle *handle;
};

struct worker_handle {
    struct pyr_target_handle base;
    struct worker_target *target;
    struct pyr_clock clock;
    struct pyr_lane *lane; /* NULL: chunks are not kept */
    struct pyr_wire_block *block;
    size_t block_bytes;
    const struct pyr_chunk *chunks;
    const struct pyr_step *steps;
    struct pyr_link link;
    int block_fd, engine_fd, load_fd;
    int wait_fd;        /* an epoll of load_fd and the child's pidfd */
    uint64_t silent_ns; /* since when nothing came, although it was told to end something; 0: not */
};

static struct worker_target *target_of(struct pyr_target *target) {
    return (struct worker_target *)target;
}

static struct worker_handle *handle_of(struct pyr_target_handle *handle) {
    return (struct worker_handle *)handle;
}

static void close_fd(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* --- the child's end
 * ------------------------------------------------------------------------------- */

/* The last line that the child wrote, which for an assertion of an engine is the assertion. */
static void read_last_words(int log_fd, char line[LAST_WORDS_BYTES]) {
    char tail[LAST_WORDS_BYTES];
    off_t end = lseek(log_fd, 0, SEEK_END);
    off_t from = end > LAST_WORDS_BYTES - 1 ? end - (LAST_WORDS_BYTES - 1) : 0;
    ssize_t got = end > 0 ? pread(log_fd, tail, LAST_WORDS_BYTES - 1, from) : 0;
    size_t length = got > 0 ? (size_t)got : 0;
    while (length > 0 && tail[length - 1] == '\n')
        length--;
    tail[length] = '\0';
    const char *newline = strrchr(tail, '\n');
    snprintf(line, LAST_WORDS_BYTES, "%s", newline ? newline + 1 : tail);
}

static void note_death(struct worker_target *worker, int status) {
    char words[LAST_WORDS_BYTES], how[64];
    read_last_words(worker->log_fd, words);
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        snprintf(how, sizeof how, "was killed by SIG%s", name ? name : "?");
    } else
        snprintf(how, sizeof how, "ended with status %d", WEXITSTATUS(status));
    worker->dead = true;
    if (worker->handle)
        worker->handle->link.dead = true;
    pyr_fail(&worker->death, PYR_E_ENGINE,
             "%s: its worker process %d %s%s%s; the engine broke on it", worker->spec,
             (int)worker->pid, how, words[0] ? ", its last words: " : "", words);
}

static bool is_dead(struct worker_target *worker) {
    int status;
    if (!worker->dead && waitpid(worker->pid, &status, WNOHANG) == worker->pid)
        note_death(worker, status);
    return worker->dead;
}

/* It gives no sign (a stopped process, an engine that waits for ever): nobody waits for it. */
static void end_silent(struct worker_target *worker, uint64_t waited_ns) {
    if (is_dead(worker))
        return;
    kill(worker->pid, SIGKILL);
    while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    worker->dead = true;
    if (worker->handle)
        worker->handle->link.dead = true;
    pyr_fail(&worker->death, PYR_E_ENGINE,
             "%s: its worker process %d gave no sign for %.3g s and was ended; the engine hangs",
             worker->spec, (int)worker->pid, (double)waited_ns * 1e-9);
}

/* It is about to end by itself. */
static void await_death(struct worker_target *worker) {
    struct pollfd end = {.fd = worker->pidfd, .events = POLLIN};
    uint64_t start_ns = pyr_clock_real_ns(), now_ns = start_ns;
    for (; !is_dead(worker) && now_ns - start_ns < worker->patience_ns;
         now_ns = pyr_clock_real_ns())
        poll(&end, worker->pidfd >= 0, (int)(worker->patience_ns / PYR_NS_PER_MS) + 1);
    end_silent(worker, worker->patience_ns);
}

/* --- calls
 * ----------------------------------------------------------------------------------------- */

static bool fail_dead(struct worker_target *worker, struct pyr_err *err) {
    await_death(worker);
    if (err)
        *err = worker->death;
    return false;
}

/* What is sent and awaited on the control socket takes at most so long at a time. */
static void limit_waits(const struct worker_target *worker, uint64_t limit_ns) {
    struct timeval limit = {.tv_sec = (time_t)(limit_ns / PYR_NS_PER_S),
                            .tv_usec = (long)(limit_ns % PYR_NS_PER_S / 1000)};
    setsockopt(worker->control, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(worker->control, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static uint64_t patience_for(const struct worker_target *worker, enum pyr_wire_kind kind) {
    if (worker->patience_ns != PATIENCE_NS)
        return worker->patience_ns;
    return kind == PYR_WIRE_OPEN     ? OPEN_PATIENCE_NS
           : kind == PYR_WIRE_ATTACH ? ATTACH_PATIENCE_NS
                                     : PATIENCE_NS;
}

static bool exchange(struct worker_target *worker, enum pyr_wire_kind kind, const void *first,
                     size_t first_bytes, const void *second, size_t second_bytes, const int *fds,
                     struct pyr_wire_frame *reply) {
    uint64_t patience_ns = patience_for(worker, kind);
    if (worker->dead)
        return false;
    limit_waits(worker, patience_ns);
    errno = 0;
    if (pyr_wire_send(worker->control, kind, first, first_bytes, second, second_bytes, fds) &&
        pyr_wire_receive(worker->control, reply))
        return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        end_silent(worker, patience_ns);
    return false;
}

/* Nothing that another process says is taken on trust: an engine may have written anywhere. */
static bool fail_nonsense(struct worker_target *worker, struct pyr_err *err) {
    kill(worker->pid, SIGKILL);
    await_death(worker);
    pyr_fail(&worker->death, PYR_E_ENGINE,
             "%s: its worker process %d answered nonsense and was ended; the engine broke on it",
             worker->spec, (int)worker->pid);
    if (err)
        *err = worker->death;
    return false;
}

/* Sends one frame and receives one of the kind `wanted` with at least so many bytes. The answer
 * FAILED is a failure with the child's own words. */
static bool call(struct worker_target *worker, enum pyr_wire_kind kind, const void *first,
                 size_t first_bytes, const void *second, size_t second_bytes, const int *fds,
                 enum pyr_wire_kind wanted, size_t least_bytes, struct pyr_wire_frame *reply,
                 struct pyr_err *err) {
    if (!exchange(worker, kind, first, first_bytes, second, second_bytes, fds, reply))
        return fail_dead(worker, err);
    if (reply->kind == wanted && reply->payload.length >= least_bytes)
        return true;
    struct pyr_err theirs;
    if (reply->kind != PYR_WIRE_FAILED || reply->payload.length != sizeof theirs)
        return fail_nonsense(worker, err);
    memcpy(&theirs, reply->payload.data, sizeof theirs);
    theirs.text[sizeof theirs.text - 1] = '\0';
    return pyr_fail(err, theirs.code, "%s", theirs.text);
}

static bool take_opened(struct worker_target *worker, const struct pyr_wire_frame *reply) {
    memcpy(&worker->opened, reply->payload.data, sizeof worker->opened);
    return true;
}

/* --- open and close
 * --------------------------------------------------------------------------------- */

static bool start_program(struct worker_target *worker, int child_end, struct pyr_err *err) {
    char name[] = "pyrometer", word[] = PYR_WORKER_WORD;
    char *argv[] = {name, word, NULL};
    const struct pyr_child child = {.argv = argv,
                                    .in = PYR_CHILD_NOTHING,
                                    .out = worker->log_fd,
                                    .err = worker->log_fd,
                                    .extra = child_end,
                                    .death_signal = SIGKILL};
    return pyr_child_start(&child, &worker->pid, err) ||
           pyr_err_prefix(err, "%s: its worker process", worker->spec);
}

static bool spawn(struct worker_target *worker, struct pyr_err *err) {
    uint64_t start_ns = pyr_clock_real_ns();
    int ends[2];
    worker->log_fd = memfd_create("pyrometer-worker-log", MFD_CLOEXEC);
    if (worker->log_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return pyr_fail_errno(err, errno, "%s: a socket for its worker process", worker->spec);
    fcntl(worker->log_fd, F_SETFL, O_APPEND);
    worker->control = ends[0];
    bool ok = start_program(worker, ends[1], err);
    close(ends[1]);
    if (!ok)
        return false;
    worker->pidfd = pidfd_open(worker->pid, 0);
    if (worker->pidfd < 0)
        return pyr_fail_errno(err, errno, "%s: pidfd_open (Linux 5.3 or later is needed)",
                              worker->spec);
    struct pyr_wire_frame hello = {0};
    limit_waits(worker, OPEN_PATIENCE_NS);
    ok = pyr_wire_receive(worker->control, &hello);
    pyr_buf_deinit(&hello.payload);
    worker->spawn_ns = pyr_clock_real_ns() - start_ns;
    return ok || fail_dead(worker, err);
}

static bool open_model(struct worker_target *worker, const struct pyr_target_config *config,
                       bool attempt, struct pyr_err *err) {
    struct pyr_wire_open wire = {
        .threads = config->threads,
        .sequences = config->sequences,
        .tokens_per_sequence = config->tokens_per_sequence,
        .queue_limit = config->queue_limit,
        .seed = config->seed,
        .option_count = (uint32_t)config->option_count,
        .attempt = attempt,
    };
    struct pyr_buf strings = {0};
    struct pyr_wire_frame reply = {0};
    pyr_buf_append(&strings, config->spec, strlen(config->spec) + 1);
    for (size_t i = 0; i < config->option_count; i++) {
        pyr_buf_append(&strings, config->options[i].key, strlen(config->options[i].key) + 1);
        pyr_buf_append(&strings, config->options[i].value, strlen(config->options[i].value) + 1);
    }
    bool ok = call(worker, PYR_WIRE_OPEN, &wire, sizeof wire, strings.data, strings.length, NULL,
                   PYR_WIRE_OPENED, sizeof worker->opened, &reply, err) &&
              take_opened(worker, &reply);
    pyr_buf_deinit(&reply.payload);
    pyr_buf_deinit(&strings);
    return ok;
}

static void release(struct worker_handle *handle) {
    if (handle->block) {
        pyr_link_deinit(&handle->link);
        munmap(handle->block, handle->block_bytes);
    }
    close_fd(&handle->block_fd);
    close_fd(&handle->engine_fd);
    close_fd(&handle->load_fd);
    close_fd(&handle->wait_fd);
    pyr_free(handle);
}

/* What the child wrote, when it ended badly by itself at the close (a sanitizer's report). */
static void show_log(const struct worker_target *worker) {
    char bytes[4096];
    ssize_t got;
    for (off_t at = 0; (got = pread(worker->log_fd, bytes, sizeof bytes, at)) > 0; at += got)
        fwrite(bytes, 1, (size_t)got, stderr);
}

static void worker_close(struct pyr_target *target) {
    struct worker_target *worker = target_of(target);
    close_fd(&worker->control); /* the child ends on it */
    if (worker->pid > 0 && !worker->dead) {
        await_death(worker);
        if (!strstr(worker->death.text, "ended with status 0"))
            show_log(worker);
    }
    if (worker->handle) { /* load gave it up with requests under way */
        worker->handle->link.in_flight = 0;
        release(worker->handle);
    }
    close_fd(&worker->pidfd);
    close_fd(&worker->log_fd);
    pyr_free(worker->spec);
    pyr_free(worker);
}

static struct worker_target *make_worker(const char *spec) {
    struct worker_target *worker = pyr_xcalloc(1, sizeof *worker);
    worker->base.ops = &pyr_target_worker;
    worker->spec = pyr_xstrdup(spec);
    worker->patience_ns = PATIENCE_NS;
    worker->pidfd = worker->control = worker->log_fd = -1;
    return worker;
}

static bool worker_open(const struct pyr_target_config *config, struct pyr_target **target,
                        struct pyr_err *err) {
    struct worker_target *worker = make_worker(config->spec);
    if (config->patience_ns)
        worker->patience_ns = config->patience_ns;
    if (spawn(worker, err) && open_model(worker, config, false, err)) {
        *target = &worker->base;
        return true;
    }
    worker_close(&worker->base);
    return false;
}

bool pyr_target_attempt(const struct pyr_target_config *config, struct pyr_err *err) {
    if (!pyr_loaded_is_file(config->spec))
        return true;
    /* Weights are copied into another order without looking at them: not worth the time twice. */
    struct pyr_option options[ATTEMPT_OPTIONS];
    struct pyr_target_config quick = *config;
    if (config->option_count < ATTEMPT_OPTIONS) {
        quick.options = options;
        quick.option_count = 0;
        for (size_t i = 0; i < config->option_count; i++)
            if (strcmp(config->options[i].key, "repack") != 0)
                options[quick.option_count++] = config->options[i];
        options[quick.option_count++] = (struct pyr_option){"repack", "off"};
    }
    struct pyr_err ignored;
    struct worker_target *worker = make_worker(config->spec);
    /* Where no process can be started there is nothing to be had from one. */
    bool ok = !spawn(worker, &ignored) || open_model(worker, &quick, true, err);
    worker_close(&worker->base);
    return ok;
}

/* --- describe, text
 * --------------------------------------------------------------------------------- */

static void worker_describe(struct pyr_target *target, struct pyr_target_info *info) {
    struct worker_target *worker = target_of(target);
    *info = worker->opened.info;
    snprintf(info->kind, sizeof info->kind, "worker");
    info->pid = worker->pid;
    info->spawn_ns = worker->spawn_ns;
}

static int worker_tokenize(struct pyr_target *target, const char *text, size_t bytes, bool special,
                           int32_t *tokens, int capacity) {
    struct pyr_wire_text wire = {.special = special, .capacity = capacity};
    struct pyr_wire_frame reply = {0};
    int32_t result = 0;
    if (call(target_of(target), PYR_WIRE_TOKENIZE, &wire, sizeof wire, text, bytes, NULL,
             PYR_WIRE_TOKENS, sizeof result, &reply, NULL)) {
        memcpy(&result, reply.payload.data, sizeof result);
        size_t count = result > 0 ? (size_t)result : 0;
        if (result > capacity || count * sizeof *tokens != reply.payload.length - sizeof result) {
            fail_nonsense(target_of(target), NULL);
            result = 0;
        } else if (count > 0) {
            memcpy(tokens, reply.payload.data + sizeof result, count * sizeof *tokens);
        }
    }
    pyr_buf_deinit(&reply.payload);
    return result;
}

static int64_t worker_count_tokens(struct pyr_target *target, const char *text, size_t bytes) {
    int count = worker_tokenize(target, text, bytes, false, NULL, 0);
    return target_of(target)->dead ? -1 : -(int64_t)count;
}

static int worker_piece(struct pyr_target *target, int32_t token, char *bytes, int capacity) {
    struct pyr_wire_frame reply = {0};
    int32_t result = 0;
    if (call(target_of(target), PYR_WIRE_PIECE, &token, sizeof token, NULL, 0, NULL, PYR_WIRE_BYTES,
             sizeof result, &reply, NULL)) {
        memcpy(&result, reply.payload.data, sizeof result);
        if (result < 0 || (size_t)result != reply.payload.length - sizeof result) {
            fail_nonsense(target_of(target), NULL);
            result = 0;
        } else if (result <= capacity) {
            memcpy(bytes, reply.payload.data + sizeof result, (size_t)result);
        } else {
            result = -result;
        }
    }
    pyr_buf_deinit(&reply.payload);
    return result;
}

/* --- attach
 * ---------------------------------------------------------------------------------------- */

static bool map_block(struct worker_handle *handle, const struct pyr_attach *attach,
                      struct pyr_err *err) {
    uint32_t context = handle->target->opened.tokens_per_sequence;
    uint64_t text = (uint64_t)context * handle->target->opened.piece_bytes;
    uint32_t text_stride = text < TEXT_BYTES_MOST ? (uint32_t)text : TEXT_BYTES_MOST;
    size_t chunks_offset = sizeof(struct pyr_wire_block);
    size_t steps_offset = chunks_offset + CHUNK_SLOTS * sizeof(struct pyr_chunk);
    size_t channel_offset = steps_offset + STEP_SLOTS * sizeof(struct pyr_step);
    handle->block_bytes =
        channel_offset + pyr_channel_bytes(attach->max_in_flight, context, text_stride);
    handle->block_fd = memfd_create("pyrometer-worker", MFD_CLOEXEC);
    if (handle->block_fd < 0 || ftruncate(handle->block_fd, (off_t)handle->block_bytes) != 0)
        return pyr_fail_errno(err, errno, "worker: shared memory of %zu bytes",
                              handle->block_bytes);
    void *memory =
        mmap(NULL, handle->block_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, handle->block_fd, 0);
    if (memory == MAP_FAILED)
        return pyr_fail_errno(err, errno, "worker: shared memory of %zu bytes",
                              handle->block_bytes);
    handle->block = memory;
    handle->block->chunks_offset = chunks_offset;
    handle->block->steps_offset = steps_offset;
    handle->block->channel_offset = channel_offset;
    struct pyr_channel *channel = (struct pyr_channel *)((unsigned char *)memory + channel_offset);
    pyr_channel_init(channel, attach->max_in_flight, context, text_stride);
    /* No page fault of ours in a measured phase; the texts, which few ask for, come when used. */
    madvise(memory, channel_offset + channel->texts_offset, MADV_POPULATE_WRITE);
    handle->chunks = (const struct pyr_chunk *)((unsigned char *)memory + chunks_offset);
    handle->steps = (const struct pyr_step *)((unsigned char *)memory + steps_offset);
    if (attach->lane) {
        handle->block->lane.chunk_mask = CHUNK_SLOTS - 1;
        handle->block->lane.chunk_room_until = CHUNK_SLOTS / 2;
        handle->block->lane.step_mask = STEP_SLOTS - 1;
        handle->block->lane.step_room_until = STEP_SLOTS / 2;
    }
    pyr_link_init(&handle->link, channel, &handle->clock, handle->engine_fd, handle->load_fd,
                  handle->target->opened.piece_bytes);
    return true;
}

static bool open_bells(struct worker_handle *handle, struct pyr_err *err) {
    handle->engine_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    handle->load_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    handle->wait_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (handle->engine_fd < 0 || handle->load_fd < 0 || handle->wait_fd < 0 ||
        epoll_ctl(handle->wait_fd, EPOLL_CTL_ADD, handle->load_fd, &event) != 0 ||
        epoll_ctl(handle->wait_fd, EPOLL_CTL_ADD, handle->target->pidfd, &event) != 0)
        return pyr_fail_errno(err, errno, "worker: descriptors for its bells");
    return true;
}

static bool call_attach(struct worker_handle *handle, const struct pyr_attach *attach,
                        struct pyr_err *err) {
    struct pyr_wire_attach wire = {.block_bytes = handle->block_bytes,
                                   .max_in_flight = attach->max_in_flight};
    int fds[PYR_WIRE_FDS] = {handle->block_fd, handle->engine_fd, handle->load_fd};
    struct pyr_wire_frame reply = {0};
    bool ok = call(handle->target, PYR_WIRE_ATTACH, &wire, sizeof wire, NULL, 0, fds,
                   PYR_WIRE_OPENED, sizeof handle->target->opened, &reply, err) &&
              take_opened(handle->target, &reply);
    pyr_buf_deinit(&reply.payload);
    return ok;
}

static bool worker_attach(struct pyr_target *target, const struct pyr_attach *attach,
                          struct pyr_target_handle **handle_out, struct pyr_err *err) {
    struct worker_target *worker = target_of(target);
    assert(!pyr_clock_is_virtual(attach->clock) && attach->max_in_flight > 0);
    if (worker->handle)
        return pyr_fail(err, PYR_E_USAGE,
                        "%s: a worker process is driven by one thread; use one load thread",
                        worker->spec);
    struct worker_handle *handle = pyr_xcalloc(1, sizeof *handle);
    handle->base.ops = &pyr_target_worker;
    handle->target = worker;
    handle->clock = *attach->clock;
    handle->lane = attach->lane;
    handle->block_fd = handle->engine_fd = handle->load_fd = handle->wait_fd = -1;
    if (!open_bells(handle, err) || !map_block(handle, attach, err) ||
        !call_attach(handle, attach, err)) {
        release(handle);
        return false;
    }
    worker->handle = handle;
    *handle_out = &handle->base;
    return true;
}

/* --- requests
 * -------------------------------------------------------------------------------------- */

static bool copy_chunks(struct worker_handle *handle) {
    struct pyr_lane *theirs = &handle->block->lane;
    uint64_t head = atomic_load_explicit(&theirs->chunk_head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&theirs->chunk_tail, memory_order_relaxed);
    if (head == tail || head - tail > CHUNK_SLOTS) /* another process may write anything there */
        return false;
    if (handle->silent_ns)
        handle->silent_ns = pyr_now_ns(&handle->clock);
    for (; tail != head; tail++)
        pyr_lane_chunk(handle->lane, handle->chunks[tail & (CHUNK_SLOTS - 1)]);
    atomic_store_explicit(&theirs->chunk_tail, tail, memory_order_release);
    return true;
}

static bool copy_steps(struct worker_handle *handle) {
    struct pyr_lane *theirs = &handle->block->lane;
    uint64_t head = atomic_load_explicit(&theirs->step_head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&theirs->step_tail, memory_order_relaxed);
    if (head == tail || head - tail > STEP_SLOTS)
        return false;
    for (; tail != head; tail++)
        pyr_lane_step(handle->lane, &handle->steps[tail & (STEP_SLOTS - 1)]);
    atomic_store_explicit(&theirs->step_tail, tail, memory_order_release);
    return true;
}

static void copy_rings(struct worker_handle *handle) {
    bool chunks = copy_chunks(handle), steps = copy_steps(handle);
    if (!chunks && !steps)
        return;
    pyr_bell_ring(&handle->link.channel->engine_bell, handle->engine_fd);
    uint64_t stall_ns = atomic_exchange_explicit(&handle->block->stall_ns, 0, memory_order_relaxed);
    if (stall_ns > 0)
        pyr_lane_mark(handle->lane, PYR_MARK_STALL, PYR_NO_CASE, (double)stall_ns, NULL);
}

/* Whether the child lives and does what it is asked. */
static void look_after(struct worker_handle *handle, size_t ended) {
    if (handle->link.in_flight == 0)
        handle->silent_ns = 0;
    if (!handle->silent_ns || handle->target->dead)
        return;
    uint64_t now_ns = pyr_now_ns(&handle->clock);
    if (ended > 0)
        handle->silent_ns = now_ns;
    if (now_ns - handle->silent_ns > handle->target->patience_ns)
        end_silent(handle->target, now_ns - handle->silent_ns);
}

static size_t worker_poll(struct pyr_target_handle *base, struct pyr_slot **done, size_t capacity) {
    struct worker_handle *handle = handle_of(base);
    struct worker_target *worker = handle->target;
    bool was_dead = worker->dead, waited = handle->link.armed;
    size_t count = pyr_link_poll(&handle->link, done, capacity);
    copy_rings(handle);
    look_after(handle, count);
    if (count > 0 || !(waited || was_dead || worker->dead) || !is_dead(worker))
        return count;
    if (!was_dead) {
        /* The pidfd stays readable: nobody is to wake for it again. Then what it finished last. */
        epoll_ctl(handle->wait_fd, EPOLL_CTL_DEL, worker->pidfd, NULL);
        copy_rings(handle);
    }
    count = pyr_link_poll(&handle->link, done, capacity);
    if (count > 0)
        return count;
    return pyr_link_abandon(&handle->link, PYR_OUTCOME_WORKER, worker->death.text, done, capacity);
}

static struct pyr_wait worker_wait_handle(struct pyr_target_handle *base) {
    struct worker_handle *handle = handle_of(base);
    struct pyr_wait wait = pyr_link_wait(&handle->link);
    wait.fd = handle->wait_fd;
    if (handle->target->dead && handle->link.in_flight > 0)
        wait.next_ns = 0;
    return wait;
}

static void worker_submit(struct pyr_target_handle *handle, struct pyr_slot *slot) {
    pyr_link_submit(&handle_of(handle)->link, slot);
}

static void worker_cancel(struct pyr_target_handle *handle, struct pyr_slot *slot,
                          enum pyr_outcome outcome) {
    pyr_link_cancel(&handle_of(handle)->link, slot, outcome);
    if (!handle_of(handle)->silent_ns)
        handle_of(handle)->silent_ns = pyr_now_ns(&handle_of(handle)->clock);
}

static bool worker_reset(struct pyr_target_handle *base, struct pyr_err *err) {
    struct worker_handle *handle = handle_of(base);
    pyr_link_reset(&handle->link);
    return !is_dead(handle->target) || fail_dead(handle->target, err);
}

static void worker_detach(struct pyr_target_handle *base) {
    struct worker_handle *handle = handle_of(base);
    struct pyr_wire_frame reply = {0};
    atomic_store_explicit(&handle->link.channel->stop, true, memory_order_release);
    pyr_bell_ring(&handle->link.channel->engine_bell, handle->engine_fd);
    call(handle->target, PYR_WIRE_DETACH, NULL, 0, NULL, 0, NULL, PYR_WIRE_HELLO, 0, &reply, NULL);
    pyr_buf_deinit(&reply.payload);
    handle->target->handle = NULL;
    release(handle);
}

const struct pyr_target_ops pyr_target_worker = {
    .name = "worker",
    .summary = "a model in a process of its own",
    .open = worker_open,
    .describe = worker_describe,
    .count_tokens = worker_count_tokens,
    .tokenize = worker_tokenize,
    .piece = worker_piece,
    .attach = worker_attach,
    .detach = worker_detach,
    .submit = worker_submit,
    .poll = worker_poll,
    .wait_handle = worker_wait_handle,
    .cancel = worker_cancel,
    .reset = worker_reset,
    .close = worker_close,
};
