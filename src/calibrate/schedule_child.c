/* SPDX-License-Identifier: MIT */
#include "calibrate/schedule_child.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 30000 /* a machine under test may be busy */

/* Its first line, "port N" or "unix PATH", within the time. */
static bool read_first_line(int fd, char *line, size_t size) {
    size_t length = 0;
    uint64_t end_ns = pyr_clock_real_ns() + START_MS * PYR_NS_PER_MS;
    while (length < size - 1) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        uint64_t now_ns = pyr_clock_real_ns();
        if (now_ns >= end_ns)
            return false;
        if (poll(&wait, 1, (int)((end_ns - now_ns) / PYR_NS_PER_MS) + 1) < 0 && errno != EINTR)
            return false;
        if (!wait.revents)
            continue;
        ssize_t got = read(fd, line + length, size - 1 - length);
        if (got <= 0)
            return false;
        length += (size_t)got;
        line[length] = '\0';
        if (strchr(line, '\n'))
            return true;
    }
    return false;
}

/* Where it listens, from what it says. Its last words, where it did not come so far, are why. */
static bool take_address(struct pyr_schedule_child *child, int out, struct pyr_err *err) {
    char line[256] = "";
    unsigned port = 0;
    bool heard = read_first_line(out, line, sizeof line);
    line[strcspn(line, "\n")] = '\0';
    if (heard && sscanf(line, "port %u", &port) == 1)
        snprintf(child->url, sizeof child->url, "http://127.0.0.1:%u/v1", port);
    else if (heard && strncmp(line, "unix ", 5) == 0)
        snprintf(child->url, sizeof child->url, "unix:%.*s:/v1", (int)sizeof child->dir + 16,
                 line + 5);
    else
        return pyr_fail(err, PYR_E_IO, "the server of known schedule does not start%s%s",
                        *line ? ": " : "", line);
    return true;
}

static bool spawn(struct pyr_schedule_child *child,
                  const struct pyr_schedule_child_options *options, int out, struct pyr_err *err) {
    char log_path[160], socket_path[160], records[24];
    snprintf(log_path, sizeof log_path, "%s/log", child->dir);
    snprintf(socket_path, sizeof socket_path, "%s/socket", child->dir);
    snprintf(records, sizeof records, "%llu", (unsigned long long)options->log_records);
    const char *const argv[] = {"pyrometer",
                                PYR_SCHEDULE_SERVER_WORD,
                                options->unix_socket ? "--unix" : "--port",
                                options->unix_socket ? socket_path : "0",
                                "--plan",
                                options->plan,
                                "--log",
                                log_path,
                                "--log-records",
                                records,
                                "--owns-folder",
                                child->dir,
                                NULL};
    /* A group of its own: an interrupt at the terminal is for us, who then end it. It is asked to
     * end, not killed, so that it removes its folder. */
    const struct pyr_child start = {.program = options->program,
                                    .argv = (char *const *)(uintptr_t)argv,
                                    .in = PYR_CHILD_NOTHING,
                                    .out = out,
                                    .err = out,
                                    .extra = PYR_CHILD_NOTHING,
                                    .death_signal = SIGTERM,
                                    .own_group = true};
    return pyr_child_start(&start, &child->pid, err) ||
           pyr_err_prefix(err, "the server of known schedule");
}

static bool map_log(struct pyr_schedule_child *child, struct pyr_err *err) {
    char path[160];
    struct stat stat;
    snprintf(path, sizeof path, "%s/log", child->dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &stat) == 0 && stat.st_size > (off_t)sizeof *child->log;
    if (ok) {
        child->log_bytes = (size_t)stat.st_size;
        child->log = mmap(NULL, child->log_bytes, PROT_READ, MAP_SHARED, fd, 0);
        ok = child->log != MAP_FAILED && child->log->magic == PYR_SCHEDULE_LOG_MAGIC;
    }
    if (!ok) {
        child->log = NULL;
        pyr_fail_errno(err, errno, "%s", path);
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

static void empty_folder(const char *path) {
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* Folders of ours whose process was killed: "pyrometer-PID-XXXXXX". */
static void sweep(const char *base) {
    DIR *dir = opendir(base);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        struct stat info;
        long pid;
        char path[512];
        if (sscanf(entry->d_name, "pyrometer-%ld-", &pid) == 1 &&
            fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
            pyr_fs_is_left(pid, &info.st_mtim) &&
            snprintf(path, sizeof path, "%s/%s", base, entry->d_name) < (int)sizeof path)
            empty_folder(path);
    }
    if (dir)
        closedir(dir);
}

bool pyr_schedule_child_none(struct pyr_schedule_child *child, struct pyr_err *err) {
    const char *base = getenv("TMPDIR");
    *child = (struct pyr_schedule_child){0};
    sweep(base && *base ? base : "/tmp");
    snprintf(child->dir, sizeof child->dir, "%s/pyrometer-%ld-XXXXXX",
             base && *base ? base : "/tmp", (long)getpid());
    if (mkdtemp(child->dir))
        return true;
    pyr_fail_errno(err, errno, "%s: no folder can be made there (TMPDIR says where)",
                   base && *base ? base : "/tmp");
    child->dir[0] = '\0';
    return false;
}

bool pyr_schedule_child_start(const struct pyr_schedule_child_options *options,
                              struct pyr_schedule_child *child, struct pyr_err *err) {
    int ends[2];
    if (!pyr_schedule_child_none(child, err))
        return false;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        pyr_fail_errno(err, errno, "pipe");
        pyr_schedule_child_release(child);
        return false;
    }
    bool ok = spawn(child, options, ends[1], err);
    close(ends[1]);
    ok = ok && take_address(child, ends[0], err);
    close(ends[0]);
    if (ok && map_log(child, err))
        return true;
    pyr_schedule_child_release(child);
    return false;
}

void pyr_schedule_child_end(struct pyr_schedule_child *child) {
    if (child->pid <= 0)
        return;
    kill(child->pid, SIGTERM);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    child->pid = 0;
}

void pyr_schedule_child_release(struct pyr_schedule_child *child) {
    pyr_schedule_child_end(child);
    if (child->log)
        munmap(child->log, child->log_bytes);
    child->log = NULL;
    if (child->dir[0])
        empty_folder(child->dir);
    child->dir[0] = '\0';
}
