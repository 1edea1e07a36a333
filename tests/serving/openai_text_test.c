/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "serving/openai_text.h"

#include <string.h>

/* Token t is the text between offset[t] and offset[t + 1]. */
static char all_bytes[4096];
static uint32_t offsets[4097];

static struct pyr_pieces cut(const char *text, size_t bytes, const size_t *cuts, size_t count) {
    memcpy(all_bytes, text, bytes);
    struct pyr_pieces pieces = {.count = (uint32_t)count + 1,
                                .longest = (uint32_t)bytes,
                                .offset = offsets,
                                .bytes = all_bytes};
    offsets[0] = 0;
    for (size_t i = 0; i < count; i++)
        offsets[i + 1] = (uint32_t)cuts[i];
    offsets[count + 1] = (uint32_t)bytes;
    return pieces;
}

struct sent {
    char bytes[4096];
    size_t count;
    bool whole_characters, stopped;
};

static bool is_whole(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes;) {
        unsigned char c = (unsigned char)text[i];
        size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        if (length > bytes - i)
            return false;
        i += length;
    }
    return true;
}

static void feed(const struct pyr_pieces *pieces, const struct pyr_openai_stop *stops,
                 size_t stop_count, struct sent *sent) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_openai_text text;
    const char *out;
    pyr_openai_text_init(&text, arena, pieces, stops, stop_count);
    *sent = (struct sent){.whole_characters = true};
    for (uint32_t token = 0; token <= pieces->count; token++) {
        size_t bytes = token < pieces->count ? pyr_openai_text_token(&text, (int32_t)token, &out)
                                             : pyr_openai_text_rest(&text, &out);
        sent->whole_characters &= is_whole(out, bytes);
        memcpy(sent->bytes + sent->count, out, bytes);
        sent->count += bytes;
    }
    sent->stopped = text.stopped;
    pyr_arena_destroy(arena);
}

static void any_split_gives_the_same_text_in_whole_characters(void **state) {
    (void)state;
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z, once upon a time";
    struct pyr_rng rng;
    struct sent sent;
    pyr_rng_init(&rng, 7);
    for (int round = 0; round < 500; round++) {
        size_t cuts[8], at = 0, count = 0;
        while (count < 8 && (at += pyr_rng_below(&rng, 5)) < sizeof text - 1)
            cuts[count++] = at;
        struct pyr_pieces pieces = cut(text, sizeof text - 1, cuts, count);
        feed(&pieces, NULL, 0, &sent);
        assert_int_equal(sent.count, sizeof text - 1);
        assert_memory_equal(sent.bytes, text, sent.count);
        assert_true(sent.whole_characters);
        assert_false(sent.stopped);
    }
}

static void text_ends_before_the_first_stop_string_however_it_is_split(void **state) {
    (void)state;
    static const char text[] = "one tw two, tw\xc3\xa4 three END four two!";
    static const struct pyr_openai_stop stops[] = {{"END", 3}, {"two!", 4}, {"tw\xc3\xa4 four", 9}};
    const size_t expected = (size_t)(strstr(text, "END") - text);
    struct pyr_rng rng;
    struct sent sent;
    pyr_rng_init(&rng, 8);
    for (int round = 0; round < 500; round++) {
        size_t cuts[12], at = 0, count = 0;
        while (count < 12 && (at += pyr_rng_below(&rng, 6)) < sizeof text - 1)
            cuts[count++] = at;
        struct pyr_pieces pieces = cut(text, sizeof text - 1, cuts, count);
        feed(&pieces, stops, 3, &sent);
        assert_true(sent.stopped);
        assert_int_equal(sent.count, expected);
        assert_memory_equal(sent.bytes, text, expected);
    }
}

static void a_beginning_of_a_stop_string_comes_out_at_the_end(void **state) {
    (void)state;
    static const struct pyr_openai_stop stops[] = {{"upon a time", 11}};
    struct sent sent;
    const size_t cuts[] = {3, 6};
    struct pyr_pieces pieces = cut("once upon a", 11, cuts, 2);
    feed(&pieces, stops, 1, &sent);
    assert_false(sent.stopped);
    assert_int_equal(sent.count, 11);
    assert_memory_equal(sent.bytes, "once upon a", 11);
}

static void a_character_that_never_ends_comes_out_at_the_end(void **state) {
    (void)state;
    struct sent sent;
    const size_t cuts[] = {1, 2};
    struct pyr_pieces pieces = cut("x\xf0\x9f", 3, cuts, 2);
    feed(&pieces, NULL, 0, &sent);
    assert_int_equal(sent.count, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_split_gives_the_same_text_in_whole_characters),
        cmocka_unit_test(text_ends_before_the_first_stop_string_however_it_is_split),
        cmocka_unit_test(a_beginning_of_a_stop_string_comes_out_at_the_end),
        cmocka_unit_test(a_character_that_never_ends_comes_out_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
