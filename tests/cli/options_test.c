/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "cli/commands.h"
#include "cli/options.h"
#include "suite/bench.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 32, ROWS_MAX = 128 };

static const struct pyr_command *command_of(const char *name) {
    const struct pyr_command *c = pyr_commands;
    while (strcmp(c->name, name) != 0)
        c++;
    return c;
}

/* Parses a command line split at blanks (none of these holds a quoted one). */
static bool parse(struct pyr_cli *cli, const char *command, const char *line, struct pyr_err *err) {
    char *words[WORDS_MAX], *rest, *word;
    int count = 0;
    *cli = (struct pyr_cli){.arena = pyr_arena_create(), .command = command_of(command)};
    rest = pyr_arena_strdup(cli->arena, line);
    while ((word = strsep(&rest, " ")))
        if (*word)
            words[count++] = word;
    return pyr_args_parse(cli, count, words, err) && pyr_args_check(&cli->args, err);
}

static void every_kind_of_argument_is_read(void **state) {
    (void)state;
    struct pyr_cli cli;
    struct pyr_err err;
    assert_ok(err, parse(&cli, "bench",
                         "m.gguf --concurrency 1,4..6 --requests=100 --duration 2m --warmup 5s "
                         "--shared-prefix 25% --rate 1.5 --temperature 0.5 --isolate -m x -- --odd",
                         &err));
    const struct pyr_bench_options *o = cli.options;
    assert_int_equal(o->concurrency_count, 4);
    assert_int_equal(o->concurrency[3], 6);
    assert_int_equal(o->requests, 100);
    assert_int_equal(o->duration_ns, 120000000000u);
    assert_true(o->warmup_set);
    assert_int_equal(o->warmup_ns, 5000000000u);
    assert_int_equal(o->warmup_requests, 0);
    assert_near(o->shared_prefix, 0.25, 1e-12);
    assert_near(o->rate, 1.5, 1e-12);
    assert_near((double)o->temperature, 0.5, 0);
    assert_int_equal(o->seed, 1); /* a default of its own */
    assert_true(o->isolate);
    assert_null(o->slo);
    assert_null(pyr_given(&cli.args, "--slo"));
    assert_string_equal(pyr_given(&cli.args, "--model")->spelling, "-m");
    assert_string_equal(cli.shared.model, "x");
    assert_int_equal(cli.args.operand_count, 2);
    assert_string_equal(cli.args.operands[0], "m.gguf");
    assert_string_equal(cli.args.operands[1], "--odd");
    pyr_arena_destroy(cli.arena);
}

static void a_warm_up_is_requests_or_time(void **state) {
    (void)state;
    struct pyr_cli cli;
    struct pyr_err err;
    assert_ok(err, parse(&cli, "bench", "--warmup 20", &err));
    assert_int_equal(((const struct pyr_bench_options *)cli.options)->warmup_requests, 20);
    pyr_arena_destroy(cli.arena);
    assert_ok(err, parse(&cli, "bench", "--warmup 0", &err));
    assert_true(((const struct pyr_bench_options *)cli.options)->warmup_set);
    pyr_arena_destroy(cli.arena);
    assert_false(parse(&cli, "bench", "--warmup 5x", &err));
    pyr_arena_destroy(cli.arena);
}

/* docs: every spelling of the documents that this program follows. */
static void the_documents_spellings_are_accepted(void **state) {
    (void)state;
    static const struct {
        const char *line;
        const char *option;
    } cases[] = {
        {"--concurrent 4", "--concurrency"},
        {"--prompt-batchsize 4", "--concurrency"},
        {"--iterations 4", "--requests"},
        {"--repetitions 4", "--requests"},
        {"-i 4", "--requests"},
        {"--model-id m", "--model"},
        {"--type quick", "--preset"},
        {"-t quick", "--preset"},
        {"--bench-type all", "--suite"},
        {"-b all", "--suite"},
        {"--output-dir d", "--output"},
        {"-o d", "--output"},
        {"--tokens 9", "--output-tokens"},
        {"--timeout 3", "--timeout"},
        {"--debug", "--verbose"},
        {"-d 30", "--duration"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pyr_cli cli;
        struct pyr_err err;
        assert_ok(err, parse(&cli, "bench", cases[i].line, &err));
        assert_non_null(pyr_given(&cli.args, cases[i].option));
        pyr_arena_destroy(cli.arena);
    }
}

static void engine_options_are_split_at_their_keys(void **state) {
    (void)state;
    struct pyr_cli cli;
    struct pyr_err err;
    assert_ok(
        err, parse(&cli, "bench", "--engine-option a=1,b=on,off,c= --engine-option d=x=y,z", &err));
    const struct pyr_bench_options *o = cli.options;
    static const char *const expected[][2] = {
        {"a", "1"}, {"b", "on,off"}, {"c", ""}, {"d", "x=y,z"}};
    assert_int_equal(o->target_option_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(o->target_options[i].key, expected[i][0]);
        assert_string_equal(o->target_options[i].value, expected[i][1]);
    }
    pyr_arena_destroy(cli.arena);
}

static void a_servers_options_go_to_the_target_in_order(void **state) {
    (void)state;
    struct pyr_cli cli;
    struct pyr_err err;
    assert_ok(err, parse(&cli, "bench",
                         "--header a:b=c,d --header e:f --no-stream --target-option probe=off "
                         "--insecure",
                         &err));
    const struct pyr_bench_options *o = cli.options;
    static const char *const expected[][2] = {{"header", "a:b=c,d"},
                                              {"header", "e:f"},
                                              {"stream", "off"},
                                              {"probe", "off"},
                                              {"insecure", "on"}};
    assert_int_equal(o->target_option_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(o->target_options[i].key, expected[i][0]);
        assert_string_equal(o->target_options[i].value, expected[i][1]);
    }
    pyr_arena_destroy(cli.arena);
}

static void mistakes_are_refused_with_what_would_mend_them(void **state) {
    (void)state;
    static const struct {
        const char *line, *part;
    } cases[] = {
        {"--concurency 4", "did you mean --concurrency?"},
        {"--iteration 4", "did you mean --iterations?"},
        {"--zzzzzzzz", "unknown option; see pyrometer bench --help"},
        {"-z", "unknown option"},
        {"--weights f16", "is no option of bench but of model synth"},
        {"--requests", "wants a value: --requests N"},
        {"--requests --quiet", "wants a value"},
        {"--requests x", "--requests: 'x' is not a whole number"},
        {"--requests 0", "too small; give at least 1"},
        {"--concurrency 1,0", "too small"},
        {"--threads 99999", "too large; give at most 4096"},
        {"--quiet=yes", "takes no value"},
        {"--seed 1 --seed 2", "given twice, as 1 and as 2"},
        {"--rate 0", "must be above 0"},
        {"--rate -1", "below 0"},
        {"--shared-prefix 2", "no share"},
        {"--shared-prefix 101%", "no share"},
        {"--engine-option x", "not KEY=VALUE"},
        {"--engine-option =x", "not KEY=VALUE"},
        {"--engine-option=", "not KEY=VALUE"},
        {"--rate 1 --think-time 1", "--rate and --think-time contradict"},
        {"--prompts f --prompt-tokens 9", "contradict"},
        {"--quiet --debug", "--quiet and --debug contradict"},
        {"--clients 3", "says nothing without --rate"},
        {"--trace-speed 2", "says nothing without --trace"},
        {"--trace t --trace-speed 0", "must be above 0"},
        {"--trace t --rate 3", "--trace and --rate contradict"},
        {"--sessions s --rate 3", "--sessions and --rate contradict"},
        {"--arrival poisson", "says nothing without --rate"},
        {"--rate 1 --arrival poisson --arrival-cv 2", "only gamma"},
        {"--cancel-share 0.1", "says nothing without --cancel-after"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pyr_cli cli;
        struct pyr_err err = {0};
        if (parse(&cli, "bench", cases[i].line, &err))
            fail_msg("'%s' was accepted", cases[i].line);
        assert_int_equal(err.code, PYR_E_USAGE);
        if (!strstr(err.text, cases[i].part))
            fail_msg("'%s' gives '%s', which lacks '%s'", cases[i].line, err.text, cases[i].part);
        pyr_arena_destroy(cli.arena);
    }
}

static void an_option_may_be_said_again_with_the_same_value(void **state) {
    (void)state;
    struct pyr_cli cli;
    struct pyr_err err;
    assert_ok(err, parse(&cli, "bench", "--seed 1 --seed 1 --quiet -q", &err));
    pyr_arena_destroy(cli.arena);
}

/* The tables themselves: parsing, help and completion rest on this. */
static void no_command_has_two_options_of_one_spelling(void **state) {
    (void)state;
    for (const struct pyr_command *c = pyr_commands; c->name; c++) {
        const char *seen[ROWS_MAX * (1 + PYR_OPTION_ALIASES_MAX)];
        size_t count = 0;
        char letters[ROWS_MAX + 1] = "";
        const struct pyr_option_row *row;
        for (size_t i = 0; (row = pyr_command_option(c, i).row); i++) {
            assert_true(i < ROWS_MAX);
            if (row->letter) {
                if (strchr(letters, row->letter))
                    fail_msg("%s: -%c stands for two options", c->name, row->letter);
                letters[strlen(letters)] = row->letter;
            }
            seen[count++] = row->name;
            for (size_t a = 0; a < PYR_OPTION_ALIASES_MAX && row->aliases[a]; a++)
                seen[count++] = row->aliases[a];
        }
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(seen[i], seen[j]);
    }
}

static void every_option_is_described_and_its_default_is_in_its_help(void **state) {
    (void)state;
    for (const struct pyr_command *c = pyr_commands; c->name; c++) {
        struct pyr_command_option option;
        for (size_t i = 0; (option = pyr_command_option(c, i)).row; i++) {
            const struct pyr_option_row *row = option.row;
            assert_memory_equal(row->name, "--", 2);
            assert_non_null(row->help);
            assert_non_null(row->group);
            if (row->kind == PYR_OPTION_FLAG)
                assert_null(row->argument);
            else if (row->kind != PYR_OPTION_OWN)
                assert_non_null(row->argument);
            if (option.use && option.use->pairs)
                assert_true(row->key && (row->value != NULL) == (row->argument == NULL));
            char text[64];
            snprintf(text, sizeof text, "(default %s", row->standard ? row->standard : "");
            if (row->standard && !strstr(row->help, text))
                fail_msg("%s %s: its help lacks '%s'", c->name, row->name, text);
        }
    }
}

/* A rule about an option that nobody has would never hold. */
static void every_rule_is_about_options_that_there_are(void **state) {
    (void)state;
    const char *name;
    for (size_t i = 0; (name = pyr_args_rule_name(i)); i++) {
        bool found = false;
        for (const struct pyr_command *c = pyr_commands; c->name && !found; c++)
            for (size_t k = 0; pyr_command_option(c, k).row && !found; k++)
                found = strcmp(pyr_command_option(c, k).row->name, name) == 0;
        if (!found)
            fail_msg("no command has %s", name);
    }
}

static void a_command_is_started_again_without_what_is_its_own(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    static char words_typed[][16] = {"m", "-o", "--runs",   "--runs=3", "--seed",
                                     "4", "-q", "--header", "--seed"};
    char *argv[9];
    for (size_t i = 0; i < 9; i++)
        argv[i] = words_typed[i];
    static const char *const drop[] = {"--runs", "--seed"};
    size_t count;
    char **words = pyr_args_without(arena, command_of("bench"), 9, argv, drop, 2, &count);
    static const char *const kept[] = {"m", "-o", "--runs", "-q", "--header", "--seed"};
    assert_int_equal(count, sizeof kept / sizeof *kept);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(words[i], kept[i]);
    pyr_arena_destroy(arena);
}

static void commands_are_found_by_one_word_or_two(void **state) {
    (void)state;
    static const struct {
        const char *words[2];
        const char *name, *part;
    } cases[] = {
        {{"model", "info"}, "model info", NULL},
        {{"doctor", "x"}, "doctor", NULL},
        {{"docto", "x"}, NULL, "did you mean doctor?"},
        {{"model", "inf"}, NULL, "wants a second word: model synth or model info"},
        {{"model", "convert"}, NULL, "model convert: not built yet"},
        {{"pgo", "x"}, NULL, "pgo: not built yet in this version"},
        {{"a/b.gguf", "x"}, NULL, "to measure it: pyrometer bench a/b.gguf"},
        {{"zzzzzzzzzz", "x"}, NULL, "unknown command; pyrometer --help lists them"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pyr_err err = {0};
        int used = 0;
        char words[2][32], *argv[] = {words[0], words[1]};
        snprintf(words[0], sizeof words[0], "%s", cases[i].words[0]);
        snprintf(words[1], sizeof words[1], "%s", cases[i].words[1]);
        const struct pyr_command *command = pyr_command_find(2, argv, &used, &err);
        if (cases[i].name) {
            assert_non_null(command);
            assert_string_equal(command->name, cases[i].name);
            assert_int_equal(used, strchr(cases[i].name, ' ') ? 2 : 1);
        } else {
            assert_null(command);
            assert_int_equal(err.code, PYR_E_USAGE);
            if (!strstr(err.text, cases[i].part))
                fail_msg("'%s' lacks '%s'", err.text, cases[i].part);
        }
    }
}

static void help_names_every_option_of_the_command(void **state) {
    (void)state;
    for (const struct pyr_command *c = pyr_commands; c->name; c++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        pyr_help_command(out, c);
        fclose(out);
        for (size_t i = 0; pyr_command_option(c, i).row; i++)
            assert_non_null(strstr(text, pyr_command_option(c, i).row->name));
        /* Examples first; no line wider than a terminal but where a command line is long. */
        assert_memory_equal(text, "  ", 2);
        assert_non_null(strstr(text, c->examples[0]));
        for (char *line = strstr(text, "Usage:"); line && *line;) {
            size_t length = strcspn(line, "\n");
            assert_true(length <= 80);
            assert_true(length == 0 || line[length - 1] != ' ');
            line += length + (line[length] == '\n');
        }
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_argument_is_read),
        cmocka_unit_test(a_warm_up_is_requests_or_time),
        cmocka_unit_test(the_documents_spellings_are_accepted),
        cmocka_unit_test(engine_options_are_split_at_their_keys),
        cmocka_unit_test(a_servers_options_go_to_the_target_in_order),
        cmocka_unit_test(mistakes_are_refused_with_what_would_mend_them),
        cmocka_unit_test(an_option_may_be_said_again_with_the_same_value),
        cmocka_unit_test(no_command_has_two_options_of_one_spelling),
        cmocka_unit_test(every_option_is_described_and_its_default_is_in_its_help),
        cmocka_unit_test(every_rule_is_about_options_that_there_are),
        cmocka_unit_test(a_command_is_started_again_without_what_is_its_own),
        cmocka_unit_test(commands_are_found_by_one_word_or_two),
        cmocka_unit_test(help_names_every_option_of_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
