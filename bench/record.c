/* SPDX-License-Identifier: MIT
 *
 * What recording a chunk costs beside the clock read that stamps it: blocks of clock reads alone
 * and blocks of clock read + record in turn, each timed, and the median of the differences within
 * neighbours. The file is written by the recorder's own thread meanwhile.
 *
 *     build/release/bench/record [PAIRS] [FOLDER]
 */
#include "base/arena.h"
#include "record/recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PER_BLOCK = 4096, PAIRS_DEFAULT = 4001 };

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double clock_alone(uint64_t *sink) {
    uint64_t start_ns = pyr_clock_real_ns();
    for (int i = 0; i < PER_BLOCK; i++)
        *sink += pyr_clock_real_ns();
    return (double)(pyr_clock_real_ns() - start_ns) / PER_BLOCK;
}

/* pyr_lane_chunk as a target calls it, with the gap worked out from the last stamp. */
static double with_record(struct pyr_lane *lane, uint64_t *sink) {
    uint64_t start_ns = pyr_clock_real_ns(), last_ns = start_ns;
    for (uint32_t i = 0; i < PER_BLOCK; i++) {
        uint64_t now_ns = pyr_clock_real_ns();
        pyr_lane_chunk(lane, (struct pyr_chunk){.ordinal = i & 63,
                                                .gap_ns = (uint32_t)(now_ns - last_ns),
                                                .lag_ns = PYR_LAG_UNKNOWN,
                                                .bytes_bits = 4,
                                                .tokens = 1});
        last_ns = now_ns;
    }
    *sink += last_ns;
    return (double)(pyr_clock_real_ns() - start_ns) / PER_BLOCK;
}

static double with_content(struct pyr_lane *lane, uint64_t *sink) {
    uint64_t start_ns = pyr_clock_real_ns(), last_ns = start_ns;
    for (uint32_t i = 0; i < PER_BLOCK; i++) {
        uint64_t now_ns = pyr_clock_real_ns();
        pyr_lane_content(lane, i & 63, last_ns, now_ns, 0, 0, 4, 1, false);
        last_ns = now_ns;
    }
    *sink += last_ns;
    return (double)(pyr_clock_real_ns() - start_ns) / PER_BLOCK;
}

static void print(const char *what, double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    printf("%-34s median %6.2f ns   p10 %6.2f   p90 %6.2f\n", what, values[count / 2],
           values[count / 10], values[count * 9 / 10]);
}

int main(int argc, char **argv) {
    size_t pairs = argc > 1 ? (size_t)atol(argv[1]) : PAIRS_DEFAULT;
    if (pairs == 0)
        return 2;
    char path[512];
    snprintf(path, sizeof path, "%s/pyrometer-bench-record.%ld.pyr", argc > 2 ? argv[2] : "/tmp",
             (long)getpid());
    const struct pyr_clock clock = {0};
    const struct pyr_recorder_config config = {.path = path, .lanes = 1};
    struct pyr_recorder *recorder;
    struct pyr_err err;
    if (!pyr_recorder_open(&config, &clock, &recorder, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    struct pyr_arena *arena = pyr_arena_create();
    double *alone = pyr_arena_array(arena, pairs, sizeof *alone);
    double *chunk = pyr_arena_array(arena, pairs, sizeof *chunk);
    double *content = pyr_arena_array(arena, pairs, sizeof *content);
    uint64_t sink = 0;
    for (size_t i = 0; i < pairs; i++) {
        alone[i] = clock_alone(&sink);
        chunk[i] = with_record(lane, &sink) - alone[i];
        alone[i] = clock_alone(&sink);
        content[i] = with_content(lane, &sink) - alone[i];
    }
    bool ok = pyr_recorder_close(recorder, &err);
    unlink(path);
    print("clock read", alone, pairs);
    print("pyr_lane_chunk beside it", chunk, pairs);
    print("pyr_lane_content beside it", content, pairs);
    printf("checksum %llx\n", (unsigned long long)sink);
    pyr_arena_destroy(arena);
    if (!ok)
        fprintf(stderr, "%s\n", err.text);
    return !ok;
}
