/* SPDX-License-Identifier: MIT
 *
 * Target local in virtual time, on a fake engine of known law: a step takes 1 us and 100 ns a row.
 */
#include "support/support.h"

#include "base/hash.h"
#include "base/mem.h"
#include "support/fake_engine.h"
#include "target/target.h"

#include <string.h>

/* In place of model/engines.c. */
const struct pyr_engine *pyr_engine_for_target(const char *target, const char **path) {
    *path = target + strlen("fake:");
    return strncmp(target, "fake:", strlen("fake:")) == 0 ? &fake_engine : NULL;
}

enum { MOST = 64, CONTEXT = 128 };

struct rig {
    struct fake_plan plan;
    uint64_t now_ns;
    struct pyr_clock clock;
    struct pyr_target *target;
    struct pyr_target_handle *handle;
    struct pyr_slot slots[MOST];
    int32_t tokens[CONTEXT];
};

static void rig_start(struct rig *rig, uint32_t sequences, uint32_t in_flight) {
    struct pyr_err err;
    *rig = (struct rig){.plan = {.mute_token = -1}, .now_ns = 1000};
    rig->clock.virtual_now_ns = &rig->now_ns;
    fake_next_plan = &rig->plan;
    struct pyr_target_config config = {.spec = "fake:",
                                       .threads = 1,
                                       .sequences = sequences,
                                       .tokens_per_sequence = CONTEXT,
                                       .virtual_now_ns = &rig->now_ns};
    assert_ok(err, pyr_target_open(&config, false, &rig->target, &err));
    struct pyr_attach attach = {.clock = &rig->clock, .max_in_flight = in_flight};
    assert_ok(err, rig->target->ops->attach(rig->target, &attach, &rig->handle, &err));
    for (int i = 0; i < CONTEXT; i++)
        rig->tokens[i] = 3 + i;
}

static void rig_stop(struct rig *rig) {
    rig->handle->ops->detach(rig->handle);
    rig->target->ops->close(rig->target);
}

static void submit(struct rig *rig, uint32_t i, uint32_t prompt, uint32_t output) {
    struct pyr_slot *slot = &rig->slots[i];
    *slot = (struct pyr_slot){.record = {.ordinal = i},
                              .prompt = {.tokens = rig->tokens, .token_count = prompt},
                              .output_tokens = output,
                              .exact_output = true,
                              .cancel_after_ns = PYR_NEVER,
                              .limits = {PYR_NEVER, PYR_NEVER, PYR_NEVER, PYR_NEVER}};
    rig->handle->ops->submit(rig->handle, slot);
}

static size_t poll_all(struct rig *rig, struct pyr_slot **done) {
    size_t count = 0, more;
    while ((more = rig->handle->ops->poll(rig->handle, done + count, MOST - count)) > 0)
        count += more;
    return count;
}

static void a_request_takes_the_time_that_its_steps_take(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_slot *done[MOST];
    rig_start(&rig, 4, 4);
    submit(&rig, 0, 10, 3);
    uint64_t expected = 1000 + (1000 + 10 * 100) + 2 * (1000 + 100);
    uint64_t steps = 0;
    while (poll_all(&rig, done) == 0) {
        struct pyr_wait wait = rig.handle->ops->wait_handle(rig.handle);
        assert_int_equal(wait.fd, -1);
        assert_true(wait.next_ns > rig.now_ns && wait.next_ns != PYR_NEVER);
        rig.now_ns = wait.next_ns;
        steps++;
    }
    assert_int_equal(steps, 3);
    const struct pyr_request *record = &rig.slots[0].record;
    assert_ptr_equal(done[0], &rig.slots[0]);
    assert_int_equal(record->outcome, PYR_OUTCOME_OK);
    assert_int_equal(rig.now_ns, expected);
    assert_int_equal(record->sent_ns, 1000);
    assert_int_equal(record->admitted_ns, 1000);
    assert_int_equal(record->prefilled_ns, 3000);
    assert_int_equal(record->first_content_ns, 3000);
    assert_int_equal(record->closed_ns, expected);
    assert_int_equal(rig.handle->ops->wait_handle(rig.handle).next_ns, PYR_NEVER);
    rig_stop(&rig);
}

static void nothing_is_given_back_before_its_instant(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_slot *done[MOST];
    rig_start(&rig, 4, 4);
    submit(&rig, 0, 10, 1);
    assert_int_equal(poll_all(&rig, done), 0); /* the step begins */
    rig.now_ns += 500;
    submit(&rig, 1, 10, 1); /* in the middle of it */
    assert_int_equal(poll_all(&rig, done), 0);
    assert_int_equal(rig.handle->ops->wait_handle(rig.handle).next_ns, 3000);
    rig.now_ns = 3000;
    assert_int_equal(poll_all(&rig, done), 1);
    rig.now_ns = rig.handle->ops->wait_handle(rig.handle).next_ns;
    assert_int_equal(rig.now_ns, 5000);
    assert_int_equal(poll_all(&rig, done), 1);
    assert_int_equal(rig.slots[1].record.sent_ns, 1500);
    assert_int_equal(rig.slots[1].record.admitted_ns, 3000);
    rig_stop(&rig);
}

static void what_is_answered_at_an_instant_joins_the_step_of_that_instant(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_slot *done[MOST];
    rig_start(&rig, 2, 2);
    submit(&rig, 0, 10, 1);
    submit(&rig, 1, 10, 5);
    assert_int_equal(poll_all(&rig, done), 0);
    rig.now_ns = rig.handle->ops->wait_handle(rig.handle).next_ns;
    assert_int_equal(rig.handle->ops->poll(rig.handle, done, MOST), 1);
    submit(&rig, 2, 10, 1); /* the closed loop's next request */
    assert_int_equal(rig.handle->ops->poll(rig.handle, done, MOST), 0);
    assert_int_equal(rig.slots[2].record.sent_ns, rig.now_ns);
    rig.now_ns = rig.handle->ops->wait_handle(rig.handle).next_ns;
    assert_int_equal(poll_all(&rig, done), 1);
    assert_int_equal(rig.slots[2].record.admitted_ns, rig.slots[2].record.sent_ns);
    rig.handle->ops->cancel(rig.handle, &rig.slots[1], PYR_OUTCOME_UNFINISHED);
    rig.now_ns = rig.handle->ops->wait_handle(rig.handle).next_ns;
    assert_int_equal(poll_all(&rig, done), 1);
    assert_int_equal(rig.slots[1].record.outcome, PYR_OUTCOME_UNFINISHED);
    rig_stop(&rig);
}

static void requests_beyond_the_sequences_queue_and_the_target_says_so(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_slot *done[MOST];
    struct pyr_target_info info;
    rig_start(&rig, 2, MOST);
    rig.target->ops->describe(rig.target, &info);
    assert_int_equal(info.sequences, 2);
    assert_non_null(strstr(info.notes, "64 requests at once are served by 2 sequences"));
    for (uint32_t i = 0; i < MOST; i++)
        submit(&rig, i, 4, 4);
    size_t ended = 0;
    while (ended < MOST) {
        ended += poll_all(&rig, done);
        if (ended < MOST)
            rig.now_ns = rig.handle->ops->wait_handle(rig.handle).next_ns;
    }
    for (uint32_t i = 1; i < MOST; i++)
        assert_true(rig.slots[i].record.admitted_ns >= rig.slots[i - 1].record.admitted_ns);
    assert_true(rig.slots[MOST - 1].record.admitted_ns > rig.slots[MOST - 1].record.sent_ns);
    rig_stop(&rig);
}

static void unknown_options_and_a_second_thread_are_refused(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_err err;
    rig_start(&rig, 2, 2);
    struct pyr_attach attach = {.clock = &rig.clock, .max_in_flight = 1};
    struct pyr_target_handle *second;
    assert_false(rig.target->ops->attach(rig.target, &attach, &second, &err));
    assert_non_null(strstr(err.text, "driven by one thread"));
    struct pyr_target *target;
    struct pyr_option option = {"colour", "red"};
    struct pyr_target_config config = {
        .spec = "fake:", .options = &option, .option_count = 1, .virtual_now_ns = &rig.now_ns};
    assert_false(pyr_target_open(&config, false, &target, &err));
    assert_non_null(strstr(err.text, "colour"));
    option = (struct pyr_option){"prefill_tokens", "0"};
    assert_false(pyr_target_open(&config, false, &target, &err));
    assert_non_null(strstr(err.text, "prefill_tokens"));
    config.option_count = 0;
    config.virtual_now_ns = NULL;
    assert_false(pyr_target_open(&config, false, &target, &err));
    assert_non_null(strstr(err.text, "virtual time"));
    config.spec = "/nowhere/model.gguf";
    assert_false(pyr_target_open(&config, false, &target, &err));
    assert_non_null(strstr(err.text, "/nowhere/model.gguf"));
    rig_stop(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_takes_the_time_that_its_steps_take),
        cmocka_unit_test(nothing_is_given_back_before_its_instant),
        cmocka_unit_test(what_is_answered_at_an_instant_joins_the_step_of_that_instant),
        cmocka_unit_test(requests_beyond_the_sequences_queue_and_the_target_says_so),
        cmocka_unit_test(unknown_options_and_a_second_thread_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
