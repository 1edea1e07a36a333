/* SPDX-License-Identifier: MIT
 *
 * Recommendations: rules of thumb over a finished result. Each cites the number that triggered it,
 * and none promises a gain.
 */
#include "stats/goals.h"

#include <math.h>
#include <string.h>

enum { RECOMMENDATIONS_MAX = 16 };

struct advice {
    struct pyr_arena *arena;
    const char *text[RECOMMENDATIONS_MAX];
    size_t count;
};

static void advise(struct advice *advice, const char *text) {
    for (size_t i = 0; i < advice->count; i++)
        if (strcmp(advice->text[i], text) == 0)
            return;
    if (advice->count < RECOMMENDATIONS_MAX)
        advice->text[advice->count++] = text;
}

static double value_of(const struct pyr_case_result *one, enum pyr_metric metric) {
    const struct pyr_metric_result *row = pyr_case_metric(one, metric);
    return row ? row->value.value : (double)NAN;
}

static double p50_of(const struct pyr_case_result *one, enum pyr_metric metric) {
    const struct pyr_metric_result *row = pyr_case_metric(one, metric);
    return row ? row->quantile[PYR_Q_P50].value : (double)NAN;
}

static void on_case(const struct pyr_case_result *one, struct advice *advice) {
    if (one->serialises)
        advise(advice, pyr_arena_printf(advice->arena,
                                        "%s: %s; look for a lock or a single slot in the target",
                                        one->plan->id, one->serialises));
    double queue = p50_of(one, PYR_M_QUEUE_TIME), service = p50_of(one, PYR_M_SERVICE_TIME);
    if (queue > service)
        advise(advice,
               pyr_arena_printf(advice->arena,
                                "%s: half of the requests wait %.0f ms for a sequence and are "
                                "served in %.0f ms; more sequences or less load shorten the wait",
                                one->plan->id, queue * 1e-6, service * 1e-6));
    double bandwidth = value_of(one, PYR_M_BANDWIDTH_SHARE);
    if (bandwidth > 0.6)
        advise(advice,
               pyr_arena_printf(advice->arena,
                                "%s: decoding reads %.0f %% of the measured memory bandwidth; a "
                                "smaller quantisation or batching helps more than threads",
                                one->plan->id, bandwidth * 100));
}

/* The first level from which throughput no longer grows by a tenth. */
static void on_levels(const struct pyr_suite_result *suite, struct advice *advice) {
    for (size_t i = 1; i < suite->case_count; i++) {
        const struct pyr_case_result *low = &suite->cases[i - 1], *high = &suite->cases[i];
        if (low->plan->open_loop || high->plan->open_loop ||
            high->plan->concurrency <= low->plan->concurrency)
            continue;
        const struct pyr_metric_result *a = pyr_case_metric(low, PYR_M_OUTPUT_TOKEN_THROUGHPUT);
        const struct pyr_metric_result *b = pyr_case_metric(high, PYR_M_OUTPUT_TOKEN_THROUGHPUT);
        if (!a || !b || !(b->value.hi < 1.1 * a->value.lo))
            continue;
        advise(advice,
               pyr_arena_printf(advice->arena,
                                "throughput stops growing at %u in flight: %.1f tok/s there, %.1f "
                                "at %u; more in flight only adds waiting",
                                low->plan->concurrency, a->value.value, b->value.value,
                                high->plan->concurrency));
        return;
    }
}

void pyr_recommend(struct pyr_result *result) {
    struct advice advice = {.arena = result->arena};
    for (size_t s = 0; s < result->suite_count; s++) {
        for (size_t c = 0; c < result->suites[s].case_count; c++)
            on_case(&result->suites[s].cases[c], &advice);
        on_levels(&result->suites[s], &advice);
    }
    const char **text = pyr_arena_array(result->arena, advice.count, sizeof *text);
    if (advice.count)
        memcpy(text, advice.text, advice.count * sizeof *text);
    result->recommendations = text;
    result->recommendation_count = advice.count;
}
