/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "support/store_checks.h"

#include "base/buf.h"
#include "store/db.h"

#include <string.h>

static struct pyr_estimate around(double value) {
    return (struct pyr_estimate){.value = value, .lo = value * 0.9, .hi = value * 1.1};
}

static void fill_metric(struct pyr_arena *arena, enum pyr_metric which, double scale,
                        struct pyr_kept_metric *metric) {
    *metric = (struct pyr_kept_metric){
        .metric = which, .source = "made up", .n = 1000, .ratio = around(1.25)};
    for (int i = 0; i < PYR_KEPT_COUNT; i++)
        metric->at[i] = pyr_estimate_unknown(NULL);
    metric->sd = metric->min = metric->max = NAN;
    if (pyr_metric_info(which)->kind == PYR_KIND_SCALAR) {
        metric->at[PYR_KEPT_VALUE] = around(scale);
        return;
    }
    for (int i = PYR_KEPT_MEAN; i < PYR_KEPT_COUNT; i++)
        metric->at[i] = around(scale * (1 + 0.1 * i));
    metric->at[PYR_KEPT_COUNT - 1].hi = NAN; /* an open end stays open */
    struct pyr_hist *hist = pyr_hist_create();
    for (unsigned i = 1; i <= 1000; i++)
        pyr_hist_record(hist, (uint64_t)(scale * i));
    struct pyr_buf bytes = {0};
    pyr_hist_write(hist, &bytes);
    metric->hist = memcpy(pyr_arena_alloc(arena, bytes.length), bytes.data, bytes.length);
    metric->hist_bytes = bytes.length;
    pyr_buf_deinit(&bytes);
    pyr_hist_destroy(hist);
}

struct pyr_kept_run *pyr_test_kept_run(struct pyr_arena *arena, unsigned number) {
    struct pyr_kept_run *run = pyr_arena_alloc(arena, sizeof *run);
    run->id = pyr_arena_printf(arena, "20240101T%06uZ-abc%03u", number, number);
    run->origin = "pyrometer";
    run->time_unix_s = 1704067200.5 + number;
    run->version = "0.1.0";
    run->command = "pyrometer bench 'it''s; DROP TABLE pyr_run' \xe2\x82\xac";
    run->revision = pyr_arena_printf(arena, "commit%u", number);
    run->group = number % 2 ? "odd" : NULL;
    run->fingerprint_json = "{\"cpu\":\"x\"}";
    run->fingerprint_hash = number < 3 ? "old" : "new";
    run->meta_json = "{}";
    run->run_path = "history/x/run.pyr";
    run->simulated = number == 1;
    run->noise_floor = pyr_estimate_unknown(NULL);
    run->noise_floor.value = 0.015;
    struct pyr_kept_case *cases = pyr_arena_array(arena, 2, sizeof *cases);
    for (int i = 0; i < 2; i++) {
        struct pyr_kept_metric *metrics = pyr_arena_array(arena, 2, sizeof *metrics);
        fill_metric(arena, PYR_M_REQUEST_THROUGHPUT, 10.25 + number, &metrics[0]);
        fill_metric(arena, PYR_M_LATENCY_SENT, 1e6 * (i + 1), &metrics[1]);
        cases[i] = (struct pyr_kept_case){.suite = "concurrent",
                                          .id = i ? "short.c8" : "short.c1",
                                          .params = "a=b",
                                          .open_loop = i == 1,
                                          .reference = i ? "pinned" : NULL,
                                          .total = 100,
                                          .ok = 99,
                                          .outputs_hash = UINT64_MAX - number,
                                          .metrics = metrics,
                                          .metric_count = 2};
    }
    run->cases = cases;
    run->case_count = 2;
    return run;
}

static void assert_same_number(double seen, double expected) {
    if (isnan(expected))
        assert_true(isnan(seen));
    else if (seen != expected)
        fail_msg("%.17g is not %.17g", seen, expected);
}

static void assert_same_metric(const struct pyr_kept_metric *seen,
                               const struct pyr_kept_metric *expected) {
    assert_int_equal(seen->n, expected->n);
    assert_string_equal(seen->source, expected->source);
    for (int i = 0; i < PYR_KEPT_COUNT; i++) {
        assert_same_number(seen->at[i].value, expected->at[i].value);
        assert_same_number(seen->at[i].lo, expected->at[i].lo);
        assert_same_number(seen->at[i].hi, expected->at[i].hi);
    }
    assert_same_number(seen->sd, expected->sd);
    assert_int_equal(seen->hist_bytes, expected->hist_bytes);
    if (expected->hist)
        assert_memory_equal(seen->hist, expected->hist, expected->hist_bytes);
}

static struct pyr_store *open_for_writing(const char *where) {
    struct pyr_store *store;
    struct pyr_err err;
    assert_ok(err, pyr_store_open(&(struct pyr_store_config){.where = where, .write = true}, &store,
                                  &err));
    return store;
}

void pyr_test_store_keeps_runs_whole(const char *where) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_err err;
    struct pyr_store *store = open_for_writing(where);
    for (unsigned i = 1; i <= 3; i++)
        assert_ok(err, pyr_store_add(store, pyr_test_kept_run(arena, i), &err));
    assert_false(pyr_store_add(store, pyr_test_kept_run(arena, 2), &err));
    assert_non_null(strstr(err.text, "in it already"));
    pyr_store_close(store);

    store = open_for_writing(where); /* a second time finds the schema in place */
    struct pyr_kept_run *list, *seen, *expected = pyr_test_kept_run(arena, 2);
    size_t count;
    assert_ok(err, pyr_store_list(store, arena, NULL, &list, &count, &err));
    assert_int_equal(count, 3);
    assert_true(list[0].simulated && !list[1].simulated);
    assert_string_equal(list[2].revision, "commit3");
    const struct pyr_store_filter newest_old = {.fingerprint_hash = "old", .newest = 1};
    assert_ok(err, pyr_store_list(store, arena, &newest_old, &list, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].revision, "commit2");

    assert_ok(err, pyr_store_load(store, arena, expected->id, true, &seen, &err));
    assert_string_equal(seen->command, expected->command);
    assert_same_number(seen->time_unix_s, expected->time_unix_s);
    assert_same_number(seen->noise_floor.value, 0.015);
    assert_null(seen->group);
    assert_int_equal(seen->case_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct pyr_kept_case *at = pyr_kept_case(seen, "concurrent", expected->cases[i].id);
        assert_non_null(at);
        assert_int_equal(at->open_loop, i == 1);
        assert_int_equal(at->reference != NULL, i == 1);
        assert_same_number(at->metrics[0].ratio.lo, i ? 1.25 * 0.9 : (double)NAN);
        assert_true(at->outputs_hash == expected->cases[i].outputs_hash);
        for (size_t k = 0; k < 2; k++) {
            const struct pyr_kept_metric *wanted = &expected->cases[i].metrics[k];
            assert_same_metric(pyr_kept_metric(at, wanted->metric), wanted);
        }
    }
    assert_ok(err, pyr_store_load(store, arena, "latest", false, &seen, &err));
    assert_string_equal(seen->revision, "commit3");
    assert_ok(err, pyr_store_load(store, arena, "20240101T000001", false, &seen, &err));
    assert_string_equal(seen->revision, "commit1");
    assert_false(pyr_store_load(store, arena, "2024", false, &seen, &err));
    assert_non_null(strstr(err.text, "several runs"));
    assert_false(pyr_store_load(store, arena, "%", false, &seen, &err));
    assert_non_null(strstr(err.text, "no run '%'"));
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

void pyr_test_store_tells_series_and_merges(const char *where) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_err err;
    struct pyr_store *store = open_for_writing(where);
    for (unsigned i = 5; i >= 1; i--)
        assert_ok(err, pyr_store_add(store, pyr_test_kept_run(arena, i), &err));
    assert_ok(err, pyr_store_mark(store, "commit2", "slower on purpose", 1.0, &err));
    assert_ok(err, pyr_store_mark(store, "commit2", "a new model", 2.0, &err));
    struct pyr_store_point *points;
    size_t count, runs;
    assert_ok(err,
              pyr_store_series(store, arena, "concurrent", "short.c8", PYR_M_REQUEST_THROUGHPUT,
                               PYR_KEPT_VALUE, NULL, &points, &count, &err));
    assert_int_equal(count, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(points[i].at.value == 10.25 + (i + 1));
        assert_int_equal(points[i].expected != NULL, i == 1);
    }
    assert_string_equal(points[1].expected, "a new model");
    assert_ok(err, pyr_store_series(store, arena, "concurrent", "short.c8", PYR_M_LATENCY_SENT,
                                    PYR_KEPT_P50 + PYR_Q_P99_9, NULL, &points, &count, &err));
    assert_int_equal(count, 5);
    assert_true(isnan(points[0].at.hi));
    assert_ok(err, pyr_store_series(store, arena, "concurrent", "short.c2", PYR_M_LATENCY_SENT,
                                    PYR_KEPT_MEAN, NULL, &points, &count, &err));
    assert_int_equal(count, 0);

    struct pyr_hist *hist = pyr_hist_create();
    const struct pyr_store_filter recent = {.fingerprint_hash = "new"};
    assert_ok(err, pyr_store_merge(store, "concurrent", "short.c1", PYR_M_LATENCY_SENT, &recent,
                                   hist, &runs, &err));
    assert_int_equal(runs, 3);
    assert_int_equal(hist->count, 3000);
    assert_int_equal(hist->max, 1000000000);
    pyr_hist_destroy(hist);
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

void pyr_test_store_takes_runs_out(const char *where) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_err err;
    struct pyr_store *store = open_for_writing(where);
    for (unsigned i = 1; i <= 3; i++)
        assert_ok(err, pyr_store_add(store, pyr_test_kept_run(arena, i), &err));
    const char *ids[] = {pyr_test_kept_run(arena, 1)->id, "not there"};
    struct pyr_kept_run *list;
    size_t count, runs;
    assert_false(pyr_store_remove(store, ids, 2, &err));
    assert_non_null(strstr(err.text, "no run 'not there'"));
    assert_ok(err, pyr_store_list(store, arena, NULL, &list, &count, &err));
    assert_int_equal(count, 3);
    assert_ok(err, pyr_store_remove(store, ids, 1, &err));
    assert_ok(err, pyr_store_list(store, arena, NULL, &list, &count, &err));
    assert_int_equal(count, 2);
    struct pyr_hist *hist = pyr_hist_create();
    assert_ok(err, pyr_store_merge(store, "concurrent", "short.c1", PYR_M_LATENCY_SENT, NULL, hist,
                                   &runs, &err));
    assert_int_equal(runs, 2);
    pyr_hist_destroy(hist);
    /* The id is free again, with nothing of the old run about. */
    assert_ok(err, pyr_store_add(store, pyr_test_kept_run(arena, 1), &err));
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

/* A history of the first schema is brought up to date with what is in it. */
void pyr_test_store_migrates(const char *where) {
    const struct pyr_db_ops *ops = strstr(where, "://") ? &pyr_db_postgres : &pyr_db_sqlite;
    struct pyr_store_config config = {.where = where, .write = true};
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_err err;
    struct pyr_db *db;
    assert_ok(err, ops->open(&config, &db, &err));
    assert_ok(err, pyr_schema_migrate(db, 1, &err));
    static const char *const rows[] = {
        "INSERT INTO pyr_run (key, id, origin, time, simulated) VALUES (1, 'old', 'pyrometer', 5, "
        "0)",
        "INSERT INTO pyr_case (run, number, suite, id, open_loop) VALUES (1, 0, 's', 'c', 0)",
        "INSERT INTO pyr_metric (run, number, metric, n, value) VALUES (1, 0, 'rss_peak', 3, 42)"};
    for (size_t i = 0; i < 3; i++)
        assert_ok(err, ops->run(db, rows[i], NULL, 0, NULL, NULL, &err));
    ops->close(db);
    struct pyr_store *store;
    config.write = false;
    assert_false(pyr_store_open(&config, &store, &err));
    assert_non_null(strstr(err.text, "brings it up to date"));
    config.write = true;
    assert_ok(err, pyr_store_open(&config, &store, &err));
    struct pyr_store_point *points;
    size_t count;
    assert_ok(err, pyr_store_series(store, arena, "s", "c", PYR_M_RSS_PEAK, PYR_KEPT_VALUE, NULL,
                                    &points, &count, &err));
    assert_int_equal(count, 1);
    assert_true(points[0].at.value == 42);
    assert_null(points[0].reference);
    assert_ok(err, pyr_store_add(store, pyr_test_kept_run(arena, 1), &err));
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

void pyr_test_store_refuses_a_newer_schema(const char *where) {
    const struct pyr_db_ops *ops = strstr(where, "://") ? &pyr_db_postgres : &pyr_db_sqlite;
    struct pyr_store_config config = {.where = where, .write = true};
    struct pyr_err err;
    struct pyr_db *db;
    assert_ok(err, ops->open(&config, &db, &err));
    assert_ok(err, pyr_schema_migrate(db, PYR_SCHEMA_VERSION, &err));
    struct pyr_db_value newer = pyr_db_integer(PYR_SCHEMA_VERSION + 1);
    assert_ok(err, ops->run(db, "INSERT INTO pyr_schema (version) VALUES ($1)", &newer, 1, NULL,
                            NULL, &err));
    ops->close(db);
    struct pyr_store *store;
    assert_false(pyr_store_open(&config, &store, &err));
    assert_non_null(strstr(err.text, "update pyrometer"));
    config.write = false;
    assert_false(pyr_store_open(&config, &store, &err));
}
