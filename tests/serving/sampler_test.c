/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/mem.h"
#include "serving/sampler.h"

#include <math.h>
#include <string.h>

static int32_t plain_argmax(const float *row, uint32_t count) {
    int32_t best = -1;
    for (uint32_t i = 0; i < count; i++) {
        if (!isnan(row[i]) && (best < 0 || row[i] > row[best]))
            best = (int32_t)i;
    }
    return best;
}

static void argmax_agrees_with_a_plain_scan_at_every_length_and_place(void **state) {
    (void)state;
    struct pyr_rng rng;
    pyr_rng_init(&rng, 7);
    float row[1100];
    for (int round = 0; round < 3000; round++) {
        uint32_t count = (uint32_t)pyr_rng_below(&rng, 1100);
        for (uint32_t i = 0; i < count; i++)
            row[i] = (float)((int)pyr_rng_below(&rng, 40) - 60); /* many ties */
        if (count > 0 && round % 3 == 0)
            row[pyr_rng_below(&rng, count)] = NAN;
        if (count > 0 && round % 5 == 0)
            row[pyr_rng_below(&rng, count)] = INFINITY;
        assert_int_equal(pyr_argmax(row, count), plain_argmax(row, count));
    }
}

static void of_equal_values_the_first_wins(void **state) {
    (void)state;
    float row[2000];
    for (int i = 0; i < 2000; i++)
        row[i] = 1.5f;
    assert_int_equal(pyr_argmax(row, 2000), 0);
    row[0] = row[1] = 1;
    assert_int_equal(pyr_argmax(row, 2000), 2);
}

static void a_row_without_a_number_has_no_maximum(void **state) {
    (void)state;
    float row[600];
    for (int i = 0; i < 600; i++)
        row[i] = NAN;
    assert_int_equal(pyr_argmax(row, 600), -1);
    assert_int_equal(pyr_argmax(row, 0), -1);
    row[500] = -INFINITY;
    assert_int_equal(pyr_argmax(row, 600), 500);
}

enum { DRAWS = 40000 };

static void count_draws(const float *row, uint32_t count, struct pyr_sampling sampling,
                        uint32_t *drawn) {
    struct pyr_candidate workspace[16];
    struct pyr_rng rng;
    pyr_rng_init(&rng, 11);
    memset(drawn, 0, count * sizeof *drawn);
    for (int i = 0; i < DRAWS; i++) {
        int32_t token = pyr_sample(row, count, NULL, &sampling, &rng, workspace);
        assert_in_range(token, 0, count - 1);
        drawn[token]++;
    }
}

/* Within five standard deviations of the binomial. */
static void assert_share(uint32_t drawn, double share) {
    double sd = sqrt(DRAWS * share * (1 - share));
    assert_true(fabs(drawn - DRAWS * share) <= 5 * sd);
}

static const float law[4] = {0.0f, 2.0f, 1.0f, -1.0f};

static void tokens_are_drawn_by_the_softmax_of_their_logits(void **state) {
    (void)state;
    uint32_t drawn[4];
    for (float temperature = 0.5f; temperature < 3; temperature += 1) {
        double sum = 0;
        for (int i = 0; i < 4; i++)
            sum += exp((double)law[i] / (double)temperature);
        count_draws(law, 4, (struct pyr_sampling){.temperature = temperature}, drawn);
        for (int i = 0; i < 4; i++)
            assert_share(drawn[i], exp((double)law[i] / (double)temperature) / sum);
    }
}

static void top_k_keeps_the_likeliest(void **state) {
    (void)state;
    uint32_t drawn[4];
    count_draws(law, 4, (struct pyr_sampling){.temperature = 1, .top_k = 2}, drawn);
    assert_int_equal(drawn[0] + drawn[3], 0);
    assert_share(drawn[1], exp(2) / (exp(2) + exp(1)));
}

static void top_p_keeps_the_token_that_crosses_it(void **state) {
    (void)state;
    uint32_t drawn[4];
    /* shares: 0.0871, 0.6439, 0.2369, 0.0321 */
    count_draws(law, 4, (struct pyr_sampling){.temperature = 1, .top_p = 0.7f}, drawn);
    assert_int_equal(drawn[0] + drawn[3], 0);
    assert_share(drawn[1], exp(2) / (exp(2) + exp(1)));
    count_draws(law, 4, (struct pyr_sampling){.temperature = 1, .top_p = 0.5f}, drawn);
    assert_int_equal(drawn[1], DRAWS);
    /* of the top 2, 0.7311 and 0.2689, the first alone reaches 0.7 */
    count_draws(law, 4, (struct pyr_sampling){.temperature = 1, .top_k = 2, .top_p = 0.7f}, drawn);
    assert_int_equal(drawn[1], DRAWS);
}

static void the_same_seed_gives_the_same_draws(void **state) {
    (void)state;
    struct pyr_candidate workspace[4];
    struct pyr_sampling sampling = {.temperature = 1};
    struct pyr_rng one, two;
    pyr_rng_init(&one, 5);
    pyr_rng_init(&two, 5);
    for (int i = 0; i < 100; i++)
        assert_int_equal(pyr_sample(law, 4, NULL, &sampling, &one, workspace),
                         pyr_sample(law, 4, NULL, &sampling, &two, workspace));
}

static void temperature_zero_is_greedy(void **state) {
    (void)state;
    struct pyr_rng rng;
    pyr_rng_init(&rng, 5);
    struct pyr_sampling sampling = {.temperature = 0, .top_k = 3};
    assert_int_equal(pyr_sample(law, 4, NULL, &sampling, &rng, NULL), 1);
}

static void a_banned_token_is_never_chosen(void **state) {
    (void)state;
    static const bool banned[4] = {false, true, false, false}, all[4] = {true, true, true, true};
    struct pyr_candidate workspace[4];
    struct pyr_rng rng;
    struct pyr_sampling sampling = {.temperature = 1};
    uint32_t drawn[4] = {0};
    assert_int_equal(pyr_argmax_allowed(law, 4, NULL), 1);
    assert_int_equal(pyr_argmax_allowed(law, 4, banned), 2);
    assert_int_equal(pyr_argmax_allowed(law, 4, all), -1);
    pyr_rng_init(&rng, 5);
    for (int i = 0; i < DRAWS; i++)
        drawn[pyr_sample(law, 4, banned, &sampling, &rng, workspace)]++;
    assert_int_equal(drawn[1], 0);
    assert_share(drawn[2], exp(1) / (exp(0) + exp(1) + exp(-1)));
    assert_int_equal(pyr_sample(law, 4, all, &sampling, &rng, workspace), -1);
    sampling.top_k = 1;
    assert_int_equal(pyr_sample(law, 4, banned, &sampling, &rng, workspace), 2);
}

static void min_p_keeps_what_is_likely_enough(void **state) {
    (void)state;
    uint32_t drawn[4];
    const float row[4] = {logf(0.5f), logf(0.3f), logf(0.15f), logf(0.05f)};
    count_draws(row, 4, (struct pyr_sampling){.temperature = 1, .min_p = 0.4f}, drawn);
    assert_share(drawn[0], 0.5 / 0.8);
    assert_share(drawn[1], 0.3 / 0.8);
    assert_int_equal(drawn[2] + drawn[3], 0);
}

static void what_was_said_before_counts_as_the_penalties_say(void **state) {
    (void)state;
    static const int32_t prompt[] = {0, 1, 1, 99}, answer[] = {2, 1, 2, -1};
    static const float row[6] = {2, 2, -2, 2, 2, NAN};
    static const struct pyr_bias biases[] = {{4, -3}, {77, 1}};
    const struct pyr_sampling sampling = {
        .presence = 0.5f, .frequency = 0.25f, .repetition = 2, .biases = biases, .bias_count = 2};
    static const double wanted[5] = {2. / 2,              /* in the prompt */
                                     2. / 2 - 0.5 - 0.25, /* and once in the answer */
                                     -2 * 2 - 0.5 - 0.5,  /* twice in the answer */
                                     2, 2 - 3};
    uint32_t seen[6] = {0};
    float adjusted[6];
    assert_true(pyr_adjusts(&sampling));
    assert_false(pyr_adjusts(&(struct pyr_sampling){.repetition = 1}));
    for (int round = 0; round < 2; round++) { /* it leaves no traces */
        pyr_adjust(row, 6, &sampling, (struct pyr_tokens){prompt, 4},
                   (struct pyr_tokens){answer, 4}, seen, adjusted);
        for (int i = 0; i < 5; i++)
            assert_near((double)adjusted[i], wanted[i], 1e-6);
        assert_true(isnan(adjusted[5]));
    }
}

static void chances_are_the_logarithms_of_the_softmax_best_first(void **state) {
    (void)state;
    struct pyr_chance chances[6];
    double sum = log(exp(0) + exp(2) + exp(1) + exp(-1));
    pyr_chances(law, 4, 0, chances, 3);
    assert_int_equal(chances[0].token, 0);
    assert_near((double)chances[0].log_probability, 0 - sum, 1e-6);
    assert_int_equal(chances[1].token, 1);
    assert_near((double)chances[1].log_probability, 2 - sum, 1e-6);
    assert_int_equal(chances[2].token, 2);
    assert_near((double)chances[2].log_probability, 1 - sum, 1e-6);
    pyr_chances(law, 4, 3, chances, 6); /* more than there are */
    assert_int_equal(chances[0].token, 3);
    assert_int_equal(chances[4].token, 3);
    assert_int_equal(chances[5].token, -1);
    const float ties[5] = {1, 3, 3, NAN, 3};
    pyr_chances(ties, 5, 4, chances, 4);
    assert_int_equal(chances[1].token, 1);
    assert_int_equal(chances[2].token, 2);
    assert_int_equal(chances[3].token, 4);
    pyr_chances(ties, 5, 4, chances, 1);
    assert_near((double)chances[0].log_probability, 3 - log(3 * exp(3) + exp(1)), 1e-6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(argmax_agrees_with_a_plain_scan_at_every_length_and_place),
        cmocka_unit_test(of_equal_values_the_first_wins),
        cmocka_unit_test(a_row_without_a_number_has_no_maximum),
        cmocka_unit_test(tokens_are_drawn_by_the_softmax_of_their_logits),
        cmocka_unit_test(top_k_keeps_the_likeliest),
        cmocka_unit_test(top_p_keeps_the_token_that_crosses_it),
        cmocka_unit_test(the_same_seed_gives_the_same_draws),
        cmocka_unit_test(temperature_zero_is_greedy),
        cmocka_unit_test(a_banned_token_is_never_chosen),
        cmocka_unit_test(min_p_keeps_what_is_likely_enough),
        cmocka_unit_test(what_was_said_before_counts_as_the_penalties_say),
        cmocka_unit_test(chances_are_the_logarithms_of_the_softmax_best_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
