/* SPDX-License-Identifier: MIT
 *
 * The one door to the heap. All our objects go through it, so that a test can link with
 * --wrap=malloc,... and count what our own code allocates between start and stop, and so that
 * running out of small memory ends the process with one message instead of a crash.
 *
 * Large blocks (rings, caches, weights) use pyr_map_bytes, which may fail and says so.
 */
#ifndef PYR_BASE_MEM_H
#define PYR_BASE_MEM_H

#include "base/err.h"

#include <stddef.h>

void *pyr_xcalloc(size_t count, size_t size); /* zeroed; never NULL */
void *pyr_xrealloc(void *old, size_t size);   /* never NULL; grown bytes are not zeroed */
char *pyr_xstrdup(const char *text);
void pyr_free(void *memory); /* NULL is allowed */

/* Anonymous zero pages, touched now (MAP_POPULATE) so that no page fault falls into a measured
 * phase. `what` names the thing in the error. NULL on failure. Release with pyr_unmap_bytes. */
void *pyr_map_bytes(size_t bytes, const char *what, struct pyr_err *err);
/* The same, but each page is taken when it is first used: for room of which most is never needed. A
 * first use in a measured phase costs a page fault (below a microsecond a 4 KiB page). */
void *pyr_map_bytes_lazily(size_t bytes, const char *what, struct pyr_err *err);
void pyr_unmap_bytes(void *memory, size_t bytes);

#endif
