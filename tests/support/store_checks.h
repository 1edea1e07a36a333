/* SPDX-License-Identifier: MIT
 *
 * What every kind of history must do, run by tests/store/sqlite_test.c and postgres_test.c on a
 * fresh place each.
 */
#ifndef PYR_TESTS_STORE_CHECKS_H
#define PYR_TESTS_STORE_CHECKS_H

#include "store/store.h"

/* A run made up from a number: two cases, scalars and distributions, one histogram each. */
struct pyr_kept_run *pyr_test_kept_run(struct pyr_arena *arena, unsigned number);

/* `where` is a place without a history. */
void pyr_test_store_keeps_runs_whole(const char *where);
void pyr_test_store_tells_series_and_merges(const char *where);
void pyr_test_store_takes_runs_out(const char *where);
void pyr_test_store_migrates(const char *where);
void pyr_test_store_refuses_a_newer_schema(const char *where);

#endif
