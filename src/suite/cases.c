/* SPDX-License-Identifier: MIT
 *
 * Drives the cases of one suite on the open target.
 */
#include "suite/session.h"

#include "base/fs.h"
#include "base/rng.h"
#include "sample/machine.h"
#include "suite/level_watch.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Open loop without a cap: how many may pile up before our own queue fills. */
    OPEN_LOOP_SLOTS = 4096,
    DRAIN_DEFAULT_S = 30
};
/* Of the bandwidth, with the prompts' time in it. */
#define PROBE_DOUBTFUL 0.8

/* The same class at the same load asks for the same prompts in every run and every variant, so that
 * outputs can be compared request by request. */
static uint64_t case_seed(const struct pyr_session *s, const struct pyr_plan_case *one) {
    uint64_t class = (uint64_t)(one->prompt_class - s->plan->classes);
    return pyr_mix64(pyr_mix64(s->options->seed + class) + one->record.concurrency + one->salt);
}

static uint32_t slots_of(const struct pyr_plan_case *one) {
    return one->record.concurrency ? one->record.concurrency : OPEN_LOOP_SLOTS;
}

/* How many are in flight in an open loop nobody knows before; most answers take less than two
 * seconds, and a server may have good reasons not to take thousands of connections. */
static uint32_t likely_of(const struct pyr_plan_case *one) {
    const uint32_t least = 32;
    if (one->record.concurrency || one->record.rate * 2 > OPEN_LOOP_SLOTS)
        return slots_of(one);
    return one->record.rate * 2 > least ? (uint32_t)(one->record.rate * 2) : least;
}

/* What is left of the run's time, shared out evenly over the cases that are still to come. */
static uint64_t time_for(const struct pyr_session *s, const struct pyr_plan_case *one) {
    uint64_t now = pyr_now_ns(&s->clock), left = s->plan->case_count - one->record.index;
    uint64_t share = now < s->deadline_ns ? (s->deadline_ns - now) / left : 1;
    return share < one->level_time_ns ? share : one->level_time_ns;
}

/* A warm-up that eats the case's time leaves it a moment and no more; a duration that the user gave
 * is kept in any case. */
static uint64_t end_of(const struct pyr_session *s, const struct pyr_plan_case *one) {
    uint64_t end_ns = pyr_now_ns(&s->clock) + 2 * time_for(s, one);
    return s->options->duration_ns && end_ns > s->deadline_ns ? s->deadline_ns : end_ns;
}

static uint64_t drain_of(const struct pyr_session *s) {
    return s->options->drain_ns ? s->options->drain_ns : DRAIN_DEFAULT_S * PYR_NS_PER_S;
}

/* What went through between two instants. */
struct passed {
    uint64_t requests, events, busy_ns, last_ns;
};

/* What looks on while a case runs. */
struct watch {
    struct pyr_session *session;
    const struct pyr_plan_case *one;
    uint64_t output_tokens;
    struct passed warmup, measured;
    struct pyr_level_watch level; /* used where the case has one->watch */
};

static double quantile_ns(const struct pyr_hist *hist, double q) {
    return hist->count ? pyr_hist_at_rank(hist, (uint64_t)ceil(q * (double)hist->count)).value
                       : (double)NAN;
}

static void tell_live(const struct watch *watch, const struct pyr_load_live *live) {
    const struct pyr_session *s = watch->session;
    struct pyr_bench_progress now = {.suite = watch->one->record.suite,
                                     .case_id = watch->one->record.id,
                                     .case_index = watch->one->record.index,
                                     .case_count = (uint32_t)s->plan->case_count};
    now.case_share = live->done_share;
    now.elapsed_s = (double)(live->now_ns - s->started_ns) * 1e-9;
    double done = (now.case_index + live->done_share) / now.case_count;
    double limit = (double)(s->deadline_ns - s->started_ns) * 1e-9 - now.elapsed_s;
    now.remaining_s = done > 0.02 ? fmin(now.elapsed_s * (1 - done) / done, limit) : limit;
    if (live->phase == PYR_PHASE_DRAIN) {
        now.drain_s = (double)drain_of(s) * 1e-9;
        now.remaining_s = NAN; /* nobody knows when the last answers come */
    }
    if (watch->one->watch == PYR_WATCH_LEVEL)
        now.remaining_s = NAN; /* a search ends when it has found what it looks for */
    now.sent = live->sent;
    now.ok = live->outcomes[PYR_OUTCOME_OK];
    now.failed = live->ended - now.ok - live->outcomes[PYR_OUTCOME_CANCELLED];
    now.in_flight = live->in_flight;
    double measured_s = live->measured_start_ns && live->now_ns > live->measured_start_ns
                            ? (double)(live->now_ns - live->measured_start_ns) * 1e-9
                            : (double)NAN;
    now.requests_per_s = (double)live->measured_ended / measured_s;
    now.output_tokens_per_s = (double)live->output_tokens / measured_s;
    now.ttft_p50_ns = quantile_ns(live->ttft_ns, 0.5);
    now.latency_p50_ns = quantile_ns(live->latency_ns, 0.5);
    now.latency_p90_ns = quantile_ns(live->latency_ns, 0.9);
    s->progress(s->progress_context, &now);
}

static void on_live(void *context, const struct pyr_load_live *live) {
    struct watch *watch = context;
    if (watch->session->energy)
        pyr_energy_poll(watch->session->energy); /* a counter may wrap within a long case */
    if (watch->one->watch)
        pyr_level_watch_tick(&watch->level, live);
    if (watch->session->progress)
        tell_live(watch, live);
}

static void count_passed(struct passed *passed, const struct pyr_request *record) {
    if (record->sent_ns == 0 || record->closed_ns < record->sent_ns)
        return;
    passed->requests++;
    passed->events += record->chunks;
    passed->busy_ns += record->closed_ns - record->sent_ns;
    if (record->closed_ns > passed->last_ns)
        passed->last_ns = record->closed_ns;
}

static void on_ended(void *context, const struct pyr_slot *slot) {
    struct watch *watch = context;
    watch->output_tokens += pyr_request_tokens(&slot->record);
    count_passed(slot->record.phase == PYR_PHASE_WARMUP ? &watch->warmup : &watch->measured,
                 &slot->record);
    if (watch->one->watch)
        pyr_level_watch_ended(&watch->level, &slot->record);
}

static struct pyr_load_plan plan_load(struct pyr_session *s, const struct pyr_plan_case *one,
                                      struct watch *watch) {
    const struct pyr_bench_options *o = s->options;
    bool in_process = s->info.tokenises;
    struct pyr_load_plan plan = {
        .case_index = one->record.index,
        .first_ordinal = s->ordinals,
        .open_loop = one->record.open_loop,
        .concurrency = one->record.concurrency,
        .start = o->start_burst ? PYR_START_BURST : PYR_START_SPREAD,
        .think_ns = o->think_ns,
        .heed_retry_after = o->heed_retry_after,
        .arrivals = {.kind = s->plan->arrival,
                     .rate = one->record.rate,
                     .cv = o->arrival_cv,
                     .seed = case_seed(s, one),
                     .schedule_ns = s->plan->trace ? s->plan->trace->due_ns : NULL,
                     .schedule_count = s->plan->trace ? s->plan->trace->count : 0},
        .warmup_requests = one->warmup_requests,
        .warmup_ns = one->warmup_ns,
        .requests = one->requests,
        .duration_ns = time_for(s, one),
        .deadline_ns = end_of(s, one),
        .drain_ns = drain_of(s),
        .limits = {.connect_ns = o->timeout_connect_ns,
                   .first_token_ns = o->timeout_first_ns,
                   .between_tokens_ns = o->timeout_between_ns,
                   .total_ns = o->timeout_ns},
        /* Lengths are part of the case: an early end would make it another one. */
        .exact_output = true,
        .short_is_error = o->exact_output,
        .temperature = o->temperature,
        .cancel_share = o->cancel_share,
        .cancel_after_ns = o->cancel_after_ns,
        .seed = case_seed(s, one),
        .spin = !in_process ? s->cpus_allowed > 1 : s->info.threads < s->cpus_allowed,
        /* A closed loop has no schedule to keep, and would only take turns from the server. */
        .urgent = one->record.open_loop && s->cpus_allowed > 1,
        .stop = o->stop,
        .live = s->progress || one->watch || s->energy ? on_live : NULL,
        .live_context = watch,
        .ended = on_ended,
        .ended_context = watch,
        .enough = one->watch ? &watch->level.enough : NULL,
    };
    if (one->pattern && plan.open_loop)
        plan.arrivals.curve = &one->pattern->curve;
    else if (one->pattern)
        plan.concurrency_curve = &one->pattern->curve;
    return plan;
}

static struct pyr_workload *make_workload(struct pyr_session *s, const struct pyr_plan_case *one,
                                          uint32_t slots, struct pyr_err *err) {
    const struct pyr_bench_options *o = s->options;
    struct pyr_workload_options wanted = {.classes = one->prompt_class,
                                          .class_count = 1,
                                          .prompts_path =
                                              o->sessions ? o->sessions : o->prompts_path,
                                          .sessions = o->sessions != NULL,
                                          .strict = o->strict,
                                          .output_from_file = o->sessions && !o->output_tokens,
                                          .trace = s->plan->trace,
                                          .shared_prefix = s->options->shared_prefix,
                                          .requests = one->requests + one->warmup_requests,
                                          .max_in_flight = slots,
                                          .seed = case_seed(s, one)};
    struct pyr_workload *workload;
    if (!pyr_workload_create(&wanted, s->target, &workload, err))
        return NULL;
    struct pyr_workload_info info;
    pyr_workload_describe(workload, &info);
    if (o->sessions)
        pyr_session_warn(s, PYR_NO_CASE,
                         "sessions: a turn carries the earlier turns with the file's own answers, "
                         "not with what the target said");
    if (info.left_out.count && !s->warned_left_out) {
        s->warned_left_out = true;
        pyr_session_warn(s, PYR_NO_CASE,
                         "%llu entries of the prompts were left out (--strict refuses them), the "
                         "first: %s",
                         (unsigned long long)info.left_out.count, info.left_out.first);
    }
    if (info.asked_too_short)
        pyr_session_warn(s, one->record.index,
                         "prompts of %u tokens were asked for, but what the server puts around a "
                         "text has more: they have %u",
                         info.asked_too_short, info.shortest);
    if (s->plan->trace && info.estimated)
        pyr_session_warn(s, PYR_NO_CASE,
                         "trace: the target takes text, so that prompts have the recorded lengths "
                         "only about; what the server counted is in usage");
    return workload;
}

static void count_outcomes(struct pyr_session *s, const struct pyr_load_result *result,
                           uint32_t case_index) {
    for (int i = 0; i < PYR_OUTCOME_COUNT; i++) {
        if (i == PYR_OUTCOME_OK)
            s->ok += result->outcomes[i];
        else if (i != PYR_OUTCOME_CANCELLED)
            s->failed += result->outcomes[i];
        if (!result->first_error[i][0])
            continue;
        pyr_session_warn(s, case_index, "%s: %s", pyr_outcome_name((enum pyr_outcome)i),
                         result->first_error[i]);
        if (!s->first_failure[0])
            snprintf(s->first_failure, sizeof s->first_failure, "%s: %s",
                     pyr_outcome_name((enum pyr_outcome)i), result->first_error[i]);
    }
}

static void observe_once(struct pyr_session *s, enum pyr_metric metric, uint32_t index,
                         double value) {
    if (value > 0)
        pyr_lane_observe(pyr_session_lane(s), metric, index, 0, value);
}

/* Decoding cannot read more than the memory gives: then the probe was disturbed, and is asked
 * again.
 */
static void probe_again(struct pyr_session *s, const struct pyr_plan_case *one,
                        const struct passed *passed) {
    double per_s = (double)passed->events * 1e9 / (double)passed->busy_ns;
    if (one->record.concurrency != 1 || s->bandwidth <= 0 || !passed->busy_ns ||
        per_s * (double)s->info.bytes_per_token < PROBE_DOUBTFUL * s->bandwidth)
        return;
    uint64_t asked_ns = pyr_now_ns(&s->clock);
    double before = s->bandwidth;
    pyr_session_measure_bandwidth(s);
    if (s->bandwidth < before)
        s->bandwidth = before;
    s->deadline_ns += pyr_now_ns(&s->clock) - asked_ns;
}

static void observe_target(struct pyr_session *s, const struct pyr_plan_case *one) {
    uint32_t index = one->record.index;
    struct pyr_machine_limits machine;
    pyr_machine_limits(s->root, &machine);
    if (machine.memory_total_bytes && !s->info.virtual_time)
        observe_once(s, PYR_M_MEMORY_UTILIZATION, index,
                     1 - (double)machine.memory_available_bytes /
                             (double)machine.memory_total_bytes);
    observe_once(s, PYR_M_KV_MEMORY, index, (double)s->info.kv_bytes);
    observe_once(s, PYR_M_HARNESS_MEMORY, index, (double)s->harness_bytes);
    if (s->engine_bytes > s->harness_bytes)
        observe_once(s, PYR_M_ENGINE_MEMORY, index, (double)(s->engine_bytes - s->harness_bytes));
    observe_once(s, PYR_M_MEMORY_BANDWIDTH, index, s->bandwidth);
    observe_once(s, PYR_M_WEIGHT_BYTES_PER_TOKEN, index, (double)s->info.bytes_per_token);
}

/* The asked curve beside the achieved one, and the pattern's phases, as marks at their instants. */
static void mark_pattern(struct pyr_session *s, const struct pyr_plan_case *one,
                         const struct pyr_load_result *result) {
    const struct pyr_pattern *pattern = one->pattern;
    struct pyr_lane *lane = pyr_session_lane(s);
    uint32_t index = one->record.index;
    /* Of users the driver marks what it asked for itself, at the instants at which it did. */
    for (size_t i = 0; one->record.open_loop && i < pattern->curve.count; i++) {
        const struct pyr_curve_knot *knot = &pattern->curve.points[i];
        pyr_lane_mark_at(lane, PYR_MARK_ASKED_RATE, index, result->started_ns + knot->time_ns,
                         knot->value, "");
    }
    for (size_t i = 0; i < pattern->phase_count; i++) {
        const struct pyr_pattern_phase *phase = &pattern->phases[i];
        uint64_t start = result->started_ns + phase->start_ns;
        uint64_t end = result->started_ns + phase->end_ns;
        if (start >= result->measured_end_ns)
            break;
        if (end > result->measured_end_ns)
            end = result->measured_end_ns;
        double number = (double)(PYR_PHASE_OF_PATTERN + i);
        pyr_lane_mark_at(lane, PYR_MARK_PHASE_START, index, start, number, phase->name);
        pyr_lane_mark_at(lane, PYR_MARK_PHASE_END, index, end, number, phase->name);
    }
}

/* Joules since the session began; NaN without a counter. */
static double joules_now(const struct pyr_session *s) {
    if (!s->energy)
        return NAN;
    struct pyr_energy_reading reading;
    pyr_energy_poll(s->energy);
    pyr_energy_read(s->energy, &reading);
    return reading.joules;
}

/* Of the whole case, its warm-up included: the counter is the machine's and is read at the seams.
 */
static void observe_energy(struct pyr_session *s, const struct pyr_load_result *result,
                           uint64_t output_tokens, uint32_t index, double before) {
    double joules = joules_now(s) - before;
    observe_once(s, PYR_M_ENERGY, index, joules);
    if (output_tokens > 0 && result->outcomes[PYR_OUTCOME_OK] > 0)
        observe_once(s, PYR_M_ENERGY_PER_TOKEN, index, joules / (double)output_tokens);
}

/* Why a level did not take all of its time. */
static void mark_level(struct pyr_session *s, const struct watch *watch,
                       const struct pyr_load_result *result) {
    if (result->end == PYR_LOAD_ENDED_ENOUGH)
        pyr_lane_mark_at(
            pyr_session_lane(s),
            watch->level.verdict == PYR_WATCH_SATURATED ? PYR_MARK_SATURATED : PYR_MARK_DECIDED,
            watch->one->record.index, result->measured_end_ns,
            (double)(result->measured_end_ns - result->measured_start_ns), watch->level.why);
}

/* Of a server that was launched for the run: with the first case, since nothing else names it. */
static void observe_ready(const struct pyr_session *s, const struct pyr_case *record) {
    if (record->index == 0 && s->info.spawn_ns && strcmp(s->info.kind, "http") == 0)
        pyr_lane_observe(pyr_session_lane(s), PYR_M_READY_TIME, record->index, 0,
                         (double)s->info.spawn_ns);
}

static struct pyr_session_load load_of(const struct passed *passed, uint64_t from_ns) {
    if (passed->last_ns <= from_ns)
        return (struct pyr_session_load){0};
    double span_ns = (double)(passed->last_ns - from_ns);
    return (struct pyr_session_load){.streams = (double)passed->busy_ns / span_ns,
                                     .events_per_s = (double)passed->events * 1e9 / span_ns,
                                     .requests_per_s = (double)passed->requests * 1e9 / span_ns};
}

/* For the calibration. */
static void note_load(struct pyr_session *s, const struct watch *watch,
                      const struct pyr_load_result *result) {
    struct pyr_session_load measured = load_of(&watch->measured, result->measured_start_ns);
    if (s->warmup.events_per_s <= 0)
        s->warmup = load_of(&watch->warmup, result->started_ns);
    if (measured.streams > s->highest.streams)
        s->highest = measured;
}

static bool run_case(struct pyr_session *s, struct pyr_load *load, const struct pyr_plan_case *one,
                     uint32_t slots, struct pyr_err *err) {
    struct pyr_case record = one->record;
    record.simulated = s->info.simulated;
    record.requests_cap = one->requests < UINT32_MAX ? (uint32_t)one->requests : 0;
    pyr_session_record_case(s, &record);
    observe_ready(s, &record);
    if (s->sampler)
        pyr_sampler_set_case(s->sampler, record.index);
    uint64_t asked_ns = pyr_now_ns(&s->clock);
    struct pyr_workload *workload = make_workload(s, one, slots, err);
    if (!workload)
        return false;
    s->deadline_ns += pyr_now_ns(&s->clock) - asked_ns; /* making prompts is none of the run */
    struct watch watch = {.session = s, .one = one};
    struct pyr_load_plan plan = plan_load(s, one, &watch);
    struct pyr_load_result result;
    if (one->watch)
        pyr_level_watch_init(&watch.level, &one->record, s->plan->goals, s->plan->goal_count,
                             one->watch == PYR_WATCH_SATURATION, plan.duration_ns);
    double joules = joules_now(s);
    bool ok = pyr_load_run(load, &plan, workload, &result, err);
    observe_energy(s, &result, watch.output_tokens, record.index, joules);
    mark_level(s, &watch, &result);
    note_load(s, &watch, &result);
    pyr_workload_destroy(workload);
    if (s->sampler)
        pyr_sampler_set_case(s->sampler, PYR_NO_CASE);
    s->ordinals += result.records;
    if (one->pattern)
        mark_pattern(s, one, &result);
    if (result.end == PYR_LOAD_ENDED_SIGNAL)
        s->signal = result.signal;
    count_outcomes(s, &result, record.index);
    probe_again(s, one, &watch.measured);
    observe_target(s, one);
    if (ok &&
        result.outcomes[PYR_OUTCOME_WORKER]) /* whatever else the plan holds, it has no engine */
        return pyr_fail(err, PYR_E_ENGINE, "%s", result.first_error[PYR_OUTCOME_WORKER]);
    if (result.end == PYR_LOAD_ENDED_RECORDER) {
        const struct pyr_err *cause = pyr_recorder_error(s->recorder);
        return pyr_fail(err, cause ? cause->code : PYR_E_IO, "%s",
                        cause ? cause->text : "the run file cannot be written");
    }
    return ok;
}

/* The prompts that a context cannot hold are a case that this model cannot run. */
static bool is_out_of_time(struct pyr_session *s, const struct pyr_plan_case *one) {
    if (pyr_now_ns(&s->clock) < s->deadline_ns)
        return false;
    pyr_session_record_case(s, &one->record);
    pyr_session_warn(s, one->record.index,
                     "skipped: the run's time was over; --duration gives it more");
    return true;
}

static bool fits(struct pyr_session *s, const struct pyr_plan_case *one) {
    uint32_t need = pyr_workload_longest(one->prompt_class, 1);
    if (s->options->prompts_path || s->options->sessions || s->plan->trace ||
        s->info.tokens_per_sequence == 0 || need <= s->info.tokens_per_sequence)
        return true;
    pyr_session_record_case(s, &one->record);
    pyr_session_warn(s, one->record.index, "skipped: it needs %u tokens, a sequence holds %u", need,
                     s->info.tokens_per_sequence);
    return false;
}

void pyr_cases_run(struct pyr_session *s, size_t first, size_t last) {
    uint32_t slots = 1, likely = 1;
    for (size_t i = first; i < last; i++) {
        if (slots_of(&s->plan->cases[i]) > slots)
            slots = slots_of(&s->plan->cases[i]);
        if (likely_of(&s->plan->cases[i]) > likely)
            likely = likely_of(&s->plan->cases[i]);
    }
    struct pyr_load_config config = {
        .target = s->target,
        .max_in_flight = slots,
        .likely_in_flight = likely,
        .recorder = s->recorder,
        .lane = pyr_recorder_lane(s->recorder, PYR_LANE_LOAD),
        .engine_lane = pyr_recorder_lane(s->recorder, PYR_LANE_ENGINE),
        .virtual_now_ns = s->info.virtual_time ? &s->virtual_now_ns : NULL,
    };
    struct pyr_load *load;
    if (!pyr_load_open(&config, &load, &s->broken))
        return;
    s->target->ops->describe(s->target, &s->info);
    bool ok = true;
    for (size_t i = first; ok && i < last && !pyr_session_stopped(s); i++) {
        if (is_out_of_time(s, &s->plan->cases[i]) || !fits(s, &s->plan->cases[i]))
            continue;
        ok = run_case(s, load, &s->plan->cases[i], slots, &s->broken);
    }
    pyr_load_close(load);
}
