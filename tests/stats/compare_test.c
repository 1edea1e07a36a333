/* SPDX-License-Identifier: MIT
 *
 * Pairs, predictions and verdicts: known answers, and how often each verdict falls on simulated
 * machines of known noise.
 */
#include "support/support.h"

#include "base/rng.h"
#include "estimate/pairs.h"
#include "estimate/predict.h"
#include "stats/verdict.h"

#include <math.h>
#include <stdlib.h>

enum { PAIRS = PYR_PAIRS_USUAL };

static int replications(int usual) {
    return getenv("PYR_LONG_TESTS") ? usual * 20 : usual;
}

static void the_signed_rank_test_has_its_tabled_critical_values(void **state) {
    (void)state;
    static const long table[][2] = {{5, -1},  {6, 0},   {7, 2},   {8, 3},   {9, 5},    {10, 8},
                                    {12, 13}, {15, 25}, {20, 52}, {25, 89}, {30, 137}, {50, 434}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(pyr_signed_rank_critical((size_t)table[i][0], 0.025), table[i][1]);
}

static void the_estimate_is_the_median_of_the_walsh_averages(void **state) {
    (void)state;
    double a[10], b[10];
    for (size_t i = 0; i < 10; i++) {
        a[i] = 10;
        b[i] = 10 * exp(0.01 * (double)(i + 1));
    }
    struct pyr_pairs pairs;
    pyr_compare_pairs(a, b, 10, &pairs);
    assert_near(log(pairs.ratio.value), 0.055, 1e-12);
    /* The 9th of 55 averages of .01 .. .10 taken in twos: 1, 1.5, 2, 2, 2.5, 2.5, 3, 3, 3. */
    assert_near(log(pairs.ratio.lo), 0.03, 1e-12);
    assert_near(log(pairs.ratio.hi), 0.08, 1e-12);
    assert_near(pairs.p_higher, 1.0 / 1024, 1e-15);
    assert_near(pairs.p_lower, 1, 0);
    pyr_compare_pairs(b, a, 10, &pairs);
    assert_near(log(pairs.ratio.hi), -0.03, 1e-12);
    assert_near(pairs.p_lower, 1.0 / 1024, 1e-15);
}

static void ties_keep_the_exact_distribution_and_zeros_say_nothing(void **state) {
    (void)state;
    static const double a[] = {1, 1, 1, 1, 1, 1, 1, 1};
    static const double b[] = {2, 2, 2, 2, 2, 2, 1, 1};
    struct pyr_pairs pairs;
    pyr_compare_pairs(a, b, 8, &pairs);
    assert_near(pairs.p_higher, 1.0 / 64, 1e-15);
    pyr_compare_pairs(a, a, 8, &pairs);
    assert_near(pairs.p_higher, 1, 0);
    assert_near(pairs.p_lower, 1, 0);
    assert_near(pairs.ratio.value, 1, 0);
    assert_near(pairs.ratio.hi, 1, 0);
}

static void what_cannot_be_compared_says_why(void **state) {
    (void)state;
    static const double good[] = {1, 2, 3, 4, 5, 6}, zero[] = {1, 2, 0, 4, 5, 6},
                        bad[] = {1, 2, NAN, 4, 5, 6};
    struct pyr_pairs pairs;
    pyr_compare_pairs(good, zero, 6, &pairs);
    assert_string_equal(pairs.ratio.reason, "a block without a positive value");
    pyr_compare_pairs(good, bad, 6, &pairs);
    assert_true(isnan(pairs.ratio.value) && isnan(pairs.p_higher));
    pyr_compare_pairs(good, good, 5, &pairs);
    assert_string_equal(pairs.ratio.reason, "pairs<6");
    assert_near(pairs.ratio.value, 1, 0);
    pyr_compare_pairs(good, good, 0, &pairs);
    assert_string_equal(pairs.ratio.reason, "no pairs");
    struct pyr_gate gate = {.threshold = 0.1};
    struct pyr_judgement judgement = pyr_judge(&pairs.ratio, &gate, NAN, NAN);
    assert_int_equal(judgement.verdict, PYR_INCOMPARABLE);
    assert_string_equal(judgement.reason, "no pairs");
}

static void many_pairs_go_over_to_the_normal_approximation_smoothly(void **state) {
    (void)state;
    double a[51], b[51];
    struct pyr_rng rng;
    pyr_rng_init(&rng, 6);
    for (size_t i = 0; i < 51; i++) {
        a[i] = pyr_rng_lognormal(&rng, 0.1);
        b[i] = 1.02 * pyr_rng_lognormal(&rng, 0.1);
    }
    struct pyr_pairs exact, normal;
    pyr_compare_pairs(a, b, 50, &exact);
    pyr_compare_pairs(a, b, 51, &normal);
    assert_near(exact.ratio.lo, normal.ratio.lo, 0.012);
    assert_near(exact.ratio.hi, normal.ratio.hi, 0.012);
    assert_near(exact.p_higher, normal.p_higher, 0.1);
}

static void verdicts_follow_the_gate_and_the_interval(void **state) {
    (void)state;
    static const struct {
        double value, lo, hi, threshold, floor_now;
        bool higher_is_better;
        enum pyr_verdict verdict;
    } cases[] = {
        {1.15, 1.05, 1.25, 0.10, 0, false, PYR_REGRESSED},
        {1.15, 1.05, 1.25, 0.10, 0, true, PYR_IMPROVED},
        {1.15, 0.99, 1.31, 0.10, 0, false, PYR_INCONCLUSIVE}, /* the interval holds 1 */
        {1.05, 1.01, 1.09, 0.10, 0, false, PYR_UNCHANGED},    /* worse, yet within 10 % */
        {1.05, 1.01, 1.11, 0.10, 0, false, PYR_INCONCLUSIVE},
        {1.00, 0.85, 1.15, 0.10, 0, false, PYR_INCONCLUSIVE},
        {0.85, 0.80, 0.90, 0.10, 0, false, PYR_IMPROVED},
        {0.85, 0.80, 0.90, 0.10, 0, true, PYR_REGRESSED},
        {0.95, 0.92, 0.98, 0.10, 0, false, PYR_UNCHANGED},
        {1.15, 1.05, 1.25, 0.10, 0.08, false, PYR_REGRESSED},    /* T' is 12 % */
        {1.15, 1.05, 1.25, 0.10, 0.12, false, PYR_INCONCLUSIVE}, /* T' is 18 % */
        {1.30, 1.05, 1.60, 0.10, 0.12, false, PYR_REGRESSED},    /* never silenced */
        {1.02, 1.01, 1.03, 0.00, 0, false, PYR_REGRESSED},
        {1.00, 1.00, 1.00, 0.10, 0.5, false, PYR_UNCHANGED},
        {1.15, NAN, 1.25, 0.10, 0, false, PYR_INCOMPARABLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pyr_estimate ratio = {cases[i].value, cases[i].lo, cases[i].hi, NULL};
        struct pyr_gate gate = {.threshold = cases[i].threshold,
                                .noise_floor = cases[i].floor_now,
                                .higher_is_better = cases[i].higher_is_better};
        struct pyr_judgement judgement = pyr_judge(&ratio, &gate, NAN, NAN);
        if (judgement.verdict != cases[i].verdict)
            fail_msg("case %zu: %s, not %s", i, pyr_verdict_name(judgement.verdict),
                     pyr_verdict_name(cases[i].verdict));
        assert_near(judgement.gate, fmax(cases[i].threshold, 1.5 * cases[i].floor_now), 1e-15);
    }
}

static void holm_and_the_absolute_floor_hold_a_verdict_back(void **state) {
    (void)state;
    struct pyr_estimate ratio = {1.15, 1.05, 1.25, NULL};
    struct pyr_gate gate = {.threshold = 0.10};
    assert_int_equal(pyr_judge(&ratio, &gate, 0.02, 0.99).verdict, PYR_REGRESSED);
    struct pyr_judgement judgement = pyr_judge(&ratio, &gate, 0.06, 0.99);
    assert_int_equal(judgement.verdict, PYR_INCONCLUSIVE);
    assert_non_null(judgement.reason);
    /* +15 % [+5, +25] of 3 ms is .45 ms [.15, .75]. */
    gate.level = 3;
    gate.absolute_floor = 1;
    assert_int_equal(pyr_judge(&ratio, &gate, 0.001, 1).verdict, PYR_UNCHANGED);
    gate.absolute_floor = 0.6;
    assert_int_equal(pyr_judge(&ratio, &gate, 0.001, 1).verdict, PYR_INCONCLUSIVE);
    gate.absolute_floor = 0.3;
    assert_int_equal(pyr_judge(&ratio, &gate, 0.001, 1).verdict, PYR_REGRESSED);
}

static void holms_adjustment_is_that_of_his_paper(void **state) {
    (void)state;
    static const double p[] = {0.01, 0.04, NAN, 0.03, 0.005};
    double adjusted[5];
    pyr_holm(p, 5, adjusted);
    assert_near(adjusted[4], 0.02, 1e-15);
    assert_near(adjusted[0], 0.03, 1e-15);
    assert_near(adjusted[3], 0.06, 1e-15);
    assert_near(adjusted[1], 0.06, 1e-15);
    assert_true(isnan(adjusted[2]));
}

static void the_worst_verdict_speaks_for_all(void **state) {
    (void)state;
    static const enum pyr_verdict mixed[] = {PYR_IMPROVED, PYR_UNCHANGED, PYR_INCOMPARABLE,
                                             PYR_REGRESSED};
    assert_int_equal(pyr_verdict_of_all(mixed, 4), PYR_REGRESSED);
    assert_int_equal(pyr_verdict_of_all(mixed, 3), PYR_INCONCLUSIVE);
    assert_int_equal(pyr_verdict_of_all(mixed, 2), PYR_IMPROVED);
    assert_int_equal(pyr_verdict_of_all(mixed + 1, 1), PYR_UNCHANGED);
    assert_int_equal(pyr_verdict_of_all(mixed + 2, 1), PYR_INCOMPARABLE);
    assert_int_equal(pyr_verdict_of_all(mixed, 0), PYR_INCOMPARABLE);
}

/* A machine whose speed drifts: shared by neighbours in time, on top of each block's own noise. */
struct machine {
    struct pyr_rng rng;
    double block_cv, drift_sd, drift_rho, level;
};

static void start(struct machine *machine, uint64_t seed, double block_cv, double drift_sd) {
    *machine = (struct machine){.block_cv = block_cv, .drift_sd = drift_sd, .drift_rho = 0.95};
    pyr_rng_init(&machine->rng, seed);
    machine->level = drift_sd * pyr_rng_normal(&machine->rng);
}

static double block(struct machine *machine, double cost) {
    double keep = sqrt(1 - machine->drift_rho * machine->drift_rho);
    machine->level = machine->drift_rho * machine->level +
                     keep * machine->drift_sd * pyr_rng_normal(&machine->rng);
    return cost * exp(machine->level) * pyr_rng_lognormal(&machine->rng, machine->block_cv);
}

static void compare(struct machine *machine, double slowdown, uint64_t seed,
                    struct pyr_pairs *pairs) {
    bool b_first[PAIRS];
    double a[PAIRS], b[PAIRS];
    pyr_pair_order(seed, b_first, PAIRS);
    for (size_t i = 0; i < PAIRS; i++) {
        if (b_first[i])
            b[i] = block(machine, 50 * slowdown);
        a[i] = block(machine, 50);
        if (!b_first[i])
            b[i] = block(machine, 50 * slowdown);
    }
    pyr_compare_pairs(a, b, PAIRS, pairs);
}

/* Counts a verdict over `count` comparisons, each with its own A/A floor from as many pairs. */
static int count_verdicts(enum pyr_verdict verdict, double slowdown, double block_cv, double drift,
                          double threshold, bool with_floor, int count) {
    int found = 0;
    for (int r = 0; r < count; r++) {
        struct machine machine;
        start(&machine, 7000 + (uint64_t)r, block_cv, drift);
        struct pyr_pairs same, pairs;
        compare(&machine, 1, 2 * (uint64_t)r, &same);
        compare(&machine, slowdown, 2 * (uint64_t)r + 1, &pairs);
        struct pyr_gate gate = {.threshold = threshold, .beyond = with_floor, .spread = pairs.cv};
        if (with_floor)
            gate.noise_floor = pyr_noise_floor(&same).floor;
        found += pyr_judge(&pairs.ratio, &gate, pairs.p_higher, pairs.p_lower).verdict == verdict;
    }
    return found;
}

static void the_same_build_against_itself_is_hardly_ever_flagged(void **state) {
    (void)state;
    int count = replications(200);
    static const double drifts[] = {0, 0.08};
    for (size_t d = 0; d < 2; d++) {
        int regressed = count_verdicts(PYR_REGRESSED, 1, 0.03, drifts[d], 0.1, true, count);
        int unchanged = count_verdicts(PYR_UNCHANGED, 1, 0.03, drifts[d], 0.1, true, count);
        int worse = count_verdicts(PYR_REGRESSED, 1, 0.03, drifts[d], 0, false, count);
        int better = count_verdicts(PYR_IMPROVED, 1, 0.03, drifts[d], 0, false, count);
        print_message(
            "A/A, 20 pairs, block CV 3 %%, drift %.0f %%: %d REGRESSED and %d UNCHANGED of "
            "%d at 10 %%; threshold 0 without floor flags %d\n",
            100 * drifts[d], regressed, unchanged, count, worse + better);
        assert_true(regressed * 200 <= count);
        assert_true(unchanged >= count * 9 / 10);
        assert_true((worse + better) * 200 <= 17 * count);
    }
}

static void a_slowdown_beyond_the_gate_is_found_and_one_within_is_not(void **state) {
    (void)state;
    int count = replications(100);
    int plus15 = count_verdicts(PYR_REGRESSED, 1.15, 0.03, 0, 0.1, true, count);
    int drifting = count_verdicts(PYR_REGRESSED, 1.15, 0.03, 0.08, 0.1, true, count);
    int plus100 = count_verdicts(PYR_REGRESSED, 2, 0.15, 0, 0.1, true, count);
    int plus5 = count_verdicts(PYR_REGRESSED, 1.05, 0.03, 0, 0.1, true, count);
    int faster = count_verdicts(PYR_IMPROVED, 1 / 1.15, 0.03, 0, 0.1, true, count);
    print_message(
        "of %d: +15 %% at block CV 3 %% REGRESSED %d (with drift of 8 %% %d), +100 %% at 15 %% "
        "%d, +5 %% %d; -13 %% IMPROVED %d\n",
        count, plus15, drifting, plus100, plus5, faster);
    assert_true(plus15 * 100 >= 95 * count);
    assert_true(drifting * 100 >= 95 * count);
    assert_true(plus100 * 100 >= 98 * count);
    assert_true(plus5 * 100 <= count);
    assert_true(faster * 100 >= 95 * count);
}

static void the_interval_of_pairs_holds_the_truth(void **state) {
    (void)state;
    int count = replications(400), covered = 0;
    for (int r = 0; r < count; r++) {
        struct machine machine;
        start(&machine, 90000 + (uint64_t)r, 0.05, 0.08);
        struct pyr_pairs pairs;
        compare(&machine, 1.03, (uint64_t)r, &pairs);
        covered += pairs.ratio.lo <= 1.03 && pairs.ratio.hi >= 1.03;
    }
    print_message("pairs under drift: interval holds the ratio in %.1f %%\n",
                  100.0 * covered / count);
    assert_true(covered >= 0.92 * count);
}

static void the_least_detectable_change_is_found_in_eight_of_ten(void **state) {
    (void)state;
    int count = replications(300), found = 0;
    double sum = 0;
    for (int r = 0; r < count; r++) {
        struct machine machine;
        struct pyr_pairs pairs;
        struct pyr_gate gate = {.threshold = 0.1};
        start(&machine, 500 + (uint64_t)r, 0.08, 0);
        compare(&machine, 1, (uint64_t)r, &pairs);
        sum += pyr_judge(&pairs.ratio, &gate, pairs.p_higher, pairs.p_lower).least_detectable;
    }
    double least = sum / count;
    found = count_verdicts(PYR_REGRESSED, 1 + least, 0.08, 0, 0.1, false, count);
    print_message("least detectable at block CV 8 %%: %+.1f %%, found %d of %d\n", 100 * least,
                  found, count);
    assert_true(found > 0.72 * count && found < 0.88 * count);
}

static void the_noise_floor_is_the_half_width_or_the_bias(void **state) {
    (void)state;
    struct pyr_pairs pairs = {.ratio = {1, exp(-0.02), exp(0.02), NULL}};
    assert_near(pyr_noise_floor(&pairs).floor, expm1(0.02), 1e-12);
    assert_false(pyr_noise_floor(&pairs).biased);
    pairs.ratio = (struct pyr_estimate){1.03, exp(0.01), exp(0.05), NULL};
    assert_true(pyr_noise_floor(&pairs).biased);
    assert_near(pyr_noise_floor(&pairs).floor, expm1(0.05), 1e-12);
    pairs.ratio = pyr_estimate_unknown("pairs<6");
    assert_true(isnan(pyr_noise_floor(&pairs).floor));
}

static void blocks_are_sized_for_three_percent(void **state) {
    (void)state;
    static const double wild[] = {100, 106, 100, 106, 100, 106, 100, 106};
    static const double calm[] = {100, 101, 100, 101};
    static const double drifting[] = {100, 101, 102, 103, 104, 105, 106, 107, 108, 109};
    struct pyr_block_size size = pyr_size_blocks(wild, 8, 10, 1000);
    assert_near(size.cv, 6 / sqrt(2) / 103, 1e-12);
    assert_true(size.reached);
    assert_int_equal(size.requests, 19); /* 10 * (.0412 / .03)^2 = 18.9 */
    assert_true(size.cv_expected <= PYR_BLOCK_CV);
    size = pyr_size_blocks(calm, 4, 10, 1000);
    assert_int_equal(size.requests, 10);
    size = pyr_size_blocks(wild, 8, 10, 15);
    assert_false(size.reached);
    assert_int_equal(size.requests, 15);
    size = pyr_size_blocks(drifting, 10, 10, 1000); /* a steady drift is no noise to pairs */
    assert_int_equal(size.requests, 10);
    size = pyr_size_blocks(calm, 1, 10, 1000);
    assert_false(size.reached);
}

static void one_run_is_judged_by_the_prediction_interval_of_five(void **state) {
    (void)state;
    static const double stored[] = {10, 10.2, 9.8, 10.1, 9.9};
    double now = 10.9;
    struct pyr_prediction prediction;
    pyr_predict(&now, 1, stored, 5, &prediction);
    double reach = 2.7764451052 * prediction.run_cv * sqrt(1.2);
    assert_near(log(prediction.ratio.hi / prediction.ratio.value), reach, 1e-9);
    assert_true(prediction.ratio.lo > 1 && prediction.p_higher < 0.025);
    pyr_predict(&now, 1, stored, 4, &prediction);
    assert_string_equal(prediction.ratio.reason, "fewer than 5 stored runs");
    struct pyr_gate gate = {.threshold = 0.05};
    struct pyr_judgement judgement =
        pyr_judge(&prediction.ratio, &gate, prediction.p_higher, prediction.p_lower);
    assert_int_equal(judgement.verdict, PYR_INCOMPARABLE);
    now = 0;
    pyr_predict(&now, 1, stored, 5, &prediction);
    assert_string_equal(prediction.ratio.reason, "a run without a positive value");
    static const double same[] = {7, 7, 7, 7, 7};
    now = 7.7;
    pyr_predict(&now, 1, same, 5, &prediction);
    assert_near(prediction.ratio.lo, 1.1, 1e-12);
    assert_near(prediction.p_higher, 0, 0);
}

static void runs_against_stored_runs_are_flagged_as_often_as_they_should(void **state) {
    (void)state;
    static const size_t currents[] = {1, 3, 6};
    int count = replications(2000);
    for (size_t c = 0; c < 3; c++) {
        struct pyr_rng rng;
        pyr_rng_init(&rng, 31 + c);
        int outside = 0, regressed = 0, found = 0;
        for (int r = 0; r < count; r++) {
            double stored[5], now[6], slow[6];
            for (size_t i = 0; i < 5; i++)
                stored[i] = pyr_rng_lognormal(&rng, 0.03);
            for (size_t i = 0; i < currents[c]; i++) {
                now[i] = pyr_rng_lognormal(&rng, 0.03);
                slow[i] = 1.2 * now[i];
            }
            struct pyr_prediction p;
            struct pyr_gate gate = {.threshold = 0.1};
            pyr_predict(now, currents[c], stored, 5, &p);
            outside += p.ratio.lo > 1 || p.ratio.hi < 1;
            regressed += pyr_judge(&p.ratio, &gate, p.p_higher, p.p_lower).verdict == PYR_REGRESSED;
            pyr_predict(slow, currents[c], stored, 5, &p);
            found += pyr_judge(&p.ratio, &gate, p.p_higher, p.p_lower).verdict == PYR_REGRESSED;
        }
        print_message(
            "%zu current against 5 stored runs, CV 3 %%: %.1f %% outside, %.2f %% REGRESSED "
            "at 10 %%; +20 %% found in %.1f %%\n",
            currents[c], 100.0 * outside / count, 100.0 * regressed / count, 100.0 * found / count);
        assert_true(outside <= 0.065 * count);
        assert_true(regressed <= 0.01 * count);
        assert_true(found >= 0.9 * count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signed_rank_test_has_its_tabled_critical_values),
        cmocka_unit_test(the_estimate_is_the_median_of_the_walsh_averages),
        cmocka_unit_test(ties_keep_the_exact_distribution_and_zeros_say_nothing),
        cmocka_unit_test(what_cannot_be_compared_says_why),
        cmocka_unit_test(many_pairs_go_over_to_the_normal_approximation_smoothly),
        cmocka_unit_test(verdicts_follow_the_gate_and_the_interval),
        cmocka_unit_test(holm_and_the_absolute_floor_hold_a_verdict_back),
        cmocka_unit_test(holms_adjustment_is_that_of_his_paper),
        cmocka_unit_test(the_worst_verdict_speaks_for_all),
        cmocka_unit_test(the_same_build_against_itself_is_hardly_ever_flagged),
        cmocka_unit_test(a_slowdown_beyond_the_gate_is_found_and_one_within_is_not),
        cmocka_unit_test(the_interval_of_pairs_holds_the_truth),
        cmocka_unit_test(the_least_detectable_change_is_found_in_eight_of_ten),
        cmocka_unit_test(the_noise_floor_is_the_half_width_or_the_bias),
        cmocka_unit_test(blocks_are_sized_for_three_percent),
        cmocka_unit_test(one_run_is_judged_by_the_prediction_interval_of_five),
        cmocka_unit_test(runs_against_stored_runs_are_flagged_as_often_as_they_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
