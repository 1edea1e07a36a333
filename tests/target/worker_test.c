/* SPDX-License-Identifier: MIT
 *
 * Target worker: this program is its own worker process. label: threads
 */
#include "support/support.h"

#include "base/fs.h"
#include "base/hash.h"
#include "base/mem.h"
#include "record/recorder.h"
#include "support/fake_engine.h"
#include "target/target.h"
#include "target/worker_main.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pyr_engine file_engine; /* the fake one for files called N.fake */

/* "2.fake" aborts at its second decode, as "fake:2" does. */
static bool load_file(const struct pyr_model_config *config, struct pyr_model **model,
                      struct pyr_err *err) {
    const char *slash = strrchr(config->path, '/');
    const struct pyr_model_config plain = {.path = slash ? slash + 1 : config->path};
    return fake_engine.load(&plain, model, err);
}

/* In place of model/engines.c. */
const struct pyr_engine *pyr_engine_for_target(const char *target, const char **path) {
    if (strstr(target, ".fake")) {
        file_engine = fake_engine;
        file_engine.extension = ".fake";
        file_engine.load = load_file;
        *path = target;
        return &file_engine;
    }
    *path = target + strlen("fake:");
    return strncmp(target, "fake:", strlen("fake:")) == 0 ? &fake_engine : NULL;
}

enum { MOST = 64, PROMPT = 20 };

struct rig {
    struct pyr_clock clock;
    struct pyr_recorder *recorder;
    struct pyr_target *target;
    struct pyr_target_handle *handle;
    struct pyr_slot slots[MOST];
    int32_t tokens[MOST][PROMPT];
    uint32_t sent;
};

enum { PATIENCE_MS = 200 };

static void rig_start(struct rig *rig, const char *spec, uint32_t context) {
    struct pyr_err err;
    *rig = (struct rig){0};
    struct pyr_recorder_config recorder = {.lanes = 1};
    assert_ok(err, pyr_recorder_open(&recorder, &rig->clock, &rig->recorder, &err));
    struct pyr_target_config config = {
        .spec = spec, .threads = 1, .sequences = 8, .tokens_per_sequence = context};
    assert_ok(err, pyr_target_open(&config, true, &rig->target, &err));
    struct pyr_attach attach = {
        .clock = &rig->clock, .max_in_flight = MOST, .lane = pyr_recorder_lane(rig->recorder, 0)};
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
    uint32_t count = slot->record.output_tokens;
    assert_int_equal(slot->record.outcome, PYR_OUTCOME_OK);
    assert_int_equal(count, slot->output_tokens);
    int32_t *expected = pyr_xcalloc(count, sizeof *expected);
    char *text = pyr_xcalloc(count, 3 + 1);
    fake_output(slot->prompt.tokens, slot->prompt.token_count, expected, count);
    for (uint32_t i = 0; i < count; i++)
        snprintf(text + (size_t)3 * i, 4, "%03d", expected[i]);
    assert_true(slot->record.text_hash == pyr_fnv1a64(PYR_FNV1A64_INIT, text, (size_t)3 * count));
    if (slot->capture_text) {
        assert_int_equal(slot->text_bytes, 3 * count);
        assert_memory_equal(slot->text, text, (size_t)3 * count);
    }
    uint64_t now_ns = pyr_clock_real_ns();
    assert_true(slot->record.sent_ns <= slot->record.admitted_ns);
    assert_true(slot->record.first_content_ns <= slot->record.last_content_ns);
    assert_true(slot->record.closed_ns <= now_ns);
    pyr_free(text);
    pyr_free(expected);
}

/* Sleeps as load does: only when poll had nothing. */
static size_t wait_and_poll(struct rig *rig, struct pyr_slot **done) {
    for (;;) {
        size_t count = rig->handle->ops->poll(rig->handle, done, MOST);
        if (count > 0)
            return count;
        struct pyr_wait wait = rig->handle->ops->wait_handle(rig->handle);
        if (wait.next_ns == PYR_NEVER) {
            struct pollfd fd = {.fd = wait.fd, .events = POLLIN};
            assert_int_equal(poll(&fd, 1, 20000), 1);
        }
    }
}

static void answers_and_token_stamps_come_from_the_other_process(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_slot *done[MOST];
    struct pyr_target_info info;
    rig_start(&rig, "fake:", 64);
    rig.target->ops->describe(rig.target, &info);
    assert_string_equal(info.kind, "worker");
    assert_true(info.pid > 0 && info.pid != getpid());
    assert_true(info.spawn_ns > 0);
    assert_int_equal(info.sequences, 8);
    uint32_t ended = 0, tokens = 0;
    enum { TOTAL = 600 };
    for (uint32_t i = 0; i < MOST; i++)
        submit(&rig, i, 1 + i % 40);
    while (ended < TOTAL) {
        size_t count = wait_and_poll(&rig, done);
        for (size_t i = 0; i < count; i++) {
            check(done[i]);
            tokens += done[i]->record.output_tokens;
            ended++;
            if (rig.sent < TOTAL)
                submit(&rig, (uint32_t)(done[i] - rig.slots), 1 + rig.sent % 40);
        }
    }
    pyr_recorder_flush(rig.recorder);
    assert_int_equal(pyr_recorder_counts(rig.recorder).chunks, tokens);
    rig_stop(&rig);
}

static void texts_are_tokenised_over_there(void **state) {
    (void)state;
    struct rig rig;
    int32_t tokens[8];
    char piece[8];
    rig_start(&rig, "fake:", 64);
    const struct pyr_target_ops *ops = rig.target->ops;
    assert_int_equal(ops->tokenize(rig.target, "abc", 3, true, tokens, 8), 4);
    assert_int_equal(tokens[0], 1);
    assert_int_equal(tokens[3], 3 + 'c');
    assert_int_equal(ops->tokenize(rig.target, "abc", 3, true, tokens, 2), -4);
    assert_int_equal(ops->count_tokens(rig.target, "abcd", 4), 4);
    assert_int_equal(ops->count_tokens(rig.target, "", 0), 0);
    assert_int_equal(ops->piece(rig.target, 123, piece, 8), 3);
    assert_memory_equal(piece, "123", 3);
    assert_int_equal(ops->piece(rig.target, 123, piece, 2), -3);
    rig_stop(&rig);
}

static void more_tokens_than_the_ring_holds_all_arrive(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_slot *done[MOST];
    enum { TOKENS = 70000 };
    rig_start(&rig, "fake:", TOKENS + PROMPT);
    submit(&rig, 0, 1);
    assert_int_equal(wait_and_poll(&rig, done), 1);
    submit(&rig, 0, TOKENS); /* without captured text */
    assert_int_equal(wait_and_poll(&rig, done), 1);
    check(done[0]);
    pyr_recorder_flush(rig.recorder);
    assert_int_equal(pyr_recorder_counts(rig.recorder).chunks, TOKENS + 1);
    /* One sequence: a step gives a token. The ring of steps holds fewer than those of tokens. */
    assert_int_equal(pyr_recorder_counts(rig.recorder).steps, TOKENS + 1);
    rig_stop(&rig);
}

static void an_engine_that_aborts_takes_only_its_worker(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_err err;
    struct pyr_slot *done[MOST];
    rig_start(&rig, "fake:30", 64);
    uint32_t ended = 0, ok = 0;
    for (uint32_t i = 0; i < MOST; i++)
        submit(&rig, i, 10);
    while (ended < MOST) {
        size_t count = wait_and_poll(&rig, done);
        for (size_t i = 0; i < count; i++, ended++) {
            if (done[i]->record.outcome == PYR_OUTCOME_OK) {
                check(done[i]);
                ok++;
                continue;
            }
            assert_int_equal(done[i]->record.outcome, PYR_OUTCOME_WORKER);
            assert_non_null(strstr(done[i]->error_text, "was killed by SIGABRT"));
            assert_non_null(strstr(done[i]->error_text, "FAKE_ASSERT(fine) failed"));
        }
    }
    assert_in_range(ok, 1, MOST - 1);
    /* Nothing hangs on a dead worker. */
    submit(&rig, 0, 10);
    rig.handle->ops->cancel(rig.handle, &rig.slots[0], PYR_OUTCOME_CANCELLED);
    assert_int_equal(wait_and_poll(&rig, done), 1);
    assert_int_equal(done[0]->record.outcome, PYR_OUTCOME_WORKER);
    assert_false(rig.handle->ops->reset(rig.handle, &err));
    assert_non_null(strstr(err.text, "SIGABRT"));
    assert_int_equal(rig.target->ops->count_tokens(rig.target, "a", 1), -1);
    rig_stop(&rig);
}

static void a_worker_that_is_killed_while_idle_is_noticed(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_slot *done[MOST];
    struct pyr_target_info info;
    rig_start(&rig, "fake:", 64);
    rig.target->ops->describe(rig.target, &info);
    assert_int_equal(kill(info.pid, SIGKILL), 0);
    submit(&rig, 0, 10);
    assert_int_equal(wait_and_poll(&rig, done), 1);
    if (done[0]->record.outcome != PYR_OUTCOME_OK)
        assert_int_equal(done[0]->record.outcome, PYR_OUTCOME_WORKER);
    rig_stop(&rig);
}

/* A rig whose child is stopped and is not waited for long. */
static void rig_start_stopped(struct rig *rig) {
    struct pyr_err err;
    struct pyr_target_info info;
    *rig = (struct rig){0};
    struct pyr_recorder_config recorder = {.lanes = 1};
    assert_ok(err, pyr_recorder_open(&recorder, &rig->clock, &rig->recorder, &err));
    struct pyr_target_config config = {.spec = "fake:",
                                       .threads = 1,
                                       .sequences = 8,
                                       .tokens_per_sequence = 64,
                                       .patience_ns = PATIENCE_MS * PYR_NS_PER_MS};
    assert_ok(err, pyr_target_open(&config, true, &rig->target, &err));
    struct pyr_attach attach = {
        .clock = &rig->clock, .max_in_flight = MOST, .lane = pyr_recorder_lane(rig->recorder, 0)};
    assert_ok(err, rig->target->ops->attach(rig->target, &attach, &rig->handle, &err));
    rig->target->ops->describe(rig->target, &info);
    siginfo_t stopped; /* a moment later than asked for */
    assert_int_equal(kill(info.pid, SIGSTOP), 0);
    assert_int_equal(waitid(P_PID, (id_t)info.pid, &stopped, WSTOPPED | WNOWAIT), 0);
}

static void a_worker_that_hangs_is_ended_and_said(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_err err;
    struct pyr_slot *done[MOST];
    rig_start_stopped(&rig);
    submit(&rig, 0, 10);
    rig.handle->ops->cancel(rig.handle, &rig.slots[0], PYR_OUTCOME_UNFINISHED);
    /* As load does, that looks ten times a second. */
    while (rig.handle->ops->poll(rig.handle, done, MOST) == 0)
        poll(NULL, 0, 10);
    assert_int_equal(done[0]->record.outcome, PYR_OUTCOME_WORKER);
    assert_non_null(strstr(done[0]->error_text, "gave no sign for "));
    assert_false(rig.handle->ops->reset(rig.handle, &err));
    assert_non_null(strstr(err.text, "was ended; the engine hangs"));
    rig_stop(&rig);
}

static void a_worker_that_hangs_holds_up_no_question_and_no_end(void **state) {
    (void)state;
    struct rig rig;
    struct pyr_err err;
    rig_start_stopped(&rig);
    assert_int_equal(rig.target->ops->count_tokens(rig.target, "text", 4), -1);
    rig_stop(&rig);
    rig_start_stopped(&rig);
    rig_stop(&rig);
    /* Load leaves a handle behind whose requests never came back. */
    rig_start_stopped(&rig);
    submit(&rig, 0, 10);
    rig.target->ops->close(rig.target);
    assert_ok(err, pyr_recorder_close(rig.recorder, &err));
}

static void two_workers_live_side_by_side(void **state) {
    (void)state;
    struct rig one, two;
    struct pyr_slot *done[MOST];
    rig_start(&one, "fake:", 64);
    rig_start(&two, "fake:3", 64);
    submit(&two, 0, 30);
    submit(&one, 0, 30);
    assert_int_equal(wait_and_poll(&two, done), 1);
    assert_int_equal(done[0]->record.outcome, PYR_OUTCOME_WORKER);
    assert_int_equal(wait_and_poll(&one, done), 1);
    check(done[0]);
    rig_stop(&two);
    rig_stop(&one);
}

static void a_model_that_cannot_be_opened_says_why(void **state) {
    (void)state;
    struct pyr_err err;
    struct pyr_target *target;
    struct pyr_option option = {"colour", "red"};
    struct pyr_target_config config = {.spec = "fake:", .options = &option, .option_count = 1};
    assert_false(pyr_target_open(&config, true, &target, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
    assert_string_equal(err.text, "colour: unknown option");
    config.option_count = 0;
    config.spec = "fake:abort";
    assert_false(pyr_target_open(&config, true, &target, &err));
    assert_int_equal(err.code, PYR_E_ENGINE);
    assert_non_null(strstr(err.text, "fake:abort: its worker process"));
    assert_non_null(strstr(err.text, "SIGABRT, its last words: fake.c:2: FAKE_ASSERT"));
    config.spec = "/nowhere/model.gguf";
    assert_false(pyr_target_open(&config, true, &target, &err));
    assert_non_null(strstr(err.text, "/nowhere/model.gguf"));
}

/* A file that breaks the engine breaks a process that is there for it, and not this one. */
static void a_file_is_tried_where_it_can_do_no_harm(void **state) {
    (void)state;
    char folder[256], path[300];
    struct pyr_err err;
    struct pyr_target *target;
    assert_non_null(pyr_test_temp_dir(folder, sizeof folder));
    for (int at = 0; at < 3; at++) {
        snprintf(path, sizeof path, "%s/%d.fake", folder, at);
        assert_ok(err, pyr_fs_write_whole(path, "x", 1, &err));
        const struct pyr_target_config config = {
            .spec = path, .threads = 1, .attempt = true, .tokens_per_sequence = 64};
        err = (struct pyr_err){0};
        bool ok = pyr_target_open(&config, false, &target, &err);
        assert_true(ok == (at == 0)); /* the others abort at their first and second step */
        if (ok)
            target->ops->close(target);
        else
            assert_non_null(strstr(err.text, "SIGABRT, its last words: fake.c"));
        unlink(path);
    }
    rmdir(folder);
    /* What is no file is opened at once: this one would abort. */
    assert_ok(err, pyr_target_attempt(&(struct pyr_target_config){.spec = "fake:abort"}, &err));
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], PYR_WORKER_WORD) == 0)
        return pyr_worker_main(argc);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_and_token_stamps_come_from_the_other_process),
        cmocka_unit_test(texts_are_tokenised_over_there),
        cmocka_unit_test(more_tokens_than_the_ring_holds_all_arrive),
        cmocka_unit_test(an_engine_that_aborts_takes_only_its_worker),
        cmocka_unit_test(a_worker_that_is_killed_while_idle_is_noticed),
        cmocka_unit_test(a_worker_that_hangs_is_ended_and_said),
        cmocka_unit_test(a_worker_that_hangs_holds_up_no_question_and_no_end),
        cmocka_unit_test(two_workers_live_side_by_side),
        cmocka_unit_test(a_model_that_cannot_be_opened_says_why),
        cmocka_unit_test(a_file_is_tried_where_it_can_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
