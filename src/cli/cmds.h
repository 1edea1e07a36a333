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

/* Their options, where they have some of their own. */
extern const struct pyr_option_set pyr_bench_set, pyr_stress_set, pyr_run_set, pyr_serve_set,
    pyr_synth_set, pyr_info_set, pyr_baseline_set, pyr_compare_set, pyr_history_set, pyr_doctor_set,
    pyr_calibrate_set;

#endif
