/* SPDX-License-Identifier: MIT
 *
 * What every engine behind model/model.h must do. A new engine is one more row in `subjects`.
 */
#include "support/support.h"

#include "support/engines.h"

#include "base/fs.h"
#include "model/synth.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[256], model_path[300];

struct subject {
    const char *engine, *model; /* model NULL: the synthesised one */
    struct pyr_option options[2];
    size_t option_count;
};

static struct subject subjects[] = {
    {.engine = "null", .model = ""},
    {.engine = "sim", .model = "jitter_pct=20"},
    {.engine = "llama"},
    {.engine = "llama", .options = {{"kv_unified", "on"}}, .option_count = 1},
    {.engine = "llama", .options = {{"flash_attn", "off"}, {"n_ubatch", "8"}}, .option_count = 2},
};

static struct pyr_model_config config_of(const struct subject *subject) {
    return (struct pyr_model_config){.path = subject->model ? subject->model : model_path,
                                     .plugin_dir = PYR_TEST_PLUGINS,
                                     .options = subject->options,
                                     .option_count = subject->option_count};
}

static void open_subject(struct pyr_test_engine *b, void **state, uint32_t sequences,
                         uint32_t tokens) {
    const struct subject *subject = *state;
    const struct pyr_engine *engine = pyr_engine_find(subject->engine);
    struct pyr_model_config config = config_of(subject);
    assert_non_null(engine);
    if (!subject->model && !pyr_fs_is_file(PYR_TEST_PLUGINS "/pyrometer-llama.so")) {
        print_message("skipped: the llama plug-in is not built (scripts/setup, then build)\n");
        skip();
    }
    pyr_test_engine_open(b, engine, &config, sequences, tokens);
}

static uint32_t tokenise(struct pyr_test_engine *b, const char *text, int32_t *tokens,
                         int capacity) {
    int count = b->engine->tokenize(b->model, text, strlen(text), true, tokens, capacity);
    assert_true(count > 0);
    return (uint32_t)count;
}

static const char *const prompts[] = {"once upon a time", "the quick brown fox", "a",
                                      "she sells sea shells by the sea shore, he said."};
enum { PROMPTS = sizeof prompts / sizeof *prompts, OUTPUT = 12 };

/* Batched rows are computed together, so the last bits of a logit may differ from those of a row
 * alone; where the two best tokens are nearly level the text may then part. */
static void assert_same_text(const int32_t *expected, const float *gaps, const int32_t *got) {
    for (int i = 0; i < OUTPUT; i++) {
        if (expected[i] == got[i])
            continue;
        if (gaps[i] > 0.05f)
            fail_msg("token %d is %d for %d though the gap is %.3f", i, got[i], expected[i],
                     (double)gaps[i]);
        return;
    }
}

static void text_survives_tokenising(void **state) {
    struct pyr_test_engine b;
    open_subject(&b, state, 1, 256);
    static const char text[] = "once upon a time, there was a fox.\n";
    int32_t tokens[128];
    char back[256];
    size_t used = 0;
    int count = b.engine->tokenize(b.model, text, sizeof text - 1, false, tokens, 128);
    assert_true(count > 0);
    assert_int_equal(b.engine->tokenize(b.model, text, sizeof text - 1, false, tokens, 1), -count);
    for (int i = 0; i < count; i++) {
        int bytes = b.engine->piece(b.model, tokens[i], back + used, (int)(sizeof back - used));
        assert_true(bytes >= 0);
        if (bytes > 0)
            assert_int_equal(b.engine->piece(b.model, tokens[i], back + used, 0), -bytes);
        used += (size_t)bytes;
        assert_false(b.engine->is_end(b.model, tokens[i]));
    }
    back[used] = '\0';
    /* vocabularies of llama's kind put a space before the first word */
    assert_string_equal(back + (back[0] == ' '), text);
    if (b.info.eos_token >= 0)
        assert_true(b.engine->is_end(b.model, b.info.eos_token));
    assert_int_equal(b.engine->piece(b.model, -1, back, 8), 0);
    assert_int_equal(b.engine->piece(b.model, (int32_t)b.info.vocabulary_size, back, 8), 0);
    pyr_test_engine_close(&b);
}

static void sequences_in_a_batch_do_as_they_do_alone(void **state) {
    struct pyr_test_engine b;
    open_subject(&b, state, PROMPTS, 256);
    int32_t prompt[PROMPTS][64], alone[PROMPTS][OUTPUT], together[PROMPTS][OUTPUT];
    float gaps[PROMPTS][OUTPUT];
    uint32_t length[PROMPTS], row[PROMPTS];
    struct pyr_err err;
    for (int32_t s = 0; s < PROMPTS; s++) {
        length[s] = tokenise(&b, prompts[s], prompt[s], 64);
        length[s] = length[s] > 16 ? 16 : length[s]; /* all fit in one batch */
        pyr_test_engine_generate(&b, 0, prompt[s], length[s], alone[s], gaps[s], OUTPUT);
        b.engine->sequence_remove(b.context, 0, 0, UINT32_MAX);
    }
    for (uint32_t i = 0; i < OUTPUT; i++) {
        for (int32_t s = 0; s < PROMPTS; s++) {
            if (i > 0)
                pyr_test_engine_put(&b, together[s][i - 1], length[s] + i - 1, s, true);
            for (uint32_t p = 0; i == 0 && p < length[s]; p++)
                pyr_test_engine_put(&b, prompt[s][p], p, s, p + 1 == length[s]);
            row[s] = b.batch.count - 1;
        }
        if (pyr_test_engine_step(&b, &err) != PYR_DECODE_OK)
            fail_msg("%s", err.text);
        for (int32_t s = 0; s < PROMPTS; s++)
            together[s][i] = pyr_test_engine_best(&b, row[s], NULL);
    }
    for (int32_t s = 0; s < PROMPTS; s++)
        assert_same_text(alone[s], gaps[s], together[s]);
    pyr_test_engine_close(&b);
}

static void a_removed_sequence_leaves_nothing_behind(void **state) {
    struct pyr_test_engine b;
    open_subject(&b, state, 2, 256);
    int32_t first[64], other[64], before[OUTPUT], after[OUTPUT], cut[OUTPUT];
    float gaps[OUTPUT];
    uint32_t n = tokenise(&b, prompts[0], first, 64), m = tokenise(&b, prompts[1], other, 64);
    pyr_test_engine_generate(&b, 1, first, n, before, gaps, OUTPUT);
    b.engine->sequence_remove(b.context, 1, 0, UINT32_MAX);
    pyr_test_engine_generate(&b, 1, other, m, after, NULL, OUTPUT);
    b.engine->sequence_remove(b.context, 1, 0, UINT32_MAX);
    pyr_test_engine_generate(&b, 1, first, n, after, NULL, OUTPUT);
    assert_same_text(before, gaps, after);

    /* cut back to the prompt without its last token, which is decoded again */
    struct pyr_err err;
    b.engine->sequence_remove(b.context, 1, n - 1, UINT32_MAX);
    for (uint32_t i = 0; i < OUTPUT; i++) {
        pyr_test_engine_put(&b, i ? cut[i - 1] : first[n - 1], n - 1 + i, 1, true);
        if (pyr_test_engine_step(&b, &err) != PYR_DECODE_OK)
            fail_msg("%s", err.text);
        cut[i] = pyr_test_engine_best(&b, 0, NULL);
    }
    assert_same_text(before, gaps, cut);
    pyr_test_engine_close(&b);
}

static void a_copied_sequence_goes_on_as_the_first(void **state) {
    struct pyr_test_engine b;
    open_subject(&b, state, 3, 256);
    int32_t prompt[64], expected[OUTPUT], got[OUTPUT];
    float gaps[OUTPUT];
    struct pyr_err err;
    uint32_t n = tokenise(&b, prompts[0], prompt, 64);
    pyr_test_engine_generate(&b, 0, prompt, n, expected, gaps, OUTPUT);
    /* into a sequence that is not empty, and less than there is */
    pyr_test_engine_generate(&b, 2, prompt, n, got, NULL, 2);
    if (!b.engine->sequence_copy(b.context, 0, 2, n - 1))
        skip();
    for (uint32_t i = 0; i < OUTPUT; i++) {
        pyr_test_engine_put(&b, i ? got[i - 1] : prompt[n - 1], n - 1 + i, 2, true);
        if (pyr_test_engine_step(&b, &err) != PYR_DECODE_OK)
            fail_msg("%s", err.text);
        got[i] = pyr_test_engine_best(&b, 0, NULL);
    }
    assert_same_text(expected, gaps, got);
    pyr_test_engine_close(&b);
}

static void a_full_memory_is_told_and_can_be_freed(void **state) {
    struct pyr_test_engine b;
    open_subject(&b, state, 1, 256);
    struct pyr_err err = {0};
    int32_t prompt[64];
    tokenise(&b, prompts[0], prompt, 64);
    uint32_t pos = 0;
    enum pyr_decode_status status = PYR_DECODE_OK;
    while (status == PYR_DECODE_OK && pos < 1000) {
        for (uint32_t i = 0; i < 32; i++)
            pyr_test_engine_put(&b, prompt[1], pos + i, 0, false);
        status = pyr_test_engine_step(&b, &err);
        pos += status == PYR_DECODE_OK ? 32 : 0;
    }
    assert_int_equal(status, PYR_DECODE_FULL);
    assert_int_equal(pos, b.plan.tokens_per_sequence);
    /* nothing changed: the same again is as full, and after a cut it goes on where it was */
    pyr_test_engine_put(&b, prompt[1], pos, 0, true);
    assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_FULL);
    b.engine->sequence_remove(b.context, 0, pos - 1, UINT32_MAX);
    pyr_test_engine_put(&b, prompt[1], pos - 1, 0, true);
    assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
    assert_non_null(b.engine->logits(b.context, 0));
    pyr_test_engine_close(&b);
}

static void an_impossible_batch_is_refused_and_changes_nothing(void **state) {
    struct pyr_test_engine b;
    open_subject(&b, state, 2, 256);
    struct pyr_err err = {0};
    int32_t prompt[64], expected[OUTPUT], got[OUTPUT];
    float gaps[OUTPUT];
    uint32_t n = tokenise(&b, prompts[0], prompt, 64);
    pyr_test_engine_generate(&b, 0, prompt, n, expected, gaps, OUTPUT);

    static const struct {
        int32_t token, seq;
        uint32_t pos;
    } wrong[] = {{-1, 1, 0},      {1 << 30, 1, 0}, {5, -1, 0},         {5, 2, 0},
                 {5, 1 << 20, 0}, {5, 1, 1},       {5, 1, UINT32_MAX}, {5, 0, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        /* a row that would be right stands before the wrong one */
        pyr_test_engine_put(&b, expected[OUTPUT - 1], n + OUTPUT - 1, 0, true);
        pyr_test_engine_put(&b, wrong[i].token, wrong[i].pos, wrong[i].seq, true);
        err.text[0] = '\0';
        assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_FAILED);
        assert_true(strlen(err.text) > 10);
    }
    assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_FAILED); /* empty */
    b.batch.count = b.plan.batch_tokens + 1;
    assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_FAILED); /* too large */

    pyr_test_engine_generate(&b, 1, prompt, n, got, NULL, OUTPUT);
    assert_same_text(expected, gaps, got);
    pyr_test_engine_put(&b, expected[OUTPUT - 1], n + OUTPUT - 1, 0, true);
    assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
    pyr_test_engine_close(&b);
}

static void a_plan_is_what_is_made(void **state) {
    struct pyr_test_engine b;
    open_subject(&b, state, 3, 100);
    struct pyr_err err = {0};
    assert_int_equal(b.plan.sequences, 3);
    assert_true(b.plan.tokens_per_sequence >= 100);
    assert_true(b.plan.batch_tokens > 0 && b.plan.batch_tokens <= PYR_TEST_BATCH);
    assert_int_equal(b.plan.threads, 1);
    /* the largest batch is taken, each sequence holds what was said, one row more is refused */
    for (uint32_t i = 0; i < b.plan.batch_tokens; i++)
        pyr_test_engine_put(&b, 5, i, 2, i + 1 == b.plan.batch_tokens);
    assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
    assert_non_null(b.engine->logits(b.context, b.plan.batch_tokens - 1));
    assert_null(b.engine->logits(b.context, 0)); /* not wanted */
    b.engine->sequence_remove(b.context, 2, 0, UINT32_MAX);
    for (uint32_t pos = 0; pos < 100; pos += 20) {
        for (int32_t s = 0; s < 3; s++)
            for (uint32_t i = 0; i < 20; i++)
                pyr_test_engine_put(&b, 5, pos + i, s, true);
        assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
    }

    struct pyr_context_config many = {1000000, 1, 1, 1, 0, NULL}, none = {0};
    struct pyr_context_info info;
    assert_ok(err, b.engine->context_plan(b.model, &many, &info, &err));
    assert_int_equal(info.sequences, b.info.max_sequences);
    assert_false(b.engine->context_plan(b.model, &none, &info, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
    many.tokens_per_sequence = UINT32_MAX;
    assert_false(b.engine->context_plan(b.model, &many, &info, &err));
    pyr_test_engine_close(&b);
}

static void the_same_run_gives_the_same_text_and_time(void **state) {
    int32_t prompt[64], text[2][OUTPUT];
    uint64_t end_ns[2];
    for (int run = 0; run < 2; run++) {
        struct pyr_test_engine b;
        open_subject(&b, state, 1, 256);
        uint32_t n = tokenise(&b, prompts[3], prompt, 64);
        pyr_test_engine_generate(&b, 0, prompt, n, text[run], NULL, OUTPUT);
        end_ns[run] = b.now_ns;
        assert_true(!b.info.virtual_time || b.now_ns > 0);
        pyr_test_engine_close(&b);
    }
    assert_memory_equal(text[0], text[1], sizeof text[0]);
    assert_true(end_ns[0] == end_ns[1]);
}

static void an_unknown_option_is_answered_with_the_nearest(void **state) {
    struct pyr_test_engine b;
    open_subject(&b, state, 1, 64); /* skips where there is no plug-in */
    const struct subject *subject = *state;
    const char *key = strcmp(subject->engine, "null") == 0  ? "vocabulari"
                      : strcmp(subject->engine, "sim") == 0 ? "step_m"
                                                            : "flash_atn";
    const struct pyr_option option = {key, "1"};
    struct pyr_model_config config = config_of(subject);
    struct pyr_model *model;
    struct pyr_err err = {0};
    config.options = &option;
    config.option_count = 1;
    assert_false(b.engine->load(&config, &model, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
    assert_non_null(strstr(err.text, "did you mean"));
    pyr_test_engine_close(&b);
}

static int make_model(void **state) {
    (void)state;
    struct pyr_synth_config config = {.type = 0, .seed = 1, .threads = 1};
    config.shape = *pyr_synth_shape_find("stories260k", NULL);
    if (!pyr_test_temp_dir(folder, sizeof folder))
        return -1;
    snprintf(model_path, sizeof model_path, "%s/tiny.gguf", folder);
    return pyr_synth(model_path, &config, NULL, NULL) ? 0 : -1;
}

static int remove_model(void **state) {
    (void)state;
    unlink(model_path);
    return rmdir(folder);
}

int main(void) {
    static const struct CMUnitTest every[] = {
        cmocka_unit_test(text_survives_tokenising),
        cmocka_unit_test(sequences_in_a_batch_do_as_they_do_alone),
        cmocka_unit_test(a_removed_sequence_leaves_nothing_behind),
        cmocka_unit_test(a_copied_sequence_goes_on_as_the_first),
        cmocka_unit_test(a_full_memory_is_told_and_can_be_freed),
        cmocka_unit_test(an_impossible_batch_is_refused_and_changes_nothing),
        cmocka_unit_test(a_plan_is_what_is_made),
        cmocka_unit_test(the_same_run_gives_the_same_text_and_time),
        cmocka_unit_test(an_unknown_option_is_answered_with_the_nearest),
    };
    enum { EVERY = sizeof every / sizeof *every, SUBJECTS = sizeof subjects / sizeof *subjects };
    static struct CMUnitTest tests[EVERY * SUBJECTS];
    static char names[EVERY * SUBJECTS][128];
    for (size_t i = 0; i < EVERY * SUBJECTS; i++) {
        struct subject *subject = &subjects[i / EVERY];
        tests[i] = every[i % EVERY];
        tests[i].initial_state = subject;
        snprintf(names[i], sizeof names[i], "%s%s%s: %s", subject->engine,
                 subject->option_count ? " with " : "",
                 subject->option_count ? subject->options[0].key : "", every[i % EVERY].name);
        tests[i].name = names[i];
    }
    return cmocka_run_group_tests(tests, make_model, remove_model);
}
