/* SPDX-License-Identifier: MIT */
#include "codec/escape.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    struct pyr_buf buf = {0};
    pyr_escape_json(&buf, text, size);
    pyr_escape_html(&buf, text, size);
    pyr_escape_xml(&buf, text, size);
    pyr_escape_csv(&buf, text, size);
    pyr_buf_deinit(&buf);

    /* Whole characters that do nothing, also when cut, and the same in place. */
    char *plain = malloc(size + 1), *again = malloc(size + 1);
    size_t length = pyr_plain_text(plain, size + 1, text, size);
    assert(length <= size && plain[length] == '\0' && !memchr(plain, '\0', length));
    for (size_t at = 0; at < length;) {
        size_t one = pyr_utf8_length(plain + at, length - at);
        assert(one && !pyr_utf8_is_active(plain + at, one));
        at += one;
    }
    memcpy(again, text, size);
    assert(pyr_plain_text(again, size + 1, again, size) == length);
    assert(memcmp(again, plain, length) == 0);
    assert(pyr_plain_text(again, size / 2, text, size) <= size / 2);
    free(plain);
    free(again);

    size_t total = 0, taken = 0;
    while (taken < size) {
        char piece[9];
        size_t count = pyr_escape_json_into(piece, sizeof piece, text, size, &taken);
        assert(count > 0);
        total += count;
    }
    assert(total == pyr_escape_json_bytes(text, size));
    return 0;
}
