/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/fs.h"

#include <stdlib.h>
#include <string.h>

char *pyr_test_temp_dir(char *path, size_t size) {
    const char *base = getenv("TMPDIR");
    snprintf(path, size, "%s/pyrometer-test-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(path);
}

void pyr_test_golden(const char *name, const char *text) {
    struct pyr_err err = {0};
    char path[512];
    snprintf(path, sizeof path, PYR_TEST_DATA "/golden/%s", name);
    const char *mode = getenv("PYR_GOLDEN");
    if (mode && strcmp(mode, "write") == 0) {
        assert_ok(err, pyr_fs_make_dirs(PYR_TEST_DATA "/golden", &err));
        assert_ok(err, pyr_fs_write_whole(path, text, strlen(text), &err));
        return;
    }
    struct pyr_buf want = {0};
    const struct pyr_root root = {.prefix = ""};
    assert_ok(err, pyr_fs_read(&root, path, 16u << 20, &want, &err));
    const char *left = pyr_buf_text(&want), *right = text;
    for (int line = 1; *left || *right; line++) {
        size_t left_bytes = strcspn(left, "\n"), right_bytes = strcspn(right, "\n");
        if (left_bytes != right_bytes || memcmp(left, right, left_bytes) != 0)
            fail_msg("%s:%d:\n wanted: %.*s\n    got: %.*s\n(PYR_GOLDEN=write records it again)",
                     path, line, (int)left_bytes, left, (int)right_bytes, right);
        left += left_bytes + (left[left_bytes] == '\n');
        right += right_bytes + (right[right_bytes] == '\n');
    }
    if (want.length != strlen(text))
        fail_msg("%s: differs in the final newline alone", path);
    pyr_buf_deinit(&want);
}
