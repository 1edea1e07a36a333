/* SPDX-License-Identifier: MIT */
/* label: threads (the probe starts its own) */
#include "support/support.h"

#include "sample/bandwidth.h"

#include <string.h>

static const struct pyr_root live = {""};
static const struct pyr_clock clock_real = {0};

static void every_pass_reads_all_memory_and_the_median_lies_between(void **state) {
    (void)state;
    for (uint32_t threads = 1; threads <= 3; threads++) {
        const struct pyr_bandwidth_config config = {
            .threads = threads, .bytes = 24 << 20, .repetitions = 2};
        struct pyr_bandwidth result;
        struct pyr_err err;
        assert_ok(err, pyr_bandwidth_measure(&config, &live, &clock_real, &result, &err));
        assert_int_equal(result.threads, threads);
        assert_int_equal(result.repetitions, 2);
        assert_true(result.bytes > 0 && result.bytes <= config.bytes);
        assert_true(result.lowest > 0);
        assert_true(result.lowest <= result.bytes_per_s);
        assert_true(result.bytes_per_s <= result.highest);
    }
}

static void a_tiny_request_is_rounded_up_to_a_huge_page_a_stream(void **state) {
    (void)state;
    const struct pyr_bandwidth_config config = {.threads = 1, .bytes = 1, .repetitions = 1};
    struct pyr_bandwidth result;
    struct pyr_err err;
    assert_ok(err, pyr_bandwidth_measure(&config, &live, &clock_real, &result, &err));
    assert_int_equal(result.bytes, 8 << 20);
}

static void a_machine_without_the_memory_is_told_what_is_needed(void **state) {
    (void)state;
    const struct pyr_root small = {PYR_TEST_DATA "/sample/old-cgroups"};
    const struct pyr_bandwidth_config config = {.threads = 8};
    struct pyr_bandwidth result;
    struct pyr_err err;
    assert_false(pyr_bandwidth_measure(&config, &small, &clock_real, &result, &err));
    assert_int_equal(err.code, PYR_E_NOMEM);
    assert_non_null(strstr(err.text, "100 MB are usable"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pass_reads_all_memory_and_the_median_lies_between),
        cmocka_unit_test(a_tiny_request_is_rounded_up_to_a_huge_page_a_stream),
        cmocka_unit_test(a_machine_without_the_memory_is_told_what_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
