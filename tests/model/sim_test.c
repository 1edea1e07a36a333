/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "support/engines.h"

#include "base/clock.h"
#include "model/engines.h"
#include "model/sim.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void open_sim(struct pyr_test_engine *b, const char *law, uint32_t sequences) {
    struct pyr_model_config config = {.path = law};
    pyr_test_engine_open(b, &pyr_engine_sim, &config, sequences, 4096);
}

/* One decode step of `sequences` sequences at position pos, in milliseconds. */
static double step_ms(struct pyr_test_engine *b, uint32_t pos, uint32_t sequences) {
    struct pyr_err err;
    uint64_t start_ns = b->now_ns;
    for (uint32_t s = 0; s < sequences; s++)
        pyr_test_engine_put(b, 'x', pos, (int32_t)s, true);
    assert_int_equal(pyr_test_engine_step(b, &err), PYR_DECODE_OK);
    return (double)(b->now_ns - start_ns) / 1e6;
}

static void a_step_takes_what_the_law_says(void **state) {
    (void)state;
    struct pyr_test_engine b;
    struct pyr_err err;
    open_sim(&b, "step_ms=10,per_seq_ms=2,prefill_tok_s=1000,jitter_pct=0", 8);
    assert_true(b.info.simulated && b.info.virtual_time);
    /* 32 prompt rows of one sequence: 10 + 2 + 32 */
    for (uint32_t i = 0; i < 32; i++)
        pyr_test_engine_put(&b, 'x', i, 0, i == 31);
    assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
    assert_int_equal(b.now_ns, 44 * PYR_NS_PER_MS);
    /* a decode row beside a chunk of 20: 10 + 2 x 2 + 20 */
    pyr_test_engine_put(&b, 'x', 32, 0, true);
    for (uint32_t i = 0; i < 20; i++)
        pyr_test_engine_put(&b, 'x', i, 1, false);
    assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
    assert_int_equal(b.now_ns, (44 + 34) * PYR_NS_PER_MS);
    /* a prompt of one token at position 0 is a prompt: 10 + 2 + 1 */
    pyr_test_engine_put(&b, 'x', 0, 2, true);
    assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
    assert_int_equal(b.now_ns, (44 + 34 + 13) * PYR_NS_PER_MS);
    pyr_test_engine_close(&b);
}

static void jitter_and_spikes_have_their_size(void **state) {
    (void)state;
    struct pyr_test_engine b;
    enum { STEPS = 4000 };
    open_sim(&b, "step_ms=10,per_seq_ms=0,prefill_tok_s=1e12,jitter_pct=20,context=8192", 1);
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < STEPS; i++) {
        double ms = step_ms(&b, i, 1);
        sum += ms;
        squares += ms * ms;
    }
    double mean = sum / STEPS, cv = sqrt(squares / STEPS - mean * mean) / mean;
    assert_true(fabs(mean - 10) < 5 * 2 / sqrt(STEPS)); /* five standard errors */
    assert_true(fabs(cv - 0.2) < 0.02);
    pyr_test_engine_close(&b);

    open_sim(&b,
             "step_ms=10,per_seq_ms=0,prefill_tok_s=1e12,jitter_pct=0,spike_share=0.05,spike_x=4",
             1);
    int spikes = 0;
    for (uint32_t i = 0; i < STEPS; i++) {
        double ms = step_ms(&b, i, 1);
        assert_true(fabs(ms - 10) < 1e-4 || fabs(ms - 40) < 1e-4);
        spikes += ms > 20;
    }
    assert_true(abs(spikes - 200) < 5 * 14); /* binomial, standard deviation 13.8 */
    pyr_test_engine_close(&b);
}

static void nothing_moves_in_a_stall(void **state) {
    (void)state;
    const struct pyr_sim_law law = {.stall_ms = 100, .stall_every_s = 1};
    const uint64_t ms = PYR_NS_PER_MS, epoch = 5 * ms;
    /* the window at 0 does not exist; the first is [1000, 1100) */
    assert_int_equal(pyr_sim_end_ns(&law, epoch, epoch, 50 * ms), epoch + 50 * ms);
    assert_int_equal(pyr_sim_end_ns(&law, epoch, epoch + 990 * ms, 10 * ms), epoch + 1000 * ms);
    assert_int_equal(pyr_sim_end_ns(&law, epoch, epoch + 990 * ms, 11 * ms), epoch + 1101 * ms);
    assert_int_equal(pyr_sim_end_ns(&law, epoch, epoch + 1050 * ms, 20 * ms), epoch + 1120 * ms);
    assert_int_equal(pyr_sim_end_ns(&law, epoch, epoch + 1500 * ms, 20 * ms), epoch + 1520 * ms);
    /* 2500 ms of work from 500: 500 + 900 + 900 + 200, over three windows */
    assert_int_equal(pyr_sim_end_ns(&law, epoch, epoch + 500 * ms, 2500 * ms), epoch + 3300 * ms);
    /* against one nanosecond after another */
    const struct pyr_sim_law small = {.stall_ms = 3e-6, .stall_every_s = 10e-9};
    for (uint64_t now = 0; now < 40; now++) {
        for (uint64_t work = 1; work < 60; work++) {
            uint64_t t = now, left = work;
            while (left > 0) {
                bool stalled = t >= 10 && t % 10 < 3;
                left -= !stalled;
                t++;
            }
            assert_int_equal(pyr_sim_end_ns(&small, 0, now, work), t);
        }
    }
}

static void the_text_depends_on_every_token_before(void **state) {
    (void)state;
    struct pyr_test_engine b;
    open_sim(&b, "seed=9", 2);
    int32_t tokens[64] = {PYR_SIM_BEGIN, 'h', 'e', 'l', 'l', 'o'}, got[32];
    pyr_test_engine_generate(&b, 1, tokens, 6, got, NULL, 32);
    for (uint32_t i = 0; i < 32; i++) {
        assert_int_equal(got[i], pyr_sim_next_token(9, tokens, 6 + i));
        assert_true(got[i] == ' ' || (got[i] >= 'a' && got[i] <= 'z'));
        tokens[6 + i] = got[i];
    }
    /* any other token, order, length or seed gives another text */
    int same = 0;
    for (int32_t other = 0; other < 256; other++) {
        int32_t changed[38];
        memcpy(changed, tokens, sizeof changed);
        changed[2] = other;
        same += pyr_sim_next_token(9, changed, 38) == pyr_sim_next_token(9, tokens, 38);
    }
    assert_in_range(same, 1, 30); /* 1 + 255/27 by chance */
    pyr_test_engine_close(&b);
}

static void a_hole_in_a_sequence_changes_its_text(void **state) {
    (void)state;
    struct pyr_test_engine b;
    open_sim(&b, "", 2);
    const int32_t prompt[] = {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'};
    int32_t whole[20], holed[20];
    pyr_test_engine_generate(&b, 0, prompt, 8, whole, NULL, 1);
    pyr_test_engine_generate(&b, 1, prompt, 8, holed, NULL, 1);
    b.engine->sequence_remove(b.context, 1, 2, 5);
    int same = 0;
    for (uint32_t i = 0; i < 20; i++) {
        struct pyr_err err;
        pyr_test_engine_put(&b, 'x', 8 + i, 0, true);
        pyr_test_engine_put(&b, 'x', 8 + i, 1, true);
        assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
        same += pyr_test_engine_best(&b, 0, NULL) == pyr_test_engine_best(&b, 1, NULL);
    }
    assert_in_range(same, 0, 8);
    pyr_test_engine_close(&b);
}

static void the_share_that_fails_has_no_logits(void **state) {
    (void)state;
    struct pyr_test_engine b;
    struct pyr_err err;
    open_sim(&b, "fail_share=0.25", 1);
    int failed = 0;
    for (int i = 0; i < 1000; i++) {
        pyr_test_engine_put(&b, 'x', 0, 0, true);
        assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
        bool fails = !b.engine->logits(b.context, 0);
        failed += fails;
        pyr_test_engine_put(&b, 'x', 1, 0, true);
        assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
        assert_true(fails == !b.engine->logits(b.context, 0)); /* for its whole life */
        b.engine->sequence_remove(b.context, 0, 0, UINT32_MAX);
    }
    assert_true(abs(failed - 250) < 5 * 14);
    pyr_test_engine_close(&b);
}

static void the_knee_limits_sequences(void **state) {
    (void)state;
    struct pyr_test_engine b;
    open_sim(&b, "knee=3", 10);
    assert_int_equal(b.plan.sequences, 3);
    assert_int_equal(b.info.max_sequences, 3);
    pyr_test_engine_close(&b);
    open_sim(&b, "serialize=1", 10);
    assert_int_equal(b.plan.sequences, 1);
    pyr_test_engine_close(&b);
}

static uint64_t resident_kib(void) {
    uint64_t kib = 0;
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmRSS: %" SCNu64, &kib);
    if (file)
        fclose(file);
    return kib;
}

static void leaked_memory_is_really_there(void **state) {
    (void)state;
    struct pyr_test_engine b;
    struct pyr_err err;
    open_sim(&b, "leak_kib=512", 1);
    uint64_t before = resident_kib();
    for (int i = 0; i < 64; i++) {
        pyr_test_engine_put(&b, 'x', 0, 0, true);
        assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
        b.engine->sequence_remove(b.context, 0, 0, UINT32_MAX);
    }
    assert_true(resident_kib() >= before + 64 * 512);
    pyr_test_engine_close(&b); /* the sanitizer sees whether unload frees it */
}

static void real_time_passes_only_when_asked(void **state) {
    (void)state;
    struct pyr_test_engine b;
    struct pyr_err err;
    open_sim(&b, "step_ms=5,per_seq_ms=0,prefill_tok_s=1e12,jitter_pct=0,real=1", 1);
    assert_false(b.info.virtual_time);
    b.now_ns = pyr_clock_real_ns();
    pyr_test_engine_put(&b, 'x', 0, 0, true);
    assert_int_equal(pyr_test_engine_step(&b, &err), PYR_DECODE_OK);
    assert_true(pyr_clock_real_ns() >= b.now_ns + 5 * PYR_NS_PER_MS);
    pyr_test_engine_close(&b);
}

static void what_cannot_be_parsed_is_named(void **state) {
    (void)state;
    static const struct {
        const char *law, *said;
    } wrong[] = {
        {"step_sm=4", "did you mean step_ms"},
        {"step_ms", "'step_ms' is not key=value"},
        {"step_ms=fast", "option step_ms"},
        {"spike_share=2", "outside 0 to 1"},
        {"real=maybe", "neither on nor off"},
        {"stall_ms=10000,stall_every_s=2", "stall_ms=10000"},
        {"=1", "not key=value"},
        {"knee=-1", "option knee"},
    };
    struct pyr_sim_law law;
    struct pyr_err err;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(pyr_sim_parse(wrong[i].law, NULL, 0, &law, &err));
        assert_int_equal(err.code, PYR_E_USAGE);
        if (!strstr(err.text, wrong[i].said))
            fail_msg("'%s' does not say '%s'", err.text, wrong[i].said);
    }
    assert_ok(err, pyr_sim_parse("step_ms=4,seed=0x10,serialize=on", NULL, 0, &law, &err));
    assert_true(law.step_ms == 4 && law.seed == 16 && law.serialize && law.per_seq_ms == 1);
}

static void targets_name_their_engine(void **state) {
    (void)state;
    const char *path;
    assert_ptr_equal(pyr_engine_for_target("sim:step_ms=3", &path), &pyr_engine_sim);
    assert_string_equal(path, "step_ms=3");
    assert_ptr_equal(pyr_engine_for_target("null:", &path), &pyr_engine_null);
    assert_string_equal(path, "");
    assert_ptr_equal(pyr_engine_for_target("/a/simple.GGUF", &path), &pyr_engine_llama);
    assert_string_equal(path, "/a/simple.GGUF");
    assert_null(pyr_engine_for_target("http://host/v1", &path));
    assert_null(pyr_engine_for_target(".gguf", &path));
    assert_null(pyr_engine_find("lama"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_takes_what_the_law_says),
        cmocka_unit_test(jitter_and_spikes_have_their_size),
        cmocka_unit_test(nothing_moves_in_a_stall),
        cmocka_unit_test(the_text_depends_on_every_token_before),
        cmocka_unit_test(a_hole_in_a_sequence_changes_its_text),
        cmocka_unit_test(the_share_that_fails_has_no_logits),
        cmocka_unit_test(the_knee_limits_sequences),
        cmocka_unit_test(leaked_memory_is_really_there),
        cmocka_unit_test(real_time_passes_only_when_asked),
        cmocka_unit_test(what_cannot_be_parsed_is_named),
        cmocka_unit_test(targets_name_their_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
