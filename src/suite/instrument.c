/* SPDX-License-Identifier: MIT */
#include "calibrate/calibrate.h"
#include "suite/session.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    STREAMS_MOST = 10000,
    EVENTS_MOST = 50000, /* a second: more than one core can send, whatever a run read */
    TOKENS_LEAST = 2,
    TOKENS_MOST = 20,
    REQUESTS_AIM = 100
};
/* A stream is to last no longer than this, as its length is the paced pass's warm-up. */
static const double stream_s_most = 0.5;
/* The paced pass of a level: this share of the run before it, within bounds. */
static const double time_share = 0.05;
#define PASS_LEAST_NS (PYR_NS_PER_S / 2)
#define PASS_MOST_NS (2 * PYR_NS_PER_S)

struct level {
    const char *name, *stage;
    const struct pyr_session_load *load;
};

struct teller {
    struct pyr_session *session;
    const char *stage;
    double left_s;
    uint64_t began_ns;
};

static void tell(const struct teller *teller) {
    const struct pyr_session *s = teller->session;
    uint64_t now_ns = pyr_now_ns(&s->clock);
    double left_s = teller->left_s - (double)(now_ns - teller->began_ns) * 1e-9;
    const struct pyr_bench_progress now = {.stage = teller->stage,
                                           .elapsed_s = (double)(now_ns - s->started_ns) * 1e-9,
                                           .remaining_s = fmax(left_s, 0),
                                           .ttft_p50_ns = NAN,
                                           .latency_p50_ns = NAN,
                                           .latency_p90_ns = NAN};
    if (s->progress)
        s->progress(s->progress_context, &now);
}

static void on_live(void *context, const struct pyr_load_live *live) {
    (void)live;
    tell(context);
}

/* As many streams and events as the load had. Answers as long as its own, or shorter, so that a
 * short pass has a hundred of them: a p99. */
static struct pyr_calibrate_options options_of(const struct pyr_session *s,
                                               const struct pyr_session_load *load) {
    double streams = fmin(fmax(round(load->streams), 1), STREAMS_MOST);
    double token_rate = fmin(load->events_per_s, EVENTS_MOST) / streams;
    uint64_t ran_ns = pyr_now_ns(&s->clock) - s->started_ns;
    double pass_ns = fmin(fmax((double)ran_ns * time_share, PASS_LEAST_NS), PASS_MOST_NS);
    double tokens = fmin(token_rate * stream_s_most, TOKENS_MOST);
    tokens = fmin(tokens, token_rate * streams * pass_ns * 1e-9 / REQUESTS_AIM);
    if (load->requests_per_s > 0)
        tokens = fmin(tokens, load->events_per_s / load->requests_per_s);
    bool in_process = strcmp(s->info.kind, "http") != 0;
    bool tls = strncmp(s->options->target, "https:", 6) == 0;
    return (struct pyr_calibrate_options){
        .streams = (uint32_t)streams,
        .tokens_per_s = token_rate,
        .tokens = (uint32_t)fmax(floor(tokens), TOKENS_LEAST),
        .duration_ns = (uint64_t)pass_ns,
        .in_process = in_process,
        .unix_socket = strncmp(s->options->target, "unix:", 5) == 0,
        .lacks = tls && s->info.http2 ? "TLS and HTTP/2"
                 : tls                ? "TLS"
                 : s->info.http2      ? "HTTP/2"
                                      : NULL,
        .spin = in_process ? s->info.threads < s->cpus_allowed : s->cpus_allowed > 1,
        .urgent = s->plan->arrival != NULL && s->cpus_allowed > 1,
        .stop = s->options->stop};
}

static double seconds_of(const struct pyr_calibrate_options *o) {
    enum { PLAIN_S = 1 }; /* the unpaced pass, and the server's start */
    return (double)o->duration_ns * 1e-9 + o->tokens / o->tokens_per_s + PLAIN_S;
}

static void calibrate_level(struct pyr_session *s, const struct level *level, double left_s) {
    struct teller teller = {s, level->stage, left_s, pyr_now_ns(&s->clock)};
    struct pyr_calibrate_options options = options_of(s, level->load);
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_calibration seen;
    struct pyr_err err;
    options.live = on_live;
    options.live_context = &teller;
    tell(&teller);
    if (pyr_calibrate_run(arena, &options, &seen, &err))
        pyr_calibrate_record(&options, &seen, level->name, s->cases, pyr_session_lane(s));
    else
        pyr_calibrate_record_missing(&options, level->name,
                                     s->options->stop && *s->options->stop ? "ended by a signal"
                                                                           : err.text,
                                     s->cases, pyr_session_lane(s));
    s->cases++;
    pyr_arena_destroy(arena);
}

/* Why there is nothing to calibrate; NULL: there is. */
static const char *skipped(const struct pyr_session *s) {
    if (s->options->no_calibrate)
        return "skipped by --no-calibrate";
    if (pyr_session_stopped(s))
        return "the run ended before it";
    if (s->highest.events_per_s <= 0)
        return "no token came in";
    return NULL;
}

void pyr_session_calibrate(struct pyr_session *s) {
    const struct level levels[] = {
        {"warm-up", "how far are our own figures off? at the warm-up's rate", &s->warmup},
        {"highest", "how far are our own figures off? at the highest level", &s->highest}};
    enum { LEVELS = sizeof levels / sizeof *levels };
    if (s->info.virtual_time || s->info.simulated || strcmp(s->info.kind, "null") == 0)
        return; /* nothing of this was measured */
    if (s->ok + s->failed == 0 && !pyr_session_stopped(s))
        return; /* loads of a model file alone */
    const char *why = skipped(s);
    if (why) {
        pyr_calibrate_record_missing(NULL, "", why, s->cases++, pyr_session_lane(s));
        return;
    }
    double left_s = 0;
    for (size_t i = 0; i < LEVELS; i++)
        if (levels[i].load->events_per_s > 0) {
            struct pyr_calibrate_options options = options_of(s, levels[i].load);
            left_s += seconds_of(&options);
        }
    s->measured = true;
    for (size_t i = 0; i < LEVELS && !pyr_session_stopped(s); i++) {
        if (levels[i].load->events_per_s <= 0)
            continue; /* a run without a warm-up */
        struct pyr_calibrate_options options = options_of(s, levels[i].load);
        calibrate_level(s, &levels[i], left_s);
        left_s -= seconds_of(&options);
    }
}
