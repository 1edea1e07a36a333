/* SPDX-License-Identifier: MIT
 *
 * Metrics that no other test asserts, each from records whose answer can be worked out by hand:
 * every stamp differs from every other, so that no two of them can be mistaken for each other.
 */
#include "support/support.h"

#include "base/clock.h"
#include "record/recorder.h"
#include "stats/result.h"

#include <string.h>
#include <unistd.h>

#define MS PYR_NS_PER_MS

enum { REQUESTS = 200, EVERY_MS = 100, CAP = 4 };

static struct pyr_clock clock_of_run;
static uint64_t now_ns;

/* Of request i, in milliseconds after its schedule: dispatched at 3 (its slot was late), sent at 5,
 * admitted at 9, prefilled at 20, first byte at 27, first content (reasoning) at 31, first output
 * at 47, then contents of 2 and of 4 tokens at 59 and 79; closed at 83. The server says one token
 * more than came in every tenth request. Every 20th times out instead. */
static void add(struct pyr_lane *lane, uint32_t i) {
    uint64_t at = 1000 * MS + (uint64_t)i * EVERY_MS * MS;
    bool failed = i % 20 == 19;
    struct pyr_request r = {.ordinal = i,
                            .phase = 1,
                            .outcome = failed ? PYR_OUTCOME_TIMEOUT_FIRST : PYR_OUTCOME_OK,
                            .flags = PYR_REQUEST_STREAMED | PYR_REQUEST_WAITED |
                                     (failed ? 0 : PYR_REQUEST_USAGE),
                            .scheduled_ns = at,
                            .dispatched_ns = at + 3 * MS,
                            .sent_ns = at + 5 * MS,
                            .closed_ns = at + 83 * MS};
    if (failed) {
        pyr_lane_request(lane, &r);
        return;
    }
    r.admitted_ns = at + 9 * MS;
    r.prefilled_ns = at + 20 * MS;
    r.first_byte_ns = at + 27 * MS;
    r.first_content_ns = at + 31 * MS;
    r.first_output_ns = at + 47 * MS;
    r.last_content_ns = at + 79 * MS;
    r.prompt_tokens = 22;
    r.output_tokens = r.asked_tokens = 8;
    r.usage_output_tokens = 8 + (i % 10 == 0);
    r.chunks = 4;
    r.text_hash = 42;
    static const uint64_t stamps[] = {31, 47, 59, 79}, tokens[] = {1, 1, 2, 4};
    uint64_t previous = r.sent_ns;
    for (size_t k = 0; k < 4; k++) {
        uint64_t stamp = at + stamps[k] * MS;
        pyr_lane_content(lane, i, previous, stamp, 0, 0, 3, (uint32_t)tokens[k], k == 0);
        previous = stamp;
    }
    pyr_lane_request(lane, &r);
}

/* `alone`: one user in closed loop, whose records are the same. */
static struct pyr_result *record(bool alone) {
    static const struct {
        enum pyr_metric metric;
        double value;
    } observed[] = {
        {PYR_M_FIRST_REQUEST, 11e6},     {PYR_M_READY_TIME, 12e6},
        {PYR_M_HARNESS_MEMORY, 13e6},    {PYR_M_WEIGHT_BYTES_PER_TOKEN, 2e8},
        {PYR_M_MEMORY_BANDWIDTH, 5e10},  {PYR_M_CACHE_HIT_RATIO, 0.25},
        {PYR_M_ENGINE_MEMORY, 15e6},     {PYR_M_ENERGY, 40},
        {PYR_M_ENERGY_PER_TOKEN, 0.125},
    };
    char dir[400], path[512];
    struct pyr_err err;
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/known.pyr", dir);
    now_ns = 1000 * MS;
    clock_of_run.virtual_now_ns = &now_ns;
    struct pyr_recorder *recorder;
    const struct pyr_recorder_config config = {
        .path = path, .lanes = 1, .inline_writer = true, .meta_json = "{}"};
    assert_ok(err, pyr_recorder_open(&config, &clock_of_run, &recorder, &err));
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    struct pyr_case plan = {.open_loop = 1, .concurrency = CAP, .rate = 1000.0 / EVERY_MS};
    if (alone)
        plan = (struct pyr_case){.concurrency = 1};
    snprintf(plan.suite, sizeof plan.suite, "concurrent");
    snprintf(plan.id, sizeof plan.id, "known");
    snprintf(plan.arrival, sizeof plan.arrival, alone ? "closed" : "constant");
    pyr_lane_case(lane, &plan);
    pyr_lane_mark(lane, PYR_MARK_PHASE_START, 0, 1, "measured");
    for (size_t i = 0; i < sizeof observed / sizeof *observed; i++)
        pyr_lane_observe(lane, observed[i].metric, 0, 0, observed[i].value);
    pyr_lane_observe(lane, PYR_M_MACHINE_LOOP_BEFORE, PYR_NO_CASE, 0, 71e6);
    pyr_lane_observe(lane, PYR_M_MACHINE_LOOP_AFTER, PYR_NO_CASE, 0, 73e6);
    for (uint32_t i = 0; i < REQUESTS; i++)
        add(lane, i);
    now_ns = 1000 * MS + (uint64_t)REQUESTS * EVERY_MS * MS;
    pyr_lane_mark(lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    assert_ok(err, pyr_recorder_close(recorder, &err));
    struct pyr_result *result;
    assert_ok(err, pyr_result_make(path, &result, &err));
    unlink(path);
    return result;
}

static const struct {
    enum pyr_metric metric;
    double expected; /* a scalar's value, a distribution's median */
} known[] = {
    {PYR_M_TTFT_SCHED, 31e6},
    {PYR_M_TTFT_SENT, 26e6},
    {PYR_M_TTFB, 22e6},
    {PYR_M_TTFO, 47e6},
    {PYR_M_LATENCY_SCHED, 79e6},
    {PYR_M_LATENCY_SENT, 74e6},
    {PYR_M_QUEUE_TIME, 6e6},
    {PYR_M_SERVICE_TIME, 70e6},
    {PYR_M_OWN_QUEUE_TIME, 3e6},
    {PYR_M_STALL, 20e6},
    {PYR_M_TPOT, 48e6 / 7},
    {PYR_M_DECODE_RATE, 7 / 48e-3},
    {PYR_M_PREFILL_RATE, 22 / 11e-3},
    {PYR_M_PROMPT_TOKENS, 22},
    {PYR_M_OUTPUT_TOKENS, 8},
    /* Gaps of 16, 12 and 20 ms between chunks; by tokens 16, 6, 6, 5, 5, 5, 5. */
    {PYR_M_ICL, 16e6},
    {PYR_M_ITL, 5e6},
    {PYR_M_IN_FLIGHT_MAX, 1},
    {PYR_M_TIMEOUT_RATE, 0.05},
    {PYR_M_ERROR_RATE, 0.05},
    /* Of 190 that ended ok 20 have one token more: 20 in 190 x 8. */
    {PYR_M_USAGE_MISMATCH, 20.0 / (190 * 8)},
    {PYR_M_FIRST_REQUEST, 11e6},
    {PYR_M_READY_TIME, 12e6},
    {PYR_M_HARNESS_MEMORY, 13e6},
    {PYR_M_WEIGHT_BYTES_PER_TOKEN, 2e8},
    {PYR_M_MEMORY_BANDWIDTH, 5e10},
    {PYR_M_CACHE_HIT_RATIO, 0.25},
    {PYR_M_ENGINE_MEMORY, 15e6},
    {PYR_M_ENERGY, 40},
    {PYR_M_ENERGY_PER_TOKEN, 0.125},
};

static void what_can_be_worked_out_by_hand_comes_out(void **state) {
    (void)state;
    struct pyr_result *result = record(false);
    const struct pyr_case_result *one = &result->suites[0].cases[0];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct pyr_metric_info *info = pyr_metric_info(known[i].metric);
        const struct pyr_metric_result *row = pyr_case_metric(one, known[i].metric);
        if (!row)
            fail_msg("no %s", info->name);
        double seen = info->kind == PYR_KIND_SCALAR ? row->value.value
                      : row->n == 1                 ? row->max
                                                    : row->quantile[PYR_Q_P50].value;
        /* A histogram's cells are a thousandth wide. */
        if (!(fabs(seen - known[i].expected) <= 1e-3 * known[i].expected))
            fail_msg("%s is %.9g, not %.9g", info->name, seen, known[i].expected);
    }
    pyr_result_destroy(result);
}

/* The decode rate of one sequence x the bytes of a token / the bandwidth: were bytes and bandwidth
 * taken for each other it would be a share of thousands. */
static void the_share_of_the_bandwidth_is_of_one_sequence(void **state) {
    (void)state;
    struct pyr_result *result = record(true);
    const struct pyr_metric_result *share =
        pyr_case_metric(&result->suites[0].cases[0], PYR_M_BANDWIDTH_SHARE);
    assert_non_null(share);
    assert_near(share->value.value, 7 / 48e-3 * 2e8 / 5e10, 1e-3);
    pyr_result_destroy(result);
}

static void the_machines_probes_are_told_apart(void **state) {
    (void)state;
    struct pyr_result *result = record(false);
    size_t found = 0;
    for (size_t i = 0; i < result->instrument_count; i++) {
        const struct pyr_metric_result *row = &result->instrument[i];
        if (row->metric == PYR_M_MACHINE_LOOP_BEFORE)
            assert_near(row->value.value, 71e6, 0);
        else if (row->metric == PYR_M_MACHINE_LOOP_AFTER)
            assert_near(row->value.value, 73e6, 0);
        else
            continue;
        found++;
    }
    assert_int_equal(found, 2);
    pyr_result_destroy(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_worked_out_by_hand_comes_out),
        cmocka_unit_test(the_share_of_the_bandwidth_is_of_one_sequence),
        cmocka_unit_test(the_machines_probes_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
