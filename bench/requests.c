/* SPDX-License-Identifier: MIT
 *
 * Plain requests a second beside wrk: whole answers of fixed bytes from a server that does nothing
 * else, on another core. bench/requests.sh runs the parts.
 *
 *     requests server FILE           answers every request alike; keeps the first POST in FILE
 *     requests ours URL IN_FLIGHT SECONDS   the load driver, the target http, the recorder
 *
 * Claim: 0.8 of what wrk reaches with the same request bytes.
 */
#include "base/clock.h"
#include "load/driver.h"
#include "net/listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 166\r\n\r\n"
    "{\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
    "\"content\":\"fixed\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":16,"
    "\"completion_tokens\":1}}";
static const char models[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: "
    "close\r\nContent-Length: 29\r\n\r\n{\"data\":[{\"id\":\"scheduled\"}]}";
static const char none[] =
    "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/* Each request is small enough to come in one read. */
static void serve_one(int fd, const char *keep) {
    static char bytes[65536];
    static bool kept;
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            close(fd);
        return;
    }
    const char *text = answer;
    size_t length = sizeof answer - 1;
    if (memcmp(bytes, "GET", 3) == 0) {
        text = models;
        length = sizeof models - 1;
    } else if (memmem(bytes, (size_t)got, "/tokenize", 9)) {
        text = none;
        length = sizeof none - 1;
    } else if (!kept) {
        kept = true;
        FILE *file = fopen(keep, "w");
        if (file) {
            fwrite(bytes, 1, (size_t)got, file);
            fclose(file);
        }
    }
    if (send(fd, text, length, MSG_NOSIGNAL) < 0)
        close(fd);
}

static int run_server(const char *keep) {
    struct pyr_err err;
    struct epoll_event events[64];
    uint16_t port;
    int listener, loop = epoll_create1(0);
    if (!pyr_listen(NULL, 0, &listener, &port, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    printf("port %u\n", port);
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(loop, events, 64, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd != listener) {
                serve_one(events[i].data.fd, keep);
                continue;
            }
            int fd = pyr_accept(listener);
            event.data.fd = fd;
            if (fd >= 0)
                epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
        }
    }
}

static bool drive(struct pyr_target *target, struct pyr_recorder *recorder, uint32_t in_flight,
                  double seconds, struct pyr_err *err) {
    const struct pyr_load_config config = {.target = target,
                                           .max_in_flight = in_flight,
                                           .recorder = recorder,
                                           .lane = pyr_recorder_lane(recorder, 0)};
    const struct pyr_prompt_class class = {"bench", pyr_length_fixed(16), pyr_length_fixed(1), 1};
    const struct pyr_workload_options options = {
        .classes = &class, .class_count = 1, .max_in_flight = in_flight, .seed = 1};
    const struct pyr_load_plan plan = {.concurrency = in_flight,
                                       .warmup_ns = PYR_NS_PER_S / 2,
                                       .duration_ns = (uint64_t)(seconds * 1e9),
                                       .drain_ns = 10 * PYR_NS_PER_S,
                                       .cancel_after_ns = PYR_NEVER,
                                       .seed = 1};
    struct pyr_load *load = NULL;
    struct pyr_workload *workload = NULL;
    struct pyr_load_result result;
    struct rusage before, after;
    bool good =
        pyr_workload_create(&options, target, &workload, err) && pyr_load_open(&config, &load, err);
    uint64_t start_ns = pyr_clock_real_ns();
    getrusage(RUSAGE_SELF, &before);
    good = good && pyr_load_run(load, &plan, workload, &result, err);
    getrusage(RUSAGE_SELF, &after);
    double wall = (double)(pyr_clock_real_ns() - start_ns) / 1e9;
    double cpu = (double)(after.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_utime.tv_sec -
                          before.ru_stime.tv_sec) +
                 (double)(after.ru_utime.tv_usec + after.ru_stime.tv_usec -
                          before.ru_utime.tv_usec - before.ru_stime.tv_usec) /
                     1e6;
    if (good)
        printf("requests_per_second=%.0f ok=%llu records=%llu cpu_us=%.2f cpu_share=%.2f\n",
               (double)result.outcomes[PYR_OUTCOME_OK] / wall,
               (unsigned long long)result.outcomes[PYR_OUTCOME_OK],
               (unsigned long long)result.records, cpu * 1e6 / (double)result.records, cpu / wall);
    pyr_load_close(load);
    pyr_workload_destroy(workload);
    return good;
}

static int run_ours(char **argv) {
    char path[] = "/tmp/requests-bench-XXXXXX.pyr";
    close(mkstemps(path, 4));
    unlink(path);
    const struct pyr_clock clock = {0};
    const struct pyr_recorder_config record = {.path = path, .lanes = 1, .meta_json = "{}"};
    const struct pyr_option options[] = {{"probe", "off"}, {"stream", "off"}};
    const struct pyr_target_config config = {
        .spec = argv[0], .options = options, .option_count = 2};
    struct pyr_recorder *recorder;
    struct pyr_target *target;
    struct pyr_err err;
    bool good = pyr_recorder_open(&record, &clock, &recorder, &err) &&
                pyr_target_open(&config, false, &target, &err) &&
                drive(target, recorder, (uint32_t)atoi(argv[1]), atof(argv[2]), &err) &&
                pyr_recorder_close(recorder, &err);
    unlink(path);
    if (!good)
        fprintf(stderr, "requests: %s\n", err.text);
    return !good;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "server") == 0)
        return run_server(argv[2]);
    if (argc == 5 && strcmp(argv[1], "ours") == 0)
        return run_ours(argv + 2);
    fprintf(stderr, "usage: %s server FILE | ours URL IN_FLIGHT SECONDS\n", argv[0]);
    return 2;
}
