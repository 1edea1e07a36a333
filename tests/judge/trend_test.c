/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "judge/trend.h"

#include <string.h>

/* A history of one case whose median TTFT follows `level` with 3 % between runs. */
static void fill_history(const char *where, const double *level, size_t runs, uint64_t seed) {
    struct pyr_store *store;
    struct pyr_err err;
    struct pyr_rng rng;
    pyr_rng_init(&rng, seed);
    const struct pyr_store_config config = {.where = where, .write = true};
    assert_ok(err, pyr_store_open(&config, &store, &err));
    for (size_t i = 0; i < runs; i++) {
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_kept_metric metric = {.metric = PYR_M_TTFT_SENT, .source = "made up", .n = 100};
        for (int s = 0; s < PYR_KEPT_COUNT; s++)
            metric.at[s] = pyr_estimate_unknown(NULL);
        metric.at[PYR_KEPT_P50].value = level[i] * pyr_rng_lognormal(&rng, 0.03);
        const struct pyr_kept_case kept = {.suite = "inference",
                                           .id = "short",
                                           .params = "",
                                           .metrics = &metric,
                                           .metric_count = 1};
        struct pyr_kept_run run = {.id = pyr_arena_printf(arena, "run%03zu", i),
                                   .origin = "pyrometer",
                                   .time_unix_s = (double)i,
                                   .revision = pyr_arena_printf(arena, "c%zu", i),
                                   .fingerprint_hash = "same",
                                   .noise_floor = pyr_estimate_unknown(NULL),
                                   .cases = &kept,
                                   .case_count = 1};
        assert_ok(err, pyr_store_add(store, &run, &err));
        pyr_arena_destroy(arena);
    }
    pyr_store_close(store);
}

static struct pyr_store *open_again(const char *where) {
    struct pyr_store *store;
    struct pyr_err err;
    const struct pyr_store_config config = {.where = where, .write = true};
    assert_ok(err, pyr_store_open(&config, &store, &err));
    return store;
}

static void a_step_is_found_at_its_revision_and_a_mark_ends_it(void **state) {
    (void)state;
    char dir[256], where[512];
    double level[40];
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(where, sizeof where, "%s/history.db", dir);
    for (size_t i = 0; i < 40; i++)
        level[i] = i < 22 ? 200e6 : 240e6;
    fill_history(where, level, 40, 1);
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_store *store = open_again(where);
    const struct pyr_trend_options options = {.metric = PYR_METRIC_COUNT, .seed = 1};
    struct pyr_trend *trends;
    size_t count;
    struct pyr_err err;
    assert_ok(err, pyr_trends_find(store, arena, &options, &trends, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(trends[0].point_count, 40);
    assert_int_equal(trends[0].change_count, 1);
    assert_string_equal(trends[0].changes[0].at->revision, "c22");
    assert_near(trends[0].changes[0].change.ratio, 1.2, 0.03);
    assert_true(trends[0].changes[0].worse);
    assert_ok(err, pyr_store_mark(store, "c22", "longer answers", 1, &err));
    assert_ok(err, pyr_trends_find(store, arena, &options, &trends, &count, &err));
    assert_int_equal(trends[0].start, 22);
    assert_int_equal(trends[0].change_count, 0);
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

static void a_flat_or_empty_history_has_no_change(void **state) {
    (void)state;
    char dir[256], where[512];
    double level[30];
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(where, sizeof where, "%s/history.db", dir);
    for (size_t i = 0; i < 30; i++)
        level[i] = 100e6;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_store *store = open_again(where);
    const struct pyr_trend_options options = {.metric = PYR_METRIC_COUNT, .seed = 1};
    struct pyr_trend *trends;
    size_t count;
    struct pyr_err err;
    assert_false(pyr_trends_find(store, arena, &options, &trends, &count, &err));
    assert_int_equal(err.code, PYR_E_INPUT);
    pyr_store_close(store);
    fill_history(where, level, 30, 2);
    store = open_again(where);
    assert_ok(err, pyr_trends_find(store, arena, &options, &trends, &count, &err));
    assert_int_equal(trends[0].change_count, 0);
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

/* Runs of three revisions, several of each. */
static void a_mark_starts_anew_at_the_first_run_of_its_revision(void **state) {
    (void)state;
    char dir[256], where[512];
    struct pyr_err err;
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(where, sizeof where, "%s/history.db", dir);
    struct pyr_store *store = open_again(where);
    struct pyr_arena *arena = pyr_arena_create();
    for (size_t i = 0; i < 15; i++) {
        struct pyr_kept_metric metric = {.metric = PYR_M_TTFT_SENT, .n = 100};
        metric.at[PYR_KEPT_P50].value = 1e8;
        const struct pyr_kept_case kept = {
            .suite = "inference", .id = "short", .metrics = &metric, .metric_count = 1};
        struct pyr_kept_run run = {.id = pyr_arena_printf(arena, "run%02zu", i),
                                   .origin = "pyrometer",
                                   .time_unix_s = (double)i,
                                   .revision = pyr_arena_printf(arena, "rev%zu-long", i / 5),
                                   .fingerprint_hash = "same",
                                   .cases = &kept,
                                   .case_count = 1};
        assert_ok(err, pyr_store_add(store, &run, &err));
    }
    const char *revision;
    size_t runs, count;
    assert_ok(err, pyr_store_revision(store, arena, "rev1", &revision, &runs, &err));
    assert_string_equal(revision, "rev1-long");
    assert_int_equal(runs, 5);
    assert_ok(err, pyr_store_revision(store, arena, "other", &revision, &runs, &err));
    assert_string_equal(revision, "other");
    assert_int_equal(runs, 0);
    assert_false(pyr_store_revision(store, arena, "rev", &revision, &runs, &err));
    assert_non_null(strstr(err.text, "several revisions"));
    assert_ok(err, pyr_store_mark(store, "rev1-long", "meant", 1, &err));
    const struct pyr_trend_options options = {.metric = PYR_METRIC_COUNT, .seed = 1};
    struct pyr_trend *trends;
    assert_ok(err, pyr_trends_find(store, arena, &options, &trends, &count, &err));
    assert_int_equal(trends[0].start, 5);
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

/* A machine whose speed wanders by half, and a step of 15 % in the ratio to a pinned reference. */
static void a_ratio_to_a_reference_shows_what_the_machine_hides(void **state) {
    (void)state;
    char dir[256], where[512];
    struct pyr_err err;
    struct pyr_rng rng;
    pyr_rng_init(&rng, 7);
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(where, sizeof where, "%s/history.db", dir);
    struct pyr_store *store = open_again(where);
    struct pyr_arena *arena = pyr_arena_create();
    double drift = 0;
    for (size_t i = 0; i < 30; i++) {
        drift = 0.9 * drift + 0.2 * pyr_rng_normal(&rng);
        double ratio = (i < 15 ? 1 : 1.15) * pyr_rng_lognormal(&rng, 0.02);
        struct pyr_kept_metric metric = {
            .metric = PYR_M_TTFT_SENT, .n = 20, .ratio = {ratio, ratio * 0.98, ratio * 1.02, NULL}};
        for (int s = 0; s < PYR_KEPT_COUNT; s++)
            metric.at[s] = pyr_estimate_unknown(NULL);
        metric.at[PYR_KEPT_P50].value = 1e8 * exp(drift) * ratio;
        const struct pyr_kept_case kept = {.suite = "ab",
                                           .id = "p64/o16/c4",
                                           .reference = "v1.gguf",
                                           .metrics = &metric,
                                           .metric_count = 1};
        struct pyr_kept_run run = {.id = pyr_arena_printf(arena, "run%02zu", i),
                                   .origin = "pyrometer",
                                   .time_unix_s = (double)i,
                                   .cases = &kept,
                                   .case_count = 1};
        run.fingerprint_hash = "same";
        assert_ok(err, pyr_store_add(store, &run, &err));
    }
    const struct pyr_trend_options options = {.metric = PYR_METRIC_COUNT, .seed = 1};
    struct pyr_trend *trends;
    size_t count;
    assert_ok(err, pyr_trends_find(store, arena, &options, &trends, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(trends[0].reference, "v1.gguf");
    assert_int_equal(trends[0].change_count, 1);
    assert_near((double)trends[0].changes[0].change.index, 15, 2);
    assert_near(trends[0].changes[0].change.ratio, 1.15, 0.03);
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

static void each_environment_is_searched_by_itself(void **state) {
    (void)state;
    char dir[256], where[512];
    struct pyr_err err;
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(where, sizeof where, "%s/history.db", dir);
    struct pyr_store *store = open_again(where);
    struct pyr_arena *arena = pyr_arena_create();
    for (size_t i = 0; i < 12; i++) {
        struct pyr_kept_metric metric = {.metric = PYR_M_TTFT_SENT, .n = 100};
        metric.at[PYR_KEPT_P50].value = i % 2 ? 1e8 : 9e8;
        const struct pyr_kept_case kept = {
            .suite = "inference", .id = "short", .metrics = &metric, .metric_count = 1};
        struct pyr_kept_run run = {.id = pyr_arena_printf(arena, "run%02zu", i),
                                   .origin = "pyrometer",
                                   .time_unix_s = (double)i,
                                   .fingerprint_hash = i % 2 ? "one" : "two",
                                   .cases = &kept,
                                   .case_count = 1};
        assert_ok(err, pyr_store_add(store, &run, &err));
    }
    struct pyr_trend_options options = {.metric = PYR_METRIC_COUNT, .seed = 1};
    struct pyr_trend *trends;
    size_t count;
    assert_ok(err, pyr_trends_find(store, arena, &options, &trends, &count, &err));
    assert_int_equal(count, 1);
    options.all_environments = true;
    assert_ok(err, pyr_trends_find(store, arena, &options, &trends, &count, &err));
    assert_int_equal(count, 2);
    assert_int_equal(trends[0].point_count, 6);
    assert_string_equal(trends[0].newest->id, "run11");
    assert_string_equal(trends[1].newest->id, "run10");
    assert_int_equal(trends[0].change_count + trends[1].change_count, 0);
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_found_at_its_revision_and_a_mark_ends_it),
        cmocka_unit_test(a_flat_or_empty_history_has_no_change),
        cmocka_unit_test(a_mark_starts_anew_at_the_first_run_of_its_revision),
        cmocka_unit_test(a_ratio_to_a_reference_shows_what_the_machine_hides),
        cmocka_unit_test(each_environment_is_searched_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
