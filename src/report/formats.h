/* SPDX-License-Identifier: MIT
 *
 * The formats in which a result can be told, as one table. A format is one file (report/NAME.c)
 * and one row; all read the same `struct pyr_result`, so that they cannot disagree.
 */
#ifndef PYR_REPORT_FORMATS_H
#define PYR_REPORT_FORMATS_H

#include "base/buf.h"
#include "base/err.h"
#include "stats/result.h"

#include <stdbool.h>
#include <stddef.h>

/* How much a report for people says. */
enum pyr_report_detail {
    PYR_DETAIL_SCREEN, /* the answer, and a table a suite: a screen */
    PYR_DETAIL_BRIEF,  /* the answer alone */
    PYR_DETAIL_ALL     /* whatever is known */
};

/* How a report is to look; every field may be zero. Formats ignore what does not concern them. */
struct pyr_report_options {
    bool color;                    /* terminal: escape sequences are welcome */
    bool ascii;                    /* terminal: nothing beyond ASCII */
    enum pyr_report_detail detail; /* terminal */
    unsigned width;                /* terminal: columns; 0: 80, less than 60 counts as 60 */
    const char *const *files;      /* terminal: what was written, in the order to show */
    size_t file_count;
    const char *commit; /* csv, bmf, gobench: what was measured, in the user's own words; or NULL */
};

/* Appends the report to `out`. Fails only on what the format cannot express at all. */
typedef bool pyr_report_fn(const struct pyr_result *result,
                           const struct pyr_report_options *options, struct pyr_buf *out,
                           struct pyr_err *err);

struct pyr_report_format {
    const char *name;      /* as after --format */
    const char *extension; /* with its dot, of files in this format */
    const char *summary;   /* one line for --help */
    pyr_report_fn *write;
    /* A format of two files (github: summary and annotations; gha-benchmark: one per direction):
     * what is put before the extension of the second, and its writer. NULL otherwise. */
    const char *second_suffix;
    pyr_report_fn *write_second;
};

extern const struct pyr_report_format pyr_report_formats[]; /* ends with a NULL name */

/* The name of number `index`, NULL after the last. */
const char *pyr_report_format_name(size_t index);
/* NULL when there is none of that name (or alias: "md", "prom", "text"). */
const struct pyr_report_format *pyr_report_format_find(const char *name);

/* Fails with the nearest name and all others. */
bool pyr_report_format_fail(const char *name, struct pyr_err *err);

/* Writes the report whole or not at all (base/fs.h). The second file of a format that has one goes
 * beside the first: "a.json" and "a.bigger.json". */
bool pyr_report_write_file(const struct pyr_report_format *format, const struct pyr_result *result,
                           const struct pyr_report_options *options, const char *path,
                           struct pyr_err *err);

/* One suite in the flat keys of older documents: what DIR/SUITE_benchmark.json holds. The keys at
 * the top are those of the first case in which a request ended ok. docs/formats/results.md. */
void pyr_report_suite_json(const struct pyr_result *result, size_t index, struct pyr_buf *out);

/* The writers, for tests and for callers that want one of them without a look-up. */
pyr_report_fn pyr_report_terminal, pyr_report_json, pyr_report_html, pyr_report_markdown,
    pyr_report_csv, pyr_report_junit, pyr_report_github_summary, pyr_report_github_annotations,
    pyr_report_gha_smaller, pyr_report_gha_bigger, pyr_report_bmf, pyr_report_gobench,
    pyr_report_prometheus, pyr_report_openmetrics, pyr_report_hdr, pyr_report_hgrm;

#endif
