/* SPDX-License-Identifier: MIT
 *
 * How long it takes to make the result of a large run file, and how much memory: a million requests
 * of 16 chunks. Claim: under 2 s and 500 MB. Beside it the time to read the same file once with
 * read(2), which no analysis can beat.
 *
 *     build/release/bench/analyze [REQUESTS [CHUNKS]]
 */
#include "base/clock.h"
#include "base/parse.h"
#include "base/rng.h"
#include "record/recorder.h"
#include "report/formats.h"
#include "stats/result.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const struct pyr_err *err) {
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

/* 64 in flight, log-normal service, so that sorting and intervals have real work to do. */
static void make_run(const char *path, uint64_t requests, uint64_t chunks) {
    struct pyr_err err;
    uint64_t now = PYR_NS_PER_S;
    struct pyr_clock clock = {&now};
    struct pyr_recorder_config config = {
        .path = path, .lanes = 1, .inline_writer = true, .meta_json = "{}"};
    struct pyr_recorder *recorder;
    if (!pyr_recorder_open(&config, &clock, &recorder, &err))
        die(&err);
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    struct pyr_case plan = {.concurrency = 64, .suite = "bench", .id = "big", .arrival = "closed"};
    struct pyr_rng rng;
    pyr_rng_init(&rng, 1);
    pyr_lane_case(lane, &plan);
    pyr_lane_mark(lane, PYR_MARK_PHASE_START, 0, 1, "measured");
    for (uint64_t i = 0; i < requests; i++) {
        now += (uint64_t)(1e6 * pyr_rng_exponential(&rng));
        struct pyr_request r = {.ordinal = (uint32_t)i, .phase = 1, .prompt_tokens = 64};
        r.scheduled_ns = r.dispatched_ns = r.sent_ns = now;
        r.admitted_ns = now + 100000;
        r.prefilled_ns = now + 900000;
        uint64_t previous = now, at = now + 1000000;
        for (uint64_t c = 0; c < chunks; c++) {
            at += (uint64_t)(3e6 * pyr_rng_lognormal(&rng, 0.3));
            pyr_lane_content(lane, r.ordinal, previous, at, 0, 0, 4, 1, false);
            if (c == 0)
                r.first_byte_ns = r.first_content_ns = r.first_output_ns = at;
            previous = at;
        }
        r.last_content_ns = r.closed_ns = at;
        r.output_tokens = r.asked_tokens = r.chunks = (uint32_t)chunks;
        r.text_hash = i + 1;
        pyr_lane_request(lane, &r);
    }
    pyr_lane_mark(lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    if (!pyr_recorder_close(recorder, &err))
        die(&err);
}

static double read_once(const char *path) {
    static char buffer[1 << 20];
    uint64_t start = pyr_clock_real_ns();
    int fd = open(path, O_RDONLY);
    while (fd >= 0 && read(fd, buffer, sizeof buffer) > 0)
        ;
    close(fd);
    return (double)(pyr_clock_real_ns() - start) * 1e-9;
}

static void analyse(const char *path) {
    struct pyr_err err;
    struct pyr_result *result;
    uint64_t start = pyr_clock_real_ns();
    if (!pyr_result_make(path, &result, &err))
        die(&err);
    uint64_t made = pyr_clock_real_ns();
    struct pyr_buf text = {0};
    struct pyr_report_options options = {0};
    if (!pyr_report_format_find("json")->write(result, &options, &text, &err))
        die(&err);
    uint64_t told = pyr_clock_real_ns();
    printf("result %.2f s, json %.3f s (%zu bytes)\n", (double)(made - start) * 1e-9,
           (double)(told - made) * 1e-9, text.length);
    pyr_buf_deinit(&text);
    pyr_result_destroy(result);
}

int main(int argc, char **argv) {
    uint64_t requests = 1000000, chunks = 16;
    struct pyr_err err;
    if ((argc > 1 && !pyr_parse_u64(argv[1], &requests, &err)) ||
        (argc > 2 && !pyr_parse_u64(argv[2], &chunks, &err)))
        die(&err);
    char dir[] = "/tmp/pyrometer-bench-XXXXXX", path[64];
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/run.pyr", dir);
    make_run(path, requests, chunks);
    double read_s = read_once(path);
    for (int round = 0; round < 3; round++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            analyse(path);
            fflush(stdout);
            _exit(0);
        }
        int status;
        struct rusage usage;
        wait4(child, &status, 0, &usage);
        printf("  child: %.2f s cpu, %.0f MB peak RSS; reading the file alone %.2f s\n",
               (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6 +
                   (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec * 1e-6,
               (double)usage.ru_maxrss / 1024, read_s);
    }
    unlink(path);
    rmdir(dir);
    return 0;
}
