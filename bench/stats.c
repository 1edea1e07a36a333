/* SPDX-License-Identifier: MIT
 *
 * What the estimators cost: one recording into a histogram (beside the loop that makes its values),
 * sorting and six quantiles with intervals of 16 million values (beside qsort of a sixteenth of
 * them), reading and merging the histograms of 1,000 runs (claim: under 1 s) from memory and from a
 * history on disk, the change points of a history of 100 runs. CPU time, but wall time for the
 * history.
 *
 *     build/release/bench/stats [VALUES]
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/rng.h"
#include "estimate/changes.h"
#include "estimate/quantile.h"
#include "estimate/summary.h"
#include "store/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* CPU time: one thread that computes, so that a busy machine does not enter. */
static uint64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * PYR_NS_PER_S + (uint64_t)now.tv_nsec;
}

static double since_ms(uint64_t start_ns) {
    return (double)(cpu_ns() - start_ns) / 1e6;
}

static void bench_recording(struct pyr_hist *hist, const uint64_t *values, size_t n) {
    uint64_t start = cpu_ns(), sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
        __asm__ volatile("" : "+r"(sum)); /* keeps the bare loop a loop */
    }
    double bare = since_ms(start);
    start = cpu_ns();
    for (size_t i = 0; i < n; i++)
        pyr_hist_record(hist, values[i]);
    double recording = since_ms(start);
    printf("histogram: %.2f ns a recording (%.2f ns of it the bare loop over the values)\n",
           recording * 1e6 / (double)n, bare * 1e6 / (double)n);
}

static int compare_keys(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void bench_quantiles(const uint64_t *values, size_t n) {
    static const double qs[] = {0.5, 0.75, 0.9, 0.95, 0.99, 0.999};
    struct pyr_arena *arena = pyr_arena_create();
    uint64_t *sorted = pyr_xcalloc(n, sizeof *sorted), *scratch = pyr_xcalloc(n, sizeof *scratch);
    memcpy(sorted, values, n / 16 * sizeof *sorted);
    uint64_t start = cpu_ns();
    qsort(sorted, n / 16, sizeof *sorted, compare_keys);
    double quick = since_ms(start);
    memcpy(sorted, values, n * sizeof *sorted);
    memset(scratch, 1, n * sizeof *scratch);
    start = cpu_ns();
    pyr_sort_keys(sorted, scratch, n);
    double sorting = since_ms(start);
    const struct pyr_sample sample = {.in_order = values, .sorted = sorted, .n = n};
    struct pyr_quantile quantiles[6];
    start = cpu_ns();
    pyr_quantiles(&sample, qs, 6, arena, quantiles);
    double intervals = since_ms(start);
    struct pyr_summary summary;
    start = cpu_ns();
    pyr_summarise(&sample, &summary);
    printf("%zu values: sorted in %.0f ms (qsort of %zu: %.0f ms), 6 quantiles with intervals %.0f "
           "ms, mean and sd %.0f ms\n",
           n, sorting, n / 16, quick, intervals, since_ms(start));
    pyr_free(sorted);
    pyr_free(scratch);
    pyr_arena_destroy(arena);
}

static void bench_merging(const struct pyr_hist *hist) {
    struct pyr_hist *read = pyr_hist_create(), *all = pyr_hist_create();
    struct pyr_buf buf = {0};
    pyr_hist_write(hist, &buf);
    uint64_t start = cpu_ns();
    for (int i = 0; i < 1000; i++)
        if (!pyr_hist_read(read, buf.data, buf.length, NULL) || !pyr_hist_merge(all, read, NULL))
            exit(1);
    printf("1000 stored histograms of %zu bytes read and merged in %.0f ms\n", buf.length,
           since_ms(start));
    pyr_buf_deinit(&buf);
    pyr_hist_destroy(read);
    pyr_hist_destroy(all);
}

static void die(const struct pyr_err *err) {
    fprintf(stderr, "stats: %s\n", err->text);
    exit(1);
}

/* Runs of eight cases with three histograms each, as `bench` keeps them. */
static void fill_history(struct pyr_store *store, const struct pyr_buf *histogram, size_t runs) {
    enum { CASES = 8, METRICS = 3 };
    static const enum pyr_metric which[METRICS] = {PYR_M_LATENCY_SENT, PYR_M_TTFT_SENT, PYR_M_ITL};
    struct pyr_kept_metric metrics[METRICS];
    struct pyr_kept_case cases[CASES];
    char ids[CASES][16], id[32];
    struct pyr_err err;
    for (size_t k = 0; k < METRICS; k++)
        metrics[k] = (struct pyr_kept_metric){.metric = which[k],
                                              .n = 10000,
                                              .hist = histogram->data,
                                              .hist_bytes = histogram->length};
    for (size_t i = 0; i < CASES; i++) {
        snprintf(ids[i], sizeof ids[i], "case%zu", i);
        cases[i] = (struct pyr_kept_case){
            .suite = "bench", .id = ids[i], .metrics = metrics, .metric_count = METRICS};
    }
    for (size_t i = 0; i < runs; i++) {
        snprintf(id, sizeof id, "run%zu", i);
        const struct pyr_kept_run run = {.id = id,
                                         .origin = "pyrometer",
                                         .time_unix_s = (double)i,
                                         .cases = cases,
                                         .case_count = CASES};
        if (!pyr_store_add(store, &run, &err))
            die(&err);
    }
}

static void bench_history(const uint64_t *values, size_t n) {
    enum { RUNS = 1000, VALUES = 10000 };
    char folder[] = "/tmp/pyrometer-stats-XXXXXX", path[64];
    struct pyr_store *store;
    struct pyr_err err;
    struct pyr_buf bytes = {0};
    struct pyr_hist *one = pyr_hist_create(), *all = pyr_hist_create();
    for (size_t i = 0; i < VALUES && i < n; i++)
        pyr_hist_record(one, values[i]);
    pyr_hist_write(one, &bytes);
    if (!mkdtemp(folder))
        exit(1);
    snprintf(path, sizeof path, "%s/history.db", folder);
    if (!pyr_store_open(&(struct pyr_store_config){.where = path, .write = true}, &store, &err))
        die(&err);
    uint64_t start = pyr_clock_real_ns();
    fill_history(store, &bytes, RUNS);
    double filling = (double)(pyr_clock_real_ns() - start) / 1e6;
    pyr_store_close(store);
    size_t runs;
    start = pyr_clock_real_ns();
    if (!pyr_store_open(&(struct pyr_store_config){.where = path}, &store, &err) ||
        !pyr_store_merge(store, "bench", "case3", PYR_M_TTFT_SENT, NULL, all, &runs, &err))
        die(&err);
    printf("history of %d runs of 8 cases (each kept in %.1f ms): opened and %zu histograms of %zu "
           "bytes merged in %.0f ms, %llu values\n",
           RUNS, filling / RUNS, runs, bytes.length, (double)(pyr_clock_real_ns() - start) / 1e6,
           (unsigned long long)all->count);
    pyr_store_close(store);
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/history.db%s", folder, ends[i]);
        unlink(path);
    }
    rmdir(folder);
    pyr_buf_deinit(&bytes);
    pyr_hist_destroy(one);
    pyr_hist_destroy(all);
}

static void bench_changes(struct pyr_rng *rng) {
    struct pyr_arena *arena = pyr_arena_create();
    double history[100];
    for (size_t i = 0; i < 100; i++)
        history[i] = pyr_rng_lognormal(rng, 0.05) * (i < 60 ? 1 : 1.15);
    const struct pyr_changes_options options = {.seed = 1};
    struct pyr_changes changes;
    uint64_t start = cpu_ns();
    pyr_find_changes(history, 100, &options, arena, &changes);
    printf("history of 100 runs with a step of 15 %%: %zu change found in %.0f ms\n", changes.count,
           since_ms(start));
    pyr_arena_destroy(arena);
}

int main(int argc, char **argv) {
    uint64_t n = 16000000;
    struct pyr_err err;
    if (argc > 1 && (!pyr_parse_u64(argv[1], &n, &err) || n < 1000)) {
        fprintf(stderr, "VALUES: a number, 1000 or more\n");
        return 2;
    }
    struct pyr_rng rng;
    pyr_rng_init(&rng, 1);
    uint64_t *values = pyr_xcalloc(n, sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = (uint64_t)(2e7 * pyr_rng_lognormal(&rng, 0.5));
    struct pyr_hist *hist = pyr_hist_create();
    bench_recording(hist, values, n);
    bench_quantiles(values, n);
    bench_merging(hist);
    bench_history(values, n);
    bench_changes(&rng);
    pyr_hist_destroy(hist);
    pyr_free(values);
    return 0;
}
