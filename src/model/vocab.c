/* SPDX-License-Identifier: MIT */
#include "model/vocab.h"

#include "model/vocab_words.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define SPACE_MARK "\xe2\x96\x81" /* U+2581, how SPM writes a space */

enum { TYPE_NORMAL = 1, TYPE_UNKNOWN = 2, TYPE_CONTROL = 3, TYPE_BYTE = 6, PIECE_BYTES_MAX = 48 };

struct maker {
    struct pyr_arena *arena;
    struct pyr_vocab *vocab;
    size_t wanted;
    uint32_t *slots; /* open addressing, id + 1 */
    size_t slot_count;
};

/* FNV-1a. Source: Fowler, Noll, Vo, draft-eastlake-fnv. */
static uint64_t hash_text(const char *text) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

static bool full(const struct maker *maker) {
    return maker->vocab->count == maker->wanted;
}

/* Adds a piece unless it is there already or the vocabulary is full. */
static void add(struct maker *maker, const char *piece, int32_t type) {
    if (full(maker))
        return;
    size_t slot = hash_text(piece) % maker->slot_count;
    for (; maker->slots[slot]; slot = (slot + 1) % maker->slot_count)
        if (strcmp(maker->vocab->pieces[maker->slots[slot] - 1], piece) == 0)
            return;
    struct pyr_vocab *vocab = maker->vocab;
    size_t id = vocab->count++;
    maker->slots[slot] = (uint32_t)id + 1;
    vocab->pieces[id] = pyr_arena_strdup(maker->arena, piece);
    vocab->types[id] = type;
    vocab->scores[id] = type == TYPE_NORMAL ? -(float)(id - PYR_VOCAB_FIRST_PIECE) : 0;
}

/* Adds every prefix of a word in order, so that merging can reach the word. The space mark counts
 * as one character. */
static void add_prefixes(struct maker *maker, const char *word, size_t first) {
    char prefix[PIECE_BYTES_MAX];
    size_t length = strlen(word);
    assert(length < sizeof prefix);
    for (size_t end = first; end <= length; end++) {
        memcpy(prefix, word, end);
        prefix[end] = '\0';
        add(maker, prefix, TYPE_NORMAL);
    }
}

static void add_words(struct maker *maker, const char *words, bool spaced, bool capital) {
    char piece[PIECE_BYTES_MAX];
    for (const char *word = words; *word && !full(maker);) {
        size_t length = strcspn(word, " ");
        size_t before = spaced ? strlen(SPACE_MARK) : 0;
        assert(before + length < sizeof piece);
        memcpy(piece, SPACE_MARK, before);
        memcpy(piece + before, word, length);
        piece[before + length] = '\0';
        if (capital)
            piece[before] = (char)toupper((unsigned char)piece[before]);
        add_prefixes(maker, piece, before + 1);
        word += length + (word[length] == ' ');
    }
}

/* Every combination of one character from each set, the last set fastest. */
static void add_combinations(struct maker *maker, const char *const *sets, size_t set_count,
                             const char *before) {
    size_t index[8] = {0};
    char piece[PIECE_BYTES_MAX];
    size_t start = strlen(before);
    assert(set_count <= sizeof index / sizeof *index && start + set_count < sizeof piece);
    memcpy(piece, before, start);
    piece[start + set_count] = '\0';
    while (!full(maker)) {
        for (size_t i = 0; i < set_count; i++)
            piece[start + i] = sets[i][index[i]];
        add(maker, piece, TYPE_NORMAL);
        size_t digit = set_count;
        while (digit > 0 && !sets[digit - 1][++index[digit - 1]])
            index[--digit] = 0;
        if (digit == 0)
            return;
    }
}

static void add_specials(struct maker *maker) {
    char byte[8];
    add(maker, "<unk>", TYPE_UNKNOWN);
    add(maker, "<s>", TYPE_CONTROL);
    add(maker, "</s>", TYPE_CONTROL);
    for (unsigned i = 0; i < 256; i++) {
        static const char digits[] = "0123456789ABCDEF";
        const char text[] = {'<', '0', 'x', digits[i >> 4], digits[i & 15], '>', '\0'};
        memcpy(byte, text, sizeof text);
        add(maker, byte, TYPE_BYTE);
    }
    assert(maker->vocab->count == PYR_VOCAB_FIRST_PIECE);
}

static void add_pieces(struct maker *maker) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char digits[] = "0123456789";
    static const char vowels[] = "aeiou", consonants[] = "bcdfghjklmnpqrstvwxyz";
    const char *set[] = {letters, letters, letters};
    const char *numbers[] = {digits, digits, digits};
    const char *first_capital[] = {capitals, letters};
    const char *syllables[] = {consonants, vowels, consonants, vowels, consonants};

    add(maker, SPACE_MARK, TYPE_NORMAL);
    for (char c = '!'; c <= '~'; c++) {
        const char text[] = {c, '\0'};
        add(maker, text, TYPE_NORMAL);
    }
    add_words(maker, pyr_vocab_words, true, false);
    add_words(maker, pyr_vocab_endings, false, false);
    add_words(maker, pyr_vocab_words, true, true);
    add_combinations(maker, set, 1, SPACE_MARK);
    add_combinations(maker, first_capital, 1, SPACE_MARK);
    add_combinations(maker, numbers, 1, SPACE_MARK);
    add_combinations(maker, set, 2, "");
    add_combinations(maker, first_capital, 2, "");
    add_combinations(maker, numbers, 2, "");
    add_combinations(maker, numbers, 3, "");
    add_combinations(maker, set, 3, "");
    add_combinations(maker, syllables, 4, "");
    add_combinations(maker, syllables, 5, "");
}

bool pyr_vocab_make(struct pyr_arena *arena, size_t count, struct pyr_vocab *vocab,
                    struct pyr_err *err) {
    if (count < PYR_VOCAB_MIN || count > PYR_VOCAB_MAX)
        return pyr_fail(err, PYR_E_USAGE, "a vocabulary of %zu tokens: choose %d to %d", count,
                        PYR_VOCAB_MIN, PYR_VOCAB_MAX);
    *vocab = (struct pyr_vocab){
        .pieces = pyr_arena_array(arena, count, sizeof *vocab->pieces),
        .scores = pyr_arena_array(arena, count, sizeof *vocab->scores),
        .types = pyr_arena_array(arena, count, sizeof *vocab->types),
    };
    struct maker maker = {arena, vocab, count, NULL, 2 * count + 1};
    maker.slots = pyr_arena_array(arena, maker.slot_count, sizeof *maker.slots);
    add_specials(&maker);
    add_pieces(&maker);
    assert(vocab->count == count);
    return true;
}
