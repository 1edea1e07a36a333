/* SPDX-License-Identifier: MIT
 *
 * Results made by hand, for the tests of what reads results: no run file and no statistics behind
 * them, every number a fixed function of its place.
 */
#ifndef PYR_TESTS_RESULT_FIXTURE_H
#define PYR_TESTS_RESULT_FIXTURE_H

#include "stats/result.h"

/* Three suites (inference, concurrent, rate), nineteen cases: goals met, missed, undecided and
 * unknown, failures, open ends, values without p99, spikes, timelines, phases, a case that never
 * got steady, one that saturates, an instrument. Release with pyr_test_result_free. */
struct pyr_result *pyr_test_result_rich(void);
/* The same, cut short by a signal, of a simulated target, and with no suite but the first. */
struct pyr_result *pyr_test_result_partial(void);
/* Two well-measured cases with p99 and p99.9 bounded, every goal met. */
struct pyr_result *pyr_test_result_large(void);
/* No case at all, and META that is not JSON. */
struct pyr_result *pyr_test_result_empty(void);
/* Names and texts that try to break out of every format: markup, quotes, newlines, escape
 * sequences, invalid UTF-8; values that are infinite or absurd. */
struct pyr_result *pyr_test_result_hostile(void);

void pyr_test_result_free(struct pyr_result *result);

#endif
