/* SPDX-License-Identifier: MIT
 *
 * An energy counter that goes round and round within a case, and nobody who looks on: only a
 * session that reads it on its way counts all of it. The counter is a file that moves on by six
 * tenths of its range whenever it was read, so that two readings in a row always tell how far.
 */
#include "support/support.h"

#include "base/fs.h"
#include "suite/bench.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { RANGE_UJ = 1000000, STEP_UJ = 600000 };

struct counter {
    int file, reads, stop; /* descriptors */
    uint64_t value_uj;
    pthread_t thread;
};

static void show(const struct counter *counter) {
    char text[16];
    snprintf(text, sizeof text, "%08llu\n", (unsigned long long)counter->value_uj);
    assert_int_equal(pwrite(counter->file, text, strlen(text), 0), strlen(text));
}

static void *move_on(void *argument) {
    struct counter *counter = argument;
    struct pollfd fds[2] = {{.fd = counter->reads, .events = POLLIN},
                            {.fd = counter->stop, .events = POLLIN}};
    while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
        char events[4096];
        if (read(counter->reads, events, sizeof events) <= 0)
            break;
        counter->value_uj = (counter->value_uj + STEP_UJ) % RANGE_UJ;
        show(counter);
    }
    return NULL;
}

static void write_text(const char *folder, const char *name, const char *text) {
    char path[700];
    struct pyr_err err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(err, pyr_fs_write_whole(path, text, strlen(text), &err));
}

static void start_counter(struct counter *counter, const char *root) {
    char folder[600], path[700];
    struct pyr_err err;
    snprintf(path, sizeof path, "%s/proc", root);
    assert_int_equal(symlink("/proc", path), 0); /* all but the counter is this machine's */
    snprintf(folder, sizeof folder, "%s/sys/class/powercap/intel-rapl:0", root);
    assert_ok(err, pyr_fs_make_dirs(folder, &err));
    write_text(folder, "name", "package-0\n");
    write_text(folder, "max_energy_range_uj", "1000000\n");
    write_text(folder, "energy_uj", "00000000\n");
    snprintf(path, sizeof path, "%s/energy_uj", folder);
    *counter = (struct counter){.file = open(path, O_WRONLY | O_CLOEXEC),
                                .reads = inotify_init1(IN_CLOEXEC),
                                .stop = eventfd(0, EFD_CLOEXEC)};
    assert_true(counter->file >= 0 && counter->reads >= 0 && counter->stop >= 0);
    assert_true(inotify_add_watch(counter->reads, path, IN_ACCESS) >= 0);
    assert_int_equal(pthread_create(&counter->thread, NULL, move_on, counter), 0);
}

static void stop_counter(struct counter *counter) {
    uint64_t one = 1;
    assert_int_equal(write(counter->stop, &one, sizeof one), sizeof one);
    pthread_join(counter->thread, NULL);
    close(counter->file);
    close(counter->reads);
    close(counter->stop);
}

static void a_counter_that_wraps_within_a_case_is_counted_with_nobody_looking_on(void **state) {
    (void)state;
    char dir[400], out[420];
    struct counter counter;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(out, sizeof out, "%s/out", dir);
    start_counter(&counter, dir);
    const struct pyr_root root = {dir};
    const struct pyr_bench_options options = {.target = "null:",
                                              .output = out,
                                              .seed = 1,
                                              .preset = "quick",
                                              .suite = "concurrent",
                                              .rate = 20,
                                              .requests = 30,
                                              .duration_ns = 120 * PYR_NS_PER_S,
                                              .command_line = "t",
                                              .no_calibrate = true,
                                              .root = &root};
    assert_ok(err, pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    stop_counter(&counter);
    const struct pyr_case_result *one = &outcome.result->suites[0].cases[0];
    const struct pyr_metric_result *energy = pyr_case_metric(one, PYR_M_ENERGY);
    assert_non_null(energy);
    /* Read at the seams alone it would tell less than one range, a joule. */
    assert_true(energy->value.value > 2);
    pyr_result_destroy(outcome.result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_that_wraps_within_a_case_is_counted_with_nobody_looking_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
