/* SPDX-License-Identifier: MIT
 *
 * The driver in virtual time against a target of set law: every number below follows from the law.
 */
#include "support/fake_target.h"
#include "support/support.h"

#include "base/mem.h"
#include "load/driver.h"
#include "record/runfile.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS PYR_NS_PER_MS
#define S PYR_NS_PER_S

enum { REQUESTS_MAX = 200000, MARKS_MAX = 2000 };

/* One case: fill law, plan and class, call run_case, look at the rest. */
struct bench {
    struct pyr_fake_law law;
    struct pyr_load_plan plan;
    struct pyr_prompt_class class;
    uint32_t max_in_flight;
    bool must_fail;

    uint64_t now_ns;
    struct pyr_fake_target target;
    struct pyr_load_result result;
    struct pyr_workload_info prompts;
    struct pyr_err err;
    struct pyr_request *requests;
    size_t count;
    struct pyr_mark *marks;
    size_t mark_count;
    uint64_t chunks;
};

static void begin(struct bench *bench) {
    *bench = (struct bench){
        .law = {.service_ns = 5 * MS},
        .class = {.name = "test",
                  .prompt_tokens = pyr_length_fixed(20),
                  .output_tokens = pyr_length_fixed(4)},
        .max_in_flight = 64,
        .now_ns = 1000 * S, /* not 0, as on a machine that has been up */
    };
    bench->plan.drain_ns = 60 * S;
    bench->plan.seed = 1;
    bench->requests = pyr_xcalloc(REQUESTS_MAX, sizeof *bench->requests);
    bench->marks = pyr_xcalloc(MARKS_MAX, sizeof *bench->marks);
}

static void end(struct bench *bench) {
    pyr_free(bench->requests);
    pyr_free(bench->marks);
}

static void open_loop(struct bench *bench, const char *kind, double rate) {
    bench->plan.open_loop = true;
    bench->plan.arrivals.kind = pyr_arrival_kind_find(kind);
    bench->plan.arrivals.rate = rate;
    bench->plan.arrivals.seed = 3;
}

static void read_back(struct bench *bench, const char *path) {
    struct pyr_runfile *file;
    struct pyr_block block;
    assert_ok(bench->err, pyr_runfile_open(path, &file, &bench->err));
    while (pyr_runfile_next(file, &block)) {
        if (block.type == PYR_BLOCK_REQUESTS) {
            assert_true(bench->count + block.count <= REQUESTS_MAX);
            memcpy(bench->requests + bench->count, block.items,
                   block.count * sizeof *bench->requests);
            bench->count += block.count;
        } else if (block.type == PYR_BLOCK_MARKS) {
            assert_true(bench->mark_count + block.count <= MARKS_MAX);
            memcpy(bench->marks + bench->mark_count, block.items,
                   block.count * sizeof *bench->marks);
            bench->mark_count += block.count;
        } else if (block.type == PYR_BLOCK_CHUNKS) {
            bench->chunks += block.count;
        }
    }
    assert_null(pyr_runfile_partial(file));
    pyr_runfile_close(file);
}

/* The memory that a broken target may still write to is never freed; it is held here so that it
 * does not count as lost. */
static struct pyr_load *volatile kept;

static void run_case(struct bench *bench) {
    char dir[256], path[300];
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/run.pyr", dir);
    const struct pyr_clock clock = {&bench->now_ns};
    const struct pyr_recorder_config record = {.path = path, .lanes = 1, .inline_writer = true};
    struct pyr_recorder *recorder;
    assert_ok(bench->err, pyr_recorder_open(&record, &clock, &recorder, &bench->err));
    pyr_fake_target_init(&bench->target, bench->law, &bench->now_ns);
    const struct pyr_load_config config = {
        .target = &bench->target.base,
        .max_in_flight = bench->max_in_flight,
        .recorder = recorder,
        .lane = pyr_recorder_lane(recorder, 0),
        .virtual_now_ns = &bench->now_ns,
    };
    const struct pyr_workload_options options = {
        .classes = &bench->class,
        .class_count = 1,
        .max_in_flight = bench->max_in_flight,
        .seed = bench->plan.seed,
    };
    struct pyr_load *load;
    struct pyr_workload *workload;
    assert_ok(bench->err, pyr_load_open(&config, &load, &bench->err));
    assert_ok(bench->err,
              pyr_workload_create(&options, &bench->target.base, &workload, &bench->err));
    bool ok = pyr_load_run(load, &bench->plan, workload, &bench->result, &bench->err);
    pyr_workload_describe(workload, &bench->prompts);
    pyr_workload_destroy(workload);
    if (bench->must_fail) {
        assert_false(ok);
        kept = load;
        pyr_load_close(load);
        assert_true(bench->target.attached);
        pyr_recorder_close(recorder, NULL);
        unlink(path);
        rmdir(dir);
        return;
    }
    if (!ok)
        fail_msg("%s", bench->err.text);
    pyr_load_close(load);
    assert_false(bench->target.attached);
    assert_ok(bench->err, pyr_recorder_close(recorder, &bench->err));
    read_back(bench, path);
    assert_int_equal(bench->count, bench->result.records);
    unlink(path);
    rmdir(dir);
}

static const struct pyr_mark *find_mark(const struct bench *bench, enum pyr_mark_kind kind,
                                        double value) {
    for (size_t i = 0; i < bench->mark_count; i++)
        if (bench->marks[i].kind == kind && bench->marks[i].value == value)
            return &bench->marks[i];
    return NULL;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Quantile of latency in ms, from schedule or from sent. */
static double latency_ms(const struct bench *bench, double q, bool from_sent) {
    double *values = pyr_xcalloc(bench->count, sizeof *values);
    size_t n = 0;
    for (size_t i = 0; i < bench->count; i++) {
        const struct pyr_request *r = &bench->requests[i];
        if (r->outcome == PYR_OUTCOME_OK)
            values[n++] =
                (double)(r->last_content_ns - (from_sent ? r->sent_ns : r->scheduled_ns)) / 1e6;
    }
    qsort(values, n, sizeof *values, by_value);
    double value = values[(size_t)ceil(q * (double)n) - 1];
    pyr_free(values);
    return value;
}

static size_t count_outcome(const struct bench *bench, enum pyr_outcome outcome) {
    size_t n = 0;
    for (size_t i = 0; i < bench->count; i++)
        n += bench->requests[i].outcome == outcome;
    assert_int_equal(n, bench->result.outcomes[outcome]);
    return n;
}

/* --- closed loop ------------------------------------------------------------------------------ */

static void a_closed_loop_keeps_exactly_n_in_flight(void **state) {
    (void)state;
    for (uint32_t n = 1; n <= 64; n *= 4) {
        struct bench bench;
        begin(&bench);
        bench.plan.concurrency = n;
        bench.plan.requests = 10 * n;
        run_case(&bench);
        assert_int_equal(bench.target.most_in_flight, n);
        assert_int_equal(bench.count, 10 * n);
        assert_int_equal(count_outcome(&bench, PYR_OUTCOME_OK), 10 * n);
        assert_int_equal(bench.chunks, 40 * n);
        /* Ten rounds of 5 ms each, and the window holds them all. */
        assert_int_equal(bench.result.measured_end_ns - bench.result.measured_start_ns,
                         50 * MS + 1);
        assert_int_equal(bench.result.end, PYR_LOAD_ENDED_REQUESTS);
        for (size_t i = 0; i < bench.count; i++) {
            const struct pyr_request *r = &bench.requests[i];
            assert_int_equal(r->ordinal, i); /* all end together here, so in order too */
            assert_int_equal(r->phase, PYR_PHASE_MEASURED);
            assert_int_equal((r->scheduled_ns - 1000 * S) % (5 * MS), 0);
            assert_int_equal(r->scheduled_ns, r->dispatched_ns);
            assert_int_equal(r->prompt_tokens, 20);
            assert_int_equal(r->asked_tokens, 4);
        }
        assert_int_equal(find_mark(&bench, PYR_MARK_ASKED_CONCURRENCY, n)->time_ns, 1000 * S);
        end(&bench);
    }
}

static uint64_t round_of(const struct bench *bench) {
    return bench->law.service_ns + bench->class.output_tokens.max * bench->law.token_ns;
}

/* 8 users whose answers take 32 tokens of 10 ms: the first ones take (i + 1/2) / 8 of that, so that
 * from then on one user sends every 40 ms. */
static void users_start_spread_and_stay_so(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.law = (struct pyr_fake_law){.token_ns = 10 * MS};
    bench.class.output_tokens = pyr_length_fixed(32);
    bench.plan.start = PYR_START_SPREAD;
    bench.plan.concurrency = 8;
    bench.plan.warmup_requests = 8;
    bench.plan.requests = 40;
    run_case(&bench);
    uint64_t gap = round_of(&bench) / 8, start = bench.result.measured_start_ns;
    assert_true(bench.result.spread);
    assert_int_equal(gap, 40 * MS);
    uint32_t measured = 0;
    for (size_t i = 0; i < bench.count; i++) {
        const struct pyr_request *r = &bench.requests[i];
        assert_int_equal(r->asked_tokens, r->ordinal < 8 ? 4 * r->ordinal + 2 : 32);
        if (r->phase != PYR_PHASE_MEASURED)
            continue;
        assert_int_equal(r->scheduled_ns, start + measured++ * gap);
        assert_int_equal(r->user, (r->ordinal - 16) % 8 + 1);
    }
    assert_int_equal(measured, 40);
    /* Both ends of the window lie where one more user would have sent. */
    assert_int_equal(start - bench.result.started_ns, 20 * MS + 8 * gap);
    assert_int_equal(bench.result.measured_end_ns, start + 40 * gap);
    assert_null(find_mark(&bench, PYR_MARK_PHASE_START, PYR_PHASE_FIRST_WAVE));
    end(&bench);
}

/* Until the last measured request has ended there are as many in flight as ever, and what was sent
 * for that alone is cancelled and of no window. */
static void the_load_stays_until_the_last_measured_request_has_ended(void **state) {
    (void)state;
    for (int by_time = 0; by_time < 2; by_time++) {
        struct bench bench;
        begin(&bench);
        bench.law = (struct pyr_fake_law){.token_ns = 10 * MS};
        bench.class.output_tokens = pyr_length_fixed(32);
        bench.plan.start = PYR_START_SPREAD;
        bench.plan.concurrency = 8;
        bench.plan.warmup_requests = 8;
        bench.plan.requests = by_time ? 0 : 40;
        bench.plan.duration_ns = by_time ? 1600 * MS : 0;
        run_case(&bench);
        uint64_t last = 0, in_flight = 0;
        for (size_t i = 0; i < bench.count; i++)
            if (bench.requests[i].phase == PYR_PHASE_MEASURED && bench.requests[i].closed_ns > last)
                last = bench.requests[i].closed_ns;
        for (size_t i = 0; i < bench.count; i++) {
            const struct pyr_request *r = &bench.requests[i];
            in_flight += r->sent_ns < last && r->closed_ns >= last;
            assert_int_equal(r->outcome,
                             r->phase == PYR_PHASE_DRAIN ? PYR_OUTCOME_CANCELLED : PYR_OUTCOME_OK);
        }
        assert_int_equal(in_flight, 8);
        assert_int_equal(bench.result.ended_ns, last);
        assert_int_equal(count_outcome(&bench, PYR_OUTCOME_OK), 16 + 40);
        end(&bench);
    }
}

/* What a target keeps for ever does not keep the users sending for ever. */
static void the_load_stays_no_longer_than_the_drain(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.law = (struct pyr_fake_law){
        .token_ns = 10 * MS, .freeze_start_ns = 1001 * S, .freeze_end_ns = 2000 * S};
    bench.class.output_tokens = pyr_length_fixed(32);
    bench.plan.start = PYR_START_SPREAD;
    bench.plan.concurrency = 8;
    bench.plan.warmup_requests = 8;
    bench.plan.duration_ns = S;
    bench.plan.drain_ns = 5 * S;
    run_case(&bench);
    assert_true(count_outcome(&bench, PYR_OUTCOME_UNFINISHED) >= 1);
    assert_int_equal(bench.result.ended_ns, bench.result.measured_end_ns + 5 * S);
    end(&bench);
}

static void a_burst_has_a_first_wave_of_its_own(void **state) {
    (void)state;
    for (int warmed = 0; warmed < 2; warmed++) {
        struct bench bench;
        begin(&bench);
        bench.plan.start = warmed ? PYR_START_BURST : PYR_START_SPREAD; /* in what warm-up? */
        bench.plan.concurrency = 8;
        bench.plan.warmup_requests = warmed ? 8 : 0;
        bench.plan.requests = 40;
        run_case(&bench);
        assert_false(bench.result.spread);
        assert_int_equal(find_mark(&bench, PYR_MARK_PHASE_START, PYR_PHASE_FIRST_WAVE)->time_ns,
                         1000 * S);
        assert_int_equal(find_mark(&bench, PYR_MARK_PHASE_END, PYR_PHASE_FIRST_WAVE)->time_ns,
                         1000 * S + 5 * MS);
        assert_int_equal(bench.count, bench.plan.warmup_requests + 40);
        end(&bench);
    }
}

static void users_think_between_their_requests(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.plan.concurrency = 10;
    bench.plan.think_ns = 45 * MS;
    bench.plan.duration_ns = 10 * S;
    run_case(&bench);
    /* 10 users, one request every 50 ms each. */
    assert_int_equal(bench.count, 10 * 200);
    assert_int_equal(bench.result.end, PYR_LOAD_ENDED_TIME);
    for (size_t i = 0; i < bench.count; i++)
        assert_int_equal((bench.requests[i].scheduled_ns - 1000 * S) % (50 * MS), 0);
    end(&bench);

    begin(&bench);
    bench.plan.concurrency = 50;
    bench.plan.think_ns = 45 * MS;
    bench.plan.think_exponential = true;
    bench.plan.duration_ns = 20 * S;
    run_case(&bench);
    assert_true(fabs((double)bench.count / (50 * 20 * 20) - 1) < 0.03);
    end(&bench);
}

static void warm_up_by_count_and_by_time_is_marked_and_kept_apart(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.plan.concurrency = 2;
    bench.plan.warmup_requests = 6;
    bench.plan.requests = 20;
    run_case(&bench);
    assert_int_equal(bench.count, 26);
    for (size_t i = 0; i < bench.count; i++)
        assert_int_equal(bench.requests[i].phase,
                         bench.requests[i].ordinal < 6 ? PYR_PHASE_WARMUP : PYR_PHASE_MEASURED);
    uint64_t start = 1000 * S;
    assert_int_equal(bench.result.measured_start_ns, start + 15 * MS);
    assert_int_equal(find_mark(&bench, PYR_MARK_PHASE_START, PYR_PHASE_WARMUP)->time_ns, start);
    assert_int_equal(find_mark(&bench, PYR_MARK_PHASE_END, PYR_PHASE_WARMUP)->time_ns,
                     start + 15 * MS);
    assert_string_equal(find_mark(&bench, PYR_MARK_PHASE_START, PYR_PHASE_MEASURED)->text,
                        "measured");
    assert_non_null(find_mark(&bench, PYR_MARK_PHASE_END, PYR_PHASE_DRAIN));
    end(&bench);

    begin(&bench);
    bench.plan.concurrency = 1;
    bench.plan.warmup_ns = 100 * MS;
    bench.plan.duration_ns = S;
    run_case(&bench);
    assert_int_equal(bench.result.measured_start_ns, start + 100 * MS);
    assert_int_equal(bench.result.measured_end_ns, start + 1100 * MS);
    assert_int_equal(bench.count, 20 + 200);
    end(&bench);
}

static void what_runs_at_the_end_drains_within_its_time(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.law.service_ns = 400 * MS;
    bench.plan.concurrency = 4;
    bench.plan.duration_ns = S;
    run_case(&bench);
    assert_int_equal(bench.count, 12); /* at 0, 400 and 800 ms; the last four end at 1200 */
    assert_int_equal(count_outcome(&bench, PYR_OUTCOME_OK), 12);
    assert_int_equal(bench.result.measured_end_ns - bench.result.started_ns, S);
    assert_int_equal(bench.result.ended_ns - bench.result.started_ns, 1200 * MS);
    end(&bench);

    begin(&bench);
    bench.law.service_ns = 400 * MS;
    bench.plan.concurrency = 4;
    bench.plan.duration_ns = S;
    bench.plan.drain_ns = 100 * MS;
    run_case(&bench);
    assert_int_equal(count_outcome(&bench, PYR_OUTCOME_UNFINISHED), 4);
    assert_int_equal(bench.result.ended_ns - bench.result.started_ns, 1100 * MS);
    end(&bench);
}

static void users_follow_a_curve_of_concurrency(void **state) {
    (void)state;
    static const struct pyr_curve_knot points[] = {{0, 2},     {S, 2},     {S, 8},
                                                   {2 * S, 8}, {2 * S, 1}, {3 * S, 1}};
    const struct pyr_curve curve = {points, 6};
    struct bench bench;
    begin(&bench);
    bench.plan.concurrency_curve = &curve;
    bench.plan.duration_ns = 3 * S;
    run_case(&bench);
    uint64_t ended[3] = {0};
    for (size_t i = 0; i < bench.count; i++) {
        uint64_t second = (bench.requests[i].closed_ns - 1000 * S - 1) / S;
        assert_true(second < 4);
        ended[second < 3 ? second : 2]++;
    }
    assert_in_range(ended[0], 396, 404);
    assert_in_range(ended[1], 1590, 1604);
    assert_in_range(ended[2], 196, 216);
    assert_int_equal(find_mark(&bench, PYR_MARK_ASKED_CONCURRENCY, 8)->time_ns, 1001 * S);
    end(&bench);
}

static void a_dead_target_is_not_asked_a_million_times(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.law.reject_every = 1;
    bench.plan.concurrency = 3;
    bench.plan.duration_ns = S;
    run_case(&bench);
    assert_int_equal(count_outcome(&bench, PYR_OUTCOME_REJECTED), 300);
    assert_string_equal(bench.result.first_error[PYR_OUTCOME_REJECTED], "the fake says so");
    assert_string_equal(find_mark(&bench, PYR_MARK_WARNING, 0)->text, "rejected: the fake says so");
    end(&bench);
}

static void a_pause_that_the_target_asks_for_is_kept_only_when_told(void **state) {
    (void)state;
    for (int heeds = 0; heeds < 2; heeds++) {
        struct bench bench;
        begin(&bench);
        bench.law.reject_every = 1;
        bench.law.retry_after_ns = 250 * MS;
        bench.plan.concurrency = 3;
        bench.plan.heed_retry_after = heeds;
        bench.plan.duration_ns = S;
        run_case(&bench);
        assert_int_equal(count_outcome(&bench, PYR_OUTCOME_REJECTED), heeds ? 3 * 4 : 300);
        end(&bench);
    }
}

/* --- open loop -------------------------------------------------------------------------------- */

/* 100 requests/s for 60 s, 5 ms of service, one freeze of 1 s: latency from schedule shows the
 * freeze with and without a cap; latency from sent hides it behind the cap. */
static void coordinated_omission_is_not_hidden(void **state) {
    (void)state;
    for (uint32_t cap = 0; cap <= 10; cap += 10) {
        struct bench bench;
        begin(&bench);
        bench.law.freeze_start_ns = 1030 * S;
        bench.law.freeze_end_ns = 1031 * S;
        bench.max_in_flight = 1000;
        open_loop(&bench, "constant", 100);
        bench.plan.concurrency = cap;
        bench.plan.duration_ns = 60 * S;
        run_case(&bench);
        assert_int_equal(bench.count, 6000);
        assert_int_equal(count_outcome(&bench, PYR_OUTCOME_OK), 6000);
        double p99_sched = latency_ms(&bench, 0.99, false);
        double p99_sent = latency_ms(&bench, 0.99, true);
        assert_true(p99_sched > 390 && p99_sched < 450);
        if (cap) {
            assert_int_equal(bench.target.most_in_flight, cap);
            assert_true(p99_sent < 6);
            assert_in_range(bench.result.waited, 85, 105);
        } else {
            assert_true(p99_sent > 390 && p99_sent < 430);
            assert_int_equal(bench.result.waited, 0);
        }
        assert_int_equal(bench.result.late_max_ns, 0);
        end(&bench);
    }
}

static void poisson_arrivals_keep_their_dispersion_through_the_driver(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.max_in_flight = 1000;
    open_loop(&bench, "poisson", 200);
    bench.plan.requests = 20000;
    run_case(&bench);
    assert_int_equal(bench.count, 20000);
    double sum = 0, squares = 0;
    for (size_t i = 1; i < bench.count; i++) { /* 5 ms each: they end in order of dispatch */
        assert_int_equal(bench.requests[i].ordinal, i);
        double gap =
            (double)(bench.requests[i].dispatched_ns - bench.requests[i - 1].dispatched_ns);
        sum += gap;
        squares += gap * gap;
    }
    double n = (double)bench.count - 1, mean = sum / n, cv = sqrt(squares / n - mean * mean) / mean;
    assert_true(fabs(cv - 1) < 0.03);
    assert_true(fabs(mean * 200 / 1e9 - 1) < 0.03);
    assert_int_equal(bench.result.end, PYR_LOAD_ENDED_REQUESTS);
    end(&bench);
}

static void the_open_window_lies_on_the_schedule(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    open_loop(&bench, "constant", 100);
    bench.plan.warmup_requests = 50;
    bench.plan.requests = 200;
    run_case(&bench);
    assert_int_equal(bench.count, 250);
    assert_int_equal(bench.result.measured_start_ns - bench.result.started_ns, 500 * MS);
    assert_int_equal(bench.result.measured_end_ns - bench.result.started_ns, 2500 * MS);
    size_t measured = 0;
    for (size_t i = 0; i < bench.count; i++)
        measured += bench.requests[i].phase == PYR_PHASE_MEASURED;
    assert_int_equal(measured, 200);
    end(&bench);

    begin(&bench); /* ten at a time: the count holds within a burst */
    open_loop(&bench, "burst", 100);
    bench.plan.requests = 15;
    run_case(&bench);
    assert_int_equal(bench.count, 15);
    end(&bench);
}

static void requests_that_never_went_out_are_recorded(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.law.service_ns = 100 * MS; /* two slots carry 20/s of the 100/s asked for */
    bench.class.output_tokens = pyr_length_fixed(1);
    open_loop(&bench, "constant", 100);
    bench.plan.concurrency = 2;
    bench.plan.duration_ns = 10 * S;
    bench.plan.drain_ns = S;
    run_case(&bench);
    assert_int_equal(bench.count, 1000);
    /* 20/s for 11 s; the last two would have ended with the drain itself. */
    assert_int_equal(count_outcome(&bench, PYR_OUTCOME_OK), 218);
    assert_int_equal(count_outcome(&bench, PYR_OUTCOME_UNFINISHED), 782);
    assert_in_range(bench.result.unsent, 778, 780);
    for (size_t i = 0; i < bench.count; i++) {
        const struct pyr_request *r = &bench.requests[i];
        assert_int_equal(r->scheduled_ns, 1000 * S + r->ordinal * 10 * MS);
        assert_int_equal(r->asked_tokens, 1);
        if (r->sent_ns == 0)
            assert_int_equal(r->outcome, PYR_OUTCOME_UNFINISHED);
    }
    end(&bench);
}

static void a_rate_curve_is_asked_for_and_marked(void **state) {
    (void)state;
    static const struct pyr_curve_knot points[] = {{0, 0}, {4 * S, 100}, {4 * S, 0}};
    const struct pyr_curve curve = {points, 3};
    struct bench bench;
    begin(&bench);
    open_loop(&bench, "constant", 0);
    bench.plan.arrivals.curve = &curve;
    run_case(&bench);
    assert_in_range(bench.count, 199, 201);
    assert_int_equal(bench.result.end, PYR_LOAD_ENDED_ARRIVALS);
    assert_int_equal(bench.result.measured_end_ns - bench.result.started_ns, 4 * S);
    assert_int_equal(find_mark(&bench, PYR_MARK_ASKED_RATE, 100)->time_ns, 1004 * S);
    end(&bench);
}

/* --- how requests end ------------------------------------------------------------------------- */

static void the_asked_share_is_cancelled_after_the_asked_time(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.plan.concurrency = 8;
    bench.plan.requests = 4000;
    bench.plan.cancel_share = 0.25;
    bench.plan.cancel_after_ns = 2 * MS;
    run_case(&bench);
    size_t cancelled = count_outcome(&bench, PYR_OUTCOME_CANCELLED);
    assert_in_range(cancelled, 900, 1100);
    assert_int_equal(count_outcome(&bench, PYR_OUTCOME_OK), 4000 - cancelled);
    for (size_t i = 0; i < bench.count; i++)
        if (bench.requests[i].outcome == PYR_OUTCOME_CANCELLED)
            assert_int_equal(bench.requests[i].closed_ns - bench.requests[i].sent_ns, 2 * MS);
    end(&bench);
}

static void limits_reach_the_target(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.law.hang = true;
    bench.plan.concurrency = 2;
    bench.plan.requests = 6;
    bench.plan.limits.total_ns = 300 * MS;
    run_case(&bench);
    assert_int_equal(count_outcome(&bench, PYR_OUTCOME_TIMEOUT_TOTAL), 6);
    assert_int_equal(bench.result.ended_ns - bench.result.started_ns, 900 * MS + 1);
    end(&bench);
}

static void a_short_answer_is_a_flag_or_an_error_as_asked(void **state) {
    (void)state;
    for (int strict = 0; strict < 2; strict++) {
        struct bench bench;
        begin(&bench);
        bench.law.short_by = 1;
        bench.plan.concurrency = 1;
        bench.plan.requests = 5;
        bench.plan.short_is_error = strict;
        run_case(&bench);
        assert_int_equal(count_outcome(&bench, strict ? PYR_OUTCOME_SHORT : PYR_OUTCOME_OK), 5);
        assert_true(bench.requests[0].flags & PYR_REQUEST_SHORT);
        assert_true(bench.requests[0].flags & PYR_REQUEST_STREAMED);
        end(&bench);
    }
}

static void a_hanging_target_ends_with_the_drain(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.law.hang = true;
    bench.plan.concurrency = 3;
    bench.plan.requests = 10;
    bench.plan.deadline_ns = 1002 * S;
    bench.plan.drain_ns = S;
    run_case(&bench);
    assert_int_equal(count_outcome(&bench, PYR_OUTCOME_UNFINISHED), 3);
    assert_int_equal(bench.result.ended_ns, 1003 * S);
    end(&bench);
}

static void a_target_that_keeps_requests_is_an_error_and_no_hang(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.law.keep = true;
    bench.must_fail = true;
    bench.plan.concurrency = 3;
    bench.plan.duration_ns = S;
    run_case(&bench);
    assert_int_equal(bench.err.code, PYR_E_ENGINE);
    assert_non_null(strstr(bench.err.text, "3 requests"));
    end(&bench);
}

/* --- from outside ----------------------------------------------------------------------------- */

static volatile sig_atomic_t stop_flag;
static struct pyr_load_live last_live;
static uint64_t lives;

static void watch(void *context, const struct pyr_load_live *live) {
    const uint64_t *stop_after = context;
    last_live = *live;
    lives++;
    if (*stop_after && live->measured_ended >= *stop_after)
        stop_flag = SIGINT;
}

static void a_signal_ends_the_run_at_once(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    uint64_t stop_after = 100;
    stop_flag = 0;
    open_loop(&bench, "constant", 1000); /* five in flight at any time */
    bench.plan.duration_ns = 3600 * S;
    bench.plan.stop = &stop_flag;
    bench.plan.live = watch;
    bench.plan.live_context = &stop_after;
    run_case(&bench);
    assert_int_equal(bench.result.signal, SIGINT);
    assert_int_equal(bench.result.end, PYR_LOAD_ENDED_SIGNAL);
    assert_non_null(find_mark(&bench, PYR_MARK_SIGNAL, SIGINT));
    assert_true(bench.count < 250);
    assert_in_range(count_outcome(&bench, PYR_OUTCOME_CANCELLED), 4, 5);
    assert_int_equal(count_outcome(&bench, PYR_OUTCOME_UNFINISHED), 0);
    assert_non_null(find_mark(&bench, PYR_MARK_PHASE_END, PYR_PHASE_MEASURED));
    end(&bench);
}

static void the_progress_tells_what_the_records_will(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    uint64_t stop_after = 0;
    lives = 0;
    bench.plan.concurrency = 4;
    bench.plan.warmup_requests = 8;
    bench.plan.duration_ns = 2 * S;
    bench.plan.live = watch;
    bench.plan.live_context = &stop_after;
    run_case(&bench);
    assert_in_range(lives, 19, 23);
    assert_int_equal(last_live.outcomes[PYR_OUTCOME_OK], bench.count);
    assert_int_equal(last_live.ended, bench.count);
    assert_int_equal(last_live.in_flight, 0);
    assert_int_equal(last_live.measured_ended, 1600);
    assert_int_equal(last_live.output_tokens, 1600 * 4);
    assert_int_equal(last_live.prompt_tokens, 1600 * 20);
    assert_true(last_live.done_share == 1);
    end(&bench);
}

static void the_same_seed_gives_the_same_run(void **state) {
    (void)state;
    struct bench a, b;
    for (int seed = 1; seed <= 2; seed++) {
        begin(&a);
        begin(&b);
        struct bench *both[] = {&a, &b};
        for (int i = 0; i < 2; i++) {
            open_loop(both[i], "gamma", 300);
            both[i]->plan.arrivals.cv = 2;
            both[i]->plan.concurrency = 5;
            both[i]->plan.cancel_share = 0.1;
            both[i]->plan.cancel_after_ns = MS;
            both[i]->plan.requests = 2000;
            both[i]->class.output_tokens =
                (struct pyr_length){PYR_LENGTH_LOGNORMAL, 20, 20, 1, 100};
            both[i]->plan.seed = i ? (uint64_t)seed : 1;
            run_case(both[i]);
        }
        bool same =
            a.count == b.count && memcmp(a.requests, b.requests, a.count * sizeof *a.requests) == 0;
        assert_int_equal(same, seed == 1);
        end(&a);
        end(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_loop_keeps_exactly_n_in_flight),
        cmocka_unit_test(users_start_spread_and_stay_so),
        cmocka_unit_test(the_load_stays_until_the_last_measured_request_has_ended),
        cmocka_unit_test(the_load_stays_no_longer_than_the_drain),
        cmocka_unit_test(a_burst_has_a_first_wave_of_its_own),
        cmocka_unit_test(users_think_between_their_requests),
        cmocka_unit_test(a_pause_that_the_target_asks_for_is_kept_only_when_told),
        cmocka_unit_test(warm_up_by_count_and_by_time_is_marked_and_kept_apart),
        cmocka_unit_test(what_runs_at_the_end_drains_within_its_time),
        cmocka_unit_test(users_follow_a_curve_of_concurrency),
        cmocka_unit_test(a_dead_target_is_not_asked_a_million_times),
        cmocka_unit_test(coordinated_omission_is_not_hidden),
        cmocka_unit_test(poisson_arrivals_keep_their_dispersion_through_the_driver),
        cmocka_unit_test(the_open_window_lies_on_the_schedule),
        cmocka_unit_test(requests_that_never_went_out_are_recorded),
        cmocka_unit_test(a_rate_curve_is_asked_for_and_marked),
        cmocka_unit_test(the_asked_share_is_cancelled_after_the_asked_time),
        cmocka_unit_test(limits_reach_the_target),
        cmocka_unit_test(a_short_answer_is_a_flag_or_an_error_as_asked),
        cmocka_unit_test(a_hanging_target_ends_with_the_drain),
        cmocka_unit_test(a_signal_ends_the_run_at_once),
        cmocka_unit_test(the_progress_tells_what_the_records_will),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
        cmocka_unit_test(a_target_that_keeps_requests_is_an_error_and_no_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
