/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include "base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    ALIGNMENT = 16,
    /* Large enough that a whole plan fits in a few blocks, small enough that an empty arena is
     * cheap. */
    BLOCK_BYTES = 32 * 1024
};

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(ALIGNMENT) unsigned char data[];
};

struct pyr_arena {
    struct block *head;
};

struct pyr_arena *pyr_arena_create(void) {
    return pyr_xcalloc(1, sizeof(struct pyr_arena));
}

void pyr_arena_destroy(struct pyr_arena *arena) {
    if (!arena)
        return;
    for (struct block *block = arena->head; block;) {
        struct block *next = block->next;
        pyr_free(block);
        block = next;
    }
    pyr_free(arena);
}

void *pyr_arena_alloc(struct pyr_arena *arena, size_t size) {
    assert(size < SIZE_MAX / 2);
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size == 0)
        size = ALIGNMENT;
    struct block *block = arena->head;
    if (!block || block->size - block->used < size) {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        block = pyr_xcalloc(1, sizeof *block + room);
        block->size = room;
        block->next = arena->head;
        arena->head = block;
    }
    void *memory = block->data + block->used;
    block->used += size;
    return memory;
}

void *pyr_arena_array(struct pyr_arena *arena, size_t count, size_t size) {
    assert(size == 0 || count <= SIZE_MAX / 2 / size);
    return pyr_arena_alloc(arena, count * size);
}

char *pyr_arena_strndup(struct pyr_arena *arena, const char *text, size_t length) {
    char *copy = pyr_arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *pyr_arena_strdup(struct pyr_arena *arena, const char *text) {
    return pyr_arena_strndup(arena, text, strlen(text));
}

char *pyr_arena_printf(struct pyr_arena *arena, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(length >= 0);
    char *text = pyr_arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
