/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "load/length.h"

#include <math.h>
#include <string.h>

static struct pyr_length parsed(const char *text) {
    struct pyr_length length;
    struct pyr_err err;
    assert_ok(err, pyr_length_parse(text, &length, &err));
    return length;
}

static void lengths_are_read_in_every_spelling(void **state) {
    (void)state;
    struct pyr_length length = parsed("128");
    assert_int_equal(length.kind, PYR_LENGTH_FIXED);
    assert_int_equal(length.min, 128);
    length = parsed("64-256");
    assert_int_equal(length.kind, PYR_LENGTH_UNIFORM);
    assert_int_equal(length.min, 64);
    assert_int_equal(length.max, 256);
    length = parsed("uniform:1,2");
    assert_int_equal(length.max, 2);
    length = parsed("normal:128,32,16,512");
    assert_int_equal(length.kind, PYR_LENGTH_NORMAL);
    assert_int_equal(length.min, 16);
    assert_int_equal(length.max, 512);
    assert_int_equal(parsed("exponential:50").kind, PYR_LENGTH_EXPONENTIAL);
}

static void the_ends_of_what_is_allowed_are_allowed(void **state) {
    (void)state;
    static const char *const good[] = {"1",
                                       "1048576",
                                       "1-1",
                                       "1-1048576",
                                       "normal:1,0",
                                       "normal:1048576,0",
                                       "normal:9,1048576",
                                       "lognormal:1,1",
                                       "exponential:1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct pyr_length length;
        struct pyr_err err;
        if (!pyr_length_parse(good[i], &length, &err))
            fail_msg("%s: %s", good[i], err.text);
    }
}

static void rubbish_is_refused_and_quoted(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "0",
                                      "-1",
                                      "1.5",
                                      "5-2",
                                      "2000000",
                                      "normal:",
                                      "normal:5",
                                      "normal:5,-1",
                                      "normal:0,1",
                                      "1-2-3",
                                      "uniform:9,8",
                                      "zipf:1,2",
                                      "normal:1,2,9,3",
                                      "nan",
                                      "lognormal:inf,2",
                                      "a-b",
                                      "uniform:1,2,3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pyr_length length;
        struct pyr_err err;
        if (pyr_length_parse(bad[i], &length, &err))
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(err.code, PYR_E_USAGE);
        assert_non_null(strstr(err.text, bad[i]));
    }
}

static void drawn_lengths_have_the_asked_mean_and_spread(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double mean, sd;
    } cases[] = {{"77", 77, 0},
                 {"10-30", 20, 6.055},
                 {"normal:200,20", 200, 20},
                 {"lognormal:300,150", 300, 150},
                 {"exponential:500", 500, 500}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pyr_length length = parsed(cases[i].text);
        struct pyr_rng rng;
        pyr_rng_init(&rng, 5);
        double sum = 0, squares = 0, n = 50000;
        for (int k = 0; k < (int)n; k++) {
            double value = pyr_length_draw(&length, &rng);
            sum += value;
            squares += value * value;
        }
        double mean = sum / n, sd = sqrt(squares / n - mean * mean);
        assert_true(fabs(mean / cases[i].mean - 1) < 0.02);
        assert_true(fabs(sd - cases[i].sd) <= 0.05 * cases[i].sd);
    }
}

static void draws_stay_within_their_bounds(void **state) {
    (void)state;
    struct pyr_length length = parsed("normal:100,500,50,60");
    struct pyr_rng rng;
    pyr_rng_init(&rng, 6);
    for (int k = 0; k < 1000; k++)
        assert_in_range(pyr_length_draw(&length, &rng), 50, 60);
    length = parsed("3-5");
    bool seen[6] = {false};
    for (int k = 0; k < 200; k++)
        seen[pyr_length_draw(&length, &rng)] = true;
    assert_true(seen[3] && seen[4] && seen[5]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_read_in_every_spelling),
        cmocka_unit_test(the_ends_of_what_is_allowed_are_allowed),
        cmocka_unit_test(rubbish_is_refused_and_quoted),
        cmocka_unit_test(drawn_lengths_have_the_asked_mean_and_spread),
        cmocka_unit_test(draws_stay_within_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
