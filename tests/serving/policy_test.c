/* SPDX-License-Identifier: MIT
 *
 * What holds under every policy, over the table of those that there are and over some that are made
 * here to see whether the port carries them: chunked prefill before decode, the shortest prompt
 * first with ageing, priorities, and one that tries to break the rules.
 */
#include "support/serving_rig.h"

#include "base/mem.h"
#include "serving/policy.h"
#include "target/loaded.h"

#include <string.h>

/* In place of model/engines.c. */
const struct pyr_engine *pyr_engine_for_target(const char *target, const char **path) {
    *path = target + strlen("fake:");
    return strncmp(target, "fake:", strlen("fake:")) == 0 ? &fake_engine : NULL;
}

/* --- policies of the test -------------------------------------------------------------------- */

/* While a prompt is under way nothing else is, in steps of `chunk` rows; then all decode. */
struct prefill_first {
    uint64_t chunk;
    uint64_t calls;
};

static const struct pyr_option_row prefill_first_rows[] = {
    {.key = "chunk",
     .kind = PYR_OPTION_WHOLE,
     .offset = offsetof(struct prefill_first, chunk),
     .least = 1,
     .most = 65536,
     .help = "prompt rows of a step"},
};
static const struct pyr_option_table prefill_first_options =
    PYR_OPTION_TABLE("policy prefill", prefill_first_rows);

static void prefill_first_plan(void *state, struct pyr_policy_step *step) {
    struct prefill_first *own = state;
    uint32_t room = (uint32_t)own->chunk;
    own->calls++;
    if (step->queue->first)
        pyr_policy_admit(step, step->queue->first);
    for (uint32_t i = 0; i < step->running && room > 0; i++)
        if (pyr_policy_running(step, i)->request->state == PYR_SERVING_PREFILLING)
            room -= pyr_policy_give(step, i, room);
    if (step->rows == 0)
        pyr_policy_decode(step);
}

static const struct pyr_policy prefill_first = {
    .name = "prefill",
    .summary = "prompts before answers",
    .state_bytes = sizeof(struct prefill_first),
    .defaults = &(const struct prefill_first){.chunk = 32},
    .options = &prefill_first_options,
    .plan = prefill_first_plan,
};

/* The waiting request with the least of what `rank` says. */
static struct pyr_serving_request *least(const struct pyr_policy_step *step,
                                         double (*rank)(const struct pyr_serving_request *request,
                                                        uint64_t now_ns)) {
    struct pyr_serving_request *best = step->queue->first;
    for (struct pyr_serving_request *one = best; one; one = one->next)
        if (rank(one, step->now_ns) < rank(best, step->now_ns))
            best = one;
    return best;
}

static void plan_by_rank(struct pyr_policy_step *step,
                         double (*rank)(const struct pyr_serving_request *request,
                                        uint64_t now_ns)) {
    pyr_policy_decode(step);
    uint32_t room = step->batch_tokens - step->rows;
    if (step->rows > 0 && room > step->prefill_tokens)
        room = step->prefill_tokens;
    for (uint32_t i = 0; room > 0; i++) {
        struct pyr_serving_request *next = least(step, rank);
        if (i == step->running && !(next && pyr_policy_admit(step, next)))
            break;
        room -= pyr_policy_give(step, i, room);
    }
}

/* A token less for each microsecond of waiting. */
static double shortest(const struct pyr_serving_request *request, uint64_t now_ns) {
    return request->prompt_tokens - (double)(now_ns - request->record->sent_ns) * 1e-3;
}

static void shortest_plan(void *state, struct pyr_policy_step *step) {
    (void)state;
    plan_by_rank(step, shortest);
}

static double urgent(const struct pyr_serving_request *request, uint64_t now_ns) {
    (void)now_ns;
    return -request->priority;
}

static void urgent_plan(void *state, struct pyr_policy_step *step) {
    (void)state;
    plan_by_rank(step, urgent);
}

/* Asks for more than there is, of all, again and again. */
static void greedy_plan(void *state, struct pyr_policy_step *step) {
    (void)state;
    while (step->queue->last && pyr_policy_admit(step, step->queue->last)) {
    }
    for (int again = 0; again < 2; again++)
        for (uint32_t i = 0; i < step->running; i++)
            pyr_policy_give(step, i, UINT32_MAX);
}

static const struct pyr_policy shortest_first = {"shortest", "", 0, NULL, NULL, shortest_plan};
static const struct pyr_policy urgent_first = {"urgent", "", 0, NULL, NULL, urgent_plan};
static const struct pyr_policy greedy = {"greedy", "", 0, NULL, NULL, greedy_plan};

/* --- what holds under all -------------------------------------------------------------------- */

static void every_request_ends_well(const struct pyr_policy *policy, uint64_t seed) {
    struct rig rig;
    struct pyr_rng rng;
    enum { REQUESTS = 150 };
    pyr_rng_init(&rng, seed);
    rig_start(
        &rig,
        (struct fake_plan){.kv_tokens = seed % 2 ? 0 : 400 + (uint32_t)pyr_rng_below(&rng, 2000)},
        (struct pyr_serving_config){
            .sequences = 1 + (uint32_t)pyr_rng_below(&rng, 40),
            .policy = {.batch_tokens = 1 + (uint32_t)pyr_rng_below(&rng, 200),
                       /* The greedy one keeps to no such wish. */
                       .prefill_tokens =
                           policy == &greedy ? 0 : 1 + (uint32_t)pyr_rng_below(&rng, 100),
                       .kind = policy}});
    assert_string_equal(rig.info.policy, policy->name);
    rig.may_skip = true;
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct job *job = job_mixed(&rig, i);
        job->request.priority = (int32_t)pyr_rng_below(&rng, 3);
        job_send(&rig, job);
        if (pyr_rng_below(&rng, 2))
            rig_step(&rig);
    }
    rig_run_to_end(&rig);
    assert_int_equal(rig.taken, REQUESTS);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        const struct job *job = &rig.jobs[i];
        assert_int_equal(job->ends, 1);
        assert_int_equal(job->record.outcome, PYR_OUTCOME_OK);
        assert_int_equal(job->record.output_tokens, job->request.output_tokens);
        job_check_text(job);
        job_check_stamps(job);
    }
    rig_stop(&rig);
}

static void under_every_policy_requests_end_with_the_text_they_have_alone(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        for (size_t i = 0; pyr_policies[i]; i++)
            every_request_ends_well(pyr_policies[i], seed);
}

static void the_port_carries_what_is_to_come(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        every_request_ends_well(&prefill_first, seed);
        every_request_ends_well(&shortest_first, seed);
        every_request_ends_well(&urgent_first, seed);
        every_request_ends_well(&greedy, seed);
    }
}

/* --- what each is for ------------------------------------------------------------------------ */

static void start_one_at_a_time(struct rig *rig, const struct pyr_policy *policy,
                                const void *state) {
    rig_start(
        rig, (struct fake_plan){.sequences = 1},
        (struct pyr_serving_config){.sequences = 1, .policy = {.kind = policy, .state = state}});
    rig->may_skip = true;
}

static void a_policy_chooses_who_is_admitted_next(void **state) {
    (void)state;
    const struct pyr_policy *const kinds[] = {pyr_policies[0], &shortest_first, &urgent_first};
    const uint32_t second[] = {1, 3, 2}; /* after the first, which runs already */
    for (int k = 0; k < 3; k++) {
        struct rig rig;
        start_one_at_a_time(&rig, kinds[k], NULL);
        job_send(&rig, job_make(&rig, 0, 10, 2));
        rig_step(&rig);
        job_send(&rig, job_make(&rig, 1, 200, 2));
        job_send(&rig, job_make(&rig, 2, 100, 2));
        job_send(&rig, job_make(&rig, 3, 50, 2));
        rig.jobs[2].request.priority = 1;
        while (rig.taken < 2)
            rig_step(&rig);
        for (uint32_t i = 1; i <= 3; i++)
            assert_int_equal(rig.jobs[i].ends, i == second[k]);
        rig_run_to_end(&rig);
        rig_stop(&rig);
    }
}

static void who_waits_long_enough_comes_before_shorter_ones(void **state) {
    (void)state;
    struct rig rig;
    start_one_at_a_time(&rig, &shortest_first, NULL);
    job_send(&rig, job_make(&rig, 0, 300, 60));
    job_send(&rig, job_make(&rig, 1, 100, 2));
    rig_step(&rig);
    while (rig.taken < 1)
        rig_step(&rig); /* far more than 100 microseconds */
    job_send(&rig, job_make(&rig, 2, 3, 2));
    rig_run_to_end(&rig);
    assert_true(rig.jobs[1].record.closed_ns < rig.jobs[2].record.admitted_ns + 1);
    rig_stop(&rig);
}

static void an_option_of_a_policy_is_part_of_its_state(void **state) {
    (void)state;
    const struct pyr_option chunk = {.key = "chunk", .value = "5"};
    const struct pyr_option odd = {.key = "chonk", .value = "5"};
    struct pyr_err err;
    void *own;
    assert_ok(err, pyr_policy_state(&prefill_first, &chunk, 1, &own, &err));
    struct rig rig;
    start_one_at_a_time(&rig, &prefill_first, own);
    job_send(&rig, job_make(&rig, 0, 51, 1));
    uint32_t steps = 0;
    for (; rig.taken == 0; steps++)
        rig_step(&rig);
    assert_int_equal(steps, 11);
    assert_int_equal(((struct prefill_first *)own)->calls, 0); /* each serving has its own */
    rig_stop(&rig);
    pyr_free(own);
    assert_false(pyr_policy_state(&prefill_first, &odd, 1, &own, &err));
    assert_non_null(strstr(err.text, "did you mean chunk"));
    assert_false(pyr_policy_state(pyr_policies[0], &chunk, 1, &own, &err));
    assert_string_equal(err.text, "policy.chunk: the policy fifo has no options");
}

/* --- by name --------------------------------------------------------------------------------- */

static void a_target_option_names_the_policy(void **state) {
    (void)state;
    struct fake_plan plan = {.mute_token = -1};
    struct pyr_option options[] = {{"policy", "fifo"}, {"policy.age", "1"}};
    struct pyr_target_config config = {.spec = "fake:", .options = options, .option_count = 1};
    struct pyr_serving_config serving;
    struct pyr_loaded loaded;
    struct pyr_err err;
    fake_next_plan = &plan;
    assert_ok(err, pyr_loaded_open(&config, &loaded, &err));
    pyr_loaded_serving_config(&loaded, &config, 1, &serving);
    assert_string_equal(serving.policy.kind->name, "fifo");
    pyr_loaded_close(&loaded);
    config.option_count = 2;
    assert_false(pyr_loaded_open(&config, &loaded, &err));
    assert_string_equal(err.text, "policy.age: the policy fifo has no options");
    config.option_count = 1;
    options[0].value = "fife";
    assert_false(pyr_loaded_open(&config, &loaded, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
    assert_string_equal(err.text,
                        "policy=fife: there is no such policy; did you mean fifo; there are: fifo");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(under_every_policy_requests_end_with_the_text_they_have_alone),
        cmocka_unit_test(the_port_carries_what_is_to_come),
        cmocka_unit_test(a_policy_chooses_who_is_admitted_next),
        cmocka_unit_test(who_waits_long_enough_comes_before_shorter_ones),
        cmocka_unit_test(an_option_of_a_policy_is_part_of_its_state),
        cmocka_unit_test(a_target_option_names_the_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
