/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include "base/parse.h"
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

enum { SPELLINGS_MAX = 512 };

struct pyr_command_option pyr_command_option(const struct pyr_command *command, size_t index) {
    const struct pyr_option_use *use = command->options ? command->options->uses : NULL;
    for (size_t i = 0; use && i < PYR_OPTION_USES_MAX && use[i].table; i++)
        for (size_t k = 0; k < use[i].table->count; k++)
            if (use[i].table->rows[k].name && index-- == 0)
                return (struct pyr_command_option){&use[i].table->rows[k], &use[i]};
    for (size_t i = 0; i < pyr_shared_options.count; i++) {
        const struct pyr_option_row *row = &pyr_shared_options.rows[i];
        if ((!row->commands || (row->commands & command->bit)) && index-- == 0)
            return (struct pyr_command_option){row, NULL};
    }
    return (struct pyr_command_option){0};
}

/* The option of that spelling; its row is NULL when the command has none. */
static struct pyr_command_option find(const struct pyr_command *command, const char *word,
                                      size_t length) {
    struct pyr_command_option option;
    for (size_t i = 0; (option = pyr_command_option(command, i)).row; i++)
        if (pyr_option_spells(option.row, word, length))
            break;
    return option;
}

const struct pyr_option_given *pyr_given(const struct pyr_args *args, const char *name) {
    for (size_t i = 0; i < args->given_count; i++)
        if (strcmp(args->given[i].option.row->name, name) == 0)
            return &args->given[i];
    return NULL;
}

const char *pyr_spelling(const struct pyr_args *args, const char *name) {
    const struct pyr_option_given *given = pyr_given(args, name);
    return given ? given->spelling : name;
}

static bool fail_unknown(const struct pyr_cli *cli, const char *word, size_t length,
                         struct pyr_err *err) {
    const char *names[SPELLINGS_MAX];
    size_t count = 0;
    char typed[128];
    snprintf(typed, sizeof typed, "%.*s", (int)length, word);
    for (const struct pyr_command *c = pyr_commands; c->name; c++)
        if (find(c, word, length).row)
            return pyr_fail(err, PYR_E_USAGE,
                            "%s: is no option of %s but of %s; see pyrometer %s --help", typed,
                            cli->command->name, c->name, cli->command->name);
    struct pyr_command_option option;
    for (size_t i = 0; (option = pyr_command_option(cli->command, i)).row; i++) {
        if (count + 1 + PYR_OPTION_ALIASES_MAX > SPELLINGS_MAX)
            break;
        names[count++] = option.row->name;
        for (size_t a = 0; a < PYR_OPTION_ALIASES_MAX && option.row->aliases[a]; a++)
            names[count++] = option.row->aliases[a];
    }
    const char *planned = pyr_planned_option(typed);
    if (planned)
        return pyr_fail(err, PYR_E_USAGE, "%s: not built yet in this version; %s", typed, planned);
    const char *near = pyr_nearest(typed, names, count);
    if (near)
        return pyr_fail(err, PYR_E_USAGE, "%s: unknown option; did you mean %s?", typed, near);
    return pyr_fail(err, PYR_E_USAGE, "%s: unknown option; see pyrometer %s --help", typed,
                    cli->command->name);
}

/* Where the value of an option goes. */
static void *place(struct pyr_cli *cli, const struct pyr_option_use *use) {
    return use ? (char *)cli->options + use->at : (void *)&cli->shared;
}

/* A server's option joins the pairs of --engine-option, in the order in which all were typed. */
static void add_pair(struct pyr_cli *cli, struct pyr_option pair) {
    static const char list[] = "--engine-option";
    struct pyr_command_option all = find(cli->command, list, strlen(list));
    pyr_option_add_pair(all.row, place(cli, all.use), cli->arena, pair);
}

static bool take_value(struct pyr_cli *cli, const struct pyr_option_given *given,
                       struct pyr_err *err) {
    const struct pyr_option_row *row = given->option.row;
    const struct pyr_option_use *use = given->option.use;
    if (use && use->pairs) {
        add_pair(cli, (struct pyr_option){row->key, row->value ? row->value : given->text});
        return true;
    }
    return pyr_option_set(row, given->text, place(cli, use), cli->arena, err) ||
           pyr_err_prefix(err, "%s", given->spelling);
}

/* Takes the option at argv[*at]; its value may be the next argument. */
static bool take_option(struct pyr_cli *cli, int argc, char *const *argv, int *at,
                        struct pyr_err *err) {
    const char *word = argv[*at];
    const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    struct pyr_option_given given = {.option = find(cli->command, word, length),
                                     .spelling = pyr_arena_strndup(cli->arena, word, length)};
    const struct pyr_option_row *row = given.option.row;
    if (!row)
        return fail_unknown(cli, word, length, err);
    if (!row->argument) {
        if (equals)
            return pyr_fail(err, PYR_E_USAGE, "%s: takes no value", given.spelling);
    } else if (equals) {
        given.text = equals + 1;
    } else if (*at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0) {
        given.text = argv[++*at];
    } else {
        return pyr_fail(err, PYR_E_USAGE, "%s: wants a value: %s %s", given.spelling,
                        given.spelling, row->argument);
    }
    struct pyr_args *args = &cli->args;
    const struct pyr_option_given *before = pyr_given(args, row->name);
    bool repeats = row->kind == PYR_OPTION_PAIRS || (given.option.use && given.option.use->pairs);
    if (before && before->text && !repeats && strcmp(before->text, given.text) != 0)
        return pyr_fail(err, PYR_E_USAGE, "%s: given twice, as %s and as %s; leave one out",
                        given.spelling, before->text, given.text);
    args->given[before ? (size_t)(before - args->given) : args->given_count] = given;
    args->given_count += !before;
    return take_value(cli, &given, err);
}

bool pyr_args_parse(struct pyr_cli *cli, int argc, char *const *argv, struct pyr_err *err) {
    const struct pyr_option_set *set = cli->command->options;
    struct pyr_args *args = &cli->args;
    *args = (struct pyr_args){
        .operands = pyr_arena_array(cli->arena, (size_t)argc + 1, sizeof *args->operands),
        .given = pyr_arena_array(cli->arena, (size_t)argc + 1, sizeof *args->given)};
    cli->shared = (struct pyr_shared){0};
    cli->options = pyr_arena_alloc(cli->arena, set ? set->size : 0);
    for (size_t i = 0; set && i < PYR_OPTION_USES_MAX && set->uses[i].table; i++)
        if (!set->uses[i].pairs)
            pyr_options_default(set->uses[i].table, place(cli, &set->uses[i]));
    bool options_over = false;
    for (int i = 0; i < argc; i++) {
        if (options_over || argv[i][0] != '-' || argv[i][1] == '\0')
            args->operands[args->operand_count++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            options_over = true;
        else if (!take_option(cli, argc, argv, &i, err))
            return false;
    }
    /* "-" is standard output, where these commands write when no file is named. */
    const char *output = cli->shared.output;
    if (output && strcmp(output, "-") == 0 && cli->command->bit != PYR_CMD_MODEL_SYNTH)
        cli->shared.output = NULL;
    return true;
}

/* Those that only mean something where they are typed. */
static bool is_only_typed(const char *spelling) {
    static const char *const names[] = {"--config", "--runs", "--help"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], spelling) == 0)
            return true;
    return false;
}

bool pyr_args_add(struct pyr_cli *cli, const char *source, const char *name, const char *text,
                  struct pyr_err *err) {
    struct pyr_args *args = &cli->args;
    const char *spelling = pyr_arena_printf(cli->arena, "--%s", name);
    struct pyr_option_given given = {.option = find(cli->command, spelling, strlen(spelling)),
                                     .spelling = spelling,
                                     .text = text,
                                     .source = source};
    const struct pyr_option_row *row = given.option.row;
    if (!row)
        return fail_unknown(cli, spelling, strlen(spelling), err);
    if (is_only_typed(row->name))
        return pyr_fail(err, PYR_E_USAGE, "%s: only for the command line", spelling);
    if (pyr_given(args, row->name))
        return true;
    if (!row->argument) { /* "no" leaves it as if nobody had said it */
        bool on;
        const struct pyr_option_row flag = {.kind = PYR_OPTION_FLAG};
        if (!pyr_option_set(&flag, text, &on, NULL, err))
            return pyr_err_prefix(err, "%s", spelling);
        given.text = NULL;
        if (!on)
            return true;
    }
    struct pyr_option_given *all = pyr_arena_array(cli->arena, args->given_count + 1, sizeof *all);
    memcpy(all, args->given, args->given_count * sizeof *all);
    all[args->given_count++] = given;
    args->given = all;
    return take_value(cli, &given, err);
}

char **pyr_args_without(struct pyr_arena *arena, const struct pyr_command *command, int argc,
                        char *const *argv, const char *const *drop, size_t drop_count,
                        size_t *count) {
    char **words = pyr_arena_array(arena, (size_t)argc + 1, sizeof *words);
    *count = 0;
    for (int i = 0; i < argc; i++) {
        const char *equals = argv[i][0] == '-' ? strchr(argv[i], '=') : NULL;
        size_t length = equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        const struct pyr_option_row *row =
            argv[i][0] == '-' ? find(command, argv[i], length).row : NULL;
        /* An option's value may look like an option to be dropped, so it is taken with it. */
        bool has_value = row && row->argument && !equals && i + 1 < argc;
        bool dropped = false;
        for (size_t k = 0; row && k < drop_count; k++)
            dropped |= strcmp(drop[k], row->name) == 0;
        if (!dropped)
            words[(*count)++] = argv[i];
        if (has_value && !dropped)
            words[(*count)++] = argv[i + 1];
        i += has_value;
    }
    return words;
}

/* Pairs that cannot go together. */
static const struct {
    const char *one, *other;
    const char *why;
} contradictions[] = {
    {"--rate", "--think-time",
     "at a rate requests go out on time and nobody thinks; leave one out"},
    {"--rate", "--start",
     "at a rate requests go out by their schedule; --arrival burst sends several at once"},
    {"--trace", "--start", "a trace has its own times; leave one out"},
    {"--pattern", "--start", "a pattern says when users come; leave one out"},
    {"--rate", "--heed-retry-after",
     "at a rate requests go out on time, whatever was said to those before; leave one out"},
    {"--trace", "--heed-retry-after", "a trace has its own times; leave one out"},
    {"--trace", "--rate", "a trace has its own times; see --trace-speed"},
    {"--trace", "--prompts", "a trace has its own lengths; leave one out"},
    {"--trace", "--prompt-tokens", "a trace has its own lengths; leave one out"},
    {"--trace", "--output-tokens", "a trace has its own lengths; leave one out"},
    {"--trace", "--shared-prefix", "a trace shares what its hash_ids say; leave one out"},
    {"--trace", "--think-time", "a trace has its own times and nobody thinks"},
    {"--sessions", "--trace", "leave one out"},
    {"--sessions", "--rate",
     "a user's next turn waits for the last answer; give --concurrency and --think-time"},
    {"--sessions", "--prompts", "both are the prompts; leave one out"},
    {"--sessions", "--prompt-tokens", "turns are as long as they are; leave one out"},
    {"--sessions", "--shared-prefix", "turns share what they share; leave one out"},
    {"--prompts", "--prompt-tokens", "prompts from a file are as long as they are; leave one out"},
    {"--prompts", "--shared-prefix", "prompts from a file share what they share; leave one out"},
    {"--quiet", "--verbose", "leave one out"},
    {"--brief", "--details", "leave one out"},
    {"--breaking-point", "--pattern", "the search has levels of its own; leave one out"},
    {"--breaking-point", "--production-load", "the search has levels of its own; leave one out"},
    {"--breaking-point", "--sweep",
     "the search chooses its levels, the sweep goes through all; leave one out"},
    {"--sweep", "--pattern", "the sweep has levels of its own; leave one out"},
    {"--sweep", "--production-load", "the sweep has levels of its own; leave one out"},
    {"--levels", "--rate", "the levels are the rates: 2/s,5/s; leave --rate out"},
    {"--levels", "--max-concurrency", "the levels say what is in flight; leave one out"},
    {"--pattern", "--production-load", "it is a pattern of its own; leave one out"},
    {"--trace", "--pattern", "a trace has its own times; leave one out"},
    {"--trace", "--production-load", "a trace has its own times; leave one out"},
    {"--trace", "--breaking-point", "a trace has its own times; see --trace-speed"},
    {"--trace", "--sweep", "a trace has its own times; see --trace-speed"},
};

/* Options that say nothing without another. */
static const struct {
    const char *one, *needed;
    const char *mend;
} needs[] = {
    {"--clients", "--rate",
     "give the rate of each client, or --concurrency N for N requests in flight"},
    {"--arrival", "--rate", "give the rate of the arrivals"},
    {"--trace-speed", "--trace", "name the trace"},
    {"--levels", "--sweep", "they are the levels of a sweep"},
    {"--arrival-cv", "--arrival", "give --arrival gamma"},
    {"--cancel-share", "--cancel-after", "say when they are cancelled"},
    {"--cancel-after", "--cancel-share", "say which share of the requests is cancelled"},
};

const char *pyr_args_rule_name(size_t index) {
    enum {
        PAIRS = sizeof contradictions / sizeof *contradictions,
        NEEDS = sizeof needs / sizeof *needs
    };
    if (index < 2 * PAIRS)
        return index % 2 ? contradictions[index / 2].other : contradictions[index / 2].one;
    index -= 2 * PAIRS;
    if (index < 2 * NEEDS)
        return index % 2 ? needs[index / 2].needed : needs[index / 2].one;
    return NULL;
}

/* Numbers that must be above 0, and what they are. */
static bool check_positive(const struct pyr_args *args, const char *name, const char *what,
                           struct pyr_err *err) {
    const struct pyr_option_given *given = pyr_given(args, name);
    double value;
    return !given || !pyr_parse_double(given->text, &value, NULL) || value > 0 ||
           pyr_fail(err, PYR_E_USAGE, "%s: must be above 0%s", given->spelling, what);
}

bool pyr_args_check(const struct pyr_args *args, struct pyr_err *err) {
    for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions; i++) {
        const struct pyr_option_given *one = pyr_given(args, contradictions[i].one);
        const struct pyr_option_given *other = pyr_given(args, contradictions[i].other);
        if (one && other)
            return pyr_fail(err, PYR_E_USAGE, "%s and %s contradict: %s", one->spelling,
                            other->spelling, contradictions[i].why);
    }
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        const struct pyr_option_given *one = pyr_given(args, needs[i].one);
        bool has = pyr_given(args, needs[i].needed) ||
                   (strcmp(needs[i].needed, "--rate") == 0 && pyr_given(args, "--levels"));
        if (one && !has)
            return pyr_fail(err, PYR_E_USAGE, "%s: says nothing without %s; %s", one->spelling,
                            needs[i].needed, needs[i].mend);
    }
    const struct pyr_option_given *cv = pyr_given(args, "--arrival-cv");
    const struct pyr_option_given *arrival = pyr_given(args, "--arrival");
    if (cv && strcmp(arrival->text, "gamma") != 0)
        return pyr_fail(err, PYR_E_USAGE, "%s and %s %s contradict: only gamma arrivals have one",
                        cv->spelling, arrival->spelling, arrival->text);
    return check_positive(args, "--rate", " requests a second", err) &&
           check_positive(args, "--trace-speed", "", err);
}
