/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"

#include "report/formats.h"
#include "suite/suite.h"

#include <string.h>

/* Calls put with every spelling of the options of a command. */
static void each_option(unsigned command,
                        void (*put)(const struct pyr_option_row *, const char *)) {
    for (int i = 0; i < PYR_OPT_COUNT; i++) {
        const struct pyr_option_row *row = &pyr_option_rows[i];
        if (!(row->commands & command))
            continue;
        put(row, row->name);
        for (size_t a = 0; a < PYR_OPTION_ALIASES_MAX && row->aliases[a]; a++)
            put(row, row->aliases[a]);
    }
}

static void put_word(const struct pyr_option_row *row, const char *spelling) {
    (void)row;
    printf(" %s", spelling);
}

/* The second words of the commands that begin with `first`. */
static void second_words(const char *first, size_t bytes) {
    for (const struct pyr_command *c = pyr_commands; c->name; c++)
        if (strncmp(c->name, first, bytes) == 0 && c->name[bytes] == ' ')
            printf(" %s", c->name + bytes + 1);
}

/* True for the first of the commands that share their first word. */
static bool leads(const struct pyr_command *command) {
    size_t bytes = strcspn(command->name, " ");
    for (const struct pyr_command *c = pyr_commands; c != command; c++)
        if (strcspn(c->name, " ") == bytes && strncmp(c->name, command->name, bytes) == 0)
            return false;
    return true;
}

/* What an option's value can be, where that is a short list; returns false where it is not. */
static bool put_values(const struct pyr_option_row *row) {
    if (strcmp(row->name, "--preset") == 0)
        for (size_t i = 0; i < pyr_preset_count; i++)
            printf(" %s", pyr_presets[i].name);
    else if (strcmp(row->name, "--suite") == 0)
        for (size_t i = 0; pyr_suites[i]; i++)
            printf(" %s%s", pyr_suites[i]->missing ? "" : pyr_suites[i]->name,
                   pyr_suites[i + 1] ? "" : " all");
    else if (strcmp(row->name, "--format") == 0)
        for (const struct pyr_report_format *format = pyr_report_formats; format->name; format++)
            printf(" %s", format->name);
    else if (strcmp(row->name, "--arrival") == 0)
        printf(" constant poisson gamma burst");
    else if (strcmp(row->name, "--pattern") == 0)
        printf(" steady ramp spike random soak");
    else if (strcmp(row->name, "--endpoint") == 0)
        printf(" chat completions embeddings");
    else if (strcmp(row->name, "--compat") == 0)
        printf(" vllm aiperf guidellm llmperf");
    else
        return false;
    return true;
}

static void write_values(void) {
    static const char *const names[] = {"--preset",  "--suite",    "--format", "--arrival",
                                        "--pattern", "--endpoint", "--compat"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int j = 0; j < PYR_OPT_COUNT; j++) {
            const struct pyr_option_row *row = &pyr_option_rows[j];
            if (strcmp(row->name, names[i]) != 0)
                continue;
            printf("    %s", row->name);
            if (row->letter)
                printf(" | -%c", row->letter);
            for (size_t a = 0; a < PYR_OPTION_ALIASES_MAX && row->aliases[a]; a++)
                printf(" | %s", row->aliases[a]);
            printf(") words='");
            put_values(row);
            puts("' values=1 ;;");
            break; /* rows of one name know the same values */
        }
}

/* Bash and zsh, which reads the same through bashcompinit. A second word ("model synth") is looked
 * at after a first one that several commands share. */
static void write_bash(void) {
    puts("_pyrometer() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words= values=\n"
         "    local before=${COMP_WORDS[COMP_CWORD-1]}\n"
         "    COMPREPLY=()\n"
         "    if [ \"$COMP_CWORD\" -eq 1 ]; then");
    printf("        words='--help --version");
    for (const struct pyr_command *c = pyr_commands; c->name; c++)
        if (leads(c))
            printf(" %.*s", (int)strcspn(c->name, " "), c->name);
    puts("' values=1\n"
         "    else");
    puts("        case \"$command\" in");
    for (const struct pyr_command *c = pyr_commands; c->name; c++) {
        size_t bytes = strcspn(c->name, " ");
        if (!c->name[bytes] || !leads(c))
            continue;
        printf("        %.*s)\n            if [ \"$COMP_CWORD\" -eq 2 ]; then words='", (int)bytes,
               c->name);
        second_words(c->name, bytes);
        puts(" --help' values=1\n            else command=\"$command ${COMP_WORDS[2]}\"; fi ;;");
    }
    puts("        esac\n"
         "        [ -n \"$values\" ] || case \"$command\" in");
    for (const struct pyr_command *c = pyr_commands; c->name; c++) {
        printf("        '%s'", c->name);
        if (c->alias)
            printf(" | '%s'", c->alias);
        printf(") words='");
        if (strcmp(c->name, "completion") == 0)
            printf("bash zsh fish");
        each_option(c->bit, put_word);
        puts("' ;;");
    }
    puts("        esac\n"
         "    fi\n"
         "    case \"$before\" in");
    write_values();
    puts("    esac\n"
         "    local IFS=$'\\n'\n"
         "    COMPREPLY=($(IFS=' '; compgen -W \"$words\" -- \"$word\"))\n"
         "    case \"$values$word\" in 1* | -*) ;;\n"
         "    *) COMPREPLY+=($(compgen -f -- \"$word\")) ;;\n"
         "    esac\n"
         "}\n"
         "complete -o filenames -F _pyrometer pyrometer");
}

static void put_quoted(const char *text) {
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

static void write_fish(void) {
    for (const struct pyr_command *c = pyr_commands; c->name; c++) {
        const char *second = strchr(c->name, ' ');
        int first = (int)strcspn(c->name, " ");
        if (leads(c)) {
            printf("complete -c pyrometer -n __fish_use_subcommand -a %.*s -d ", first, c->name);
            put_quoted(c->summary);
            putchar('\n');
        }
        if (second) {
            printf("complete -c pyrometer -n '__fish_seen_subcommand_from %.*s' -a %s -d ", first,
                   c->name, second + 1);
            put_quoted(c->summary);
            putchar('\n');
        }
        for (int i = 0; i < PYR_OPT_COUNT; i++) {
            const struct pyr_option_row *row = &pyr_option_rows[i];
            if (!(row->commands & c->bit))
                continue;
            printf("complete -c pyrometer -n '__fish_seen_subcommand_from %s' -l %s",
                   second ? second + 1 : c->name, row->name + 2);
            if (row->letter)
                printf(" -s %c", row->letter);
            printf("%s", row->argument ? " -r" : "");
            if (strcmp(row->name, "--preset") == 0 || strcmp(row->name, "--format") == 0) {
                printf(" -f -a '");
                put_values(row);
                putchar('\'');
            }
            printf(" -d ");
            put_quoted(row->help);
            putchar('\n');
        }
    }
}

int pyr_cmd_completion(struct pyr_cli *cli, struct pyr_err *err) {
    const char *shell = cli->args.operands[0];
    if (strcmp(shell, "bash") == 0) {
        write_bash();
    } else if (strcmp(shell, "zsh") == 0) {
        puts("autoload -U +X bashcompinit && bashcompinit");
        write_bash();
    } else if (strcmp(shell, "fish") == 0) {
        write_fish();
    } else {
        pyr_fail(err, PYR_E_USAGE, "%s: no completion for that shell; bash, zsh or fish", shell);
        return PYR_CLI_FAILED;
    }
    return 0;
}
