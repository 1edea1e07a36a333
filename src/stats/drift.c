/* SPDX-License-Identifier: MIT */
#include "stats/drift.h"

#include "base/mem.h"
#include "estimate/steady.h"

#include <math.h>
#include <string.h>

static bool is_soak(const struct pyr_case_data *data) {
    for (size_t k = 0; k < data->phase_count; k++)
        if (data->phases[k].number >= PYR_PHASE_OF_PATTERN &&
            strncmp(data->phases[k].name, "soak", 4) == 0)
            return true;
    return false;
}

/* Per hour; x are seconds. */
static struct pyr_estimate per_hour(const double *x, const double *y, size_t n) {
    struct pyr_estimate slope = pyr_slope_of(x, y, n).slope;
    slope.value *= 3600;
    slope.lo *= 3600;
    slope.hi *= 3600;
    return slope;
}

static struct pyr_estimate of_memory(const struct pyr_case_data *data, double from_s) {
    double *x = pyr_xcalloc(data->sample_count + 1, sizeof *x);
    double *y = pyr_xcalloc(data->sample_count + 1, sizeof *y);
    size_t n = 0;
    for (size_t i = 0; i < data->sample_count; i++) {
        const struct pyr_reading *sample = &data->samples[i];
        if (sample->metric != PYR_M_RSS || sample->time_ns < data->measured.start_ns ||
            sample->time_ns >= data->measured.end_ns)
            continue;
        x[n] = (double)(sample->time_ns - data->measured.start_ns) * 1e-9;
        y[n] = sample->value;
        n += x[n] >= from_s;
    }
    struct pyr_estimate slope =
        n ? per_hour(x, y, n) : pyr_estimate_unknown("the target's memory is not seen from here");
    pyr_free(x);
    pyr_free(y);
    return slope;
}

static struct pyr_estimate of_times(const struct pyr_case_result *result, bool ttft,
                                    double from_s) {
    double *x = pyr_xcalloc(result->timeline_count + 1, sizeof *x);
    double *y = pyr_xcalloc(result->timeline_count + 1, sizeof *y);
    size_t n = 0;
    for (size_t i = 0; i < result->timeline_count; i++) {
        const struct pyr_timeline_point *point = &result->timeline[i];
        double value = ttft ? point->ttft_median_ns : point->latency_median_ns;
        if (isnan(value) || point->start_s < from_s)
            continue;
        x[n] = point->start_s;
        y[n++] = value;
    }
    struct pyr_estimate slope = per_hour(x, y, n);
    pyr_free(x);
    pyr_free(y);
    return slope;
}

void pyr_drift_make(const struct pyr_case_data *data, struct pyr_arena *arena,
                    struct pyr_case_result *result) {
    if (!is_soak(data))
        return;
    struct pyr_drift_result *drift = pyr_arena_alloc(arena, sizeof *drift);
    double from_s = result->whole_s / 10;
    drift->seconds = result->whole_s - from_s;
    drift->rss_bytes_per_h = of_memory(data, from_s);
    drift->latency_ns_per_h = of_times(result, false, from_s);
    drift->ttft_ns_per_h = of_times(result, true, from_s);
    result->drift = drift;
}
