/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/buf.h"
#include "base/rng.h"
#include "codec/sse.h"

#include <stdlib.h>
#include <string.h>

static void note(struct pyr_buf *log, const struct pyr_sse *sse) {
    pyr_buf_printf(log, "(%s|", sse->name);
    pyr_buf_append(log, sse->data, sse->data_bytes);
    pyr_buf_puts(log, ")");
}

/* Feeds the text in pieces that end where `ends` says and writes the events down. Every piece is a
 * heap block of its own, so that ASan sees a look past its end. */
static void scan(struct pyr_buf *log, const char *text, size_t bytes, struct pyr_rng *rng,
                 size_t longest, size_t hold_bytes) {
    char hold[256];
    struct pyr_sse sse;
    pyr_sse_init(&sse, hold, hold_bytes);
    pyr_buf_clear(log);
    enum pyr_sse_result result = PYR_SSE_MORE;
    for (size_t at = 0; at < bytes && result != PYR_SSE_TOO_LONG;) {
        size_t count = rng ? 1 + pyr_rng_below(rng, longest) : bytes;
        count = count < bytes - at ? count : bytes - at;
        char *piece = malloc(count);
        memcpy(piece, text + at, count);
        pyr_sse_feed(&sse, piece, count);
        while ((result = pyr_sse_next(&sse)) == PYR_SSE_EVENT)
            note(log, &sse);
        free(piece);
        at += count;
    }
    if (result == PYR_SSE_TOO_LONG)
        pyr_buf_puts(log, "too long");
    else if (pyr_sse_finish(&sse) == PYR_SSE_EVENT) {
        pyr_buf_puts(log, "end");
        note(log, &sse);
    }
}

static void events_are_found_by_the_standard(void **state) {
    (void)state;
    static const struct {
        const char *text, *events;
    } cases[] = {
        {"data: a\n\ndata: b\n\n", "(|a)(|b)"},
        {"data:a\r\n\r\ndata:  b\r\n\r\n", "(|a)(| b)"},
        {"data: a\r\rdata: b\r\r", "(|a)(|b)"},
        {"data: a\ndata\ndata: b\n\n", "(|a\n\nb)"},
        {"\xef\xbb\xbf"
         "data: a\n\n",
         "(|a)"},
        {"data: \xef\xbb\xbf\n\n", "(|\xef\xbb\xbf)"},
        {": comment\n\n\n:\ndata: a\n: in between\n\n", "(|a)"},
        {"event: error\ndata: {}\n\ndata: b\n\n", "(error|{})(|b)"},
        {"event: alone\n\ndata: b\n\n", "(|b)"},
        {"id: 7\nretry: 10\nother: x\nDATA: no\ndata: y\n\n", "(|y)"},
        {"data:\n\n", "(|)"},
        {"\n\n\n", ""},
        {"", ""},
        {"data: [DONE]", "end(|[DONE])"},
        {"data: [DONE]\n", "end(|[DONE])"},
        {"data: a\n\ndata: cut {", "(|a)end(|cut {)"},
        {"data: a\r\n\r\n\ndata: b\n\n", "(|a)(|b)"},
        {"<html>\n<body>no stream</body>\n\n", ""},
    };
    struct pyr_buf log = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scan(&log, cases[i].text, strlen(cases[i].text), NULL, 0, 256);
        assert_string_equal(pyr_buf_text(&log), cases[i].events);
    }
    pyr_buf_deinit(&log);
}

static void no_split_changes_the_events(void **state) {
    (void)state;
    static const char *const parts[] = {"data: ",   "data:",        "event: e",      "\n", "\r\n",
                                        "\r",       "\n\n",         "x{\"a\":1}",    ":",  ": c",
                                        "\xc3\xa9", "\xef\xbb\xbf", "data: tok\n\n", " "};
    struct pyr_rng rng;
    pyr_rng_init(&rng, 11);
    struct pyr_buf text = {0}, whole = {0}, split = {0};
    for (int round = 0; round < 2000; round++) {
        pyr_buf_clear(&text);
        for (uint64_t n = pyr_rng_below(&rng, 24); n; n--)
            pyr_buf_puts(&text, parts[pyr_rng_below(&rng, sizeof parts / sizeof *parts)]);
        size_t hold = 8 + pyr_rng_below(&rng, 200), longest = 1 + pyr_rng_below(&rng, 9);
        scan(&whole, pyr_buf_text(&text), text.length, NULL, 0, hold);
        scan(&split, pyr_buf_text(&text), text.length, &rng, longest, hold);
        assert_string_equal(pyr_buf_text(&whole), pyr_buf_text(&split));
    }
    pyr_buf_deinit(&text);
    pyr_buf_deinit(&whole);
    pyr_buf_deinit(&split);
}

static void a_line_or_event_beyond_the_limit_is_refused_for_good(void **state) {
    (void)state;
    struct pyr_buf log = {0}, text = {0};
    pyr_buf_puts(&text, "data: ok\n\ndata: ");
    for (int i = 0; i < 64; i++)
        pyr_buf_putc(&text, 'x');
    pyr_buf_puts(&text, "\n\ndata: never\n\n");
    scan(&log, text.data, text.length, NULL, 0, 64);
    assert_string_equal(pyr_buf_text(&log), "(|ok)too long");
    scan(&log, "data: 0123456789\ndata: 0123456789\n\n", 35, NULL, 0, 20);
    assert_string_equal(pyr_buf_text(&log), "too long");
    pyr_buf_deinit(&log);
    pyr_buf_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_found_by_the_standard),
        cmocka_unit_test(no_split_changes_the_events),
        cmocka_unit_test(a_line_or_event_beyond_the_limit_is_refused_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
