/* SPDX-License-Identifier: MIT */
/* An arm that is a command: a block is some runs of it, one after the other. */
#include "judge/ab.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

extern char **environ;

static const struct pyr_ab_measure measures[] = {
    {PYR_M_BLOCK_TIME, "mean", true, 0},
    /* Of a child begun by a large parent Linux reports at least the parent's, so it gates nothing.
     */
    {PYR_M_RSS_PEAK, "value", false, 0},
};
enum { WALL, MEMORY, MEASURES };

enum { PADDING_MOST = 4096 };

struct command_arm {
    struct pyr_ab_arm arm;
    char *text;
    wordexp_t words; /* when split */
    char *shell[4];  /* when not */
    char **argv;
    char **environment; /* the caller's and one variable of changing length */
    char padding[PADDING_MOST + 32];
    uint64_t seed, outputs_hash;
};

/* Where the stack begins depends on the length of the environment, and that alone can change a
 * program's speed by percents (Mytkowicz et al. 2009): so it changes from block to block. */
static void pad(struct command_arm *arm, uint64_t number) {
    size_t length = pyr_mix64(arm->seed ^ pyr_mix64(number)) % PADDING_MOST;
    snprintf(arm->padding, sizeof arm->padding, "PYROMETER_PADDING=%*s", (int)length, "");
}

static bool fail_exit(const struct command_arm *arm, int status, struct pyr_err *err) {
    if (WIFSIGNALED(status))
        return pyr_fail(err, PYR_E_ENGINE, "'%s': ended by signal %d (%s)", arm->text,
                        WTERMSIG(status), strsignal(WTERMSIG(status)));
    return pyr_fail(err, PYR_E_ENGINE, "'%s': ended with exit %d; make it succeed first", arm->text,
                    WEXITSTATUS(status));
}

/* Starts it with its output to `to`; -1 on failure. */
static pid_t start(struct command_arm *arm, int to, struct pyr_err *err) {
    const struct pyr_child start = {.program = arm->argv[0],
                                    .argv = arm->argv,
                                    .environment = arm->environment,
                                    .in = PYR_CHILD_NOTHING,
                                    .out = to,
                                    .err = PYR_CHILD_SAME,
                                    .extra = PYR_CHILD_NOTHING,
                                    .death_signal = SIGKILL};
    pid_t child;
    if (pyr_child_start(&start, &child, err))
        return child;
    pyr_err_prefix(err, "'%s'", arm->text);
    return -1;
}

static bool wait_for(const struct command_arm *arm, pid_t child, struct rusage *usage,
                     struct pyr_err *err) {
    int status;
    while (wait4(child, &status, 0, usage) < 0)
        if (errno != EINTR)
            return pyr_fail_errno(err, errno, "'%s': waiting for it", arm->text);
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) || fail_exit(arm, status, err);
}

/* One run with its output read and hashed, not timed. */
static bool hash_output(struct command_arm *arm, struct pyr_err *err) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return pyr_fail_errno(err, errno, "'%s': a pipe for its output", arm->text);
    pid_t child = start(arm, ends[1], err);
    close(ends[1]);
    uint64_t hash = PYR_FNV1A64_INIT;
    char bytes[65536];
    ssize_t got;
    while (child > 0 && (got = read(ends[0], bytes, sizeof bytes)) != 0)
        if (got > 0)
            hash = pyr_fnv1a64(hash, bytes, (size_t)got);
        else if (errno != EINTR)
            break;
    close(ends[0]);
    struct rusage usage;
    arm->outputs_hash = hash;
    return child > 0 && wait_for(arm, child, &usage, err);
}

static bool command_block(struct pyr_ab_arm *base, uint64_t size, uint64_t number,
                          struct pyr_ab_block *block, struct pyr_err *err) {
    struct command_arm *arm = (struct command_arm *)base;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0)
        return pyr_fail_errno(err, errno, "/dev/null");
    memset(block, 0, sizeof *block);
    pad(arm, number);
    uint64_t total_ns = 0;
    long most_kib = 0;
    bool fine = true;
    for (uint64_t i = 0; fine && i < size; i++) {
        struct rusage usage;
        uint64_t before = pyr_clock_real_ns();
        pid_t child = start(arm, nowhere, err);
        fine = child > 0 && wait_for(arm, child, &usage, err);
        total_ns += pyr_clock_real_ns() - before;
        if (fine && usage.ru_maxrss > most_kib)
            most_kib = usage.ru_maxrss;
    }
    close(nowhere);
    block->ns = total_ns;
    block->total = block->ok = size;
    block->outputs_hash = arm->outputs_hash;
    block->values[WALL] = (double)total_ns / (double)size;
    block->values[MEMORY] = (double)most_kib * 1024;
    return fine;
}

static void command_close(struct pyr_ab_arm *base) {
    struct command_arm *arm = (struct command_arm *)base;
    if (arm->argv != arm->shell)
        wordfree(&arm->words);
    pyr_free(arm->environment);
    pyr_free(arm->text);
    pyr_free(arm);
}

static const struct pyr_ab_arm_ops command_ops = {.case_id = "command",
                                                  .measures = measures,
                                                  .measure_count = MEASURES,
                                                  .pilot_size = 1,
                                                  .block = command_block,
                                                  .close = command_close};

/* Words where words will do, so that no shell is measured; a shell for pipes and lists. */
static bool split(struct command_arm *arm, struct pyr_err *err) {
    int code = wordexp(arm->text, &arm->words, WRDE_NOCMD);
    if (code == 0 && arm->words.we_wordc > 0) {
        arm->argv = arm->words.we_wordv;
        return true;
    }
    if (code == 0)
        wordfree(&arm->words);
    if (code == WRDE_NOSPACE || code == WRDE_SYNTAX || code == 0) {
        arm->argv = arm->shell;
        return pyr_fail(err, PYR_E_USAGE, "'%s': no command (unbalanced quotes, or nothing)",
                        arm->text);
    }
    static char sh[] = "/bin/sh", c[] = "-c";
    arm->shell[0] = sh;
    arm->shell[1] = c;
    arm->shell[2] = arm->text;
    arm->argv = arm->shell;
    return true;
}

static void copy_environment(struct command_arm *arm) {
    size_t count = 0;
    while (environ[count])
        count++;
    arm->environment = pyr_xcalloc(count + 2, sizeof *arm->environment);
    memcpy(arm->environment, environ, count * sizeof *environ);
    arm->environment[count] = arm->padding;
    snprintf(arm->padding, sizeof arm->padding, "PYROMETER_PADDING=");
}

bool pyr_ab_command_open(const char *text, uint64_t seed, struct pyr_ab_arm **made,
                         struct pyr_err *err) {
    struct command_arm *arm = pyr_xcalloc(1, sizeof *arm);
    arm->arm.ops = &command_ops;
    arm->text = pyr_xstrdup(text);
    arm->arm.name = arm->text;
    arm->seed = seed;
    copy_environment(arm);
    if (!split(arm, err) || !hash_output(arm, err)) {
        command_close(&arm->arm);
        return false;
    }
    *made = &arm->arm;
    return true;
}
