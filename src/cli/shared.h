/* SPDX-License-Identifier: MIT
 *
 * Options that several commands take, whatever else they do: where to write, what to say, which
 * history, what to judge against. A row says which commands take it.
 */
#ifndef PYR_CLI_SHARED_H
#define PYR_CLI_SHARED_H

#include "base/options.h"

#include <stdbool.h>

/* One bit a command, for the rows that several share. */
enum pyr_command_bit {
    PYR_CMD_BENCH = 1 << 0,
    PYR_CMD_RUN = 1 << 1,
    PYR_CMD_MODEL_SYNTH = 1 << 2,
    PYR_CMD_MODEL_INFO = 1 << 3,
    PYR_CMD_DOCTOR = 1 << 4,
    PYR_CMD_REPORT = 1 << 5,
    PYR_CMD_COMPLETION = 1 << 6,
    PYR_CMD_STRESS = 1 << 7,
    PYR_CMD_SERVE = 1 << 8,
    PYR_CMD_BASELINE = 1 << 9,
    PYR_CMD_COMPARE = 1 << 10,
    PYR_CMD_HISTORY = 1 << 11,
    PYR_CMD_CALIBRATE = 1 << 12,
    PYR_CMD_METRICS = 1 << 13
};

/* As they were said; NULL and false: they were not, or the command does not take them. */
struct pyr_shared {
    const char *model, *config, *targets;
    const char *baseline, *threshold, *gate, *vary;
    bool single, strict;
    const char *history, *group;
    bool no_history;
    const char *output, *format, *commit, *compat;
    bool ci, quiet, verbose, no_color, help;
    bool details, brief; /* of the terminal report */
};

extern const struct pyr_option_table pyr_shared_options;

#endif
