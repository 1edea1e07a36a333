/* SPDX-License-Identifier: MIT
 *
 * Target local in real time: the hand-over between load and the engine's thread, which the thread
 * sanitizer watches (label: threads).
 */
#include "support/support.h"

#include "base/hash.h"
#include "base/mem.h"
#include "record/recorder.h"
#include "support/fake_engine.h"
#include "target/target.h"

#include <poll.h>
#include <string.h>

/* In place of model/engines.c. */
const struct pyr_engine *pyr_engine_for_target(const char *target, const char **path) {
    *path = target + strlen("fake:");
    return strncmp(target, "fake:", strlen("fake:")) == 0 ? &fake_engine : NULL;
}

enum { MOST = 64, CONTEXT = 64, PROMPT = 20 };

struct rig {
    struct fake_plan plan;
    struct pyr_clock clock;
    struct pyr_recorder *recorder;
    struct pyr_target *target;
    struct pyr_target_handle *handle;
    struct pyr_slot slots[MOST];
    int32_t tokens[MOST][PROMPT];
    uint32_t sent, ended;
};

static void rig_start(struct rig *rig, uint32_t in_flight) {
    struct pyr_err err;
    *rig = (struct rig){.plan = {.mute_token = -1, .real_time = true}};
    fake_next_plan = &rig->plan;
    struct pyr_recorder_config recorder = {.lanes = 2};
    assert_ok(err, pyr_recorder_open(&recorder, &rig->clock, &rig->recorder, &err));
    struct pyr_target_config config = {
        .spec = "fake:", .threads = 1, .sequences = 16, .tokens_per_sequence = CONTEXT};
    assert_ok(err, pyr_target_open(&config, false, &rig->target, &err));
    struct pyr_attach attach = {.clock = &rig->clock,
                                .max_in_flight = in_flight,
                                .lane = pyr_recorder_lane(rig->recorder, 0),
                                .engine_lane = pyr_recorder_lane(rig->recorder, 1)};
    assert_ok(err, rig->target->ops->attach(rig->target, &attach, &rig->handle, &err));
}

static void rig_stop(struct rig *rig) {
    struct pyr_err err;
    rig->handle->ops->detach(rig->handle);
    rig->target->ops->close(rig->target);
    assert_ok(err, pyr_recorder_close(rig->recorder, &err));
}

static void submit(struct rig *rig, uint32_t i, uint32_t output) {
    struct pyr_slot *slot = &rig->slots[i];
    uint32_t ordinal = rig->sent++;
    for (uint32_t k = 0; k < PROMPT; k++)
        rig->tokens[i][k] = 3 + (int32_t)((ordinal * 31 + k * 7) % (FAKE_VOCABULARY - 3));
    *slot =
        (struct pyr_slot){.record = {.ordinal = ordinal},
                          .prompt = {.tokens = rig->tokens[i], .token_count = 1 + ordinal % PROMPT},
                          .output_tokens = output,
                          .exact_output = true,
                          .capture_text = ordinal % 5 == 0,
                          .cancel_after_ns = PYR_NEVER,
                          .limits = {PYR_NEVER, PYR_NEVER, PYR_NEVER, PYR_NEVER}};
    rig->handle->ops->submit(rig->handle, slot);
}

static void check(const struct pyr_slot *slot) {
    char text[CONTEXT * 3 + 1];
    int32_t expected[CONTEXT];
    uint32_t count = slot->record.output_tokens;
    fake_output(slot->prompt.tokens, slot->prompt.token_count, expected, count);
    for (uint32_t i = 0; i < count; i++)
        snprintf(text + (size_t)3 * i, 4, "%03d", expected[i]);
    if (count > 0)
        assert_true(slot->record.text_hash ==
                    pyr_fnv1a64(PYR_FNV1A64_INIT, text, (size_t)3 * count));
    if (slot->record.admitted_ns > 0)
        assert_true(slot->record.sent_ns <= slot->record.admitted_ns);
    assert_true(slot->record.sent_ns <= slot->record.closed_ns);
    if (slot->capture_text) {
        assert_int_equal(slot->text_bytes, 3 * count);
        assert_memory_equal(slot->text, text, (size_t)3 * count);
    }
    if (slot->record.outcome == PYR_OUTCOME_OK)
        assert_int_equal(count, slot->output_tokens);
    else
        assert_int_equal(slot->record.outcome, PYR_OUTCOME_CANCELLED);
}

/* Sleeps as load does: only when poll had nothing. */
static size_t wait_and_poll(struct rig *rig, struct pyr_slot **done, size_t capacity) {
    for (;;) {
        size_t count = rig->handle->ops->poll(rig->handle, done, capacity);
        if (count > 0)
            return count;
        struct pyr_wait wait = rig->handle->ops->wait_handle(rig->handle);
        if (wait.next_ns == PYR_NEVER) {
            struct pollfd fd = {.fd = wait.fd, .events = POLLIN};
            assert_int_equal(poll(&fd, 1, 20000), 1);
        }
    }
}

static void requests_go_over_and_come_back_at_every_level(void **state) {
    (void)state;
    static const uint32_t levels[] = {1, 2, 7, MOST};
    for (size_t level = 0; level < sizeof levels / sizeof *levels; level++) {
        struct rig rig;
        struct pyr_slot *done[MOST];
        enum { TOTAL = 1500 };
        rig_start(&rig, levels[level]);
        for (uint32_t i = 0; i < levels[level]; i++)
            submit(&rig, i, 1 + i % 9);
        while (rig.ended < TOTAL) {
            size_t count = wait_and_poll(&rig, done, MOST);
            for (size_t i = 0; i < count; i++) {
                check(done[i]);
                rig.ended++;
                if (rig.sent < TOTAL)
                    submit(&rig, (uint32_t)(done[i] - rig.slots), 1 + rig.sent % 9);
            }
        }
        assert_int_equal(rig.sent, rig.ended);
        pyr_recorder_flush(rig.recorder);
        struct pyr_recorder_counts counts = pyr_recorder_counts(rig.recorder);
        assert_int_equal(counts.steps, rig.plan.decodes);
        assert_in_range(counts.steps, counts.chunks / levels[level], counts.chunks);
        rig_stop(&rig);
    }
}

static void cancels_race_with_ends_and_each_slot_comes_back_once(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_slot *done[MOST];
    enum { TOTAL = 2000 };
    struct pyr_rng {
        uint32_t x;
    } rng = {12345};
    bool out[MOST] = {false};
    rig_start(&rig, MOST);
    while (rig.ended < TOTAL) {
        for (uint32_t i = 0; i < MOST && rig.sent < TOTAL; i++) {
            if (!out[i]) {
                submit(&rig, i, 1 + i % 30);
                out[i] = true;
            }
        }
        for (int k = 0; k < 8; k++) {
            rng.x = rng.x * 1664525 + 1013904223;
            uint32_t i = rng.x >> 26;
            if (out[i])
                rig.handle->ops->cancel(rig.handle, &rig.slots[i], PYR_OUTCOME_CANCELLED);
        }
        size_t count = wait_and_poll(&rig, done, MOST);
        for (size_t i = 0; i < count; i++) {
            uint32_t slot = (uint32_t)(done[i] - rig.slots);
            assert_true(out[slot]);
            out[slot] = false;
            check(done[i]);
            rig.ended++;
        }
    }
    rig_stop(&rig);
}

static void an_idle_engine_sleeps_until_it_is_asked_to_end(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct rig rig;
        rig_start(&rig, 1);
        rig_stop(&rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_go_over_and_come_back_at_every_level),
        cmocka_unit_test(cancels_race_with_ends_and_each_slot_comes_back_once),
        cmocka_unit_test(an_idle_engine_sleeps_until_it_is_asked_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
