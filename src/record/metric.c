/* SPDX-License-Identifier: MIT */
#include "record/metric.h"

#include <assert.h>
#include <string.h>

static const struct pyr_metric_info infos[PYR_METRIC_COUNT] = {
#define PYR_METRIC(ENUM, NAME, UNIT, KIND, BETTER, ORIGIN, LABEL, DEFINITION, SOURCE, ...)         \
    [PYR_M_##ENUM] = {                                                                             \
        NAME,  PYR_UNIT_##UNIT, PYR_KIND_##KIND, PYR_BETTER_##BETTER, PYR_ORIGIN_##ORIGIN,         \
        LABEL, DEFINITION,      SOURCE},
#include "record/metric.def"
#undef PYR_METRIC
};

const struct pyr_metric_info *pyr_metric_info(enum pyr_metric metric) {
    assert(metric < PYR_METRIC_COUNT);
    return &infos[metric];
}

enum pyr_metric pyr_metric_find(const char *name) {
    for (int i = 0; i < PYR_METRIC_COUNT; i++)
        if (strcmp(infos[i].name, name) == 0)
            return (enum pyr_metric)i;
    return PYR_METRIC_COUNT;
}

const char *pyr_unit_name(enum pyr_unit unit) {
    static const char *const names[] = {
        [PYR_UNIT_NS] = "ns",         [PYR_UNIT_COUNT] = "1",
        [PYR_UNIT_RATIO] = "ratio",   [PYR_UNIT_PER_S] = "1/s",
        [PYR_UNIT_TOKENS] = "tokens", [PYR_UNIT_TOKENS_PER_S] = "tokens/s",
        [PYR_UNIT_BYTES] = "bytes",   [PYR_UNIT_BYTES_PER_S] = "bytes/s",
        [PYR_UNIT_JOULES] = "J",      [PYR_UNIT_WATTS] = "W",
        [PYR_UNIT_CELSIUS] = "C",
    };
    return names[unit];
}
