/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "report/figures.h"
#include "report/formats.h"
#include "report/markdown.h"
#include "report/tracked.h"
#include "support/result_fixture.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct pyr_report_options plain = {.commit = "abc123"};

static const char *tell(pyr_report_fn *write, struct pyr_result *result, struct pyr_buf *out) {
    struct pyr_err err = {0};
    pyr_buf_clear(out);
    assert_ok(err, write(result, &plain, out, &err));
    pyr_test_result_free(result);
    return pyr_buf_text(out);
}

static void the_small_formats_read_as_recorded(void **state) {
    (void)state;
    static const struct {
        const char *name;
        pyr_report_fn *write;
        struct pyr_result *(*make)(void);
    } goldens[] = {
        {"markdown-rich.md", pyr_report_markdown, pyr_test_result_rich},
        {"markdown-partial.md", pyr_report_markdown, pyr_test_result_partial},
        {"junit-rich.xml", pyr_report_junit, pyr_test_result_rich},
        {"junit-partial.xml", pyr_report_junit, pyr_test_result_partial},
        {"annotations-rich.txt", pyr_report_github_annotations, pyr_test_result_rich},
        {"annotations-hostile.txt", pyr_report_github_annotations, pyr_test_result_hostile},
        {"gha-smaller-large.json", pyr_report_gha_smaller, pyr_test_result_large},
        {"gha-bigger-large.json", pyr_report_gha_bigger, pyr_test_result_large},
        {"bmf-large.json", pyr_report_bmf, pyr_test_result_large},
        {"gobench-large.txt", pyr_report_gobench, pyr_test_result_large},
    };
    struct pyr_buf out = {0};
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++)
        pyr_test_golden(goldens[i].name, tell(goldens[i].write, goldens[i].make(), &out));
    pyr_buf_deinit(&out);
}

static void every_format_tells_every_result(void **state) {
    (void)state;
    struct pyr_result *(*makers[])(void) = {pyr_test_result_rich, pyr_test_result_partial,
                                            pyr_test_result_large, pyr_test_result_empty,
                                            pyr_test_result_hostile};
    struct pyr_buf out = {0};
    for (const struct pyr_report_format *row = pyr_report_formats; row->name; row++)
        for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
            tell(row->write, makers[i](), &out);
            if (row->write_second)
                tell(row->write_second, makers[i](), &out);
        }
    pyr_buf_deinit(&out);
}

/* --- CSV ---------------------------------------------------------------------------------------
 */

/* One field of RFC 4180 into `field`; returns what follows its comma or line end. */
static const char *read_field(const char *at, char *field, size_t size, bool *last) {
    size_t used = 0;
    bool quoted = *at == '"';
    for (at += quoted; *at; at++) {
        if (quoted && *at == '"' && at[1] != '"')
            break;
        if (!quoted && (*at == ',' || *at == '\r'))
            break;
        assert_true(quoted || (*at != '"' && *at != '\n'));
        at += quoted && *at == '"';
        if (used + 1 < size)
            field[used++] = *at;
    }
    field[used] = '\0';
    at += quoted;
    *last = *at == '\r';
    assert_true(*at == ',' || (at[0] == '\r' && at[1] == '\n'));
    return at + 1 + *last;
}

enum { CSV_COLUMNS = 42, FIELD_BYTES = 200 };

static void csv_rows_have_their_columns_whatever_the_names(void **state) {
    (void)state;
    struct pyr_result *(*makers[])(void) = {pyr_test_result_rich, pyr_test_result_hostile};
    struct pyr_buf out = {0};
    for (size_t i = 0; i < 2; i++) {
        const char *at = tell(pyr_report_csv, makers[i](), &out);
        size_t rows = 0;
        while (*at) {
            char field[FIELD_BYTES];
            size_t columns = 0;
            for (bool last = false; !last; columns++) {
                at = read_field(at, field, sizeof field, &last);
                /* Nothing that a spreadsheet would run; numbers may be negative. */
                assert_true(!strchr("=+@", *field) || !*field);
            }
            assert_int_equal(columns, CSV_COLUMNS);
            rows++;
        }
        assert_true(rows > 50);
    }
    pyr_buf_deinit(&out);
}

static void csv_holds_the_numbers_of_the_result(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    struct pyr_result *result = pyr_test_result_rich();
    const struct pyr_case_result *entry = &result->suites[1].cases[5];
    const struct pyr_metric_result *row = pyr_case_metric(entry, PYR_M_LATENCY_SENT);
    struct pyr_err err;
    assert_ok(err, pyr_report_csv(result, &plain, &out, &err));
    char names[CSV_COLUMNS][FIELD_BYTES], fields[CSV_COLUMNS][FIELD_BYTES];
    const char *at = out.data;
    bool last = false, found = false;
    for (size_t i = 0; !last; i++)
        at = read_field(at, names[i], FIELD_BYTES, &last);
    assert_string_equal(names[3], "case");
    assert_string_equal(names[11], "metric");
    while (*at) {
        last = false;
        for (size_t i = 0; !last; i++)
            at = read_field(at, fields[i], FIELD_BYTES, &last);
        if (strcmp(fields[3], entry->plan->id) != 0 || strcmp(fields[11], "latency_sent") != 0 ||
            strcmp(fields[10], "steady") != 0)
            continue;
        found = true;
        assert_string_equal(fields[1], "abc123");
        for (size_t i = 0; i < CSV_COLUMNS; i++) {
            double want = strcmp(names[i], "p90") == 0      ? row->quantile[PYR_Q_P90].value
                          : strcmp(names[i], "p50_lo") == 0 ? row->quantile[PYR_Q_P50].lo
                          : strcmp(names[i], "mean") == 0   ? row->mean.value
                          : strcmp(names[i], "max") == 0    ? row->max
                                                            : (double)NAN;
            if (!isnan(want))
                assert_near(strtod(fields[i], NULL) / want, 1, 1e-8);
        }
    }
    assert_true(found);
    pyr_test_result_free(result);
    pyr_buf_deinit(&out);
}

/* --- XML ---------------------------------------------------------------------------------------
 */

/* Well-formed as far as our own elements go: names nest, attributes are quoted, no stray < or &. */
static void check_xml(const char *at) {
    char stack[16][32];
    size_t depth = 0;
    assert_memory_equal(at, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", 39);
    for (at += 39; *at;) {
        if (*at != '<') {
            assert_true(*at != '&' || at[strcspn(at, "; <")] == ';');
            assert_true((unsigned char)*at >= 0x20 || *at == '\n' || *at == '\t' || *at == '\r');
            at++;
            continue;
        }
        bool closes = at[1] == '/';
        size_t bytes = strcspn(at + 1 + closes, " />");
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)bytes, at + 1 + closes);
        at += 1 + closes + bytes;
        for (; *at != '>' && *at != '/'; at++) {
            at += strcspn(at, "\"<>/");
            assert_int_equal(*at, '"');
            at += 1 + strcspn(at + 1, "\"<");
            assert_int_equal(*at, '"');
        }
        bool empty = *at == '/';
        at += 1 + empty;
        if (closes)
            assert_string_equal(stack[--depth], name);
        else if (!empty)
            memcpy(stack[depth++], name, sizeof name);
    }
    assert_int_equal(depth, 0);
}

static void junit_is_well_formed_whatever_the_names(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    check_xml(tell(pyr_report_junit, pyr_test_result_rich(), &out));
    check_xml(tell(pyr_report_junit, pyr_test_result_partial(), &out));
    check_xml(tell(pyr_report_junit, pyr_test_result_empty(), &out));
    check_xml(tell(pyr_report_junit, pyr_test_result_hostile(), &out));
    pyr_buf_deinit(&out);
}

/* --- JSON of trackers ---------------------------------------------------------------------------
 */

static void the_two_directions_part_the_tracked_figures(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    json_t *smaller =
        json_loads(tell(pyr_report_gha_smaller, pyr_test_result_rich(), &out), 0, NULL);
    json_t *bigger = json_loads(tell(pyr_report_gha_bigger, pyr_test_result_rich(), &out), 0, NULL);
    struct pyr_result *result = pyr_test_result_rich();
    struct pyr_tracked *figures;
    size_t count = pyr_tracked_collect(result, result->arena, &figures);
    assert_int_equal(json_array_size(smaller) + json_array_size(bigger), count);
    const char *of_first = json_string_value(json_object_get(json_array_get(bigger, 0), "name"));
    assert_string_equal(of_first, "inference/short request_throughput");
    /* A p99 without an upper end is no figure to be watched. */
    for (size_t i = 0; i < count; i++)
        assert_true(strcmp(figures[i].name, "latency_sent_p99") != 0 || isfinite(figures[i].hi));
    pyr_test_result_free(result);
    json_decref(smaller);
    json_decref(bigger);
    pyr_buf_deinit(&out);
}

static void hostile_names_stay_valid_json_for_trackers(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    pyr_report_fn *writers[] = {pyr_report_gha_smaller, pyr_report_gha_bigger, pyr_report_bmf};
    for (size_t i = 0; i < 3; i++) {
        json_t *root = json_loads(tell(writers[i], pyr_test_result_hostile(), &out),
                                  JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(root);
        json_decref(root);
    }
    pyr_buf_deinit(&out);
}

/* --- Go, GitHub, HdrHistogram -------------------------------------------------------------------
 */

static void go_lines_are_names_counts_and_pairs(void **state) {
    (void)state;
    struct pyr_result *(*makers[])(void) = {pyr_test_result_rich, pyr_test_result_hostile};
    struct pyr_buf out = {0};
    for (size_t i = 0; i < 2; i++) {
        tell(pyr_report_gobench, makers[i](), &out);
        size_t benchmarks = 0;
        char *rest = NULL;
        for (char *line = strtok_r(out.data, "\n", &rest); line;
             line = strtok_r(NULL, "\n", &rest)) {
            if (strncmp(line, "Benchmark", 9) != 0)
                continue;
            size_t words = 0;
            char *more = NULL;
            for (char *word = strtok_r(line, " ", &more); word; word = strtok_r(NULL, " ", &more)) {
                char *end = word;
                if (words == 1)
                    assert_true(strtoull(word, &end, 10) > 0 && !*end);
                else if (words > 1 && words % 2 == 0)
                    assert_true(strtod(word, &end) == strtod(word, NULL) && !*end);
                words++;
            }
            assert_true(words >= 4 && words % 2 == 0);
            benchmarks++;
        }
        assert_true(benchmarks >= 2);
    }
    pyr_buf_deinit(&out);
}

static void a_summary_stays_within_its_limit_and_says_what_it_left_out(void **state) {
    (void)state;
    struct pyr_result *result = pyr_test_result_rich();
    struct pyr_buf whole = {0}, cut = {0};
    pyr_markdown_put(&whole, result, SIZE_MAX);
    pyr_markdown_put(&cut, result, 6000);
    assert_true(whole.length > 6000 && cut.length <= 6000);
    assert_null(strstr(whole.data, "were left out"));
    assert_non_null(strstr(cut.data, "sections were left out"));
    assert_non_null(strstr(cut.data, "ttft\\_p90=800ms"));
    pyr_test_result_free(result);
    pyr_buf_deinit(&whole);
    pyr_buf_deinit(&cut);
}

static void annotations_are_single_lines_of_known_commands(void **state) {
    (void)state;
    struct pyr_result *(*makers[])(void) = {pyr_test_result_rich, pyr_test_result_hostile};
    struct pyr_buf out = {0};
    for (size_t i = 0; i < 2; i++) {
        tell(pyr_report_github_annotations, makers[i](), &out);
        char *rest = NULL;
        size_t lines = 0;
        for (char *line = strtok_r(out.data, "\n", &rest); line;
             line = strtok_r(NULL, "\n", &rest)) {
            assert_true(strncmp(line, "::error title=", 14) == 0 ||
                        strncmp(line, "::warning title=", 16) == 0 ||
                        strncmp(line, "::notice title=", 15) == 0);
            assert_null(strchr(line, '\r'));
            lines++;
        }
        assert_true(lines >= 2 && lines <= 10);
    }
    pyr_buf_deinit(&out);
}

static void percentile_rows_rise_and_end_at_the_most(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    const char *at = tell(pyr_report_hgrm, pyr_test_result_large(), &out);
    size_t parts = 0;
    while ((at = strstr(at, "1/(1-Percentile)\n\n"))) {
        at += strlen("1/(1-Percentile)\n\n");
        double value = -1, q = -1, count = -1;
        while (*at != '#') {
            double next_value = strtod(at, NULL);
            assert_true(next_value >= value);
            value = next_value;
            char *end;
            strtod(at, &end);
            double next_q = strtod(end, &end), next_count = strtod(end, &end);
            assert_true(next_q > q && next_count >= count);
            q = next_q;
            count = next_count;
            at = strchr(at, '\n') + 1;
        }
        assert_near(q, 1, 0);
        const char *max = strstr(at, "#[Max     =");
        assert_near(strtod(max + 11, NULL) / value, 1, 0.05);
        parts++;
    }
    assert_int_equal(parts, 6);
    pyr_buf_deinit(&out);
}

/* --- a reader of HdrHistogram's V2 encoding of its own -----------------------------------------
 */

struct decoded {
    unsigned char bytes[1 << 17];
    size_t count;
};

static void from_base64(const char *text, struct decoded *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int held = 0;
    out->count = 0;
    for (; *text && *text != '\n' && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        assert_non_null(digit);
        bits = bits << 6 | (uint32_t)(digit - digits);
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        assert_true(out->count < sizeof out->bytes);
        out->bytes[out->count++] = (unsigned char)(bits >> held);
    }
}

static uint64_t big_endian(const unsigned char *at, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* Stored blocks (RFC 1951, 3.2.4) in a zlib stream; returns the bytes, checked by their Adler-32.
 */
static size_t unpack(const unsigned char *in, size_t size, unsigned char *out) {
    size_t count = 0;
    assert_int_equal((in[0] * 256 + in[1]) % 31, 0);
    assert_int_equal(in[0] & 15, 8);
    const unsigned char *at = in + 2;
    for (bool last = false; !last;) {
        last = *at & 1;
        assert_int_equal(*at >> 1, 0);
        unsigned length = at[1] | (unsigned)at[2] << 8;
        assert_int_equal(length ^ 0xffff, at[3] | (unsigned)at[4] << 8);
        memcpy(out + count, at + 5, length);
        count += length;
        at += 5 + length;
    }
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < count; i++) {
        a = (a + out[i]) % 65521;
        b = (b + a) % 65521;
    }
    assert_int_equal(big_endian(at, 4), (uint64_t)b << 16 | a);
    assert_true(at + 4 == in + size);
    return count;
}

/* The value at the middle of the counts' index: bucket b holds 1024 steps of 2^b from 1024 * 2^b,
 * the first two buckets hold the whole numbers below 2048. */
static double value_at(size_t index) {
    if (index < 2048)
        return (double)index;
    unsigned bucket = (unsigned)(index / 1024 - 1);
    double step = exp2(bucket);
    return (1024 + (double)(index % 1024)) * step + step / 2;
}

struct histogram {
    uint64_t total, highest;
    size_t count;
    double value[1 << 15];
    uint64_t upto[1 << 15]; /* values up to and with this one */
};

static double value_of_rank(const struct histogram *histogram, uint64_t rank) {
    size_t i = 0;
    while (histogram->upto[i] < rank)
        i++;
    return histogram->value[i];
}

static void read_histogram(const char *base64, struct histogram *out) {
    static struct decoded packed;
    static unsigned char bare[1 << 17];
    from_base64(base64, &packed);
    assert_int_equal(big_endian(packed.bytes, 4), 0x1c849314);
    size_t length = (size_t)big_endian(packed.bytes + 4, 4);
    assert_int_equal(length + 8, packed.count);
    size_t bytes = unpack(packed.bytes + 8, length, bare);
    assert_int_equal(big_endian(bare, 4), 0x1c849313);
    assert_int_equal(big_endian(bare + 4, 4) + 40, bytes);
    assert_int_equal(big_endian(bare + 12, 4), 3);
    assert_int_equal(big_endian(bare + 16, 8), 1);
    assert_int_equal(big_endian(bare + 32, 8), 0x3ff0000000000000);
    out->highest = big_endian(bare + 24, 8);
    out->total = 0;
    out->count = 0;
    size_t index = 0;
    for (size_t i = 40; i < bytes;) {
        uint64_t zigzag = 0;
        for (int shift = 0;; shift += 7) {
            uint64_t byte = bare[i++];
            zigzag |= (shift == 56 ? byte : byte & 0x7f) << shift;
            if (shift == 56 || byte < 0x80)
                break;
        }
        int64_t number = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
        if (number < 0) {
            index += (size_t)-number;
            continue;
        }
        assert_true(out->count < sizeof out->value / sizeof *out->value);
        out->total += (uint64_t)number;
        out->value[out->count] = value_at(index++);
        out->upto[out->count++] = out->total;
    }
}

static void a_log_holds_the_histograms_of_the_result(void **state) {
    (void)state;
    struct pyr_result *result = pyr_test_result_large();
    struct histogram *read = test_calloc(1, sizeof *read);
    struct pyr_buf out = {0};
    struct pyr_err err = {0};
    const struct pyr_report_options options = {0};
    assert_ok(err, pyr_report_hdr(result, &options, &out, &err));
    const char *at = pyr_buf_text(&out);
    assert_non_null(strstr(at, "#[Histogram log format version 1.3]\n"));
    static const enum pyr_metric closed[] = {PYR_M_LATENCY_SENT, PYR_M_TTFT_SENT, PYR_M_ITL};
    static const enum pyr_metric open[] = {PYR_M_LATENCY_SCHED, PYR_M_TTFT_SCHED, PYR_M_ITL};
    size_t lines = 0;
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++)
            for (int k = 0; k < 3; k++) {
                const struct pyr_case_result *one = &result->suites[i].cases[j];
                const struct pyr_metric_result *row =
                    pyr_case_metric(one, one->plan->open_loop ? open[k] : closed[k]);
                if (!row || !row->hist || !row->hist->count)
                    continue;
                at = strstr(at, "Tag=");
                assert_non_null(at);
                read_histogram(strrchr(strndupa(at, strcspn(at, "\n")), ',') + 1, read);
                at++;
                assert_int_equal(read->total, row->hist->count);
                assert_true(read->highest == row->hist->max);
                for (uint64_t rank = 1; rank <= read->total; rank += 1 + read->total / 50) {
                    double ours = pyr_hist_at_rank(row->hist, rank).value;
                    assert_near(value_of_rank(read, rank) / ours, 1, 0.002);
                }
                lines++;
            }
    assert_true(lines >= 3);
    assert_null(strstr(at, "Tag="));
    test_free(read);
    pyr_buf_deinit(&out);
    pyr_test_result_free(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_small_formats_read_as_recorded),
        cmocka_unit_test(every_format_tells_every_result),
        cmocka_unit_test(csv_rows_have_their_columns_whatever_the_names),
        cmocka_unit_test(csv_holds_the_numbers_of_the_result),
        cmocka_unit_test(junit_is_well_formed_whatever_the_names),
        cmocka_unit_test(the_two_directions_part_the_tracked_figures),
        cmocka_unit_test(hostile_names_stay_valid_json_for_trackers),
        cmocka_unit_test(go_lines_are_names_counts_and_pairs),
        cmocka_unit_test(a_summary_stays_within_its_limit_and_says_what_it_left_out),
        cmocka_unit_test(annotations_are_single_lines_of_known_commands),
        cmocka_unit_test(a_log_holds_the_histograms_of_the_result),
        cmocka_unit_test(percentile_rows_rise_and_end_at_the_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
