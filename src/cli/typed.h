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
/* The same without --output and --group: what is measured again overwrites nothing. */
const char *pyr_typed_to_repeat(const struct pyr_cli *cli);

/* A command of the shell (--launch) without what looks like a secret: the value of a variable or an
 * option whose name ends in key, token, secret, password and the like, what follows "Bearer", and
 * words that begin as the keys of well-known services do. Returns `command` itself when it holds
 * none. */
const char *pyr_without_secrets(struct pyr_arena *arena, const char *command);

#endif
