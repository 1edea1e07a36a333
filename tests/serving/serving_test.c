/* SPDX-License-Identifier: MIT */
#include "support/serving_rig.h"

#include "base/fs.h"
#include "record/runfile.h"

#include <string.h>
#include <unistd.h>

/* --- order and fairness ---------------------------------------------------------------------- */

static void mixed_load(uint32_t requests, uint32_t sequences) {
    struct rig rig;
    rig_start(&rig, (struct fake_plan){.sequences = 0},
              (struct pyr_serving_config){.sequences = sequences});
    for (uint32_t i = 0; i < requests; i++)
        job_send(&rig, job_mixed(&rig, i));
    rig_run_to_end(&rig);
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
    rig_step(&rig);
    job_send(&rig, job_make(&rig, 1, 300, 4));
    uint64_t before = rig.jobs[0].record.output_tokens, steps = 0;
    while (rig.jobs[1].record.output_tokens == 0) {
        rig_step(&rig);
        steps++;
    }
    assert_int_equal(steps, (300 + 7) / 8);
    assert_int_equal(rig.jobs[0].record.output_tokens, before + steps);
    rig_run_to_end(&rig);
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
    rig_run_to_end(&rig);
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
    rig_step(&rig);
    rig_step(&rig);
    assert_int_equal(decoding->request.state, PYR_SERVING_DECODING);
    assert_int_equal(prefilling->request.state, PYR_SERVING_PREFILLING);
    assert_int_equal(queued->request.state, PYR_SERVING_QUEUED);
    pyr_serving_cancel(rig.serving, &queued->request, PYR_OUTCOME_CANCELLED, rig.now_ns);
    pyr_serving_cancel(rig.serving, &prefilling->request, PYR_OUTCOME_UNFINISHED, rig.now_ns);
    pyr_serving_cancel(rig.serving, &decoding->request, PYR_OUTCOME_TIMEOUT_TOTAL, rig.now_ns);
    pyr_serving_cancel(rig.serving, &decoding->request, PYR_OUTCOME_CANCELLED, rig.now_ns);
    rig_run_to_end(&rig);
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
    rig_run_to_end(&rig);
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
    rig_run_to_end(&rig);
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
    rig_run_to_end(&rig);
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
    rig_run_to_end(&rig);
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
    rig_run_to_end(&rig);
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
    rig_run_to_end(&rig);
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
    rig_run_to_end(&rig);
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
    rig_run_to_end(&rig);
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
    rig_run_to_end(&rig);
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
            rig_step(&rig);
        }
    }
    rig_run_to_end(&rig);
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

/* --- steps
 * ---------------------------------------------------------------------------------------- */

/* The steps of a run file, and the tokens of its chunks' requests. */
struct seen_steps {
    struct pyr_step step[20000];
    uint32_t count;
};

static void read_steps(const char *path, struct seen_steps *seen) {
    struct pyr_runfile *file;
    struct pyr_block block;
    struct pyr_err err;
    seen->count = 0;
    assert_ok(err, pyr_runfile_open(path, &file, &err));
    while (pyr_runfile_next(file, &block)) {
        if (block.type != PYR_BLOCK_STEPS)
            continue;
        assert_true(seen->count + block.count <= sizeof seen->step / sizeof *seen->step);
        memcpy(seen->step + seen->count, block.items, block.count * sizeof *seen->step);
        seen->count += (uint32_t)block.count;
    }
    assert_null(pyr_runfile_partial(file));
    pyr_runfile_close(file);
}

/* The step in which a token was known at that instant: steps of the fake engine follow each other,
 * and in virtual time its tokens are stamped with its end. */
static const struct pyr_step *step_of(const struct seen_steps *seen, uint64_t token_ns) {
    for (uint32_t i = 0; i < seen->count; i++)
        if (seen->step[i].end_ns == token_ns)
            return &seen->step[i];
    return NULL;
}

static void check_steps(const struct rig *rig, const struct seen_steps *seen, uint32_t jobs) {
    struct pyr_serving_counters counters, sum = {0};
    uint32_t failed = 0;
    pyr_serving_counters(rig->serving, &counters);
    assert_int_equal(seen->count, counters.steps);
    for (uint32_t i = 0; i < seen->count; i++) {
        const struct pyr_step *step = &seen->step[i];
        assert_true(i == 0 || step->start_ns >= seen->step[i - 1].end_ns);
        if (!(step->flags & PYR_STEP_FAILED))
            assert_int_equal(step->end_ns - step->start_ns,
                             1000 + 100 * (step->prompt_rows + step->decode_rows));
        assert_in_range(step->sequences, 1, rig->info.sequences);
        assert_int_equal(step->choosing_code, 0);
        failed += step->flags & PYR_STEP_FAILED;
        sum.preempted += step->preempted;
        sum.prompt_rows += step->flags & PYR_STEP_FAILED ? 0 : step->prompt_rows;
        sum.decode_rows += step->flags & PYR_STEP_FAILED ? 0 : step->decode_rows;
    }
    assert_int_equal(failed, 1);
    assert_int_equal(sum.prompt_rows, counters.prompt_rows);
    assert_int_equal(sum.decode_rows, counters.decode_rows);
    assert_int_equal(sum.preempted, counters.preempted);
    assert_true(sum.preempted > 0);
    for (uint32_t i = 0; i < jobs; i++) {
        const struct pyr_request *record = &rig->jobs[i].record;
        assert_non_null(step_of(seen, record->closed_ns)); /* its last token, or the failure */
        if (record->first_content_ns)
            assert_non_null(step_of(seen, record->first_content_ns));
    }
}

static void each_step_is_kept_with_what_was_in_it(void **state) {
    (void)state;
    static struct seen_steps seen;
    char dir[256], path[300];
    struct pyr_err err;
    uint64_t recorder_ns = 1;
    const struct pyr_clock clock = {&recorder_ns};
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/run.pyr", dir);
    struct pyr_recorder *recorder;
    const struct pyr_recorder_config config = {
        .path = path, .lanes = 1, .chunk_slots = 64, .inline_writer = true};
    assert_ok(err, pyr_recorder_open(&config, &clock, &recorder, &err));
    struct rig rig;
    enum { JOBS = 200 };
    rig_start(&rig, (struct fake_plan){.kv_tokens = 1500, .fail_decode = 40},
              (struct pyr_serving_config){.sequences = 16,
                                          .lane = pyr_recorder_lane(recorder, 0),
                                          .policy = {.batch_tokens = 64}});
    for (uint32_t i = 0; i < JOBS; i++)
        job_send(&rig, job_mixed(&rig, i));
    rig_run_to_end(&rig);
    assert_ok(err, pyr_recorder_close(recorder, &err));
    read_steps(path, &seen);
    check_steps(&rig, &seen, JOBS);
    rig_stop(&rig);
    unlink(path);
    rmdir(dir);
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
        cmocka_unit_test(each_step_is_kept_with_what_was_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
