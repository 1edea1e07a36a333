/* SPDX-License-Identifier: MIT
 *
 * The command line as it can be typed again, for records and reports.
 */
#ifndef PYR_CLI_TYPED_H
#define PYR_CLI_TYPED_H

#include "cli/commands.h"

/* What holds other than plain characters is quoted; the password of a URL (scheme://user:PASSWORD@)
 * and the value of a header become "***", because records are passed on. In the command's arena. */
const char *pyr_typed_again(const struct pyr_cli *cli);

#endif
