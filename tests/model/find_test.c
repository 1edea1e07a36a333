/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "support/tiny_gguf.h"

#include "base/fs.h"
#include "model/info.h"
#include "model/model_find.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[256];

static void put(const char *name) {
    char path[600];
    struct pyr_err err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(err, pyr_fs_write_whole(path, "x", 1, &err));
}

static void drop(const char *name) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static void a_file_is_itself(void **state) {
    (void)state;
    char found[PATH_MAX], path[600];
    struct pyr_err err;
    put("a.gguf");
    snprintf(path, sizeof path, "%s/a.gguf", folder);
    assert_ok(err, pyr_model_find(path, found, &err));
    assert_string_equal(found, path);
    /* a folder with one model, its projector and a later part */
    put("mmproj-a.gguf");
    put("b-00002-of-00003.gguf");
    assert_ok(err, pyr_model_find(folder, found, &err));
    assert_string_equal(found, path);
    drop("mmproj-a.gguf");
    drop("b-00002-of-00003.gguf");
    drop("a.gguf");
}

static void a_folder_without_a_model_or_with_several_is_named(void **state) {
    (void)state;
    char found[PATH_MAX];
    struct pyr_err err;
    assert_false(pyr_model_find(folder, found, &err));
    assert_int_equal(err.code, PYR_E_INPUT);
    assert_non_null(strstr(err.text, "without a model"));
    put("one.gguf");
    put("two.GGUF");
    assert_false(pyr_model_find(folder, found, &err));
    assert_non_null(strstr(err.text, "2 models"));
    assert_non_null(strstr(err.text, "one.gguf"));
    assert_non_null(strstr(err.text, "two.GGUF"));
    drop("one.gguf");
    drop("two.GGUF");
}

static void what_is_not_supported_yet_is_named(void **state) {
    (void)state;
    static const char *const names[] = {"model.safetensors", "model.onnx"};
    char found[PATH_MAX], path[600];
    struct pyr_err err;
    for (int i = 0; i < 2; i++) {
        put(names[i]);
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        assert_false(pyr_model_find(path, found, &err));
        assert_int_equal(err.code, PYR_E_UNSUPPORTED);
        assert_non_null(strstr(err.text, "not supported yet; GGUF"));
        assert_false(pyr_model_find(folder, found, &err));
        assert_int_equal(err.code, PYR_E_UNSUPPORTED);
        assert_non_null(strstr(err.text, names[i]));
        drop(names[i]);
    }
    assert_false(pyr_model_find("/nonexistent/m.gguf", found, &err));
    assert_non_null(strstr(err.text, "/nonexistent/m.gguf"));
    assert_false(pyr_model_find("", found, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
}

static void the_information_tells_shape_and_sizes(void **state) {
    (void)state;
    struct pyr_buf bytes = {0}, text = {0};
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_gguf gguf;
    struct pyr_info info;
    struct pyr_err err;
    pyr_tiny_gguf_write(&pyr_tiny_gguf_valid, &bytes);
    assert_ok(err, pyr_gguf_parse(arena, "tiny", bytes.data, bytes.length, &gguf, &err));
    assert_ok(err, pyr_info_make(&gguf, "tiny", &info, &err));
    assert_int_equal(info.type_count, 1);
    assert_int_equal(info.types[0].count, 2);
    assert_int_equal(info.kv_bytes_per_token, 2 * 2 * 2 * 2);
    pyr_info_write(&info, "tiny.gguf", &text);
    pyr_info_write_metadata(&gguf, &text);
    pyr_info_write_tensors(&gguf, &text);
    assert_non_null(strstr(text.data, "llama, 1 layers of 8, inner 16, 4 heads, 2 key/value"));
    assert_non_null(strstr(text.data, "16 bytes a token and sequence"));
    assert_non_null(strstr(text.data, "261 x string [\"<unk>\""));
    assert_non_null(strstr(text.data, "blk.0.attn_q.weight"));
    pyr_buf_deinit(&bytes);
    pyr_buf_deinit(&text);
    pyr_arena_destroy(arena);
}

static int make_folder(void **state) {
    (void)state;
    return pyr_test_temp_dir(folder, sizeof folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_itself),
        cmocka_unit_test(a_folder_without_a_model_or_with_several_is_named),
        cmocka_unit_test(what_is_not_supported_yet_is_named),
        cmocka_unit_test(the_information_tells_shape_and_sizes),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
