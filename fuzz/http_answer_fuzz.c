/* SPDX-License-Identifier: MIT
 *
 * What a server may send back, from bytes to an outcome: the first byte says whether a stream was
 * asked for and how the rest is split. Each answer is taken twice, with and without the short way
 * for usual reads: both must tell the same.
 */
#include "codec/escape.h"
#include "target/http_call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char hold[PYR_HTTP_HOLD_BYTES];

/* The end of the piece from `at`: by steps, or behind the next chunk that looks whole. */
static size_t piece_end(const uint8_t *data, size_t size, size_t at) {
    size_t step = 1 + data[0] / 2 % 32, left = size - at;
    if (data[0] & 0x40) {
        const uint8_t *end = memmem(data + at, left, "\n\r\n", 3);
        return end ? (size_t)(end + 3 - data) : size;
    }
    return at + (left < step ? left : step);
}

static enum pyr_outcome drive(struct http_conn *conn, const uint8_t *data, size_t size,
                              bool usual) {
    static struct http_target target;
    static struct http_handle handle = {.target = &target};
    uint64_t now_ns = 1000;
    handle.clock.virtual_now_ns = &now_ns;
    target.options.stream = data[0] & 1;
    struct pyr_slot *slot = conn->slot;
    *slot = (struct pyr_slot){.record = {.sent_ns = 1}, .output_tokens = 4};
    *conn = (struct http_conn){.handle = &handle, .slot = slot, .hold = hold, .last_read_ns = 1};
    pyr_http_answer_begin(conn);
    bool over = false, clean;
    for (size_t at = 1, end; at < size && !over; at = end, now_ns += 10) {
        end = piece_end(data, size, at);
        size_t count = end - at;
        char *piece = malloc(count);
        memcpy(piece, data + at, count);
        struct pyr_read read = {piece, count, data[0] & 0x80 ? now_ns - 5 : 0, false, false};
        if (!usual || !pyr_http_answer_take_usual(conn, &read))
            over = pyr_http_answer_take(conn, &read, &clean);
        free(piece);
    }
    if (!over)
        pyr_http_answer_eof(conn);
    enum pyr_outcome outcome = pyr_http_answer_outcome(conn);
    pyr_http_answer_settle(conn);
    handle.clock.virtual_now_ns = NULL;
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct http_conn conn, plain;
    struct pyr_slot slot, plain_slot;
    if (!size)
        return 0;
    conn.slot = &slot;
    plain.slot = &plain_slot;
    enum pyr_outcome outcome = drive(&conn, data, size, true);
    assert(drive(&plain, data, size, false) == outcome);
    assert(memcmp(&slot.record, &plain_slot.record, sizeof slot.record) == 0);
    assert(strcmp(conn.error_text, plain.error_text) == 0);
    assert(conn.sink.hash == plain.sink.hash && conn.sink.bytes == plain.sink.bytes);

    assert(outcome < PYR_OUTCOME_COUNT);
    /* An ok answer says something only of counts that cannot be. */
    bool says = outcome != PYR_OUTCOME_OK || (slot.record.flags & PYR_REQUEST_BAD_USAGE);
    assert(says == (conn.error_text[0] != '\0'));
    assert(memchr(conn.error_text, '\0', sizeof conn.error_text));
    char harmless[sizeof conn.error_text];
    pyr_plain_text(harmless, sizeof harmless, conn.error_text, strlen(conn.error_text));
    assert(strcmp(harmless, conn.error_text) == 0);
    assert(!slot.record.first_content_ns ||
           slot.record.last_content_ns >= slot.record.first_content_ns);
    return 0;
}
