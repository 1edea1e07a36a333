/* SPDX-License-Identifier: MIT
 *
 * What the pacer asks of the kernel it gives back, whether the kernel granted it or not.
 */
#include "support/support.h"

#include "base/clock.h"
#include "load/pace.h"

#include <sched.h>
#include <sys/prctl.h>

static void assert_ordinary(long slack_ns) {
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
    assert_int_equal(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), slack_ns);
}

static void what_was_asked_of_the_kernel_is_given_back(void **state) {
    (void)state;
    long slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    for (int urgent = 0; urgent < 2; urgent++) {
        struct pyr_pace pace;
        pyr_pace_start(&pace, urgent);
        assert_in_range(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 0, 1); /* 0: real-time */
        assert_true(urgent || !pace.urgent);
        assert_false(pace.urgent && pace.sliced);
        assert_int_equal(sched_getscheduler(0), pace.urgent ? SCHED_FIFO : SCHED_OTHER);
        pyr_pace_stop(&pace);
        assert_ordinary(slack_ns);
    }
}

static void a_thread_that_never_waits_gives_its_priority_up(void **state) {
    (void)state;
    long slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    struct pyr_pace pace;
    pyr_pace_start(&pace, true);
    bool granted = pace.urgent;
    pyr_pace_look(&pace, PYR_NS_PER_S);
    pyr_pace_look(&pace, PYR_NS_PER_S + PYR_NS_PER_MS); /* too soon to tell */
    pyr_pace_look(&pace, 10 * PYR_NS_PER_S);            /* nothing used in nine seconds */
    assert_int_equal(pace.urgent, granted);
    assert_true(pace.spins);
    pace.cpu_ns -= 9 * PYR_NS_PER_S; /* as if all of the next nine had been */
    pyr_pace_look(&pace, 19 * PYR_NS_PER_S);
    assert_int_equal(pace.urgent, granted);
    assert_int_equal(pace.spins, !granted); /* first what is not needed */
    pyr_pace_look(&pace, 28 * PYR_NS_PER_S);
    assert_int_equal(pace.urgent, granted);
    pace.cpu_ns -= 9 * PYR_NS_PER_S;
    pyr_pace_look(&pace, 37 * PYR_NS_PER_S);
    assert_false(pace.urgent);
    assert_true(pace.spins);
    assert_ordinary(1);
    pyr_pace_stop(&pace);
    assert_ordinary(slack_ns);
}

static void a_policy_that_somebody_chose_is_left_alone(void **state) {
    (void)state;
    const struct sched_param none = {0};
    long slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    assert_int_equal(sched_setscheduler(0, SCHED_BATCH, &none), 0);
    struct pyr_pace pace;
    pyr_pace_start(&pace, true);
    assert_false(pace.urgent || pace.sliced);
    assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
    pyr_pace_stop(&pace);
    assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
    assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &none), 0);
    assert_ordinary(slack_ns);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_asked_of_the_kernel_is_given_back),
        cmocka_unit_test(a_thread_that_never_waits_gives_its_priority_up),
        cmocka_unit_test(a_policy_that_somebody_chose_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
