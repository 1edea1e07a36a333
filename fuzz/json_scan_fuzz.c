/* SPDX-License-Identifier: MIT */
#include "codec/json_scan.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pyr_json_scan scan;
    pyr_json_scan_init(&scan, (const char *)data, size);
    enum pyr_json_token token;
    size_t steps = 0;
    while ((token = pyr_json_scan_next(&scan)) != PYR_JSON_BAD && token != PYR_JSON_END) {
        if (token == PYR_JSON_KEY || token == PYR_JSON_STRING) {
            char text[32];
            size_t bytes = pyr_json_decode(scan.text, scan.text_bytes, text, sizeof text);
            assert(bytes <= scan.text_bytes);
            (void)pyr_json_scan_is(&scan, "content");
        }
        assert(++steps <= size);
    }
    return 0;
}
