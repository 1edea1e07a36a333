/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "sample/pagecache.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { FILE_BYTES = 3 << 20 };

struct fixture {
    char dir[256], path[300];
    bool in_memory; /* the temporary folder is a tmpfs */
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct statfs system;
    if (!pyr_test_temp_dir(fixture->dir, sizeof fixture->dir))
        return -1;
    snprintf(fixture->path, sizeof fixture->path, "%s/file", fixture->dir);
    fixture->in_memory = statfs(fixture->dir, &system) == 0 && system.f_type == TMPFS_MAGIC;
    int fd = open(fixture->path, O_WRONLY | O_CREAT, 0600);
    char *bytes = calloc(1, FILE_BYTES);
    bool ok = fd >= 0 && write(fd, bytes, FILE_BYTES) == FILE_BYTES;
    free(bytes);
    close(fd);
    *state = fixture;
    return ok ? 0 : -1;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    unlink(fixture->path);
    rmdir(fixture->dir);
    free(fixture);
    return 0;
}

static void a_file_is_dropped_and_warmed_again(void **state) {
    struct fixture *fixture = *state;
    struct pyr_err err;
    double share;
    assert_ok(err, pyr_pagecache_warm(fixture->path, &err));
    assert_ok(err, pyr_pagecache_resident(fixture->path, &share, &err));
    assert_true(share > 0.99);
    if (fixture->in_memory) {
        assert_false(pyr_pagecache_drop(fixture->path, &err));
        assert_non_null(strstr(err.text, "tmpfs"));
        return;
    }
    assert_ok(err, pyr_pagecache_drop(fixture->path, &err));
    assert_ok(err, pyr_pagecache_resident(fixture->path, &share, &err));
    assert_true(share < 0.01);
    assert_ok(err, pyr_pagecache_warm(fixture->path, &err));
}

static void a_file_that_a_process_maps_cannot_be_dropped_and_says_so(void **state) {
    struct fixture *fixture = *state;
    struct pyr_err err;
    int fd = open(fixture->path, O_RDONLY);
    void *map = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    assert_true(map != MAP_FAILED);
    assert_false(pyr_pagecache_drop(fixture->path, &err));
    assert_non_null(strstr(err.text, fixture->in_memory ? "tmpfs" : "maps or locks"));
    munmap(map, FILE_BYTES);
    close(fd);
}

static void what_is_no_file_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct pyr_err err;
    double share;
    assert_false(pyr_pagecache_drop("/nonexistent/file", &err));
    assert_false(pyr_pagecache_warm(fixture->dir, &err));
    assert_false(pyr_pagecache_resident(fixture->dir, &share, &err));
    assert_non_null(strstr(err.text, "is no file"));
}

static void an_empty_file_is_cold_and_warm_at_once(void **state) {
    struct fixture *fixture = *state;
    struct pyr_err err;
    double share = 1;
    assert_int_equal(truncate(fixture->path, 0), 0);
    assert_ok(err, pyr_pagecache_warm(fixture->path, &err));
    assert_ok(err, pyr_pagecache_resident(fixture->path, &share, &err));
    assert_true(share < 0.01);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_dropped_and_warmed_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_a_process_maps_cannot_be_dropped_and_says_so,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_file_is_cold_and_warm_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
