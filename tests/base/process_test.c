/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char sh[] = "sh", dash_c[] = "-c";

static struct pyr_child shell(char **argv, int out) {
    return (struct pyr_child){.program = "/bin/sh",
                              .argv = argv,
                              .in = PYR_CHILD_NOTHING,
                              .out = out,
                              .err = PYR_CHILD_SAME,
                              .extra = PYR_CHILD_NOTHING,
                              .death_signal = SIGKILL};
}

/* All that a child writes; it ends with `status`. */
static void read_child(struct pyr_child *child, char *text, size_t size, int expected) {
    struct pyr_err err;
    pid_t pid;
    int ends[2], status;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child->out = ends[1];
    assert_ok(err, pyr_child_start(child, &pid, &err));
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, expected << 8);
}

static void a_child_gets_what_it_was_given_and_nothing_else(void **state) {
    (void)state;
    char script[] = "read -r line <&3; echo \"$line $NAME\"; read -r x; echo \"$?\"; exit 7";
    char *argv[] = {sh, dash_c, script, NULL}, name[] = "NAME=here", *environment[] = {name, NULL};
    struct pyr_child child = shell(argv, PYR_CHILD_NOTHING);
    char text[256];
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "word\n", 5), 5);
    child.extra = ends[0];
    child.environment = environment;
    read_child(&child, text, sizeof text, 7);
    assert_string_equal(text, "word here\n1\n");
    close(ends[0]);
    close(ends[1]);
}

static void a_descriptor_that_has_its_number_already_stays_open(void **state) {
    (void)state;
    char script[] = "read -r line <&3; echo \"$line\"";
    char *argv[] = {sh, dash_c, script, NULL};
    struct pyr_child child = shell(argv, PYR_CHILD_NOTHING);
    char text[256];
    int ends[2], kept = fcntl(3, F_DUPFD_CLOEXEC, 10);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "word\n", 5), 5);
    if (ends[0] != 3)
        assert_int_equal(dup3(ends[0], 3, O_CLOEXEC), 3);
    child.extra = 3;
    read_child(&child, text, sizeof text, 0);
    assert_string_equal(text, "word\n");
    close(ends[1]);
    if (kept >= 0)
        dup3(kept, 3, O_CLOEXEC);
}

static void what_cannot_be_started_is_said(void **state) {
    (void)state;
    char name[] = "no-such-program-here", *argv[] = {name, NULL};
    struct pyr_child child = shell(argv, PYR_CHILD_NOTHING);
    struct pyr_err err;
    pid_t pid;
    child.program = name;
    assert_false(pyr_child_start(&child, &pid, &err));
    assert_string_equal(err.text,
                        "no-such-program-here: cannot be started: No such file or directory");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and leaves nobody to wait for */
}

static void signals_are_as_at_the_start_of_a_program(void **state) {
    (void)state;
    /* Ignored or blocked, the shell would live on. */
    char script[] = "kill -PIPE $$; echo alive";
    char *argv[] = {sh, dash_c, script, NULL};
    struct pyr_child child = shell(argv, PYR_CHILD_NOTHING);
    struct pyr_err err;
    sigset_t all, before;
    pid_t pid;
    int status;
    sigfillset(&all);
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pyr_child_start(&child, &pid, &err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, old);
    assert_ok(err, ok);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

/* A process between us and the child, which is killed: the child must follow it. */
static void no_child_outlives_a_killed_parent(void **state) {
    (void)state;
    char script[] = "exec sleep 1000";
    char *argv[] = {sh, dash_c, script, NULL};
    int ends[2], status;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t middle = fork();
    assert_true(middle >= 0);
    if (middle == 0) {
        struct pyr_child child = shell(argv, PYR_CHILD_NOTHING);
        pid_t pid = 0;
        pyr_child_start(&child, &pid, NULL);
        (void)!write(ends[1], &pid, sizeof pid);
        for (;;)
            pause();
    }
    pid_t child = 0;
    assert_int_equal(read(ends[0], &child, sizeof child), sizeof child);
    assert_true(child > 0);
    kill(middle, SIGKILL);
    assert_int_equal(waitpid(middle, &status, 0), middle);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(ends[0]);
    close(ends[1]);
}

static void closed_standard_descriptors_are_opened_on_nothing(void **state) {
    (void)state;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char byte;
        for (int fd = 0; fd <= 2; fd++)
            close(fd);
        pyr_process_begin();
        bool good = read(0, &byte, 1) == 0 && write(1, "x", 1) == 1 && write(2, "x", 1) == 1;
        _exit(good && open("/dev/null", O_RDONLY) > 2 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_gets_what_it_was_given_and_nothing_else),
        cmocka_unit_test(a_descriptor_that_has_its_number_already_stays_open),
        cmocka_unit_test(what_cannot_be_started_is_said),
        cmocka_unit_test(signals_are_as_at_the_start_of_a_program),
        cmocka_unit_test(no_child_outlives_a_killed_parent),
        cmocka_unit_test(closed_standard_descriptors_are_opened_on_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
