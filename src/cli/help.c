/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include "report/formats.h"
#include "stats/goals_text.h"
#include "suite/bench.h"
#include "suite/suite.h"

#include <stdbool.h>
#include <string.h>

enum { WIDTH = 80, COLUMN = 30 };

static const char *const groups[] = {
    PYR_GROUP_TARGET,  PYR_GROUP_SERVER,  PYR_GROUP_LOAD,   PYR_GROUP_REQUESTS,
    PYR_GROUP_JUDGING, PYR_GROUP_HISTORY, PYR_GROUP_OUTPUT,
};
enum { GROUPS = sizeof groups / sizeof *groups };

/* Writes text from `column` on, with further lines indented by `indent`, and ends the line. */
static void wrap(FILE *out, const char *text, size_t column, size_t indent) {
    for (bool first = true; *text; first = false) {
        size_t word = strcspn(text, " ");
        if (!first && column + 1 + word > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)word, text);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

/* "  left      right ...", the left side on a line of its own when it is long. */
static void row(FILE *out, const char *left, const char *right, size_t column) {
    fprintf(out, "  %s", left);
    if (strlen(left) + 4 > column)
        fprintf(out, "\n%*s", (int)column, "");
    else
        fprintf(out, "%*s", (int)(column - 2 - strlen(left)), "");
    wrap(out, right, column, column);
}

static void option_row(FILE *out, const struct pyr_option_row *option) {
    char left[128], letter[8] = "", help[512];
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "%s%s%s%s", letter, option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    snprintf(help, sizeof help, "%s", option->help);
    for (size_t i = 0; i < PYR_OPTION_ALIASES_MAX && option->aliases[i]; i++)
        snprintf(help + strlen(help), sizeof help - strlen(help), "%s%s", i ? ", " : "; also ",
                 option->aliases[i]);
    row(out, left, help, COLUMN);
}

static void group_of(FILE *out, const struct pyr_command *command, const char *group) {
    struct pyr_command_option option;
    bool begun = false;
    for (size_t i = 0; (option = pyr_command_option(command, i)).row; i++) {
        if (strcmp(option.row->group, group) != 0)
            continue;
        if (!begun)
            fprintf(out, "\n%s:\n", group);
        begun = true;
        option_row(out, option.row);
    }
}

static bool is_common(const char *group) {
    for (size_t i = 0; i < GROUPS; i++)
        if (strcmp(groups[i], group) == 0)
            return true;
    return false;
}

/* Each group once: the common ones in their order, before the last of them those that only this
 * command has. */
static void options_of(FILE *out, const struct pyr_command *command) {
    struct pyr_command_option option, before;
    for (size_t i = 0; i < GROUPS - 1; i++)
        group_of(out, command, groups[i]);
    for (size_t i = 0; (option = pyr_command_option(command, i)).row; i++) {
        bool begun = is_common(option.row->group);
        for (size_t j = 0; j < i && !begun; j++) {
            before = pyr_command_option(command, j);
            begun = strcmp(before.row->group, option.row->group) == 0;
        }
        if (!begun)
            group_of(out, command, option.row->group);
    }
    group_of(out, command, groups[GROUPS - 1]);
}

static void preset_rows(FILE *out) {
    fputs("\nPresets:\n", out);
    for (size_t i = 0; i < pyr_preset_count; i++)
        row(out, pyr_presets[i].name, pyr_presets[i].summary, 20);
}

/* Suites that this version lacks are named as such, below those that run. */
static void suite_rows(FILE *out) {
    char missing[256] = "";
    fputs("\nSuites:\n", out);
    for (size_t i = 0; pyr_suites[i]; i++) {
        const struct pyr_suite *suite = pyr_suites[i];
        if (!suite->missing)
            row(out, suite->name, suite->summary, 20);
        else
            snprintf(missing + strlen(missing), sizeof missing - strlen(missing), "%s%s",
                     *missing ? ", " : "", suite->name);
    }
    row(out, "all", "every suite that this version has", 20);
    if (*missing)
        fprintf(out, "  (not built yet in this version: %s)\n", missing);
}

static void slo_rows(FILE *out) {
    fputs("\nGoals by name (--slo):\n", out);
    for (const struct pyr_slo_preset *preset = pyr_slo_presets; preset->name; preset++)
        row(out, preset->name, preset->goals, 36);
}

static void format_rows(FILE *out) {
    fputs("\nFormats:\n", out);
    for (const struct pyr_report_format *format = pyr_report_formats; format->name; format++)
        row(out, format->name, format->summary, 20);
}

void pyr_help_command(FILE *out, const struct pyr_command *command) {
    for (const char *const *example = command->examples; *example; example++)
        fprintf(out, "  %s\n", *example);
    fprintf(out, "\nUsage: pyrometer %s%s%s [options]\n\n", command->name,
            *command->operands ? " " : "", command->operands);
    wrap(out, command->description, 0, 0);
    options_of(out, command);
    if (command->bit == PYR_CMD_BENCH) {
        preset_rows(out);
        suite_rows(out);
    }
    if (command->bit & (PYR_CMD_BENCH | PYR_CMD_STRESS))
        slo_rows(out);
    if (command->bit & (PYR_CMD_BENCH | PYR_CMD_REPORT))
        format_rows(out);
    fputc('\n', out);
    wrap(out,
         "Exit codes: 0 fine, 1 error, 2 usage, 3 a goal you named was missed, 4 the measurement "
         "is not valid, 5 inconclusive (--strict), 130 and 143 after a signal.",
         0, 0);
}

bool pyr_help_family(FILE *out, const char *word) {
    size_t bytes = strlen(word), found = 0;
    for (const struct pyr_command *c = pyr_commands; c->name; c++) {
        if (strncmp(c->name, word, bytes) != 0 || c->name[bytes] != ' ')
            continue;
        if (!found++)
            fprintf(out, "Usage: pyrometer %s COMMAND ...\n\nCommands:\n", word);
        row(out, c->name, c->summary, 18);
    }
    if (found)
        fprintf(out, "\nOptions of each: pyrometer %s COMMAND --help.\n", word);
    return found > 0;
}

void pyr_help_program(FILE *out) {
    fputs("  pyrometer bench model.gguf\n"
          "  pyrometer run model.gguf --prompt 'Once upon a time'\n"
          "  pyrometer doctor\n"
          "\nUsage: pyrometer COMMAND [TARGET] [options]\n"
          "\nMeasures LLM inference: how fast, how sure, how it bends under load.\n"
          "\nCommands:\n",
          out);
    for (const struct pyr_command *c = pyr_commands; c->name; c++)
        row(out, c->name, c->summary, 16);
    fputs("\nOptions of each command: pyrometer COMMAND --help. Version: pyrometer --version.\n",
          out);
}
