/* SPDX-License-Identifier: MIT
 *
 * Whoever holds `lock` writes out: the writer's thread now and then, a producer whose ring is full,
 * anyone who flushes. So each ring has one producer and, at any time, one consumer.
 */
#include "record/recorder.h"

#include "base/mem.h"
#include "record/crc32c.h"
#include "record/runfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "run files hold little-endian structs as they are"
#endif

enum {
    LANES_MAX = 64,
    CHUNK_SLOTS_DEFAULT = 65536, /* 1 MiB: half of it is 16 ms at 2,000,000 tokens a second */
    CHUNK_SLOTS_MIN = 16,
    CHUNK_SLOTS_MAX = 1 << 24,
    RECORD_BYTES_MIN = 16 * 1024, /* holds several of the largest record, a case */
    /* Blocks are this large at most, so that a reader's buffer stays small and a cut or flipped
     * file loses little. */
    PAYLOAD_BYTES = 256 * 1024,
    /* Often enough that a killed run keeps all but its last moments, rarely enough that an
     * instrument with little to write leaves the processor alone. */
    WRITER_PERIOD_NS = 50 * 1000 * 1000
};

/* In front of each record in the ring; payloads are multiples of 8 bytes. */
struct entry {
    uint32_t type; /* enum pyr_block_type */
    uint32_t bytes;
};

struct pyr_recorder {
    struct pyr_clock clock;
    int fd; /* -1: keep nothing */
    char *path;
    uint32_t lane_count;
    struct pyr_lane *lanes;
    unsigned char *staging; /* (PAYLOAD_BYTES) of records gathered into a block */
    size_t mapped_bytes;    /* from lanes on: lanes, staging, rings */
    bool threaded;
    pthread_t writer;
    sem_t wake;
    atomic_bool stop;
    atomic_bool failed; /* `error` is set and stays as it is */
    pthread_mutex_t lock;
    /* Below: only under the lock. */
    uint32_t sequence;
    uint64_t file_bytes, requests, chunks, steps;
    struct pyr_err error;
};

static bool write_fully(int fd, struct iovec *parts, int count) {
    while (count > 0) {
        ssize_t wrote = writev(fd, parts, count);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        size_t left = (size_t)wrote;
        while (count > 0 && left >= parts->iov_len) {
            left -= parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return true;
}

/* Writes one block whose payload lies in two pieces (the second may be empty). */
static void write_block(struct pyr_recorder *recorder, enum pyr_block_type type, const void *first,
                        size_t first_bytes, const void *second, size_t second_bytes) {
    if (recorder->fd < 0 || atomic_load_explicit(&recorder->failed, memory_order_relaxed))
        return;
    uint32_t header[4] = {(uint32_t)type, (uint32_t)(first_bytes + second_bytes),
                          recorder->sequence, 0};
    uint32_t crc = pyr_crc32c(0, header, 12);
    crc = pyr_crc32c(crc, first, first_bytes);
    header[3] = pyr_crc32c(crc, second, second_bytes);
    struct iovec parts[3] = {{header, sizeof header},
                             {(void *)(uintptr_t)first, first_bytes},
                             {(void *)(uintptr_t)second, second_bytes}};
    if (write_fully(recorder->fd, parts, second_bytes ? 3 : 2)) {
        recorder->sequence++;
        recorder->file_bytes += sizeof header + first_bytes + second_bytes;
        return;
    }
    pyr_fail_errno(&recorder->error, errno, "%s: block %u of the run file cannot be written",
                   recorder->path, recorder->sequence);
    /* Half a block helps nobody: cut it off where that is possible; readers cope either way. */
    if (ftruncate(recorder->fd, (off_t)recorder->file_bytes) != 0) {
    }
    atomic_store_explicit(&recorder->failed, true, memory_order_release);
}

static void drain_chunks(struct pyr_recorder *recorder, struct pyr_lane *lane) {
    uint64_t head = atomic_load_explicit(&lane->chunk_head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&lane->chunk_tail, memory_order_relaxed);
    const uint64_t most = PAYLOAD_BYTES / sizeof(struct pyr_chunk);
    assert(head - tail <= lane->chunk_mask + 1);
    while (tail != head) {
        uint64_t count = head - tail < most ? head - tail : most;
        uint64_t at = tail & lane->chunk_mask, to_end = lane->chunk_mask + 1 - at;
        uint64_t first = count < to_end ? count : to_end;
        write_block(recorder, PYR_BLOCK_CHUNKS, lane->chunks + at, first * sizeof *lane->chunks,
                    lane->chunks, (count - first) * sizeof *lane->chunks);
        recorder->chunks += count;
        tail += count;
        atomic_store_explicit(&lane->chunk_tail, tail, memory_order_release);
    }
}

static void drain_steps(struct pyr_recorder *recorder, struct pyr_lane *lane) {
    uint64_t head = atomic_load_explicit(&lane->step_head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&lane->step_tail, memory_order_relaxed);
    const uint64_t most = PAYLOAD_BYTES / sizeof(struct pyr_step);
    assert(head - tail <= lane->step_mask + 1);
    while (tail != head) {
        uint64_t count = head - tail < most ? head - tail : most;
        uint64_t at = tail & lane->step_mask, to_end = lane->step_mask + 1 - at;
        uint64_t first = count < to_end ? count : to_end;
        write_block(recorder, PYR_BLOCK_STEPS, lane->steps + at, first * sizeof *lane->steps,
                    lane->steps, (count - first) * sizeof *lane->steps);
        recorder->steps += count;
        tail += count;
        atomic_store_explicit(&lane->step_tail, tail, memory_order_release);
    }
}

static void copy_out(const struct pyr_lane *lane, uint64_t position, void *bytes, size_t count) {
    size_t at = position & lane->record_mask, to_end = lane->record_mask + 1 - at;
    size_t first = count < to_end ? count : to_end;
    memcpy(bytes, lane->records + at, first);
    memcpy((unsigned char *)bytes + first, lane->records, count - first);
}

static void copy_in(struct pyr_lane *lane, uint64_t position, const void *bytes, size_t count) {
    size_t at = position & lane->record_mask, to_end = lane->record_mask + 1 - at;
    size_t first = count < to_end ? count : to_end;
    memcpy(lane->records + at, bytes, first);
    memcpy(lane->records, (const unsigned char *)bytes + first, count - first);
}

/* Gathers neighbours of one type into a block; the order of a lane's records is kept. */
static void drain_records(struct pyr_recorder *recorder, struct pyr_lane *lane) {
    uint64_t head = atomic_load_explicit(&lane->record_head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&lane->record_tail, memory_order_relaxed);
    size_t staged = 0;
    uint32_t type = 0;
    assert(head - tail <= lane->record_mask + 1);
    while (tail != head) {
        struct entry entry;
        copy_out(lane, tail, &entry, sizeof entry);
        assert(entry.type >= PYR_BLOCK_CASES && entry.type <= PYR_BLOCK_GOALS &&
               entry.bytes <= head - tail - sizeof entry);
        if (staged > 0 && (entry.type != type || staged + entry.bytes > PAYLOAD_BYTES)) {
            write_block(recorder, (enum pyr_block_type)type, recorder->staging, staged, NULL, 0);
            staged = 0;
        }
        type = entry.type;
        copy_out(lane, tail + sizeof entry, recorder->staging + staged, entry.bytes);
        staged += entry.bytes;
        tail += sizeof entry + entry.bytes;
        recorder->requests += type == PYR_BLOCK_REQUESTS;
    }
    if (staged > 0)
        write_block(recorder, (enum pyr_block_type)type, recorder->staging, staged, NULL, 0);
    atomic_store_explicit(&lane->record_tail, tail, memory_order_release);
}

static void drain(struct pyr_recorder *recorder, struct pyr_lane *lane) {
    drain_records(recorder, lane);
    drain_chunks(recorder, lane);
    drain_steps(recorder, lane);
}

void pyr_recorder_flush(struct pyr_recorder *recorder) {
    pthread_mutex_lock(&recorder->lock);
    for (uint32_t i = 0; i < recorder->lane_count; i++)
        drain(recorder, &recorder->lanes[i]);
    pthread_mutex_unlock(&recorder->lock);
}

struct pyr_recorder_counts pyr_recorder_counts(struct pyr_recorder *recorder) {
    pthread_mutex_lock(&recorder->lock);
    struct pyr_recorder_counts counts = {recorder->requests, recorder->chunks, recorder->steps,
                                         recorder->file_bytes};
    pthread_mutex_unlock(&recorder->lock);
    return counts;
}

static void *writer_main(void *argument) {
    struct pyr_recorder *recorder = argument;
    while (!atomic_load_explicit(&recorder->stop, memory_order_acquire)) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += WRITER_PERIOD_NS;
        if (until.tv_nsec >= (long)PYR_NS_PER_S) {
            until.tv_nsec -= (long)PYR_NS_PER_S;
            until.tv_sec++;
        }
        sem_clockwait(&recorder->wake, CLOCK_MONOTONIC, &until);
        pyr_recorder_flush(recorder);
    }
    return NULL;
}

/* --- the producer's side ---------------------------------------------------------------------- */

/* The ring was full: its producer writes it out, after the writer if that is at it. */
static void drain_full(struct pyr_lane *lane) {
    struct pyr_recorder *recorder = lane->recorder;
    uint64_t since_ns = recorder->threaded ? pyr_now_ns(&recorder->clock) : 0;
    pthread_mutex_lock(&recorder->lock);
    drain(recorder, lane);
    pthread_mutex_unlock(&recorder->lock);
    if (recorder->threaded)
        lane->stall_ns += pyr_now_ns(&recorder->clock) - since_ns + 1;
}

/* The head at which the producer must look again: half the ring on, so that a ring that fills is
 * noticed with half of it left; then its end. Returns `head` itself when the ring is full. */
static uint64_t room_until(const struct pyr_lane *lane, uint64_t head, uint64_t tail,
                           uint64_t size) {
    if (head - tail < size / 2)
        return tail + size / 2;
    if (lane->recorder->threaded && head - tail < size)
        sem_post(&lane->recorder->wake);
    return tail + size;
}

static void record_stall(struct pyr_lane *lane) {
    if (lane->stall_ns == 0)
        return;
    double waited_ns = (double)lane->stall_ns;
    lane->stall_ns = 0;
    pyr_lane_mark(lane, PYR_MARK_STALL, PYR_NO_CASE, waited_ns, NULL);
}

void pyr_lane_wait_room(struct pyr_lane *lane) {
    if (lane->wait_room) {
        lane->wait_room(lane);
        return;
    }
    uint64_t head = atomic_load_explicit(&lane->chunk_head, memory_order_relaxed);
    uint64_t size = lane->chunk_mask + 1;
    uint64_t tail = atomic_load_explicit(&lane->chunk_tail, memory_order_acquire);
    if (head - tail == size) {
        drain_full(lane);
        tail = head;
        record_stall(lane);
    }
    lane->chunk_room_until = room_until(lane, head, tail, size);
}

void pyr_lane_wait_step_room(struct pyr_lane *lane) {
    if (lane->wait_room) {
        lane->wait_room(lane);
        return;
    }
    uint64_t head = atomic_load_explicit(&lane->step_head, memory_order_relaxed);
    uint64_t size = lane->step_mask + 1;
    uint64_t tail = atomic_load_explicit(&lane->step_tail, memory_order_acquire);
    if (head - tail == size) {
        drain_full(lane);
        tail = head;
        record_stall(lane);
    }
    lane->step_room_until = room_until(lane, head, tail, size);
}

static void push_record(struct pyr_lane *lane, enum pyr_block_type type, const void *payload,
                        size_t bytes) {
    struct entry entry = {(uint32_t)type, (uint32_t)bytes};
    uint64_t head = atomic_load_explicit(&lane->record_head, memory_order_relaxed);
    uint64_t next = head + sizeof entry + bytes, size = lane->record_mask + 1;
    assert(lane->recorder && bytes % 8 == 0 && sizeof entry + bytes <= size);
    if (next > lane->record_room_until) {
        uint64_t tail = atomic_load_explicit(&lane->record_tail, memory_order_acquire);
        if (next - tail > size) {
            drain_full(lane);
            tail = head;
        }
        lane->record_room_until = room_until(lane, next, tail, size);
    }
    copy_in(lane, head, &entry, sizeof entry);
    copy_in(lane, head + sizeof entry, payload, bytes);
    atomic_store_explicit(&lane->record_head, next, memory_order_release);
    record_stall(lane);
}

void pyr_lane_content(struct pyr_lane *lane, uint32_t ordinal, uint64_t previous_ns,
                      uint64_t user_ns, uint64_t kernel_ns, uint64_t bound_ns, uint32_t bytes,
                      uint32_t tokens, bool reasoning) {
    /* Stamps of another process and of the kernel are not ours to vouch for. */
    uint64_t gap_ns = user_ns > previous_ns ? user_ns - previous_ns : 0;
    uint16_t flags = reasoning ? PYR_CHUNK_REASONING : 0;
    while (gap_ns > UINT32_MAX || bytes > PYR_CHUNK_BYTES_MAX || tokens > PYR_CHUNK_TOKENS_MAX) {
        uint32_t part_ns = gap_ns > UINT32_MAX ? UINT32_MAX : 0;
        uint32_t part_bytes = bytes > PYR_CHUNK_BYTES_MAX ? PYR_CHUNK_BYTES_MAX : 0;
        uint32_t part_tokens = tokens > PYR_CHUNK_TOKENS_MAX ? PYR_CHUNK_TOKENS_MAX : 0;
        pyr_lane_chunk(lane, (struct pyr_chunk){
                                 .ordinal = ordinal,
                                 .gap_ns = part_ns,
                                 .lag_ns = PYR_LAG_UNKNOWN,
                                 .bytes_bits = (uint16_t)(part_bytes | PYR_CHUNK_CARRY | flags),
                                 .tokens = (uint8_t)part_tokens,
                             });
        gap_ns -= part_ns;
        bytes -= part_bytes;
        tokens -= part_tokens;
    }
    uint32_t lag_ns = PYR_LAG_UNKNOWN;
    if (kernel_ns != 0) {
        uint64_t lag = kernel_ns < user_ns ? user_ns - kernel_ns : 0;
        lag_ns = lag < PYR_LAG_UNKNOWN ? (uint32_t)lag : PYR_LAG_UNKNOWN - 1;
    }
    pyr_lane_chunk(lane, (struct pyr_chunk){
                             .ordinal = ordinal,
                             .gap_ns = (uint32_t)gap_ns,
                             .lag_ns = lag_ns,
                             .bytes_bits = (uint16_t)(bytes | flags),
                             .tokens = (uint8_t)tokens,
                             .bound_code = bound_ns ? pyr_bound_code(bound_ns) : 0,
                         });
}

void pyr_lane_request(struct pyr_lane *lane, const struct pyr_request *request) {
    assert(request->outcome < PYR_OUTCOME_COUNT);
    assert(request->first_content_ns <= request->last_content_ns || !request->last_content_ns);
    push_record(lane, PYR_BLOCK_REQUESTS, request, sizeof *request);
}

/* Whether a text ends within its field, as readers take for granted. */
static bool ends(const char *text, size_t size) {
    return memchr(text, '\0', size) != NULL;
}

void pyr_lane_case(struct pyr_lane *lane, const struct pyr_case *plan) {
    assert(ends(plan->suite, sizeof plan->suite) && ends(plan->id, sizeof plan->id) &&
           ends(plan->arrival, sizeof plan->arrival) && ends(plan->params, sizeof plan->params) &&
           ends(plan->prompt_class, sizeof plan->prompt_class));
    push_record(lane, PYR_BLOCK_CASES, plan, sizeof *plan);
    pyr_recorder_flush(lane->recorder);
}

void pyr_lane_goal(struct pyr_lane *lane, const struct pyr_goal *goal) {
    assert(ends(goal->metric, sizeof goal->metric) && ends(goal->suite, sizeof goal->suite) &&
           ends(goal->statistic, sizeof goal->statistic) && ends(goal->label, sizeof goal->label));
    push_record(lane, PYR_BLOCK_GOALS, goal, sizeof *goal);
}

void pyr_lane_observe(struct pyr_lane *lane, enum pyr_metric metric, uint32_t case_index,
                      uint32_t repetition, double value) {
    assert(metric < PYR_METRIC_COUNT);
    struct pyr_observation observation = {
        .metric = metric,
        .case_index = case_index,
        .repetition = repetition,
        .time_ns = pyr_now_ns(&lane->recorder->clock),
        .value = value,
    };
    push_record(lane, PYR_BLOCK_OBSERVATIONS, &observation, sizeof observation);
}

void pyr_lane_histogram(struct pyr_lane *lane, enum pyr_metric metric, uint32_t case_index,
                        uint32_t repetition, const void *bytes, size_t count) {
    struct pyr_recorder *recorder = lane->recorder;
    struct pyr_histogram head = {
        .metric = metric,
        .case_index = case_index,
        .repetition = repetition,
        .time_ns = pyr_now_ns(&recorder->clock),
        .bytes = (uint32_t)count,
    };
    assert(metric < PYR_METRIC_COUNT && count <= PYR_BLOCK_BYTES_MAX - sizeof head);
    pthread_mutex_lock(&recorder->lock);
    write_block(recorder, PYR_BLOCK_HISTOGRAMS, &head, sizeof head, bytes, count);
    pthread_mutex_unlock(&recorder->lock);
}

void pyr_lane_sample(struct pyr_lane *lane, enum pyr_metric metric, uint32_t case_index,
                     uint64_t time_ns, double value) {
    assert(metric < PYR_METRIC_COUNT);
    struct pyr_reading sample = {metric, case_index, time_ns, value};
    push_record(lane, PYR_BLOCK_SAMPLES, &sample, sizeof sample);
}

void pyr_lane_mark(struct pyr_lane *lane, enum pyr_mark_kind kind, uint32_t case_index,
                   double value, const char *text) {
    uint64_t now_ns = pyr_now_ns(&lane->recorder->clock);
    pyr_lane_mark_at(lane, kind, case_index, now_ns, value, text);
}

void pyr_lane_mark_at(struct pyr_lane *lane, enum pyr_mark_kind kind, uint32_t case_index,
                      uint64_t time_ns, double value, const char *text) {
    assert(kind < PYR_MARK_COUNT);
    struct pyr_mark mark = {
        .kind = kind,
        .case_index = case_index,
        .time_ns = time_ns,
        .value = value,
    };
    size_t length = text ? strnlen(text, sizeof mark.text - 1) : 0;
    if (length > 0)
        memcpy(mark.text, text, length);
    push_record(lane, PYR_BLOCK_MARKS, &mark, sizeof mark);
}

/* --- bounds ----------------------------------------------------------------------------------- */

/* 2^(k/8) in 1/2^32, rounded up. */
static const uint64_t eighths[8] = {
    UINT64_C(0x100000000), UINT64_C(0x1172b83c8), UINT64_C(0x1306fe0a4), UINT64_C(0x14bfdad54),
    UINT64_C(0x16a09e668), UINT64_C(0x18ace5423), UINT64_C(0x1ae89f996), UINT64_C(0x1d5818dd0),
};

uint64_t pyr_bound_ns(uint8_t code) {
    if (code == 0)
        return 0;
    if (code == UINT8_MAX)
        return PYR_NEVER;
    uint64_t scaled = eighths[code % 8] << (code / 8);
    return (scaled >> 32) + ((scaled & UINT32_MAX) != 0);
}

uint8_t pyr_bound_code(uint64_t bound_ns) {
    if (bound_ns == 0)
        return 0;
    if (bound_ns > pyr_bound_ns(UINT8_MAX - 1))
        return UINT8_MAX;
    /* The least k whose eighth, rounded up to whole nanoseconds, is not below: it is above
     * bound_ns - 1. */
    unsigned octave = 63 - (unsigned)__builtin_clzll(bound_ns);
    uint64_t below = ((bound_ns - 1) << 32) >> octave;
    unsigned k = 0;
    for (unsigned i = 0; i < 8; i++)
        k += eighths[i] <= below;
    return (uint8_t)(octave + k > 0 ? 8 * octave + k : 1);
}

/* --- open and close --------------------------------------------------------------------------- */

static uint64_t power_of_two(uint64_t least) {
    uint64_t size = 1;
    while (size < least)
        size *= 2;
    return size;
}

/* One mapping: the lanes, the staging area, then each lane's three rings. */
static bool map_lanes(struct pyr_recorder *recorder, uint32_t chunk_slots, struct pyr_err *err) {
    uint64_t slots = chunk_slots ? chunk_slots : CHUNK_SLOTS_DEFAULT;
    slots = power_of_two(slots < CHUNK_SLOTS_MIN ? CHUNK_SLOTS_MIN : slots);
    size_t chunk_bytes = slots * sizeof(struct pyr_chunk);
    size_t step_bytes = slots / 4 * sizeof(struct pyr_step);
    size_t record_bytes = chunk_bytes < RECORD_BYTES_MIN ? RECORD_BYTES_MIN : chunk_bytes;
    size_t head_bytes = recorder->lane_count * sizeof(struct pyr_lane);
    recorder->mapped_bytes = head_bytes + PAYLOAD_BYTES +
                             recorder->lane_count * (chunk_bytes + step_bytes + record_bytes);
    unsigned char *memory = pyr_map_bytes(recorder->mapped_bytes, "recording rings", err);
    if (!memory)
        return false;
    recorder->lanes = (struct pyr_lane *)(void *)memory;
    recorder->staging = memory + head_bytes;
    unsigned char *at = recorder->staging + PAYLOAD_BYTES;
    for (uint32_t i = 0; i < recorder->lane_count; i++) {
        struct pyr_lane *lane = &recorder->lanes[i];
        lane->recorder = recorder;
        lane->index = i;
        lane->chunks = (struct pyr_chunk *)(void *)at;
        lane->chunk_mask = slots - 1;
        lane->steps = (struct pyr_step *)(void *)(at + chunk_bytes);
        lane->step_mask = slots / 4 - 1;
        lane->records = at + chunk_bytes + step_bytes;
        lane->record_mask = record_bytes - 1;
        at += chunk_bytes + step_bytes + record_bytes;
    }
    return true;
}

static bool create_file(struct pyr_recorder *recorder, const struct pyr_recorder_config *config,
                        struct pyr_err *err) {
    const char *meta = config->meta_json ? config->meta_json : "{}";
    size_t meta_bytes = strlen(meta);
    if (meta_bytes > PYR_BLOCK_BYTES_MAX)
        return pyr_fail(err, PYR_E_INPUT, "%s: the plan is larger than %d bytes", config->path,
                        PYR_BLOCK_BYTES_MAX);
    recorder->fd = open(config->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    recorder->path = pyr_xstrdup(config->path);
    if (recorder->fd < 0)
        return pyr_fail_errno(err, errno, "%s: the run file cannot be created", config->path);
    struct iovec magic = {(void *)(uintptr_t)PYR_RUN_MAGIC, 8};
    if (!write_fully(recorder->fd, &magic, 1))
        return pyr_fail_errno(err, errno, "%s: cannot be written", config->path);
    recorder->file_bytes = 8;
    write_block(recorder, PYR_BLOCK_META, meta, meta_bytes, NULL, 0);
    size_t used = 0;
    for (int i = 0; i < PYR_METRIC_COUNT; i++) {
        const char *name = pyr_metric_info((enum pyr_metric)i)->name;
        size_t bytes = strlen(name) + 1;
        assert(used + bytes <= PAYLOAD_BYTES);
        memcpy(recorder->staging + used, name, bytes);
        used += bytes;
    }
    write_block(recorder, PYR_BLOCK_METRICS, recorder->staging, used, NULL, 0);
    if (!pyr_recorder_error(recorder))
        return true;
    if (err)
        *err = recorder->error;
    return false;
}

static bool start_writer(struct pyr_recorder *recorder, struct pyr_err *err) {
    /* Signals are for the thread that drives; the writer inherits a full mask. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    recorder->threaded = true;
    int cause = pthread_create(&recorder->writer, NULL, writer_main, recorder);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (cause == 0) {
        /* By its name the sampler counts its CPU time as ours and not the engine's. */
        (void)pthread_setname_np(recorder->writer, "pyr-writer");
        return true;
    }
    recorder->threaded = false;
    return pyr_fail_errno(err, cause, "run file: no thread to write it");
}

static void release(struct pyr_recorder *recorder) {
    if (recorder->fd >= 0)
        close(recorder->fd);
    sem_destroy(&recorder->wake);
    pthread_mutex_destroy(&recorder->lock);
    pyr_unmap_bytes(recorder->lanes, recorder->mapped_bytes);
    pyr_free(recorder->path);
    pyr_free(recorder);
}

bool pyr_recorder_open(const struct pyr_recorder_config *config, const struct pyr_clock *clock,
                       struct pyr_recorder **out, struct pyr_err *err) {
    assert(config->lanes >= 1 && config->lanes <= LANES_MAX);
    assert(config->chunk_slots <= CHUNK_SLOTS_MAX);
    struct pyr_recorder *recorder = pyr_xcalloc(1, sizeof *recorder);
    recorder->clock = *clock;
    recorder->fd = -1;
    recorder->lane_count = config->lanes;
    pthread_mutex_init(&recorder->lock, NULL);
    sem_init(&recorder->wake, 0, 0);
    bool threaded = config->path && !config->inline_writer;
    if (!map_lanes(recorder, config->chunk_slots, err) ||
        (config->path && !create_file(recorder, config, err)) ||
        (threaded && !start_writer(recorder, err))) {
        release(recorder);
        return false;
    }
    *out = recorder;
    return true;
}

bool pyr_recorder_close(struct pyr_recorder *recorder, struct pyr_err *err) {
    if (recorder->threaded) {
        atomic_store_explicit(&recorder->stop, true, memory_order_release);
        sem_post(&recorder->wake);
        pthread_join(recorder->writer, NULL);
    }
    pyr_recorder_flush(recorder);
    for (uint32_t i = 0; i < recorder->lane_count; i++) {
        const struct pyr_lane *lane = &recorder->lanes[i];
        assert(lane->chunk_head == lane->chunk_tail && lane->step_head == lane->step_tail &&
               lane->record_head == lane->record_tail);
    }
    uint64_t counts[2] = {recorder->requests, recorder->chunks};
    write_block(recorder, PYR_BLOCK_END, counts, sizeof counts, NULL, 0);
    bool ok = !pyr_recorder_error(recorder);
    if (!ok && err)
        *err = recorder->error;
    if (recorder->fd >= 0 && ok && fsync(recorder->fd) != 0)
        ok = pyr_fail_errno(err, errno, "%s: the run file cannot be kept", recorder->path);
    release(recorder);
    return ok;
}

const struct pyr_err *pyr_recorder_error(const struct pyr_recorder *recorder) {
    return atomic_load_explicit(&recorder->failed, memory_order_acquire) ? &recorder->error : NULL;
}

struct pyr_lane *pyr_recorder_lane(struct pyr_recorder *recorder, uint32_t index) {
    assert(index < recorder->lane_count);
    return &recorder->lanes[index];
}
