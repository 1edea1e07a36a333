/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "codec/escape.h"
#include "report/figures.h"
#include "report/formats.h"
#include "report/text.h"
#include "support/result_fixture.h"

#include <string.h>

static const char *const files[] = {"benchmark_results/results.json"};
static const struct pyr_report_options narrow = {
    .files = files, .file_count = 1, .detail = PYR_DETAIL_ALL};

static char *told(struct pyr_result *result, const struct pyr_report_options *options,
                  struct pyr_buf *out) {
    struct pyr_err err = {0};
    assert_ok(err, pyr_report_terminal(result, options, out, &err));
    pyr_test_result_free(result);
    return out->data;
}

static void same_as_golden(const char *name, struct pyr_result *result,
                           const struct pyr_report_options *options) {
    struct pyr_buf out = {0};
    pyr_test_golden(name, told(result, options, &out));
    pyr_buf_deinit(&out);
}

static void a_rich_result_reads_as_recorded(void **state) {
    (void)state;
    same_as_golden("terminal-rich-80.txt", pyr_test_result_rich(), &narrow);
    struct pyr_report_options wide = {.width = 200, .ascii = true, .detail = PYR_DETAIL_ALL};
    same_as_golden("terminal-rich-200-ascii.txt", pyr_test_result_rich(), &wide);
}

/* What people see first: a screen of a hundred columns, and its head alone. */
static void the_first_screen_begins_with_the_answer(void **state) {
    (void)state;
    const struct pyr_report_options screen = {.files = files, .file_count = 1, .width = 100};
    const struct pyr_report_options brief = {.detail = PYR_DETAIL_BRIEF, .width = 100};
    same_as_golden("terminal-screen-100.txt", pyr_test_result_rich(), &screen);
    same_as_golden("terminal-brief-100.txt", pyr_test_result_rich(), &brief);
    struct pyr_buf out = {0};
    told(pyr_test_result_rich(), &brief, &out);
    size_t lines = 0;
    for (size_t i = 0; i < out.length; i++)
        lines += out.data[i] == '\n';
    assert_true(lines <= 24); /* a rich result has nine kinds of trouble */
    pyr_buf_deinit(&out);
}

static void partial_and_simulated_results_say_so_before_any_figure(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    const char *text = told(pyr_test_result_partial(), &narrow, &out);
    const char *partial = strstr(text, "PARTIAL"), *simulated = strstr(text, "SIMULATED");
    const char *figures = strstr(text, "inference  ");
    assert_true(partial && simulated && figures && partial < figures && simulated < figures);
    pyr_buf_deinit(&out);
    same_as_golden("terminal-partial.txt", pyr_test_result_partial(), &narrow);
}

static void an_empty_result_with_unreadable_meta_still_reports(void **state) {
    (void)state;
    same_as_golden("terminal-empty.txt", pyr_test_result_empty(), &narrow);
}

static void well_measured_cases_get_a_p99_column_and_no_footnote(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    const char *text = told(pyr_test_result_large(), &narrow, &out);
    assert_non_null(strstr(text, "latency p99"));
    assert_null(strstr(text, "p99 needs"));
    pyr_buf_deinit(&out);
    struct pyr_buf rich = {0};
    text = told(pyr_test_result_rich(), &narrow, &rich);
    assert_null(strstr(text, "latency p99"));
    assert_non_null(strstr(text, "p99 needs up to 355 more requests a case"));
    pyr_buf_deinit(&rich);
}

static void no_line_is_wider_than_the_paper_or_ends_in_a_blank(void **state) {
    (void)state;
    for (unsigned width = 60; width <= 160; width += 20) {
        struct pyr_buf out = {0};
        struct pyr_report_options options = {.width = width};
        char *line = told(pyr_test_result_rich(), &options, &out);
        for (char *end; (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            if (pyr_text_columns(line) > width && strncmp(line, "Repeat", 6) != 0)
                fail_msg("width %u: %s", width, line);
            if (end > line && end[-1] == ' ')
                fail_msg("blank at the end: '%s'", line);
        }
        pyr_buf_deinit(&out);
    }
}

static void foreign_text_cannot_drive_the_terminal(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    const char *text = told(pyr_test_result_hostile(), &narrow, &out);
    for (size_t i = 0; i < out.length;) {
        unsigned char c = (unsigned char)text[i];
        size_t length = pyr_utf8_length(text + i, out.length - i);
        assert_true(length > 0);
        assert_true(c >= 0x20 || c == '\n');
        i += length;
    }
    pyr_buf_deinit(&out);
}

static void colour_is_written_only_when_allowed(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    assert_null(strchr(told(pyr_test_result_rich(), &narrow, &out), '\x1b'));
    pyr_buf_clear(&out);
    struct pyr_report_options color = {.color = true};
    assert_non_null(strstr(told(pyr_test_result_rich(), &color, &out), "\x1b[1;31m"));
    pyr_buf_deinit(&out);
}

static void ascii_paper_holds_nothing_else(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    struct pyr_report_options ascii = {.ascii = true};
    const char *text = told(pyr_test_result_hostile(), &ascii, &out);
    for (size_t i = 0; i < out.length; i++)
        assert_true((unsigned char)text[i] < 0x80);
    pyr_buf_deinit(&out);
}

static void numbers_keep_three_digits_and_intervals_their_decimals(void **state) {
    (void)state;
    static const struct {
        double shown;
        const char *text;
    } cases[] = {{0, "0"},         {0.0123, "0.012"}, {0.00012, "0.0001"},
                 {1.234, "1.23"},  {12.34, "12.3"},   {99.96, "100"},
                 {1234.5, "1234"}, {-12.34, "-12.3"}, {1.23e9, "1.23e+09"},
                 {9.996, "10.0"}};
    struct pyr_buf buf = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pyr_buf_clear(&buf);
        pyr_put_number(&buf, cases[i].shown);
        assert_string_equal(buf.data, cases[i].text);
    }
    struct pyr_scale ms = {1e-6, "ms"};
    struct pyr_estimate at = {12.34e6, 11.9e6, 12.8e6, NULL},
                        open = {12.34e6, 11.9e6, NAN, "n<368"};
    struct pyr_estimate exact = {5e6, 5e6, 5e6, NULL}, none = {0, 0, 3e6, NULL};
    pyr_buf_clear(&buf);
    pyr_put_interval(&buf, &at, ms);
    pyr_buf_putc(&buf, '|');
    pyr_put_compact(&buf, &at, ms, "+-");
    pyr_buf_putc(&buf, '|');
    pyr_put_interval(&buf, &open, ms);
    pyr_buf_putc(&buf, '|');
    pyr_put_compact(&buf, &open, ms, "+-");
    pyr_buf_putc(&buf, '|');
    pyr_put_interval(&buf, &exact, ms);
    pyr_buf_putc(&buf, '|');
    pyr_put_interval(&buf, &none, ms);
    pyr_buf_putc(&buf, '|');
    pyr_put_compact(&buf, &none, ms, "+-");
    assert_string_equal(buf.data, "12.3 [11.9, 12.8]|12.3 +-4%|12.3 [11.9, ?]|12.3 +-?|5.00|"
                                  "0 [0.00, 3.00]|0 <=3.00");
    pyr_buf_deinit(&buf);
}

static void params_are_read_pair_by_pair(void **state) {
    (void)state;
    const char *at = ";a=1;;b=x=y;c;=z;";
    static const char *const expected[] = {"a:1", "b:x=y", "c:", ":z"};
    struct pyr_param param;
    size_t count = 0;
    while (pyr_params_next(&at, &param)) {
        char pair[32];
        snprintf(pair, sizeof pair, "%.*s:%.*s", (int)param.key_bytes, param.key,
                 (int)param.value_bytes, param.value);
        assert_string_equal(pair, expected[count++]);
    }
    assert_int_equal(count, 4);
}

static void every_format_is_found_by_its_name_and_by_its_alias(void **state) {
    (void)state;
    for (const struct pyr_report_format *row = pyr_report_formats; row->name; row++) {
        assert_ptr_equal(pyr_report_format_find(row->name), row);
        assert_int_equal(row->extension[0], '.');
        assert_non_null(row->write);
        assert_true(!row->write_second == !row->second_suffix);
    }
    assert_string_equal(pyr_report_format_find("text")->name, "terminal");
    assert_null(pyr_report_format_find("pdf"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rich_result_reads_as_recorded),
        cmocka_unit_test(the_first_screen_begins_with_the_answer),
        cmocka_unit_test(partial_and_simulated_results_say_so_before_any_figure),
        cmocka_unit_test(an_empty_result_with_unreadable_meta_still_reports),
        cmocka_unit_test(well_measured_cases_get_a_p99_column_and_no_footnote),
        cmocka_unit_test(no_line_is_wider_than_the_paper_or_ends_in_a_blank),
        cmocka_unit_test(foreign_text_cannot_drive_the_terminal),
        cmocka_unit_test(colour_is_written_only_when_allowed),
        cmocka_unit_test(ascii_paper_holds_nothing_else),
        cmocka_unit_test(numbers_keep_three_digits_and_intervals_their_decimals),
        cmocka_unit_test(params_are_read_pair_by_pair),
        cmocka_unit_test(every_format_is_found_by_its_name_and_by_its_alias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
