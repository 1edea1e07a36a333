/* SPDX-License-Identifier: MIT */
#include "sample/proc.h"

#include "base/clock.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_BYTES = 4096 }; /* the files read here are far shorter */

/* Reads a small file below the root into text, NUL-terminated and cut at size - 1; false when it
 * cannot be opened or read, with the cause in errno. */
static bool read_small(const struct pyr_root *root, char *text, size_t size, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));

static int open_below(const struct pyr_root *root, int flags, const char *format, va_list args) {
    char path[PATH_MAX];
    int used = snprintf(path, sizeof path, "%s", root->prefix);
    if (used < 0 || used >= (int)sizeof path)
        return -1;
    vsnprintf(path + used, sizeof path - (size_t)used, format, args);
    return open(path, flags | O_RDONLY | O_CLOEXEC);
}

static bool read_small(const struct pyr_root *root, char *text, size_t size, const char *format,
                       ...) {
    va_list args;
    va_start(args, format);
    int fd = open_below(root, 0, format, args);
    va_end(args);
    if (fd < 0)
        return false;
    size_t used = 0;
    ssize_t got;
    do {
        got = read(fd, text + used, size - 1 - used);
        if (got > 0)
            used += (size_t)got;
    } while ((got > 0 && used < size - 1) || (got < 0 && errno == EINTR));
    text[used] = '\0';
    int cause = errno;
    close(fd);
    errno = cause;
    return got >= 0;
}

/* The number behind "Key:" at the start of a line. */
static uint64_t keyed_number(const char *text, const char *key) {
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            return strtoull(line + length + 1, NULL, 10);
    }
    return PYR_PROC_UNKNOWN;
}

static uint64_t kib(uint64_t value) {
    return value == PYR_PROC_UNKNOWN ? value : value * 1024;
}

static uint64_t ticks_to_ns(uint64_t ticks) {
    return ticks * (PYR_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* The fields of a stat file that are used, numbered as in proc(5). */
enum {
    STAT_PPID = 4,
    STAT_MINFLT = 10,
    STAT_CMINFLT = 11,
    STAT_MAJFLT = 12,
    STAT_CMAJFLT = 13,
    STAT_UTIME = 14,
    STAT_STIME = 15,
    STAT_CUTIME = 16,
    STAT_CSTIME = 17,
    STAT_THREADS = 20,
    STAT_FIELDS = 21
};

/* The command's name, in parentheses, may itself hold blanks and parentheses: the numbers begin
 * behind the last ')'. */
static bool parse_stat(const char *text, uint64_t *fields) {
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ' || !at[2])
        return false;
    at += 3; /* field 3, the state, is one letter */
    memset(fields, 0, STAT_FIELDS * sizeof *fields);
    for (int field = 4; field < STAT_FIELDS; field++) {
        char *end;
        fields[field] = strtoull(at, &end, 10);
        if (end == at)
            return false;
        at = end;
    }
    return true;
}

/* The kernel's own nanosecond clock of a process, ended threads included; only of the live
 * machine. */
static bool process_clock_ns(const struct pyr_root *root, pid_t pid, uint64_t *ns) {
    clockid_t clock;
    struct timespec time;
    if (root->prefix[0] || clock_getcpuclockid(pid, &clock) != 0 ||
        clock_gettime(clock, &time) != 0)
        return false;
    *ns = (uint64_t)time.tv_sec * PYR_NS_PER_S + (uint64_t)time.tv_nsec;
    return true;
}

static void read_memory(const struct pyr_root *root, pid_t pid, enum pyr_proc_detail detail,
                        struct pyr_proc_usage *usage) {
    char text[TEXT_BYTES];
    usage->rss_bytes = usage->pss_bytes = PYR_PROC_UNKNOWN;
    if (detail == PYR_PROC_EXACT &&
        read_small(root, text, sizeof text, "/proc/%d/smaps_rollup", (int)pid)) {
        usage->rss_bytes = kib(keyed_number(text, "Rss"));
        usage->pss_bytes = kib(keyed_number(text, "Pss"));
        usage->memory_source = "smaps_rollup";
    }
    if (usage->rss_bytes == PYR_PROC_UNKNOWN) {
        unsigned long long resident;
        usage->memory_source = "statm";
        if (read_small(root, text, sizeof text, "/proc/%d/statm", (int)pid) &&
            sscanf(text, "%*u %llu", &resident) == 1)
            usage->rss_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    if (read_small(root, text, sizeof text, "/proc/%d/status", (int)pid)) {
        usage->rss_peak_bytes = kib(keyed_number(text, "VmHWM"));
        usage->voluntary_switches = keyed_number(text, "voluntary_ctxt_switches");
        usage->involuntary_switches = keyed_number(text, "nonvoluntary_ctxt_switches");
    } else {
        usage->rss_peak_bytes = PYR_PROC_UNKNOWN;
        usage->voluntary_switches = usage->involuntary_switches = PYR_PROC_UNKNOWN;
    }
}

bool pyr_proc_read(const struct pyr_root *root, pid_t pid, enum pyr_proc_detail detail,
                   struct pyr_proc_usage *usage, struct pyr_err *err) {
    char text[TEXT_BYTES];
    uint64_t fields[STAT_FIELDS];
    *usage = (struct pyr_proc_usage){.processes = 1};
    if (!read_small(root, text, sizeof text, "/proc/%d/stat", (int)pid))
        return pyr_fail_errno(err, errno, "process %d: cannot be read", (int)pid);
    if (!parse_stat(text, fields))
        return pyr_fail(err, PYR_E_INPUT, "process %d: /proc/%d/stat is not what proc(5) says",
                        (int)pid, (int)pid);
    uint64_t children_ns = ticks_to_ns(fields[STAT_CUTIME] + fields[STAT_CSTIME]);
    usage->user_ns = ticks_to_ns(fields[STAT_UTIME] + fields[STAT_CUTIME]);
    usage->system_ns = ticks_to_ns(fields[STAT_STIME] + fields[STAT_CSTIME]);
    usage->cpu_ns = usage->user_ns + usage->system_ns;
    uint64_t own_ns;
    if (process_clock_ns(root, pid, &own_ns))
        usage->cpu_ns = own_ns + children_ns;
    usage->minor_faults = fields[STAT_MINFLT] + fields[STAT_CMINFLT];
    usage->major_faults = fields[STAT_MAJFLT] + fields[STAT_CMAJFLT];
    usage->threads = (uint32_t)fields[STAT_THREADS];
    read_memory(root, pid, detail, usage);
    return true;
}

bool pyr_proc_reset_peak(pid_t pid, struct pyr_err *err) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)pid);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return pyr_fail_errno(err, errno, "%s: the peak cannot be reset", path);
    bool ok = write(fd, "5", 1) == 1; /* proc(5): 5 resets the peak resident set size */
    int cause = errno;
    close(fd);
    return ok || pyr_fail_errno(err, cause, "%s: the peak cannot be reset", path);
}

static void add(uint64_t *sum, uint64_t value) {
    *sum = *sum == PYR_PROC_UNKNOWN || value == PYR_PROC_UNKNOWN ? PYR_PROC_UNKNOWN : *sum + value;
}

bool pyr_proc_read_tree(const struct pyr_root *root, pid_t pid, enum pyr_proc_detail detail,
                        struct pyr_proc_usage *usage, struct pyr_err *err) {
    if (!pyr_proc_read(root, pid, detail, usage, err))
        return false;
    pid_t pids[PYR_PROC_TREE_MAX];
    size_t count = pyr_proc_tree(root, pid, pids, PYR_PROC_TREE_MAX);
    for (size_t i = 1; i < count; i++) {
        struct pyr_proc_usage one;
        if (!pyr_proc_read(root, pids[i], detail, &one, NULL))
            continue; /* ended meanwhile */
        add(&usage->rss_bytes, one.rss_bytes);
        add(&usage->pss_bytes, one.pss_bytes);
        add(&usage->rss_peak_bytes, one.rss_peak_bytes);
        add(&usage->cpu_ns, one.cpu_ns);
        add(&usage->user_ns, one.user_ns);
        add(&usage->system_ns, one.system_ns);
        add(&usage->minor_faults, one.minor_faults);
        add(&usage->major_faults, one.major_faults);
        add(&usage->voluntary_switches, one.voluntary_switches);
        add(&usage->involuntary_switches, one.involuntary_switches);
        usage->processes += one.processes;
        usage->threads += one.threads;
        if (one.memory_source[1] == 't') /* one inexact process makes the sum inexact */
            usage->memory_source = one.memory_source;
    }
    return true;
}

/* Calls visit with every number that names an entry of the folder, in the kernel's order, until it
 * returns false. getdents64 rather than readdir, which allocates. */
static bool for_each_number(const struct pyr_root *root, bool (*visit)(void *, pid_t),
                            void *context, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static bool for_each_number(const struct pyr_root *root, bool (*visit)(void *, pid_t),
                            void *context, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int fd = open_below(root, O_DIRECTORY, format, args);
    va_end(args);
    if (fd < 0)
        return false;
    _Alignas(struct dirent64) char entries[TEXT_BYTES];
    ssize_t got;
    bool going = true;
    while (going && (got = getdents64(fd, entries, sizeof entries)) > 0) {
        for (ssize_t at = 0; going && at < got;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            at += entry->d_reclen;
            if (isdigit((unsigned char)entry->d_name[0]))
                going = visit(context, (pid_t)strtol(entry->d_name, NULL, 10));
        }
    }
    close(fd);
    return true;
}

struct tree {
    const struct pyr_root *root;
    pid_t *pids;
    size_t count, capacity;
    pid_t parent;
    bool listed; /* the kernel has the `children` files (CONFIG_PROC_CHILDREN) */
};

static bool tree_add(struct tree *tree, pid_t pid) {
    for (size_t i = 0; i < tree->count; i++) /* ids are reused: never visit one twice */
        if (tree->pids[i] == pid)
            return true;
    if (tree->count == tree->capacity)
        return false;
    tree->pids[tree->count++] = pid;
    return true;
}

static bool add_children_of_thread(void *context, pid_t tid) {
    struct tree *tree = context;
    char text[TEXT_BYTES];
    if (!read_small(tree->root, text, sizeof text, "/proc/%d/task/%d/children", (int)tree->parent,
                    (int)tid))
        return true;
    tree->listed = true;
    char *end;
    for (const char *at = text;; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at)
            return true;
        if (!tree_add(tree, (pid_t)pid))
            return false;
    }
}

/* Without `children` files: everybody is asked for his parent. */
static bool add_if_child(void *context, pid_t pid) {
    struct tree *tree = context;
    char text[TEXT_BYTES];
    uint64_t fields[STAT_FIELDS];
    if (read_small(tree->root, text, sizeof text, "/proc/%d/stat", (int)pid) &&
        parse_stat(text, fields) && (pid_t)fields[STAT_PPID] == tree->parent)
        return tree_add(tree, pid);
    return true;
}

size_t pyr_proc_tree(const struct pyr_root *root, pid_t pid, pid_t *pids, size_t capacity) {
    struct tree tree = {.root = root, .pids = pids, .capacity = capacity};
    if (!tree_add(&tree, pid))
        return 0;
    for (size_t i = 0; i < tree.count; i++) {
        tree.parent = pids[i];
        for_each_number(root, add_children_of_thread, &tree, "/proc/%d/task", (int)pids[i]);
        if (!tree.listed)
            for_each_number(root, add_if_child, &tree, "/proc");
    }
    return tree.count;
}

struct threads {
    const struct pyr_root *root;
    pid_t pid;
    struct pyr_proc_thread *threads;
    size_t count, capacity;
};

static bool add_thread(void *context, pid_t tid) {
    struct threads *list = context;
    if (list->count == list->capacity)
        return false;
    struct pyr_proc_thread *thread = &list->threads[list->count];
    *thread = (struct pyr_proc_thread){.tid = tid};
    char text[TEXT_BYTES];
    uint64_t fields[STAT_FIELDS];
    unsigned long long run_ns;
    if (read_small(list->root, text, sizeof text, "/proc/%d/task/%d/schedstat", (int)list->pid,
                   (int)tid) &&
        sscanf(text, "%llu", &run_ns) == 1) {
        thread->cpu_ns = run_ns;
    } else if (read_small(list->root, text, sizeof text, "/proc/%d/task/%d/stat", (int)list->pid,
                          (int)tid) &&
               parse_stat(text, fields)) {
        thread->cpu_ns = ticks_to_ns(fields[STAT_UTIME] + fields[STAT_STIME]);
    } else {
        return true; /* ended meanwhile */
    }
    if (read_small(list->root, text, sizeof text, "/proc/%d/task/%d/comm", (int)list->pid,
                   (int)tid)) {
        text[strcspn(text, "\n")] = '\0';
        snprintf(thread->name, sizeof thread->name, "%.15s", text);
    }
    list->count++;
    return true;
}

/* The kernel lists threads nearly in order; qsort would take memory for longer lists. */
static void sort_by_tid(struct pyr_proc_thread *threads, size_t count) {
    for (size_t i = 1; i < count; i++) {
        struct pyr_proc_thread thread = threads[i];
        size_t at = i;
        for (; at > 0 && threads[at - 1].tid > thread.tid; at--)
            threads[at] = threads[at - 1];
        threads[at] = thread;
    }
}

size_t pyr_proc_threads(const struct pyr_root *root, pid_t pid, struct pyr_proc_thread *threads,
                        size_t capacity) {
    struct threads list = {.root = root, .pid = pid, .threads = threads, .capacity = capacity};
    for_each_number(root, add_thread, &list, "/proc/%d/task", (int)pid);
    sort_by_tid(threads, list.count);
    return list.count;
}

bool pyr_proc_machine(const struct pyr_root *root, struct pyr_proc_machine *machine,
                      struct pyr_err *err) {
    char text[512]; /* the sum over all CPUs is the first line */
    unsigned long long user, nice, system, idle, iowait = 0, irq = 0, softirq = 0, steal = 0;
    if (!read_small(root, text, sizeof text, "/proc/stat"))
        return pyr_fail_errno(err, errno, "%s/proc/stat", root->prefix);
    if (sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
               &iowait, &irq, &softirq, &steal) < 4)
        return pyr_fail(err, PYR_E_INPUT, "%s/proc/stat: its first line is not what proc(5) says",
                        root->prefix);
    *machine = (struct pyr_proc_machine){.busy_ticks = user + nice + system + irq + softirq,
                                         .idle_ticks = idle + iowait,
                                         .steal_ticks = steal};
    return true;
}
