/* SPDX-License-Identifier: MIT
 *
 * What a server may send back, from bytes to an outcome: the first byte says whether a stream was
 * asked for and how the rest is split.
 */
#include "target/http_call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct http_target target;
    static struct http_handle handle = {.target = &target};
    static struct http_conn conn;
    static char hold[PYR_HTTP_HOLD_BYTES];
    if (!size)
        return 0;
    struct pyr_slot slot = {.record = {.sent_ns = 1}, .output_tokens = 4};
    uint64_t now_ns = 1000;
    handle.clock.virtual_now_ns = &now_ns;
    target.options.stream = data[0] & 1;
    conn = (struct http_conn){.handle = &handle, .slot = &slot, .hold = hold, .last_read_ns = 1};
    pyr_http_answer_begin(&conn);
    size_t step = 1 + data[0] / 2 % 32;
    bool over = false, clean;
    for (size_t at = 1; at < size && !over; at += step, now_ns += 10) {
        size_t count = size - at < step ? size - at : step;
        char *piece = malloc(count);
        memcpy(piece, data + at, count);
        struct pyr_read read = {piece, count, data[0] & 0x80 ? now_ns - 5 : 0};
        over = pyr_http_answer_take(&conn, &read, &clean);
        free(piece);
    }
    if (!over)
        pyr_http_answer_eof(&conn);
    enum pyr_outcome outcome = pyr_http_answer_outcome(&conn);
    assert(outcome < PYR_OUTCOME_COUNT);
    assert((outcome == PYR_OUTCOME_OK) == (conn.error_text[0] == '\0'));
    assert(memchr(conn.error_text, '\0', sizeof conn.error_text));
    assert(!slot.record.first_content_ns ||
           slot.record.last_content_ns >= slot.record.first_content_ns);
    return 0;
}
