/* SPDX-License-Identifier: MIT
 *
 * docs/metrics.md as generated from record/metric.def. A test holds the file to it;
 * PYR_GOLDEN=write in that test's environment writes it again.
 */
#ifndef PYR_REPORT_METRICS_DOC_H
#define PYR_REPORT_METRICS_DOC_H

#include "base/buf.h"

void pyr_metrics_doc(struct pyr_buf *out);

#endif
