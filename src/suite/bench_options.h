/* SPDX-License-Identifier: MIT
 *
 * The options of a benchmark as rows over struct pyr_bench_options: to add one is a row here and
 * the field that it fills. Rows that other commands take into structs of their own are macros.
 */
#ifndef PYR_SUITE_BENCH_OPTIONS_H
#define PYR_SUITE_BENCH_OPTIONS_H

#include "base/options.h"
#include "suite/bench.h"

/* How the target is opened; which cases a benchmark has; all else that decides what is measured and
 * what is written. `stress` has cases of its own and takes only the first and the last. */
extern const struct pyr_option_table pyr_bench_target_options, pyr_bench_case_options,
    pyr_bench_run_options;

/* The row of that name ("--drain", or "drain" as configuration files say it), or NULL. */
const struct pyr_option_row *pyr_bench_option(const char *name);
/* The row number `index` of all three, NULL after the last. */
const struct pyr_option_row *pyr_bench_option_at(size_t index);

/* The most threads and sequences that anything here is built for; beyond it a number is a slip of
 * the hand. */
enum { PYR_OPTION_MANY = 4096, PYR_OPTION_VERY_MANY = 1000000 };

#define PYR_ROW_ISOLATE(at)                                                                        \
    {                                                                                              \
        .name = "--isolate", .kind = PYR_OPTION_FLAG, .offset = (at), .meta = "isolate",           \
        .group = PYR_GROUP_TARGET, .help = "run the engine in a process of its own"                \
    }
#define PYR_ROW_THREAD_COUNT(at)                                                                   \
    {                                                                                              \
        .name = "--threads", .kind = PYR_OPTION_WHOLE, .offset = (at), .least = 1,                 \
        .most = PYR_OPTION_MANY, .argument = "N", .group = PYR_GROUP_TARGET,                       \
        .help = "threads that compute (default: the cores this process may use)"                   \
    }
#define PYR_ROWS_ENGINE(dir_at, pairs_at, pair_count_at)                                           \
    {.name = "--engine-dir",                                                                       \
     .kind = PYR_OPTION_TEXT,                                                                      \
     .offset = (dir_at),                                                                           \
     .meta = "engine_dir",                                                                         \
     .argument = "DIR",                                                                            \
     .group = PYR_GROUP_TARGET,                                                                    \
     .help = "your own build of the engine's library"},                                            \
    {                                                                                              \
        .name = "--engine-option", .aliases = {"--target-option"}, .kind = PYR_OPTION_PAIRS,       \
        .offset = (pairs_at), .count_offset = (pair_count_at), .argument = "KEY=VALUE,...",        \
        .group = PYR_GROUP_TARGET,                                                                 \
        .help = "passed to the engine; several values of a key are swept: flash_attn=on,off"       \
    }
#define PYR_ROWS_TIMEOUTS(total_at, connect_at, first_at, between_at)                              \
    {.name = "--timeout",                                                                          \
     .kind = PYR_OPTION_DURATION,                                                                  \
     .offset = (total_at),                                                                         \
     .meta = "timeout_s",                                                                          \
     .null_at_zero = true,                                                                         \
     .argument = "TIME",                                                                           \
     .group = PYR_GROUP_LOAD,                                                                      \
     .help = "a request that takes longer has failed"},                                            \
        {.name = "--timeout-connect",                                                              \
         .aliases = {"--connect-timeout"},                                                         \
         .kind = PYR_OPTION_DURATION,                                                              \
         .offset = (connect_at),                                                                   \
         .meta = "timeout_connect_s",                                                              \
         .null_at_zero = true,                                                                     \
         .argument = "TIME",                                                                       \
         .group = PYR_GROUP_LOAD,                                                                  \
         .help = "and so has one whose connection does (default: 10s before the start)"},          \
        {.name = "--timeout-first",                                                                \
         .kind = PYR_OPTION_DURATION,                                                              \
         .offset = (first_at),                                                                     \
         .meta = "timeout_first_s",                                                                \
         .null_at_zero = true,                                                                     \
         .argument = "TIME",                                                                       \
         .group = PYR_GROUP_LOAD,                                                                  \
         .help = "or its first token"},                                                            \
    {                                                                                              \
        .name = "--timeout-between", .kind = PYR_OPTION_DURATION, .offset = (between_at),          \
        .meta = "timeout_between_s", .null_at_zero = true, .argument = "TIME",                     \
        .group = PYR_GROUP_LOAD, .help = "or any token after the one before"                       \
    }
#define PYR_ROW_TEMPERATURE(at)                                                                    \
    {                                                                                              \
        .name = "--temperature", .kind = PYR_OPTION_FLOAT, .offset = (at), .meta = "temperature",  \
        .argument = "T", .group = PYR_GROUP_REQUESTS, .help = "of sampling (default 0: greedy)"    \
    }
#define PYR_ROW_SEED(at)                                                                           \
    {                                                                                              \
        .name = "--seed", .kind = PYR_OPTION_WHOLE, .offset = (at), .standard = "1",               \
        .meta = "seed", .argument = "N", .group = PYR_GROUP_LOAD,                                  \
        .help = "of everything that is drawn at random (default 1)"                                \
    }

#endif
