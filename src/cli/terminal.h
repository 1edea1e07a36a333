/* SPDX-License-Identifier: MIT
 *
 * What the streams of this process are.
 */
#ifndef PYR_CLI_TERMINAL_H
#define PYR_CLI_TERMINAL_H

#include <stdbool.h>

/* A terminal that understands more than plain lines: not with TERM=dumb. */
bool pyr_terminal_is_smart(int fd);
/* As above, and colour is not unwanted (NO_COLOR set to anything but ""). */
bool pyr_terminal_wants_color(int fd);
/* Columns; `otherwise` where there is no terminal. */
unsigned pyr_terminal_width(int fd, unsigned otherwise);

#endif
