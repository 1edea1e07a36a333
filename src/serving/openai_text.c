/* SPDX-License-Identifier: MIT */
#include "serving/openai_text.h"

#include <assert.h>
#include <string.h>

void pyr_openai_text_init(struct pyr_openai_text *text, struct pyr_arena *arena,
                          const struct pyr_pieces *pieces, const struct pyr_openai_stop *stops,
                          size_t stop_count) {
    size_t most = 4; /* of a character that is not whole */
    for (size_t i = 0; i < stop_count; i++)
        most = stops[i].bytes > most ? stops[i].bytes : most;
    *text = (struct pyr_openai_text){
        .pieces = pieces,
        .stops = stops,
        .stop_count = stop_count,
        .held = pyr_arena_alloc(arena, 2 * (most + pieces->longest)),
    };
}

/* Bytes at the end that begin a character of which more is to come. */
static size_t open_character(const char *bytes, size_t count) {
    for (size_t back = 1; back <= 3 && back <= count; back++) {
        unsigned char byte = (unsigned char)bytes[count - back];
        size_t needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        if ((byte & 0xc0) == 0x80)
            continue;
        return needed > back ? back : 0;
    }
    return 0;
}

/* Bytes at the end that begin a stop string. */
static size_t open_stop(const struct pyr_openai_text *text, const char *bytes, size_t count) {
    size_t longest = 0;
    for (size_t i = 0; i < text->stop_count; i++) {
        const struct pyr_openai_stop *stop = &text->stops[i];
        size_t size = stop->bytes - 1 < count ? stop->bytes - 1 : count;
        for (; size > longest; size--)
            if (memcmp(bytes + count - size, stop->text, size) == 0)
                longest = size;
    }
    return longest;
}

/* Where the first stop string begins, or `count`. */
static size_t find_stop(const struct pyr_openai_text *text, const char *bytes, size_t count) {
    size_t first = count;
    for (size_t i = 0; i < text->stop_count; i++) {
        const char *found = memmem(bytes, count, text->stops[i].text, text->stops[i].bytes);
        if (found && (size_t)(found - bytes) < first)
            first = (size_t)(found - bytes);
    }
    return first;
}

static void drop_given(struct pyr_openai_text *text) {
    assert(text->given_bytes <= text->held_bytes);
    text->held_bytes -= text->given_bytes;
    memmove(text->held, text->held + text->given_bytes, text->held_bytes);
    text->given_bytes = 0;
}

size_t pyr_openai_text_token(struct pyr_openai_text *text, int32_t token, const char **out) {
    const struct pyr_pieces *pieces = text->pieces;
    const char *piece = pieces->bytes + pieces->offset[token];
    size_t bytes = pieces->offset[token + 1] - pieces->offset[token];
    *out = piece;
    if (text->stopped)
        return 0;
    drop_given(text);
    if (text->stop_count == 0 && text->held_bytes == 0 && open_character(piece, bytes) == 0)
        return bytes;
    memcpy(text->held + text->held_bytes, piece, bytes);
    text->held_bytes += bytes;
    *out = text->held;
    size_t stop = find_stop(text, text->held, text->held_bytes);
    if (stop < text->held_bytes) {
        text->stopped = true;
        text->held_bytes = text->given_bytes = stop;
        return stop;
    }
    size_t kept = open_stop(text, text->held, text->held_bytes);
    size_t split = open_character(text->held, text->held_bytes);
    text->given_bytes = text->held_bytes - (kept > split ? kept : split);
    return text->given_bytes;
}

size_t pyr_openai_text_rest(struct pyr_openai_text *text, const char **out) {
    drop_given(text);
    text->given_bytes = text->held_bytes;
    *out = text->held;
    return text->held_bytes;
}
