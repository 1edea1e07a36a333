/* SPDX-License-Identifier: MIT */
#include "report/formats.h"

#include "base/fs.h"
#include "base/parse.h"

#include <string.h>

const struct pyr_report_format pyr_report_formats[] = {
    {"terminal", ".txt", "a report to read at a glance", pyr_report_terminal, NULL, NULL},
    {"json", ".json", "everything, for programs (docs/formats/results.md)", pyr_report_json, NULL,
     NULL},
    {"html", ".html", "one page with charts, which needs no network", pyr_report_html, NULL, NULL},
    {"markdown", ".md", "tables for a pull request or a wiki", pyr_report_markdown, NULL, NULL},
    {"csv", ".csv", "a row for each metric of each case", pyr_report_csv, NULL, NULL},
    {"junit", ".xml", "goals and cases as tests", pyr_report_junit, NULL, NULL},
    {"github", ".md", "GitHub's step summary, and annotations as a second file",
     pyr_report_github_summary, ".annotations", pyr_report_github_annotations},
    {"gha-benchmark", ".json",
     "github-action-benchmark: customSmallerIsBetter, and customBiggerIsBetter as a second file",
     pyr_report_gha_smaller, ".bigger", pyr_report_gha_bigger},
    {"bmf", ".json", "Bencher Metric Format", pyr_report_bmf, NULL, NULL},
    {"gobench", ".txt", "Go benchmark format, for benchstat", pyr_report_gobench, NULL, NULL},
    {"prometheus", ".prom", "Prometheus text format 0.0.4", pyr_report_prometheus, NULL, NULL},
    {"openmetrics", ".om", "OpenMetrics 1.0", pyr_report_openmetrics, NULL, NULL},
    {"hdr", ".hlog", "HdrHistogram log: whole histograms, for its tools", pyr_report_hdr, NULL,
     NULL},
    {"hgrm", ".hgrm", "HdrHistogram percentile distributions, for its plotter", pyr_report_hgrm,
     NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};

const char *pyr_report_format_name(size_t index) {
    return pyr_report_formats[index].name;
}

const struct pyr_report_format *pyr_report_format_find(const char *name) {
    static const char *const aliases[][2] = {
        {"text", "terminal"},   {"txt", "terminal"},     {"md", "markdown"},
        {"prom", "prometheus"}, {"hdrhistogram", "hdr"}, {"xml", "junit"},
    };
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(name, aliases[i][0]) == 0)
            name = aliases[i][1];
    for (const struct pyr_report_format *row = pyr_report_formats; row->name; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

bool pyr_report_format_fail(const char *name, struct pyr_err *err) {
    const char *names[sizeof pyr_report_formats / sizeof *pyr_report_formats];
    size_t count = 0;
    struct pyr_buf list = {0};
    for (; pyr_report_formats[count].name; count++) {
        names[count] = pyr_report_formats[count].name;
        pyr_buf_printf(&list, "%s%s", count ? ", " : "", names[count]);
    }
    const char *near = pyr_nearest(name, names, count);
    pyr_fail(err, PYR_E_USAGE, "--format %s: there is no such format%s%s; there are %s", name,
             near ? "; did you mean " : "", near ? near : "", pyr_buf_text(&list));
    pyr_buf_deinit(&list);
    return false;
}

static bool write_one(pyr_report_fn *write, const struct pyr_result *result,
                      const struct pyr_report_options *options, const char *path,
                      struct pyr_err *err) {
    struct pyr_buf out = {0};
    bool ok = write(result, options, &out, err) &&
              pyr_fs_write_whole(path, pyr_buf_text(&out), out.length, err);
    pyr_buf_deinit(&out);
    return ok;
}

bool pyr_report_write_file(const struct pyr_report_format *format, const struct pyr_result *result,
                           const struct pyr_report_options *options, const char *path,
                           struct pyr_err *err) {
    if (!write_one(format->write, result, options, path, err))
        return false;
    if (!format->write_second)
        return true;
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    size_t stem = dot ? (size_t)(dot - path) : strlen(path);
    struct pyr_buf second = {0};
    pyr_buf_append(&second, path, stem);
    pyr_buf_puts(&second, format->second_suffix);
    pyr_buf_puts(&second, path + stem);
    bool ok = write_one(format->write_second, result, options, pyr_buf_text(&second), err);
    pyr_buf_deinit(&second);
    return ok;
}
