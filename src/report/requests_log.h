/* SPDX-License-Identifier: MIT
 *
 * Every request of a run file with its raw stamps and the times of its chunks, one JSON object a
 * line (docs/formats/requests.md). Straight from the records: nothing is computed or left out.
 *
 * Streams: memory holds the requests in flight at one point of the file, whatever its length.
 */
#ifndef PYR_REPORT_REQUESTS_LOG_H
#define PYR_REPORT_REQUESTS_LOG_H

#include "base/err.h"

#include <stdint.h>
#include <stdio.h>

struct pyr_requests_log_counts {
    uint64_t requests;    /* lines written */
    uint64_t incomplete;  /* of them, those whose chunks are not all in the file */
    uint64_t lost_chunks; /* of requests whose own record is not in the file: killed in flight */
};

/* Fails on what is no run file and when `out` cannot be written; a damaged tail is no failure. */
bool pyr_report_requests_log(const char *run_path, FILE *out,
                             struct pyr_requests_log_counts *counts, struct pyr_err *err);
/* The same into a file, whole or not at all. */
bool pyr_report_requests_log_file(const char *run_path, const char *path,
                                  struct pyr_requests_log_counts *counts, struct pyr_err *err);

#endif
