/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/clock.h"
#include "net/loop.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct pair {
    struct pyr_loop loop;
    int ends[2];
};

static void pair_open(struct pair *pair) {
    struct pyr_err err;
    assert_true(pyr_loop_open(&pair->loop, &err));
    assert_int_equal(pipe(pair->ends), 0);
    assert_true(pyr_loop_add(&pair->loop, pair->ends[0], EPOLLIN, pair));
}

static void pair_close(struct pair *pair) {
    close(pair->ends[0]);
    close(pair->ends[1]);
    pyr_loop_close(&pair->loop);
}

/* True when the loop waits out a time of nanoseconds, not less, and tells of what is ready. */
static bool waits_well(void) {
    struct pair pair;
    struct epoll_event events[4];
    pair_open(&pair);
    uint64_t before_ns = pyr_clock_real_ns();
    bool good = pyr_loop_wait(&pair.loop, events, 4, 300000) == 0 &&
                pyr_clock_real_ns() - before_ns >= 300000;
    good = good && write(pair.ends[1], "x", 1) == 1;
    good = good && pyr_loop_wait(&pair.loop, events, 4, PYR_NEVER) == 1 &&
           events[0].data.ptr == &pair && (events[0].events & EPOLLIN);
    good = good && pyr_loop_wait(&pair.loop, events, 4, 0) == 1;
    pair_close(&pair);
    return good;
}

static void a_wait_lasts_its_nanoseconds_and_tells_of_what_is_ready(void **state) {
    (void)state;
    assert_true(waits_well());
}

/* From here on the call is answered with `error` in this process. */
static bool refuse_epoll_pwait2(unsigned error) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void a_kernel_without_epoll_pwait2_waits_as_well(void **state) {
    static const unsigned errors[] = {ENOSYS, EPERM};
    enum { GOOD, BAD, NO_FILTER };
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(!refuse_epoll_pwait2(errors[i]) ? NO_FILTER : waits_well() ? GOOD : BAD);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == NO_FILTER)
            skip(); /* a sandbox that takes no filter */
        assert_int_equal(WEXITSTATUS(status), GOOD);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_lasts_its_nanoseconds_and_tells_of_what_is_ready),
        cmocka_unit_test(a_kernel_without_epoll_pwait2_waits_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
