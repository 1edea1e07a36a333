/* SPDX-License-Identifier: MIT
 *
 * The functions behind the table of commands, one file each.
 */
#ifndef PYR_CLI_CMDS_H
#define PYR_CLI_CMDS_H

#include "cli/commands.h"

pyr_command_fn pyr_cmd_bench, pyr_cmd_run, pyr_cmd_model_synth, pyr_cmd_model_info, pyr_cmd_report,
    pyr_cmd_doctor, pyr_cmd_completion, pyr_cmd_baseline, pyr_cmd_compare, pyr_cmd_history,
    pyr_cmd_metrics_export, pyr_cmd_stress, pyr_cmd_serve, pyr_cmd_calibrate;

#endif
