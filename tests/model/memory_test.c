/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/fs.h"
#include "model/memory.h"

#include <stdlib.h>
#include <string.h>

static char folder[256];

static void put(const char *path, const char *text) {
    char full[600];
    struct pyr_err err;
    snprintf(full, sizeof full, "%s%s", folder, path);
    *strrchr(full, '/') = '\0';
    assert_ok(err, pyr_fs_make_dirs(full, &err));
    snprintf(full, sizeof full, "%s%s", folder, path);
    assert_ok(err, pyr_fs_write_whole(full, text, strlen(text), &err));
}

static uint64_t available(void) {
    const struct pyr_root root = {folder};
    struct pyr_err err;
    uint64_t bytes;
    assert_ok(err, pyr_memory_available(&root, &bytes, &err));
    return bytes;
}

static void the_smaller_of_machine_and_group_counts(void **state) {
    (void)state;
    struct pyr_err err;
    uint64_t bytes;
    const struct pyr_root root = {folder};
    assert_false(pyr_memory_available(&root, &bytes, &err));
    put("/proc/meminfo", "MemTotal:  9000 kB\nMemFree: 1 kB\nMemAvailable:    4000 kB\n");
    assert_int_equal(available(), 4000 * 1024);
    /* no limit */
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    put("/sys/fs/cgroup/a/b/memory.current", "1000\n");
    assert_int_equal(available(), 4000 * 1024);
    /* a limit on the group above ours; its file pages count as free */
    put("/sys/fs/cgroup/a/memory.max", "3000000\n");
    put("/sys/fs/cgroup/a/memory.current", "1000000\n");
    put("/sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 300000\nactive_file 100000\n");
    assert_int_equal(available(), 2400000);
    /* a tighter one on ours, already passed */
    put("/sys/fs/cgroup/a/b/memory.max", "500\n");
    assert_int_equal(available(), 0);
}

static void version_one_groups_are_read(void **state) {
    (void)state;
    put("/proc/self/cgroup", "5:cpu:/x\n4:memory:/x\n");
    put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "2000000\n");
    put("/sys/fs/cgroup/memory/x/memory.usage_in_bytes", "500000\n");
    assert_int_equal(available(), 1500000);
}

static void what_does_not_fit_is_told_with_both_figures(void **state) {
    (void)state;
    const struct pyr_root root = {folder};
    struct pyr_err err;
    assert_true(pyr_memory_check("m.gguf", "its weights", 1000000, &root, &err));
    assert_false(pyr_memory_check("m.gguf", "its weights", 3000000, &root, &err));
    assert_int_equal(err.code, PYR_E_NOMEM);
    assert_non_null(
        strstr(err.text, "m.gguf: its weights: 3.0 MB of memory are needed and 1.5 MB"));
    /* this machine has some */
    uint64_t bytes;
    assert_ok(err, pyr_memory_available(NULL, &bytes, &err));
    assert_true(bytes > 0);
}

static int make_folder(void **state) {
    (void)state;
    return pyr_test_temp_dir(folder, sizeof folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[400];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smaller_of_machine_and_group_counts),
        cmocka_unit_test(version_one_groups_are_read),
        cmocka_unit_test(what_does_not_fit_is_told_with_both_figures),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
