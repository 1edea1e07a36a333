/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include <stdlib.h>

char *pyr_test_temp_dir(char *path, size_t size) {
    const char *base = getenv("TMPDIR");
    snprintf(path, size, "%s/pyrometer-test-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(path);
}
