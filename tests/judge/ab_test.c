/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "judge/ab.h"
#include "judge/compare.h"

#include <string.h>

/* --- an arm of known law: blocks whose time varies by a set CV, shared drift included
 * --------------- */

struct law {
    double level, cv; /* of a block of one */
    double drift;     /* what both arms share, moving slowly */
};
struct machine {
    struct pyr_rng rng;
    double drift;
};
struct law_arm {
    struct pyr_ab_arm arm;
    struct law law;
    struct machine *machine;
    uint64_t blocks, size, dies_after; /* blocks; 0: never */
};

static bool law_block(struct pyr_ab_arm *base, uint64_t size, uint64_t number,
                      struct pyr_ab_block *block, struct pyr_err *err) {
    struct law_arm *arm = (struct law_arm *)base;
    struct machine *m = arm->machine;
    (void)number;
    (void)err;
    m->drift = 0.95 * m->drift + sqrt(1 - 0.95 * 0.95) * pyr_rng_normal(&m->rng);
    double noise = pyr_rng_lognormal(&m->rng, arm->law.cv / sqrt((double)size));
    block->values[0] = arm->law.level * noise * exp(arm->law.drift * m->drift);
    block->ns = size * 1000000;
    block->total = size;
    block->ok = arm->dies_after && arm->blocks >= arm->dies_after ? 0 : size;
    block->outputs_hash = 0;
    arm->blocks++;
    arm->size = size;
    return true;
}

static void law_close(struct pyr_ab_arm *base) {
    (void)base;
}

static const struct pyr_ab_measure law_measure = {PYR_M_BLOCK_TIME, "mean", true, 0};
static const struct pyr_ab_arm_ops law_ops = {.case_id = "law",
                                              .measures = &law_measure,
                                              .measure_count = 1,
                                              .pilot_size = 1,
                                              .block = law_block,
                                              .close = law_close};

static enum pyr_verdict compare_laws(struct law a, struct law b, uint64_t seed,
                                     const struct pyr_ab_options *like) {
    struct machine machine = {.drift = 0};
    pyr_rng_init(&machine.rng, seed);
    struct law_arm arms[2] = {
        {.arm = {.ops = &law_ops, .name = "A"}, .law = a, .machine = &machine},
        {.arm = {.ops = &law_ops, .name = "B"}, .law = b, .machine = &machine}};
    struct pyr_ab_options options = *like;
    options.seed = seed;
    struct pyr_comparison *comparison;
    struct pyr_err err;
    assert_ok(err, pyr_ab_run(&arms[0].arm, &arms[1].arm, &options, &comparison, &err));
    enum pyr_verdict verdict = comparison->verdict;
    pyr_comparison_destroy(comparison);
    return verdict;
}

static unsigned count_of(enum pyr_verdict wanted, struct law a, struct law b, unsigned trials,
                         const struct pyr_ab_options *options) {
    unsigned seen = 0;
    for (uint64_t seed = 1; seed <= trials; seed++)
        seen += compare_laws(a, b, seed, options) == wanted;
    return seen;
}

static const struct pyr_ab_options at_ten = {.threshold = 0.10, .block_size = 1};

static void a_slowdown_of_15_percent_is_found(void **state) {
    (void)state;
    const struct law a = {100, 0.03, 0}, b = {115, 0.03, 0};
    assert_true(count_of(PYR_REGRESSED, a, b, 100, &at_ten) >= 95);
    assert_true(count_of(PYR_IMPROVED, b, a, 100, &at_ten) >= 95);
}

static void a_doubling_is_found_in_coarse_noise(void **state) {
    (void)state;
    const struct law a = {100, 0.15, 0}, b = {200, 0.15, 0};
    assert_true(count_of(PYR_REGRESSED, a, b, 100, &at_ten) >= 98);
}

static void what_lies_within_the_gate_is_no_regression(void **state) {
    (void)state;
    const struct law a = {100, 0.03, 0}, b = {105, 0.03, 0};
    assert_true(count_of(PYR_REGRESSED, a, b, 100, &at_ten) <= 1);
}

static void the_same_thing_is_not_flagged_on_a_drifting_machine(void **state) {
    (void)state;
    const struct law noisy = {100, 0.03, 0.08};
    assert_true(count_of(PYR_REGRESSED, noisy, noisy, 200, &at_ten) <= 1);
    /* Without the floor and at threshold 0: the nominal 5 % of 200, 17 at most. */
    const struct pyr_ab_options bare = {.threshold = 0, .block_size = 1, .no_floor = true};
    unsigned flagged = count_of(PYR_REGRESSED, noisy, noisy, 200, &bare) +
                       count_of(PYR_IMPROVED, noisy, noisy, 200, &bare);
    assert_true(flagged <= 17);
    assert_true(flagged >= 2);
}

static void blocks_are_made_long_enough(void **state) {
    (void)state;
    struct machine machine = {.drift = 0};
    pyr_rng_init(&machine.rng, 3);
    struct law_arm arms[2];
    for (int i = 0; i < 2; i++)
        arms[i] = (struct law_arm){
            .arm = {.ops = &law_ops, .name = "x"}, .law = {100, 0.12, 0}, .machine = &machine};
    const struct pyr_ab_options options = {.threshold = 0.1, .seed = 3};
    struct pyr_comparison *comparison;
    struct pyr_err err;
    assert_ok(err, pyr_ab_run(&arms[0].arm, &arms[1].arm, &options, &comparison, &err));
    /* A CV of 12 % falls to 3 % in blocks of 16; pilots of 8 tell it to about a factor of 2. */
    assert_true(arms[0].size >= 6 && arms[0].size <= 64);
    assert_int_equal(comparison->pairs, 20);
    assert_int_equal(arms[0].blocks, 1 + 8 + 40);
    pyr_comparison_destroy(comparison);

    /* Where the time does not allow that, it is said. */
    const struct pyr_ab_options hurried = {.threshold = 0.1, .seed = 3, .duration_ns = 1000000};
    assert_ok(err, pyr_ab_run(&arms[0].arm, &arms[1].arm, &hurried, &comparison, &err));
    assert_int_equal(arms[0].size, 1);
    assert_true(comparison->warning_count >= 1);
    pyr_comparison_destroy(comparison);
}

static void a_signal_leaves_what_is_whole(void **state) {
    (void)state;
    struct machine machine = {.drift = 0};
    pyr_rng_init(&machine.rng, 4);
    struct law_arm arms[2];
    for (int i = 0; i < 2; i++)
        arms[i] = (struct law_arm){
            .arm = {.ops = &law_ops, .name = "x"}, .law = {100, 0.01, 0}, .machine = &machine};
    volatile sig_atomic_t stop = SIGINT;
    const struct pyr_ab_options options = {.threshold = 0.1, .block_size = 1, .stop = &stop};
    struct pyr_comparison *comparison;
    struct pyr_err err;
    assert_false(pyr_ab_run(&arms[0].arm, &arms[1].arm, &options, &comparison, &err));
    assert_int_equal(err.code, PYR_E_INTERRUPTED);
    const struct pyr_ab_options few = {.threshold = 0.1, .pairs = 3};
    assert_false(pyr_ab_run(&arms[0].arm, &arms[1].arm, &few, &comparison, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
}

/* A signal in the middle of a pair: whatever that pair's blocks say, it counts on neither side. */
static bool stopping_block(struct pyr_ab_arm *base, uint64_t size, uint64_t number,
                           struct pyr_ab_block *block, struct pyr_err *err);

static volatile sig_atomic_t stopped;
static uint64_t stops_after;
static const struct pyr_ab_arm_ops stopping_ops = {.case_id = "law",
                                                   .measures = &law_measure,
                                                   .measure_count = 1,
                                                   .pilot_size = 1,
                                                   .block = stopping_block,
                                                   .close = law_close};

static bool stopping_block(struct pyr_ab_arm *base, uint64_t size, uint64_t number,
                           struct pyr_ab_block *block, struct pyr_err *err) {
    struct law_arm *arm = (struct law_arm *)base;
    law_block(base, size, number, block, err);
    if (arm->blocks != stops_after)
        return true;
    stopped = SIGTERM;
    block->ok = 0; /* all cancelled */
    block->values[0] = 1e9;
    block->broken = true;
    return true;
}

static void our_own_stop_is_no_regression(void **state) {
    (void)state;
    for (stops_after = 2; stops_after < 42; stops_after++) {
        struct machine machine = {.drift = 0};
        pyr_rng_init(&machine.rng, stops_after);
        struct law_arm arms[2];
        for (int i = 0; i < 2; i++)
            arms[i] = (struct law_arm){.arm = {.ops = &stopping_ops, .name = i ? "B" : "A"},
                                       .law = {100, 0.01, 0},
                                       .machine = &machine};
        stopped = 0;
        const struct pyr_ab_options options = {
            .threshold = 0.1, .block_size = 1, .seed = 1, .stop = &stopped};
        struct pyr_comparison *c;
        struct pyr_err err;
        if (!pyr_ab_run(&arms[0].arm, &arms[1].arm, &options, &c, &err)) {
            assert_int_equal(err.code, PYR_E_INTERRUPTED);
            assert_true(stops_after <= 3);
            continue;
        }
        assert_int_equal(c->verdict, c->pairs < 6 ? PYR_INCONCLUSIVE : PYR_UNCHANGED);
        assert_true(c->pairs <= stops_after);
        assert_non_null(strstr(c->summary, "broken off after"));
        for (size_t i = 0; i < c->metric_count; i++)
            if (c->metrics[i].metric == PYR_M_ERROR_RATE)
                assert_true(!(c->metrics[i].current.value > 0));
        pyr_comparison_destroy(c);
    }
}

static void a_side_that_ends_is_an_error_and_no_verdict(void **state) {
    (void)state;
    struct machine machine = {.drift = 0};
    pyr_rng_init(&machine.rng, 5);
    for (uint64_t dies_after = 1; dies_after < 40; dies_after += 13) {
        struct law_arm arms[2];
        for (int i = 0; i < 2; i++)
            arms[i] = (struct law_arm){.arm = {.ops = &law_ops, .name = i ? "B" : "A"},
                                       .law = {100, 0.01, 0},
                                       .machine = &machine,
                                       .dies_after = i ? dies_after : 0};
        const struct pyr_ab_options options = {.threshold = 0.1, .pairs = 40};
        struct pyr_comparison *comparison;
        struct pyr_err err;
        assert_false(pyr_ab_run(&arms[0].arm, &arms[1].arm, &options, &comparison, &err));
        assert_int_equal(err.code, PYR_E_ENGINE);
        assert_non_null(strstr(err.text, "B: none of the"));
    }
}

/* What a page draws: one number a block on either side, and the baseline's second block. */
static void every_block_is_in_the_comparison(void **state) {
    (void)state;
    struct machine machine = {.drift = 0};
    pyr_rng_init(&machine.rng, 6);
    struct law_arm arms[2];
    for (int i = 0; i < 2; i++)
        arms[i] = (struct law_arm){
            .arm = {.ops = &law_ops, .name = "x"}, .law = {100, 0.02, 0}, .machine = &machine};
    const struct pyr_ab_options options = {.threshold = 0.1, .block_size = 3, .pairs = 8};
    struct pyr_comparison *comparison;
    struct pyr_err err;
    assert_ok(err, pyr_ab_run(&arms[0].arm, &arms[1].arm, &options, &comparison, &err));
    const struct pyr_compared_metric *metric = NULL;
    for (size_t i = 0; i < comparison->metric_count; i++)
        if (comparison->metrics[i].metric == PYR_M_BLOCK_TIME)
            metric = &comparison->metrics[i];
    assert_non_null(metric);
    assert_int_equal(comparison->block_size, 3);
    assert_int_equal(metric->baseline_count, 8);
    for (size_t i = 0; i < 8; i++)
        assert_true(metric->baseline_values[i] > 80 && metric->current_values[i] > 80 &&
                    metric->again_values[i] > 80);
    /* The median of the blocks, which one disturbed block does not move. */
    assert_true(metric->baseline.lo <= metric->baseline.value &&
                metric->baseline.value <= metric->baseline.hi);
    pyr_comparison_destroy(comparison);
}

/* --- targets in virtual time
 * ------------------------------------------------------------------------ */

static struct pyr_comparison *compare_targets(const char *a, const char *b, uint64_t seed) {
    uint64_t now = PYR_NS_PER_S;
    struct pyr_ab_target_config config = {.concurrency = 4,
                                          .prompt_tokens = 16,
                                          .output_tokens = 8,
                                          .seed = seed,
                                          .virtual_now_ns = &now};
    struct pyr_ab_arm *arms[2];
    struct pyr_err err;
    config.text = a;
    assert_ok(err, pyr_ab_target_open(&config, &arms[0], &err));
    config.text = b;
    assert_ok(err, pyr_ab_target_open(&config, &arms[1], &err));
    const struct pyr_ab_options options = {.threshold = 0.1, .seed = seed};
    struct pyr_comparison *comparison;
    assert_ok(err, pyr_ab_run(arms[0], arms[1], &options, &comparison, &err));
    pyr_ab_close(arms[0]);
    pyr_ab_close(arms[1]);
    return comparison;
}

static void a_slower_target_is_found_and_the_same_one_is_not(void **state) {
    (void)state;
    struct pyr_comparison *c =
        compare_targets("sim:", "sim:step_ms=23,per_seq_ms=1.15,prefill_tok_s=1739", 1);
    assert_int_equal(c->verdict, PYR_REGRESSED);
    assert_int_equal(c->outputs, PYR_OUTPUTS_SAME);
    assert_true(c->noise_floor.ratio > 0 && c->noise_floor.ratio < 0.05);
    assert_near(c->metrics[0].judgement.worse, 0.15, 0.06);
    assert_int_equal(c->gated_count, 5);
    pyr_comparison_destroy(c);
    unsigned regressed = 0, unchanged = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        c = compare_targets("sim:", "sim:", seed);
        regressed += c->verdict == PYR_REGRESSED;
        unchanged += c->verdict == PYR_UNCHANGED;
        pyr_comparison_destroy(c);
    }
    assert_int_equal(regressed, 0);
    assert_true(unchanged >= 9);
}

static void a_target_that_fails_more_is_a_regression(void **state) {
    (void)state;
    struct pyr_comparison *c = compare_targets("sim:", "sim:fail_share=0.2", 2);
    assert_int_equal(c->verdict, PYR_REGRESSED);
    pyr_comparison_destroy(c);
}

/* --- commands
 * ------------------------------------------------------------------------------------- */

static void commands_are_run_and_their_output_compared(void **state) {
    (void)state;
    struct pyr_ab_arm *arms[2];
    struct pyr_err err;
    assert_ok(err, pyr_ab_command_open("echo 'the same words'", 1, &arms[0], &err));
    assert_ok(err,
              pyr_ab_command_open("printf '%s\\n' \"the same words\" | cat", 1, &arms[1], &err));
    const struct pyr_ab_options options = {
        .threshold = 0.5, .pairs = 6, .block_size = 1, .seed = 1};
    struct pyr_comparison *c;
    assert_ok(err, pyr_ab_run(arms[0], arms[1], &options, &c, &err));
    assert_int_equal(c->outputs, PYR_OUTPUTS_SAME);
    assert_true(c->metrics[0].baseline.value > 0);
    pyr_comparison_destroy(c);
    pyr_ab_close(arms[1]);
    assert_ok(err, pyr_ab_command_open("echo other words", 1, &arms[1], &err));
    assert_ok(err, pyr_ab_run(arms[0], arms[1], &options, &c, &err));
    assert_int_equal(c->outputs, PYR_OUTPUTS_DIFFER);
    pyr_comparison_destroy(c);
    pyr_ab_close(arms[0]);
    pyr_ab_close(arms[1]);
}

static void a_command_that_fails_is_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"false", "exit 1"},
        {"no-such-program-here", "cannot be started"},
        {"", "no command"},
        {"echo 'unbalanced", "no command"},
        {"kill -9 $$ | cat; kill -9 $$", "signal 9"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pyr_ab_arm *arm;
        struct pyr_err err;
        assert_false(pyr_ab_command_open(bad[i].text, 1, &arm, &err));
        if (!strstr(err.text, bad[i].says))
            fail_msg("'%s' gave: %s", bad[i].text, err.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slowdown_of_15_percent_is_found),
        cmocka_unit_test(a_doubling_is_found_in_coarse_noise),
        cmocka_unit_test(what_lies_within_the_gate_is_no_regression),
        cmocka_unit_test(the_same_thing_is_not_flagged_on_a_drifting_machine),
        cmocka_unit_test(blocks_are_made_long_enough),
        cmocka_unit_test(a_signal_leaves_what_is_whole),
        cmocka_unit_test(our_own_stop_is_no_regression),
        cmocka_unit_test(a_side_that_ends_is_an_error_and_no_verdict),
        cmocka_unit_test(every_block_is_in_the_comparison),
        cmocka_unit_test(a_slower_target_is_found_and_the_same_one_is_not),
        cmocka_unit_test(a_target_that_fails_more_is_a_regression),
        cmocka_unit_test(commands_are_run_and_their_output_compared),
        cmocka_unit_test(a_command_that_fails_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
