/* SPDX-License-Identifier: MIT */
#include "serving/openai_engine.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>

struct pyr_openai_engine {
    struct pyr_serving *serving;
    struct pyr_clock clock;
    pthread_t thread;
    void (*wake)(void *user);
    void *user;
    _Atomic bool interrupt; /* set and cleared under the lock */
    _Atomic bool awake;     /* the other thread has been woken and has not looked yet */

    pthread_mutex_t lock;
    pthread_cond_t work;
    /* Under the lock. */
    struct pyr_openai_job *incoming, **incoming_end; /* in order */
    bool stop, any_cancelled;
    struct pyr_serving_counters counters;

    /* The engine thread's own. */
    struct pyr_openai_job **active; /* (jobs_max) */
    uint32_t active_count, jobs_max;
};

static struct pyr_openai_job *job_of(struct pyr_serving_request *request) {
    return request->user;
}

/* --- the engine's thread --------------------------------------------------------------------- */

static void take_jobs(struct pyr_openai_engine *engine, struct pyr_openai_job *job,
                      uint64_t now_ns) {
    while (job) {
        struct pyr_openai_job *next = job->next;
        assert(engine->active_count < engine->jobs_max);
        job->active_index = engine->active_count;
        engine->active[engine->active_count++] = job;
        pyr_serving_submit(engine->serving, &job->serving, now_ns);
        job = next;
    }
}

static void cancel_jobs(struct pyr_openai_engine *engine, uint64_t now_ns) {
    for (uint32_t i = 0; i < engine->active_count; i++)
        if (atomic_load_explicit(&engine->active[i]->cancelled, memory_order_relaxed))
            pyr_serving_cancel(engine->serving, &engine->active[i]->serving, PYR_OUTCOME_CANCELLED,
                               now_ns);
}

/* Makes the step's tokens and ends known. The job is not touched after `done`. */
static void publish(struct pyr_openai_engine *engine) {
    bool any = false;
    for (uint32_t i = 0; i < engine->active_count; i++) {
        struct pyr_openai_job *job = engine->active[i];
        if (job->counted == job->record.output_tokens)
            continue;
        job->counted = job->record.output_tokens;
        atomic_store_explicit(&job->token_count, job->counted, memory_order_release);
        any = true;
    }
    struct pyr_serving_request *request;
    while ((request = pyr_serving_take(engine->serving))) {
        struct pyr_openai_job *job = job_of(request);
        assert(engine->active_count > 0 && engine->active[job->active_index] == job);
        struct pyr_openai_job *last = engine->active[--engine->active_count];
        engine->active[job->active_index] = last;
        last->active_index = job->active_index;
        atomic_store_explicit(&job->done, true, memory_order_release);
        any = true;
    }
    if (any && !atomic_exchange(&engine->awake, true))
        engine->wake(engine->user);
}

static void *engine_thread(void *argument) {
    struct pyr_openai_engine *engine = argument;
    for (;;) {
        pthread_mutex_lock(&engine->lock);
        pyr_serving_counters(engine->serving, &engine->counters);
        while (!engine->stop && !engine->incoming && !engine->any_cancelled &&
               !pyr_serving_has_work(engine->serving))
            pthread_cond_wait(&engine->work, &engine->lock);
        bool stop = engine->stop, any_cancelled = engine->any_cancelled;
        struct pyr_openai_job *jobs = engine->incoming;
        engine->incoming = NULL;
        engine->incoming_end = &engine->incoming;
        engine->any_cancelled = false;
        atomic_store(&engine->interrupt, false); /* was of what is cancelled now */
        pthread_mutex_unlock(&engine->lock);
        if (stop)
            return NULL;
        uint64_t now_ns = pyr_now_ns(&engine->clock), done_ns;
        take_jobs(engine, jobs, now_ns);
        if (any_cancelled)
            cancel_jobs(engine, now_ns);
        if (pyr_serving_has_work(engine->serving))
            pyr_serving_step(engine->serving, now_ns, &done_ns);
        publish(engine);
    }
}

/* --- the other thread ------------------------------------------------------------------------ */

static bool start_thread(struct pyr_openai_engine *engine, struct pyr_err *err) {
    /* Signals belong to the thread that called us. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&engine->thread, NULL, engine_thread, engine);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed)
        return pyr_fail_errno(err, failed, "engine thread");
    pthread_setname_np(engine->thread, "pyr-engine");
    return true;
}

static void release(struct pyr_openai_engine *engine) {
    pyr_serving_destroy(engine->serving);
    pthread_cond_destroy(&engine->work);
    pthread_mutex_destroy(&engine->lock);
    pyr_free(engine->active);
    pyr_free(engine);
}

bool pyr_openai_engine_start(const struct pyr_engine *port, struct pyr_model *model,
                             const struct pyr_pieces *pieces,
                             const struct pyr_serving_config *config, uint32_t jobs_max,
                             void (*wake)(void *user), void *user,
                             struct pyr_openai_engine **result, struct pyr_err *err) {
    struct pyr_openai_engine *engine = pyr_xcalloc(1, sizeof *engine);
    engine->clock = *config->clock;
    engine->wake = wake;
    engine->user = user;
    engine->jobs_max = jobs_max;
    engine->active = pyr_xcalloc(jobs_max, sizeof(struct pyr_openai_job *));
    engine->incoming_end = &engine->incoming;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->work, NULL);
    struct pyr_serving_config own = *config;
    own.interrupt = &engine->interrupt;
    if (!pyr_serving_create(port, model, pieces, &own, &engine->serving, err) ||
        !start_thread(engine, err)) {
        release(engine);
        return false;
    }
    *result = engine;
    return true;
}

void pyr_openai_engine_stop(struct pyr_openai_engine *engine) {
    if (!engine)
        return;
    pthread_mutex_lock(&engine->lock);
    engine->stop = true;
    pthread_cond_signal(&engine->work);
    pthread_mutex_unlock(&engine->lock);
    pthread_join(engine->thread, NULL);
    release(engine);
}

void pyr_openai_engine_describe(const struct pyr_openai_engine *engine,
                                struct pyr_serving_info *info) {
    pyr_serving_describe(engine->serving, info);
}

void pyr_openai_engine_submit(struct pyr_openai_engine *engine, struct pyr_openai_job *job) {
    job->serving.record = &job->record;
    job->serving.user = job;
    job->next = NULL;
    pthread_mutex_lock(&engine->lock);
    *engine->incoming_end = job;
    engine->incoming_end = &job->next;
    pthread_cond_signal(&engine->work);
    pthread_mutex_unlock(&engine->lock);
}

void pyr_openai_engine_cancel(struct pyr_openai_engine *engine, struct pyr_openai_job *job) {
    atomic_store_explicit(&job->cancelled, true, memory_order_relaxed);
    pthread_mutex_lock(&engine->lock);
    engine->any_cancelled = true;
    pthread_cond_signal(&engine->work);
    pthread_mutex_unlock(&engine->lock);
}

void pyr_openai_engine_interrupt(struct pyr_openai_engine *engine) {
    pthread_mutex_lock(&engine->lock);
    atomic_store(&engine->interrupt, true);
    pthread_mutex_unlock(&engine->lock);
}

void pyr_openai_engine_awake(struct pyr_openai_engine *engine) {
    atomic_exchange(&engine->awake, false);
}

void pyr_openai_engine_counters(struct pyr_openai_engine *engine,
                                struct pyr_serving_counters *counters) {
    pthread_mutex_lock(&engine->lock);
    *counters = engine->counters;
    pthread_mutex_unlock(&engine->lock);
}
