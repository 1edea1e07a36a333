/* SPDX-License-Identifier: MIT
 *
 * SIGINT, SIGTERM and SIGHUP (unless it was ignored already) ask a run to end early with what it
 * has; the second one ends the process at once. SIGPIPE is ignored: a broken pipe is an error of a
 * write.
 */
#ifndef PYR_CLI_SIGNALS_H
#define PYR_CLI_SIGNALS_H

#include <signal.h>

/* Installs the handlers; returns where the first signal's number appears (0 until then). */
const volatile sig_atomic_t *pyr_signals_install(void);

#endif
