/* SPDX-License-Identifier: MIT */
#include "support/fake_target.h"
#include "support/support.h"

#include "base/mem.h"
#include "load/workload.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pyr_fake_target target;
static struct pyr_err err;

static struct pyr_workload *make(struct pyr_workload_options options,
                                 const struct pyr_prompt_class *class, struct pyr_fake_law law) {
    pyr_fake_target_init(&target, law, NULL);
    options.classes = class;
    options.class_count = 1;
    options.max_in_flight = 4;
    struct pyr_workload *workload;
    assert_ok(err, pyr_workload_create(&options, &target.base, &workload, &err));
    return workload;
}

static struct pyr_prompt_class class_of(const char *prompt, const char *output) {
    struct pyr_prompt_class class = {.name = "test"};
    assert_ok(err, pyr_length_parse(prompt, &class.prompt_tokens, &err));
    assert_ok(err, pyr_length_parse(output, &class.output_tokens, &err));
    return class;
}

/* By their first 32 bytes. */
static int compare_heads(const void *a, const void *b) {
    return memcmp(a, b, 32);
}

static void token_prompts_have_the_exact_length_and_are_unique(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    static const uint32_t lengths[] = {8, 20, 133};
    for (size_t k = 0; k < 3; k++) {
        char text[16];
        snprintf(text, sizeof text, "%u", lengths[k]);
        struct pyr_prompt_class class = class_of(text, "7");
        /* A pool of 1024 for 5000 requests: most prompts are renumbered. */
        struct pyr_workload *workload =
            make((struct pyr_workload_options){.seed = 9}, &class, (struct pyr_fake_law){0});
        int32_t(*heads)[8] = pyr_xcalloc(COUNT, sizeof *heads);
        for (uint32_t i = 0; i < COUNT; i++) {
            struct pyr_slot slot = {0};
            pyr_workload_next(workload, i % 5, &slot);
            assert_int_equal(slot.prompt.token_count, lengths[k]);
            assert_int_equal(slot.record.prompt_tokens, lengths[k]);
            assert_int_equal(slot.output_tokens, 7);
            assert_int_equal(slot.prompt.tokens[0], 1); /* the begin token */
            assert_true(slot.record.prompt_hash != 0);
            memcpy(heads[i], slot.prompt.tokens, sizeof *heads);
        }
        qsort(heads, COUNT, sizeof *heads, compare_heads);
        for (uint32_t i = 1; i < COUNT; i++)
            assert_int_not_equal(compare_heads(heads[i - 1], heads[i]), 0);
        struct pyr_workload_info info;
        pyr_workload_describe(workload, &info);
        assert_int_equal(info.repeated, 0);
        assert_int_equal(info.renumbered, COUNT - 1024);
        assert_int_equal(info.longest_total_tokens, lengths[k] + 7);
        assert_false(info.estimated);
        pyr_free(heads);
        pyr_workload_destroy(workload);
    }
}

static void even_one_token_is_given_exactly(void **state) {
    (void)state;
    for (uint32_t tokens = 1; tokens <= 3; tokens++) {
        struct pyr_prompt_class class = {"tiny", pyr_length_fixed(tokens), pyr_length_fixed(1), 1};
        struct pyr_workload *workload =
            make((struct pyr_workload_options){.requests = 5}, &class, (struct pyr_fake_law){0});
        struct pyr_slot slot = {0};
        pyr_workload_next(workload, 0, &slot);
        assert_int_equal(slot.prompt.token_count, tokens);
        pyr_workload_destroy(workload);
    }
}

static void a_shared_prefix_is_shared_and_no_more(void **state) {
    (void)state;
    struct pyr_prompt_class class = class_of("101", "1");
    struct pyr_workload *workload =
        make((struct pyr_workload_options){.seed = 2, .shared_prefix = 0.5, .requests = 50}, &class,
             (struct pyr_fake_law){0});
    struct pyr_slot first = {0}, slot = {0};
    pyr_workload_next(workload, 0, &first);
    for (int i = 0; i < 30; i++) {
        pyr_workload_next(workload, 1, &slot);
        assert_memory_equal(slot.prompt.tokens, first.prompt.tokens, 50 * sizeof(int32_t));
        assert_memory_not_equal(slot.prompt.tokens + 50, first.prompt.tokens + 50,
                                6 * sizeof(int32_t));
    }
    pyr_workload_destroy(workload);
}

static void the_seed_decides_and_nothing_else(void **state) {
    (void)state;
    struct pyr_prompt_class class = class_of("normal:60,20", "lognormal:30,30");
    struct pyr_workload *a =
        make((struct pyr_workload_options){.seed = 4}, &class, (struct pyr_fake_law){0});
    struct pyr_workload *b =
        make((struct pyr_workload_options){.seed = 4}, &class, (struct pyr_fake_law){0});
    struct pyr_workload *c =
        make((struct pyr_workload_options){.seed = 5}, &class, (struct pyr_fake_law){0});
    bool differs = false;
    for (uint32_t i = 0; i < 3000; i++) {
        struct pyr_slot x = {0}, y = {0}, z = {0};
        pyr_workload_next(a, i % 4, &x);
        pyr_workload_next(b, (i + 1) % 4, &y); /* whichever slot asks */
        pyr_workload_next(c, i % 4, &z);
        assert_true(x.record.prompt_hash == y.record.prompt_hash);
        assert_int_equal(x.output_tokens, y.output_tokens);
        differs |= x.record.prompt_hash != z.record.prompt_hash;
    }
    assert_true(differs);
    pyr_workload_rewind(a);
    pyr_workload_rewind(b);
    struct pyr_slot x = {0}, y = {0};
    pyr_workload_next(a, 0, &x);
    pyr_workload_next(b, 0, &y);
    assert_true(x.record.prompt_hash == y.record.prompt_hash);
    pyr_workload_destroy(a);
    pyr_workload_destroy(b);
    pyr_workload_destroy(c);
}

static void text_is_fitted_to_the_targets_own_count(void **state) {
    (void)state;
    struct pyr_prompt_class class = class_of("40", "3");
    struct pyr_workload *workload = make((struct pyr_workload_options){.requests = 2000}, &class,
                                         (struct pyr_fake_law){.text_only = true});
    char heads[2000][32];
    for (uint32_t i = 0; i < 2000; i++) {
        struct pyr_slot slot = {0};
        pyr_workload_next(workload, i % 4, &slot);
        assert_null(slot.prompt.tokens);
        assert_int_equal(
            target.base.ops->count_tokens(&target.base, slot.prompt.text, slot.prompt.text_bytes),
            40);
        assert_int_equal(slot.prompt.text[slot.prompt.text_bytes], '\0');
        assert_int_equal(slot.record.flags, 0);
        for (size_t k = 0; k < slot.prompt.text_bytes; k++)
            assert_true(islower((unsigned char)slot.prompt.text[k]) || slot.prompt.text[k] == ' ');
        memcpy(heads[i], slot.prompt.text, sizeof heads[i]);
    }
    qsort(heads, 2000, sizeof *heads, compare_heads);
    for (uint32_t i = 1; i < 2000; i++)
        assert_memory_not_equal(heads[i - 1], heads[i], sizeof *heads);
    pyr_workload_destroy(workload);
}

static void words_of_several_tokens_are_fitted_all_the_same(void **state) {
    (void)state;
    struct pyr_prompt_class class = class_of("41", "3");
    struct pyr_workload *workload =
        make((struct pyr_workload_options){.requests = 500}, &class,
             (struct pyr_fake_law){.text_only = true, .long_words = true});
    for (uint32_t i = 0; i < 500; i++) {
        struct pyr_slot slot = {0};
        pyr_workload_next(workload, 0, &slot);
        assert_int_equal(slot.prompt.token_count, 41);
        assert_int_equal(
            target.base.ops->count_tokens(&target.base, slot.prompt.text, slot.prompt.text_bytes),
            41);
    }
    pyr_workload_destroy(workload);
}

static void a_length_nobody_can_count_is_called_an_estimate(void **state) {
    (void)state;
    struct pyr_prompt_class class = class_of("40", "3");
    struct pyr_workload *workload =
        make((struct pyr_workload_options){.requests = 10}, &class,
             (struct pyr_fake_law){.text_only = true, .cannot_count = true});
    struct pyr_slot slot = {0};
    struct pyr_workload_info info;
    pyr_workload_next(workload, 0, &slot);
    pyr_workload_describe(workload, &info);
    assert_int_equal(slot.record.prompt_tokens, 40);
    assert_true(slot.record.flags & PYR_REQUEST_ESTIMATED);
    assert_true(info.estimated);
    pyr_workload_destroy(workload);
}

static size_t words_of(const struct pyr_slot *slot) {
    size_t words = 1;
    for (size_t k = 0; k < slot->prompt.text_bytes; k++)
        words += slot->prompt.text[k] == ' ';
    return words;
}

static void an_estimate_is_fitted_where_two_prompts_can_be_weighed(void **state) {
    (void)state;
    struct pyr_prompt_class class = class_of("40", "3");
    struct pyr_workload *workload =
        make((struct pyr_workload_options){.requests = 10}, &class,
             (struct pyr_fake_law){
                 .text_only = true, .cannot_count = true, .weighs = true, .framing = 10});
    struct pyr_slot slot = {0};
    pyr_workload_next(workload, 0, &slot);
    assert_int_equal(words_of(&slot), 29); /* a begin token and ten around it */
    assert_true(slot.record.flags & PYR_REQUEST_ESTIMATED);
    pyr_workload_destroy(workload);
}

static void a_prompt_shorter_than_what_stands_around_it_is_told(void **state) {
    (void)state;
    struct pyr_prompt_class class = class_of("8", "3");
    struct pyr_workload *workload = make((struct pyr_workload_options){.requests = 3}, &class,
                                         (struct pyr_fake_law){.text_only = true, .framing = 10});
    struct pyr_workload_info info;
    pyr_workload_describe(workload, &info);
    assert_int_equal(info.asked_too_short, 8);
    assert_int_equal(info.shortest, 12);
    pyr_workload_destroy(workload);
}

static void classes_are_drawn_by_their_weights(void **state) {
    (void)state;
    const struct pyr_prompt_class classes[] = {
        {"a", pyr_length_fixed(10), pyr_length_fixed(1), 1},
        {"b", pyr_length_fixed(20), pyr_length_fixed(2), 3},
    };
    pyr_fake_target_init(&target, (struct pyr_fake_law){0}, NULL);
    const struct pyr_workload_options options = {
        .classes = classes, .class_count = 2, .max_in_flight = 1, .requests = 4000};
    struct pyr_workload *workload;
    assert_ok(err, pyr_workload_create(&options, &target.base, &workload, &err));
    int seen[2] = {0};
    for (int i = 0; i < 4000; i++) {
        struct pyr_slot slot = {0};
        pyr_workload_next(workload, 0, &slot);
        assert_in_range(slot.record.prompt_class, 0, 1);
        assert_int_equal(slot.prompt.token_count, slot.record.prompt_class ? 20 : 10);
        assert_int_equal(slot.output_tokens, slot.record.prompt_class ? 2 : 1);
        seen[slot.record.prompt_class]++;
    }
    assert_in_range(seen[1], 2900, 3100);
    pyr_workload_destroy(workload);
    assert_int_equal(pyr_workload_longest(classes, 2), 22);
}

static void lengths_beyond_the_target_are_refused_or_cut(void **state) {
    (void)state;
    pyr_fake_target_init(&target, (struct pyr_fake_law){0}, NULL);
    struct pyr_prompt_class class = class_of("100", "50");
    struct pyr_workload_options options = {
        .classes = &class, .class_count = 1, .max_in_flight = 1, .tokens_limit = 128};
    struct pyr_workload *workload;
    assert_false(pyr_workload_create(&options, &target.base, &workload, &err));
    assert_non_null(strstr(err.text, "128 tokens"));
    class = class_of("lognormal:100,100", "exponential:50");
    assert_ok(err, pyr_workload_create(&options, &target.base, &workload, &err));
    for (int i = 0; i < 3000; i++) {
        struct pyr_slot slot = {0};
        pyr_workload_next(workload, 0, &slot);
        assert_true(slot.prompt.token_count + slot.output_tokens <= 128);
        assert_true(slot.prompt.token_count >= 1 && slot.output_tokens >= 1);
    }
    pyr_workload_destroy(workload);
}

static void the_pool_stays_within_its_bytes(void **state) {
    (void)state;
    struct pyr_prompt_class class = class_of("1000", "1");
    struct pyr_workload *workload =
        make((struct pyr_workload_options){.requests = 1000000, .pool_bytes = 1 << 20}, &class,
             (struct pyr_fake_law){0});
    struct pyr_workload_info info;
    pyr_workload_describe(workload, &info);
    assert_true(info.pool_bytes < (1 << 20) + 6 * 4200); /* and a copy for each slot */
    assert_in_range(info.pool_prompts, 200, 270);
    pyr_workload_destroy(workload);
}

static void the_users_prompts_are_sent_as_they_are(void **state) {
    (void)state;
    static const char *const texts[] = {"hello you", "what is it"};
    struct pyr_prompt_class class = class_of("16", "9");
    struct pyr_workload *workload =
        make((struct pyr_workload_options){.texts = texts, .text_count = 2, .requests = 5}, &class,
             (struct pyr_fake_law){0});
    for (int i = 0; i < 5; i++) {
        struct pyr_slot slot = {0};
        pyr_workload_next(workload, 0, &slot);
        assert_string_equal(slot.prompt.text, texts[i % 2]);
        assert_int_equal(slot.prompt.tokens[0], 1);
        assert_int_equal(slot.prompt.token_count, i % 2 ? 4 : 7);
        assert_int_equal(slot.output_tokens, 9);
    }
    struct pyr_workload_info info;
    pyr_workload_describe(workload, &info);
    assert_int_equal(info.repeated, 3);
    assert_int_equal(info.renumbered, 0);
    pyr_workload_destroy(workload);
}

static void a_file_can_give_the_output_length(void **state) {
    (void)state;
    char dir[256], path[300];
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/prompts.jsonl", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"conversations\":[{\"from\":\"human\",\"value\":\"hi\"},"
          "{\"from\":\"gpt\",\"value\":\"a b c\"}]}\n{\"prompt\":\"x\",\"max_tokens\":5}\n",
          file);
    fclose(file);
    struct pyr_prompt_class class = class_of("16", "9");
    struct pyr_workload *workload =
        make((struct pyr_workload_options){.prompts_path = path, .output_from_file = true}, &class,
             (struct pyr_fake_law){.text_only = true, .framing = 5});
    struct pyr_slot slot = {0};
    pyr_workload_next(workload, 0, &slot);
    assert_string_equal(slot.prompt.text, "hi");
    assert_string_equal(slot.prompt.messages_json, "[{\"role\":\"user\",\"content\":\"hi\"}]");
    assert_int_equal(slot.output_tokens, 3); /* without what stands around a prompt */
    pyr_workload_next(workload, 0, &slot);
    assert_int_equal(slot.output_tokens, 5);
    pyr_workload_destroy(workload);
    unlink(path);
    rmdir(dir);
    const struct pyr_workload_options options = {
        .classes = &class, .class_count = 1, .max_in_flight = 1, .prompts_path = path};
    assert_false(pyr_workload_create(&options, &target.base, &workload, &err));
    assert_non_null(strstr(err.text, path));
}

static void the_named_classes_are_there(void **state) {
    (void)state;
    assert_non_null(pyr_prompt_class_find("short"));
    assert_non_null(pyr_prompt_class_find("long"));
    assert_null(pyr_prompt_class_find("huge"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_prompts_have_the_exact_length_and_are_unique),
        cmocka_unit_test(even_one_token_is_given_exactly),
        cmocka_unit_test(a_shared_prefix_is_shared_and_no_more),
        cmocka_unit_test(the_seed_decides_and_nothing_else),
        cmocka_unit_test(text_is_fitted_to_the_targets_own_count),
        cmocka_unit_test(words_of_several_tokens_are_fitted_all_the_same),
        cmocka_unit_test(a_length_nobody_can_count_is_called_an_estimate),
        cmocka_unit_test(an_estimate_is_fitted_where_two_prompts_can_be_weighed),
        cmocka_unit_test(a_prompt_shorter_than_what_stands_around_it_is_told),
        cmocka_unit_test(classes_are_drawn_by_their_weights),
        cmocka_unit_test(lengths_beyond_the_target_are_refused_or_cut),
        cmocka_unit_test(the_pool_stays_within_its_bytes),
        cmocka_unit_test(the_users_prompts_are_sent_as_they_are),
        cmocka_unit_test(a_file_can_give_the_output_length),
        cmocka_unit_test(the_named_classes_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
