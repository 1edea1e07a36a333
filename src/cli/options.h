/* SPDX-License-Identifier: MIT
 *
 * The command line by rows (base/options.h): a command names the tables it takes and where in its
 * own struct each goes. Parsing, --help and completion are made from the same rows, so that they
 * cannot disagree.
 */
#ifndef PYR_CLI_OPTIONS_H
#define PYR_CLI_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/options.h"

#include <stdbool.h>
#include <stddef.h>

struct pyr_cli;
struct pyr_command;

struct pyr_option_use {
    const struct pyr_option_table *table;
    size_t at;  /* of the table's struct in the command's */
    bool pairs; /* each goes as KEY=VALUE to the command's list of pairs: options of a server */
};
enum { PYR_OPTION_USES_MAX = 5 };

/* All options of a command beside the shared ones (cli/shared.h). */
struct pyr_option_set {
    size_t size;                                     /* of the command's struct */
    struct pyr_option_use uses[PYR_OPTION_USES_MAX]; /* ended by a NULL table */
};

/* An option of a command: number `index` of it, the shared ones last; the row is NULL after the
 * last. */
struct pyr_command_option {
    const struct pyr_option_row *row;
    const struct pyr_option_use *use; /* NULL: a shared one */
};
struct pyr_command_option pyr_command_option(const struct pyr_command *command, size_t index);

struct pyr_option_given {
    struct pyr_command_option option;
    const char *spelling; /* as typed ("--concurrent") */
    const char *text;     /* as typed; NULL for flags */
    const char *source;   /* NULL: the command line; else the file that says it */
};

/* What was typed behind a command. Lives in the arena that parsed it; texts are argv's own. */
struct pyr_args {
    struct pyr_option_given *given; /* each option once, as it was typed last */
    size_t given_count;
    const char **operands; /* what is no option, in order */
    size_t operand_count;
};

/* The option of that name ("--rate", its first spelling), or NULL when it was not given. */
const struct pyr_option_given *pyr_given(const struct pyr_args *args, const char *name);
/* As it was spelled, or its name. */
const char *pyr_spelling(const struct pyr_args *args, const char *name);

/* Reads "--opt value", "--opt=value", "-o value", flags, operands, and "--" before operands that
 * begin with a dash, for cli->command: fills cli->args, cli->shared and cli->options, which is a
 * new struct of the command's with its defaults. Fails with PYR_E_USAGE: an unknown option (with
 * the nearest one, or the command that has it), a missing, malformed or unwanted value, one option
 * twice with two values. */
bool pyr_args_parse(struct pyr_cli *cli, int argc, char *const *argv, struct pyr_err *err);

/* Takes an option from elsewhere as if it had been typed, unless it was; `name` is without its
 * dashes, `source` the file. Check the options again afterwards. */
bool pyr_args_add(struct pyr_cli *cli, const char *source, const char *name, const char *text,
                  struct pyr_err *err);

/* Names which two of the options given cannot go together, and why; true when there is none. Only
 * what can be told from the options alone. */
bool pyr_args_check(const struct pyr_args *args, struct pyr_err *err);
/* The name number `index` in the rules of that check, for the test that they exist; NULL after the
 * last. */
const char *pyr_args_rule_name(size_t index);

/* The words of argv[0..argc) without the options of the names in `drop` and their values, for
 * starting the command again: an array of *count words in the arena. argv was parsed before. */
char **pyr_args_without(struct pyr_arena *arena, const struct pyr_command *command, int argc,
                        char *const *argv, const char *const *drop, size_t drop_count,
                        size_t *count);

#endif
