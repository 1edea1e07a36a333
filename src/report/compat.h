/* SPDX-License-Identifier: MIT
 *
 * A run by another tool's definitions beside ours (stats/compat.h), for people and for programs
 * (docs/compat.md).
 */
#ifndef PYR_REPORT_COMPAT_H
#define PYR_REPORT_COMPAT_H

#include "report/formats.h"
#include "stats/compat.h"

/* A table a case, then one line a metric: what they mean by it and why ours differs. */
void pyr_report_compat_text(const struct pyr_compat_result *compat,
                            const struct pyr_report_options *options, struct pyr_buf *out);
/* One JSON object, "schema": "pyrometer-compat/1". */
void pyr_report_compat_json(const struct pyr_compat_result *compat, struct pyr_buf *out);

#endif
