/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "cli/commands.h"
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 32 };

/* Parses a command line split at blanks (none of these holds a quoted one). */
static bool parse(struct pyr_arena *arena, unsigned command, const char *line,
                  struct pyr_args *args, struct pyr_err *err) {
    char *words[WORDS_MAX], *rest = pyr_arena_strdup(arena, line), *word;
    int count = 0;
    while ((word = strsep(&rest, " ")))
        if (*word)
            words[count++] = word;
    return pyr_args_parse(arena, command, "bench", count, words, args, err) &&
           pyr_args_check(args, err);
}

static void every_kind_of_argument_is_read(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_args args;
    struct pyr_err err;
    assert_ok(err, parse(arena, PYR_CMD_BENCH,
                         "m.gguf --concurrency 1,4..6 --requests=100 --duration 2m --warmup 5s "
                         "--shared-prefix 25% --rate 1.5 --isolate -m x -- --odd",
                         &args, &err));
    const struct pyr_option_value *v = args.values;
    assert_int_equal(v[PYR_OPT_CONCURRENCY].list_count, 4);
    assert_int_equal(v[PYR_OPT_CONCURRENCY].list[3], 6);
    assert_int_equal(v[PYR_OPT_REQUESTS].number, 100);
    assert_int_equal(v[PYR_OPT_DURATION].number, 120000000000u);
    assert_true(v[PYR_OPT_WARMUP].is_time);
    assert_int_equal(v[PYR_OPT_WARMUP].number, 5000000000u);
    assert_near(v[PYR_OPT_SHARED_PREFIX].real, 0.25, 1e-12);
    assert_near(v[PYR_OPT_RATE].real, 1.5, 1e-12);
    assert_true(pyr_given(&args, PYR_OPT_ISOLATE));
    assert_false(pyr_given(&args, PYR_OPT_SLO));
    assert_string_equal(v[PYR_OPT_MODEL].text, "x");
    assert_int_equal(args.operand_count, 2);
    assert_string_equal(args.operands[0], "m.gguf");
    assert_string_equal(args.operands[1], "--odd");
    pyr_arena_destroy(arena);
}

/* docs: every spelling of the documents that this program follows. */
static void the_documents_spellings_are_accepted(void **state) {
    (void)state;
    static const struct {
        const char *line;
        enum pyr_cli_option option;
    } cases[] = {
        {"--concurrent 4", PYR_OPT_CONCURRENCY},
        {"--prompt-batchsize 4", PYR_OPT_CONCURRENCY},
        {"--iterations 4", PYR_OPT_REQUESTS},
        {"--repetitions 4", PYR_OPT_REQUESTS},
        {"-i 4", PYR_OPT_REQUESTS},
        {"--model-id m", PYR_OPT_MODEL},
        {"--type quick", PYR_OPT_PRESET},
        {"-t quick", PYR_OPT_PRESET},
        {"--bench-type all", PYR_OPT_SUITE},
        {"-b all", PYR_OPT_SUITE},
        {"--output-dir d", PYR_OPT_OUTPUT},
        {"-o d", PYR_OPT_OUTPUT},
        {"--tokens 9", PYR_OPT_OUTPUT_TOKENS},
        {"--timeout 3", PYR_OPT_TIMEOUT},
        {"--debug", PYR_OPT_VERBOSE},
        {"-d 30", PYR_OPT_DURATION},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_args args;
        struct pyr_err err;
        assert_ok(err, parse(arena, PYR_CMD_BENCH, cases[i].line, &args, &err));
        assert_true(pyr_given(&args, cases[i].option));
        pyr_arena_destroy(arena);
    }
}

static void engine_options_are_split_at_their_keys(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_args args;
    struct pyr_err err;
    assert_ok(err, parse(arena, PYR_CMD_BENCH,
                         "--engine-option a=1,b=on,off,c= --engine-option d=x=y,z", &args, &err));
    static const char *const expected[][2] = {
        {"a", "1"}, {"b", "on,off"}, {"c", ""}, {"d", "x=y,z"}};
    assert_int_equal(args.pair_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(args.pairs[i].key, expected[i][0]);
        assert_string_equal(args.pairs[i].value, expected[i][1]);
    }
    pyr_arena_destroy(arena);
}

static void a_servers_options_go_to_the_target_in_order(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_args args;
    struct pyr_err err;
    assert_ok(err, parse(arena, PYR_CMD_BENCH,
                         "--header a:b=c,d --header e:f --no-stream --target-option probe=off "
                         "--insecure",
                         &args, &err));
    static const char *const expected[][2] = {{"header", "a:b=c,d"},
                                              {"header", "e:f"},
                                              {"stream", "off"},
                                              {"probe", "off"},
                                              {"insecure", "on"}};
    assert_int_equal(args.pair_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(args.pairs[i].key, expected[i][0]);
        assert_string_equal(args.pairs[i].value, expected[i][1]);
    }
    pyr_arena_destroy(arena);
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
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_args args;
        struct pyr_err err = {0};
        if (parse(arena, PYR_CMD_BENCH, cases[i].line, &args, &err))
            fail_msg("'%s' was accepted", cases[i].line);
        assert_int_equal(err.code, PYR_E_USAGE);
        if (!strstr(err.text, cases[i].part))
            fail_msg("'%s' gives '%s', which lacks '%s'", cases[i].line, err.text, cases[i].part);
        pyr_arena_destroy(arena);
    }
}

static void an_option_may_be_said_again_with_the_same_value(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_args args;
    struct pyr_err err;
    assert_ok(err, parse(arena, PYR_CMD_BENCH, "--seed 1 --seed 1 --quiet -q", &args, &err));
    pyr_arena_destroy(arena);
}

/* The table itself: parsing, help and completion rest on this. */
static void no_command_has_two_options_of_one_spelling(void **state) {
    (void)state;
    for (unsigned bit = 1; bit < PYR_CMD_ALL; bit <<= 1) {
        const char *seen[PYR_OPT_COUNT * 4];
        size_t count = 0;
        char letters[PYR_OPT_COUNT + 1] = "";
        for (int i = 0; i < PYR_OPT_COUNT; i++) {
            const struct pyr_option_row *row = &pyr_option_rows[i];
            if (!(row->commands & bit))
                continue;
            if (row->letter) {
                assert_null(strchr(letters, row->letter));
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

static void every_option_is_described_and_belongs_to_a_command(void **state) {
    (void)state;
    for (int i = 0; i < PYR_OPT_COUNT; i++) {
        const struct pyr_option_row *row = &pyr_option_rows[i];
        assert_non_null(row->name);
        assert_memory_equal(row->name, "--", 2);
        assert_non_null(row->help);
        assert_non_null(row->group);
        assert_true(row->commands != 0);
        bool flag = row->kind == PYR_KIND_FLAG || row->target_value;
        assert_true(flag == (row->argument == NULL));
        assert_true((row->kind == PYR_KIND_PAIR) == (row->target_key != NULL));
    }
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
        for (int i = 0; i < PYR_OPT_COUNT; i++)
            if (pyr_option_rows[i].commands & c->bit)
                assert_non_null(strstr(text, pyr_option_rows[i].name));
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
        cmocka_unit_test(the_documents_spellings_are_accepted),
        cmocka_unit_test(engine_options_are_split_at_their_keys),
        cmocka_unit_test(a_servers_options_go_to_the_target_in_order),
        cmocka_unit_test(mistakes_are_refused_with_what_would_mend_them),
        cmocka_unit_test(an_option_may_be_said_again_with_the_same_value),
        cmocka_unit_test(no_command_has_two_options_of_one_spelling),
        cmocka_unit_test(every_option_is_described_and_belongs_to_a_command),
        cmocka_unit_test(commands_are_found_by_one_word_or_two),
        cmocka_unit_test(help_names_every_option_of_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
