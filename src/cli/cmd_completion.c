/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"

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

/* Bash and zsh, which reads the same through bashcompinit. A second word ("model synth") is looked
 * at after a first one that several commands share. */
static void write_bash(void) {
    puts("_pyrometer() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words\n"
         "    if [ \"$COMP_CWORD\" -eq 1 ]; then");
    printf("        words='--help --version");
    for (const struct pyr_command *c = pyr_commands; c->name; c++)
        printf(" %.*s", (int)strcspn(c->name, " "), c->name);
    puts("'\n"
         "    else\n"
         "        [ \"$COMP_CWORD\" -gt 2 ] && [ \"$command\" = model ] && "
         "command=\"model ${COMP_WORDS[2]}\"\n"
         "        case \"$command\" in");
    printf("        model) words='");
    for (const struct pyr_command *c = pyr_commands; c->name; c++)
        if (strncmp(c->name, "model ", 6) == 0)
            printf("%s ", c->name + 6);
    puts("' ;;");
    for (const struct pyr_command *c = pyr_commands; c->name; c++) {
        printf("        '%s'", c->name);
        if (c->alias)
            printf(" | '%s'", c->alias);
        printf(") words='");
        each_option(c->bit, put_word);
        puts("' ;;");
    }
    puts("        esac\n"
         "    fi\n"
         "    case \"$word\" in\n"
         "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
         "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$word\") $(compgen -f -- \"$word\")) ;;\n"
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
        printf("complete -c pyrometer -n __fish_use_subcommand -a %.*s -d ", first, c->name);
        put_quoted(second ? "models" : c->summary);
        putchar('\n');
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
            printf("%s -d ", row->argument ? " -r" : "");
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
