/* SPDX-License-Identifier: MIT */
#include "codec/escape.h"
#include "report/figures.h"
#include "report/formats.h"
#include "report/meta.h"

#include <math.h>
#include <string.h>

static void put_attribute(struct pyr_buf *out, const char *name, const char *text) {
    pyr_buf_printf(out, " %s=\"", name);
    pyr_escape_xml(out, text ? text : "", text ? strlen(text) : 0);
    pyr_buf_putc(out, '"');
}

static void put_message(struct pyr_buf *out, const char *element, const char *text) {
    pyr_buf_printf(out, "      <%s", element);
    put_attribute(out, "message", text);
    /* GitLab shows the body, others the attribute. */
    pyr_buf_putc(out, '>');
    pyr_escape_xml(out, text ? text : "", text ? strlen(text) : 0);
    pyr_buf_printf(out, "</%s>\n", element);
}

/* A goal is a test: missed is a failure, undecided was not decided and so is skipped. */
static void put_goals(struct pyr_buf *out, const struct pyr_result *result) {
    size_t missed = 0, skipped = 0;
    for (size_t i = 0; i < result->goal_count; i++) {
        missed += result->goals[i].verdict == PYR_GOAL_MISSED;
        skipped += result->goals[i].verdict == PYR_GOAL_UNDECIDED ||
                   result->goals[i].verdict == PYR_GOAL_UNKNOWN;
    }
    pyr_buf_printf(out,
                   "  <testsuite name=\"goals\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" "
                   "skipped=\"%zu\">\n",
                   result->goal_count, missed, skipped);
    for (size_t i = 0; i < result->goal_count; i++) {
        const struct pyr_goal_result *row = &result->goals[i];
        pyr_buf_puts(out, "    <testcase");
        put_attribute(out, "classname", row->case_id ? row->case_id : "all cases");
        put_attribute(out, "name", row->goal->label);
        pyr_buf_puts(out, row->verdict == PYR_GOAL_MET ? "/>\n" : ">\n");
        if (row->verdict == PYR_GOAL_MET)
            continue;
        put_message(out, row->verdict == PYR_GOAL_MISSED ? "failure" : "skipped", row->why);
        pyr_buf_puts(out, "    </testcase>\n");
    }
    pyr_buf_puts(out, "  </testsuite>\n");
}

static bool gave_nothing(const struct pyr_case_result *result) {
    return result->total > 0 && result->ok == 0;
}

/* A case is a test that fails when no request of it ended ok. */
static void put_suite(struct pyr_buf *out, const struct pyr_suite_result *suite) {
    size_t failed = 0;
    double seconds = 0;
    for (size_t i = 0; i < suite->case_count; i++) {
        failed += gave_nothing(&suite->cases[i]);
        seconds += isfinite(suite->cases[i].whole_s) ? suite->cases[i].whole_s : 0;
    }
    pyr_buf_puts(out, "  <testsuite");
    put_attribute(out, "name", suite->name);
    pyr_buf_printf(out,
                   " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\" time=\"%.3f\">\n",
                   suite->case_count, failed, seconds);
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        pyr_buf_puts(out, "    <testcase");
        put_attribute(out, "classname", suite->name);
        put_attribute(out, "name", pyr_case_short_id(suite, result));
        pyr_buf_printf(out, " time=\"%.3f\"", isfinite(result->whole_s) ? result->whole_s : 0);
        pyr_buf_puts(out, gave_nothing(result) ? ">\n" : "/>\n");
        if (!gave_nothing(result))
            continue;
        put_message(out, "failure", "no request ended ok");
        pyr_buf_puts(out, "    </testcase>\n");
    }
    pyr_buf_puts(out, "  </testsuite>\n");
}

bool pyr_report_junit(const struct pyr_result *result, const struct pyr_report_options *options,
                      struct pyr_buf *out, struct pyr_err *err) {
    (void)options;
    (void)err;
    pyr_buf_puts(out,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"pyrometer\">\n");
    if (result->partial) {
        pyr_buf_puts(out, "  <testsuite name=\"run\" tests=\"1\" failures=\"0\" errors=\"1\" "
                          "skipped=\"0\">\n    <testcase classname=\"run\" name=\"whole\">\n");
        put_message(out, "error", result->partial);
        pyr_buf_puts(out, "    </testcase>\n  </testsuite>\n");
    }
    if (result->goal_count)
        put_goals(out, result);
    for (size_t i = 0; i < result->suite_count; i++)
        put_suite(out, &result->suites[i]);
    pyr_buf_puts(out, "</testsuites>\n");
    return true;
}
