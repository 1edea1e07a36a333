/* SPDX-License-Identifier: MIT */
#include "calibrate/calibrate.h"

#include "base/mem.h"
#include "calibrate/schedule_child.h"
#include "load/driver.h"
#include "load/workload.h"
#include "record/runfile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    PROMPT_TOKENS = 8,   /* of the class; the texts are as long as they are */
    OBSERVED_MAX = 4000, /* of each error in the run file: a p99.9 has an interval from 3688 on */
    /* Of the pass for the CPU time an event: thousands of events within a second. */
    PLAIN_STREAMS_LEAST = 200,
    PLAIN_TOKENS = 20,
    ENGINE_TOKENS = 128 /* a sequence of the null engine: a prompt's bytes and the answer */
};
static const double plain_rate_least = 50;
#define DRAIN_NS (10 * PYR_NS_PER_S)
#define TTFT_S 0.005 /* what the server takes for a prompt: longer than a send */

/* One pass: its run file, and the part of the log that it is in. */
struct pass {
    struct pyr_arena *arena;
    const struct pyr_calibrate_options *options;
    struct pyr_schedule_child *child;
    bool paced;
    uint32_t tokens; /* of each stream */
    char run_path[192];
    struct pyr_load_result result;
    double cpu_ns;
    uint64_t log_from, log_to; /* records */
};

/* --- driving --------------------------------------------------------------------------------- */

static double cpu_now_ns(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return ((double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec) * 1e9 +
           ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) * 1e3;
}

/* As many as a small limit of open files allows beside what else is open. */
static uint32_t plain_streams(const struct pyr_calibrate_options *options) {
    struct rlimit files;
    rlim_t least = PLAIN_STREAMS_LEAST;
    if (!options->in_process && getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max / 4 < least)
        least = files.rlim_max / 4;
    return options->streams < least ? (uint32_t)least : options->streams;
}

static struct pyr_load_plan plan_of(const struct pass *pass) {
    const struct pyr_calibrate_options *o = pass->options;
    double stream_s = o->tokens / o->tokens_per_s;
    struct pyr_load_plan plan = {.concurrency = plain_streams(o),
                                 .drain_ns = DRAIN_NS,
                                 .exact_output = true,
                                 .seed = 1,
                                 .stop = o->stop,
                                 .live = o->live,
                                 .live_context = o->live_context};
    if (!pass->paced) {
        plan.requests = plan.concurrency;
        return plan;
    }
    double rate = o->streams / stream_s, longest_s = TTFT_S + stream_s;
    plan.open_loop = true;
    /* Room above the average: one that is late must not hold up the schedule. */
    plan.concurrency = (uint32_t)(1.25 * rate * longest_s) + 8;
    plan.arrivals =
        (struct pyr_arrival_options){.kind = &pyr_arrival_constant, .rate = rate, .seed = 1};
    plan.warmup_ns = (uint64_t)(stream_s * 1e9);
    plan.duration_ns = o->duration_ns;
    plan.spin = o->spin;
    plan.urgent = o->urgent;
    return plan;
}

static uint64_t requests_of(const struct pyr_load_plan *plan) {
    double seconds = (double)(plan->warmup_ns + plan->duration_ns) * 1e-9;
    return plan->requests ? plan->requests : (uint64_t)(plan->arrivals.rate * seconds) + 1;
}

/* Each prompt is unique, and its hash is that of its text: by it the server's records are found. */
static const char *const *make_prompts(struct pyr_arena *arena, const struct pass *pass,
                                       uint64_t count) {
    const char **texts = pyr_arena_array(arena, count, sizeof *texts);
    char plan[64] = "";
    if (!pass->paced && pass->options->tokens_per_s < plain_rate_least)
        snprintf(plan, sizeof plan, "plan:itl=%.0fns;", 1e9 / plain_rate_least);
    for (uint64_t i = 0; i < count; i++)
        texts[i] = pyr_arena_printf(arena, "%s%s prompt number %llu of a calibration", plan,
                                    pass->paced ? "paced" : "plain", (unsigned long long)i);
    return texts;
}

static bool drive(struct pass *pass, struct pyr_target *target, struct pyr_recorder *recorder,
                  struct pyr_err *err) {
    struct pyr_load_plan plan = plan_of(pass);
    uint64_t requests = requests_of(&plan);
    const struct pyr_prompt_class class = {"calibrate", pyr_length_fixed(PROMPT_TOKENS),
                                           pyr_length_fixed(pass->tokens), 1};
    const struct pyr_workload_options wanted = {.classes = &class,
                                                .class_count = 1,
                                                .texts = make_prompts(pass->arena, pass, requests),
                                                .text_count = requests,
                                                .requests = requests,
                                                .max_in_flight = plan.concurrency,
                                                .seed = 1};
    const struct pyr_load_config config = {.target = target,
                                           .max_in_flight = plan.concurrency,
                                           .recorder = recorder,
                                           .lane = pyr_recorder_lane(recorder, 0),
                                           .engine_lane = pyr_recorder_lane(recorder, 1)};
    struct pyr_workload *workload;
    struct pyr_load *load;
    if (!pyr_workload_create(&wanted, target, &workload, err))
        return false;
    bool ok = pyr_load_open(&config, &load, err);
    if (ok) {
        const struct pyr_case record = {.concurrency = plan.concurrency,
                                        .open_loop = plan.open_loop,
                                        .rate = plan.arrivals.rate,
                                        .suite = PYR_CALIBRATION_SUITE,
                                        .id = "pass"};
        pyr_lane_case(config.lane, &record);
        pass->cpu_ns = cpu_now_ns();
        ok = pyr_load_run(load, &plan, workload, &pass->result, err);
        pass->cpu_ns = cpu_now_ns() - pass->cpu_ns;
        pyr_load_close(load);
    }
    pyr_workload_destroy(workload);
    return ok;
}

static uint64_t logged(const struct pyr_schedule_child *child) {
    return child->log ? atomic_load(&child->log->count) : 0;
}

static bool run_pass(struct pass *pass, struct pyr_target *target, struct pyr_err *err) {
    static const struct pyr_clock real = {0};
    struct pyr_recorder *recorder;
    snprintf(pass->run_path, sizeof pass->run_path, "%s/%s", pass->child->dir,
             pass->paced ? "paced.pyr" : "plain.pyr");
    const struct pyr_recorder_config config = {
        .path = pass->run_path, .lanes = 2, .meta_json = "{}"};
    if (!pyr_recorder_open(&config, &real, &recorder, err))
        return false;
    pass->log_from = logged(pass->child);
    bool ok = drive(pass, target, recorder, err);
    pass->log_to = logged(pass->child);
    return pyr_recorder_close(recorder, ok ? err : NULL) && ok;
}

/* --- what the server did --------------------------------------------------------------------- */

struct sends {
    struct pyr_schedule_record *list; /* by prompt and token */
    size_t count;
};

static int by_prompt(const void *a, const void *b) {
    const struct pyr_schedule_record *x = a, *y = b;
    if (x->prompt_hash != y->prompt_hash)
        return x->prompt_hash < y->prompt_hash ? -1 : 1;
    return (x->token > y->token) - (x->token < y->token);
}

static struct sends sort_sends(const struct pass *pass) {
    struct sends sends = {.count = (size_t)(pass->log_to - pass->log_from)};
    sends.list = pyr_xcalloc(sends.count + 1, sizeof *sends.list);
    if (sends.count > 0)
        memcpy(sends.list, pass->child->log->records + pass->log_from,
               sends.count * sizeof *sends.list);
    qsort(sends.list, sends.count, sizeof *sends.list, by_prompt);
    return sends;
}

/* When that token was truly sent; 0 unknown. */
static uint64_t sent_ns(const struct sends *sends, uint64_t prompt_hash, uint32_t token) {
    const struct pyr_schedule_record key = {.prompt_hash = prompt_hash, .token = token};
    const struct pyr_schedule_record *found =
        bsearch(&key, sends->list, sends->count, sizeof key, by_prompt);
    return found ? found->sent_ns : 0;
}

/* --- what we recorded ------------------------------------------------------------------------ */

/* Where a request's chain of chunks stands. */
struct chain {
    uint64_t at_ns, true_ns; /* of its last token, by our clock and truly; 0: none yet */
    uint64_t gap_ns;         /* since then */
    uint32_t tokens;         /* seen */
    uint32_t more;           /* tokens of this chunk so far */
    uint32_t lag_ns;         /* of the chunk before; PYR_LAG_UNKNOWN */
};

struct analysis {
    struct pyr_calibration *out;
    bool in_process; /* no sends to compare with */
    struct sends sends;
    uint64_t tokens;              /* of the requests that count */
    struct pyr_request *requests; /* by ordinal */
    struct chain *chains;
    size_t count;
    uint64_t chunks, coalesced;
};

static void add(struct pyr_errors *errors, double ns) {
    errors->ns[errors->count++] = ns;
}

/* A chunk of `k` tokens counts as k gaps of the same length, as the report counts it. False when
 * the server knows nothing of its last token. */
static bool take_gaps(struct analysis *a, const struct pyr_request *request, struct chain *chain) {
    uint64_t sent = 0;
    for (uint32_t i = 0; i < chain->more; i++) {
        sent = sent_ns(&a->sends, request->prompt_hash, chain->tokens + i);
        double gap = (double)chain->gap_ns / chain->more;
        if (sent == 0) {
            a->out->unmatched++;
            continue;
        }
        if (chain->true_ns)
            add(&a->out->itl, fabs(gap - (double)(sent - chain->true_ns)));
        chain->true_ns = sent;
    }
    return sent != 0;
}

static void take_chunk(struct analysis *a, const struct pyr_chunk *chunk) {
    if (chunk->ordinal >= a->count || a->requests[chunk->ordinal].phase != PYR_PHASE_MEASURED)
        return;
    const struct pyr_request *request = &a->requests[chunk->ordinal];
    struct chain *chain = &a->chains[chunk->ordinal];
    if (chain->at_ns == 0)
        chain->at_ns = request->sent_ns;
    chain->at_ns += chunk->gap_ns;
    chain->gap_ns += chunk->gap_ns;
    chain->more += chunk->tokens;
    if (chunk->bytes_bits & PYR_CHUNK_CARRY)
        return;
    /* As the report: by the kernel's stamps where both have one. */
    if (chain->tokens && chain->lag_ns != PYR_LAG_UNKNOWN && chunk->lag_ns != PYR_LAG_UNKNOWN) {
        uint64_t from_previous = chain->gap_ns + chain->lag_ns;
        chain->gap_ns = from_previous > chunk->lag_ns ? from_previous - chunk->lag_ns : 0;
    }
    chain->lag_ns = chunk->lag_ns;
    bool matched = take_gaps(a, request, chain);
    a->chunks++;
    a->coalesced += chunk->bound_code != 0;
    if (chunk->bound_code == 0 && matched) {
        double late = (double)chain->at_ns - (double)chain->true_ns;
        add(&a->out->user, late);
        if (chunk->lag_ns != PYR_LAG_UNKNOWN)
            add(&a->out->kernel, late - chunk->lag_ns);
    }
    chain->tokens += chain->more;
    chain->more = 0;
    chain->gap_ns = 0;
}

static void take_requests(struct analysis *a, const struct pyr_request *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct pyr_request *r = &list[i];
        if (r->ordinal >= a->count || r->outcome != PYR_OUTCOME_OK)
            continue;
        a->requests[r->ordinal] = *r;
        if (r->phase != PYR_PHASE_MEASURED)
            continue;
        a->tokens += pyr_request_tokens(r);
        uint64_t sent = sent_ns(&a->sends, r->prompt_hash, 0);
        if (sent)
            add(&a->out->ttft, (double)r->first_content_ns - (double)sent);
        if (!(r->flags & PYR_REQUEST_WAITED))
            add(&a->out->pacing, (double)(r->dispatched_ns - r->scheduled_ns));
    }
}

/* Requests first: a chunk is of a request whose record comes later. */
static bool read_pass(struct analysis *a, const struct pass *pass, struct pyr_err *err) {
    struct pyr_runfile *file;
    struct pyr_block block;
    if (!pyr_runfile_open(pass->run_path, &file, err))
        return false;
    while (pyr_runfile_next(file, &block))
        if (block.type == PYR_BLOCK_REQUESTS)
            take_requests(a, block.items, block.count);
    pyr_runfile_rewind(file);
    while (!a->in_process && pyr_runfile_next(file, &block))
        for (size_t i = 0; block.type == PYR_BLOCK_CHUNKS && i < block.count; i++)
            take_chunk(a, (const struct pyr_chunk *)block.items + i);
    pyr_runfile_close(file);
    return true;
}

/* Sent truly within the measured phase; in process, where none was sent, as tokens of requests. */
static double events_per_s(const struct analysis *a, const struct pyr_load_result *result) {
    uint64_t from_ns = result->measured_start_ns, to_ns = result->measured_end_ns, events = 0;
    if (to_ns <= from_ns)
        return NAN;
    for (size_t i = 0; i < a->sends.count; i++)
        events += a->sends.list[i].sent_ns >= from_ns && a->sends.list[i].sent_ns < to_ns;
    return (double)(a->in_process ? a->tokens : events) * 1e9 / (double)(to_ns - from_ns);
}

static bool analyse(struct pyr_arena *arena, const struct pass *pass, struct pyr_calibration *out,
                    struct pyr_err *err) {
    struct analysis a = {.out = out,
                         .in_process = pass->options->in_process,
                         .sends = sort_sends(pass),
                         .count = pass->result.records};
    a.requests = pyr_xcalloc(a.count + 1, sizeof *a.requests);
    a.chains = pyr_xcalloc(a.count + 1, sizeof *a.chains);
    /* Those that did not go well stay without a phase that counts. */
    for (size_t i = 0; i < a.count; i++)
        a.requests[i].phase = PYR_PHASE_COUNT;
    struct pyr_errors *const by_request[] = {&out->ttft, &out->pacing};
    struct pyr_errors *const by_token[] = {&out->itl, &out->user, &out->kernel};
    for (size_t i = 0; i < sizeof by_request / sizeof *by_request; i++)
        by_request[i]->ns = pyr_arena_array(arena, a.count, sizeof(double));
    for (size_t i = 0; i < sizeof by_token / sizeof *by_token; i++)
        by_token[i]->ns = pyr_arena_array(arena, a.sends.count, sizeof(double));
    bool ok = read_pass(&a, pass, err);
    out->coalesced_share = a.chunks ? (double)a.coalesced / (double)a.chunks : (double)NAN;
    out->events_per_s = events_per_s(&a, &pass->result);
    pyr_free(a.chains);
    pyr_free(a.requests);
    pyr_free(a.sends.list);
    return ok;
}

/* --- the whole ------------------------------------------------------------------------------- */

static const char *first_error(const struct pyr_load_result *result) {
    for (int i = 0; i < PYR_OUTCOME_COUNT; i++)
        if (result->first_error[i][0])
            return result->first_error[i];
    return "none says why";
}

static bool open_target(const struct pyr_calibrate_options *options,
                        const struct pyr_schedule_child *child, struct pyr_target **target,
                        struct pyr_err *err) {
    const struct pyr_option no_probe = {"probe", "off"};
    const struct pyr_target_config server = {.spec = child->url,
                                             .model = "scheduled",
                                             .options = &no_probe,
                                             .option_count = 1,
                                             .seed = 1};
    const struct pyr_target_config engine = {.spec = "null:",
                                             .threads = 1,
                                             .sequences = plain_streams(options),
                                             .tokens_per_sequence = ENGINE_TOKENS,
                                             .seed = 1};
    return pyr_target_open(options->in_process ? &engine : &server, false, target, err);
}

static bool run_passes(struct pyr_arena *arena, const struct pyr_calibrate_options *options,
                       struct pyr_schedule_child *child, struct pyr_calibration *out,
                       struct pyr_err *err) {
    struct pass paced = {.arena = arena,
                         .options = options,
                         .child = child,
                         .paced = true,
                         .tokens = options->tokens};
    struct pass plain = {
        .arena = arena, .options = options, .child = child, .tokens = PLAIN_TOKENS};
    struct pyr_target *target;
    if (!open_target(options, child, &target, err))
        return false;
    bool ok = run_pass(&paced, target, err) && run_pass(&plain, target, err);
    target->ops->close(target);
    if (!ok || !analyse(arena, &paced, out, err))
        return false;
    out->requests = (uint64_t)paced.result.records + plain.result.records;
    out->failed = out->requests - paced.result.outcomes[PYR_OUTCOME_OK] -
                  plain.result.outcomes[PYR_OUTCOME_OK];
    uint64_t plain_events = (uint64_t)plain.result.outcomes[PYR_OUTCOME_OK] * PLAIN_TOKENS;
    out->events = plain_events + (uint64_t)paced.result.outcomes[PYR_OUTCOME_OK] * paced.tokens;
    out->cpu_ns_per_event = plain_events ? plain.cpu_ns / (double)plain_events : (double)NAN;
    out->urgent = paced.result.urgent;
    if (paced.result.signal || plain.result.signal)
        return pyr_fail(err, PYR_E_INTERRUPTED, "calibration: ended by a signal");
    return out->ttft.count > 0 || (options->in_process && out->pacing.count > 0) ||
           pyr_fail(err, PYR_E_INVALID, "calibration: none of %llu requests went well; %s",
                    (unsigned long long)out->requests, first_error(&paced.result));
}

bool pyr_calibrate_run(struct pyr_arena *arena, const struct pyr_calibrate_options *options,
                       struct pyr_calibration *out, struct pyr_err *err) {
    struct pyr_schedule_child child;
    char plan[128];
    double stream_s = options->tokens / options->tokens_per_s;
    double paced = (options->streams + 2) * (2 + (double)options->duration_ns * 1e-9 / stream_s);
    double records = paced * options->tokens + (double)plain_streams(options) * PLAIN_TOKENS;
    uint64_t began_ns = pyr_clock_real_ns();
    *out = (struct pyr_calibration){0};
    snprintf(plan, sizeof plan, "ttft=%.0fns,itl=%.0fns,batch=%d", TTFT_S * 1e9,
             1e9 / options->tokens_per_s, !options->uniform);
    const struct pyr_schedule_child_options wanted = {.program = options->program,
                                                      .plan = plan,
                                                      .log_records = (uint64_t)records + 1000,
                                                      .unix_socket = options->unix_socket};
    if (!(options->in_process ? pyr_schedule_child_none(&child, err)
                              : pyr_schedule_child_start(&wanted, &child, err)))
        return false;
    bool ok = run_passes(arena, options, &child, out, err);
    pyr_schedule_child_release(&child);
    out->seconds = (double)(pyr_clock_real_ns() - began_ns) * 1e-9;
    return ok;
}

/* --- into a run file ------------------------------------------------------------------------- */

/* Evenly thinned, so that no part of the run is left out. */
static void observe_errors(struct pyr_lane *lane, enum pyr_metric metric, uint32_t index,
                           const struct pyr_errors *errors) {
    size_t step = errors->count / OBSERVED_MAX + 1;
    for (size_t i = 0; i < errors->count; i += step)
        pyr_lane_observe(lane, metric, index, (uint32_t)(i / step), errors->ns[i]);
}

static void record_case(const char *level, uint32_t index,
                        const struct pyr_calibrate_options *options, const char *params,
                        struct pyr_lane *lane) {
    struct pyr_case record = {.index = index, .open_loop = true, .arrival = "constant"};
    if (options) {
        record.concurrency = options->streams;
        record.rate = options->streams * options->tokens_per_s / options->tokens;
    }
    snprintf(record.suite, sizeof record.suite, PYR_CALIBRATION_SUITE);
    snprintf(record.id, sizeof record.id, "%s", level);
    snprintf(record.params, sizeof record.params, "%s", params);
    pyr_lane_case(lane, &record);
}

void pyr_calibrate_record(const struct pyr_calibrate_options *options,
                          const struct pyr_calibration *seen, const char *level, uint32_t index,
                          struct pyr_lane *lane) {
    char params[512];
    snprintf(params, sizeof params,
             "events_per_second=%.6g;tokens_per_request=%u;steps=%s;transport=%s;requests=%llu;"
             "failed=%llu;unmatched=%llu;seconds=%.3g;priority=%s%s%s",
             options->streams * options->tokens_per_s, options->tokens,
             options->uniform ? "apart" : "together",
             options->in_process    ? "none"
             : options->unix_socket ? "unix socket"
                                    : "loopback TCP",
             (unsigned long long)seen->requests, (unsigned long long)seen->failed,
             (unsigned long long)seen->unmatched, seen->seconds,
             seen->urgent ? "real-time" : "ordinary", options->lacks ? ";lacks=" : "",
             options->lacks ? options->lacks : "");
    record_case(level, index, options, params, lane);
    observe_errors(lane, PYR_M_TTFT_ERROR, index, &seen->ttft);
    observe_errors(lane, PYR_M_ITL_ERROR, index, &seen->itl);
    observe_errors(lane, PYR_M_ARRIVAL_ERROR, index, &seen->kernel);
    observe_errors(lane, PYR_M_ARRIVAL_ERROR_USER, index, &seen->user);
    observe_errors(lane, PYR_M_PACING_LATENESS, index, &seen->pacing);
    const struct {
        enum pyr_metric metric;
        double value;
    } single[] = {{PYR_M_COALESCED_SHARE, seen->coalesced_share},
                  {PYR_M_EVENT_RATE, seen->events_per_s},
                  {PYR_M_CPU_PER_EVENT, seen->cpu_ns_per_event},
                  {PYR_M_EVENTS_PER_CORE, 1e9 / seen->cpu_ns_per_event}};
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        if (isfinite(single[i].value))
            pyr_lane_observe(lane, single[i].metric, index, 0, single[i].value);
}

void pyr_calibrate_record_missing(const struct pyr_calibrate_options *options, const char *level,
                                  const char *why, uint32_t index, struct pyr_lane *lane) {
    record_case(level, index, options, "", lane);
    pyr_lane_mark(lane, PYR_MARK_WARNING, index, 0, why);
}

/* --- several loads --------------------------------------------------------------------------- */

/* What came of one load: figures, or why there are none. */
struct level {
    bool there;
    struct pyr_calibration seen;
    struct pyr_err err;
};

static bool write_levels(const struct pyr_calibrate_options *options, const struct level *levels,
                         size_t count, const char *path, struct pyr_err *err) {
    static const struct pyr_clock real = {0};
    const struct pyr_recorder_config config = {
        .path = path, .lanes = 1, .inline_writer = true, .meta_json = "{}"};
    struct pyr_recorder *recorder;
    if (!pyr_recorder_open(&config, &real, &recorder, err))
        return false;
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    for (uint32_t i = 0; i < count; i++)
        if (levels[i].there)
            pyr_calibrate_record(&options[i], &levels[i].seen, "", i, lane);
        else
            pyr_calibrate_record_missing(&options[i], "", levels[i].err.text, i, lane);
    return pyr_recorder_close(recorder, err);
}

/* The run file is there for as long as it is read. */
static bool make_result(const struct pyr_calibrate_options *options, const struct level *levels,
                        size_t count, struct pyr_result **result, struct pyr_err *err) {
    struct pyr_schedule_child folder;
    char path[160];
    if (!pyr_schedule_child_none(&folder, err))
        return false;
    snprintf(path, sizeof path, "%s/run.pyr", folder.dir);
    bool ok = write_levels(options, levels, count, path, err) && pyr_result_make(path, result, err);
    pyr_schedule_child_release(&folder);
    return ok;
}

bool pyr_calibrate_levels(const struct pyr_calibrate_options *options, size_t count,
                          void (*tell)(void *context, const struct pyr_calibrate_options *level),
                          void *context, struct pyr_result **result, struct pyr_err *err) {
    struct pyr_arena *arena = pyr_arena_create();
    struct level *levels = pyr_arena_array(arena, count, sizeof *levels);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        if (tell)
            tell(context, &options[i]);
        levels[i].there = pyr_calibrate_run(arena, &options[i], &levels[i].seen, &levels[i].err);
        if (options[i].stop && *options[i].stop)
            ok = pyr_fail(err, PYR_E_INTERRUPTED, "calibration: ended by a signal");
    }
    ok = ok && make_result(options, levels, count, result, err);
    pyr_arena_destroy(arena);
    return ok;
}
