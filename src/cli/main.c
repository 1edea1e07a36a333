/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include "base/process.h"
#include "calibrate/schedule_server.h"
#include "codec/schedule_log.h"
#include "target/worker_main.h"

#include <string.h>

int main(int argc, char **argv) {
    pyr_process_begin();
    /* Child processes of this program begin before anything else of it does. */
    if (argc > 1 && strcmp(argv[1], PYR_WORKER_WORD) == 0)
        return pyr_worker_main(argc);
    if (argc > 1 && strcmp(argv[1], PYR_SCHEDULE_SERVER_WORD) == 0)
        return pyr_schedule_server_main(argc - 1, argv + 1);
    return pyr_cli_main(argc, argv);
}
