/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "codec/escape.h"
#include "report/exposition.h"
#include "report/formats.h"
#include "support/result_fixture.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- a strict reader of OpenMetrics 1.0 and of text format 0.0.4 ---------------------------------
 */

enum { NAME_BYTES = 128, FAMILIES_MAX = 256, SERIES_MAX = 40000 };

struct reader {
    bool open_metrics;
    char family[NAME_BYTES], type[16];
    char families[FAMILIES_MAX][NAME_BYTES];
    size_t family_count;
    const char *series[SERIES_MAX]; /* each sample's name and labels, in the text */
    size_t series_bytes[SERIES_MAX], series_count;
    int metadata; /* how far the family's TYPE, UNIT, HELP have come */
    double bucket_le, bucket_count;
    char why[256];
};

static bool wrong(struct reader *reader, const char *line, const char *what) {
    if (!*reader->why)
        snprintf(reader->why, sizeof reader->why, "%s: %.*s", what, (int)strcspn(line, "\n"), line);
    return false;
}

static size_t name_bytes(const char *at, bool colon) {
    size_t bytes = 0;
    while (isalpha((unsigned char)at[bytes]) || at[bytes] == '_' || (colon && at[bytes] == ':') ||
           (bytes && isdigit((unsigned char)at[bytes])))
        bytes++;
    return bytes;
}

static bool begin_family(struct reader *reader, const char *line, const char *name) {
    for (size_t i = 0; i < reader->family_count; i++)
        if (strcmp(reader->families[i], name) == 0)
            return wrong(reader, line, "a family comes twice");
    if (reader->family_count == FAMILIES_MAX)
        return wrong(reader, line, "too many families");
    snprintf(reader->families[reader->family_count++], NAME_BYTES, "%s", name);
    snprintf(reader->family, sizeof reader->family, "%s", name);
    *reader->type = '\0';
    reader->metadata = 0;
    return true;
}

static bool is_known_type(const struct reader *reader, const char *type) {
    static const char *const both[] = {"counter", "gauge", "histogram", "summary"};
    static const char *const modern[] = {"info", "stateset", "gaugehistogram", "unknown"};
    for (size_t i = 0; i < 4; i++)
        if (strcmp(type, both[i]) == 0 || (reader->open_metrics && strcmp(type, modern[i]) == 0))
            return true;
    return false;
}

static bool read_metadata(struct reader *reader, const char *line) {
    static const char *const modern[] = {"TYPE", "UNIT", "HELP"}, *const old[] = {"HELP", "TYPE"};
    char word[8], name[NAME_BYTES], rest[512];
    if (sscanf(line, "# %7s %127s %511[^\n]", word, name, rest) != 3 ||
        name_bytes(name, true) != strlen(name))
        return wrong(reader, line, "not metadata");
    int place = -1;
    for (int i = 0; i < (reader->open_metrics ? 3 : 2); i++)
        if (strcmp(word, reader->open_metrics ? modern[i] : old[i]) == 0)
            place = i;
    if (place < 0)
        return wrong(reader, line, "unknown metadata");
    if (strcmp(name, reader->family) != 0 && !begin_family(reader, line, name))
        return false;
    if (place < reader->metadata)
        return wrong(reader, line, "metadata out of order, twice or behind samples");
    reader->metadata = place + 1;
    if (strcmp(word, "TYPE") == 0) {
        if (!is_known_type(reader, rest))
            return wrong(reader, line, "unknown type");
        snprintf(reader->type, sizeof reader->type, "%.15s", rest);
    }
    size_t unit = strlen(rest), whole = strlen(name);
    if (strcmp(word, "UNIT") == 0 &&
        (whole <= unit || name[whole - unit - 1] != '_' || strcmp(name + whole - unit, rest) != 0))
        return wrong(reader, line, "the name does not end in its unit");
    return true;
}

/* Reads {name="value",...}; keeps the last value of `wanted`. NULL when it is none. */
static const char *read_labels(struct reader *reader, const char *at, const char *wanted,
                               char value[64]) {
    const char *line = at;
    char seen[16][NAME_BYTES];
    size_t count = 0;
    *value = '\0';
    for (at++; *at != '}'; count++) {
        if (count && *at++ != ',')
            return wrong(reader, line, "no comma"), NULL;
        size_t bytes = name_bytes(at, false);
        if (!bytes || bytes >= NAME_BYTES || at[bytes] != '=' || at[bytes + 1] != '"' ||
            count == 16)
            return wrong(reader, line, "not a label"), NULL;
        snprintf(seen[count], NAME_BYTES, "%.*s", (int)bytes, at);
        for (size_t i = 0; i < count; i++)
            if (strcmp(seen[i], seen[count]) == 0)
                return wrong(reader, line, "a label comes twice"), NULL;
        at += bytes + 2;
        size_t used = 0;
        for (; *at != '"';) {
            size_t length = pyr_utf8_length(at, strlen(at));
            if (!length || *at == '\n' || (unsigned char)*at < 0x20)
                return wrong(reader, line, "not the text of a label"), NULL;
            if (*at == '\\' && !(at[1] == '\\' || at[1] == '"' || at[1] == 'n'))
                return wrong(reader, line, "an unknown escape"), NULL;
            length = *at == '\\' ? 2 : length;
            if (strcmp(seen[count], wanted) == 0 && used + length < 64) {
                memcpy(value + used, at, length);
                value[used += length] = '\0';
            }
            at += length;
        }
        at++;
    }
    return at + 1;
}

static bool check_kind(struct reader *reader, const char *line, const char *suffix,
                       const char *label, double value) {
    const char *type = reader->type;
    if (strcmp(type, "gauge") == 0)
        return !*suffix || wrong(reader, line, "a gauge with a suffix");
    if (strcmp(type, "counter") == 0)
        return (strcmp(suffix, reader->open_metrics ? "_total" : "") == 0 && value >= 0) ||
               wrong(reader, line, "not a counter's sample");
    if (strcmp(type, "info") == 0)
        return (strcmp(suffix, "_info") == 0 && value == 1) || wrong(reader, line, "not an info");
    bool sum = strcmp(suffix, "_sum") == 0, count = strcmp(suffix, "_count") == 0;
    if (strcmp(type, "summary") == 0) {
        if (!*suffix && !(*label && strtod(label, NULL) >= 0 && strtod(label, NULL) <= 1))
            return wrong(reader, line, "no quantile");
        return !*suffix || sum || count || wrong(reader, line, "not a summary's sample");
    }
    if (strcmp(type, "histogram") != 0)
        return wrong(reader, line, "a sample without a type");
    if (strcmp(suffix, "_bucket") == 0) {
        double le = strcmp(label, "+Inf") == 0 ? (double)INFINITY : strtod(label, NULL);
        bool first = isinf(reader->bucket_le);
        if (!*label || (!first && (le <= reader->bucket_le || value < reader->bucket_count)))
            return wrong(reader, line, "buckets must rise");
        reader->bucket_le = le;
        reader->bucket_count = value;
        return true;
    }
    if (count && !(isinf(reader->bucket_le) && value == reader->bucket_count))
        return wrong(reader, line, "the count is not the last bucket's");
    return sum || count || wrong(reader, line, "not a histogram's sample");
}

static bool read_sample(struct reader *reader, const char *line) {
    size_t bytes = name_bytes(line, true), family = strlen(reader->family);
    char suffix[32], label[64] = "";
    if (bytes < family || strncmp(line, reader->family, family) != 0 || bytes - family > 31)
        return wrong(reader, line, "a sample of no family before it");
    snprintf(suffix, sizeof suffix, "%.*s", (int)(bytes - family), line + family);
    const char *at = line + bytes;
    if (*at == '{')
        at = read_labels(reader, at, strcmp(reader->type, "histogram") == 0 ? "le" : "quantile",
                         label);
    if (!at)
        return false;
    if (reader->series_count == SERIES_MAX)
        return wrong(reader, line, "too many series");
    reader->series[reader->series_count] = line;
    reader->series_bytes[reader->series_count++] = (size_t)(at - line);
    char *end;
    double value = strtod(at, &end);
    if (*at != ' ' || end == at || *end != '\n')
        return wrong(reader, line, "not a value");
    reader->metadata = 3; /* no metadata behind samples */
    return check_kind(reader, line, suffix, label, value);
}

static int by_series(const void *a, const void *b, void *context) {
    const struct reader *reader = context;
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    size_t bytes = reader->series_bytes[i] < reader->series_bytes[j] ? reader->series_bytes[i]
                                                                     : reader->series_bytes[j];
    int order = memcmp(reader->series[i], reader->series[j], bytes);
    return order ? order
                 : (reader->series_bytes[i] > reader->series_bytes[j]) -
                       (reader->series_bytes[i] < reader->series_bytes[j]);
}

static bool all_series_differ(struct reader *reader) {
    size_t *order = calloc(reader->series_count + 1, sizeof *order);
    for (size_t i = 0; i < reader->series_count; i++)
        order[i] = i;
    qsort_r(order, reader->series_count, sizeof *order, by_series, reader);
    bool differ = true;
    for (size_t i = 1; i < reader->series_count && differ; i++)
        if (by_series(&order[i - 1], &order[i], reader) == 0)
            differ = wrong(reader, reader->series[order[i]], "a series comes twice");
    free(order);
    return differ;
}

static bool reads(struct reader *reader, const char *text, bool open_metrics) {
    *reader = (struct reader){.open_metrics = open_metrics, .bucket_le = INFINITY};
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (!strchr(line, '\n'))
            return wrong(reader, line, "no line end");
        if (strncmp(line, "# EOF\n", 6) == 0)
            return (open_metrics && !line[6] && all_series_differ(reader)) ||
                   wrong(reader, line, "EOF in the middle");
        if (!(*line == '#' ? read_metadata(reader, line) : read_sample(reader, line)))
            return false;
    }
    if (open_metrics)
        return wrong(reader, "", "no EOF");
    return all_series_differ(reader);
}

static struct reader reader;

/* --- tests ---------------------------------------------------------------------------------------
 */

static const char *tell(pyr_report_fn *write, struct pyr_result *result, struct pyr_buf *out) {
    struct pyr_err err = {0};
    const struct pyr_report_options options = {0};
    pyr_buf_clear(out);
    assert_ok(err, write(result, &options, out, &err));
    pyr_test_result_free(result);
    return pyr_buf_text(out);
}

static void the_reader_refuses_what_the_formats_forbid(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "# TYPE a gauge\na 1\n",                                  /* no EOF */
        "# TYPE a gauge\na 1\n# EOF\n\n",                         /* behind EOF */
        "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\na 2\n# EOF\n", /* interleaved */
        "# TYPE a gauge\na 1\n# TYPE a gauge\n# EOF\n",           /* metadata behind samples */
        "# HELP a x\n# TYPE a gauge\na 1\n# EOF\n",               /* order */
        "# TYPE a counter\na 1\n# EOF\n",                         /* no _total */
        "# TYPE a counter\na_total -1\n# EOF\n",                  /* a counter below zero */
        "# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n",         /* unit not in the name */
        "# TYPE a gauge\na{b=\"\\t\"} 1\n# EOF\n",                /* unknown escape */
        "# TYPE a gauge\na{b=\"1\",b=\"2\"} 1\n# EOF\n",          /* label twice */
        "# TYPE a gauge\na{b=\"1\"} 1\na{b=\"1\"} 2\n# EOF\n",    /* series twice */
        "# TYPE a gauge\na{b=\"1\" 1\n# EOF\n",                   /* brace not closed */
        "# TYPE a gauge\na x\n# EOF\n",                           /* no number */
        "# TYPE a summary\na 1\n# EOF\n",                         /* no quantile */
        "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_count 1\n# EOF\n",
        "# TYPE a wrong\na 1\n# EOF\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (reads(&reader, bad[i], true))
            fail_msg("taken: %s", bad[i]);
    static const char good[] = "# TYPE a_seconds summary\n# UNIT a_seconds seconds\n"
                               "# HELP a_seconds x\na_seconds{quantile=\"0.5\"} 1e-3\n"
                               "a_seconds_sum 3\na_seconds_count 2\n# EOF\n";
    if (!reads(&reader, good, true))
        fail_msg("%s", reader.why);
}

static void every_result_is_valid_in_both_formats(void **state) {
    (void)state;
    struct pyr_result *(*makers[])(void) = {pyr_test_result_rich, pyr_test_result_partial,
                                            pyr_test_result_large, pyr_test_result_empty,
                                            pyr_test_result_hostile};
    struct pyr_buf out = {0};
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        if (!reads(&reader, tell(pyr_report_openmetrics, makers[i](), &out), true))
            fail_msg("OpenMetrics, result %zu: %s", i, reader.why);
        if (!reads(&reader, tell(pyr_report_prometheus, makers[i](), &out), false))
            fail_msg("0.0.4, result %zu: %s", i, reader.why);
    }
    pyr_buf_deinit(&out);
}

static void values_are_in_base_units(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    const char *text = tell(pyr_report_openmetrics, pyr_test_result_rich(), &out);
    assert_non_null(strstr(text, "pyrometer_latency_sent_seconds{suite=\"inference\",case="
                                 "\"inference/short\",quantile=\"0.5\"} 1.32392\n"));
    assert_non_null(strstr(text, "pyrometer_rss_peak_bytes{suite=\"inference\",case="
                                 "\"inference/short\"} 812400000\n"));
    assert_non_null(strstr(text, "pyrometer_requests_total{suite=\"concurrent\",case="
                                 "\"concurrent/long/c32\",outcome=\"timeout_first\"} 3\n"));
    assert_non_null(strstr(text, "pyrometer_goal_met{goal=\"tok_s=30\",suite=\"concurrent\"} 1\n"));
    assert_non_null(strstr(text, "pyrometer_goal_met{goal=\"error=1%\",suite=\"\"} 0\n"));
    assert_null(strstr(text, "goal=\"itl_p90=60ms\""));    /* undecided is neither */
    assert_null(strstr(text, "pyrometer_energy_joules{")); /* unknown is not 0 */
    pyr_buf_deinit(&out);
}

static void names_end_in_their_unit_once(void **state) {
    (void)state;
    struct pyr_buf name = {0};
    pyr_exposition_name(&name, PYR_M_TTFT_SCHED);
    assert_string_equal(name.data, "pyrometer_ttft_sched_seconds");
    pyr_buf_clear(&name);
    pyr_exposition_name(&name, PYR_M_PROMPT_TOKENS);
    assert_string_equal(name.data, "pyrometer_prompt_tokens");
    pyr_buf_clear(&name);
    pyr_exposition_name(&name, PYR_M_IN_FLIGHT);
    assert_string_equal(name.data, "pyrometer_in_flight");
    pyr_buf_deinit(&name);
}

static void promtool_finds_nothing_to_complain_of(void **state) {
    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0)
        skip(); /* Debian's package prometheus has it */
    struct pyr_result *(*makers[])(void) = {pyr_test_result_rich, pyr_test_result_large,
                                            pyr_test_result_hostile};
    struct pyr_buf out = {0};
    for (size_t i = 0; i < 3; i++) {
        tell(pyr_report_prometheus, makers[i](), &out);
        FILE *pipe = popen("promtool check metrics", "w");
        assert_non_null(pipe);
        fwrite(out.data, 1, out.length, pipe);
        assert_int_equal(pclose(pipe), 0);
    }
    pyr_buf_deinit(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_refuses_what_the_formats_forbid),
        cmocka_unit_test(every_result_is_valid_in_both_formats),
        cmocka_unit_test(values_are_in_base_units),
        cmocka_unit_test(names_end_in_their_unit_once),
        cmocka_unit_test(promtool_finds_nothing_to_complain_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
