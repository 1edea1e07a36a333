/* SPDX-License-Identifier: MIT
 *
 * Numbers as people write them. Each function takes the whole text, refuses trailing rubbish,
 * signs where none make sense, overflow and NaN, and fails with a sentence that quotes the text.
 */
#ifndef PYR_BASE_PARSE_H
#define PYR_BASE_PARSE_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

bool pyr_parse_u64(const char *text, uint64_t *value, struct pyr_err *err);  /* decimal or 0x hex */
bool pyr_parse_double(const char *text, double *value, struct pyr_err *err); /* finite */
/* "500ms", "30s", "5m", "2h", "10us", "10ns"; a bare number is seconds. Fractions are allowed. */
bool pyr_parse_duration_ns(const char *text, uint64_t *ns, struct pyr_err *err);
/* "64", "64k", "64K", "64KiB", "64MB" (10^6), "2GiB". */
bool pyr_parse_bytes(const char *text, uint64_t *bytes, struct pyr_err *err);
/* "1,2,4,8" or ranges "1-4" or "1..4": a sorted-as-written list in the arena, at least one. */
bool pyr_parse_u64_list(struct pyr_arena *arena, const char *text, uint64_t **values, size_t *count,
                        struct pyr_err *err);

/* The name in names[0..count) nearest to `word` by edit distance, or NULL when none is near
 * (distance above max(2, length/3)). For "unknown option --X; did you mean --Y?". */
const char *pyr_nearest(const char *word, const char *const *names, size_t count);

#endif
