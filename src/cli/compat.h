/* SPDX-License-Identifier: MIT
 *
 * --compat TOOL: a run by another tool's definitions.
 */
#ifndef PYR_CLI_COMPAT_H
#define PYR_CLI_COMPAT_H

#include "cli/cmds.h"
#include "stats/compat.h"

/* After a report on the terminal: prints the tables. Nothing when the option was not given. */
bool pyr_compat_print(const struct pyr_cli *cli, const char *run_path, struct pyr_err *err);
/* Instead of a report: as --format (terminal or json) to --output or standard output. */
bool pyr_compat_report(const struct pyr_cli *cli, const char *run_path, struct pyr_err *err);

#endif
