/* SPDX-License-Identifier: MIT
 *
 * An arena: memory with one lifetime. Everything taken from it is released together by destroy.
 * Not thread-safe. Running out of memory ends the process with a message: an arena holds plans,
 * names and results; what is large (weights, caches, rings) is sized first and taken elsewhere.
 */
#ifndef PYR_BASE_ARENA_H
#define PYR_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct pyr_arena; /* opaque */

struct pyr_arena *pyr_arena_create(void);
void pyr_arena_destroy(struct pyr_arena *arena); /* NULL is allowed */

/* Zeroed, aligned to 16 bytes; size 0 gives a valid unique pointer. */
void *pyr_arena_alloc(struct pyr_arena *arena, size_t size);
/* count * size bytes, checked for overflow. */
void *pyr_arena_array(struct pyr_arena *arena, size_t count, size_t size);
char *pyr_arena_strdup(struct pyr_arena *arena, const char *text);
char *pyr_arena_strndup(struct pyr_arena *arena, const char *text, size_t length);
char *pyr_arena_printf(struct pyr_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
