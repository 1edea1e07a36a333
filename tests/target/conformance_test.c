/* SPDX-License-Identifier: MIT
 *
 * What every target does, whatever it is: one row of `kinds` each. This program is its own worker
 * process. label: threads
 */
#include "support/support.h"

#include "base/mem.h"
#include "record/recorder.h"
#include "target/target.h"
#include "target/worker_main.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

struct kind {
    const char *spec;
    bool isolate, is_virtual;
    bool serves; /* there is an engine behind it: limits, lengths and cancellation mean something */
    uint32_t level_most; /* of the levels that end within the time of a test */
};

static const struct kind kinds[] = {
    {"null:direct", false, false, false, 1000},
    {"sim:step_ms=0.1,per_seq_ms=0.01,prefill_tok_s=1000000", false, true, true, 1000},
    {"sim:real=1,step_ms=0.05,per_seq_ms=0.001,prefill_tok_s=10000000", false, false, true, 200},
    {"null:", false, false, true, 1000},
    {"sim:real=1,step_ms=0.05,per_seq_ms=0.001,prefill_tok_s=10000000", true, false, true, 200},
    {"null:", true, false, true, 1000},
};
enum { KINDS = sizeof kinds / sizeof *kinds, MOST = 1000, CONTEXT = 200, PROMPT = 100 };

struct rig {
    const struct kind *kind;
    uint64_t now_ns; /* virtual time */
    struct pyr_clock clock;
    struct pyr_recorder *recorder;
    struct pyr_target *target;
    struct pyr_target_handle *handle;
    struct pyr_target_info info;
    struct pyr_slot *slots; /* (MOST) */
    int32_t (*prompts)[PROMPT];
    bool out[MOST]; /* in the target's hands */
    uint32_t ordinal;
    uint64_t ended, tokens;
};

static void attach(struct rig *rig, uint32_t in_flight) {
    struct pyr_err err;
    struct pyr_attach attach = {.clock = &rig->clock,
                                .max_in_flight = in_flight,
                                .lane = pyr_recorder_lane(rig->recorder, 0),
                                .engine_lane = pyr_recorder_lane(rig->recorder, 1)};
    assert_ok(err, rig->target->ops->attach(rig->target, &attach, &rig->handle, &err));
    rig->target->ops->describe(rig->target, &rig->info);
}

static void rig_start(struct rig *rig, const struct kind *kind, uint32_t in_flight) {
    struct pyr_err err;
    *rig = (struct rig){.kind = kind, .now_ns = 1000000};
    if (kind->is_virtual)
        rig->clock.virtual_now_ns = &rig->now_ns;
    struct pyr_recorder_config recorder = {.lanes = 2, .inline_writer = kind->is_virtual};
    assert_ok(err, pyr_recorder_open(&recorder, &rig->clock, &rig->recorder, &err));
    struct pyr_target_config config = {.spec = kind->spec,
                                       .threads = 1,
                                       .sequences = 32,
                                       .tokens_per_sequence = CONTEXT,
                                       .seed = 7,
                                       .virtual_now_ns = kind->is_virtual ? &rig->now_ns : NULL};
    assert_ok(err, pyr_target_open(&config, kind->isolate, &rig->target, &err));
    attach(rig, in_flight);
    rig->slots = pyr_xcalloc(MOST, sizeof *rig->slots);
    rig->prompts = pyr_xcalloc(MOST, sizeof *rig->prompts);
}

static void rig_stop(struct rig *rig) {
    struct pyr_err err;
    pyr_recorder_flush(rig->recorder);
    assert_int_equal(pyr_recorder_counts(rig->recorder).chunks, rig->tokens);
    rig->handle->ops->detach(rig->handle);
    rig->target->ops->close(rig->target);
    assert_ok(err, pyr_recorder_close(rig->recorder, &err));
    pyr_free(rig->prompts);
    pyr_free(rig->slots);
}

/* Request number `text`, whose prompt depends on that number alone, in slot i. */
static struct pyr_slot *prepare(struct rig *rig, uint32_t i, uint32_t text, uint32_t prompt,
                                uint32_t output) {
    struct pyr_slot *slot = &rig->slots[i];
    for (uint32_t k = 0; k < PROMPT; k++)
        rig->prompts[i][k] = 1 + (int32_t)((text * 7 + k * 3 + text / 20) % 26);
    *slot = (struct pyr_slot){.record = {.ordinal = rig->ordinal++, .phase = 5, .session = 9},
                              .prompt = {.tokens = rig->prompts[i], .token_count = prompt},
                              .output_tokens = output,
                              .exact_output = true,
                              .cancel_after_ns = PYR_NEVER,
                              .limits = {PYR_NEVER, PYR_NEVER, PYR_NEVER, PYR_NEVER}};
    return slot;
}

static void submit(struct rig *rig, struct pyr_slot *slot) {
    rig->out[slot - rig->slots] = true;
    rig->handle->ops->submit(rig->handle, slot);
}

static void check(struct rig *rig, const struct pyr_slot *slot) {
    const struct pyr_request *record = &slot->record;
    uint64_t now_ns = pyr_now_ns(&rig->clock);
    assert_true(rig->out[slot - rig->slots]);
    rig->out[slot - rig->slots] = false;
    rig->ended++;
    rig->tokens += record->chunks;
    assert_int_equal(record->phase, 5);
    assert_int_equal(record->session, 9);
    assert_true(record->sent_ns > 0 && record->sent_ns <= record->closed_ns);
    assert_true(record->closed_ns <= now_ns);
    if (record->outcome != PYR_OUTCOME_OK) {
        if (record->outcome != PYR_OUTCOME_CANCELLED)
            assert_non_null(slot->error_text);
        return;
    }
    assert_int_equal(record->output_tokens, slot->output_tokens);
    assert_int_equal(record->asked_tokens, slot->output_tokens);
    assert_int_equal(record->prompt_tokens, slot->prompt.token_count);
    assert_true(record->flags & PYR_REQUEST_STREAMED);
    assert_true(record->sent_ns <= record->admitted_ns);
    assert_true(record->admitted_ns <= record->prefilled_ns);
    assert_true(record->prefilled_ns <= record->first_content_ns);
    assert_true(record->first_content_ns <= record->last_content_ns);
    assert_true(record->last_content_ns <= record->closed_ns);
    assert_true(record->text_hash != 0 && record->output_bytes > 0);
}

/* Waits as load does; gives the slots that came back, at least one. */
static size_t pump(struct rig *rig, struct pyr_slot **done, size_t capacity) {
    for (;;) {
        size_t count = rig->handle->ops->poll(rig->handle, done, capacity);
        assert_true(count <= capacity);
        for (size_t i = 0; i < count; i++)
            check(rig, done[i]);
        if (count > 0)
            return count;
        struct pyr_wait wait = rig->handle->ops->wait_handle(rig->handle);
        if (rig->kind->is_virtual) {
            assert_true(wait.next_ns != PYR_NEVER);
            rig->now_ns = wait.next_ns > rig->now_ns ? wait.next_ns : rig->now_ns;
        } else if (wait.next_ns == PYR_NEVER) {
            struct pollfd fd = {.fd = wait.fd, .events = POLLIN};
            assert_int_equal(poll(&fd, 1, 30000), 1);
        }
    }
}

static void finish_all(struct rig *rig, uint64_t until) {
    struct pyr_slot *done[MOST];
    while (rig->ended < until)
        pump(rig, done, MOST);
    assert_int_equal(rig->handle->ops->poll(rig->handle, done, MOST), 0);
}

static void every_slot_comes_back_once_at_every_level(const struct kind *kind) {
    static const uint32_t levels[] = {1, 2, 4, 8, 16, 32, 50, 100, 200, 1000};
    struct rig rig;
    rig_start(&rig, kind, MOST);
    uint64_t sent = 0;
    for (size_t k = 0; k < sizeof levels / sizeof *levels; k++) {
        if (levels[k] > kind->level_most)
            break;
        for (uint32_t i = 0; i < levels[k]; i++, sent++)
            submit(&rig, prepare(&rig, i, i, 1 + (i * 13) % PROMPT, 1 + i % 20));
        finish_all(&rig, sent);
        for (uint32_t i = 0; i < levels[k]; i++)
            assert_int_equal(rig.slots[i].record.outcome, PYR_OUTCOME_OK);
    }
    rig_stop(&rig);
}

static void a_closed_loop_goes_round(const struct kind *kind) {
    struct rig rig;
    struct pyr_slot *done[3]; /* fewer than come back at once */
    enum { TOTAL = 400, USERS = 16 };
    rig_start(&rig, kind, USERS);
    uint64_t sent = 0;
    for (; sent < USERS; sent++)
        submit(&rig, prepare(&rig, (uint32_t)sent, (uint32_t)sent, 5, 3));
    while (rig.ended < TOTAL) {
        size_t count = pump(&rig, done, 3);
        for (size_t i = 0; i < count && sent < TOTAL; i++, sent++)
            submit(&rig,
                   prepare(&rig, (uint32_t)(done[i] - rig.slots), (uint32_t)sent, 5, 1 + sent % 9));
    }
    rig_stop(&rig);
}

static void a_text_does_not_depend_on_what_runs_beside_it(const struct kind *kind) {
    struct rig rig;
    uint64_t alone[32];
    rig_start(&rig, kind, 64);
    for (uint32_t i = 0; i < 32; i++) {
        submit(&rig, prepare(&rig, 0, i, 3 + i, 5 + i % 9));
        finish_all(&rig, i + 1);
        alone[i] = rig.slots[0].record.text_hash;
    }
    for (uint32_t i = 0; i < 64; i++)
        submit(&rig, prepare(&rig, i, i % 32, 3 + i % 32, 5 + i % 32 % 9));
    finish_all(&rig, 32 + 64);
    for (uint32_t i = 0; i < 64; i++)
        assert_true(rig.slots[i].record.text_hash == alone[i % 32]);
    rig_stop(&rig);
}

static void a_cancelled_slot_comes_back_once(const struct kind *kind) {
    struct rig rig;
    uint32_t cancelled = 0;
    struct pyr_slot *done[64];
    rig_start(&rig, kind, 64);
    for (uint32_t i = 0; i < 64; i++)
        submit(&rig, prepare(&rig, i, i, 10, 100));
    for (uint32_t i = 0; i < 64; i += 2)
        rig.handle->ops->cancel(rig.handle, &rig.slots[i], PYR_OUTCOME_CANCELLED);
    while (rig.ended < 64)
        pump(&rig, done, 64);
    for (uint32_t i = 0; i < 64; i++) {
        bool is_ok = rig.slots[i].record.outcome == PYR_OUTCOME_OK;
        if (i % 2 == 1)
            assert_true(is_ok);
        else if (!is_ok)
            assert_int_equal(rig.slots[i].record.outcome, PYR_OUTCOME_CANCELLED);
        cancelled += !is_ok;
    }
    if (kind->is_virtual || !kind->serves)
        assert_int_equal(cancelled, 32);
    rig_stop(&rig);
}

static void what_cannot_be_served_comes_back_with_its_outcome(const struct kind *kind) {
    struct rig rig;
    if (!kind->serves)
        return;
    rig_start(&rig, kind, 16);
    submit(&rig, prepare(&rig, 0, 0, PROMPT, CONTEXT));
    submit(&rig, prepare(&rig, 1, 0, 0, 5));
    struct pyr_slot *slot = prepare(&rig, 2, 0, 5, 5);
    rig.prompts[2][3] = INT32_MAX;
    submit(&rig, slot);
    slot = prepare(&rig, 3, 0, 5, 5);
    slot->prompt.tokens = NULL;
    submit(&rig, slot);
    slot = prepare(&rig, 4, 0, 5, 50);
    slot->limits.total_ns = 1;
    submit(&rig, slot);
    submit(&rig, prepare(&rig, 5, 0, 5, 5));
    finish_all(&rig, 6);
    static const enum pyr_outcome expected[] = {PYR_OUTCOME_TOO_LONG,      PYR_OUTCOME_ENGINE,
                                                PYR_OUTCOME_ENGINE,        PYR_OUTCOME_ENGINE,
                                                PYR_OUTCOME_TIMEOUT_TOTAL, PYR_OUTCOME_OK};
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(rig.slots[i].record.outcome, expected[i]);
    rig_stop(&rig);
}

static void captured_text_is_kept_until_reset(const struct kind *kind) {
    struct rig rig;
    struct pyr_err err;
    if (!kind->serves)
        return;
    rig_start(&rig, kind, 4);
    struct pyr_slot *first = prepare(&rig, 0, 1, 5, 12), *second = prepare(&rig, 1, 2, 6, 13);
    first->capture_text = second->capture_text = true;
    submit(&rig, first);
    finish_all(&rig, 1);
    submit(&rig, second);
    finish_all(&rig, 2);
    assert_int_equal(first->text_bytes, first->record.output_bytes);
    assert_int_equal(first->text_bytes, 12); /* a token of these engines is a byte */
    assert_int_equal(second->text_bytes, 13);
    for (size_t i = 0; i < 12; i++)
        assert_true(first->text[i] >= ' ' && first->text[i] <= 'z');
    assert_ok(err, rig.handle->ops->reset(rig.handle, &err));
    rig_stop(&rig);
}

static void an_idle_target_wakes_nobody(const struct kind *kind) {
    struct rig rig;
    rig_start(&rig, kind, 8);
    for (int round = 0; round < 20; round++) {
        struct pyr_slot *done[8];
        for (uint32_t i = 0; i < 8; i++)
            submit(&rig, prepare(&rig, i, i, 4, 2));
        finish_all(&rig, 8 * (uint64_t)(round + 1));
        /* A wake-up that was on its way may come once. */
        struct pyr_wait wait = rig.handle->ops->wait_handle(rig.handle);
        assert_true(wait.next_ns == PYR_NEVER);
        assert_int_equal(rig.handle->ops->poll(rig.handle, done, 8), 0);
        wait = rig.handle->ops->wait_handle(rig.handle);
        if (wait.fd >= 0)
            assert_int_equal(poll(&(struct pollfd){.fd = wait.fd, .events = POLLIN}, 1, 0), 0);
        assert_true(wait.next_ns == PYR_NEVER);
    }
    rig_stop(&rig);
}

static void it_can_be_attached_again(const struct kind *kind) {
    struct rig rig;
    rig_start(&rig, kind, 1);
    for (uint32_t in_flight = 1; in_flight <= 64; in_flight *= 4) {
        rig.handle->ops->detach(rig.handle);
        attach(&rig, in_flight);
        uint64_t before = rig.ended;
        for (uint32_t i = 0; i < in_flight; i++)
            submit(&rig, prepare(&rig, i, i, 4, 2));
        finish_all(&rig, before + in_flight);
    }
    rig_stop(&rig);
}

static void texts_become_tokens_and_pieces_texts(const struct kind *kind) {
    struct rig rig;
    int32_t tokens[32];
    char text[8];
    rig_start(&rig, kind, 1);
    const struct pyr_target_ops *ops = rig.target->ops;
    if (rig.info.tokenises) {
        int count = ops->tokenize(rig.target, "hello", 5, false, tokens, 32);
        assert_true(count > 0);
        assert_int_equal(ops->count_tokens(rig.target, "hello", 5), count);
        assert_int_equal(ops->tokenize(rig.target, "hello", 5, false, tokens, count - 1), -count);
        assert_true(ops->piece(rig.target, tokens[0], text, sizeof text) >= 0);
        for (int i = 0; i < count; i++)
            assert_in_range(tokens[i], 0, (int)rig.info.vocabulary_size - 1);
    }
    assert_true(strlen(rig.info.kind) > 0 && strlen(rig.info.name) > 0);
    assert_int_equal(rig.info.virtual_time, kind->is_virtual);
    assert_int_equal(rig.info.simulated, strncmp(kind->spec, "sim:", 4) == 0);
    assert_true(rig.info.pid > 0);
    assert_int_equal(rig.info.pid != getpid(), kind->isolate);
    rig_stop(&rig);
}

typedef void rule_fn(const struct kind *kind);
static rule_fn *const rules[] = {
    every_slot_comes_back_once_at_every_level,
    a_closed_loop_goes_round,
    a_text_does_not_depend_on_what_runs_beside_it,
    a_cancelled_slot_comes_back_once,
    what_cannot_be_served_comes_back_with_its_outcome,
    captured_text_is_kept_until_reset,
    an_idle_target_wakes_nobody,
    it_can_be_attached_again,
    texts_become_tokens_and_pieces_texts,
};

static void conforms(void **state) {
    const struct kind *kind = *state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        rules[i](kind);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], PYR_WORKER_WORD) == 0)
        return pyr_worker_main(argc);
    struct CMUnitTest tests[KINDS];
    char names[KINDS][128];
    for (size_t i = 0; i < KINDS; i++) {
        snprintf(names[i], sizeof names[i], "%s%s conforms", kinds[i].isolate ? "worker " : "",
                 kinds[i].spec);
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = conforms, .initial_state = (void *)(uintptr_t)&kinds[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
