/* SPDX-License-Identifier: MIT
 *
 * What every test includes first: cmocka with the headers it wants, and small helpers.
 */
#ifndef PYR_TESTS_SUPPORT_H
#define PYR_TESTS_SUPPORT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Makes a fresh folder below $TMPDIR, its path in `path`; NULL on failure. */
char *pyr_test_temp_dir(char *path, size_t size);

/* Asserts that text is what the golden file tests/data/golden/NAME holds, and names the first line
 * that differs. With PYR_GOLDEN=write in the environment it records the file instead. */
void pyr_test_golden(const char *name, const char *text);

/* Asserts that a call returning bool with a struct pyr_err named err succeeded, printing it. */
#define assert_ok(err, call)                                                                       \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, (err).text);                                                 \
    } while (0)

/* Asserts |seen - expected| <= tolerance in doubles (cmocka compares floats), printing both. */
#define assert_near(seen, expected, tolerance)                                                     \
    do {                                                                                           \
        double near_seen = (seen), near_expected = (expected);                                     \
        if (!(fabs(near_seen - near_expected) <= (tolerance)))                                     \
            fail_msg("%s is %.17g, not %.17g", #seen, near_seen, near_expected);                   \
    } while (0)

#endif
