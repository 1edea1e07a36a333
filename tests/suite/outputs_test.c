/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/fs.h"
#include "suite/outputs.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[512];

static int make_dir(void **state) {
    (void)state;
    return pyr_test_temp_dir(dir, sizeof dir) ? 0 : -1;
}

static void a_name_without_extension_is_a_folder(void **state) {
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/out", dir);
    struct pyr_outputs outputs;
    struct pyr_err err;
    assert_ok(err, pyr_outputs_prepare(path, "x", 0, &outputs, &err));
    assert_string_equal(outputs.dir, path);
    assert_non_null(strstr(outputs.results, "/out/results.json"));
    assert_non_null(strstr(outputs.run, "/out/history/19700101T000000Z/run.pyr"));
    assert_true(pyr_fs_is_dir(outputs.history));
    assert_ok(err, pyr_outputs_prepare(path, "x", 0, &outputs, &err));
    assert_non_null(strstr(outputs.run, "/19700101T000000Z-2/run.pyr"));
}

static void a_name_with_extension_is_the_results_file(void **state) {
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/ci_1.json", dir);
    struct pyr_outputs outputs;
    struct pyr_err err;
    assert_ok(err, pyr_outputs_prepare(path, "x", 0, &outputs, &err));
    assert_string_equal(outputs.results, path);
    assert_string_equal(outputs.dir, dir);
}

static void what_is_in_the_way_is_named(void **state) {
    (void)state;
    char file[600], path[700];
    snprintf(file, sizeof file, "%s/file", dir);
    struct pyr_err err;
    assert_ok(err, pyr_fs_write_whole(file, "x", 1, &err));
    snprintf(path, sizeof path, "%s/sub", file);
    struct pyr_outputs outputs;
    assert_false(pyr_outputs_prepare(path, "x", 0, &outputs, &err));
    assert_non_null(strstr(err.text, "--output"));
    assert_non_null(strstr(err.text, file));
}

static void folders_of_a_run_that_never_was_are_taken_back(void **state) {
    (void)state;
    char fresh[600];
    snprintf(fresh, sizeof fresh, "%s/fresh", dir);
    struct pyr_outputs first, second;
    struct pyr_err err;
    assert_ok(err, pyr_outputs_prepare(fresh, "x", 0, &first, &err));
    pyr_outputs_discard(&first);
    assert_false(pyr_fs_is_dir(fresh));

    assert_ok(err, pyr_outputs_prepare(fresh, "x", 0, &first, &err));
    assert_ok(err, pyr_fs_write_whole(first.run, "x", 1, &err));
    assert_ok(err, pyr_outputs_prepare(fresh, "x", 0, &second, &err));
    pyr_outputs_discard(&second);
    pyr_outputs_discard(&first);
    assert_true(pyr_fs_is_file(first.run));
    assert_false(pyr_fs_is_dir(second.history));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_without_extension_is_a_folder),
        cmocka_unit_test(a_name_with_extension_is_the_results_file),
        cmocka_unit_test(what_is_in_the_way_is_named),
        cmocka_unit_test(folders_of_a_run_that_never_was_are_taken_back),
    };
    return cmocka_run_group_tests(tests, make_dir, NULL);
}
