/* SPDX-License-Identifier: MIT
 *
 * The one table of commands. To add one: one file cmd_NAME.c with its options (cli/options.h), one
 * row in commands.c, and a bit in cli/shared.h for those that it shares with others.
 */
#ifndef PYR_CLI_COMMANDS_H
#define PYR_CLI_COMMANDS_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/options.h"
#include "cli/shared.h"

#include <stdio.h>

struct pyr_command;

/* What a command is given. */
struct pyr_cli {
    int argc; /* as typed, for "repeat" */
    char **argv;
    struct pyr_arena *arena; /* lives as long as the process */
    const struct pyr_clock *clock;
    const struct pyr_command *command;
    struct pyr_args args;
    struct pyr_shared shared;
    void *options;       /* the command's own struct, filled from the command line */
    bool color;          /* standard output is a terminal that wants it */
    bool error_terminal; /* standard error is a terminal on which a line may be redrawn */
    unsigned width;      /* of the terminal; 80 where there is none */
};

/* The exit code, or PYR_CLI_FAILED with the error filled. */
typedef int pyr_command_fn(struct pyr_cli *cli, struct pyr_err *err);
enum { PYR_CLI_FAILED = -1 };

struct pyr_command {
    const char *name;  /* one word, or two ("model synth") */
    const char *alias; /* or NULL */
    unsigned bit;      /* PYR_CMD_* */
    const char *summary, *operands, *description;
    const char *const *examples; /* command lines, NULL-terminated; --help begins with them */
    size_t operands_least, operands_most;
    const struct pyr_option_set *options; /* NULL: only shared ones */
    pyr_command_fn *run;
};

extern const struct pyr_command pyr_commands[]; /* ends with a NULL name */

/* The command that argv[0..argc) begins with; *used is how many words its name took. NULL with the
 * error filled: the nearest command, or that it is not built yet. */
const struct pyr_command *pyr_command_find(int argc, char *const *argv, int *used,
                                           struct pyr_err *err);
/* What stands in for an option of the design that this version does not have; NULL: no such
 * option. */
const char *pyr_planned_option(const char *spelling);

/* --help: of the program, of one command. */
void pyr_help_program(FILE *out);
/* The commands that begin with this word ("model"); false when there are none. */
bool pyr_help_family(FILE *out, const char *word);
void pyr_help_command(FILE *out, const struct pyr_command *command);

/* The whole program, for main and for tests. argv[0] is the program's name. */
int pyr_cli_main(int argc, char **argv);

#endif
