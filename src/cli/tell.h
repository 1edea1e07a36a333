/* SPDX-License-Identifier: MIT
 *
 * How a comparison is told: on standard output, or in files.
 */
#ifndef PYR_CLI_TELL_H
#define PYR_CLI_TELL_H

#include "cli/commands.h"
#include "stats/comparison.h"

/* Prints it in `format` (NULL: terminal) on standard output, or writes it to `path`. */
bool pyr_tell_comparison(struct pyr_cli *cli, const struct pyr_comparison *comparison,
                         const char *format, const char *path, struct pyr_err *err);

/* Writes comparison_report.md, .json, .xml and .html into the folder, and names them on standard
 * error. */
bool pyr_tell_reports(struct pyr_cli *cli, const struct pyr_comparison *comparison,
                      const char *folder, struct pyr_err *err);

#endif
