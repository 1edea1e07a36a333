/* SPDX-License-Identifier: MIT
 *
 * The main job: measure one target with suites of cases and leave a run file, a result and reports.
 * `bench` is options in, outcome out; the command line fills the options and prints nothing but
 * progress.
 */
#ifndef PYR_SUITE_BENCH_H
#define PYR_SUITE_BENCH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/fs.h"
#include "record/run.h"
#include "stats/result.h"
#include "suite/presets.h"
#include "target/target.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One thing that somebody said, and who: for the record of the effective configuration. */
struct pyr_setting {
    const char *name, *value; /* "concurrency", "1,4,8" */
    const char *source;       /* "command line", "environment", or a file's name */
};

/* What the user said; zero and NULL mean "not said", and the preset decides (suite/presets.c).
 * Lists live in the caller's arena. */
struct pyr_bench_options {
    const char *target;      /* TARGET as resolved: a path, an URL, "sim:...", "null:" */
    const char *target_note; /* one line printed first: "synthesised, random weights", or NULL */
    const char *model;       /* http: the model's name */
    bool isolate;            /* in-process engines run in a worker process */
    const char *preset;      /* "quick", ...; NULL: quick */
    /* What a configuration file made of the preset (suite/config.h); NULL: the preset itself. */
    const struct pyr_preset *preset_data;
    const char *suite; /* "inference", "concurrent", "all"; NULL: the preset's */

    const uint64_t *concurrency; /* levels of the concurrent suite */
    size_t concurrency_count;
    double rate;                         /* requests/s in total, > 0: open loop */
    uint64_t clients;                    /* with rate: rate is per client */
    const char *arrival;                 /* "constant", "poisson", "gamma", "burst" */
    double arrival_cv;                   /* gamma: coefficient of variation; 0: 1 */
    uint64_t requests;                   /* of each case */
    uint64_t duration_ns;                /* of the whole run */
    uint64_t level_time_ns;              /* the most that one case takes */
    uint64_t warmup_requests, warmup_ns; /* of each case; warmup_set: said, even if zero */
    bool warmup_set;
    int start_burst; /* closed loop: 0: users start spread, 1: all at once (load/driver.h) */
    uint64_t think_ns;
    bool heed_retry_after;
    uint64_t timeout_ns;                                               /* of one request */
    uint64_t timeout_connect_ns, timeout_first_ns, timeout_between_ns; /* of its parts; 0: none */
    uint64_t drain_ns;

    const char *prompt_tokens; /* N or a distribution (load/workload.h); one class of that name */
    const char *output_tokens;
    const char *prompts_path;
    const char *sessions; /* conversations to hold turn by turn (load/workload.h); closed loop */
    const char *trace;    /* recorded traffic to play (load/trace.h): instants and lengths */
    double trace_speed;   /* 2: twice as fast; 0: 1 */
    double shared_prefix; /* share of the prompt that all requests have in common, 0..1 */
    double cancel_share;  /* share of requests that are cancelled */
    uint64_t cancel_after_ns;
    bool exact_output; /* fewer tokens than asked is an error */
    float temperature;

    const uint64_t *threads; /* compute threads, swept when several */
    size_t threads_count;
    const char *engine_dir;
    const struct pyr_option *target_options; /* engine and target options; a value with
                                                       commas is swept: "flash_attn=on,off" */
    size_t target_option_count;
    uint64_t seed;
    uint64_t runs; /* the same run several times, a fresh worker each; 0: once */

    const char *slo;    /* "ttft_p99=500ms,itl_p99=50ms,error=1%" */
    const char *output; /* folder or file; NULL: benchmark_results/ */
    const char *format; /* further formats, comma-separated; NULL: terminal + json */
    const char *requests_log;
    const char *command_line;           /* as typed */
    const char *repeat_line;            /* the same without where it is kept; NULL: as typed */
    const struct pyr_setting *settings; /* what is not the preset's, and who said it */
    size_t setting_count;
    bool no_calibrate, color;
    bool strict; /* an entry of a file that cannot be taken is an error, not a caution */

    const struct pyr_root *root; /* where the machine is read; NULL: this one */

    const volatile sig_atomic_t *stop; /* set by a signal handler to the signal's number */
};

/* Fed about ten times a second from the driving thread, without allocation. */
struct pyr_bench_progress {
    const char *stage; /* what is done beside the cases, told at once; NULL: a case runs */
    const char *suite, *case_id;
    uint32_t case_index, case_count; /* of the whole run */
    double case_share;               /* how far this case is, 0..1 */
    double elapsed_s, remaining_s;   /* remaining: an estimate, NaN when unknown */
    double drain_s; /* the last answers are waited for, at most so long; 0: not yet */
    uint64_t sent, ok, failed, in_flight;
    double requests_per_s, output_tokens_per_s;
    double ttft_p50_ns, latency_p50_ns, latency_p90_ns; /* NaN until known */
};
typedef void pyr_bench_progress_fn(void *context, const struct pyr_bench_progress *progress);

struct pyr_bench_outcome {
    struct pyr_result *result; /* the caller destroys it; NULL when there is none */
    char results_path[4096];   /* results.json as written */
    char run_path[4096];       /* the run file */
    const char *files[16];     /* all that was written, in the arena of the result */
    size_t file_count;
    int signal;       /* that ended it early, or 0 */
    bool missed_goal; /* one that the user named */
    bool invalid;     /* the measurement itself is not to be trusted (exit 4) */
};

/* Runs the benchmark and writes its files. A signal or a failing target in mid-run ends it with a
 * valid partial outcome; false is for what kept it from leaving any result. */
bool pyr_bench_run(const struct pyr_bench_options *options, pyr_bench_progress_fn *progress,
                   void *progress_context, struct pyr_bench_outcome *outcome, struct pyr_err *err);

#endif
