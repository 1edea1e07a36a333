/* SPDX-License-Identifier: MIT */
#include "support/serving_rig.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

void rig_start(struct rig *rig, struct fake_plan plan, struct pyr_serving_config config) {
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

void rig_stop(struct rig *rig) {
    pyr_serving_destroy(rig->serving);
    pyr_pieces_destroy(rig->pieces);
    pyr_free(rig->jobs);
}

struct job *job_make(struct rig *rig, uint32_t ordinal, uint32_t prompt_tokens,
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

struct job *job_mixed(struct rig *rig, uint32_t ordinal) {
    return job_make(rig, ordinal, 1 + (uint32_t)pyr_rng_below(&rig->rng, PROMPT_MOST),
                    1 + (uint32_t)pyr_rng_below(&rig->rng, OUTPUT_MOST));
}

void job_send(struct rig *rig, struct job *job) {
    job->record.sent_ns = rig->now_ns;
    pyr_serving_submit(rig->serving, &job->request, rig->now_ns);
}

void job_check_text(const struct job *job) {
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

void job_check_stamps(const struct job *job) {
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

void rig_step(struct rig *rig) {
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
    for (uint32_t i = 0; !rig->may_skip && i < MOST && after.preempted == before.preempted; i++) {
        const struct job *job = &rig->jobs[i];
        if (had[i] > 0 && job->request.state != PYR_SERVING_FINISHED)
            assert_int_equal(job->record.output_tokens, had[i] + 1);
    }
    if (after.decode_rows > before.decode_rows)
        assert_true(after.prompt_rows - before.prompt_rows <= rig->info.prefill_tokens);
    take_finished(rig);
}

void rig_run_to_end(struct rig *rig) {
    for (uint32_t steps = 0; pyr_serving_has_work(rig->serving); steps++) {
        assert_true(steps < 1000000);
        rig_step(rig);
    }
    take_finished(rig);
    assert_int_equal(rig->plan.held, 0);
}
