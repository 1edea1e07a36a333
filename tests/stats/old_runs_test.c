/* SPDX-License-Identifier: MIT
 *
 * Run files of earlier versions stay readable for good: tests/data/runs holds some as version 0.1.0
 * of November 2026 wrote them. What was counted and stamped in them, and the names of what their
 * results.json says, must stay; what is new may come beside it. (What lies between is estimates,
 * which get better.) A line that is taken away on purpose is recorded again by PYR_GOLDEN=write.
 */
#include "support/support.h"

#include "base/buf.h"
#include "base/fs.h"
#include "codec/json_scan.h"
#include "report/formats.h"
#include "stats/result.h"

#include <stdlib.h>
#include <string.h>

static const char *const runs[] = {"http", "local", "null", "sim"};

/* --- what is said ---------------------------------------------------------------------------- */

static void tell_metrics(const struct pyr_case_result *one, struct pyr_buf *text) {
    for (size_t i = 0; i < one->whole_count; i++) {
        const struct pyr_metric_result *row = &one->whole[i];
        const struct pyr_metric_info *info = pyr_metric_info(row->metric);
        pyr_buf_printf(text, "%s/%s %s", one->plan->suite, one->plan->id, info->name);
        /* Differences of stamps and values that were recorded as they are; a rate is an estimate.
         */
        if (info->kind == PYR_KIND_DISTRIBUTION)
            pyr_buf_printf(text, " n=%llu min=%.17g p50=%.17g max=%.17g",
                           (unsigned long long)row->n, row->min, row->quantile[PYR_Q_P50].value,
                           row->max);
        pyr_buf_puts(text, "\n");
    }
}

static void tell_counts(const struct pyr_result *result, struct pyr_buf *text) {
    pyr_buf_printf(text, "requests=%llu chunks=%llu goals=%zu calibrations=%zu partial=%s\n",
                   (unsigned long long)result->requests, (unsigned long long)result->chunks,
                   result->goal_count, result->calibration_count,
                   result->partial ? result->partial : "no");
    for (size_t s = 0; s < result->suite_count; s++)
        for (size_t c = 0; c < result->suites[s].case_count; c++) {
            const struct pyr_case_result *one = &result->suites[s].cases[c];
            pyr_buf_printf(text, "%s/%s total=%llu ok=%llu outputs=%llx params=%s\n",
                           one->plan->suite, one->plan->id, (unsigned long long)one->total,
                           (unsigned long long)one->ok, (unsigned long long)one->outputs_hash,
                           one->plan->params);
            tell_metrics(one, text);
        }
}

/* "metrics.ttft_sent.p50" as "metrics.*.p50": all metrics have the same parts. */
static void tell_path(const char *path, struct pyr_buf *text) {
    char name[64];
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, ".");
        bool last = at[length] == '\0';
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        bool metric = pyr_metric_find(name) != PYR_METRIC_COUNT;
        pyr_buf_printf(text, "%s%s", metric && !last ? "*" : name, last ? "" : ".");
        at += length + !last;
    }
    pyr_buf_puts(text, "\n");
}

/* The path of each value, "suites.[].cases.[].id", once. */
static void tell_paths(const struct pyr_buf *json, struct pyr_buf *text) {
    char path[2048] = "";
    size_t ends[64] = {0}, depth = 0; /* where the path of each open level ends */
    bool in_array[64] = {false};
    struct pyr_json_scan scan;
    enum pyr_json_token token;
    pyr_json_scan_init(&scan, json->data, json->length);
    while ((token = pyr_json_scan_next(&scan)) != PYR_JSON_END) {
        assert_int_not_equal(token, PYR_JSON_BAD);
        if (token == PYR_JSON_KEY) {
            snprintf(path + ends[depth], sizeof path - ends[depth], ".%.*s", (int)scan.text_bytes,
                     scan.text);
            continue;
        }
        if (token == PYR_JSON_OBJECT_END || token == PYR_JSON_ARRAY_END) {
            depth--;
            continue;
        }
        if (in_array[depth])
            snprintf(path + ends[depth], sizeof path - ends[depth], ".[]");
        if (*path)
            tell_path(path + 1, text);
        if (token == PYR_JSON_OBJECT || token == PYR_JSON_ARRAY) {
            assert_true(depth + 1 < sizeof ends / sizeof *ends);
            ends[++depth] = strlen(path);
            in_array[depth] = token == PYR_JSON_ARRAY;
        }
    }
}

/* --- lines ----------------------------------------------------------------------------------- */

struct lines {
    char **line;
    size_t count;
};

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Cuts the text up, each line once and in order. */
static struct lines sorted_lines(char *text) {
    struct lines lines = {NULL, 0};
    size_t most = 0, kept = 0;
    for (const char *at = text; *at; at++)
        most += *at == '\n';
    lines.line = calloc(most + 1, sizeof *lines.line);
    assert_non_null(lines.line);
    for (char *line; (line = strsep(&text, "\n"));)
        if (*line)
            lines.line[lines.count++] = line;
    qsort(lines.line, lines.count, sizeof *lines.line, by_text);
    for (size_t i = 0; i < lines.count; i++)
        if (kept == 0 || strcmp(lines.line[kept - 1], lines.line[i]) != 0)
            lines.line[kept++] = lines.line[i];
    lines.count = kept;
    return lines;
}

static void join(const struct lines *lines, struct pyr_buf *text) {
    for (size_t i = 0; i < lines->count; i++)
        pyr_buf_printf(text, "%s\n", lines->line[i]);
}

/* Each line of the golden file is among these. */
static void golden_lines(const char *name, const struct lines *now) {
    char path[512];
    struct pyr_buf text = {0};
    struct pyr_err err;
    const char *mode = getenv("PYR_GOLDEN");
    snprintf(path, sizeof path, PYR_TEST_DATA "/golden/%s", name);
    if (mode && strcmp(mode, "write") == 0) {
        join(now, &text);
        assert_ok(err, pyr_fs_write_whole(path, pyr_buf_text(&text), text.length, &err));
        pyr_buf_deinit(&text);
        return;
    }
    const struct pyr_root root = {.prefix = ""};
    assert_ok(err, pyr_fs_read(&root, path, 1u << 20, &text, &err));
    struct lines then = sorted_lines(text.data);
    for (size_t i = 0; i < then.count; i++)
        if (!bsearch(&then.line[i], now->line, now->count, sizeof *now->line, by_text))
            fail_msg("%s: is no longer said: %s\n(PYR_GOLDEN=write records it again)", path,
                     then.line[i]);
    assert_true(then.count > 0);
    free(then.line);
    pyr_buf_deinit(&text);
}

static void check_run(const char *name) {
    char path[512], golden[64];
    struct pyr_buf text = {0}, json = {0};
    struct pyr_result *result;
    struct pyr_err err;
    snprintf(path, sizeof path, PYR_TEST_DATA "/runs/%s.pyr", name);
    snprintf(golden, sizeof golden, "run-%s.txt", name);
    assert_ok(err, pyr_result_make(path, &result, &err));
    tell_counts(result, &text);
    const struct pyr_report_options options = {0};
    assert_ok(err, pyr_report_format_find("json")->write(result, &options, &json, &err));
    tell_paths(&json, &text);
    struct lines lines = sorted_lines(text.data);
    golden_lines(golden, &lines);
    free(lines.line);
    pyr_buf_deinit(&json);
    pyr_buf_deinit(&text);
    pyr_result_destroy(result);
}

static void what_earlier_versions_recorded_is_still_said(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        check_run(runs[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_earlier_versions_recorded_is_still_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
