/* SPDX-License-Identifier: MIT */
#include "target/launch.h"

#include "base/clock.h"
#include "base/process.h"
#include "codec/escape.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* A server that frees a model's memory takes a second or two. */
#define GRACE_NS (5 * PYR_NS_PER_S)

static int open_output(void) {
    const char *dir = getenv("TMPDIR");
    int fd = open(dir && *dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : memfd_create("server output", MFD_CLOEXEC);
}

static void rest(void) {
    struct timespec pause = {.tv_nsec = 5000000};
    nanosleep(&pause, NULL);
}

/* Ends a group: whoever is left after five seconds is killed. */
static void end_group(pid_t group, bool (*is_gone)(void *context), void *context) {
    static const int signals[] = {SIGTERM, SIGKILL};
    for (int i = 0; i < 2; i++) {
        kill(-group, signals[i]);
        uint64_t end_ns = pyr_clock_real_ns() + GRACE_NS;
        while (!is_gone(context) && pyr_clock_real_ns() < end_ns)
            rest();
        if (is_gone(context))
            return;
    }
}

static bool nobody_is_left(void *context) {
    const pid_t *group = context;
    return kill(-*group, 0) != 0 && errno == ESRCH;
}

/* In the guard, a copy of this process that holds nothing: waits for the lifeline to close, which
 * every way of dying does. PR_SET_PDEATHSIG reaches the shell alone, not what it started. */
static _Noreturn void watch_over(pid_t group, int lifeline, int others_end) {
    sigset_t all;
    char byte;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setpgid(0, 0);
    int null = open("/dev/null", O_RDWR);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    close(others_end);
    while (read(lifeline, &byte, 1) < 0 && errno == EINTR)
        continue;
    end_group(group, nobody_is_left, &group);
    _exit(0);
}

static bool start_guard(struct pyr_launch *launch, struct pyr_err *err) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return pyr_fail_errno(err, errno, "a pipe to the launched server's guard");
    launch->guard = fork();
    if (launch->guard == 0)
        watch_over(launch->pid, ends[0], ends[1]);
    int cause = errno;
    close(ends[0]);
    launch->lifeline_fd = ends[1];
    if (launch->guard > 0)
        return true;
    launch->guard = 0;
    return pyr_fail_errno(err, cause, "the launched server's guard");
}

bool pyr_launch_start(const char *command, struct pyr_launch *launch, struct pyr_err *err) {
    *launch = (struct pyr_launch){
        .output_fd = open_output(), .lifeline_fd = -1, .started_ns = pyr_clock_real_ns()};
    if (launch->output_fd < 0)
        return pyr_fail_errno(err, errno, "a file for the output of the launched server");
    char sh[] = "sh", c[] = "-c";
    char *argv[] = {sh, c, (char *)(uintptr_t)command, NULL};
    const struct pyr_child child = {.program = "/bin/sh",
                                    .argv = argv,
                                    .in = PYR_CHILD_NOTHING,
                                    .out = launch->output_fd,
                                    .err = launch->output_fd,
                                    .extra = PYR_CHILD_NOTHING,
                                    .death_signal = SIGTERM,
                                    .own_group = true};
    if (pyr_child_start(&child, &launch->pid, err) && start_guard(launch, err))
        return true;
    pyr_launch_stop(launch);
    return pyr_err_prefix(err, "launch=%s", command);
}

void pyr_launch_last_words(const struct pyr_launch *launch, char *text, size_t size) {
    char tail[1024];
    off_t end = lseek(launch->output_fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof tail - 1 ? end - ((off_t)sizeof tail - 1) : 0;
    ssize_t got = pread(launch->output_fd, tail, sizeof tail - 1, from);
    text[0] = '\0';
    while (got > 0 && (unsigned char)tail[got - 1] <= ' ')
        got--;
    if (got <= 0)
        return;
    tail[got] = '\0';
    const char *line = memrchr(tail, '\n', (size_t)got);
    const char *from_here = line ? line + 1 : tail;
    pyr_plain_text(text, size, from_here, strlen(from_here));
}

static bool has_ended(struct pyr_launch *launch) {
    if (!launch->over && launch->pid > 0 &&
        waitpid(launch->pid, &launch->status, WNOHANG) == launch->pid)
        launch->over = true;
    return launch->over;
}

bool pyr_launch_is_alive(struct pyr_launch *launch, char *how, size_t size) {
    if (!has_ended(launch))
        return true;
    char words[200], cause[64];
    pyr_launch_last_words(launch, words, sizeof words);
    if (WIFSIGNALED(launch->status))
        snprintf(cause, sizeof cause, "%s", strsignal(WTERMSIG(launch->status)));
    else
        snprintf(cause, sizeof cause, "exit status %d", WEXITSTATUS(launch->status));
    snprintf(how, size, "%s%s%s", cause, words[0] ? ": " : "", words);
    return false;
}

/* Whether nothing of the group is left; a zombie of ours is waited for. */
static bool is_gone(void *context) {
    struct pyr_launch *launch = context;
    return has_ended(launch) && kill(-launch->pid, 0) != 0 && errno == ESRCH;
}

void pyr_launch_stop(struct pyr_launch *launch) {
    if (launch->pid > 0)
        end_group(launch->pid, is_gone, launch);
    if (launch->guard > 0) {
        kill(launch->guard, SIGKILL);
        waitpid(launch->guard, NULL, 0);
        close(launch->lifeline_fd);
    }
    if (launch->pid > 0 || launch->output_fd > 0)
        close(launch->output_fd);
    *launch = (struct pyr_launch){.output_fd = -1, .lifeline_fd = -1};
}
