/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/fs.h"
#include "cli/resolve.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A folder with two models and a note, as the environment of each test. */
static char dir[256], first[300], second[300];

static char *value_of(const char *name) {
    static char models[256], one[300], home[256];
    snprintf(models, sizeof models, "%s", dir);
    snprintf(one, sizeof one, "%s", second);
    snprintf(home, sizeof home, "%s", dir);
    if (strcmp(name, "INFERNO_MODELS_DIR") == 0)
        return models;
    if (strcmp(name, "BENCH_MODEL_PATH") == 0)
        return one;
    return strcmp(name, "HOME") == 0 ? home : NULL;
}
static char *everything(const char *name) {
    return value_of(name);
}
static char *without_path(const char *name) {
    static char empty[1] = "";
    return strcmp(name, "BENCH_MODEL_PATH") == 0 ? empty : value_of(name);
}
static char *nothing(const char *name) {
    (void)name;
    return NULL;
}
static char *relative_cache(const char *name) {
    static char cache[] = "relative";
    return strcmp(name, "XDG_CACHE_HOME") == 0 ? cache : value_of(name);
}

static int set_up(void **state) {
    (void)state;
    struct pyr_err err;
    if (!pyr_test_temp_dir(dir, sizeof dir))
        return -1;
    snprintf(first, sizeof first, "%s/a.gguf", dir);
    snprintf(second, sizeof second, "%s/b.gguf", dir);
    return pyr_fs_write_whole(first, "GGUF", 4, &err) && pyr_fs_write_whole(second, "GGUF", 4, &err)
               ? 0
               : -1;
}

static int tear_down(void **state) {
    (void)state;
    unlink(first);
    unlink(second);
    return rmdir(dir);
}

static void assert_target(char *(*environment)(const char *), const char *operand,
                          const char *model, const char *expected) {
    struct pyr_arena *arena = pyr_arena_create();
    const struct pyr_resolve_input input = {
        .operand = operand, .model = model, .environment = environment};
    struct pyr_resolved resolved;
    struct pyr_err err;
    assert_ok(err, pyr_resolve_target(arena, &input, &resolved, &err));
    assert_string_equal(resolved.target, expected);
    assert_null(resolved.note);
    pyr_arena_destroy(arena);
}

static void each_place_is_looked_at_after_those_before_it(void **state) {
    (void)state;
    assert_target(everything, first, NULL, first);
    assert_target(everything, NULL, first, first);
    assert_target(everything, NULL, NULL, second);  /* BENCH_MODEL_PATH */
    assert_target(without_path, NULL, NULL, first); /* INFERNO_MODELS_DIR, by name */
    assert_target(everything, "sim:", NULL, "sim:");
    assert_target(everything, "null", NULL, "null:");
    assert_target(everything, "http://127.0.0.1:1/v1", NULL, "http://127.0.0.1:1/v1");
}

static void a_configuration_files_model_comes_after_the_environments(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_resolve_input input = {.environment = nothing, .configured = first};
    struct pyr_resolved resolved;
    struct pyr_err err;
    assert_ok(err, pyr_resolve_target(arena, &input, &resolved, &err));
    assert_string_equal(resolved.target, first);
    input.environment = everything;
    assert_ok(err, pyr_resolve_target(arena, &input, &resolved, &err));
    assert_string_equal(resolved.target, second);
    pyr_arena_destroy(arena);
}

static void a_url_takes_the_served_models_name(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    const struct pyr_resolve_input input = {
        .operand = "https://h/v1", .model = "llama-3", .environment = nothing};
    struct pyr_resolved resolved;
    struct pyr_err err;
    assert_ok(err, pyr_resolve_target(arena, &input, &resolved, &err));
    assert_string_equal(resolved.model, "llama-3");
    assert_false(resolved.in_process);
    pyr_arena_destroy(arena);
}

static void assert_fails(char *(*environment)(const char *), const char *operand, const char *model,
                         int exit_code, const char *part) {
    struct pyr_arena *arena = pyr_arena_create();
    const struct pyr_resolve_input input = {
        .operand = operand, .model = model, .environment = environment};
    struct pyr_resolved resolved;
    struct pyr_err err = {0};
    assert_false(pyr_resolve_target(arena, &input, &resolved, &err));
    assert_int_equal(pyr_exit_code(err.code), exit_code);
    if (!strstr(err.text, part))
        fail_msg("'%s' lacks '%s'", err.text, part);
    pyr_arena_destroy(arena);
}

static void what_cannot_be_a_target_is_named_with_where_it_came_from(void **state) {
    (void)state;
    assert_fails(nothing, first, second, 2, "contradict");
    assert_fails(nothing, "ftp://host/model", NULL, 2,
                 "the scheme ftp:// is not known; a target is ");
    assert_fails(nothing, NULL, "s3://b/m.gguf", 2, "--model: s3://b/m.gguf: the scheme s3:// ");
    assert_fails(nothing, "localhost:8000/v1", NULL, 2, "is written http://localhost:8000/v1");
    assert_fails(nothing, "10.0.0.1:80", NULL, 2, "is written http://10.0.0.1:80");
    assert_fails(nothing, "/nonexistent.gguf", NULL, 1, "/nonexistent.gguf");
    assert_fails(nothing, NULL, "/nonexistent.gguf", 1, "--model: ");
    assert_fails(nothing, NULL, NULL, 2, "no home");
    unlink(second);
    assert_fails(everything, NULL, NULL, 1, "BENCH_MODEL_PATH: ");
    unlink(first);
    assert_fails(without_path, NULL, NULL, 1, "holds no .gguf");
}

static void the_cache_lies_below_the_home_and_relative_folders_are_passed_over(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_err err;
    const char *path;
    char expected[400];
    snprintf(expected, sizeof expected, "%s/.cache/pyrometer/models/m.gguf", dir);
    assert_ok(err, pyr_resolve_cache_path(arena, relative_cache, "m.gguf", &path, &err));
    assert_string_equal(path, expected);
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_place_is_looked_at_after_those_before_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_configuration_files_model_comes_after_the_environments,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_url_takes_the_served_models_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_a_target_is_named_with_where_it_came_from,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            the_cache_lies_below_the_home_and_relative_folders_are_passed_over, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
