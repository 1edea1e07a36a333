/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/hash.h"
#include "calibrate/schedule_plan.h"

#include <string.h>

static const struct pyr_schedule usual = PYR_PLAN_DEFAULT;

static void plans_are_read_and_rubbish_refused(void **state) {
    (void)state;
    struct pyr_schedule plan = usual;
    struct pyr_err err;
    const char *text = "ttft=5ms,itl=20ms,tokens=9,fault=reset,at=3,batch=1,status=429";
    assert_ok(err, pyr_plan_parse(text, strlen(text), &plan, &err));
    assert_int_equal(plan.ttft_ns, 5000000);
    assert_int_equal(plan.tokens, 9);
    assert_int_equal(plan.fault, PYR_FAULT_RESET);
    assert_int_equal(plan.at, 3);
    assert_true(plan.batch && plan.role);
    assert_ok(err, pyr_plan_parse("", 0, &plan, &err));
    static const char *const bad[] = {
        "x", "x=1", "itl=abc", "fault=none2", "burst=0", "tokens=99999999999", "status=99"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        plan = usual;
        assert_false(pyr_plan_parse(bad[i], strlen(bad[i]), &plan, &err));
    }
}

static void tokens_are_due_by_the_schedule_alone(void **state) {
    (void)state;
    struct pyr_schedule plan = usual;
    plan.ttft_ns = 1000;
    plan.itl_ns = 300;
    assert_int_equal(pyr_plan_due_ns(&plan, 50, 7, 0), 1050);
    assert_int_equal(pyr_plan_due_ns(&plan, 50, 7, 4), 1050 + 1200);
    plan.burst = 2;
    assert_int_equal(pyr_plan_due_ns(&plan, 50, 7, 4), 1050 + 600);
    plan.burst = 1;
    plan.batch = true;
    /* On the grid, never before the first token's time, whatever the arrival. */
    for (uint64_t arrived = 0; arrived < 700; arrived += 7) {
        uint64_t due = pyr_plan_due_ns(&plan, arrived, 7, 0);
        assert_int_equal(due % 300, 0);
        assert_in_range(due, arrived + 1000, arrived + 1299);
    }
    plan.batch = false;
    plan.spread = true;
    for (uint32_t stream = 0; stream < 50; stream++)
        assert_in_range(pyr_plan_due_ns(&plan, 0, stream, 0), 1000, 1299);
}

static void requests_are_understood(void **state) {
    (void)state;
    struct pyr_plan_request request;
    const char *chat =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"x\"},"
        "{\"role\":\"user\",\"content\":\"plan:eos=2;caf\\u00e9\"}],\"max_tokens\":7,"
        "\"stream\":true,\"stream_options\":{\"include_usage\":true},\"ignore_eos\":true}";
    pyr_plan_read_request(chat, strlen(chat), true, &request);
    assert_true(request.good && request.stream && request.include_usage && request.ignore_eos);
    assert_int_equal(request.asked_tokens, 7);
    assert_string_equal(request.plan, "eos=2");
    assert_true(request.prompt_hash == pyr_fnv1a64(PYR_FNV1A64_INIT, "plan:eos=2;caf\xc3\xa9", 16));
    pyr_plan_read_request("{\"prompt\":\"hello\"", 17, false, &request);
    assert_false(request.good);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_are_read_and_rubbish_refused),
        cmocka_unit_test(tokens_are_due_by_the_schedule_alone),
        cmocka_unit_test(requests_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
