/* SPDX-License-Identifier: MIT
 *
 * The page cache of one file, so that a cold load is cold and a warm one warm, and both are
 * checked. Not the machine's caches as a whole: that would need root and disturb everybody.
 */
#ifndef PYR_SAMPLE_PAGECACHE_H
#define PYR_SAMPLE_PAGECACHE_H

#include "base/err.h"

/* The share of the file's pages that lie in memory, 0..1; 0 for an empty file. The kernel calls
 * every page resident for a file that the caller neither owns nor may write: that fails. */
bool pyr_pagecache_resident(const char *path, double *share, struct pyr_err *err);

/* Writes back and drops the file's pages and checks that less than 1 % stayed. Fails with the
 * reason when it cannot be (no backing store, mapped or locked by a process, not ours to see). */
bool pyr_pagecache_drop(const char *path, struct pyr_err *err);

/* Reads the file once to its end. Fails when it cannot be read, or when under 99 % stayed in memory
 * (a file larger than the memory). */
bool pyr_pagecache_warm(const char *path, struct pyr_err *err);

#endif
