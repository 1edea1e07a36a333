/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "support/tiny_gguf.h"

#include "base/rng.h"
#include "model/gguf_check.h"
#include "model/gguf_write.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Parses and checks the bytes in a heap block of their exact size, so that the sanitizer sees a
 * one-byte over-read. */
static bool accept(const void *bytes, size_t count, struct pyr_gguf_shape *shape,
                   struct pyr_err *err) {
    struct pyr_arena *arena = pyr_arena_create();
    void *copy = malloc(count ? count : 1);
    struct pyr_gguf gguf;
    if (count)
        memcpy(copy, bytes, count);
    *err = (struct pyr_err){0};
    bool ok = pyr_gguf_parse(arena, "tiny.gguf", copy, count, &gguf, err) &&
              pyr_gguf_check(&gguf, "tiny.gguf", shape, err);
    assert_true(ok || (err->code != PYR_OK && strstr(err->text, "tiny.gguf: ")));
    pyr_arena_destroy(arena);
    free(copy);
    return ok;
}

static void assert_refused(const struct pyr_tiny_gguf *tiny, enum pyr_errc code,
                           const char *because) {
    struct pyr_buf buf = {0};
    struct pyr_gguf_shape shape;
    struct pyr_err err;
    pyr_tiny_gguf_write(tiny, &buf);
    if (accept(buf.data, buf.length, &shape, &err))
        fail_msg("accepted, though %s", because);
    if (err.code != code || !strstr(err.text, because))
        fail_msg("'%s' (%d) does not say '%s' (%d)", err.text, err.code, because, code);
    pyr_buf_deinit(&buf);
}

static void a_valid_model_is_read(void **state) {
    (void)state;
    struct pyr_buf buf = {0};
    struct pyr_gguf_shape shape;
    struct pyr_err err;
    pyr_tiny_gguf_write(&pyr_tiny_gguf_valid, &buf);
    assert_ok(err, accept(buf.data, buf.length, &shape, &err));
    assert_string_equal(shape.architecture, "llama");
    assert_int_equal(shape.layers, 1);
    assert_int_equal(shape.dim, 8);
    assert_int_equal(shape.heads, 4);
    assert_int_equal(shape.kv_heads[0], 2);
    assert_int_equal(shape.head_dim_k, 2);
    assert_int_equal(shape.vocabulary, 261);
    assert_true(shape.tied && shape.plain_kv && !shape.synthetic);
    assert_int_equal(shape.parameters, (261 + 8) * 8);
    assert_int_equal(shape.bytes_per_token, (261 + 8) * 8 * 4); /* tied: the embedding is read */
    const struct pyr_tensor_type *f16 = pyr_tensor_type(PYR_TENSOR_F16);
    assert_int_equal(pyr_gguf_kv_bytes(&shape, f16, f16, 256), 2 * 2 * 2 * 2 * 256);
    pyr_buf_deinit(&buf);
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    struct pyr_buf buf = {0};
    struct pyr_gguf_shape shape;
    struct pyr_err err;
    pyr_tiny_gguf_write(&pyr_tiny_gguf_valid, &buf);
    for (size_t length = 0; length < buf.length; length += length < 700 ? 1 : 37)
        assert_false(accept(buf.data, length, &shape, &err));
    assert_false(accept(buf.data, buf.length - 1, &shape, &err));
    assert_non_null(strstr(err.text, "truncated"));
    pyr_buf_deinit(&buf);
}

static void any_damage_is_refused_or_read_without_harm(void **state) {
    (void)state;
    struct pyr_buf buf = {0};
    struct pyr_gguf_shape shape;
    struct pyr_err err;
    struct pyr_rng rng;
    pyr_rng_init(&rng, 11);
    pyr_tiny_gguf_write(&pyr_tiny_gguf_valid, &buf);
    /* the metadata and the tensor table; the weights do not matter here */
    size_t head = buf.length - (261 + 8) * 8 * 4;
    for (int round = 0; round < 5000; round++) {
        char saved[8];
        size_t at = (size_t)pyr_rng_below(&rng, head - sizeof saved);
        memcpy(saved, buf.data + at, sizeof saved);
        uint64_t noise = pyr_rng_next(&rng) >> (8 * pyr_rng_below(&rng, 8));
        memcpy(buf.data + at, &noise, (size_t)pyr_rng_below(&rng, 8) + 1);
        accept(buf.data, buf.length, &shape, &err);
        memcpy(buf.data + at, saved, sizeof saved);
    }
    pyr_buf_deinit(&buf);
}

static void what_is_wrong_is_named(void **state) {
    (void)state;
    struct pyr_tiny_gguf tiny = pyr_tiny_gguf_valid;
    tiny.version = 1;
    assert_refused(&tiny, PYR_E_UNSUPPORTED, "GGUF version 1");
    tiny.version = 0x03000000;
    assert_refused(&tiny, PYR_E_UNSUPPORTED, "big-endian");

    tiny = pyr_tiny_gguf_valid;
    tiny.layers = 1000000000;
    assert_refused(&tiny, PYR_E_INPUT, "block_count is 1000000000");
    tiny.layers = 2;
    assert_refused(&tiny, PYR_E_INPUT, "no tensors for block 1");

    tiny = pyr_tiny_gguf_valid;
    tiny.kv_heads = 3;
    assert_refused(&tiny, PYR_E_INPUT, "no multiple");
    tiny = pyr_tiny_gguf_valid;
    tiny.scaling = "sideways";
    assert_refused(&tiny, PYR_E_INPUT, "rope.scaling.type");
    tiny = pyr_tiny_gguf_valid;
    tiny.second_token = "<0x41>";
    assert_refused(&tiny, PYR_E_INPUT, "occurs twice");
    /* As C strings, which the library reads, these are the same. */
    tiny = pyr_tiny_gguf_valid;
    tiny.zero_byte = true;
    assert_refused(&tiny, PYR_E_INPUT, "occurs twice");
    tiny = pyr_tiny_gguf_valid;
    tiny.missing_byte = 10;
    assert_refused(&tiny, PYR_E_UNSUPPORTED, "byte 10");
    tiny = pyr_tiny_gguf_valid;
    tiny.architecture = "bert";
    assert_refused(&tiny, PYR_E_UNSUPPORTED, "unsupported architecture 'bert'");
    tiny = pyr_tiny_gguf_valid;
    tiny.tensor_offset = 32;
    assert_refused(&tiny, PYR_E_INPUT, "truncated");
    tiny.tensor_offset = 1;
    assert_refused(&tiny, PYR_E_INPUT, "unaligned");
    tiny.tensor_offset = UINT64_MAX - 31 - 261 * 8 * 4;
    assert_refused(&tiny, PYR_E_INPUT, "truncated");
}

/* The library asserts them when the first text comes. */
static void a_begin_token_that_is_asked_for_must_be_there(void **state) {
    (void)state;
    static const struct {
        const char *vocabulary;
        bool refused;
    } kinds[] = {{"llama", false}, {"gpt2", true},  {"t5", true},
                 {"rwkv", true},   {"bert", false}, {"of next year", false}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct pyr_tiny_gguf tiny = pyr_tiny_gguf_valid;
        tiny.adds_begin = true;
        tiny.vocabulary = kinds[i].vocabulary;
        if (kinds[i].refused) {
            assert_refused(&tiny, PYR_E_INPUT, "a begin token is asked for and none is named");
            continue;
        }
        struct pyr_buf buf = {0};
        struct pyr_gguf_shape shape;
        struct pyr_err err;
        pyr_tiny_gguf_write(&tiny, &buf);
        assert_ok(err, accept(buf.data, buf.length, &shape, &err));
        pyr_buf_deinit(&buf);
    }
}

static void foreign_files_are_named(void **state) {
    (void)state;
    struct pyr_gguf_shape shape;
    struct pyr_err err;
    assert_false(accept("", 0, &shape, &err));
    assert_non_null(strstr(err.text, "is empty"));
    assert_false(accept("GG", 2, &shape, &err));
    assert_non_null(strstr(err.text, "truncated"));
    assert_false(accept("PK\3\4zipped", 10, &shape, &err));
    assert_non_null(strstr(err.text, "not a GGUF file"));
    assert_false(accept("tjgg\1\0\0\0", 8, &shape, &err));
    assert_int_equal(err.code, PYR_E_UNSUPPORTED);
    /* counts that would ask for more memory than there is */
    const char huge[] = "GGUF\3\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff";
    assert_false(accept(huge, sizeof huge, &shape, &err));
    assert_int_equal(err.code, PYR_E_INPUT);

    struct pyr_gguf_file file;
    assert_false(pyr_gguf_open("/nonexistent/model.gguf", &file, &err));
    assert_int_equal(err.code, PYR_E_IO);
    assert_non_null(strstr(err.text, "/nonexistent/model.gguf"));
    assert_false(pyr_gguf_open("/tmp", &file, &err));
    assert_non_null(strstr(err.text, "is a folder"));
    assert_false(pyr_gguf_open("/dev/null", &file, &err));
    assert_non_null(strstr(err.text, "not a regular file"));
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    char folder[256], path[300];
    struct pyr_err err;
    struct pyr_gguf_file file;
    assert_non_null(pyr_test_temp_dir(folder, sizeof folder));
    snprintf(path, sizeof path, "%s/written.gguf", folder);
    struct pyr_gguf_writer *writer = pyr_gguf_writer_create(path, &err);
    assert_non_null(writer);
    const char *texts[] = {"one", "", "three"};
    pyr_gguf_put_u32(writer, "u32", 7);
    pyr_gguf_put_u64(writer, "u64", UINT64_MAX);
    pyr_gguf_put_f32(writer, "f32", 1.5f);
    pyr_gguf_put_bool(writer, "bool", true);
    pyr_gguf_put_string(writer, "text", "hello");
    pyr_gguf_put_strings(writer, "texts", texts, 3);
    pyr_gguf_put_i32s(writer, "i32s", (int32_t[]){-1, 2}, 2);
    pyr_gguf_put_f32s(writer, "f32s", (float[]){0.25f}, 1);
    size_t vector = pyr_gguf_put_tensor(writer, "vector", PYR_TENSOR_F32, 3, 1);
    size_t matrix = pyr_gguf_put_tensor(writer, "matrix", PYR_TENSOR_Q4_0, 64, 2);
    assert_ok(err, pyr_gguf_writer_begin(writer, &err));
    unsigned char bytes[72];
    memset(bytes, 0x5a, sizeof bytes);
    assert_ok(err, pyr_gguf_write(writer, matrix, 36, bytes, 36, &err));
    assert_ok(err, pyr_gguf_write(writer, matrix, 0, bytes, 36, &err));
    assert_ok(err, pyr_gguf_write(writer, vector, 0, (float[]){1, 2, 3}, 12, &err));
    assert_int_equal(access(path, F_OK), -1); /* nobody sees half a file */
    assert_ok(err, pyr_gguf_writer_finish(writer, &err));

    assert_ok(err, pyr_gguf_open(path, &file, &err));
    const struct pyr_gguf *g = &file.gguf;
    uint64_t u;
    double d;
    bool flag;
    struct pyr_gguf_string s;
    struct pyr_gguf_cursor cursor = {0};
    assert_true(pyr_gguf_u64(pyr_gguf_find(g, "u32"), 0, &u) && u == 7);
    assert_true(pyr_gguf_u64(pyr_gguf_find(g, "u64"), 0, &u) && u == UINT64_MAX);
    assert_true(pyr_gguf_f64(pyr_gguf_find(g, "f32"), 0, &d) && d == 1.5);
    assert_true(pyr_gguf_bool(pyr_gguf_find(g, "bool"), &flag) && flag);
    assert_true(pyr_gguf_string(pyr_gguf_find(g, "text"), &s) && s.length == 5);
    assert_memory_equal(s.text, "hello", 5);
    assert_true(pyr_gguf_f64(pyr_gguf_find(g, "i32s"), 0, &d) && d == -1);
    assert_false(pyr_gguf_u64(pyr_gguf_find(g, "i32s"), 0, &u)); /* negative */
    assert_true(pyr_gguf_u64(pyr_gguf_find(g, "i32s"), 1, &u) && u == 2);
    assert_false(pyr_gguf_u64(pyr_gguf_find(g, "i32s"), 2, &u)); /* beyond the end */
    for (int i = 0; i < 3; i++) {
        assert_true(pyr_gguf_next_string(pyr_gguf_find(g, "texts"), &cursor, &s));
        assert_int_equal(s.length, strlen(texts[i]));
    }
    assert_false(pyr_gguf_next_string(pyr_gguf_find(g, "texts"), &cursor, &s));
    const struct pyr_gguf_tensor *t = pyr_gguf_find_tensor(g, "matrix");
    assert_int_equal(t->bytes, 72);
    assert_memory_equal((const char *)file.mapping + t->offset, bytes, 72);
    t = pyr_gguf_find_tensor(g, "vector");
    assert_int_equal(t->dim_count, 1);
    assert_memory_equal((const char *)file.mapping + t->offset, ((float[]){1, 2, 3}), 12);
    pyr_gguf_close(&file);
    unlink(path);
    rmdir(folder);
}

static void an_unwritable_folder_is_named(void **state) {
    (void)state;
    struct pyr_err err;
    assert_null(pyr_gguf_writer_create("/nonexistent/folder/x.gguf", &err));
    assert_int_equal(err.code, PYR_E_IO);
    assert_non_null(strstr(err.text, "/nonexistent/folder/x.gguf: cannot be written"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_model_is_read),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(any_damage_is_refused_or_read_without_harm),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_begin_token_that_is_asked_for_must_be_there),
        cmocka_unit_test(foreign_files_are_named),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(an_unwritable_folder_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
