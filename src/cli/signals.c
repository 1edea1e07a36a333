/* SPDX-License-Identifier: MIT */
#include "cli/signals.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A handler gets no argument of ours: the one place in this program with state of its own. */
static volatile sig_atomic_t caught;

static void on_signal(int number) {
    static const char text[] =
        "\npyrometer: ending with what there is; once more to leave at once\n";
    int cause = errno;
    if (caught)
        _exit(128 + number);
    caught = number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    errno = cause;
}

const volatile sig_atomic_t *pyr_signals_install(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask); /* without SA_RESTART, so that waits end */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* as nohup has it */
        sigaction(SIGHUP, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    return &caught;
}
