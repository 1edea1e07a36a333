/* SPDX-License-Identifier: MIT
 *
 * What only the llama engine can get wrong: files, folders, memory and options of llama.cpp. What
 * it has in common with the others is in conformance_test.c.
 */
#include "support/support.h"

#include "support/engines.h"
#include "support/tiny_gguf.h"

#include "base/fs.h"
#include "model/engines.h"
#include "model/gguf_read.h"
#include "model/synth.h"
#include "model/vocab.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[256], model_path[300], tied_path[300];

static bool built(void) {
    if (pyr_fs_is_file(PYR_TEST_PLUGINS "/pyrometer-llama.so"))
        return true;
    print_message("skipped: the llama plug-in is not built (scripts/setup, then build)\n");
    return false;
}

static struct pyr_model_config config_of(const char *path) {
    return (struct pyr_model_config){.path = path, .plugin_dir = PYR_TEST_PLUGINS};
}

static void assert_refused(const struct pyr_model_config *config, enum pyr_errc code,
                           const char *said) {
    struct pyr_model *model;
    struct pyr_err err = {0};
    if (pyr_engine_llama.load(config, &model, &err))
        fail_msg("loaded, though %s", said);
    if (err.code != code || !strstr(err.text, said))
        fail_msg("'%s' (%d) does not say '%s' (%d)", err.text, err.code, said, code);
}

/* The file at model_path with `count` bytes changed at `at` (or cut there), under another name. */
static const char *damaged(const char *from, size_t at, const void *bytes, size_t count) {
    static char path[400];
    struct pyr_buf buf = {0};
    struct pyr_err err;
    snprintf(path, sizeof path, "%s/damaged.gguf", folder);
    assert_ok(err, pyr_fs_read(NULL, from, SIZE_MAX, &buf, &err));
    if (bytes)
        memcpy(buf.data + at, bytes, count);
    else
        buf.length = at;
    assert_ok(err, pyr_fs_write_whole(path, buf.data, buf.length, &err));
    pyr_buf_deinit(&buf);
    return path;
}

static void files_that_cannot_be_run_are_named(void **state) {
    (void)state;
    if (!built())
        skip();
    struct pyr_model_config config = config_of("/nonexistent/m.gguf");
    assert_refused(&config, PYR_E_IO, "/nonexistent/m.gguf");
    config = config_of(damaged(model_path, 1000000, NULL, 0));
    assert_refused(&config, PYR_E_INPUT, "truncated");
    config = config_of(damaged(model_path, 0, "GGML", 4));
    assert_refused(&config, PYR_E_INPUT, "not a GGUF file");

    /* what our own check lets pass, the library's log explains */
    struct pyr_tiny_gguf tiny = pyr_tiny_gguf_valid;
    struct pyr_buf buf = {0};
    struct pyr_err err;
    char path[400];
    tiny.architecture = "xyzzy";
    pyr_tiny_gguf_write(&tiny, &buf);
    snprintf(path, sizeof path, "%s/damaged.gguf", folder);
    assert_ok(err, pyr_fs_write_whole(path, buf.data, buf.length, &err));
    config = config_of(path);
    assert_refused(&config, PYR_E_UNSUPPORTED, "unsupported architecture");
    pyr_buf_clear(&buf);
    pyr_tiny_gguf_write(&pyr_tiny_gguf_valid, &buf);
    assert_ok(err, pyr_fs_write_whole(path, buf.data, buf.length, &err));
    assert_refused(&config, PYR_E_ENGINE, "llama.cpp says: ");
    pyr_buf_deinit(&buf);
    unlink(path);
}

static void impossible_weights_are_found_when_asked(void **state) {
    (void)state;
    if (!built())
        skip();
    struct pyr_gguf_file file;
    struct pyr_err err;
    const uint16_t nan = 0x7e00; /* a block's scale in half precision */
    assert_ok(err, pyr_gguf_open(tied_path, &file, &err));
    size_t at = pyr_gguf_find_tensor(&file.gguf, "blk.1.attn_q.weight")->offset;
    pyr_gguf_close(&file);
    const struct pyr_option option = {"check_tensors", "on"};
    struct pyr_model_config config = config_of(damaged(tied_path, at, &nan, sizeof nan));
    struct pyr_test_engine b;
    pyr_test_engine_open(&b, &pyr_engine_llama, &config, 1, 64); /* not looked for */
    pyr_test_engine_close(&b);
    config.options = &option;
    config.option_count = 1;
    assert_refused(&config, PYR_E_ENGINE, "invalid data");
    unlink(config.path);
}

static void folders_without_an_engine_are_named(void **state) {
    (void)state;
    struct pyr_model_config config = config_of(model_path);
    config.plugin_dir = folder;
    assert_refused(&config, PYR_E_ENGINE, "holds no pyrometer-llama.so");
    if (!built())
        skip();
    config = config_of(model_path);
    config.engine_dir = folder;
    assert_refused(&config, PYR_E_USAGE, "holds no libllama");
    const struct pyr_option variant = {"cpu_variant", "abacus"};
    config = config_of(model_path);
    config.options = &variant;
    config.option_count = 1;
    assert_refused(&config, PYR_E_USAGE, "no CPU variant 'abacus'");
}

static void memory_is_worked_out_before_it_is_taken(void **state) {
    (void)state;
    if (!built())
        skip();
    char proc[400], path[500];
    struct pyr_err err;
    const char *small = "MemAvailable: 1000 kB\n", *fair = "MemAvailable: 20000 kB\n";
    snprintf(proc, sizeof proc, "%s/proc", folder);
    snprintf(path, sizeof path, "%s/meminfo", proc);
    assert_ok(err, pyr_fs_make_dirs(proc, &err));
    assert_ok(err, pyr_fs_write_whole(path, small, strlen(small), &err));
    struct pyr_model_config config = config_of(model_path);
    config.system_root = folder;
    assert_refused(&config, PYR_E_NOMEM, "its weights: 1.2 MB of memory are needed and 1.0 MB");

    assert_ok(err, pyr_fs_write_whole(path, fair, strlen(fair), &err));
    struct pyr_model *model;
    assert_ok(err, pyr_engine_llama.load(&config, &model, &err));
    struct pyr_context_config wanted = {8, 500, 64, 1, 0, NULL};
    struct pyr_context_info info;
    assert_ok(err, pyr_engine_llama.context_plan(model, &wanted, &info, &err));
    /* 500 is rounded to 512; 5 layers x 4 heads x 8 values x 2 bytes, keys and values */
    assert_int_equal(info.tokens_per_sequence, 512);
    assert_int_equal(info.kv_bytes, UINT64_C(5) * 4 * 8 * 2 * 2 * 512 * 8);
    wanted.sequences = 200;
    struct pyr_context *context;
    assert_false(pyr_engine_llama.context_create(model, &wanted, &context, &err));
    assert_int_equal(err.code, PYR_E_NOMEM);
    assert_non_null(strstr(err.text, "200 sequences of 512 tokens"));
    pyr_engine_llama.unload(model);
    unlink(path);
    rmdir(proc);
}

static void contradictory_options_are_named(void **state) {
    (void)state;
    const struct pyr_option both[] = {{"flash_attn", "off"}, {"cache_type_v", "q8_0"}};
    const struct pyr_option wide = {"cache_type_k", "q8_0"}, bad = {"flash_attn", "maybe"};
    struct pyr_model_config config = config_of(model_path);
    config.options = both;
    config.option_count = 2;
    assert_refused(&config, PYR_E_USAGE, "needs flash attention");
    config.options = &wide;
    config.option_count = 1;
    assert_refused(&config, PYR_E_USAGE, "no whole number of q8_0"); /* heads of 8 values */
    config.options = &bad;
    assert_refused(&config, PYR_E_USAGE, "'maybe' is none of auto, on, off");
}

/* Output rows of special tokens never win, whatever the prompt is, tied or not. */
static void a_synthesised_model_writes_printable_text(void **state) {
    (void)state;
    if (!built())
        skip();
    static const char *const prompts[] = {"", "\n", "\xc3\xbc\xff", "Hello, world", "0123456789"};
    const char *const paths[] = {model_path, tied_path};
    enum { TOKENS = 40 };
    for (int m = 0; m < 2; m++) {
        struct pyr_test_engine b;
        struct pyr_model_config config = config_of(paths[m]);
        pyr_test_engine_open(&b, &pyr_engine_llama, &config, 1, 256);
        assert_true(b.info.random_weights);
        for (size_t p = 0; p < sizeof prompts / sizeof *prompts; p++) {
            int32_t prompt[64], text[TOKENS];
            float gaps[TOKENS];
            int count =
                b.engine->tokenize(b.model, prompts[p], strlen(prompts[p]), true, prompt, 64);
            assert_in_range(count, 1, 64);
            pyr_test_engine_generate(&b, 0, prompt, (uint32_t)count, text, gaps, TOKENS);
            for (int i = 0; i < TOKENS; i++)
                assert_true(text[i] >= PYR_VOCAB_FIRST_PIECE);
            b.engine->sequence_remove(b.context, 0, 0, UINT32_MAX);
        }
        pyr_test_engine_close(&b);
    }
}

/* The vocabulary of the larger shapes on a small model: English is short, every byte survives. */
static void english_takes_few_tokens_and_any_text_survives(void **state) {
    (void)state;
    if (!built())
        skip();
    static const char text[] =
        "Once upon a time, there was a little girl who lived near the river. She asked how many "
        "requests the server could answer in one second, and measured it: 2024 of them!\n"
        "\xc3\xbcml\xc3\xa4ut \xe2\x82\xac \x01\xff";
    enum { WORDS = 33, TOKENS_MAX = 100 };
    struct pyr_synth_config synth = {.type = 8, .seed = 1, .threads = 1};
    struct pyr_model_config config = config_of(tied_path);
    struct pyr_test_engine b;
    struct pyr_err err;
    int32_t tokens[TOKENS_MAX];
    char back[512];
    size_t used = 0;
    synth.shape = *pyr_synth_shape_find("stories260k", NULL);
    synth.shape.vocabulary = 32000;
    config.path = damaged(model_path, 0, NULL, 0); /* a path of its own */
    assert_ok(err, pyr_synth(config.path, &synth, NULL, &err));
    pyr_test_engine_open(&b, &pyr_engine_llama, &config, 1, 256);
    int count = b.engine->tokenize(b.model, text, sizeof text - 1, false, tokens, TOKENS_MAX);
    assert_in_range(count, WORDS, 2 * WORDS);
    for (int i = 0; i < count; i++)
        used += (size_t)b.engine->piece(b.model, tokens[i], back + used, 64);
    assert_int_equal(used, sizeof text); /* one space before the first word */
    assert_memory_equal(back + 1, text, sizeof text - 1);
    pyr_test_engine_close(&b);
    unlink(config.path);
}

/* The file at `from` with a chat template, under another name. What is put in front of the other
 * values is a multiple of 32 bytes, so that the tensors stay where they must. */
static const char *with_format(const char *from, const char *format) {
    static const char key[] = "tokenizer.chat_template";
    static char path[400];
    enum { KVS_AT = 24, COUNT_AT = 16, TEXT_TYPE = 8 };
    struct pyr_buf file = {0}, out = {0};
    struct pyr_err err;
    uint64_t count, key_bytes = sizeof key - 1, bytes = strlen(format);
    uint32_t type = TEXT_TYPE;
    snprintf(path, sizeof path, "%s/format.gguf", folder);
    assert_ok(err, pyr_fs_read(NULL, from, SIZE_MAX, &file, &err));
    memcpy(&count, file.data + COUNT_AT, sizeof count);
    count++;
    memcpy(file.data + COUNT_AT, &count, sizeof count);
    uint64_t blanks = (32 - (8 + key_bytes + 4 + 8 + bytes) % 32) % 32, whole = bytes + blanks;
    pyr_buf_append(&out, file.data, KVS_AT);
    pyr_buf_append(&out, &key_bytes, sizeof key_bytes);
    pyr_buf_append(&out, key, key_bytes);
    pyr_buf_append(&out, &type, sizeof type);
    pyr_buf_append(&out, &whole, sizeof whole);
    pyr_buf_printf(&out, "%s%*s", format, (int)blanks, "");
    pyr_buf_append(&out, file.data + KVS_AT, file.length - KVS_AT);
    assert_ok(err, pyr_fs_write_whole(path, out.data, out.length, &err));
    pyr_buf_deinit(&file);
    pyr_buf_deinit(&out);
    return path;
}

static void a_conversation_takes_the_format_that_the_model_names(void **state) {
    (void)state;
    if (!built())
        skip();
    static const struct pyr_message messages[] = {{"system", "Be brief."}, {"user", "Hi"}};
    static const char text[] = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"
                               "Hi<|im_end|>\n<|im_start|>assistant\n";
    enum { MOST = 200 };
    int32_t tokens[MOST], same[MOST];
    struct pyr_test_engine b;
    struct pyr_model_config config = config_of(model_path);
    pyr_test_engine_open(&b, &pyr_engine_llama, &config, 1, 256);
    assert_int_equal(b.engine->chat(b.model, messages, 2, tokens, MOST), 0); /* it names none */
    pyr_test_engine_close(&b);

    config.path = with_format(model_path, "{% for m in messages %}<|im_start|>{{ m.role }}");
    pyr_test_engine_open(&b, &pyr_engine_llama, &config, 1, 256);
    int count = b.engine->chat(b.model, messages, 2, tokens, MOST);
    int expected = b.engine->tokenize(b.model, text, sizeof text - 1, true, same, MOST);
    assert_true(expected > 0 && expected <= MOST);
    assert_int_equal(count, expected);
    assert_memory_equal(tokens, same, (size_t)count * sizeof *tokens);
    assert_int_equal(b.engine->chat(b.model, messages, 2, tokens, 3), -expected);
    pyr_test_engine_close(&b);

    config.path = with_format(model_path, "{{ something of its own }}");
    pyr_test_engine_open(&b, &pyr_engine_llama, &config, 1, 256);
    assert_int_equal(b.engine->chat(b.model, messages, 2, tokens, MOST), 0);
    pyr_test_engine_close(&b);
    unlink(config.path);
}

static void several_threads_write_the_same_text(void **state) {
    (void)state;
    if (!built())
        skip();
    struct pyr_model_config config = config_of(model_path);
    struct pyr_test_engine b;
    int32_t prompt[32], one[20], two[20];
    float gaps[20];
    struct pyr_err err;
    pyr_test_engine_open(&b, &pyr_engine_llama, &config, 1, 256);
    int count = b.engine->tokenize(b.model, "little dog", 10, true, prompt, 32);
    pyr_test_engine_generate(&b, 0, prompt, (uint32_t)count, one, gaps, 20);
    b.engine->context_destroy(b.context);
    struct pyr_context_config wanted = {1, 256, PYR_TEST_BATCH, 2, 0, NULL};
    assert_ok(err, b.engine->context_create(b.model, &wanted, &b.context, &err));
    pyr_test_engine_generate(&b, 0, prompt, (uint32_t)count, two, NULL, 20);
    for (int i = 0; i < 20 && gaps[i] > 0.05f; i++)
        assert_int_equal(one[i], two[i]);
    pyr_test_engine_close(&b);
}

static bool stop(void *context, double share) {
    (void)share;
    ++*(int *)context;
    return false;
}

static void loading_can_be_stopped(void **state) {
    (void)state;
    if (!built())
        skip();
    int calls = 0;
    struct pyr_model *model;
    struct pyr_err err = {0};
    struct pyr_model_config config = config_of(model_path);
    config.progress = stop;
    config.progress_context = &calls;
    assert_false(pyr_engine_llama.load(&config, &model, &err));
    assert_int_equal(err.code, PYR_E_INTERRUPTED);
    assert_int_equal(calls, 1);
}

static int make_models(void **state) {
    (void)state;
    struct pyr_synth_config config = {.type = 0, .seed = 1, .threads = 1};
    config.shape = *pyr_synth_shape_find("stories260k", NULL);
    if (!pyr_test_temp_dir(folder, sizeof folder))
        return -1;
    snprintf(model_path, sizeof model_path, "%s/tiny.gguf", folder);
    snprintf(tied_path, sizeof tied_path, "%s/tied.gguf", folder);
    if (!pyr_synth(model_path, &config, NULL, NULL))
        return -1;
    config.shape.tied = true;
    config.type = 8; /* Q8_0 */
    return pyr_synth(tied_path, &config, NULL, NULL) ? 0 : -1;
}

static int remove_models(void **state) {
    (void)state;
    unlink(model_path);
    unlink(tied_path);
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_cannot_be_run_are_named),
        cmocka_unit_test(impossible_weights_are_found_when_asked),
        cmocka_unit_test(folders_without_an_engine_are_named),
        cmocka_unit_test(memory_is_worked_out_before_it_is_taken),
        cmocka_unit_test(contradictory_options_are_named),
        cmocka_unit_test(a_synthesised_model_writes_printable_text),
        cmocka_unit_test(english_takes_few_tokens_and_any_text_survives),
        cmocka_unit_test(a_conversation_takes_the_format_that_the_model_names),
        cmocka_unit_test(several_threads_write_the_same_text),
        cmocka_unit_test(loading_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, make_models, remove_models);
}
