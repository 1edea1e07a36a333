/* SPDX-License-Identifier: MIT
 *
 * Does a comparison cry wolf? A block of computing (about 50 ms on this machine, the same work each
 * time) is compared with itself, in 20 pairs with the noise floor beside them, while busy
 * neighbours run. Claims, of 200 such comparisons: at most 1 REGRESSED at a gate of 10 %; with the
 * floor off and a threshold of 0 at most 17 flagged (5 % nominal). Ten minutes for 200, so a FILE
 * keeps the outcome of each comparison, and later calls add to it and sum up all.
 *
 *     build/release/bench/aa [COUNT=200] [FILE] [NEIGHBOURS=1]
 */
#include "base/buf.h"
#include "base/fs.h"
#include "base/parse.h"
#include "judge/ab.h"
#include "judge/compare.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK_MS = 50, PAIRS = 20, MOST_NEIGHBOURS = 64 };

/* What a compute-bound program does: integer work on a table that fits the L1 cache. */
static uint64_t compute(uint64_t rounds) {
    static uint64_t table[1024];
    uint64_t x = 88172645463325252;
    for (uint64_t i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        table[x & 1023] += x;
    }
    __asm__ volatile("" : "+r"(x) : "r"(table) : "memory");
    return x;
}

struct compute_arm {
    struct pyr_ab_arm arm;
    uint64_t rounds;
};

static bool compute_block(struct pyr_ab_arm *base, uint64_t size, uint64_t number,
                          struct pyr_ab_block *block, struct pyr_err *err) {
    const struct compute_arm *arm = (const struct compute_arm *)base;
    (void)number;
    (void)err;
    memset(block, 0, sizeof *block);
    uint64_t before = pyr_clock_real_ns();
    compute(size * arm->rounds);
    block->ns = pyr_clock_real_ns() - before;
    block->values[0] = (double)block->ns / (double)size;
    block->total = block->ok = size;
    return true;
}

static void close_nothing(struct pyr_ab_arm *base) {
    (void)base;
}

static const struct pyr_ab_measure measure = {PYR_M_BLOCK_TIME, "mean", true, 0};
static const struct pyr_ab_arm_ops ops = {.case_id = "compute",
                                          .measures = &measure,
                                          .measure_count = 1,
                                          .pilot_size = 1,
                                          .block = compute_block,
                                          .close = close_nothing};

/* The fastest of a few tries: what the block takes where nothing disturbs it. */
static uint64_t rounds_of_a_block(void) {
    const uint64_t rounds = 4000000;
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 10; i++) {
        uint64_t before = pyr_clock_real_ns();
        compute(rounds);
        uint64_t took = pyr_clock_real_ns() - before;
        least = took < least ? took : least;
    }
    return (uint64_t)((double)rounds * BLOCK_MS * 1e6 / (double)least);
}

/* Computes without a pause until its parent ends. */
static pid_t start_neighbour(void) {
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() != 1)
        compute(1000000);
    _exit(0);
}

struct outcome {
    double ratio, lo, hi, floor;
    char verdict[32]; /* at 10 % with the floor */
    bool flagged;     /* at 0 without it */
};

static bool compare_once(struct compute_arm arms[2], uint64_t seed, struct outcome *outcome,
                         struct pyr_err *err) {
    const struct pyr_ab_options options = {
        .pairs = PAIRS, .seed = seed, .threshold = 0.10, .block_size = 1};
    struct pyr_comparison *comparison;
    if (!pyr_ab_run(&arms[0].arm, &arms[1].arm, &options, &comparison, err))
        return false;
    const struct pyr_compared_metric *metric = &comparison->metrics[0];
    for (size_t i = 0; i < comparison->metric_count; i++)
        if (comparison->metrics[i].metric == PYR_M_BLOCK_TIME)
            metric = &comparison->metrics[i];
    const struct pyr_gate bare = {.threshold = 0};
    struct pyr_judgement judged = pyr_judge(&metric->ratio, &bare, metric->p, 1 - metric->p);
    *outcome = (struct outcome){.ratio = metric->ratio.value,
                                .lo = metric->ratio.lo,
                                .hi = metric->ratio.hi,
                                .floor = comparison->noise_floor.ratio,
                                .flagged = judged.verdict == PYR_REGRESSED ||
                                           judged.verdict == PYR_IMPROVED};
    snprintf(outcome->verdict, sizeof outcome->verdict, "%s",
             pyr_verdict_name(comparison->verdict));
    pyr_comparison_destroy(comparison);
    return true;
}

static size_t count_lines(FILE *file) {
    size_t lines = 0;
    rewind(file);
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    return lines;
}

static void sum_up(FILE *file) {
    size_t count = 0, regressed = 0, unchanged = 0, flagged = 0;
    double floors = 0, worst = 0;
    char verdict[32];
    struct outcome o;
    int flag;
    rewind(file);
    while (fscanf(file, "%lf %lf %lf %lf %31s %d", &o.ratio, &o.lo, &o.hi, &o.floor, verdict,
                  &flag) == 6) {
        count++;
        regressed += strcmp(verdict, "REGRESSED") == 0;
        unchanged += strcmp(verdict, "UNCHANGED") == 0;
        flagged += flag != 0;
        floors += o.floor;
        worst = fmax(worst, fabs(log(o.ratio)));
    }
    printf("%zu A/A comparisons of %d pairs of %d ms: %zu REGRESSED at 10 %% (claim: at most 1 of "
           "200), %zu UNCHANGED; %zu flagged at 0 %% without the floor (claim: at most 17 of "
           "200)\nfarthest ratio %.4f, mean noise floor %.2f %%\n",
           count, PAIRS, BLOCK_MS, regressed, unchanged, flagged, exp(worst),
           100 * floors / (double)(count ? count : 1));
}

static bool run_all(FILE *file, uint64_t count, struct pyr_err *err) {
    uint64_t rounds = rounds_of_a_block();
    struct compute_arm arms[2] = {{.arm = {.ops = &ops, .name = "A"}, .rounds = rounds},
                                  {.arm = {.ops = &ops, .name = "B"}, .rounds = rounds}};
    size_t done = count_lines(file);
    for (uint64_t i = 0; i < count; i++) {
        struct outcome o;
        if (!compare_once(arms, done + i + 1, &o, err))
            return false;
        fseek(file, 0, SEEK_END);
        fprintf(file, "%.6f %.6f %.6f %.6f %s %d\n", o.ratio, o.lo, o.hi, o.floor, o.verdict,
                o.flagged);
        fflush(file);
    }
    return true;
}

int main(int argc, char **argv) {
    uint64_t count = 200, neighbours = 1;
    struct pyr_err err;
    if ((argc > 1 && !pyr_parse_u64(argv[1], &count, &err)) ||
        (argc > 3 && !pyr_parse_u64(argv[3], &neighbours, &err)) || neighbours > MOST_NEIGHBOURS) {
        fprintf(stderr, "usage: aa [COUNT] [FILE] [NEIGHBOURS, at most %d]\n", MOST_NEIGHBOURS);
        return 2;
    }
    FILE *file = argc > 2 ? fopen(argv[2], "a+") : tmpfile();
    if (!file) {
        perror(argc > 2 ? argv[2] : "a temporary file");
        return 1;
    }
    pid_t children[MOST_NEIGHBOURS];
    for (uint64_t i = 0; i < neighbours; i++)
        children[i] = start_neighbour();
    bool fine = run_all(file, count, &err);
    for (uint64_t i = 0; i < neighbours; i++)
        if (children[i] > 0) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
        }
    if (!fine)
        fprintf(stderr, "aa: %s\n", err.text);
    else
        sum_up(file);
    fclose(file);
    return fine ? 0 : 1;
}
