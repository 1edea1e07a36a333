/* SPDX-License-Identifier: MIT
 *
 * The Markdown report, also as GitHub's step summary, which must not grow beyond what it takes.
 */
#ifndef PYR_REPORT_MARKDOWN_H
#define PYR_REPORT_MARKDOWN_H

#include "base/buf.h"
#include "stats/result.h"

#include <stddef.h>

/* Sections are left out from the least important on until the report holds at most max_bytes, and
 * the report says so. The head (target, banners, warnings, goals) is always there, each list cut
 * to its first hundred. */
void pyr_markdown_put(struct pyr_buf *out, const struct pyr_result *result, size_t max_bytes);

#endif
