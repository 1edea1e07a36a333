/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include "base/parse.h"
#include "cli/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is being parsed, for the functions below. */
struct parser {
    struct pyr_arena *arena;
    unsigned command;
    const char *command_name;
    struct pyr_args *args;
    struct pyr_target_option *pairs; /* grown by doubling within the arena */
    size_t pair_room;
};

static bool spells(const struct pyr_option_row *row, const char *word, size_t length) {
    if (strlen(row->name) == length && strncmp(row->name, word, length) == 0)
        return true;
    for (size_t i = 0; i < PYR_OPTION_ALIASES_MAX && row->aliases[i]; i++)
        if (strlen(row->aliases[i]) == length && strncmp(row->aliases[i], word, length) == 0)
            return true;
    return length == 2 && row->letter && word[0] == '-' && word[1] == row->letter;
}

/* The row of that spelling among those that any of `commands` takes, or PYR_OPT_COUNT. */
static enum pyr_cli_option find(unsigned commands, const char *word, size_t length) {
    for (int i = 0; i < PYR_OPT_COUNT; i++)
        if ((pyr_option_rows[i].commands & commands) && spells(&pyr_option_rows[i], word, length))
            return (enum pyr_cli_option)i;
    return PYR_OPT_COUNT;
}

static bool fail_unknown(const struct parser *parser, const char *word, size_t length,
                         struct pyr_err *err) {
    const char *names[PYR_OPT_COUNT * (1 + PYR_OPTION_ALIASES_MAX)];
    size_t count = 0;
    char typed[128];
    snprintf(typed, sizeof typed, "%.*s", (int)length, word);
    enum pyr_cli_option elsewhere = find(PYR_CMD_ALL, word, length);
    const struct pyr_command *owner =
        elsewhere == PYR_OPT_COUNT ? NULL : pyr_command_of(pyr_option_rows[elsewhere].commands);
    if (owner && owner->name)
        return pyr_fail(err, PYR_E_USAGE,
                        "%s: is no option of %s but of %s; see pyrometer %s "
                        "--help",
                        typed, parser->command_name, owner->name, parser->command_name);
    for (int i = 0; i < PYR_OPT_COUNT; i++) {
        const struct pyr_option_row *row = &pyr_option_rows[i];
        if (!(row->commands & parser->command))
            continue;
        names[count++] = row->name;
        for (size_t a = 0; a < PYR_OPTION_ALIASES_MAX && row->aliases[a]; a++)
            names[count++] = row->aliases[a];
    }
    const char *planned = pyr_planned_option(typed);
    if (planned)
        return pyr_fail(err, PYR_E_USAGE, "%s: not built yet in this version; %s", typed, planned);
    const char *near = pyr_nearest(typed, names, count);
    if (near)
        return pyr_fail(err, PYR_E_USAGE, "%s: unknown option; did you mean %s?", typed, near);
    return pyr_fail(err, PYR_E_USAGE, "%s: unknown option; see pyrometer %s --help", typed,
                    parser->command_name);
}

static bool in_range(const struct pyr_option_row *row, const char *spelling, uint64_t number,
                     struct pyr_err *err) {
    if (number < row->least)
        return pyr_fail(err, PYR_E_USAGE, "%s: %llu is too small; give at least %llu", spelling,
                        (unsigned long long)number, (unsigned long long)row->least);
    if (row->most && number > row->most)
        return pyr_fail(err, PYR_E_USAGE, "%s: %llu is too large; give at most %llu", spelling,
                        (unsigned long long)number, (unsigned long long)row->most);
    return true;
}

static bool parse_share(const char *text, double *share, struct pyr_err *err) {
    char *end;
    double value = strtod(text, &end);
    bool percent = end != text && strcmp(end, "%") == 0;
    if (end == text || (*end && !percent) || !(value >= 0) || value > (percent ? 100 : 1))
        return pyr_fail(err, PYR_E_USAGE, "'%s' is no share; give 0 to 1, or 0%% to 100%%", text);
    *share = percent ? value / 100 : value;
    return true;
}

static bool parse_warmup(const char *text, struct pyr_option_value *value, struct pyr_err *err) {
    value->is_time = text[strspn(text, "0123456789")] != '\0';
    return value->is_time ? pyr_parse_duration_ns(text, &value->number, err)
                          : pyr_parse_u64(text, &value->number, err);
}

static void add_pair(struct parser *parser, const char *key, size_t key_length, const char *value) {
    struct pyr_args *args = parser->args;
    if (args->pair_count == parser->pair_room) {
        size_t room = parser->pair_room ? 2 * parser->pair_room : 8;
        struct pyr_target_option *grown = pyr_arena_array(parser->arena, room, sizeof *grown);
        if (args->pair_count)
            memcpy(grown, parser->pairs, args->pair_count * sizeof *grown);
        parser->pairs = grown;
        parser->pair_room = room;
        args->pairs = grown;
    }
    parser->pairs[args->pair_count++] = (struct pyr_target_option){
        .key = pyr_arena_strndup(parser->arena, key, key_length), .value = value};
}

/* "a=1,2,b=x": a part without '=' is one more value of the key before it. */
static bool parse_pairs(struct parser *parser, const char *text, struct pyr_err *err) {
    const char *at = text;
    while (*at) {
        size_t part = strcspn(at, ",");
        const char *equals = memchr(at, '=', part);
        if (!equals || equals == at)
            return pyr_fail(err, PYR_E_USAGE, "'%s' is not KEY=VALUE", at);
        const char *end = at + part;
        while (*end == ',') { /* as far as the next part that has a key of its own */
            size_t next = strcspn(end + 1, ",");
            if (memchr(end + 1, '=', next))
                break;
            end += 1 + next;
        }
        const char *value =
            pyr_arena_strndup(parser->arena, equals + 1, (size_t)(end - equals - 1));
        add_pair(parser, at, (size_t)(equals - at), value);
        at = *end ? end + 1 : end;
    }
    return *text || pyr_fail(err, PYR_E_USAGE, "'' is not KEY=VALUE");
}

static bool parse_list(struct parser *parser, const struct pyr_option_row *row,
                       struct pyr_option_value *value, struct pyr_err *err) {
    uint64_t *list;
    if (!pyr_parse_u64_list(parser->arena, value->text, &list, &value->list_count, err))
        return pyr_err_prefix(err, "%s", value->spelling);
    value->list = list;
    for (size_t i = 0; i < value->list_count; i++)
        if (!in_range(row, value->spelling, list[i], err))
            return false;
    return true;
}

static bool parse_value(struct parser *parser, const struct pyr_option_row *row,
                        struct pyr_option_value *value, struct pyr_err *err) {
    bool ok = true;
    switch (row->kind) {
    case PYR_KIND_FLAG:
    case PYR_KIND_TEXT:
        break;
    case PYR_KIND_U64:
        ok = pyr_parse_u64(value->text, &value->number, err);
        if (ok)
            return in_range(row, value->spelling, value->number, err);
        break;
    case PYR_KIND_DOUBLE:
        ok = pyr_parse_double(value->text, &value->real, err);
        if (ok && value->real < 0)
            ok = pyr_fail(err, PYR_E_USAGE, "'%s' is below 0", value->text);
        break;
    case PYR_KIND_SHARE:
        ok = parse_share(value->text, &value->real, err);
        break;
    case PYR_KIND_DURATION:
        ok = pyr_parse_duration_ns(value->text, &value->number, err);
        break;
    case PYR_KIND_LIST:
        return parse_list(parser, row, value, err);
    case PYR_KIND_WARMUP:
        ok = parse_warmup(value->text, value, err);
        break;
    case PYR_KIND_PAIRS:
        ok = parse_pairs(parser, value->text, err);
        break;
    case PYR_KIND_PAIR:
        add_pair(parser, row->target_key, strlen(row->target_key),
                 row->target_value ? row->target_value : value->text);
        break;
    }
    return ok || pyr_err_prefix(err, "%s", value->spelling);
}

/* Takes the option at argv[*at]; its value may be the next argument. */
static bool take_option(struct parser *parser, int argc, char *const *argv, int *at,
                        struct pyr_err *err) {
    const char *word = argv[*at];
    const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    enum pyr_cli_option option = find(parser->command, word, length);
    if (option == PYR_OPT_COUNT)
        return fail_unknown(parser, word, length, err);
    const struct pyr_option_row *row = &pyr_option_rows[option];
    struct pyr_option_value value = {.spelling = pyr_arena_strndup(parser->arena, word, length)};
    if (!row->argument) {
        if (equals)
            return pyr_fail(err, PYR_E_USAGE, "%s: takes no value", value.spelling);
    } else if (equals) {
        value.text = equals + 1;
    } else if (*at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0) {
        value.text = argv[++*at];
    } else {
        return pyr_fail(err, PYR_E_USAGE, "%s: wants a value: %s %s", value.spelling,
                        value.spelling, row->argument);
    }
    const struct pyr_option_value *before = &parser->args->values[option];
    bool repeats = row->kind == PYR_KIND_PAIRS || row->kind == PYR_KIND_PAIR;
    if (before->spelling && before->text && !repeats && strcmp(before->text, value.text) != 0)
        return pyr_fail(err, PYR_E_USAGE, "%s: given twice, as %s and as %s; leave one out",
                        value.spelling, before->text, value.text);
    if (!parse_value(parser, row, &value, err))
        return false;
    parser->args->values[option] = value;
    return true;
}

bool pyr_args_parse(struct pyr_arena *arena, unsigned command, const char *command_name, int argc,
                    char *const *argv, struct pyr_args *args, struct pyr_err *err) {
    struct parser parser = {
        .arena = arena, .command = command, .command_name = command_name, .args = args};
    *args = (struct pyr_args){.operands =
                                  pyr_arena_array(arena, (size_t)argc + 1, sizeof *args->operands)};
    bool options_over = false;
    for (int i = 0; i < argc; i++) {
        if (options_over || argv[i][0] != '-' || argv[i][1] == '\0')
            args->operands[args->operand_count++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            options_over = true;
        else if (!take_option(&parser, argc, argv, &i, err))
            return false;
    }
    /* "-" is standard output, where these commands write when no file is named. */
    struct pyr_option_value *output = &args->values[PYR_OPT_OUTPUT_FILE];
    if (output->text && strcmp(output->text, "-") == 0 && command != PYR_CMD_MODEL_SYNTH)
        output->text = NULL;
    return true;
}

char **pyr_args_without(struct pyr_arena *arena, unsigned command, int argc, char *const *argv,
                        const enum pyr_cli_option *drop, size_t drop_count, size_t *count) {
    char **words = pyr_arena_array(arena, (size_t)argc + 1, sizeof *words);
    *count = 0;
    for (int i = 0; i < argc; i++) {
        const char *equals = argv[i][0] == '-' ? strchr(argv[i], '=') : NULL;
        size_t length = equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        enum pyr_cli_option option =
            argv[i][0] == '-' ? find(command, argv[i], length) : PYR_OPT_COUNT;
        /* An option's value may look like an option to be dropped, so it is taken with it. */
        bool has_value = option != PYR_OPT_COUNT && !equals && i + 1 < argc &&
                         pyr_option_rows[option].kind != PYR_KIND_FLAG &&
                         !pyr_option_rows[option].target_value;
        bool dropped = false;
        for (size_t k = 0; k < drop_count; k++)
            dropped |= drop[k] == option;
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
    enum pyr_cli_option one, other;
    const char *why;
} contradictions[] = {
    {PYR_OPT_RATE, PYR_OPT_THINK_TIME,
     "at a rate requests go out on time and nobody thinks; leave one out"},
    {PYR_OPT_RATE, PYR_OPT_RETRY_AFTER,
     "at a rate requests go out on time, whatever was said to those before; leave one out"},
    {PYR_OPT_TRACE, PYR_OPT_RETRY_AFTER, "a trace has its own times; leave one out"},
    {PYR_OPT_TRACE, PYR_OPT_RATE, "a trace has its own times; see --trace-speed"},
    {PYR_OPT_TRACE, PYR_OPT_PROMPTS, "a trace has its own lengths; leave one out"},
    {PYR_OPT_TRACE, PYR_OPT_PROMPT_TOKENS, "a trace has its own lengths; leave one out"},
    {PYR_OPT_TRACE, PYR_OPT_OUTPUT_TOKENS, "a trace has its own lengths; leave one out"},
    {PYR_OPT_TRACE, PYR_OPT_SHARED_PREFIX, "a trace shares what its hash_ids say; leave one out"},
    {PYR_OPT_TRACE, PYR_OPT_THINK_TIME, "a trace has its own times and nobody thinks"},
    {PYR_OPT_SESSIONS, PYR_OPT_TRACE, "leave one out"},
    {PYR_OPT_SESSIONS, PYR_OPT_RATE,
     "a user's next turn waits for the last answer; give --concurrency and --think-time"},
    {PYR_OPT_SESSIONS, PYR_OPT_PROMPTS, "both are the prompts; leave one out"},
    {PYR_OPT_SESSIONS, PYR_OPT_PROMPT_TOKENS, "turns are as long as they are; leave one out"},
    {PYR_OPT_SESSIONS, PYR_OPT_SHARED_PREFIX, "turns share what they share; leave one out"},
    {PYR_OPT_PROMPTS, PYR_OPT_PROMPT_TOKENS,
     "prompts from a file are as long as they are; leave one out"},
    {PYR_OPT_PROMPTS, PYR_OPT_SHARED_PREFIX,
     "prompts from a file share what they share; leave one out"},
    {PYR_OPT_QUIET, PYR_OPT_VERBOSE, "leave one out"},
    {PYR_OPT_BREAKING_POINT, PYR_OPT_PATTERN, "the search has levels of its own; leave one out"},
    {PYR_OPT_BREAKING_POINT, PYR_OPT_PRODUCTION_LOAD,
     "the search has levels of its own; leave one out"},
    {PYR_OPT_BREAKING_POINT, PYR_OPT_SWEEP,
     "the search chooses its levels, the sweep goes through all; leave one out"},
    {PYR_OPT_SWEEP, PYR_OPT_PATTERN, "the sweep has levels of its own; leave one out"},
    {PYR_OPT_SWEEP, PYR_OPT_PRODUCTION_LOAD, "the sweep has levels of its own; leave one out"},
    {PYR_OPT_LEVELS, PYR_OPT_RATE, "the levels are the rates: 2/s,5/s; leave --rate out"},
    {PYR_OPT_LEVELS, PYR_OPT_MAX_CONCURRENCY, "the levels say what is in flight; leave one out"},
    {PYR_OPT_PATTERN, PYR_OPT_PRODUCTION_LOAD, "it is a pattern of its own; leave one out"},
    {PYR_OPT_TRACE, PYR_OPT_PATTERN, "a trace has its own times; leave one out"},
    {PYR_OPT_TRACE, PYR_OPT_PRODUCTION_LOAD, "a trace has its own times; leave one out"},
    {PYR_OPT_TRACE, PYR_OPT_BREAKING_POINT, "a trace has its own times; see --trace-speed"},
    {PYR_OPT_TRACE, PYR_OPT_SWEEP, "a trace has its own times; see --trace-speed"},
};

/* Options that say nothing without another. */
static const struct {
    enum pyr_cli_option one, needed;
    const char *mend;
} needs[] = {
    {PYR_OPT_CLIENTS, PYR_OPT_RATE,
     "give the rate of each client, or --concurrency N for N requests in flight"},
    {PYR_OPT_ARRIVAL, PYR_OPT_RATE, "give the rate of the arrivals"},
    {PYR_OPT_TRACE_SPEED, PYR_OPT_TRACE, "name the trace"},
    {PYR_OPT_LEVELS, PYR_OPT_SWEEP, "they are the levels of a sweep"},
    {PYR_OPT_ARRIVAL_CV, PYR_OPT_ARRIVAL, "give --arrival gamma"},
    {PYR_OPT_CANCEL_SHARE, PYR_OPT_CANCEL_AFTER, "say when they are cancelled"},
    {PYR_OPT_CANCEL_AFTER, PYR_OPT_CANCEL_SHARE, "say which share of the requests is cancelled"},
};

bool pyr_args_check(const struct pyr_args *args, struct pyr_err *err) {
    for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions; i++)
        if (pyr_given(args, contradictions[i].one) && pyr_given(args, contradictions[i].other))
            return pyr_fail(err, PYR_E_USAGE, "%s and %s contradict: %s",
                            args->values[contradictions[i].one].spelling,
                            args->values[contradictions[i].other].spelling, contradictions[i].why);
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (pyr_given(args, needs[i].one) && !pyr_given(args, needs[i].needed) &&
            !(needs[i].needed == PYR_OPT_RATE && pyr_given(args, PYR_OPT_LEVELS)))
            return pyr_fail(err, PYR_E_USAGE, "%s: says nothing without %s; %s",
                            args->values[needs[i].one].spelling,
                            pyr_option_rows[needs[i].needed].name, needs[i].mend);
    const struct pyr_option_value *rate = &args->values[PYR_OPT_RATE];
    if (rate->spelling && rate->real <= 0)
        return pyr_fail(err, PYR_E_USAGE, "%s: must be above 0 requests a second", rate->spelling);
    const struct pyr_option_value *speed = &args->values[PYR_OPT_TRACE_SPEED];
    if (speed->spelling && speed->real <= 0)
        return pyr_fail(err, PYR_E_USAGE, "%s: must be above 0", speed->spelling);
    const struct pyr_option_value *arrival = &args->values[PYR_OPT_ARRIVAL];
    if (pyr_given(args, PYR_OPT_ARRIVAL_CV) && strcmp(arrival->text, "gamma") != 0)
        return pyr_fail(err, PYR_E_USAGE, "%s and %s %s contradict: only gamma arrivals have one",
                        args->values[PYR_OPT_ARRIVAL_CV].spelling, arrival->spelling,
                        arrival->text);
    return true;
}
