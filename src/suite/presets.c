/* SPDX-License-Identifier: MIT */
#include "suite/presets.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/parse.h"

#include <string.h>

#define S PYR_NS_PER_S
#define LIST(name, ...) static const uint64_t name[] = {__VA_ARGS__}
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Short enough that two cores finish all four levels of a 1.1B model within the limit. */
static const struct pyr_preset_class quick_classes[] = {
    {"short", 16, 16}, {"medium", 64, 16}, {"long", 256, 16}};
/* 64 output tokens give 63 gaps a request: enough for its mean to settle, short enough that the
 * prompt's length still shows in the latency. */
static const struct pyr_preset_class classes_to_100[] = {
    {"p10", 10, 64}, {"p50", 50, 64}, {"p100", 100, 64}};
static const struct pyr_preset_class classes_50_to_200[] = {
    {"p50", 50, 64}, {"p100", 100, 64}, {"p200", 200, 64}};
static const struct pyr_preset_class classes_to_500[] = {
    {"p10", 10, 64}, {"p50", 50, 64}, {"p100", 100, 64}, {"p500", 500, 64}};
static const struct pyr_preset_class classes_to_1000[] = {
    {"p10", 10, 64}, {"p50", 50, 64}, {"p100", 100, 64}, {"p500", 500, 64}, {"p1000", 1000, 64}};
static const struct pyr_preset_class classes_to_2000[] = {{"p10", 10, 64},     {"p50", 50, 64},
                                                          {"p100", 100, 64},   {"p500", 500, 64},
                                                          {"p1000", 1000, 64}, {"p2000", 2000, 64}};

LIST(doubling_to_8, 1, 2, 4, 8);
LIST(to_4, 1, 2, 4);
LIST(to_8, 1, 4, 8);
LIST(to_16, 1, 4, 8, 16);
LIST(to_32, 1, 4, 8, 16, 32);
LIST(to_64, 1, 4, 8, 16, 32, 64);
LIST(stress_to_10, 1, 5, 10);
LIST(stress_to_20, 1, 5, 10, 20);
LIST(stress_to_50, 1, 5, 10, 20, 50);
LIST(stress_to_100, 1, 5, 10, 20, 50, 100);

#define CLASSES(array) .classes = (array), .class_count = COUNT(array)
#define LEVELS(array) .levels = (array), .level_count = COUNT(array)
#define STRESS(array, seconds)                                                                     \
    .stress_levels = (array), .stress_level_count = COUNT(array), .stress_ns = (seconds)*S
#define RETRIEVAL(size, asked) .index_size = (size), .queries = (asked), .top_k = 10

/* Spikes are judged by their upper bound only: a system without any is healthy. */
#define COMMON_GOALS ",error=5%,memory_utilization=90%"
#define DEFAULT_GOALS "tok_s=30,ttft_p50=5ms,spike_rate=15%" COMMON_GOALS

const struct pyr_preset pyr_presets[] = {
    {.name = "quick",
     .summary = "a first look within five minutes on two cores (the default)",
     .suites = "inference,concurrent",
     CLASSES(quick_classes),
     LEVELS(doubling_to_8),
     /* The least that bounds p99 is 368; the rest is for the steady-state cut. A slow target comes
      * to the end of its time first. */
     .requests = 400,
     .warmup_requests = 2,
     .level_time_ns = 30 * S,
     .duration_ns = 285 * S, /* 5 minutes, with loading and the report */
     .goals = DEFAULT_GOALS,
     STRESS(stress_to_10, 60),
     RETRIEVAL(100000, 100)},
    {.name = "tok_throughput",
     .summary = "token throughput over prompt lengths and concurrency, half an hour at most",
     .suites = "inference,concurrent",
     CLASSES(classes_to_1000),
     LEVELS(to_32),
     .requests = 1000,
     .warmup_requests = 100,
     .level_time_ns = 120 * S,
     .duration_ns = 1800 * S,
     .goals = DEFAULT_GOALS,
     .energy = true,
     STRESS(stress_to_50, 300),
     RETRIEVAL(50000, 50)},
    {.name = "retrieval",
     .summary = "vector search over a million entries",
     .suites = "retrieval",
     CLASSES(classes_50_to_200),
     LEVELS(to_4),
     .requests = 200,
     .warmup_requests = 50,
     .level_time_ns = 180 * S,
     .duration_ns = 900 * S,
     .goals = "error=5%,memory_utilization=90%",
     .energy = true,
     STRESS(stress_to_20, 300),
     RETRIEVAL(1000000, 1000)},
    {.name = "full",
     .summary = "everything, half an hour at most",
     .suites = "inference,concurrent,stress,retrieval",
     CLASSES(classes_to_1000),
     LEVELS(to_32),
     .requests = 1000,
     .warmup_requests = 100,
     .level_time_ns = 300 * S,
     .duration_ns = 1800 * S,
     .goals = DEFAULT_GOALS,
     .energy = true,
     STRESS(stress_to_50, 300),
     RETRIEVAL(1000000, 1000)},
    {.name = "production",
     .summary = "five minutes for a CI job",
     .suites = "inference,concurrent,stress",
     CLASSES(classes_to_100),
     LEVELS(to_8),
     .requests = 100,
     .warmup_requests = 20,
     .level_time_ns = 120 * S,
     .duration_ns = 300 * S,
     .goals = DEFAULT_GOALS,
     STRESS(stress_to_10, 180),
     RETRIEVAL(200000, 200)},
    {.name = "regression",
     .summary = "enough requests a case to compare runs with each other",
     .suites = "inference,concurrent,stress",
     CLASSES(classes_to_500),
     LEVELS(to_16),
     .requests = 500,
     .warmup_requests = 50,
     .level_time_ns = 180 * S,
     .duration_ns = 1800 * S,
     .goals = DEFAULT_GOALS,
     .energy = true,
     STRESS(stress_to_20, 300),
     RETRIEVAL(500000, 500)},
    {.name = "stress",
     .summary = "load until it breaks",
     .suites = "stress",
     CLASSES(classes_to_100),
     LEVELS(to_16),
     .requests = 500,
     .warmup_requests = 50,
     .level_time_ns = 600 * S,
     .duration_ns = 3600 * S,
     .goals = DEFAULT_GOALS,
     .energy = true,
     STRESS(stress_to_100, 600),
     RETRIEVAL(500000, 500)},
    {.name = "rtx_4090",
     .summary = "batch sizes, lengths and goals for an RTX 4090",
     .suites = "inference,concurrent,stress,retrieval",
     CLASSES(classes_to_2000),
     LEVELS(to_64),
     .requests = 1500,
     .warmup_requests = 150,
     .level_time_ns = 300 * S,
     .duration_ns = 3600 * S,
     .goals = DEFAULT_GOALS,
     .energy = true,
     STRESS(stress_to_100, 600),
     RETRIEVAL(1000000, 1500)},
    {.name = "rtx_3080",
     .summary = "batch sizes and goals for an RTX 3080",
     .suites = "inference,concurrent,stress,retrieval",
     CLASSES(classes_to_1000),
     LEVELS(to_32),
     .requests = 1000,
     .warmup_requests = 100,
     .level_time_ns = 300 * S,
     .duration_ns = 1800 * S,
     .goals = "tok_s=25,ttft_p50=8ms,spike_rate=15%" COMMON_GOALS,
     .energy = true,
     STRESS(stress_to_50, 300),
     RETRIEVAL(1000000, 1000)},
    {.name = "cpu_only",
     .summary = "concurrency and goals for a machine without a GPU",
     .suites = "inference,concurrent,stress,retrieval",
     CLASSES(classes_to_500),
     LEVELS(doubling_to_8),
     .requests = 500,
     .warmup_requests = 10,
     .level_time_ns = 300 * S,
     .duration_ns = 1800 * S,
     .goals = "tok_s=10,ttft_p50=15ms,spike_rate=20%" COMMON_GOALS,
     .energy = true,
     STRESS(stress_to_20, 300),
     RETRIEVAL(200000, 200)},
};
const size_t pyr_preset_count = COUNT(pyr_presets);

const struct pyr_preset *pyr_preset_find(const char *name) {
    for (size_t i = 0; i < pyr_preset_count; i++)
        if (strcmp(pyr_presets[i].name, name) == 0)
            return &pyr_presets[i];
    return NULL;
}

bool pyr_preset_fail(const char *name, struct pyr_err *err) {
    const char *names[COUNT(pyr_presets)];
    struct pyr_buf list = {0};
    for (size_t i = 0; i < pyr_preset_count; i++) {
        names[i] = pyr_presets[i].name;
        pyr_buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = pyr_nearest(name, names, pyr_preset_count);
    pyr_fail(err, PYR_E_USAGE, "--preset %s: there is no such preset%s%s; there are %s", name,
             near ? "; did you mean " : "", near ? near : "", pyr_buf_text(&list));
    pyr_buf_deinit(&list);
    return false;
}
