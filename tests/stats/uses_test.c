/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "stats/result.h"
#include "stats/uses.h"

#include <string.h>

static const enum pyr_use_kind lists[] = {PYR_USE_SHOWN, PYR_USE_TRACKED, PYR_USE_COMPARED,
                                          PYR_USE_LEVEL};
enum { LISTS = sizeof lists / sizeof *lists };

static void a_list_comes_in_the_order_of_its_ranks(void **state) {
    (void)state;
    struct pyr_use uses[PYR_USES_MAX];
    static const char *const first[LISTS] = {"prefill_rate", "request_throughput",
                                             "output_token_throughput", "offered_rate"};
    for (size_t i = 0; i < LISTS; i++) {
        size_t count = pyr_uses_of(lists[i], uses);
        assert_true(count > 10);
        for (size_t k = 1; k < count; k++)
            assert_true(uses[k - 1].rank <= uses[k].rank);
        if (lists[i] != PYR_USE_SHOWN)
            assert_string_equal(pyr_metric_info(uses[0].metric)->name, first[i]);
    }
}

/* Two rows of one rank would be in the order of metric.def, which is meant to say nothing. */
static void no_two_rows_of_a_list_have_one_rank(void **state) {
    (void)state;
    struct pyr_use uses[PYR_USES_MAX];
    for (size_t i = 0; i < LISTS; i++) {
        size_t count = pyr_uses_of(lists[i], uses);
        for (size_t a = 0; a < count; a++)
            for (size_t b = 0; b < a; b++)
                if (uses[a].rank == uses[b].rank &&
                    (lists[i] != PYR_USE_SHOWN || uses[a].set == uses[b].set))
                    fail_msg("%s and %s have rank %d of one list",
                             pyr_metric_info(uses[a].metric)->name,
                             pyr_metric_info(uses[b].metric)->name, uses[a].rank);
    }
}

static void a_statistic_suits_its_metric(void **state) {
    (void)state;
    struct pyr_use uses[PYR_USES_MAX];
    for (size_t i = 0; i < LISTS; i++) {
        size_t count = pyr_uses_of(lists[i], uses);
        for (size_t k = 0; k < count; k++) {
            const struct pyr_metric_info *info = pyr_metric_info(uses[k].metric);
            if ((info->kind == PYR_KIND_SCALAR) != (uses[k].statistic == PYR_COLUMN_VALUE))
                fail_msg("%s has no such statistic", info->name);
            assert_true(lists[i] == PYR_USE_TRACKED || lists[i] == PYR_USE_COMPARED ||
                        (uses[k].text && *uses[k].text));
        }
    }
}

static void in_open_loop_the_wait_begins_with_the_schedule(void **state) {
    (void)state;
    assert_int_equal(pyr_metric_by_load(PYR_M_TTFT_SENT, true), PYR_M_TTFT_SCHED);
    assert_int_equal(pyr_metric_by_load(PYR_M_LATENCY_SENT, true), PYR_M_LATENCY_SCHED);
    assert_int_equal(pyr_metric_by_load(PYR_M_TTFT_SENT, false), PYR_M_TTFT_SENT);
    assert_int_equal(pyr_metric_by_load(PYR_M_ITL, true), PYR_M_ITL);
    assert_int_equal(pyr_metric_of_either(PYR_M_LATENCY_SCHED), PYR_M_LATENCY_SENT);
    assert_int_equal(pyr_metric_of_either(PYR_M_LATENCY_SENT), PYR_M_LATENCY_SENT);
    assert_int_equal(pyr_metric_of_either(PYR_M_ITL), PYR_M_ITL);
}

static void what_a_metric_is_stands_in_its_row(void **state) {
    (void)state;
    assert_true(pyr_metric_is(PYR_M_STALL, PYR_USE_PER_REQUEST));
    assert_false(pyr_metric_is(PYR_M_ITL, PYR_USE_PER_REQUEST));
    assert_true(pyr_metric_is(PYR_M_KV_MEMORY, PYR_USE_READ_OFF));
    assert_false(pyr_metric_is(PYR_M_KV_MEMORY, PYR_USE_SHOWN));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_comes_in_the_order_of_its_ranks),
        cmocka_unit_test(no_two_rows_of_a_list_have_one_rank),
        cmocka_unit_test(a_statistic_suits_its_metric),
        cmocka_unit_test(in_open_loop_the_wait_begins_with_the_schedule),
        cmocka_unit_test(what_a_metric_is_stands_in_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
