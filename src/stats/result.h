/* SPDX-License-Identifier: MIT
 *
 * The result: what a run means. The second waist of the program; stats makes it from a run file,
 * and report, store and web read nothing else, so that the terminal, JSON, HTML and CSV can never
 * disagree. Plain data in one arena; unknown numbers are NaN with a reason.
 */
#ifndef PYR_STATS_RESULT_H
#define PYR_STATS_RESULT_H

#include "base/arena.h"
#include "base/err.h"
#include "estimate/estimate.h"
#include "estimate/hist.h"
#include "estimate/lockstep.h"
#include "record/metric.h"
#include "record/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PYR_Q_P50, PYR_Q_P75, PYR_Q_P90, PYR_Q_P95, PYR_Q_P99, PYR_Q_P99_9, PYR_Q_COUNT };
extern const double pyr_quantile_levels[PYR_Q_COUNT];     /* 0.5 ... 0.999 */
extern const char *const pyr_quantile_names[PYR_Q_COUNT]; /* "p50" ... "p99_9" */

/* A point of a percentile plot. */
struct pyr_curve_point {
    double q;
    struct pyr_estimate at;
};

/* A time of all requests that were asked for, each failure counted as one that never came. */
struct pyr_of_all_asked {
    uint64_t asked, failed;                    /* failed > 0 */
    struct pyr_estimate quantile[PYR_Q_COUNT]; /* infinite: never, and the reason says how many */
    double vif;                                /* at p50 */
};

struct pyr_metric_result {
    enum pyr_metric metric;
    const char *source; /* how it was made */
    uint64_t n;         /* values, requests or tokens behind it */
    /* SCALAR metrics: */
    struct pyr_estimate value;
    /* DISTRIBUTION metrics; values in the metric's unit: */
    struct pyr_estimate mean, quantile[PYR_Q_COUNT];
    double sd, min, max;
    double vif, n_effective;      /* variance inflation by autocorrelation at p50; n / vif */
    bool run_too_short;           /* beside how long it stays alike (estimate/correlation.h) */
    uint64_t needed[PYR_Q_COUNT]; /* more values wanted for a bounded interval; 0: bounded */
    double early_stopping_p99;    /* MLPerf's conservative p99, NaN when n is too small */
    bool from_histogram;          /* more values than are kept exactly */
    double relative_error;        /* of a quantile's value when from_histogram */
    uint64_t overflow;            /* values outside the histogram: shown on the first screen */
    const struct pyr_curve_point *curve; /* latency, TTFT and ITL; else NULL */
    size_t curve_count;
    /* NULL: no request failed, or it is not a time that a failure would have had. Goals are held
     * against it. */
    const struct pyr_of_all_asked *of_all;
    /* The values themselves, in the metric's unit, so that runs can be merged and recomputed: kept
     * for latency, TTFT and ITL, else NULL. In the result's arena. */
    const struct pyr_hist *hist;
};

enum pyr_steadiness { PYR_STEADY, PYR_NEVER_STEADY, PYR_STEADY_UNKNOWN };

/* One step of a case's timeline, for display only. */
struct pyr_timeline_point {
    double start_s, width_s; /* from the case's first request */
    uint64_t ok, failed, output_tokens;
    double latency_median_ns, latency_max_ns, ttft_median_ns; /* NaN: none ended here */
    double in_flight;                                         /* time-weighted mean */
    double asked_rate, asked_concurrency;                     /* NaN: not asked */
};

struct pyr_spike {
    double at_s; /* from the case's first request */
    double latency_ns;
};

struct pyr_phase_result {
    const char *name; /* "warmup", "measured", "ramp 1", ... */
    bool of_pattern;  /* a part of the asked curve; else one of the driver's own phases */
    double start_s, seconds;
    uint64_t requests, ok;                              /* scheduled in it */
    double latency_p50_ns, latency_p90_ns, ttft_p50_ns; /* of those */
    double rate;                                        /* ok per second, by estimate/flow.h */
    double in_flight;                                   /* time-weighted mean */
    double asked_rate, asked_concurrency;               /* means over the phase; NaN: not asked */
};

/* The same turn of all sessions of a case; times from sent. */
struct pyr_turn_result {
    uint32_t turn;  /* from 0 */
    bool and_later; /* this row holds the later ones too */
    uint64_t requests, ok;
    double prompt_tokens, output_tokens; /* means of the ok ones; NaN: none */
    struct pyr_estimate ttft_p50_ns, ttft_p90_ns, latency_p50_ns;
};

/* How memory and latency move over a long case at one load: slopes with Sen's interval. */
struct pyr_drift_result {
    double seconds;
    struct pyr_estimate rss_bytes_per_h; /* unknown: the target's memory is not seen from here */
    struct pyr_estimate latency_ns_per_h;
    struct pyr_estimate ttft_ns_per_h;
};

/* Open loop with a cap: requests for which none of our own slots was free when they were due. Times
 * from the schedule hold that wait, times from the sending do not. */
struct pyr_own_queue {
    uint64_t waited, never_sent;                  /* never sent: no slot came free in time */
    double wait_p50_ns, wait_p99_ns, wait_max_ns; /* of those that were sent; NaN: none */
};

struct pyr_case_result {
    const struct pyr_case *plan;
    uint64_t outcomes[PYR_OUTCOME_COUNT];
    uint64_t total, ok, flag_short, flag_no_done;
    uint64_t with_output;           /* ok ones that held any */
    uint64_t kinds[PYR_KIND_COUNT]; /* ok ones that held it: by bit of enum pyr_request_kind */
    double whole_s, steady_s;       /* lengths of the two windows */
    double cut_s;                   /* where the steady window begins within the measured phase */
    double events_per_s;            /* content chunks that came in, over the measured phase */
    enum pyr_steadiness steadiness;
    bool saturating;         /* queue and TTFT both still rising at the end */
    const char *saturation;  /* the evidence at one rate, else NULL (trends say it alone) */
    const char *ended_early; /* why a level ended before its time, else NULL */
    const char *late; /* our generator was the bottleneck: the sentence that says so, else NULL */
    const struct pyr_metric_result *metrics; /* of the steady window */
    size_t metric_count;
    const struct pyr_metric_result *whole; /* of the whole measured phase */
    size_t whole_count;
    const struct pyr_timeline_point *timeline;
    size_t timeline_count;
    const struct pyr_spike *spikes; /* robust definition, first 1000 */
    size_t spike_count;
    const struct pyr_phase_result *phases;
    size_t phase_count;
    bool patterned; /* the asked load is meant to vary: the phases tell more than the whole */
    const struct pyr_turn_result *turns; /* of sessions, by turn; NULL: single requests */
    size_t turn_count;
    const struct pyr_drift_result *drift; /* of a soak; else NULL */
    struct pyr_own_queue own_queue;
    uint64_t outputs_hash; /* over (prompt hash, text hash), order-independent; 0: none */
    const char *unlevel;   /* Little's law does not hold: the sentence that says so, else NULL */
    struct pyr_lockstep lockstep; /* of a closed loop's users, over the measured phase */
    const char *in_step;          /* a sentence where they move in step, else NULL */
    const struct pyr_phase_result *first_wave; /* all users sent at once; NULL: they did not */
    const char *burst;      /* a sentence where that is part of what was measured, else NULL */
    const char *serialises; /* a sentence when parallelism stays near one, else NULL */
    const char *const *warnings;
    size_t warning_count;
};

enum pyr_goal_verdict { PYR_GOAL_MET, PYR_GOAL_MISSED, PYR_GOAL_UNDECIDED, PYR_GOAL_UNKNOWN };

struct pyr_goal_result {
    const struct pyr_goal *goal;
    const char *case_id; /* where it was judged worst; NULL: nowhere */
    struct pyr_estimate seen;
    enum pyr_goal_verdict verdict;
    const char *why; /* one sentence with the numbers */
};

enum pyr_grade {
    PYR_GRADE_UNGRADED,
    PYR_GRADE_POOR,
    PYR_GRADE_ACCEPTABLE,
    PYR_GRADE_GOOD,
    PYR_GRADE_EXCELLENT
};

/* A column of a suite's table, as the suite asked for it. */
struct pyr_suite_column {
    enum pyr_metric metric;
    int statistic;      /* PYR_Q_..., PYR_COLUMN_VALUE or PYR_COLUMN_MEAN */
    const char *header; /* NULL: the metric's name and the statistic */
};
enum { PYR_COLUMN_VALUE = -1, PYR_COLUMN_MEAN = -2 };

struct pyr_suite_result {
    const char *name; /* "inference", "concurrent", ... */
    const struct pyr_case_result *cases;
    size_t case_count;
    const struct pyr_suite_column *columns; /* (column_count); none: what is known of requests */
    size_t column_count;
};

enum pyr_level_verdict { PYR_LEVEL_PASSED, PYR_LEVEL_FAILED, PYR_LEVEL_UNDECIDED };

/* One load of a search or a sweep: all tries of it, and the case that decided last. Curves of
 * goodput against load and of throughput against latency are drawn over these. */
struct pyr_level {
    double load; /* requests in flight, or requests/s offered */
    enum pyr_level_verdict verdict;
    const char *by;       /* the criterion that failed or could not be decided; NULL when passed */
    const char *evidence; /* what was seen of it, one clause with numbers; NULL when passed */
    const struct pyr_case_result *one;
    size_t tries;
    /* The tries that came to the same verdict, as one (stats/tries.h): what tables and curves show.
     * Only its metrics, counts and lengths are of all of them. */
    const struct pyr_case_result *pooled;
    size_t pooled_tries;
};
const char *pyr_level_verdict_name(enum pyr_level_verdict verdict); /* "passed", ... */

/* What a search for the highest load that the target carries found. Loads are in flight in closed
 * loop and requests/s in open loop. */
struct pyr_stress_result {
    double max_sustainable_load; /* highest that passed; NaN: none did */
    double first_failing_load;   /* lowest that failed above it; NaN: none did */
    const char *failed_by;       /* which criterion failed first, NULL: none */
    bool open_loop;
    const double *stable_levels; /* loads tested that passed, ascending */
    size_t stable_count;
    const struct pyr_level *levels; /* by load, ascending */
    size_t level_count;
};

/* What comparing a thing with itself showed: differences below it are noise. */
struct pyr_noise_floor {
    double ratio;       /* 0.02: two runs of the same thing differ by 2 % */
    uint64_t pairs;     /* behind it */
    const char *source; /* how it was measured */
};

struct pyr_result {
    struct pyr_arena *arena; /* everything below lives in it */
    const char *meta_json;   /* the run file's META block: command, config, system_info, target */
    const char *run_path;
    const char *partial; /* NULL, or why the run is not whole */
    bool simulated, interrupted;
    const char *invalid; /* why the measurement is not to be trusted (exit 4), or NULL */
    const struct pyr_suite_result *suites;
    size_t suite_count;
    /* The instrument itself: observations of no case, and its errors at the run's highest load. */
    const struct pyr_metric_result *instrument;
    size_t instrument_count;
    /* The instrument held against a server of known schedule, load by load (plan->id: "warm-up",
     * "highest"). One that there is not has no metrics, and a warning that says why. */
    const struct pyr_case_result *calibrations;
    size_t calibration_count;
    /* Sentences: how the figures of this run compare with those errors. The first says what is
     * wrong where instrument_alarm is set. */
    const char *const *instrument_notes;
    size_t instrument_note_count;
    bool instrument_alarm; /* an own error is not small beside what was measured */
    const struct pyr_goal_result *goals;
    size_t goal_count, goals_met, goals_decided;
    enum pyr_grade grade;
    const char *grade_reason;                  /* why UNGRADED, or "3 of 4 decided goals met" */
    const struct pyr_stress_result *stress;    /* NULL: no such search in this run */
    const struct pyr_noise_floor *noise_floor; /* NULL: not measured */
    const char *const *recommendations;
    size_t recommendation_count;
    const char *const *warnings; /* of the whole run; shown first */
    size_t warning_count;
    uint64_t requests, chunks;
};

/* The metric's row of a case's steady window, or NULL. */
const struct pyr_metric_result *pyr_case_metric(const struct pyr_case_result *result,
                                                enum pyr_metric metric);
const char *pyr_grade_name(enum pyr_grade grade);                 /* "EXCELLENT", ... */
const char *pyr_goal_verdict_name(enum pyr_goal_verdict verdict); /* "met", "missed", ... */

/* Makes the result of a run file (or its folder). Frees everything with pyr_result_destroy. */
bool pyr_result_make(const char *run_path, struct pyr_result **result, struct pyr_err *err);
/* The same of one case alone, for who judges it while the run goes on: the other cases are there in
 * none of its lists and are not analysed. Fails where the file has no such case. */
bool pyr_result_make_case(const char *run_path, uint32_t case_index, struct pyr_result **result,
                          struct pyr_err *err);
/* The same for who knows why the file is not whole: `why` stands in the result where it is not. */
bool pyr_result_make_cut(const char *run_path, const char *why, struct pyr_result **result,
                         struct pyr_err *err);
void pyr_result_destroy(struct pyr_result *result);

#endif
