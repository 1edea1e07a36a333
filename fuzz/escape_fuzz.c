/* SPDX-License-Identifier: MIT */
#include "codec/escape.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    struct pyr_buf buf = {0};
    pyr_escape_json(&buf, text, size);
    pyr_escape_html(&buf, text, size);
    pyr_escape_xml(&buf, text, size);
    pyr_escape_csv(&buf, text, size);
    pyr_buf_deinit(&buf);

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
