/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "serving/serving.h"
#include "support/fake_engine.h"

#include <assert.h>
#include <string.h>

enum { MOST = 1000, PROMPT_MOST = 300, OUTPUT_MOST = 60, CONTEXT = PROMPT_MOST + OUTPUT_MOST };

struct job {
    struct pyr_serving_request request;
    struct pyr_request record;
    int32_t prompt[PROMPT_MOST];
    char text[OUTPUT_MOST * 3];
    uint32_t ends; /* how often take gave it back */
};

/* A serving on the fake engine, in virtual time. */
struct rig {
    struct fake_plan plan;
    uint64_t now_ns;
    struct pyr_clock clock;
    struct pyr_pieces *pieces;
    struct pyr_serving *serving;
    struct pyr_serving_info info;
    struct job *jobs; /* (MOST) */
    struct pyr_rng rng;
    uint32_t taken;
    uint64_t last_closed_ns;
};

static void rig_start(struct rig *rig, struct fake_plan plan, struct pyr_serving_config config) {
    struct pyr_err err;
    *rig = (struct rig){.plan = plan};
    if (plan.mute_token == 0)
        rig->plan.mute_token = -1;
    rig->clock.virtual_now_ns = &rig->now_ns;
    rig->now_ns = 1000;
    config.clock = &rig->clock;
    config.threads = 1;
    if (!config.tokens_per_sequence)
        config.tokens_per_sequence = CONTEXT;
    assert_ok(err, pyr_pieces_create(&fake_engine, fake_model(&rig->plan), &rig->pieces, &err));
    assert_ok(err, pyr_serving_create(&fake_engine, fake_model(&rig->plan), rig->pieces, &config,
                                      &rig->serving, &err));
    pyr_serving_describe(rig->serving, &rig->info);
    rig->jobs = pyr_xcalloc(MOST, sizeof *rig->jobs);
    pyr_rng_init(&rig->rng, 42);
}

static void rig_stop(struct rig *rig) {
    pyr_serving_destroy(rig->serving);
    pyr_pieces_destroy(rig->pieces);
    pyr_free(rig->jobs);
}

static struct job *job_make(struct rig *rig, uint32_t ordinal, uint32_t prompt_tokens,
                            uint32_t output_tokens) {
    struct job *job = &rig->jobs[ordinal];
    job->record.ordinal = ordinal;
    for (uint32_t i = 0; i < prompt_tokens; i++)
        job->prompt[i] = 3 + (int32_t)pyr_rng_below(&rig->rng, FAKE_VOCABULARY - 3);
    job->request.record = &job->record;
    job->request.prompt = job->prompt;
    job->request.prompt_tokens = prompt_tokens;
    job->request.output_tokens = output_tokens;
    job->request.exact_output = true;
    job->request.cancel_after_ns = job->request.first_token_ns = PYR_NEVER;
    job->request.between_tokens_ns = job->request.total_ns = PYR_NEVER;
    job->request.text = job->text;
    job->request.text_capacity = sizeof job->text;
    job->request.user = job;
    return job;
}

static struct job *job_mixed(struct rig *rig, uint32_t ordinal) {
    return job_make(rig, ordinal, 1 + (uint32_t)pyr_rng_below(&rig->rng, PROMPT_MOST),
                    1 + (uint32_t)pyr_rng_below(&rig->rng, OUTPUT_MOST));
}

static void job_send(struct rig *rig, struct job *job) {
    job->record.sent_ns = rig->now_ns;
    pyr_serving_submit(rig->serving, &job->request, rig->now_ns);
}

static void job_check_text(const struct job *job) {
    int32_t expected[OUTPUT_MOST];
    uint32_t count = job->record.output_tokens;
    fake_output(job->prompt, job->request.prompt_tokens, expected, count);
    char text[OUTPUT_MOST * 3 + 1];
    for (uint32_t i = 0; i < count; i++)
        snprintf(text + (size_t)3 * i, 4, "%03d", expected[i]);
    assert_int_equal(job->record.output_bytes, 3 * count);
    assert_int_equal(job->request.text_bytes, 3 * count);
    if (count == 0)
        return;
    assert_memory_equal(job->text, text, (size_t)3 * count);
    assert_true(job->record.text_hash == pyr_fnv1a64(PYR_FNV1A64_INIT, text, (size_t)3 * count));
}

static void job_check_stamps(const struct job *job) {
    const struct pyr_request *record = &job->record;
    assert_true(record->sent_ns <= record->admitted_ns);
    assert_true(record->admitted_ns < record->prefilled_ns);
    assert_true(record->prefilled_ns <= record->first_content_ns);
    assert_true(record->first_content_ns <= record->last_content_ns);
    assert_true(record->last_content_ns <= record->closed_ns);
    assert_int_equal(record->chunks, record->output_tokens);
}

static void take_finished(struct rig *rig) {
    struct pyr_serving_request *request;
    while ((request = pyr_serving_take(rig->serving))) {
        struct job *job = request->user;
        job->ends++;
        rig->taken++;
        assert_true(job->record.closed_ns >= rig->last_closed_ns);
        rig->last_closed_ns = job->record.closed_ns;
    }
}

/* One step, in which every sequence that had its first token gets its next, unless it ends or
 * the memory is full. */
static void step(struct rig *rig) {
    static uint32_t had[MOST]; /* tokens before the step, of those that run */
    for (uint32_t i = 0; i < MOST; i++) {
        const struct job *job = &rig->jobs[i];
        had[i] = job->request.state == PYR_SERVING_DECODING ? job->record.output_tokens : 0;
    }
    struct pyr_serving_counters before, after;
    pyr_serving_counters(rig->serving, &before);
    uint64_t done_ns;
    uint32_t rows = pyr_serving_step(rig->serving, rig->now_ns, &done_ns);
    pyr_serving_counters(rig->serving, &after);
    assert_true(done_ns >= rig->now_ns);
    rig->now_ns = done_ns;
    assert_true(rows <= rig->info.batch_tokens);
    for (uint32_t i = 0; i < MOST && after.preempted == before.preempted; i++) {
        const struct job *job = &rig->jobs[i];
        if (had[i] > 0 && job->request.state != PYR_SERVING_FINISHED)
            assert_int_equal(job->record.output_tokens, had[i] + 1);
    }
    if (after.decode_rows > before.decode_rows)
        assert_true(after.prompt_rows - before.prompt_rows <= rig->info.prefill_tokens);
    take_finished(rig);
}

static void run_to_end(struct rig *rig) {
    for (uint32_t steps = 0; pyr_serving_has_work(rig->serving); steps++) {
        assert_true(steps < 1000000);
        step(rig);
    }
    take_finished(rig);
    assert_int_equal(rig->plan.held, 0);
}

/* --- order and fairness ---------------------------------------------------------------------- */

static void mixed_load(uint32_t requests, uint32_t sequences) {
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.sequences = 0},
              (struct pyr_serving_config){.sequences = sequences});
    for (uint32_t i = 0; i < requests; i++)
        job_send(&rig, job_mixed(&rig, i));
    run_to_end(&rig);
    assert_int_equal(rig.taken, requests);
    for (uint32_t i = 0; i < requests; i++) {
        const struct job *job = &rig.jobs[i];
        assert_int_equal(job->ends, 1);
        assert_int_equal(job->record.outcome, PYR_OUTCOME_OK);
        assert_int_equal(job->record.output_tokens, job->request.output_tokens);
        job_check_text(job);
        job_check_stamps(job);
        if (i > 0)
            assert_true(job->record.admitted_ns >= rig.jobs[i - 1].record.admitted_ns);
    }
    struct pyr_serving_counters counters;
    pyr_serving_counters(rig.serving, &counters);
    assert_true(counters.most_running <= sequences);
    rig_stop(&rig);
}

static void a_thousand_requests_of_mixed_lengths_end_over_256_sequences(void **state) {
    (void)state;
    mixed_load(1000, 256);
}

static void a_thousand_requests_of_mixed_lengths_end_over_4_sequences(void **state) {
    (void)state;
    mixed_load(1000, 4);
}

static void every_level_of_concurrency_ends_without_an_error(void **state) {
    (void)state;
    static const uint32_t levels[] = {1, 2, 4, 8, 16, 32, 50, 100, 200, 1000};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        mixed_load(levels[i], levels[i] < 256 ? levels[i] : 256);
}

static void a_long_prompt_does_not_keep_running_sequences_waiting(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.sequences = 0},
              (struct pyr_serving_config){.sequences = 4, .policy = {.prefill_tokens = 8}});
    job_send(&rig, job_make(&rig, 0, 4, 60));
    step(&rig);
    job_send(&rig, job_make(&rig, 1, 300, 4));
    uint64_t before = rig.jobs[0].record.output_tokens, steps = 0;
    while (rig.jobs[1].record.output_tokens == 0) {
        step(&rig);
        steps++;
    }
    assert_int_equal(steps, (300 + 7) / 8);
    assert_int_equal(rig.jobs[0].record.output_tokens, before + steps);
    run_to_end(&rig);
    rig_stop(&rig);
}

static void those_beyond_the_sequences_wait_and_the_wait_is_reported(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.sequences = 2},
              (struct pyr_serving_config){.sequences = 8});
    assert_int_equal(rig.info.sequences, 2);
    for (uint32_t i = 0; i < 3; i++)
        job_send(&rig, job_make(&rig, i, 10, 10));
    run_to_end(&rig);
    assert_true(rig.jobs[0].record.admitted_ns == rig.jobs[0].record.sent_ns);
    assert_true(rig.jobs[2].record.admitted_ns >= rig.jobs[0].record.closed_ns);
    rig_stop(&rig);
}

/* --- ends --------------------------------------------------------------------------------------
 */

static void a_request_can_be_cancelled_in_every_state(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.sequences = 2},
              (struct pyr_serving_config){.sequences = 2, .policy = {.batch_tokens = 16}});
    struct job *decoding = job_make(&rig, 0, 3, 50), *prefilling = job_make(&rig, 1, 200, 5);
    struct job *queued = job_make(&rig, 2, 5, 5), *next = job_make(&rig, 3, 5, 5);
    job_send(&rig, decoding);
    job_send(&rig, prefilling);
    job_send(&rig, queued);
    job_send(&rig, next);
    step(&rig);
    step(&rig);
    assert_int_equal(decoding->request.state, PYR_SERVING_DECODING);
    assert_int_equal(prefilling->request.state, PYR_SERVING_PREFILLING);
    assert_int_equal(queued->request.state, PYR_SERVING_QUEUED);
    pyr_serving_cancel(rig.serving, &queued->request, PYR_OUTCOME_CANCELLED, rig.now_ns);
    pyr_serving_cancel(rig.serving, &prefilling->request, PYR_OUTCOME_UNFINISHED, rig.now_ns);
    pyr_serving_cancel(rig.serving, &decoding->request, PYR_OUTCOME_TIMEOUT_TOTAL, rig.now_ns);
    pyr_serving_cancel(rig.serving, &decoding->request, PYR_OUTCOME_CANCELLED, rig.now_ns);
    run_to_end(&rig);
    assert_int_equal(queued->record.outcome, PYR_OUTCOME_CANCELLED);
    assert_int_equal(queued->record.admitted_ns, 0);
    assert_int_equal(prefilling->record.outcome, PYR_OUTCOME_UNFINISHED);
    assert_int_equal(decoding->record.outcome, PYR_OUTCOME_TIMEOUT_TOTAL);
    assert_true(decoding->record.output_tokens > 0);
    job_check_text(decoding);
    assert_int_equal(next->record.outcome, PYR_OUTCOME_OK);
    job_check_text(next);
    pyr_serving_cancel(rig.serving, &next->request, PYR_OUTCOME_CANCELLED, rig.now_ns);
    assert_int_equal(next->record.outcome, PYR_OUTCOME_OK);
    assert_int_equal(rig.taken, 4);
    rig_stop(&rig);
}

static void an_end_token_stops_a_request_unless_its_length_is_exact(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.ends = true}, (struct pyr_serving_config){.sequences = 8});
    uint32_t stopped = 0;
    int32_t tokens[40][40];
    for (uint32_t i = 0; i < 40; i++) {
        struct job *job = job_make(&rig, i, 5, 40);
        job->request.exact_output = i % 2 == 0;
        job->request.tokens = tokens[i];
        if (i % 4 == 1)
            job->request.least_tokens = 39;
        job_send(&rig, job);
    }
    run_to_end(&rig);
    for (uint32_t i = 0; i < 40; i++) {
        const struct pyr_request *record = &rig.jobs[i].record;
        assert_int_equal(record->outcome, PYR_OUTCOME_OK);
        bool is_short = record->output_tokens < 40;
        assert_int_equal((record->flags & PYR_REQUEST_SHORT) != 0, is_short);
        if (i % 2 == 0)
            assert_false(is_short);
        if (i % 4 == 1)
            assert_true(record->output_tokens >= 39);
        for (uint32_t k = 0; k < record->output_tokens; k++)
            assert_true(tokens[i][k] != FAKE_END_TOKEN);
        stopped += is_short;
    }
    assert_true(stopped > 5);
    rig_stop(&rig);
}

static void a_full_queue_rejects_and_a_free_sequence_does_not(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.sequences = 2},
              (struct pyr_serving_config){.sequences = 2, .queue_limit = 3});
    for (uint32_t i = 0; i < 7; i++)
        job_send(&rig, job_make(&rig, i, 5, 5));
    run_to_end(&rig);
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(rig.jobs[i].record.outcome, i < 5 ? PYR_OUTCOME_OK : PYR_OUTCOME_REJECTED);
    assert_string_equal(rig.jobs[6].request.error_text, "the queue is full");
    rig_stop(&rig);
}

static void what_no_sequence_can_hold_is_too_long(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.sequences = 0},
              (struct pyr_serving_config){.sequences = 2, .tokens_per_sequence = 64});
    job_send(&rig, job_make(&rig, 0, 40, 25)); /* the last token needs no place */
    job_send(&rig, job_make(&rig, 1, 40, 26));
    run_to_end(&rig);
    assert_int_equal(rig.jobs[0].record.outcome, PYR_OUTCOME_OK);
    assert_int_equal(rig.jobs[1].record.outcome, PYR_OUTCOME_TOO_LONG);
    assert_non_null(strstr(rig.jobs[1].request.error_text, "do not fit a sequence of 64"));
    rig_stop(&rig);
}

static void a_prompt_that_no_engine_takes_fails_alone(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.sequences = 0},
              (struct pyr_serving_config){.sequences = 4});
    struct job *job = job_make(&rig, 0, 5, 5);
    job->prompt[3] = FAKE_VOCABULARY;
    job_send(&rig, job);
    job = job_make(&rig, 1, 5, 5);
    job->prompt[0] = -1;
    job_send(&rig, job);
    job_send(&rig, job_make(&rig, 2, 0, 5));
    job_send(&rig, job_make(&rig, 3, 5, 0));
    job_send(&rig, job_make(&rig, 4, 5, 5));
    run_to_end(&rig);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(rig.jobs[i].record.outcome, PYR_OUTCOME_ENGINE);
        assert_true(strlen(rig.jobs[i].request.error_text) > 0);
    }
    assert_int_equal(rig.jobs[4].record.outcome, PYR_OUTCOME_OK);
    rig_stop(&rig);
}

static void limits_end_requests_between_steps(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.sequences = 1},
              (struct pyr_serving_config){.sequences = 1});
    for (uint32_t i = 0; i < 6; i++)
        job_make(&rig, i, 10, 50);
    /* A step of one row takes 1.1 us, the whole of a request about 56 us. */
    rig.jobs[0].request.cancel_after_ns = 10000;
    rig.jobs[1].request.total_ns = 30000;
    rig.jobs[2].request.first_token_ns = 20000; /* still queued then */
    rig.jobs[3].request.between_tokens_ns = 1000;
    rig.jobs[4].request.between_tokens_ns = 1200;
    rig.jobs[5].request.total_ns = rig.jobs[5].request.first_token_ns = 10000000;
    for (uint32_t i = 0; i < 6; i++)
        job_send(&rig, &rig.jobs[i]);
    run_to_end(&rig);
    static const enum pyr_outcome expected[] = {PYR_OUTCOME_CANCELLED,
                                                PYR_OUTCOME_TIMEOUT_TOTAL,
                                                PYR_OUTCOME_TIMEOUT_FIRST,
                                                PYR_OUTCOME_TIMEOUT_BETWEEN,
                                                PYR_OUTCOME_OK,
                                                PYR_OUTCOME_OK};
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(rig.jobs[i].record.outcome, expected[i]);
    assert_true(rig.jobs[0].record.closed_ns - rig.jobs[0].record.sent_ns < 10000 + 2000);
    assert_true(rig.jobs[2].record.closed_ns - rig.jobs[2].record.sent_ns < 20000 + 2000);
    rig_stop(&rig);
}

/* --- failures ----------------------------------------------------------------------------------
 */

static void a_failed_decode_ends_its_batch_and_nothing_else(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.fail_decode = 3},
              (struct pyr_serving_config){.sequences = 4});
    for (uint32_t i = 0; i < 10; i++)
        job_send(&rig, job_make(&rig, i, 5, 8));
    run_to_end(&rig);
    for (uint32_t i = 0; i < 10; i++) {
        const struct job *job = &rig.jobs[i];
        assert_int_equal(job->record.outcome, i < 4 ? PYR_OUTCOME_ENGINE : PYR_OUTCOME_OK);
        job_check_text(job);
        if (i < 4)
            assert_string_equal(job->request.error_text, "fake: broken at decode 3");
    }
    rig_stop(&rig);
}

static void a_missing_row_of_logits_ends_its_own_request_only(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.mute_token = 17},
              (struct pyr_serving_config){.sequences = 4});
    for (uint32_t i = 0; i < 12; i++) {
        struct job *job = job_make(&rig, i, 5, 8);
        job->prompt[0] = i % 3 == 0 ? 17 : 18;
        job_send(&rig, job);
    }
    run_to_end(&rig);
    for (uint32_t i = 0; i < 12; i++)
        assert_int_equal(rig.jobs[i].record.outcome,
                         i % 3 == 0 ? PYR_OUTCOME_ENGINE : PYR_OUTCOME_OK);
    rig_stop(&rig);
}

static void a_full_kv_memory_delays_requests_and_changes_no_text(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.kv_tokens = 500},
              (struct pyr_serving_config){.sequences = 16});
    for (uint32_t i = 0; i < 200; i++)
        job_send(&rig, i < 100 ? job_make(&rig, i, 10, 60) : job_mixed(&rig, i));
    run_to_end(&rig);
    struct pyr_serving_counters counters;
    pyr_serving_counters(rig.serving, &counters);
    assert_true(counters.full > 0);
    assert_true(counters.preempted > 0);
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(rig.jobs[i].record.outcome, PYR_OUTCOME_OK);
        assert_int_equal(rig.jobs[i].record.output_tokens, rig.jobs[i].request.output_tokens);
        job_check_text(&rig.jobs[i]);
        job_check_stamps(&rig.jobs[i]);
    }
    rig_stop(&rig);
}

static void a_request_larger_than_all_kv_memory_fails_and_the_next_goes_on(void **state) {
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.kv_tokens = 100},
              (struct pyr_serving_config){.sequences = 4});
    job_send(&rig, job_make(&rig, 0, 150, 5));
    job_send(&rig, job_make(&rig, 1, 90, 30));
    job_send(&rig, job_make(&rig, 2, 90, 5));
    run_to_end(&rig);
    assert_int_equal(rig.jobs[0].record.outcome, PYR_OUTCOME_ENGINE);
    assert_int_equal(rig.jobs[1].record.outcome, PYR_OUTCOME_ENGINE);
    assert_int_equal(rig.jobs[1].record.output_tokens, 11);
    assert_int_equal(rig.jobs[2].record.outcome, PYR_OUTCOME_OK);
    rig_stop(&rig);
}

/* --- anything at all
 * ------------------------------------------------------------------------------ */

static void one_random_life(uint64_t seed) {
    struct pyr_rng rng;
    pyr_rng_init(&rng, seed);
    struct fake_plan plan = {
        .kv_tokens = pyr_rng_below(&rng, 2) ? 0 : 100 + (uint32_t)pyr_rng_below(&rng, 2000),
        .fail_decode = pyr_rng_below(&rng, 2) ? 0 : 1 + pyr_rng_below(&rng, 200),
        .mute_token = pyr_rng_below(&rng, 2) ? -1 : 20,
    };
    struct pyr_serving_config config = {
        .sequences = 1 + (uint32_t)pyr_rng_below(&rng, 40),
        .queue_limit = (uint32_t)pyr_rng_below(&rng, 3) * 10,
        .policy = {.batch_tokens = 1 + (uint32_t)pyr_rng_below(&rng, 200),
                   .prefill_tokens = 1 + (uint32_t)pyr_rng_below(&rng, 100)},
    };
    struct rig rig;
    rig_start(&rig, plan, config);
    pyr_rng_init(&rig.rng, seed + 1);
    uint32_t sent = 0;
    for (int turn = 0; turn < 400; turn++) {
        uint64_t what = pyr_rng_below(&rng, 4);
        if (what == 0 && sent < MOST) {
            struct job *job = job_mixed(&rig, sent++);
            if (pyr_rng_below(&rng, 10) == 0)
                job->request.cancel_after_ns = pyr_rng_below(&rng, 100000);
            if (pyr_rng_below(&rng, 10) == 0)
                job->request.total_ns = pyr_rng_below(&rng, 100000);
            job_send(&rig, job);
        } else if (what == 1 && sent > 0 && pyr_rng_below(&rng, 3) == 0) {
            pyr_serving_cancel(rig.serving, &rig.jobs[pyr_rng_below(&rng, sent)].request,
                               PYR_OUTCOME_CANCELLED, rig.now_ns);
        } else {
            step(&rig);
        }
    }
    run_to_end(&rig);
    assert_int_equal(rig.taken, sent);
    for (uint32_t i = 0; i < sent; i++) {
        const struct job *job = &rig.jobs[i];
        assert_int_equal(job->ends, 1);
        assert_int_equal(job->request.state, PYR_SERVING_IDLE);
        job_check_text(job);
        if (job->record.outcome == PYR_OUTCOME_OK)
            assert_int_equal(job->record.output_tokens, job->request.output_tokens);
    }
    rig_stop(&rig);
}

static void whatever_happens_every_request_ends_once_with_its_own_text(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++)
        one_random_life(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_requests_of_mixed_lengths_end_over_256_sequences),
        cmocka_unit_test(a_thousand_requests_of_mixed_lengths_end_over_4_sequences),
        cmocka_unit_test(every_level_of_concurrency_ends_without_an_error),
        cmocka_unit_test(a_long_prompt_does_not_keep_running_sequences_waiting),
        cmocka_unit_test(those_beyond_the_sequences_wait_and_the_wait_is_reported),
        cmocka_unit_test(a_request_can_be_cancelled_in_every_state),
        cmocka_unit_test(an_end_token_stops_a_request_unless_its_length_is_exact),
        cmocka_unit_test(a_full_queue_rejects_and_a_free_sequence_does_not),
        cmocka_unit_test(what_no_sequence_can_hold_is_too_long),
        cmocka_unit_test(a_prompt_that_no_engine_takes_fails_alone),
        cmocka_unit_test(limits_end_requests_between_steps),
        cmocka_unit_test(a_failed_decode_ends_its_batch_and_nothing_else),
        cmocka_unit_test(a_missing_row_of_logits_ends_its_own_request_only),
        cmocka_unit_test(a_full_kv_memory_delays_requests_and_changes_no_text),
        cmocka_unit_test(a_request_larger_than_all_kv_memory_fails_and_the_next_goes_on),
        cmocka_unit_test(whatever_happens_every_request_ends_once_with_its_own_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
