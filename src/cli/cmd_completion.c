/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"

#include <string.h>

/* Calls put with every spelling of the options of a command. */
static void each_option(const struct pyr_command *command,
                        void (*put)(const struct pyr_option_row *, const char *)) {
    const struct pyr_option_row *row;
    for (size_t i = 0; (row = pyr_command_option(command, i).row); i++) {
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

/* What an option's value can be, where that is a short list. */
static void put_values(const struct pyr_option_row *row) {
    const char *word;
    for (size_t i = 0; row->choices && row->choices[i]; i++)
        printf(" %s", row->choices[i]);
    for (size_t i = 0; row->word && (word = row->word(i)); i++)
        printf(" %s", word);
}

static bool has_values(const struct pyr_option_row *row) {
    return row->choices || row->word;
}

static void write_spellings(const char *command, const struct pyr_option_row *row) {
    printf("'%s '%s", command, row->name);
    if (row->letter)
        printf(" | '%s '-%c", command, row->letter);
    for (size_t a = 0; a < PYR_OPTION_ALIASES_MAX && row->aliases[a]; a++)
        printf(" | '%s '%s", command, row->aliases[a]);
}

/* By command, because options of one name may know other values. */
static void write_values(void) {
    const struct pyr_option_row *row;
    for (const struct pyr_command *c = pyr_commands; c->name; c++)
        for (size_t i = 0; (row = pyr_command_option(c, i).row); i++) {
            if (!has_values(row))
                continue;
            printf("    ");
            write_spellings(c->name, row);
            if (c->alias) {
                printf(" | ");
                write_spellings(c->alias, row);
            }
            printf(") words='");
            put_values(row);
            puts("' values=1 ;;");
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
        each_option(c, put_word);
        puts("' ;;");
    }
    puts("        esac\n"
         "    fi\n"
         "    case \"$command $before\" in");
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
        const struct pyr_option_row *row;
        for (size_t i = 0; (row = pyr_command_option(c, i).row); i++) {
            printf("complete -c pyrometer -n '__fish_seen_subcommand_from %s' -l %s",
                   second ? second + 1 : c->name, row->name + 2);
            if (row->letter)
                printf(" -s %c", row->letter);
            printf("%s", row->argument ? " -r" : "");
            if (has_values(row)) {
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
