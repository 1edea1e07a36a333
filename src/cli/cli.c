/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "cli/terminal.h"

#include "codec/escape.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The text may hold words of a server or a file: they must not act on the terminal. */
static int fail(const struct pyr_err *err) {
    char text[PYR_ERR_TEXT_BYTES];
    fflush(stdout);
    pyr_plain_text(text, sizeof text, err->text, strlen(err->text));
    fprintf(stderr, "pyrometer: %s\n", text);
    return pyr_exit_code(err->code);
}

static bool wants_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static bool check_operands(const struct pyr_cli *cli, struct pyr_err *err) {
    const struct pyr_command *command = cli->command;
    if (cli->args.operand_count > command->operands_most)
        return pyr_fail(err, PYR_E_USAGE, "%s: one argument too many; usage: pyrometer %s%s%s",
                        cli->args.operands[command->operands_most], command->name,
                        *command->operands ? " " : "", command->operands);
    if (cli->args.operand_count < command->operands_least)
        return pyr_fail(err, PYR_E_USAGE, "%s: wants more; usage: pyrometer %s %s", command->name,
                        command->name, command->operands);
    return true;
}

/* INFERNO_LOG_LEVEL, of older scripts: says more or less where the command line says neither. */
static void follow_log_level(struct pyr_cli *cli) {
    static const struct {
        const char *level;
        bool quiet;
    } levels[] = {{"trace", false}, {"debug", false}, {"warn", true}, {"error", true}};
    const char *said = getenv("INFERNO_LOG_LEVEL");
    if (!said || cli->shared.verbose || cli->shared.quiet)
        return;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(said, levels[i].level) == 0)
            *(levels[i].quiet ? &cli->shared.quiet : &cli->shared.verbose) = true;
}

static int run_command(struct pyr_cli *cli, int argc, char **argv, struct pyr_err *err) {
    int used;
    cli->command = pyr_command_find(argc, argv, &used, err);
    if (!cli->command)
        return PYR_CLI_FAILED;
    if (!pyr_args_parse(cli, argc - used, argv + used, err))
        return PYR_CLI_FAILED;
    if (cli->shared.help) {
        pyr_help_command(stdout, cli->command);
        return 0;
    }
    if (!pyr_args_check(&cli->args, err) || !check_operands(cli, err))
        return PYR_CLI_FAILED;
    follow_log_level(cli);
    cli->color =
        pyr_terminal_wants_color(STDOUT_FILENO) && !cli->shared.no_color && !cli->shared.ci;
    cli->error_terminal = pyr_terminal_is_smart(STDERR_FILENO);
    cli->width = pyr_terminal_width(STDOUT_FILENO, 80);
    return cli->command->run(cli, err);
}

/* `pyrometer help COMMAND` and `pyrometer --help`. */
static int help(int argc, char **argv, struct pyr_err *err) {
    int used;
    if (argc == 2 && pyr_help_family(stdout, argv[1]))
        return 0;
    const struct pyr_command *command =
        argc > 1 ? pyr_command_find(argc - 1, argv + 1, &used, err) : NULL;
    if (argc > 1 && !command)
        return PYR_CLI_FAILED;
    if (command)
        pyr_help_command(stdout, command);
    else
        pyr_help_program(stdout);
    return 0;
}

static int run(int argc, char **argv, struct pyr_err *err) {
    static const struct pyr_clock real = {0};
    if (argc == 0) {
        pyr_help_program(stderr);
        return pyr_exit_code(PYR_E_USAGE);
    }
    if (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-V") == 0 ||
        strcmp(argv[0], "version") == 0) {
        puts("pyrometer " PYR_VERSION);
        return 0;
    }
    if (wants_help(argv[0]))
        return help(argc, argv, err);
    if (argc == 2 && wants_help(argv[1]) && pyr_help_family(stdout, argv[0]))
        return 0;
    struct pyr_cli cli = {.argc = argc, .argv = argv, .clock = &real};
    cli.arena = pyr_arena_create();
    int code = run_command(&cli, argc, argv, err);
    pyr_arena_destroy(cli.arena);
    return code;
}

int pyr_cli_main(int argc, char **argv) {
    struct pyr_err err = {0};
    int skip = argc > 1 && strcmp(argv[1], "performance-benchmark") == 0 ? 2 : 1;
    int code = run(argc > skip ? argc - skip : 0, argv + skip, &err);
    if (code == PYR_CLI_FAILED)
        code = fail(&err);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0) {
        fputs("pyrometer: standard output: cannot be written; the disk is full or the reader "
              "went away\n",
              stderr);
        code = pyr_exit_code(PYR_E_IO);
    }
    return code;
}
