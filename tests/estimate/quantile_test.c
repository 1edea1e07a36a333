/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/mem.h"
#include "base/rng.h"
#include "estimate/dist.h"
#include "estimate/quantile.h"

#include <math.h>
#include <string.h>

static void exact_ranks_are_those_of_the_binomial_table(void **state) {
    (void)state;
    static const double qs[] = {0.5, 0.9, 0.95, 0.99, 0.999};
    static const struct {
        uint64_t n, ranks[5][2];
    } table[] = {
        {100, {{40, 61}, {84, 96}, {90, 100}, {97, 0}, {99, 0}}},
        {300, {{133, 168}, {259, 281}, {277, 293}, {293, 0}, {298, 0}}},
        {1000, {{469, 532}, {881, 919}, {936, 964}, {983, 997}, {997, 0}}},
        {2000, {{956, 1045}, {1773, 1827}, {1880, 1920}, {1971, 1989}, {1995, 0}}},
        {10000, {{4902, 5099}, {8941, 9059}, {9457, 9543}, {9880, 9920}, {9983, 9997}}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (size_t k = 0; k < 5; k++) {
            uint64_t lo, hi;
            pyr_binomial_ranks(table[i].n, qs[k], 0.05, &lo, &hi);
            assert_int_equal(lo, table[i].ranks[k][0]);
            assert_int_equal(hi, table[i].ranks[k][1]);
        }
}

static void the_least_n_that_bounds_both_ends_is_known(void **state) {
    (void)state;
    static const double qs[] = {0.5, 0.9, 0.95, 0.99, 0.999};
    static const uint64_t least[] = {6, 36, 72, 368, 3688};
    for (size_t k = 0; k < 5; k++)
        assert_int_equal(pyr_quantile_n_bounded(qs[k], 1), least[k]);
    assert_true(pyr_quantile_n_bounded(0.99, 2) > 368);
}

static void students_t_and_the_normal_have_their_known_points(void **state) {
    (void)state;
    assert_true(fabs(pyr_student_quantile(0.975, 19) - 2.0930240544) < 1e-9);
    assert_true(fabs(pyr_student_quantile(0.975, 4) - 2.7764451052) < 1e-9);
    assert_true(fabs(pyr_student_quantile(0.975, 1) - 12.7062047364) < 1e-8);
    assert_true(fabs(pyr_student_cdf(2.0930240544, 19) - 0.975) < 1e-10);
    assert_true(fabs(pyr_normal_quantile(0.975) - PYR_Z975) < 1e-12);
    assert_true(fabs(pyr_normal_quantile(1e-10) + 6.3613409024) < 1e-9);
    assert_true(fabs(pyr_binomial_cdf(0, 459, 0.01) - pow(0.99, 459)) < 1e-13);
    assert_true(fabs(pyr_binomial_cdf(3, 10, 0.5) - 176.0 / 1024) < 1e-14);
    assert_true(fabs(pyr_chi2_quantile(0.975, 19) / 32.852 - 1) < 0.01);
}

static void a_rank_that_is_whole_on_paper_stays_whole(void **state) {
    (void)state;
    assert_int_equal(pyr_quantile_rank(100, 0.07), 7);
    assert_int_equal(pyr_quantile_rank(1000, 0.999), 999);
    assert_int_equal(pyr_quantile_rank(101, 0.5), 51);
    assert_int_equal(pyr_quantile_rank(1, 0.001), 1);
    for (uint64_t n = 100; n < 100000; n += 100)
        assert_int_equal(pyr_quantile_rank(n, 0.99), n / 100 * 99);
}

struct made {
    uint64_t *in_order, *sorted, *scratch;
    struct pyr_sample sample;
};

static struct made make(size_t n) {
    struct made made = {pyr_xcalloc(n, 8), pyr_xcalloc(n, 8), pyr_xcalloc(n, 8), {0}};
    made.sample = (struct pyr_sample){.in_order = made.in_order, .sorted = made.sorted, .n = n};
    return made;
}

static void sort(struct made *made, size_t n) {
    memcpy(made->sorted, made->in_order, n * sizeof *made->sorted);
    pyr_sort_keys(made->sorted, made->scratch, n);
    made->sample.n = n;
}

static void unmake(struct made *made) {
    pyr_free(made->in_order);
    pyr_free(made->sorted);
    pyr_free(made->scratch);
}

static void sorting_orders_any_keys(void **state) {
    (void)state;
    struct pyr_rng rng;
    pyr_rng_init(&rng, 5);
    struct made made = make(5000);
    static const size_t sizes[] = {0, 1, 2, 63, 64, 65, 100, 5000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (unsigned shift = 0; shift < 64; shift += 9) {
            uint64_t sum = 0;
            for (size_t i = 0; i < sizes[s]; i++)
                sum += made.in_order[i] = pyr_rng_next(&rng) >> shift;
            sort(&made, sizes[s]);
            for (size_t i = 0; i < sizes[s]; i++) {
                sum -= made.sorted[i];
                assert_true(i == 0 || made.sorted[i - 1] <= made.sorted[i]);
            }
            assert_int_equal(sum, 0);
        }
    unmake(&made);
}

static void keys_of_doubles_order_as_the_doubles_do(void **state) {
    (void)state;
    static const double rising[] = {-INFINITY, -1e300, -2, -1e-300, -0.0,    0.0,
                                    1e-300,    0.5,    1,  1e300,   INFINITY};
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++) {
        assert_true(pyr_double_of_key(pyr_key_of_double(rising[i])) == rising[i]);
        if (i > 0)
            assert_true(pyr_key_of_double(rising[i - 1]) < pyr_key_of_double(rising[i]));
    }
}

static void too_few_values_leave_the_point_or_an_end_unknown_with_a_reason(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct made made = make(400);
    static const double q99 = 0.99;
    struct pyr_quantile quantile;
    sort(&made, 0);
    pyr_quantiles(&made.sample, &q99, 1, arena, &quantile);
    assert_string_equal(quantile.estimate.reason, "no values");
    assert_int_equal(quantile.needed, 368);
    for (size_t i = 0; i < 400; i++)
        made.in_order[i] = (i * 7919) % 400; /* in no order that a batch could see */
    sort(&made, 99);
    pyr_quantiles(&made.sample, &q99, 1, arena, &quantile);
    assert_true(isnan(quantile.estimate.value));
    assert_string_equal(quantile.estimate.reason, "n<100");
    sort(&made, 100);
    pyr_quantiles(&made.sample, &q99, 1, arena, &quantile);
    assert_true(quantile.vif == 1);
    assert_true(quantile.estimate.value == (double)made.sorted[98]);
    assert_true(quantile.estimate.lo == (double)made.sorted[96]);
    assert_true(isnan(quantile.estimate.hi));
    assert_string_equal(quantile.estimate.reason, "n<368");
    assert_int_equal(quantile.needed, 268);
    assert_false(pyr_estimate_is_bounded(&quantile.estimate));
    sort(&made, 400);
    pyr_quantiles(&made.sample, &q99, 1, arena, &quantile);
    assert_true(quantile.vif == 1);
    assert_true(pyr_estimate_is_bounded(&quantile.estimate));
    assert_null(quantile.estimate.reason);
    assert_int_equal(quantile.needed, 0);
    unmake(&made);
    pyr_arena_destroy(arena);
}

static void a_level_shift_inflates_the_variance_and_widens_the_interval(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct made made = make(4000);
    static const double half = 0.5;
    struct pyr_quantile mixed, shifted;
    for (size_t i = 0; i < 4000; i++) /* every batch holds as many below as above */
        made.in_order[i] = i % 2 ? i : 3999 - i;
    sort(&made, 4000);
    pyr_quantiles(&made.sample, &half, 1, arena, &mixed);
    memcpy(made.in_order, made.sorted, 4000 * sizeof *made.sorted);
    pyr_quantiles(&made.sample, &half, 1, arena, &shifted);
    assert_true(mixed.vif == 1);
    /* Sorted values: half all below, half all above. Ten batches tell 4000 / 10 * 10/9, the sum of
     * autocovariances more. */
    assert_true(shifted.vif >= 4000.0 / 9 && shifted.vif < 4000);
    assert_true(fabs(shifted.n_effective - 4000 / shifted.vif) < 1e-9);
    assert_true(isnan(shifted.estimate.lo) || shifted.estimate.lo < mixed.estimate.lo);
    unmake(&made);
    pyr_arena_destroy(arena);
}

static void the_early_stopping_estimate_has_mlperfs_floors(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct made made = make(1000);
    for (size_t i = 0; i < 1000; i++)
        made.in_order[i] = i + 1;
    static const double q90 = 0.9, q99 = 0.99;
    struct pyr_quantile quantile;
    sort(&made, 63);
    pyr_quantiles(&made.sample, &q90, 1, arena, &quantile);
    assert_true(isnan(quantile.early_stopping));
    sort(&made, 64);
    pyr_quantiles(&made.sample, &q90, 1, arena, &quantile);
    assert_true(quantile.early_stopping == 64);
    sort(&made, 661);
    pyr_quantiles(&made.sample, &q99, 1, arena, &quantile);
    assert_true(isnan(quantile.early_stopping));
    sort(&made, 662);
    pyr_quantiles(&made.sample, &q99, 1, arena, &quantile);
    assert_true(quantile.early_stopping == 662);
    sort(&made, 1000);
    pyr_quantiles(&made.sample, &q99, 1, arena, &quantile);
    assert_true(quantile.early_stopping >= quantile.estimate.value);
    unmake(&made);
    pyr_arena_destroy(arena);
}

static void a_histogram_gives_the_quantiles_of_its_values_within_its_error(void **state) {
    (void)state;
    enum { N = 20000, PARTS = 20 };
    static const double qs[] = {0.5, 0.9, 0.99};
    struct pyr_arena *arena = pyr_arena_create();
    struct made made = make(N);
    struct pyr_hist *hist = pyr_hist_create(), *parts[PARTS];
    struct pyr_rng rng;
    pyr_rng_init(&rng, 21);
    for (size_t p = 0; p < PARTS; p++)
        parts[p] = pyr_hist_create();
    for (size_t i = 0; i < N; i++) {
        made.in_order[i] = (uint64_t)(1e7 * pyr_rng_lognormal(&rng, 0.5));
        pyr_hist_record(hist, made.in_order[i]);
        pyr_hist_record(parts[i / (N / PARTS)], made.in_order[i]);
    }
    sort(&made, N);
    struct pyr_quantile exact[3], binned[3];
    pyr_quantiles(&made.sample, qs, 3, arena, exact);
    pyr_quantiles_of_hist(hist, (const struct pyr_hist *const *)parts, PARTS, NULL, qs, 3, arena,
                          binned);
    for (size_t k = 0; k < 3; k++) {
        const struct pyr_estimate *a = &exact[k].estimate, *b = &binned[k].estimate;
        assert_true(fabs(b->value / a->value - 1) <= PYR_HIST_RELATIVE_ERROR * 1.001);
        assert_true(fabs(binned[k].vif - exact[k].vif) < 0.8);
        assert_true(fabs(b->lo / a->lo - 1) < 0.02 && fabs(b->hi / a->hi - 1) < 0.02);
        assert_null(b->reason);
        assert_true(binned[k].relative_error == PYR_HIST_RELATIVE_ERROR);
    }
    pyr_quantiles_of_hist(hist, NULL, 0, NULL, qs, 3, arena, binned);
    assert_non_null(binned[0].estimate.reason);
    for (size_t p = 0; p < PARTS; p++)
        pyr_hist_destroy(parts[p]);
    pyr_hist_destroy(hist);
    unmake(&made);
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_ranks_are_those_of_the_binomial_table),
        cmocka_unit_test(the_least_n_that_bounds_both_ends_is_known),
        cmocka_unit_test(students_t_and_the_normal_have_their_known_points),
        cmocka_unit_test(a_rank_that_is_whole_on_paper_stays_whole),
        cmocka_unit_test(sorting_orders_any_keys),
        cmocka_unit_test(keys_of_doubles_order_as_the_doubles_do),
        cmocka_unit_test(too_few_values_leave_the_point_or_an_end_unknown_with_a_reason),
        cmocka_unit_test(a_level_shift_inflates_the_variance_and_widens_the_interval),
        cmocka_unit_test(the_early_stopping_estimate_has_mlperfs_floors),
        cmocka_unit_test(a_histogram_gives_the_quantiles_of_its_values_within_its_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
