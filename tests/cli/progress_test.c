/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "cli/progress.h"

#include <string.h>
#include <unistd.h>

static const struct pyr_bench_progress figures = {.suite = "concurrent",
                                                  .case_id = "concurrent/c4/short",
                                                  .case_index = 2,
                                                  .case_count = 12,
                                                  .elapsed_s = 80,
                                                  .remaining_s = 240,
                                                  .ok = 120,
                                                  .failed = 1,
                                                  .in_flight = 4,
                                                  .output_tokens_per_s = 51.23,
                                                  .ttft_p50_ns = 123.4e6,
                                                  .latency_p50_ns = 1.2e9,
                                                  .latency_p90_ns = 2.5e9};

static void the_line_holds_the_time_and_the_current_figures(void **state) {
    (void)state;
    char line[512];
    pyr_progress_format(&figures, true, 200, line, sizeof line);
    assert_string_equal(line, "[####............] 1:20 elapsed, 4:00 left | 3/12 "
                              "concurrent/c4/short | 120 ok, 1 failed, 4 in flight | 51.2 tok/s, "
                              "TTFT p50 123 ms, latency p50 1.2 s p90 2.5 s");
}

static void unknown_figures_are_left_out(void **state) {
    (void)state;
    const struct pyr_bench_progress start = {.remaining_s = (double)NAN,
                                             .ttft_p50_ns = (double)NAN,
                                             .latency_p50_ns = (double)NAN,
                                             .latency_p90_ns = (double)NAN};
    char line[512];
    pyr_progress_format(&start, false, 80, line, sizeof line);
    assert_string_equal(line, "0:00 elapsed | 0 ok, 0 in flight");
}

static void a_bar_never_reaches_the_edge_of_the_terminal(void **state) {
    (void)state;
    for (unsigned width = 1; width < 220; width++) {
        char line[512];
        pyr_progress_format(&figures, true, width, line, sizeof line);
        assert_true(width == 1 || strlen(line) < width);
    }
}

static void a_narrow_line_drops_whole_figures_and_keeps_the_one_that_matters(void **state) {
    (void)state;
    char line[512];
    pyr_progress_format(&figures, true, 100, line, sizeof line);
    assert_string_equal(line,
                        "1:20 elapsed, 4:00 left | 3/12 concurrent/c4/short | 120 ok, 1 failed"
                        " | 51.2 tok/s, TTFT p50 123 ms");
    pyr_progress_format(&figures, true, 60, line, sizeof line);
    assert_string_equal(line, "1:20 elapsed, 4:00 left, 1 failed | 51.2 tok/s");
    struct pyr_bench_progress late = figures;
    late.remaining_s = 0.2;
    pyr_progress_format(&late, true, 60, line, sizeof line);
    assert_null(strstr(line, "0:00"));
    assert_non_null(strstr(line, "ending"));
}

/* Updates come ten times a second for a minute; returns what was written. */
static size_t write_a_minute(enum pyr_progress_style style, char *seen, size_t size) {
    int ends[2];
    uint64_t now_ns = PYR_NS_PER_S;
    const struct pyr_clock clock = {&now_ns};
    struct pyr_progress progress;
    assert_int_equal(pipe(ends), 0);
    pyr_progress_init(&progress, style, ends[1], 60, &clock);
    for (int i = 0; i < 600; i++, now_ns += 100 * PYR_NS_PER_MS)
        pyr_progress_update(&progress, &figures);
    pyr_progress_clear(&progress);
    pyr_progress_clear(&progress);
    close(ends[1]);
    size_t used = 0;
    ssize_t got;
    while ((got = read(ends[0], seen + used, size - 1 - used)) > 0)
        used += (size_t)got;
    seen[used] = '\0';
    close(ends[0]);
    size_t lines = 0;
    for (size_t i = 0; i < used; i++)
        lines += seen[i] == (style == PYR_PROGRESS_BAR ? '\r' : '\n');
    return lines;
}

static void a_pipe_gets_a_plain_line_every_ten_seconds(void **state) {
    (void)state;
    static char seen[65536];
    assert_int_equal(write_a_minute(PYR_PROGRESS_LINES, seen, sizeof seen), 5);
    assert_null(strchr(seen, '\033'));
    assert_null(strchr(seen, '\r'));
}

static void a_terminal_is_redrawn_at_most_four_times_a_second_and_left_clean(void **state) {
    (void)state;
    static char seen[65536];
    size_t draws = write_a_minute(PYR_PROGRESS_BAR, seen, sizeof seen);
    assert_true(draws > 150 && draws <= 4 * 60 + 1); /* the last one clears */
    assert_null(strchr(seen, '\n'));
    assert_string_equal(seen + strlen(seen) - 4, "\r\033[K");
}

static void quiet_writes_nothing(void **state) {
    (void)state;
    static char seen[64];
    write_a_minute(PYR_PROGRESS_NONE, seen, sizeof seen);
    assert_string_equal(seen, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_holds_the_time_and_the_current_figures),
        cmocka_unit_test(unknown_figures_are_left_out),
        cmocka_unit_test(a_bar_never_reaches_the_edge_of_the_terminal),
        cmocka_unit_test(a_narrow_line_drops_whole_figures_and_keeps_the_one_that_matters),
        cmocka_unit_test(a_pipe_gets_a_plain_line_every_ten_seconds),
        cmocka_unit_test(a_terminal_is_redrawn_at_most_four_times_a_second_and_left_clean),
        cmocka_unit_test(quiet_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
