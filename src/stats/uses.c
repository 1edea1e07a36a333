/* SPDX-License-Identifier: MIT */
#include "stats/uses.h"

#include "stats/result.h"

#include <assert.h>

enum { USES_OF_ONE_METRIC = 20 };

#define VALUE PYR_COLUMN_VALUE
#define MEAN PYR_COLUMN_MEAN
#define P50 PYR_Q_P50
#define P75 PYR_Q_P75
#define P90 PYR_Q_P90
#define P95 PYR_Q_P95
#define P99 PYR_Q_P99
#define P99_9 PYR_Q_P99_9

#define SHOWN(GROUP, RANK, STATISTIC, HEADER)                                                      \
    {                                                                                              \
        .kind = PYR_USE_SHOWN, .set = PYR_FIGURES_##GROUP, .rank = RANK, .statistic = STATISTIC,   \
        .text = HEADER                                                                             \
    }
#define OF_ONE                                                                                     \
    { .kind = PYR_USE_OF_ONE }
#define OF_MANY                                                                                    \
    { .kind = PYR_USE_OF_MANY }
#define TRACKED(RANK, STATISTIC)                                                                   \
    { .kind = PYR_USE_TRACKED, .rank = RANK, .statistic = STATISTIC }
#define COMPARED(RANK, STATISTIC, SET, FLOOR)                                                      \
    { .kind = PYR_USE_COMPARED, .rank = RANK, .statistic = STATISTIC, .set = SET, .number = FLOOR }
#define LEVEL(RANK, STATISTIC, KEY)                                                                \
    { .kind = PYR_USE_LEVEL, .rank = RANK, .statistic = STATISTIC, .text = KEY }
#define OPEN_LOOP(METRIC)                                                                          \
    { .kind = PYR_USE_OPEN_LOOP, .set = PYR_M_##METRIC }
#define PER_REQUEST                                                                                \
    { .kind = PYR_USE_PER_REQUEST }
#define READ_OFF                                                                                   \
    { .kind = PYR_USE_READ_OFF }
#define INSTRUMENT_ERROR(RANK, KEY, LABEL)                                                         \
    { .kind = PYR_USE_INSTRUMENT_ERROR, .rank = RANK, .text = KEY, .label = LABEL }
#define INSTRUMENT_COST(RANK, KEY, FACTOR)                                                         \
    { .kind = PYR_USE_INSTRUMENT_COST, .rank = RANK, .text = KEY, .number = FACTOR }

/* The rest of each row is filled with PYR_USE_NONE. */
static const struct pyr_use uses_of[PYR_METRIC_COUNT][USES_OF_ONE_METRIC] = {
#define PYR_METRIC(ENUM, NAME, UNIT, KIND, BETTER, ORIGIN, LABEL, DEFINITION, SOURCE, ...)         \
    [PYR_M_##ENUM] = {__VA_ARGS__},
#include "record/metric.def"
#undef PYR_METRIC
};

size_t pyr_uses_of(enum pyr_use_kind kind, struct pyr_use uses[PYR_USES_MAX]) {
    size_t count = 0;
    for (int m = 0; m < PYR_METRIC_COUNT; m++)
        for (size_t i = 0; i < USES_OF_ONE_METRIC && uses_of[m][i].kind != PYR_USE_NONE; i++) {
            if (uses_of[m][i].kind != kind)
                continue;
            assert(count < PYR_USES_MAX);
            size_t at = count++;
            for (; at > 0 && uses[at - 1].rank > uses_of[m][i].rank; at--)
                uses[at] = uses[at - 1];
            uses[at] = uses_of[m][i];
            uses[at].metric = (enum pyr_metric)m;
        }
    return count;
}

static const struct pyr_use *find(enum pyr_metric metric, enum pyr_use_kind kind) {
    for (size_t i = 0; i < USES_OF_ONE_METRIC; i++)
        if (uses_of[metric][i].kind == kind)
            return &uses_of[metric][i];
    return NULL;
}

bool pyr_metric_is(enum pyr_metric metric, enum pyr_use_kind kind) {
    return find(metric, kind) != NULL;
}

enum pyr_metric pyr_metric_by_load(enum pyr_metric metric, bool open_loop) {
    const struct pyr_use *use = open_loop ? find(metric, PYR_USE_OPEN_LOOP) : NULL;
    return use ? (enum pyr_metric)use->set : metric;
}

enum pyr_metric pyr_metric_of_either(enum pyr_metric metric) {
    for (int m = 0; m < PYR_METRIC_COUNT; m++) {
        const struct pyr_use *use = find((enum pyr_metric)m, PYR_USE_OPEN_LOOP);
        if (use && use->set == (int)metric)
            return (enum pyr_metric)m;
    }
    return metric;
}
