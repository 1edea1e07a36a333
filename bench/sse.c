/* SPDX-License-Identifier: MIT
 *
 * What one token event costs a client, and how far its time is from the truth. bench/sse.sh runs
 * the parts below against the known-schedule server on another core and compares them with Python
 * clients (bench/sse_client.py).
 *
 *     sse server ARGUMENTS...                    the known-schedule server
 *     sse ours URL STREAMS TOKENS LOG            the load driver, the target http and the recorder
 *     sse bare PORT STREAMS TOKENS               epoll and recv, nothing else
 *     sse pace URL RATE TOKENS SECONDS           open loop: how late requests leave
 *     sse ratio < pairs of numbers               their ratio with its 95 % interval
 *
 * `ours` and `bare` open their connections, then send the same requests at once and read every
 * token; CPU is the whole process's from the first send to the last read. Results are one line of
 * key=value. Arrival error is the stamp minus the server's clock read just before its send.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "calibrate/schedule_server.h"
#include "codec/schedule_log.h"
#include "estimate/pairs.h"
#include "load/driver.h"
#include "load/pace.h"
#include "record/runfile.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct cpu {
    double user, system;
};

static struct cpu cpu_since(struct cpu start) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct cpu){
        (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 - start.user,
        (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6 - start.system};
}

static void print_cpu(struct cpu cpu, double events) {
    printf("cpu_us=%.3f user_us=%.3f system_us=%.3f", (cpu.user + cpu.system) * 1e6 / events,
           cpu.user * 1e6 / events, cpu.system * 1e6 / events);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_quantiles(const char *name, double *values, size_t count) {
    if (count == 0)
        return;
    qsort(values, count, sizeof *values, by_value);
    printf(" %s_p50=%.2f %s_p99=%.2f %s_p999=%.2f", name, values[count / 2], name,
           values[(size_t)((double)count * 0.99)], name, values[(size_t)((double)count * 0.999)]);
}

/* --- ours ------------------------------------------------------------------------------------- */

struct ours {
    uint32_t streams, tokens;
    const struct pyr_schedule_log *log;
    struct pyr_request *requests;
    /* Where each request's records in the log are: token t of stream s at [s * tokens + t]. */
    uint64_t *sent_ns;
    double *kernel_us, *user_us, *itl_us;
    size_t exact, coalesced, itls;
    uint64_t *at_ns, *last_error_ns;
    uint32_t *token;
    bool *has_error;
};

static const struct pyr_schedule_log *open_log(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0)
        return NULL;
    void *log = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    return log == MAP_FAILED ? NULL : log;
}

static void index_log(struct ours *ours) {
    /* The prompt's hash leads from a stream of the server to a request of ours. */
    uint32_t *request_of = pyr_xcalloc(ours->streams + 64, sizeof *request_of);
    for (uint32_t i = 0; i < ours->streams + 64; i++)
        request_of[i] = UINT32_MAX;
    for (uint64_t i = 0; i < ours->log->count; i++) {
        const struct pyr_schedule_record *record = &ours->log->records[i];
        if (record->stream >= ours->streams + 64)
            continue;
        uint32_t *request = &request_of[record->stream];
        for (uint32_t j = 0; *request == UINT32_MAX && j < ours->streams; j++)
            if (ours->requests[j].prompt_hash == record->prompt_hash)
                *request = j;
        if (*request < ours->streams && record->token < ours->tokens)
            ours->sent_ns[(size_t)*request * ours->tokens + record->token] = record->sent_ns;
    }
    pyr_free(request_of);
}

static void take_chunk(struct ours *ours, const struct pyr_chunk *chunk) {
    uint32_t one = chunk->ordinal;
    if (one >= ours->streams)
        return;
    ours->at_ns[one] += chunk->gap_ns;
    if (chunk->bytes_bits & PYR_CHUNK_CARRY) {
        ours->token[one] += chunk->tokens;
        return;
    }
    uint32_t last = ours->token[one] + chunk->tokens - 1;
    ours->token[one] = last + 1;
    uint64_t truth = last < ours->tokens ? ours->sent_ns[(size_t)one * ours->tokens + last] : 0;
    bool exact = chunk->bound_code == 0 && truth && chunk->lag_ns != PYR_LAG_UNKNOWN;
    ours->coalesced += chunk->bound_code != 0;
    if (!exact) {
        ours->has_error[one] = false;
        return;
    }
    uint64_t kernel_ns = ours->at_ns[one] - chunk->lag_ns;
    double error_us = ((double)kernel_ns - (double)truth) / 1e3;
    ours->kernel_us[ours->exact] = error_us;
    ours->user_us[ours->exact++] = ((double)ours->at_ns[one] - (double)truth) / 1e3;
    if (ours->has_error[one] && chunk->tokens == 1)
        ours->itl_us[ours->itls++] =
            fabs((double)(kernel_ns - truth) - (double)ours->last_error_ns[one]) / 1e3;
    ours->last_error_ns[one] = kernel_ns - truth;
    ours->has_error[one] = true;
}

static bool read_run(struct ours *ours, const char *path, bool chunks, struct pyr_err *err) {
    struct pyr_runfile *file;
    struct pyr_block block;
    if (!pyr_runfile_open(path, &file, err))
        return false;
    while (pyr_runfile_next(file, &block)) {
        for (size_t i = 0; i < block.count; i++) {
            if (chunks && block.type == PYR_BLOCK_CHUNKS) {
                take_chunk(ours, &((const struct pyr_chunk *)block.items)[i]);
            } else if (!chunks && block.type == PYR_BLOCK_REQUESTS) {
                const struct pyr_request *request = &((const struct pyr_request *)block.items)[i];
                if (request->ordinal < ours->streams)
                    ours->requests[request->ordinal] = *request;
            }
        }
    }
    pyr_runfile_close(file);
    return true;
}

static bool judge(struct ours *ours, const char *path, struct pyr_err *err) {
    size_t events = (size_t)ours->streams * ours->tokens;
    ours->requests = pyr_xcalloc(ours->streams, sizeof *ours->requests);
    ours->sent_ns = pyr_xcalloc(events, sizeof *ours->sent_ns);
    ours->kernel_us = pyr_xcalloc(events, sizeof(double));
    ours->user_us = pyr_xcalloc(events, sizeof(double));
    ours->itl_us = pyr_xcalloc(events, sizeof(double));
    ours->at_ns = pyr_xcalloc(ours->streams, sizeof(uint64_t));
    ours->last_error_ns = pyr_xcalloc(ours->streams, sizeof(uint64_t));
    ours->token = pyr_xcalloc(ours->streams, sizeof(uint32_t));
    ours->has_error = pyr_xcalloc(ours->streams, sizeof(bool));
    if (!read_run(ours, path, false, err))
        return false;
    uint32_t failed = 0;
    double *ttft_us = pyr_xcalloc(ours->streams, sizeof *ttft_us);
    size_t ttfts = 0;
    index_log(ours);
    for (uint32_t i = 0; i < ours->streams; i++) {
        const struct pyr_request *request = &ours->requests[i];
        failed += request->outcome != PYR_OUTCOME_OK;
        ours->at_ns[i] = request->sent_ns;
        uint64_t truth = ours->sent_ns[(size_t)i * ours->tokens];
        if (truth && request->first_content_ns)
            ttft_us[ttfts++] = ((double)request->first_content_ns - (double)truth) / 1e3;
    }
    if (!read_run(ours, path, true, err))
        return false;
    printf(" failed=%u coalesced_share=%.5f", failed,
           (double)ours->coalesced / (double)(ours->coalesced + ours->exact));
    print_quantiles("arrival_kernel_us", ours->kernel_us, ours->exact);
    print_quantiles("arrival_user_us", ours->user_us, ours->exact);
    print_quantiles("itl_us", ours->itl_us, ours->itls);
    print_quantiles("ttft_us", ttft_us, ttfts);
    return true;
}

/* Runs one case of `tokens` a request; *cpu is what that took. */
static bool drive(struct pyr_target *target, struct pyr_recorder *recorder, uint32_t in_flight,
                  uint32_t tokens, struct pyr_load_plan plan, struct cpu *cpu,
                  struct pyr_err *err) {
    const struct pyr_load_config config = {.target = target,
                                           .max_in_flight = in_flight,
                                           .recorder = recorder,
                                           .lane = pyr_recorder_lane(recorder, 0)};
    const struct pyr_prompt_class class = {"bench", pyr_length_fixed(16), pyr_length_fixed(tokens),
                                           1};
    /* Texts of its own for each request: the hash of its text leads from a request to the log. */
    const char **texts = pyr_xcalloc(in_flight, sizeof *texts);
    char *text = pyr_xcalloc(in_flight, 64);
    for (uint32_t i = 0; i < in_flight; i++) {
        texts[i] = text + (size_t)i * 64;
        snprintf(text + (size_t)i * 64, 64, "Stream number %u: tell me what time it is.", i);
    }
    const struct pyr_workload_options options = {.classes = &class,
                                                 .class_count = 1,
                                                 .texts = texts,
                                                 .text_count = in_flight,
                                                 .max_in_flight = in_flight,
                                                 .seed = 1};
    struct pyr_load *load = NULL;
    struct pyr_workload *workload = NULL;
    struct pyr_load_result result;
    plan.drain_ns = 120 * PYR_NS_PER_S;
    plan.cancel_after_ns = PYR_NEVER;
    plan.exact_output = true;
    plan.seed = 1;
    bool good =
        pyr_workload_create(&options, target, &workload, err) && pyr_load_open(&config, &load, err);
    struct cpu before = cpu_since((struct cpu){0});
    good = good && pyr_load_run(load, &plan, workload, &result, err);
    *cpu = cpu_since(before);
    pyr_load_close(load);
    pyr_workload_destroy(workload);
    pyr_free(texts);
    pyr_free(text);
    return good;
}

struct session {
    char path[40];
    struct pyr_recorder *recorder;
    struct pyr_target *target;
};

static bool session_open(struct session *session, const char *url, struct pyr_err *err) {
    const struct pyr_clock clock = {0};
    strcpy(session->path, "/tmp/sse-bench-XXXXXX.pyr");
    close(mkstemps(session->path, 4));
    unlink(session->path);
    const struct pyr_recorder_config record = {
        .path = session->path, .lanes = 1, .meta_json = "{}"};
    const struct pyr_option probe = {"probe", "off"};
    const struct pyr_target_config config = {.spec = url, .options = &probe, .option_count = 1};
    return pyr_recorder_open(&record, &clock, &session->recorder, err) &&
           pyr_target_open(&config, false, &session->target, err);
}

static int session_end(struct session *session, bool good, const struct pyr_err *err) {
    unlink(session->path);
    puts("");
    if (!good)
        fprintf(stderr, "sse: %s\n", err->text);
    return !good;
}

static int run_ours(char **argv) {
    struct ours ours = {.streams = (uint32_t)atoi(argv[1]), .tokens = (uint32_t)atoi(argv[2])};
    struct pyr_load_plan plan = {.concurrency = ours.streams, .requests = ours.streams};
    struct session session;
    struct pyr_err err = {0};
    struct cpu cpu = {0};
    struct rusage usage;
    bool good =
        session_open(&session, argv[0], &err) &&
        drive(session.target, session.recorder, ours.streams, ours.tokens, plan, &cpu, &err);
    if (good) {
        session.target->ops->close(session.target);
        getrusage(RUSAGE_SELF, &usage);
        good = pyr_recorder_close(session.recorder, &err);
        print_cpu(cpu, (double)ours.streams * (double)ours.tokens);
        printf(" rss_mb=%.1f", (double)usage.ru_maxrss * 1024 / 1e6);
        ours.log = open_log(argv[3]);
        good = good && ours.log && judge(&ours, session.path, &err);
    }
    return session_end(&session, good, &err);
}

/* --- pacing -------------------------------------------------------------------------------------
 */

/* How late an idle process wakes, for comparison: the pacer's own sleep, nothing else to do. */
static void print_idle_wake(void) {
    enum { WAKES = 1000 };
    static double late_us[WAKES];
    struct pyr_pace pace;
    pyr_pace_start(&pace, true);
    for (int i = 0; i < WAKES; i++) {
        uint64_t due_ns = pyr_clock_real_ns() + 1000000, now_ns;
        while ((now_ns = pyr_clock_real_ns()) < due_ns)
            pyr_pace_wait(-1, now_ns, due_ns, false);
        late_us[i] = (double)(now_ns - due_ns) / 1e3;
    }
    pyr_pace_stop(&pace);
    print_quantiles("idle_wake_us", late_us, WAKES);
}

static int run_pace(char **argv) {
    uint32_t rate = (uint32_t)atoi(argv[1]), tokens = (uint32_t)atoi(argv[2]);
    double seconds = atof(argv[3]);
    struct pyr_load_plan plan = {
        .open_loop = true,
        .arrivals = {.kind = pyr_arrival_kind_find("constant"), .rate = rate, .seed = 1},
        .warmup_ns = PYR_NS_PER_S,
        .spin = true,
        .urgent = true, /* as bench and stress send */
        .duration_ns = (uint64_t)(seconds * 1e9)};
    struct session session;
    struct pyr_err err = {0};
    struct cpu cpu = {0};
    bool good = session_open(&session, argv[0], &err) &&
                drive(session.target, session.recorder, 2000, tokens, plan, &cpu, &err) &&
                pyr_recorder_close(session.recorder, &err);
    struct pyr_runfile *file;
    struct pyr_block block;
    if (good && pyr_runfile_open(session.path, &file, &err)) {
        size_t most = (size_t)((seconds + 2) * rate), count = 0, failed = 0;
        double *late_us = pyr_xcalloc(most, sizeof *late_us);
        while (pyr_runfile_next(file, &block)) {
            for (size_t i = 0; block.type == PYR_BLOCK_REQUESTS && i < block.count; i++) {
                const struct pyr_request *request = &((const struct pyr_request *)block.items)[i];
                failed += request->outcome != PYR_OUTCOME_OK;
                if (request->phase == PYR_PHASE_MEASURED && count < most)
                    late_us[count++] = (double)(request->sent_ns - request->scheduled_ns) / 1e3;
            }
        }
        pyr_runfile_close(file);
        printf("requests=%zu failed=%zu", count, failed);
        print_quantiles("sent_late_us", late_us, count);
        print_idle_wake();
    }
    return session_end(&session, good, &err);
}

/* --- the bare reader ----------------------------------------------------------------------------
 */

static int connect_to(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int run_bare(char **argv) {
    int streams = atoi(argv[1]), tokens = atoi(argv[2]), open_count = streams;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int loop = epoll_create1(0);
    int *fds = pyr_xcalloc((size_t)streams, sizeof *fds);
    for (int i = 0; i < streams; i++) {
        fds[i] = connect_to((uint16_t)atoi(argv[0]));
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        if (fds[i] < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fds[i], &event) != 0)
            return 1;
    }
    struct cpu before = cpu_since((struct cpu){0});
    for (int i = 0; i < streams; i++) {
        char body[512], request[1024];
        int length =
            snprintf(body, sizeof body,
                     "{\"model\":\"scheduled\",\"messages\":[{\"role\":\"user\",\"content\":"
                     "\"bare %d\"}],\"max_tokens\":%d,\"stream\":true,\"stream_options\":"
                     "{\"include_usage\":true}}",
                     i, tokens);
        int bytes = snprintf(request, sizeof request,
                             "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: "
                             "application/json\r\nContent-Length: %d\r\n\r\n%s",
                             length, body);
        if (send(fds[i], request, (size_t)bytes, 0) != bytes)
            return 1;
    }
    static char bytes[65536];
    struct epoll_event events[16];
    unsigned long reads = 0;
    while (open_count) {
        int count = epoll_wait(loop, events, 16, -1);
        for (int i = 0; i < count; i++) {
            ssize_t got = recv(events[i].data.fd, bytes, sizeof bytes, 0);
            reads++;
            if (got <= 0)
                return 1;
            open_count -= got >= 5 && memcmp(bytes + got - 5, "0\r\n\r\n", 5) == 0;
        }
    }
    struct cpu cpu = cpu_since(before);
    print_cpu(cpu, (double)streams * tokens);
    printf(" reads_per_event=%.4f\n", (double)reads / ((double)streams * tokens));
    return 0;
}

static int run_ratio(void) {
    double of[PYR_PAIRS_MOST], to[PYR_PAIRS_MOST];
    size_t count = 0;
    while (count < PYR_PAIRS_MOST && scanf("%lf %lf", &of[count], &to[count]) == 2)
        count++;
    if (!count)
        return 1;
    struct pyr_pairs pairs;
    pyr_compare_pairs(to, of, count, &pairs);
    printf("%.3f [%.3f, %.3f] of %zu pairs\n", pairs.ratio.value, pairs.ratio.lo, pairs.ratio.hi,
           count);
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 2 && strcmp(argv[1], "server") == 0)
        return pyr_schedule_server_main(argc - 1, argv + 1);
    if (argc == 6 && strcmp(argv[1], "ours") == 0)
        return run_ours(argv + 2);
    if (argc == 5 && strcmp(argv[1], "bare") == 0)
        return run_bare(argv + 2);
    if (argc == 6 && strcmp(argv[1], "pace") == 0)
        return run_pace(argv + 2);
    if (argc == 2 && strcmp(argv[1], "ratio") == 0)
        return run_ratio();
    fprintf(stderr, "usage: %s server|ours|bare|pace|ratio ...: see bench/sse.sh\n", argv[0]);
    return 2;
}
