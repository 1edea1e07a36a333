/* SPDX-License-Identifier: MIT
 *
 * The metrics as constant data, generated from metric.def. A metric's number is its place in the
 * list and may change between versions: files and outputs use its name.
 */
#ifndef PYR_RECORD_METRIC_H
#define PYR_RECORD_METRIC_H

#include <stdbool.h>
#include <stddef.h>

enum pyr_metric {
#define PYR_METRIC(ENUM, ...) PYR_M_##ENUM,
#include "record/metric.def"
#undef PYR_METRIC
    PYR_METRIC_COUNT
};

enum pyr_unit {
    PYR_UNIT_NS,
    PYR_UNIT_COUNT,
    PYR_UNIT_RATIO,
    PYR_UNIT_PER_S,
    PYR_UNIT_TOKENS,
    PYR_UNIT_TOKENS_PER_S,
    PYR_UNIT_BYTES,
    PYR_UNIT_BYTES_PER_S,
    PYR_UNIT_JOULES,
    PYR_UNIT_WATTS,
    PYR_UNIT_CELSIUS
};

enum pyr_kind { PYR_KIND_DISTRIBUTION, PYR_KIND_SCALAR };
enum pyr_better { PYR_BETTER_LOWER, PYR_BETTER_HIGHER, PYR_BETTER_NEITHER };
enum pyr_origin { PYR_ORIGIN_RAW, PYR_ORIGIN_DERIVED };

struct pyr_metric_info {
    const char *name;
    enum pyr_unit unit;
    enum pyr_kind kind;
    enum pyr_better better;
    enum pyr_origin origin;
    const char *label, *definition, *source;
};

const struct pyr_metric_info *pyr_metric_info(enum pyr_metric metric);
/* The metric of that name, or PYR_METRIC_COUNT. */
enum pyr_metric pyr_metric_find(const char *name);
/* "ns", "1", "ratio", "1/s", "tokens", "tokens/s", "bytes", "bytes/s", "J", "W", "C". */
const char *pyr_unit_name(enum pyr_unit unit);

#endif
