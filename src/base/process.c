/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define OWN_PROGRAM "/proc/self/exe"

enum { EXTRA_FD = 3 };

void pyr_process_begin(void) {
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error of a write, which is told */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* The lowest free number is this one. A folder without devices still has memory. */
        if (open("/dev/null", O_RDWR) < 0)
            (void)!memfd_create("nothing", 0);
    }
}

/* Handlers of ours must not run in the child, whose memory is still this process's; SIGPIPE and
 * SIGXFSZ are ignored by us and not by our caller. */
static void reset_signals(void) {
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0)
            continue;
        if (action.sa_handler == SIG_IGN && number != SIGPIPE && number != SIGXFSZ)
            continue;
        if (action.sa_handler == SIG_DFL)
            continue;
        action = (struct sigaction){.sa_handler = SIG_DFL};
        sigaction(number, &action, NULL);
    }
}

static bool place(int from, int to) {
    if (from == PYR_CHILD_SAME)
        return true;
    if (from == to)
        return fcntl(to, F_SETFD, 0) == 0;
    if (from >= 0)
        return dup2(from, to) == to;
    int nothing = open("/dev/null", to == STDIN_FILENO ? O_RDONLY : O_WRONLY);
    if (nothing < 0 || nothing == to)
        return nothing == to;
    bool ok = dup2(nothing, to) == to;
    close(nothing);
    return ok;
}

/* In the child, which shares our memory until it has become the program: only system calls. */
static void become(const struct pyr_child *child, const char *program, char *const *environment,
                   pid_t parent, int told) {
    sigset_t none;
    sigemptyset(&none);
    if (child->own_group)
        setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, child->death_signal);
    if (getppid() == parent) { /* else it died before the line above */
        reset_signals();
        if (place(child->in, STDIN_FILENO) && place(child->out, STDOUT_FILENO) &&
            place(child->err, STDERR_FILENO) &&
            (child->extra < 0 || place(child->extra, EXTRA_FD))) {
            sigprocmask(SIG_SETMASK, &none, NULL);
            execvpe(program, child->argv, environment);
        }
    }
    int cause = errno;
    (void)!write(told, &cause, sizeof cause);
    _exit(127);
}

static bool fail_start(const char *program, bool own, int cause, struct pyr_err *err) {
    if (own && cause == ENOENT)
        return pyr_fail(err, PYR_E_IO,
                        "this program cannot be started again, because " OWN_PROGRAM
                        " is missing; mount /proc (mount -t proc proc /proc)");
    return pyr_fail_errno(err, cause, "%s: cannot be started", own ? "this program" : program);
}

/* By vfork: to copy the page tables of a process with a model in it takes milliseconds. */
static int start(const struct pyr_child *child, const char *program, pid_t *pid, int told[2]) {
    char *const *environment = child->environment ? child->environment : environ;
    pid_t parent = getpid();
    sigset_t all, before;
    int cause = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    *pid = vfork();
    if (*pid == 0)
        become(child, program, environment, parent, told[1]);
    if (*pid < 0)
        cause = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return cause;
}

/* Its writing end out of the way of what the child gets. */
static bool open_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    int end = fcntl(ends[1], F_DUPFD_CLOEXEC, EXTRA_FD + 1), cause = errno;
    close(ends[1]);
    ends[1] = end;
    if (end < 0) {
        close(ends[0]);
        errno = cause;
    }
    return end >= 0;
}

bool pyr_child_start(const struct pyr_child *child, pid_t *pid, struct pyr_err *err) {
    const char *program = child->program ? child->program : OWN_PROGRAM;
    int told[2];
    if (!open_pipe(told))
        return pyr_fail_errno(err, errno, "%s: a pipe to start it", child->argv[0]);
    int cause = start(child, program, pid, told);
    close(told[1]);
    /* The pipe closes without a word as the child becomes the program. */
    ssize_t got = 0;
    while (cause == 0 && (got = read(told[0], &cause, sizeof cause)) < 0 && errno == EINTR)
        continue;
    close(told[0]);
    if (cause == 0 && got <= 0)
        return true;
    if (*pid > 0)
        while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    *pid = 0;
    return fail_start(program, !child->program, cause ? cause : EIO, err);
}
