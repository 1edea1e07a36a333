/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include "target/worker_main.h"

#include <string.h>

int main(int argc, char **argv) {
    /* A worker begins before anything else of this program does. */
    if (argc > 1 && strcmp(argv[1], PYR_WORKER_WORD) == 0)
        return pyr_worker_main(argc, argv);
    return pyr_cli_main(argc, argv);
}
