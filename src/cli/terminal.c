/* SPDX-License-Identifier: MIT */
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool pyr_terminal_is_smart(int fd) {
    const char *term = getenv("TERM");
    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

bool pyr_terminal_wants_color(int fd) {
    const char *unwanted = getenv("NO_COLOR");
    return pyr_terminal_is_smart(fd) && !(unwanted && *unwanted);
}

unsigned pyr_terminal_width(int fd, unsigned otherwise) {
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : otherwise;
}
