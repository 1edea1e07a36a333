/* SPDX-License-Identifier: MIT
 *
 * Where a request has a metric and where it has none; what the values are, known_metrics_test.c
 * says.
 */
#include "support/support.h"

#include "stats/request_metrics.h"

static double of(enum pyr_metric metric, const struct pyr_request *request,
                 const struct pyr_case *plan) {
    return pyr_request_metric_find(metric)->of(request, plan);
}

static void two_tokens_in_two_chunks_have_a_time_between_them(void **state) {
    (void)state;
    const struct pyr_case plan = {0};
    struct pyr_request r = {.first_content_ns = 1000, .last_content_ns = 1500, .chunks = 2};
    r.output_tokens = 2;
    assert_near(of(PYR_M_TPOT, &r, &plan), 500, 0);
    assert_near(of(PYR_M_DECODE_RATE, &r, &plan), 2e6, 1e-6);
    r.chunks = 1;
    assert_true(isnan(of(PYR_M_TPOT, &r, &plan)));
    r.chunks = 2;
    r.output_tokens = 1;
    assert_true(isnan(of(PYR_M_TPOT, &r, &plan)));
    /* Both at one instant: no rate, and no endless one. */
    r.output_tokens = 2;
    r.last_content_ns = 1000;
    assert_true(isnan(of(PYR_M_DECODE_RATE, &r, &plan)));
}

static void only_an_open_loop_with_a_cap_has_a_queue_of_ours(void **state) {
    (void)state;
    const struct pyr_request r = {.scheduled_ns = 1000, .dispatched_ns = 4000};
    assert_near(of(PYR_M_OWN_QUEUE_TIME, &r, &(struct pyr_case){.open_loop = 1, .concurrency = 2}),
                3000, 0);
    assert_true(isnan(of(PYR_M_OWN_QUEUE_TIME, &r, &(struct pyr_case){.open_loop = 1})));
    assert_true(isnan(of(PYR_M_OWN_QUEUE_TIME, &r, &(struct pyr_case){.concurrency = 2})));
}

static void our_own_lateness_is_of_those_that_had_a_slot(void **state) {
    (void)state;
    struct pyr_request r = {.scheduled_ns = 1000, .dispatched_ns = 1007};
    const struct pyr_case open = {.open_loop = 1}, closed = {.concurrency = 2};
    assert_near(of(PYR_M_PACING_LATENESS, &r, &open), 7, 0);
    assert_true(isnan(of(PYR_M_PACING_LATENESS, &r, &closed)));
    r.flags = PYR_REQUEST_WAITED;
    assert_true(isnan(of(PYR_M_PACING_LATENESS, &r, &open)));
}

static void a_rate_of_prefill_wants_a_time_and_a_prompt(void **state) {
    (void)state;
    const struct pyr_case plan = {0};
    struct pyr_request r = {.admitted_ns = 1000, .prefilled_ns = 1000, .prompt_tokens = 5};
    assert_true(isnan(of(PYR_M_PREFILL_RATE, &r, &plan)));
    r.prefilled_ns = 2000;
    assert_near(of(PYR_M_PREFILL_RATE, &r, &plan), 5e6, 1e-6);
    r.prompt_tokens = 0;
    assert_true(isnan(of(PYR_M_PREFILL_RATE, &r, &plan)));
    assert_true(isnan(of(PYR_M_PROMPT_TOKENS, &r, &plan)));
}

static void stamps_that_are_missing_or_out_of_order_give_nothing(void **state) {
    (void)state;
    const struct pyr_case plan = {0};
    struct pyr_request r = {.sent_ns = 1000, .first_content_ns = 1000};
    assert_near(of(PYR_M_TTFT_SENT, &r, &plan), 0, 0);
    r.first_content_ns = 999;
    assert_true(isnan(of(PYR_M_TTFT_SENT, &r, &plan)));
    r.first_content_ns = 0;
    assert_true(isnan(of(PYR_M_TTFT_SENT, &r, &plan)));
    r = (struct pyr_request){.first_content_ns = 1000};
    assert_true(isnan(of(PYR_M_TTFT_SENT, &r, &plan)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_tokens_in_two_chunks_have_a_time_between_them),
        cmocka_unit_test(only_an_open_loop_with_a_cap_has_a_queue_of_ours),
        cmocka_unit_test(our_own_lateness_is_of_those_that_had_a_slot),
        cmocka_unit_test(a_rate_of_prefill_wants_a_time_and_a_prompt),
        cmocka_unit_test(stamps_that_are_missing_or_out_of_order_give_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
