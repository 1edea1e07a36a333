/* SPDX-License-Identifier: MIT
 *
 * GitHub Actions: the step summary (Markdown, for $GITHUB_STEP_SUMMARY) and annotations (workflow
 * commands, for stdout).
 *
 * Limits: 1 MiB of summary a step, over which the whole upload fails; ten annotations of each kind
 * a step. Both are kept well below. Source: docs.github.com, workflow commands for GitHub Actions.
 */
#include "report/formats.h"
#include "report/markdown.h"

#include <string.h>

enum { SUMMARY_BYTES_MAX = 900 * 1000, ANNOTATIONS_MAX = 3 };

bool pyr_report_github_summary(const struct pyr_result *result,
                               const struct pyr_report_options *options, struct pyr_buf *out,
                               struct pyr_err *err) {
    (void)options;
    (void)err;
    pyr_markdown_put(out, result, SUMMARY_BYTES_MAX);
    return true;
}

static void put_escaped(struct pyr_buf *out, const char *text, bool property) {
    for (; text && *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
            pyr_buf_printf(out, "%%%02X", c);
        else
            pyr_buf_putc(out, c < 0x20 ? ' ' : (char)c);
    }
}

static void put_annotation(struct pyr_buf *out, const char *kind, const char *title,
                           const char *message) {
    pyr_buf_printf(out, "::%s title=", kind);
    put_escaped(out, title, true);
    pyr_buf_puts(out, "::");
    put_escaped(out, message, false);
    pyr_buf_putc(out, '\n');
}

/* At most three goals of a verdict, and a line that counts the rest. */
static void put_goals(struct pyr_buf *out, const struct pyr_result *result, const char *kind,
                      enum pyr_goal_verdict verdict) {
    size_t count = 0;
    for (size_t i = 0; i < result->goal_count; i++) {
        const struct pyr_goal_result *row = &result->goals[i];
        if (row->verdict != verdict || count++ >= ANNOTATIONS_MAX)
            continue;
        struct pyr_buf title = {0}, message = {0};
        pyr_buf_printf(&title, "%s %s", row->goal->label, pyr_goal_verdict_name(verdict));
        pyr_buf_printf(&message, "%s%s%s", row->why ? row->why : "", row->case_id ? " in " : "",
                       row->case_id ? row->case_id : "");
        put_annotation(out, kind, pyr_buf_text(&title), pyr_buf_text(&message));
        pyr_buf_deinit(&title);
        pyr_buf_deinit(&message);
    }
    if (count > ANNOTATIONS_MAX)
        pyr_buf_printf(out, "::%s title=Pyrometer::%zu more goals %s, see the summary\n", kind,
                       count - ANNOTATIONS_MAX, pyr_goal_verdict_name(verdict));
}

bool pyr_report_github_annotations(const struct pyr_result *result,
                                   const struct pyr_report_options *options, struct pyr_buf *out,
                                   struct pyr_err *err) {
    (void)options;
    (void)err;
    if (result->partial)
        put_annotation(out, "warning", "Pyrometer: partial", result->partial);
    put_goals(out, result, "error", PYR_GOAL_MISSED);
    put_goals(out, result, "notice", PYR_GOAL_UNDECIDED);
    for (size_t i = 0; i < result->warning_count && i < ANNOTATIONS_MAX; i++)
        put_annotation(out, "warning", "Pyrometer", result->warnings[i]);
    return true;
}
