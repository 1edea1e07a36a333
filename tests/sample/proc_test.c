/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "sample/proc.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct pyr_root live = {""};
static const struct pyr_root processes = {PYR_TEST_DATA "/sample/processes"};
static const struct pyr_root unlisted = {PYR_TEST_DATA "/sample/processes-unlisted"};
static const struct pyr_root broken = {PYR_TEST_DATA "/sample/broken"};

static uint64_t ticks_ns(uint64_t ticks) {
    return ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void one_process_is_read_whole(void **state) {
    (void)state;
    struct pyr_proc_usage usage;
    struct pyr_err err;
    assert_ok(err, pyr_proc_read(&processes, 100, PYR_PROC_EXACT, &usage, &err));
    assert_int_equal(usage.rss_bytes, 1500 * 1024);
    assert_int_equal(usage.pss_bytes, 900 * 1024);
    assert_int_equal(usage.rss_peak_bytes, 2000 * 1024);
    assert_int_equal(usage.user_ns, ticks_ns(210));
    assert_int_equal(usage.system_ns, ticks_ns(105));
    assert_int_equal(usage.cpu_ns, ticks_ns(315));
    assert_int_equal(usage.minor_faults, 1050);
    assert_int_equal(usage.major_faults, 4);
    assert_int_equal(usage.voluntary_switches, 11);
    assert_int_equal(usage.involuntary_switches, 7);
    assert_int_equal(usage.threads, 2);
    assert_string_equal(usage.memory_source, "smaps_rollup");
}

static void the_cheap_reading_takes_statm_and_knows_no_proportional_share(void **state) {
    (void)state;
    struct pyr_proc_usage usage;
    struct pyr_err err;
    assert_ok(err, pyr_proc_read(&processes, 100, PYR_PROC_CHEAP, &usage, &err));
    assert_int_equal(usage.rss_bytes, 300 * (uint64_t)sysconf(_SC_PAGESIZE));
    assert_true(usage.pss_bytes == PYR_PROC_UNKNOWN);
    assert_string_equal(usage.memory_source, "statm");
}

static void a_tree_is_the_sum_of_its_processes(void **state) {
    (void)state;
    struct pyr_proc_usage usage;
    struct pyr_err err;
    assert_ok(err, pyr_proc_read_tree(&processes, 100, PYR_PROC_EXACT, &usage, &err));
    assert_int_equal(usage.processes, 3);
    assert_int_equal(usage.threads, 4);
    uint64_t grandchild = 100 * (uint64_t)sysconf(_SC_PAGESIZE); /* it has no smaps_rollup */
    assert_int_equal(usage.rss_bytes, 1500 * 1024 + 800 * 1024 + grandchild);
    assert_true(usage.pss_bytes == PYR_PROC_UNKNOWN);
    assert_int_equal(usage.rss_peak_bytes, 3500 * 1024);
    assert_int_equal(usage.cpu_ns, ticks_ns(315 + 75 + 2));
    assert_string_equal(usage.memory_source, "statm");
}

static void the_tree_is_found_with_and_without_lists_of_children(void **state) {
    (void)state;
    const struct pyr_root *const roots[] = {&processes, &unlisted};
    for (size_t i = 0; i < 2; i++) {
        pid_t pids[8];
        assert_int_equal(pyr_proc_tree(roots[i], 100, pids, 8), 3);
        assert_int_equal(pids[0], 100);
        assert_int_equal(pids[1], 101);
        assert_int_equal(pids[2], 102);
        assert_int_equal(pyr_proc_tree(roots[i], 100, pids, 2), 2);
    }
}

static void threads_have_names_and_their_own_time(void **state) {
    (void)state;
    struct pyr_proc_thread threads[4];
    assert_int_equal(pyr_proc_threads(&processes, 100, threads, 4), 2);
    assert_int_equal(threads[0].tid, 100);
    assert_string_equal(threads[0].name, "pyrometer");
    assert_int_equal(threads[0].cpu_ns, 2000000000u); /* schedstat */
    assert_string_equal(threads[1].name, "a name of over ");
    assert_int_equal(threads[1].cpu_ns, ticks_ns(100)); /* stat */
    assert_int_equal(pyr_proc_threads(&processes, 100, threads, 1), 1);
}

static void what_is_gone_or_broken_fails_with_its_name(void **state) {
    (void)state;
    struct pyr_proc_usage usage;
    struct pyr_proc_machine machine;
    struct pyr_err err;
    assert_false(pyr_proc_read(&processes, 999, PYR_PROC_EXACT, &usage, &err));
    assert_non_null(strstr(err.text, "process 999"));
    assert_false(pyr_proc_read_tree(&broken, 5, PYR_PROC_EXACT, &usage, &err));
    assert_false(pyr_proc_read(&broken, 6, PYR_PROC_EXACT, &usage, &err));
    assert_false(pyr_proc_machine(&broken, &machine, &err));
    struct pyr_proc_thread thread;
    assert_int_equal(pyr_proc_threads(&broken, 5, &thread, 1), 0);
}

static void the_machines_time_is_split_in_busy_idle_and_stolen(void **state) {
    (void)state;
    const struct pyr_root root = {PYR_TEST_DATA "/sample/container"};
    struct pyr_proc_machine machine;
    struct pyr_err err;
    assert_ok(err, pyr_proc_machine(&root, &machine, &err));
    assert_int_equal(machine.busy_ticks, 163);
    assert_int_equal(machine.idle_ticks, 4050);
    assert_int_equal(machine.steal_ticks, 80);
}

static void this_process_is_seen_to_grow_by_what_it_touches(void **state) {
    (void)state;
    enum { BYTES = 32 << 20 };
    struct pyr_proc_usage before, after;
    struct pyr_err err;
    assert_ok(err, pyr_proc_read(&live, getpid(), PYR_PROC_EXACT, &before, &err));
    unsigned char *memory =
        mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    memset(memory, 1, BYTES);
    assert_ok(err, pyr_proc_read(&live, getpid(), PYR_PROC_EXACT, &after, &err));
    assert_true(after.rss_bytes >= before.rss_bytes + BYTES);
    assert_true(after.cpu_ns > before.cpu_ns);
    assert_true(after.minor_faults > before.minor_faults);
    assert_true(after.rss_peak_bytes == PYR_PROC_UNKNOWN || after.rss_peak_bytes >= BYTES);
    munmap(memory, BYTES);
}

static void a_child_belongs_to_the_tree_until_it_is_reaped(void **state) {
    (void)state;
    struct pyr_proc_usage usage;
    struct pyr_err err;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_true(child > 0);
    assert_ok(err, pyr_proc_read_tree(&live, getpid(), PYR_PROC_CHEAP, &usage, &err));
    assert_int_equal(usage.processes, 2);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_ok(err, pyr_proc_read_tree(&live, getpid(), PYR_PROC_CHEAP, &usage, &err));
    assert_int_equal(usage.processes, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_process_is_read_whole),
        cmocka_unit_test(the_cheap_reading_takes_statm_and_knows_no_proportional_share),
        cmocka_unit_test(a_tree_is_the_sum_of_its_processes),
        cmocka_unit_test(the_tree_is_found_with_and_without_lists_of_children),
        cmocka_unit_test(threads_have_names_and_their_own_time),
        cmocka_unit_test(what_is_gone_or_broken_fails_with_its_name),
        cmocka_unit_test(the_machines_time_is_split_in_busy_idle_and_stolen),
        cmocka_unit_test(this_process_is_seen_to_grow_by_what_it_touches),
        cmocka_unit_test(a_child_belongs_to_the_tree_until_it_is_reaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
