/* SPDX-License-Identifier: MIT */
#include "sample/sampler.h"

#include "base/mem.h"
#include "sample/machine.h"
#include "sample/proc.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { THREADS_MAX = 1024 };
#define DEFAULT_INTERVAL_NS (100 * PYR_NS_PER_MS)

/* What is read at one step; differences of two steps are rates. */
struct reading {
    uint64_t time_ns;
    uint64_t target_ns, harness_ns; /* CPU time */
    struct pyr_proc_machine machine;
    bool target_known, machine_known;
};

struct pyr_sampler {
    struct pyr_sampler_config config;
    _Atomic uint32_t case_index;
    _Atomic pid_t pid;
    uint32_t cpus;
    /* The readings, and CPU time summed over steps rather than taken from first to last, because a
     * thread that ends takes its count with it. */
    struct reading first, last;
    uint64_t target_ns, harness_ns, cost_ns;
    uint64_t samples, failed, rss_max_bytes;
    pid_t last_pid;
    struct pyr_proc_thread *threads; /* (THREADS_MAX) */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool running, stopping;
};

bool pyr_sampler_is_harness(pid_t own_pid, pid_t tid, const char *name) {
    return tid == own_pid ||
           (strncmp(name, "pyr-", 4) == 0 && strncmp(name, "pyr-engine", 10) != 0);
}

bool pyr_sampler_create(const struct pyr_sampler_config *config, struct pyr_sampler **out,
                        struct pyr_err *err) {
    struct pyr_machine_limits limits;
    pthread_condattr_t attributes;
    if (config->pid < 0 || config->own_pid <= 0)
        return pyr_fail(err, PYR_E_USAGE, "process %d: is no process id",
                        (int)(config->pid < 0 ? config->pid : config->own_pid));
    struct pyr_sampler *sampler = pyr_xcalloc(1, sizeof *sampler);
    sampler->config = *config;
    if (config->interval_ns == 0)
        sampler->config.interval_ns = DEFAULT_INTERVAL_NS;
    sampler->threads = pyr_xcalloc(THREADS_MAX, sizeof *sampler->threads);
    atomic_init(&sampler->case_index, PYR_NO_CASE);
    atomic_init(&sampler->pid, config->pid);
    pyr_machine_limits(config->root, &limits);
    sampler->cpus = limits.cpus_allowed ? limits.cpus_allowed : 1;
    pthread_mutex_init(&sampler->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sampler->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = sampler;
    return true;
}

void pyr_sampler_destroy(struct pyr_sampler *sampler) {
    if (!sampler)
        return;
    pthread_cond_destroy(&sampler->wake);
    pthread_mutex_destroy(&sampler->lock);
    pyr_free(sampler->threads);
    pyr_free(sampler);
}

static void read_own_threads(struct pyr_sampler *sampler, bool target_is_own,
                             struct reading *reading) {
    size_t count = pyr_proc_threads(sampler->config.root, sampler->config.own_pid, sampler->threads,
                                    THREADS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct pyr_proc_thread *thread = &sampler->threads[i];
        if (pyr_sampler_is_harness(sampler->config.own_pid, thread->tid, thread->name))
            reading->harness_ns += thread->cpu_ns;
        else if (target_is_own)
            reading->target_ns += thread->cpu_ns;
    }
}

static void read_all(struct pyr_sampler *sampler, pid_t pid, struct reading *reading,
                     uint64_t *rss_bytes) {
    struct pyr_proc_usage usage;
    bool own = pid == sampler->config.own_pid;
    *reading = (struct reading){.time_ns = pyr_now_ns(sampler->config.clock)};
    *rss_bytes = PYR_PROC_UNKNOWN;
    if (pid != 0 && pyr_proc_read_tree(sampler->config.root, pid, PYR_PROC_CHEAP, &usage, NULL)) {
        reading->target_known = true;
        *rss_bytes = usage.rss_bytes;
        if (!own)
            reading->target_ns = usage.cpu_ns;
    } else if (pid != 0) {
        sampler->failed++;
    }
    read_own_threads(sampler, own, reading);
    reading->machine_known = pyr_proc_machine(sampler->config.root, &reading->machine, NULL);
}

/* Counters of threads and children that ended fall back: what they had used is then not seen. */
static uint64_t grown(uint64_t now, uint64_t before) {
    return now > before ? now - before : 0;
}

static void sample(struct pyr_sampler *sampler, enum pyr_metric metric, uint64_t time_ns,
                   double value) {
    if (sampler->config.lane)
        pyr_lane_sample(sampler->config.lane, metric,
                        atomic_load_explicit(&sampler->case_index, memory_order_relaxed), time_ns,
                        value);
}

void pyr_sampler_step(struct pyr_sampler *sampler) {
    struct reading now;
    uint64_t rss_bytes;
    pid_t pid = atomic_load_explicit(&sampler->pid, memory_order_relaxed);
    read_all(sampler, pid, &now, &rss_bytes);
    if (rss_bytes != PYR_PROC_UNKNOWN) {
        sample(sampler, PYR_M_RSS, now.time_ns, (double)rss_bytes);
        if (rss_bytes > sampler->rss_max_bytes)
            sampler->rss_max_bytes = rss_bytes;
    }
    if (sampler->samples == 0) {
        sampler->first = now;
    } else if (now.time_ns > sampler->last.time_ns) {
        double took_ns = (double)(now.time_ns - sampler->last.time_ns);
        uint64_t harness_ns = grown(now.harness_ns, sampler->last.harness_ns);
        sampler->harness_ns += harness_ns;
        sample(sampler, PYR_M_HARNESS_CPU, now.time_ns, (double)harness_ns / took_ns);
        if (now.target_known && sampler->last.target_known && pid == sampler->last_pid) {
            uint64_t target_ns = grown(now.target_ns, sampler->last.target_ns);
            sampler->target_ns += target_ns;
            sample(sampler, PYR_M_CPU_UTILIZATION, now.time_ns,
                   (double)target_ns / (took_ns * sampler->cpus));
        }
    }
    sampler->last = now;
    sampler->last_pid = pid;
    sampler->samples++;
    sampler->cost_ns += pyr_now_ns(sampler->config.clock) - now.time_ns;
}

/* Deadlines are multiples of the interval from the start, so that lateness does not add up; those
 * that have passed meanwhile are left out. */
static void *sampler_main(void *argument) {
    struct pyr_sampler *sampler = argument;
    uint64_t interval = sampler->config.interval_ns;
    uint64_t due = pyr_now_ns(sampler->config.clock);
    pthread_mutex_lock(&sampler->lock);
    while (!sampler->stopping) {
        pthread_mutex_unlock(&sampler->lock);
        pyr_sampler_step(sampler);
        uint64_t now = pyr_now_ns(sampler->config.clock);
        due += interval * (now > due ? (now - due) / interval + 1 : 1);
        struct timespec until = {.tv_sec = (time_t)(due / PYR_NS_PER_S),
                                 .tv_nsec = (long)(due % PYR_NS_PER_S)};
        pthread_mutex_lock(&sampler->lock);
        while (!sampler->stopping &&
               pthread_cond_timedwait(&sampler->wake, &sampler->lock, &until) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&sampler->lock);
    pyr_sampler_step(sampler);
    return NULL;
}

bool pyr_sampler_start(struct pyr_sampler *sampler, struct pyr_err *err) {
    sigset_t all, before;
    sampler->stopping = false;
    /* Signals are for the thread that drives: they end its waits. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int refused = pthread_create(&sampler->thread, NULL, sampler_main, sampler);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (refused != 0)
        return pyr_fail_errno(err, refused, "sampler: cannot start its thread");
    (void)pthread_setname_np(sampler->thread, "pyr-sampler");
    sampler->running = true;
    return true;
}

void pyr_sampler_stop(struct pyr_sampler *sampler) {
    if (!sampler->running)
        return;
    pthread_mutex_lock(&sampler->lock);
    sampler->stopping = true;
    pthread_cond_signal(&sampler->wake);
    pthread_mutex_unlock(&sampler->lock);
    pthread_join(sampler->thread, NULL);
    sampler->running = false;
}

void pyr_sampler_set_case(struct pyr_sampler *sampler, uint32_t case_index) {
    atomic_store_explicit(&sampler->case_index, case_index, memory_order_relaxed);
}

void pyr_sampler_set_pid(struct pyr_sampler *sampler, pid_t pid) {
    atomic_store_explicit(&sampler->pid, pid, memory_order_relaxed);
}

void pyr_sampler_summarise(const struct pyr_sampler *sampler, struct pyr_sampler_summary *summary) {
    const struct reading *first = &sampler->first, *last = &sampler->last;
    double ns = (double)(last->time_ns - first->time_ns);
    *summary = (struct pyr_sampler_summary){.samples = sampler->samples,
                                            .failed = sampler->failed,
                                            .seconds = ns / 1e9,
                                            .rss_max_bytes = sampler->rss_max_bytes,
                                            .target_cpus = NAN,
                                            .harness_cpus = NAN,
                                            .others_cpus = NAN,
                                            .steal_share = NAN,
                                            .cost_share = NAN};
    if (sampler->samples < 2 || ns <= 0)
        return;
    summary->target_cpus = (double)sampler->target_ns / ns;
    summary->harness_cpus = (double)sampler->harness_ns / ns;
    summary->cost_share = (double)sampler->cost_ns / ns;
    if (!first->machine_known || !last->machine_known)
        return;
    double busy = (double)grown(last->machine.busy_ticks, first->machine.busy_ticks);
    double idle = (double)grown(last->machine.idle_ticks, first->machine.idle_ticks);
    double steal = (double)grown(last->machine.steal_ticks, first->machine.steal_ticks);
    if (busy + idle + steal <= 0)
        return;
    summary->steal_share = steal / (busy + idle + steal);
    /* Ticks are counted in 1/100 s (USER_HZ on every port of Linux). */
    double others = busy / 100 / (ns / 1e9) - summary->target_cpus - summary->harness_cpus;
    summary->others_cpus = others > 0 ? others : 0;
}
