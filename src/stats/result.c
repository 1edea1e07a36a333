/* SPDX-License-Identifier: MIT */
#include "stats/result.h"

const double pyr_quantile_levels[PYR_Q_COUNT] = {0.5, 0.75, 0.9, 0.95, 0.99, 0.999};
const char *const pyr_quantile_names[PYR_Q_COUNT] = {"p50", "p75", "p90", "p95", "p99", "p99_9"};

const struct pyr_metric_result *pyr_case_metric(const struct pyr_case_result *result,
                                                enum pyr_metric metric) {
    for (size_t i = 0; i < result->metric_count; i++)
        if (result->metrics[i].metric == metric)
            return &result->metrics[i];
    return NULL;
}

const char *pyr_grade_name(enum pyr_grade grade) {
    static const char *const names[] = {
        [PYR_GRADE_UNGRADED] = "UNGRADED",     [PYR_GRADE_POOR] = "POOR",
        [PYR_GRADE_ACCEPTABLE] = "ACCEPTABLE", [PYR_GRADE_GOOD] = "GOOD",
        [PYR_GRADE_EXCELLENT] = "EXCELLENT",
    };
    return names[grade];
}

const char *pyr_goal_verdict_name(enum pyr_goal_verdict verdict) {
    static const char *const names[] = {
        [PYR_GOAL_MET] = "met",
        [PYR_GOAL_MISSED] = "missed",
        [PYR_GOAL_UNDECIDED] = "undecided",
        [PYR_GOAL_UNKNOWN] = "unknown",
    };
    return names[verdict];
}
